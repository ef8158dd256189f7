"""Find the parts of a check: the MICR line, the courtesy amount, the date and the printed number. No template, any bank.

The MICR line comes first: E-13B is the only print on a check whose characters stand at one pitch along one line (ANSI X9.27),
and its characters are 0.117 inch high, so it tells which way is up, how much the check lies askew, and how large an inch is.
All other lengths are in inches. Where there is no such line, the check is taken to be as wide as most are.

The amount is in a frame at the right, or it is what is written there below the date; the date is a comb of six or eight cells,
or what is written above. Geometry proposes, the readers see all that is proposed, and `elect` chooses by what was read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.fields.boxes import find_boxes
from docproc.meaning.dates import ANY_DATE
from docproc.pixels import components, flatten_light, otsu
from docproc.rules import FieldRules, PartOrder
from docproc.types import Box, Elected, Field, Page, Seen

WORK_SIDE = 1500  # px to which the long side of a page is brought
LEAST_CONTRAST = 30.0  # gray levels between paper and ink
CHARACTER = 0.117  # inch, the height of E-13B
USUAL_WIDTH = 7.0  # inch, of a check whose MICR line is not seen: they are 6 to 8.5 wide
SHAPES = (1.6, 3.4)  # width over height of a check
WIDTHS = (4.5, 10.0)  # inch, of a check, by the size of its MICR line
LOWEST = 160  # px; the MICR line of a lower check is too small to be read
PRINT = (4, 13)  # px at that height, of the characters that are printed on a check
LEAST_PRINT = 20  # of these on any check

BAND_HEIGHTS = (9, 60)  # px at the working size
LEAST_CHARACTERS = 9  # of a MICR line
PITCHES = (0.88, 1.32)  # over the height of the characters; 1.07 is true
LEAST_REGULAR = 0.82  # how well the right edges keep to one pitch, 1 when exactly
LEAST_WEIGHT = 11.0  # regular characters
ALONE = 0.6  # of what is as high as characters, between the first and the last, that belongs to the line
AROUND_LINE = (2.6, 8.2, 3.6, 0.5)  # inch of a check before and behind where its line starts, above, below
CLEAR = 16.0  # regular characters of a line that is one beyond doubt
BAND_ZONE = 0.4  # of the page's height, from its foot, in which the line lies
LEVEL = 0.012  # a slope that does no harm
MOST_SLOPE = 0.12  # of the line, which a hand-laid page or a photograph may have

FRAME_HEIGHTS = (0.2, 0.75)  # inch
FRAME_WIDTHS = (0.8, 3.5)  # inch
SIDE_SEEN = 0.8  # of a frame's upright side that is ink
RULED = 0.93  # the same of a line within a frame
LINE = 0.45  # inch, the shortest level line
PARTS = (0.05, 0.6)  # inch, heights of what belongs to writing
APART = 0.21  # inch between the parts of one number, at most
LEAST_HEIGHT = 0.08  # inch, of a written number
DATE_CELLS = (6, 8)
ABOVE = 0.25  # inch above the MICR line where nothing else stands
RIGHT = 0.42  # of the page's width; what begins further left is no amount, date or number
MIDDLE, FRAME_MIDDLE = 0.56, 0.62  # the same of its middle, and of that of a frame
HIGH = 0.6  # of the page's height; a date stands above
# What a frame counts beside the confidence of the text, that a value is known, and that it stands right below the date.
FRAMED, KNOWN, FIRST = 0.3, 0.2, 0.6
SURE_AMOUNT = 0.5  # confidence of an amount that stands in no frame and below no date
SIGNED = 0.65  # of the way from the top of a check to its MICR line: below stands a signature
HEAD = 0.27  # of the height above the MICR line, where no amount stands
UNCERTAIN = "it is not certain that this is the amount"
NAMES = ("amount", "date", "micr")
SURE_NUMBER = 0.8  # confidence with which a printed number speaks against the MICR line
NUMBER_DIGITS = (3, 8)
SURE_LINE = 0.5  # confidence of a MICR line that tells the country


@dataclass(frozen=True, slots=True)
class _Country:
    """What the form of a MICR line tells of a check."""

    line: re.Pattern[str]
    order: PartOrder  # of a date's parts
    cents: bool  # they are always written


COUNTRIES = (
    _Country(re.compile("(.*⑈)?⑆[0-9]{9}⑆.*"), "MDY", cents=True),  # the United States
    _Country(re.compile("⑈[0-9]{6}⑈[0-9]{9}⑆.*"), "DMY", cents=False),  # India
)


@dataclass(frozen=True, slots=True)
class Band:
    """A MICR line on a page."""

    box: Box  # px of the page, around its characters
    character: float  # px of the page, their height
    slope: float  # px down for a px to the right
    regular: float  # 0..1, how well it keeps its pitch


@dataclass(frozen=True, slots=True)
class Check:
    """What was found on a page, or how it has to be turned before more can be found."""

    quarters: int = 0  # quarter turns, counterclockwise, that bring the page upright
    slope: float = 0.0  # px down for a px to the right, of what should be level
    band: Band | None = None
    combs: tuple[Field, ...] = ()  # for dates
    frames: tuple[Field, ...] = ()  # for amounts
    places: tuple[Field, ...] = ()  # where something is written at the right, from the top down; they have no name yet
    part: Box | None = None  # of the page, that has to be cut out before more can be found

    @property
    def settled(self) -> bool:
        """Whether the page fits: nothing has to be turned or cut before its parts are told."""
        return self.quarters == 0 and abs(self.slope) <= LEVEL and self.part is None


_Rect = tuple[float, float, float, float]  # left, top, right, bottom, px at the working size


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """A page at the working size; arrays are (height, width) uint8."""

    mask: NDArray[np.uint8]  # 1 ink
    faint: NDArray[np.uint8]  # 1 ink and what is paler: printed lines
    scale: float  # px for a px of the page
    left: int = 0  # px of the page at the working size that were cut off

    def on_page(self, rect: _Rect) -> Box:
        left, right = (round((v + self.left) / self.scale) for v in (rect[0], rect[2]))
        top, bottom = (round(v / self.scale) for v in (rect[1], rect[3]))
        return Box(left, top, right - left, bottom - top)

    def of_page(self, box: Box) -> _Rect:
        left, right = (v * self.scale - self.left for v in (box.left, box.right))
        return left, box.top * self.scale, right, box.bottom * self.scale


def looks_like_check(page: Page) -> bool:
    """Whether the page has the shape of a check, which may stand on end."""
    short, long = sorted((page.width, page.height))
    return SHAPES[0] <= long / max(1, short) <= SHAPES[1]


def is_small_check(page: Page) -> bool:
    """Whether a page that is no larger than a cut-out field is a check: by its MICR line, and by what that tells of its size.

    Page (height, width) uint8, dark on light.
    """
    if not looks_like_check(page) or page.height < LOWEST or not _holds_print(page):
        return False
    work = _at_work(page)
    line = None if work is None else _line(work.mask)[0]
    return line is not None and WIDTHS[0] <= WORK_SIDE * CHARACTER / line.character <= WIDTHS[1]


def _holds_print(page: Page) -> bool:
    """Whether as much is printed on a small page as on a check: cut-out fields are told by this before it takes time."""
    small = cv2.resize(page.gray, (round(page.width * LOWEST / page.height), LOWEST), interpolation=cv2.INTER_AREA)
    flat = flatten_light(np.asarray(small, np.uint8), 15)
    threshold, dark, light = otsu(flat)
    if light - dark < LEAST_CONTRAST:
        return False
    _, table = components((flat <= threshold).astype(np.uint8))
    wide, tall = table[:, 2], table[:, 3]
    return int(np.count_nonzero((tall >= PRINT[0]) & (tall <= PRINT[1]) & (wide <= 1.6 * tall))) >= LEAST_PRINT


def find_check(page: Page) -> Check | None:
    """The parts of the check on a page; None where there is no check.

    Page (height, width) uint8, dark on light. Where the result is not `settled`, it tells how the page has to be turned, or
    what has to be cut out, before it is looked at again. Raises ValueError where several checks lie on the page.
    """
    work = _at_work(page)
    if work is None:
        return None
    height, width = work.mask.shape
    if not looks_like_check(page):
        return _somewhere(work)
    if height > width:
        # Only its MICR line tells whether a page that stands on end is a check.
        quarters = _quarters(work.mask)
        return None if quarters is None else Check(quarters=quarters)
    best, at_foot = _line(work.mask)
    if not at_foot:
        return Check(quarters=2)
    if best is not None and abs(best.slope) > LEVEL:
        return Check(slope=best.slope)
    inch = best.character / CHARACTER if best else width / USUAL_WIDTH
    foot = best.top if best else height
    combs, frames, places = _parts(page, work, inch, foot)
    band = None
    if best is not None:
        band = Band(
            work.on_page((best.left, best.top, best.right, best.bottom)), best.character / work.scale, best.slope, best.regular
        )
    if band is None and not ((combs or places) and frames):
        return None
    return Check(0, 0.0, band, combs, frames, places)


def micr_box(band: Band, page: Page) -> Box:
    """What to cut out for the MICR line: two characters more at both ends, for those that were not seen, and room above."""
    aside, above = round(3.2 * band.character), round(0.7 * band.character)
    box = band.box
    return Box(box.left - aside, box.top - above, box.width + 2 * aside, box.height + 2 * above).clip(page.width, page.height)


def elect(seen: Sequence[Seen], again: Callable[[int, Field], Seen], order: PartOrder = "auto") -> tuple[Elected, ...]:
    """Which of the places that `find_check` proposes are the fields of the check, by what was read there.

    A date is what can be one. The amount stands below it: in a frame, if there is one; else it is what reads best, and certain
    where nothing else stands between it and the date. `order` is
    that of the date's parts; where it is left open, the MICR line tells the country, which also tells whether cents are always
    written.
    """
    chosen = []
    line = next((one for one in seen if one.field.name == "micr"), None)
    country = None
    if line is not None and line.confidence >= SURE_LINE:
        country = next((one for one in COUNTRIES if one.line.fullmatch(line.value)), None)
    if order == "auto" and country is not None:
        order = country.order
    below = 0.0
    # No date stands below the amount, or where checks are signed.
    foot = min((one.field.box.top + one.field.box.height for one in seen if one.field.framed), default=float("inf"))
    foot = min(foot, SIGNED * line.field.box.top) if line is not None else foot

    def dates_among(seen: Sequence[Seen]) -> list[int]:
        return [
            k
            for k, one in enumerate(seen)
            if one.field.name == "date" or (one.dated > 0 and one.field.box.top + one.field.box.height / 2 < foot)
        ]

    dates = dates_among(seen)
    if not dates:
        # Most dates can be told as they were read; the search for what may be one as well takes longer.
        seen = [
            one if one.field.name else replace(one, dated=again(k, replace(one.field, rules=ANY_DATE)).dated)
            for k, one in enumerate(seen)
        ]
        dates = dates_among(seen)
    if dates:
        date = max(dates, key=lambda k: (seen[k].field.cells, seen[k].dated))
        field = seen[date].field
        digits = (field.cells, field.cells) if field.cells else None
        chosen.append(Elected(date, replace(field, name="date", rules=FieldRules(digits=digits, date=order))))
        below = field.box.top + 0.7 * field.box.height
    amounts = [k for k, one in enumerate(seen) if one.field.name == "amount" or (not one.field.name and one.text)]
    # Where no date was found, what stands high up is no amount all the same, nor is what can hardly be read.
    if not below:
        amounts = [k for k in amounts if seen[k].field.framed or seen[k].confidence >= SURE_AMOUNT]
    least = max(below, HEAD * line.field.box.top if line is not None else 0.0)
    amounts = [k for k in amounts if k not in dates and seen[k].field.box.top + seen[k].field.box.height / 2 > least]
    if amounts:
        first = min(amounts, key=lambda k: seen[k].field.box.top)
        amount = max(amounts, key=lambda k: _appeal(seen[k]) + FIRST * (k == first and below > 0))
        sure = seen[amount].field.framed or (below > 0 and amount == first)
        cents = country is not None and country.cents
        chosen.append(Elected(amount, replace(seen[amount].field, name="amount", cents=cents), "" if sure else UNCERTAIN))
    if line is not None:
        place = next(k for k, one in enumerate(seen) if one.field.name == "micr")
        chosen.append(Elected(place, line.field, printed=_printed_number(seen, below)))
    return tuple(sorted(chosen, key=lambda one: NAMES.index(one.field.name)))


def _printed_number(seen: Sequence[Seen], below: float) -> str:
    """The check's number in the upper right corner: what stands above the date, where that is a number; else ""."""
    above = [k for k, one in enumerate(seen) if not one.field.name and one.field.box.bottom < below]
    if not above:
        return ""
    first = min(above, key=lambda k: seen[k].field.box.top)
    one = seen[first]
    if one.confidence < SURE_NUMBER or not NUMBER_DIGITS[0] <= len(one.text) <= NUMBER_DIGITS[1]:
        return ""
    return one.text


