"""Ruling: the printed lines of a field, and how to distinguish them from pen strokes.

A line is removed because there is evidence that it is print, never because it is long. A horizontal rule continues where
nothing is written: between the digits, and from side to side. A wall is straight and vertical, its ends are on horizontal
rules or on the edges of the crop, and it is taller than the writing next to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components, inked_pixels, quantile
from docproc.types import Box, Ink

Mask = NDArray[np.uint8]  # (height, width) uint8, 0 or 1


@dataclass(frozen=True, slots=True)
class RulingTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    stroke_ink: int = 100  # least ink of a pixel that may belong to a line [guess]

    # Horizontal rules.
    max_thickness_share: float = 0.16  # of the crop's height: thickness of a rule [guess]
    max_thickness_px: int = 4  # or this, if larger [guess]
    crossing_px: int = 3  # more than the rule's thickness: a stroke this tall crosses it and stays [guess]
    piece_heights: float = 0.3  # of the crop: a thin horizontal run at least this long may be a piece of a rule [guess]
    min_piece_px: int = 6  # the same, at least [guess]
    gap_heights: float = 0.12  # of the crop: gaps this long in a dashed rule are closed [guess]
    max_gap_px: int = 24  # the same, at most [guess]
    sure_heights: float = 1.4  # of the crop: a horizontal run at least this long is a rule without further evidence [guess]
    min_sure_px: int = 12  # the same [guess]
    sure_width_share: float = 0.55  # of the crop: the same [guess]
    off_line_px: float = 2.0  # of the scan, by which the pieces of a rule may be off its straight line [guess]
    span_share: float = 0.6  # of the crop's width, from the first piece of a rule to the last [guess]
    solid_share: float = 0.9  # of the columns without other ink: those in which a solid rule is visible [guess]
    broken_share: float = 0.72  # the same, for a rule from side to side that is broken in places [guess]
    broken_span_share: float = 0.9  # of the crop's width, from its start to its end [guess]
    broken_free_share: float = 0.18  # of the crop's width, without other ink [guess]
    dashed_share: float = 0.4  # the same as solid_share, for a dashed rule [guess]
    min_dashes: int = 6  # in those columns [guess]
    min_free_share: float = 0.1  # of the crop's width, without other ink: fewer columns are not enough evidence [guess]
    max_rules: int = 6  # of a field [guess]
    bar_width_share: float = 0.9  # of a row that is ink: such a row is part of a bar at the edge [guess]
    max_bar_share: float = 0.2  # of the crop's height: thickness of a bar [guess]
    remains_px: float = 2.0  # around the rule, where its remains are [guess]
    remains_ratio: float = 2.0  # of their width to their height: a dot on a rule is not its remains [guess]
    struck_part_share: float = 0.12  # of the crop's height: a part of a struck-out digit is at least this tall [guess]
    struck_part_ratio: float = 0.2  # of its width to its height [guess]
    struck_from: float = 0.28  # of the way down the writing: a line below this point strikes it out ... [guess]
    struck_to: float = 0.75  # ... if it is above this one [guess]

    # Walls.
    wall_share: float = 0.72  # of the crop's height, or of the height between two rules, that a wall fills [guess]
    wall_gap_share: float = 0.15  # of the crop's height: gaps this long in a wall are closed [guess]
    max_wall_slope: float = 0.07  # columns per row: more is not a wall [guess]
    wall_bend_px: float = 0.6  # root mean square deviation of a wall from its straight line [guess]
    wall_bend_share: float = 0.012  # the same, of the crop's height [guess]
    min_filled_share: float = 0.85  # of its width, in a row of a wall: a digit has holes [guess]
    swelling_quantile: float = 0.9  # of its widths, used as the greatest [guess]
    max_swelling: float = 1.5  # its greatest width to its usual one (and 2 px): a digit is uneven [guess]
    round_share: float = 0.15  # of its height: ink this far to the side of a vertical run, at half height, is a digit [guess]
    round_reach: float = 0.9  # of its height: ink further to the side is something else [guess]
    end_share: float = 0.06  # of the crop's height, within which a wall must end at a rule or at the edge [guess]
    higher: float = 1.2  # times as tall as the writing next to it: a wall that ends at the edges of the crop [guess]
    side_share: float = 0.15  # of the crop's width: if nothing else is written, walls are this close to the sides [guess]
    hugging_px: int = 2  # from the side of the crop: counts as its very edge [guess]
    min_hugged_ratio: float = 0.7  # of such a crop, width to height, if the vertical run is at its very edge [guess]
    alike_share: float = 0.8  # of the taller of two walls, over which the other runs alongside [guess]
    inked_share: float = 0.85  # of the rows that have ink, for a wall with writing next to it [guess]
    wall_gap_px: float = 2.0  # in the ink of a wall between two rules, or its own width: a 1 ends before them [guess]
    near_side_share: float = 0.06  # the same as side_share, if there is writing and a wall ends at the edge [guess]
    min_aspect_ratio: float = 1.2  # of such a crop, width to height [guess]
    max_wall_ratio: float = 1.6  # width of a wall within a frame to that of its horizontal rules [guess]
    framed_higher: float = 1.1  # times as tall as usual next to it: a wall between two rules [guess]
    tick_share: float = 0.1  # of the crop's height: a tick is at least this tall [guess]
    max_tick_ratio: float = 2.5  # width of a tick to that of its rule [guess]
    max_tick_share: float = 0.5  # the same, at most [guess]
    max_tick_room: float = 1.2  # of the pitch, from the last tick to the side [guess]
    tick_spread_share: float = 0.08  # of the crop's height, by which ticks may differ [guess]
    min_ticks: int = 3  # on one rule [guess]
    off_pitch: float = 0.15  # of the pitch, by which ticks may deviate from it [guess]
    max_wall_share: float = 0.3  # of the crop's height: width of a wall [guess]
    tall_share: float = 0.25  # of the crop's height: writing at least this tall is compared to a wall [guess]


RULING = RulingTuning()

_UP_AND_DOWN, _ASIDE, _AROUND = (np.ones(shape, np.uint8) for shape in ((3, 1), (1, 3), (3, 3)))  # neighbors [geometry]


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A horizontal rule: a straight line from side to side; px of the crop."""

    row: float  # of its center line, at column 0
    slope: float  # rows down per column to the right
    thickness: float
    run: Mask  # its ink, where it forms long runs

    def at(self, column: float) -> float:
        return self.row + self.slope * column


