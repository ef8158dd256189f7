"""Scores to strings: the best path through a lattice, and its share of the probability.

Every candidate of a lattice is either one whole digit or not. If they were independent, the most probable consistent set
of digits would maximize the product of p / (1 - p) over the candidates that it takes; pieces of ink on no candidate
(dots, dashes, lines) are skipped for free. So a path's score is the sum of its candidates' log-odds, and paths of
different lengths compare fairly. The sum over all paths gives the share of one string (a semi-Markov model, S. Sarawagi
and W. Cohen, 2004).

If the field has rules, the search keeps the best few texts of every state of the rules' automaton, so that a text that
satisfies a check digit is never lost to one that looks better but breaks it. The shares are still those of all paths: a
text that is far from what was written has a small one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import exp, log1p

import numpy as np
from numpy.typing import NDArray

from docproc.readers.beam import best_of_each_state
from docproc.rules import Automaton, FieldRules, automaton
from docproc.types import Candidate, Scores


@dataclass(frozen=True, slots=True)
class SearchTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    max_kept: int = 6  # strings per node [guess]
    max_classes: int = 3  # tried per candidate [guess]
    min_share: float = 0.005  # a class below this share of a candidate's digits is not tried [guess]
    min_log_odds: float = -6.0  # a candidate with less is not on any path [guess]

    # For fields with rules.
    max_kept_per_state: int = 3  # strings per node and state of the rules [guess]
    max_kept_ruled: int = 400  # strings per node [guess]
    min_share_ruled: float = 1e-4  # a class below this share is not tried even for the rules [guess]
    max_listed: int = 12  # allowed strings [guess]
    reaches_nats: tuple[float, ...] = (
        8.0,
        16.0,
        np.inf,
    )  # distances below the best possible, tried in turn until a string is found [guess]
    slack_nats: float = 3.0  # by which the result must be above everything that was pruned [guess]


SEARCH = SearchTuning()

_DIGITS = np.array(list("0123456789"))


@dataclass(frozen=True, slots=True)
class Decoded:
    """The best strings of a lattice, most probable first."""

    strings: tuple[tuple[str, float], ...]  # text and its share of the probability of all paths
    paths: tuple[tuple[int, ...], ...]  # the candidates of every string, left to right
    whole: float  # natural log of the summed odds of all paths


# For a text up to a node: the log of the summed odds of its paths, the log-odds of the best path, and that path.
_State = tuple[float, float, tuple[int, ...]]


def decode(
    pieces: int,
    candidates: Sequence[Candidate],
    log_odds: NDArray[np.float64],
    scores: Scores,
    digits: tuple[int, int] | None = None,
    rules: FieldRules | None = None,
) -> Decoded:
    """The most probable strings.

    `log_odds` (n,) are those of each candidate being one whole digit; `scores` (n, 11) say which one.
    `digits` bounds the length of the string; if no path has such a length there are no strings. With `rules` only allowed
    strings are returned, best first; their shares are of the probability of all paths that `digits` permits.
    """
    if rules is not None:
        return _decode_ruled(pieces, candidates, log_odds, scores, digits, rules)
    logs = _log_shares(scores)
    fewest, most = digits if digits else (0, pieces)
    tried = _tried(log_odds, logs)
    ending = _ending(pieces, candidates, log_odds)

    states: list[dict[str, _State]] = [{"": (0.0, 0.0, ())}]
    for node in range(1, pieces + 1):
        here = dict(states[node - 1])
        for k in ending[node]:
            before = candidates[k].first
            for text, (total, best, path) in states[before].items():
                if before >= most and len(text) >= most:
                    continue
                for name, gain in tried[k]:
                    grown, mine, top = text + name, total + gain, best + gain
                    if grown not in here:
                        here[grown] = (mine, top, (*path, k))
                        continue
                    old = here[grown]
                    high, low = (old[0], mine) if old[0] > mine else (mine, old[0])
                    both = high + log1p(exp(low - high))
                    here[grown] = (both, top, (*path, k)) if top > old[1] else (both, old[1], old[2])
        states.append(_keep(here, by_length=fewest > 0))

    final = _ranked({text: state for text, state in states[-1].items() if fewest <= len(text) <= most})
    if not final:
        return Decoded((), (), 0.0)
    whole = _whole(pieces, candidates, ending, log_odds, digits)
    shares = np.minimum(1.0, np.exp(np.array([state[0] for _, state in final]) - whole)).tolist()
    strings = tuple(zip([text for text, _ in final], shares, strict=True))
    return Decoded(strings, tuple([state[2] for _, state in final]), whole)


def _tried(log_odds: NDArray[np.float64], logs: NDArray[np.float64]) -> list[list[tuple[str, float]]]:
    """The most likely digits of every candidate, and what they add to the log odds of a path."""
    order = (-logs).argsort(axis=1, kind="stable")[:, : SEARCH.max_classes]
    gains = log_odds[:, None] + logs[np.arange(len(logs))[:, None], order]
    counts = (gains - log_odds[:, None] >= _log(SEARCH.min_share)).sum(axis=1).tolist()
    names = _DIGITS[order].tolist()
    return [list(zip(*own, strict=True))[:count] for *own, count in zip(names, gains.tolist(), counts, strict=True)]


def _decode_ruled(
    pieces: int,
    candidates: Sequence[Candidate],
    log_odds: NDArray[np.float64],
    scores: Scores,
    digits: tuple[int, int] | None,
    rules: FieldRules,
) -> Decoded:
    """The same search over the product of the lattice and the rules' automaton."""
    within = rules.within(digits)
    walk = automaton(within) if within else None
    if walk is None or walk.start < 0:
        return Decoded((), (), 0.0)
    logs = _log_shares(scores)
    least = _log(SEARCH.min_share_ruled)
    tried = [
        [(d, str(d), odds + own[d]) for d in range(10) if own[d] >= least]
        for odds, own in zip(log_odds.tolist(), logs.tolist(), strict=True)
    ]
    ending = _ending(pieces, candidates, log_odds)
    ahead = _ahead(pieces, candidates, ending, log_odds + logs.max(axis=1), within.lengths() if within else ())
    if ahead[0][0] == -np.inf:
        return Decoded((), (), 0.0)
    traced: list[tuple[float, tuple[int, ...], str]] = []
    for reach in SEARCH.reaches_nats:
        texts = _ruled_texts(pieces, candidates, ending, tried, walk, ahead, ahead[0][0] - reach)
        # The beam loses some paths of a text; the trace covers them all.
        found = trace(pieces, candidates, log_odds, scores, texts)
        traced = sorted(((*own, text) for own, text in zip(found, texts, strict=True)), key=lambda item: (-item[0], item[2]))
        # Everything that was pruned is certainly worse than this.
        if traced and traced[0][0] >= ahead[0][0] - reach + SEARCH.slack_nats:
            break
    if not traced:
        return Decoded((), (), 0.0)
    whole = _whole(pieces, candidates, ending, log_odds, digits)
    strings = tuple((text, float(min(1.0, np.exp(total - whole)))) for total, _, text in traced)
    return Decoded(strings, tuple(path for _, path, _ in traced), whole)


