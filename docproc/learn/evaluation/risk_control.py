"""From fields with truth to the least confidence that keeps an error, as far as the data can promise it.

A candidate is a confidence: all fields with as much or more are accepted. It passes when the upper Clopper-Pearson bound of
the error among them is no more than the error that is allowed. Trying all candidates and taking the best would pass by luck
too often; so they are tried in an order that is fixed before any answer is seen, from strict to loose, and the first that
fails ends the search (fixed-sequence testing, as in A. Angelopoulos et al., "Learn then Test", 2021). Then the promise holds
with the certainty of a single bound. It is one for fields that are independent of each other, drawn like those to come.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from docproc.learn.evaluation.scoring import CERTAINTY, Curve, Judged, chance, confidences, curve, error_at_most, rights

ERRORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # for which thresholds are looked for
STEP = 1.01  # each candidate accepts at least so many times as many fields as the last
MOST_FIELDS = 1_000_000  # more would be no advice


@dataclass(frozen=True, slots=True)
class Kept:
    """A threshold that keeps an error."""

    max_error: float  # that is kept
    confidence: float  # the least to be accepted
    accepted: int  # fields of the truth with that confidence or more
    wrong: int  # of them
    at_most: float  # share of wrong ones, with the certainty that was asked for


@dataclass(frozen=True, slots=True)
class Promise:
    """What can be promised of some fields."""

    names: tuple[str, ...]  # of the fields
    fields: int  # with truth
    exact: int
    kept: tuple[Kept, ...]  # errors ascending
    lacking: tuple[tuple[float, int | None], ...]  # errors that cannot be promised; fields that it would take in all, if any do

    def at(self, max_error: float) -> Kept | None:
        """The threshold for an error, or None where it cannot be promised."""
        return next((one for one in self.kept if one.max_error == max_error), None)


def promise(judged: Sequence[Judged], max_errors: Sequence[float], certainty: float = CERTAINTY) -> Promise:
    """The thresholds for each error, 0..1, that some fields with truth can promise.

    Fields that go to a person whatever their confidence is are never accepted, and count with all that were asked for.
    """
    able = [one for one in judged if one.acceptable]
    found = curve(confidences(able), rights(able), fields=len(judged))
    kept: list[Kept] = []
    lacking = []
    for max_error in sorted(set(max_errors)):
        threshold = keep(found, max_error, certainty)
        # What keeps a smaller error keeps this one too, and may have been nearer to the edge.
        if kept and (threshold is None or threshold.accepted < kept[-1].accepted):
            threshold = replace(kept[-1], max_error=max_error)
        if threshold:
            kept.append(threshold)
        else:
            lacking.append((max_error, fields_needed(found, max_error, certainty)))
    names = tuple(dict.fromkeys(one.field for one in judged))
    return Promise(names, len(judged), sum(one.right for one in judged), tuple(kept), tuple(lacking))


def keep(found: Curve, max_error: float, certainty: float = CERTAINTY) -> Kept | None:
    """The loosest threshold that keeps `max_error` with `certainty`; None where the data can promise none."""
    starts = _starts(found.fields, max_error, certainty)
    each = 1 - (1 - certainty) / len(starts)  # C. Bonferroni: what may go wrong is divided among the searches
    kept = [one for start in starts if (one := _search(found, start, max_error, each))]
    return max(kept, key=lambda one: one.accepted, default=None)


def _starts(fields: int, max_error: float, certainty: float) -> list[int]:
    """How many fields the first candidates accept at least: a quarter of all, since a rare error among the surest should not
    end the search. Where there is so much truth that it costs little, others begin at three quarters, in case that the surest
    are not the best, and at a sixteenth and less, in case that only few are good enough.
    """
    starts, little = [math.ceil(fields / 4)], fewest(0, max_error, certainty)
    while starts[-1] >= 16 * little:
        starts.append(math.ceil(starts[-1] / 4))
    return [*starts, math.ceil(3 * fields / 4)] if starts[0] >= 3 * little else starts


def _search(found: Curve, start: int, max_error: float, certainty: float) -> Kept | None:
    best = None
    for k in _tries(found, start, max_error, certainty):
        accepted, wrong = int(found.accepted[k]), int(found.wrong[k])
        if not promises(wrong, accepted, max_error, certainty):
            break
        best = Kept(max_error, float(found.confidence[k]), accepted, wrong, error_at_most(wrong, accepted, certainty))
    return best


def promises(wrong: int, accepted: int, max_error: float, certainty: float = CERTAINTY) -> bool:
    """Whether the upper bound of an error, see `scoring.error_at_most`, is no more than `max_error`."""
    return chance(wrong, accepted, max_error) <= 1 - certainty


def fewest(wrong: int, max_error: float, certainty: float = CERTAINTY) -> int:
    """The fewest accepted fields that promise `max_error` with so many wrong ones among them; MOST_FIELDS is no answer."""
    low, high = wrong, MOST_FIELDS
    while high - low > 1:
        middle = (low + high) // 2
        if promises(wrong, middle, max_error, certainty):
            high = middle
        else:
            low = middle
    return high


def _tries(found: Curve, start: int, max_error: float, certainty: float) -> list[int]:
    """Where the candidates of a search stand on the curve, in the order in which they are tried.

    Each accepts just so many fields that one more wrong one can be borne, and the last all.
    """
    most = int(found.accepted[-1]) if len(found.accepted) else 0
    tries: list[int] = []
    least = start
    while (count := fewest(_unbearable(least - 1, max_error, certainty), max_error, certainty)) <= most:
        tries.append(int(np.searchsorted(found.accepted, count)))
        least = max(count + 1, math.ceil(STEP * found.accepted[tries[-1]]))
    last = len(found.accepted) - 1
    if most >= fewest(0, max_error, certainty) and tries[-1:] != [last]:
        tries.append(last)
    return tries


def _unbearable(accepted: int, max_error: float, certainty: float) -> int:
    """The fewest wrong ones among so many accepted fields with which an error cannot be promised."""
    return bisect_left(range(accepted + 1), True, key=lambda wrong: not promises(wrong, accepted, max_error, certainty))


def fields_needed(found: Curve, max_error: float, certainty: float = CERTAINTY) -> int | None:
    """About how many fields with truth it would take in all to promise an error, if errors stay as frequent as they are.

    None where no number would do: even among the surest fields more are wrong.
    """
    best: int | None = None
    least = 1.0
    for accepted, wrong in zip(found.accepted.tolist(), found.wrong.tolist(), strict=True):
        if accepted < least or wrong >= max_error * accepted:
            continue
        least = 1.1 * accepted
        many = _accepted_needed(wrong / accepted, accepted, max_error, certainty)
        if many:
            needed = math.ceil(many * found.fields / accepted)
            best = min(best or needed, needed)
    # The data may hold enough for one of the candidates, and yet fail at the first that is tried.
    return max(best, math.ceil(found.fields * 1.1)) if best else None


def _accepted_needed(share: float, there: int, max_error: float, certainty: float) -> int | None:
    """About how many accepted fields promise an error when that share of them is wrong; None where more than MOST_FIELDS."""
    low, high = 0, there

    def enough(count: int) -> bool:
        return promises(math.ceil(share * count), count, max_error, certainty)

    while not enough(high):
        low, high = high, 2 * high
        if high > MOST_FIELDS:
            return None
    while high - low > max(1, high // 200):
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
