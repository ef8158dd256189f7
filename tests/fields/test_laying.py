"""Scans that went wrong: what is not on the scan, or lies elsewhere, is told and never taken for an empty field."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image

import docproc
from docproc.types import Gray, Row
from tests.fields.test_layouts import SURVEY, expected, form, save

pytestmark = pytest.mark.thorough

HEIGHT = 1200  # px of the form, 1800 wide


def stretched(gray: Gray, down: float) -> Gray:
    return np.asarray(cv2.resize(gray, None, fx=1, fy=down, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Row]]:
    """The form of the samples as bad luck has it, read in one go: rows by the name of the scan and the field."""
    folder = tmp_path_factory.mktemp("laying")
    whole = form()
    save(np.ascontiguousarray(whole[376:]), folder / "torn off.png")
    save(np.ascontiguousarray(whole[320:]), folder / "partly torn off.png")
    save(np.repeat(whole, np.where(np.arange(HEIGHT) == 450, 70, 1), axis=0), folder / "stood still.png")
    noted = whole.copy()
    noted[270:390, 700:960] = 228
    save(noted, folder / "a note on it.png")
    bilevel = Image.fromarray(stretched(whole, 98 / 204)).point(lambda level: 255 * (level > 160)).convert("1")
    bilevel.save(folder / "fax.tif", dpi=(204, 98), compression="group4")
    bilevel.save(folder / "fax without its resolution.tif", compression="group4")
    bilevel.rotate(180).save(folder / "fax on its head.tif", dpi=(204, 98), compression="group4")
    other = np.asarray(Image.open(SURVEY / "form_1.jpg").convert("L"), np.uint8)
    sheets = [Image.fromarray(np.vstack([whole, other])), Image.fromarray(whole)]
    sheets[0].save(folder / "two.tif", save_all=True, append_images=sheets[1:], compression="tiff_lzw")
    save(np.hstack([whole, other[:, :450]]), folder / "one and a part.png")
    rows: dict[str, dict[str, Row]] = {}
    for row in docproc.read(folder, layout=str(SURVEY / "template.toml")):
        page = "" if row.page == 1 else f", page {row.page}"
        rows.setdefault(row.document.rpartition(".")[0] + page, {})[row.field] = row
    return rows


@pytest.mark.parametrize("name", ["torn off", "partly torn off"])
def test_a_field_beyond_the_edge_is_for_a_person_and_not_blank(read: dict[str, dict[str, Row]], name: str) -> None:
    rows = read[name]
    for field, text in expected().items():
        if field in ("household_id", "interviewer"):
            assert rows[field].status == "review"
            assert "cut off: this field lies " in rows[field].reason
        else:
            assert rows[field].text == text
            assert "cut off" not in rows[field].reason


def test_a_number_under_a_note_is_not_read_as_a_shorter_one(read: dict[str, dict[str, Row]]) -> None:
    rows = read["a note on it"]
    assert rows["household_id"].status == "review"
    assert "print around this field is not found" in rows["household_id"].reason
    assert [name for name, row in rows.items() if "print around" in row.reason] == ["household_id"]


def test_fields_are_read_where_the_feeder_left_them(read: dict[str, dict[str, Row]]) -> None:
    rows = read["stood still"]
    assert {name: row.text for name, row in rows.items()} == expected()
    apart = [row.residual for row in rows.values() if row.residual is not None]
    assert max(apart) == pytest.approx(69, abs=5)
    assert min(apart) < 3


@pytest.mark.parametrize("name", ["fax", "fax without its resolution", "fax on its head"])
def test_a_coarse_fax_is_read_and_its_boxes_are_those_of_the_file(read: dict[str, dict[str, Row]], name: str) -> None:
    rows = read[name]
    texts = expected()
    assert not [row for row in rows.values() if row.status in ("ok", "blank") and row.text != texts[row.field]]
    assert sum(row.text == texts[field] for field, row in rows.items()) >= len(texts) - 1
    box = rows["household_id"]
    assert box.width == pytest.approx(736, abs=8)
    assert box.height == pytest.approx(92 * 98 / 204, abs=4)


def test_a_second_form_on_a_scan_is_a_page_of_its_own(read: dict[str, dict[str, Row]]) -> None:
    """Pages of the file keep their numbers; what lies beside a form comes after the last one, and says where it is."""
    assert {name: row.text for name, row in read["two"].items()} == expected()
    assert {name: row.text for name, row in read["two, page 2"].items()} == expected()
    second = read["two, page 3"]
    assert {name: row.text for name, row in second.items()} == expected("survey/form_1.jpg")
    assert all(row.reason.endswith("form 2 on page 1") for row in second.values())
    assert not [row for row in read["two, page 2"].values() if "form 2" in row.reason]
    tops = [row.top for row in second.values() if row.top is not None]
    assert min(tops) == pytest.approx(HEIGHT + 282, abs=12)


def test_a_part_of_a_second_form_is_told_and_not_passed_over(read: dict[str, dict[str, Row]]) -> None:
    assert {name: row.text for name, row in read["one and a part"].items()} == expected()
    (row,) = read["one and a part, page 2"].values()
    assert row.status == "error"
    assert row.reason.startswith("does_not_fit: a part of another form lies beside this one")
