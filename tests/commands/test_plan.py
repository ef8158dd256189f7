"""What a sample says of all documents: figures that hold, with intervals that cover the truth."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from docproc.commands import plan as module
from docproc.commands.plan import Estimate, Sampled, draw, estimated, plan
from docproc.documents import Settings
from docproc.errors import BadInput, BadUsage, DocumentError
from docproc.files import Document
from docproc.options import RunRequest
from docproc.runs.journal import Outcome, Todo
from docproc.types import Row
from tests.cli.program import docproc
from tests.conftest import SAMPLES


def sampled(count: int, seed: int = 0) -> list[Sampled]:
    """Documents with one to four pages, whose times differ widely."""
    rng = np.random.default_rng(seed)
    pages = rng.integers(1, 5, count)
    return [
        Sampled(float(rng.lognormal(-1, 0.7) * number), int(number), 5 * int(number), int(rng.binomial(5 * number, 0.1)))
        for number in pages
    ]


def test_a_sample_of_all_documents_leaves_nothing_open() -> None:
    read = [Sampled(2.0, 2, 10, 1, memory=7), Sampled(4.0, 1, 5, 0, failed=True, memory=9)]
    found = estimated(read, 2, processes=2)
    assert found.core_seconds == Estimate(6, 6, 6)
    assert found.pages == Estimate(3, 3, 3)
    assert found.review == Estimate(1, 1, 1)
    assert found.failed == Estimate(1, 1, 1)
    assert found.page_seconds.value == 2
    assert found.hours.value == pytest.approx(6 / 3600 / 2)
    assert found.million_hours.value == pytest.approx(2e6 / 3600 / 2)
    assert (found.memory, found.sampled_pages, found.cores(1.0)) == (9, 3, (6, 6, 6))
    assert found.cores(3600.0) == (1, 1, 1)


def test_intervals_cover_the_truth() -> None:
    everything = sampled(10_000)
    truth = sum(one.seconds for one in everything), sum(one.review for one in everything)
    covered = np.zeros(2)
    for seed in range(100):
        chosen = np.random.default_rng(seed).choice(len(everything), 200, replace=False)
        found = estimated([everything[k] for k in chosen], len(everything), processes=4)
        covered += [
            one.low <= wanted <= one.high for one, wanted in zip((found.core_seconds, found.review), truth, strict=True)
        ]
    assert (covered >= 88).all()
    assert (covered <= 99).any()  # they are not wide without need


def test_what_a_sample_has_not_seen_may_still_be_there() -> None:
    found = estimated([Sampled(1.0, 1, 3) for _ in range(50)], 1000, processes=1)
    assert (found.review.value, found.failed.value) == (0, 0)
    assert 50 < found.failed.high < 1000 * 4 / 50
    assert 3 * 50 < found.review.high < 3 * 1000 * 4 / 50


def test_documents_of_which_none_could_be_read() -> None:
    found = estimated([Sampled(1.0, failed=True)] * 3, 30, processes=1)
    assert found.failed.value == 30
    assert found.pages.value == 0
    json.dumps(found.figures(60.0, 0.5))


def test_the_sample_of_the_same_documents_is_the_same() -> None:
    documents = [Document(f"{number}.png", Path(f"{number}.png")) for number in range(100)]
    drawn = draw(documents, 10)
    assert drawn == draw(documents[::-1], 10)
    assert len({one.name for one in drawn}) == 10
    assert set(draw(documents, 5)) < set(drawn)
    assert len(draw(documents, 1000)) == 100
    assert [one.name for one in drawn] != sorted(one.name for one in drawn)


def open_plain(settings: Settings) -> Callable[[Todo], Outcome]:
    def work(one: Todo) -> Outcome:
        name = one.document.name
        if "bad" in name:
            raise DocumentError("corrupt", "damaged on purpose")
        time.sleep(0.01)
        status = "review" if name.endswith("3.png") else "ok"
        return Outcome(
            tuple(
                Row(name, page, "id", "1", "1", 0.5, status, "", "", "", "", 1, 2, 3, 4, 0.5, "none")  # type: ignore[arg-type]
                for page in (1, 2)
            )
        )

    return work


@pytest.mark.thorough
def test_documents_are_read_and_nothing_is_written(tmp_path: Path) -> None:
    for name in (*(f"page_{number:02}.png" for number in range(20)), "bad.png"):
        (tmp_path / name).write_bytes(b"x")
    before = sorted(tmp_path.iterdir())
    told: list[tuple[int, int]] = []
    request = RunRequest((tmp_path,), Path("plan.csv"), "digits", jobs=2)
    found = plan(request, 1000, lambda done, total: told.append((done, total)), open_plain)
    assert (found.documents, found.sampled, found.sampled_pages, found.sampled_failed) == (21, 21, 40, 1)
    assert (found.review.value, found.failed.value) == (4, 1)
    assert found.core_seconds.value >= 0.2
    assert told[-1] == (21, 21)
    assert sorted(tmp_path.iterdir()) == before
    with pytest.raises(BadInput):
        plan(RunRequest((SAMPLES / "nowhere",), Path("plan.csv"), "digits"), 10)


@pytest.mark.thorough
def test_the_program_tells_it_in_words_and_for_programs(tmp_path: Path) -> None:
    arguments = ("plan", SAMPLES / "survey", "--sample", 2, "-j", 1, "--deadline", "8h", "--price", "0.4")
    told = docproc(*arguments, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    heads = [line.partition(":")[0] for line in told.stdout.splitlines()]
    assert [head for head in heads if not head.startswith("all, about")] == [
        "sample", "a page", "a million pages", "cost", "within 8 h", "memory", "for review", "failed",
    ]  # fmt: skip
    figures = json.loads(docproc(*arguments, "--json", cwd=tmp_path).stdout)
    assert figures["sampled"] == 2
    assert figures["deadline_seconds"] == 8 * 3600
    assert figures["million_pages_cost"]["value"] == pytest.approx(0.4 * figures["million_pages_hours"]["value"])
    assert list(tmp_path.iterdir()) == []
    assert docproc("plan", SAMPLES / "survey", "--deadline", "soon").returncode == 2


@pytest.mark.parametrize(
    ("address", "jobs", "processes"), [("", 2, 2), ("127.0.0.1:1", 0, 16), ("127.0.0.1:1", 4, 4), ("127.0.0.1:1", 64, 16)]
)
def test_a_sample_that_a_cluster_reads_speaks_for_the_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, jobs: int, processes: int
) -> None:
    for name in ("1.png", "2.png", "bad.png"):
        (tmp_path / name).write_bytes(b"x")

    def cluster_map(
        prepare: Callable[[], Callable[[Todo], Sampled]], todo: Sequence[Todo], begin: object, *,
        sized: Callable[[int], None] | None, **given: object,
    ) -> Iterator[list[tuple[Todo, Sampled | DocumentError]]]:  # fmt: skip
        assert (given["address"], given["jobs"]) == (address, jobs)
        if sized:
            sized(8)
            sized(16)  # machines join
        work = prepare()
        yield [(one, DocumentError("worker_died", "lost") if "1" in one.document.name else work(one)) for one in todo]

    monkeypatch.setattr(module, "check_engine", lambda engine, address: None)
    monkeypatch.setattr(module, "cluster_map", cluster_map)
    request = RunRequest((tmp_path,), Path("plan.csv"), "digits", jobs=jobs, engine="ray", address=address)
    found = plan(request, 10, opener=open_plain)
    assert (found.engine, found.processes, found.sampled, found.sampled_failed) == ("ray", processes, 3, 2)
    assert found.figures(None, None)["engine"] == "ray"


def test_the_checks_of_a_cluster_are_those_of_a_run() -> None:
    with pytest.raises(BadUsage, match="--engine ray"):
        plan(RunRequest((SAMPLES,), Path("plan.csv"), address="127.0.0.1:1"), 1)


@pytest.mark.thorough
@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray (the extra `ray`)")
def test_a_sample_is_read_on_a_cluster(tmp_path: Path) -> None:
    arguments = ("plan", SAMPLES / "survey", "--sample", 4, "-j", 2, "--engine", "ray", "--json")
    told = docproc(*arguments, cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    figures = json.loads(told.stdout)
    assert (figures["engine"], figures["sampled"], figures["sampled_failed"], figures["processes"]) == ("ray", 4, 0, 2)
    assert figures["page_seconds"]["value"] > 0
    plain = json.loads(docproc("plan", SAMPLES / "survey", "--sample", 4, "-j", 2, "--json").stdout)
    for same in ("documents", "pages", "review", "failed"):
        assert figures[same] == plain[same]
    assert list(tmp_path.iterdir()) == []
