"""Find number fields on a form without a template: rows of equal boxes, combs, frames, and writing lines.

Ruled lines are what survives a morphological opening with a long thin element; the paper that they enclose forms cells;
adjacent cells of one size in one row are a field. `find_boxes` is for pages that are about to be read; `find_frames` is
for describing a form, and returns exactly what is printed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components, flatten_light, otsu
from docproc.types import Box, Field, Gray, Page

MAX_CELLS = 64  # of a comb; a longer row is graph paper [guess]
MAX_ROWS_BACK = 8  # rows with which a box is compared when boxes are sorted [guess]


@dataclass(frozen=True, slots=True)
class BoxTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md.

    All px are at the working size.
    """

    # Ink and lines.
    work_width_px: int = 1700  # to which a page is scaled: letter paper at 200 dpi [guess]
    light_reach_px: int = 41  # over which the light is flattened [guess]
    min_contrast_gray: float = 30  # between paper and ink [guess]
    edge_share: float = 0.3  # of the way from Otsu's threshold to paper that is still ink [guess]
    min_line_px: int = 22  # of a ruled line [guess]

    # Cells; shares are of a cell's width or height.
    min_side_px: int = 16  # of a cell [guess]
    max_side_px: int = 130  # likewise [guess]
    min_paper_share: float = 0.45  # of its area that remains if a digit's strokes pass for lines [guess]
    max_aspect_ratio: float = 1.6  # of width to height; a wider one holds a number, not a digit [guess]

    # Rows of cells.
    max_gap_share: float = 0.3  # from one cell to the next [guess]
    max_even_gap_share: float = 0.8  # the same if a row's boxes are evenly spaced [guess]
    min_gap_px: int = 12  # a gap that is always allowed: the walls of two boxes [guess]
    max_drop_share: float = 0.15  # of the next cell, up or down [guess]
    max_height_difference_share: float = 0.2  # of two cells [guess]
    max_width_difference_share: float = 0.25  # of two cells [guess]
    max_uneven_px: int = 4  # by which the steps of an even row differ [guess]
    min_sure_cells: int = 3  # of a row that cannot be mistaken for digits [guess]
    row_heights: float = 1.5  # boxes whose tops are within a band of this many box heights are read from left to right [guess]
    margin_px: int = 4  # around a row that is read, to include its own walls [guess]

    # A row that fills a cropped field.
    rim_share: float = 0.05  # of its height, margin around it in which ink counts as inside [guess]
    min_inside_share: float = 0.98  # of all ink [guess]

    # Frames for whole numbers.
    min_frame_px: int = 24  # height and width [guess]
    max_frame_px: int = 200  # height [guess]
    min_frame_paper_share: float = 0.6  # of its rectangle that is one piece of paper [guess]
    max_print_share: float = 0.02  # of its rectangle that is ink; with more it holds text [guess]
    max_square_ratio: float = 1.3  # of width to height of a single square [guess]
    max_tick_box_px: int = 36  # of a single square: a smaller one is a checkbox [guess]
    min_frame_ratio: float = 0.6  # of width to height [guess]

    # Ticks at a frame's bottom or top; shares are of the frame's height or of a cell's width.
    tick_from_share: float = 0.04  # above the bottom: there are ticks there, but rarely digits [guess]
    tick_to_share: float = 0.14  # likewise [guess]
    tick_ink_share: float = 0.7  # of the rows between, for a tick [guess]
    max_tick_width_px: int = 5  # [guess]
    max_tick_width_share: float = 0.1  # likewise, in tall frames [guess]
    max_foot_skew_share: float = 0.02  # of the frame's width, by which its bottom may be off level [guess]
    max_foot_skew_px: int = 2  # likewise, in addition [guess]
    wall_outside_px: tuple[float, float] = (-2.5, 1.5)  # centers of the outermost walls, beyond the paper [geometry]
    min_pitch_px: float = 12.0  # of ticks [guess]
    min_pitch_share: float = 0.25  # likewise, of the frame's height [guess]
    max_tick_offset_px: float = 2.0  # from its position in an even division [guess]
    max_tick_offset_share: float = 0.1  # likewise, of a cell's width [guess]
    min_tick_share: float = 0.6  # of the vertical lines at a frame's bottom that are its ticks [guess]

    # Writing lines.
    min_writing_line_px: int = 60  # [guess]
    max_writing_line_share: float = 0.75  # of the page's width; a longer one divides the form [guess]
    max_thickness_px: int = 8  # of a line, including its skew [guess]
    max_thickness_share: float = 0.02  # likewise, of its length, in addition [guess]
    clear_px: int = 4  # around it, without other ruled lines [guess]
    min_print_px: int = 3  # ink in a row that counts as print [guess]
    print_gap_px: int = 4  # from the print above to the writing space [guess]
    min_room_px: int = 30  # above it [guess]
    max_room_px: int = 100  # above it, for its box: half an inch [guess]
    min_room_ratio: float = 0.8  # of the writing space's width to its height [guess]

    # The outer edges of printed lines.
    edge_reach_px: int = 8  # beyond the paper of a cell or frame, within which its lines end [guess]
    usual_line_px: int = 4  # thickness assumed if no line is seen [guess]
    min_edge_ink_share: float = 0.4  # of a row of px that belongs to a line [guess]
    edge_fall_share: float = 0.5  # of a line's fullest row: a row with less is outside [guess]
    inner_slack_px: int = 2  # by which the paper found may extend into the line, in px of the page [guess]

    max_nested_share: float = 0.5  # of a box covered by another; of two such boxes the smaller one is kept [guess]
    min_row_share: float = 0.5  # of the shorter one's height that two boxes of one row share [guess]


