"""Turn the ink of a whole field into the strip that the line recognizer reads. Training uses it too."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import DIGIT_HEIGHT, LINE_HEIGHT, FieldInk, Line


@dataclass(frozen=True, slots=True)
class LineTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    band_digits: float = 1.7  # height of the strip [guess]
    width_step_px: int = 32  # lines of equal width are batched [guess]
    margin_px: int = 5  # of paper on both sides of the ink [guess]
    max_width_px: int = 1024  # [guess]
    tall_digits: float = 0.6  # components at least this tall determine the position of the band [guess]
    max_weight_digits: float = 2.0  # greatest height with which a component counts there [guess]
    blur: float = 0.35  # in px of the strip, before downscaling [guess]


LINE = LineTuning()
FRAME_PX = 2  # columns of the strip per frame [geometry]


def line(field: FieldInk) -> Line:
    """The band of a field's ink that holds its digits, 32 px high, as a (32, width) uint8 line.

    The band is centered on the tall components, so that marks above or below the digits do not shift it. The width is a
    multiple of 32 px. A field without ink gives a line of width 0.
    """
    table = field.parts
    if not len(table):
        return np.zeros((LINE_HEIGHT, 0), np.uint8)
    heights = table[:, 3]
    tall = table[heights >= min(LINE.tall_digits * DIGIT_HEIGHT, float(heights.max()))]
    centers = tall[:, 1] + tall[:, 3] / 2
    order = np.argsort(centers, kind="stable")
    weights = np.cumsum(np.minimum(tall[order, 3], LINE.max_weight_digits * DIGIT_HEIGHT))
    middle = float(centers[order][np.searchsorted(weights, weights[-1] / 2)])
    scale = LINE_HEIGHT / (LINE.band_digits * DIGIT_HEIGHT)
    left = float(table[:, 0].min())
    width = (float((table[:, 0] + table[:, 2]).max()) - left) * scale + 2 * LINE.margin_px
    width = min(LINE.max_width_px, LINE.width_step_px * int(np.ceil(width / LINE.width_step_px)))
    # Blur slightly before downscaling, as area interpolation would.
    soft = cv2.GaussianBlur(field.ink, (0, 0), LINE.blur / scale)
    to_line = np.array([[scale, 0.0, LINE.margin_px - scale * left], [0.0, scale, LINE_HEIGHT / 2 - scale * middle]])
    return np.asarray(cv2.warpAffine(soft, to_line, (width, LINE_HEIGHT), flags=cv2.INTER_LINEAR), np.uint8)


def columns_of(frames: Sequence[float], labels: NDArray[np.int32]) -> list[tuple[int, int]]:
    """(left, right), px of the ink: the extent of the writing around each of these frames, up to halfway to its neighbors.

    `labels` are the field's ink, (height, width) int32, 0 for none.
    """
    inked = np.flatnonzero(labels.any(axis=0))
    if not len(frames) or not len(inked):
        return []
    scale = LINE_HEIGHT / (LINE.band_digits * DIGIT_HEIGHT)
    centers = (FRAME_PX * (np.asarray(frames) + 0.5) - LINE.margin_px) / scale + inked[0]
    edges = [int(inked[0]), *np.rint((centers[1:] + centers[:-1]) / 2).astype(int).tolist(), int(inked[-1]) + 1]
    return [(left, max(left + 1, right)) for left, right in itertools.pairwise(edges)]
