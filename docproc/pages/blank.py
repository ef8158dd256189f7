"""Take away what is printed on the blank form, and leave what was written."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components, flatten_light, otsu
from docproc.types import Gray

Mask = NDArray[np.uint8]  # (height, width) uint8, 0 or 1

REACH = 4  # px by which the print may lie aside of where it should
SPREAD = 1  # px that print is broader on a scan than on the blank form
PRESENT = 0.85  # of a printed part that is seen on the scan at least
FAINT = 18.0  # gray levels below paper from which something is printed


def without_print(crop: Gray, blank: Gray) -> Gray:
    """The crop (height, width) uint8 of a scan that was laid onto its form, with paper where the form is printed.

    `blank` is the same part of the empty form. It is moved by a few px to where it lies best. A stroke that crosses what is
    printed stays: where ink goes on at both sides of a printed line, the line is left between.
    """
    printed = _dark(blank)
    if not printed.any():
        return crop
    ink = _dark(crop)
    x, y = _offset(ink, printed)
    shift = np.array([[1.0, 0, x], [0, 1.0, y]])
    moved = _seen(np.asarray(cv2.warpAffine(printed, shift, (crop.shape[1], crop.shape[0])), np.uint8), _shaded(crop))
    covered: Mask = np.asarray(cv2.dilate(moved, np.ones((2 * SPREAD + 1, 2 * SPREAD + 1), np.uint8)), np.uint8)
    pen = ink & (1 - covered)
    # The pen's strokes at both sides of a line meet across it.
    thick = 2 * SPREAD + 2 + _thickness(moved)
    round_tip = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick | 1, thick | 1))
    bridged: Mask = np.asarray(cv2.morphologyEx(pen, cv2.MORPH_CLOSE, round_tip), np.uint8)
    gone = (covered > 0) & (bridged & ink == 0)
    paper = int(np.percentile(crop, 90))
    return np.where(gone, np.maximum(crop, np.uint8(paper)), crop)


def _shaded(gray: Gray) -> Mask:
    """All that is darker than paper, were it as faint as a guide to write on."""
    flat = flatten_light(gray, max(9, round(min(gray.shape[0], 160) * 0.5)))
    return (flat <= np.median(flat) - FAINT).astype(np.uint8)


def _seen(printed: Mask, shaded: Mask) -> Mask:
    """The parts of what is printed that are there on the scan.

    What is not, somebody wrote on a form that was thought to be empty, and it may not be cut out of what another wrote.
    """
    labels, table = components(printed)
    near = cv2.dilate(shaded, np.ones((2 * SPREAD + 1, 2 * SPREAD + 1), np.uint8))
    covered = np.bincount(labels[near > 0], minlength=len(table) + 1)
    there = np.r_[False, covered[1:] >= PRESENT * table[:, 4]]
    return np.asarray(there[labels], np.uint8)


def _dark(gray: Gray) -> Mask:
    flat = flatten_light(gray, max(9, round(min(gray.shape[0], 160) * 0.5)))
    threshold, dark, light = otsu(flat)
    if light - dark < FAINT:
        return np.zeros(gray.shape, np.uint8)
    return (flat <= threshold + 0.25 * (light - threshold)).astype(np.uint8)


def _offset(ink: Mask, printed: Mask) -> tuple[int, int]:
    """How far to move what is printed so that it covers the most ink: columns and rows, px."""
    height, width = ink.shape
    if min(height, width) <= 4 * REACH:
        return 0, 0
    inner = printed[REACH : height - REACH, REACH : width - REACH].astype(np.float32)
    found = cv2.matchTemplate(ink.astype(np.float32), inner, cv2.TM_CCORR)
    row, column = np.unravel_index(int(found.argmax()), found.shape)
    # Equally good is good where it is.
    if found[REACH, REACH] >= 0.98 * found[row, column]:
        return 0, 0
    return int(column) - REACH, int(row) - REACH


def _thickness(mask: Mask) -> int:
    """Typical width in px of printed lines."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    inside = distance[distance > 0]
    return int(np.clip(round(4.0 * float(inside.mean())), 1, 9)) if inside.size else 1
