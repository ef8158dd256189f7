"""Guess a form's position by features of its print: ORB (Rublee 2011), matched, with MAGSAC (Barath 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.fitting import FIT, MIN_PAIRS, SEED
from docproc.pages.register.warp import Matrix, mapped
from docproc.types import Gray

FeaturePoints = NDArray[np.float32]  # (n, 2) float32, x and y
Descriptors = NDArray[np.uint8]  # (n, 32) uint8


@dataclass(frozen=True, slots=True)
class FeatureTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    max_features: int = 2500  # per image [guess]
    min_corner_gray: int = 12  # between a corner and its surroundings, FAST's threshold [guess]
    max_distance_ratio: float = 0.85  # of a descriptor's distance to that of the second best match [guess]
    max_error_px: float = 4.0  # of a pair that fits a homography, on the page at the working size [guess]
    max_similarity_error_px: float = 6.0  # the same for a similarity; a page is rarely quite flat [guess]
    max_iterations: int = 3000  # of the search for the map [guess]
    confidence: float = 0.999  # at which that search may stop early [guess]


FEATURES = FeatureTuning()


def features(picture: Gray) -> tuple[FeaturePoints, Descriptors]:
    """The features of a flattened image, and their descriptors."""
    orb = cv2.ORB.create(nfeatures=FEATURES.max_features, fastThreshold=FEATURES.min_corner_gray)
    keys, descriptors = orb.detectAndCompute(picture, None)
    if not len(keys):
        return np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8)
    return np.array([key.pt for key in keys], np.float32), np.asarray(descriptors, np.uint8)


def guesses_by_features(page: Gray, form_points: FeaturePoints, form_descriptors: Descriptors) -> Iterator[Matrix]:
    """Homographies from px of the form's image to px of the flattened `page`, most likely first."""
    points, descriptors = features(page)
    here, there = _clear_pairs(points, descriptors, form_points, form_descriptors)
    if not len(here):
        return
    fits: list[tuple[int, Matrix]] = []
    for found in (_similarity(here, there), _homography(here, there)):
        if found is not None and np.isfinite(found).all():
            distances = np.hypot(*(mapped(found, here) - there).T)
            fits.append((int((distances <= FEATURES.max_similarity_error_px).sum()), found))
    if len(fits) == 2 and fits[0][0] < FIT.min_rigid_share * fits[1][0]:
        fits.reverse()
    for _, matrix in fits:
        yield matrix


def agreeing(page: tuple[FeaturePoints, Descriptors], form_points: FeaturePoints, form_descriptors: Descriptors) -> int:
    """The number of features of the form arranged on the page as on the form; `page` are the page's features."""
    here, there = _clear_pairs(*page, form_points, form_descriptors)
    found = _similarity(here, there) if len(here) else None
    if found is None or not np.isfinite(found).all():
        return 0
    return int((np.hypot(*(mapped(found, here) - there).T) <= FEATURES.max_similarity_error_px).sum())


def _clear_pairs(
    points: FeaturePoints, descriptors: Descriptors, form_points: FeaturePoints, form_descriptors: Descriptors
) -> tuple[FeaturePoints, FeaturePoints]:
    """Features of the form, and the page feature that is clearly the best match of each; none if there are too few."""
    none = np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
    if min(len(points), len(form_points)) < MIN_PAIRS:
        return none
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(form_descriptors, descriptors, k=2)
    clear = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < FEATURES.max_distance_ratio * pair[1].distance]
    if len(clear) < MIN_PAIRS:
        return none
    return form_points[[match.queryIdx for match in clear]], points[[match.trainIdx for match in clear]]


def _homography(here: FeaturePoints, there: FeaturePoints) -> Matrix | None:
    cv2.setRNGSeed(SEED)
    matrix, _ = cv2.findHomography(
        here, there, cv2.USAC_MAGSAC, FEATURES.max_error_px, maxIters=FEATURES.max_iterations, confidence=FEATURES.confidence
    )
    return None if matrix is None else np.asarray(matrix, np.float64)


def _similarity(here: FeaturePoints, there: FeaturePoints) -> Matrix | None:
    cv2.setRNGSeed(SEED)
    affine, _ = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=FEATURES.max_similarity_error_px, maxIters=FEATURES.max_iterations
    )
    return None if affine is None else np.vstack([affine, [0, 0, 1]])
