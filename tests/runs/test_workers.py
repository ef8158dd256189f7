from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from docproc.errors import DocprocError, DocumentError, MissingPart
from docproc.runs.workers import MOST_DEATHS, plain_map, process_map
from docproc.types import Failed


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
    if item == "bug":
        raise ZeroDivisionError("one over nothing")
    return item.upper()


def missing() -> Callable[[str], str]:
    raise MissingPart("no model here")


def died() -> Callable[[str], str]:
    os._exit(9)


def summary(results: list[object]) -> list[object]:
    return [(r.item, r.error.code) if isinstance(r, Failed) else r for r in results]


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_the_items(jobs: int) -> None:
    items = [f"item {k}" for k in range(100)]
    assert list(process_map(open_work, items, jobs=jobs, seconds=30)) == [item.upper() for item in items]


def test_nothing_to_do() -> None:
    assert list(process_map(open_work, [], jobs=2, seconds=30)) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_crash_costs_one_item() -> None:
    items = ["a", "kill", "b", "exit", "c", "unreadable", "d", "bug", "e"]
    assert summary(list(process_map(open_work, items, jobs=2, seconds=30))) == [
        "A", ("kill", "worker_died"), "B", ("exit", "worker_died"), "C",
        ("unreadable", "corrupt"), "D", ("bug", "internal"), "E",
    ]  # fmt: skip


def test_the_reason_names_the_signal() -> None:
    (lost,) = process_map(open_work, ["kill"], jobs=1, seconds=30)
    assert isinstance(lost, Failed)
    assert "SIGKILL" in str(lost.error)


def test_a_hang_ends_at_its_deadline() -> None:
    assert summary(list(process_map(open_work, ["a", "hang", "b"], jobs=2, seconds=1.0))) == ["A", ("hang", "timeout"), "B"]


def test_a_worker_that_cannot_start_ends_the_map() -> None:
    with pytest.raises(MissingPart, match="no model here"):
        list(process_map(missing, ["a"], jobs=2, seconds=30))


def test_workers_that_all_die_end_the_map() -> None:
    with pytest.raises(DocprocError, match=f"{MOST_DEATHS} worker processes died"):
        list(process_map(died, [str(k) for k in range(100)], jobs=2, seconds=30))


def test_a_map_that_is_left_early_leaves_no_process() -> None:
    results = process_map(partial(open_work), (f"item {k}" for k in range(10_000)), jobs=2, seconds=30)
    assert next(results) == "ITEM 0"
    results.close()  # type: ignore[attr-defined]
    import multiprocessing

    assert multiprocessing.active_children() == []


def test_the_plain_map_keeps_a_lost_item_too() -> None:
    assert summary(list(plain_map(open_work, ["a", "unreadable", "b"]))) == ["A", ("unreadable", "corrupt"), "B"]
