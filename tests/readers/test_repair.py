from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docproc.readers.repair import (
    REPAIR,
    Choice,
    edits,
    repair_field,
    repair_page,
)
from docproc.rules import EqualRule, FieldRules, OrderRule, PageRule, SumRule, luhn

LUHN = FieldRules(check="luhn")
Texts = tuple[tuple[str, float], ...]


def test_what_keeps_the_rules_stays_as_it_is() -> None:
    choice = repair_field([("18", 0.6), ("26", 0.4)], 0.55, LUHN)
    assert replace(choice, confidence=0.0) == Choice("18", 0.0)
    # Everything that was proposed keeps the rule; only what nobody saw may break it.
    against = 0.45 / 0.45 * (0.4 + 0.05 * REPAIR.min_allowed_share)
    assert choice.confidence == pytest.approx(0.55 / (0.55 + against))


def test_what_keeps_the_rules_is_believed_more_where_others_break_them() -> None:
    shares = [("18", 0.7), ("17", 0.15), ("26", 0.1)]
    # What is left, 0.4, falls to 17, which breaks the rule, to 26, and to what nobody saw: no digit can be replaced by another.
    against = 0.4 / 0.3 * (0.15 * 0.01 + 0.1 + 0.05 * REPAIR.min_allowed_share)
    assert repair_field(shares, 0.6, LUHN).confidence == pytest.approx(0.6 / (0.6 + against))
    assert repair_field([("18", 0.5), ("17", 0.5)], 0.9, LUHN).confidence <= REPAIR.max_confidence
    assert repair_field([("18", 0.5), ("17", 0.5)], 0.999, LUHN).confidence == 0.999
    assert repair_field([("18", 0.5), ("17", 0.5)], 0.0, LUHN).confidence == 0.0


def test_a_rule_that_most_misread_texts_break_says_more() -> None:
    """Of the texts that nobody saw, as many are allowed as of those with one digit replaced."""
    shares = [("0015", 0.9), ("0016", 0.05)]
    few, half, all_of_them = (repair_field(shares, 0.9, FieldRules(bounds=(0, most))) for most in (19, 5000, 9999))
    assert few.confidence > half.confidence > all_of_them.confidence == pytest.approx(0.9)
    allowed = 10 / 36  # another last digit, or 0005
    assert few.confidence == pytest.approx(0.9 / (0.9 + 0.1 / 0.1 * (0.05 + 0.05 * allowed)))


def test_a_misread_digit_is_put_right() -> None:
    choice = repair_field([("17", 0.7), ("18", 0.25), ("13", 0.05)], 0.7, LUHN)
    assert (choice.text, choice.changed, choice.broken) == ("18", True, "")
    assert 0.9 < choice.confidence <= REPAIR.max_confidence


def test_a_clear_text_that_breaks_the_rule_is_a_slip_of_the_writer() -> None:
    choice = repair_field([("17", 0.99999), ("18", 0.00001)], 0.999, LUHN)
    assert (choice.text, choice.changed, choice.broken) == ("17", False, "check digit (luhn)")
    assert choice.confidence < 0.999


def test_the_posterior_of_a_repair_by_hand() -> None:
    shares = [("17", 0.7), ("18", 0.2), ("13", 0.1)]
    allowed = 0.4 * 0.2 / 0.35 * (0.01 + 0.99 / 0.1)
    total = 0.6 * 0.01 + allowed + 0.4 * 0.1 / 0.35 * 0.01 + 0.4 * 0.05 / 0.35
    assert repair_field(shares, 0.6, LUHN).confidence == pytest.approx(allowed / total)


def test_more_than_two_edits_are_no_repair() -> None:
    assert repair_field([("1234", 0.6), ("5674", 0.4)], 0.5, LUHN).text == "1234"
    assert luhn("5678")
    far = repair_field([("1234", 0.6), ("5678", 0.4)], 0.5, LUHN)
    assert (far.text, far.changed, far.broken) == ("1234", False, "check digit (luhn)")
    assert far.confidence < 0.1  # and the reader does not believe in it


