"""Is a candidate one whole digit? Its scores, seen in its place: size, height, gaps, cuts, and its rivals.

A glyph alone cannot tell a small 0 from the loop of a 9 or a 1 from a frame line, because normalization takes size
and place away. A small network, fitted in `learn` on lattices of composed strips, puts them back: geometry as a learned
part of the score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import Mlp, logit
from docproc.readers.lattice.search import marginals
from docproc.types import NOT_A_DIGIT, Candidate, Lattice, Scores


def log_odds(lattice: Lattice, scores: Scores, net: Mlp | None) -> NDArray[np.float64]:
    """How much rather each candidate is one whole digit than not, (n,) natural log-odds.

    Without a `net` this is what the recognizer says by itself.
    """
    plain = _own_odds(scores)
    if net is None or not len(plain):
        return plain
    return np.clip(net(features(lattice, scores)), -15.0, 15.0)


def features(lattice: Lattice, scores: Scores) -> NDArray[np.float64]:
    """What the context network sees: (n, features) float64."""
    own = _own_odds(scores)
    shares = np.asarray(scores[:, :10], np.float64)
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    ranked = np.sort(shares, axis=1)
    inside, around, across = _rivals(lattice.candidates, own)
    on_path = logit(marginals(lattice.pieces, lattice.candidates, own), 1e-5)
    best = np.eye(10)[shares.argmax(axis=1)]
    mine = np.stack([own, logit(ranked[:, -1], 1e-4), ranked[:, -2], inside, around, across, on_path], axis=1)
    return np.concatenate([mine, lattice.geometry, best], axis=1)


def _own_odds(scores: Scores) -> NDArray[np.float64]:
    return -logit(scores[:, NOT_A_DIGIT], 1e-5)


def _rivals(
    candidates: Sequence[Candidate], own: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The best log-odds among candidates within, around and partly across each one; -12 where there is none."""
    first = np.array([c.first for c in candidates])
    last = np.array([c.last for c in candidates])
    overlap = (first[None, :] < last[:, None]) & (last[None, :] > first[:, None])
    within = overlap & (first[None, :] >= first[:, None]) & (last[None, :] <= last[:, None])
    around = overlap & (first[None, :] <= first[:, None]) & (last[None, :] >= last[:, None])
    same = within & around
    table = np.broadcast_to(own[None, :], overlap.shape)

    def best(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(np.where(mask, table, -12.0).max(axis=1, initial=-12.0), np.float64)

    return best(within & ~same), best(around & ~same), best(overlap & ~within & ~around)
