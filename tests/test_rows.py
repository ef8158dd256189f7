"""From what was read to the rows of the table: what a person is told of a field. No networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docproc.readers.confidence import Acceptance
from docproc.readers.e13b import Printed, PrintedResult
from docproc.readers.handwriting import HandwrittenResult, prepare
from docproc.readers.value import UNPARTED
from docproc.rows import field_row, part_rows
from docproc.types import Box, Field, MicrLine, MicrReading, Page, PageId, Reading, Row

ACCEPT = Acceptance({"string": 0.9, "micr": 0.9}, 0.9, {}, 0.01)
PAGE = Page(PageId("a.png"), np.full((60, 900), 240, np.uint8))
FIELD = Field("id", Box(0, 0, 900, 60))


def row_of(reading: Reading, field: Field = FIELD, page: Page = PAGE, doubt: str = "") -> Row:
    return field_row(page, HandwrittenResult(prepare(field, page.gray), {}, reading, doubt), ACCEPT)


def test_a_rule_that_changed_a_text_stands_with_what_was_read() -> None:
    row = row_of(Reading("79927398713", 0.95, changed_by="check digit (luhn)", read="79927398718"))
    assert row.changed_by == "check digit (luhn), was read as 79927398718"
    assert row.read == "79927398718"
    plain = row_of(Reading("79927398713", 0.95))
    assert (plain.changed_by, plain.read) == ("", "")


def test_all_reasons_are_told_and_the_confidence_that_it_takes() -> None:
    field = replace(FIELD, doubt="writing reaches over the cell's rule")
    row = row_of(
        Reading("12", 0.878, remark="breaks a rule: range"), field, replace(PAGE, damage="the file is damaged"), "unsure"
    )
    assert row.status == "review"
    assert row.reason == (
        "breaks a rule: range; unsure; writing reaches over the cell's rule; the file is damaged; "
        "confidence 0.878, 0.9 needed at 1 %"
    )


def test_a_field_that_may_lie_elsewhere_or_on_a_damaged_page_is_not_blank() -> None:
    assert row_of(Reading("", 0.0)).status == "blank"
    row = row_of(Reading("", 0.0), replace(FIELD, doubt="cut off"))
    assert (row.status, row.reason) == ("review", "cut off")
    assert row_of(Reading("", 0.0), page=replace(PAGE, damage="the file is damaged")).reason == "the file is damaged"


def test_a_cell_with_a_dash_is_blank_whatever_was_read_there() -> None:
    row = row_of(Reading("1", 0.99), replace(FIELD, empty="a dash is written"))
    assert (row.text, row.value, row.status, row.reason, row.confidence) == ("", "", "blank", "a dash is written", None)


def parts_of(reading: MicrReading, printed: str = "") -> dict[str, Row]:
    field = Field("micr", Box(0, 0, 900, 60), "micr", parts=True)
    places = np.stack([np.arange(900.0), np.full(900, 10.0), np.full(900, 40.0)], axis=1).astype(np.float32)
    strip = MicrLine(np.full((32, 900), 200, np.uint8), places)
    result = PrintedResult(Printed(field, PAGE.gray, strip), np.zeros((0, 15), np.float32), reading, printed=printed)
    whole = field_row(PAGE, result, ACCEPT)
    return {row.field: row for row in (whole, *part_rows(PAGE, result, whole, ACCEPT))}


def micr(line: str, confidence: float = 0.99, **told: str) -> MicrReading:
    value = line.replace(" ", "")
    centers = tuple(19.2 * k + 10 for k, character in enumerate(line) if character != " ")
    text = "".join(c for c in value if c.isdigit())
    return replace(MicrReading(text, confidence, value=value, centers=centers), **told)  # type: ignore[arg-type]


def test_the_routing_number_tells_what_it_was_read_as() -> None:
    rows = parts_of(
        micr("⑆021000089⑆ 1234567⑈", changed_by="check digit (aba)", read="0210000881234567", value_read="⑆021000088⑆1234567⑈")
    )
    assert rows["routing"].read == "021000088"
    assert rows["routing"].changed_by == "check digit (aba), was read as 021000088"
    assert (rows["account"].read, rows["account"].changed_by) == ("", "")


def test_a_part_that_is_not_there_says_so() -> None:
    rows = parts_of(micr("⑆021000089⑆ 1234567⑈"))
    assert (rows["check_number"].status, rows["check_number"].reason) == ("blank", "the line shows no check number")
    rows = parts_of(micr("⑈123456⑈ 500229009⑆ ⑈ 31"))
    assert (rows["account"].status, rows["account"].reason) == ("review", "the line shows no account")
    rows = parts_of(micr("⑈123456⑈ ⑉12345678901⑉"))
    assert {rows[name].status for name in ("routing", "account", "check_number")} == {"review"}


@pytest.mark.parametrize(("printed", "status"), [("1309", "ok"), ("", "review"), ("1310", "review")])
def test_the_number_printed_on_the_check_settles_which_group_it_is(printed: str, status: str) -> None:
    for line in ("⑆021000089⑆ 1234567⑈ 1309  10", "⑆021000089⑆ 1309  1234567890⑈"):
        assert parts_of(micr(line), printed)["check_number"].status == status


def test_an_account_that_begins_with_the_printed_number_is_doubted() -> None:
    rows = parts_of(micr("⑆021000089⑆ 13091234567890⑈"), "1309")
    assert rows["account"].status == "review"
    assert "1309" in rows["account"].reason
    assert parts_of(micr("⑆021000089⑆ 55551234567890⑈"), "1309")["account"].status == "ok"


def test_the_parts_of_an_unsure_line_tell_both() -> None:
    rows = parts_of(micr("⑆021000089⑆ 1234567⑈ 1309  10", 0.5))
    assert rows["account"].reason == "confidence 0.5, 0.9 needed at 1 %"
    assert rows["check_number"].reason == "another group follows it: 10; confidence 0.5, 0.9 needed at 1 %"


def test_a_line_that_a_rule_between_fields_changed_has_no_value_and_says_why() -> None:
    row = parts_of(replace(micr("⑆021000089⑆ 1234567⑈"), value="", centers=()))["micr"]
    assert (row.value, row.status, row.reason) == ("", "review", UNPARTED)
