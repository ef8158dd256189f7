"""Fit what is learned beside the network: the context of a candidate, and the probability that a field is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from docproc.digits.batching import flatten, regroup
from docproc.digits.normalize import normalize_all
from docproc.digits.segment import candidate_ink
from docproc.learn.synthesis import AMBIGUOUS, Strip, label
from docproc.net import Net, sigmoid
from docproc.readings.confidence import Calibration, evidence
from docproc.readings.context import features, log_odds
from docproc.readings.decode import decode
from docproc.types import NOT_A_DIGIT, Glyphs, Lattice, Scores

Score = Callable[[Glyphs], Scores]
Strips = Sequence[tuple[Strip, Lattice]]

ERRORS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)  # for which thresholds are measured


def fit_context(strips: Strips, score: Score, seed: int) -> Net:
    """Learn from labeled lattices which candidates are whole digits, see `readings.context`."""
    inputs, targets = [], []
    for (strip, lattice), scores in zip(strips, _scores(strips, score), strict=True):
        names = label(lattice, strip)
        clear = names != AMBIGUOUS
        if clear.any():
            inputs.append(features(lattice, scores)[clear])
            targets.append(names[clear] != NOT_A_DIGIT)
    return _fit_net(np.concatenate(inputs), np.concatenate(targets), (32, 16), seed, epochs=8)


def fit_calibration(strips: Strips, score: Score, context: Net) -> tuple[Calibration, dict[str, float]]:
    """Learn when a field is right; thresholds come from the half of the strips that was not fitted on.

    Returns the calibration and its figures on that half: fields read exactly, expected calibration error.
    """
    found, right = [], []
    for (strip, lattice), scores in zip(strips, _scores(strips, score), strict=True):
        odds = log_odds(lattice, scores, context)
        digits = (0, strip.cells) if strip.cells else None
        decoded = decode(lattice.pieces, lattice.candidates, odds, scores, digits)
        if decoded.strings and decoded.strings[0][0]:
            found.append(evidence(decoded, lattice, scores, odds))
            right.append(decoded.strings[0][0] == strip.text)
    inputs, targets = np.array(found), np.array(right)
    half = len(inputs) // 2
    net = _fit_logistic(inputs[:half], targets[:half])
    p = sigmoid(net(inputs[half:]))
    truth = targets[half:]
    thresholds = tuple((error, threshold_for(p, truth, error)) for error in ERRORS)
    figures = {
        "synthetic_fields_exact": float(np.mean(right)),
        "synthetic_ece": expected_calibration_error(p, truth),
    }
    return Calibration(net, thresholds), figures


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


def _scores(strips: Strips, score: Score) -> list[Scores]:
    groups = [normalize_all(candidate_ink(lattice, k) for k in range(len(lattice.candidates))) for _, lattice in strips]
    batch, counts = flatten(groups)
    return regroup(score(batch), counts)


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
