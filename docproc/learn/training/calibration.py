"""Fit what is learned beside the networks: the context of a candidate, the vote, the probability that a field is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.examples import StripExample
from docproc.learn.composing.strips import AMBIGUOUS, label
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

MOST_RULED = 10  # digits of a field that is given a check digit
ERRORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # for which thresholds are measured


@dataclass(frozen=True, slots=True)
class Scored:
    """An example with what the networks say of it."""

    example: StripExample
    scores: Scores
    frames: Frames
    cells: CellScores


def scored(made: Sequence[StripExample], recognizer: Recognizer, lines: LineRecognizer, cells: CellRecognizer) -> list[Scored]:
    """Run the networks over the examples."""
    batch, counts = flatten([glyph_batch(e.lattice) for e in made])
    scores = regroup(recognizer.recognize(batch), counts)
    frames = lines.read_lines([e.line for e in made])
    boxed = cells_of([e.cells for e in made], cells)
    return [Scored(*each) for each in zip(made, scores, frames, boxed, strict=True)]


def glyph_batch(lattice: Lattice) -> Glyphs:
    """All candidates of a lattice at 28x28."""
    return normalize_all(candidate_ink(lattice, k) for k in range(len(lattice.candidates)))


def fit_context(fields: Sequence[Scored], seed: int) -> Net:
    """Learn from labeled lattices which candidates are whole digits, see `readings.context`."""
    inputs, targets = [], []
    for field in fields:
        lattice = field.example.lattice
        names = label(lattice, field.example.strip)
        clear = names != AMBIGUOUS
        if clear.any():
            inputs.append(features(lattice, field.scores)[clear])
            targets.append(names[clear] != NOT_A_DIGIT)
    return fit_net(np.concatenate(inputs), np.concatenate(targets), (32, 16), seed, epochs=8)


def fit_weights(fields: Sequence[Scored], context: Net) -> dict[Kind, Weights]:
    """Learn how much each reader counts in each kind of field, see `readings.vote`."""
    return {kind: _fit_weights([f for f in fields if f.example.strip.kind == kind], context) for kind in KINDS}


def _fit_weights(fields: Sequence[Scored], context: Net) -> Weights:
    """The weights under which the true texts are likeliest among all proposed."""
    tables = []
    for field in fields:
        cast = _cast(field, context)[0]
        true = [ballot.text == field.example.strip.text for ballot in cast]
        if any(true) and len(cast) > 1:
            tables.append((arguments(cast), true.index(True)))
    start = np.array([0.5, 0.5, 0.0, 0.0])
    weights = start
    # Newton's method on the log-likelihood of a conditional logit, held near the start by a small ridge.
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
    fields: Sequence[Scored], context: Net, weights: Mapping[Kind, Weights]
) -> tuple[Calibration, dict[str, float]]:
    """Learn when a field is right, for free fields or for combs; thresholds come from the half that was not fitted on.

    Returns the calibration and its figures on that half: fields read exactly, by each reader alone as well, and the expected
    calibration error.
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
    thresholds = tuple((error, threshold_for(p, truth_there, error)) for error in ERRORS)
    figures = {
        "synthetic_fields_exact": float(np.mean(right)),
        "synthetic_lattice_exact": float(np.mean(alone, axis=0)[0]),
        "synthetic_line_exact": float(np.mean(alone, axis=0)[1]),
        "synthetic_ece": expected_calibration_error(p, truth_there),
    }
    if any(len(field.cells) for field in fields):
        figures["synthetic_cells_exact"] = float(np.mean(alone, axis=0)[2])
    return Calibration(net, thresholds), figures


def fit_repairs(
    fields: Sequence[Scored], context: Net, weights: Mapping[Kind, Weights], calibrations: Mapping[Kind, Calibration], seed: int
) -> tuple[Thresholds, dict[str, float]]:
    """Learn how sure a text must be that was put in for a rule's sake; with what became of the fields that broke one.

    Each field is given a check digit of its own, a weighted sum with random weights that its true text fulfills.
    """
    rng = np.random.default_rng(seed)
    sure, right, broke, slipped = [], [], 0, 0
    for field in fields:
        strip = field.example.strip
        truth, kind = strip.text, strip.kind
        if not 3 <= len(truth) <= MOST_RULED or field.example.lattice.blank:
            continue
        drawn = tuple(int(weight) for weight in rng.choice([1, 3, 7, 9], MOST_RULED))
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
    thresholds = tuple((error, threshold_for(p, correct, error)) for error in ERRORS)
    figures = {
        "rule_broken": float(broke),
        "rule_repaired": float(len(sure)),
        "rule_repaired_right": float(correct.sum()),
        "rule_kept_as_slip": float(slipped),
    }
    return thresholds, figures


def _cast(field: Scored, context: Net, rules: FieldRules | None = None) -> tuple[tuple[Ballot, ...], NDArray[np.float64]]:
    """The ballots of one field and the log-odds of its candidates."""
    lattice, strip = field.example.lattice, field.example.strip
    odds = log_odds(lattice, field.scores, context)
    boxed = field.cells if len(field.cells) else None
    return ballots(lattice, odds, field.scores, field.frames, (0, strip.cells) if strip.cells else None, boxed, rules), odds


def threshold_for(confidence: NDArray[np.float64], right: NDArray[np.bool_], max_error: float) -> float:
    """The least confidence above which at most `max_error` of the fields are wrong; 1.01 where none is."""
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
    """Logistic regression by Newton's method, with a small ridge penalty so that it also ends on separable data."""
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
    """A small network (n, features) float64 to the log-odds of `targets` (n,), see `net.Net`."""
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
