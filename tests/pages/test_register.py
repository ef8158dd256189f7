from __future__ import annotations

import csv
import pickle
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from docproc.errors import DocumentError
from docproc.pages.register import (
    Reference,
    Registration,
    box_on_page,
    natural_scale,
    rectify,
    reference,
    reference_by_marks,
    register,
)
from docproc.types import Box, Gray
from tests.conftest import SAMPLES, draw_field

SIZE = (1000, 1400)  # px of the drawn form
MARKS = (Box(40, 40, 30, 30), Box(930, 40, 30, 30), Box(930, 1330, 30, 30), Box(40, 1330, 30, 30))


def opened(path: Path) -> Gray:
    return np.asarray(Image.open(path).convert("L"), np.uint8)


def drawn(marks: bool = True, digits: str = "") -> Gray:
    """A sparse form: two tables, some print, corner marks; `digits` are written into it."""
    form = np.full((SIZE[1], SIZE[0]), 245, np.uint8)
    for top, rows, columns in ((260, 4, 3), (800, 3, 5)):
        for row in range(rows + 1):
            cv2.line(form, (120, top + 90 * row), (880, top + 90 * row), 60, 3)
        for column in range(columns + 1):
            x = 120 + 760 * column // columns
            cv2.line(form, (x, top), (x, top + 90 * rows), 60, 3)
    for k, (x, y, size) in enumerate([(150, 150, 1.4), (120, 240, 0.7), (560, 780, 0.7), (140, 1180, 0.8), (620, 1240, 0.8)]):
        cv2.putText(form, f"PRINT {'ABCDEFGHJK'[2 * k : 2 * k + 2]} OF THE FORM", (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, 50, 2)
    for mark in MARKS if marks else ():
        mark.cut(form)[:] = 25
    if digits:
        written = draw_field(digits, height=44)
        place = form[275 : 275 + written.shape[0], 400 : 400 + written.shape[1]]
        np.minimum(place, written, out=place)
    return form


def scanned(
    gray: Gray,
    turn: float = 0,
    scale: float = 1.0,
    perspective: float = 0.0,
    background: bool = False,
    thresholded: bool = False,
    seed: int = 3,
) -> tuple[Gray, np.ndarray[tuple[int, int], np.dtype[np.float64]]]:
    """The picture as a scanner or a phone sees it, and the homography from its px to those of the scan."""
    rng = np.random.default_rng(seed)
    height, width = gray.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5
    angle = np.deg2rad(turn)
    placed = (corners - corners.mean(0)) @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * scale
    placed += rng.uniform(-1, 1, (4, 2)) * perspective * min(height, width) * scale
    size = np.ptp(placed, axis=0) * (1.2 if background else 1.0)
    placed += size / 2 - (placed.max(0) + placed.min(0)) / 2
    small = gray if scale >= 0.8 else cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    inner = np.array([[0, 0], [small.shape[1], 0], [small.shape[1], small.shape[0]], [0, small.shape[0]]]) - 0.5
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), placed.astype(np.float32)).astype(np.float64)
    inner_matrix = cv2.getPerspectiveTransform(inner.astype(np.float32), placed.astype(np.float32))
    shape = (round(float(size[0])), round(float(size[1])))
    paper = (60,) if background else (245,)
    page = cv2.warpPerspective(np.asarray(small, np.uint8), inner_matrix, shape, flags=cv2.INTER_CUBIC, borderValue=paper)
    page = page.astype(np.float64)
    if background:
        page = page * np.outer(np.linspace(1, 0.8, shape[1]), np.linspace(0.6, 1, shape[0]))
    page = np.clip(page + rng.normal(0, 4, page.shape), 0, 255)
    if thresholded:
        page = np.where(page > 150, 255, 0)
    return page.astype(np.uint8), matrix


def corner_error(found: Registration, truth: np.ndarray[tuple[int, int], np.dtype[np.float64]], size: tuple[int, int]) -> float:
    """The largest distance, in px of the reference, from where a corner of the form is to where it is found."""
    width, height = size
    corners = np.array([[[0, 0]], [[width, 0]], [[width, height]], [[0, height]]], np.float64)
    back = cv2.perspectiveTransform(cv2.perspectiveTransform(corners, found.to_page), np.linalg.inv(truth))
    return float(np.linalg.norm(back - corners, axis=2).max())