BOXES = BoxTuning()


@dataclass(frozen=True, slots=True, eq=False)
class Ruled:
    """The ruled lines on a page at the working size; all arrays are (height, width)."""

    mask: NDArray[np.uint8]  # 1 ink
    level: NDArray[np.uint8]  # 1 on horizontal lines
    upright: NDArray[np.uint8]  # 1 on vertical lines
    labels: NDArray[np.int32]  # piece of paper between the lines; 0 for the lines themselves, slightly thickened
    pieces: NDArray[np.int32]  # (n, 5) int32: left, top, width, height, area of every piece


def find_boxes(page: Page, apart: Sequence[Box] = ()) -> tuple[Field, ...]:
    """Every row of two or more equal boxes as a comb `field_1`, `field_2`, …, from the top down, left to right.

    Boxes in one of the areas `apart`, in px of the page, are left out: the tables.
    """
    gray, scale = at_work(page)
    rows = _rows([cell for cell in _cells(ruled_page(gray)) if not _within(_on_page(cell, scale), apart)])
    rows.sort(key=lambda row: (round(row[0].top / (BOXES.row_heights * row[0].height)), row[0].left))
    fields = []
    for number, row in enumerate(rows, 1):
        around = _around(row)
        # The crop includes the frame itself: it is used to find the cells' walls.
        margin = BOXES.margin_px
        box = Box(
            round((around.left - margin) / scale),
            round((around.top - margin) / scale),
            round((around.width + 2 * margin) / scale),
            round((around.height + 2 * margin) / scale),
        ).clip(page.width, page.height)
        fields.append(Field(f"field_{number}", box, "comb", (0, len(row)), cells=len(row)))
    return tuple(fields)


def find_frames(page: Page, filled: bool = False, apart: Sequence[Box] = ()) -> tuple[Field, ...]:
    """The places for numbers on a form, exactly as printed: `field_1`, `field_2`, … in reading order.

    Rows of boxes, and frames evenly divided by ticks at their bottom or top, are combs; other empty frames are strings.
    Their boxes extend to the outer edges of the lines. Writing lines are strings too, with the space above them.
    On a page that is `filled` in, frames need not be empty, and writing lines are not searched for.
    Boxes in one of the areas `apart`, in px of the page, are left out: the tables.
    """
    gray, scale = at_work(page)
    ruled = ruled_page(gray)
    if ruled is None:
        return ()
    found: list[tuple[Box, int]] = []  # at the working size, inside the lines; and the number of cells
    taken: set[Box] = set()
    cells = _cells(ruled)
    rows = [row for row in _rows(cells) if _is_narrow(row[0])]
    joined = {cell for row in rows for cell in row}
    rows += [row for row in _rows([cell for cell in cells if cell not in joined], BOXES.max_even_gap_share) if _even(row)]
    for row in rows:
        taken.update(row)
        if len(row) <= MAX_CELLS:
            found.append((_around(row), len(row)))
    found += list(_frames(ruled, taken, [box for box, _ in found], filled))
    fine = ruled.mask if scale == 1 else _ink_mask(page.gray, round(BOXES.light_reach_px / scale))
    exact = [(_outer_edges(fine, box, scale), cells) for box, cells in found]
    if not filled:
        near = [box for box, _ in found]
        lines = [_on_page(box, scale) for box in _writing_lines(ruled, near)]
        exact += [(box, 0) for box in lines]
    exact = [(box, cells) for box, cells in exact if not _within(box, apart)]
    ordered = _in_order(_without_nests([(box.clip(page.width, page.height), cells) for box, cells in exact]))
    return tuple(
        Field(f"field_{k}", box, "comb" if cells else "string", (0, cells) if cells else None, cells=cells)
        for k, (box, cells) in enumerate(ordered, 1)
    )


