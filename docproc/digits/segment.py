"""Ink to lattice: find the pieces of ink in a field and every plausible way to join them into digits.

`segment` never decides what is a digit. It flattens the light, separates ink from paper (Otsu), erases ruled lines
without eating the strokes that cross them, brings the digits to one height, takes out the slant, and splits the ink
into pieces: connected components, cut further along cheap seams where digits may touch. Unions of neighboring pieces
are the candidates. The recognizer scores them and `readings.decode` chooses.

The over-segmentation follows Y. LeCun et al. (1998), section VII; the seams are the "drop fall" cuts of G. Congedo et
al., ICDAR 1995, found by dynamic programming; the slant is the shear with the most concentrated vertical projection
(A. Vinciarelli and J. Luettin, 2001).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components, flatten_light, otsu
from docproc.types import Affine, Box, Candidate, Gray, Ink, Lattice

DIGIT_HEIGHT = 40  # px to which the digits of a field are brought before they are cut
MARGIN = 4  # px of paper around the ink

LEAST_CONTRAST = 28.0  # gray levels between flattened paper and ink; less is an empty field
PEN_PERCENTILE = 15
PEN_SHARE = 0.45  # of the way from paper to the pen's darkness, where ink begins
MOST_PIECES = 64
MOST_JOINED = 5  # pieces in one candidate
WIDEST = 1.75  # times the digit height
WIDEST_COMPONENT = 2.3  # a candidate made of one whole component may be this wide
WIDEST_GAP = 0.28  # between neighboring pieces of one candidate
LOWEST = 0.30  # a lower candidate is a dot or a dash
SEAM_COST = 2.6  # stroke widths of ink that a cut may cross
SEAM_COST_NARROW = 1.35  # the same in a component no wider than a digit
WAIST = 0.72  # height of a waist, as a share of the component's
HOLE_COST = 0.25  # px of ink that a px of a hole counts for
SEAM_VALLEY = 0.10  # a valley is the lowest within this to both sides
SEAM_SPACING = 0.20  # least distance of two cuts
SEAM_DENSITY = 0.30  # least width of ink per cut
SEAM_ROOM = 0.13  # no cut nearer than this to the end of a component
SLANT_PRIOR = 0.20  # share of sharpness that a slant of 45 degrees must gain over none
SPECK = 0.006  # ink area below this share of the digit height squared is dust

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
"""What `Lattice.geometry` holds for a candidate: lengths in digit heights, `top` and `bottom` from the middle of the
string, `cut_*` the ink crossed by the seam in stroke widths (0 where the ink ends by itself), `slant` the tangent of the
lean of its ink, `height_before` and `height_after` of the pieces beside it (0 where there is none), flags 0 or 1."""


@dataclass(frozen=True, slots=True)
class _Piece:
    component: int
    box: Box
    area: int
    cut_left: float  # ink crossed by the seam that bounds it, px; 0 where the ink ends by itself
    cut_right: float


# Proposes (first, last, pieces) of every candidate, from the pieces and the digit height in px.
_Span = tuple[int, int, tuple[int, ...]]
_Propose = Callable[[Sequence[_Piece], float], Iterator[_Span]]

EMPTY = Lattice(
    ink=np.zeros((1, 1), np.uint8),
    labels=np.zeros((1, 1), np.int32),
    pieces=0,
    candidates=(),
    geometry=np.zeros((0, len(GEOMETRY)), np.float32),
    to_ink=np.array([[1.0, 0, 0], [0, 1.0, 0]]),
)


def segment(crop: Gray, amount: bool = False) -> Lattice:
    """The lattice of a free field: a string of digits without known places.

    In an `amount` marks stand beside the digits (the bar in `500/-` is no 1); elsewhere they hardly do. `crop` is
    (height, width) uint8, dark ink on light paper. A field without ink gives a lattice without candidates.
    """
    found = _ink_map(crop)
    if found is None:
        return EMPTY
    ink, digit_height = found
    ink, to_ink = _bring_to_height(ink, digit_height)
    ink, shear = _take_out_slant(ink)
    to_ink = np.asarray((_square(shear) @ _square(to_ink))[:2])
    return _build(ink, to_ink, _free_candidates, amount=amount)


def segment_comb(crop: Gray, cells: int) -> Lattice:
    """The lattice of a comb: a row of `cells` equal boxes, one digit in each.

    The printed frame is found near the edges of the crop and between the cells and erased; a piece of ink belongs to
    the cell that holds most of it, and ink that lies in two cells is cut between them. A path takes at most one
    candidate from a cell.
    """
    if cells < 1:
        raise ValueError(f"a comb has at least one cell, not {cells}")
    framed = _inside_frame(crop, cells)
    if framed is None:
        return EMPTY
    inner, offset, left, pitch = framed
    found = _ink_map(inner)
    if found is None:
        return EMPTY
    ink, _ = found
    ink, to_ink = _bring_to_height(ink, min(0.75 * inner.shape[0], 1.1 * pitch))
    to_ink = np.asarray((_square(to_ink) @ _square(_shift(-offset[0], -offset[1])))[:2])
    scale = to_ink[0, 0]
    walls = [to_ink[0, 2] + scale * (left + pitch * k) for k in range(1, cells)]

    def candidates(pieces: Sequence[_Piece], height: float) -> Iterator[_Span]:
        return _cell_candidates(pieces, walls, height)

    return _build(ink, to_ink, candidates, walls=walls)


def candidate_ink(lattice: Lattice, index: int) -> Ink:
    """The ink of one candidate alone, (height, width) uint8, its neighbors taken away."""
    candidate = lattice.candidates[index]
    labels = candidate.box.cut(lattice.labels)
    ink = candidate.box.cut(lattice.ink)
    low, high = min(candidate.pieces), max(candidate.pieces)
    if high - low + 1 == len(candidate.pieces):
        mask = (labels > low) & (labels <= high + 1)
    else:
        mask = np.isin(labels, [piece + 1 for piece in candidate.pieces])
    return np.where(mask, ink, np.uint8(0))


def candidate_box(lattice: Lattice, index: int) -> Box:
    """Where the candidate lies on the field's crop (the upright rectangle around its sheared box)."""
    box = lattice.candidates[index].box
    back = cv2.invertAffineTransform(lattice.to_ink)
    corners = np.array([(x, y, 1.0) for x in (box.left, box.right) for y in (box.top, box.bottom)])
    x, y = back @ corners.T
    top = int(np.floor(y.min()))
    # The shear moves top and bottom apart; the digit itself stands in the middle of the slanted box.
    slant = abs(float(back[0, 1])) * box.height
    left, right = int(np.floor(x.min() + slant / 2)), int(np.ceil(x.max() - slant / 2))
    return Box(left, top, max(1, right - left), max(1, int(np.ceil(y.max())) - top))


