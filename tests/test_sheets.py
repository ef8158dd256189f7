"""Forms of several pages: what is missing, doubled or out of order is told."""

from __future__ import annotations

from collections import Counter

import pytest

from docproc.sheets import with_sheets
from docproc.types import Row, Sheet

FIELDS = {1: ["name", "born"], 2: ["rooms"], 3: ["income"]}


def told(numbers: str, count: int = 2) -> tuple[list[tuple[int, str, str, str]], list[Row]]:
    """What is told of a document whose pages are these of a form; `-` is a page that is none."""
    rows, seen = [], []
    for page, number in enumerate(numbers, 1):
        names = FIELDS[int(number)] if number != "-" else [""]
        status = "ok" if number != "-" else "error"
        rows += [Row("a.pdf", page, name, "12", "12", 0.9, status, "", "", "", "", 0, 0, 9, 9) for name in names]  # type: ignore[arg-type]
        if number != "-":
            seen.append((page, Sheet("survey", int(number), count)))
    found = with_sheets(rows, seen, lambda sheet: FIELDS[sheet.number])
    return [(row.page, row.field, row.status, row.reason) for row in found if row.reason], found


@pytest.mark.parametrize("numbers", ["12", "1212", "121212", "1", "2", "-12-12", ""])
def test_whole_forms_say_nothing(numbers: str) -> None:
    assert told(numbers)[0] == []


def test_fields_of_a_page_that_is_missing_are_for_review() -> None:
    missing = "page 2 of the form is missing"
    assert told("121")[0] == [(3, "rooms", "review", missing)]
    assert told("112")[0][-1] != (1, "rooms", "review", missing), "the first may be the second's double"
    assert told("1-")[0] == [(1, "rooms", "review", missing)]
    assert told("2-")[0] == [
        (1, "name", "review", "page 1 of the form is missing"),
        (1, "born", "review", "page 1 of the form is missing"),
    ]
    assert told("13", count=3)[0] == [(1, "rooms", "review", missing)]
    row = next(row for row in told("121")[1] if row.reason)
    assert (row.text, row.confidence, row.left) == ("", 0.0, None)


@pytest.mark.parametrize(("numbers", "pages"), [("122", (2, 3)), ("112", (1, 2)), ("1221", (2, 3))])
def test_neither_of_two_copies_of_a_page_is_accepted(numbers: str, pages: tuple[int, int]) -> None:
    found = told(numbers)[1]
    number = numbers[pages[0] - 1]
    for row in found:
        twice = f"page {number} of the form comes twice, on pages {pages[0]} and {pages[1]}" in row.reason
        assert twice == (row.page in pages)
        assert row.status == "review" or not twice
    lost = Counter(row.reason for row in found if "missing" in row.reason)
    assert lost == ({"page 2 of the form is missing": 1} if numbers == "1221" else {})


def test_pages_out_of_order_are_read_and_told() -> None:
    (page, field, status, reason), *_ = told("21")[0]
    assert (page, field, status) == (2, "name", "ok")
    assert reason == "pages are out of order: page 2 of the form comes before page 1"
    assert len(told("213", count=3)[0]) == 2


def test_pages_of_two_kinds_of_forms_do_not_mix() -> None:
    rows = [Row("a.pdf", page, "n", "1", "1", 0.9, "ok", "", "", "", "", 0, 0, 9, 9) for page in (1, 2, 3)]
    seen = [(1, Sheet("one", 1, 2)), (2, Sheet("other", 1, 1)), (3, Sheet("one", 2, 2))]
    assert not [row for row in with_sheets(rows, seen, lambda _: ["n"]) if row.reason]
