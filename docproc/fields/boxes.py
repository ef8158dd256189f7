"""Find number fields on a form without a template: rows of equal boxes, combs, frames, and lines to write on.

Ruled lines are what survives an opening with a long thin element; the paper that they enclose are cells; cells of one
size in one row, side by side, are a field. `find_boxes` is for pages that are about to be read; `find_frames` is for
those who describe a form, and tells exactly what is printed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import flatten_light, otsu
from docproc.types import Box, Field, Gray, Page

WORK_WIDTH = 1700  # px to which a page is brought: 200 dpi on letter paper
SHORTEST_LINE = 22  # px at that width
LEAST_PAPER = 0.45  # of a cell that is left when a digit's strokes pass for lines
LEAST_CELLS = 3  # of a row that is told from digits by itself
MOST_INSIDE = 0.98  # of the ink that lies in the row then
CELL_SIDES = (16, 130)  # px at that width, least and most of a cell's width and height

BESIDE = 0.3  # of a cell's width that the next box of a row is away, at most
SPACED = 0.8  # the same where a row's boxes stand evenly apart
MOST_CELLS = 64  # of a comb; a longer row is squared paper
WIDEST_CELL = 1.6  # of its height; what is wider holds a number and no digit
FRAME_HEIGHTS = (24, 200)  # px at that width, of a frame for a whole number
LONE_SIDE = 36  # px at that width; a single square that is smaller is a box to tick
FRAME_PAPER = 0.6  # of a frame's rectangle that is one piece of paper
MOST_PRINT = 0.02  # of what a frame encloses; with more it holds text
TICK_ZONE = (0.04, 0.14)  # of a frame's height above its foot: ticks stand there, and digits hardly do
TICK_FULL = 0.7  # of that zone is ink where a tick stands
TICK_OFF = 0.1  # of a cell's width, from where an even division puts it
TICK_SHARE = 0.6  # of the uprights at a frame's foot that are its ticks
WRITING_LINE = 60  # px at that width, the shortest line to write on
WIDEST_LINE = 0.75  # of the page; a longer one divides the form
ROOM = (30, 100)  # px at that width above a line to write on: the least, and what its box takes, half an inch


@dataclass(frozen=True, slots=True, eq=False)
class _Ruled:
    """What is ruled on a page at the working size; all arrays are (height, width)."""

    mask: NDArray[np.uint8]  # 1 ink
    level: NDArray[np.uint8]  # 1 on level lines
    upright: NDArray[np.uint8]  # 1 on upright lines
    labels: NDArray[np.int32]  # which piece of paper between the lines; 0 the lines themselves, a little thickened
    stats: NDArray[np.int32]  # (n, 5) int32: left, top, width, height, area of every piece; the first are the lines


def find_boxes(page: Page) -> tuple[Field, ...]:
    """Every row of two or more equal boxes as a comb `field_1`, `field_2`, …, from the top down, left to right."""
    gray, scale = _at_work(page)
    rows = _rows(_cells(_ruled(gray)))
    rows.sort(key=lambda row: (round(row[0].top / (1.5 * row[0].height)), row[0].left))
    fields = []
    for number, row in enumerate(rows, 1):
        around = _around(row)
        # The frame itself belongs to the crop: the segmenter finds the walls by it.
        pad = 4
        box = Box(
            round((around.left - pad) / scale),
            round((around.top - pad) / scale),
            round((around.width + 2 * pad) / scale),
            round((around.height + 2 * pad) / scale),
        ).clip(page.width, page.height)
        fields.append(Field(f"field_{number}", box, "comb", (0, len(row)), cells=len(row)))
    return tuple(fields)


def find_frames(page: Page, filled: bool = False) -> tuple[Field, ...]:
    """Where a form has room for numbers, exactly as printed: `field_1`, `field_2`, … in the order of reading.

    Rows of boxes, and frames that ticks at their foot or head divide evenly, are combs; other empty frames are strings.
    Their boxes reach to the outer edges of the lines. Lines to write on are strings too, with the room above them.
    On a page that is `filled` in, frames need not be empty, and lines to write on are not looked for.
    """
    gray, scale = _at_work(page)
    ruled = _ruled(gray)
    if ruled is None:
        return ()
    found: list[tuple[Box, int]] = []  # at the working size, inside of the lines; and how many cells
    taken: set[Box] = set()
    cells = _cells(ruled)
    rows = [row for row in _rows(cells) if row[0].width <= WIDEST_CELL * row[0].height]
    joined = {cell for row in rows for cell in row}
    rows += [row for row in _rows([cell for cell in cells if cell not in joined], SPACED) if _even(row)]
    for row in rows:
        taken.update(row)
        if len(row) <= MOST_CELLS:
            found.append((_around(row), len(row)))
    found += list(_frames(ruled, taken, [box for box, _ in found], filled))
    fine = ruled.mask if scale == 1 else _ink_mask(page.gray, round(41 / scale))
    exact = [(_outer_edges(fine, box, scale), cells) for box, cells in found]
    if not filled:
        near = [box for box, _ in found]
        lines = [_on_page(box, scale) for box in _writing_lines(ruled, near)]
        exact += [(box, 0) for box in lines]
    ordered = _in_order(_without_nests([(box.clip(page.width, page.height), cells) for box, cells in exact]))
    return tuple(
        Field(f"field_{k}", box, "comb" if cells else "string", (0, cells) if cells else None, cells=cells)
        for k, (box, cells) in enumerate(ordered, 1)
    )


def lone_row(page: Page, name: str) -> Field | None:
    """The row of boxes that is all that stands on a cut-out field, as a comb; None where there is none."""
    found = find_boxes(page)
    if len(found) != 1 or found[0].cells < LEAST_CELLS:
        return None
    box = found[0].box
    flat = flatten_light(page.gray, 41)
    threshold, _, _ = otsu(flat)
    ink = (flat <= threshold).astype(np.uint8)
    rim = round(0.05 * box.height)
    whole = Box(box.left - rim, box.top - rim, box.width + 2 * rim, box.height + 2 * rim).clip(page.width, page.height)
    inside = int(whole.cut(ink).sum())
    return replace(found[0], name=name) if inside >= MOST_INSIDE * int(ink.sum()) else None


def _at_work(page: Page) -> tuple[Gray, float]:
    """The page at the working size, and px of it for a px of the page."""
    scale = min(1.0, WORK_WIDTH / page.width)
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    return np.asarray(cv2.resize(page.gray, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _ink_mask(gray: Gray, reach: int) -> NDArray[np.uint8] | None:
    """1 where there is ink, (height, width); None on a page without contrast."""
    flat = flatten_light(gray, reach)
    threshold, dark, light = otsu(flat)
    if light - dark < 30:
        return None
    return (flat <= min(255.0, threshold + 0.3 * (light - threshold))).astype(np.uint8)


def _ruled(gray: Gray) -> _Ruled | None:
    """The lines of a page at the working size; None on a page without contrast."""
    mask = _ink_mask(gray, 41)
    if mask is None:
        return None
    thick = np.ones((3, 3), np.uint8)
    level = cv2.morphologyEx(cv2.dilate(mask, np.ones((2, 1), np.uint8)), cv2.MORPH_OPEN, np.ones((1, SHORTEST_LINE), np.uint8))
    upright = cv2.morphologyEx(
        cv2.dilate(mask, np.ones((1, 2), np.uint8)), cv2.MORPH_OPEN, np.ones((SHORTEST_LINE, 1), np.uint8)
    )
    lines = cv2.dilate(np.maximum(level, upright), thick)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((lines == 0).astype(np.uint8), connectivity=4)
    return _Ruled(
        mask,
        np.asarray(level, np.uint8),
        np.asarray(upright, np.uint8),
        np.asarray(labels, np.int32),
        np.asarray(stats, np.int32),
    )


def _cells(ruled: _Ruled | None) -> list[Box]:
    """The pieces of paper that may be the boxes of single digits."""
    if ruled is None:
        return []
    width, height, area = ruled.stats[:, 2], ruled.stats[:, 3], ruled.stats[:, 4]
    least, most = CELL_SIDES
    fit = (width >= least) & (width <= most) & (height >= least) & (height <= most) & (area > LEAST_PAPER * width * height)
    fit[0] = False
    # The eye of an 8 is enclosed as well, within its cell.
    cells = ruled.stats[fit, :4]
    return [Box(*(int(v) for v in cell)) for cell in cells[~_enclosed(cells)]]


def _enclosed(cells: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(n,) whether another of the (n, 4) boxes holds the box; only those that begin a cell's width before are looked at."""
    order = np.argsort(cells[:, 0], kind="stable")
    left, top = cells[order, 0], cells[order, 1]
    right, bottom = left + cells[order, 2], top + cells[order, 3]
    starts = np.searchsorted(left, left - CELL_SIDES[1])
    ends = np.searchsorted(left, left, side="right")
    found = np.zeros(len(cells), np.bool_)
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        near = slice(start, end)
        holds = (right[near] >= right[k]) & (top[near] <= top[k]) & (bottom[near] >= bottom[k])
        found[order[k]] = np.count_nonzero(holds) > 1  # every box holds itself
    return found


