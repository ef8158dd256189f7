"""What is written beside a number, or in the place of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docproc.meaning.foreign import (
    BRACKET_OR_1,
    CORRECTED,
    DOT_BELOW,
    IN_BRACKETS,
    LETTERS,
    ONLY_LETTERS,
    SLASH_OR_1,
    dot_below,
    foreign,
    slash_in_1,
    two_numbers,
)
from docproc.meaning.marks import Mark, MarkedDigits, MarkKind
from docproc.meaning.named import Named
from docproc.types import MARK_SYMBOLS, Kind


def said(text: str, kind: Kind = "string", *, dated: bool = False) -> str:
    digits = "".join(c for c in text if c.isdigit())
    named = [
        Named(c, sum(d.isdigit() for d in text[:k]), 0.9, k / len(text), k / len(text))
        for k, c in enumerate(text)
        if c in MARK_SYMBOLS
    ]
    return foreign(named, digits, kind, dated=dated)


@pytest.mark.parametrize("text", ["3/4", "12-15", "14:30", "120/80", "2+3", "7/10"])
def test_two_numbers_are_not_accepted_as_one(text: str) -> None:
    assert "two numbers" in said(text)
    assert text in said(text)


@pytest.mark.parametrize("text", ["=42", "5=", "10-", "8*", "#12", "$500", "1,234", "1,234,567"])
def test_what_only_fills_a_field_costs_nothing(text: str) -> None:
    assert said(text) == ""


@pytest.mark.parametrize("text", ["37.2", "1.234", "37,2", "0,123"])
def test_a_point_in_a_whole_number_goes_to_a_person(text: str) -> None:
    assert " is written" in said(text)


def test_a_whole_number_in_brackets_may_be_negative() -> None:
    assert said("(264)") == IN_BRACKETS
    assert said("(264)", "amount") == ""  # its sign is read
    assert said("(264") == ""


@pytest.mark.parametrize("text", ["72?", "?72", "7?2"])
def test_letters_beside_a_number_are_told(text: str) -> None:
    assert said(text) == LETTERS
    assert said(text, "amount") == LETTERS


def test_a_word_is_no_number() -> None:
    assert said("?") == ONLY_LETTERS


@pytest.mark.parametrize("text", ["!", "!58", "64!", "1!50"])
def test_what_was_struck_out_is_never_accepted(text: str) -> None:
    assert said(text) == CORRECTED


@pytest.mark.parametrize(
    "text", ["15/100", "1500-", "1.500,00", "120-50", "1500-00", "12-000", "1500/100", "380.5", "6,000.38"]
)
def test_the_marks_of_amounts_keep_their_meaning(text: str) -> None:
    assert said(text, "amount") == ""


@pytest.mark.parametrize("text", ["9-54", "12-50", "1-200", "9300-800", "65/205", "3/4"])
def test_a_range_or_a_fraction_in_an_amount_is_not_cents(text: str) -> None:
    assert "two numbers" in said(text, "amount")


@pytest.mark.parametrize("text", ["6000.380", "8006,121", "12345.6789"])
def test_a_point_of_an_amount_that_parts_neither_cents_nor_thousands(text: str) -> None:
    assert said(text, "amount").endswith(f"is written: {text}")


def test_a_slash_of_an_amount_may_have_been_read_as_the_1_beside_it() -> None:
    assert said("7001/24", "amount") == f"{SLASH_OR_1}: 7001/24"
    assert said("69/17396", "amount") == f"{SLASH_OR_1}: 69/17396"
    assert said("15/100", "amount") == said("11/100", "amount") == said("151/-", "amount") == ""


def test_a_date_has_marks() -> None:
    assert said("12/3/2026", dated=True) == ""
    assert said("12/3/2026?", dated=True) == LETTERS


@pytest.mark.parametrize("text", ["? 10/30/2019", "?    1/2/19", "? 10-30-2019", "? 2019-10-30"])
def test_a_label_before_a_date_is_no_part_of_it(text: str) -> None:
    assert said(text, dated=True) == ""
    assert said(text) == LETTERS


@pytest.mark.parametrize(
    "text", ["? 102019", "? 10/2019", "?1/12/2019", "?0/30/2019", "10/30/2019 ?", "? 10/?30/2019", "? 5. 2019."]
)
def test_a_letter_that_may_be_a_month_or_a_digit_of_a_date_goes_to_a_person(text: str) -> None:
    assert said(text, dated=True) == LETTERS


def test_a_letter_between_a_label_and_a_date_may_be_a_digit() -> None:
    """The network names all letters at one place as one symbol, which reaches from the first of them to the last."""
    marks = [Named("/", 1, 0.9, 0.5, 0.5), Named("/", 2, 0.9, 0.7, 0.7)]
    assert foreign([Named("?", 0, 0.9, 0.0, 0.1), *marks], "122019", "string", dated=True) == ""
    assert foreign([Named("?", 0, 0.9, 0.0, 0.3), *marks], "122019", "string", dated=True) == LETTERS


@pytest.mark.parametrize("text", ["1)", "501)", "(15"])
def test_a_bracket_without_its_other_half_beside_a_1_goes_to_a_person(text: str) -> None:
    """Each may be the other."""
    assert said(text) == said(text, "amount") == BRACKET_OR_1
    assert said(text.replace("1", "2")) == said(text.replace("1", "2"), "amount") == ""


def apart(*gaps: float) -> MarkedDigits:
    lefts = np.cumsum([0.0, *(0.6 + gap for gap in gaps)])
    digits = np.stack([lefts, np.zeros(len(lefts)), lefts + 0.6, np.ones(len(lefts))], axis=1)
    return MarkedDigits(digits, ())


def test_a_wide_gap_makes_two_numbers() -> None:
    assert "12 15" in two_numbers(apart(0.2, 0.8, 0.2), "1215", "string", None)
    assert two_numbers(apart(0.2, 0.3, 0.2), "1215", "string", None) == ""


def marked(*marks: tuple[MarkKind, bool]) -> MarkedDigits:
    """Four digits with these marks in their middle, each sure or not."""
    four = apart(0.2, 0.3, 0.2)
    return MarkedDigits(four.digits, tuple(Mark(kind, 2, sure, 1.4, 0.8, 1.5, 0.95) for kind, sure in marks))


def test_marks_between_the_digits_of_a_whole_number() -> None:
    assert two_numbers(marked(("point", True)), "1215", "string", None) == "a point is written: 12.15"
    assert "12-15" in two_numbers(marked(("dash", True)), "1215", "string", None)
    assert "12:15" in two_numbers(marked(("point", False), ("point", False)), "1215", "string", None)
    assert two_numbers(marked(("point", False)), "1215", "string", None) == ""  # may be dirt
    assert two_numbers(marked(("point", True)), "1215", "amount", None) == ""


def lone(mark: Mark) -> MarkedDigits:
    return MarkedDigits(np.array([[0.0, 0.0, 0.6, 1.0]]), (mark,))


def test_a_dot_below_a_lone_digit_makes_a_question_mark() -> None:
    dot = Mark("speck", 1, False, 0.25, 1.2, 0.35, 1.3)
    assert dot_below(lone(dot), "2") == DOT_BELOW
    assert dot_below(lone(dot), "5") == ""
    beside, far, dust = (
        replace(dot, left=0.9, right=1.0),
        replace(dot, top=1.9, bottom=2.0),
        replace(dot, right=0.27, bottom=1.22),
    )
    assert [dot_below(lone(one), "2") for one in (beside, far, dust)] == ["", "", ""]
    assert dot_below(apart(0.2, 0.3), "121") == ""


def test_thousands_apart_are_one_number() -> None:
    assert two_numbers(apart(0.2, 0.9, 0.2, 0.2), "12345", "string", None) == ""


def test_where_the_form_counts_digits_gaps_mean_nothing() -> None:
    assert two_numbers(apart(0.2, 0.9, 0.2), "1215", "string", (4, 4)) == ""


@pytest.mark.parametrize(
    ("text", "place", "parted"),
    [
        ("23313", 4, "2331 3"),
        ("267511", 2, "26 7511"),
        ("150000", 3, ""),  # thousands
        ("15050", 3, ""),  # cents
        ("1500000", 2, ""),  # lakhs
        ("1234500", 2, ""),  # thousands with cents
    ],
)
def test_a_gap_in_an_amount_parts_cents_and_groups_or_two_numbers(text: str, place: int, parted: str) -> None:
    gaps = [0.9 if k == place else 0.15 for k in range(1, len(text))]
    found = two_numbers(apart(*gaps), text, "amount", None)
    assert parted in found
    assert bool(found) == bool(parted)


@pytest.mark.parametrize(
    ("share", "kind", "digits", "told"),
    [
        (0.09, "string", None, SLASH_OR_1),
        (0.09, "string", (2, 6), SLASH_OR_1),
        (0.09, "string", (5, 5), ""),  # none of five digits is to spare
        (0.09, "amount", None, ""),
        (0.01, "string", None, ""),
    ],
)
def test_a_1_that_may_be_a_slash(share: float, kind: Kind, digits: tuple[int, int] | None, told: str) -> None:
    assert slash_in_1(share, kind, digits) == told
