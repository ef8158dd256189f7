"""Compose number fields from MNIST digits and drawn strokes, and keep for every pixel the digit that it belongs to.

A strip imitates how people fill in amounts and form fields: one hand, one slant, digits that touch, zeros that shrink and
run together, separators and trailing marks, ruled lines, frames, security patterns, bad light, JPEG. The real segmenter
then cuts the strip, and `label` gives every candidate its digit, or *not a digit*: the recognizer is trained on exactly
what the segmenter gives it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.morphology import skeletonize

from docproc.learn.composing import strokes
from docproc.types import NOT_A_DIGIT, Gray, Ink, Kind, Lattice

# F1 of a candidate's ink against a digit's: from the first on it is that digit, from the second on it is ambiguous.
MIN_F1_DIGIT, MIN_F1_AMBIGUOUS = 0.80, 0.65
AMBIGUOUS = -1  # label of a candidate that is neither clearly a digit nor clearly not one

Owner = NDArray[np.int16]  # (height, width) int16: 0 paper, k + 1 digit k of the text, MARK any other ink
MARK = 1000
AMOUNT_ODDS = np.array([0.17, 0.21, 0.12, 0.09, 0.08, 0.11, 0.06, 0.06, 0.05, 0.05])  # of the digits 0..9


@dataclass(frozen=True, slots=True)
class Strip:
    """A composed field."""

    gray: Gray
    text: str
    owner: Owner
    cells: int = 0  # of a comb; 0 for a free string
    marks: tuple[str, ...] = ()  # what stands in each cell of a comb: a digit, x where it is crossed out, "" for nothing
    amount: bool = False  # marks may stand beside the digits

    @property
    def kind(self) -> Kind:
        return "comb" if self.cells else "amount" if self.amount else "string"


@dataclass(frozen=True, slots=True)
class Digits:
    """The MNIST digits to compose from: images (n, 28, 28) uint8, white on black, and where each class stands."""

    images: NDArray[np.uint8]
    by_class: tuple[NDArray[np.int64], ...]

    @staticmethod
    def of(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Digits:
        return Digits(images, tuple(np.flatnonzero(labels == digit) for digit in range(10)))


@dataclass(frozen=True, slots=True)
class _Hand:
    """What the digits of one string share."""

    height: float  # px
    pen: strokes.Pen
    drawn: float  # share of digits drawn as strokes, the rest from MNIST
    upright: float  # share of an MNIST digit's own slant that is taken out
    boldness: float  # where an MNIST digit's ramp sits: low is bold
    traced: bool  # MNIST digits are written anew along their middle line, with this hand's pen
    styles: tuple[int, ...]  # one drawn style for every digit
    carelessness: float  # 0..1, how little the digits of one string resemble each other


# ---------------------------------------------------------------------------------------------------- composing


def compose(digits: Digits, rng: np.random.Generator, carelessness: float = 1.0) -> Strip:
    """One free strip: an amount, a number or a date. `carelessness` 0..1 is that of the handwriting."""
    text = _text(rng)
    hand = _hand(rng, carelessness)
    marks = rng.random() < 0.75
    if marks and len(text) > 1 and text[0] == "0" and rng.random() < 0.9:
        text = str(rng.integers(1, 10)) + text[1:]  # amounts seldom begin with a zero, other numbers may
    parts: list[tuple[Ink, int, int, float]] = []  # ink, base line row, owner, gap before in px
    height = hand.height

    def add(ink: Ink, base: int, owner: int, gap: float) -> None:
        parts.append((ink, base, owner, gap))

    def add_mark(name: str, size: float = 1.0, gap: float | None = None) -> None:
        shapes = strokes.MARKS[name]
        ink, base = strokes.draw(shapes[int(rng.integers(len(shapes)))], height * size, hand.pen, rng)
        raised = int(rng.normal(0, 0.08) * height)
        add(ink, base + raised, MARK, height * rng.uniform(0.02, 0.4) if gap is None else gap)

    style = _style(rng) if marks else PLAIN
    date = marks and rng.random() < DATE_SHARE
    if date:
        text, between = _date(rng)
        cents = len(text)
    else:
        if style is not PLAIN:
            text = style.number(text, rng)
        cents = len(text) - style.cents
        between = style.between(len(text), rng) if marks else {}
    raised = cents < len(text) and rng.random() < 0.4
    if raised and rng.random() < 0.7:
        between.pop(cents, None)
    if style.signs and not date and rng.random() < style.signed:
        shapes = strokes.MARKS[str(rng.choice(style.signs))]
        printed = replace(hand.pen, width=float(rng.uniform(0.07, 0.16)), wobble=0.004, widen=float(rng.uniform(0.8, 1.2)))
        pen = printed if rng.random() < 0.6 else hand.pen
        ink, base = strokes.draw(shapes[int(rng.integers(len(shapes)))], height * rng.uniform(0.7, 1.3), pen, rng)
        add(ink, base + int(rng.normal(0, 0.1) * height), MARK, 0.0)
    elif style is PLAIN and marks and rng.random() < 0.16:
        for _ in range(int(rng.integers(1, 3))):
            add_mark(str(rng.choice(["$", "#", "*", "=", "-"])), rng.uniform(0.6, 1.1))
    tightness = rng.normal(0.18, 0.11)
    touching = rng.random() < 0.45
    link = int(rng.integers(len(strokes.LINKED_ZEROS))) if rng.random() < LINKED_SHARE else None
    linked = False
    shrink = 1.0
    for place, digit in enumerate(text):
        mark = between.get(place, "")
        if mark in strokes.MARKS:
            add_mark(mark, rng.uniform(0.8, 1.2), height * rng.uniform(-0.05, 0.25))
        elif mark:
            ink, base = _dot(hand, rng)
            add(ink, base, MARK, height * rng.uniform(-0.05, 0.3))
        gap = rng.normal(tightness, 0.07) * height
        if touching and rng.random() < 0.3:
            gap = rng.uniform(-0.16, 0.03) * height
        zeros = digit == "0" and place > 0 and text[place - 1] == "0"
        if zeros and rng.random() < 0.5:
            shrink = max(0.45, shrink * rng.uniform(0.75, 1.0))
            gap = rng.uniform(-0.13, 0.08) * height
        elif not zeros:
            shrink = 1.0
        small = 0.62 if raised and place >= cents else 1.0
        size = height * shrink * small * float(np.clip(rng.normal(1, 0.08), 0.75, 1.3))
        # Zeros that shrink do so in height: they become wide.
        wide = shrink ** -float(rng.uniform(0.2, 1.3)) * (float(rng.uniform(0.9, 1.5)) if digit == "0" else 1.0)
        if linked:
            gap = -0.7 * hand.pen.width * height
        ahead = text[place + 1 : place + 2] == "0" and place + 1 not in between
        linked = link is not None and digit == "0" and (ahead or (zeros and rng.random() < 0.4))
        if linked and link is not None:
            ink, base = strokes.draw(strokes.LINKED_ZEROS[link], max(6.0, size), hand.pen, rng)
        else:
            ink, base = _digit(int(digit), size, hand, digits, rng, wide)
        # Neighbors touch stroke on stroke; a pen seldom writes one digit into the next, and a 1 would be lost in it.
        thin = digit == "1" or (place > 0 and text[place - 1] == "1")
        gap = max(gap, -(0.4 if thin else 0.9) * hand.pen.width * height)
        base += int(rng.normal(0, 0.04) * height)
        if raised and place >= cents:
            base += int(rng.uniform(0.36, 0.5) * height)
        add(ink, base, place + 1, gap)
        if zeros and rng.random() < 0.15:
            ink, base = strokes.draw(strokes.MARKS["~"][0], height * 0.5, hand.pen, rng)
            add(ink, base + int(0.5 * height * shrink), MARK, -0.5 * height)
    if raised and rng.random() < 0.7:
        # The line under the cents: it reaches back below them.
        length = float(rng.uniform(0.9, 1.5))
        ink, base = strokes.draw([[(0.0, 0.0), (length, rng.normal(0, 0.05))]], height, hand.pen, rng)
        add(ink, base + int(rng.uniform(-0.86, -0.68) * height), MARK, -length * height)
    if marks:
        for name in () if date else style.ending(rng):
            if name in ".,":
                ink, base = _dot(hand, rng, tail=name == ",")
                add(ink, base, MARK, height * rng.uniform(0.0, 0.3))
            else:
                add_mark(name, rng.uniform(0.5, 1.1) if name in ("-", "=") else rng.uniform(0.9, 1.4))

    alpha, owner = _arrange(parts, height, rng)
    slant = float(np.clip(rng.normal(0.18, 0.26), -0.35, 0.95))
    alpha, owner = _shear(alpha, owner, slant, rng.normal(0, 0.025))
    alpha, owner = _bend(alpha, owner, height, rng, carelessness)
    alpha, owner, base = _frame_space(alpha, owner, height, rng)
    alpha = _rules(alpha, owner, base, height, rng)
    return Strip(_print(alpha, rng), text, owner, amount=bool(marks))


def compose_comb(digits: Digits, rng: np.random.Generator, carelessness: float = 1.0) -> Strip:
    """A row of boxes or a comb with a digit in each; some stay empty, some are crossed out. `carelessness` as in `compose`."""
    cells = int(rng.integers(1, 11))
    pitch = float(rng.uniform(24, 80))
    cell_height = pitch * rng.uniform(0.85, 1.7)
    hand = _hand(rng, carelessness, height=float(min(cell_height * rng.uniform(0.35, 0.85), pitch * rng.uniform(0.55, 1.1))))
    margin = int(rng.uniform(0.02, 0.25) * pitch)
    width, height = int(pitch * cells) + 2 * margin + 2, int(cell_height) + 2 * margin + 2
    alpha = np.zeros((height, width), np.float32)
    owner = np.zeros((height, width), np.int16)
    leading = int(rng.integers(0, cells + 1)) if rng.random() < 0.4 else 0
    crosses = rng.random() < 0.6  # who crosses out the cells that are not needed
    crossing = str(rng.choice(list(CROSSINGS)))
    room = (margin + (height - 2 * margin) / 2, cell_height)
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
        digit = int(rng.integers(10))
        ink, _ = _digit(digit, hand.height * float(rng.normal(1, 0.07)), hand, digits, rng)
        x = center - ink.shape[1] / 2 + rng.normal(0, 0.09) * pitch
        y = (height - ink.shape[0]) / 2 + rng.normal(0, 0.09) * cell_height
        if rng.random() < 0.025:
            # A digit that was struck out.
            _paste(alpha, owner, ink, MARK, x, y)
            name = str(rng.choice(["x", "-", "=", "scribble", "//"]))
            _cross(alpha, owner, name, center, y + ink.shape[0] / 2, hand.height * rng.uniform(1.0, 1.5), hand, rng)
            marks.append("x")
            continue
        marks.append(str(digit))
        text += str(digit)
        _paste(alpha, owner, ink, len(text), x, y)
    if leading > 1 and crosses and rng.random() < 0.06:
        # One stroke through all of them.
        y = room[0] + rng.normal(0, 0.1) * cell_height
        first = (round(margin + 0.2 * pitch), round(y))
        last = (round(margin + pitch * (leading - 0.2)), round(y + rng.normal(0, 0.15) * cell_height))
        through = np.zeros((height, width), np.uint8)
        cv2.line(through, first, last, 255, max(1, round(hand.pen.width * hand.height)), cv2.LINE_AA)
        _paste(alpha, owner, through, MARK, 0, 0)
    line = _comb_lines(alpha.shape, cells, pitch, cell_height, margin, rng)
    owner[(line > 0) & (alpha < 0.5)] = MARK
    alpha = np.maximum(alpha, line)
    return Strip(_print(alpha, rng), text, owner, cells, tuple(marks))


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
"""Ways to strike out a cell. No single slash: it is the same ink as a 1, and far seldomer meant."""


def _cross(
    alpha: NDArray[np.float32], owner: Owner, name: str, x: float, y: float, size: float, hand: _Hand, rng: np.random.Generator
) -> None:
    """Strike a cell out around the point (x, y)."""
    pen = replace(hand.pen, wobble=hand.pen.wobble * 1.5, widen=float(rng.uniform(0.7, 1.3)))
    shape = CROSSINGS[name]
    if rng.random() < 0.3:
        shape = [stroke[::-1] for stroke in shape]
    ink, _ = strokes.draw(shape, max(6.0, size), pen, rng)
    if rng.random() < 0.5:
        turn = cv2.getRotationMatrix2D((ink.shape[1] / 2, ink.shape[0] / 2), float(rng.normal(0, 9)), 1.0)
        ink = np.asarray(cv2.warpAffine(ink, turn, (ink.shape[1], ink.shape[0])), np.uint8)
    _paste(alpha, owner, ink, MARK, x - ink.shape[1] / 2, y - ink.shape[0] / 2)


def _comb_lines(
    shape: tuple[int, ...], cells: int, pitch: float, cell_height: float, margin: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """What is printed around the cells: boxes, combs, double walls, broken lines, the form's bars and letters beside them."""
    line = np.zeros(shape[:2], np.float32)
    height, width = line.shape
    thick = max(1, round(pitch * rng.uniform(0.012, 0.06)))
    left, top, right, bottom = margin, margin, margin + int(pitch * cells), margin + int(cell_height)
    kind = rng.random()
    apart = round(rng.uniform(0.05, 0.12) * pitch) if rng.random() < 0.15 else 0
    for k in range(cells + 1):
        x = margin + int(pitch * k)
        rise = top if kind < 0.7 or k in (0, cells) else int(bottom - rng.uniform(0.15, 0.4) * cell_height)
        for at in (x - apart // 2, x + apart // 2) if apart and 0 < k < cells else (x,):
            if rng.random() < 0.08:
                for y in range(rise, bottom, 4 * thick):  # dotted
                    cv2.line(line, (at, y), (at, min(bottom, y + 2 * thick)), 1.0, thick)
            else:
                cv2.line(line, (at, rise), (at, bottom), 1.0, thick)
    cv2.line(line, (left, bottom), (right, bottom), 1.0, thick)
    if kind < 0.85:
        cv2.line(line, (left, top), (right, top), 1.0, thick)
    if rng.random() < 0.12:
        # As thin lines break on a harshly thresholded scan.
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


def _text(rng: np.random.Generator) -> str:
    length = int(rng.choice([1, 2, 3, 4, 5, 6, 7, 8], p=[0.04, 0.06, 0.14, 0.26, 0.28, 0.12, 0.06, 0.04]))
    # Amounts hold many 1s and 0s (Benford), other numbers all digits alike.
    odds = AMOUNT_ODDS if rng.random() < 0.5 else None
    text = "".join(str(d) for d in rng.choice(10, length, p=odds))
    if length >= 3 and rng.random() < 0.4:
        zeros = int(rng.integers(1, min(length, 5)))
        text = text[: length - zeros] + "0" * zeros
    if text[0] == "0" and rng.random() < 0.8:
        text = str(rng.integers(1, 10)) + text[1:]
    return text


def _hand(rng: np.random.Generator, carelessness: float, height: float | None = None) -> _Hand:
    if height is None:
        height = float(rng.uniform(18, 46)) if rng.random() < 0.8 else float(rng.uniform(46, 90))
    pen = strokes.Pen(
        width=float(np.clip(rng.lognormal(np.log(0.085), 0.35), 0.035, 0.2)),
        wobble=carelessness * float(rng.uniform(0.008, 0.05)),
        widen=float(np.clip(rng.lognormal(0.05, 0.3), 0.6, 2.2)),
    )
    drawn = float(rng.choice([0.0, 0.15, 0.5, 1.0], p=[0.15, 0.25, 0.3, 0.3]))
    return _Hand(
        height, pen, drawn, float(rng.uniform(0, 1)), float(rng.uniform(0.25, 0.62)), bool(rng.random() < 0.6),
        tuple(rng.integers(0, 99, 10)), carelessness,
    )  # fmt: skip


def _digit(
    digit: int, height: float, hand: _Hand, digits: Digits, rng: np.random.Generator, wide: float = 1.0
) -> tuple[Ink, int]:
    """One digit `height` px tall, stretched by `wide`, with the row of its base line."""
    hand = replace(hand, pen=replace(hand.pen, widen=hand.pen.widen * wide))
    if rng.random() < hand.drawn:
        style = hand.styles[digit] if rng.random() < 1 - 0.2 * hand.carelessness else int(rng.integers(99))
        return strokes.draw_digit(digit, max(6.0, height), hand.pen, rng, style)
    return _restyle(digits.images[rng.choice(digits.by_class[digit])], max(6.0, height), hand, rng)


def _restyle(image: NDArray[np.uint8], height: float, hand: _Hand, rng: np.random.Generator) -> tuple[Ink, int]:
    """An MNIST digit at another size, less slanted, with another pen."""
    moments = cv2.moments(image)
    slant = moments["mu11"] / max(1e-6, moments["mu02"]) if moments["m00"] else 0.0
    slant = float(np.clip(slant, -0.8, 0.8)) * hand.upright
    # Wide enough that nothing is lost; the digit's 20 px come to `height`.
    scale = height / 20
    side = round((44 if hand.pen.widen < 1.3 else 72) * scale)
    stretch = float(np.clip(hand.pen.widen, 0.7, 2.4))
    x0, y0 = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    matrix = np.array([[scale * stretch, -scale * stretch * slant, 0.0], [0.0, scale, 0.0]])
    matrix[:, 2] = side / 2 - matrix[:, :2] @ np.array([x0, y0])
    large = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_CUBIC)
    soft: Ink = np.asarray(cv2.GaussianBlur(large, (0, 0), max(0.3, 0.35 * scale)), np.uint8)
    if hand.traced and scale >= 0.9:
        ink = _trace(soft, hand.pen.width * height)
        x, y, w, h = cv2.boundingRect((ink > 40).astype(np.uint8))
        if h > 0.6 * height:
            return ink[y : y + h, x : x + w], h
    sharp = 255.0 / max(40.0, 160.0 / max(1.0, scale))
    middle = hand.boldness * 255
    ink = np.clip((soft.astype(np.float32) - middle) * sharp + 127, 0, 255).astype(np.uint8)
    x, y, w, h = cv2.boundingRect((ink > 40).astype(np.uint8))
    if w == 0 or h == 0:
        ink, (x, y, w, h) = soft, cv2.boundingRect(soft)
    # Everything but the height was kept; wide digits (a flat 2, an arched 4) stay within reason.
    return ink[y : y + h, x : x + w], h


