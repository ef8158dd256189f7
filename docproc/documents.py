"""From documents to rows: the networks are loaded once and used for document after document.

The workers of a run, the Python API and retraining all read documents through this module. `pipeline` processes a page; this
module opens the pages, runs the pipeline for each, and checks what only shows in the whole document.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from docproc.archives import SUFFIX, place_of
from docproc.backends import BACKENDS
from docproc.errors import DocumentError, MissingPart
from docproc.fields.layouts import Layout
from docproc.fields.template import Template
from docproc.files import Document, decode_pages, later_pages
from docproc.forms import is_form, locator, open_layout
from docproc.heap import keep_freed_memory
from docproc.options import CropsOf, Limits, RunRequest
from docproc.rules import DateWindow
from docproc.sheets import Seen, with_sheets
from docproc.types import Page, PageId, Row, Sheet
from docproc.urls import Url
from docproc.weights.cards import choose_for, model_hashes
from docproc.weights.thresholds import own_thresholds

if TYPE_CHECKING:
    from docproc.pipeline import PageResult
    from docproc.readers.confidence import Acceptance
    from docproc.readers.model import Model

NOWHERE = ""  # the folder of a document that is not a file


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings for reading documents; small enough to send to the workers."""

    layout: Layout
    backend: str  # never `auto`: all workers use the same
    model: Path | None
    max_error: float
    limits: Limits
    crops: Path | None
    crops_of: CropsOf = "review"
    beside: str = ""  # the folder of crops, as named in the table
    window: str = ""  # of dates, like `RunRequest.date_window`
    as_of: date | None = None  # the day from which it counts; None: today
    models: tuple[tuple[str, str], ...] = ()  # hashes of the models to read with; () if any will do
    stores: tuple[str, ...] = ()  # schemes of the documents that are not files
    thresholds: tuple[tuple[str, float], ...] = ()  # the user's own: field name, least confidence
    distant: bool = False  # another process has the networks, see `runs.hosting`


def settings_for(documents: Sequence[Document], request: RunRequest) -> Settings:
    """The settings for a request; `auto` looks for a template next to the documents.

    Raises BadUsage or BadConfig for an invalid layout or thresholds, MissingPart for a backend that does not work.
    """
    backend = choose_for(request.backend, request.model).backend
    layout = open_layout(request.layout, folders_of(documents), request.date_order)
    models = tuple(model_hashes(request.model, backend).items())
    own = own_thresholds(Path(request.thresholds), dict(models), request.max_error) if request.thresholds else {}
    if BACKENDS[backend].builds:
        from docproc.weights.opening import open_model

        open_model(backend, request.model)  # once, and not in all workers at the same time
    return Settings(
        layout, backend, request.model, request.max_error, request.limits, request.crops,
        crops_of=request.crops_of, beside=_beside(request.crops, request.output.parent) if request.crops else "",
        window=request.date_window, as_of=request.as_of, models=models, stores=_stores_of(documents),
        thresholds=tuple(own.items()),
    )  # fmt: skip


def _stores_of(documents: Sequence[Document]) -> tuple[str, ...]:
    return tuple(sorted({one.path.store.partition(":")[0].lower() for one in documents if isinstance(one.path, Url)}))


def _beside(place: Path, folder: Path) -> str:
    """A place relative to a folder, with "/" on every system."""
    try:
        return Path(os.path.relpath(place, folder)).as_posix()
    except ValueError:  # on Windows, another drive
        return place.absolute().as_posix()


def folder_of(document: Document) -> str:
    """The folder of a document."""
    path = os.fspath(document.path)
    if isinstance(document.path, Url):
        inner = document.path.packed
        return os.path.dirname(str(inner[1] if inner else document.path))
    if SUFFIX in path.lower() and (found := place_of(document.path)):
        path = os.fspath(found[0])  # a template is next to the archive
    # Like `Path.parent`, but ten times as fast: there may be hundreds of thousands.
    return os.path.dirname(path) or "."


def folders_of(documents: Sequence[Document]) -> tuple[str, ...]:
    """The folders of documents that are files, each once: templates are not searched for in stores."""
    return tuple(sorted({folder_of(document) for document in documents if not isinstance(document.path, Url)}))


# ----------------------------------------------------------------------------------------------------- opening


