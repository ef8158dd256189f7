"""Views of the scans of a run: fields cut out of their pages, and pages with a field marked.

A scan is opened again for this, and only if its content is still what was read. Nothing is decoded that a run did not decode.
"""

from __future__ import annotations

import io
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from docproc.errors import DocumentError
from docproc.files import decode_pages, read_content
from docproc.options import Limits
from docproc.runs.journal import Journal
from docproc.types import Box, Page, Row
from docproc.urls import Place, Url

KEPT_PAGES = 4  # decoded pages that are kept for further fields on them [guess]
AROUND, BESIDE = 0.35, 0.5  # paper shown above and below a field, and beside it, in units of the field's height [guess]
LEAST_HEIGHT = 140  # px of a crop; a smaller one is enlarged up to MAX_ENLARGED times [guess]
MAX_ENLARGED = 4.0  # [guess]
CROP_SIDE = 1600  # px, longer side of a crop [guess]
PAGE_SIDE = 2200  # px, longer side of a page view [guess]
NEAR = 0.4  # share of the page's width that is shown when enlarged [guess]
MARK = (0, 112, 190)  # color of the mark, in BGR order
COVER = 70  # gray level that covers hidden fields
SMALL = (
    (900, 60),
    (640, 50),
    (480, 40),
    (360, 30),
    (240, 25),
    (160, 15),
)  # width in px and WebP quality, best first [guess]

Picture = NDArray[np.uint8]  # (height, width) or (height, width, 3) uint8

_SECOND_FORM = re.compile(r"form \d+ on page (\d+)$")


class Scans:
    """Opens the scans of a run; may be shared between threads, and one thread decodes at a time."""

    def __init__(self, paths: dict[str, Place], limits: Limits, journal: Path | None = None) -> None:
        self._paths, self.limits, self._journal = paths, limits, journal
        self._lock = threading.Lock()
        self._pages: OrderedDict[tuple[str, int], Page] = OrderedDict()

    @staticmethod
    def of(journal: Journal) -> Scans:
        """The scans of the run with this journal, including those that it reads later."""
        known = {one.name for one in fields_of(Limits)}
        noted = json.loads(journal.note("limits") or "{}")
        limits = replace(Limits(), **{name: value for name, value in noted.items() if name in known})
        return Scans(_paths(journal), limits, journal.path)

    def page(self, sha256: str, row: Row) -> Page:
        """The page that contains a field. Raises DocumentError if the scan is gone or has changed since it was read."""
        number = scan_of(row)
        with self._lock:
            page = self._pages.pop((sha256, number), None) or self._open(sha256, row.document, number)
            self._pages[sha256, number] = page
            while len(self._pages) > KEPT_PAGES:
                self._pages.popitem(last=False)
            return page

    def _open(self, sha256: str, name: str, number: int) -> Page:
        path = self._paths.get(sha256)
        gone = path is None or not (isinstance(path, Url) or path.exists())
        if gone and self._journal:  # another run has read more since, or from another place
            with Journal.look(self._journal) as journal:
                self._paths = _paths(journal)
            path = self._paths.get(sha256)
        if path is None:
            raise DocumentError("not_found", "the scan is no longer where it was")
        content = read_content(path, self.limits)
        if content.sha256 != sha256:
            raise DocumentError("changing", "the scan has changed since it was read")
        page = next(decode_pages(name, content.data, self.limits, first=number), None)
        if not isinstance(page, Page):
            raise page[1] if page else DocumentError("no_pages", f"the scan has no page {number}")
        return page


def _paths(journal: Journal) -> dict[str, Place]:
    """The places of a run's documents, by their content."""
    return {sha256: document.path for document, sha256 in reversed(journal.contents())}


def scan_of(row: Row) -> int:
    """The page of the file that contains a field: a second form on a page has a number of its own."""
    found = _SECOND_FORM.search(row.reason)
    return int(found[1]) if found else row.page


def box_of(row: Row, page: Page) -> Box | None:
    """Where the field of a row lies on its page; None if unknown."""
    if row.left is None or row.top is None or row.width is None or row.height is None:
        return None
    box = Box(row.left, row.top, row.width, row.height).scaled(1 / page.shrunk).clip(page.width, page.height)
    return box if box.width and box.height else None