def _trace(ink: Ink, width: float) -> Ink:
    """The middle line of the strokes, drawn with a round pen of `width` px: a ballpoint's even line."""
    fine = 2
    big = cv2.resize(ink, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR)
    middle = np.asarray(skeletonize(np.asarray(big) > 110), np.uint8)
    thick = max(1.0, width * fine)
    # Distance to the line, cut at half the pen's width with a soft rim of one pixel.
    distance = cv2.distanceTransform(1 - middle, cv2.DIST_L2, 5)
    pen = np.clip((thick / 2 + 0.5 - distance) * 255, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(pen, (ink.shape[1], ink.shape[0]), interpolation=cv2.INTER_AREA), np.uint8)


def _dot(hand: _Hand, rng: np.random.Generator, tail: bool | None = None) -> tuple[Ink, int]:
    height = hand.height
    radius = float(np.clip(rng.lognormal(np.log(hand.pen.width * 0.75), 0.35), 0.03, 0.16))
    tail = rng.random() < 0.35 if tail is None else tail
    if tail:
        length = rng.uniform(0.08, 0.3)
        lean = rng.uniform(-0.25, 0.12)
        path = [(0.0, 1 - radius), (lean * 0.4, 1 + length * 0.5), (lean, 1 + length)]
    else:
        path = [(0.0, 1 - radius), (rng.normal(0, 0.03), 1 - radius + abs(rng.normal(0, 0.03)))]
    pen = strokes.Pen(2 * radius if not tail else hand.pen.width * rng.uniform(0.9, 1.4), 0.005)
    ink, base = strokes.draw([path], height, pen, rng)
    raised = rng.uniform(0.2, 0.7) if rng.random() < 0.12 else rng.normal(0.0, 0.07)
    return ink, base + int(raised * height)


