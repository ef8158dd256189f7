from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from docproc.errors import BadInput, CannotWrite, DocumentError
from docproc.files import Document, read_content
from docproc.options import Limits
from docproc.runs import journal as module
from docproc.runs.journal import (
    Decision,
    Journal,
    Known,
    Outcome,
    Todo,
    decide,
    failed_outcome,
    holding,
    journal_path,
    reading_settings,
)
from docproc.types import Row
from docproc.urls import Stamp
from tests.conftest import file_of


def row(document: str, text: str = "007", **changes: object) -> Row:
    return replace(Row(document, 1, "id", text, text, 0.98765432, "ok", "", "", "", "", 1, 2, 3, 4, "abc"), **changes)  # type: ignore[arg-type]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "t.csv"


@pytest.fixture
def documents(tmp_path: Path) -> list[Document]:
    folder = tmp_path / "in"
    folder.mkdir()
    found = []
    for name in ("a.png", "b.png", "c.png"):
        (folder / name).write_bytes(name.encode())
        found.append(Document(name, folder / name))
    return found


def read(document: Document, text: str = "007") -> Outcome:
    content = read_content(document.path, Limits())
    return Outcome((row(document.name, text),), content.sha256, content.size, content.modified, content.changed)


def todo(document: Document) -> Todo:
    found = file_of(document).stat()
    return Todo(document, "one", None, 0, (found.st_size, found.st_mtime_ns, found.st_ctime_ns))


def plan(journal: Journal, documents: Sequence[Document], settings: str = "one") -> list[str]:
    return [todo.document.name for todo in journal.plan([(document, settings) for document in documents])]


def finish(journal: Journal, documents: Sequence[Document]) -> None:
    for document in documents:
        journal.begin(document)
        journal.finish(document, read(document))
    journal.keep(finished="now")


STAMP = (4, 5, 6)
READ = Known(b"in/a.png", "one", done=True, stamp=STAMP, sha256="ab", has_rows=True)
LOST = replace(READ, sha256=None, code="timeout")


@pytest.mark.parametrize(
    ("known", "path", "stamp", "retry", "decision"),
    [
        (None, b"in/a.png", STAMP, True, "read"),
        (READ, b"in/a.png", STAMP, True, "skip"),
        (READ, b"in/b.png", STAMP, True, "compare"),  # another file of the same name
        (READ, b"in/a.png", (4, 7, 6), True, "compare"),
        (READ, b"in/a.png", None, True, "compare"),
        (replace(READ, settings="two"), b"in/a.png", STAMP, True, "read"),
        (replace(READ, done=False), b"in/a.png", STAMP, True, "compare"),
        (replace(READ, done=False, has_rows=False), b"in/a.png", STAMP, True, "read"),
        (replace(READ, code="corrupt"), b"in/a.png", STAMP, True, "skip"),  # it will not get better
        (replace(READ, code="timeout"), b"in/a.png", (4, 7, 6), True, "read"),
        (LOST, b"in/a.png", STAMP, True, "read"),
        (LOST, b"in/a.png", STAMP, False, "skip"),
        (replace(LOST, stamp=None), b"in/a.png", None, False, "skip"),  # still not to be seen
        (replace(LOST, stamp=None), b"in/a.png", STAMP, False, "read"),
    ],
)
def test_what_a_run_does_with_a_document(
    known: Known | None, path: bytes, stamp: Stamp | None, retry: bool, decision: Decision
) -> None:
    assert decide(known, path, stamp, "one", retry=retry) == decision


