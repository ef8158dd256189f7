"""Score a network on single digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.evaluation.scoring import calibration_error, confusion, error_reject_curve, interval
from docproc.types import Glyphs, Recognizer

DIGIT_NAMES = tuple("0123456789")


def digit_accuracy(recognizer: Recognizer, images: Glyphs, labels: NDArray[np.uint8]) -> float:
    """The share, 0..1, of `images` (n, 28, 28) uint8 whose most probable digit is their label."""
    return float((recognizer.recognize(images)[:, :10].argmax(axis=1) == labels).mean())


@dataclass(frozen=True, slots=True)
class DigitPredictions:
    """What a network reads in single digits."""

    read: NDArray[np.int64]  # (n,) int64, 0..9
    labels: NDArray[np.int64]  # (n,) int64, 0..9
    confidence: NDArray[np.float64]  # (n,) float64, 0..1: probability, among the ten, of the digit that was read
    margin: NDArray[np.float64]  # (n,) float64, 0..1: lead of that probability over the second largest

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each was read correctly: (n,) bool."""
        return np.equal(self.read, self.labels)


def predict_digits(recognizer: Recognizer, images: Glyphs, labels: NDArray[np.uint8]) -> DigitPredictions:
    """Read each of `images` (n, 28, 28) uint8 as one of the ten digits; *not a digit* is not a possible answer here."""
    scores = recognizer.recognize(images)[:, :10].astype(np.float64)
    scores /= np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
    best = np.sort(scores, axis=1)
    return DigitPredictions(scores.argmax(axis=1), labels.astype(np.int64), best[:, -1], best[:, -1] - best[:, -2])


def digit_metrics(found: DigitPredictions) -> dict[str, Any]:
    """How well digits were read. Shares are 0..1.

    - `digits`: their number; `accuracy`: the share that is right, with its 95 % confidence interval in `accuracy_interval`
    - `by_digit`: `count`, `recall` and `precision` of each digit; 0 if there are none
    - `confusion`: (10, 10) counts, rows: truth, columns: reading
    - `ece`: see `scoring.calibration_error`; `read@1%`, `read@0.5%`: see `scoring.field_metrics`
    """
    right, count = found.right, len(found.read)
    counts = confusion(((DIGIT_NAMES[a], DIGIT_NAMES[b]) for a, b in zip(found.read, found.labels, strict=True)), DIGIT_NAMES)
    ranked = error_reject_curve(found.confidence, right)
    return {
        "digits": count,
        "accuracy": int(right.sum()) / max(1, count),
        "accuracy_interval": interval(int(right.sum()), count),
        "read@1%": ranked.read_rate(0.01),
        "read@0.5%": ranked.read_rate(0.005),
        "ece": calibration_error(found.confidence, right),
        "by_digit": {
            digit: {
                "count": int(counts[k].sum()),
                "recall": float(counts[k, k] / max(1, counts[k].sum())),
                "precision": float(counts[k, k] / max(1, counts[:, k].sum())),
            }
            for k, digit in enumerate(DIGIT_NAMES)
        },
        "confusion": counts.tolist(),
    }


def most_wrong(found: DigitPredictions, count: int) -> NDArray[np.int64]:
    """Indices of the errors, most confident first."""
    wrong = np.flatnonzero(~found.right)
    return wrong[np.argsort(-found.confidence[wrong], kind="stable")][:count]


def least_sure(found: DigitPredictions, count: int) -> NDArray[np.int64]:
    """Indices of the digits with the smallest margin, wrong or right."""
    return np.argsort(found.margin, kind="stable")[:count]
