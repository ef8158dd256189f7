"""Every backend that works here, and two that are none, through the same contract."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from docproc.backends import (
    BACKENDS,
    available,
    choose,
    open_line_recognizer,
    open_recognizer,
)
from docproc.errors import BadUsage, MissingPart
from docproc.readers import comb, e13b, lattice, line
from docproc.types import (
    CELL_CLASSES,
    CLASSES,
    LINE_CLASSES,
    LINE_HEIGHT,
    LINE_READERS,
    MICR_CLASSES,
    Line,
    LineRecognizer,
    Recognizer,
)
from docproc.weights.cards import model_folder, network_files
from tests.conftest import FailingRecognizer, NullRecognizer


@cache
def model(name: str, network: str) -> bytes:
    """The shipped file that a backend takes, if the backend works here."""
    reason = available(name)
    if reason:
        pytest.skip(reason)
    return network_files(name)[network].read_bytes()


@cache
def backend(name: str) -> Recognizer:
    return open_recognizer(name, model(name, "glyphs"), lattice.FORM)


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
        open_recognizer("abacus", b"", lattice.FORM)


def test_auto_takes_what_works_and_says_what_does_not() -> None:
    chosen = choose("auto")
    assert available(chosen.backend) is None
    assert chosen.backend == "tensorrt" or chosen.passed_over.startswith("tensorrt: ")
    assert "\n" not in chosen.passed_over


@pytest.mark.parametrize("name", sorted(BACKENDS))
@pytest.mark.parametrize("data", [b"", b"not a model", b"\x80\x04K\x01.", pickle.dumps(print), b"\x08\x07" + bytes(200)])
def test_what_is_no_model_is_refused(name: str, data: bytes) -> None:
    model(name, "glyphs")
    with pytest.raises(MissingPart):
        open_recognizer(name, data, lattice.FORM)
    with pytest.raises(MissingPart):
        open_line_recognizer(name, data, line.FORM)
    with pytest.raises(MissingPart):
        open_line_recognizer(name, data, e13b.FORM)


@pytest.fixture(params=sorted(BACKENDS))
def line_recognizer(request: pytest.FixtureRequest) -> LineRecognizer:
    return open_lines(request.param)


@cache
def open_lines(name: str) -> LineRecognizer:
    return open_line_recognizer(name, model(name, "lines"), line.FORM)


def lines(*widths: int) -> list[Line]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (LINE_HEIGHT, width)).astype(np.uint8) for width in widths]


def test_frames_are_log_probabilities_in_the_order_of_the_lines(line_recognizer: LineRecognizer) -> None:
    frames = line_recognizer.recognize(lines(64, 0, 128, 64))
    assert [f.shape for f in frames] == [(count, LINE_READERS * LINE_CLASSES) for count in (32, 0, 64, 32)]
    for each in frames:
        assert each.dtype == np.float32
        assert np.allclose(np.exp(each).reshape(-1, LINE_READERS, LINE_CLASSES).sum(axis=2), 1, atol=1e-4)
    assert line_recognizer.recognize([]) == []


def test_frames_do_not_depend_on_the_other_lines(line_recognizer: LineRecognizer) -> None:
    many = lines(*[64, 96, 64, 160] * 10)
    together = line_recognizer.recognize(many)
    for one, frames in zip(many, together, strict=True):
        assert np.abs(np.exp(line_recognizer.recognize([one])[0]) - np.exp(frames)).max() < 1e-5


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_frames_of_e13b_are_log_probabilities_of_their_own_line(name: str) -> None:
    recognizer = open_line_recognizer(name, model(name, "micr"), e13b.FORM)
    many = lines(64, 0, 128, 64, 160)
    together = recognizer.recognize(many)
    assert [f.shape for f in together] == [(one.shape[1] // 4, MICR_CLASSES) for one in many]
    for one, frames in zip(many, together, strict=True):
        assert frames.dtype == np.float32
        assert np.allclose(np.exp(frames).sum(axis=1), 1, atol=1e-4)
        assert np.abs(np.exp(recognizer.recognize([one])[0]) - np.exp(frames)).max(initial=0) < 1e-5


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_cells_are_scored(name: str) -> None:
    recognizer = open_recognizer(name, model(name, "cells"), comb.FORM)
    pictures = np.random.default_rng(6).integers(0, 256, (5, 32, 32, 2)).astype(np.uint8)
    scores = recognizer.recognize(pictures)
    assert scores.shape == (5, CELL_CLASSES)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-4)
    assert recognizer.recognize(pictures[:0]).shape == (0, CELL_CLASSES)


@pytest.mark.parametrize("name", sorted(BACKENDS))
def test_one_network_is_not_taken_for_the_other(name: str) -> None:
    with pytest.raises(MissingPart, match="MICR network"):
        open_line_recognizer(name, model(name, "lines"), e13b.FORM)
    with pytest.raises(MissingPart, match="line network"):
        open_line_recognizer(name, model(name, "micr"), line.FORM)
    with pytest.raises(MissingPart, match="line network"):
        open_line_recognizer(name, model(name, "glyphs"), line.FORM)
    with pytest.raises(MissingPart, match="digit network"):
        open_recognizer(name, model(name, "lines"), lattice.FORM)
    with pytest.raises(MissingPart, match="digit network"):
        open_recognizer(name, model(name, "cells"), lattice.FORM)


def test_each_backend_has_its_own_files() -> None:
    def names(backend: str, path: str | None = None) -> list[str]:
        return [file.name for file in network_files(backend, Path(path) if path else None).values()]

    assert names("onnx") == ["digits.onnx", "lines.onnx", "cells.onnx", "micr.onnx"]
    assert names("onnx", "own/mine.fp16.onnx") == [
        "mine.fp16.onnx",
        "lines.fp16.onnx",
        "cells.fp16.onnx",
        "micr.fp16.onnx",
    ]
    assert names("tensorrt", "own/mine.onnx") == [
        "mine.fp16.onnx",
        "lines.fp16.onnx",
        "cells.fp16.onnx",
        "micr.fp16.onnx",
    ]
    assert names("tensorflow") == [
        "digits.keras",
        "lines.keras",
        "cells.keras",
        "micr.keras",
    ]
    with pytest.raises(BadUsage, match=r"onnx does not run mine\.keras"):
        names("onnx", "mine.keras")
    with pytest.raises(BadUsage, match="is no model"):
        names("onnx", "mine.bin")


# ------------------------------------------------------------------------------------- what a Keras file may hold


def rewritten(change: Callable[[dict[str, object]], None], more: dict[str, bytes] | None = None) -> bytes:
    """The shipped Keras file with another configuration, and with more files in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(model_folder() / "digits.keras") as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            new.writestr(name, data)
        for name, data in (more or {}).items():
            new.writestr(name, data)
    return out.getvalue()


