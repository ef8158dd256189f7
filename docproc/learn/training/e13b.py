"""From the geometry of E-13B to the shipped files: compose lines, train, export, fit the calibration, write the card."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from docproc.learn.composing.e13b_examples import E13bExample, e13b_examples
from docproc.learn.evaluation.risk_control import ERROR_RATES
from docproc.learn.progress import Log, Step, counted
from docproc.learn.training.calibration import READ_AT_ONCE, expected_calibration_error, fit_logistic, threshold_for
from docproc.learn.training.export import PROBE_FIELDS, export_micr_network
from docproc.learn.training.fit import MICR_PROGRESS, fit_micr_network
from docproc.learn.training.loop import TrainedNetwork
from docproc.learn.training.model_card import E13B_FILES, TrainedModel, write_model_card
from docproc.learn.training.recipes import E13bRecipe
from docproc.mlp import sigmoid
from docproc.readers.confidence import Calibration, least
from docproc.readers.e13b.font import PRINT_HEIGHT_PX
from docproc.readers.e13b.search import decode, evidence
from docproc.readers.repair import edits
from docproc.types import Line, LineRecognizer

ERROR_MARGIN = 0.2  # composed lines may use up this share of an allowed error rate: real lines have defects never drawn
TRAIN_PART, CALIBRATION_PART, VALIDATION_PART = 0, 1, 2  # of the seed: each part has different lines


def train_e13b(recipe: E13bRecipe, folder: Path, jobs: int, log: Log) -> dict[str, Any]:
    """Train by the recipe; write the network (`E13B_FILES`) and its card `micr.json` to `folder`.

    Returns the card. `jobs` processes compose the lines; Keras uses all cores.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    train = _placed(e13b_examples(recipe.seed, TRAIN_PART, recipe.lines, jobs, "composing lines to train on", log))
    count = int(np.clip(recipe.lines // 50, 50, 500))
    validation = _placed(e13b_examples(recipe.seed, VALIDATION_PART, count, jobs, "composing lines for validation", log))
    log(f"the network: {len(train[0])} lines")
    trained = fit_micr_network(recipe, train, validation, folder, log)
    del train
    return finish_e13b(recipe, trained, folder, jobs, log, (time.monotonic() - began) / 60)


def _placed(made: Sequence[E13bExample]) -> tuple[list[Line], list[str]]:
    """The strips that show their line, with their text."""
    placed = [one for one in made if one.placed]
    return [one.found.line for one in placed], [one.text for one in placed]


def finish_e13b(
    recipe: E13bRecipe, trained: TrainedNetwork, folder: Path, jobs: int, log: Log, minutes: float
) -> dict[str, Any]:
    """Everything after the training of the network: export it, fit the calibration on unseen lines, write the card.

    `minutes` is the duration of the training; the card includes it.
    """
    began = time.monotonic()
    trained.model.save(folder / "micr.keras")
    name = "composing lines for the calibration"
    unseen = e13b_examples(recipe.seed, CALIBRATION_PART, recipe.calibration_lines, jobs, name, log)
    log(Step("writing the network"))
    probe = [one.found.line for one in unseen[:PROBE_FIELDS] if one.found.line.shape[1]]
    recognizer, agreement = export_micr_network(trained.model, folder / "micr.onnx", probe)
    calibration, scores = fit_micr_calibration(unseen, recognizer, log)
    log(", ".join(f"{name} {value:.4f}" for name, value in scores.items()))
    card = write_model_card(
        TrainedModel(
            "micr",
            recipe,
            {"glyphs": "drawn by docproc.learn.composing.e13b"},
            minutes + (time.monotonic() - began) / 60,
            {**scores, "micr_onnx_agrees_with_keras": agreement},
            {"micr": trained.history},
            E13B_FILES,
            {"print_height": PRINT_HEIGHT_PX, "calibration": calibration.to_card()},
        ),
        folder,
    )
    (folder / MICR_PROGRESS).unlink(missing_ok=True)
    return card


def fit_micr_calibration(
    unseen: Sequence[E13bExample], recognizer: LineRecognizer, log: Log
) -> tuple[Calibration, dict[str, float]]:
    """Fit the probability that a line is right on one half of `unseen`; the thresholds come from the other half.

    Returns the calibration and its scores: lines read exactly, their characters, the expected calibration error, and the share
    of lines that is accepted at an error rate of 1 %.
    """
    parts = [unseen[start : start + READ_AT_ONCE] for start in range(0, len(unseen), READ_AT_ONCE)]
    reading = counted(parts, len(unseen), "reading composed lines", log, READ_AT_ONCE)
    frames = [seen for part in reading for seen in recognizer.recognize([one.found.line for one in part])]
    found, right, exact, characters, wrong = [], [], [], 0, 0
    for one, seen in counted(zip(unseen, frames, strict=True), len(unseen), "fitting the calibration", log):
        told = decode(seen)
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
    thresholds = tuple((error, threshold_for(p, targets[half:], ERROR_MARGIN * error)) for error in ERROR_RATES)
    scores = {
        "synthetic_lines_exact": float(np.mean(exact)),
        "synthetic_characters_exact": 1 - wrong / max(1, characters),
        "synthetic_ece": expected_calibration_error(p, targets[half:]),
        "synthetic_accepted": float(np.mean(p >= least(thresholds, 0.01))),
    }
    return Calibration(net, thresholds), scores
