"""The networks and fitted models that fields are read with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from docproc.readers.confidence import Acceptance, Calibration, Thresholds, enough
from docproc.readers.vote import Weights
from docproc.rules import DateWindow
from docproc.types import Kind, LineRecognizer


@dataclass(frozen=True, slots=True)
class Model:
    """The networks, and what was fitted in addition to them."""

    networks: Mapping[str, Any]  # of the voting readers, by reader name: a `Recognizer` or a `LineRecognizer`
    micr: LineRecognizer  # for E-13B
    fitted: Mapping[str, Any]  # besides the networks, by reader name, see `voter.Voter.fitted`
    weights: Mapping[Kind, Weights]
    calibrations: Mapping[Kind, Calibration]
    repairs: Thresholds  # for fields that were changed by a rule: they have their own error

    @property
    def name(self) -> str:
        """Identifies the networks: the first characters of their hashes."""
        return "-".join(network.model_hash[:8] for network in (*self.networks.values(), self.micr))

    def accepts(self, max_error: float, window: DateWindow | None = None, own: Mapping[str, float] | None = None) -> Acceptance:
        """What it takes for a field to be accepted, see `confidence.enough`; `own` are a user's own thresholds."""
        kinds = {kind: enough(calibration.thresholds, max_error) for kind, calibration in self.calibrations.items()}
        small = {kind: enough(one.small, max_error) for kind, one in self.calibrations.items() if one.small}
        return Acceptance(kinds, enough(self.repairs, max_error), own or {}, max_error, window, small)
