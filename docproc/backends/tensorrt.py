"""TensorRT 10 and 11, and TensorRT for RTX with the same interface: build an engine from an ONNX file, run it on two streams.

The precision is that of the ONNX file, as in TensorRT 11. Building takes seconds, so engines are kept in the user's cache.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.backends import gpu
from docproc.backends.cuda import Cuda, Device
from docproc.backends.form import Form
from docproc.errors import MissingPart
from docproc.options import cache_folder

BATCH, USUAL = 1024, 128  # images at a time: the maximum, and the number for which the engine is optimized
LINE_BATCH = 16
WIDEST, USUAL_WIDTH, NARROWEST = 2048, 256, 32  # px of a line
OLDEST = 10  # major version
MIN_CAPABILITY = (7, 5)


def open_network(model: bytes, form: Form) -> TensorrtNetwork:
    """Raises MissingPart if TensorRT does not work here, or with TensorRT's own message if it refuses the model."""
    trt, cuda = import_module(gpu.library()), Cuda()
    log = keeper(trt)
    runtime = trt.Runtime(log)
    kept = cache_folder() / "engines" / f"{engine_key(trt, model, form, cuda.device)}.plan"
    plan = read_plan(kept)
    engine = runtime.deserialize_cuda_engine(plan) if plan else None
    if engine is None:  # none is cached, or it is damaged
        plan = build(trt, model, form, log)
        engine = runtime.deserialize_cuda_engine(plan)
        if engine is None:
            raise MissingPart(f"TensorRT does not load the engine that it built: {log.told()}")
        keep_plan(kept, plan)
    return TensorrtNetwork(trt, runtime, engine, cuda, LINE_BATCH if form.of_lines else BATCH)


def keeper(trt: Any) -> Any:
    """A logger that keeps errors: TensorRT returns None and gives the reason only to its logger."""

    class Keeper(trt.ILogger):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            if severity in (trt.ILogger.Severity.INTERNAL_ERROR, trt.ILogger.Severity.ERROR):
                self.errors.append(message)

        def told(self) -> str:
            return " ".join("; ".join(self.errors[-3:]).split()) or "it gives no reason"

    return Keeper()


def build(trt: Any, model: bytes, form: Form, log: Any, target: str = "") -> bytes:
    """The engine of an ONNX file, as bytes. `target` names a compute capability, such as SM89, if there is no GPU.

    Only TensorRT for RTX supports targets. Raises MissingPart with TensorRT's own message if it refuses the model.
    """
    builder, network = _network(trt, log)
    parser = trt.OnnxParser(network, log)
    if not parser.parse(model):
        told = "; ".join(parser.get_error(k).desc() for k in range(parser.num_errors))
        raise MissingPart(f"TensorRT cannot read the model: {' '.join(told.split())}")
    if network.num_inputs != 1 or network.num_outputs != 1:
        raise MissingPart(f"the model is not a {form.kind} network: it should have one input and one output")
    takes, gives = network.get_input(0), network.get_output(0)
    form.check(tuple(takes.shape), tuple(gives.shape), np.dtype(trt.nptype(takes.dtype)).name)
    config = builder.create_builder_config()
    config.clear_flag(trt.BuilderFlag.TF32)  # float32 in the file is intended
    profile = builder.create_optimization_profile()
    profile.set_shape(takes.name, *profile_of(form))
    if config.add_optimization_profile(profile) < 0:
        raise MissingPart(f"TensorRT refuses the profile {profile_of(form)}: {log.told()}")
    if target:
        config.num_compute_capabilities = 1
        if not config.set_compute_capability(getattr(trt.ComputeCapability, target), 0):
            raise MissingPart(f"TensorRT builds nothing for {target}: {log.told()}")
    return _plan(builder, network, config, log)


def profile_of(form: Form) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """The smallest, usual and largest shape of the input, batch first."""

    def shape(batch: int, width: int) -> tuple[int, ...]:
        return (batch, *(width if side is None else side for side in form.takes))

    if form.of_lines:
        return shape(1, NARROWEST), shape(LINE_BATCH, USUAL_WIDTH), shape(LINE_BATCH, WIDEST)
    return shape(1, 0), shape(USUAL, 0), shape(BATCH, 0)


def engine_key(trt: Any, model: bytes, form: Form, device: Device) -> str:
    """The cache key of an engine: it is valid for one model, TensorRT, GPU, driver and profile."""
    own = (hashlib.sha256(model).hexdigest(), profile_of(form))
    parts = (*own, trt.__name__, trt.__version__, device.name, device.capability, device.driver)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def keep_plan(path: Path, plan: bytes) -> None:
    """Cache an engine, preceded by its hash; if that is not possible, it is built again next time."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(plan).digest() + plan)
        os.replace(file.name, path)


def read_plan(path: Path) -> bytes | None:
    """The cached engine, if it is intact."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[32:] if data[:32] == hashlib.sha256(data[32:]).digest() else None


