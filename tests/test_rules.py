from __future__ import annotations

import pickle
import re
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from docproc import rules as room
from docproc.readers.ctc import best_texts, text_scores
from docproc.readers.lattice.decode import decode
from docproc.readers.vote import ballots
from docproc.rules import DateWindow, FieldRules, Weighted, aba, automaton, luhn, mod10, mod11, mod97, verhoeff, weighted
from docproc.types import NOT_A_DIGIT, Candidate, Scores
from tests.readers.lattice.test_decode import all_paths, candidate, lattices, scores_of
from tests.readers.test_ctc import frames_of
from tests.readers.test_vote import lattice

BLANK = NOT_A_DIGIT
ISBN10 = (10, 9, 8, 7, 6, 5, 4, 3, 2, 1)


def isbn10(text: str) -> bool:
    return weighted(text, ISBN10, 11)


PUBLISHED: list[tuple[Callable[[str], bool], str]] = [
    (luhn, "79927398713"),  # Wikipedia, Luhn algorithm
    (luhn, "17893729974"),  # the same, a later version
    (luhn, "4111111111111111"),  # the card number that payment services publish for tests
    (mod10, "4006381333931"),  # Wikipedia, International Article Number
    (mod10, "73513537"),  # the same, EAN-8
    (mod10, "9780306406157"),  # Wikipedia, ISBN-13
    (mod10, "036000291452"),  # Wikipedia, Universal Product Code
    (mod11, "86011117947"),  # python-stdnum, no.kontonr: a Norwegian account
    (mod11, "988077917"),  # python-stdnum, no.orgnr: a Norwegian organization
    (mod97, "79444"),  # ISO/IEC 7064: 794 with its check 44
    (mod97, "3214282912345698765432161182"),  # Wikipedia, IBAN: GB82 WEST 1234 5698 7654 32 in digits
    (aba, "011000015"),  # Federal Reserve Bank of Boston
    (aba, "021000021"),  # JPMorgan Chase, New York
    (verhoeff, "2363"),  # Wikipedia, Verhoeff algorithm
    (verhoeff, "1428570"),  # Rosetta Code
    (verhoeff, "1234567890120"),  # the same
    (isbn10, "0306406152"),  # Wikipedia, ISBN
    (isbn10, "9971502100"),  # the same, from Singapore
]


@pytest.mark.parametrize(("check", "text"), PUBLISHED)
def test_a_published_number_fits_and_with_one_digit_wrong_does_not(check: Callable[[str], bool], text: str) -> None:
    assert check(text)
    for place, digit in product(range(len(text)), "0123456789"):
        if digit != text[place]:
            assert not check(text[:place] + digit + text[place + 1 :])


@pytest.mark.parametrize(
    ("check", "text"),
    [p for p in PUBLISHED if p[0] in (verhoeff, mod97, mod11, isbn10)],
    ids=lambda p: getattr(p, "__name__", p),
)
def test_two_neighbors_that_changed_places_are_noticed(check: Callable[[str], bool], text: str) -> None:
    for k in range(len(text) - 1):
        if text[k] != text[k + 1]:
            assert not check(text[:k] + text[k + 1] + text[k] + text[k + 2 :])


@pytest.mark.parametrize("check", [luhn, mod10, mod11, mod97, aba, verhoeff, isbn10])
@pytest.mark.parametrize("text", ["", "0", "12a4", "٣٤", "-18"])
def test_what_has_no_check_digit_does_not_fit(check: Callable[[str], bool], text: str) -> None:
    assert not check(text)


def test_where_eleven_asks_for_a_ten_no_digit_fits() -> None:
    # 6 times 2 is 12, 1 too many for 11: the check digit would be 10.
    assert [d for d in range(10) if mod11(f"6{d}")] == []
    assert [d for d in range(10) if mod11(f"5{d}")] == [1]


def test_aba_has_nine_digits_and_weights_bound_the_length() -> None:
    assert not aba("0" * 8)
    assert aba("0" * 9)
    assert weighted("0" * 10, ISBN10, 11)
    assert not weighted("0" * 11, ISBN10, 11)
    assert weighted("31", (3, 7, 1), 10, remainder=2)  # the weights are aligned to the right: 3 x 7 + 1


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


@pytest.mark.parametrize("wrong", [((1,), 10, 0), ((1, 2), 1, 0), ((1, 2), 10, 10)])
def test_weights_that_make_no_sense_are_refused(wrong: tuple[tuple[int, ...], int, int]) -> None:
    with pytest.raises(ValueError, match=r"check digit|remainder"):
        Weighted(*wrong)


atoms = st.sampled_from(["0", "1", "2", ".", "\\d", "[01]", "[^0]", "[1-2]", "(?:0|12)", "(1|)"])
patterns = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,}", "{,2}", "{0}", "{1,2}"])).map(
            lambda p: f"({p[0]}){p[1]}"
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(patterns, st.booleans())
def test_a_pattern_means_what_it_means_elsewhere(pattern: str, ends: bool) -> None:
    # Python 3.11 takes {,2} for at most two as well.
    written = f"^{pattern}$" if ends else pattern
    rules = FieldRules(pattern=written, digits=(0, 4))
    for length in range(5):
        for digits in product("012", repeat=length):
            text = "".join(digits)
            assert rules.allows(text) == bool(re.fullmatch(pattern, text)), (written, text)


