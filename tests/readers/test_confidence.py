from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docproc.learn.training.calibration import (
    expected_calibration_error,
    fit_logistic,
    threshold_for,
    thresholds,
    thresholds_by_size,
)
from docproc.mlp import Mlp, sigmoid
from docproc.readers.confidence import Acceptance, Calibration, enough, judge, judge_empty, least, only_unsure, too_low
from docproc.types import SMALL_DIGIT_PX, Box, Field, Kind, Reading


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


def test_a_card_keeps_the_thresholds_of_small_digits() -> None:
    one = replace(calibration(), small=((0.01, 0.97), (0.05, 0.8)))
    assert Calibration.from_card(one.to_card()).small == one.small


@pytest.mark.parametrize(
    ("digit_px", "kind", "name", "wanted"),
    [
        (SMALL_DIGIT_PX, "amount", "total", 0.9),
        (SMALL_DIGIT_PX - 0.1, "amount", "total", 0.95),
        (None, "amount", "total", 0.9),
        (12.0, "string", "total", 0.8),
        (12.0, "amount", "own", 0.7),
    ],
)
def test_small_digits_need_more(digit_px: float | None, kind: Kind, name: str, wanted: float) -> None:
    accept = Acceptance({"amount": 0.9, "string": 0.8}, 0.92, {"own": 0.7}, 0.01, small={"amount": 0.95})
    field = Field(name, Box(0, 0, 9, 9), kind)
    assert accept.of(field, Reading("12", 0.9, digit_px=digit_px)) == wanted
    assert accept.of(field, Reading("12", 0.9, changed_by="range", digit_px=digit_px)) == max(wanted, 0.92)


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
    status, reason = judge(Reading(text, confidence), 0.95, max_error=0.01, inked=inked, required=required)
    assert status == expected
    assert bool(reason) == (expected == "review")


def test_a_person_is_told_everything_that_speaks_against_a_field() -> None:
    reading = Reading("12", 0.878, remark="breaks a rule: range")
    told = judge(reading, 0.93, max_error=0.01, inked=True, required=False, doubts=("", "a", "a"), damage="torn")
    assert told == ("review", "breaks a rule: range; a; torn; confidence 0.878, 0.93 needed at 1 %")
    assert not only_unsure(told[1])
    unsure = judge(Reading("12", 0.878), 0.93, max_error=0.005, inked=True, required=False)
    assert unsure == ("review", "confidence 0.878, 0.93 needed at 0.5 %")
    assert only_unsure(unsure[1])
    assert only_unsure(f"{unsure[1]}; the same file as b.png")
    assert only_unsure("low confidence")  # as tables of earlier versions have it


def test_what_is_needed_is_more_than_what_there_is() -> None:
    assert too_low(0.93, 0.93001, 0.01) == "confidence 0.93, 0.9301 needed at 1 %"
    assert too_low(0.9299, 0.93, 0.01) == "confidence 0.9299, 0.93 needed at 1 %"
    assert too_low(0.9999, 1.01, 0.0001) == "confidence 0.9999, and no confidence is enough at 0.01 %"


def test_an_empty_field_says_why() -> None:
    assert judge(Reading("", 0.99, remark="crossed out"), 0.9, max_error=0.01, inked=True, required=False)[0] == "blank"
    weak = judge(Reading("", 0.5, remark="crossed out"), 0.9, max_error=0.01, inked=True, required=False)
    assert weak == ("review", "crossed out; confidence 0.5, 0.9 needed at 1 %")
    damaged = judge(Reading("", 0.0), 0.9, max_error=0.01, inked=False, required=True, damage="torn")
    assert damaged == ("review", "blank, and required; torn")
    assert judge_empty("a dash is written", required=False) == ("blank", "a dash is written")
    assert judge_empty("a dash is written", required=True) == ("review", "a dash is written; blank, and required")


def test_threshold_for_counts_ties_as_one() -> None:
    confidence = np.array([0.9, 0.9, 0.8, 0.7])
    right = np.array([True, False, True, True])
    assert threshold_for(confidence, right, 0.0) > 1
    assert threshold_for(confidence, right, 0.25) == 0.7
    assert threshold_for(confidence, right, 0.34) == 0.7
    assert threshold_for(np.array([0.9, 0.8, 0.7]), np.array([True, True, False]), 0.0) == 0.8


def test_a_field_may_count_less_than_others() -> None:
    confidence, right = np.array([0.9, 0.8, 0.7]), np.array([True, False, True])
    assert threshold_for(confidence, right, 0.3) == 0.9
    assert threshold_for(confidence, right, 0.3, np.array([1.0, 0.25, 1.0])) == 0.7
    inputs, counts = np.ones((2, 1)), np.array([3.0, 1.0])
    assert sigmoid(fit_logistic(inputs, np.array([True, False]), counts, ridge=1e-9)(inputs)) == pytest.approx(0.75, abs=1e-3)


def test_small_digits_get_a_threshold_of_their_own_if_there_are_enough() -> None:
    """Usual digits are wrong in the ten least sure fields of a hundred, small ones in thirty."""
    confidence = np.tile(np.arange(100) / 100, 40)
    small = np.repeat([False, True], 2_000)
    right = np.where(small, confidence >= 0.3, confidence >= 0.1)
    usual, own = thresholds_by_size(confidence, right, small, np.ones(4_000))
    assert least(usual, 0.1) == 0.0
    assert 0.2 < least(own, 0.1) < 0.3
    few = np.arange(4_000) < 900
    assert thresholds_by_size(confidence, right, few, np.ones(4_000))[1] == ()


def test_no_field_is_accepted_that_is_far_less_certain_than_allowed() -> None:
    """A thousand sure fields would make up for one that is probably wrong."""
    confidence, right = np.r_[np.full(1_000, 0.999), 0.1], np.arange(1_001) < 1_000
    found = thresholds(confidence, right, np.ones(1_001))
    assert least(found, 0.01) == 0.1
    assert [enough(found, error) for error in (0.01, 0.02, 0.05)] == [0.9, 0.8, 0.5]
    assert enough(calibration().thresholds, 0.005) == 0.99


def test_less_evidence_makes_no_text_more_probable() -> None:
    """Two kinds of evidence that go together, of which one alone would get a weight against the text."""
    rng = np.random.default_rng(1)
    strength = rng.normal(0, 1, 2_000)
    inputs = np.column_stack([strength, strength + rng.normal(0, 0.1, 2_000)])
    targets = rng.uniform(0, 1, 2_000) < sigmoid(4 * inputs[:, 0] - 2 * inputs[:, 1])
    ((free, _),) = fit_logistic(inputs, targets).layers
    assert free[1, 0] < 0 < free[0, 0]
    ((bounded, _),) = fit_logistic(inputs, targets, signs=np.array([1, 1])).layers
    assert bounded[1, 0] == 0
    assert bounded[0, 0] > 1
    ((against, _),) = fit_logistic(inputs, targets, signs=np.array([-1, 0])).layers
    assert against[0, 0] == 0


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