def _ruled_texts(
    pieces: int,
    candidates: Sequence[Candidate],
    ending: list[list[int]],
    tried: list[list[tuple[int, str, float]]],
    walk: Automaton,
    ahead: list[list[float]],
    least: float,
) -> list[str]:
    """The best allowed texts whose log odds may reach `least`; `ahead` bounds the remaining part, see `_ahead`."""
    states: list[dict[str, tuple[float, int]]] = [{"": (0.0, walk.start)}]
    for node in range(1, pieces + 1):
        here = dict(states[node - 1])
        for k in ending[node]:
            for text, (total, state) in states[candidates[k].first].items():
                open_for = least - ahead[node][len(text) + 1] - total
                for d, name, gain in tried[k]:
                    if gain < open_for:
                        continue
                    after = walk.step(state, d)
                    if after < 0:
                        continue
                    grown, mine = text + name, total + gain
                    old = here.get(grown)
                    if old is not None:
                        high, low = (old[0], mine) if old[0] > mine else (mine, old[0])
                        mine = high + log1p(exp(low - high))
                    here[grown] = (mine, after)
        states.append(_keep_ruled(here, ahead[node], least))
    final = sorted(((total, text) for text, (total, state) in states[-1].items() if walk.good(state)), reverse=True)
    return [text for _, text in final[: SEARCH.max_listed]]


