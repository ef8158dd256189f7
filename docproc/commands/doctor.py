"""What is installed, what works, and what to do about what does not."""

from __future__ import annotations

import platform
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from docproc._version import __version__
from docproc.backends import BACKENDS, available
from docproc.errors import DocprocError
from docproc.namesake import find_namesake
from docproc.readers import MICR
from docproc.types import GLYPH_SIDE
from docproc.weights.cards import model_folder, read_card
from docproc.weights.opening import open_model

PACKAGES = (
    "numpy", "opencv-python-headless", "pandas", "pillow", "simplejpeg", "pypdfium2", "onnxruntime", "pydantic", "xlsxwriter",
    "click", "platformdirs", "rich",
)  # fmt: skip
SAFE = {"libtiff": ((4, 7, 2), "CVE-2026-4775"), "libwebp": ((1, 3, 2), "CVE-2023-4863")}
"""The first decoder versions without a known vulnerability, and the vulnerability."""
EXTRAS = (
    "tensorflow", "tensorflow-cpu", "keras", "tf2onnx", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-rtx", "matplotlib",
    "openpyxl", "pyarrow", "fsspec", "s3fs", "gcsfs", "adlfs", "ray",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """The findings, as lines for a person, and whether `docproc run` works."""

    lines: tuple[str, ...]
    works: bool


def examine() -> Report:
    """Check Python, packages, codecs, models and backends; each backend reads one glyph."""
    lines = [f"docproc {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}"]
    missing = [name for name in PACKAGES if _version(name) is None]
    lines += ["", "Packages", *(_line(name, _version(name) or f"MISSING: pip install {name}") for name in PACKAGES)]
    lines += [_line(name, found) for name in EXTRAS if (found := _version(name))]
    if (namesake := find_namesake()) is not None:
        lines += [_line("another docproc", str(namesake))]
    codecs, outdated = _codecs()
    lines += ["", "Codecs in Pillow", *codecs]
    faults = {backend: _fault_of_backend(backend) for backend in BACKENDS}
    lines += ["", "Backends"]
    lines += [_line(name, "works" if fault is None else f"does not work: {fault}") for name, fault in faults.items()]
    lines += ["", "Models", _line("digits", _digits_model()), _line("micr", _micr_model())]
    works = None in faults.values() and not missing and not outdated and sys.version_info >= (3, 11)
    lines += ["", "docproc run works here" if works else "docproc run does not work here: see above"]
    return Report(tuple(lines), works)


def _line(name: str, found: str) -> str:
    return f"  {name:24}{found}"


def _fault_of_backend(backend: str) -> str | None:
    """Why a backend does not work here; None if it does."""
    reason = available(backend)
    if reason is not None:
        return reason
    try:
        open_model(backend).networks["lattice"].recognize(np.zeros((1, GLYPH_SIDE, GLYPH_SIDE), np.uint8))
    except DocprocError as problem:
        return str(problem)
    return None


def _digits_model() -> str:
    try:
        card = read_card(model_folder() / "digits.onnx")
        accuracy = card["scores"].get("mnist_test_accuracy")
        scores = "learned from corrections" if accuracy is None else f"MNIST test {accuracy:.2%}"
        return f"{card['sha256']['digits.onnx'][:12]}, {scores}"
    except (DocprocError, KeyError) as problem:
        return f"does not work: {problem}"


def _micr_model() -> str:
    try:
        card = read_card(model_folder() / f"{MICR}.onnx")
        exact = card["scores"]["synthetic_lines_exact"]
        return f"{card['sha256'][f'{MICR}.onnx'][:12]}, composed lines {exact:.2%}"
    except (DocprocError, KeyError) as problem:
        return f"does not work: {problem}"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _codecs() -> tuple[list[str], list[str]]:
    """(lines, outdated): the decoders bundled in Pillow's wheel, which no package list shows; and the vulnerable ones."""
    try:
        from PIL import features
    except ImportError:
        return [], []
    names = {"jpg": "libjpeg", "libtiff": "libtiff", "zlib": "zlib", "webp": "libwebp"}
    found = {label: str(features.version(name)) for name, label in names.items() if features.check(name)}
    outdated = [
        f"  {label} {found[label]} has a known vulnerability ({why}): pip install --upgrade pillow"
        for label, (floor, why) in SAFE.items()
        if label in found and _numbers(found[label]) < floor
    ]
    return [*(_line(label, number) for label, number in found.items()), *outdated], outdated


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])