def _date(rng: np.random.Generator) -> tuple[str, dict[int, str]]:
    """A date with what stands between its parts, by the place of the digit behind."""
    year = int(rng.integers(1990, 2040))
    parts = [f"{n:02d}" if rng.random() < 0.6 else str(n) for n in (int(rng.integers(1, 13)), int(rng.integers(1, 32)))]
    if rng.random() < 0.5:
        parts.reverse()
    parts.insert(0 if rng.random() < 0.08 else 2, str(year) if rng.random() < 0.7 else f"{year % 100:02d}")
    mark = str(rng.choice(["/", "-", "."], p=[0.6, 0.28, 0.12]))
    return "".join(parts), {len(parts[0]): mark, len(parts[0] + parts[1]): mark}


@dataclass(frozen=True, slots=True)
class _Style:
    """How amounts are written in one part of the world."""

    signs: tuple[str, ...]  # that stand before the number
    signed: float  # share of amounts that have one
    grouped: float  # share of amounts whose thousands are marked
    groups: tuple[int, int]  # digits of the last group, and of those before
    long_commas: float  # most of the marks that are long strokes
    cents: int  # digits after the point
    longest: int  # digits
    endings: Mapping[str, float]  # marks after the number, and their odds

    def number(self, text: str, rng: np.random.Generator) -> str:
        """An amount of this part of the world: longer, rounder, with cents."""
        length = int(rng.integers(2, self.longest + 1))
        text = (text + "".join(str(d) for d in rng.choice(10, self.longest, p=AMOUNT_ODDS)))[:length]
        if rng.random() < 0.7:
            zeros = int(rng.integers(0, length))
            text = text[: length - zeros] + "0" * zeros
        if text[0] == "0":
            text = str(rng.integers(1, 10)) + text[1:]
        cents = "00" if rng.random() < 0.6 else f"{int(rng.integers(100)):02d}"
        return text + cents[: self.cents]

    def between(self, length: int, rng: np.random.Generator) -> dict[int, str]:
        """The marks before digits, by the digit's place: "." a dot or a short comma, "," a long one."""
        marks = {}
        whole = length - self.cents
        last, before = self.groups
        if rng.random() < self.grouped:
            long_commas = self.long_commas * rng.random()
            marks = {whole - left: "," if rng.random() < long_commas else "." for left in range(last, whole, before)}
        if self.cents:
            marks[whole] = "."
        return marks

    def ending(self, rng: np.random.Generator) -> list[str]:
        odds = np.array(list(self.endings.values()))
        name = list(self.endings)[int(rng.choice(len(odds), p=odds / odds.sum()))]
        return [name] if name in strokes.MARKS else list(name)


