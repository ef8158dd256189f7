"""The value of a field, from its text and the marks between its digits."""

from __future__ import annotations

from docproc.meaning.amount_marks import amount_value
from docproc.meaning.dates import date_value
from docproc.meaning.decimals import SIGNED, Written, decimal_value, sign_of
from docproc.meaning.named import fills, without_fillers
from docproc.readers.e13b import PrintedResult
from docproc.readers.handwriting import HandwrittenResult
from docproc.readers.read import FieldResult
from docproc.rules import DateWindow

UNPARTED = "a rule changed the line: it is not known where its symbols stand"


def value_of(result: FieldResult, window: DateWindow | None = None) -> tuple[str, str]:
    """(value, doubt): an ISO date, a number, an E-13B line with its symbols, or else the text; and why not to trust it.

    `window` says which dates are stale or post-dated.
    """
    field, text = result.prepared.field, result.reading.text
    if isinstance(result, PrintedResult):
        value = result.reading.value
        return value, UNPARTED if text and not value else ""
    if not text:
        return "", ""
    if field.rules is not None and field.rules.date:
        if field.cells:
            return date_value(field.rules, None, text, window)
        return date_value(field.rules, result.marked, text, window, result.named)
    if field.kind == "amount":
        return _amount(result, text)
    if field.kind == "decimal":
        return decimal_value(result.marked, result.named, text, Written(field.decimals, field.signed))
    return text, ""


def _amount(result: HandwrittenResult, text: str) -> tuple[str, str]:
    """An amount with its sign. A dash after whole units, or on both sides, is filler and not a sign."""
    field = result.prepared.field
    value, doubt = amount_value(result.marked, text, None if field.cells else result.named, cents=field.cents)
    if not value:
        return value, doubt
    filled = fills(result.named, text)
    negative, unsure = sign_of(without_fillers(result.named, text, value), text, None if filled else result.marked)
    if unsure:
        return "", unsure
    if negative and not field.signed:
        return "", SIGNED
    return ("-" if negative and value.strip("0.") else "") + value, ""
