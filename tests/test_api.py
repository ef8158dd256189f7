from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import docproc
from docproc.errors import BadInput, BadUsage, MissingPart, OutputExists
from docproc.weights.cards import model_folder
from tests.conftest import WriteField


@pytest.fixture
def folder(tmp_path: Path, write_field: WriteField) -> Path:
    (tmp_path / "in").mkdir()
    Image.fromarray(write_field("0042")).save(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"")
    return tmp_path / "in"


def test_read_a_folder(folder: Path) -> None:
    results = docproc.read(folder, layout="digits")
    assert len(results) == 2
    assert (results[0].document, results[0].text) == ("a.png", "0042")
    assert results[1].status == "error"


def test_results_convert_to_pandas(folder: Path) -> None:
    pytest.importorskip("pandas")
    frame = docproc.read(folder, layout="digits").to_pandas()
    assert list(frame.text) == ["0042", ""]
    assert list(frame.columns)[:4] == ["document", "page", "field", "text"]


def test_run_writes_a_table(folder: Path, tmp_path: Path) -> None:
    summary = docproc.run(folder, tmp_path / "t.csv", layout="digits", jobs=1)
    assert (summary.documents, summary.failed, summary.fields) == (2, 1, 1)
    assert (tmp_path / "t.csv").exists()
    with pytest.raises(OutputExists):
        docproc.run(folder, tmp_path / "t.csv")


def test_a_run_takes_paths_as_text_and_an_error_in_percent(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(model_folder(), tmp_path / "own")
    summary = docproc.run(
        str(folder), str(tmp_path / "t.csv"), layout="digits", jobs=1, model=str(tmp_path / "own" / "digits.onnx"),
        crops=str(tmp_path / "crops"), max_error="1%", as_of="2026-11-21", date_window="1y", limits={"pages": 7},
    )  # fmt: skip
    assert (summary.documents, summary.failed) == (2, 1)
    assert [path.name for path in (tmp_path / "crops").iterdir()] == ["a.png-1-digits.png"]
    assert docproc.read(str(folder / "a.png"), "digits", max_error="1%", as_of="2026-11-21")[0].text == "0042"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"max_error": "one"}, "'one' is not a share; use 1% or 0.01"),
        ({"max_error": 5}, "5 is not between 0% and 100%"),
        ({"date_window": "half a year"}, "write 180d, 6m or 1y"),
        ({"as_of": "monday"}, "'monday' is not a date; use YYYY-MM-DD"),
        ({"date_order": "DYM"}, "date_order 'DYM': choose one of DMY"),
        ({"jobs": -1}, "jobs -1: give 0"),
        ({"limits": {"page": 1}}, "unknown limit 'page'"),
        ({"limits": {"pages": 0}}, "pages=0 should be above zero"),
        ({"backend": "fast"}, "no backend named 'fast'"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_before_the_work(
    folder: Path, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(BadUsage, match=re.escape(told)):
        docproc.run(folder, tmp_path / "t.csv", "digits", **options)
    assert not (tmp_path / "t.csv").exists()


def test_a_model_that_is_not_there_is_told_before_the_work(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match=r"x\.json: No such file"):
        docproc.run(folder, tmp_path / "t.csv", "digits", model="x.onnx")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        docproc.read(tmp_path / "nowhere")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'write'"):
        docproc.write  # noqa: B018