def _appeal(one: Seen) -> float:
    return one.confidence + FRAMED * one.field.framed + KNOWN * bool(one.value)


def _at_work(page: Page) -> _Work | None:
    scale = WORK_SIDE / max(page.width, page.height)
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    flat = flatten_light(np.asarray(cv2.resize(page.gray, size, interpolation=how), np.uint8), 61)
    threshold, dark, light = otsu(flat)
    if light - dark < LEAST_CONTRAST:
        return None
    # Patterns of the paper are lighter than print and pen: half-way to these drops them.
    core = float(np.percentile(flat[flat <= threshold], 10))
    level = min(threshold + 0.08 * (light - threshold), light - 0.45 * (light - core))
    pale = threshold + 0.35 * (light - threshold)
    return _Work((flat <= level).astype(np.uint8), (flat <= pale).astype(np.uint8), scale)


# ------------------------------------------------------------------------------------------------- the MICR line


@dataclass(frozen=True, slots=True)
class _Row:
    """Characters of one height on one line, px at the working size."""

    left: int
    top: int
    right: int
    bottom: int
    character: float
    slope: float
    regular: float
    count: int

    @property
    def weight(self) -> float:
        return self.regular**2 * self.count


def _somewhere(work: _Work) -> Check | None:
    """A check on a page that is larger: how the page has to be turned, or where on it the check is. Raises ValueError."""
    ways = []
    for quarters in range(4):
        rows = _rows(np.ascontiguousarray(np.rot90(work.mask, quarters)), upright=True)
        ways.append([row for row in rows if row.weight >= CLEAR])
    quarters = max(range(4), key=lambda k: max((row.weight for row in ways[k]), default=0.0))
    lines = sorted(ways[quarters], key=lambda row: row.weight)
    if not lines:
        return None
    if len(lines) > 1:
        raise ValueError(f"{len(lines)} checks lie on this page: each should be a page of its own")
    if quarters:
        return Check(quarters=quarters)
    line = lines[0]
    inch = line.character / CHARACTER
    before, behind, above, below = (v * inch for v in AROUND_LINE)
    height, width = work.mask.shape
    rect = (
        max(0, line.left - before),
        max(0, line.bottom - above),
        min(width, line.left + behind),
        min(height, line.bottom + below),
    )
    return Check(part=work.on_page(rect))