@pytest.fixture(scope="module")
def survey() -> Reference:
    return reference(opened(SAMPLES / "survey" / "form_1.jpg"))


@pytest.fixture(scope="module")
def other_survey(survey: Reference) -> tuple[Gray, Registration]:
    """The same form filled in by another, and where the form lies on it."""
    gray = opened(SAMPLES / "survey" / "form_2.jpg")
    return gray, register(gray, survey)


@pytest.fixture(scope="module")
def empty_form() -> Reference:
    return reference(drawn(), MARKS)


@pytest.mark.parametrize(
    ("turn", "scale", "perspective", "background", "thresholded"),
    [
        (8, 1.0, 0, False, False),
        (-8, 0.7, 0, False, False),
        (0, 1.4, 0, False, False),
        (90, 1.0, 0, False, False),
        (178, 1.0, 0, False, False),
        (268, 0.8, 0, False, False),
        (4, 1.0, 0.04, True, False),
        (183, 0.8, 0.04, True, False),
        (2, 0.67, 0, False, True),
        (-15, 0.5, 0, False, False),
    ],
)
def test_a_sample_is_found_however_it_lies(
    survey: Reference,
    other_survey: tuple[Gray, Registration],
    turn: float,
    scale: float,
    perspective: float,
    background: bool,
    thresholded: bool,
) -> None:
    gray, upright = other_survey
    page, truth = scanned(gray, turn, scale, perspective, background, thresholded)
    found = register(page, survey)
    assert found.residual < 2
    assert corner_error(found, truth @ upright.to_page, survey.size) < 3
    assert found.turned == round(turn / 90) % 4 * 90


def test_a_reference_may_be_filled_in() -> None:
    prepared = reference(opened(SAMPLES / "meters" / "card_1.jpg"))
    for name in ("card_2.jpg", "card_3.png"):
        found = register(opened(SAMPLES / "meters" / name), prepared)
        assert found.residual < 2
        assert found.turned == 0


@pytest.mark.parametrize("name", ["meters/card_1.jpg", "meters/card_3.png", "checks/check_01.jpg", "checks/check_09.png"])
def test_another_form_is_refused(survey: Reference, name: str) -> None:
    with pytest.raises(DocumentError, match="printed structure is found") as refused:
        register(opened(SAMPLES / name), survey)
    assert refused.value.code == "does_not_fit"


@pytest.mark.parametrize("kind", ["white", "black", "noise", "gradient", "tiny", "narrow", "cut"])
def test_a_page_without_the_form_is_refused(survey: Reference, empty_form: Reference, kind: str) -> None:
    rng = np.random.default_rng(1)
    page = {
        "white": np.full((1200, 900), 255, np.uint8),
        "black": np.zeros((1200, 900), np.uint8),
        "noise": rng.integers(0, 256, (800, 1100), np.uint8),
        "gradient": np.tile(np.linspace(40, 250, 900).astype(np.uint8), (700, 1)),
        "tiny": np.full((1, 3), 200, np.uint8),
        "narrow": np.full((120, 20_000), 200, np.uint8),
        "cut": opened(SAMPLES / "survey" / "form_1.jpg")[250:400, 100:1000],
    }[kind]
    for prepared in (survey, empty_form, reference_by_marks(SIZE, MARKS)):
        with pytest.raises(DocumentError, match="is it another form") as refused:
            register(page, prepared)
        assert refused.value.code == "does_not_fit"


@pytest.mark.parametrize("turn", [3, 93, 180, 266])
def test_marks_and_picture(empty_form: Reference, turn: float) -> None:
    page, truth = scanned(drawn(digits="4071"), turn, 1.2)
    found = register(page, empty_form)
    assert found.method == "marks"
    assert found.turned == round(turn / 90) % 4 * 90
    assert corner_error(found, truth, SIZE) < 1.5


@pytest.mark.parametrize(("turn", "perspective"), [(0, 0.0), (6, 0.0), (92, 0.0), (-88, 0.0), (3, 0.03)])
def test_marks_alone(turn: float, perspective: float) -> None:
    page, truth = scanned(drawn(digits="12"), turn, 0.9, perspective, background=perspective > 0)
    found = register(page, reference_by_marks(SIZE, MARKS))
    assert found.method == "marks"
    assert found.share == 1
    assert found.residual < 2
    if found.turned == round(turn / 90) % 4 * 90:
        assert corner_error(found, truth, SIZE) < 2.5
    else:  # a form on its side: nothing tells which way
        assert turn in (92, -88)
        assert found.turned in (90, 270)


