"""ONNX Runtime on the CPU: the default."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from docproc.errors import MissingPart
from docproc.types import (
    CELL_CLASSES,
    CELL_SIDE,
    CLASSES,
    GLYPH_SIDE,
    LINE_HEIGHT,
    MICR_CLASSES,
    CellPictures,
    CellScores,
    Frames,
    Glyphs,
    Line,
    ModelHash,
    Scores,
)

BATCH = 128  # fastest on the CPUs that were measured; larger falls out of the cache
LINE_BATCH = 16


def open_recognizer(model: bytes) -> OnnxRecognizer:
    """Raises MissingPart when the bytes are no network that takes glyphs and gives scores."""
    session = _session(model)
    _check(session, "digit", [GLYPH_SIDE, GLYPH_SIDE], [CLASSES])
    return OnnxRecognizer(session, _hash(model))


def open_line_recognizer(model: bytes) -> OnnxLineRecognizer:
    """Raises MissingPart when the bytes are no network that takes lines and gives frames."""
    session = _session(model)
    _check(session, "line", [LINE_HEIGHT, None], [None, CLASSES])
    return OnnxLineRecognizer(session, _hash(model))


def open_micr_recognizer(model: bytes) -> OnnxLineRecognizer:
    """Raises MissingPart when the bytes are no network that takes lines of E-13B and gives frames."""
    session = _session(model)
    _check(session, "MICR", [LINE_HEIGHT, None], [None, MICR_CLASSES])
    return OnnxLineRecognizer(session, _hash(model), MICR_CLASSES)


def open_cell_recognizer(model: bytes) -> OnnxRecognizer:
    """Raises MissingPart when the bytes are no network that takes cells and gives scores."""
    session = _session(model)
    _check(session, "cell", [CELL_SIDE, CELL_SIDE, 2], [CELL_CLASSES])
    return OnnxRecognizer(session, _hash(model))


class OnnxRecognizer:
    """See `types.Recognizer` and `types.CellRecognizer`."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, model_hash: ModelHash) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self.model_hash = model_hash

    def recognize(self, glyphs: Glyphs) -> Scores:
        return self._run(glyphs, CLASSES)

    def recognize_cells(self, pictures: CellPictures) -> CellScores:
        return self._run(pictures, CELL_CLASSES)

    def _run(self, pictures: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
        scores = np.empty((len(pictures), classes), np.float32)
        for start in range(0, len(pictures), BATCH):
            part = slice(start, start + BATCH)
            scores[part] = self._session.run(None, {self._input: pictures[part]})[0]
        return scores


class OnnxLineRecognizer:
    """See `types.LineRecognizer`. Lines of one width go together, so that none is padded."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, model_hash: ModelHash, classes: int = CLASSES) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self._classes = classes
        self.model_hash = model_hash

    def read_lines(self, lines: Sequence[Line]) -> list[Frames]:
        frames: list[Frames] = [np.zeros((0, self._classes), np.float32)] * len(lines)
        by_width: dict[int, list[int]] = {}
        for k, line in enumerate(lines):
            if line.shape[1]:
                by_width.setdefault(line.shape[1], []).append(k)
        for members in by_width.values():
            for start in range(0, len(members), LINE_BATCH):
                some = members[start : start + LINE_BATCH]
                logits = self._session.run(None, {self._input: np.stack([lines[k] for k in some])})[0]
                top = logits.max(axis=2, keepdims=True)
                logs = logits - top - np.log(np.exp(logits - top).sum(axis=2, keepdims=True))
                for k, own in zip(some, logs, strict=True):
                    frames[k] = np.asarray(own, np.float32)
        return frames


def _session(model: bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    # One thread: docproc runs one process per core, and results may not depend on how a sum was split.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # ONNX Runtime's own exceptions share no base class
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise MissingPart(f"ONNX Runtime cannot load the model: {first}") from problem


def _check(session: onnxruntime.InferenceSession, kind: str, takes: list[int | None], gives: list[int | None]) -> None:
    """Raises MissingPart unless the network has these shapes behind the batch; None is any length."""
    nodes = (*session.get_inputs(), *session.get_outputs())
    found = [[side if isinstance(side, int) else None for side in node.shape[1:]] for node in nodes]
    if found != [takes, gives] or nodes[0].type != "tensor(uint8)":
        shapes = [(node.type, node.shape) for node in nodes]
        raise MissingPart(
            f"the model is not a {kind} network: it should take uint8 (n, {takes}) and give (n, {gives}): {shapes}"
        )


def _hash(model: bytes) -> ModelHash:
    return ModelHash(hashlib.sha256(model).hexdigest())
