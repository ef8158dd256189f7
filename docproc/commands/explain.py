"""Read one page and draw how."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date
from itertools import islice
from pathlib import Path

from docproc.backends import choose
from docproc.errors import BadInput, BadUsage, DocumentError, OutputExists
from docproc.files import decode_pages, later_pages, read_content
from docproc.forms import locator, open_layout
from docproc.options import Limits
from docproc.pipeline import Locate, PageResult, read_page, read_scan
from docproc.readers.confidence import Acceptance
from docproc.readers.e13b.parts import PARTS
from docproc.readers.model import Model
from docproc.rules import DateWindow, PartOrder
from docproc.runs.pictures import explain_sheet, page_overlay, stack
from docproc.runs.tables import write_whole
from docproc.types import Box, Page, Row
from docproc.weights.cards import model_hashes
from docproc.weights.opening import open_model
from docproc.weights.thresholds import own_thresholds

MAX_SHEETS = 12  # fields drawn in full below the page


def explain_page(
    image: Path,
    target: Path,
    *,
    layout: str | Sequence[str],
    page: int,
    field_name: str | None,
    backend: str,
    model: Path | None,
    max_error: float,
    thresholds: Path | None,
    date_order: PartOrder,
    date_window: str,
    as_of: date | None,
    limits: Limits,
    overwrite: bool,
) -> Sequence[Row]:
    """Read one page of a document and write the picture of every step to `target` (PNG); returns its rows.

    Fields are accepted as in a run with the same `max_error` (0..1), `thresholds`, see `docproc.weights.thresholds`, and
    `date_window` on the day `as_of` (None: today).
    """
    if target.suffix.lower() != ".png":
        raise BadUsage(f"the picture is a PNG: {target} should end in .png")
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} is there already; give --overwrite or another name with -o")
    if not image.is_file():
        raise BadInput(f"no such file: {image}")
    where = open_layout(layout, (str(image.parent),), date_order)
    backend = choose(backend).backend
    own = own_thresholds(thresholds, model_hashes(model, backend), max_error) if thresholds else None
    reader = open_model(backend, model)
    window = DateWindow(date_window, as_of or date.today()) if date_window else None
    accept = reader.accepts(max_error, window, own)
    try:
        opened, read = _read(image, page, limits, locator(where, str(image.parent)), reader, accept)
    except DocumentError as problem:
        raise BadInput(f"{image}: {problem}") from problem
    results, rows = read.results, read.rows
    if field_name is not None:
        # All fields were read, because rules between them take part.
        results = tuple(result for result in results if result.prepared.field.name == field_name)
        if not results:
            names = ", ".join(result.prepared.field.name for result in read.results)
            raise BadUsage(f"no field {field_name!r} on this page; there are {names}")
        shown = {field_name, *(PARTS if results[0].prepared.field.parts else ())}
        rows = tuple(row for row in rows if row.field in shown)
    row_of = {row.field: row for row in rows}
    sheets = [explain_sheet(result, row_of[result.prepared.field.name]) for result in results][:MAX_SHEETS]
    whole = [field.box for field in read.placed.fields] == [Box(0, 0, opened.width, opened.height)]
    picture = stack(sheets if whole else [page_overlay(opened.gray, rows), *sheets])
    data = io.BytesIO()
    picture.save(data, "PNG")
    write_whole(target, lambda file: file.write(data.getvalue()))
    return rows


def _read(
    image: Path, number: int, limits: Limits, locate: Locate, model: Model, accept: Acceptance
) -> tuple[Page, PageResult]:
    """A page of a document, as it is stored, and what was read on it. Further forms on a scan come after the last page."""
    data = read_content(image, limits).data
    found = next(islice(decode_pages(image.name, data, limits), number - 1, number), None)
    if isinstance(found, tuple):
        raise found[1]
    if found is not None:
        return found, read_page(found, locate, model, accept)
    beyond = later_pages(data, limits)
    for page in decode_pages(image.name, data, limits):
        if isinstance(page, tuple):
            continue
        for one in read_scan(page, locate, model, accept, beyond):
            if not isinstance(one, tuple) and one.placed.page.id.page == number:
                return page, one
    raise DocumentError("no_pages", f"there is no page {number}")
