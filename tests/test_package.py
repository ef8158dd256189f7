"""What is handed to users: a wheel of at most 12 MB that reads, one for training and GPUs, and what is said without that."""

from __future__ import annotations

import shutil
import tomllib
import zlib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from docproc import backends
from docproc.errors import MissingPart
from docproc.learn.training.finetune import Base
from docproc.weights import cards, opening
from docproc.weights.cards import FOR_TRAINING, choose_for, model_folder, network_files, read_card
from docproc.weights.opening import model_bytes, open_digit_model
from tests.conftest import PROJECT

MAX_WHEEL_BYTES = 12_000_000


def wheel(folder: Path) -> dict[str, Any]:
    """What a project's file says of its wheel."""
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(found["tool"]["hatch"]["build"]["targets"]["wheel"])


def shipped(folder: Path, below: str = "") -> Iterator[Path]:
    """The files of models/ that the wheel of a folder holds."""
    rules = wheel(folder)
    for path in sorted((PROJECT / "models").iterdir()):
        included, excluded = (
            any(fnmatch(f"{below}{path.name}", one) for one in rules.get(kind, ())) for kind in ("include", "exclude")
        )
        if included and not excluded:
            yield path


def test_the_wheel_has_at_most_12_mb() -> None:
    files = [*(PROJECT / "docproc").rglob("*.py"), *shipped(PROJECT, "models/")]
    assert len(files) > 100
    assert sum(len(zlib.compress(path.read_bytes())) + 300 for path in files) < MAX_WHEEL_BYTES


def test_every_network_is_in_one_of_the_two_wheels() -> None:
    reading = [path.name for path in shipped(PROJECT, "models/")]
    training = [path.name for path in shipped(PROJECT / "models")]
    assert not set(reading) & set(training)
    assert {*reading, *training, "pyproject.toml"} == {path.name for path in (PROJECT / "models").iterdir()}
    assert all(name.endswith(FOR_TRAINING) for name in training)
    assert not [name for name in reading if name.endswith(FOR_TRAINING)]
    assert wheel(PROJECT)["sources"]["models"] == wheel(PROJECT / "models")["sources"][""] == "docproc/models"


@pytest.fixture
def as_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The models as the wheel has them."""
    for path in shipped(PROJECT, "models/"):
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(cards, "model_folder", lambda: tmp_path)
    monkeypatch.setattr(opening, "model_folder", lambda: tmp_path)
    return tmp_path


def test_what_is_missing_says_what_to_install(as_installed: Path) -> None:
    files = network_files("tensorflow")
    card = read_card(files["glyphs"])
    with pytest.raises(MissingPart, match=r"lines\.keras.* come as docproc-digits-training.* pip install \./models"):
        model_bytes(files["lines"], card)
    with pytest.raises(MissingPart, match="docproc-digits-training"):
        Base(files, card)  # of `model train --from`, before it reads a document
    with pytest.raises(MissingPart, match=r"own.digits\.onnx: there is no such file; docproc model train makes one"):
        model_bytes(Path("own/digits.onnx"), card)
    assert open_digit_model("onnx").decoder is None


def test_without_networks_for_gpus_auto_takes_the_processor(as_installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "available", lambda name: None)
    chosen = choose_for("auto")
    assert chosen.backend == "onnx"
    assert "digits.fp16.onnx" in chosen.passed_over
    assert "pip install ./models" in chosen.passed_over
    assert choose_for("tensorrt").backend == "tensorrt"  # who asks for it is told what is missing when it is opened
    shutil.copy(PROJECT / "models" / "digits.fp16.onnx", as_installed)
    assert choose_for("auto") == backends.Choice("tensorrt")


def test_a_clone_has_all_of_them() -> None:
    assert model_folder() == PROJECT / "models"
    files = network_files("tensorflow")
    Base(files, read_card(files["glyphs"]))
    assert open_digit_model("onnx").decoder is not None
