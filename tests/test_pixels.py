from __future__ import annotations

import itertools
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.pixels import PIXELS, components, inked_pixels, level_counts, level_quantile, otsu, quantile, separation


@pytest.mark.parametrize("levels", [2, 5, 256])
def test_quantiles_are_those_of_numpy(levels: int) -> None:
    rng = np.random.default_rng(levels)
    for size in (1, 2, 7, 400):
        gray = rng.integers(0, levels, (1, size)).astype(np.uint8)
        for share in (0.0, 0.1, 0.5, 0.73, 0.9, 1.0):
            expected = float(np.quantile(gray, share))
            assert quantile(gray.ravel(), share) == pytest.approx(expected, abs=1e-9)
            assert level_quantile(level_counts(gray), share) == pytest.approx(expected, abs=1e-9)


def test_a_threshold_tells_the_mean_of_both_sides() -> None:
    gray = np.array([[10, 12, 200, 202, 204]], np.uint8)
    threshold, dark, light = otsu(gray)
    assert 12 <= threshold < 200
    assert (dark, light) == (11.0, 202.0)
    assert otsu(np.full((3, 3), 77, np.uint8)) == (77.0, 77.0, 77.0)


def test_separation_tells_two_levels_from_one_spread() -> None:
    two = np.full((10, 10), 200, np.uint8)
    two[:2] = 180
    assert separation(two, 180) == pytest.approx((0.2, 1.0))
    grain = np.random.default_rng(0).normal(128, 20, (200, 200)).astype(np.uint8)
    share, separated = separation(grain, otsu(grain)[0])
    assert share == pytest.approx(0.5, abs=0.03)
    assert separated == pytest.approx(2 / np.pi, abs=0.02)  # of a normal distribution cut in its middle
    assert separation(np.full((3, 3), 77, np.uint8), 77) == (1.0, 0.0)


@pytest.mark.parametrize("kind", [np.uint8, np.int32])
def test_inked_pixels_are_those_of_nonzero(kind: type) -> None:
    mask: NDArray[Any] = (np.random.default_rng(1).random((30, 70)) < 0.2).astype(kind)
    for found, expected in zip(inked_pixels(mask), mask.nonzero(), strict=True):
        assert np.array_equal(found, expected)
    assert [len(places) for places in inked_pixels(np.zeros((4, 5), kind))] == [0, 0]


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("inside", [1, 255])
def test_components_are_measured_as_by_opencv(connectivity: Literal[4, 8], inside: int) -> None:
    rng = np.random.default_rng(connectivity)
    for share, large in itertools.product((0.0, 0.05, 0.3, 0.6, 0.95, 1.0), (False, True)):
        height, width = rng.integers(120, 170, 2) if large else rng.integers(1, 50, 2)
        assert (height * width >= PIXELS.min_runs_px) == large
        mask = (rng.random((height, width)) < share).astype(np.uint8) * np.uint8(inside)
        _, expected, measured, _ = cv2.connectedComponentsWithStats(mask, connectivity=connectivity)
        labels, table = components(mask, connectivity)
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_array_equal(table, measured[1:])
        assert labels.dtype == table.dtype == np.dtype("int32")