def test_a_pattern_that_is_slow_elsewhere_is_not() -> None:
    rules = FieldRules(pattern="(1*)*(1|11)*2", digits=(1, 32))
    assert not rules.allows("1" * 31)
    assert rules.allows("1" * 31 + "2")


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


@pytest.mark.parametrize("order", [order for order in room.DATE_ORDERS if order not in room.PART_ORDERS])
def test_dates_against_the_calendar(order: room.DateOrder) -> None:
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


@pytest.mark.parametrize("order", room.PART_ORDERS)
@pytest.mark.parametrize("length", [4, 5, 6, 7])
def test_open_dates_against_their_forms(order: room.DateOrder, length: int) -> None:
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
def test_what_day_a_text_is(text: str, order: room.DateOrder, breaks: tuple[int, ...], meant: str | None) -> None:
    day = room.date_of(text, order, (1900, 2099), breaks)
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
    with pytest.raises(ValueError, match="no span of time"):
        DateWindow(span, date(2026, 11, 21))


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


# What the searches make of it.


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize(
    "rules",
    [
        FieldRules(check="luhn"),
        FieldRules(check="verhoeff", digits=(2, 3)),
        FieldRules(bounds=(10, 420)),
        FieldRules(pattern="(1|2.)+"),
        FieldRules(allowed=frozenset({"1", "27", "345", "90", "1234"})),
    ],
)
@pytest.mark.parametrize("digits", [None, (2, 3)])
def test_decode_finds_the_best_allowed_text_there_is(seed: int, rules: FieldRules, digits: tuple[int, int] | None) -> None:
    """The slow way: every path, every digit on it."""
    rng = np.random.default_rng(seed)
    pieces = int(rng.integers(2, 5))
    spans = [(f, f + n) for f in range(pieces) for n in (1, 2) if f + n <= pieces and (n == 1 or rng.random() < 0.5)]
    candidates = [candidate(*span) for span in spans]
    odds = rng.normal(1, 3, len(spans)).clip(-5.9, 8)
    scores = rng.dirichlet(np.full(11, 0.25), len(spans)).astype(np.float32) + np.float32(1e-3)
    weight = _weights(pieces, candidates, odds, scores, digits)
    allowed = {text: w for text, w in weight.items() if rules.allows(text)}
    found = decode(pieces, candidates, odds, scores, digits, rules)
    assert all(rules.allows(text) for text, _ in found.strings)
    if not allowed:
        assert found.strings == ()
        return
    total = sum(weight.values())
    assert found.strings[0][1] == pytest.approx(max(allowed.values()) / total, rel=1e-4)
    for (text, share), path in zip(found.strings, found.paths, strict=True):
        assert share == pytest.approx(allowed[text] / total, rel=1e-4)
        assert len(path) == len(text)
    assert found.whole == pytest.approx(np.log(total), abs=1e-6)
    assert [s for _, s in found.strings] == sorted((s for _, s in found.strings), reverse=True)


def _weights(
    pieces: int,
    candidates: list[Candidate],
    odds: NDArray[np.float64],
    scores: Scores,
    digits: tuple[int, int] | None,
) -> dict[str, float]:
    shares = scores[:, :10].astype(float) / scores[:, :10].sum(axis=1, keepdims=True).astype(float)
    weight: dict[str, float] = defaultdict(float)
    for path in all_paths(pieces, candidates):
        texts = {"": float(np.exp(odds[list(path)].sum()))}
        for k in path:
            texts = {text + str(d): w * shares[k, d] for text, w in texts.items() for d in range(10)}
        for text, w in texts.items():
            if digits is None or digits[0] <= len(text) <= digits[1]:
                weight[text] += w
    return weight


@settings(max_examples=80, deadline=None)
@given(lattices(), st.sampled_from(SMALL))
def test_decode_never_tells_a_forbidden_text(
    case: tuple[int, list[Candidate], NDArray[np.float64], Scores], rules: FieldRules
) -> None:
    found = decode(*case, rules=rules)
    plain = decode(*case)
    assert all(rules.allows(text) for text, _ in found.strings)
    assert sum(share for _, share in found.strings) <= 1 + 1e-6
    # What the plain search finds and the rules allow is found as well.
    for text, share in plain.strings:
        if rules.allows(text):
            assert found.strings[0][1] >= share * (1 - 1e-6)


def test_a_check_digit_is_not_lost_to_texts_that_look_better() -> None:
    # Sixteen doubtful digits; of all the texts that the plain search keeps none fits.
    truth = "4539578763621486"
    assert luhn(truth)
    scores = np.full((16, 11), 0.001, np.float32)
    for place, digit in enumerate(truth):
        scores[place, int(digit)] = 0.3
        scores[place, (int(digit) + 5) % 10] = 0.69 if place == 7 else 0.01
    spans = [candidate(k, k + 1) for k in range(16)]
    rules = FieldRules(check="luhn", digits=(16, 16))
    odds = np.full(16, 6.0)
    assert decode(16, spans, odds, scores).strings[0][0] != truth
    found = decode(16, spans, odds, scores, (16, 16), rules)
    assert found.strings[0][0] == truth
    assert found.strings[0][1] < decode(16, spans, odds, scores, (16, 16)).strings[0][1]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("doubtful", [True, False])
