"""What a person changed is told from what a spreadsheet does to a table by saving it."""

from __future__ import annotations

import pytest

from docproc.runs.changes import Change, Record, changes, in_words


def row(document: str, text: str, confidence: str = "0.9800", **more: str) -> Record:
    return {"document": document, "page": "1", "field": "id", "text": text, "confidence": confidence, **more}


WRITTEN = [row("a.png", "007"), row("b.png", "120", "0.9876"), row("c.png", "0042", "1.0000")]
SAVED = [row("a.png", "7", "0.98"), row("b.png", "120", "0.9876"), row("c.png", "42", "1")]


def words(*found: Record) -> list[str]:
    return [str(change) for change in changes(WRITTEN, found)]


def test_a_table_as_it_was_written_has_no_changes() -> None:
    assert words(*WRITTEN) == []


def test_a_cell_that_a_person_corrected_is_told_with_its_line_and_both_texts() -> None:
    assert words(WRITTEN[0], row("b.png", "126", "0.9876"), WRITTEN[2]) == [
        "line 3 was changed: b.png, id: text 120 is now 126"
    ]


def test_a_spreadsheet_that_only_saves_the_table_changes_nothing() -> None:
    assert words(*SAVED) == []


def test_of_a_table_that_a_spreadsheet_saved_only_the_correction_is_told() -> None:
    assert words(SAVED[0], row("b.png", "126", "0.9876"), SAVED[2]) == ["line 3 was changed: b.png, id: text 120 is now 126"]


def test_what_a_cell_holds_cannot_reach_the_terminal() -> None:
    (told,) = words(WRITTEN[0], row("b.png", "\x1b[2J\u202e1", "0.9876"), WRITTEN[2])
    assert told.endswith("text 120 is now \\x1b[2J\\u202e1")


@pytest.mark.parametrize(("text", "now"), [("007", "7"), ("120", "0120"), ("0042", "42")])
def test_a_zero_that_a_person_took_or_gave_is_a_correction(text: str, now: str) -> None:
    found = [{**one, "text": now} if one["text"] == text else one for one in WRITTEN]
    (told,) = words(*found)
    assert told.endswith(f"text {text} is now {now}")


@pytest.mark.parametrize(
    ("written", "saved"),
    [
        ("2026-11-20", "11/20/2026"),
        ("2026-11-20", "20.11.26"),
        ("12345678901234567890", "1.23457E+19"),
        ("0.5000", "0,5"),
    ],
)
def test_dates_and_numbers_as_a_country_writes_them_are_the_same(written: str, saved: str) -> None:
    def both(text: str) -> list[Record]:
        return [row(name, text, "0.5") for name in ("a.png", "b.png")]

    assert changes(both(written), both(saved)) == []


def test_another_day_is_a_correction() -> None:
    found = changes([row(n, "2026-11-20") for n in "ab"], [row(n, "21.11.2026") for n in "ab"])
    assert [change.line for change in found] == [2, 3]


def test_a_sorted_table_has_no_changes() -> None:
    assert words(*reversed(WRITTEN)) == []


def test_rows_and_columns_that_a_person_added_or_took_are_told() -> None:
    assert words(WRITTEN[0], WRITTEN[2]) == ["line 3 was deleted or renamed: b.png, id"]
    assert words(*WRITTEN, row("d.png", "1")) == ["line 5 was added: d.png, id"]
    assert words(*({**one, "note": "x"} for one in WRITTEN)) == ["line 1 was changed: the column note was added"]
    without = [{name: cell for name, cell in one.items() if name != "confidence"} for one in WRITTEN]
    assert words(*without) == ["line 1 was changed: the column confidence was deleted or renamed"]


def test_empty_lines_at_the_end_are_nobodys_work() -> None:
    assert words(*WRITTEN, {"document": "", "page": ""}) == []


def test_of_many_changes_all_lines_are_named() -> None:
    found = [Change(line, "was changed") for line in (2, 4, 5, 6, 9)]
    assert list(in_words(found, 1)) == ["line 2 was changed", "and lines 4-6, 9"]
    assert list(in_words(found[:2], 1)) == ["line 2 was changed", "and line 4"]
