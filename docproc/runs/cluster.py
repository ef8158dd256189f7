"""A run on a Ray cluster: documents go out by name, and their results come back to the journal.

An actor on a machine of the cluster owns one isolated process of `workers`, which enforces the deadline and memory limit per
document: Ray has neither. If networks need a GPU, one actor per GPU holds them, and the reading actors query it (`hosting`). A
document counts as read once it is in the journal, in one transaction with its rows. So there is a single source of truth,
whatever dies, and documents in progress are read again.

These are plain actors, not Ray Data. A dataset repeats forever whatever killed its actor ("infinite retries"), or fails as a
whole. It does not tell which row an actor is working on, so attempts cannot be counted. Its checkpoint needs a file system
shared by all machines, and its results arrive in blocks.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from importlib.util import find_spec
from socket import create_connection, gethostname
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Generic, cast

from docproc._version import __version__
from docproc.documents import folder_of
from docproc.errors import BadInput, BadUsage, DocprocError, DocumentError, MissingPart
from docproc.options import Engine
from docproc.runs.hosting import Gathered, NetworksLost
from docproc.runs.journal import Todo
from docproc.runs.workers import MAX_DEATHS, MAX_START_SECONDS, Prepare, cores, guard
from docproc.types import Result

NEEDED = (2, 60)  # of Ray: from this version on a cluster on this machine alone has a token
MAX_ATTEMPTS = 4  # at a document whose reader died each time; after that its row says so [guess]
AHEAD = 2  # documents assigned to an actor: the current one and the next [guess]
WAIT_SECONDS = 0.5  # to wait for results before deadlines are checked again [guess]
IDLE_SECONDS = 600.0  # without any worker; machines may still be starting [guess]
KNOCK_SECONDS = 10.0  # for a cluster to answer [guess]
ANSWER_SECONDS = 120.0  # for the answer of a host; many workers may query it [guess]
HOST_SECONDS = 600.0  # that a document may wait for answers, in total [guess]
STARTS = 3  # of a cluster on this machine before the run gives up [guess]
LOOK_SECONDS = 10.0  # between two checks of the size of the cluster [guess]
ON_A_GPU = 64  # questions that a GPU gets at once, at most; other workers wait [guess]
STORE_BYTES = 100_000_000  # of shared memory for a cluster on this machine: rows are small [guess]
MAX_FOLDER = 40  # characters: the name of a socket in it has at most 107 [standard]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OF_THIS_MACHINE: Mapping[str, str] = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system: the node is 127.0.0.1, and all ports listen only there
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
}

Lost = tuple[Todo, DocumentError]
Networks = Callable[[], Callable[[Sequence[Any]], Sequence[Any]]]  # opens the networks; returns what answers many questions


def check_engine(engine: Engine, address: str) -> None:
    """Raises BadUsage for an address without Ray; with Ray, whatever `check_cluster` raises."""
    if engine == "ray":
        check_cluster(address)
    elif address:
        raise BadUsage("--address is that of a Ray cluster; give --engine ray, too")


def check_cluster(address: str) -> None:
    """Raises MissingPart if Ray is not installed, BadUsage if a cluster that is not local would accept anybody's commands."""
    if find_spec("ray") is None:
        raise MissingPart("--engine ray needs Ray: pip install ray")
    installed = version("ray")
    if tuple(int(part) for part in installed.split(".")[:2]) < NEEDED:
        raise MissingPart(f"--engine ray needs Ray 2.60, and {installed} is installed: pip install --upgrade ray")
    if "://" in address:
        raise BadUsage("--address takes HOST:PORT, or auto; start the run on a machine of the cluster")
    if address and not _is_local(address) and os.environ.get("RAY_AUTH_MODE") != "token":
        raise BadUsage(f"the cluster at {address} needs RAY_AUTH_MODE=token, here and where it is started")


def _is_local(address: str) -> bool:
    return address.rpartition(":")[0].strip("[]") in LOOPBACK


def hopeless(one: Todo) -> DocumentError:
    """The row's error for a document during which several runs ended."""
    return DocumentError("worker_died", f"the whole run ended {one.attempts} times while reading it")


