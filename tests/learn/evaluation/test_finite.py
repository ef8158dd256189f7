"""Bounds on the errors among a finite number of fields hold as often as they say."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from docproc.learn.evaluation.finite import fewest_errors, fields_to_draw, hypergeometric_cdf, most_errors
from docproc.learn.evaluation.scoring import error_upper_bound


@pytest.mark.parametrize(("errors", "drawn", "fields"), [(3, 4, 9), (0, 4, 9), (9, 4, 9), (5, 9, 9), (6, 7, 9), (2, 0, 9)])
def test_the_distribution_is_that_of_drawing_by_lot(errors: int, drawn: int, fields: int) -> None:
    found = np.array([sum(field < errors for field in sample) for sample in combinations(range(fields), drawn)])
    for wrong in range(-1, drawn + 1):
        assert hypergeometric_cdf(wrong, drawn, errors, fields) == pytest.approx((found <= wrong).mean())


@pytest.mark.parametrize(("drawn", "errors", "fields"), [(10, 1, 9), (-1, 1, 9), (3, 10, 9)])
def test_what_cannot_be_drawn_is_refused(drawn: int, errors: int, fields: int) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        hypergeometric_cdf(0, drawn, errors, fields)


def test_the_bound_is_the_last_number_that_is_not_ruled_out() -> None:
    for fields, drawn, wrong in ((400, 60, 0), (400, 60, 3), (17_000, 340, 1), (50, 49, 2)):
        most = most_errors(wrong, drawn, fields)
        assert hypergeometric_cdf(wrong, drawn, most, fields) > 0.05
        assert most == fields - drawn + wrong or hypergeometric_cdf(wrong, drawn, most + 1, fields) <= 0.05


def test_what_is_known_of_nothing_and_of_all() -> None:
    assert (most_errors(0, 0, 80), fewest_errors(0, 0, 80)) == (80, 0)
    assert (most_errors(3, 80, 80), fewest_errors(3, 80, 80)) == (3, 3)
    assert (most_errors(7, 7, 80), fewest_errors(0, 7, 80)) == (80, 0)
    # Of a large number it is Clopper's and Pearson's.
    assert most_errors(2, 300, 10_000_000) / 10_000_000 == pytest.approx(error_upper_bound(2, 300), abs=1e-4)


@pytest.mark.parametrize(
    ("fields", "errors", "drawn"), [(5000, 50, 100), (800, 8, 200), (800, 8, 500), (3000, 4, 60), (600, 90, 59)]
)
def test_in_a_thousand_audits_the_bound_holds_as_often_as_it_says(fields: int, errors: int, drawn: int) -> None:
    found = np.random.default_rng().hypergeometric(errors, fields - errors, drawn, 1000)
    bounds = {int(wrong): most_errors(int(wrong), drawn, fields) for wrong in np.unique(found)}
    held = sum(bounds[int(wrong)] >= errors for wrong in found)
    assert held >= 930  # 950 are expected at least; three standard deviations less is 929
    above = sum(fewest_errors(int(wrong), drawn, fields) <= errors for wrong in found)
    assert above >= 930


@pytest.mark.parametrize(("fields", "drawn"), [(60, 13), (200, 40), (315, 100)])
def test_whatever_is_wrong_the_bound_holds_with_95_percent(fields: int, drawn: int) -> None:
    bounds = [most_errors(wrong, drawn, fields) for wrong in range(drawn + 1)]
    for errors in range(fields + 1):
        misses = sum(bound < errors for bound in bounds)  # the bound rises with what is found
        assert hypergeometric_cdf(misses - 1, drawn, errors, fields) <= 0.05


def test_how_many_fields_it_takes() -> None:
    for wrong, fields, max_error in ((0, 1000, 0.01), (2, 5000, 0.005), (9, 1000, 0.01), (0, 315, 0.01)):
        needed = fields_to_draw(wrong, fields, max_error)
        assert needed is not None
        assert most_errors(wrong, needed, fields) <= max_error * fields < most_errors(wrong, needed - 1, fields)
    assert fields_to_draw(11, 1000, 0.01) is None
    assert fields_to_draw(10, 1000, 0.01) == 996  # an eleventh among the other four has a probability of 4.3 %
