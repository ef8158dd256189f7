"""What `import docproc` gives: one door for all kinds of documents, plain types as options, clear errors."""

from __future__ import annotations

import io
import pydoc
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import docproc
from docproc.errors import BadInput, BadUsage, MissingPart, OutputExists
from docproc.weights import opening
from docproc.weights.cards import model_folder
from tests.conftest import WriteField, draw_comb


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
        crops=str(tmp_path / "crops"), crops_of="all", max_error="1%", as_of="2026-11-21", date_window="1y",
        limits={"pages": 7},
    )  # fmt: skip
    assert (summary.documents, summary.failed) == (2, 1)
    assert [path.name for path in (tmp_path / "crops").glob("*.png")] == ["a.png-1-digits.png"]
    assert docproc.read(str(folder / "a.png"), "digits", max_error="1%", as_of="2026-11-21")[0].text == "0042"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"crops_of": "none"}, "crops_of 'none': choose one of review, all"),
        ({"max_error": "one"}, "'one' is not a share; use 1% or 0.01"),
        ({"max_error": 5}, "5 is not between 0% and 100%"),
        ({"date_window": "half a year"}, "use 180d, 6m or 1y"),
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
    with pytest.raises(MissingPart, match=r"no such model: x.onnx"):
        docproc.run(folder, tmp_path / "t.csv", "digits", model="x.onnx")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        docproc.read(tmp_path / "nowhere")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'write'"):
        docproc.write  # noqa: B018


# ------------------------------------------------------------------------------------------- all kinds of documents


@pytest.fixture(scope="module")
def reader() -> Iterator[docproc.Reader]:
    with docproc.Reader(layout="digits", backend="onnx") as opened:
        yield opened


