"""Reads a whole field at once: a strip 32 px high, frames along it, and the texts that they may spell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.meaning.named import Named
from docproc.mlp import logit
from docproc.readers.ctc import Merged, alignments, each_reader, each_scores, joint_scores, likely_texts, merge_blanks, middles
from docproc.readers.line.band import line
from docproc.readers.line.symbols import digit_frames, named, share_in_1
from docproc.readers.voter import MAX_PROPOSED
from docproc.rules import FieldRules
from docproc.types import LETTER, LINE_CLASSES, LINE_HEIGHT, LINE_READERS, STRUCK, Field, FieldInk, Frames, Line, LineRecognizer

FORM = Form("line", (LINE_HEIGHT, None), (None, LINE_READERS * LINE_CLASSES), LINE_READERS)  # to logits

MIN_FOREIGN_SHARE = 1e-3  # of letters and struck-out writing, as evidence: smaller ones count as this [guess]
MIN_READER_SHARE = 1e-5  # of a text for one reader, as evidence: smaller ones count as this [guess]
MIN_LOG = -20.0  # natural log probabilities are clipped here [guess]


def view(ink: FieldInk, field: Field) -> Line:
    """The strip of a field."""
    return line(ink)


def score(views: Sequence[Line], network: LineRecognizer) -> list[Frames]:
    """The frames of each strip."""
    return network.recognize(views)


def fitted(card: Mapping[str, Any]) -> None:
    """Nothing was fitted in addition to the network."""


def opinion(view: Line, frames: Frames, digits: tuple[int, int] | None, fitted: None) -> LineOpinion:
    """See `voter.Voter.opinion`."""
    return LineOpinion(frames)


class LineOpinion:
    """See `voter.Opinion`. The line readers also name the symbols between the digits."""

    def __init__(self, frames: Frames) -> None:
        self.all_frames = frames  # of all symbols
        self.frames = digit_frames(frames)
        self._likely: dict[FieldRules | None, list[str]] = {}
        self._judged: dict[str, float] = {}
        self._each: dict[str, list[float]] = {}  # each reader's log probability of a text
        self._named: dict[str, tuple[Named, ...]] = {}

    @cached_property
    def _merged(self) -> Merged:
        return merge_blanks(self.frames)

    def propose(self, rules: FieldRules | None, others: Sequence[str] = ()) -> list[str]:
        if rules not in self._likely:
            texts = likely_texts(self._merged, rules)
            self._judge((*others, *texts))
            self._likely[rules] = [text for _, text in sorted((-self._judged[text], text) for text in texts)][:MAX_PROPOSED]
        return self._likely[rules]

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self._judge(texts)
        return np.array([max(self._judged[text], MIN_LOG) for text in texts], np.float64)

    def _judge(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text not in self._judged]
        if new:
            each = each_scores(self._merged, new)
            self._judged.update(zip(new, joint_scores(each).tolist(), strict=True))
            self._each.update(zip(new, each.T.tolist(), strict=True))

    def named(self, text: str) -> tuple[Named, ...]:
        """The symbols around the digits of a text, see `symbols.named`."""
        if text not in self._named:
            self._named[text] = named(self.all_frames, text)
        return self._named[text]

    def slash_in_1(self, text: str) -> float:
        """The probability that a 1 between other digits is a slash, 0..1, see `symbols.share_in_1`."""
        return share_in_1(self.all_frames, text, "/")

    def places(self, text: str) -> list[float]:
        """The frame of each digit of a text, the median over the readers; [] if there are too few frames."""
        if not text or len(self.frames) < 2 * len(text):
            return []
        odds = np.exp(np.stack(each_reader(self.frames)).astype(np.float64))
        states = alignments(odds, [text] * len(odds))
        found: list[float] = np.median([middles(own, len(text)) for own in states], axis=0).tolist()
        return found

    def evidence(self, text: str) -> Mapping[str, float]:
        shares = [one.share for one in self.named(text) if one.symbol in (LETTER, STRUCK)]
        self._judge([text])
        each = sorted(logit(np.exp(self._each[text]), MIN_READER_SHARE).tolist())
        return {
            "foreign": float(logit(np.array(max(shares, default=0.0)), MIN_FOREIGN_SHARE)),
            **{f"reader_{number}": odds for number, odds in enumerate(each, 1)},
        }
