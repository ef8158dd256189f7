"""Real check amounts that were never trained on, where they are present."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.cli.program import docproc, table

pytestmark = pytest.mark.thorough


def test_real_amounts(shared: Path, tmp_path: Path) -> None:
    folder = shared / "check-amounts"
    out = tmp_path / "out.csv"
    done = docproc("run", folder / "images", "--layout", "amount", "-o", out)
    assert done.returncode == 0, done.stderr
    found = {row["document"]: row for row in table(out)}
    with open(folder / "truth.csv", newline="", encoding="utf-8") as file:
        truth = {row["document"]: row["text"] for row in csv.DictReader(file)}
    right = sum(found[name]["text"] == text for name, text in truth.items())
    assert right >= 0.87 * len(truth)


def test_a_real_amount_is_explained(shared: Path, tmp_path: Path) -> None:
    image = next(iter(sorted((shared / "check-amounts" / "images").iterdir())))
    done = docproc("explain", image, "--layout", "amount", "-o", tmp_path / "e.png")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "e.png").stat().st_size > 10_000
