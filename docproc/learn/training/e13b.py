"""From the geometry of E-13B to the shipped files: compose lines, train, export, fit what is learned beside the network."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from docproc._version import __version__
from docproc.learn.composing.e13b_examples import E13bExample, e13b_examples
from docproc.learn.training.calibration import ERRORS, expected_calibration_error, fit_logistic, threshold_for
from docproc.learn.training.export import export_micr_network, file_hash
from docproc.learn.training.fit import MICR_PROGRESS, fit_micr_network
from docproc.learn.training.progress import Epoch, Tell
from docproc.mlp import sigmoid
from docproc.readers.confidence import Calibration, least
from docproc.readers.e13b.decode import evidence
from docproc.readers.e13b.decode import tell as tell_micr
from docproc.readers.e13b.view import PRINT_HEIGHT
from docproc.readers.repair import edits
from docproc.types import Line, LineRecognizer

if TYPE_CHECKING:
    import keras

PROBED = 200  # lines
CAUTION = 0.2  # of an error that is allowed may be made on composed lines: real ones have faults that nobody has drawn
FILES = ("micr.onnx", "micr.fp16.onnx", "micr.keras")


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what comes out."""

    network: str = "micr"
    seed: int = 20261121
    lines: int = 60_000  # composed lines to train on
    epochs: int = 10
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "mixed_bfloat16"
    patience: int = 3  # epochs without a better validation, after which the training ends
    calibration_lines: int = 8_000


def train(recipe: Recipe, folder: Path, jobs: int, tell: Tell) -> dict[str, Any]:
    """Train by the recipe; write the network (`FILES`) and its card `micr.json` to `folder`.

    Returns the card. Takes `jobs` processes to compose lines; Keras takes all cores.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    tell(f"composing {recipe.lines} lines of E-13B in {jobs} processes")
    made = _placed(e13b_examples(recipe.seed, 0, recipe.lines, jobs, tell))
    held = _placed(e13b_examples(recipe.seed, 2, int(np.clip(recipe.lines // 50, 50, 500)), jobs, lambda _: None))
    tell(f"the network: {len(made[0])} lines")
    trained = fit_micr_network(recipe, recipe.epochs, recipe.batch, made, held, folder, tell)
    del made
    return finish(recipe, trained.model, trained.history, folder, jobs, tell, (time.monotonic() - began) / 60)


def _placed(made: Sequence[E13bExample]) -> tuple[list[Line], list[str]]:
    """The lines on whose strip the line is, and their texts."""
    placed = [one for one in made if one.placed]
    return [one.found.line for one in placed], [one.text for one in placed]


def finish(
    recipe: Recipe, model: keras.Model, history: Sequence[Epoch], folder: Path, jobs: int, tell: Tell, minutes: float
) -> dict[str, Any]:
    """All that follows the network: export it, fit the calibration on lines that it has never seen, write the card.

    `minutes` are those that the network took; the card counts them in.
    """
    began = time.monotonic()
    model.save(folder / "micr.keras")
    unseen = e13b_examples(recipe.seed, 1, recipe.calibration_lines, jobs, tell)
    probe = [one.found.line for one in unseen[:PROBED] if one.found.line.shape[1]]
    recognizer, agrees = export_micr_network(model, folder / "micr.onnx", probe)
    tell("fitting the calibration")
    calibration, figures = fit_micr_calibration(unseen, recognizer)
    tell(", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
    card = {
        "name": "micr",
        "docproc": __version__,
        "recipe": asdict(recipe),
        "data": {"glyphs": "drawn by docproc.learn.composing.e13b"},
        "minutes": round(minutes + (time.monotonic() - began) / 60, 1),
        "scores": {**figures, "micr_onnx_agrees_with_keras": agrees},
        "history": {"micr": [asdict(epoch) for epoch in history]},
        "sha256": {name: file_hash(folder / name) for name in FILES},
        "print_height": PRINT_HEIGHT,
        "calibration": calibration.to_card(),
    }
    (folder / "micr.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / MICR_PROGRESS).unlink(missing_ok=True)
    return card


def fit_micr_calibration(unseen: Sequence[E13bExample], recognizer: LineRecognizer) -> tuple[Calibration, dict[str, float]]:
    """Learn when a line is right; thresholds come from the half that was not fitted on.

    Returns the calibration and its figures: lines read exactly, their characters, and the expected calibration error.
    """
    frames = recognizer.read_lines([one.found.line for one in unseen])
    found, right, exact, characters, wrong = [], [], [], 0, 0
    for one, seen in zip(unseen, frames, strict=True):
        told = tell_micr(seen)
        if one.text:
            exact.append(told.value == one.text)
            characters += len(one.text)
            wrong += edits(told.value, one.text)
        if told.value:
            found.append(evidence(told, seen, one.found.line))
            right.append(told.value == one.text)
    inputs, targets = np.array(found), np.array(right)
    half = len(inputs) // 2
    net = fit_logistic(inputs[:half], targets[:half])
    p = sigmoid(net(inputs[half:]))
    thresholds = tuple((error, threshold_for(p, targets[half:], CAUTION * error)) for error in ERRORS)
    figures = {
        "synthetic_lines_exact": float(np.mean(exact)),
        "synthetic_characters_exact": 1 - wrong / max(1, characters),
        "synthetic_ece": expected_calibration_error(p, targets[half:]),
        "synthetic_accepted": float(np.mean(p >= least(thresholds, 0.01))),
    }
    return Calibration(net, thresholds), figures
