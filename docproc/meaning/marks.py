"""The marks between, before and after the digits: points, commas, dashes, slashes, lines.

A mark is ink that is not on a chosen candidate of the lattice, or a blob at the baseline next to a digit whose candidate
included it. Marks are classified by their size and their height above the baseline, relative to the digits around them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components
from docproc.types import Box, Lattice

MarkKind = Literal["point", "comma", "dash", "slash", "line", "speck", "other"]


@dataclass(frozen=True, slots=True)
class MarkTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md.

    Heights on the line run from 0 at the top of the digits to 1 at their baseline.
    """

    # Ink and pen.
    min_ink: int = 70  # of 255, least ink of a pixel in a mark [guess]
    rim_px: int = 3  # side of the square by which digits are dilated: their faint edge is not a mark [guess]
    pen_per_distance: float = 4.0  # pen width over the mean distance of its pixels to the edge [geometry]
    min_pen_px: float = 2.0  # [guess]
    max_pen_px: float = 12.0  # [guess]

    # The baseline.
    max_slope: float = 0.25  # [guess]
    min_slope_pairs: int = 3  # of digits; fewer give no slope [guess]
    min_pair_distance_px: float = 1.0  # between two digits' middles [guess]
    full_height_share: float = 0.8  # of the digits' height: a smaller digit may be raised [guess]

    # Blobs next to a digit that its candidate included.
    inner_share: float = 0.25  # of the digit's width, on both sides of what counts as inside it [guess]
    low_share: float = 0.5  # of the digit's height, below which a blob is low [guess]
    max_blob_share: float = 0.5  # of the digit's height, a blob's longer side [guess]
    max_compact_ratio: float = 2.2  # of a compact blob's sides [guess]

    # Specks.
    min_area_pens: float = 0.15  # squared pen widths: less is dust [guess]
    min_side_digits: float = 0.08  # the longer side of a mark [guess]
    max_top: float = 1.35  # on the line; ink that begins lower is not a mark [guess]
    max_thin_digits: float = 0.075  # height of what is left of a ruled line [guess]
    min_thin_ratio: float = 1.6  # its width to its height [guess]
    max_thin_pens: float = 0.6  # its height if it is thinner than the pen [guess]
    min_thin_pen_ratio: float = 2.0  # its width to its height in that case [guess]

    # Slashes and other tall marks.
    min_tall_digits: float = 0.5  # height [guess]
    max_tall_top: float = 0.35  # on the line [guess]
    min_slash_digits: float = 0.7  # height [guess]
    max_slash_bottom: float = 1.6  # on the line [guess]
    max_slash_ratio: float = 0.75  # width to height of a clear slash [guess]

    # Dashes and lines.
    min_flat_digits: float = 0.28  # width [guess]
    max_flat_ratio: float = 0.45  # height to width [guess]
    min_dash_middle: float = 0.2  # on the line [guess]
    max_dash_middle: float = 0.85  # on the line [guess]
    max_dash_ratio: float = 0.4  # height to width of a clear dash [guess]
    min_line_digits: float = 0.6  # width [guess]

    # Marks floating above the baseline.
    max_floating_middle: float = 0.55  # on the line [guess]
    max_floating_bottom: float = 0.6  # on the line [guess]
    min_point_middle: float = -0.1  # on the line: points do not float higher [guess]

    # Points and commas.
    max_point_digits: float = 0.36  # the longer side [guess]
    min_comma_bottom: float = 1.12  # on the line, for a comma no larger than a point [guess]
    min_comma_ratio: float = 1.3  # its height to its width [guess]
    min_solid_share: float = 0.4  # of its box that a clear point or small comma fills [guess]
    min_solid_pens: float = 0.45  # its shorter side [guess]
    max_clear_point_top: float = 1.0  # on the line [geometry]
    min_clear_point_bottom: float = 0.75  # on the line [guess]
    min_clear_point_ratio: float = 0.4  # width to height [guess]
    max_clear_point_ratio: float = 2.2  # width to height [guess]
    max_comma_digits: float = 0.55  # width of a comma that is larger than a point [guess]
    min_long_comma_ratio: float = 0.8  # its height to its width [guess]
    min_clear_comma_top: float = 0.35  # on the line [guess]
    min_clear_comma_bottom: float = 1.0  # on the line [geometry]

    # Positions of marks.
    edge_digits: float = 0.04  # inside a digit's box, where a mark still counts as next to the digit [guess]
    min_point_below: float = 0.75  # on the line: the middle of a point below a digit is lower [guess]
    min_clear_gap_digits: float = 0.10  # between a clear point and the ink of the digits [guess]
    row_digits: float = 0.06  # distance of points in one row [guess]
    max_row_points: int = 4  # more of them are a dotted line [guess]


