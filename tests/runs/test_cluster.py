"""Runs on a Ray cluster: the table of any run, whatever dies on the way."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType, SimpleNamespace

import pytest

from docproc._version import __version__
from docproc.commands.status import run_status
from docproc.errors import TERMINATED, BadInput, BadUsage, DocprocError, DocumentError, MissingPart
from docproc.files import Document
from docproc.runs import cluster
from docproc.runs.cluster import MAX_ATTEMPTS, Desk, Hand, check_cluster, check_engine
from docproc.runs.journal import Outcome, Todo
from tests.cli.program import docproc, table
from tests.conftest import PROJECT, SAMPLES
from tests.runs.faulty import POISON, fill, read_faulty
from tests.runs.processes import LOOPBACK, left, listening, of_session

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray (the extra `ray`)")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux tells them")
GONE_SECONDS = 90.0  # until all is gone: when a run was killed, two idle processes of Ray wait for 60 s for their head


# ------------------------------------------------------------------------------------------------- who has what


def todo(*names: str) -> list[Todo]:
    return [Todo(Document(name, Path(name)), "", None, 0) for name in names]


def dealt(desk: Desk, hands: list[Hand]) -> list[tuple[int, str]]:
    found = [(hands.index(hand), one.document.name) for hand, one in desk.deal(hands)]
    for hand in hands:
        hand.begun = bool(hand.documents)
    return found


LOST = DocumentError("worker_died", "lost")


def test_each_worker_has_one_document_and_where_there_are_many_the_next() -> None:
    desk, hands = Desk(todo(*"abcdefg")), [Hand(), Hand()]
    assert dealt(desk, hands) == [(0, "a"), (1, "b"), (0, "c"), (1, "d")]
    assert dealt(desk, hands) == []
    hands[1].documents.popleft()
    assert dealt(desk, hands) == [(1, "e")]
    hands[1].documents.popleft()
    assert dealt(desk, hands) == []  # the last ones go to whoever is free first
    assert len(desk) == 2


def test_a_death_counts_for_the_document_that_was_being_read() -> None:
    desk, hands = Desk(todo(*"abcdef")), [Hand()]
    dealt(desk, hands)
    assert [one.document.name for one in hands[0].documents] == ["a", "b"]
    assert desk.lose(hands[0], LOST) == []
    hands = [Hand()]
    order = []
    while dealt(desk, hands):
        while hands[0].documents:
            one = hands[0].documents.popleft()
            order.append((one.document.name, one.attempts))
    assert order == [("b", 0), ("c", 0), ("d", 0), ("e", 0), ("f", 0), ("a", 1)]


def test_what_was_never_begun_is_not_counted() -> None:
    desk, hand = Desk(todo("a")), Hand()
    assert [one.document.name for _, one in desk.deal([hand])] == ["a"]
    assert desk.lose(hand, LOST) == []
    ((_, one),) = desk.deal([Hand()])
    assert one.attempts == 0
    assert desk.lose(Hand(), LOST) == []


def test_one_that_was_read_when_a_worker_died_is_alone_in_a_hand() -> None:
    desk, hands = Desk([]), [Hand()]
    for one in todo(*"abcd"):
        desk.again(one, LOST)
    assert dealt(desk, hands) == [(0, "a")]


def test_the_last_attempt_ends_as_a_row() -> None:
    desk = Desk(todo("a"))
    found: list[cluster.Lost] = []
    for _ in range(MAX_ATTEMPTS):
        assert not found
        hands = [Hand()]
        assert dealt(desk, hands) == [(0, "a")]
        found = desk.lose(hands[0], LOST)
    assert [(one.document.name, problem) for one, problem in found] == [("a", LOST)]
    assert not len(desk)


# ------------------------------------------------------------------------------------------------- refusing


@needs_ray
def test_a_cluster_that_is_not_local_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    for address in ("", "127.0.0.1:6379", "localhost:6379", "[::1]:6379"):
        check_cluster(address)
    for address in ("10.0.0.4:6379", "auto", "head.example:6379", "localhost.example:6379"):
        with pytest.raises(BadUsage, match="RAY_AUTH_MODE=token"):
            check_cluster(address)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    check_cluster("10.0.0.4:6379")
    check_engine("local", "")
    with pytest.raises(BadUsage, match="--engine ray"):
        check_engine("local", "127.0.0.1:6379")
    with pytest.raises(BadUsage, match="HOST:PORT"):
        check_cluster("ray://10.0.0.4:10001")


def test_without_ray_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(MissingPart) as found:
        check_cluster("")
    assert str(found.value) == "--engine ray needs Ray: pip install ray"
    monkeypatch.setattr(cluster, "find_spec", lambda name: name)
    monkeypatch.setattr(cluster, "version", lambda name: "2.59.1")
    with pytest.raises(MissingPart, match=r"2\.59\.1 is installed"):
        check_cluster("")


def test_a_machine_that_differs_is_refused(tmp_path: Path) -> None:
    """It would be quick with documents that it does not see, and get all of them."""
    here = os.getcwd()
    found = cluster._Reader().start(__version__, here, str(tmp_path / "none"), plain, 1.0, 0, None)
    assert isinstance(found, BadInput)
    assert str(found).endswith(f"does not see the folder {tmp_path / 'none'}")
    found = cluster._Reader().start("0.0", here, "", plain, 1.0, 0, None)
    assert isinstance(found, MissingPart)
    assert str(found).endswith("the run has 0.0")


def plain() -> Callable[[Todo], Outcome]:
    return lambda one: Outcome(())


def test_an_address_where_nobody_answers_is_told_at_once() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
        cluster._knock(address)
    with pytest.raises(DocprocError, match=f"no Ray cluster answers at {address} .*ray start --head"):
        cluster._knock(address)
    with pytest.raises(DocprocError, match="no Ray cluster answers"):
        cluster._knock("a..b:6379")
    cluster._knock("auto")


def test_an_address_alone_is_refused() -> None:
    for arguments in (("run", SAMPLES, "-o", "none.csv"), ("plan", SAMPLES)):
        found = docproc(*arguments, "--address", "127.0.0.1:6379")
        assert found.returncode == 2
        assert "--engine ray" in found.stderr


def test_nothing_else_imports_ray() -> None:
    code = "import sys, docproc.cli.run, docproc.api, docproc.runs.batch; sys.exit('ray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0


# ------------------------------------------------------------------------------------------------- actors that are none


class FakeRay(ModuleType):
    """What a fleet asks of Ray. `starts` and `reads` say what comes of a call; what they raise is a loss of the actor."""

    class exceptions:  # noqa: N801 - as Ray calls it
        RayError = OSError

    def __init__(
        self,
        starts: Callable[[int], object],
        reads: Callable[[Todo], object],
        gpus: float | None = None,
        host_says: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__("ray")
        self.actors, self.hosts, self.killed = 0, 0, 0
        self._host_says = host_says
        self.asked: list[dict[str, object]] = []  # for the kinds of actors
        self.started: list[tuple[object, ...]] = []  # with which arguments
        self.gpus = gpus
        self._starts, self._reads = starts, reads

    def remote(self, **asked: object) -> Callable[[type], object]:
        self.asked.append(asked)
        return lambda kind: SimpleNamespace(remote=self._reader if kind is cluster._Reader else self._host)

    def _host(self, *_: object) -> object:
        self.hosts += 1
        return SimpleNamespace(problem=SimpleNamespace(remote=lambda: partial(self._host_says)))

    def _reader(self) -> object:
        self.actors += 1
        number = self.actors

        def start(*arguments: object) -> Callable[[], object]:
            self.started.append(arguments)
            return partial(self._starts, number)

        read = SimpleNamespace(remote=lambda one: partial(self._reads, one))
        return SimpleNamespace(start=SimpleNamespace(remote=start), read=read)

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 3.0} | ({} if self.gpus is None else {"GPU": self.gpus})

    def put(self, value: object) -> object:
        return value

    def wait(self, references: list[object], num_returns: int, timeout: float) -> tuple[list[object], list[object]]:
        assert 0 < num_returns <= len(references)
        return references, []

    def get(self, reference: Callable[[], object]) -> object:
        return reference()

    def kill(self, actor: object) -> None:
        self.killed += 1


def read_by(ray: FakeRay, names: str, begun: list[str]) -> dict[str, Outcome | DocumentError]:
    fleet = cluster._Fleet(
        todo(*names), lambda some: begun.extend(one.document.name for one in some), cluster._Hiring(ray, "", plain, 60.0, 0), 2
    )
    found: dict[str, Outcome | DocumentError] = {}
    while fleet.hand_out():
        found |= {one.document.name: result for one, result in fleet.receive()}
    return found


def test_every_document_is_read_once_and_begun_before() -> None:
    begun: list[str] = []
    ray = FakeRay(lambda number: None, lambda one: Outcome(()))
    assert read_by(ray, "abcdefgh", begun) == dict.fromkeys("abcdefgh", Outcome(()))
    assert sorted(begun) == list("abcdefgh")
    assert (ray.actors, ray.killed) == (2, 0)


def test_a_cluster_tells_how_many_workers_it_has_room_for() -> None:
    told: list[int] = []
    for jobs, actors in ((0, 3), (2, 2)):
        ray = FakeRay(lambda number: None, lambda one: Outcome(()))
        fleet = cluster._Fleet(
            todo(*"abcdefgh"), lambda some: None, cluster._Hiring(ray, "", plain, 60.0, 0), jobs, told.append
        )
        while fleet.hand_out():
            fleet.receive()
        assert ray.actors == actors
    assert told == [3, 3]


def open_nothing() -> Callable[[Sequence[object]], list[object]]:
    return list


def test_each_gpu_has_a_host_and_workers_ask_the_one_that_fewest_ask() -> None:
    ray = FakeRay(lambda number: None, lambda one: Outcome(()), gpus=2.0)
    hosts = cluster._Hosts(ray, open_nothing, 0)
    hire = cluster._Hiring(ray, "", plain, 60.0, 0).hire()
    members: list[cluster._Member] = []
    for _ in range(4):
        members.append(hire(hosts.free(members)))
    ray.gpus = 3.0  # a machine joins
    for _ in range(2):
        members.append(hire(hosts.free(members)))
    asked = [arguments[-1] for arguments in ray.started]
    assert sorted(Counter(map(id, asked)).values()) == [2, 2, 2]
    assert asked[4] is asked[5]
    assert [(kind["num_cpus"], kind.get("num_gpus"), kind["max_restarts"]) for kind in ray.asked] == [(0, 1, -1), (1, None, 0)]


def test_no_more_hosts_than_workers() -> None:
    ray = FakeRay(lambda number: None, lambda one: Outcome(()), gpus=8.0)
    cluster._Hosts(ray, open_nothing, 2).free([])
    assert ray.hosts == 2


def test_workers_wait_for_a_host_that_is_ready() -> None:
    waits = iter([OSError("its machine is gone"), OSError("it is being started"), None])

    def says() -> object:
        told = next(waits)
        if told:
            raise told
        return None

    ray = FakeRay(lambda number: None, lambda one: Outcome(()), gpus=1.0, host_says=says)
    hosts = cluster._Hosts(ray, open_nothing, 0)
    assert hosts.free([]) is None
    assert hosts.free([]) is None
    one = hosts.free([])
    assert one is not None
    assert hosts.free([]) is one
    hosts.doubt(one)
    assert not one.ready


def test_a_run_whose_host_comes_late_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WAIT_SECONDS", 0.01)
    waits = iter([OSError(), OSError()])

    def says() -> object:
        for problem in waits:
            raise problem
        return None

    ray = FakeRay(lambda number: None, lambda one: Outcome(()), gpus=1.0, host_says=says)
    fleet = cluster._Fleet(todo(*"abc"), lambda some: None, cluster._Hiring(ray, "", plain, 60.0, 0, open_nothing), 2)
    found = []
    while fleet.hand_out():
        found += [one.document.name for one, _ in fleet.receive()]
    assert sorted(found) == ["a", "b", "c"]


def test_what_stands_in_the_way_of_a_host_ends_the_run() -> None:
    ray = FakeRay(lambda number: None, lambda one: None, gpus=1.0, host_says=lambda: MissingPart("no TensorRT"))
    with pytest.raises(MissingPart, match="no TensorRT"):
        cluster._Hosts(ray, open_nothing, 0).free([])


def test_without_networks_to_share_nobody_asks() -> None:
    ray = FakeRay(lambda number: None, lambda one: Outcome(()), gpus=2.0)
    assert read_by(ray, "ab", []) == dict.fromkeys("ab", Outcome(()))
    assert {arguments[-1] for arguments in ray.started} == {None}
    assert ray.hosts == 0


def test_a_cluster_without_a_gpu_is_refused_where_networks_need_one() -> None:
    ray = FakeRay(lambda number: None, lambda one: Outcome(()))
    with pytest.raises(MissingPart, match="--backend onnx"):
        cluster._Hosts(ray, open_nothing, 0)


def test_a_host_that_cannot_open_its_networks_tells_the_worker(tmp_path: Path) -> None:
    def missing() -> Callable[[Sequence[object]], list[object]]:
        raise MissingPart("TensorRT is not installed")

    host = cluster._Host(str(tmp_path), missing)
    assert isinstance(host.problem(), MissingPart)
    assert str(host.problem()).endswith("a machine of the cluster, cannot open the networks: TensorRT is not installed")

    def crashes() -> Callable[[Sequence[object]], list[object]]:
        raise ImportError("libnvinfer.so")

    assert "cannot open the networks: ImportError: libnvinfer.so" in str(cluster._Host(str(tmp_path), crashes).problem())


def test_a_worker_that_cannot_start_is_replaced() -> None:
    def starts(number: int) -> None:
        if number < 4:
            raise BrokenPipeError

    ray = FakeRay(starts, lambda one: Outcome(()))
    assert read_by(ray, "abc", []) == dict.fromkeys("abc", Outcome(()))
    assert ray.killed == 3


def test_what_loses_its_worker_each_time_is_a_row() -> None:
    def reads(one: Todo) -> object:
        if one.document.name == "b":
            raise ConnectionError
        return DocumentError("worker_died", "killed") if one.document.name == "c" else Outcome(())

    begun: list[str] = []
    found = read_by(FakeRay(lambda number: None, reads), "abcdef", begun)
    assert {name: str(one) for name, one in found.items() if isinstance(one, DocumentError)} == {
        "b": f"the worker reading it was lost {MAX_ATTEMPTS} times; is the machine short of memory?", "c": "killed",
    }  # fmt: skip
    assert len(found) == 6
    assert Counter(begun) == Counter("adef" + "bc" * MAX_ATTEMPTS)


def test_workers_that_all_die_end_the_run() -> None:
    def starts(number: int) -> None:
        raise BrokenPipeError("no pipe")

    with pytest.raises(DocprocError, match="died one after the other: BrokenPipeError: no pipe"):
        read_by(FakeRay(starts, lambda one: None), "abc", [])
    with pytest.raises(MissingPart, match="other networks"):
        read_by(FakeRay(lambda number: MissingPart("other networks"), lambda one: None), "abc", [])


# ------------------------------------------------------------------------------------------------- on a cluster


class Sessions:
    """Programs, each the first process of a session of its own, by which all that it starts is found."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """A program that runs."""
        run = subprocess.Popen(
            [sys.executable, *map(str, arguments)], cwd=PROJECT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(PROJECT)} | environment, start_new_session=True,
        )  # fmt: skip
        self.numbers.append(run.pid)
        return run

    def left(self, seconds: float) -> list[str]:
        """What still lives after this time."""
        end = time.monotonic() + seconds
        return [one for number in self.numbers for one in left(number, end - time.monotonic()).values()]


@pytest.fixture
def sessions() -> Iterator[Sessions]:
    """Whatever happens, no process outlives the test."""
    own = Sessions()
    yield own
    for number in own.numbers if sys.platform == "linux" else ():
        end_session(number)


def end_session(number: int) -> None:
    for process in of_session(number):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@needs_ray
@on_linux
@pytest.mark.thorough
def test_the_table_is_that_of_a_plain_run(tmp_path: Path, sessions: Sessions) -> None:
    out = tmp_path / "ray.csv"
    seen = []
    at: set[str] = set()
    with sessions.start("-m", "docproc", "run", SAMPLES, "-o", out, "--engine", "ray", "-j", 2) as run:
        while run.poll() is None:
            with suppress(BadInput):
                status = run_status(out)
                seen.append((status.state, status.standing.done))
            at |= listening(run.pid)
            time.sleep(1)
        _, said = run.communicate()
    assert run.returncode == 0, said
    assert at
    assert at <= LOOPBACK
    assert sessions.left(GONE_SECONDS) == []
    assert any(state == "running" and done for state, done in seen)
    assert docproc("run", SAMPLES, "-o", tmp_path / "plain.csv").returncode == 0
    assert out.read_bytes() == (tmp_path / "plain.csv").read_bytes()


@needs_ray
@on_linux
@pytest.mark.thorough
def test_documents_that_kill_their_readers_end_as_rows(tmp_path: Path, sessions: Sessions) -> None:
    folder = tmp_path / "in"
    fill(folder, 30)
    for kind in (*POISON, "bad"):
        fill(folder, 1, kind)
    read_faulty(folder, tmp_path / "plain.csv")
    fill(folder, 1, "kill-parent")  # the actor, each time: Ray by itself would go on for ever
    code = "import sys; from tests.runs.faulty import main; main(sys.argv[1:])"
    with sessions.start("-c", code, folder, tmp_path / "ray.csv", 2, "ray") as run:
        data, said = run.communicate(timeout=200)
    assert run.returncode == 0, said
    assert not data
    found = table(tmp_path / "ray.csv")
    lost = [row["reason"] for row in found if row["document"].startswith("kill-parent")]
    assert lost == [f"worker_died: the worker reading it was lost {MAX_ATTEMPTS} times; is the machine short of memory?"]
    assert [row for row in found if not row["document"].startswith("kill-parent")] == table(tmp_path / "plain.csv")
    assert sessions.left(GONE_SECONDS) == []


@needs_ray
@on_linux
@pytest.mark.slow
def test_a_run_that_is_ended_says_how_to_go_on(tmp_path: Path, sessions: Sessions) -> None:
    out = tmp_path / "ray.csv"
    with sessions.start("-m", "docproc", "run", SAMPLES, "-o", out, "--engine", "ray", "-j", 2) as run:
        while run.poll() is None and not done_of(out):
            time.sleep(0.2)
        run.terminate()
        data, said = run.communicate(timeout=60)
    assert run.returncode == TERMINATED, said
    assert not data
    assert "to continue, run: docproc run" in said
    assert sessions.left(GONE_SECONDS) == []
    assert 0 < done_of(out) < 24


def done_of(out: Path) -> int:
    with suppress(BadInput):
        return run_status(out).standing.done
    return 0


# ------------------------------------------------------------------------------------------------- whatever dies

MANY = 150  # documents: as many as are read while something is killed every few seconds
KILL_SECONDS, KILLS = 3.0, 10


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents in `in`, and in `plain.csv` the table that a plain run makes of them."""
    folder = tmp_path_factory.mktemp("many")
    fields = sorted((SAMPLES / "survey").glob("*.png"))[:1] + sorted((SAMPLES / "checks").glob("*.*"))
    forms = [path for path in fields if path.suffix in (".png", ".jpg")]
    (folder / "in").mkdir()
    for number in range(MANY):
        own = forms[number % len(forms)]
        # A byte behind the picture: the same page, and no copy of the same file.
        (folder / "in" / f"{number:03}{own.suffix}").write_bytes(own.read_bytes() + bytes([number]))
    done = docproc("run", folder / "in", "-o", folder / "plain.csv", "-q")
    assert done.returncode == 0, done.stderr
    return folder


