"""Describe a form: propose a template for it, draw a template, check a template against scans."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docproc.errors import BadConfig, BadInput, BadUsage, CannotWrite, DocumentError, OutputExists
from docproc.fields import template
from docproc.fields.layouts import Layout
from docproc.fields.lint import (
    Evidence,
    FormPrint,
    Frame,
    PageFindings,
    corners_of,
    faults,
    fit_page,
    inspect_page,
    mapped,
    printed_frames,
)
from docproc.fields.places import find_places, overlap, same_place
from docproc.fields.template import Template
from docproc.files import Document, drawn_by, find_documents, open_pages
from docproc.forms import beside, form_page, is_form, open_form, open_layout
from docproc.forms import scans as without_forms
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.pages.register import reference
from docproc.runs.pictures import QUIET, Color, Outline, form_overlay, png
from docproc.runs.tables import safe_name, shown_name, write_whole
from docproc.types import Box, Field, Homography, Page
from docproc.web import check_installed

if TYPE_CHECKING:
    from docproc.web.door import Door, Guard
    from docproc.web.server import Place, Serving

DRAWS = "template preview"  # the command named in its pictures as the one that drew them
SCAN_BYTES = 100_000_000  # of a scan that is overlaid on a form [guess]
FIELD_NAME = r"[A-Za-z_][A-Za-z0-9_]*"

KIND_COLORS: dict[str, Color] = {"comb": (0, 90, 230), "string": (0, 130, 60), "amount": (200, 0, 130), "micr": (120, 80, 200)}


# ------------------------------------------------------------------------------------------------------- init


@dataclass(frozen=True, slots=True)
class Proposal:
    """The fields that were proposed for a form."""

    fields: tuple[Field, ...]
    reference: bool  # whether scans will be registered to the picture
    beside: int = 0  # frames of the form that are not fields of the table

    @property
    def combs(self) -> int:
        return sum(field.kind == "comb" for field in self.fields)


def propose_template(blank: Path, target: Path, *, name: str | None, table: Path | None, overwrite: bool) -> Proposal:
    """Write a template to `target` with a field for every frame on the first page of the form `blank`.

    With the `table` of an earlier run, names and boxes are those of its rows for this document's first page. Raises
    OutputExists, CannotWrite; BadInput if the form cannot be read or nothing is found on it; BadUsage for a folder, and for a
    table without a field of the form.
    """
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} already exists; use --overwrite to replace it, or -o for another file")
    if not target.parent.is_dir():
        raise CannotWrite(f"no such folder: {target.parent}")
    page = clean(_page(blank, 1))
    found = find_places(page)
    rest = 0
    if table is not None:
        fields = tuple(_as_printed(field, found) for field in _table_fields(table, blank, page))
        rest = sum(not any(same_place(one.box, field.box) for field in fields) for one in found)
    else:
        fields = found
    if not fields:
        raise BadInput(
            f"{blank}: no combs, frames or lines to write on were found; give a straight and clean scan of the form, or "
            "write the template by hand (docproc template schema)"
        )
    text, registers = _working_text(name or blank.stem or "form", page, blank, target, fields)
    data = text.encode("utf-8")
    write_whole(target, lambda file: file.write(data))
    return Proposal(fields, registers, rest)


def _working_text(title: str, page: Page, blank: Path, target: Path, fields: Sequence[Field]) -> tuple[str, bool]:
    """The text of the best template for a form that docproc can use, and whether scans will be registered to its picture."""
    for page_table, registers in _page_tables(page, blank, target.parent):
        text = _template_text(title, page_table, fields)
        try:
            known = template.parse(text, str(target), beside(target.parent))
        except BadConfig:
            if not registers:
                raise
            continue
        # A picture that is rotated on opening has a different size in its file.
        if (known.width, known.height) == (page.width, page.height):
            break
    return text, registers


# ------------------------------------------------------------------------------------------------------- edit


def edit_template(
    path: Path, target: Path, place: Callable[[], Place], announce: Callable[[Serving, Path], None], *, name: str | None
) -> None:
    """Edit a template in the browser until Ctrl-C: the one at `path`, or a new one for the blank form there, saved to `target`.

    `announce` is called once the server listens, with the path of the template. Raises MissingPart without the extra `web`,
    OutputExists if a new template would overwrite another, BadConfig for a template that is not valid TOML, BadInput for a form
    that cannot be read, BadUsage.
    """
    check_installed("tomlkit")
    from docproc.fields.template.editing import CannotEdit
    from docproc.web.editor import Bench, editor_app
    from docproc.web.server import serve as serve_until_stopped
    from docproc.web.session import open_session
    from docproc.web.store import Sizes, Store

    new = path.suffix.lower() != ".toml"
    text = _new_text(path, target, name) if new else _known_text(path)
    target = target if new else path
    try:
        session = open_session(target, text, beside(target.parent), there=not new)
    except CannotEdit as problem:
        raise BadConfig(str(path), [str(problem)]) from problem
    limits = Limits(file_bytes=SCAN_BYTES)

    def make_app(door: Door) -> Guard:
        return editor_app(door, Bench(session, Store.open(Sizes(file=SCAN_BYTES)), limits))

    serve_until_stopped(place(), make_app, lambda serving: announce(serving, target))


def _known_text(path: Path) -> str:
    """The text of a template, with its original line endings."""
    if path.is_dir():
        raise BadUsage(f"{path} is a folder; give the template itself, for example {path / 'template.toml'}")
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise BadUsage(f"no such template: {path}; give the picture of a blank form for a new one") from None
    except (OSError, UnicodeDecodeError) as problem:
        raise BadConfig(str(path), [f"cannot be read: {problem}"]) from problem


def _new_text(blank: Path, target: Path, name: str | None) -> str:
    """The text of a new template for a form, with the fields that are found on it."""
    if target.exists():
        raise OutputExists(
            f"{target} already exists; edit it with: docproc template edit {target}, or give -o for another file"
        )
    if not target.parent.is_dir():
        raise CannotWrite(f"no such folder: {target.parent}")
    page = clean(_page(blank, 1))
    # Without a field nothing could be registered; the placeholder is moved as soon as there is a field.
    fields = find_places(page) or (
        Field("field_1", Box(page.width // 4, page.height // 4, page.width // 4, page.height // 20)),
    )
    return _working_text(name or blank.stem or "form", page, blank, target, fields)[0]


def _table_fields(table: Path, blank: Path, page: Page) -> Iterator[Field]:
    """The fields of the first page of a form in a run's table."""
    wanted = safe_name(blank.name)
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            missing = {"document", "page", "field", "left", "top", "width", "height"} - set(rows.fieldnames or ())
            if missing:
                raise BadUsage(f"{table}: no column {', '.join(sorted(missing))}; --from takes a long table as .csv")
            kept = list(rows)
    except OSError as problem:
        raise BadInput(f"{table}: {problem.strerror}") from problem
    except (UnicodeDecodeError, csv.Error) as problem:
        raise BadInput(f"{table}: this is no CSV table: {problem}") from problem
    own = [row for row in kept if (row["document"] or "").rsplit("/", 1)[-1] == wanted and row["page"] == "1" and row["field"]]
    if not own:
        raise BadUsage(f"{table}: no field on page 1 of a document {blank.name}; --from takes the table of a run over it")
    for number, row in enumerate(own, 1):
        try:
            box = Box(*(int(row[column]) for column in ("left", "top", "width", "height"))).clip(page.width, page.height)
        except (TypeError, ValueError):
            continue
        name = row["field"] if re.fullmatch(FIELD_NAME, row["field"]) else f"field_{number}"
        yield Field(name, box)


