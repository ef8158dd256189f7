"""Bring an E-13B line, the print on the bottom of a check, to the strip that its recognizer reads. Training goes through it."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import PrintedLine, components, flatten_light, otsu, printed_line
from docproc.types import LINE_HEIGHT, Box, Gray, MicrLine

Table = NDArray[np.int32]  # see pixels.components
Along = NDArray[np.float64]  # (width,) of a picture, or (n,) of its characters

PRINT_HEIGHT = 18  # px of a character on the strip: two for a row of the grid of E-13B
PITCH = PRINT_HEIGHT * 125 / 117  # px of the strip from a character to the next
FOOT = 25.0  # row of the strip on which characters stand
WIDTH_STEP = 32  # px; lines of one width are read together
HALF = 8.0  # px of the strip: half of a character, and a little more
MARGIN = 10  # px of paper beside the print
WIDEST = 1600  # px
WORK_HEIGHT = 200  # px; higher crops are made smaller first
LEAST_HEIGHT = 7.0  # px of a character on the crop
LEAST_CONTRAST = 25.0  # gray levels between paper and ink
AROUND = 2.4  # heights of a character to each side, over which foot and height of the line are measured
CLEAR = 8.0  # score of a line that needs no second look, see pixels.printed_line
GAP = 0.09  # of a character's height: half of a gap in its strokes
JOINED = (0.03, 0.06, 0.09)  # of a crop's height: half of a gap in broken strokes
NEIGHBORS = 3  # characters to each side by which the pitch is measured
MOST_LINES = 4  # that groups may stand on
LEAST_GROUP, LEAST_FAR = 3, 5  # characters of a group that stands on a line of its own, and of one far from the others


def micr_line(crop: Gray) -> MicrLine:
    """Find the line of print in a crop (height, width) uint8, dark on light, and lay it out level and 18 px high.

    The crop may hold other ink and paper around the line, and be turned by some degrees; groups of characters may stand
    higher or lower than others, or be smaller. Characters of less than 7 px are not found. Only where the line lies is looked
    for here; whether it is E-13B is for the recognizer to tell.
    """
    if min(crop.shape) < LEAST_HEIGHT:
        return _nothing()
    scale = min(1.0, WORK_HEIGHT / crop.shape[0])
    size = (max(1, round(crop.shape[1] * scale)), max(1, round(crop.shape[0] * scale)))
    work = crop if scale == 1.0 else np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_AREA), np.uint8)
    flat = flatten_light(work, min(work.shape[0], 81))
    threshold, dark, light = otsu(flat)
    if light - dark < LEAST_CONTRAST:
        return _nothing()
    mask = (flat <= threshold).astype(np.uint8)
    _, table = components(mask)
    seen = _line_in(mask, table)
    if seen is None:
        return _nothing()
    found, table = seen
    # Groups are followed by whole characters: gaps in their strokes are closed.
    side = 2 * max(1, round(GAP * found.height)) + 1
    whole = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    _, closed = components(np.asarray(whole, np.uint8))
    again = printed_line(closed, LEAST_HEIGHT)
    if again is not None and abs(again.height / found.height - 1) < 0.25 and again.score >= found.score:
        found, table = again, closed
    foot, height, pitch = _followed(table, found, work.shape[1])
    left, right = _extent(table, foot, height)
    # Columns of the strip: characters come to one pitch as they come to one height.
    across = np.r_[0.0, np.cumsum(PITCH / pitch)]
    length = float(across[right] - across[left]) + 2 * MARGIN
    width = min(WIDEST, WIDTH_STEP * int(np.ceil(length / WIDTH_STEP)))
    wanted = np.arange(width) + 0.5 - MARGIN + across[left]
    columns = np.interp(wanted, across, np.arange(len(across))) - 0.5
    # Beyond the crop is paper.
    columns = np.where(wanted < 0, -2.0, np.where(wanted > across[-1], work.shape[1] + 1.0, columns))
    near = np.clip(columns, 0, work.shape[1] - 1)
    feet = np.interp(near, np.arange(work.shape[1]), foot)
    heights = np.interp(near, np.arange(work.shape[1]), height)
    rows = feet[None, :] - heights[None, :] * (FOOT - 0.5 - np.arange(LINE_HEIGHT)[:, None]) / PRINT_HEIGHT - 0.5
    ink = _ink(flat, dark, light)
    middle = float(np.median(heights)) / PRINT_HEIGHT
    if middle > 1.1:
        ink = np.asarray(cv2.GaussianBlur(ink, (0, 0), 0.32 * middle), np.uint8)
    at = np.broadcast_to(columns, rows.shape).astype(np.float32)
    line = cv2.remap(ink, at, rows.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    places = np.column_stack([columns + 0.5, feet - heights, feet]) / scale
    return MicrLine(np.asarray(line, np.uint8), places.astype(np.float32))


def part_box(found: MicrLine, centers: Sequence[float]) -> Box:
    """The rectangle of the crop that holds the characters that stand at these columns of the strip, from left to right."""
    last = len(found.places) - 1
    some = found.places[max(0, int(centers[0] - HALF)) : min(last, int(centers[-1] + HALF)) + 1]
    left, top = int(np.floor(some[:, 0].min())), int(np.floor(some[:, 1].min()))
    return Box(left, top, int(np.ceil(some[:, 0].max())) - left, int(np.ceil(some[:, 2].max())) - top)


def _nothing() -> MicrLine:
    return MicrLine(np.zeros((LINE_HEIGHT, 0), np.uint8), np.zeros((0, 3), np.float32))


def _line_in(mask: NDArray[np.uint8], table: Table) -> tuple[PrintedLine, Table] | None:
    """The line on which most characters stand, and the components that it is of; those are joined where print is broken."""
    found = printed_line(table, LEAST_HEIGHT)
    # Broken strokes are joined, further and further: what is left of characters may keep a line too, but a lower one.
    for share in JOINED:
        if found is not None and found.score >= (CLEAR if found.height >= 0.4 * mask.shape[0] else 2 * CLEAR):
            break
        side = 2 * max(1, round(share * mask.shape[0])) + 1
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        _, parts = components(np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, disk), np.uint8))
        closed = printed_line(parts, LEAST_HEIGHT)
        if closed is not None and (found is None or _weight(closed) > 1.1 * _weight(found)):
            found, table = closed, parts
    if found is None or len(found.members) < 3:
        found = _band(mask) or found
    return None if found is None else (found, table)


def _weight(found: PrintedLine) -> float:
    return found.score * float(np.sqrt(found.height))


def _band(mask: NDArray[np.uint8]) -> PrintedLine | None:
    """The rows that hold most of the ink, where nothing else is known."""
    rows = np.cumsum(mask.sum(axis=1, dtype=np.int64))
    if rows[-1] < 20:
        return None
    top, foot = (int(np.searchsorted(rows, share * rows[-1])) for share in (0.02, 0.98))
    if foot - top < LEAST_HEIGHT:
        return None
    return PrintedLine(0.0, foot + 1.0, foot + 1.0 - top, np.zeros(0, np.int64), 0.0, 0.0)


def _followed(table: Table, found: PrintedLine, width: int) -> tuple[Along, Along, Along]:
    """Row of the foot, height and pitch of the characters at every column, (width,) each.

    Around every character on the line the median of its neighbors counts. Groups of characters that stand on a line of their
    own, a little higher or lower or of another size, are followed there.
    """
    columns = np.arange(width, dtype=np.float64)
    base = found.base + found.slope * columns
    if not len(found.members):
        return base, np.full(width, found.height), np.full(width, found.height * PITCH / PRINT_HEIGHT)
    x = table[:, 0] + table[:, 2] / 2
    foot, high = (table[:, 1] + table[:, 3]).astype(np.float64), table[:, 3].astype(np.float64)
    over = foot - found.at(0.0) - found.slope * x
    lines = [found.members]
    wide = table[:, 2] / high
    able = (np.abs(high / found.height - 1.1) <= 0.5) & (wide >= 0.3) & (wide <= 2.5) & (np.abs(over) <= 1.6 * found.height)
    able[found.members] = False
    for _ in range(MOST_LINES - 1):
        rest = np.flatnonzero(able)
        other = printed_line(table[rest], 0.6 * found.height)
        if other is None or len(other.members) < LEAST_GROUP:
            break
        some = rest[other.members]
        able[some] = False
        # Neighbors, not the on-us symbols of the same line.
        apart = np.abs(x[some][:, None] - x[some][None, :]) + np.diag(np.full(len(some), np.inf))
        some = some[apart.min(axis=1) <= 1.6 * other.height]
        if len(some) < LEAST_GROUP:
            continue
        # Far above or below the line only a group that has its columns for itself is one, and no other print.
        alone = not any(((x[own] > x[some].min()) & (x[own] < x[some].max())).any() for own in lines)
        if np.abs(np.median(over[some])) <= 0.9 * found.height or (alone and len(some) >= LEAST_FAR):
            lines.append(some)
    places, lifted, grown, paced = [], [], [], []
    for some in lines:
        paced.append(_paces((table[some, 0] + table[some, 2]).astype(np.float64), float(np.median(high[some]))))
        for k in some:
            near = some[np.abs(x[some] - x[k]) <= AROUND * found.height]
            places.append(x[k])
            lifted.append(np.median(over[near]))
            grown.append(np.median(high[near]))
    order = np.argsort(places, kind="stable")
    at, up, tall, pace = (np.array(values)[order] for values in (places, lifted, grown, np.concatenate(paced)))
    return base + np.interp(columns, at, up), np.interp(columns, at, tall), np.interp(columns, at, pace)


def _paces(right: Along, height: float) -> Along:
    """The pitch around every character of a line, by the right edges of those next to it: there E-13B is flush."""
    steps = np.diff(right)
    even = np.where((steps > 0.65 * height) & (steps < 1.45 * height), steps, np.nan)
    usual = float(np.nanmedian(even)) if np.isfinite(even).sum() >= 3 else height * PITCH / PRINT_HEIGHT
    found = np.full(len(right), usual)
    for k in range(len(right)):
        near = even[max(0, k - NEIGHBORS) : k + NEIGHBORS]
        near = near[np.isfinite(near)]
        if len(near) >= 3:
            found[k] = np.median(near)
    return found


def _extent(table: Table, foot: NDArray[np.float64], height: NDArray[np.float64]) -> tuple[int, int]:
    """First column, and the one past the last, of what stands about as high as the line."""
    at = np.minimum(table[:, 0] + table[:, 2] // 2, len(foot) - 1)
    off = (table[:, 1] + table[:, 3] / 2 - foot[at]) / height[at] + 0.5
    tall = table[:, 3] / height[at]
    inside = (np.abs(off) < np.where(tall < 0.6, 0.55, 0.8)) & (tall >= 0.2) & (tall <= 1.6)
    own = table[inside] if inside.any() else table
    left, right = int(own[:, 0].min()), int((own[:, 0] + own[:, 2]).max())
    # What a stroke joins to the first or last character is as high as the stroke, and belongs to the line all the same.
    crossing = table[(np.abs(off) < 0.5 + tall / 2) & (tall > 0.2)]
    for part in crossing[np.argsort(crossing[:, 0], kind="stable")]:
        if part[0] - right <= height[min(right, len(height) - 1)]:
            right = max(right, int(part[0] + part[2]))
    for part in crossing[np.argsort(-crossing[:, 0] - crossing[:, 2], kind="stable")]:
        if left - part[0] - part[2] <= height[left]:
            left = min(left, int(part[0]))
    return left, right


def _ink(flat: Gray, dark: float, light: float) -> Gray:
    """Paper to 0 and ink to 255; paper is not quite even, so a tenth of the way is still paper."""
    share = (light - np.arange(256)) / max(1.0, light - dark)
    levels = np.clip((share - 0.1) * (255 / 0.9), 0, 255)
    return np.asarray(cv2.LUT(flat, np.rint(levels).astype(np.uint8)), np.uint8)