@dataclass(frozen=True, slots=True)
class Opened:
    """A document whose pages can be read, from a file or from memory."""

    name: str
    pages: Iterable[Page | tuple[PageId, DocumentError]]  # decoded one after the other; raises DocumentError
    beyond: Iterator[int]  # page numbers for further forms on a scan
    folder: str = NOWHERE
    form: bool = False  # it is a template's own image of its form, which may be blank


def opened(name: str, data: bytes, settings: Settings, folder: str = NOWHERE, *, form: bool = False) -> Opened:
    """Open a document with this content."""
    pages = decode_pages(name, data, settings.limits, settings.layout.enough(folder))
    return Opened(name, pages, later_pages(data, settings.limits), folder, form)


def opened_file(document: Document, data: bytes, settings: Settings) -> Opened:
    """Open a document that is a file with this content."""
    return opened(document.name, data, settings, folder_of(document), form=is_form(settings.layout, document))


# ----------------------------------------------------------------------------------------------------- reading


def check_networks(settings: Settings) -> None:
    """Raises MissingPart if the networks on this machine are not those of the settings."""
    if settings.models and tuple(model_hashes(settings.model, settings.backend).items()) != settings.models:
        raise MissingPart("the networks were changed while the run was reading; give the same command again")


@dataclass(frozen=True, slots=True)
class DocumentReader:
    """Holds the networks and the acceptance thresholds, and reads document after document."""

    model: Model
    accept: Acceptance

    @staticmethod
    def open(settings: Settings) -> DocumentReader:
        """Load the networks. Raises MissingPart."""
        from docproc.weights.opening import open_model

        return DocumentReader.of(settings, open_model(settings.backend, settings.model))

    @staticmethod
    def of(settings: Settings, model: Model) -> DocumentReader:
        """Use these networks. Raises MissingPart if they are not those of the settings.

        From now on this process keeps the memory of a page for the next, see `heap`.
        """
        check_networks(settings)
        keep_freed_memory()
        window = DateWindow(settings.window, settings.as_of or date.today()) if settings.window else None
        return DocumentReader(model, model.accepts(settings.max_error, window, dict(settings.thresholds)))

    def read_pages(self, document: Opened, layout: Layout) -> Iterator[PageResult | Row]:
        """The pages of a document as they are read; a page that cannot be read, or has no fields, comes as its row.

        Further forms on a scan are numbered after the last page, so that each page keeps its own number.

        Raises DocumentError if the whole document cannot be read.
        """
        from docproc.pipeline import read_scan

        locate = locator(layout, document.folder)
        for page in document.pages:
            scan = [page] if isinstance(page, tuple) else read_scan(page, locate, self.model, self.accept, document.beyond)
            for found in scan:
                yield error_row(*found) if isinstance(found, tuple) else found

    def read(self, document: Opened, layout: Layout, rows_of: Callable[[PageResult], Sequence[Row]]) -> list[Row]:
        """The rows of a document; one that cannot be read is a row with the status `error`.

        `rows_of` gives the rows of a page that was read; if it raises DocumentError, that becomes the page's row.
        """
        from docproc.readers.confidence import BLANK_REQUIRED

        rows: list[Row] = []
        sheets: list[Seen] = []
        try:
            for found in self.read_pages(document, layout):
                if isinstance(found, Row):
                    rows.append(found)
                    continue
                where = found.placed.page.id
                if found.placed.sheet:
                    sheets.append((where.page, found.placed.sheet))
                try:
                    rows += rows_of(found)
                except DocumentError as problem:
                    rows.append(error_row(where, problem))
        except DocumentError as problem:
            rows.append(error_row(PageId(document.name), problem))
        rows = with_sheets(rows, sheets, partial(_fields_of, layout.templates_for(document.folder)))
        if document.form and all(row.status == "blank" or row.reason == BLANK_REQUIRED for row in rows):
            return []  # the empty form is among its scans
        return [replace(row, run=self.model.name) for row in rows]


def error_row(where: PageId, problem: DocumentError) -> Row:
    """The row of the table for a page that could not be read."""
    reason = f"{problem.code}: {problem}"
    return Row(where.document, where.page, "", "", "", None, "error", reason, "", "", "", None, None, None, None)


def _fields_of(templates: Sequence[Template], sheet: Sheet) -> list[str]:
    """The names of the fields on a page of a multi-page form."""
    return [field.name for known in templates if known.sheet == sheet for field in known.fields]
