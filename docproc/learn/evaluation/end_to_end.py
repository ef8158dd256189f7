"""The whole of reading, from the bytes of files to rows, compared with decoding alone and with other programs.

Each on one core. The measurements alternate over the same files, so that ratios are meaningful on a shared machine.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from docproc._version import __version__
from docproc.documents import DocumentReader, Settings, opened_file, settings_for
from docproc.errors import BadInput
from docproc.files import Document, find_documents, read_content
from docproc.learn.progress import Log, Step
from docproc.options import RunRequest
from docproc.types import Gray

DECODING = "decoding to gray"
RAPIDOCR, TESSERACT = "RapidOCR", "Tesseract"
FIELD_LAYOUTS = ("digits", "amount", "decimal")  # their files are single fields: other programs are given them as single lines


@dataclass(frozen=True, slots=True)
class Timed:
    """A program, and its time for all files together, for each round."""

    name: str
    version: str
    seconds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EndToEnd:
    """All measurements. `ratios` are medians over the rounds, so that different rounds are never compared."""

    layout: str
    documents: int
    fields: int
    left_out: int  # files that OpenCV does not decode to one picture, such as PDF
    timed: tuple[Timed, ...]  # docproc first
    silent: tuple[tuple[str, str], ...]  # programs that are not installed, with the reasons
    pages_a_second: float  # of docproc
    fields_a_second: float
    to_decoding: float  # docproc's time divided by that of decoding
    to_docproc: tuple[tuple[str, float], ...]  # the time of each other program divided by docproc's


Work = Callable[[Document, bytes], object]


def end_to_end(inputs: Sequence[Path], layout: str, backend: str, model: Path | None, rounds: int, log: Log) -> EndToEnd:
    """Read all documents `rounds` times with docproc and with the other installed programs.

    Raises BadInput if no file can be measured, and what a run with this layout, backend and model raises.
    """
    cv2.setNumThreads(1)
    documents, _ = find_documents(inputs)
    settings = settings_for(documents, RunRequest(tuple(inputs), Path(), layout, backend=backend, model=model))
    contents = [(document, read_content(document.path, settings.limits).data) for document in documents]
    shown = [(document, data) for document, data in contents if _gray(data) is not None]
    if not shown:
        raise BadInput("there is no picture that OpenCV decodes; give scans as JPEG, PNG or TIFF")
    works, silent, fields = _works(settings, layout, shown)
    seconds: dict[str, list[float]] = {name: [] for name, _, _ in works}
    for number in range(rounds):
        for k in range(len(works)):
            name, _, work = works[(k + number) % len(works)]
            log(Step(f"round {number + 1} of {rounds}: {name}", number * len(works) + k, rounds * len(works)))
            began = time.perf_counter()
            for document, data in shown:
                work(document, data)
            seconds[name].append(time.perf_counter() - began)
    own, decoding = seconds["docproc"], seconds[DECODING]
    least = statistics.median(own)
    return EndToEnd(
        layout, len(shown), fields, len(contents) - len(shown),
        tuple(Timed(name, told, tuple(seconds[name])) for name, told, _ in works), tuple(silent),
        len(shown) / least, fields / least, _ratio(own, decoding),
        tuple((name, _ratio(seconds[name], own)) for name, _, _ in works[1:] if name != DECODING),
    )  # fmt: skip


def _ratio(some: Sequence[float], others: Sequence[float]) -> float:
    return statistics.median(one / max(other, 1e-9) for one, other in zip(some, others, strict=True))


def _works(
    settings: Settings, layout: str, shown: Sequence[tuple[Document, bytes]]
) -> tuple[list[tuple[str, str, Work]], list[tuple[str, str]], int]:
    """What is measured: name, version, and a function that reads a document; what is missing; and docproc's field count.

    Each has read all documents once.
    """
    reader = DocumentReader.open(settings)

    def docproc(document: Document, data: bytes) -> int:
        rows = reader.read(opened_file(document, data, settings), settings.layout, lambda page: page.rows)
        return sum(bool(row.field) for row in rows)

    fields = sum(docproc(*one) for one in shown)
    works: list[tuple[str, str, Work]] = [("docproc", __version__, docproc), (DECODING, cv2.__version__, _decode)]
    silent = []
    for name, find in ((RAPIDOCR, _rapidocr), (TESSERACT, _tesseract)):
        found = find(as_lines=layout in FIELD_LAYOUTS)
        if isinstance(found, str):
            silent.append((name, found))
        else:
            works.append((name, *found))
    for _, _, work in works[1:]:
        for document, data in shown:
            work(document, data)
    return works, silent, fields


def _decode(document: Document, data: bytes) -> None:
    _gray(data)


def _gray(data: bytes) -> Gray | None:
    try:
        # The decoder is what is measured; elsewhere, files are opened in docproc.files.
        gray = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)  # noqa: TID251
    except cv2.error:
        return None
    return None if gray is None else np.asarray(gray, np.uint8)


def _rapidocr(*, as_lines: bool) -> tuple[str, Work] | str:
    """PP-OCR in ONNX Runtime: its recognizer alone for single lines, with its detector for pages."""
    if find_spec("rapidocr_onnxruntime") is None:
        return "it is not installed: pip install rapidocr-onnxruntime"
    from rapidocr_onnxruntime import RapidOCR

    engine = RapidOCR(intra_op_num_threads=1, inter_op_num_threads=1)

    def work(document: Document, data: bytes) -> None:
        engine(data, use_det=not as_lines, use_cls=False, use_rec=True)

    return version("rapidocr-onnxruntime"), work


def _tesseract(*, as_lines: bool) -> tuple[str, Work] | str:
    """The program as a shell calls it, once per file: configured for one line of digits, or for a page."""
    program = shutil.which("tesseract")
    if program is None:
        return "it is not installed"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    mode = ["--psm", "7", "-c", "tessedit_char_whitelist=0123456789"] if as_lines else []
    command = [program, "stdin", "stdout", *mode]
    call = partial(subprocess.run, command, capture_output=True, check=False, env=os.environ | {"OMP_THREAD_LIMIT": "1"})

    def work(document: Document, data: bytes) -> None:
        call(input=data)

    return (told.stdout or told.stderr).split("\n", 1)[0].removeprefix("tesseract "), work
