"""Maps the name of a layout to a function that finds the fields of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from docproc.errors import DocumentError
from docproc.fields import template
from docproc.fields.choosing import laid_out
from docproc.fields.laying import OpenForm
from docproc.fields.template import Template
from docproc.rules import PartOrder
from docproc.types import Box, Field, Page, Placed

if TYPE_CHECKING:
    from docproc.fields.check import Check
    from docproc.fields.tables import Table


TWO_LINES = "two lines of writing stand here"  # a reason
MAX_TABLE_SLOPE = 0.002  # of a table: a more skewed one is leveled, so that its cells hold no rules [guess]
MAX_TURNS = 4  # times that a page is rotated and cropped until it is an upright check [guess]


def _digits(page: Page, order: PartOrder) -> Placed:
    # Imported late, so that the process that only hands out work does not load OpenCV.
    from docproc.fields.boxes import lone_row
    from docproc.fields.strip import looks_like_strip, whole_page, written_part

    doubt = _one_number(page, "digits")
    cut_out = looks_like_strip(page)
    field = (lone_row(page, "digits") or whole_page(page, "digits")) if cut_out else written_part(page, "digits")
    return Placed(page, (replace(field, doubt=doubt),))


def _amount(page: Page, order: PartOrder) -> Placed:
    from docproc.fields.strip import looks_like_strip, whole_page, written_part

    doubt = _one_number(page, "amount")
    found = whole_page if looks_like_strip(page) else written_part
    return Placed(page, (replace(found(page, "amount", "amount"), doubt=doubt),))


def _one_number(page: Page, layout: str) -> str:
    """Why an image of one number may not show just one number; "" if there is no sign of that.

    Raises DocumentError for a whole page. An image shaped like a crop may also show another line.
    """
    from docproc.fields.strip import lines_of_writing, looks_like_strip

    lines = lines_of_writing(page)
    if lines > (2 if looks_like_strip(page) else 1):
        raise DocumentError(
            "several_lines",
            f"{lines} lines of writing stand on this page, and --layout {layout} reads one number on each picture; "
            "--layout auto finds the boxes, the tables and the checks on a page; a template says where the fields are",
        )
    return TWO_LINES if lines > 1 else ""


def _decimal(page: Page, order: PartOrder) -> Placed:
    from docproc.fields.strip import looks_like_strip, whole_page, written_part

    doubt = _one_number(page, "decimal")
    found = whole_page if looks_like_strip(page) else written_part
    return Placed(page, (replace(found(page, "decimal", "decimal"), signed=True, doubt=doubt),))


def _check(page: Page, order: PartOrder) -> Placed:
    placed = _as_check(page, order)
    if placed is None:
        raise DocumentError(
            "not_a_check",
            "this does not look like a check: it has neither a MICR line nor an amount and a date; give another --layout",
        )
    return placed


def _as_check(page: Page, order: PartOrder) -> Placed | None:
    """The page, upright, with the places where the fields of a check may be; None if it is not a check."""
    from docproc.fields.check import elect, micr_box

    try:
        page, found = upright_check(page)
    except ValueError as problem:
        raise DocumentError("several_checks", str(problem)) from problem
    if found is None:
        return None
    line = () if found.band is None else (Field("micr", micr_box(found.band, page), "micr", parts=True),)
    fields = (*found.frames, *found.combs, *line, *found.places)
    return Placed(page, fields, elect=partial(elect, order=order), expected=("amount", "date", "micr"))


def upright_check(page: Page) -> tuple[Page, Check | None]:
    """The page rotated, leveled and cropped until it is an upright check, and what is found on it; None if it is not a check.

    Raises ValueError if there are several checks on the page.
    """
    from docproc.fields.check import find_check
    from docproc.pages.clean import cut_out, leveled, turned

    found = find_check(page)
    for _ in range(MAX_TURNS):
        if found is None or found.settled:
            return page, found
        if found.part is not None:
            page = cut_out(page, found.part)
        else:
            page = turned(page, found.quarters) if found.quarters else leveled(page, found.slope)
        found = find_check(page)
    return page, found if found is not None and found.settled else None


def _micr(page: Page, order: PartOrder) -> Placed:
    from docproc.fields.strip import whole_page

    return Placed(page, (whole_page(page, "micr", "micr"),))


def _by_shape(page: Page, order: PartOrder) -> Placed:
    from docproc.fields.boxes import find_boxes
    from docproc.fields.check import is_small_check, looks_like_check
    from docproc.fields.strip import is_line, lines_of_writing, looks_like_strip, written_part
    from docproc.fields.tables import cells_of

    strip = looks_like_strip(page)
    may_be_check = is_small_check(page) if strip else looks_like_check(page)
    check = _as_check(page, order) if may_be_check else None
    if check is not None and _has_line(check) and len(check.fields) > 2:
        return check
    page, tables = _with_tables(page)
    if strip and not tables:
        return _digits(page, order)
    cells = tuple(field for number, table in enumerate(tables, 1) for field in cells_of(table, number))
    found = cells + find_boxes(page, [table.area for table in tables])
    if found:
        return Placed(page, found)
    # An empty page is blank; one with a single line is a cropped field with much paper around it.
    if lines_of_writing(page) <= 1:
        written = written_part(page, "digits")
        if is_line(written) or written.box == Box(0, 0, page.width, page.height):
            return Placed(page, (written,))
    # A check on a larger page comes last: searching for it is slow.
    check = None if may_be_check else _as_check(page, order)
    if check is not None and _has_line(check):
        return check
    raise DocumentError(
        "no_fields",
        "no number fields were found on this page; say where they are in a template: docproc template init",
    )


def _has_line(check: Placed) -> bool:
    return any(field.name == "micr" for field in check.fields)


def _with_tables(page: Page) -> tuple[Page, tuple[Table, ...]]:
    """The page, leveled if it has tables, and its tables."""
    from docproc.fields.tables import find_tables
    from docproc.pages.clean import leveled

    tables = find_tables(page)
    if tables and abs(tables[0].slope) > MAX_TABLE_SLOPE:
        level = leveled(page, tables[0].slope)
        if again := find_tables(level):
            return level, again
    return page, tables


LAYOUTS: Mapping[str, Callable[[Page, PartOrder], Placed]] = {
    "auto": _by_shape, "digits": _digits, "amount": _amount, "decimal": _decimal, "micr": _micr, "check": _check,
}  # fmt: skip
"""Layouts by name. To add one, write how it finds its fields in `fields` and register it here."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout settings of a run; small enough to send to the workers."""

    name: str  # a key of LAYOUTS
    templates: tuple[Template, ...] = ()  # for every page: the one that fits is used
    beside: Mapping[str, tuple[Template, ...]] | None = None  # for the pages of a folder, by the folder's path
    date_order: PartOrder = "auto"  # for dates whose fields leave it open

    def locate(self, page: Page, folder: str, open_form: OpenForm) -> Placed:
        """The fields of a page in `folder`, dark on light. Raises DocumentError if it has none or does not fit.

        `open_form` returns what is known about the form of a template.
        """
        known = self.templates_for(folder)
        placed = laid_out(page, known, open_form) if known else LAYOUTS[self.name](page, self.date_order)
        return replace(placed, fields=tuple(self._ordered(field) for field in placed.fields))

    def _ordered(self, field: Field) -> Field:
        if field.rules is None or field.rules.date != "auto" or self.date_order == "auto":
            return field
        return replace(field, rules=replace(field.rules, date=self.date_order))

    def enough(self, folder: str) -> int:
        """The long side in px at which a page in `folder` is large enough to be read; 0 if not known."""
        return max((template.enough(known) for known in self.templates_for(folder)), default=0)

    def templates_for(self, folder: str) -> tuple[Template, ...]:
        """The templates, if any, that may apply to pages in `folder`."""
        return self.templates or (self.beside or {}).get(folder, ())
