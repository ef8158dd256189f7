"""Array helpers that several stages share."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import Gray

LEAST_PAPER = 24  # gray levels; darker is no paper


def flatten_light(gray: Gray, reach: int) -> Gray:
    """Divide out the paper, so that it is white everywhere, and leave the ink.

    The paper's brightness at a pixel is a gray closing (dark things narrower than `reach` px vanish), smoothed.
    Returns (height, width) uint8, 255 paper.
    """
    side = max(3, reach | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    paper = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    paper = cv2.blur(paper, (side, side), borderType=cv2.BORDER_REPLICATE)
    flat = cv2.divide(gray, np.maximum(paper, 1), scale=255.0)
    # Where no paper is seen, in the black beside a page, nothing can be told from it.
    flat[paper < LEAST_PAPER] = 255
    return np.asarray(flat, np.uint8)


def otsu(gray: Gray) -> tuple[float, float, float]:
    """Otsu's threshold with the mean of the dark and of the light side, all in gray levels (Otsu 1979).

    A picture of one level has no sides: all three are that level.
    """
    threshold, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    counts = np.bincount(gray.ravel(), minlength=256).astype(np.float64)
    levels = np.arange(256)
    split = int(threshold) + 1
    dark, light = counts[:split], counts[split:]
    if not dark.any() or not light.any():
        level = float(gray.mean())
        return level, level, level
    dark_mean = float((dark * levels[:split]).sum() / dark.sum())
    light_mean = float((light * levels[split:]).sum() / light.sum())
    return float(threshold), dark_mean, light_mean


def components(mask: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """8-connected components of `mask` (height, width) uint8, non-zero inside.

    Returns the label of every pixel (0 outside) and an (n, 5) int32 table of left, top, width, height, area
    whose row k belongs to label k + 1.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8, ltype=cv2.CV_32S)
    return np.asarray(labels, np.int32), np.asarray(stats[1:], np.int32)


def digit_height(table: NDArray[np.int32], crop_height: int) -> float | None:
    """The height in px of the digits among components (see `components`): the median, each counted by its height.

    None where nothing is large enough, in a crop of `crop_height` px, to be a digit.
    """
    heights = table[:, 3].astype(np.float64)
    widths, areas = table[:, 2], table[:, 4]
    digits = (heights >= max(5.0, 0.12 * crop_height)) & (widths <= 12 * heights) & (areas >= 8)
    heights = np.sort(heights[digits])
    if not len(heights):
        return None
    heights = heights[heights >= 0.4 * heights[-1]]
    weight = np.cumsum(heights)
    return float(heights[np.searchsorted(weight, 0.5 * weight[-1])])
