"""Frames that spell digits and marks."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.readers.line.symbols import SYMBOLS, digit_frames, join, named, share_in_1
from docproc.types import LINE_CLASSES, LINE_SYMBOLS, Frames


def spelling(text: str, readers: int = 2, sure: float = 0.98) -> Frames:
    """Frames in which every symbol is named once, with CTC's blank between."""
    rows = np.full((2 * len(text) + 1, LINE_CLASSES), (1 - sure) / (LINE_CLASSES - 1))
    for k in range(len(rows)):
        rows[k, LINE_SYMBOLS.index(text[k // 2]) if k % 2 else -1] = sure
    return np.asarray(np.log(np.tile(rows, (1, readers))), np.float32)


@pytest.mark.parametrize("text", ["37.2", "-264.27", "(5)", "3/4", "72?", "!58", "11", "1.1"])
def test_marks_are_told_in_their_places(text: str) -> None:
    digits = "".join(c for c in text if c.isdigit())
    assert join(named(spelling(text), digits), digits) == text


def test_a_text_of_digits_does_not_lose_by_marks_between() -> None:
    frames = digit_frames(spelling("1,234"))
    assert frames.shape == (11, 22)
    assert np.allclose(np.exp(frames.reshape(11, 2, 11)).sum(axis=2), 1, atol=1e-5)
    assert np.exp(frames[3, 10]) > 0.97  # the comma is as good as nothing


def test_a_slash_is_told_where_a_1_was_read() -> None:
    frames = spelling("3145")
    both = np.exp(frames)
    both[3, LINE_SYMBOLS.index("1")], both[3, LINE_SYMBOLS.index("/")] = 0.85, 0.13  # of one reader, in the place of the 1
    frames = np.asarray(np.log(both), np.float32)
    assert share_in_1(frames, "3145", "/") == pytest.approx(0.13)
    assert share_in_1(frames, "3145", "-") < 0.01
    assert share_in_1(frames, "345", "/") == 0.0  # no 1 is read
    assert share_in_1(frames[:0], "1", "/") == 0.0
    assert share_in_1(frames[2:5], "1", "/") == 0.0  # a lone 1 parts nothing


def test_an_odd_digit_is_no_letter_before_it_is_surely_one() -> None:
    def share_of_9(letter: float) -> float:
        rows = np.full((1, LINE_CLASSES), 1e-6)
        rows[0, LINE_SYMBOLS.index("9")], rows[0, LINE_SYMBOLS.index("?")] = 1 - letter, letter
        frames = digit_frames(np.log(rows).astype(np.float32))
        assert np.exp(frames).sum() == pytest.approx(1, abs=1e-5)
        return float(np.exp(frames[0, 9]))

    assert share_of_9(0.7) == pytest.approx(0.3 / (0.3 + 0.7 * np.exp(-SYMBOLS.rarer_nats)), abs=1e-3)
    assert share_of_9(0.7) > 0.7
    assert share_of_9(0.99) < 0.1


@pytest.mark.parametrize(
    ("text", "bracket", "low", "high"),
    [("5)", 0.57, 0.8, 1), ("(5", 0.57, 0.8, 1), ("(5)", 0.57, 0, 0.5), ("5)", 0.98, 0, 0.2)],
)
def test_a_doubtful_bracket_without_its_other_half_is_rather_a_1(text: str, bracket: float, low: float, high: float) -> None:
    place = 2 * text.index(")") + 1 if ")" in text else 1
    frames = np.exp(spelling(text))
    for reader in range(2):
        own = frames[:, reader * LINE_CLASSES : (reader + 1) * LINE_CLASSES]
        own[place, LINE_SYMBOLS.index(text[place // 2])] = bracket
        own[place, LINE_SYMBOLS.index("1")] = 0.6 * (1 - bracket)
    share = float(np.exp(digit_frames(np.log(frames).astype(np.float32))[place, 1]))
    assert low < share < high
    assert join(named(np.log(frames).astype(np.float32), "5"), "5") == text  # it is still told


def test_one_reader_that_sees_a_mark_is_enough() -> None:
    one, other = spelling("37.2", 1), spelling("37.2", 1)
    other[5] = one[4]  # this one sees no point
    found = named(np.hstack([one, other]), "372")
    assert [round(each.share, 1) for each in found] == [1.0]


def test_no_frames_name_nothing() -> None:
    none = np.zeros((0, 2 * LINE_CLASSES), np.float32)
    assert named(none, "") == ()
    assert digit_frames(none).shape == (0, 22)
