"""Print: fields in the fonts of offices, machines and receipts, sharp, worn, faint, or in separate dots."""

from __future__ import annotations

import cv2
import numpy as np

from docproc.learn.composing.fonts import Fonts, dot_matrix, foreign_digit, has, printed
from docproc.learn.composing.hands import TICK_SHAPES
from docproc.learn.composing.layers import MARK, Layer, paste
from docproc.learn.composing.spelling import Spelled, Token

DOTTED_SHARE = 0.06  # of the printed fields: in separate dots
RAISED_SHARE = 0.5  # of those with a point at half height: have it at another height, as old type does
SHAPES = {"Rs": "Rs.", "/-": "/-", "x": "x"}  # what is printed for a shape, if it is not the shape's own name


def typed(spelled: Spelled, fonts: Fonts, rng: np.random.Generator) -> Layer | None:
    """A field in print; None if no font is available for it."""
    script = fonts.foreign[int(rng.integers(len(fonts.foreign)))] if spelled.foreign and fonts.foreign else None
    if spelled.foreign and script is None:
        return None
    raised = float(rng.uniform(0.35, 0.85)) if rng.random() < RAISED_SHARE else 0.0
    pieces = [_characters(token, script[0] if script else "", raised > 0) for token in spelled.tokens]
    if any(token.shape in TICK_SHAPES for token in spelled.tokens):
        return None
    text = "".join(_spaced(token, piece, k) for k, (token, piece) in enumerate(zip(spelled.tokens, pieces, strict=True)))
    owners = _owners(spelled, pieces)
    height = float(rng.uniform(12, 44)) if rng.random() < 0.75 else float(rng.uniform(44, 90))
    placed = dot_matrix(text, height, float(rng.uniform(0.7, 1.15))) if rng.random() < DOTTED_SHARE else None
    if placed is None:
        font = script[1] if script else str(rng.choice(fonts.print))
        if not has(font, text):
            return None
        placed = printed(text, font, height)
    if raised:
        points = [token.shape == "·" for token, piece in zip(spelled.tokens, pieces, strict=True) for _ in piece]
        placed = _with_points_raised(text, placed, points, raised * height)
    return _worn(_laid(text, placed, owners, height, float(np.clip(rng.normal(0, 0.03), -0.05, 0.2)) * height), rng)


def typed_in(spelled: Spelled, font: str, height: float) -> Layer | None:
    """A field in clean print of one font, with digits `height` px high; None if the font lacks a character."""
    pieces = [_characters(token, "") for token in spelled.tokens]
    text = "".join(_spaced(token, piece, k) for k, (token, piece) in enumerate(zip(spelled.tokens, pieces, strict=True)))
    if not has(font, text):
        return None
    return _laid(text, printed(text, font, height), _owners(spelled, pieces), height, 0.0)


def _characters(token: Token, script: str, raised: bool = False) -> str:
    """What is printed for a token; a point at half height is a `.` if it is `raised` to another one."""
    if script:
        return foreign_digit(script, int(token.shape))
    return "." if token.shape == "·" and raised else SHAPES.get(token.shape, token.shape)


def _with_points_raised(text: str, placed: list, points: list[bool], rise: float) -> list:  # type: ignore[type-arg]
    """The characters with some of them `rise` px higher; `points` says which, without spaces."""
    raised = iter(points)
    return [
        (ink, left, top - rise * (char != " " and next(raised))) for char, (ink, left, top) in zip(text, placed, strict=True)
    ]


def _spaced(token: Token, piece: str, place: int) -> str:
    return (" " if place and token.gap is not None and token.gap > 0.3 else "") + piece


def _owners(spelled: Spelled, pieces: list[str]) -> list[int]:
    """The owner of every character's ink, without spaces."""
    owners, digit = [], 0
    for token, piece in zip(spelled.tokens, pieces, strict=True):
        digit += token.digit
        owners += [digit if token.digit else MARK] * len(piece)
    return owners


def _laid(text: str, placed: list, owners: list[int], height: float, spread: float) -> Layer:  # type: ignore[type-arg]
    """The characters on a layer, `spread` px further apart than the font sets them."""
    room = round(0.8 * height)
    right = max(left + ink.shape[1] for ink, left, _ in placed)
    columns, rows = round(right + max(0.0, spread) * len(placed)) + 2 * room, round(3.2 * height)
    alpha, owner = np.zeros((rows, columns), np.float32), np.zeros((rows, columns), np.int16)
    whose = iter(owners)
    for k, (char, (ink, left, top)) in enumerate(zip(text, placed, strict=True)):
        if char != " ":
            paste(alpha, owner, ink, next(whose), left + k * spread + room, 2.1 * height + top)
    return Layer(alpha, owner, height)


def _worn(layer: Layer, rng: np.random.Generator) -> Layer:
    """Print as it comes from a press, a worn ribbon or a thermal head."""
    alpha, height = layer.alpha, layer.height
    kind = rng.random()
    if kind < 0.12:
        alpha = np.asarray(cv2.dilate(alpha, np.ones((2, 2), np.uint8)), np.float32)
    elif kind < 0.2 and height > 30:
        alpha = np.asarray(cv2.erode(alpha, np.ones((2, 2), np.uint8)), np.float32)
    if rng.random() < 0.18:
        # A ribbon, or a head with dead dots: parts are fainter, and rows or columns are missing.
        coarse = rng.uniform(0.35, 1.2, (2 + alpha.shape[0] // 9, 2 + alpha.shape[1] // 9)).astype(np.float32)
        alpha = np.asarray(alpha * np.clip(cv2.resize(coarse, alpha.shape[::-1]), 0, 1), np.float32)
    if rng.random() < 0.05:
        step = max(3, round(height * rng.uniform(0.08, 0.2)))
        alpha = alpha.copy()
        alpha[int(rng.integers(step)) :: step] *= rng.uniform(0.2, 0.7)
    return Layer(alpha, layer.owner, height)