def _ahead(
    pieces: int,
    candidates: Sequence[Candidate],
    ending: list[list[int]],
    best: NDArray[np.float64],
    lengths: Sequence[int],
) -> list[list[float]]:
    """By node and digits so far, an upper bound on what the rest of a text adds to its log odds; `best` (n,) per candidate.

    -inf if no path leads to a text of one of the `lengths`.
    """
    rest = np.full((pieces + 1, pieces + 2), -np.inf)  # by node and remaining digits
    rest[pieces, 0] = 0.0
    for node in range(pieces, 0, -1):
        rest[node - 1] = np.logaddexp(rest[node - 1], rest[node])
        for k in ending[node]:
            first = candidates[k].first
            rest[first, 1:] = np.logaddexp(rest[first, 1:], rest[node, :-1] + best[k])
    bounds = np.full((pieces + 1, pieces + 2), -np.inf)
    for length in lengths:
        for taken in range(min(length, pieces) + 1):
            if length - taken <= pieces:
                bounds[:, taken] = np.logaddexp(bounds[:, taken], rest[:, length - taken])
    return [[float(b) for b in row] for row in bounds]


def _whole(
    pieces: int,
    candidates: Sequence[Candidate],
    ending: list[list[int]],
    log_odds: NDArray[np.float64],
    digits: tuple[int, int] | None,
) -> float:
    """Natural log of the summed odds of all paths whose length `digits` permits."""
    fewest, most = digits if digits else (0, pieces)
    sums = np.full((pieces + 1, most + 2), -np.inf)
    sums[0, 0] = 0.0
    for node in range(1, pieces + 1):
        sums[node] = sums[node - 1]
        for k in ending[node]:
            sums[node, 1:] = np.logaddexp(sums[node, 1:], sums[candidates[k].first, :-1] + log_odds[k])
    return float(np.logaddexp.reduce(sums[-1, fewest : most + 1]))


def trace(
    pieces: int, candidates: Sequence[Candidate], log_odds: NDArray[np.float64], scores: Scores, texts: Sequence[str]
) -> list[tuple[float, tuple[int, ...]]]:
    """For every text, the log of the summed odds of all its paths, and the best of them; (-inf, ()) if there is none.

    Unlike `decode` it misses no path, so it can also judge a text that the lattice would not have proposed.
    """
    logs = _log_shares(scores)
    longest = max((len(text) for text in texts), default=0)
    names = np.zeros((len(texts), longest), np.int64)
    for row, text in zip(names, texts, strict=True):
        row[: len(text)] = [int(c) for c in text]
    gains = log_odds[:, None, None] + logs[:, names]  # (candidates, texts, places)
    total = np.full((pieces + 1, len(texts), longest + 1), -np.inf)
    best = total.copy()
    came = np.full(total.shape, -1)
    total[0, :, 0] = best[0, :, 0] = 0.0
    ending = _ending(pieces, candidates, log_odds)
    for node in range(1, pieces + 1):
        total[node], best[node] = total[node - 1], best[node - 1]
        for k in ending[node]:
            first = candidates[k].first
            total[node, :, 1:] = np.logaddexp(total[node, :, 1:], total[first, :, :-1] + gains[k])
            taken = best[first, :, :-1] + gains[k]
            better = taken > best[node, :, 1:]
            best[node, :, 1:][better] = taken[better]
            came[node, :, 1:][better] = k
    return [
        (float(total[pieces, row, len(text)]), _back(candidates, came[:, row], pieces, len(text)))
        if np.isfinite(total[pieces, row, len(text)])
        else (-np.inf, ())
        for row, text in enumerate(texts)
    ]


