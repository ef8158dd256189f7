"""Read one page and draw how it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

from docproc import stores
from docproc.archives import is_archive, place_of
from docproc.documents import folder_of
from docproc.errors import BadInput, BadUsage, DocumentError, OutputExists
from docproc.files import Document, decode_pages, later_pages, read_content
from docproc.forms import locator, open_layout
from docproc.options import Limits
from docproc.pipeline import Locate, PageResult, read_page, read_scan
from docproc.readers.confidence import Acceptance
from docproc.readers.model import Model
from docproc.rows import row_names
from docproc.rules import DateWindow, PartOrder
from docproc.runs.pictures import Picture, explain_sheet, heading, page_overlay, png, stack
from docproc.runs.tables import write_whole
from docproc.types import Box, Page, Row
from docproc.urls import Place, Url
from docproc.weights.cards import choose_for, model_hashes
from docproc.weights.opening import open_model
from docproc.weights.thresholds import own_thresholds

MAX_SHEETS = 12  # fields drawn in full below the page


@dataclass(frozen=True, slots=True)
class Explained:
    """The contents of a picture of a page."""

    rows: Sequence[Row]  # of the requested fields
    undrawn: int = 0  # fields that are on the page picture but not drawn in full below it


def explain_page(
    image: Place,
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
) -> Explained:
    """Read one page of a document and write a picture of every step to `target` (PNG).

    Fields are accepted as in a run with the same `max_error` (0..1), `thresholds`, see `docproc.weights.thresholds`, and
    `date_window` on the day `as_of` (None: today). A `field_name` is a name in the table, including a part of an E-13B line.

    Raises BadUsage for a folder, and for a field that the page's rows do not have.
    """
    if target.suffix.lower() != ".png":
        raise BadUsage(f"the picture is a PNG: {target} should end in .png")
    if isinstance(image, Path):
        _check_file(image)
    elif stores.found(image) is None:
        raise BadUsage(f"{image} is a folder; docproc explain takes one document, for example a picture in it")
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} already exists; use --overwrite to replace it, or -o for another file")
    folder = folder_of(Document(image.name, image)) if isinstance(image, Url) else str(image.parent)
    where = open_layout(layout, (str(image.parent),) if isinstance(image, Path) else (), date_order)
    backend = choose_for(backend, model).backend
    own = own_thresholds(thresholds, model_hashes(model, backend), max_error) if thresholds else None
    reader = open_model(backend, model)
    window = DateWindow(date_window, as_of or date.today()) if date_window else None
    accept = reader.accepts(max_error, window, own)
    try:
        opened, read = _read(image, page, limits, locator(where, folder), reader, accept)
    except DocumentError as problem:
        raise BadInput(f"{image}: {problem}") from problem
    # All fields were read, because they may take part in rules between fields.
    rows = read.rows if field_name is None else _asked(read, field_name)
    sheets = _sheets(read, rows, field_name)
    drawn = sheets[:MAX_SHEETS]
    whole = bool(drawn) and [field.box for field in read.placed.fields] == [Box(0, 0, opened.width, opened.height)]
    picture = stack(drawn if whole else [page_overlay(opened.gray, rows), *drawn])
    data = png(picture, "explain")
    write_whole(target, lambda file: file.write(data))
    return Explained(rows, len(sheets) - len(drawn))


def _check_file(image: Path) -> None:
    """Raises BadUsage or BadInput if it is not a document."""
    if image.is_dir():
        raise BadUsage(f"{image} is a folder; docproc explain takes one document, for example a picture in it")
    if is_archive(image.name) and image.is_file():
        raise BadUsage(f"{image} is an archive; name a document in it, for example {image / 'scan.png'}")
    if not image.is_file() and place_of(image) is None:
        raise BadInput(f"no such file: {image}")


def _asked(read: PageResult, name: str) -> list[Row]:
    """The rows of the field with this name. Raises BadUsage if the page has none."""
    wanted = next((names for result in read.results if (names := row_names(result))[0] == name), (name,))
    rows = [row for row in read.rows if row.field in wanted]
    if not rows:
        there = ", ".join(dict.fromkeys(row.field for row in read.rows))
        raise BadUsage(f"no field {name!r} on this page; {f'there are {there}' if there else 'no field was found on it'}")
    return rows


def _sheets(read: PageResult, rows: Sequence[Row], name: str | None) -> list[Picture]:
    """The steps of every field, or of the named one; for a part of an E-13B line, those of its line."""
    by_name = {row.field: row for row in rows}
    if name is None:
        return [explain_sheet(result, by_name[result.prepared.field.name]) for result in read.results]
    read_in = next((result for result in read.results if name in row_names(result)), None)
    # A field that was expected but not found has a row and no picture.
    return [explain_sheet(read_in, by_name[name]) if read_in else heading(by_name[name])]


def _read(
    image: Place, number: int, limits: Limits, locate: Locate, model: Model, accept: Acceptance
) -> tuple[Page, PageResult]:
    """A page of a document, as stored, and what was read on it. Further forms on a scan come after the last page."""
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
