from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from docproc.weights.cards import model_hashes
from docproc.weights.thresholds import thresholds_file
from tests.cli.program import docproc, table
from tests.conftest import SAMPLES, draw_field

pytestmark = pytest.mark.thorough


def test_explain_draws_a_field_and_a_page(tmp_path: Path, amounts: Path) -> None:
    done = docproc("explain", amounts / "1407.png", "--layout", "amount", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("amount: 1407")
    with Image.open(tmp_path / "1407.explain.png") as sheet:
        assert sheet.width > 800
        assert sheet.height > 500
    target = tmp_path / "page.png"
    assert docproc("explain", SAMPLES / "survey" / "batch.tif", "--page", 2, "-o", target).returncode == 0
    assert docproc("explain", SAMPLES / "survey" / "batch.tif", "--page", 2, "-o", target).returncode == 6
    assert docproc("explain", SAMPLES / "survey" / "batch.tif", "--page", 9, "-o", tmp_path / "x.png").returncode == 5
    done = docproc("explain", SAMPLES / "survey" / "form_1.jpg", "--field", "ages", "-o", tmp_path / "x.png")
    assert done.returncode == 2
    assert "household_id" in done.stderr


def test_explain_of_one_field_says_what_the_table_says(tmp_path: Path) -> None:
    """Also of a part of an E-13B line; nothing is said of other fields, and a field that is not there is told."""
    check, out = SAMPLES / "bank_checks" / "check_2.jpg", tmp_path / "x.png"

    def explain(field: str) -> tuple[int, str, str]:
        done = docproc("explain", check, "--layout", "check", "--field", field, "-o", out, "--overwrite")
        return done.returncode, done.stdout, done.stderr

    assert docproc("run", check, "-o", tmp_path / "t.csv", "--layout", "check").returncode == 0
    rows = {row["field"]: row for row in table(tmp_path / "t.csv")}
    for field, others in (("date", ()), ("routing", ()), ("micr", ("routing", "account", "check_number"))):
        code, told, error = explain(field)
        assert code == 0, error
        lines = told.splitlines()
        assert [line.partition(":")[0] for line in lines] == [field, *others]
        for line in lines:
            row = rows[line.partition(":")[0]]
            assert row["text"] in line
            assert row["changed_by"] in line
            assert row["value"] in line
            assert "was found on this page" not in line
    code, _, error = explain("rooting")
    assert code == 2
    assert error == f"docproc: no field 'rooting' on this page; there are {', '.join(rows)}\n"


def test_a_folder_is_no_picture_to_explain(tmp_path: Path, amounts: Path) -> None:
    done = docproc("explain", amounts, "-o", tmp_path / "x.png")
    assert done.returncode == 2
    assert "is a folder" in done.stderr


def test_explain_says_how_many_fields_it_does_not_draw(tmp_path: Path) -> None:
    fields = "".join(f'[[field]]\nname = "f{k}"\nbox = [{10 + 40 * k}, 10, 36, 80]\n' for k in range(14))
    (tmp_path / "form.toml").write_text('schema_version = 1\nname = "a"\n[page]\nsize = [600, 100]\n' + fields)
    Image.new("L", (600, 100), 240).save(tmp_path / "page.png")
    done = docproc("explain", "page.png", "--layout", "form.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 more fields on the page" in done.stderr
    done = docproc("explain", "page.png", "--layout", "form.toml", "--field", "f13", "--overwrite", cwd=tmp_path)
    assert done.stdout == "f13: blank\n"


def test_explain_accepts_by_the_thresholds_of_a_run(tmp_path: Path, amounts: Path) -> None:
    image, own = amounts / "1407.png", tmp_path / "own.json"
    read = ["--layout", "amount", "--thresholds", own]

    def threshold(confidence: float, models: dict[str, str]) -> None:
        group = {"fields": ["amount"], "truth": 900, "thresholds": [{"max_error": 0.01, "confidence": confidence}]}
        own.write_text(thresholds_file(models, 0.95, [group]))

    for confidence, wanted in ((0.1, "ok"), (1.01, "review")):
        threshold(confidence, model_hashes())
        assert docproc("run", image, "-o", tmp_path / "t.csv", "--overwrite", *read).returncode == 0
        assert table(tmp_path / "t.csv")[0]["status"] == wanted
        done = docproc("explain", image, "-o", tmp_path / "e.png", "--overwrite", *read)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(rf"amount: 1407  [0-9.]+%  {wanted}(: confidence [0-9.]+, .* at [0-9]+ %)?\n", done.stdout)
    done = docproc("explain", image, "-o", tmp_path / "e.png", "--overwrite", *read, "--max-error", "0.1%")
    assert done.returncode == 2
    assert "cannot promise an error of 0.1%" in done.stderr
    threshold(0.1, model_hashes() | {"lines": "0" * 64})
    assert docproc("explain", image, "-o", tmp_path / "f.png", *read).returncode == 3
    assert not (tmp_path / "f.png").exists()


def test_a_blank_field_is_explained_too(tmp_path: Path) -> None:
    Image.new("L", (200, 60), 240).save(tmp_path / "blank.png")
    done = docproc("explain", tmp_path / "blank.png", "--layout", "digits", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "digits: blank\n"
    assert (tmp_path / "blank.explain.png").exists()


def test_explain_asks_what_a_run_asks_by_the_same_settings(tmp_path: Path) -> None:
    """A date that a run sends to review for its age is not shown as accepted, and a limit of the project holds."""
    text = 'schema_version = 1\nname = "a"\n[page]\nsize = [700, 200]\n'
    text += '[[field]]\nname = "day"\nbox = [10, 10, 680, 180]\nkind = "date"\norder = "DMY"\n'
    (tmp_path / "form.toml").write_text(text)
    page = Image.new("L", (700, 200), 240)
    page.paste(Image.fromarray(draw_field("20/11/2019", height=60)), (20, 30))
    page.save(tmp_path / "page.png")
    (tmp_path / "docproc.toml").write_text('layout = "form.toml"\ndate_window = "1y"\nas_of = 2026-11-21\nmax_error = "100%"\n')
    done = docproc("explain", "page.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert docproc("run", "page.png", "-o", tmp_path / "t.csv", cwd=tmp_path).returncode == 0
    (row,) = table(tmp_path / "t.csv")
    assert row["status"] == "review"
    assert "stale" in row["reason"]
    assert row["reason"] in done.stdout
    (tmp_path / "docproc.toml").write_text('limit = ["pixels=100"]\n')
    done = docproc("explain", "page.png", "--overwrite", cwd=tmp_path)
    assert (done.returncode, "too_large" in done.stderr or "pixels" in done.stderr) == (5, True), done.stderr
