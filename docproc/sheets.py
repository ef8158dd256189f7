"""Forms of several pages in one document: reports pages that are missing, duplicate, or out of order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from docproc.types import Row, Sheet

Seen = tuple[int, Sheet]  # a page of the document, from 1, and which page of a form it is


def with_sheets(rows: Sequence[Row], seen: Sequence[Seen], fields_of: Callable[[Sheet], Sequence[str]]) -> list[Row]:
    """The rows of a document, with problems of its pages added; `seen` are its pages of multi-page forms, in order.

    The fields of a missing page get their own rows, for review. In a document of a single page no others are expected.
    `fields_of` returns the names of the fields of a page of a form.
    """
    told, missing = list(rows), list[Row]()
    for form in dict.fromkeys(sheet.form for _, sheet in seen):
        own = [(page, sheet) for page, sheet in seen if sheet.form == form]
        for one, other in twice(own):
            remark = f"page {one[1].number} of the form comes twice, on pages {one[0]} and {other[0]}"
            told = [_doubted(row, remark) if row.page in (one[0], other[0]) else row for row in told]
        for one, other in turned_round(own):
            remark = f"pages are out of order: page {one[1].number} of the form comes before page {other[1].number}"
            told = [replace(row, reason=_joined(row.reason, remark)) if row.page == other[0] else row for row in told]
        for page, sheet in lacking(own) if len({row.page for row in rows}) > 1 else ():
            missing += [_missing(rows[0].document, page, name, sheet) for name in fields_of(sheet)]
    return sorted([*told, *missing], key=_by_page)


def twice(seen: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    """Consecutive pages that are the same page of a form."""
    return [(one, other) for one, other in pairwise(seen) if one[1].number == other[1].number and one[1].count > 1]


def turned_round(seen: Sequence[Seen]) -> list[tuple[Seen, Seen]]:
    """Consecutive pages in the wrong order, in a document that holds every page of a form at most once."""
    numbers = [sheet.number for _, sheet in seen]
    if len(set(numbers)) < len(numbers):
        return []
    return [(one, other) for one, other in pairwise(seen) if one[1].number > other[1].number]


def lacking(seen: Sequence[Seen]) -> list[Seen]:
    """The missing pages of forms, each with the first page of the document that belongs to the same form."""
    doubles = {page for one, other in twice(seen) for page in (one[0], other[0])}
    missing: list[Seen] = []
    for one in _forms(seen):
        # A duplicate page is reported as such, and is not a separate form.
        if all(page in doubles for page, _ in one):
            continue
        there = {sheet.number for _, sheet in one}
        page, sheet = one[0]
        missing += [(page, replace(sheet, number=k)) for k in range(1, sheet.count + 1) if k not in there]
    return missing


def _forms(seen: Sequence[Seen]) -> list[list[Seen]]:
    """The pages grouped by form: a new form begins where a page repeats, or an earlier one follows."""
    numbers = [sheet.number for _, sheet in seen]
    if len(set(numbers)) == len(numbers):
        return [list(seen)] if seen else []
    forms: list[list[Seen]] = []
    for one in seen:
        if not forms or one[1].number <= forms[-1][-1][1].number:
            forms.append([])
        forms[-1].append(one)
    return forms


def _doubted(row: Row, remark: str) -> Row:
    status = row.status if row.status == "error" else "review"
    return replace(row, status=status, reason=_joined(row.reason, remark))


def _missing(document: str, page: int, name: str, sheet: Sheet) -> Row:
    """The row of a field on a missing page."""
    reason = f"page {sheet.number} of the form is missing"
    return Row(document, page, name, "", "", 0.0, "review", reason, "", "", "", None, None, None, None)


def _joined(reason: str, remark: str) -> str:
    return f"{reason}; {remark}" if reason else remark


def _by_page(row: Row) -> int:
    return row.page
