"""Training examples from a field whose true text a person has keyed: its line, its digits and wrong candidates, its cells.

The person keyed what is written, but not where. The digits are located by aligning the true text with the lattice: the most
probable path that spells it. If no path does so plausibly, because the ink was cut badly or the text belongs to another field,
there are no examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.strips import MIN_F1_AMBIGUOUS
from docproc.readers.comb import CombOpinion
from docproc.readers.comb import search as in_cells
from docproc.readers.ctc import text_scores
from docproc.readers.handwriting import HandwrittenResult, lattice_opinion, line_frames, line_opinion
from docproc.readers.lattice import LatticeOpinion
from docproc.readers.lattice.search import decode, trace
from docproc.readers.line.symbols import join
from docproc.readers.read import FieldResult
from docproc.types import CELL_SIDE, GLYPH_SIDE, NOT_A_DIGIT, CellPictures, Glyphs, Lattice, Line

HELD_OUT_SHARE = 1 / 3  # of the documents, never used for training
# Log probabilities in nats per digit. Measured on real amounts: the median of true texts is -0.01, and hardly any is lower;
# that of another field's text is -12; on drawn fields true texts have -0.1 on the lattice, and those with a digit missing -1.4.
MIN_LINE_NATS = -4.0  # of a text on the line, and on the cells
MIN_LATTICE_NATS = -1.0  # of a text among all that the lattice allows


@dataclass(frozen=True, slots=True)
class CorrectionExamples:
    """The training examples of one corrected field; each part may be empty."""

    text: str
    symbols: str  # the text with the marks that the line networks see around its digits
    lines: tuple[Line, ...]  # the field's line, or none
    glyphs: Glyphs
    labels: NDArray[np.int8]  # (n,) of the glyphs: 0..9 or NOT_A_DIGIT
    cells: CellPictures
    cell_labels: NDArray[np.int8]  # (n,) of the cells: 0..9

    @property
    def empty(self) -> bool:
        return not (self.lines or len(self.labels) or len(self.cell_labels))


def is_held_out(sha256: str, seed: int) -> bool:
    """Whether a document with this content is held out from training.

    This depends only on the content and the seed: copies stay together, and a document that was held out once remains so when
    more documents are added.
    """
    drawn = hashlib.sha256(f"{seed}:{sha256}".encode()).digest()[:8]
    return int.from_bytes(drawn, "big") < HELD_OUT_SHARE * 2**64


def correction_examples(result: FieldResult, text: str, not_digits: int, rng: np.random.Generator) -> CorrectionExamples:
    """The training examples of a field that was read as `result` and contains `text` (digits).

    They include at most `not_digits` wrong candidates.
    """
    nothing = CorrectionExamples(
        text, text, (), np.zeros((0, GLYPH_SIDE, GLYPH_SIDE), np.uint8), np.zeros(0, np.int8),
        np.zeros((0, CELL_SIDE, CELL_SIDE, 2), np.uint8), np.zeros(0, np.int8),
    )  # fmt: skip
    if not text or not isinstance(result, HandwrittenResult) or result.prepared.lattice.blank:
        return nothing
    views, opinions = result.prepared.views, result.opinions
    line_nats = _each(text_scores(line_frames(opinions), [text])[0], text)
    lines = (views["line"],) if line_nats >= MIN_LINE_NATS else ()
    path = spelling_path(lattice_opinion(opinions), text) if lines else ()
    chosen, labels = label_along_path(result.prepared.lattice, path, text, not_digits, rng)
    pictures, comb = views.get("cells", nothing.cells), opinions.get("cells")
    marked = pictures[..., 0].any(axis=(1, 2))
    # If a digit was struck out, or another digit strayed into a cell, it is unclear which digit is which.
    sure = (
        isinstance(comb, CombOpinion)
        and int(marked.sum()) == len(text)
        and _each(in_cells.text_scores(comb.scores, [text])[0], text) >= MIN_LINE_NATS
    )
    symbols = join(line_opinion(opinions).named(text), text) if lines else text
    return CorrectionExamples(
        text, symbols, lines, result.prepared.cut.glyphs[chosen], labels, pictures[marked & sure],
        np.array([int(c) for c in text] if sure else [], np.int8),
    )  # fmt: skip


def spelling_path(opinion: LatticeOpinion, text: str) -> tuple[int, ...]:
    """The most probable candidates that spell `text`, left to right; () if none do so plausibly."""
    lattice, odds, scores = opinion.lattice, opinion.log_odds, opinion.scores
    found, path = trace(lattice.pieces, lattice.candidates, odds, scores, [text])[0]
    if not path:
        return ()
    # Over all texts, whatever lengths the field's rules allow.
    whole = decode(lattice.pieces, lattice.candidates, odds, scores).whole
    return path if _each(found - whole, text) >= MIN_LATTICE_NATS else ()


def label_along_path(
    lattice: Lattice, path: Sequence[int], text: str, not_digits: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """Label candidates of a lattice on which `path` spells `text`: (candidates, labels).

    Those on the path are its digits. Candidates that share ink with one of them are not digits, except those with nearly the
    same ink, which stay unlabeled. So do candidates beside the path: a digit of the printed form, or of the neighboring field,
    may be there.
    """
    if not path:
        return np.zeros(0, np.int64), np.zeros(0, np.int8)
    areas = np.bincount(lattice.labels.ravel(), minlength=lattice.pieces + 1)[1 : lattice.pieces + 1].astype(np.float64)
    holds = np.zeros((len(lattice.candidates), lattice.pieces))
    for k, candidate in enumerate(lattice.candidates):
        holds[k, list(candidate.pieces)] = 1
    area = holds @ areas
    shared = (holds * areas) @ holds[list(path)].T
    f1 = 2 * shared / np.maximum(1.0, area[:, None] + area[None, list(path)])  # as in `strips.label`
    wrong = np.flatnonzero((shared.max(axis=1) > 0) & (f1.max(axis=1) < MIN_F1_AMBIGUOUS))
    if len(wrong) > not_digits:
        wrong = rng.choice(wrong, not_digits, replace=False)
    labels = [*(int(c) for c in text), *[NOT_A_DIGIT] * len(wrong)]
    return np.concatenate([np.array(path, np.int64), wrong]), np.array(labels, np.int8)


def _each(score: float, text: str) -> float:
    return float(score) / len(text)
