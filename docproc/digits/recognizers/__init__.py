"""The backends, by name. Each is imported when it is asked for, so that none costs anything to those who use another.

A backend is a module with four functions from the bytes of a model: `open_recognizer` gives a `types.Recognizer`,
`open_line_recognizer` a `types.LineRecognizer`, `open_cell_recognizer` a `types.CellRecognizer`, and `open_micr_recognizer` a
`types.LineRecognizer` of E-13B. To add one, write a module that shows only what differs and enter it here; the contract tests
run every backend that is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from docproc.errors import BadUsage, MissingPart
from docproc.types import CellRecognizer, LineRecognizer, Recognizer

BACKENDS: Mapping[str, tuple[str, str]] = {
    "onnx": ("docproc.digits.recognizers.onnx", "onnxruntime"),
}
"""Name: (module, what must be installed for it)."""

PREFERRED = ("onnx",)  # what `auto` tries, best first


def available(backend: str) -> str | None:
    """None if the backend can be used here, else why it cannot and what to do."""
    _, package = BACKENDS[backend]
    if find_spec(package) is None:
        return f"{package} is not installed: pip install {package}"
    return None


def open_recognizer(backend: str, model: bytes) -> Recognizer:
    """A recognizer of glyphs for the model on the named backend; `auto` takes the best that works.

    Raises BadUsage for an unknown name, MissingPart when the backend is not there or refuses the model.
    """
    opener: Callable[[bytes], Recognizer] = _backend(backend).open_recognizer
    return opener(model)


def open_line_recognizer(backend: str, model: bytes) -> LineRecognizer:
    """The same for a recognizer of lines."""
    opener: Callable[[bytes], LineRecognizer] = _backend(backend).open_line_recognizer
    return opener(model)


def open_cell_recognizer(backend: str, model: bytes) -> CellRecognizer:
    """The same for a recognizer of cells."""
    opener: Callable[[bytes], CellRecognizer] = _backend(backend).open_cell_recognizer
    return opener(model)


def open_micr_recognizer(backend: str, model: bytes) -> LineRecognizer:
    """The same for a recognizer of E-13B lines: its frames have a column for each of `types.MICR_SYMBOLS` and the blank."""
    opener: Callable[[bytes], LineRecognizer] = _backend(backend).open_micr_recognizer
    return opener(model)


def _backend(backend: str) -> Any:
    if backend != "auto" and backend not in BACKENDS:
        raise BadUsage(f"no backend named {backend!r}; there are auto, {', '.join(BACKENDS)}")
    reasons = []
    for name in PREFERRED if backend == "auto" else (backend,):
        reason = available(name)
        if reason is None:
            return import_module(BACKENDS[name][0])
        reasons.append(f"{name}: {reason}")
    raise MissingPart("no usable backend\n" + "\n".join(f"  {reason}" for reason in reasons))