KINDS = ("worker", "actor", "driver")


def victims(run: int, kind: str) -> list[int]:
    """The processes of a run that may be killed: isolated processes, the actors of Ray that own them, or the run."""
    begins = {"worker": "spawn_main", "actor": "ray::_Reader"}
    return [run] if kind == "driver" else [one for one, command in of_session(run).items() if begins[kind] in command]


@needs_ray
@on_linux
@pytest.mark.slow
@pytest.mark.parametrize("number", range(int(os.environ.get("DOCPROC_KILL_ROUNDS", "2"))))
def test_killed_every_few_seconds_the_table_is_the_same(many: Path, tmp_path: Path, sessions: Sessions, number: int) -> None:
    draw = random.Random(number)
    out = tmp_path / "ray.csv"
    command = ("-m", "docproc", "run", many / "in", "-o", out, "-q", "--engine", "ray", "-j", 2, "--overwrite")
    killed: Counter[str] = Counter()
    run = sessions.start(*command)
    try:
        # Each kind early: a fast machine has read everything before the last kill.
        for kind in draw.sample(KINDS, 3) + draw.sample(KINDS * 3, KILLS - 3):
            time.sleep(KILL_SECONDS)
            while run.poll() is None and not (there := victims(run.pid, kind)):  # a cluster takes seconds to start
                time.sleep(0.1)
            if run.poll() is not None:
                break
            killed[kind] += 1
            with suppress(ProcessLookupError):
                os.kill(draw.choice(there), signal.SIGKILL)
            if kind == "driver":
                run.communicate()
                run = sessions.start(*command)
    finally:
        run.kill()
        _, said = run.communicate()
    assert set(killed) == set(KINDS), said
    done = run_status(out).standing.done
    with sessions.start(*command) as last:
        _, said = last.communicate(timeout=300)
    assert last.returncode == 0, said
    assert out.read_bytes() == (many / "plain.csv").read_bytes()
    assert sessions.left(GONE_SECONDS) == []
    print(f"killed {dict(killed)}, {done} of {MANY} documents were read by then")


