"""Turn an E-13B line, the print at the bottom of a check, into the strip that its recognizer reads. Training uses it too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import PrintedLine, components, flatten_light, otsu, printed_line
from docproc.readers.e13b.font import PITCH_PX, PRINT_HEIGHT_PX
from docproc.types import LINE_HEIGHT, Box, Gray, MicrLine


@dataclass(frozen=True, slots=True)
class StripTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    foot_px: float = 25.0  # row of the strip, baseline of the characters [guess]
    width_step_px: int = 32  # lines of equal width are batched [guess]
    margin_px: int = 10  # of paper on both sides of the print [guess]
    max_width_px: int = 1600  # [guess]
    half_character_px: float = 8.0  # of the strip, rounded up [geometry]
    soft_scale: float = 1.1  # a line that is downscaled further than this is blurred first [guess]
    blur_px: float = 0.32  # per px of the crop that becomes one px of the strip [guess]
    paper_share: float = 0.1  # of the contrast from paper to ink that still counts as paper: paper is not quite even [guess]

    max_height_px: int = 200  # of a crop; a taller one is downscaled first [guess]
    min_character_px: float = 7.0  # of the crop [guess]
    min_contrast_gray: float = 25.0  # between paper and ink [guess]
    light_reach_px: int = 81  # over which the light is flattened, at most [guess]

    # The line of the characters.
    clear_score: float = 8.0  # of a line that needs no second attempt, see pixels.printed_line [guess]
    min_clear_share: float = 0.4  # of the crop's height, for such a line; a shorter one needs twice the score [guess]
    half_gap_characters: float = 0.09  # in the strokes of a character [guess]
    half_gaps_share: tuple[float, ...] = (0.03, 0.06, 0.09)  # of the crop's height, in broken strokes: tried in turn [guess]
    better: float = 1.1  # weight of a line of joined strokes over one without, at least [guess]
    same_height: float = 0.25  # by how much its height may differ when gaps are closed [guess]
    min_members: int = 3  # characters of a line; with fewer the band of the ink is used [guess]
    min_band_px: int = 20  # of ink in that band [guess]
    band_shares: tuple[float, float] = (0.02, 0.98)  # of the ink, quantiles that bound the band [guess]

    # Groups of characters that are higher, lower, or of another size; lengths in character heights.
    near_characters: float = 2.4  # to each side, over which baseline and height of the line are measured [guess]
    near_by_pitch: int = 3  # characters to each side over which the pitch is measured [guess]
    max_lines: int = 4  # that groups may be on [guess]
    min_group: int = 3  # characters of a group on a separate line [guess]
    min_far_group: int = 5  # of one far from the others [guess]
    usual_height: float = 1.1  # of a group's characters, from which ... [guess]
    height_reach: float = 0.5  # ... they may vary [guess]
    widths: tuple[float, float] = (0.3, 2.5)  # relative to their height [guess]
    max_over: float = 1.6  # above or below the line [guess]
    near_over: float = 0.9  # the same, if other groups may be in the same columns [guess]
    min_height_share: float = 0.6  # of a group's characters relative to the line's [guess]
    max_apart: float = 1.6  # from one character of a group to the next [guess]
    steps: tuple[float, float] = (0.65, 1.45)  # from right edge to right edge that is one pitch [guess]
    min_steps: int = 3  # needed to measure the pitch [guess]

    # Where the line begins and ends; lengths in character heights.
    small: float = 0.6  # components shorter than this ... [guess]
    small_off: float = 0.55  # ... belong to the line if their middle is at most this far from its own [guess]
    large_off: float = 0.8  # the same for taller ones [guess]
    heights: tuple[float, float] = (0.2, 1.6)  # of what belongs to the line [guess]
    crossing_off: float = 0.5  # a stroke that comes this close to the middle of the line crosses it [guess]


STRIP = StripTuning()


Table = NDArray[np.int32]  # see pixels.components
Along = NDArray[np.float64]  # (width,) of a picture, or (n,) of its characters


def micr_line(crop: Gray) -> MicrLine:
    """Find the line of print in a crop (height, width) uint8, dark on light, level it and scale it to 18 px.

    The crop may hold other ink and paper around the line, and be rotated by some degrees; groups of characters may be
    higher or lower than others, or smaller. Characters of less than 7 px are not found. This only locates the line;
    whether it is E-13B is for the recognizer to decide.
    """
    if min(crop.shape) < STRIP.min_character_px:
        return _nothing()
    scale = min(1.0, STRIP.max_height_px / crop.shape[0])
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    work = crop if scale == 1.0 else np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    flat = flatten_light(work, min(work.shape[0], STRIP.light_reach_px))
    threshold, dark, light = otsu(flat)
    if light - dark < STRIP.min_contrast_gray:
        return _nothing()
    mask = (flat <= threshold).astype(np.uint8)
    _, table = components(mask)
    seen = _line_in(mask, table)
    if seen is None:
        return _nothing()
    found, table = seen
    # Groups are tracked by whole characters, so gaps in strokes are closed.
    side = 2 * max(1, round(STRIP.half_gap_characters * found.height)) + 1
    whole = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    _, closed = components(np.asarray(whole, np.uint8))
    again = printed_line(closed, STRIP.min_character_px)
    if again is not None and abs(again.height / found.height - 1) < STRIP.same_height and again.score >= found.score:
        found, table = again, closed
    foot, height, pitch = _followed(table, found, work.shape[1])
    left, right = _extent(table, foot, height)
    # Columns of the strip: characters are scaled to one pitch as well as to one height.
    across = np.r_[0.0, np.cumsum(PITCH_PX / pitch)]
    length = float(across[right] - across[left]) + 2 * STRIP.margin_px
    width = min(STRIP.max_width_px, STRIP.width_step_px * int(np.ceil(length / STRIP.width_step_px)))
    wanted = np.arange(width) + 0.5 - STRIP.margin_px + across[left]
    columns = np.interp(wanted, across, np.arange(len(across))) - 0.5
    # Outside the crop is paper.
    columns = np.where(wanted < 0, -2.0, np.where(wanted > across[-1], work.shape[1] + 1.0, columns))
    near = np.clip(columns, 0, work.shape[1] - 1)
    feet = np.interp(near, np.arange(work.shape[1]), foot)
    heights = np.interp(near, np.arange(work.shape[1]), height)
    rows = feet[None, :] - heights[None, :] * (STRIP.foot_px - 0.5 - np.arange(LINE_HEIGHT)[:, None]) / PRINT_HEIGHT_PX - 0.5
    ink = _ink(flat, dark, light)
    middle = float(np.median(heights)) / PRINT_HEIGHT_PX
    if middle > STRIP.soft_scale:
        ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), STRIP.blur_px * middle), np.uint8)
    at = np.broadcast_to(columns, rows.shape).astype(np.float32)
    line = cv2.remap(ink, at, rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    places = np.column_stack([columns + 0.5, feet - heights, feet]) / scale
    return MicrLine(np.asarray(line, np.uint8), places.astype(np.float32))


def part_box(found: MicrLine, centers: Sequence[float]) -> Box:
    """The rectangle of the crop that holds the characters at these columns of the strip, from left to right."""
    last = len(found.places) - 1
    some = found.places[
        max(0, int(centers[0] - STRIP.half_character_px)) : min(last, int(centers[-1] + STRIP.half_character_px)) + 1
    ]
    left, top = int(np.floor(some[:, 0].min())), int(np.floor(some[:, 1].min()))
    return Box(left, top, int(np.ceil(some[:, 0].max())) - left, int(np.ceil(some[:, 2].max())) - top)


def _nothing() -> MicrLine:
    return MicrLine(np.zeros((LINE_HEIGHT, 0), np.uint8), np.zeros((0, 3), np.float32))


def _line_in(mask: NDArray[np.uint8], table: Table) -> tuple[PrintedLine, Table] | None:
    """The line with the most characters, and its components, joined if print is broken."""
    found = printed_line(table, STRIP.min_character_px)
    # Broken strokes are joined over increasing gaps: fragments of characters may form a line too, but a lower one.
    for share in STRIP.half_gaps_share:
        if found is not None and found.score >= STRIP.clear_score * (
            1 if found.height >= STRIP.min_clear_share * mask.shape[0] else 2
        ):
            break
        side = 2 * max(1, round(share * mask.shape[0])) + 1
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        _, parts = components(np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk), np.uint8))
        closed = printed_line(parts, STRIP.min_character_px)
        if closed is not None and (found is None or _weight(closed) > STRIP.better * _weight(found)):
            found, table = closed, parts
    if found is None or len(found.members) < STRIP.min_members:
        found = _band(mask) or found
    return None if found is None else (found, table)


def _weight(found: PrintedLine) -> float:
    return found.score * float(np.sqrt(found.height))


def _band(mask: NDArray[np.uint8]) -> PrintedLine | None:
    """The rows that hold most of the ink, used if nothing else is known."""
    rows = np.cumsum(mask.sum(axis=1, dtype=np.int64))
    if rows[-1] < STRIP.min_band_px:
        return None
    top, foot = (int(np.searchsorted(rows, share * rows[-1])) for share in STRIP.band_shares)
    if foot - top < STRIP.min_character_px:
        return None
    return PrintedLine(0.0, foot + 1.0, foot + 1.0 - top, np.zeros(0, np.int64), 0.0, 0.0)


def _followed(table: Table, found: PrintedLine, width: int) -> tuple[Along, Along, Along]:
    """Baseline row, height and pitch of the characters at every column, (width,) each.

    Around every character on the line the median of its neighbors is used. Groups of characters on a separate line, a little
    higher or lower or of another size, are tracked there.
    """
    columns = np.arange(width, dtype=np.float64)
    base = found.base + found.slope * columns
    if not len(found.members):
        return base, np.full(width, found.height), np.full(width, found.height * PITCH_PX / PRINT_HEIGHT_PX)
    x = table[:, 0] + table[:, 2] / 2
    foot, high = (table[:, 1] + table[:, 3]).astype(np.float64), table[:, 3].astype(np.float64)
    over = foot - found.at(0.0) - found.slope * x
    lines = [found.members]
    wide = table[:, 2] / high
    able = (
        (np.abs(high / found.height - STRIP.usual_height) <= STRIP.height_reach)
        & (wide >= STRIP.widths[0])
        & (wide <= STRIP.widths[1])
        & (np.abs(over) <= STRIP.max_over * found.height)
    )
    able[found.members] = False
    for _ in range(STRIP.max_lines - 1):
        rest = np.flatnonzero(able)
        other = printed_line(table[rest], STRIP.min_height_share * found.height)
        if other is None or len(other.members) < STRIP.min_group:
            break
        some = rest[other.members]
        able[some] = False
        # Neighbors, not the on-us symbols of the same line.
        apart = np.abs(x[some][:, None] - x[some][None, :]) + np.diag(np.full(len(some), np.inf))
        some = some[apart.min(axis=1) <= STRIP.max_apart * other.height]
        if len(some) < STRIP.min_group:
            continue
        # Far above or below the line a group counts only if it is alone in its columns; otherwise it is other print.
        alone = not any(((x[own] > x[some].min()) & (x[own] < x[some].max())).any() for own in lines)
        if np.abs(np.median(over[some])) <= STRIP.near_over * found.height or (alone and len(some) >= STRIP.min_far_group):
            lines.append(some)
    places, lifted, grown, paced = [], [], [], []
    for some in lines:
        paced.append(_paces((table[some, 0] + table[some, 2]).astype(np.float64), float(np.median(high[some]))))
        for k in some:
            near = some[np.abs(x[some] - x[k]) <= STRIP.near_characters * found.height]
            places.append(x[k])
            lifted.append(np.median(over[near]))
            grown.append(np.median(high[near]))
    order = np.argsort(places, kind="stable")
    at, up, tall, pace = (np.array(values)[order] for values in (places, lifted, grown, np.concatenate(paced)))
    return base + np.interp(columns, at, up), np.interp(columns, at, tall), np.interp(columns, at, pace)


def _paces(right: Along, height: float) -> Along:
    """The pitch around every character of a line, from the right edges of its neighbors: E-13B is aligned there."""
    steps = np.diff(right)
    even = np.where((steps > STRIP.steps[0] * height) & (steps < STRIP.steps[1] * height), steps, np.nan)
    usual = float(np.nanmedian(even)) if np.isfinite(even).sum() >= STRIP.min_steps else height * PITCH_PX / PRINT_HEIGHT_PX
    found = np.full(len(right), usual)
    for k in range(len(right)):
        near = even[max(0, k - STRIP.near_by_pitch) : k + STRIP.near_by_pitch]
        near = near[np.isfinite(near)]
        if len(near) >= STRIP.min_steps:
            found[k] = np.median(near)
    return found


def _extent(table: Table, foot: NDArray[np.float64], height: NDArray[np.float64]) -> tuple[int, int]:
    """First column, and the one past the last, of the ink at about the height of the line."""
    at = np.minimum(table[:, 0] + table[:, 2] // 2, len(foot) - 1)
    off = (table[:, 1] + table[:, 3] / 2 - foot[at]) / height[at] + 0.5
    tall = table[:, 3] / height[at]
    inside = (
        (np.abs(off) < np.where(tall < STRIP.small, STRIP.small_off, STRIP.large_off))
        & (tall >= STRIP.heights[0])
        & (tall <= STRIP.heights[1])
    )
    own = table[inside] if inside.any() else table
    left, right = int(own[:, 0].min()), int((own[:, 0] + own[:, 2]).max())
    # A first or last character joined to a stroke is as tall as the stroke, but belongs to the line nevertheless.
    crossing = table[(np.abs(off) < STRIP.crossing_off + tall / 2) & (tall > STRIP.heights[0])]
    for part in crossing[np.argsort(crossing[:, 0], kind="stable")]:
        if part[0] - right <= height[min(right, len(height) - 1)]:
            right = max(right, int(part[0] + part[2]))
    for part in crossing[np.argsort(-crossing[:, 0] - crossing[:, 2], kind="stable")]:
        if left - part[0] - part[2] <= height[left]:
            left = min(left, int(part[0]))
    return left, right


def _ink(flat: Gray, dark: float, light: float) -> Gray:
    """Map paper to 0 and ink to 255; paper is not quite even, so the first tenth of the range is still paper."""
    share = (light - np.arange(256)) / max(1.0, light - dark)
    levels = np.clip((share - STRIP.paper_share) * (255 / (1 - STRIP.paper_share)), 0, 255)
    return np.asarray(cv2.LUT(flat, np.rint(levels).astype(np.uint8)), np.uint8)
