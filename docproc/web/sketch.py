"""A digit drawn by the user: normalized to 28x28 like every digit, and its ten probabilities."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docproc.types import NOT_A_DIGIT, Glyphs, Gray

if TYPE_CHECKING:
    from docproc.types import Recognizer

SIDE = 140  # px of the square that a browser sends, one byte per pixel, 0 black .. 255 white
MIN_SURE = 0.5  # probability that it is a digit, below which the page says that it may not be one [guess]
NOTHING = "Nothing is drawn yet."


@dataclass(frozen=True, slots=True)
class Sketched:
    """What a network reads in a sketch."""

    probabilities: tuple[float, ...]  # of the ten digits, given that it is a digit
    a_digit: float  # 0..1, the probability that it is a digit
    glyph: Glyphs  # (28, 28), the network's input

    @property
    def best(self) -> int:
        return int(np.argmax(self.probabilities))

    @property
    def says(self) -> str:
        """The reading in words."""
        return f"Reads {self.best}." + ("" if self.a_digit >= MIN_SURE else " This may be no digit at all.")


class Sketcher:
    """Reads sketches one at a time; loads the network for single digits at the first one."""

    def __init__(self, backend: str, model: Path | None) -> None:
        self._backend, self._model = backend, model
        self._recognizer: Recognizer | None = None
        self._lock = threading.Lock()

    def read(self, data: bytes) -> Sketched | None:
        """Read SIDE x SIDE bytes; None if nothing is drawn. Raises ValueError for another number of bytes, MissingPart."""
        gray = np.frombuffer(data, np.uint8).reshape(SIDE, SIDE)
        with self._lock:
            if self._recognizer is None:
                from docproc.weights.opening import open_digit_model

                self._recognizer = open_digit_model(self._backend, self._model).recognizer
            return sketched(gray, self._recognizer.recognize)


def sketched(gray: Gray, recognize: Callable[[Glyphs], np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> Sketched | None:
    """What is read in a picture of one digit, dark on light; None if nothing is drawn."""
    from docproc.readers.ink import digit_ink
    from docproc.readers.lattice.normalize import normalize

    glyph = normalize(digit_ink(gray))
    if not glyph.any():
        return None
    scores = recognize(glyph[None])[0].astype(np.float64)
    ten = scores[:NOT_A_DIGIT] / max(float(scores[:NOT_A_DIGIT].sum()), 1e-12)
    return Sketched(tuple(map(float, ten)), float(1 - scores[NOT_A_DIGIT]), glyph)
