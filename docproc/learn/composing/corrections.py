"""Corrections: digits that are struck out, overwritten, scribbled over, or struck out with another above."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from docproc.learn.composing.hands import Hand, a_digit, written
from docproc.learn.composing.layers import MARK, Layer, Owner, arrange, paste
from docproc.learn.composing.material import Material
from docproc.learn.composing.spelling import Spelled, digits
from docproc.types import STRUCK, Ink

_STRIKES = (0.55, 0.08, 0.12, 0.25)  # of a whole number: level lines, a slash, a cross, a zigzag
_SINGLE_STRIKES = (0.25, 0.4, 0.1, 0.25)  # of one digit


@dataclass(frozen=True, slots=True)
class Corrected:
    """The content of a field after it was corrected."""

    symbols: str
    number: bool  # whether it is a single number that can be read
    kind: str = ""
    meant: str = ""  # the intended digits, if a person could key them


def corrected(
    layer: Layer, spelled: Spelled, hand: Hand, material: Material, rng: np.random.Generator
) -> tuple[Layer, Corrected]:
    """The written layer with a correction."""
    kind = rng.random()
    if kind < 0.5:
        return _struck(layer, spelled, hand, material, rng)
    return _replaced(layer, spelled, hand, material, rng, above=kind < 0.78)


def _struck(
    layer: Layer, spelled: Spelled, hand: Hand, material: Material, rng: np.random.Generator
) -> tuple[Layer, Corrected]:
    """All of it is struck out; most people write another number next to it."""
    struck = _void(layer)
    columns = np.flatnonzero((struck.owner > 0).any(axis=0))
    rows = np.flatnonzero((struck.owner > 0).any(axis=1))
    strike = _strike((columns[0], rows[0], columns[-1], rows[-1]), struck, hand, rng)
    alpha, owner = struck.alpha.copy(), struck.owner.copy()
    paste(alpha, owner, strike, MARK, 0, 0)
    struck = Layer(alpha, owner, layer.height)
    if rng.random() < 0.3:
        return struck, Corrected(STRUCK, number=False, kind="struck")
    text = "".join(str(d) for d in rng.integers(0, 10, int(rng.integers(1, 6))))

    again = Spelled(tuple(digits(text)), marked=spelled.marked)
    beside = arrange(written(again, hand, material, rng), layer.height, rng)
    after = rng.random() < 0.85
    joined = _joined(struck, beside, rng) if after else _joined(beside, struck, rng)
    symbols = STRUCK + text if after else text + STRUCK
    return joined, Corrected(symbols, number=True, kind="rewritten")


def _void(layer: Layer) -> Layer:
    owner = np.where(layer.owner > 0, np.int16(MARK), layer.owner)
    return Layer(layer.alpha, np.asarray(owner, np.int16), layer.height)


def _strike(box: tuple[int, int, int, int], layer: Layer, hand: Hand, rng: np.random.Generator) -> Ink:
    """Ink that strikes out what is in the box (left, top, right, bottom): lines through it, a cross, a zigzag."""
    left, top, right, bottom = box
    canvas = np.zeros(layer.alpha.shape, np.uint8)
    thick = max(1, round(hand.pen.width * layer.height * rng.uniform(0.7, 1.5)))
    over = rng.uniform(-0.08, 0.25) * layer.height
    middle = (top + bottom) / 2 + rng.normal(0, 0.06) * layer.height
    single = right - left < 1.2 * layer.height  # one digit, which people strike out with one slanted line
    name = str(rng.choice(["level", "slash", "cross", "zigzag"], p=_SINGLE_STRIKES if single else _STRIKES))
    paths: list[list[tuple[float, float]]] = []
    if name == "level":
        for k in range(int(rng.choice([1, 1, 1, 2, 3]))):
            y = middle + (k - 0.5 * (k > 0)) * 0.18 * layer.height
            bow, tilt = rng.normal(0, 0.06, 2) * layer.height
            paths.append([(left - over, y - tilt), ((left + right) / 2, y + bow), (right + over, y + tilt)])
    elif name == "cross":
        paths += [[(left - over, top), (right + over, bottom)], [(left - over, bottom), (right + over, top)]]
    elif name == "slash":
        inset = rng.uniform(-0.1, 0.2) * layer.height
        lean = rng.uniform(0.0, 0.3) * (right - left) if single else 0.0
        path = [(left - over + lean, bottom - inset), (right + over - lean, top + inset)]
        paths.append(path if rng.random() < 0.8 else [(path[0][0], path[1][1]), (path[1][0], path[0][1])])
    else:
        step = layer.height * rng.uniform(0.08, 0.3)
        many = max(4, round((right - left + 2 * over) / step * 2))
        inset = rng.uniform(-0.05, 0.2) * layer.height
        paths.append(
            [
                (
                    left - over + (right - left + 2 * over) * k / many,
                    (top + inset if k % 2 else bottom - inset) + rng.normal(0, 0.06) * layer.height,
                )
                for k in range(many + 1)
            ]
        )
    for path in paths:
        points = np.rint(np.array(path) * 16).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(canvas, [points], False, 255, thick, cv2.LINE_AA, shift=4)
    return canvas


def _joined(first: Layer, second: Layer, rng: np.random.Generator) -> Layer:
    """Two layers side by side; the digits of both together are the text, and only one of them has digits."""
    gap = round(rng.uniform(0.25, 1.2) * first.height)
    one, other = _inked(first), _inked(second)
    rows = max(first.alpha.shape[0], second.alpha.shape[0])
    alpha = np.zeros((rows, one[1] - one[0] + gap + other[1] - other[0] + round(first.height)), np.float32)
    owner: Owner = np.zeros(alpha.shape, np.int16)
    at = round(0.5 * first.height)
    for layer, (start, end) in ((first, one), (second, other)):
        alpha[: layer.alpha.shape[0], at : at + end - start] = layer.alpha[:, start:end]
        owner[: layer.alpha.shape[0], at : at + end - start] = layer.owner[:, start:end]
        at += end - start + gap
    return Layer(alpha, owner, first.height)


def _inked(layer: Layer) -> tuple[int, int]:
    columns = np.flatnonzero((layer.owner > 0).any(axis=0))
    return int(columns[0]), int(columns[-1]) + 1


def _replaced(
    layer: Layer, spelled: Spelled, hand: Hand, material: Material, rng: np.random.Generator, *, above: bool
) -> tuple[Layer, Corrected]:
    """One digit is struck out with another `above` it, or another is written over it: which one is valid cannot be read."""
    places = [k for k, symbol in enumerate(spelled.symbols) if symbol.isdigit()]
    chosen = int(rng.integers(len(places)))
    another = (int(spelled.text[chosen]) + int(rng.integers(1, 10))) % 10
    x, y, w, h = cv2.boundingRect((layer.owner == chosen + 1).astype(np.uint8))
    alpha, owner = layer.alpha.copy(), layer.owner.copy()
    owner[owner == chosen + 1] = MARK
    owner[(owner > chosen + 1) & (owner < MARK)] -= 1
    if w and h:
        bold = replace(hand, pen=replace(hand.pen, width=hand.pen.width * float(rng.uniform(1.0, 2.0))))
        size = layer.height * (float(rng.uniform(0.4, 0.9)) if above else 1.0)
        ink, _ = a_digit(another, size, hand if above else bold, material, rng)
        if above:
            paste(alpha, owner, _strike((x, y, x + w, y + h), layer, hand, rng), MARK, 0, 0)
            paste(
                alpha, owner, ink, MARK, x + (w - ink.shape[1]) / 2, y - ink.shape[0] - rng.uniform(-0.05, 0.5) * layer.height
            )
        else:
            paste(
                alpha,
                owner,
                ink,
                MARK,
                x + (w - ink.shape[1]) / 2 + rng.normal(0, 0.06) * layer.height,
                y + (h - ink.shape[0]) / 2,
            )
    place = places[chosen]
    symbols = spelled.symbols[:place] + STRUCK + spelled.symbols[place + 1 :]
    meant = f"{spelled.text[:chosen]}{another}{spelled.text[chosen + 1 :]}"
    return Layer(alpha, owner, layer.height), Corrected(symbols, False, "above" if above else "overwritten", meant)
