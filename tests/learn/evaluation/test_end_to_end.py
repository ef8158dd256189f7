"""The whole of reading, measured beside decoding and other programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from docproc.cli.model import bench
from docproc.errors import BadInput
from docproc.files import Document
from docproc.learn.evaluation import end_to_end as measuring
from docproc.learn.evaluation.end_to_end import DECODING, end_to_end
from tests.conftest import PROJECT

CHECK = PROJECT / "samples" / "checks" / "check_03.jpg"


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One other program is here, which notes what it reads, and one is not."""
    names: list[str] = []

    def program(*, as_lines: bool) -> tuple[str, measuring.Work]:
        return f"9.9 {as_lines}", lambda document, data: names.append(f"{document.name} {len(data)}")

    monkeypatch.setattr(measuring, "_tesseract", program)
    monkeypatch.setattr(measuring, "_rapidocr", lambda *, as_lines: "it is not installed")
    return names


def test_everything_is_measured_over_the_same_files(seen: list[str], tmp_path: Path) -> None:
    shutil.copy(CHECK, tmp_path / "a.jpg")
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    found = end_to_end([tmp_path], "check", "auto", None, 2, lambda step: None)
    assert (found.documents, found.left_out) == (1, 1)
    assert found.fields >= 3
    assert [one.name for one in found.timed] == ["docproc", DECODING, "Tesseract"]
    assert all(len(one.seconds) == 2 and min(one.seconds) >= 0 for one in found.timed)
    assert found.timed[2].version == "9.9 False"
    assert seen == [f"a.jpg {CHECK.stat().st_size}"] * 3  # once before anything is measured
    assert found.silent == (("RapidOCR", "it is not installed"),)
    assert found.fields_a_second == pytest.approx(found.fields * found.pages_a_second)
    assert found.to_decoding > 1
    (other,) = found.to_docproc
    assert other[0] == "Tesseract"
    assert other[1] < 1


def test_without_a_picture_there_is_nothing_to_measure(seen: list[str], tmp_path: Path) -> None:
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4\n%%EOF\n")
    with pytest.raises(BadInput, match="no picture"):
        end_to_end([tmp_path], "auto", "auto", None, 1, lambda step: None)


def test_fields_are_shown_to_others_as_single_lines(seen: list[str], tmp_path: Path) -> None:
    shutil.copy(CHECK, tmp_path / "a.jpg")
    asked = ["--end-to-end", str(tmp_path), "--layout", "digits", "--rounds", "1"]
    done = CliRunner().invoke(bench, [*asked, "--json"])
    assert done.exit_code == 0, done.output
    assert {one["name"]: one["version"] for one in json.loads(done.stdout)["timed"]}["Tesseract"] == "9.9 True"
    told = CliRunner().invoke(bench, asked).stdout
    assert "times as long as decoding the files to gray" in told
    assert "RapidOCR            was not measured: it is not installed" in told


def test_other_programs_that_are_not_here_are_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert measuring._rapidocr(as_lines=True) == "it is not installed: pip install rapidocr-onnxruntime"
    assert measuring._tesseract(as_lines=True) == "it is not installed"


def test_tesseract_is_given_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program, got = tmp_path / "tesseract", tmp_path / "got"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "tesseract 5.3.0" && exit\necho "$@" "$OMP_THREAD_LIMIT" > {got}\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program))
    found = measuring._tesseract(as_lines=True)
    assert not isinstance(found, str)
    assert found[0] == "5.3.0"
    found[1](Document("a.jpg", CHECK), CHECK.read_bytes())
    assert got.read_text() == "stdin stdout --psm 7 -c tessedit_char_whitelist=0123456789 1\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--end-to-end", str(CHECK), "--batch", "8"], "--batch and --seconds do not go with --end-to-end"),
        (["--layout", "check"], "--layout and --rounds go with --end-to-end"),
        (["--end-to-end", str(CHECK), "--backend", "onnx", "--backend", "tensorrt"], "one --backend"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str], told: str) -> None:
    done = CliRunner().invoke(bench, options)
    assert told in str(done.exception)
