"""From the name of a layout to the fields of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from docproc.errors import BadConfig, BadUsage, DocumentError
from docproc.fields import template
from docproc.fields.strip import looks_like_strip, whole_page
from docproc.fields.template import Template
from docproc.types import Field, Page

Locate = Callable[[Page], tuple[Field, ...]]

BESIDE = "template.toml"  # the file that `auto` looks for beside the pages


def _digits(page: Page) -> tuple[Field, ...]:
    return (whole_page(page, "digits"),)


def _amount(page: Page) -> tuple[Field, ...]:
    return (whole_page(page, "amount", "amount"),)


def _by_shape(page: Page) -> tuple[Field, ...]:
    if looks_like_strip(page):
        return _digits(page)
    # Imported late: OpenCV has no business in the process that only hands out the work.
    from docproc.fields.boxes import find_boxes

    found = find_boxes(page)
    if not found:
        raise DocumentError(
            "no_fields",
            "no number fields were found on this page; give --layout a template, or digits for a cut-out field",
        )
    return found


LAYOUTS: Mapping[str, Locate] = {"auto": _by_shape, "digits": _digits, "amount": _amount}
"""Layouts by name. To add one, write how it finds its fields in `fields` and enter it here."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What a run was told of its pages; small enough to travel to the workers."""

    name: str  # a key of LAYOUTS
    template: Template | None = None  # for every page
    beside: Mapping[str, Template] | None = None  # for the pages of a folder, by the folder's path

    def locate(self, page: Page, folder: str) -> tuple[Field, ...]:
        """The fields of a page that lies in `folder`. Raises DocumentError where it has none or does not fit."""
        known = self.template or (self.beside or {}).get(folder)
        return template.place(known, page) if known else LAYOUTS[self.name](page)


def open_layout(name: str, folders: tuple[str, ...]) -> Layout:
    """The layout called `name`, or the template in the file of that name.

    `auto` takes a `template.toml` that lies in one of `folders` for the pages in it.
    Raises BadUsage for an unknown name, BadConfig for a template with faults.
    """
    if name == "auto":
        found = {f: _read(Path(f, BESIDE)) for f in folders if Path(f, BESIDE).is_file()}
        return Layout(name, None, found)
    if name in LAYOUTS:
        return Layout(name)
    path = Path(name)
    if not path.is_file():
        kind = "no such template" if path.suffix == ".toml" else "no such layout"
        raise BadUsage(f"{kind}: {name}; --layout takes {', '.join(LAYOUTS)} or the path of a template")
    return Layout("template", _read(path))


def _read(path: Path) -> Template:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise BadConfig(str(path), [f"cannot be read: {problem}"]) from problem
    return template.parse(text, str(path))
