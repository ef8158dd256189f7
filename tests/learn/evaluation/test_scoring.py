"""Figures against cases that were computed by hand, and against published tables."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docproc.errors import BadInput
from docproc.learn.evaluation.scoring import (
    GAP,
    Record,
    align,
    binomial_cdf,
    calibration_error,
    confusion,
    edit_distance,
    error_reject_curve,
    error_upper_bound,
    field_metrics,
    interval,
    reliability,
    score_fields,
)
from docproc.runs.truth import read_results, read_truth
from tests.conftest import PROJECT


def result(document: str, text: str, confidence: float, status: str = "ok", field: str = "amount") -> Record:
    return {
        "document": document, "page": "1", "field": field, "text": text, "value": text,
        "confidence": str(confidence), "status": status, "reason": "" if status == "ok" else "confidence 0.5, 0.9 needed",
    }  # fmt: skip


def truth(document: str, text: str, field: str = "amount", **more: str) -> Record:
    return {"document": document, "page": "1", "field": field, "text": text, **more}


# ------------------------------------------------------------------------------------------------ intervals


def test_the_chance_of_a_few_wrong_ones() -> None:
    # Two coins: none wrong in a quarter, at most one in three quarters.
    assert binomial_cdf(0, 2, 0.5) == pytest.approx(0.25)
    assert binomial_cdf(1, 2, 0.5) == pytest.approx(0.75)
    assert binomial_cdf(2, 2, 0.5) == 1


@pytest.mark.parametrize(
    ("wrong", "count", "bound"),
    [
        (0, 299, 0.009969),  # "the rule of three": 299 without a wrong one promise 1 %
        (0, 59, 0.04951),
        (0, 10, 0.25887),  # 1 - 0.05 ** (1 / 10)
        (1, 10, 0.39416),
        (10, 10, 1.0),
        (0, 0, 1.0),
    ],
)
def test_the_upper_bound_of_an_error(wrong: int, count: int, bound: float) -> None:
    assert error_upper_bound(wrong, count) == pytest.approx(bound, abs=5e-6)


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    [(0, 10, 0.0, 0.3085), (1, 10, 0.0025, 0.4450), (5, 10, 0.1871, 0.8129), (10, 10, 0.6915, 1.0), (81, 263, 0.2527, 0.3676)],
)
def test_intervals_are_those_of_the_tables(hits: int, count: int, low: float, high: float) -> None:
    assert interval(hits, count) == pytest.approx((low, high), abs=6e-5)


@pytest.mark.skipif(importlib.util.find_spec("scipy") is None, reason="needs SciPy (it comes with the extra `train`)")
@given(st.integers(1, 3_000), st.floats(0, 1), st.floats(0.5, 0.999))
def test_the_bound_is_the_quantile_of_a_beta_distribution(count: int, share: float, certainty: float) -> None:
    from scipy.stats import beta

    wrong = int(share * (count - 1))
    assert error_upper_bound(wrong, count, certainty) == pytest.approx(beta.ppf(certainty, wrong + 1, count - wrong), abs=1e-9)


def test_bounds_of_many_fields() -> None:
    assert error_upper_bound(1_000, 100_000) == pytest.approx(0.010532, abs=2e-6)


# -------------------------------------------------------------------------------------------------- figures


def test_results_are_held_against_the_truth() -> None:
    scored = score_fields(
        [result("a", "12", 0.9), result("b", "13", 0.8, "review"), result("c", "7", 0.5), result("x", "1", 0.9)],
        [truth("a", "12"), truth("b", "14"), truth("c", "7"), truth("d", "99")],
    )
    assert [(one.document, one.right, one.found, one.confidence) for one in scored] == [
        ("a", True, True, 0.9), ("b", False, True, 0.8), ("c", True, True, 0.5), ("d", False, False, 0.0),
    ]  # fmt: skip
    found = field_metrics(scored)
    assert (found["fields"], found["missing"], found["exact"], found["accepted"]) == (4, 1, 0.5, 0.5)
    assert found["accepted_err"] == 0
    # One digit replaced and two never seen, of seven.
    assert found["digit_acc"] == pytest.approx(1 - 3 / 7)
    assert found["read@1%"] == 0.25
    assert found["intervals"]["exact"] == pytest.approx((0.0676, 0.9324), abs=5e-5)


def test_values_are_scored_where_the_truth_says_them() -> None:
    read = [{**result("a", "1234", 0.9), "value": "12.34"}, result("b", "1", 0.9)]
    both = field_metrics(score_fields(read, [truth("a", "1234", value="12.34"), truth("b", "1", value="")]))
    assert (both["exact"], both["value_exact"]) == (1, 1)
    only = score_fields(
        read, [{"document": "a", "field": "amount", "value": "12.34"}, {"document": "b", "field": "amount", "value": "2"}]
    )
    assert [one.right for one in only] == [True, False]


def test_two_rows_of_one_field_are_refused() -> None:
    with pytest.raises(BadInput, match="two rows in the results are of a, page 1, field 'amount'"):
        score_fields([result("a", "1", 0.9), result("a", "2", 0.9)], [truth("a", "1")])
    with pytest.raises(BadInput, match="two rows in the truth"):
        score_fields([], [truth("a", "1"), truth("a", "1")])
    with pytest.raises(BadInput, match="no rows"):
        field_metrics(())


def test_ties_are_accepted_together() -> None:
    found = error_reject_curve(np.array([0.9, 0.9, 0.8, 0.7]), np.array([True, False, True, True]))
    assert found.confidence.tolist() == [0.9, 0.8, 0.7]
    assert found.accepted.tolist() == [2, 3, 4]
    assert found.wrong.tolist() == [1, 1, 1]
    assert (found.read_rate(0.0), found.read_rate(0.25), found.read_rate(0.5)) == (0, 1, 1)
    assert error_reject_curve(np.array([]), np.array([], bool)).read_rate(0.1) == 0


def test_bins_hold_like_counts() -> None:
    confidence = np.array([0.1, 0.2, 0.8, 0.9])
    right = np.array([False, False, True, False])
    low, high = reliability(confidence, right, 2)
    assert [low.confidence, high.confidence] == pytest.approx([0.15, 0.85])
    assert [(low.right, low.count), (high.right, high.count)] == [(0, 2), (1, 2)]
    assert calibration_error(confidence, right, 2) == pytest.approx((0.15 + 0.35) / 2)
    assert calibration_error(np.array([]), np.array([], bool)) == 0


@pytest.mark.parametrize(
    ("text", "other", "apart"),
    [("", "", 0), ("12", "", 2), ("123", "123", 0), ("1223", "123", 1), ("19", "91", 2), ("13", "123", 1)],
)
def test_the_distance_of_two_texts(text: str, other: str, apart: int) -> None:
    assert edit_distance(text, other) == edit_distance(other, text) == apart


def test_digits_beside_each_other() -> None:
    assert align("13", "123") == [("1", "1"), (GAP, "2"), ("3", "3")]
    assert align("1823", "123") == [("1", "1"), ("8", GAP), ("2", "2"), ("3", "3")]
    counts = confusion([*align("13", "123"), *align("1", "7")], ("1", "2", "7", GAP))
    assert counts.tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_the_figures_are_those_of_an_independent_scorer(tmp_path: Path) -> None:
    """Where it is present: another program, written apart from this one."""
    scorer = PROJECT.parent / "shared" / "tools" / "score.py"
    if not scorer.is_file():
        pytest.skip("needs the scorer, which is not part of the project")
    rng = np.random.default_rng(5)
    expected, read = ["document,page,field,text"], ["document,page,field,text,confidence,status"]
    for k in range(800):
        text = str(rng.integers(10 ** rng.integers(1, 7)))
        expected.append(f"{k // 3}.png,{1 + k % 3 // 2},f{k % 2},{text}")
        if rng.random() < 0.97:
            sure = round(float(rng.uniform() ** 0.2), 2)
            seen = text if rng.random() < sure else text.replace("1", "7")[:-1] + "0"
            read.append(f"{k // 3}.png,{1 + k % 3 // 2},f{k % 2},{seen},{sure:.4f},{'ok' if sure > 0.9 else 'review'}")
    (tmp_path / "t.csv").write_text("\n".join(expected))
    (tmp_path / "r.csv").write_text("\n".join(read))
    arguments = [sys.executable, str(scorer), str(tmp_path / "r.csv"), str(tmp_path / "t.csv"), "--json"]
    theirs = json.loads(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)
    ours = field_metrics(score_fields(read_results(tmp_path / "r.csv"), read_truth(tmp_path / "t.csv")))
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, abs=1e-12)
