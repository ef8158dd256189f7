"""The line networks' symbols between the digits of a text: points, signs, letters, struck-out writing.

Its frames have a class for each of `types.LINE_SYMBOLS`. For the text, which is only digits, every other symbol counts as
blank; once a text is settled, the frames between its digits say which symbols are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.meaning.named import Named
from docproc.readers.ctc import alignments
from docproc.types import DIGIT_SYMBOLS, LETTER, LINE_CLASSES, LINE_SYMBOLS, MARK_SYMBOLS, STRUCK, Frames

DIGITS = len(DIGIT_SYMBOLS)


@dataclass(frozen=True, slots=True)
class SymbolTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_share: float = 0.15  # probability of a symbol that is reported [guess]
    # In real fields letters and struck-out writing are rarer than in training.
    rarer_nats: float = 2.0  # [measured: digits of 542 check amounts alone; more gains little]
    # A bracket alone is rarer than a 1 at the end of a number that looks like one.
    lone_bracket_nats: float = 3.0  # [measured: 542 check amounts; with 6, drawn numbers before a printed bracket gain a 1]
    min_bracket_share: float = 0.5  # probability of the other bracket, for a pair [guess]
    near_frames: int = 2  # next to those of a digit, in which another symbol may be seen in its place [guess]


SYMBOLS = SymbolTuning()

_RARE = np.isin([*LINE_SYMBOLS[DIGITS:], "blank"], [LETTER, STRUCK])  # of the classes after the digits
_OPENING, _CLOSING = (LINE_SYMBOLS.index(bracket) - DIGITS for bracket in "()")  # likewise


def digit_frames(frames: Frames) -> Frames:
    """The same frames for digits alone, (t, readers * 11): everything else counts as the CTC blank.

    A fifth of the training fields hold letters or something struck out, so the networks take some unusual digits for letters.
    Here such symbols, and a bracket without its other half, get the prior of real fields (M. Saerens et al., 2002); `named`
    reports them as they were seen.
    """
    readers = frames.reshape(len(frames), frames.shape[1] // LINE_CLASSES, LINE_CLASSES)
    rest = readers[:, :, DIGITS:] - np.float32(SYMBOLS.rarer_nats) * _RARE
    for bracket, other in ((_OPENING, _CLOSING), (_CLOSING, _OPENING)):
        if readers[:, :, DIGITS + other].max(initial=-np.inf) < np.log(SYMBOLS.min_bracket_share):
            rest[:, :, bracket] -= np.float32(SYMBOLS.lone_bracket_nats)
    both = np.concatenate([readers[:, :, :DIGITS], np.logaddexp.reduce(rest, axis=2, keepdims=True)], axis=2)
    both -= np.logaddexp.reduce(both, axis=2, keepdims=True)
    return np.asarray(both.reshape(len(frames), both.shape[1] * both.shape[2]), np.float32)


def named(frames: Frames, text: str) -> tuple[Named, ...]:
    """The symbols before, between and after the digits of a text, from left to right.

    `frames` are (t, readers * 23) natural log probabilities. A symbol's share is the maximum over the readers: if one
    of them sees a letter, it is worth a look.
    """
    if not len(frames):
        return ()
    readers = np.exp(frames.reshape(len(frames), -1, LINE_CLASSES).astype(np.float64))
    marks = readers[:, :, DIGITS : DIGITS + len(MARK_SYMBOLS)].transpose(1, 2, 0)
    seen = (marks >= SYMBOLS.min_share).nonzero()
    shares = marks[seen].tolist()
    if not shares:
        return ()
    places = _places(readers, text)[seen[0], seen[2]].tolist()
    # For every symbol at every place: by reader, its greatest share and the first frame that has it.
    found: dict[tuple[int, str], dict[int, tuple[float, int]]] = {}
    last: dict[tuple[int, str], int] = {}
    for reader, mark, frame, place, share in zip(*(axis.tolist() for axis in seen), places, shares, strict=True):
        last[place, MARK_SYMBOLS[mark]] = max(frame, last.get((place, MARK_SYMBOLS[mark]), 0))
        best = found.setdefault((place, MARK_SYMBOLS[mark]), {})
        if reader not in best or share > best[reader][0]:
            best[reader] = share, frame
    told = [
        Named(
            symbol,
            place,
            max(share for share, _ in best.values()),
            next(iter(best.values()))[1] / len(frames),
            last[place, symbol] / len(frames),
        )
        for (place, symbol), best in found.items()
    ]
    return tuple(sorted(told, key=lambda one: (one.place, one.at)))


def _places(readers: NDArray[np.float64], text: str) -> NDArray[np.int64]:
    """How many digits of the text come before each frame, (readers, t), in the most probable alignment of each reader."""
    return (_states(readers, text) + 1) // 2


def _states(readers: NDArray[np.float64], text: str) -> NDArray[np.int64]:
    """The state of each frame, (readers, t), in the most probable alignment of each reader, see `ctc.alignments`."""
    none = readers[:, :, DIGITS:].sum(axis=2, keepdims=True)
    odds = np.concatenate([readers[:, :, :DIGITS], none], axis=2).transpose(1, 0, 2)
    return alignments(odds, [text] * len(odds))


def share_in_1(frames: Frames, text: str, symbol: str) -> float:
    """The probability of a symbol in place of a 1 between other digits, 0..1: the maximum over readers and such 1s."""
    ones = [place for place, digit in enumerate(text[:-1]) if place and digit == "1"]
    if not len(frames) or not ones:
        return 0.0
    readers = np.exp(frames.reshape(len(frames), -1, LINE_CLASSES).astype(np.float64))
    column, most = LINE_SYMBOLS.index(symbol), 0.0
    for reader, states in enumerate(_states(readers, text)):
        for place in ones:
            (own,) = (states == 2 * place + 1).nonzero()
            if len(own):
                near = slice(max(0, int(own[0]) - SYMBOLS.near_frames), int(own[-1]) + SYMBOLS.near_frames + 1)
                most = max(most, float(readers[near, reader, column].max()))
    return most


def join(symbols: Sequence[Named], text: str) -> str:
    """The text with the symbols at their places, as written."""
    return "".join(
        "".join(one.symbol for one in symbols if one.place == place) + text[place : place + 1] for place in range(len(text) + 1)
    )
