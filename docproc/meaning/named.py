"""Marks named by a network, in addition to those recognized by their shapes (`marks`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FILLERS = "-*/"  # at the ends of an amount, so that nothing can be added to it


@dataclass(frozen=True, slots=True)
class Named:
    """A symbol that is not a digit."""

    symbol: str  # one of `types.MARK_SYMBOLS`
    place: int  # digits before it
    share: float  # 0..1, its probability
    at: float = 0.0  # 0..1, from the start of the field to its end
    until: float = 0.0  # likewise, the last place where it is seen


def fills(named: Sequence[Named], text: str) -> bool:
    """Whether the marks on both sides of an amount are fillers."""
    return {0, len(text)} <= {one.place for one in named if one.symbol in FILLERS}


def without_fillers(named: Sequence[Named], text: str, value: str) -> list[Named]:
    """The symbols around an amount, without the dashes that fill its field."""
    both = fills(named, text)
    return [
        one
        for one in named
        if not (one.symbol == "-" and (both or (one.place == len(text) and "." not in value)))
        and not (one.symbol == ")" and one.place == len(text) and "(" not in {other.symbol for other in named})
    ]
