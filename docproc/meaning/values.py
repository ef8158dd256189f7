"""What a field means: an amount or a date, by its digits and the marks between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import exp, log

import numpy as np

from docproc.meaning.amounts import CENTS, HUNDRED, Separator, Written, amount_of, held, slash_read_as_1
from docproc.meaning.marks import Line, Mark, line_of
from docproc.readers.vote import Verdict
from docproc.rules import PART_ORDERS, DateWindow, FieldRules, date_of, dates_of
from docproc.types import Lattice

WIDE_GAP = 0.42  # digit heights by which a gap exceeds the others where a point may have been lost
NARROW_GAP = 0.25  # the same, where there is a speck in it
CENTS_GAP, STANDS_OUT = 0.2, 0.1  # the same before the last two digits; and by which it exceeds the widest of the others
PARTING = ("slash", "dash", "point", "comma")  # marks between the parts of a date
DASH = 0.3  # digit heights: length of a dash that ends an amount, at least
RAISED, PERHAPS_RAISED, LITTLE_RAISED = 0.30, 0.20, 0.12  # digit heights above the base line where raised digits end, at least
SMALL, PERHAPS_SMALL = 0.80, 0.92  # of the others' height that raised digits have, at most
OVER = (0.6, 0.3, 0.6)  # digit heights: least width and height of what stands above a hundred, and where it ends, at most

# What separators weigh against the readers, in nats. Every one in its place counts 1, as does a digit that hangs like a comma.
AGAINST, UNHEARD = 3.0, 1.5  # where they contradict each other; where nothing is known of them
MOST_HELD = 3
FRACTION_MISREAD = 2.0  # a text that is more likely a fraction of 100 whose slash was read as a 1
HANGS = (0.33, 1.12)  # digit heights below the upper end of the digits where a hanging one begins and ends, at least
SURE_SHARE = 0.97  # of the vote: no other text is looked at
FOLLOWED = 5.0  # nats below the best where no other text is looked at

UNPLACED = "it is not known where the digits stand, which would settle the amount"
CENTLESS = "no cents are seen"
OPEN = "the order of the date's parts is not settled"
IMPOSSIBLE = "what was read is no date"


def amount_value(lattice: Lattice, path: Sequence[int], text: str, *, cents: bool = False) -> tuple[str, str]:
    """(value, doubt) of an amount that was read as `text` along `path`, see `amounts.amount_of`.

    Where `cents` are always written, whole units are believed only with a dash behind them.
    """
    if not path:
        return "", UNPLACED
    line = line_of(lattice, path, text)
    value, doubt = amount_of(written(line, text))
    return ("", CENTLESS) if cents and value and "." not in value and not _ended(line) else (value, doubt)


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
    # A slash that runs into its neighbors is seen as something else; where both parts end so, it is a date all the same.
    clear = {mark.place for mark in marks if mark.kind in ("slash", "dash") and 0 < mark.place < len(text)}
    breaks = clear | {mark.place for mark in marks if mark.kind == "other" and 0 < mark.place < len(text)}
    found = (breaks, clear) if len(breaks) == 2 else (clear,)
    return any(1 <= len(some) <= 2 and dates_of(text, rules.date or "auto", rules.years, some) for some in found)


def _breaks(lattice: Lattice, path: Sequence[int], text: str) -> set[int]:
    marks = line_of(lattice, path, text).marks
    return {mark.place for mark in marks if mark.kind in PARTING and mark.sure and 0 < mark.place < len(text)}


def weigh_separators(verdict: Verdict, lattice: Lattice) -> Verdict:
    """The verdict on an amount once its separators are heard.

    A big comma is easily read as a 1: then the separators that are left contradict each other, or a digit hangs below the
    line. Another text takes the place of such a one where its own separators outweigh the readers' doubt; and a text that its
    separators fit is more probable than the readers alone would say.
    """
    first = verdict.ballots[0]
    if not first.path:
        return verdict
    weights = [log(max(share, 1e-12)) for share in verdict.shares]
    own = _argument(lattice, first.path, first.text)
    if own >= 0 and verdict.shares[0] > SURE_SHARE:
        return verdict
    for k, ballot in enumerate(verdict.ballots):
        if ballot.path and weights[k] > weights[0] - FOLLOWED:
            weights[k] += own if k == 0 else _argument(lattice, ballot.path, ballot.text)
        else:
            weights[k] -= UNHEARD
    order = sorted(range(len(weights)), key=lambda k: -weights[k])
    whole = sum(exp(weight) for weight in weights)
    return replace(
        verdict,
        ballots=tuple(verdict.ballots[k] for k in order),
        shares=tuple(exp(weights[k]) / whole for k in order),
        agreed=verdict.agreed and order[0] == 0,
    )


def _argument(lattice: Lattice, path: Sequence[int], text: str) -> float:
    """What the separators say for a text, in nats."""
    line = line_of(lattice, path, text)
    seen = written(line, text)
    kept = held(seen)
    hanging = int(((line.digits[:, 1] > HANGS[0]) & (line.digits[:, 3] > HANGS[1])).sum())
    strokes = sum(mark.kind == "slash" and mark.place == 0 for mark in line.marks)
    # What floats between digits and is no dash may be what is left of one.
    floating = sum(mark.kind == "other" and 0 < mark.place < len(text) and mark.bottom < 1.0 for mark in line.marks)
    slashed = FRACTION_MISREAD * slash_read_as_1(seen)
    return (-AGAINST if kept is None else min(kept, MOST_HELD)) - hanging - max(0, strokes - 1) - floating - slashed


def written(line: Line, text: str) -> Written:
    """What the marks say of an amount's digits."""
    under = _underline(line)
    separators: dict[int, Separator] = {}
    for mark in line.marks:
        if mark.place >= len(text) or mark is under:
            continue
        if mark.kind in ("point", "comma", "dash", "slash"):
            for place in {mark.place} if mark.sure else {mark.place, *_beside(mark, line)}:
                old = separators.get(place)
                if old is None or (mark.sure and not old.sure):
                    separators[place] = Separator(place, mark.kind, mark.sure)
        elif mark.kind == "other" and mark.place:
            separators.setdefault(mark.place, Separator(mark.place, "unclear", sure=False))
    for place in () if _ended(line) else _wide_gaps(line):
        separators.setdefault(place, Separator(place, "gap", sure=False))
    found = tuple(separators.values())
    raised = _raised(line, underlined=under is not None)
    return Written(text, found, raised, _lost(line, text, found), _stacked(line, text))