def test_three_marks_are_enough_and_two_are_not() -> None:
    form = drawn()
    MARKS[1].cut(form)[:] = 245
    page, truth = scanned(form, 2)
    found = register(page, reference_by_marks(SIZE, MARKS))
    assert found.share == 0.75
    assert corner_error(found, truth, SIZE) < 3
    MARKS[2].cut(form)[:] = 245
    with pytest.raises(DocumentError, match="4 corner marks are not found"):
        register(form, reference_by_marks(SIZE, MARKS))


@pytest.mark.parametrize(("turn", "scale"), [(2, 1.0), (91, 0.8), (180, 1.0), (-5, 0.7)])
def test_lines_where_there_are_no_features(turn: float, scale: float) -> None:
    prepared = reference(drawn(marks=False))
    bare = replace(prepared, points=prepared.points[:0], descriptors=prepared.descriptors[:0])
    page, truth = scanned(drawn(marks=False, digits="305"), turn, scale)
    found = register(page, bare)
    assert found.method == "lines"
    assert found.turned == round(turn / 90) % 4 * 90
    assert corner_error(found, truth, SIZE) < 2


@pytest.mark.parametrize(("height", "scale"), [(0.48, 1.3), (0.5, 1.0), (2.0, 0.8)])
@pytest.mark.thorough
def test_a_fax_whose_lines_lie_twice_as_far_apart_is_found(empty_form: Reference, height: float, scale: float) -> None:
    """As received: nothing in the picture says that its pixels are not square."""
    page, truth = scanned(drawn(digits="4071"), 0, scale, thresholded=True)
    squashed = cv2.resize(page, None, fx=1, fy=height, interpolation=cv2.INTER_AREA)
    page = np.where(squashed > 150, 255, 0).astype(np.uint8)
    bent = np.diag([1.0, height, 1.0]) + np.array([[0, 0, 0], [0, 0, (height - 1) / 2], [0, 0, 0]])
    for prepared in (empty_form, reference(drawn(marks=False)), reference_by_marks(SIZE, MARKS)):
        found = register(page, prepared)
        assert corner_error(found, bent @ truth, SIZE) < 4


def test_a_page_that_fits_better_stretched_is_not_taken_as_it_lies(survey: Reference) -> None:
    """Half of a form, found in the wrong place, lets every field be read beside its box."""
    page = cv2.resize(opened(SAMPLES / "survey" / "form_2.jpg"), None, fx=1, fy=98 / 204, interpolation=cv2.INTER_AREA)
    found = register(np.asarray(page, np.uint8), survey)
    assert found.share > 0.55  # the reference is filled in by another hand
    assert found.residual < 2
    width, height = survey.size
    low = cv2.perspectiveTransform(np.array([[[width / 2, height - 1]]], np.float64), found.to_page)[0, 0]
    assert low[1] == pytest.approx(page.shape[0], rel=0.03)


def test_the_same_comes_out_whatever_was_done_before(empty_form: Reference) -> None:
    page, _ = scanned(drawn(digits="66"), 5)
    first = register(page, empty_form)
    cv2.setRNGSeed(99)
    register(drawn(), empty_form)
    again = register(page, pickle.loads(pickle.dumps(empty_form)))
    assert np.array_equal(first.to_page, again.to_page)
    assert first.residual == again.residual


