"""From the name of a layout to the fields of a page."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from docproc.errors import BadConfig, BadUsage, DocumentError
from docproc.fields import template
from docproc.fields.template import Beside, Template
from docproc.files import Document, decode_pages, read_content
from docproc.options import Limits
from docproc.rules import PartOrder
from docproc.types import Box, Field, Gray, Page, Placed

if TYPE_CHECKING:
    from docproc.fields.check import Check
    from docproc.pages.register import Reference, Registration

Locate = Callable[[Page], Placed]

TURNS = 4  # times that a page is turned and cut until it is a check and upright
BESIDE = "template.toml"  # the file that `auto` looks for beside the pages


def _digits(page: Page) -> Placed:
    # Imported late: OpenCV has no business in the process that only hands out the work.
    from docproc.fields.boxes import lone_row
    from docproc.fields.strip import looks_like_strip, whole_page, written_part

    if not looks_like_strip(page):
        return Placed(page, (written_part(page, "digits"),))
    return Placed(page, (lone_row(page, "digits") or whole_page(page, "digits"),))


def _amount(page: Page) -> Placed:
    from docproc.fields.strip import looks_like_strip, whole_page, written_part

    found = whole_page if looks_like_strip(page) else written_part
    return Placed(page, (found(page, "amount", "amount"),))


def _check(page: Page) -> Placed:
    placed = _as_check(page)
    if placed is None:
        raise DocumentError(
            "not_a_check",
            "this does not look like a check: it has neither a MICR line nor an amount and a date; give another --layout",
        )
    return placed


def _as_check(page: Page) -> Placed | None:
    """The page, upright, with the places where the fields of a check may be; None where it is no check."""
    from docproc.fields.check import elect, micr_box

    try:
        page, found = upright_check(page)
    except ValueError as problem:
        raise DocumentError("several_checks", str(problem)) from problem
    if found is None:
        return None
    line = () if found.band is None else (Field("micr", micr_box(found.band, page), "micr", parts=True),)
    fields = (*found.frames, *found.combs, *line, *found.places)
    return Placed(page, fields, elect=elect, expected=("amount", "date", "micr"))


def upright_check(page: Page) -> tuple[Page, Check | None]:
    """The page turned, leveled and cut until it is a check and upright, and what is found on it then; None where it is none.

    Raises ValueError where several checks lie on the page.
    """
    from docproc.fields.check import find_check
    from docproc.pages.clean import cut_out, leveled, turned

    found = find_check(page)
    for _ in range(TURNS):
        if found is None or found.settled:
            return page, found
        if found.part is not None:
            page = cut_out(page, found.part)
        else:
            page = turned(page, found.quarters) if found.quarters else leveled(page, found.slope)
        found = find_check(page)
    return page, found if found is not None and found.settled else None


def _micr(page: Page) -> Placed:
    from docproc.fields.strip import whole_page

    return Placed(page, (whole_page(page, "micr", "micr"),))


def _by_shape(page: Page) -> Placed:
    from docproc.fields.boxes import find_boxes
    from docproc.fields.check import is_small_check, looks_like_check
    from docproc.fields.strip import is_line, looks_like_strip, written_part

    strip = looks_like_strip(page)
    may_be_check = is_small_check(page) if strip else looks_like_check(page)
    check = _as_check(page) if may_be_check else None
    if check is not None and any(field.name == "micr" for field in check.fields) and len(check.fields) > 2:
        return check
    if strip:
        return _digits(page)
    found = find_boxes(page)
    if found:
        return Placed(page, found)
    # An empty page is blank; one with a single line on it is a cut-out with much paper around.
    written = written_part(page, "digits")
    if is_line(written) or written.box == Box(0, 0, page.width, page.height):
        return Placed(page, (written,))
    raise DocumentError(
        "no_fields",
        "no number fields were found on this page; give --layout a template, or digits for a cut-out field",
    )


LAYOUTS: Mapping[str, Locate] = {
    "auto": _by_shape, "digits": _digits, "amount": _amount, "micr": _micr, "check": _check,
}  # fmt: skip
"""Layouts by name. To add one, write how it finds its fields in `fields` and enter it here."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a run was told of its pages; small enough to travel to the workers."""

    name: str  # a key of LAYOUTS
    template: Template | None = None  # for every page
    beside: Mapping[str, Template] | None = None  # for the pages of a folder, by the folder's path
    date_order: PartOrder = "auto"  # of dates whose fields leave it open

    def locate(self, page: Page, folder: str) -> Placed:
        """The fields of a page that lies in `folder`, dark on light. Raises DocumentError where it has none or does not fit."""
        known = self.template_for(folder)
        if known is None:
            placed = LAYOUTS[self.name](page)
        else:
            placed = lay(page, known)[0] if known.registers else Placed(page, template.place(known, page), known.rules)
        if placed.elect is not None:
            return replace(placed, elect=partial(placed.elect, order=self.date_order))
        return replace(placed, fields=tuple(self._ordered(field) for field in placed.fields))

    def _ordered(self, field: Field) -> Field:
        if field.rules is None or field.rules.date != "auto" or self.date_order == "auto":
            return field
        return replace(field, rules=replace(field.rules, date=self.date_order))

    def scans(self, documents: Sequence[Document]) -> list[Document]:
        """The documents without those that are a template's own picture of its blank form."""
        pictures = self._pictures(filled=False)
        return [one for one in documents if not pictures or os.path.realpath(one.path) not in pictures]

    def is_form(self, document: Document) -> bool:
        """Whether the document is a template's own picture of its form, and may be a blank one."""
        pictures = self._pictures(filled=None)
        return bool(pictures) and os.path.realpath(document.path) in pictures

    def _pictures(self, filled: bool | None) -> set[str]:
        templates = (self.template, *(self.beside or {}).values())
        return {os.path.realpath(one.reference) for one in templates if one and one.reference and one.filled is filled}

    def enough(self, folder: str) -> int:
        """The long side in px at which a page that lies in `folder` is large enough to be read; 0 where that is not known."""
        known = self.template_for(folder)
        return template.enough(known) if known else 0

    def template_for(self, folder: str) -> Template | None:
        """The template by which pages that lie in `folder` are read, if any."""
        return self.template or (self.beside or {}).get(folder)


