"""Metrics as text: their names, shares as percentages, and the rows and columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

METRIC_NAMES = {
    "exact": "read exactly",
    "value_exact": "values exact",
    "digit_acc": "digits right",
    "read@1%": "accepted at 1% error",
    "read@0.5%": "accepted at 0.5% error",
    "accepted": "status ok",
    "accepted_err": "wrong of these",
    "ece": "calibration error",
}
FIELD_METRICS = ("exact", "digit_acc", "read@1%", "accepted", "accepted_err", "ece")  # in a table with one row per field


def field_count(metrics: Mapping[str, Any]) -> str:
    """The number of fields that `scoring.field_metrics` is about."""
    missing = f", {metrics['missing']} of them without a result" if metrics["missing"] else ""
    return f"{metrics['fields']} fields{missing}"


def metric_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """A row for each metric of `scoring.field_metrics`: its name, its value, and its confidence interval if it has one."""
    rows = []
    for key, name in METRIC_NAMES.items():
        if key in metrics:
            low, high = metrics["intervals"].get(key, (None, None))
            rows.append([name, percent(metrics[key]), f"{percent(low)} to {percent(high)}" if low is not None else ""])
    return rows


def field_metric_rows(fields: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """A row for each field: its name, how often it occurs, and its `FIELD_METRICS`."""
    return [[name, str(own["fields"]), *(percent(own[key]) for key in FIELD_METRICS)] for name, own in fields.items()]


def percent(share: float) -> str:
    """A share, 0..1, as a percentage with at most two decimals."""
    text = f"{100 * share:.2f}"
    return (text.rstrip("0").rstrip(".") if text.endswith("0") else text) + "%"


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table with aligned columns: the first one to the left, the others to the right."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width) for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
