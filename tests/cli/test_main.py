"""The program as a whole."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from docproc.cli import main
from docproc.errors import DocprocError, DocumentError
from tests.conftest import PROJECT


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"]])
def test_help_waits_for_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom docproc.cli import main\n"
        f"try:\n    main({arguments})\nexcept SystemExit:\n    pass\n"
        "heavy = {'cv2', 'numpy', 'onnxruntime', 'tensorflow', 'PIL', 'pydantic', 'rich'} & set(sys.modules)\n"
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


def test_the_docs_name_every_column_and_every_exit_code() -> None:
    from docproc.runs.tables import COLUMNS

    page = (PROJECT / "docs" / "table.md").read_text(encoding="utf-8")
    assert [column for column in COLUMNS if f"`{column}`" not in page] == []
    codes = (PROJECT / "docs" / "commands.md").read_text(encoding="utf-8")
    for problem in DocprocError.__subclasses__():
        assert problem is DocumentError or f"\n| {problem.exit_code} |" in codes, problem
