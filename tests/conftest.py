"""What several tests share: drawn digits, recognizers that are no networks, and the data that may lie beside the project."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import settings
from numpy.typing import NDArray

from docproc.errors import MissingPart
from docproc.files import Document
from docproc.learn.composing.strokes import MARKS, Pen, draw, draw_digit
from docproc.readers.model import Model
from docproc.types import (
    CELL_CLASSES,
    CLASSES,
    EMPTY,
    LINE_CLASSES,
    LINE_READERS,
    Frames,
    Gray,
    Line,
    ModelHash,
    Pictures,
    Scores,
)
from docproc.weights.opening import open_model

PROJECT = Path(__file__).parent.parent
SAMPLES = PROJECT / "samples"
SHARED = PROJECT.parent / "shared" / "data"

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="needs matplotlib (the extra `report`)")

WriteField = Callable[..., Gray]

# As in the processes of a run: OpenCV's threads wait for each other busily, which costs twice the time where tests share cores.
cv2.setNumThreads(1)

# A slow machine is no failure, and the same code passes or fails the same way twice.
settings.register_profile("docproc", deadline=None, derandomize=True)
settings.load_profile("docproc")


def file_of(document: Document) -> Path:
    """The file of a document on this machine."""
    assert isinstance(document.path, Path)
    return document.path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first: a broken stage shows at once."""
    items.sort(key=lambda item: any(item.get_closest_marker(name) for name in ("thorough", "slow")))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real data, where it is present."""
    if not SHARED.is_dir():
        pytest.skip("needs the real check amounts and MNIST, which are not part of the project")
    return SHARED


@pytest.fixture(scope="session")
def model() -> Model:
    """The shipped model."""
    return open_model("onnx")


@pytest.fixture(scope="session")
def write_field() -> WriteField:
    """Draw a number on white paper: `write_field("1407", height=40, gap=8)` gives (height, width) uint8."""
    return draw_field


def draw_field(text: str, height: float = 40, gap: int = 8, width: float = 0.09, paper: int = 240, level: int = 30) -> Gray:
    """`text` may hold digits and the marks of `strokes.MARKS`; a negative gap makes digits touch."""
    rng = np.random.default_rng(sum(map(ord, text)))
    pen = Pen(width, 0.0)
    marks: list[tuple[NDArray[np.uint8], int]] = [
        draw_digit(int(c), height, pen, rng, 0) if c.isdigit() else draw(MARKS[c][0], height, pen, rng) for c in text
    ]
    margin, base = round(0.4 * height), round(1.4 * height)
    canvas = np.zeros((round(1.9 * height), sum(m.shape[1] + gap for m, _ in marks) + 2 * margin), np.uint8)
    x = margin
    for mark, row in marks:
        part = canvas[base - row : base - row + mark.shape[0], x : x + mark.shape[1]]
        np.maximum(part, mark, out=part)
        x += mark.shape[1] + gap
    share = canvas.astype(np.float64) / 255
    return np.asarray(np.rint(paper * (1 - share) + level * share), np.uint8)


def draw_digits_into(gray: Gray, text: str, x: int, y: int, height: float = 40, level: int = 30) -> None:
    """Draw a digit or mark around the point (x, y) of a picture, in place."""
    rng = np.random.default_rng(sum(map(ord, text)))
    pen = Pen(0.09, 0.0)
    ink, _ = draw_digit(int(text), height, pen, rng, 0) if text.isdigit() else draw(MARKS[text][0], height, pen, rng)
    top, left = y - ink.shape[0] // 2, x - ink.shape[1] // 2
    part = gray[top : top + ink.shape[0], left : left + ink.shape[1]]
    share = ink[: part.shape[0], : part.shape[1]] / 255
    part[:] = np.rint(part * (1 - share) + level * share)


def draw_comb(text: str) -> Gray:
    """Boxes with a digit, an x or nothing in each."""
    gray = np.full((84, 60 * len(text) + 5), 245, np.uint8)
    gray[[2, 3, 80, 81]] = 120
    for cell in range(len(text) + 1):
        gray[2:82, 60 * cell + 1 : 60 * cell + 3] = 120
    for cell, character in enumerate(text):
        if character != " ":
            draw_digits_into(gray, character, 60 * cell + 31, 42)
    return gray


class NullRecognizer:
    """Sees no digit anywhere."""

    name = "null"
    model_hash = ModelHash("0" * 64)

    def recognize(self, pictures: Pictures) -> Scores:
        scores = np.zeros((len(pictures), CLASSES), np.float32)
        scores[:, -1] = 1
        return scores


class NullLineRecognizer:
    """Sees nothing written anywhere."""

    name = "null"
    model_hash = ModelHash("0" * 64)

    def __init__(self, readers: int = LINE_READERS) -> None:
        self._readers = readers

    def recognize(self, lines: Sequence[Line]) -> list[Frames]:
        frames = []
        for line in lines:
            own = np.full((line.shape[1] // 2, self._readers, LINE_CLASSES), -20.0, np.float32)
            own[:, :, -1] = 0
            frames.append(own.reshape(len(own), -1))
        return frames


class NullCellRecognizer:
    """Sees only empty cells."""

    name = "null"
    model_hash = ModelHash("0" * 64)

    def recognize(self, pictures: Pictures) -> Scores:
        scores = np.zeros((len(pictures), CELL_CLASSES), np.float32)
        scores[:, EMPTY] = 1
        return scores


class FailingRecognizer:
    """Fails on purpose."""

    name = "failing"
    model_hash = ModelHash("f" * 64)

    def recognize(self, pictures: Pictures) -> Scores:
        raise MissingPart("this recognizer always fails")
