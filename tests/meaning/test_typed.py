from __future__ import annotations

from datetime import date

import pytest

from docproc.meaning.typed import CENTLESS, NO_NUMBER, POINTLESS, Meant, meaning_of
from docproc.rules import DateWindow, FieldRules
from docproc.types import FieldSpec

AMOUNT, SIGNED = FieldSpec("amount"), FieldSpec("amount", signed=True)
DECIMAL = FieldSpec("decimal", signed=True)
FREE_DATE = FieldSpec(rules=FieldRules(date="DMY"))
COMB_DATE = FieldSpec("comb", cells=8, rules=FieldRules(digits=(8, 8), date="DDMMYYYY"))
MICR = FieldSpec("micr")


@pytest.mark.parametrize(
    ("spec", "typed", "text", "value"),
    [
        (FieldSpec(), "007", "007", "007"),
        (FieldSpec(), " 12-34 ", "1234", "1234"),
        (AMOUNT, "1234.56", "123456", "1234.56"),
        (AMOUNT, "1.234,56", "123456", "1234.56"),
        (AMOUNT, "1'234.56", "123456", "1234.56"),
        (AMOUNT, "$ 1,23,456.00", "12345600", "123456.00"),
        (AMOUNT, "12 34/100", "1234100", "12.34"),
        (AMOUNT, ".56", "56", "0.56"),
        (AMOUNT, "0.50", "050", "0.50"),
        (AMOUNT, "1500.-", "1500", "1500"),
        (AMOUNT, "1500", "1500", "1500"),
        (AMOUNT, "12345678", "12345678", "12345678"),  # nobody types a separator that is not there
        (SIGNED, "-264.27", "26427", "-264.27"),
        (SIGNED, "(264.27)", "26427", "-264.27"),
        (SIGNED, "\u2212264.27", "26427", "-264.27"),
        (SIGNED, "264.27-", "26427", "-264.27"),
        (DECIMAL, "-36,6", "366", "-36.6"),
        (DECIMAL, "0.071", "0071", "0.071"),
        (FREE_DATE, "27/11/2026", "27112026", "2026-11-27"),
        (FREE_DATE, "1/12/2026", "1122026", "2026-12-01"),
        (FREE_DATE, "11.2.2026", "1122026", "2026-02-11"),
        (FREE_DATE, "1 12 26", "11226", "2026-12-01"),
        (COMB_DATE, "27112026", "27112026", "2026-11-27"),
        (COMB_DATE, "27-11-2026", "27112026", "2026-11-27"),
        (MICR, "a011000015a 123c", "011000015123", "\u2446011000015\u2446123\u2448"),
    ],
)
def test_what_is_typed_means(spec: FieldSpec, typed: str, text: str, value: str) -> None:
    assert meaning_of(spec, typed) == Meant(text, value)


@pytest.mark.parametrize(
    ("spec", "typed", "value", "broken"),
    [
        (FieldSpec(digits=(8, 8)), "123", "123", "breaks a rule: must have 8 digits"),
        (FieldSpec(rules=FieldRules(check="luhn")), "4213", "4213", "breaks a rule: check digit (luhn)"),
        (AMOUNT, "12.3.4", "", "the separators contradict each other"),
        (AMOUNT, "0150", "150", "it begins with a zero: a decimal point may be lost"),
        (AMOUNT, "-2.50", "-2.50", "a minus sign is written, and the field has none"),
        (FieldSpec("amount", cents=True), "1500", "1500", CENTLESS),
        (FieldSpec("decimal", decimals=(2, 2)), "36.6", "36.6", "1 decimals are written, at least 2 are expected"),
        (FREE_DATE, "1122026", "", "the order of the date's parts is not settled"),
        (COMB_DATE, "31022026", "", "breaks a rule: must be a date (DDMMYYYY) from 1900 to 2099"),
        (
            FieldSpec(rules=FieldRules(date="DMY"), window=DateWindow("1y", date(2026, 11, 1))), "1/1/2020", "2020-01-01",
            "stale: before 2025-11-01, 1y before 2026-11-01",
        ),
    ],
)  # fmt: skip
def test_what_is_broken_or_in_doubt_is_told_in_words(spec: FieldSpec, typed: str, value: str, broken: str) -> None:
    meant = meaning_of(spec, typed)
    assert (meant.value, meant.broken) == (value, (broken,))


@pytest.mark.parametrize(
    ("spec", "read", "read_value", "typed", "value"),
    [
        (AMOUNT, "123456", "1234.56", "123456", "1234.56"),
        (AMOUNT, "123456", "1234.56", "123457", "1234.57"),
        (AMOUNT, "0123", "1.23", "0124", "1.24"),
        (AMOUNT, "1500", "1500", "1600", "1600"),
        (SIGNED, "26427", "-264.27", "26428", "-264.28"),
        (DECIMAL, "366", "36.6", "367", "36.7"),
        (FREE_DATE, "1122026", "2026-12-01", "1122026", "2026-12-01"),
        (MICR, "0123", "\u244601\u244623\u2448", "0124", "\u244601\u244624\u2448"),
        (FieldSpec(), "1234", "12\u244934", "1235", "12\u244935"),
    ],
)
def test_without_marks_those_stay_that_were_read(spec: FieldSpec, read: str, read_value: str, typed: str, value: str) -> None:
    assert meaning_of(spec, typed, read, read_value) == Meant(typed, value)


def test_marks_that_were_read_are_missed_where_other_digits_are_typed() -> None:
    assert meaning_of(AMOUNT, "12345", "123456", "1234.56") == Meant("12345", "12345", (POINTLESS,))
    assert meaning_of(MICR, "012", "0123", "\u244601\u244623\u2448").broken


def test_the_value_that_was_read_stands_for_its_text() -> None:
    assert meaning_of(FREE_DATE, "2026-12-01", "1122026", "2026-12-01") == Meant("1122026", "2026-12-01")
    assert meaning_of(AMOUNT, "0.50", "50", "0.50") == Meant("50", "0.50")


@pytest.mark.parametrize("typed", ["12a", "l2", "\u0661\u0662", "12;3"])
def test_what_is_no_number_has_a_fault(typed: str) -> None:
    assert meaning_of(AMOUNT, typed) == Meant("", fault=NO_NUMBER)