def test_a_rare_rule_says_more_than_a_common_one() -> None:
    rules_common, rules_rare = FieldRules(bounds=(0, 1900)), FieldRules(allowed=frozenset({"1801", "2222"}))
    # Against a text that is all but certain only the rare rule is heard.
    certain = [("1901", 0.99), ("1801", 0.01)]
    common, rare = (repair_field(certain, 0.99, rules) for rules in (rules_common, rules_rare))
    assert (common.text, common.changed) == ("1901", False)
    assert (rare.text, rare.changed) == ("1801", True)
    # Where both are heard, the repair for the rare rule is the surer one.
    doubtful = [("1901", 0.6), ("1801", 0.4)]
    common, rare = (repair_field(doubtful, 0.6, rules) for rules in (rules_common, rules_rare))
    assert (common.text, rare.text) == ("1801", "1801")
    assert common.confidence < rare.confidence


def test_a_short_list_does_not_swallow_what_is_clearly_written() -> None:
    listed = FieldRules(allowed=frozenset({"12345678", "87654321"}))
    choice = repair_field([("12345679", 0.999994), ("12345678", 0.000006)], 0.95, listed)
    assert (choice.text, choice.broken) == ("12345679", "must be in the list")
    assert repair_field([("12345679", 0.9), ("12345678", 0.1)], 0.9, listed).text == "12345678"


def test_a_repair_names_the_rule_in_words() -> None:
    misread = [("31022024", 0.6), ("31012024", 0.4)]
    choice = repair_field(misread, 0.6, FieldRules(digits=(8, 8), date="DMY"))
    assert (choice.text, choice.rule) == ("31012024", "must be a date (DMY) from 1900 to 2099")
    slip = repair_field(misread[:1], 0.99, FieldRules(date="DDMMYYYY"))
    assert (slip.text, slip.rule, slip.broken) == ("31022024", "", "must be a date (DDMMYYYY) from 1900 to 2099")


def test_nothing_read_is_nothing_to_repair() -> None:
    assert repair_field([], 0.5, LUHN) == Choice("", 0.0)
    assert repair_field([("", 0.9), ("18", 0.1)], 0.5, LUHN) == Choice("", 0.5)


# Few digits and few places: one text is often another's repair.
digit_texts = st.text("0178", min_size=1, max_size=3)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(digit_texts, min_size=1, max_size=5, unique=True),
    st.lists(st.floats(0.001, 1), min_size=5, max_size=5),
    st.floats(0, 1),
    st.sampled_from([LUHN, FieldRules(bounds=(3, 200)), FieldRules(pattern="1.*"), FieldRules(digits=(2, 3))]),
)
def test_the_guards_of_a_repair(texts: list[str], raw: list[float], confidence: float, rules: FieldRules) -> None:
    own = sorted(raw[: len(texts)], reverse=True)
    shares = [(text, share / sum(own)) for text, share in zip(texts, own, strict=True)]
    choice = repair_field(shares, confidence, rules)
    assert 0 <= choice.confidence <= 1
    if rules.allows(texts[0]):
        assert replace(choice, confidence=confidence) == Choice(texts[0], confidence)
        assert confidence - 1e-9 <= choice.confidence <= max(confidence, REPAIR.max_confidence)
    elif choice.changed:
        assert choice.text in texts[1:]
        assert rules.allows(choice.text)
        assert edits(choice.text, texts[0]) <= 2
        assert choice.broken == ""
        assert choice.confidence <= REPAIR.max_confidence
    else:
        assert choice.text == texts[0]
        assert choice.broken == rules.named(texts[0])
        assert choice.confidence <= confidence


