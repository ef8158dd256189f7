"""Hands: how one person writes the digits, marks and letters of a field.

The digits are MNIST's, at another size and with another pen; pen-digits', all by one writer; or drawn as strokes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from docproc.learn.composing import pens, strokes
from docproc.learn.composing.fonts import foreign_digit, traced
from docproc.learn.composing.layers import MARK, Part
from docproc.learn.composing.material import Material
from docproc.learn.composing.spelling import Spelled, Token
from docproc.types import Ink

HEIGHTS, HEIGHT_SHARES = ((11.0, 18.0), (18.0, 46.0), (46.0, 90.0)), (0.12, 0.7, 0.18)  # px of a digit: scans of 75 to 400 dpi
LINKED_SHARE = 0.2  # of the strings: zeros are written in one stroke
SMALL_1_SHARE = 0.06  # of the hands: write a 1 smaller than other digits, but larger than a comma
LEAST_1, LEAST_ZERO = 0.6, 0.22  # of the hand's height: a smaller 1 is a comma, a smaller zero a point
WIDEST_1 = 1.3  # stretch of a drawn 1: the flag of a wider one is the bar of a 7
TINY_SHARE = 0.08  # of careless strings: zeros side by side are far smaller than the digits before them, as in 40.000
LOOPS: Mapping[int, tuple[int, int | None]] = {
    0: (1, None), 1: (0, 0), 2: (0, 1), 3: (0, 1), 4: (0, 1), 5: (0, 0), 6: (1, None), 7: (0, 1), 8: (2, None), 9: (1, None)
}  # fmt: skip
"""How many loops a digit must have to be recognizable, and how many it may have if one more makes another digit of it: nobody
can tell a 5 with a loop from a 6."""
FILLED, PALE = 127, 40  # ink from which on a pixel fills a loop; from which on, once scanned, it may close a gap
FINER = (0.45, 0.62)  # tried in turn if the boldness fills a loop or closes a gap, see `Hand.boldness`
FINER_PENS = (0.7, 0.5, 0.35)  # the pen's width over the hand's, tried in turn
BOLD = 0.2  # maximum thickness of strokes that are traced, of a digit's height: the middle line of bolder ones has spurs
MAX_BULGE = 2.0  # maximum over median thickness of the strokes, along their middle line
TRIES = 6  # MNIST digits that are tried before one is drawn

TICK_SHAPES: Mapping[str, strokes.StrokeShape] = {
    "tick": [[(0.0, 0.55), (0.2, 0.9), (0.25, 0.95), (0.25, 0.95), (0.75, 0.0)]],
    "cross": [[(0.0, 0.0), (0.9, 1.0)], [(0.9, 0.0), (0.0, 1.0)]],
    "scribble": [[(0.0, 0.3), (0.3, 0.9), (0.25, 0.2), (0.6, 0.85), (0.55, 0.2), (0.9, 0.8), (0.85, 0.15), (1.2, 0.75),
                  (1.2, 0.3)]],
    "squiggle": [[(0.0, 0.7), (0.15, 0.3), (0.3, 0.75), (0.5, 0.2), (0.6, 0.8), (0.9, 0.5), (1.4, 0.55), (2.0, 0.3)]],
    "ditto": [[(0.0, 0.0), (0.02, 0.35)], [(0.18, 0.0), (0.20, 0.36)]],
}  # fmt: skip
"""What appears in fields and is neither a digit nor a letter."""


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """What the signs of one string have in common."""

    height: float  # px
    pen: strokes.Pen
    drawn: float  # share of digits drawn as strokes, the rest from MNIST
    upright: float  # share of an MNIST digit's own slant that is removed
    boldness: float  # where an MNIST digit's ramp is: low is bold
    traced: bool  # MNIST digits are redrawn along their middle line, with this hand's pen
    styles: tuple[int, ...]  # one drawn style per digit
    carelessness: float  # 0..1, how little the digits of one string resemble each other
    wrote: Mapping[str, NDArray[np.int64]] | None  # the items of a writer of pen-digits
    letters: str  # the font of its letters
    small_1: float = 1.0  # height of its 1s relative to other digits


def a_hand(material: Material, rng: np.random.Generator, carelessness: float, height: float | None = None) -> Hand:
    if height is None:
        height = float(rng.uniform(*HEIGHTS[int(rng.choice(len(HEIGHTS), p=HEIGHT_SHARES))]))
    pen = strokes.Pen(
        width=float(np.clip(rng.lognormal(np.log(0.085), 0.35), 0.035, 0.2)),
        wobble=carelessness * float(rng.uniform(0.008, 0.05)),
        widen=float(np.clip(rng.lognormal(0.05, 0.3), 0.6, 2.2)),
    )
    drawn = float(rng.choice([0.0, 0.15, 0.5, 1.0], p=[0.15, 0.25, 0.3, 0.3]))
    wrote = material.pens.writer(rng) if material.pens is not None and rng.random() < material.mix.pens else None
    return Hand(
        height, pen, drawn, float(rng.uniform(0, 1)), float(rng.uniform(0.25, 0.62)), bool(rng.random() < 0.6),
        tuple(rng.integers(0, 99, 10)), carelessness, wrote, str(rng.choice(material.fonts.hand)),
        float(rng.uniform(0.65, 0.9)) if rng.random() < SMALL_1_SHARE else 1.0,
    )  # fmt: skip


def a_digit(
    digit: int, height: float, hand: Hand, material: Material, rng: np.random.Generator, wide: float = 1.0
) -> tuple[Ink, int]:
    """One digit, stretched by `wide`, with the row of its base line; `height` in px is that of a digit other than a small 1."""
    if digit == 1:
        height = max(height * hand.small_1, min(height, LEAST_1 * hand.height))
    hand = replace(hand, pen=replace(hand.pen, widen=hand.pen.widen * wide))
    if hand.wrote is not None and material.pens is not None and str(digit) in hand.wrote:
        item = int(rng.choice(hand.wrote[str(digit)]))
        ink = material.pens.draw(item, max(6.0, height), hand.pen.width * height, float(np.clip(hand.pen.widen, 0.7, 1.5)))
        return ink, ink.shape[0]
    if rng.random() < hand.drawn:
        style = hand.styles[digit] if rng.random() < 1 - 0.2 * hand.carelessness else int(rng.integers(99))
        return _drawn(digit, style, max(6.0, height), hand.pen, rng)
    for _ in range(TRIES):
        image = material.digits.images[rng.choice(material.digits.by_class[digit])]
        restyled = _restyled(image, max(6.0, height), hand, *LOOPS[digit])
        if restyled is not None:
            return restyled, restyled.shape[0]
    return _drawn(digit, hand.styles[digit], max(6.0, height), hand.pen, rng)


def _drawn(digit: int, style: int, height: float, pen: strokes.Pen, rng: np.random.Generator) -> tuple[Ink, int]:
    """A digit drawn as strokes, with a finer pen if a gap of an open shape would close: a 5 would become a 6, a 4 a 9."""
    own, most = style % len(strokes.DIGIT_SHAPES[str(digit)]), LOOPS[digit][1]
    if digit == 1:
        pen = replace(pen, widen=min(pen.widen, WIDEST_1))
    for finer in (1.0, *FINER_PENS):
        ink, base = strokes.draw_digit(digit, height, replace(pen, width=pen.width * finer), rng, own)
        if most is None or not _gained(ink, _loops_of_shape(digit, own), most):
            break
    return ink, base


@cache
def _loops_of_shape(digit: int, style: int) -> int:
    """The loops of a shape itself: those that a fine pen draws."""
    ink, _ = strokes.draw_digit(digit, 100.0, strokes.Pen(0.04, 0.0), np.random.default_rng(0), style)
    return _loops(ink)


def _restyled(image: NDArray[np.uint8], height: float, hand: Hand, fewest: int, most: int | None) -> Ink | None:
    """An MNIST digit at another size, less slanted, with another pen; None if it would no longer be recognizable.

    Another pen can fill a loop, or close a gap: the middle line of a filled 6 is an L, and a 5 whose gap has closed is a 6. So
    no loop may be lost, and one that is traced must have at least `fewest`. A digit with `most` loops may gain none.
    """
    moments = cv2.moments(image)
    slant = moments["mu11"] / max(1e-6, moments["mu02"]) if moments["m00"] else 0.0
    slant = float(np.clip(slant, -0.8, 0.8)) * hand.upright
    # Wide enough that nothing is lost; the digit's 20 px become `height`.
    scale = height / 20
    side = round((44 if hand.pen.widen < 1.3 else 72) * scale)
    stretch = float(np.clip(hand.pen.widen, 0.7, 2.4))
    x0, y0 = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    matrix = np.array([[scale * stretch, -scale * stretch * slant, 0.0], [0.0, scale, 0.0]])
    matrix[:, 2] = side / 2 - matrix[:, :2] @ np.array([x0, y0])
    large = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC)
    soft: Ink = np.asarray(cv2.GaussianBlur(large, (0, 0), max(0.3, 0.35 * scale)), np.uint8)
    kept = _loops(soft)
    if most is not None and kept > most:
        return None
    if hand.traced and scale >= 0.9:
        line = _trace(soft, hand.pen.width * height, BOLD * height)
        if line is None or kept < fewest or _loops(line) < kept or _gained(line, kept, most):
            return None
        x, y, w, h = cv2.boundingRect((line > 40).astype(np.uint8))
        return line[y : y + h, x : x + w] if h > 0.6 * height else None
    sharp = 255.0 / max(40.0, 160.0 / max(1.0, scale))
    for boldness in sorted({hand.boldness, *FINER}):
        ink: Ink = np.clip((soft.astype(np.float32) - boldness * 255) * sharp + 127, 0, 255).astype(np.uint8)
        if boldness >= hand.boldness and _loops(ink) >= kept and not _gained(ink, kept, most):
            break
    else:
        return None
    x, y, w, h = cv2.boundingRect((ink > 40).astype(np.uint8))
    if w == 0 or h == 0:
        ink, (x, y, w, h) = soft, cv2.boundingRect(soft)
    # Everything but the height was kept; wide digits (a flat 2, an arched 4) stay within reason.
    return ink[y : y + h, x : x + w]


def _gained(ink: Ink, kept: int, most: int | None) -> bool:
    """Whether a digit that may have `most` loops has more than the `kept` ones, or will have once it is scanned."""
    return most is not None and _loops(ink, PALE) > kept


def _loops(ink: Ink, least: int = FILLED) -> int:
    """The number of holes in what is at least this dark."""
    paper = np.pad((ink <= least).astype(np.uint8), 1, constant_values=1)
    return int(cv2.connectedComponents(paper, connectivity=4)[0]) - 2


def _trace(ink: Ink, width: float, boldest: float) -> Ink | None:
    """The middle line of the strokes, drawn with a round pen of `width` px: the even line of a ballpoint.

    None if the strokes are thicker than `boldest` px, or part of the ink is far thicker than the rest, as in a filled loop.
    """
    fine = 2
    big = np.asarray(cv2.resize(ink, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR))
    stroke = np.asarray(big > 110, np.uint8)
    middle = np.asarray(skeletonize(stroke > 0), np.uint8)
    inside = np.asarray(cv2.distanceTransform(np.pad(stroke, 1), cv2.DIST_L2, 5))[1:-1, 1:-1][middle > 0]
    if not len(inside) or inside.max() > MAX_BULGE * np.median(inside) or 2 * np.median(inside) > boldest * fine:
        return None
    thick = max(1.0, width * fine)
    # Distance to the line, cut at half the pen's width with a soft rim of one pixel.
    distance = cv2.distanceTransform(1 - middle, cv2.DIST_L2, 5)
    pen = np.clip((thick / 2 + 0.5 - distance) * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(pen, (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def a_dot(hand: Hand, rng: np.random.Generator, name: str) -> tuple[Ink, int]:
    """A point, a short comma, or (`·`) a point at half height or above."""
    height = hand.height
    radius = float(np.clip(rng.lognormal(np.log(hand.pen.width * 0.75), 0.35), 0.03, 0.16))
    if name == ",":
        length = rng.uniform(0.08, 0.3)
        lean = rng.uniform(-0.25, 0.12)
        path = [(0.0, 1 - radius), (lean * 0.4, 1 + length * 0.5), (lean, 1 + length)]
        pen = strokes.Pen(hand.pen.width * rng.uniform(0.9, 1.4), 0.005)
    else:
        path = [(0.0, 1 - radius), (rng.normal(0, 0.03), 1 - radius + abs(rng.normal(0, 0.03)))]
        pen = strokes.Pen(2 * radius, 0.005)
    ink, base = strokes.draw([path], height, pen, rng)
    raised = rng.uniform(0.28, 0.85) if name == "·" else rng.uniform(0.2, 0.7) if rng.random() < 0.06 else rng.normal(0.0, 0.07)
    return ink, base + int(raised * height)


def a_mark(name: str, size: float, hand: Hand, material: Material, rng: np.random.Generator) -> tuple[Ink, int]:
    """A mark by the name of its shape; `size` 1 is the height of a digit."""
    height = hand.height
    wrote = material.pens
    if wrote is not None and name in pens.SIZES and name in wrote.marks and rng.random() < material.mix.pen_marks:
        low, high, middle = pens.SIZES[name]
        side = size * rng.uniform(low, high) * height
        ink = wrote.draw(int(rng.choice(wrote.marks[name])), side, hand.pen.width * height, 1.0, wide=True)
        return ink, round((1 - middle) * height + ink.shape[0] / 2)
    if name == ":":
        ink, base = a_dot(hand, rng, ".")
        apart = round(rng.uniform(0.3, 0.5) * height)
        both = np.zeros((ink.shape[0] + apart, ink.shape[1]), np.uint8)
        both[: ink.shape[0]] = ink
        both[apart:] = np.maximum(both[apart:], ink)
        return both, base + apart + int(rng.uniform(0.0, 0.2) * height)
    if name == "+":
        shape: strokes.StrokeShape = [[(0.25, 0.3), (0.25, 0.8)], [(0.0, 0.55), (0.5, 0.55)]]
    elif name in TICK_SHAPES:
        shape = TICK_SHAPES[name]
    else:
        shapes = strokes.MARKS[name]
        shape = shapes[int(rng.integers(len(shapes)))]
    if name in ("$", "₹", "Rs", "£", "€") and rng.random() < 0.6:  # printed on the form
        pen = replace(hand.pen, width=float(rng.uniform(0.07, 0.16)), wobble=0.004, widen=float(rng.uniform(0.8, 1.2)))
    else:
        pen = hand.pen
    return strokes.draw(shape, height * size, pen, rng)


def a_letter(char: str, hand: Hand, rng: np.random.Generator, font: str = "") -> tuple[Ink, int]:
    """A letter, written along the middle line of a font's letter."""
    height = hand.height
    wide = float(np.clip(hand.pen.widen * rng.normal(1, 0.08), 0.7, 1.5))
    found = traced(char, font or hand.letters, height * float(rng.normal(0.92, 0.06)), hand.pen.width * height, wide)
    if found is None:
        shape = TICK_SHAPES["squiggle"]
        return strokes.draw(shape, height * 0.7, hand.pen, rng)
    return found


