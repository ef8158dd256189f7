"""Shared by the beam searches over texts and the states of a field's rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def best_of_each_state(ranked: Iterable[tuple[Item, int]], per_state: int, most: int, first: int = 0) -> list[Item]:
    """Of items with their states, best first: the best `per_state` of every state, at most `most` in all.

    The `first` ones are kept whatever their state. So a text that satisfies a check digit is never lost to texts that look
    better but break it.
    """
    counts: defaultdict[int, int] = defaultdict(int)
    kept: list[Item] = []
    for place, (item, state) in enumerate(ranked):
        if len(kept) >= most:
            break
        counts[state] += 1
        if counts[state] <= per_state or place < first:
            kept.append(item)
    return kept
