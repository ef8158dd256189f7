"""Describe a form: propose its template, draw one, and hold one against scans."""

from __future__ import annotations

import csv
import io
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
from docproc.fields.layouts import Layout, lay
from docproc.fields.template import Template
from docproc.files import Document, find_documents, open_pages
from docproc.forms import beside, form_page, is_form, open_form, open_layout
from docproc.forms import scans as without_forms
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.pages.register import reference
from docproc.pixels import components, flatten_light, otsu
from docproc.runs.pictures import QUIET, Color, Outline, form_overlay
from docproc.runs.tables import safe_name, shown_name, write_whole
from docproc.types import Box, Field, Gray, Homography, Page, Placed

NAME = r"[A-Za-z_][A-Za-z0-9_]*"  # of a field
SAME_PLACE = 0.5  # of the smaller of two boxes that both hold: they mean the same
MOST_AROUND = 3.0  # areas of a field's box that its printed frame may have
NEAR_FRAME = (4.0, 0.05)  # px of the form, and share of a box's height, by which it may lie aside of its frame
NEAR_LINE = (8.0, 0.1)  # the same for a line to write on
LEAST_OVERLAP = 2  # px of the form in both directions by which two boxes overlap
CROSSING = (4.0, 0.08)  # px of the form, and share of a box's height, that writing has on both sides of an edge
LEAST_STROKE = 0.006  # of a box's height squared, the ink outside
AROUND = 0.35  # of a box's height that is looked at around it
AGREED = 0.6  # of the pages that have to tell the same number of cells

KIND_COLORS: dict[str, Color] = {"comb": (0, 90, 230), "string": (0, 130, 60), "amount": (200, 0, 130), "micr": (120, 80, 200)}


# ------------------------------------------------------------------------------------------------------- init


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was proposed for a form."""

    fields: tuple[Field, ...]
    reference: bool  # scans will be laid onto the picture
    beside: int = 0  # frames of the form that no field of the table names

    @property
    def combs(self) -> int:
        return sum(field.kind == "comb" for field in self.fields)


def propose_template(blank: Path, target: Path, *, name: str | None, table: Path | None, overwrite: bool) -> Proposal:
    """Write a template to `target` with a field for every frame on the first page of the form `blank`.

    With a `table` of an earlier run, the fields and boxes are those that it has for this document's first page.
    Raises OutputExists; BadInput where the form cannot be read or nothing is found on it; BadUsage for a table that
    names no field of it.
    """
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} is there already; give --overwrite or another name with -o")
    if not target.parent.is_dir():
        raise CannotWrite(f"there is no folder {target.parent}")
    page = clean(_page(blank, 1))
    found = find_frames(page)
    rest = 0
    if table is not None:
        fields = tuple(_as_printed(field, found) for field in _named(table, blank, page))
        rest = sum(not any(_same_place(one.box, field.box) for field in fields) for one in found)
    else:
        fields = found
    if not fields:
        raise BadInput(
            f"{blank}: no combs, frames or lines to write on were found; give a straight and clean scan of the form, or "
            "write the template by hand (docproc template schema)"
        )
    title = name or blank.stem or "form"
    for page_table, usable in _page_tables(page, blank, target.parent):
        text = _template_text(title, page_table, fields)
        try:
            known = template.parse(text, str(target), beside(target.parent))
        except BadConfig:
            if not usable:
                raise
            continue
        # A picture that is turned when it is opened has another size in its file.
        if (known.width, known.height) == (page.width, page.height):
            break
    data = text.encode("utf-8")
    write_whole(target, lambda file: file.write(data))
    return Proposal(fields, usable, rest)


def _named(table: Path, blank: Path, page: Page) -> Iterator[Field]:
    """The fields that a run's table has for the first page of a form."""
    wanted = safe_name(blank.name)
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            lacking = {"document", "page", "field", "left", "top", "width", "height"} - set(rows.fieldnames or ())
            if lacking:
                raise BadUsage(f"{table}: no column {', '.join(sorted(lacking))}; --from takes a long table as .csv")
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
        name = row["field"] if re.fullmatch(NAME, row["field"]) else f"field_{number}"
        yield Field(name, box)


def _as_printed(field: Field, found: Sequence[Field]) -> Field:
    """The field with the kind and the cells of the comb that it lies on, if any."""
    combs = [one for one in found if one.kind == "comb" and _same_place(one.box, field.box)]
    if not combs:
        return field
    best = max(combs, key=lambda one: _common(one.box, field.box))
    return replace(field, kind="comb", cells=best.cells, digits=best.digits)


