"""Nothing that a person did to a table is taken away unasked."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from docproc.commands.table import changes_left_out, write_table
from docproc.errors import BadInput, MissingPart, OutputExists
from docproc.files import Document
from docproc.options import RunRequest
from docproc.runs import audit, batch
from docproc.runs.audit import layout_note, table_changes, verify
from docproc.runs.journal import Journal, Outcome, journal_path
from docproc.runs.tables import export_table
from docproc.runs.watch import watch
from docproc.types import Row

NAMES = ("a.png", "b.png", "c.png")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in NAMES:
        (tmp_path / "in" / name).write_text(name)
    return tmp_path / "in"


def write_run(output: Path, folder: Path, texts: dict[str, str] | None = None) -> Path:
    """What a run leaves: a table, and its journal."""
    texts = texts or {"a.png": "007", "b.png": "120", "c.png": "6454"}
    with Journal.open(output) as journal:
        journal.plan([(Document(name, folder / name), "one") for name in texts])
        for name, text in texts.items():
            row = Row(name, 1, "id", text, text, 0.98, "ok", "", "", "", "", 1, 2, 3, 4, None, "none")
            journal.finish(Document(name, folder / name), Outcome((row,)))
        journal.keep(finished="now", output=str(output), layout="digits", layout_files="digits")
        export_table(output, journal.rows, wide=False, before=journal.keep_written)
        journal.written_now()
    return output


def edit_csv(table: Path) -> None:
    table.write_bytes(table.read_bytes().replace(b",6454,6454,", b",6456,6454,"))


def edit_xlsx(table: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.load_workbook(table)
    book.active["D4"] = "6456"
    book.save(table)


def edit_parquet(table: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    import pyarrow

    rows = parquet.read_table(table).to_pylist()
    rows[2]["text"] = "6456"
    parquet.write_table(pyarrow.Table.from_pylist(rows), table)


def edit_jsonl(table: Path) -> None:
    table.write_text(table.read_text().replace('"text": "6454"', '"text": "6456"'))


EDITS = {".csv": edit_csv, ".xlsx": edit_xlsx, ".jsonl": edit_jsonl, ".parquet": edit_parquet}


def commands(table: Path, folder: Path) -> dict[str, Callable[[], object]]:
    request = RunRequest((folder,), table, "digits")
    return {
        "run": lambda: batch.run(request),
        "run --resume": lambda: batch.run(replace(request, resume=True)),
        "run --no-resume": lambda: batch.run(replace(request, resume=False)),
        "watch": lambda: watch(request, 0, 0.1, lambda _: None),
        "table": lambda: write_table(table, table, wide=False, wide_text=False, overwrite=False),
    }


@pytest.mark.parametrize("suffix", EDITS)
@pytest.mark.parametrize("command", ["run", "run --resume", "run --no-resume", "watch", "table"])
def test_a_table_in_which_a_person_corrected_a_cell_stays_as_it_is(
    tmp_path: Path, folder: Path, suffix: str, command: str
) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    table = write_run(tmp_path / f"t{suffix}", folder)
    EDITS[suffix](table)
    data = table.read_bytes()
    with pytest.raises(
        OutputExists,
        match=r"line 4 was changed: c.png, id: text 6454 is now 6456\nTo keep these edits",
    ):
        commands(table, folder)[command]()
    assert table.read_bytes() == data


@pytest.mark.parametrize("suffix", EDITS)
@pytest.mark.parametrize("command", ["run", "run --resume", "watch"])
def test_a_table_beside_which_no_journal_lies_stays_as_it_is(tmp_path: Path, folder: Path, suffix: str, command: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    table = write_run(tmp_path / f"t{suffix}", folder)
    journal_path(table).unlink()
    data = table.read_bytes()
    with pytest.raises(OutputExists, match=r"no journal \(t\.[a-z]+\.docproc\).*\nUse --overwrite to replace it \(3 rows\)"):
        commands(table, folder)[command]()
    assert table.read_bytes() == data


@pytest.mark.parametrize("command", ["run --resume", "watch"])
def test_a_table_of_another_layout_stays_as_it_is(tmp_path: Path, folder: Path, command: str) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    with Journal.open(table) as journal:
        journal.keep(layout="check", layout_files="check")
    with pytest.raises(OutputExists, match=r"with --layout check, and this run has --layout digits\.\nUse --overwrite"):
        commands(table, folder)[command]()


def test_a_template_is_the_same_layout_wherever_a_run_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert layout_note(("form.toml",)) == layout_note((str(tmp_path / "form.toml"),))
    assert layout_note(("check",)) == "check"


def test_a_corrected_table_made_again_by_docproc_table_is_not_replaced(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    final = tmp_path / "final.csv"
    write_table(table, final, wide=False, wide_text=False, overwrite=False)
    edit_csv(final)
    data = final.read_bytes()
    with pytest.raises(OutputExists, match=r"line 4 was changed: .* 6454 is now 6456"):
        write_table(table, final, wide=False, wide_text=False, overwrite=False)
    assert final.read_bytes() == data


def test_a_table_made_again_is_told_to_lack_what_a_person_changed(tmp_path: Path, folder: Path) -> None:
    table, final = write_run(tmp_path / "t.csv", folder), tmp_path / "final.csv"
    write_table(table, final, wide=True, wide_text=False, overwrite=False)
    assert changes_left_out(table, final) == ""
    edit_csv(table)
    write_table(table, final, wide=True, wide_text=False, overwrite=True)
    told = f"the new table does not have what was changed in {table} since docproc wrote it"
    assert changes_left_out(table, final) == f"{told} (1 cell)"
    table.write_bytes(table.read_bytes().replace(b",120,120,", b",121,122,") + b"d.png,1,id,5\n")
    assert changes_left_out(table, final) == f"{told} (3 cells, 1 other change)"
    table.write_bytes(b"\xff")
    assert changes_left_out(table, final) == told
    assert changes_left_out(table, table) == ""
    table.unlink()
    assert changes_left_out(table, final) == ""


def test_a_copy_of_a_table_is_told_to_have_no_journal(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    copy, nothing = tmp_path / "reviewed.csv", tmp_path / "nothing.csv"
    copy.write_bytes(table.read_bytes())
    with pytest.raises(BadInput, match=r"no journal .*: give the table that docproc run wrote"):
        write_table(copy, tmp_path / "final.csv", wide=False, wide_text=False, overwrite=False)
    with pytest.raises(BadInput, match=r"docproc run -o .*nothing\.csv makes one"):
        write_table(nothing, tmp_path / "final.csv", wide=False, wide_text=False, overwrite=False)


def test_a_table_that_a_spreadsheet_only_saved_again_is_brought_up_to_date(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    with open(table, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with open(table, "w", newline="", encoding="utf-8-sig") as file:  # as Excel in Germany
        writer = csv.DictWriter(file, rows[0], delimiter=";", lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"text": row["text"].lstrip("0"), "value": row["value"].lstrip("0"), "confidence": "0,98"})
    with Journal.look(table) as journal:
        assert table_changes(table, journal) == []
        audit.refuse_replacing(table, resume=True, layout="digits")


def test_a_workbook_that_was_only_saved_again_is_brought_up_to_date(tmp_path: Path, folder: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    table = write_run(tmp_path / "t.xlsx", folder)
    openpyxl.load_workbook(table).save(table)
    audit.refuse_replacing(table, resume=True, layout="digits")


def test_without_the_package_that_reads_workbooks_none_that_was_saved_is_replaced(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = write_run(tmp_path / "t.xlsx", folder)

    def missing(*_: object) -> None:
        raise MissingPart("reading XLSX needs openpyxl: pip install openpyxl")

    monkeypatch.setattr(audit, "read_table", missing)
    audit.refuse_replacing(table, resume=True, layout="digits")  # it is byte for byte what was written
    table.write_bytes(table.read_bytes() + b" ")
    with pytest.raises(OutputExists, match=r"was saved by another program .*; pip install openpyxl shows"):
        audit.refuse_replacing(table, resume=True, layout="digits")


def test_a_file_that_is_no_table_is_not_replaced(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    table.write_bytes(b"\xff\xfe no table")
    with pytest.raises(OutputExists, match="is not as docproc wrote it"):
        audit.refuse_replacing(table, resume=True, layout="digits")


def test_a_table_from_a_damaged_journal_is_not_replaced(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    journal_path(table).write_bytes(b"no journal, but long enough to be taken for something" * 40)
    with pytest.raises(OutputExists, match=r"already exists, and .* is no readable journal"):
        audit.refuse_replacing(table, resume=True, layout="digits")


def test_what_was_corrected_while_a_run_was_reading_stays(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    edit_csv(table)
    data = table.read_bytes()
    with Journal.open(table) as journal:
        assert "line 4 was changed" in audit.write_own_table(table, journal, wide=False, texts=False)
        assert table.read_bytes() == data
        table.rename(tmp_path / "reviewed.csv")
        assert audit.write_own_table(table, journal, wide=False, texts=False) == ""
    assert b"6454" in table.read_bytes()


def test_a_power_cut_while_the_table_is_written_makes_nobody_its_editor(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    before = table.read_bytes()
    with Journal.open(table) as journal:
        new = tmp_path / "new"
        new.write_bytes(before.replace(b"6454", b"7777"))
        journal.keep_written(new)
        assert table_changes(table, journal) == []  # not in place yet
        new.replace(table)
        assert table_changes(table, journal) == []  # in place, and not noted
        journal.adopt(table)
        table.write_bytes(before)
        assert len(table_changes(table, journal)) == 1


def test_overwriting_does_not_cover_what_is_corrected_later(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    edit_csv(table)
    with Journal.open(table) as journal:
        batch.adopt_table(RunRequest((folder,), table, "digits", overwrite=True), journal)
        assert table_changes(table, journal) == []
        table.write_bytes(table.read_bytes().replace(b",120,120,", b",125,120,"))
        assert [change.line for change in table_changes(table, journal)] == [3]


@pytest.mark.parametrize("suffix", EDITS)
def test_verify_finds_the_changed_cell_in_every_format(tmp_path: Path, folder: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    table = write_run(tmp_path / f"t{suffix}", folder)
    assert list(verify(table)) == []
    EDITS[suffix](table)
    assert list(verify(table)) == [f"{table}: line 4 was changed: c.png, id: text 6454 is now 6456"]


def age(table: Path) -> None:
    """Make the journal one of the first version: no copy of the table, and rows that lack what came later."""
    with closing(sqlite3.connect(journal_path(table))) as db, db:
        db.execute("DROP TABLE written")
        for column in ("read", "residual", "template"):
            db.execute(f'ALTER TABLE row DROP COLUMN "{column}"')
        db.execute("UPDATE run SET value = '1' WHERE key = 'schema'")
        db.execute("DELETE FROM run WHERE key = 'layout_files'")
    db.close()


def test_the_journal_of_an_earlier_version_keeps_its_rows(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    age(table)
    for _ in range(2):  # as it is, and migrated
        with Journal.look(table) as journal:
            assert [(r.document, r.text, r.read, r.residual) for r in journal.rows()] == [
                ("a.png", "007", "", None),
                ("b.png", "120", "", None),
                ("c.png", "6454", "", None),
            ]
        assert list(verify(table)) == []
        audit.refuse_replacing(table, resume=True, layout="digits")
        with Journal.open(table):
            pass
    with Journal.open(table) as journal:  # and it takes new rows
        new = Row("d.png", 1, "id", "5", "5", 0.9, "ok", "", "x", "6", "", 1, 2, 3, 4, 0.5, "none", "form")
        journal.plan([(Document("d.png", folder / "a.png"), "one")])
        journal.finish(Document("d.png", folder / "a.png"), Outcome((new,)))
        assert list(journal.rows())[-1] == new


def test_a_table_of_an_earlier_version_that_was_corrected_stays_as_it_is(tmp_path: Path, folder: Path) -> None:
    table = write_run(tmp_path / "t.csv", folder)
    age(table)
    edit_csv(table)
    with pytest.raises(OutputExists, match="line 4 was changed"):
        audit.refuse_replacing(table, resume=True, layout="digits")
