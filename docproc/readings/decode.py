"""Scores to strings: the best path through a lattice, and how much of the probability it holds.

Every candidate of a lattice is either one whole digit or not. Were they independent, the most probable consistent set
of digits would maximize the product of p / (1 - p) over the candidates that it takes; pieces of ink on no candidate
(dots, dashes, lines) are passed over for free. So a path's score is the sum of its candidates' log-odds, and paths of
different lengths compare fairly. The sum over all paths gives the share that belongs to one string (a semi-Markov
model, S. Sarawagi and W. Cohen, 2004).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.types import Candidate, Scores

KEPT = 8  # strings kept at every node
CLASSES_TRIED = 3  # of a candidate
LEAST_SHARE = 0.004  # a class below this share of a candidate's digits is not tried


@dataclass(frozen=True, slots=True)
class Decoded:
    """The best strings of a lattice, most probable first."""

    strings: tuple[tuple[str, float], ...]  # text and its share of the probability of all paths
    path: tuple[int, ...]  # candidates of the first string, left to right


@dataclass(frozen=True, slots=True)
class _State:
    total: float  # log of the summed odds of all paths that give this text
    best: float  # log-odds of the best of them
    path: tuple[int, ...]


def decode(
    pieces: int,
    candidates: Sequence[Candidate],
    log_odds: NDArray[np.float64],
    scores: Scores,
    digits: tuple[int, int] | None = None,
) -> Decoded:
    """The most probable strings.

    `log_odds` (n,) says how much rather each candidate is one whole digit than not; `scores` (n, 11) which one.
    `digits` bounds the length of the string; where no path has such a length the strings are empty.
    """
    shares = np.asarray(scores[:, :10], np.float64)
    shares = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    logs = np.log(np.maximum(shares, 1e-12))
    order = np.argsort(-shares, axis=1)[:, :CLASSES_TRIED]
    fewest, most = digits if digits else (0, pieces)

    ending: list[list[int]] = [[] for _ in range(pieces + 1)]
    for k, candidate in enumerate(candidates):
        ending[candidate.last].append(k)

    states: list[dict[str, _State]] = [{"": _State(0.0, 0.0, ())}]
    sums = np.full((pieces + 1, most + 2), -np.inf)  # log of the summed odds by node and length
    sums[0, 0] = 0.0
    for node in range(1, pieces + 1):
        here = dict(states[node - 1])
        sums[node] = sums[node - 1]
        for k in ending[node]:
            before = candidates[k].first
            sums[node, 1:] = np.logaddexp(sums[node, 1:], sums[before, :-1] + log_odds[k])
            for digit in order[k]:
                if shares[k, digit] < LEAST_SHARE:
                    break
                gain = float(log_odds[k] + logs[k, digit])
                name = str(digit)
                for text, state in states[before].items():
                    if len(text) < most:
                        _offer(here, text + name, state.total + gain, state.best + gain, (*state.path, k))
        states.append(_keep(here, by_length=fewest > 0))

    final = [(text, state) for text, state in states[-1].items() if fewest <= len(text) <= most]
    if not final:
        return Decoded((), ())
    final.sort(key=lambda item: -item[1].total)
    whole = float(np.logaddexp.reduce(sums[-1, fewest : most + 1]))
    strings = tuple((text, float(min(1.0, np.exp(state.total - whole)))) for text, state in final)
    return Decoded(strings, final[0][1].path)


def marginals(pieces: int, candidates: Sequence[Candidate], log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability of every candidate to lie on the path, (n,) 0..1: forward and backward sums over all paths."""
    if not len(candidates):
        return np.zeros(0)
    ahead, behind = np.full(pieces + 1, -np.inf), np.full(pieces + 1, -np.inf)
    ahead[0] = behind[pieces] = 0.0
    by_end = sorted(range(len(candidates)), key=lambda k: candidates[k].last)
    by_start = sorted(range(len(candidates)), key=lambda k: -candidates[k].first)
    place = 0
    for node in range(1, pieces + 1):
        ahead[node] = ahead[node - 1]
        while place < len(by_end) and candidates[by_end[place]].last == node:
            k = by_end[place]
            ahead[node] = np.logaddexp(ahead[node], ahead[candidates[k].first] + log_odds[k])
            place += 1
    place = 0
    for node in range(pieces - 1, -1, -1):
        behind[node] = behind[node + 1]
        while place < len(by_start) and candidates[by_start[place]].first == node:
            k = by_start[place]
            behind[node] = np.logaddexp(behind[node], behind[candidates[k].last] + log_odds[k])
            place += 1
    through = [ahead[c.first] + log_odds[k] + behind[c.last] - ahead[pieces] for k, c in enumerate(candidates)]
    return np.asarray(np.exp(np.minimum(0.0, np.array(through))))


def _offer(states: dict[str, _State], text: str, total: float, best: float, path: tuple[int, ...]) -> None:
    old = states.get(text)
    if old is None:
        states[text] = _State(total, best, path)
    elif best > old.best:
        states[text] = _State(float(np.logaddexp(old.total, total)), best, path)
    else:
        states[text] = _State(float(np.logaddexp(old.total, total)), old.best, old.path)


def _keep(states: dict[str, _State], by_length: bool) -> dict[str, _State]:
    """The best few states; of every length, where the length of the whole string is bounded from below."""
    if len(states) <= KEPT:
        return states
    ranked = sorted(states.items(), key=lambda item: -item[1].total)
    if not by_length:
        return dict(ranked[:KEPT])
    counts: Counter[int] = Counter()
    kept = {}
    for text, state in ranked:
        counts[len(text)] += 1
        if counts[len(text)] <= KEPT:
            kept[text] = state
    return kept
