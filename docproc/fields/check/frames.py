"""Printed frames on a check that may hold an amount: two horizontal lines with two vertical sides between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.fields.check.working import Mask, Rect, overlap
from docproc.pixels import components

LevelLine = tuple[int, int, int]  # left, y, right, px at the working size


@dataclass(frozen=True, slots=True)
class FrameTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # Lines.
    min_line_in: float = 0.45  # of a horizontal line [guess]
    max_print_gap_in: float = 0.025  # between letters of small print that form a line [guess]
    min_print_gap_px: int = 3  # likewise [guess]
    max_thickness_in: float = 0.06  # of a horizontal line; anything thicker is joined writing [guess]
    max_thickness_px: int = 4  # likewise, on small images [guess]
    max_line_gap_in: float = 0.12  # between the pieces of a slightly skewed line [guess]
    max_step_share: float = 0.25  # of that gap, by which the next piece may be higher or lower [guess]
    max_step_px: int = 2  # likewise, in addition [guess]

    # Frames.
    min_height_in: float = 0.2  # [guess]
    max_height_in: float = 0.75  # [guess]
    min_width_in: float = 0.8  # [guess]
    max_width_in: float = 3.5  # [guess]
    min_upright_share: float = 0.9  # of the least frame height, length of a vertical line [guess]
    near_in: float = 0.02  # by which a vertical side may be off its expected position [guess]
    min_near_px: int = 2  # likewise [guess]
    min_side_share: float = 0.8  # of a frame's vertical side that is ink [guess]
    min_inner_side_share: float = 0.93  # likewise, inside, where there are pen strokes too [guess]
    end_share: float = 0.06  # of the horizontal lines' common length: at its ends a side may be less clear [guess]
    max_overlap_share: float = 0.5  # of two frames; of those that overlap more the smaller one is kept [guess]

    # The paper within a frame.
    line_reach_share: float = 0.22  # of the frame's height, within which its horizontal lines may be, thick or skewed [guess]
    min_line_reach_px: int = 2  # likewise [guess]
    line_share: float = 0.25  # of a row inside the frame that is ruled: then the row belongs to its line [guess]


FRAMES = FrameTuning()


def ruled_lines(mask: Mask, inch: float) -> tuple[Mask, Mask]:
    """Masks of the horizontal and the vertical lines; small print that forms a line counts as one. `inch` is in px."""
    gap = max(FRAMES.min_print_gap_px, round(FRAMES.max_print_gap_in * inch))
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, gap), np.uint8))
    joined = cv2.dilate(joined, np.ones((2, 1), np.uint8))
    level = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, round(FRAMES.min_line_in * inch)), np.uint8))
    thickness = max(FRAMES.max_thickness_px, round(FRAMES.max_thickness_in * inch))
    thick = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((thickness, 1), np.uint8))
    leaning = cv2.dilate(mask, np.ones((1, 2), np.uint8))
    height = round(FRAMES.min_upright_share * FRAMES.min_height_in * inch)
    upright = cv2.morphologyEx(leaning, cv2.MORPH_OPEN, np.ones((height, 1), np.uint8))
    return np.asarray(level * (1 - thick), np.uint8), np.asarray(upright, np.uint8)


def find_frames(level: Mask, upright: Mask, inch: float) -> list[Rect]:
    """Rectangles of two horizontal lines and two vertical sides, the tightest if several overlap; from left to right."""
    lines = _level_lines(level, inch)
    near = max(FRAMES.min_near_px, round(FRAMES.near_in * inch))
    sides = np.asarray(cv2.dilate(upright, np.ones((1, 2 * near + 1), np.uint8)), np.uint8)
    found: list[Rect] = []
    for upper in lines:
        for lower in lines:
            height = lower[1] - upper[1]
            left, right = max(upper[0], lower[0]), min(upper[2], lower[2])
            if not FRAMES.min_height_in * inch <= height <= FRAMES.max_height_in * inch:
                continue
            if right - left < FRAMES.min_width_in * inch:
                continue
            rows = slice(upper[1], lower[1] + 1)
            walls = _sides(sides[rows], upright[rows], left, right, near)
            found += [(begin, float(upper[1]), end, float(lower[1])) for begin, end in _between(walls, inch)]
    found.sort(key=lambda rect: (rect[2] - rect[0]) * (rect[3] - rect[1]))
    kept: list[Rect] = []
    for rect in found:
        if all(max(overlap(other, rect), overlap(rect, other)) <= FRAMES.max_overlap_share for other in kept):
            kept.append(rect)
    return sorted(kept)


def inner_part(frame: Rect, level: Mask) -> Rect:
    """A frame without its horizontal lines, which may be thick or skewed."""
    left, top, right, bottom = (round(v) for v in frame)
    reach = max(FRAMES.min_line_reach_px, round(FRAMES.line_reach_share * (bottom - top)))
    rows = level[:, left:right].mean(axis=1) > FRAMES.line_share
    head = np.flatnonzero(rows[top - 2 : top + reach])
    foot = np.flatnonzero(rows[bottom - reach : bottom + 3])
    upper = top - 2 + int(head[-1]) + 1 if len(head) else top + 1
    lower = bottom - reach + int(foot[0]) if len(foot) else bottom
    return left + 1, upper + 1, right - 1, lower - 1


def _level_lines(level: Mask, inch: float) -> list[LevelLine]:
    """The horizontal lines; those that continue at about the same height are joined."""
    _, table = components(level)
    pieces = [(int(x), int(y + h / 2), int(x + w)) for x, y, w, h, _ in table if w >= FRAMES.min_line_in * inch]
    gap = FRAMES.max_line_gap_in * inch
    joined: list[LevelLine] = []
    for left, y, right in sorted(pieces):
        for k, (start, other_y, end) in enumerate(joined):
            if abs(other_y - y) <= FRAMES.max_step_share * gap + FRAMES.max_step_px and left - end <= gap:
                joined[k] = (start, (other_y + y) // 2, max(end, right))
                break
        else:
            joined.append((left, y, right))
    return joined


def _sides(sides: Mask, upright: Mask, left: int, right: int, near: int) -> list[tuple[int, int]]:
    """Vertical lines between two horizontal ones that both extend from `left` to `right`: first column and last + 1 of each.

    `upright` holds the rows from one horizontal line to the other, and `sides` the same, dilated by `near` px.
    """
    start = max(0, left - near)
    columns = slice(start, right + near + 1)
    walls = _runs(sides[:, columns].mean(axis=0) >= FRAMES.min_side_share, start)
    ruled = upright[:, columns].mean(axis=0)
    ends = (right - left) * FRAMES.end_share + 2 * near
    return [
        (first, last)
        for first, last in walls
        if first <= left + ends
        or last >= right - ends
        or ruled[first - start : last - start].max() >= FRAMES.min_inner_side_share
    ]


def _runs(full: NDArray[np.bool_], start: int) -> list[tuple[int, int]]:
    """Runs of True: (first, last + 1), counted from `start`."""
    steps = np.diff(np.pad(full.astype(np.int8), 1))
    begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return [(int(a) + start, int(b) + start) for a, b in zip(begins, ends, strict=True)]


def _between(walls: Sequence[tuple[int, int]], inch: float) -> Iterator[tuple[float, float]]:
    """Pairs of walls with room for a number: from each right side to the next wall; the bar of `500/-` is not a wall."""
    least, most = FRAMES.min_width_in * inch, FRAMES.max_width_in * inch
    for k, (end, _) in enumerate(walls):
        if any(other - end < least for other, _ in walls[k + 1 :]):
            continue
        begin = next((b for _, b in reversed(walls[:k]) if end - b >= least), None)
        if begin is not None and end - begin <= most:
            yield float(begin), float(end)
