"""How many errors are left among what was accepted, from fields that were keyed without seeing the reading."""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from docproc.commands.apply import apply
from docproc.commands.audit import audit, audited, told, write_list
from docproc.errors import BadInput, OutputExists
from docproc.runs.editing import open_edits
from docproc.runs.edits import AUDIT, FieldState, edit_of
from docproc.runs.journal import Journal, journal_path
from docproc.runs.planting import Planted
from docproc.runs.sampling import SampleSize
from tests.cli.program import docproc
from tests.runs.test_sampling import KEYS, read_all, state

NAMES = [f"{k}.png" for k in range(60)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    read_all(tmp_path / "t.csv", NAMES)
    with Journal.open(tmp_path / "t.csv") as journal:
        journal.keep(max_error="0.05")
    return tmp_path / "t.csv"


def keyed(number: int, said: str = "text", text: str = "12", screen: str = AUDIT) -> FieldState:
    one = state((KEYS[number][0], 1, "id" if number % 2 else "sum"))
    return replace(one, edits=(edit_of(one, said, text, who="ANNA", screen=screen),))  # type: ignore[arg-type]


def rest(count: int) -> list[FieldState]:
    return [state((key[0], 1, "id" if number % 2 else "sum")) for number, key in enumerate(KEYS[:count])]


def test_what_was_keyed_otherwise_is_an_error() -> None:
    drawn = [
        keyed(0),
        keyed(1, text="13"),
        keyed(2, "illegible", ""),
        keyed(3, "blank", ""),
        keyed(4, screen="review"),
        *rest(6)[5:],
    ]
    found = audited(drawn, drawn, [], 0.01)
    assert (found.all.accepted, found.all.drawn, found.all.keyed, found.all.wrong, found.all.illegible) == (6, 6, 4, 3, 1)
    assert {one.name: (one.drawn, one.keyed, one.wrong) for one in found.by_field} == {"sum": (3, 2, 1), "id": (3, 2, 2)}
    assert found.all.estimated == 0.75
    assert (found.all.at_least, found.all.at_most) == (3, 5)
    assert [one.counting[-1].shown for one in found.errors] == ["13", "illegible", "blank"]


def test_a_difference_that_was_settled_counts_as_it_was_settled() -> None:
    one = keyed(0, text="13")
    settled = replace(one, edits=(*one.edits, edit_of(one, "text", "12", who="BERT", screen="review")))
    assert audited([settled], [settled], [], None).all.wrong == 0


@pytest.mark.parametrize(
    ("count", "keyed_right", "keyed_wrong", "drawn", "kept"),
    [(400, 80, 0, 80, "yes"), (400, 20, 0, 20, "open"), (400, 80, 0, 81, "open"), (400, 60, 20, 81, "no"),
     (400, 76, 4, 80, "open"), (10, 10, 0, 10, "yes"), (10, 9, 1, 10, "no"), (10, 0, 0, 5, "open")],
)  # fmt: skip
def test_whether_the_error_was_kept(count: int, keyed_right: int, keyed_wrong: int, drawn: int, kept: str) -> None:
    some = [keyed(number, text="12" if number < keyed_right else "13") for number in range(keyed_right + keyed_wrong)]
    accepted = [*some, *rest(count)[len(some) :]]
    found = audited(accepted, accepted[:drawn], [], 0.05)
    assert found.kept == kept
    assert audited(accepted, accepted[:drawn], [], None).kept is None


def test_it_is_told_what_is_left_to_do() -> None:
    accepted = [*(keyed(number) for number in range(20)), *rest(400)[20:]]
    lines = list(
        told(
            audited(accepted, accepted[:20], [Planted("a", 1, "b", "1", True), Planted("a", 2, "b", "1", False)], 0.05),
            Path("t.csv"),
        )
    )
    assert lines[0] == "400 fields accepted, 20 drawn, 20 of these keyed without seeing the reading"
    assert lines[3].split() == ["all", "fields", "400", "20", "20", "0", "0%", "13.5%", "(54", "fields)"]
    assert (
        "to show that it was kept takes 52 keyed fields, if no further error is found: docproc audit t.csv --sample 52"
        in lines[-2]
    )
    assert lines[-1] == "planted wrong readings: 2 shown, 1 taken for right (50%)"


def fill(path: Path, texts: dict[str, str]) -> None:
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["text"] for row in rows} == {""}
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"text": texts.get(row["document"], "12")} for row in rows)


