"""Check a template: compare its boxes with what is printed on the form, and with what scans of it show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.fields import template
from docproc.fields.laying import OpenForm, lay
from docproc.fields.places import PLACES, area_of, find_places, overlap
from docproc.fields.template import Template
from docproc.pixels import components, flatten_light, otsu
from docproc.types import Box, Field, Gray, Homography, Page, Placed


@dataclass(frozen=True, slots=True)
class LintTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md. Px are those of the form."""

    # Which printed frame belongs to a box.
    max_frame_areas: float = 3.0  # of a field's box, at most, for a frame around it [guess]
    agreed_share: float = 0.6  # of the pages that must show the same number of cells [guess]

    # How far a box may be from what is printed: px, and share of its height; the larger counts.
    frame_tolerance_px: float = 4.0  # [guess]
    frame_tolerance_share: float = 0.05  # [guess]
    line_tolerance_px: float = 8.0  # of a line to write on [guess]
    line_tolerance_share: float = 0.1  # [guess]
    max_size_difference_share: float = 0.1  # between two frames that are the same, or a box and its line [guess]
    max_overlap_px: int = 2  # in both directions, of two boxes [guess]
    max_outside_px: float = 2.0  # of the page, by which a box may extend beyond it [guess]

    # Writing that is cut off.
    around_share: float = 0.35  # of a box's height that is inspected around it [guess]
    min_crossing_px: float = 4.0  # on both sides of an edge; the larger of this and the next counts [guess]
    min_crossing_share: float = 0.08  # of a box's height [guess]
    min_stroke_share: float = 0.006  # of a box's height squared, the ink outside [guess]

    # What is print and what is writing.
    flatten_px: int = 41  # side of the window for flattening the illumination, at least [guess]
    flatten_pages: int = 40  # such windows across a page [guess]
    min_contrast_gray: int = 28  # between paper and ink [guess]
    print_pages: int = 360  # the form's print is dilated by 1/n of the page's width [guess]
    min_print_px: int = 3  # the same, at least [guess]
    min_long_px: int = 24  # of a line that is print if there is no blank form; the larger of this and the next counts [guess]
    min_long_heights: float = 1.2  # of the tallest box [guess]


LINT = LintTuning()


# ------------------------------------------------------------------------------------------------ a page on the form


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A page with the fields of a template."""

    placed: Placed
    to_page: Homography  # px of the form to px of the page
    scale: tuple[float, float]  # px of the placed page per px of the form, across and down
    summary: str  # how well it fits, in words


def fit_page(page: Page, known: Template, open_form: OpenForm) -> Fit:
    """Register a page to the form, or scale the form to it. Raises DocumentError if the page shows another form."""
    if not known.registers:
        across, down = page.width / known.width, page.height / known.height
        placed = Placed(page, template.place(known, page), known.rules)
        shift = np.array([[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]])
        size = f"{page.width} x {page.height} px for the template's {known.width} x {known.height}"
        return Fit(placed, shift, (across, down), f"taken as it lies, {size}")
    placed, found = lay(page, known, open_form(known))
    turned = f"turned by {found.turned} degrees clockwise" if found.turned else "upright"
    summary = f"off by {found.residual:.2f} px on average, matched by its {found.method}, {turned}"
    return Fit(placed, found.to_page, (placed.page.width / known.width, placed.page.height / known.height), summary)


def corners_of(box: Box) -> list[tuple[float, float]]:
    """The corners of a box, clockwise from the upper left one."""
    return [(box.left, box.top), (box.right, box.top), (box.right, box.bottom), (box.left, box.bottom)]


def mapped(to_page: Homography, edges: Sequence[tuple[float, float]]) -> NDArray[np.float64]:
    """Map edges of boxes on the form, (n, 2) px, to edges on the page. The homography maps pixel centers."""
    whole = np.array([(x - 0.5, y - 0.5, 1.0) for x, y in edges]).reshape(-1, 3) @ to_page.T
    return np.asarray(whole[:, :2] / whole[:, 2:] + 0.5, np.float64)


# ------------------------------------------------------------------------------------------------- what is seen


@dataclass(frozen=True, slots=True)
class Frame:
    """What is printed at a field's box; edges in px of the form."""

    left: float
    top: float
    right: float
    bottom: float
    cells: int = 0  # 0 if none were found
    line: bool = False  # a writing line, whose box has no printed top

    @property
    def box(self) -> Box:
        left, top = round(self.left), round(self.top)
        return Box(left, top, round(self.right) - left, round(self.bottom) - top)


