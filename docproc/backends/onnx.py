"""ONNX Runtime on the CPU: the default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.errors import MissingPart

BATCH = 128  # fastest on the CPUs that were measured; larger batches do not fit in the cache
LINE_BATCH = 16


def open_network(model: bytes, form: Form) -> OnnxNetwork:
    """Raises MissingPart if the bytes are not an ONNX network of this form."""
    options = onnxruntime.SessionOptions()
    # One thread: docproc runs one process per core, and results must not depend on how a sum is split.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # ONNX Runtime's exceptions have no common base class
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise MissingPart(f"ONNX Runtime cannot load the model: {first}") from problem
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise MissingPart(f"the model is not a {form.kind} network: it should have one input and one output")
    (takes,), (gives,) = session.get_inputs(), session.get_outputs()
    form.check(takes.shape, gives.shape, takes.type.removeprefix("tensor(").removesuffix(")"))
    return OnnxNetwork(session, LINE_BATCH if form.of_lines else BATCH)


class OnnxNetwork:
    """See `recognizers.Network`."""

    name = "onnx"

    def __init__(self, session: onnxruntime.InferenceSession, batch: int) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self.batch = batch

    def run(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        for batch in batches:
            yield self._session.run(None, {self._input: batch})[0]
