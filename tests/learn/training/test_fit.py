"""A training that was interrupted goes on where it stood."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.learn.training.fit import CELL_PROGRESS, Trained, fit_cell_network
from docproc.learn.training.handwriting import Recipe
from docproc.learn.training.progress import Step, Tell
from docproc.types import CELL_CLASSES, CELL_SIDE

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)"),
]

RECIPE = Recipe(batch=32, cell_epochs=3, precision="float32")


class Interrupted(Exception):
    pass


def material(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CELL_CLASSES, 96).astype(np.int8)
    pictures = rng.integers(0, 60, (96, CELL_SIDE, CELL_SIDE, 2)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[2 * label : 2 * label + 4] = 255
    return pictures, labels


def weights(recipe: Recipe, folder: Path, stop: int = 0, told: list[str] | None = None) -> list[NDArray[np.float32]]:
    def tell(said: str | Step) -> None:
        if isinstance(said, Step):
            if said.epoch == stop:
                raise Interrupted
        elif told is not None:
            told.append(said)

    return list(trained(recipe, folder, tell).model.get_weights())


def trained(recipe: Recipe, folder: Path, tell: Tell = lambda _: None) -> Trained:
    folder.mkdir(exist_ok=True)
    return fit_cell_network(recipe, material(1), material(2), folder, tell)


def test_what_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = weights(RECIPE, tmp_path / "whole")
    with pytest.raises(Interrupted):
        weights(RECIPE, tmp_path / "parts", stop=2)
    told: list[str] = []
    parts = weights(RECIPE, tmp_path / "parts", told=told)
    assert "going on after epoch 1/3" in told[0]
    for one, other in zip(whole, parts, strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_another_recipe_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        weights(RECIPE, tmp_path / "a", stop=2)
    told: list[str] = []
    weights(replace(RECIPE, learning_rate=1e-3), tmp_path / "a", told=told)
    assert "epoch 1/3" in told[0]
    assert (tmp_path / "a" / CELL_PROGRESS).is_file()


def test_every_epoch_is_remembered(tmp_path: Path) -> None:
    history = trained(RECIPE, tmp_path).history
    assert len(history) == RECIPE.cell_epochs
    assert history[-1].loss < history[0].loss
    assert all(epoch.accuracy is not None and 0 <= epoch.accuracy <= 1 for epoch in history)
    assert all(epoch.validation_loss > 0 and epoch.validation_accuracy is not None for epoch in history)


def test_training_ends_when_validation_gets_no_better(tmp_path: Path) -> None:
    recipe = replace(RECIPE, cell_epochs=40, learning_rate=0.03, patience=2)
    found = trained(recipe, tmp_path)
    losses = [epoch.validation_loss for epoch in found.history]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 40
    # The weights are those of the best epoch.
    pictures, labels = material(2)
    scores = np.asarray(found.model.predict(pictures, verbose=0))
    loss = -np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-7)).mean()
    assert loss == pytest.approx(losses[best], rel=1e-3)
