"""What an amount means: from its digits, and what stands between them, to a number.

Separators are written as people please: `1,234.56` and `1.234,56`, `1,23,456` in India, cents raised or as `56/100`. A reading
of the separators is consistent where thousands lie three apart (in India two, before the last three) and cents are two digits.
An amount is settled when all consistent readings of what may stand there mean the same; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Literal

SeparatorKind = Literal["point", "comma", "unclear", "dash", "slash", "gap"]

CENTS = 2  # digits
HUNDRED = "100"  # below the cents of a fraction
MOST_UNPARTED = 7  # digits that are believed without a separator
FRACTION_HOLDS = 3  # separators
MOST_DOUBTFUL = 6  # separators of which it is not known whether they are any

UNSETTLED = "the separators do not settle the amount"
UNPARTED = "so many digits without a separator"
CONTRADICTORY = "the separators contradict each other"
FRACTION = "the amount may end in a fraction of 100"


@dataclass(frozen=True, slots=True)
class Separator:
    """What stands between two digits of an amount.

    `unclear` is a point or a comma; a `gap` is wider than the others, so something may have stood there.
    """

    place: int  # digits before it
    kind: SeparatorKind = "unclear"
    sure: bool = True  # False: it may as well be a speck


@dataclass(frozen=True, slots=True)
class Written:
    """The digits of an amount, and what tells whole units from cents."""

    text: str
    separators: tuple[Separator, ...] = ()
    raised: bool | None = False  # whether the last two digits are raised, or stand on a line of their own; None: perhaps
    lost: bool = False  # whether a separator before the cents may have been lost: that settles nothing, and may unsettle
    stacked: bool = False  # whether the last digits may be the hundred of a fraction whose cents stand above and were not read


def amount_of(written: Written) -> tuple[str, str]:
    """(value, reason): `1234.56`, or `1500` where no cents are written; or no value, and why there is none."""
    sure = [one for one in written.separators if one.sure]
    doubtful = [one for one in written.separators if not one.sure]
    if len(doubtful) > MOST_DOUBTFUL:
        return "", UNSETTLED
    values = set(_consistent(written, sure, doubtful))
    if not values:
        return "", CONTRADICTORY
    if written.lost:
        cents = Separator(len(written.text) - CENTS)
        values.update(_consistent(written, [*(one for one in sure if one.place != cents.place), cents], doubtful))
    if written.stacked or slash_read_as_1(written):
        return "", FRACTION
    if len(written.text) > MOST_UNPARTED and not sure and written.raised is False:
        return "", UNPARTED
    return (values.pop(), "") if len(values) == 1 else ("", UNSETTLED)


def held(written: Written) -> int | None:
    """How many clear points and commas have a place in a reading that is consistent; None where there is no such reading.

    A point may be a comma here, and a slash a long one; a slash that is none counts against the text: it may be a digit. The
    slash of a fraction holds more than any other.
    """
    inner = [one for one in written.separators if 0 < one.place < len(written.text) and one.kind != "gap"]
    fraction = len(written.text) - len(HUNDRED) if written.text.endswith(HUNDRED) else None
    strokes = [one for one in inner if one.kind == "slash" and one.place != fraction]
    sure = [one for one in inner if one.sure and one not in strokes]
    doubtful = [one for one in inner if one not in sure]
    if len(doubtful) > MOST_DOUBTFUL:
        return 0
    counts = []
    for count in range(len(doubtful) + 1):
        for taken in combinations(doubtful, count):
            found = [
                replace(one, kind="unclear") if one.kind in ("point", "comma") or one in taken else one
                for one in sorted((*sure, *taken), key=lambda one: one.place)
            ]
            if any(_consistent(written, found, ())):
                slashed = any(one.kind == "slash" for one in found)
                kept = sum(one.kind in ("point", "comma") for one in sure) - sum(one not in taken for one in strokes)
                counts.append(kept + FRACTION_HOLDS * slashed)
    return max(counts, default=None)


def slash_read_as_1(written: Written) -> bool:
    """Whether the amount may as well be a fraction whose slash was read as a digit: `12341100` is `12 34/100` too."""
    cents = len(written.text) - len(HUNDRED) - 1 - CENTS
    if cents <= 0 or not written.text.endswith("1" + HUNDRED) or written.raised:
        return False
    return not any(one.sure and one.place > cents for one in written.separators)


def _consistent(written: Written, sure: Sequence[Separator], doubtful: Sequence[Separator]) -> Iterator[str]:
    """All that an amount may mean."""
    for count in range(len(doubtful) + 1):
        for taken in combinations(doubtful, count):
            found = sorted((*sure, *taken), key=lambda one: one.place)
            for raised in (False, True) if written.raised is None else (written.raised,):
                yield from _values(written.text, found, raised=raised)


def _values(text: str, separators: Sequence[Separator], *, raised: bool) -> Iterator[str]:
    """What an amount means where exactly these separators stand in it."""
    count = len(text)
    slashes = [one.place for one in separators if one.kind == "slash" and 0 < one.place < count]
    if slashes:
        # A fraction: two digits over a hundred.
        cents = count - len(HUNDRED) - CENTS
        if slashes == [count - len(HUNDRED)] and text.endswith(HUNDRED) and cents >= 0:
            rest = [one for one in separators if one.place <= cents]
            inside = [one for one in separators if cents < one.place < count and one.kind != "slash"]
            if not inside and _whole(text[:cents], rest, ends=True):
                yield _value(text[:cents], text[cents : cents + CENTS])
        return
    inner = [one for one in separators if 0 < one.place < count]
    last = inner[-1].place if inner else 0
    cents = count - CENTS
    if raised:
        if cents >= 0 and last <= cents and _whole(text[:cents], inner, ends=True):
            yield _value(text[:cents], text[cents:])
        return
    if _whole(text, inner):
        yield _value(text)
    if inner and last == cents and _whole(text[:cents], inner, ends=True):
        yield _value(text[:cents], text[cents:])
    if not inner and count == CENTS and any(one.place == 0 for one in separators):
        yield _value("", text)


def _whole(digits: str, separators: Sequence[Separator], *, ends: bool = False) -> bool:
    """Whether the separators part whole units; one after the last digit is allowed where `ends`."""
    places = {one.place for one in separators if 0 < one.place < len(digits)}
    if any(one.place > len(digits) or (one.place == len(digits) and not ends) for one in separators):
        return False
    within = [one for one in separators if 0 < one.place < len(digits)]
    if not places:
        return True
    kinds = {one.kind for one in within}
    if "dash" in kinds or {"point", "comma"} <= kinds or digits.startswith("0"):
        return False
    groups = [end - start for start, end in pairwise([0, *sorted(places), len(digits)])]
    western = groups[0] <= 3 and all(size == 3 for size in groups[1:])
    # A hundred lakhs and more, or crores, are often not parted further: 150,00,000.
    indian = groups[0] <= (3 if len(groups) > 2 else 2) and groups[-1] == 3 and all(size == 2 for size in groups[1:-1])
    return western or indian


def _value(units: str, cents: str = "") -> str:
    whole = units.lstrip("0") or "0"
    return f"{whole}.{cents}" if cents else whole
