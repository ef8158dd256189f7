"""A form is described, drawn and held against scans."""

from __future__ import annotations

import csv
import importlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from docproc.fields.boxes import find_boxes, find_frames
from docproc.forms import open_layout
from docproc.types import Box, Field, Page, PageId
from tests.conftest import PROJECT, SAMPLES
from tests.fields.test_tables import HEADS, NAMES, daily_counts, printed, ruled

pytestmark = pytest.mark.thorough

SURVEY = SAMPLES / "survey"
drawing = importlib.import_module("scripts.build_samples")


def docproc(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "docproc", "template", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
        timeout=120,
        check=False,
    )


def fields_of(path: Path) -> tuple[Field, ...]:
    (known,) = open_layout(str(path), ()).templates
    assert known is not None
    return known.fields


def off(one: Box, other: Box) -> int:
    """The farthest that two boxes' edges lie apart, in px."""
    pairs = ((one.left, other.left), (one.top, other.top), (one.right, other.right), (one.bottom, other.bottom))
    return max(abs(a - b) for a, b in pairs)


@pytest.fixture
def meter(tmp_path: Path) -> Path:
    """The blank meter card; two of its combs are divided by ticks."""
    page = np.full(drawing.FORM[::-1], 255, np.float32)
    drawing.print_form(page, "Meter Card", [slot for slot, _ in drawing.METER])
    Image.fromarray(page.astype(np.uint8)).save(tmp_path / "meter.png")
    return tmp_path / "meter.png"


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """The survey's folder with two of its scans, to be spoiled."""
    folder = tmp_path / "survey"
    folder.mkdir()
    for name in ("template.toml", "blank.png", "form_1.jpg", "form_3.png"):
        shutil.copy(SURVEY / name, folder)
    return folder


