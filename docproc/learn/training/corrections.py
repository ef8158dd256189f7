"""What a field teaches whose true text a person has told: its line, its digits and what is none, its cells.

The person says what was written, and not where. The digits are found by holding the true text against the lattice, as the
readers see it now: the likeliest path that spells it. Where no path does so sensibly, because the ink is cut badly or the
text is that of another field, nothing is guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.strips import MIN_F1_AMBIGUOUS
from docproc.mlp import Net
from docproc.pipeline import FieldResult
from docproc.readers.comb import decode as in_cells
from docproc.readers.ctc import text_scores
from docproc.readers.lattice.context import log_odds
from docproc.readers.lattice.decode import decode, trace
from docproc.types import CELL_SIDE, GLYPH_SIDE, NOT_A_DIGIT, CellPictures, Glyphs, Lattice, Line

HELD_BACK = 1 / 3  # share of the documents that is never trained on
# Natural log for each digit. Measured on real amounts: the true text has -0.01 in the middle and hardly ever less, that of
# another field -12, and a text with a digit too few or too many -2 on the lattice.
LINE_LEAST = -4.0  # of a text on the line, and on the cells
LATTICE_LEAST = -2.0  # of a text among all that the lattice could say


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is learned from one field; each part may be empty."""

    text: str
    lines: tuple[Line, ...]  # the field's line, or none
    glyphs: Glyphs
    labels: NDArray[np.int8]  # (n,) of the glyphs: 0..9 or NOT_A_DIGIT
    cells: CellPictures
    marks: NDArray[np.int8]  # (n,) of the cells: 0..9

    @property
    def empty(self) -> bool:
        return not (self.lines or len(self.labels) or len(self.marks))


def held_back(sha256: str, seed: int) -> bool:
    """Whether a document with this content is kept to judge by.

    It hangs on nothing but the content and the seed: copies stay together, and what was held back once still is when more
    documents have come.
    """
    drawn = hashlib.sha256(f"{seed}:{sha256}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < HELD_BACK * 2**64


def lesson(result: FieldResult, text: str, context: Net | None, not_digits: int, rng: np.random.Generator) -> Lesson:
    """What a field teaches that was read as `result` and holds `text` (digits); at most `not_digits` wrong candidates."""
    prepared = result.prepared
    nothing = Lesson(
        text, (), np.zeros((0, GLYPH_SIDE, GLYPH_SIDE), np.uint8), np.zeros(0, np.int8),
        np.zeros((0, CELL_SIDE, CELL_SIDE, 2), np.uint8), np.zeros(0, np.int8),
    )  # fmt: skip
    if not text or prepared.micr is not None or prepared.lattice.blank:
        return nothing
    lines = (prepared.line,) if _each(text_scores(result.frames, [text])[0], text) >= LINE_LEAST else ()
    path = spelled(result, text, context) if lines else ()
    chosen, labels = labeled(prepared.lattice, path, text, not_digits, rng)
    marked = prepared.cells[..., 0].any(axis=(1, 2))
    # Where a digit was struck out, or another strayed, it is not known which is which.
    told = int(marked.sum()) == len(text) and _each(in_cells.text_scores(result.cells, [text])[0], text) >= LINE_LEAST
    cells = marked & told
    return Lesson(
        text, lines, prepared.glyphs[chosen], labels, prepared.cells[cells],
        np.array([int(c) for c in text] if told else [], np.int8),
    )  # fmt: skip


def spelled(result: FieldResult, text: str, context: Net | None) -> tuple[int, ...]:
    """The likeliest candidates that spell `text`, left to right; () where none do so sensibly."""
    lattice = result.prepared.lattice
    odds = log_odds(lattice, result.scores, context)
    found, path = trace(lattice.pieces, lattice.candidates, odds, result.scores, [text])[0]
    if not path:
        return ()
    whole = decode(lattice.pieces, lattice.candidates, odds, result.scores).whole
    return path if _each(found - whole, text) >= LATTICE_LEAST else ()


def labeled(
    lattice: Lattice, path: Sequence[int], text: str, not_digits: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """(candidates, labels) of a lattice on which `path` spells `text`: the digits, and others that share ink with them.

    Those others are no digits, unless they hold nearly the same ink as one: then it cannot be said. Ink beside the path is
    left out as well, because a digit of the form, or of the neighboring field, may stand there.
    """
    if not path:
        return np.zeros(0, np.int64), np.zeros(0, np.int8)
    areas = np.bincount(lattice.labels.ravel(), minlength=lattice.pieces + 1)[1 : lattice.pieces + 1].astype(np.float64)
    holds = np.zeros((len(lattice.candidates), lattice.pieces))
    for k, candidate in enumerate(lattice.candidates):
        holds[k, list(candidate.pieces)] = 1
    area = holds @ areas
    shared = (holds * areas) @ holds[list(path)].T
    alike = 2 * shared / np.maximum(1.0, area[:, None] + area[None, list(path)])  # F1, as `synthesis.label` has it
    wrong = np.flatnonzero((shared.max(axis=1) > 0) & (alike.max(axis=1) < MIN_F1_AMBIGUOUS))
    if len(wrong) > not_digits:
        wrong = rng.choice(wrong, not_digits, replace=False)
    labels = [*(int(c) for c in text), *[NOT_A_DIGIT] * len(wrong)]
    return np.concatenate([np.array(path, np.int64), wrong]), np.array(labels, np.int8)


def _each(score: float, text: str) -> float:
    return float(score) / len(text)
