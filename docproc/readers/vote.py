"""Two readers, three in a comb, and one verdict.

The lattice cuts and the line recognizer reads at a glance: they make different mistakes. In a comb a third reader looks at
every cell. Every text that one of them proposes is scored by all, and the scores are joined log-linearly (a product of
experts, G. Hinton, 2002), with weights that were learned on composed strips.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.readers.comb import decode as in_cells
from docproc.readers.ctc import likely_texts, text_scores
from docproc.readers.lattice.decode import decode, trace
from docproc.rules import FieldRules
from docproc.types import CellScores, Frames, Lattice, Scores

PROPOSED = 5  # texts that each reader proposes
LEAST_LATTICE, LEAST_LINE, LEAST_CELLS = -12.0, -20.0, -25.0  # log probabilities below which a reader's doubt no longer counts


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each reader's log probability counts in a kind of field, and what speaks against a zero at the start."""

    lattice: float
    line: float
    leading_zero: float = 0.0  # natural log, at most 0
    cells: float = 0.0

    def to_card(self) -> dict[str, float]:
        return {
            "lattice": round(self.lattice, 4),
            "line": round(self.line, 4),
            "leading_zero": round(self.leading_zero, 4),
            "cells": round(self.cells, 4),
        }

    @staticmethod
    def from_card(card: Mapping[str, Any]) -> Weights:
        """Raises KeyError, TypeError or ValueError when the card holds no weights."""
        return Weights(*(float(card[name]) for name in ("lattice", "line", "leading_zero", "cells")))


@dataclass(frozen=True, slots=True)
class Ballot:
    """A text and what each reader says of it (natural log probabilities, bounded from below)."""

    text: str
    lattice: float
    line: float
    path: tuple[int, ...]  # candidates of the lattice, () where it has no way to this text
    cells: float = 0.0  # 0 where there are none


@dataclass(frozen=True, slots=True)
class Verdict:
    """The texts that were voted on, best first."""

    ballots: tuple[Ballot, ...]
    shares: tuple[float, ...]  # of the joint probability of all these texts
    agreed: bool  # all readers put the same text first


def ballots(
    lattice: Lattice,
    log_odds: NDArray[np.float64],
    scores: Scores,
    frames: Frames,
    digits: tuple[int, int] | None = None,
    cells: CellScores | None = None,
    rules: FieldRules | None = None,
) -> tuple[Ballot, ...]:
    """All texts that a reader proposes, as all see them.

    `log_odds` (n,) and `scores` (n, 11) are of the lattice's candidates, see `decode`; `digits` bounds the length of a text;
    `cells` (cells, 12) are those of a comb. With `rules` each reader also proposes the best texts that they allow. Those come
    after the others, which stay as they were.
    """
    decoded = decode(lattice.pieces, lattice.candidates, log_odds, scores, digits)
    fewest, most = digits if digits else (0, 10**6)
    within = rules.within(digits) if rules else None
    free = likely_texts(frames)
    allowed = likely_texts(frames, within) if within else []
    proposed = decoded.strings[:PROPOSED]
    texts = [text for text, _ in proposed]
    said: dict[str, float] = {}  # by the line reader; a text is scored once, whoever proposed it

    def listen(some: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(some) if text not in said]
        said.update(zip(new, text_scores(frames, new).tolist(), strict=True))

    def best(some: Sequence[str]) -> list[str]:
        return sorted(some, key=lambda text: (-said[text], text))[:PROPOSED]

    listen((*texts, *free, *allowed))
    seen = in_cells.best_texts(cells)[:PROPOSED] if cells is not None else ()
    for text in (*best(free), *(text for text, _ in seen)):
        if text not in texts and fewest <= len(text) <= most:
            texts.append(text)
    if within:
        ruled = decode(lattice.pieces, lattice.candidates, log_odds, scores, digits, within).strings[:PROPOSED]
        seen = in_cells.best_texts(cells, within)[:PROPOSED] if cells is not None else ()
        texts += [text for text, _ in ruled] + best(allowed) + [text for text, _ in seen]
        texts = list(dict.fromkeys(texts))
    listen(texts)
    lines = [said[text] for text in texts]
    shares = [(float(np.log(max(share, 1e-12))), path) for (_, share), path in zip(proposed, decoded.paths, strict=False)]
    traced = trace(lattice.pieces, lattice.candidates, log_odds, scores, texts[len(proposed) :])
    shares += [(odds - decoded.whole, path) for odds, path in traced]
    boxed = np.zeros(len(texts)) if cells is None else in_cells.text_scores(cells, texts)
    return tuple(
        Ballot(text, max(share, LEAST_LATTICE), max(float(line), LEAST_LINE), path, max(float(box), LEAST_CELLS))
        for text, line, box, (share, path) in zip(texts, lines, boxed, shares, strict=True)
    )


def arguments(cast: Sequence[Ballot]) -> NDArray[np.float64]:
    """What the weights multiply, (ballots, 4): log probabilities of lattice and line, 1 for a leading zero, and the cells'."""
    table = [(b.lattice, b.line, float(len(b.text) > 1 and b.text.startswith("0")), b.cells) for b in cast]
    return np.array(table).reshape(-1, 4)


def vote(cast: tuple[Ballot, ...], weights: Weights) -> Verdict:
    """Join what the readers say; `weights` are those of the kind of field."""
    if not cast:
        return Verdict((), (), agreed=False)
    joint = arguments(cast) @ (weights.lattice, weights.line, weights.leading_zero, weights.cells)
    order = np.argsort(-joint, kind="stable")
    shares = np.exp(joint[order] - joint[order[0]])
    shares /= shares.sum()
    first = [max(cast, key=lambda b: b.lattice), max(cast, key=lambda b: b.line)]
    if weights.cells:
        first.append(max(cast, key=lambda b: b.cells))
    agreed = all(ballot is first[0] for ballot in first)
    return Verdict(tuple(cast[k] for k in order), tuple(float(s) for s in shares), agreed)
