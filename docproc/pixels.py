"""Array helpers that several stages share."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import Gray

LEAST_PAPER = 24  # gray levels; darker is no paper
STEEPEST = 0.14  # slope of a printed line
SLACK = 0.14  # of a character's height by which it may stand higher or lower than its line
MOST_JOINED = 4.0  # width over height of components on a line: characters that touch
MOST_PAIRED = 70  # components that propose lines, the highest ones
MOST_COMPARED = 4  # lines of which the pitch is looked at


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


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line of characters of one height, as `printed_line` finds it; all in px of the picture."""

    slope: float  # of the baseline: rows down for a column to the right
    base: float  # row of the lower edge of its characters, at column 0
    height: float  # of the characters
    members: NDArray[np.int64]  # rows of the table of components that stand on it, from left to right
    pitch: float  # columns from one right edge to the next, 0 where the line keeps no pitch
    score: float  # how many characters stand on it, and how well they keep the pitch

    def at(self, column: float) -> float:
        """Row of the baseline at a column."""
        return self.base + self.slope * column


def printed_line(table: NDArray[np.int32], least_height: float) -> PrintedLine | None:
    """The line on which most components of one height stand (see `components`), or None where no two do.

    Every pair of components proposes a line; the one with the most members wins (M. Fischler and R. Bolles, 1981), and is
    then fitted to all of them. A line whose right edges keep one pitch, as E-13B does, counts more.
    """
    heights, widths = table[:, 3].astype(np.float64), table[:, 2].astype(np.float64)
    able = np.flatnonzero((heights >= least_height) & (widths <= MOST_JOINED * heights) & (widths >= 0.08 * heights))
    if len(able) > MOST_PAIRED:
        able = np.sort(able[np.argsort(-heights[able], kind="stable")[:MOST_PAIRED]])
    if len(able) < 2:
        return None
    high, middle = heights[able], table[able, 0] + widths[able] / 2
    foot, right = ((table[able, k] + table[able, k + 2]).astype(np.float64) for k in (1, 0))
    one, other = np.triu_indices(len(able), 1)
    across = middle[other] - middle[one]
    mean = (high[one] + high[other]) / 2
    slope = (foot[other] - foot[one]) / np.where(across == 0, 1.0, across)
    fine = (np.abs(high[other] - high[one]) <= 0.15 * mean) & (np.abs(across) >= 0.6 * mean) & (np.abs(slope) <= STEEPEST)
    if not fine.any():
        return None
    one, slope, mean, across = one[fine], slope[fine], mean[fine], np.abs(across[fine])
    start = foot[one] - slope * middle[one]
    ground = start[:, None] + slope[:, None] * middle[None, :]
    near = SLACK * mean[:, None]
    on = (np.abs(foot[None, :] - ground) <= near) & (np.abs(foot - high - (ground - mean[:, None])) <= near)
    # Neighbors tell a slope badly: a pair far apart is worth a little more.
    count = on.sum(axis=1) + np.minimum(across / mean, 20.0) / 40
    best: tuple[float, int, float, float] = (0.0, -1, 0.0, 0.0)
    open_ = np.ones(len(count), bool)
    for _ in range(MOST_COMPARED):
        if not open_.any():
            break
        k = int(np.argmax(np.where(open_, count, -1.0)))
        pitch, share = _pitch(np.sort(right[on[k]]), mean[k])
        score = float(count[k]) * (0.25 + share)
        # Fine print is more of it.
        weight = score * float(np.sqrt(mean[k]))
        if weight > best[0]:
            best = (weight, k, pitch, score)
        # Next the best of those that are another line.
        open_ &= (on & on[k]).sum(axis=1) <= 0.5 * on.sum(axis=1)
    _, k, pitch, score = best
    taken = np.flatnonzero(on[k])
    fitted, ground_at = _fit_line(middle[taken], foot[taken], slope[k])
    members = able[taken]
    order = np.argsort(table[members, 0], kind="stable")
    return PrintedLine(fitted, ground_at, float(np.median(high[taken])), members[order], pitch, score)


def _fit_line(x: NDArray[np.float64], y: NDArray[np.float64], slope: float) -> tuple[float, float]:
    """Slope and height at 0 of the line through points; few or near points keep the slope that they came with."""
    spread = float(((x - x.mean()) ** 2).sum())
    if len(x) >= 3 and spread > 0:
        slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    return slope, float(np.median(y - slope * x))


def _pitch(right: NDArray[np.float64], height: float) -> tuple[float, float]:
    """The pitch in px that right edges keep, and the share of the distances between neighbors that are multiples of it."""
    steps = np.diff(right)
    steps = steps[(steps > 0.7 * height) & (steps < 6 * height)]
    if len(steps) < 2:
        return 0.0, 0.0
    tried = height * np.linspace(0.9, 1.3, 21)
    off = steps[:, None] / tried
    close = np.abs(off - np.rint(off)) * tried <= 0.09 * height
    share = close.mean(axis=0)
    k = int(np.argmax(share - 0.1 * np.abs(tried / height - 125 / 117)))
    return (float(tried[k]), float(share[k])) if share[k] >= 0.5 else (0.0, float(share[k]))