class TensorrtNetwork:
    """See `recognizers.Network`. While the GPU works on a batch, the next one is uploaded and the last one downloaded."""

    name = "tensorrt"

    def __init__(self, trt: Any, runtime: Any, engine: Any, cuda: Cuda, batch: int) -> None:
        self.batch = batch
        self._runtime = runtime  # must outlive its engine
        self.slots = (Slot(trt, engine, cuda), Slot(trt, engine, cuda))

    def run(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        waiting: list[Slot] = []
        for slot, batch in zip(cycle(self.slots), batches, strict=False):
            if slot in waiting:
                waiting.remove(slot)
                yield slot.result()
            slot.start(batch)
            waiting.append(slot)
        for slot in waiting:
            yield slot.result()


class Slot:
    """A stream, an execution context of the engine, and buffers for one batch on host and GPU."""

    def __init__(self, trt: Any, engine: Any, cuda: Cuda) -> None:
        self._cuda = cuda
        self._context = engine.create_execution_context()
        if self._context is None:
            raise MissingPart("TensorRT cannot run the engine here: is the GPU's memory full?")
        self._stream = cuda.stream()
        names = [engine.get_tensor_name(k) for k in range(engine.num_io_tensors)]
        (self._takes,) = (name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT)
        (self._gives,) = (name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.OUTPUT)
        self._types = [np.dtype(trt.nptype(engine.get_tensor_dtype(name))) for name in (self._takes, self._gives)]
        largest = tuple(engine.get_tensor_profile_shape(self._takes, 0)[2])
        self._set_shape(largest)
        shapes = (largest, tuple(self._context.get_tensor_shape(self._gives)))
        sizes = [int(np.prod(shape)) * kind.itemsize for shape, kind in zip(shapes, self._types, strict=True)]
        self._pinned = [cuda.pinned_memory(size) for size in sizes]
        self._device = [cuda.device_memory(size) for size in sizes]
        for name, address in zip((self._takes, self._gives), self._device, strict=True):
            self._context.set_tensor_address(name, address)
        self._given: tuple[int, ...] = ()
        # The first run loads kernels and takes memory: do it here, before a worker's limit applies.
        self.start(np.zeros(largest, self._types[0]))
        self.wait()

    def start(self, batch: NDArray[Any]) -> None:
        """Upload a batch, run it, download the output: all on the stream, without waiting."""
        self._cuda.wait(self._stream)  # the caller of an earlier batch may have stopped early
        self._set_shape(batch.shape)
        self._given = tuple(self._context.get_tensor_shape(self._gives))
        _view(self._pinned[0], batch.shape, self._types[0])[:] = batch
        self._cuda.to_device(self._device[0], self._pinned[0], batch.nbytes, self._stream)
        self.compute()
        size = int(np.prod(self._given)) * self._types[1].itemsize
        self._cuda.to_host(self._pinned[1], self._device[1], size, self._stream)

    def compute(self) -> None:
        """Enqueue the computation on the data in GPU memory."""
        if not self._context.execute_async_v3(self._stream):
            raise MissingPart("TensorRT failed while it ran the engine")

    def result(self) -> NDArray[Any]:
        """The output of the last batch started, once it is ready."""
        self.wait()
        return _view(self._pinned[1], self._given, self._types[1]).copy()

    def wait(self) -> None:
        """Wait until all work of the slot is done."""
        self._cuda.wait(self._stream)

    def _set_shape(self, shape: tuple[int, ...]) -> None:
        if not self._context.set_input_shape(self._takes, shape):
            raise MissingPart(f"the engine was not built for an input of {shape}")


def try_out(trt: Any, cuda: Cuda) -> None:
    """Build and run an engine that computes absolute values. Raises MissingPart, or crashes, if TensorRT does not work."""
    version = str(trt.__version__)
    if trt.__name__ == "tensorrt" and int(version.partition(".")[0]) < OLDEST:
        raise MissingPart(f"TensorRT {version} is too old; docproc needs {OLDEST} or newer")
    if cuda.device.capability < MIN_CAPABILITY:
        have, need = (".".join(map(str, pair)) for pair in (cuda.device.capability, MIN_CAPABILITY))
        raise MissingPart(f"{cuda.device.name} has compute capability {have}; TensorRT needs {need}")
    log = keeper(trt)
    builder, network = _network(trt, log)
    values = network.add_input("values", trt.float32, (-1, 4))
    network.mark_output(network.add_unary(values, trt.UnaryOperation.ABS).get_output(0))
    config = builder.create_builder_config()
    profile = builder.create_optimization_profile()
    profile.set_shape("values", (1, 4), (1, 4), (2, 4))
    config.add_optimization_profile(profile)
    runtime = trt.Runtime(log)
    engine = runtime.deserialize_cuda_engine(_plan(builder, network, config, log))
    if engine is None:
        raise MissingPart(f"TensorRT {version} does not load an engine on {cuda.device.name}: {log.told()}")
    slot = Slot(trt, engine, cuda)
    slot.start(np.array([[-1, 2, -3, 4]], np.float32))
    if not np.array_equal(slot.result(), [[1, 2, 3, 4]]):
        raise MissingPart(f"TensorRT {version} calculates wrongly on {cuda.device.name}")


def _network(trt: Any, log: Any) -> tuple[Any, Any]:
    builder = trt.Builder(log)
    # Version 10 must be told to keep the types of the file; version 11 always does.
    typed = getattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED", None)
    return builder, builder.create_network(0 if typed is None else 1 << int(typed))


def _plan(builder: Any, network: Any, config: Any, log: Any) -> bytes:
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise MissingPart(f"TensorRT cannot build the engine: {log.told()}")
    return bytes(plan)


def _view(address: int, shape: tuple[int, ...], kind: np.dtype[Any]) -> NDArray[Any]:
    size = int(np.prod(shape)) * kind.itemsize
    memory = (ctypes.c_uint8 * size).from_address(address)
    return np.ctypeslib.as_array(memory).view(kind).reshape(shape)
