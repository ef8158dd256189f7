"""Figures in words: what they are called, shares as percents, rows and columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NAMES = {
    "exact": "read exactly",
    "value_exact": "values exact",
    "digit_acc": "digits right",
    "read@1%": "accepted at 1% error",
    "read@0.5%": "accepted at 0.5% error",
    "accepted": "status ok",
    "accepted_err": "wrong of these",
    "ece": "calibration error",
}
BY_FIELD = ("exact", "digit_acc", "read@1%", "accepted", "accepted_err", "ece")  # that are told of each field


def counted(found: Mapping[str, Any]) -> str:
    missing = f", {found['missing']} of them without a result" if found["missing"] else ""
    return f"{found['fields']} fields{missing}"


def figure_rows(found: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for key, name in NAMES.items():
        if key in found:
            low, high = found["intervals"].get(key, (None, None))
            rows.append([name, percent(found[key]), f"{percent(low)} to {percent(high)}" if low is not None else ""])
    return rows


def field_rows(fields: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    return [[name, str(own["fields"]), *(percent(own[key]) for key in BY_FIELD)] for name, own in fields.items()]


def percent(share: float) -> str:
    text = f"{100 * share:.2f}"
    return (text.rstrip("0").rstrip(".") if text.endswith("0") else text) + "%"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Cells under each other: the first column to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width) for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
