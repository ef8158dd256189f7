"""Augmentation: every picture and every line looks slightly different each time a network sees it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import Line

WARPS = 2048  # random warps, drawn anew for every epoch
# The last epochs warp less, because real digits are warped less.
ANNEALED_STRENGTH = 0.6
ANNEALED_SHARE = 0.3  # of the epochs


def warp_strength(epoch: int, epochs: int) -> float:
    """How strongly pictures are warped in an epoch, counted from 0: 0..1."""
    return ANNEALED_STRENGTH if epoch >= epochs * (1 - ANNEALED_SHARE) else 1.0


def draw_warps(rng: np.random.Generator, side: int, strength: float) -> NDArray[np.float32]:
    """Random rotations, stretches, shears, shifts and bends for a picture of `side` px.

    Returns (WARPS, 2, side, side) float32: the x and y in the source picture for each pixel. A `strength` of 0 leaves pictures
    unchanged.
    """
    middle = (side - 1) / 2
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - middle
    warps = np.empty((WARPS, 2, side, side), np.float32)
    for warp in warps:
        turn, lean = rng.normal(0, 0.10), rng.normal(0, 0.10)
        wide, tall = np.exp(rng.normal(0, 0.07, 2))
        cos, sin = np.cos(turn), np.sin(turn)
        bend = rng.normal(0, rng.choice([0.0, 0.6, 1.1]), (2, 6, 6)).astype(np.float32)
        for k, (a, b) in enumerate(((cos * wide, sin + lean), (-sin, cos * tall))):
            pushed = cv2.resize(bend[k], (side, side), interpolation=cv2.INTER_CUBIC)
            warp[k] = a * x + b * y + middle + pushed + rng.normal(0, 0.6)
    identity = np.stack([x, y]) + middle
    return np.asarray(identity + strength * (warps - identity), np.float32)


def warp_pictures(pictures: NDArray[np.uint8], warps: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Warp each of `pictures` (n, side, side, ...) uint8 with a random warp from `draw_warps`."""
    warped = np.empty_like(pictures)
    for k, which in enumerate(rng.integers(len(warps), size=len(pictures))):
        x, y = warps[which]
        warped[k] = cv2.remap(pictures[k], x, y, cv2.INTER_LINEAR)
    return warped


def vary_line(line: Line, rng: np.random.Generator, widths: tuple[float, float]) -> Line:
    """Make a line narrower or wider (a factor within `widths`), and vary its height, slant, position, sharpness and ink."""
    inked = np.flatnonzero(line.any(axis=0))
    room = (line.shape[1] - 3) / (inked[-1] + 1) if len(inked) else 1.0
    wide, tall, lean = (
        rng.uniform(widths[0], max(widths[0] + 0.05, min(widths[1], room))),
        rng.uniform(0.8, 1.18),
        rng.normal(0, 0.15),
    )
    middle = line.shape[0] / 2
    lower = middle * (1 - tall) + rng.normal(0, 1.5)
    matrix = np.array([[wide, -lean, middle * lean + rng.uniform(-1, 2)], [0, tall, lower]])
    varied = cv2.warpAffine(line, matrix, (line.shape[1], line.shape[0]), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.25:
        varied = cv2.GaussianBlur(varied, (0, 0), rng.uniform(0.4, 0.9))
    darker = (varied.astype(np.float32) - rng.uniform(0, 30)) * rng.uniform(0.8, 1.6)
    return np.asarray(np.clip(darker, 0, 255), np.uint8)
