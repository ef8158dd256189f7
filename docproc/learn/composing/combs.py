"""Combs: rows of printed boxes with a digit in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing import strokes
from docproc.learn.composing.fonts import foreign_digit
from docproc.learn.composing.hands import TICK_SHAPES, Hand, a_digit, a_hand, a_letter
from docproc.learn.composing.layers import MARK, Owner, paste
from docproc.learn.composing.material import Material
from docproc.learn.composing.paper import scanned
from docproc.learn.composing.strips import Strip

OTHER_SHARE = 0.03  # of the cells: contain a letter or a tick
FOREIGN_SHARE = 0.02  # of the combs: have digits of another script
CELL_LETTERS = "EKMNVWkmnw&%"
"""Letters that do not look like a digit when handwritten: D looks like a 0, h and A like a 4, P like a 9."""


def compose_comb(material: Material, rng: np.random.Generator, carelessness: float = 1.0) -> Strip:
    """A row of boxes or a comb with a digit in each; some stay empty, some are crossed out. `carelessness` as in `compose`."""
    cells = int(rng.integers(1, 11))
    pitch = float(rng.uniform(24, 80))
    cell_height = pitch * rng.uniform(0.85, 1.7)
    hand = a_hand(
        material, rng, carelessness, height=float(min(cell_height * rng.uniform(0.35, 0.85), pitch * rng.uniform(0.55, 1.1)))
    )
    margin = int(rng.uniform(0.02, 0.25) * pitch)
    width, height = int(pitch * cells) + 2 * margin + 2, int(cell_height) + 2 * margin + 2
    alpha = np.zeros((height, width), np.float32)
    owner = np.zeros((height, width), np.int16)
    leading = int(rng.integers(0, cells + 1)) if rng.random() < 0.4 else 0
    crosses = rng.random() < 0.6  # whether unneeded cells are crossed out
    crossing = str(rng.choice(list(CROSSINGS)))
    room = (margin + (height - 2 * margin) / 2, cell_height)
    foreign = material.fonts.foreign if rng.random() < FOREIGN_SHARE else ()
    script = foreign[int(rng.integers(len(foreign)))] if foreign else None
    marks: list[str] = []
    text = ""
    for cell in range(cells):
        center = margin + pitch * (cell + 0.5)
        if cell < leading or rng.random() < 0.05:
            crossed = crosses if cell < leading else rng.random() < 0.3
            if crossed:
                name = crossing if rng.random() < 0.9 else str(rng.choice(list(CROSSINGS)))
                size = hand.height * rng.uniform(0.5, 1.3)
                _cross(alpha, owner, name, center + rng.normal(0, 0.08) * pitch, room[0], size, hand, rng)
            marks.append("x" if crossed else "")
            continue
        if script or rng.random() < OTHER_SHARE:
            _other(alpha, owner, center, room[0], hand, script, rng)
            marks.append("?")
            continue
        digit = int(rng.integers(10))
        ink, _ = a_digit(digit, hand.height * float(rng.normal(1, 0.07)), hand, material, rng)
        x = center - ink.shape[1] / 2 + rng.normal(0, 0.09) * pitch
        y = (height - ink.shape[0]) / 2 + rng.normal(0, 0.09) * cell_height
        if rng.random() < 0.025:
            # A digit that was struck out.
            paste(alpha, owner, ink, MARK, x, y)
            name = str(rng.choice(["x", "scribble", "//"] if digit == 7 else ["x", "-", "=", "scribble", "//"]))
            _cross(alpha, owner, name, center, y + ink.shape[0] / 2, hand.height * rng.uniform(1.0, 1.5), hand, rng)
            marks.append("x")
            continue
        marks.append(str(digit))
        text += str(digit)
        paste(alpha, owner, ink, len(text), x, y)
    if leading > 1 and crosses and rng.random() < 0.06:
        # One stroke through all of them.
        y = room[0] + rng.normal(0, 0.1) * cell_height
        first = (round(margin + 0.2 * pitch), round(y))
        last = (round(margin + pitch * (leading - 0.2)), round(y + rng.normal(0, 0.15) * cell_height))
        through = np.zeros((height, width), np.uint8)
        cv2.line(through, first, last, 255, max(1, round(hand.pen.width * hand.height)), cv2.LINE_AA)
        paste(alpha, owner, through, MARK, 0, 0)
    line = _comb_lines(alpha.shape, cells, pitch, cell_height, margin, rng)
    owner[(line > 0) & (alpha < 0.5)] = MARK
    alpha = np.maximum(alpha, line)
    return Strip(scanned(alpha, rng), text, owner, cells, tuple(marks), symbols=text, number="?" not in marks)


CROSSINGS: Mapping[str, strokes.StrokeShape] = {
    "x": [[(0.0, 0.0), (0.8, 1.0)], [(0.8, 0.0), (0.0, 1.0)]],
    "wide x": [[(0.0, 0.15), (1.1, 0.9)], [(1.1, 0.1), (0.0, 0.85)]],
    "curled x": [[(0.05, 0.1), (0.2, 0.0), (0.75, 0.9), (0.85, 0.85)], [(0.8, 0.05), (0.4, 0.5), (0.0, 1.0)]],
    "joined x": [[(0.0, 0.0), (0.8, 1.0), (0.8, 1.0), (0.85, 0.5), (0.8, 0.0), (0.8, 0.0), (0.0, 1.0)]],
    "fish": [[(0.0, 0.1), (0.45, 0.55), (0.8, 0.75), (0.85, 0.4), (0.7, 0.2), (0.35, 0.6), (0.0, 0.95)]],
    "-": [[(0.0, 0.5), (0.4, 0.48), (0.8, 0.5)]],
    "long -": [[(0.0, 0.5), (0.6, 0.47), (1.3, 0.5)]],
    "=": [[(0.0, 0.4), (0.7, 0.38)], [(0.0, 0.65), (0.7, 0.62)]],
    "~": [[(0.0, 0.55), (0.22, 0.4), (0.5, 0.6), (0.8, 0.42)]],
    "//": [[(0.5, 0.0), (0.0, 1.0)], [(0.85, 0.0), (0.35, 1.0)]],
    "*": [[(0.0, 0.1), (0.7, 0.9)], [(0.7, 0.1), (0.0, 0.9)], [(-0.05, 0.5), (0.75, 0.5)]],
    "#": [[(0.25, 0.0), (0.15, 1.0)], [(0.6, 0.0), (0.5, 1.0)], [(0.0, 0.33), (0.8, 0.3)], [(0.0, 0.68), (0.8, 0.65)]],
    "scribble": [
        [(0.0, 0.2), (0.5, 0.9), (0.15, 0.95), (0.6, 0.1), (0.3, 0.05), (0.8, 0.85),
         (0.5, 0.95), (0.9, 0.15), (0.7, 0.1), (1.0, 0.8)]
    ],
}  # fmt: skip
"""Ways to strike out a cell. No single slash: its ink is the same as that of a 1, and it is far less often meant."""


def _cross(
    alpha: NDArray[np.float32], owner: Owner, name: str, x: float, y: float, size: float, hand: Hand, rng: np.random.Generator
) -> None:
    """Strike out a cell around the point (x, y)."""
    pen = replace(hand.pen, wobble=hand.pen.wobble * 1.5, widen=float(rng.uniform(0.7, 1.3)))
    shape = CROSSINGS[name]
    if rng.random() < 0.3:
        shape = [stroke[::-1] for stroke in shape]
    ink, _ = strokes.draw(shape, max(6.0, size), pen, rng)
    if rng.random() < 0.5:
        turn = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), float(rng.normal(0, 9)), 1.0)
        ink = np.asarray(cv2.warpAffine(ink, turn, (ink.shape[1], ink.shape[0])), np.uint8)
    paste(alpha, owner, ink, MARK, x - ink.shape[1] / 2, y - ink.shape[0] / 2)


def _comb_lines(
    shape: tuple[int, ...], cells: int, pitch: float, cell_height: float, margin: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """What is printed around the cells: boxes, combs, double walls, broken lines, the form's bars and letters next to them."""
    line = np.zeros(shape[:2], np.float32)
    height, width = line.shape
    thick = max(1, round(pitch * rng.uniform(0.012, 0.06)))
    left, top, right, bottom = margin, margin, margin + int(pitch * cells), margin + int(cell_height)
    kind = rng.random()
    apart = round(rng.uniform(0.05, 0.12) * pitch) if rng.random() < 0.15 else 0
    # The walls inside may be paler and thinner than the frame.
    inside = (float(rng.uniform(0.3, 0.7)), max(1, thick // 2)) if rng.random() < 0.2 else (1.0, thick)
    for k in range(cells + 1):
        x = margin + int(pitch * k)
        rise = top if kind < 0.7 or k in (0, cells) else int(bottom - rng.uniform(0.15, 0.4) * cell_height)
        dark, wide = inside if 0 < k < cells else (1.0, thick)
        for at in (x - apart // 2, x + apart // 2) if apart and 0 < k < cells else (x,):
            if rng.random() < 0.08:
                for y in range(rise, bottom, 4 * thick):  # dotted
                    cv2.line(line, (at, y), (at, min(bottom, y + 2 * thick)), dark, wide)
            else:
                cv2.line(line, (at, rise), (at, bottom), dark, wide)
    cv2.line(line, (left, bottom), (right, bottom), 1.0, thick)
    if kind < 0.85:
        cv2.line(line, (left, top), (right, top), 1.0, thick)
    if rng.random() < 0.12:
        # Broken the way thin lines are on a harshly thresholded scan.
        line *= cv2.resize((rng.random((2 + height // 5, 2 + width // 5)) < 0.75).astype(np.float32), (width, height),
                           interpolation=cv2.INTER_NEAREST)  # fmt: skip
    line *= rng.uniform(0.35, 1.0)
    if rng.random() < 0.12 and margin > 3:
        side = int(rng.integers(4))
        bar = [slice(0, margin - 1), slice(width - margin + 1, width)][side % 2]
        if side < 2:
            line[:, bar] = 1.0
        else:
            line[[slice(0, margin - 1), slice(height - margin + 1, height)][side % 2]] = 1.0
    if rng.random() < 0.25 and margin > 4:
        # Letters above or below, cut by the edge of the crop.
        edge = 0 if rng.random() < 0.5 else height
        for _ in range(int(rng.integers(1, 8))):
            from_x = rng.uniform(0, width)
            inward = (1 if edge == 0 else -1) * rng.uniform(0.1, 0.7) * margin
            end = (round(from_x + rng.normal(0, 0.15) * pitch), round(edge + inward))
            cv2.line(line, (round(from_x), edge), end, 1.0, max(1, thick), cv2.LINE_AA)
    if rng.random() < 0.1:
        # Specks.
        for _ in range(int(rng.integers(1, 12))):
            spot = (int(rng.integers(width)), int(rng.integers(height)))
            cv2.circle(line, spot, max(1, round(pitch * rng.uniform(0.005, 0.03))), 1.0, -1)
    shift = np.array([[1.0, 0.0, 0.0], [float(rng.normal(0, 0.006)), 1.0, 0.0]])
    return np.asarray(cv2.warpAffine(line, shift, (width, height), flags=cv2.INTER_LINEAR), np.float32)


def _other(
    alpha: NDArray[np.float32],
    owner: Owner,
    x: float,
    y: float,
    hand: Hand,
    script: tuple[str, str] | None,
    rng: np.random.Generator,
) -> None:
    """Something that is neither one of our digits nor meant to strike out the cell, around the point (x, y)."""
    if script is not None:
        name, font = script
        ink, _ = a_letter(foreign_digit(name, int(rng.integers(1, 10))), hand, rng, font)
    elif rng.random() < 0.2:
        # No squiggles or dittos: these strike out a cell, see `CROSSINGS`.
        ink, _ = strokes.draw(TICK_SHAPES["tick"], max(6.0, hand.height * rng.uniform(0.5, 1.0)), hand.pen, rng)
    else:
        ink, _ = a_letter(str(rng.choice(list(CELL_LETTERS))), hand, rng)
    paste(alpha, owner, ink, MARK, x - ink.shape[1] / 2, y - ink.shape[0] / 2)
