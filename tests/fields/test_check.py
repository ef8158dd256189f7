"""Checks that the project draws, turned and spoiled; and what is no check."""

from __future__ import annotations

import importlib
from dataclasses import replace
from functools import cache

import cv2
import numpy as np
import pytest

from docproc.fields.check import PRINTED, Band, Check, elect, find_check, micr_box
from docproc.fields.layouts import upright_check
from docproc.files import Document, open_pages
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.rules import FieldRules
from docproc.types import Box, Elected, Field, Gray, Page, PageId, Seen
from tests.conftest import SAMPLES

drawing = importlib.import_module("scripts.build_samples")

AMOUNT = (1345, 248, 375, 88)  # px of the clean check: where it is printed that the amount goes
DATE = (1180, 120, 420, 86)


@cache
def picture(number: int = 0) -> Gray:
    rng = np.random.default_rng(number)
    page = drawing.paper(drawing.CHECK, rng)
    drawing.print_bank_check(page, drawing.SPECIMENS[number])
    drawing.fill_bank_check(page, drawing.SPECIMENS[number], drawing.Hand.any(rng), rng)
    return np.asarray(np.clip(page, 0, 255), np.uint8)


def sample(name: str) -> Gray:
    page = next(iter(open_pages(Document(name, SAMPLES / name), Limits())))
    assert isinstance(page, Page)
    return page.gray


def page_of(gray: Gray) -> Page:
    return clean(Page(PageId("check"), np.ascontiguousarray(gray)))


def seen_upright(gray: Gray) -> tuple[Page, Check]:
    page, found = upright_check(page_of(gray))
    assert found is not None
    return page, found


def band_of(found: Check) -> Band:
    assert found.band is not None
    return found.band


def amounts(found: Check) -> tuple[Field, ...]:
    return (*found.frames, *found.places)


def share(box: Box, place: tuple[int, int, int, int]) -> float:
    """Of the box, what lies in the place."""
    left, top, width, height = place
    across = min(box.right, left + width) - max(box.left, left)
    down = min(box.bottom, top + height) - max(box.top, top)
    return max(0, across) * max(0, down) / (box.width * box.height)


@pytest.mark.parametrize("number", range(len(drawing.SPECIMENS)))
def test_every_part_of_a_check_is_proposed(number: int) -> None:
    page, found = seen_upright(picture(number))
    assert any(share(field.box, AMOUNT) > 0.6 for field in amounts(found))
    assert any(share(field.box, DATE) > 0.6 for field in found.places)
    assert found.places[0].box.left > 1500  # the check's number
    line = micr_box(band_of(found), page)
    assert line.top > 680
    assert line.left < 110
    assert line.height < 120
    assert 34 <= band_of(found).character <= 37  # 0.117 inch at 300 dpi


def test_a_frame_is_told_from_a_line() -> None:
    framed, free = (seen_upright(picture(k))[1] for k in (0, 1))
    assert len(framed.frames) == 1
    assert not free.frames


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_check_may_lie_on_its_side_or_on_its_head(quarters: int) -> None:
    gray = picture()
    page, found = seen_upright(np.rot90(gray, quarters))
    assert np.array_equal(page.gray, gray)
    box = found.frames[0].box
    stored = page.stored(box)
    assert np.array_equal(np.rot90(stored.cut(np.rot90(gray, quarters)), -quarters), box.cut(gray))


@pytest.mark.parametrize("degrees", [-5.0, -2.0, 1.0, 4.0])
def test_a_check_may_lie_askew(degrees: float) -> None:
    height, width = picture().shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    _, found = seen_upright(np.asarray(cv2.warpAffine(picture(), matrix, (width, height), borderValue=230), np.uint8))
    assert abs(band_of(found).slope) < 0.015
    assert any(share(field.box, AMOUNT) > 0.6 for field in amounts(found))


