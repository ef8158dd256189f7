"""Register a page to the form of its template, and locate each field by the print around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from docproc.fields import template
from docproc.fields.template import Template
from docproc.types import Box, Field, Gray, Page, Placed

if TYPE_CHECKING:
    from docproc.pages.register import LocalFit, Print, Reference, Registration

WHY = {
    "partly off": "cut off: this field lies partly beyond the edge of the scan",
    "off": "cut off: this field lies beyond the edge of the scan",
    "not there": "the form's print around this field is not found: it is covered, torn off or printed elsewhere",
    "stretched": "the scanner stretched or squeezed the page here",
}
"""Why a field should not be trusted, by what is wrong with its place."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownForm:
    """What is known about a template's form."""

    reference: Reference  # to which pages are registered
    blank: Gray | None  # its image without writing; None if it is not known what is printed
    print: Print | None = None  # what is certainly printed on it; None if only its marks are known


OpenForm = Callable[[Template], KnownForm]


def lay(page: Page, known: Template, form: KnownForm) -> tuple[Placed, Registration]:
    """Register the page to the form of its template. Raises DocumentError if it is not a scan of it."""
    from docproc.pages.register import register

    found = register(page.gray, form.reference)
    return _placed(page, known, form, found), found


def _placed(page: Page, known: Template, form: KnownForm, found: Registration) -> Placed:
    from docproc.pages.register import natural_scale

    laid = _laid(page, found, form, natural_scale(found, form.reference.size), Box(0, 0, *form.reference.size))
    blank = None if form.blank is None else _resized(form.blank, laid.width, laid.height)
    return Placed(laid, template.place(known, laid), known.rules, blank)


def settled(page: Page, known: Template, form: KnownForm, found: Registration) -> Placed:
    """The page registered to the form; its fields are where their print is, or say why they cannot be trusted."""
    from docproc.pages.register import local_fits

    placed = _placed(page, known, form, found)
    fits = local_fits(page.gray, found.to_page, form.reference.scale, form.print, [field.box for field in known.fields])
    if not any(fit.trouble or fit.residual for fit in fits):
        return placed
    scale = placed.page.width / form.reference.size[0]
    moved = [_moved(field, fit, scale) for field, fit in zip(placed.fields, fits, strict=True)]
    laid, around = placed.page, _around([field.crop for field in moved], form.reference.size, scale)
    if around != Box(0, 0, *form.reference.size):
        laid = _laid(page, found, form, scale, around)
        left, top = round(-around.left * scale), round(-around.top * scale)
        moved = [replace(field, box=replace(field.box, left=field.box.left + left, top=field.box.top + top)) for field in moved]
    blank = None if placed.blank is None else _print_under(placed.blank, placed.fields, moved, (laid.height, laid.width))
    return replace(placed, page=laid, fields=tuple(moved), blank=blank)


def _laid(page: Page, found: Registration, form: KnownForm, scale: float, part: Box) -> Page:
    """A part of the form, in px of the form, as the page shows it: `scale` px each. The part may extend beyond the form."""
    import numpy as np

    from docproc.pages.register import rectify

    moved = replace(found, to_page=found.to_page @ np.array([[1, 0, part.left], [0, 1, part.top], [0, 0, 1]]))
    gray = rectify(page.gray, moved, (part.width, part.height), scale)
    # Pixel k of an image `scale` times as large is at (k + 0.5) / scale - 0.5.
    half = 0.5 / scale - 0.5
    back = moved.to_page @ np.array([[1 / scale, 0, half], [0, 1 / scale, half], [0, 0, 1]])
    return replace(page, gray=gray, laid=back if page.laid is None else page.laid @ back, residual=round(found.residual, 2))


def _moved(field: Field, fit: LocalFit, scale: float) -> Field:
    """A field moved to its own print; `scale` is px of the page per px of the form."""
    box = field.box
    left, top = round(box.left + fit.left * scale), round(box.top + fit.top * scale)
    right, bottom = round(box.right + fit.right * scale), round(box.bottom + fit.bottom * scale)
    apart = round(fit.residual, 2) if fit.residual else None
    return replace(
        field, box=Box(left, top, right - left, bottom - top), doubt=WHY[fit.trouble] if fit.trouble else "", apart=apart
    )


def _around(boxes: Sequence[Box], size: tuple[int, int], scale: float) -> Box:
    """The form of `size`, extended to hold all boxes; in px of the form, with `scale` px of the boxes per px."""
    left = min(0, *(math.floor(box.left / scale) for box in boxes))
    top = min(0, *(math.floor(box.top / scale) for box in boxes))
    right = max(size[0], *(math.ceil(box.right / scale) for box in boxes))
    bottom = max(size[1], *(math.ceil(box.bottom / scale) for box in boxes))
    return Box(left, top, right - left, bottom - top)


def _print_under(blank: Gray, before: Sequence[Field], behind: Sequence[Field], shape: tuple[int, int]) -> Gray:
    """The empty form's print under and around fields that were moved; paper elsewhere."""
    import cv2
    import numpy as np

    from docproc.pages.blank import BLANK

    moved = np.full(shape, 255, np.uint8)
    for old, new in zip((field.crop for field in before), (field.crop for field in behind), strict=True):
        target = new.grown(BLANK.margin_px).clip(shape[1], shape[0])
        across, down = old.width / new.width, old.height / new.height
        left = old.left + (target.left - new.left + 0.5) * across - 0.5
        top = old.top + (target.top - new.top + 0.5) * down - 0.5
        back, size = np.array([[across, 0, left], [0, down, top]]), (target.width, target.height)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = cv2.warpAffine(blank, back, size, flags=flags, borderMode=cv2.BORDER_CONSTANT, borderValue=(255,))
        place = target.cut(moved)
        np.minimum(place, part, out=place)
    return moved


def _resized(picture: Gray, width: int, height: int) -> Gray:
    import cv2
    import numpy as np

    if picture.shape == (height, width):
        return picture
    how = cv2.INTER_AREA if width < picture.shape[1] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)