@dataclass(frozen=True, slots=True)
class PageFindings:
    """What one page shows about the fields, by field name."""

    name: str  # of the page
    frames: dict[str, Frame]
    cut_off: dict[str, tuple[str, int]]  # the side, and how many px of the form at least the writing continues beyond it
    outside: dict[str, int]  # px of the page by which a box extends beyond it


@dataclass(frozen=True, slots=True)
class Evidence:
    """A template with what its form and its scans show."""

    template: Template
    printed: dict[str, Frame]  # by field, on the form's own image
    pages: Sequence[PageFindings]

    def frames(self, name: str) -> list[tuple[str, Frame]]:
        """The names of the pages on which a field's frame was found, with those frames."""
        return [(page.name, page.frames[name]) for page in self.pages if name in page.frames]

    def frame(self, name: str) -> Frame | None:
        """A field's frame: the one on the form's own image, or else the one on which the pages agree."""
        return self.printed.get(name) or _median_frame([frame for _, frame in self.frames(name)])


def inspect_page(name: str, page: Page, fit: Fit, known: Template) -> PageFindings:
    """Everything about a page that is kept after it is closed."""
    laid = fit.placed.page
    across, down = fit.scale
    pairs = list(zip(known.fields, fit.placed.fields, strict=True))
    found = find_places(laid, filled=True)
    frames = {}
    for field, placed in pairs:
        frame = _match(placed.box, found, comb=field.kind == "comb")
        if frame:
            frames[field.name] = replace(
                frame, left=frame.left / across, right=frame.right / across, top=frame.top / down, bottom=frame.bottom / down
            )
    writing = _writing(fit.placed)
    cut_off = {field.name: over for field, placed in pairs if (over := _cut_off(writing, placed, down))}
    outside = {}
    for field in known.fields:
        corners = mapped(fit.to_page, corners_of(field.box))
        beyond = max(-corners.min(), float((corners - [page.width, page.height]).max()))
        if beyond > LINT.max_outside_px:
            outside[field.name] = round(float(beyond))
    return PageFindings(name, frames, cut_off, outside)


@dataclass(frozen=True, slots=True)
class FormPrint:
    """The places for fields that the image of a form shows."""

    frames: tuple[Field, ...]
    lines: tuple[Field, ...]  # writing lines, with the space above them

    @staticmethod
    def of(page: Page, filled: bool) -> FormPrint:
        """What is printed on the image of a form; if it is `filled` in, writing lines are not searched for."""
        frames = find_places(page, filled=True)
        edges = {one.box for one in frames}
        return FormPrint(frames, () if filled else tuple(one for one in find_places(page) if one.box not in edges))


def printed_frames(known: Template, form: FormPrint) -> dict[str, Frame]:
    """The printed frame of every field for which the form's own image shows one."""
    found = ((field.name, printed_frame(field.box, form, comb=field.kind == "comb")) for field in known.fields)
    return {name: frame for name, frame in found if frame}


def printed_frame(box: Box, form: FormPrint, *, comb: bool) -> Frame | None:
    """What is printed on a form at a box."""
    frame = _match(box, form.frames, comb=comb)
    if frame is None and (line := _match(box, form.lines, comb=False)):
        return replace(line, line=True)
    return frame


