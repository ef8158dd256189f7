"""Fit what is learned beside the networks: the context of a candidate, the vote, the probability that a field is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.digits.batching import flatten, regroup
from docproc.digits.normalize import normalize_all
from docproc.digits.segment import candidate_ink
from docproc.learn.examples import Example
from docproc.learn.synthesis import AMBIGUOUS, label
from docproc.net import Net, sigmoid
from docproc.pipeline import frames_of
from docproc.readings.confidence import Calibration, evidence
from docproc.readings.context import features, log_odds
from docproc.readings.vote import Ballot, Weights, arguments, ballots, vote
from docproc.types import KINDS, NOT_A_DIGIT, Frames, Glyphs, Kind, Lattice, LineRecognizer, Recognizer, Scores

ERRORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # for which thresholds are measured


@dataclass(frozen=True, slots=True)
class Scored:
    """An example with what the two networks say of it."""

    example: Example
    scores: Scores
    frames: Frames


def scored(made: Sequence[Example], recognizer: Recognizer, lines: LineRecognizer) -> list[Scored]:
    """Run both networks over the examples."""
    batch, counts = flatten([glyph_batch(e.lattice) for e in made])
    scores = regroup(recognizer.recognize(batch), counts)
    frames = frames_of([e.line for e in made], lines)
    return [Scored(*each) for each in zip(made, scores, frames, strict=True)]


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
    return _fit_net(np.concatenate(inputs), np.concatenate(targets), (32, 16), seed, epochs=8)


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
    start = np.array([0.5, 0.5, 0.0])
    weights = start
    # Newton's method on the log-likelihood of a conditional logit, held near the start by a small ridge.
    for _ in range(30):
        slope, curve = -1e-2 * (weights - start), -1e-2 * np.eye(3)
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
    return Weights(float(max(0.0, weights[0])), float(max(0.0, weights[1])), float(min(0.0, weights[2])))


def fit_calibration(
    fields: Sequence[Scored], context: Net, weights: Mapping[Kind, Weights]
) -> tuple[Calibration, dict[str, float]]:
    """Learn when a field is right; thresholds come from the half of the fields that was not fitted on.

    Returns the calibration and its figures on that half: fields read exactly, by each reader alone as well, and the expected
    calibration error.
    """
    found, right, alone = [], [], []
    for field in fields:
        cast, odds = _cast(field, context)
        truth = field.example.strip.text
        if not cast:
            continue
        verdict = vote(cast, weights[field.example.strip.kind])
        alone.append([max(cast, key=lambda b: getattr(b, by)).text == truth for by in ("lattice", "line")])
        if verdict.ballots[0].text:
            found.append(evidence(verdict, field.example.lattice, field.scores, odds))
            right.append(verdict.ballots[0].text == truth)
    inputs, targets = np.array(found), np.array(right)
    half = len(inputs) // 2
    net = _fit_logistic(inputs[:half], targets[:half])
    p = sigmoid(net(inputs[half:]))
    truth_there = targets[half:]
    thresholds = tuple((error, threshold_for(p, truth_there, error)) for error in ERRORS)
    figures = {
        "synthetic_fields_exact": float(np.mean(right)),
        "synthetic_lattice_exact": float(np.mean(alone, axis=0)[0]),
        "synthetic_line_exact": float(np.mean(alone, axis=0)[1]),
        "synthetic_ece": expected_calibration_error(p, truth_there),
    }
    return Calibration(net, thresholds), figures


def _cast(field: Scored, context: Net) -> tuple[tuple[Ballot, ...], NDArray[np.float64]]:
    """The ballots of one field and the log-odds of its candidates."""
    lattice, strip = field.example.lattice, field.example.strip
    odds = log_odds(lattice, field.scores, context)
    return ballots(lattice, odds, field.scores, field.frames, (0, strip.cells) if strip.cells else None), odds


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


def _fit_logistic(inputs: NDArray[np.float64], targets: NDArray[np.bool_], ridge: float = 1.0) -> Net:
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


def _fit_net(inputs: NDArray[np.float64], targets: NDArray[np.bool_], hidden: tuple[int, ...], seed: int, epochs: int) -> Net:
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