MARKS = MarkTuning()

_RIM = np.ones((MARKS.rim_px, MARKS.rim_px), np.uint8)


@dataclass(frozen=True, slots=True)
class Mark:
    """A piece of ink that is not a digit; lengths in digit heights.

    `top` and `bottom` are 0 at the top of the digits, 1 at their baseline, more below.
    """

    kind: MarkKind
    place: int  # digits before it
    sure: bool  # of its kind and its place
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class MarkedDigits:
    """The chosen digits of a field and the marks around them."""

    digits: NDArray[np.float64]  # (n, 4) float64: left, top, right, bottom in digit heights, as those of a mark
    marks: tuple[Mark, ...]  # left to right
    slope: float = 0.0  # of the baseline: digit heights down per digit height to the right


# The columns of an (n, 6) int64 table of possible marks, px: their boxes, their ink, and the index of the digit whose candidate
# included them, or -1.
_LEFT, _TOP, _RIGHT, _BOTTOM, _AREA, _DIGIT = range(6)
_Blobs = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Converts pixels to digit heights along the baseline."""

    height: float  # of a digit, px
    slope: float
    base: float  # px, of the baseline at column 0

    def __call__(self, box: NDArray[np.float64]) -> NDArray[np.float64]:
        """(..., 4) float64, left, top, right, bottom in px, to those of `Mark`."""
        rise = self.slope * (box[..., 0] + box[..., 2]) / 2 + self.base
        out = box / self.height
        out[..., 1] = 1 + (box[..., 1] - rise) / self.height
        out[..., 3] = 1 + (box[..., 3] - rise) / self.height
        return np.asarray(out, np.float64)


def marked_digits(lattice: Lattice, path: Sequence[int]) -> MarkedDigits:
    """The digits along `path`, which holds at least one candidate, and all marks around them."""
    owned = _owners(lattice, path)
    # The faint edge of the digits is not a mark.
    near = cv2.dilate((owned > 0).view(np.uint8), _RIM)
    boxes, beside = _bodies(lattice, path, owned)
    for left, top, right, bottom, _, digit in beside:
        part = owned[top:bottom, left:right]
        part[part == digit + 1] = 0
    inside = cv2.distanceTransform((owned > 0).view(np.uint8), cv2.DIST_L2, 3)
    count = max(1, np.count_nonzero(inside))
    pen = min(max(MARKS.min_pen_px, float(MARKS.pen_per_distance * inside.sum() / count)), MARKS.max_pen_px)
    loose = _loose((lattice.ink > MARKS.min_ink) & (near == 0))
    blobs = np.concatenate([np.array(beside, np.int64).reshape(-1, 6), loose]) if beside else loose
    tall = boxes[:, 3] - boxes[:, 1]
    heights = sorted(tall.tolist())
    height = heights[2 * len(heights) // 3]  # raised digits are smaller
    scale = _Scale(height, *_base_line(boxes[tall >= MARKS.full_height_share * height]))
    digits = scale(boxes)
    marks = _marks(blobs, scale(blobs[:, :_AREA].astype(np.float64)), digits, pen / height, height, owned)
    return MarkedDigits(digits, tuple(_without_dotted_line(marks)), scale.slope)


def _marks(
    blobs: _Blobs, own: NDArray[np.float64], digits: NDArray[np.float64], pen: float, height: float, owned: NDArray[np.uint16]
) -> list[Mark]:
    """The blobs as marks, from left to right.

    `own` (n, 4) are their boxes and `pen` is a width, in digit heights; `height` is that of a digit, px. `owned` is the ink of
    the digits.
    """
    twice = own[:, 0] + own[:, 2]
    middles, centers = twice / 2, (digits[:, 0] + digits[:, 2]) / 2
    within = blobs[:, _DIGIT]
    places = np.where(within >= 0, within + (middles > centers[within]), centers.searchsorted(middles))
    specks = _are_specks(own, blobs[:, _AREA] / height**2, pen)
    away: NDArray[np.float32] | None = None  # distance from the ink of the digits, px
    marks = []
    for k in twice.argsort(kind="stable").tolist():
        place = int(places[k])
        left, top, right, bottom = own[k].tolist()
        if specks[k]:
            marks.append(Mark("speck", place, True, left, top, right, bottom))
            continue
        area = float(blobs[k, _AREA]) / height**2
        kind, sure = _classify(_Shape(top, bottom, right - left, bottom - top, (top + bottom) / 2, area, pen))
        if kind == "point" and (top + bottom) / 2 < MARKS.min_point_below and _within_a_digit(float(middles[k]), digits):
            kind = "speck"  # of a stroke, or in a loop: a point is below a digit, or next to it
        if kind == "point" and sure:
            # A hook that came off a digit is not a point: a point does not touch the digits.
            if away is None:
                away = np.asarray(cv2.distanceTransform((owned == 0).view(np.uint8), cv2.DIST_L2, 3), np.float32)
            start, head, end, foot = blobs[k, :_AREA].tolist()
            sure = float(away[head:foot, start:end].min()) / height >= MARKS.min_clear_gap_digits
        marks.append(Mark(kind, place, sure, left, top, right, bottom))
    return marks


def _owners(lattice: Lattice, path: Sequence[int]) -> NDArray[np.uint16]:
    """(height, width) uint16: k + 1 at the ink of the path's k-th candidate, else 0."""
    owner = np.zeros(lattice.pieces + 1, np.uint16)
    for place, k in enumerate(path, 1):
        owner[[piece + 1 for piece in lattice.candidates[k].pieces]] = place
    return np.take(owner, lattice.labels)


