"""What a worker of the server does with an upload: read it as a run does, and draw its pages for viewing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from docproc.documents import DocumentReader, Settings, opened
from docproc.errors import DocumentError
from docproc.files import Document, read_content
from docproc.types import Page, PageId, Row

if TYPE_CHECKING:
    from docproc.pipeline import PageResult

PICTURE_SIDE = 1600  # px, longer side of a page's picture [guess]
PNG_EFFORT = 3  # of 9: larger files, but faster [guess]


@dataclass(frozen=True, slots=True)
class Task:
    """A document to read; its pages are drawn into files whose names start with `pictures`, "" for none."""

    document: Document
    pictures: str = ""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The picture of a page (PNG), and the size of the page as stored."""

    page: int
    path: Path
    width: int  # px of the page as stored
    height: int
    tall: float  # height of a pixel over its width


@dataclass(frozen=True, slots=True)
class Answer:
    """The results of reading a document."""

    rows: tuple[Row, ...]
    pages: tuple[Drawn, ...]
    accounts: frozenset[str]  # names of fields that contain an account number


def open_reader(settings: Settings) -> Callable[[Task], Answer]:
    """In a worker: load the networks once, then read documents. Raises MissingPart."""
    import cv2

    cv2.setNumThreads(1)  # one process per core is enough
    reader = DocumentReader.open(settings)

    def work(task: Task) -> Answer:
        name, accounts, drawn = task.document.name, set[str](), list[Drawn]()

        def rows_of(page: PageResult) -> Sequence[Row]:
            accounts.update(account_fields(page))
            return page.rows

        document = opened(name, read_content(task.document.path, settings.limits).data, settings)
        if task.pictures:
            document = replace(document, pages=_drawing(document.pages, task.pictures, drawn))
        rows = reader.read(document, settings.layout, rows_of)
        return Answer(tuple(rows), tuple(drawn), frozenset(accounts))

    return work


def account_fields(page: PageResult) -> Iterator[str]:
    """The rows of a page that reveal an account: E-13B lines, and the account in them."""
    from docproc.readers.e13b import PrintedResult

    for result in page.results:
        if isinstance(result, PrintedResult):
            yield result.prepared.field.name
            if result.prepared.field.parts:
                yield "account"


Pages = Iterable["Page | tuple[PageId, DocumentError]"]


def _drawing(pages: Pages, start: str, drawn: list[Drawn]) -> Iterator[Page | tuple[PageId, DocumentError]]:
    """Passes the pages through, and draws each one."""
    for page in pages:
        if isinstance(page, Page):
            path = Path(f"{start}-{page.id.page}.png")
            if draw_page(page, path):
                width, height = round(page.width * page.shrunk), round(page.height * page.shrunk)
                drawn.append(Drawn(page.id.page, path, width, height, page.tall))
        yield page


def draw_page(page: Page, path: Path) -> bool:
    """Write the picture of a page (PNG) to a new file. False if it cannot be written: the page is then read without it."""
    import cv2
    from PIL import Image

    scale = min(1.0, PICTURE_SIDE / max(page.gray.shape))
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    small = page.gray if scale == 1 else cv2.resize(page.gray, size, interpolation=cv2.INTER_AREA)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb") as file:
            Image.fromarray(small).save(file, "PNG", compress_level=PNG_EFFORT)
    except OSError:
        path.unlink(missing_ok=True)
        return False
    return True
