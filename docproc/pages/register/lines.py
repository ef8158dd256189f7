"""Guess a form's position by its ruled lines: line maps are overlaid at every quarter turn, some scales and every shift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pages.register.warp import Matrix, resizing, shrunk
from docproc.types import Gray

LineMap = NDArray[np.float32]  # (2, height, width) float32 0..1, horizontal and vertical ruled lines
Lines = NDArray[np.bool_]  # (2, height, width) bool, the same


@dataclass(frozen=True, slots=True)
class LineTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # The map of ruled lines.
    work_side_px: int = 800  # of the image's longer side, at most [guess]
    min_length_px: int = 15  # of a ruled line [guess]
    min_length_share: float = 0.04  # likewise, of the image's longer side [guess]
    min_strength: float = 0.3  # of the map, 0..1, at a line [guess]
    near_px: int = 2  # by which lines of two maps may be apart [guess]

    # The skew of a page.
    skew_side_px: int = 400  # of its longer side, at most [guess]
    max_skew_deg: float = 15.0  # of a page that is found by its lines [guess]
    fine_skew_deg: float = 0.25  # steps between whole degrees [geometry]
    fine_reach_deg: float = 0.75  # to both sides of the best whole degree [geometry]

    # The overlay.
    coarse_side_px: int = 192  # of the map's longer side while maps are overlaid [guess]
    extent_strength_share: float = 0.25  # of the strongest line: threshold for measuring the extent of all lines [guess]
    min_extent_px: float = 5  # of the lines of a coarse map; less gives no information about the scale [guess]
    scale_ratios: tuple[float, ...] = (0.94, 0.97, 1.0, 1.03, 1.06)  # around each likely scale [guess]
    min_scaled_side_px: int = 32  # of a page's map at the scale of the form [guess]
    max_scaled_ratio: int = 3  # of its longer side to `coarse_side_px` at that scale [guess]
    blur_px: float = 1.0  # standard deviation, against lines that just miss each other [guess]
    scales_per_turn: int = 3  # tried per quarter turn: the best at once, the others at the end [guess]
    max_later_guesses: int = 2  # of these others, over all turns [guess]


LINES = LineTuning()


def line_map(flat: Gray) -> tuple[LineMap, float]:
    """The ruled lines of a flattened image, and px of the map per px of it."""
    scale = min(1.0, LINES.work_side_px / max(flat.shape))
    ink = np.asarray(255 - (shrunk(flat, scale) if scale < 1 else flat), np.uint8)
    length = max(LINES.min_length_px, round(LINES.min_length_share * max(ink.shape)))
    thick = cv2.dilate(ink, np.ones((3, 1), np.uint8)), cv2.dilate(ink, np.ones((1, 3), np.uint8))
    level = cv2.morphologyEx(thick[0], cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    upright = cv2.morphologyEx(thick[1], cv2.MORPH_OPEN, np.ones((length, 1), np.uint8))
    return np.asarray(np.stack([level, upright]) / 255, np.float32), scale


def ruled_lines(flat: Gray) -> Lines:
    """Where there are ruled lines on a flattened image, which may be shrunk for this."""
    return line_map(flat)[0] > LINES.min_strength


def agreement(one: Lines, other: Lines) -> float:
    """The share of the first one's lines that the other has, or vice versa: the smaller of the two."""
    near = np.ones((2 * LINES.near_px + 1, 2 * LINES.near_px + 1), np.uint8)
    shares = []
    for lines, others in ((one, other), (other, one)):
        wide = np.stack([cv2.dilate(part.astype(np.uint8), near) for part in others]) > 0
        shares.append(float((lines & wide).sum() / max(1, int(lines.sum()))))
    return min(shares)


def guesses_by_lines(page: Gray, form_lines: Lines, form_shape: tuple[int, ...]) -> Iterator[Matrix]:
    """Homographies from px of the form's image of `form_shape` to px of the flattened `page`, most likely first."""
    height, width = page.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), _skew(page), 1.0)
    level = np.asarray(cv2.warpAffine(page, turn, (width, height), borderValue=(255,)), np.uint8)
    back = np.linalg.inv(np.vstack([turn, [0, 0, 1]]))
    lines, lines_scale = line_map(level)
    form = _coarse(form_lines.astype(np.float32))
    form_scale = max(form.shape[1:]) / max(form_shape)
    firsts: list[tuple[float, Matrix]] = []
    others: list[tuple[float, Matrix]] = []
    for quarter in range(4):
        # A quarter turn makes horizontal lines vertical.
        turned = np.rot90(lines if quarter % 2 == 0 else lines[::-1], quarter, axes=(1, 2))
        unturn = _unturned(quarter, lines.shape[2], lines.shape[1])
        found: list[tuple[float, Matrix]] = []
        for scale in _likely_scales(form, turned):
            score, shift = _overlay(form, _scaled(np.ascontiguousarray(turned), scale))
            to_turned = resizing(1 / scale) @ np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]], np.float64)
            found.append((score, back @ resizing(1 / lines_scale) @ unturn @ to_turned @ resizing(form_scale)))
        found.sort(key=_by_score)
        firsts += found[:1]
        others += found[1 : LINES.scales_per_turn]
    # Tables look much the same upside down: each turn gets its chance.
    later = sorted(others, key=_by_score)[: LINES.max_later_guesses]
    for _, matrix in (*sorted(firsts, key=_by_score), *later):
        yield matrix