def test_repairs_put_more_right_than_wrong_where_the_reader_is_calibrated() -> None:
    """Fields as the model has them: a writer who slips one time in a hundred, a reader who knows how often it errs."""
    rng = np.random.default_rng(7)
    before = after = harmed = repaired = wrong = kept = kept_right = 0
    hoped = believed = 0.0
    for _ in range(3000):
        body = f"{rng.integers(10**6):06d}"
        slips = rng.random() < 0.01
        truth = f"{rng.integers(10**7):07d}" if slips else next(body + d for d in "0123456789" if luhn(body + d))
        place = int(rng.integers(7))
        other = truth[:place] + str((int(truth[place]) + int(rng.integers(1, 10))) % 10) + truth[place + 1 :]
        sure = float(rng.uniform(0.6, 0.99))
        first, second = (truth, other) if rng.random() < sure else (other, truth)
        choice = repair_field([(first, sure), (second, 1 - sure)], sure, LUHN)
        before += first == truth
        after += choice.text == truth
        harmed += first == truth and choice.text != truth
        repaired += choice.changed
        wrong += choice.changed and choice.text != truth
        hoped += choice.confidence if choice.changed else 0.0
        if LUHN.allows(first):
            kept += 1
            kept_right += first == truth
            believed += choice.confidence
    assert after > before + 300
    assert harmed <= 3
    assert wrong / repaired < 0.02
    assert 1 - hoped / repaired > wrong / repaired - 0.01  # no more is promised than is kept
    assert believed / kept < kept_right / kept + 0.01


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [("", "", 0), ("12", "12", 0), ("12", "21", 2), ("123", "13", 1), ("", "777", 3), ("1234", "2341", 2)],
)
def test_edits(one: str, other: str, apart: int) -> None:
    assert edits(one, other) == edits(other, one) == apart


# Rules between the fields of a page.

SUM = SumRule(("net", "tax"), "gross", "net + tax")


def page(**fields: Texts) -> dict[str, Texts]:
    return fields


def test_a_sum_that_holds_speaks_for_its_numbers() -> None:
    choices = repair_page(page(net=(("100", 0.8),), tax=(("19", 0.9),), gross=(("119", 0.7), ("177", 0.2))), [SUM])
    assert {name: choice.text for name, choice in choices.items()} == {"net": "100", "tax": "19", "gross": "119"}
    assert all(0.95 < choice.confidence <= REPAIR.max_confidence for choice in choices.values())


def test_a_sum_that_holds_twice_says_little() -> None:
    fields = page(
        net=(("100", 0.5), ("108", 0.5)),
        tax=(("19", 0.9),),
        gross=(("119", 0.6), ("127", 0.4)),
    )
    choices = repair_page(fields, [SUM])
    assert {name: choice.text for name, choice in choices.items()} == {"net": "100", "tax": "19", "gross": "119"}
    assert choices["net"].confidence < 0.6
    assert choices["gross"].confidence < 0.65
    assert choices["tax"].confidence > 0.95


def test_one_misread_field_is_put_right_and_only_that_one() -> None:
    fields = page(
        net=(("100", 0.98), ("700", 0.01)),
        tax=(("17", 0.7), ("19", 0.28)),
        gross=(("119", 0.99), ("179", 0.005)),
    )
    choices = repair_page(fields, [SUM])
    assert (choices["tax"].text, choices["tax"].changed) == ("19", True)
    assert 0.9 < choices["tax"].confidence <= REPAIR.max_confidence
    assert not choices["net"].changed
    assert not choices["gross"].changed
    assert choices["net"].confidence <= 0.98
    assert not any(choice.broken for choice in choices.values())


def test_a_slip_of_the_writer_is_kept_and_told() -> None:
    fields = page(
        net=(("100", 0.9999), ("101", 0.000001)),
        tax=(("17", 0.9999), ("19", 0.000001)),
        gross=(("119", 0.9999),),
    )
    choices = repair_page(fields, [SUM])
    assert {name: choice.text for name, choice in choices.items()} == {"net": "100", "tax": "17", "gross": "119"}
    assert all(choice.broken == "net + tax" and not choice.changed for choice in choices.values())
    assert all(choice.confidence < 0.9999 for choice in choices.values())


def test_two_repairs_that_explain_a_page_alike_are_none() -> None:
    fields = page(
        net=(("100", 0.8), ("102", 0.2)),
        tax=(("17", 0.8), ("19", 0.2)),
        gross=(("119", 0.99),),
    )
    choices = repair_page(fields, [SUM])
    assert not any(choice.changed for choice in choices.values())
    assert choices["net"].broken == "net + tax"
    assert choices["net"].confidence < 0.8


