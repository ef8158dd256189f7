"""Fine-tune the networks on fields that a person has corrected, with safeguards against forgetting.

Training continues from the existing weights, with a small learning rate, on examples from these fields mixed with composed
fields. Context, vote and calibration stay those of the base model: a few hundred fields are too few to fit them anew. A model
fine-tuned on little data may read worse than before, so it is compared with its base on held-out documents and on composed
fields that are always the same; see `learn.evaluation.comparison`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.errors import MissingPart
from docproc.learn.composing.examples import (
    CHUNK,
    Source,
    StripExample,
    TrainingData,
    cell_training_data,
    compose_strip,
    field_of,
    map_chunks,
    strip_examples,
    training_data,
)
from docproc.learn.composing.material import Digits, Material
from docproc.learn.composing.mnist import Mnist
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.learn.evaluation.scoring import ScoredField
from docproc.learn.progress import Log, Step, counted
from docproc.learn.training.conversion import FORMS
from docproc.learn.training.corrections import CorrectionExamples
from docproc.learn.training.decoder import fit_decoder
from docproc.learn.training.export import PROBE_FIELDS, export_cell_network, export_glyph_network, export_line_network
from docproc.learn.training.fit import fit_cell_network, fit_glyph_network, fit_line_network
from docproc.learn.training.model_card import NETWORK_ENDINGS
from docproc.learn.training.recipes import HandwritingRecipe
from docproc.readers.confidence import LOW
from docproc.readers.lattice.normalize import normalize
from docproc.readers.read import prepare_field, recognize
from docproc.weights.cards import DECODER_FILE, absent, decoder_path
from docproc.weights.opening import model_bytes, open_model

if TYPE_CHECKING:
    import keras

NETWORK_NAMES = {"glyphs": "digits", "lines": "lines", "cells": "cells"}
"""The base names of the networks' files, by the keys of `network_files`."""
MAX_REPEATS = 8  # times that a corrected field is shown per epoch, with a different augmentation each time
DRAWN_DIGITS = 3_000  # in place of MNIST's
DECODER_TEST_DIGITS = 200
DIGIT_DRAW = 26  # of the recipe's seed
REPLAY_PART, PROBE_PART, REPLAY_CELL_PART = 7, 8, 9  # of the recipe's seed
COMPOSED_SEED = 20261122  # for the fields that are always the same
COMPOSED_COMBS = 0.25  # share of combs among these


