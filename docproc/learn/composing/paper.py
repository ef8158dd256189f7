"""Paper: what is printed around the writing, what lies under it, and the effects of a scanner or camera on both."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.layers import MARK, Layer, Owner
from docproc.types import Gray

MAX_HIDDEN = 0.4  # of a digit's ink, under the side of a frame
PALE_SHARE, PALE = 0.08, (35.0, 60.0)  # of the scans; gray levels between paper and ink
NOISY_SHARE, NOISY = 0.12, (7.0, 22.0)  # of the scans; standard deviation in gray levels
LONGEST_NEIGHBOR = 0.35  # of the digits' height: a longer stroke at the edge could be a 1 that was cut off


def ruled(layer: Layer, rng: np.random.Generator) -> Layer:
    """The layer with base lines, dotted lines, frames, neighbors, and stray ink from the lines above."""
    rows, columns = layer.alpha.shape
    height = layer.height
    line = np.zeros_like(layer.alpha)
    thick = max(1, round(height * rng.uniform(0.01, 0.06)))
    tilt = rng.normal(0, 0.012) * columns
    if rng.random() < 0.4:
        _base_line(line, layer.base, height, thick, tilt, rng)
    if rng.random() < 0.1:
        y = layer.base - height * rng.uniform(1.0, 1.5)
        cv2.line(line, (0, round(y - tilt / 2)), (columns, round(y + tilt / 2)), 1.0, thick)
    sides = np.zeros_like(line)
    if rng.random() < 0.08:
        side = round(rng.uniform(0, 0.25) * height)
        side = side if rng.random() < 0.6 else columns - 1 - side
        cv2.line(sides, (side, 0), (side, rows), 1.0, thick)
    if rng.random() < 0.12:
        frame(sides, height, thick, rng)
    if not _hides_a_digit(sides, layer.owner):
        line = np.maximum(line, sides)
    if rng.random() < 0.12:
        for _ in range(int(rng.integers(1, 4))):
            start = rng.uniform(0, columns)
            end = (round(start + rng.normal(0, 0.3) * height), round(rng.uniform(0.02, 0.25) * height))
            cv2.line(line, (round(start), -2), end, 1.0, max(1, round(height * 0.07)), cv2.LINE_AA)
    if rng.random() < 0.06:
        _neighbor(line, height, rng)
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 6))):
            spot = (int(rng.integers(columns)), int(rng.integers(rows)))
            cv2.circle(line, spot, max(1, round(height * rng.uniform(0.01, 0.04))), 1.0, -1)
    line *= rng.uniform(0.35, 1.0)
    owner = layer.owner.copy()
    owner[(line > 0.3) & (owner == 0)] = MARK
    return Layer(np.maximum(layer.alpha, line), owner, height)


def _hides_a_digit(line: NDArray[np.float32], owner: Owner) -> bool:
    """Whether so much of a digit is under a printed line that nobody could read it."""
    digits = np.where(owner < MARK, owner, 0)
    hidden, whole = (np.bincount(one) for one in (digits[line > 0], digits.ravel()))
    return bool((hidden[1:] > MAX_HIDDEN * whole[1 : len(hidden)]).any())


def _base_line(line: NDArray[np.float32], base: int, height: float, thick: int, tilt: float, rng: np.random.Generator) -> None:
    columns = line.shape[1]
    y = base + rng.uniform(-0.12, 0.3) * height
    if rng.random() >= 0.3:
        cv2.line(line, (0, round(y - tilt / 2)), (columns, round(y + tilt / 2)), 1.0, thick)
        return
    period = max(3, round(height * rng.uniform(0.08, 0.25)))
    for x in range(int(rng.integers(period)), columns, period):
        at = round(y + tilt * (x / columns - 0.5))
        if rng.random() < 0.9:
            cv2.line(line, (x, at), (min(columns - 1, x + period // 3), at), 1.0, max(thick, round(period * 0.4)))


def frame(line: NDArray[np.float32], height: float, thick: int, rng: np.random.Generator) -> None:
    """A printed box near the edges of the crop; some of its sides are thick, some are cut off."""
    rows, columns = line.shape
    tilt = rng.normal(0, 0.006)
    inset = rng.uniform(-0.06, 0.14, 4) * height  # left, top, right, bottom
    left, top, right, bottom = inset[0], inset[1], columns - 1 - inset[2], rows - 1 - inset[3]
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    middle = np.array([columns / 2, rows / 2])
    turned = [(round(float(x - tilt * (y - middle[1]))), round(float(y + tilt * (x - middle[0])))) for x, y in corners]
    for k in range(4):
        heavy = round(height * rng.uniform(0.08, 0.25)) if rng.random() < 0.1 else thick
        if rng.random() < 0.9:
            cv2.line(line, turned[k], turned[(k + 1) % 4], 1.0, max(1, heavy))


def _neighbor(line: NDArray[np.float32], height: float, rng: np.random.Generator) -> None:
    """Ink of the neighboring field, cut by the edge."""
    rows, columns = line.shape
    side = 0 if rng.random() < 0.5 else columns - 1
    reach = rng.uniform(0.03, 0.2) * height
    y = rng.uniform(0.2, 0.8) * rows
    inward = reach if side == 0 else -reach
    length = rng.uniform(0.1, LONGEST_NEIGHBOR) * height
    points = [(side, y), (side + inward, y + rng.uniform(0, length)), (side, y + length)]
    path = np.rint(np.array(points)).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(line, [path], False, 1.0, max(1, round(height * 0.08)), cv2.LINE_AA)


def scanned(alpha: NDArray[np.float32], rng: np.random.Generator, *, patterns: bool = True) -> Gray:
    """Put ink on paper, which may have security `patterns`, and scan it."""
    rows, columns = alpha.shape
    paper = _paper(rows, columns, rng, patterns=patterns)
    level = float(rng.uniform(10, 110)) if rng.random() < 0.9 else float(rng.uniform(110, 170))
    level = min(level, float(paper.mean()) - rng.uniform(50, 90))
    if rng.random() < PALE_SHARE:
        level = float(paper.mean()) - rng.uniform(*PALE)
    # A ballpoint's line is not even.
    uneven = cv2.resize(rng.uniform(0.72, 1.0, (2 + rows // 12, 2 + columns // 12)).astype(np.float32), (columns, rows))
    strength = alpha * (uneven if rng.random() < 0.6 else 1.0)
    gray = paper * (1 - strength) + level * strength
    choice = rng.random()
    black_and_white = 0.55 <= choice < 0.65 and patterns
    if not black_and_white:  # a single threshold would turn shadows black
        gray = gray * _shade(rows, columns, rng)
    blur = rng.uniform(0, 1.1)
    if blur > 0.3:
        gray = cv2.GaussianBlur(gray, (0, 0), blur)
    noise = rng.uniform(0.5, 7) if rng.random() >= NOISY_SHARE else rng.uniform(*NOISY)
    gray = gray + rng.normal(0, noise, gray.shape).astype(np.float32)
    picture = np.clip(gray, 0, 255).astype(np.uint8)
    if choice < 0.55:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    elif black_and_white:
        threshold, _ = cv2.threshold(picture, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        picture = np.where(picture > threshold, np.uint8(255), np.uint8(0))
    return np.asarray(picture, np.uint8)


def _shade(rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float32] | float:
    """The brightness of the light, 0..1, (height, width) float32: a gradient or the edge of a shadow. 1.0 if it is even."""
    kind = rng.random()
    if kind > 0.16:
        return 1.0
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    along = (along - along.mean()) / max(1.0, float(np.ptp(along)))
    if kind < 0.08:
        return np.asarray(1 - rng.uniform(0.1, 0.5) * (along + 0.5), np.float32)
    edge = 1 / (1 + np.exp(-(along - rng.uniform(-0.3, 0.3)) / rng.uniform(0.01, 0.1)))
    return np.asarray(1 - rng.uniform(0.1, 0.45) * edge, np.float32)


def _paper(rows: int, columns: int, rng: np.random.Generator, *, patterns: bool) -> NDArray[np.float32]:
    base = float(rng.uniform(150, 250))
    paper = np.full((rows, columns), base, np.float32)
    if rng.random() < 0.4:
        corners = rng.normal(0, 12, (2, 2)).astype(np.float32)
        paper += cv2.resize(corners, (columns, rows), interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    kind = rng.random() if patterns else 1.0
    depth = float(rng.uniform(6, 42))
    if kind < 0.35:
        # Guilloche: contour lines of a smooth random surface.
        period = rng.uniform(5, 14)
        coarse = rng.normal(0, 1, (3 + rows // 18, 3 + columns // 18)).astype(np.float32)
        surface = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
        phase = (surface * rng.uniform(4, 14) + y * rng.uniform(0.3, 1) + x * rng.uniform(-0.4, 0.4)) * (2 * np.pi / period)
        paper -= depth * np.clip(np.sin(phase) * 2.0 - rng.uniform(0, 1), 0, 1)
    elif kind < 0.47:
        # Fine lines, nearly level, slightly wavy.
        wave = rng.uniform(0, 3) * np.sin(x * 2 * np.pi / rng.uniform(20, 90) + rng.uniform(0, 6))
        phase = (y + x * rng.normal(0, 0.15) + wave) * (2 * np.pi / rng.uniform(4, 9))
        paper -= 1.3 * depth * np.clip(np.sin(phase) * 2.0 - rng.uniform(0, 1), 0, 1)
    elif kind < 0.64:
        # A woven pattern of dots.
        period = rng.uniform(3, 9)
        paper -= depth * np.clip(np.sin(x * 2 * np.pi / period) * np.sin(y * 2 * np.pi / period) * 2 - 0.4, 0, 1)
    if rng.random() < 0.4:
        grain = rng.normal(0, rng.uniform(2, 12), (2 + rows // 2, 2 + columns // 2)).astype(np.float32)
        paper += cv2.resize(grain, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return np.asarray(paper, np.float32)
