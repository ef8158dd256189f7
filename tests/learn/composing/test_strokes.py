from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing.strokes import DIGIT_SHAPES, MARKS, Pen, draw, draw_digit


@pytest.mark.parametrize("digit", range(10))
def test_every_style_draws_a_digit_of_its_height(digit: int) -> None:
    for style in range(len(DIGIT_SHAPES[str(digit)])):
        ink, base = draw_digit(digit, 60, Pen(0.08, 0.0), np.random.default_rng(1), style)
        rows = np.flatnonzero((ink > 127).any(axis=1))
        assert 50 <= rows[-1] - rows[0] + 1 <= 76
        assert abs(base - rows[-1]) <= 8
        assert ink.max() == 255


def test_no_two_drawings_are_alike() -> None:
    rng = np.random.default_rng(1)
    one, two = (draw_digit(5, 40, Pen(0.08, 0.03), rng, 0)[0] for _ in range(2))
    assert one.shape != two.shape or not np.array_equal(one, two)


def test_the_same_seed_draws_the_same() -> None:
    one, two = (draw_digit(5, 40, Pen(0.08, 0.03), np.random.default_rng(3))[0] for _ in range(2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("mark", sorted(MARKS))
def test_marks_are_drawn(mark: str) -> None:
    for shape in MARKS[mark]:
        assert (draw(shape, 40, Pen(0.08, 0.02), np.random.default_rng(0))[0] > 127).any()