def _page_tables(page: Page, blank: Path, folder: Path) -> Iterator[tuple[list[str], bool]]:
    """Ways to describe the page, the best first; and whether scans are laid onto the picture."""
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

    Raises BadConfig for a template with faults, BadInput where the scan cannot be read or is none of this form.
    """
    if target.suffix.lower() != ".png":
        raise BadUsage(f"the picture is a PNG: {target} should end in .png")
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} is there already; give --overwrite or another name with -o")
    known = _open(path)
    to_page: Homography = np.eye(3)
    if scan is None:
        gray = form_page(known).gray if known.reference else np.full((known.height, known.width), 255, np.uint8)
        shown = Path(known.reference).name if known.reference else f"{known.width} x {known.height} px, without a picture"
        said, where = "the form as it is", f"{known.name}: {shown}"
    else:
        opened = _page(scan, page)
        gray = opened.gray
        try:
            fit = _fit(clean(opened), known)
        except DocumentError as problem:
            raise BadInput(f"{scan}, page {page}: {problem}") from problem
        to_page, said, where = fit.to_page, fit.said, f"{known.name} on {shown_name(scan.name)}, page {page}"
    outlines = [_outline(field, to_page) for field in known.fields]
    outlines += [_outlined(mark, "mark", QUIET, to_page) for mark in known.marks]
    picture = form_overlay(gray, f"{where}: {said}", outlines)
    data = io.BytesIO()
    picture.save(data, "PNG")
    write_whole(target, lambda file: file.write(data.getvalue()))
    return said


def _outline(field: Field, to_page: Homography) -> Outline:
    box = field.box
    across = [box.left + box.width * k / field.cells for k in range(1, field.cells)]
    walls = _mapped(to_page, [(x, y) for x in across for y in (box.top, box.bottom)]).reshape(-1, 2, 2)
    return replace(_outlined(box, _labeled(field), KIND_COLORS[field.kind], to_page), walls=walls)


def _labeled(field: Field) -> str:
    said = f"{field.kind} of {field.cells}" if field.cells else field.kind
    if field.rules and field.rules.date:
        said = f"date {field.rules.date}" + (f" in {field.cells} cells" if field.cells else "")
    elif field.digits and not field.cells:
        fewest, most = field.digits
        said += f" of {fewest}" if fewest == most else f" of {fewest} to {most}"
    return f"{field.name}: {said}"


def _outlined(box: Box, label: str, color: Color, to_page: Homography) -> Outline:
    corners = [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]
    return Outline(label, color, _mapped(to_page, corners), np.zeros((0, 2, 2)))


def _mapped(to_page: Homography, edges: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Edges of boxes on the form, (n, 2) px, to edges on the page; a homography maps the middles of pixels."""
    whole = np.array([(x - 0.5, y - 0.5, 1.0) for x, y in edges]).reshape(-1, 3) @ to_page.T
    return np.asarray(whole[:, :2] / whole[:, 2:] + 0.5, np.float64)


# ------------------------------------------------------------------------------------------------- page and form


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """A page with the fields of a template."""

    placed: Placed
    to_page: Homography  # px of the form to px of the page
    scale: tuple[float, float]  # px of the placed page for a px of the form, across and down
    said: str  # how it fits


def _open(path: Path) -> Template:
    if not path.is_file():
        raise BadUsage(f"no such template: {path}")
    known = open_layout(str(path), ()).template
    if known is None:
        raise BadUsage(f"{path} is the name of a layout; call the template {path}.toml")
    return known


def _page(document: Path, number: int) -> Page:
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
    """Raises DocumentError where the page is no scan of the form."""
    if not known.registers:
        across, down = page.width / known.width, page.height / known.height
        placed = Placed(page, template.place(known, page), known.rules)
        shift = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
        size = f"{page.width} x {page.height} px for the template's {known.width} x {known.height}"
        return _Fit(placed, shift, (across, down), f"taken as it lies, {size}")
    placed, found = lay(page, known, open_form(known))
    turned = f"turned by {found.turned} degrees clockwise" if found.turned else "upright"
    said = f"{found.residual:.2f} px of the form off, by its {found.method}, {turned}"
    return _Fit(placed, found.to_page, (placed.page.width / known.width, placed.page.height / known.height), said)


