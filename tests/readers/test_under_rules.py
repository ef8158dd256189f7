"""What the searches of the readers make of rules."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from docproc.readers.ctc import best_texts, text_scores
from docproc.readers.handwriting import lattice_opinion
from docproc.readers.lattice import search
from docproc.readers.lattice.search import decode
from docproc.readers.vote import ballots
from docproc.rules import FieldRules, Weighted, luhn
from docproc.types import NOT_A_DIGIT, Candidate, Scores
from tests.readers.lattice.test_search import all_paths, candidate, lattices, scores_of
from tests.readers.test_ctc import frames_of
from tests.readers.test_vote import lattice, opinions
from tests.rules.test_field import SMALL

BLANK = NOT_A_DIGIT


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
        few = replace(search.SEARCH, max_kept_per_state=1, max_kept_ruled=97)
        monkeypatch.setattr(search, "SEARCH", few)
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
    scores, frames = scores_of(1, 7, share=0.97), frames_of({1: 1}, {BLANK: 1}, {7: 1})
    rules = FieldRules(check="luhn", digits=(2, 2))
    heard = opinions(cut, scores, frames, (2, 2))
    plain = ballots(heard, (2, 2))
    both = ballots(heard, (2, 2), rules)
    assert both[: len(plain)] == plain
    assert plain[0].text == "17"
    assert "18" in {ballot.text for ballot in both if rules.allows(ballot.text)}
    assert len({ballot.text for ballot in both}) == len(both)
    fits = next(ballot for ballot in both if ballot.text == "18")
    assert lattice_opinion(heard).path("18") == (0, 1)
    assert fits.logs["lattice"] < plain[0].logs["lattice"]
    single = opinions(cut, scores, frames, (1, 1))
    assert ballots(single, (1, 1), rules) == ballots(single, (1, 1))
