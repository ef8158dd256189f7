"""What the groups of an E-13B line mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from docproc.readers.e13b.font import AMOUNT, DASH, ON_US, TRANSIT

PARTS = ("routing", "account", "check_number", "encoded_amount")

_AMOUNT = re.compile(f"{AMOUNT}([0-9]{{10}}){AMOUNT}?$")
_LINE = re.compile(
    f"(?:{ON_US}(?P<first>[0-9{DASH}]+){ON_US})?(?P<opened>{TRANSIT}?)(?P<routing>[0-9{DASH}]+){TRANSIT}"
    f"(?P<account>[0-9{DASH}]*)(?:{ON_US}(?P<last>[0-9]*))?$"
)


@dataclass(frozen=True, slots=True)
class PartTuning:
    """How the check's number is told from the account where no symbol parts them."""

    min_space: float = 1.6  # of the usual distance of characters: a wider one is a space [guess]
    max_number_digits: int = 6  # of the check's number [guess]


SPLIT = PartTuning()


@dataclass(frozen=True, slots=True)
class Part:
    """A group of a line that means something: its characters are `first` .. `last` - 1 of the line's value."""

    name: str
    text: str  # its digits
    value: str  # as it stands: digits, and dashes between them; of the amount, units and cents
    first: int
    last: int


def parse(value: str, centers: Sequence[float] = ()) -> tuple[Part, ...]:
    """What the groups of a line mean: `routing`, `account`, `check_number` and `encoded_amount`, those that are there.

    The number before a transit symbol is the bank's: of nine digits in the United States and in India, with a dash in Canada.
    What follows, up to the next on-us symbol, is the account. A number between on-us symbols at the start is the check's;
    else, where the bank's number stands between two transit symbols, the number after the account is; or a group of at most
    six digits that a space parts from the account, if `centers`, the places of the characters, tell so. The amount stands
    between amount symbols, in cents. What follows a second on-us symbol in other countries, a code of the transaction, is no
    part.
    """
    found: list[Part] = []
    amount = _AMOUNT.search(value)
    rest = value[: amount.start()] if amount else value
    line = _LINE.search(rest)
    if line is not None:
        routing, account = line.span("routing"), line.span("account")
        check = line.span("first") if line["first"] else (0, 0)
        if line["opened"] and not line["first"]:
            if line["last"]:
                check = line.span("last")
            elif len(centers) == len(value):
                check, account = _parted(account, centers)
        spans = (("routing", routing), ("account", account), ("check_number", check))
        found = [Part(name, digits_of(value[a:b]), value[a:b], a, b) for name, (a, b) in spans if b > a]
    if amount is not None:
        cents = amount[1]
        found.append(Part("encoded_amount", cents, f"{int(cents[:-2])}.{cents[-2:]}", *amount.span(1)))
    return tuple(found)


def _parted(account: tuple[int, int], centers: Sequence[float]) -> tuple[tuple[int, int], tuple[int, int]]:
    """The check's number and the account where both stand before the on-us symbol, with a space between."""
    start, stop = account
    gaps = np.diff(np.array(centers[start:stop]))
    usual = float(np.median(gaps)) if len(gaps) else 0.0
    for k in np.flatnonzero(gaps > SPLIT.min_space * usual):
        cut = start + int(k) + 1
        # Of two groups the check's number is the shorter one, and stands at either end.
        if cut - start <= SPLIT.max_number_digits and cut - start < stop - cut:
            return (start, cut), (cut, stop)
        if stop - cut <= SPLIT.max_number_digits and stop - cut < cut - start:
            return (cut, stop), (start, cut)
    return (0, 0), account


def digits_of(value: str) -> str:
    """The digits of a line alone."""
    return "".join(c for c in value if c.isdigit())