# ------------------------------------------------------------------------------------------------------- lint


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is printed where a field's box lies; edges in px of the form."""

    left: float
    top: float
    right: float
    bottom: float
    cells: int = 0  # 0 where none were seen
    line: bool = False  # a line to write on, whose box has no printed top

    @property
    def box(self) -> Box:
        left, top = round(self.left), round(self.top)
        return Box(left, top, round(self.right) - left, round(self.bottom) - top)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one page shows of the fields, by their names."""

    name: str
    frames: dict[str, _Frame]
    clipped: dict[str, tuple[str, int]]  # the side, and how many px of the form the writing goes on at least
    outside: dict[str, int]  # px of the page by which a box reaches beyond it


def lint_template(path: Path, scans: Sequence[Path], tell: Callable[[str], None]) -> int:
    """Hold a template against scans of its form and `tell` what is wrong, a line each; returns how many things are.

    Raises BadConfig with all faults of the template itself, BadInput where there are no scans.
    """
    known = _open(path)
    layout = Layout(str(path), known)
    documents = [one for one in without_forms(layout, find_documents(scans)[0]) if not is_form(layout, one)]
    if not documents:
        raise BadInput("no scans to hold the template against: " + ", ".join(map(str, scans)))
    wrong = 0
    seen: list[_Seen] = []
    for name, page in _pages(documents):
        try:
            if isinstance(page, DocumentError):
                raise page
            fit = _fit(clean(page), known)
        except DocumentError as problem:
            wrong += 1
            tell(f"{name}: does not fit: {problem}")
            continue
        tell(f"{name}: fits, {fit.said}")
        seen.append(_look(name, page, fit, known))
    printed = _printed(known)
    fields = [(field, say) for field in known.fields for say in _wrong(field, known, printed, seen)]
    for field, say in fields:
        tell(f"field {field.name}: {say}")
    wrong += len(fields)
    count = f"{_many(len(seen), 'page')} of this form, {_many(len(known.fields), 'field')}"
    tell(f"{count}: {'nothing is' if not wrong else '1 thing is' if wrong == 1 else f'{wrong} things are'} wrong")
    return wrong


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


def _look(name: str, page: Page, fit: _Fit, known: Template) -> _Seen:
    """Everything about one page that is kept when it is gone."""
    laid = fit.placed.page
    across, down = fit.scale
    pairs = list(zip(known.fields, fit.placed.fields, strict=True))
    found = find_frames(laid, filled=True)
    frames = {}
    for field, placed in pairs:
        match = _match(placed.box, found, comb=field.kind == "comb")
        if match:
            frames[field.name] = replace(
                match, left=match.left / across, right=match.right / across, top=match.top / down, bottom=match.bottom / down
            )
    pen = _pen(fit.placed)
    clipped = {field.name: over for field, placed in pairs if (over := _clipped(pen, placed, down))}
    outside = {}
    for field in known.fields:
        corners = _outlined(field.box, "", QUIET, fit.to_page).corners
        beyond = max(-corners.min(), float((corners - [page.width, page.height]).max()))
        if beyond > 2:
            outside[field.name] = round(float(beyond))
    return _Seen(name, frames, clipped, outside)


def _printed(known: Template) -> dict[str, _Frame]:
    """The printed frame of every field for which the form's own picture shows one."""
    if not known.reference:
        return {}
    page = form_page(known)
    framed = find_frames(page, filled=True)
    edges = {one.box for one in framed}
    lines = [] if known.filled else [one for one in find_frames(page) if one.box not in edges]
    found = {}
    for field in known.fields:
        match = _match(field.box, framed, comb=field.kind == "comb")
        if match is None and (line := _match(field.box, lines, comb=False)):
            match = replace(line, line=True)
        if match:
            found[field.name] = match
    return found


def _match(box: Box, found: Sequence[Field], *, comb: bool) -> _Frame | None:
    """The printed frame of a field with this box: the frames that lie on it together, or the one that holds it."""
    on_it = [one for one in found if _common(one.box, box) >= SAME_PLACE * _area(one.box)]
    if comb and any(one.kind == "comb" for one in on_it):
        on_it = [one for one in on_it if one.kind == "comb"]
    if not on_it:
        around = [
            one
            for one in found
            if _common(one.box, box) >= SAME_PLACE * _area(box) and _area(one.box) <= MOST_AROUND * _area(box)
        ]
        on_it = [max(around, key=lambda one: _common(one.box, box) / _area(one.box))] if around else []
    if not on_it:
        return None
    edges = [(one.box.left, one.box.top, one.box.right, one.box.bottom) for one in on_it]
    left, top, right, bottom = zip(*edges, strict=True)
    return _Frame(min(left), min(top), max(right), max(bottom), sum(one.cells for one in on_it))


