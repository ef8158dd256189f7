"""A map over isolated processes: bounded, each result as soon as it is there, and a crash costs one item.

`process_map` with its settings given is a `Mapper` (see `types`), and so is `plain_map`. Workers are spawned, never forked,
because OpenCV and pdfium keep threads; each holds one item at a time on its own pipe, so when one dies the item that killed
it is known, the worker is replaced, and every other item is safe.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from docproc.errors import DocprocError, DocumentError
from docproc.types import Item, Result

MOST_DEATHS = 20  # in a row: then it is not the documents
START = 120.0  # s in which a worker has loaded what it needs
LIFE = 1_000  # items after which a worker is replaced, so that no library's leak grows with the run

Prepare = Callable[[], Callable[[Item], Result]]


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    item: Any = None
    busy: bool = False
    since: float = 0.0  # when it was started, or given its item
    ready: bool = False
    done: int = 0  # items


def plain_map(
    prepare: Callable[[], Callable[[Item], Result]], items: Iterable[Item]
) -> Iterator[tuple[Item, Result | DocumentError]]:
    """The builtin `map`, in this process: for a few documents, and where processes are not to be had."""
    work = prepare()
    for item in items:
        try:
            yield item, work(item)
        except DocumentError as problem:
            yield item, problem


def process_map(
    prepare: Callable[[], Callable[[Item], Result]],
    items: Iterable[Item],
    /,
    *,
    jobs: int,
    seconds: float,
    memory: int = 0,
    may_spawn: bool = False,
) -> Iterator[tuple[Item, Result | DocumentError]]:
    """Apply what `prepare()` returns to every item in `jobs` processes; an item is taken from `items` when a worker is free.

    `prepare` runs once in each process and must be picklable; an error of the DocprocError tree in it ends the map and is
    raised here. A worker that dies, that takes more than `seconds` for an item, or more than `memory` bytes beside what
    `prepare` took (0: any amount), gives a DocumentError in its place. `may_spawn` allows workers processes of their own.
    """
    context = multiprocessing.get_context("spawn")
    source = iter(items)
    deaths = 0
    workers: list[_Worker] = []

    def hire() -> _Worker:
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(prepare, theirs, memory, os.getpid()), daemon=not may_spawn)
        with _one_thread():
            process.start()
        theirs.close()
        return _Worker(process, mine, since=time.monotonic())

    def replace(worker: _Worker) -> None:
        _dismiss([worker])
        workers[workers.index(worker)] = hire()

    try:
        workers.extend(hire() for _ in range(max(1, jobs)))
        exhausted = False
        while True:
            for worker in workers:
                if worker.ready and not worker.busy and not exhausted:
                    try:
                        worker.item = next(source)
                    except StopIteration:
                        exhausted = True
                        break
                    worker.busy, worker.since = True, time.monotonic()
                    with suppress(OSError):  # a dead worker is noticed below
                        worker.pipe.send(worker.item)
            if exhausted and not any(worker.busy for worker in workers):
                return

            pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in workers}
            for pipe in wait(list(pipes), timeout=0.5):
                worker = pipes[pipe]
                try:
                    kind, value = worker.pipe.recv()
                except (EOFError, OSError):
                    deaths += 1
                    words = _last_words(worker.process)
                    if worker.busy:
                        yield worker.item, DocumentError("worker_died", words)
                    if deaths >= MOST_DEATHS:
                        raise DocprocError(
                            f"{deaths} worker processes died one after the other ({words}); try docproc doctor"
                        ) from None
                    replace(worker)
                    continue
                if kind == "failed":
                    raise value
                if kind == "ready":
                    worker.ready = True
                    continue
                deaths = 0
                worker.busy = False
                worker.done += 1
                yield worker.item, value
                if worker.done >= LIFE:
                    replace(worker)
            now = time.monotonic()
            for worker in list(workers):
                if not worker.ready and now - worker.since > START:
                    raise DocprocError(f"a worker was not ready after {START:g} s; try docproc doctor")
                if worker.busy and now - worker.since > seconds and not worker.pipe.poll():
                    yield worker.item, DocumentError("timeout", f"took more than {seconds:g} s")
                    replace(worker)
    finally:
        _dismiss(workers)


def _dismiss(workers: Sequence[_Worker]) -> None:
    """End the processes, and give back at once all that was open for them."""
    for worker in workers:
        worker.process.kill()
    for worker in workers:
        worker.pipe.close()
        worker.process.join(timeout=5)
        with suppress(ValueError):  # a process that hangs in the system's hands cannot be closed
            worker.process.close()


def quarantine_map(
    prepare: Callable[[], Callable[[Item], Result]], items: Iterable[Item], /, *, seconds: float, memory: int = 0
) -> Iterator[tuple[Item, Result | DocumentError]]:
    """Like `process_map`, one item at a time, and between this process and each worker stands another.

    For items that are suspected to kill whoever reads them and that one's parent.
    """
    inner = partial(_nurse, prepare, seconds, memory)
    yield from process_map(inner, items, jobs=1, seconds=seconds + 30, may_spawn=True)


def _nurse(prepare: Callable[[], Callable[[Item], Result]], seconds: float, memory: int) -> Callable[[Item], Result]:
    def work(item: Item) -> Result:
        ((_, result),) = process_map(prepare, [item], jobs=1, seconds=seconds, memory=memory)
        if isinstance(result, DocumentError):
            raise result
        return result

    return work


@contextmanager
def _one_thread() -> Iterator[None]:
    """What starts here computes with one thread: numpy's libraries look at this when they are loaded."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    added = [name for name in names if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _last_words(process: SpawnProcess) -> str:
    process.join(timeout=2)
    code = process.exitcode
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"the process reading it was ended by {signal.Signals(-code).name}"
    return f"the process reading it ended with code {code}"


