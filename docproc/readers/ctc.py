"""Frames to strings: what the line recognizer says of a whole field (connectionist temporal classification).

A. Graves et al., ICML 2006: a text's probability is the sum over all ways to spread it over the frames, with blanks between.
The best texts are found by a prefix beam search (A. Hannun et al., 2014).

Where the frames of several readers lie side by side, each reads by itself, and what they say of a text is joined: two that saw
a digit in other frames would seem to contradict each other there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.readers.beam import best_of_each_state
from docproc.rules import FieldRules, automaton
from docproc.types import NOT_A_DIGIT as BLANK
from docproc.types import Frames


@dataclass(frozen=True, slots=True)
class CtcTuning:
    """The numbers of this stage; each says its unit and its kind, see docs/house.md."""

    max_kept: int = 6  # prefixes at every frame [guess]
    min_share: float = 0.005  # a class below this probability is not tried at a frame [guess]
    certain_blank_share: float = 0.995  # frames that are so surely blank, one after the other, count as one [guess]
    min_log: float = -25.0  # natural log probability below which the doubt of one of several networks no longer counts [guess]

    # Where the field has rules.
    max_kept_per_state: int = 2  # prefixes at every frame for every state of the rules [guess]
    max_kept_ruled: int = 300  # prefixes at every frame [guess]
    min_share_ruled: float = 1e-4  # a class below this probability is not tried for the rules' sake either [guess]
    min_ratio_ruled: float = 1e-10  # to the best prefix; a less probable one is not followed [guess]
    max_listed: int = 12  # allowed texts [guess]


CTC = CtcTuning()


DIGITS = "0123456789"


def best_texts(frames: Frames, rules: FieldRules | None = None, alphabet: str = DIGITS) -> tuple[tuple[str, float], ...]:
    """The most probable texts with their probabilities, best first.

    `frames` are log probabilities (t, readers * 11), or with another `alphabet` (t, readers * (len(alphabet) + 1)), the last of
    each reader being the blank. With `rules`, which are on digits, all texts are allowed by them; there may be none.
    """
    texts = likely_texts(frames, rules, alphabet)
    joined = zip(texts, np.exp(text_scores(frames, texts, alphabet)).tolist(), strict=True)
    return tuple(sorted(joined, key=lambda item: (-item[1], item[0])))


def likely_texts(frames: Frames, rules: FieldRules | None = None, alphabet: str = DIGITS) -> list[str]:
    """What `best_texts` tells, in no order."""
    found = []
    for own in each_reader(frames, alphabet):
        found += _likely_texts(own, alphabet) if rules is None else _ruled_texts(own, rules)
    return list(dict.fromkeys(found))


def each_reader(frames: Frames, alphabet: str = DIGITS) -> list[Frames]:
    """The frames of each reader, (t, len(alphabet) + 1)."""
    classes = len(alphabet) + 1
    return [frames[:, start : start + classes] for start in range(0, frames.shape[1], classes)]


def _likely_texts(frames: Frames, alphabet: str) -> list[str]:
    odds = np.exp(_merge_blanks(frames).astype(np.float64))
    tried_at: list[list[tuple[str, float]]] = [[] for _ in odds]
    for at, k in np.argwhere(odds[:, :-1] > CTC.min_share).tolist():
        tried_at[at].append((alphabet[k], float(odds[at, k])))
    place = {name: k for k, name in enumerate(alphabet)}
    # Of every prefix: the probability of the ways that end in a blank, and of those that end in its last digit.
    beam: dict[str, tuple[float, float]] = {"": (1.0, 0.0)}
    for row, tried in zip(odds.tolist(), tried_at, strict=True):
        blank = row[-1]
        grown: dict[str, tuple[float, float]] = {}
        for text, (in_blank, in_digit) in beam.items():
            total = in_blank + in_digit
            last = text[-1:]
            b, d = grown.get(text, (0.0, 0.0))
            grown[text] = (b + total * blank, d + in_digit * row[place[last]] if last else 0.0)
            for name, p in tried:
                # The same digit once more needs a blank between.
                start = in_blank if name == last else total
                if start > 0:
                    b, d = grown.get(text + name, (0.0, 0.0))
                    grown[text + name] = (b, d + start * p)
        ranked = sorted(grown.items(), key=lambda item: -(item[1][0] + item[1][1]))[: CTC.max_kept]
        largest = max(1e-300, ranked[0][1][0] + ranked[0][1][1])
        beam = {text: (b / largest, d / largest) for text, (b, d) in ranked}
    return list(beam)


def _ruled_texts(frames: Frames, rules: FieldRules) -> list[str]:
    """The same search without prefixes that lead nowhere, and with the best of every state of the rules' automaton."""
    walk = automaton(rules)
    if walk.start < 0:
        return []
    beam: dict[str, tuple[float, float, int]] = {"": (1.0, 0.0, walk.start)}
    for row in np.exp(_merge_blanks(frames).astype(np.float64)).tolist():
        tried = [(d, row[d]) for d in range(BLANK) if row[d] > CTC.min_share_ruled]
        grown: dict[str, tuple[float, float, int]] = {}
        for text, (in_blank, in_digit, state) in beam.items():
            total = in_blank + in_digit
            last = int(text[-1]) if text else -1
            b, d, _ = grown.get(text, (0.0, 0.0, state))
            grown[text] = (b + total * row[BLANK], d + (in_digit * row[last] if text else 0.0), state)
            for digit, p in tried:
                start = in_blank if digit == last else total
                if start <= 0:
                    continue
                after = walk.step(state, digit)
                if after >= 0:
                    b, d, _ = grown.get(text + str(digit), (0.0, 0.0, after))
                    grown[text + str(digit)] = (b, d + start * p, after)
        ranked = sorted(grown.items(), key=lambda item: -(item[1][0] + item[1][1]))
        largest = max(1e-300, ranked[0][1][0] + ranked[0][1][1])
        near = (
            (text, state)
            for place, (text, (b, d, state)) in enumerate(ranked)
            if b + d >= CTC.min_ratio_ruled * largest or place < CTC.max_kept
        )
        kept = best_of_each_state(near, CTC.max_kept_per_state, CTC.max_kept_ruled, first=CTC.max_kept)
        beam = {text: (grown[text][0] / largest, grown[text][1] / largest, grown[text][2]) for text in kept}
    final = sorted(((b + d, text) for text, (b, d, state) in beam.items() if walk.good(state)), reverse=True)
    return [text for _, text in final[: CTC.max_listed]]


