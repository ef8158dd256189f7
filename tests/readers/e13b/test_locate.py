"""Where a line of E-13B lies in a crop, on lines drawn with their true measures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from docproc.learn.composing.e13b import GRID_IN, draw_line
from docproc.readers.e13b.font import PRINT_HEIGHT_PX
from docproc.readers.e13b.locate import STRIP, micr_line, part_box
from docproc.types import LINE_HEIGHT, Gray

LINE = "⑆021000089⑆ 1234567⑈ 0152"


def on_paper(line: Gray, room: int, turn: float = 0.0) -> Gray:
    """The line with `room` px of paper around it, turned by `turn` degrees."""
    wide = cv2.copyMakeBorder(line, room, room, room, room, cv2.BORDER_CONSTANT, value=255)
    matrix = cv2.getRotationMatrix2D((wide.shape[1] / 2, wide.shape[0] / 2), turn, 1.0)
    return np.asarray(cv2.warpAffine(wide, matrix, wide.shape[::-1], borderValue=255), np.uint8)


def rows_of(line: Gray) -> tuple[int, int]:
    """First row that holds much ink, and the one past the last."""
    rows = np.flatnonzero((line > 127).sum(axis=1) > 3)
    return int(rows[0]), int(rows[-1]) + 1


@pytest.mark.parametrize("dpi", [100, 150, 200, 300, 400, 600])
def test_characters_come_to_one_size_and_place(dpi: int) -> None:
    found = micr_line(on_paper(draw_line(LINE, dpi), dpi // 20))
    assert found.line.shape[0] == LINE_HEIGHT
    assert found.line.shape[1] % STRIP.width_step_px == 0
    top, foot = rows_of(found.line)
    assert foot == pytest.approx(STRIP.foot_px, abs=1.5)
    assert foot - top == pytest.approx(PRINT_HEIGHT_PX, abs=1.5 if dpi > 100 else 2.5)
    assert found.line.shape[1] == pytest.approx(20 + 19.2 * len(LINE), abs=STRIP.width_step_px + (10 if dpi > 100 else 30))


@pytest.mark.parametrize("turn", [-4.0, -1.0, 2.0, 4.0])
def test_a_turned_line_is_laid_level(turn: float) -> None:
    found = micr_line(on_paper(draw_line(LINE, 200), 40, turn))
    top, foot = rows_of(found.line)
    assert foot == pytest.approx(STRIP.foot_px, abs=2)
    assert foot - top == pytest.approx(PRINT_HEIGHT_PX, abs=3)


def test_groups_are_followed_where_they_stand_lower_or_are_smaller() -> None:
    first, second = draw_line("⑈123456⑈", 300), draw_line("⑇0000012345⑇", 240)
    gray = np.full((80, first.shape[1] + second.shape[1] + 60), 255, np.uint8)
    gray[5 : 5 + first.shape[0], : first.shape[1]] = first
    gray[25 : 25 + second.shape[0], first.shape[1] + 60 :] = second
    found = micr_line(gray)
    for half in np.array_split(found.line, 2, axis=1):
        top, foot = rows_of(half)
        assert foot == pytest.approx(STRIP.foot_px, abs=2)
        assert foot - top == pytest.approx(PRINT_HEIGHT_PX, abs=2)


def test_other_print_near_the_line_is_passed_over() -> None:
    gray = on_paper(draw_line(LINE, 300), 60)
    cv2.putText(gray, "pay to the order of", (80, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 40, 2)
    top, foot = rows_of(micr_line(gray).line[:, 40:])
    assert foot == pytest.approx(STRIP.foot_px, abs=2)
    assert foot - top == pytest.approx(PRINT_HEIGHT_PX, abs=2)


def test_black_and_white_and_pale_lines_look_alike() -> None:
    gray = draw_line(LINE, 200)
    pale = (150 + gray * (90 / 255)).astype(np.uint8)
    hard = np.where(gray > 127, 255, 0).astype(np.uint8)
    lines = [micr_line(each).line for each in (gray, pale, hard)]
    assert lines[0].shape == lines[1].shape == lines[2].shape
    assert np.abs(lines[0].astype(int) - lines[1]).mean() < 6
    assert np.abs(lines[0].astype(int) - lines[2]).mean() < 14


def test_places_lead_back_to_the_crop() -> None:
    dpi, room = 300, 30
    found = micr_line(on_paper(draw_line("1234", dpi), room))
    unit = dpi * GRID_IN
    # The second of four characters, two px of the strip for a column of the grid; the strip begins with the foot of the 1.
    right = room + (2 + 7 + 125 / 13) * unit
    box = part_box(found, [STRIP.margin_px + (0.5 + 125 / 13) * 2])
    assert box.right == pytest.approx(right, abs=6)
    assert box.top == pytest.approx(room + 2 * unit, abs=2)
    assert box.bottom == pytest.approx(room + 11 * unit, abs=2)


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (60, 4), (60, 600)])
def test_blank_paper_gives_nothing(shape: tuple[int, int]) -> None:
    found = micr_line(np.full(shape, 240, np.uint8))
    assert found.line.shape == (LINE_HEIGHT, 0)
    assert found.places.shape == (0, 3)


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 90))))
def test_any_picture_gives_a_line(gray: Gray) -> None:
    before = gray.copy()
    found = micr_line(gray)
    assert found.line.shape[0] == LINE_HEIGHT
    assert found.line.shape[1] % STRIP.width_step_px == 0
    assert found.places.shape == (found.line.shape[1], 3)
    assert np.isfinite(found.places).all()
    assert np.array_equal(gray, before)
