"""Fit what stands beside the networks: the context of a candidate, the weights of the vote, the calibration of confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.examples import StripExample, field_of
from docproc.learn.composing.strips import AMBIGUOUS, Strip, label
from docproc.learn.evaluation.risk_control import ERROR_RATES
from docproc.meaning.amount_marks import amount_value
from docproc.mlp import Mlp, sigmoid
from docproc.readers import NETWORKS
from docproc.readers.confidence import Calibration, Thresholds, confidence
from docproc.readers.evidence import evidence
from docproc.readers.handwriting import decide, keep_rules, lattice_opinion, line_opinion, opinions_of, remark_on, score_all
from docproc.readers.lattice.context import features
from docproc.readers.vote import Weights, arguments, ballots, vote
from docproc.readers.voter import Opinion
from docproc.rules import FieldRules, Weighted
from docproc.types import KINDS, NOT_A_DIGIT, Kind

MIN_DECIDED = 50  # fields whose confidence decides what becomes of them: a calibration is fitted to no fewer
NO_NUMBER_EVERY = 8  # of the composed fields without a number one in so many counts: people write fewer than networks are shown
MAX_RULED_DIGITS = 10  # of a field that is given a check digit


START_WEIGHTS: Mapping[str, float] = {"lattice": 0.5, "line": 0.5}  # from which the fit begins; of other readers 0


@dataclass(frozen=True, slots=True)
class RecognizedExample:
    """A composed strip with the output of the networks."""

    example: StripExample
    scores: Mapping[str, Any]  # by the names of the readers

    @property
    def digits(self) -> tuple[int, int] | None:
        """The bounds of the length of its text."""
        return field_of(self.example.strip).digits

    def opinions(self, context: Mlp) -> dict[str, Opinion]:
        """What each reader thinks of it."""
        return opinions_of(self.example.views, self.scores, self.digits, {"lattice": context})


def recognize_examples(made: Sequence[StripExample], networks: Mapping[str, Any]) -> list[RecognizedExample]:
    """Run the networks, by the names of the readers, over composed strips."""
    scores = score_all([one.views for one in made], networks)
    return [RecognizedExample(*each) for each in zip(made, scores, strict=True)]


def fit_context(fields: Sequence[RecognizedExample], seed: int) -> Mlp:
    """Learn from labeled lattices which candidates are whole digits, see `readers.lattice.context`."""
    inputs, targets = [], []
    for field in fields:
        lattice = field.example.cut.lattice
        names = label(lattice, field.example.strip)
        clear = names != AMBIGUOUS
        if clear.any():
            inputs.append(features(lattice, field.scores["lattice"])[clear])
            targets.append(names[clear] != NOT_A_DIGIT)
    return fit_net(np.concatenate(inputs), np.concatenate(targets), (32, 16), seed, epochs=8)


def fit_weights(fields: Sequence[RecognizedExample], context: Mlp) -> dict[Kind, Weights]:
    """Learn the weight of each reader in each kind of field, see `readers.vote`."""
    known = [kind for kind in KINDS if any(field.example.strip.kind == kind for field in fields)]
    return {kind: _fit_weights([f for f in fields if f.example.strip.kind == kind], context) for kind in known}


def _fit_weights(fields: Sequence[RecognizedExample], context: Mlp) -> Weights:
    """The weights that maximize the likelihood of the true texts among all proposed ones."""
    names, tables = tuple(NETWORKS), []
    for field in fields:
        cast = ballots(field.opinions(context), field.digits)
        true = [ballot.text == field.example.strip.text for ballot in cast]
        if any(true) and len(cast) > 1:
            tables.append((arguments(cast, names), true.index(True)))
    start = np.array([*(START_WEIGHTS.get(name, 0.0) for name in names), 0.0])
    weights = start
    # Newton's method on the log-likelihood of a conditional logit, with a small ridge penalty on the distance from the start.
    for _ in range(30):
        slope, curve = -1e-2 * (weights - start), -1e-2 * np.eye(len(start))
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
    *readers, leading_zero = (float(weight) for weight in weights)
    return Weights({name: max(0.0, weight) for name, weight in zip(names, readers, strict=True)}, min(0.0, leading_zero))


def fit_calibration(
    fields: Sequence[RecognizedExample], context: Mlp, weights: Mapping[Kind, Weights]
) -> tuple[Calibration, dict[str, float]]:
    """Fit the probability that a field is right on one half of `fields`; the thresholds come from the other half.

    Returns the calibration and its scores: fields read exactly, also by each reader alone, and the expected calibration error.
    """
    found, right, decided, exact = [], [], [], []
    alone: dict[str, list[bool]] = {}
    seldom = 0
    for field in fields:
        if not field.example.strip.number and not field.example.strip.cells:
            seldom += 1
            if seldom % NO_NUMBER_EVERY:
                continue
        opinions, truth = field.opinions(context), field.example.strip.text
        verdict = decide(opinions, field_of(field.example.strip), weights[field.example.strip.kind])
        if not verdict.ballots or field.example.cut.lattice.blank:
            continue
        cast = ballots(opinions, field.digits)
        text, number = verdict.ballots[0].text, field.example.strip.number
        if number:
            for name in opinions:
                alone.setdefault(name, []).append(max(cast, key=lambda ballot: ballot.logs[name]).text == truth)
            exact.append(text == truth)
        # Who reads what was written over another digit, or beside a scribble, does no harm, and is not asked to.
        if not number and text and text == field.example.strip.meant:
            continue
        # What goes to review whatever its confidence is tells nothing of the confidence of what does not.
        if text or "cells" in opinions:
            found.append(evidence(verdict, opinions))
            right.append(number and text == truth)
            decided.append(_may_be_accepted(opinions, field.example.strip, text))
    inputs, targets, counts = np.array(found), np.array(right), np.array(decided, bool)
    if counts.sum() >= MIN_DECIDED:  # networks that have learned little find fault with everything
        inputs, targets = inputs[counts], targets[counts]
    half = len(inputs) // 2
    net = fit_logistic(inputs[:half], targets[:half])
    p = sigmoid(net(inputs[half:]))
    truth_there = targets[half:]
    thresholds = tuple((error, threshold_for(p, truth_there, error)) for error in ERROR_RATES)
    scores = {
        "synthetic_fields_exact": float(np.mean(exact)),
        **{f"synthetic_{name}_exact": float(np.mean(own)) for name, own in alone.items()},
        "synthetic_ece": expected_calibration_error(p, truth_there),
    }
    return Calibration(net, thresholds), scores


def _may_be_accepted(opinions: Mapping[str, Opinion], strip: Strip, text: str) -> bool:
    """Whether its confidence decides what becomes of a field that was read as `text`."""
    if remark_on(opinions, field_of(strip), strip.gray, text):
        return False
    if strip.kind != "amount" or not text:
        return True
    cut = lattice_opinion(opinions)
    return not amount_value(cut.marks(cut.path(text)), text, line_opinion(opinions).named(text))[1]


def fit_repairs(
    fields: Sequence[RecognizedExample],
    context: Mlp,
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
        if not 3 <= len(truth) <= MAX_RULED_DIGITS or field.example.cut.lattice.blank:
            continue
        drawn = tuple(int(weight) for weight in rng.choice([1, 3, 7, 9], MAX_RULED_DIGITS))
        remainder = sum(int(d) * w for d, w in zip(truth, drawn[-len(truth) :], strict=True)) % 10
        rules = FieldRules(digits=(len(truth), len(truth)), check=Weighted(drawn, 10, remainder))
        opinions = field.opinions(context)
        verdict = decide(opinions, field_of(strip), weights[kind])
        text = verdict.ballots[0].text
        if not text or rules.allows(text):
            continue
        broke += 1
        first = confidence(evidence(verdict, opinions), calibrations[kind])
        ruled = vote(ballots(opinions, field.digits, rules), weights[kind])
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


def fit_logistic(inputs: NDArray[np.float64], targets: NDArray[np.bool_], ridge: float = 1.0) -> Mlp:
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
    return Mlp(mean, scale, ((weights[:-1, None], weights[-1:]),))


def fit_net(inputs: NDArray[np.float64], targets: NDArray[np.bool_], hidden: tuple[int, ...], seed: int, epochs: int) -> Mlp:
    """Train a multilayer perceptron from inputs (n, features) float64 to the log-odds of `targets` (n,), see `mlp.Mlp`."""
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
    return Mlp(mean, scale, tuple(zip(weights[::2], weights[1::2], strict=True)))
