"""What a field may say: check digits, patterns, ranges, lists and dates, as functions on strings of digits.

`FieldRules` holds what is asked of one field. For a search that builds texts from left to right the rules become an
`Automaton`: its states say all that matters of what was written so far, so a beam that keeps the best texts of every state
loses no answer to the rule. For every length that a text may have, the state is the product of those of the single rules
(of a sum its remainder, of a pattern its positions, of a range whether a bound is still touched).
"""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from itertools import product
from typing import Any, Literal, get_args

CheckName = Literal["luhn", "mod10", "mod11", "mod97", "aba", "verhoeff"]
CHECK_NAMES: tuple[CheckName, ...] = get_args(CheckName)
PartOrder = Literal["DMY", "MDY", "YMD", "auto"]  # of a date whose parts may lack leading zeros; auto: any of the others
PART_ORDERS: tuple[PartOrder, ...] = get_args(PartOrder)
DateOrder = Literal["DDMMYYYY", "MMDDYYYY", "YYYYMMDD", "DDMMYY", "MMDDYY", "YYMMDD", "DMY", "MDY", "YMD", "auto"]
DATE_ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)
CENTURY = (1969, 2068)  # in which a year of two digits lies, as POSIX has it

MOST_TOTALS = 1000  # numbers that are taken to be equally probable for the total of a slip, at most
MOST_DIGITS = 32  # of a ruled text whose number of digits is not bounded otherwise
PATTERN_PLACES = 1000  # digits that a pattern may name, repetitions counted
SEARCHED = 50_000  # states looked at for a way to the end, before one is presumed
REMEMBERED = 200_000  # states that an automaton keeps

# The dihedral group of the pentagon and the permutation of each place (J. Verhoeff, Error Detecting Decimal Codes, 1969).
_TURNS = tuple(tuple((j + k) % 5 + 5 * (k >= 5) if j < 5 else (j - k) % 5 + 5 * (k < 5) for k in range(10)) for j in range(10))
_SHUFFLE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _shuffles() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10))]
    for _ in range(7):
        rows.append(tuple(_SHUFFLE[d] for d in rows[-1]))
    return tuple(rows)


_SHUFFLES = _shuffles()


def is_digits(text: str) -> bool:
    """Whether the text is one or more of the digits 0 to 9."""
    return text.isascii() and text.isdigit()


@dataclass(frozen=True, slots=True)
class Weighted:
    """A check digit of one's own: the digits times `weights`, summed, leave `remainder` when divided by `modulus`.

    The weights are aligned to the right end: the last belongs to the check digit. A text of more digits than there are
    weights breaks the rule; before a shorter one zeros are imagined. Raises ValueError where nothing sensible is asked.
    """

    weights: tuple[int, ...]
    modulus: int
    remainder: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", tuple(self.weights))
        if len(self.weights) < 2:
            raise ValueError("a check digit needs at least two weights")
        if self.modulus < 2:
            raise ValueError(f"the modulus of a check digit is at least 2, not {self.modulus}")
        if not 0 <= self.remainder < self.modulus:
            raise ValueError(f"the remainder lies from 0 to {self.modulus - 1}, not at {self.remainder}")


def luhn(text: str) -> bool:
    """From the right, every second digit doubled, its digits summed: a multiple of 10 (ISO/IEC 7812-1, annex B)."""
    return _checks(text, "luhn")


def mod10(text: str) -> bool:
    """Weights 1, 3, 1, 3, ... from the right: a multiple of 10 (GTIN, EAN, UPC; GS1 General Specifications, 7.9)."""
    return _checks(text, "mod10")


def mod11(text: str) -> bool:
    """Weights 2 to 7, repeating, from the right before the check digit, which completes the sum to a multiple of 11.

    Where that would take a 10, no digit fits. So are Norwegian account and organization numbers made (Brønnøysund Register
    Centre). ISBN-10 counts 2 to 10: `weighted(text, (10, 9, ..., 1), 11)`.
    """
    return _checks(text, "mod11")


def mod97(text: str) -> bool:
    """The whole number leaves 1 when divided by 97 (ISO/IEC 7064, MOD 97-10; the last two digits are the check)."""
    return _checks(text, "mod97")


