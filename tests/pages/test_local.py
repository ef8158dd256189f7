"""Where each field lies on a page that is covered, torn, printed otherwise, or was fed unevenly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.pages.register import LocalFit, Print, Reference, local_fits, print_on, reference, register
from docproc.types import Box, Gray

LABELS = ("PERSON", "HOUSEHOLD", "AGE", "CHILDREN", "INCOME", "AREA", "PHONE", "WEIGHT")
BOXES = {
    name: Box(90 + 480 * (k % 2), 260 + 220 * (k // 2), 320 + 40 * (k % 3), 80) for k, name in enumerate(LABELS)
}  # px of the form
Fits = dict[str, LocalFit]


def blank_form() -> Gray:
    form = np.full((1300, 1000), 245, np.uint8)
    cv2.putText(form, "SURVEY OF HOMES", (90, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 40, 3)
    cv2.putText(form, "PLEASE WRITE ONE NUMBER IN EVERY BOX", (90, 180), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 40, 2)
    for name, box in BOXES.items():
        cv2.putText(form, name, (box.left, box.top - 20), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 40, 2)
        cv2.rectangle(form, (box.left, box.top), (box.right - 1, box.bottom - 1), 50, 3)
    cv2.putText(form, "RETURN THIS FORM BEFORE MONDAY", (120, 1180), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 40, 2)
    cv2.putText(form, "PAGE 1", (830, 1260), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 40, 2)
    return form


def filled_form() -> Gray:
    form = blank_form()
    for k, box in enumerate(BOXES.values()):
        cv2.putText(form, f"{k}7{9 - k}", (box.left + 20, box.top + 62), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.8, 30, 3)
    return form


@pytest.fixture(scope="module")
def form() -> tuple[Reference, Print]:
    blank = blank_form()
    return reference(blank), print_on(blank, sure=True)


def fits(page: Gray, form: tuple[Reference, Print]) -> Fits:
    known, printed = form
    to_page = register(page, known).to_page
    return dict(zip(BOXES, local_fits(page, to_page, known.scale, printed, list(BOXES.values())), strict=True))


def troubles(found: Fits) -> dict[str, str]:
    return {name: fit.trouble for name, fit in found.items() if fit.trouble}


def fed(page: Gray, rows: NDArray[np.float64]) -> Gray:
    """The page as a feeder pulled it: row k of the scan shows row `rows[k]` of the page."""
    down = np.tile(np.asarray(rows, np.float32)[:, None], (1, page.shape[1]))
    across = np.tile(np.arange(page.shape[1], dtype=np.float32), (len(rows), 1))
    return np.asarray(cv2.remap(page, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def stuck(at: int, count: int) -> NDArray[np.float64]:
    """Rows of a page that stood still for `count` rows of the scan."""
    return np.asarray(np.r_[np.arange(at), np.full(count, at), np.arange(at, 1300)], np.float64)


@pytest.mark.parametrize("how", ["straight", "askew", "faint", "two levels", "noisy", "small"])
def test_on_a_whole_scan_every_field_is_where_it_should_be(form: tuple[Reference, Print], how: str) -> None:
    page = filled_form().astype(np.float64)
    if how in ("askew", "small"):
        turn = cv2.getRotationMatrix2D((500, 650), 2.0, 0.9 if how == "askew" else 0.6)
        page = cv2.warpAffine(page, turn, (1000, 1300), flags=cv2.INTER_AREA, borderValue=(245,)).astype(np.float64)
    if how == "faint":
        page = 255 - (255 - page) * 0.35
    if how == "noisy":
        page += np.random.default_rng(2).normal(0, 18, page.shape)
    if how == "two levels":
        page = np.where(page > 150, 255.0, 0.0)
    found = fits(np.clip(page, 0, 255).astype(np.uint8), form)
    assert not troubles(found)
    assert max(fit.residual for fit in found.values()) < 3


@pytest.mark.parametrize("part", ["all", "left", "right", "upper"])
def test_a_field_under_a_note_is_not_there(form: tuple[Reference, Print], part: str) -> None:
    page, box = filled_form(), BOXES["CHILDREN"]
    note = {
        "all": Box(box.left - 30, box.top - 60, box.width + 50, 160),
        "left": Box(box.left - 20, box.top - 10, box.width // 3, 110),
        "right": Box(box.left + box.width // 2, box.top - 10, box.width // 2 + 20, 110),
        "upper": Box(box.left - 10, box.top - 50, box.width + 20, 90),
    }[part]
    note.cut(page)[:] = 225
    assert troubles(fits(page, form)) == {"CHILDREN": "not there"}


@pytest.mark.parametrize(("across", "down"), [(0, 40), (0, -30), (45, 0), (60, 50)])
def test_a_field_that_another_edition_has_elsewhere_is_not_there(form: tuple[Reference, Print], across: int, down: int) -> None:
    page, box = blank_form(), BOXES["INCOME"]
    inner = box.grown(6)
    part = inner.cut(page).copy()
    inner.cut(page)[:] = 245
    Box(inner.left + across, inner.top + down, inner.width, inner.height).cut(page)[:] = part
    assert troubles(fits(page, form)) == {"INCOME": "not there"}


def test_a_field_a_little_beside_its_place_follows_its_print(form: tuple[Reference, Print]) -> None:
    page, box = blank_form(), BOXES["INCOME"]
    inner = Box(box.left - 6, box.top - 50, box.width + 40, box.height + 56)
    part = inner.cut(page).copy()
    inner.cut(page)[:] = 245
    Box(inner.left + 5, inner.top + 9, inner.width, inner.height).cut(page)[:] = part
    found = fits(page, form)
    assert not troubles(found)
    assert (found["INCOME"].left, found["INCOME"].top) == pytest.approx((5, 9), abs=1.5)
    assert found["AREA"].residual < 2


def test_fields_beyond_the_edge_are_cut_off(form: tuple[Reference, Print]) -> None:
    torn = troubles(fits(np.ascontiguousarray(filled_form()[375:]), form))
    assert torn == {"PERSON": "off", "HOUSEHOLD": "off"}
    torn = troubles(fits(np.ascontiguousarray(filled_form()[300:]), form))
    assert torn == {"PERSON": "partly off", "HOUSEHOLD": "partly off"}
    beside = troubles(fits(np.ascontiguousarray(filled_form()[:, 110:]), form))
    assert set(beside.values()) == {"partly off"}
    assert set(beside) == {"PERSON", "AGE", "INCOME", "PHONE"}


@pytest.mark.parametrize("count", [40, 90])
def test_fields_are_found_where_the_feeder_stood_still(form: tuple[Reference, Print], count: int) -> None:
    found = fits(fed(filled_form(), stuck(620, count)), form)
    assert not troubles(found)
    upper, lower = (found[name].top for name in ("PERSON", "WEIGHT"))
    assert lower - upper == pytest.approx(count, abs=3)
    assert found["HOUSEHOLD"].bottom == pytest.approx(upper, abs=3)


def test_fields_are_found_where_the_feeder_lost_rows(form: tuple[Reference, Print]) -> None:
    found = fits(fed(filled_form(), np.r_[np.arange(590), np.arange(630, 1300)].astype(np.float64)), form)
    assert not troubles(found)
    assert found["WEIGHT"].top - found["PERSON"].top == pytest.approx(-40, abs=3)


def test_a_field_that_the_feeder_stretched_is_told(form: tuple[Reference, Print]) -> None:
    found = fits(fed(filled_form(), np.r_[np.arange(500), np.linspace(500, 540, 80), np.arange(540, 1300)]), form)
    assert {name for name, trouble in troubles(found).items() if trouble == "stretched"} == {"AGE", "CHILDREN"}
    assert not any(found[name].trouble for name in ("PERSON", "INCOME", "WEIGHT"))


def test_a_page_that_went_through_the_feeder_on_its_side(form: tuple[Reference, Print]) -> None:
    rows = np.r_[np.arange(520), np.full(50, 520), np.arange(520, 1000)].astype(np.float64)
    page = np.ascontiguousarray(fed(np.ascontiguousarray(filled_form().T), rows).T)
    found = fits(page, form)
    assert not troubles(found)
    assert found["HOUSEHOLD"].left - found["PERSON"].left == pytest.approx(50, abs=3)


def test_a_picture_with_writing_on_it_promises_less() -> None:
    """Names and signatures on the form that was taken as the reference are no print that others must have."""
    reference_page = filled_form()
    cv2.putText(reference_page, "Somebody", (600, 1110), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, 1.5, 30, 3)
    empty = reference_page.copy()
    for box in BOXES.values():
        box.cut(empty)[:] = 255
    known = reference(reference_page), print_on(empty, sure=False)
    assert not troubles(fits(blank_form(), known))
    page = filled_form()
    BOXES["AGE"].grown(40).cut(page)[:] = 245
    assert troubles(fits(page, known)) == {"AGE": "not there"}


def test_a_form_known_by_its_marks_alone_still_has_edges() -> None:
    boxes = [Box(10, 10, 200, 50), Box(10, 100, 200, 50)]
    page = np.full((120, 300), 255, np.uint8)
    assert [fit.trouble for fit in local_fits(page, np.eye(3), 1.0, None, boxes)] == ["", "partly off"]
    assert [fit.residual for fit in local_fits(page, np.eye(3), 1.0, None, boxes)] == [0.0, 0.0]
