"""Reads a comb cell by cell: an image of each, its scores, and the texts that the cells may hold together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.mlp import logit
from docproc.readers.batching import flatten, regroup
from docproc.readers.comb.cells import cell_pictures, without_ink
from docproc.readers.comb.search import best_texts, remark, text_scores
from docproc.readers.voter import MAX_PROPOSED
from docproc.rules import FieldRules
from docproc.types import CELL_CLASSES, CELL_SIDE, CROSSED, CellPictures, CellScores, Field, FieldInk, Recognizer

FORM = Form("cell", (CELL_SIDE, CELL_SIDE, 2), (CELL_CLASSES,))  # to probabilities [geometry]

MIN_LOG = -25.0  # natural log probabilities are clipped here [guess]
MIN_CELL_SHARE = 1e-4  # as evidence: smaller ones count as this [guess]


def view(ink: FieldInk, field: Field) -> CellPictures | None:
    """The images of the cells; None if there is no comb, or no ink in it."""
    return cell_pictures(ink) if ink.cells else None


def score(views: Sequence[CellPictures], network: Recognizer) -> list[CellScores]:
    """The scores of each cell; a cell without ink is scored as empty."""
    batch, counts = flatten(views, (CELL_SIDE, CELL_SIDE, 2))
    return regroup(without_ink(batch, network.recognize(batch)), counts)


def fitted(card: Mapping[str, Any]) -> None:
    """Nothing was fitted in addition to the network."""


def opinion(view: CellPictures, scores: CellScores, digits: tuple[int, int] | None, fitted: None) -> CombOpinion:
    """See `voter.Voter.opinion`."""
    return CombOpinion(scores)


class CombOpinion:
    """See `voter.Opinion`."""

    def __init__(self, scores: CellScores) -> None:
        self.scores = scores

    def propose(self, rules: FieldRules | None, others: Sequence[str] = ()) -> list[str]:
        return [text for text, _ in best_texts(self.scores, rules)[:MAX_PROPOSED]]

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.maximum(text_scores(self.scores, texts), MIN_LOG)

    def evidence(self, text: str) -> Mapping[str, float]:
        return {
            "least_sure_cell": float(logit(np.asarray(self.scores.max(axis=1).min(initial=1.0)), MIN_CELL_SHARE)),
            "crossed": float(np.mean(self.scores[:, CROSSED] > 0.5)),
        }

    def remark(self, text: str) -> str:
        """What a person should know about the cells of a comb read as `text`; "" if there is nothing."""
        return remark(self.scores, text)