# ---------------------------------------------------------------------------------------------------------- ink


def _ink_map(crop: Gray) -> tuple[Ink, float] | None:
    """The crop as ink (height, width) uint8, ruled lines erased, with the height of its digits in px."""
    height, width = crop.shape
    if height < 6 or width < 4:
        return None
    flat = flatten_light(crop, reach=max(9, round(min(height, 160) * 0.5)))
    threshold, dark, light = otsu(flat)
    if light - dark < LEAST_CONTRAST:
        return None
    soft = max(6.0, 0.35 * (light - dark))
    # Security patterns are darker than paper and lighter than the pen: half-way to the pen's own darkness drops them.
    core = float(np.percentile(flat[flat <= threshold], PEN_PERCENTILE))
    middle = min(threshold + 0.08 * (light - threshold), light - PEN_SHARE * (light - core))
    # An ink ramp around the threshold keeps the anti-aliased rim of a stroke and drops the pattern of the paper.
    ramp = np.clip((middle + soft / 2 - np.arange(256)) * (255.0 / soft), 0, 255).astype(np.uint8)
    ink = np.asarray(cv2.LUT(flat, ramp), np.uint8)
    ink = _erase_rules(ink)
    _, table = components((ink > 127).astype(np.uint8))
    digit_height = _digit_height(table, height)
    return None if digit_height is None else (ink, digit_height)


