"""How fast docproc is here: starting, one image, and the parts of reading one field, on one core.

    python scripts/benchmark.py [FOLDER [LAYOUT]]        default: samples auto

Prints the least of several rounds: other programs only ever make a round slower.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2

from docproc.fields.layouts import open_layout
from docproc.files import find_documents, open_pages
from docproc.options import Limits
from docproc.pipeline import Prepared, cells_of, frames_of, place, prepare, read
from docproc.readers.batching import flatten, regroup
from docproc.readers.lattice.normalize import normalize_all
from docproc.readers.lattice.segment import candidate_ink
from docproc.types import Page
from docproc.weights.opening import open_reader

PROJECT = Path(__file__).parent.parent
ROUNDS = 5


def seconds(work: Callable[[], object]) -> float:
    """The least time of several rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def program(*arguments: str) -> Callable[[], object]:
    """A run of the program in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "docproc", *arguments]
    return lambda: subprocess.run(command, check=True, capture_output=True, env=environment)


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / "samples"
    layout_name = sys.argv[2] if len(sys.argv) > 2 else "auto"
    documents, _ = find_documents([folder])
    print(f"docproc --help           {seconds(program('--help')):8.3f} s")
    with tempfile.TemporaryDirectory() as out:
        one = ("run", str(documents[0].path), "-o", f"{out}/t.csv", "--overwrite", "--no-resume", "--layout", layout_name)
        print(f"docproc run, one image   {seconds(program(*one)):8.3f} s")

    cv2.setNumThreads(1)
    reader = open_reader("onnx")
    layout = open_layout(layout_name, tuple(sorted({str(d.path.parent) for d in documents})))
    opened = [(page, str(d.path.parent)) for d in documents for page in open_pages(d, Limits()) if isinstance(page, Page)]
    prepared: list[Prepared] = []

    def prepare_all() -> None:
        prepared[:] = [item for page, folder in opened for item in prepare(place(page, partial(layout.locate, folder=folder)))]

    total = seconds(prepare_all)
    inks = [[candidate_ink(p.lattice, k) for k in range(len(p.lattice.candidates))] for p in prepared]
    normalizing = seconds(lambda: [normalize_all(own) for own in inks])
    batch, counts = flatten([p.glyphs for p in prepared])
    recognizing = seconds(lambda: reader.recognizer.recognize(batch))
    scores = regroup(reader.recognizer.recognize(batch), counts)
    lining = seconds(lambda: frames_of(prepared, reader))
    frames = frames_of(prepared, reader)
    pictures = [p.cells for p in prepared]
    boxing = seconds(lambda: cells_of(pictures, reader.cell_recognizer))
    cells = cells_of(pictures, reader.cell_recognizer)
    decoding = seconds(lambda: [read(*each, reader) for each in zip(prepared, scores, frames, cells, strict=True)])
    count = len(prepared)
    print(f"\n{count} fields, {len(batch) / count:.1f} candidates each; ms a field on one core")
    for name, value in (
        ("locate and segment", total - normalizing),
        ("normalize", normalizing),
        ("recognize glyphs", recognizing),
        ("recognize lines", lining),
        ("recognize cells", boxing),
        ("decode and vote", decoding),
        ("together", total + recognizing + lining + boxing + decoding),
    ):
        print(f"  {name:22} {value / count * 1000:7.2f}")
    print(f"\n{len(batch) / recognizing:,.0f} glyphs a second through {reader.recognizer.name}")


if __name__ == "__main__":
    main()
