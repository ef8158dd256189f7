"""Register a scan to the form that a template describes.

First comes an initial guess of the form's position: by its corner marks, by features of its print, or by its ruled lines.
Then, for each guess, small patches of the form's print are searched for where the guess puts them, the homography is fitted
to those that are found, and their share decides whether the page is a scan of this form at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np

from docproc.errors import DocumentError
from docproc.pages.register.copies import first_of, lies_on, without_form
from docproc.pages.register.corner_marks import places_by_marks
from docproc.pages.register.features import agreeing, features, guesses_by_features
from docproc.pages.register.known_form import Reference, reference, reference_by_marks
from docproc.pages.register.lines import guesses_by_lines
from docproc.pages.register.local import LocalFit, local_fits
from docproc.pages.register.refinement import Fit, refine
from docproc.pages.register.slipped import slipped_share
from docproc.pages.register.surroundings import Print, print_on
from docproc.pages.register.warp import (
    WARP,
    Matrix,
    at_working_size,
    corners_of,
    is_plausible,
    largest_scales,
    local_scales,
    mapped,
    resizing,
    stretching,
    warped,
)
from docproc.types import Box, Gray

__all__ = (
    "LocalFit",
    "Print",
    "Reference",
    "Registration",
    "box_on_page",
    "first_of",
    "lies_on",
    "local_fits",
    "natural_scale",
    "print_on",
    "rectify",
    "reference",
    "reference_by_marks",
    "register",
    "resemblance",
    "seek",
    "without_form",
)

Method = Literal["marks", "features", "lines"]


@dataclass(frozen=True, slots=True)
class RegisterTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    work_side_px: int = 1400  # of the page's longer side, at most; more than for the form, as a desk may be around it [guess]
    min_side_px: int = 100  # of the page's shorter side then [guess]
    max_mark_guesses: int = 4  # positions by marks that are tried if there is also an image [guess]
    max_alone_bend_share: float = 0.01  # of the diagonal, with only marks and one missing: specks may look the same [guess]
    min_alone_cover_share: float = 0.25  # of the page's area that the form covers, if there are only marks [guess]
    min_slipped_share: float = 0.3  # of the patches, for a page that may have slipped in the feeder: a part of it fits [guess]
    min_named_share: float = 0.05  # of the patches; fewer are "next to nothing" in the message [guess]

    # A page with non-square pixels whose file does not say so: a coarse fax has 204 by 98 dots per inch.
    stretch: float = 2.04  # by which such a page is enlarged vertically; between 204 / 98 and 200 / 100 [standard]
    min_shape_ratio: float = 1.5  # of the aspect ratio of the page to that of the form, for such a page [guess]
    max_shape_ratio: float = 2.8  # likewise [guess]
    min_sure_share: float = 0.6  # of the patches; if fewer are found, the stretched page is tried as well [guess]

    min_uneven_ratio: float = 1.25  # of the page's scale in one direction to the mean: above it the larger one is used [guess]
    min_scale: float = 0.5  # px of a rectified page per px of the form [guess]
    max_scale: float = 4.0  # likewise [guess]
    max_pixels: int = 60_000_000  # of a rectified page [guess]
    rounding_px: float = 1e-3  # by which an edge may exceed a whole pixel without taking another one [geometry]


REGISTER = RegisterTuning()


@dataclass(frozen=True, slots=True, eq=False)
class Registration:
    """The position of the form on a page."""

    to_page: Matrix  # px of the reference to px of the page
    residual: float  # px of the reference, root mean square over the patches (or the marks' corners) found
    method: Method  # of the initial guess
    turned: int  # 0, 90, 180, 270 degrees, clockwise rotation of the form on the page
    share: float  # 0..1 of the patches that were found (of the marks, if there is no image)


def register(gray: Gray, reference: Reference) -> Registration:
    """The position of the form on the page `gray` (height, width) uint8, dark ink on light paper.

    Raises DocumentError `does_not_fit` if the page is not a scan of this form.
    """
    found, share = seek(gray, reference)
    if found is not None:
        return found
    size = f"{gray.shape[1]} x {gray.shape[0]} px"
    if _too_small(gray):
        message = f"the page of {size} is too small or too narrow to show the form; is it another form?"
    elif not len(reference.patches):
        message = f"the form's {len(reference.marks)} corner marks are not found on the page; is it another form?"
    else:
        much = f"only {share:.0%} of" if share >= REGISTER.min_named_share else "next to nothing of"
        structure = "the form's printed structure is found where it should be on the page"
        message = f"{much} {structure}; is it another form, or incomplete?"
    raise DocumentError("does_not_fit", message)


def seek(gray: Gray, reference: Reference, outside: float = WARP.max_middle_outside_share) -> tuple[Registration | None, float]:
    """The position of the form on the page, if any; and the share 0..1 of its patches (or marks) that are found.

    The center of the form may be outside the page by a share `outside` of it.
    """
    best, most = None, 0.0
    for stretch in _stretches(gray.shape, reference.size) if not _too_small(gray) else ():
        stretched = _stretched(gray, stretch)
        found, share = _by_print(stretched, reference, outside) if len(reference.patches) else _by_marks(stretched, reference)
        if found is not None and (best is None or found.share > best.share):
            best = replace(found, to_page=stretching(gray.shape[0] / stretched.shape[0]) @ found.to_page)
        most = max(most, share)
        if best is not None and best.share >= REGISTER.min_sure_share:
            break
    return best, most


def resemblance(gray: Gray, references: Sequence[Reference]) -> list[int]:
    """The number of features of each form that are arranged on the page as on the form."""
    page = features(at_working_size(gray, REGISTER.work_side_px)[0])
    return [agreeing(page, one.points, one.descriptors) for one in references]


def _too_small(gray: Gray) -> bool:
    return bool(min(gray.shape) * min(1.0, REGISTER.work_side_px / max(gray.shape)) < REGISTER.min_side_px)


def _stretches(shape: tuple[int, ...], size: tuple[int, int]) -> tuple[float, ...]:
    """The factors by which a page of `shape` may have to be stretched vertically to match a form of `size` (width, height)."""
    ratio = shape[1] / shape[0] * size[1] / size[0]
    if REGISTER.min_shape_ratio <= ratio <= REGISTER.max_shape_ratio:
        return 1.0, REGISTER.stretch
    if REGISTER.min_shape_ratio <= 1 / ratio <= REGISTER.max_shape_ratio:
        return 1.0, 1 / REGISTER.stretch
    return (1.0,)


def _stretched(gray: Gray, stretch: float) -> Gray:
    if stretch == 1:
        return gray
    size = (gray.shape[1], round(gray.shape[0] * stretch))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_CUBIC if stretch > 1 else cv2.INTER_AREA), np.uint8)


def _by_print(gray: Gray, reference: Reference, outside: float) -> tuple[Registration | None, float]:
    """The position of the form by the first guess that fits; and the largest share of its patches that any guess found."""
    page, scale = at_working_size(gray, REGISTER.work_side_px)
    best: tuple[Method, Fit] | None = None
    for method, guess in _guesses(gray, page, scale, reference):
        if not is_plausible(guess, reference.working_size, page.shape, outside):
            continue
        fit = refine(gray, page, scale, reference, guess, outside)
        if fit is not None and fit.good:
            return _by_fit(fit, fit.share, method, reference), fit.share
        if fit is not None and (best is None or fit.share > best[1].share):
            best = method, fit
    if best is None:
        return None, 0.0
    method, fit = best
    slipped = slipped_share(gray, fit.to_page, reference) if fit.share >= REGISTER.min_slipped_share else 0.0
    return (_by_fit(fit, slipped, method, reference), slipped) if slipped else (None, fit.share)


def _by_fit(fit: Fit, share: float, method: Method, reference: Reference) -> Registration:
    to_page = fit.to_page @ resizing(reference.scale)
    return _registration(to_page, fit.residual / reference.scale, method, share, reference.size)


def _guesses(gray: Gray, page: Gray, scale: float, reference: Reference) -> Iterator[tuple[Method, Matrix]]:
    """Homographies from px of the form's image to px of `page`, which is `gray` at `scale`; most likely first."""
    for place in places_by_marks(gray, reference.marks, reference.size, reference.scale)[: REGISTER.max_mark_guesses]:
        yield "marks", resizing(scale) @ place.to_page
    for guess in guesses_by_features(page, reference.points, reference.descriptors):
        yield "features", guess
    for guess in guesses_by_lines(page, reference.lines, reference.picture.shape):
        yield "lines", guess


