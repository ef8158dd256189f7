"""Runs over shards of the documents, joined: the table of a single run, and everything that is missing is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from docproc.errors import BadInput, BadUsage, OutputExists
from docproc.options import RunRequest, Shard, shard
from docproc.runs.batch import run
from docproc.runs.editing import open_edits, rewrite_table
from docproc.runs.edits import edit_of
from docproc.runs.journal import Journal, journal_path
from docproc.runs.shards import merge
from tests.cli.program import docproc
from tests.conftest import SAMPLES
from tests.runs.faulty import fill, open_faulty

DAY = date(2026, 11, 21)
PARTS = 4


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents in `in`, one of which cannot be read, and two copies that lie in different shards; the tables of all shards."""
    folder = tmp_path_factory.mktemp("made")
    scans = folder / "in"
    scans.mkdir()
    fill(scans, 40)
    (scans / "bad.png").write_text("bad")
    first = next(one for one in sorted(scans.iterdir()) if Shard(1, PARTS).holds(one.name))
    name = next(name for k in range(100) if Shard(2, PARTS).holds(name := f"z{k}.png"))
    shutil.copy(first, scans / name)
    for number in range(1, PARTS + 1):
        run(request(scans, folder / f"part{number}.csv", number), None, open_faulty)
    return folder


def request(scans: Path, output: Path, part: int = 0) -> RunRequest:
    return RunRequest((scans,), output, "digits", jobs=1, as_of=DAY, shard=Shard(part, PARTS) if part else None)


@pytest.fixture
def scans(made: Path) -> Path:
    return made / "in"


@pytest.fixture
def parts(made: Path, tmp_path: Path) -> list[Path]:
    """Copies of the tables of all shards, with their journals."""
    tables = [tmp_path / f"part{number}.csv" for number in range(1, PARTS + 1)]
    for table in tables:
        for file in (table, journal_path(table)):
            shutil.copy(made / file.name, file)
    return tables


def test_the_merged_table_is_that_of_a_single_run(scans: Path, parts: list[Path], tmp_path: Path) -> None:
    run(request(scans, tmp_path / "whole.csv"), None, open_faulty)
    found = merge(tmp_path / "merged.csv", parts[::-1])
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    with Journal.look(tmp_path / "whole.csv") as journal:
        whole = journal.standing()
    assert (found.documents, found.failed, found.by_status, found.duplicates) == (
        whole.documents, whole.failed, whole.by_status, whole.duplicates,
    )  # fmt: skip
    assert len(found.duplicates) == 1  # the same scan in two shards
    assert not list(tmp_path.glob(".*"))
    # It goes on as a single run.
    (tmp_path / "new.png").write_text("4711")
    both = replace(request(scans, tmp_path / "merged.csv"), inputs=(scans, tmp_path / "new.png"), resume=True)
    summary = run(both, None, open_faulty)
    assert (summary.read, summary.documents) == (1, whole.documents + 1)


def test_every_document_is_in_one_shard() -> None:
    names = [f"{k}.png" for k in range(2_000)] + ["ü/ß.png", "a.zip/b.png"]
    held = [[Shard(number, 7).holds(name) for number in range(1, 8)] for name in names]
    assert {sum(one) for one in held} == {1}
    assert all(200 < sum(one[k] for one in held) < 380 for k in range(7))
    assert Shard(3, 64).holds("form_1.jpg") is Shard(3, 64).holds("form_1.jpg")


@pytest.mark.parametrize("text", ["", "3", "0/4", "5/4", "a/4", "1/0", "-1/4", "1/4/2"])
def test_what_is_no_shard(text: str) -> None:
    with pytest.raises(ValueError, match=r"no shard|numbered"):
        shard(text)
    assert str(shard("3/64")) == "3/64"


def test_what_people_keyed_in_a_part_is_carried_over_once(parts: list[Path], tmp_path: Path) -> None:
    with open_edits(parts[1]) as edits:
        state = edits.fields()[0]
        edits.add([edit_of(state, "text", "4711", who="ANNA", screen="review")])
    rewrite_table(parts[1])
    for overwrite in (False, True):
        merge(tmp_path / "merged.csv", parts, overwrite=overwrite)
        with Journal.look(tmp_path / "merged.csv") as journal:
            (edit,) = journal.edits()
            assert (edit.key, edit.text, edit.who) == (state.key, "4711", "ANNA")
            assert [one.row.keyed for one in journal.fields() if one.key == state.key] == ["corrected"]
    # What is keyed in the whole stays, too, when the parts are joined again.
    with open_edits(tmp_path / "merged.csv") as edits:
        other = next(one for one in edits.fields() if one.key != state.key)
        edits.add([edit_of(other, "text", "12", who="BOB", screen="review")])
    merge(tmp_path / "merged.csv", parts, overwrite=True)
    with Journal.look(tmp_path / "merged.csv") as journal:
        assert [edit.who for edit in journal.edits()] == ["ANNA", "BOB"]


