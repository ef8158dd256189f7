"""TensorFlow on the CPU, from the Keras file: slow, and the reference for all others."""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.backends.quiet import import_tensorflow
from docproc.errors import MissingPart

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # it prints to stderr on import
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # sums in one order on every processor, for a reproducible reference

import_tensorflow()

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

BATCH = 256
LINE_BATCH = 16
PARTS = {"metadata.json", "config.json", "model.weights.h5"}
MAX_BYTES = 200_000_000  # unpacked
HARMLESS = {
    "": {"__keras_tensor__", "__slice__", "__tuple__"},
    "keras": {"DTypePolicy"},
    "keras.initializers": {"GlorotUniform", "Zeros", "Ones"},
    "keras.layers": {
        "InputLayer", "Rescaling", "Reshape", "Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D", "Dropout",
        "SpatialDropout2D", "Flatten", "Dense", "Softmax", "Add", "Concatenate", "Permute", "Multiply",
        "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalMaxPooling1D",
    },
    "keras.src.models.functional": {"Functional"},
    "keras.src.ops.numpy": {"GetItem", "Multiply"},
}  # fmt: skip
"""The classes used by docproc's networks, by module. A file that names anything else is not opened: some layers run code."""


def open_network(model: bytes, form: Form) -> TensorflowNetwork:
    """Raises MissingPart if the bytes are not a Keras file that may be opened, or a network of another form."""
    network = load(model, form)
    signature = tf.TensorSpec((None, *form.takes), tf.uint8)
    graph = tf.function(lambda batch: network(batch, training=False), input_signature=[signature])
    return TensorflowNetwork(graph, LINE_BATCH if form.of_lines else BATCH)


def load(model: bytes, form: Form, *, alone: bool = True) -> keras.Model:
    """The network in Keras, on one core; with `alone` false on all cores, for training.

    Raises MissingPart as `open_network` does.
    """
    _refuse_foreign(model)
    with suppress(RuntimeError):  # TensorFlow is already initialized in this process
        if alone:
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
            tf.config.set_visible_devices([], "GPU")
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "network.keras"
            path.write_bytes(model)
            network = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as problem:  # whatever it raises on a damaged file
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise MissingPart(f"Keras cannot load the model: {first}") from problem
    if len(network.inputs) != 1 or len(network.outputs) != 1:
        raise MissingPart(f"the model is not a {form.kind} network: it should have one input and one output")
    form.check(network.inputs[0].shape, network.outputs[0].shape, network.inputs[0].dtype)
    return network


class TensorflowNetwork:
    """See `recognizers.Network`."""

    name = "tensorflow"

    def __init__(self, graph: Callable[[NDArray[np.uint8]], Any], batch: int) -> None:
        self._graph = graph
        self.batch = batch

    def run(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        for batch in batches:
            yield self._graph(batch).numpy()


def _refuse_foreign(model: bytes) -> None:
    """Inspect a Keras file without passing it to Keras, whose own safe mode has been bypassed more than once."""
    try:
        with zipfile.ZipFile(io.BytesIO(model)) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if set(sizes) != PARTS or len(sizes) != len(archive.infolist()) or sum(sizes.values()) > MAX_BYTES:
                raise MissingPart(f"the model is no Keras file: it holds {', '.join(sorted(sizes)[:5]) or 'nothing'}")
            config = json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, ValueError, RecursionError, NotImplementedError, RuntimeError, EOFError) as problem:
        raise MissingPart(f"the model is no Keras file: {problem}") from problem
    foreign = sorted(f"{module}.{name}" for module, name in _named(config) if name not in HARMLESS.get(module, ()))
    if foreign:
        raise MissingPart(f"the Keras file was not opened, because it names {', '.join(foreign[:5])}")


def _named(config: Any) -> set[tuple[str, str]]:
    """Module and name of everything that a configuration would make Keras instantiate."""
    found: set[tuple[str, str]] = set()
    waiting = [config]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
            if "class_name" in one:
                found.add((str(one.get("module") or ""), str(one["class_name"])))
    return found
