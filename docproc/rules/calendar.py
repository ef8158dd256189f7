"""Which texts are dates: the orders of day, month and year, and the days that a text can mean."""

from __future__ import annotations

import re
from calendar import isleap, monthrange
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import product
from typing import Literal, get_args

from docproc.rules.acceptors import Acceptor, is_digits

PartOrder = Literal["DMY", "MDY", "YMD", "auto"]  # of a date that may lack leading zeros; auto: any of the others
PART_ORDERS: tuple[PartOrder, ...] = get_args(PartOrder)
DateOrder = Literal["DDMMYYYY", "MMDDYYYY", "YYYYMMDD", "DDMMYY", "MMDDYY", "YYMMDD", "DMY", "MDY", "YMD", "auto"]
DATE_ORDERS: tuple[DateOrder, ...] = get_args(DateOrder)
CENTURY = (1969, 2068)  # the first and the last year that two digits can mean [standard: POSIX, strptime's %y]


@lru_cache(maxsize=len(DATE_ORDERS))
def date_forms(order: DateOrder) -> tuple[str, ...]:
    """The forms of a date's digits, such as `DDMMYYYY` or `DMMYY`; an order of parts leaves their widths open."""
    if order == "auto":
        # Two leading digits are not a year, unless the order says so.
        return tuple(f for one in PART_ORDERS[:-1] for f in date_forms(one) if one != "YMD" or f.startswith("YYYY"))
    if order not in PART_ORDERS:
        return (order,)
    widths = {"D": (1, 2), "M": (1, 2), "Y": (2, 4)}
    spread = product(*(widths[part] for part in order))
    return tuple("".join(part * width for part, width in zip(order, chosen, strict=True)) for chosen in spread)


def dates_of(
    text: str, order: DateOrder, years: tuple[int, int] = (1900, 2099), breaks: Collection[int] = ()
) -> tuple[date, ...]:
    """The days that a text can mean, ascending; a year of two digits gives one day in every century of `years`.

    `breaks` are the boundaries between parts of the date, as numbers of digits before them.
    """
    found = {day for form in _forms(text, order, breaks) for day in _days(text, form, years)}
    return tuple(sorted(found))


def date_of(text: str, order: DateOrder, years: tuple[int, int] = (1000, 9999), breaks: Collection[int] = ()) -> date | None:
    """The one day that a text means; None if it means none, or may mean several: `05062019` without an order.

    A year of two digits is between 1969 and 2068, as in POSIX, one of four digits in `years`; `breaks` as in `dates_of`.
    """
    found = {
        day for form in _forms(text, order, breaks) for day in _days(text, form, CENTURY if form.count("Y") == 2 else years)
    }
    return found.pop() if len(found) == 1 else None


def _forms(text: str, order: DateOrder, breaks: Collection[int]) -> Iterator[str]:
    if is_digits(text):
        for form in date_forms(order):
            if len(form) == len(text) and all(0 < place < len(form) and form[place - 1] != form[place] for place in breaks):
                yield form


def _days(text: str, form: str, years: tuple[int, int]) -> Iterator[date]:
    day, month, year = (int("".join(c for c, o in zip(text, form, strict=True) if o == letter)) for letter in "DMY")
    for meant in _years_meant(year, form.count("Y"), years):
        with suppress(ValueError):
            yield date(meant, month, day)


def _years_meant(value: int, width: int, years: tuple[int, int]) -> list[int]:
    """The years that a number of `width` digits can mean; two digits mean every year that ends in them."""
    if width == 4:
        return [value] if years[0] <= value <= years[1] else []
    return [year for year in range(years[0], years[1] + 1) if year % 100 == value]


@dataclass(frozen=True, slots=True)
class DateWindow:
    """Which dates are neither stale nor post-dated on the day `as_of`.

    `span` is the greatest age of a date that is not stale: `180d`, `6m`, `1y`. Raises ValueError for any other form of span.
    """

    span: str
    as_of: date

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{1,4}[dmy]", self.span):
            raise ValueError(f"{self.span!r} is not a period; use 180d, 6m or 1y")

    @property
    def earliest(self) -> date:
        """The oldest date that is not stale."""
        count, unit = int(self.span[:-1]), self.span[-1]
        if unit == "d":
            return date.fromordinal(max(1, self.as_of.toordinal() - count))
        months = self.as_of.year * 12 + self.as_of.month - 1 - count * (12 if unit == "y" else 1)
        year, month = max(1, months // 12), months % 12 + 1
        return date(year, month, min(self.as_of.day, monthrange(year, month)[1]))

    def doubt(self, day: date) -> str:
        """What is wrong with a date, in words; "" if it is within the window."""
        if day > self.as_of:
            return f"post-dated: after {self.as_of}"
        return f"stale: before {self.earliest}, {self.span} before {self.as_of}" if day < self.earliest else ""


# What is known about a date so far: its day (0 for a day that every month has), the length of its month (28 for February),
# whether its year may be a leap year, each None while unknown; and the digits so far of the current part, for a year those of
# `_year_beginnings`.
_PartialDate = tuple[int | None, int | None, bool | None, str]


def date_acceptor(order: DateOrder, years: tuple[int, int], length: int) -> Acceptor:
    """Dates of `length` digits. The state holds, for every form of this length, the date so far; None if none is left."""
    forms = [form for form in date_forms(order) if len(form) == length]

    def step(states: tuple[_PartialDate | None, ...], digit: int, place: int) -> tuple[_PartialDate | None, ...] | None:
        after = tuple(
            None if state is None else _date_step(form, years, state, digit, place)
            for form, state in zip(forms, states, strict=True)
        )
        return after if any(after) else None

    return Acceptor(((None, None, None, ""),) * len(forms), step, any)


@lru_cache(maxsize=64)
def _year_beginnings(width: int, years: tuple[int, int], leaps: bool) -> Mapping[str, str]:
    """The first digits of every year of `width` digits, mapped to the smallest first digits with the same continuations.

    They share a state, so a date has few states. Leap years and common years are distinguished only if `leaps`.
    """
    kinds = bytearray(10**width)
    for year in range(years[0], years[1] + 1):
        kinds[year % len(kinds)] |= 1 + 2 * (leaps and isleap(year))
    found: dict[str, str] = {}
    for known in range(1, width):
        ends = 10 ** (width - known)
        least: dict[bytes, str] = {}
        for digits in (f"{number:0{known}}" for number in range(10**known)):
            start = int(digits) * ends
            continued = bytes(kinds[start : start + ends])
            if any(continued):
                found[digits] = least.setdefault(continued, digits)
    return found


def _date_step(form: str, years: tuple[int, int], state: _PartialDate, digit: int, place: int) -> _PartialDate | None:
    day, month, leap, partial = state
    partial += str(digit)
    kind = form[place]
    if len(partial) < form.count(kind):
        if kind == "Y":
            leaps = day in (None, 29) and month in (None, 28)  # it may be February 29
            begun = _year_beginnings(form.count(kind), years, leaps).get(partial)
            return None if begun is None else (day, month, leap, begun)
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
        meant = _years_meant(value, len(partial), years)
        if not meant:
            return None
        leap = any(isleap(year) for year in meant)
    if day is not None and month is not None:
        if day > month and not (day == 29 and leap is not False):
            return None
        if day <= month or leap:
            return 0, 31, None, ""  # nothing more depends on them
    return day, month, leap, ""
