"""Fields that contain no number: nothing at all, or something that is not a number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing import spelling
from docproc.learn.composing.corrections import corrected
from docproc.learn.composing.fonts import printed
from docproc.learn.composing.hands import a_hand, written
from docproc.learn.composing.layers import MARK, Layer, arrange, bent, cropped, sheared
from docproc.learn.composing.material import Material
from docproc.learn.composing.paper import frame, ruled, scanned
from docproc.learn.composing.spelling import Spelled
from docproc.types import LETTER, Gray

Canvas = NDArray[np.float32]  # (height, width) 0 paper .. 1 ink


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions of an empty field."""

    rows: int
    columns: int
    height: float  # of a digit that would fit, px
    thick: int  # of printed lines, px


def compose_blank(kind: str, rng: np.random.Generator) -> Gray:
    """An empty field of a kind in `BLANKS`: anything on it is printed, or dirt."""
    height = float(rng.uniform(18, 60))
    shape = Shape(
        round(height * rng.uniform(1.2, 2.2)),
        round(height * rng.uniform(1.2, 9.0)),
        height,
        max(1, round(height * rng.uniform(0.02, 0.06))),
    )
    line = np.zeros((shape.rows, shape.columns), np.float32)
    BLANKS[kind](line, shape, rng)
    return scanned(np.asarray(line * rng.uniform(0.4, 1.0), np.float32), rng, patterns=False)


