"""The calibrated probability that a whole field is right, and what it takes to accept one without a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import Mlp, sigmoid
from docproc.rules import DateWindow
from docproc.types import Field, Kind, Reading, Row, Status

BLANK_REQUIRED = "blank, and required"  # a reason
LOW = "low confidence"  # another
KEPT_DECIMALS = 4  # of a confidence: further ones depend on the batch and on the processor, see docs/reliability.md [geometry]
NONE_ACCEPTED = 1.01  # a threshold above every confidence [geometry]


Thresholds = tuple[tuple[float, float], ...]  # (error among accepted fields, least confidence), errors ascending


@dataclass(frozen=True, slots=True)
class Calibration:
    """From evidence to probability, and from an error that the user allows to the least confidence to accept."""

    net: Mlp
    thresholds: Thresholds

    def to_card(self) -> dict[str, Any]:
        return {
            "net": self.net.to_card(),
            "thresholds": to_card(self.thresholds),
        }

    @staticmethod
    def from_card(card: Mapping[str, Any]) -> Calibration:
        """Raises KeyError, TypeError or ValueError when the card holds no calibration."""
        return Calibration(Mlp.from_card(card["net"]), from_card(card["thresholds"]))


def least(thresholds: Thresholds, max_error: float) -> float:
    """The least confidence to accept so that at most `max_error` (0..1) of the accepted fields are wrong.

    The nearest measured error that is no larger counts. An error below all that was measured accepts nothing.
    """
    allowed = [confidence for error, confidence in thresholds if error <= max_error + 1e-12]
    return allowed[-1] if allowed else NONE_ACCEPTED


def to_card(thresholds: Thresholds) -> list[dict[str, float]]:
    return [{"max_error": error, "confidence": round(confidence, 6)} for error, confidence in thresholds]


def from_card(card: Sequence[Mapping[str, Any]]) -> Thresholds:
    """Raises KeyError, TypeError or ValueError when the card holds no thresholds."""
    return tuple(sorted((float(t["max_error"]), float(t["confidence"])) for t in card))


def confidence(found: NDArray[np.float64], calibration: Calibration) -> float:
    """The probability that the string is right, 0..1."""
    p = float(sigmoid(calibration.net(found[None, :]))[0])
    return round(p, KEPT_DECIMALS)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The least confidence with which a field is accepted, and which dates are."""

    kinds: Mapping[Kind, float]
    repaired: float  # of a field that was changed by a rule, at least
    own: Mapping[str, float]  # a user's own, by the name of a field: they take the place of its kind's
    window: DateWindow | None = None  # of dates

    def of(self, field: Field, reading: Reading) -> float:
        """The least confidence of a field that was read so."""
        repaired = reading.changed_by and field.kind != "micr"  # that calibration knows of its own check digit
        return max(self.own.get(field.name, self.kinds[field.kind]), self.repaired if repaired else 0.0)

    def of_part(self, name: str, whole: Row) -> tuple[Status, str]:
        """(status, reason) of a part of a field: accepted as the whole is, or by a threshold of its own."""
        wanted = self.own.get(name)
        if wanted is None or whole.confidence is None or (whole.status, whole.reason) not in (("ok", ""), ("review", LOW)):
            return whole.status, whole.reason
        return ("ok", "") if whole.confidence >= wanted else ("review", LOW)


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


def judge_empty(why: str, *, required: bool) -> tuple[Status, str]:
    """(status, reason) of a field that holds no number, and it is known `why`."""
    return ("review", f"{why}, and required") if required else ("blank", why)