def _match(box: Box, found: Sequence[Field], *, comb: bool) -> Frame | None:
    """The printed frame of a field with this box: the frames that together overlap it, or the one that contains it."""
    share = PLACES.same_place_share
    on_it = [one for one in found if overlap(one.box, box) >= share * area_of(one.box)]
    if comb and any(one.kind == "comb" for one in on_it):
        on_it = [one for one in on_it if one.kind == "comb"]
    if not on_it:
        around = [
            one
            for one in found
            if overlap(one.box, box) >= share * area_of(box) and area_of(one.box) <= LINT.max_frame_areas * area_of(box)
        ]
        on_it = [max(around, key=lambda one: overlap(one.box, box) / area_of(one.box))] if around else []
    if not on_it:
        return None
    edges = [(one.box.left, one.box.top, one.box.right, one.box.bottom) for one in on_it]
    left, top, right, bottom = zip(*edges, strict=True)
    return Frame(min(left), min(top), max(right), max(bottom), sum(one.cells for one in on_it))


# ------------------------------------------------------------------------------------------------ faults of a field


def faults(field: Field, evidence: Evidence) -> Iterator[str]:
    """What is wrong with a field, in words."""
    for find in (_unprinted, _misplaced, _miscounted, _shifted, _writing_cut_off, _off_the_page, _overlapping):
        yield from find(field, evidence)


def _unprinted(field: Field, evidence: Evidence) -> Iterator[str]:
    """A comb without printed cells: they would be blank, or cut wherever the box was drawn."""
    if not field.cells or not (evidence.template.reference or evidence.pages):
        return
    frame = evidence.frame(field.name)
    reference = evidence.template.reference
    where = "on " + re.split(r"[/\\]", reference)[-1] if reference else "on any page"
    if frame is None:
        yield f"a comb of {field.cells} cells, and nothing is printed there {where}: no frame, no cells"
    elif frame.line:
        yield f"a comb of {field.cells} cells, and only a line is printed there {where}"


def _misplaced(field: Field, evidence: Evidence) -> Iterator[str]:
    """The box does not match its printed frame."""
    frame = evidence.frame(field.name)
    if frame is None:
        return
    if not evidence.template.registers:
        yield from _cut_by_frame(field, frame)
    elif fault := _off_frame(field, frame):
        box = frame.box
        yield f"{fault}; the frame is [{box.left}, {box.top}, {box.width}, {box.height}]"


def _miscounted(field: Field, evidence: Evidence) -> Iterator[str]:
    """The number of cells of a comb differs from the number printed."""
    frame = evidence.frame(field.name)
    if frame and field.cells and frame.cells and frame.cells != field.cells:
        yield f"{field.cells} cells in the template, {frame.cells} are printed"


def _shifted(field: Field, evidence: Evidence) -> Iterator[str]:
    """On scans the printed frame is at a different place than on the form's own image."""
    own = evidence.printed.get(field.name)
    if not evidence.template.registers or own is None or own.line:
        return
    shifts = [(name, _shift(own, frame)) for name, frame in evidence.frames(field.name)]
    off = [(name, shift) for name, shift in shifts if shift is not None and shift > _frame_tolerance(field)]
    if off:
        worst = max(off, key=lambda item: item[1])
        yield f"its frame lies {worst[1]:.0f} px aside of where the form has it on {_on_pages(worst[0], len(off))}"


def _writing_cut_off(field: Field, evidence: Evidence) -> Iterator[str]:
    found = [(page.name, *page.cut_off[field.name]) for page in evidence.pages if field.name in page.cut_off]
    if found:
        name, side, over = max(found, key=lambda item: item[2])
        yield f"writing goes on {over} px or more beyond its {side} edge on {_on_pages(name, len(found))}"


def _off_the_page(field: Field, evidence: Evidence) -> Iterator[str]:
    found = [(page.name, page.outside[field.name]) for page in evidence.pages if field.name in page.outside]
    if found:
        name, over = max(found, key=lambda item: item[1])
        yield f"the box reaches {over} px beyond the page on {_on_pages(name, len(found))}"


