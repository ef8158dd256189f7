"""What a network is shown in an epoch: all of it once, in an order that depends on the seed and the epoch alone."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.training.augment import draw_warps, vary_line, warp_pictures, warp_strength
from docproc.learn.training.batches import (
    Batch,
    TrainingBatches,
    plain_pictures,
    validation_lines,
    validation_pictures,
    varied_lines,
    warped_pictures,
)
from docproc.types import Line

PICTURES = np.arange(100 * 28 * 28, dtype=np.int64).reshape(100, 28, 28).astype(np.uint8)
LABELS = np.arange(100) % 10


def line(width: int) -> Line:
    strip = np.zeros((32, width), np.uint8)
    strip[8:24, 4 : width - 8 : 6] = 255
    return strip


def same(one: list[Batch], other: list[Batch]) -> bool:
    pairs = zip(one, other, strict=True)
    return all(np.array_equal(a[0], b[0]) and np.array_equal(a[1], b[1]) for a, b in pairs)


@pytest.mark.parametrize(
    "batches",
    [
        plain_pictures((PICTURES, LABELS), 32, (7, 1)),
        warped_pictures((PICTURES, LABELS), 32, 4, (7, 1)),
        varied_lines(([line(64)] * 20 + [line(96)] * 9, [[1, 2]] * 29), 8, 2, (7, 1), (0.8, 1.1)),
    ],
)
def test_an_epoch_depends_on_seed_and_number_alone(batches: TrainingBatches) -> None:
    first, second = list(batches.of_epoch(0)), list(batches.of_epoch(1))
    assert len(first) == len(second) == batches.steps
    assert same(first, list(batches.of_epoch(0)))
    assert not same(first, second)


def test_every_picture_is_shown_once() -> None:
    shown = np.concatenate([pictures for pictures, _ in plain_pictures((PICTURES, LABELS), 32, (7, 1)).of_epoch(3)])
    assert sorted(map(bytes, shown)) == sorted(map(bytes, PICTURES))
    assert sum(len(labels) for _, labels in validation_pictures((PICTURES, LABELS))()) == 100


def test_lines_of_one_width_come_together_with_padded_texts() -> None:
    lines = [line(64), line(96), line(64)]
    (narrow, narrow_texts), (wide, wide_texts) = list(validation_lines((lines, [[1, 2, 3], [4], [5]]), 2)())
    assert (narrow.shape, wide.shape) == ((2, 32, 64), (1, 32, 96))
    assert narrow_texts.tolist() == [[1, 2, 3], [5, -1, -1]]
    assert wide_texts.tolist() == [[4]]


@pytest.mark.parametrize(("text", "fits"), [([1, 2, 3, 4], True), ([1, 2, 3, 3], False), ([1, 2, 3, 4, 5], False)])
def test_a_line_with_too_few_frames_for_its_text_is_left_out(text: list[int], fits: bool) -> None:
    # Eight px are four frames at a stride of two; two equal digits need one between them.
    found = list(validation_lines(([line(8)], [text]), 2)())
    assert len(found) == fits


def test_augmentation_is_annealed() -> None:
    assert [warp_strength(epoch, 10) for epoch in (0, 6, 7, 9)] == [1.0, 1.0, 0.6, 0.6]
    rng = np.random.default_rng(0)
    assert np.array_equal(warp_pictures(PICTURES, draw_warps(rng, 28, 0.0), rng), PICTURES)
    assert not np.array_equal(warp_pictures(PICTURES, draw_warps(rng, 28, 1.0), rng), PICTURES)


def test_a_varied_line_keeps_its_shape() -> None:
    rng = np.random.default_rng(0)
    for width in (12, 64, 400):
        varied = vary_line(line(width), rng, (0.75, 1.15))
        assert varied.shape == (32, width)
        assert varied.dtype == np.uint8
