"""Where edges of boxes may snap to on a form."""

from __future__ import annotations

import numpy as np

from docproc.fields.places import find_places, guides
from docproc.types import Page, PageId


def ruled_form() -> Page:
    gray = np.full((600, 900), 255, np.uint8)
    gray[100:104, 100:500] = gray[180:184, 100:500] = 0  # a frame
    gray[100:184, 100:104] = gray[100:184, 496:500] = 0
    gray[300:303, 100:800] = 0  # a line by itself
    gray[400:430, 600:604] = 0  # the stroke of a large letter
    return Page(PageId("form"), gray)


def test_edges_of_frames_and_lines_are_guides_and_strokes_of_print_are_none() -> None:
    page = ruled_form()
    across, down = guides(page, find_places(page))
    assert [any(abs(line - edge) <= 2 for line in across) for edge in (100, 500, 602)] == [True, True, False]
    assert [any(abs(line - edge) <= 2 for line in down) for edge in (100, 184, 300, 303, 415)] == [
        True,
        True,
        True,
        True,
        False,
    ]


def test_a_blank_page_has_no_guides() -> None:
    assert guides(Page(PageId("x"), np.full((300, 300), 255, np.uint8)), ()) == ([], [])