def _overlapping(field: Field, evidence: Evidence) -> Iterator[str]:
    """The box overlaps those of later fields."""
    fields = evidence.template.fields
    for other in fields[fields.index(field) + 1 :]:
        across = min(field.box.right, other.box.right) - max(field.box.left, other.box.left)
        down = min(field.box.bottom, other.box.bottom) - max(field.box.top, other.box.top)
        if min(across, down) > LINT.max_overlap_px:
            yield f"overlaps field {other.name} by {across} x {down} px"


def _on_pages(name: str, count: int) -> str:
    return name + (f" and {count - 1} more" if count > 1 else "")


def _median_frame(frames: Sequence[Frame]) -> Frame | None:
    """The median of the frames' edges, with the number of cells that enough of them have."""
    if not frames:
        return None
    edges = np.median([(one.left, one.top, one.right, one.bottom) for one in frames], axis=0)
    left, top, right, bottom = (float(edge) for edge in edges)
    cells, count = Counter(one.cells for one in frames).most_common(1)[0]
    return Frame(left, top, right, bottom, cells if count >= LINT.agreed_share * len(frames) else 0)


def _frame_tolerance(field: Field) -> float:
    return max(LINT.frame_tolerance_px, LINT.frame_tolerance_share * field.box.height)


def _line_tolerance(field: Field) -> float:
    return max(LINT.line_tolerance_px, LINT.line_tolerance_share * field.box.height)


def _off_frame(field: Field, frame: Frame) -> str:
    """How a box deviates from its printed frame, on a form to which scans are registered; "" if it matches."""
    box = field.box
    off = (box.left - frame.left, box.top - frame.top, box.right - frame.right, box.bottom - frame.bottom)
    if frame.line:
        # A box above a line may have any height, and may cover only a part of the line.
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


def _cut_by_frame(field: Field, frame: Frame) -> Iterator[str]:
    """The printed frame extends beyond its box, for pages that are used without registration."""
    box = field.box
    beyond = {
        "left": box.left - frame.left, "upper": box.top - frame.top,
        "right": frame.right - box.right, "lower": frame.bottom - box.bottom,
    }  # fmt: skip
    side, most = max(beyond.items(), key=lambda item: item[1])
    if most > _frame_tolerance(field):
        yield f"its printed frame reaches {most:.0f} px beyond its {side} edge"


def _shift(own: Frame, other: Frame) -> float | None:
    """Px between two frames of one size; None if their sizes differ, so that they are not the same frame."""
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
    # A stroke that crosses a line continues beyond it.
    bridge = 2 * thick + 1
    return np.asarray(cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((bridge, bridge), np.uint8)), np.uint8)


def _inked(gray: Gray) -> NDArray[np.uint8]:
    flat = flatten_light(gray, max(LINT.flatten_px, round(gray.shape[1] / LINT.flatten_pages)))
    threshold, dark, light = otsu(flat)
    return ((flat <= threshold) & (light - dark >= LINT.min_contrast_gray)).astype(np.uint8)


def _cut_off(writing: NDArray[np.uint8], field: Field, scale: float) -> tuple[str, int] | None:
    """The edge of a field beyond which a stroke continues farthest, and how far, in px of the form; None if none does.

    `scale` is px of the page per px of the form.
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
    """The edges of a box that a stroke clearly crosses, and how far it extends beyond, px; `out` marks the pixels outside."""
    edges = {
        "left": (box.left, -1, columns), "right": (box.right - 1, 1, columns),
        "upper": (box.top, -1, rows), "lower": (box.bottom - 1, 1, rows),
    }  # fmt: skip
    for side, (edge, sign, places) in edges.items():
        beyond = sign * (places - edge)
        if beyond[out].max() >= min_crossing and (-beyond[~out]).max() >= min_crossing:
            yield side, float(beyond.max())
