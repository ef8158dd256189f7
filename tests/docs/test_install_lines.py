"""Every instruction to install something fetches this project and its dependencies, and never a stranger's package."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PAGES = sorted(
    path
    for pattern in (
        "*.md", "docs/**/*.md", "docs/**/*.ipynb", "docproc/**/*.py", "scripts/**/*.py", "scripts/Dockerfile", "Makefile",
        ".github/**/*",
    )
    for path in PROJECT.glob(pattern)
    if path.is_file()
)  # fmt: skip
ELSEWHERE = {"pip", "wheel", "build", "pre-commit"}  # tools of Python itself, and of who works on the project
TRAINING = "./models"  # the folder of the second distribution
# Packages of TensorRT: which of them fits depends on the card.
TENSORRT = {"tensorrt-cu12", "tensorrt-cu13", "tensorrt-rtx"}


def project() -> dict[str, object]:
    found: dict[str, object] = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def extras() -> dict[str, list[str]]:
    found = project()["optional-dependencies"]
    assert isinstance(found, dict)
    return found


def dependencies() -> set[str]:
    base = project()["dependencies"]
    assert isinstance(base, list)
    return {re.split(r"[><=;\[ ]", one)[0] for one in (*base, *(one for some in extras().values() for one in some))}


def installed() -> Iterator[tuple[Path, str]]:
    """What stands behind `pip install` on a page, word by word."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace('\\"', '"')
        for line in re.findall(r"pip install((?: +(?:-[-a-z]+|\"?[.A-Za-z][-./A-Za-z0-9_]*(?:\[[-a-z,]+\])?\"?))+)", text):
            for word in line.split():
                if not word.startswith("-"):
                    yield page, word.strip('"')


def test_no_line_installs_another_project_of_the_same_name() -> None:
    lines = list(installed())
    assert len(lines) > 10
    for page, word in lines:
        name = word.partition("[")[0].rstrip(".,;:")
        assert name != "docproc", f"{page.relative_to(PROJECT)}: pip install {word} fetches another project"


def test_every_line_names_this_folder_with_an_extra_that_it_has_or_a_dependency() -> None:
    for page, word in installed():
        where = f"{page.relative_to(PROJECT)}: pip install {word}"
        if word.rstrip(".,;:)") == TRAINING:
            assert (PROJECT / TRAINING / "pyproject.toml").is_file(), where
            continue
        if word.startswith("."):
            for extra in filter(None, word.removeprefix(".").strip("[]").split(",")):
                assert extra in extras(), where
            continue
        name = word.rstrip(".,;:")
        known = dependencies() | ELSEWHERE | TENSORRT
        # Where a message goes on in prose, the first words are the packages.
        assert name in known or page.suffix == ".py", where


def test_the_extras_of_this_project_name_this_project() -> None:
    assert project()["name"] == "docproc-digits"
    for some in extras().values():
        assert not [one for one in some if re.match(r"docproc(?!-digits\[)", one)]


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["", *sorted({w[2:-1] for _, w in installed() if w.startswith(".[")} - {"test", "test-all"})])
def test_what_a_line_fetches_is_this_project_and_its_dependencies(extra: str, tmp_path: Path) -> None:
    """By pip itself, which only resolves. Skips where there is no index."""
    report = tmp_path / "report.json"
    target = f"{PROJECT}[{extra}]" if extra else str(PROJECT)
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--ignore-installed",
        "--quiet",
        "--report",
        str(report),
        target,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    if done.returncode:
        pytest.skip(f"no index: {done.stderr[-300:]}")
    fetched = {one["metadata"]["name"].lower(): one for one in json.loads(report.read_text())["install"]}
    assert "docproc" not in fetched
    assert fetched["docproc-digits"]["download_info"]["url"].startswith("file:")


def test_the_readme_says_where_the_program_is_and_how_an_environment_is_made() -> None:
    readme, makefile = ((PROJECT / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
    program = ".venv/demo/bin/docproc"
    assert f"\t{program} run samples" in makefile
    assert f"The program is `{program}`." in readme
    assert "`python3 -m venv .venv`" in readme
    assert "`py -m venv .venv`" in readme
