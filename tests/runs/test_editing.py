"""Edits in the journal of a run: they survive whatever is read again, several writers, and a sudden end."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from docproc.errors import BadInput, CannotWrite
from docproc.files import Document
from docproc.rules import FieldRules
from docproc.runs.editing import NOT_FINISHED, open_edits, rewrite_table
from docproc.runs.edits import Edit, FieldState, StaleEdit, edit_of, withdrawal_of
from docproc.runs.journal import SCHEMA, Journal, Outcome, journal_path
from docproc.runs.tables import export_table
from docproc.types import FieldSpec, Row
from tests.cli.program import table as records
from tests.conftest import PROJECT

NAMES = ("a.png", "b.png", "c.png")
SPEC = FieldSpec(rules=FieldRules(bounds=(0, 500)))


def sha_of(name: str) -> str:
    return name[0] * 64


def read_again(
    output: Path, text: str = "120", settings: str = "one", *, anew: bool = False, names: Sequence[str] = NAMES
) -> None:
    """A run that reads everything, if its settings are others, and writes the table."""
    with Journal.open(output, anew=anew) as journal:
        journal.plan([(Document(name, Path(name)), settings) for name in names], forget=True)
        for name in names:
            row = Row(name, 1, "id", text, text, 0.5, "review", "confidence 0.5, 0.9 needed at 1 %", "", "", "", 1, 2, 3, 4)
            journal.finish(Document(name, Path(name)), Outcome((replace(row, spec=SPEC),), sha_of(name)))
        journal.keep(finished="now")
        export_table(output, journal.rows, wide=False, before=journal.keep_written)
        journal.written_now()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    read_again(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def states(output: Path) -> dict[str, FieldState]:
    with Journal.look(output) as journal:
        return {state.reading.document: state for state in journal.fields()}


def key(output: Path, name: str, text: str, who: str = "ANNA") -> int:
    state = states(output)[name]
    with open_edits(output) as edits:
        (number,) = edits.add([edit_of(state, "text", text, who=who, screen="review")], {state.key: state.version})
    return number


def shown(output: Path) -> list[tuple[str, str, str, str]]:
    with Journal.look(output) as journal:
        return [(row.text, row.status, row.keyed, row.read) for row in journal.rows()]


KEYED = [("120", "ok", "confirmed", ""), ("77", "ok", "corrected", "120"), ("120", "review", "", "")]


def test_an_edit_comes_back_as_it_went_in(out: Path) -> None:
    state = states(out)["b.png"]
    edit = replace(edit_of(state, "text", "7-7", who="J\u00dcRGEN", screen="review", overruled=True), document="b\udcff.png")
    with open_edits(out) as edits:
        (number,) = edits.add([edit])
    with Journal.look(out) as journal:
        (found,) = journal.edits()
    assert found == replace(edit, id=number, at=found.at)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.at)
    assert (found.read, found.read_value, found.how) == ("120", "120", "corrected")


def test_edits_survive_whatever_is_read_again(out: Path) -> None:
    key(out, "a.png", "120")
    key(out, "b.png", "77")
    assert shown(out) == KEYED
    read_again(out)  # --resume
    assert shown(out) == KEYED
    read_again(out, settings="two")  # another model, or other options
    assert shown(out) == KEYED
    read_again(out, "55", anew=True)  # --no-resume
    assert shown(out) == [("120", "ok", "confirmed", "55"), ("77", "ok", "corrected", "55"), ("55", "review", "", "")]
    with Journal.look(out) as journal:
        standing = journal.standing()
    assert (dict(standing.by_status), dict(standing.keyed), standing.edits) == (
        {"ok": 2, "review": 1}, {"confirmed": 1, "corrected": 1}, 2,
    )  # fmt: skip


def test_edits_wait_for_their_paper_to_come_back(out: Path) -> None:
    key(out, "b.png", "77")
    read_again(out, names=("a.png",), anew=True)
    assert shown(out) == [("120", "review", "", "")]
    read_again(out, names=("a.png", "by/another/name.png"), anew=True)  # the same content
    assert shown(out) == [("120", "review", "", ""), ("77", "ok", "corrected", "120")]


def test_what_was_keyed_holds_for_a_document_that_went_away(out: Path) -> None:
    key(out, "b.png", "77")
    with Journal.open(out) as journal:
        journal.plan([(Document("a.png", Path("a.png")), "other")])
        rows = {row.document: (row.text, row.status) for row in journal.rows()}
    assert rows["b.png"] == ("77", "ok")
    assert rows["c.png"] == ("120", "review")


def test_the_rules_of_a_field_are_those_of_its_run(out: Path) -> None:
    key(out, "a.png", "501")
    assert shown(out)[0] == ("501", "review", "corrected", "120")
    key(out, "a.png", "501")
    assert shown(out)[0] == ("501", "ok", "corrected", "120")


# ------------------------------------------------------------------------------------------------- several writers


def test_who_did_not_see_the_last_edit_is_refused(out: Path) -> None:
    before = states(out)["a.png"]
    first = key(out, "a.png", "121", "BOB")
    late = edit_of(before, "text", "122", who="ANNA", screen="review")
    other = edit_of(states(out)["b.png"], "text", "9", who="ANNA", screen="review")
    with open_edits(out) as edits:
        with pytest.raises(StaleEdit, match=r"a\.png, page 1, id: BOB keyed 121 at .*; nothing was entered") as refused:
            edits.add([other, late], {before.key: before.version, other.key: 0})
        assert [(edit.id, edit.who, edit.text) for edit in refused.value.came] == [(first, "BOB", "121")]
        assert refused.value.edit == late
        with pytest.raises(StaleEdit):
            edits.add([late], {})  # a field that was not named had no edit
        assert edits.add([late], {before.key: first}) == [first + 1]
    assert shown(out)[0][0] == "122"
    assert shown(out)[1][0] == "120"  # all or none


def test_undo_is_an_edit_as_well(out: Path) -> None:
    key(out, "a.png", "121")
    state = states(out)["a.png"]
    with open_edits(out) as edits:
        edits.add([withdrawal_of(state, who="ANNA", screen="review")], {state.key: state.version})
    after = states(out)["a.png"]
    assert (after.row.text, after.row.keyed, len(after.edits), after.counting) == ("120", "", 2, ())
    with open_edits(out) as edits, pytest.raises(StaleEdit, match=r"took an edit back"):
        edits.add([edit_of(state, "text", "9", who="BOB", screen="review")], {state.key: state.version})


def test_what_makes_no_sense_is_not_entered(out: Path) -> None:
    edit = edit_of(states(out)["a.png"], "text", "9", who="", screen="review")
    with open_edits(out) as edits:
        for wrong in (replace(edit, page=0), replace(edit, text=""), replace(edit, said="blank"), replace(edit, sha256="")):
            with pytest.raises(ValueError, match="edit"):
                edits.add([edit, wrong])
    with Journal.look(out) as journal:
        assert list(journal.edits()) == []


def _key_many(output: Path, who: str, count: int) -> None:
    with open_edits(output) as edits:
        for number in range(count):
            edits.add([Edit(sha_of("a"), 1, "id", "text", str(number), who=who)])


def test_two_processes_and_a_run_write_at_the_same_time(out: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_key_many, args=(out, who, 40)) for who in ("ANNA", "BOB")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        read_again(out, settings="two", anew=True)
    assert [writer.exitcode for writer in writers] == [0, 0]
    with Journal.look(out) as journal:
        found = list(journal.edits())
    for who in ("ANNA", "BOB"):
        assert [edit.text for edit in found if edit.who == who] == [str(number) for number in range(40)]
    assert len({edit.id for edit in found}) == 80


def test_threads_share_one_writer(out: Path) -> None:
    with open_edits(out) as edits:

        def work() -> None:
            for _ in range(20):
                edits.add([Edit(sha_of("a"), 1, "id", "text", "7")])

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    with Journal.look(out) as journal:
        assert len(list(journal.edits())) == 80


WRITER = """
import sys
from pathlib import Path
from docproc.runs.edits import Edit
from docproc.runs.editing import open_edits

