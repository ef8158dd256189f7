"""A watched folder, step by step: between two looks at it something happens."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from docproc.options import RunRequest
from docproc.runs.batch import Summary
from docproc.runs.journal import Journal
from docproc.runs.watch import watch
from tests.conftest import draw_field

pytestmark = pytest.mark.thorough


def put(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(draw_field(text)).save(folder / f"{text}.png")


def rows(path: Path) -> dict[str, dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return {row["document"]: row for row in csv.DictReader(file)}


def _nothing() -> None:
    """Between two looks."""


def watched(folder: Path, out: Path, *steps: Callable[[], object]) -> list[Summary]:
    """Watch with these steps, each after two looks, and two looks after the last; returns what was told."""
    told: list[Summary] = []
    left = iter([step for one in (_nothing, *steps, _nothing) for step in (_nothing, one)])

    def sleep(_: float) -> bool:
        step = next(left, None)
        if step:
            step()
        return step is not None

    watch(RunRequest((folder,), out, "amount", jobs=1), 0, 0, told.append, sleep=sleep)
    return told


def test_a_watch_leaves_a_corrected_table_alone_and_goes_on_with_its_journal(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "t.csv"
    put(folder, "1407")

    def correct() -> None:
        out.write_bytes(out.read_bytes().replace(b",1407,1407,", b",1401,1407,"))

    def look() -> None:
        assert rows(out)["1407.png"]["text"] == "1401"
        with Journal.look(out) as journal:
            assert [row.text for row in journal.rows()] == ["1407", "33"]

    told = watched(folder, out, correct, lambda: put(folder, "33"), look, lambda: out.rename(tmp_path / "mine.csv"))
    assert "line 2 was changed: 1407.png, amount: text 1407 is now 1401" in told[1].left_alone
    assert rows(tmp_path / "mine.csv")["1407.png"]["text"] == "1401"
    assert [row["text"] for row in rows(out).values()] == ["1407", "33"]  # written anew when the other was moved away
    assert told[-1].left_alone == ""


def test_a_watch_tells_of_files_that_went_away_as_a_run_does(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "t.csv"
    for text in ("1407", "33"):
        put(folder, text)
    watched(folder, out, (folder / "33.png").unlink)
    found = rows(out)
    assert found["1407.png"]["reason"] == ""
    assert (found["33.png"]["text"], found["33.png"]["status"]) == ("33", "ok")
    assert found["33.png"]["reason"] == "the file is no longer among the inputs"
