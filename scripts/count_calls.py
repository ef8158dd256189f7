"""Count the Python calls per field, and where they are made: unlike a time, this is the same on every machine.

    python scripts/count_calls.py [FOLDER [LAYOUT]]        default: samples auto

Everything is read twice and counted the second time, so that what is loaded once does not count. Functions written in C count
as well, as in `cProfile`; a call made by a library counts for the function of docproc that led to it. The counts of
Python 3.11 and of later versions differ: these inline comprehensions.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import docproc

PROJECT = Path(__file__).resolve().parent.parent
PACKAGE = Path(docproc.__file__).parent


def calls_a_field(reader: docproc.Reader, documents: Any) -> float:
    """The number of calls per field of some documents, as made by `docproc.Reader.read`."""
    reader.read(documents)
    with cProfile.Profile() as profile:
        rows = reader.read(documents)
    return float(pstats.Stats(profile).total_calls) / len(rows)  # type: ignore[attr-defined]


def calls_by_function(read: Callable[[], object]) -> Counter[str]:
    """By function of docproc, such as `readers/ctc.py: each_scores`: the calls it makes itself or through a library."""
    counts: Counter[str] = Counter()
    names = [""]

    def count(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            place = Path(frame.f_code.co_filename)
            inside = place.is_relative_to(PACKAGE)
            name = f"{place.relative_to(PACKAGE).as_posix()}: {frame.f_code.co_qualname}" if inside else names[-1]
            names.append(name)
        if event in ("call", "c_call"):
            counts[names[-1]] += 1
        elif event == "return" and len(names) > 1:
            names.pop()

    sys.setprofile(count)
    try:
        read()
    finally:
        sys.setprofile(None)
    return counts


def main() -> None:
    """Print the count for a folder, and the functions with the most calls."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=PROJECT / "samples")
    parser.add_argument("layout", nargs="?", default="auto")
    parser.add_argument("--functions", type=int, default=40, help="functions that are listed (%(default)s)")
    args = parser.parse_args()
    with docproc.Reader(args.layout) as reader:
        print(f"{calls_a_field(reader, args.folder):8.0f} calls a field")
        fields = len(reader.read(args.folder))
        counts = calls_by_function(lambda: reader.read(args.folder))
    modules: Counter[str] = Counter()
    for name, count in counts.items():
        modules[name.partition(":")[0]] += count
    for title, counted in (("module", modules), ("function", counts)):
        print(f"\n  calls a field, by {title}")
        for name, count in counted.most_common(args.functions):
            print(f"{count / fields:8.1f}  {name}")


if __name__ == "__main__":
    main()
