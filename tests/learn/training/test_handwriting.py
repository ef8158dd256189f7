"""The whole recipe, small: drawn digits in the place of MNIST's, a few strips, one epoch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from docproc.learn.composing.mnist import Mnist
from docproc.learn.training import handwriting
from docproc.learn.training.model_card import HANDWRITING_FILES
from docproc.learn.training.recipes import HandwritingRecipe
from docproc.weights.cards import model_folder, read_card
from docproc.weights.opening import open_model
from tests.conftest import PROJECT, needs_matplotlib
from tests.learn.composing.test_mnist import draw_mnist

needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)")


def train(data: Path, output: Path, *more: str) -> subprocess.CompletedProcess[str]:
    arguments = [
        "model",
        "train",
        "--data",
        str(data),
        "-o",
        str(output),
        "--strips",
        "300",
        "--epochs",
        "12",
        "--line-epochs",
        "2",
        "--line-strips",
        "300",
        "--written-strips",
        "200",
        "--cell-combs",
        "1000",
        "--cell-epochs",
        "20",
        "--fit-strips",
        "100",
        "--patience",
        "0",
    ]
    return subprocess.run(
        [sys.executable, "-m", "docproc", *arguments, "-j", "2", *more],
        capture_output=True, text=True, cwd=PROJECT, timeout=900, check=False, env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("train")
    draw_mnist(folder / "mnist", 6_000)
    return folder, train(folder / "mnist", folder / "models", "--seed", "3")


@needs_tensorflow
@pytest.mark.slow
def test_training_writes_a_model_that_reads(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = trained
    assert done.returncode == 0, done.stderr
    assert {
        "composing fields to train on", "composing fields for validation", "training the line network (2 of 2)",
        "composing handwriting to train on",
        "composing handwriting for the vote",
        "training the glyph network", "composing combs to train on", "composing combs for validation",
        "training the cell network", "composing fields for the context and the vote", "composing combs for the vote",
        "writing the cell network", "training the decoder", "writing the decoder", "reading composed fields",
        "preparing the context", "fitting the context", "fitting the vote", "composing fields for the calibration",
        "composing combs for the calibration", "fitting the calibration (comb)", "fitting the thresholds of repairs",
        "writing the report",
    } <= set(done.stderr.splitlines())  # fmt: skip
    scores = json.loads(done.stdout)
    assert 0.5 < scores["mnist_test_accuracy"] <= 1
    assert 0.98 <= scores["digits_onnx_agrees_with_keras"] <= 1
    assert 0.98 <= scores["lines_onnx_agrees_with_keras"] <= 1
    assert 0.98 <= scores["cells_onnx_agrees_with_keras"] <= 1
    model = open_model("onnx", folder / "models" / "digits.onnx")
    assert model.networks["lattice"].recognize(np.zeros((3, 28, 28), np.uint8)).shape == (3, 11)
    assert sorted(p.name for p in (folder / "models").iterdir()) == sorted([*HANDWRITING_FILES, "digits.html", "digits.json"])


@needs_tensorflow
@pytest.mark.slow
def test_the_card_tells_how_it_was_made(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = trained
    card = read_card(folder / "models" / "digits.onnx")
    assert card["recipe"]["seed"] == 3
    assert card["recipe"]["strips"] == 300
    assert set(card["data"]["mnist"]) == {"train_images", "train_labels", "test_images", "test_labels"}
    assert set(card["sha256"]) == set(HANDWRITING_FILES)
    assert [len(card["history"][name]) for name in ("digits", "lines", "cells")] == [12, 2, 20]
    page = (folder / "models" / "digits.html").read_text()
    assert all(f"{name}: loss" in page for name in ("digits", "lines", "cells"))
    assert all(card["calibration"][kind]["thresholds"] for kind in ("string", "amount", "comb"))


@needs_tensorflow
@pytest.mark.slow
def test_a_model_that_is_there_is_not_replaced_by_mistake(trained: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = trained
    done = train(folder / "mnist", folder / "models")
    assert done.returncode == 6
    assert "--overwrite" in done.stderr


def test_the_shipped_card_describes_the_shipped_files() -> None:
    import hashlib

    card = read_card(model_folder() / "digits.onnx")
    for name, expected in card["sha256"].items():
        assert hashlib.sha256((model_folder() / name).read_bytes()).hexdigest() == expected
    assert card["scores"]["mnist_test_accuracy"] >= 0.994


@needs_matplotlib
@pytest.mark.thorough
def test_the_shipped_model_reads_mnist_as_its_card_says(shared: Path, tmp_path: Path) -> None:
    from docproc.commands.evaluate import evaluate_model

    report, figures = tmp_path / "report.html", tmp_path / "figures.json"
    evaluate_model(None, str(shared / "mnist"), "onnx", report, figures, overwrite=False)
    found = json.loads(figures.read_text())
    card = read_card(model_folder() / "digits.onnx")
    assert found["accuracy"] == pytest.approx(card["scores"]["mnist_test_accuracy"], abs=2e-4)
    assert found["accuracy"] >= 0.994


def test_digits_that_nobody_can_read_are_left_out_of_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    images = np.broadcast_to(np.arange(100, dtype=np.uint8)[:, None, None], (100, 28, 28))
    data = Mnist(images, np.zeros(100, np.uint8), images[:1], np.zeros(1, np.uint8), {"train_images": "these"})
    recipe = HandwritingRecipe(held_out=20)
    before = [part[:, 0, 0].tolist() for part, _ in handwriting._split(recipe, data)]
    left_out = {before[0][3], before[1][0], before[1][7]}
    monkeypatch.setattr(handwriting, "ILLEGIBLE", {"these": frozenset(left_out), "others": frozenset(range(50))})
    after = [part[:, 0, 0].tolist() for part, _ in handwriting._split(recipe, data)]
    assert after == [[one for one in part if one not in left_out] for part in before]
    assert (len(before[0]), len(before[1])) == (80, 20)
