from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from docproc.readers.lattice import search
from docproc.readers.lattice.search import decode, marginals, trace
from docproc.types import Box, Candidate, Scores

BOX = Box(0, 0, 1, 1)


def candidate(first: int, last: int) -> Candidate:
    return Candidate(first, last, tuple(range(first, last)), BOX)


def scores_of(*digits: int, share: float = 0.98) -> Scores:
    table = np.full((len(digits), 11), (1 - share) / 10, np.float32)
    for row, digit in enumerate(digits):
        table[row, digit] = share
    return table


def test_the_likelier_way_to_cut_wins() -> None:
    # Two pieces: one 0, or a 1 and a 1.
    candidates = [candidate(0, 1), candidate(1, 2), candidate(0, 2)]
    scores = scores_of(1, 1, 0)
    assert decode(2, candidates, np.array([1.0, 1.0, 5.0]), scores).strings[0][0] == "0"
    assert decode(2, candidates, np.array([3.0, 3.0, 5.0]), scores).strings[0][0] == "11"


def test_a_mark_is_passed_over() -> None:
    candidates = [candidate(0, 1), candidate(1, 2), candidate(2, 3)]
    found = decode(3, candidates, np.array([4.0, -6.0, 4.0]), scores_of(1, 8, 7))
    assert found.strings[0][0] == "17"
    assert found.paths[0] == (0, 2)


def test_a_length_that_is_asked_for_is_kept() -> None:
    candidates = [candidate(0, 1), candidate(1, 2), candidate(2, 3)]
    found = decode(3, candidates, np.array([4.0, -6.0, 4.0]), scores_of(1, 8, 7), digits=(3, 3))
    assert found.strings[0][0] == "187"
    assert all(len(text) == 3 for text, _ in found.strings)


def test_a_length_that_cannot_be_gives_nothing() -> None:
    assert decode(1, [candidate(0, 1)], np.array([4.0]), scores_of(1), digits=(2, 3)).strings == ()


def test_no_candidates_read_as_nothing() -> None:
    assert decode(0, [], np.zeros(0), np.zeros((0, 11), np.float32)).strings == (("", 1.0),)


@st.composite
def lattices(draw: st.DrawFn) -> tuple[int, list[Candidate], NDArray[np.float64], Scores]:
    pieces = draw(st.integers(1, 5))
    spans = draw(
        st.lists(
            st.tuples(st.integers(0, pieces - 1), st.integers(1, 3)).filter(lambda s: s[0] + s[1] <= pieces),
            max_size=6,
            unique=True,
        )
    )
    candidates = [candidate(first, first + length) for first, length in spans]
    odds = np.array(draw(st.lists(st.floats(-6, 6), min_size=len(spans), max_size=len(spans))))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    return pieces, candidates, odds, rng.dirichlet(np.full(11, 0.25), len(spans)).astype(np.float32).reshape(-1, 11)


def all_paths(pieces: int, candidates: list[Candidate], at: int = 0) -> list[tuple[int, ...]]:
    if at == pieces:
        return [()]
    paths = list(all_paths(pieces, candidates, at + 1))
    for k, c in enumerate(candidates):
        if c.first == at:
            paths += [(k, *rest) for rest in all_paths(pieces, candidates, c.last)]
    return paths


@settings(max_examples=150, deadline=None)
@given(lattices(), st.one_of(st.none(), st.tuples(st.integers(0, 2), st.integers(2, 4))))
def test_against_all_paths_one_by_one(
    case: tuple[int, list[Candidate], NDArray[np.float64], Scores], digits: tuple[int, int] | None
) -> None:
    """The slow way: every path, every digit on it."""
    pieces, candidates, odds, scores = case
    shares = scores[:, :10].astype(float) / scores[:, :10].sum(axis=1, keepdims=True).astype(float)
    weight: dict[str, float] = defaultdict(float)
    for path in all_paths(pieces, candidates):
        texts = {"": float(np.exp(odds[list(path)].sum()))}
        for k in path:
            texts = {text + str(d): w * shares[k, d] for text, w in texts.items() for d in range(10)}
        for text, w in texts.items():
            if digits is None or digits[0] <= len(text) <= digits[1]:
                weight[text] += w
    quick = decode(pieces, candidates, odds, scores, digits)
    with pytest.MonkeyPatch.context() as patch:
        everything = replace(search.SEARCH, max_kept=10**6, max_classes=10, min_share=0.0, min_log_odds=-np.inf)
        patch.setattr(search, "SEARCH", everything)
        whole = decode(pieces, candidates, odds, scores, digits)
    if not weight:
        assert quick.strings == whole.strings == ()
        return
    total = sum(weight.values())
    # Where nothing is pruned the search is exact; pruned, it may miss a little weight and never find too much.
    assert whole.strings[0][1] == pytest.approx(max(weight.values()) / total, abs=1e-6)
    for text, share in whole.strings:
        assert share == pytest.approx(weight[text] / total, abs=1e-6)
    for text, share in quick.strings:
        assert share <= weight[text] / total + 1e-6


@settings(max_examples=60, deadline=None)
@given(lattices())
def test_marginals_against_all_paths(case: tuple[int, list[Candidate], NDArray[np.float64], Scores]) -> None:
    pieces, candidates, odds, _ = case
    found = marginals(pieces, candidates, odds)
    paths = all_paths(pieces, candidates)
    weights = np.array([np.exp(odds[list(path)].sum()) for path in paths])
    for k in range(len(candidates)):
        on = sum(w for w, path in zip(weights, paths, strict=True) if k in path)
        assert found[k] == pytest.approx(on / weights.sum(), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(lattices(), st.text("0123456789", max_size=3))
def test_a_trace_sums_all_paths_of_its_text(case: tuple[int, list[Candidate], NDArray[np.float64], Scores], text: str) -> None:
    pieces, candidates, odds, scores = case
    shares = scores[:, :10].astype(float) / scores[:, :10].sum(axis=1, keepdims=True).astype(float)
    weights = {
        path: float(np.exp(odds[list(path)].sum()) * np.prod([shares[k, int(c)] for k, c in zip(path, text, strict=True)]))
        for path in all_paths(pieces, candidates)
        if len(path) == len(text)
    }
    [(total, path)] = trace(pieces, candidates, odds, scores, [text])
    if not weights:
        assert (total, path) == (-np.inf, ())
        return
    assert np.exp(total) == pytest.approx(sum(weights.values()), rel=1e-4, abs=1e-30)
    assert weights[path] == pytest.approx(max(weights.values()), rel=1e-4, abs=1e-30)
