"""Where a form has room for numbers: what is proposed for a template, and what its boxes are held against."""

from __future__ import annotations

from dataclasses import dataclass, replace

from docproc.fields.boxes import find_frames
from docproc.fields.tables import cells_of, find_tables
from docproc.types import Box, Field, Page


@dataclass(frozen=True, slots=True)
class PlaceTuning:
    """The numbers of this stage; each says its unit and its kind, see docs/house.md."""

    same_place_share: float = 0.5  # of the smaller of two boxes that both contain: they mean the same place [guess]
    max_printed_share: float = 0.5  # of a table's cells that hold print; with more, the page is filled in [guess]


PLACES = PlaceTuning()


def find_places(page: Page, filled: bool = False) -> tuple[Field, ...]:
    """Where a form has room for numbers: the cells of its tables, and its combs, frames and lines to write on.

    On a page that is not `filled` in, what stands in a cell is print.
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


def area_of(box: Box) -> int:
    """Px of area."""
    return box.width * box.height


def overlap(one: Box, other: Box) -> int:
    """Px of area that two boxes have in common."""
    across = min(one.right, other.right) - max(one.left, other.left)
    return max(0, across) * max(0, min(one.bottom, other.bottom) - max(one.top, other.top))


def same_place(one: Box, other: Box) -> bool:
    """Whether two boxes mean the same place: they have most of the smaller one in common."""
    return overlap(one, other) >= PLACES.same_place_share * max(1, min(area_of(one), area_of(other)))