def test_only_what_is_new_or_changed_is_read_again(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        assert plan(journal, documents) == ["a.png", "b.png", "c.png"]
        finish(journal, documents)
    with Journal.open(out) as journal:
        assert plan(journal, documents) == []
    file_of(documents[1]).write_bytes(b"another")
    with Journal.open(out) as journal:
        assert plan(journal, documents) == ["b.png"]
        finish(journal, documents[1:2])
        # A template, a model or an option that changed.
        assert plan(journal, documents, "two") == ["a.png", "b.png", "c.png"]
        assert list(journal.rows()) == []


def test_a_touched_file_is_only_hashed(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        os.utime(documents[0].path, (1, 1))
        (touched,) = journal.plan([(document, "one") for document in documents])
        content = read_content(documents[0].path, Limits())
        assert touched.sha256 == content.sha256
        journal.finish(touched.document, Outcome(None, content.sha256, content.size, content.modified, content.changed))
        assert [r.document for r in journal.rows()] == ["a.png", "b.png", "c.png"]
        assert plan(journal, documents) == []


def test_an_unfinished_run_goes_on_with_what_it_lacks(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        journal.begin(documents[0])
        journal.finish(documents[0], read(documents[0]))
        journal.begin(documents[1])
    with Journal.open(out) as journal:
        left = journal.plan([(document, "one") for document in documents])
    # What was in hand when the run died comes last.
    assert [(one.document.name, one.attempts) for one in left] == [("c.png", 0), ("b.png", 1)]


GONE = "the file is no longer among the inputs"


def shown(journal: Journal) -> list[tuple[str, str, str]]:
    return [(r.document, r.status, r.reason) for r in journal.rows()]


def test_what_was_read_stays_in_the_table_when_its_file_goes_away(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        assert plan(journal, documents[:2]) == []
        assert shown(journal) == [("a.png", "ok", ""), ("b.png", "ok", ""), ("c.png", "ok", GONE)]
        assert journal.standing().away == 1
        assert plan(journal, documents[:2]) == []  # and later runs keep it
        assert shown(journal)[2] == ("c.png", "ok", GONE)
        assert plan(journal, documents) == []  # it came back
        assert shown(journal)[2] == ("c.png", "ok", "")


def test_what_went_away_is_forgotten_only_when_that_is_asked_for(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        journal.plan([(document, "one") for document in documents[:2]], forget=True)
        assert [r.document for r in journal.rows()] == ["a.png", "b.png"]
        assert plan(journal, documents[:2]) == []
        assert [r.document for r in journal.rows()] == ["a.png", "b.png"]
        assert plan(journal, documents) == []  # nothing has to be read again
        assert [r.document for r in journal.rows()] == ["a.png", "b.png", "c.png"]


def test_what_went_away_and_was_read_with_other_settings_is_never_accepted_unseen(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        assert plan(journal, documents[:2], "two") == ["a.png", "b.png"]
        finish(journal, documents[:2])
        assert shown(journal)[2] == ("c.png", "review", f"{GONE}, and was read with other settings")
        assert dict(journal.standing().by_status) == {"ok": 2, "review": 1}
        assert plan(journal, documents[:2], "one") == ["a.png", "b.png"]
        assert shown(journal) == [("c.png", "ok", GONE)]


@pytest.mark.parametrize(
    ("settings", "folder", "holds"),
    [
        ("g.t.o", "in", True),
        ("g.t.other", "in", True),  # where pictures are saved tells nothing of a reading
        ("g.older.o", "in", False),  # the template of that folder changed
        ("g.older.o", "gone", True),  # its template went away with it
        ("g2.t.o", "in", False),
        ("g2.t.o", "gone", False),
        ("of an earlier version", "in", False),
    ],
)
def test_which_rows_hold_beside_those_of_a_run(settings: str, folder: str, holds: bool) -> None:
    assert holding({"in": reading_settings("g", "t", "o")})(settings, folder) == holds


def test_a_file_that_comes_again_under_another_name_is_told_though_the_first_went_away(
    out: Path, documents: list[Document]
) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        again = Document("d.png", file_of(documents[2]).rename(file_of(documents[2]).with_name("d.png")))
        assert plan(journal, [*documents[:2], again]) == ["d.png"]
        finish(journal, [again])
        assert shown(journal)[2:] == [("c.png", "ok", GONE), ("d.png", "ok", "the same file as c.png")]


def test_a_file_that_waits_to_be_complete_is_not_called_gone(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        journal.plan([(document, "one") for document in documents[:2]], waiting=["c.png"])
        assert shown(journal)[2] == ("c.png", "ok", "")


def test_a_passing_trouble_is_left_alone_where_no_retry_is_asked(out: Path, documents: list[Document]) -> None:
    problem = DocumentError("timeout", "on purpose")
    lost = row("a.png", "", status="error", reason="timeout: on purpose", field="")
    with Journal.open(out) as journal:
        plan(journal, documents[:1])
        journal.finish(documents[0], failed_outcome(todo(documents[0]), lost, problem))
        journal.keep(finished="now")
        assert journal.plan([(documents[0], "one")], retry=False) == []


@pytest.mark.parametrize(("code", "again"), [("timeout", True), ("permission", True), ("corrupt", False), ("too_large", False)])
def test_a_passing_trouble_is_tried_again_by_the_next_run(out: Path, documents: list[Document], code: str, again: bool) -> None:
    problem = DocumentError(code, "on purpose")
    lost = row("a.png", "", status="error", reason=f"{code}: on purpose", field="")
    with Journal.open(out) as journal:
        plan(journal, documents[:1])
        journal.finish(documents[0], failed_outcome(todo(documents[0]), lost, problem))
        assert plan(journal, documents[:1]) == []  # the same run goes on
        journal.keep(finished="now")
        assert plan(journal, documents[:1]) == (["a.png"] if again else [])


def test_rows_come_back_as_they_went_in(out: Path, documents: list[Document]) -> None:
    rows = (
        row("b.png", "00123"),
        row("b.png", "", page=2, field="", confidence=None, status="error", reason="x: \udcff", left=None),
    )
    with Journal.open(out) as journal:
        plan(journal, documents)
        journal.finish(documents[1], replace(read(documents[1]), rows=rows))
    with Journal.look(out) as journal:
        assert list(journal.rows()) == [rows[0], replace(rows[1], reason="x: \\udcff")]


def test_rows_are_ordered_by_the_bytes_of_their_names(out: Path, tmp_path: Path) -> None:
    names = ["z.png", "Z.png", "\udcff.png", "é.png", "a/b.png", "a.png"]
    (tmp_path / "x").write_bytes(b"x")
    some = [Document(name, tmp_path / "x") for name in names]
    with Journal.open(out) as journal:
        plan(journal, some)
        for document in some:
            journal.finish(document, replace(read(document), sha256=None))
        assert [r.document for r in journal.rows()] == sorted(names, key=os.fsencode)


def test_the_same_scan_under_two_names_is_told(out: Path, documents: list[Document]) -> None:
    file_of(documents[2]).write_bytes(file_of(documents[0]).read_bytes())
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        assert journal.standing().duplicates == (("c.png", "a.png"),)
        assert [r.reason for r in journal.rows()] == ["", "", "the same file as a.png"]
        assert {r.status for r in journal.rows()} == {"ok"}


def test_the_standing_counts(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        journal.finish(documents[0], read(documents[0]))
        lost = row("b.png", "", status="error", reason="empty: nothing", field="")
        journal.finish(documents[1], failed_outcome(todo(documents[1]), lost, DocumentError("empty", "nothing")))
        standing = journal.standing()
    assert (standing.documents, standing.done, standing.failed, standing.fields, standing.pages) == (3, 2, 1, 1, 2)
    assert standing.failures == (("b.png", 1, "empty: nothing"),)
    assert dict(standing.by_status) == {"ok": 1, "error": 1}


def test_a_copy_taken_at_any_moment_opens(out: Path, documents: list[Document], tmp_path: Path) -> None:
    """What a power cut leaves: the file and its log as they were at some moment."""
    copies = []
    with Journal.open(out) as journal:
        plan(journal, documents)
        for k, document in enumerate(documents):
            for step in ("begin", "finish"):
                journal.begin(document) if step == "begin" else journal.finish(document, read(document))
                folder = tmp_path / f"copy_{k}_{step}"
                folder.mkdir()
                for part in journal_path(out).parent.glob("t.csv.docproc*"):
                    shutil.copy(part, folder)
                copies.append((folder, k + (step == "finish")))
    for folder, done in copies:
        with sqlite3.connect(folder / "t.csv.docproc") as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        db.close()
        with Journal.open(folder / "t.csv") as journal:
            assert len(list(journal.rows())) == done
            assert len(plan(journal, documents)) == 3 - done


def test_a_full_disk_is_told_and_loses_nothing(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        journal.finish(documents[0], read(documents[0]))
        journal._db.execute("PRAGMA max_page_count=1")
        huge = Outcome(tuple(row("b.png", "1" * 1000, page=k) for k in range(500)))
        with pytest.raises(CannotWrite, match=r"No space left on device.*make room"):
            journal.finish(documents[1], huge)
    with Journal.open(out) as journal:
        assert plan(journal, documents) == ["b.png", "c.png"]
        assert [r.document for r in journal.rows()] == ["a.png"]


def test_what_is_no_journal(out: Path) -> None:
    with pytest.raises(BadInput, match="no journal"), Journal.look(out):
        pass
    journal_path(out).write_bytes(b"SQLite it is not, but long enough to look like something" * 30)
    with pytest.raises(BadInput, match="no readable journal"), Journal.look(out):
        pass
    with pytest.raises(CannotWrite, match="--no-resume begins anew"), Journal.open(out):
        pass
    with Journal.open(out, anew=True) as journal:
        assert journal.standing().documents == 0


def test_on_a_network_disk_the_log_is_rolled_back(
    out: Path, documents: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "on_network", lambda _: True)
    with Journal.open(out) as journal:
        assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        plan(journal, documents)
        finish(journal, documents)
        assert not list(out.parent.glob("*-wal"))


def test_a_finished_journal_is_one_file(out: Path, documents: list[Document]) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
    with Journal.look(out) as journal:
        journal.standing()
    assert [p.name for p in out.parent.iterdir() if p.is_file()] == ["t.csv.docproc"]


def test_a_file_that_was_replaced_after_it_failed_is_read(out: Path, documents: list[Document]) -> None:
    lost = row("a.png", "", status="error", reason="permission: no", field="")
    with Journal.open(out) as journal:
        plan(journal, documents[:1])
        journal.finish(documents[0], failed_outcome(todo(documents[0]), lost, DocumentError("permission", "no")))
        file_of(documents[0]).write_bytes(b"repaired")
        assert plan(journal, documents[:1]) == ["a.png"]


def test_another_file_of_the_same_name_is_read(out: Path, documents: list[Document], tmp_path: Path) -> None:
    with Journal.open(out) as journal:
        plan(journal, documents)
        finish(journal, documents)
        assert plan(journal, [Document("a.png", documents[1].path)]) == ["a.png"]


def test_notes_may_hold_names_of_any_bytes(out: Path) -> None:
    with Journal.open(out) as journal:
        journal.keep(command="docproc run in\udce4")
        assert journal.note("command") == "docproc run in\\udce4"


def test_a_journal_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    output = tmp_path / "t.csv"
    with Journal.open(output) as journal:
        journal.keep(schema="99")
    with pytest.raises(BadInput, match=r"newer version of docproc; use that version"), Journal.look(output):
        pass
    with pytest.raises(CannotWrite, match=r"newer version of docproc; use that version"), Journal.open(output):
        pass
