"""`docproc apply` and `docproc edits` as a user calls them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docproc.runs.journal import Journal
from tests.cli.program import docproc, table
from tests.conftest import PROJECT, SAMPLES
from tests.runs.test_editing import read_again

pytestmark = pytest.mark.thorough


@pytest.fixture
def out(tmp_path: Path) -> Path:
    read_again(tmp_path / "t.csv")
    (tmp_path / "c.csv").write_text("document,field,text\na.png,id,120\nb.png,id,77\nc.png,id,501\n")
    done = docproc("apply", tmp_path / "t.csv", tmp_path / "c.csv", "--who", "ANNA")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "3 corrections entered: 1 confirmed, 2 corrected",
        f"1 field of these for review; to list why: docproc status {tmp_path / 't.csv'}; --overrule accepts what breaks a rule",
        f"table: {tmp_path / 't.csv'}",
    ]
    return tmp_path / "t.csv"


def count(out: Path) -> int:
    with Journal.look(out) as journal:
        return len(list(journal.edits()))


def test_edits_are_listed_and_counted(out: Path) -> None:
    listed = docproc("edits", out).stdout.splitlines()
    assert listed[0].split() == ["when", "who", "screen", "document", "page", "field", "what"]
    assert [line.rpartition("  id     ")[2] for line in listed[1:]] == [
        "confirmed 120",
        "corrected to 77 (read 120)",
        "corrected to 501 (read 120)",
    ]
    told = json.loads(docproc("edits", out, "--json").stdout)
    assert [(one["document"], one["text"], one["who"]) for one in told] == [
        ("a.png", "120", "ANNA"), ("b.png", "77", "ANNA"), ("c.png", "501", "ANNA"),
    ]  # fmt: skip
    assert "  3 edits by people; fields keyed: 1 confirmed, 2 corrected\n" in docproc("status", out).stdout
    figures = json.loads(docproc("status", out, "--json").stdout)
    assert (figures["edits"], figures["keyed"], figures["status"]) == (
        3,
        {"confirmed": 1, "corrected": 2},
        {"ok": 2, "review": 1},
    )


def test_the_table_again_has_what_was_keyed(out: Path) -> None:
    assert docproc("table", out, "-o", out.with_name("other.csv")).returncode == 0
    assert [(row["text"], row["read"], row["keyed"]) for row in table(out.with_name("other.csv"))] == [
        ("120", "", "confirmed"), ("77", "120", "corrected"), ("501", "120", "corrected"),
    ]  # fmt: skip


def test_a_file_at_fault_is_refused_with_its_lines(out: Path) -> None:
    (out.parent / "c.csv").write_text("document,field,text\nz.png,id,120\nb.png,id,x\n")
    done = docproc("apply", out, out.parent / "c.csv")
    assert done.returncode == 3
    assert "line 2: the run has no field" in done.stderr
    assert "line 3: only digits" in done.stderr
    assert count(out) == 3


def test_discarding_asks(out: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "docproc", "edits", str(out), "--discard"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    for answer in ("", "n\n"):
        done = subprocess.run(command, input=answer, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 2
        assert "Drop 3 edits of" in done.stderr
        assert "--yes does not ask" in done.stderr
    assert count(out) == 3
    done = subprocess.run(command, input="y\n", capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, count(out)) == (0, 0)
    assert [row["keyed"] for row in table(out)] == ["", "", ""]


def test_discarding_for_scripts(out: Path) -> None:
    done = docproc("edits", out, "--discard", "--yes")
    assert (done.returncode, done.stderr) == (0, "3 edits dropped\n")
    assert docproc("edits", out).stderr == "no edits\n"
    assert docproc("edits", out.with_name("none.csv")).returncode == 5


def test_rules_are_those_of_the_run_whatever_becomes_of_its_template(tmp_path: Path) -> None:
    for name in ("form_1.jpg", "blank.png", "template.toml"):
        shutil.copy(SAMPLES / "survey" / name, tmp_path)
    out, template = tmp_path / "t.csv", tmp_path / "template.toml"
    assert docproc("run", tmp_path, "-o", out, "-j", 1).returncode == 0
    before = {row["field"]: row for row in table(out)}
    template.unlink()
    (tmp_path / "c.csv").write_text("document,field,text\nform_1.jpg,persons,99\n")
    done = docproc("apply", out, tmp_path / "c.csv")
    assert "1 field of these for review" in done.stderr
    after = {row["field"]: row for row in table(out)}
    broken = "breaks a rule: all persons"
    parts = ("men", "women", "children", "persons")
    assert {name: after[name]["reason"] for name in parts} == dict.fromkeys(parts, broken)
    assert docproc("apply", out, tmp_path / "c.csv", "--overrule").returncode == 0
    after = {row["field"]: row for row in table(out)}
    assert {after[name]["status"] for name in parts} == {"ok"}
    assert (after["persons"]["text"], after["persons"]["read"]) == ("99", before["persons"]["text"])
    assert after["persons"]["reason"] == "overruled: all persons"
