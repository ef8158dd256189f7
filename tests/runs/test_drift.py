"""A run says so when its batch is of another kind than the fields on which its thresholds were measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from docproc.commands.status import run_status
from docproc.files import Document
from docproc.options import RunRequest
from docproc.runs.batch import Summary, run
from docproc.runs.drift import drifts_of, reference_note
from docproc.runs.journal import Journal, Outcome
from docproc.types import Row
from docproc.weights.cards import model_hashes
from docproc.weights.drift import Fact, histograms
from docproc.weights.thresholds import read_thresholds, thresholds_file
from tests.cli.program import docproc
from tests.runs.faulty import fill, open_faulty

GROUPS = [{"fields": ["id"], "truth": 500, "thresholds": [{"max_error": 0.01, "confidence": 0.4}]}]


def measured(folder: Path, confidence: float, digits: int, height: int = 4) -> Path:
    """A file of thresholds that were measured on 500 such fields."""
    facts = [Fact("id", confidence, digits, height)] * 500
    path = folder / "own.json"
    path.write_text(thresholds_file(model_hashes(), 0.95, GROUPS, histograms(facts)))
    return path


def read(folder: Path, thresholds: Path | None) -> Summary:
    """A run of documents whose fields have a confidence of 0.5, and are 4 px high."""
    return run(RunRequest((folder / "in",), folder / "t.csv", "digits", thresholds=thresholds, resume=True), opener=open_faulty)


def test_the_file_of_thresholds_keeps_what_it_was_measured_on(tmp_path: Path) -> None:
    facts = [Fact("id", 0.5, 3, 40), Fact("id", 0.999, 4, 41), Fact("date", 0.2, 8, None)]
    path = tmp_path / "own.json"
    path.write_text(thresholds_file({}, 0.95, GROUPS, histograms(facts)))
    assert read_thresholds(path).reference == histograms(facts)
    path.write_text(thresholds_file({}, 0.95, GROUPS))
    assert read_thresholds(path).reference is None
    assert reference_note(path) == reference_note(None) == ""


def test_a_run_and_its_state_say_so(tmp_path: Path) -> None:
    fill(tmp_path / "in", 12)
    lengths = {len(path.read_text()) for path in (tmp_path / "in").iterdir()}
    assert len(lengths) <= 3
    alike = measured(tmp_path, 0.5, max(lengths))
    found = read(tmp_path, alike).drifts
    assert {one.feature for one in found} <= {"digits"}
    found = read(tmp_path, measured(tmp_path, 0.99, 30)).drifts
    assert [(one.field, one.feature, one.distance) for one in found] == [("id", "confidence", 1.0), ("id", "digits", 1.0)]
    # The journal has what was compared: nothing of the file is needed.
    (tmp_path / "own.json").unlink()
    assert run_status(tmp_path / "t.csv").drifts == found
    told = "  another kind of batch than the thresholds were measured on: id (confidence, number of digits); "
    assert told in docproc("status", tmp_path / "t.csv").stdout
    figures = json.loads(docproc("status", tmp_path / "t.csv", "--json").stdout)
    assert [one["feature"] for one in figures["drift"]] == ["confidence", "digits"]
    assert "reference" not in figures["notes"]
    # Without thresholds nothing is known, and nothing is said.
    assert read(tmp_path, None).drifts == run_status(tmp_path / "t.csv").drifts == ()
    assert "another kind" not in docproc("status", tmp_path / "t.csv").stdout


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, True), ({"status": "blank", "confidence": None}, False), ({"status": "error"}, False), ({"field": "other"}, False)],
)
def test_what_counts_of_a_journal(tmp_path: Path, changes: dict[str, object], expected: bool) -> None:
    names = [f"{k}.png" for k in range(30)]
    assert bool(drifted(tmp_path, names, names, changes)) == expected


def test_copies_count_once(tmp_path: Path) -> None:
    """Thirty copies of one document say no more than one."""
    names = [f"{k}.png" for k in range(30)]
    assert not drifted(tmp_path, names, ["one"] * 30, {})


def drifted(folder: Path, names: Sequence[str], contents: Sequence[str], changes: dict[str, object]) -> Sequence[object]:
    with Journal.open(folder / "t.csv") as journal:
        journal.plan([(Document(name, Path(name)), "one") for name in names])
        for name, sha256 in zip(names, contents, strict=True):
            row = Row(name, 1, "id", "12", "12", 0.5, "ok", "", "", "", "", 1, 2, 3, 4)
            journal.finish(Document(name, Path(name)), Outcome((replace(row, **changes),), sha256))  # type: ignore[arg-type]
        journal.keep(reference=reference_note(measured(folder, 0.99, 2)))
        return drifts_of(journal)
