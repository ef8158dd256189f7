"""The calibrated probability that a whole field is right, and what it takes to accept a field without review."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import Mlp, sigmoid
from docproc.rules import DateWindow
from docproc.types import SMALL_DIGIT_PX, Field, Kind, Reading, Row, Status

BLANK_REQUIRED = "blank, and required"  # a reason
UNREAD = "something is written, and no digits were found"  # another
CROSSED_OUT = "crossed out"  # another, from the comb reader
LOW = "confidence "  # the start of another, which comes after all others
LOW_BEFORE = "low confidence"  # its wording in older tables
KEPT_DECIMALS = 4  # of a confidence: further ones depend on the batch and the processor, see docs/reliability.md [geometry]
MAX_RISK = 10  # times the allowed error: the largest probability that an accepted field is wrong [guess]
NONE_ACCEPTED = 1.01  # a threshold above every confidence [geometry]


Thresholds = tuple[tuple[float, float], ...]  # (error among accepted fields, least confidence), errors ascending


@dataclass(frozen=True, slots=True)
class Calibration:
    """Maps evidence to a probability, and the error that a user allows to the least confidence to accept."""

    net: Mlp
    thresholds: Thresholds
    small: Thresholds = ()  # the same for digits below `SMALL_DIGIT_PX`; empty if these are like others

    @property
    def inputs(self) -> int:
        """How many kinds of evidence it takes."""
        return len(self.net.mean)

    def to_card(self) -> dict[str, Any]:
        small = {"small": to_card(self.small)} if self.small else {}
        return {"net": self.net.to_card(), "thresholds": to_card(self.thresholds), **small}

    @staticmethod
    def from_card(card: Mapping[str, Any]) -> Calibration:
        """Raises KeyError, TypeError or ValueError if the card holds no calibration."""
        return Calibration(Mlp.from_card(card["net"]), from_card(card["thresholds"]), from_card(card.get("small", ())))


def least(thresholds: Thresholds, max_error: float) -> float:
    """The least confidence to accept so that at most `max_error` (0..1) of the accepted fields are wrong.

    This uses the nearest measured error that is no larger. Below the smallest measured error nothing is accepted.
    """
    allowed = [confidence for error, confidence in thresholds if error <= max_error + 1e-12]
    return allowed[-1] if allowed else NONE_ACCEPTED


def enough(thresholds: Thresholds, max_error: float) -> float:
    """The least confidence to accept, for `thresholds` that were measured on composed fields.

    Composed fields are easier to read than those of many people. So a field is not accepted if its own probability of being
    wrong exceeds `MAX_RISK` times `max_error`, even if few of all accepted fields are wrong.
    """
    return max(least(thresholds, max_error), 1 - MAX_RISK * max_error)


def to_card(thresholds: Thresholds) -> list[dict[str, float]]:
    return [{"max_error": error, "confidence": round(confidence, 6)} for error, confidence in thresholds]


def from_card(card: Sequence[Mapping[str, Any]]) -> Thresholds:
    """Raises KeyError, TypeError or ValueError if the card holds no thresholds."""
    return tuple(sorted((float(t["max_error"]), float(t["confidence"])) for t in card))


def confidence(found: NDArray[np.float64], calibration: Calibration) -> float:
    """The probability that the string is right, 0..1."""
    p = float(sigmoid(calibration.net(found[None, :]))[0])
    return round(p, KEPT_DECIMALS)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The least confidence at which a field is accepted, and which dates are accepted."""

    kinds: Mapping[Kind, float]
    repaired: float  # at least this for a field that was changed by a rule
    own: Mapping[str, float]  # a user's own, by field name: they replace those of its kind
    max_error: float  # 0..1 of the accepted fields, as the user allows
    window: DateWindow | None = None  # for dates
    small: Mapping[Kind, float] = dataclass_field(default_factory=dict)  # likewise, for digits below `SMALL_DIGIT_PX`

    def of(self, field: Field, reading: Reading) -> float:
        """The least confidence for a field with this reading."""
        repaired = reading.changed_by and field.kind != "micr"  # the E-13B calibration already includes its check digit
        needed = self.kinds[field.kind]
        if reading.digit_px is not None and reading.digit_px < SMALL_DIGIT_PX:
            needed = self.small.get(field.kind, needed)
        return max(self.own.get(field.name, needed), self.repaired if repaired else 0.0)

    def of_part(self, name: str, whole: Row) -> tuple[Status, str]:
        """(status, reason) of a part of a field: accepted with the whole field, or by its own threshold."""
        wanted = self.own.get(name)
        if wanted is None or whole.confidence is None or not (whole.status == "ok" or only_unsure(whole.reason)):
            return whole.status, whole.reason
        return ("ok", "") if whole.confidence >= wanted else ("review", too_low(whole.confidence, wanted, self.max_error))


def judge(
    reading: Reading,
    threshold: float,
    *,
    max_error: float,
    inked: bool,
    required: bool,
    doubts: Iterable[str] = (),
    damage: str = "",
) -> tuple[Status, str]:
    """(status, reason) of a field that was read: `ok`, or everything that a person should look at.

    `threshold` is the least confidence that `max_error` requires. `inked` says that some ink is large enough to be a digit,
    `required` that the field must not be blank, `doubts` what is uncertain about the reading, and `damage` what is wrong with
    the page.
    """
    sure = reading.confidence >= threshold
    low = "" if sure else too_low(reading.confidence, threshold, max_error)
    if reading.text:
        told = joined(reading.remark, *doubts, damage, low)
        return ("review", told) if told else ("ok", "")
    if reading.remark == CROSSED_OUT and sure and not damage:
        return "blank", reading.remark
    if reading.remark or inked:
        told = joined(reading.remark or UNREAD, *doubts, damage, low if reading.remark == CROSSED_OUT else "")
        return "review", told
    told = joined(BLANK_REQUIRED if required else "", damage)
    return ("review", told) if told else ("blank", "")


def judge_empty(why: str, *, required: bool, damage: str = "") -> tuple[Status, str]:
    """(status, reason) of a field that is known to hold no number; `why` says why."""
    told = joined(BLANK_REQUIRED if required else "", damage)
    return ("review", joined(why, told)) if told else ("blank", why)


def too_low(confidence: float, threshold: float, max_error: float) -> str:
    """The reason for a field with too low a confidence: its confidence, and the one needed."""
    at = f"{100 * max_error:.4g} %"
    if threshold > 1:
        return f"{LOW}{confidence:.4g}, and no confidence is enough at {at}"
    # Rounded up, so that the confidence needed never looks equal to the actual one.
    needed = np.ceil(round(threshold * 10**KEPT_DECIMALS, 2)) / 10**KEPT_DECIMALS
    return f"{LOW}{confidence:.4g}, {needed:.4g} needed at {at}"


def only_unsure(reason: str) -> bool:
    """Whether only its confidence keeps a field from being accepted: that reason comes last if there are several."""
    return reason.startswith((LOW, LOW_BEFORE))


def joined(*reasons: str) -> str:
    """All non-empty reasons, each once."""
    return "; ".join(dict.fromkeys(reason for reason in reasons if reason))
