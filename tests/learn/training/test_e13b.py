"""The recipe of the network of E-13B, small, and the shipped card."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from docproc.errors import MissingPart
from docproc.learn.training.model_card import E13B_FILES
from docproc.weights.cards import model_folder, read_card
from docproc.weights.opening import open_model
from tests.conftest import PROJECT

needs_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)")


@needs_tensorflow
@pytest.mark.thorough
def test_training_writes_the_network_and_its_card(tmp_path: Path) -> None:
    arguments = ["--network", "micr", "--strips", "250", "--epochs", "4", "--fit-strips", "100", "--seed", "3", "-j", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "docproc", "model", "train", "-o", str(tmp_path), *arguments],
        capture_output=True, text=True, cwd=PROJECT, timeout=600, check=False, env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    steps = [line for line in done.stderr.splitlines() if re.fullmatch(r"[a-z]+ing [a-zA-Z ]+", line)]  # each when it begins
    assert steps == [
        "loading TensorFlow", "composing lines to train on", "composing lines for validation", "training the network",
        "composing lines for the calibration", "writing the network", "reading composed lines", "fitting the calibration",
        "writing the report",
    ]  # fmt: skip
    assert 0.9 < json.loads(done.stdout)["micr_onnx_agrees_with_keras"] <= 1
    card = read_card(tmp_path / "micr.onnx")
    assert (card["recipe"]["seed"], card["recipe"]["lines"]) == (3, 250)
    assert card["calibration"]["thresholds"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*E13B_FILES, "micr.html", "micr.json"])


def test_the_shipped_card_describes_the_shipped_files() -> None:
    card = read_card(model_folder() / "micr.onnx")
    assert set(card["sha256"]) == set(E13B_FILES)
    for name, expected in card["sha256"].items():
        assert hashlib.sha256((model_folder() / name).read_bytes()).hexdigest() == expected
    assert card["scores"]["synthetic_lines_exact"] > 0.8
    assert (model_folder() / "micr.onnx").stat().st_size < 1_000_000


def test_a_network_that_is_not_the_cards_is_refused(tmp_path: Path) -> None:
    for path in model_folder().iterdir():
        shutil.copy(path, tmp_path)
    with open(tmp_path / "micr.onnx", "ab") as file:
        file.write(b" ")
    with pytest.raises(MissingPart, match=r"micr\.onnx is not the model"):
        open_model("onnx", tmp_path / "digits.onnx")


def test_the_shipped_network_is_taken_where_none_lies_beside_a_model(tmp_path: Path) -> None:
    for path in model_folder().iterdir():
        if not path.name.startswith("micr"):
            shutil.copy(path, tmp_path)
    assert (
        open_model("onnx", tmp_path / "digits.onnx").micr.model_hash
        == read_card(model_folder() / "micr.onnx")["sha256"]["micr.onnx"]
    )
