"""Fit what stands beside the networks: the context of a candidate, the weights of the vote, the calibration of confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.examples import StripExample
from docproc.learn.composing.strips import AMBIGUOUS, label
from docproc.learn.evaluation.risk_control import ERROR_RATES
from docproc.mlp import Net, sigmoid
from docproc.pipeline import cells_of, decide, keep_rules
from docproc.readers.batching import flatten, regroup
from docproc.readers.confidence import Calibration, Thresholds, confidence, evidence
from docproc.readers.lattice.context import features, log_odds
from docproc.readers.lattice.normalize import normalize_all
from docproc.readers.lattice.segment import candidate_ink
from docproc.readers.vote import Ballot, Weights, arguments, ballots, vote
from docproc.rules import FieldRules, Weighted
from docproc.types import (
    KINDS,
    NOT_A_DIGIT,
    CellRecognizer,
    CellScores,
    Frames,
    Glyphs,
    Kind,
    Lattice,
    LineRecognizer,
    Recognizer,
    Scores,
)

MAX_RULED_DIGITS = 10  # of a field that is given a check digit


@dataclass(frozen=True, slots=True)
class RecognizedExample:
    """A composed strip with the output of the networks."""

    example: StripExample
    scores: Scores
    frames: Frames
    cells: CellScores


def recognize_examples(
    made: Sequence[StripExample], recognizer: Recognizer, lines: LineRecognizer, cells: CellRecognizer
) -> list[RecognizedExample]:
    """Run the networks over composed strips."""
    batch, counts = flatten([glyph_batch(e.lattice) for e in made])
    scores = regroup(recognizer.recognize(batch), counts)
    frames = lines.read_lines([e.line for e in made])
    boxed = cells_of([e.cells for e in made], cells)
    return [RecognizedExample(*each) for each in zip(made, scores, frames, boxed, strict=True)]


def glyph_batch(lattice: Lattice) -> Glyphs:
    """All candidates of a lattice at 28x28."""
    return normalize_all(candidate_ink(lattice, k) for k in range(len(lattice.candidates)))


def fit_context(fields: Sequence[RecognizedExample], seed: int) -> Net:
    """Learn from labeled lattices which candidates are whole digits, see `readers.lattice.context`."""
    inputs, targets = [], []
    for field in fields:
        lattice = field.example.lattice
        names = label(lattice, field.example.strip)
        clear = names != AMBIGUOUS
        if clear.any():
            inputs.append(features(lattice, field.scores)[clear])
            targets.append(names[clear] != NOT_A_DIGIT)
    return fit_net(np.concatenate(inputs), np.concatenate(targets), (32, 16), seed, epochs=8)


def fit_weights(fields: Sequence[RecognizedExample], context: Net) -> dict[Kind, Weights]:
    """Learn the weight of each reader in each kind of field, see `readers.vote`."""
    return {kind: _fit_weights([f for f in fields if f.example.strip.kind == kind], context) for kind in KINDS}


def _fit_weights(fields: Sequence[RecognizedExample], context: Net) -> Weights:
    """The weights that maximize the likelihood of the true texts among all proposed ones."""
    tables = []
    for field in fields:
        cast = _cast(field, context)[0]
        true = [ballot.text == field.example.strip.text for ballot in cast]
        if any(true) and len(cast) > 1:
            tables.append((arguments(cast), true.index(True)))
    start = np.array([0.5, 0.5, 0.0, 0.0])
    weights = start
    # Newton's method on the log-likelihood of a conditional logit, with a small ridge penalty on the distance from the start.
    for _ in range(30):
        slope, curve = -1e-2 * (weights - start), -1e-2 * np.eye(4)
        for table, true_row in tables:
            p = np.exp(table @ weights - (table @ weights).max())
            p /= p.sum()
            mean = p @ table
            slope = slope + (table[true_row] - mean)
            curve = curve - ((table - mean).T * p) @ (table - mean)
        step = np.linalg.solve(curve, slope)
        weights = weights - step
        if np.abs(step).max() < 1e-6:
            break
    lattice, line, leading_zero, cells = (float(weight) for weight in weights)
    return Weights(max(0.0, lattice), max(0.0, line), min(0.0, leading_zero), max(0.0, cells))


def fit_calibration(
    fields: Sequence[RecognizedExample], context: Net, weights: Mapping[Kind, Weights]
) -> tuple[Calibration, dict[str, float]]:
    """Fit the probability that a field is right on one half of `fields`; the thresholds come from the other half.

    Returns the calibration and its scores: fields read exactly, also by each reader alone, and the expected calibration error.
    """
    found, right, alone = [], [], []
    for field in fields:
        cast, odds = _cast(field, context)
        truth = field.example.strip.text
        if not cast or field.example.lattice.blank:
            continue
        verdict = decide(cast, field.example.strip.kind, field.example.lattice, weights[field.example.strip.kind])
        alone.append([max(cast, key=lambda b: getattr(b, by)).text == truth for by in ("lattice", "line", "cells")])
        boxed = field.cells if len(field.cells) else None
        if verdict.ballots[0].text or boxed is not None:
            found.append(evidence(verdict, field.example.lattice, field.scores, odds, boxed))
            right.append(verdict.ballots[0].text == truth)
    inputs, targets = np.array(found), np.array(right)
    half = len(inputs) // 2
    net = fit_logistic(inputs[:half], targets[:half])
    p = sigmoid(net(inputs[half:]))
    truth_there = targets[half:]
    thresholds = tuple((error, threshold_for(p, truth_there, error)) for error in ERROR_RATES)
    scores = {
        "synthetic_fields_exact": float(np.mean(right)),
        "synthetic_lattice_exact": float(np.mean(alone, axis=0)[0]),
        "synthetic_line_exact": float(np.mean(alone, axis=0)[1]),
        "synthetic_ece": expected_calibration_error(p, truth_there),
    }
    if any(len(field.cells) for field in fields):
        scores["synthetic_cells_exact"] = float(np.mean(alone, axis=0)[2])
    return Calibration(net, thresholds), scores


def fit_repairs(
    fields: Sequence[RecognizedExample],
    context: Net,
    weights: Mapping[Kind, Weights],
    calibrations: Mapping[Kind, Calibration],
    seed: int,
) -> tuple[Thresholds, dict[str, float]]:
    """Find the thresholds for texts that were changed to keep a rule; and count what became of the fields that broke one.

    Each field is given its own check digit, a weighted sum with random weights that holds for its true text.
    """
    rng = np.random.default_rng(seed)
    sure, right, broke, slipped = [], [], 0, 0
    for field in fields:
        strip = field.example.strip
        truth, kind = strip.text, strip.kind
        if not 3 <= len(truth) <= MAX_RULED_DIGITS or field.example.lattice.blank:
            continue
        drawn = tuple(int(weight) for weight in rng.choice([1, 3, 7, 9], MAX_RULED_DIGITS))
        remainder = sum(int(d) * w for d, w in zip(truth, drawn[-len(truth) :], strict=True)) % 10
        rules = FieldRules(digits=(len(truth), len(truth)), check=Weighted(drawn, 10, remainder))
        cast, odds = _cast(field, context)
        verdict = decide(cast, kind, field.example.lattice, weights[kind])
        text = verdict.ballots[0].text
        if not text or rules.allows(text):
            continue
        broke += 1
        boxed = field.cells if len(field.cells) else None
        found = evidence(verdict, field.example.lattice, field.scores, odds, boxed)
        first = confidence(found, calibrations[kind])
        ruled = vote(_cast(field, context, rules)[0], weights[kind])
        choice = keep_rules(text, first, ruled, rules)
        if choice.changed:
            sure.append(choice.confidence)
            right.append(choice.text == truth)
        else:
            slipped += 1
    p, correct = np.array(sure), np.array(right, bool)
    thresholds = tuple((error, threshold_for(p, correct, error)) for error in ERROR_RATES)
    scores = {
        "rule_broken": float(broke),
        "rule_repaired": float(len(sure)),
        "rule_repaired_right": float(correct.sum()),
        "rule_kept_as_slip": float(slipped),
    }
    return thresholds, scores


def _cast(
    field: RecognizedExample, context: Net, rules: FieldRules | None = None
) -> tuple[tuple[Ballot, ...], NDArray[np.float64]]:
    """The ballots of a field, and the log-odds of its candidates."""
    lattice, strip = field.example.lattice, field.example.strip
    odds = log_odds(lattice, field.scores, context)
    boxed = field.cells if len(field.cells) else None
    return ballots(lattice, odds, field.scores, field.frames, (0, strip.cells) if strip.cells else None, boxed, rules), odds


def threshold_for(confidence: NDArray[np.float64], right: NDArray[np.bool_], max_error: float) -> float:
    """The least confidence from which the error rate is at most `max_error`; 1.01 if there is none."""
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~right[order])
    count = np.arange(1, len(order) + 1)
    # A tie is accepted or refused as a whole.
    last_of_tie = np.r_[confidence[order][1:] != confidence[order][:-1], True]
    fine = np.flatnonzero(last_of_tie & (wrong <= max_error * count))
    return float(confidence[order][fine[-1]]) if len(fine) else 1.01


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """Mean gap between confidence and accuracy over bins of equal count (M. Naeini et al., 2015)."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(confidence[p].mean() - right[p].mean()) * len(p) for p in parts) / max(1, len(order)))


