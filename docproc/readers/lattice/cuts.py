"""Ink to lattice: cut the ink of a field into pieces and find every plausible way to join them into digits.

`segment` never decides what is a digit. It splits the ink into pieces: connected components, cut further along cheap
seams where digits may touch. Unions of neighboring pieces are the candidates. The recognizer scores them and
`search.decode` chooses.

The over-segmentation follows Y. LeCun et al. (1998), section VII; the seams are the "drop fall" cuts of G. Congedo et
al., ICDAR 1995, found by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from math import ceil, floor
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import digit_height
from docproc.types import DIGIT_HEIGHT, INK_MARGIN, Box, Candidate, FieldInk, Ink, Lattice


@dataclass(frozen=True, slots=True)
class CutTuning:
    """The tuned numbers of this stage, lengths in digit heights; each with its kind, see docs/house.md."""

    max_pieces: int = 64  # of a field [guess]
    max_joined_pieces: int = 5  # in one candidate [guess]
    max_width_digits: float = 1.75  # of a candidate [guess]
    max_component_width_digits: float = 2.3  # of a candidate that is one whole component [guess]
    max_gap_digits: float = 0.28  # between neighboring pieces of one candidate [guess]
    min_height_digits: float = 0.30  # a shorter candidate is a dot or a dash [guess]
    speck_area_share: float = 0.006  # of the digit height squared; less ink is dust [guess]
    max_gap_seen_digits: float = 1.5  # to the next ink; larger gaps count as this [guess]
    tall_digits: float = 0.6  # pieces at least this tall determine the middle of the string [guess]

    # Cuts through touching digits.
    min_cut_width_digits: float = 0.42  # of a component that is cut [guess]
    min_cut_height_digits: float = 0.35  # the same [guess]
    max_cost_strokes: float = 2.6  # ink that a cut may cross, in stroke widths [guess]
    max_cost_narrow_strokes: float = 1.35  # the same in a component no wider than a digit [guess]
    narrow_digits: float = 0.75  # i.e. narrower than this [guess]
    cost_room_px: float = 1.0  # added to both [guess]
    paper_cost: float = 0.002  # of a px of paper, in px of ink: favors the shortest path [guess]
    hole_cost: float = 0.25  # of a px of a hole, in px of ink: loops rarely belong to two digits [guess]
    aside_cost: float = 0.12  # of a sideways step, in px of ink [guess]
    tie_cost: float = 0.05  # a cut that costs at most this much more than the cheapest near it is a valley too [guess]
    valley_digits: float = 0.10  # to both sides, within which a valley is the minimum [guess]
    min_spacing_digits: float = 0.20  # between two cuts [guess]
    min_ink_per_cut_digits: float = 0.30  # width of ink [guess]
    end_room_digits: float = 0.13  # no cut nearer than this to the end of a component [guess]
    waist_share: float = 0.72  # of a component's height; a lower column between higher ones is a waist [guess]
    waist_spacing_share: float = 0.6  # of the spacing of cuts, from a waist to the next cut [guess]
    wall_overlap_digits: float = 0.22  # by which ink must extend into a comb's next cell to be cut [guess]

    stroke_distance: float = 4.0  # stroke width over the mean distance of its ink to paper [geometry]
    min_stroke_px: float = 2.0  # [guess]
    max_stroke_px: float = 12.0  # [guess]


CUT = CutTuning()


GEOMETRY = (
    "height",
    "width",
    "top",
    "bottom",
    "area",
    "gap_left",
    "gap_right",
    "cut_left",
    "cut_right",
    "pieces",
    "components",
    "at_top",
    "at_bottom",
    "is_first",
    "is_last",
    "inner_gap",
    "slant",
    "height_before",
    "height_after",
    "in_comb",
    "in_amount",
)
"""The columns of `Lattice.geometry`: lengths in digit heights, `top` and `bottom` from the middle of the string,
`cut_*` the ink crossed by the seam in stroke widths (0 at a natural end of the ink), `slant` the tangent of the slant
of its ink, `height_before` and `height_after` of the neighboring pieces (0 if there is none), flags 0 or 1."""


# The columns of the (pieces, 8) float64 table of pieces, px: its box, the component that it is a part of, its ink, and the
# ink crossed by the seams that bound it (0 at a natural end of the ink).
LEFT, TOP, RIGHT, BOTTOM, COMPONENT, AREA, CUT_LEFT, CUT_RIGHT = range(8)
_Pieces = NDArray[np.float64]

_Span = tuple[int, int, tuple[int, ...]]  # (first, last, pieces) of a candidate

EMPTY = Lattice(  # [geometry]
    ink=np.zeros((1, 1), np.uint8),
    labels=np.zeros((1, 1), np.int32),
    pieces=0,
    candidates=(),
    geometry=np.zeros((0, len(GEOMETRY)), np.float32),
    to_ink=np.array([[1.0, 0, 0], [0, 1.0, 0]]),
)


def segment(field: FieldInk, amount: bool = False) -> Lattice:
    """The lattice of a field.

    In a free field any neighbors may be one digit. In an `amount` there are marks next to the digits (the bar in `500/-` is
    not a 1); elsewhere they are rare. In a comb a piece of ink belongs to the cell that holds most of it, ink that spans
    two cells is cut between them, and a path takes at most one candidate from a cell. A field without ink gives a
    lattice without candidates.
    """
    labels, pieces, height, stroke = _pieces(field)
    if not len(pieces):
        return EMPTY
    spans = _cell_spans(pieces, field.walls, height) if field.cells else _free_spans(pieces, height)
    if not spans:
        return EMPTY
    members = _members(spans, len(pieces))
    boxes = _boxes(pieces, members)
    candidates = [
        Candidate(first, last, used, Box(left, top, right - left, bottom - top))
        for (first, last, used), (left, top, right, bottom) in zip(spans, boxes.astype(int).tolist(), strict=True)
    ]
    geometry = _geometry(spans, members, boxes, pieces, labels, height, stroke)
    geometry[:, GEOMETRY.index("in_comb")] = field.cells > 0
    geometry[:, GEOMETRY.index("in_amount")] = amount
    return Lattice(field.ink, labels, len(pieces), tuple(candidates), geometry, field.to_ink, (field.labels, field.parts))


def candidate_ink(lattice: Lattice, index: int) -> Ink:
    """The ink of one candidate alone, (height, width) uint8, without its neighbors."""
    candidate = lattice.candidates[index]
    box, pieces = candidate.box, candidate.pieces
    rows, columns = slice(box.top, box.top + box.height), slice(box.left, box.left + box.width)
    labels, low, high = lattice.labels[rows, columns], pieces[0] + 1, pieces[-1] + 1
    own = (labels >= low) & (labels <= high) if high > low else labels == low
    if high - low >= len(pieces):
        own = np.isin(labels, [piece + 1 for piece in pieces])
    ink: Ink = lattice.ink[rows, columns] * own
    return ink


def candidate_box(lattice: Lattice, index: int) -> Box:
    """Where the candidate is in the field's crop (the upright rectangle around its sheared box)."""
    return box_on_crop(lattice, lattice.candidates[index].box)


