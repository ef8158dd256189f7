"""Describe a form: propose a template for it, draw a template, check a template against scans."""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.errors import BadConfig, BadInput, BadUsage, CannotWrite, DocumentError, OutputExists
from docproc.fields import template
from docproc.fields.boxes import find_frames
from docproc.fields.laying import lay
from docproc.fields.layouts import Layout
from docproc.fields.tables import cells_of, find_tables
from docproc.fields.template import Template
from docproc.files import Document, drawn_by, find_documents, open_pages
from docproc.forms import beside, form_page, is_form, open_form, open_layout
from docproc.forms import scans as without_forms
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.pages.register import reference
from docproc.pixels import components, flatten_light, otsu
from docproc.runs.pictures import QUIET, Color, Outline, form_overlay, png
from docproc.runs.tables import safe_name, shown_name, write_whole
from docproc.types import Box, Field, Gray, Homography, Page, Placed

DRAWS = "template preview"  # what its pictures say that they are drawn by
FIELD_NAME = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True, slots=True)
class LintTuning:
    """The numbers of these commands; each says its unit and its kind, see docs/house.md. Px are those of the form."""

    # Which printed frame belongs to a box.
    same_place_share: float = 0.5  # of the smaller of two boxes that both contain: they mean the same place [guess]
    max_frame_areas: float = 3.0  # of a field's box, that a frame around it may have [guess]
    agreed_share: float = 0.6  # of the pages that must show the same number of cells [guess]

    # How far a box may lie from what is printed: px, and share of its height; the larger counts.
    frame_tolerance_px: float = 4.0  # [guess]
    frame_tolerance_share: float = 0.05  # [guess]
    line_tolerance_px: float = 8.0  # of a line to write on [guess]
    line_tolerance_share: float = 0.1  # [guess]
    max_size_difference_share: float = 0.1  # of two frames that are the same, of a box and its line [guess]
    max_overlap_px: int = 2  # in both directions, of two boxes [guess]
    max_outside_px: float = 2.0  # of the page, by which a box may reach beyond it [guess]

    # Writing that is cut off.
    around_share: float = 0.35  # of a box's height that is looked at around it [guess]
    min_crossing_px: float = 4.0  # on both sides of an edge; this and the next, the larger counts [guess]
    min_crossing_share: float = 0.08  # of a box's height [guess]
    min_stroke_share: float = 0.006  # of a box's height squared, the ink outside [guess]

    # Cells of a table.
    max_printed_share: float = 0.5  # of its cells that hold print; with more, the page is filled in [guess]

    # What is print and what is writing.
    flatten_px: int = 41  # side of the window for the light, at least [guess]
    flatten_pages: int = 40  # such windows across a page [guess]
    min_contrast_gray: int = 28  # between paper and ink [guess]
    print_pages: int = 360  # lines of print across a page by which the form's print is widened [guess]
    min_print_px: int = 3  # the same, at least [guess]
    min_long_px: int = 24  # of a line that is print where there is no blank form; this and the next [guess]
    min_long_heights: float = 1.2  # of the highest box [guess]


LINT = LintTuning()

KIND_COLORS: dict[str, Color] = {"comb": (0, 90, 230), "string": (0, 130, 60), "amount": (200, 0, 130), "micr": (120, 80, 200)}


# ------------------------------------------------------------------------------------------------------- init


@dataclass(frozen=True, slots=True)
class Proposal:
    """The fields that were proposed for a form."""

    fields: tuple[Field, ...]
    reference: bool  # whether scans will be registered on the picture
    beside: int = 0  # frames of the form that are no field of the table

    @property
    def combs(self) -> int:
        return sum(field.kind == "comb" for field in self.fields)


def propose_template(blank: Path, target: Path, *, name: str | None, table: Path | None, overwrite: bool) -> Proposal:
    """Write a template to `target` with a field for every frame on the first page of the form `blank`.

    With the `table` of an earlier run, names and boxes are those of its rows for this document's first page.
    Raises OutputExists, CannotWrite; BadInput where the form cannot be read or nothing is found on it; BadUsage for a folder,
    and for a table without a field of the form.
    """
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} already exists; use --overwrite to replace it, or -o for another file")
    if not target.parent.is_dir():
        raise CannotWrite(f"no such folder: {target.parent}")
    page = clean(_page(blank, 1))
    found = _places(page)
    rest = 0
    if table is not None:
        fields = tuple(_as_printed(field, found) for field in _table_fields(table, blank, page))
        rest = sum(not any(_same_place(one.box, field.box) for field in fields) for one in found)
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


