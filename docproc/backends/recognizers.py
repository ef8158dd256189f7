"""What all backends share: which shapes a network has, batches of pictures, lines of one width together.

A backend gives a `Network`; the recognizers here turn it into those of `types`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from docproc.errors import MissingPart
from docproc.types import (
    CELL_CLASSES,
    CELL_SIDE,
    CLASSES,
    GLYPH_SIDE,
    LINE_HEIGHT,
    LINE_READERS,
    MICR_CLASSES,
    NOT_A_DIGIT,
    CellPictures,
    CellScores,
    Frames,
    Glyphs,
    Line,
    ModelHash,
    Scores,
)

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """What a network takes, uint8, and gives, float32: the sides behind the batch; None is any length."""

    kind: str  # as a person would name it
    takes: Shape
    gives: Shape
    readers: int = 1  # networks in one, whose classes lie side by side

    @property
    def classes(self) -> int:
        """Columns of what it gives."""
        return self.gives[-1] or 0

    @property
    def of_lines(self) -> bool:
        """Whether it reads lines of any width."""
        return None in self.takes

    def check(self, takes: Sequence[object], gives: Sequence[object], dtype: str) -> None:
        """Raises MissingPart unless a network has these shapes, batch first; what is no number above 0 is any length."""
        found = [tuple(side if isinstance(side, int) and side > 0 else None for side in shape) for shape in (takes, gives)]
        if found != [(None, *self.takes), (None, *self.gives)] or dtype != "uint8":
            wanted = f"uint8 {_told((None, *self.takes))} and give {_told((None, *self.gives))}"
            raise MissingPart(
                f"the model is not a {self.kind} network: it should take {wanted}; "
                f"it takes {dtype} {_told(found[0])} and gives {_told(found[1])}"
            )


GLYPHS = Form("digit", (GLYPH_SIDE, GLYPH_SIDE), (CLASSES,))  # to probabilities
DIGITS = Form("classic", (GLYPH_SIDE, GLYPH_SIDE), (NOT_A_DIGIT,))  # to probabilities of the ten digits alone
DECODER = Form("decoder", (GLYPH_SIDE, GLYPH_SIDE), (GLYPH_SIDE, GLYPH_SIDE))  # to ink, 0..1
LINES = Form("line", (LINE_HEIGHT, None), (None, LINE_READERS * CLASSES), LINE_READERS)  # to logits
MICR = Form("MICR", (LINE_HEIGHT, None), (None, MICR_CLASSES))  # to logits
CELLS = Form("cell", (CELL_SIDE, CELL_SIDE, 2), (CELL_CLASSES,))  # to probabilities


class Network(Protocol):
    """All that a backend must offer."""

    name: str
    batch: int  # pictures at a time

    def run(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """The outputs of each batch (n, ...) uint8, 1 <= n <= `batch`, in order; shapes are those of the network's form."""
        ...


class PictureRecognizer:
    """See `types.Recognizer` and `types.CellRecognizer`."""

    def __init__(self, network: Network, form: Form, model: bytes) -> None:
        self.name = network.name
        self.model_hash = ModelHash(hashlib.sha256(model).hexdigest())
        self._network = network
        self._classes = form.classes

    def recognize(self, glyphs: Glyphs) -> Scores:
        scores = self._run(glyphs)
        # To a network of the ten digits alone everything is one of them.
        return scores if self._classes == CLASSES else np.pad(scores, ((0, 0), (0, CLASSES - self._classes)))

    def recognize_cells(self, pictures: CellPictures) -> CellScores:
        return self._run(pictures)

    def _run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        scores = np.empty((len(pictures), self._classes), np.float32)
        parts = [slice(start, start + self._network.batch) for start in range(0, len(pictures), self._network.batch)]
        for part, own in zip(parts, self._network.run(pictures[part] for part in parts), strict=True):
            scores[part] = own
        return scores


class StripRecognizer:
    """See `types.LineRecognizer`. Lines of one width go together, so that none is padded."""

    def __init__(self, network: Network, form: Form, model: bytes) -> None:
        self.name = network.name
        self.model_hash = ModelHash(hashlib.sha256(model).hexdigest())
        self._network = network
        self._form = form

    def read_lines(self, lines: Sequence[Line]) -> list[Frames]:
        frames: list[Frames] = [np.zeros((0, self._form.classes), np.float32)] * len(lines)
        by_width: dict[int, list[int]] = {}
        for k, line in enumerate(lines):
            if line.shape[1]:
                by_width.setdefault(line.shape[1], []).append(k)
        most = self._network.batch
        parts = [own[start : start + most] for own in by_width.values() for start in range(0, len(own), most)]
        batches = (np.stack([lines[k] for k in part]) for part in parts)
        for part, logits in zip(parts, self._network.run(batches), strict=True):
            for k, own in zip(part, log_probabilities(logits, self._form), strict=True):
                frames[k] = np.asarray(own, np.float32)
        return frames


def log_probabilities(logits: NDArray[np.floating[Any]], form: Form) -> NDArray[np.floating[Any]]:
    """Natural logs of what each of the readers of a line says, from its logits (..., readers * classes)."""
    each = logits.reshape(*logits.shape[:-1], form.readers, -1)
    each = each - each.max(axis=-1, keepdims=True)
    each = each - np.log(np.exp(each).sum(axis=-1, keepdims=True))
    return np.asarray(each.reshape(logits.shape))


class Reconstructor:
    """Draws digits as a network sees them."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def reconstruct(self, glyphs: Glyphs) -> Glyphs:
        """What is left of glyphs (n, 28, 28) uint8 in the network's features, drawn: (n, 28, 28) uint8."""
        size = self._network.batch
        drawn = self._network.run(glyphs[start : start + size] for start in range(0, len(glyphs), size))
        return np.concatenate([np.zeros_like(glyphs[:0]), *(np.rint(255 * own).astype(np.uint8) for own in drawn)])


def _told(shape: Shape) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"
