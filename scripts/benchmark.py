"""How fast docproc is here: starting, one image, and the parts of reading one field, on one core.

    python scripts/benchmark.py [FOLDER [LAYOUT]] [--figures docs/figures.json]        default: samples auto

Prints the least of several rounds: other programs only ever make a round slower. The second call of a `docproc.Reader` stands
beside the share of the same picture in a run of a hundred copies of it in one process. `--figures` enters the parts of reading
one field, in ms, in the file that README and docs take their figures from, as `speed_LAYOUT`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
from figures import record

import docproc
from docproc.files import find_documents, open_pages
from docproc.forms import locator, open_layout
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.pipeline import prepare
from docproc.readers import MICR, e13b
from docproc.readers.e13b import Printed
from docproc.readers.handwriting import Handwritten, opinions_of, read, score_all, with_verifier
from docproc.readers.read import Prepared
from docproc.readers.verifier import NAME as VERIFIER
from docproc.readers.voters import VOTERS
from docproc.types import Frames, Line, LineRecognizer, Page
from docproc.weights.opening import open_model

PROJECT = Path(__file__).parent.parent
ROUNDS = 5
COPIES, CALLS = 100, 15  # of a picture in a run, and second calls: each is short, so that more of them are disturbed


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


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock, and of the processor alone: those hardly change where other programs run."""

    clock: float
    processor: float


def cost(work: Callable[[], object]) -> Cost:
    """What it costs, in this process and in those that it starts."""

    def processor() -> float:
        return time.process_time() + sum(os.times()[2:4])

    began, before = time.perf_counter(), processor()
    work()
    return Cost(time.perf_counter() - began, processor() - before)


def reader_beside_run(picture: Path, layout: str) -> tuple[Cost, Cost]:
    """What the second call of a Reader costs on a picture, and what its share is in a run of `COPIES` with `-j 1`.

    The share is without what the run takes to start: what one more picture costs.
    """
    with tempfile.TemporaryDirectory() as folder:

        def of_run(count: int) -> Cost:
            scans = Path(folder, str(count))
            scans.mkdir()
            for k in range(count):
                shutil.copy(picture, scans / f"{k}{picture.suffix}")
            out = ("-o", f"{folder}/{count}.csv", "-q")
            return cost(program("run", str(scans), "-j", "1", "--layout", layout, *out))

        def second_call() -> Cost:
            copy = Path(folder, "1", f"0{picture.suffix}")
            with docproc.Reader(layout) as reader:
                reader.read(copy)
                return cost(lambda: reader.read(copy))

        one, many = of_run(1), of_run(COPIES)
        calls = [second_call() for _ in range(CALLS)]
    share = Cost(*((getattr(many, kind) - getattr(one, kind)) / (COPIES - 1) for kind in ("clock", "processor")))
    return Cost(min(call.clock for call in calls), min(call.processor for call in calls)), share


class Kept:
    """A network that keeps what it was last shown."""

    def __init__(self, network: LineRecognizer) -> None:
        self.lines: Sequence[Line] = ()
        self._network = network
        self.name, self.model_hash = network.name, network.model_hash

    def recognize(self, lines: Sequence[Line], /) -> list[Frames]:
        self.lines = lines
        return self._network.recognize(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=PROJECT / "samples")
    parser.add_argument("layout", nargs="?", default="auto")
    parser.add_argument("--figures", type=Path, help="docs/figures.json")
    args = parser.parse_args()
    folder, layout_name = args.folder, args.layout
    documents, _ = find_documents([folder])
    print(f"docproc --help           {seconds(program('--help')):8.3f} s")
    with tempfile.TemporaryDirectory() as out:
        one = ("run", str(documents[0].path), "-o", f"{out}/t.csv", "--overwrite", "--no-resume", "--layout", layout_name)
        print(f"docproc run, one image   {seconds(program(*one)):8.3f} s")
    call, share = reader_beside_run(documents[0].path, layout_name)
    print(f"\nsecond call of a Reader beside the picture's share in a run of {COPIES} with -j 1, seconds")
    for kind in ("clock", "processor"):
        own, other = getattr(call, kind), getattr(share, kind)
        print(f"  by the {kind:10} {own:8.3f} {other:8.3f}   {own / other:.2f} times")
    print()

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

    asked = [(item.views, item.field.digits, item.field.rules) for item in written]
    verifier = Kept(model.networks[VERIFIER])

    def decode_all() -> None:
        own = [opinions_of(item.views, one, item.field.digits, model.fitted) for item, one in zip(written, scores, strict=True)]
        for item, opinions in zip(written, with_verifier(asked, own, verifier), strict=True):
            read(item, opinions, model)

    decoding = seconds(decode_all)
    steps["recognize: verifier"] = seconds(lambda: model.networks[VERIFIER].recognize(verifier.lines))
    steps["search and vote"] = decoding - steps["recognize: verifier"]
    steps["lines of E-13B"] = seconds(lambda: e13b.read_all(printed, model.micr, model.calibrations[MICR]))
    count, candidates = len(prepared), sum(len(item.cut.glyphs) for item in written)
    print(f"\n{count} fields, {candidates / max(1, len(written)):.1f} candidates each; ms a field on one core")
    for name, value in (steps | {"together": sum(steps.values())}).items():
        print(f"  {name:22} {value / count * 1000:7.2f}")
    if args.figures:
        networks = sum(value for name, value in steps.items() if name.startswith("recognize"))
        parts = {"locate_and_cut": preparing, "networks": networks, "search_and_vote": steps["search and vote"]}
        parts["together"] = sum(steps.values())
        ms = {f"{name}_ms": round(value / count * 1000, 1) for name, value in parts.items()}
        record(f"speed_{layout_name}", ms, f"scripts/benchmark.py FOLDER {layout_name}", args.figures)
    print(f"\n{candidates / steps['recognize: lattice']:,.0f} glyphs a second through {model.networks['lattice'].name}")


if __name__ == "__main__":
    main()
