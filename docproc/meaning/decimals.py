"""Interpret a measurement: digits with a sign and a decimal point, to a number.

A point is written at the baseline or, as in Britain and in old tables, at half height; a comma may take its place. A single
separator is the decimal point. With two kinds, the last one is, and the others group thousands. A number in brackets, or with
a dash before or after it, is negative.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from docproc.meaning.amounts import LEADING_ZERO
from docproc.meaning.named import Named

if TYPE_CHECKING:  # avoids loading OpenCV where only typed text is interpreted
    from docproc.meaning.marks import Mark, MarkedDigits

UNSETTLED = "it is not settled where the decimal point is"
MAYBE_SIGNED = "there may be a minus sign"
SIGNED = "a minus sign is written, and the field has none"
OVER_MANY = "{0} decimals are written, at most {1} are expected"
TOO_FEW = "{0} decimals are written, at least {1} are expected"
GROUP = 3  # digits of a group of thousands [standard]


@dataclass(frozen=True, slots=True)
class DecimalTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md.

    Heights on the line run from 0 at the top of the digits to 1 at their baseline.
    """

    sure_share: float = 0.85  # probability of a separator that is accepted although its ink is not seen separately [guess]
    min_share: float = 0.5  # of one whose ink is also seen [guess]
    min_doubtful_share: float = 0.15  # of a possible one [guess]
    min_sign_share: float = 0.5  # of a sign or a bracket [guess]
    min_wide_gap_digits: float = 0.45  # by which a gap exceeds the usual one if a point may be lost [guess]
    min_leading_top: float = 0.45  # on the line, of a point before the first digit that may be one [guess]
    max_leading_bottom: float = 1.45  # likewise [guess]
    max_leading_gap_digits: float = 0.6  # from it to the first digit [guess]


DECIMALS = DecimalTuning()


@dataclass(frozen=True, slots=True)
class Written:
    """The allowed forms of a number."""

    decimals: tuple[int, int] | None = None  # fewest and most; None: any number
    signed: bool = True


def decimal_value(marked: MarkedDigits | None, named: Sequence[Named], text: str, written: Written) -> tuple[str, str]:
    """(value, doubt): a number with a point such as `-264.27`, or no value and why there is none."""
    negative, doubt = sign_of(named, text, marked)
    if doubt:
        return "", doubt
    if negative and not written.signed:
        return "", SIGNED
    separators = _separators(marked, named, text)
    if separators is None:
        return "", UNSETTLED
    found = _split(text, separators, written.decimals)
    if found is None:
        return "", UNSETTLED
    whole, fraction = found
    fewest, most = written.decimals or (0, len(text))
    if marked is not None and most and not fraction and len(whole) > 1 and whole.startswith("0"):
        return "", LEADING_ZERO  # of 0.58
    if len(fraction) > most:
        return "", OVER_MANY.format(len(fraction), most)
    if len(fraction) < fewest:
        return "", TOO_FEW.format(len(fraction), fewest)
    number = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return ("-" if negative and number.strip("0.") else "") + number, ""


def sign_of(named: Sequence[Named], text: str, marked: MarkedDigits | None = None) -> tuple[bool, str]:
    """Whether a number is negative, and any doubt about that.

    A dash before the digits is also recognized by its shape; if only one of the two finds it, it is in doubt.
    """
    sure = [one for one in named if one.share >= DECIMALS.min_sign_share]
    maybe = [one for one in named if DECIMALS.min_doubtful_share <= one.share < DECIMALS.min_sign_share]
    ends = (0, len(text))

    def there(symbol: str, place: int, among: Sequence[Named]) -> bool:
        return any(one.symbol == symbol and one.place == place for one in among)

    brackets = there("(", 0, sure), there(")", len(text), sure)
    if brackets[0] != brackets[1]:
        return False, "one bracket is written"
    dashes = [there("-", place, sure) for place in ends]
    if marked is not None and dashes[0] != _leading_dash(marked):
        return False, MAYBE_SIGNED
    if any(one.symbol in "-()" and one.place in ends for one in maybe):
        return False, MAYBE_SIGNED
    return all(brackets) or any(dashes), ""