def test_a_lambda_layer_is_refused_unopened() -> None:
    model("tensorflow", "glyphs")

    def change(config: dict[str, object]) -> None:
        layers = config["config"]["layers"]  # type: ignore[index]
        layers[1] = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "…"}, "registered_name": None}

    with pytest.raises(MissingPart, match=r"was not opened, because it names keras\.layers\.Lambda"):
        open_recognizer("tensorflow", rewritten(change), lattice.FORM)


def test_a_function_from_elsewhere_is_refused_unopened() -> None:
    model("tensorflow", "glyphs")

    def change(config: dict[str, object]) -> None:
        config["config"]["layers"][1]["module"] = "os"  # type: ignore[index]

    with pytest.raises(MissingPart, match=r"because it names os\.Rescaling"):
        open_recognizer("tensorflow", rewritten(change), lattice.FORM)


def test_a_keras_file_with_something_else_in_it_is_refused() -> None:
    model("tensorflow", "glyphs")
    with pytest.raises(MissingPart, match=r"is no Keras file: it holds assets/payload"):
        open_recognizer("tensorflow", rewritten(lambda config: None, {"assets/payload.py": b"print()"}), lattice.FORM)


def test_a_keras_file_whose_weights_are_damaged_is_refused() -> None:
    whole = bytearray(model("tensorflow", "glyphs"))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(MissingPart, match=r"Keras"):
        open_recognizer("tensorflow", bytes(whole), lattice.FORM)
