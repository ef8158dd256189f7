"""The textbooks' network, small: drawn digits in the place of MNIST's, two epochs, and all that can be done with it then."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from docproc.commands.train import make_recipe
from docproc.errors import BadUsage, MissingPart
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.learn.training.model_card import CLASSIC_FILES
from docproc.learn.training.recipes import HandwritingRecipe
from docproc.readers.lattice.normalize import normalize
from docproc.weights.cards import read_card
from docproc.weights.opening import open_digit_model, open_model
from tests.conftest import PROJECT
from tests.learn.composing.test_mnist import draw_mnist

needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)")


def docproc(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "docproc", *map(str, arguments)],
        capture_output=True, text=True, cwd=PROJECT, timeout=600, check=False, env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("classic")
    draw_mnist(folder / "mnist", 6_000)
    arguments = ("--network", "classic", "--data", folder / "mnist", "-o", folder / "models", "--epochs", "8", "--seed", "3")
    return folder, docproc("model", "train", *arguments)


@needs_tensorflow
@pytest.mark.thorough
def test_it_is_trained_and_told_of(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = trained
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["mnist_test_accuracy"] > 0.8
    assert "the network, epoch 8/8: loss" in done.stderr
    steps = [line for line in done.stderr.splitlines() if re.fullmatch(r"[a-z]+ing [a-zA-Z' ]+", line)]  # each when it begins
    assert steps == [
        "reading MNIST", "loading TensorFlow", "training the network", "writing the network", "training the decoder",
        "writing the decoder", "reading MNIST's test digits", "writing the report",
    ]  # fmt: skip
    assert sorted(path.name for path in (folder / "models").iterdir()) == sorted(
        [*CLASSIC_FILES, "classic.json", "classic.html"]
    )
    card = read_card(folder / "models" / "classic.onnx")
    assert (card["name"], card["recipe"]["seed"]) == ("classic", 3)
    assert set(card["sha256"]) == set(CLASSIC_FILES)
    losses = [epoch["loss"] for epoch in card["history"]["classic"]]
    assert losses[-1] < losses[0]
    page = (folder / "models" / "classic.html").read_text()
    assert all(name in page for name in ("classic: loss", "classic: accuracy", "Confusion", "What the network saw"))


@needs_tensorflow
@pytest.mark.thorough
def test_the_network_is_that_of_the_textbooks(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    import keras

    model = keras.saving.load_model(trained[0] / "models" / "classic.keras", compile=False)
    layers = [layer for layer in model.layers if layer.weights]
    assert [layer.get_weights()[0].shape for layer in layers] == [(3, 3, 1, 32), (3, 3, 32, 64), (1600, 128), (128, 10)]


@needs_tensorflow
@pytest.mark.thorough
def test_it_reads_digits_and_no_pages(trained: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    model = trained[0] / "models" / "classic.onnx"
    reader = open_digit_model("onnx", model)
    glyphs = np.stack([normalize(draw_digit(d, 60, Pen(0.1, 0.0), np.random.default_rng(d), 0)[0]) for d in range(10)])
    scores = reader.recognizer.recognize(glyphs)
    assert scores.shape == (10, 11)
    assert not scores[:, 10].any()
    assert (scores.argmax(axis=1) == np.arange(10)).mean() >= 0.8
    theirs = open_digit_model("tensorflow", model).recognizer.recognize(glyphs)
    assert np.abs(scores - theirs).max() < 0.1
    with pytest.raises(MissingPart, match="reads single digits"):
        open_model("onnx", model)


@needs_tensorflow
@pytest.mark.thorough
def test_the_decoder_draws_what_was_seen(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    decoder = open_digit_model("onnx", trained[0] / "models" / "classic.onnx").decoder
    assert decoder is not None
    glyphs = np.stack([normalize(draw_digit(d, 60, Pen(0.1, 0.0), np.random.default_rng(d), 0)[0]) for d in range(10)])
    drawn = decoder.reconstruct(glyphs).astype(np.float64)
    assert drawn.shape == glyphs.shape
    # Each drawing is more like its own digit than like any other.
    apart = np.abs(drawn[:, None] - glyphs[None]).mean(axis=(2, 3))
    assert (apart.argmin(axis=1) == np.arange(10)).mean() >= 0.9
    assert decoder.reconstruct(glyphs[:0]).shape == (0, 28, 28)


@needs_tensorflow
@pytest.mark.thorough
def test_a_folder_of_pictures_is_evaluated(trained: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    for digit in (1, 4):
        (tmp_path / "own" / str(digit)).mkdir(parents=True)
        for k in range(3):
            ink = draw_digit(digit, 70, Pen(0.1, 0.0), np.random.default_rng(k), 0)[0]
            Image.fromarray(255 - np.pad(ink, 12)).save(tmp_path / "own" / str(digit) / f"{k}.png")
    model = trained[0] / "models" / "classic.onnx"
    done = docproc("model", "evaluate", model, "--on", tmp_path / "own",
                   "--report", tmp_path / "r.html", "--json", tmp_path / "f.json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "f.json").read_text())
    assert (found["digits"], found["by_digit"]["4"]["count"]) == (6, 3)
    assert "classic: loss" in (tmp_path / "r.html").read_text()


@needs_tensorflow
@pytest.mark.thorough
def test_it_is_exported_and_timed(trained: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    folder, out = trained[0], tmp_path / "out"
    model = folder / "models" / "classic.onnx"
    done = docproc("model", "export", "--model", model, "-o", out, "--data", folder / "mnist", "--json")
    assert done.returncode == 0, done.stderr
    rows = {row["form"]: row for row in json.loads(done.stdout)}
    assert rows["ONNX float32"]["differs"] < 1e-4
    assert rows["ONNX float32"]["same"] >= 0.99  # nearly equal outputs may be put in either order
    if find_spec("tensorrt_rtx"):
        assert rows["TensorRT float16"]["bytes"] > 100_000
    assert sorted(path.name for path in out.iterdir()) == sorted([*CLASSIC_FILES, "classic.fp32.onnx", "classic.json"])
    assert open_digit_model("onnx", out / "classic.fp32.onnx").recognizer.recognize(np.zeros((1, 28, 28), np.uint8)).any()
    timing = ("--backend", "onnx", "--batch", 4, "--seconds", 0.01, "--json")
    done = docproc("model", "bench", "--model", out / "classic.onnx", *timing)
    assert done.returncode == 0, done.stderr
    (rate,) = json.loads(done.stdout)["rates"]
    assert rate["file"] == "classic.onnx"


def test_options_that_a_network_does_not_have_are_refused() -> None:
    assert make_recipe("micr", {"strips": 300, "seed": 1}).seed == 1
    with pytest.raises(BadUsage, match=r"classic has no --strips, --line-epochs; it takes --seed, --epochs, --patience"):
        make_recipe("classic", {"strips": 300, "line_epochs": 2, "seed": 1})


def test_the_quick_recipe_is_that_of_handwriting_in_small() -> None:
    whole, quick = make_recipe("digits", {}), make_recipe("digits", {"seed": 5}, quick=True)
    assert isinstance(whole, HandwritingRecipe)
    assert isinstance(quick, HandwritingRecipe)
    assert quick.strips * quick.line_epochs < whole.strips * whole.line_epochs / 20
    assert (quick.seed, quick.learning_rate) == (5, whole.learning_rate)
    with pytest.raises(BadUsage, match="--quick goes with --network digits"):
        make_recipe("micr", {}, quick=True)
