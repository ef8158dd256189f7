"""Is a candidate one whole digit? Its scores in context: size, height, gaps, cuts, and its rivals.

A glyph alone cannot distinguish a small 0 from the loop of a 9 or a 1 from a frame line, because normalization removes
size and position. A small network, fitted in `learn` on lattices of composed strips, adds them back: geometry as a
learned part of the score.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.mlp import Mlp, logit
from docproc.readers.lattice.search import marginals
from docproc.types import NOT_A_DIGIT, Candidate, Lattice, Scores


@dataclass(frozen=True, slots=True)
class ContextTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    max_log_odds: float = 15.0  # of a candidate, either sign [guess]
    min_share: float = 1e-5  # smaller ones count as this [guess]
    min_class_share: float = 1e-4  # of a candidate's most probable digit, clipped this far from 0 and 1 [guess]
    no_rival_log_odds: float = -12.0  # if a candidate has no rival [guess]


CONTEXT = ContextTuning()


def log_odds(lattice: Lattice, scores: Scores, net: Mlp | None) -> NDArray[np.float64]:
    """The natural log-odds that each candidate is one whole digit, (n,).

    Without a `net` these are the recognizer's own.
    """
    plain = _own_odds(scores)
    if net is None or not len(plain):
        return plain
    return np.clip(net(features(lattice, scores)), -CONTEXT.max_log_odds, CONTEXT.max_log_odds)


def features(lattice: Lattice, scores: Scores) -> NDArray[np.float64]:
    """The inputs of the context network: (n, features) float64."""
    own = _own_odds(scores)
    shares = np.asarray(scores[:, :10], np.float64)
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    ranked = shares.copy()
    ranked.sort(axis=1)
    inside, around, across = _rivals(lattice.candidates, own)
    on_path = logit(marginals(lattice.pieces, lattice.candidates, own), CONTEXT.min_share)
    best = shares.argmax(axis=1)[:, None] == np.arange(10)
    mine = np.stack(
        [own, logit(ranked[:, -1], CONTEXT.min_class_share), ranked[:, -2], inside, around, across, on_path], axis=1
    )
    return np.concatenate([mine, lattice.geometry, best], axis=1)


def _own_odds(scores: Scores) -> NDArray[np.float64]:
    return -logit(scores[:, NOT_A_DIGIT], CONTEXT.min_share)


def _rivals(
    candidates: Sequence[Candidate], own: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The best log-odds among candidates within, around and overlapping each one; `no_rival_log_odds` if there is none."""
    first = np.array([c.first for c in candidates])
    last = np.array([c.last for c in candidates])
    overlap = (first[None, :] < last[:, None]) & (last[None, :] > first[:, None])
    within = overlap & (first[None, :] >= first[:, None]) & (last[None, :] <= last[:, None])
    around = overlap & (first[None, :] <= first[:, None]) & (last[None, :] >= last[:, None])
    same = within & around
    none = CONTEXT.no_rival_log_odds
    table = np.broadcast_to(own[None, :], overlap.shape)

    def best(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(np.where(mask, table, none).max(axis=1, initial=none), np.float64)

    return best(within & ~same), best(around & ~same), best(overlap & ~within & ~around)
