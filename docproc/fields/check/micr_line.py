"""Find the MICR line of a check: a row of characters of one height whose edges keep one pitch, as in E-13B.

`pixels.printed_line`, which finds the single line of a band, considers every pair of components. A page has too many of
them, and may hold several lines.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from docproc.fields.check.working import Mask
from docproc.pixels import components


@dataclass(frozen=True, slots=True)
class MicrLineTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    character_in: float = 0.117  # height of E-13B, ANSI X9.27 [standard]

    # What may be a character, at the working size.
    min_height_px: int = 9  # [guess]
    max_height_px: int = 60  # [guess]
    max_aspect_ratio: float = 1.6  # of its width to its height [guess]
    min_fill_share: float = 0.12  # of its box that is ink [guess]

    # What may be a row; shares are of the height of a character.
    max_slope: float = 0.12  # of the line, on a page that was placed by hand or photographed [guess]
    slopes: int = 61  # tried, from falling to rising [guess]
    max_height_difference_share: float = 0.15  # of two characters [guess]
    max_rise_share: float = 0.25  # of a character above or below another, besides the slope [guess]
    max_offset_share: float = 0.12  # of a character's baseline from the line through all [guess]
    slack_px: int = 1  # in addition to the difference and the offset [guess]
    min_characters: int = 9  # a routing number has this many digits [guess]

    # What makes it a MICR line.
    min_pitch_ratio: float = 0.88  # relative to the height of the characters; the true value is 125/117 [guess]
    max_pitch_ratio: float = 1.32  # likewise [guess]
    pitch_step_px: float = 0.04  # [guess]
    min_regularity: float = 0.82  # how well the edges keep one pitch, 1 for exactly [guess]
    min_weight: float = 11.0  # characters, weighted by their regularity: some rows are regular by chance [guess]
    clear_weight: float = 16.0  # of a line beyond doubt [guess]
    min_own_share: float = 0.6  # of similarly tall components, from the first to the last character, that are in it [guess]
    min_other_height_share: float = 0.5  # of the characters' height, for components that count there [guess]

    apart_characters: float = 10.0  # heights, from one line to the next if checks are side by side [guess]

    zone_share: float = 0.4  # of the page's height, from the bottom, that contains the line [guess]


MICR_LINE = MicrLineTuning()


@dataclass(frozen=True, slots=True)
class CharacterRow:
    """Characters of one height on one line, px at the working size."""

    left: int
    top: int
    right: int
    bottom: int
    character: float  # height of the characters
    slope: float  # px down per px to the right
    regularity: float  # 0..1, how well they keep one pitch
    count: int

    @property
    def inch(self) -> float:
        """Px at the working size per inch."""
        return self.character / MICR_LINE.character_in

    @property
    def weight(self) -> float:
        """The number of characters, weighted by their regularity."""
        return self.regularity**2 * self.count


def find_micr_line(mask: Mask) -> tuple[CharacterRow | None, bool]:
    """The MICR line of a page, and whether it is at the bottom, or else upside down at the top."""
    foot = _best_row(mask, at_foot=True)
    if foot is not None and foot.weight >= MICR_LINE.clear_weight:
        return foot, True
    head = _best_row(mask, at_foot=False)
    if head is None or (foot is not None and foot.weight >= head.weight):
        return foot, True
    return head, False


def quarters_to_upright(mask: Mask) -> int | None:
    """The counterclockwise quarter turns that bring the MICR line of a sideways page to the bottom."""
    line, at_foot = find_micr_line(np.ascontiguousarray(np.rot90(mask)))
    if line is None:
        return None
    return 1 if at_foot else 3


def clear_lines(mask: Mask) -> list[CharacterRow]:
    """The rows on a page, upright, that are MICR lines beyond doubt."""
    return [row for row in _character_rows(mask, upright=True) if row.weight >= MICR_LINE.clear_weight]


def _best_row(mask: Mask, at_foot: bool) -> CharacterRow | None:
    """The row most like a MICR line at the bottom or, upside down, at the top of a page."""
    height = mask.shape[0]
    start = round((1 - MICR_LINE.zone_share) * height) if at_foot else 0
    zone = np.ascontiguousarray(mask[start : start + round(MICR_LINE.zone_share * height)])
    best = max(_character_rows(zone, upright=at_foot), key=lambda row: row.weight, default=None)
    return None if best is None else replace(best, top=best.top + start, bottom=best.bottom + start)


def _character_rows(mask: Mask, upright: bool) -> list[CharacterRow]:
    """Every row whose right edges keep one pitch, or whose left edges do if characters are upside down."""
    left, top, wide, tall = _characters(mask)
    right, bottom = left + wide, top + tall
    found: list[CharacterRow] = []
    taken = np.zeros(len(left), np.bool_)
    for k in np.argsort(-bottom, kind="stable"):
        if taken[k]:
            continue
        # The line may be skewed, so neighbors decide first, and then a straight line through them.
        alike = np.abs(tall - tall[k]) <= MICR_LINE.max_height_difference_share * tall[k] + MICR_LINE.slack_px
        rise = MICR_LINE.max_rise_share * tall[k] + MICR_LINE.max_slope * np.abs(left - left[k])
        near = alike & (np.abs(bottom - bottom[k]) <= rise)
        if np.count_nonzero(near) < MICR_LINE.min_characters:
            continue
        max_offset = MICR_LINE.max_offset_share * tall[k] + MICR_LINE.slack_px
        slope, start = _straight_line(right[near].astype(np.float64), bottom[near].astype(np.float64), max_offset)
        joined = near & (np.abs(bottom - slope * right - start) <= max_offset)
        if np.count_nonzero(joined) < MICR_LINE.min_characters or not joined[k]:
            continue
        taken |= joined
        for part in _checks_side_by_side(joined, left, right, float(np.median(tall[joined]))):
            edges = (right if upright else left)[part].astype(np.float64)
            row = _row(part, (left, top, right, bottom), slope, edges)
            between = (bottom > row.top) & (top < row.bottom) & (tall > MICR_LINE.min_other_height_share * row.character)
            between &= (left >= row.left) & (right <= row.right)
            alone = row.count >= MICR_LINE.min_own_share * np.count_nonzero(between)
            if row.regularity >= MICR_LINE.min_regularity and alone and row.weight >= MICR_LINE.min_weight:
                found.append(row)
    return found


def _row(
    part: NDArray[np.bool_], edges: tuple[NDArray[np.int32], ...], slope: float, at_pitch: NDArray[np.float64]
) -> CharacterRow:
    """The row of the components `part`; `edges` are left, top, right and bottom of all, `at_pitch` the edges for the pitch."""
    left, top, right, bottom = (edge[part] for edge in edges)
    character = float(np.median(bottom - top))
    regularity = _regularity(at_pitch, character)
    return CharacterRow(
        int(left.min()), int(top.min()), int(right.max()), int(bottom.max()), character, slope, regularity, len(left)
    )


def _checks_side_by_side(
    row: NDArray[np.bool_], left: NDArray[np.int32], right: NDArray[np.int32], character: float
) -> list[NDArray[np.bool_]]:
    """The row of characters, split if it consists of the lines of several checks side by side."""
    own = np.flatnonzero(row)
    own = own[np.argsort(left[own], kind="stable")]
    gaps = left[own[1:]] - np.maximum.accumulate(right[own])[:-1]
    cuts = np.flatnonzero(gaps >= MICR_LINE.apart_characters * character) + 1
    groups = [group for group in np.split(own, cuts) if len(group) >= MICR_LINE.clear_weight]
    # An encoded amount may be this far from the rest, but is not a separate line.
    if len(groups) < 2:
        return [row]
    parts = [np.zeros_like(row) for _ in groups]
    for part, group in zip(parts, groups, strict=True):
        part[group] = True
    return parts


def _characters(mask: Mask) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Left, top, width and height of the components, (n,) each, that may be characters."""
    _, table = components(mask)
    left, top, wide, tall, area = table.T
    fit = (tall >= MICR_LINE.min_height_px) & (tall <= MICR_LINE.max_height_px)
    fit &= (wide <= MICR_LINE.max_aspect_ratio * tall) & (area >= MICR_LINE.min_fill_share * wide * tall)
    return left[fit], top[fit], wide[fit], tall[fit]


