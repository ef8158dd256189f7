"""The edits in a journal: an append-only table."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, fields, replace
from datetime import UTC, datetime

from docproc.runs.edits import HOW, SAID, Edit, FieldKey, StaleEdit
from docproc.runs.planting import Planted

TABLE = """
    CREATE TABLE edit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL, page INTEGER NOT NULL, field TEXT NOT NULL,
        said TEXT NOT NULL, text TEXT NOT NULL, how TEXT NOT NULL, read TEXT NOT NULL, read_value TEXT NOT NULL,
        who TEXT NOT NULL, screen TEXT NOT NULL, at TEXT NOT NULL, overruled INTEGER NOT NULL, document BLOB NOT NULL
    );
    CREATE INDEX edit_by_field ON edit (sha256, page, field);
"""
PLANTED = """
    CREATE TABLE planted (
        sha256 TEXT NOT NULL, page INTEGER NOT NULL, field TEXT NOT NULL, text TEXT NOT NULL, passed INTEGER NOT NULL,
        who TEXT NOT NULL, screen TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (sha256, page, field)
    ) WITHOUT ROWID;
"""
_COLUMNS = tuple(field.name for field in fields(Edit))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM edit"


def select(db: sqlite3.Connection, sha256: str = "") -> Iterator[Edit]:
    """The edits of a journal, oldest first; or those of one document."""
    rows = db.execute(f"{_SELECT} WHERE sha256 = ? ORDER BY id", (sha256,)) if sha256 else db.execute(f"{_SELECT} ORDER BY id")
    return map(_edit, rows)


def since(db: sqlite3.Connection, key: FieldKey, version: int) -> list[Edit]:
    """The edits of a field that came after the one with this number, oldest first."""
    rows = db.execute(f"{_SELECT} WHERE sha256 = ? AND page = ? AND field = ? AND id > ? ORDER BY id", (*key, version))
    return [_edit(row) for row in rows]


def after(db: sqlite3.Connection, number: int) -> list[Edit]:
    """The edits that came after the one with this number, oldest first."""
    return [_edit(row) for row in db.execute(f"{_SELECT} WHERE id > ? ORDER BY id", (number,))]


def contents(db: sqlite3.Connection, sha256: str = "") -> frozenset[str]:
    """The SHA-256 hashes of documents that have edits; or only this one, if it has any."""
    wanted, values = ("WHERE sha256 = ?", (sha256,)) if sha256 else ("", ())
    return frozenset(str(found[0]) for found in db.execute(f"SELECT DISTINCT sha256 FROM edit {wanted}", values))


def insert(db: sqlite3.Connection, edits: Sequence[Edit], seen: Mapping[FieldKey, int] | None) -> list[int]:
    """Store edits in the open transaction; returns their numbers.

    `seen` maps each field to the number of its last edit that the writer knows of; a field not in it had none. Raises StaleEdit
    if there is a later one, unless `seen` is None, and ValueError for an edit that makes no sense.
    """
    for edit in edits:
        _check(edit)
        if seen is not None and (came := since(db, edit.key, seen.get(edit.key, 0))):
            raise StaleEdit(edit, came)
    numbers = []
    names, marks = ", ".join(_COLUMNS[:-1]), ", ".join("?" * (len(_COLUMNS) - 1))
    for edit in edits:
        values = [_plain(value) for value in astuple(replace(edit, at=edit.at or utc_now(), document=""))[:-2]]
        cursor = db.execute(f"INSERT INTO edit ({names}) VALUES ({marks})", (*values, os.fsencode(edit.document)))
        assert cursor.lastrowid is not None
        numbers.append(cursor.lastrowid)
    return numbers


def delete(db: sqlite3.Connection) -> int:
    """Delete all edits in the open transaction; their numbers are never reused. Returns how many there were.

    Also deletes what people did with planted readings.
    """
    db.execute("DELETE FROM planted")
    return db.execute("DELETE FROM edit").rowcount


def insert_planted(db: sqlite3.Connection, planted: Sequence[Planted]) -> None:
    """Store what people did with planted readings, in the open transaction; only the first time counts."""
    for one in planted:
        values = [_plain(value) for value in astuple(replace(one, at=one.at or utc_now()))]
        db.execute("INSERT OR IGNORE INTO planted VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def select_planted(db: sqlite3.Connection) -> list[Planted]:
    """What people did with planted readings, oldest first."""
    names = ", ".join(field.name for field in fields(Planted))
    found = db.execute(f"SELECT {names} FROM planted ORDER BY at, sha256, page, field")
    return [replace(one, passed=bool(one.passed)) for one in (Planted(*row) for row in found)]


def by_how(db: sqlite3.Connection) -> Counter[str]:
    """The number of edits by kind."""
    return Counter(dict(db.execute("SELECT how, count(*) FROM edit GROUP BY how")))


def utc_now() -> str:
    """The time in UTC, as stored in edits."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _edit(row: Sequence[object]) -> Edit:
    values = dict(zip(_COLUMNS, row, strict=True))
    values |= {"overruled": bool(values["overruled"]), "document": os.fsdecode(values["document"])}  # type: ignore[arg-type]
    return Edit(**values)  # type: ignore[arg-type]


def _check(edit: Edit) -> None:
    if edit.said not in SAID or edit.how not in HOW or edit.page < 1 or not edit.field or not edit.sha256:
        raise ValueError(f"this is no edit: {edit}")
    if (edit.said == "text") != bool(edit.text):
        raise ValueError(f"an edit has a text where it says one, and only there: {edit}")


def _plain(value: object) -> object:
    # A person's name may contain any bytes; SQLite's text is UTF-8.
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value
