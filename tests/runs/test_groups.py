"""Group verification without pages: what is put up, what follows from what is said of digits, and nothing of it is lost."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docproc.files import Document
from docproc.rules import FieldRules
from docproc.runs.digit_log import MARKED, WITHDRAWN, DigitEdit
from docproc.runs.editing import open_edits
from docproc.runs.edits import FieldState, StaleEdit, edit_of
from docproc.runs.groups import OpenField, answers, breaks_rules, edit_for, groups, open_fields, withdrawals
from docproc.runs.journal import SCHEMA, Journal, Outcome, journal_path
from docproc.types import Box, Digit, FieldSpec, Row
from tests.conftest import PROJECT

UNSURE = "confidence 0.5, 0.9 needed at 1 %"


def reading(text: str, name: str = "a.png", field: str = "id", sure: Sequence[float] = (), **changes: Any) -> Row:
    row = Row(name, 1, field, text, text, 0.5, "review", UNSURE, "", "", "", 10, 20, 200, 40, spec=FieldSpec())
    own = sure or [0.5] * len(text)
    digits = tuple(Digit(one, own[k], Box(10 + 20 * k, 20, 15, 40)) for k, one in enumerate(text))
    return replace(row, **{"digits": digits, **changes})


def state(row: Row, **changes: Any) -> FieldState:
    return replace(FieldState(row.document[0] * 64, row, row), **changes)


def said(text: str, **places: str) -> list[DigitEdit]:
    """Words on digits of a field: `said("17", p1="4")`."""
    return [DigitEdit("a" * 64, 1, "id", int(place[1:]), text, word, "ANNA") for place, word in places.items()]


def opened(text: str, words: Sequence[DigitEdit] = (), **changes: Any) -> OpenField:
    (field,), _ = open_fields([state(reading(text, **changes))], words)
    return field


# ----------------------------------------------------------------------------------------------------- what is put up


def test_digits_of_all_fields_stand_in_their_groups_the_least_sure_first() -> None:
    rows = [reading("717", sure=(0.9, 0.4, 0.3)), reading("7", name="b.png", sure=(0.6,))]
    fields, left = open_fields(map(state, rows), [])
    found = groups(fields)
    assert [(piece.document, piece.place) for piece in found["7"]] == [("a.png", 2), ("b.png", 0), ("a.png", 0)]
    assert [(piece.document, piece.place) for piece in found["1"]] == [("a.png", 1)]
    assert sum(map(len, found.values())) == 4
    assert not left
    assert found["7"][0].box == rows[0].digits[2].box


def test_only_what_digits_can_settle_is_put_up() -> None:
    keyed = edit_of(state(reading("17", name="c.png")), "text", "17", who="", screen="review")
    states = [
        state(reading("1")),
        state(reading("2", name="b.png", reason=f"cell 2 illegible; {UNSURE}")),
        state(reading("3", name="c.png"), edits=(keyed,)),
        state(reading("4", name="d.png", digits=())),
        state(reading("5", name="e.png", status="ok", reason="")),
        state(reading("6", name="f.png"), sha256=""),
        state(reading("", name="g.png", status="blank")),
        state(reading("1", name="a copy of a.png")),
    ]
    fields, left = open_fields(states, [])
    assert [one.state.reading.text for one in fields] == ["1"]
    assert left == {"in_doubt": 1, "no_places": 1}
    fields, _ = open_fields(states, [], accepted=True)
    assert [one.state.reading.text for one in fields] == ["1", "5"]


def test_accounts_are_left_out_until_they_are_shown() -> None:
    rows = [
        reading("12345", field="micr", spec=FieldSpec("micr")),
        reading("123", field="routing"),
        reading("45", field="account"),
        reading("45", field="account", name="b.png"),  # of no line of print
    ]
    fields, left = open_fields(map(state, rows), [])
    assert [(one.state.reading.document, one.state.reading.field) for one in fields] == [
        ("a.png", "routing"),
        ("b.png", "account"),
    ]
    assert left == {"account": 2}
    assert len(open_fields(map(state, rows), [], unmasked=True)[0]) == 4


def test_a_form_further_down_on_a_scan_is_cut_from_that_scan() -> None:
    (field,), _ = open_fields([state(reading("7", page=5, reason=f"{UNSURE}; form 2 on page 3"))], [])
    (piece,) = field.pieces()
    assert (piece.key[1], piece.scan) == (5, 3)


# ----------------------------------------------------------------------------------------- what follows from what is said


def test_a_field_is_settled_by_its_last_digit() -> None:
    field = opened("17", said("17", p0="1"))
    assert (field.text, edit_for(field, "ANNA")) == ("", None)
    assert [piece.place for piece in field.pieces()] == [1]
    edit = edit_for(field.told(said("17", p1="7")), "ANNA")
    assert edit is not None
    assert (edit.how, edit.text, edit.screen, edit.who) == ("confirmed", "17", "group", "ANNA")
    edit = edit_for(field.told(said("17", p1="4")), "ANNA")
    assert edit is not None
    assert (edit.how, edit.text, edit.read) == ("corrected", "14", "17")


def test_a_marked_digit_sends_its_field_to_keying_and_takes_the_others_along() -> None:
    field = opened("177", said("177", p0="1", p2=MARKED))
    assert field.marked == (2,)
    assert list(field.pieces()) == []
    assert edit_for(field, "") is None


def test_an_amount_keeps_its_marks() -> None:
    field = opened("1234", said("1234", p0="1", p1="2", p2="3", p3="9"), value="12.34", spec=FieldSpec("amount"))
    edit = edit_for(field, "")
    assert edit is not None
    row = replace(field.state, edits=(edit,))
    assert (edit.text, row.counting[-1].how) == ("1239", "corrected")
    confirmed = opened("1234", said("1234", p0="1", p1="2", p2="3", p3="4"), value="12.34", spec=FieldSpec("amount"))
    edit = edit_for(confirmed, "")
    assert edit is not None
    assert edit.how == "confirmed"


def test_digits_that_break_a_rule_together_are_looked_at() -> None:
    spec = FieldSpec(rules=FieldRules(bounds=(0, 50)))
    words = said("17", p0="7", p1="7")
    assert breaks_rules(opened("17", words, spec=spec))
    assert not breaks_rules(opened("17", words))


def test_what_was_said_holds_as_long_as_the_same_is_read() -> None:
    words = said("17", p0="1", p1=MARKED)
    assert opened("17", words).said == {0: "1", 1: MARKED}
    assert opened("14", words).said == {}


def test_a_screen_is_taken_back_word_by_word() -> None:
    field = opened("17", said("17", p0="1"))
    screen = list(field.pieces())
    told = field.told(answers(screen, {0: ""}, "BOB"))
    assert told.marked == (1,)
    assert told.told(withdrawals(screen, "BOB")).said == {0: "1"}
    again = [*said("17", p0=MARKED), *said("17", p0="7"), *said("17", p0=WITHDRAWN)]
    assert opened("17", again).said == {0: MARKED}


@given(st.lists(st.text("0123456789", min_size=1, max_size=5), min_size=1, max_size=8), st.data())
def test_whatever_is_said_every_field_is_open_settled_or_to_be_keyed(texts: list[str], data: st.DataObject) -> None:
    rows = [reading(text, field=f"f{k}") for k, text in enumerate(texts)]
    fields, _ = open_fields(map(state, rows), [])
    words: list[DigitEdit] = []
    for pieces in groups(fields).values():
        marks = data.draw(st.dictionaries(st.integers(0, len(pieces)), st.sampled_from(["", *"0123456789"])))
        words += answers(pieces, marks, "")
    fields, _ = open_fields(map(state, rows), words)
    assert sum(map(len, groups(fields).values())) == 0
    for field, text in zip(fields, texts, strict=True):
        own = [
            next(one.said for one in words if one.field == field.state.reading.field and one.place == k)
            for k in range(len(text))
        ]
        if MARKED in own:
            assert field.marked
            assert not field.text
        else:
            assert field.text == "".join(own)
            edit = edit_for(field, "")
            assert edit is not None
            assert edit.how == ("confirmed" if field.text == text else "corrected")


# ------------------------------------------------------------------------------------------------------- the journal


@pytest.fixture
def out(tmp_path: Path) -> Path:
    read_again(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def read_again(output: Path, text: str = "17", *, anew: bool = False) -> None:
    with Journal.open(output, anew=anew) as journal:
        names = ("a.png", "b.png")
        journal.plan([(Document(name, Path(name)), text) for name in names])
        for name in names:
            journal.finish(Document(name, Path(name)), Outcome((reading(text, name=name),), name[0] * 64))
        journal.keep(finished="now")


def fields_of(output: Path) -> list[OpenField]:
    with Journal.look(output) as journal:
        return open_fields(journal.fields(digits=True), journal.digit_edits())[0]


def test_words_survive_whatever_is_read_again_as_the_same(out: Path) -> None:
    with open_edits(out) as edits:
        edits.add([], digits=said("17", p0="1", p1=MARKED))
    assert [one.said for one in fields_of(out)] == [{0: "1", 1: MARKED}, {}]
    read_again(out, anew=True)
    assert [one.said for one in fields_of(out)] == [{0: "1", 1: MARKED}, {}]
    read_again(out, "14")
    assert [one.said for one in fields_of(out)] == [{}, {}]
    read_again(out)
    assert [one.said for one in fields_of(out)] == [{0: "1", 1: MARKED}, {}]
    with open_edits(out) as edits:
        edits.discard()
    assert [one.said for one in fields_of(out)] == [{}, {}]


def test_words_and_edits_are_entered_together_or_not_at_all(out: Path) -> None:
    first, second = (one.state for one in fields_of(out))
    with open_edits(out) as edits:
        (number,) = edits.add([edit_of(first, "text", "99", who="BOB", screen="review")], {})
        late = [edit_of(one, "text", "17", who="ANNA", screen="group") for one in (first, second)]
        with pytest.raises(StaleEdit):
            edits.add(late, {}, digits=said("17", p0="1"))
        with pytest.raises(ValueError, match="edit of a digit"):
            edits.add([late[1]], {}, digits=said("17", p2="1"))
    with Journal.look(out) as journal:
        assert journal.digit_edits() == []
        assert [edit.id for edit in journal.edits_after(0)] == [journal.last_edit()] == [number]


def test_a_journal_of_the_version_before_takes_words_and_knows_no_places(out: Path) -> None:
    with closing(sqlite3.connect(journal_path(out))) as db, db:
        db.execute("DROP TABLE digit_edit")
        db.execute("ALTER TABLE row DROP COLUMN digits")
        db.execute("UPDATE run SET value = '8' WHERE key = 'schema'")
    with Journal.look(out) as journal:
        fields, left = open_fields(journal.fields(digits=True), journal.digit_edits())
        assert (fields, dict(left), journal.note("schema")) == ([], {"no_places": 2}, "8")
    with open_edits(out) as edits:
        edits.add([], digits=said("17", p0="1"))
    with Journal.look(out) as journal:
        assert (len(journal.digit_edits()), journal.note("schema")) == (1, SCHEMA)
    read_again(out, anew=True)
    assert [one.said for one in fields_of(out)] == [{0: "1"}, {}]


WRITER = """
import sys
from pathlib import Path
from docproc.runs.digit_log import DigitEdit
from docproc.runs.editing import open_edits
from docproc.runs.edits import Edit

with open_edits(Path(sys.argv[1])) as edits:
    for number in range(int(sys.argv[2]), 10**9):
        text = str(number)
        words = [DigitEdit("a" * 64, 1, "id", place, text, digit) for place, digit in enumerate(text)]
        edits.add([Edit("a" * 64, 1, "id", "text", text)], digits=words)
        print(number, flush=True)
"""


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_no_word_that_was_acknowledged_is_lost_by_a_kill(out: Path) -> None:
    begin, acknowledged = 100, list[str]()
    for round_ in range(4):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(out), str(begin)], stdout=subprocess.PIPE, text=True, cwd=PROJECT
        )
        assert writer.stdout is not None
        for _ in range(3 + 7 * round_ % 11):
            acknowledged.append(writer.stdout.readline().strip())
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.communicate()[0].split()
        begin = int(acknowledged[-1]) + 2  # the next may have been entered, and not be acknowledged
    with Journal.look(out) as journal:
        edits, words = [edit.text for edit in journal.edits()], journal.digit_edits()
    assert set(acknowledged) <= set(edits)
    assert len(edits) == len(set(edits))
    assert "".join(word.said for word in words) == "".join(edits)  # all or none of what is entered together
