"""From Keras to ONNX: float32, float16, and quantized to eight bits. Every file is compared with Keras before it is kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from docproc.backends import open_line_recognizer, open_recognizer
from docproc.backends.form import Form
from docproc.backends.recognizers import log_probabilities
from docproc.errors import DocprocError
from docproc.readers import comb, e13b, lattice, line
from docproc.types import (
    CELL_SIDE,
    GLYPH_SIDE,
    CellPictures,
    Glyphs,
    Line,
    LineRecognizer,
    Recognizer,
)

if TYPE_CHECKING:
    import keras

Opened = TypeVar("Opened")
Feed = NDArray[np.uint8]

PROBE_FIELDS = 200  # for exporting after a training: they determine the ranges for eight bits, and are read in every precision
MAX_DIFFERENCE = 1e-4  # of a probability between Keras and ONNX Runtime in float32
MAX_DIFFERENCE_FLOAT16 = 5e-2  # the same for float16: a network that cannot decide between two classes reacts to any rounding
MIN_AGREEMENT_FLOAT16 = 0.998  # share of the probe with the same most probable class in float16
MIN_AGREEMENT_INT8 = 0.98  # the same for eight bits


def export_glyph_network(model: keras.Model, path: Path, probe: Glyphs, form: Form = lattice.FORM) -> tuple[Recognizer, float]:
    """Write the network quantized to eight bits to `path`, and in float16, for GPUs, to NAME.fp16.onnx next to it.

    The batch is dynamic, the input uint8. Returns the quantized network, and the share of `probe` on which it has the same most
    probable class as Keras. Raises DocprocError, and leaves no file, if the two disagree.
    """
    expected = np.asarray(model.predict(probe, verbose=0))

    def compare(recognizer: Recognizer) -> tuple[float, float]:
        return _differences(recognizer.recognize(probe)[:, : form.classes], expected)

    return _export(model, path, (None, GLYPH_SIDE, GLYPH_SIDE), partial(open_recognizer, form=form), compare, _batches(probe))


def export_cell_network(model: keras.Model, path: Path, probe: CellPictures) -> tuple[Recognizer, float]:
    """The same for the cell network."""
    expected = np.asarray(model.predict(probe, verbose=0))

    def compare(recognizer: Recognizer) -> tuple[float, float]:
        return _differences(recognizer.recognize(probe), expected)

    opener = partial(open_recognizer, form=comb.FORM)
    return _export(model, path, (None, CELL_SIDE, CELL_SIDE, 2), opener, compare, _batches(probe))


def export_line_network(model: keras.Model, path: Path, probe: Sequence[Line]) -> tuple[LineRecognizer, float]:
    """The same for the line network, with a dynamic width; the share is that of frames."""
    return _export_lines(model, path, probe, line.FORM)


def export_micr_network(model: keras.Model, path: Path, probe: Sequence[Line]) -> tuple[LineRecognizer, float]:
    """The same for the E-13B network."""
    return _export_lines(model, path, probe, e13b.FORM)


def _export_lines(model: keras.Model, path: Path, probe: Sequence[Line], form: Form) -> tuple[LineRecognizer, float]:
    import tensorflow as tf

    # One graph for all widths: eager execution would take five times as long.
    run = tf.function(partial(model, training=False), input_signature=[tf.TensorSpec((None, *form.takes), tf.uint8)])
    expected = [log_probabilities(run(line[None]).numpy()[0], form) for line in probe]

    def compare(recognizer: LineRecognizer) -> tuple[float, float]:
        pairs = list(zip(recognizer.recognize(probe), expected, strict=True))
        differs = max(float(np.abs(np.exp(found) - np.exp(logs)).max()) for found, logs in pairs)
        same = np.concatenate([_top_class(found, form) == _top_class(logs, form) for found, logs in pairs])
        return differs, float(same.mean())

    opener = partial(open_line_recognizer, form=form)
    return _export(model, path, (None, *form.takes), opener, compare, [line[None] for line in probe])


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _differences(found: NDArray[np.float32], expected: NDArray[Any]) -> tuple[float, float]:
    """The largest difference of a probability, and the share with the same most probable class."""
    return float(np.abs(found - expected).max()), float((found.argmax(axis=1) == expected.argmax(axis=1)).mean())


def _batches(probe: Feed) -> list[Feed]:
    return [probe[start : start + 128] for start in range(0, len(probe), 128)]


def _export(
    model: keras.Model,
    path: Path,
    shape: tuple[int | None, ...],
    opener: Callable[[str, bytes], Opened],
    compare: Callable[[Opened], tuple[float, float]],
    feeds: Sequence[Feed],
) -> tuple[Opened, float]:
    name = model.inputs[0].name
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        exact, small, half = Path(folder) / "float32.onnx", Path(folder) / path.name, Path(folder) / "float16.onnx"
        to_float32(model, exact, shape)
        to_float16(exact, half)
        differs, _ = compare(opener("onnx", exact.read_bytes()))
        differs_16, agreement_16 = compare(opener("onnx", half.read_bytes()))
        for difference, bound in ((differs, MAX_DIFFERENCE), (differs_16, MAX_DIFFERENCE_FLOAT16)):
            if not difference <= bound:
                raise DocprocError(f"ONNX Runtime and Keras differ by {difference:.2g}; {path.name} was not written")
        _quantize(exact, small, name, feeds)
        opened = opener("onnx", small.read_bytes())
        _, agreement = compare(opened)
        for bits, same, least in (("sixteen", agreement_16, MIN_AGREEMENT_FLOAT16), ("eight", agreement, MIN_AGREEMENT_INT8)):
            if not same >= least:
                raise DocprocError(f"with {bits} bits only {same:.1%} stay the same; {path.name} was not written")
        os.replace(half, path.with_suffix(".fp16.onnx"))
        os.replace(small, path)
    return opened, agreement


def to_float32(model: keras.Model, path: Path, shape: tuple[int | None, ...]) -> None:
    """Write the network in float32; `shape` is that of its input, batch first."""
    import tensorflow as tf

    # tf2onnx prints to stdout, which is for data only.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        signature = [tf.TensorSpec(shape, tf.uint8, name=model.inputs[0].name)]
        model.export(path, format="onnx", verbose=False, input_signature=signature)


def to_float16(exact: Path, half: Path) -> None:
    """Convert a float32 network to float16, from the first cast to the last weights.

    What follows these, and the output, stay float32: a float16 logit is off by a hundredth.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load(str(exact))
    graph = model.graph
    kept = set(_last_layer(graph))
    floats = {
        value.name
        for value in onnx.shape_inference.infer_shapes(model).graph.value_info
        if value.type.tensor_type.elem_type == TensorProto.FLOAT
    }
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not any(n.name in kept for n in graph.node if tensor.name in n.input):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name))
    halved = {name for node in graph.node if node.name not in kept for name in node.output} & floats
    widened: dict[str, str] = {}
    nodes = []
    for node in graph.node:
        if node.name in kept:
            for k, name in enumerate(node.input):
                if name in halved:
                    if name not in widened:
                        widened[name] = f"{name}:float32"
                        nodes.append(helper.make_node("Cast", [name], [widened[name]], to=TensorProto.FLOAT))
                    node.input[k] = widened[name]
        elif node.op_type == "Cast":
            for attribute in node.attribute:
                if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                    attribute.i = TensorProto.FLOAT16
        nodes.append(node)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(nodes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(half))


