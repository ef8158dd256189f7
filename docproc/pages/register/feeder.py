"""Where the rows of a form lie on a page that slipped in the scanner's feeder: stretched, squeezed, or fed twice in places.

A feeder moves a page along one direction, and holds it in the other. So rows stay rows, and which row of the page shows which
row of the form is found by dynamic programming (dynamic time warping, Sakoe and Chiba 1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.surroundings import Map, Mask

Shifts = NDArray[np.float64]  # (rows of the form,) px downwards, NaN where a row is lost

_BOTH, _LOST, _AGAIN = np.arange(3, dtype=np.uint8)  # steps: a row of both, of the form alone, of the page alone [geometry]


@dataclass(frozen=True, slots=True)
class FeederTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md. Px are those of the form's picture."""

    column_px: int = 2  # of a row that are taken together [guess]
    step_cost: float = 2.0  # of a row that is lost or comes again, in such columns of print [guess]
    beside_px: int = 150  # of print, next to some rows, that tell how these lie [guess]
    written_share: float = 0.3  # of the cost of missing print, for ink where there is none: it may be writing [guess]


FEEDER = FeederTuning()


def row_shifts(dark: Map, above: int, ink: float, printed: Mask) -> Shifts:
    """By how much each row of the form lies lower on the page, the page's own fit being made already.

    `dark` (more rows, width) is the page as it lies on the form's picture, from `above` px above it; `ink` is the least
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
    """A row of the mask as fewer columns, 1 where any of its px is in it."""
    height, width = mask.shape
    whole = width // FEEDER.column_px
    columns = mask[:, : whole * FEEDER.column_px].reshape(height, whole, FEEDER.column_px)
    return np.asarray(columns.any(2), np.float32)


def _steps(cost: NDArray[np.floating[Any]], print_: NDArray[np.floating[Any]]) -> tuple[NDArray[np.uint8], int]:
    """The step by which the cheapest path comes to each (row of the form, row of the page), and the page's row at its end."""
    rows, columns = cost.shape
    # Rows of the page above the form cost nothing, and so do those below it.
    total = np.zeros(columns + 1)
    steps = np.zeros((rows + 1, columns + 1), np.uint8)
    for row in range(rows):
        lost = total + print_[row] + FEEDER.step_cost
        both = np.r_[np.inf, total[:-1] + cost[row]]
        fresh = np.minimum(lost, both)
        # A row that comes again: the best place from which it may have come, all at once.
        sums = np.r_[0, np.cumsum(cost[row] + FEEDER.step_cost)]
        again = np.minimum.accumulate(fresh - sums) + sums
        total = np.minimum(fresh, again)
        steps[row + 1] = np.where(again < fresh - 1e-6, _AGAIN, np.where(lost < both, _LOST, _BOTH))
    return steps, int(total.argmin())


def _followed(path: tuple[NDArray[np.uint8], int], above: int) -> Shifts:
    """The way back along the steps."""
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
    """By how much the print of some rows lies lower on the page: the median by print; NaN where there is none."""
    rows = shifts[top:bottom]
    weights = np.where(np.isnan(rows), 0.0, printed[top:bottom].sum(1))
    if not weights.any():
        return float("nan")
    order = np.argsort(rows)
    sums = np.cumsum(weights[order])
    return float(rows[order][np.searchsorted(sums, sums[-1] / 2)])


def beside(shifts: Shifts, printed: Mask, top: int, bottom: int) -> tuple[float, float]:
    """The shifts of what is printed next above the row `top` and next below the row `bottom`; NaN where there is nothing."""
    sums = np.r_[0, np.cumsum(np.where(np.isnan(shifts), 0, printed.sum(1)))]
    first = int(np.searchsorted(sums, sums[top] - FEEDER.beside_px, "right")) - 1
    last = int(np.searchsorted(sums, sums[bottom] + FEEDER.beside_px))
    return (
        shift_of(shifts, printed, max(0, first), top),
        shift_of(shifts, printed, bottom, min(last, len(shifts))),
    )
