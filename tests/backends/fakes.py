"""A GPU and a TensorRT that are none: memory is this machine's, and ONNX Runtime does the work.

They keep to what the real ones ask for: addresses, shapes inside the profile, work in the order of each stream, and nothing is
done before somebody waits for it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime


class Function:
    """A function of a C library: takes the types that are set on it."""

    def __init__(self, work: Callable[..., int | None]) -> None:
        self._work = work
        self.argtypes: tuple[Any, ...] | None = None
        self.restype: Any = None

    def __call__(self, *arguments: Any) -> int:
        assert self.argtypes is None or len(arguments) == len(self.argtypes)
        return self._work(*arguments) or 0


class FakeDriver:
    """libcuda."""

    def __init__(self, devices: int = 1, capability: tuple[int, int] = (9, 0), failing: str = "") -> None:
        self.memory: dict[int, Any] = {}
        self.streams: dict[int, list[Callable[[], object]]] = {}
        self._devices, self._capability, self._failing = devices, capability, failing

    def __getattr__(self, name: str) -> Function:
        function = Function((lambda *_: 2) if name == self._failing else getattr(self, f"_{name}"))
        setattr(self, name, function)
        return function

    def _cuInit(self, flags: int) -> None: ...

    def _cuDriverGetVersion(self, out: Any) -> None:
        out._obj.value = 13000

    def _cuDeviceGetCount(self, out: Any) -> None:
        out._obj.value = self._devices

    def _cuDeviceGet(self, out: Any, number: int) -> None:
        out._obj.value = number

    def _cuDeviceGetName(self, out: Any, size: int, device: int) -> None:
        out.value = b"Fake GPU"

    def _cuDeviceGetAttribute(self, out: Any, attribute: int, device: int) -> None:
        out._obj.value = self._capability[attribute - 75]

    def _cuDevicePrimaryCtxRetain(self, out: Any, device: int) -> None:
        out._obj.value = 1

    def _cuCtxSetCurrent(self, context: Any) -> None: ...

    def _cuStreamCreate(self, out: Any, flags: int) -> None:
        out._obj.value = len(self.streams) + 1
        self.streams[out._obj.value] = []

    def _cuStreamSynchronize(self, stream: int) -> None:
        work, self.streams[stream] = self.streams[stream], []
        for one in work:
            one()

    def _cuMemAlloc_v2(self, out: Any, size: int) -> None:
        room = ctypes.create_string_buffer(b"\xaa" * size, size)
        out._obj.value = ctypes.addressof(room)
        self.memory[out._obj.value] = room

    def _cuMemHostAlloc(self, out: Any, size: int, flags: int) -> None:
        self._cuMemAlloc_v2(out, size)

    def _cuMemcpyHtoDAsync_v2(self, target: int, source: int, size: int, stream: int) -> None:
        assert size <= len(self.memory[target])
        assert size <= len(self.memory[source])
        self.streams[stream].append(lambda: ctypes.memmove(target, source, size))

    def _cuMemcpyDtoHAsync_v2(self, target: int, source: int, size: int, stream: int) -> None:
        self._cuMemcpyHtoDAsync_v2(target, source, size, stream)

    def _cuGetErrorName(self, code: int, out: Any) -> None:
        out._obj.value = b"CUDA_ERROR_OUT_OF_MEMORY"


class FakeEngine:
    """An engine that a model and a profile were built to."""

    num_io_tensors = 2

    def __init__(self, model: Path, largest: tuple[int, ...], driver: FakeDriver) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        self.session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
        self.largest, self.driver = largest, driver
        self.given: dict[tuple[int, ...], tuple[int, ...]] = {}  # the shapes that come of shapes

    def get_tensor_name(self, k: int) -> str:
        return ("takes", "gives")[k]

    def get_tensor_mode(self, name: str) -> str:
        return {"takes": "INPUT", "gives": "OUTPUT"}[name]

    def get_tensor_dtype(self, name: str) -> Any:
        return {"takes": np.uint8, "gives": np.float32}[name]

    def get_tensor_profile_shape(self, name: str, profile: int) -> list[tuple[int, ...]]:
        return [(), (), self.largest]

    def create_execution_context(self) -> FakeContext:
        return FakeContext(self)


class FakeContext:
    """Runs an engine."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine
        self._addresses: dict[str, int] = {}
        self._shape: tuple[int, ...] = ()

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._shape = shape
        return all(1 <= side <= most for side, most in zip(shape, self._engine.largest, strict=True))

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        key = self._shape[1:]
        if key not in self._engine.given:
            one = np.zeros((1, *key), np.uint8)
            (found,) = self._engine.session.run(None, {self._engine.session.get_inputs()[0].name: one})
            self._engine.given[key] = found.shape[1:]
        return (self._shape[0], *self._engine.given[key])

    def set_tensor_address(self, name: str, address: int) -> None:
        self._addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        shape = self._shape
        self._engine.driver.streams[stream].append(lambda: self._work(shape))
        return True

    def _work(self, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape))
        given = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(self._addresses["takes"])).reshape(shape)
        (found,) = self._engine.session.run(None, {self._engine.session.get_inputs()[0].name: given})
        ctypes.memmove(self._addresses["gives"], found.tobytes(), found.nbytes)


def fake_tensorrt(**more: Any) -> Any:
    """The few names of the module that running takes."""
    return SimpleNamespace(
        __name__="tensorrt", __version__="11.0", nptype=lambda kind: kind,
        TensorIOMode=SimpleNamespace(INPUT="INPUT", OUTPUT="OUTPUT"), **more,
    )  # fmt: skip