def _quantize(exact: Path, small: Path, name: str, feeds: Iterable[Feed]) -> None:
    """Static quantization to eight bits, as QuantizeLinear and DequantizeLinear pairs."""
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds = iter(feeds)

        def get_next(self) -> dict[str, Any] | None:
            feed = next(self._feeds, None)
            return None if feed is None else {name: feed}

    prepared = exact.with_name("prepared.onnx")
    logging.getLogger().setLevel(logging.ERROR)
    quant_pre_process(str(exact), str(prepared), skip_symbolic_shape=True)
    kept = _last_layer(onnx.load(str(prepared)).graph)
    # Seven-bit weights: processors without VNNI add two products in sixteen bits, which eight-bit weights would overflow.
    quantize_static(
        str(prepared), str(small), Reader(), quant_format=QuantFormat.QDQ, per_channel=True, reduce_range=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=kept,
    )  # fmt: skip


def _last_layer(graph: Any) -> list[str]:
    """The names of the nodes from the last weights to the output: in eight bits, probabilities below 1/255 would be lost.

    They include nodes that only query the shape of an earlier layer, but not that layer.
    """
    makers = {output: node for node in graph.node for output in node.output}
    names: list[str] = []
    waiting = [graph.output[0].name]
    while waiting:
        node = makers.get(waiting.pop())
        if node is None:
            continue
        names.append(node.name)
        if node.op_type not in ("MatMul", "Gemm", "Conv", "Shape"):
            waiting += node.input
    return names


def _top_class(frames: NDArray[Any], form: Form) -> NDArray[np.int64]:
    """The most probable class of every frame and reader."""
    return np.asarray(frames.reshape(*frames.shape[:-1], form.readers, -1).argmax(axis=-1))
