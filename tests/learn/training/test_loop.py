"""The training loop: one that was interrupted resumes, and one that gets no better stops."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.errors import DocprocError
from docproc.learn.progress import Log, Step
from docproc.learn.training import fit, loop
from docproc.learn.training.fit import CELL_PROGRESS, fit_cell_network
from docproc.learn.training.loop import TrainedNetwork
from docproc.learn.training.recipes import HandwritingRecipe
from docproc.types import CELL_CLASSES, CELL_SIDE

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)"),
]

COMPILED_STEPS = loop._compiled_steps
RECIPE = HandwritingRecipe(batch=32, cell_epochs=3, precision="float32")


class Interrupted(Exception):
    pass


def small_network() -> Any:
    """It learns cells as the shipped one does, with dropout and batch normalization, but compiles in a second."""
    import keras
    from keras import layers

    cell = keras.Input((CELL_SIDE, CELL_SIDE, 2), dtype="uint8")
    x = layers.Flatten()(layers.AveragePooling2D(2)(layers.Rescaling(1 / 255)(cell)))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Dense(32, use_bias=False)(x)))
    scores = layers.Dense(CELL_CLASSES, activation="softmax", dtype="float32")(layers.Dropout(0.1)(x))
    return keras.Model(cell, scores, name="cells")


@pytest.fixture(autouse=True)
def _a_small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "cell_network", small_network)


def labeled_pictures(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int8]]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CELL_CLASSES, 96).astype(np.int8)
    pictures = rng.integers(0, 60, (96, CELL_SIDE, CELL_SIDE, 2)).astype(np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        picture[2 * label : 2 * label + 4] = 255
    return pictures, labels


def weights(
    recipe: HandwritingRecipe, folder: Path, stop: int = 0, logged: list[str] | None = None
) -> list[NDArray[np.float32]]:
    def log(entry: str | Step) -> None:
        if isinstance(entry, Step):
            if entry.note.startswith(f"epoch {stop}/"):
                raise Interrupted
        elif logged is not None:
            logged.append(entry)

    return list(trained(recipe, folder, log).model.get_weights())


def trained(recipe: HandwritingRecipe, folder: Path, log: Log = lambda _: None) -> TrainedNetwork:
    folder.mkdir(exist_ok=True)
    return fit_cell_network(recipe, labeled_pictures(1), labeled_pictures(2), folder, log)


def test_what_was_interrupted_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = weights(RECIPE, tmp_path / "whole")
    with pytest.raises(Interrupted):
        weights(RECIPE, tmp_path / "parts", stop=2)
    logged: list[str] = []
    parts = weights(RECIPE, tmp_path / "parts", logged=logged)
    assert "going on after epoch 1/3" in logged[0]
    for one, other in zip(whole, parts, strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_an_epoch_with_nan_is_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = weights(RECIPE, tmp_path / "whole")
    monkeypatch.setattr(loop, "_compiled_steps", broken_at({2}))
    logged: list[str] = []
    for one, other in zip(whole, weights(RECIPE, tmp_path / "broken", logged=logged), strict=True):
        assert np.allclose(one, other, atol=1e-4)
    assert "epoch 1/3: the loss is NaN; repeating the epoch" in logged[0]
    monkeypatch.setattr(loop, "_compiled_steps", broken_at(set(range(1000))))
    with pytest.raises(DocprocError, match="training the cell network: the loss was NaN 4 times in epoch 1"):
        weights(RECIPE, tmp_path / "always")


def broken_at(steps: set[int]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Training steps of which some, counted from the first, leave weights that are no numbers."""
    compiled, count = COMPILED_STEPS, itertools.count()

    def of(model: Any, training: Any) -> tuple[Any, Any]:
        train_step, test_step = compiled(model, training)

        def step(*batch: Any) -> dict[str, Any]:
            metrics: dict[str, Any] = train_step(*batch)
            if next(count) in steps:
                model.variables[0].assign(np.full(model.variables[0].shape, np.nan))
                return metrics | {"loss": float("nan")}
            return metrics

        return step, test_step

    return of


def test_another_recipe_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        weights(RECIPE, tmp_path / "a", stop=2)
    logged: list[str] = []
    weights(replace(RECIPE, learning_rate=1e-3), tmp_path / "a", logged=logged)
    assert "epoch 1/3" in logged[0]
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
    pictures, labels = labeled_pictures(2)
    scores = np.asarray(found.model.predict(pictures, verbose=0))
    loss = -np.log(np.maximum(scores[np.arange(len(labels)), labels], 1e-7)).mean()
    assert loss == pytest.approx(losses[best], rel=1e-3)


@pytest.mark.parametrize(
    ("flags", "there"), [("fma avx2 sha_ni", False), ("avx512_bf16", True), ("amx_bf16 amx_tile", True), ("asimd bf16", True)]
)
def test_bfloat16_is_used_where_the_processor_has_instructions_for_it(tmp_path: Path, flags: str, there: bool) -> None:
    cpu = tmp_path / "cpuinfo"
    cpu.write_text(f"processor : 0\nflags : {flags}\n", encoding="utf-8")
    assert loop._computes_bfloat16(cpu) == there
    assert loop._computes_bfloat16(tmp_path / "none")  # not Linux
