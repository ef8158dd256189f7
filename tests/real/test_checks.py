"""Checks of real banks, where the data lies beside the project: counts that may rise and not fall.

The numbers in them are real: a failure tells how many are wrong and never which.
"""

from __future__ import annotations

import csv
from collections import Counter

import pytest

import docproc
from tests.conftest import SHARED

pytestmark = pytest.mark.thorough


def counts(name: str) -> Counter[str]:
    """Of every field, by name: how many there are, are exact, are accepted, and are accepted and wrong."""
    folder = SHARED / name
    if not (folder / "truth.csv").is_file():
        pytest.skip(f"needs {folder}")
    with open(folder / "truth.csv", newline="", encoding="utf-8") as file:
        truth = {(row["document"], row["field"]): row for row in csv.DictReader(file)}
    found: Counter[str] = Counter()
    seen = {(row.document, row.field): row for row in docproc.read(folder / "images", "check")}
    for (document, field), wanted in truth.items():
        row = seen.get((document, field))
        found[field] += 1
        if row is None or row.status == "error":
            found[f"{field} lost"] += 1
            continue
        right = row.text == wanted["text"] and (field != "micr" or row.value == wanted["value"])
        found[f"{field} found"] += row.left is not None
        found[f"{field} exact"] += right
        found[f"{field} ok"] += row.status == "ok"
        found[f"{field} wrong"] += row.status == "ok" and not right
    return found


def test_cheques_of_three_banks() -> None:
    found = counts("cheques")
    assert found["amount"] == found["micr"] == 52
    assert found["amount found"] >= 52
    assert found["amount exact"] >= 39
    assert found["date exact"] >= 47
    assert found["micr exact"] >= 51
    assert found["micr wrong"] == 0


def test_photographed_checks() -> None:
    found = counts("us-checks")
    assert found["amount exact"] >= 19
    assert found["date exact"] >= 19
