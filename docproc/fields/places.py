"""The places for numbers on a form: proposals for a template, with which its boxes are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from docproc.fields.boxes import at_work, find_frames, ruled_page
from docproc.fields.tables import cells_of, find_tables
from docproc.pixels import components
from docproc.types import Box, Field, Page


@dataclass(frozen=True, slots=True)
class PlaceTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    same_place_share: float = 0.5  # of the smaller of two boxes, in common: then they are the same place [guess]
    max_printed_share: float = 0.5  # of a table's cells that hold print; with more, the page is filled in [guess]
    min_guide_px: int = 40  # of a ruled line at the working size; strokes of large print are shorter [guess]
    same_line_px: int = 6  # between edges of the same printed line [guess]


PLACES = PlaceTuning()


def find_places(page: Page, filled: bool = False) -> tuple[Field, ...]:
    """The places for numbers on a form: the cells of its tables, and its combs, frames and writing lines.

    On a page that is not `filled` in, the content of a cell is print.
    """
    frames = find_frames(page, filled)
    tables = [one for one in find_tables(page, filled) if sum(_inside(frame, one.area) for frame in frames if frame.cells) < 2]
    cells: list[Field] = []
    for number, table in enumerate(tables, 1):
        printed = {field.name for field, cell in zip(cells_of(table, number), table.body, strict=True) if cell.inked}
        keep_all = filled or len(printed) > PLACES.max_printed_share * len(table.body)
        cells += [field for field in cells_of(table, number) if keep_all or field.name not in printed]
    apart = find_frames(page, filled, [table.area for table in tables]) if tables else frames
    return (*cells, *(replace(frame, name=f"field_{k}") for k, frame in enumerate(apart, 1)))


def _inside(field: Field, area: Box) -> bool:
    return overlap(field.box, area) >= PLACES.same_place_share * area_of(field.box)


def guides(page: Page, places: Sequence[Field]) -> tuple[list[int], list[int]]:
    """Guides that box edges may snap to, px from the left and px from the top: the edges of `places`, and of ruled lines."""
    across = sorted({edge for one in places for edge in (one.box.left, one.box.right)})
    down = sorted({edge for one in places for edge in (one.box.top, one.box.bottom)})
    gray, scale = at_work(page)
    ruled = ruled_page(gray)
    if ruled is not None:
        for left, _, width, length, _ in components(ruled.upright)[1].tolist():
            if length >= PLACES.min_guide_px:
                _add_edges(across, (round(left / scale), round((left + width) / scale)))
        for _, top, length, height, _ in components(ruled.level)[1].tolist():
            if length >= PLACES.min_guide_px:
                _add_edges(down, (round(top / scale), round((top + height) / scale)))
    return sorted(across), sorted(down)


def _add_edges(known: list[int], edges: tuple[int, int]) -> None:
    """Add the edges of a line, unless one of its edges is already known."""
    if not any(edges[0] - PLACES.same_line_px <= edge <= edges[1] + PLACES.same_line_px for edge in known):
        known.extend(edges)


def area_of(box: Box) -> int:
    """Area in px."""
    return box.width * box.height


def overlap(one: Box, other: Box) -> int:
    """Common area of two boxes in px."""
    across = min(one.right, other.right) - max(one.left, other.left)
    return max(0, across) * max(0, min(one.bottom, other.bottom) - max(one.top, other.top))


def same_place(one: Box, other: Box) -> bool:
    """Whether two boxes are the same place: their overlap is most of the smaller one."""
    return overlap(one, other) >= PLACES.same_place_share * max(1, min(area_of(one), area_of(other)))
