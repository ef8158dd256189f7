"""Reads a whole field at a glance: a strip 32 px high, frames along it, and the texts that they may spell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.readers.ctc import likely_texts, text_scores
from docproc.readers.line.band import line
from docproc.readers.voter import MAX_PROPOSED
from docproc.rules import FieldRules
from docproc.types import CLASSES, LINE_HEIGHT, LINE_READERS, Field, FieldInk, Frames, Line, LineRecognizer

FORM = Form("line", (LINE_HEIGHT, None), (None, LINE_READERS * CLASSES), LINE_READERS)  # to logits

MIN_LOG = -20.0  # natural log probability below which a doubt no longer counts [guess]


def view(ink: FieldInk, field: Field) -> Line:
    """The strip of a field."""
    return line(ink)


def score(views: Sequence[Line], network: LineRecognizer) -> list[Frames]:
    """The frames of each strip."""
    return network.recognize(views)


def fitted(card: Mapping[str, Any]) -> None:
    """Nothing was fitted beside the network."""


def opinion(view: Line, frames: Frames, digits: tuple[int, int] | None, fitted: None) -> LineOpinion:
    """See `voter.Voter.opinion`."""
    return LineOpinion(frames)


class LineOpinion:
    """See `voter.Opinion`."""

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self._free: list[str] | None = None
        self._judged: dict[str, float] = {}

    def propose(self, rules: FieldRules | None, others: Sequence[str] = ()) -> list[str]:
        if rules is None and self._free is not None:
            texts = self._free
        else:
            texts = likely_texts(self.frames, rules)
            self._free = texts if rules is None else self._free
        self._judge((*others, *texts))
        return sorted(texts, key=lambda text: (-self._judged[text], text))[:MAX_PROPOSED]

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self._judge(texts)
        return np.array([max(self._judged[text], MIN_LOG) for text in texts], np.float64)

    def evidence(self, text: str) -> Mapping[str, float]:
        return {}

    def _judge(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._judged]
        self._judged.update(zip(new, text_scores(self.frames, new).tolist(), strict=True))
