"""A field in the making: its ink, and the owner of each inked pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import Ink

Owner = NDArray[np.int16]  # (height, width) int16: 0 paper, k + 1 digit k of the text, MARK any other ink
MARK = 1000
TOUCH_SHARE = 0.35  # of a straight sign's rows, in which it may touch the one before: not along its whole side
APART_SHARE = 0.06  # of the digits' height: in the other rows there is at least this much paper between them


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """What is written, before it is put on paper."""

    alpha: NDArray[np.float32]  # (height, width) 0 paper .. 1 ink
    owner: Owner
    height: float  # px, of a digit

    @property
    def base(self) -> int:
        """The lowest row of a digit, or of any ink."""
        digit = (self.owner > 0) & (self.owner < MARK)
        rows = np.flatnonzero((digit if digit.any() else self.owner > 0).any(axis=1))
        return int(rows[-1]) if len(rows) else self.alpha.shape[0] - 1


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One sign, to be placed next to others."""

    ink: Ink
    base: int  # row of the base line in it
    owner: int
    gap: float  # px to the ink before
    straight: bool = False  # this sign or the one before is a plain stroke, which would be lost beside another


def arrange(parts: Sequence[Part], height: float, rng: np.random.Generator) -> Layer:
    """Place parts next to each other; gaps are measured between the ink of neighbors, row by row."""
    rows = round(3.2 * height)
    columns = sum(p.ink.shape[1] for p in parts) + round(sum(max(0.0, p.gap) for p in parts)) + round(2 * height)
    alpha = np.zeros((rows, columns), np.float32)
    owner = np.zeros((rows, columns), np.int16)
    base_row = round(2.1 * height)
    drift = rng.normal(0, 0.03)
    edge = np.full(rows, -10_000.0)  # rightmost ink so far in every row
    x = round(0.5 * height)
    for part in parts:
        ink = part.ink[: rows - 1]
        y = int(np.clip(base_row - part.base + drift * (x - columns / 2), 0, rows - ink.shape[0]))
        present = ink > 60
        if not present.any():
            continue
        left = np.where(present.any(axis=1), present.argmax(axis=1), 10_000)
        # Neighbors meet where they are closest, measured over a few rows.
        reach = max(1, round(0.12 * height))
        near = np.array([edge[max(0, y + r - reach) : y + r + reach + 1].max() for r in range(len(left))])
        room = near - left
        wanted = float(np.max(room)) + part.gap + 1
        if part.straight:
            beside = np.sort(room[room > -5000])[::-1]
            if len(beside):
                touching = min(len(beside) - 1, round(TOUCH_SHARE * len(beside)))
                wanted = max(wanted, float(beside[touching]) + APART_SHARE * height)
        if wanted > -5000:
            # Ink far above or below does not keep a neighbor away, and nobody writes one digit inside the last.
            bound = float(edge.max()) - 0.55 * height
            x = round(max(wanted, bound, 0.0))
        x = int(min(x, columns - ink.shape[1] - 1))
        paste(alpha, owner, ink, part.owner, x, y)
        right = np.where(present.any(axis=1), x + present.shape[1] - present[:, ::-1].argmax(axis=1), -10_000)
        edge[y : y + len(right)] = np.maximum(edge[y : y + len(right)], right)
    return Layer(alpha, owner, height)


def paste(alpha: NDArray[np.float32], owner: Owner, ink: Ink, who: int, x: float, y: float) -> None:
    """Put ink on a layer's arrays, with its left and top at `x` and `y`."""
    left, top = round(x), round(y)
    x0, y0 = max(0, left), max(0, top)
    x1, y1 = min(alpha.shape[1], left + ink.shape[1]), min(alpha.shape[0], top + ink.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    part = ink[y0 - top : y1 - top, x0 - left : x1 - left].astype(np.float32) / 255
    target = alpha[y0:y1, x0:x1]
    mine = (part > target) & (part > 0.35)
    owner[y0:y1, x0:x1][mine] = who
    np.maximum(target, part, out=target)


def sheared(layer: Layer, slant: float, turn: float) -> Layer:
    height, width = layer.alpha.shape
    reach = abs(slant) * height
    matrix = np.array([[1.0, -slant, reach / 2 + slant * height / 2], [turn, 1.0, -turn * width / 2]])
    size = (int(width + reach), height)
    # The interpolation smooths a little, as on a real scan.
    alpha = cv2.warpAffine(layer.alpha, matrix, size, flags=cv2.INTER_LINEAR)
    owner = cv2.warpAffine(layer.owner, matrix, size, flags=cv2.INTER_NEAREST)
    return Layer(np.asarray(alpha, np.float32), np.asarray(owner, np.int16), layer.height)


def bent(layer: Layer, rng: np.random.Generator, carelessness: float) -> Layer:
    """Bend the writing smoothly (elastic distortion, P. Simard et al., ICDAR 2003): everybody moves a pen differently."""
    strength = float(rng.choice([0.0, 0.02, 0.035, 0.05])) * layer.height * carelessness
    if not strength:
        return layer
    rows, columns = layer.alpha.shape
    reach = layer.height * rng.uniform(0.25, 0.6)
    grid = (4 + round(columns / reach), 4 + round(rows / reach))
    push = rng.normal(0, strength, (2, grid[1], grid[0])).astype(np.float32)
    x, y = (cv2.resize(part, (columns, rows), interpolation=cv2.INTER_CUBIC) for part in push)
    x += np.arange(columns, dtype=np.float32)[None, :]
    y += np.arange(rows, dtype=np.float32)[:, None]
    alpha = cv2.remap(layer.alpha, x, y, cv2.INTER_LINEAR)
    owner = cv2.remap(layer.owner, x, y, cv2.INTER_NEAREST)
    return Layer(np.asarray(alpha, np.float32), np.asarray(owner, np.int16), layer.height)


def cropped(layer: Layer, rng: np.random.Generator) -> Layer:
    """The field cut out tightly, as amounts are cut out of checks, or with some room, as on a form, or with much of it."""
    x, y, w, h = cv2.boundingRect((layer.owner > 0).astype(np.uint8))
    room = ((-0.03, 0.15), (0.05, 0.8), (0.5, 3.0))[int(rng.choice(3, p=[0.5, 0.42, 0.08]))]
    left, top, right, bottom = (int(v * layer.height) for v in rng.uniform(*room, 4))
    y0, y1, x0, x1 = y - top, y + h + bottom, x - left, x + w + right
    alpha, owner = layer.alpha, layer.owner
    pad = max(0, -y0, -x0, y1 - alpha.shape[0], x1 - alpha.shape[1])
    if pad:
        alpha, owner = np.pad(alpha, pad), np.pad(owner, pad)
        y0, y1, x0, x1 = y0 + pad, y1 + pad, x0 + pad, x1 + pad
    return Layer(alpha[y0:y1, x0:x1].copy(), owner[y0:y1, x0:x1].copy(), layer.height)