class Nodes:
    """Nodes of one cluster; several of them on one machine stand for as many machines."""

    def __init__(self, sessions: Sessions, folder: str) -> None:
        self.known = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "5" * 64, "RAY_TMPDIR": folder}
        self._sessions = sessions
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.address = f"127.0.0.1:{free.getsockname()[1]}"

    def start(self, *arguments: str, head: bool = False, **environment: str) -> int:
        """Start a node, the head before the others. Returns the process that is the node."""
        place = (
            ("--head", f"--port={self.address.partition(':')[2]}", "--include-dashboard=false")
            if head
            else (f"--address={self.address}",)
        )
        command = ("-m", "ray.scripts.scripts", "start", "--disable-usage-stats", "--node-ip-address=127.0.0.1")
        for _ in range(cluster.STARTS):  # Ray waits for 30 s, which a busy machine may not keep
            with self._sessions.start(*command, *place, *arguments, **self.known, **environment) as started:
                _, said = started.communicate(timeout=120)
            if started.returncode == 0:
                break
            end_session(started.pid)
        assert started.returncode == 0, said
        (raylet,) = [one for one, command in of_session(started.pid).items() if "raylet/raylet" in command]
        return raylet


@pytest.fixture
def nodes(sessions: Sessions) -> Iterator[Nodes]:
    with TemporaryDirectory(prefix="r", ignore_cleanup_errors=True) as short:  # sockets have short names
        yield Nodes(sessions, short)


