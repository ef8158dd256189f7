from __future__ import annotations

import numpy as np

from docproc.pages.clean import clean
from docproc.types import Page, PageId
from tests.conftest import WriteField


def test_dark_ink_on_light_paper_stays_as_it_is(write_field: WriteField) -> None:
    gray = write_field("31")
    assert np.array_equal(clean(Page(PageId("a"), gray)).gray, gray)


def test_a_negative_is_turned_over(write_field: WriteField) -> None:
    gray = write_field("31")
    assert np.array_equal(clean(Page(PageId("a"), np.asarray(255 - gray, np.uint8))).gray, gray)
