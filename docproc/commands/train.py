"""Train a model, and show how the training went and how well the model reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from docproc.errors import BadUsage, OutputExists
from docproc.learn.composing import mnist
from docproc.learn.composing.mnist import Mnist
from docproc.learn.evaluation.html import report
from docproc.learn.evaluation.labeled_digits import Labeled
from docproc.learn.evaluation.plots import check_plots
from docproc.learn.evaluation.reports import history_sections, model_report
from docproc.learn.training import classic
from docproc.learn.training import e13b as micr
from docproc.learn.training import handwriting as train
from docproc.learn.training.fit import check_training, import_tensorflow
from docproc.learn.training.progress import Epoch, Tell
from docproc.runs.tables import write_whole
from docproc.weights.opening import open_digit_reader

Recipe = train.Recipe | classic.Recipe | micr.Recipe

COMMON = {name: (name,) for name in ("seed", "epochs", "patience")}
RECIPES: Mapping[str, tuple[type[Recipe], Mapping[str, tuple[str, ...]]]] = {
    "digits": (
        train.Recipe,
        {
            **COMMON,
            **{name: (name,) for name in ("strips", "line_epochs", "cell_combs", "cell_epochs")},
            "fit_strips": ("context_strips", "calibration_strips", "comb_strips"),
        },
    ),
    "classic": (classic.Recipe, COMMON),
    "micr": (micr.Recipe, {**COMMON, "strips": ("lines",), "fit_strips": ("calibration_lines",)}),
}
"""The recipes by the names of their networks, and what of each an option changes."""


def train_model(chosen: Recipe, data: Path | None, folder: Path, jobs: int, overwrite: bool, tell: Tell) -> dict[str, Any]:
    """Train by a recipe, and write the model, its card and NAME.html, a report of the training, to `folder`.

    `data` is what `mnist.load` takes; that of E-13B needs none. Returns the card. Raises an error of the DocprocError tree,
    before anything is begun where something is missing.
    """
    check_training()
    check_plots()
    written = folder / f"{chosen.network}.onnx"
    if written.exists() and not overwrite:
        raise OutputExists(f"{written} is there already; give --overwrite or another folder with -o")
    digits = None if isinstance(chosen, micr.Recipe) else mnist.load(data)
    import_tensorflow()
    if isinstance(chosen, micr.Recipe):
        card = micr.train(chosen, folder, jobs, tell)
        page = report("How E-13B was trained", {"recipe": str(card["recipe"])}, history_sections(_histories(card)))
    else:
        assert digits is not None
        if isinstance(chosen, classic.Recipe):
            card = classic.train(chosen, digits, folder, tell)
        else:
            card = train.train(chosen, digits, folder, jobs, tell)
        page = _digit_report(written, card, digits)
    write_whole(folder / f"{chosen.network}.html", lambda file: file.write(page.encode("utf-8")))
    return card


def recipe(network: str, changes: Mapping[str, Any]) -> Recipe:
    """The recipe of a network (`digits`, `classic` or `micr`) with what a user wants otherwise, by the names of the options.

    Raises BadUsage for an option that the network does not have.
    """
    return RECIPES[network][0](**changed(network, changes))


def changed(network: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What of a recipe a user wants otherwise, by the names of its fields. Raises BadUsage as `recipe` does."""
    _, options = RECIPES[network]
    foreign = [f"--{name.replace('_', '-')}" for name in changes if name not in options]
    if foreign:
        raise BadUsage(f"the network {network} has no {', '.join(foreign)}; it takes {_named(options)}")
    return {field: value for name, value in changes.items() for field in options[name]}


def _named(options: Mapping[str, Any]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in options)


def _digit_report(model: Path, card: dict[str, Any], data: Mnist) -> str:
    reader = open_digit_reader("onnx", model)
    return model_report(reader, card, Labeled(data.test_images, data.test_labels, "MNIST's test digits"))[1]


def _histories(card: dict[str, Any]) -> dict[str, list[Epoch]]:
    return {name: [Epoch(**epoch) for epoch in epochs] for name, epochs in card["history"].items()}