def open_layout(name: str, folders: tuple[str, ...], date_order: PartOrder = "auto") -> Layout:
    """The layout called `name`, or the template in the file of that name; `date_order` is that of dates that leave it open.

    `auto` takes a `template.toml` that lies in one of `folders` for the pages in it.
    Raises BadUsage for an unknown name, BadConfig for a template with faults.
    """
    if name == "auto":
        found = {f: _read(Path(f, BESIDE)) for f in folders if Path(f, BESIDE).is_file()}
        return Layout(name, None, found, date_order)
    if name in LAYOUTS:
        return Layout(name, date_order=date_order)
    path = Path(name)
    if not path.is_file():
        kind = "no such template" if path.suffix == ".toml" else "no such layout"
        raise BadUsage(f"{kind}: {name}; --layout takes {', '.join(LAYOUTS)} or the path of a template")
    return Layout("template", _read(path), date_order=date_order)


def lay(page: Page, known: Template) -> tuple[Placed, Registration]:
    """The page laid onto the form of its template, and how. Raises DocumentError where it is no scan of it."""
    import numpy as np

    from docproc.pages.register import natural_scale, rectify, register

    form, blank = _form(known)
    found = register(page.gray, form)
    scale = natural_scale(found, form.size)
    gray = rectify(page.gray, found, form.size, scale)
    # Pixel k of a picture `scale` times as large lies where (k + 0.5) / scale - 0.5 does.
    half = 0.5 / scale - 0.5
    laid = replace(
        page,
        gray=gray,
        laid=found.to_page @ np.array([[1 / scale, 0, half], [0, 1 / scale, half], [0, 0, 1]]),
        residual=round(found.residual, 2),
    )
    placed = Placed(laid, template.place(known, laid), known.rules, None if blank is None else _enlarged(blank, laid))
    return placed, found


