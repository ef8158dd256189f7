from __future__ import annotations

import numpy as np
import pytest

from docproc.pages.clean import clean, cut_out, leveled, turned
from docproc.types import Box, Page, PageId
from tests.conftest import WriteField


def test_dark_ink_on_light_paper_stays_as_it_is(write_field: WriteField) -> None:
    gray = write_field("31")
    assert np.array_equal(clean(Page(PageId("a"), gray)).gray, gray)


def test_a_negative_is_turned_over(write_field: WriteField) -> None:
    gray = write_field("31")
    assert np.array_equal(clean(Page(PageId("a"), np.asarray(255 - gray, np.uint8))).gray, gray)


def marked() -> Page:
    gray = np.full((60, 100), 255, np.uint8)
    gray[10:20, 70:90] = 0
    return Page(PageId("a"), gray)


def dark(page: Page) -> Box:
    y, x = np.nonzero(page.gray < 128)
    return Box(int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)


@pytest.mark.parametrize("quarters", range(5))
def test_a_turned_page_knows_where_it_was(quarters: int) -> None:
    page = turned(marked(), quarters)
    assert np.array_equal(page.gray, np.rot90(marked().gray, quarters))
    assert page.stored(dark(page)) == Box(70, 10, 20, 10)


def test_a_part_that_was_turned_twice_knows_it_too() -> None:
    page = cut_out(turned(marked(), 1), Box(5, 5, 40, 70))
    assert page.gray.shape == (70, 40)
    assert page.stored(dark(page)) == Box(70, 10, 20, 10)
    again = turned(page, 3)
    assert again.stored(dark(again)) == Box(70, 10, 20, 10)


@pytest.mark.parametrize(("tall", "box"), [(2.0, Box(70, 20, 20, 20)), (0.5, Box(140, 10, 40, 10)), (1.0, Box(70, 10, 20, 10))])
def test_a_page_gets_square_pixels_and_boxes_are_told_as_it_is_stored(tall: float, box: Box) -> None:
    page = clean(Page(PageId("a"), marked().gray, tall=tall))
    assert dark(page) == box
    assert page.stored(box) == Box(70, 10, 20, 10)
    again = clean(page)
    assert np.array_equal(again.gray, page.gray)
    assert again.stored(box) == page.stored(box)


def test_what_falls_is_leveled() -> None:
    gray = np.full((300, 600), 255, np.uint8)
    for x in range(50, 550):
        gray[round(100 + 0.05 * x) - 2 : round(100 + 0.05 * x) + 3, x] = 0
    page = leveled(Page(PageId("a"), gray), 0.05)
    assert dark(page).height <= 8
    around = page.stored(dark(page))
    assert abs(around.left - 50) <= 4
    assert around.height >= 25
