"""The drawn characters against the measures of their standard, and composed lines."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing.e13b import CHARACTERS, COLUMNS, GRID_IN, ROWS, compose_line, draw_line, glyph
from docproc.learn.composing.e13b_examples import e13b_example
from docproc.readers.e13b.font import PITCH_IN
from docproc.types import MICR_SYMBOLS


def test_there_are_fourteen_characters() -> None:
    assert set(CHARACTERS) == set(MICR_SYMBOLS)


@pytest.mark.parametrize("name", MICR_SYMBOLS)
def test_a_character_keeps_to_the_grid(name: str) -> None:
    drawn = glyph(name, 12)
    assert drawn.shape == (ROWS * 12, COLUMNS * 12)
    # Flush right, and digits as high as the grid.
    assert drawn[:, -2:].max() == 1
    if name.isdigit():
        assert drawn[:2].max() == drawn[-2:].max() == 1
    left = min(shape[0] for shape in CHARACTERS[name])
    assert drawn[:, : round(left * 12)].max(initial=0) == 0


# Columns (of 0.013 inch) that are inked, counted on published drawings of the characters.
@pytest.mark.parametrize(("name", "wide"), [("0", 7), ("1", 4), ("2", 4), ("3", 5), ("4", 6), ("5", 5), ("7", 5), ("8", 7)])
def test_characters_are_as_wide_as_published(name: str, wide: int) -> None:
    inked = np.flatnonzero((glyph(name, 12) > 0.5).any(axis=0))
    assert (inked[-1] - inked[0] + 1) / 12 == pytest.approx(wide, abs=0.1)


def test_all_characters_differ() -> None:
    drawn = {name: glyph(name) for name in MICR_SYMBOLS}
    for one in MICR_SYMBOLS:
        assert [other for other in MICR_SYMBOLS if np.abs(drawn[one] - drawn[other]).mean() < 0.05] == [one]


@pytest.mark.parametrize("dpi", [100, 240, 300, 600])
def test_a_line_has_its_true_pitch(dpi: int) -> None:
    dark = np.flatnonzero((draw_line("1" * 9, dpi) < 128).any(axis=0))
    assert dark[-1] - dark[0] == pytest.approx((8 * PITCH_IN + 4 * GRID_IN) * dpi, abs=2)
    assert draw_line("1 1", dpi).shape == draw_line("111", dpi).shape


def test_what_e13b_has_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'A'"):
        draw_line("1A", 300)


def test_a_composed_line_is_the_same_every_time() -> None:
    one, other = (compose_line(np.random.default_rng(5)) for _ in range(2))
    assert one.text == other.text
    assert np.array_equal(one.gray, other.gray)


def test_most_composed_lines_are_found() -> None:
    made = [e13b_example(3, 0, number) for number in range(60)]
    assert all(set(one.text) <= set(MICR_SYMBOLS) for one in made)
    assert sum(one.placed for one in made) >= 50
    assert sum(bool(one.text) for one in made) >= 48
