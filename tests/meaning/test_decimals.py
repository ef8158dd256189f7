"""Measurements: what is written, and the number that it means."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.meaning.amounts import LEADING_ZERO
from docproc.meaning.decimals import MAYBE_SIGNED, SIGNED, UNSETTLED, Written, decimal_value, sign_of
from docproc.meaning.marks import Mark, MarkedDigits
from docproc.meaning.named import Named
from docproc.types import MARK_SYMBOLS

ANY = Written()


def read(text: str, written: Written = ANY, share: float = 0.99) -> tuple[str, str]:
    """The value of a text with its marks, all of which the network names with the same share."""
    digits = "".join(c for c in text if c.isdigit())
    named = [
        Named(c, sum(d.isdigit() for d in text[:k]), share, k / len(text)) for k, c in enumerate(text) if c in MARK_SYMBOLS
    ]
    return decimal_value(None, named, digits, written)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("37.2", "37.2"), ("0.075", "0.075"), ("611.0320", "611.0320"), ("28,4", "28.4"), (".75", "0.75"), ("42", "42"),
        ("-264.27", "-264.27"), ("(264.27)", "-264.27"), ("264.27-", "-264.27"), ("-0.0", "0.0"), ("+3.5", "3.5"),
        ("1,234.5", "1234.5"), ("1.234,5", "1234.5"), ("12,345,678", "12345678"), ("0,268", "0.268"), ("007", "7"),
        ("9.605", "9.605"), ("1234,567", "1234.567"),
    ],
)  # fmt: skip
def test_a_measurement_keeps_its_point_and_its_sign(text: str, value: str) -> None:
    assert read(text) == (value, "")


@pytest.mark.parametrize("text", ["1,234", "1.2.3", "12,34,5", "1.23,456.7"])
def test_a_number_that_may_be_two_numbers_is_not_guessed(text: str) -> None:
    assert read(text) == ("", UNSETTLED)


def test_how_many_decimals_there_are_settles_a_comma() -> None:
    assert read("1,234", Written((0, 2))) == ("1234", "")
    assert read("1,234", Written((3, 3))) == ("1.234", "")


def test_decimals_that_the_form_does_not_have_go_to_a_person() -> None:
    assert read("37.25", Written((0, 1)))[0] == ""
    assert "at most 1" in read("37.25", Written((0, 1)))[1]
    assert "at least 1" in read("37", Written((1, 2)))[1]


def test_a_sign_in_a_field_that_has_none_goes_to_a_person() -> None:
    assert read("-5.2", Written(signed=False)) == ("", SIGNED)


def test_a_dash_that_only_its_shape_tells_goes_to_a_person() -> None:
    dash = Mark("dash", 0, True, -0.6, 0.5, -0.2, 0.6)
    assert sign_of((), "5", MarkedDigits(np.zeros((1, 4)), (dash,))) == (False, MAYBE_SIGNED)
    assert sign_of((Named("-", 0, 0.9),), "5", MarkedDigits(np.zeros((1, 4)), (dash,))) == (True, "")


def seen(text: str, *marks: Mark, decimals: tuple[int, int] | None = None) -> tuple[str, str]:
    """The value of digits with marks that only their shape tells."""
    left = np.arange(len(text), dtype=np.float64)
    digits = np.column_stack([left, np.zeros(len(text)), left + 0.8, np.ones(len(text))])
    return decimal_value(MarkedDigits(digits, marks), (), text, Written(decimals))


def test_a_point_before_the_number_that_only_its_shape_tells_goes_to_a_person() -> None:
    """It may be .58, and is 58 to the network."""
    assert seen("58") == ("58", "")
    assert seen("58", Mark("point", 0, True, -0.4, 0.85, -0.2, 1.0)) == ("", UNSETTLED)
    assert seen("58", Mark("comma", 0, True, -0.3, 0.8, -0.1, 1.2)) == ("", UNSETTLED)
    # Too far away, too high, too low, too small.
    assert seen("58", Mark("point", 0, True, -1.2, 0.85, -1.0, 1.0)) == ("58", "")
    assert seen("58", Mark("point", 0, True, -0.4, 0.0, -0.2, 0.2)) == ("58", "")
    assert seen("58", Mark("point", 0, True, -0.4, 1.4, -0.2, 1.6)) == ("58", "")
    assert seen("58", Mark("speck", 0, True, -0.4, 0.95, -0.35, 1.0)) == ("58", "")


def test_a_zero_without_a_point_after_it_goes_to_a_person() -> None:
    assert seen("02") == ("", LEADING_ZERO)
    assert seen("0") == ("0", "")
    assert seen("02", decimals=(0, 0)) == ("2", "")  # there are no decimals in this field
    assert read("02") == ("2", "")  # as typed by a person


def test_half_a_pair_of_brackets_goes_to_a_person() -> None:
    assert read("(5.2")[0] == ""


@pytest.mark.parametrize("text", ["37.2", "-5"])
def test_a_mark_that_may_be_there_goes_to_a_person(text: str) -> None:
    assert read(text, share=0.3)[0] == ""