def _by_marks(gray: Gray, reference: Reference) -> tuple[Registration | None, float]:
    """The position of the form on the page by its corner marks alone; and the share of them that is found."""
    for place in places_by_marks(gray, reference.marks, reference.size, reference.scale):
        # There is no other evidence that these are the marks: specks or letters may have the same arrangement.
        bent = place.share < 1 and place.bend > REGISTER.max_alone_bend_share
        if bent or place.cover < REGISTER.min_alone_cover_share:
            continue
        if is_plausible(place.to_page, reference.working_size, gray.shape):
            to_page = place.to_page @ resizing(reference.scale)
            return _registration(to_page, place.residual, "marks", place.share, reference.size), place.share
    return None, 0.0


def _registration(to_page: Matrix, residual: float, method: Method, share: float, size: tuple[int, int]) -> Registration:
    to_page = to_page / to_page[2, 2]
    width, height = size
    left, right = mapped(to_page, np.array([[0.25 * width, height / 2], [0.75 * width, height / 2]]))
    turned = round(np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0])) / 90) % 4 * 90
    return Registration(to_page, float(residual), method, int(turned), float(share))


def natural_scale(registration: Registration, size: tuple[int, int]) -> float:
    """Px per px of the reference of `size` (width, height), 0.5..4, at which rectifying keeps the page's own resolution."""
    width, height = size
    places = np.vstack([corners_of(width, height), [[width / 2, height / 2]]])
    scale = float(np.median(local_scales(registration.to_page, places)))
    largest = float(np.median(largest_scales(registration.to_page, places)))
    if largest > REGISTER.min_uneven_ratio * scale:  # undeclared non-square pixels
        scale = largest
    pixels = float(np.sqrt(REGISTER.max_pixels / (width * height)))
    return min(max(scale, REGISTER.min_scale), REGISTER.max_scale, WARP.max_side_px / max(size), pixels)


def rectify(gray: Gray, registration: Registration, size: tuple[int, int], scale: float | None = None) -> Gray:
    """The page warped to the reference of `size` (width, height) px, `scale` times as large; paper white outside.

    Without `scale`, at the page's own resolution: see `natural_scale`. A box of the reference is
    `box.scaled(scale)` on the result, (round(height * scale), round(width * scale)) uint8.
    """
    scale = natural_scale(registration, size) if scale is None else scale
    matrix = registration.to_page @ resizing(1 / scale)
    return warped(gray, matrix, (max(1, round(size[0] * scale)), max(1, round(size[1] * scale))), cv2.INTER_CUBIC)


def box_on_page(box: Box, registration: Registration) -> Box:
    """The upright bounding rectangle of a box of the reference, in px of the page, not clipped to it."""
    corners = corners_of(box.width, box.height, box.left, box.top)
    placed = mapped(registration.to_page, corners) + 0.5
    left, top = (int(v) for v in np.floor(placed.min(0) + REGISTER.rounding_px))
    right, bottom = (int(v) for v in np.ceil(placed.max(0) - REGISTER.rounding_px))
    return Box(left, top, right - left, bottom - top)