def _wrong(field: Field, known: Template, printed: dict[str, _Frame], seen: Sequence[_Seen]) -> Iterator[str]:
    """What is wrong with a field, in words."""
    pages = [(one.name, one.frames[field.name]) for one in seen if field.name in one.frames]
    frame = printed.get(field.name) or _agreed([frame for _, frame in pages])
    if frame and (aside := _aside(field, frame) if known.registers else _beyond(field, frame)):
        box = frame.box
        where = f"; the frame is [{box.left}, {box.top}, {box.width}, {box.height}]" if known.registers else ""
        yield aside + where
    if frame and field.cells and frame.cells and frame.cells != field.cells:
        yield f"{field.cells} cells in the template, {frame.cells} are printed"
    if known.registers and field.name in printed and not printed[field.name].line:
        own = printed[field.name]
        lying = [(name, _shift(own, one)) for name, one in pages]
        off = [(name, shift) for name, shift in lying if shift is not None and shift > _near(field, NEAR_FRAME)]
        if off:
            worst = max(off, key=lambda item: item[1])
            yield f"its frame lies {worst[1]:.0f} px aside of where the form has it on {_among(worst[0], len(off))}"
    clipped = [(one.name, *one.clipped[field.name]) for one in seen if field.name in one.clipped]
    if clipped:
        name, side, over = max(clipped, key=lambda item: item[2])
        yield f"writing goes on {over} px or more beyond its {side} edge on {_among(name, len(clipped))}"
    outside = [(one.name, one.outside[field.name]) for one in seen if field.name in one.outside]
    if outside:
        name, over = max(outside, key=lambda item: item[1])
        yield f"the box reaches {over} px beyond the page on {_among(name, len(outside))}"
    for other in known.fields[known.fields.index(field) + 1 :]:
        across = min(field.box.right, other.box.right) - max(field.box.left, other.box.left)
        down = min(field.box.bottom, other.box.bottom) - max(field.box.top, other.box.top)
        if min(across, down) > LEAST_OVERLAP:
            yield f"overlaps field {other.name} by {across} x {down} px"


def _among(name: str, count: int) -> str:
    return name + (f" and {count - 1} more" if count > 1 else "")


def _agreed(frames: Sequence[_Frame]) -> _Frame | None:
    """The frame that the pages show: the middle of its edges, and the cells that most of them have."""
    if not frames:
        return None
    edges = np.median([(one.left, one.top, one.right, one.bottom) for one in frames], axis=0)
    left, top, right, bottom = (float(edge) for edge in edges)
    cells, count = Counter(one.cells for one in frames).most_common(1)[0]
    return _Frame(left, top, right, bottom, cells if count >= AGREED * len(frames) else 0)


def _near(field: Field, near: tuple[float, float]) -> float:
    return max(near[0], near[1] * field.box.height)


def _aside(field: Field, frame: _Frame) -> str:
    """How the box of a form that is laid lies aside of its printed frame; "" where it does not."""
    box = field.box
    off = (box.left - frame.left, box.top - frame.top, box.right - frame.right, box.bottom - frame.bottom)
    if frame.line:
        # A box above a line is as high as one likes, and may take a part of it.
        if abs(box.width - (frame.right - frame.left)) > 0.1 * box.width or max(map(abs, (off[0], off[2], off[3]))) <= _near(
            field, NEAR_LINE
        ):
            return ""
        return f"lies {_sides((off[0] + off[2]) / 2, off[3])} its printed line"
    near = _near(field, NEAR_FRAME)
    if max(map(abs, off)) <= near:
        return ""
    if abs(off[0] - off[2]) <= near and abs(off[1] - off[3]) <= near:
        return f"lies {_sides((off[0] + off[2]) / 2, (off[1] + off[3]) / 2)} its printed frame"
    return f"its edges lie up to {max(map(abs, off)):.0f} px aside of its printed frame"


def _sides(right: float, down: float) -> str:
    said = []
    if abs(right) >= 1:
        said.append(f"{abs(right):.0f} px {'right' if right > 0 else 'left'} of")
    if abs(down) >= 1:
        said.append(f"{abs(down):.0f} px {'below' if down > 0 else 'above'}")
    return " and ".join(said)


