"""Results out: CSV or JSON Lines, long or wide, written aside and then moved into place, so half a table cannot exist."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from docproc.errors import BadUsage, CannotWrite, OutputExists
from docproc.types import Row

COLUMNS = tuple(field.name for field in fields(Row))
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")

Record = Mapping[str, Any]


def long_table(rows: Iterable[Row]) -> tuple[Sequence[str], list[Record]]:
    """One record a field: (columns, records)."""
    return COLUMNS, [{name: getattr(row, name) for name in COLUMNS} for row in rows]


def wide_table(rows: Iterable[Row]) -> tuple[Sequence[str], list[Record]]:
    """One record a page, one column a field. `status` is the worst of the page's fields and `review` names the doubtful."""
    rank = ("blank", "ok", "review", "error")
    names: dict[str, None] = {}
    pages: dict[tuple[str, int], dict[str, Any]] = {}
    for row in rows:
        page = pages.setdefault(
            (row.document, row.page),
            {"document": row.document, "page": row.page, "status": "blank", "review": "", "reason": ""},
        )
        page["status"] = max(page["status"], row.status, key=rank.index)
        if row.status == "review":
            page["review"] = f"{page['review']} {row.field}".strip()
        if row.status == "error":
            page["reason"] = row.reason
        if row.field:
            names.setdefault(row.field)
            page[row.field] = row.text
    columns = ("document", "page", "status", "review", "reason", *names)
    return columns, [{name: page.get(name, "") for name in columns} for page in pages.values()]


def write_table(path: Path, columns: Sequence[str], records: Sequence[Record]) -> None:
    """Write records in the format of the path's suffix. Raises CannotWrite; the old file stays whole then."""
    data = _writer(path)(columns, records)
    write_whole(path, data)


def check_output(path: Path, overwrite: bool) -> None:
    """Find out before the work what would go wrong after it.

    Raises BadUsage for an unknown format, OutputExists, or CannotWrite.
    """
    _writer(path)
    if path.is_dir():
        raise CannotWrite(f"{path} is a folder; -o takes the name of a file, for example {path / 'results.csv'}")
    if path.exists() and not overwrite:
        raise OutputExists(f"{path} is there already; give --overwrite or another name")
    folder = path.parent
    if not folder.is_dir():
        raise CannotWrite(f"there is no folder {folder}")
    probe = folder / f".{path.name}.{os.getpid()}.tmp"
    try:
        probe.touch()
        probe.unlink()
    except OSError as problem:
        raise CannotWrite(f"cannot write to {folder}: {problem.strerror}") from problem


def write_whole(path: Path, data: bytes) -> None:
    """Write a file aside, sync it, and move it into place. Raises CannotWrite."""
    aside = path.parent / f".{path.name}.{os.getpid()}.tmp"
    try:
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError as problem:
        with suppress(OSError):
            aside.unlink()
        hint = ": make room and run again" if problem.errno == errno.ENOSPC else ""
        raise CannotWrite(f"cannot write {path}: {problem.strerror}{hint}") from problem


def safe_cell(value: Any) -> str:
    """A value as one line of text that no spreadsheet runs as a formula (CWE-1236) and any encoding of names survives."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    text = _printable(str(value))
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def safe_name(name: str) -> str:
    """A document's name as a cell: a relative path that starts like a formula is written from `./`."""
    text = _printable(name)
    return f"./{text}" if text.startswith(FORMULA_STARTS) else text


def _printable(text: str) -> str:
    """Control characters and bytes of no encoding, escaped; a name stays on one line."""
    plain = []
    for character in text:
        code = ord(character)
        if 0xDC80 <= code <= 0xDCFF:
            plain.append(f"\\x{code - 0xDC00:02x}")
        elif character == "\n":
            plain.append("\\n")
        elif code < 32 or code == 127:
            plain.append(f"\\x{code:02x}")
        else:
            plain.append(character)
    return "".join(plain)


def _cells(columns: Sequence[str], record: Record) -> list[str]:
    return [safe_name(record[c]) if c == "document" else safe_cell(record[c]) for c in columns]


def _csv(columns: Sequence[str], records: Sequence[Record]) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(_cells(columns, record) for record in records)
    return file.getvalue().encode("utf-8")


def _jsonl(columns: Sequence[str], records: Sequence[Record]) -> bytes:
    def plain(record: Record) -> dict[str, Any]:
        return {c: safe_name(record[c]) if c == "document" else record[c] for c in columns}

    return "".join(json.dumps(plain(record), ensure_ascii=False) + "\n" for record in records).encode("utf-8", "replace")


WRITERS: Mapping[str, Callable[[Sequence[str], Sequence[Record]], bytes]] = {".csv": _csv, ".jsonl": _jsonl}
"""Formats by suffix."""


def _writer(path: Path) -> Callable[[Sequence[str], Sequence[Record]], bytes]:
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise BadUsage(f"the format of {path.name} follows from its ending, which should be one of {', '.join(WRITERS)}")
    return writer