def text_scores(frames: Frames, texts: Sequence[str], alphabet: str = DIGITS) -> NDArray[np.float64]:
    """The natural log probability of every text, (len(texts),): the forward sums over all alignments. See `best_texts`.

    Of several readers it is the mean, in which none can doubt a text so much that the others are not heard.
    """
    each = _text_scores(each_reader(frames, alphabet), texts, alphabet)
    return each[0] if len(each) == 1 else np.asarray(np.mean(np.maximum(each, CTC.min_log), axis=0))


def reader_scores(frames: Frames, text: str, alphabet: str = DIGITS) -> NDArray[np.float64]:
    """The log probability of a text by each reader alone, (readers,) float64."""
    return _text_scores(each_reader(frames, alphabet), [text], alphabet)[:, 0]


def _text_scores(readers: Sequence[Frames], texts: Sequence[str], alphabet: str) -> NDArray[np.float64]:
    """What each reader says, (readers, texts)."""
    if not len(texts):
        return np.zeros((len(readers), 0))
    longest = max(len(text) for text in texts)
    blank = len(alphabet)
    # States of a text: blank, digit, blank, digit, ..., blank.
    states = np.full((len(texts), 2 * longest + 1), blank)
    for k, text in enumerate(texts):
        states[k, 1 : 2 * len(text) : 2] = [alphabet.index(c) for c in text]
    # From two states back only between different digits.
    jumps = np.zeros(states.shape)
    jumps[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    rows = [np.exp(_merge_blanks(own).astype(np.float64)) for own in readers]
    # Certain blanks after the last frame change nothing; so all readers are summed at once.
    odds = np.zeros((max(map(len, rows)), len(readers), blank + 1))
    odds[:, :, blank] = 1.0
    for k, own in enumerate(rows):
        odds[: len(own), k] = own
    emitted = odds[:, :, states]  # (t, readers, texts, states)
    ahead = np.zeros((*emitted.shape[1:-1], states.shape[1] + 2))  # two states before the first, where nothing is
    ahead[..., 2] = 1.0
    lost = np.zeros(ahead.shape[:-1])
    for now in emitted:
        moved = ahead[..., :-2] * jumps
        moved += ahead[..., 2:]
        moved += ahead[..., 1:-1]
        moved *= now
        largest = np.maximum(moved.max(axis=-1), 1e-300)
        np.divide(moved, largest[..., None], out=ahead[..., 2:])
        lost += np.log(largest)
    at = np.arange(len(texts))
    ends = np.array([2 * len(text) for text in texts]) + 2
    final = ahead[:, at, ends] + ahead[:, at, ends - 1]  # of an empty text, there is nothing before its end
    return np.asarray(lost + np.log(np.maximum(final, 1e-300)))


def alignments(odds: NDArray[np.float64], texts: Sequence[str]) -> NDArray[np.int64]:
    """The most probable way to spread each text over the frames, (len(texts), t) (A. Viterbi, 1967).

    `odds` are probabilities: (t, 11) of one reader for all texts, or (len(texts), t, 11) of one for each. The state of a frame
    is 2 k + 1 in the text's digit k, and 2 k in the blank before it. With fewer frames than a text needs they mean nothing.
    """
    longest = max((len(text) for text in texts), default=0)
    symbols = np.full((len(texts), 2 * longest + 1), BLANK)
    for k, text in enumerate(texts):
        symbols[k, 1 : 2 * len(text) : 2] = [int(digit) for digit in text]
    jumps = np.full(symbols.shape, -np.inf)
    jumps[:, 3::2] = np.where(symbols[:, 3::2] != symbols[:, 1:-2:2], 0.0, -np.inf)
    logs = np.log(np.maximum(odds, 1e-12))
    at = np.arange(len(texts))
    emitted = logs[:, symbols] if logs.ndim == 2 else logs[at[:, None], :, symbols].transpose(2, 0, 1)  # (t, texts, states)
    ahead = np.full((len(texts), symbols.shape[1] + 2), -np.inf)  # two states before the first, where nothing is
    ahead[:, 2:4] = emitted[0, :, :2]
    back = np.zeros(emitted.shape, np.int8)
    for t in range(1, len(emitted)):
        stay, step, jump = ahead[:, 2:], ahead[:, 1:-1], ahead[:, :-2] + jumps
        best = np.maximum(np.maximum(stay, step), jump)
        back[t] = np.where(stay == best, 0, np.where(step == best, 1, 2))
        np.add(best, emitted[t], out=ahead[:, 2:])
    best, ends = ahead[:, 2:], np.array([2 * len(text) for text in texts], np.int64)
    states = np.where((ends == 0) | (best[at, ends] >= best[at, np.maximum(ends - 1, 0)]), ends, ends - 1)
    taken = np.empty((len(texts), len(emitted)), np.int64)
    for t in range(len(emitted) - 1, -1, -1):
        taken[:, t] = states
        states = states - back[t, at, states]
    return taken


def _merge_blanks(frames: Frames) -> Frames:
    """Runs of frames that are surely blank become one: no text is told apart there."""
    sure = frames[:, -1] > np.float32(np.log(CTC.certain_blank_share))
    start = np.r_[True, ~(sure[1:] & sure[:-1])] if len(frames) else np.zeros(0, bool)
    keep = np.flatnonzero(start)
    merged = frames[keep].copy()
    if len(keep):
        merged[:, -1] = np.add.reduceat(frames[:, -1], keep)
    return merged
