from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import docproc
from docproc.errors import BadInput, OutputExists
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


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        docproc.read(tmp_path / "nowhere")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'write'"):
        docproc.write  # noqa: B018
