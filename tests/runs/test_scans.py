"""Scans to look at: what is cut out of them, and what is not shown."""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from docproc.errors import DocumentError
from docproc.files import Document, decode_pages
from docproc.options import Limits
from docproc.runs.journal import Journal, Outcome
from docproc.runs.scans import COVER, LEAST_HEIGHT, MARK, Scans, crop, digit_box, encoded, encoded_small, sheet
from docproc.types import Box, FieldSpec, Page, PageId, Row
from tests.conftest import SAMPLES, draw_field

LIMITS = Limits()
PAGE = Page(PageId("a.png"), np.full((1000, 800), 250, np.uint8))


def row(
    box: tuple[int, int, int, int] | None = (100, 200, 300, 60), text: str = "12345", reason: str = "", page: int = 1
) -> Row:
    left, top, width, height = box or (None,) * 4
    return Row("a.png", page, "id", text, text, 0.5, "review", reason, "", "", "", left, top, width, height, spec=FieldSpec())


def color(picture: NDArray[np.uint8], wanted: tuple[int, int, int]) -> list[int]:
    """left, top, right and bottom of the pixels of a color."""
    found = np.argwhere((picture == wanted).all(axis=2))
    return [*found.min(axis=0)[::-1], *found.max(axis=0)[::-1]] if len(found) else []


def test_a_field_is_cut_out_with_paper_around_it() -> None:
    gray = PAGE.gray.copy()
    gray[200:260, 100:400] = 10
    picture = crop(Page(PAGE.id, gray), row())
    dark = np.argwhere(picture < 100)
    assert picture.shape[0] >= LEAST_HEIGHT - 1  # a small one is enlarged
    assert 0.55 < np.ptp(dark[:, 0]) / picture.shape[0] < 0.65  # 60 of 102 rows
    assert 0.8 < np.ptp(dark[:, 1]) / picture.shape[1] < 0.86  # 300 of 360 columns
    assert crop(PAGE, row(None)).shape == PAGE.gray.shape
    tall = Page(PAGE.id, PAGE.gray, tall=2.0)
    assert crop(tall, row((100, 200, 100, 100))).shape == (340, 300)  # pixels made square
    shrunk = Page(PAGE.id, PAGE.gray, shrunk=2.0)
    assert crop(shrunk, row((200, 400, 200, 200))).shape == (170, 200)  # boxes are those of the page as it is stored


def test_a_field_of_a_page_that_lies_turned_is_shown_upright() -> None:
    rng = np.random.default_rng(3)
    gray = np.full((1000, 800), 250, np.uint8)
    gray[200:260, 100:400] = rng.integers(0, 200, (60, 300), np.uint8)
    upright = crop(Page(PAGE.id, gray), row())
    boxes = {1: (740, 100, 60, 300), 2: (400, 740, 300, 60), 3: (200, 400, 60, 300)}
    for turns, box in boxes.items():
        stored = Page(PAGE.id, np.ascontiguousarray(np.rot90(gray, -turns)))
        picture = crop(stored, row(box), turns=turns)
        assert picture.shape == upright.shape
        assert np.abs(picture.astype(int) - upright).mean() < 2
        assert sheet(stored, row(box), turns=turns).shape[:2] == gray.shape


def test_a_digit_is_marked() -> None:
    assert digit_box(row(), 1) == Box(160, 200, 60, 60)
    assert digit_box(row(), 5) is None
    assert digit_box(row(None), 0) is None
    picture = crop(PAGE, row(), digit_box(row(), 1))
    scale = picture.shape[1] / 360
    left, _, right, _ = color(picture, MARK)
    assert (abs(left - 90 * scale), abs(right - 150 * scale)) <= (3, 3)


