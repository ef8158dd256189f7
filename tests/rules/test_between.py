from __future__ import annotations

import pytest

from docproc.rules import EqualRule, OrderRule, PageRule, SumRule

SUM = SumRule(("net", "tax"), "gross")
EQUAL = EqualRule("one", "other")
ORDER = OrderRule("born", "died", "DDMMYYYY", "YYMMDD")


@pytest.mark.parametrize(
    ("rule", "texts", "holds"),
    [
        (SUM, {"net": "100", "tax": "019", "gross": "119"}, True),
        (SUM, {"net": "100", "tax": "17", "gross": "119"}, False),
        (SUM, {"net": "119", "tax": "", "gross": "119"}, True),  # a blank part is 0
        (SUM, {"net": "119", "gross": "119"}, True),
        (SUM, {"net": "119", "tax": "", "gross": ""}, None),
        (SUM, {"net": "", "tax": "", "gross": "119"}, None),
        (SUM, {"net": "1x", "tax": "", "gross": "119"}, None),
        (EQUAL, {"one": "0120", "other": "120"}, True),
        (EQUAL, {"one": "0120", "other": "121"}, False),
        (EQUAL, {"one": "12", "other": ""}, None),
        (ORDER, {"born": "01022003", "died": "030201"}, True),
        (ORDER, {"born": "02022003", "died": "030201"}, False),
        (ORDER, {"born": "31022003", "died": "030201"}, None),
        (ORDER, {"born": "01022003"}, None),
    ],
)
def test_whether_a_rule_holds(rule: PageRule, texts: dict[str, str], holds: bool | None) -> None:
    assert rule.holds(texts) is holds


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        (SUM, "net + tax = gross"),
        (EQUAL, "one = other"),
        (ORDER, "born not after died"),
        (SumRule(("a",), "b", "c"), "c"),
    ],
)
def test_a_rule_without_a_name_is_called_by_its_fields(rule: PageRule, name: str) -> None:
    assert rule.called == name


def test_a_slip_may_lead_to_as_many_totals_as_the_total_has_digits() -> None:
    assert SUM.totals({"gross": "7"}) == 10
    assert SUM.totals({"gross": "12345"}) == 1000
    assert EQUAL.totals({"other": "12"}) == 100
    assert ORDER.totals({}) == 2
