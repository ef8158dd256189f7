from __future__ import annotations

import cv2
import numpy as np
import pytest

from docproc.pages.blank import without_print
from docproc.types import Gray


def form(lines: bool = True, guide: int = 0) -> Gray:
    """A box of 120 x 60 px with a rule through its middle; in gray `guide` a printed 8."""
    gray = np.full((100, 200), 255, np.uint8)
    if lines:
        cv2.rectangle(gray, (40, 20), (160, 80), 60, 2)
        cv2.line(gray, (10, 50), (190, 50), 60, 2)
    if guide:
        cv2.circle(gray, (100, 40), 9, guide, 2)
        cv2.circle(gray, (100, 60), 9, guide, 2)
    return gray


def written(blank: Gray, moved: tuple[int, int] = (0, 0)) -> Gray:
    """A scan of the form on grayer paper, moved by some px, with an upright stroke and a slanting one across its lines."""
    scan = cv2.warpAffine(blank, np.array([[1.0, 0, moved[0]], [0, 1.0, moved[1]]]), (200, 100), borderValue=255)
    scan = np.minimum(scan, 235)
    cv2.line(scan, (70, 30), (70, 72), 20, 4)
    cv2.line(scan, (120, 72), (140, 10), 20, 4)
    return np.asarray(scan, np.uint8)


def ink(gray: Gray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return gray < 140


@pytest.mark.parametrize("moved", [(0, 0), (2, -1), (-3, 3)])
def test_the_print_goes_and_the_strokes_across_it_stay(moved: tuple[int, int]) -> None:
    blank = form()
    pen = ink(written(np.full_like(blank, 255)))
    left = ink(without_print(written(blank, moved), blank))
    assert (left & pen).sum() > 0.9 * pen.sum()
    assert (left & ~pen).sum() < 0.12 * pen.sum()
    # Each stroke is in one piece.
    count, _, stats, _ = cv2.connectedComponentsWithStats(left.astype(np.uint8))
    assert sum(int(area) > 100 for area in stats[1:count, 4]) == 2


def test_a_printed_guide_is_no_ink() -> None:
    blank = form(guide=150)
    left = ink(without_print(written(blank), blank))
    assert not left[30:70, 88:98].any()


def test_without_print_nothing_is_changed() -> None:
    blank = form(lines=False)
    scan = written(blank)
    assert np.array_equal(without_print(scan, blank), scan)


def test_what_somebody_wrote_on_the_form_takes_nothing_away() -> None:
    empty = form(lines=False)
    blank = empty.copy()
    cv2.line(blank, (60, 72), (80, 30), 20, 4)  # crosses the upright stroke of the scan
    pen = ink(written(np.full_like(empty, 255)))
    left = ink(without_print(written(empty), blank))
    assert (left & pen).sum() > 0.9 * pen.sum()
