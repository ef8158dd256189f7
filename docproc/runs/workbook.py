"""A table as a workbook for Excel: digits stay text, amounts and confidences are numbers, and doubtful cells are colored."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any, BinaryIO

from docproc.errors import BadUsage
from docproc.runs.tables import safe_cell, safe_name

MAX_ROWS = 1_048_576  # rows per sheet [standard: ECMA-376, Excel's limit]
NUMBERS = ("page", "confidence", "left", "top", "width", "height", "residual")  # columns that contain only numbers
COLORS = {"review": "#FFF2CC", "error": "#F8CECC"}  # background of what a person should look at
WIDEST, NARROWEST, ARROW = 60, 7, 3  # characters of a column; and characters covered by its filter's arrow [guess]

Cell = int | float | str | None


def write(file: BinaryIO, columns: Sequence[str], records: Iterable[Mapping[str, Any]], numbers: frozenset[str]) -> None:
    """Write a sheet with a filter; values of the fields in `numbers` are numbers. Raises BadUsage for too many rows."""
    import xlsxwriter

    book = xlsxwriter.Workbook(file, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)})
    sheet = book.add_worksheet("docproc")
    sheet.freeze_panes(1, 0)
    formats: dict[tuple[str, str], Any] = {}

    def look(shown: str, color: str) -> Any:
        if (shown, color) not in formats:
            formats[shown, color] = book.add_format({"num_format": shown} | ({"bg_color": color} if color else {}))
        return formats[shown, color]

    head = book.add_format({"bold": True, "num_format": "@"})
    for column, name in enumerate(columns):
        sheet.write_string(0, column, name, head)
    widths = [len(name) + ARROW for name in columns]
    place = 0
    for place, record in zip(count(1), records, strict=False):
        if place >= MAX_ROWS:
            raise BadUsage(f"a sheet holds {MAX_ROWS} rows and this table has more; write .csv or .parquet")
        doubtful = _doubtful(record)
        for column, name in enumerate(columns):
            value, shown = _cell(name, record, numbers)
            style = look(shown, COLORS.get(doubtful(name), ""))
            if value is None or value == "":
                sheet.write_blank(place, column, None, style)
            elif isinstance(value, str):
                sheet.write_string(place, column, value, style)
            else:
                sheet.write_number(place, column, value, style)
            widths[column] = max(widths[column], len(str(value)))
    for column, wide in enumerate(widths):
        sheet.set_column(column, column, min(WIDEST, max(NARROWEST, wide + 1)))
    sheet.autofilter(0, 0, place, len(columns) - 1)
    # Digits are text here on purpose: no cell needs a warning about it.
    sheet.ignore_errors({"number_stored_as_text": f"A1:XFD{MAX_ROWS}"})
    try:
        book.close()
    except xlsxwriter.exceptions.FileCreateError as problem:
        cause = problem.args[0] if problem.args else problem
        raise cause if isinstance(cause, OSError) else OSError(None, str(problem)) from problem


def _cell(name: str, record: Mapping[str, Any], numbers: frozenset[str]) -> tuple[Cell, str]:
    """The content of a cell, and its format."""
    value = record[name]
    if name == "document":
        return safe_name(value), "@"
    if name in NUMBERS and isinstance(value, (int, float)):
        return (value, "0") if isinstance(value, int) else (round(value, 4), "0.0000")
    # In a long table the field determines the type of the value, in a wide one the column does.
    field = name if "field" not in record else record["field"] if name == "value" else ""
    if value and field in numbers:
        decimals = len(str(value).partition(".")[2])
        return float(value), f"0.{'0' * decimals}" if decimals else "0"
    return safe_cell(value), "@"


def _doubtful(record: Mapping[str, Any]) -> Callable[[str], str]:
    """Returns a function that gives the status that determines the color of a column's cell."""
    status = str(record.get("status", ""))
    if "field" in record or status == "error":
        return lambda name: status
    marked = {"status", "review", *str(record.get("review", "")).split()}
    return lambda name: status if name in marked else ""
