"""Several templates: each page goes to the one that fits, and the table says which."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import docproc
from docproc.errors import BadUsage
from docproc.forms import open_layout
from docproc.runs.tables import COLUMNS
from docproc.types import Box, Gray, Row
from tests.conftest import SAMPLES, draw_field
from tests.fields.test_layouts import save
from tests.pages.test_local import BOXES, blank_form

VISIT = {"ward": Box(120, 300, 300, 80), "beds": Box(560, 300, 240, 80)}  # of another form


def other_form() -> Gray:
    form = np.full((900, 1100), 245, np.uint8)
    cv2.putText(form, "VISIT OF A HOSPITAL", (120, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 40, 3)
    for k, box in enumerate(VISIT.values()):
        cv2.putText(form, ("WARD NUMBER", "BEDS")[k], (box.left, box.top - 20), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 40, 2)
        cv2.rectangle(form, (box.left, box.top), (box.right - 1, box.bottom - 1), 50, 3)
    for k in range(5):
        text = f"{k + 1}. WALK THROUGH THE ROOMS {'ABCDE'[k]} AND COUNT"
        cv2.putText(form, text, (120, 500 + 70 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 40, 2)
    return form


def edition() -> Gray:
    """The first form with one field moved to the right."""
    form, box = blank_form(), BOXES["WEIGHT"]
    inner = Box(box.left - 6, box.top - 50, 380, 140)
    part = inner.cut(form).copy()
    inner.cut(form)[:] = 245
    Box(inner.left - 60, inner.top + 90, inner.width, inner.height).cut(form)[:] = part
    return form


def template(folder: Path, name: str, form: Gray, boxes: dict[str, Box]) -> None:
    folder.mkdir(exist_ok=True)
    save(form, folder / f"{name}.png")
    fields = [
        f'[[field]]\nname = "{field.lower()}"\nbox = [{box.left}, {box.top}, {box.width}, {box.height}]\ndigits = [1, 5]\n'
        for field, box in boxes.items()
    ]
    text = f'schema_version = 1\nname = "{name}"\n[page]\nreference = "{name}.png"\n{"".join(fields)}'
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def filled(form: Gray, box: Box, text: str) -> Gray:
    page = form.copy()
    written = draw_field(text, height=44)
    place = page[box.top + 2 : box.top + 2 + written.shape[0], box.left + 30 : box.left + 30 + written.shape[1]]
    np.minimum(place, written[: place.shape[0]], out=place)
    return page


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    folder = tmp_path / "forms"
    template(folder, "homes", blank_form(), BOXES)
    template(folder, "visits", other_form(), VISIT)
    return folder


def read(folder: Path, layout: str | list[str]) -> dict[str, dict[str, Row]]:
    rows: dict[str, dict[str, Row]] = {}
    for row in docproc.read(folder, layout=layout):
        rows.setdefault(f"{row.document}, {row.page}", {})[row.field] = row
    return rows


@pytest.mark.thorough
def test_each_page_goes_to_the_template_that_fits(tmp_path: Path, templates: Path) -> None:
    home, visit = filled(blank_form(), BOXES["AGE"], "47"), filled(other_form(), VISIT["beds"], "1302")
    save(home, tmp_path / "in" / "a.png")
    save(np.ascontiguousarray(np.rot90(visit)), tmp_path / "in" / "b.png")
    wide = np.full((1300, 2100), 245, np.uint8)
    wide[:900, :1100], wide[:, 1100:] = visit, home
    save(wide, tmp_path / "in" / "c.png")
    shutil.copy(SAMPLES / "checks" / "check_01.jpg", tmp_path / "in" / "d.jpg")
    rows = read(tmp_path / "in", str(templates))
    again = read(tmp_path / "in", [str(templates / "visits.toml"), str(templates / "homes.toml")])
    assert {key: {name: row.text for name, row in page.items()} for key, page in again.items()} == {
        key: {name: row.text for name, row in page.items()} for key, page in rows.items()
    }
    assert {key: {row.template for row in page.values()} for key, page in rows.items()} == {
        "a.png, 1": {"homes"}, "b.png, 1": {"visits"}, "c.png, 1": {"visits"}, "c.png, 2": {"homes"}, "d.jpg, 1": {""},
    }  # fmt: skip
    assert rows["a.png, 1"]["age"].text == rows["c.png, 2"]["age"].text == "47"
    assert rows["b.png, 1"]["beds"].text == rows["c.png, 1"]["beds"].text == "1302"
    (refused,) = rows["d.jpg, 1"].values()
    assert "the page fits none of the templates homes, visits" in refused.reason


@pytest.mark.thorough
def test_an_edition_is_told_from_another_by_the_field_that_moved(tmp_path: Path, templates: Path) -> None:
    moved = dict(BOXES)
    moved["WEIGHT"] = Box(BOXES["WEIGHT"].left - 60, BOXES["WEIGHT"].top + 90, *((BOXES["WEIGHT"].width, 80)))
    template(templates, "homes of this year", edition(), moved)
    save(filled(blank_form(), BOXES["WEIGHT"], "81"), tmp_path / "in" / "a.png")
    save(filled(edition(), moved["WEIGHT"], "82"), tmp_path / "in" / "b.png")
    rows = read(tmp_path / "in", str(templates))
    assert {key: page["weight"].template for key, page in rows.items()} == {
        "a.png, 1": "homes",
        "b.png, 1": "homes of this year",
    }
    assert {key: page["weight"].text for key, page in rows.items()} == {"a.png, 1": "81", "b.png, 1": "82"}


@pytest.mark.thorough
def test_a_page_that_fits_two_templates_alike_is_given_to_neither(tmp_path: Path, templates: Path) -> None:
    template(templates, "homes again", blank_form(), BOXES)
    save(filled(blank_form(), BOXES["AGE"], "47"), tmp_path / "in" / "a.png")
    ((row,),) = (page.values() for page in read(tmp_path / "in", str(templates)).values())
    assert row.status == "error"
    assert "fits several templates alike, homes again and homes; give --layout one of them" in row.reason


def test_pages_without_a_picture_of_their_form_go_by_their_shape(tmp_path: Path) -> None:
    for name, size in (("square", [500, 500]), ("tall", [400, 900])):
        text = f'schema_version = 1\nname = "{name}"\n[page]\nsize = {size}\n[[field]]\nname = "n"\nbox = [40, 40, 300, 80]\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    for name, shape in (("a", (1000, 1000)), ("b", (900, 400)), ("c", (400, 900))):
        save(np.full(shape, 245, np.uint8), tmp_path / "in" / f"{name}.png")
    rows = docproc.read(tmp_path / "in", layout=str(tmp_path))
    assert [(row.document, row.template, row.status) for row in rows] == [
        ("a.png", "square", "blank"), ("b.png", "tall", "blank"), ("c.png", "", "error"),
    ]  # fmt: skip
    assert "has the shape of none of the templates square, tall" in rows[2].reason


def test_the_column_stands_in_the_table_only_where_several_templates_were_given(tmp_path: Path) -> None:
    for name, size in (("square", [500, 500]), ("tall", [400, 900])):
        text = f'schema_version = 1\nname = "{name}"\n[page]\nsize = {size}\n[[field]]\nname = "n"\nbox = [40, 40, 300, 80]\n'
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    save(np.full((900, 400), 245, np.uint8), tmp_path / "in" / "b.png")
    one, both = (docproc.read(tmp_path / "in", layout=layout) for layout in (str(tmp_path / "tall.toml"), str(tmp_path)))
    assert tuple(one.to_pandas().columns) == COLUMNS
    assert tuple(both.to_pandas().columns) == (*COLUMNS, "template")
    docproc.run(
        tmp_path / "in", tmp_path / "t.csv", layout=(str(tmp_path / "square.toml"), str(tmp_path / "tall.toml")), jobs=1
    )
    assert (tmp_path / "t.csv").read_text().splitlines()[0].endswith("run,template")
    docproc.run(tmp_path / "in", tmp_path / "w.csv", layout=str(tmp_path), jobs=1, wide=True)
    assert (tmp_path / "w.csv").read_text().splitlines() == [
        "document,page,status,review,reason,template,n",
        "b.png,1,blank,,,tall,",
    ]


def test_what_cannot_be_told_apart_is_refused_at_once(tmp_path: Path) -> None:
    text = 'schema_version = 1\nname = "one"\n[page]\nsize = [500, 500]\n[[field]]\nname = "n"\nbox = [40, 40, 300, 80]\n'
    for name in ("a.toml", "b.toml", "docproc.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(BadUsage, match="two templates are called 'one'"):
        open_layout(str(tmp_path), ())
    with pytest.raises(BadUsage, match="--layout digits stands alone"):
        open_layout(("digits", str(tmp_path / "a.toml")), ())
    (tmp_path / "none").mkdir()
    with pytest.raises(BadUsage, match="no template"):
        open_layout(str(tmp_path / "none"), ())
    assert len(open_layout((str(tmp_path / "a.toml"), str(tmp_path / "a.toml")), ()).templates) == 1


# ------------------------------------------------------------------------------------------ a form of several pages


@pytest.fixture
def booklet(tmp_path: Path) -> Path:
    """A form of two pages, and the path of its template."""
    folder = tmp_path / "forms"
    folder.mkdir()
    for name, form in (("front", blank_form()), ("back", other_form())):
        save(form, folder / f"{name}.png")
    lines = ['schema_version = 1\nname = "booklet"\n[[page]]\nreference = "front.png"\n[[page]]\nreference = "back.png"\n']
    for number, boxes in ((1, {"AGE": BOXES["AGE"]}), (2, VISIT)):
        for name, box in boxes.items():
            place = [box.left, box.top, box.width, box.height]
            lines.append(f'[[field]]\nname = "{name.lower()}"\npage = {number}\nbox = {place}\ndigits = [1, 5]\n')
    (folder / "booklet.toml").write_text("".join(lines), encoding="utf-8")
    return folder / "booklet.toml"


def pile(path: Path, *pages: Gray) -> None:
    path.parent.mkdir(exist_ok=True)
    images = [Image.fromarray(page) for page in pages]
    images[0].save(path, save_all=True, append_images=images[1:], compression="tiff_lzw")


@pytest.mark.thorough
def test_a_form_of_two_pages(tmp_path: Path, booklet: Path) -> None:
    """Each page is known by its print; one that is missing, or there twice, or before its time, is told."""
    front, back = filled(blank_form(), BOXES["AGE"], "47"), filled(other_form(), VISIT["beds"], "1302")
    for name, pages in {
        "ab": (front, back),
        "ba": (back, front),
        "aba": (front, back, front),
        "abb": (front, back, back),
    }.items():
        pile(tmp_path / "in" / f"{name}.tif", *pages)
    save(front, tmp_path / "in" / "a.png")
    spread = np.full((1300, 2100), 245, np.uint8)
    spread[:, :1000], spread[:900, 1000:] = front, back
    pile(tmp_path / "in" / "spreads.tif", spread, spread)
    rows = read(tmp_path / "in", str(booklet))
    texts = {key: {name: row.text for name, row in page.items() if row.text} for key, page in rows.items()}
    for key in (
        "ab.tif, 1",
        "ba.tif, 2",
        "aba.tif, 1",
        "aba.tif, 3",
        "abb.tif, 1",
        "a.png, 1",
        "spreads.tif, 1",
        "spreads.tif, 2",
    ):
        assert texts[key] == {"age": "47"}
    for key in ("ab.tif, 2", "ba.tif, 1", "aba.tif, 2", "abb.tif, 2", "abb.tif, 3", "spreads.tif, 3", "spreads.tif, 4"):
        assert texts[key] == {"beds": "1302"}
    assert not any(row.template for page in rows.values() for row in page.values())

    def reasons(key: str) -> set[str]:
        return {row.reason for row in rows[key].values() if row.reason}

    assert not any(reasons(key) for key in ("ab.tif, 1", "ab.tif, 2", "a.png, 1", "aba.tif, 1", "aba.tif, 2"))
    assert reasons("ba.tif, 2") == {"pages are out of order: page 2 of the form comes before page 1"}
    assert reasons("aba.tif, 3") == {"page 2 of the form is missing"}
    assert {name for name, row in rows["aba.tif, 3"].items() if row.status == "review"} == {"ward", "beds"}
    assert reasons("abb.tif, 2") == reasons("abb.tif, 3") == {"page 2 of the form comes twice, on pages 2 and 3"}
    assert reasons("spreads.tif, 4") == {"form 2 on page 2"}


def test_commands_that_look_at_one_page_say_so(booklet: Path) -> None:
    from docproc.commands.template import lint_template

    with pytest.raises(BadUsage, match="describes 2 pages; this command looks at templates of one page"):
        lint_template(booklet, [booklet.parent / "front.png"], print)
