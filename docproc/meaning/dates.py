"""What a date means: from its digits, and the marks between them, to a day."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from docproc.rules import PART_ORDERS, DateWindow, FieldRules, date_of, dates_of

if TYPE_CHECKING:  # OpenCV has no business where only typed text is judged
    from docproc.meaning.marks import Mark, MarkedDigits

DATE_SEPARATORS = ("slash", "dash", "point", "comma")  # kinds of marks between the parts of a date
CLEAR_SEPARATORS = ("slash", "dash")  # kinds that hardly stand in other numbers

ANY_DATE = FieldRules(date="auto")
MIN_DATE_DIGITS = 4  # [geometry]: a day and a month of one digit each, a year of two

OPEN = "the order of the date's parts is not settled"
IMPOSSIBLE = "what was read is no date"
ONE_SLASH = "a slash, or a 1: only one slash of the date was seen"


def date_value(rules: FieldRules, marked: MarkedDigits | None, text: str, window: DateWindow | None = None) -> tuple[str, str]:
    """(value, doubt) of a date that was read as `text`: an ISO date, where it can be one day only.

    Where the rules leave the order or the widths of its parts open, the marks between the digits tell where they end.
    `window` says which dates are stale or post-dated.
    """
    order = rules.date or "auto"
    breaks: set[int] = set()
    if order in PART_ORDERS:
        breaks = {mark.place for mark in _inner_marks(marked, text) if mark.kind in DATE_SEPARATORS and mark.sure}
        if not dates_of(text, order, rules.years, breaks):
            breaks = set()
    value, doubt = parted_date_value(rules, text, breaks, window)
    return value, ONE_SLASH if value and _may_be_slash(rules, marked, text) else doubt


def _may_be_slash(rules: FieldRules, marked: MarkedDigits | None, text: str) -> bool:
    """Whether one slash was seen, and a 1 in the place of the other would give a date too, `27/1/39` as well as 27/1139."""
    slashes = {mark.place for mark in _inner_marks(marked, text) if mark.kind == "slash"}
    if len(slashes) != 1:
        return False
    (seen,) = slashes
    other = [(text[:k] + text[k + 1 :], {seen - (k < seen), k}) for k in range(1, len(text) - 1) if text[k] == "1"]
    return any(len(breaks) == 2 and dates_of(less, rules.date or "auto", rules.years, breaks) for less, breaks in other)


def parted_date_value(
    rules: FieldRules, text: str, breaks: Collection[int], window: DateWindow | None = None
) -> tuple[str, str]:
    """The same where it is known between which digits its parts end: `breaks` are those of `dates_of`."""
    order = rules.date or "auto"
    day = date_of(text, order, rules.years if order in PART_ORDERS else (1000, 9999), breaks)
    if day is None:
        return "", OPEN if dates_of(text, order, rules.years, breaks) else IMPOSSIBLE
    return day.isoformat(), window.doubt(day) if window else ""


def stands_apart(marked: MarkedDigits | None, text: str, rules: FieldRules) -> bool:
    """Whether what was read as `text` is a date by these rules whose parts slashes or dashes separate."""
    if len(text) < MIN_DATE_DIGITS:
        return False
    marks = _inner_marks(marked, text)
    # A slash that touches its neighbors has another kind; a text that both breaks make a date is one all the same.
    clear = {mark.place for mark in marks if mark.kind in CLEAR_SEPARATORS}
    breaks = clear | {mark.place for mark in marks if mark.kind == "other"}
    found = (breaks, clear) if len(breaks) == 2 else (clear,)
    return any(1 <= len(some) <= 2 and dates_of(text, rules.date or "auto", rules.years, some) for some in found)


def _inner_marks(marked: MarkedDigits | None, text: str) -> list[Mark]:
    """The marks with a digit on both sides; none where it is not known where the digits stand."""
    return [mark for mark in marked.marks if 0 < mark.place < len(text)] if marked else []
