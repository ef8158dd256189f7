"""A run on a Ray cluster: documents go out by name, and what was read of them comes back to the journal.

An actor on a machine of the cluster owns one isolated process of `workers`, which keeps the deadline and the memory of a
document: Ray has neither. Where networks need a GPU, an actor for each GPU has them, and those that read ask it (`hosting`). A
document counts as read once it is in the journal, in one transaction with its rows; so there is one truth, whatever dies, and
what was in hand is read again.

These are plain actors and no Ray Data. A dataset repeats for ever what killed its actor ("infinite retries"), or fails as a
whole. It does not tell which row an actor has in hand, so nobody can count. Its checkpoint wants a file system that all
machines share, and its results come by the block.
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

NEEDED = (2, 60)  # of Ray: a cluster of this machine alone has a token
MAX_ATTEMPTS = 4  # at a document whose reader died each time; then that is what its row says [guess]
AHEAD = 2  # documents in the hands of an actor: the one that it reads, and the next [guess]
WAIT_SECONDS = 0.5  # for results, before deadlines are checked again [guess]
IDLE_SECONDS = 600.0  # without any worker; machines may be on their way [guess]
KNOCK_SECONDS = 10.0  # until a cluster must answer [guess]
ANSWER_SECONDS = 120.0  # for the answer of a host; many may ask it [guess]
HOST_SECONDS = 600.0  # that a document may wait for answers, in all [guess]
STARTS = 3  # of a cluster of this machine, before the run gives up [guess]
LOOK_SECONDS = 10.0  # between two looks at how large the cluster is [guess]
ON_A_GPU = 64  # questions that a GPU gets together, at most; other workers wait [guess]
STORE_BYTES = 100_000_000  # of shared memory on a cluster of this machine: rows are small [guess]
MAX_FOLDER = 40  # characters: the name of a socket in it has at most 107 [standard]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OF_THIS_MACHINE: Mapping[str, str] = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # on every system: the node is 127.0.0.1, and all ports listen there alone
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
}

Lost = tuple[Todo, DocumentError]
Networks = Callable[[], Callable[[Sequence[Any]], Sequence[Any]]]  # opens them; what answers many questions


def check_engine(engine: Engine, address: str) -> None:
    """Raises BadUsage for an address without Ray, and with Ray what `check_cluster` raises."""
    if engine == "ray":
        check_cluster(address)
    elif address:
        raise BadUsage("--address is that of a Ray cluster; give --engine ray, too")


def check_cluster(address: str) -> None:
    """Raises MissingPart where Ray is not installed, BadUsage where a cluster that is not local would take anybody's orders."""
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
    """What the row of a document says during which several runs ended."""
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
    """The documents with what was read of them, those together that are there at the same time.

    `begin` is called when the reading of documents begins. A document during which its worker dies is read again, by itself
    and after the others, until it had MAX_ATTEMPTS; those of earlier runs count. `address` is that of a cluster; without one
    it is started on this machine, for this run. `jobs` is the number of workers; 0: one for each core of the cluster. Where
    `networks` is given, one process for each GPU of the cluster opens them, and answers together what several workers `ask`.
    `sized` is told for how many workers there is room, each time that was looked up. The rest is as in `process_map`. Raises
    MissingPart where a cluster without GPUs is asked for them, DocprocError where it has no worker, or too many died in a row.
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
    """The documents that one worker has, in the order in which it reads them."""

    documents: deque[Todo] = field(default_factory=deque)
    begun: bool = False  # the first of them


class Desk:
    """Which document goes to whom, and what becomes of one whose worker died. Knows no process."""

    def __init__(self, todo: Sequence[Todo]) -> None:
        # There may be a million, and `todo` makes each when it is asked for.
        self._rest, self._left = iter(todo), len(todo)
        self._first: deque[Todo] = deque()  # those that were in a hand, and not begun; and one to look at
        self._last: deque[Todo] = deque()  # those during which a worker died

    def __len__(self) -> int:
        return len(self._first) + self._left + len(self._last)

    def deal(self, hands: Sequence[Hand]) -> Iterator[tuple[Hand, Todo]]:
        """Fill the hands: each gets one document, and where there are many the next one, too.

        A document during which a worker has died is alone in a hand, so that a death is counted for the right one.
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
        """Where the next document lies at the front; there is one."""
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
        """Put a document at the end, after one more attempt; or, after the last, what its row says."""
        one = replace(one, attempts=one.attempts + 1)
        if one.attempts >= MAX_ATTEMPTS:
            return [(one, problem)]
        self._last.append(one)
        return []


# ------------------------------------------------------------------------------------------------- with Ray


