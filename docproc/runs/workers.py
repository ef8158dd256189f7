"""A map over isolated processes: bounded, yields each result as soon as it is available, and a crash costs one item.

`process_map` with its settings bound is a `Mapper` (see `types`), and so is `plain_map`. Workers are spawned, never forked,
because OpenCV and pdfium keep threads. Each holds one item at a time on its own pipe, so when one dies the item that killed it
is known, the worker is replaced, and every other item is safe. A `Crew` does the same for items that come later.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Any, Generic

from docproc.errors import DocprocError, DocumentError, unexpected
from docproc.types import Item, Result

MAX_DEATHS = 20  # of workers in a row: then the documents are not the cause [guess]
MAX_START_SECONDS = 120.0  # for a worker to load what it needs [guess]
MAX_ITEMS_A_WORKER = 1_000  # then it is replaced, so that a library's memory leak does not grow with the run [guess]
WAIT_SECONDS = 0.5  # to wait for results before deadlines are checked again [guess]
EXIT_SECONDS = 5  # for a killed process to be gone [guess]

Prepare = Callable[[], Callable[[Item], Result]]


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def plain_map(prepare: Prepare[Item, Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result | DocumentError]]:
    """The builtin `map`, in this process: for a few documents, and where processes cannot be started."""
    work = prepare()
    for item in items:
        try:
            yield item, work(item)
        except DocumentError as problem:
            yield item, problem


def process_map(
    prepare: Prepare[Item, Result],
    items: Iterable[Item],
    /,
    *,
    jobs: int,
    seconds: float,
    memory: int = 0,
    may_spawn: bool = False,
) -> Iterator[tuple[Item, Result | DocumentError]]:
    """Apply what `prepare()` returns to every item in `jobs` processes; an item is taken from `items` when a worker is free.

    `prepare` runs once in each process and must be picklable; a DocprocError in it ends the map and is raised here. If a worker
    dies, or takes more than `seconds` for an item or more than `memory` bytes beyond what `prepare` took (0: no limit), the
    item's result is a DocumentError. `may_spawn` allows workers to start processes of their own.
    """
    pool: _Pool[Item, Result] = _Pool(partial(_hire, prepare, memory, may_spawn), seconds)
    try:
        pool.fill(max(1, jobs))
        yield from pool.results(items)
    finally:
        _dismiss(pool.workers)


@dataclass(slots=True, eq=False)
class _Worker:
    """A process with its pipe and its current item."""

    process: SpawnProcess
    pipe: Connection
    since: float  # monotonic seconds: when it was started, or given its item
    item: Any = None
    busy: bool = False
    ready: bool = False
    done: int = 0  # items

    def give(self, item: Any, sent: Any = None) -> None:
        """Give the worker an item; `sent` is what is actually sent, if not the whole item."""
        self.item, self.busy, self.since = item, True, time.monotonic()
        with suppress(OSError):  # a dead worker is noticed when its answer is awaited
            self.pipe.send(item if sent is None else sent)


class _Pool(Generic[Item, Result]):
    """Workers, each with one item at a time; a worker that is lost or worn out is replaced."""

    def __init__(
        self,
        hire: Callable[[], _Worker],
        seconds: float,
        bell: Connection | None = None,
        answer: Callable[[Any], Any] | None = None,
    ) -> None:
        self.workers: list[_Worker] = []
        self._bell = bell  # sending on it interrupts the wait for results
        self._answer = answer  # to questions from workers
        self._hire, self._seconds = hire, seconds
        self._items: Iterator[Item] = iter(())
        self._exhausted = True
        self._deaths = 0  # in a row

    def fill(self, jobs: int) -> None:
        """Start workers."""
        for _ in range(jobs):
            self.workers.append(self._hire())

    def results(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result | DocumentError]]:
        """Yields each item with its result as soon as it is available; without items, returns when a worker is ready."""
        self._items, self._exhausted = iter(items), False
        while self.hand_out():
            yield from self.receive()
            yield from self.expire()

    def free(self) -> Iterator[_Worker]:
        """The workers that are waiting for an item."""
        return (worker for worker in self.workers if worker.ready and not worker.busy)

    def hand_out(self) -> bool:
        """Give every free worker an item; False when there are no more items and no worker has one."""
        for worker in self.free():
            if not self._exhausted:
                try:
                    item = next(self._items)
                except StopIteration:
                    self._exhausted = True
                else:
                    worker.give(item)
        return not self._exhausted or any(worker.busy for worker in self.workers)

    def receive(self) -> Iterator[tuple[Item, Result | DocumentError]]:
        """The results available after a short wait. Raises the error that ended a worker's start."""
        pipes: dict[Any, _Worker] = {worker.pipe: worker for worker in self.workers}
        heard = wait([*pipes, *([self._bell] if self._bell else [])], timeout=WAIT_SECONDS)
        if self._bell in heard:
            self._bell.recv_bytes()
        for pipe in heard:
            if pipe not in pipes:
                continue
            worker = pipes[pipe]
            try:
                kind, value = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._bury(worker)
                continue
            if kind == "failed":
                raise value
            if kind == "ready":
                worker.ready = True
                continue
            if kind == "asks":
                self._tell(worker, value)
                continue
            self._deaths = 0
            worker.busy = False
            worker.done += 1
            yield worker.item, value
            if worker.done >= MAX_ITEMS_A_WORKER:
                self._replace(worker)

    def _tell(self, worker: _Worker, question: Any) -> None:
        """Answer a worker's question. The time this takes does not count toward the item's limit."""
        began = time.monotonic()
        if self._answer is None:
            raise RuntimeError("a worker asks, and nobody answers")
        answer = self._answer(question)
        worker.since += time.monotonic() - began
        with suppress(OSError):  # as in `give`
            worker.pipe.send(answer)

    def expire(self) -> Iterator[tuple[Item, DocumentError]]:
        """The items that took too long. Raises DocprocError if a worker does not get ready."""
        now = time.monotonic()
        for worker in list(self.workers):
            if not worker.ready and now - worker.since > MAX_START_SECONDS:
                raise DocprocError(f"a worker was not ready after {MAX_START_SECONDS:g} s; try docproc doctor")
            if worker.busy and now - worker.since > self._seconds and not worker.pipe.poll():
                yield worker.item, DocumentError("timeout", f"took more than {self._seconds:g} s")
                self._replace(worker)

    def _bury(self, worker: _Worker) -> Iterator[tuple[Item, DocumentError]]:
        """The item of a dead worker, which is replaced. Raises DocprocError if too many died in a row."""
        self._deaths += 1
        cause = _cause_of_death(worker.process)
        if worker.busy:
            yield worker.item, DocumentError("worker_died", cause)
        if self._deaths >= MAX_DEATHS:
            raise DocprocError(
                f"{self._deaths} worker processes died one after the other ({cause}); try docproc doctor"
            ) from None
        self._replace(worker)

    def _replace(self, worker: _Worker) -> None:
        _dismiss([worker])
        self.workers[self.workers.index(worker)] = self._hire()


