"""The small part of CUDA needed to run an engine: memory, copies and streams, from the NVIDIA driver's own library.

The driver includes `libcuda`, so no package is needed for it. Names and types are those of the CUDA Driver API reference.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

from docproc.errors import MissingPart

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
NON_BLOCKING = 1  # a stream that does not wait for the default one
MAJOR, MINOR = 75, 76  # attributes: the compute capability

_int, _size, _address, _device_address = ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_uint64
_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cuInit": (ctypes.c_uint,),
    "cuDriverGetVersion": (ctypes.POINTER(_int),),
    "cuDeviceGetCount": (ctypes.POINTER(_int),),
    "cuDeviceGet": (ctypes.POINTER(_int), _int),
    "cuDeviceGetName": (ctypes.c_char_p, _int, _int),
    "cuDeviceGetAttribute": (ctypes.POINTER(_int), _int, _int),
    "cuDevicePrimaryCtxRetain": (ctypes.POINTER(_address), _int),
    "cuCtxSetCurrent": (_address,),
    "cuStreamCreate": (ctypes.POINTER(_address), ctypes.c_uint),
    "cuStreamSynchronize": (_address,),
    "cuMemAlloc_v2": (ctypes.POINTER(_device_address), _size),
    "cuMemHostAlloc": (ctypes.POINTER(_address), _size, ctypes.c_uint),
    "cuMemcpyHtoDAsync_v2": (_device_address, _address, _size, _address),
    "cuMemcpyDtoHAsync_v2": (_address, _device_address, _size, _address),
    "cuGetErrorName": (_int, ctypes.POINTER(ctypes.c_char_p)),
}


@dataclass(frozen=True, slots=True)
class Device:
    """The first GPU that the driver reports."""

    name: str
    capability: tuple[int, int]
    driver: int  # newest CUDA version that it supports, 13000 for 13.0


class Cuda:
    """The first GPU, made current for this thread. Raises MissingPart if there is none."""

    def __init__(self, library: Any = None) -> None:
        self._library = library or load()
        for called, types in _FUNCTIONS.items():
            function = getattr(self._library, called)
            function.argtypes, function.restype = types, _int
        self._call("cuInit", 0)
        if self._number("cuDeviceGetCount") < 1:
            raise MissingPart("the NVIDIA driver shows no GPU (is CUDA_VISIBLE_DEVICES set?)")
        device = self._number("cuDeviceGet", 0)
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, len(name), device)
        capability = (self._number("cuDeviceGetAttribute", MAJOR, device), self._number("cuDeviceGetAttribute", MINOR, device))
        self.device = Device(name.value.decode(errors="replace"), capability, self._number("cuDriverGetVersion"))
        # The context that the CUDA runtime inside TensorRT uses too.
        context = _address()
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)

    def stream(self) -> int:
        """Create a stream."""
        made = _address()
        self._call("cuStreamCreate", ctypes.byref(made), NON_BLOCKING)
        return made.value or 0

    def wait(self, stream: int) -> None:
        """Wait until all work on the stream is done."""
        self._call("cuStreamSynchronize", stream)

    def device_memory(self, size: int) -> int:
        """Allocate `size` bytes on the GPU and return their address."""
        made = _device_address()
        self._call("cuMemAlloc_v2", ctypes.byref(made), size)
        return made.value

    def pinned_memory(self, size: int) -> int:
        """Allocate `size` bytes of pinned host memory, which the GPU accesses directly, and return their address."""
        made = _address()
        self._call("cuMemHostAlloc", ctypes.byref(made), size, 0)
        return made.value or 0

    def to_device(self, target: int, source: int, size: int, stream: int) -> None:
        """Enqueue a copy from pinned memory on the stream."""
        self._call("cuMemcpyHtoDAsync_v2", target, source, size, stream)

    def to_host(self, target: int, source: int, size: int, stream: int) -> None:
        """Enqueue a copy to pinned memory on the stream."""
        self._call("cuMemcpyDtoHAsync_v2", target, source, size, stream)

    def _number(self, name: str, *arguments: Any) -> int:
        found = _int()
        self._call(name, ctypes.byref(found), *arguments)
        return found.value

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self._library, name)(*arguments)
        if code:
            told = ctypes.c_char_p()
            self._library.cuGetErrorName(code, ctypes.byref(told))
            raise MissingPart(f"{name} of the NVIDIA driver failed: {(told.value or b'error').decode()} ({code})")


def load() -> Any:
    """The driver's library. Raises MissingPart if there is no driver."""
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as problem:
        raise MissingPart(f"there is no NVIDIA driver here ({LIBRARY} was not found)") from problem
