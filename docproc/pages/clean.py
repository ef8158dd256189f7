"""Bring a page into the form that later stages expect: dark ink on light paper, square pixels, upright."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from docproc.pixels import level_counts, level_quantile, otsu
from docproc.types import Box, Gray, Homography, Page


@dataclass(frozen=True, slots=True)
class CleanTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    sample_side_px: int = 1000  # about this many px of the longer side are sampled for the paper's brightness [guess]
    max_negative_gray: float = 96  # of the median: a lighter page is never a negative [guess]


CLEAN = CleanTuning()


def clean(page: Page) -> Page:
    """The page with dark ink on light paper and square pixels; a negative (white on black, as from microfilm) is inverted."""
    return squared(replace(page, gray=_positive(page.gray)))


def squared(page: Page) -> Page:
    """The page with its coarser direction enlarged to make its pixels square."""
    if page.tall == 1:
        return page
    width, height = round(page.width * max(1.0, 1 / page.tall)), round(page.height * max(1.0, page.tall))
    gray = np.asarray(cv2.resize(page.gray, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    across, down = page.width / width, page.height / height
    back = np.array([[across, 0.0, (across - 1) / 2], [0.0, down, (down - 1) / 2], [0.0, 0.0, 1.0]])
    return replace(_moved(page, gray, back), tall=1.0)


def _positive(gray: Gray) -> Gray:
    # Most of a page is paper. On a bad scan it may be dark, but only on a negative is it darker than the writing.
    step = max(1, max(gray.shape) // CLEAN.sample_side_px)
    sample = np.ascontiguousarray(gray[::step, ::step])
    paper = level_quantile(level_counts(sample), 0.5)
    if paper >= CLEAN.max_negative_gray:
        return gray
    _, dark, light = otsu(sample)
    return np.asarray(255 - gray, np.uint8) if paper - dark < light - paper else gray


def turned(page: Page, quarters: int) -> Page:
    """The page rotated counterclockwise by `quarters` quarter turns."""
    height, width = page.gray.shape
    # From px of the rotated page to px of the page before.
    back = (
        np.eye(3),
        np.array([[0.0, -1.0, width - 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
        np.array([[-1.0, 0.0, width - 1.0], [0.0, -1.0, height - 1.0], [0.0, 0.0, 1.0]]),
        np.array([[0.0, 1.0, 0.0], [-1.0, 0.0, height - 1.0], [0.0, 0.0, 1.0]]),
    )[quarters % 4]
    return _moved(page, np.ascontiguousarray(np.rot90(page.gray, quarters)), back)


def leveled(page: Page, slope: float) -> Page:
    """The page rotated about its center so that lines falling by `slope` px per px to the right become level."""
    height, width = page.gray.shape
    angle = np.arctan(slope)
    cos, sin = float(np.cos(angle)), float(np.sin(angle))
    x, y = (width - 1) / 2, (height - 1) / 2
    back = np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0.0, 0.0, 1.0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    gray = cv2.warpAffine(page.gray, back[:2], (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return _moved(page, np.asarray(gray, np.uint8), back)


def cut_out(page: Page, box: Box) -> Page:
    """The part of the page in a box."""
    part = box.clip(page.width, page.height)
    back = np.array([[1.0, 0.0, part.left], [0.0, 1.0, part.top], [0.0, 0.0, 1.0]])
    return _moved(page, np.ascontiguousarray(part.cut(page.gray)), back)


def _moved(page: Page, gray: Gray, back: Homography) -> Page:
    return replace(page, gray=gray, laid=back if page.laid is None else page.laid @ back)