def aba(text: str) -> bool:
    """Nine digits, weights 3, 7, 1: a multiple of 10 (routing numbers of the American Bankers Association)."""
    return _checks(text, "aba")


def verhoeff(text: str) -> bool:
    """Permuted by its place, multiplied in the dihedral group D5, every digit leads back to 0 (J. Verhoeff, 1969)."""
    return _checks(text, "verhoeff")


def weighted(text: str, weights: tuple[int, ...], modulus: int, remainder: int = 0) -> bool:
    """Any other weighted sum, see `Weighted`."""
    return _checks(text, Weighted(weights, modulus, remainder))


def _checks(text: str, check: CheckName | Weighted) -> bool:
    """Whether the check digit fits; a text of fewer than two digits, or not of digits, has none."""
    if len(text) < 2 or not is_digits(text):
        return False
    if check == "aba" and len(text) != 9:
        return False
    if isinstance(check, Weighted) and len(text) > len(check.weights):
        return False
    part = _check_part(check, len(text))
    state: Any = part.start
    for place, digit in enumerate(text):
        state = part.step(state, int(digit), place)
    return part.good(state)


@dataclass(frozen=True, slots=True)
class _Part:
    """One rule for texts of one length, from left to right; a step gives None where the rule is broken for good."""

    start: Hashable
    step: Callable[[Any, int, int], Hashable | None]  # state, digit, its place from the left
    good: Callable[[Any], bool]  # after the last digit


def _check_part(check: CheckName | Weighted, length: int) -> _Part:
    if check == "mod97":
        return _Part(0, lambda state, digit, _: (state * 10 + digit) % 97, lambda state: state == 1)
    if check == "verhoeff":
        # The product runs from the last digit to the first, so a new digit stands before those that were written.
        return _Part(
            0,
            lambda state, digit, place: _TURNS[_SHUFFLES[(length - 1 - place) % 8][digit]][state],
            lambda state: state == 0,
        )
    modulus, remainder = 10, 0
    if isinstance(check, Weighted):
        modulus, remainder = check.modulus, check.remainder
        weights = check.weights[len(check.weights) - length :]
    elif check == "mod11":
        modulus = 11
        weights = tuple(2 + (k - 1) % 6 if k else 1 for k in range(length))[::-1]
    elif check == "mod10":
        weights = tuple(3 if k % 2 else 1 for k in range(length))[::-1]
    elif check == "aba":
        weights = (3, 7, 1, 3, 7, 1, 3, 7, 1)
    else:
        weights = tuple(2 if k % 2 else 1 for k in range(length))[::-1]
    adds = [[w * d for d in range(10)] for w in weights]
    if check == "luhn":
        adds = [[a - 9 if a > 9 else a for a in row] for row in adds]
    return _Part(0, lambda state, digit, place: (state + adds[place][digit]) % modulus, lambda state: state == remainder)


def _range_part(low: int, high: int, length: int) -> _Part:
    """The state says whether the text so far is that of the lower bound, and of the upper."""
    if len(str(low)) > length:
        return _Part((), lambda *_: None, lambda _: False)
    lows = [int(c) for c in str(low).zfill(length)]
    highs = [int(c) for c in str(high).zfill(length)] if len(str(high)) <= length else [9] * length

    def step(state: tuple[bool, bool], digit: int, place: int) -> tuple[bool, bool] | None:
        at_low, at_high = state
        if (at_low and digit < lows[place]) or (at_high and digit > highs[place]):
            return None
        return at_low and digit == lows[place], at_high and digit == highs[place]

    return _Part((True, True), step, lambda _: True)


def _list_part(allowed: frozenset[str], length: int) -> _Part:
    starts = {text[:k] for text in allowed if len(text) == length for k in range(length + 1)}

    def step(state: str, digit: int, _: int) -> str | None:
        grown = f"{state}{digit}"
        return grown if grown in starts else None

    return _Part("", step, lambda state: state in starts)


# Of a date so far: day (0 for one that every month has), length of the month (28 for February), whether the year may be a
# leap year, each None while it is unknown; and the digits of the part that is being written.
_Date = tuple[int | None, int | None, bool | None, str]


