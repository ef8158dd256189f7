"""Find number fields on a form without a template: rows of equal boxes, and combs.

Ruled lines are what survives an opening with a long thin element; the paper that they enclose are cells; cells of one
size in one row, side by side, are a field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from docproc.pixels import flatten_light, otsu
from docproc.types import Box, Field, Gray, Page

WORK_WIDTH = 1700  # px to which a page is brought: 200 dpi on letter paper
SHORTEST_LINE = 22  # px at that width
LEAST_PAPER = 0.45  # of a cell that is left when a digit's strokes pass for lines
LEAST_CELLS = 3  # of a row that is told from digits by itself
MOST_INSIDE = 0.98  # of the ink that lies in the row then
CELL_SIDES = (16, 130)  # px at that width, least and most of a cell's width and height


def find_boxes(page: Page) -> tuple[Field, ...]:
    """Every row of two or more equal boxes as a comb `field_1`, `field_2`, …, from the top down, left to right."""
    scale = min(1.0, WORK_WIDTH / page.width)
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    gray = np.asarray(cv2.resize(page.gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    rows = _rows(_cells(gray))
    rows.sort(key=lambda row: (round(row[0].top / (1.5 * row[0].height)), row[0].left))
    fields = []
    for number, row in enumerate(rows, 1):
        left, top = row[0].left, min(cell.top for cell in row)
        right, bottom = row[-1].right, max(cell.bottom for cell in row)
        # The frame itself belongs to the crop: the segmenter finds the walls by it.
        pad = 4
        box = Box(
            round((left - pad) / scale),
            round((top - pad) / scale),
            round((right - left + 2 * pad) / scale),
            round((bottom - top + 2 * pad) / scale),
        ).clip(page.width, page.height)
        fields.append(Field(f"field_{number}", box, "comb", (0, len(row)), cells=len(row)))
    return tuple(fields)


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


def _cells(gray: Gray) -> list[Box]:
    flat = flatten_light(gray, 41)
    threshold, dark, light = otsu(flat)
    if light - dark < 30:
        return []
    mask = (flat <= min(255.0, threshold + 0.3 * (light - threshold))).astype(np.uint8)
    thick = np.ones((3, 3), np.uint8)
    across = cv2.morphologyEx(
        cv2.dilate(mask, np.ones((2, 1), np.uint8)), cv2.MORPH_OPEN, np.ones((1, SHORTEST_LINE), np.uint8)
    )
    down = cv2.morphologyEx(cv2.dilate(mask, np.ones((1, 2), np.uint8)), cv2.MORPH_OPEN, np.ones((SHORTEST_LINE, 1), np.uint8))
    lines = cv2.dilate(np.maximum(across, down), thick)
    _, _, stats, _ = cv2.connectedComponentsWithStats((lines == 0).astype(np.uint8), connectivity=4)
    least, most = CELL_SIDES
    cells = []
    for left, top, width, height, area in stats[1:]:
        if least <= width <= most and least <= height <= most and area > LEAST_PAPER * width * height:
            cells.append(Box(int(left), int(top), int(width), int(height)))
    # The eye of an 8 is enclosed as well, within its cell.
    return [cell for cell in cells if not any(_inside(cell, other) for other in cells)]


def _inside(cell: Box, other: Box) -> bool:
    return (
        cell is not other
        and other.left <= cell.left
        and other.top <= cell.top
        and other.right >= cell.right
        and other.bottom >= cell.bottom
    )


def _rows(cells: Sequence[Box]) -> list[list[Box]]:
    """Runs of cells that stand side by side, alike in size, divided by no more than a line."""
    rows: list[list[Box]] = []
    for cell in sorted(cells, key=lambda c: c.left):
        for row in rows:
            last = row[-1]
            level = abs(cell.top - last.top) <= 0.15 * last.height and abs(cell.height - last.height) <= 0.2 * last.height
            beside = 0 <= cell.left - last.right <= max(12, 0.3 * last.width)
            if level and beside and abs(cell.width - last.width) <= 0.25 * last.width:
                row.append(cell)
                break
        else:
            rows.append([cell])
    return [row for row in rows if len(row) >= 2]
