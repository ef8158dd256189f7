"""Reads a field by segmentation: pieces of ink, candidates at 28x28, and the best path through their lattice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.meaning.marks import MarkedDigits, marked_digits
from docproc.mlp import Mlp, logit
from docproc.readers.batching import flatten, regroup
from docproc.readers.lattice.context import log_odds
from docproc.readers.lattice.cuts import candidate_ink, segment
from docproc.readers.lattice.normalize import normalize_all
from docproc.readers.lattice.search import Decoded, decode, trace
from docproc.readers.lattice.stray import left_over
from docproc.readers.voter import MAX_PROPOSED
from docproc.rules import FieldRules
from docproc.types import CLASSES, GLYPH_SIDE, SMALL_DIGIT_PX, Field, FieldInk, Glyphs, Lattice, Recognizer, Scores

FORM = Form("digit", (GLYPH_SIDE, GLYPH_SIDE), (CLASSES,))  # to probabilities [geometry]


@dataclass(frozen=True, slots=True)
class LatticeTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_log: float = -12.0  # natural log probabilities are clipped here [guess]

    # As evidence, in log-odds.
    min_share: float = 1e-5  # smaller ones count as this [guess]
    max_log_odds: float = 8.0  # of the weakest candidate, either sign [guess]
    max_class_log_odds: float = 11.0  # that it is this digit [guess]
    min_digit_px: float = 8.0  # height of the digits in the scan: less counts as this, and `SMALL_DIGIT_PX` is enough [guess]


LATTICE = LatticeTuning()


@dataclass(frozen=True, slots=True)
class View:
    """The lattice of a field, and its candidates as input of the digit network."""

    lattice: Lattice
    glyphs: Glyphs  # of the lattice's candidates


def view(ink: FieldInk, field: Field) -> View:
    """Cut a field's ink into candidates, and normalize each to 28x28."""
    lattice = segment(ink, amount=field.kind in ("amount", "decimal"))
    return View(lattice, glyphs_of(lattice))


def glyphs_of(lattice: Lattice) -> Glyphs:
    """All candidates of a lattice at 28x28."""
    return normalize_all([candidate_ink(lattice, k) for k in range(len(lattice.candidates))])


def score(views: Sequence[View], network: Recognizer) -> list[Scores]:
    """The scores of the candidates of each view."""
    batch, counts = flatten([one.glyphs for one in views])
    return regroup(network.recognize(batch), counts)


def fitted(card: Mapping[str, Any]) -> Mlp:
    """The context network, see `context`."""
    return Mlp.from_card(card["context"])


def opinion(view: View, scores: Scores, digits: tuple[int, int] | None, context: Mlp | None) -> LatticeOpinion:
    """See `voter.Voter.opinion`; without a `context` network a candidate's own score is used."""
    return LatticeOpinion(view.lattice, scores, log_odds(view.lattice, scores, context), digits)


class LatticeOpinion:
    """See `voter.Opinion`. Besides texts it knows the positions of their digits: the path through the lattice."""

    def __init__(
        self, lattice: Lattice, scores: Scores, odds: NDArray[np.float64], digits: tuple[int, int] | None = None
    ) -> None:
        self.lattice = lattice
        self.scores = scores
        self.log_odds = odds
        self._digits = digits
        self._judged: dict[str, tuple[float, tuple[int, ...]]] = {}
        self._marked: dict[tuple[int, ...], MarkedDigits] = {}
        self._ruled: dict[FieldRules, list[str]] = {}

    @cached_property
    def decoded(self) -> Decoded:
        """All texts that the search finds."""
        found = decode(self.lattice.pieces, self.lattice.candidates, self.log_odds, self.scores, self._digits)
        lost = self._whole(found) - found.whole
        for (text, share), path in zip(found.strings[:MAX_PROPOSED], found.paths, strict=False):
            self._judged[text] = float(np.log(max(share, 1e-12))) - lost, path
        return found

    def _whole(self, found: Decoded) -> float:
        """The log-odds of all paths, including that of no digit, even if the search was for a minimum number of digits."""
        return float(np.logaddexp(found.whole, 0.0)) if self._digits and self._digits[0] else found.whole

    def propose(self, rules: FieldRules | None, others: Sequence[str] = ()) -> list[str]:
        if rules is None:
            return [text for text, _ in self.decoded.strings[:MAX_PROPOSED]]
        if rules not in self._ruled:
            found = decode(self.lattice.pieces, self.lattice.candidates, self.log_odds, self.scores, self._digits, rules)
            self._ruled[rules] = [text for text, _ in found.strings[:MAX_PROPOSED]]
        return self._ruled[rules]

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self._judge(texts)
        return np.array([max(self._judged[text][0], LATTICE.min_log) for text in texts], np.float64)

    def path(self, text: str) -> tuple[int, ...]:
        """The candidates of a text, left to right; () if no path gives it."""
        self._judge([text])
        return self._judged[text][1]

    def marks(self, path: tuple[int, ...]) -> MarkedDigits | None:
        """The digits on a path and the marks around them; None if there is no path."""
        if not path:
            return None
        if path not in self._marked:
            self._marked[path] = marked_digits(self.lattice, path)
        return self._marked[path]

    def evidence(self, text: str) -> Mapping[str, float]:
        lattice, taken = self.lattice, np.array(self.path(text), np.int64)
        weakest, doubt, doubts = -LATTICE.max_log_odds, -LATTICE.max_log_odds, 1.0
        if len(taken):
            shown = np.asarray(self.scores[taken, :10], np.float64)
            shown /= np.maximum(shown.sum(axis=1, keepdims=True), 1e-12)
            own = shown[np.arange(len(taken)), [int(c) for c in text]]
            weakest, doubt = float(self.log_odds[taken].min()), float(logit(own, LATTICE.min_share).min())
            doubts = float(np.sum(1 - own))
        return {
            "weakest_digit": min(max(-LATTICE.max_log_odds, weakest), LATTICE.max_log_odds),
            "weakest_class": min(max(-LATTICE.max_log_odds, doubt), LATTICE.max_class_log_odds),
            "doubt": doubts,
            "left_over": left_over(lattice, taken.tolist()),
            "pieces": float(lattice.pieces),
            "digit_px": log2(min(max(lattice.digit_px, LATTICE.min_digit_px), SMALL_DIGIT_PX)),
        }

    def _judge(self, texts: Sequence[str]) -> None:
        whole = self._whole(self.decoded)  # the search comes first: its texts get their probability from it
        new = [text for text in dict.fromkeys(texts) if text not in self._judged]
        if new:
            traced = trace(self.lattice.pieces, self.lattice.candidates, self.log_odds, self.scores, new)
            self._judged.update((text, (odds - whole, path)) for text, (odds, path) in zip(new, traced, strict=True))
