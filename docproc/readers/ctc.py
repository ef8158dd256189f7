"""Frames to strings: decodes the line recognizer's output for a whole field (connectionist temporal classification).

A. Graves et al., ICML 2006: a text's probability is the sum over all alignments with the frames, with blanks in between.
The best texts are found by a prefix beam search (A. Hannun et al., 2014).

If the frames hold several readers side by side, each is decoded separately, and their scores for a text are combined: two
that saw a digit in different frames would otherwise seem to contradict each other there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.readers.beam import best_of_each_state
from docproc.rules import FieldRules, automaton
from docproc.types import NOT_A_DIGIT as BLANK
from docproc.types import Frames


@dataclass(frozen=True, slots=True)
class CtcTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    max_kept: int = 6  # prefixes per frame [guess]
    min_share: float = 0.005  # a class below this probability is not tried at a frame [guess]
    certain_blank_share: float = 0.995  # consecutive frames that are blank with this probability are merged into one [guess]
    min_log: float = -25.0  # natural log probability at which the doubt of one of several networks is clipped [guess]

    # For fields with rules.
    max_kept_per_state: int = 2  # prefixes per frame and state of the rules [guess]
    max_kept_ruled: int = 300  # prefixes per frame [guess]
    min_share_ruled: float = 1e-4  # a class below this probability is not tried even for the rules [guess]
    min_ratio_ruled: float = 1e-10  # to the best prefix; less probable ones are pruned [guess]
    max_listed: int = 12  # allowed texts [guess]


CTC = CtcTuning()


DIGITS = "0123456789"


def best_texts(frames: Frames, rules: FieldRules | None = None, alphabet: str = DIGITS) -> tuple[tuple[str, float], ...]:
    """The most probable texts with their probabilities, best first.

    `frames` are log probabilities (t, readers * 11), or with another `alphabet` (t, readers * (len(alphabet) + 1)); the last of
    each reader's classes is the blank. With `rules`, which apply to digits, only allowed texts are returned; there may be none.
    """
    merged = merge_blanks(frames, alphabet)
    texts = likely_texts(merged, rules)
    joined = zip(texts, np.exp(joint_scores(each_scores(merged, texts))).tolist(), strict=True)
    return tuple(sorted(joined, key=lambda item: (-item[1], item[0])))


def text_scores(frames: Frames, texts: Sequence[str], alphabet: str = DIGITS) -> NDArray[np.float64]:
    """The natural log probability of every text, (len(texts),): the forward sums over all alignments. See `best_texts`."""
    return joint_scores(each_scores(merge_blanks(frames, alphabet), texts))


def each_reader(frames: Frames, alphabet: str = DIGITS) -> list[Frames]:
    """The frames of each reader, (t, len(alphabet) + 1)."""
    classes = len(alphabet) + 1
    return [frames[:, start : start + classes] for start in range(0, frames.shape[1], classes)]


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """Frames with runs of sure blanks merged: these do not separate texts. Searches and sums over texts start from it."""

    odds: NDArray[np.float64]  # (t, readers, classes) probabilities, padded with certain blanks after a reader's last frame
    lengths: tuple[int, ...]  # frames of each reader
    alphabet: str  # of all classes but the last, which is the blank


def merge_blanks(frames: Frames, alphabet: str = DIGITS) -> Merged:
    """The frames of all readers, see `best_texts`, with runs of sure blanks merged."""
    classes = len(alphabet) + 1
    each = frames.reshape(len(frames), frames.shape[1] // classes, classes).transpose(1, 0, 2)
    blanks = each[:, :, -1]
    sure = blanks > np.float32(np.log(CTC.certain_blank_share))
    start = np.ones(sure.shape, bool)
    start[:, 1:] = ~(sure[:, 1:] & sure[:, :-1])
    reader, place = start.nonzero()
    merged = each[reader, place]
    if len(merged):
        merged[:, -1] = np.add.reduceat(blanks.ravel(), reader * len(frames) + place)
    lengths = np.add.reduce(start, axis=1, dtype=np.int64)
    odds = np.zeros((lengths.max(initial=0), len(each), classes))
    odds[:, :, -1] = 1.0
    odds[(np.add.accumulate(start, axis=1, dtype=np.int64) - 1)[reader, place], reader] = np.exp(merged.astype(np.float64))
    return Merged(odds, tuple(lengths.tolist()), alphabet)


def likely_texts(merged: Merged, rules: FieldRules | None = None) -> list[str]:
    """The texts of `best_texts`, unordered."""
    found: list[str] = []
    for reader, length in enumerate(merged.lengths):
        rows = merged.odds[:length, reader].tolist()
        found += _likely_texts(rows, merged.alphabet) if rules is None else _ruled_texts(rows, rules)
    return list(dict.fromkeys(found))


def _likely_texts(rows: Sequence[Sequence[float]], alphabet: str) -> list[str]:
    # For every prefix: its last class, the probability of the paths that end in a blank, and of those that end in that class.
    beam: dict[str, tuple[int, float, float]] = {"": (-1, 1.0, 0.0)}
    for row in rows:
        blank = row[-1]
        tried = [(k, name, p) for k, (name, p) in enumerate(zip(alphabet, row, strict=False)) if p > CTC.min_share]
        grown: dict[str, tuple[int, float, float]] = {}
        for text, (last, in_blank, in_class) in beam.items():
            total = in_blank + in_class
            before = grown[text][2] if text in grown else 0.0
            grown[text] = (last, total * blank, before + in_class * row[last] if last >= 0 else 0.0)
            for k, name, p in tried:
                # Repeating a class requires a blank in between.
                start = in_blank if k == last else total
                if start > 0:
                    longer = text + name
                    if longer in grown:
                        _, b, c = grown[longer]
                        grown[longer] = (k, b, c + start * p)
                    else:
                        grown[longer] = (k, 0.0, start * p)
        ranked = [(-(b + c), place, text, k, b, c) for place, (text, (k, b, c)) in enumerate(grown.items())]
        ranked.sort()  # of equals, the first one found
        largest = -ranked[0][0] if ranked[0][0] < -1e-300 else 1e-300
        beam = {text: (k, b / largest, c / largest) for _, _, text, k, b, c in ranked[: CTC.max_kept]}
    return list(beam)


def _ruled_texts(rows: Sequence[Sequence[float]], rules: FieldRules) -> list[str]:
    """The same search without dead-end prefixes, keeping the best of every state of the rules' automaton."""
    walk = automaton(rules)
    if walk.start < 0:
        return []
    beam: dict[str, tuple[float, float, int]] = {"": (1.0, 0.0, walk.start)}
    for row in rows:
        tried = [(d, row[d]) for d in range(BLANK) if row[d] > CTC.min_share_ruled]
        grown: dict[str, tuple[float, float, int]] = {}
        for text, (in_blank, in_digit, state) in beam.items():
            total = in_blank + in_digit
            last = int(text[-1]) if text else -1
            before = grown[text][1] if text in grown else 0.0
            grown[text] = (total * row[BLANK], before + (in_digit * row[last] if text else 0.0), state)
            for digit, p in tried:
                start = in_blank if digit == last else total
                if start <= 0:
                    continue
                after = walk.step(state, digit)
                if after < 0:
                    continue
                longer = text + str(digit)
                if longer in grown:
                    b, d, _ = grown[longer]
                    grown[longer] = (b, d + start * p, after)
                else:
                    grown[longer] = (0.0, start * p, after)
        ranked = sorted([(-(b + d), place, text, state) for place, (text, (b, d, state)) in enumerate(grown.items())])
        largest = max(1e-300, -ranked[0][0])
        near = [
            (text, state)
            for place, (less, _, text, state) in enumerate(ranked)
            if -less >= CTC.min_ratio_ruled * largest or place < CTC.max_kept
        ]
        kept = best_of_each_state(near, CTC.max_kept_per_state, CTC.max_kept_ruled, first=CTC.max_kept)
        beam = {text: (grown[text][0] / largest, grown[text][1] / largest, grown[text][2]) for text in kept}
    final = sorted(((b + d, text) for text, (b, d, state) in beam.items() if walk.good(state)), reverse=True)
    return [text for _, text in final[: CTC.max_listed]]


