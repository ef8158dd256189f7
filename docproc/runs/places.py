"""Positions and confidences of the digits of a row, as the journal stores them: 10 bytes per digit.

The digits themselves are the row's text. If any of these is unknown for a digit of the row, nothing is stored.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from docproc.types import Box, Digit, Row

_DIGIT = struct.Struct("<hhHHH")  # left and top relative to the field's, width, height (px); confidence in steps
_STEPS = 0xFFFF  # from 0 to 1


def packed(row: Row) -> bytes | None:
    """What is stored for a row's digits; None if their positions are not known."""
    if not row.text or "".join(digit.text for digit in row.digits) != row.text or row.left is None or row.top is None:
        return None
    data = b""
    for digit in row.digits:
        if digit.box is None:
            return None
        left, top, width, height = digit.box.left - row.left, digit.box.top - row.top, digit.box.width, digit.box.height
        try:
            data += _DIGIT.pack(left, top, width, height, round(digit.confidence * _STEPS))
        except struct.error:  # a picture with more px than any scanner produces
            return None
    return data


def unpacked(text: str, left: int, top: int, data: bytes) -> tuple[Digit, ...]:
    """The digits of a row with this text and this corner of its field; () if the stored data belong to another text."""
    if len(data) != _DIGIT.size * len(text):
        return ()
    return tuple(_digits(text, left, top, data))


def course(row: Row) -> tuple[int, int]:
    """How far the last digit of a row is to the right of the first, and below it, in px of the page as stored."""
    boxes = [digit.box for digit in row.digits if digit.box]
    if len(boxes) < 2:
        return 0, 0
    first, last = boxes[0], boxes[-1]
    return (2 * (last.left - first.left) + last.width - first.width) // 2, (
        2 * (last.top - first.top) + last.height - first.height
    ) // 2


def quarters(across: int, down: int) -> int:
    """How many times to turn a page by 90 degrees counterclockwise to make it upright, from the sum of its rows' `course`."""
    if abs(across) >= abs(down):
        return 0 if across >= 0 else 2
    return 1 if down > 0 else 3


def _digits(text: str, left: int, top: int, data: bytes) -> Iterator[Digit]:
    for digit, (across, down, width, height, sure) in zip(text, _DIGIT.iter_unpack(data), strict=True):
        yield Digit(digit, sure / _STEPS, Box(left + across, top + down, width, height))
