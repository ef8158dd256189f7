"""Whether a batch differs from the fields on which thresholds were measured.

The histograms of simple features of fields that were read are compared, by field name, with the two-sample test of Kolmogorov
and Smirnov. Its probability is the asymptotic one, which is too large for repeated values: so it raises fewer false alarms
than stated. All features of all fields are tested at once, with C. Bonferroni's correction.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

Feature = Literal["confidence", "digits", "height"]
FEATURES: tuple[Feature, ...] = get_args(Feature)
SHOWN: Mapping[Feature, str] = {"confidence": "confidence", "digits": "number of digits", "height": "height of the field"}

FALSE_ALARMS = 0.01  # greatest probability that a batch of the same kind raises an alarm [guess]
LEAST_DISTANCE = 0.1  # 0..1, between two distributions: a smaller one changes little, however significant [guess]
SAME_HEIGHT = 1.15  # ratio of two heights that count as the same: boxes are rounded, and scanners differ [guess]
STEPS = 100  # of confidence between 0 and 1; the last step is divided ten times as finely


class Fact(NamedTuple):
    """Simple features of a field that was read."""

    field: str
    confidence: float  # 0..1
    digits: int
    height: int | None  # px of the stored page; None if the field was not found


Histogram = Mapping[float, int]  # rounded values, with the count of each
Reference = Mapping[str, Mapping[Feature, Histogram]]  # by field name


@dataclass(frozen=True, slots=True)
class Drift:
    """A feature of a field whose distribution differs from that where the thresholds were measured."""

    field: str
    feature: Feature
    distance: float  # 0..1, the largest one between the two cumulative distributions


def histograms(facts: Iterable[Fact]) -> dict[str, dict[Feature, Counter[float]]]:
    """The histograms of the features of each field."""
    found: dict[str, dict[Feature, Counter[float]]] = {}
    for fact in facts:
        own = found.setdefault(fact.field, {feature: Counter() for feature in FEATURES})
        own["confidence"][_coarse(fact.confidence)] += 1
        own["digits"][float(fact.digits)] += 1
        if fact.height is not None:
            own["height"][float(fact.height)] += 1
    return found


def _coarse(confidence: float) -> float:
    steps = STEPS if confidence < 1 - 1 / STEPS else 10 * STEPS
    return math.floor(confidence * steps + 1e-9) / steps


def drifts(reference: Reference, batch: Reference) -> tuple[Drift, ...]:
    """The features whose distribution differs in a batch, largest difference first.

    Fields that are missing in the reference or in the batch are skipped.
    """
    pairs = [
        (field, feature, known[feature], batch[field][feature])
        for field, known in reference.items()
        if field in batch
        for feature in FEATURES
        if known.get(feature) and batch[field].get(feature)
    ]
    found = []
    for field, feature, known, there in pairs:
        apart = distance(known, there, SAME_HEIGHT if feature == "height" else 1.0)
        if apart >= LEAST_DISTANCE and by_chance(apart, _count(known), _count(there)) * len(pairs) <= FALSE_ALARMS:
            found.append(Drift(field, feature, apart))
    return tuple(sorted(found, key=lambda one: -one.distance))


def distance(one: Histogram, other: Histogram, same: float = 1.0) -> float:
    """The largest distance of two cumulative distributions, 0..1; values count as one if their ratio is at most `same`."""
    return max(_below(one, other, same), _below(other, one, same), 0.0)


def _below(one: Histogram, other: Histogram, same: float) -> float:
    """The greatest excess of the one cumulative distribution over the other."""
    values, counts = _sorted(one)
    others, theirs = _sorted(other)
    place = np.searchsorted(others, values * same, side="right")
    cumulative = np.concatenate([[0], np.cumsum(theirs)])[place] / theirs.sum()
    return float((np.cumsum(counts) / counts.sum() - cumulative).max())


def _sorted(one: Histogram) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    values = sorted(one)
    return np.array(values, float), np.array([one[value] for value in values], float)


def by_chance(distance: float, one: int, other: int) -> float:
    """The probability that two samples of these sizes from one distribution are at least this far apart, 0..1.

    N. Smirnov, "Table for estimating the goodness of fit of empirical distributions" (1948).
    """
    size = distance * math.sqrt(one * other / (one + other))
    if size < 0.2:  # the series does not converge; the probability is 1 to ten digits
        return 1.0
    terms = ((2.0 if k % 2 else -2.0) * math.exp(-2 * (k * size) ** 2) for k in range(1, 101))
    return float(min(1.0, max(0.0, sum(terms))))


def _count(one: Histogram) -> int:
    return sum(one.values())


def in_words(found: Sequence[Drift]) -> str:
    """Which fields differ, and in what: `amount (confidence, number of digits), date (confidence)`."""
    features: dict[str, list[str]] = {}
    for one in found:
        features.setdefault(one.field, []).append(SHOWN[one.feature])
    return ", ".join(f"{field} ({', '.join(own)})" for field, own in features.items())


def to_json(reference: Reference) -> dict[str, Any]:
    """A reference as JSON can hold it."""
    return {
        field: {feature: sorted([value, count] for value, count in own.items()) for feature, own in features.items() if own}
        for field, features in reference.items()
    }


def from_json(content: Mapping[str, Any]) -> Reference:
    """Raises KeyError, TypeError, ValueError or AttributeError for anything that is not a reference."""
    return {
        str(field): {feature: {float(value): int(count) for value, count in features.get(feature, [])} for feature in FEATURES}
        for field, features in content.items()
    }
