"""Remove what is printed on the blank form, and keep the writing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components, flatten_light, otsu
from docproc.types import Box, Gray

Mask = NDArray[np.uint8]  # (height, width) uint8, 0 or 1


@dataclass(frozen=True, slots=True)
class BlankTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    max_shift_px: int = 4  # of the print on the scan, from where the registration puts it [guess]
    margin_px: int = 8  # around a field, used to align the print: a frame may run along its edge [guess]
    min_unshifted_ratio: float = (
        0.98  # of the ink covered without a shift to the most that any shift covers: above it no shift is used [guess]
    )
    spread_px: int = 1  # by which print is wider on the scan than on the blank form [guess]
    min_seen_share: float = 0.85  # of a printed part that must be on the scan for it to be removed [guess]
    min_contrast_gray: float = 18.0  # of print to paper [guess]
    edge_share: float = 0.25  # of the way from Otsu's threshold to paper that is still print [guess]
    paper_percentile: float = 90  # of the gray levels of a crop, used as paper [guess]
    light_reach_share: float = 0.5  # of a crop's height, over which the light is flattened [guess]
    min_light_reach_px: int = 9  # likewise [guess]
    max_light_height_px: int = 160  # taller crops are flattened like one of this height [guess]
    line_width_ratio: float = 4.0  # of a line's width to the mean distance of its pixels from the edge [geometry]
    max_line_width_px: int = 9  # across which pen strokes are joined [guess]


BLANK = BlankTuning()


def cut_without_print(gray: Gray, blank: Gray, box: Box) -> Gray:
    """Crop a box of the page, without what is printed on the blank form; both are (height, width) uint8."""
    around = box.grown(BLANK.margin_px).clip(gray.shape[1], gray.shape[0])
    inner = Box(box.left - around.left, box.top - around.top, box.width, box.height)
    return inner.cut(without_print(around.cut(gray), around.cut(blank)))


def without_print(crop: Gray, blank: Gray) -> Gray:
    """The crop (height, width) uint8 of a scan that is registered to its form, with paper where the form is printed.

    `blank` is the same part of the empty form; it is shifted by a few px to the best fit. Strokes that cross print stay whole:
    where ink continues on both sides of a printed line, the line is kept in between.
    """
    printed = _dark(blank)
    if not printed.any():
        return crop
    ink = _dark(crop)
    x, y = _offset(ink, printed)
    shift = np.array([[1.0, 0, x], [0, 1.0, y]])
    moved = _seen(np.asarray(cv2.warpAffine(printed, shift, (crop.shape[1], crop.shape[0])), np.uint8), _shaded(crop))
    covered = _broadened(moved)
    pen = ink & (1 - covered)
    # Join pen strokes on both sides of a line.
    gap = 2 * BLANK.spread_px + 2 + _line_width(moved)
    round_tip = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap | 1, gap | 1))
    bridged: Mask = np.asarray(cv2.morphologyEx(pen, cv2.MORPH_CLOSE, round_tip), np.uint8)
    gone = (covered > 0) & (bridged & ink == 0)
    paper = int(np.percentile(crop, BLANK.paper_percentile))
    return np.where(gone, np.maximum(crop, np.uint8(paper)), crop)


def _flat(gray: Gray) -> Gray:
    height = min(gray.shape[0], BLANK.max_light_height_px)
    return flatten_light(gray, max(BLANK.min_light_reach_px, round(height * BLANK.light_reach_share)))


def _dark(gray: Gray) -> Mask:
    """Ink and print."""
    flat = _flat(gray)
    threshold, dark, light = otsu(flat)
    if light - dark < BLANK.min_contrast_gray:
        return np.zeros(gray.shape, np.uint8)
    return (flat <= threshold + BLANK.edge_share * (light - threshold)).astype(np.uint8)


def _shaded(gray: Gray) -> Mask:
    """Everything darker than paper, even if as faint as a guide line for writing."""
    flat = _flat(gray)
    return (flat <= np.median(flat) - BLANK.min_contrast_gray).astype(np.uint8)


def _broadened(mask: Mask) -> Mask:
    side = 2 * BLANK.spread_px + 1
    return np.asarray(cv2.dilate(mask, np.ones((side, side), np.uint8)), np.uint8)


def _seen(printed: Mask, shaded: Mask) -> Mask:
    """The parts of the print that are on the scan.

    Anything else was handwriting on a form that was assumed to be empty. It must not be removed from other writing.
    """
    labels, table = components(printed)
    covered = np.bincount(labels[_broadened(shaded) > 0], minlength=len(table) + 1)
    there = np.r_[False, covered[1:] >= BLANK.min_seen_share * table[:, 4]]
    return np.asarray(there[labels], np.uint8)


def _offset(ink: Mask, printed: Mask) -> tuple[int, int]:
    """The shift of the print with which it covers the most ink: columns and rows, px."""
    height, width = ink.shape
    reach = BLANK.max_shift_px
    if min(height, width) <= 4 * reach:
        return 0, 0
    inner = printed[reach : height - reach, reach : width - reach].astype(np.float32)
    found = cv2.matchTemplate(ink.astype(np.float32), inner, cv2.TM_CCORR)
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    if found[reach, reach] >= BLANK.min_unshifted_ratio * found[row, column]:
        return 0, 0
    return int(column) - reach, int(row) - reach


def _line_width(mask: Mask) -> int:
    """Typical width in px of printed lines."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    inside = distance[distance > 0]
    if not inside.size:
        return 1
    return int(np.clip(round(BLANK.line_width_ratio * float(inside.mean())), 1, BLANK.max_line_width_px))
