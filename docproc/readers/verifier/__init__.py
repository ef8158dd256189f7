"""Checks texts that other readers propose: sees a field and a text at once, and says whether that text is written there.

The network is trained on near misses: wrong texts beside the ink from which they were read. With both in view they are easier
to tell from the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.readers.ctc import alignments, each_reader, middles
from docproc.rules import FieldRules
from docproc.types import DIGIT_SYMBOLS, LINE_HEIGHT, Frames, Line, LineRecognizer

NAME = "verifier"  # of the reader, and of its network
HEIGHT = LINE_HEIGHT + len(DIGIT_SYMBOLS)  # px: the strip, and a row for each of the ten digits [geometry]
FORM = Form(NAME, (HEIGHT, None), (2,))  # to logits: another text is written, or this one [geometry]


@dataclass(frozen=True, slots=True)
class VerifierTuning:
    """The numbers of this stage; each says its unit and its kind, see docs/house.md."""

    max_texts: int = 3  # of each other reader, that are checked [guess]
    max_behind_nats: float = 8.0  # the best text of a reader: what is further behind is not checked [guess]
    min_log: float = -8.0  # natural log probability below which a doubt no longer counts [guess]
    beside: int = 150  # 0..255, in the frames beside the one in which a digit was seen, where that has 255 [guess]


VERIFIER = VerifierTuning()


@dataclass(frozen=True, slots=True)
class Case:
    """A field with the texts that are to be verified."""

    line: Line
    frames: Frames  # of digits alone, by the line readers
    texts: tuple[str, ...]


def likeliest(logs: Sequence[Mapping[str, float]]) -> tuple[str, ...]:
    """The texts to verify: of each reader the best, by what it says of every text (natural log probabilities)."""
    found: list[str] = []
    for own in logs:
        ranked = sorted((text for text in own if text), key=lambda text: (-own[text], text))[: VERIFIER.max_texts]
        found += [text for text in ranked if own[text] >= own[ranked[0]] - VERIFIER.max_behind_nats]
    return tuple(dict.fromkeys(found))


def verify(cases: Sequence[Case], network: LineRecognizer) -> list[VerifierOpinion]:
    """What the network says of the texts of every case, all in one call."""
    shown = [shown_texts(case.line, case.frames, case.texts) for case in cases]
    logs = iter(network.recognize([picture for own in shown for picture in own.values()]))
    return [VerifierOpinion({text: float(next(logs)[1]) for text in own}) for own in shown]


def shown_texts(line: Line, frames: Frames, texts: Sequence[str]) -> dict[str, Line]:
    """What the network is shown of each text: a (42, width) uint8 picture, the strip and below it the text.

    Each digit has its row, and is marked where the line readers see it if the text is right (their most probable alignment).
    Texts for which there are too few frames are left out.
    """
    told = [text for text in texts if text and _fits(text, len(frames))]
    if not told:
        return {}
    odds = np.exp(np.stack(each_reader(frames)).astype(np.float64)).mean(axis=0)
    shown = {}
    for text, states in zip(told, alignments(odds, told), strict=True):
        shown[text] = beneath(line, text, middles(states, len(text)).tolist())
    return shown


def beneath(line: Line, text: str, places: Sequence[float]) -> Line:
    """A strip with the text below it, (42, width) uint8; `places` are the frames, two px wide, of its digits."""
    rows = np.zeros((HEIGHT - LINE_HEIGHT, line.shape[1] // 2), np.uint8)
    for digit, place in zip(text, places, strict=True):
        frame, row = round(place), rows[int(digit)]
        near = row[max(0, frame - 1) : frame + 2]
        near[:] = np.maximum(near, VERIFIER.beside)
        row[min(max(0, frame), len(row) - 1)] = 255
    return np.concatenate([line, np.repeat(rows, 2, axis=1)])


def _fits(text: str, frames: int) -> bool:
    """Whether there is a frame for every digit, one between two equal ones, and one more."""
    return len(text) + sum(one == other for one, other in pairwise(text)) < frames


class VerifierOpinion:
    """See `voter.Opinion`. It proposes nothing.

    The empty text is as probable as that all texts that were checked are wrong. A text that was not checked counts like the
    least probable of these.
    """

    def __init__(self, judged: Mapping[str, float]) -> None:
        """`judged` are natural log probabilities."""
        least, most = min(judged.values(), default=0.0), max(judged.values(), default=0.0)
        self._judged = {**judged, "": float(np.log(max(-np.expm1(most), 1e-12)))} if judged else {}
        self._least = least

    def propose(self, rules: FieldRules | None, others: Sequence[str] = ()) -> list[str]:
        return []

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([max(self._judged.get(text, self._least), VERIFIER.min_log) for text in texts], np.float64)

    def evidence(self, text: str) -> Mapping[str, float]:
        return {}
