"""Throughput in digits per second: through docproc, by calling the library directly on the same file, and the hardware limit.

On a shared machine only ratios within one run mean much: the measurements alternate, and the best turn counts.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from docproc.backends import BACKENDS, available, open_network
from docproc.backends.form import Form
from docproc.backends.recognizers import Network, PictureRecognizer
from docproc.errors import DocprocError
from docproc.types import GLYPH_SIDE, Glyphs
from docproc.weights.cards import network_files, read_card
from docproc.weights.opening import glyph_form, model_bytes

TURNS = 5
WEIGHTED_OPERATORS = ("Conv", "MatMul", "Gemm")
MATRIX_ROWS = (128, 256, 512)  # of the products that measure how fast this core multiplies
BLOCK_BYTES = 1_000_000  # of the block that measures how fast it copies


@dataclass(frozen=True, slots=True)
class Rate:
    """The throughput of one backend at one batch size, in digits per second."""

    backend: str
    file: str
    batch: int
    docproc: float  # through `recognize`
    plain: float  # using the library alone: `session.run`, a call of the Keras model, or the engine without copies


@dataclass(frozen=True, slots=True)
class Floor:
    """The limit that one core sets for the glyph network: no code of ours can exceed its arithmetic or memory throughput."""

    operations: float  # multiplications and additions per digit
    bytes: float  # memory traffic per digit: what each layer writes, and the next one reads
    precision: str  # eight bits or float32
    operations_a_second: float  # of this core in that precision, measured on matrix products
    bytes_a_second: float  # of this core, measured on copies
    by_arithmetic: float  # digits per second that the operations allow
    by_bytes: float  # digits per second that the memory traffic allows


@dataclass(frozen=True, slots=True)
class Bench:
    """All measurements."""

    rates: tuple[Rate, ...]
    silent: tuple[tuple[str, str], ...]  # backends that do not work here, with the reasons
    floor: Floor | str  # or the reason why it was not measured


def bench(backends: Sequence[str], model: Path | None, batches: Sequence[int], seconds: float) -> Bench:
    """Measure the glyph network of `model` (None: the shipped one) on each backend at each batch size.

    `seconds` is the duration of one turn. Raises MissingPart if a file is missing or does not match its card.
    """
    rates: list[Rate] = []
    silent = []
    for backend in backends or BACKENDS:
        if (reason := available(backend)) is not None:
            silent.append((backend, reason))
            continue
        try:
            rates += _measured(backend, model, batches, seconds)
        except DocprocError as problem:
            silent.append((backend, str(problem)))
    path = network_files("onnx", model)["glyphs"]
    if (reason := available("onnx")) is None and find_spec("onnx") is None:
        reason = "it takes the package onnx: pip install onnx"
    floor = measure_floor(model_bytes(path, read_card(path))) if reason is None else reason
    return Bench(tuple(rates), tuple(silent), floor)


def _measured(backend: str, model: Path | None, batches: Sequence[int], seconds: float) -> list[Rate]:
    path = network_files(backend, model)["glyphs"]
    card = read_card(path)
    data, form = model_bytes(path, card), glyph_form(card)
    network = open_network(backend, data, form)
    recognizer = PictureRecognizer(network, form, data)
    plain = PLAIN[backend](data, form, network)
    rates = []
    for batch in batches:
        glyphs = np.random.default_rng(0).integers(0, 256, (batch, GLYPH_SIDE, GLYPH_SIDE)).astype(np.uint8)
        bare = plain(glyphs)
        if bare is None:
            continue
        mine, theirs = best_of([partial(recognizer.recognize, glyphs), bare], seconds)
        rates.append(Rate(backend, path.name, batch, batch / mine, batch / theirs))
    return rates


def best_of(works: Sequence[Callable[[], object]], seconds: float) -> list[float]:
    """The minimum time of each function, in seconds; they are called in turns of `seconds` each."""
    least = [float("inf")] * len(works)
    for work in works:
        work()
    for turn in range(TURNS):
        for k in range(len(works)):
            which = (k + turn) % len(works)
            end = time.perf_counter() + seconds
            while time.perf_counter() < end:
                began = time.perf_counter()
                works[which]()
                least[which] = min(least[which], time.perf_counter() - began)
    return least


def _session(model: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # as in docproc: one process per core
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


Plain = Callable[[Glyphs], Callable[[], object] | None]  # None for a batch that is too large for the library


def _plain_onnx(model: bytes, form: Form, network: Network) -> Plain:
    session = _session(model)
    name = session.get_inputs()[0].name
    return lambda glyphs: lambda: session.run(None, {name: glyphs})


def _plain_tensorflow(model: bytes, form: Form, network: Network) -> Plain:
    from docproc.backends.tensorflow import load

    keras_model = load(model, form)
    return lambda glyphs: lambda: keras_model.predict_on_batch(glyphs)


def _plain_tensorrt(model: bytes, form: Form, network: Network) -> Plain:
    from docproc.backends.tensorrt import TensorrtNetwork

    assert isinstance(network, TensorrtNetwork)
    slot = network.slots[0]

    def of(glyphs: Glyphs) -> Callable[[], object] | None:
        if len(glyphs) > network.batch:
            return None
        slot.start(glyphs)

        def once() -> None:
            slot.compute()
            slot.wait()

        return once

    return of


PLAIN: dict[str, Callable[[bytes, Form, Network], Plain]] = {
    "onnx": _plain_onnx,
    "tensorflow": _plain_tensorflow,
    "tensorrt": _plain_tensorrt,
}

# ------------------------------------------------------------------------------------------------- the floor


def measure_floor(model: bytes) -> Floor:
    """The limit of one core for an ONNX glyph network."""
    operations, size, eight = work_of(model)
    block = np.ones(BLOCK_BYTES, np.uint8)
    copy = np.empty_like(block)
    products = [_product(side, eight=eight) for side in MATRIX_ROWS]
    *multiplying, copying = best_of([*products, lambda: np.copyto(copy, block)], 0.1)
    speed = max(2 * side**3 / taken for side, taken in zip(MATRIX_ROWS, multiplying, strict=True))
    stream = 2 * BLOCK_BYTES / copying
    precision = "eight bits" if eight else "float32"
    return Floor(operations, size, precision, speed, stream, speed / operations, stream / size)


def _product(side: int, *, eight: bool) -> Callable[[], object]:
    """A matrix product in ONNX Runtime, computed as in the network: on one thread; eight bits use seven-bit weights."""
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    if eight:
        operator, taken, given = "MatMulInteger", TensorProto.UINT8, TensorProto.INT32
        one, other = rng.integers(0, 256, (side, side), np.uint8), rng.integers(-64, 64, (side, side), np.int8)
    else:
        operator, taken, given = "MatMul", TensorProto.FLOAT, TensorProto.FLOAT
        one, other = rng.random((side, side), np.float32), rng.random((side, side), np.float32)
    graph = helper.make_graph(
        [helper.make_node(operator, ["one", "other"], ["product"])], "product",
        [helper.make_tensor_value_info("one", taken, [side, side])],
        [helper.make_tensor_value_info("product", given, [side, side])], [numpy_helper.from_array(other, "other")],
    )  # fmt: skip
    session = _session(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8).SerializeToString())
    return lambda: session.run(None, {"one": one})


def work_of(model: bytes) -> tuple[float, float, bool]:
    """The work per digit: operations (a multiplication and an addition are two), bytes of memory traffic, if in eight bits.

    Counted in the profile of ONNX Runtime, from the shapes of every node's weights and output.
    """
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        session.run(None, {session.get_inputs()[0].name: np.zeros((1, GLYPH_SIDE, GLYPH_SIDE), np.uint8)})
        profile = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    eight = any(event.get("args", {}).get("op_name") == "QuantizeLinear" for event in profile)
    operations, size = 0.0, float(GLYPH_SIDE**2)
    for event in profile:
        work = event.get("args", {})
        if (
            event.get("cat") == "Node"
            and event["name"].endswith("_kernel_time")
            and work["op_name"] in (*WEIGHTED_OPERATORS, "MaxPool")
        ):
            given = int(np.prod(_shape(work["output_type_shape"][0])))
            size += 2 * given * (1 if eight else 4)
            if work["op_name"] in WEIGHTED_OPERATORS:
                # The profile does not always have the shape of a product's weights.
                shapes = [_shape(one) for one in work["input_type_shape"]]
                operations += 2 * given * (int(np.prod(shapes[1][1:])) if work["op_name"] == "Conv" else shapes[0][-1])
    return operations, size, eight


def _shape(typed: dict[str, Any]) -> list[int]:
    (shape,) = typed.values()
    return list(shape)