def _regularity(edges: NDArray[np.float64], character: float) -> float:
    """How well the edges keep one pitch, 0..1: the length of their mean phase vector, at the best pitch."""
    least, most = (ratio * character for ratio in (MICR_LINE.min_pitch_ratio, MICR_LINE.max_pitch_ratio))
    pitches = np.arange(least, most, MICR_LINE.pitch_step_px)
    return float(np.abs(np.exp(2j * np.pi * edges[None, :] / pitches[:, None]).mean(axis=1)).max())


def _straight_line(x: NDArray[np.float64], y: NDArray[np.float64], max_offset: float) -> tuple[float, float]:
    """Slope and intercept of the line within `max_offset` of the most points: the best slope, then least squares."""
    slopes = np.linspace(-MICR_LINE.max_slope, MICR_LINE.max_slope, MICR_LINE.slopes)
    starts = y[None, :] - slopes[:, None] * x[None, :]
    middles = np.median(starts, axis=1)
    close = np.abs(starts - middles[:, None]) <= max_offset
    best = int(close.sum(axis=1).argmax())
    on_line = close[best]
    if np.count_nonzero(on_line) < 2 or np.ptp(x[on_line]) == 0:
        return float(slopes[best]), float(middles[best])
    x, y = x[on_line], y[on_line]
    aside = x - x.mean()
    slope = float((aside * y).sum() / (aside**2).sum())
    return slope, float(y.mean() - slope * x.mean())
