"""The calibrated probability that a whole field is right, and what it takes to accept one without a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import Net, logit, sigmoid
from docproc.readers.vote import Verdict
from docproc.types import CROSSED, CellScores, Lattice, Reading, Scores, Status

BLANK_REQUIRED = "blank, and required"  # a reason
LOW = "low confidence"  # another
DIGITS_KEPT = 4  # decimals of a confidence: what lies behind depends on the batch


Thresholds = tuple[tuple[float, float], ...]  # (error among accepted fields, least confidence), errors ascending


@dataclass(frozen=True, slots=True)
class Calibration:
    """From evidence to probability, and from an error that the user allows to the least confidence to accept."""

    net: Net
    thresholds: Thresholds

    def to_card(self) -> dict[str, Any]:
        return {
            "net": self.net.to_card(),
            "thresholds": to_card(self.thresholds),
        }

    @staticmethod
    def from_card(card: Mapping[str, Any]) -> Calibration:
        """Raises KeyError, TypeError or ValueError when the card holds no calibration."""
        return Calibration(Net.from_card(card["net"]), from_card(card["thresholds"]))


def least(thresholds: Thresholds, max_error: float) -> float:
    """The least confidence to accept so that at most `max_error` (0..1) of the accepted fields are wrong.

    The nearest measured error that is no larger counts. An error below all that was measured accepts nothing.
    """
    allowed = [confidence for error, confidence in thresholds if error <= max_error + 1e-12]
    return allowed[-1] if allowed else 1.01


def to_card(thresholds: Thresholds) -> list[dict[str, float]]:
    return [{"max_error": error, "confidence": round(confidence, 6)} for error, confidence in thresholds]


def from_card(card: Sequence[Mapping[str, Any]]) -> Thresholds:
    """Raises KeyError, TypeError or ValueError when the card holds no thresholds."""
    return tuple(sorted((float(t["max_error"]), float(t["confidence"])) for t in card))


def evidence(
    verdict: Verdict,
    lattice: Lattice,
    scores: Scores,
    log_odds: NDArray[np.float64],
    cells: CellScores | None = None,
) -> NDArray[np.float64]:
    """What speaks for the text that won the vote, (13,) float64, or (17,) in a comb.

    Its share and its lead over the second text (log-odds, log ratio); what the lattice and the line recognizer say of it, and
    each one's lead over the best other text (log probability, log ratio); whether they agree; the weakest of its candidates
    as a whole digit and as this digit (log-odds); the summed doubt about its digits; the share of ink that is on no digit;
    how many digits and pieces there are. In a comb also: what its `cells` say of the text, their lead, how sure the least
    sure cell is, and the share of cells that are crossed out.
    """
    won, others = verdict.ballots[0], verdict.ballots[1:]
    second = verdict.shares[1] if len(others) else 0.0
    taken = np.array(won.path, np.int64)
    if len(taken):
        shown = np.asarray(scores[taken, :10], np.float64)
        shown /= np.maximum(shown.sum(axis=1, keepdims=True), 1e-12)
        own = shown[np.arange(len(taken)), [int(c) for c in won.text]]
        weakest, doubt, doubts = float(log_odds[taken].min()), float(logit(own, 1e-5).min()), float(np.sum(1 - own))
    else:
        weakest, doubt, doubts = -8.0, -8.0, 1.0
    used = np.zeros(lattice.pieces + 1, bool)
    for k in taken:
        used[[p + 1 for p in lattice.candidates[k].pieces]] = True
    areas = np.bincount(lattice.labels.ravel(), minlength=lattice.pieces + 1)[1 : lattice.pieces + 1]
    left_over = float(areas[~used[1:]].sum()) / max(1.0, float(areas.sum()))
    boxed = []
    if cells is not None:
        boxed = [
            float(logit(np.exp(won.cells), 1e-5)),
            float(np.clip(won.cells - max((b.cells for b in others), default=-12.0), -8, 12)),
            float(logit(cells.max(axis=1).min(initial=1.0), 1e-4)),
            float(np.mean(cells[:, CROSSED] > 0.5)),
        ]
    return np.array(
        [
            float(logit(np.array(verdict.shares[0]), 1e-5)),
            float(np.log((verdict.shares[0] + 1e-5) / (second + 1e-5))),
            float(logit(np.exp(won.lattice), 1e-5)),
            float(logit(np.exp(won.line), 1e-5)),
            float(np.clip(won.lattice - max((b.lattice for b in others), default=-12.0), -8, 12)),
            float(np.clip(won.line - max((b.line for b in others), default=-12.0), -8, 12)),
            float(verdict.agreed),
            float(np.clip(weakest, -8, 8)),
            float(np.clip(doubt, -8, 11)),
            doubts,
            left_over,
            len(won.text),
            lattice.pieces,
            *boxed,
        ]
    )


def confidence(found: NDArray[np.float64], calibration: Calibration) -> float:
    """The probability that the string is right, 0..1."""
    p = float(sigmoid(calibration.net(found[None, :]))[0])
    return round(p, DIGITS_KEPT)


def judge(reading: Reading, threshold: float, *, inked: bool, required: bool, doubt: str = "") -> tuple[Status, str]:
    """(status, reason) of a field that was read: `ok`, or what a person should look at.

    `inked` says that there is ink that could be a digit by its size, `required` that the field may not be blank, `doubt`
    what is not settled of its value.
    """
    if not reading.text:
        if reading.remark == "crossed out" and reading.confidence >= threshold:
            return "blank", reading.remark
        if reading.remark:
            return "review", reading.remark
        if inked:
            return "review", "something is written, and no digits were found"
        return ("review", BLANK_REQUIRED) if required else ("blank", "")
    if reading.remark:
        return "review", reading.remark
    if reading.confidence >= threshold:
        return ("review", doubt) if doubt else ("ok", "")
    return "review", LOW
