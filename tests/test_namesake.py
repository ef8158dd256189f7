"""Who has another project of the same name in the environment is told, before it reads in the place of this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from docproc.namesake import find_namesake
from tests.conftest import PROJECT, draw_field


def install(folder: Path, name: str, summary: str, version: str = "2.1.1") -> Path:
    """What pip leaves of a package."""
    place = folder / "lib" / "site-packages"
    (place / f"{name}-{version}.dist-info").mkdir(parents=True)
    text = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nSummary: {summary}\n\nSummary: of the text below\n"
    (place / f"{name}-{version}.dist-info" / "METADATA").write_text(text)
    return place


def python(place: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(PROJECT), str(place)])}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, env=environment, check=False, timeout=120
    )


def test_another_project_called_docproc_is_found(tmp_path: Path) -> None:
    place = install(tmp_path, "docproc", "Document processor CLI")
    found = find_namesake(["", "nowhere/site-packages", str(place)])
    assert found is not None
    assert (found.version, found.summary, found.is_former) == ("2.1.1", "Document processor CLI", False)
    assert "another project" in str(found)
    assert "pip uninstall docproc docproc-digits" in str(found)


@pytest.mark.parametrize("name", ["docproc_digits", "docproc_client", "mydocproc"])
def test_other_packages_are_no_namesakes(tmp_path: Path, name: str) -> None:
    assert find_namesake([str(install(tmp_path, name, "another"))]) is None


def test_this_project_under_its_former_name_is_told_as_such(tmp_path: Path) -> None:
    found = find_namesake([str(install(tmp_path, "docproc", "Reads the digits on scanned forms and checks", "0.1.0"))])
    assert found is not None
    assert found.is_former
    assert "under its former name, docproc 0.1.0" in str(found)


def test_the_working_folder_is_not_searched(tmp_path: Path) -> None:
    (tmp_path / "docproc-2.1.1.dist-info").mkdir()
    assert find_namesake([str(tmp_path)]) is None


def test_importing_beside_another_project_of_the_name_warns(tmp_path: Path) -> None:
    place = install(tmp_path, "docproc", "Document processor CLI")
    done = python(place, "-c", "import docproc")
    assert done.returncode == 0
    assert "also holds docproc 2.1.1, another project" in done.stderr


@pytest.mark.thorough
def test_a_run_beside_another_project_of_the_name_warns_once_and_doctor_names_it(tmp_path: Path) -> None:
    place = install(tmp_path, "docproc", "Document processor CLI")
    (tmp_path / "in").mkdir()
    for text in ("1407", "33"):
        Image.fromarray(draw_field(text)).save(tmp_path / "in" / f"{text}.png")
    done = python(place, "-m", "docproc", "run", tmp_path / "in", "-o", tmp_path / "t.csv", "--layout", "digits", "-j", 2)
    assert done.returncode == 0
    assert done.stderr.count("another project") == 1
    assert "another docproc" in python(place, "-m", "docproc", "doctor").stdout