def _quarters(mask: NDArray[np.uint8]) -> int | None:
    """The quarter turns, counterclockwise, after which a page that stands on end has its MICR line at its foot."""
    turned = np.ascontiguousarray(np.rot90(mask))
    best, at_foot = _line(turned)
    return None if best is None else 1 if at_foot else 3


def _line(mask: NDArray[np.uint8]) -> tuple[_Row | None, bool]:
    """The MICR line of a page, and whether it stands at the foot, or on its head at the head."""
    foot = _best(mask, foot=True)
    if foot is not None and foot.weight >= CLEAR:
        return foot, True
    head = _best(mask, foot=False)
    if head is None or (foot is not None and foot.weight >= head.weight):
        return foot, True
    return head, False


def _best(mask: NDArray[np.uint8], foot: bool) -> _Row | None:
    """What is most like a MICR line at the foot or at the head of a page."""
    height = mask.shape[0]
    start = round((1 - BAND_ZONE) * height) if foot else 0
    rows = _rows(np.ascontiguousarray(mask[start : start + round(BAND_ZONE * height)]), upright=foot)
    best = max(rows, key=lambda row: row.weight, default=None)
    return None if best is None else replace(best, top=best.top + start, bottom=best.bottom + start)


def _rows(mask: NDArray[np.uint8], upright: bool) -> list[_Row]:
    """Every row of characters of one height whose right edges stand at one pitch, as those of E-13B do.

    Where they do not stand `upright` but on their heads it is their left edges. `pixels.printed_line`, which finds the one line
    of a band, weighs every pair of components; a page has too many of them, and may hold several lines.
    """
    _, table = components(mask)
    lowest, highest = BAND_HEIGHTS
    left, top, wide, tall, area = table.T
    fit = (tall >= lowest) & (tall <= highest) & (wide <= 1.6 * tall) & (area >= 0.12 * wide * tall)
    left, top, wide, tall = left[fit], top[fit], wide[fit], tall[fit]
    right, bottom = left + wide, top + tall
    found: list[_Row] = []
    taken = np.zeros(len(left), np.bool_)
    for k in np.argsort(-bottom, kind="stable"):
        if taken[k]:
            continue
        off = np.abs(bottom - bottom[k])
        # The line may lean, so what is near decides first, and then a straight line through it.
        near = (np.abs(tall - tall[k]) <= 0.15 * tall[k] + 1) & (off <= 0.25 * tall[k] + MOST_SLOPE * np.abs(left - left[k]))
        if np.count_nonzero(near) < LEAST_CHARACTERS:
            continue
        slope, start = _straight(right[near].astype(np.float64), bottom[near].astype(np.float64), 0.12 * tall[k] + 1)
        joined = near & (np.abs(bottom - slope * right - start) <= 0.12 * tall[k] + 1)
        if np.count_nonzero(joined) < LEAST_CHARACTERS or not joined[k]:
            continue
        taken |= joined
        edges = (right if upright else left)[joined].astype(np.float64)
        character = float(np.median(tall[joined]))
        pitches = np.arange(PITCHES[0] * character, PITCHES[1] * character, 0.04)
        regular = np.abs(np.exp(2j * np.pi * edges[None, :] / pitches[:, None]).mean(axis=1))
        best = float(regular.max())
        # By chance some rows are regular too; not so many characters, and not among others that are not.
        inside = (bottom > top[joined].min()) & (top < bottom[joined].max()) & (tall > 0.5 * character)
        inside &= (left >= left[joined].min()) & (right <= right[joined].max())
        alone = np.count_nonzero(joined) >= ALONE * np.count_nonzero(inside)
        if best >= LEAST_REGULAR and alone and best**2 * np.count_nonzero(joined) >= LEAST_WEIGHT:
            found.append(
                _Row(
                    int(left[joined].min()), int(top[joined].min()), int(right[joined].max()), int(bottom[joined].max()),
                    character, float(slope), best, int(np.count_nonzero(joined)),
                )
            )  # fmt: skip
    return found


