"""Train a model by a recipe, and report how the training went and how well the model reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from docproc.backends.quiet import import_tensorflow
from docproc.errors import BadUsage, OutputExists
from docproc.learn.composing import mnist
from docproc.learn.composing.material import Sources
from docproc.learn.composing.mnist import Mnist
from docproc.learn.environment import check_training
from docproc.learn.evaluation.digit_images import LabeledDigits
from docproc.learn.evaluation.plots import check_plots
from docproc.learn.evaluation.reports import model_report, training_report
from docproc.learn.progress import Log, Step
from docproc.learn.training.classic import train_classic
from docproc.learn.training.e13b import train_e13b
from docproc.learn.training.handwriting import refit_handwriting, train_handwriting
from docproc.learn.training.recipes import QUICK, ClassicRecipe, E13bRecipe, HandwritingRecipe, Recipe
from docproc.runs.tables import write_whole
from docproc.weights.opening import open_digit_model

RECIPES: Mapping[str, Recipe] = {"digits": HandwritingRecipe(), "classic": ClassicRecipe(), "micr": E13bRecipe()}

_COMMON = {name: (name,) for name in ("seed", "epochs", "patience")}
OPTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "digits": {
        **_COMMON,
        **{
            name: (name,)
            for name in (
                "strips",
                "line_epochs",
                "line_strips",
                "written_strips",
                "cell_combs",
                "cell_epochs",
            )
        },
        "fit_strips": ("context_strips", "vote_strips", "calibration_strips", "written_calibration_strips", "comb_strips"),
    },
    "classic": _COMMON,
    "micr": {**_COMMON, "strips": ("lines",), "fit_strips": ("calibration_lines",)},
}
"""For each network, the command line options and the fields of its recipe that they set."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Where the examples come from."""

    mnist: Path | None = None  # a source of `mnist.load`
    pens: Path | None = None  # a folder of `pens.load`
    fonts: Path | None = None  # a folder of fonts
    refit: Path | None = None  # a trained glyph network (.keras): its networks are kept, and everything else is fitted again


def train_model(recipe: Recipe, data: TrainingData, folder: Path, jobs: int, overwrite: bool, log: Log) -> dict[str, Any]:
    """Train by a recipe, and write the model, its card and NAME.html, a report of the training, to `folder`.

    E-13B needs no data. Returns the card. Raises a DocprocError, before the training begins if something is missing.
    """
    check_training()
    check_plots()
    model = folder / f"{recipe.network}.onnx"
    if model.exists() and not overwrite:
        raise OutputExists(f"{model} already exists; use --overwrite to replace it, or -o for another folder")
    if isinstance(recipe, E13bRecipe):
        log(Step("loading TensorFlow"))
        import_tensorflow()
        card = train_e13b(recipe, folder, jobs, log)
        log(Step("writing the report"))
        page = training_report("E-13B", card)
    else:
        log(Step("reading MNIST"))
        digits = mnist.load(data.mnist)
        log(Step("loading TensorFlow"))
        import_tensorflow()
        if isinstance(recipe, ClassicRecipe):
            card = train_classic(recipe, digits, folder, log)
        else:
            card = _train_handwriting(recipe, digits, data, folder, jobs, log)
        log(Step("writing the report"))
        page = _digit_report(model, card, digits)
    write_whole(folder / f"{recipe.network}.html", lambda file: file.write(page.encode("utf-8")))
    return card


def _train_handwriting(
    recipe: HandwritingRecipe, digits: Mnist, data: TrainingData, folder: Path, jobs: int, log: Log
) -> dict[str, Any]:
    sources = Sources.of(data.pens, data.fonts)
    if data.refit is not None:
        return refit_handwriting(recipe, digits, sources, data.refit, folder, jobs, log)
    return train_handwriting(recipe, digits, sources, folder, jobs, log)


def make_recipe(network: str, options: Mapping[str, Any], *, quick: bool = False) -> Recipe:
    """The recipe of a network (`digits`, `classic` or `micr`), changed by command line options.

    Only `digits` has a `quick` one. Raises BadUsage for an option that the network does not have.
    """
    if quick and network != "digits":
        raise BadUsage("--quick goes with --network digits; the others train within minutes as they are")
    return replace(QUICK if quick else RECIPES[network], **recipe_changes(network, options))


def recipe_changes(network: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a network's recipe that command line options change. Raises BadUsage as `make_recipe` does."""
    known = OPTIONS[network]
    foreign = [name for name in options if name not in known]
    if foreign:
        raise BadUsage(f"the network {network} has no {_flags(foreign)}; it takes {_flags(known)}")
    return {field: value for name, value in options.items() for field in known[name]}


def _flags(names: Iterable[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def _digit_report(model: Path, card: Mapping[str, Any], data: Mnist) -> str:
    reader = open_digit_model("onnx", model)
    return model_report(reader, card, LabeledDigits(data.test_images, data.test_labels, "MNIST's test digits"))[1]
