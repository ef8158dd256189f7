"""Fits what is used besides the networks: the context of a candidate, the weights of the vote, the confidence calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from docproc.learn.composing.examples import StripExample, field_of
from docproc.learn.composing.strips import AMBIGUOUS, Strip, label
from docproc.learn.evaluation.risk_control import ERROR_RATES
from docproc.learn.progress import Log, Step, counted
from docproc.meaning.amount_marks import amount_value
from docproc.meaning.decimals import Written, decimal_value
from docproc.mlp import Mlp, sigmoid
from docproc.readers import NETWORKS
from docproc.readers.confidence import Calibration, Thresholds, confidence
from docproc.readers.evidence import COMB, FREE, evidence, signs
from docproc.readers.handwriting import (
    decide,
    keep_rules,
    lattice_opinion,
    line_opinion,
    opinions_of,
    remark_on,
    score_all,
)
from docproc.readers.lattice.context import features
from docproc.readers.vote import Verdict, Weights, arguments, ballots, vote
from docproc.readers.voter import Opinion
from docproc.rules import FieldRules, Weighted
from docproc.types import KINDS, NOT_A_DIGIT, SMALL_DIGIT_PX, Kind

MIN_OF_A_SIZE = 1000  # fields: small digits get their own thresholds only from this many on, ten of them wrong at 1 % [guess]
MIN_DECIDED = 50  # minimum number of fields whose confidence decides their outcome for fitting a calibration
READ_AT_ONCE = 500  # composed fields between two progress reports
FOLDS = 5  # parts of the composed fields, each judged by a fit on the others
NO_NUMBER_WEIGHT = 1 / 4  # of a composed field without a number: people write fewer of them than the networks are trained on
MAX_RULED_DIGITS = 10  # of a field that is given a check digit


START_WEIGHTS: Mapping[str, float] = {"lattice": 0.5, "line": 0.5}  # starting point of the fit; 0 for other readers


@dataclass(frozen=True, slots=True)
class RecognizedExample:
    """A composed strip with the outputs of the networks."""

    example: StripExample
    scores: Mapping[str, Any]  # by reader name

    @property
    def digits(self) -> tuple[int, int] | None:
        """The bounds of the length of its text."""
        return field_of(self.example.strip).digits

    def opinions(self, context: Mlp) -> dict[str, Opinion]:
        """The opinion of each reader."""
        return opinions_of(self.example.views, self.scores, self.digits, {"lattice": context})


def recognize_examples(made: Sequence[StripExample], networks: Mapping[str, Any], log: Log) -> list[RecognizedExample]:
    """Run the networks, by reader name, on composed strips."""
    parts = [made[start : start + READ_AT_ONCE] for start in range(0, len(made), READ_AT_ONCE)]
    scores = [
        one
        for part in counted(parts, len(made), "reading composed fields", log, READ_AT_ONCE)
        for one in score_all([example.views for example in part], networks)
    ]
    return [RecognizedExample(*each) for each in zip(made, scores, strict=True)]


def fit_context(fields: Sequence[RecognizedExample], seed: int, log: Log) -> Mlp:
    """Learn from labeled lattices which candidates are whole digits, see `readers.lattice.context`."""
    inputs, targets = [], []
    for field in counted(fields, len(fields), "preparing the context", log):
        lattice = field.example.cut.lattice
        names = label(lattice, field.example.strip)
        clear = names != AMBIGUOUS
        if clear.any():
            inputs.append(features(lattice, field.scores["lattice"])[clear])
            targets.append(names[clear] != NOT_A_DIGIT)
    return fit_net(np.concatenate(inputs), np.concatenate(targets), (32, 16), seed, 8, log)


_Poll = tuple[NDArray[np.float64], int]  # the `arguments` of all proposed texts of a field, and the index of the true one


def fit_weights(fields: Sequence[RecognizedExample], context: Mlp, log: Log) -> dict[Kind, Weights]:
    """Learn the weight of each reader for each kind of field, see `readers.vote`; for a kind without fields, from all."""
    names, polls = tuple(NETWORKS), dict[Kind, list[_Poll]]()
    for field in counted(fields, len(fields), "fitting the vote", log):
        own = polls.setdefault(field.example.strip.kind, [])
        cast = ballots(field.opinions(context), field.digits)
        true = [ballot.text == field.example.strip.text for ballot in cast]
        if any(true) and len(cast) > 1:
            own.append((arguments(cast, names), true.index(True)))
    every = [poll for own in polls.values() for poll in own]
    return {kind: _fit_weights(polls.get(kind, every), names) for kind in KINDS}


def _fit_weights(tables: Sequence[_Poll], names: Sequence[str]) -> Weights:
    """The weights that maximize the likelihood of the true texts among all proposed ones."""
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


@dataclass(frozen=True, slots=True)
class _Judged:
    """A composed field with its reading."""

    evidence: NDArray[np.float64]
    right: bool
    small: bool  # whether its digits are below `SMALL_DIGIT_PX`
    weight: float  # how many fields it counts as
    decided: bool  # whether its confidence decides its outcome


def fit_calibration(
    fields: Sequence[RecognizedExample], kinds: Sequence[Kind], context: Mlp, weights: Mapping[Kind, Weights], log: Log
) -> tuple[dict[Kind, Calibration], dict[str, float]]:
    """Fit the probability that a field is right, and its thresholds.

    These come from probabilities of fits that did not see the field (cross-fitting, `FOLDS` parts). All `kinds` share them:
    the threshold of a single kind varies more between samples than between kinds. Returns the calibrations and their
    scores, see `_judge_all`, and the expected calibration error.
    """
    told = f"fitting the calibration ({', '.join(kinds)})"
    found, scores = _judge_all(fields, context, weights, told, log)
    judged = _deciding([one for one in found if one])
    p, net = _cross_fitted(judged, signs(COMB if "comb" in kinds else FREE))
    right, counts = np.array([one.right for one in judged]), np.array([one.weight for one in judged])
    # The cells of a comb limit the height of its digits, whatever their size.
    small = np.array([one.small and "comb" not in kinds for one in judged])
    fitted = Calibration(net, *thresholds_by_size(p, right, small, counts))
    return dict.fromkeys(kinds, fitted), scores | {"synthetic_ece": _error_of(judged, p)}


def _judge_all(
    fields: Sequence[RecognizedExample], context: Mlp, weights: Mapping[Kind, Weights], name: str, log: Log
) -> tuple[list[_Judged | None], dict[str, float]]:
    """The result of the vote in every field, None if it says nothing; and the share of fields read exactly.

    The scores are those of the vote and of each single reader.
    """
    judged, exact = list[_Judged | None](), list[bool]()
    alone: dict[str, list[bool]] = {}
    for field in counted(fields, len(fields), name, log):
        opinions, strip = field.opinions(context), field.example.strip
        verdict = decide(opinions, field_of(strip), weights[strip.kind])
        if not verdict.ballots or field.example.cut.lattice.blank:
            judged.append(None)
            continue
        if strip.number:
            cast = ballots(opinions, field.digits)
            for reader in opinions:
                alone.setdefault(reader, []).append(max(cast, key=lambda one: one.logs[reader]).text == strip.text)
            exact.append(verdict.ballots[0].text == strip.text)
        judged.append(_judged(verdict, opinions, strip))
    scores = {"fields": exact, **alone}
    return judged, {f"synthetic_{reader}_exact": float(np.mean(own)) for reader, own in scores.items()}


def _deciding(judged: Sequence[_Judged]) -> list[_Judged]:
    """Those whose confidence decides their outcome; all of them if these are few, as after a short training."""
    own = [one for one in judged if one.decided]
    return own if len(own) >= MIN_DECIDED else list(judged)


def _error_of(judged: Sequence[_Judged], p: NDArray[np.float64]) -> float:
    """The expected calibration error of the fields with a number."""
    numbers = np.array([one.weight == 1 for one in judged])
    return expected_calibration_error(p[numbers], np.array([one.right for one in judged])[numbers])


def _judged(verdict: Verdict, opinions: Mapping[str, Opinion], strip: Strip) -> _Judged | None:
    """The reading of a strip, for the calibration; None if it says nothing."""
    text = verdict.ballots[0].text
    if not text and "cells" not in opinions:
        return None
    # Reading the text that was overwritten, or written next to a scribble, does no harm, and is not required.
    if not strip.number and text and text == strip.meant:
        return None
    return _Judged(
        evidence(verdict, opinions),
        strip.number and text == strip.text,
        lattice_opinion(opinions).lattice.digit_px < SMALL_DIGIT_PX,
        1.0 if strip.number else NO_NUMBER_WEIGHT,
        # A field that goes to review whatever its confidence says nothing about the confidence of other fields.
        _may_be_accepted(opinions, strip, text),
    )


def _cross_fitted(judged: Sequence[_Judged], ways: NDArray[np.int64]) -> tuple[NDArray[np.float64], Mlp]:
    """The probability of each from a fit on the others, (len(judged),) float64; and the fit on all. For `ways` see `signs`."""
    inputs, targets = np.array([one.evidence for one in judged]), np.array([one.right for one in judged])
    counts, fold = np.array([one.weight for one in judged]), np.arange(len(judged)) % FOLDS
    p = np.zeros(len(judged))
    for k in range(FOLDS):
        own = fold == k
        p[own] = sigmoid(fit_logistic(inputs[~own], targets[~own], counts[~own], signs=ways)(inputs[own]))
    return p, fit_logistic(inputs, targets, counts, signs=ways)


def _may_be_accepted(opinions: Mapping[str, Opinion], strip: Strip, text: str) -> bool:
    """Whether confidence decides the outcome of a field that was read as `text`."""
    if remark_on(opinions, field_of(strip), strip.gray, text):
        return False
    if strip.kind not in ("amount", "decimal") or not text:
        return True
    cut = lattice_opinion(opinions)
    marked, named = cut.marks(cut.path(text)), line_opinion(opinions).named(text)
    doubt = amount_value(marked, text, named)[1] if strip.kind == "amount" else decimal_value(marked, named, text, Written())[1]
    return not doubt


def fit_repairs(
    fields: Sequence[RecognizedExample],
    context: Mlp,
    weights: Mapping[Kind, Weights],
    calibrations: Mapping[Kind, Calibration],
    seed: int,
    log: Log,
) -> tuple[Thresholds, dict[str, float]]:
    """Find the thresholds for texts that were changed to satisfy a rule; and count the outcomes of fields that broke one.

    Each field is given its own check digit, a weighted sum with random weights that holds for its true text.
    """
    rng = np.random.default_rng(seed)
    sure, right, broke, slipped = [], [], 0, 0
    for field in counted(fields, len(fields), "fitting the thresholds of repairs", log):
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
    scores = {
        "rule_broken": float(broke),
        "rule_repaired": float(len(sure)),
        "rule_repaired_right": float(correct.sum()),
        "rule_kept_as_slip": float(slipped),
    }
    return thresholds(p, correct, np.ones(len(p))), scores


def thresholds_by_size(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], small: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[Thresholds, Thresholds]:
    """(for usual digits, for small ones), see `threshold_for`; each of the four arrays is (fields,).

    Those for small digits are no lower than the others. If one of the two sizes has fewer than `MIN_OF_A_SIZE` fields, there is
    one threshold for all, and none for small digits.
    """
    if min(small.sum(), (~small).sum()) < MIN_OF_A_SIZE:
        return thresholds(confidence, right, weights), ()
    usual, own = (thresholds(confidence[size], right[size], weights[size]) for size in (~small, small))
    return usual, tuple((error, max(one, least)) for (error, one), (_, least) in zip(own, usual, strict=True))


def thresholds(confidence: NDArray[np.float64], right: NDArray[np.bool_], weights: NDArray[np.float64]) -> Thresholds:
    """The least confidence to accept at each of the `ERROR_RATES`, see `threshold_for`."""
    return tuple((error, threshold_for(confidence, right, error, weights)) for error in ERROR_RATES)


def threshold_for(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], max_error: float, weights: NDArray[np.float64] | None = None
) -> float:
    """The lowest confidence from which on the error rate is at most `max_error`; 1.01 if there is none.

    `weights` say how many fields each counts as; 1 if not given.
    """
    order = np.argsort(-confidence, kind="stable")
    each = np.ones(len(order)) if weights is None else weights[order]
    wrong = np.cumsum(each * ~right[order])
    count = np.cumsum(each)
    # A tie is accepted or refused as a whole.
    last_of_tie = np.r_[confidence[order][1:] != confidence[order][:-1], True]
    fine = np.flatnonzero(last_of_tie & (wrong <= max_error * count))
    return float(confidence[order][fine[-1]]) if len(fine) else 1.01


def expected_calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_], bins: int = 10) -> float:
    """Mean gap between confidence and accuracy over bins of equal count (M. Naeini et al., 2015)."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(confidence[p].mean() - right[p].mean()) * len(p) for p in parts) / max(1, len(order)))


