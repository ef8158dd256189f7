"""Find what else is on a scan, besides a form that was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from docproc.pages.register.warp import Matrix, at_working_size, corners_of, mapped
from docproc.types import Gray


@dataclass(frozen=True, slots=True)
class CopyTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    work_side_px: int = 800  # of the page's longer side, at most, for counting ink [guess]
    min_area_ratio: float = 0.15  # of the page outside a form to that form: enough to recognize another one [guess]
    min_ink_ratio: float = 0.1  # likewise, of the ink outside it to that on it [guess]
    max_ink_gray: float = 150  # on paper of 255 [guess]
    paper_percentile: float = 80  # of the gray levels of a page, used as paper [guess]


COPY = CopyTuning()


def without_form(gray: Gray, to_page: Matrix, size: tuple[int, int]) -> Gray | None:
    """The page with the form of `size` (width, height) px replaced by paper.

    None if there is no room for another form: too little of the page is left, or too little ink.
    """
    corners = np.rint(mapped(to_page, corners_of(*size))).astype(np.int32)
    on_form = np.asarray(cv2.fillConvexPoly(np.zeros(gray.shape, np.uint8), corners, (1,)), np.uint8)
    area = int(np.count_nonzero(on_form))
    if gray.size - area < COPY.min_area_ratio * area:
        return None
    flat, _ = at_working_size(gray, COPY.work_side_px)
    small = cv2.resize(on_form, (flat.shape[1], flat.shape[0]), interpolation=cv2.INTER_NEAREST) > 0
    inked = flat <= COPY.max_ink_gray
    if np.count_nonzero(inked & ~small) < COPY.min_ink_ratio * np.count_nonzero(inked & small):
        return None
    return np.where(on_form > 0, np.uint8(np.percentile(gray, COPY.paper_percentile)), gray)


def lies_on(one: Matrix, one_size: tuple[int, int], other: Matrix, other_size: tuple[int, int]) -> bool:
    """Whether the center of one form is on the other; maps are from px of each to px of the page, sizes (width, height)."""
    middle = mapped(one, np.array([one_size]) / 2)
    across, down = mapped(np.asarray(np.linalg.inv(other), np.float64), middle)[0]
    return bool(0 <= across < other_size[0] and 0 <= down < other_size[1])


def first_of(forms: Sequence[tuple[Matrix, tuple[int, int]]]) -> int:
    """The index of the first of several forms in reading order: maps from px of each to the page, and (width, height) px.

    That is the leftmost of the top row, where up is the direction of the top of the first of `forms`.
    """
    to_page, (width, height) = forms[0]
    middles = np.array([[0, height / 2], [width, height / 2], [width / 2, 0], [width / 2, height]])
    left, right, top, bottom = mapped(to_page, middles)
    across, down = right - left, bottom - top
    places = np.concatenate([mapped(one, np.array([size]) / 2) for one, size in forms])
    along, below = places @ across / np.hypot(*across), places @ down / np.hypot(*down)
    rows = np.rint((below - below.min()) / np.hypot(*down))
    return int(np.lexsort((along, rows))[0])
