"""Each field's own fit: where the print around it is on the page, relative to where the page's fit puts it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from docproc.pages.register.feeder import Shifts, beside, row_shifts, shift_of
from docproc.pages.register.surroundings import (
    Map,
    Print,
    Sight,
    darkness,
    ink_of,
    look,
    reach_of,
    region_of,
    tile_side,
)
from docproc.pages.register.warp import Matrix, corners_of, flattened, local_scales, mapped, resizing, warped
from docproc.types import Box, Gray

Trouble = Literal["", "partly off", "off", "not there", "stretched"]


@dataclass(frozen=True, slots=True)
class LocalTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_shift_px: float = 1.5  # of the form's image: a field follows its print from this shift on [guess]
    min_unsure_shift_px: float = 4.0  # likewise, if that image has writing, which biases the shift [measured: election-forms]
    max_outside_share: float = 0.05  # of a field's height, by which it may extend beyond the page [guess]
    min_height_ratio: float = 0.85  # of a field on the page to that on the form, if the page was fed unevenly [guess]
    max_height_ratio: float = 1.18  # likewise [guess]
    max_beyond_share: float = 0.5  # of the form's side, inspected beyond its edges [guess]
    min_half_print_px: int = (
        24  # of the form's image, in half of the surroundings of a field that is searched for separately [guess]
    )


LOCAL = LocalTuning()


@dataclass(frozen=True, slots=True)
class LocalFit:
    """The shift of a field from where the page's fit puts it: px of the form, to the right and down."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0
    trouble: Trouble = ""

    @property
    def residual(self) -> float:
        """Px of the form from where the page's fit puts it."""
        return max(float(np.hypot(x, y)) for x in (self.left, self.right) for y in (self.top, self.bottom))


def local_fits(gray: Gray, to_page: Matrix, scale: float, known: Print | None, boxes: Sequence[Box]) -> list[LocalFit]:
    """The positions of fields on the page `gray`. Their `boxes` are in px of the form, which `to_page` maps to px of the page.

    `scale` is px of the form's image per px of the form, `known` what is printed on that image; None if not known.
    """
    if known is None:
        return [_on_page(LocalFit(), box, to_page, gray) for box in boxes]
    by_picture = to_page @ resizing(1 / scale)
    small = [box.scaled(scale) for box in boxes]
    dark = _dark(gray, by_picture, known, (0, 0), (0, 0))
    ink = ink_of(dark, known.mask)
    seen = [_seen(dark, ink, known, box) for box in small]
    least = LOCAL.min_shift_px if known.sure else LOCAL.min_unsure_shift_px
    fits = [_moved(sight, scale, least) for sight in seen]
    fits = [_on_page(fit, box, to_page, gray) for fit, box in zip(fits, boxes, strict=True)]
    lost = [k for k, fit in enumerate(fits) if fit.trouble == "not there"]
    if not lost:
        return fits
    unknown = [k for k, sight in enumerate(seen) if sight is None and not fits[k].trouble]
    for k, fit in _unrolled(gray, by_picture, ink, known, {k: small[k] for k in (*lost, *unknown)}).items():
        found = LocalFit(fit.left / scale, fit.top / scale, fit.right / scale, fit.bottom / scale, fit.trouble)
        fits[k] = _on_page(found, boxes[k], to_page, gray)
    return fits


def _dark(gray: Gray, by_picture: Matrix, known: Print, before: tuple[int, int], behind: tuple[int, int]) -> Map:
    """The page registered to the form's image, with so many px (columns, rows) before and after it."""
    height, width = known.mask.shape
    shift = np.array([[1, 0, -before[0]], [0, 1, -before[1]], [0, 0, 1]], np.float64)
    size = (before[0] + width + behind[0], before[1] + height + behind[1])
    return darkness(flattened(warped(gray, by_picture @ shift, size, cv2.INTER_LINEAR)))


def _seen(dark: Map, ink: float, known: Print, box: Box) -> Sight | None:
    region = region_of(box, known)
    return None if region is None else look(dark, ink, known, region, reach_of(box), tile_side(box))


def _moved(sight: Sight | None, scale: float, least: float) -> LocalFit:
    """The fit of a field that follows its print if that is at least `least` px of the form's image off its place."""
    if sight is None:
        return LocalFit()
    if not sight.found:
        return LocalFit(trouble="not there")
    if np.hypot(sight.across, sight.down) < least:
        return LocalFit()
    across, down = sight.across / scale, sight.down / scale
    return LocalFit(across, down, across, down)


def _on_page(fit: LocalFit, box: Box, to_page: Matrix, gray: Gray) -> LocalFit:
    """The fit, marked if the field is beyond the edge of the page."""
    left, top = box.left + fit.left, box.top + fit.top
    corners = corners_of(box.right + fit.right - left, box.bottom + fit.bottom - top, left, top)
    placed = mapped(to_page, corners) + 0.5
    beyond = np.maximum(-placed, placed - np.array([gray.shape[1], gray.shape[0]]))
    allowed = LOCAL.max_outside_share * box.height * float(local_scales(to_page, corners).max())
    if beyond.max() <= allowed:
        return fit
    off = (beyond.min(0) >= 0).any()
    return LocalFit(fit.left, fit.top, fit.right, fit.bottom, "off" if off else "partly off")