def _enlarged(blank: Gray, page: Page) -> Gray:
    import cv2
    import numpy as np

    if blank.shape == page.gray.shape:
        return blank
    size = (page.width, page.height)
    how = cv2.INTER_AREA if page.width < blank.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(blank, size, interpolation=how), np.uint8)


@lru_cache(maxsize=8)
def _form(known: Template) -> tuple[Reference, Gray | None]:
    """What is known of a template's form, and its picture where that is a blank one. Raises BadConfig."""
    from docproc.pages.register import reference, reference_by_marks

    if not known.reference:
        return reference_by_marks((known.width, known.height), known.marks), None
    gray = form_page(known).gray
    try:
        return reference(gray, known.marks), _print_of(known, gray)
    except ValueError as problem:
        raise BadConfig(known.name, [f"the reference {known.reference}: {problem}"]) from problem


def _print_of(known: Template, gray: Gray) -> Gray | None:
    """What is printed on the form, by its picture; None where nothing is known of it.

    A field that holds ink on the picture may have been filled in by somebody: unless the template says that it is print,
    nothing is known of what is printed there.
    """
    from docproc.pipeline import prepare_field

    if known.filled is not None:
        return None if known.filled else gray
    empty = gray.copy()
    for field in known.fields:
        box = field.crop.clip(known.width, known.height)
        if not prepare_field(field, box.cut(gray)).lattice.blank:
            box.cut(empty)[:] = 255
    return empty


def form_page(known: Template) -> Page:
    """The picture of a template's form, which it must have. Raises BadConfig."""
    from docproc.pages.clean import clean

    path = Path(known.reference)
    try:
        content = read_content(path, Limits())
        page = next(decode_pages(path.name, content.data, Limits(), 0))
        if isinstance(page, tuple):
            raise page[1]
        page = clean(page)
        if (page.width, page.height) != (known.width, known.height):
            raise DocumentError("unsupported", f"it has {page.width} x {page.height} pixels when it is upright")
    except (DocumentError, StopIteration) as problem:
        raise BadConfig(known.name, [f"the reference {path}: {problem}"]) from problem
    return page


def beside(folder: Path) -> Beside:
    """How a template sees the files beside it."""

    def picture(name: str) -> tuple[str, str, tuple[int, int]]:
        import imagesize

        path = folder / name
        if not path.exists():
            raise ValueError("there is no such file; it should lie beside the template")
        try:
            data = read_content(path, Limits()).data
        except DocumentError as problem:
            raise ValueError(str(problem)) from problem
        width, height = imagesize.get(io.BytesIO(data))
        if width <= 0 or height <= 0:
            raise ValueError("this is no picture whose size can be told; PNG, JPEG and TIFF can")
        return str(path), hashlib.sha256(data).hexdigest(), (int(width), int(height))

    def column(name: str, wanted: str) -> frozenset[str]:
        try:
            with open(folder / name, newline="", encoding="utf-8-sig") as file:
                rows = csv.DictReader(file)
                if wanted not in (rows.fieldnames or ()):
                    raise ValueError(f"there is no column {wanted!r}; there are {', '.join(rows.fieldnames or ())}")
                return frozenset(text for row in rows if (text := (row[wanted] or "").strip()))
        except OSError as problem:
            raise ValueError(f"{problem.strerror}; it should lie beside the template") from problem
        except (UnicodeDecodeError, csv.Error) as problem:
            raise ValueError(f"this is no CSV table: {problem}") from problem

    return Beside(picture, column)


def _read(path: Path) -> Template:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadConfig(str(path), [f"cannot be read: {problem}"]) from problem
    return template.parse(text, str(path), beside(path.parent))