@dataclass(frozen=True, slots=True)
class ReplayDigits:
    """The digits that strips are composed from, for training and for testing."""

    train: Material
    test: Material
    origin: Mapping[str, Any]  # for the card

    @staticmethod
    def of(data: Mnist | None) -> ReplayDigits:
        """Those of MNIST, or if there is none, digits that the project draws."""
        if data is None:
            origin = {"strokes": "drawn by docproc.learn.composing.strokes"}
            return ReplayDigits(Material(_drawn(DRAWN_DIGITS, 1)), Material(_drawn(DRAWN_DIGITS // 4, 2)), origin)
        return ReplayDigits(
            Material(Digits.of(data.train_images, data.train_labels)),
            Material(Digits.of(data.test_images, data.test_labels)),
            {"mnist": data.hashes},
        )


def _drawn(count: int, seed: int) -> Digits:
    rng = np.random.default_rng((COMPOSED_SEED, seed))
    labels = (np.arange(count) % 10).astype(np.uint8)
    pens = (Pen(float(rng.uniform(0.06, 0.16)), float(rng.uniform(0.01, 0.05)), float(rng.uniform(0.7, 1.3))) for _ in labels)
    images = np.array([normalize(draw_digit(int(d), 32, pen, rng)[0]) for d, pen in zip(labels, pens, strict=True)])
    return Digits.of(images, labels)


@dataclass(frozen=True, slots=True)
class Base:
    """The model that is fine-tuned."""

    files: Mapping[str, Path]  # the Keras files of `glyphs`, `lines` and `cells`
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Raises MissingPart if a file is missing, before any work starts."""
        for path in (*(self.files[key] for key in NETWORK_NAMES), decoder_path(self.files["glyphs"])):
            if path.name in self.card.get("sha256", {}) and not path.exists():
                raise absent(path)

    def network(self, key: str) -> keras.Model:
        """Open a network. Raises MissingPart if its file is missing or does not match the card."""
        from docproc.backends import tensorflow

        return tensorflow.load(model_bytes(self.files[key], self.card), FORMS[key], alone=False)


@dataclass(frozen=True, slots=True)
class _Replay:
    """Composed strips that are shown again together with the corrected fields, so that nothing is forgotten."""

    data: TrainingData
    probe: Sequence[StripExample]  # others, for validation and to determine the ranges for eight bits


# ------------------------------------------------------------------------------------------------ fine-tuning


def finetune(
    recipe: HandwritingRecipe, corrections: Sequence[CorrectionExamples], material: Material, base: Base, folder: Path,
    jobs: int, log: Log,
) -> dict[str, float]:  # fmt: skip
    """Train the networks on corrected fields and composed strips, and write all their files to `folder`.

    A network without corrections is copied from the base. Returns how well the eight-bit versions of the others agree with
    Keras. Raises MissingPart if a file of the base is missing or does not match its card.
    """
    lines = [(line, one.symbols) for one in corrections for line in one.lines]
    glyphs, labels = _joined([one.glyphs for one in corrections]), _joined([one.labels for one in corrections])
    cells, cell_labels = _joined([one.cells for one in corrections]), _joined([one.cell_labels for one in corrections])
    agreement: dict[str, float] = {}
    if lines or len(labels):
        replay = _compose_replay(recipe, material, jobs, log)
    if lines:
        agreement["lines_onnx_agrees_with_keras"] = _finetune_lines(recipe, lines, replay, base, folder, log)
    else:
        _copy("lines", base, folder)
    if len(labels):
        agreement["digits_onnx_agrees_with_keras"] = _finetune_glyphs(
            recipe, glyphs, labels, material, replay, base, folder, log
        )
    else:
        _copy("glyphs", base, folder)
    if len(cell_labels):
        agreement["cells_onnx_agrees_with_keras"] = _finetune_cells(
            recipe, cells, cell_labels, material, base, folder, jobs, log
        )
    else:
        _copy("cells", base, folder)
    return agreement


def _compose_replay(recipe: HandwritingRecipe, material: Material, jobs: int, log: Log) -> _Replay:
    source = Source(material, recipe.seed, REPLAY_PART, recipe.combs)
    data = training_data(source, recipe.strips, recipe.not_digits, jobs, "composing fields to train on", log)
    others = Source(material, recipe.seed, PROBE_PART, recipe.combs)
    return _Replay(data, strip_examples(others, PROBE_FIELDS, 1, "composing fields for validation", log))


def _finetune_lines(
    recipe: HandwritingRecipe, corrected: Sequence[tuple[NDArray[np.uint8], str]], replay: _Replay, base: Base, folder: Path,
    log: Log,
) -> float:  # fmt: skip
    composed = replay.data
    times = _repeats(len(corrected), len(composed.lines))
    log(f"the line network: {len(composed.lines)} composed lines, {len(corrected)} of your own {times} times")
    repeated = list(corrected) * times
    train = [*composed.lines, *(line for line, _ in repeated)], [*composed.texts, *(text for _, text in repeated)]
    validation = [example.line for example in replay.probe], [example.strip.symbols for example in replay.probe]
    network = fit_line_network(recipe, train, validation, folder, log, base.network("lines")).model
    log(Step("writing the line network"))
    network.save(folder / "lines.keras")
    probe = [example.line for example in replay.probe if example.line.shape[1]]
    probe += [line for line, _ in corrected[:PROBE_FIELDS]]
    return export_line_network(network, folder / "lines.onnx", probe)[1]


def _finetune_glyphs(
    recipe: HandwritingRecipe, glyphs: NDArray[np.uint8], labels: NDArray[np.int8], material: Material, replay: _Replay,
    base: Base, folder: Path, log: Log,
) -> float:  # fmt: skip
    composed = replay.data
    times = _repeats(len(labels), len(composed.labels))
    log(f"the glyph network: {len(composed.labels)} composed glyphs, {len(labels)} of your own {times} times")
    # Digits that were not cut from a strip.
    plain, plain_labels = _sample(material.digits, len(composed.labels) // 4, recipe.seed)
    train = (
        np.concatenate([composed.glyphs, plain, *[glyphs] * times]),
        np.concatenate([composed.labels, plain_labels, *[labels] * times]),
    )
    network = fit_glyph_network(recipe, train, (plain, plain_labels), folder, log, base.network("glyphs")).model
    log(Step("writing the glyph network"))
    network.save(folder / "digits.keras")
    probe = np.concatenate([*(example.cut.glyphs for example in replay.probe), plain[:512], glyphs[:2048]])
    agreement = export_glyph_network(network, folder / "digits.onnx", probe)[1]
    fit_decoder(network, plain, plain[:DECODER_TEST_DIGITS], recipe.seed, folder / f"digits{DECODER_FILE}", log)
    return agreement


def _finetune_cells(
    recipe: HandwritingRecipe, cells: NDArray[np.uint8], labels: NDArray[np.int8], material: Material, base: Base, folder: Path,
    jobs: int, log: Log,
) -> float:  # fmt: skip
    source = Source(material, recipe.seed, REPLAY_CELL_PART, 1.0)
    composed, composed_labels = cell_training_data(source, recipe.cell_combs, jobs, "composing combs to train on", log)
    times = _repeats(len(labels), len(composed_labels))
    log(f"the cell network: {len(composed_labels)} composed cells, {len(labels)} of your own {times} times")
    train = np.concatenate([composed, *[cells] * times]), np.concatenate([composed_labels, *[labels] * times])
    network = fit_cell_network(recipe, train, (cells, labels), folder, log, base.network("cells")).model
    log(Step("writing the cell network"))
    network.save(folder / "cells.keras")
    return export_cell_network(network, folder / "cells.onnx", np.concatenate([composed[:1024], cells[:512]]))[1]


def _repeats(corrected: int, composed: int) -> int:
    """How often corrected fields are shown per epoch: they should be a third of it, but not be memorized."""
    return int(np.clip(round(composed / (2 * corrected)), 1, MAX_REPEATS))


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int8)


def _sample(digits: Digits, count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Random digits with their labels."""
    labels = np.zeros(len(digits.images), np.int8)
    for digit, places in enumerate(digits.by_class):
        labels[places] = digit
    chosen = np.random.default_rng((seed, DIGIT_DRAW)).permutation(len(labels))[:count]
    return digits.images[chosen], labels[chosen]


def _copy(key: str, base: Base, folder: Path) -> None:
    """Copy the files of a network that has nothing to learn. Raises MissingPart."""
    name, source = NETWORK_NAMES[key], base.files[key]
    stem = source.name.removesuffix(".keras")
    for ending in NETWORK_ENDINGS:
        path = source.with_name(stem + ending)
        if not path.is_file():
            raise MissingPart(f"{path} is missing: a model to learn from has all its files beside each other")
        model_bytes(path, base.card)
        shutil.copyfile(path, folder / f"{name}{ending}")
    decoder = source.with_name(stem + DECODER_FILE)
    if decoder.name in base.card["sha256"] and decoder.is_file():
        model_bytes(decoder, base.card)
        shutil.copyfile(decoder, folder / f"{name}{DECODER_FILE}")


# ------------------------------------------------------------------------------------------- composed fields


def read_composed(
    model: Path, material: Material, count: int, carelessness: float, max_error: float, jobs: int, name: str, log: Log
) -> tuple[ScoredField, ...]:
    """Read composed fields, the same ones every time, with a model (the .onnx file of its glyph network).

    `name` is the name of the step.
    """
    source = Source(material, COMPOSED_SEED, 0, COMPOSED_COMBS, carelessness)
    chunks = map_chunks(partial(_read_chunk, source, model, max_error), count, jobs)
    return tuple(one for chunk in counted(chunks, count, name, log, CHUNK) for one in chunk)


def _read_chunk(source: Source, model: Path, max_error: float, numbers: Sequence[int]) -> list[ScoredField]:
    cv2.setNumThreads(1)
    reader = open_model("onnx", model)
    accept = reader.accepts(max_error)
    strips = [compose_strip(source, number) for number in numbers]
    results = recognize([prepare_field(field_of(strip), strip.gray) for strip in strips], reader)
    scored = []
    for number, strip, result in zip(numbers, strips, results, strict=True):
        field, reading = result.prepared.field, result.reading
        sure = bool(reading.text) and reading.confidence >= accept.of(field, reading)
        scored.append(
            ScoredField(
                str(number), 1, field.name, strip.text, reading.text, reading.confidence, reading.text == strip.text, True,
                "ok" if sure else "review", "" if sure else LOW,
            )
        )  # fmt: skip
    return scored