def box_on_crop(lattice: Lattice, box: Box) -> Box:
    """Where a box of the lattice's ink is in the field's crop."""
    back = cv2.invertAffineTransform(lattice.to_ink)
    start, end, head, foot = box.left, box.left + box.width, box.top, box.top + box.height
    corners = np.array([(start, head, 1.0), (start, foot, 1.0), (end, head, 1.0), (end, foot, 1.0)])
    x, y = (back @ corners.T).tolist()
    top = floor(min(y))
    # The shear moves top and bottom apart; the digit itself is in the middle of the slanted box.
    slant = abs(float(back[0, 1])) * box.height
    left, right = floor(min(x) + slant / 2), ceil(max(x) - slant / 2)
    return Box(left, top, max(1, right - left), max(1, ceil(max(y)) - top))


# ------------------------------------------------------------------------------------------------------- pieces


def _pieces(field: FieldInk) -> tuple[NDArray[np.int32], _Pieces, float, float]:
    """Split the ink; returns the label of every pixel, the pieces from left to right, digit height, stroke width."""
    ink, labels, table = field.ink, field.labels, field.parts
    (keep,) = (table[:, 4] >= CUT.speck_area_share * DIGIT_HEIGHT**2).nonzero()
    if not len(keep):
        return labels, np.zeros((0, 8)), float(DIGIT_HEIGHT), 1.0
    if len(keep) > CUT.max_pieces:
        keep = np.sort(keep[np.argsort(-table[keep, 4], kind="stable")[: CUT.max_pieces]])
    height = digit_height(table[keep], DIGIT_HEIGHT) or float(DIGIT_HEIGHT)
    stroke = _stroke_width((labels > 0).astype(np.uint8))

    boxes = {k: Box(*place) for k, place in zip(keep.tolist(), table[keep, :4].tolist(), strict=True)}
    own = {k: box.cut(labels) == k + 1 for k, box in boxes.items()}
    if field.cells:
        seams = {k: _wall_seams(own[k], boxes[k].left, field.walls, height) for k in boxes}
    else:
        wide = [
            k
            for k, box in boxes.items()
            if box.width > CUT.min_cut_width_digits * height and box.height > CUT.min_cut_height_digits * height
        ]
        cut = _seams([own[k] for k in wide], [boxes[k].cut(ink) for k in wide], height, stroke)
        seams = dict(zip(wide, cut, strict=True))

    split = np.zeros(labels.shape, np.int32)
    found: list[tuple[float, ...]] = []
    for component, box in boxes.items():
        target = box.cut(split)
        paths = seams.get(component, [])
        if not paths:
            found.append((box.left, box.top, box.right, box.bottom, component, int(table[component, 4]), 0.0, 0.0))
            target[own[component]] = len(found)
            continue
        side = np.zeros(own[component].shape, np.int32)
        columns = np.arange(box.width)
        for path, _ in paths:
            side += columns[None, :] >= path[:, None]
        costs = [0.0, *(cost for _, cost in paths), 0.0]
        for k in range(len(paths) + 1):
            part = own[component] & (side == k)
            area = int(np.count_nonzero(part))
            if area == 0:
                continue
            x, y, w, h = cv2.boundingRect(part.view(np.uint8))
            left, top = box.left + x, box.top + y
            found.append((left, top, left + w, top + h, component, area, costs[k], costs[k + 1]))
            target[part] = len(found)

    pieces = np.array(found, np.float64)
    order = np.lexsort((pieces[:, TOP], pieces[:, LEFT] + pieces[:, RIGHT]))[: CUT.max_pieces]
    rank = np.zeros(len(found) + 1, np.int32)
    rank[order + 1] = np.arange(1, len(order) + 1)
    return rank[split], pieces[order], height, stroke


