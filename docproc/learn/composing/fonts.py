"""Fonts: print to compose from, letters for handwritten words, and the digits of other scripts.

A folder of fonts has TrueType and OpenType files; those in a subfolder `hand` look like handwriting. Without a folder, print is
drawn with the strokes of A. Hershey (1967), which come with OpenCV.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from skimage.morphology import skeletonize

from docproc.errors import BadInput
from docproc.types import Ink

SUFFIXES = (".ttf", ".otf")
HAND_FOLDER = "hand"
HERSHEY: Sequence[str] = ("hershey 0", "hershey 2", "hershey 3", "hershey 4")  # in OpenCV: simplex, duplex, complex, triplex
HERSHEY_HANDS: Sequence[str] = ("hershey 6", "hershey 7")  # script

FOREIGN_ZEROS = {"Eastern Arabic": 0x660, "Persian": 0x6F0, "Devanagari": 0x966, "Bengali": 0x9E6, "Gujarati": 0xAE6,
                 "Tamil": 0xBE6, "Thai": 0xE50}  # fmt: skip
"""The Unicode code points at which the ten digits of other scripts start."""

LOOKALIKES = {"Eastern Arabic": "0159", "Persian": "0159", "Devanagari": "0123", "Bengali": "0247", "Gujarati": "0123",
              "Tamil": "02", "Thai": "0"}  # fmt: skip
"""Digits of these scripts that look like one of ours."""

TRACE_PX = 72  # height of a letter whose middle line is extracted


@dataclass(frozen=True, slots=True)
class Fonts:
    """Names of fonts: paths, or Hershey stroke fonts."""

    print: tuple[str, ...] = tuple(HERSHEY)
    hand: tuple[str, ...] = tuple(HERSHEY_HANDS)
    foreign: tuple[tuple[str, str], ...] = ()  # (script, font) for fonts that have the digits of other scripts

    @staticmethod
    def of(folder: Path | None) -> Fonts:
        """The fonts of a folder. Raises BadInput if none of them has the ten digits."""
        if folder is None:
            return Fonts()
        paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        plain = [path for path in paths if has(str(path), "0123456789.,-/")]
        letters = [path for path in plain if has(str(path), "kgms")]
        hand = [str(path) for path in letters if HAND_FOLDER in path.relative_to(folder).parts]
        printed = [str(path) for path in letters if str(path) not in hand]
        if not printed:
            raise BadInput(f"no font (.ttf or .otf) with digits and letters in {folder}")
        foreign = [
            (script, str(path))
            for path in paths
            for script, zero in FOREIGN_ZEROS.items()
            if has(str(path), "".join(chr(zero + k) for k in range(10)))
        ]
        return Fonts(tuple(printed), tuple(hand) or tuple(HERSHEY_HANDS), tuple(foreign))


DRAWN_FONTS = Fonts()


@lru_cache(maxsize=512)
def _face(name: str, px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(name, px)


@lru_cache(maxsize=512)
def _em_of_digit(name: str) -> float:
    """Height of the digit 8 relative to the font size."""
    box = _face(name, 100).getbbox("8")
    return max(0.2, (box[3] - box[1]) / 100)


@lru_cache(maxsize=4096)
def has(name: str, text: str) -> bool:
    """Whether a font has all characters of a text."""
    if name.startswith("hershey"):
        return text.isascii()
    try:
        face = _face(name, 24)
        missing = bytes(face.getmask("\U0010ffff"))
        return all(char == " " or (any(mask := bytes(face.getmask(char))) and mask != missing) for char in text)
    except OSError:
        return False


def printed(text: str, name: str, height: float) -> list[tuple[Ink, float, float]]:
    """Print a text with digits `height` px high: each character's ink, and its left and top relative to the base line, px.

    Characters without ink (spaces) have an empty ink, (1, 1), with the left of the next.
    """
    if name.startswith("hershey"):
        return _hershey(text, int(name.split()[1]), height)
    size = max(6, round(height / _em_of_digit(name)))
    face = _face(name, size)
    placed = []
    for k, char in enumerate(text):
        left = face.getlength(text[: k + 1]) - face.getlength(char)
        box = face.getbbox(char, anchor="ls")
        wide, high = box[2] - box[0], box[3] - box[1]
        if wide <= 0 or high <= 0:
            placed.append((np.zeros((1, 1), np.uint8), left, -1.0))
            continue
        canvas = Image.new("L", (int(wide) + 2, int(high) + 2))
        ImageDraw.Draw(canvas).text((1 - box[0], 1 - box[1]), char, fill=255, font=face, anchor="ls")
        placed.append((np.asarray(canvas, np.uint8), left + box[0] - 1, box[1] - 1.0))
    return placed


def foreign_digit(script: str, digit: int) -> str:
    """A digit of another script; if it looks like one of ours, another digit of that script."""
    while str(digit) in LOOKALIKES[script]:
        digit = (digit + 3) % 10
    return chr(FOREIGN_ZEROS[script] + digit)


def _hershey(text: str, face: int, height: float) -> list[tuple[Ink, float, float]]:
    scale, thick = height / 21, max(1, round(height / 14))
    placed, left = [], 0.0
    for char in text:
        (wide, _), below = cv2.getTextSize(char, face, scale, thick)
        canvas = np.zeros((round(1.6 * height) + below + 2 * thick, wide + 2 * thick), np.uint8)
        base = round(1.25 * height) + thick
        cv2.putText(canvas, char, (thick, base), face, scale, 255, thick, cv2.LINE_AA)
        x, y, w, h = cv2.boundingRect(canvas)
        ink = canvas[y : y + h, x : x + w] if w and h else np.zeros((1, 1), np.uint8)
        placed.append((ink, left + x - thick, float(y - base)))
        left += wide
    return placed


@lru_cache(maxsize=20_000)
def middle_line(char: str, name: str) -> tuple[NDArray[np.float32], float, float] | None:
    """The middle line of a character as (distance, height, below); None if the font lacks it.

    `distance` is the distance of every px to it at a size of `TRACE_PX`; `height` and `below` are, in digit heights, how high
    that picture is and how far it reaches below the base line.
    """
    (ink, _, top) = printed(char, name, TRACE_PX)[0]
    if not (ink > 110).any():
        return None
    room = TRACE_PX // 4
    line = np.asarray(skeletonize(np.pad(ink, room) > 110), np.uint8)
    distance = np.asarray(cv2.distanceTransform(1 - line, cv2.DIST_L2, 5), np.float32)
    return distance, distance.shape[0] / TRACE_PX, (top + ink.shape[0] + room) / TRACE_PX


def traced(char: str, name: str, height: float, width: float, widen: float) -> tuple[Ink, int] | None:
    """A character written along its middle line with a pen of `width` px, at a size where digits are `height` px high.

    Returns the ink and the row of the base line in it; None if the font lacks the character.
    """
    found = middle_line(char, name)
    if found is None:
        return None
    distance, tall, below = found
    rows, columns = max(2, round(tall * height)), max(2, round(distance.shape[1] * widen * height / TRACE_PX))
    scaled = cv2.resize(distance, (columns, rows), interpolation=cv2.INTER_AREA) * (height / TRACE_PX)
    ink = np.clip((width / 2 + 0.5 - scaled) * 255, 0, 255).astype(np.uint8)
    x, y, w, h = cv2.boundingRect(ink)
    if not w or not h:
        return None
    base = rows - round(below * height)
    return ink[y : y + h, x : x + w], base - y


# Five columns and seven rows of dots, the first row at the top, as matrix printers have had them since the 1970s.
DOT_MATRIX = {
    "0": "0E 11 13 15 19 11 0E", "1": "04 0C 04 04 04 04 0E", "2": "0E 11 01 02 04 08 1F", "3": "1F 02 04 02 01 11 0E",
    "4": "02 06 0A 12 1F 02 02", "5": "1F 10 1E 01 01 11 0E", "6": "06 08 10 1E 11 11 0E", "7": "1F 01 02 04 08 08 08",
    "8": "0E 11 11 0E 11 11 0E", "9": "0E 11 11 0F 01 02 0C", ".": "00 00 00 00 00 0C 0C", ",": "00 00 00 00 0C 04 08",
    "-": "00 00 00 1F 00 00 00", "/": "00 01 02 04 08 10 00", ":": "00 0C 0C 00 0C 0C 00", "$": "04 0F 14 0E 05 1E 04",
    "*": "00 04 15 0E 15 04 00", "(": "02 04 08 08 08 04 02", ")": "08 04 02 02 02 04 08", "+": "00 04 04 1F 04 04 00",
}  # fmt: skip


def dot_matrix(text: str, height: float, dot: float) -> list[tuple[Ink, float, float]] | None:
    """As `printed`, in separate dots; `dot` is their diameter relative to their pitch. None if a character has no pattern."""
    if any(char not in DOT_MATRIX and char != " " for char in text):
        return None
    pitch = height / 7
    placed = []
    for k, char in enumerate(text):
        rows = [int(row, 16) for row in DOT_MATRIX.get(char, "00 00 00 00 00 00 00").split()]
        canvas = np.zeros((round(8 * pitch) + 2, round(6 * pitch) + 2), np.uint8)
        for y, row in enumerate(rows):
            for x in range(5):
                if row >> (4 - x) & 1:
                    at = (round((x + 0.5) * pitch * 16), round((y + 0.5) * pitch * 16))
                    cv2.circle(canvas, at, max(1, round(dot * pitch / 2 * 16)), 255, -1, cv2.LINE_AA, 4)
        placed.append((canvas, k * 6 * pitch, -7 * pitch))
    return placed
