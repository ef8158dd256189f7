"""E-13B, the print on the bottom line of checks: drawn from its published geometry, then degraded by printer and scanner.

ANSI X9.27 and ISO 1004 define the fourteen characters on a grid of 0.013 inch: nine rows high, up to seven columns wide, flush
right in a pitch of 0.125 inch. Edges lie on the grid or halfway between its lines; corners are rounded by half a column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import erf, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.readers.e13b.font import AMOUNT, DASH, ON_US, PITCH_IN, TRANSIT
from docproc.types import MICR_SYMBOLS, Gray

Alpha = NDArray[np.float32]  # (height, width) float32, 0 paper .. 1 full ink
Rect = tuple[float, float, float, float]  # left, top, right, bottom in columns and rows of the grid

# Lengths here are in inches and in columns of the standard's grid. The strip that the recognizer reads has two px per column,
# so its pitch (PITCH_PX of readers/e13b/font.py) is twice PITCH_COLUMNS.
GRID_IN = 0.013  # column and row
ROWS, COLUMNS = 9, 7  # of a character
PITCH_COLUMNS = PITCH_IN / GRID_IN
MARGIN_ROWS = 2.0  # paper above and below a clean line
FINE_PX = 6  # px per column at which lines are drawn before they are degraded
NO_LINE_SHARE = 0.05  # of the composed pictures, those without E-13B

CHARACTERS: Mapping[str, tuple[Rect, ...]] = {
    "0": ((0, 0, 7, 9),),
    "1": ((3, 0, 5, 1.5), (4, 0, 5, 6), (3, 5, 7, 9)),
    "2": ((3, 0, 7, 1), (6, 0, 7, 5), (3, 4, 7, 5), (3, 4, 4, 9), (3, 8, 7, 9)),
    "3": ((2, 0, 6, 1), (5, 0, 6, 6), (2, 4, 6, 5), (5, 4.5, 7, 9), (2, 8, 7, 9)),
    "4": ((1, 0, 3, 7), (1, 6, 7, 7), (5, 5, 7, 9)),
    "5": ((2, 0, 7, 1), (2, 0, 3, 5), (2, 4, 7, 5), (6, 4, 7, 9), (2, 8, 7, 9)),
    "6": ((1, 0, 2, 9), (1, 0, 5, 1), (4, 0, 5, 2.5), (1, 5, 7, 6), (6, 5, 7, 9), (1, 8, 7, 9)),
    "7": ((2, 0, 7, 1), (2, 0, 3, 3), (6, 0, 7, 4), (4, 4.5, 5, 9)),
    "8": ((1, 0, 6, 1), (1, 0, 2, 5), (5, 0, 6, 5), (0, 4.5, 2, 9), (5, 4.5, 7, 9), (1, 4, 6, 5), (0, 8, 7, 9)),
    "9": ((1, 0, 7, 1), (1, 0, 2, 5), (6, 0, 7, 6), (1, 4, 7, 5), (5, 5, 7, 9)),
    TRANSIT: ((0, 1.5, 2, 7.5), (4, 0, 7, 3), (4, 6, 7, 9)),
    AMOUNT: ((0, 5, 2, 9), (3, 2.5, 4, 6.5), (5, 0, 7, 4)),
    ON_US: ((0, 1.5, 1, 7.5), (2, 1.5, 3, 7.5), (4, 0.5, 7, 4.5)),
    DASH: ((0, 2.5, 2, 6.5), (3, 2.5, 5, 6.5), (6, 2.5, 7, 6.5)),
}
"""The inked rectangles of every character. In addition, zero is hollow with round corners, seven has a slanted joint."""

_SEVEN_JOINT = ((7, 3.7), (7, 4), (5, 4.9), (5, 5.3), (4, 5.3), (4, 4.3), (6, 3.3))
_ZERO_RADIUS = 2.0  # columns, outside


def draw_line(text: str, dpi: float) -> Gray:
    """A clean line of E-13B in its true size at `dpi` dots per inch: (height, width) uint8, 0 ink .. 255 paper.

    `text` contains digits and the symbols U+2446 to U+2449; a space leaves one pitch empty. The margin on every side is two
    rows of the grid. Raises ValueError for any other character.
    """
    unit = dpi * GRID_IN
    fine = max(FINE_PX, int(np.ceil(2 * unit)))
    alpha = _lay_out(text, fine)
    height, width = (max(1, round(side / fine * unit)) for side in alpha.shape)
    small = cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(255 * (1 - small)), np.uint8)


@lru_cache(maxsize=256)
def glyph(name: str, fine: int = FINE_PX) -> Alpha:
    """One character at `fine` px per column: (9 * fine, 7 * fine) float32, flush right. Raises ValueError."""
    if name not in CHARACTERS:
        raise ValueError(f"E-13B has no {name!r}")
    over = 2  # oversampling, for smooth corners
    unit = fine * over
    big = np.zeros((ROWS * unit + 4 * unit, COLUMNS * unit + 4 * unit), np.uint8)
    edge = 2 * unit  # the morphological opening needs paper around the character
    for left, top, right, bottom in CHARACTERS[name]:
        (x, y), (to_x, to_y) = ((edge + round(a * unit), edge + round(b * unit)) for a, b in ((left, top), (right, bottom)))
        big[y:to_y, x:to_x] = 255
    if name == "7":
        cv2.fillPoly(big, [np.rint(np.array(_SEVEN_JOINT) * unit + edge).astype(np.int32)], 255)
    radius = _ZERO_RADIUS if name == "0" else 0.5
    big = _round_corners(big, radius * unit)
    if name == "0":
        hole = np.zeros_like(big)
        hole[edge + unit : edge + (ROWS - 1) * unit, edge + unit : edge + (COLUMNS - 1) * unit] = 255
        big -= _round_corners(hole, (_ZERO_RADIUS - 1) * unit)
    inner = big[edge:-edge, edge:-edge]
    size = (COLUMNS * fine, ROWS * fine)
    return np.asarray(cv2.resize(inner, size, interpolation=cv2.INTER_AREA) / np.float32(255), np.float32)


def _round_corners(mask: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    side = 2 * int(radius) - 1
    if side < 3:
        return mask
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return np.asarray(cv2.morphologyEx(mask, cv2.MORPH_OPEN, disk), np.uint8)


def _lay_out(text: str, fine: int) -> Alpha:
    """A clean line as alpha, at `fine` px per column, with the margins of `draw_line`."""
    edge = round(MARGIN_ROWS * fine)
    pitch = PITCH_COLUMNS * fine
    width = round(pitch * max(0, len(text) - 1)) + COLUMNS * fine
    alpha = np.zeros((ROWS * fine + 2 * edge, width + 2 * edge), np.float32)
    for k, name in enumerate(text):
        if name != " ":
            own = glyph(name, fine)
            left = edge + round(pitch * k)
            alpha[edge : edge + own.shape[0], left : left + own.shape[1]] = own
    return alpha


@dataclass(frozen=True, slots=True)
class ScannedLine:
    """A line as a scanner may deliver it, with its truth."""

    gray: Gray
    text: str  # without spaces; "" if the picture shows no E-13B
    middle: tuple[float, float, float]  # px, halfway along the line: column, row of the base line, height of the characters


def compose_line(rng: np.random.Generator) -> ScannedLine:
    """Invent a line, print it badly, and scan it badly."""
    if rng.random() < NO_LINE_SHARE:
        return ScannedLine(_no_line(rng), "", (0.0, 0.0, 0.0))
    spaced = _crop_text(_bank_line(rng), rng) if rng.random() < 0.4 else _bank_line(rng)
    text = spaced.replace(" ", "")
    alpha = _add_clutter(_spread_ink(_set_characters(spaced, rng), rng), rng)
    return _scan(alpha, text, rng)


def _random_digits(rng: np.random.Generator, count: int) -> str:
    """Random digits, with runs of a repeated digit as in account numbers."""
    made = "".join(map(str, rng.integers(0, 10, count)))
    if count > 3 and rng.random() < 0.25:
        run = int(rng.integers(2, count))
        start = int(rng.integers(0, count - run + 1))
        made = made[:start] + str(rng.choice([0, 0, 0, int(rng.integers(10))])) * run + made[start + run :]
    return made


def _routing_number(rng: np.random.Generator) -> str:
    """Nine digits; 97 % have the correct check digit of the American Bankers Association."""
    first = _random_digits(rng, 8)
    total = sum(int(d) * w for d, w in zip(first, (3, 7, 1, 3, 7, 1, 3, 7), strict=True))
    return first + str(-total % 10) if rng.random() < 0.97 else first + str(rng.integers(10))


def _bank_line(rng: np.random.Generator) -> str:
    """A line in the layout of one of several countries, or in a random one; a space is an empty pitch."""

    def gap(most: int = 4) -> str:
        return " " * int(rng.integers(0, most))

    def digits(fewest: int, most: int) -> str:
        return _random_digits(rng, int(rng.integers(fewest, most + 1)))

    way = rng.random()
    if way < 0.35:  # United States
        routing, account = f"{TRANSIT}{_routing_number(rng)}{TRANSIT}", digits(4, 13)
        if rng.random() < 0.3:
            cut = int(rng.integers(2, max(3, len(account))))
            account = account[:cut] + (DASH if rng.random() < 0.5 else " ") + account[cut:]
        if rng.random() < 0.5:
            line = f"{ON_US}{digits(3, 10)}{ON_US}{gap()}{routing}{gap()}{account}{ON_US}"
        else:
            line = f"{routing}{gap()}{account}{ON_US}{gap()}{digits(0, 5)}"
        if rng.random() < 0.15:
            line = f"{routing}{digits(3, 5)}{gap()}{account}{ON_US}"
    elif way < 0.48:  # Canada
        line = f"{ON_US}{digits(3, 7)}{ON_US}{gap()}{TRANSIT}{digits(5, 5)}{DASH}{digits(3, 3)}{TRANSIT}{gap()}"
        line += f"{digits(2, 4)}{DASH}{digits(3, 4)}{DASH}{digits(1, 2)}{ON_US}"
    elif way < 0.63:  # India
        line = f"{ON_US}{digits(6, 6)}{ON_US}{gap()}{digits(9, 9)}{TRANSIT}{gap()}{digits(6, 7)}{ON_US}{gap()}{digits(2, 2)}"
    elif way < 0.75:  # sort codes
        line = f"{ON_US}{digits(6, 6)}{ON_US}{gap()}{digits(2, 6)}{DASH}{digits(3, 4)}{TRANSIT}{gap()}"
        line += f"{digits(8, 10)}{ON_US}{gap()}{digits(0, 2)}"
    else:
        line = ""
        for _ in range(int(rng.integers(2, 9))):
            line += str(rng.choice(list(MICR_SYMBOLS[10:]))) if rng.random() < 0.5 else digits(1, 8)
            line += gap(3) if rng.random() < 0.3 else ""
    if rng.random() < 0.25:
        line += f"{gap(8)}{AMOUNT}{_random_digits(rng, 10)}{AMOUNT}"
    return line.strip()


def _crop_text(spaced: str, rng: np.random.Generator) -> str:
    """A part of a line, as if badly cropped."""
    fewest = min(len(spaced), 4)
    count = int(rng.integers(fewest, len(spaced) + 1))
    start = int(rng.integers(0, len(spaced) - count + 1))
    return spaced[start : start + count].strip() or spaced


def _set_characters(spaced: str, rng: np.random.Generator) -> Alpha:
    """Set the characters with jitter; in some lines, groups are higher or smaller. Alpha at FINE_PX px per column."""
    loose = rng.random() < 0.15
    shake_x, shake_y = rng.choice([0.03, 0.1, 0.25], 2) * FINE_PX
    pitch = PITCH_COLUMNS * FINE_PX * (1 + rng.choice([0.0, 0.0, 0.02]) * rng.normal())
    room = 6 * FINE_PX
    height = ROWS * FINE_PX + 2 * room
    alpha = np.zeros((height, round(1.5 * pitch * len(spaced)) + 2 * room), np.float32)
    x, lift, size = float(room), 0.0, 1.0
    for k, name in enumerate(spaced):
        if name == " ":
            x += pitch * size
            continue
        if loose and (k == 0 or spaced[k - 1] == " " or name in MICR_SYMBOLS[10:]) and rng.random() < 0.6:
            lift = float(np.clip(rng.normal(0, 1.2), -3, 3)) * FINE_PX
            size = float(np.clip(np.exp(rng.normal(0, 0.1)), 0.75, 1.25))
        own = glyph(name)
        wide, tall = size * np.exp(rng.normal(0, 0.015, 2))
        if abs(wide - 1) + abs(tall - 1) > 0.02:
            shape = (max(4, round(own.shape[1] * wide)), max(4, round(own.shape[0] * tall)))
            own = np.asarray(cv2.resize(own, shape, interpolation=cv2.INTER_LINEAR), np.float32)
        left = round(x + COLUMNS * FINE_PX * size - own.shape[1] + rng.normal(0, shake_x))
        top = round(height - room - own.shape[0] + lift + rng.normal(0, shake_y))
        left, top = max(0, left), int(np.clip(top, 0, height - own.shape[0]))
        spot = alpha[top : top + own.shape[0], left : left + own.shape[1]]
        np.maximum(spot, own[:, : spot.shape[1]], out=spot)
        x += pitch * size
    return alpha[:, : round(x - pitch * size) + COLUMNS * FINE_PX + room + 2 * FINE_PX]


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, int], grain: float) -> Alpha:
    """Smooth noise with a variance near 1 and a correlation length of `grain` px."""
    rows, columns = (int(np.ceil(side / grain)) + 2 for side in shape)
    small = rng.normal(0, 1, (rows, columns)).astype(np.float32)
    return np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _spread_ink(alpha: Alpha, rng: np.random.Generator) -> Alpha:
    """Spread or starve the ink: blur it and threshold it elsewhere, so that strokes grow, shrink, or break on rough paper."""
    # Blur may be stronger in one direction: thin strokes across it break first.
    spread, other = (float(s) * FINE_PX for s in rng.uniform(0.25, 0.75, 2))
    along, across = (spread, spread) if rng.random() < 0.6 else (spread, other)
    # Around half of what a blurred stroke of one column still has in its middle.
    level = float(np.clip(rng.normal(0.47, 0.12), 0.17, 0.68)) * min(1.0, 1.15 * erf(0.5 * FINE_PX / spread / sqrt(2)))
    soft = cv2.GaussianBlur(alpha, (0, 0), along, sigmaY=across)
    uneven = float(rng.choice([0.0, 0.04, 0.1])) * _smooth_noise(rng, alpha.shape[:2], 60 * FINE_PX)
    much = float(rng.choice([0.02, 0.06, 0.12, 0.2], p=[0.35, 0.35, 0.2, 0.1]))
    rough = much * _smooth_noise(rng, alpha.shape[:2], rng.uniform(0.25, 0.9) * FINE_PX)
    cut = soft + rough - level - uneven
    return np.clip(cut * 12 + 0.5, 0, 1) if rng.random() < 0.8 else np.asarray(soft, np.float32)


def _add_clutter(alpha: Alpha, rng: np.random.Generator) -> Alpha:
    """Add what else may be on the paper near the line: pen strokes, stamps, guide lines, specks."""
    if rng.random() < 0.15:
        _scrawl(alpha, rng)
    if rng.random() < 0.06:
        _rubber_stamp(alpha, rng)
    if rng.random() < 0.08:
        y = int(rng.choice([rng.uniform(0, 4), alpha.shape[0] / FINE_PX - rng.uniform(0, 4)]) * FINE_PX)
        start, stop = np.sort(rng.integers(0, alpha.shape[1], 2))
        cv2.line(alpha, (int(start), y), (int(stop), y + int(rng.integers(-4, 5))), 1.0, int(rng.integers(1, FINE_PX)))
    if rng.random() < 0.04:
        # A dead row of the scanner.
        y, high = int(rng.uniform(6, 6 + ROWS) * FINE_PX), int(rng.uniform(0.3, 1.2) * FINE_PX)
        alpha[y : y + high] = 0
    if rng.random() < 0.2:
        for _ in range(int(rng.integers(1, 60))):
            at = (int(rng.integers(alpha.shape[1])), int(rng.integers(alpha.shape[0])))
            cv2.circle(alpha, at, int(rng.integers(1, 5)), float(rng.choice([1.0, 1.0, 0.0])), -1)
    return alpha


def _scrawl(alpha: Alpha, rng: np.random.Generator) -> None:
    """A signature, or the part of one that reaches down to the line."""
    high, wide = alpha.shape
    dark, pen = float(rng.uniform(0.4, 1.0)), int(rng.uniform(0.5, 1.6) * FINE_PX)
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(0, wide), rng.uniform(-0.6, 0.7) * high
        turn, points = rng.uniform(0, 2 * np.pi), [(x, y)]
        for _ in range(int(rng.integers(6, 26))):
            turn += rng.normal(0, 0.6)
            x, y = x + 1.3 * FINE_PX * np.cos(turn), y + 1.3 * FINE_PX * np.sin(turn)
            points.append((x, y))
        layer = np.zeros_like(alpha)
        cv2.polylines(layer, [np.rint(points).astype(np.int32)], False, dark, pen, cv2.LINE_AA)
        np.maximum(alpha, layer, out=alpha)


def _rubber_stamp(alpha: Alpha, rng: np.random.Generator) -> None:
    """A rubber stamp: a ring or a frame with words, lighter than the line."""
    high, wide = alpha.shape
    layer = np.zeros_like(alpha)
    dark, at = float(rng.uniform(0.2, 0.6)), (int(rng.uniform(0, wide)), int(rng.uniform(0, high)))
    if rng.random() < 0.5:
        cv2.circle(layer, at, int(rng.uniform(8, 25) * FINE_PX), dark, int(rng.uniform(0.7, 2) * FINE_PX), cv2.LINE_AA)
    else:
        size = (int(rng.uniform(20, 60) * FINE_PX), int(rng.uniform(6, 14) * FINE_PX))
        cv2.rectangle(layer, at, (at[0] + size[0], at[1] + size[1]), dark, int(rng.uniform(0.7, 2) * FINE_PX))
    _print_words(layer, (max(0, at[0] - 60), at[1] + 20), dark, rng)
    if rng.random() < 0.7:
        layer *= _smooth_noise(rng, alpha.shape[:2], FINE_PX) > -0.7
    np.maximum(alpha, layer, out=alpha)


_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-/$:"


def _print_words(alpha: Alpha, at: tuple[int, int], dark: float, rng: np.random.Generator) -> None:
    """Ordinary print, not E-13B."""
    words = "".join(str(rng.choice(list(_LETTERS))) if rng.random() < 0.85 else " " for _ in range(rng.integers(3, 40)))
    scale = float(rng.uniform(0.6, 2.6))
    bold, layer = max(1, round(scale * rng.uniform(1.5, 3.5))), np.zeros(alpha.shape, np.uint8)
    cv2.putText(layer, words, at, _FONTS[rng.integers(len(_FONTS))], scale, 255, bold, cv2.LINE_AA)
    np.maximum(alpha, layer * np.float32(dark / 255), out=alpha)


def _scan(alpha: Alpha, text: str, rng: np.random.Generator) -> ScannedLine:
    """Put the line on paper, slightly rotated and bent, and scan it: gray or bilevel, at coarse or fine resolution."""
    unit = float(np.clip(np.exp(rng.normal(np.log(2.9), 0.38)), 1.15, 7.9))  # px per column; 300 dpi has 3.9
    wide, tall = unit * np.exp(rng.normal(0, (0.09, 0.06)))
    wide *= 1.0 if rng.random() < 0.5 else 0.9
    turn = float(rng.choice([0.0, rng.normal(0, 0.008), rng.normal(0, 0.035)]))
    bend = float(rng.normal(0, rng.choice([0.0, 0.3, 1.0])))  # rows by which the middle is higher
    near = rng.random() < 0.7
    above, below = rng.uniform(0.5, 6, 2) if near else rng.uniform(2, 22, 2)
    beside = rng.uniform(0.3, 12, 2)
    high, long = alpha.shape
    span = (long - 12 * FINE_PX) / FINE_PX * wide
    rise = abs(turn) * span
    width = max(12, round(span + beside.sum() * wide))
    height = max(12, round((ROWS + above + below + 0.5 * abs(bend)) * tall + rise))
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    along = (x - beside[0] * wide) / max(1.0, span)
    foot = height - below * tall - (rise if turn < 0 else 0.0)
    base = foot - turn * (x - beside[0] * wide) - bend * tall * 4 * along * (1 - along) * 0.5
    from_x = (x - beside[0] * wide + (base - y) * turn) * (FINE_PX / wide) + 6 * FINE_PX
    from_y = (y - base) * (FINE_PX / tall) + high - 6 * FINE_PX
    softer = cv2.GaussianBlur(alpha, (0, 0), 0.42 * FINE_PX / unit) if unit < FINE_PX else alpha
    places = (from_x.astype(np.float32), from_y.astype(np.float32))
    ink = cv2.remap(softer, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    if rng.random() < (0.35 if not near else 0.15):
        scale = unit / FINE_PX
        for row in (foot - (ROWS + rng.uniform(2, 9)) * tall, foot + rng.uniform(7, 12) * tall):
            if 0 < row < height + 4 * tall and rng.random() < 0.7:
                layer = np.zeros((round(height / scale), round(width / scale)), np.float32)
                _print_words(
                    layer, (int(rng.uniform(0, layer.shape[1] * 0.6)), int(row / scale)), float(rng.uniform(0.5, 1)), rng
                )
                np.maximum(ink, cv2.resize(layer, (width, height), interpolation=cv2.INTER_AREA), out=ink)
    gray = _digitize(np.asarray(ink, np.float32), unit, rng)
    # Badly cropped: the bottom of the line is missing, or a third of the first or last character.
    left, right = (int((edge + rng.uniform(0, 2.5)) * wide) if rng.random() < 0.12 else 0 for edge in beside)
    low = int((below + rng.uniform(0, 1.2)) * tall) if rng.random() < 0.04 else 0
    gray = np.ascontiguousarray(gray[: max(8, height - low), left : max(left + 8, width - right)])
    half = gray.shape[1] // 2
    return ScannedLine(gray, text, (half, float(base[0, left + half]), ROWS * tall))


def _digitize(ink: Alpha, unit: float, rng: np.random.Generator) -> Gray:
    """From ink on paper to gray levels; half of the pictures become bilevel."""
    shape = ink.shape[:2]
    paper, dark = float(rng.uniform(150, 255)), float(rng.uniform(0, 90))
    ground = paper + rng.choice([0.0, 6.0, 14.0]) * _smooth_noise(rng, shape, 40 * unit)
    if rng.random() < 0.2:
        ground = ground - _security_pattern(shape, unit, rng)
    ground = np.clip(ground, dark + 50, 255)
    gray = ground * (1 - ink) + dark * ink
    if rng.random() < 0.5:
        gray = cv2.GaussianBlur(gray, (0, 0), float(rng.uniform(0.3, 0.45 + 0.22 * unit)))
    gray = gray + rng.choice([1.0, 4.0, 10.0], p=[0.4, 0.4, 0.2]) * rng.normal(0, 1, shape).astype(np.float32)
    whole = np.asarray(np.clip(gray, 0, 255), np.uint8)
    if rng.random() < 0.5:
        level = dark + (float(np.median(ground)) - dark) * float(np.clip(rng.normal(0.55, 0.11), 0.25, 0.78))
        whole = np.where(whole > level, 255, 0).astype(np.uint8)
        if rng.random() < 0.2:
            whole[rng.random(shape) < 0.002] = 0
        if rng.random() < 0.2:
            whole[rng.random(shape) < 0.01] = 255
    elif rng.random() < 0.5:
        _, data = cv2.imencode(".jpg", whole, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 90))])
        whole = np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)
    return whole


def _security_pattern(shape: tuple[int, int], unit: float, rng: np.random.Generator) -> Alpha:
    """The printed background of a check: (height, width) gray levels to subtract from the paper."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / unit
    made = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(1, 4))):
        turn, waves = rng.uniform(0, np.pi), rng.uniform(0.2, 2.0)
        wave = np.sin(waves * (x * np.cos(turn) + y * np.sin(turn)) + rng.uniform(0, 3) * np.sin(x * rng.uniform(0.05, 0.3)))
        made += wave > rng.uniform(0.2, 0.95) if rng.random() < 0.6 else 0.5 + 0.5 * wave
    made += np.maximum(0, _smooth_noise(rng, shape, 15 * unit))
    return np.asarray(made * float(rng.uniform(5, 45)), np.float32)


def _no_line(rng: np.random.Generator) -> Gray:
    """A picture without E-13B: blank paper, ordinary print, or pen strokes."""
    high, wide = int(rng.uniform(14, 40) * FINE_PX), int(rng.uniform(60, 400) * FINE_PX)
    alpha = np.zeros((high, wide), np.float32)
    way = rng.random()
    if way < 0.5:
        _print_words(alpha, (int(rng.uniform(0, 0.3) * wide), int(rng.uniform(0.5, 0.9) * high)), 1.0, rng)
    elif way < 0.8:
        for _ in range(int(rng.integers(1, 5))):
            _scrawl(alpha, rng)
    scale = float(rng.uniform(0.25, 1.0))
    small = cv2.resize(alpha, (max(12, round(wide * scale)), max(12, round(high * scale))), interpolation=cv2.INTER_AREA)
    return _digitize(np.asarray(small, np.float32), FINE_PX * scale, rng)