def _date_part(order: DateOrder, years: tuple[int, int], length: int) -> _Part:
    """The state holds the date so far for every form of this length; None where it cannot be written in this form."""
    forms = [form for form in date_forms(order) if len(form) == length]

    def step(states: tuple[_Date | None, ...], digit: int, place: int) -> tuple[_Date | None, ...] | None:
        after = tuple(
            None if state is None else _date_step(form, years, state, digit, place)
            for form, state in zip(forms, states, strict=True)
        )
        return after if any(after) else None

    return _Part(((None, None, None, ""),) * len(forms), step, any)


def _date_step(form: str, years: tuple[int, int], state: _Date, digit: int, place: int) -> _Date | None:
    day, month, leap, partial = state
    partial += str(digit)
    kind = form[place]
    if len(partial) < form.count(kind):
        return day, month, leap, partial
    value = int(partial)
    if kind == "D":
        if not 1 <= value <= 31:
            return None
        day = value if value > 28 else 0
    elif kind == "M":
        if not 1 <= value <= 12:
            return None
        month = 28 if value == 2 else 30 if value in (4, 6, 9, 11) else 31
    else:
        meant = _years(value, len(partial), years)
        if not meant:
            return None
        leap = any(isleap(year) for year in meant)
    if day is not None and month is not None:
        if day > month and not (day == 29 and leap is not False):
            return None
        if day <= month or leap:
            return 0, 31, None, ""  # nothing more depends on them
    return day, month, leap, ""


@lru_cache(maxsize=len(DATE_ORDERS))
def date_forms(order: DateOrder) -> tuple[str, ...]:
    """How the digits of a date may be written, as `DDMMYYYY` or `DMMYY`; an order of parts leaves their widths open."""
    if order == "auto":
        # Two digits that come first are no year, unless the order says so.
        return tuple(f for one in PART_ORDERS[:-1] for f in date_forms(one) if one != "YMD" or f.startswith("YYYY"))
    if order not in PART_ORDERS:
        return (order,)
    widths = {"D": (1, 2), "M": (1, 2), "Y": (2, 4)}
    spread = product(*(widths[part] for part in order))
    return tuple("".join(part * wide for part, wide in zip(order, wides, strict=True)) for wides in spread)


def _years(value: int, wide: int, years: tuple[int, int]) -> list[int]:
    """The years that are meant: of two digits, all with these at the end."""
    if wide == 4:
        return [value] if years[0] <= value <= years[1] else []
    return [year for year in range(years[0], years[1] + 1) if year % 100 == value]


def dates_of(
    text: str, order: DateOrder, years: tuple[int, int] = (1900, 2099), breaks: Collection[int] = ()
) -> tuple[date, ...]:
    """The days of the calendar that a text can mean, ascending; of a year of two digits, one in every century.

    `breaks` are places, in digits before them, where one part of the date ends and the next begins.
    """
    found = {day for form in _forms(text, order, breaks) for day in _days(text, form, years)}
    return tuple(sorted(found))


def _forms(text: str, order: DateOrder, breaks: Collection[int]) -> Iterator[str]:
    if is_digits(text):
        for form in date_forms(order):
            if len(form) == len(text) and all(0 < place < len(form) and form[place - 1] != form[place] for place in breaks):
                yield form


def _days(text: str, form: str, years: tuple[int, int]) -> Iterator[date]:
    day, month, year = (int("".join(c for c, o in zip(text, form, strict=True) if o == letter)) for letter in "DMY")
    for meant in _years(year, form.count("Y"), years):
        with suppress(ValueError):
            yield date(meant, month, day)