PLAIN = _Style(
    (), 0.0, 0.7, (3, 3), 0.15, 0, 8,
    {"": 8, ".": 6, ".-": 4, "-": 4, "=": 3, "/-": 1.5, ",": 3, ",-": 1.5, "//": 0.4, "--": 0.7, ".=": 1, "*": 0.5, ")": 0.2,
     "#": 0.5, ".--": 0.7, "x": 0.3},
)  # fmt: skip
INDIAN = _Style(
    ("₹", "₹", "Rs"), 0.4, 0.85, (3, 2), 0.9, 0, 9, {"": 2, "/-": 6, "/=": 0.6, "-": 0.7, "=": 0.3, ".": 0.2, "/": 0.3}
)
AMERICAN = _Style(
    ("$", "$", "$", "£", "€"), 0.6, 0.5, (3, 3), 0.3, 2, 6, {"": 6, "-": 0.7, "=": 0.2, "*": 0.2, "#": 0.2, ".": 0.1}
)

LINKED_SHARE = 0.2  # of the strings: zeros are written in one stroke
DATE_SHARE = 0.1  # of the strips with marks: a date


def _style(rng: np.random.Generator) -> _Style:
    return (PLAIN, INDIAN, AMERICAN)[int(rng.choice(3, p=[0.66, 0.21, 0.13]))]


