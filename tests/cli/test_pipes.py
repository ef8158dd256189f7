"""docproc between two pipes: a document from stdin, a table to stdout, and nothing else there."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.program import table
from tests.conftest import PROJECT, draw_field

pytestmark = pytest.mark.thorough


def docproc(*arguments: object, data: bytes = b"", cwd: Path = PROJECT) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "docproc", "run", *map(str, arguments), "--layout", "digits", "-j", "1"],
        input=data, capture_output=True, cwd=cwd, timeout=300, check=False,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip


@pytest.fixture(scope="module")
def scan() -> bytes:
    first, second = (Image.fromarray(draw_field(text)) for text in ("0042", "17"))
    data = io.BytesIO()
    first.save(data, "TIFF", save_all=True, append_images=[second])
    return data.getvalue()


def test_a_document_from_stdin_to_a_table_on_stdout(scan: bytes, tmp_path: Path) -> None:
    done = docproc("-", "-o", "-", data=scan, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode())))
    assert [(row["document"], row["page"], row["text"]) for row in rows] == [("stdin", "1", "0042"), ("stdin", "2", "17")]
    assert b"1 document, 2 fields" in done.stderr
    assert b"table:" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_stdin_and_files_to_a_table_in_a_file(scan: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(scan)
    done = docproc("a.tif", "-", "-o", "t.csv", data=scan, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == b""
    assert [row["document"] for row in table(tmp_path / "t.csv")] == ["a.tif", "a.tif", "stdin", "stdin"]


def test_what_cannot_be_read_is_a_row_on_stdout_too(tmp_path: Path) -> None:
    done = docproc("-", "-o", "-", cwd=tmp_path)
    assert done.returncode == 1
    (row,) = csv.DictReader(io.StringIO(done.stdout.decode()))
    assert (row["status"], row["reason"]) == ("error", "empty: the file is empty")
    assert b"failed: stdin, page 1" in done.stderr
    done = docproc("-", "-o", "-", "--limit", "file_bytes=5", data=b"123456789", cwd=tmp_path)
    assert b"file_too_large: 6 bytes, the limit is 5" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-", "-o", "-", "--resume"), b"-o - writes to stdout, where no table is"),
        (("-", "-", "-o", "-"), b"it may be given once"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], told: bytes, tmp_path: Path) -> None:
    done = docproc(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, b"")
    assert told in done.stderr


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_terminal_is_not_waited_for(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "docproc", "run", "-", "-o", "t.csv"], stdin=theirs, capture_output=True, cwd=tmp_path,
        timeout=60, check=False, env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    os.close(ours)
    os.close(theirs)
    assert done.returncode == 2
    assert b"nothing is piped in: docproc run - -o results.csv < scan.pdf" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
def test_a_reader_that_went_away_is_told_and_ends_in_no_traceback(scan: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(scan)
    done = subprocess.run(
        f"{sys.executable} -m docproc run a.tif -o - --layout digits -j 1 | true; echo ${{PIPESTATUS[0]}}", shell=True,
        executable="/bin/bash", capture_output=True, cwd=tmp_path, timeout=300, check=False, text=True,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.stdout == "8\n"
    assert "docproc: cannot write the table to stdout: Broken pipe" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