def _best_classes(odds: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The most probable class of every frame, and whether a digit begins there, (n, t) each, from odds (n, t, 11)."""
    best = odds.argmax(axis=2)
    starts = best != BLANK
    starts[:, 1:] &= best[:, 1:] != best[:, :-1]
    return best, starts


def joint_scores(each: NDArray[np.float64]) -> NDArray[np.float64]:
    """The joint natural log probability of texts, (texts,), from that of each reader, (readers, texts).

    This is the mean, clipped so that no single reader's doubt can outweigh the others.
    """
    return each[0] if len(each) == 1 else np.asarray(np.maximum(each, CTC.min_log).mean(axis=0))


def each_scores(merged: Merged, texts: Sequence[str]) -> NDArray[np.float64]:
    """The log probability of every text according to each reader alone, (readers, texts) float64."""
    odds = merged.odds
    if not len(texts):
        return np.zeros((odds.shape[1], 0))
    states, ends = _states(texts, merged.alphabet)
    # A jump over two states is allowed only between different classes.
    jumps = np.zeros(states.shape)
    jumps[:, 3::2] = states[:, 3::2] != states[:, 1:-2:2]
    emitted = odds[:, :, states]  # (t, readers, texts, states); certain blanks after the last frame change nothing
    ahead = np.zeros((*emitted.shape[1:-1], states.shape[1] + 2))  # two states of padding before the first
    ahead[..., 2] = 1.0
    largest = np.empty(emitted.shape[:-1])
    for now, most in zip(emitted, largest, strict=True):
        moved = ahead[..., :-2] * jumps
        moved += ahead[..., 2:]
        moved += ahead[..., 1:-1]
        moved *= now
        np.maximum.reduce(moved, axis=-1, out=most, initial=1e-300)
        np.divide(moved, most[..., None], out=ahead[..., 2:])
    at = np.arange(len(texts))
    final = ahead[:, at, ends + 2] + ahead[:, at, ends + 1]  # for an empty text, there is nothing before its end
    return np.asarray(np.log(largest).sum(axis=0) + np.log(np.maximum(final, 1e-300)))


def _states(texts: Sequence[str], alphabet: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The states of every text, blank, class, blank, ..., blank, (texts, 2 * longest + 1), and its last state, (texts,)."""
    lengths = [len(text) for text in texts]
    states = np.full((len(texts), 2 * max(lengths, default=0) + 1), len(alphabet))
    place = {name: k for k, name in enumerate(alphabet)}
    for row, text, length in zip(states, texts, lengths, strict=True):
        row[1 : 2 * length : 2] = [place[name] for name in text]
    return states, 2 * np.array(lengths, np.int64)


def alignments(odds: NDArray[np.float64], texts: Sequence[str]) -> NDArray[np.int64]:
    """The most probable alignment of each text with its frames, (len(texts), t).

    `odds` are probabilities (len(texts), t, 11). The state of a frame is 2 k + 1 in the text's digit k, and 2 k in the blank
    before it. With fewer frames than a text needs they are meaningless.
    """
    best, starts = _best_classes(odds)
    # If the most probable class of every frame gives the text, no alignment is more probable.
    states = 2 * np.add.accumulate(starts, axis=1, dtype=np.int64) - (best != BLANK)
    others = [k for k, text in enumerate(texts) if best[k, starts[k]].tolist() != [int(digit) for digit in text]]
    if others:
        states[others] = _viterbi(odds[others], [texts[k] for k in others])
    return np.asarray(states, np.int64)


def _viterbi(odds: NDArray[np.float64], texts: Sequence[str]) -> NDArray[np.int64]:
    """The same by dynamic programming (A. Viterbi, 1967)."""
    symbols, ends = _states(texts, DIGITS)
    jumps = np.full(symbols.shape, -np.inf)
    jumps[:, 3::2] = np.where(symbols[:, 3::2] != symbols[:, 1:-2:2], 0.0, -np.inf)
    at = np.arange(len(texts))
    emitted = np.log(np.maximum(odds, 1e-12))[at[:, None], :, symbols].transpose(2, 0, 1)  # (t, texts, states)
    frames = len(emitted)
    ahead = np.full((frames, len(texts), symbols.shape[1] + 2), -np.inf)  # two states of padding before the first
    ahead[0, :, 2:4] = emitted[0, :, :2]
    best = np.empty(emitted.shape)  # path to each state, before the frame
    for before, most, now, after in zip(ahead[:-1], best[1:], emitted[1:], ahead[1:], strict=True):
        np.add(before[:, :-2], jumps, out=most)
        np.maximum(most, before[:, 1:-1], out=most)
        np.maximum(most, before[:, 2:], out=most)
        np.add(most, now, out=after[:, 2:])
    # How many states back it came from: 0, 1 or 2; the fewest in a tie.
    back = np.zeros(emitted.shape, np.int8)
    moved = ahead[:-1, :, 2:] != best[1:]
    np.add(moved, moved & (ahead[:-1, :, 1:-1] != best[1:]), out=back[1:], dtype=np.int8)
    last = ahead[-1, :, 2:]
    states = np.where((ends == 0) | (last[at, ends] >= last[at, np.maximum(ends - 1, 0)]), ends, ends - 1)
    taken = np.empty((len(texts), frames), np.int64)
    for t in range(frames - 1, -1, -1):
        taken[:, t] = states
        states = states - back[t, at, states]
    return taken


def middles(states: NDArray[np.int64], digits: int) -> NDArray[np.float64]:
    """The middle frame of each digit of a text, (digits,), from the states of its frames, see `alignments`."""
    counts = np.bincount(states, minlength=2 * digits + 1)[1::2]
    return np.asarray(np.bincount(states, np.arange(len(states)), minlength=2 * digits + 1)[1::2] / counts, np.float64)