def _arrange(
    parts: list[tuple[Ink, int, int, float]], height: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Owner]:
    """Set the parts beside each other; gaps are measured between the ink of neighbors, row by row."""
    rows = round(3.2 * height)
    columns = sum(ink.shape[1] for ink, *_ in parts) + round(sum(max(0.0, gap) for *_, gap in parts)) + round(2 * height)
    alpha = np.zeros((rows, columns), np.float32)
    owner = np.zeros((rows, columns), np.int16)
    base_row = round(2.1 * height)
    drift = rng.normal(0, 0.03)
    edge = np.full(rows, -10_000.0)  # rightmost ink so far in every row
    x = round(0.5 * height)
    for ink, base, who, gap in parts:
        y = int(np.clip(base_row - base + drift * (x - columns / 2), 0, rows - ink.shape[0]))
        present = ink > 60
        if not present.any():
            continue
        left = np.where(present.any(axis=1), present.argmax(axis=1), 10_000)
        # Neighbors meet where they are nearest, looked at over a few rows.
        reach = max(1, round(0.12 * height))
        near = np.array([edge[max(0, y + r - reach) : y + r + reach + 1].max() for r in range(len(left))])
        wanted = float(np.max(near - left)) + gap + 1
        if wanted > -5000:
            # Ink far above or below does not hold a neighbor back, and nobody writes one digit into the last.
            bound = float(edge.max()) - 0.55 * height
            x = round(max(wanted, bound, 0.0))
        x = int(min(x, columns - ink.shape[1] - 1))
        _paste(alpha, owner, ink, who, x, y)
        right = np.where(present.any(axis=1), x + present.shape[1] - present[:, ::-1].argmax(axis=1), -10_000)
        edge[y : y + len(right)] = np.maximum(edge[y : y + len(right)], right)
    return alpha, owner


