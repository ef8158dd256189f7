"""What a scanner makes of ink on paper."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.learn.composing import paper
from docproc.learn.composing.layers import Layer
from docproc.learn.composing.paper import ruled, scanned


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


def side_at(column: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a frame's left side of 4 px is drawn over a digit, an upright stroke of 4 px at this column."""

    def frame(line: NDArray[np.float32], height: float, thick: int, rng: np.random.Generator) -> None:
        line[:, 2:6] = 1

    monkeypatch.setattr(paper, "frame", frame)
    alpha, owner = np.zeros((60, 160), np.float32), np.zeros((60, 160), np.int16)
    alpha[10:50, column : column + 4] = owner[10:50, column : column + 4] = 1
    drawn = [ruled(Layer(alpha, owner, 40.0), np.random.default_rng(seed)).alpha for seed in range(60)]
    return any((one[:8, 2:6] > 0.3).all() for one in drawn)


def test_no_side_of_a_frame_hides_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A 1 under it could not be read by anyone."""
    assert side_at(20, monkeypatch)
    assert not side_at(2, monkeypatch)
    assert not side_at(4, monkeypatch)
    assert side_at(5, monkeypatch)


def test_ink_of_a_neighbor_is_too_short_for_a_1() -> None:
    for seed in range(200):
        line = np.zeros((80, 160), np.float32)
        paper._neighbor(line, 40.0, np.random.default_rng(seed))
        rows = np.flatnonzero((line > 0.5).any(axis=1))
        assert np.ptp(rows) < 0.8 * 40
