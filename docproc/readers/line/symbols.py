"""What the line network names between the digits of a text: points, signs, letters, what is struck out.

Its frames tell `types.LINE_SYMBOLS` apart. For the text of digits alone every other symbol is as good as nothing; where a text
is settled, the frames between its digits say what stands there.
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
    """The numbers of this stage; each says its unit and its kind, see docs/house.md."""

    min_share: float = 0.15  # probability of a symbol that is told [guess]
    # In real fields letters, and what is struck out, are rarer than in those that are trained on.
    rarer_nats: float = 2.0  # [measured: digits of 542 check amounts alone; more gains little]
    near_frames: int = 2  # beside those of a digit, in which another symbol may be seen in its place [guess]


SYMBOLS = SymbolTuning()

_RARE = np.isin([*LINE_SYMBOLS[DIGITS:], "blank"], [LETTER, STRUCK])  # of the classes behind the digits


def digit_frames(frames: Frames) -> Frames:
    """The same frames for digits alone, (t, readers * 11): all else counts as CTC's blank.

    A fifth of the fields that are trained on hold letters or something struck out, so that networks take some odd digits for
    letters. Here such symbols have the prior of real fields (M. Saerens et al., 2002); `named` tells them as they were seen.
    """
    readers = frames.reshape(len(frames), frames.shape[1] // LINE_CLASSES, LINE_CLASSES)
    rest = readers[:, :, DIGITS:] - np.float32(SYMBOLS.rarer_nats) * _RARE
    both = np.concatenate([readers[:, :, :DIGITS], np.logaddexp.reduce(rest, axis=2, keepdims=True)], axis=2)
    both -= np.logaddexp.reduce(both, axis=2, keepdims=True)
    return np.asarray(both.reshape(len(frames), both.shape[1] * both.shape[2]), np.float32)


def named(frames: Frames, text: str) -> tuple[Named, ...]:
    """What stands before, between and after the digits of a text, from left to right.

    `frames` are (t, readers * 23) natural log probabilities. A symbol's share is the most that one of the readers
    says: what one of them takes for a letter is worth a look.
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
    # Of every symbol in every place: by reader, its greatest share and the first frame that has it.
    found: dict[tuple[int, str], dict[int, tuple[float, int]]] = {}
    for reader, mark, frame, place, share in zip(*(axis.tolist() for axis in seen), places, shares, strict=True):
        best = found.setdefault((place, MARK_SYMBOLS[mark]), {})
        if reader not in best or share > best[reader][0]:
            best[reader] = share, frame
    told = [
        Named(symbol, place, max(share for share, _ in best.values()), next(iter(best.values()))[1] / len(frames))
        for (place, symbol), best in found.items()
    ]
    return tuple(sorted(told, key=lambda one: (one.place, one.at)))


def _places(readers: NDArray[np.float64], text: str) -> NDArray[np.int64]:
    """How many digits of the text stand before each frame, (readers, t), by the most probable alignment of each reader."""
    return (_states(readers, text) + 1) // 2


def _states(readers: NDArray[np.float64], text: str) -> NDArray[np.int64]:
    """The state of each frame, (readers, t), by the most probable alignment of each reader, see `ctc.alignments`."""
    none = readers[:, :, DIGITS:].sum(axis=2, keepdims=True)
    odds = np.concatenate([readers[:, :, :DIGITS], none], axis=2).transpose(1, 0, 2)
    return alignments(odds, [text] * len(odds))


def share_in_1(frames: Frames, text: str, symbol: str) -> float:
    """How probable a symbol is where a 1 stands between other digits, 0..1: the most that a reader says of any such 1."""
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
    """The text with the symbols in their places, as it is written."""
    return "".join(
        "".join(one.symbol for one in symbols if one.place == place) + text[place : place + 1] for place in range(len(text) + 1)
    )
