"""Compares a model with its predecessor on the same fields: may it replace it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from docproc.learn.evaluation.scoring import (
    CERTAINTY,
    Interval,
    ScoredField,
    binomial_cdf,
    bootstrap_interval,
    confidences,
    error_reject_curve,
    rights,
)

MIN_HELD_OUT_FIELDS = 50  # fewer prove nothing
MAX_READ_RATE_LOSS = 0.01  # share of all composed fields: maximum drop of the read rate
LIKELY_SHARE = 2 / 3  # share of the resamples that must show a gain: a read rate can depend on a handful of fields


@dataclass(frozen=True, slots=True)
class Performance:
    """How well a model reads some fields."""

    fields: int
    exact: int  # fields that were read exactly
    read_rate: float  # largest share of all fields that can be accepted at the given error rate, 0..1
    accepted: int  # by the thresholds of the previous model
    wrong: int  # errors among these

    @property
    def error(self) -> float:
        """The error rate among the accepted fields, 0..1."""
        return self.wrong / max(1, self.accepted)


BeforeAfter = tuple[Performance, Performance]


def performance(scored: Sequence[ScoredField], max_error: float) -> Performance:
    """The performance on fields with truth; `max_error` 0..1 is the error rate of its read rate."""
    accepted = [one.right for one in scored if one.status == "ok"]
    rate = error_reject_curve(confidences(scored), rights(scored)).read_rate(max_error)
    return Performance(len(scored), sum(one.right for one in scored), rate, len(accepted), accepted.count(False))


def read_rate_gain(
    before: Sequence[ScoredField], after: Sequence[ScoredField], max_error: float, certainty: float = CERTAINTY
) -> Interval:
    """Confidence interval of the gain in read rate, by resampling whole documents, see `scoring.bootstrap_interval`.

    Both are results for the same fields in the same order.
    """

    def gain(times: NDArray[np.int64]) -> float:
        old, new = (error_reject_curve(confidences(one), rights(one), times) for one in (before, after))
        return new.read_rate(max_error) - old.read_rate(max_error)

    return bootstrap_interval(before, gain, certainty)


def likely_gain(before: Sequence[ScoredField], after: Sequence[ScoredField], max_error: float) -> float:
    """The gain in read rate that is reached in `LIKELY_SHARE` of the resamples."""
    return read_rate_gain(before, after, max_error, 2 * LIKELY_SHARE - 1)[0]


def min_held_out_fields(max_error: float) -> int:
    """The minimum number of held-out fields for an error rate, 0..1: enough that one error among them is allowed."""
    return max(MIN_HELD_OUT_FIELDS, ceil(1 / max_error - 1e-9))


def refusals(held_out: BeforeAfter, composed: BeforeAfter, likely: float, max_error: float) -> tuple[str, ...]:
    """The reasons why a model may not replace its predecessor; () if it may.

    `held_out` is the performance on the held-out documents, with its `likely_gain`; `composed` that on composed fields.
    """
    before, after = held_out
    reasons = []
    if after.fields < min_held_out_fields(max_error):
        reasons.append(f"{after.fields} fields held back cannot tell; it takes {min_held_out_fields(max_error)}")
    if after.read_rate <= before.read_rate:
        reasons.append("on the documents that were held back no more fields can be accepted at that error than before")
    elif likely <= 0:
        reasons.append("on the documents that were held back so few more fields can be accepted that it may be chance")
    if composed[1].read_rate < composed[0].read_rate - MAX_READ_RATE_LOSS:
        reasons.append(
            "of the composed fields fewer can be accepted at that error than before, by more than "
            f"{100 * MAX_READ_RATE_LOSS:g} points"
        )
    if after.error > max(before.error, max_error):
        reasons.append(
            "on the documents that were held back more of the accepted fields are wrong than before, and than the error allows"
        )
    # One field more or less proves nothing; a number of errors that only one sample in twenty would reach does.
    allowed = max(composed[0].error, max_error)
    if binomial_cdf(composed[1].wrong - 1, composed[1].accepted, allowed) > CERTAINTY:
        reasons.append("on the composed fields more of the accepted fields are wrong than before, and than chance explains")
    return tuple(reasons)
