from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import pytest

from docproc.errors import DocprocError, DocumentError, MissingPart
from docproc.runs import workers
from docproc.runs.workers import MAX_DEATHS, Crew, plain_map, process_map, quarantine_map

pytestmark = pytest.mark.thorough


def open_work() -> Callable[[str], str]:
    return work


def work(item: str) -> str:
    if item == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if item == "exit":
        os._exit(3)
    if item == "hang":
        time.sleep(60)
    if item == "unreadable":
        raise DocumentError("corrupt", "damaged on purpose")
    if item == "segv":
        ctypes.string_at(0)
    if item == "eat":
        held = bytearray(64 << 30)
        return str(len(held))
    if item == "kill the parent":
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    if item == "print":
        print("a decoder talks on stdout", flush=True)
    if item == "bug":
        raise ZeroDivisionError("one over nothing")
    return item.upper()


def missing() -> Callable[[str], str]:
    raise MissingPart("no model here")


def broken() -> Callable[[str], str]:
    raise ImportError("libsomething.so.1: cannot open shared object file")


def stuck() -> Callable[[str], str]:
    time.sleep(600)
    return work


def died() -> Callable[[str], str]:
    os._exit(9)


def summary(results: Iterable[tuple[str, str | DocumentError]]) -> dict[str, str]:
    return {item: f"lost: {result.code}" if isinstance(result, DocumentError) else result for item, result in results}


@pytest.mark.parametrize("jobs", [1, 2])
def test_every_item_has_its_result(jobs: int) -> None:
    items = [f"item {k}" for k in range(100)]
    assert summary(process_map(open_work, items, jobs=jobs, seconds=30)) == {item: item.upper() for item in items}


def test_nothing_to_do() -> None:
    assert list(process_map(open_work, [], jobs=2, seconds=30)) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_crash_costs_one_item() -> None:
    items = ["a", "kill", "b", "exit", "c", "segv", "unreadable", "d", "bug", "e"]
    assert summary(process_map(open_work, items, jobs=2, seconds=30)) == {
        "a": "A", "kill": "lost: worker_died", "b": "B", "exit": "lost: worker_died", "c": "C", "segv": "lost: worker_died",
        "unreadable": "lost: corrupt", "d": "D", "bug": "lost: internal", "e": "E",
    }  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how large a process is")
def test_an_item_that_eats_memory_is_refused() -> None:
    found = summary(process_map(open_work, ["a", "eat", "b"], jobs=1, seconds=30, memory=500_000_000))
    assert found == {"a": "A", "eat": "lost: too_large", "b": "B"}


def test_an_item_is_taken_only_when_a_worker_is_free() -> None:
    taken: list[str] = []

    def items() -> Iterator[str]:
        for k in range(50):
            taken.append(f"item {k}")
            yield taken[-1]

    for done, _ in enumerate(process_map(open_work, items(), jobs=2, seconds=30), 1):
        assert len(taken) <= done + 2


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_the_quarantine_survives_an_item_that_kills_the_parent() -> None:
    found = summary(quarantine_map(open_work, ["a", "kill the parent", "unreadable", "b"], seconds=30))
    assert found == {"a": "A", "kill the parent": "lost: worker_died", "unreadable": "lost: corrupt", "b": "B"}


def open_slowly(opened: Path) -> Callable[[str], str]:
    time.sleep(0.5)
    opened.touch()
    return work