class Crew(Generic[Item, Result]):
    """Permanent workers for items that come one at a time from any thread; the other arguments are those of `process_map`.

    When so many workers die in a row that a map would end, the current items are lost and the workers are replaced.
    """

    def __init__(self, prepare: Prepare[Item, Result], *, jobs: int, seconds: float, memory: int = 0) -> None:
        self._hire = partial(_hire, prepare, memory, False)
        self._jobs, self._seconds = max(1, jobs), seconds
        self._waiting: SimpleQueue[tuple[Item, Future[Result]]] = SimpleQueue()
        self._heard, self._bell = multiprocessing.Pipe(duplex=False)
        self._ringing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="crew", daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> Future[Result]:
        """The result of an item, or the DocumentError in its place; DocprocError if no worker can start."""
        future: Future[Result] = Future()
        if self._closed:
            raise ValueError("this crew has gone")
        self._waiting.put((item, future))
        self._ring()
        return future

    def close(self) -> None:
        """End the workers; items not yet read are canceled."""
        self._closed = True
        self._ring()
        self._thread.join(timeout=2 * EXIT_SECONDS)

    def _ring(self) -> None:
        with self._ringing:
            self._bell.send_bytes(b"!")

    def _serve(self) -> None:
        while not self._closed:
            pool: _Pool[tuple[Item, Future[Result]], Result] = _Pool(self._hire, self._seconds, self._heard)
            try:
                pool.fill(self._jobs)
                while not self._closed:
                    self._hand_out(pool)
                    for found in (pool.receive, pool.expire):
                        for (_, future), result in found():
                            _settle(future, result)
            except DocprocError as problem:
                self._fail(pool, problem)
            finally:
                _dismiss(pool.workers)
        while not self._waiting.empty():
            self._waiting.get()[1].cancel()

    def _hand_out(self, pool: _Pool[tuple[Item, Future[Result]], Result]) -> None:
        for worker in pool.free():
            while not self._waiting.empty():
                item, future = self._waiting.get()
                if future.set_running_or_notify_cancel():
                    worker.give((item, future), item)
                    break

    def _fail(self, pool: _Pool[tuple[Item, Future[Result]], Result], problem: DocprocError) -> None:
        """Report the problem to all who wait, then idle until the next item is submitted."""
        lost = [worker.item[1] for worker in pool.workers if worker.busy]
        while not self._waiting.empty():
            lost.append(self._waiting.get()[1])
        for future in lost:
            if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
                future.set_exception(problem)
        while not self._closed and self._waiting.empty():
            if self._heard.poll(WAIT_SECONDS):
                self._heard.recv_bytes()


