r"""Read this first: how a page is processed, step by step.

    open -> clean -> locate -> prepare -> recognize -> elect -> settle -> tabulate -> table

`read_page` is called by the workers of a run, `docproc explain`, the Python API and retraining. The steps are pure functions
one layer down, in `pages`, `fields`, `readers` and `rows`; only this module knows their order. It does not deal with files,
processes or inference libraries: how fields are located, and what they are read with, is passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from docproc.errors import DocumentError
from docproc.pages.blank import cut_without_print
from docproc.pages.clean import clean
from docproc.readers.confidence import Acceptance
from docproc.readers.elect import elect
from docproc.readers.model import Model
from docproc.readers.read import FieldResult, Prepared, prepare_field, recognize
from docproc.readers.settle import settle
from docproc.rows import tabulate
from docproc.types import Page, PageId, Placed, Row

Locate = Callable[[Page], Placed]


@dataclass(frozen=True, slots=True)
class PageResult:
    """A page that was read."""

    placed: Placed  # the page, registered to its form if it has one, with its fields
    results: tuple[FieldResult, ...]  # of the fields, with all intermediate values
    rows: tuple[Row, ...]  # of the table


def read_page(page: Page, locate: Locate, model: Model, accept: Acceptance) -> PageResult:
    """Read one page, from image to rows.

    `locate` finds the fields of a page that is dark on light, and registers it to its form if it has one; it raises
    DocumentError if the page has none, or does not fit. `accept` says how confident a field must be to be accepted.
    """
    placed = locate(clean(page))  # the page's fields, or places where a field may be
    prepared = prepare(placed)  # the ink of each, in the form that the networks expect
    results = recognize(prepared, model)  # what each says, and how confident that is
    results = elect(results, placed, model)  # of the places, those that are fields
    results = settle(results, placed.rules)  # what must hold between fields
    return PageResult(placed, tuple(results), tuple(tabulate(placed, results, accept)))


def read_scan(
    page: Page, locate: Locate, model: Model, accept: Acceptance, beyond: Iterator[int]
) -> Iterator[PageResult | tuple[PageId, DocumentError]]:
    """All forms on a scan, one after the other: the page, then further forms as separate pages, numbered by `beyond`.

    A form that cannot be read comes as its error.
    """
    here, count = page, 1
    while True:
        try:
            read = read_page(here, locate, model, accept)
        except DocumentError as problem:
            yield here.id, problem
            return
        yield read if count == 1 else replace(read, rows=tuple(_noted(row, page.id, count) for row in read.rows))
        rest, count = read.placed.rest, count + 1
        if rest is None:
            return
        where = PageId(page.id.document, next(beyond))
        if isinstance(rest, DocumentError):
            yield where, rest
            return
        here = replace(rest, id=where)


def _noted(row: Row, scan: PageId, count: int) -> Row:
    """The row of a form that shares its scan with others."""
    where = f"form {count} on page {scan.page}"
    return replace(row, reason=f"{row.reason}; {where}" if row.reason else where)


def prepare(placed: Placed) -> list[Prepared]:
    """Crop the fields from their page, without what is printed on the blank form, and prepare them for the networks."""
    prepared = []
    for field in placed.fields:
        box = field.crop.clip(placed.page.width, placed.page.height)
        crop = box.cut(placed.page.gray)
        if placed.blank is None:
            prepared.append(prepare_field(field, crop))
        else:
            prepared.append(prepare_field(field, cut_without_print(placed.page.gray, placed.blank, box), framed=crop))
    return prepared
