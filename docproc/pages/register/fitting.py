"""Fit the map from points of a form to points of a page: first to the pairs that agree, then by least squares."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.warp import Matrix, Points, local_scales, mapped

SEED = 1  # of OpenCV's random numbers: the same page always gives the same result [guess]
MIN_PAIRS = 8  # of points, for any map [guess]

Weights = NDArray[np.float64]  # (n,) float64, 0 or more


@dataclass(frozen=True, slots=True)
class FitTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # The map that most pairs agree on.
    min_flexible_pairs: int = 16  # with fewer only a similarity is fitted [guess]
    min_rigid_share: float = 0.85  # of the pairs that a more flexible map fits, needed to prefer a more rigid one [guess]
    max_homography_iterations: int = 2000  # of the search for it [guess]
    max_affine_iterations: int = 1000  # likewise [guess]
    confidence: float = 0.999  # at which these searches may stop early [guess]

    # Least squares: pairs are weighted by their correlation, and by their distance from the fit.
    rounds: int = 6  # [guess]
    min_spread_px: float = 0.5  # of the form's image, spread of the distances from the fit [guess]
    spread_ratio: float = 1.5  # of that spread to the median of the distances [guess]
    zero_weight_spreads: float = 3  # beyond which a pair does not count [guess]
    zero_weight_likeness: float = 0.4  # correlation at which a patch does not count [guess]
    max_flat_ratio: float = 1.25  # of the squared error of an affine map to that of a homography, for a flat page [guess]
    max_flat_error_px2: float = 0.01  # by which it may be larger in addition, px squared [guess]


FIT = FitTuning()


def agreed_map(here: Points, there: Points, max_error: float) -> Matrix | None:
    """The map that most pairs follow within `max_error` px of the page; None if fewer than eight do.

    Of maps that fit about as many, the most rigid one is taken: handwriting mistaken for print must not distort the page.
    """
    if len(here) < MIN_PAIRS:
        return None
    fits: list[tuple[int, Matrix]] = []
    for kind in ("similar", "affine", "homography") if len(here) >= FIT.min_flexible_pairs else ("similar",):
        cv2.setRNGSeed(SEED)
        if kind == "homography":
            matrix, _ = cv2.findHomography(
                here, there, cv2.USAC_MAGSAC, max_error, maxIters=FIT.max_homography_iterations, confidence=FIT.confidence
            )
        else:
            estimate = cv2.estimateAffinePartial2D if kind == "similar" else cv2.estimateAffine2D
            affine, _ = estimate(
                here,
                there,
                method=cv2.RANSAC,
                ransacReprojThreshold=max_error,
                maxIters=FIT.max_affine_iterations,
                confidence=FIT.confidence,
            )
            matrix = None if affine is None else np.vstack([affine, [0, 0, 1]])
        if matrix is not None and np.isfinite(matrix).all():
            fit = np.asarray(matrix, np.float64)
            fits.append((int((np.hypot(*(mapped(fit, here) - there).T) <= max_error).sum()), fit))
    most = max((count for count, _ in fits), default=0)
    return next(matrix for count, matrix in fits if count >= FIT.min_rigid_share * most) if most >= MIN_PAIRS else None


def polished(matrix: Matrix, here: Points, offsets: Points, likeness: NDArray[np.float64], max_distance: float) -> Matrix:
    """Refine by weighted least squares: the best matches count most, outliers not at all (Tukey's biweight).

    The points `here` of the form's image were seen at `offsets` px, with correlations `likeness` (n,). A flat page gets an
    affine map: the two additional degrees of freedom would only carry errors to its corners. For comparing the two, errors are
    clipped at `max_distance` px of the form's image.
    """
    there = mapped(matrix, here + offsets)
    scales = local_scales(matrix, here)
    strength = (likeness - FIT.zero_weight_likeness) ** 2
    fits = []
    for fit in (_affine, _homography):
        fitted = matrix
        for _ in range(FIT.rounds):
            distances = np.hypot(*(mapped(fitted, here) - there).T) / scales
            spread = max(FIT.min_spread_px, FIT.spread_ratio * float(np.median(distances)))
            near = np.clip(1 - (distances / (FIT.zero_weight_spreads * spread)) ** 2, 0, 1) ** 2
            weights = near * strength
            if int((weights > 0).sum()) < MIN_PAIRS:
                return matrix
            fitted = fit(here, there, weights)
        distances = np.minimum(np.hypot(*(mapped(fitted, here) - there).T) / scales, max_distance)
        fits.append((fitted, float(np.average(distances**2, weights=strength))))
    flat, bent = fits
    return flat[0] if flat[1] <= FIT.max_flat_ratio * bent[1] + FIT.max_flat_error_px2 else bent[0]


def _affine(here: Points, there: Points, weights: Weights) -> Matrix:
    root = np.sqrt(weights)[:, None]
    solved = np.linalg.lstsq(np.c_[here, np.ones(len(here))] * root, there * root, rcond=None)[0]
    return np.vstack([solved.T, [0, 0, 1]])


def _homography(here: Points, there: Points, weights: Weights) -> Matrix:
    """The direct linear transform on normalized points (Hartley 1997)."""
    to_unit = []
    for points in (here, there):
        middle, spread = points.mean(0), float(points.std()) or 1.0
        to_unit.append(np.array([[1 / spread, 0, -middle[0] / spread], [0, 1 / spread, -middle[1] / spread], [0, 0, 1]]))
    (x, y), (u, v) = mapped(to_unit[0], here).T, mapped(to_unit[1], there).T
    one, none = np.ones_like(x), np.zeros_like(x)
    rows = np.stack(
        [np.c_[x, y, one, none, none, none, -u * x, -u * y, -u], np.c_[none, none, none, x, y, one, -v * x, -v * y, -v]]
    )
    _, _, right = np.linalg.svd((rows * np.sqrt(weights)[:, None]).reshape(-1, 9), full_matrices=False)
    matrix = np.linalg.inv(to_unit[1]) @ right[-1].reshape(3, 3) @ to_unit[0]
    return np.asarray(matrix / matrix[2, 2], np.float64)
