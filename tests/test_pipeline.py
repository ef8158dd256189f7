"""The story of a page with the shipped model and with recognizers that are none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from docproc.errors import MissingPart
from docproc.pipeline import Reader, prepare, read_page, recognize
from docproc.types import Box, Field, Gray, Page, PageId, Placed
from tests.conftest import FailingRecognizer, NullLineRecognizer, NullRecognizer, WriteField


def page(gray: Gray) -> Page:
    return Page(PageId("a.png"), gray)


def whole(gray: Gray) -> Field:
    return Field("digits", Box(0, 0, gray.shape[1], gray.shape[0]))


def located(*fields: Field) -> Callable[[Page], Placed]:
    return lambda page: Placed(page, fields)


@pytest.mark.parametrize("text", ["0", "1407", "00123", "986532", "77"])
def test_clear_digits_are_read(reader: Reader, write_field: WriteField, text: str) -> None:
    gray = write_field(text)
    (row,) = read_page(page(gray), located(whole(gray)), reader, 0.5)
    assert row.text == text
    assert row.confidence is not None
    assert 0.5 < row.confidence <= 1


@pytest.mark.parametrize("text", ["$140", "95-", "12=", "*33*"])
def test_marks_are_no_digits(reader: Reader, write_field: WriteField, text: str) -> None:
    gray = write_field(text)
    (row,) = read_page(page(gray), located(whole(gray)), reader, 0.5)
    assert row.text == "".join(c for c in text if c.isdigit())


def test_blank_is_blank_and_has_no_confidence(reader: Reader) -> None:
    gray = np.full((60, 200), 240, np.uint8)
    (row,) = read_page(page(gray), located(whole(gray)), reader, 0.5)
    assert (row.text, row.status, row.confidence) == ("", "blank", None)


def test_a_negative_reads_the_same(reader: Reader, write_field: WriteField) -> None:
    gray = write_field("2417")
    (row,) = read_page(page(np.asarray(255 - gray, np.uint8)), located(whole(gray)), reader, 0.5)
    assert row.text == "2417"


def test_fields_off_the_page_are_blank(reader: Reader, write_field: WriteField) -> None:
    gray = write_field("2417")
    (row,) = read_page(page(gray), located(Field("f", Box(5_000, 5_000, 80, 40))), reader, 0.5)
    assert row.status == "blank"


def test_one_call_for_many_fields_reads_as_each_alone(reader: Reader, write_field: WriteField) -> None:
    grays = [write_field(text) for text in ("31", "4077", "9", "558")]
    prepared = [item for gray in grays for item in prepare(located(whole(gray))(page(gray)))]
    together = [result.reading for result in recognize(prepared, reader)]
    alone = [recognize([item], reader)[0].reading for item in prepared]
    assert [r.text for r in together] == [r.text for r in alone] == ["31", "4077", "9", "558"]
    assert np.allclose([r.confidence for r in together], [r.confidence for r in alone], atol=1e-3)


def test_a_recognizer_that_sees_no_digit_invents_none(reader: Reader, write_field: WriteField) -> None:
    gray = write_field("2417")
    blind = replace(reader, recognizer=NullRecognizer(), line_recognizer=NullLineRecognizer(), context=None)
    (row,) = read_page(page(gray), located(whole(gray)), blind, 0.5)
    assert (row.text, row.status) == ("", "review")


def test_a_recognizer_that_fails_is_heard(reader: Reader, write_field: WriteField) -> None:
    gray = write_field("2417")
    with pytest.raises(MissingPart):
        read_page(page(gray), located(whole(gray)), replace(reader, recognizer=FailingRecognizer()), 0.5)
