"""What people said of fields: the rows that follow, and that nothing of it is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from docproc.rules import FieldRules, SumRule
from docproc.runs.edits import (
    ILLEGIBLE,
    Edit,
    FieldState,
    blank_meaning,
    broken_between,
    edit_of,
    keyed_page,
    meaning,
    withdrawal_of,
)
from docproc.types import FieldSpec, Row

SUM = SumRule(("men", "women"), "total")
SHA = "ab" * 32


def reading(field: str = "id", text: str = "12", value: str | None = None, **changes: Any) -> Row:
    row = Row("a.png", 1, field, text, text if value is None else value, 0.5, "review", "confidence 0.5, 0.9 needed at 1 %",
              "", "", "", 1, 2, 3, 4, spec=FieldSpec())  # fmt: skip
    return replace(row, **changes)


def said(row: Row, *texts: str, **how: Any) -> list[Edit]:
    """Edits of a field, each by one who saw what was read: a text, maybe with `again` or `overruled`, or another word."""
    edits: list[Edit] = []
    for number, text in enumerate(texts, 1):
        state = FieldState(SHA, row, row, tuple(edits))
        if text == "undo":
            edit = withdrawal_of(state, who="ANNA", screen="review")
        elif text in ("blank", "illegible"):
            edit = edit_of(state, text, who="ANNA", screen="review")  # type: ignore[arg-type]
        else:
            word, _, rest = text.partition(" ")
            edit = edit_of(state, "text", rest or word, who="ANNA", screen="review", again=word == "again",
                           overruled=word == "overruled")  # fmt: skip
        edits.append(replace(edit, id=how.get("first", 0) + number))
    return edits


def keyed(row: Row, *texts: str) -> Row:
    (found,) = keyed_page([row], {row.field: said(row, *texts)})
    return found


def told(row: Row) -> tuple[str, str, str, str, str]:
    return row.text, row.status, row.keyed, row.read, row.reason


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["12"], ("12", "ok", "confirmed", "", "")),
        (["13"], ("13", "ok", "corrected", "12", "")),
        (["blank"], ("", "blank", "corrected", "12", "")),
        (["illegible"], ("12", "review", "", "", ILLEGIBLE)),
        (["13", "14"], ("14", "ok", "corrected", "12", "")),
        (["13", "undo"], ("12", "review", "", "", "confidence 0.5, 0.9 needed at 1 %")),
        (["13", "14", "undo"], ("13", "ok", "corrected", "12", "")),
        (["13", "14", "undo", "undo", "undo", "12"], ("12", "ok", "confirmed", "", "")),
        (["illegible", "13"], ("13", "ok", "corrected", "12", "")),
        # A second keying, by one who does not see the first.
        (["13", "again 13"], ("13", "ok", "twice", "12", "")),
        (["12", "again 12"], ("12", "ok", "twice", "", "")),
        (["13", "again 14"], ("12", "review", "", "", "two keyings differ: 13 and 14")),
        (["13", "again 14", "14"], ("14", "ok", "twice", "12", "")),
        (["13", "again 14", "15"], ("15", "ok", "corrected", "12", "")),
        (["again 13"], ("13", "ok", "corrected", "12", "")),
        (["again 12"], ("12", "ok", "confirmed", "", "")),
        (["13", "13"], ("13", "ok", "corrected", "12", "")),  # not a keying by another
    ],
)
def test_what_stands_in_the_table_after_edits(texts: list[str], expected: tuple[str, ...]) -> None:
    assert told(keyed(reading(), *texts)) == expected


def test_a_field_without_writing_is_confirmed_as_blank() -> None:
    row = reading(text="", status="blank", confidence=None, reason="")
    assert told(keyed(row, "blank")) == ("", "blank", "confirmed", "", "")
    assert keyed(row, "7").read == ""


def test_what_was_read_by_a_rule_stays_told_where_a_person_confirms_it() -> None:
    row = reading(changed_by="check digit (luhn), was read as 13", read="13")
    assert (keyed(row, "12").changed_by, keyed(row, "12").read) == (row.changed_by, "13")
    assert (keyed(row, "14").changed_by, keyed(row, "14").read) == ("", "12")


@pytest.mark.parametrize("insist", [["130", "130"], ["overruled 130"], ["130", "again 130"]])
def test_a_rule_that_is_broken_is_told_once(insist: list[str]) -> None:
    row = reading(spec=FieldSpec(rules=FieldRules(bounds=(0, 120))))
    assert meaning(row, "130").broken == ("breaks a rule: range 0 to 120",)
    assert told(keyed(row, "130")) == ("130", "review", "corrected", "12", "breaks a rule: range 0 to 120")
    found = keyed(row, *insist)
    assert (found.text, found.status, found.reason) == ("130", "ok", "overruled: range 0 to 120")
    assert keyed(row, "130", "119").status == "ok"


def test_a_blank_that_is_required_is_told_once() -> None:
    row = reading(spec=FieldSpec(required=True))
    assert blank_meaning(row).broken == ("blank, and required",)
    assert told(keyed(row, "blank"))[1::3] == ("review", "blank, and required")
    assert keyed(row, "blank", "blank").status == "blank"


def page(men: str, women: str, total: str, **total_is: Any) -> list[Row]:
    spec = FieldSpec(between=(SUM,))
    rows = [reading(name, text, spec=spec, status="ok", reason="") for name, text in (("men", men), ("women", women))]
    return [*rows, reading("total", total, spec=spec, **({"status": "ok", "reason": ""} | total_is))]


BROKEN = "breaks a rule: men + women = total"


def ruled(rows: Sequence[Row], **texts: Sequence[str]) -> dict[str, tuple[str, str, str]]:
    by_name = {row.field: row for row in rows}
    edits = {name: said(by_name[name], *some, first=10 * place) for place, (name, some) in enumerate(texts.items(), 1)}
    return {row.field: (row.text, row.status, row.reason) for row in keyed_page(rows, edits)}


def test_a_sum_is_computed_anew_from_what_was_keyed() -> None:
    wrong = [replace(row, status="review", reason=BROKEN) for row in page("10", "20", "80")]
    # With the right total the others are accepted, but for what else is in doubt of them.
    doubted = [replace(wrong[0], reason=f"cut off; {BROKEN}; confidence 0.5, 0.9 needed at 1 %"), *wrong[1:]]
    assert ruled(doubted, total=["30"]) == {
        "men": ("10", "review", "cut off; confidence 0.5, 0.9 needed at 1 %"),
        "women": ("20", "ok", ""),
        "total": ("30", "ok", ""),
    }


def test_a_sum_that_does_not_hold_after_keying_is_told_once_and_can_be_overruled() -> None:
    rows = page("10", "20", "30")
    assert ruled(rows, total=["80"]) == dict.fromkeys(("men", "women"), ("10", "review", BROKEN)) | {
        "women": ("20", "review", BROKEN), "total": ("80", "review", BROKEN),
    }  # fmt: skip
    overruled = "overruled: men + women = total"
    accepted = {"men": ("10", "ok", ""), "women": ("20", "ok", ""), "total": ("80", "ok", overruled)}
    assert ruled(rows, total=["80", "80"]) == accepted
    assert ruled(rows, total=["overruled 80"]) == accepted
    # Who keys another part has not seen that the sum does not hold with it.
    assert {status for _, status, _ in ruled(rows, total=["80", "80"], men=["11"]).values()} == {"review"}
    assert {status for _, status, _ in ruled(rows, total=["80", "80"], men=["60"]).values()} == {"ok"}


def test_a_sum_with_a_part_that_nobody_can_read_is_not_judged() -> None:
    assert ruled(page("10", "20", "30"), total=["80"], men=["illegible"])["total"] == ("80", "ok", "")


def test_the_sum_is_told_before_an_edit_is_entered() -> None:
    rows = page("10", "20", "30")
    assert broken_between(rows, "men", "10") == ()
    assert broken_between(rows, "men", "11") == (BROKEN,)


def test_the_value_follows_from_what_was_typed_with_its_marks() -> None:
    row = reading("amount", "123456", "1234.56", spec=FieldSpec("amount"))
    assert (keyed(row, "1,234.57").text, keyed(row, "1,234.57").value) == ("123457", "1234.57")
    # Without marks, and with as many digits, those stay that were seen; with another reading of later, too.
    assert keyed(row, "123457").value == "1234.57"
    later = replace(row, text="99", value="99")
    (found,) = keyed_page([later], {"amount": said(row, "123457")})
    assert (found.value, found.read, found.keyed) == ("1234.57", "99", "corrected")


def test_what_is_no_number_is_no_edit() -> None:
    state = FieldState(SHA, reading(), reading())
    for text in ("", "12a", "-", "1" * 65):
        with pytest.raises(ValueError, match=r"typed"):
            edit_of(state, "text", text, who="", screen="review")


def test_a_journal_of_an_earlier_version_does_not_tell_what_its_fields_are() -> None:
    assert meaning(reading("amount", "1407", "14.07", spec=None), "15.07").value == "15.07"
    assert meaning(reading("born", "27112026", "2026-11-27", spec=None), "28/11/2026").value == "2026-11-28"
    assert meaning(reading("id", "007", spec=None), "008").value == "008"