@pytest.mark.parametrize("scant", [True, False])
def test_a_remainder_is_not_lost_among_many_texts(
    seed: int, doubtful: bool, scant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Combs of 20 digits: the best of every remainder, place by place, is the best of all."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.full(11, 0.7), 20).astype(np.float32) + np.float32(0.002)
    if not doubtful:
        # Now and then no single other digit helps, and there are thousands of pairs.
        scores = rng.uniform(0.001, 0.002, (20, 11)).astype(np.float32)
        scores[np.arange(20), rng.integers(0, 10, 20)] = 1.0
    if scant:
        # One text for each remainder is enough.
        monkeypatch.setattr("docproc.readers.lattice.decode.RULED_KEPT", 1)
        monkeypatch.setattr("docproc.readers.lattice.decode.RULED_MOST", 97)
    shares = np.log(scores[:, :10].astype(float) / scores[:, :10].sum(axis=1, keepdims=True).astype(float))
    best = {0: 0.0}
    for row in shares:
        grown: dict[int, float] = {}
        for remainder, total in best.items():
            for digit in range(10):
                after = (remainder * 10 + digit) % 97
                grown[after] = max(grown.get(after, -np.inf), total + row[digit])
        best = grown
    cells = [candidate(k, k + 1) for k in range(20)]
    found = decode(20, cells, np.full(20, 6.0), scores, (20, 20), FieldRules(check="mod97"))
    assert np.log(found.strings[0][1]) == pytest.approx(best[1], abs=1e-5)


def test_rules_that_leave_no_length_leave_nothing() -> None:
    args = (1, [candidate(0, 1)], np.array([4.0]), scores_of(1))
    assert decode(*args, digits=(1, 1), rules=FieldRules(digits=(2, 2))).strings == ()
    assert decode(*args, rules=FieldRules(digits=(1, 1), check="luhn")).strings == ()
    assert best_texts(frames_of({1: 1}), FieldRules(digits=(1, 1), check="luhn")) == ()


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize(
    "rules",
    [
        FieldRules(check=Weighted((3, 1, 3, 1, 3), 10)),
        FieldRules(bounds=(1, 101)),
        FieldRules(allowed=frozenset({"10", "0110"})),
    ],
)
def test_the_line_s_best_allowed_text_is_found(seed: int, rules: FieldRules) -> None:
    """The slow way: every text of two digits that five frames can hold."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, rng.uniform(0.5, 4), (5, 11))
    logits[:, 2:BLANK] = -40
    frames = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    texts = ["".join(t) for n in range(6) for t in product("01", repeat=n) if rules.allows("".join(t))]
    odds = np.exp(text_scores(frames, texts))
    found = best_texts(frames, rules)
    assert all(rules.allows(text) for text, _ in found)
    if odds.max() > 1e-6:
        assert found[0][0] == texts[int(odds.argmax())]
        assert found[0][1] == pytest.approx(float(odds.max()), rel=1e-6)


def test_the_line_proposes_what_fits_beside_what_looks_best() -> None:
    # 18 fits Luhn's check digit, 17 does not.
    frames = frames_of({1: 1}, {BLANK: 1}, {7: 0.9, 8: 0.1})
    assert best_texts(frames)[0][0] == "17"
    assert best_texts(frames, FieldRules(check="luhn"))[0][0] == "18"


def test_what_cannot_be_spread_over_the_frames_is_not_told() -> None:
    # The same digit twice needs a blank between.
    twice = FieldRules(allowed=frozenset({"11"}))
    assert best_texts(frames_of({1: 1}, {1: 1}), twice) == ()
    assert best_texts(frames_of({1: 1}, {BLANK: 1}, {1: 1}), twice)[0][0] == "11"


def test_ballots_hold_the_plain_texts_first_and_the_allowed_ones() -> None:
    cut = lattice((0, 1), (1, 2))
    odds, scores = np.array([6.0, 6.0]), scores_of(1, 7, share=0.97)
    frames = frames_of({1: 1}, {BLANK: 1}, {7: 1})
    rules = FieldRules(check="luhn", digits=(2, 2))
    plain = ballots(cut, odds, scores, frames, (2, 2))
    both = ballots(cut, odds, scores, frames, (2, 2), rules=rules)
    assert both[: len(plain)] == plain
    assert plain[0].text == "17"
    assert "18" in {ballot.text for ballot in both if rules.allows(ballot.text)}
    assert len({ballot.text for ballot in both}) == len(both)
    fits = next(ballot for ballot in both if ballot.text == "18")
    assert fits.path == (0, 1)
    assert fits.lattice < plain[0].lattice
    assert ballots(cut, odds, scores, frames, (1, 1), rules=rules) == ballots(cut, odds, scores, frames, (1, 1))