class _Host:
    """What an actor with a GPU is: it has the networks, for the workers that are told of it."""

    def __init__(self, home: str, networks: Networks) -> None:
        self._problem: DocprocError | None = None
        with suppress(OSError):  # as in `_Reader`
            os.chdir(home)
        try:
            self._answer = Gathered(networks)
        except DocprocError as problem:
            self._problem = MissingPart(f"{gethostname()}, a machine of the cluster: {problem}")
        except Exception as problem:
            self._problem = DocprocError(f"{gethostname()}, a machine of the cluster, cannot open the networks: {problem}")

    def problem(self) -> DocprocError | None:
        """What stands in the way of answers."""
        return self._problem

    def answer(self, question: Any) -> Any:
        """The scores of a question, or the DocumentError that stands for them.

        What many workers ask at the same time is answered together.
        """
        try:
            return self._answer(question)
        except NetworksLost:
            os._exit(1)  # Ray starts it again


class _Reader:
    """What an actor is: it stands where the run was started, and owns one isolated process."""

    def start(
        self, expected: str, home: str, folder: str, prepare: Prepare[Todo, Any], seconds: float, memory: int, host: Any
    ) -> object:
        """Get ready. Returns None, or the DocprocError that stands in the way; what else is raised is a loss of this worker.

        `expected` is the version of docproc, `home` the folder in which the run was started, `folder` one in which documents
        lie, or "", and `host` the actor of a `_Host`, or None.
        """
        if expected != __version__:
            return MissingPart(f"{gethostname()}, a machine of the cluster, has docproc {__version__}; the run has {expected}")
        with suppress(OSError):  # documents that come by URL need no folder
            os.chdir(home)
        if folder and not os.path.isdir(folder):  # it would be quick, and say of one document after the other that it is gone
            return BadInput(f"{gethostname()}, a machine of the cluster, does not see the folder {folder}")
        # A spawned process imports the program of its parent, and that is Ray's.
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
        """What was read of a document, or the DocprocError that stands for it."""
        try:
            return self._read(one)
        except DocprocError as problem:
            return problem


@dataclass(slots=True, eq=False)
class _Member:
    """An actor, and what it was given."""

    actor: Any
    starting: Any  # the reference to come when it is ready
    since: float  # monotonic seconds: when it was hired, or began with the first document of its hand
    host: _Answering | None = None  # that it asks
    ready: bool = False
    hand: Hand = field(default_factory=Hand)
    answers: deque[Any] = field(default_factory=deque)  # references to come, of the hand's documents

    @property
    def next(self) -> Any:
        """The reference that comes next; None where nothing was asked."""
        return self.starting if not self.ready else (self.answers[0] if self.answers else None)


@dataclass(frozen=True, slots=True)
class _Hiring(Generic[Result]):
    """How actors are started."""

    ray: ModuleType
    folder: str
    prepare: Prepare[Todo, Result]
    seconds: float
    memory: int
    networks: Networks | None = None

    def room(self) -> int:
        """For how many actors that read the cluster has room, one on each core."""
        return max(1, int(self.ray.cluster_resources().get("CPU", 1)))

    def hire(self) -> Callable[[_Answering | None], _Member]:
        """What starts an actor, which asks a host. It is given what is needed to read documents, sent to each machine once."""
        # Whatever dies is replaced by the run, which counts. One actor has one process, and so one core.
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
    """An actor that has networks."""

    actor: Any
    starting: Any  # the reference to come when it is ready
    ready: bool = False


class _Hosts:
    """The actors that have the networks, one for each GPU of the cluster, but `most` of them if that is not 0."""

    def __init__(self, ray: ModuleType, networks: Networks, most: int) -> None:
        self._ray, self._networks, self._most = ray, networks, most
        # Ray starts one anew that died, and shows it its GPU alone.
        self._kind = ray.remote(num_cpus=0, num_gpus=1, max_restarts=-1, max_task_retries=0, max_concurrency=ON_A_GPU)(_Host)
        self._all: list[_Answering] = []
        if not self._gpus():
            raise MissingPart(
                "no machine of the cluster tells Ray of a GPU, and the backend needs one; --backend onnx needs none"
            )

    def free(self, members: Sequence[_Member]) -> _Answering | None:
        """The one that fewest workers ask; None where none is ready. Raises the DocprocError that stands in the way of one."""
        for _ in range(self._gpus() - len(self._all)):  # machines come
            # The networks go as they are: what is in Ray's store may be lost when it is needed again.
            actor = self._kind.remote(os.getcwd(), self._networks)
            self._all.append(_Answering(actor, actor.problem.remote()))
        self._look()
        ready = [one for one in self._all if one.ready]
        return min(ready, key=lambda one: sum(member.host is one for member in members), default=None)

    def doubt(self, one: _Answering) -> None:
        """Look again whether it is there: a worker that asked it is lost."""
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
            except self._ray.exceptions.RayError:  # it is being started, or its machine is gone
                self.doubt(coming[reference])
                continue
            if problem:
                raise problem
            coming[reference].ready = True