MARK_SIZES: Mapping[str, tuple[float, float]] = {
    "-": (0.5, 1.1), "=": (0.5, 1.1), "$": (0.7, 1.3), "₹": (0.7, 1.3), "Rs": (0.7, 1.3), "£": (0.7, 1.3), "€": (0.7, 1.3),
    ":": (1.0, 1.0),
}  # fmt: skip


def written(spelled: Spelled, hand: Hand, material: Material, rng: np.random.Generator) -> list[Part]:
    """The signs of a field as this hand writes them, from left to right."""
    return _Writing(spelled, hand, material, rng).parts()


class _Writing:
    """One string as it grows: the look of a digit depends on those before it."""

    def __init__(self, spelled: Spelled, hand: Hand, material: Material, rng: np.random.Generator) -> None:
        self.spelled, self.hand, self.material, self.rng = spelled, hand, material, rng
        self.tightness = rng.normal(0.18, 0.11)
        self.touching = rng.random() < 0.45
        self.link = int(rng.integers(len(strokes.LINKED_ZEROS))) if rng.random() < LINKED_SHARE else None
        self.linked = False
        self.tiny = float(rng.uniform(0.3, 0.65)) if rng.random() < TINY_SHARE * hand.carelessness else 1.0
        self.first = self.shrink = 1.0  # sizes of the first of several zeros, and of this digit
        foreign = material.fonts.foreign if spelled.foreign else ()
        self.script = foreign[int(rng.integers(len(foreign)))] if foreign else None

    def parts(self) -> list[Part]:
        found: list[Part] = []
        owner = 0
        for place, token in enumerate(self.spelled.tokens):
            if token.digit:
                owner += 1
                found += self._digit(place, token, owner)
            else:
                found.append(self._mark(place, token))
        if self.spelled.raised and self.rng.random() < 0.7:
            found.append(self._underline())
        return found

    def _is_zero(self, place: int) -> bool:
        tokens = self.spelled.tokens
        return 0 <= place < len(tokens) and tokens[place].symbol == "0"

    def _digit(self, place: int, token: Token, owner: int) -> list[Part]:
        rng, hand, height = self.rng, self.hand, self.hand.height
        gap = rng.normal(self.tightness, 0.07) * height
        if self.touching and rng.random() < 0.3:
            gap = rng.uniform(-0.16, 0.03) * height
        zeros = self._is_zero(place) and self._is_zero(place - 1)
        if zeros and rng.random() < 0.5:
            self.shrink = max(0.45 * self.first, self.shrink * rng.uniform(0.75, 1.0))
            gap = rng.uniform(-0.13, 0.08) * height
        elif not zeros:
            together = place > 0 and self._is_zero(place) and self._is_zero(place + 1)
            self.first = self.tiny if together and not token.raised else 1.0
            self.shrink = self.first
        small = 0.62 if token.raised else 1.0
        size = height * self.shrink * small * float(np.clip(rng.normal(1, 0.08), 0.75, 1.3))
        size = max(size, LEAST_ZERO * height)
        # Zeros that shrink do so in height: they become wide.
        wide = (self.shrink / self.first) ** -float(rng.uniform(0.2, 1.3))
        wide *= float(rng.uniform(0.9, 1.5)) if token.symbol == "0" else 1.0
        if self.linked:
            gap = -0.7 * hand.pen.width * height
        ahead = self._is_zero(place + 1)
        self.linked = self.link is not None and token.symbol == "0" and (ahead or (zeros and rng.random() < 0.4))
        if self.linked and self.link is not None:
            ink, base = strokes.draw(strokes.LINKED_ZEROS[self.link], max(6.0, size), hand.pen, rng)
        else:
            ink, base = a_digit(int(token.symbol), size, hand, self.material, rng, wide)
        # Neighbors touch stroke to stroke; a pen seldom writes one digit into the next, and a 1 would be lost in it.
        before = self.spelled.tokens[place - 1].symbol if place else ""
        thin = "1" in (token.symbol, before)
        gap = max(gap, -(0.4 if thin else 0.9) * hand.pen.width * height)
        if token.gap is not None:
            gap = token.gap * height
        base += int(rng.normal(0, 0.04) * height)
        if token.raised:
            base += int(rng.uniform(0.36, 0.5) * height)
        found = [Part(ink, base, owner, gap, straight=thin)]
        if zeros and rng.random() < 0.15:
            ink, base = strokes.draw(strokes.MARKS["~"][0], height * 0.5, hand.pen, rng)
            found.append(Part(ink, base + int(0.5 * height * self.shrink), MARK, -0.5 * height))
        return found

    def _mark(self, place: int, token: Token) -> Part:
        rng, hand, height, name = self.rng, self.hand, self.hand.height, token.shape
        tokens = self.spelled.tokens
        inner = any(t.digit for t in tokens[:place]) and any(t.digit for t in tokens[place:])
        gap = height * (rng.uniform(-0.05, 0.25) if inner else rng.uniform(0.02, 0.4))
        if self.script is not None:
            script, font = self.script
            ink, base = a_letter(foreign_digit(script, int(name)), hand, rng, font)
        elif name in (".", "·") or (name == "," and (rng.random() < 0.5 or not inner)):
            ink, base = a_dot(hand, rng, "," if name == "." and rng.random() < 0.25 and not inner else name)
            gap = height * rng.uniform(-0.05, 0.3)
        elif name in TICK_SHAPES:
            ink, base = a_mark(name, float(rng.uniform(0.7, 1.5)), hand, self.material, rng)
        elif token.symbol == "?":
            ink, base = a_letter(name, hand, rng)
        else:
            low, high = MARK_SIZES.get(name, (0.8, 1.2))
            ink, base = a_mark(name, float(rng.uniform(low, high)), hand, self.material, rng)
        if token.gap is not None:
            gap = token.gap * height
        return Part(ink, base + int(rng.normal(0, 0.05) * height), MARK, gap)

    def _underline(self) -> Part:
        """The line under raised cents: it extends back below them."""
        rng, height = self.rng, self.hand.height
        length = float(rng.uniform(0.9, 1.5))
        ink, base = strokes.draw([[(0.0, 0.0), (length, rng.normal(0, 0.05))]], height, self.hand.pen, rng)
        return Part(ink, base + int(rng.uniform(-0.86, -0.68) * height), MARK, -length * height)