def _places(page: Page, filled: bool = False) -> tuple[Field, ...]:
    """Where a form has room for numbers: the cells of its tables, and its combs, frames and lines to write on.

    On a page that is not `filled` in, what stands in a cell is print.
    """
    frames = find_frames(page, filled)
    tables = [one for one in find_tables(page, filled) if sum(_inside(frame, one.area) for frame in frames if frame.cells) < 2]
    cells: list[Field] = []
    for number, table in enumerate(tables, 1):
        printed = {field.name for field, cell in zip(cells_of(table, number), table.body, strict=True) if cell.inked}
        keep_all = filled or len(printed) > LINT.max_printed_share * len(table.body)
        cells += [field for field in cells_of(table, number) if keep_all or field.name not in printed]
    apart = find_frames(page, filled, [table.area for table in tables]) if tables else frames
    return (*cells, *(replace(frame, name=f"field_{k}") for k, frame in enumerate(apart, 1)))


def _inside(field: Field, area: Box) -> bool:
    return _overlap(field.box, area) >= LINT.same_place_share * _area(field.box)


def _working_text(title: str, page: Page, blank: Path, target: Path, fields: Sequence[Field]) -> tuple[str, bool]:
    """The text of the best template for a form that docproc can use, and whether scans will be registered on its picture."""
    for page_table, registers in _page_tables(page, blank, target.parent):
        text = _template_text(title, page_table, fields)
        try:
            known = template.parse(text, str(target), beside(target.parent))
        except BadConfig:
            if not registers:
                raise
            continue
        # A picture that is rotated when it is opened has another size in its file.
        if (known.width, known.height) == (page.width, page.height):
            break
    return text, registers


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
    """The field with the kind and the cells of the comb that it lies on, if any."""
    combs = [one for one in found if one.kind == "comb" and _same_place(one.box, field.box)]
    if not combs:
        return field
    best = max(combs, key=lambda one: _overlap(one.box, field.box))
    return replace(field, kind="comb", cells=best.cells, digits=best.digits)


def _page_tables(page: Page, blank: Path, folder: Path) -> Iterator[tuple[list[str], bool]]:
    """Ways to describe the page in the template, the best first; and whether scans are registered on the picture."""
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
    """A TOML string; what JSON leaves in one and TOML does not is DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# ---------------------------------------------------------------------------------------------------- preview


def preview_template(path: Path, scan: Path | None, target: Path, *, page: int, overwrite: bool) -> str:
    """Draw a template's boxes over a page of a scan, or over its form, into `target` (PNG); returns how the page fits.

    Raises BadUsage, OutputExists; BadConfig for a template with faults, BadInput for a scan that cannot be read or shows
    another form.
    """
    if target.suffix.lower() != ".png":
        raise BadUsage(f"the picture is a PNG: {target} should end in .png")
    known = _open(path)
    # Naming and looking take turns: an earlier preview is nobody's work.
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
            fit = _fit(clean(opened), known)
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
    walls = _mapped(to_page, [(x, y) for x in across for y in (box.top, box.bottom)]).reshape(-1, 2, 2)
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
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    return Outline(label, color, _mapped(to_page, corners), np.zeros((0, 2, 2)))


def _mapped(to_page: Homography, edges: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Edges of boxes on the form, (n, 2) px, to edges on the page. The homography maps the centers of pixels."""
    whole = np.array([(x - 0.5, y - 0.5, 1.0) for x, y in edges]).reshape(-1, 3) @ to_page.T
    return np.asarray(whole[:, :2] / whole[:, 2:] + 0.5, np.float64)


# ------------------------------------------------------------------------------------------------- page and form


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A page with the fields of a template."""

    placed: Placed
    to_page: Homography  # px of the form to px of the page
    scale: tuple[float, float]  # px of the placed page for a px of the form, across and down
    summary: str  # how it fits, in words


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


def _fit(page: Page, known: Template) -> _Fit:
    """Lay a page onto the form, or scale the form to it. Raises DocumentError where the page shows another form."""
    if not known.registers:
        across, down = page.width / known.width, page.height / known.height
        placed = Placed(page, template.place(known, page), known.rules)
        shift = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
        size = f"{page.width} x {page.height} px for the template's {known.width} x {known.height}"
        return _Fit(placed, shift, (across, down), f"taken as it lies, {size}")
    placed, found = lay(page, known, open_form(known))
    turned = f"turned by {found.turned} degrees clockwise" if found.turned else "upright"
    summary = f"off by {found.residual:.2f} px on average, matched by its {found.method}, {turned}"
    return _Fit(placed, found.to_page, (placed.page.width / known.width, placed.page.height / known.height), summary)


# ------------------------------------------------------------------------------------------------------- lint


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is printed where a field's box lies; edges in px of the form."""

    left: float
    top: float
    right: float
    bottom: float
    cells: int = 0  # 0 where none were found
    line: bool = False  # a line to write on, whose box has no printed top

    @property
    def box(self) -> Box:
        left, top = round(self.left), round(self.top)
        return Box(left, top, round(self.right) - left, round(self.bottom) - top)