def _straight(x: NDArray[np.float64], y: NDArray[np.float64], near: float) -> tuple[float, float]:
    """The straight line that most points lie `near` to: slope and start (least squares of the best of all slopes)."""
    slopes = np.linspace(-MOST_SLOPE, MOST_SLOPE, 61)
    starts = y[None, :] - slopes[:, None] * x[None, :]
    middles = np.median(starts, axis=1)
    close = np.abs(starts - middles[:, None]) <= near
    best = int(close.sum(axis=1).argmax())
    some = close[best]
    if np.count_nonzero(some) < 2 or np.ptp(x[some]) == 0:
        return float(slopes[best]), float(middles[best])
    slope, start = np.polyfit(x[some], y[some], 1)
    return float(slope), float(start)


# ------------------------------------------------------------------------------------------- amount, date, number


def _parts(page: Page, work: _Work, inch: float, foot: float) -> tuple[tuple[Field, ...], tuple[Field, ...], tuple[Field, ...]]:
    """Combs for a date, frames for an amount, and what else is written at the right."""
    height, width = work.mask.shape
    top = round(min(foot, height) - ABOVE * inch)
    start = round((RIGHT - 0.05) * width)
    part = (slice(0, top), slice(start, width))
    work = _Work(np.ascontiguousarray(work.mask[part]), np.ascontiguousarray(work.faint[part]), work.scale, start)
    level, upright = _lines(work.mask, inch)
    pale_level, pale_upright = _lines(work.faint, inch)
    combs = [_as_ruled(field, level, work) for field in _combs(page)]
    combs = [comb for comb in combs if comb.cells in DATE_CELLS and work.of_page(comb.box)[3] < HIGH * height]
    below = max((work.of_page(comb.box)[3] for comb in combs), default=0.0)
    frames = _frames(pale_level, pale_upright, inch)
    frames = [frame for frame in frames if _middle(frame) + start > FRAME_MIDDLE * width and below <= frame[1]]
    thick = cv2.dilate(np.maximum(level, upright), np.ones((3, 3), np.uint8))
    rest = work.mask * (1 - np.asarray(thick, np.uint8))
    groups = [
        group for group in _groups(rest, inch) if group[0] + start > RIGHT * width and _middle(group) + start > MIDDLE * width
    ]

    amounts = [Field("amount", work.on_page(_inside(frame, pale_level)), "amount", framed=True) for frame in frames]
    if combs and amounts:
        groups = []
    free = [group for group in groups if all(_overlap(group, frame) < 0.5 for frame in frames)]
    places = [Field("", work.on_page(_around(group, inch)), "amount") for group in free]
    return tuple(combs), tuple(amounts), tuple(places)


