"""What stands between, before and after the digits: points, commas, dashes, slashes, lines.

All ink that is on no chosen candidate of the lattice is a mark; so is a blob at the base line beside a digit whose candidate
took it along. Marks are told apart by their size and their height over the base line, in units of the digits around them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import Box, Lattice

MarkKind = Literal["point", "comma", "dash", "slash", "line", "speck", "other"]

INKED = 70  # ink from which a pixel belongs to a mark
STEEPEST = 0.25  # of the base line
DUST = 0.15  # of the pen's width squared; less is the paper's
SMALLEST, THIN = 0.08, 0.075  # digit heights: what is smaller is dust, what is lower and wide is left of a ruled line
FULL = 0.8  # of the digits' height; a smaller one may be raised
ROW, MOST_POINTS = 0.06, 4  # more points than that within so many digit heights of a row are a dotted line
EDGE = 0.04  # digit heights inside of a digit's box where a mark stands beside it yet
FOOT = 0.75  # digit heights below the upper end of a digit: a point below it is lower
CLEAR = 0.10  # digit heights between a clear point and the ink of the digits


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of ink that is no digit; lengths in digit heights.

    `top` and `bottom` are 0 at the upper end of the digits, 1 at their base line, more below.
    """

    kind: MarkKind
    place: int  # digits before it
    sure: bool  # of its kind and its place
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Line:
    """The chosen digits of a field and the marks around them."""

    digits: NDArray[np.float64]  # (n, 4) float64: left, top, right, bottom, lengths as those of a mark
    marks: tuple[Mark, ...]  # left to right
    slope: float = 0.0  # of the base line, down for a digit height to the right


@dataclass(frozen=True, slots=True)
class _Blob:
    box: Box
    area: int
    within: int = -1  # the digit whose candidate took it along


