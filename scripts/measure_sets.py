"""Checks the promise on every kind of paper: reads sets of documents with truth, and counts what was accepted.

    python scripts/measure_sets.py SET... [--max-error 1%] [--figures docs/figures.json]

A SET is a folder with documents (or its folder `images`), `truth.csv` or `expected.csv` (document, page, field, text, value)
and, if its pages are not read by `auto`, `case.json` with their `layout`; `SET=LAYOUT` also sets it. Prints for each set and
for all: fields, texts read exactly, accepted fields, wrong ones among them (also those with another value), and the error of
the confidence; the worst set last. `--figures` enters them, for each set and for each of its fields, in the file that README
and docs take their figures from, see `figures.py`.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from figures import record

import docproc
from docproc.cli.options import Share
from docproc.learn.evaluation.scoring import calibration_error, edit_distance
from docproc.types import Row

MIN_ACCEPTED = 100  # of a set that may be the worst: fewer say little
HEADER = f"{'set':24}{'fields':>8}{'exact':>8}{'accepted':>10}{'wrong':>8}{'share':>10}{'ece':>10}"


@dataclass(frozen=True, slots=True)
class Measured:
    """One set."""

    name: str
    fields: int
    exact: int
    accepted: int
    wrong: int
    confidence: tuple[float, ...]  # of the readings
    right: tuple[bool, ...]
    digits: int = 0  # of the truth
    misread: int = 0  # digits to replace, add or remove
    documents: int = 0
    fields_of: dict[str, dict[str, int]] = dataclasses.field(default_factory=dict)  # counts by field

    @property
    def figures(self) -> dict[str, object]:
        """What README and docs may report about it."""
        counts = {"documents": self.documents, "fields": self.fields, "exact": self.exact, "accepted": self.accepted}
        points = {"digits_percent": 1 - self.misread / max(1, self.digits), "calibration_error_points": self.ece}
        shares = {name: round(100 * value, 1) for name, value in points.items()}
        return {**counts, "wrong": self.wrong, **shares, **self.fields_of}

    @property
    def ece(self) -> float:
        return calibration_error(np.array(self.confidence), np.array(self.right)) if self.confidence else 0.0

    @property
    def line(self) -> str:
        share = f"{100 * self.wrong / self.accepted:.2f} %" if self.accepted else "-"
        return f"{self.name:24}{self.fields:8}{self.exact:8}{self.accepted:10}{self.wrong:8}{share:>10}{self.ece:10.4f}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", metavar="SET[=LAYOUT]")
    parser.add_argument("--max-error", type=lambda text: Share().convert(text, None, None), default=0.01)
    parser.add_argument("--figures", type=Path, help="docs/figures.json")
    args = parser.parse_args()
    print(HEADER)
    measured = []
    for one in args.sets:
        place, _, layout = one.partition("=")
        measured.append(measure(Path(place), layout, args.max_error))
        print(measured[-1].line, flush=True)
        if args.figures:
            name = measured[-1].name.replace("-", "_")
            record(name, measured[-1].figures, f"scripts/measure_sets.py {name} --max-error {args.max_error:g}", args.figures)
    whole = Measured(
        "all",
        sum(one.fields for one in measured),
        sum(one.exact for one in measured),
        sum(one.accepted for one in measured),
        sum(one.wrong for one in measured),
        tuple(p for one in measured for p in one.confidence),
        tuple(r for one in measured for r in one.right),
    )
    print(whole.line)
    large = [one for one in measured if one.accepted > MIN_ACCEPTED]
    if large:
        print("worst:", max(large, key=lambda one: one.wrong / one.accepted).line)


def measure(folder: Path, layout: str, max_error: float) -> Measured:
    """Read one set and compare it with its truth."""
    case = folder / "case.json"
    if not layout:
        layout = json.loads(case.read_text(encoding="utf-8"))["layout"] if case.is_file() else "auto"
    if layout.endswith(".toml"):
        layout = str(folder / layout)
    images = folder / "images"
    rows = docproc.read(images if images.is_dir() else folder, layout, max_error=max_error)
    truth = truth_of(folder)
    single = len({field for _, _, field in truth}) == 1
    found: dict[tuple[str, int, str], Row] = {(r.document, r.page, "" if single else r.field): r for r in rows}
    exact = accepted = wrong = misread = 0
    confidence, right = [], []
    fields_of: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(("fields", "exact", "accepted", "wrong"), 0))
    for (document, page, field), true in truth.items():
        own = fields_of[field]
        own["fields"] += 1
        row = found.get((document, page, "" if single else field))
        misread += edit_distance(row.text if row else "", true["text"])
        if row is None:
            continue
        same = row.text == true["text"]
        exact += same
        own["exact"] += same
        whole = same and (not true.get("value") or _equal(row.value, true["value"]))
        if row.status == "ok":
            accepted += 1
            wrong += not whole
            own["accepted"] += 1
            own["wrong"] += not whole
        if row.text and row.confidence is not None:
            confidence.append(row.confidence)
            right.append(same)
    digits, documents = sum(len(true["text"]) for true in truth.values()), len({document for document, _, _ in truth})
    return Measured(
        folder.name, len(truth), exact, accepted, wrong, tuple(confidence), tuple(right), digits, misread, documents,
        {} if single else dict(fields_of),
    )  # fmt: skip


def truth_of(folder: Path) -> dict[tuple[str, int, str], dict[str, str]]:
    """The truth of a set, by document, page and field."""
    answers = folder / ("truth.csv" if (folder / "truth.csv").is_file() else "expected.csv")
    with answers.open(newline="", encoding="utf-8") as file:
        return {(r["document"], int(r["page"]), r["field"]): r for r in csv.DictReader(file)}


def _equal(one: str, other: str) -> bool:
    """Equal as texts or as numbers: 05.8 is 5.8."""
    try:
        return one == other or Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False


if __name__ == "__main__":
    main()
