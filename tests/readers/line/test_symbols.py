"""Frames that spell digits and marks."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.readers.line.symbols import digit_frames, join, named
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


def test_readers_that_disagree_halve_a_share() -> None:
    one, other = spelling("37.2", 1), spelling("37.2", 1)
    other[5] = one[4]  # this one sees no point
    found = named(np.hstack([one, other]), "372")
    assert [round(each.share, 1) for each in found] == [0.5]


def test_no_frames_name_nothing() -> None:
    none = np.zeros((0, 2 * LINE_CLASSES), np.float32)
    assert named(none, "") == ()
    assert digit_frames(none).shape == (0, 22)