def _paste(alpha: NDArray[np.float32], owner: Owner, ink: Ink, who: int, x: float, y: float) -> None:
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


def _shear(alpha: NDArray[np.float32], owner: Owner, slant: float, turn: float) -> tuple[NDArray[np.float32], Owner]:
    height, width = alpha.shape
    reach = abs(slant) * height
    matrix = np.array([[1.0, -slant, reach / 2 + slant * height / 2], [turn, 1.0, -turn * width / 2]])
    size = (int(width + reach), height)
    # A little smoothing follows from the interpolation, as on a real scan.
    return (
        np.asarray(cv2.warpAffine(alpha, matrix, size, flags=cv2.INTER_LINEAR), np.float32),
        np.asarray(cv2.warpAffine(owner, matrix, size, flags=cv2.INTER_NEAREST), np.int16),
    )


def _bend(
    alpha: NDArray[np.float32], owner: Owner, height: float, rng: np.random.Generator, carelessness: float
) -> tuple[NDArray[np.float32], Owner]:
    """Bend the writing smoothly (elastic distortion, P. Simard et al., ICDAR 2003): no two hands lead a pen alike."""
    strength = float(rng.choice([0.0, 0.02, 0.035, 0.05])) * height * carelessness
    if not strength:
        return alpha, owner
    rows, columns = alpha.shape
    reach = height * rng.uniform(0.25, 0.6)
    grid = (4 + round(columns / reach), 4 + round(rows / reach))
    push = rng.normal(0, strength, (2, grid[1], grid[0])).astype(np.float32)
    x, y = (cv2.resize(part, (columns, rows), interpolation=cv2.INTER_CUBIC) for part in push)
    x += np.arange(columns, dtype=np.float32)[None, :]
    y += np.arange(rows, dtype=np.float32)[:, None]
    return (
        np.asarray(cv2.remap(alpha, x, y, cv2.INTER_LINEAR), np.float32),
        np.asarray(cv2.remap(owner, x, y, cv2.INTER_NEAREST), np.int16),
    )


