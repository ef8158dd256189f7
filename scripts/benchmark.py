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

from docproc.files import find_documents, open_pages
from docproc.forms import locator, open_layout
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.pipeline import prepare
from docproc.readers import MICR, e13b
from docproc.readers.e13b import Printed
from docproc.readers.handwriting import Handwritten, opinions_of, read, score_all
from docproc.readers.read import Prepared
from docproc.readers.voters import VOTERS
from docproc.types import Page
from docproc.weights.opening import open_model

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
    model = open_model("onnx")
    layout = open_layout(layout_name, tuple(sorted({str(d.path.parent) for d in documents})))
    pages = [
        (clean(page), locator(layout, str(document.path.parent)))
        for document in documents
        for page in open_pages(document, Limits())
        if isinstance(page, Page)
    ]
    prepared: list[Prepared] = []

    def prepare_all() -> None:
        prepared[:] = [item for page, locate in pages for item in prepare(locate(page))]

    preparing = seconds(prepare_all)
    written = [item for item in prepared if isinstance(item, Handwritten)]
    printed = [item for item in prepared if isinstance(item, Printed)]
    steps = {"locate and cut": preparing}
    for name, voter in VOTERS.items():
        views = [item.views[name] for item in written if name in item.views]
        steps[f"recognize: {name}"] = seconds(partial(voter.score, views, model.networks[name]))
    scores = score_all([item.views for item in written], model.networks)

    def decode_all() -> None:
        for item, own in zip(written, scores, strict=True):
            read(item, opinions_of(item.views, own, item.field.digits, model.fitted), model)

    steps["search and vote"] = seconds(decode_all)
    steps["lines of E-13B"] = seconds(lambda: e13b.read_all(printed, model.micr, model.calibrations[MICR]))
    count, candidates = len(prepared), sum(len(item.cut.glyphs) for item in written)
    print(f"\n{count} fields, {candidates / max(1, len(written)):.1f} candidates each; ms a field on one core")
    for name, value in (steps | {"together": sum(steps.values())}).items():
        print(f"  {name:22} {value / count * 1000:7.2f}")
    print(f"\n{candidates / steps['recognize: lattice']:,.0f} glyphs a second through {model.networks['lattice'].name}")


if __name__ == "__main__":
    main()
