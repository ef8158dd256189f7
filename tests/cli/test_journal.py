"""What the journal of a run tells afterwards."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.program import docproc, table
from tests.conftest import draw_field

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a run over two good documents and a bad one, its inputs beside it."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "in").mkdir()
    for text in ("1407", "33"):
        Image.fromarray(draw_field(text)).save(folder / "in" / f"{text}.png")
    (folder / "in" / "bad.png").write_text("no picture")
    assert docproc("run", folder / "in", "-o", folder / "t.csv", "--layout", "amount").returncode == 1
    return folder / "t.csv"


def test_the_status_of_a_run(finished: Path) -> None:
    done = docproc("status", finished)
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout
    assert "3 of 3 documents read" in done.stdout
    assert done.stdout.splitlines()[3:6] == [
        "failed:", "  document  page  reason",
        "  bad.png   1     not_an_image: not a PNG, JPEG, TIFF, BMP, GIF, WebP or PDF file",
    ]  # fmt: skip
    told = json.loads(docproc("status", finished, "--json").stdout)
    assert (told["state"], told["documents"], told["failed"], told["fields"]) == ("finished", 3, 1, 2)
    missing = docproc("status", finished.with_name("none.csv"))
    assert missing.returncode == 5
    assert "there is no journal" in missing.stderr


def test_status_lists_what_waits_for_review(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(22):
        Image.fromarray(draw_field(f"{1400 + number}")).save(tmp_path / "in" / f"{number:02}.png")
    done = docproc("run", tmp_path / "in", "-o", tmp_path / "t.csv", "--layout", "digits", "--max-error", "0%")
    assert done.returncode == 0, done.stderr
    assert f"to list the fields for review: docproc status {tmp_path / 't.csv'}" in done.stderr
    rows = table(tmp_path / "t.csv")
    assert {row["status"] for row in rows} == {"review"}
    told = docproc("status", tmp_path / "t.csv").stdout.splitlines()
    start = told.index("for review:") + 1
    assert told[start].split() == ["document", "page", "field", "text", "reason"]
    assert told[start + 21 :] == ["  ... and 2 more; --all lists them"]
    for line, row in zip(told[start + 1 : start + 21], rows, strict=False):
        assert line.split(maxsplit=4) == [row["document"], "1", "digits", row["text"], row["reason"]]
    told = docproc("status", tmp_path / "t.csv", "--all").stdout.splitlines()
    assert told[-1].split()[0] == "21.png"
    waiting = json.loads(docproc("status", tmp_path / "t.csv", "--json").stdout)["review"]
    assert [(one["document"], one["text"]) for one in waiting] == [(row["document"], row["text"]) for row in rows]
    assert {"page", "field", "value", "confidence", "reason"} <= waiting[0].keys()


def test_the_table_again_in_every_format(finished: Path, tmp_path: Path) -> None:
    for name in ("again.csv", "again.jsonl", "again.xlsx", "again.parquet"):
        done = docproc("table", finished, "-o", tmp_path / name)
        assert done.returncode == 0, done.stderr
        assert docproc("table", finished, "-o", tmp_path / name).returncode == 6
    assert (tmp_path / "again.csv").read_bytes() == finished.read_bytes()
    assert docproc("table", finished, "-o", tmp_path / "wide.csv", "--wide").returncode == 0
    assert [r["amount"] for r in table(tmp_path / "wide.csv")] == ["1407", "33", ""]


def test_the_table_again_on_stdout(finished: Path) -> None:
    done = docproc("table", finished, "-o", "-")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == finished.read_bytes().decode().replace("\r\n", "\n")
    done = docproc("table", finished, "-o", "-", "--wide", cwd=finished.parent)
    assert done.stdout.startswith("document,page,status,review,reason,amount\n1407.png,1,")
    assert not (finished.parent / "-").exists()


def test_the_table_on_stdout_names_pictures_from_where_the_command_is_given(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Image.fromarray(draw_field("33")).save(tmp_path / "33.png")
    run = ["run", "33.png", "-o", "out/t.csv", "--layout", "amount", "--crops", "crops", "--crops-of", "all"]
    assert docproc(*run, cwd=tmp_path).returncode == 0
    told = docproc("table", "out/t.csv", "-o", "-", cwd=tmp_path).stdout
    assert next(csv.DictReader(told.splitlines()))["crop"] == "crops/33.png-1-amount.png"


def test_a_table_made_again_is_told_to_lack_what_a_person_changed(finished: Path, tmp_path: Path) -> None:
    for path in (finished, finished.with_name("t.csv.docproc")):
        shutil.copy(path, tmp_path)
    own, again = tmp_path / "t.csv", tmp_path / "again.csv"
    own.write_bytes(own.read_bytes().replace(b",1407,", b",1408,", 1))
    done = docproc("table", own, "-o", again, "--wide")
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        f"table: {again}", f"the new table does not have what was changed in {own} since docproc wrote it (1 cell)"
    ]  # fmt: skip
    assert [r["amount"] for r in table(again)] == ["1407", "33", ""]


def test_what_was_changed_afterwards_is_found(finished: Path, tmp_path: Path) -> None:
    for path in (finished, finished.with_name("t.csv.docproc")):
        shutil.copy(path, tmp_path)
    done = docproc("verify", tmp_path / "t.csv")
    assert done.returncode == 0, done.stdout
    data = (tmp_path / "t.csv").read_bytes()
    (tmp_path / "t.csv").write_bytes(data.replace(b",1407,", b",1408,", 1))
    original = (finished.parent / "in" / "33.png").read_bytes()
    try:
        (finished.parent / "in" / "33.png").write_bytes(original + b" ")
        done = docproc("verify", tmp_path / "t.csv")
    finally:
        (finished.parent / "in" / "33.png").write_bytes(original)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "33.png: changed since it was read",
        f"{tmp_path / 't.csv'}: line 2 was changed: 1407.png, amount: text 1407 is now 1408",
    ]