def _rows(cells: Sequence[Box], apart: float = BESIDE) -> list[list[Box]]:
    """Runs of cells that stand side by side, alike in size, divided by no more than a line or `apart` of their width."""
    if not cells:
        return []
    # Rows by where they end, so that a cell only meets those that end near it.
    across = max(12, round(apart * max(cell.width for cell in cells)))
    down = max(1, round(0.15 * max(cell.height for cell in cells)))
    rows: list[list[Box]] = []
    ends: dict[tuple[int, int], set[int]] = defaultdict(set)

    def room(cell: Box) -> tuple[int, int]:
        return cell.right // across, cell.top // down

    for cell in sorted(cells, key=lambda c: c.left):
        column, level = cell.left // across, cell.top // down
        near = sorted(k for x in (column - 1, column) for y in (level - 1, level, level + 1) for k in ends.get((x, y), ()))
        chosen = next((k for k in near if _follows(rows[k][-1], cell, apart)), len(rows))
        if chosen == len(rows):
            rows.append([])
        else:
            ends[room(rows[chosen][-1])].discard(chosen)
        rows[chosen].append(cell)
        ends[room(cell)].add(chosen)
    return [row for row in rows if len(row) >= 2]


def _even(row: Sequence[Box]) -> bool:
    """Whether boxes that stand apart belong together: three or more digit boxes, one as far from the next as the other."""
    steps = [right.left - left.left for left, right in pairwise(row)]
    return len(row) >= LEAST_CELLS and row[0].width <= WIDEST_CELL * row[0].height and max(steps) - min(steps) <= 4


