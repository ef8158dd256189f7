"""Checks whether the packages for training are installed."""

from __future__ import annotations

from importlib.util import find_spec

from docproc.errors import MissingPart

PACKAGES = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "tf2onnx": "tf2onnx",
    "onnx": "onnx",
    "skimage": "scikit-image",
}
"""The packages of the extra `train`: import names, with install names."""


def check_training() -> None:
    """Raises MissingPart if a package needed for training is not installed. Does not import any of them."""
    missing = [package for module, package in PACKAGES.items() if not find_spec(module)]
    if missing:
        raise MissingPart(f"training needs {', '.join(missing)}: pip install {' '.join(missing)}")
