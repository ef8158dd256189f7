"""The program as a user calls it: a real process, and the table that it wrote."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT


def docproc(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "docproc", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd or PROJECT,
        env=os.environ | {"PYTHONPATH": str(PROJECT)} | environment,
        timeout=300,
        check=False,
    )


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
