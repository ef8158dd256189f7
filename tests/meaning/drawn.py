"""Fields that are drawn for tests, with each sign a piece of the lattice."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.meaning.marks import MarkedDigits, marked_digits
from docproc.types import Box, Candidate, Ink, Lattice

HEIGHT, BASE, PEN = 40, 60, 4

# Strokes of marks, in digit heights: right from where they begin, down from the upper end of the digits.
STROKES: dict[str, list[list[tuple[float, float]]]] = {
    ".": [[(0.06, 0.95), (0.08, 0.97)]],
    ",": [[(0.10, 0.88), (0.02, 1.20)]],
    ";": [[(0.16, 0.62), (0.02, 1.22)]],  # a comma as tall as they come
    "-": [[(0.0, 0.55), (0.45, 0.52)]],
    "=": [[(0.0, 0.42), (0.45, 0.40)], [(0.0, 0.66), (0.45, 0.64)]],
    "/": [[(0.36, -0.05), (0.0, 1.10)]],
    "|": [[(0.05, -0.05), (0.0, 1.05)]],
    "'": [[(0.0, 0.70), (0.02, 0.70)]],  # a little high for a point
    "%": [[(0.0, -0.1), (0.8, -0.1)], [(0.2, -0.1), (0.2, -0.45)], [(0.6, -0.1), (0.6, -0.45)]],  # cents and their bar
    " ": [],
}


def drawn(text: str) -> tuple[Lattice, tuple[int, ...], str]:
    """The lattice of a field with each sign a piece, the path over its digits, and the digits.

    Digits after `^` are small and raised; `_` underlines the last two; `%` stands above what follows.
    """
    rng = np.random.default_rng(len(text))
    ink: Ink = np.zeros((BASE + 30, 60 * len(text) + 40), np.uint8)
    labels: NDArray[np.int32] = np.zeros(ink.shape, np.int32)
    candidates, digits, x, small = list[Candidate](), "", 12, False

    def lay(part: Ink, left: int, top: int) -> None:
        where = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
        labels[where][part > 110] = pieces + 1
        ink[where] = np.maximum(ink[where], part)

    pieces = 0
    for sign in text:
        if sign == "^":
            small = True
            continue
        if sign == "_":
            start = candidates[-2].box.left - 3
            line = np.full((PEN, x - start), 255, np.uint8)
            lay(line, start, BASE - 10 if small else BASE + 4)
        elif sign.isdigit():
            height = 0.6 * HEIGHT if small else float(HEIGHT)
            part, base = draw_digit(int(sign), height, Pen(0.1, 0.0), rng, 0)
            lay(part, x, (BASE - 16 if small else BASE) - base)
            candidates.append(Candidate(pieces, pieces + 1, (pieces,), box_of(labels == pieces + 1)))
            digits += sign
            x += part.shape[1] + 4
        else:
            part = np.zeros((BASE + 30, HEIGHT), np.uint8)
            for stroke in STROKES[sign]:
                points = np.rint(np.array(stroke) * HEIGHT + (4, BASE - HEIGHT)).astype(np.int32)
                cv2.polylines(part, [points], isClosed=False, color=255, thickness=PEN)
            lay(part, x, 0)
            if sign != "%":
                x += 10 + int(part.any(axis=0).sum()) if STROKES[sign] else round(0.7 * HEIGHT)
        pieces += 1
    geometry = np.zeros((len(candidates), 21), np.float32)
    lattice = Lattice(ink, labels, pieces, tuple(candidates), geometry, np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    return lattice, tuple(range(len(candidates))), digits


def box_of(mask: NDArray[np.bool_]) -> Box:
    """The box around the pixels of a mask."""
    return Box(*cv2.boundingRect(mask.astype(np.uint8)))


def marked(text: str) -> tuple[MarkedDigits, str]:
    """The digits and the marks of a drawn field, and the digits' text, see `drawn`."""
    lattice, path, digits = drawn(text)
    return marked_digits(lattice, path), digits
