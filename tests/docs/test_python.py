"""The code in Python on README and docs is accepted by mypy --strict, and runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import PROJECT

BLOCKS = [
    block
    for page in (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]


def test_there_is_code_on_the_pages() -> None:
    assert len(BLOCKS) >= 8


@pytest.mark.thorough
@pytest.mark.skipif(find_spec("mypy") is None, reason="needs mypy")
def test_strict_types_accept_the_code(tmp_path: Path) -> None:
    for number, block in enumerate(BLOCKS):
        (tmp_path / f"block_{number}.py").write_text(block, encoding="utf-8")
    # A user's own mypy: without the settings of this project, and with docproc found where it is installed.
    (tmp_path / "mypy.ini").write_text(f"[mypy]\nstrict = true\ncache_dir = {tmp_path / 'cache'}\n", encoding="utf-8")
    (tmp_path / "wrong.py").write_text('import docproc\nfor row in docproc.read("a"):\n    row.digts\n', encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", *sorted(path.name for path in tmp_path.glob("*.py"))],
        cwd=tmp_path, env=os.environ | {"MYPYPATH": str(PROJECT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = [line for line in done.stdout.splitlines() if ": error:" in line]
    assert [line for line in told if not line.startswith("wrong.py")] == []
    assert len(told) == 1, done.stdout + done.stderr
    assert '"Row" has no attribute "digts"' in told[0]


@pytest.mark.thorough
@pytest.mark.parametrize("block", BLOCKS)
def test_the_code_runs(block: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "samples").symlink_to(PROJECT / "samples")
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    subprocess.run([sys.executable, "-c", block], cwd=tmp_path, check=True, env=environment)
    assert "Error" not in capfd.readouterr().err
