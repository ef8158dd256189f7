"""Bring the ink of a whole field to the strip that the line recognizer reads. Training goes through it as well."""

from __future__ import annotations

import cv2
import numpy as np

from docproc.types import DIGIT_HEIGHT, LINE_HEIGHT, FieldInk, Line

BAND = 1.7  # height of the strip in digit heights
WIDTH_STEP = 32  # px; lines of one width are read together
MARGIN = 5  # px of paper beside the ink
WIDEST = 1024  # px


def line(field: FieldInk) -> Line:
    """The band of a field's ink that holds its digits, 32 px high, as a (32, width) uint8 line.

    The band is laid around the middle of the tall components, so that what hangs above or below the digits does not move
    it. The width is a multiple of 32 px. A field without ink gives a line of width 0.
    """
    table = field.parts
    if not len(table):
        return np.zeros((LINE_HEIGHT, 0), np.uint8)
    heights = table[:, 3]
    tall = table[heights >= min(0.6 * DIGIT_HEIGHT, float(heights.max()))]
    centers = tall[:, 1] + tall[:, 3] / 2
    order = np.argsort(centers)
    weights = np.cumsum(np.minimum(tall[order, 3], 2 * DIGIT_HEIGHT))
    middle = float(centers[order][np.searchsorted(weights, weights[-1] / 2)])
    scale = LINE_HEIGHT / (BAND * DIGIT_HEIGHT)
    left = float(table[:, 0].min())
    width = (float((table[:, 0] + table[:, 2]).max()) - left) * scale + 2 * MARGIN
    width = min(WIDEST, WIDTH_STEP * int(np.ceil(width / WIDTH_STEP)))
    # A little blur first, as an area interpolation would: the ink is made smaller.
    soft = cv2.GaussianBlur(field.ink, (0, 0), 0.35 / scale)
    to_line = np.array([[scale, 0.0, MARGIN - scale * left], [0.0, scale, LINE_HEIGHT / 2 - scale * middle]])
    return np.asarray(cv2.warpAffine(soft, to_line, (width, LINE_HEIGHT), flags=cv2.INTER_LINEAR), np.uint8)
