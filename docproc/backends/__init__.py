"""The backends, by name. Each is imported on demand, so that unused ones cost nothing.

A backend is a module with one function, `open_network`, which takes the bytes of a model and its expected form and returns a
`recognizers.Network`. To add one, write a module with only what differs and register it here; the contract tests run every
backend that works.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from docproc.backends.form import DECODER, Form
from docproc.backends.recognizers import Network, PictureRecognizer, Reconstructor, StripRecognizer
from docproc.errors import BadUsage, MissingPart
from docproc.types import LineRecognizer, Recognizer


@dataclass(frozen=True, slots=True)
class Backend:
    """The location and the requirements of a backend."""

    module: str
    package: str  # that must be installed
    files: tuple[str, ...]  # endings of the model files that it runs, preferred one first
    check: str = ""  # a module whose `why_not()` returns what is missing in one line, or None
    gpu: bool = False  # whether it runs on one
    builds: bool = False  # whether it compiles a file at first use and caches the result, which takes seconds


_HERE = "docproc.backends"
BACKENDS: Mapping[str, Backend] = {
    "onnx": Backend(f"{_HERE}.onnx", "onnxruntime", (".onnx", ".fp16.onnx", ".fp32.onnx")),
    "tensorrt": Backend(f"{_HERE}.tensorrt", "tensorrt", (".fp16.onnx", ".fp32.onnx"), f"{_HERE}.gpu", gpu=True, builds=True),
    "tensorflow": Backend(f"{_HERE}.tensorflow", "tensorflow", (".keras",)),
}

PREFERRED = ("tensorrt", "onnx")  # what `auto` tries, best first


@dataclass(frozen=True, slots=True)
class Choice:
    """A backend that works here, and why those before it do not: one line, "" if it is the first."""

    backend: str
    passed_over: str = ""


def available(backend: str) -> str | None:
    """None if the backend can be used here, else why not and what to do, in one line."""
    known = BACKENDS[backend]
    if known.check:
        reason: str | None = import_module(known.check).why_not()
        return reason
    if find_spec(known.package) is None:
        return f"{known.package} is not installed: pip install {known.package}"
    return None


def choose(backend: str, lacks: Callable[[str], str | None] | None = None) -> Choice:
    """The named backend, or for `auto` the best that works here.

    `lacks` says what else a backend would need, or None; `auto` skips a backend that lacks something. Raises BadUsage for an
    unknown name, MissingPart with the reasons if there is none.
    """
    if backend != "auto" and backend not in BACKENDS:
        raise BadUsage(f"no backend named {backend!r}; there are auto, {', '.join(BACKENDS)}")
    reasons: list[str] = []
    for name in PREFERRED if backend == "auto" else (backend,):
        reason = available(name)
        if reason is None and lacks and backend == "auto" and name != PREFERRED[-1]:
            reason = lacks(name)
        if reason is None:
            return Choice(name, "; ".join(reasons))
        reasons.append(f"{name}: {reason}")
    raise MissingPart("no usable backend\n" + "\n".join(f"  {reason}" for reason in reasons))


def open_network(backend: str, model: bytes, form: Form) -> Network:
    """The network on the named backend. Raises BadUsage for an unknown name, MissingPart if the backend is not there or
    refuses the model.
    """
    module: Any = import_module(BACKENDS[choose(backend).backend].module)
    network: Network = module.open_network(model, form)
    return network


def open_recognizer(backend: str, model: bytes, form: Form) -> Recognizer:
    """A recognizer of images for the bytes of a model, see `open_network`.

    A network of the form `form.DIGITS` never says that a glyph is not a digit.
    """
    return PictureRecognizer(open_network(backend, model, form), form, model)


def open_line_recognizer(backend: str, model: bytes, form: Form) -> LineRecognizer:
    """A recognizer of lines for the bytes of a model, see `open_network`."""
    return StripRecognizer(open_network(backend, model, form), form, model)


def open_decoder(model: bytes) -> Reconstructor:
    """Open a decoder that draws digits as a network sees them, on ONNX Runtime. Raises MissingPart like `open_network`."""
    return Reconstructor(open_network("onnx", model, DECODER))
