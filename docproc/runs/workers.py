"""A map over isolated processes: bounded, in order, and a crash costs one item.

`process_map` with its number of processes and its deadline given is a `Mapper` (see `types`), and so is `plain_map`.
Workers are spawned, never forked, because OpenCV and pdfium keep threads; each holds one item at a time on its own pipe, so
when one dies the item that killed it is known, the worker is replaced, and every other item is safe.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from docproc.errors import DocprocError, DocumentError
from docproc.types import Failed, Item, Result

MOST_DEATHS = 20  # in a row: then it is not the documents
AHEAD = 64  # results that may wait for an earlier one


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    place: int | None = None  # of the item in hand
    item: Any = None
    since: float = 0.0
    ready: bool = False


def plain_map(prepare: Callable[[], Callable[[Item], Result]], items: Iterable[Item]) -> Iterator[Result | Failed[Item]]:
    """The builtin `map`, in this process: for a few documents, and where processes are not to be had."""
    work = prepare()
    for item in items:
        try:
            yield work(item)
        except DocumentError as problem:
            yield Failed(item, problem)


def process_map(
    prepare: Callable[[], Callable[[Item], Result]], items: Iterable[Item], /, *, jobs: int, seconds: float
) -> Iterator[Result | Failed[Item]]:
    """Apply what `prepare()` returns to every item in `jobs` processes; results in the order of the items.

    `prepare` runs once in each process and must be picklable; an error of the DocprocError tree in it ends the map and is
    raised here. A worker that dies, or that takes more than `seconds` for an item, gives a `Failed` in its place.
    """
    context = multiprocessing.get_context("spawn")
    source = enumerate(items)
    finished: dict[int, Result | Failed[Item]] = {}
    following = 0
    deaths = 0
    workers: list[_Worker] = []

    def hire() -> _Worker:
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(prepare, theirs), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, mine)

    try:
        workers.extend(hire() for _ in range(max(1, jobs)))
        exhausted = False
        while True:
            for worker in workers:
                if worker.ready and worker.place is None and not exhausted and len(finished) < AHEAD:
                    found = next(source, None)
                    if found is None:
                        exhausted = True
                        break
                    worker.place, worker.item = found
                    worker.since = time.monotonic()
                    with suppress(OSError):  # a dead worker is noticed below
                        worker.pipe.send(worker.item)
            while following in finished:
                yield finished.pop(following)
                following += 1
            if exhausted and all(worker.place is None for worker in workers) and not finished:
                return

            pipes = {worker.pipe: worker for worker in workers}
            for pipe in wait(list(pipes), timeout=0.5):
                worker = pipes[pipe]  # type: ignore[index]
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, OSError):
                    deaths += 1
                    _lose(worker, finished, DocumentError("worker_died", _last_words(worker.process)))
                    if deaths >= MOST_DEATHS:
                        raise DocprocError(
                            f"{deaths} worker processes died one after the other ({_last_words(worker.process)}); "
                            "try docproc doctor"
                        ) from None
                    workers[workers.index(worker)] = hire()
                    continue
                if kind == "failed":
                    raise value
                if kind == "ready":
                    worker.ready = True
                    continue
                deaths = 0
                assert worker.place is not None
                finished[worker.place] = value if kind == "done" else Failed(worker.item, value)
                worker.place = None
            now = time.monotonic()
            for number, worker in enumerate(workers):
                if worker.place is not None and now - worker.since > seconds:
                    worker.process.kill()
                    _lose(worker, finished, DocumentError("timeout", f"took more than {seconds:g} s"))
                    worker.pipe.close()
                    workers[number] = hire()
    finally:
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join(timeout=5)
            worker.pipe.close()


def _lose(worker: _Worker, finished: dict[int, Any], error: DocumentError) -> None:
    if worker.place is not None:
        finished[worker.place] = Failed(worker.item, error)
        worker.place = None


def _last_words(process: SpawnProcess) -> str:
    process.join(timeout=2)
    code = process.exitcode
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"the process reading it was ended by {signal.Signals(-code).name}"
    return f"the process reading it ended with code {code}"


def _serve(prepare: Callable[[], Callable[[Item], Result]], pipe: Connection) -> None:
    """The life of a worker."""
    # Ctrl-C goes to the whole terminal: the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with_parent()
    try:
        work = prepare()
    except DocprocError as problem:
        pipe.send(("failed", problem))
        return
    pipe.send(("ready", None))
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer: tuple[str, Any] = ("done", work(item))
        except DocumentError as problem:
            answer = ("error", problem)
        except Exception as problem:  # one bad page is a value, whatever its decoder raised
            answer = ("error", DocumentError("internal", f"{type(problem).__name__}: {problem}"))
        pipe.send(answer)


def _die_with_parent() -> None:
    """No worker outlives the run, even when the parent is killed outright."""
    import threading

    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