def fit_logistic(inputs: NDArray[np.float64], targets: NDArray[np.bool_], ridge: float = 1.0) -> Net:
    """Logistic regression by Newton's method, with a small ridge penalty so that it converges on separable data too."""
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    x = np.column_stack([np.clip((inputs - mean) / scale, -6, 6), np.ones(len(inputs))])
    weights = np.zeros(x.shape[1])
    penalty = ridge * np.eye(len(weights))
    penalty[-1, -1] = 1e-9
    for _ in range(50):
        p = sigmoid(x @ weights)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + penalty
        step = np.linalg.solve(hessian, x.T @ (targets - p) - penalty @ weights)
        weights += step
        if np.abs(step).max() < 1e-8:
            break
    return Net(mean, scale, ((weights[:-1, None], weights[-1:]),))


def fit_net(inputs: NDArray[np.float64], targets: NDArray[np.bool_], hidden: tuple[int, ...], seed: int, epochs: int) -> Net:
    """Train a multilayer perceptron from inputs (n, features) float64 to the log-odds of `targets` (n,), see `mlp.Net`."""
    import keras

    keras.utils.set_random_seed(seed)
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    x = np.clip((inputs - mean) / scale, -6, 6).astype(np.float32)
    layers = [keras.layers.Dense(width, activation="relu") for width in hidden] + [keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((x.shape[1],)), *layers])
    steps = epochs * max(1, len(x) // 256)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(rate, weight_decay=1e-4), loss)
    model.fit(x, targets.astype(np.float32), batch_size=256, epochs=epochs, verbose=0)
    weights = [np.asarray(w, np.float64) for w in model.get_weights()]
    return Net(mean, scale, tuple(zip(weights[::2], weights[1::2], strict=True)))