class _Fleet(Generic[Result]):
    """The actors of a run; one that is lost is replaced, and there are as many as the cluster has cores."""

    def __init__(
        self, todo: Sequence[Todo], begin: Callable[[Sequence[Todo]], None], hiring: _Hiring[Result], jobs: int,
        sized: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self._desk = Desk(todo)
        self._begin, self._ray, self._hiring, self._hire = begin, hiring.ray, hiring, hiring.hire()
        self._hosts = _Hosts(hiring.ray, hiring.networks, jobs) if hiring.networks else None
        # Waiting for a host is no part of the time that a document may take.
        self._patience = hiring.seconds + MAX_START_SECONDS + 30 + (HOST_SECONDS if self._hosts else 0)
        self._jobs, self._sized = jobs, sized
        self._members: list[_Member] = []
        self._wanted = jobs
        self._looked = -LOOK_SECONDS
        self._deaths = 0  # since the last result
        self._heard = time.monotonic()  # when there was a worker

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
        """The results that are there, after a short wait. Raises what ended a worker's start."""
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
        """What follows from what an actor said."""
        self._heard = time.monotonic()
        if isinstance(answer, DocprocError) and not isinstance(answer, DocumentError):
            if not member.ready:
                raise answer
            return self._bury(member, answer)  # its processes died one after the other
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
        """What is lost with an actor. Raises DocprocError where too many died in a row."""
        self._members.remove(member)
        self._ray.kill(member.actor)  # where it only could not go on
        if self._hosts and member.host:
            self._hosts.doubt(member.host)
        self._deaths += 1
        if self._deaths >= MAX_DEATHS + 2 * self._wanted:
            told = f"{type(problem).__name__}: {_first_line(problem)}"
            raise DocprocError(f"{self._deaths} workers of the cluster died one after the other: {told}")
        cause = f"the worker reading it was lost {MAX_ATTEMPTS} times; is the machine short of memory?"
        return self._desk.lose(member.hand, DocumentError("worker_died", cause))

    def _expire(self) -> None:
        """End actors that do not answer, as on a machine that is frozen. Raises DocprocError where there is none for long."""
        now = time.monotonic()
        for member in self._members:
            if member.ready and member.answers and now - member.since > self._patience:
                self._ray.kill(member.actor)
        if any(member.ready for member in self._members):
            self._heard = now
        elif now - self._heard > IDLE_SECONDS:
            raise DocprocError(f"no worker of the cluster was ready in {IDLE_SECONDS:g} s; ray status tells what it lacks")

    def _look(self) -> None:
        """How many workers there should be: machines come and go."""
        known = self._jobs and not self._sized
        if known or time.monotonic() - self._looked <= LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        room = self._hiring.room()
        self._wanted = self._jobs or room
        if self._sized:
            self._sized(room)


def _folder(one: Todo) -> str:
    """The folder in which a document lies; "" for one that is in none, as in an archive."""
    folder = folder_of(one.document)
    return folder if os.path.isdir(folder) else ""


def _first_line(problem: Exception) -> str:
    return str(problem).strip().partition("\n")[0]


@contextmanager
def _joined(address: str, workers: int) -> Iterator[ModuleType]:
    """Ray, connected to the cluster there, or to one of this machine alone. Raises DocprocError."""
    _knock(address)
    with TemporaryDirectory(prefix="docproc-", ignore_cleanup_errors=True) as folder:
        own: dict[str, Any] = {"address": address}
        if not address:
            os.environ.update(_OF_THIS_MACHINE)
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # once: Ray does not forget the first
            own = {"address": "local", "num_cpus": workers, "include_dashboard": False, "object_store_memory": STORE_BYTES}
            if len(folder) <= MAX_FOLDER:
                own["_temp_dir"] = folder
        # Ray writes on stdout what happens to its processes; what follows from it, this run says itself.
        with open(os.devnull, "w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            ray = _connected(address, own)
            try:
                yield ray
            finally:
                ray.shutdown()


def _knock(address: str) -> None:
    """Raises DocprocError where nobody answers at HOST:PORT. Ray would try for minutes, and say nothing."""
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        create_connection((host.strip("[]"), int(port)), timeout=KNOCK_SECONDS).close()
    except (OSError, ValueError, OverflowError) as problem:
        raise DocprocError(f"no Ray cluster answers at {address} ({problem}); ray start --head starts one") from problem


def _connected(address: str, own: Mapping[str, Any]) -> ModuleType:
    # Ray ends a program its own way at signals, and this one says what is kept.
    ours: dict[Any, Any] = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray

        try:
            # A machine that is busy otherwise may not have started one in the 30 s that Ray waits.
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
