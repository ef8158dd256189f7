from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docproc.meaning.amounts import (
    CONTRADICTORY,
    FRACTION,
    UNSETTLED,
    Separator,
    SeparatorKind,
    WrittenAmount,
    amount_of,
    separator_support,
)

KINDS: dict[str, SeparatorKind] = {".": "point", ",": "comma", ";": "unclear", "-": "dash", "/": "slash", " ": "gap"}


def written(text: str, raised: bool | None = False) -> WrittenAmount:
    """`1,234.56` as it is seen; `;` is a point or a comma, and what has a `?` after it may be a speck."""
    digits, separators = "", []
    for k, sign in enumerate(text):
        if sign.isdigit():
            digits += sign
        elif sign in KINDS:
            separators.append(Separator(len(digits), KINDS[sign], sure=text[k + 1 : k + 2] != "?"))
    return WrittenAmount(digits, tuple(separators), raised)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1500", "1500"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1;234;56", "1234.56"),
        ("1,23,456", "123456"),
        ("12,34,56,789", "123456789"),
        ("1,23,456.78", "123456.78"),
        ("200.00", "200.00"),
        ("15,50", "15.50"),
        ("1.500", "1500"),
        ("1.500.", "1500"),
        ("1 500", "1500"),
        ("12.345.67", "12345.67"),
        ("12.345.678", "12345678"),
        ("1.500.000,00", "1500000.00"),
        ("0.50", "0.50"),
        ("0050", ""),
        ("0239", ""),
        ("00.50", "0.50"),
        ("500-00", "500.00"),
        ("12 34/100", "12.34"),
        ("1,200 34/100", "1200.34"),
        ("05/100", "0.05"),
        ("15.?00.000", "1500000"),
        ("1.?500", "1500"),
        ("2?.?50", ""),
        ("1 ?500", "1500"),
        ("1.500 ?00", "1500.00"),
        ("76,271,100", "76271100"),
        ("762711.00", "762711.00"),
        ("76271100-", "76271100"),
        ("271100", "271100"),
        ("150,00,000", "15000000"),
        ("110,00,00,000", "1100000000"),
        ("1234,00,000", ""),
        ("1234567", "1234567"),
        ("12345678", ""),
        ("150,000", "150000"),
    ],
)
def test_what_separators_mean(text: str, value: str) -> None:
    assert amount_of(written(text))[0] == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,5", CONTRADICTORY),
        ("1,2345", CONTRADICTORY),
        ("1.23.45", CONTRADICTORY),
        ("1234,567", CONTRADICTORY),
        ("1.234,567", CONTRADICTORY),
        ("0.500", CONTRADICTORY),
        ("1,234,56,789", CONTRADICTORY),
        ("12/34", CONTRADICTORY),
        ("12-345", CONTRADICTORY),
        ("15.?00", UNSETTLED),
        ("300 ?00", UNSETTLED),
        (".?50", UNSETTLED),
        ("76271100", FRACTION),
        ("8001100", FRACTION),
        ("76 ?271100", FRACTION),
        ("7627;?1100", FRACTION),
    ],
)
def test_what_is_not_settled(text: str, reason: str) -> None:
    assert amount_of(written(text)) == ("", reason)


@pytest.mark.parametrize(
    ("text", "raised", "value"),
    [
        ("150000", True, "1500.00"),
        ("150000", None, ""),
        ("1.50000", True, "1500.00"),
        ("1.50000", None, "1500.00"),
        ("1,50000", False, ""),
        ("1.500.00", True, "1500.00"),
        ("1.500", None, "1500"),
        ("1.50050", True, "1500.50"),
        ("76271100", True, "762711.00"),
    ],
)
def test_raised_cents(text: str, raised: bool | None, value: str) -> None:
    assert amount_of(written(text, raised))[0] == value


@pytest.mark.parametrize(("text", "value"), [("1,20000", ""), ("5020603", ""), ("1,234", "1234"), ("50,206.03", "50206.03")])
def test_a_separator_that_may_be_lost_settles_nothing(text: str, value: str) -> None:
    """`1,20000` is 1,20,000 in India, and 1,200.00 elsewhere."""
    plain = written(text)
    assert amount_of(WrittenAmount(plain.text, plain.separators, lost=True))[0] == value


def test_a_hundred_with_ink_above_it_settles_nothing() -> None:
    assert amount_of(WrittenAmount("8100", stacked=True)) == ("", FRACTION)
    assert amount_of(WrittenAmount("8100")) == ("8100", "")


def test_too_many_specks_settle_nothing() -> None:
    specks = tuple(Separator(k, "unclear", sure=False) for k in range(1, 9))
    assert amount_of(WrittenAmount("1234567890", specks)) == ("", UNSETTLED)


def grouped(units: int, sign: str, *, indian: bool) -> str:
    text, parts = str(units), list[str]()
    while text:
        size = 2 if indian and parts else 3
        parts.append(text[-size:])
        text = text[:-size]
    return sign.join(reversed(parts))


@given(
    units=st.integers(0, 10**12),
    cents=st.none() | st.integers(0, 99),
    signs=st.sampled_from([",.", ".,", ";;", " ,", " .", "..", ",,"]),
    indian=st.booleans(),
)
def test_every_style_is_read_back(units: int, cents: int | None, signs: str, indian: bool) -> None:
    text = grouped(units, signs[0], indian=indian) + ("" if cents is None else f"{signs[1]}{cents:02d}")
    assert amount_of(written(text)) == (f"{units}" + ("" if cents is None else f".{cents:02d}"), "")


@given(digits=st.text("0123456789", min_size=1, max_size=9), data=st.data())
def test_what_may_be_a_speck_never_changes_the_value(digits: str, data: st.DataObject) -> None:
    """An amount that is settled among doubtful separators is settled alike with each of them, or is not consistent so."""
    places = data.draw(st.sets(st.integers(0, len(digits)), max_size=3))
    doubtful = tuple(Separator(place, "unclear", sure=False) for place in sorted(places))
    value, _ = amount_of(WrittenAmount(digits, doubtful))
    if value:
        for one in doubtful:
            rest = tuple(other for other in doubtful if other is not one)
            surely = amount_of(WrittenAmount(digits, (*rest, Separator(one.place, "unclear"))))
            assert surely[0] in (value, "")
            assert amount_of(WrittenAmount(digits, rest))[0] == value


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1500", 0),
        ("1,234.56", 2),
        ("2,70.000", 2),  # the point is a comma
        ("71,00.000", 2),
        ("1,20/000", 1),  # a comma as long as a slash
        ("9/5614", -1),  # no separator stands there: it may be a digit
        ("1,2/34", 0),
        ("12 34/100", 3),
        ("1234/100", 3),
        ("1,200 34/100", 4),
        ("34/100", 3),
        ("12,34/?100", 1),
        ("95,40;?000", 1),
        ("12;?34,5", None),
        ("1-500", None),
    ],
)
def test_how_many_separators_hold(text: str, count: int | None) -> None:
    assert separator_support(written(text)) == count


def test_too_many_that_may_be_specks_say_nothing() -> None:
    assert separator_support(written("1;?2;?3;?4;?5;?6;?7;?8")) == 0
