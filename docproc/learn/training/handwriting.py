"""From MNIST to the shipped files: compose fields, train and export the networks, fit everything else, write the card.

All random numbers come from one seed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.examples import (
    Source,
    StripExample,
    TrainingData,
    cell_training_data,
    strip_examples,
    training_data,
)
from docproc.learn.composing.kept import Kept, clear
from docproc.learn.composing.material import Digits, Material, Sources
from docproc.learn.composing.mixes import EVERYTHING, WRITTEN, Mix
from docproc.learn.composing.mnist import ILLEGIBLE, Mnist
from docproc.learn.evaluation.accuracy import digit_accuracy
from docproc.learn.evaluation.history import Histories, histories_from_card
from docproc.learn.progress import Log, Step
from docproc.learn.training.batches import LabeledLines
from docproc.learn.training.calibration import (
    fit_calibration,
    fit_context,
    fit_repairs,
    fit_weights,
    recognize_examples,
)
from docproc.learn.training.conversion import FORMS
from docproc.learn.training.decoder import fit_decoder
from docproc.learn.training.export import (
    PROBE_FIELDS,
    export_cell_network,
    export_glyph_network,
    export_line_network,
)
from docproc.learn.training.fit import (
    CELL_PROGRESS,
    GLYPH_PROGRESS,
    LINE_PROGRESS,
    fit_cell_network,
    fit_glyph_network,
    fit_line_network,
)
from docproc.learn.training.loop import TrainedNetwork
from docproc.learn.training.model_card import HANDWRITING_FILES, TrainedModel, write_model_card
from docproc.learn.training.recipes import HandwritingRecipe
from docproc.mlp import Mlp
from docproc.readers import NETWORKS
from docproc.readers.confidence import to_card
from docproc.readers.lattice.cuts import GEOMETRY
from docproc.readers.vote import Weights
from docproc.types import FREE_KINDS, NOT_A_DIGIT, Kind
from docproc.weights.cards import DECODER_FILE, network_files, read_card
from docproc.weights.opening import model_bytes

if TYPE_CHECKING:
    import keras

TRAINING_FIELDS = (  # of a recipe: what determined the outcome of its training; kept if only the rest is fitted again
    "network", "seed", "strips", "combs", "not_digits", "mnist_repeats", "epochs", "batch", "line_strips", "written_strips",
    "line_epochs", "line_batch", "cell_combs", "cell_epochs", "learning_rate",
    "weight_decay", "precision", "patience", "held_out",
)  # fmt: skip
PROBE_DIGITS = 512  # of MNIST, in addition to PROBE_FIELDS

# Parts of the seed: each has different strips.
TRAIN_PART, CELL_PART, VALIDATION_PART = 0, 4, 7
CONTEXT_PART, VOTE_COMB_PART = 1, 5
CALIBRATION_PART, CALIBRATION_COMB_PART = 2, 6
WRITTEN_PART, VOTE_PART, WRITTEN_CALIBRATION_PART = 31, 33, 34
WRITTEN_COMBS = 0.05  # share of combs among the training strips of WRITTEN


@dataclass(frozen=True, slots=True)
class Networks:
    """The trained networks, in Keras."""

    digits: keras.Model
    lines: keras.Model
    cells: keras.Model
    histories: Histories

    def named(self) -> Mapping[str, keras.Model]:
        """The networks by their file names."""
        named = ("digits", "lines", "cells")
        return {name: getattr(self, name) for name in named}


@dataclass(frozen=True, slots=True)
class _Unseen:
    """Strips composed of digits that no network was trained on."""

    material: Material
    seed: int
    jobs: int
    log: Log

    def compose(
        self, name: str, part: int, count: int, combs: float, carelessness: float = 1.0, mix: Mix = EVERYTHING
    ) -> list[StripExample]:
        source = Source(replace(self.material, mix=mix), self.seed, part, combs, carelessness)
        return strip_examples(source, count, self.jobs, f"composing {name}", self.log)


def train_handwriting(
    recipe: HandwritingRecipe, data: Mnist, sources: Sources, folder: Path, jobs: int, log: Log
) -> dict[str, Any]:
    """Train by the recipe; write the networks (`HANDWRITING_FILES`) and their card `digits.json` to `folder`.

    Returns the card. `jobs` processes compose the strips; Keras uses all cores. An interrupted training resumes after its last
    complete epoch, if the same recipe is trained to the same folder, and composes nothing again.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    networks = _train_networks(recipe, data, sources, folder, jobs, log)
    card = finish_handwriting(recipe, data, sources, networks, folder, jobs, log, (time.monotonic() - began) / 60)
    clear(folder)
    return card