def _stroke_width(mask: NDArray[np.uint8]) -> float:
    """Typical width of a pen stroke in px: twice the mean distance to paper along the strokes' middle."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    inside = distance[distance > 0]
    # The mean distance over a stroke of width w is about w/4.
    if not inside.size:
        return CUT.min_stroke_px
    return min(max(CUT.min_stroke_px, float(CUT.stroke_distance * inside.mean())), CUT.max_stroke_px)


_Seam = tuple[NDArray[np.int64], float]


def _seams(owns: Sequence[NDArray[np.bool_]], inks: Sequence[Ink], height: float, stroke: float) -> list[list[_Seam]]:
    """Cuts through components from top to bottom, left to right: (column of every row, ink crossed in px) for each.

    A seam passes the middle row at a given column and costs the ink that it crosses plus a little for every sideways
    step. Seams at local minima of that cost are returned.
    """
    costs = []
    for own, ink in zip(owns, inks, strict=True):
        cost = np.where(own, ink.astype(np.float32) / 255.0, np.float32(CUT.paper_cost))
        # A cut through a hole would open a loop, and loops rarely belong to two digits.
        outside = cv2.copyMakeBorder(own.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
        cv2.floodFill(outside, None, (0, 0), 2, flags=4)
        cost[outside[1:-1, 1:-1] == 0] = CUT.hole_cost
        costs.append(cost)
    halves = [half for cost in costs for half in (cost[: len(cost) // 2 + 1], cost[len(cost) // 2 :][::-1])]
    dropped = _drop(halves)
    return [
        _choose(own, cost, above, below, height, stroke)
        for own, cost, above, below in zip(owns, costs, dropped[::2], dropped[1::2], strict=True)
    ]


def _choose(
    own: NDArray[np.bool_], cost: NDArray[np.float32], above: _Drop, below: _Drop, height: float, stroke: float
) -> list[_Seam]:
    rows, width = own.shape
    through = above[0] + below[0] - cost[rows // 2]
    room = max(2, round(CUT.end_room_digits * height))
    if width <= 2 * room:
        return []
    narrow = width < CUT.narrow_digits * height
    most_strokes = CUT.max_cost_narrow_strokes if narrow else CUT.max_cost_strokes
    most = most_strokes * stroke + CUT.cost_room_px
    spacing = max(2, round(CUT.min_spacing_digits * height))
    inner = through[room : width - room]
    # Only at valleys: next to a deep one, its slope would win over a true valley further on.
    beside = np.ones((1, 2 * max(1, round(CUT.valley_digits * height)) + 1), np.uint8)
    lowest = cv2.erode(through[None, :], beside)[0, room : width - room]
    order = inner.argsort(kind="stable")
    order = order[(inner[order] <= lowest[order] + CUT.tie_cost) & (inner[order] <= most)]
    limit = ceil(width / (CUT.min_ink_per_cut_digits * height))
    free = np.ones(width + spacing, bool)  # where no cut is near
    chosen: list[int] = []
    for column in (order + room).tolist():
        if free[column]:
            chosen.append(column)
            if len(chosen) == limit:
                break
            free[max(0, column - spacing + 1) : column + spacing] = False

    seams = []
    for column in chosen:
        path = np.concatenate([_walk(above[1], column)[::-1], _walk(below[1], column)[1:]])
        seams.append((path, float(through[column])))
    waists = _waists(own, room, beside)
    if chosen and waists:
        apart = np.abs(np.array(waists)[:, None] - np.array(chosen)).min(axis=1) >= CUT.waist_spacing_share * spacing
        waists = [column for column, far in zip(waists, apart.tolist(), strict=True) if far]
    seams += [(np.full(rows, column, np.int64), float(np.count_nonzero(own[:, column]))) for column in waists]
    return sorted(seams, key=lambda seam: int(np.add.reduce(seam[0])))


def _waists(own: NDArray[np.bool_], room: int, beside: NDArray[np.uint8]) -> list[int]:
    """Columns where a component is shorter than on both sides: round digits touch there, side to side.

    `beside` is the (1, width) block of columns among which it is the minimum; none is closer than `room` to an end.
    """
    rows = own.shape[0]
    extent = (rows - own[::-1].argmax(axis=0) - own.argmax(axis=0)).astype(np.float32)
    lowest = cv2.erode(extent[None, :], beside)[0]
    flat = np.zeros(len(extent) + 2, bool)  # with one more column at both ends
    flat[1:-1] = (extent <= lowest) & (extent <= CUT.waist_share * rows)
    flat[: room + 1] = flat[len(extent) + 1 - room :] = False
    edges = (flat[1:] != flat[:-1]).nonzero()[0].tolist()
    return [(start + end - 1) // 2 for start, end in zip(edges[::2], edges[1::2], strict=True)]


_Drop = tuple[NDArray[np.float32], NDArray[np.int8]]


def _drop(costs: Sequence[NDArray[np.float32]]) -> list[_Drop]:
    """Cheapest path from the first row to each column of the last, and the step that led to each pixel; for many at once.

    They are stacked with their last rows aligned, so that a single pass over the rows handles all.
    """
    if not costs:
        return []
    sizes = [cost.shape for cost in costs]
    rows, width = (max(sides) for sides in zip(*sizes, strict=True))
    aside, wall = np.float32(CUT.aside_cost), np.float32(1e6)
    stack = np.full((rows, len(costs), width), wall, np.float32)
    for k, (cost, (high, wide)) in enumerate(zip(costs, sizes, strict=True)):
        stack[rows - high :, k, :wide] = cost
        stack[: rows - high, k, :wide] = 0
    turns = np.zeros((rows, len(costs), width), np.int8)
    total = np.full((len(costs), width + 2), wall, np.float32)
    total[:, 1:-1] = stack[0]
    for row in range(1, rows):
        left, here, right = total[:, :-2], total[:, 1:-1], total[:, 2:]
        best = np.minimum(left, right) + aside
        turns[row] = (here > best) * np.where(left <= right, np.int8(-1), np.int8(1))
        total[:, 1:-1] = np.minimum(here, best) + stack[row]
    return [(total[k, 1 : wide + 1].copy(), turns[rows - high :, k, :wide]) for k, (high, wide) in enumerate(sizes)]


def _walk(turns: NDArray[np.int8], column: int) -> NDArray[np.int64]:
    """The columns of the seam that ends at `column` of the last row, from the last row to the first."""
    path = np.empty(len(turns), np.int64)
    for k, row in enumerate(range(len(turns) - 1, -1, -1)):
        path[k] = column
        column += int(turns[row, column])
    return path


def _wall_seams(
    own: NDArray[np.bool_], left: int, walls: Sequence[float], height: float
) -> list[tuple[NDArray[np.int64], float]]:
    """Straight cuts between cells, for ink that extends well into both."""
    seams = []
    columns = own.sum(axis=0)
    for wall in walls:
        at = round(wall) - left
        if 0 < at < own.shape[1] and min(at, own.shape[1] - at) > CUT.wall_overlap_digits * height:
            seams.append((np.full(own.shape[0], at, np.int64), float(columns[at])))
    return seams


# --------------------------------------------------------------------------------------------------- candidates


def _free_spans(pieces: _Pieces, height: float) -> list[_Span]:
    """Unions of up to `max_joined_pieces` neighbors that have a plausible size for one digit."""
    left, top, right, bottom = (pieces[:, k].copy() for k in (LEFT, TOP, RIGHT, BOTTOM))
    fits: NDArray[np.bool_] = np.ones(len(pieces), bool)
    whole: NDArray[np.bool_] = np.ones(len(pieces), bool)
    spans: list[_Span] = []
    for size in range(1, min(CUT.max_joined_pieces, len(pieces)) + 1):
        if size > 1:
            added = pieces[size - 1 :]
            left, top, right, bottom = left[:-1], top[:-1], right[:-1], bottom[:-1]
            fits = fits[:-1] & (added[:, LEFT] - right <= CUT.max_gap_digits * height)
            whole = whole[:-1] & (added[:, COMPONENT] == pieces[: len(added), COMPONENT])
            left, top = np.minimum(left, added[:, LEFT]), np.minimum(top, added[:, TOP])
            right, bottom = np.maximum(right, added[:, RIGHT]), np.maximum(bottom, added[:, BOTTOM])
        fits = fits & (right - left <= np.where(whole, CUT.max_component_width_digits, CUT.max_width_digits) * height)
        (starts,) = (fits & (bottom - top >= CUT.min_height_digits * height)).nonzero()
        spans += [(first, first + size, tuple(range(first, first + size))) for first in starts.tolist()]
    return sorted(spans)


def _cell_spans(pieces: _Pieces, walls: Sequence[float], height: float) -> list[_Span]:
    """All the ink of a cell together, and each larger piece of it alone."""
    cell = np.searchsorted(np.array(walls), (pieces[:, LEFT] + pieces[:, RIGHT]) / 2)
    spans: list[_Span] = []
    for number in np.unique(cell):
        members = np.flatnonzero(cell == number).tolist()
        choices = {tuple(members)}
        if len(members) > 1:
            largest = sorted(members, key=lambda k: -pieces[k, AREA])
            choices.update((k,) for k in largest[:2])
            if len(members) > 2:
                choices.add(tuple(sorted(largest[:2])))
        for used in sorted(choices):
            own = pieces[list(used)]
            if own[:, BOTTOM].max() - own[:, TOP].min() >= CUT.min_height_digits * height:
                spans.append((members[0], members[-1] + 1, used))
    return spans


def _members(spans: Sequence[_Span], pieces: int) -> NDArray[np.int64]:
    """The pieces of every candidate, (candidates, most) int64, padded with `pieces`."""
    return np.array(list(zip_longest(*[used for *_, used in spans], fillvalue=pieces)), np.int64, order="F").T


def _boxes(pieces: _Pieces, members: NDArray[np.int64]) -> NDArray[np.float64]:
    """Left, top, right, bottom of every candidate, (candidates, 4)."""
    bounds = np.full((len(pieces) + 1, 4), (np.inf, np.inf, -np.inf, -np.inf))
    bounds[:-1] = pieces[:, (LEFT, TOP, RIGHT, BOTTOM)]
    own = bounds[members]
    return np.concatenate([own[:, :, :2].min(axis=1), own[:, :, 2:].max(axis=1)], axis=1)


def _geometry(
    spans: Sequence[_Span], members: NDArray[np.int64], boxes: NDArray[np.float64], pieces: _Pieces,
    labels: NDArray[np.int32], height: float, stroke: float,
) -> NDArray[np.float32]:  # fmt: skip
    tall = pieces[pieces[:, BOTTOM] - pieces[:, TOP] >= CUT.tall_digits * height]
    tall = tall if len(tall) else pieces
    middle = median(((tall[:, TOP] + tall[:, BOTTOM]) / 2).tolist())
    first, last = (np.array([span[end] for span in spans]) for end in (0, 1))
    left, top, right, bottom = boxes.T
    held = members < len(pieces)
    rows = np.zeros((len(pieces) + 1, pieces.shape[1]))
    rows[:-1] = pieces
    own = rows[members]  # (candidates, most, columns)
    count = held.sum(axis=1)
    # The extent of the nearest ink on either side; at the ends of the field there is none.
    before, after = np.full(len(rows), -np.inf), np.full(len(rows), np.inf)
    np.maximum.accumulate(pieces[:, RIGHT], out=before[1:])
    np.minimum.accumulate(pieces[::-1, LEFT], out=after[-2::-1])
    far = CUT.max_gap_seen_digits
    tallness = (rows[:, BOTTOM] - rows[:, TOP]) / height
    inner, reached = np.zeros(len(spans)), own[:, 0, RIGHT].copy()
    for k in range(1, members.shape[1]):
        np.maximum(inner, own[:, k, LEFT] - reached, out=inner, where=held[:, k])
        np.maximum(reached, own[:, k, RIGHT], out=reached, where=held[:, k])
    order = np.arange(members.shape[1])
    seen = (own[:, :, None, COMPONENT] == own[:, None, :, COMPONENT]) & (order[:, None] > order)
    columns = {
        "height": (bottom - top) / height,
        "width": (right - left) / height,
        "top": (top - middle) / height,
        "bottom": (bottom - middle) / height,
        "area": own[:, :, AREA].sum(axis=1) / height**2,
        "gap_left": np.minimum(np.maximum((left - before[first]) / height, -1), far),
        "gap_right": np.minimum(np.maximum((after[last] - right) / height, -1), far),
        "cut_left": own[:, 0, CUT_LEFT] / stroke,
        "cut_right": own[np.arange(len(own)), count - 1, CUT_RIGHT] / stroke,
        "pieces": count,
        "components": (held & ~seen.any(axis=2)).sum(axis=1),
        "at_top": top <= INK_MARGIN + 1,
        "at_bottom": bottom >= labels.shape[0] - INK_MARGIN - 1,
        "is_first": first == 0,
        "is_last": last == len(pieces),
        "inner_gap": inner / height,
        "slant": _slants(labels, members, len(pieces)),
        "height_before": tallness[first - 1],  # for the first piece this is the last entry, 0
        "height_after": tallness[last],
    }
    table = np.zeros((len(spans), len(GEOMETRY)), np.float32)
    for k, name in enumerate(GEOMETRY):
        if name in columns:
            table[:, k] = columns[name]
    return table


def _slants(labels: NDArray[np.int32], members: NDArray[np.int64], pieces: int) -> NDArray[np.float64]:
    """The tangent of each candidate's slant, positive to the right, from the moments of its ink."""
    y, x = labels.nonzero()
    owner = labels[y, x] - 1
    raw = np.stack([np.bincount(owner, weights=w, minlength=pieces + 1) for w in (np.ones(len(x)), x, y, x * y, y * y)])
    area, sum_x, sum_y, sum_xy, sum_yy = raw[:, members].sum(axis=2)
    spread = sum_yy - sum_y**2 / area
    lean = sum_xy - sum_x * sum_y / area
    return np.asarray(np.minimum(np.maximum(-lean / np.maximum(spread, 1.0), -2), 2), np.float64)