@dataclass(frozen=True, slots=True)
class _PageFindings:
    """What one page shows of the fields, by their names."""

    name: str  # of the page
    frames: dict[str, _Frame]
    cut_off: dict[str, tuple[str, int]]  # the side, and by how many px of the form at least the writing continues beyond it
    outside: dict[str, int]  # px of the page by which a box reaches beyond it


@dataclass(frozen=True, slots=True)
class _Evidence:
    """A template beside what its form and its scans show."""

    template: Template
    printed: dict[str, _Frame]  # by field, on the form's own picture
    pages: Sequence[_PageFindings]

    def frames(self, name: str) -> list[tuple[str, _Frame]]:
        """The names of the pages on which a field's frame was found, and those frames."""
        return [(page.name, page.frames[name]) for page in self.pages if name in page.frames]

    def frame(self, name: str) -> _Frame | None:
        """A field's frame: that of the form's own picture, or else the one on which the pages agree."""
        return self.printed.get(name) or _median_frame([frame for _, frame in self.frames(name)])


def lint_template(path: Path, scans: Sequence[Path], report: Callable[[str], None]) -> int:
    """Check a template against its form's picture and scans of the form; `report` gets a line for each fault; returns how many.

    Without scans the template is looked at alone. Raises BadConfig with all faults of the template itself, BadInput where there
    is nothing to read in `scans`.
    """
    if not scans:
        return _lint_alone(path, report)
    known = _open(path)
    layout = Layout(str(path), (known,))
    documents = [one for one in without_forms(layout, find_documents(scans)[0]) if not is_form(layout, one)]
    if not documents:
        raise BadInput("no scans to hold the template against: " + ", ".join(map(str, scans)))
    count = 0
    pages: list[_PageFindings] = []
    for name, page in _pages(documents):
        try:
            if isinstance(page, DocumentError):
                raise page
            fit = _fit(clean(page), known)
        except DocumentError as problem:
            count += 1
            report(f"{name}: does not fit: {problem}")
            continue
        report(f"{name}: fits, {fit.summary}")
        pages.append(_inspect(name, page, fit, known))
    count += _report_faults(_Evidence(known, _printed(known), pages), report)
    report(f"{_many(len(pages), 'page')} of this form, {_many(len(known.fields), 'field')}: {_wrong(count)}")
    return count


def _lint_alone(path: Path, report: Callable[[str], None]) -> int:
    """Look at a template and its forms' pictures."""
    pages = _open_pages(path)
    count = sum(_report_faults(_Evidence(known, _printed(known), ()), report) for known in pages)
    pictures = "its form's picture" if len(pages) == 1 else "the pictures of its form"
    beside = f" and {pictures}" if pages[0].reference else ""
    fields = sum(len(known.fields) for known in pages)
    report(f"the template{beside}, {_many(fields, 'field')}: {_wrong(count)}; --on SCANS also holds it against scans")
    return count


def _report_faults(evidence: _Evidence, report: Callable[[str], None]) -> int:
    count = 0
    for field in evidence.template.fields:
        for fault in _faults(field, evidence):
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


def _inspect(name: str, page: Page, fit: _Fit, known: Template) -> _PageFindings:
    """Everything about one page that is kept after it is closed."""
    laid = fit.placed.page
    across, down = fit.scale
    pairs = list(zip(known.fields, fit.placed.fields, strict=True))
    found = _places(laid, filled=True)
    frames = {}
    for field, placed in pairs:
        match = _match(placed.box, found, comb=field.kind == "comb")
        if match:
            frames[field.name] = replace(
                match, left=match.left / across, right=match.right / across, top=match.top / down, bottom=match.bottom / down
            )
    writing = _writing(fit.placed)
    cut_off = {field.name: over for field, placed in pairs if (over := _cut_off(writing, placed, down))}
    outside = {}
    for field in known.fields:
        corners = _outlined(field.box, "", QUIET, fit.to_page).corners
        beyond = max(-corners.min(), float((corners - [page.width, page.height]).max()))
        if beyond > LINT.max_outside_px:
            outside[field.name] = round(float(beyond))
    return _PageFindings(name, frames, cut_off, outside)


