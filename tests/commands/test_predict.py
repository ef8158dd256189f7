"""Pictures of one digit: of any size, dark on light or light on dark."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from docproc.commands.predict import predict
from docproc.errors import BadInput, BadUsage
from docproc.learn.composing import mnist
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.learn.evaluation.digit_images import load_digit
from docproc.readers.lattice.normalize import normalize
from docproc.types import Glyphs, Gray, Ink
from docproc.weights.opening import open_digit_model
from tests.conftest import PROJECT


@cache
def drawn(digit: int, height: int) -> Ink:
    return draw_digit(digit, height, Pen(0.1, 0.0), np.random.default_rng(digit), 0)[0]


def picture(digit: int, height: int = 60, paper: int = 255, ink: int = 20, margin: float = 0.4) -> Gray:
    share = np.pad(drawn(digit, height), round(margin * height)) / 255
    return np.asarray(np.rint(paper * (1 - share) + ink * share), np.uint8)


def saved(gray: Gray, folder: Path, name: str = "digit.png") -> Path:
    Image.fromarray(gray).save(folder / name)
    return folder / name


@pytest.mark.parametrize("height", [16, 28, 90, pytest.param(900, marks=pytest.mark.thorough)])
@pytest.mark.parametrize(("paper", "ink"), [(255, 20), (170, 60), (10, 245), (60, 190)])
def test_any_size_either_polarity(height: int, paper: int, ink: int, tmp_path: Path) -> None:
    paths = [saved(picture(digit, height, paper, ink), tmp_path, f"{digit}.png") for digit in range(10)]
    found = predict(paths, open_digit_model("onnx"))
    assert [one.digit for one in found] == list(range(10))
    for one in found:
        assert sum(one.probabilities) == pytest.approx(1, abs=1e-6)
        assert one.probabilities[one.digit] == max(one.probabilities)
        assert 0 <= one.a_digit <= 1


def test_a_tight_crop_and_an_uneven_light(tmp_path: Path) -> None:
    gray = picture(3, 120, margin=0.03)
    light = np.linspace(0.55, 1.0, gray.shape[1])[None, :]
    found = predict([saved(np.asarray(gray * light, np.uint8), tmp_path)], open_digit_model("onnx"))
    assert found[0].digit == 3


def test_what_is_like_mnist_already_is_shown_as_it_is(tmp_path: Path) -> None:
    glyph: Glyphs = normalize(draw_digit(5, 60, Pen(0.1, 0.0), np.random.default_rng(5), 0)[0])
    for k, gray in enumerate((glyph, 255 - glyph)):
        assert np.array_equal(load_digit(saved(gray, tmp_path, f"{k}.png")), glyph)


def test_specks_and_a_line_below_are_left_out(tmp_path: Path) -> None:
    clean, spoiled = picture(7, 90), picture(7, 90)
    spoiled[5:9, 5:9] = 20
    cv2.line(spoiled, (0, spoiled.shape[0] - 6), (spoiled.shape[1], spoiled.shape[0] - 6), 120, 2)
    shown = [load_digit(saved(gray, tmp_path, f"{k}.png")) for k, gray in enumerate((clean, spoiled))]
    assert np.abs(shown[0].astype(int) - shown[1]).mean() < 6


@pytest.mark.parametrize("gray", [np.full((40, 30), 255, np.uint8), np.zeros((28, 28), np.uint8), np.full((1, 1), 9, np.uint8)])
def test_nothing_is_written(gray: Gray, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing is written"):
        load_digit(saved(gray, tmp_path))


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(BadInput, match=r"text\.png"):
        load_digit(tmp_path / "text.png")
    with pytest.raises(BadUsage, match="is a folder; give pictures of one digit each"):
        load_digit(tmp_path)
    with pytest.raises(BadInput, match="no such file"):
        load_digit(tmp_path / "none.png")


def docproc(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "docproc", *map(str, arguments)],
        capture_output=True, text=True, cwd=PROJECT, timeout=300, check=False,
    )  # fmt: skip


def test_the_command(tmp_path: Path) -> None:
    path, target = saved(picture(4), tmp_path, "four.png"), tmp_path / "seen.png"
    done = docproc("model", "predict", path, "--picture", target)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{path}: 4"
    assert [line.split()[0] for line in lines[1:]] == list("0123456789")
    assert "#" in lines[5]
    with Image.open(target) as drawn:
        assert drawn.width > 600
    assert docproc("model", "predict", path, "--picture", target).returncode == 6
    (told,) = json.loads(docproc("model", "predict", path, "--json").stdout)
    assert (told["digit"], len(told["probabilities"])) == (4, 10)
    assert docproc("model", "predict", tmp_path / "none.png").returncode == 5


def test_real_digits_in_other_sizes(shared: Path, tmp_path: Path) -> None:
    """MNIST's test digits, enlarged, as ink on paper: nearly as good as the originals."""
    data = mnist.load(shared / "mnist")
    shown, reader = data.test_images[:500], open_digit_model("onnx")
    glyphs = []
    for k, glyph in enumerate(shown):
        large = cv2.resize(glyph, None, fx=4.3, fy=4.3, interpolation=cv2.INTER_CUBIC)
        glyphs.append(load_digit(saved(np.asarray(230 - large * (200 / 255), np.uint8), tmp_path, f"{k}.png")))
    right = reader.recognizer.recognize(np.stack(glyphs))[:, :10].argmax(axis=1) == data.test_labels[:500]
    assert right.mean() >= 0.98
