"""Whether the form's print around a field is on a page, and where: a field's own fit, in addition to the page's.

The page is already registered to the form's image. Print is compared with its immediate surroundings, so that neither a faint
scan nor writing across a frame causes false or missed print.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.known_form import MAX_WORK_SIDE_PX
from docproc.pages.register.warp import at_working_size
from docproc.types import Box, Gray

Mask = NDArray[np.bool_]  # (height, width) bool
Map = NDArray[np.float32]  # (height, width) float32


@dataclass(frozen=True, slots=True)
class AroundTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md. Px are those of the form's picture."""

    # What is print on the form.
    dark_percentile: float = 1  # of gray levels, used as that of the form's print [guess]
    min_dark_share: float = 0.5  # of its darkness; fainter print may be missing on a scan [guess]
    ring_px: tuple[int, int] = (3, 6)  # around print, without print: from and to [guess]
    spread_px: int = 1  # by which print may be off its place [guess]

    # The area inspected.
    margins_share: tuple[float, ...] = (0.6, 2.0)  # of a field's height around it; the first that holds print is used [guess]
    min_margin_px: int = 16  # likewise [guess]
    min_print_px: int = 60  # around a field; less is not enough evidence [guess]
    min_reach_px: int = 6  # to all sides of its place, searched for print [guess]
    reach_share: float = 0.2  # likewise, of a field's height [guess]
    shift_penalty: float = 0.003  # of the likeness, per px of shift: the nearest of equal places wins [guess]

    # What is seen of it.
    min_likeness: float = (
        0.55  # correlation; real scans have 0.74 and more, other places 0.4 and less [measured: field-cases, election-forms]
    )
    ink_percentile: float = 60  # of the darkness at print, used as that of print on this page [guess]
    min_ink: float = 0.15  # 0..1, at least [guess]
    min_ink_share: float = 0.4  # of the darkness of print, for print to be seen [guess]
    tile_share: float = 0.4  # of a field's height: side of the tiles that are inspected one by one [guess]
    min_tile_px: int = 16  # likewise, at least [guess]
    min_tile_print_px: int = 20  # of a tile that counts [guess]
    min_tile_seen_share: float = 0.3  # of a tile's print [guess]


AROUND = AroundTuning()


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """Where a form is printed."""

    mask: Mask  # (height, width) of the form's picture
    sure: bool  # there is no writing on that image: all of it must be on a page


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of the print in a part of the form."""

    likeness: float  # correlation -1..1 with darkness on the page
    across: int  # px from its place
    down: int
    hidden: bool  # a part of the print is missing

    @property
    def found(self) -> bool:
        return self.likeness >= AROUND.min_likeness and not self.hidden


def print_on(form: Gray, *, sure: bool) -> Print:
    """The dark print on the image of a form; `sure` says that there is no writing on it."""
    return Print(print_of(at_working_size(form, MAX_WORK_SIDE_PX)[0]), sure)


def print_of(picture: Gray) -> Mask:
    """The dark print on the flattened image of a form."""
    darkest = 255 - float(np.percentile(picture, AROUND.dark_percentile))
    return np.asarray(picture <= 255 - AROUND.min_dark_share * darkest, np.bool_)


def darkness(seen: Gray) -> Map:
    """Darkness 0..1 of a flattened page, slightly dilated, so that print may be a px off its place."""
    side = 2 * AROUND.spread_px + 1
    return np.asarray(cv2.dilate(255 - seen, np.ones((side, side), np.uint8)) / 255, np.float32)


def ink_of(dark: Map, printed: Mask) -> float:
    """The least darkness 0..1 of print on a page registered to the form's image."""
    level = float(np.percentile(dark[printed], AROUND.ink_percentile)) if printed.any() else 0.0
    return AROUND.min_ink_share * max(AROUND.min_ink, level)


def region_of(box: Box, known: Print) -> Box | None:
    """A field's box with a margin wide enough to hold print; None if there is none near it."""
    height, width = known.mask.shape
    for share in AROUND.margins_share:
        margin = max(AROUND.min_margin_px, round(share * _side(box)))
        around = box.grown(margin).clip(width, height)
        if np.count_nonzero(around.cut(known.mask)) >= AROUND.min_print_px:
            return around
    return None


def reach_of(box: Box) -> int:
    """How far from its place the print around a field is searched for."""
    return max(AROUND.min_reach_px, round(AROUND.reach_share * _side(box)))


def look(dark: Map, ink: float, known: Print, region: Box, reach: int, side: int, near: tuple[int, int] = (0, 0)) -> Sight:
    """Search for the print of a `region` of the form within `reach` px of its place, moved by `near` px across and down.

    `dark` is the page registered to the form's image, see `darkness`; `side` px is that of the tiles.
    """
    printed = region.cut(known.mask).astype(np.uint8)
    left, top = region.left + near[0] - reach, region.top + near[1] - reach
    window = _part(dark, Box(left, top, region.width + 2 * reach, region.height + 2 * reach))
    scores = _likeness(window, printed)
    down, across = np.mgrid[: scores.shape[0], : scores.shape[1]] - reach
    row, column = np.unravel_index(int((scores - AROUND.shift_penalty * np.hypot(down, across)).argmax()), scores.shape)
    there = window[row : row + region.height, column : column + region.width] >= ink
    hidden = known.sure and any(
        there[tile][printed[tile] > 0].mean() < AROUND.min_tile_seen_share for tile in _tiles(printed, side)
    )
    return Sight(float(scores[row, column]), near[0] + int(column) - reach, near[1] + int(row) - reach, hidden)


def tile_side(box: Box) -> int:
    """Side in px of the tiles around a field."""
    return max(AROUND.min_tile_px, round(AROUND.tile_share * _side(box)))


def _side(box: Box) -> int:
    """The height of a field, even if its form is rotated sideways."""
    return min(box.width, box.height)


def _part(dark: Map, box: Box) -> Map:
    """A part of the page; paper outside."""
    height, width = dark.shape
    inner = box.clip(width, height)
    part = np.zeros((box.height, box.width), np.float32)
    part[inner.top - box.top : inner.bottom - box.top, inner.left - box.left : inner.right - box.left] = inner.cut(dark)
    return part


def _likeness(window: Map, printed: NDArray[np.uint8]) -> Map:
    """Correlation at every shift between darkness and print, over the print and the ring around it."""
    inner, outer = (cv2.dilate(printed, np.ones((2 * px + 1, 2 * px + 1), np.uint8)) for px in AROUND.ring_px)
    ring = (np.asarray(outer) > 0) & (np.asarray(inner) == 0)
    looked, print_ = np.asarray((printed > 0) | ring, np.float32), printed.astype(np.float32)
    total = float(looked.sum())
    share = float(print_.sum()) / total
    mean, squares, on_print = (
        cv2.matchTemplate(part, mask, cv2.TM_CCORR) / total
        for part, mask in ((window, looked), (window * window, looked), (window, print_))
    )
    spread = np.sqrt(np.maximum(squares - mean**2, 1e-6) * share * (1 - share) + 1e-9)
    return np.asarray((on_print - share * mean) / spread, np.float32)


def _tiles(printed: NDArray[np.uint8], side: int) -> Iterator[tuple[slice, slice]]:
    """Parts of about `side` px that hold print."""
    rows, columns = (np.linspace(0, size, max(1, round(size / side)) + 1).astype(int) for size in printed.shape)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            tile = slice(top, bottom), slice(left, right)
            if np.count_nonzero(printed[tile]) >= AROUND.min_tile_print_px:
                yield tile
