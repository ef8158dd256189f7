"""Array helpers that several stages share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import Gray


@dataclass(frozen=True, slots=True)
class PixelTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_paper_gray: int = 24  # darker is not paper but the black around a page [guess]

    min_runs_px: int = 12_000  # of a mask whose components are measured by its runs [measured: a field's masks]

    # Components that may be digits.
    min_digit_px: float = 5.0  # height [guess]
    min_digit_share: float = 0.12  # likewise, of the crop's height [guess]
    max_digit_aspect_ratio: float = 12  # of width to height: a whole number in one stroke, but not a line [guess]
    min_digit_area_px: int = 8  # [guess]
    min_relative_height: float = 0.4  # of the tallest [guess]

    # Components on a printed line; shares are of the height of its characters.
    min_aspect_ratio: float = 0.08  # of width to height [guess]
    max_aspect_ratio: float = 4.0  # likewise: characters that touch [guess]
    max_proposing: int = 70  # components whose pairs propose lines, the tallest ones [guess]
    max_slope: float = 0.14  # [guess]
    max_offset_share: float = 0.14  # by which a character may be above or below its line [guess]
    max_height_difference_share: float = 0.15  # of the two that propose a line [guess]
    min_distance_share: float = 0.6  # of the two that propose a line [guess]
    max_counted_distance: float = 20.0  # heights: neighbors give a poor slope, so pairs far apart count a little more [guess]
    distance_per_member: float = 40  # heights; worth as much as one more component [guess]
    max_same_share: float = 0.5  # of its components that a line shares with a better one [guess]
    max_compared: int = 4  # lines whose pitch is measured [guess]

    # The pitch, in character heights.
    base_score_share: float = 0.25  # of the score kept by a line without a constant pitch [guess]
    min_step: float = 0.7  # between right edges of neighbors [guess]
    max_step: float = 6  # likewise [guess]
    min_steps: int = 2  # [guess]
    min_pitch: float = 0.9  # [guess]
    max_pitch: float = 1.3  # [guess]
    pitches: int = 21  # tried, from the smallest to the largest [guess]
    max_pitch_offset: float = 0.09  # of a step from a multiple of the pitch [guess]
    true_pitch: float = 125 / 117  # of E-13B, ANSI X9.27 [standard]
    off_pitch_penalty: float = 0.1  # share of the steps, per height of difference from it [guess]
    min_share: float = 0.5  # of the steps that fit a pitch [guess]


PIXELS = PixelTuning()


def flatten_light(gray: Gray, reach: int) -> Gray:
    """Divide out the paper, so that it becomes white everywhere, and keep the ink.

    The paper's brightness at a pixel is a gray closing (dark things narrower than `reach` px vanish), smoothed.
    Returns (height, width) uint8, 255 paper.
    """
    side = max(3, reach | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_RECT, (side, side))
    paper = cv2.morphologyEx(gray, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    paper = cv2.blur(paper, (side, side), borderType=cv2.BORDER_REPLICATE)
    flat = cv2.divide(gray, np.maximum(paper, 1), scale=255.0)
    flat[paper < PIXELS.min_paper_gray] = 255
    return np.asarray(flat, np.uint8)


def enlarged(gray: Gray, times: float) -> Gray:
    """An image (height, width) uint8 scaled by `times`, with cubic interpolation; unchanged if `times` is at most 1."""
    if times <= 1:
        return gray
    return np.asarray(cv2.resize(gray, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC), np.uint8)


def otsu(gray: Gray) -> tuple[float, float, float]:
    """Otsu's threshold with the means of the dark and the light side, all in gray levels (Otsu 1979).

    For an image of one level all three are that level.
    """
    threshold, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    counts = level_counts(gray)
    levels = np.arange(256)
    split = int(threshold) + 1
    dark, light = counts[:split], counts[split:]
    if not dark.any() or not light.any():
        level = float(gray.mean())
        return level, level, level
    dark_mean = float((dark * levels[:split]).sum() / dark.sum())
    light_mean = float((light * levels[split:]).sum() / light.sum())
    return float(threshold), dark_mean, light_mean


def separation(gray: Gray, threshold: float) -> tuple[float, float]:
    """(share, separation), 0..1: of the pixels, those that are at most `threshold`; and how well it separates the two sides.

    The separation is the part of the variance of gray levels that lies between the two sides (Otsu 1979). An image of one level
    has none.
    """
    counts, levels = level_counts(gray), np.arange(256)
    share = counts / counts.sum()
    dark = float(share[: int(threshold) + 1].sum())
    middle = float((share * levels).sum())
    whole = float((share * (levels - middle) ** 2).sum())
    if whole <= 0 or not 0 < dark < 1:
        return dark, 0.0
    below = float((share * levels)[: int(threshold) + 1].sum()) / dark
    return dark, dark / (1 - dark) * (middle - below) ** 2 / whole


def level_counts(gray: Gray) -> NDArray[np.float64]:
    """How many pixels have each gray level: (256,)."""
    return np.asarray(cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel(), np.float64)


def components(mask: NDArray[np.uint8], connectivity: Literal[4, 8] = 8) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Connected components of `mask` (height, width) uint8, non-zero inside.

    Returns the label of every pixel (0 outside) and an (n, 5) int32 table of left, top, width, height, area
    whose row k belongs to label k + 1.
    """
    # This algorithm gives the same labels as OpenCV's default in half the time for a field, and in 0.8 times for a page.
    if mask.size < PIXELS.min_runs_px:
        _, found, stats, _ = cv2.connectedComponentsWithStatsWithAlgorithm(mask, connectivity, cv2.CV_32S, cv2.CCL_GRANA)
        return np.asarray(found, np.int32), np.asarray(stats[1:], np.int32)
    # OpenCV measures every pixel outside too, which takes three times as long as finding the labels. There are far fewer runs.
    count, found = cv2.connectedComponentsWithAlgorithm(mask, connectivity, cv2.CV_32S, cv2.CCL_GRANA)
    labels = np.asarray(found, np.int32)
    height, width = mask.shape
    inside = np.zeros((height, width + 2), np.bool_)
    inside[:, 1:-1] = mask
    rows, columns = np.divmod((inside[:, 1:] != inside[:, :-1]).reshape(-1).nonzero()[0], width + 1)
    run, starts, ends = rows[::2], columns[::2], columns[1::2]  # horizontal runs
    own = labels[run, starts] - 1
    left, top, right, bottom, area = table = np.zeros((5, count - 1), np.int64)
    table[:2] = height + width
    np.minimum.at(left, own, starts)
    np.minimum.at(top, own, run)
    np.maximum.at(right, own, ends)
    np.maximum.at(bottom, own, run + 1)
    np.add.at(area, own, ends - starts)
    table[2:4] -= table[:2]
    return labels, np.ascontiguousarray(table.T, np.int32)


