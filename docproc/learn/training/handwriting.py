"""From MNIST to the shipped files: compose, cut, label, train, fit what is learned beside the networks, export.

Everything random comes from one seed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from docproc._version import __version__
from docproc.learn.composing.examples import Source, StripExample, cell_training_data, strip_examples, training_data
from docproc.learn.composing.mnist import Mnist
from docproc.learn.composing.strips import Digits
from docproc.learn.evaluation.accuracy import digit_accuracy
from docproc.learn.training.calibration import (
    Scored,
    fit_calibration,
    fit_context,
    fit_repairs,
    fit_weights,
    glyph_batch,
    scored,
)
from docproc.learn.training.decoder import fit_decoder
from docproc.learn.training.export import export_cell_network, export_glyph_network, export_line_network, file_hash
from docproc.learn.training.fit import (
    CELL_PROGRESS,
    GLYPH_PROGRESS,
    LINE_PROGRESS,
    fit_cell_network,
    fit_glyph_network,
    fit_line_network,
)
from docproc.learn.training.progress import Epoch, Tell
from docproc.readers.confidence import Calibration, to_card
from docproc.readers.lattice.segment import GEOMETRY
from docproc.types import NOT_A_DIGIT, Kind
from docproc.weights.cards import DECODER_FILE

if TYPE_CHECKING:
    import keras

PROBED = 200  # strips
FILES = tuple(f"{name}{ending}" for name in ("digits", "lines", "cells") for ending in (".onnx", ".fp16.onnx", ".keras"))
FILES += (f"digits{DECODER_FILE}",)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what comes out, besides the data."""

    network: str = "digits"
    seed: int = 20261121
    strips: int = 150_000  # composed fields to train on
    combs: float = 0.12  # share of them that are combs
    not_digits: int = 6  # wrong candidates kept of every strip
    mnist_repeats: int = 12  # how often MNIST's own glyphs are shown beside the candidates
    epochs: int = 8
    batch: int = 256
    line_epochs: int = 9
    line_batch: int = 96
    cell_combs: int = 60_000  # composed combs whose cells are trained on
    cell_epochs: int = 9
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "mixed_bfloat16"
    patience: int = 3  # epochs without a better validation, after which a training ends
    held_out: int = 5_000  # MNIST training digits kept for what is fitted on the networks' scores
    context_strips: int = 6_000
    calibration_strips: int = 10_000
    comb_strips: int = 6_000  # combs for what is fitted on combs alone
    calibration_haste: float = 0.4  # networks learn from haste; but who writes an amount wants it to be read


@dataclass(frozen=True, slots=True)
class Networks:
    """What was trained, in Keras."""

    digits: keras.Model
    lines: keras.Model
    cells: keras.Model
    history: Mapping[str, tuple[Epoch, ...]]  # of each


