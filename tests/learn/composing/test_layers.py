"""Signs side by side."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing.layers import Layer, Part, arrange
from docproc.types import Ink

HEIGHT = 40.0


def side_by_side(first: Ink, second: Ink, gap: float, *, straight: bool) -> Layer:
    parts = [Part(first, 40, 1, 0.0), Part(second, 40, 2, gap, straight=straight)]
    return arrange(parts, HEIGHT, np.random.default_rng(0))


def touching_share(layer: Layer) -> float:
    """The share of the rows of the second sign in which it touches the first."""
    rows = (layer.owner == 2).any(axis=1)
    touching = [bool((np.diff(np.flatnonzero(row > 0)) == 1)[(row[row > 0] == 1).sum() - 1]) for row in layer.owner[rows]]
    return float(np.mean(touching))


def stroke(lean: float) -> Ink:
    """A straight stroke 4 px wide that leans to the right."""
    ink = np.zeros((40, 4 + round(lean * 40)), np.uint8)
    for row in range(40):
        left = round(lean * (39 - row))
        ink[row, left : left + 4] = 255
    return ink


@pytest.mark.parametrize("gap", [-3.0, -2.0])
def test_two_parallel_strokes_are_never_one_thick_stroke(gap: float) -> None:
    assert touching_share(side_by_side(stroke(0.1), stroke(0.1), gap, straight=True)) == 0
    assert touching_share(side_by_side(stroke(0.1), stroke(0.1), gap, straight=False)) > 0.9


def test_strokes_that_lean_apart_may_touch_at_a_point() -> None:
    layer = side_by_side(stroke(0.5), stroke(0.0), -2.0, straight=True)
    assert 0 < touching_share(layer) < 0.4
