"""Fields in print."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing import printing
from docproc.learn.composing.fonts import Fonts
from docproc.learn.composing.layers import MARK
from docproc.learn.composing.spelling import Spelled, Token, digits


def point_height(rng: np.random.Generator) -> float:
    """Of the point in 38.0, in digit heights above the baseline of the digits."""
    spelled = Spelled((*digits("38"), Token(".", "·"), *digits("0")), marked=True)
    layer = printing.typed(spelled, Fonts(), rng)
    assert layer is not None
    inked = layer.alpha > 0.5
    point, number = (np.flatnonzero((inked & own).any(axis=1)) for own in (layer.owner == MARK, layer.owner == 1))
    return float((number[-1] - point.mean()) / (number[-1] - number[0] + 1))


def test_a_point_may_be_higher_than_half_height(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing, "RAISED_SHARE", 1.0)
    heights = [point_height(np.random.default_rng(seed)) for seed in range(30)]
    assert 0.3 < min(heights) < 0.6
    assert 0.75 < max(heights) < 1.05
