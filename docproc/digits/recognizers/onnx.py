"""ONNX Runtime on the CPU: the default."""

from __future__ import annotations

import hashlib

import numpy as np
import onnxruntime

from docproc.errors import MissingPart
from docproc.types import CLASSES, GLYPH_SIDE, Glyphs, ModelHash, Scores

BATCH = 128  # fastest on the CPUs that were measured; larger falls out of the cache


def open_recognizer(model: bytes) -> OnnxRecognizer:
    """Raises MissingPart when the bytes are no network that takes glyphs and gives scores."""
    options = onnxruntime.SessionOptions()
    # One thread: docproc runs one process per core, and results may not depend on how a sum was split.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # ONNX Runtime's own exceptions share no base class
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise MissingPart(f"ONNX Runtime cannot load the model: {first}") from problem
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shapes = [list(node.shape[1:]) for node in (*inputs, *outputs)]
    if shapes != [[GLYPH_SIDE, GLYPH_SIDE], [CLASSES]] or inputs[0].type != "tensor(uint8)":
        raise MissingPart(
            f"the model is not a digit network: it should take uint8 (n, {GLYPH_SIDE}, {GLYPH_SIDE}) and give "
            f"(n, {CLASSES}), and has {[(node.type, node.shape) for node in (*inputs, *outputs)]}"
        )
    return OnnxRecognizer(session, ModelHash(hashlib.sha256(model).hexdigest()))


class OnnxRecognizer:
    """See `types.Recognizer`."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, model_hash: ModelHash) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self.model_hash = model_hash

    def recognize(self, glyphs: Glyphs) -> Scores:
        scores = np.empty((len(glyphs), CLASSES), np.float32)
        for start in range(0, len(glyphs), BATCH):
            part = slice(start, start + BATCH)
            scores[part] = self._session.run(None, {self._input: glyphs[part]})[0]
        return scores