def _erase_rules(ink: Ink) -> Ink:
    """Erase long horizontal lines; where a stroke crosses one, the stroke stays."""
    height, width = ink.shape
    length = int(min(1.4 * height, 0.55 * width))
    if length < 12:
        return ink
    mask = (ink > 127).astype(np.uint8)
    # Closing bridges the gaps of dotted lines, the vertical dilation follows a line that is not quite level.
    bridged = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    rule = np.minimum(cv2.morphologyEx(bridged, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)), mask)
    if not rule.any():
        return ink
    # Thickness: the median vertical run of ink through the rule.
    columns = rule.any(axis=0)
    thickness = int(np.median(rule[:, columns].sum(axis=0)))
    if thickness > max(4, 0.16 * height):
        return ink
    strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thickness + 3, 1), np.uint8))
    strokes = cv2.dilate(strokes, np.ones((1, 3), np.uint8))
    sides = _frame_sides(mask, rule, thickness)
    halo = cv2.dilate(rule, np.ones((3, 1), np.uint8))
    return np.where(((halo > 0) & (strokes == 0)) | (sides > 0), np.uint8(0), ink)


def _frame_sides(mask: NDArray[np.uint8], rule: NDArray[np.uint8], thickness: int) -> NDArray[np.uint8]:
    """The upright sides of a printed frame: straight lines from the rule above to the rule below."""
    height, width = mask.shape
    # On a page that lies askew a line runs over several rows: its pieces are joined before they are measured.
    _, table = components(cv2.dilate(rule, np.ones((3, 5), np.uint8)).astype(np.uint8))
    long = table[table[:, 2] > 0.5 * width]
    above = (long[:, 1] + long[:, 3])[long[:, 1] < 0.4 * height]
    below = long[:, 1][long[:, 1] > 0.6 * height]
    if not len(above) or not len(below):
        return np.zeros_like(mask)
    length = int(0.85 * (below.min() - above.max()))
    leaning = cv2.dilate(mask, np.ones((1, 3), np.uint8))
    upright = cv2.morphologyEx(leaning, cv2.MORPH_OPEN, np.ones((max(3, length), 1), np.uint8))
    thick = cv2.morphologyEx(upright, cv2.MORPH_OPEN, np.ones((1, 2 * thickness + 4), np.uint8))
    sides = cv2.dilate(np.minimum(upright, 1 - thick), np.ones((1, 3), np.uint8))
    return np.asarray(sides, np.uint8)


def _digit_height(table: NDArray[np.int32], crop_height: int) -> float | None:
    """The height of the digits in px: the median over components, each counted by its height."""
    heights = table[:, 3].astype(np.float64)
    widths, areas = table[:, 2], table[:, 4]
    digits = (heights >= max(5.0, 0.12 * crop_height)) & (widths <= 12 * heights) & (areas >= 8)
    heights = np.sort(heights[digits])
    if not len(heights):
        return None
    heights = heights[heights >= 0.4 * heights[-1]]
    weight = np.cumsum(heights)
    return float(heights[np.searchsorted(weight, 0.5 * weight[-1])])