def cluster_map(
    prepare: Prepare[Todo, Result],
    todo: Sequence[Todo],
    begin: Callable[[Sequence[Todo]], None],
    *,
    address: str,
    jobs: int,
    seconds: float,
    memory: int,
    networks: Networks | None = None,
    sized: Callable[[int], None] | None = None,
) -> Iterator[list[tuple[Todo, Result | DocumentError]]]:
    """Yields the documents with their results, in batches of those that finished together.

    `begin` is called when the reading of documents begins. A document during which its worker dies is read again, alone and
    after the others, up to MAX_ATTEMPTS times; attempts of earlier runs count. `address` is that of a cluster; without one, a
    cluster is started on this machine for this run. `jobs` is the number of workers; 0: one per core of the cluster. If
    `networks` is given, one process per GPU of the cluster opens them, and answers what several workers `ask` as one batch.
    `sized` is called with the number of workers there is room for, each time that is checked. The rest is as in `process_map`.
    Raises MissingPart if GPUs are needed and the cluster has none, DocprocError if it has no worker or too many died in a row.
    """
    left = todo
    lost: list[tuple[Todo, Result | DocumentError]] = [(one, hopeless(one)) for one in todo if one.attempts >= MAX_ATTEMPTS]
    if lost:
        yield lost
        left = [one for one in todo if one.attempts < MAX_ATTEMPTS]
    if not left:
        return
    with _joined(address, min(jobs or cores(), len(left))) as ray:
        fleet = _Fleet(left, begin, _Hiring(ray, _folder(left[0]), prepare, seconds, memory, networks), jobs, sized)
        while fleet.hand_out():
            if found := fleet.receive():
                yield found


# ------------------------------------------------------------------------------------------------- who has what


@dataclass(slots=True, eq=False)
class Hand:
    """The documents assigned to one worker, in the order in which it reads them."""

    documents: deque[Todo] = field(default_factory=deque)
    begun: bool = False  # whether reading of the first one has begun


class Desk:
    """Decides which document goes to which worker, and what happens when a worker dies. Knows nothing of processes."""

    def __init__(self, todo: Sequence[Todo]) -> None:
        # There may be a million, and `todo` creates each on demand.
        self._rest, self._left = iter(todo), len(todo)
        self._first: deque[Todo] = deque()  # those assigned but not begun, and one to look at
        self._last: deque[Todo] = deque()  # those during which a worker died

    def __len__(self) -> int:
        return len(self._first) + self._left + len(self._last)

    def deal(self, hands: Sequence[Hand]) -> Iterator[tuple[Hand, Todo]]:
        """Fill the hands: each gets one document, and if there are many, also the next one.

        A document during which a worker has died is assigned alone, so that another death is counted for the right document.
        """
        for room in range(AHEAD):
            for hand in hands:
                if len(hand.documents) != room or not len(self):
                    continue
                waiting = self._next()
                if room and (len(self) <= len(hands) or hand.documents[0].attempts or waiting[0].attempts):
                    continue
                one = waiting.popleft()
                hand.documents.append(one)
                yield hand, one

    def _next(self) -> deque[Todo]:
        """The deque with the next document at its front; there is at least one."""
        if not self._first and self._left:
            self._left -= 1
            self._first.append(next(self._rest))
        return self._first or self._last

    def lose(self, hand: Hand, problem: DocumentError) -> list[Lost]:
        """The worker with this hand is gone. The rest of its documents are given to others."""
        documents, hand.documents = hand.documents, deque()
        reading = documents.popleft() if documents and hand.begun else None
        self._first.extendleft(reversed(documents))
        return self.again(reading, problem) if reading else []

    def again(self, one: Todo, problem: DocumentError) -> list[Lost]:
        """Put a document at the end after another attempt; after the last attempt, return its error."""
        one = replace(one, attempts=one.attempts + 1)
        if one.attempts >= MAX_ATTEMPTS:
            return [(one, problem)]
        self._last.append(one)
        return []


# ------------------------------------------------------------------------------------------------- with Ray


class _Host:
    """The actor on a GPU: it holds the networks for the workers that are assigned to it."""

    def __init__(self, home: str, networks: Networks) -> None:
        self._problem: DocprocError | None = None
        with suppress(OSError):  # as in `_Reader`
            os.chdir(home)
        try:
            self._answer = Gathered(networks)
        except DocprocError as problem:
            self._problem = MissingPart(f"{_this_machine()} cannot open the networks: {problem}")
        except Exception as problem:
            self._problem = DocprocError(f"{_this_machine()} cannot open the networks: {type(problem).__name__}: {problem}")

    def problem(self) -> DocprocError | None:
        """Why it cannot answer, if so."""
        return self._problem

    def answer(self, question: Any) -> Any:
        """The scores for a question, or the DocumentError in their place.

        Questions that many workers ask at the same time are answered together.
        """
        try:
            return self._answer(question)
        except NetworksLost:
            os._exit(1)  # Ray starts it again


