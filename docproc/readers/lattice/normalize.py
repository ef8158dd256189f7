"""Bring the ink of one candidate to 28x28, the MNIST way. This is the only definition; training goes through it.

Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, section III.A, and the MNIST
page: the longest side becomes 20 px with the aspect kept, anti-aliased, and the center of mass comes to the center of
the 28x28 field, which in MNIST's own files is pixel 14, 14 counted from 0 (measured: 14.01, 13.99).
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from docproc.types import GLYPH_SIDE, Glyphs, Ink

LONGEST_SIDE_PX = 20  # MNIST, LeCun 1998 [standard]


def normalize(ink: Ink) -> Glyphs:
    """One candidate's ink (height, width) uint8, 0 paper .. 255 ink, as (28, 28) uint8. No ink gives all zeros."""
    glyph = np.zeros((GLYPH_SIDE, GLYPH_SIDE), np.uint8)
    left, top, width, height = cv2.boundingRect(ink)
    if width == 0 or height == 0:
        return glyph
    scale = LONGEST_SIDE_PX / max(width, height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrinks = scale < 1
    small = cv2.resize(
        ink[top : top + height, left : left + width],
        size,
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    # A pen is as dark as paper lets it be; the network is to see shape. MNIST's strokes reach full white as well.
    peak = int(small.max())
    if 0 < peak < 255:
        small = cv2.convertScaleAbs(small, alpha=255.0 / peak)

    moments = cv2.moments(small)
    mass = moments["m00"]
    if mass == 0:
        return glyph
    x = _place(GLYPH_SIDE / 2 - moments["m10"] / mass, size[0])
    y = _place(GLYPH_SIDE / 2 - moments["m01"] / mass, size[1])
    glyph[y : y + size[1], x : x + size[0]] = small
    return glyph


def normalize_all(inks: Iterable[Ink]) -> Glyphs:
    """Many candidates at once: (n, 28, 28) uint8."""
    glyphs = [normalize(ink) for ink in inks]
    return np.stack(glyphs) if glyphs else np.zeros((0, GLYPH_SIDE, GLYPH_SIDE), np.uint8)


def _place(start: float, length: int) -> int:
    """Where a run of `length` px starts, as near to `start` as the field allows."""
    return min(max(0, round(start)), GLYPH_SIDE - length)
