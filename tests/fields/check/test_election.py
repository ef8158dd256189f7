"""Which of the places on a check are its fields, by what was read there."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docproc.fields.check import elect as elect_fields
from docproc.rules import FieldRules, PartOrder
from docproc.types import Box, Elected, Field, Seen


def seen(
    top: int, text: str, value: str = "", confidence: float = 0.9, dated: float = 0.0, name: str = "", cells: int = 0
) -> Seen:
    field = Field(name, Box(1000, top, 300, 60), "comb" if cells else "amount", cells=cells, framed=name == "amount")
    return Seen(field, text, value, confidence, dated)


NUMBER = seen(40, "1042", "1042", 0.99)
DAY = seen(150, "11202026", "", 0.9, dated=0.8)
SUM = seen(270, "85000", "850.00", 0.6)
LINE = Seen(Field("micr", Box(100, 700, 900, 60), "micr"), "991234561", "⑆991234561⑆000123456789⑈1042", 0.99)


def elect(places: list[Seen], order: PartOrder = "auto", dated: float = 0.0) -> tuple[Elected, ...]:
    """The election where a place that is read again as a date has the confidence `dated`."""
    return elect_fields(places, lambda place, field: replace(places[place], field=field, dated=dated), order)


def named(places: list[Seen], chosen: tuple[Elected, ...]) -> dict[str, str]:
    return {one.field.name: places[one.place].text for one in chosen}


def test_the_date_is_what_can_be_one_and_the_amount_stands_below() -> None:
    places = [NUMBER, DAY, SUM, seen(400, "701", "701", 0.7)]
    chosen = elect(places)
    assert named(places, chosen) == {"amount": "85000", "date": "11202026"}
    assert [one.doubt for one in chosen] == ["", ""]


def test_what_does_not_stand_right_below_the_date_is_doubted() -> None:
    places = [DAY, seen(270, "7", "", 0.1), seen(400, "85000", "850.00", 0.9)]
    amount = elect(places)[0]
    assert (places[amount.place].text, bool(amount.doubt)) == ("85000", True)
    without = [NUMBER, SUM]
    assert all(one.doubt for one in elect(without))


def test_a_frame_counts_and_does_not_decide() -> None:
    weak = [DAY, seen(300, "12", "12", 0.05, name="amount"), seen(270, "1200", "12.00", 0.9)]
    assert named(weak, elect(weak))["amount"] == "1200"
    near = [DAY, seen(270, "12", "12", 0.8, name="amount"), seen(300, "1200", "12.00", 0.9)]
    assert named(near, elect(near))["amount"] == "12"


def test_an_empty_frame_is_a_blank_amount_and_empty_paper_is_none() -> None:
    assert [one.field.name for one in elect([seen(270, "", "", 0.0, name="amount")])] == ["amount"]
    assert elect([seen(270, "", "", 0.0)]) == ()


def test_a_comb_is_the_date_whatever_it_says() -> None:
    places = [seen(60, "99999999", "", 0.5, name="date", cells=8), seen(60, "11202026", dated=0.9), SUM]
    assert named(places, elect(places))["date"] == "99999999"


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("⑆991234561⑆000123456789⑈1042", "MDY"),
        ("⑈008816⑈⑆991234561⑆4410022887⑈", "MDY"),
        ("⑈123456⑈500123456⑆123456⑈31", "DMY"),
        ("⑈123⑈⑆12345⑉001⑆123⑉456⑈", "auto"),
    ],
)
def test_the_line_tells_the_order_of_the_date(line: str, order: str) -> None:
    places = [DAY, SUM, replace(LINE, value=line)]
    date = next(one for one in elect(places) if one.field.name == "date")
    assert date.field.rules is not None
    assert date.field.rules.date == order
    asked = next(one for one in elect(places, order="YMD") if one.field.name == "date")
    assert asked.field.rules is not None
    assert asked.field.rules.date == "YMD"
    unsure = [DAY, SUM, replace(LINE, value=line, confidence=0.2)]
    assert elect(unsure)[1].field.rules == FieldRules(date="auto")


def test_places_are_read_again_as_dates_only_where_none_shows() -> None:
    hidden = [NUMBER, replace(DAY, dated=0.0), SUM]
    asked: list[tuple[int, str | None]] = []

    def again(place: int, field: Field) -> Seen:
        asked.append((place, field.rules.date if field.rules else None))
        return replace(hidden[place], field=field, dated=0.7 if place == 1 else 0.0)

    assert named(hidden, elect_fields(hidden, again)) == {"amount": "85000", "date": "11202026"}
    assert asked == [(0, "auto"), (1, "auto"), (2, "auto")]
    shown = [NUMBER, DAY, SUM]
    assert named(shown, elect_fields(shown, again)) == {"amount": "85000", "date": "11202026"}
    assert len(asked) == 3


def test_the_printed_number_is_what_stands_above_the_date() -> None:
    def printed(*places: Seen) -> str:
        return "".join(one.printed for one in elect(list(places)))

    assert printed(NUMBER, DAY, SUM, LINE) == "1042"
    for other in (replace(NUMBER, confidence=0.6), replace(NUMBER, text="12"), seen(300, "1042", "", 0.99)):
        assert printed(other, DAY, SUM, LINE) == ""
    assert printed(NUMBER, DAY, SUM) == ""
