"""What a scanner makes of ink on paper."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing.paper import scanned


@pytest.mark.parametrize("seed", [*range(10), 2686])
def test_ink_can_be_seen_wherever_a_shadow_falls(seed: int) -> None:
    """Whoever labels what nobody can see teaches networks to be sure of it."""
    alpha = np.zeros((40, 200), np.float32)
    bars = np.arange(15, 190, 20)
    for left in bars:
        alpha[:, left : left + 4] = 1
    gray = scanned(alpha, np.random.default_rng(seed), patterns=False).mean(axis=0)
    for left in bars:
        beside = min(gray[left - 8 : left - 3].mean(), gray[left + 7 : left + 12].mean())
        assert gray[left : left + 4].mean() < beside - 10


def test_some_scans_are_shaded() -> None:
    spread = [np.ptp(scanned(np.zeros((40, 200), np.float32), np.random.default_rng(k)).mean(axis=0)) for k in range(60)]
    assert sum(one > 40 for one in spread) >= 3
