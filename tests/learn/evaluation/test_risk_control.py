"""Thresholds keep their error rates as often as the certainty says, and none is claimed that the data do not support."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.learn.evaluation.risk_control import (
    MAX_FIELDS,
    fields_needed,
    find_threshold,
    keeps_error,
    min_accepted,
    select_thresholds,
)
from docproc.learn.evaluation.scoring import ScoredField, error_reject_curve, error_upper_bound


def scored(confidence: float, right: bool, status: str = "ok", reason: str = "", field: str = "amount") -> ScoredField:
    return ScoredField("a", 1, field, "1", "1" if right else "2", confidence, right, True, status, reason)


def ranked(right: list[bool]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Fields of falling confidence."""
    return np.linspace(1, 0.5, len(right)), np.array(right)


@pytest.mark.parametrize(
    ("wrong", "max_error", "count"), [(0, 0.01, 299), (0, 0.05, 59), (1, 0.05, 93), (0, 0.001, 2995), (1, 0.01, 473)]
)
def test_how_many_fields_an_error_rate_takes(wrong: int, max_error: float, count: int) -> None:
    # As published for sampling in audits: 299, 473 at 1 %; 59, 93 at 5 %.
    assert min_accepted(wrong, max_error) == count
    assert keeps_error(wrong, count, max_error)
    assert not keeps_error(wrong, count - 1, max_error)
    assert min_accepted(0, 0.0) == MAX_FIELDS


def test_all_right_fields_are_accepted_as_far_as_they_go() -> None:
    found = find_threshold(error_reject_curve(*ranked([True] * 400)), 0.01)
    assert found is not None
    assert (found.accepted, found.wrong) == (400, 0)
    assert found.at_most == pytest.approx(error_upper_bound(0, 400))
    assert find_threshold(error_reject_curve(*ranked([True] * 298)), 0.01) is None


def test_the_first_that_fails_ends_the_search() -> None:
    right = [True] * 59 + [False] * 3 + [True] * 500
    found = find_threshold(error_reject_curve(*ranked(right)), 0.05)
    # A quarter of all is tried first: 141 fields and more, of which three are wrong.
    assert found is not None
    assert found.wrong == 3
    assert found.accepted > 400
    assert find_threshold(error_reject_curve(*ranked([False] * 30 + [True] * 170)), 0.05) is None


def test_a_larger_error_never_accepts_less() -> None:
    rng = np.random.default_rng(4)
    for _ in range(30):
        some = [scored(c, rng.uniform() < 0.8 + 0.2 * c) for c in rng.uniform(0, 1, 300)]
        kept = select_thresholds(some, (0.01, 0.02, 0.05, 0.1, 0.2)).thresholds
        assert [one.accepted for one in kept] == sorted(one.accepted for one in kept)
        assert [one.max_error for one in kept] == sorted(one.max_error for one in kept)


def test_a_tie_is_accepted_as_a_whole() -> None:
    confidence = np.array([0.9] * 70 + [0.8] * 30)
    right = np.array([True] * 99 + [False])
    found = find_threshold(error_reject_curve(confidence, right), 0.05)
    assert found is not None
    assert (found.confidence, found.accepted, found.wrong) == (0.8, 100, 1)


def test_much_truth_is_searched_from_several_places() -> None:
    rng = np.random.default_rng(3)
    confidence = rng.uniform(0, 1, 20_000)
    # Only a tenth can be accepted: far less than the quarter that is tried first.
    right = (confidence > 0.9) | (rng.uniform(0, 1, 20_000) < 0.8)
    found = find_threshold(error_reject_curve(confidence, right), 0.01)
    assert found is not None
    assert 0.08 < found.accepted / 20_000 < 0.11


def test_many_fields_may_be_good_where_the_surest_are_not() -> None:
    found = find_threshold(error_reject_curve(*ranked([False] * 20 + [True] * 380)), 0.1)
    assert found is not None
    assert (found.accepted, found.wrong) == (400, 20)


def test_what_a_person_sees_anyway_is_never_accepted() -> None:
    some = [scored(0.99, True)] * 59 + [scored(0.999, False, "review", "breaks a rule: sum")] * 41
    found = select_thresholds(some, (0.05,))
    assert found.fields == 100
    assert found.exact == 59
    kept = found.at(0.05)
    assert kept is not None
    assert (kept.accepted, kept.wrong) == (59, 0)
    low = select_thresholds([scored(0.4, True, "review", "low confidence")] * 59, (0.05,))
    assert low.at(0.05) is not None


def test_what_the_data_do_not_support_is_not_claimed() -> None:
    found = select_thresholds([scored(0.9, True)] * 100, (0.01, 0.05))
    assert [one.max_error for one in found.thresholds] == [0.05]
    assert found.missing == ((0.01, 299),)
    assert found.at(0.01) is None
    hopeless = select_thresholds([scored(0.9, k % 10 > 0) for k in range(1_000)], (0.01,))
    assert hopeless.missing == ((0.01, None),)
    assert select_thresholds([scored(0.9, False, "review", "illegible")] * 50, (0.05,)).missing == ((0.05, None),)


def test_how_many_more_it_takes() -> None:
    # Half of the fields can be accepted, all of them right: twice 299.
    right = [True] * 50 + [False, True] * 25
    assert 598 <= (fields_needed(error_reject_curve(*ranked(right)), 0.01) or 0) <= 660
    enough = error_reject_curve(*ranked([True] * 598))
    assert find_threshold(enough, 0.01) is not None


@pytest.mark.thorough
def test_a_threshold_keeps_its_error_rate_as_often_as_it_says() -> None:
    """Many samples of readers whose error is known; also of one whose confidence says nothing, and is a little too wrong."""

    def error_of(kind: str, least: float) -> float:
        return 0.022 if kind == "flat" else float(np.mean(_error(np.linspace(least, 1, 2_001)[1:])))

    rng = np.random.default_rng(2)
    for kind in ("honest", "flat"):
        broken = kept = 0
        for _ in range(400):
            confidence = rng.uniform(0, 1, 700)
            wrong = rng.uniform(0, 1, 700) < (0.022 if kind == "flat" else _error(confidence))
            found = find_threshold(error_reject_curve(confidence, ~wrong), 0.02)
            if found:
                kept += 1
                broken += error_of(kind, found.confidence) > 0.02
        assert broken <= 0.05 * 400 + 3 * np.sqrt(0.05 * 0.95 * 400)
        if kind == "honest":
            assert kept > 300


def _error(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.3 * (1 - confidence) ** 3