def unfinished(parts: list[Path]) -> list[Path]:
    with Journal.open(parts[2]) as journal:
        journal._db.execute("DELETE FROM run WHERE key = 'finished'")
    return parts


def with_note(**notes: str) -> Callable[[list[Path]], list[Path]]:
    def change(parts: list[Path]) -> list[Path]:
        with Journal.open(parts[3]) as journal:
            journal.keep(**notes)
        return parts

    return change


def with_settings(settings: str) -> Callable[[list[Path]], list[Path]]:
    def change(parts: list[Path]) -> list[Path]:
        with Journal.open(parts[3]) as journal:
            journal._db.execute(f"UPDATE document SET settings = {settings}")
        return parts

    return change


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda parts: [parts[0], parts[3]], "shards 2/4, 3/4 missing"),
        (lambda parts: parts[1:], "shard 1/4 missing"),
        (lambda parts: [*parts, parts[0]], "are both shard 1/4"),
        (unfinished, "part3.csv is not finished; to finish it, run: "),
        (with_note(shard=""), "part4.csv is no shard: it was written without --shard"),
        (with_note(shard="4/5"), "they are of different divisions"),
        (with_note(max_error="0.05"), "--max-error differs: .*part1.csv was read with 0.01, .*part4.csv with 0.05"),
        (with_note(as_of="2026-11-22"), "--as-of differs"),
        (with_note(docproc="0.1"), "docproc differs"),
        (with_settings("'x' || settings"), "different models, backends or thresholds"),
        (with_settings("replace(settings, '.', '.x')"), "different templates in"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    change: Callable[[list[Path]], list[Path]], told: str, parts: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=told):
        merge(tmp_path / "merged.csv", change(parts))
    assert not list(tmp_path.glob("*merg*"))


def test_a_document_in_two_parts_is_told(parts: list[Path], tmp_path: Path) -> None:
    with Journal.open(parts[1]) as journal:
        journal._db.execute("ATTACH ? AS first", (str(journal_path(parts[0])),))
        journal._db.execute("INSERT INTO document SELECT * FROM first.document LIMIT 1")
        journal._db.execute("DETACH first")
    with pytest.raises(BadInput, match=r"is in .*part2\.csv\.docproc and in an earlier part"):
        merge(tmp_path / "merged.csv", parts)
    assert not list(tmp_path.glob(".*merging*"))


def test_nothing_that_is_there_is_overwritten_unasked(parts: list[Path], tmp_path: Path) -> None:
    (tmp_path / "merged.csv").write_text("mine")
    with pytest.raises(OutputExists, match="already exists"):
        merge(tmp_path / "merged.csv", parts)
    assert (tmp_path / "merged.csv").read_text() == "mine"
    with pytest.raises(BadUsage, match="is one of the parts"):
        merge(parts[0], parts)


def test_a_shard_needs_a_day_and_a_table_of_its_own(scans: Path, parts: list[Path]) -> None:
    with pytest.raises(BadUsage, match="--shard needs --as-of"):
        run(replace(request(scans, parts[0], 1), as_of=None), None, open_faulty)
    for other in (request(scans, parts[0], 2), request(scans, parts[0])):
        with pytest.raises(BadUsage, match="is the table of shard 1/4"):
            run(replace(other, resume=True), None, open_faulty)


def test_a_shard_without_documents_is_a_part(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    fill(tmp_path / "in", 1)
    tables = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for number, table in enumerate(tables, 1):
        run(replace(request(tmp_path / "in", table), shard=Shard(number, 2)), None, open_faulty)
    assert merge(tmp_path / "merged.csv", tables).documents == 1


@pytest.mark.thorough
def test_the_samples_in_two_shards_by_the_program(tmp_path: Path) -> None:
    read = ["run", SAMPLES, "-q", "-j", 2, "--as-of", "2026-11-21", "-o"]
    assert docproc(*read, tmp_path / "whole.csv").returncode == 0
    tables = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for number, table in enumerate(tables, 1):
        assert docproc(*read, table, "--shard", f"{number}/2").returncode == 0
    done = docproc("merge", tmp_path / "merged.csv", *tables)
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith(f"table: {tmp_path / 'merged.csv'}\n")
    assert (tmp_path / "merged.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    done = docproc("merge", tmp_path / "again.csv", tables[1])
    assert (done.returncode, done.stderr) == (5, "docproc: shard 1/2 missing\n")