def without_ruling(ink: Ink, scale: float = 1.0) -> tuple[Ink, Mask]:
    """(ink, what was removed): the ink (height, width) uint8 without printed rules and walls.

    A stroke that crosses one is kept. `scale` is the number of times by which the crop was enlarged.
    """
    mask = (ink > RULING.stroke_ink).astype(np.uint8)
    gone = np.zeros_like(mask)
    bars = _bars(mask)
    for bar in bars:
        gone |= bar.run
    off = RULING.off_line_px * scale
    rules = [*bars, *level_rules(mask & (1 - gone), off)]
    for rule in rules[len(bars) :]:
        gone |= _on_rule(mask, rule, off)
    for rule in rules:
        gone |= _remains(mask & (1 - gone), rule, off)
    gone |= _walls(mask, gone, rules)
    for rule in rules:
        gone |= _ticks(mask, rule)
    return (np.where(gone > 0, np.uint8(0), ink), gone) if gone.any() else (ink, gone)


# ------------------------------------------------------------------------------------------------------ horizontal rules


def level_rules(mask: Mask, off: float) -> list[Rule]:
    """The horizontal rules of a field, longest first; `off` px is how far a piece of one may be off its straight line."""
    height, width = mask.shape
    most = round(max(RULING.max_thickness_px, RULING.max_thickness_share * height))
    tall = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((most + 1, 1), np.uint8)), np.uint8)
    thin = mask & (1 - tall)
    # A slightly skewed line spans several rows; a dashed one has gaps.
    whole = cv2.dilate(thin, _UP_AND_DOWN)
    gap = int(np.clip(round(RULING.gap_heights * height), 3, RULING.max_gap_px))
    bridged = cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((1, gap | 1), np.uint8))
    piece = max(RULING.min_piece_px, round(RULING.piece_heights * height))
    if piece >= width:
        return []
    pieces = cv2.morphologyEx(bridged, cv2.MORPH_OPEN, np.ones((1, piece), np.uint8))
    if not pieces.any():
        return []
    long = int(min(RULING.sure_heights * height, RULING.sure_width_share * width))
    # Runs that are too long for a stroke even without bridging gaps.
    sure = _level_runs(np.asarray(cv2.dilate(mask, _UP_AND_DOWN), np.uint8), max(long, RULING.min_sure_px))
    any_sure = bool(sure.any())
    if not any_sure and cv2.boundingRect(pieces)[2] < RULING.span_share * width:
        return []
    labels, table = components(np.asarray(pieces, np.uint8))
    lines = _Lines.of(labels, table)
    found: list[Rule] = []
    left = (-table[:, 2]).argsort(kind="stable")
    while len(left) and len(found) < RULING.max_rules:
        slope, row = lines.fit(left[:1].tolist())
        aligned = _aligned(table, left, slope, row, off)
        taken, left = left[aligned].tolist(), left[~aligned]
        span = int((table[taken, 0] + table[taken, 2]).max() - table[taken, 0].min())
        if not any_sure and span < RULING.span_share * width:
            continue
        if len(taken) > 1:
            slope, row = lines.fit(taken)
        rule = _rule(mask, thin, sure, span, slope, row, off)
        if rule is not None:
            found.append(rule)
    return found


