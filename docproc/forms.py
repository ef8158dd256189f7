"""Open layouts: a template's file and those next to it, the image of its form, and which documents are such images."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

from docproc.errors import BadConfig, BadUsage, DocumentError
from docproc.fields import template
from docproc.fields.laying import KnownForm
from docproc.fields.layouts import LAYOUTS, Layout
from docproc.fields.template import Beside, Template
from docproc.files import Document, decode_pages, read_content
from docproc.options import PROJECT_FILE, Limits
from docproc.rules import PartOrder
from docproc.types import Field, Gray, Page, Placed

TEMPLATE_FILE = "template.toml"  # that `auto` looks for next to the pages


def open_layout(names: str | Sequence[str], folders: tuple[str, ...], date_order: PartOrder = "auto") -> Layout:
    """The layout of that name, or the templates in the files or folders of these names; `date_order` is for dates that
    leave it open.

    `auto` uses a `template.toml` in one of `folders` for the pages in that folder.
    Raises BadUsage for an unknown name, BadConfig for a template with faults.
    """
    several = (names,) if isinstance(names, str) else tuple(names)
    known = [name for name in several if name in LAYOUTS]
    if known and len(several) > 1:
        raise BadUsage(f"--layout {known[0]} stands alone; only templates may be several")
    if known == ["auto"]:
        found = {f: _read(Path(f, TEMPLATE_FILE)) for f in folders if Path(f, TEMPLATE_FILE).is_file()}
        return Layout("auto", (), found, date_order)
    if known:
        return Layout(known[0], date_order=date_order)
    paths = list(dict.fromkeys(path for name in several for path in _template_files(name)))
    templates = {path: _read(path) for path in paths}
    _check_names(templates)
    return Layout("template", tuple(itertools.chain(*templates.values())), date_order=date_order)


def _template_files(name: str) -> list[Path]:
    """The file of a template, or those in a folder of templates."""
    path = Path(name)
    if path.is_dir():
        found = sorted(one for one in path.glob("*.toml") if one.name != PROJECT_FILE and not one.name.startswith("."))
        if not found:
            raise BadUsage(f"no template (.toml) lies in the folder {name}")
        return found
    if not path.is_file():
        kind = "no such template" if path.suffix == ".toml" else "no such layout"
        raise BadUsage(f"{kind}: {name}; --layout takes {', '.join(LAYOUTS)}, templates, or a folder of templates")
    return [path]


def _check_names(templates: Mapping[Path, Sequence[Template]]) -> None:
    """Raises BadUsage if two templates have the same name: the table could not show which one was used."""
    first: dict[str, Path] = {}
    for path, (known, *_) in templates.items():
        if known.name in first:
            raise BadUsage(f"two templates are called {known.name!r}: {first[known.name]} and {path}; give each its own name")
        first[known.name] = path


def locator(layout: Layout, folder: str) -> Callable[[Page], Placed]:
    """The function that finds the fields of pages in `folder`, see `Layout.locate`."""
    return partial(layout.locate, folder=folder, open_form=open_form)


def scans(layout: Layout, documents: Sequence[Document]) -> Sequence[Document]:
    """The documents without those that are a template's own image of its blank form."""
    pictures = _pictures(layout, filled=False)
    return [one for one in documents if os.path.realpath(one.path) not in pictures] if pictures else documents


def is_form(layout: Layout, document: Document) -> bool:
    """Whether the document is a template's own image of its form, possibly a blank one."""
    pictures = _pictures(layout, filled=None)
    return bool(pictures) and os.path.realpath(document.path) in pictures


def _pictures(layout: Layout, filled: bool | None) -> set[str]:
    templates = (*layout.templates, *itertools.chain(*(layout.beside or {}).values()))
    return {os.path.realpath(one.reference) for one in templates if one.reference and one.filled is filled}


@lru_cache(maxsize=64)
def open_form(known: Template) -> KnownForm:
    """What is known about a template's form, from its image or its marks. Raises BadConfig."""
    # Imported late, so that the process that only hands out work does not load OpenCV.
    from docproc.pages.register import print_on, reference, reference_by_marks

    if not known.reference:
        return KnownForm(reference_by_marks((known.width, known.height), known.marks), None)
    gray = form_page(known).gray
    written = _written_fields(known, gray)
    empty = _emptied(known, gray, written)
    try:
        prepared = reference(gray, known.marks)
    except ValueError as problem:
        raise BadConfig(known.name, [f"the reference {known.reference}: {problem}"]) from problem
    return KnownForm(prepared, None if known.filled else empty, print_on(empty, sure=not written))


def _written_fields(known: Template, gray: Gray) -> tuple[Field, ...]:
    """The fields that may hold writing on the image of the form, so that it is unknown what is printed there.

    A field that holds ink may have been filled in, unless the template says that it is print.
    """
    from docproc.readers.read import prepare_field

    if known.filled is not None:
        return known.fields if known.filled else ()
    cuts = ((field, field.crop.clip(known.width, known.height).cut(gray)) for field in known.fields)
    return tuple(field for field, crop in cuts if prepare_field(field, crop).inked)


def _emptied(known: Template, gray: Gray, written: Sequence[Field]) -> Gray:
    """The image of the form with paper in some fields."""
    empty = gray.copy()
    for field in written:
        field.crop.clip(known.width, known.height).cut(empty)[:] = 255
    return empty


def form_page(known: Template) -> Page:
    """The image of a template's form, which it must have. Raises BadConfig."""
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
    """Gives a template access to the files next to it."""

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


def _read(path: Path) -> tuple[Template, ...]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadConfig(str(path), [f"cannot be read: {problem}"]) from problem
    return template.parse_pages(text, str(path), beside(path.parent))
