"""Scans overlaid on a form while its template is edited: each is opened and registered in a worker process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from docproc.errors import DocumentError
from docproc.fields.laying import WHY
from docproc.fields.lint import Fit, PageFindings, fit_page, inspect_page
from docproc.fields.template import Template, parse_pages
from docproc.files import decode_pages, read_content
from docproc.forms import beside, open_form
from docproc.options import Limits
from docproc.types import Page
from docproc.web.reading import draw_page

MAX_PAGES = 10  # of a document that are examined [guess]


@dataclass(frozen=True, slots=True)
class Look:
    """A document to overlay on the pages of a template."""

    path: Path
    name: str
    text: str  # of the template
    source: Path  # where the template is, or will be
    limits: Limits
    pictures: str = ""  # prefix of the file names of its pictures; "" for none


@dataclass(frozen=True, slots=True)
class Laid:
    """A page of a document overlaid on a page of the form."""

    page: int  # of the form, from 1
    findings: PageFindings
    summary: str
    residual: float | None  # px of the form, on average; None if pages are used without registration
    apart: Mapping[str, float]  # px of the form, by field: how far its print is from where the page's fit puts it
    trouble: Mapping[str, str]  # why a field's position is unreliable
    picture: Path | None  # PNG of the page as transformed onto the form


@dataclass(frozen=True, slots=True)
class Looked:
    """The result for a document."""

    laid: tuple[Laid, ...]
    refused: tuple[str, ...]  # why other pages are not overlaid


def open_looker() -> Callable[[Look], Looked]:
    """In a worker: returns the function that overlays documents on forms."""
    import cv2

    cv2.setNumThreads(1)  # one process per core is enough
    return look


def look(task: Look) -> Looked:
    """Overlay the pages of a document on the form. Raises DocumentError if it cannot be opened."""
    from docproc.pages.clean import clean

    pages = parse_pages(task.text, str(task.source), beside(task.source.parent))
    laid: list[Laid] = []
    refused: list[str] = []
    content = read_content(task.path, task.limits)
    for number, found in enumerate(islice(decode_pages(task.name, content.data, task.limits, 0), MAX_PAGES), 1):
        called = task.name if number == 1 else f"{task.name}, page {number}"
        try:
            if isinstance(found, tuple):
                raise found[1]
            place = f"{task.pictures}-{number}.png" if task.pictures else ""
            laid.append(_lay(called, clean(found), pages, place))
        except DocumentError as problem:
            refused.append(f"{called}: {problem}")
    return Looked(tuple(laid), tuple(refused))


def _lay(name: str, page: Page, pages: tuple[Template, ...], place: str) -> Laid:
    """Overlay a page on the page of the form that it fits. Raises DocumentError if it fits none."""
    failed: DocumentError | None = None
    for number, known in enumerate(pages, 1):
        if not known.fields:
            continue
        try:
            fit = fit_page(page, known, open_form)
        except DocumentError as problem:
            failed = failed or problem
            continue
        picture = Path(place) if place and draw_page(fit.placed.page, Path(place)) else None
        apart, trouble = _own_places(page, known, fit)
        findings = inspect_page(name, page, fit, known)
        return Laid(number, findings, fit.summary, fit.placed.page.residual, apart, trouble, picture)
    raise failed or DocumentError("no_fields", "the template has no field yet")


def _own_places(page: Page, known: Template, fit: Fit) -> tuple[dict[str, float], dict[str, str]]:
    """By field: the offset of its own print, and why its position is unreliable."""
    if not known.registers:
        return {}, {}
    from docproc.pages.register import local_fits

    form = open_form(known)
    fits = local_fits(page.gray, fit.to_page, form.reference.scale, form.print, [field.box for field in known.fields])
    pairs = list(zip(known.fields, fits, strict=True))
    return (
        {field.name: round(one.residual, 1) for field, one in pairs},
        {field.name: WHY[one.trouble] for field, one in pairs if one.trouble},
    )