class _Reader:
    """The actor that reads: it works in the folder where the run was started, and owns one isolated process."""

    def start(
        self, expected: str, home: str, folder: str, prepare: Prepare[Todo, Any], seconds: float, memory: int, host: Any
    ) -> object:
        """Get ready. Returns None, or the DocprocError that prevents it; any other exception counts as the loss of this worker.

        `expected` is the version of docproc, `home` the folder in which the run was started, `folder` one that contains
        documents, or "", and `host` the actor of a `_Host`, or None.
        """
        if expected != __version__:
            return MissingPart(f"{_this_machine()} has docproc {__version__}; the run has {expected}")
        with suppress(OSError):  # documents that come by URL need no folder
            os.chdir(home)
        if folder and not os.path.isdir(folder):  # it would fail fast, and report one document after another as missing
            return BadInput(f"{_this_machine()} does not see the folder {folder}")
        # A spawned process imports its parent's main program, which here is Ray's.
        sys.modules["__main__"].__file__ = None
        answer = None
        if host is not None:
            import ray

            def answer(question: Any) -> Any:
                return ray.get(host.answer.remote(question), timeout=ANSWER_SECONDS)

        try:
            self._read = guard(prepare, seconds, memory, answer)
        except DocprocError as problem:
            return problem
        return None

    def read(self, one: Todo) -> object:
        """The result of reading a document, or the DocprocError in its place."""
        try:
            return self._read(one)
        except DocprocError as problem:
            return problem


@dataclass(slots=True, eq=False)
class _Member:
    """An actor and the documents assigned to it."""

    actor: Any
    starting: Any  # reference that resolves when it is ready
    since: float  # monotonic seconds: when it was started, or began the first document of its hand
    host: _Answering | None = None  # the host it queries
    ready: bool = False
    hand: Hand = field(default_factory=Hand)
    answers: deque[Any] = field(default_factory=deque)  # references to the results of the hand's documents

    @property
    def next(self) -> Any:
        """The reference that resolves next; None if nothing is pending."""
        return self.starting if not self.ready else (self.answers[0] if self.answers else None)


@dataclass(frozen=True, slots=True)
class _Hiring(Generic[Result]):
    """Starts actors."""

    ray: ModuleType
    folder: str
    prepare: Prepare[Todo, Result]
    seconds: float
    memory: int
    networks: Networks | None = None

    def room(self) -> int:
        """The number of reading actors that the cluster has room for, one per core."""
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def hire(self) -> Callable[[_Answering | None], _Member]:
        """Returns a function that starts an actor that queries a host. What actors need is sent to each machine once."""
        # The run itself replaces whatever dies, because it counts deaths. One actor has one process, and so one core.
        kind = self.ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0, scheduling_strategy="SPREAD")(_Reader)
        kept = self.ray.put(self.prepare)

        def hired(host: _Answering | None) -> _Member:
            actor = kind.remote()
            asked = host and host.actor
            starting = actor.start.remote(__version__, os.getcwd(), self.folder, kept, self.seconds, self.memory, asked)
            return _Member(actor, starting, time.monotonic(), host)

        return hired


@dataclass(slots=True, eq=False)
class _Answering:
    """An actor that holds networks."""

    actor: Any
    starting: Any  # reference that resolves when it is ready
    ready: bool = False


