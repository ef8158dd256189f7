"""Is there what training takes, and import TensorFlow quietly."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from docproc.errors import MissingPart

PACKAGES = {
    "tensorflow": "tensorflow",
    "keras": "keras",
    "tf2onnx": "tf2onnx",
    "onnx": "onnx",
    "skimage": "scikit-image",
}
"""What the extra `train` brings, by the names that are imported, with those that are installed."""


def check_training() -> None:
    """Raises MissingPart if something that training takes is not installed. Imports nothing of it."""
    missing = [package for module, package in PACKAGES.items() if not find_spec(module)]
    if missing:
        raise MissingPart(f"training needs {', '.join(missing)}: pip install {' '.join(missing)}")


def import_tensorflow() -> None:
    """Import TensorFlow without the messages that its libraries print on stderr before they can be silenced."""
    sys.stderr.flush()
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 2)
        import tensorflow  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)
