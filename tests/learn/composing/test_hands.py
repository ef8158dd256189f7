"""Digits of MNIST as another hand writes them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from docproc.learn.composing import hands, strokes
from docproc.learn.composing.layers import MARK
from docproc.learn.composing.material import Digits, Material
from docproc.learn.composing.spelling import Spelled, digits, mark
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.readers.lattice.normalize import normalize
from docproc.types import Glyphs, Ink


def glyph(digit: int, style: int, width: float) -> Glyphs:
    return normalize(draw_digit(digit, 60, Pen(width, 0.0), np.random.default_rng(0), style)[0])


def filled(digit: int) -> Glyphs:
    """One whose loops are full of ink."""
    found = glyph(digit, 0, 0.1)
    paper = np.pad((found < 128).astype(np.uint8), 1, constant_values=1)
    cv2.floodFill(paper, None, (0, 0), 2)
    return np.where(paper[1:-1, 1:-1] == 1, np.uint8(255), found)


def a_hand(material: Material, rng: np.random.Generator, **changes: object) -> hands.Hand:
    plain = replace(hands.a_hand(material, rng, 0.4, 40.0), drawn=0.0, wrote=None)
    return replace(plain, **changes)  # type: ignore[arg-type]


def of(*images: Glyphs) -> Material:
    return Material(Digits(np.array(images, np.uint8), tuple(np.arange(len(images)) for _ in range(10))))


def loops(ink: Ink) -> int:
    paper = np.pad((ink <= 127).astype(np.uint8), 1, constant_values=1)
    return int(cv2.connectedComponents(paper, connectivity=4)[0]) - 2


@pytest.mark.parametrize(("digit", "wanted"), [(6, 1), (8, 2), (9, 1), (0, 1)])
def test_a_traced_digit_keeps_its_loops(digit: int, wanted: int) -> None:
    """The middle line of a 6 whose loop is filled is that of an L, of such an 8 and 9 it is that of a 1."""
    rng = np.random.default_rng(2)
    material = of(filled(digit), glyph(digit, 0, 0.1))
    hand = a_hand(material, rng, traced=True, pen=Pen(0.06, 0.0))
    assert [loops(hands.a_digit(digit, 40.0, hand, material, rng)[0]) for _ in range(40)] == [wanted] * 40


def test_where_no_digit_can_be_traced_one_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    material = of(filled(8))
    hand = a_hand(material, np.random.default_rng(0), traced=True, pen=Pen(0.06, 0.0))
    drawn: list[int] = []

    def draw(digit: int, height: float, pen: Pen, rng: np.random.Generator, style: int | None = None) -> tuple[Ink, int]:
        drawn.append(digit)
        return draw_digit(digit, height, pen, rng, style)

    monkeypatch.setattr(strokes, "draw_digit", draw)
    hands.a_digit(8, 40.0, hand, material, np.random.default_rng(0))
    assert drawn == [8]


@pytest.mark.parametrize("traced", [False, True])
def test_a_5_with_a_loop_is_not_used(traced: bool) -> None:
    """It can be a 6; of another one, the pen does not close the gap."""
    rng = np.random.default_rng(6)
    material = of(glyph(6, 0, 0.1), glyph(5, 0, 0.1))
    for width in (0.05, 0.1, 0.2):
        hand = a_hand(material, rng, traced=traced, pen=Pen(width, 0.0))
        assert not any(loops(hands.a_digit(5, 40.0, hand, material, rng)[0]) for _ in range(20))


@pytest.mark.parametrize("style", [22, 24])
def test_a_thick_pen_does_not_close_a_4_that_begins_with_a_hook(style: int) -> None:
    """Closed, it is a 9."""
    material, rng = of(glyph(4, 0, 0.1)), np.random.default_rng(7)
    hand = a_hand(material, rng, pen=Pen(0.2, 0.02, 0.8), styles=(style,) * 10, drawn=1.0, carelessness=0.0)
    drawn = [hands.a_digit(4, 20.0, hand, material, rng)[0] for _ in range(40)]
    thick = [draw_digit(4, 20.0, hand.pen, rng, style)[0] for _ in range(40)]
    assert sum(map(loops, drawn)) < 8 < sum(map(loops, thick))


def test_a_bold_digit_is_no_bolder_than_its_loops_are_wide() -> None:
    rng = np.random.default_rng(3)
    material = of(glyph(8, 0, 0.15))
    for boldness in (0.25, 0.4, 0.62):
        hand = a_hand(material, rng, traced=False, boldness=boldness, pen=Pen(0.1, 0.0, 0.8))
        assert loops(hands.a_digit(8, 40.0, hand, material, rng)[0]) == 2


@pytest.mark.parametrize(("carelessness", "low", "high"), [(0.0, 0.7, 1.2), (1.0, 0.25, 0.7)])
def test_zeros_side_by_side_may_be_tiny_in_careless_hands(
    monkeypatch: pytest.MonkeyPatch, carelessness: float, low: float, high: float
) -> None:
    monkeypatch.setattr(hands, "TINY_SHARE", 1.0)
    monkeypatch.setattr(hands, "LINKED_SHARE", 0.0)
    rng = np.random.default_rng(4)
    material = of(glyph(0, 0, 0.1))
    spelled = Spelled((*digits("40"), mark("."), *digits("00")), marked=True)
    single, first = [], []
    for _ in range(40):
        hand = a_hand(material, rng, carelessness=carelessness)
        heights = {part.owner: part.ink.shape[0] for part in hands.written(spelled, hand, material, rng)}
        single.append(heights[2] / heights[1])
        first.append(heights[3] / heights[1])
    assert 0.7 < np.median(single) < 1.2  # a zero by itself
    assert low < np.median(first) < high


def test_a_1_may_be_smaller_than_other_digits() -> None:
    rng = np.random.default_rng(5)
    material = of(glyph(0, 0, 0.1))
    for small in (1.0, 0.5):
        hand = replace(a_hand(material, rng, small_1=small), drawn=1.0)
        one, other = (hands.a_digit(digit, 60.0, hand, material, rng)[0].shape[0] for digit in (1, 7))
        assert abs(one / other - small) < 0.15


def test_raised_cents_are_small_and_not_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "TINY_SHARE", 1.0)
    monkeypatch.setattr(hands, "LINKED_SHARE", 0.0)
    rng = np.random.default_rng(4)
    material = of(glyph(0, 0, 0.1))
    spelled = Spelled(tuple(digits("4200", raised_from=2)), marked=True, raised=True)
    cents = []
    for _ in range(40):
        hand = a_hand(material, rng, carelessness=1.0)
        heights = {part.owner: part.ink.shape[0] for part in hands.written(spelled, hand, material, rng)}
        cents.append(heights[3] / heights[1])
    assert 0.5 < np.median(cents) < 0.75


def test_a_wide_hand_does_not_make_a_7_of_a_1() -> None:
    material, rng = of(glyph(1, 0, 0.1)), np.random.default_rng(8)
    for style in range(len(strokes.DIGIT_SHAPES["1"])):
        wide = a_hand(material, rng, pen=Pen(0.08, 0.0, 2.2), styles=(style,) * 10, drawn=1.0, carelessness=0.0)
        ink, _ = hands.a_digit(1, 60.0, wide, material, rng)
        top = np.flatnonzero((ink[: ink.shape[0] // 12] > 127).any(axis=0))
        assert np.ptp(top) < 0.4 * 60  # no bar


def test_no_digit_is_as_small_as_a_comma_or_a_point(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hands, "TINY_SHARE", 1.0)
    monkeypatch.setattr(hands, "LINKED_SHARE", 0.0)
    rng = np.random.default_rng(9)
    material = of(glyph(0, 0, 0.1))
    spelled = Spelled((*digits("41"), mark("."), *digits("000000")), marked=True)
    for _ in range(40):
        hand = a_hand(material, rng, carelessness=1.0, small_1=0.65, pen=Pen(0.06, 0.0))
        ones: list[int] = []
        zeros: list[int] = []
        for part in hands.written(spelled, hand, material, rng):
            (ones if part.owner == 2 else zeros if 2 < part.owner < MARK else []).append(part.ink.shape[0])
        assert min(ones) > 0.5 * hand.height
        assert min(zeros) >= 0.2 * hand.height


def test_a_bold_digit_is_not_traced() -> None:
    """The middle line of a bold 1 has spurs: it would be an x."""
    rng = np.random.default_rng(10)
    hand = a_hand(of(glyph(1, 0, 0.1)), rng, traced=True, pen=Pen(0.06, 0.0), styles=(1,) * 10)
    assert hands._restyled(glyph(1, 0, 0.1), 40.0, hand, 0, 0) is not None
    assert hands._restyled(glyph(1, 0, 0.3), 40.0, hand, 0, 0) is None


def test_a_comma_before_or_after_the_digits_is_short() -> None:
    """A long one would be a 1; between digits its place tells."""
    rng = np.random.default_rng(11)
    material = of(glyph(0, 0, 0.1))
    tall: dict[int, list[float]] = {0: [], 3: [], 5: []}
    for _ in range(200):
        hand = a_hand(material, rng, pen=Pen(0.06, 0.0))
        spelled = Spelled((mark(","), *digits("20"), mark(","), *digits("5"), mark(",")), marked=True)
        for place, part in enumerate(hands.written(spelled, hand, material, rng)):
            if place in tall:
                tall[place].append(float(np.ptp(np.flatnonzero((part.ink > 127).any(axis=1)))) / hand.height)
    assert max(tall[0]) < 0.5
    assert max(tall[5]) < 0.5
    assert max(tall[3]) > 0.6