def _level_runs(mask: Mask, length: int) -> Mask:
    """The horizontal runs of at least `length` px; a run that the edge cuts off may be half as long.

    Most fields have no row with that much ink, and need no opening.
    """
    cut_off = mask[:, 0].any() or mask[:, -1].any()
    if int(cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).max()) < (length // 2 if cut_off else length):
        return np.zeros_like(mask)
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class _Lines:
    """The center lines of components, concatenated: arrays with one number per column of each."""

    starts: NDArray[np.int64]  # (n,) where the numbers of each component begin
    columns: NDArray[np.int64]
    counts: NDArray[np.int64]  # px there
    middles: NDArray[np.float64]  # their mean row

    @staticmethod
    def of(labels: NDArray[np.int32], table: NDArray[np.int32]) -> _Lines:
        """The center lines of all components, see `components`."""
        left, top, wide = table[:, 0], table[:, 1], table[:, 2]
        ends = wide.cumsum(dtype=np.int64)
        starts = np.asarray(ends - wide, np.int64)
        owner = np.arange(len(table)).repeat(wide)
        rows, columns = inked_pixels(labels)
        own = labels[rows, columns] - 1
        place = starts[own] + columns - left[own]
        counts = np.asarray(np.bincount(place, minlength=len(owner)), np.int64)
        below = np.bincount(place, rows - top[own], minlength=len(owner))  # from the top of the component
        return _Lines(
            starts, np.arange(len(owner)) - (starts - left)[owner], counts, top[owner] + below / np.maximum(1, counts)
        )

    def fit(self, taken: Sequence[int]) -> tuple[float, float]:
        """(slope, row at column 0) of the straight line fitted to some of them."""
        parts = [slice(self.starts[k], self.starts[k + 1] if k + 1 < len(self.starts) else None) for k in taken]
        x, y = self.columns[parts[0]], self.middles[parts[0]]
        if len(parts) > 1:
            x, y = (np.concatenate([line[part] for part in parts]) for line in (self.columns, self.middles))
        count = len(x)
        middle, height = float(np.add.reduce(x)) / count, float(np.add.reduce(y)) / count
        aside = x - middle
        spread = float(np.add.reduce(aside**2))
        slope = float(np.add.reduce(aside * (y - height))) / spread if spread > 0 else 0.0
        return slope, height - slope * middle

    def straight(self, max_slope: float, max_bend: float) -> NDArray[np.bool_]:
        """Which of them are straight and barely slope, (n,): by the RMS deviation from the fitted line."""
        lengths = np.diff(self.starts, append=len(self.columns))
        owner = np.arange(len(lengths)).repeat(lengths)

        def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.asarray(np.add.reduceat(values, self.starts) / lengths, np.float64)

        aside = self.columns - mean(self.columns.astype(np.float64))[owner]
        off = self.middles - mean(self.middles)[owner]
        slope = mean(aside * off) / np.maximum(mean(aside**2), 1e-12)
        slope[lengths <= 2] = 0
        bend = np.sqrt(mean((off - slope[owner] * aside) ** 2))
        return np.asarray((np.abs(slope) <= max_slope) & (bend <= max_bend), np.bool_)


def _aligned(table: NDArray[np.int32], left: NDArray[np.int64], slope: float, row: float, off: float) -> NDArray[np.bool_]:
    """Which of the remaining pieces lie on the straight line of the first of them, (len(left),)."""
    own = table[left]
    middle = own[:, 0] + own[:, 2] / 2
    near = np.abs(own[:, 1] + own[:, 3] / 2 - row - slope * middle) <= off + own[0, 3] / 2
    near[0] = True
    return np.asarray(near, np.bool_)


def _rule(mask: Mask, thin: Mask, sure: Mask, span: int, slope: float, row: float, off: float) -> Rule | None:
    """The rule formed by pieces on a straight line, `span` px from end to end; None if they are pen strokes."""
    height, width = mask.shape
    zone = _zone(mask.shape, slope, row, off + 1)
    runs = (thin & zone).sum(axis=0)
    seen = runs[runs > 0].tolist()
    if not seen:
        return None
    thickness = float(median(seen))
    if thickness > max(RULING.max_thickness_px, RULING.max_thickness_share * height):
        return None
    run = np.asarray(sure & zone & mask, np.uint8)
    if not run.any() and not _shows(mask, runs, span, _zone(mask.shape, slope, row, off + thickness)):
        return None
    if _strikes(mask & (1 - sure) & (1 - zone), row + slope * width / 2):
        return None
    return Rule(row, slope, thickness, run)


def _shows(mask: Mask, runs: NDArray[np.uint64], span: int, zone: Mask) -> bool:
    """Whether pieces are visible where there is no other ink, as for a solid, broken, or dashed rule.

    `runs` is their ink in every column, (width,), `span` the px from end to end, and `zone` the area of the rule.
    """
    width = mask.shape[1]
    if span < RULING.span_share * width:
        return False
    free = ~(mask & (1 - zone)).any(axis=0)
    shown, count = (runs > 0) & free, int(np.count_nonzero(free))
    if count < RULING.min_free_share * width:
        return False
    share = int(np.count_nonzero(shown)) / count
    dashes = int(shown[0]) + int(np.count_nonzero(shown[1:] & ~shown[:-1]))
    dashed = share >= RULING.dashed_share and dashes >= RULING.min_dashes
    # A rule from side to side that is broken in places.
    broken = (
        share >= RULING.broken_share and span >= RULING.broken_span_share * width and count >= RULING.broken_free_share * width
    )
    return share >= RULING.solid_share or dashed or broken


def _strikes(written: Mask, row: float) -> bool:
    """Whether a line at that row strikes out the writing, running through its middle: digits normally sit on a rule."""
    height = written.shape[0]
    _, table = components(np.asarray(written, np.uint8))
    # The rest of a struck-out digit is above and below the line; walls do not count.
    parts = table[(table[:, 3] >= RULING.struck_part_share * height) & (table[:, 2] >= RULING.struck_part_ratio * table[:, 3])]
    if not len(parts):
        return False
    tops, bottoms = parts[:, 1], parts[:, 1] + parts[:, 3]
    above, below = bottoms <= row + 1, tops >= row - 1
    if above.any() and below.any():
        tops, bottoms = tops[above], bottoms[below]
    top, bottom = float(median(tops.tolist())), float(median(bottoms.tolist()))
    return RULING.struck_from < (row - top) / max(1.0, bottom - top) < RULING.struck_to


def _zone(shape: tuple[int, ...], slope: float, row: float, reach: float) -> Mask:
    """1 within `reach` px of the line that is at `row` in column 0, (height, width)."""
    height, width = shape
    zone = np.zeros((height, width), np.uint8)
    ends = (row, row + slope * (width - 1))
    low, high = max(0, floor(min(ends) - reach)), min(height, ceil(max(ends) + reach) + 1)
    if low < high:
        zone[low:high] = np.abs(np.arange(low, high)[:, None] - row - slope * np.arange(width)) <= reach
    return zone


def _bars(mask: Mask) -> list[Rule]:
    """Full rows at the upper and the lower edge: a thick rule, or the shadow of a page's edge."""
    height = mask.shape[0]
    full = mask.mean(axis=1) >= RULING.bar_width_share
    most = round(RULING.max_bar_share * height)
    found = []
    for upper, rows in ((True, full), (False, full[::-1])):
        thick = int(rows.argmin()) if not rows.all() else height
        if 0 < thick <= most:
            run = np.zeros_like(mask)
            part = slice(0, thick + 1) if upper else slice(height - thick - 1, height)
            run[part] = mask[part]
            found.append(Rule(thick / 2 if upper else height - 1 - thick / 2, 0.0, float(thick), run))
    return found


def _remains(left: Mask, rule: Rule, off: float) -> Mask:
    """What is left of a rule that was removed: flat pieces along it."""
    reach = rule.thickness / 2 + off + RULING.remains_px
    labels, table = components(left)
    if not len(table):
        return np.zeros_like(left)
    inside = np.bincount(labels[_zone(left.shape, rule.slope, rule.row, reach) > 0], minlength=len(table) + 1)[1:]
    flat = (inside >= table[:, 4]) & (table[:, 2] >= RULING.remains_ratio * table[:, 3])
    return np.isin(labels, np.flatnonzero(flat) + 1).astype(np.uint8)


def _on_rule(mask: Mask, rule: Rule, off: float) -> Mask:
    """The ink of a rule, without the strokes that cross it or sit on it."""
    tall = round(rule.thickness) + RULING.crossing_px
    strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((tall, 1), np.uint8))
    strokes = cv2.dilate(strokes, _ASIDE)
    runs = np.asarray(cv2.dilate(rule.run, _UP_AND_DOWN), np.uint8) & (1 - np.asarray(strokes, np.uint8))
    # Where there is no other ink, the whole visible line is removed.
    zone = _zone(mask.shape, rule.slope, rule.row, rule.thickness / 2 + off)
    beside = mask & (1 - zone)
    return np.asarray(mask & (runs | (zone & ~beside.any(axis=0))), np.uint8)