def _follows(last: Box, cell: Box, apart: float) -> bool:
    level = abs(cell.top - last.top) <= 0.15 * last.height and abs(cell.height - last.height) <= 0.2 * last.height
    beside = 0 <= cell.left - last.right <= max(12, apart * last.width)
    return level and beside and abs(cell.width - last.width) <= 0.25 * last.width


def _around(row: Sequence[Box]) -> Box:
    left, top = row[0].left, min(cell.top for cell in row)
    return Box(left, top, row[-1].right - left, max(cell.bottom for cell in row) - top)


# ---------------------------------------------------------------------------------------------- frames and lines


def _frames(ruled: _Ruled, taken: set[Box], combs: Sequence[Box], filled: bool) -> Iterator[tuple[Box, int]]:
    """Enclosed rectangles that are no cell of a row, as they lie within their lines, with the cells that ticks make."""
    lowest, highest = FRAME_HEIGHTS
    lines = cv2.dilate(np.maximum(ruled.level, ruled.upright), np.ones((5, 5), np.uint8))
    for label, (left, top, width, height, area) in enumerate(ruled.stats.tolist()):
        box = Box(left, top, width, height)
        if label == 0 or not (lowest <= height <= highest and width >= lowest and area >= FRAME_PAPER * width * height):
            continue
        if box in taken or any(_holds(box, comb) for comb in combs):
            continue
        part, own = box.cut(ruled.mask), box.cut(ruled.labels) == label
        cells = max(_ticked(part, own), _ticked(part[::-1], own[::-1]))
        if not cells and not filled:
            ink = np.count_nonzero((part > 0) & (box.cut(lines) == 0))
            square = width < 1.3 * height and min(width, height) < LONE_SIDE
            if square or width < 0.6 * height or ink > MOST_PRINT * width * height:
                continue
        yield box, cells


