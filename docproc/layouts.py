"""From the name of a layout to the fields of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from docproc.errors import BadConfig, BadUsage, DocumentError
from docproc.fields import template
from docproc.fields.template import Template
from docproc.types import Box, Field, Page

Locate = Callable[[Page], tuple[Field, ...]]

BESIDE = "template.toml"  # the file that `auto` looks for beside the pages


def _digits(page: Page) -> tuple[Field, ...]:
    # Imported late: OpenCV has no business in the process that only hands out the work.
    from docproc.fields.boxes import lone_row
    from docproc.fields.strip import looks_like_strip, whole_page, written_part

    if not looks_like_strip(page):
        return (written_part(page, "digits"),)
    return (lone_row(page, "digits") or whole_page(page, "digits"),)


def _amount(page: Page) -> tuple[Field, ...]:
    from docproc.fields.strip import looks_like_strip, whole_page, written_part

    if not looks_like_strip(page):
        return (written_part(page, "amount", "amount"),)
    return (whole_page(page, "amount", "amount"),)


def _by_shape(page: Page) -> tuple[Field, ...]:
    from docproc.fields.boxes import find_boxes
    from docproc.fields.strip import is_line, looks_like_strip, written_part

    if looks_like_strip(page):
        return _digits(page)
    found = find_boxes(page)
    if found:
        return found
    # An empty page is blank; one with a single line on it is a cut-out with much paper around.
    written = written_part(page, "digits")
    if is_line(written) or written.box == Box(0, 0, page.width, page.height):
        return (written,)
    raise DocumentError(
        "no_fields",
        "no number fields were found on this page; give --layout a template, or digits for a cut-out field",
    )


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
        known = self.template_for(folder)
        return template.place(known, page) if known else LAYOUTS[self.name](page)

    def enough(self, folder: str) -> int:
        """The long side in px at which a page that lies in `folder` is large enough to be read; 0 where that is not known."""
        known = self.template_for(folder)
        return template.enough(known) if known else 0

    def template_for(self, folder: str) -> Template | None:
        """The template by which pages that lie in `folder` are read, if any."""
        return self.template or (self.beside or {}).get(folder)


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
