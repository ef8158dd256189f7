"""Small patches of a form's print: choose those that are easy to find again, and search for them on a page."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.warp import Matrix, Points, mapped, warped
from docproc.types import Gray

Corners = NDArray[np.int32]  # (n, 2) int32, left and top of patches on the form's image


@dataclass(frozen=True, slots=True)
class PatchTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # Choosing patches.
    side_px: int = 40  # of a patch of the form's image [guess]
    max_patches: int = 140  # [guess]
    min_patches: int = 12  # of a form that can be recognized by its print [guess]
    spread_per_side: int = 5  # texture is averaged with a standard deviation of a fifth of a patch's side [guess]
    peak_share: float = 0.7  # of a patch's side: square in which the patch must have the strongest texture [guess]
    min_texture_share: float = 0.12  # of the texture of the form's strongest print [guess]
    strong_percentile: float = 99  # of the texture, used as that of the strongest print [guess]
    min_ink_share: float = 0.35  # of the darkness of the form's print; less is paper texture [guess]
    dark_percentile: float = 1  # of gray levels, used as that of the form's print [guess]
    tiles: int = 4  # into which the form is divided in both directions, to spread patches over it [guess]
    min_filled_tiles: int = 12  # over which `max_patches` are spread at least [guess]
    max_self_likeness: float = 0.8  # correlation of a patch with its surroundings [guess]
    own_px: int = 3  # around its place, where a patch resembles itself anyway [guess]

    # Searching for them.
    windows_px: tuple[int, int, int] = (24, 12, 6)  # around its place, searched for a patch in each round [guess]
    min_likeness: float = 0.55  # correlation of a patch with the page [guess]
    min_contrast_ratio: float = 0.25  # of the page there to the patch: correlation ignores contrast [guess]


PATCHES = PatchTuning()


def choose_patches(picture: Gray) -> Corners:
    """Squares that have edges in both directions and are unlike their surroundings, spread over the form's image."""
    height, width = picture.shape
    if min(height, width) < 2 * PATCHES.side_px:
        return np.zeros((0, 2), np.int32)
    texture = _texture(picture)
    darkest = 255 - PATCHES.min_ink_share * (255 - float(np.percentile(picture, PATCHES.dark_percentile)))
    half = PATCHES.side_px // 2
    texture[:half], texture[-half:], texture[:, :half], texture[:, -half:] = 0, 0, 0, 0
    side = round(PATCHES.peak_share * PATCHES.side_px) | 1
    peaks = (texture >= cv2.dilate(texture, np.ones((side, side), np.uint8))) & (
        texture > PATCHES.min_texture_share * float(np.percentile(texture, PATCHES.strong_percentile))
    )
    rows, columns = np.nonzero(peaks)
    in_tile: dict[tuple[int, int], int] = {}
    found: list[tuple[int, int]] = []
    for k in np.argsort(-texture[rows, columns], kind="stable"):
        y, x = int(rows[k]), int(columns[k])
        tile = (y * PATCHES.tiles // height, x * PATCHES.tiles // width)
        has_room = in_tile.get(tile, 0) < PATCHES.max_patches // PATCHES.min_filled_tiles
        inked = picture[y - half : y + half, x - half : x + half].min() <= darkest
        if has_room and inked and _is_unique(picture, x - half, y - half):
            in_tile[tile] = in_tile.get(tile, 0) + 1
            found.append((x - half, y - half))
    return np.array(found[: PATCHES.max_patches], np.int32).reshape(-1, 2)


def _texture(picture: Gray) -> NDArray[np.float32]:
    """The root of the smaller eigenvalue of the structure tensor (Shi and Tomasi 1994): 0 along a line of any slope."""
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1)
    spread = PATCHES.side_px / PATCHES.spread_per_side
    xx, yy, xy = (cv2.GaussianBlur(part, (0, 0), spread) for part in (across * across, down * down, across * down))
    return np.asarray(np.sqrt(np.maximum(0, (xx + yy - np.sqrt((xx - yy) ** 2 + 4 * xy * xy)) / 2)), np.float32)


def _is_unique(picture: Gray, left: int, top: int) -> bool:
    """Whether the patch does not recur within a few px: neither along a line, nor in the next box."""
    reach, side, own = PATCHES.windows_px[1], PATCHES.side_px, PATCHES.own_px
    window = picture[max(0, top - reach) : top + side + reach, max(0, left - reach) : left + side + reach]
    patch = picture[top : top + side, left : left + side]
    scores = cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED)
    y, x = min(top, reach), min(left, reach)
    scores[max(0, y - own) : y + own + 1, max(0, x - own) : x + own + 1] = 0
    return bool(scores.max() < PATCHES.max_self_likeness)


def middles(patches: Corners) -> Points:
    """The centers of patches, (n, 2), in px of the form's image."""
    return patches.astype(np.float64) + (PATCHES.side_px - 1) / 2


@dataclass(frozen=True, slots=True, eq=False)
class Sightings:
    """Where the patches of a form were found on a page, one row per patch."""

    offsets: Points  # (n, 2) px of the form's image, from where the patch was expected
    likeness: NDArray[np.float64]  # (n,) correlation 0..1 with what was found, 0 if it is too low
    inside: NDArray[np.bool_]  # (n,) whether the patch is within the page


def look_for(page: Gray, picture: Gray, patches: Corners, to_page: Matrix, reach: int) -> Sightings:
    """Search for every patch of the form's `picture` within `reach` px of where `to_page` puts it on the flattened page."""
    height, width = picture.shape
    side = PATCHES.side_px
    shifted = to_page @ np.array([[1, 0, -reach], [0, 1, -reach], [0, 0, 1]], np.float64)
    seen = warped(page, shifted, (width + 2 * reach, height + 2 * reach), cv2.INTER_LINEAR)
    placed = mapped(to_page, middles(patches))
    before, behind = placed.min(1), (placed - np.array([page.shape[1] - 1, page.shape[0] - 1])).max(1)
    inside = np.asarray((before >= 0) & (behind <= 0), np.bool_)
    offsets = np.zeros((len(patches), 2), np.float64)
    likeness = np.zeros(len(patches), np.float64)
    for k, (left, top) in enumerate(patches):
        if not inside[k]:
            continue
        patch = picture[top : top + side, left : left + side]
        window = seen[top : top + side + 2 * reach, left : left + side + 2 * reach]
        scores = np.asarray(cv2.matchTemplate(window, patch, cv2.TM_CCOEFF_NORMED), np.float32)
        _, score, _, (x, y) = cv2.minMaxLoc(scores)
        # Correlation ignores contrast: a nearly blank area may match anything.
        there = window[y : y + side, x : x + side]
        contrast = cv2.meanStdDev(there)[1][0, 0], cv2.meanStdDev(patch)[1][0, 0]
        alike = score >= PATCHES.min_likeness and contrast[0] >= PATCHES.min_contrast_ratio * contrast[1]
        likeness[k] = score if alike else 0.0
        offsets[k] = x + _peak(scores[y], x) - reach, y + _peak(scores[:, x], y) - reach
    return Sightings(offsets, likeness, inside)


def _peak(scores: NDArray[np.float32], at: int) -> float:
    """The vertex, -0.5..0.5 px from `at`, of the parabola through the highest score and its neighbors."""
    if not 0 < at < len(scores) - 1:
        return 0.0
    before, here, after = (float(score) for score in scores[at - 1 : at + 2])
    bend = before - 2 * here + after
    return 0.0 if bend >= -1e-6 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
