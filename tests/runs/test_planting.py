"""Wrong readings that are shown on purpose: plausible, never taken for the truth, and counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from docproc.rules import FieldRules, SumRule
from docproc.runs.editing import open_edits
from docproc.runs.edits import FieldState, edit_of, meaning
from docproc.runs.journal import Journal
from docproc.runs.planting import Planted, answered, planted_reading
from docproc.types import FieldSpec, Row
from tests.runs.test_editing import read_again, states

SECRET = "5" * 32


def field(number: int = 0, text: str = "1234", value: str = "12.34", **changes: object) -> FieldState:
    row = Row("a.png", number + 1, "amount", text, value, 0.9, "review", "confidence 0.9, 0.95 needed at 1 %", "", "", "",
              1, 2, 3, 4, spec=FieldSpec("amount"))  # fmt: skip
    return FieldState("ab" * 32, replace(row, **changes), row)  # type: ignore[arg-type]


def test_one_digit_is_another_and_the_marks_stay() -> None:
    for number in range(50):
        shown = planted_reading(field(number), SECRET, 1)
        assert shown
        assert sum(one != other for one, other in zip(shown.text, "1234", strict=True)) == 1
        assert shown.value == f"{shown.text[:2]}.{shown.text[2:]}"
        assert shown == planted_reading(field(number), SECRET, 1)
    texts = {shown.text for number in range(50) if (shown := planted_reading(field(number), SECRET, 1))}
    assert len(texts) > 4


def test_the_share_of_fields_that_show_one() -> None:
    assert all(planted_reading(field(number), SECRET, 0) is None for number in range(500))
    count = sum(planted_reading(field(number), SECRET, 0.1) is not None for number in range(2000))
    assert 140 < count < 260  # 200 expected, standard deviation 13


def test_what_the_readers_proposed_comes_first() -> None:
    shown = planted_reading(field(), SECRET, 1, proposed=("1234", "", "1284"))
    assert shown
    assert (shown.text, shown.value) == ("1284", "12.84")
    changed = planted_reading(field(read="1734", changed_by="check digit"), SECRET, 1)
    assert changed
    assert (changed.text, changed.read, changed.changed_by) == ("1734", "", "")


def test_no_rule_gives_it_away() -> None:
    inside = FieldSpec(rules=FieldRules(bounds=(1230, 1239)))
    for number in range(30):
        shown = planted_reading(field(number, value="1234", spec=inside), SECRET, 1, proposed=("9999",))
        assert shown
        assert meaning(shown, shown.text).broken == ()
    only = FieldSpec(rules=FieldRules(bounds=(1234, 1234)))
    assert planted_reading(field(value="1234", spec=only), SECRET, 1) is None
    total = FieldSpec(between=(SumRule(("men", "women"), "total"),))
    page = [
        field(field=name, text=text, value=text, spec=total).reading
        for name, text in (("men", "1"), ("women", "2"), ("total", "3"))
    ]
    assert planted_reading(FieldState("ab" * 32, page[2], page[2]), SECRET, 1, page=page) is None
    wrong = [replace(row, text="7") if row.field == "men" else row for row in page]
    assert planted_reading(FieldState("ab" * 32, page[2], page[2]), SECRET, 1, page=wrong) is not None


def test_a_field_shows_it_once_and_nobody_is_shown_it_who_keyed() -> None:
    state = field()
    assert planted_reading(state, SECRET, 1, done={state.key}) is None
    keyed = replace(state, edits=(edit_of(state, "text", "1234", who="ANNA", screen="review"),))
    assert planted_reading(keyed, SECRET, 1) is None
    assert planted_reading(field(text="", value=""), SECRET, 1) is None


@pytest.mark.parametrize(
    ("said", "text", "passed"),
    [("text", "1284", True), ("text", "12.84", True), ("text", "1234", False), ("text", "99", False), ("blank", "", False),
     ("illegible", "", False)],
)  # fmt: skip
def test_what_a_person_did(said: str, text: str, passed: bool) -> None:
    state = field()
    shown = planted_reading(state, SECRET, 1, proposed=("1284",))
    assert shown
    edit = edit_of(state, said, text, who="ANNA", screen="review")  # type: ignore[arg-type]
    assert answered(shown, state, edit) == Planted("ab" * 32, 1, "amount", "1284", passed, "ANNA", "review")


def test_the_journal_counts_them_with_the_edit_or_without(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    read_again(out)
    found = states(out)
    first, second = (Planted(*found[name].key, "130", name == "a.png", "ANNA", "review") for name in ("a.png", "b.png"))
    caught = edit_of(found["b.png"], "text", "120", who="ANNA", screen="review")
    with open_edits(out) as edits:
        edits.add([], planted=[first])
        edits.add([caught], {caught.key: 0}, planted=[second])
        edits.add([], planted=[replace(first, passed=False)])
    with Journal.look(out) as journal:
        kept = journal.planted()
        assert [(one.key, one.passed, bool(one.at)) for one in kept] == [(first.key, True, True), (second.key, False, True)]
        assert [edit.text for edit in journal.edits()] == ["120"]
    read_again(out, anew=True)
    with Journal.look(out) as journal:
        assert journal.planted() == kept
    with open_edits(out) as edits:
        assert edits.discard() == 1
    with Journal.look(out) as journal:
        assert journal.planted() == []
