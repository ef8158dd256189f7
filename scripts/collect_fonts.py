"""Collect the fonts that the shipped networks were trained with, for `docproc model train --fonts`.

The names are in models/digits.json. The fonts are free, and nearly all are packages of Debian (fonts-*) or of npm
(@expo-google-fonts/*). Copies those found under the given folders; reports which are missing, and how to get them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

CARD = Path(__file__).parents[1] / "models" / "digits.json"
SEARCHED = (Path("/usr/share/fonts"), Path("/usr/share/texmf/fonts"), Path("node_modules"))


def wanted(card: Mapping[str, object]) -> dict[str, str]:
    """The file names of the fonts of a model card, each with its folder within the collection."""
    fonts = card["data"]["fonts"]  # type: ignore[index]
    others = [name.partition(": ")[2] for name in fonts["other scripts"]]
    return dict.fromkeys((*fonts["print"], *others), "") | dict.fromkeys(fonts["hand"], "hand")


def found(folders: Iterable[Path]) -> dict[str, Path]:
    """All font files under some folders, by name; the first one of each name."""
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".ttf", ".otf"):
                files.setdefault(path.name, path)
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="the folder to write")
    parser.add_argument("searched", type=Path, nargs="*", default=SEARCHED, help="folders that hold fonts")
    options = parser.parse_args()
    names, there = wanted(json.loads(CARD.read_text(encoding="utf-8"))), found(options.searched)
    for name in sorted(names.keys() & there.keys()):
        target = options.output / names[name] / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(there[name], target)
    missing = sorted(names.keys() - there.keys())
    print(f"{len(names) - len(missing)} of {len(names)} fonts: {options.output}")
    if missing:
        print(f"missing: {', '.join(missing)}", file=sys.stderr)
        print("apt install fonts-..., or npm install @expo-google-fonts/..., and name the folder", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