def _holds(box: Box, other: Box) -> bool:
    across = box.left <= other.left and box.right >= other.right
    return across and box.top <= other.top and box.bottom >= other.bottom


def _ticked(part: NDArray[np.uint8], own: NDArray[np.bool_]) -> int:
    """How many cells evenly spaced uprights at the foot of a frame make; 0 where there are none.

    `part` is the ink within the frame's lines, `own` its paper, both (height, width).
    """
    height, width = own.shape
    columns = np.flatnonzero(own.any(axis=0))
    feet = height - np.argmax(own[::-1], axis=0)[columns]
    # On a page that lies askew the foot is not level.
    near = np.abs(feet - np.median(feet)) <= 0.02 * width + 2
    slope, start = np.polyfit(columns[near], feet[near], 1) if np.count_nonzero(near) > 1 else (0.0, float(height))
    foot = slope * np.arange(width) + start
    steps = np.arange(np.ceil(TICK_ZONE[0] * height), np.ceil(TICK_ZONE[1] * height) + 2)
    rows = np.clip(np.rint(foot - 1 - steps[:, None]), 0, height - 1).astype(np.int64)
    full = np.pad((part[rows, np.arange(width)].mean(axis=0) >= TICK_FULL).astype(np.int8), 1)
    begins, ends = np.flatnonzero(np.diff(full) == 1), np.flatnonzero(np.diff(full) == -1)
    thin = (ends - begins <= max(5, 0.1 * height)) & (begins > 0) & (ends < width)
    middles = (begins[thin] + ends[thin] - 1) / 2
    best = 0
    for cells in range(2, min(MOST_CELLS, len(middles) + 1) + 1):
        # The frame's own lines are the outermost walls; `own` ends a little before them.
        walls = np.linspace(-2.5, width + 1.5, cells + 1)
        pitch = float(walls[1] - walls[0])
        if not max(12.0, 0.25 * height) <= pitch <= WIDEST_CELL * height:
            continue
        off = np.abs(middles[:, None] - walls[1:-1]) <= max(2.0, TICK_OFF * pitch)
        if off.any(axis=0).all() and np.count_nonzero(off.any(axis=1)) >= TICK_SHARE * len(middles):
            best = cells
    return best


def _writing_lines(ruled: _Ruled, frames: Sequence[Box]) -> Iterator[Box]:
    """The room above every level line that belongs to no frame, down to the line's lower edge, at the working size."""
    height, width = ruled.mask.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats(ruled.level, connectivity=8)
    least, most = ROOM
    for left, top, wide, high, _ in stats[1:].tolist():
        if not WRITING_LINE <= wide <= WIDEST_LINE * width or high > 8 + 0.02 * wide:
            continue
        line = Box(left, top, wide, max(1, high - 1))  # what finds lines thickens them downwards
        around = Box(left - 4, top - 4, wide + 8, high + 8).clip(width, height)
        if around.cut(ruled.upright).any() or any(_touch(around, frame) for frame in frames):
            continue
        above = Box(left, top - most - 4, wide, most).clip(width, height)
        used = np.flatnonzero(above.cut(ruled.mask).sum(axis=1) >= 3)
        # A gap is left below what is printed there.
        begin = max(above.top + int(used[-1]) + 4 if len(used) else 0, line.bottom - most)
        if line.bottom - begin >= least and wide >= 0.8 * (line.bottom - begin):
            yield Box(left, begin, wide, line.bottom - begin)


