"""Fit how free fields are read: the first look, what it takes to settle a field, and the last look at all others.

Each look has a calibration of its own, and both together have one set of thresholds, so that what is promised of the accepted
fields holds whoever settled them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from docproc.learn.progress import Log
from docproc.learn.training.calibration import (
    MIN_DECIDED,
    RecognizedExample,
    cross_fitted,
    deciding,
    error_of,
    judge_all,
    threshold_for,
    thresholds_of,
)
from docproc.mlp import Mlp, sigmoid
from docproc.readers.confidence import Calibration
from docproc.readers.evidence import FIRST, FREE, signs
from docproc.readers.model import FirstLook
from docproc.readers.vote import Weights
from docproc.types import FREE_KINDS, Kind

SETTLED_ERROR = 0.003  # 0..1: share of the composed fields that the first look settles which it may read wrong


def fit_looks(
    fields: Sequence[RecognizedExample], context: Mlp, first: Mapping[Kind, Weights], last: Mapping[Kind, Weights], log: Log
) -> tuple[FirstLook, dict[Kind, Calibration], dict[str, float]]:
    """Fit both looks at free fields, whose votes have the weights `first` and `last`.

    Returns the first look, the calibrations of the last one, and the scores of `judge_all` with the share that is settled and
    the expected calibration error.
    """
    early, _ = judge_all(fields, lambda field: field.first_opinions(context), first, "fitting the first look", log)
    late, scores = judge_all(fields, lambda field: field.opinions(context), last, "fitting the calibration", log)
    looked = deciding([one for one in early if one])
    p, net = cross_fitted(looked, signs(FIRST))
    settled = threshold_for(p, np.array([o.right for o in looked]), SETTLED_ERROR, np.array([o.weight for o in looked]))
    # One that goes to review whatever its confidence is has no part in the thresholds, and is settled all the same.
    sure = [one is not None and float(sigmoid(net(one.evidence[None, :]))[0]) >= settled for one in early]
    chosen = {id(one): float(own) for one, own in zip(looked, p, strict=True)}
    by_first = [one for one, yes in zip(early, sure, strict=True) if one and yes and id(one) in chosen]
    left = [one for one, yes in zip(late, sure, strict=True) if one and not yes]
    by_last = deciding(left if len(left) >= MIN_DECIDED else [one for one in late if one])
    later, last_net = cross_fitted(by_last, signs(FREE))
    both, probabilities = [*by_first, *by_last], np.concatenate([[chosen[id(one)] for one in by_first], later])
    thresholds = thresholds_of(FREE_KINDS, both, probabilities)
    scores |= {"synthetic_settled": float(np.mean(sure)), "synthetic_ece": error_of(both, probabilities)}
    return (
        FirstLook({kind: first[kind] for kind in FREE_KINDS}, _calibrations(net, thresholds), settled),
        _calibrations(last_net, thresholds),
        scores,
    )


def _calibrations(net: Mlp, thresholds: Mapping[Kind, tuple[tuple[float, float], ...]]) -> dict[Kind, Calibration]:
    return {kind: Calibration(net, own) for kind, own in thresholds.items()}
