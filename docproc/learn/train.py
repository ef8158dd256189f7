"""From MNIST to the shipped files: compose, cut, label, train, fit what is learned beside the networks, export.

Everything random comes from one seed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from docproc import __version__
from docproc.digits.segment import GEOMETRY
from docproc.learn.calibrate import Scored, fit_calibration, fit_context, fit_weights, glyph_batch, scored
from docproc.learn.evaluate import digit_accuracy
from docproc.learn.examples import Source, examples, material
from docproc.learn.export import export_glyph_network, export_line_network, file_hash
from docproc.learn.fit import GLYPH_CHECKPOINT, LINE_CHECKPOINT, fit_glyph_network, fit_line_network
from docproc.learn.mnist import Mnist
from docproc.learn.synthesis import Digits
from docproc.types import NOT_A_DIGIT, LineRecognizer, Recognizer

if TYPE_CHECKING:
    import keras

Tell = Callable[[str], None]

PROBED = 200  # strips
FILES = ("digits.onnx", "digits.keras", "lines.onnx", "lines.keras")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what comes out, besides the data."""

    network: str = "digits"
    seed: int = 20261121
    strips: int = 110_000  # composed fields to train on
    combs: float = 0.12  # share of them that are combs
    not_digits: int = 6  # wrong candidates kept of every strip
    mnist_repeats: int = 6  # how often MNIST's own glyphs are shown beside the candidates
    epochs: int = 4
    batch: int = 256
    line_epochs: int = 9
    line_batch: int = 96
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "mixed_bfloat16"
    held_out: int = 5_000  # MNIST training digits kept for what is fitted on the networks' scores
    context_strips: int = 6_000
    calibration_strips: int = 10_000
    calibration_haste: float = 0.4  # networks learn from haste; but who writes an amount wants it to be read


def train(recipe: Recipe, data: Mnist, folder: Path, jobs: int, tell: Tell) -> dict[str, Any]:
    """Train by the recipe; write the networks (`FILES`) and their card `digits.json` to `folder`.

    Returns the card. Takes `jobs` processes to compose strips; Keras takes all cores.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    kept, _ = _split(recipe, data)
    tell(f"composing {recipe.strips} strips in {jobs} processes")
    source = Source(Digits.of(*kept), recipe.seed, 0, recipe.combs)
    made = material(source, recipe.strips, recipe.not_digits, jobs, tell)
    tell(f"the line network: {len(made.lines)} lines")
    lines = fit_line_network(recipe, made.lines, made.texts, folder, tell)
    glyphs = np.concatenate([made.glyphs, *[kept[0]] * recipe.mnist_repeats])
    labels = np.concatenate([made.labels, *[kept[1].astype(np.int8)] * recipe.mnist_repeats])
    del made
    tell(f"the glyph network: {len(labels)} glyphs, {int((labels < NOT_A_DIGIT).sum())} of them digits")
    digits = fit_glyph_network(recipe, glyphs, labels, folder, tell)
    del glyphs, labels
    minutes = (time.monotonic() - began) / 60
    return finish(recipe, data, digits, lines, folder, jobs, tell, minutes)


def finish(
    recipe: Recipe, data: Mnist, digits: keras.Model, lines: keras.Model, folder: Path, jobs: int, tell: Tell, minutes: float
) -> dict[str, Any]:
    """All that follows the networks: measure and export them, fit context, vote and calibration on unseen digits.

    `minutes` are those that the networks took; the card counts them in.
    """
    began = time.monotonic()
    digits.save(folder / "digits.keras")
    lines.save(folder / "lines.keras")
    _, held = _split(recipe, data)
    unseen = Digits.of(*held)
    some = list(examples(Source(unseen, recipe.seed, 1, recipe.combs), recipe.context_strips, jobs))
    # The range of the eight bits is laid by fields, and by MNIST's digits.
    probe = [glyph_batch(example.lattice) for example in some[:PROBED]]
    recognizer, digits_agree = export_glyph_network(
        digits, folder / "digits.onnx", np.concatenate([*probe, data.train_images[:512]])
    )
    line_probe = [example.line for example in some[:PROBED] if example.line.shape[1]]
    line_recognizer, lines_agree = export_line_network(lines, folder / "lines.onnx", line_probe)
    accuracy = digit_accuracy(recognizer, data.test_images, data.test_labels)
    tell(f"MNIST test: {accuracy:.4%}")

    tell("fitting the context and the vote")
    fields = scored(some, recognizer, line_recognizer)
    context = fit_context(fields, recipe.seed)
    # On hasty strips: on patient ones the line network hardly needs the lattice, and on strange hands it does.
    weights = fit_weights(fields, context)
    del some, fields
    tell("fitting the calibration")
    fields = _fields(recipe, unseen, 2, recognizer, line_recognizer, jobs)
    calibration, figures = fit_calibration(fields, context, weights)
    tell(", ".join(f"{name} {value:.4f}" for name, value in figures.items()))

    card = {
        "name": "digits",
        "docproc": __version__,
        "recipe": asdict(recipe),
        "data": {"mnist": data.hashes, "strokes": "drawn by docproc.learn.strokes"},
        "minutes": round(minutes + (time.monotonic() - began) / 60, 1),
        "scores": {
            "mnist_test_accuracy": accuracy,
            **figures,
            "digits_onnx_agrees_with_keras": digits_agree,
            "lines_onnx_agrees_with_keras": lines_agree,
        },
        "sha256": {name: file_hash(folder / name) for name in FILES},
        "geometry": list(GEOMETRY),
        "context": context.to_card(),
        "vote": {kind: own.to_card() for kind, own in weights.items()},
        "calibration": calibration.to_card(),
    }
    (folder / "digits.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    for checkpoint in (GLYPH_CHECKPOINT, LINE_CHECKPOINT):
        (folder / checkpoint).unlink(missing_ok=True)
    return card


Labeled = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def _split(recipe: Recipe, data: Mnist) -> tuple[Labeled, Labeled]:
    """MNIST's training digits: those for the networks, and those that they never see, for what is fitted on their scores."""
    order = np.random.default_rng(recipe.seed).permutation(len(data.train_images))
    kept, held = order[recipe.held_out :], order[: recipe.held_out]
    return (data.train_images[kept], data.train_labels[kept]), (data.train_images[held], data.train_labels[held])


def _fields(
    recipe: Recipe, digits: Digits, part: int, recognizer: Recognizer, lines: LineRecognizer, jobs: int
) -> list[Scored]:
    source = Source(digits, recipe.seed, part, recipe.combs, recipe.calibration_haste)
    return scored(list(examples(source, recipe.calibration_strips, jobs)), recognizer, lines)