def test_a_page_cropped_at_an_edge(empty_form: Reference) -> None:
    page, truth = scanned(drawn(), 1)
    found = register(np.ascontiguousarray(page[:, 30:]), empty_form)
    shift = np.array([[1, 0, -30], [0, 1, 0], [0, 0, 1]], np.float64)
    assert corner_error(found, shift @ truth, SIZE) < 1.5


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.0])
def test_a_rectified_page_is_the_form_at_the_resolution_of_the_page(scale: float) -> None:
    form = drawn(digits="28")
    page, truth = scanned(form, 3, scale)
    placed = Registration(truth, 0.0, "features", 0, 1.0)
    by = natural_scale(placed, SIZE)
    assert natural_scale(Registration(np.diag([9.0, 9.0, 1.0]), 0.0, "features", 0, 1.0), SIZE) == 4
    assert by == pytest.approx(min(max(scale, 0.5), 4.0), rel=0.01)
    flat = rectify(page, placed, SIZE)
    assert flat.shape == (round(SIZE[1] * by), round(SIZE[0] * by))
    back = cv2.resize(flat, SIZE, interpolation=cv2.INTER_AREA)
    assert np.abs(back.astype(float) - form)[5:-5, 5:-5].mean() < 8


def test_beside_the_page_is_paper() -> None:
    placed = Registration(np.array([[1, 0, -50], [0, 1, 0], [0, 0, 1]], np.float64), 0.0, "features", 0, 1.0)
    flat = rectify(np.full((100, 100), 80, np.uint8), placed, (100, 100), 1.0)
    assert (flat[:, :40] == 255).all()
    assert (flat[:, 60:] == 80).all()


@given(st.integers(-200, 3000), st.integers(-200, 3000), st.integers(1, 900), st.integers(1, 900), st.integers(-90, 90))
def test_a_box_on_the_page_is_around_the_box(left: int, top: int, width: int, height: int, shift: int) -> None:
    box = Box(left, top, width, height)
    moved = np.array([[1, 0, shift], [0, 1, -shift], [0, 0, 1]], np.float64)
    assert box_on_page(box, Registration(moved, 0.0, "marks", 0, 1.0)) == Box(left + shift, top - shift, width, height)
    turned = np.array([[0, -1, 3999], [1, 0, 0], [0, 0, 1]], np.float64)  # a quarter clockwise
    assert box_on_page(box, Registration(turned, 0.0, "marks", 90, 1.0)) == Box(4000 - top - height, left, height, width)
    bent = np.array([[0.9, 0.1, 30], [-0.05, 1.1, 9], [1e-5, 2e-5, 1]], np.float64)
    around = box_on_page(box, Registration(bent, 0.0, "marks", 0, 1.0))
    middle = cv2.perspectiveTransform(np.array([[[left + width / 2, top + height / 2]]], np.float64) - 0.5, bent)[0, 0] + 0.5
    assert around.left <= middle[0] <= around.right
    assert around.top <= middle[1] <= around.bottom


def test_a_reference_that_says_too_little() -> None:
    with pytest.raises(ValueError, match="too little print"):
        reference(np.full((900, 700), 255, np.uint8))
    with pytest.raises(ValueError, match="2 corner marks say too little"):
        reference(drawn(), MARKS[:2])
    with pytest.raises(ValueError, match="needs three corner marks"):
        reference_by_marks(SIZE, ())
    with pytest.raises(ValueError, match="lies outside"):
        reference_by_marks((500, 500), MARKS)


def test_real_forms(shared: Path) -> None:
    """One filled form is the reference for the others; another form, and other paper, are refused."""
    folder = shared / "election-forms"
    with open(folder / "fields.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    boxes: dict[str, dict[str, Box]] = {}
    for row in rows:
        box = Box(int(row["left"]), int(row["top"]), int(row["width"]), int(row["height"]))
        boxes.setdefault(row["document"], {})[row["field"]] = box
    names = sorted(boxes, key=len)
    gray = opened(folder / "images" / names[0])
    marks = (Box(12, 26, 18, 19), Box(862, 30, 20, 20), Box(863, 1246, 19, 19), Box(12, 1245, 18, 20))
    size = (gray.shape[1], gray.shape[0])
    for prepared in (reference(gray), reference_by_marks(size, marks)):
        for name in names[1:6]:
            found = register(opened(folder / "images" / name), prepared)
            for field, box in boxes[names[0]].items():
                there, true = box_on_page(box, found), boxes[name][field]
                away = np.hypot(
                    there.left + there.width / 2 - true.left - true.width / 2,
                    there.top + there.height / 2 - true.top - true.height / 2,
                )
                assert away < 6
        for other in (shared / "nist-form" / "images" / "hsf.png", SAMPLES / "survey" / "form_1.jpg"):
            with pytest.raises(DocumentError):
                register(opened(other), prepared)
