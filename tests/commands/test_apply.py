"""Corrections from a file: all of them enter the journal, or none."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from docproc.commands.apply import Applied, apply
from docproc.errors import BadConfig, BadInput, BadUsage, OutputExists
from docproc.options import RunRequest
from docproc.runs.audit import verify
from docproc.runs.batch import run
from docproc.runs.edits import Edit
from docproc.runs.journal import Journal
from tests.cli.program import table
from tests.runs.faulty import LIMITS, fill, open_faulty
from tests.runs.test_editing import key, read_again, sha_of, states


@pytest.fixture
def out(tmp_path: Path) -> Path:
    read_again(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def corrected(out: Path, text: str, name: str = "c.csv") -> Path:
    path = out.parent / name
    path.write_text(text, encoding="utf-8")
    return path


def edits(out: Path) -> list[Edit]:
    with Journal.look(out) as journal:
        return list(journal.edits())


def shown(out: Path) -> list[tuple[str, str, str, str]]:
    return [(row["text"], row["status"], row["keyed"], row["read"]) for row in table(out)]


CSV = "document,page,field,text,who\na.png,1,id,120,BOB\nb.png,,id,77,\nc.png,1,id,,\n"


def test_corrections_enter_the_journal_and_the_table(out: Path) -> None:
    assert apply(out, corrected(out, CSV), "ANNA") == Applied(Counter(confirmed=1, corrected=1, blank=1), 0, 0, False)
    assert shown(out) == [("120", "ok", "confirmed", ""), ("77", "ok", "corrected", "120"), ("", "blank", "corrected", "120")]
    assert [(edit.who, edit.screen) for edit in edits(out)] == [("BOB", "apply"), ("ANNA", "apply"), ("ANNA", "apply")]
    assert [line for line in verify(out) if "not_found" not in line] == []
    # Again: nothing is entered twice.
    assert apply(out, corrected(out, CSV), "ANNA").standing == 3
    assert len(edits(out)) == 3


@pytest.mark.parametrize("name", ["c.xlsx", "c.json", "c.jsonl", "c.csv"])
def test_corrections_come_in_any_format(out: Path, name: str) -> None:
    rows: list[dict[str, Any]] = [
        {"document": "a.png", "page": 1, "field": "id", "text": "7.5"},
        {"document": "b.png", "field": "id", "text": "Illegible"},
    ]  # fmt: skip
    if name == "c.xlsx":
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in (("document", "page", "field", "text"), ("a.png", 1, "id", "7.5"), ("b.png", None, "id", "illegible")):
            book.active.append(row)
        book.save(out.parent / name)
    elif name == "c.csv":
        corrected(out, "document;field;text\na.png;id;7.5\nb.png;id;illegible\n", name)
    else:
        corrected(out, json.dumps(rows) if name == "c.json" else "\n".join(map(json.dumps, rows)), name)
    done = apply(out, out.parent / name, "ANNA")
    assert (done.entered, done.waiting) == (Counter(corrected=1, illegible=1), 1)
    assert [(row["text"], row["status"]) for row in table(out)] == [("75", "ok"), ("120", "review"), ("120", "review")]
    assert table(out)[1]["reason"].startswith("illegible")


def test_all_faults_are_told_at_once_and_nothing_is_entered(out: Path) -> None:
    file = corrected(out, "document,page,field,text\na.png,1,id,1\nd.png,1,id,2\na.png,2,id,2\na.png,1,amount,2\n"
                          "b.png,one,id,2\nb.png,1,id,12a\nc.png,1,id,5\nc.png,1,id,6\nc.png,1,id,5\n")  # fmt: skip
    with pytest.raises(BadConfig) as refused:
        apply(out, file, "ANNA")
    assert refused.value.faults == (
        "line 3: the run has no field 'id' on page 1 of d.png",
        "line 4: the run has no field 'id' on page 2 of a.png",
        "line 5: the run has no field 'amount' on page 1 of a.png",
        "line 6: the page 'one' is no number from 1",
        "line 7: only digits and marks such as . , - / ( ) can be typed",
        "line 9: c.png, id is '5' in line 8 and '6' here",
    )
    assert str(refused.value).startswith(f"nothing was entered from {file}: 6 faults\n")
    assert edits(out) == []


def test_two_texts_for_one_paper_are_refused_under_two_names_too(tmp_path: Path) -> None:
    read_again(tmp_path / "t.csv", names=("a.png", "all/a.png"))
    with pytest.raises(BadConfig, match=r"line 3: all/a\.png, id is '1' in line 2 and '2' here"):
        apply(tmp_path / "t.csv", corrected(tmp_path / "t.csv", "document,field,text\na.png,id,1\nall/a.png,id,2\n"), "")


def test_what_breaks_a_rule_waits_unless_it_is_overruled(out: Path) -> None:
    file = corrected(out, "document,field,text\na.png,id,501\n")
    assert apply(out, file, "ANNA").waiting == 1
    assert apply(out, file, "ANNA").waiting == 1  # the same file again does not insist
    assert shown(out)[0][:2] == ("501", "review")
    done = apply(out, file, "ANNA", overrule=True)
    assert (done.entered, done.waiting) == (Counter(corrected=1), 0)
    assert table(out)[0]["reason"] == "overruled: range 0 to 500"


def saved(out: Path, *entries: dict[str, Any], **changes: Any) -> Path:
    """What an offline page saves."""
    content = {"docproc": "edits", "version": 1, "edits": list(entries)} | changes
    return corrected(out, json.dumps(content), "saved.json")


def entry(out: Path, name: str, text: str, **changes: Any) -> dict[str, Any]:
    state = states(out)[name]
    return {"document": name, "page": 1, "field": "id", "sha256": state.sha256, "version": state.version, "said": "text",
            "text": text, "who": "BOB", "at": "2026-11-21T14:03:22.250Z", "screen": "offline"} | changes  # fmt: skip


def test_what_an_offline_page_saved_comes_back(out: Path) -> None:
    file = saved(
        out, entry(out, "a.png", "1-2"), entry(out, "b.png", "", said="illegible"), entry(out, "c.png", "7", again=True)
    )
    assert apply(out, file, "ANNA").entered == Counter(corrected=1, illegible=1, again=1)
    first = edits(out)[0]
    assert (first.text, first.who, first.at, first.screen) == ("1-2", "BOB", "2026-11-21T14:03:22.250Z", "offline")


def test_what_somebody_keyed_meanwhile_is_not_overwritten_unasked(out: Path) -> None:
    file = saved(out, entry(out, "a.png", "12"), entry(out, "b.png", "7"))
    key(out, "b.png", "8", "CARL")
    with pytest.raises(
        BadConfig, match=r"line 2: b\.png, id was keyed by CARL at .*: '8' there and '7' here; --overwrite enters this one"
    ):
        apply(out, file, "ANNA")
    assert len(edits(out)) == 1
    apply(out, file, "ANNA", overwrite=True)
    assert [row[0] for row in shown(out)] == ["12", "7", "120"]


def test_the_same_that_somebody_keyed_meanwhile_is_no_conflict(out: Path) -> None:
    file = saved(out, entry(out, "b.png", "7"))
    key(out, "b.png", "7", "CARL")
    assert apply(out, file, "ANNA") == Applied(Counter(), 1, 0, False)


def test_edits_find_their_paper_by_its_content(out: Path) -> None:
    file = saved(out, entry(out, "a.png", "12"))
    read_again(out, names=("again.png", "b.png"), anew=True)
    apply(out, file, "ANNA")
    assert [row["text"] for row in table(out)] == ["12", "120"]
    changed = saved(out, entry(out, "b.png", "12", sha256="c" * 64))
    with pytest.raises(BadConfig, match="the document has changed since this was keyed"):
        apply(out, changed, "ANNA")


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.csv", "document,field\na,b\n", "has no column text"),
        ("c.csv", "document,field,text\n", "has no rows"),
        ("c.json", "{", "is no JSON"),
        ("c.json", '{"a": 1}', "is no list of corrections"),
        ("c.json", '{"docproc": "edits", "version": 2, "edits": []}', "newer version of docproc"),
        (
            "c.json",
            '{"docproc": "edits", "version": 1, "edits": [{"document": "a", "version": "x"}]}',
            "the version 'x' is no number",
        ),
    ],
)
def test_what_is_no_file_of_corrections(out: Path, name: str, text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        apply(out, corrected(out, text, name), "ANNA")


def test_files_that_cannot_be_read(out: Path) -> None:
    with pytest.raises(BadUsage, match="no file of corrections"):
        apply(out, out.parent / "c.txt", "")
    with pytest.raises(BadInput, match="cannot read"):
        apply(out, out.parent / "c.csv", "")
    with pytest.raises(BadConfig, match="is not allowed in `said`; choose one of text, blank, illegible"):
        apply(out, saved(out, entry(out, "a.png", "1", said="maybe")), "")


def test_a_table_that_a_person_changed_stays_and_the_corrections_are_kept(out: Path) -> None:
    out.write_text(out.read_text().replace("c.png,1,id,120", "c.png,1,id,121"))
    before = out.read_bytes()
    with pytest.raises(OutputExists, match=r"(?s)line 4 was changed.*the corrections are entered: docproc table"):
        apply(out, corrected(out, CSV), "ANNA")
    assert out.read_bytes() == before
    assert len(edits(out)) == 3


@pytest.mark.thorough
def test_500_corrections_stand_whatever_is_run_again(tmp_path: Path) -> None:
    """`apply`, then `run --resume`, then `run --overwrite` with another `--max-error`, then everything read anew."""
    folder, out = tmp_path / "in", tmp_path / "t.csv"
    fill(folder, 250)

    def again(**changes: Any) -> None:
        run(RunRequest((folder,), out, "digits", jobs=1, limits=LIMITS, **changes), opener=open_faulty)

    again()
    keyed = {(row["document"], row["page"]): row["text"] + row["page"] for row in table(out)}
    with open(tmp_path / "c.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("document", "page", "field", "text"))
        writer.writerows((document, page, "id", text) for (document, page), text in keyed.items())
    assert apply(out, tmp_path / "c.csv", "ANNA").entered == Counter(corrected=500)
    for options in ({"resume": True}, {"overwrite": True, "max_error": 0.002}, {"overwrite": True, "resume": False}):
        again(**options)
        rows = table(out)
        assert {(row["document"], row["page"]): row["text"] for row in rows} == keyed
        assert {(row["status"], row["keyed"]) for row in rows} == {("ok", "corrected")}
        assert all(row["text"] == row["read"] + row["page"] for row in rows)
        assert list(verify(out)) == []


def test_a_run_that_is_going_on_writes_the_table_itself(out: Path) -> None:
    before = out.read_bytes()
    with Journal.open(out) as journal:
        journal.keep(finished="")
    assert apply(out, corrected(out, CSV), "ANNA").waits_for_run
    assert out.read_bytes() == before
    assert sha_of("a.png") == edits(out)[0].sha256
