"""Write a model in other precisions, and compare every form with Keras on MNIST's test digits."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from docproc.backends import available, open_network
from docproc.backends.form import Form
from docproc.backends.recognizers import Network, log_probabilities
from docproc.errors import MissingPart, OutputExists
from docproc.learn.composing.mnist import Mnist
from docproc.learn.training.export import file_hash, to_float16, to_float32
from docproc.learn.training.model_card import write_card
from docproc.readers import MICR, NETWORKS, e13b, voters
from docproc.types import CELL_SIDE, LINE_HEIGHT
from docproc.weights.cards import card_path, cards_of, network_files, read_card, reads_pages
from docproc.weights.opening import glyph_form, model_bytes

FORMS: Mapping[str, Form] = {
    **{network: voters.FORMS[name] for name, network in NETWORKS.items()},
    MICR: e13b.FORM,
}
PRECISIONS: Mapping[str, str] = {"float32": ".fp32.onnx", "float16": ".fp16.onnx"}
DIGITS_PER_LINE = 5  # of MNIST, for networks that read lines


@dataclass(frozen=True, slots=True)
class Conversion:
    """A network in one form."""

    network: str  # glyphs, lines, cells or micr
    form: str  # Keras, ONNX float32, ...
    backend: str  # that ran it; "" if none could
    bytes: int
    same: float | None = None  # share of the digits, or of the frames of lines, with the same most probable class as in Keras
    differs: float | None = None  # largest difference of a probability from Keras
    remark: str = ""


def convert(
    model: Path | None, folder: Path, precisions: Sequence[str], data: Mnist, *, overwrite: bool = False
) -> list[Conversion]:
    """Write the networks of `model` (None: the shipped one) to `folder` as ONNX in other precisions, and compare all forms.

    The folder also gets the model's other files and cards with all hashes, so that it is a complete model. If TensorRT is
    installed, its engines are built as well. Raises OutputExists; MissingPart if Keras is missing, or if a file does not match
    its card.
    """
    sources = network_files("tensorflow", model)
    if not reads_pages(read_card(sources["glyphs"])):
        sources = {"glyphs": sources["glyphs"]}
    cards = cards_of(sources)
    forms = {**FORMS, "glyphs": glyph_form(cards["glyphs"])}
    networks = {name: model_bytes(path, cards[name]) for name, path in sources.items()}
    targets = {
        (name, precision): folder / path.name.replace(".keras", PRECISIONS[precision])
        for name, path in sources.items()
        for precision in precisions
    }
    for target in targets.values():
        if target.exists() and not overwrite:
            raise OutputExists(f"{target} already exists; use --overwrite to replace it, or -o for another folder")
    if (reason := available("tensorflow")) is not None:
        raise MissingPart(reason)
    from docproc.backends import tensorflow

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        for name, network in networks.items():
            form = forms[name]
            exact = Path(temporary) / "exact.onnx"
            to_float32(tensorflow.load(network, form), exact, (None, *form.takes))
            if (name, "float16") in targets:
                to_float16(exact, Path(temporary) / "half.onnx")
                (Path(temporary) / "half.onnx").replace(targets[name, "float16"])
            if (name, "float32") in targets:
                exact.replace(targets[name, "float32"])
    for name, source in sources.items():
        for file in cards[name]["sha256"]:
            if (source.parent / file).is_file() and not (folder / file).exists():
                shutil.copyfile(source.parent / file, folder / file)
    for (name, _), target in targets.items():
        cards[name]["sha256"][target.name] = file_hash(target)
    for name in {"glyphs", "micr"} & set(sources):
        write_card(folder / card_path(sources[name]).name, cards[name])
    return [row for name in networks for row in _compared(name, forms[name], folder / sources[name].name, cards[name], data)]


def _compared(name: str, form: Form, keras_file: Path, card: Mapping[str, object], data: Mnist) -> list[Conversion]:
    batches = _batches(name, form, data.test_images)
    truth = _probabilities(open_network("tensorflow", model_bytes(keras_file, card), form), form, batches)
    rows = [Conversion(name, "Keras", "tensorflow", keras_file.stat().st_size, 1.0, 0.0)]

    def row(label: str, backend: str, path: Path) -> Conversion:
        found = _probabilities(open_network(backend, model_bytes(path, card), form), form, batches)
        same = float((found.argmax(axis=-1) == truth.argmax(axis=-1)).mean())
        return Conversion(name, label, backend, path.stat().st_size, same, float(np.abs(found - truth).max()))

    for label, ending in (("ONNX float32", ".fp32.onnx"), ("ONNX float16", ".fp16.onnx"), ("ONNX eight bits", ".onnx")):
        path = keras_file.with_name(keras_file.name.replace(".keras", ending))
        if path.exists():
            rows.append(row(label, "onnx", path))
    path = keras_file.with_name(keras_file.name.replace(".keras", ".fp16.onnx"))
    if path.exists():
        reason = available("tensorrt")
        rows.append(row("TensorRT float16", "tensorrt", path) if reason is None else _built(name, form, path, reason))
    return rows


def _built(name: str, form: Form, path: Path, reason: str) -> Conversion:
    """Build the engine without running it: TensorRT for RTX can do that on a machine without a GPU."""
    if find_spec("tensorrt_rtx") is None:
        return Conversion(name, "TensorRT float16", "", 0, remark=reason)
    from docproc.backends.tensorrt import build, keeper

    library = import_module("tensorrt_rtx")
    plan = build(library, path.read_bytes(), form, keeper(library))
    return Conversion(name, "TensorRT float16", "", len(plan), remark=f"built and not run: {reason}")


def _batches(name: str, form: Form, images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """MNIST's digits (n, 28, 28) uint8 as input of a network: single, five on a line, or alone in a cell."""
    if form.of_lines:
        count = len(images) // DIGITS_PER_LINE
        rows = images[: count * DIGITS_PER_LINE].reshape(count, DIGITS_PER_LINE, *images.shape[1:]).transpose(0, 2, 1, 3)
        side = LINE_HEIGHT - images.shape[1]
        pictures = np.pad(rows.reshape(count, images.shape[1], -1), ((0, 0), (side // 2, side - side // 2), (10, 10)))
    elif name == "cells":
        side = (CELL_SIDE - images.shape[1]) // 2
        own = np.pad(images, ((0, 0), (side, side), (side, side)))
        pictures = np.stack([own, np.zeros_like(own)], axis=3)
    else:
        pictures = images
    most = 16 if form.of_lines else 128
    return [pictures[start : start + most] for start in range(0, len(pictures), most)]


def _probabilities(network: Network, form: Form, batches: Sequence[NDArray[np.uint8]]) -> NDArray[np.float64]:
    """The probabilities from each reader of a network, (n, ..., readers, classes) float64."""
    given = np.concatenate(list(network.run(batches))).astype(np.float64)
    if form.of_lines:
        given = np.exp(log_probabilities(given, form))
    return np.asarray(given.reshape(*given.shape[:-1], form.readers, -1))
