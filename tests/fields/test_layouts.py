"""Pages laid onto their forms, and what rules make of them: from a template to rows, with the shipped networks."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import docproc
from docproc.types import Gray, Row
from tests.conftest import SAMPLES, draw_digits_into

SURVEY = SAMPLES / "survey"
FORM = "form_2.jpg"

Matrix = NDArray[np.float64]


def form() -> Gray:
    with Image.open(SURVEY / FORM) as image:
        return np.asarray(image.convert("L"), np.uint8)


def template(folder: Path, change: tuple[str, str] = ("", "")) -> Path:
    shutil.copy(SURVEY / "blank.png", folder)
    text = (SURVEY / "template.toml").read_text(encoding="utf-8")
    assert change[0] in text
    (folder / "template.toml").write_text(text.replace(*change) if change[0] else text, encoding="utf-8")
    return folder / "template.toml"


def expected(document: str = f"survey/{FORM}") -> dict[str, str]:
    with open(SAMPLES / "expected.csv", newline="", encoding="utf-8") as file:
        return {row["field"]: row["text"] for row in csv.DictReader(file) if row["document"] == document}


def save(gray: Gray, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(gray).save(path)


def turned(degrees: float, scale: float = 1.0) -> Callable[[int, int], tuple[Matrix, tuple[int, int]]]:
    def matrix(width: int, height: int) -> tuple[Matrix, tuple[int, int]]:
        cos, sin = np.cos(np.radians(degrees)) * scale, np.sin(np.radians(degrees)) * scale
        found = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1.0]])
        corners = (found @ np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]).T)[:2]
        found[:2, 2] -= corners.min(axis=1)
        across, down = np.ceil(corners.max(axis=1) - corners.min(axis=1))
        return found, (int(across), int(down))

    return matrix


def shifted(width: int, height: int) -> tuple[Matrix, tuple[int, int]]:
    return np.array([[1, 0, 60.0], [0, 1, -40.0], [0, 0, 1]]), (width, height)


def photographed(width: int, height: int) -> tuple[Matrix, tuple[int, int]]:
    """From the side, with the table around it."""
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[260, 220], [width + 40, 140], [width + 140, height + 190], [160, height + 90]], np.float32)
    return np.asarray(cv2.getPerspectiveTransform(flat, seen), np.float64), (width + 300, height + 300)


SCANS = {
    "askew by 8": turned(8), "askew by -8": turned(-8), "askew by 3": turned(3), "on its head": turned(180),
    "on its side": turned(90), "on its other side": turned(270), "small": turned(0, 0.7), "large": turned(0, 1.4),
    "shifted": shifted, "photographed": photographed, "small, askew and on its head": turned(176, 0.8),
}  # fmt: skip


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Row]]:
    """The form of the samples in all these ways, and forms and papers of other kinds, read in one go."""
    folder = tmp_path_factory.mktemp("laid")
    gray = form()
    for name, scan in SCANS.items():
        matrix, size = scan(gray.shape[1], gray.shape[0])
        how = cv2.INTER_AREA if size[0] < gray.shape[1] else cv2.INTER_CUBIC
        paper = 90 if name == "photographed" else 230
        save(
            np.asarray(cv2.warpPerspective(gray, matrix, size, flags=how, borderValue=paper), np.uint8),
            folder / "in" / f"{name}.png",
        )
    shutil.copy(SAMPLES / "meters" / "card_1.jpg", folder / "in" / "another form.jpg")
    shutil.copy(SAMPLES / "checks" / "check_01.jpg", folder / "in" / "a check.jpg")
    save(np.full_like(gray, 240), folder / "in" / "empty.png")
    rows: dict[str, list[Row]] = {}
    for row in docproc.read(folder / "in", layout=str(template(folder))):
        rows.setdefault(row.document.rpartition(".")[0], []).append(row)
    return rows


@pytest.mark.parametrize("name", SCANS)
@pytest.mark.thorough
def test_a_scan_that_lies_otherwise_reads_the_same(laid: dict[str, list[Row]], name: str) -> None:
    assert {row.field: row.text for row in laid[name]} == expected()
    assert all(row.residual is not None and row.residual < 2 for row in laid[name])


@pytest.mark.thorough
def test_boxes_are_told_where_they_lie_on_the_scan(laid: dict[str, list[Row]]) -> None:
    whole = form()
    matrix, _ = SCANS["on its head"](whole.shape[1], whole.shape[0])
    straight = {row.field: row for row in docproc.read(SURVEY / FORM, layout=str(SURVEY / "template.toml"))}
    for row in laid["on its head"]:
        other = straight[row.field]
        assert None not in (other.left, other.top, other.width, row.left)
        middle = matrix @ (other.left + other.width / 2, other.top + other.height / 2, 1.0)  # type: ignore[operator]
        assert row.left + row.width / 2 == pytest.approx(middle[0], abs=4)  # type: ignore[operator]
        assert row.top + row.height / 2 == pytest.approx(middle[1], abs=4)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["another form", "a check", "empty"])
@pytest.mark.thorough
def test_what_is_no_scan_of_the_form_is_refused(laid: dict[str, list[Row]], name: str) -> None:
    (row,) = laid[name]
    assert row.status == "error"
    assert row.reason.startswith("does_not_fit: ")


@pytest.mark.thorough
def test_the_blank_form_beside_the_scans_is_not_read(tmp_path: Path) -> None:
    template(tmp_path)
    shutil.copy(SURVEY / FORM, tmp_path)
    assert {row.document for row in docproc.read(tmp_path)} == {FORM}
    assert docproc.run(tmp_path, tmp_path.parent / "t.csv").by_status["blank"] == 0


@pytest.mark.parametrize("said", ["", "\nfilled = true"])
def test_a_filled_form_may_serve_as_the_picture_of_the_form(tmp_path: Path, said: str) -> None:
    template(tmp_path, ('blank.png"', f'blank.png"{said}'))
    shutil.copy(SURVEY / FORM, tmp_path)
    shutil.copy(SURVEY / "form_1.jpg", tmp_path / "blank.png")
    rows = docproc.read(tmp_path)
    assert {row.field: row.text for row in rows if row.document == "blank.png"} == expected("survey/form_1.jpg")
    assert {row.document for row in rows} == {FORM, "blank.png"}
    assert {row.field: row.text for row in rows if row.document == FORM} == expected()


def test_a_changed_picture_of_the_form_is_noticed(tmp_path: Path) -> None:
    known = template(tmp_path)
    from docproc.forms import open_layout

    one = open_layout(str(known), ())
    save(np.asarray(255 - form(), np.uint8), tmp_path / "blank.png")
    assert one.templates != open_layout(str(known), ()).templates


# --------------------------------------------------------------------------------------------------------- rules


def field_form(folder: Path, text: str, rule: str, crossed: str = "") -> Path:
    """A comb on a page of its own, and a template with `rule` for it."""
    cells = len(text)
    gray = np.full((300, 80 * cells + 200), 245, np.uint8)
    for k in range(cells + 1):
        cv2.line(gray, (100 + 80 * k, 100), (100 + 80 * k, 200), 60, 2)
    cv2.line(gray, (100, 100), (100 + 80 * cells, 100), 60, 2)
    cv2.line(gray, (100, 200), (100 + 80 * cells, 200), 60, 2)
    for k, digit in enumerate(text):
        if k < len(crossed) and crossed[k] == "x":
            cv2.line(gray, (120 + 80 * k, 125), (160 + 80 * k, 180), 30, 4, cv2.LINE_AA)
            cv2.line(gray, (160 + 80 * k, 122), (118 + 80 * k, 183), 30, 4, cv2.LINE_AA)
        elif digit != "_":
            draw_digits_into(gray, digit, 140 + 80 * k, 150, 62)
    save(gray, folder / "in" / "a.png")
    (folder / "t.toml").write_text(
        f'schema_version = 1\nname = "one"\n[page]\nsize = [{gray.shape[1]}, {gray.shape[0]}]\n[[field]]\nname = "id"\n'
        f'box = [90, 90, {80 * cells + 20}, 120]\nkind = "comb"\ndigits = {cells}\n{rule}\n',
        encoding="utf-8",
    )
    return folder / "t.toml"


def read_one(folder: Path, text: str, rule: str = "", crossed: str = "") -> Row:
    (row,) = docproc.read(folder / "in", layout=str(field_form(folder, text, rule, crossed)))
    return row


def test_a_number_that_keeps_its_rule_is_read_as_ever(tmp_path: Path) -> None:
    row = read_one(tmp_path, "79927398713", 'check_digit = "luhn"')
    assert (row.text, row.changed_by) == ("79927398713", "")


def test_a_clear_number_that_breaks_its_rule_stays_and_goes_to_review(tmp_path: Path) -> None:
    row = read_one(tmp_path, "79927398710", 'check_digit = "luhn"')
    assert (row.text, row.status, row.changed_by) == ("79927398710", "review", "")
    assert "check digit (luhn)" in row.reason


def test_a_date_has_a_value(tmp_path: Path) -> None:
    path = field_form(tmp_path, "28022024", "")
    text = path.read_text(encoding="utf-8").replace('kind = "comb"\ndigits = 8', 'kind = "date"\norder = "DDMMYYYY"\ncells = 8')
    path.write_text(text, encoding="utf-8")
    (row,) = docproc.read(tmp_path / "in", layout=str(path))
    assert (row.text, row.value) == ("28022024", "2024-02-28")


def test_crossed_cells_are_no_digits(tmp_path: Path) -> None:
    assert read_one(tmp_path, "8841", crossed="xx").text == "41"
    row = read_one(tmp_path, "884", crossed="xxx")
    assert (row.text, row.status, row.reason) == ("", "blank", "crossed out")


def test_an_empty_cell_between_digits_is_for_a_person(tmp_path: Path) -> None:
    row = read_one(tmp_path, "4_27")
    assert (row.text, row.status) == ("427", "review")
    assert row.reason == "cell 2 empty, with digits on both sides"
