"""Output of results: CSV, JSON Lines, XLSX or Parquet, long or wide.

A table is written to a temporary file and then moved into place, so there is never half a table.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import partial
from itertools import chain, count, groupby, islice
from pathlib import Path
from typing import Any, BinaryIO

from docproc.errors import BadUsage, CannotWrite, MissingPart
from docproc.types import DETAILS, Row

TOLD = ("template", "crop")  # columns that are in a table only if they say something
TOLD_OF_PAGES = ("template",)  # those that describe a page
COLUMNS = tuple(field.name for field in fields(Row) if field.name not in (*TOLD, *DETAILS))
GONE = "the file is no longer among the inputs"  # part of the reason of rows that were kept
DUPLICATE_OF = "the same file as "  # start of the part of a reason that names an earlier document with the same content
PARQUET_BATCH_ROWS = 10_000  # written at a time [guess]
SURE_NUMBERS = ("amount", "decimal")  # layouts use these names for fields
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")

Record = Mapping[str, Any]


def long_table(rows: Iterable[Row], told: Sequence[str] = ()) -> tuple[Sequence[str], Iterator[Record]]:
    """One record per field: (columns, records); `told` are further columns, see `told_columns`."""
    columns = (*COLUMNS, *told)
    return columns, ({name: getattr(row, name) for name in columns} for row in rows)


def told_columns(rows: Iterable[Row]) -> tuple[str, ...]:
    """The columns of `TOLD` that say something in at least one row."""
    told = {name for row in rows for name in TOLD if getattr(row, name)}
    return tuple(name for name in TOLD if name in told)


def wide_table(rows: Callable[[], Iterable[Row]], *, texts: bool = False) -> tuple[Sequence[str], Iterator[Record]]:
    """One record per page, one column per field, with its value; with `texts` the digits as written.

    `status` is the worst of the page's fields, `review` names those for review, and `reason` says why. `rows` returns all rows
    each time it is called, with those of a page next to each other.
    """
    names = dict.fromkeys(row.field for row in rows() if row.field)
    told = [name for name in told_columns(rows()) if name in TOLD_OF_PAGES]
    columns = ("document", "page", "status", "review", "reason", *told, *names)
    return columns, _pages(rows(), columns, "text" if texts else "value")


def _pages(rows: Iterable[Row], columns: Sequence[str], shown: str) -> Iterator[Record]:
    rank = ("blank", "ok", "review", "error")
    for (document, number), own in groupby(rows, key=lambda row: (row.document, row.page)):
        page = dict.fromkeys(columns, "") | {"document": document, "page": number, "status": "blank"}
        reasons: list[str] = []
        remark = ""
        for row in own:
            page["status"] = max(str(page["status"]), row.status, key=rank.index)
            reason, of_document = _without_remark(row.reason)
            remark = remark or of_document
            if row.status == "review":
                page["review"] = f"{page['review']} {row.field}".strip()
            if row.status in ("review", "error") and reason:
                reasons.append(f"{row.field}: {reason}" if row.field else reason)
            page |= {name: getattr(row, name) for name in TOLD_OF_PAGES if name in columns and getattr(row, name)}
            if row.field:
                page[row.field] = getattr(row, shown)
        page["reason"] = "; ".join([*reasons, *([remark] if remark else [])])
        yield page


def _without_remark(reason: str) -> tuple[str, str]:
    """A reason in two parts: about the field, and about its document, see `DUPLICATE_OF` and `GONE`."""
    start = min((reason.index(remark) for remark in (DUPLICATE_OF, GONE) if remark in reason), default=len(reason))
    return reason[:start].removesuffix("; "), reason[start:]


def export_table(
    path: Path,
    rows: Callable[[], Iterable[Row]],
    *,
    wide: bool,
    texts: bool = False,
    before: Callable[[Path], None] | None = None,
) -> None:
    """Write rows in the format of the path's suffix, see `write_table`; `rows` returns them each time it is called.

    `texts` is as in `wide_table`, and requires a wide table; `before` is as in `write_whole`.
    """
    write_whole(path, partial(write_rows, _writer(path), rows, wide=wide, texts=texts), before)


def write_rows(writer: Writer, rows: Callable[[], Iterable[Row]], file: BinaryIO, *, wide: bool, texts: bool) -> None:
    """Write the rows of a long or wide table to an open file."""
    columns, records = table_of(rows, wide=wide, texts=texts)
    writer(file, columns, records, frozenset() if texts else number_fields(rows()))


def table_of(rows: Callable[[], Iterable[Row]], *, wide: bool, texts: bool) -> tuple[Sequence[str], Iterator[Record]]:
    """The columns and records of a long or wide table."""
    return wide_table(rows, texts=texts) if wide or texts else long_table(rows(), told_columns(rows()))


def number_fields(rows: Iterable[Row]) -> frozenset[str]:
    """The fields whose values are amounts or measurements: all plain numbers, at least one of them with decimals.

    Either all values of a field are numbers to a spreadsheet or none, so that a sum never leaves some of them out.
    """
    decimal, other = set[str](), set[str]()
    for row in rows:
        if row.value:
            if not _NUMBER.fullmatch(row.value):
                other.add(row.field)
            elif "." in row.value or row.field in SURE_NUMBERS:
                decimal.add(row.field)
    return frozenset(decimal - other)


def write_table(
    path: Path, columns: Sequence[str], records: Iterable[Record], before: Callable[[Path], None] | None = None
) -> None:
    """Write records in the format of the path's suffix. Raises CannotWrite, and leaves the old file as it was."""
    writer = _writer(path)
    write_whole(path, lambda file: writer(file, columns, records, frozenset()), before)


