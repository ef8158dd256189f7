"""A training that was interrupted goes on where it stood."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from docproc.learn.fit import CELL_PROGRESS, fit_cell_network
from docproc.learn.train import Recipe
from docproc.types import CELL_CLASSES, CELL_SIDE

pytestmark = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)")

RECIPE = Recipe(batch=32, cell_epochs=3, precision="float32")


class Interrupted(Exception):
    pass


def material() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, CELL_CLASSES, 96).astype(np.int8)
    pictures = rng.integers(0, 60, (96, CELL_SIDE, CELL_SIDE, 2)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[2 * label : 2 * label + 4] = 255
    return pictures, labels


def weights(recipe: Recipe, folder: Path, stop: str = "", told: list[str] | None = None) -> list[np.ndarray]:
    def tell(text: str) -> None:
        if told is not None:
            told.append(text)
        if stop and stop in text:
            raise Interrupted

    folder.mkdir(exist_ok=True)
    return list(fit_cell_network(recipe, *material(), folder, tell).get_weights())


def test_what_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = weights(RECIPE, tmp_path / "whole")
    with pytest.raises(Interrupted):
        weights(RECIPE, tmp_path / "parts", stop="epoch 2/3")
    told: list[str] = []
    parts = weights(RECIPE, tmp_path / "parts", told=told)
    assert "going on after epoch 1/3" in told[0]
    for one, other in zip(whole, parts, strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_another_recipe_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        weights(RECIPE, tmp_path / "a", stop="epoch 2/3")
    told: list[str] = []
    weights(replace(RECIPE, learning_rate=1e-3), tmp_path / "a", told=told)
    assert "epoch 1/3" in told[0]
    assert (tmp_path / "a" / CELL_PROGRESS).is_file()
