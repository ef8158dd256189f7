"""Score results against truth: metrics with their confidence intervals, error-reject curves, confusion matrices.

Everything here is a pure function of rows. A field is right only if its whole text is right.
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
from docproc.readers.confidence import only_unsure

CERTAINTY = 0.95
RESAMPLES = 400
GAP = "-"  # in a confusion matrix: a digit that was missed, or one that does not exist

Record = Mapping[str, str]  # a row of a table: column to text
Interval = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ScoredField:
    """A field of the truth with its reading."""

    document: str
    page: int
    field: str
    truth: str
    text: str
    confidence: float  # 0..1; 0 if nothing was read
    right: bool
    found: bool  # the results have a row for it
    status: str = ""
    reason: str = ""
    run: str = ""
    value_right: bool | None = None  # None if the truth has no value

    @property
    def acceptable(self) -> bool:
        """Whether confidence alone decides if the field is accepted."""
        return self.status == "ok" or only_unsure(self.reason)


def score_fields(results: Iterable[Record], truth: Iterable[Record]) -> tuple[ScoredField, ...]:
    """Score every field of the truth.

    The rows of both tables have `document`, `page` (1 if missing) and `field`; the truth has `text`, `value` or both, the
    results also `confidence` and `status`. If the truth has no `text`, a field is right when its `value` is. Raises BadInput
    for two rows of the same field.
    """
    rows = _by_key(results, "results")
    scored = []
    for key, expected in _by_key(truth, "truth").items():
        row = rows.get(key)
        found: Record = row if row is not None else {}
        text, value = found.get("text", ""), found.get("value", "")
        true_text, true_value = expected.get("text"), expected.get("value", "")
        value_right = row is not None and value == true_value if true_value else None
        right = row is not None and (text == true_text if true_text is not None else value == true_value)
        scored.append(
            ScoredField(
                *key, true_text if true_text is not None else true_value, text if true_text is not None else value,
                float(found.get("confidence") or 0), right, row is not None, found.get("status", ""),
                found.get("reason", ""), found.get("run", ""), value_right,
            )
        )  # fmt: skip
    return tuple(scored)


def _by_key(table: Iterable[Record], which: str) -> dict[tuple[str, int, str], Record]:
    """The rows of a table by document, page and field. Raises BadInput."""
    rows: dict[tuple[str, int, str], Record] = {}
    for row in table:
        key = row["document"], int(row.get("page") or 1), row["field"]
        if key in rows:
            raise BadInput(f"two rows in the {which} are of {key[0]}, page {key[1]}, field {key[2]!r}")
        rows[key] = row
    return rows


# ------------------------------------------------------------------------------------------------ intervals


def binomial_cdf(wrong: int, count: int, share: float) -> float:
    """The probability of at most `wrong` errors among `count`, if each is an error with the probability `share`, 0..1."""
    if wrong >= count or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    k = np.arange(wrong + 1)
    ways = np.concatenate([[0.0], np.cumsum(np.log(count - k[:-1]) - np.log(k[1:]))])  # log of "count choose k"
    return float(np.exp(ways + k * np.log(share) + (count - k) * np.log1p(-share)).sum())


@lru_cache(maxsize=4096)
def error_upper_bound(wrong: int, count: int, certainty: float = CERTAINTY) -> float:
    """Upper bound of the error rate, 0..1, at the confidence level `certainty`, after `wrong` errors among `count`.

    C. Clopper and E. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial" (1934): the
    rate at which that few errors have the probability 1 - `certainty`. 1.0 if `count` is 0.
    """
    if wrong >= count:
        return 1.0
    low, high = wrong / count, 1.0
    while high - low > 1e-12:
        middle = (low + high) / 2
        if binomial_cdf(wrong, count, middle) > 1 - certainty:
            low = middle
        else:
            high = middle
    return high


def interval(hits: int, count: int, certainty: float = CERTAINTY) -> Interval:
    """Two-sided confidence interval of a share after `hits` among `count` (Clopper-Pearson)."""
    each = 1 - (1 - certainty) / 2
    return 1 - error_upper_bound(count - hits, count, each), error_upper_bound(hits, count, each)


def bootstrap_interval(
    scored: Sequence[ScoredField], measure: Callable[[NDArray[np.int64]], float], certainty: float = CERTAINTY
) -> Interval:
    """Confidence interval of a metric by resampling whole documents (B. Efron's bootstrap, percentile method).

    `measure` computes the metric from how often each field was drawn, (n,) int64.
    """
    numbers = {name: k for k, name in enumerate(dict.fromkeys(one.document for one in scored))}
    document = np.array([numbers[one.document] for one in scored])
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = np.bincount(rng.integers(0, len(numbers), len(numbers)), minlength=len(numbers))
        values.append(measure(drawn[document]))
    low, high = np.quantile(values, [(1 - certainty) / 2, 1 - (1 - certainty) / 2])
    return float(low), float(high)


# -------------------------------------------------------------------------------------------------- figures


@dataclass(frozen=True, slots=True)
class Curve:
    """An error-reject curve: what is accepted, most confident first, and its errors. One point per confidence."""

    confidence: NDArray[np.float64]  # (n,) float64, descending
    accepted: NDArray[np.int64]  # (n,) int64, fields with that confidence or more
    wrong: NDArray[np.int64]  # (n,) int64, errors among those
    fields: int  # in total

    def read_rate(self, max_error: float) -> float:
        """The largest share of all fields that can be accepted with an error rate of at most `max_error`."""
        fine = np.flatnonzero(self.wrong <= max_error * self.accepted)
        return float(self.accepted[fine[-1]] / self.fields) if len(fine) and self.fields else 0.0


def error_reject_curve(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], times: NDArray[np.int64] | None = None, fields: int | None = None
) -> Curve:
    """The error-reject curve of n fields, from their confidences, 0..1, and whether each is right.

    `times` is how often each field counts (once by default). `fields` is the total number of fields, if these are not all.
    """
    times = np.ones(len(right), np.int64) if times is None else times
    order = np.argsort(-confidence, kind="stable")
    ranked = confidence[order]
    last = np.append(ranked[1:] != ranked[:-1], True) if len(ranked) else np.zeros(0, bool)
    accepted, wrong = np.cumsum(times[order])[last], np.cumsum((times * ~right)[order])[last]
    return Curve(ranked[last], accepted, wrong, int(times.sum()) if fields is None else fields)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """Expected calibration error: the mean gap between confidence and accuracy over bins of equal count (M. Naeini, 2015)."""
    return float(sum(abs(b.confidence - b.right / b.count) * b.count for b in reliability(confidence, right, bins))) / max(
        1, len(right)
    )


@dataclass(frozen=True, slots=True)
class Bin:
    """Fields of similar confidence."""

    confidence: float  # their mean
    right: int
    count: int


def reliability(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> list[Bin]:
    """A reliability diagram's bins of equal count, least confident first. Among ties, the wrong fields come first."""
    order = np.lexsort((right, confidence))
    edges = [b * len(order) // bins for b in range(bins + 1)]
    parts = [order[one:other] for one, other in pairwise(edges) if other > one]
    return [Bin(float(confidence[part].mean()), int(right[part].sum()), len(part)) for part in parts]


def field_metrics(scored: Sequence[ScoredField]) -> dict[str, Any]:
    """How well fields were read. Raises BadInput if there are none.

    All but the counts are shares of the fields, 0..1:

    - `fields`: their number; `missing`: how many of them have no result (each counts as wrong)
    - `exact`: read exactly, without rejecting any; `value_exact`: the same for the values, if the truth has them
    - `digit_acc`: 1 - summed edit distance / digits of the truth
    - `read@1%`, `read@0.5%`: the largest share that can be accepted, most confident first, at that error rate
    - `accepted`: with the status ok; `accepted_err`: the error rate among these
    - `ece`: expected calibration error of the confidence, 10 bins of equal count
    - `intervals`: the 95 % confidence intervals of those metrics that have one
    """
    if not scored:
        raise BadInput("the truth has no rows")
    confidence, right = confidences(scored), rights(scored)
    digits = np.array([len(one.truth) for one in scored])
    distances = np.array([edit_distance(one.text, one.truth) for one in scored])
    accepted = [one.right for one in scored if one.status == "ok"]
    valued = [one.value_right for one in scored if one.value_right is not None]
    count = len(scored)

    def digit_accuracy(times: NDArray[np.int64]) -> float:
        return 1 - float((distances * times).sum()) / max(1, int((digits * times).sum()))

    ranked = np.argsort(-confidence, kind="stable")  # once: sorting a sample of something already sorted is fast

    def read_rate(max_error: float) -> Callable[[NDArray[np.int64]], float]:
        return lambda times: error_reject_curve(confidence[ranked], right[ranked], times[ranked]).read_rate(max_error)

    once = np.ones(count, np.int64)
    found: dict[str, Any] = {
        "fields": count,
        "missing": sum(not one.found for one in scored),
        "exact": int(right.sum()) / count,
        "digit_acc": digit_accuracy(once),
        "read@1%": read_rate(0.01)(once),
        "read@0.5%": read_rate(0.005)(once),
        "accepted": len(accepted) / count,
        "accepted_err": accepted.count(False) / len(accepted) if accepted else 0.0,
        "ece": calibration_error(confidence, right),
        "intervals": {
            "exact": interval(int(right.sum()), count),
            "digit_acc": bootstrap_interval(scored, digit_accuracy),
            "read@1%": bootstrap_interval(scored, read_rate(0.01)),
            "read@0.5%": bootstrap_interval(scored, read_rate(0.005)),
            "accepted": interval(len(accepted), count),
            "accepted_err": interval(accepted.count(False), len(accepted)),
        },
    }
    if valued:
        found["value_exact"] = valued.count(True) / len(valued)
        found["intervals"]["value_exact"] = interval(valued.count(True), len(valued))
    return found


def by_field(scored: Sequence[ScoredField]) -> dict[str, tuple[ScoredField, ...]]:
    """The fields grouped by name, in the order of the truth."""
    names = dict.fromkeys(one.field for one in scored)
    return {name: tuple(one for one in scored if one.field == name) for name in names}


def confidences(scored: Sequence[ScoredField]) -> NDArray[np.float64]:
    """The confidence of each field: (n,) float64, 0..1."""
    return np.array([one.confidence for one in scored], np.float64)


def rights(scored: Sequence[ScoredField]) -> NDArray[np.bool_]:
    """Whether each field is right: (n,) bool."""
    return np.array([one.right for one in scored], bool)


# ------------------------------------------------------------------------------------------------ confusion


def edit_distance(text: str, truth: str) -> int:
    """The minimum number of insertions, deletions and replacements that turn one text into the other (V. Levenshtein, 1966)."""
    return sum(one != other for one, other in align(text, truth))


def align(text: str, truth: str) -> list[tuple[str, str]]:
    """Align a text with the truth at the minimum edit distance: pairs (read, true), in which one side may be `GAP`."""
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
    """The confusion matrix of (read, true) pairs: (n, n) int64 counts, rows: truth, columns: reading.

    Pairs with a name that is not in `names` are left out.
    """
    counts = Counter(pairs)
    return np.array([[counts[read, true] for read in names] for true in names], np.int64)