def _touch(one: Box, other: Box) -> bool:
    across = one.left < other.right and other.left < one.right
    return across and one.top < other.bottom and other.top < one.bottom


def _on_page(box: Box, scale: float) -> Box:
    left, top = round(box.left / scale), round(box.top / scale)
    return Box(left, top, round(box.right / scale) - left, round(box.bottom / scale) - top)


def _outer_edges(ink: NDArray[np.uint8] | None, inner: Box, scale: float) -> Box:
    """The box at the outer edges of the lines around `inner`, which lies within them at the working size."""
    box = _on_page(inner, scale)
    if ink is None:
        return box
    reach = round(8 / scale) + 2
    inside = box.clip(ink.shape[1], ink.shape[0])
    if not inside.width or not inside.height:
        return box
    around = Box(box.left - reach, box.top - reach, box.width + 2 * reach, box.height + 2 * reach)
    around = around.clip(ink.shape[1], ink.shape[0])
    rows = ink[around.top : around.bottom, inside.left : inside.right].mean(axis=1)
    columns = ink[inside.top : inside.bottom, around.left : around.right].mean(axis=0)
    thickness = round(4 / scale)
    top = around.bottom - _outer_edge(rows[::-1], around.bottom - inside.top, thickness)
    bottom = around.top + _outer_edge(rows, inside.bottom - around.top, thickness)
    left = around.right - _outer_edge(columns[::-1], around.right - inside.left, thickness)
    right = around.left + _outer_edge(columns, inside.right - around.left, thickness)
    return Box(left, top, right - left, bottom - top)


def _outer_edge(profile: NDArray[np.float64], inner: int, otherwise: int) -> int:
    """One past the last row of the line that begins near `inner`; `profile` is the share of ink in every row.

    Where no line is seen, the edge is `otherwise` rows further.
    """
    start = max(0, inner - 2)
    window = profile[start:]
    if not len(window) or window.max() < 0.4:
        return min(len(profile), inner + otherwise)
    dark = window >= 0.5 * window.max()
    first = int(dark.argmax())
    rest = np.flatnonzero(~dark[first:])
    return start + first + (int(rest[0]) if len(rest) else len(dark) - first)


def _without_nests(found: Sequence[tuple[Box, int]]) -> list[tuple[Box, int]]:
    """Boxes of which none lies on another: of two that do, the smaller stays."""
    kept: list[tuple[Box, int]] = []
    edges = np.zeros((len(found), 4), np.int64)
    for box, cells in sorted(found, key=lambda item: item[0].width * item[0].height):
        own = edges[: len(kept)]
        across = np.minimum(own[:, 2], box.right) - np.maximum(own[:, 0], box.left)
        down = np.minimum(own[:, 3], box.bottom) - np.maximum(own[:, 1], box.top)
        common = np.maximum(across, 0) * np.maximum(down, 0)
        if not (2 * common > (own[:, 2] - own[:, 0]) * (own[:, 3] - own[:, 1])).any():
            edges[len(kept)] = box.left, box.top, box.right, box.bottom
            kept.append((box, cells))
    return kept


def _in_order(found: Sequence[tuple[Box, int]]) -> list[tuple[Box, int]]:
    """From the top down; what stands in one row, sharing half of the lower one's height, from left to right."""
    rows: list[list[tuple[Box, int]]] = []
    for box, cells in sorted(found, key=lambda item: (item[0].top, item[0].left)):
        for row in reversed(rows[-8:]):
            first = row[0][0]
            shared = min(first.bottom, box.bottom) - max(first.top, box.top)
            if shared >= 0.5 * min(first.height, box.height):
                row.append((box, cells))
                break
        else:
            rows.append([(box, cells)])
    return [item for row in rows for item in sorted(row, key=lambda item: item[0].left)]
