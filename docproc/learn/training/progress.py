"""What a training says while it runs, and what it remembers of its epochs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """Where the training of a network stands."""

    network: str
    epoch: int  # from 1
    epochs: int
    step: int  # from 1
    steps: int  # of an epoch
    loss: float  # mean of the epoch so far


@dataclass(frozen=True, slots=True)
class Epoch:
    """What came of one epoch.

    Losses are those of the network's own kind. Accuracies are shares, 0..1, of pictures whose class is likeliest; None of
    networks that read lines.
    """

    loss: float  # mean over the epoch, while the weights moved
    accuracy: float | None
    validation_loss: float  # of the averaged weights at its end
    validation_accuracy: float | None


Tell = Callable[[str | Step], None]