def check_output(path: Path) -> None:
    """Check before the work starts whether a table can be written. Raises BadUsage for an unknown format, or CannotWrite."""
    if path.is_dir():
        raise CannotWrite(f"{path} is a folder; -o takes the name of a file, for example {path / 'results.csv'}")
    if path.exists() and not path.is_file():
        raise CannotWrite(f"{path} is no regular file; -o takes the name of a table, for example results.csv")
    _writer(path)
    folder = path.parent
    if not folder.is_dir():
        raise CannotWrite(f"no such folder: {folder}")
    probe = _aside(path)
    try:
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise CannotWrite(f"cannot write to {folder}: {problem.strerror}") from problem


def write_whole(path: Path, write: Callable[[BinaryIO], object], before: Callable[[Path], None] | None = None) -> None:
    """Write a temporary file, sync it, and move it into place. Raises CannotWrite.

    If the old file cannot be replaced because another program has it open, the new one is kept next to it. `before` is called
    with the temporary file when it is complete; if it raises, the old file is left as it was.
    """
    aside = _aside(path)
    try:
        with open(aside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if before:
            before(aside)
    except OSError as problem:
        with suppress(OSError):
            aside.unlink()
        free = ""
        with suppress(OSError):
            free = f" ({shutil.disk_usage(path.parent).free / 1e6:.1f} MB free there)"
        raise CannotWrite(f"cannot write {path}: {problem.strerror}{free}; make room and run again") from problem
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise
    try:
        os.replace(aside, path)
    except OSError as problem:
        names = chain([".new"], (f".new{number}" for number in count(2)))
        beside = next(one for name in names if not (one := path.with_name(f"{path.stem}{name}{path.suffix}")).exists())
        try:
            os.replace(aside, beside)
        except OSError:
            with suppress(OSError):
                aside.unlink()
            raise CannotWrite(f"cannot write {path}: {problem.strerror}") from problem
        raise CannotWrite(
            f"cannot replace {path} ({problem.strerror}; is it open in another program?); the new one is {beside}"
        ) from problem
    _sync_folder(path.parent)


def _aside(path: Path) -> Path:
    # Runs in two containers may share both a folder and a process id.
    return path.parent / f".docproc-{os.getpid()}-{secrets.token_hex(4)}.tmp"


def _sync_folder(folder: Path) -> None:
    """Sync a folder: only then is a file's new name durable. Windows cannot do this, and does not need to."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def safe_cell(value: Any) -> str:
    """A value as one line of valid Unicode text that no spreadsheet runs as a formula (CWE-1236)."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, int):
        return str(value)
    text = _printable(str(value))
    return f"'{text}" if text.startswith(FORMULA_STARTS) and not _NEGATIVE.fullmatch(text) else text


def safe_name(name: str) -> str:
    """A document's name as a cell: a relative path that starts like a formula gets the prefix `./`."""
    text = _printable(name)
    return f"./{text}" if text.startswith(FORMULA_STARTS) else text


def shown_name(name: str) -> str:
    """A document's name for a message: characters that change the writing direction are escaped as well."""
    return _DIRECTION.sub(lambda found: f"\\u{ord(found[0]):04x}", safe_name(name))


def _printable(text: str) -> str:
    """The text on one line, with control characters, line separators, backslashes and undecodable bytes escaped reversibly."""
    plain = []
    for character in text:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            plain.append(f"\\x{code - 0xDC00:02x}")
        elif character == "\\":
            plain.append("\\\\")
        elif character == "\n":
            plain.append("\\n")
        elif code < 32 or 0x7F <= code < 0xA0:
            plain.append(f"\\x{code:02x}")
        elif 0xD800 <= code <= 0xDFFF or code in (0x2028, 0x2029):
            plain.append(f"\\u{code:04x}")
        else:
            plain.append(character)
    return "".join(plain)


_NUMBER = re.compile(r"-?(0|[1-9]\d{0,12})(\.\d{1,9})?")  # a number that a spreadsheet keeps as it is
_NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]+)?")  # a number, not a formula
_DIRECTION = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]")


