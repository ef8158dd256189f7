"""Batches for the training loop: network inputs and targets; augmented for training, plain for validation.

The order and the augmentation of an epoch depend only on the seed and on the number of the epoch, so an interrupted training
continues with the same batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.training.augment import draw_warps, vary_line, warp_pictures, warp_strength
from docproc.types import Line

LabeledPictures = tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]  # (n, side, side, ...) and their labels (n,)
LabeledLines = tuple[Sequence[Line], Sequence[str]]  # and their texts
EncodedLines = tuple[Sequence[Line], Sequence[Sequence[int]]]  # and their texts as classes of the network

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]  # inputs and targets
Seed = tuple[int, int]  # of the recipe, and of what is drawn

VALIDATION_BATCH = 512  # pictures


@dataclass(frozen=True, slots=True)
class TrainingBatches:
    """The batches of every epoch."""

    steps: int  # batches of an epoch
    of_epoch: Callable[[int], Iterator[Batch]]  # epochs count from 0


ValidationBatches = Callable[[], Iterator[Batch]]


def plain_pictures(labeled: LabeledPictures, size: int, seed: Seed) -> TrainingBatches:
    """Shuffled batches of about `size` pictures."""
    pictures, labels = labeled
    steps = max(1, len(labels) // size)

    def of_epoch(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((*seed, epoch))
        for chosen in np.array_split(rng.permutation(len(labels)), steps):
            yield pictures[chosen], labels[chosen].astype(np.int32)

    return TrainingBatches(steps, of_epoch)


def warped_pictures(labeled: LabeledPictures, size: int, epochs: int, seed: Seed) -> TrainingBatches:
    """Shuffled batches of about `size` pictures, warped anew in every epoch."""
    pictures, labels = labeled
    steps = max(1, len(labels) // size)

    def of_epoch(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((*seed, epoch))
        warps = draw_warps(rng, pictures.shape[1], warp_strength(epoch, epochs))
        for chosen in np.array_split(rng.permutation(len(labels)), steps):
            yield warp_pictures(pictures[chosen], warps, rng), labels[chosen].astype(np.int32)

    return TrainingBatches(steps, of_epoch)


def varied_lines(encoded: EncodedLines, size: int, stride: int, seed: Seed, widths: tuple[float, float]) -> TrainingBatches:
    """Shuffled batches of about `size` lines of the same width, varied anew in every epoch.

    `stride` is the number of px of a line per frame of the network; for `widths` see `augment.vary_line`.
    """
    lines, texts = encoded
    by_width = _by_width(lines, _wide_enough(encoded, stride))

    def of_epoch(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((*seed, epoch))
        for chosen in _shuffled(by_width, size, rng):
            yield np.stack([vary_line(lines[k], rng, widths) for k in chosen]), _targets([texts[k] for k in chosen])

    return TrainingBatches(_steps(by_width, size), of_epoch)


def validation_pictures(labeled: LabeledPictures) -> ValidationBatches:
    """All pictures, in order and unchanged."""
    pictures, labels = labeled

    def batches() -> Iterator[Batch]:
        for start in range(0, len(labels), VALIDATION_BATCH):
            chosen = slice(start, start + VALIDATION_BATCH)
            yield pictures[chosen], labels[chosen].astype(np.int32)

    return batches


def validation_lines(encoded: EncodedLines, stride: int) -> ValidationBatches:
    """All lines, unchanged, grouped by width."""
    lines, texts = encoded
    by_width = _by_width(lines, _wide_enough(encoded, stride))

    def batches() -> Iterator[Batch]:
        for members in by_width.values():
            yield np.stack([lines[k] for k in members]), _targets([texts[k] for k in members])

    return batches


def _batch_count(members: Sequence[int], size: int) -> int:
    return max(1, round(len(members) / size))


def _by_width(lines: Sequence[Line], members: Iterable[int]) -> dict[int, list[int]]:
    """The given indices of lines, grouped by the widths of the lines."""
    by_width: dict[int, list[int]] = {}
    for k in members:
        by_width.setdefault(lines[k].shape[1], []).append(k)
    return by_width


def _wide_enough(encoded: EncodedLines, stride: int) -> list[int]:
    """The indices of the lines that have enough frames for their text."""
    # CTC needs a frame for every character, and one between two equal ones.
    return [
        k
        for k, (line, text) in enumerate(zip(*encoded, strict=True))
        if line.shape[1] // stride >= max(1, len(text) + sum(a == b for a, b in pairwise(text)))
    ]


def _shuffled(by_width: Mapping[int, Sequence[int]], size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    """The indices of batches of about `size` lines of the same width, in random order."""
    order = []
    for members in by_width.values():
        order += np.array_split(rng.permutation(members), _batch_count(members, size))
    for place in rng.permutation(len(order)):
        yield order[place]


def _steps(by_width: Mapping[int, Sequence[int]], size: int) -> int:
    """How many batches `_shuffled` yields."""
    return sum(_batch_count(members, size) for members in by_width.values())


def _targets(texts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Texts as rows of (n, longest) int32, padded with -1."""
    targets = np.full((len(texts), max(map(len, texts))), -1, np.int32)
    for row, text in enumerate(texts):
        targets[row, : len(text)] = text
    return targets
