"""The commands of README and docs run, page by page and in their order, in a folder that holds what they name.

A block of ```sh is run as it stands. A comment on the line before says otherwise:

    <!-- not run: why -->       it is left out
    <!-- exit 1: why -->        its last command ends with that code

What a block calls is the program of this source tree. `pip` does nothing, because test_install_lines.py looks at its lines;
`make` only says what it would do.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from PIL import Image

from docproc.cli import main
from tests.conftest import PROJECT, SAMPLES, draw_field

PAGES = ("README.md", *sorted(path.relative_to(PROJECT).as_posix() for path in (PROJECT / "docs").glob("*.md")))
BLOCK = re.compile(r"(?:<!-- (not run|exit [0-9]+): ([^\n]*?) -->\n)?^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
KNOWN = {"sh", "python", "toml", "text", "yaml"}


@dataclass(frozen=True)
class Block:
    """A block of commands on a page."""

    page: str
    text: str
    reason: str  # why it is left out; "" where it is run
    code: int  # that it ends with


@cache
def blocks(page: str) -> list[Block]:
    found = []
    for mark, reason, language, text in BLOCK.findall((PROJECT / page).read_text(encoding="utf-8")):
        assert language in KNOWN, f"{page}: ```{language}"
        if language == "sh":
            left_out = mark == "not run"
            found.append(Block(page, text, reason if left_out else "", 0 if left_out or not mark else int(mark[5:])))
    return found


def test_what_is_left_out_says_why() -> None:
    found = [block for page in PAGES for block in blocks(page)]
    assert len([block for block in found if not block.reason]) >= 15
    for block in found:
        for named in re.findall(r"tests/[\w/]+\.py", block.reason):
            assert (PROJECT / named).is_file(), block


def test_every_command_that_a_page_names_is_there() -> None:
    """Also those in the midst of a sentence, and their options."""
    for page in (*PAGES, "CONTRIBUTING.md"):
        text = (PROJECT / page).read_text(encoding="utf-8")
        calls = re.findall(r"`docproc ([a-z][^`\n]*)`", text)
        calls += [call for block in blocks(page) for call in re.findall(r"^docproc ([a-z][^\n#|>]*)", block.text, re.MULTILINE)]
        for call in calls:
            command: click.Command = main
            words = call.split()
            while isinstance(command, click.Group) and words and words[0] in command.commands:
                command = command.commands[words.pop(0)]
            known = {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {
                "--help",
                "-h",
                "--version",
            }
            assert command is not main or words[0].startswith("-"), f"{page}: docproc {call}"
            assert {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)} <= known, f"{page}: docproc {call}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What the pages name, and programs that stand for those that a user has."""
    place = tmp_path / "work"
    shutil.copytree(SAMPLES, place / "samples")
    for name in ("scans", "more"):
        shutil.copytree(SAMPLES / "survey", place / name)
    (place / "checks").mkdir()
    for name in ("check_1.jpg", "check_3.png"):
        shutil.copy(SAMPLES / "bank_checks" / name, place / "checks")
    shutil.copy(SAMPLES / "survey" / "template.toml", place / "form.toml")
    shutil.copy(SAMPLES / "survey" / "blank.png", place / "blank.png")
    (place / "lines").mkdir()
    with Image.open(SAMPLES / "bank_checks" / "check_1.jpg") as check:
        check.crop((0, round(0.85 * check.height), check.width, check.height)).save(place / "lines" / "line.png")
    Image.fromarray(draw_field("7")).save(place / "digit.png")
    with (
        open(SAMPLES / "expected.csv", encoding="utf-8", newline="") as file,
        open(place / "truth.csv", "w", newline="") as out,
    ):
        rows = csv.DictReader(file)
        truth = csv.DictWriter(out, rows.fieldnames or ())
        truth.writeheader()
        for row in rows:
            folder, _, name = row["document"].partition("/")
            if folder == "survey":
                truth.writerow(row | {"document": name})
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, line in {
        "docproc": f'exec "{sys.executable}" -m docproc "$@"',
        "python": f'exec "{sys.executable}" "$@"',
        "pip": ":",
        "make": f'exec {shutil.which("make")} --dry-run -C "{PROJECT}" "$@"',
    }.items():
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    return place


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform == "win32" or not shutil.which("make"), reason="needs a shell and make")
@pytest.mark.parametrize("page", [page for page in PAGES if any(not block.reason for block in blocks(page))])
def test_the_commands_of_a_page_run(page: str, folder: Path) -> None:
    if page.endswith(("trust.md", "README.md")) and find_spec("matplotlib") is None:
        pytest.skip("needs matplotlib (the extra `report`)")
    path = os.pathsep.join([str(folder.parent / "bin"), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(PROJECT), "MAKEFLAGS": ""}
    for block in blocks(page):
        if block.reason:
            continue
        done = subprocess.run(
            ["sh", "-e", "-c", block.text],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == block.code, f"{block.text}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
