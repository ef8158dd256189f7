"""The meaning of the groups of an E-13B line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from docproc.readers.e13b.font import AMOUNT, DASH, ON_US, TRANSIT
from docproc.rules import aba

ROUTING_DIGITS = 9  # of a routing number in the United States, ABA [standard]
PARTS = ("routing", "account", "check_number", "encoded_amount")

_AMOUNT = re.compile(f"{AMOUNT}([0-9]{{10}}){AMOUNT}?$")
_LINE = re.compile(
    f"(?:{ON_US}(?P<first>[0-9{DASH}]+){ON_US})?(?P<opened>{TRANSIT}?)(?P<routing>[0-9{DASH}]+){TRANSIT}"
    f"(?P<account>[0-9{DASH}]*)(?:{ON_US}(?P<last>[0-9]*))?$"
)
_TRANSIT_ONLY = re.compile(
    f"{TRANSIT}?(?P<routing>[0-9{DASH}]+){TRANSIT}{{1,2}}(?P<account>[0-9{DASH}]+){TRANSIT}(?P<last>[0-9]*)$"
)
_HEAD = re.compile(f"(?P<number>[0-9]+){ON_US}")

# Why a person should look at a part whose role is a guess.
NO_ON_US = "the line has no on-us symbol: which of its numbers this is, is a guess"
NOT_CLOSED = "no on-us symbol stands after it: it may be another number than the account"
BY_A_SPACE = "only a space tells the account from the check's number"
NOT_OPENED = "no on-us symbol stands before it: it may be a part of the check's number"
UNEXPLAINED = "the line begins with something that is none of its known parts"


@dataclass(frozen=True, slots=True)
class PartTuning:
    """How to distinguish the check number from the account if no symbol separates them."""

    min_space: float = 1.6  # of the usual distance between characters: a larger one is a space [guess]
    max_number_digits: int = 6  # of the check number [guess]


SPLIT = PartTuning()

Span = tuple[int, int]  # first, last + 1
NOWHERE: Span = (0, 0)


@dataclass(frozen=True, slots=True)
class Part:
    """A group of a line with a known role: its characters are `first` .. `last` - 1 of the line's value."""

    name: str
    text: str  # its digits
    value: str  # as printed: digits, with dashes between them; for the amount, units and cents
    first: int
    last: int
    doubt: str = ""  # why a person should check that it is this part
    by_number: bool = False  # the check number, read elsewhere on the check, settles that doubt


def parse(value: str, centers: Sequence[float] = ()) -> tuple[Part, ...]:
    """The parts of a line: those of `routing`, `account`, `check_number` and `encoded_amount` that are present.

    The number before a transit symbol is the bank's: nine digits in the United States and in India, with a dash in Canada.
    What follows, up to the next on-us symbol, is the account. A number between on-us symbols at the start is the check number;
    otherwise, if the bank's number is between two transit symbols, it is the number after the account; or a group of at most
    six digits that a space separates from the account, according to `centers`, the positions of the characters. The amount is
    between amount symbols, in cents. What follows a second on-us symbol in other countries, a transaction code, is not a
    part, nor is a second group after the check number. A part whose role is not given by a symbol carries a doubt.
    """
    amount = _AMOUNT.search(value)
    rest = value[: amount.start()] if amount else value
    spaced = centers if len(centers) == len(value) else ()
    other = _TRANSIT_ONLY.fullmatch(rest) if ON_US not in rest else None
    line = None if other else _LINE.search(rest)
    found = _by_transit(value, other) if other else _by_on_us(value, line, spaced) if line else []
    if amount is not None:
        cents = amount[1]
        found.append(Part("encoded_amount", cents, f"{int(cents[:-2])}.{cents[-2:]}", *amount.span(1)))
    return tuple(found)


def _by_transit(value: str, line: re.Match[str]) -> list[Part]:
    """The parts of a line whose groups are separated only by transit symbols."""
    routing = line["routing"]
    sure = len(routing) == ROUTING_DIGITS and aba(routing)
    found = [_part(value, "routing", line.span("routing"), "" if sure else NO_ON_US)]
    found += [
        _part(value, "account", line.span("account"), NO_ON_US),
        _part(value, "check_number", line.span("last"), NO_ON_US),
    ]
    return [part for part in found if part.text]


def _by_on_us(value: str, line: re.Match[str], centers: Sequence[float]) -> list[Part]:
    """The parts of a line with on-us symbols, as most countries have them."""
    head = value[: line.start()]
    account, check = line.span("account"), line.span("first") if line["first"] else NOWHERE
    account_doubt = NOT_CLOSED if line["last"] is None else ""
    check_doubt, by_number = "", False
    if line["opened"] and not line["first"]:
        if line["last"]:
            check, behind = _first_group(line.span("last"), centers)
            check_doubt, by_number = (
                (f"another group follows it: {value[behind[0] : behind[1]]}", True) if behind[1] else ("", False)
            )
        elif centers:
            check, account = _parted(account, centers)
            if check[1]:
                account_doubt, check_doubt, by_number = account_doubt or BY_A_SPACE, BY_A_SPACE, True
    unexplained = UNEXPLAINED if head else ""
    if not check[1] and (lost := _HEAD.fullmatch(head)):
        check, check_doubt, by_number, unexplained = lost.span("number"), NOT_OPENED, True, ""
    found = [
        _part(value, "routing", line.span("routing"), unexplained),
        _part(value, "account", account, account_doubt or unexplained, by_number and account_doubt == BY_A_SPACE),
        _part(value, "check_number", check, check_doubt or unexplained, by_number),
    ]
    return [part for part in found if part.last > part.first]


def _part(value: str, name: str, span: Span, doubt: str, by_number: bool = False) -> Part:
    text = value[span[0] : span[1]]
    return Part(name, digits_of(text), text, *span, doubt, by_number)


def _first_group(span: Span, centers: Sequence[float]) -> tuple[Span, Span]:
    """The characters before the first space, and those after it."""
    start, stop = span
    for cut in _spaces(span, centers):
        return (start, cut), (cut, stop)
    return span, NOWHERE


def _spaces(span: Span, centers: Sequence[float]) -> list[int]:
    """The characters of a span that have a space before them."""
    start, stop = span
    if stop > len(centers):
        return []
    gaps = np.diff(np.array(centers[start:stop]))
    # Use the pitch of the whole line: a short group has few distances.
    usual = float(np.median(np.diff(np.array(centers)))) if len(gaps) else 0.0
    return [start + int(k) + 1 for k in np.flatnonzero(gaps > SPLIT.min_space * usual)]


def _parted(account: Span, centers: Sequence[float]) -> tuple[Span, Span]:
    """The check number and the account if both come before the on-us symbol, with a space in between."""
    start, stop = account
    for cut in _spaces(account, centers):
        # Of two groups the check number is the shorter one, at either end.
        if cut - start <= SPLIT.max_number_digits and cut - start < stop - cut:
            return (start, cut), (cut, stop)
        if stop - cut <= SPLIT.max_number_digits and stop - cut < cut - start:
            return (cut, stop), (start, cut)
    return NOWHERE, account


def digits_of(value: str) -> str:
    """Only the digits of a line."""
    return "".join(c for c in value if c.isdigit())
