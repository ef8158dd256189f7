"""Checks that the project draws, turned and spoiled; and what is no check."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from docproc.fields.check import Band, Check, find_check, micr_box
from docproc.fields.layouts import upright_check
from docproc.files import Document, open_pages
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.types import Box, Field, Gray, Page, PageId
from tests.conftest import SAMPLES, draw_digits_into

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


@pytest.mark.parametrize(("down", "across"), [(1, 2), (2, 2), (3, 1)])
@pytest.mark.parametrize("quarters", [0, 1])
def test_checks_beside_each_other_are_never_read_as_one(down: int, across: int, quarters: int) -> None:
    half = np.asarray(cv2.resize(picture(), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
    sheet = np.rot90(np.tile(half, (down, across)), quarters)
    with pytest.raises(ValueError, match=f"{down * across} checks"):
        upright_check(page_of(sheet))


def test_a_page_of_typewriting_is_no_sheet_of_checks() -> None:
    page = np.full((1400, 1100), 245, np.uint8)
    for row in range(100, 1300, 40):
        for column in range(100, 900, 20):
            cv2.rectangle(page, (column, row), (column + 12, row + 18), 40, -1)
    assert upright_check(page_of(page))[1] is None


Levels = NDArray[np.float64]
GROUNDS: dict[str, Callable[[Levels, Levels], Levels]] = {
    "red": lambda y, x: np.full(y.shape, 135.0),  # as it is in gray
    "waves": lambda y, x: np.where(np.sin((y + 12 * np.sin(x / 40)) * 2 * np.pi / 9) > 0.2, 165.0, 232.0),
    "dots": lambda y, x: np.where((x % 8 < 3) & (y % 8 < 3), 170.0, 240.0),
    "fading": lambda y, x: 100 + 130.0 * x / x.shape[1],
}


@pytest.mark.parametrize("dpi", [300, 74])
@pytest.mark.parametrize("ground", GROUNDS)
def test_the_ground_does_not_hide_a_check(ground: str, dpi: int) -> None:
    y, x = np.mgrid[: picture().shape[0], : picture().shape[1]].astype(np.float64)
    printed = np.asarray(picture() / 255.0 * GROUNDS[ground](y, x), np.uint8)
    gray = np.asarray(cv2.resize(printed, None, fx=dpi / 300, fy=dpi / 300, interpolation=cv2.INTER_AREA), np.uint8)
    _, found = seen_upright(gray)
    assert band_of(found).regular > 0.9
    assert any(share(field.box.scaled(300 / dpi), AMOUNT) > 0.6 for field in amounts(found))
    assert any(share(field.box.scaled(300 / dpi), DATE) > 0.6 for field in found.places)


@pytest.mark.parametrize("word", ["DATE", "Date"])
def test_the_word_before_the_date_is_not_cut_out_with_it(word: str) -> None:
    gray = picture().copy()
    gray[120:206, 1080:1600] = 240
    image = Image.fromarray(gray)
    ImageDraw.Draw(image).text((1145, 174), word, fill=60, font=ImageFont.load_default(26))
    written = np.asarray(image, np.uint8).copy()
    for k, character in enumerate("11/20/2026"):
        draw_digits_into(written, character, 1245 + 30 * k, 172, 46)
    _, found = seen_upright(written)
    (date,) = (field for field in found.places if share(field.box, DATE) > 0.6)
    assert 1200 <= date.box.left <= 1235
    assert date.box.right >= 1520


def test_cents_that_are_smaller_stay_with_their_amount() -> None:
    gray = picture(1).copy()
    gray[240:326, 1330:1725] = 240
    for k, digit in enumerate("1234"):
        draw_digits_into(gray, digit, 1380 + 34 * k, 285, 50)
    for k, digit in enumerate("56"):
        draw_digits_into(gray, digit, 1530 + 22 * k, 270, 28)
    _, found = seen_upright(gray)
    assert any(field.box.left < 1370 and field.box.right > 1550 for field in found.places)


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


@pytest.mark.parametrize("dpi", [100, 150, 300])
def test_the_boxes_of_a_date_are_all_found_at_any_resolution(dpi: int) -> None:
    check = picture().copy()
    left, top, side, high = 1180, 110, 50, 66
    check[top - 10 : top + high + 20, left - 10 : left + 430] = int(np.median(check))
    for k, digit in enumerate("25012016"):
        cv2.rectangle(check, (left + k * side, top), (left + (k + 1) * side, top + high), 90, 2)
        draw_digits_into(check, digit, left + k * side + side // 2, top + high // 2, height=40)
    small = cv2.resize(check, None, fx=dpi / 300, fy=dpi / 300, interpolation=cv2.INTER_AREA)
    _, found = seen_upright(np.asarray(small, np.uint8))
    (comb,) = found.combs
    assert comb.cells == 8
    assert share(comb.box.scaled(300 / dpi), (left, top, 8 * side, high)) > 0.8
