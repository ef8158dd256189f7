"""Which of a line's groups are known by their symbols, and which are a guess for a person to see. The numbers are made up."""

from __future__ import annotations

import pytest

from docproc.readers.e13b.parts import BY_A_SPACE, NO_ON_US, NOT_CLOSED, NOT_OPENED, UNEXPLAINED, parse

GOOD, BAD = "021000089", "021000088"  # with and without the right check digit


def told(line: str) -> dict[str, tuple[str, str]]:
    """Of a line with spaces, each part's value and doubt."""
    value = line.replace(" ", "")
    centers = [19.2 * k for k, character in enumerate(line) if character != " "]
    return {part.name: (part.value, part.doubt) for part in parse(value, centers)}


@pytest.mark.parametrize(
    "line",
    [
        "⑆021000089⑆ 1234567⑈ 0152",
        "⑈001234⑈ ⑆021000089⑆ 123 456 7⑈",
        "⑈123456⑈ 500229009⑆ 123456⑈ 31",
        "⑈001⑈ ⑆12345⑉006⑆ 12⑉345⑉6⑈",
    ],
)
def test_what_the_symbols_tell_is_no_guess(line: str) -> None:
    assert all(doubt == "" for _, doubt in told(line).values())


def test_without_an_on_us_symbol_the_check_number_is_not_taken_for_the_account() -> None:
    assert told(f"⑆{GOOD}⑆ ⑆123456789⑆ 0152") == {
        "routing": (GOOD, ""),
        "account": ("123456789", NO_ON_US),
        "check_number": ("0152", NO_ON_US),
    }
    assert told(f"⑆{BAD}⑆ 123456789⑆ 0152")["routing"] == (BAD, NO_ON_US)


def test_a_code_of_the_transaction_is_not_accepted_as_the_account() -> None:
    """The account and its symbol are whited out."""
    assert told("⑈123456⑈ 500229009⑆        31")["account"] == ("31", NOT_CLOSED)


def test_a_second_group_is_no_part_of_the_check_number() -> None:
    assert told(f"⑆{GOOD}⑆ 1234567⑈ 1309  10")["check_number"] == ("1309", "another group follows it: 10")


@pytest.mark.parametrize("line", ["⑆021000089⑆ 1309  1234567890⑈", "⑆021000089⑆ 1234567890  1309⑈"])
def test_what_only_a_space_tells_apart_is_a_guess(line: str) -> None:
    parts = told(line)
    assert parts["account"] == ("1234567890", BY_A_SPACE)
    assert parts["check_number"] == ("1309", BY_A_SPACE)


def test_a_line_that_has_lost_its_first_symbol_keeps_its_check_number() -> None:
    assert told("23456⑈ 500229009⑆ 123456⑈ 31")["check_number"] == ("23456", NOT_OPENED)


def test_a_line_with_something_unknown_before_it_is_for_a_person() -> None:
    parts = told("⑆12⑈123456⑈ 12⑉34567⑆ 1234567890⑈ 12")
    assert {doubt for _, doubt in parts.values()} == {UNEXPLAINED}