@pytest.mark.parametrize("scale", [1 / 3, 0.5, 2.0])
def test_the_resolution_does_not_matter(scale: float) -> None:
    small = cv2.resize(picture(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, found = seen_upright(np.asarray(small, np.uint8))
    assert band_of(found).regular > 0.9
    assert any(share(field.box.scaled(1 / scale), AMOUNT) > 0.6 for field in amounts(found))


@pytest.mark.parametrize("quarters", range(4))
def test_a_check_may_lie_on_a_larger_page(quarters: int) -> None:
    page = np.full((3300, 2550), 240, np.uint8)
    page[500 : 500 + 825, 300 : 300 + 1800] = picture()
    laid, found = seen_upright(np.rot90(page, quarters))
    assert band_of(found).regular > 0.9
    places = [laid.stored(field.box) for field in amounts(found)]
    parts = [np.rot90(place.cut(np.rot90(page, quarters)), -quarters) for place in places]
    wanted = page[500 + 248 : 500 + 336, 300 + 1345 : 300 + 1720]
    assert any(np.abs(np.subtract(part.shape, wanted.shape)).max() < 40 for part in parts)


def test_two_checks_on_a_page_are_told() -> None:
    page = np.full((3300, 2550), 240, np.uint8)
    page[300 : 300 + 825, 300 : 300 + 1800] = picture()
    page[1500 : 1500 + 825, 300 : 300 + 1800] = picture(1)
    with pytest.raises(ValueError, match="2 checks"):
        find_check(page_of(page))


def test_a_check_without_its_line_is_one_by_amount_and_date() -> None:
    gray = picture().copy()
    gray[690:] = 235
    _, found = seen_upright(gray)
    assert found.band is None
    assert found.frames
    assert found.places


def test_what_is_no_check() -> None:
    rng = np.random.default_rng(3)
    waves = np.add.outer(np.sin(np.arange(700) / 40), np.cos(np.arange(1500) / 70)) * 50 + 128
    pages = {
        "blank": np.full((700, 1500), 240, np.uint8),
        "noise": rng.integers(0, 255, (700, 1500)).astype(np.uint8),
        "photograph": (waves + rng.normal(0, 4, waves.shape)).clip(0, 255).astype(np.uint8),
        "form": sample("survey/form_1.jpg"),
        "card": sample("meters/card_1.jpg"),
    }
    assert [name for name, gray in pages.items() if upright_check(page_of(gray))[1] is not None] == []


# ------------------------------------------------------------------------------------------------------ elections


def seen(
    top: int, text: str, value: str = "", confidence: float = 0.9, dated: float = 0.0, name: str = "", cells: int = 0
) -> Seen:
    field = Field(name, Box(1000, top, 300, 60), "comb" if cells else "amount", cells=cells, framed=name == "amount")
    return Seen(field, text, value, confidence, dated)


NUMBER = seen(40, "1042", "1042", 0.99)
DAY = seen(150, "11202026", "", 0.9, dated=0.8)
SUM = seen(270, "85000", "850.00", 0.6)
LINE = Seen(Field("micr", Box(100, 700, 900, 60), "micr"), "991234561", "⑆991234561⑆000123456789⑈1042", 0.99)


def named(places: list[Seen], chosen: tuple[Elected, ...]) -> dict[str, str]:
    return {one.field.name: places[one.place].text for one in chosen}


def test_the_date_is_what_can_be_one_and_the_amount_stands_below() -> None:
    places = [NUMBER, DAY, SUM, seen(400, "701", "701", 0.7)]
    chosen = elect(places)
    assert named(places, chosen) == {"amount": "85000", "date": "11202026"}
    assert [one.doubt for one in chosen] == ["", ""]


def test_what_does_not_stand_right_below_the_date_is_doubted() -> None:
    places = [DAY, seen(270, "7", "", 0.1), seen(400, "85000", "850.00", 0.9)]
    amount = elect(places)[0]
    assert (places[amount.place].text, bool(amount.doubt)) == ("85000", True)
    without = [NUMBER, SUM]
    assert [(one.field.name, bool(one.doubt)) for one in elect(without)] == [("amount", True)]


def test_a_frame_counts_and_does_not_decide() -> None:
    weak = [DAY, seen(300, "12", "12", 0.05, name="amount"), seen(270, "1200", "12.00", 0.9)]
    assert named(weak, elect(weak))["amount"] == "1200"
    near = [DAY, seen(270, "12", "12", 0.8, name="amount"), seen(300, "1200", "12.00", 0.9)]
    assert named(near, elect(near))["amount"] == "12"


def test_an_empty_frame_is_a_blank_amount_and_empty_paper_is_none() -> None:
    assert [one.field.name for one in elect([seen(270, "", "", 0.0, name="amount")])] == ["amount"]
    assert elect([seen(270, "", "", 0.0)]) == ()


def test_a_comb_is_the_date_whatever_it_says() -> None:
    places = [seen(60, "99999999", "", 0.5, name="date", cells=8), seen(60, "11202026", dated=0.9), SUM]
    assert named(places, elect(places))["date"] == "99999999"


@pytest.mark.parametrize(
    ("line", "order"),
    [
        ("⑆991234561⑆000123456789⑈1042", "MDY"),
        ("⑈008816⑈⑆991234561⑆4410022887⑈", "MDY"),
        ("⑈123456⑈500123456⑆123456⑈31", "DMY"),
        ("⑈123⑈⑆12345⑉001⑆123⑉456⑈", "auto"),
    ],
)
def test_the_line_tells_the_order_of_the_date(line: str, order: str) -> None:
    places = [DAY, SUM, replace(LINE, value=line)]
    date = next(one for one in elect(places) if one.field.name == "date")
    assert date.field.rules is not None
    assert date.field.rules.date == order
    asked = next(one for one in elect(places, order="YMD") if one.field.name == "date")
    assert asked.field.rules is not None
    assert asked.field.rules.date == "YMD"
    unsure = [DAY, SUM, replace(LINE, value=line, confidence=0.2)]
    assert elect(unsure)[1].field.rules == FieldRules(date="auto")


def test_the_printed_number_is_what_stands_above_the_date() -> None:
    places = [NUMBER, DAY, SUM, LINE]
    assert named(places, elect(places))[PRINTED] == "1042"
    for other in (replace(NUMBER, confidence=0.6), replace(NUMBER, text="12"), seen(300, "1042", "", 0.99)):
        assert PRINTED not in named([other, DAY, SUM, LINE], elect([other, DAY, SUM, LINE]))
    assert PRINTED not in named([NUMBER, DAY, SUM], elect([NUMBER, DAY, SUM]))
