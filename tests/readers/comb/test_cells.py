from __future__ import annotations

import cv2
import numpy as np

from docproc.readers.comb.cells import cell_pictures, without_ink
from docproc.readers.ink import NO_INK, comb_ink
from docproc.types import CELL_CLASSES, EMPTY, Gray
from tests.conftest import draw_digits_into


def comb(marks: str, shift: int = 0, pitch: int = 60) -> Gray:
    """A row of boxes of `pitch` px, a digit of `marks` in each, `_` for none; all moved by `shift` px to the right."""
    gray = np.full((100, pitch * len(marks) + 20), 240, np.uint8)
    cv2.rectangle(gray, (10, 10), (10 + pitch * len(marks), 90), 30, 2)
    for k in range(1, len(marks)):
        cv2.line(gray, (10 + pitch * k, 10), (10 + pitch * k, 90), 30, 2)
    for k, mark in enumerate(marks):
        if mark != "_":
            draw_digits_into(gray, mark, 10 + pitch * k + pitch // 2 + shift, 50)
    return gray


def test_every_cell_shows_its_own_digit_and_its_neighbors() -> None:
    pictures = cell_pictures(comb_ink(comb("4_07", pitch=42), 4))
    assert pictures.shape == (4, 32, 32, 2)
    inked = [int(picture[..., 0].astype(bool).sum()) > 20 for picture in pictures]
    assert inked == [True, False, True, True]
    # The 7 is seen at the right of the 0, and only there.
    assert pictures[2, :, 24:, 1].any()
    assert not pictures[2, :, :6, 1].any()


def test_a_digit_that_strays_into_the_next_cell_is_in_one_picture() -> None:
    straight, strayed = (cell_pictures(comb_ink(comb("_3__", shift), 4)) for shift in (0, 20))
    for pictures in (straight, strayed):
        assert [bool(p[..., 0].any()) for p in pictures] == [False, True, False, False]
    ink = [int(p[1, ..., 0].astype(np.int64).sum()) for p in (straight, strayed)]
    assert ink[1] > 0.75 * ink[0]


def test_small_and_large_digits_come_to_one_size() -> None:
    heights = []
    for scale in (0.5, 1.0, 3.0):
        gray = cv2.resize(comb("58"), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for picture in cell_pictures(comb_ink(np.asarray(gray, np.uint8), 2)):
            rows = np.flatnonzero((picture[..., 0] > 100).any(axis=1))
            heights.append(int(rows[-1] - rows[0] + 1))
    assert max(heights) - min(heights) <= 4
    assert all(18 <= height <= 25 for height in heights)


def test_walls_paler_than_the_pen_are_found_and_erased() -> None:
    gray = np.full((80, 200), 240, np.uint8)
    gray[:10] = gray[70:74] = gray[:, :8] = gray[:, 190:194] = 10
    walls = (69, 130)
    for x in walls:
        gray[10:70, x : x + 2] = 165
    for x in (34, 95):
        gray[32:54, x : x + 3] = 40
    draw_digits_into(gray, "7", 160, 40)
    seen = comb_ink(gray, 3)
    np.testing.assert_allclose((np.array(seen.walls) - seen.to_ink[0, 2]) / seen.to_ink[0, 0], walls, atol=3)
    assert len(seen.parts) == 3  # the digits, and nothing of the walls


def test_nothing_is_seen_where_nothing_is() -> None:
    assert cell_pictures(NO_INK).shape == (0, 32, 32, 2)
    pictures = np.zeros((2, 32, 32, 2), np.uint8)
    pictures[1, 10, 10, 0] = 255
    scores = without_ink(pictures, np.full((2, CELL_CLASSES), 1 / CELL_CLASSES, np.float32))
    assert scores[0, EMPTY] == 1
    assert scores[1, EMPTY] < 0.1


def test_the_frame_says_where_the_cells_are_when_it_was_taken_off() -> None:
    """Upright strokes that stand closer than the cells: taken for walls they would be lost."""
    pen = np.full((100, 376), 235, np.uint8)
    for x in (30, 108, 264, 342):
        pen[15:90, x : x + 5] = 60
    framed = pen.copy()
    framed[:, [0, 1, 93, 94, 187, 188, 281, 282, 374, 375]] = 80
    framed[[1, 2, 97, 98]] = 80

    assert not comb_ink(pen, 4).ink.any()
    seen = comb_ink(pen, 4, framed)
    assert len(seen.parts) == 4
    np.testing.assert_allclose((np.array(seen.walls) - seen.to_ink[0, 2]) / seen.to_ink[0, 0], [94, 188, 282], atol=2)
