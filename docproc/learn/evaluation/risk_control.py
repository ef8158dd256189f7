"""Select confidence thresholds from fields with truth, so that an error rate is kept with a stated certainty.

A candidate threshold accepts all fields with that confidence or more. It passes if the upper Clopper-Pearson bound of the error
rate among them is at most the allowed one. Trying all candidates and taking the best would pass too often by luck. Therefore
candidates are tried in an order that is fixed before any answer is seen, from strict to loose, and the first that fails ends
the search (fixed-sequence testing, as in A. Angelopoulos et al., "Learn then Test", 2021). Then the certainty is that of a
single bound. It holds for fields that are independent and drawn like future ones.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from docproc.learn.evaluation.scoring import (
    CERTAINTY,
    Curve,
    ScoredField,
    binomial_cdf,
    confidences,
    error_reject_curve,
    error_upper_bound,
    rights,
)

ERROR_RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # for which thresholds are selected
STEP_RATIO = 1.01  # each candidate accepts at least this many times as many fields as the previous one
MAX_FIELDS = 1_000_000  # asking for more truth than this would not help


@dataclass(frozen=True, slots=True)
class ControlledThreshold:
    """A confidence threshold that keeps an error rate."""

    max_error: float  # 0..1, the error rate that is kept
    confidence: float  # the lowest confidence that is accepted
    accepted: int  # fields of the truth with that confidence or more
    wrong: int  # errors among them
    at_most: float  # upper bound of the error rate at the requested certainty, 0..1


@dataclass(frozen=True, slots=True)
class ThresholdSelection:
    """The thresholds that were found for some fields."""

    names: tuple[str, ...]  # of the fields
    fields: int  # with truth
    exact: int  # of them read exactly
    thresholds: tuple[ControlledThreshold, ...]  # errors ascending
    missing: tuple[tuple[float, int | None], ...]  # error rates that cannot be kept; fields needed in total, None if hopeless

    def at(self, max_error: float) -> ControlledThreshold | None:
        """The threshold for an error rate, or None if it cannot be kept."""
        return next((one for one in self.thresholds if one.max_error == max_error), None)


def select_thresholds(
    scored: Sequence[ScoredField], max_errors: Sequence[float], certainty: float = CERTAINTY
) -> ThresholdSelection:
    """The threshold for each error rate, 0..1, as far as the fields with truth support it.

    Fields that go to a person whatever their confidence are never accepted, but are included in the total.
    """
    acceptable = [one for one in scored if one.acceptable]
    curve = error_reject_curve(confidences(acceptable), rights(acceptable), fields=len(scored))
    thresholds: list[ControlledThreshold] = []
    missing = []
    for max_error in sorted(set(max_errors)):
        threshold = find_threshold(curve, max_error, certainty)
        # A threshold for a smaller error rate keeps this one too, and may accept more.
        if thresholds and (threshold is None or threshold.accepted < thresholds[-1].accepted):
            threshold = replace(thresholds[-1], max_error=max_error)
        if threshold:
            thresholds.append(threshold)
        else:
            missing.append((max_error, fields_needed(curve, max_error, certainty)))
    names = tuple(dict.fromkeys(one.field for one in scored))
    return ThresholdSelection(names, len(scored), sum(one.right for one in scored), tuple(thresholds), tuple(missing))


def find_threshold(curve: Curve, max_error: float, certainty: float = CERTAINTY) -> ControlledThreshold | None:
    """The loosest threshold that keeps `max_error` with `certainty`; None if the data support none."""
    starts = _start_counts(curve.fields, max_error, certainty)
    each = 1 - (1 - certainty) / len(starts)  # C. Bonferroni: the searches share the probability of an error
    found = [one for start in starts if (one := _search(curve, start, max_error, each))]
    return max(found, key=lambda one: one.accepted, default=None)


def _start_counts(fields: int, max_error: float, certainty: float) -> list[int]:
    """How many fields the first candidate of each search accepts.

    One search starts at a quarter of all fields, so that a rare error among the most confident does not end it. If there is so
    much truth that further searches cost little, others start at three quarters, in case the most confident are not the best,
    and at a sixteenth and less, in case only few are good enough.
    """
    starts, min_count = [math.ceil(fields / 4)], min_accepted(0, max_error, certainty)
    while starts[-1] >= 16 * min_count:
        starts.append(math.ceil(starts[-1] / 4))
    return [*starts, math.ceil(3 * fields / 4)] if starts[0] >= 3 * min_count else starts


def _search(curve: Curve, start: int, max_error: float, certainty: float) -> ControlledThreshold | None:
    best = None
    for k in _candidates(curve, start, max_error, certainty):
        accepted, wrong = int(curve.accepted[k]), int(curve.wrong[k])
        if not keeps_error(wrong, accepted, max_error, certainty):
            break
        bound = error_upper_bound(wrong, accepted, certainty)
        best = ControlledThreshold(max_error, float(curve.confidence[k]), accepted, wrong, bound)
    return best


def keeps_error(wrong: int, accepted: int, max_error: float, certainty: float = CERTAINTY) -> bool:
    """Whether the upper bound of the error rate, see `scoring.error_upper_bound`, is at most `max_error`."""
    return binomial_cdf(wrong, accepted, max_error) <= 1 - certainty


def min_accepted(wrong: int, max_error: float, certainty: float = CERTAINTY) -> int:
    """The minimum number of accepted fields that keeps `max_error` with `wrong` errors among them; MAX_FIELDS if none does."""
    low, high = wrong, MAX_FIELDS
    while high - low > 1:
        middle = (low + high) // 2
        if keeps_error(wrong, middle, max_error, certainty):
            high = middle
        else:
            low = middle
    return high


def _candidates(curve: Curve, start: int, max_error: float, certainty: float) -> list[int]:
    """The indices on the curve of a search's candidates, in the order in which they are tried.

    Each accepts just enough fields to allow one more error than the previous one; the last accepts all.
    """
    most = int(curve.accepted[-1]) if len(curve.accepted) else 0
    candidates: list[int] = []
    least = start
    while (count := min_accepted(_failing_errors(least - 1, max_error, certainty), max_error, certainty)) <= most:
        candidates.append(int(np.searchsorted(curve.accepted, count)))
        least = max(count + 1, math.ceil(STEP_RATIO * curve.accepted[candidates[-1]]))
    last = len(curve.accepted) - 1
    if most >= min_accepted(0, max_error, certainty) and candidates[-1:] != [last]:
        candidates.append(last)
    return candidates


def _failing_errors(accepted: int, max_error: float, certainty: float) -> int:
    """The minimum number of errors among `accepted` fields at which the error rate is not kept."""
    return bisect_left(range(accepted + 1), True, key=lambda wrong: not keeps_error(wrong, accepted, max_error, certainty))


def fields_needed(curve: Curve, max_error: float, certainty: float = CERTAINTY) -> int | None:
    """Roughly how many fields with truth are needed in total to keep an error rate, if errors stay as frequent as they are.

    None if no number is enough, because even among the most confident fields too many are wrong.
    """
    best: int | None = None
    least = 1.0
    for accepted, wrong in zip(curve.accepted.tolist(), curve.wrong.tolist(), strict=True):
        if accepted < least or wrong >= max_error * accepted:
            continue
        least = 1.1 * accepted
        many = _accepted_needed(wrong / accepted, accepted, max_error, certainty)
        if many:
            needed = math.ceil(many * curve.fields / accepted)
            best = min(best or needed, needed)
    # The data may be enough for one of the candidates, and yet fail at the first one tried.
    return max(best, math.ceil(curve.fields * 1.1)) if best else None


def _accepted_needed(share: float, count: int, max_error: float, certainty: float) -> int | None:
    """Roughly how many accepted fields keep an error rate if that `share` of them is wrong; None if more than MAX_FIELDS.

    `count` is where the search starts.
    """
    low, high = 0, count

    def enough(accepted: int) -> bool:
        return keeps_error(math.ceil(share * accepted), accepted, max_error, certainty)

    while not enough(high):
        low, high = high, 2 * high
        if high > MAX_FIELDS:
            return None
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