def _beyond(field: Field, frame: _Frame) -> str:
    """How far a frame reaches out of its box, where pages are taken as they lie."""
    box = field.box
    beyond = {
        "left": box.left - frame.left, "upper": box.top - frame.top,
        "right": frame.right - box.right, "lower": frame.bottom - box.bottom,
    }  # fmt: skip
    side, most = max(beyond.items(), key=lambda item: item[1])
    return f"its printed frame reaches {most:.0f} px beyond its {side} edge" if most > _near(field, NEAR_FRAME) else ""


def _shift(own: _Frame, other: _Frame) -> float | None:
    """Px by which one frame lies aside of another of its size; None where they differ in size and so are not the same."""
    off = np.array([other.left - own.left, other.top - own.top, other.right - own.right, other.bottom - own.bottom])
    if max(abs(off[0] - off[2]), abs(off[1] - off[3])) > 0.1 * (own.bottom - own.top):
        return None
    return float(max(abs(off[0] + off[2]), abs(off[1] + off[3])) / 2)


# ------------------------------------------------------------------------------------------------------ the pen


def _pen(placed: Placed) -> NDArray[np.uint8]:
    """What was written on a page, (height, width) uint8, 1 ink: without what the blank form has, or without long lines."""
    ink = _inked(placed.page.gray)
    thick = max(3, round(placed.page.width / 360)) | 1
    if placed.blank is not None:
        print_there = cv2.dilate(_inked(placed.blank), np.ones((thick, thick), np.uint8))
    else:
        long = max(24, round(1.2 * max(field.box.height for field in placed.fields)))
        level = cv2.morphologyEx(cv2.dilate(ink, np.ones((3, 1), np.uint8)), cv2.MORPH_OPEN, np.ones((1, long), np.uint8))
        upright = cv2.morphologyEx(cv2.dilate(ink, np.ones((1, 3), np.uint8)), cv2.MORPH_OPEN, np.ones((long, 1), np.uint8))
        print_there = cv2.dilate(np.maximum(level, upright), np.ones((3, 3), np.uint8))
    rest = np.where(print_there > 0, np.uint8(0), ink)
    # A stroke that crosses a line goes on behind it.
    bridge = 2 * thick + 1
    return np.asarray(cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((bridge, bridge), np.uint8)), np.uint8)


def _inked(gray: Gray) -> NDArray[np.uint8]:
    flat = flatten_light(gray, max(41, round(gray.shape[1] / 40)))
    threshold, dark, light = otsu(flat)
    return ((flat <= threshold) & (light - dark >= 28)).astype(np.uint8)


def _clipped(pen: NDArray[np.uint8], field: Field, scale: float) -> tuple[str, int] | None:
    """The edge of a field beyond which most of a stroke goes on, and how far, in px of the form; None where none does.

    `scale` is px of the page for a px of the form.
    """
    height, width = pen.shape
    box = field.crop.clip(width, height)
    room = round(AROUND * field.box.height)
    around = Box(box.left - room, box.top - room, box.width + 2 * room, box.height + 2 * room).clip(width, height)
    least = max(CROSSING[0] * scale, CROSSING[1] * field.box.height)
    labels, _ = components(np.ascontiguousarray(around.cut(pen)))
    edges = {
        "left": (box.left, -1, 1), "right": (box.right - 1, 1, 1), "upper": (box.top, -1, 0), "lower": (box.bottom - 1, 1, 0),
    }  # fmt: skip
    inside = np.zeros(labels.shape, np.bool_)
    Box(box.left - around.left, box.top - around.top, box.width, box.height).cut(inside)[:] = True
    found: list[tuple[str, int]] = []
    for label in np.intersect1d(labels[inside], labels[~inside]):
        if label == 0:
            continue
        rows, columns = np.nonzero(labels == label)
        places = rows + around.top, columns + around.left
        out = ~inside[rows, columns]
        if np.count_nonzero(out) < LEAST_STROKE * field.box.height**2:
            continue
        for side, (edge, sign, axis) in edges.items():
            beyond = sign * (places[axis] - edge)
            if beyond[out].max() >= least and (-beyond[~out]).max() >= least:
                found.append((side, round(float(beyond.max()) / scale)))
    return max(found, key=lambda item: item[1]) if found else None


# ------------------------------------------------------------------------------------------------------- boxes


def _area(box: Box) -> int:
    return box.width * box.height


def _common(one: Box, other: Box) -> int:
    across = min(one.right, other.right) - max(one.left, other.left)
    return max(0, across) * max(0, min(one.bottom, other.bottom) - max(one.top, other.top))


def _same_place(one: Box, other: Box) -> bool:
    return _common(one, other) >= SAME_PLACE * max(1, min(_area(one), _area(other)))