def spoil(folder: Path, old: str, new: str) -> None:
    path = folder / "template.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# ------------------------------------------------------------------------------------------------------- init


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("init", SURVEY), f"{SURVEY} is a folder; give one document"),
        (("preview", SURVEY / "template.toml", SURVEY), f"{SURVEY} is a folder; give one document"),
        (("preview", SURVEY), f"{SURVEY} is a folder; give the template itself, for example {SURVEY / 'template.toml'}"),
    ],
)
def test_a_folder_is_called_a_folder(arguments: tuple[object, ...], told: str, tmp_path: Path) -> None:
    done = docproc(*arguments, cwd=tmp_path)
    assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_field_of_a_blank_form_is_proposed(tmp_path: Path) -> None:
    shutil.copy(SURVEY / "blank.png", tmp_path)
    done = docproc("init", "blank.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 combs and 2 boxes" in done.stderr
    assert "docproc template lint template.toml --on" in done.stderr
    found, expected = fields_of(tmp_path / "template.toml"), fields_of(SURVEY / "template.toml")
    assert [one.name for one in found] == [f"field_{k}" for k in range(1, 9)]
    assert [(one.kind, one.cells) for one in found] == [(one.kind, one.cells) for one in expected]
    assert max(off(one.box, other.box) for one, other in zip(found, expected, strict=True)) <= 3
    assert 'reference = "blank.png"' in (tmp_path / "template.toml").read_text()
    assert docproc("init", "blank.png", cwd=tmp_path).returncode == 6
    assert docproc("init", "blank.png", "--overwrite", "--name", 'a "form"', cwd=tmp_path).returncode == 0
    assert 'name = "a \\"form\\""' in (tmp_path / "template.toml").read_text()


def test_a_comb_may_be_divided_by_ticks_alone(meter: Path) -> None:
    target = meter.with_suffix(".toml")
    assert docproc("init", meter, "-o", target).returncode == 0
    found = fields_of(target)
    assert [one.cells for one in found] == [10, 0, 0, 8, 3]
    for one, (slot, _) in zip(found, drawing.METER, strict=True):
        expected = Box(*drawing.printed_frame(slot))
        if slot.kind == "comb":
            assert off(one.box, expected) <= 3
        else:  # how much room there is above a line is for each to say
            assert max(abs(one.box.left - expected.left), abs(one.box.right - expected.right)) <= 3
            assert abs(one.box.bottom - expected.bottom) <= 3
    lint = docproc("lint", target, "--on", SAMPLES / "meters")
    assert lint.returncode == 0, lint.stdout


def test_frames_hold_free_numbers_and_text_does_not() -> None:
    gray = np.full((1100, 1700), 250, np.uint8)
    cv2.rectangle(gray, (100, 100), (500, 160), 60, 2)  # a number
    cv2.rectangle(gray, (600, 100), (1000, 160), 60, 2)  # a heading
    cv2.putText(gray, "FOR OFFICE USE", (610, 145), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 60, 3)
    cv2.rectangle(gray, (100, 300), (125, 325), 60, 2)  # to be ticked
    cv2.rectangle(gray, (50, 400), (1600, 1000), 60, 2)  # a section
    for k in range(7):
        cv2.rectangle(gray, (100 + 70 * k, 500), (150 + 70 * k, 560), 60, 2)  # boxes apart
    found = find_frames(Page(PageId("a"), gray))
    assert [(one.kind, one.cells) for one in found] == [("string", 0), ("comb", 7)]
    assert off(found[0].box, Box(99, 99, 403, 63)) <= 2
    assert off(found[1].box, Box(99, 499, 473, 63)) <= 2


def test_a_document_without_a_picture_gives_its_size(meter: Path) -> None:
    with Image.open(meter) as image:
        image.save(meter.with_suffix(".pdf"), resolution=300)
    done = docproc("init", meter.with_suffix(".pdf"), "-o", meter.with_suffix(".toml"))
    assert done.returncode == 0, done.stderr
    assert "as they lie" in done.stderr
    assert re.search(r"^size = \[180\d, 1200\]", meter.with_suffix(".toml").read_text(), re.M)
    assert len(fields_of(meter.with_suffix(".toml"))) == 5


def test_a_white_page_has_nothing_to_propose(tmp_path: Path) -> None:
    Image.new("L", (900, 600), 255).save(tmp_path / "white.png")
    done = docproc("init", tmp_path / "white.png", "-o", tmp_path / "t.toml")
    assert done.returncode == 5
    assert "no combs, frames or lines" in done.stderr
    assert not (tmp_path / "t.toml").exists()
    assert docproc("init", tmp_path / "none.png", "-o", tmp_path / "t.toml").returncode == 5


def test_names_and_boxes_may_come_from_a_table(tmp_path: Path) -> None:
    shutil.copy(SURVEY / "blank.png", tmp_path)
    rows = [
        ("blank.png", 1, "household", 158, 278, 745, 101), ("blank.png", 1, "earnings", 160, 790, 600, 110),
        ("blank.png", 2, "other", 1, 1, 50, 50), ("form.png", 1, "another", 1, 1, 50, 50),
    ]  # fmt: skip
    with open(tmp_path / "auto.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("document", "page", "field", "left", "top", "width", "height"))
        writer.writerows(rows)
    done = docproc("init", "blank.png", "--from", "auto.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "6 more frames" in done.stderr
    found = fields_of(tmp_path / "template.toml")
    assert [(one.name, one.kind, one.cells) for one in found] == [("household", "comb", 8), ("earnings", "string", 0)]
    assert found[0].box == Box(158, 278, 745, 101)
    shutil.copy(SURVEY / "blank.png", tmp_path / "strange.png")
    done = docproc("init", "strange.png", "--from", "auto.csv", "-o", "u.toml", cwd=tmp_path)
    assert done.returncode == 2
    assert "strange.png" in done.stderr


def test_the_cells_of_a_table_are_proposed_and_fit_beside_each_other(tmp_path: Path) -> None:
    Image.fromarray(printed(ruled(4, 4), HEADS)).save(tmp_path / "blank.png")
    Image.fromarray(daily_counts()).save(tmp_path / "monday.png")
    done = docproc("init", "blank.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [one.name for one in fields_of(tmp_path / "template.toml")] == list(NAMES)
    lint = docproc("lint", "template.toml", "--on", "monday.png", cwd=tmp_path)
    assert lint.returncode == 0, lint.stdout


def test_squared_paper_does_not_take_minutes() -> None:
    gray = np.full((2200, 1700), 245, np.uint8)
    gray[50:2150:20, 50:1650] = 90
    gray[50:2150, 50:1650:20] = 90
    page = Page(PageId("a"), gray)
    began = time.process_time()
    assert find_frames(page) == ()
    assert len(find_boxes(page)) > 50
    assert time.process_time() - began < 60


# ---------------------------------------------------------------------------------------------------- preview


def test_a_preview_is_drawn_on_the_scan(tmp_path: Path) -> None:
    target = tmp_path / "p.png"
    done = docproc("preview", SURVEY / "template.toml", SURVEY / "batch.tif", "--page", 2, "-o", target)
    assert done.returncode == 0, done.stderr
    assert re.search(r"off by \d\.\d\d px on average, matched by its \w+, upright", done.stderr)
    with Image.open(target) as picture, Image.open(SURVEY / "batch.tif") as scan:
        scan.seek(1)
        band = picture.height - scan.height
        assert picture.width == scan.width
        assert 20 < band < 100
        drawn = np.asarray(picture.convert("RGB"), np.int16)[band:]
        plain = np.asarray(scan.convert("RGB"), np.int16)
    changed = np.abs(drawn - plain).max(axis=2) > 10
    boxes = np.zeros(changed.shape, np.bool_)
    for field in fields_of(SURVEY / "template.toml"):
        assert field.box.cut(changed).mean() > 0.8
        Box(field.box.left - 20, field.box.top - 20, field.box.width + 160, field.box.height + 80).cut(boxes)[:] = True
    assert not changed[~boxes].any()
    # Naming and looking take turns: an earlier preview is replaced, and nothing else is.
    assert docproc("preview", SURVEY / "template.toml", "-o", target).returncode == 0
    shutil.copy(SURVEY / "blank.png", target)
    assert docproc("preview", SURVEY / "template.toml", "-o", target).returncode == 6
    assert docproc("preview", SURVEY / "template.toml", "-o", target, "--overwrite").returncode == 0
    assert (
        docproc("preview", SURVEY / "template.toml", SURVEY / "batch.tif", "--page", 9, "-o", tmp_path / "q.png").returncode
        == 5
    )


def test_a_preview_of_the_form_itself_and_of_a_scan_that_does_not_fit(tmp_path: Path, survey: Path) -> None:
    done = docproc("preview", SURVEY / "template.toml", "-o", tmp_path / "p.png")
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.width == 1800
    done = docproc("preview", SAMPLES / "meters" / "template.toml", SAMPLES / "meters" / "card_3.png", "-o", tmp_path / "m.png")
    assert "taken as it lies" in done.stderr
    done = docproc("preview", SURVEY / "template.toml", SAMPLES / "meters" / "card_3.png", "-o", tmp_path / "n.png")
    assert done.returncode == 5
    assert "another form" in done.stderr
    assert docproc("preview", survey / "none.toml", "-o", tmp_path / "n.png").returncode == 2
    spoil(survey, 'kind = "comb"', 'kind = "combs"')
    # The faults of the template come before those of the picture's name.
    assert docproc("preview", survey / "template.toml", "-o", survey / "blank.png").returncode == 3


# ------------------------------------------------------------------------------------------------------- lint


@pytest.mark.parametrize("form", ["survey", "meters", "checks"])
def test_nothing_is_wrong_with_the_samples(form: str) -> None:
    done = docproc("lint", SAMPLES / form / "template.toml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"the template.*, \d fields: nothing is wrong; --on SCANS also .*\n", done.stdout)
    done = docproc("lint", SAMPLES / form / "template.toml", "--on", SAMPLES / form)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].endswith("nothing is wrong")
    assert all(": fits, " in line for line in lines[:-1])


def test_a_box_aside_a_wrong_count_and_an_overlap_are_found(survey: Path) -> None:
    spoil(survey, "box = [162, 532, 196, 92]", "box = [177, 532, 196, 92]")
    spoil(survey, "digits = 4", "digits = 5")
    spoil(survey, "box = [982, 792, 236, 106]", "box = [740, 792, 478, 106]")
    done = docproc("lint", survey / "template.toml", "--on", survey)
    assert done.returncode == 1, done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) == 6
    assert re.fullmatch(r"field men: lies 1[45] px right of its printed frame; the frame is \[162, 532, 19\d, 9\d\]", lines[3])
    assert "field interviewer: 5 cells in the template, 4 are printed" in lines
    assert "field income: overlaps field rooms by 18 x 106 px" in lines
    assert lines[-1] == "2 pages of this form, 8 fields: 3 things are wrong"


def test_a_template_is_checked_alone(survey: Path) -> None:
    """Against the picture of its form: nobody has scans yet when the template is made."""
    spoil(survey, "box = [162, 532, 196, 92]", "box = [177, 532, 196, 92]")
    spoil(survey, "digits = 4", "digits = 5")
    done = docproc("lint", survey / "template.toml")
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "field interviewer: 5 cells in the template, 4 are printed"
    assert lines[1].startswith("field men: lies 1")
    assert lines[2].startswith("the template and its form's picture, 8 fields: 2 things are wrong; ")
    spoil(survey, "digits = 5", "digit = 5")
    assert docproc("lint", survey / "template.toml").returncode == 3


@pytest.mark.parametrize("kind", ['kind = "comb"\ndigits = 8', 'kind = "date"\norder = "DDMMYYYY"\ncells = 8'])
@pytest.mark.parametrize("box", ["[1400, 1100, 300, 60]", "[162, 420, 736, 92]"], ids=["paper", "labels"])
def test_a_comb_where_nothing_is_printed_is_found(survey: Path, kind: str, box: str) -> None:
    """It would be blank on every scan, and nobody would look."""
    with (survey / "template.toml").open("a") as file:
        file.write(f'\n[[field]]\nname = "born"\nbox = {box}\n{kind}\n')
    for scans in ([], ["--on", survey / "form_1.jpg"]):
        done = docproc("lint", survey / "template.toml", *scans)
        assert done.returncode == 1, done.stderr
        assert "field born: a comb of 8 cells, and nothing is printed there on blank.png" in done.stdout


def test_a_comb_on_a_line_to_write_on_is_found(survey: Path) -> None:
    with Image.open(survey / "blank.png") as form:
        lined = form.convert("L")
    ImageDraw.Draw(lined).line((1000, 1100, 1400, 1100), fill=0, width=3)
    lined.save(survey / "blank.png")
    with (survey / "template.toml").open("a") as file:
        file.write('\n[[field]]\nname = "born"\nbox = [1000, 1030, 400, 74]\nkind = "comb"\ndigits = 8\n')
    done = docproc("lint", survey / "template.toml")
    assert "field born: a comb of 8 cells, and only a line is printed there on blank.png" in done.stdout, done.stdout


def test_a_template_of_several_pages_is_checked_alone(survey: Path) -> None:
    shutil.copy(survey / "blank.png", survey / "second.png")
    text = (survey / "template.toml").read_text()
    text = text.replace("[page]", "[[page]]").replace("[[field]]", '[[page]]\nreference = "second.png"\n\n[[field]]', 1)
    text += '\n[[field]]\nname = "born"\nbox = [1400, 1100, 300, 60]\nkind = "comb"\ndigits = 8\npage = 2\n'
    (survey / "template.toml").write_text(text)
    done = docproc("lint", survey / "template.toml")
    assert done.returncode == 1, done.stderr
    assert "field born: a comb of 8 cells" in done.stdout
    assert "the pictures of its form, 9 fields: 1 thing is wrong" in done.stdout


def test_a_box_that_lies_aside_is_found_without_a_picture_of_the_blank_form(survey: Path) -> None:
    shutil.copy(SURVEY / "form_2.jpg", survey / "known.jpg")
    spoil(survey, 'reference = "blank.png"', 'reference = "known.jpg"\nfilled = true')
    spoil(survey, "box = [1392, 532, 196, 92]", "box = [1392, 546, 196, 92]")
    done = docproc("lint", survey / "template.toml", "--on", survey / "form_1.jpg", survey / "form_3.png")
    assert done.returncode == 1, done.stdout
    assert [line for line in done.stdout.splitlines() if line.startswith("field persons: lies 1")]


@pytest.mark.parametrize(
    ("name", "stroke", "side"),
    [
        ("income", ((400, 830), (380, 940)), "lower"),
        ("household_id", ((300, 340), (330, 230)), "upper"),
        ("rooms", ((1180, 850), (1290, 840)), "right"),
    ],
)
def test_writing_that_is_cut_off_is_found(
    survey: Path, name: str, stroke: tuple[tuple[int, int], tuple[int, int]], side: str
) -> None:
    with Image.open(survey / "form_3.png") as scan:
        spoiled = scan.convert("L")
    ImageDraw.Draw(spoiled).line(stroke, fill=50, width=8)
    spoiled.save(survey / "form_3.png")
    done = docproc("lint", survey / "template.toml", "--on", survey)
    assert done.returncode == 1, done.stdout
    told = [line for line in done.stdout.splitlines() if line.startswith("field")]
    assert len(told) == 1, told
    assert re.fullmatch(rf"field {name}: writing goes on \d+ px or more beyond its {side} edge on form_3.png", told[0])


def test_a_scan_of_another_form_and_a_broken_file_are_told(survey: Path) -> None:
    shutil.copy(SAMPLES / "meters" / "card_1.jpg", survey)
    (survey / "bad.png").write_text("no picture")
    done = docproc("lint", survey / "template.toml", "--on", survey)
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("bad.png: does not fit: ")
    assert lines[1].startswith("card_1.jpg: does not fit: ")
    assert lines[-1] == "2 pages of this form, 8 fields: 2 things are wrong"


def test_faults_of_the_template_itself_are_all_told(survey: Path) -> None:
    spoil(survey, "digits = 4", "digit = 4")
    spoil(survey, 'kind = "string"', 'kind = "text"')
    done = docproc("lint", survey / "template.toml", "--on", survey)
    assert done.returncode == 3
    assert "3 faults" in done.stderr  # and a comb without a number of cells
    spoil(survey, "digit = 4", "digits = 4")
    spoil(survey, 'kind = "text"', 'kind = "string"')
    assert docproc("lint", survey / "template.toml", "--on", survey / "blank.png").returncode == 5
