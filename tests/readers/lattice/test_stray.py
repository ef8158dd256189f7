from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from docproc.readers.lattice.stray import filled, is_corner, is_ring, left_over, maybe_1_before
from docproc.types import Box, Candidate, Lattice
from tests.meaning.drawn import box_of


def with_inside(*parts: tuple[int, int]) -> Lattice:
    """A ring 100 x 60 px, with parts of these widths and heights in a row inside of it."""
    ink = np.zeros((80, 120), np.uint8)
    cv2.ellipse(ink, (60, 40), (50, 30), 0, 0, 360, 255, 3)
    ring = ink > 0
    for k, (width, height) in enumerate(parts):
        left = 60 - width // 2 + 20 * (2 * k - len(parts) + 1)
        ink[40 - height // 2 : 40 + (height + 1) // 2, left : left + width] = 255
    candidate = Candidate(0, 1, (0,), box_of(ring))
    return Lattice(ink, ring.astype(np.int32), 1, (candidate,), np.zeros((1, 21), np.float32), np.eye(2, 3))


@pytest.mark.parametrize(
    ("parts", "text", "is_filled"),
    [
        ((), "0", False),
        (((6, 10),), "0", False),  # a dot in a zero
        (((6, 10), (8, 12)), "0", True),
        (((40, 12),), "0", True),  # a word whose letters run together
        (((40, 12),), "2", False),  # a speck in a curl
        (((40, 3),), "0", False),
    ],
)
def test_a_word_in_a_ring_is_no_zero(parts: tuple[tuple[int, int], ...], text: str, is_filled: bool) -> None:
    assert filled(with_inside(*parts), [0], text) is is_filled


def test_a_lone_zero_much_wider_than_tall_is_a_ring() -> None:
    wide = with_inside()  # 100 x 60
    narrow = replace(wide, candidates=(replace(wide.candidates[0], box=Box(40, 10, 55, 60)),))
    assert is_ring(wide, [0], "0")
    assert not is_ring(narrow, [0], "0")
    assert not is_ring(wide, [0], "2")


@pytest.mark.parametrize(
    ("left", "top", "width", "height", "found"),
    [
        (6, 20, 4, 40, True),
        (2, 8, 5, 64, True),  # longer than the digits, as many 1s are
        (6, 20, 4, 16, False),  # a point, or a dash
        (2, 20, 24, 40, False),  # as wide as a sign of a currency
        (26, 2, 4, 10, False),  # above the digits
        (60, 20, 4, 40, False),  # between two digits
    ],
)
def test_an_unread_stroke_before_a_number_may_be_a_1(left: int, top: int, width: int, height: int, found: bool) -> None:
    labels = np.zeros((80, 120), np.int32)
    labels[20:60, 30:50], labels[20:60, 70:90] = 1, 2
    candidates = tuple(Candidate(k, k + 1, (k,), Box(30 + 40 * k, 20, 20, 40)) for k in range(2))
    ink = np.where(labels, 255, 0).astype(np.uint8)
    ink[top : top + height, left : left + width] = 255
    lattice = Lattice(ink, labels, 2, candidates, np.zeros((2, 21), np.float32), np.eye(2, 3))
    assert maybe_1_before(lattice, [0, 1]) is found
    ink[top + height - 3 : top + height, left:45] = 255  # the rest of a ruled line at its foot
    assert maybe_1_before(lattice, [0, 1]) is found
    assert not maybe_1_before(lattice, [])


def test_a_dollar_sign_is_no_1() -> None:
    """Its bar is one, without the curves that it crosses."""
    labels = np.zeros((80, 120), np.int32)
    labels[20:60, 50:70], labels[20:60, 80:100] = 1, 2
    candidates = tuple(Candidate(k, k + 1, (k,), Box(50 + 30 * k, 20, 20, 40)) for k in range(2))
    ink = np.where(labels, 255, 0).astype(np.uint8)
    ink[17:63, 26:30] = ink[20:40, 14:18] = ink[40:60, 38:42] = 255
    for row in (20, 38, 57):
        ink[row : row + 4, 14:42] = 255
    lattice = Lattice(ink, labels, 2, candidates, np.zeros((2, 21), np.float32), np.eye(2, 3))
    assert not maybe_1_before(lattice, [0, 1])


@pytest.mark.parametrize(("inside", "text", "corner"), [(0, "7", True), (0, "1", False), (9, "7", False)])
def test_two_sides_of_a_frame_are_no_digit(inside: int, text: str, corner: bool) -> None:
    labels = np.zeros((60, 50), np.int32)
    labels[5:10, 5:45] = labels[5:55, 40:45] = 1
    labels[26 : 26 + inside, 20:29] = 1
    candidates = (Candidate(0, 1, (0,), Box(5, 5, 40, 50)),)
    ink = np.where(labels, 255, 0).astype(np.uint8)
    lattice = Lattice(ink, labels, 1, candidates, np.zeros((1, 21), np.float32), np.eye(2, 3))
    assert is_corner(lattice, [0], text) is corner
    assert not is_corner(lattice, [], text)


def test_ink_on_no_digit_is_left_over() -> None:
    labels = np.zeros((20, 60), np.int32)
    for piece in range(3):
        labels[5:15, 20 * piece + 5 : 20 * piece + 15] = piece + 1
    candidates = tuple(Candidate(k, k + 1, (k,), Box(20 * k + 5, 5, 10, 10)) for k in range(3))
    lattice = Lattice(
        np.where(labels, 255, 0).astype(np.uint8), labels, 3, candidates, np.zeros((3, 21), np.float32), np.eye(2, 3)
    )
    assert [round(left_over(lattice, path), 3) for path in ([0, 1, 2], [0, 2], [1], [])] == [0.0, 0.333, 0.667, 1.0]