# ------------------------------------------------------------------------------------------------------------ walls


def _ticks(mask: Mask, rule: Rule) -> Mask:
    """The ink of short vertical ticks on a rule, of one height and at one pitch: the separators of a comb's cells."""
    height = mask.shape[0]
    least = max(3, round(RULING.tick_share * height))
    above = mask & (1 - _zone(mask.shape, rule.slope, rule.row, rule.thickness / 2 + 1))
    upright = cv2.morphologyEx(cv2.dilate(above, _ASIDE), cv2.MORPH_OPEN, np.ones((least, 1), np.uint8))
    labels, table = components(np.asarray(upright, np.uint8))
    middle = table[:, 0] + table[:, 2] / 2
    near = max(2.0, RULING.end_share * height)
    on = np.abs(table[:, 1] + table[:, 3] - rule.row - rule.slope * middle) <= near + rule.thickness / 2
    on &= table[:, 3] <= RULING.max_tick_share * height
    on &= table[:, 2] - 2 <= RULING.max_tick_ratio * rule.thickness + 1
    if on.sum() < RULING.min_ticks:
        return np.zeros_like(mask)
    own = np.flatnonzero(on)
    alike = own[np.abs(table[own, 3] - np.median(table[own, 3])) <= RULING.tick_spread_share * height]
    steps = np.diff(np.sort(middle[alike]))
    if len(alike) < RULING.min_ticks or not len(steps):
        return np.zeros_like(mask)
    pitch = float(np.min(steps))
    off = np.abs(steps / max(pitch, 1.0) - np.rint(steps / max(pitch, 1.0)))
    ends = float(middle[alike].min()), mask.shape[1] - float(middle[alike].max())
    # From side to side: a written 111 would not fill the field.
    if pitch < least or off.max() > RULING.off_pitch or max(ends) > RULING.max_tick_room * pitch:
        return np.zeros_like(mask)
    found = np.isin(labels, alike + 1).astype(np.uint8)
    return np.asarray(cv2.dilate(found, _AROUND), np.uint8) & mask


