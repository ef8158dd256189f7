from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.training.calibration import expected_calibration_error, threshold_for
from docproc.mlp import Mlp
from docproc.readers.confidence import Calibration, judge, least
from docproc.types import Reading


def calibration() -> Calibration:
    net = Mlp(np.zeros(2), np.ones(2), ((np.array([[1.0], [0.0]]), np.array([0.5])),))
    return Calibration(net, ((0.005, 0.99), (0.01, 0.95), (0.05, 0.7)))


@pytest.mark.parametrize(("allowed", "wanted"), [(0.01, 0.95), (0.02, 0.95), (0.05, 0.7), (0.5, 0.7), (0.005, 0.99)])
def test_the_nearest_error_that_is_no_larger_counts(allowed: float, wanted: float) -> None:
    assert least(calibration().thresholds, allowed) == wanted


@pytest.mark.parametrize("allowed", [0.0, 0.001])
def test_an_error_that_was_never_measured_accepts_nothing(allowed: float) -> None:
    assert least(calibration().thresholds, allowed) > 1


def test_a_card_gives_the_same_calibration_back() -> None:
    one = calibration()
    two = Calibration.from_card(one.to_card())
    assert two.thresholds == one.thresholds
    features = np.random.default_rng(0).normal(size=(20, 2))
    assert np.allclose(two.net(features), one.net(features))


@pytest.mark.parametrize(
    ("text", "confidence", "inked", "required", "expected"),
    [
        ("12", 0.99, True, False, "ok"),
        ("12", 0.5, True, False, "review"),
        ("", 0.0, False, False, "blank"),
        ("", 0.0, False, True, "review"),
        ("", 0.0, True, False, "review"),
    ],
)
def test_judge(text: str, confidence: float, inked: bool, required: bool, expected: str) -> None:
    status, reason = judge(Reading(text, confidence), 0.95, inked=inked, required=required)
    assert status == expected
    assert bool(reason) == (expected == "review")


def test_threshold_for_counts_ties_as_one() -> None:
    confidence = np.array([0.9, 0.9, 0.8, 0.7])
    right = np.array([True, False, True, True])
    assert threshold_for(confidence, right, 0.0) > 1
    assert threshold_for(confidence, right, 0.25) == 0.7
    assert threshold_for(confidence, right, 0.34) == 0.7
    assert threshold_for(np.array([0.9, 0.8, 0.7]), np.array([True, True, False]), 0.0) == 0.8


def test_calibration_error_of_a_perfect_and_of_a_boastful_reader() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(0, 1, 20_000)
    right = rng.uniform(0, 1, 20_000) < p
    assert expected_calibration_error(p, right) < 0.02
    assert expected_calibration_error(np.full(1000, 0.99), np.arange(1000) % 2 == 0) == pytest.approx(0.49)


@pytest.mark.parametrize("damage", [{"layers": []}, {"mean": [0.0]}, {"scale": [1.0, -1.0]}])
def test_a_damaged_network_in_a_card_is_refused(damage: dict[str, object]) -> None:
    card = calibration().net.to_card() | damage
    with pytest.raises((ValueError, KeyError, TypeError)):
        Mlp.from_card(card)
