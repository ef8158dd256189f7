"""Which network is trained on what: its batches, augmentation, loss, and the file with its saved progress."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from docproc.learn.progress import Log
from docproc.learn.training.architectures import (
    DIGIT_NETWORKS,
    LINE_STRIDE,
    cell_network,
    each_line_reader,
    line_network,
    line_readers,
    micr_network,
)
from docproc.learn.training.batches import (
    EncodedLines,
    LabeledLines,
    LabeledPictures,
    plain_pictures,
    validation_lines,
    validation_pictures,
    varied_lines,
    warped_pictures,
)
from docproc.learn.training.loop import TrainedNetwork, Training, train_network
from docproc.learn.training.recipes import ClassicRecipe, E13bRecipe, HandwritingRecipe
from docproc.readers.e13b.font import STRIDE_PX as MICR_STRIDE
from docproc.types import LINE_READERS, LINE_SYMBOLS, MICR_SYMBOLS

if TYPE_CHECKING:
    import keras

# In the models' folder: the state of each interrupted training.
GLYPH_PROGRESS, CELL_PROGRESS, MICR_PROGRESS = (f"{name}.progress.npz" for name in ("digits", "cells", "micr"))
LINE_PROGRESS = tuple(f"lines-{number}.progress.npz" for number in range(1, LINE_READERS + 1))

# What is drawn from the seed of a recipe, so that no two draws share random numbers.
GLYPH_DRAW, LINE_DRAW, CELL_DRAW, MICR_PAIRS_DRAW, MICR_DRAW, MICR_VALIDATION_DRAW, CLASSIC_DRAW = 21, 22, 23, 24, 25, 26, 27

LINE_WIDTHS = (0.75, 1.15)  # factors by which handwritten lines are made narrower or wider
MICR_WIDTHS = (0.88, 1.12)  # the same for print

CLASSES_LOSS = "sparse_categorical_crossentropy"


def fit_glyph_network(
    recipe: HandwritingRecipe,
    train: LabeledPictures,
    validation: LabeledPictures,
    folder: Path,
    log: Log,
    start: keras.Model | None = None,
) -> TrainedNetwork:
    """Train the network that reads candidates, on glyphs (n, 28, 28) uint8 with their labels (n,).

    Here and below, a training starts from the weights of `start` if given, and saves its progress in `folder`.
    """
    batches = warped_pictures(train, recipe.batch, recipe.epochs, (recipe.seed, GLYPH_DRAW))
    training = Training(
        "the glyph network", DIGIT_NETWORKS[recipe.network], CLASSES_LOSS, recipe.epochs, batches,
        validation_pictures(validation), folder / GLYPH_PROGRESS, start,
    )  # fmt: skip
    return train_network(recipe, training, log)


def fit_cell_network(
    recipe: HandwritingRecipe,
    train: LabeledPictures,
    validation: LabeledPictures,
    folder: Path,
    log: Log,
    start: keras.Model | None = None,
) -> TrainedNetwork:
    """Train the network that reads the cells of combs, on pictures (n, 32, 32, 2) uint8 with their labels (n,)."""
    batches = warped_pictures(train, recipe.batch, recipe.cell_epochs, (recipe.seed, CELL_DRAW))
    training = Training(
        "the cell network", cell_network, CLASSES_LOSS, recipe.cell_epochs, batches, validation_pictures(validation),
        folder / CELL_PROGRESS, start,
    )  # fmt: skip
    return train_network(recipe, training, log)


def fit_classic_network(
    recipe: ClassicRecipe, train: LabeledPictures, validation: LabeledPictures, folder: Path, log: Log
) -> TrainedNetwork:
    """Train a network on single digits (n, 28, 28) uint8 with their labels (n,), without augmentation."""
    batches = plain_pictures(train, recipe.batch, (recipe.seed, CLASSIC_DRAW))
    training = Training(
        "the network", DIGIT_NETWORKS[recipe.network], CLASSES_LOSS, recipe.epochs, batches, validation_pictures(validation),
        folder / f"{recipe.network}.progress.npz",
    )  # fmt: skip
    return train_network(recipe, training, log)


def fit_line_network(
    recipe: HandwritingRecipe,
    train: LabeledLines,
    validation: LabeledLines,
    folder: Path,
    log: Log,
    start: keras.Model | None = None,
) -> TrainedNetwork:
    """Train the networks that read whole lines, by connectionist temporal classification.

    Each has its own initial weights and sees the lines in its own order. They are joined into one network, like `start`. The
    history is that of the first.
    """
    starts: list[keras.Model] | list[None] = [None] * LINE_READERS if start is None else each_line_reader(start)
    trained = [_fit_line_reader(recipe, k, train, validation, folder, log, own) for k, own in enumerate(starts)]
    return TrainedNetwork(line_readers([one.model for one in trained]), trained[0].history)


def _fit_line_reader(
    recipe: HandwritingRecipe,
    number: int,
    train: LabeledLines,
    validation: LabeledLines,
    folder: Path,
    log: Log,
    start: keras.Model | None,
) -> TrainedNetwork:
    recipe = replace(recipe, seed=recipe.seed + number)
    seed = (recipe.seed, LINE_DRAW)
    batches = varied_lines(_line_encoded(train), recipe.line_batch, LINE_STRIDE, seed, LINE_WIDTHS)
    training = Training(
        f"the line network ({number + 1} of {LINE_READERS})", line_network, ctc_loss, recipe.line_epochs, batches,
        validation_lines(_line_encoded(validation), LINE_STRIDE), folder / LINE_PROGRESS[number], start, of_texts=True,
    )  # fmt: skip
    return train_network(recipe, training, log)


def _line_encoded(labeled: LabeledLines) -> EncodedLines:
    """Lines with the classes of their symbols, leaving out those on which nothing is written."""
    written = [(line, text) for line, text in zip(*labeled, strict=True) if text]
    return [line for line, _ in written], [[LINE_SYMBOLS.index(symbol) for symbol in text] for _, text in written]


def fit_micr_network(
    recipe: E13bRecipe, train: LabeledLines, validation: LabeledLines, folder: Path, log: Log
) -> TrainedNetwork:
    """Train the network that reads E-13B, by connectionist temporal classification. Lines without a text show other ink."""
    encoded = _symbols_encoded(train, (recipe.seed, MICR_PAIRS_DRAW))
    batches = varied_lines(encoded, recipe.batch, MICR_STRIDE, (recipe.seed, MICR_DRAW), MICR_WIDTHS)
    held_out = _symbols_encoded(validation, (recipe.seed, MICR_VALIDATION_DRAW))
    training = Training(
        "the network", micr_network, ctc_loss, recipe.epochs, batches, validation_lines(held_out, MICR_STRIDE),
        folder / MICR_PROGRESS, of_texts=True,
    )  # fmt: skip
    return train_network(recipe, training, log)


def _symbols_encoded(labeled: LabeledLines, seed: tuple[int, int]) -> EncodedLines:
    """Lines with the classes of their symbols.

    The loss does not accept an empty text, so a line without text is placed next to a random line that has one.
    """
    rng = np.random.default_rng(seed)
    lines, texts = labeled
    written = [k for k, text in enumerate(texts) if text]
    pictures, classes = [], []
    for line, text in zip(lines, texts, strict=True):
        if not text:
            other = int(rng.choice(written))
            pair = (line, lines[other]) if rng.random() < 0.5 else (lines[other], line)
            line, text = np.hstack(pair), texts[other]  # noqa: PLW2901
        pictures.append(line)
        classes.append([MICR_SYMBOLS.index(symbol) for symbol in text])
    return pictures, classes


def ctc_loss(targets: Any, frames: Any) -> Any:
    """The mean CTC loss of a batch: `targets` (n, longest) int, padded with -1; `frames` (n, t, classes) logits.

    The last class is the blank.
    """
    import tensorflow as tf

    targets = tf.cast(targets, tf.int32)
    # Sparse targets use the fast kernel. Zero would count as absent, so classes are shifted by one and back.
    shifted = tf.sparse.from_dense(targets + 1)
    labels = tf.SparseTensor(shifted.indices, shifted.values - 1, shifted.dense_shape)
    lengths = tf.fill([tf.shape(frames)[0]], tf.shape(frames)[1])
    return tf.nn.ctc_loss(labels, tf.cast(frames, tf.float32), None, lengths, logits_time_major=False, blank_index=-1)
