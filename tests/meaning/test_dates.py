from __future__ import annotations

from datetime import date

import pytest

from docproc.meaning.dates import ANY_DATE, IMPOSSIBLE, ONE_SLASH, OPEN, date_value, stands_apart
from docproc.meaning.named import Named
from docproc.rules import DateWindow, FieldRules
from tests.meaning.drawn import marked


@pytest.mark.parametrize(
    ("text", "rules", "value", "doubt"),
    [
        ("11/25/2019", FieldRules(date="auto"), "2019-11-25", ""),
        ("25/11/2019", FieldRules(date="auto"), "2019-11-25", ""),
        ("11/12/2019", FieldRules(date="auto"), "", OPEN),
        ("11/12/2019", FieldRules(date="MDY"), "2019-11-12", ""),
        ("11/12/2019", FieldRules(date="DMY"), "2019-12-11", ""),
        ("5-5-2015", FieldRules(date="auto"), "2015-05-05", ""),
        ("1-11-2019", FieldRules(date="MDY"), "2019-01-11", ""),
        ("11-1-2019", FieldRules(date="MDY"), "2019-11-01", ""),
        ("1112019", FieldRules(date="MDY"), "", OPEN),
        ("2019.11.25", FieldRules(date="auto"), "2019-11-25", ""),
        ("31/02/2019", FieldRules(date="auto"), "", IMPOSSIBLE),
        ("25112019", FieldRules(date="DDMMYYYY"), "2019-11-25", ""),
        ("27/1139", FieldRules(date="DMY"), "2039-11-27", ONE_SLASH),  # or 27/1/39
        ("2711/39", FieldRules(date="DMY"), "2039-11-27", ONE_SLASH),  # or 27/1/39
        ("27/1239", FieldRules(date="DMY"), "2039-12-27", ""),
        ("27/11/39", FieldRules(date="DMY"), "2039-11-27", ""),
        ("25/112019", FieldRules(date="DDMMYYYY"), "2019-11-25", ""),
    ],
)
def test_the_value_of_a_drawn_date(text: str, rules: FieldRules, value: str, doubt: str) -> None:
    assert date_value(rules, *marked(text)) == (value, doubt)


@pytest.mark.parametrize(
    ("drawn", "places", "value", "doubt"),
    [
        ("20/1119", (2, 4), "2019-11-20", ""),  # the shapes took one slash for a 1, and a 1 for a mark
        ("20/1119", (2,), "2019-11-20", ONE_SLASH),
        ("1/112019", (2, 3), "", OPEN),  # 1/11/2019 by the shapes, 11/1/2019 by the network
        ("1/112019", (1, 3), "2019-11-01", ""),
        ("20/1119", (2, 3), "2019-11-20", ONE_SLASH),  # 20/1/119 is no date
    ],
)
def test_slashes_that_a_network_names_settle_a_date(drawn: str, places: tuple[int, ...], value: str, doubt: str) -> None:
    named = [Named("/", place, 0.97) for place in places]
    assert date_value(FieldRules(date="DMY"), *marked(drawn), named=named) == (value, doubt)


def test_a_date_outside_of_its_window_keeps_its_value() -> None:
    window = DateWindow("6m", date(2026, 11, 21))
    value, doubt = date_value(FieldRules(date="auto"), *marked("25/11/2019"), window)
    assert value == "2019-11-25"
    assert doubt.startswith("stale")


@pytest.mark.parametrize(
    ("text", "apart"),
    [
        ("11/25/2019", True),
        ("5-5-2015", True),
        ("25/112019", True),  # one of the two is enough
        ("25112019", False),
        ("25.11.2019", False),  # points stand in amounts, too
        ("31/02/2019", False),
        ("1/2/3/2019", False),
    ],
)
def test_slashes_or_dashes_set_the_parts_of_a_date_apart(text: str, apart: bool) -> None:
    found, digits = marked(text)
    assert stands_apart(found, digits, ANY_DATE) is apart
    assert not stands_apart(None, digits, ANY_DATE)
