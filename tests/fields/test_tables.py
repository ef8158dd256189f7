"""Ruled tables of numbers: which cells they have, what is a heading, and what their numbers are called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import docproc
from docproc.fields.boxes import find_boxes
from docproc.fields.tables import CROSSED_RULE, DASH, LOW_ROWS, UNDIVIDED, Table, cells_of, find_tables
from docproc.types import Gray, Page, PageId, Row
from tests.conftest import draw_digits_into

LEFT, TOP, WIDE, HIGH = 90, 160, 150, 70  # px: where a drawn table begins, and its cells

Cells = Mapping[tuple[int, int], str]


def ruled(rows: int, columns: int, page: tuple[int, int] = (1240, 1000)) -> Gray:
    gray = np.full((page[1], page[0]), 246, np.uint8)
    for r in range(rows + 1):
        cv2.line(gray, (LEFT, TOP + HIGH * r), (LEFT + WIDE * columns, TOP + HIGH * r), 70, 3)
    for c in range(columns + 1):
        cv2.line(gray, (LEFT + WIDE * c, TOP), (LEFT + WIDE * c, TOP + HIGH * rows), 70, 3)
    return gray


def printed(gray: Gray, cells: Cells, size: int = 26) -> Gray:
    """Text in the middle of cells, by their row and column from 0."""
    image = Image.fromarray(gray)
    drawing, font = ImageDraw.Draw(image), ImageFont.load_default(size)
    for (r, c), text in cells.items():
        drawing.text((LEFT + WIDE * (c + 0.5), TOP + HIGH * (r + 0.5)), text, fill=50, font=font, anchor="mm")
    return np.asarray(image, np.uint8).copy()


def written(gray: Gray, cells: Cells, height: float = 38) -> Gray:
    """Numbers by hand, by row and column from 0; `-` is a dash."""
    for (r, c), text in cells.items():
        x, y = LEFT + WIDE * c, TOP + HIGH * r + HIGH // 2
        if text == "-":
            cv2.line(gray, (x + 60, y + 2), (x + 82, y - 2), 40, 4, cv2.LINE_AA)
            continue
        for k, digit in enumerate(text):
            draw_digits_into(gray, digit, x + 34 + 30 * k, y, height)
    return gray


HEADS = {(0, 0): "Station", (0, 1): "Mon", (0, 2): "Tue", (0, 3): "Wed", (1, 0): "A", (2, 0): "B", (3, 0): "C"}
NUMBERS = {(1, 1): "354", (1, 2): "6", (1, 3): "27", (2, 1): "-", (2, 3): "408", (3, 1): "55", (3, 2): "92"}
NAMES = {f"r{r}c{c}": NUMBERS.get((r, c), "") for r in (1, 2, 3) for c in (1, 2, 3)}


def daily_counts() -> Gray:
    return written(printed(ruled(4, 4), HEADS), NUMBERS)


def only_table(gray: Gray) -> Table:
    (table,) = find_tables(Page(PageId("a"), gray))
    return table


def read(gray: Gray, folder: Path) -> dict[str, Row]:
    Image.fromarray(gray).save(folder / "a.png")
    return {row.field: row for row in docproc.read(folder / "a.png")}


@pytest.mark.thorough
def test_a_table_of_numbers_is_read_cell_by_cell_and_its_words_are_not(tmp_path: Path) -> None:
    rows = read(daily_counts(), tmp_path)
    assert {name: row.text for name, row in rows.items()} == NAMES | {"r2c1": ""}
    assert {name: row.status for name, row in rows.items() if not row.text} == {
        "r2c1": "blank",
        "r2c2": "blank",
        "r3c3": "blank",
    }
    assert rows["r2c1"].reason == DASH
    assert rows["r2c2"].reason == ""


def test_no_rule_of_the_table_stands_in_a_cell() -> None:
    table = only_table(ruled(4, 4))
    assert len(table.cells) == 16
    for cell in table.cells:
        left, top = LEFT + WIDE * cell.column, TOP + HIGH * cell.row
        assert left + 2 <= cell.box.left <= left + 7
        assert top + 2 <= cell.box.top <= top + 7
        assert left + WIDE - 7 <= cell.box.right <= left + WIDE - 1
        assert top + HIGH - 7 <= cell.box.bottom <= top + HIGH - 1


@pytest.mark.parametrize(("dpi", "doubt"), [(50, LOW_ROWS), (75, ""), (150, "")])
def test_a_table_whose_headings_may_be_too_small_is_for_a_person(dpi: int, doubt: str) -> None:
    small = cv2.resize(daily_counts(), None, fx=dpi / 150, fy=dpi / 150, interpolation=cv2.INTER_AREA)
    fields = cells_of(only_table(np.asarray(small, np.uint8)))
    assert {field.doubt for field in fields} == {doubt}


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_table_is_found_at_75_and_at_300_dpi(scale: float) -> None:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(daily_counts(), None, fx=scale, fy=scale, interpolation=how), np.uint8)
    table = only_table(small)
    assert table.headings == (1, 1)
    assert len(table.body) == 9
    assert [cell.row for cell in table.body if cell.dash] == [2]


@pytest.mark.parametrize("degrees", [-2.0, 1.2])
def test_a_table_that_lies_askew_keeps_its_rows_and_its_rules_stay_out(tmp_path: Path, degrees: float) -> None:
    turn = cv2.getRotationMatrix2D((620, 500), degrees, 1)
    gray = cv2.warpAffine(daily_counts(), turn, (1240, 1000), flags=cv2.INTER_LINEAR, borderValue=246)
    rows = read(np.asarray(gray, np.uint8), tmp_path)
    assert {name: row.text for name, row in rows.items()} == NAMES | {"r2c1": ""}
    x, y = turn @ (LEFT + 2.5 * WIDE, TOP + 3.5 * HIGH, 1.0)
    box = rows["r3c2"]
    assert None not in (box.left, box.top, box.width, box.height)
    assert box.left < x < box.left + box.width  # type: ignore[operator]
    assert box.top < y < box.top + box.height  # type: ignore[operator]


@pytest.mark.parametrize("cells", [{}, {(0, 0): "12", (1, 1): "7", (2, 3): "350"}, {(0, c): str(30 + c) for c in range(4)}])
def test_numbers_in_the_first_row_are_no_heading(cells: Cells) -> None:
    """A table without words begins with r1c1; whoever filled in its first row only has not written headings."""
    table = only_table(written(ruled(4, 4), cells))
    assert table.headings == (0, 0)
    assert [field.name for field in cells_of(table)][:5] == ["r1c1", "r1c2", "r1c3", "r1c4", "r2c1"]


def test_a_printed_table_has_headings_too() -> None:
    gray = printed(printed(ruled(4, 4), HEADS, 22), {at: text for at, text in NUMBERS.items() if text != "-"}, 34)
    assert only_table(gray).headings == (1, 1)


def test_a_stroke_that_divides_a_cell_loses_nothing() -> None:
    gray = daily_counts()
    cv2.line(gray, (LEFT + 190, TOP + HIGH), (LEFT + 186, TOP + 2 * HIGH), 40, 5)  # a long 1 from rule to rule
    table = only_table(gray)
    assert len(table.body) == 9
    assert all(cell.whole for cell in table.body)


def test_writing_that_reaches_into_the_next_cell_is_for_a_person() -> None:
    gray = daily_counts()
    cv2.line(gray, (LEFT + 2 * WIDE + 100, TOP + HIGH + 30), (LEFT + 2 * WIDE + 95, TOP + 2 * HIGH + 22), 40, 5)
    doubts = {field.name: field.doubt for field in cells_of(only_table(gray))}
    assert {name for name, doubt in doubts.items() if doubt == CROSSED_RULE} == {"r1c2", "r2c2"}


def test_cells_without_a_rule_between_them_are_for_a_person() -> None:
    gray = daily_counts()
    gray[TOP + HIGH + 4 : TOP + 2 * HIGH - 3, LEFT + 3 * WIDE - 3 : LEFT + 3 * WIDE + 4] = 246
    fields = {field.name: field for field in cells_of(only_table(gray))}
    assert fields["r1c2"].doubt == UNDIVIDED
    assert fields["r1c2"].box.width > 1.9 * WIDE
    assert "r1c3" not in fields


@pytest.mark.parametrize("beside", ["a small 7", "a faint 7"])
def test_a_dash_beside_other_ink_is_not_nothing(beside: str) -> None:
    gray = daily_counts()
    if beside == "a small 7":
        draw_digits_into(gray, "7", LEFT + WIDE + 110, TOP + 2 * HIGH + 35, 30)
    else:
        draw_digits_into(gray, "7", LEFT + WIDE + 110, TOP + 2 * HIGH + 35, 30, level=190)
    (cell,) = (one for one in only_table(gray).cells if (one.row, one.column) == (2, 1))
    assert not cell.dash


def test_combs_below_each_other_and_frames_with_captions_are_no_table() -> None:
    gray = np.full((1100, 1240), 246, np.uint8)
    for r in range(5):
        for c in range(8):
            cv2.rectangle(gray, (100 + 60 * c, 100 + 70 * r), (160 + 60 * c, 170 + 70 * r), 70, 2)
    page = Page(PageId("a"), gray)
    assert find_tables(page) == ()
    assert [field.cells for field in find_boxes(page)] == [8] * 5
    words = ["Given name", "Street", "Town", "Signed", "Remarks", "Clerk"]
    captions = {(k // 2, k % 2): word for k, word in enumerate(words)}
    assert find_tables(Page(PageId("a"), printed(ruled(3, 2), captions))) == ()


def test_two_tables_on_a_page_have_names_of_their_own(tmp_path: Path) -> None:
    whole = np.concatenate([daily_counts()[:520], daily_counts()])
    names = list(read(whole, tmp_path))
    assert len(set(names)) == 18
    assert names[0] == "r1c1"
    assert names[9] == "t2r1c1"
