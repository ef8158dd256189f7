"""The digits of a row: where they stand, how sure they are, what else they may be. Networks only where ink is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from docproc.digits import aligned, alternatives, doubts, with_digits, with_places
from docproc.fields.strip import whole_page
from docproc.learn.composing.e13b import draw_line
from docproc.pipeline import read_page
from docproc.readers.handwriting import HandwrittenResult
from docproc.readers.model import Model
from docproc.types import Box, Field, Gray, Page, PageId, Placed, Reading, Row
from tests.conftest import WriteField, draw_comb

TEXTS = st.text("0123456789", max_size=6)


def test_texts_of_one_length_are_compared_place_by_place() -> None:
    assert list(aligned("1234", "1243")) == [(0, "1"), (1, "2"), (2, "4"), (3, "3")]


def test_a_digit_that_another_text_lacks_may_be_none() -> None:
    assert list(aligned("1234", "134")) == [(0, "1"), (1, ""), (2, "3"), (3, "4")]
    assert list(aligned("134", "1234")) == [(0, "1"), (1, "3"), (2, "4")]


def test_nothing_is_said_of_a_place_where_texts_differ_in_many_digits() -> None:
    assert list(aligned("7230", "725")) == [(0, "7"), (1, "2")]


@given(TEXTS, TEXTS)
def test_each_place_is_told_once_at_most(text: str, other: str) -> None:
    told = [place for place, _ in aligned(text, other)]
    assert told == sorted(set(told))
    assert set(told) <= set(range(len(text)))
    assert "".join(digit for _, digit in aligned(text, text)) == text


def test_a_digit_is_as_sure_as_all_texts_that_have_it() -> None:
    told = list(doubts("72", 0.6, [("12", 0.25), ("17", 0.05), ("7", 0.02)]))
    assert told == [(0.62, (("1", 0.3),)), (0.85, (("7", 0.05), ("", 0.02)))]


@given(TEXTS, st.floats(0, 1), st.lists(st.tuples(TEXTS, st.floats(0.001, 1)), max_size=4))
def test_no_digit_is_less_sure_than_its_field(text: str, confidence: float, shares: list[tuple[str, float]]) -> None:
    reading = Reading(text, confidence, alternatives=tuple((other, share) for other, share in shares if other != text))
    others = alternatives(reading)
    if text:
        assert confidence + sum(one.confidence for one in others) <= 1.001
    for sure, instead in doubts(text, confidence, others):
        assert confidence - 1e-4 <= sure <= 1
        assert sure + sum(one.confidence for one in instead) <= 1.001


def read(model: Model, gray: Gray, field: Field) -> list[Row]:
    page = Page(PageId("a.png"), gray)
    result = read_page(page, lambda page: Placed(page, (field,)), model, model.accepts(0.01))
    return with_digits(result.rows, result.placed.page, result.results)


def test_the_digits_of_a_number_stand_where_they_were_drawn(model: Model, write_field: WriteField) -> None:
    strip = write_field("4071")
    page = np.full((300, 400), 240, np.uint8)
    page[120 : 120 + strip.shape[0], 90 : 90 + strip.shape[1]] = strip
    box = Box(90, 120, strip.shape[1], strip.shape[0])
    (row,) = read(model, page, Field("digits", box))
    assert "".join(digit.text for digit in row.digits) == row.text == "4071"
    assert all(digit.confidence >= (row.confidence or 0) for digit in row.digits)
    inked = np.flatnonzero((page < 128).any(axis=0))
    runs = np.split(inked, np.flatnonzero(np.diff(inked) > 1) + 1)
    for digit, run in zip(row.digits, runs, strict=True):
        assert digit.box is not None
        assert abs(digit.box.left - run[0]) <= 3
        assert abs(digit.box.right - 1 - run[-1]) <= 3
        assert 120 <= digit.box.top < digit.box.bottom <= 120 + strip.shape[0]


def test_the_digits_of_a_comb_lie_in_their_cells_also_where_no_cut_gives_the_text(model: Model) -> None:
    field = Field("id", Box(2, 2, 240, 80), "comb", cells=4)
    page = Page(PageId("a.png"), draw_comb(" 38 "))
    result = read_page(page, lambda page: Placed(page, (field,)), model, model.accepts(0.01))
    (read_here,) = result.results
    assert isinstance(read_here, HandwrittenResult)
    pathless = replace(read_here, reading=replace(read_here.reading, path=()))
    for results in (result.results, (pathless,)):
        (row,) = with_digits(result.rows, result.placed.page, results)
        assert row.text == "38"
        boxes = [digit.box for digit in row.digits]
        assert [box and (box.left + box.width // 2 - 2) // 60 for box in boxes] == [1, 2]


def test_a_blank_field_has_no_digits(model: Model) -> None:
    gray = np.full((80, 200), 240, np.uint8)
    (row,) = read(model, gray, whole_page(Page(PageId("a"), gray), "digits"))
    assert (row.status, row.digits, row.alternatives) == ("blank", (), ())


def test_fields_of_one_name_keep_their_own_digits(model: Model, write_field: WriteField) -> None:
    strip = write_field("52")
    page = np.vstack([strip, np.full_like(strip, 240), strip])
    boxes = [Box(0, top, strip.shape[1], strip.shape[0]) for top in (0, 2 * strip.shape[0])]
    fields = tuple(Field("n", box) for box in boxes)
    result = read_page(Page(PageId("a"), page), lambda page: Placed(page, fields), model, model.accepts(0.01))
    rows = with_digits(result.rows, result.placed.page, result.results)
    for row, box in zip(rows, boxes, strict=True):
        assert [box.top <= (digit.box or box).top < box.bottom for digit in row.digits] == [True, True]


def test_each_part_of_a_line_of_print_has_its_own_of_the_digits_of_the_line(model: Model) -> None:
    gray = draw_line("⑆123456780⑆000987⑈1043", 240)
    field = replace(whole_page(Page(PageId("a"), gray), "micr", "micr"), parts=True)
    line, *parts = read(model, gray, field)
    assert "".join(digit.text for digit in line.digits) == line.text
    assert {row.field: row.text for row in parts} == {"routing": "123456780", "account": "000987", "check_number": "1043"}
    for row in parts:
        assert "".join(digit.text for digit in row.digits) == row.text
        assert set(row.digits) <= set(line.digits)


def test_the_digits_of_a_free_field_stand_where_the_line_saw_them_where_no_cut_gives_the_text(
    model: Model, write_field: WriteField
) -> None:
    strip = write_field("4071")
    field = Field("digits", Box(0, 0, strip.shape[1], strip.shape[0]))
    result = read_page(Page(PageId("a.png"), strip), lambda page: Placed(page, (field,)), model, model.accepts(0.01))
    (read_here,) = result.results
    assert isinstance(read_here, HandwrittenResult)
    pathless = replace(read_here, reading=replace(read_here.reading, path=()))
    (row,) = with_places(result.rows, result.placed.page, [pathless])
    inked = np.flatnonzero((strip < 128).any(axis=0))
    runs = np.split(inked, np.flatnonzero(np.diff(inked) > 1) + 1)
    for digit, run in zip(row.digits, runs, strict=True):
        assert digit.box is not None
        assert digit.box.left <= (run[0] + run[-1]) / 2 < digit.box.right
        overlap = min(digit.box.right, run[-1] + 1) - max(digit.box.left, run[0])
        assert overlap >= 0.8 * len(run)
    assert row.alternatives == ()
    assert all(digit.alternatives == () for digit in row.digits)