def _serve(prepare: Callable[[], Callable[[Item], Result]], pipe: Connection, memory: int, parent: int) -> None:
    """The life of a worker."""
    # Ctrl-C goes to the whole terminal: the parent decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    _hush()
    try:
        work = prepare()
    except DocprocError as problem:
        pipe.send(("failed", problem))
        return
    except Exception as problem:
        pipe.send(("failed", DocprocError(f"a worker cannot start: {type(problem).__name__}: {problem}; try docproc doctor")))
        return
    if memory:
        _limit_memory(memory)
    pipe.send(("ready", None))
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[str, Any] = ("done", work(item))
        except DocumentError as problem:
            answer = ("done", problem)
        except Exception as problem:  # one bad page is a value, whatever its decoder raised
            answer = ("done", _as_document_error(problem))
        pipe.send(answer)


def _as_document_error(problem: Exception) -> DocumentError:
    text = str(problem)
    if isinstance(problem, MemoryError) or "insufficient memory" in text.lower() or "bad_alloc" in text:
        return DocumentError("too_large", "it takes more memory than one document may; raise the limit `memory`")
    return DocumentError("internal", f"{type(problem).__name__}: {text}")


def _hush() -> None:
    """What a library prints in a worker is no data and no message: decoders talk about every damaged byte."""
    with suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        if not os.environ.get("DOCPROC_WORKERS_TALK"):
            os.dup2(nowhere, 2)
        os.close(nowhere)


def _limit_memory(memory: int) -> None:
    """Let this process grow by `memory` bytes from here, and leave no core behind. Only Linux says how large it is."""
    try:
        import resource

        with open("/proc/self/statm", "rb") as file:
            now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        limit = now + memory if most == resource.RLIM_INFINITY else min(now + memory, most)
        resource.setrlimit(resource.RLIMIT_AS, (limit, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    except (ImportError, OSError, ValueError):
        return


def _die_with(parent: int) -> None:
    """No worker outlives the run, even when the parent is killed outright."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            told = ctypes.CDLL(None).prctl(1, signal.SIGKILL) == 0  # PR_SET_PDEATHSIG: the kernel does it, at once
            if os.getppid() != parent:
                os._exit(1)
            if told:
                return
    import threading

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
