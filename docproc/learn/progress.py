"""Progress reports during training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Step:
    """The progress of one step of a training."""

    name: str  # in words for a person, such as "composing combs"
    done: int = 0
    total: int | None = None  # None: there is nothing to count
    note: str = ""  # further details, such as the epoch


Log = Callable[[str | Step], None]
"""Output for a person, on stderr: messages, progress and summaries. Data goes to stdout."""


def counted(items: Iterable[T], total: int, name: str, log: Log, each: int = 1) -> Iterator[T]:
    """Passes the items through; after the work on each, a `Step` reports progress. An item counts as `each` of `total`."""
    log(Step(name, 0, total))
    for number, item in enumerate(items, 1):
        yield item
        log(Step(name, min(number * each, total), total))


def epoch_step(network: str, epoch: int, epochs: int, batch: int, batches: int, loss: float) -> Step:
    """The progress of training a network: the epoch and the batch in it, both from 1, and the mean loss so far."""
    done = (epoch - 1) * batches + batch
    return Step(f"training {network}", done, epochs * batches, f"epoch {epoch}/{epochs}, loss {loss:.4f}")