@dataclass(frozen=True, slots=True)
class DateWindow:
    """Which dates are neither stale nor post-dated on the day `as_of`; `span`, as `180d`, `6m` or `1y`, is how old one may be.

    Raises ValueError for a span that is none.
    """

    span: str
    as_of: date

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{1,4}[dmy]", self.span):
            raise ValueError(f"{self.span!r} is no span of time; write 180d, 6m or 1y")

    @property
    def earliest(self) -> date:
        count, unit = int(self.span[:-1]), self.span[-1]
        if unit == "d":
            return date.fromordinal(max(1, self.as_of.toordinal() - count))
        months = self.as_of.year * 12 + self.as_of.month - 1 - count * (12 if unit == "y" else 1)
        year, month = max(1, months // 12), months % 12 + 1
        return date(year, month, min(self.as_of.day, monthrange(year, month)[1]))

    def doubt(self, day: date) -> str:
        """What is wrong with a date, in words; "" where it lies in the window."""
        if day > self.as_of:
            return f"post-dated: after {self.as_of}"
        return f"stale: before {self.earliest}, {self.span} before {self.as_of}" if day < self.earliest else ""


@dataclass(frozen=True, slots=True)
class _Positions:
    """A pattern as the automaton of its positions (V. Glushkov, 1961): no pattern takes long, whatever it is shown."""

    names: tuple[frozenset[int], ...]  # the digits of every position
    follow: tuple[frozenset[int], ...]  # the positions after it
    first: frozenset[int]
    last: frozenset[int]
    empty: bool  # nothing at all is a match

    def part(self) -> _Part:
        return _Part(None, self.step, lambda state: self.empty if state is None else bool(state & self.last))

    def step(self, state: frozenset[int] | None, digit: int, _: int = 0) -> frozenset[int] | None:
        after = self.first if state is None else frozenset(q for p in state for q in self.follow[p])
        return frozenset(q for q in after if digit in self.names[q]) or None

    def matches(self, text: str) -> bool:
        state: frozenset[int] | None = None
        for digit in text:
            state = self.step(state, int(digit))
            if state is None:
                return False
        return self.empty if state is None else bool(state & self.last)


# A pattern is a set of digits, a sequence, a choice, or (what, fewest, most or None) repeated.
_Node = tuple[Literal["set", "all", "any", "repeat"], Any]


class _PatternReader:
    r"""Reads the part of regular expressions that digits need: digits . \d [...] ( ) (?: ) | ? * + {m,n}."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.text = pattern[pattern.startswith("^") :]
        self.text = self.text[:-1] if self.text.endswith("$") else self.text
        self.at = 0
        self.names: list[frozenset[int]] = []
        self.follow: list[set[int]] = []

    def read(self) -> _Positions:
        node = self.choice()
        if self.at < len(self.text):
            raise self.fault(f"cannot use {self.text[self.at]!r} here")
        empty, first, last = self.build(node)
        return _Positions(tuple(self.names), tuple(frozenset(f) for f in self.follow), first, last, empty)

    def fault(self, what: str) -> ValueError:
        return ValueError(f"pattern {self.pattern}: {what}")

    def take(self, what: str) -> bool:
        if self.text.startswith(what, self.at):
            self.at += len(what)
            return True
        return False

    def choice(self) -> _Node:
        ways = [self.sequence()]
        while self.take("|"):
            ways.append(self.sequence())
        return ("any", ways)

    def sequence(self) -> _Node:
        parts = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.repeated())
        return ("all", parts)

    def repeated(self) -> _Node:
        node = self.single()
        bounds: tuple[int, int | None] | None = None
        for sign, own in (("?", (0, 1)), ("*", (0, None)), ("+", (1, None))):
            if bounds is None and self.take(sign):
                bounds = own
        if bounds is None and self.take("{"):
            end = self.text.find("}", self.at)
            low, comma, high = self.text[self.at : max(end, self.at)].partition(",")
            if end < 0 or not all(is_digits(n) or (comma and not n) for n in (low, high if comma else low)):
                raise self.fault("a count is {2}, {2,}, {,4} or {2,4}")
            most = (int(high) if high else None) if comma else int(low)
            bounds = int(low or 0), most
            self.at = end + 1
        if bounds is None:
            return node
        if bounds[1] is not None and bounds[1] < bounds[0]:
            raise self.fault("a count goes from the smaller to the larger number")
        if self.text[self.at : self.at + 1] in ("?", "*", "+", "{"):
            raise self.fault("one count after another")
        return ("repeat", (node, *bounds))

    def single(self) -> _Node:
        if self.take("("):
            self.take("?:")
            node = self.choice()
            if not self.take(")"):
                raise self.fault("a ( without its )")
            return node
        if self.take("."):
            return ("set", frozenset(range(10)))
        if self.take("\\d"):
            return ("set", frozenset(range(10)))
        if self.take("["):
            return ("set", self.digit_class())
        name = self.text[self.at]
        if not is_digits(name):
            raise self.fault(f"cannot use {name!r} here")
        self.at += 1
        return ("set", frozenset([int(name)]))

    def digit_class(self) -> frozenset[int]:
        others = self.take("^")
        found: set[int] = set()
        while not self.take("]"):
            if self.take("\\d"):
                found.update(range(10))
                continue
            name = self.text[self.at : self.at + 1]
            if not is_digits(name):
                raise self.fault("[ ] holds digits and ranges such as 0-5")
            self.at += 1
            end = name
            if self.take("-"):
                end = self.text[self.at : self.at + 1]
                self.at += 1
                if not is_digits(end) or end < name:
                    raise self.fault("[ ] holds digits and ranges such as 0-5")
            found.update(range(int(name), int(end) + 1))
        found = set(range(10)) - found if others else found
        if not found:
            raise self.fault("[ ] that no digit fits")
        return frozenset(found)

    def build(self, node: _Node) -> tuple[bool, frozenset[int], frozenset[int]]:
        """(whether nothing matches, first positions, last positions)"""
        kind, what = node
        if kind == "set":
            if len(self.names) >= PATTERN_PLACES:
                raise self.fault(f"names more than {PATTERN_PLACES} digits")
            self.names.append(what)
            self.follow.append(set())
            own = frozenset([len(self.names) - 1])
            return False, own, own
        if kind == "any":
            built = [self.build(way) for way in what]
            none: frozenset[int] = frozenset()
            return any(b[0] for b in built), none.union(*(b[1] for b in built)), none.union(*(b[2] for b in built))
        if kind == "all":
            return self.chain(self.build(part) for part in what)
        part, fewest, most = what
        if most is not None:
            # Nothing is built of a part that may not stand even once.
            return self.chain(self.optional(self.build(part), k >= fewest) for k in range(most))
        looped = max(1, fewest)
        return self.chain(
            self.optional(self.loop(self.build(part)) if k == looped - 1 else self.build(part), k >= fewest)
            for k in range(looped)
        )

    def loop(self, built: tuple[bool, frozenset[int], frozenset[int]]) -> tuple[bool, frozenset[int], frozenset[int]]:
        for position in built[2]:
            self.follow[position] |= built[1]
        return built

    @staticmethod
    def optional(
        built: tuple[bool, frozenset[int], frozenset[int]], may_lack: bool
    ) -> tuple[bool, frozenset[int], frozenset[int]]:
        return built[0] or may_lack, built[1], built[2]

    def chain(
        self, parts: Iterator[tuple[bool, frozenset[int], frozenset[int]]]
    ) -> tuple[bool, frozenset[int], frozenset[int]]:
        empty, first, last = True, frozenset[int](), frozenset[int]()
        for may_lack, own_first, own_last in parts:
            for position in last:
                self.follow[position] |= own_first
            first = first | own_first if empty else first
            last = last | own_last if may_lack else own_last
            empty = empty and may_lack
        return empty, first, last


@lru_cache(maxsize=64)
def _positions(pattern: str) -> _Positions:
    return _PatternReader(pattern).read()


@dataclass(frozen=True, slots=True)
class FieldRules:
    r"""What texts a field allows; every rule that is given must hold. Blank fields are not judged by it.

    `digits` (fewest, most); `pattern`, a regular expression that the whole text matches, of digits . \d [...] ( ) (?: ) |
    ? * + {m,n}; `bounds` (low, high) of the text's integer value; `check`, its check digit; `allowed`, a closed list; `date`,
    the order of a date's parts, with the first and the last year in `years` (of two digits, some year of those must fit);
    `DMY` leaves the widths of the parts open, `auto` their order too.
    Where `digits` is not given a text has at most 32. Raises ValueError where a rule makes no sense.
    """

    digits: tuple[int, int] | None = None
    pattern: str | None = None
    bounds: tuple[int, int] | None = None
    check: CheckName | Weighted | None = None
    allowed: frozenset[str] | None = None
    date: DateOrder | None = None
    years: tuple[int, int] = (1900, 2099)

    def __post_init__(self) -> None:
        for name in ("digits", "bounds", "years"):
            pair = getattr(self, name)
            if pair is not None and not 0 <= pair[0] <= pair[1]:
                raise ValueError(f"{name} goes from a smaller to a larger number of at least 0, not {pair[0]} to {pair[1]}")
        if self.pattern is not None:
            _positions(self.pattern)
        if isinstance(self.check, str) and self.check not in CHECK_NAMES:
            raise ValueError(f"no check digit is called {self.check}; there are {', '.join(CHECK_NAMES)}")
        if self.date is not None and self.date not in DATE_ORDERS:
            raise ValueError(f"no date is written {self.date}; there are {', '.join(DATE_ORDERS)}")
        if self.allowed is not None:
            object.__setattr__(self, "allowed", frozenset(self.allowed))
            wrong = sorted(text for text in self.allowed if not is_digits(text))
            if wrong or not self.allowed:
                raise ValueError(f"the list holds {wrong[0]!r}, which is not digits" if wrong else "the list is empty")

    @property
    def trivial(self) -> bool:
        """Nothing but a number of digits is asked."""
        return self == FieldRules(digits=self.digits, years=self.years)

    def allows(self, text: str) -> bool:
        return not self.named(text)

    def named(self, text: str) -> str:
        """The first rule that the text breaks, in words that a clerk understands; "" where it breaks none."""
        fewest, most = self.digits or (0, MOST_DIGITS)
        if not fewest <= len(text) <= most or (text and not is_digits(text)):
            return f"must have {_count(fewest, most)}"
        if self.allowed is not None and text not in self.allowed:
            return "must be in the list"
        if self.pattern is not None and not _positions(self.pattern).matches(text):
            return f"pattern {self.pattern}"
        if self.bounds is not None and not (text and self.bounds[0] <= int(text) <= self.bounds[1]):
            return f"range {self.bounds[0]} to {self.bounds[1]}"
        if self.date is not None and not dates_of(text, self.date, self.years):
            order = f" ({self.date})" if self.date != "auto" else ""
            return f"must be a date{order} from {self.years[0]} to {self.years[1]}"
        if self.check is not None and not _checks(text, self.check):
            return f"check digit ({'weighted' if isinstance(self.check, Weighted) else self.check})"
        return ""

    def key(self, text: str) -> Hashable | None:
        """All that matters of `text` for what may follow; None where no allowed text begins with it.

        Of two texts of the same length with equal keys the allowed continuations are the same.
        """
        return automaton(self).key(text)

    def chance(self, length: int) -> float:
        """The share of allowed texts among all of `length` digits, 0..1."""
        return automaton(self).chance(length)

    def within(self, digits: tuple[int, int] | None) -> FieldRules | None:
        """The same with a bound on the number of digits besides; None where no number is left."""
        if digits is None:
            return self
        own = self.digits or (0, MOST_DIGITS)
        both = max(own[0], digits[0]), min(own[1], digits[1])
        if both[0] > both[1]:
            return None
        return replace(self, digits=both)

    def lengths(self) -> tuple[int, ...]:
        """The numbers of digits that the plain bounds leave, ascending."""
        fewest, most = self.digits or (0, MOST_DIGITS)
        found = set(range(fewest, most + 1))
        if self.bounds is not None:
            found -= {0}
        if self.check is not None:
            found -= {0, 1}
        if self.check == "aba":
            found &= {9}
        if isinstance(self.check, Weighted):
            found &= set(range(len(self.check.weights) + 1))
        if self.date is not None:
            found &= {len(form) for form in date_forms(self.date)}
        if self.allowed is not None:
            found &= {len(text) for text in self.allowed}
        return tuple(sorted(found))

    def parts(self, length: int) -> tuple[_Part, ...]:
        """The rules as automata for texts of this one length."""
        found = []
        if self.allowed is not None:
            found.append(_list_part(self.allowed, length))
        if self.pattern is not None:
            found.append(_positions(self.pattern).part())
        if self.bounds is not None:
            found.append(_range_part(*self.bounds, length))
        if self.date is not None:
            found.append(_date_part(self.date, self.years, length))
        if self.check is not None:
            found.append(_check_part(self.check, length))
        return tuple(found)


def _count(fewest: int, most: int) -> str:
    number = f"{most}" if fewest == most else f"{fewest} to {most}" if fewest else f"at most {most}"
    return f"{number} digit" if most == 1 else f"{number} digits"


_State = tuple[Hashable, ...]


class _OfLength:
    """The rules for texts of one length: the product of their automata, without the states that lead nowhere."""

    def __init__(self, parts: tuple[_Part, ...], length: int) -> None:
        self.parts, self.length = parts, length
        self.start: _State = tuple(part.start for part in parts)
        self.known: dict[tuple[int, _State], bool] = {}
        self.share: float | None = None

    def step(self, state: _State, digit: int, place: int) -> _State | None:
        grown = []
        for part, own in zip(self.parts, state, strict=True):
            after = part.step(own, digit, place)
            if after is None:
                return None
            grown.append(after)
        return tuple(grown)

    def good(self, state: _State) -> bool:
        return all(part.good(own) for part, own in zip(self.parts, state, strict=True))

    def alive(self, state: _State, place: int) -> bool:
        """Whether an allowed text goes on from here; presumed where that takes too long to find out."""
        left = [SEARCHED]

        def search(state: _State, place: int) -> bool:
            known = self.known.get((place, state))
            if known is not None:
                return known
            if place == self.length:
                found = self.good(state)
            else:
                left[0] -= 1
                if left[0] < 0:
                    return True
                found = False
                for digit in range(10):
                    after = self.step(state, digit, place)
                    if after is not None and search(after, place + 1):
                        found = True
                        break
            self.known[(place, state)] = found
            return found

        return search(state, place)

    def chance(self) -> float:
        if self.share is None:
            shares = {self.start: 1.0}
            for place in range(self.length):
                grown: dict[_State, float] = {}
                for state, share in shares.items():
                    for digit in range(10):
                        after = self.step(state, digit, place)
                        if after is not None:
                            grown[after] = grown.get(after, 0.0) + share / 10
                shares = grown
            self.share = sum(share for state, share in shares.items() if self.good(state))
        return self.share


class Automaton:
    """Rules for a search from left to right. States are numbers; -1 is that of texts with no allowed continuation.

    A number also tells the length of its text. The tables fill as they are asked for.
    """

    def __init__(self, rules: FieldRules) -> None:
        self._lengths = [_OfLength(rules.parts(length), length) for length in rules.lengths()]
        self._numbers: dict[tuple[int, tuple[_State | None, ...]], int] = {}
        self._states: list[tuple[int, tuple[_State | None, ...]]] = []
        self._after: list[list[int | None]] = []
        self.start = self._number(0, tuple(own.start for own in self._lengths))

    def step(self, state: int, digit: int) -> int:
        """The state after one more digit."""
        after = self._after[state][digit]
        if after is None:
            place, states = self._states[state]
            after = self._number(
                place + 1,
                tuple(
                    None if old is None or own.length <= place else own.step(old, digit, place)
                    for own, old in zip(self._lengths, states, strict=True)
                ),
            )
            self._after[state][digit] = after
        return after

    def good(self, state: int) -> bool:
        """Whether a text with this state is allowed as it stands."""
        if state < 0:
            return False
        place, states = self._states[state]
        return any(
            old is not None and own.length == place and own.good(old) for own, old in zip(self._lengths, states, strict=True)
        )

    def key(self, text: str) -> Hashable | None:
        state = self.start
        for digit in text:
            if state < 0 or not is_digits(digit):
                return None
            state = self.step(state, int(digit))
        return None if state < 0 else self._states[state][1]

    def chance(self, length: int) -> float:
        return next((own.chance() for own in self._lengths if own.length == length), 0.0)

    @property
    def size(self) -> int:
        return len(self._states) + sum(len(own.known) for own in self._lengths)

    def _number(self, place: int, states: tuple[_State | None, ...]) -> int:
        living = tuple(
            old if old is not None and own.alive(old, place) else None for own, old in zip(self._lengths, states, strict=True)
        )
        if all(old is None for old in living):
            return -1
        number = self._numbers.get((place, living))
        if number is None:
            number = self._numbers[(place, living)] = len(self._states)
            self._states.append((place, living))
            self._after.append([None] * 10)
        return number


@lru_cache(maxsize=64)
def _automaton(rules: FieldRules) -> list[Automaton]:
    return [Automaton(rules)]


def automaton(rules: FieldRules) -> Automaton:
    """The rules' automaton; what it has learned is kept from call to call, within bounds."""
    held = _automaton(rules)
    if held[0].size > REMEMBERED:
        held[0] = Automaton(rules)
    return held[0]


# ------------------------------------------------------------------------------------------ between fields


@dataclass(frozen=True, slots=True)
class SumRule:
    """The numbers in the fields `parts` sum up to the one in `total`.

    A blank part is 0 where another is written; with no part written, or no total, there is nothing to judge.
    """

    parts: tuple[str, ...]
    total: str
    name: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return (*self.parts, self.total)

    @property
    def called(self) -> str:
        return self.name or f"{' + '.join(self.parts)} = {self.total}"

    def holds(self, texts: Mapping[str, str]) -> bool | None:
        """None where there is nothing to judge."""
        written = [texts[part] for part in self.parts if texts.get(part)]
        total = texts.get(self.total, "")
        if not written or not all(is_digits(text) for text in (*written, total)):
            return None
        return sum(int(text) for text in written) == int(total)

    def totals(self, texts: Mapping[str, str]) -> float:
        """How many totals a slip might have given with the same probability."""
        return _totals(texts.get(self.total, ""))


@dataclass(frozen=True, slots=True)
class EqualRule:
    """The same number stands in both fields; zeros before it do not count. With one of them blank there is nothing to judge."""

    one: str
    other: str
    name: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.one, self.other)

    @property
    def called(self) -> str:
        return self.name or f"{self.one} = {self.other}"

    def holds(self, texts: Mapping[str, str]) -> bool | None:
        one, other = texts.get(self.one, ""), texts.get(self.other, "")
        return int(one) == int(other) if is_digits(one) and is_digits(other) else None

    def totals(self, texts: Mapping[str, str]) -> float:
        return _totals(texts.get(self.other, ""))


