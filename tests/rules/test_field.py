from __future__ import annotations

import pickle
from collections import defaultdict
from itertools import product

import pytest

from docproc.rules import FieldRules, Weighted, automaton
from tests.rules.test_check_digits import ISBN10


@pytest.mark.parametrize(
    ("rules", "text", "named"),
    [
        (FieldRules(digits=(2, 3)), "1", "must have 2 to 3 digits"),
        (FieldRules(digits=(2, 3)), "123", ""),
        (FieldRules(digits=(0, 3)), "", ""),
        (FieldRules(digits=(0, 3)), "1234", "must have at most 3 digits"),
        (FieldRules(digits=(8, 8)), "1", "must have 8 digits"),
        (FieldRules(digits=(1, 1)), "12", "must have 1 digit"),
        (FieldRules(check="luhn"), "79927398713", ""),
        (FieldRules(check="luhn"), "79927398710", "check digit (luhn)"),
        (FieldRules(check=Weighted(ISBN10, 11)), "0306406151", "check digit (weighted)"),
        (FieldRules(bounds=(0, 120)), "120", ""),
        (FieldRules(bounds=(0, 120)), "0007", ""),
        (FieldRules(bounds=(0, 120)), "121", "range 0 to 120"),
        (FieldRules(bounds=(0, 120)), "", "range 0 to 120"),
        (FieldRules(allowed=frozenset({"17", "4"})), "17", ""),
        (FieldRules(allowed=frozenset({"17", "4"})), "1", "must be in the list"),
        (FieldRules(pattern="4[0-3]\\d{2}"), "4211", ""),
        (FieldRules(pattern="4[0-3]\\d{2}"), "4411", "pattern 4[0-3]\\d{2}"),
        (FieldRules(date="DDMMYYYY"), "29022024", ""),
        (FieldRules(date="DDMMYYYY"), "29022023", "must be a date (DDMMYYYY) from 1900 to 2099"),
        (FieldRules(date="DDMMYYYY"), "01011899", "must be a date (DDMMYYYY) from 1900 to 2099"),
        (FieldRules(date="MMDDYYYY"), "12312024", ""),
        (FieldRules(date="MMDDYYYY"), "31122024", "must be a date (MMDDYYYY) from 1900 to 2099"),
        (FieldRules(date="YYYYMMDD", years=(1990, 1999)), "20000101", "must be a date (YYYYMMDD) from 1990 to 1999"),
        (FieldRules(date="DDMMYY"), "290200", ""),
        (FieldRules(date="DDMMYY", years=(1900, 1950)), "290200", "must be a date (DDMMYY) from 1900 to 1950"),
        (FieldRules(date="YYMMDD"), "991331", "must be a date (YYMMDD) from 1900 to 2099"),
        (FieldRules(date="DMY"), "3222024", "must be a date (DMY) from 1900 to 2099"),
        (FieldRules(date="auto"), "99999999", "must be a date from 1900 to 2099"),
        (FieldRules(), "1" * 33, "must have at most 32 digits"),
        (FieldRules(), "12x", "must have at most 32 digits"),
    ],
)
def test_the_first_broken_rule_is_named(rules: FieldRules, text: str, named: str) -> None:
    assert rules.named(text) == named
    assert rules.allows(text) == (named == "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"digits": (3, 2)},
        {"bounds": (5, 1)},
        {"years": (2000, 1999)},
        {"check": "crc"},
        {"date": "YYYYDDMM"},
        {"allowed": frozenset()},
        {"allowed": frozenset({"12", "1a"})},
        *(
            {"pattern": p}
            for p in ("(1", "1)", "a", "[", "[]", "[^0-9]", "[5-1]", "[1-]", "*", "1**", "1{2", "1{2,1}", "\\w", "1{}")
        ),
        {"pattern": "\\d{2000}"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        FieldRules(**wrong)  # type: ignore[arg-type]


SMALL = [
    FieldRules(digits=(2, 4)),
    *(FieldRules(digits=(2, 4), check=name) for name in ("luhn", "mod10", "mod11", "mod97", "verhoeff")),
    FieldRules(digits=(3, 3), check="luhn"),
    FieldRules(digits=(2, 4), check=Weighted((7, 5, 2), 9, 4)),
    FieldRules(digits=(1, 4), check=Weighted((2, 4, 2, 4), 8, 2)),  # some remainders cannot be reached
    FieldRules(digits=(1, 4), bounds=(17, 320)),
    FieldRules(digits=(4, 4), bounds=(990, 12345)),
    FieldRules(digits=(0, 4), pattern="(12|3[4-6])*|0{2,}7"),
    FieldRules(digits=(0, 4), pattern="\\d*1\\d"),
    FieldRules(digits=(0, 4), allowed=frozenset({"1", "12", "127", "9127", "0000"})),
    FieldRules(digits=(2, 4), check="mod97", pattern="1.*"),
    FieldRules(digits=(2, 4), check="luhn", bounds=(100, 150), pattern="[01]\\d*"),
    FieldRules(digits=(4, 4), check="verhoeff", allowed=frozenset({"2363", "2364", "1111"})),
    FieldRules(digits=(1, 1), check="luhn"),  # cannot be
]


@pytest.mark.parametrize("rules", SMALL)
def test_a_key_tells_all_that_may_follow(rules: FieldRules) -> None:
    """All strings of up to four digits, one by one."""
    allowed = {text for n in range(5) for digits in product("0123456789", repeat=n) if rules.allows(text := "".join(digits))}
    goes_on: dict[str, set[str]] = defaultdict(set)
    for text in allowed:
        for k in range(len(text) + 1):
            goes_on[text[:k]].add(text[k:])
    walk = automaton(rules)
    seen: dict[tuple[int, object], set[str]] = {}
    for n in range(4):
        for digits in product("0123456789", repeat=n):
            text = "".join(digits)
            key = rules.key(text)
            assert (key is not None) == (text in goes_on), text
            state = walk.start
            for d in text:
                state = walk.step(state, int(d)) if state >= 0 else -1
            assert (state >= 0) == (text in goes_on), text
            assert walk.good(state) == (text in allowed), text
            if key is not None:
                assert seen.setdefault((n, key), goes_on[text]) == goes_on[text], text
    for length in range(5):
        assert rules.chance(length) == pytest.approx(sum(len(text) == length for text in allowed) / 10**length, abs=1e-12)


def test_keys_are_as_few_as_the_rule_needs() -> None:
    for check, most in (("luhn", 10), ("verhoeff", 10), ("mod11", 11), ("mod97", 97)):
        rules = FieldRules(digits=(8, 8), check=check)  # type: ignore[arg-type]
        keys = {rules.key(f"{k:04d}") for k in range(2000)}
        assert len(keys) <= most


def test_keys_of_dates_are_as_few_as_the_calendar_needs() -> None:
    years_first, years_last = (FieldRules(date=order, years=(1901, 2099)) for order in ("YYYYMMDD", "DDMMYYYY"))
    assert len({years_first.key(f"{year}") for year in range(1901, 2100)}) == 2  # of common years and of leap years
    assert len({years_first.key(f"{year // 10}") for year in range(1910, 2100)}) == 2  # 0, 4, 8 or 2, 6 make leap years
    assert len({years_last.key(f"2802{decade}") for decade in range(191, 210)}) == 1
    assert len({years_last.key(f"2902{decade}") for decade in range(191, 210)}) == 2


def test_rules_travel_between_processes() -> None:
    rules = FieldRules((2, 4), "1.*", (0, 99), Weighted((3, 1), 10), frozenset({"12"}), "DDMMYY")
    assert pickle.loads(pickle.dumps(rules)) == rules
    assert hash(pickle.loads(pickle.dumps(rules))) == hash(rules)


def test_only_a_number_of_digits_is_trivial() -> None:
    assert FieldRules(digits=(2, 4)).trivial
    assert FieldRules().trivial
    assert not FieldRules(check="luhn").trivial
    assert not FieldRules(bounds=(0, 9)).trivial


def test_a_second_bound_on_the_digits() -> None:
    rules = FieldRules(digits=(2, 6), check="luhn")
    assert rules.within(None) == rules
    assert rules.within((4, 9)) == FieldRules(digits=(4, 6), check="luhn")
    assert rules.within((7, 9)) is None
