"""Composes number fields from MNIST digits, pen trajectories, drawn strokes and print, with the digit of every pixel known.

A strip imitates how people and machines fill in amounts and form fields: one hand, one slant, digits that touch, zeros that
shrink and run together, separators and trailing marks, words and corrections, ruled lines, frames, security patterns, bad
light, JPEG. The real segmenter then cuts the strip, and `label` gives every candidate its digit, or *not a digit*: the
recognizer is trained on exactly what the segmenter gives it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.corrections import Corrected, corrected
from docproc.learn.composing.hands import a_hand, written
from docproc.learn.composing.layers import MARK, Layer, Owner, arrange, bent, cropped, sheared
from docproc.learn.composing.material import Material
from docproc.learn.composing.paper import ruled, scanned
from docproc.learn.composing.printing import typed
from docproc.learn.composing.spelling import DECIMAL, Spelled, spell, word
from docproc.types import NOT_A_DIGIT, Gray, Kind, Lattice

# F1 of a candidate's ink against a digit's: from the first value on it is that digit, from the second on it is ambiguous.
MIN_F1_DIGIT, MIN_F1_AMBIGUOUS = 0.80, 0.65
AMBIGUOUS = -1  # label of a candidate that is neither clearly a digit nor clearly not one


@dataclass(frozen=True, slots=True)
class Strip:
    """A composed field."""

    gray: Gray
    text: str
    owner: Owner
    cells: int = 0  # of a comb; 0 for a free string
    marks: tuple[
        str, ...
    ] = ()  # the content of each cell of a comb: a digit, x if it is crossed out, ? if illegible, "" if empty
    amount: bool = False  # there may be marks next to the digits
    symbols: str = ""  # everything that is written, see `types.LINE_SYMBOLS`
    number: bool = True  # whether it is one number and nothing else: only then may its text be accepted
    sort: str = ""  # what it shows, for tables of errors
    meant: str = ""  # of something that is not a plain number: the digits that a person would key, if any

    @property
    def kind(self) -> Kind:
        if self.cells:
            return "comb"
        return "decimal" if self.sort == DECIMAL else "amount" if self.amount else "string"


def compose(material: Material, rng: np.random.Generator, carelessness: float = 1.0) -> Strip:
    """One free strip, by hand or in print. `carelessness` 0..1 is that of the handwriting."""
    spelled = spell(rng, material.mix.kinds)
    if spelled.foreign and not material.fonts.foreign:
        spelled = word(rng)
    layer = typed(spelled, material.fonts, rng) if rng.random() < material.mix.printed else None
    if layer is not None:
        return _field(sheared(layer, 0.0, rng.normal(0, 0.012)), Corrected(spelled.symbols, spelled.number), spelled, rng)
    hand = a_hand(material, rng, carelessness)
    layer = arrange(written(spelled, hand, material, rng), hand.height, rng)
    said = Corrected(spelled.symbols, spelled.number)
    if rng.random() < material.mix.corrected * carelessness and spelled.text:
        layer, said = corrected(layer, spelled, hand, material, rng)
    slant = float(np.clip(rng.normal(0.18, 0.26), -0.35, 0.95))
    layer = bent(sheared(layer, slant, rng.normal(0, 0.025)), rng, carelessness)
    return _field(layer, said, spelled, rng)


def _field(layer: Layer, said: Corrected, spelled: Spelled, rng: np.random.Generator) -> Strip:
    """What is written, as a field of a scanned page."""
    layer = ruled(cropped(layer, rng), rng)
    text = "".join(symbol for symbol in said.symbols if symbol.isdigit())
    kind = said.kind or spelled.kind
    meant = said.meant or (text if kind == "disturbed" else "")
    return Strip(scanned(layer.alpha, rng), text, layer.owner, 0, (), spelled.marked, said.symbols, said.number, kind, meant)


# ----------------------------------------------------------------------------------------------------- labeling


def label(lattice: Lattice, strip: Strip) -> NDArray[np.int8]:
    """The label of every candidate of the strip's lattice: (n,) int8, 0..9, `NOT_A_DIGIT` or `AMBIGUOUS`.

    A candidate is a digit if it contains nearly all of that digit's ink and little else.
    """
    names = np.full(len(lattice.candidates), NOT_A_DIGIT, np.int8)
    if not len(names):
        return names
    height, width = lattice.ink.shape
    owner = cv2.warpAffine(strip.owner, lattice.to_ink, (width, height), flags=cv2.INTER_NEAREST)
    codes = np.where(owner == MARK, len(strip.text) + 1, owner).astype(np.uint8)
    # The rim of a stroke belongs to the stroke.
    codes = np.where(codes == 0, cv2.dilate(codes, np.ones((5, 5), np.uint8)), codes)
    count = len(strip.text) + 2
    drawn = np.bincount(codes[(owner > 0) & (owner < MARK)].ravel(), minlength=count).astype(np.float64)
    # Ink by piece and owner: (pieces + 1, owners).
    joint = np.bincount(
        lattice.labels.ravel().astype(np.int64) * count + codes.ravel(), minlength=(lattice.pieces + 1) * count
    ).reshape(-1, count)
    survived = joint[1:].sum(axis=0).astype(np.float64)
    whole = survived / np.maximum(1.0, drawn)
    held = np.array([joint[[p + 1 for p in c.pieces]].sum(axis=0) for c in lattice.candidates], np.float64)
    # F1 of every candidate against every digit: the harmonic mean of recall and purity.
    overlap = 2 * held / np.maximum(1.0, survived[None, :] + held.sum(axis=1, keepdims=True))
    overlap[:, [0, -1]] = 0
    digit = overlap.argmax(axis=1)
    own = overlap.max(axis=1)
    best = overlap.max(axis=0)[digit]
    right = (own >= MIN_F1_DIGIT) & (own >= best - 0.03) & (whole[digit] >= 0.7)
    names[own >= MIN_F1_AMBIGUOUS] = AMBIGUOUS
    names[right] = [int(strip.text[d - 1]) for d in digit[right]]
    return names
