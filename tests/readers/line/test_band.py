from __future__ import annotations

import cv2
import numpy as np
import pytest

from docproc.readers.ink import NO_INK, free_ink
from docproc.readers.line.band import LINE, line
from docproc.types import LINE_HEIGHT
from tests.conftest import WriteField


@pytest.mark.parametrize("height", [24, 40, 70])
def test_digits_come_to_one_size_and_place(write_field: WriteField, height: int) -> None:
    strip = line(free_ink(write_field("3160", height=height, gap=height // 5)))
    assert strip.shape[0] == LINE_HEIGHT
    assert strip.shape[1] % LINE.width_step_px == 0
    rows = np.flatnonzero((strip > 127).any(axis=1))
    assert rows[0] == pytest.approx(7, abs=2)
    assert rows[-1] == pytest.approx(25, abs=2)


def test_what_hangs_below_does_not_move_the_band(write_field: WriteField) -> None:
    gray = write_field("3160")
    marked = gray.copy()
    cv2.line(marked, (20, gray.shape[0] - 8), (26, gray.shape[0] - 3), 30, 2)
    tops = [np.flatnonzero((line(free_ink(each)) > 127).any(axis=1))[0] for each in (gray, marked)]
    assert tops[0] == pytest.approx(tops[1], abs=1)


def test_no_ink_gives_a_line_without_width() -> None:
    assert line(NO_INK).shape == (LINE_HEIGHT, 0)
