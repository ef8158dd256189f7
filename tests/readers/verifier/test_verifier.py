"""What the verifier is shown, and what it says of texts beside the ink."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.readers.ctc import alignments
from docproc.readers.handwriting import line_frames, opinions_of, prepare, score_all
from docproc.readers.model import Model
from docproc.readers.verifier import HEIGHT, NAME, VERIFIER, Case, VerifierOpinion, beneath, likeliest, shown_texts, verify
from docproc.types import LINE_HEIGHT, NOT_A_DIGIT, Box, Field, Frames, Line
from tests.conftest import draw_field


def frames_that_say(text: str, gap: int = 3) -> Frames:
    """Frames of one reader that is sure: a digit, and blanks before and behind."""
    rows = np.full((len(text) * (gap + 1) + gap, NOT_A_DIGIT + 1), 1e-4)
    rows[:, NOT_A_DIGIT] = 1.0
    for k, digit in enumerate(text):
        rows[gap + k * (gap + 1)] = 1e-4
        rows[gap + k * (gap + 1), int(digit)] = 1.0
    return np.asarray(np.log(rows / rows.sum(axis=1, keepdims=True)), np.float32)


def seen(text: str, model: Model) -> tuple[Line, Frames]:
    gray = draw_field(text)
    height, width = gray.shape
    item = prepare(Field("f", Box(0, 0, width, height), "string"), gray)
    own = opinions_of(item.views, score_all([item.views], model.networks)[0], None, model.fitted)
    return item.views["line"], line_frames(own)


@pytest.mark.parametrize("text", ["7", "2407", "1100", "88"])
def test_an_alignment_finds_every_digit_where_it_was_seen(text: str) -> None:
    (states,) = alignments(np.exp(frames_that_say(text).astype(np.float64)), [text])
    assert [np.flatnonzero(states == 2 * k + 1).tolist() for k in range(len(text))] == [[3 + 4 * k] for k in range(len(text))]


def test_texts_are_aligned_together_as_each_alone() -> None:
    odds = np.exp(frames_that_say("2407").astype(np.float64))
    texts = ["2407", "247", "24407", "9", ""]
    together = alignments(odds, texts)
    assert all((own == alignments(odds, [text])[0]).all() for own, text in zip(together, texts, strict=True))
    assert not together[-1].any()


def test_the_text_stands_below_the_strip_each_digit_in_its_row() -> None:
    strip = np.full((LINE_HEIGHT, 64), 9, np.uint8)
    shown = beneath(strip, "70", [5.0, 20.2])
    assert shown.shape == (HEIGHT, 64)
    assert (shown[:LINE_HEIGHT] == strip).all()
    told = shown[LINE_HEIGHT:]
    assert np.flatnonzero(told.max(axis=1)).tolist() == [0, 7]
    assert np.flatnonzero(told[7] == 255).tolist() == [10, 11]
    assert np.flatnonzero(told[0] == 255).tolist() == [40, 41]
    assert np.flatnonzero(told[7] == VERIFIER.beside).tolist() == [8, 9, 12, 13]


def test_a_text_with_more_digits_than_frames_is_not_shown() -> None:
    frames = frames_that_say("7")
    strip = np.zeros((LINE_HEIGHT, 2 * len(frames)), np.uint8)
    assert list(shown_texts(strip, frames, ["7", "", "7" * len(frames), "123456"])) == ["7", "123456"]


def test_each_reader_names_its_likeliest_texts() -> None:
    first = {"12": -0.1, "13": -3.0, "14": -20.0, "": -0.2}
    second = {"12": -9.0, "13": -9.0, "14": -1.0, "15": -0.5}
    assert likeliest([first, second]) == ("12", "13", "15", "14")


def test_what_is_written_is_told_from_what_is_not(model: Model) -> None:
    texts = ("2407", "2401", "24071", "407")
    (opinion,) = verify([Case(*seen("2407", model), texts)], model.networks[NAME])
    right, *wrong = opinion.log_probabilities(texts)
    assert right > np.log(0.5) > max(wrong)
    assert opinion.log_probabilities(["999"])[0] == min(wrong)


def test_nothing_is_written_where_no_text_is_right() -> None:
    sure, unsure = VerifierOpinion({"12": -1e-6, "13": -9.0}), VerifierOpinion({"12": -3.0, "13": -4.0})
    assert sure.log_probabilities(["12", "13", ""]).tolist() == pytest.approx(
        [0.0, VERIFIER.min_log, VERIFIER.min_log], abs=1e-5
    )
    assert unsure.log_probabilities([""])[0] == pytest.approx(np.log(1 - np.exp(-3.0)))
    assert unsure.log_probabilities(["99"])[0] == -4.0


def test_no_case_no_verdict(model: Model) -> None:
    assert verify([], model.networks[NAME]) == []
    (opinion,) = verify(
        [Case(np.zeros((LINE_HEIGHT, 0), np.uint8), np.zeros((0, 11), np.float32), ("7",))], model.networks[NAME]
    )
    assert opinion.log_probabilities(["7", ""]).tolist() == [0.0, 0.0]