def train(recipe: Recipe, data: Mnist, folder: Path, jobs: int, tell: Tell) -> dict[str, Any]:
    """Train by the recipe; write the three networks (`FILES`) and their card `digits.json` to `folder`.

    Returns the card. Takes `jobs` processes to compose strips; Keras takes all cores. A training that was interrupted goes
    on after the last epoch that was complete, when the same recipe is trained to the same folder.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    kept, held = _split(recipe, data)
    tell(f"composing {recipe.strips} strips in {jobs} processes")
    source = Source(Digits.of(*kept), recipe.seed, 0, recipe.combs)
    made = training_data(source, recipe.strips, recipe.not_digits, jobs, tell)
    # What validates is composed of digits that no training shows.
    unseen = Source(Digits.of(*held), recipe.seed, 7, recipe.combs)
    few = int(np.clip(recipe.strips // 50, 100, 1_500))
    judging = training_data(unseen, few, recipe.not_digits, jobs, lambda _: None)
    tell(f"the line network: {len(made.lines)} lines")
    lines = fit_line_network(recipe, (made.lines, made.texts), (judging.lines, judging.texts), folder, tell)
    glyphs = np.concatenate([made.glyphs, *[kept[0]] * recipe.mnist_repeats])
    labels = np.concatenate([made.labels, *[kept[1].astype(np.int8)] * recipe.mnist_repeats])
    del made
    tell(f"the glyph network: {len(labels)} glyphs, {int((labels < NOT_A_DIGIT).sum())} of them digits")
    judged = (np.concatenate([judging.glyphs, held[0]]), np.concatenate([judging.labels, held[1].astype(np.int8)]))
    digits = fit_glyph_network(recipe, (glyphs, labels), judged, folder, tell)
    del glyphs, labels, judging, judged
    shown = cell_training_data(Source(source.digits, recipe.seed, 4, 1.0), recipe.cell_combs, jobs)
    tell(f"the cell network: {len(shown[1])} cells")
    cells = fit_cell_network(recipe, shown, cell_training_data(replace(unseen, combs=1.0), few, jobs), folder, tell)
    del shown
    history = {"digits": digits.history, "lines": lines.history, "cells": cells.history}
    minutes = (time.monotonic() - began) / 60
    return finish(recipe, data, Networks(digits.model, lines.model, cells.model, history), folder, jobs, tell, minutes)


def finish(
    recipe: Recipe, data: Mnist, networks: Networks, folder: Path, jobs: int, tell: Tell, minutes: float
) -> dict[str, Any]:
    """All that follows the networks: measure and export them, fit decoder, context, vote and calibration on unseen digits.

    `minutes` are those that the networks took; the card counts them in.
    """
    began = time.monotonic()
    for name, network in (("digits", networks.digits), ("lines", networks.lines), ("cells", networks.cells)):
        network.save(folder / f"{name}.keras")
    kept, held = _split(recipe, data)
    unseen = Digits.of(*held)

    def composed(part: int, count: int, combs: float, haste: float = 1.0) -> list[StripExample]:
        return list(strip_examples(Source(unseen, recipe.seed, part, combs, haste), count, jobs))

    some = composed(1, recipe.context_strips, recipe.combs)
    boxes = composed(5, recipe.comb_strips // 2, 1.0)
    # The range of the eight bits is laid by fields, and by MNIST's digits.
    probe = [glyph_batch(example.lattice) for example in some[:PROBED]]
    recognizer, digits_agree = export_glyph_network(
        networks.digits, folder / "digits.onnx", np.concatenate([*probe, data.train_images[:512]])
    )
    line_probe = [example.line for example in some[:PROBED] if example.line.shape[1]]
    line_recognizer, lines_agree = export_line_network(networks.lines, folder / "lines.onnx", line_probe)
    cell_probe = np.concatenate([example.cells for example in boxes[:PROBED]])
    cell_recognizer, cells_agree = export_cell_network(networks.cells, folder / "cells.onnx", cell_probe)
    accuracy = digit_accuracy(recognizer, data.test_images, data.test_labels)
    tell(f"MNIST test: {accuracy:.4%}")
    redrawn = fit_decoder(networks.digits, kept[0], data.test_images, recipe.seed, folder / f"digits{DECODER_FILE}")

    def read(made: list[StripExample]) -> list[Scored]:
        return scored(made, recognizer, line_recognizer, cell_recognizer)

    tell("fitting the context and the vote")
    fields = read(some)
    context = fit_context(fields, recipe.seed)
    # On hasty strips: on patient ones the line network hardly needs the lattice, and on strange hands it does.
    weights = fit_weights([*(f for f in fields if not f.example.strip.cells), *read(boxes)], context)
    del some, fields, boxes
    tell("fitting the calibration")
    # Marks and strangers' hands make amounts and free numbers alike in what goes wrong; a comb is another thing.
    fields = read(composed(2, recipe.calibration_strips, 0.0, recipe.calibration_haste))
    combs = read(composed(6, recipe.comb_strips, 1.0, recipe.calibration_haste))
    free, free_figures = fit_calibration(fields, context, weights)
    boxed, comb_figures = fit_calibration(combs, context, weights)
    figures = {f"free_{name}": value for name, value in free_figures.items()}
    figures |= {f"comb_{name}": value for name, value in comb_figures.items()}
    calibrations: dict[Kind, Calibration] = {"string": free, "amount": free, "comb": boxed}
    repairs, repair_figures = fit_repairs([*fields, *combs], context, weights, calibrations, recipe.seed)
    figures |= repair_figures
    tell(", ".join(f"{name} {value:.4f}" for name, value in figures.items()))

    card = {
        "name": "digits",
        "docproc": __version__,
        "recipe": asdict(recipe),
        "data": {"mnist": data.hashes, "strokes": "drawn by docproc.learn.composing.strokes"},
        "minutes": round(minutes + (time.monotonic() - began) / 60, 1),
        "scores": {
            "mnist_test_accuracy": accuracy,
            **figures,
            "decoder_off_by": redrawn,
            "digits_onnx_agrees_with_keras": digits_agree,
            "lines_onnx_agrees_with_keras": lines_agree,
            "cells_onnx_agrees_with_keras": cells_agree,
        },
        "history": {name: [asdict(epoch) for epoch in history] for name, history in networks.history.items()},
        "sha256": {name: file_hash(folder / name) for name in FILES},
        "geometry": list(GEOMETRY),
        "context": context.to_card(),
        "vote": {kind: own.to_card() for kind, own in weights.items()},
        "repairs": to_card(repairs),
        "calibration": {kind: own.to_card() for kind, own in calibrations.items()},
    }
    (folder / "digits.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    for progress in (GLYPH_PROGRESS, *LINE_PROGRESS, CELL_PROGRESS):
        (folder / progress).unlink(missing_ok=True)
    return card


Labeled = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def _split(recipe: Recipe, data: Mnist) -> tuple[Labeled, Labeled]:
    """MNIST's training digits: those for the networks, and those that they never see, for what is fitted on their scores."""
    order = np.random.default_rng(recipe.seed).permutation(len(data.train_images))
    kept, held = order[recipe.held_out :], order[: recipe.held_out]
    return (data.train_images[kept], data.train_labels[kept]), (data.train_images[held], data.train_labels[held])