def _printed(known: Template) -> dict[str, _Frame]:
    """The printed frame of every field for which the form's own picture shows one."""
    if not known.reference:
        return {}
    page = form_page(known)
    framed = _places(page, filled=True)
    edges = {one.box for one in framed}
    lines = [] if known.filled else [one for one in _places(page) if one.box not in edges]
    found = {}
    for field in known.fields:
        match = _match(field.box, framed, comb=field.kind == "comb")
        if match is None and (line := _match(field.box, lines, comb=False)):
            match = replace(line, line=True)
        if match:
            found[field.name] = match
    return found


def _match(box: Box, found: Sequence[Field], *, comb: bool) -> _Frame | None:
    """The printed frame of a field with this box: the frames that lie on it together, or the one that contains it."""
    share = LINT.same_place_share
    on_it = [one for one in found if _overlap(one.box, box) >= share * _area(one.box)]
    if comb and any(one.kind == "comb" for one in on_it):
        on_it = [one for one in on_it if one.kind == "comb"]
    if not on_it:
        around = [
            one
            for one in found
            if _overlap(one.box, box) >= share * _area(box) and _area(one.box) <= LINT.max_frame_areas * _area(box)
        ]
        on_it = [max(around, key=lambda one: _overlap(one.box, box) / _area(one.box))] if around else []
    if not on_it:
        return None
    edges = [(one.box.left, one.box.top, one.box.right, one.box.bottom) for one in on_it]
    left, top, right, bottom = zip(*edges, strict=True)
    return _Frame(min(left), min(top), max(right), max(bottom), sum(one.cells for one in on_it))


# ------------------------------------------------------------------------------------------------ faults of a field


def _faults(field: Field, evidence: _Evidence) -> Iterator[str]:
    """What is wrong with a field, in words."""
    for find in (_unprinted, _misplaced, _miscounted, _shifted, _writing_cut_off, _off_the_page, _overlapping):
        yield from find(field, evidence)


def _unprinted(field: Field, evidence: _Evidence) -> Iterator[str]:
    """A comb has cells, and none are printed there: they would be blank, or cut wherever the box was drawn."""
    if not field.cells or not (evidence.template.reference or evidence.pages):
        return
    frame = evidence.frame(field.name)
    where = f"on {Path(evidence.template.reference).name}" if evidence.template.reference else "on any page"
    if frame is None:
        yield f"a comb of {field.cells} cells, and nothing is printed there {where}: no frame, no cells"
    elif frame.line:
        yield f"a comb of {field.cells} cells, and only a line is printed there {where}"


def _misplaced(field: Field, evidence: _Evidence) -> Iterator[str]:
    """The box does not lie on its printed frame."""
    frame = evidence.frame(field.name)
    if frame is None:
        return
    if not evidence.template.registers:
        yield from _cut_by_frame(field, frame)
    elif fault := _off_frame(field, frame):
        box = frame.box
        yield f"{fault}; the frame is [{box.left}, {box.top}, {box.width}, {box.height}]"


def _miscounted(field: Field, evidence: _Evidence) -> Iterator[str]:
    """A comb has another number of cells than are printed."""
    frame = evidence.frame(field.name)
    if frame and field.cells and frame.cells and frame.cells != field.cells:
        yield f"{field.cells} cells in the template, {frame.cells} are printed"


def _shifted(field: Field, evidence: _Evidence) -> Iterator[str]:
    """On scans the printed frame lies elsewhere than on the form's own picture."""
    own = evidence.printed.get(field.name)
    if not evidence.template.registers or own is None or own.line:
        return
    shifts = [(name, _shift(own, frame)) for name, frame in evidence.frames(field.name)]
    off = [(name, shift) for name, shift in shifts if shift is not None and shift > _frame_tolerance(field)]
    if off:
        worst = max(off, key=lambda item: item[1])
        yield f"its frame lies {worst[1]:.0f} px aside of where the form has it on {_on_pages(worst[0], len(off))}"