def refit_handwriting(
    recipe: HandwritingRecipe, data: Mnist, sources: Sources, base: Path, folder: Path, jobs: int, log: Log
) -> dict[str, Any]:
    """Fit everything besides the networks again, for a model with the glyph network `base` (.keras), and write it all.

    Returns the card. Raises MissingPart if a network is missing or does not match the card of its model.
    """
    from docproc.backends import tensorflow  # slow to import

    log(Step("opening the networks"))
    files = network_files("tensorflow", base.with_suffix(".onnx"))
    card = read_card(base.with_suffix(".onnx"))
    folder.mkdir(parents=True, exist_ok=True)
    opened = {
        name: tensorflow.load(model_bytes(files[network], card), FORMS[network], alone=False)
        for name, network in NETWORKS.items()
    }
    histories = histories_from_card(card["history"])
    networks = Networks(opened["lattice"], opened["line"], opened["cells"], histories)
    kept = {name: value for name, value in card["recipe"].items() if name in TRAINING_FIELDS}
    log("the networks stay; what stands beside them is fitted anew")
    return finish_handwriting(replace(recipe, **kept), data, sources, networks, folder, jobs, log, float(card["minutes"]))


def _train_networks(recipe: HandwritingRecipe, data: Mnist, sources: Sources, folder: Path, jobs: int, log: Log) -> Networks:
    (images, image_labels), held_out = _split(recipe, data)
    kept = Kept(folder, json.dumps([recipe.seed, recipe.held_out, data.hashes, sources.to_card()], sort_keys=True))
    source = Source(sources.with_digits(Digits.of(images, image_labels), apart=False), recipe.seed, TRAIN_PART, recipe.combs)
    train = training_data(source, recipe.strips, recipe.not_digits, jobs, "composing fields to train on", log, kept)
    # The validation strips are composed of digits that are never used for training.
    unseen = Source(sources.with_digits(Digits.of(*held_out), apart=True), recipe.seed, VALIDATION_PART, recipe.combs)
    count = int(np.clip(recipe.strips // 50, 100, 1_500))
    validation = training_data(unseen, count, recipe.not_digits, jobs, "composing fields for validation", log)
    lines = _train_lines(recipe, source, unseen, train, kept, jobs, log)
    glyphs = np.concatenate([train.glyphs, *[images] * recipe.mnist_repeats])
    labels = np.concatenate([train.labels, *[image_labels.astype(np.int8)] * recipe.mnist_repeats])
    del train  # gigabytes, here and below
    log(f"the glyph network: {len(labels)} glyphs, {int((labels < NOT_A_DIGIT).sum())} of them digits")
    validation_glyphs = np.concatenate([validation.glyphs, held_out[0]])
    validation_labels = np.concatenate([validation.labels, held_out[1].astype(np.int8)])
    digits = fit_glyph_network(recipe, (glyphs, labels), (validation_glyphs, validation_labels), folder, log)
    del glyphs, labels, validation, validation_glyphs, validation_labels
    source = replace(source, part=CELL_PART, combs=1.0)
    cells = cell_training_data(source, recipe.cell_combs, jobs, "composing combs to train on", log, kept)
    log(f"the cell network: {len(cells[1])} cells")
    validation_cells = cell_training_data(replace(unseen, combs=1.0), count, jobs, "composing combs for validation", log)
    cell_network = fit_cell_network(recipe, cells, validation_cells, folder, log)
    histories = {
        "digits": digits.history,
        "lines": lines.history,
        "cells": cell_network.history,
    }
    return Networks(digits.model, lines.model, cell_network.model, histories)


def _train_lines(
    recipe: HandwritingRecipe, source: Source, unseen: Source, everything: TrainingData, kept: Kept, jobs: int, log: Log
) -> TrainedNetwork:
    """Train the line network on all kinds of fields, and on additional ones of the kind that most people key."""

    def handwriting(of: Source, part: int, count: int, name: str, kept: Kept | None = None) -> LabeledLines:
        own = replace(of, material=replace(of.material, mix=WRITTEN), part=part, combs=WRITTEN_COMBS)
        data = training_data(own, count, 0, jobs, name, log, kept)
        return data.lines, data.texts

    written, texts = handwriting(source, WRITTEN_PART, recipe.written_strips, "composing handwriting to train on", kept)
    own = slice(recipe.line_strips)
    train = [*everything.lines[own], *written], [*everything.texts[own], *texts]
    count = int(np.clip(recipe.written_strips // 50, 100, 1_500))
    validation = handwriting(unseen, WRITTEN_PART + 1, count, "composing handwriting for validation")
    log(f"the line network: {len(train[0])} lines")
    return fit_line_network(recipe, train, validation, kept.folder, log)


def finish_handwriting(
    recipe: HandwritingRecipe,
    data: Mnist,
    sources: Sources,
    networks: Networks,
    folder: Path,
    jobs: int,
    log: Log,
    minutes: float,
) -> dict[str, Any]:
    """Everything after the training of the networks: export them, fit the parts besides them, write the card.

    `minutes` is the duration of the training; the card includes it.
    """
    began = time.monotonic()
    for name, network in networks.named().items():
        network.save(folder / f"{name}.keras")
    (images, _), held_out = _split(recipe, data)
    unseen = _Unseen(sources.with_digits(Digits.of(*held_out), apart=True), recipe.seed, jobs, log)
    strips = unseen.compose("fields for the context and the vote", CONTEXT_PART, recipe.context_strips, recipe.combs)
    combs = unseen.compose("combs for the vote", VOTE_COMB_PART, recipe.comb_strips // 2, 1.0)
    recognizers, agreement = _export(networks, strips[:PROBE_FIELDS], combs[:PROBE_FIELDS], data, folder, log)
    log(Step("reading MNIST's test digits"))
    accuracy = digit_accuracy(recognizers["lattice"], data.test_images, data.test_labels)
    log(f"MNIST test: {accuracy:.4%}")
    decoder_error = fit_decoder(networks.digits, images, data.test_images, recipe.seed, folder / f"digits{DECODER_FILE}", log)
    context = fit_context(recognize_examples(strips, recognizers, log), recipe.seed, log)
    # On careless handwriting: on careful handwriting the line network hardly needs the lattice, but on unfamiliar hands it
    # does.
    strips = unseen.compose("handwriting for the vote", VOTE_PART, recipe.vote_strips, 0.0, mix=WRITTEN)
    heard = recognize_examples([*strips, *combs], recognizers, log)
    weights = fit_weights(heard, context, log)
    del strips, combs, heard
    calibrated, scores = _fit_calibrations(recipe, recognizers, unseen, context, weights)
    log(", ".join(f"{name} {value:.4f}" for name, value in scores.items()))
    card = write_model_card(
        TrainedModel(
            "digits",
            recipe,
            {"mnist": data.hashes, **sources.to_card()},
            minutes + (time.monotonic() - began) / 60,
            {"mnist_test_accuracy": accuracy, **scores, "decoder_off_by": decoder_error, **agreement},
            networks.histories,
            HANDWRITING_FILES,
            {
                "geometry": list(GEOMETRY),
                "context": context.to_card(),
                "vote": {kind: own.to_card() for kind, own in weights.items()},
                **calibrated,
            },
        ),
        folder,
    )
    for progress in (GLYPH_PROGRESS, *LINE_PROGRESS, CELL_PROGRESS):
        (folder / progress).unlink(missing_ok=True)
    return card


def _export(
    networks: Networks, strips: Sequence[StripExample], combs: Sequence[StripExample], data: Mnist, folder: Path,
    log: Log,
) -> tuple[Mapping[str, Any], dict[str, float]]:  # fmt: skip
    """Export all networks; returns them by reader name, and how well each agrees with Keras, for the card.

    The ranges for eight bits are determined from strips, combs and digits of MNIST.
    """
    log(Step("writing the glyph network"))
    glyphs = np.concatenate([*(example.cut.glyphs for example in strips), data.train_images[:PROBE_DIGITS]])
    digits, digits_agree = export_glyph_network(networks.digits, folder / "digits.onnx", glyphs)
    log(Step("writing the line network"))
    probe = [example.line for example in strips if example.line.shape[1]]
    lines, lines_agree = export_line_network(networks.lines, folder / "lines.onnx", probe)
    log(Step("writing the cell network"))
    pictures = np.concatenate([example.cells for example in combs])
    cells, cells_agree = export_cell_network(networks.cells, folder / "cells.onnx", pictures)
    return {"lattice": digits, "line": lines, "cells": cells}, {
        "digits_onnx_agrees_with_keras": digits_agree,
        "lines_onnx_agrees_with_keras": lines_agree,
        "cells_onnx_agrees_with_keras": cells_agree,
    }


def _fit_calibrations(
    recipe: HandwritingRecipe,
    recognizers: Mapping[str, Any],
    unseen: _Unseen,
    context: Mlp,
    weights: Mapping[Kind, Weights],
) -> tuple[dict[str, Any], dict[str, float]]:
    """The calibrations and the repair thresholds, for the card; and their scores."""
    carelessness, log = recipe.calibration_haste, unseen.log
    made = unseen.compose("fields for the calibration", CALIBRATION_PART, recipe.calibration_strips, 0.0, carelessness)
    made += unseen.compose(
        "handwriting for the calibration",
        WRITTEN_CALIBRATION_PART,
        recipe.written_calibration_strips,
        0.0,
        carelessness,
        WRITTEN,
    )
    fields = recognize_examples(made, recognizers, log)
    made = unseen.compose("combs for the calibration", CALIBRATION_COMB_PART, recipe.comb_strips, 1.0, carelessness)
    combs = recognize_examples(made, recognizers, log)
    # Marks and unfamiliar handwriting make amounts and free numbers fail in similar ways; combs differ.
    free, free_scores = fit_calibration(fields, FREE_KINDS, context, weights, log)
    comb, comb_scores = fit_calibration(combs, ("comb",), context, weights, log)
    calibrations = {**free, **comb}
    repairs, repair_scores = fit_repairs([*fields, *combs], context, weights, calibrations, recipe.seed, log)
    scores = {f"free_{name}": value for name, value in free_scores.items()}
    scores |= {f"comb_{name}": value for name, value in comb_scores.items()}
    scores |= repair_scores
    return {
        "repairs": to_card(repairs),
        "calibration": {kind: own.to_card() for kind, own in calibrations.items()},
    }, scores


_Digits = tuple[NDArray[np.uint8], NDArray[np.uint8]]  # images, and their labels


def _split(recipe: HandwritingRecipe, data: Mnist) -> tuple[_Digits, _Digits]:
    """MNIST's training digits: those for training networks, and those held out for what is fitted on their scores."""
    order = np.random.default_rng(recipe.seed).permutation(len(data.train_images))
    illegible = sorted(ILLEGIBLE.get(data.hashes["train_images"], ()))
    train, held_out = (part[~np.isin(part, illegible)] for part in np.split(order, [recipe.held_out])[::-1])
    return (data.train_images[train], data.train_labels[train]), (data.train_images[held_out], data.train_labels[held_out])