def _bodies(
    lattice: Lattice, path: Sequence[int], owned: NDArray[np.uint16]
) -> tuple[NDArray[np.float64], list[tuple[int, ...]]]:
    """The digits' boxes without the blobs next to them, (n, 4) float64 px: left, top, right, bottom; and those blobs."""
    boxes = []
    blobs: list[tuple[int, ...]] = []
    for place, k in enumerate(path):
        candidate = lattice.candidates[k]
        # One piece is one component.
        body, beside = _body(owned, place + 1, candidate.box) if len(candidate.pieces) > 1 else (candidate.box, [])
        boxes.append((body.left, body.top, body.left + body.width, body.top + body.height))
        blobs += [(box.left, box.top, box.right, box.bottom, area, place) for box, area in beside]
    return np.array(boxes, np.float64), blobs


def _body(owned: NDArray[np.uint16], name: int, box: Box) -> tuple[Box, list[tuple[Box, int]]]:
    """The box of a digit without the blobs that its candidate included, and those with their areas, px."""
    _, table = components((box.cut(owned) == name).view(np.uint8))
    if len(table) < 2:
        return box, []
    parts = [Box(box.left + x, box.top + y, w, h) for x, y, w, h, _ in table.tolist()]
    areas = table[:, 4].tolist()
    main = parts[areas.index(max(areas))]
    aside = [part is not main and _stands_beside(part, main) for part in parts]
    beside = [(part, area) for part, area, off in zip(parts, areas, aside, strict=True) if off]
    body = [part for part, off in zip(parts, aside, strict=True) if not off]
    left, top = min([part.left for part in body]), min([part.top for part in body])
    right, bottom = max([part.left + part.width for part in body]), max([part.top + part.height for part in body])
    return Box(left, top, right - left, bottom - top), beside