with open_edits(Path(sys.argv[1])) as edits:
    for number in range(int(sys.argv[2]), 10**9):
        edits.add([Edit("a" * 64, 1, "id", "text", str(2 * number)), Edit("b" * 64, 1, "id", "text", str(2 * number + 1))])
        print(number, flush=True)
"""


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_no_edit_that_was_acknowledged_is_lost_by_a_kill(out: Path) -> None:
    begin, acknowledged = 0, list[int]()
    for round_ in range(20):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(out), str(begin)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
        )
        assert writer.stdout is not None
        for _ in range(3 + 7 * round_ % 11):
            acknowledged.append(int(writer.stdout.readline()))
        writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.communicate()[0].splitlines() if line]
        begin = acknowledged[-1] + 2  # the next may have been entered, and not be acknowledged
    with Journal.look(out) as journal:
        found = [int(edit.text) for edit in journal.edits()]
    assert len(found) == len(set(found))
    assert {2 * number + k for number in acknowledged for k in (0, 1)} <= set(found)
    assert {number ^ 1 for number in found} == set(found)  # all or none of what is entered together


# ------------------------------------------------------------------------------------------------------- journals


def age(output: Path) -> None:
    """Make the journal one of the version before edits."""
    with closing(sqlite3.connect(journal_path(output))) as db, db:
        db.execute("DROP TABLE edit")
        db.execute("DROP TABLE spec")
        db.execute("ALTER TABLE row DROP COLUMN spec")
        db.execute("UPDATE run SET value = '6' WHERE key = 'schema'")


def test_a_journal_of_the_version_before_edits_takes_them(out: Path) -> None:
    age(out)
    assert shown(out) == [("120", "review", "", "")] * 3  # to look at it changes nothing
    with Journal.look(out) as journal:
        assert (journal.note("schema"), list(journal.edits()), journal.standing().edits) == ("6", [], 0)
    key(out, "a.png", "120")
    key(out, "b.png", "77")
    assert shown(out) == KEYED
    with Journal.look(out) as journal:
        assert journal.note("schema") == SCHEMA
    age(out)
    read_again(out, anew=True)
    assert shown(out) == [("120", "review", "", "")] * 3


def test_a_damaged_journal_is_set_aside_and_not_deleted(out: Path) -> None:
    journal_path(out).write_bytes(b"SQLite it is not, but long enough to look like something" * 30)
    read_again(out, anew=True)
    assert (out.parent / "t.csv.docproc.damaged").read_bytes().startswith(b"SQLite it is not")
    assert len(shown(out)) == 3


def test_there_is_nothing_to_edit_without_a_journal(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no journal"), open_edits(tmp_path / "t.csv"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_run_ends_while_somebody_keys(out: Path) -> None:
    state = states(out)["a.png"]
    with open_edits(out) as edits:
        read_again(out, settings="two")
        edits.add([edit_of(state, "text", "121", who="", screen="review")])
    assert shown(out)[0][0] == "121"
    assert sorted(os.listdir(out.parent)) == ["t.csv", "t.csv.docproc"]


# ------------------------------------------------------------------------------------------------------ the table


def test_the_table_is_brought_up_to_date(out: Path) -> None:
    key(out, "b.png", "77")
    assert rewrite_table(out) == ""
    found = records(out)
    assert [(row["text"], row["read"], row["keyed"]) for row in found] == [
        ("120", "", ""),
        ("77", "120", "corrected"),
        ("120", "", ""),
    ]


def test_a_table_that_a_person_changed_is_left_alone(out: Path) -> None:
    key(out, "b.png", "77")
    out.write_text(out.read_text().replace("c.png,1,id,120", "c.png,1,id,121"))
    before = out.read_bytes()
    assert "line 4 was changed" in rewrite_table(out)
    assert out.read_bytes() == before


def test_the_table_of_a_run_that_is_not_finished_is_left_to_it(out: Path) -> None:
    with Journal.open(out) as journal:
        journal.plan([(Document("d.png", Path("d.png")), "one")])
    assert rewrite_table(out) == NOT_FINISHED


def test_a_journal_whose_table_has_no_format(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite, match="no table that docproc writes"):
        rewrite_table(tmp_path / "t.txt")
