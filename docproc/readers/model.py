"""What fields are read with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docproc.readers.confidence import Acceptance, Calibration, Thresholds, least
from docproc.readers.vote import Weights
from docproc.rules import DateWindow
from docproc.types import Kind, LineRecognizer


@dataclass(frozen=True, slots=True)
class Model:
    """The networks, and what was fitted beside them."""

    networks: Mapping[str, Any]  # of the readers that vote, by their names: a `Recognizer` or a `LineRecognizer`
    micr: LineRecognizer  # of E-13B
    fitted: Mapping[str, Any]  # beside the networks, by the names of the readers, see `voter.Voter.fitted`
    weights: Mapping[Kind, Weights]
    calibrations: Mapping[Kind, Calibration]
    repairs: Thresholds  # of fields that were changed by a rule: they have an error of their own

    @property
    def name(self) -> str:
        """Which networks read: the starts of their hashes."""
        return "-".join(network.model_hash[:8] for network in (*self.networks.values(), self.micr))

    def accepts(self, max_error: float, window: DateWindow | None = None, own: Mapping[str, float] | None = None) -> Acceptance:
        """What a field must have to be accepted, see `confidence.least`; `own` are thresholds of a user's own."""
        kinds = {kind: least(calibration.thresholds, max_error) for kind, calibration in self.calibrations.items()}
        return Acceptance(kinds, least(self.repairs, max_error), own or {}, max_error, window)
