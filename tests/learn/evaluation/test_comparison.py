"""The safeguards: which results let a model replace the one before it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docproc.learn.evaluation.comparison import (
    BeforeAfter,
    Performance,
    likely_gain,
    min_held_out_fields,
    performance,
    read_rate_gain,
    refusals,
)
from docproc.learn.evaluation.scoring import ScoredField

BEFORE = Performance(200, 170, 0.60, 120, 1)
AFTER = Performance(200, 180, 0.70, 140, 1)
COMPOSED = Performance(2000, 1700, 0.50, 1000, 10)


def scored(rights: list[bool], sure: list[float], status: str = "ok") -> tuple[ScoredField, ...]:
    return tuple(
        ScoredField(str(k), 1, "f", "1", "1" if right else "7", p, right, True, status)
        for k, (right, p) in enumerate(zip(rights, sure, strict=True))
    )


def test_a_model_that_reads_better_and_forgets_nothing_is_taken() -> None:
    assert refusals((BEFORE, AFTER), (COMPOSED, COMPOSED), 0.05, 0.01) == ()
    # A little may be forgotten, and accepted fields may be wrong up to the error that is allowed.
    assert refusals((BEFORE, AFTER), (COMPOSED, replace(COMPOSED, read_rate=0.4901)), 0.05, 0.01) == ()
    assert refusals((replace(BEFORE, wrong=0), AFTER), (COMPOSED, COMPOSED), 0.05, 0.01) == ()
    assert refusals((BEFORE, AFTER), (COMPOSED, replace(COMPOSED, wrong=14)), 0.05, 0.01) == ()
    assert refusals((BEFORE, AFTER), (COMPOSED, replace(COMPOSED, accepted=0, wrong=0)), 0.05, 0.01) == ()


@pytest.mark.parametrize(
    ("held_out", "composed", "likely", "reason"),
    [
        ((BEFORE, replace(AFTER, read_rate=0.60)), (COMPOSED, COMPOSED), 0.05, "no more fields"),
        ((BEFORE, replace(AFTER, read_rate=0.30)), (COMPOSED, COMPOSED), 0.05, "no more fields"),
        ((BEFORE, AFTER), (COMPOSED, COMPOSED), 0.0, "may be chance"),
        ((BEFORE, AFTER), (COMPOSED, replace(COMPOSED, read_rate=0.4899)), 0.05, "of the composed fields fewer"),
        (
            (BEFORE, replace(AFTER, wrong=2)),
            (COMPOSED, COMPOSED),
            0.05,
            "on the documents that were held back more of the accepted",
        ),
        ((BEFORE, AFTER), (COMPOSED, replace(COMPOSED, wrong=17)), 0.05, "on the composed fields more of the accepted"),
        ((replace(BEFORE, fields=99), replace(AFTER, fields=99)), (COMPOSED, COMPOSED), 0.05, "it takes 100"),
    ],
)
def test_each_safeguard_refuses_alone(held_out: BeforeAfter, composed: BeforeAfter, likely: float, reason: str) -> None:
    reasons = refusals(held_out, composed, likely, 0.01)
    assert len(reasons) == 1
    assert reason in reasons[0]


def test_as_many_fields_are_needed_as_one_mistake_takes() -> None:
    assert [min_held_out_fields(error) for error in (0.001, 0.01, 0.02, 0.05, 0.5)] == [1000, 100, 50, 50, 50]


def test_the_performance_on_some_fields() -> None:
    found = performance(scored([True, True, False, True], [0.9, 0.8, 0.7, 0.6]), 0.25)
    assert found == Performance(4, 3, 1.0, 4, 1)
    assert found.error == 0.25
    assert performance(scored([True, True, False, True], [0.9, 0.8, 0.7, 0.6], "review"), 0.01) == Performance(4, 3, 0.5, 0, 0)


def test_a_gain_that_hangs_on_one_field_is_not_likely() -> None:
    sure = np.linspace(1, 0.5, 200).tolist()
    before = scored([k not in range(100, 120) for k in range(200)], sure)
    luck = scored([k not in (99, *range(102, 121)) for k in range(200)], sure)
    better = scored([k not in range(160, 180) for k in range(200)], sure)
    assert performance(better, 0.01).read_rate > performance(luck, 0.01).read_rate > performance(before, 0.01).read_rate
    assert likely_gain(before, luck, 0.01) <= 0 < likely_gain(before, better, 0.01)
    low, high = read_rate_gain(before, better, 0.01)
    assert low < performance(better, 0.01).read_rate - performance(before, 0.01).read_rate < high
