"""What the process that gives `docproc run --engine ray` takes by itself: it limits how many workers it can feed.

    python scripts/bench_driver.py [--names 1000000] [--read 20000] [--workers 2 16 256] [--ray]

Readers are nothing: they answer at once with the rows of one form, so what is left is the work of the driver. It is told what
it takes of memory and of a core for a name; and for a document to hand out, receive and keep, to write the table, and to merge
two shards. Ray itself is left out unless --ray is given: then it is one of this machine, with the first number of workers.
Exits with 1 where a name takes more than 200 bytes.
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
MOST = 200.0  # bytes of a name


class Enough(Exception):
    """So many documents were read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What this process has used by now."""

    seconds: float  # of a core
    own: float  # of these, in the thread that hands out; those of Ray's threads pass beside it
    wall: float
    memory: int  # bytes

    @staticmethod
    def now() -> Mark:
        """Read it."""
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
        return Mark(time.process_time(), time.thread_time(), time.monotonic(), pages * os.sysconf("SC_PAGE_SIZE"))

    def since(self, other: Mark, count: int) -> str:
        """Milliseconds of a core for each of so many, and by the clock."""
        names = ("seconds", "own", "wall")
        core, own, clock = ((getattr(self, name) - getattr(other, name)) / count * 1e3 for name in names)
        return f"{core:.3f} ms of a core, {own:.3f} of it in one thread, {clock:.3f} ms by the clock"


# ------------------------------------------------------------------------------------------------- readers that are none


def answer(outcome: Outcome, one: Todo) -> Outcome:
    """What is read of a document: the same of each, but no two are the same scan."""
    return replace(outcome, sha256=sha256(one.document.name.encode()).hexdigest())


def open_ready(outcome: Outcome, settings: Settings) -> Callable[[Todo], Outcome]:
    """In a worker: nothing to load."""
    return partial(answer, outcome)


class Ready(ModuleType):
    """What a fleet asks of Ray, without it: every worker answers whenever it is asked."""

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
        """Itself."""
        return value

    def wait(self, references: list[Any], num_returns: int, timeout: float) -> tuple[list[Any], list[Any]]:
        """All are there."""
        return references, []

    def get(self, reference: Callable[[], object]) -> object:
        """What came."""
        return reference()

    def cluster_resources(self) -> dict[str, float]:
        """A core for each worker."""
        return {"CPU": float(self._workers)}

    def kill(self, actor: object) -> None:
        """Nothing is there."""

    def shutdown(self) -> None:
        """Nothing is there."""


# ------------------------------------------------------------------------------------------------- measuring


def form() -> Outcome:
    """What is read of a form."""
    document = Document(FORM.name, FORM)
    settings = settings_for([document], RunRequest((FORM,), Path("none.csv"), str(FORM.with_name("template.toml"))))
    ((_, found),) = process_map(partial(open_worker, settings), [Todo(document, "", None, 0)], jobs=1, seconds=600)
    assert isinstance(found, Outcome)
    return found


def request(folder: Path, count: int, name: str, workers: int, shard: Shard | None = None) -> RunRequest:
    """A run over so many names in a store."""
    names = folder / f"{count}.txt"
    if not names.exists():
        with open(names, "w", encoding="ascii") as file:
            file.writelines(f"s3://census/in/{number // 1000:05}/page_{number:08}.png\n" for number in range(count))
    return RunRequest(
        (), folder / name, "digits", jobs=workers, engine="ray", lists=(names,), shard=shard, as_of=day("2026-11-28")
    )


def measured(asked: RunRequest, outcome: Outcome, most: int = 0) -> tuple[list[Mark], int]:
    """Marks before, after the first results, after the last and at the end, and how many documents were read between."""
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
    # No store is asked for anything.
    os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none"}
    with tempfile.TemporaryDirectory() as place:
        folder, first = Path(place), given.workers[0]
        if given.ray:
            (_, begun, ended, _), count = measured(request(folder, given.read, "ray.csv", first), outcome)
            print(f"a document, {first} workers of Ray: {ended.since(begun, count)}")
            return 0
        with patch.object(cluster, "_connected", lambda *_: Ready(first, outcome)):
            few = request(folder, 10, "few.csv", first)
            measured(few, outcome)  # what is imported and loaded once is no cost of names
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
    # By its name, as workers import it: what a program holds itself does not travel to processes.
    sys.exit(import_module("scripts.bench_driver").main())
