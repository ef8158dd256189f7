"""What a field means: an amount or a date, by its digits and the marks between them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from docproc.readings.amounts import CENTS, Separator, Written, amount_of
from docproc.readings.marks import Line, line_of
from docproc.rules import PART_ORDERS, DateWindow, FieldRules, date_of, dates_of
from docproc.types import Lattice

WIDE_GAP = 0.42  # digit heights by which a gap exceeds the others where a point may have been lost
NARROW_GAP = 0.25  # the same, where there is a speck in it
PARTING = ("slash", "dash", "point", "comma")  # marks between the parts of a date
DASH = 0.3  # digit heights: length of a dash that ends an amount, at least
RAISED, PERHAPS_RAISED = 0.30, 0.20  # digit heights above the base line where raised digits end, at least
SMALL, PERHAPS_SMALL = 0.80, 0.92  # of the others' height that raised digits have, at most

UNPLACED = "it is not known where the digits stand, which would settle the amount"
OPEN = "the order of the date's parts is not settled"
IMPOSSIBLE = "no date"


def amount_value(lattice: Lattice, path: Sequence[int], text: str) -> tuple[str, str]:
    """(value, doubt) of an amount that was read as `text` along `path`, see `amounts.amount_of`."""
    if not path:
        return "", UNPLACED
    return amount_of(written(line_of(lattice, path, text), text))


def date_value(
    rules: FieldRules, lattice: Lattice, path: Sequence[int], text: str, window: DateWindow | None = None
) -> tuple[str, str]:
    """(value, doubt) of a date that was read as `text` along `path`: an ISO date, where it can be one day only.

    Where the rules leave the order or the widths of its parts open, the marks between the digits tell where they end.
    `window` says which dates are stale or post-dated.
    """
    order = rules.date or "auto"
    breaks: set[int] = set()
    if path and order in PART_ORDERS:
        breaks = _breaks(lattice, path, text)
        if not dates_of(text, order, rules.years, breaks):
            breaks = set()
    day = date_of(text, order, rules.years if order in PART_ORDERS else (1000, 9999), breaks)
    if day is None:
        return "", OPEN if dates_of(text, order, rules.years, breaks) else IMPOSSIBLE
    return day.isoformat(), window.doubt(day) if window else ""


def stands_apart(lattice: Lattice, path: Sequence[int], text: str, rules: FieldRules) -> bool:
    """Whether what was read as `text` along `path` is a date by these rules, and slashes or dashes part it."""
    marks = line_of(lattice, path, text).marks if path else ()
    breaks = {mark.place for mark in marks if mark.kind in ("slash", "dash") and 0 < mark.place < len(text)}
    return 1 <= len(breaks) <= 2 and bool(dates_of(text, rules.date or "auto", rules.years, breaks))


def _breaks(lattice: Lattice, path: Sequence[int], text: str) -> set[int]:
    marks = line_of(lattice, path, text).marks
    return {mark.place for mark in marks if mark.kind in PARTING and mark.sure and 0 < mark.place < len(text)}


def written(line: Line, text: str) -> Written:
    """What the marks say of an amount's digits."""
    separators: dict[int, Separator] = {}
    for mark in line.marks:
        if mark.kind in ("point", "comma", "dash", "slash") and mark.place < len(text):
            old = separators.get(mark.place)
            new = Separator(mark.place, mark.kind, mark.sure)
            separators[mark.place] = new if old is None or (new.sure and not old.sure) else old
        elif mark.kind == "other" and 0 < mark.place < len(text):
            separators.setdefault(mark.place, Separator(mark.place, "unclear", sure=False))
    ended = any(
        mark.kind in ("dash", "line") and mark.left > line.digits[-1, 2] and mark.right - mark.left > DASH
        for mark in line.marks
    )
    for place in () if ended else _wide_gaps(line):
        separators.setdefault(place, Separator(place, "gap", sure=False))
    return Written(text, tuple(separators.values()), _raised(line))


def _wide_gaps(line: Line) -> list[int]:
    """Where so much room is left between digits that something may have stood there."""
    gaps = line.digits[1:, 0] - line.digits[:-1, 2]
    if not len(gaps):
        return []
    usual = max(0.0, float(np.sort(gaps)[(len(gaps) - 1) // 2])) if len(gaps) > 1 else 0.0
    specks = {mark.place for mark in line.marks if mark.kind == "speck" and 0.6 < (mark.top + mark.bottom) / 2 < 1.2}
    return [k for k, gap in enumerate(gaps.tolist(), 1) if gap > usual + (NARROW_GAP if k in specks else WIDE_GAP)]


def _raised(line: Line) -> bool | None:
    """Whether the last two digits are smaller and stand higher than those before them; None where they do so a little."""
    digits = line.digits
    if len(digits) <= CENTS:
        return False
    heights = digits[:, 3] - digits[:, 1]
    lifted = float((np.median(digits[-CENTS - 3 : -CENTS, 3]) - digits[-CENTS:, 3]).min())
    small = float((heights[-CENTS:] / np.median(heights[:-CENTS])).max())
    if lifted > RAISED and small < SMALL:
        return True
    return None if lifted > PERHAPS_RAISED and small < PERHAPS_SMALL else False