def test_two_fields_may_change_and_three_may_not() -> None:
    parts = ("a", "b", "c")
    rule = SumRule(parts, "all")
    two = page(a=(("10", 0.6), ("11", 0.4)), b=(("20", 0.6), ("22", 0.4)), c=(("30", 0.999),), all=(("63", 0.999),))
    choices = repair_page(two, [rule])
    assert [choices[name].text for name in parts] == ["11", "22", "30"]
    three = page(a=(("10", 0.6), ("11", 0.4)), b=(("20", 0.6), ("22", 0.4)), c=(("30", 0.6), ("34", 0.4)), all=(("67", 0.999),))
    choices = repair_page(three, [rule])
    assert not any(choice.changed for choice in choices.values())
    assert choices["a"].broken == "a + b + c = all"


def test_a_blank_part_is_nothing_and_a_blank_total_is_not_judged() -> None:
    blank: Texts = (("", 0.0),)
    assert not repair_page(page(net=(("119", 0.9),), tax=blank, gross=(("119", 0.9),)), [SUM])["net"].broken
    assert repair_page(page(net=(("118", 0.9),), tax=(), gross=(("119", 0.9),)), [SUM])["net"].broken
    assert not repair_page(page(net=(("118", 0.9),), tax=blank, gross=blank), [SUM])["net"].broken
    assert not repair_page(page(net=blank, tax=blank, gross=(("119", 0.9),)), [SUM])["gross"].broken
    # A total is never made blank so that the rule keeps quiet.
    choices = repair_page(page(net=(("118", 0.9),), tax=blank, gross=(("119", 0.5), ("", 0.49))), [SUM])
    assert choices["gross"].text == "119"
    assert choices["tax"] == Choice("", 0.0)
    # Nor is a part that was read.
    choices = repair_page(page(net=(("119", 0.99),), tax=(("1", 0.6), ("", 0.39)), gross=(("119", 0.99),)), [SUM])
    assert (choices["tax"].text, choices["tax"].broken) == ("1", "net + tax")


def test_a_field_that_is_not_on_the_page_is_blank() -> None:
    assert repair_page(page(net=(("118", 0.9),)), [SUM]) == {"net": Choice("118", 0.9)}
    assert repair_page(page(gross=(("119", 0.9),), net=(("118", 0.9),)), [SUM])["net"].broken == "net + tax"


def test_equal_numbers() -> None:
    rule = EqualRule("one", "other")
    choices = repair_page(page(one=(("4711", 0.95),), other=(("4717", 0.6), ("4711", 0.35))), [rule])
    assert choices["other"].text == "4711"
    assert choices["one"].broken == ""
    assert repair_page(page(one=(("4711", 0.99),), other=(("4717", 0.99),)), [rule])["one"].broken == "one = other"


def test_dates_in_order() -> None:
    rule = OrderRule("born", "died", "DDMMYYYY", "YYMMDD")
    fields = page(born=(("01022008", 0.55), ("01022003", 0.44)), died=(("050101", 0.99),))
    choices = repair_page(fields, [rule])
    assert choices["born"].text == "01022003"
    assert (
        repair_page(page(born=(("01022008", 0.99),), died=(("050101", 0.99),)), [rule])["died"].broken == "born not after died"
    )


def test_rules_that_share_a_field_are_judged_together() -> None:
    # Each sum alone could be mended in its own field; the field that both have in common mends both.
    rules = [SumRule(("a", "b"), "x", "first"), SumRule(("a", "c"), "y", "second"), SumRule(("p", "q"), "z", "apart")]
    fields = page(
        a=(("10", 0.6), ("16", 0.39)),
        b=(("5", 0.95),),
        c=(("7", 0.95), ("13", 0.03)),
        x=(("21", 0.95), ("15", 0.03)),
        y=(("23", 0.97),),
        p=(("1", 0.9),),
        q=(("1", 0.9),),
        z=(("2", 0.9),),
    )
    choices = repair_page(fields, rules)
    assert [name for name, choice in choices.items() if choice.changed] == ["a"]
    assert (choices["p"].text, choices["p"].changed) == ("1", False)


def test_a_repair_may_not_break_another_rule() -> None:
    rules: list[PageRule] = [SUM, EqualRule("tax", "copy")]
    fields = page(net=(("100", 0.99),), tax=(("17", 0.6), ("19", 0.39)), gross=(("119", 0.99),), copy=(("17", 0.99),))
    choices = repair_page(fields, rules)
    assert choices["tax"].text == "17"
    assert choices["tax"].broken == "net + tax"
    assert choices["copy"] == Choice("17", 0.99)


