"""Checks without a template: what a page must be, what is told of one, and what is compared; with the shipped networks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from docproc.errors import DocumentError
from docproc.files import Document, open_pages
from docproc.forms import locator, open_layout
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.pipeline import read_page
from docproc.readers.model import Model
from docproc.types import Gray, Page, PageId, Placed
from tests.conftest import SAMPLES


def page_of(name: str) -> Page:
    page = next(iter(open_pages(Document(name, SAMPLES / name), Limits())))
    assert isinstance(page, Page)
    return page


@pytest.mark.parametrize("name", ["check_1.jpg", "check_3.png", "check_5_bw.tif"])
def test_a_check_is_known_by_itself(name: str) -> None:
    placed = locator(open_layout("auto", ()), "")(clean(page_of(f"bank_checks/{name}")))
    assert placed.expected == ("amount", "date", "micr")
    assert [field.parts for field in placed.fields if field.kind == "micr"] == [True]


def scaled(gray: Gray, scale: float) -> Gray:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=how), np.uint8)


def by_itself(gray: Gray) -> Placed:
    page = Page(PageId("a"), np.ascontiguousarray(gray))
    return locator(open_layout("auto", ()), "")(clean(page))


@pytest.mark.parametrize("scale", [0.2, 0.3, 0.48])
@pytest.mark.parametrize("name", ["check_1.jpg", "check_3.png", "check_5_bw.tif"])
def test_a_small_check_is_no_cut_out_number(name: str, scale: float) -> None:
    placed = by_itself(scaled(page_of(f"bank_checks/{name}").gray, scale))
    assert placed.expected == ("amount", "date", "micr")
    assert "micr" in [field.kind for field in placed.fields]


CUT_OUT = {
    "amount": (1320, 235, 420, 130), "date": (1160, 110, 460, 150), "line": (60, 700, 1150, 90),
    "line with paper": (60, 690, 440, 135),
}  # fmt: skip


@pytest.mark.parametrize("size", [1.0, 1.5, 3.0])
@pytest.mark.parametrize("part", CUT_OUT)
def test_what_is_cut_out_of_a_check_is_none(part: str, size: float) -> None:
    left, top, width, height = CUT_OUT[part]
    placed = by_itself(scaled(page_of("bank_checks/check_1.jpg").gray[top : top + height, left : left + width], size))
    assert [field.name for field in placed.fields] == ["digits"]


@pytest.mark.parametrize("name", ["survey/form_1.jpg", "survey/blank.png", "meters/card_3.png"])
def test_a_form_is_no_check(name: str) -> None:
    with pytest.raises(DocumentError, match="does not look like a check") as caught:
        locator(open_layout("check", ()), "")(clean(page_of(name)))
    assert caught.value.code == "not_a_check"


def test_empty_paper_is_no_check() -> None:
    page = Page(PageId("blank"), np.full((825, 1800), 240, np.uint8))
    with pytest.raises(DocumentError, match="does not look like a check"):
        locator(open_layout("check", ()), "")(clean(page))


def test_two_checks_on_a_page_are_an_error_that_says_so() -> None:
    sheet = np.full((3300, 2550), 240, np.uint8)
    for top, name in ((300, "check_1.jpg"), (1600, "check_2.jpg")):
        sheet[top : top + 825, 300:2100] = page_of(f"bank_checks/{name}").gray
    with pytest.raises(DocumentError, match="2 checks lie on this page") as caught:
        locator(open_layout("check", ()), "")(clean(Page(PageId("sheet"), sheet)))
    assert caught.value.code == "several_checks"


def test_what_a_check_lacks_is_told(model: Model) -> None:
    page = page_of("bank_checks/check_1.jpg")
    gray = page.gray.copy()
    gray[100:340, 1050:] = 235  # neither date nor amount
    rows = read_page(Page(PageId("a"), gray), locator(open_layout("check", ()), ""), model, model.accepts(0.01)).rows
    told = {row.field: (row.text, row.status, row.reason) for row in rows}
    assert told["amount"] == ("", "review", "no amount was found on this page")
    assert told["date"] == ("", "review", "no date was found on this page")
    assert told["routing"][0] == "991234561"


def test_the_parts_of_a_line_that_mean_something_unknown_are_for_a_person(model: Model) -> None:
    """The account's on-us symbol and the check's number are whited out."""
    page = page_of("bank_checks/check_1.jpg")
    gray = page.gray.copy()
    gray[700:800, 1010:1250] = 235
    locate = locator(open_layout("check", ()), "")
    rows = {row.field: row for row in read_page(Page(PageId("a"), gray), locate, model, model.accepts(0.01)).rows}
    assert rows["micr"].value == "⑆991234561⑆000123456789"
    assert rows["routing"].status == "ok"
    assert (rows["account"].text, rows["account"].status) == ("000123456789", "review")
    assert "no on-us symbol" in rows["account"].reason


def test_the_printed_number_speaks_against_the_line(model: Model) -> None:
    page = page_of("bank_checks/check_1.jpg")
    gray = page.gray.copy()
    other = page_of("bank_checks/check_3.png").gray[::-1, ::-1]
    gray[30:110, 1500:1760] = other[30:110, 1500:1760]  # 1043 in place of 1042
    locate = locator(open_layout("check", ()), "")
    rows = {row.field: row for row in read_page(Page(PageId("a"), gray), locate, model, model.accepts(0.01)).rows}
    assert rows["check_number"].text == "1042"
    assert rows["check_number"].status == "review"
    assert "1043" in rows["check_number"].reason
    assert rows["account"].status == "ok"