def _writing_cut_off(field: Field, evidence: _Evidence) -> Iterator[str]:
    found = [(page.name, *page.cut_off[field.name]) for page in evidence.pages if field.name in page.cut_off]
    if found:
        name, side, over = max(found, key=lambda item: item[2])
        yield f"writing goes on {over} px or more beyond its {side} edge on {_on_pages(name, len(found))}"


def _off_the_page(field: Field, evidence: _Evidence) -> Iterator[str]:
    found = [(page.name, page.outside[field.name]) for page in evidence.pages if field.name in page.outside]
    if found:
        name, over = max(found, key=lambda item: item[1])
        yield f"the box reaches {over} px beyond the page on {_on_pages(name, len(found))}"


def _overlapping(field: Field, evidence: _Evidence) -> Iterator[str]:
    """The box overlaps those of later fields."""
    fields = evidence.template.fields
    for other in fields[fields.index(field) + 1 :]:
        across = min(field.box.right, other.box.right) - max(field.box.left, other.box.left)
        down = min(field.box.bottom, other.box.bottom) - max(field.box.top, other.box.top)
        if min(across, down) > LINT.max_overlap_px:
            yield f"overlaps field {other.name} by {across} x {down} px"


def _on_pages(name: str, count: int) -> str:
    return name + (f" and {count - 1} more" if count > 1 else "")


def _median_frame(frames: Sequence[_Frame]) -> _Frame | None:
    """The median of the frames' edges, and the number of cells that enough of them have."""
    if not frames:
        return None
    edges = np.median([(one.left, one.top, one.right, one.bottom) for one in frames], axis=0)
    left, top, right, bottom = (float(edge) for edge in edges)
    cells, count = Counter(one.cells for one in frames).most_common(1)[0]
    return _Frame(left, top, right, bottom, cells if count >= LINT.agreed_share * len(frames) else 0)


def _frame_tolerance(field: Field) -> float:
    return max(LINT.frame_tolerance_px, LINT.frame_tolerance_share * field.box.height)


def _line_tolerance(field: Field) -> float:
    return max(LINT.line_tolerance_px, LINT.line_tolerance_share * field.box.height)


def _off_frame(field: Field, frame: _Frame) -> str:
    """How a box lies off its printed frame, of a form that scans are laid onto; "" where it lies on it."""
    box = field.box
    off = (box.left - frame.left, box.top - frame.top, box.right - frame.right, box.bottom - frame.bottom)
    if frame.line:
        # A box above a line may have any height, and may cover a part of the line only.
        other_width = abs(box.width - (frame.right - frame.left)) > LINT.max_size_difference_share * box.width
        if other_width or max(map(abs, (off[0], off[2], off[3]))) <= _line_tolerance(field):
            return ""
        return f"lies {_direction((off[0] + off[2]) / 2, off[3])} its printed line"
    tolerance = _frame_tolerance(field)
    if max(map(abs, off)) <= tolerance:
        return ""
    if abs(off[0] - off[2]) <= tolerance and abs(off[1] - off[3]) <= tolerance:
        return f"lies {_direction((off[0] + off[2]) / 2, (off[1] + off[3]) / 2)} its printed frame"
    return f"its edges lie up to {max(map(abs, off)):.0f} px aside of its printed frame"


def _direction(right: float, down: float) -> str:
    parts = []
    if abs(right) >= 1:
        parts.append(f"{abs(right):.0f} px {'right' if right > 0 else 'left'} of")
    if abs(down) >= 1:
        parts.append(f"{abs(down):.0f} px {'below' if down > 0 else 'above'}")
    return " and ".join(parts)


def _cut_by_frame(field: Field, frame: _Frame) -> Iterator[str]:
    """The printed frame reaches beyond its box, where pages are taken as they lie."""
    box = field.box
    beyond = {
        "left": box.left - frame.left, "upper": box.top - frame.top,
        "right": frame.right - box.right, "lower": frame.bottom - box.bottom,
    }  # fmt: skip
    side, most = max(beyond.items(), key=lambda item: item[1])
    if most > _frame_tolerance(field):
        yield f"its printed frame reaches {most:.0f} px beyond its {side} edge"


def _shift(own: _Frame, other: _Frame) -> float | None:
    """Px between two frames of one size; None where their sizes differ, so that they are not the same frame."""
    off = np.array([other.left - own.left, other.top - own.top, other.right - own.right, other.bottom - own.bottom])
    height = own.bottom - own.top
    if max(abs(off[0] - off[2]), abs(off[1] - off[3])) > LINT.max_size_difference_share * height:
        return None
    return float(max(abs(off[0] + off[2]), abs(off[1] + off[3])) / 2)