class _Hosts:
    """The actors that hold the networks, one per GPU of the cluster, but at most `most` if that is not 0."""

    def __init__(self, ray: ModuleType, networks: Networks, most: int) -> None:
        self._ray, self._networks, self._most = ray, networks, most
        # Ray restarts an actor that died, and shows it only its own GPU.
        self._kind = ray.remote(num_cpus=0, num_gpus=1, max_restarts=-1, max_task_retries=0, max_concurrency=ON_A_GPU)(_Host)
        self._all: list[_Answering] = []
        if not self._gpus():
            raise MissingPart(
                "no machine of the cluster tells Ray of a GPU, and the backend needs one; --backend onnx needs none"
            )

    def free(self, members: Sequence[_Member]) -> _Answering | None:
        """The host that the fewest workers query; None if none is ready. Raises the DocprocError that prevents a start."""
        for _ in range(self._gpus() - len(self._all)):  # machines may have joined
            # The networks are passed by value: an object in Ray's store may be lost by the time it is needed again.
            actor = self._kind.remote(os.getcwd(), self._networks)
            self._all.append(_Answering(actor, actor.problem.remote()))
        self._look()
        ready = [one for one in self._all if one.ready]
        return min(ready, key=lambda one: sum(member.host is one for member in members), default=None)

    def doubt(self, one: _Answering) -> None:
        """Check again whether the host is alive: a worker that queried it is lost."""
        one.ready, one.starting = False, one.actor.problem.remote()

    def _gpus(self) -> int:
        there = int(self._ray.cluster_resources().get("GPU", 0))
        return min(there, self._most) if self._most else there

    def _look(self) -> None:
        coming = {one.starting: one for one in self._all if not one.ready}
        there, _ = self._ray.wait(list(coming), num_returns=len(coming), timeout=0) if coming else ((), ())
        for reference in there:
            try:
                problem = self._ray.get(reference)
            except self._ray.exceptions.RayError:  # it is starting, or its machine is gone
                self.doubt(coming[reference])
                continue
            if problem:
                raise problem
            coming[reference].ready = True


class _Fleet(Generic[Result]):
    """The actors of a run; a lost one is replaced, and there are as many as the cluster has cores."""

    def __init__(
        self, todo: Sequence[Todo], begin: Callable[[Sequence[Todo]], None], hiring: _Hiring[Result], jobs: int,
        sized: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self._desk = Desk(todo)
        self._begin, self._ray, self._hiring, self._hire = begin, hiring.ray, hiring, hiring.hire()
        self._hosts = _Hosts(hiring.ray, hiring.networks, jobs) if hiring.networks else None
        # Waiting for a host does not count toward the time limit of a document.
        self._patience = hiring.seconds + MAX_START_SECONDS + 30 + (HOST_SECONDS if self._hosts else 0)
        self._jobs, self._sized = jobs, sized
        self._members: list[_Member] = []
        self._wanted = jobs
        self._looked = -LOOK_SECONDS
        self._deaths = 0  # since the last result
        self._heard = time.monotonic()  # when there was last a worker

    def hand_out(self) -> bool:
        """Give every worker what it should have; False when nothing is left to do."""
        left = len(self._desk) + sum(len(one.hand.documents) for one in self._members)
        if not left:
            return False
        self._look()
        while len(self._members) < min(self._wanted, left):
            host = self._hosts.free(self._members) if self._hosts else None
            if self._hosts and host is None:
                break
            self._members.append(self._hire(host))
        ready = {id(one.hand): one for one in self._members if one.ready}
        given = [(ready[id(hand)], one) for hand, one in self._desk.deal([one.hand for one in ready.values()])]
        first = [one for one in ready.values() if one.hand.documents and not one.hand.begun]
        if first:
            self._begin([one.hand.documents[0] for one in first])
        for member in first:
            member.hand.begun, member.since = True, time.monotonic()
        for member, one in given:
            member.answers.append(member.actor.read.remote(one))
        return True

    def receive(self) -> list[tuple[Todo, Result | DocumentError]]:
        """The results available after a short wait. Raises the error that ended a worker's start."""
        coming = {one.next: one for one in self._members if one.next is not None}
        if not coming:
            time.sleep(WAIT_SECONDS)
        there = self._ray.wait(list(coming), num_returns=1, timeout=WAIT_SECONDS)[0] if coming else []
        if there:
            there, _ = self._ray.wait(list(coming), num_returns=len(coming), timeout=0)
        found: list[tuple[Todo, Result | DocumentError]] = []
        for reference in there:
            member = coming[reference]
            try:
                answer = self._ray.get(reference)
            except self._ray.exceptions.RayError as problem:
                found += self._bury(member, getattr(problem, "cause", None) or problem)
                continue
            found += self._heed(member, answer)
        self._expire()
        return found

    def _heed(self, member: _Member, answer: object) -> Sequence[tuple[Todo, Result | DocumentError]]:
        """Handle an actor's answer."""
        self._heard = time.monotonic()
        if isinstance(answer, DocprocError) and not isinstance(answer, DocumentError):
            if not member.ready:
                raise answer
            return self._bury(member, answer)  # its processes died one after another
        if not member.ready:
            member.ready = True
            return []
        self._deaths = 0
        member.answers.popleft()
        one = member.hand.documents.popleft()
        member.hand.begun = False
        if isinstance(answer, DocumentError) and answer.code == "worker_died":
            return self._desk.again(one, answer)
        return [(one, cast("Result | DocumentError", answer))]

    def _bury(self, member: _Member, problem: Exception) -> list[Lost]:
        """The documents lost with an actor. Raises DocprocError if too many died in a row."""
        self._members.remove(member)
        self._ray.kill(member.actor)  # in case it is still alive but cannot go on
        if self._hosts and member.host:
            self._hosts.doubt(member.host)
        self._deaths += 1
        if self._deaths >= MAX_DEATHS + 2 * self._wanted:
            told = f"{type(problem).__name__}: {_first_line(problem)}"
            raise DocprocError(f"{self._deaths} workers of the cluster died one after the other: {told}")
        cause = f"the worker reading it was lost {MAX_ATTEMPTS} times; is the machine short of memory?"
        return self._desk.lose(member.hand, DocumentError("worker_died", cause))

    def _expire(self) -> None:
        """End actors that do not respond, as on a frozen machine. Raises DocprocError if there was no worker for too long."""
        now = time.monotonic()
        for member in self._members:
            if member.ready and member.answers and now - member.since > self._patience:
                self._ray.kill(member.actor)
        if any(member.ready for member in self._members):
            self._heard = now
        elif now - self._heard > IDLE_SECONDS:
            raise DocprocError(f"no worker of the cluster was ready in {IDLE_SECONDS:g} s; ray status tells what it lacks")

    def _look(self) -> None:
        """Update how many workers there should be: machines come and go."""
        known = self._jobs and not self._sized
        if known or time.monotonic() - self._looked <= LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        room = self._hiring.room()
        self._wanted = self._jobs or room
        if self._sized:
            self._sized(room)


def _folder(one: Todo) -> str:
    """The folder that contains a document; "" if it is in none, as in an archive."""
    folder = folder_of(one.document)
    return folder if os.path.isdir(folder) else ""


def _this_machine() -> str:
    return f"{gethostname()}, a machine of the cluster,"


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0]