def crop(page: Page, row: Row, mark: Box | None = None, *, turns: int = 0) -> Picture:
    """The field with some paper around it, with square pixels; `mark` is given on the page as stored.

    The picture is turned counterclockwise by 90 degrees `turns` times.

    If the position of the field is unknown, the whole page.
    """
    box = box_of(row, page) or Box(0, 0, page.width, page.height)
    lying = turns % 2 == 1  # lines run up or down the page as stored
    line = box.width if lying else box.height * page.tall
    aside = round((AROUND if lying else BESIDE) * line)
    above = round((BESIDE if lying else AROUND) * line / page.tall)
    shown = Box(box.left - aside, box.top - above, box.width + 2 * aside, box.height + 2 * above).clip(page.width, page.height)
    picture: Picture = np.ascontiguousarray(shown.cut(page.gray))
    scale = min(MAX_ENLARGED, max(1.0, LEAST_HEIGHT / (shown.width if lying else shown.height * page.tall)))
    scale = min(scale, CROP_SIDE / max(shown.width, shown.height * page.tall))
    if scale != 1 or page.tall != 1:
        size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale * page.tall)))
        picture = np.asarray(
            cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA), np.uint8
        )
    if mark is not None:
        at = mark.scaled(1 / page.shrunk)
        across, down = picture.shape[1] / shown.width, picture.shape[0] / shown.height
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR), np.uint8)
        _rectangle(picture, Box(round((at.left - shown.left) * across), round((at.top - shown.top) * down),
                                round(at.width * across), round(at.height * down)), 2)  # fmt: skip
    return _turned(picture, turns)


def _turned(picture: Picture, turns: int) -> Picture:
    return np.ascontiguousarray(np.rot90(picture, turns))


def digit_box(row: Row, place: int) -> Box | None:
    """Where digit number `place`, from 0, of a field lies on the page as stored; approximate if that was not recorded.

    In that case the digits, or cells of a comb, are assumed to be equally wide.
    """
    digits = len(row.text)
    if 0 <= place < len(row.digits) and (known := row.digits[place].box):
        return known
    if row.left is None or row.top is None or row.width is None or row.height is None or not 0 <= place < digits:
        return None
    cells = max(digits, row.spec.cells if row.spec else 0)
    left, right = (round(row.left + row.width * edge / cells) for edge in (place, place + 1))
    return Box(left, row.top, right - left, row.height)


def sheet(page: Page, row: Row, covered: Sequence[Row] = (), *, near: bool = False, turns: int = 0) -> Picture:
    """The page with a frame around the field, or with `near` an enlarged part around it; turned as by `crop`.

    The fields of the rows in `covered` are hidden.
    """
    whole = Box(0, 0, page.width, page.height)
    box = box_of(row, page)
    shown = _around(box or whole, page) if near else whole
    scale = min(1.0, PAGE_SIDE / max(shown.width, shown.height * page.tall))
    size = (max(1, round(shown.width * scale)), max(1, round(shown.height * scale * page.tall)))
    small = cv2.resize(shown.cut(page.gray), size, interpolation=cv2.INTER_AREA)
    picture: Picture = np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR), np.uint8)

    def placed(one: Box) -> Box:
        left, top = round((one.left - shown.left) * scale), round((one.top - shown.top) * scale * page.tall)
        return Box(left, top, round(one.width * scale), round(one.height * scale * page.tall))

    for one in covered:
        if hidden := box_of(one, page):
            at = placed(hidden).grown(4).clip(*size)
            picture[at.top : at.bottom, at.left : at.right] = COVER
    if box:
        _rectangle(picture, placed(box).grown(6), max(2, round(max(size) / 500)))
    return _turned(picture, turns)


def _around(box: Box, page: Page) -> Box:
    """A part of the page, NEAR of its width or as wide as the field with some paper, with the field in the middle."""
    wide = max(round(page.width * NEAR), round(1.2 * box.width))
    high = max(round(wide * 0.6 / page.tall), round(1.2 * box.height))
    left, top = box.left + (box.width - wide) // 2, box.top + (box.height - high) // 2
    left, top = max(0, min(left, page.width - wide)), max(0, min(top, page.height - high))
    return Box(left, top, wide, high).clip(page.width, page.height)


def _rectangle(picture: Picture, box: Box, thick: int) -> None:
    cv2.rectangle(picture, (box.left, box.top), (box.right, box.bottom), MARK, thick)


def encoded(picture: Picture) -> bytes:
    """A picture as PNG, encoded quickly."""
    file = io.BytesIO()
    _image(picture).save(file, "PNG", compress_level=1)
    return file.getvalue()


def encoded_small(picture: Picture, most: int) -> bytes:
    """A picture as WebP of at most `most` bytes, at the best quality that fits; the smallest version if none fits."""
    data = b""
    for width, quality in SMALL:
        image = _image(picture)
        if image.width > width:
            image = image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, "WEBP", quality=quality, method=4)
        data = file.getvalue()
        if len(data) <= most:
            break
    return data


def _image(picture: Picture) -> Image.Image:
    return Image.fromarray(picture if picture.ndim == 2 else np.ascontiguousarray(picture[:, :, ::-1]))
