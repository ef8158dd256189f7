"""Homographies, and images that are warped by them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import flatten_light
from docproc.types import Gray

Matrix = NDArray[np.float64]  # (3, 3) float64 homography on (x, y, 1); integers are pixel centers
Points = NDArray[np.float64]  # (n, 2) float64, x and y


@dataclass(frozen=True, slots=True)
class WarpTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    light_reach_px: int = 61  # over which the light is flattened [guess]
    blur_px: float = 0.8  # standard deviation; makes thresholded pages similar to grayscale ones [guess]
    max_shrink_at_once: float = 0.95  # an image that is shrunk further than this is shrunk before it is warped [guess]
    max_side_px: int = 30_000  # OpenCV cannot warp images of more than 32 767 px [geometry]

    # What a scan or a photograph may do to a form.
    min_depth_ratio: float = 0.2  # of a corner's distance from the camera to that of the upper left corner [guess]
    min_corner_sine: float = 0.6  # of the angles at the form's corners [guess]
    max_stretch_ratio: float = 1.8  # of the most enlarged side to the least enlarged one [guess]
    max_middle_outside_share: float = 0.1  # of the page, by which the center of the form may be outside it [guess]
    min_form_side_px: float = 100  # of its longest side on the page [guess]


WARP = WarpTuning()


def resizing(factor: float) -> Matrix:
    """The map from px of an image to px of the same image `factor` times as large."""
    shift = (factor - 1) / 2
    return np.array([[factor, 0, shift], [0, factor, shift], [0, 0, 1]], np.float64)


def stretching(factor: float) -> Matrix:
    """The map from px of an image to px of the same image `factor` times as tall."""
    return np.array([[1, 0, 0], [0, factor, (factor - 1) / 2], [0, 0, 1]], np.float64)


def mapped(matrix: Matrix, points: NDArray[np.floating]) -> Points:
    """The points (n, 2) mapped by the homography."""
    whole = np.c_[points, np.ones(len(points))] @ matrix.T
    return np.asarray(whole[:, :2] / whole[:, 2:], np.float64)


def corners_of(width: float, height: float, left: float = 0, top: float = 0) -> Points:
    """The corners of a rectangle, (4, 2), clockwise from the upper left."""
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64) - 0.5


def local_scales(matrix: Matrix, points: Points) -> NDArray[np.float64]:
    """Px after per px before at each point: the root of the determinant of the homography's derivative."""
    depth = np.c_[points, np.ones(len(points))] @ matrix[2]
    return np.asarray(np.sqrt(np.abs(np.linalg.det(matrix) / depth**3)), np.float64)


def largest_scales(matrix: Matrix, points: Points) -> NDArray[np.float64]:
    """Px after per px before at each point, in the direction of the largest scale."""
    whole = np.c_[points, np.ones(len(points))] @ matrix.T
    placed = whole[:, :2] / whole[:, 2:]
    bent = (matrix[None, :2, :2] - placed[:, :, None] * matrix[None, 2:, :2]) / whole[:, 2, None, None]
    return np.asarray(np.linalg.svd(bent, compute_uv=False)[:, 0], np.float64)


def is_plausible(
    matrix: Matrix, size: tuple[float, float], shape: tuple[int, ...], outside: float = WARP.max_middle_outside_share
) -> bool:
    """Whether a page of `shape` may show a form of `size` (width, height) like this: not mirrored, folded, or too distorted.

    The center of the form may be outside by a share `outside` of the page.
    """
    width, height = size
    corners = corners_of(width, height)
    if not np.isfinite(matrix).all() or abs(matrix[2, 2]) < 1e-9:
        return False
    if (np.c_[corners, np.ones(4)] @ matrix[2] / matrix[2, 2] <= WARP.min_depth_ratio).any():
        return False
    placed = mapped(matrix, corners)
    edges = np.roll(placed, -1, 0) - placed
    following = np.roll(edges, -1, 0)
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    lengths = np.hypot(*edges.T)
    if (turns <= WARP.min_corner_sine * lengths * np.roll(lengths, -1)).any():
        return False
    stretch = lengths / np.array([width, height, width, height])
    if stretch.max() > WARP.max_stretch_ratio * stretch.min():
        return False
    return _near_page(placed.mean(0), shape, outside) and bool(lengths.max() >= WARP.min_form_side_px)


def _near_page(point: NDArray[np.float64], shape: tuple[int, ...], outside: float) -> bool:
    return bool(all(-outside * side <= at <= (1 + outside) * side for at, side in zip(point, shape[1::-1], strict=True)))


def shrunk(gray: Gray, scale: float) -> Gray:
    """The image at `scale` px, at most 1, per px."""
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return np.asarray(cv2.resize(gray, size, interpolation=cv2.INTER_AREA), np.uint8)


def flattened(gray: Gray) -> Gray:
    """The image with flattened illumination, slightly blurred."""
    return np.asarray(cv2.GaussianBlur(flatten_light(gray, WARP.light_reach_px), (0, 0), WARP.blur_px), np.uint8)


def at_working_size(gray: Gray, max_side: int) -> tuple[Gray, float]:
    """The image at no more than `max_side` px, with flattened illumination, and px of it per px of `gray`."""
    scale = min(1.0, max_side / max(gray.shape))
    if scale < 1:
        gray = shrunk(gray, scale)
    return flattened(gray), scale


def warped(gray: Gray, matrix: Matrix, size: tuple[int, int], flags: int) -> Gray:
    """The image of `size` (width, height) whose pixel p is pixel `matrix` p of `gray`; white outside."""
    shrink = min(1.0, 1 / float(local_scales(matrix, corners_of(*size)).min()), WARP.max_side_px / max(gray.shape))
    if shrink < WARP.max_shrink_at_once:
        gray = shrunk(gray, shrink)
        matrix = resizing(shrink) @ matrix
    picture = cv2.warpPerspective(
        gray, matrix, size, flags=flags | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT, borderValue=(255,)
    )
    return np.asarray(picture, np.uint8)