def fit_logistic(
    inputs: NDArray[np.float64],
    targets: NDArray[np.bool_],
    counts: NDArray[np.float64] | None = None,
    *,
    signs: NDArray[np.int64] | None = None,
    ridge: float = 1.0,
) -> Mlp:
    """Logistic regression on inputs (n, features), with a small ridge penalty so that it also converges on separable data.

    `counts` say how many inputs each counts as, 1 if not given. `signs` (features,) bound the weights: 1 not below 0, -1 not
    above 0, 0 not at all. Without bounds, correlated features get weights of opposite signs, and less evidence can make a text
    more probable.
    """
    each = np.ones(len(inputs)) if counts is None else counts
    mean, scale = inputs.mean(axis=0), inputs.std(axis=0) + 1e-6
    x = np.column_stack([np.clip((inputs - mean) / scale, -6, 6), np.ones(len(inputs))])
    penalty = np.r_[np.full(inputs.shape[1], ridge), 1e-9]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logits = x @ weights
        value = each @ (np.logaddexp(0, logits) - targets * logits) + penalty @ weights**2 / 2
        return float(value), x.T @ (each * (sigmoid(logits) - targets)) + penalty * weights

    free = np.zeros(inputs.shape[1], np.int64) if signs is None else signs
    bounds = [(0.0 if sign > 0 else None, 0.0 if sign < 0 else None) for sign in (*free, 0)]
    options = {"maxiter": 5_000, "maxfun": 50_000, "ftol": 1e-14, "gtol": 1e-9}
    weights = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    return Mlp(mean, scale, ((weights[:-1, None], weights[-1:]),))


def fit_net(
    inputs: NDArray[np.float64], targets: NDArray[np.bool_], hidden: tuple[int, ...], seed: int, epochs: int, log: Log
) -> Mlp:
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
    log(Step("fitting the context", 0, epochs))
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: log(Step("fitting the context", epoch + 1, epochs, f"epoch {epoch + 1}/{epochs}"))
    )
    model.fit(x, targets.astype(np.float32), batch_size=256, epochs=epochs, verbose=0, callbacks=[told])
    weights = [np.asarray(w, np.float64) for w in model.get_weights()]
    return Mlp(mean, scale, tuple(zip(weights[::2], weights[1::2], strict=True)))