def _beside(mark: Mark, line: Line) -> list[int]:
    """The places on both sides of the digit below which a mark stands, or above."""
    middle = (mark.left + mark.right) / 2
    return [
        place
        for k in np.flatnonzero((line.digits[:, 0] < middle) & (middle < line.digits[:, 2]))
        for place in (int(k), int(k) + 1)
    ]


def _lost(line: Line, text: str, separators: Iterable[Separator]) -> bool:
    """Whether something tells of a separator before the cents that is not seen itself."""
    cents = len(text) - CENTS
    if cents <= 0:
        return False
    # Thousands that are told apart as if there were cents; or a comma that hangs on a digit.
    thousands = any(0 < one.place < cents and (cents - one.place) % 3 == 0 for one in separators)
    hangs = any(text[k] in "0268" and line.digits[k, 3] > HANGS[1] for k in (cents - 1, cents))
    return thousands or hangs


def _stacked(line: Line, text: str) -> bool:
    """Whether the amount ends in a hundred, with ink above it that may be the cents of a fraction and their bar."""
    place = len(text) - len(HUNDRED)
    if place <= 0 or not text.endswith(HUNDRED) or any(m.kind == "slash" and m.place == place for m in line.marks):
        return False
    start, end = float(line.digits[place, 0]), float(line.digits[-1, 2])
    least_width, least_height, foot = OVER
    return any(
        min(mark.right, end) - max(mark.left, start) >= 0.5 * min(mark.right - mark.left, end - start)
        and mark.right - mark.left >= least_width
        and mark.bottom - mark.top >= least_height
        and mark.bottom < foot
        for mark in line.marks
    )


def _ended(line: Line) -> bool:
    """Whether a dash closes the amount."""
    end = float(line.digits[-1, 2])
    return any(m.kind in ("dash", "line") and m.left > end and m.right - m.left > DASH for m in line.marks)


def _underline(line: Line) -> Mark | None:
    """The line below the last two digits alone."""
    if len(line.digits) <= CENTS:
        return None
    centers = ((line.digits[:, 0] + line.digits[:, 2]) / 2).tolist()
    foot = max(line.digits[-CENTS:, 3].tolist())
    for mark in line.marks:
        below = mark.kind in ("dash", "line") and mark.top > foot - 0.15
        if below and centers[-CENTS - 1] < mark.left < centers[-CENTS] and mark.right > centers[-1]:
            return mark
    return None


def _wide_gaps(line: Line) -> list[int]:
    """Where so much room is left between digits that something may have stood there."""
    gaps = line.digits[1:, 0] - line.digits[:-1, 2]
    if not len(gaps):
        return []
    usual = max(0.0, float(np.sort(gaps)[(len(gaps) - 1) // 2])) if len(gaps) > 1 else 0.0
    specks = {mark.place for mark in line.marks if mark.kind == "speck" and 0.6 < (mark.top + mark.bottom) / 2 < 1.2}
    found = [k for k, gap in enumerate(gaps.tolist(), 1) if gap > usual + (NARROW_GAP if k in specks else WIDE_GAP)]
    cents = len(line.digits) - CENTS
    if cents > 0 and len(gaps) > 1 and gaps[cents - 1] > max(usual + CENTS_GAP, np.delete(gaps, cents - 1).max() + STANDS_OUT):
        found = sorted({*found, cents})
    return found


def _raised(line: Line, *, underlined: bool) -> bool | None:
    """Whether the last two digits are smaller and stand higher than all before them; None where it looks a little like that."""
    if len(line.digits) <= CENTS:
        return False
    feet, heights = line.digits[:, 3].tolist(), (line.digits[:, 3] - line.digits[:, 1]).tolist()
    lifted = min(feet[-CENTS - 3 : -CENTS]) - max(feet[-CENTS:])
    small = max(heights[-CENTS:]) / min(heights[:-CENTS])
    clear = lifted > RAISED and small < SMALL
    perhaps = None if _raised_on_the_level(line) else False
    if underlined:
        # Under digits as large as the others it may be what is left of a ruled line.
        return True if lifted > LITTLE_RAISED else None if small < PERHAPS_SMALL else perhaps
    # A single digit before them may just be a long one.
    if len(heights) > CENTS + 1:
        return True if clear else None if lifted > PERHAPS_RAISED and small < PERHAPS_SMALL else perhaps
    return None if clear else perhaps


def _raised_on_the_level(line: Line) -> bool:
    """The same where the base line is not asked, which may rise to raised digits among few, nor the smallest digit of all."""
    feet = line.digits[:, 3] + line.slope * (line.digits[:, 0] + line.digits[:, 2]) / 2
    heights = line.digits[:, 3] - line.digits[:, 1]
    lifted = feet[-CENTS - 3 : -CENTS].min() - feet[-CENTS:].max()
    return bool(lifted > RAISED and heights[-CENTS:].max() < PERHAPS_SMALL * np.median(heights[:-CENTS]))
