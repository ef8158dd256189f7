"""What a training reports while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """How far the training of a network is."""

    network: str
    epoch: int  # from 1
    epochs: int
    step: int  # from 1
    steps: int  # of an epoch
    loss: float  # mean of the epoch so far


Log = Callable[[str | Step], None]