def lone_row(page: Page, name: str) -> Field | None:
    """The row of boxes that fills a cropped field, as a comb; None if there is none."""
    found = find_boxes(page)
    if len(found) != 1 or found[0].cells < BOXES.min_sure_cells:
        return None
    box = found[0].box
    flat = flatten_light(page.gray, BOXES.light_reach_px)
    threshold, _, _ = otsu(flat)
    ink = (flat <= threshold).astype(np.uint8)
    rim = round(BOXES.rim_share * box.height)
    whole = Box(box.left - rim, box.top - rim, box.width + 2 * rim, box.height + 2 * rim).clip(page.width, page.height)
    inside = int(whole.cut(ink).sum())
    return replace(found[0], name=name) if inside >= BOXES.min_inside_share * int(ink.sum()) else None


def at_work(page: Page) -> tuple[Gray, float]:
    """The page at the working size, and px of it per px of the page."""
    scale = min(1.0, BOXES.work_width_px / page.width)
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    return np.asarray(cv2.resize(page.gray, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def _ink_mask(gray: Gray, light_reach: int) -> NDArray[np.uint8] | None:
    """1 where there is ink, (height, width); None on a page without contrast."""
    flat = flatten_light(gray, light_reach)
    threshold, dark, light = otsu(flat)
    if light - dark < BOXES.min_contrast_gray:
        return None
    return (flat <= min(255.0, threshold + BOXES.edge_share * (light - threshold))).astype(np.uint8)


def ruled_page(gray: Gray) -> Ruled | None:
    """The lines of a page at the working size; None on a page without contrast."""
    mask = _ink_mask(gray, BOXES.light_reach_px)
    if mask is None:
        return None
    length = BOXES.min_line_px
    level = cv2.morphologyEx(cv2.dilate(mask, np.ones((2, 1), np.uint8)), cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(cv2.dilate(mask, np.ones((1, 2), np.uint8)), cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    lines = cv2.dilate(np.maximum(level, upright), np.ones((3, 3), np.uint8))
    labels, pieces = components((lines == 0).astype(np.uint8), 4)
    return Ruled(mask, np.asarray(level, np.uint8), np.asarray(upright, np.uint8), labels, pieces)


def _cells(ruled: Ruled | None) -> list[Box]:
    """The pieces of paper that may be boxes for single digits."""
    if ruled is None:
        return []
    width, height, area = ruled.pieces[:, 2], ruled.pieces[:, 3], ruled.pieces[:, 4]
    least, most = BOXES.min_side_px, BOXES.max_side_px
    fit = (width >= least) & (width <= most) & (height >= least) & (height <= most)
    fit &= area > BOXES.min_paper_share * width * height
    # The loop of an 8 is enclosed too, within its cell.
    cells = ruled.pieces[fit, :4]
    return [Box(*(int(v) for v in cell)) for cell in cells[~_enclosed(cells)]]


def _enclosed(cells: NDArray[np.int32]) -> NDArray[np.bool_]:
    """(n,) whether another of the (n, 4) boxes contains the box; only those that begin within a cell's width are compared."""
    order = np.argsort(cells[:, 0], kind="stable")
    left, top = cells[order, 0], cells[order, 1]
    right, bottom = left + cells[order, 2], top + cells[order, 3]
    starts = np.searchsorted(left, left - BOXES.max_side_px)
    ends = np.searchsorted(left, left, side="right")
    found = np.zeros(len(cells), np.bool_)
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        near = slice(start, end)
        holds = (right[near] >= right[k]) & (top[near] <= top[k]) & (bottom[near] >= bottom[k])
        found[order[k]] = np.count_nonzero(holds) > 1  # every box contains itself
    return found


def _rows(cells: Sequence[Box], max_gap: float = BOXES.max_gap_share) -> list[list[Box]]:
    """Runs of adjacent cells of similar size, separated by no more than a line or `max_gap` of their width."""
    if not cells:
        return []
    # Index rows by their ends, so that a cell is only compared with those that end near it.
    across = max(BOXES.min_gap_px, round(max_gap * max(cell.width for cell in cells)))
    down = max(1, round(BOXES.max_drop_share * max(cell.height for cell in cells)))
    rows: list[list[Box]] = []
    ends: dict[tuple[int, int], set[int]] = defaultdict(set)

    def tile(cell: Box) -> tuple[int, int]:
        return cell.right // across, cell.top // down

    for cell in sorted(cells, key=lambda c: c.left):
        column, level = cell.left // across, cell.top // down
        near = sorted(k for x in (column - 1, column) for y in (level - 1, level, level + 1) for k in ends.get((x, y), ()))
        chosen = next((k for k in near if _follows(rows[k][-1], cell, max_gap)), len(rows))
        if chosen == len(rows):
            rows.append([])
        else:
            ends[tile(rows[chosen][-1])].discard(chosen)
        rows[chosen].append(cell)
        ends[tile(cell)].add(chosen)
    return [row for row in rows if len(row) >= 2]


def _is_narrow(cell: Box) -> bool:
    """Whether a cell is for a single digit, not a number."""
    return cell.width <= BOXES.max_aspect_ratio * cell.height


def _even(row: Sequence[Box]) -> bool:
    """Whether separate boxes belong together: three or more digit boxes at equal distances."""
    steps = [right.left - left.left for left, right in pairwise(row)]
    return len(row) >= BOXES.min_sure_cells and _is_narrow(row[0]) and max(steps) - min(steps) <= BOXES.max_uneven_px


def _follows(last: Box, cell: Box, max_gap: float) -> bool:
    """Whether a cell may be the next in a row."""
    level = abs(cell.top - last.top) <= BOXES.max_drop_share * last.height
    beside = 0 <= cell.left - last.right <= max(BOXES.min_gap_px, max_gap * last.width)
    as_high = abs(cell.height - last.height) <= BOXES.max_height_difference_share * last.height
    as_wide = abs(cell.width - last.width) <= BOXES.max_width_difference_share * last.width
    return level and beside and as_high and as_wide


def _around(row: Sequence[Box]) -> Box:
    left, top = row[0].left, min(cell.top for cell in row)
    return Box(left, top, row[-1].right - left, max(cell.bottom for cell in row) - top)


# ---------------------------------------------------------------------------------------------- frames and lines


def _frames(ruled: Ruled, taken: set[Box], combs: Sequence[Box], filled: bool) -> Iterator[tuple[Box, int]]:
    """Enclosed rectangles that are not cells of a row, inside their lines, with the number of cells marked by ticks."""
    lines = np.asarray(cv2.dilate(np.maximum(ruled.level, ruled.upright), np.ones((5, 5), np.uint8)), np.uint8)
    for label, (left, top, width, height, area) in enumerate(ruled.pieces.tolist(), 1):
        box = Box(left, top, width, height)
        if not _may_be_frame(box, area) or box in taken or any(_holds(box, comb) for comb in combs):
            continue
        part, own = box.cut(ruled.mask), box.cut(ruled.labels) == label
        cells = max(_ticked(part, own), _ticked(part[::-1], own[::-1]))
        if cells or filled or _is_empty_frame(box, part, box.cut(lines)):
            yield box, cells


def _may_be_frame(box: Box, area: int) -> bool:
    high = BOXES.min_frame_px <= box.height <= BOXES.max_frame_px
    return high and box.width >= BOXES.min_frame_px and area >= BOXES.min_frame_paper_share * box.width * box.height


def _is_empty_frame(box: Box, ink: NDArray[np.uint8], lines: NDArray[np.uint8]) -> bool:
    """Whether a frame is for writing a number: it is not a checkbox, and contains nothing but its lines."""
    tick_box = box.width < BOXES.max_square_ratio * box.height and min(box.width, box.height) < BOXES.max_tick_box_px
    if tick_box or box.width < BOXES.min_frame_ratio * box.height:
        return False
    return int(np.count_nonzero((ink > 0) & (lines == 0))) <= BOXES.max_print_share * box.width * box.height


def _holds(box: Box, other: Box) -> bool:
    across = box.left <= other.left and box.right >= other.right
    return across and box.top <= other.top and box.bottom >= other.bottom


def _ticked(part: NDArray[np.uint8], own: NDArray[np.bool_]) -> int:
    """The number of cells marked by evenly spaced ticks at the bottom of a frame; 0 if there are none.

    `part` is the ink within the frame's lines, `own` its paper, both (height, width).
    """
    height, width = own.shape
    middles = _thin_uprights(part, _foot(own))
    best = 0
    for cells in range(2, min(MAX_CELLS, len(middles) + 1) + 1):
        # The frame's own lines are the outermost walls; its paper ends slightly before them.
        before, behind = BOXES.wall_outside_px
        walls = np.linspace(before, width + behind, cells + 1)
        pitch = float(walls[1] - walls[0])
        if not max(BOXES.min_pitch_px, BOXES.min_pitch_share * height) <= pitch <= BOXES.max_aspect_ratio * height:
            continue
        max_offset = max(BOXES.max_tick_offset_px, BOXES.max_tick_offset_share * pitch)
        at_wall = np.abs(middles[:, None] - walls[1:-1]) <= max_offset
        if at_wall.any(axis=0).all() and np.count_nonzero(at_wall.any(axis=1)) >= BOXES.min_tick_share * len(middles):
            best = cells
    return best


def _foot(own: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The row below a frame's paper, in every column. On a skewed page it is not level."""
    height, width = own.shape
    columns = np.flatnonzero(own.any(axis=0))
    feet = height - np.argmax(own[::-1], axis=0)[columns]
    near = np.abs(feet - np.median(feet)) <= BOXES.max_foot_skew_share * width + BOXES.max_foot_skew_px
    slope, start = np.polyfit(columns[near], feet[near], 1) if np.count_nonzero(near) > 1 else (0.0, float(height))
    return np.asarray(slope * np.arange(width) + start, np.float64)


def _thin_uprights(part: NDArray[np.uint8], foot: NDArray[np.float64]) -> NDArray[np.float64]:
    """The center columns of tick-like strokes at the bottom of a frame."""
    height, width = part.shape
    steps = np.arange(np.ceil(BOXES.tick_from_share * height), np.ceil(BOXES.tick_to_share * height) + 2)
    rows = np.clip(np.rint(foot - 1 - steps[:, None]), 0, height - 1).astype(np.int64)
    inked = part[rows, np.arange(width)].mean(axis=0) >= BOXES.tick_ink_share
    change = np.diff(np.pad(inked.astype(np.int8), 1))
    begins, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    max_width = max(BOXES.max_tick_width_px, BOXES.max_tick_width_share * height)
    thin = (ends - begins <= max_width) & (begins > 0) & (ends < width)
    return np.asarray((begins[thin] + ends[thin] - 1) / 2, np.float64)


def _writing_lines(ruled: Ruled, frames: Sequence[Box]) -> Iterator[Box]:
    """The space above every horizontal line outside frames, down to the line's lower edge, at the working size."""
    height, width = ruled.mask.shape
    _, table = components(ruled.level)
    clear, max_room = BOXES.clear_px, BOXES.max_room_px
    for left, top, wide, high, _ in table.tolist():
        if not BOXES.min_writing_line_px <= wide <= BOXES.max_writing_line_share * width:
            continue
        if high > BOXES.max_thickness_px + BOXES.max_thickness_share * wide:
            continue
        line = Box(left, top, wide, max(1, high - 1))  # lines were thickened downward for detection
        around = Box(left - clear, top - clear, wide + 2 * clear, high + 2 * clear).clip(width, height)
        if around.cut(ruled.upright).any() or any(_touch(around, frame) for frame in frames):
            continue
        above = Box(left, top - max_room - clear, wide, max_room).clip(width, height)
        printed = np.flatnonzero(above.cut(ruled.mask).sum(axis=1) >= BOXES.min_print_px)
        free = above.top + int(printed[-1]) + BOXES.print_gap_px if len(printed) else 0
        begin = max(free, line.bottom - max_room)
        room = line.bottom - begin
        if room >= BOXES.min_room_px and wide >= BOXES.min_room_ratio * room:
            yield Box(left, begin, wide, room)


def _within(box: Box, areas: Sequence[Box]) -> bool:
    """Whether the middle of a box is in one of the areas."""
    x, y = box.left + box.width / 2, box.top + box.height / 2
    return any(area.left <= x < area.right and area.top <= y < area.bottom for area in areas)


def _touch(one: Box, other: Box) -> bool:
    across = one.left < other.right and other.left < one.right
    return across and one.top < other.bottom and other.top < one.bottom


def _on_page(box: Box, scale: float) -> Box:
    left, top = round(box.left / scale), round(box.top / scale)
    return Box(left, top, round(box.right / scale) - left, round(box.bottom / scale) - top)


def _outer_edges(ink: NDArray[np.uint8] | None, inner: Box, scale: float) -> Box:
    """The box at the outer edges of the lines around `inner`, which is inside them at the working size."""
    box = _on_page(inner, scale)
    if ink is None:
        return box
    reach = round(BOXES.edge_reach_px / scale) + BOXES.inner_slack_px
    inside = box.clip(ink.shape[1], ink.shape[0])
    if not inside.width or not inside.height:
        return box
    around = Box(box.left - reach, box.top - reach, box.width + 2 * reach, box.height + 2 * reach)
    around = around.clip(ink.shape[1], ink.shape[0])
    rows = ink[around.top : around.bottom, inside.left : inside.right].mean(axis=1)
    columns = ink[inside.top : inside.bottom, around.left : around.right].mean(axis=0)
    thickness = round(BOXES.usual_line_px / scale)
    top = around.bottom - _outer_edge(rows[::-1], around.bottom - inside.top, thickness)
    bottom = around.top + _outer_edge(rows, inside.bottom - around.top, thickness)
    left = around.right - _outer_edge(columns[::-1], around.right - inside.left, thickness)
    right = around.left + _outer_edge(columns, inside.right - around.left, thickness)
    return Box(left, top, right - left, bottom - top)


def _outer_edge(profile: NDArray[np.float64], inner: int, otherwise: int) -> int:
    """One past the last row of the line that begins near `inner`; `profile` is the share of ink in every row.

    If no line is seen, the edge is `otherwise` rows further.
    """
    start = max(0, inner - BOXES.inner_slack_px)
    window = profile[start:]
    if not len(window) or window.max() < BOXES.min_edge_ink_share:
        return min(len(profile), inner + otherwise)
    dark = window >= BOXES.edge_fall_share * window.max()
    first = int(dark.argmax())
    rest = np.flatnonzero(~dark[first:])
    return start + first + (int(rest[0]) if len(rest) else len(dark) - first)


def _without_nests(found: Sequence[tuple[Box, int]]) -> list[tuple[Box, int]]:
    """The boxes without overlaps: of two that overlap, the smaller one is kept."""
    kept: list[tuple[Box, int]] = []
    edges = np.zeros((len(found), 4), np.int64)
    for box, cells in sorted(found, key=lambda item: item[0].width * item[0].height):
        others = edges[: len(kept)]
        across = np.minimum(others[:, 2], box.right) - np.maximum(others[:, 0], box.left)
        down = np.minimum(others[:, 3], box.bottom) - np.maximum(others[:, 1], box.top)
        common = np.maximum(across, 0) * np.maximum(down, 0)
        if not (common > BOXES.max_nested_share * (others[:, 2] - others[:, 0]) * (others[:, 3] - others[:, 1])).any():
            edges[len(kept)] = box.left, box.top, box.right, box.bottom
            kept.append((box, cells))
    return kept


def _in_order(found: Sequence[tuple[Box, int]]) -> list[tuple[Box, int]]:
    """From the top down; boxes in one row, sharing half of the shorter one's height, from left to right."""
    rows: list[list[tuple[Box, int]]] = []
    for box, cells in sorted(found, key=lambda item: (item[0].top, item[0].left)):
        for row in reversed(rows[-MAX_ROWS_BACK:]):
            first = row[0][0]
            shared = min(first.bottom, box.bottom) - max(first.top, box.top)
            if shared >= BOXES.min_row_share * min(first.height, box.height):
                row.append((box, cells))
                break
        else:
            rows.append([(box, cells)])
    return [item for row in rows for item in sorted(row, key=lambda item: item[0].left)]
