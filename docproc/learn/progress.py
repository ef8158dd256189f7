"""What a training reports while it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """How far a step of a training is."""

    name: str  # in words for a person, such as "composing combs"
    done: int = 0
    total: int | None = None  # None: there is nothing to count
    note: str = ""  # what tells more than the count, such as the epoch


Log = Callable[[str | Step], None]
"""What a person is told, on stderr: messages, progress and summaries. Data goes to stdout."""


def counted(items: Iterable[T], total: int, name: str, log: Log, each: int = 1) -> Iterator[T]:
    """The items as they come; a `Step` tells after the work on each how far it is. An item counts as `each` of `total`."""
    log(Step(name, 0, total))
    for number, item in enumerate(items, 1):
        yield item
        log(Step(name, min(number * each, total), total))


def epoch_step(network: str, epoch: int, epochs: int, batch: int, batches: int, loss: float) -> Step:
    """How far the training of a network is: its epoch and the batch of that, both from 1, and the mean loss so far."""
    done = (epoch - 1) * batches + batch
    return Step(f"training {network}", done, epochs * batches, f"epoch {epoch}/{epochs}, loss {loss:.4f}")