@contextmanager
def _joined(address: str, workers: int) -> Iterator[ModuleType]:
    """Ray, connected to the cluster at the address or to one on this machine alone. Raises DocprocError."""
    _knock(address)
    with TemporaryDirectory(prefix="docproc-", ignore_cleanup_errors=True) as folder:
        own: dict[str, Any] = {"address": address}
        if not address:
            os.environ.update(_OF_THIS_MACHINE)
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # once: Ray remembers the first token
            own = {"address": "local", "num_cpus": workers, "include_dashboard": False, "object_store_memory": STORE_BYTES}
            if len(folder) <= MAX_FOLDER:
                own["_temp_dir"] = folder
        # Ray writes to stdout what happens to its processes; this run reports the consequences itself.
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            ray = _connected(address, own)
            try:
                yield ray
            finally:
                ray.shutdown()


def _knock(address: str) -> None:
    """Raises DocprocError if nothing answers at HOST:PORT. Ray would try for minutes without a message."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()
    except (OSError, ValueError, OverflowError) as problem:
        raise DocprocError(f"no Ray cluster answers at {address} ({problem}); start one with: ray start --head") from problem


def _connected(address: str, own: Mapping[str, Any]) -> ModuleType:
    # Ray has its own signal handlers that end a program, but this one reports what is kept.
    ours: dict[Any, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        try:
            # A busy machine may not be able to start a cluster in the 30 s that Ray waits.
            for left in range(1 if address else STARTS, 0, -1):
                try:
                    ray.init(log_to_driver=False, logging_level="ERROR", **own)
                    break
                except Exception as problem:  # of any kind
                    if left == 1:
                        at = f" at {address}" if address else ""
                        raise DocprocError(f"cannot join the Ray cluster{at}: {_first_line(problem)}") from problem
        except SystemExit as ended:
            if callable(own_way := ours.get(ended.code)):
                own_way(ended.code, None)
            raise
        finally:
            for number, handler in ours.items():
                signal.signal(number, handler)
    return cast(ModuleType, ray)