def test_from_the_list_to_the_figures(out: Path, tmp_path: Path) -> None:
    assert audit(out).all.drawn == 2  # 2 % of 60
    assert audit(out, SampleSize(count=40)).all.drawn == 40
    listed = tmp_path / "k.csv"
    assert write_list(out, listed) == 40
    with pytest.raises(OutputExists):
        write_list(out, listed)
    assert "12" not in {cell for row in csv.reader(listed.read_text().splitlines()) for cell in row}
    names = [row["document"] for row in csv.DictReader(listed.read_text().splitlines())]
    # One was keyed before by somebody who saw what was read: that does not count, and is keyed again.
    (before,) = (one for one in _fields(out) if one.reading.document == names[5])
    with open_edits(out) as edits:
        edits.add([edit_of(before, "text", "12", who="ANNA", screen="review")])
    fill(listed, {names[0]: "13", names[1]: "blank", names[2]: "", names[3]: "illegible"})
    done = apply(out, listed, "BERT")
    assert (done.empty, done.entered.total()) == (1, 39)
    assert apply(out, listed, "BERT").entered.total() == 0  # the same list once more
    found = audit(out)
    assert (found.all.keyed, found.all.wrong, found.all.illegible, found.kept) == (39, 3, 1, "open")
    assert write_list(out, listed, overwrite=True) == 1
    fill(listed, {})
    apply(out, listed, "BERT")
    assert (audit(out).all.keyed, audit(out).kept) == (40, "open")
    assert write_list(out, listed, overwrite=True) == 0


def _fields(out: Path) -> list[FieldState]:
    with Journal.look(out) as journal:
        return [one for one in journal.fields() if one.reading.field == "id"]


def test_an_ordinary_file_of_corrections_is_no_audit(out: Path, tmp_path: Path) -> None:
    audit(out, SampleSize(share=1))
    (tmp_path / "c.csv").write_text("document,field,text\n" + "".join(f"{name},id,12\n" for name in NAMES))
    apply(out, tmp_path / "c.csv", "ANNA")
    assert audit(out).all.keyed == 0


def test_a_journal_of_an_earlier_version_is_audited(out: Path) -> None:
    with closing(sqlite3.connect(journal_path(out))) as db:
        db.executescript(
            "DROP TABLE planted; DELETE FROM run WHERE key = 'max_error'; UPDATE run SET value = '7' WHERE key = 'schema'"
        )
    with Journal.look(out) as journal:
        assert journal.planted() == []
        assert journal.sample() is None
    found = audit(out)
    assert (found.all.drawn, found.kept, found.planted) == (2, None, 0)
    assert all("max-error" not in line for line in told(found, out))


def test_nothing_accepted_is_nothing_to_audit(tmp_path: Path) -> None:
    read_all(tmp_path / "t.csv", NAMES[:3], status="review")
    with pytest.raises(BadInput, match="accepted no field"):
        audit(tmp_path / "t.csv")
    with pytest.raises(BadInput, match="there is no journal"):
        audit(tmp_path / "none.csv")


def test_as_a_user_calls_it(out: Path, tmp_path: Path) -> None:
    done = docproc("audit", out, "--sample", "50%", "--to-key", tmp_path / "k.csv")
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "60 fields accepted, 30 drawn, 0 of these keyed without seeing the reading"
    assert done.stderr == f"30 fields to key: {tmp_path / 'k.csv'}\n"
    assert docproc("audit", out, "--to-key", tmp_path / "k.csv").returncode == 6
    assert docproc("audit", out, "--sample", "x").returncode == 2
    figures = json.loads(docproc("audit", out, "--json").stdout)
    assert (figures["all"]["drawn"], figures["all"]["at_most"], figures["kept"], figures["max_error"]) == (
        30,
        1.0,
        "open",
        0.05,
    )
