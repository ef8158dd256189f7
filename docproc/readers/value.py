"""What a field means, by its text and the marks between its digits."""

from __future__ import annotations

from docproc.meaning.amount_marks import amount_value
from docproc.meaning.dates import date_value
from docproc.readers.e13b import PrintedResult
from docproc.readers.read import FieldResult
from docproc.rules import DateWindow

UNPARTED = "a rule changed the line: it is not known where its symbols stand"


def value_of(result: FieldResult, window: DateWindow | None = None) -> tuple[str, str]:
    """(value, doubt): an ISO date, a number, an E-13B line with its symbols, else the text; and why nobody should rely on it.

    `window` says which dates are stale or post-dated.
    """
    field, text = result.prepared.field, result.reading.text
    if isinstance(result, PrintedResult):
        value = result.reading.value
        return value, UNPARTED if text and not value else ""
    if not text:
        return "", ""
    if field.rules is not None and field.rules.date:
        return date_value(field.rules, None if field.cells else result.marked, text, window)
    if field.kind == "amount":
        return amount_value(result.marked, text, cents=field.cents)
    return text, ""
