"""Keras to ONNX."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docproc.errors import DocprocError
from docproc.types import GLYPH_SIDE, Glyphs

if TYPE_CHECKING:
    import keras

AGREES = 1e-4  # largest difference of a probability between Keras and ONNX Runtime


def export_onnx(model: keras.Model, path: Path, probe: Glyphs) -> float:
    """Write the network with a dynamic batch and uint8 input; returns its largest difference to Keras on `probe`.

    Raises DocprocError where the two disagree: such a file is not left behind.
    """
    import onnxruntime
    import tensorflow as tf

    signature = [tf.TensorSpec((None, GLYPH_SIDE, GLYPH_SIDE), tf.uint8, name="glyphs")]
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        draft = Path(folder) / path.name
        # tf2onnx talks a great deal on stdout, where only data belongs.
        with contextlib.redirect_stdout(io.StringIO()):
            model.export(draft, format="onnx", verbose=False, input_signature=signature)
        session = onnxruntime.InferenceSession(draft.read_bytes(), providers=["CPUExecutionProvider"])
        mine = session.run(None, {session.get_inputs()[0].name: probe})[0]
        theirs = np.asarray(model.predict(probe, verbose=0))
        difference = float(np.abs(np.asarray(mine) - theirs).max())
        if not difference <= AGREES:
            raise DocprocError(f"ONNX Runtime and Keras differ by {difference:.2g}; {path.name} was not written")
        os.replace(draft, path)
    return difference


def file_hash(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