def test_the_page_has_a_frame_and_accounts_are_not_to_be_seen() -> None:
    gray = PAGE.gray.copy()
    gray[800:830, 50:700] = 5  # a line of E-13B
    page = Page(PAGE.id, gray)
    account = row((50, 800, 650, 30))
    assert np.abs(np.subtract(color(sheet(page, row()), MARK), [94, 194, 406, 266])).max() <= 2
    assert (sheet(page, row())[800:830, 50:700] == 5).all()
    assert (sheet(page, row(), [account])[800:830, 50:700] == COVER).all()
    near = sheet(page, row((100, 780, 300, 60)), [account], near=True)
    assert not (near == 5).all(axis=2).any()
    assert near.shape[1] == 360  # the field and some paper


def test_a_scan_is_opened_only_as_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(draw_field("7")).save(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    with Journal.open(tmp_path / "t.csv") as journal:
        document = Document("a.png", path)
        journal.plan([(document, "one")])
        journal.finish(document, Outcome((row(),), sha256))
        journal.keep(limits=json.dumps(asdict(Limits(pdf_dpi=200)) | {"of_another_version": 1}))
        scans, again, later = (Scans.of(journal) for _ in range(3))
    assert (scans.page(sha256, row()).gray == draw_field("7")).all()
    with pytest.raises(DocumentError, match="no longer where"):
        scans.page("0" * 64, row())
    Image.fromarray(draw_field("8")).save(path)
    assert scans.page(sha256, row()).gray.size  # it is still in hand
    with pytest.raises(DocumentError, match="changed since"):
        again.page(sha256, row())
    path.unlink()
    with pytest.raises(DocumentError):
        later.page(sha256, row())


def test_scans_that_a_run_reads_meanwhile_are_found(tmp_path: Path) -> None:
    output, found = tmp_path / "t.csv", list[str]()
    with Journal.open(output) as journal:
        scans = Scans.of(journal)
        for name, digit in (("a.png", "7"), ("moved/b.png", "7"), ("moved/c.png", "1")):
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            Image.fromarray(draw_field(digit)).save(path)
            found.append(hashlib.sha256(path.read_bytes()).hexdigest())
            journal.plan([(Document("a.png", path), "one")])
            journal.finish(Document("a.png", path), Outcome((row(),), found[-1]))
            if name == "moved/b.png":
                (tmp_path / "a.png").unlink()
            assert scans.page(found[-1], row()).width
            scans._pages.clear()
    with pytest.raises(DocumentError, match="no longer where it was"):
        scans.page(found[0][::-1], row())


@pytest.mark.parametrize(("name", "pages"), [("checks/lockbox_bw.tif", 3), ("meters/route.pdf", 3), ("survey/form_1.jpg", 1)])
def test_a_page_is_opened_without_those_before_it(name: str, pages: int) -> None:
    data = (SAMPLES / name).read_bytes()
    all_pages = list(decode_pages(name, data, LIMITS))
    for number in range(1, len(all_pages) + 1):
        page, same = next(decode_pages(name, data, LIMITS, first=number)), all_pages[number - 1]
        assert isinstance(page, Page)
        assert isinstance(same, Page)
        assert page.id == same.id
        assert (page.gray == same.gray).all()
    assert list(decode_pages(name, data, LIMITS, first=len(all_pages) + 1)) == []
    assert len(all_pages) == pages


def test_a_second_form_on_a_page_is_looked_at_there() -> None:
    data = (SAMPLES / "survey" / "form_1.jpg").read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    scans = Scans({sha256: SAMPLES / "survey" / "form_1.jpg"}, LIMITS)
    assert scans.page(sha256, row(page=2, reason="confidence 0.4; form 2 on page 1")).id.page == 1
    with pytest.raises(DocumentError, match="no page 2"):
        scans.page(sha256, row(page=2))


def test_a_picture_has_as_many_bytes_as_it_may() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (300, 1200), np.uint8)
    for most in (60_000, 12_000, 3_000):
        data = encoded_small(picture, most)
        assert len(data) <= most
        with Image.open(io.BytesIO(data)) as image:
            assert image.format == "WEBP"
            assert abs(image.width / image.height - 4) < 0.1
    with Image.open(io.BytesIO(encoded(picture))) as image:
        assert (np.asarray(image) == picture).all()
