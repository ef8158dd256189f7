from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import product

import pytest

from docproc.rules import DATE_ORDERS, PART_ORDERS, DateOrder, DateWindow, FieldRules, date_of


@pytest.mark.parametrize("order", [order for order in DATE_ORDERS if order not in PART_ORDERS])
def test_dates_against_the_calendar(order: DateOrder) -> None:
    years = (1896, 1904)
    rules = FieldRules(date=order, years=years)
    form = order.replace("DD", "%d").replace("MM", "%m").replace("YYYY", "{:04d}").replace("YY", "{:02d}")
    wide = order.count("Y")
    allowed = set()
    for ordinal in range(date(1896, 1, 1).toordinal(), date(1905, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        allowed.add(day.strftime(form).format(day.year % 10**wide))
    starts = {text[:k] for text in allowed for k in range(len(text) + 1)}
    goes_on: dict[str, set[str]] = defaultdict(set)
    for text in allowed:
        for k in range(len(text)):
            goes_on[text[:k]].add(text[k:])
    seen: dict[tuple[int, object], set[str]] = {}
    for start in {s + d for s in starts for d in ("", *"0123456789") if len(s + d) <= len(order)}:
        key = rules.key(start)
        assert (key is not None) == (start in starts), start
        if len(start) == len(order):
            assert rules.allows(start) == (start in allowed), start
        elif key is not None:
            assert seen.setdefault((len(start), key), goes_on[start]) == goes_on[start], start
    assert rules.chance(len(order)) == pytest.approx(len(allowed) / 10 ** len(order), rel=1e-9)


@pytest.mark.parametrize("order", PART_ORDERS)
@pytest.mark.parametrize("length", [4, 5, 6, 7])
def test_open_dates_against_their_forms(order: DateOrder, length: int) -> None:
    rules = FieldRules(date=order, years=(1899, 1902), digits=(length, length))
    orders = ("DMY", "MDY", "YMD") if order == "auto" else (order,)
    allowed = set()
    for ordinal in range(date(1899, 1, 1).toordinal(), date(1903, 1, 1).toordinal()):
        day = date.fromordinal(ordinal)
        for years in (f"{day.year}", f"{day.year % 100:02d}"):
            ways = {"D": {f"{day.day}", f"{day.day:02d}"}, "M": {f"{day.month}", f"{day.month:02d}"}, "Y": {years}}
            for one in orders:
                if one != "YMD" or order == "YMD" or len(years) == 4:
                    allowed |= {text for parts in product(*(ways[p] for p in one)) if len(text := "".join(parts)) == length}
    starts = {text[:k] for text in allowed for k in range(length + 1)}
    goes_on: dict[str, set[str]] = defaultdict(set)
    for text in allowed:
        for k in range(length):
            goes_on[text[:k]].add(text[k:])
    seen: dict[tuple[int, object], set[str]] = {}
    for start in sorted({s + d for s in starts for d in ("", *"0123456789") if len(s + d) <= length}):
        key = rules.key(start)
        assert (key is not None) == (start in starts), start
        if key is not None and len(start) < length:
            assert seen.setdefault((len(start), key), goes_on[start]) == goes_on[start], start
    assert rules.chance(length) == pytest.approx(len(allowed) / 10**length, rel=1e-9)


@pytest.mark.parametrize(
    ("text", "order", "breaks", "meant"),
    [
        ("13052019", "auto", (), "2019-05-13"),
        ("05132019", "auto", (), "2019-05-13"),
        ("20190513", "auto", (), "2019-05-13"),
        ("05062019", "auto", (), None),
        ("05062019", "DMY", (), "2019-06-05"),
        ("05062019", "MDY", (), "2019-05-06"),
        ("05052019", "auto", (), "2019-05-05"),
        ("31022019", "auto", (), None),
        ("552015", "auto", (1, 2), "2015-05-05"),
        ("1112019", "MDY", (), None),  # 1/11 or 11/1
        ("1112019", "MDY", (1, 3), "2019-01-11"),
        ("1112019", "MDY", (2, 3), "2019-11-01"),
        ("1112019", "MDY", (3,), None),
        ("5515", "MDY", (), "2015-05-05"),
        ("251219", "auto", (2, 4), "2019-12-25"),
        ("191225", "auto", (2, 4), "2025-12-19"),
        ("191225", "YMD", (2, 4), "2019-12-25"),
        ("251268", "DDMMYY", (), "2068-12-25"),
        ("251269", "DDMMYY", (), "1969-12-25"),
    ],
)
def test_what_day_a_text_is(text: str, order: DateOrder, breaks: tuple[int, ...], meant: str | None) -> None:
    day = date_of(text, order, (1900, 2099), breaks)
    assert (day.isoformat() if day else None) == meant


@pytest.mark.parametrize(
    ("span", "day", "say"),
    [
        ("180d", "2026-11-21", ""),
        ("180d", "2026-11-22", "post-dated: after 2026-11-21"),
        ("180d", "2026-05-25", ""),
        ("180d", "2026-05-24", "stale: before 2026-05-25, 180d before 2026-11-21"),
        ("6m", "2026-05-21", ""),
        ("6m", "2026-05-20", "stale: before 2026-05-21, 6m before 2026-11-21"),
        ("1y", "2025-11-21", ""),
        ("9999y", "0001-11-21", ""),
    ],
)
def test_a_window_of_dates(span: str, day: str, say: str) -> None:
    assert DateWindow(span, date(2026, 11, 21)).doubt(date.fromisoformat(day)) == say


def test_a_month_before_a_long_one_ends_with_it() -> None:
    assert DateWindow("1m", date(2026, 3, 31)).earliest == date(2026, 2, 28)


@pytest.mark.parametrize("span", ["", "180", "d", "-1d", "6 m", "1w"])
def test_a_span_that_is_none(span: str) -> None:
    with pytest.raises(ValueError, match="is not a period; use 180d, 6m or 1y"):
        DateWindow(span, date(2026, 11, 21))
