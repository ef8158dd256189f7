"""The figures in README and docs are those of docs/figures.json."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from tests.conftest import PROJECT

figures = importlib.import_module("scripts.figures")

# Pages whose figures are those of today's networks. docs/errors.md tells what was tried, with the networks of each time.
TODAY = ("README.md", "docs/accuracy.md", "docs/backends.md", "docs/training.md")


def test_pages_and_the_file_agree() -> None:
    assert list(figures.disagreeing(figures.load())) == [], "python scripts/figures.py fill"


@pytest.mark.parametrize("page", TODAY)
def test_a_share_with_decimals_names_where_it_comes_from(page: str) -> None:
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", (PROJECT / page).read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert re.findall(r"[0-9]+\.[0-9]+ %(?!<!--=)", text) == []


def test_every_entry_says_by_what_and_when_it_was_measured() -> None:
    for name, entry in figures.load().items():
        assert set(entry["measured"]) == {"by", "commit", "date"}, name


def test_a_figure_is_shown_as_pages_show_it(tmp_path: Path) -> None:
    own = {"set": {"fields": 1542, "exact": 1400, "percent": 99.5, "ms": 8.0, "small": 0.000007, "amount": {"exact": 3}}}
    assert figures.fill("a 1 %<!--=set.exact/fields-->, 2<!--=set.fields--> b", own) == (
        "a 90.8 %<!--=set.exact/fields-->, 1,542<!--=set.fields--> b"
    )
    assert [figures.shown(own, f"set.{key}") for key in ("percent", "ms", "small", "amount.exact")] == [
        "99.5 %", "8", "0.000007", "3",
    ]  # fmt: skip
    with pytest.raises(KeyError):
        figures.fill("1<!--=set.nothing-->", own)
    figures.record("set", {"exact": 7}, "a test", tmp_path / "figures.json")
    figures.record("set", {"fields": 8}, "a test", tmp_path / "figures.json")
    kept = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))["set"]
    assert (kept["exact"], kept["fields"], kept["measured"]["by"]) == (7, 8, "a test")
