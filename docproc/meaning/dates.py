"""Interpret a date: from its digits, and the marks between them, to a day."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from docproc.meaning.named import Named
from docproc.rules import PART_ORDERS, DateWindow, FieldRules, date_of, dates_of

if TYPE_CHECKING:  # avoids loading OpenCV where only typed text is interpreted
    from docproc.meaning.marks import Mark, MarkedDigits

DATE_SEPARATORS = ("slash", "dash", "point", "comma")  # kinds of marks between the parts of a date
CLEAR_SEPARATORS = ("slash", "dash")  # kinds that rarely occur in other numbers

ANY_DATE = FieldRules(date="auto")
MIN_DATE_DIGITS = 4  # [geometry]: a day and a month of one digit each, a year of two
MIN_SLASH_SHARE = 0.9  # its probability, for a slash that the shapes do not show [guess]

OPEN = "the order of the date's parts is not settled"
IMPOSSIBLE = "what was read is no date"
ONE_SLASH = "a slash, or a 1: only one slash of the date was seen"


def date_value(
    rules: FieldRules,
    marked: MarkedDigits | None,
    text: str,
    window: DateWindow | None = None,
    named: Sequence[Named] = (),
) -> tuple[str, str]:
    """(value, doubt) of a date that was read as `text`: an ISO date, if it can be only one day.

    If the rules leave the order or the widths of its parts open, the marks between the digits show where they end.
    `window` says which dates are stale or post-dated. `named` are the symbols that a network sees around the digits.
    """
    order = rules.date or "auto"
    breaks: set[int] = set()
    if order in PART_ORDERS:
        breaks = {mark.place for mark in _inner_marks(marked, text) if mark.kind in DATE_SEPARATORS and mark.sure}
        if not dates_of(text, order, rules.years, breaks):
            breaks = set()
    value, doubt = parted_date_value(rules, text, breaks, window)
    if not value:
        return value, doubt
    # Of upright strokes side by side, the shapes alone may take a slash for the 1 of 20/11/2019, and that 1 for a mark.
    named_breaks = {
        one.place for one in named if one.symbol == "/" and 0 < one.place < len(text) and one.share >= MIN_SLASH_SHARE
    }
    if len(named_breaks) == 2 and dates_of(text, order, rules.years, named_breaks):
        return (value, doubt) if parted_date_value(rules, text, named_breaks)[0] == value else ("", OPEN)
    return value, ONE_SLASH if _may_be_slash(rules, marked, text) else doubt


def _may_be_slash(rules: FieldRules, marked: MarkedDigits | None, text: str) -> bool:
    """Whether one slash was seen, and a 1 in place of another would give a date too, as `27/1/39` for 27/1139."""
    slashes = {mark.place for mark in _inner_marks(marked, text) if mark.kind == "slash"}
    if len(slashes) != 1:
        return False
    (seen,) = slashes
    other = [(text[:k] + text[k + 1 :], {seen - (k < seen), k}) for k in range(1, len(text) - 1) if text[k] == "1"]
    return any(len(breaks) == 2 and dates_of(less, rules.date or "auto", rules.years, breaks) for less, breaks in other)


def parted_date_value(
    rules: FieldRules, text: str, breaks: Collection[int], window: DateWindow | None = None
) -> tuple[str, str]:
    """The same if the boundaries between its parts are known: `breaks` are those of `dates_of`."""
    order = rules.date or "auto"
    day = date_of(text, order, rules.years if order in PART_ORDERS else (1000, 9999), breaks)
    if day is None:
        return "", OPEN if dates_of(text, order, rules.years, breaks) else IMPOSSIBLE
    return day.isoformat(), window.doubt(day) if window else ""


def stands_apart(marked: MarkedDigits | None, text: str, rules: FieldRules) -> bool:
    """Whether `text` as read is a date by these rules, with slashes or dashes between its parts."""
    if len(text) < MIN_DATE_DIGITS:
        return False
    marks = _inner_marks(marked, text)
    # A slash that touches its neighbors has another kind; a text that both breaks make a date still is one.
    clear = {mark.place for mark in marks if mark.kind in CLEAR_SEPARATORS}
    breaks = clear | {mark.place for mark in marks if mark.kind == "other"}
    found = (breaks, clear) if len(breaks) == 2 else (clear,)
    return any(1 <= len(some) <= 2 and dates_of(text, rules.date or "auto", rules.years, some) for some in found)


def _inner_marks(marked: MarkedDigits | None, text: str) -> list[Mark]:
    """The marks with a digit on both sides; none if the positions of the digits are not known."""
    return [mark for mark in marked.marks if 0 < mark.place < len(text)] if marked else []