def inked_pixels(mask: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The rows and the columns of the non-zero pixels of (height, width) uint8 or int32: a faster `nonzero`."""
    found = cv2.findNonZero(mask)
    columns, rows = np.zeros((2, 0), np.int32) if found is None else np.asarray(found, np.int32).reshape(-1, 2).T
    return rows, columns


def quantile(values: NDArray[Any], share: float) -> float:
    """The `share` quantile (0..1) of at least one number, linearly interpolated, as `np.quantile`.

    For one share of a flat array this takes a tenth of the calls.
    """
    low, high, part = _between(share, len(values))
    ordered = values.copy()
    ordered.partition((low, high))
    return _in_proportion(ordered[low], ordered[high], part)


def level_quantile(counts: NDArray[np.float64], share: float) -> float:
    """The same for gray levels; `counts` (256,) has the number of pixels at each level."""
    low, high, part = _between(share, int(counts.sum()))
    start, end = counts.cumsum().searchsorted((low, high), side="right").tolist()
    return _in_proportion(start, end, part)


def _between(share: float, count: int) -> tuple[int, int, float]:
    """The two of `count` ordered numbers that a quantile lies between, and its fraction of the way between them."""
    place = share * (count - 1)
    low = int(place)
    return low, min(low + 1, count - 1), place - low


def _in_proportion(start: float, end: float, part: float) -> float:
    return float(end - (end - start) * (1 - part) if part >= 0.5 else start + (end - start) * part)


def grouped(near: NDArray[np.bool_]) -> list[NDArray[np.int64]]:
    """Groups of items that are near each other, directly or through others; `near` is (n, n), symmetric."""
    groups, open_ = [], np.ones(len(near), np.bool_)
    for start in range(len(near)):
        if not open_[start]:
            continue
        own = np.zeros(len(near), np.bool_)
        new = own.copy()
        new[start] = True
        while new.any():
            own |= new
            new = near[new].any(axis=0) & ~own
        open_ &= ~own
        groups.append(np.flatnonzero(own))
    return groups


def digit_height(table: NDArray[np.int32], crop_height: int) -> float | None:
    """The height in px of the digits among components (see `components`): the median, weighted by height.

    None if nothing is large enough to be a digit in a crop of `crop_height` px.
    """
    heights = table[:, 3].astype(np.float64)
    widths, areas = table[:, 2], table[:, 4]
    high = heights >= max(PIXELS.min_digit_px, PIXELS.min_digit_share * crop_height)
    fit = high & (widths <= PIXELS.max_digit_aspect_ratio * heights) & (areas >= PIXELS.min_digit_area_px)
    heights = heights[fit]
    if not len(heights):
        return None
    heights.sort()
    heights = heights[heights >= PIXELS.min_relative_height * heights[-1]]
    weight = heights.cumsum()
    return float(heights[weight.searchsorted(0.5 * weight[-1])])


@dataclass(frozen=True, slots=True)
class PrintedLine:
    """A line of characters of one height, as `printed_line` finds it; all in px of the picture."""

    slope: float  # of the baseline: rows down per column to the right
    base: float  # row of the lower edge of its characters, at column 0
    height: float  # of the characters
    members: NDArray[np.int64]  # rows of the component table that are on it, from left to right
    pitch: float  # columns from one right edge to the next, 0 if the line has no constant pitch
    score: float  # how many characters are on it, and how well they keep the pitch

    def at(self, column: float) -> float:
        """Row of the baseline at a column."""
        return self.base + self.slope * column


def printed_line(table: NDArray[np.int32], least_height: float) -> PrintedLine | None:
    """The line with the most components of one height (see `components`), or None if no two share a line.

    Every pair of components proposes a line; the one with the most members wins (M. Fischler and R. Bolles, 1981), and is
    then fitted to all of them. A line whose right edges keep a constant pitch, as E-13B does, counts more.
    """
    able = _on_a_line(table, least_height)
    if len(able) < 2:
        return None
    high, middle = table[able, 3].astype(np.float64), table[able, 0] + table[able, 2].astype(np.float64) / 2
    foot, right = ((table[able, k] + table[able, k + 2]).astype(np.float64) for k in (1, 0))
    one, other = np.triu_indices(len(able), 1)
    across = middle[other] - middle[one]
    mean = (high[one] + high[other]) / 2
    slope = (foot[other] - foot[one]) / np.where(across == 0, 1.0, across)
    fine = np.abs(high[other] - high[one]) <= PIXELS.max_height_difference_share * mean
    fine &= (np.abs(across) >= PIXELS.min_distance_share * mean) & (np.abs(slope) <= PIXELS.max_slope)
    if not fine.any():
        return None
    one, slope, mean, across = one[fine], slope[fine], mean[fine], np.abs(across[fine])
    start = foot[one] - slope * middle[one]
    ground = start[:, None] + slope[:, None] * middle[None, :]
    near = PIXELS.max_offset_share * mean[:, None]
    on = (np.abs(foot[None, :] - ground) <= near) & (np.abs(foot - high - (ground - mean[:, None])) <= near)
    count = on.sum(axis=1) + np.minimum(across / mean, PIXELS.max_counted_distance) / PIXELS.distance_per_member
    k, pitch, score = _best_line(on, count, right, mean)
    taken = np.flatnonzero(on[k])
    fitted, ground_at = _fit_line(middle[taken], foot[taken], slope[k])
    members = able[taken]
    order = np.argsort(table[members, 0], kind="stable")
    return PrintedLine(fitted, ground_at, float(np.median(high[taken])), members[order], pitch, score)


def _on_a_line(table: NDArray[np.int32], least_height: float) -> NDArray[np.int64]:
    """Rows of the table of components that may be on a printed line; only the tallest if there are many."""
    heights, widths = table[:, 3].astype(np.float64), table[:, 2].astype(np.float64)
    fit = (heights >= least_height) & (widths <= PIXELS.max_aspect_ratio * heights)
    able = np.flatnonzero(fit & (widths >= PIXELS.min_aspect_ratio * heights))
    if len(able) > PIXELS.max_proposing:
        able = np.sort(able[np.argsort(-heights[able], kind="stable")[: PIXELS.max_proposing]])
    return able


def _best_line(
    on: NDArray[np.bool_], count: NDArray[np.float64], right: NDArray[np.float64], height: NDArray[np.float64]
) -> tuple[int, float, float]:
    """The index of the best proposed line, its pitch, and its score.

    `on` (lines, components) says what is on each line, `count` (lines,) how much that is; `right` (components,) are right
    edges, `height` (lines,) the heights of the characters.
    """
    best: tuple[float, int, float, float] = (0.0, -1, 0.0, 0.0)
    open_ = np.ones(len(count), bool)
    for _ in range(PIXELS.max_compared):
        if not open_.any():
            break
        k = int(np.argmax(np.where(open_, count, -1.0)))
        pitch, share = _pitch(np.sort(right[on[k]]), height[k])
        score = float(count[k]) * (PIXELS.base_score_share + share)
        # Fine print has more characters.
        weight = score * float(np.sqrt(height[k]))
        if weight > best[0]:
            best = (weight, k, pitch, score)
        # Next, the best of the lines that differ from this one.
        open_ &= (on & on[k]).sum(axis=1) <= PIXELS.max_same_share * on.sum(axis=1)
    return best[1:]


def _fit_line(x: NDArray[np.float64], y: NDArray[np.float64], slope: float) -> tuple[float, float]:
    """Slope and intercept of the line through points; few or close points keep the given slope."""
    spread = float(((x - x.mean()) ** 2).sum())
    if len(x) >= 3 and spread > 0:
        slope = float(((x - x.mean()) * (y - y.mean())).sum() / spread)
    return slope, float(np.median(y - slope * x))


def _pitch(right: NDArray[np.float64], height: float) -> tuple[float, float]:
    """The pitch in px of right edges, and the share of the distances between neighbors that are multiples of it."""
    steps = np.diff(right)
    steps = steps[(steps > PIXELS.min_step * height) & (steps < PIXELS.max_step * height)]
    if len(steps) < PIXELS.min_steps:
        return 0.0, 0.0
    tried = height * np.linspace(PIXELS.min_pitch, PIXELS.max_pitch, PIXELS.pitches)
    multiples = steps[:, None] / tried
    close = np.abs(multiples - np.rint(multiples)) * tried <= PIXELS.max_pitch_offset * height
    share = close.mean(axis=0)
    k = int(np.argmax(share - PIXELS.off_pitch_penalty * np.abs(tried / height - PIXELS.true_pitch)))
    return (float(tried[k]), float(share[k])) if share[k] >= PIXELS.min_share else (0.0, float(share[k]))
