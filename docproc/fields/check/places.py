"""Places on a check that may hold a date, an amount or its printed number. Only reading them shows which it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.fields.boxes import find_boxes
from docproc.fields.check.frames import find_frames, inner_part, ruled_lines
from docproc.fields.check.working import Mask, Rect, WorkingPage, middle, overlap
from docproc.pixels import components, enlarged
from docproc.types import Box, Field, Page

DATE_CELLS = (6, 8)  # of a comb for a date: day and month, and a year of two or four digits [geometry]


@dataclass(frozen=True, slots=True)
class PlaceTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # Where on the check; shares are of its width and height.
    clear_in: float = 0.25  # above the MICR line, where there is nothing else [guess]
    min_left_share: float = 0.42  # anything that begins further left is not an amount, date or number [guess]
    margin_share: float = 0.05  # further left, searched as well, for lines that begin there [guess]
    min_middle_share: float = 0.56  # of writing [guess]
    min_frame_middle_share: float = 0.62  # of a frame [guess]
    max_date_share: float = 0.6  # from the top: a date is above this [guess]
    max_overlap_share: float = 0.5  # of writing with a frame: with more it is inside the frame [guess]
    comb_left_fifths: int = 2  # of the width: combs are searched to the right of it [guess]
    comb_height_fifths: int = 3  # of the height: and above it [guess]

    # Combs; shares are of the height or the width of a cell.
    max_level_share: float = 0.2  # by which parts of one comb may differ in top and height [guess]
    max_pitch_difference_share: float = 0.15  # of their cells [guess]
    max_joint_overlap_share: float = 0.2  # of two such parts [guess]
    max_joint_share: float = 2.5  # from there to the start of the second part: two cells broken by a digit [guess]
    edge_near_share: float = 0.1  # of a cell's height, by which a comb's horizontal lines may be off its box [guess]
    min_edge_near_px: int = 2  # likewise [guess]
    reach_share: float = 2.4  # of a cell, by which the horizontal lines may continue beyond the cells found [guess]

    # Writing.
    min_part_in: float = 0.05  # height of a part of writing [guess]
    max_part_in: float = 0.6  # likewise [guess]
    max_part_width_in: float = 1.5  # [guess]
    min_part_px: int = 8  # its ink [guess]
    max_gap_in: float = 0.21  # between the parts of one number [guess]
    inset_share: float = 0.2  # of a part's height: overlap that does not join it to parts above or below [guess]
    min_parts: int = 2  # of a number [guess]
    min_letters: int = 2  # of a printed word before it [guess]
    even_share: float = 0.08  # of its height, by which its letters may be off their line [guess]
    max_letter_gap: float = 0.6  # letter heights, from one letter to the next [guess]
    min_word_gap: float = 0.35  # the same, from the word to the number [guess]
    small_share: float = 0.6  # height of a small letter relative to the tallest one [guess]
    word_size: float = 0.82  # of the number's height, at most [guess]
    short_word_size: float = 0.5  # the same, for a word of two letters [guess]
    min_height_in: float = 0.08  # of the tallest part of a number [guess]
    margin_in: float = 0.05  # of paper around a number [guess]

    comb_width_px: int = 1600  # of a page searched for combs: a smaller one is enlarged [measured: 52 checks at 100 dpi]


PLACES = PlaceTuning()


@dataclass(frozen=True, slots=True)
class Places:
    """Places on a check where a field may be."""

    combs: tuple[Field, ...]  # for dates
    frames: tuple[Field, ...]  # for amounts
    writing: tuple[Field, ...]  # on the right, from the top down; these have no name yet


def find_places(page: Page, work: WorkingPage, inch: float, foot: float) -> Places:
    """The places on a check with its MICR line, or lower edge, at `foot`; `inch` and `foot` in px at the working size."""
    height, width = work.mask.shape
    start = round((PLACES.min_left_share - PLACES.margin_share) * width)
    part = work.upper_right(start, round(min(foot, height) - PLACES.clear_in * inch))
    level, upright = ruled_lines(part.mask, inch)
    pale_level, pale_upright = ruled_lines(part.faint, inch)
    combs = [_to_ends_of_lines(field, level, part) for field in _combs(page)]
    combs = [comb for comb in combs if comb.cells in DATE_CELLS and part.of_page(comb.box)[3] < PLACES.max_date_share * height]
    below = max((part.of_page(comb.box)[3] for comb in combs), default=0.0)
    frames = [
        frame
        for frame in find_frames(pale_level, pale_upright, inch)
        if middle(frame) + start > PLACES.min_frame_middle_share * width and below <= frame[1]
    ]
    amounts = [Field("amount", part.on_page(inner_part(frame, pale_level)), "amount", framed=True) for frame in frames]
    if combs and amounts:
        return Places(tuple(combs), tuple(amounts), ())
    lines = np.asarray(cv2.dilate(np.maximum(level, upright), np.ones((3, 3), np.uint8)), np.uint8)
    writing = [
        Field("", part.on_page(_with_margin(group, inch)), "amount")
        for group in _writing(part.mask * (1 - lines), inch)
        if group[0] + start > PLACES.min_left_share * width and middle(group) + start > PLACES.min_middle_share * width
        if all(overlap(group, frame) < PLACES.max_overlap_share for frame in frames)
    ]
    return Places(tuple(combs), tuple(amounts), tuple(writing))


# --------------------------------------------------------------------------------------------------------- combs


def _combs(page: Page) -> list[Field]:
    """Rows of about as many boxes as a date has, in the upper right of the page."""
    left, height = page.width * PLACES.comb_left_fifths // 5, page.height * PLACES.comb_height_fifths // 5
    part = Box(left, 0, page.width - left, height)
    large = max(1.0, PLACES.comb_width_px / page.width)
    gray = enlarged(np.ascontiguousarray(part.cut(page.gray)), large)
    found = [field for field in find_boxes(Page(page.id, gray)) if field.cells]
    dates = []
    for box, cells in _joined_combs([(field.box, field.cells) for field in found]):
        # The cell at an end may lack its outer wall.
        if min(DATE_CELLS) - 1 <= cells <= max(DATE_CELLS):
            own = box.scaled(1 / large).clip(part.width, part.height)
            moved = Box(own.left + part.left, own.top + part.top, own.width, own.height)
            dates.append(Field("date", moved, "comb", (0, cells), cells=cells))
    return dates


def _joined_combs(rows: Sequence[tuple[Box, int]]) -> list[tuple[Box, int]]:
    """Rows of boxes, each with its number of cells; those split by a digit across a wall are joined."""
    joined: list[tuple[Box, int]] = []
    for box, cells in sorted(rows, key=lambda row: row[0].left):
        for k, (other, other_cells) in enumerate(joined):
            if _goes_on(other, other_cells, box, cells):
                whole = Box(other.left, min(box.top, other.top), box.right - other.left, max(box.height, other.height))
                joined[k] = whole, round(whole.width / ((other.width + box.width) / (other_cells + cells)))
                break
        else:
            joined.append((box, cells))
    return joined


def _goes_on(last: Box, last_cells: int, box: Box, cells: int) -> bool:
    """Whether a row of boxes continues another one."""
    pitch, difference = box.width / cells, PLACES.max_level_share * box.height
    level = abs(last.top - box.top) <= difference and abs(last.height - box.height) <= difference
    alike = abs(last.width / last_cells - pitch) <= PLACES.max_pitch_difference_share * pitch
    joint = box.left - last.right + PLACES.max_joint_overlap_share * pitch
    return level and alike and 0 <= joint <= PLACES.max_joint_share * pitch


def _to_ends_of_lines(comb: Field, level: Mask, work: WorkingPage) -> Field:
    """A comb extended along its horizontal lines, with the cells at its ends whose walls were not seen."""
    left, top, right, bottom = work.of_page(comb.box)
    pitch, near = (right - left) / comb.cells, max(PLACES.min_edge_near_px, round(PLACES.edge_near_share * (bottom - top)))
    reach = round(PLACES.reach_share * pitch)
    start, end = max(0, round(left) - reach), min(level.shape[1], round(right) + reach)
    ends = []
    for y in (top, bottom):
        line = level[max(0, round(y) - near) : round(y) + near + 1, start:end].any(axis=0)
        ruled = np.flatnonzero(line)
        if not len(ruled):
            return comb
        ends.append((start + int(ruled[0]), start + int(ruled[-1]) + 1))
    from_x, to_x = max(a for a, _ in ends), min(b for _, b in ends)
    before, after = (max(0, round(v / pitch)) for v in (left - from_x, to_x - right))
    cells = comb.cells + before + after
    if cells == comb.cells or cells not in DATE_CELLS:
        return comb
    box = work.on_page((left - before * pitch, top, right + after * pitch, bottom))
    return Field(comb.name, box, comb.kind, (0, cells), cells=cells)


# ------------------------------------------------------------------------------------------------------- writing


def _writing(mask: Mask, inch: float) -> list[Rect]:
    """Groups of writing close together on one line, with ruled lines removed; from the top down."""
    _, table = components(mask)
    heights, widths = table[:, 3] / inch, table[:, 2] / inch
    fit = (heights >= PLACES.min_part_in) & (heights <= PLACES.max_part_in) & (widths <= PLACES.max_part_width_in)
    parts = table[fit & (table[:, 4] >= PLACES.min_part_px)]
    canvas = np.zeros_like(mask)
    aside = round(PLACES.max_gap_in / 2 * inch)
    for left, top, wide, tall, _ in parts.tolist():
        inset = round(PLACES.inset_share * tall)
        cv2.rectangle(canvas, (left - aside, top + inset), (left + wide + aside, top + tall - inset), 1, -1)
    _, groups = components(canvas)
    found: list[Rect] = []
    for left, top, wide, tall, _ in groups.tolist():
        inner = _without_word(parts[_middles_within(parts, (left + aside, top, left + wide - aside, top + tall))])
        if len(inner) < PLACES.min_parts or wide - 2 * aside <= tall:
            continue
        if inner[:, 3].max() >= PLACES.min_height_in * inch:
            right, bottom = (inner[:, 0] + inner[:, 2]).max(), (inner[:, 1] + inner[:, 3]).max()
            found.append((float(inner[:, 0].min()), float(inner[:, 1].min()), float(right), float(bottom)))
    return sorted(found, key=lambda rect: rect[1])


def _without_word(parts: NDArray[np.int32]) -> NDArray[np.int32]:
    """The parts of a group without a printed word before the writing, such as DATE.

    A word is two or more letters (lower-case ones may be too small to count) on one baseline, close together, shorter than
    what follows, and apart from it. A number is never separated from smaller cents after it.
    """
    parts = parts[np.argsort(parts[:, 0], kind="stable")]
    for count in range(len(parts) - PLACES.min_parts, PLACES.min_letters - 1, -1):
        if _is_word(parts[:count].astype(np.float64), parts[count:].astype(np.float64)):
            return parts[count:]
    return parts


def _is_word(letters: NDArray[np.float64], rest: NDArray[np.float64]) -> bool:
    left, top, wide, tall = letters[:, :4].T
    high = float(tall.max())
    even = PLACES.even_share * high + 1
    small = tall[tall < high - even]
    level = np.ptp(top + tall) <= even and (
        not len(small) or (np.ptp(small) <= even and small.min() >= PLACES.small_share * high)
    )
    gap = float((left[1:] - (left + wide)[:-1]).max())
    apart = float(rest[:, 0].min() - (left + wide).max())
    size, reach = PLACES.word_size, PLACES.max_letter_gap
    if len(letters) == PLACES.min_letters:
        size, reach = PLACES.short_word_size, 2 * reach
    close = gap <= reach * high and apart >= max(gap, PLACES.min_word_gap * high)
    return bool(level and close and high <= size * float(np.median(rest[:, 3])))


def _middles_within(parts: NDArray[np.int32], rect: Rect) -> NDArray[np.bool_]:
    x, y = parts[:, 0] + parts[:, 2] / 2, parts[:, 1] + parts[:, 3] / 2
    return np.asarray((x >= rect[0]) & (x <= rect[2]) & (y >= rect[1]) & (y <= rect[3]), np.bool_)


def _with_margin(group: Rect, inch: float) -> Rect:
    margin = PLACES.margin_in * inch
    return group[0] - margin, group[1] - margin, group[2] + margin, group[3] + margin
