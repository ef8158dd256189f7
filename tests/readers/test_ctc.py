from __future__ import annotations

from collections import defaultdict
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from docproc.readers import ctc
from docproc.readers.ctc import CTC, _viterbi, alignments, best_texts, each_reader, text_scores
from docproc.types import CLASSES, LINE_CLASSES, NOT_A_DIGIT, Frames

BLANK = NOT_A_DIGIT


def frames_of(*odds: dict[int, float]) -> Frames:
    """Frames from the probabilities of a few classes; the rest shares a hundredth."""
    table = np.full((len(odds), 11), 0.001)
    for row, own in zip(table, odds, strict=True):
        for name, p in own.items():
            row[name] = p
    return np.asarray(np.log(table / table.sum(axis=1, keepdims=True)), np.float32)


def with_marks(frames: Frames) -> Frames:
    """Frames of digits as the line network gives them: no mark is anywhere."""
    marks = np.full((len(frames), LINE_CLASSES - CLASSES), -30.0, np.float32)
    return np.hstack([frames[:, :BLANK], marks, frames[:, BLANK:]])


def test_repeats_are_one_digit_and_a_blank_makes_two() -> None:
    held = frames_of({0: 1}, {0: 1}, {BLANK: 1}, {BLANK: 1}, {0: 1})
    assert best_texts(held)[0][0] == "00"
    assert best_texts(held[:2])[0][0] == "0"


def test_no_frames_say_nothing_is_written() -> None:
    none = np.zeros((0, 11), np.float32)
    assert best_texts(none) == (("", 1.0),)
    assert text_scores(none, ["", "1"])[0] == pytest.approx(0.0)
    assert text_scores(none, ["", "1"])[1] < -100


@given(st.integers(0, 10_000), st.floats(0.5, 6.0))
def test_against_all_alignments_one_by_one(seed: int, sharpness: float) -> None:
    """The slow way: every class at every frame."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharpness, (5, 11))
    logits[:, 2:BLANK] = -40  # two digits and the blank
    frames = (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))).astype(np.float32)
    odds: dict[str, float] = defaultdict(float)
    for classes in product((0, 1, BLANK), repeat=5):
        text = "".join(str(c) for k, c in enumerate(classes) if c != BLANK and (k == 0 or classes[k - 1] != c))
        odds[text] += float(np.exp(sum(float(frames[k, c]) for k, c in enumerate(classes))))
    texts = sorted(odds)
    assert np.allclose(np.exp(text_scores(frames, texts)), [odds[text] for text in texts], atol=0.03)
    best, share = best_texts(frames)[0]
    assert odds[best] >= 0.8 * max(odds.values())
    assert share <= odds[best] + 0.03


def test_a_long_strip_does_not_underflow() -> None:
    frames = frames_of(*[{k % 10: 0.4, BLANK: 0.4} for k in range(400)])
    (text, _), *_ = best_texts(frames)
    assert len(text) > 50
    assert np.isfinite(text_scores(frames, [text])).all()


def test_readers_side_by_side_are_joined_by_what_they_read() -> None:
    """The same two digits, seen by each reader in frames of its own; and one that doubts the second."""
    early = frames_of({1: 1}, {BLANK: 1}, {7: 1}, {BLANK: 1}, {BLANK: 1}, {BLANK: 1})
    late = frames_of({BLANK: 1}, {BLANK: 1}, {BLANK: 1}, {1: 1}, {BLANK: 1}, {7: 0.4, 2: 0.6})
    joined = np.hstack([early, late])
    assert [own.shape for own in each_reader(joined)] == [early.shape, late.shape]
    assert best_texts(joined)[0][0] == "17"
    alone = [text_scores(own, ["17", "12"]) for own in (early, late)]
    assert text_scores(joined, ["17", "12"]) == pytest.approx(np.mean(alone, axis=0))
    assert best_texts(np.hstack([early, early]))[0][1] == pytest.approx(best_texts(early)[0][1], rel=1e-2)


def test_one_reader_cannot_silence_another() -> None:
    sure, blind = frames_of({1: 1}, {BLANK: 1}, {7: 1}), np.full((3, 11), -200.0, np.float32)
    blind[:, BLANK] = 0
    assert text_scores(np.hstack([sure, blind]), ["17"])[0] == pytest.approx((text_scores(sure, ["17"])[0] + CTC.min_log) / 2)


@given(st.integers(0, 10_000), st.floats(1.0, 6.0))
def test_an_alignment_is_the_most_probable_one(seed: int, sharpness: float) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, sharpness, (2, 7, 11))
    logits[:, :, 3:BLANK] = -40  # three digits and the blank
    odds = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    read = [best_texts(np.asarray(np.log(one), np.float32))[0][0] for one in odds]
    for texts in (read, ["0"] * 2, ["2", read[1]], ["", read[0]]):
        assert np.array_equal(alignments(odds, texts), _viterbi(odds, texts))


def test_what_every_frame_shows_needs_no_search(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = np.exp(frames_of({BLANK: 1}, {4: 1}, {4: 0.6, BLANK: 0.3}, {BLANK: 1}, {4: 1}, {7: 1}, {BLANK: 1})[None])
    expected = _viterbi(shown, ["447"])
    assert expected.tolist() == [[0, 1, 1, 2, 3, 5, 6]]
    monkeypatch.setattr(ctc, "_viterbi", None)
    assert np.array_equal(alignments(np.asarray(shown, np.float64), ["447"]), expected)