def _cells(columns: Sequence[str], record: Record) -> list[str]:
    return [safe_name(record[c]) if c == "document" else safe_cell(record[c]) for c in columns]


def _csv(file: BinaryIO, columns: Sequence[str], records: Iterable[Record], _: frozenset[str]) -> None:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(_cells(columns, record) for record in records)
    text.flush()
    text.detach()


def _jsonl(file: BinaryIO, columns: Sequence[str], records: Iterable[Record], _: frozenset[str]) -> None:
    for record in records:
        plain = {c: safe_name(record[c]) if c == "document" else record[c] for c in columns}
        file.write((json.dumps(plain, ensure_ascii=False) + "\n").encode("utf-8", "replace"))


def _xlsx(file: BinaryIO, columns: Sequence[str], records: Iterable[Record], numbers: frozenset[str]) -> None:
    from docproc.runs.workbook import write

    write(file, columns, records, numbers)


def _parquet(file: BinaryIO, columns: Sequence[str], records: Iterable[Record], _: frozenset[str]) -> None:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as problem:
        raise MissingPart("Parquet needs pyarrow: pip install pyarrow") from problem

    kinds = {"page": pyarrow.int64(), "confidence": pyarrow.float64()}
    kinds |= dict.fromkeys(("left", "top", "width", "height"), pyarrow.int64())
    schema = pyarrow.schema([(c, kinds.get(c, pyarrow.string())) for c in columns])
    with pyarrow.parquet.ParquetWriter(file, schema) as writer:
        for some in batched(records, PARQUET_BATCH_ROWS):
            plain = [
                {c: r[c] if c in kinds else safe_name(str(r[c] or "")) if c == "document" else str(r[c] or "") for c in columns}
                for r in some
            ]
            writer.write_table(pyarrow.Table.from_pylist(plain, schema=schema))


def batched(records: Iterable[Record], size: int) -> Iterator[list[Record]]:
    """The records in batches of this size."""
    source = iter(records)
    while some := list(islice(source, size)):
        yield some


Writer = Callable[[BinaryIO, Sequence[str], Iterable[Record], frozenset[str]], None]
WRITERS: Mapping[str, Writer] = {".csv": _csv, ".jsonl": _jsonl, ".xlsx": _xlsx, ".parquet": _parquet}
"""Formats by suffix."""


def _writer(path: Path) -> Writer:
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise BadUsage(f"the format of {path.name} follows from its ending, which should be one of {', '.join(WRITERS)}")
    return writer
