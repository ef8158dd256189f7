"""The history of a training, epoch by epoch: what a training records, a card stores, and a report draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Epoch:
    """The results of one epoch.

    Losses are those used to train the network. Accuracies are shares, 0..1, of pictures whose most probable class is right;
    None for networks that read lines.
    """

    loss: float  # mean over the epoch, while the weights changed
    accuracy: float | None
    validation_loss: float  # of the averaged weights at its end
    validation_accuracy: float | None


Histories = Mapping[str, Sequence[Epoch]]  # by network name


def histories_to_card(histories: Histories) -> dict[str, list[dict[str, Any]]]:
    """Histories as a card stores them, see `histories_from_card`."""
    return {name: [asdict(epoch) for epoch in history] for name, history in histories.items()}


def histories_from_card(card: Mapping[str, Any]) -> dict[str, list[Epoch]]:
    """The histories on a card; empty if it has none."""
    return {name: [Epoch(**epoch) for epoch in epochs] for name, epochs in dict(card.get("history", {})).items()}
