"""Locate the rows of a form on a page that slipped in the scanner's feeder: stretched, squeezed, or partly fed twice.

A feeder moves a page in one direction, and holds it in the other. So rows stay rows, and the rows of the page are matched to
those of the form by dynamic programming (dynamic time warping, Sakoe and Chiba 1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.surroundings import Map, Mask

Shifts = NDArray[np.float64]  # (rows of the form,) px downward, NaN for a lost row

_BOTH, _LOST, _AGAIN = np.arange(3, dtype=np.uint8)  # steps: a row of both, only of the form, only of the page [geometry]


@dataclass(frozen=True, slots=True)
class FeederTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md. Px are those of the form's picture."""

    column_px: int = 2  # of a row that are merged [guess]
    step_cost: float = 2.0  # of a lost or repeated row, in such columns of print [guess]
    beside_px: int = 150  # of print, next to some rows, from which their shift is derived [guess]
    written_share: float = 0.3  # of the cost of missing print, for ink without print: it may be writing [guess]


FEEDER = FeederTuning()


def row_shifts(dark: Map, above: int, ink: float, printed: Mask) -> Shifts:
    """How many px lower each row of the form is on the page, relative to the page's own fit.

    `dark` (more rows, width) is the page registered to the form's image, from `above` px above it; `ink` is the least
    darkness of print.
    """
    form, page = _columns(printed), _columns(dark >= ink)
    wide = np.ones((1, 3), np.uint8)
    print_, inked = form.sum(1), page.sum(1)
    missing = print_[:, None] - form @ cv2.dilate(page, wide).T
    beside = inked[None, :] - cv2.dilate(form, wide) @ page.T
    cost = np.maximum(missing, 0) + FEEDER.written_share * np.maximum(beside, 0)
    return _followed(_steps(cost, print_), above)


def _columns(mask: NDArray[np.bool_]) -> Map:
    """The mask with columns merged, 1 if any of their px is set."""
    height, width = mask.shape
    whole = width // FEEDER.column_px
    columns = mask[:, : whole * FEEDER.column_px].reshape(height, whole, FEEDER.column_px)
    return np.asarray(columns.any(2), np.float32)


def _steps(cost: NDArray[np.floating[Any]], print_: NDArray[np.floating[Any]]) -> tuple[NDArray[np.uint8], int]:
    """The last step of the cheapest path to each (row of the form, row of the page), and the page's row at its end."""
    rows, columns = cost.shape
    # Rows of the page above or below the form cost nothing.
    total = np.zeros(columns + 1)
    steps = np.zeros((rows + 1, columns + 1), np.uint8)
    for row in range(rows):
        lost = total + print_[row] + FEEDER.step_cost
        both = np.r_[np.inf, total[:-1] + cost[row]]
        fresh = np.minimum(lost, both)
        # Repeated rows: the best predecessor of each, all at once.
        sums = np.r_[0, np.cumsum(cost[row] + FEEDER.step_cost)]
        again = np.minimum.accumulate(fresh - sums) + sums
        total = np.minimum(fresh, again)
        steps[row + 1] = np.where(again < fresh - 1e-6, _AGAIN, np.where(lost < both, _LOST, _BOTH))
    return steps, int(total.argmin())


def _followed(path: tuple[NDArray[np.uint8], int], above: int) -> Shifts:
    """Backtrack along the steps."""
    steps, column = path
    row = len(steps) - 1
    sums, counts = np.zeros(row), np.zeros(row)
    while row > 0:
        step = steps[row, column]
        if step != _LOST:
            sums[row - 1] += column - row - above
            counts[row - 1] += 1
        row, column = row - (step != _AGAIN), column - (step != _LOST)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), np.float64)


def shift_of(shifts: Shifts, printed: Mask, top: int, bottom: int) -> float:
    """How many px lower the print of some rows is on the page: the median weighted by print; NaN if there is none."""
    rows = shifts[top:bottom]
    weights = np.where(np.isnan(rows), 0.0, printed[top:bottom].sum(1))
    if not weights.any():
        return float("nan")
    order = np.argsort(rows)
    sums = np.cumsum(weights[order])
    return float(rows[order][np.searchsorted(sums, sums[-1] / 2)])


def beside(shifts: Shifts, printed: Mask, top: int, bottom: int) -> tuple[float, float]:
    """The shifts of the nearest print above the row `top` and below the row `bottom`; NaN if there is none."""
    sums = np.r_[0, np.cumsum(np.where(np.isnan(shifts), 0, printed.sum(1)))]
    first = int(np.searchsorted(sums, sums[top] - FEEDER.beside_px, "right")) - 1
    last = int(np.searchsorted(sums, sums[bottom] + FEEDER.beside_px))
    return (
        shift_of(shifts, printed, max(0, first), top),
        shift_of(shifts, printed, bottom, min(last, len(shifts))),
    )
