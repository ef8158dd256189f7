"""Evidence for the text that won the vote: the input of the calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import logit
from docproc.readers.vote import Verdict
from docproc.readers.voter import Opinion
from docproc.types import LINE_READERS


@dataclass(frozen=True, slots=True)
class EvidenceTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_share: float = 1e-5  # smaller ones count as this [guess]
    no_rival_log: float = -12.0  # of the best other text, if there is none [guess]
    min_lead_nats: float = -8.0  # over the best other text of one reader: clipped here [guess]
    max_lead_nats: float = 12.0  # likewise [guess]


EVIDENCE = EvidenceTuning()

_ALWAYS = (
    "share",  # of the vote, in log-odds
    "lead",  # over the second text, as a log ratio
    "lattice",  # log-odds of the text according to this reader
    "line",
    "lattice_lead",  # over this reader's best other text, as a log ratio
    "line_lead",
    "agreed",  # 1 if all readers rank the text first
    "weakest_digit",  # log-odds that the weakest candidate on its path is a whole digit
    "weakest_class",  # the least log-odds that a candidate is its digit
    "doubt",  # about its digits, as summed shares
    "left_over",  # share of the ink that is not on a digit
    "digits",  # how many
    "pieces",  # of ink
    "foreign",  # log-odds that there are letters or something struck out
)
READERS = tuple(f"reader_{number}" for number in range(1, LINE_READERS + 1))  # log-odds of each line reader, lowest first
FREE = (
    *_ALWAYS,
    *READERS,
    "digit_px",  # height of the digits in the scan, as a binary logarithm
)
COMB = (
    *_ALWAYS,
    "cells",
    "cells_lead",
    "least_sure_cell",  # log-odds
    "crossed",  # share of the cells that are crossed out
)
"""The order of the evidence in fitted calibrations: for free fields, and for combs."""

_AGAINST = {"doubt", "left_over", "foreign", "crossed"}
_EITHER = {"digits", "pieces"}


def signs(names: Sequence[str]) -> NDArray[np.int64]:
    """The sign with which each kind of evidence counts, (len(names),): 1 for the text, -1 against it, 0 either way."""
    return np.array([0 if name in _EITHER else -1 if name in _AGAINST else 1 for name in names])


def evidence(verdict: Verdict, opinions: Mapping[str, Opinion]) -> NDArray[np.float64]:
    """The evidence for the text that won the vote, float64: (len(FREE),) or (len(COMB),)."""
    won, others = verdict.ballots[0], verdict.ballots[1:]
    second = verdict.shares[1] if len(others) else 0.0
    found = {
        "share": float(logit(np.array(verdict.shares[0]), EVIDENCE.min_share)),
        "lead": float(np.log((verdict.shares[0] + EVIDENCE.min_share) / (second + EVIDENCE.min_share))),
        "agreed": float(verdict.agreed),
        "digits": float(len(won.text)),
    }
    for name, opinion in opinions.items():
        best_other = max((ballot.logs[name] for ballot in others), default=EVIDENCE.no_rival_log)
        found[name] = float(logit(np.exp(won.logs[name]), EVIDENCE.min_share))
        found[f"{name}_lead"] = float(np.clip(won.logs[name] - best_other, EVIDENCE.min_lead_nats, EVIDENCE.max_lead_nats))
        found |= opinion.evidence(won.text)
    asked = COMB if "cells" in opinions else FREE
    return np.array([found[name] for name in asked])
