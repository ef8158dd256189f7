"""Batch many fields into one call, and split the result: `regroup(flatten(x)) == x`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from docproc.types import GLYPH_SIDE, Scores

Pictures = NDArray[np.uint8]  # (n, height, width, ...) uint8: glyphs or cells


def flatten(groups: Sequence[Pictures], shape: tuple[int, ...] = (GLYPH_SIDE, GLYPH_SIDE)) -> tuple[Pictures, tuple[int, ...]]:
    """All images of that shape in one array (n, *shape) uint8, with the size of every group."""
    empty = np.zeros((0, *shape), np.uint8)
    return np.concatenate([empty, *groups]), tuple(len(group) for group in groups)


def regroup(scores: Scores, counts: Sequence[int]) -> list[Scores]:
    """The inverse of `flatten`, for the scores: one array per group."""
    if sum(counts) != len(scores):
        raise ValueError(f"{len(scores)} rows for groups of {sum(counts)}")
    return [scores[end - count : end] for count, end in zip(counts, accumulate(counts), strict=True)]
