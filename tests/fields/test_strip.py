"""Fields without a template: strips and rows of boxes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from docproc.errors import DocumentError
from docproc.fields.boxes import find_boxes
from docproc.fields.layouts import Layout
from docproc.fields.strip import lines_of_writing, looks_like_strip, whole_page
from docproc.types import Page, PageId, Placed
from tests.conftest import draw_field


def page(width: int, height: int) -> Page:
    return Page(PageId("a"), np.full((height, width), 245, np.uint8))


@pytest.mark.parametrize(
    ("width", "height", "strip"), [(159, 54, True), (57, 45, True), (28, 28, True), (1800, 825, False), (2550, 3300, False)]
)
def test_the_shape_tells_a_strip_from_a_page(width: int, height: int, strip: bool) -> None:
    assert looks_like_strip(page(width, height)) is strip


def test_a_strip_is_one_field() -> None:
    field = whole_page(page(90, 40), "amount", "amount")
    assert (field.box.width, field.box.height, field.kind) == (90, 40, "amount")


def form(rows: list[tuple[int, int, int, int]]) -> Page:
    """A page with rows of boxes: left, top, cells, side of a cell."""
    gray = np.full((1100, 1700), 245, np.uint8)
    for left, top, cells, side in rows:
        for k in range(cells):
            cv2.rectangle(gray, (left + side * k, top), (left + side * (k + 1), top + side), 60, 2)
    return Page(PageId("a"), gray)


def test_rows_of_boxes_are_found_top_down_and_left_to_right() -> None:
    fields = find_boxes(form([(100, 600, 3, 50), (100, 200, 8, 50), (900, 205, 4, 50)]))
    assert [(f.name, f.digits) for f in fields] == [("field_1", (0, 8)), ("field_2", (0, 4)), ("field_3", (0, 3))]
    assert abs(fields[0].box.left - 100) < 8
    assert abs(fields[0].box.width - 400) < 16


def test_a_row_survives_a_digit_that_touches_its_frame() -> None:
    filled = form([(100, 200, 6, 60)])
    cv2.line(filled.gray, (130, 210), (125, 255), 30, 5)
    assert [f.digits for f in find_boxes(filled)] == [(0, 6)]


def test_a_blank_page_and_a_table_of_text_lines_have_no_boxes() -> None:
    assert find_boxes(page(1700, 1100)) == ()
    ruled = page(1700, 1100)
    for y in range(100, 1000, 60):
        cv2.line(ruled.gray, (50, y), (1650, y), 80, 2)
    assert find_boxes(ruled) == ()


def with_numbers(lines: int) -> Page:
    """A large page with numbers below each other."""
    whole = page(1400, 1000)
    for k in range(lines):
        field = draw_field("40217", height=50)
        whole.gray[100 + 120 * k : 100 + 120 * k + field.shape[0], 200 : 200 + field.shape[1]] = field
    return whole


def placed(whole: Page, layout: str = "auto") -> Placed:
    def no_form(known: object) -> None:
        raise AssertionError(known)

    return Layout(layout).locate(whole, "", no_form)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", ["digits", "amount"])
def test_a_page_of_several_lines_is_no_single_number(layout: str) -> None:
    assert len(placed(with_numbers(1), layout).fields) == 1
    with pytest.raises(DocumentError, match=f"4 lines of writing .* --layout {layout} reads one number") as caught:
        placed(with_numbers(4), layout)
    assert caught.value.code == "several_lines"


def test_a_cut_out_with_a_line_beside_the_number_is_read_and_doubted() -> None:
    one, two = draw_field("40217"), draw_field("938", height=30)
    gray = np.full((one.shape[0] + two.shape[0], one.shape[1]), 240, np.uint8)
    gray[: one.shape[0]] = one
    gray[one.shape[0] :, : two.shape[1]] = two
    (field,) = placed(Page(PageId("a"), gray), "digits").fields
    assert field.doubt == "two lines of writing stand here"
    (field,) = placed(Page(PageId("a"), one), "digits").fields
    assert field.doubt == ""


def test_one_number_on_a_large_page_is_a_field_and_several_are_not_one_number() -> None:
    assert [lines_of_writing(with_numbers(k)) for k in range(5)] == [0, 1, 2, 3, 4]
    assert [field.name for field in placed(with_numbers(1)).fields] == ["digits"]
    with pytest.raises(DocumentError, match="no number fields"):
        placed(with_numbers(4))
