"""State machines for single rules and texts of one length, which read digits from left to right."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any


def is_digits(text: str) -> bool:
    """Whether the text is one or more of the digits 0 to 9."""
    return text.isascii() and text.isdigit()


@dataclass(frozen=True, slots=True)
class Acceptor:
    """A state machine that accepts the texts of one length that satisfy one rule."""

    start: Hashable
    step: Callable[[Any, int, int], Hashable | None]  # (state, digit, its index from the left); None: no continuation
    accepts: Callable[[Any], bool]  # of the state after the last digit


def range_acceptor(low: int, high: int, length: int) -> Acceptor:
    """Numbers from `low` to `high`. The state says whether the text so far is a prefix of the lower and of the upper bound."""
    if len(str(low)) > length:
        return Acceptor((), lambda *_: None, lambda _: False)
    lows = [int(c) for c in str(low).zfill(length)]
    highs = [int(c) for c in str(high).zfill(length)] if len(str(high)) <= length else [9] * length

    def step(state: tuple[bool, bool], digit: int, place: int) -> tuple[bool, bool] | None:
        at_low, at_high = state
        if (at_low and digit < lows[place]) or (at_high and digit > highs[place]):
            return None
        return at_low and digit == lows[place], at_high and digit == highs[place]

    return Acceptor((True, True), step, lambda _: True)


def list_acceptor(allowed: frozenset[str], length: int) -> Acceptor:
    """The texts of a list. The state is the text so far."""
    prefixes = {text[:k] for text in allowed if len(text) == length for k in range(length + 1)}

    def step(state: str, digit: int, _: int) -> str | None:
        grown = f"{state}{digit}"
        return grown if grown in prefixes else None

    return Acceptor("", step, lambda state: state in prefixes)