def _middle(rect: _Rect) -> float:
    return (rect[0] + rect[2]) / 2


def _overlap(one: _Rect, other: _Rect) -> float:
    """The share of the first that lies in the other."""
    across = min(one[2], other[2]) - max(one[0], other[0])
    down = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, across) * max(0.0, down) / max(1e-6, (one[2] - one[0]) * (one[3] - one[1]))


def _combs(page: Page) -> list[Field]:
    """Rows of about as many boxes as a date has, in the upper right of the page."""
    part = Box(page.width * 2 // 5, 0, page.width - page.width * 2 // 5, page.height * 3 // 5)
    found = [field for field in find_boxes(Page(page.id, np.ascontiguousarray(part.cut(page.gray)))) if field.cells]
    dates = []
    for box, cells in _whole_combs([(field.box, field.cells) for field in found]):
        if min(DATE_CELLS) - 1 <= cells <= max(DATE_CELLS):
            moved = Box(box.left + part.left, box.top + part.top, box.width, box.height)
            dates.append(Field("date", moved, "comb", (0, cells), cells=cells))
    return dates


def _as_ruled(comb: Field, level: NDArray[np.uint8], work: _Work) -> Field:
    """A comb with the cells at its ends that were not told apart, as far as its level lines reach."""
    left, top, right, bottom = work.of_page(comb.box)
    pitch, near = (right - left) / comb.cells, max(2, round(0.1 * (bottom - top)))
    reach = round(2.4 * pitch)
    start, end = max(0, round(left) - reach), min(level.shape[1], round(right) + reach)
    ends = []
    for y in (top, bottom):
        line = level[max(0, round(y) - near) : round(y) + near + 1, start:end].any(axis=0)
        ruled = np.flatnonzero(line)
        if not len(ruled):
            return comb
        ends.append((start + int(ruled[0]), start + int(ruled[-1]) + 1))
    from_x, to_x = max(a for a, _ in ends), min(b for _, b in ends)
    before, after = (max(0, round((v) / pitch)) for v in (left - from_x, to_x - right))
    cells = comb.cells + before + after
    if cells == comb.cells or cells not in DATE_CELLS:
        return comb
    box = work.on_page((left - before * pitch, top, right + after * pitch, bottom))
    return Field(comb.name, box, comb.kind, (0, cells), cells=cells)


def _whole_combs(rows: Sequence[tuple[Box, int]]) -> list[tuple[Box, int]]:
    """Rows of boxes with how many there are; those that a digit across a wall broke apart are joined."""
    joined: list[tuple[Box, int]] = []
    for box, cells in sorted(rows, key=lambda row: row[0].left):
        pitch = box.width / cells
        for k, (other, others) in enumerate(joined):
            level = abs(other.top - box.top) <= 0.2 * box.height and abs(other.height - box.height) <= 0.2 * box.height
            alike = abs(other.width / others - pitch) <= 0.15 * pitch
            if level and alike and 0 <= box.left - other.right + 0.2 * pitch <= 2.5 * pitch:
                whole = Box(other.left, min(box.top, other.top), box.right - other.left, max(box.height, other.height))
                joined[k] = whole, round(whole.width / ((other.width + box.width) / (others + cells)))
                break
        else:
            joined.append((box, cells))
    return joined


def _lines(mask: NDArray[np.uint8], inch: float) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The level and the upright lines, (height, width) uint8, 1 on them; small print that makes a line is one."""
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((1, max(3, round(0.025 * inch))), np.uint8))
    joined = cv2.dilate(joined, np.ones((2, 1), np.uint8))
    level = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, round(LINE * inch)), np.uint8))
    # Writing that was joined is no line: a line is thin.
    thick = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((max(4, round(0.06 * inch)), 1), np.uint8))
    leaning = cv2.dilate(mask, np.ones((1, 2), np.uint8))
    upright = cv2.morphologyEx(leaning, cv2.MORPH_OPEN, np.ones((round(0.9 * FRAME_HEIGHTS[0] * inch), 1), np.uint8))
    return np.asarray(level * (1 - thick), np.uint8), np.asarray(upright, np.uint8)


def _frames(level: NDArray[np.uint8], upright: NDArray[np.uint8], inch: float) -> list[_Rect]:
    """Rectangles of two level lines and two upright sides, the tightest where several share a place; from left to right."""
    _, table = components(level)
    # A line that leans a little falls into pieces: those that go on are joined.
    lines = [(int(x), int(y + h / 2), int(x + w)) for x, y, w, h, _ in table if w >= LINE * inch]
    joined = _joined(sorted(lines), 0.12 * inch)
    near = max(2, round(0.02 * inch))
    sides = cv2.dilate(upright, np.ones((1, 2 * near + 1), np.uint8))
    found: list[_Rect] = []
    for upper in joined:
        for lower in joined:
            tall = lower[1] - upper[1]
            left, right = max(upper[0], lower[0]), min(upper[2], lower[2])
            if not FRAME_HEIGHTS[0] * inch <= tall <= FRAME_HEIGHTS[1] * inch or right - left < FRAME_WIDTHS[0] * inch:
                continue
            columns = sides[upper[1] : lower[1] + 1, max(0, left - near) : right + near + 1].mean(axis=0)
            start = max(0, left - near)
            walls = _walls(columns >= SIDE_SEEN, start)
            # Inside stand strokes of the pen too; what is ruled there reaches from line to line.
            ruled = upright[upper[1] : lower[1] + 1, start : right + near + 1].mean(axis=0)
            ends = (right - left) * 0.06 + 2 * near
            walls = [
                wall
                for wall in walls
                if wall[0] <= left + ends or wall[1] >= right - ends or ruled[wall[0] - start : wall[1] - start].max() >= RULED
            ]
            # From its right side a frame reaches to the next wall that leaves room for a number; the bar of `500/-` is none.
            least, most = (width * inch for width in FRAME_WIDTHS)
            for k, (end, _) in enumerate(walls):
                if any(other - end < least for other, _ in walls[k + 1 :]):
                    continue
                begin = next((b for _, b in reversed(walls[:k]) if end - b >= least), None)
                if begin is not None and end - begin <= most:
                    found.append((float(begin), float(upper[1]), float(end), float(lower[1])))
    found.sort(key=lambda rect: (rect[2] - rect[0]) * (rect[3] - rect[1]))
    kept: list[_Rect] = []
    for rect in found:
        if not any(_overlap(other, rect) > 0.5 or _overlap(rect, other) > 0.5 for other in kept):
            kept.append(rect)
    return sorted(kept)


def _joined(lines: Sequence[tuple[int, int, int]], gap: float) -> list[tuple[int, int, int]]:
    """Level lines (left, y, right), those that go on at about the same height as one."""
    result: list[tuple[int, int, int]] = []
    for line in lines:
        for k, other in enumerate(result):
            if abs(other[1] - line[1]) <= 0.25 * gap + 2 and line[0] - other[2] <= gap:
                result[k] = (other[0], (other[1] + line[1]) // 2, max(other[2], line[2]))
                break
        else:
            result.append(line)
    return result


def _walls(full: NDArray[np.bool_], start: int) -> list[tuple[int, int]]:
    """Runs of columns that an upright line fills: (first, last + 1), from `start`."""
    steps = np.diff(np.pad(full.astype(np.int8), 1))
    return [
        (int(a) + start, int(b) + start) for a, b in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True)
    ]


def _inside(frame: _Rect, level: NDArray[np.uint8]) -> _Rect:
    """A frame without its level lines, which may be thick or lean."""
    left, top, right, bottom = (round(v) for v in frame)
    reach = max(2, round(0.22 * (bottom - top)))
    rows = level[:, left:right].mean(axis=1) > 0.25
    head = np.flatnonzero(rows[top - 2 : top + reach])
    foot = np.flatnonzero(rows[bottom - reach : bottom + 3])
    upper = top - 2 + int(head[-1]) + 1 if len(head) else top + 1
    lower = bottom - reach + int(foot[0]) if len(foot) else bottom
    return left + 1, upper + 1, right - 1, lower - 1


def _groups(rest: NDArray[np.uint8], inch: float) -> list[_Rect]:
    """What is written close together on one line, lines taken away; from the top down."""
    _, table = components(rest)
    heights, widths = table[:, 3] / inch, table[:, 2] / inch
    parts = table[(heights >= PARTS[0]) & (heights <= PARTS[1]) & (widths <= 1.5) & (table[:, 4] >= 8)]
    canvas = np.zeros_like(rest)
    aside = round(APART / 2 * inch)
    for left, top, wide, tall, _ in parts.tolist():
        inset = round(0.2 * tall)
        cv2.rectangle(canvas, (left - aside, top + inset), (left + wide + aside, top + tall - inset), 1, -1)
    _, stats = components(canvas)
    found = []
    for left, top, wide, tall, _ in stats.tolist():
        rect = (left + aside, top, left + wide - aside, top + tall)
        inner = parts[_within(parts, rect)]
        if len(inner) >= 2 and inner[:, 3].max(initial=0) >= LEAST_HEIGHT * inch and wide - 2 * aside > tall:
            found.append(
                (
                    float(inner[:, 0].min()), float(inner[:, 1].min()),
                    float((inner[:, 0] + inner[:, 2]).max()), float((inner[:, 1] + inner[:, 3]).max()),
                )
            )  # fmt: skip
    return sorted(found, key=lambda rect: rect[1])


def _within(parts: NDArray[np.int32], rect: _Rect) -> NDArray[np.bool_]:
    x, y = parts[:, 0] + parts[:, 2] / 2, parts[:, 1] + parts[:, 3] / 2
    return np.asarray((x >= rect[0]) & (x <= rect[2]) & (y >= rect[1]) & (y <= rect[3]), np.bool_)


def _around(group: _Rect, inch: float) -> _Rect:
    room = 0.05 * inch
    return group[0] - room, group[1] - room, group[2] + room, group[3] + room