def unnamed(results: docproc.Results) -> list[docproc.Row]:
    return [replace(row, document="") for row in results]


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("color", [False, True])
def test_a_picture_gives_the_same_rows_however_it_is_handed_over(
    tmp_path: Path, write_field: WriteField, reader: docproc.Reader, ending: str, color: bool
) -> None:
    gray = write_field("4071")
    stored: Any = gray
    if color:
        stored = np.stack([gray, gray // 2 + 100, np.maximum(gray, 40)], axis=2)  # red, green, blue
    path = tmp_path / f"scan{ending}"
    Image.fromarray(stored).save(path)
    data = path.read_bytes()
    array: Any = stored[:, :, ::-1] if color else stored
    with open(path, "rb") as file:
        sources: list[docproc.Source] = [
            str(path), path, data, bytearray(data), memoryview(data), file, io.BytesIO(data), array, Image.fromarray(stored),
            Image.open(path),
        ]  # fmt: skip
        together = reader.read(sources)
    assert len(together) == len(sources)
    assert len({row.document for row in together}) > 1
    (first,) = unnamed(reader.read(path))
    assert (first.text, len(first.digits)) == ("4071", 4)
    assert unnamed(together) == [first] * len(sources)
    for source in (str(path), data, io.BytesIO(data), array, Image.fromarray(stored)):
        assert unnamed(reader.read(source)) == [first]


def test_a_color_jpeg_that_pillow_only_opened_gives_the_same_rows_as_its_file(
    write_field: WriteField, reader: docproc.Reader
) -> None:
    gray = write_field("2407")
    data = io.BytesIO()
    Image.fromarray(np.stack([gray // 2 + 90, gray, np.maximum(gray, 40)], axis=2)).save(data, "JPEG", quality=40)
    image = Image.open(data)
    assert unnamed(reader.read(image)) == unnamed(reader.read(data.getvalue()))
    image.load()  # and may still be used
    (row,) = reader.read(image)
    assert row.text == "2407"
    cut = Image.open(io.BytesIO(data.getvalue()[:-900]))
    assert unnamed(reader.read(cut)) == unnamed(reader.read(data.getvalue()[:-900]))


@pytest.mark.thorough
def test_read_gives_what_a_run_writes(folder: Path, tmp_path: Path) -> None:
    rows = list[docproc.Row]()
    docproc.run(folder, tmp_path / "t.csv", "digits", jobs=1, progress=lambda done, total, some: rows.extend(some))
    results = docproc.read(folder, "digits")
    assert sorted(rows, key=lambda row: row.document) == [replace(row, digits=(), alternatives=()) for row in results]


def test_one_document_that_cannot_be_read_is_a_row_among_the_others(write_field: WriteField, reader: docproc.Reader) -> None:
    results = reader.read([write_field("12"), b"", b"no picture", np.zeros((0, 4), np.uint8), write_field("34")])
    assert [row.status for row in results] == ["ok", "error", "error", "error", "ok"]
    assert [row.document for row in results] == [f"document-{k}" for k in range(1, 6)]
    assert results[1].reason == "empty: the file is empty"


def test_what_nobody_expected_is_a_row_too(reader: docproc.Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("docproc.pipeline.read_page", broken)
    (row,) = reader.read(np.full((40, 90), 255, np.uint8))
    assert (row.status, row.reason) == ("error", "internal: RuntimeError: no such luck")


def test_pages_of_a_tiff_in_memory_are_numbered(write_field: WriteField, reader: docproc.Reader) -> None:
    first, *others = (Image.fromarray(write_field(text)) for text in ("12", "345", "6"))
    data = io.BytesIO()
    first.save(data, "TIFF", save_all=True, append_images=others)
    data.seek(0)
    assert [(row.page, row.text) for row in reader.read(data)] == [(1, "12"), (2, "345"), (3, "6")]


# ---------------------------------------------------------------------------------------------------- the Reader


def test_a_reader_loads_the_networks_once(monkeypatch: pytest.MonkeyPatch, write_field: WriteField) -> None:
    opened = list[object]()
    load = opening.open_model

    def counted(*which: Any) -> Any:
        opened.append(which)
        return load(*which)

    monkeypatch.setattr(opening, "open_model", counted)
    with docproc.Reader("digits", backend="onnx") as reader:
        assert [reader.read(write_field(text))[0].text for text in ("12", "34", "56")] == ["12", "34", "56"]
    assert len(opened) == 1


def test_a_reader_that_is_closed_says_so() -> None:
    with docproc.Reader("digits", backend="onnx") as reader:
        pass
    with pytest.raises(ValueError, match="this Reader is closed"):
        reader.read(b"")


def test_threads_may_share_a_reader(reader: docproc.Reader, write_field: WriteField) -> None:
    texts, found = ["12", "345", "6789", "10"], dict[str, str]()

    def read(text: str) -> None:
        found[text] = reader.read(write_field(text))[0].text

    threads = [threading.Thread(target=read, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {text: text for text in texts}


def test_reading_leaves_the_threads_of_opencv_as_they_were(reader: docproc.Reader, write_field: WriteField) -> None:
    strip = write_field("12")
    during = list[int]()

    class Slow(io.BytesIO):
        """While it is read, another Reader begins and ends."""

        def read(self, size: int | None = -1, /) -> bytes:
            with docproc.Reader("digits", backend="onnx") as other:
                other.read(strip)
            during.append(cv2.getNumThreads())
            return b""

    cv2.setNumThreads(2)
    try:
        before = cv2.getNumThreads()
        reader.read(Slow())
        assert (during, cv2.getNumThreads()) == ([1], before)
    finally:
        cv2.setNumThreads(1)


TEMPLATE = """
schema_version = 1
name = "slip"
[page]
reference = "blank.png"
[[field]]
name = "number"
box = [40, 60, 245, 84]
kind = "comb"
digits = 4
"""


def slip(text: str) -> np.ndarray:
    """A small form with print all around, and a comb."""
    gray = np.full((400, 600), 250, np.uint8)
    for k, word in enumerate(("NUMBER OF THE SLIP", "KEEP THIS PART", "FOR OFFICE USE ONLY", "PLEASE DO NOT FOLD")):
        cv2.putText(gray, word, (40 + 30 * (k % 2), 40 + 110 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 60, 2)
    cv2.rectangle(gray, (400, 180), (560, 360), 90, 2)
    gray[60:144, 40:285] = draw_comb(text)
    return gray


@pytest.mark.thorough
def test_a_template_is_given_as_a_path_and_auto_finds_it_beside_files_alone(tmp_path: Path) -> None:
    Image.fromarray(slip("    ")).save(tmp_path / "blank.png")
    Image.fromarray(slip("4071")).save(tmp_path / "scan.png")
    template = tmp_path / "template.toml"
    template.write_text(TEMPLATE)
    for layout in (template, str(template), [template], [str(template)]):
        (row,) = docproc.read(slip("4071"), layout)
        assert (row.field, row.text) == ("number", "4071")
    with docproc.Reader() as reader:
        assert [row.field for row in reader.read([tmp_path / "scan.png"])] == ["number"]
        assert [row.field for row in reader.read(slip("4071"))] != ["number"]
        template.write_text(TEMPLATE.replace('"number"', '"serial"'))
        assert [row.field for row in reader.read(tmp_path)] == ["serial"]  # blank.png is the form itself


# ---------------------------------------------------------------------------------------------- options and errors


@pytest.mark.parametrize("share", [0.5, "50%", "0.5", 1, "1"])
def test_an_error_is_a_share_or_a_text(share: float | str) -> None:
    assert docproc.Reader("digits", max_error=share)._settings.max_error == (1 if str(share) == "1" else 0.5)


@pytest.mark.thorough
def test_options_are_plain_types(tmp_path: Path, folder: Path) -> None:
    reader = docproc.Reader("check", date_order="MDY", date_window="180d", as_of="2026-11-28", limits={"pages": 7})
    assert reader._settings.as_of == date(2026, 11, 28)
    assert (reader._settings.limits.pages, reader._settings.window) == (7, "180d")
    docproc.run(
        str(folder), str(tmp_path / "t.csv"), "digits", jobs=1, max_error="1%", crops_of="all", crops=str(tmp_path / "crops"),
        limits={"pages": 5}, as_of="2026-11-28",
    )  # fmt: skip
    assert [path.name for path in (tmp_path / "crops").glob("*.png")] == ["a.png-1-digits.png"]


@pytest.mark.parametrize(
    ("option", "error", "word"),
    [
        ({"max_error": "much"}, docproc.BadUsage, "'much' is not a share; use 1% or 0.01"),
        ({"max_error": 2}, docproc.BadUsage, "2 is not between 0% and 100%"),
        ({"date_order": "YDM"}, docproc.BadUsage, "choose one of DMY, MDY, YMD, auto"),
        ({"date_window": "soon"}, docproc.BadUsage, "use 180d, 6m or 1y"),
        ({"as_of": "monday"}, docproc.BadUsage, "'monday' is not a date; use YYYY-MM-DD"),
        ({"limits": {"page": 3}}, docproc.BadUsage, "unknown limit 'page'; choose one of file_bytes, "),
        ({"limits": {"pages": 0}}, docproc.BadUsage, "above zero"),
        ({"layout": "cheque"}, docproc.BadUsage, "no such layout: cheque"),
        ({"backend": "abacus"}, docproc.BadUsage, "no backend named 'abacus'"),
        ({"model": "nowhere.onnx"}, docproc.MissingPart, "nowhere"),
        ({"thresholds": "nowhere.json"}, docproc.BadConfig, "nowhere.json"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_by_all(
    option: dict[str, Any], error: type[docproc.DocprocError], word: str, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=word):
        docproc.Reader(**option)
    with pytest.raises(error, match=word):
        docproc.read(folder, **option)
    with pytest.raises(error, match=word):
        docproc.run(folder, tmp_path / "t.csv", **option)
    with pytest.raises(TypeError, match="colour"):
        docproc.run(folder, tmp_path / "t.csv", colour=1)  # type: ignore[call-arg]


def test_results_are_a_sequence_of_rows(reader: docproc.Reader, write_field: WriteField) -> None:
    results = reader.read([write_field("0012"), write_field("34")])
    assert isinstance(results[:1], docproc.Results)
    assert [row.text for row in results[1:]] == ["34"]
    assert results[-1] in results
    pytest.importorskip("pandas")
    wide = results.to_pandas(wide=True)
    assert list(wide.digits) == ["0012", "34"]
    assert list(results.to_pandas().columns) == list(results[:1].to_pandas().columns)
    assert "alternatives" not in results.to_pandas()


# ------------------------------------------------------------------------------------------------------- the door


def test_all_that_is_promised_is_there_and_documented() -> None:
    assert set(docproc.__all__) <= set(dir(docproc))
    for name in set(docproc.__all__) - {"__version__"}:
        assert getattr(docproc, name).__doc__
    assert docproc.__version__
    assert files("docproc").joinpath("py.typed").is_file()


def test_help_tells_of_read_and_run_and_of_every_option() -> None:
    text = re.sub(r"\(\s+", "(", re.sub(".\b", "", pydoc.render_doc(docproc)))  # from 3.13 a parameter has a line of its own
    assert "read(documents" in text
    assert "run(inputs" in text
    told = docproc.Reader.__doc__ or ""
    options = set(docproc.Reader.__init__.__annotations__) - {"return"}
    assert {name for name in options if f"`{name}`" not in told} == set()
    own = set(docproc.run.__annotations__) - options - {"return"}
    assert {name for name in own if name not in (docproc.run.__doc__ or "")} == set()
