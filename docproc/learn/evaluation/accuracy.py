"""How well a network reads single digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.evaluation.scoring import calibration_error, confusion, curve, interval
from docproc.types import Glyphs, Recognizer

DIGIT_NAMES = tuple("0123456789")


def digit_accuracy(recognizer: Recognizer, images: Glyphs, labels: NDArray[np.uint8]) -> float:
    """The share of `images` (n, 28, 28) uint8, given as they are, whose likeliest digit is their label."""
    return float((recognizer.recognize(images)[:, :10].argmax(axis=1) == labels).mean())


@dataclass(frozen=True, slots=True)
class Guesses:
    """What a network takes single digits for."""

    read: NDArray[np.int64]  # (n,) int64, 0..9
    labels: NDArray[np.int64]  # (n,) int64, 0..9
    confidence: NDArray[np.float64]  # (n,) float64, 0..1: of the digit that was read, among the ten
    lead: NDArray[np.float64]  # (n,) float64, 0..1: of it over the second

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) bool."""
        return np.equal(self.read, self.labels)


def guesses(recognizer: Recognizer, images: Glyphs, labels: NDArray[np.uint8]) -> Guesses:
    """Read `images` (n, 28, 28) uint8, given as they are; that one may be no digit is not asked."""
    scores = recognizer.recognize(images)[:, :10].astype(np.float64)
    scores /= np.maximum(scores.sum(axis=1, keepdims=True), 1e-12)
    best = np.sort(scores, axis=1)
    return Guesses(scores.argmax(axis=1), labels.astype(np.int64), best[:, -1], best[:, -1] - best[:, -2])


def digit_figures(found: Guesses) -> dict[str, Any]:
    """How well digits were read; shares are 0..1.

    - `digits`: how many; `accuracy`: how many of them are right, with the `accuracy_interval` of 95 in 100 such samples
    - `by_digit`: for each its `count`, its `recall` (of those that it is, the share that was read as it) and its `precision`
      (of those that were read as it, the share that it is); 0 where there are none
    - `confusion`: (10, 10), rows the truth, columns what was read
    - `ece`: see `scoring.calibration_error`; `read@1%`, `read@0.5%`: see `scoring.figures`
    """
    right, count = found.right, len(found.read)
    counts = confusion(((DIGIT_NAMES[a], DIGIT_NAMES[b]) for a, b in zip(found.read, found.labels, strict=True)), DIGIT_NAMES)
    ranked = curve(found.confidence, right)
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


def most_wrong(found: Guesses, count: int) -> NDArray[np.int64]:
    """The wrong ones, surest first."""
    wrong = np.flatnonzero(~found.right)
    return wrong[np.argsort(-found.confidence[wrong], kind="stable")][:count]


def least_sure(found: Guesses, count: int) -> NDArray[np.int64]:
    """Those with the smallest lead over the second digit, wrong or right."""
    return np.argsort(found.lead, kind="stable")[:count]