@dataclass(frozen=True, slots=True)
class _Upright:
    """A straight vertical run of ink; px of the crop."""

    left: int
    right: int
    top: int
    bottom: int
    width: float  # of the line itself
    inked: float  # share of its rows with ink: it may be joined from pieces
    gap: int  # the most rows in a row without ink

    @property
    def height(self) -> int:
        return self.bottom - self.top


def _walls(mask: Mask, ruled: Mask, rules: list[Rule]) -> Mask:
    """The ink of walls. `ruled` is that of the horizontal rules."""
    height = mask.shape[0]
    gone = np.zeros_like(mask)
    written = mask & (1 - ruled)
    length = max(3, round(RULING.wall_share * height / 2))
    gap = round(RULING.wall_gap_share * height) | 1
    closed = cv2.morphologyEx(cv2.dilate(mask, _ASIDE), cv2.MORPH_CLOSE, np.ones((gap, 1), np.uint8))
    upright = cv2.morphologyEx(closed, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    if not upright.any():
        return gone
    labels, table = components(np.asarray(upright, np.uint8))
    if not _any_may_be_wall([Box(*place) for place in table[:, :4].tolist()], mask.shape, rules):
        return gone
    uprights = dict(_uprights(labels, table, mask))
    runs = list(uprights.values())
    ended = [_ends(run, mask.shape, rules) for run in runs]
    sides = [_is_side(run, ends, runs, mask.shape) for run, ends in zip(runs, ended, strict=True)]
    if not any(sides) and not any(all(ends) for ends in ended):
        return gone
    # The ink of each with its soft edge.
    inks = [np.asarray(cv2.dilate((labels == k + 1).view(np.uint8), _AROUND), np.uint8) for k in uprights]
    bounded = list(zip(runs, inks, ended, strict=True))
    # Possible walls must not count as the writing next to a wall. The side of a 0 is not a wall.
    labels, table = components(written)
    flat = [(own, ends) for run, own, ends in bounded if not _is_round(run, own, labels)]
    alone = any(sides) and not len(_tall(written, table, [own for own, _ in flat]))
    beside = _tall(written, table, [own for own, ends in flat if all(ends)])
    # In a frame only the outermost runs can be its sides.
    outer = {min(run.left for run in runs), max(run.left for run in runs)}
    for (run, own, ends), side in zip(bounded, sides, strict=True):
        if run.left not in outer and len(beside):
            continue
        if (all(ends) and _is_wall(run, ends, mask.shape, beside, rules)) or (alone and side):
            gone |= own
    return gone & mask


def _any_may_be_wall(runs: Sequence[Box], shape: tuple[int, ...], rules: list[Rule]) -> bool:
    """Whether any vertical run is where a wall may be. In most fields none is, and the runs need not be examined."""
    height, width = shape
    if any(all(_ends(run, shape, rules)) or min(run.left, width - run.right) <= RULING.hugging_px for run in runs):
        return True
    high, near = [run for run in runs if run.height >= RULING.wall_share * height], RULING.side_share * width
    return any(run.left <= near for run in high) and any(width - run.right <= near for run in high)


def _tall(written: Mask, table: NDArray[np.int32], walls: Sequence[Mask]) -> NDArray[np.int32]:
    """The tall components of the writing, without possible walls; `table` has all components."""
    for own in walls:
        written = written & (1 - own)
    if walls:
        _, table = components(written)
    return np.asarray(table[table[:, 3] >= RULING.tall_share * written.shape[0]], np.int32)


def _is_round(run: _Upright, own: Mask, labels: NDArray[np.int32]) -> bool:
    """Whether a vertical run is the side of a digit: at half height its component extends beyond it."""
    inked = labels[(own > 0) & (labels > 0)]
    if not len(inked):
        return False
    inset, reach = run.height // 4, round(RULING.round_reach * run.height)
    left = max(0, run.left - reach)
    near = labels[run.top + inset : run.bottom - inset, left : run.right + reach] == np.bincount(inked).argmax()
    columns = left + np.flatnonzero(near.any(axis=0))
    beyond = max(run.left - int(columns[0]), int(columns[-1]) + 1 - run.right) if len(columns) else 0
    return beyond > RULING.round_share * run.height


def _uprights(labels: NDArray[np.int32], table: NDArray[np.int32], mask: Mask) -> Iterator[tuple[int, _Upright]]:
    """The components that are straight vertical runs, each with its row in the table (see `components`)."""
    height = mask.shape[0]
    lines = _Lines.of(np.ascontiguousarray(labels.T), table[:, [1, 0, 3, 2, 4]])
    spread = cv2.dilate(mask, _ASIDE) > 0  # like `upright`
    bend = max(RULING.wall_bend_px, RULING.wall_bend_share * height)
    for k in lines.straight(RULING.max_wall_slope, bend).nonzero()[0].tolist():
        x, y, w, h, _ = table[k].tolist()
        across = lines.counts[lines.starts[k] : lines.starts[k] + h]
        usual = float(median(across.tolist()))
        if usual > RULING.max_wall_share * height:
            continue
        if quantile(across, RULING.swelling_quantile) > RULING.max_swelling * usual + 2:
            continue
        own = labels[y : y + h, x : x + w] == k + 1
        filled = (spread[y : y + h, x : x + w] & own).sum(axis=1)
        shares = filled[filled > 0] / across[filled > 0]
        if float(np.add.reduce(shares)) / len(shares) < RULING.min_filled_share:
            continue
        thick = max(1.0, usual - 2)  # it was dilated on both sides
        inked = (mask[y : y + h, x : x + w] & own).any(axis=1)
        gap = int(np.diff(np.flatnonzero(np.concatenate(([True], inked, [True])))).max()) - 1
        yield k, _Upright(x, x + w, y, y + h, thick, np.count_nonzero(inked) / h, gap)


def _is_side(run: _Upright, ends: tuple[_End, _End], runs: list[_Upright], shape: tuple[int, ...]) -> bool:
    """Whether a run is a side of an empty frame: at the very edge of the crop, or one of a matching pair at its two sides."""
    height, width = shape
    aside = min(run.left, width - run.right)
    if aside <= RULING.hugging_px and _is_bounded(ends) and width >= RULING.min_aspect_ratio * height:
        return True
    if len(runs) != 2 or run.height < RULING.wall_share * height:
        return False
    first, last = sorted(runs, key=lambda one: one.left)
    common = min(first.bottom, last.bottom) - max(first.top, last.top)
    alike = common >= RULING.alike_share * max(first.height, last.height)
    return alike and first.left <= RULING.side_share * width and width - last.right <= RULING.side_share * width


_End = str  # what a run ends at: "rule", "edge" (the upper or lower one of the crop), "side", or "" for none of them


def _is_bounded(ends: tuple[_End, _End]) -> bool:
    """Whether a run ends at a rule, or at the upper or lower edge of the crop."""
    return "rule" in ends or "edge" in ends


def _ends(run: _Upright | Box, shape: tuple[int, ...], rules: list[Rule]) -> tuple[_End, _End]:
    """What a run ends at, at the top and at the bottom. A slightly skewed wall may leave the crop at its side."""
    other = "side" if min(run.left, shape[1] - run.right) == 0 else ""
    near = max(2.0, RULING.end_share * shape[0])
    column = (run.left + run.right) / 2

    def at(row: int, edge: int) -> _End:
        if any(abs(row - rule.at(column)) <= near for rule in rules):
            return "rule"
        return "edge" if abs(row - edge) <= near else other

    return at(run.top, 0), at(run.bottom - 1, shape[0] - 1)


def _is_wall(
    run: _Upright, ends: tuple[_End, _End], shape: tuple[int, ...], beside: NDArray[np.int32], rules: list[Rule]
) -> bool:
    """Whether a vertical run that ends at rules or edges is print; `beside` are the components of the writing."""
    height, width = shape
    aside = min(run.left, width - run.right)
    if "side" in ends and not (len(beside) and (_is_bounded(ends) or run.height >= RULING.wall_share * height)):
        return False  # perhaps a 1 that was cut off
    if not len(beside):
        # A lone run may be a 1, but not at the side of a printed frame.
        wide = width >= (RULING.min_hugged_ratio if aside <= RULING.hugging_px else RULING.min_aspect_ratio) * height
        return aside <= RULING.side_share * width and (len(rules) > 0 or wide)
    short = ends == ("rule", "rule") and run.gap > max(RULING.wall_gap_px, run.width)
    if run.inked < RULING.inked_share or short:
        return False  # a digit that comes close to both rules
    inner = (beside[:, 0] < run.left).any() and (beside[:, 0] + beside[:, 2] > run.right).any()
    if inner:
        return False
    if run.height > RULING.higher * float(beside[:, 3].max()) and (
        "edge" not in ends or aside <= RULING.near_side_share * width
    ):
        return True
    thin = run.width <= RULING.max_wall_ratio * max(rule.thickness for rule in rules) + 1 if rules else False
    return ends == ("rule", "rule") and thin and run.height > RULING.framed_higher * float(np.median(beside[:, 3]))