def marginals(pieces: int, candidates: Sequence[Candidate], log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probability that each candidate is on the path, (n,) 0..1: forward and backward sums over all paths."""
    if not len(candidates):
        return np.zeros(0)
    first, last = [candidate.first for candidate in candidates], [candidate.last for candidate in candidates]
    odds = log_odds.tolist()
    ahead, behind = np.full(pieces + 1, -np.inf), np.full(pieces + 1, -np.inf)
    ahead[0] = behind[pieces] = 0.0
    for node, ending in enumerate(_at_nodes(pieces, last, range(len(last)))):
        if node:
            ahead[node] = ahead[node - 1]
        for k in ending:
            ahead[node] = np.logaddexp(ahead[node], ahead[first[k]] + odds[k])
    starting = _at_nodes(pieces, first, range(len(first)))
    for node in range(pieces - 1, -1, -1):
        behind[node] = behind[node + 1]
        for k in starting[node]:
            behind[node] = np.logaddexp(behind[node], behind[last[k]] + odds[k])
    return np.asarray(np.exp(np.minimum(0.0, ahead[first] + log_odds + behind[last] - ahead[pieces])))


def _log(share: float) -> float:
    return float(np.log(share)) if share > 0 else -np.inf


def _log_shares(scores: Scores) -> NDArray[np.float64]:
    """Log probabilities of the digit of a candidate, given that it is one: natural logs, (n, 10)."""
    shares = np.asarray(scores[:, :10], np.float64)
    return np.asarray(np.log(np.maximum(shares / np.maximum(shares.sum(axis=1, keepdims=True), 1e-12), 1e-12)))


def _ending(pieces: int, candidates: Sequence[Candidate], log_odds: NDArray[np.float64]) -> list[list[int]]:
    """The candidates that end at each node, without those that are surely not digits."""
    able = (log_odds >= SEARCH.min_log_odds).nonzero()[0].tolist()
    return _at_nodes(pieces, [candidate.last for candidate in candidates], able)


def _at_nodes(pieces: int, nodes: Sequence[int], candidates: Iterable[int]) -> list[list[int]]:
    """Some candidates, grouped by the node at which they begin, or end."""
    found: list[list[int]] = [[] for _ in range(pieces + 1)]
    for k in candidates:
        found[nodes[k]] += [k]
    return found


def _back(candidates: Sequence[Candidate], came: NDArray[np.int64], node: int, place: int) -> tuple[int, ...]:
    path: list[int] = []
    while place:
        k = int(came[node, place])
        if k < 0:
            node -= 1
            continue
        path.append(k)
        node, place = candidates[k].first, place - 1
    return tuple(reversed(path))


def _keep(states: dict[str, _State], by_length: bool) -> dict[str, _State]:
    """The best few states; the best few of every length if the length of the whole string is bounded from below."""
    if len(states) <= SEARCH.max_kept:
        return states
    ranked = _ranked(states)
    if not by_length:
        return dict(ranked[: SEARCH.max_kept])
    counts: Counter[int] = Counter()
    kept = {}
    for text, state in ranked:
        counts[len(text)] += 1
        if counts[len(text)] <= SEARCH.max_kept:
            kept[text] = state
    return kept


def _ranked(states: dict[str, _State]) -> list[tuple[str, _State]]:
    """Texts with their states, most probable first; of equals, the one found first."""
    order = sorted([(-state[0], place, text) for place, (text, state) in enumerate(states.items())])
    return [(text, states[text]) for _, _, text in order]


def _keep_ruled(states: dict[str, tuple[float, int]], ahead: list[float], least: float) -> dict[str, tuple[float, int]]:
    """The texts that may still reach `least`: the best few of every state of the rules, up to a maximum."""
    hoped = ((total + ahead[len(text)], text) for text, (total, _) in states.items())
    ranked = sorted((one for one in hoped if one[0] >= least and one[0] != -np.inf), reverse=True)
    with_states = ((text, states[text][1]) for _, text in ranked)
    kept = best_of_each_state(with_states, SEARCH.max_kept_per_state, SEARCH.max_kept_ruled)
    return {text: states[text] for text in kept}