def _stands_beside(part: Box, main: Box) -> bool:
    """Whether a small component of a candidate is a mark next to the digit and not a part of it."""
    inner = MARKS.inner_share * main.width
    low = part.top > main.top + MARKS.low_share * main.height
    small = max(part.width, part.height) < MARKS.max_blob_share * main.height
    compact = part.width < MARKS.max_compact_ratio * part.height and part.height < MARKS.max_compact_ratio * part.width
    inside = main.left + inner < part.left + part.width / 2 < main.right - inner
    return small and ((low and not inside) or compact)


def _loose(mask: NDArray[np.bool_]) -> _Blobs:
    """The ink that is not on a digit."""
    _, table = components(mask.view(np.uint8))
    blobs = np.full((len(table), 6), -1, np.int64)
    blobs[:, :_DIGIT] = table
    blobs[:, _RIGHT] += blobs[:, _LEFT]
    blobs[:, _BOTTOM] += blobs[:, _TOP]
    return blobs


def _base_line(boxes: NDArray[np.float64]) -> tuple[float, float]:
    """Slope, and row at column 0 in px, of the digits' baseline: the median over all pairs (H. Theil, 1950)."""
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 3]
    pairs = combinations(zip(x.tolist(), y.tolist(), strict=True), 2)
    slopes = [
        (below - above) / (after - before)
        for (before, above), (after, below) in pairs
        if after - before > MARKS.min_pair_distance_px
    ]
    enough = len(slopes) >= MARKS.min_slope_pairs
    slope = min(MARKS.max_slope, max(-MARKS.max_slope, median(slopes))) if enough else 0.0
    return slope, median((y - slope * x).tolist())


def _within_a_digit(middle: float, digits: NDArray[np.float64]) -> bool:
    within = (digits[:, 0] + MARKS.edge_digits < middle) & (middle < digits[:, 2] - MARKS.edge_digits)
    return bool(within.any())


def _without_dotted_line(marks: list[Mark]) -> list[Mark]:
    """The marks, with too many points in one row, as from the rest of a ruled line, turned into specks."""
    rows = [(mark.top + mark.bottom) / 2 for mark in marks]
    points = [row for mark, row in zip(marks, rows, strict=True) if mark.kind == "point"]
    return [
        replace(mark, kind="speck")
        if mark.kind == "point" and sum(abs(row - other) < MARKS.row_digits for other in points) > MARKS.max_row_points
        else mark
        for mark, row in zip(marks, rows, strict=True)
    ]


# ---------------------------------------------------------------------------------------------------- kinds of marks


@dataclass(frozen=True, slots=True)
class _Shape:
    """The measurements that determine the kind of a mark, in digit heights."""

    top: float
    bottom: float
    width: float
    height: float
    middle: float  # between top and bottom
    area: float
    pen: float  # width of the strokes


def _classify(shape: _Shape) -> tuple[MarkKind, bool]:
    """The kind of a mark that is not a speck, and whether it is clear: by the first test of `_KINDS` that it passes."""
    return next((kind, clear(shape)) for test, kind, clear in _KINDS if test(shape))


def _are_specks(boxes: NDArray[np.float64], areas: NDArray[np.float64], pen: float) -> NDArray[np.bool_]:
    """Which marks, of boxes (n, 4) and areas (n,), are dust, or too thin for the pen, such as the rest of a ruled line."""
    left, top, right, bottom = boxes.T
    width, height = right - left, bottom - top
    dust = (areas < MARKS.min_area_pens * pen**2) | (np.maximum(width, height) < MARKS.min_side_digits)
    dust |= (bottom < 0) | (top > MARKS.max_top)
    low = (height < MARKS.max_thin_digits) & (width > MARKS.min_thin_ratio * height)
    fine = (height < MARKS.max_thin_pens * pen) & (width > MARKS.min_thin_pen_ratio * height)
    return np.asarray(dust | low | fine, np.bool_)


