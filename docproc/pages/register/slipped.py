"""Whether a page that does not fit as a whole is a scan of the form that slipped in the scanner's feeder."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from docproc.pages.register.feeder import Shifts, row_shifts
from docproc.pages.register.known_form import Reference
from docproc.pages.register.patches import PATCHES, look_for
from docproc.pages.register.refinement import REFINE, missing_share
from docproc.pages.register.surroundings import darkness, ink_of, print_of
from docproc.pages.register.warp import Matrix, flattened, warped
from docproc.types import Gray


@dataclass(frozen=True, slots=True)
class SlippedTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    beyond_share: float = 0.25  # of the form's side, inspected beyond its edges [guess]
    min_share: float = 0.6  # of the patches, once rows are put back; others reach 0.2, slipped ones 0.9 [measured: field-cases]


SLIPPED = SlippedTuning()


def slipped_share(gray: Gray, by_picture: Matrix, form: Reference) -> float:
    """The share of the form's patches that are found once the page's rows, or its columns, are put back; 0 if too few are.

    `by_picture` maps px of the form's image to px of the page `gray`; it fits a part of the page.
    """
    share = 0.0
    for sideways in (False, True):
        put_back = _put_back(gray, by_picture, form, sideways=sideways)
        seen = look_for(put_back, form.picture, form.patches, np.eye(3), PATCHES.windows_px[-1] + REFINE.last_slack_px)
        found = (seen.likeness > 0) & (np.hypot(*seen.offsets.T) <= REFINE.max_distance_px)
        if missing_share(form, found, seen.inside) <= REFINE.max_missing_share:
            share = max(share, float(found.mean()))
    return share if share >= SLIPPED.min_share else 0.0


def _put_back(gray: Gray, by_picture: Matrix, form: Reference, *, sideways: bool) -> Gray:
    """The page registered to the form's image, with every row (or column) moved to that of the form."""
    height, width = form.picture.shape
    beyond = round(SLIPPED.beyond_share * (width if sideways else height))
    across, down = (beyond, 0) if sideways else (0, beyond)
    matrix = by_picture @ np.array([[1, 0, -across], [0, 1, -down], [0, 0, 1]], np.float64)
    seen = flattened(warped(gray, matrix, (width + 2 * across, height + 2 * down), cv2.INTER_LINEAR))
    printed = print_of(form.picture)
    if sideways:
        seen, printed = np.ascontiguousarray(seen.T), np.ascontiguousarray(printed.T)
    dark = darkness(seen)
    shifts = row_shifts(dark, beyond, ink_of(dark[beyond : beyond + len(printed)], printed), printed)
    rows = np.clip(np.rint(_whole(shifts)) + beyond, 0, len(seen) - 1).astype(np.intp)
    put_back = seen[rows]
    return np.ascontiguousarray(put_back.T) if sideways else put_back


def _whole(shifts: Shifts) -> Shifts:
    """The row of the page, from the form's first on, that shows each row of the form; lost ones are interpolated."""
    rows = np.arange(len(shifts))
    known = ~np.isnan(shifts)
    return np.asarray(rows + np.interp(rows, rows[known], shifts[known]) if known.any() else rows, np.float64)