def _frame_space(
    alpha: NDArray[np.float32], owner: Owner, height: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], Owner, int]:
    """Crop the field: tightly, as amounts are cut out of checks, or with room, as on a form. Also the base line's row."""
    x, y, w, h = cv2.boundingRect((owner > 0).astype(np.uint8))
    tight = rng.random() < 0.55
    room = (-0.03, 0.15) if tight else (0.05, 0.8)
    left, top, right, bottom = (int(v * height) for v in rng.uniform(*room, 4))
    digit = (owner > 0) & (owner < MARK)
    base = int(np.flatnonzero(digit.any(axis=1))[-1]) if digit.any() else y + h
    y0, y1, x0, x1 = y - top, y + h + bottom, x - left, x + w + right
    pad = max(0, -y0, -x0, y1 - alpha.shape[0], x1 - alpha.shape[1])
    if pad:
        alpha, owner = np.pad(alpha, pad), np.pad(owner, pad)
        y0, y1, x0, x1, base = y0 + pad, y1 + pad, x0 + pad, x1 + pad, base + pad
    return alpha[y0:y1, x0:x1].copy(), owner[y0:y1, x0:x1].copy(), base - y0


def _rules(alpha: NDArray[np.float32], owner: Owner, base: int, height: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Base lines, dotted lines, frames, and stray ink from the lines above."""
    rows, columns = alpha.shape
    line = np.zeros_like(alpha)
    thick = max(1, round(height * rng.uniform(0.01, 0.06)))
    tilt = rng.normal(0, 0.012) * columns
    if rng.random() < 0.45:
        y = base + rng.uniform(-0.12, 0.3) * height
        if rng.random() < 0.3:
            period = max(3, round(height * rng.uniform(0.08, 0.25)))
            for x in range(int(rng.integers(period)), columns, period):
                at = round(y + tilt * (x / columns - 0.5))
                if rng.random() < 0.9:
                    cv2.line(line, (x, at), (min(columns - 1, x + period // 3), at), 1.0, max(thick, round(period * 0.4)))
        else:
            cv2.line(line, (0, round(y - tilt / 2)), (columns, round(y + tilt / 2)), 1.0, thick)
    if rng.random() < 0.1:
        y = base - height * rng.uniform(1.0, 1.5)
        cv2.line(line, (0, round(y - tilt / 2)), (columns, round(y + tilt / 2)), 1.0, thick)
    if rng.random() < 0.08:
        side = round(rng.uniform(0, 0.25) * height)
        side = side if rng.random() < 0.6 else columns - 1 - side
        cv2.line(line, (side, 0), (side, rows), 1.0, thick)
    if rng.random() < 0.12:
        for _ in range(int(rng.integers(1, 4))):
            start = rng.uniform(0, columns)
            end = (round(start + rng.normal(0, 0.3) * height), round(rng.uniform(0.02, 0.25) * height))
            cv2.line(line, (round(start), -2), end, 1.0, max(1, round(height * 0.07)), cv2.LINE_AA)
    if rng.random() < 0.15:
        for _ in range(int(rng.integers(1, 6))):
            spot = (int(rng.integers(columns)), int(rng.integers(rows)))
            cv2.circle(line, spot, max(1, round(height * rng.uniform(0.01, 0.04))), 1.0, -1)
    line *= rng.uniform(0.35, 1.0)
    owner[(line > 0.3) & (owner == 0)] = MARK
    return np.maximum(alpha, line)


def _print(alpha: NDArray[np.float32], rng: np.random.Generator) -> Gray:
    """Put ink on paper and scan it."""
    rows, columns = alpha.shape
    paper = _paper(rows, columns, rng)
    level = float(rng.uniform(10, 110))
    level = min(level, float(paper.mean()) - rng.uniform(55, 90))
    # A ballpoint's line is not even.
    uneven = cv2.resize(rng.uniform(0.72, 1.0, (2 + rows // 12, 2 + columns // 12)).astype(np.float32), (columns, rows))
    strength = alpha * (uneven if rng.random() < 0.6 else 1.0)
    gray = paper * (1 - strength) + level * strength
    blur = rng.uniform(0, 1.1)
    if blur > 0.3:
        gray = cv2.GaussianBlur(gray, (0, 0), blur)
    gray = gray + rng.normal(0, rng.uniform(0.5, 7), gray.shape).astype(np.float32)
    picture = np.clip(gray, 0, 255).astype(np.uint8)
    choice = rng.random()
    if choice < 0.55:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 95))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    elif choice < 0.65:
        threshold, _ = cv2.threshold(picture, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
        picture = np.where(picture > threshold, np.uint8(255), np.uint8(0))
    return np.asarray(picture, np.uint8)


def _paper(rows: int, columns: int, rng: np.random.Generator) -> NDArray[np.float32]:
    base = float(rng.uniform(150, 250))
    paper = np.full((rows, columns), base, np.float32)
    if rng.random() < 0.4:
        corners = rng.normal(0, 12, (2, 2)).astype(np.float32)
        paper += cv2.resize(corners, (columns, rows), interpolation=cv2.INTER_LINEAR)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    kind = rng.random()
    depth = float(rng.uniform(6, 42))
    if kind < 0.35:
        # Guilloche: level lines of a smooth random surface.
        period = rng.uniform(5, 14)
        coarse = rng.normal(0, 1, (3 + rows // 18, 3 + columns // 18)).astype(np.float32)
        surface = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_CUBIC)
        phase = (surface * rng.uniform(4, 14) + y * rng.uniform(0.3, 1) + x * rng.uniform(-0.4, 0.4)) * (2 * np.pi / period)
        paper -= depth * np.clip(np.sin(phase) * 2.0 - rng.uniform(0, 1), 0, 1)
    elif kind < 0.47:
        # Fine lines, nearly level, a little wavy.
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


# ----------------------------------------------------------------------------------------------------- labeling


def label(lattice: Lattice, strip: Strip) -> NDArray[np.int8]:
    """What every candidate of the strip's lattice is: (n,) int8, 0..9, `NOT_A_DIGIT` or `AMBIGUOUS`.

    A candidate is a digit if it holds nearly all of that digit's ink and little else.
    """
    names = np.full(len(lattice.candidates), NOT_A_DIGIT, np.int8)
    if not len(names):
        return names
    height, width = lattice.ink.shape
    owner = cv2.warpAffine(strip.owner, lattice.to_ink, (width, height), flags=cv2.INTER_NEAREST)
    codes = np.where(owner == MARK, len(strip.text) + 1, owner).astype(np.uint8)
    # The rim of a stroke belongs to the stroke.
    codes = np.where(codes == 0, cv2.dilate(codes, np.ones((5, 5), np.uint8)), codes)
    count = len(strip.text) + 2
    drawn = np.bincount(codes[(owner > 0) & (owner < MARK)].ravel(), minlength=count).astype(np.float64)
    # Ink of owner by piece: (pieces + 1, owners).
    joint = np.bincount(
        lattice.labels.ravel().astype(np.int64) * count + codes.ravel(), minlength=(lattice.pieces + 1) * count
    ).reshape(-1, count)
    survived = joint[1:].sum(axis=0).astype(np.float64)
    whole = survived / np.maximum(1.0, drawn)
    held = np.array([joint[[p + 1 for p in c.pieces]].sum(axis=0) for c in lattice.candidates], np.float64)
    # F1 of every candidate against every digit: the harmonic mean of recall and purity.
    overlap = 2 * held / np.maximum(1.0, survived[None, :] + held.sum(axis=1, keepdims=True))
    overlap[:, [0, -1]] = 0
    digit = overlap.argmax(axis=1)
    own = overlap.max(axis=1)
    best = overlap.max(axis=0)[digit]
    right = (own >= MIN_F1_DIGIT) & (own >= best - 0.03) & (whole[digit] >= 0.7)
    names[own >= MIN_F1_AMBIGUOUS] = AMBIGUOUS
    names[right] = [int(strip.text[d - 1]) for d in digit[right]]
    return names
