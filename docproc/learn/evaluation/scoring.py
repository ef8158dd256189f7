"""Results held against truth, and what can be said of them: shares with their intervals, curves, confusions.

Everything here is a pure function of rows; a field counts as right only when its whole text is right.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.errors import BadInput
from docproc.readers.confidence import LOW

CERTAINTY = 0.95
RESAMPLES = 400
GAP = "-"  # in a confusion: a digit that was not seen, or one that is not there

Record = Mapping[str, str]  # a row of a table: column to text
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Judged:
    """A field of the truth, and what was read there."""

    document: str
    page: int
    field: str
    truth: str
    text: str
    confidence: float  # 0 where nothing was read
    right: bool
    found: bool  # whether the results have a row for it
    status: str = ""
    reason: str = ""
    run: str = ""
    value_right: bool | None = None  # None where the truth says no value

    @property
    def acceptable(self) -> bool:
        """Whether its confidence alone decides if it is accepted."""
        return self.status == "ok" or self.reason.startswith(LOW)


def judge(results: Iterable[Record], truth: Iterable[Record]) -> tuple[Judged, ...]:
    """Hold results against truth, row by row of the truth.

    The rows of both have `document`, `page` (1 where it is left out) and `field`; of the truth `text`, `value` or both,
    of the results also `confidence` and `status`. Without `text` in the truth, a field is right when its `value` is.
    Raises BadInput where two rows are of the same field.
    """
    rows = _by_place(results, "results")
    judged = []
    for place, expected in _by_place(truth, "truth").items():
        row = rows.get(place)
        own: Record = row if row is not None else {}
        text, value = own.get("text", ""), own.get("value", "")
        wanted, meant = expected.get("text"), expected.get("value", "")
        value_right = row is not None and value == meant if meant else None
        right = row is not None and (text == wanted if wanted is not None else value == meant)
        judged.append(
            Judged(
                *place, wanted if wanted is not None else meant, text if wanted is not None else value,
                float(own.get("confidence") or 0), right, row is not None, own.get("status", ""), own.get("reason", ""),
                own.get("run", ""), value_right,
            )
        )  # fmt: skip
    return tuple(judged)


def _by_place(table: Iterable[Record], which: str) -> dict[tuple[str, int, str], Record]:
    rows: dict[tuple[str, int, str], Record] = {}
    for row in table:
        place = row["document"], int(row.get("page") or 1), row["field"]
        if place in rows:
            raise BadInput(f"two rows in the {which} are of {place[0]}, page {place[1]}, field {place[2]!r}")
        rows[place] = row
    return rows


# ------------------------------------------------------------------------------------------------ intervals


def chance(wrong: int, count: int, share: float) -> float:
    """The probability that at most `wrong` of `count` are wrong where each is with the probability `share`, 0..1."""
    if wrong >= count or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    k = np.arange(wrong + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log(count - k[:-1]) - np.log(k[1:]))])  # log of "count over k"
    return float(np.exp(ways + k * np.log(share) + (count - k) * np.log1p(-share)).sum())


@lru_cache(maxsize=4096)
def error_at_most(wrong: int, count: int, certainty: float = CERTAINTY) -> float:
    """The share of wrong ones that is exceeded with the probability 1 - `certainty` at most, when `wrong` of `count` are.

    The upper bound of C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the
    binomial" (1934): the share at which so few wrong ones would be just as improbable. 1.0 where `count` is 0.
    """
    if wrong >= count:
        return 1.0
    low, high = wrong / count, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if chance(wrong, count, middle) > 1 - certainty:
            low = middle
        else:
            high = middle
    return high


def interval(hits: int, count: int, certainty: float = CERTAINTY) -> Interval:
    """Between which two shares the true one lies when `hits` of `count` were seen (Clopper-Pearson, two-sided)."""
    each = 1 - (1 - certainty) / 2
    return 1 - error_at_most(count - hits, count, each), error_at_most(hits, count, each)


def resampled(
    judged: Sequence[Judged], measure: Callable[[NDArray[np.int64]], float], certainty: float = CERTAINTY
) -> Interval:
    """Between which two values a measure lies when whole documents are drawn again (B. Efron's bootstrap, percentiles).

    `measure` gets how often each field was drawn, (n,) int64.
    """
    names = {name: k for k, name in enumerate(dict.fromkeys(one.document for one in judged))}
    own = np.array([names[one.document] for one in judged])
    rng = np.random.default_rng(0)
    found = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
        found.append(measure(drawn[own]))
    low, high = np.quantile(found, [(1 - certainty) / 2, 1 - (1 - certainty) / 2])
    return float(low), float(high)


# -------------------------------------------------------------------------------------------------- figures


@dataclass(frozen=True, slots=True)
class Curve:
    """What is accepted, most confident first, and what of it is wrong; a point for each confidence, ties as one."""

    confidence: NDArray[np.float64]  # (n,) float64, falling
    accepted: NDArray[np.int64]  # (n,) int64, fields with that confidence or more
    wrong: NDArray[np.int64]  # (n,) int64, of those
    fields: int

    def read_rate(self, max_error: float) -> float:
        """The largest share of all fields that can be accepted with at most `max_error` of them wrong."""
        fine = np.flatnonzero(self.wrong <= max_error * self.accepted)
        return float(self.accepted[fine[-1]] / self.fields) if len(fine) and self.fields else 0.0


def curve(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], times: NDArray[np.int64] | None = None, fields: int | None = None
) -> Curve:
    """The error-reject curve of (n,) confidences, 0..1, and whether each is right.

    `times` counts a field several times, or not at all; `fields` is how many there are where these are not all.
    """
    times = np.ones(len(right), np.int64) if times is None else times
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.zeros(0, bool)
    accepted, wrong = np.cumsum(times[order])[last], np.cumsum((times * ~right)[order])[last]
    return Curve(ranked[last], accepted, wrong, int(times.sum()) if fields is None else fields)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """The mean gap between confidence and the share that is right, over bins of equal count (M. Naeini et al., 2015)."""
    return float(sum(abs(b.confidence - b.right / b.count) * b.count for b in reliability(confidence, right, bins))) / max(
        1, len(right)
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """Fields of like confidence."""

    confidence: float  # their mean
    right: int
    count: int


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> list[Bin]:
    """Bins of equal count, least confident first: what was promised, and what came true. Ties: the wrong ones first."""
    order = np.lexsort((right, confidence))
    edges = [b * len(order) // bins for b in range(bins + 1)]
    parts = [order[one:other] for one, other in pairwise(edges) if other > one]
    return [Bin(float(confidence[part].mean()), int(right[part].sum()), len(part)) for part in parts]


def figures(judged: Sequence[Judged]) -> dict[str, Any]:
    """How well fields were read. Raises BadInput where there are none.

    Each is a share of the fields, 0..1, unless said otherwise:

    - `fields`: how many; `missing`: how many have no result (each counts as wrong)
    - `exact`: read exactly, nothing refused; `value_exact`: the same of the values, where the truth says them
    - `digit_acc`: 1 - summed edit distance / digits of the truth
    - `read@1%`, `read@0.5%`: the most that can be accepted, most confident first, with that share of them wrong at most
    - `accepted`: have the status ok; `accepted_err`: the share of these that is wrong
    - `ece`: the expected calibration error of the confidence, 10 bins of equal count
    - `intervals`: for those with one, between which two values they lie in 95 of 100 such samples
    """
    if not judged:
        raise BadInput("the truth has no rows")
    confidence, right = confidences(judged), rights(judged)
    digits = np.array([len(one.truth) for one in judged])
    apart = np.array([distance(one.text, one.truth) for one in judged])
    accepted = [one.right for one in judged if one.status == "ok"]
    valued = [one.value_right for one in judged if one.value_right is not None]
    count = len(judged)

    def digit_accuracy(times: NDArray[np.int64]) -> float:
        return 1 - float((apart * times).sum()) / max(1, int((digits * times).sum()))

    ranked = np.argsort(-confidence, kind="stable")  # once: a sample of what is sorted is sorted quickly

    def read_rate(max_error: float) -> Callable[[NDArray[np.int64]], float]:
        return lambda times: curve(confidence[ranked], right[ranked], times[ranked]).read_rate(max_error)

    once = np.ones(count, np.int64)
    found: dict[str, Any] = {
        "fields": count,
        "missing": sum(not one.found for one in judged),
        "exact": int(right.sum()) / count,
        "digit_acc": digit_accuracy(once),
        "read@1%": read_rate(0.01)(once),
        "read@0.5%": read_rate(0.005)(once),
        "accepted": len(accepted) / count,
        "accepted_err": accepted.count(False) / len(accepted) if accepted else 0.0,
        "ece": calibration_error(confidence, right),
        "intervals": {
            "exact": interval(int(right.sum()), count),
            "digit_acc": resampled(judged, digit_accuracy),
            "read@1%": resampled(judged, read_rate(0.01)),
            "read@0.5%": resampled(judged, read_rate(0.005)),
            "accepted": interval(len(accepted), count),
            "accepted_err": interval(accepted.count(False), len(accepted)),
        },
    }
    if valued:
        found["value_exact"] = valued.count(True) / len(valued)
        found["intervals"]["value_exact"] = interval(valued.count(True), len(valued))
    return found


def by_field(judged: Sequence[Judged]) -> dict[str, tuple[Judged, ...]]:
    """The fields by their names, in the order in which the truth names them."""
    names = dict.fromkeys(one.field for one in judged)
    return {name: tuple(one for one in judged if one.field == name) for name in names}


def confidences(judged: Sequence[Judged]) -> NDArray[np.float64]:
    """(n,) float64, 0..1."""
    return np.array([one.confidence for one in judged], np.float64)


def rights(judged: Sequence[Judged]) -> NDArray[np.bool_]:
    """(n,) bool."""
    return np.array([one.right for one in judged], bool)


# ------------------------------------------------------------------------------------------------ confusion


def distance(text: str, truth: str) -> int:
    """The fewest digits to put in, take out or replace so that one becomes the other (V. Levenshtein, 1966)."""
    return sum(one != other for one, other in aligned(text, truth))


def aligned(text: str, truth: str) -> list[tuple[str, str]]:
    """The digits of a text beside those of the truth, each or neither `GAP`, with the fewest differences."""
    if text == truth:
        return list(zip(text, truth, strict=True))
    table = np.zeros((len(text) + 1, len(truth) + 1), np.int64)
    table[:, 0], table[0, :] = np.arange(len(text) + 1), np.arange(len(truth) + 1)
    for i, one in enumerate(text, 1):
        for j, other in enumerate(truth, 1):
            table[i, j] = min(table[i - 1, j] + 1, table[i, j - 1] + 1, table[i - 1, j - 1] + (one != other))
    pairs, i, j = [], len(text), len(truth)
    while i or j:
        if i and j and table[i, j] == table[i - 1, j - 1] + (text[i - 1] != truth[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((text[i], truth[j]))
        elif i and table[i, j] == table[i - 1, j] + 1:
            i -= 1
            pairs.append((text[i], GAP))
        else:
            j -= 1
            pairs.append((GAP, truth[j]))
    return pairs[::-1]


def confusion(pairs: Iterable[tuple[str, str]], names: Sequence[str]) -> NDArray[np.int64]:
    """How often each name was read where each is true: (n, n) int64, rows the truth, columns what was read.

    Pairs are (read, true); those with a name that is not among `names` are left out.
    """
    counts = Counter(pairs)
    return np.array([[counts[read, true] for read in names] for true in names], np.int64)