@needs_ray
@on_linux
@pytest.mark.slow
def test_one_of_two_nodes_is_killed_midway(many: Path, tmp_path: Path, sessions: Sessions, nodes: Nodes) -> None:
    out = tmp_path / "ray.csv"
    nodes.start("--num-cpus=1", head=True)
    second = nodes.start("--num-cpus=1")
    command = ("-m", "docproc", "run", many / "in", "-o", out, "-q", "--engine", "ray", "--address", nodes.address)
    with sessions.start(*command, **nodes.known) as run:
        while run.poll() is None and done_of(out) < 20:
            time.sleep(0.2)
        os.kill(second, signal.SIGKILL)
        at = done_of(out)
        data, said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert not data  # Ray has much to say of a lost node
    assert at < MANY
    assert out.read_bytes() == (many / "plain.csv").read_bytes()
    print(f"a node was killed after {at} of {MANY} documents")


@needs_ray
@on_linux
@pytest.mark.slow
def test_networks_are_where_the_gpu_is_and_every_machine_reads(sessions: Sessions, nodes: Nodes) -> None:
    """One of two nodes says that it has a GPU. Workers of both are answered there, and are not shown it."""
    nodes.start("--num-cpus=2", "--num-gpus=1", head=True, DOCPROC_NODE="with")
    nodes.start("--num-cpus=2", "--num-gpus=0", DOCPROC_NODE="without")
    code = "import sys; from tests.runs.faulty import tell_where; tell_where(*sys.argv[1:])"
    found = {}
    for gpu in ("gpu", ""):
        with sessions.start("-c", code, nodes.address, gpu, **nodes.known) as run:
            data, said = run.communicate(timeout=300)
        assert run.returncode == 0, said
        found[gpu] = [line.split() for line in data.splitlines()]
        assert len(found[gpu]) == 40
    for lines in found.values():
        assert {node for _, node, *_ in lines} == {"with", "without"}
        assert "'0'" not in {shown for _, _, shown, *_ in lines}
    assert {tuple(there) for *_, there in ((line[0], line[3:5]) for line in found["gpu"])} == {("with", "'0'")}
    assert all(line[0] == line[5] for line in found["gpu"])


@needs_ray
@on_linux
@pytest.mark.slow
def test_networks_that_workers_share_are_killed_midway(many: Path, tmp_path: Path, sessions: Sessions, nodes: Nodes) -> None:
    """The table is that of a plain run, although the process that has the networks dies, and starts again."""
    out = tmp_path / "ray.csv"
    nodes.start("--num-cpus=2", "--num-gpus=1", head=True)
    code = "import sys; from tests.runs.faulty import run_as_if_with_gpu; run_as_if_with_gpu(*sys.argv[1:])"
    command = ("run", many / "in", "-o", out, "-q", "--engine", "ray", "--backend", "onnx", "--address", nodes.address)
    killed = 0
    with sessions.start("-c", code, *command, **nodes.known) as run:
        for enough in (20, 60):
            while run.poll() is None and done_of(out) < enough:
                time.sleep(0.2)
            hosts = [one for node in sessions.numbers for one, what in of_session(node).items() if "ray::_Host" in what]
            for one in hosts:
                os.kill(one, signal.SIGKILL)
            killed += len(hosts)
        at = done_of(out)
        _, said = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert at < MANY
    assert killed == 2
    assert out.read_bytes() == (many / "plain.csv").read_bytes()