some_texts: st.SearchStrategy[Texts] = st.lists(st.sampled_from(["1", "2", "3", "4", "12", ""]), max_size=4, unique=True).map(
    lambda texts: tuple((text, 0.9 * 0.5 ** (k + 1) / (1 - 0.5 ** len(texts))) for k, text in enumerate(texts))
)
page_fields = st.fixed_dictionaries(
    {"a": some_texts, "b": some_texts, "c": some_texts}, optional={"d": some_texts, "e": some_texts}
)
page_rules: st.SearchStrategy[list[PageRule]] = st.lists(
    st.sampled_from([SumRule(("a", "b"), "c"), SumRule(("c", "d"), "e"), EqualRule("a", "d"), EqualRule("b", "e")]),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(page_fields, page_rules)
def test_the_guards_of_a_page(fields: dict[str, Texts], rules: Sequence[PageRule]) -> None:
    choices = repair_page(fields, rules)
    assert choices.keys() == fields.keys()
    before = {name: texts[0][0] if texts else "" for name, texts in fields.items()}
    after = {name: choice.text for name, choice in choices.items()}
    for rule in rules:
        if rule.holds(before) is None:
            assert rule.holds(after) is None or rule.holds(after)
        if rule.holds(before):
            assert rule.holds(after)
    for name, choice in choices.items():
        assert choice.changed == (after[name] != before[name])
        assert 0 <= choice.confidence <= 1
        if choice.changed:
            assert choice.text in dict(fields[name])
            assert choice.confidence <= REPAIR.max_confidence
        elif fields[name]:
            held = any(rule.holds(after) for rule in rules if name in rule.fields)
            assert choice.confidence <= (max(REPAIR.max_confidence, fields[name][0][1]) if held else fields[name][0][1])
        if choice.broken:
            assert any(rule.called == choice.broken and rule.holds(after) is False for rule in rules if name in rule.fields)
        else:
            assert all(rule.holds(after) is not False for rule in rules if name in rule.fields) or not choice.text
    if all(rule.holds(before) is not False for rule in rules):
        assert not any(choice.changed or choice.broken for choice in choices.values())
        assert all(choice.confidence >= fields[name][0][1] for name, choice in choices.items() if fields[name])


def test_pages_are_put_right_and_slips_are_kept() -> None:
    """Pages as the model has them; what was read right stays right but for the odd one."""
    rng = np.random.default_rng(11)
    before = after = harmed = slips_changed = slips = 0
    for _ in range(1500):
        values = [int(v) for v in rng.integers(100, 999, 3)]
        slipped = rng.random() < 0.02
        total = int(rng.integers(300, 2997)) if slipped else sum(values)
        truth = [*map(str, values), str(total)]
        fields: dict[str, Texts] = {}
        for name, text in zip("abcd", truth, strict=True):
            sure = float(rng.uniform(0.8, 0.999))
            place = int(rng.integers(len(text)))
            other = text[:place] + str((int(text[place]) + int(rng.integers(1, 10))) % 10) + text[place + 1 :]
            right = rng.random() < sure
            first, second = (text, other) if right else (other, text)
            fields[name] = ((first, sure), (second, 1 - sure))
        choices = repair_page(fields, [SumRule(("a", "b", "c"), "d")])
        for name, text in zip("abcd", truth, strict=True):
            before += fields[name][0][0] == text
            after += choices[name].text == text
            harmed += fields[name][0][0] == text != choices[name].text
            slips_changed += slipped and choices[name].changed
        slips += slipped
    assert slips > 20
    assert after > before + 300
    assert harmed <= 5
    assert slips_changed <= 3


def test_confidence_rises_with_the_evidence() -> None:
    told = []
    for p in (0.002, 0.005, 0.01):
        fields = page(net=(("100", 0.97),), tax=(("17", 0.6), ("19", p)), gross=(("119", 0.97),))
        told.append(repair_page(fields, [SUM])["tax"])
    assert all(choice.changed for choice in told)
    assert all(one.confidence < other.confidence for one, other in pairwise(told))