def _bring_to_height(ink: Ink, digit_height: float) -> tuple[Ink, Affine]:
    scale = float(np.clip(DIGIT_HEIGHT / digit_height, 0.05, 4.0))
    width, height = max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(ink, (width, height), interpolation=interpolation)
    scaled = cv2.copyMakeBorder(scaled, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(scaled, np.uint8), np.array([[scale, 0.0, MARGIN], [0.0, scale, MARGIN]])


def _take_out_slant(ink: Ink) -> tuple[Ink, Affine]:
    """Shear the ink so that its strokes stand upright."""
    y, x = np.nonzero(ink[::2, ::2] > 127)
    none = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    if len(x) < 20:
        return ink, none
    height, width = ink.shape
    slants = np.arange(-0.4, 1.05, 0.1)
    shifted = x[None, :] + np.rint(slants[:, None] * (y - height / 4.0)[None, :]).astype(np.int64) + height
    bins = width // 2 + 2 * height
    flat = (shifted + np.arange(len(slants))[:, None] * bins).ravel()
    projections = np.bincount(flat, minlength=len(slants) * bins).reshape(len(slants), bins).astype(np.float64)
    sharpness = (projections**2).sum(axis=1)
    # Upright is likelier than the sharpest shear by a hair: a weak prior against leaning.
    best = int(np.argmax(sharpness * (1 - SLANT_PRIOR * np.abs(slants))))
    slant = float(slants[best])
    if abs(slant) < 0.05:
        return ink, none
    reach = abs(slant) * height / 2
    shear = np.array([[1.0, slant, reach - slant * height / 2], [0, 1.0, 0]])
    size = (int(np.ceil(width + 2 * reach)), height)
    return np.asarray(cv2.warpAffine(ink, shear, size, flags=cv2.INTER_LINEAR), np.uint8), shear


def _square(affine: Affine) -> Affine:
    return np.vstack([affine, [0.0, 0.0, 1.0]])


def _shift(x: float, y: float) -> Affine:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


# ------------------------------------------------------------------------------------------------------- pieces


def _build(ink: Ink, to_ink: Affine, propose: _Propose, *, walls: Sequence[float] = (), amount: bool = False) -> Lattice:
    labels, pieces, height, stroke = _pieces(ink, walls)
    if not pieces:
        return EMPTY
    spans = list(propose(pieces, height))
    if not spans:
        return EMPTY
    candidates = tuple(Candidate(first, last, used, _around(pieces[k].box for k in used)) for first, last, used in spans)
    geometry = _geometry(candidates, pieces, labels, height, stroke)
    geometry[:, GEOMETRY.index("in_comb")] = propose is not _free_candidates
    geometry[:, GEOMETRY.index("in_amount")] = amount
    return Lattice(ink, labels, len(pieces), candidates, geometry, to_ink)


def _pieces(ink: Ink, walls: Sequence[float]) -> tuple[NDArray[np.int32], list[_Piece], float, float]:
    """Split the ink; returns the label of every pixel, the pieces from left to right, digit height, stroke width."""
    mask = (ink > 110).astype(np.uint8)
    labels, table = components(mask)
    keep = np.flatnonzero(table[:, 4] >= SPECK * DIGIT_HEIGHT**2)
    if not len(keep):
        return labels, [], float(DIGIT_HEIGHT), 1.0
    if len(keep) > MOST_PIECES:
        keep = np.sort(keep[np.argsort(-table[keep, 4], kind="stable")[:MOST_PIECES]])
    height = _digit_height(table[keep], DIGIT_HEIGHT) or float(DIGIT_HEIGHT)
    stroke = _stroke_width(mask)

    split = np.zeros(labels.shape, np.int32)
    found: list[_Piece] = []
    for component in keep:
        left, top, width, tall, area = (int(v) for v in table[component])
        box = Box(left, top, width, tall)
        own = box.cut(labels) == component + 1
        if walls:
            seams = _wall_seams(own, left, walls, height)
        elif width > 0.42 * height and tall > 0.35 * height:
            seams = _seams(own, box.cut(ink), height, stroke)
        else:
            seams = []
        side = np.zeros(own.shape, np.int32)
        columns = np.arange(width)
        for path, _ in seams:
            side += columns[None, :] >= path[:, None]
        costs = [0.0, *(cost for _, cost in seams), 0.0]
        target = box.cut(split)
        for k in range(len(seams) + 1):
            part = own & (side == k)
            if seams:
                x, y, w, h = cv2.boundingRect(part.astype(np.uint8))
                area = int(part.sum())
                if area == 0:
                    continue
                part_box = Box(left + x, top + y, w, h)
            else:
                part_box = box
            found.append(_Piece(int(component), part_box, area, costs[k], costs[k + 1]))
            target[part] = len(found)

    order = sorted(range(len(found)), key=lambda k: (found[k].box.left + found[k].box.right, found[k].box.top))
    order = order[:MOST_PIECES]
    rank = np.zeros(len(found) + 1, np.int32)
    for place, k in enumerate(order):
        rank[k + 1] = place + 1
    return rank[split], [found[k] for k in order], height, stroke


def _stroke_width(mask: NDArray[np.uint8]) -> float:
    """Typical width of a pen stroke in px: twice the mean distance to paper along the strokes' middle."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    inside = distance[distance > 0]
    # The mean distance over a stroke of width w is about w/4.
    return float(np.clip(4.0 * inside.mean(), 2.0, 12.0)) if inside.size else 2.0


def _seams(own: NDArray[np.bool_], ink: Ink, height: float, stroke: float) -> list[tuple[NDArray[np.int64], float]]:
    """Cuts through one component from top to bottom, left to right: (column of every row, ink crossed in px).

    A seam passes the middle row at a given column and costs the ink that it crosses plus a little for every step
    aside. Seams at local minima of that cost are returned.
    """
    rows, width = own.shape
    cost = np.where(own, ink.astype(np.float32) / 255.0, np.float32(0.002))
    # A cut through a hole would open a loop, and loops seldom belong to two digits.
    outside = cv2.copyMakeBorder(own.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    cv2.floodFill(outside, None, (0, 0), 2, flags=4)
    cost[outside[1:-1, 1:-1] == 0] = HOLE_COST
    middle = rows // 2
    above, turns_above = _drop(cost[: middle + 1])
    below, turns_below = _drop(cost[middle:][::-1])
    through = above + below - cost[middle]

    room = max(2, round(SEAM_ROOM * height))
    if width <= 2 * room:
        return []
    most = (SEAM_COST_NARROW if width < 0.75 * height else SEAM_COST) * stroke + 1.0
    spacing = max(2, round(SEAM_SPACING * height))
    inner = through[room : width - room]
    # Only at valleys: beside a deep one, its slope would take the place of a true valley further on.
    reach = 2 * max(1, round(SEAM_VALLEY * height)) + 1
    lowest = cv2.erode(through[None, :], np.ones((1, reach), np.uint8))[0, room : width - room]
    order = np.argsort(inner, kind="stable")
    order = order[inner[order] <= lowest[order] + 0.05]
    limit = int(np.ceil(width / (SEAM_DENSITY * height)))
    chosen: list[int] = []
    for k in order:
        column = int(k) + room
        if inner[k] > most or len(chosen) >= limit:
            break
        if all(abs(column - other) >= spacing for other in chosen):
            chosen.append(column)

    seams = []
    for column in chosen:
        path = np.concatenate([_walk(turns_above, column)[::-1], _walk(turns_below, column)[1:]])
        seams.append((path, float(through[column])))
    for column in _waists(own, room, reach):
        if all(abs(column - other) >= 0.6 * spacing for other in chosen):
            seams.append((np.full(rows, column, np.int64), float(own[:, column].sum())))
    return sorted(seams, key=lambda seam: float(seam[0].mean()))


def _waists(own: NDArray[np.bool_], room: int, reach: int) -> list[int]:
    """Columns where a component is lower than on both sides: round digits touch there, flank on flank."""
    rows = own.shape[0]
    extent = (rows - own[::-1].argmax(axis=0) - own.argmax(axis=0)).astype(np.float32)
    lowest = cv2.erode(extent[None, :], np.ones((1, reach), np.uint8))[0]
    flat = (extent <= lowest) & (extent <= WAIST * rows)
    flat[:room] = flat[len(flat) - room :] = False
    edges = np.flatnonzero(np.diff(np.r_[False, flat, False].astype(np.int8)))
    return [(int(start) + int(end) - 1) // 2 for start, end in edges.reshape(-1, 2)]


def _drop(cost: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Cheapest way from the first row down to each column of the last; also the step that led to each pixel."""
    rows, width = cost.shape
    aside = np.float32(0.12)
    total = cost[0].copy()
    turns = np.zeros((rows, width), np.int8)
    wall = np.float32(1e9)
    for row in range(1, rows):
        from_left = np.concatenate(([wall], total[:-1])) + aside
        from_right = np.concatenate((total[1:], [wall])) + aside
        best = np.minimum(from_left, from_right)
        step = np.where(from_left <= from_right, np.int8(-1), np.int8(1))
        straight = total <= best
        turns[row] = np.where(straight, np.int8(0), step)
        total = np.where(straight, total, best) + cost[row]
    return total, turns


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
    """Straight cuts between cells, for ink that reaches well into both."""
    seams = []
    columns = own.sum(axis=0)
    for wall in walls:
        at = round(wall) - left
        if 0 < at < own.shape[1] and min(at, own.shape[1] - at) > 0.22 * height:
            seams.append((np.full(own.shape[0], at, np.int64), float(columns[at])))
    return seams


# --------------------------------------------------------------------------------------------------- candidates


def _free_candidates(pieces: Sequence[_Piece], height: float) -> Iterator[_Span]:
    """Unions of up to `MOST_JOINED` neighbors that could be one digit by their size."""
    for first in range(len(pieces)):
        right = pieces[first].box.right
        for last in range(first + 1, min(first + MOST_JOINED, len(pieces)) + 1):
            added = pieces[last - 1].box
            if last - first > 1 and added.left - right > WIDEST_GAP * height:
                break
            right = max(right, added.right)
            box = _around(piece.box for piece in pieces[first:last])
            whole = len({piece.component for piece in pieces[first:last]}) == 1
            if box.width > (WIDEST_COMPONENT if whole else WIDEST) * height:
                break
            if box.height >= LOWEST * height:
                yield first, last, tuple(range(first, last))


def _cell_candidates(pieces: Sequence[_Piece], walls: Sequence[float], height: float) -> Iterator[_Span]:
    """All the ink of a cell together, and each larger piece of it alone."""
    cell = [int(np.searchsorted(walls, (piece.box.left + piece.box.right) / 2)) for piece in pieces]
    for number in sorted(set(cell)):
        members = [k for k, at in enumerate(cell) if at == number]
        first, last = members[0], members[-1] + 1
        choices = {tuple(members)}
        if len(members) > 1:
            largest = sorted(members, key=lambda k: -pieces[k].area)
            choices.update((k,) for k in largest[:2])
            if len(members) > 2:
                choices.add(tuple(sorted(largest[:2])))
        for used in sorted(choices):
            if _around(pieces[k].box for k in used).height >= LOWEST * height:
                yield first, last, used


def _around(boxes: Iterable[Box]) -> Box:
    every = list(boxes)
    left, top = min(b.left for b in every), min(b.top for b in every)
    return Box(left, top, max(b.right for b in every) - left, max(b.bottom for b in every) - top)


def _geometry(
    candidates: Sequence[Candidate], pieces: Sequence[_Piece], labels: NDArray[np.int32], height: float, stroke: float
) -> NDArray[np.float32]:
    tall = [p.box for p in pieces if p.box.height >= 0.6 * height] or [p.box for p in pieces]
    middle = float(np.median([(b.top + b.bottom) / 2 for b in tall]))
    slants = _slants(labels, [candidate.pieces for candidate in candidates], len(pieces))
    table = np.zeros((len(candidates), len(GEOMETRY)), np.float32)
    for k, candidate in enumerate(candidates):
        box, own = candidate.box, [pieces[i] for i in candidate.pieces]
        before = max((p.box.right for p in pieces[: candidate.first]), default=None)
        after = min((p.box.left for p in pieces[candidate.last :]), default=None)
        inner, right = 0.0, own[0].box.right
        for piece in own[1:]:
            inner = max(inner, piece.box.left - right)
            right = max(right, piece.box.right)
        table[k] = (
            box.height / height,
            box.width / height,
            (box.top - middle) / height,
            (box.bottom - middle) / height,
            sum(p.area for p in own) / height**2,
            1.5 if before is None else np.clip((box.left - before) / height, -1, 1.5),
            1.5 if after is None else np.clip((after - box.right) / height, -1, 1.5),
            own[0].cut_left / stroke,
            own[-1].cut_right / stroke,
            len(own),
            len({p.component for p in own}),
            box.top <= MARGIN + 1,
            box.bottom >= labels.shape[0] - MARGIN - 1,
            candidate.first == 0,
            candidate.last == len(pieces),
            inner / height,
            slants[k],
            pieces[candidate.first - 1].box.height / height if candidate.first else 0.0,
            pieces[candidate.last].box.height / height if candidate.last < len(pieces) else 0.0,
            0.0,
            0.0,
        )
    return table


def _slants(labels: NDArray[np.int32], groups: Sequence[tuple[int, ...]], pieces: int) -> NDArray[np.float64]:
    """The tangent of the lean of each group of pieces, to the right positive, from the moments of its ink."""
    y, x = np.nonzero(labels)
    owner = labels[y, x] - 1
    raw = np.stack([np.bincount(owner, weights=w, minlength=pieces) for w in (np.ones(len(x)), x, y, x * y, y * y)])
    area, sum_x, sum_y, sum_xy, sum_yy = np.stack([raw[:, list(group)].sum(axis=1) for group in groups], axis=1)
    spread = sum_yy - sum_y**2 / area
    lean = sum_xy - sum_x * sum_y / area
    return np.asarray(np.clip(-lean / np.maximum(spread, 1.0), -2, 2), np.float64)


# ----------------------------------------------------------------------------------------------------- the comb


def _inside_frame(crop: Gray, cells: int) -> tuple[Gray, tuple[float, float], float, float] | None:
    """The comb without its frame: (its crop with lines painted over, that one's left and top, first wall, pitch), all px."""
    height, width = crop.shape
    if height < 8 or width < 6 * cells:
        return None
    flat = flatten_light(crop, reach=max(9, round(height * 0.5)))
    threshold, dark, light = otsu(flat)
    whole = (crop, (0.0, 0.0), 0.0, width / cells)
    if light - dark < LEAST_CONTRAST:
        return None
    mask = (flat <= threshold).astype(np.uint8)

    across = cv2.morphologyEx(cv2.dilate(mask, np.ones((3, 1), np.uint8)), cv2.MORPH_OPEN, np.ones((1, width // 4), np.uint8))
    rows = across.sum(axis=1) > 0.6 * width
    down = cv2.morphologyEx(cv2.dilate(mask, np.ones((1, 3), np.uint8)), cv2.MORPH_OPEN, np.ones((height // 5, 1), np.uint8))
    # Walls may be ticks, and at the foot of the cells there is least of the digits.
    columns = down[round(0.7 * height) :].sum(axis=0)

    left, pitch = _fit_comb(columns.astype(np.float64), cells)
    erased = crop.copy()
    paper = int(np.percentile(crop, 90))
    if rows.any():
        line = cv2.dilate(np.minimum(across, mask) * rows[:, None].astype(np.uint8), np.ones((3, 3), np.uint8))
        keep = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((max(7, height // 8), 1), np.uint8))
        erased[(line > 0) & (keep == 0)] = paper
        # The outermost lines bound the digits: outside of them is not this comb.
        marked = np.flatnonzero(rows)
        upper = marked[marked < 0.35 * height]
        lower = marked[marked > 0.65 * height]
        top = int(upper[-1]) + 2 if len(upper) else 0
        bottom = int(lower[0]) - 1 if len(lower) else height
    else:
        top, bottom = 0, height
    reach = max(2, round(0.05 * pitch))
    for k in range(cells + 1):
        x = left + pitch * k
        low, high = max(0, round(x) - reach), min(width, round(x) + reach + 1)
        if high <= low:
            continue
        lines = cv2.dilate(np.minimum(down[:, low:high], mask[:, low:high]), np.ones((3, 3), np.uint8))
        strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, 2 * reach + 3), np.uint8))[:, low:high]
        part = erased[:, low:high]
        part[(lines > 0) & (strokes == 0)] = paper
    spare = 0.08 * pitch
    start, end = max(0, round(left - spare)), min(width, round(left + pitch * cells + spare))
    if bottom - top < 0.4 * height or end - start < 0.5 * width:
        return whole
    return np.ascontiguousarray(erased[top:bottom, start:end]), (float(start), float(top)), left, pitch


def _fit_comb(columns: NDArray[np.float64], cells: int) -> tuple[float, float]:
    """Left edge and pitch in px of the comb whose walls meet the most line: `columns` holds line px per column."""
    width = len(columns)
    smooth = np.convolve(columns, np.ones(3) / 3, mode="same")
    plain = (0.0, width / cells)
    best, found = 0.0, plain
    walls = np.arange(cells + 1)
    slack = min(0.12 * width, 0.6 * width / cells)
    for pitch in np.arange((width - 2 * slack) / cells, (width + 1) / cells, 0.5 / cells + 0.05):
        lefts = np.arange(0.0, max(1.0, width - pitch * cells), 1.0)
        at = np.clip(np.rint(lefts[:, None] + pitch * walls), 0, width - 1).astype(np.int64)
        # A comb fills its field: of two that meet the same lines the larger is the right one.
        scores = smooth[at].sum(axis=1) * (1 + 0.5 * pitch * cells / width)
        place = int(scores.argmax())
        if scores[place] > best:
            best, found = float(scores[place]), (float(lefts[place]), float(pitch))
    # A comb without visible walls is divided evenly.
    return found if best > 0.5 * (cells + 1) * max(1.0, float(smooth.max())) else plain
