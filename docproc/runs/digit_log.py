"""What people said about single digits: an append-only table of the journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace

from docproc.runs.edits import FieldKey
from docproc.types import DIGIT_SYMBOLS

MARKED, WITHDRAWN = "marked", "withdrawn"
SAID = (*DIGIT_SYMBOLS, MARKED, WITHDRAWN)

TABLE = """
    CREATE TABLE digit_edit (
        id INTEGER PRIMARY KEY AUTOINCREMENT, sha256 TEXT NOT NULL, page INTEGER NOT NULL, field TEXT NOT NULL,
        place INTEGER NOT NULL, text TEXT NOT NULL, said TEXT NOT NULL, who TEXT NOT NULL, at TEXT NOT NULL
    );
"""


@dataclass(frozen=True, slots=True)
class DigitEdit:
    """What a person said about one digit of a field. It applies as long as the field is read as the same text."""

    sha256: str  # of the document's content
    page: int  # from 1
    field: str
    place: int  # index of the digit in the text, from 0
    text: str  # what docproc had read in the field
    said: str  # the digit on the paper; `MARKED`: not the digit that was read; `WITHDRAWN`: the last statement does not count
    who: str = ""
    at: str = ""  # UTC time; "" until it is stored
    id: int = 0  # increases within a journal; 0 until it is stored

    @property
    def key(self) -> FieldKey:
        return self.sha256, self.page, self.field


_COLUMNS = tuple(field.name for field in fields(DigitEdit))


def insert(db: sqlite3.Connection, edits: Sequence[DigitEdit], now: str) -> None:
    """Store them in the open transaction. Raises ValueError for one that makes no sense."""
    for edit in edits:
        if edit.said not in SAID or not 0 <= edit.place < len(edit.text) or not edit.sha256 or not edit.field:
            raise ValueError(f"this is no edit of a digit: {edit}")
    names, marks = ", ".join(_COLUMNS[:-1]), ", ".join("?" * (len(_COLUMNS) - 1))
    values = [
        astuple(replace(edit, who=edit.who.encode("utf-8", "replace").decode(), at=edit.at or now))[:-1] for edit in edits
    ]
    db.executemany(f"INSERT INTO digit_edit ({names}) VALUES ({marks})", values)


def select(db: sqlite3.Connection) -> list[DigitEdit]:
    """All of them, oldest first."""
    return [DigitEdit(*row) for row in db.execute(f"SELECT {', '.join(_COLUMNS)} FROM digit_edit ORDER BY id")]


def delete(db: sqlite3.Connection) -> None:
    """Delete all of them in the open transaction."""
    db.execute("DELETE FROM digit_edit")