# ---------------------------------------------------------------------------------------------------- the writing


def _writing(placed: Placed) -> NDArray[np.uint8]:
    """What was written on a page, (height, width) uint8, 1 ink: without the print of the blank form, or without long lines."""
    ink = _inked(placed.page.gray)
    thick = max(LINT.min_print_px, round(placed.page.width / LINT.print_pages)) | 1
    if placed.blank is not None:
        print_there = cv2.dilate(_inked(placed.blank), np.ones((thick, thick), np.uint8))
    else:
        highest = max(field.box.height for field in placed.fields)
        long = max(LINT.min_long_px, round(LINT.min_long_heights * highest))
        level = cv2.morphologyEx(cv2.dilate(ink, np.ones((3, 1), np.uint8)), cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
        upright = cv2.morphologyEx(cv2.dilate(ink, np.ones((1, 3), np.uint8)), cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
        print_there = cv2.dilate(np.maximum(level, upright), np.ones((3, 3), np.uint8))
    rest = np.where(print_there > 0, np.uint8(0), ink)
    # A stroke that crosses a line continues behind it.
    bridge = 2 * thick + 1
    return np.asarray(cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((bridge, bridge), np.uint8)), np.uint8)


def _inked(gray: Gray) -> NDArray[np.uint8]:
    flat = flatten_light(gray, max(LINT.flatten_px, round(gray.shape[1] / LINT.flatten_pages)))
    threshold, dark, light = otsu(flat)
    return ((flat <= threshold) & (light - dark >= LINT.min_contrast_gray)).astype(np.uint8)


def _cut_off(writing: NDArray[np.uint8], field: Field, scale: float) -> tuple[str, int] | None:
    """The edge of a field beyond which a stroke continues farthest, and how far, in px of the form; None where none does.

    `scale` is px of the page for a px of the form.
    """
    height, width = writing.shape
    box = field.crop.clip(width, height)
    room = round(LINT.around_share * field.box.height)
    around = Box(box.left - room, box.top - room, box.width + 2 * room, box.height + 2 * room).clip(width, height)
    min_crossing = max(LINT.min_crossing_px * scale, LINT.min_crossing_share * field.box.height)
    min_area = LINT.min_stroke_share * field.box.height**2
    labels, _ = components(np.ascontiguousarray(around.cut(writing)))
    inside = np.zeros(labels.shape, np.bool_)
    Box(box.left - around.left, box.top - around.top, box.width, box.height).cut(inside)[:] = True
    found: list[tuple[str, int]] = []
    for label in np.intersect1d(labels[inside], labels[~inside]):
        if label == 0:
            continue
        rows, columns = np.nonzero(labels == label)
        out = ~inside[rows, columns]
        if np.count_nonzero(out) < min_area:
            continue
        crossed = _crossed(box, rows + around.top, columns + around.left, out, min_crossing)
        found += [(side, round(far / scale)) for side, far in crossed]
    return max(found, key=lambda item: item[1]) if found else None


def _crossed(
    box: Box, rows: NDArray[np.int64], columns: NDArray[np.int64], out: NDArray[np.bool_], min_crossing: float
) -> Iterator[tuple[str, float]]:
    """The edges of a box that a stroke clearly crosses, and how far it reaches beyond, px; `out` tells the pixels outside."""
    edges = {
        "left": (box.left, -1, columns), "right": (box.right - 1, 1, columns),
        "upper": (box.top, -1, rows), "lower": (box.bottom - 1, 1, rows),
    }  # fmt: skip
    for side, (edge, sign, places) in edges.items():
        beyond = sign * (places - edge)
        if beyond[out].max() >= min_crossing and (-beyond[~out]).max() >= min_crossing:
            yield side, float(beyond.max())


# ------------------------------------------------------------------------------------------------------- boxes


def _area(box: Box) -> int:
    return box.width * box.height


def _overlap(one: Box, other: Box) -> int:
    """Px of area that two boxes have in common."""
    across = min(one.right, other.right) - max(one.left, other.left)
    return max(0, across) * max(0, min(one.bottom, other.bottom) - max(one.top, other.top))


def _same_place(one: Box, other: Box) -> bool:
    return _overlap(one, other) >= LINT.same_place_share * max(1, min(_area(one), _area(other)))
