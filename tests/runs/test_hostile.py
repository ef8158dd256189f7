"""Odd, bad and hostile files, through whole runs with the shipped networks."""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from docproc.errors import DocumentError
from docproc.files import decode_pages
from docproc.options import Limits, RunRequest
from docproc.runs.batch import run
from docproc.runs.tables import safe_name
from docproc.runs.workers import process_map
from tests.conftest import SHARED
from tests.corpus import make_corpus, mutants

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(sys.platform != "linux", reason="makes FIFOs, links and names of any bytes"),
]

Table = dict[str, list[dict[str, str]]]


def read_all(folder: Path, out: Path, limits: Limits | None = None) -> Table:
    run(RunRequest((folder,), out, "digits", jobs=2, limits=limits or Limits(seconds=20)))
    found: Table = {}
    with open(out, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["document"], []).append(row)
    return found


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str | None], Table, Path]:
    folder = tmp_path_factory.mktemp("corpus")
    expected = make_corpus(folder / "in")
    return expected, read_all(folder / "in", folder / "t.csv"), folder / "t.csv"


def test_every_file_has_the_outcome_that_it_must_have(corpus: tuple[dict[str, str | None], Table, Path]) -> None:
    expected, found, _ = corpus
    wrong = {}
    for name, outcome in expected.items():
        rows = found.get(safe_name(name), [])
        status = Counter(row["status"] for row in rows)
        if outcome is None:
            right = not rows
        elif outcome.startswith("error: "):
            right = len(rows) == 1 and rows[0]["status"] == "error" and rows[0]["reason"].startswith(outcome[7:])
        elif outcome == "blank":
            right = len(rows) == 1 and rows[0]["text"] == "" and not status["error"] and not status["ok"]
        elif outcome == "review":
            right = len(rows) == 1 and rows[0]["status"] in ("review", "error")
        else:
            right = [row["text"] for row in rows] == [outcome] and not status["error"]
        if not right:
            wrong[name] = (outcome, [(row["text"], row["status"], row["reason"]) for row in rows])
    assert not wrong
    assert set(found) == {safe_name(name) for name, outcome in expected.items() if outcome is not None}
    assert not [row for rows in found.values() for row in rows if row["reason"].startswith("internal")]


def test_one_record_is_one_line(corpus: tuple[dict[str, str | None], Table, Path]) -> None:
    _, found, out = corpus
    lines = out.read_bytes().split(b"\r\n")
    assert len(lines) == 2 + sum(map(len, found.values()))
    assert not [line for line in lines if b"\n" in line or b"\x1b" in line or b"\x00" in line]


def open_decoder() -> Callable[[tuple[str, bytes]], str]:
    def work(item: tuple[str, bytes]) -> str:
        try:
            for page in decode_pages(*item, Limits()):
                if isinstance(page, tuple):
                    return page[1].code
        except DocumentError as problem:
            return problem.code
        return "read"

    return work


@pytest.mark.parametrize(("count", "seed"), [(1_000, 1), pytest.param(20_000, 2, marks=pytest.mark.slow)])
def test_mutants_kill_nobody(count: int, seed: int) -> None:
    outcomes: Counter[str] = Counter()
    for (name, data), result in process_map(open_decoder, mutants(count, seed), jobs=2, seconds=10, memory=1_000_000_000):
        outcome = result if isinstance(result, str) else result.code
        assert outcome not in ("internal", "timeout", "worker_died"), (name, result, data[:80])
        outcomes[outcome] += 1
    print(f"{count} mutants: {dict(outcomes.most_common())}")
    assert outcomes.total() == count


# --------------------------------------------------------------------------------------- the large one, where it is


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, object]]]:
    maker = SHARED.parent / "tools" / "bad_inputs" / "make_bad_inputs.py"
    if not maker.is_file():
        pytest.skip("needs the large collection of bad inputs, which is no part of the project")
    for needed in ("tifffile", "imagecodecs", "pypdf", "pikepdf", "img2pdf"):
        pytest.importorskip(needed, reason=f'making the large collection needs {needed}: pip install -e ".[corpus]"')
    folder = tmp_path_factory.mktemp("large")
    subprocess.run([sys.executable, maker, folder / "made"], check=True, capture_output=True)
    manifest = json.loads((folder / "made" / "manifest.json").read_text(encoding="utf-8"))
    return folder, manifest["files"]


def test_the_large_collection(large: tuple[Path, list[dict[str, object]]]) -> None:
    folder, entries = large
    began = time.monotonic()
    found = read_all(folder / "made" / "files", folder / "t.csv", Limits(seconds=10))
    seconds = time.monotonic() - began
    wrong, blanks = {}, 0
    for entry in entries:
        name = os.fsdecode(bytes.fromhex(str(entry["path_hex"])))
        rows = found.get(safe_name(name), [])
        tags: list[str] = entry.get("tags", [])  # type: ignore[assignment]
        # Letters are no blank: they may be guessed at, for review.
        invented = entry["expect"] == "blank" and "hard" not in tags and any(row["text"] for row in rows)
        blanks += invented
        if not _as_expected(entry, rows) and "hard" not in tags and not any(tag.startswith("runtime") for tag in tags):
            wrong[name] = (entry["expect"], [(row["text"], row["status"], row["reason"]) for row in rows][:3])
    parent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"{len(entries)} inputs in {seconds:.0f} s, {len(wrong)} not as they must be; this process {parent:.0f} MB")
    assert not wrong
    assert blanks == 0
    assert not [row for rows in found.values() for row in rows if row["reason"].startswith("internal")]


def _as_expected(entry: dict[str, object], rows: list[dict[str, str]]) -> bool:
    allowed = {str(entry["expect"]), *entry.get("also_ok", [])}  # type: ignore[misc]
    status = {row["status"] for row in rows}
    if not rows:
        return "skip" in allowed
    if status == {"error"}:
        return "reject" in allowed
    if all(row["text"] == "" for row in rows) and not status & {"ok", "error"}:
        return bool(allowed & {"blank", "review"}) or _same_pages(entry, rows)
    if "review" in status and "review" in allowed:
        return True
    return "read" in allowed and _same_pages(entry, rows)


def _same_pages(entry: dict[str, object], rows: list[dict[str, str]]) -> bool:
    texts = [row["text"] for row in rows if row["status"] != "error"]
    lists = [entry.get("pages") or [], entry.get("alt_pages") or []]
    return any(texts == [page.get("digits", "") for page in pages if "digits" in page] for pages in lists)  # type: ignore[attr-defined]
