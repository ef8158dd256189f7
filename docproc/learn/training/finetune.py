"""Learn from fields that a person has corrected, with brakes: a model that has seen little may read worse than before.

The networks go on from where they are, with a small learning rate, on the lessons of these fields mixed with composed fields,
so that nothing is forgotten. Context, vote and calibration stay those of the model that it began with: a few hundred fields
are too few to fit them anew. What comes out is judged beside what was there, on documents that were held back and on composed
fields that are the same every time; `refusals` says whether it may take its place.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.errors import MissingPart
from docproc.learn.composing.examples import (
    Source,
    cell_training_data,
    compose_strip,
    map_chunks,
    strip_examples,
    training_data,
)
from docproc.learn.composing.mnist import Mnist
from docproc.learn.composing.strips import Digits
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.learn.evaluation.scoring import CERTAINTY, Interval, Judged, chance, confidences, curve, resampled, rights
from docproc.learn.training.calibration import glyph_batch
from docproc.learn.training.conversion import FORMS
from docproc.learn.training.corrections import Lesson
from docproc.learn.training.decoder import fit_decoder
from docproc.learn.training.export import export_cell_network, export_glyph_network, export_line_network
from docproc.learn.training.fit import fit_cell_network, fit_glyph_network, fit_line_network
from docproc.learn.training.handwriting import PROBED, Recipe
from docproc.learn.training.progress import Tell
from docproc.pipeline import prepare_field, recognize
from docproc.readers.confidence import LOW
from docproc.readers.lattice.normalize import normalize
from docproc.types import Box, Field
from docproc.weights.cards import DECODER_FILE
from docproc.weights.opening import model_bytes, open_reader

if TYPE_CHECKING:
    import keras

# The passes are few and the rate is a tenth of that of a training from nothing.
RECIPE = Recipe(
    strips=4_000,
    cell_combs=2_000,
    epochs=3,
    line_epochs=4,
    cell_epochs=3,
    learning_rate=2e-4,
    calibration_strips=2_000,
    patience=0,
)
NETWORKS = {"glyphs": "digits", "lines": "lines", "cells": "cells"}  # by the names of `cards.network_files`
MOST_REPEATS = 8  # times that a lesson is shown in an epoch, each time bent in another way
FIELDS_LEAST = 50  # held back, to tell anything
DRAWN = 3_000  # digits in the place of MNIST's
COMPOSED_SEED = 20261122  # of the fields that are the same every time
COMBS = 0.25  # share of combs among these
MAY_FALL = 0.01  # share of all composed fields: by how much fewer may be accepted at the error
LIKELY = 2 / 3  # share of samples drawn again in which the gain is one: a handful of fields decides the rate at an error


@dataclass(frozen=True, slots=True)
class Drawn:
    """What strips are composed from: digits to train on, and others to judge by."""

    train: Digits
    test: Digits
    origin: Mapping[str, Any]  # for the card

    @staticmethod
    def of(data: Mnist | None) -> Drawn:
        """MNIST's, or where there is none some that the project draws itself."""
        if data is None:
            return Drawn(_drawn(DRAWN, 1), _drawn(DRAWN // 4, 2), {"strokes": "drawn by docproc.learn.composing.strokes"})
        return Drawn(
            Digits.of(data.train_images, data.train_labels),
            Digits.of(data.test_images, data.test_labels),
            {"mnist": data.hashes},
        )


def _drawn(count: int, seed: int) -> Digits:
    rng = np.random.default_rng((COMPOSED_SEED, seed))
    labels = (np.arange(count) % 10).astype(np.uint8)
    pens = (Pen(float(rng.uniform(0.06, 0.16)), float(rng.uniform(0.01, 0.05)), float(rng.uniform(0.7, 1.3))) for _ in labels)
    images = np.array([normalize(draw_digit(int(d), 32, pen, rng)[0]) for d, pen in zip(labels, pens, strict=True)])
    return Digits.of(images, labels)


# ------------------------------------------------------------------------------------------------- learning


def learn(
    recipe: Recipe, lessons: Sequence[Lesson], digits: Digits, base: Mapping[str, Path], card: Mapping[str, Any], folder: Path,
    jobs: int, tell: Tell,
) -> dict[str, float]:  # fmt: skip
    """Train the networks on lessons and composed strips, and write all their files to `folder`.

    `base` are the Keras files of `glyphs`, `lines` and `cells` to begin with, `card` is theirs. A network for which there is
    no lesson is copied as it is. Returns how far the eight bits of the others agree with Keras. Raises MissingPart where a
    file of the base is missing or not what its card says.
    """
    lines = [(line, one.text) for one in lessons for line in one.lines]
    glyphs, labels = _joined([one.glyphs for one in lessons]), _joined([one.labels for one in lessons])
    cells, marks = _joined([one.cells for one in lessons]), _joined([one.marks for one in lessons])
    agree: dict[str, float] = {}
    if lines or len(labels):
        tell(f"composing {recipe.strips} strips in {jobs} processes")
        source = Source(digits, recipe.seed, 7, recipe.combs)
        made = training_data(source, recipe.strips, recipe.not_digits, jobs, tell)
        probe = list(strip_examples(Source(digits, recipe.seed, 8, recipe.combs), PROBED, 1))
    if lines:
        own = lines * _repeats(len(lines), len(made.lines))
        tell(f"the line network: {len(made.lines)} composed lines, {len(lines)} of your own {len(own) // len(lines)} times")
        line_network = fit_line_network(
            recipe, ([*made.lines, *(line for line, _ in own)], [*made.texts, *(text for _, text in own)]),
            ([example.line for example in probe], [example.strip.text for example in probe]), folder, tell,
            _start("lines", base, card),
        ).model  # fmt: skip
        line_network.save(folder / "lines.keras")
        seen = [example.line for example in probe if example.line.shape[1]] + [line for line, _ in lines[:PROBED]]
        agree["lines_onnx_agrees_with_keras"] = export_line_network(line_network, folder / "lines.onnx", seen)[1]
    else:
        _copy("lines", base, card, folder)
    if len(labels):
        times = _repeats(len(labels), len(made.labels))
        tell(f"the glyph network: {len(made.labels)} composed glyphs, {len(labels)} of your own {times} times")
        plain, names = _some(digits, len(made.labels) // 4, recipe.seed)  # digits as they are, not cut from a strip
        digit_network = fit_glyph_network(
            recipe, (np.concatenate([made.glyphs, plain, *[glyphs] * times]),
                     np.concatenate([made.labels, names, *[labels] * times])),
            (plain, names), folder, tell, _start("glyphs", base, card),
        ).model  # fmt: skip
        digit_network.save(folder / "digits.keras")
        shown = np.concatenate([*(glyph_batch(example.lattice) for example in probe), plain[:512], glyphs[:2048]])
        agree["digits_onnx_agrees_with_keras"] = export_glyph_network(digit_network, folder / "digits.onnx", shown)[1]
        fit_decoder(digit_network, plain, plain[:PROBED], recipe.seed, folder / f"digits{DECODER_FILE}")
    else:
        _copy("glyphs", base, card, folder)
    if len(marks):
        pictures, named = cell_training_data(Source(digits, recipe.seed, 9, 1.0), recipe.cell_combs, jobs)
        times = _repeats(len(marks), len(named))
        tell(f"the cell network: {len(named)} composed cells, {len(marks)} of your own {times} times")
        cell_network = fit_cell_network(
            recipe, (np.concatenate([pictures, *[cells] * times]), np.concatenate([named, *[marks] * times])), (cells, marks),
            folder, tell, _start("cells", base, card),
        ).model  # fmt: skip
        cell_network.save(folder / "cells.keras")
        boxed = np.concatenate([pictures[:1024], cells[:512]])
        agree["cells_onnx_agrees_with_keras"] = export_cell_network(cell_network, folder / "cells.onnx", boxed)[1]
    else:
        _copy("cells", base, card, folder)
    return agree


def _start(network: str, base: Mapping[str, Path], card: Mapping[str, Any]) -> keras.Model:
    from docproc.backends import tensorflow

    return tensorflow.load(model_bytes(base[network], card), FORMS[network], alone=False)


def _repeats(own: int, replayed: int) -> int:
    """How often the lessons are shown beside what is composed: they should be a third of it all, but not learned by heart."""
    return int(np.clip(round(replayed / (2 * own)), 1, MOST_REPEATS))


def _joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, np.int8)


def _some(digits: Digits, count: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    """Some digits as they are, and which they are."""
    names = np.zeros(len(digits.images), np.int8)
    for digit, places in enumerate(digits.by_class):
        names[places] = digit
    chosen = np.random.default_rng((seed, 26)).permutation(len(names))[:count]
    return digits.images[chosen], names[chosen]


def _copy(network: str, base: Mapping[str, Path], card: Mapping[str, Any], folder: Path) -> None:
    """The files of a network for which there was nothing to learn."""
    name = NETWORKS[network]
    stem = base[network].name.removesuffix(".keras")
    for ending in (".onnx", ".fp16.onnx", ".keras"):
        path = base[network].with_name(stem + ending)
        if not path.is_file():
            raise MissingPart(f"{path} is missing: a model to learn from has all its files beside each other")
        model_bytes(path, card)
        shutil.copyfile(path, folder / f"{name}{ending}")
    drawn = base[network].with_name(stem + DECODER_FILE)
    if drawn.name in card["sha256"] and drawn.is_file():
        model_bytes(drawn, card)
        shutil.copyfile(drawn, folder / f"{name}{DECODER_FILE}")


# -------------------------------------------------------------------------------------------------- judging


def read_composed(
    model: Path, digits: Digits, count: int, carelessness: float, max_error: float, jobs: int
) -> tuple[Judged, ...]:
    """What a model (the .onnx file of its glyph network) reads of composed fields; they are the same every time."""
    source = Source(digits, COMPOSED_SEED, 0, COMBS, carelessness)
    return tuple(one for chunk in map_chunks(partial(_read_chunk, source, model, max_error), count, jobs) for one in chunk)


def _read_chunk(source: Source, model: Path, max_error: float, numbers: Sequence[int]) -> list[Judged]:
    cv2.setNumThreads(1)
    reader = open_reader("onnx", model)
    accept = reader.accepts(max_error)
    strips = [compose_strip(source, number) for number in numbers]
    fields = []
    for strip in strips:
        height, width = strip.gray.shape
        digits = (0, strip.cells) if strip.cells else None
        fields.append(Field(strip.kind, Box(0, 0, width, height), strip.kind, digits, cells=strip.cells))
    results = recognize([prepare_field(field, strip.gray) for field, strip in zip(fields, strips, strict=True)], reader)
    judged = []
    for number, strip, result in zip(numbers, strips, results, strict=True):
        field, reading = result.prepared.field, result.reading
        sure = bool(reading.text) and reading.confidence >= accept.of(field, reading)
        judged.append(
            Judged(
                str(number), 1, field.name, strip.text, reading.text, reading.confidence, reading.text == strip.text, True,
                "ok" if sure else "review", "" if sure else LOW,
            )
        )  # fmt: skip
    return judged


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a model reads some fields."""

    fields: int
    exact: int
    read_rate: float  # largest share of all that could be accepted with no more than the error among them
    accepted: int  # by the thresholds of the model that was there before
    wrong: int  # of these

    @property
    def error(self) -> float:
        """Share of wrong ones among the accepted, 0..1."""
        return self.wrong / max(1, self.accepted)


Pair = tuple[Figures, Figures]  # before and after


def measured(judged: Sequence[Judged], max_error: float) -> Figures:
    """The figures of fields with truth; `max_error` 0..1."""
    accepted = [one.right for one in judged if one.status == "ok"]
    rate = curve(confidences(judged), rights(judged)).read_rate(max_error)
    return Figures(len(judged), sum(one.right for one in judged), rate, len(accepted), accepted.count(False))


def gain(before: Sequence[Judged], after: Sequence[Judged], max_error: float, certainty: float = CERTAINTY) -> Interval:
    """Between which two values the gain in read rate lies when whole documents are drawn again, see `scoring.resampled`.

    Both are of the same fields in the same order.
    """

    def risen(times: NDArray[np.int64]) -> float:
        rates = [curve(confidences(some), rights(some), times).read_rate(max_error) for some in (before, after)]
        return rates[1] - rates[0]

    return resampled(before, risen, certainty)


def likely_gain(before: Sequence[Judged], after: Sequence[Judged], max_error: float) -> float:
    """The gain in read rate that is reached in `LIKELY` of the samples drawn again."""
    return gain(before, after, max_error, 2 * LIKELY - 1)[0]


def fields_needed(max_error: float) -> int:
    """The fewest fields held back that can tell something of an error, 0..1: among them one wrong one could be borne."""
    return max(FIELDS_LEAST, ceil(1 / max_error - 1e-9))


def refusals(held: Pair, kept: Pair, likely: float, max_error: float) -> tuple[str, ...]:
    """Why a model may not take the place of the one before it; () where it may.

    `held` are the figures before and after on the documents that were held back, with their `likely_gain`; `kept` those on
    the composed fields.
    """
    before, after = held
    reasons = []
    if after.fields < fields_needed(max_error):
        reasons.append(f"{after.fields} fields held back cannot tell; it takes {fields_needed(max_error)}")
    if after.read_rate <= before.read_rate:
        reasons.append("on the documents that were held back no more fields can be accepted at that error than before")
    elif likely <= 0:
        reasons.append("on the documents that were held back so few more fields can be accepted that it may be chance")
    if kept[1].read_rate < kept[0].read_rate - MAY_FALL:
        reasons.append(
            f"of the composed fields fewer can be accepted at that error than before, by more than {100 * MAY_FALL:g} points"
        )
    if after.error > max(before.error, max_error):
        reasons.append(
            "on the documents that were held back more of the accepted fields are wrong than before, and than the error allows"
        )
    # Where more is accepted, a field more or less is no sign; so many as one sample in twenty would have are.
    allowed = max(kept[0].error, max_error)
    if chance(kept[1].wrong - 1, kept[1].accepted, allowed) > CERTAINTY:
        reasons.append("on the composed fields more of the accepted fields are wrong than before, and than chance explains")
    return tuple(reasons)
