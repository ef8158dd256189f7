"""Normalize the ink of one candidate to 28x28, like MNIST. This is the only definition; training uses it too.

Source: Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, section III.A, and the MNIST
page: the longest side becomes 20 px, keeping the aspect ratio, anti-aliased, and the center of mass is moved to the center
of the 28x28 field, which in MNIST's own files is pixel 14, 14 counted from 0 (measured: 14.01, 13.99).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import GLYPH_SIDE, Glyphs, Ink

LONGEST_SIDE_PX = 20  # MNIST, LeCun 1998 [standard]


def normalize(ink: Ink) -> Glyphs:
    """One candidate's ink (height, width) uint8, 0 paper .. 255 ink, as (28, 28) uint8. No ink gives all zeros."""
    return np.asarray(normalize_all([ink])[0], np.uint8)


def normalize_all(inks: Iterable[Ink]) -> Glyphs:
    """Many candidates at once: (n, 28, 28) uint8."""
    small, sizes = _scaled(list(inks))
    # Pen darkness varies, but the network should see only shape. MNIST's strokes also reach the maximum.
    peaks = small.max(axis=(1, 2), initial=1)[:, None, None]
    small = np.minimum(255, np.rint(small * (255.0 / peaks).astype(np.float32))).astype(np.uint8)
    glyphs = np.zeros((len(small), GLYPH_SIDE, GLYPH_SIDE), np.uint8)
    corners = _corners(small, sizes).tolist()
    for glyph, own, (y, x), (high, wide) in zip(glyphs, small, corners, sizes.tolist(), strict=True):
        glyph[y : y + high, x : x + wide] = own[:high, :wide]
    return glyphs


def _scaled(inks: Sequence[Ink]) -> tuple[Glyphs, NDArray[np.int64]]:
    """Each candidate scaled to a longest side of 20 px, in the upper left corner of (n, 20, 20); and its (height, width)."""
    small = np.zeros((len(inks), LONGEST_SIDE_PX, LONGEST_SIDE_PX), np.uint8)
    boxes = np.array([cv2.boundingRect(ink) for ink in inks], np.int64).reshape(-1, 4)
    scales = LONGEST_SIDE_PX / np.maximum(1, boxes[:, 2:].max(axis=1, initial=0))
    sizes = np.maximum(1, np.rint(boxes[:, :1:-1] * scales[:, None])).astype(np.int64)
    sizes[boxes[:, 2] == 0] = 0
    for own, ink, (x, y, w, h), (high, wide), scale in zip(
        small, inks, boxes.tolist(), sizes.tolist(), scales.tolist(), strict=True
    ):
        if high:
            how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
            own[:high, :wide] = cv2.resize(ink[y : y + h, x : x + w], (wide, high), interpolation=how)
    return small, sizes


def _corners(small: Glyphs, sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The (row, column) of each upper left corner in the glyph, with the center of mass as close to the middle as fits."""
    places = np.arange(LONGEST_SIDE_PX)
    down, across = small.sum(axis=2, dtype=np.int64), small.sum(axis=1, dtype=np.int64)
    centers = np.stack([down @ places, across @ places], axis=1) / np.maximum(1, down.sum(axis=1))[:, None]
    nearest = np.rint(GLYPH_SIDE / 2 - centers).astype(np.int64)
    return np.asarray(np.minimum(np.maximum(0, nearest), GLYPH_SIDE - sizes), np.int64)
