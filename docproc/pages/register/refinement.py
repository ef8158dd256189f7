"""Fit a guess to the form's print: patches are searched in smaller and smaller windows. Their share decides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.fitting import agreed_map, polished
from docproc.pages.register.known_form import Reference
from docproc.pages.register.lines import agreement, ruled_lines
from docproc.pages.register.patches import PATCHES, look_for, middles
from docproc.pages.register.warp import (
    WARP,
    Matrix,
    corners_of,
    flattened,
    is_plausible,
    local_scales,
    mapped,
    resizing,
    shrunk,
    warped,
)
from docproc.types import Gray


@dataclass(frozen=True, slots=True)
class RefineTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_finer_ratio: float = 1.4  # of the form's resolution to the page's: from here on a larger page is used [guess]
    max_error_window_share: float = 0.25  # of a window, by which pairs may deviate from the map fitted to them [guess]
    max_error_px: float = 1  # likewise, in addition [guess]
    max_distance_px: float = 3.0  # of the form's image, from where the fit puts a patch, for it to count as found [guess]
    last_slack_px: int = 2  # added to the last window when patches are counted [guess]

    # What makes a page a scan of the form: enough print; or less print, and ruled lines that agree.
    min_share: float = 0.4  # of the patches that are found [guess]
    max_missing_share: float = 0.25  # of the regions in that case [guess]
    min_hidden_share: float = 0.5  # of the patches, if writing hides whole regions of the form [guess]
    max_hidden_missing_share: float = 0.5  # of the regions then [guess]
    min_hidden_ruled_share: float = 0.55  # of the ruled lines then [guess]
    min_doubtful_share: float = 0.28  # of the patches, if the reference may be filled in with different writing [guess]
    max_doubtful_missing_share: float = 0.5  # of the regions then [guess]
    min_doubtful_ruled_share: float = 0.75  # of the ruled lines then [guess]

    min_inside_share: float = 0.6  # of the patches that must be within the page [guess]
    min_torn_inside_share: float = 0.4  # likewise, if nearly all of these are found: the rest of the form is torn off [guess]
    min_torn_share: float = 0.8  # of the patches within the page in that case [guess]
    regions: int = 3  # into which the form is divided in both directions [guess]
    min_region_patches: int = 4  # of a region that counts [guess]
    min_region_share: float = 0.25  # of a region's patches that must be found, or the region is missing [guess]


REFINE = RefineTuning()


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """The position of a form on a page, and how much of it is found."""

    to_page: Matrix  # px of the form's image to px of the page
    residual: float  # px of the form's image, root mean square over the patches found
    share: float  # 0..1 of the patches
    missing: float  # 0..1 of the regions, in which next to nothing is found
    ruled: float  # 0..1 of the ruled lines; 0 if not checked

    @property
    def good(self) -> bool:
        """Whether the page is a scan of the form."""
        if self.share >= REFINE.min_share and self.missing <= REFINE.max_missing_share:
            return True
        hidden = self.share >= REFINE.min_hidden_share and self.missing <= REFINE.max_hidden_missing_share
        if hidden and self.ruled >= REFINE.min_hidden_ruled_share:
            return True
        doubtful = self.share >= REFINE.min_doubtful_share and self.missing <= REFINE.max_doubtful_missing_share
        return doubtful and self.ruled >= REFINE.min_doubtful_ruled_share


def refine(
    gray: Gray, page: Gray, scale: float, form: Reference, guess: Matrix, outside: float = WARP.max_middle_outside_share
) -> Fit | None:
    """Fit a guess to the patches; None if hardly any are found.

    `page` is `gray` flattened, at `scale` px per px; the guess maps px of the form's image onto it, the fit onto
    `gray`. `outside` is that of `is_plausible`.
    """
    height, width = form.picture.shape
    finer = min(1.0, scale / float(local_scales(guess, corners_of(width, height)).min()))
    if finer > REFINE.min_finer_ratio * scale:
        guess = resizing(finer / scale) @ guess
        page, scale = flattened(shrunk(gray, finer) if finer < 1 else gray), finer
    to_page = _fitted(page, form, guess, outside)
    if to_page is None:
        return None
    last = look_for(page, form.picture, form.patches, to_page, PATCHES.windows_px[-1] + REFINE.last_slack_px)
    distances = np.hypot(*last.offsets.T)
    found = (last.likeness > 0) & (distances <= REFINE.max_distance_px)
    inside = int(last.inside.sum())
    torn = found.sum() >= REFINE.min_torn_share * inside
    least = REFINE.min_torn_inside_share if torn else REFINE.min_inside_share
    if inside < max(PATCHES.min_patches, least * len(form.patches)):
        return Fit(to_page, float("inf"), float(found.sum() / len(form.patches)), 1.0, 0.0)
    residual = float(np.sqrt((distances[found] ** 2).mean())) if found.any() else float("inf")
    share = float(found.sum() / inside)
    ruled = 0.0
    if share >= REFINE.min_doubtful_share:
        ruled = agreement(ruled_lines(warped(page, to_page, (width, height), cv2.INTER_LINEAR)), form.lines)
    return Fit(resizing(1 / scale) @ to_page, residual, share, missing_share(form, found, last.inside), ruled)


def _fitted(page: Gray, form: Reference, guess: Matrix, outside: float) -> Matrix | None:
    """The guess, fitted to the patches found on the flattened page, window by window."""
    centers = middles(form.patches)
    matrix = guess
    for reach in PATCHES.windows_px:
        seen = look_for(page, form.picture, form.patches, matrix, reach)
        alike = seen.likeness > 0
        there = mapped(matrix, centers[alike] + seen.offsets[alike])
        max_error = REFINE.max_error_window_share * reach + REFINE.max_error_px
        fitted = agreed_map(centers[alike], there, max_error * float(np.median(local_scales(matrix, centers))))
        if fitted is None or not is_plausible(fitted, form.working_size, page.shape, outside):
            return None
        matrix = fitted
    seen = look_for(page, form.picture, form.patches, matrix, PATCHES.windows_px[-1])
    alike = seen.likeness > 0
    return polished(matrix, centers[alike], seen.offsets[alike], seen.likeness[alike], REFINE.max_distance_px)


def missing_share(form: Reference, found: NDArray[np.bool_], inside: NDArray[np.bool_]) -> float:
    """The share of the form's three by three regions in which next to nothing is found."""
    height, width = form.picture.shape
    last, half = REFINE.regions - 1, PATCHES.side_px / 2
    column = np.minimum(last, (form.patches[:, 0] + half) * REFINE.regions // width)
    row = np.minimum(last, (form.patches[:, 1] + half) * REFINE.regions // height)
    shares = []
    for k in range(REFINE.regions**2):
        here = inside & (REFINE.regions * row + column == k)
        if here.sum() >= REFINE.min_region_patches:
            shares.append(found[here].mean())
    return float(np.mean(np.array(shares) < REFINE.min_region_share)) if shares else 1.0
