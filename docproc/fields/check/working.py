"""A page at the size used to search for the parts of a check, and rectangles on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import flatten_light, level_counts, level_quantile, otsu
from docproc.types import Box, Page

Mask = NDArray[np.uint8]  # (height, width) uint8, 0 or 1
Rect = tuple[float, float, float, float]  # left, top, right, bottom, px at the working size


@dataclass(frozen=True, slots=True)
class WorkingTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    side_px: int = 1500  # to which the long side of a page is scaled [guess]
    light_reach_px: int = 61  # over which the light is flattened [guess]
    min_contrast_gray: float = 30.0  # between paper and ink [guess]
    edge_share: float = 0.08  # of the way from Otsu's threshold to paper that is still ink [guess]
    dark_percentile: float = 10  # of the gray levels of ink: print and pen, but not the paper's pattern [guess]
    min_dark_share: float = 0.45  # of the way from paper to these, where ink begins: patterns are lighter [guess]
    faint_share: float = 0.35  # of the way from Otsu's threshold to paper that is still a printed line [guess]


WORKING = WorkingTuning()


@dataclass(frozen=True, slots=True, eq=False)
class WorkingPage:
    """A page, or its upper right part, at the working size."""

    mask: Mask  # 1 ink
    faint: Mask  # 1 ink, including paler printed lines
    scale: float  # px per px of the page
    left: int = 0  # px at the working size that were cropped

    def on_page(self, rect: Rect) -> Box:
        """The rectangle in px of the page."""
        left, right = (round((v + self.left) / self.scale) for v in (rect[0], rect[2]))
        top, bottom = (round(v / self.scale) for v in (rect[1], rect[3]))
        return Box(left, top, right - left, bottom - top)

    def of_page(self, box: Box) -> Rect:
        """The box in px of the working size."""
        left, right = (v * self.scale - self.left for v in (box.left, box.right))
        return left, box.top * self.scale, right, box.bottom * self.scale

    def upper_right(self, left: int, bottom: int) -> WorkingPage:
        """The part of an uncropped page right of a column and above a row."""
        part = (slice(0, bottom), slice(left, self.mask.shape[1]))
        return WorkingPage(np.ascontiguousarray(self.mask[part]), np.ascontiguousarray(self.faint[part]), self.scale, left)


def at_working_size(page: Page) -> WorkingPage | None:
    """The page (height, width) uint8, dark on light, at the working size; None if it has no contrast."""
    scale = WORKING.side_px / max(page.width, page.height)
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    flat = flatten_light(np.asarray(cv2.resize(page.gray, size, interpolation=how), np.uint8), WORKING.light_reach_px)
    threshold, dark, light = otsu(flat)
    if light - dark < WORKING.min_contrast_gray:
        return None
    core = level_quantile(level_counts(flat)[: int(threshold) + 1], WORKING.dark_percentile / 100)
    ink = min(threshold + WORKING.edge_share * (light - threshold), light - WORKING.min_dark_share * (light - core))
    faint = threshold + WORKING.faint_share * (light - threshold)
    return WorkingPage((flat <= ink).astype(np.uint8), (flat <= faint).astype(np.uint8), scale)


def middle(rect: Rect) -> float:
    """The column halfway between left and right."""
    return (rect[0] + rect[2]) / 2


def overlap(one: Rect, other: Rect) -> float:
    """The share 0..1 of the first that is inside the other."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down) / max(1e-6, (one[2] - one[0]) * (one[3] - one[1]))
