"""Interpret an amount: from its digits, and the separators between them, to a number.

Separators are written in many styles: `1,234.56` and `1.234,56`, `1,23,456` in India, cents raised or as `56/100`. An
interpretation of the separators is consistent if groups have three digits (in India two, except for the last) and cents have
two. An amount is certain if all consistent interpretations of its possible separators agree; it is never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Literal

SeparatorKind = Literal["point", "comma", "unclear", "dash", "slash", "gap"]

CENTS = 2  # digits, as in most currencies by ISO 4217 [standard]
HUNDRED = "100"  # below the cents of a fraction

UNSETTLED = "the separators do not settle the amount"
UNPARTED = "so many digits without a separator"
CONTRADICTORY = "the separators contradict each other"
LEADING_ZERO = "it begins with a zero: a decimal point may be lost"
FRACTION = "the amount may end in a fraction of 100"


@dataclass(frozen=True, slots=True)
class AmountTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    max_unseparated_digits: int = 7  # of an amount that is accepted without a separator [guess]
    max_doubtful_separators: int = 6  # marks that may be separators; with more, no amount is certain [guess]
    fraction_separators: int = 3  # for which the slash of a fraction counts [measured: 140 drawn fractions]


AMOUNTS = AmountTuning()


@dataclass(frozen=True, slots=True)
class Separator:
    """A separator between two digits of an amount.

    `unclear` is a point or a comma; a `gap` is wider than the others, so there may have been a separator.
    """

    place: int  # digits before it
    kind: SeparatorKind = "unclear"
    sure: bool = True  # False: it may also be a speck


@dataclass(frozen=True, slots=True)
class WrittenAmount:
    """The digits of an amount, and what separates whole units from cents."""

    text: str
    separators: tuple[Separator, ...] = ()
    raised: bool | None = False  # whether the last two digits are raised, or on their own line; None: perhaps
    lost: bool = False  # whether a separator before the cents may be missing: this can only add doubt
    stacked: bool = False  # whether the last digits may be the hundred of a fraction whose cents are above and were not read


def amount_of(written: WrittenAmount) -> tuple[str, str]:
    """(value, reason): `1234.56`, or `1500` if no cents are written; or no value, and why there is none."""
    sure = [one for one in written.separators if one.sure]
    doubtful = [one for one in written.separators if not one.sure]
    if len(doubtful) > AMOUNTS.max_doubtful_separators:
        return "", UNSETTLED
    values = set(_consistent(written, sure, doubtful))
    if not values:
        return "", CONTRADICTORY
    if written.lost:
        cents = Separator(len(written.text) - CENTS)
        values.update(_consistent(written, [*(one for one in sure if one.place != cents.place), cents], doubtful))
    if written.stacked or slash_read_as_1(written):
        return "", FRACTION
    if len(written.text) > 1 and written.text.startswith("0") and any("." not in value for value in values):
        return "", LEADING_ZERO
    if len(written.text) > AMOUNTS.max_unseparated_digits and not sure and written.raised is False:
        return "", UNPARTED
    return (values.pop(), "") if len(values) == 1 else ("", UNSETTLED)


def typed_amount_of(text: str, separators: Sequence[Separator]) -> tuple[str, str]:
    """(value, reason) of an amount whose separators are known, because a person typed them: see `amount_of`."""
    values = set(_values(text, sorted(separators, key=lambda one: one.place), raised=False))
    if any(one.place == 0 for one in separators):  # of cents alone
        values = {value for value in values if "." in value}
    return (values.pop(), "") if len(values) == 1 else ("", UNSETTLED if values else CONTRADICTORY)


def separator_support(written: WrittenAmount) -> int | None:
    """How many clear points and commas fit a consistent interpretation; None if there is none.

    A point may be a comma here, and a slash a long one. A slash that is not a separator counts against the text, because it
    may be a digit; the slash of a fraction counts for more than any other.
    """
    inner = [one for one in written.separators if 0 < one.place < len(written.text) and one.kind != "gap"]
    fraction = len(written.text) - len(HUNDRED) if written.text.endswith(HUNDRED) else None
    strokes = [one for one in inner if one.kind == "slash" and one.place != fraction]
    sure = [one for one in inner if one.sure and one not in strokes]
    doubtful = [one for one in inner if one not in sure]
    if len(doubtful) > AMOUNTS.max_doubtful_separators:
        return 0
    counts = []
    for taken in _subsets(doubtful):
        found = [
            replace(one, kind="unclear") if one.kind in ("point", "comma") or one in taken else one
            for one in sorted((*sure, *taken), key=lambda one: one.place)
        ]
        if any(_consistent(written, found, ())):
            slashed = any(one.kind == "slash" for one in found)
            kept = sum(one.kind in ("point", "comma") for one in sure) - sum(one not in taken for one in strokes)
            counts.append(kept + AMOUNTS.fraction_separators * slashed)
    return max(counts, default=None)


def slash_read_as_1(written: WrittenAmount) -> bool:
    """Whether the amount may be a fraction whose slash was read as a digit: `12341100` for `12 34/100`."""
    cents = len(written.text) - len(HUNDRED) - 1 - CENTS
    if cents <= 0 or not written.text.endswith("1" + HUNDRED) or written.raised:
        return False
    return not any(one.sure and one.place > cents for one in written.separators)


def _subsets(separators: Sequence[Separator]) -> Iterator[tuple[Separator, ...]]:
    for count in range(len(separators) + 1):
        yield from combinations(separators, count)


def _consistent(written: WrittenAmount, sure: Sequence[Separator], doubtful: Sequence[Separator]) -> Iterator[str]:
    """All possible values of an amount."""
    for taken in _subsets(doubtful):
        found = sorted((*sure, *taken), key=lambda one: one.place)
        for raised in (False, True) if written.raised is None else (written.raised,):
            yield from _values(written.text, found, raised=raised)


def _values(text: str, separators: Sequence[Separator], *, raised: bool) -> Iterator[str]:
    """The possible values of an amount with exactly these separators."""
    if any(one.kind == "slash" for one in _between(text, separators)):
        yield from _fraction_value(text, separators)
    elif raised:
        yield from _raised_value(text, separators)
    else:
        yield from _plain_values(text, separators)


def _between(text: str, separators: Sequence[Separator]) -> list[Separator]:
    """The separators with a digit on both sides."""
    return [one for one in separators if 0 < one.place < len(text)]


def _fraction_value(text: str, separators: Sequence[Separator]) -> Iterator[str]:
    """Whole units and two digits over a hundred."""
    hundred = len(text) - len(HUNDRED)
    cents = hundred - CENTS
    inner = _between(text, separators)
    if [one.place for one in inner if one.kind == "slash"] != [hundred] or not text.endswith(HUNDRED) or cents < 0:
        return
    in_units = [one for one in separators if one.place <= cents]
    in_fraction = [one for one in inner if one.place > cents and one.kind != "slash"]
    if not in_fraction and _whole(text[:cents], in_units, ends=True):
        yield _value(text[:cents], text[cents:hundred])


def _raised_value(text: str, separators: Sequence[Separator]) -> Iterator[str]:
    """Whole units and raised cents."""
    cents = len(text) - CENTS
    inner = _between(text, separators)
    if cents >= 0 and all(one.place <= cents for one in inner) and _whole(text[:cents], inner, ends=True):
        yield _value(text[:cents], text[cents:])


def _plain_values(text: str, separators: Sequence[Separator]) -> Iterator[str]:
    """Whole units alone, or with cents after the last separator."""
    cents = len(text) - CENTS
    inner = _between(text, separators)
    if _whole(text, inner):
        yield _value(text)
    if inner and inner[-1].place == cents and _whole(text[:cents], inner, ends=True):
        yield _value(text[:cents], text[cents:])
    if not inner and len(text) == CENTS and any(one.place == 0 for one in separators):
        yield _value("", text)


def _whole(digits: str, separators: Sequence[Separator], *, ends: bool = False) -> bool:
    """Whether the separators group whole units; one after the last digit is allowed if `ends`."""
    last = max([one.place for one in separators], default=0)
    if last > len(digits) or (separators and last == len(digits) and not ends):
        return False
    within = _between(digits, separators)
    if not within:
        return True
    places = {one.place for one in within}
    kinds = {one.kind for one in within}
    if "dash" in kinds or {"point", "comma"} <= kinds or digits.startswith("0"):
        return False
    groups = [end - start for start, end in pairwise([0, *sorted(places), len(digits)])]
    western = groups[0] <= 3 and all(size == 3 for size in groups[1:])
    # A hundred lakhs or more, or crores, are often not grouped further: 150,00,000.
    indian = groups[0] <= (3 if len(groups) > 2 else 2) and groups[-1] == 3 and all(size == 2 for size in groups[1:-1])
    return western or indian


def _value(units: str, cents: str = "") -> str:
    whole = units.lstrip("0") or "0"
    return f"{whole}.{cents}" if cents else whole
