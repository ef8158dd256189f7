"""What lies on a scan beside a form that was found."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.pages.register import first_of, seek, without_form
from docproc.pages.register.known_form import reference
from docproc.pages.register.warp import Matrix
from docproc.types import Gray
from tests.pages.test_local import blank_form, filled_form

SIZE = (1000, 1300)


def at(left: float, top: float, turned: bool = False) -> Matrix:
    """The map of a form whose upper left corner lies there, or its lower right one where it is upside down."""
    if turned:
        return np.array([[-1, 0, left + 999], [0, -1, top + 1299], [0, 0, 1]], np.float64)
    return np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)


def rest_of(page: Gray, left: int = 0) -> Gray | None:
    return without_form(page, at(left, 0), SIZE)


def test_the_form_is_taken_off_and_the_other_stays() -> None:
    page = np.hstack([filled_form(), blank_form()])
    rest = rest_of(page)
    assert rest is not None
    assert rest[:, :998].min() >= 240
    assert np.array_equal(rest[:, 1002:], page[:, 1002:])
    found, share = seek(rest, reference(blank_form()))
    assert found is not None
    assert share > 0.9
    assert found.to_page[:2, 2] == pytest.approx([1000, 0], abs=1)


def test_nothing_is_looked_for_where_no_form_can_lie() -> None:
    page = filled_form()
    assert rest_of(page) is None
    assert rest_of(np.hstack([page, page[:, :120]])) is None, "too narrow"
    assert rest_of(np.hstack([page, np.full_like(page, 245)])) is None, "empty paper"


@pytest.mark.parametrize(
    ("maps", "first"),
    [
        ([at(0, 0), at(1000, 0)], 0),
        ([at(1000, 20), at(0, 0)], 1),
        ([at(1000, 1300), at(0, 1300), at(1000, -30), at(0, 40)], 3),
        # A scan that lies on its head is read from its own upper left.
        ([at(0, 0, turned=True), at(1000, 0, turned=True)], 1),
    ],
)
def test_forms_come_in_the_order_in_which_one_reads(maps: list[Matrix], first: int) -> None:
    assert first_of([(one, SIZE) for one in maps]) == first
