"""The program as a whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from docproc.cli import main
from docproc.cli.model import _scores_told
from docproc.errors import DocprocError, DocumentError
from tests.cli.program import docproc
from tests.conftest import PROJECT


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_waits_for_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom docproc.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
        "heavy = {'cv2', 'numpy', 'onnxruntime', 'tensorflow', 'PIL', 'pydantic', 'rich', 'fsspec'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert done.returncode == 0, done.stderr


def commands(group: click.Group, before: str = "docproc") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        full = f"{before} {name}"
        found += commands(command, full) if isinstance(command, click.Group) else [(full, command)]
    return found


@pytest.mark.parametrize(("name", "command"), commands(main), ids=[name for name, _ in commands(main)])
def test_every_command_has_help_and_stands_in_the_docs(name: str, command: click.Command) -> None:
    assert command.help
    assert f"| `{name}` |" in (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    for parameter in command.params:
        if isinstance(parameter, click.Option) and name == "docproc run":
            assert parameter.help, f"{name} {parameter.name} has no help"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_told_and_works(shell: str) -> None:
    """What the help says is what the program answers to."""
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("needs bash")
    assert f"_DOCPROC_COMPLETE={shell}_source docproc" in CliRunner().invoke(main, ["--help"]).output
    code = "import sys; sys.argv[0] = 'docproc'; from docproc.cli import entry; entry()"
    asked = os.environ | {"_DOCPROC_COMPLETE": f"{shell}_source"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=PROJECT, env=asked, timeout=60, check=False
    )
    assert "_docproc_completion" in done.stdout, done.stderr


def test_a_call_that_cannot_be_understood_is_answered_like_any_other_mistake() -> None:
    for arguments, told in (
        (["run", "in", "--nosuch"], "docproc: no such option '--nosuch'. Did you mean '--no-resume'?"),
        (["run", "in", "-o", "t.csv", "-j", "-1"], "docproc: invalid value for '-j' / '--jobs': -1 is not in the range x>=0."),
        (["run", "in"], "docproc: missing option '-o' / '--output'."),
    ):
        done = docproc(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.splitlines() == [told, "Try 'python -m docproc run --help' for help."]
    done = docproc()
    assert done.returncode == 2
    assert "Commands:" in done.stdout + done.stderr


def test_the_help_shows_no_ranges() -> None:
    told = CliRunner().invoke(main, ["run", "--help"]).output
    assert "-j, --jobs N" in told
    assert "x>=" not in told


def test_no_command_is_cut_off_in_a_list() -> None:
    """The lists of `docproc --help`, `template --help` and `model --help` show whole sentences."""
    groups = [main, *(one for one in main.commands.values() if isinstance(one, click.Group))]
    for group in groups:
        told = CliRunner().invoke(group, ["--help"], terminal_width=80).output
        assert "..." not in told.partition("Commands:")[2], told


def test_the_help_of_overwrite_is_a_sentence() -> None:
    told = {
        name: str(parameter.help)
        for name, command in commands(main)
        for parameter in command.params
        if isinstance(parameter, click.Option) and parameter.name == "overwrite"
    }
    assert told["docproc model evaluate"] == "Replace files that are there."
    assert told["docproc table"] == "Replace a table that is there."
    for name in ("docproc run", "docproc watch"):
        assert "Documents already read are not read again unless --no-resume is given." in told[name]


def test_the_scores_of_a_training_are_told_in_sentences() -> None:
    told = list(_scores_told({"mnist_test_accuracy": 0.9912, "decoder_off_by": 0.031, "classic_onnx_agrees_with_keras": 0.999}))
    assert told == [
        "of MNIST's test digits 99.12% are read right",
        "classic: the exported network agrees with the trained one in 99.90% of cases",
        "digits that are drawn from what it saw are off by 3.1% of black on average",
    ]


def test_the_docs_name_every_column_and_every_exit_code() -> None:
    from docproc.runs.tables import COLUMNS

    page = (PROJECT / "docs" / "table.md").read_text(encoding="utf-8")
    assert [column for column in COLUMNS if f"`{column}`" not in page] == []
    codes = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    for problem in DocprocError.__subclasses__():
        assert problem is DocumentError or f"\n| {problem.exit_code} |" in codes, problem