def line_of(lattice: Lattice, path: Sequence[int], text: str) -> Line:
    """The digits of `text` on `path`, at least one candidate for each from left to right, and all marks."""
    owner = np.zeros(lattice.pieces + 1, np.uint16)
    for place, k in enumerate(path, 1):
        owner[[piece + 1 for piece in lattice.candidates[k].pieces]] = place
    owned = np.take(owner, lattice.labels)
    # The faint rim of the digits is no mark.
    near = cv2.dilate((owned > 0).view(np.uint8), np.ones((3, 3), np.uint8))
    boxes = np.zeros((len(path), 4))
    blobs = []
    for place, k in enumerate(path):
        candidate = lattice.candidates[k]
        # One piece is one component.
        body, beside = _body(owned, place + 1, candidate.box) if len(candidate.pieces) > 1 else (candidate.box, [])
        boxes[place] = body.left, body.top, body.right, body.bottom
        for box, area in beside:
            box.cut(owned)[box.cut(owned) == place + 1] = 0
            blobs.append(_Blob(box, area, within=place))
    inside = cv2.distanceTransform((owned > 0).view(np.uint8), cv2.DIST_L2, 3)
    pen = float(np.clip(4.0 * inside.sum() / max(1, np.count_nonzero(inside)), 2.0, 12.0))
    blobs += _loose((lattice.ink > INKED) & (near == 0))
    away = cv2.distanceTransform((owned == 0).view(np.uint8), cv2.DIST_L2, 3)
    heights = np.sort(boxes[:, 3] - boxes[:, 1])
    height = float(heights[2 * len(heights) // 3])  # raised digits are smaller
    slope, base = _base_line(boxes[boxes[:, 3] - boxes[:, 1] >= FULL * height])

    def measured(box: NDArray[np.float64]) -> NDArray[np.float64]:
        rise = slope * (box[..., 0] + box[..., 2]) / 2 + base
        out = box / height
        out[..., 1] = 1 + (box[..., 1] - rise) / height
        out[..., 3] = 1 + (box[..., 3] - rise) / height
        return np.asarray(out, np.float64)

    digits = measured(boxes)
    marks = []
    for blob in blobs:
        box = blob.box
        own = measured(np.array([box.left, box.top, box.right, box.bottom], np.float64))
        room = float(box.cut(away).min()) / height
        marks.append(_mark(blob, own, digits, room, pen / height, height))
    marks.sort(key=lambda mark: mark.left + mark.right)
    return Line(digits, tuple(_without_dotted_line(marks)), slope)


def _without_dotted_line(marks: list[Mark]) -> list[Mark]:
    """Points on one row that are too many for separators are what is left of a ruled line."""
    rows = [(mark.top + mark.bottom) / 2 for mark in marks]
    points = [row for mark, row in zip(marks, rows, strict=True) if mark.kind == "point"]
    return [
        replace(mark, kind="speck")
        if mark.kind == "point" and sum(abs(row - other) < ROW for other in points) > MOST_POINTS
        else mark
        for mark, row in zip(marks, rows, strict=True)
    ]


def _loose(mask: NDArray[np.bool_]) -> list[_Blob]:
    """The ink that is on no digit."""
    count, _, table, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    return [_Blob(Box(left, top, wide, high), area) for left, top, wide, high, area in table[1:count].tolist()]


def _body(owned: NDArray[np.uint16], name: int, box: Box) -> tuple[Box, list[tuple[Box, int]]]:
    """The box of a digit without the blobs that its candidate took along, and those with their areas."""
    count, _, table, _ = cv2.connectedComponentsWithStats((box.cut(owned) == name).view(np.uint8), connectivity=8)
    parts = [(Box(box.left + int(x), box.top + int(y), int(w), int(h)), int(area)) for x, y, w, h, area in table[1:count]]
    if len(parts) < 2:
        return box, []
    main = max(parts, key=lambda part: part[1])[0]
    inner = 0.25 * main.width
    body, beside = [main], []
    for part, area in parts:
        if part is main:
            continue
        low = part.top > main.top + 0.5 * main.height
        small = max(part.width, part.height) < 0.5 * main.height
        compact = part.width < 2.2 * part.height and part.height < 2.2 * part.width
        inside = main.left + inner < part.left + part.width / 2 < main.right - inner
        if small and ((low and not inside) or compact):
            beside.append((part, area))
        else:
            body.append(part)
    left, top = min(part.left for part in body), min(part.top for part in body)
    right, bottom = max(part.right for part in body), max(part.bottom for part in body)
    return Box(left, top, right - left, bottom - top), beside


def _base_line(boxes: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and height at column 0 of the line on which the digits stand: the median of all pairs (H. Theil, 1950)."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]
    pairs = combinations(zip(x.tolist(), y.tolist(), strict=True), 2)
    slopes = [(below - above) / (after - before) for (before, above), (after, below) in pairs if after - before > 1]
    slope = min(STEEPEST, max(-STEEPEST, median(slopes))) if len(slopes) > 2 else 0.0
    return slope, median((y - slope * x).tolist())


def _mark(blob: _Blob, own: NDArray[np.float64], digits: NDArray[np.float64], room: float, pen: float, height: float) -> Mark:
    left, top, right, bottom = (float(v) for v in own)
    kind, sure = _kind(own, blob.area / height**2, pen)
    middle = (left + right) / 2
    centers = (digits[:, 0] + digits[:, 2]) / 2
    place = int(np.searchsorted(centers, middle))
    if blob.within >= 0:
        place = blob.within + int(middle > centers[blob.within])
    within = (digits[:, 0] + EDGE < middle) & (middle < digits[:, 2] - EDGE)
    if kind == "point" and (top + bottom) / 2 < FOOT and within.any():
        kind = "speck"  # of a stroke, or in a loop: a point stands below a digit, or beside it
    # A hook that came off a digit is no point: that keeps clear of the digits.
    sure = sure and room >= (CLEAR if kind == "point" else 0.0)
    return Mark(kind, place, bool(sure), left, top, right, bottom)


def _kind(own: NDArray[np.float64], area: float, pen: float) -> tuple[MarkKind, bool]:
    """The kind of a mark by its box in digit heights, its area, and the pen's width; and whether it is clear."""
    left, top, right, bottom = (float(v) for v in own)
    wide, high = right - left, bottom - top
    middle = (top + bottom) / 2
    if area < DUST * pen**2 or max(wide, high) < SMALLEST or bottom < 0 or top > 1.35:
        return "speck", True
    if (high < THIN and wide > 1.6 * high) or (high < 0.6 * pen and wide > 2 * high):
        return "speck", True  # too thin for the pen: what is left of a ruled line
    if high >= 0.5 and top < 0.35:
        return ("slash", wide <= 0.75 * high) if high >= 0.7 and bottom < 1.6 else ("other", False)
    if wide >= 0.28 and high <= 0.45 * wide:
        if 0.2 < middle < 0.85:
            return "dash", high <= 0.4 * wide
        return ("line", True) if wide > 0.6 or middle <= 0.2 else ("point", False)
    if middle < 0.55 or bottom < 0.6:
        return ("other", False) if high >= 0.36 else ("point", False) if middle > -0.1 else ("speck", True)
    solid = area > 0.4 * wide * high and min(wide, high) >= 0.45 * pen
    if max(wide, high) <= 0.36:
        if bottom > 1.12 and high > 1.3 * wide:
            return "comma", solid
        return "point", solid and top < 1.0 and bottom > 0.75 and 0.4 < wide / high < 2.2
    if wide <= 0.55 and high > 0.8 * wide:
        return "comma", top > 0.35 and bottom > 1.0
    return "other", False