def _by_score(guess: tuple[float, Matrix]) -> float:
    return -guess[0]


def _skew(flat: Gray) -> float:
    """Degrees by which lines fall to the right, -15..15: the rotation that gathers the ink in the fewest rows and columns."""
    ink = np.asarray(255 - shrunk(flat, min(1.0, LINES.skew_side_px / max(flat.shape))), np.uint8)

    def gathered(degrees: float) -> float:
        turn = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), degrees, 1.0)
        turned = cv2.warpAffine(ink, turn, (ink.shape[1], ink.shape[0]))
        rows = cv2.reduce(turned, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()
        columns = cv2.reduce(turned, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()
        return float((np.diff(rows) ** 2).sum() + (np.diff(columns) ** 2).sum())

    whole = max(np.arange(-LINES.max_skew_deg, LINES.max_skew_deg + 1).tolist(), key=gathered)
    steps = round(LINES.fine_reach_deg / LINES.fine_skew_deg)
    fine = [whole + LINES.fine_skew_deg * step for step in range(-steps, steps + 1)]
    # In a tie the whole degree is taken.
    return float(max([whole, *fine], key=gathered))


def _unturned(quarter: int, width: int, height: int) -> Matrix:
    """Map px of `np.rot90(picture, quarter)` to px of the image, which is `width` x `height` px."""
    return np.array(
        {
            0: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
            1: [[0, -1, width - 1], [1, 0, 0], [0, 0, 1]],
            2: [[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]],
            3: [[0, 1, 0], [-1, 0, height - 1], [0, 0, 1]],
        }[quarter],
        np.float64,
    )


def _coarse(lines: LineMap) -> LineMap:
    return _scaled(lines, min(1.0, LINES.coarse_side_px / max(lines.shape[1:])))


def _scaled(lines: LineMap, scale: float) -> LineMap:
    size = (max(1, round(lines.shape[2] * scale)), max(1, round(lines.shape[1] * scale)))
    return np.stack([cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in lines]).astype(np.float32)


def _likely_scales(form: LineMap, page: LineMap) -> list[float]:
    """Px of the form's map per px of the page's, at which the whole images, or their ruled parts, have the same size."""
    likely = {min(form.shape[1] / page.shape[1], form.shape[2] / page.shape[2])}
    for here, there in zip(_extent(form), _extent(page), strict=True):
        if here > LINES.min_extent_px and there > LINES.min_extent_px:
            likely.add(here / there)
    scales = {round(scale * ratio, 3) for scale in likely for ratio in LINES.scale_ratios}
    longer, max_side = max(page.shape[1:]), LINES.max_scaled_ratio * LINES.coarse_side_px
    return sorted(scale for scale in scales if LINES.min_scaled_side_px <= scale * longer <= max_side)


def _extent(lines: LineMap) -> tuple[float, float]:
    """Rows and columns from the first line to the last; 0 if there are none."""
    seen = lines.max(0) > LINES.extent_strength_share * lines.max()
    if not seen.any():
        return 0.0, 0.0
    return float(np.ptp(np.flatnonzero(seen.any(1)))), float(np.ptp(np.flatnonzero(seen.any(0))))


def _overlay(form: LineMap, page: LineMap) -> tuple[float, tuple[int, int]]:
    """The best shift of the form's map onto the page's by correlation, 0..1, and the shift in px."""
    size = [cv2.getOptimalDFTSize(a + b) for a, b in zip(form.shape[1:], page.shape[1:], strict=True)]
    total = np.zeros(size, np.float64)
    form, page = (np.stack([cv2.GaussianBlur(part, (0, 0), LINES.blur_px) for part in lines]) for lines in (form, page))
    for mine, theirs in zip(form, page, strict=True):
        total += np.fft.irfft2(np.conj(np.fft.rfft2(mine, size)) * np.fft.rfft2(theirs, size), size)
    y, x = np.unravel_index(int(total.argmax()), total.shape)
    norm = float(np.sqrt((form**2).sum() * (page**2).sum())) or 1.0
    shift = (int(x) - (size[1] if x >= page.shape[2] else 0), int(y) - (size[0] if y >= page.shape[1] else 0))
    return float(total.max()) / norm, shift