def _is_tall(mark: _Shape) -> bool:
    return mark.height >= MARKS.min_tall_digits and mark.top < MARKS.max_tall_top


def _is_slash(mark: _Shape) -> bool:
    return _is_tall(mark) and mark.height >= MARKS.min_slash_digits and mark.bottom < MARKS.max_slash_bottom


def _is_clear_slash(mark: _Shape) -> bool:
    return mark.width <= MARKS.max_slash_ratio * mark.height


def _is_flat(mark: _Shape) -> bool:
    return mark.width >= MARKS.min_flat_digits and mark.height <= MARKS.max_flat_ratio * mark.width


def _is_dash(mark: _Shape) -> bool:
    return _is_flat(mark) and MARKS.min_dash_middle < mark.middle < MARKS.max_dash_middle


def _is_clear_dash(mark: _Shape) -> bool:
    return mark.height <= MARKS.max_dash_ratio * mark.width


def _is_line(mark: _Shape) -> bool:
    return _is_flat(mark) and (mark.width > MARKS.min_line_digits or mark.middle <= MARKS.min_dash_middle)


def _floats(mark: _Shape) -> bool:
    return mark.middle < MARKS.max_floating_middle or mark.bottom < MARKS.max_floating_bottom


def _floats_and_is_large(mark: _Shape) -> bool:
    return _floats(mark) and mark.height >= MARKS.max_point_digits


def _floats_among_digits(mark: _Shape) -> bool:
    return _floats(mark) and mark.middle > MARKS.min_point_middle


def _is_solid(mark: _Shape) -> bool:
    full = mark.area > MARKS.min_solid_share * mark.width * mark.height
    return full and min(mark.width, mark.height) >= MARKS.min_solid_pens * mark.pen


def _is_small(mark: _Shape) -> bool:
    return max(mark.width, mark.height) <= MARKS.max_point_digits


def _is_small_comma(mark: _Shape) -> bool:
    low = mark.bottom > MARKS.min_comma_bottom
    return _is_small(mark) and low and mark.height > MARKS.min_comma_ratio * mark.width


def _is_clear_point(mark: _Shape) -> bool:
    at_base = mark.top < MARKS.max_clear_point_top and mark.bottom > MARKS.min_clear_point_bottom
    round_ = MARKS.min_clear_point_ratio < mark.width / mark.height < MARKS.max_clear_point_ratio
    return _is_solid(mark) and at_base and round_


def _is_long_comma(mark: _Shape) -> bool:
    return mark.width <= MARKS.max_comma_digits and mark.height > MARKS.min_long_comma_ratio * mark.width


def _is_clear_long_comma(mark: _Shape) -> bool:
    return mark.top > MARKS.min_clear_comma_top and mark.bottom > MARKS.min_clear_comma_bottom


def _always(_: _Shape) -> bool:
    return True


def _never(_: _Shape) -> bool:
    return False


_Test = Callable[[_Shape], bool]
# (test, the kind of a mark that passes, whether that is clear), in the order of the tests.
_KINDS: tuple[tuple[_Test, MarkKind, _Test], ...] = (
    (_is_slash, "slash", _is_clear_slash),
    (_is_tall, "other", _never),
    (_is_dash, "dash", _is_clear_dash),
    (_is_line, "line", _always),
    (_is_flat, "point", _never),
    (_floats_and_is_large, "other", _never),
    (_floats_among_digits, "point", _never),
    (_floats, "speck", _always),
    (_is_small_comma, "comma", _is_solid),
    (_is_small, "point", _is_clear_point),
    (_is_long_comma, "comma", _is_clear_long_comma),
    (_always, "other", _never),
)
