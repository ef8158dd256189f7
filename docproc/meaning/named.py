"""Marks by the names that a network gives them, beside those that are told by their shapes (`marks`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

FILLERS = "-*/"  # of what stands at the ends of an amount so that nothing is added to it


@dataclass(frozen=True, slots=True)
class Named:
    """A symbol that is no digit."""

    symbol: str  # one of `types.MARK_SYMBOLS`
    place: int  # digits before it
    share: float  # 0..1, how probable it is
    at: float = 0.0  # 0..1, from the start of the field to its end


def fills(named: Sequence[Named], text: str) -> bool:
    """Whether marks on both sides of an amount fill its field."""
    return {0, len(text)} <= {one.place for one in named if one.symbol in FILLERS}


def without_fillers(named: Sequence[Named], text: str, value: str) -> list[Named]:
    """What stands around an amount, without the dashes that fill its field."""
    both = fills(named, text)
    return [
        one
        for one in named
        if not (one.symbol == "-" and (both or (one.place == len(text) and "." not in value)))
        and not (one.symbol == ")" and one.place == len(text) and "(" not in {other.symbol for other in named})
    ]