@dataclass(frozen=True, slots=True)
class OrderRule:
    """The date in `earlier` does not come after the one in `later`. A text that is no date is not judged.

    A year of two digits lies from 1969 to 2068, as POSIX has it.
    """

    earlier: str
    later: str
    earlier_order: DateOrder = "DDMMYYYY"
    later_order: DateOrder = "DDMMYYYY"
    name: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.earlier, self.later)

    @property
    def called(self) -> str:
        return self.name or f"{self.earlier} not after {self.later}"

    def holds(self, texts: Mapping[str, str]) -> bool | None:
        earlier = date_of(texts.get(self.earlier, ""), self.earlier_order)
        later = date_of(texts.get(self.later, ""), self.later_order)
        return earlier <= later if earlier and later else None

    def totals(self, texts: Mapping[str, str]) -> float:
        return 2.0  # half of all pairs are in order


PageRule = SumRule | EqualRule | OrderRule


def _totals(text: str) -> float:
    return float(min(10 ** len(text), MOST_TOTALS))


def date_of(text: str, order: DateOrder, years: tuple[int, int] = (1000, 9999), breaks: Collection[int] = ()) -> date | None:
    """The day that a text is; None where it is none, or where it may be several: `05062019` without an order.

    A year of two digits lies from 1969 to 2068, as POSIX has it, one of four digits in `years`; `breaks` as in `dates_of`.
    """
    found = {
        day for form in _forms(text, order, breaks) for day in _days(text, form, CENTURY if form.count("Y") == 2 else years)
    }
    return found.pop() if len(found) == 1 else None
