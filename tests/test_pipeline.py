"""The story of a page with the shipped model and with recognizers that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from docproc.errors import MissingPart
from docproc.learn.composing.e13b import draw_line
from docproc.pipeline import prepare, read_page
from docproc.readers.model import Model
from docproc.readers.read import recognize
from docproc.types import Box, Field, Gray, Page, PageId, Placed, Row
from tests.conftest import FailingRecognizer, NullLineRecognizer, NullRecognizer, WriteField


def page(gray: Gray) -> Page:
    return Page(PageId("a.png"), gray)


def whole(gray: Gray) -> Field:
    return Field("digits", Box(0, 0, gray.shape[1], gray.shape[0]))


def located(*fields: Field) -> Callable[[Page], Placed]:
    return lambda page: Placed(page, fields)


def rows_of(page: Page, locate: Callable[[Page], Placed], model: Model, max_error: float) -> tuple[Row, ...]:
    return read_page(page, locate, model, model.accepts(max_error)).rows


@pytest.mark.parametrize("text", ["0", "1407", "00123", "986532", "77"])
def test_clear_digits_are_read(model: Model, write_field: WriteField, text: str) -> None:
    gray = write_field(text)
    (row,) = rows_of(page(gray), located(whole(gray)), model, 0.5)
    assert row.text == text
    assert row.confidence is not None
    assert 0.5 < row.confidence <= 1


@pytest.mark.parametrize("text", ["$140", "95-", "12=", "*33*"])
def test_marks_are_no_digits(model: Model, write_field: WriteField, text: str) -> None:
    gray = write_field(text)
    (row,) = rows_of(page(gray), located(whole(gray)), model, 0.5)
    assert row.text == "".join(c for c in text if c.isdigit())


def test_small_digits_are_accepted_by_their_own_threshold(model: Model, write_field: WriteField) -> None:
    large = write_field("1407", height=40)
    strict = {kind: replace(one, small=((0.01, 1.01),)) for kind, one in model.calibrations.items()}
    own = replace(model, calibrations=strict)
    small = np.asarray(cv2.resize(large, None, fx=0.45, fy=0.45, interpolation=cv2.INTER_AREA), np.uint8)
    for gray, status in ((large, "ok"), (small, "review")):
        (row,) = rows_of(page(gray), located(whole(gray)), own, 0.01)
        assert (row.text, row.status) == ("1407", status)


def test_blank_is_blank_and_has_no_confidence(model: Model) -> None:
    gray = np.full((60, 200), 240, np.uint8)
    (row,) = rows_of(page(gray), located(whole(gray)), model, 0.5)
    assert (row.text, row.status, row.confidence) == ("", "blank", None)


def test_a_negative_reads_the_same(model: Model, write_field: WriteField) -> None:
    gray = write_field("2417")
    (row,) = rows_of(page(np.asarray(255 - gray, np.uint8)), located(whole(gray)), model, 0.5)
    assert row.text == "2417"


def test_fields_off_the_page_are_blank(model: Model, write_field: WriteField) -> None:
    gray = write_field("2417")
    (row,) = rows_of(page(gray), located(Field("f", Box(5_000, 5_000, 80, 40))), model, 0.5)
    assert row.status == "blank"


def test_one_call_for_many_fields_reads_as_each_alone(model: Model, write_field: WriteField) -> None:
    grays = [write_field(text) for text in ("31", "4077", "9", "558")]
    prepared = [item for gray in grays for item in prepare(located(whole(gray))(page(gray)))]
    together = [result.reading for result in recognize(prepared, model)]
    alone = [recognize([item], model)[0].reading for item in prepared]
    assert [r.text for r in together] == [r.text for r in alone] == ["31", "4077", "9", "558"]
    assert np.allclose([r.confidence for r in together], [r.confidence for r in alone], atol=1e-3)


def test_a_recognizer_that_sees_no_digit_invents_none(model: Model, write_field: WriteField) -> None:
    gray = write_field("2417")
    nobody = {"lattice": NullRecognizer(), "line": NullLineRecognizer()}
    blind = replace(model, networks={**model.networks, **nobody}, fitted={})
    (row,) = rows_of(page(gray), located(whole(gray)), blind, 0.5)
    assert (row.text, row.status) == ("", "review")


def test_a_recognizer_that_fails_is_heard(model: Model, write_field: WriteField) -> None:
    gray = write_field("2417")
    with pytest.raises(MissingPart):
        rows_of(
            page(gray), located(whole(gray)), replace(model, networks={**model.networks, "lattice": FailingRecognizer()}), 0.5
        )


def read_micr(gray: Gray, model: Model, *, parts: bool = False) -> tuple[Row, ...]:
    field = Field("micr", Box(0, 0, gray.shape[1], gray.shape[0]), "micr", parts=parts)
    return rows_of(page(gray), located(field), model, 0.01)


LINES = ["⑆021000089⑆ 1234567⑈ 0152", "⑈123456⑈ 500229009⑆ 123456⑈ 31", "⑈001⑈ ⑆12345⑉006⑆ 12⑉345⑉6⑈", "⑇0000012345⑇"]


@pytest.mark.parametrize("dpi", [100, 150, 200, 300, 600])
@pytest.mark.parametrize("text", LINES)
def test_a_clean_line_of_e13b_is_read_at_any_resolution(model: Model, text: str, dpi: int) -> None:
    (row,) = read_micr(draw_line(text, dpi), model)
    assert row.value == text.replace(" ", "")
    assert row.text == "".join(c for c in text if c.isdigit())
    assert row.status == "ok"


@pytest.mark.parametrize("turn", [-4.0, 3.0])
def test_a_line_of_e13b_is_read_askew_and_with_a_stroke_through_it(model: Model, turn: float) -> None:
    gray = cv2.copyMakeBorder(draw_line(LINES[0], 240), 50, 50, 50, 50, cv2.BORDER_CONSTANT, value=255)
    matrix = cv2.getRotationMatrix2D((gray.shape[1] / 2, gray.shape[0] / 2), turn, 1.0)
    turned = np.asarray(cv2.warpAffine(gray, matrix, gray.shape[::-1], borderValue=255), np.uint8)
    cv2.line(turned, (300, 0), (360, gray.shape[0]), 60, 3)
    (row,) = read_micr(turned, model)
    assert row.value == LINES[0].replace(" ", "")


def test_the_parts_of_a_line_of_e13b_are_rows_of_their_own(model: Model) -> None:
    dpi = 300
    whole_line, *parts = read_micr(draw_line("⑈0152⑈ ⑆021000089⑆ 12⑉4567⑈ ⑇0000012345⑇", dpi), model, parts=True)
    assert [(row.field, row.text, row.value) for row in parts] == [
        ("routing", "021000089", "021000089"),
        ("account", "124567", "12⑉4567"),
        ("check_number", "0152", "0152"),
        ("encoded_amount", "0000012345", "123.45"),
    ]
    assert all((row.status, row.confidence) == (whole_line.status, whole_line.confidence) for row in parts)
    pitch = 0.125 * dpi
    # Where the first character of each part stands on the line, its spaces counted.
    for row, place, count in zip(parts, (8, 19, 1, 29), (9, 7, 4, 10), strict=True):
        assert row.left == pytest.approx(0.026 * dpi + place * pitch, abs=0.6 * pitch)
        assert row.width == pytest.approx(count * pitch, abs=0.8 * pitch)


def test_parts_that_a_line_of_e13b_has_not_are_blank(model: Model) -> None:
    rows = read_micr(draw_line("⑆021000089⑆ 1234567⑈", 300), model, parts=True)
    assert [(row.field, row.text, row.status) for row in rows[1:]] == [
        ("routing", "021000089", "ok"),
        ("account", "1234567", "ok"),
        ("check_number", "", "blank"),
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("⑆021000089⑆ ⑆123456789⑆ 0152", {"routing": "ok", "account": "review", "check_number": "review"}),
        ("⑆021000089⑆ 1234567⑈ 1309  10", {"routing": "ok", "account": "ok", "check_number": "review"}),
        ("⑈123456⑈ 500229009⑆ ⑈ 31", {"routing": "ok", "account": "review", "check_number": "ok"}),
        ("⑈123456⑈ ⑉12345678901⑉ 31", {"routing": "review", "account": "review", "check_number": "review"}),
    ],
)
def test_a_part_of_a_line_whose_role_is_a_guess_is_not_accepted(model: Model, line: str, told: dict[str, str]) -> None:
    whole_line, *parts = read_micr(draw_line(line, 300), model, parts=True)
    assert whole_line.value == line.replace(" ", "")
    assert {row.field: row.status for row in parts} == told
    assert all(row.reason for row in parts if row.status == "review")


@pytest.mark.parametrize("shape", [(60, 700), (12, 30), (200, 200)])
def test_blank_paper_holds_no_line_of_e13b(model: Model, shape: tuple[int, int]) -> None:
    rows = read_micr(np.full(shape, 235, np.uint8), model, parts=True)
    assert [(row.text, row.value, row.status) for row in rows] == [("", "", "blank")] * 4


def test_what_is_no_e13b_is_not_accepted_as_such(model: Model, write_field: WriteField) -> None:
    print_ = np.full((70, 700), 245, np.uint8)
    cv2.putText(print_, "Pay to the order of 12345", (20, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 30, 2)
    for gray in (write_field("2417309"), write_field("$140", height=60), print_):
        (row,) = read_micr(gray, model)
        assert row.status == "review"
        assert row.reason


def test_a_line_of_e13b_beside_written_fields(model: Model, write_field: WriteField) -> None:
    written, printed = write_field("1407"), draw_line(LINES[0], 300)
    gray = np.full((written.shape[0] + printed.shape[0], max(written.shape[1], printed.shape[1])), 255, np.uint8)
    gray[: written.shape[0], : written.shape[1]] = written
    gray[written.shape[0] :, : printed.shape[1]] = printed
    fields = (
        Field("micr", Box(0, written.shape[0], printed.shape[1], printed.shape[0]), "micr"),
        Field("digits", Box(0, 0, written.shape[1], written.shape[0])),
    )
    rows = rows_of(page(gray), located(*fields), model, 0.5)
    assert [row.text for row in rows] == ["02100008912345670152", "1407"]
