"""Recipes: everything that determines the outcome of a training, besides its data.

The names of the fields appear on model cards and in the saved progress of trainings: they are a file format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from docproc.weights.cards import CLASSIC


class Plan(Protocol):
    """What the training loop needs to know about a recipe."""

    @property
    def seed(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def precision(self) -> str: ...
    @property
    def patience(self) -> int: ...  # epochs without a better validation loss before the training stops; 0: never


@dataclass(frozen=True, slots=True)
class HandwritingRecipe:
    """The networks that read handwriting, and what is fitted on their scores."""

    network: str = "digits"
    seed: int = 20261121
    strips: int = 150_000  # composed fields to train on
    combs: float = 0.12  # share of them that are combs
    not_digits: int = 6  # wrong candidates kept per strip
    mnist_repeats: int = 12  # how often MNIST's own glyphs are shown in addition to the candidates
    epochs: int = 8
    batch: int = 256
    line_strips: int = 50_000  # of the strips, on which the line network is trained
    written_strips: int = 100_000  # of the mix WRITTEN, on which it is trained in addition
    line_epochs: int = 6
    line_batch: int = 96
    cell_combs: int = 60_000  # composed combs whose cells are used for training
    cell_epochs: int = 9
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "mixed_bfloat16"
    patience: int = 3  # epochs without a better validation loss before a training stops
    held_out: int = 5_000  # MNIST training digits reserved for what is fitted on the networks' scores
    context_strips: int = 6_000
    vote_strips: int = 4_000  # of the mix WRITTEN, for the vote
    calibration_strips: int = 10_000
    written_calibration_strips: int = 12_000  # others, of the mix WRITTEN
    comb_strips: int = 6_000  # combs for what is fitted on combs alone
    calibration_haste: float = 0.4  # 0..1, carelessness of the handwriting: amounts are written more carefully than in training


@dataclass(frozen=True, slots=True)
class ClassicRecipe:
    """The textbook network on single digits."""

    network: str = CLASSIC
    seed: int = 20261121
    epochs: int = 15
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "float32"
    patience: int = 4  # epochs without a better validation loss before the training stops
    held_out: int = 5_000  # training digits reserved for validation


@dataclass(frozen=True, slots=True)
class E13bRecipe:
    """The network that reads E-13B, and its calibration."""

    network: str = "micr"
    seed: int = 20261121
    lines: int = 60_000  # composed lines to train on
    epochs: int = 10
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "mixed_bfloat16"
    patience: int = 3  # epochs without a better validation loss before the training stops
    calibration_lines: int = 8_000


Recipe = HandwritingRecipe | ClassicRecipe | E13bRecipe

# A small training, for work on how fields are composed or how networks learn.
QUICK = HandwritingRecipe(
    strips=8_000,
    mnist_repeats=2,
    epochs=4,
    line_strips=8_000,
    written_strips=8_000,
    line_epochs=5,
    cell_combs=5_000,
    cell_epochs=4,
    context_strips=1_500,
    vote_strips=1_000,
    calibration_strips=1_500,
    written_calibration_strips=1_500,
    comb_strips=2_000,
)

# Few epochs, at a tenth of the learning rate of a training from scratch.
FINETUNING = HandwritingRecipe(
    strips=4_000,
    line_strips=4_000,
    written_strips=0,
    cell_combs=2_000,
    epochs=3,
    line_epochs=4,
    cell_epochs=3,
    learning_rate=2e-4,
    calibration_strips=2_000,
    written_calibration_strips=2_000,
    patience=0,
)