def _plain(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    """Nothing."""


def _framed(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    frame(line, shape.height, shape.thick, rng)


def _walled(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    """A cell's walls from edge to edge, one of them thick."""
    for side in (0, 1):
        if rng.random() < 0.8:
            wide = round(shape.height * rng.uniform(0.06, 0.3)) if rng.random() < 0.5 else shape.thick
            at = round(rng.uniform(0, 0.1) * shape.height)
            start = at if side == 0 else shape.columns - at - wide
            line[:, max(0, start) : start + wide] = 1.0
    for side in (0, 1):
        if rng.random() < 0.7:
            at = round(rng.uniform(0, 0.15) * shape.height)
            row = at if side == 0 else shape.rows - 1 - at - shape.thick
            line[row : row + shape.thick] = 1.0


def _guided(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    """Lines to write on: solid, dashed or dotted."""
    for _ in range(int(rng.integers(1, 3))):
        row = round(shape.rows * rng.uniform(0.3, 0.95))
        period = max(2, round(shape.height * rng.uniform(0.1, 0.3)))
        solid = rng.random() < 0.4
        for x in range(0, shape.columns, period):
            line[row : row + shape.thick, x : x + (period if solid else max(1, period // 2))] = 1.0


def _ticked(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    """The ticks of a comb, without any digit."""
    pitch = min(shape.height * rng.uniform(0.8, 1.3), shape.columns / 3)
    top = round(shape.rows * rng.uniform(0.6, 0.8))
    line[-shape.thick - 1 :] = 1.0
    for k in range(int(shape.columns / pitch) + 1):
        x = round(k * pitch)
        line[top:, x : x + shape.thick] = 1.0


def _neighbored(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    """The bottoms or tops of the print above or below, cut by the edge, with the frame."""
    frame(line, shape.height, shape.thick, rng)
    edge = 0 if rng.random() < 0.5 else shape.rows
    inward = 1 if edge == 0 else -1
    for _ in range(int(rng.integers(2, 12))):
        x = rng.uniform(0, shape.columns)
        end = (round(x + rng.normal(0, 0.1) * shape.height), round(edge + inward * rng.uniform(0.02, 0.1) * shape.height))
        cv2.line(line, (round(x), edge), end, 1.0, max(1, shape.thick), cv2.LINE_AA)


def _dusty(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 6))):
        spot = (int(rng.integers(shape.columns)), int(rng.integers(shape.rows)))
        cv2.circle(line, spot, max(0, round(shape.height * rng.uniform(0.0, 0.02))), 1.0, -1)


def _shaded(line: Canvas, shape: Shape, rng: np.random.Generator) -> None:
    """A gray background within a frame, as on forms."""
    inset = round(rng.uniform(0.0, 0.15) * shape.height)
    line[inset : shape.rows - inset, inset : shape.columns - inset] = rng.uniform(0.1, 0.35)
    frame(line, shape.height, shape.thick, rng)


BLANKS: Mapping[str, Callable[[Canvas, Shape, np.random.Generator], None]] = {
    "plain": _plain, "framed": _framed, "walled": _walled, "guided": _guided, "ticked": _ticked, "neighbored": _neighbored,
    "dusty": _dusty, "shaded": _shaded,
}  # fmt: skip
"""Kinds of empty fields."""


# --------------------------------------------------------------------------------------------- something, no number


def compose_nothing(kind: str, material: Material, rng: np.random.Generator, carelessness: float = 1.0) -> Gray:
    """A field of a kind in `NOTHINGS` or `UNSEEN`: it contains something that is not a number."""
    hand = a_hand(material, rng, carelessness)
    layer = {**NOTHINGS, **UNSEEN}[kind](hand.height, material, rng, carelessness)
    layer = bent(sheared(layer, float(rng.normal(0.1, 0.2)), rng.normal(0, 0.02)), rng, carelessness)
    field = ruled(cropped(layer, rng), rng)
    return scanned(field.alpha, rng)


Make = Callable[[float, Material, np.random.Generator, float], Layer]


def _spelled(make: Callable[[np.random.Generator], Spelled]) -> Make:
    def compose(height: float, material: Material, rng: np.random.Generator, carelessness: float) -> Layer:
        spelled = make(rng)
        if spelled.foreign and not material.fonts.foreign:
            spelled = spelling.word(rng)
        hand = a_hand(material, rng, carelessness, height)
        return arrange(written(spelled, hand, material, rng), height, rng)

    return compose


def _dashes(rng: np.random.Generator) -> Spelled:
    return Spelled(spelling.lone_marks(rng), marked=False, number=False)


def _tick(rng: np.random.Generator) -> Spelled:
    token = spelling.Token(LETTER, str(rng.choice(["tick", "cross"])))
    return Spelled((token,), marked=False, number=False)


def _scribble(rng: np.random.Generator) -> Spelled:
    tokens = [spelling.Token(LETTER, str(rng.choice(["scribble", "squiggle"]))) for _ in range(int(rng.integers(1, 3)))]
    return Spelled(tuple(tokens), marked=False, number=False)


def _struck(height: float, material: Material, rng: np.random.Generator, carelessness: float) -> Layer:
    """A number, all of it struck out."""
    hand = a_hand(material, rng, carelessness, height)
    spelled = spelling.plain_number(rng)
    for _ in range(50):
        layer, said = corrected(arrange(written(spelled, hand, material, rng), height, rng), spelled, hand, material, rng)
        if said.kind == "struck":
            return layer
    return layer


def _stamp(height: float, material: Material, rng: np.random.Generator, carelessness: float) -> Layer:
    """A stamp: a ring or a box with a word in it."""
    word = str(rng.choice(["PAID", "COPY", "VOID", "RECEIVED", "BANK", "DRAFT", "ENTERED"]))
    placed = printed(word, str(rng.choice(material.fonts.print)), height * 0.55)
    wide = round(max(left + ink.shape[1] for ink, left, _ in placed))
    alpha = np.zeros((round(2.2 * height), wide + round(1.6 * height)), np.float32)
    for ink, left, top in placed:
        y, x = round(1.35 * height + top), round(left + 0.8 * height)
        part = alpha[y : y + ink.shape[0], x : x + ink.shape[1]]
        part[:] = np.maximum(part, ink[: part.shape[0], : part.shape[1]].astype(np.float32) / 255)
    thick = max(1, round(0.06 * height))
    rows, columns = alpha.shape
    if rng.random() < 0.5:
        cv2.ellipse(alpha, (columns // 2, rows // 2), (columns // 2 - 2, rows // 2 - 2), 0, 0, 360, 1.0, thick, cv2.LINE_AA)
    else:
        cv2.rectangle(alpha, (2, round(0.4 * height)), (columns - 3, round(1.8 * height)), 1.0, thick)
    worn = cv2.resize(rng.uniform(0.3, 1.1, (2 + rows // 6, 2 + columns // 6)).astype(np.float32), (columns, rows))
    return _of(np.asarray(np.clip(alpha * worn, 0, 1), np.float32), height)


def _signature(height: float, material: Material, rng: np.random.Generator, carelessness: float) -> Layer:
    """Loops in one stroke, from left to right."""
    many = int(rng.integers(10, 30))
    x = np.cumsum(rng.uniform(-0.12, 0.4, many)) * height
    y = height * (
        1.1 + 0.5 * rng.uniform(0.4, 1.4) * np.sin(np.arange(many) * rng.uniform(1.6, 2.8)) * rng.uniform(0.4, 1.0, many)
    )
    points = np.stack([x - x.min() + 4, y], axis=1)
    canvas = np.zeros((round(2.4 * height), round(float(np.ptp(x))) + round(height)), np.uint8)
    fine = np.linspace(0, many - 1, many * 8)
    smooth = np.stack([_interpolated(points[:, k], fine) for k in (0, 1)], axis=1)
    thick = max(1, round(height * rng.uniform(0.05, 0.12)))
    cv2.polylines(canvas, [np.rint(smooth).astype(np.int32).reshape(-1, 1, 2)], False, 255, thick, cv2.LINE_AA)
    return _of(np.asarray(canvas / 255, np.float32), height)


def _interpolated(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Interpolated values, without corners: a cosine between neighbors."""
    low = np.clip(np.floor(at).astype(int), 0, len(values) - 2)
    share = (1 - np.cos(np.pi * (at - low))) / 2
    return np.asarray(values[low] * (1 - share) + values[low + 1] * share, np.float64)


def _blot(height: float, material: Material, rng: np.random.Generator, carelessness: float) -> Layer:
    """Spilled ink, or a smear."""
    alpha = np.zeros((round(2.2 * height), round(height * rng.uniform(1.5, 5))), np.float32)
    rows, columns = alpha.shape
    for _ in range(int(rng.integers(1, 5))):
        at = (int(rng.integers(columns)), int(rng.uniform(0.3, 0.7) * rows))
        axes = (round(height * rng.uniform(0.1, 0.8)), round(height * rng.uniform(0.08, 0.4)))
        cv2.ellipse(alpha, at, axes, float(rng.uniform(0, 180)), 0, 360, float(rng.uniform(0.4, 1.0)), -1, cv2.LINE_AA)
    return _of(np.asarray(cv2.GaussianBlur(alpha, (0, 0), height * rng.uniform(0.02, 0.12)), np.float32), height)


def _of(alpha: Canvas, height: float) -> Layer:
    padded = np.pad(alpha, round(0.5 * height))
    return Layer(padded, np.where(padded > 0.3, np.int16(MARK), np.int16(0)), height)


NOTHINGS: Mapping[str, Make] = {
    "word": _spelled(spelling.word), "dashes": _spelled(_dashes), "tick": _spelled(_tick), "scribble": _spelled(_scribble),
    "foreign": _spelled(spelling.foreign), "compound": _spelled(spelling.compound), "struck": _struck,
}  # fmt: skip
"""Kinds of fields without a number that are used in training and calibration."""

UNSEEN: Mapping[str, Make] = {"stamp": _stamp, "signature": _signature, "blot": _blot}
"""Kinds that neither uses: to see whether what was learned generalizes to the unforeseen."""
