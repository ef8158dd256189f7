"""The figures in README and docs: one file, docs/figures.json, and the places where they appear.

    python scripts/figures.py fill                     write the figures of the file into README.md and docs/*.md
    python scripts/figures.py check                    say where a page and the file disagree; exit 1 if any does
    python scripts/figures.py set NAME KEY=NUMBER...   enter what another command printed; --command says which

A figure appears on a page before the comment that names it, as `88.6 %<!--=check_amounts.exact/fields-->`: a path of keys in
the file, alone or as a share of another key next to it. `measure_sets.py`, `measure_drawn.py` and `benchmark.py` write to the
file with `--figures`; each entry includes the command, the commit and the day. Then `fill` updates the pages.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent
FIGURES = PROJECT / "docs" / "figures.json"
MARKED = re.compile(r"(-?[0-9](?:[0-9.,]*[0-9])?(?: %)?)<!--=([a-z0-9_.]+(?:/[a-z0-9_]+)?)-->")


def pages() -> list[Path]:
    """The pages that contain figures."""
    return [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]


def load(path: Path = FIGURES) -> dict[str, Any]:
    """The contents of the file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def record(name: str, values: Mapping[str, Any], command: str, path: Path = FIGURES) -> None:
    """Enter measurements under a name, with the commit and the day. Keys that were not measured are kept."""
    figures = load(path)
    today = datetime.now(UTC).date().isoformat()
    figures[name] = figures.get(name, {}) | dict(values) | {"measured": {"by": command, "commit": _commit(), "date": today}}
    path.write_text(json.dumps(figures, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")


def _commit() -> str:
    """The commit that is measured; "" if there is no git."""
    command = ["git", "rev-parse", "--short=12", "HEAD"]
    try:
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def shown(figures: Mapping[str, Any], key: str) -> str:
    """A figure as shown on pages. Raises KeyError if it does not exist."""
    path, _, whole = key.partition("/")
    *outer, last = path.split(".")
    entry: Any = figures
    for name in outer:
        entry = entry[name]
    value = entry[last]
    if whole:
        return f"{100 * value / entry[whole]:.1f} %"
    if last.endswith("percent"):
        return f"{value:.15g} %"
    return f"{value:,}" if isinstance(value, int) else f"{value:.7f}".rstrip("0").rstrip(".")


def fill(text: str, figures: Mapping[str, Any]) -> str:
    """A page with the figures from the file."""
    return MARKED.sub(lambda found: f"{shown(figures, found[2])}<!--={found[2]}-->", text)


def disagreeing(figures: Mapping[str, Any]) -> Iterator[str]:
    """Where pages and the file disagree, one line per figure."""
    for page in pages():
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            for found in MARKED.finditer(line):
                if found[1] != (right := shown(figures, found[2])):
                    yield f"{page.name}:{number}: {found[2]} is {right}, and not {found[1]}"


def main() -> None:
    """Perform one of the three commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("do", choices=["fill", "check", "set"])
    parser.add_argument("what", nargs="*", metavar="NAME KEY=NUMBER")
    parser.add_argument("--command", default="by hand")
    args = parser.parse_args()
    if args.do == "set":
        name, *values = args.what
        record(name, {key: json.loads(number) for key, _, number in (one.partition("=") for one in values)}, args.command)
        return
    figures = load()
    if args.do == "check":
        wrong = list(disagreeing(figures))
        print("\n".join(wrong))
        sys.exit(bool(wrong))
    for page in pages():
        old = page.read_text(encoding="utf-8")
        if old != (new := fill(old, figures)):
            page.write_text(new, encoding="utf-8")
            print(page.name)


if __name__ == "__main__":
    main()
