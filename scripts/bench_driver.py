"""Measures what the driver process of `docproc run --engine ray` needs: this limits how many workers it can feed.

    python scripts/bench_driver.py [--names 1000000] [--read 20000] [--workers 2 16 256] [--ray]

The readers do nothing: they answer immediately with the rows of one form, so only the driver's work is left. Reports the memory
and core time per name; and the time per document to hand out, receive and keep it, to write the table, and to merge two
shards. Ray itself is left out unless --ray is given: then a cluster on this machine is used, with the first number of workers.
Exits with 1 if a name takes more than 200 bytes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docproc.documents import Settings, settings_for
from docproc.files import Document
from docproc.options import RunRequest, Shard, day
from docproc.runs import cluster
from docproc.runs.batch import open_worker, run
from docproc.runs.journal import Outcome, Todo
from docproc.runs.shards import merge
from docproc.runs.workers import process_map
from docproc.types import Row

FORM = Path(__file__).resolve().parent.parent / "samples" / "survey" / "form_3.png"
MOST = 200.0  # bytes per name


class Enough(Exception):
    """Enough documents were read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What this process has used so far."""

    seconds: float  # of a core
    own: float  # of these, in the thread that hands out; those of Ray's threads run in parallel
    wall: float
    memory: int  # bytes

    @staticmethod
    def now() -> Mark:
        """The current values."""
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return Mark(time.process_time(), time.thread_time(), time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE"))

    def since(self, other: Mark, count: int) -> str:
        """Core and wall-clock milliseconds per item, for `count` items."""
        names = ("seconds", "own", "wall")
        core, own, clock = ((getattr(self, name) - getattr(other, name)) / count * 1e3 for name in names)
        return f"{core:.3f} ms of a core, {own:.3f} of it in one thread, {clock:.3f} ms by the clock"


# ------------------------------------------------------------------------------------------------- readers that are none


def answer(outcome: Outcome, one: Todo) -> Outcome:
    """The reading of a document: the same for each, but no two are the same scan."""
    return replace(outcome, sha256=sha256(one.document.name.encode()).hexdigest())


def open_ready(outcome: Outcome, settings: Settings) -> Callable[[Todo], Outcome]:
    """In a worker: nothing to load."""
    return partial(answer, outcome)


class Ready(ModuleType):
    """What a fleet needs from Ray, without Ray: every worker answers immediately."""

    exceptions = SimpleNamespace(RayError=OSError)

    def __init__(self, workers: int, outcome: Outcome) -> None:
        super().__init__("ray")
        self._workers, self._outcome = workers, outcome

    def remote(self, **_: object) -> Callable[[type], object]:
        """A kind of actor."""
        start = SimpleNamespace(remote=lambda *_: lambda: None)
        read = SimpleNamespace(remote=lambda one: partial(answer, self._outcome, one))
        return lambda kind: SimpleNamespace(remote=lambda: SimpleNamespace(start=start, read=read))

    def put(self, value: object) -> object:
        """Returns the value itself."""
        return value

    def wait(self, references: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        """All are ready."""
        return references, []

    def get(self, reference: Callable[[], object]) -> object:
        """The result."""
        return reference()

    def cluster_resources(self) -> dict[str, float]:
        """One core per worker."""
        return {"CPU": float(self._workers)}

    def kill(self, actor: object) -> None:
        """Does nothing."""

    def shutdown(self) -> None:
        """Does nothing."""


# ------------------------------------------------------------------------------------------------- measuring


def form() -> Outcome:
    """The reading of a form."""
    document = Document(FORM.name, FORM)
    settings = settings_for([document], RunRequest((FORM,), Path("none.csv"), str(FORM.with_name("template.toml"))))
    ((_, found),) = process_map(partial(open_worker, settings), [Todo(document, "", None, 0)], jobs=1, seconds=600)
    assert isinstance(found, Outcome)
    return found


def request(folder: Path, count: int, name: str, workers: int, shard: Shard | None = None) -> RunRequest:
    """A run over this many names in a store."""
    names = folder / f"{count}.txt"
    if not names.exists():
        with open(names, "w", encoding="ascii") as file:
            file.writelines(f"s3://census/in/{number // 1000:05}/page_{number:08}.png\n" for number in range(count))
    return RunRequest(
        (), folder / name, "digits", jobs=workers, engine="ray", lists=(names,), shard=shard, as_of=day("2026-11-28")
    )


def measured(asked: RunRequest, outcome: Outcome, most: int = 0) -> tuple[list[Mark], int]:
    """Marks before, after the first results, after the last and at the end, and the number of documents read in between."""
    marks, counts = [Mark.now()], [0]

    def progress(done: int, total: int, rows: Sequence[Row]) -> None:
        if len(marks) == 1:
            marks.append(Mark.now())
            counts.append(done)
        if done == (most or total):
            marks.append(Mark.now())
            counts.append(done)
            if most:
                raise Enough

    with suppress(Enough):
        run(asked, progress, partial(open_ready, outcome))
    return [*marks, Mark.now()], counts[-1] - counts[1]


def main() -> int:
    """Measure, and return the exit code."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--names", type=int, default=1_000_000)
    asked.add_argument("--read", type=int, default=20_000)
    asked.add_argument("--workers", type=int, nargs="+", default=[2, 16, 256])
    asked.add_argument("--ray", action="store_true")
    given = asked.parse_args()
    outcome = form()
    print(f"a form has {len(outcome.rows or ())} rows; load {os.getloadavg()[0]:.1f}", flush=True)
    # No store is contacted.
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    with tempfile.TemporaryDirectory() as place:
        folder, first = Path(place), given.workers[0]
        if given.ray:
            (_, begun, ended, _), count = measured(request(folder, given.read, "ray.csv", first), outcome)
            print(f"a document, {first} workers of Ray: {ended.since(begun, count)}")
            return 0
        with patch.object(cluster, "_connected", lambda *_: Ready(first, outcome)):
            few = request(folder, 10, "few.csv", first)
            measured(few, outcome)  # one-time imports and loading are not part of the cost of names
            (before, begun, ended, _), _ = measured(request(folder, given.names, "names.csv", first), outcome, given.read)
        grown = (ended.memory - before.memory) / given.names
        print(f"{given.names} names: {grown:.0f} bytes each, {begun.since(before, given.names)}", flush=True)
        for workers in given.workers:
            with patch.object(cluster, "_connected", lambda *_, count=workers: Ready(count, outcome)):
                one = request(folder, given.read, f"{workers}.csv", workers)
                (_, begun, ended, after), count = measured(one, outcome)
            print(f"a document, {workers} workers: {ended.since(begun, count)}", flush=True)
        print(f"a document in the table: {after.since(ended, given.read)}", flush=True)
        with patch.object(cluster, "_connected", lambda *_: Ready(first, outcome)):
            parts = [request(folder, given.read, f"part{number}.csv", first, Shard(number, 2)) for number in (1, 2)]
            for part in parts:
                measured(part, outcome)
            began = Mark.now()
            merge(folder / "merged.csv", [part.output for part in parts])
        print(f"a document that is merged: {Mark.now().since(began, given.read)}")
    return int(grown > MOST)


if __name__ == "__main__":
    # By its module name, as workers import it: what the main program defines itself is not sent to processes.
    sys.exit(import_module("scripts.bench_driver").main())