def _as_printed(field: Field, found: Sequence[Field]) -> Field:
    """The field with the kind and the cells of the comb at its position, if any."""
    combs = [one for one in found if one.kind == "comb" and same_place(one.box, field.box)]
    if not combs:
        return field
    best = max(combs, key=lambda one: overlap(one.box, field.box))
    return replace(field, kind="comb", cells=best.cells, digits=best.digits)


def _page_tables(page: Page, blank: Path, folder: Path) -> Iterator[tuple[list[str], bool]]:
    """Ways to describe the page in the template, best first; and whether scans are registered to the picture."""
    try:
        reference(page.gray)
        name = Path(os.path.relpath(blank, folder)).as_posix()
        name.encode("utf-8")
        yield (
            [
                f"reference = {_quoted(name)}  # the blank form, relative to this file: scans are laid onto it",
                "# filled = true             # if something is written on it",
            ],
            True,
        )
    except ValueError:  # too little print; or, on Windows, another drive
        pass
    yield (
        [
            f"size = [{page.width}, {page.height}]  # pixels of the pages on which the boxes were measured",
            "# Scans are taken as they lie. Leave room around the boxes; or make the template from a PNG of the form:",
            "# its scans are then straightened.",
        ],
        False,
    )


def _template_text(title: str, page_table: Sequence[str], fields: Sequence[Field]) -> str:
    lines = [
        "# Proposed by docproc template init. Give each field the name that its column shall have, and delete those",
        "# that are no numbers. Then: docproc template preview, docproc template lint.",
        "schema_version = 1", f"name = {_quoted(title)}", "", "[page]", *page_table,
    ]  # fmt: skip
    free = False
    for field in fields:
        box = field.box
        lines += ["", "[[field]]", f"name = {_quoted(field.name)}", f"box = [{box.left}, {box.top}, {box.width}, {box.height}]"]
        lines.append(f'kind = "{field.kind}"' + ("" if field.kind == "comb" or free else '  # or "amount"'))
        if field.kind == "comb":
            lines.append(f"digits = {field.cells}")
        elif not free:
            free = True
            lines.append("# digits = [1, 7]            # fewest and most, if you know")
    one, other = fields[0].name, fields[-1].name
    lines += [
        "", "# A field may have rules: required, pattern, range, check_digit, allowed; a date has kind, order and cells.",
        "# Rules between fields, for example:",
        "# [[rule]]", f'# sum = ["{one}"]', f'# equals = "{other}"',
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A TOML string; DEL is the only character that JSON leaves unescaped and TOML forbids."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# ---------------------------------------------------------------------------------------------------- preview


def preview_template(path: Path, scan: Path | None, target: Path, *, page: int, overwrite: bool) -> str:
    """Draw a template's boxes over a page of a scan, or over its form, into `target` (PNG); returns how the page fits.

    Raises BadUsage, OutputExists; BadConfig for a template with errors, BadInput for a scan that cannot be read or shows
    another form.
    """
    if target.suffix.lower() != ".png":
        raise BadUsage(f"the picture is a PNG: {target} should end in .png")
    known = _open(path)
    # Editing and previewing alternate: an earlier preview may be overwritten.
    if target.exists() and not overwrite and drawn_by(target) != DRAWS:
        raise OutputExists(f"{target} already exists; use --overwrite to replace it, or -o for another file")
    to_page: Homography = np.eye(3)
    if scan is None:
        gray = form_page(known).gray if known.reference else np.full((known.height, known.width), 255, np.uint8)
        shown = Path(known.reference).name if known.reference else f"{known.width} x {known.height} px, without a picture"
        summary, where = "the form as it is", f"{known.name}: {shown}"
    else:
        opened = _page(scan, page)
        gray = opened.gray
        try:
            fit = fit_page(clean(opened), known, open_form)
        except DocumentError as problem:
            raise BadInput(f"{scan}, page {page}: {problem}") from problem
        to_page, summary, where = fit.to_page, fit.summary, f"{known.name} on {shown_name(scan.name)}, page {page}"
    outlines = [_outline(field, to_page) for field in known.fields]
    outlines += [_outlined(mark, "mark", QUIET, to_page) for mark in known.marks]
    picture = form_overlay(gray, f"{where}: {summary}", outlines)
    data = png(picture, DRAWS)
    write_whole(target, lambda file: file.write(data))
    return summary


def _outline(field: Field, to_page: Homography) -> Outline:
    box = field.box
    across = [box.left + box.width * k / field.cells for k in range(1, field.cells)]
    walls = mapped(to_page, [(x, y) for x in across for y in (box.top, box.bottom)]).reshape(-1, 2, 2)
    return replace(_outlined(box, _label(field), KIND_COLORS[field.kind], to_page), walls=walls)


def _label(field: Field) -> str:
    kind = f"{field.kind} of {field.cells}" if field.cells else field.kind
    if field.rules and field.rules.date:
        kind = f"date {field.rules.date}" + (f" in {field.cells} cells" if field.cells else "")
    elif field.digits and not field.cells:
        fewest, most = field.digits
        kind += f" of {fewest}" if fewest == most else f" of {fewest} to {most}"
    return f"{field.name}: {kind}"


def _outlined(box: Box, label: str, color: Color, to_page: Homography) -> Outline:
    return Outline(label, color, mapped(to_page, corners_of(box)), np.zeros((0, 2, 2)))


# ------------------------------------------------------------------------------------------------- page and form


def _open(path: Path) -> Template:
    known, *others = _open_pages(path)
    if others:
        raise BadUsage(f"{path} describes {len(others) + 1} pages; this command looks at templates of one page")
    return known


def _open_pages(path: Path) -> tuple[Template, ...]:
    if path.is_dir():
        raise BadUsage(f"{path} is a folder; give the template itself, for example {path / 'template.toml'}")
    if not path.is_file():
        raise BadUsage(f"no such template: {path}")
    known = open_layout(str(path), ()).templates
    if not known:
        raise BadUsage(f"{path} is the name of a layout; call the template {path}.toml")
    return known


def _page(document: Path, number: int) -> Page:
    if document.is_dir():
        raise BadUsage(f"{document} is a folder; give one document, for example a picture in it")
    if not document.is_file():
        raise BadInput(f"no such file: {document}")
    try:
        found = next(islice(open_pages(Document(document.name, document), Limits()), number - 1, number), None)
        if found is None:
            raise DocumentError("no_pages", f"there is no page {number}")
        if isinstance(found, tuple):
            raise found[1]
    except DocumentError as problem:
        raise BadInput(f"{document}: {problem}") from problem
    return found


# ------------------------------------------------------------------------------------------------------- lint


def lint_template(path: Path, scans: Sequence[Path], report: Callable[[str], None]) -> int:
    """Check a template against its form's picture and scans; `report` gets a line per problem; returns their number.

    Without scans, the template is checked alone. Raises BadConfig with all errors of the template itself, BadInput if there is
    nothing to read in `scans`.
    """
    if not scans:
        return _lint_alone(path, report)
    known = _open(path)
    layout = Layout(str(path), (known,))
    documents = [one for one in without_forms(layout, find_documents(scans)[0]) if not is_form(layout, one)]
    if not documents:
        raise BadInput("no scans to hold the template against: " + ", ".join(map(str, scans)))
    count = 0
    pages: list[PageFindings] = []
    for name, page in _pages(documents):
        try:
            if isinstance(page, DocumentError):
                raise page
            fit = fit_page(clean(page), known, open_form)
        except DocumentError as problem:
            count += 1
            report(f"{name}: does not fit: {problem}")
            continue
        report(f"{name}: fits, {fit.summary}")
        pages.append(inspect_page(name, page, fit, known))
    count += _report_faults(Evidence(known, _printed(known), pages), report)
    report(f"{_many(len(pages), 'page')} of this form, {_many(len(known.fields), 'field')}: {_wrong(count)}")
    return count


def _lint_alone(path: Path, report: Callable[[str], None]) -> int:
    """Check a template and the pictures of its forms."""
    pages = _open_pages(path)
    count = sum(_report_faults(Evidence(known, _printed(known), ()), report) for known in pages)
    pictures = "its form's picture" if len(pages) == 1 else "the pictures of its form"
    beside = f" and {pictures}" if pages[0].reference else ""
    fields = sum(len(known.fields) for known in pages)
    report(f"the template{beside}, {_many(fields, 'field')}: {_wrong(count)}; --on SCANS also holds it against scans")
    return count


def _printed(known: Template) -> dict[str, Frame]:
    return printed_frames(known, FormPrint.of(form_page(known), bool(known.filled))) if known.reference else {}


def _report_faults(evidence: Evidence, report: Callable[[str], None]) -> int:
    count = 0
    for field in evidence.template.fields:
        for fault in faults(field, evidence):
            count += 1
            report(f"field {field.name}: {fault}")
    return count


def _wrong(count: int) -> str:
    return f"{'nothing is' if not count else '1 thing is' if count == 1 else f'{count} things are'} wrong"


def _many(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _pages(documents: Sequence[Document]) -> Iterator[tuple[str, Page | DocumentError]]:
    for document in documents:
        name = shown_name(document.name)
        try:
            for number, page in enumerate(open_pages(document, Limits()), 1):
                called = name if number == 1 else f"{name}, page {number}"
                yield called, page[1] if isinstance(page, tuple) else page
        except DocumentError as problem:
            yield name, problem
