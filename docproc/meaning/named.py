"""Marks by the names that a network gives them, beside those that are told by their shapes (`marks`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Named:
    """A symbol that is no digit."""

    symbol: str  # one of `types.MARK_SYMBOLS`
    place: int  # digits before it
    share: float  # 0..1, how probable it is
    at: float = 0.0  # 0..1, from the start of the field to its end