def _unrolled(gray: Gray, by_picture: Matrix, ink: float, known: Print, boxes: dict[int, Box]) -> dict[int, LocalFit]:
    """Fits of fields on a page that a feeder may have stretched or squeezed, along or across the form; px of its image."""
    height, width = known.mask.shape
    back = np.asarray(np.linalg.inv(by_picture), np.float64)
    edges = np.nan_to_num(mapped(back, corners_of(gray.shape[1], gray.shape[0])))
    reach = [round(LOCAL.max_beyond_share * side) for side in (width, height)]
    before = [int(np.clip(np.ceil(-edges[:, k].min()), 0, reach[k])) for k in (0, 1)]
    behind = [int(np.clip(np.ceil(edges[:, k].max() - (width, height)[k]), 0, reach[k])) for k in (0, 1)]
    down = _fed(_dark(gray, by_picture, known, (0, before[1]), (0, behind[1])), before[1], ink, known, boxes)
    if not any(fit.trouble == "not there" for fit in down.values()):
        return down
    turned = {k: Box(box.top, box.left, box.height, box.width) for k, box in boxes.items()}
    dark = np.ascontiguousarray(_dark(gray, by_picture, known, (before[0], 0), (behind[0], 0)).T)
    mask = Print(np.ascontiguousarray(known.mask.T), known.sure)
    across = {
        k: LocalFit(fit.top, fit.left, fit.bottom, fit.right, fit.trouble)
        for k, fit in _fed(dark, before[0], ink, mask, turned).items()
    }
    return max((down, across), key=lambda fits: sum(fit.trouble != "not there" for fit in fits.values()))


def _fed(dark: Map, above: int, ink: float, known: Print, boxes: dict[int, Box]) -> dict[int, LocalFit]:
    """Fits of fields on a page that was fed from top to bottom; `dark` begins `above` px above the form's image."""
    shifts = row_shifts(dark, above, ink, known.mask)
    fits: dict[int, LocalFit] = {}
    steady: dict[int, bool] = {}
    for k, box in boxes.items():
        region = region_of(box, known)
        if region is None:
            fits[k], steady[k] = _by_rows(shift_of(shifts, known.mask, box.top, box.bottom), box), True
            continue
        middle = (box.top + box.bottom) // 2
        upper, lower = (
            _half(dark, above, ink, known, Box(region.left, top, region.width, bottom - top), box, shifts)
            for top, bottom in ((region.top, middle), (middle, region.bottom))
        )
        fits[k] = _by_halves(upper, lower, box)
        over, under = beside(shifts, known.mask, region.top, region.bottom)
        steady[k] = _agree(over, fits[k].top, box) or _agree(under, fits[k].bottom, box)
    # A feeder moves everything that follows: a field that moved unlike all print around it was printed elsewhere.
    return {k: fits[k] if steady[k] or _in_company(k, fits, boxes) else LocalFit(trouble="not there") for k in boxes}


def _agree(shift: float, own: float, box: Box) -> bool:
    return abs(shift - own) <= reach_of(box) / 2


def _in_company(k: int, fits: dict[int, LocalFit], boxes: dict[int, Box]) -> bool:
    """Whether another field in the same rows moved in the same way."""
    own = boxes[k]
    return any(
        fits[other].trouble != "not there"
        and min(own.bottom, box.bottom) - max(own.top, box.top) > own.height / 2
        and _agree(fits[other].top, fits[k].top, own)
        and _agree(fits[other].bottom, fits[k].bottom, own)
        for other, box in boxes.items()
        if other != k
    )


def _half(dark: Map, above: int, ink: float, known: Print, half: Box, box: Box, shifts: Shifts) -> Sight | None:
    """What is seen of the print around half of a field; None if there is too little."""
    if np.count_nonzero(half.cut(known.mask)) < LOCAL.min_half_print_px:
        return None
    shift = shift_of(shifts, known.mask, half.top, half.bottom)
    if np.isnan(shift):
        return Sight(0.0, 0, 0, hidden=True)
    sight = look(dark, ink, known, half, reach_of(box), tile_side(box), (0, above + round(shift)))
    return replace(sight, down=sight.down - above)


def _by_rows(shift: float, box: Box) -> LocalFit:
    """The fit of a field without print around it, from other print in its rows."""
    return LocalFit() if abs(shift) <= reach_of(box) else LocalFit(trouble="stretched")


def _by_halves(upper: Sight | None, lower: Sight | None, box: Box) -> LocalFit:
    """The fit from what is seen around the upper and the lower half."""
    seen = [one for one in (upper, lower) if one is not None]
    if not seen or not all(one.found for one in seen):
        return LocalFit(trouble="not there")
    top, bottom = seen[0].down, seen[-1].down
    across = max(seen, key=_by_likeness).across
    ratio = (box.height + bottom - top) / box.height
    even = LOCAL.min_height_ratio <= ratio <= LOCAL.max_height_ratio
    return LocalFit(across, top, across, bottom, "" if even else "stretched")


def _by_likeness(sight: Sight) -> float:
    return sight.likeness