def _leading_dash(marked: MarkedDigits) -> bool:
    return any(mark.kind == "dash" and mark.sure and mark.place == 0 for mark in marked.marks)


Separators = tuple[tuple[int, str], ...]  # (digits before it, "." or ",")


def _separators(marked: MarkedDigits | None, named: Sequence[Named], text: str) -> Separators | None:
    """The points and commas before or between the digits; None if one is in doubt."""
    seen = _seen(marked, text)
    found: dict[int, str] = {}
    for one in named:
        if one.symbol not in ".," or one.place >= len(text):
            continue
        apart = marked is None or one.place in seen
        if one.share >= (DECIMALS.min_share if apart else DECIMALS.sure_share):
            if one.place in found and found[one.place] != one.symbol:
                return None
            found[one.place] = one.symbol
        elif one.share >= DECIMALS.min_doubtful_share:
            return None
    if any(large and place not in found for place, large in seen.items()):
        return None
    if marked is not None and any(place not in found for place in _wide_gaps(marked)):
        return None
    return tuple(sorted(found.items()))


def _seen(marked: MarkedDigits | None, text: str) -> dict[int, bool]:
    """The places with the ink of a point or a comma, and whether it is more than a speck."""
    places: dict[int, bool] = {}
    for mark in marked.marks if marked is not None else ():
        if mark.place < len(text) and mark.kind in ("point", "comma", "speck", "other"):
            large = mark.kind != "speck" if mark.place else _may_lead(mark, marked)
            places[mark.place] = places.get(mark.place, False) or large
    return places


def _may_lead(mark: Mark, marked: MarkedDigits | None) -> bool:
    """Whether a mark before the first digit may be the point of a number like .58."""
    return (
        marked is not None
        and mark.kind in ("point", "comma")
        and mark.top >= DECIMALS.min_leading_top
        and mark.bottom <= DECIMALS.max_leading_bottom
        and marked.digits[0, 0] - mark.right <= DECIMALS.max_leading_gap_digits
    )


def _wide_gaps(marked: MarkedDigits) -> list[int]:
    """The places where a point may be lost."""
    gaps = marked.digits[1:, 0] - marked.digits[:-1, 2]
    if len(gaps) < 2:
        return []
    usual = max(0.0, float(np.median(gaps)))
    return [place for place, gap in enumerate(gaps.tolist(), 1) if gap > usual + DECIMALS.min_wide_gap_digits]


def _split(text: str, separators: Separators, decimals: tuple[int, int] | None) -> tuple[str, str] | None:
    """(digits before the point, digits after it); None if that is not certain."""
    if not separators:
        return text, ""
    last, kind = separators[-1]
    before = separators[:-1]
    if any(one == kind for _, one in before):
        # The same separator twice groups thousands; then there are no decimals.
        return (
            (text, "") if _groups(text, [place for place, _ in separators]) and len({k for _, k in separators}) == 1 else None
        )
    if not _groups(text[:last], [place for place, _ in before]):
        return None
    grouping = not before and kind == "," and len(text) - last == GROUP and 0 < last <= GROUP and not text.startswith("0")
    if grouping:
        # 1,234 is more than a thousand in half of the world, and less than two in the other half.
        if decimals is None or decimals[0] <= GROUP <= decimals[1]:
            return None if decimals is None or decimals[0] < GROUP else (text[:last], text[last:])
        return text, ""
    return text[:last], text[last:]


def _groups(whole: str, places: Sequence[int]) -> bool:
    """Whether separators at these places divide whole units into groups of three."""
    ends = [*places, len(whole)]
    return not places or (0 < places[0] <= GROUP and all(b - a == GROUP for a, b in pairwise(ends)))
