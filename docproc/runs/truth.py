"""Input of results and truth: tables that people wrote, the table of a run, or its journal."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from docproc.errors import BadInput, BadUsage, MissingPart
from docproc.runs.journal import SUFFIX, Journal, journal_path
from docproc.runs.tables import long_table, safe_name
from docproc.types import Row

Record = dict[str, str]
KEY_COLUMNS = ("document", "field")  # that identify the field of a row
MAX_FAULTS = 3  # that a message lists [guess]


def read_results(path: Path) -> list[Record]:
    """The rows of a run as docproc read them: from its table, or from its journal if needed.

    The journal is used if `path` is one, if the table next to it is wide, or if the table contains what people keyed. A cell is
    text as `docproc.runs.tables` writes it. Rows of pages that could not be read are left out. Raises BadInput, BadUsage or
    MissingPart.
    """
    if path.suffix == SUFFIX:
        rows = _journal(path, Journal.readings)
    else:
        rows = list(_read(path))
        lacking = bool(rows) and "field" not in rows[0]
        keyed = any(row.get("keyed") for row in rows)
        if (lacking or keyed) and journal_path(path).is_file():
            rows = _journal(path, Journal.readings)
        elif keyed:
            raise BadInput(
                f"{path} has what people keyed in place of what was read, and its journal {journal_path(path).name} does not "
                "lie beside it: give the table where docproc wrote it, or the journal"
            )
    _check(path, rows, (*KEY_COLUMNS, "text", "confidence", "status"))
    return [row for row in rows if row["status"] != "error"]


def read_truth(path: Path) -> list[Record]:
    """The rows of a table with the columns `document`, `field`, and `text`, `value` or both; `page` if it is not 1.

    A results table whose texts a person has corrected qualifies, and so does a journal. If people keyed fields in it (the
    column `keyed`), only those fields are the truth, except those that still wait for review. Raises BadInput, BadUsage or
    MissingPart.
    """
    rows = _journal(path, Journal.rows) if path.suffix == SUFFIX else list(_read(path))
    if any(row.get("keyed") for row in rows):
        rows = [row for row in rows if row.get("keyed") and row.get("status") != "review"]
    if rows and not {"text", "value"} & rows[0].keys():
        raise BadInput(f"{path} has neither a column text nor value; there are {', '.join(rows[0])}")
    _check(path, rows, KEY_COLUMNS)
    return [row for row in rows if row.get("status") != "error"]


def _journal(path: Path, rows: Callable[[Journal], Iterable[Row]]) -> list[Record]:
    with Journal.look(path) as journal:
        _, records = long_table(rows(journal))
        return [_record(record) | {"document": safe_name(record["document"])} for record in records]


def _check(path: Path, rows: list[Record], wanted: Iterable[str]) -> None:
    if not rows:
        raise BadInput(f"{path} has no rows")
    missing = [column for column in wanted if not all(column in row for row in rows)]
    if missing:
        raise BadInput(f"{path} has no column {' and no '.join(missing)}; there are {', '.join(rows[0])}")
    faults = []
    for place, row in enumerate(rows, 2):
        if not (row.get("page", "1") or "1").isdecimal():
            faults.append(f"row {place}: the page {row['page']!r} is no number")
        if not _is_share(row.get("confidence", "")):
            faults.append(f"row {place}: the confidence {row['confidence']!r} is no number from 0 to 1")
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS} more" if len(faults) > MAX_FAULTS else ""
        raise BadInput(f"{path}: {'; '.join(faults[:MAX_FAULTS])}{more}")


def _is_share(text: str) -> bool:
    try:
        return not text or 0 <= float(text) <= 1
    except ValueError:
        return False


# -------------------------------------------------------------------------------------------------- formats


_DECIMALS = re.compile(r"0\.(0+)")  # how a number with a fixed number of decimals is shown


def _read(path: Path) -> Iterator[Record]:
    if path.suffix.lower() not in READERS:
        raise BadUsage(f"{path.name} is no table that docproc reads; these end in {', '.join((*READERS, SUFFIX))}")
    try:
        with open(path, "rb") as file:
            yield from read_table(file, path)
    except OSError as problem:
        raise BadInput(f"cannot read {path}: {problem.strerror or problem}") from problem


def read_table(file: BinaryIO, path: Path) -> Iterator[Record]:
    """The rows of an open table in the format of the path's suffix. Raises BadInput if it is not a table, or MissingPart."""
    try:
        yield from map(_record, READERS[path.suffix.lower()](file))
    except (UnicodeDecodeError, ValueError, KeyError, csv.Error) as problem:
        raise BadInput(f"{path} is no {path.suffix[1:].upper()} table: {problem}") from problem


def _record(row: Mapping[str, Any]) -> Record:
    return {str(column): _cell(value) for column, value in row.items() if column}


def _cell(value: Any) -> str:
    """A cell as text; a number into which a spreadsheet converted digits becomes those digits again."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


@contextmanager
def _text(file: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """A text view of a file, which stays open: whoever opened it closes it."""
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        yield text
    finally:
        text.detach()


def _csv(file: BinaryIO) -> Iterator[Mapping[str, Any]]:
    with _text(file) as text:
        head = text.readline()
        text.seek(0)
        # Spreadsheets choose the separator by the user's country.
        separator = max(",;\t", key=head.count)
        yield from csv.DictReader(text, delimiter=separator, restkey="")


def _jsonl(file: BinaryIO) -> Iterator[Mapping[str, Any]]:
    with _text(file) as text:
        for line in filter(str.strip, text):
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is no object")
            yield row


def _xlsx(file: BinaryIO) -> Iterator[Mapping[str, Any]]:
    try:
        import openpyxl
    except ImportError as problem:
        raise MissingPart("reading XLSX needs openpyxl: pip install openpyxl; or save the table as CSV") from problem
    from zipfile import BadZipFile

    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (BadZipFile, KeyError) as problem:
        raise ValueError(str(problem)) from problem
    try:
        rows = book.worksheets[0].iter_rows()
        columns = [str(cell.value or "") for cell in next(rows, ())]
        for row in rows:
            if any(cell.value is not None for cell in row):
                yield dict(zip(columns, map(_shown, row), strict=False))
    finally:
        book.close()


def _shown(cell: Any) -> Any:
    """The value of a cell; a number as the sheet shows it, if that loses nothing."""
    value = cell.value
    if isinstance(value, (int, float)) and (decimals := _DECIMALS.fullmatch(cell.number_format)):
        shown = f"{value:.{len(decimals[1])}f}"
        return shown if float(shown) == value else value
    return value


def _parquet(file: BinaryIO) -> Iterator[Mapping[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError as problem:
        raise MissingPart("Parquet needs pyarrow: pip install pyarrow") from problem
    # Without threads: a thread still running at exit would abort the program.
    with pyarrow.parquet.ParquetFile(file, pre_buffer=False) as table:
        yield from table.read(use_threads=False).to_pylist()


READERS: Mapping[str, Callable[[BinaryIO], Iterator[Mapping[str, Any]]]] = {
    ".csv": _csv, ".jsonl": _jsonl, ".xlsx": _xlsx, ".parquet": _parquet,
}  # fmt: skip
"""Formats by suffix."""