def test_the_quarantine_takes_an_item_only_when_all_has_started(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    seen = []

    def items() -> Iterator[str]:
        seen.append(opened.exists())
        yield "a"

    assert summary(quarantine_map(partial(open_slowly, opened), items(), seconds=30)) == {"a": "A"}
    assert seen == [True]


def test_a_quarantine_that_cannot_start_ends_the_map() -> None:
    with pytest.raises(MissingPart, match="no model here"):
        list(quarantine_map(missing, ["a"], seconds=30))


def test_what_a_worker_prints_is_no_data(capfd: pytest.CaptureFixture[str]) -> None:
    assert summary(process_map(open_work, ["print"], jobs=1, seconds=30)) == {"print": "PRINT"}
    assert capfd.readouterr().out == ""


def test_the_reason_names_the_signal() -> None:
    ((_, lost),) = process_map(open_work, ["kill"], jobs=1, seconds=30)
    assert isinstance(lost, DocumentError)
    assert "SIGKILL" in str(lost)


def test_a_hang_ends_at_its_deadline() -> None:
    found = summary(process_map(open_work, ["a", "hang", "b"], jobs=2, seconds=1.0))
    assert found == {"a": "A", "hang": "lost: timeout", "b": "B"}


def test_a_worker_that_cannot_start_ends_the_map() -> None:
    with pytest.raises(MissingPart, match="no model here"):
        list(process_map(missing, ["a"], jobs=2, seconds=30))


def test_a_worker_with_a_broken_library_says_so() -> None:
    with pytest.raises(DocprocError, match=r"cannot start: ImportError: libsomething.*docproc doctor"):
        list(process_map(broken, ["a"], jobs=2, seconds=30))


def test_workers_that_all_die_end_the_map() -> None:
    with pytest.raises(DocprocError, match=f"{MAX_DEATHS} worker processes died"):
        list(process_map(died, [str(k) for k in range(100)], jobs=2, seconds=30))


def test_a_map_that_is_left_early_leaves_no_process() -> None:
    results = process_map(partial(open_work), (f"item {k}" for k in range(10_000)), jobs=2, seconds=30)
    assert next(results)[1] in ("ITEM 0", "ITEM 1")
    results.close()  # type: ignore[attr-defined]
    import multiprocessing

    assert multiprocessing.active_children() == []


def test_the_plain_map_keeps_a_lost_item_too() -> None:
    assert summary(plain_map(open_work, ["a", "unreadable", "b"])) == {"a": "A", "unreadable": "lost: corrupt", "b": "B"}


def test_a_worker_that_never_gets_ready_ends_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MAX_START_SECONDS", 1.0)
    with pytest.raises(DocprocError, match="was not ready after 1 s"):
        list(process_map(stuck, ["a"], jobs=1, seconds=60))


# --------------------------------------------------------------------------------------------------------- a crew


def test_a_crew_answers_item_after_item_and_survives_what_kills_its_workers() -> None:
    crew: Crew[str, str] = Crew(open_work, jobs=2, seconds=30)
    try:
        futures = {item: crew.submit(item) for item in ("a", "kill", "b", "unreadable", "c")}
        assert [futures[item].result(60) for item in "abc"] == ["A", "B", "C"]
        codes = {item: futures[item].exception(60) for item in ("kill", "unreadable")}
        assert {item: getattr(problem, "code", "") for item, problem in codes.items()} == {
            "kill": "worker_died", "unreadable": "corrupt",
        }  # fmt: skip
        assert crew.submit("d").result(60) == "D"
    finally:
        crew.close()
    with pytest.raises(ValueError, match="gone"):
        crew.submit("e")


def test_a_crew_whose_workers_all_die_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MAX_DEATHS", 2)
    crew: Crew[str, str] = Crew(open_work, jobs=1, seconds=30)
    try:
        for future in [crew.submit("kill") for _ in range(4)]:
            assert isinstance(future.exception(60), DocprocError)
        assert crew.submit("a").result(60) == "A"
    finally:
        crew.close()


def test_a_crew_that_cannot_start_says_why_each_time() -> None:
    crew: Crew[str, str] = Crew(missing, jobs=1, seconds=30)
    try:
        for _ in range(2):
            assert isinstance(crew.submit("a").exception(60), MissingPart)
    finally:
        crew.close()


def test_what_a_crew_did_not_read_is_canceled() -> None:
    crew: Crew[str, str] = Crew(open_work, jobs=1, seconds=30)
    assert crew.submit("a").result(60) == "A"
    crew.submit("hang")
    waiting = crew.submit("b")
    crew.close()
    assert waiting.cancelled()
