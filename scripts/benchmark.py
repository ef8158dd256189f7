"""Speed of docproc on this machine: start-up, one image, and the parts of reading one field, on one core.

    python scripts/benchmark.py [FOLDER [LAYOUT]] [--figures docs/figures.json]        default: samples auto

Prints the minimum of several rounds: other programs only ever make a round slower. The second call of a `docproc.Reader` is
shown next to the share of the same picture in a run of a hundred copies of it in one process. `--figures` enters the parts of
reading one field, in ms, in the file that README and docs take their figures from, as `speed_LAYOUT`, and as `whole_LAYOUT` the
time of the whole reading compared with decoding the files, and with other installed programs.
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
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
from figures import record

import docproc
from docproc.commands.bench import end_to_end_lines
from docproc.documents import folder_of
from docproc.files import find_documents, open_pages
from docproc.forms import locator, open_layout
from docproc.learn.evaluation.end_to_end import end_to_end
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.pipeline import prepare
from docproc.readers import MICR, e13b, handwriting
from docproc.readers.e13b import Printed
from docproc.readers.handwriting import Handwritten
from docproc.readers.model import Model
from docproc.readers.read import Prepared
from docproc.types import Page
from docproc.weights.opening import open_model

PROJECT = Path(__file__).parent.parent
ROUNDS = 5
COPIES, CALLS = 100, 15  # of a picture in a run, and second calls: each is short, so more of them are disturbed


def seconds(work: Callable[[], object]) -> float:
    """The minimum time of several rounds."""
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
    """Wall-clock and processor seconds: the latter hardly change when other programs run."""

    clock: float
    processor: float


def cost(work: Callable[[], object]) -> Cost:
    """The cost, in this process and in those that it starts."""

    def processor() -> float:
        return time.process_time() + sum(os.times()[2:4])

    began, before = time.perf_counter(), processor()
    work()
    return Cost(time.perf_counter() - began, processor() - before)


def reader_beside_run(picture: Path, layout: str) -> tuple[Cost, Cost]:
    """The cost of the second call of a Reader on a picture, and of its share in a run of `COPIES` with `-j 1`.

    The share excludes the start-up of the run: it is the cost of one more picture.
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


class Timed:
    """A network, and its time in seconds."""

    def __init__(self, network: Any) -> None:
        self.seconds, self.items = 0.0, 0
        self._network = network
        self.name, self.model_hash = network.name, network.model_hash

    def recognize(self, items: Any, /) -> Any:
        began = time.perf_counter()
        said = self._network.recognize(items)
        self.seconds += time.perf_counter() - began
        self.items += len(items)
        return said


def read_timed(written: Sequence[Handwritten], model: Model) -> tuple[float, dict[str, Timed]]:
    """The total seconds for reading, and the networks with theirs."""
    networks = {name: Timed(network) for name, network in model.networks.items()}
    began = time.perf_counter()
    handwriting.read_all(written, replace(model, networks=networks))
    return time.perf_counter() - began, networks


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
    call, share = reader_beside_run(Path(documents[0].path), layout_name)
    print(f"\nsecond call of a Reader beside the picture's share in a run of {COPIES} with -j 1, seconds")
    for kind in ("clock", "processor"):
        own, other = getattr(call, kind), getattr(share, kind)
        print(f"  by the {kind:10} {own:8.3f} {other:8.3f}   {own / other:.2f} times")
    print()

    cv2.setNumThreads(1)
    model = open_model("onnx")
    layout = open_layout(layout_name, tuple(sorted({folder_of(d) for d in documents})))
    pages = [
        (clean(page), locator(layout, folder_of(document)))
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
    reading, networks = min((read_timed(written, model) for _ in range(ROUNDS)), key=lambda one: one[0])
    steps |= {f"recognize: {name}": network.seconds for name, network in networks.items()}
    steps["search and vote"] = reading - sum(network.seconds for network in networks.values())
    steps["lines of E-13B"] = seconds(lambda: e13b.read_all(printed, model.micr, model.calibrations[MICR]))
    count, candidates = len(prepared), sum(len(item.cut.glyphs) for item in written)
    print(f"\n{count} fields, {candidates / max(1, len(written)):.1f} candidates each; ms a field on one core")
    for name, value in (steps | {"together": sum(steps.values())}).items():
        print(f"  {name:22} {value / count * 1000:7.2f}")
    if args.figures:
        in_networks = sum(value for name, value in steps.items() if name.startswith("recognize"))
        parts = {"locate_and_cut": preparing, "networks": in_networks, "search_and_vote": steps["search and vote"]}
        parts["together"] = sum(steps.values())
        ms = {f"{name}_ms": round(value / count * 1000, 1) for name, value in parts.items()}
        record(f"speed_{layout_name}", ms, f"scripts/benchmark.py FOLDER {layout_name}", args.figures)
    print(f"\n{candidates / steps['recognize: lattice']:,.0f} glyphs a second through {model.networks['lattice'].name}\n")
    found = end_to_end([folder], layout_name, "onnx", None, 3, lambda step: None)
    print(*end_to_end_lines(found), sep="\n")
    if args.figures:
        ratios = {"to_decoding": found.to_decoding, **{name.lower(): ratio for name, ratio in found.to_docproc}}
        told = {name: round(ratio, 1) for name, ratio in ratios.items()}
        told |= {"pages_a_second": round(found.pages_a_second, 1), "fields_a_second": round(found.fields_a_second, 1)}
        record(f"whole_{layout_name}", told, f"scripts/benchmark.py FOLDER {layout_name}", args.figures)


if __name__ == "__main__":
    main()
