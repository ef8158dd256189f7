"""Every backend that is installed, and two that are none, through the same contract."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from docproc.cards import model_folder
from docproc.digits.recognizers import (
    BACKENDS,
    available,
    open_line_recognizer,
    open_micr_recognizer,
    open_recognizer,
)
from docproc.errors import BadUsage, MissingPart
from docproc.types import CLASSES, LINE_HEIGHT, MICR_CLASSES, Line, LineRecognizer, Recognizer
from tests.conftest import FailingRecognizer, NullRecognizer

MODEL = model_folder() / "digits.onnx"


def backend(name: str) -> Recognizer:
    reason = available(name)
    if reason:
        pytest.skip(reason)
    return open_recognizer(name, MODEL.read_bytes())


MAKERS: dict[str, Callable[[], Recognizer]] = {"null": NullRecognizer}
MAKERS.update({name: (lambda name=name: backend(name)) for name in BACKENDS})  # type: ignore[misc]


@pytest.fixture(params=sorted(MAKERS))
def recognizer(request: pytest.FixtureRequest) -> Recognizer:
    return MAKERS[request.param]()


def glyphs(count: int) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(4).integers(0, 256, (count, 28, 28)).astype(np.uint8)


@pytest.mark.parametrize("count", [0, 1, 5, 300])
def test_scores_are_probabilities(recognizer: Recognizer, count: int) -> None:
    scores = recognizer.recognize(glyphs(count))
    assert scores.shape == (count, CLASSES)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-4)


def test_a_score_does_not_depend_on_the_batch(recognizer: Recognizer) -> None:
    many = glyphs(150)
    together = recognizer.recognize(many)
    alone = np.concatenate([recognizer.recognize(many[k : k + 1]) for k in range(150)])
    assert np.abs(together - alone).max() < 1e-5


def test_the_input_is_left_alone(recognizer: Recognizer) -> None:
    batch = glyphs(9)
    before = batch.copy()
    recognizer.recognize(batch)
    assert np.array_equal(batch, before)


def test_it_names_itself_and_its_model(recognizer: Recognizer) -> None:
    assert recognizer.name
    assert len(recognizer.model_hash) == 64


def test_a_failing_recognizer_fails_loudly() -> None:
    with pytest.raises(MissingPart, match="always fails"):
        FailingRecognizer().recognize(glyphs(1))


def test_an_unknown_backend_is_bad_usage() -> None:
    with pytest.raises(BadUsage, match="abacus"):
        open_recognizer("abacus", b"")


@pytest.mark.parametrize("data", [b"", b"not a model", b"\x80\x04K\x01.", b"\x08\x07" + bytes(200)])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(MissingPart):
        open_recognizer("onnx", data)
    with pytest.raises(MissingPart):
        open_line_recognizer("onnx", data)
    with pytest.raises(MissingPart):
        open_micr_recognizer("onnx", data)


@pytest.fixture(params=sorted(BACKENDS))
def line_recognizer(request: pytest.FixtureRequest) -> LineRecognizer:
    reason = available(request.param)
    if reason:
        pytest.skip(reason)
    return open_line_recognizer(request.param, MODEL.with_name("lines.onnx").read_bytes())


@pytest.fixture(params=sorted(BACKENDS))
def micr_recognizer(request: pytest.FixtureRequest) -> LineRecognizer:
    reason = available(request.param)
    if reason:
        pytest.skip(reason)
    return open_micr_recognizer(request.param, MODEL.with_name("micr.onnx").read_bytes())


def lines(*widths: int) -> list[Line]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (LINE_HEIGHT, width)).astype(np.uint8) for width in widths]


def test_frames_are_log_probabilities_in_the_order_of_the_lines(line_recognizer: LineRecognizer) -> None:
    frames = line_recognizer.read_lines(lines(64, 0, 128, 64))
    assert [f.shape for f in frames] == [(32, CLASSES), (0, CLASSES), (64, CLASSES), (32, CLASSES)]
    for each in frames:
        assert each.dtype == np.float32
        assert np.allclose(np.exp(each).sum(axis=1), 1, atol=1e-4)
    assert line_recognizer.read_lines([]) == []


def test_frames_do_not_depend_on_the_other_lines(line_recognizer: LineRecognizer) -> None:
    many = lines(*[64, 96, 64, 160] * 10)
    together = line_recognizer.read_lines(many)
    for line, frames in zip(many, together, strict=True):
        assert np.abs(np.exp(line_recognizer.read_lines([line])[0]) - np.exp(frames)).max() < 1e-5


def test_frames_of_e13b_are_log_probabilities_of_their_own_line(micr_recognizer: LineRecognizer) -> None:
    many = lines(64, 0, 128, 64, 160)
    together = micr_recognizer.read_lines(many)
    assert [f.shape for f in together] == [(line.shape[1] // 4, MICR_CLASSES) for line in many]
    for line, frames in zip(many, together, strict=True):
        assert frames.dtype == np.float32
        assert np.allclose(np.exp(frames).sum(axis=1), 1, atol=1e-4)
        assert np.abs(np.exp(micr_recognizer.read_lines([line])[0]) - np.exp(frames)).max(initial=0) < 1e-5


def test_one_network_is_not_taken_for_the_other() -> None:
    with pytest.raises(MissingPart, match="MICR network"):
        open_micr_recognizer("onnx", MODEL.with_name("lines.onnx").read_bytes())
    with pytest.raises(MissingPart, match="line network"):
        open_line_recognizer("onnx", MODEL.with_name("micr.onnx").read_bytes())
    with pytest.raises(MissingPart, match="line network"):
        open_line_recognizer("onnx", MODEL.read_bytes())
    with pytest.raises(MissingPart, match="digit network"):
        open_recognizer("onnx", MODEL.with_name("lines.onnx").read_bytes())