def _settle(future: Future[Result], result: Result | DocumentError) -> None:
    if isinstance(result, DocumentError):
        future.set_exception(result)
    else:
        future.set_result(result)


def _hire(prepare: Prepare[Item, Result], memory: int, may_spawn: bool) -> _Worker:
    """Start a process that serves items, see `process_map`."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(prepare, theirs, memory, os.getpid()), daemon=not may_spawn)
    with _one_thread(), _without_interruptions():
        process.start()
    theirs.close()
    return _Worker(process, mine, since=time.monotonic())


def _dismiss(workers: Sequence[_Worker]) -> None:
    """End the processes, and immediately close everything that was open for them."""
    for worker in workers:
        worker.process.kill()
    for worker in workers:
        worker.pipe.close()
        worker.process.join(timeout=EXIT_SECONDS)
        with suppress(ValueError):  # a process stuck in a system call cannot be closed
            worker.process.close()


def quarantine_map(
    prepare: Prepare[Item, Result], items: Iterable[Item], /, *, seconds: float, memory: int = 0
) -> Iterator[tuple[Item, Result | DocumentError]]:
    """Like `process_map`, but one item at a time, with another process between this one and each worker.

    For items suspected of killing both the process that reads them and its parent. An item is taken from `items` only when both
    processes are ready: a run that is killed before that does not count against it.
    """
    inner = partial(guard, prepare, seconds, memory)
    yield from process_map(inner, items, jobs=1, seconds=seconds + 30, may_spawn=True)


def guard(
    prepare: Prepare[Item, Result], seconds: float, memory: int, answer: Callable[[Any], Any] | None = None
) -> Callable[[Item], Result]:
    """A function that does its work in one isolated process, which is ready now; the arguments are those of `process_map`.

    `answer` answers what the work passes to `ask`. If it raises, the function raises the same, and cannot be used after that.
    """
    pool: _Pool[Item, Result] = _Pool(partial(_hire, prepare, memory, False), seconds, answer=answer)
    pool.fill(1)
    for _ in pool.results(()):
        pass

    def work(item: Item) -> Result:
        ((_, result),) = pool.results([item])
        if isinstance(result, DocumentError):
            raise result
        return result

    return work


@dataclass(slots=True)
class _Own:
    """What a process knows about itself if it is a worker."""

    pipe: Connection | None = None


_own = _Own()


def ask(question: object) -> Any:
    """In a worker, while it handles an item: the reply of its `guard`'s `answer`; a DocumentError as reply is raised.

    Raises ValueError in a process that is not a worker.
    """
    if _own.pipe is None:
        raise ValueError("only a worker can ask")
    _own.pipe.send(("asks", question))
    told = _own.pipe.recv()
    if isinstance(told, DocumentError):
        raise told
    return told


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started here compute with one thread: numpy's libraries read these variables when they are loaded."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    added = [name for name in names if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextmanager
def _without_interruptions() -> Iterator[None]:
    """Processes started here are not interrupted before they can ignore it; this one is interrupted afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _cause_of_death(process: SpawnProcess) -> str:
    process.join(timeout=2)
    code = process.exitcode
    if code is not None and code < 0:
        with suppress(ValueError):
            return f"the process reading it was ended by {signal.Signals(-code).name}"
    return f"the process reading it ended with code {code}"


def _serve(prepare: Prepare[Item, Result], pipe: Connection, memory: int, parent: int) -> None:
    """The main loop of a worker: prepare, then answer one item after another until the pipe closes."""
    # Ctrl-C reaches every process of the terminal; the parent decides what to do.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # see `_without_interruptions`
    _die_with(parent)
    _silence()
    _own.pipe = pipe
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
        except Exception as problem:  # one bad page yields a value, whatever its decoder raised
            answer = ("done", unexpected(problem))
        pipe.send(answer)


def _silence() -> None:
    """Discard what libraries print in a worker: decoders report every damaged byte."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        if not os.environ.get("DOCPROC_WORKERS_TALK"):
            os.dup2(null, 2)
        os.close(null)


def _limit_memory(memory: int) -> None:
    """Let this process grow by `memory` bytes from now on, without core dumps. Only Linux reports the current size."""
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
    """End this worker with its parent, even if the parent is killed."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            armed = ctypes.CDLL(None).prctl(1, signal.SIGKILL) == 0  # PR_SET_PDEATHSIG: the kernel kills immediately
            if os.getppid() != parent:
                os._exit(1)
            if armed:
                return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
