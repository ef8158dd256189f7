"""The journal of a run: which documents were found, and the rows read from each; a SQLite file next to the table.

Each document is committed separately, so a run that ends for any reason, by Ctrl-C or a power cut, continues where it stopped.
The table is only a copy of the journal. A document is read again when its content, or the settings it was read with, no longer
match the journal. A run that opens a journal of an earlier version converts it to the current form.

The journal also keeps the table as it was written, because a person may have changed cells of it since, see `runs.audit`; and
what people said about fields, see `runs.edits`. Edits belong to the content of documents: only `discard_edits` deletes them.
"""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, Literal, overload

from docproc import stores
from docproc.archives import file_stat
from docproc.errors import BadInput, CannotWrite, DocumentError
from docproc.files import Document
from docproc.options import JOURNAL_SUFFIX
from docproc.runs import digit_log, edit_log, places
from docproc.runs.digit_log import DigitEdit
from docproc.runs.edits import Edit, FieldKey, FieldState, document_states, keyed_rows
from docproc.runs.planting import Planted
from docproc.runs.sampling import Sample, SampleSize, accepted_fields, draw, new_secret
from docproc.runs.specs import packed, unpacked
from docproc.runs.tables import DUPLICATE_OF, GONE
from docproc.types import DETAILS, FieldSpec, Keyed, Row, Status
from docproc.urls import Stamp, Url, located
from docproc.weights.drift import Fact

SCHEMA = "9"
SUFFIX = JOURNAL_SUFFIX
PART_BYTES = 1 << 20  # of a stored table, per cell of the journal [guess]
PLANNED_AT_ONCE = 5_000  # documents entered together, so that few are held in memory twice [guess]
MAX_FAILURES = 100  # that `Standing` lists [guess]
# Codes of errors that may be gone by the next run: such documents are tried again.
TRANSIENT = frozenset({"not_found", "permission", "io_error", "changing", "timeout", "worker_died", "internal"})
NETWORK_FILE_SYSTEMS = ("nfs", "cifs", "smb", "9p", "fuse.sshfs", "ceph", "glusterfs", "afs", "lustre")

# The values of `document.listed`.
DROPPED, PRESENT, AWAY, AWAY_OTHERWISE = range(4)
"""Not in the table; among the inputs; no longer among them; no longer, and read with other settings than the current ones."""

KEYED = "keyed"  # a table column that follows from edits, and is not stored with the readings
DIGITS = "digits"  # a column of rows: the positions of the digits, see `places`; NULL if unknown
_ROW = tuple(field.name for field in fields(Row) if field.name not in (*DETAILS, KEYED))
_STORED = (*_ROW[1:], "spec")  # of a row, besides its document
_SHOWN = tuple(field.name for field in fields(Row) if field.name not in DETAILS)[1:]
# SQL defaults for columns that an earlier version did not have.
_DEFAULTS = {column: "NULL" if column in ("residual", DIGITS) else "''" for column in (*_STORED, KEYED, DIGITS)}
_WRITTEN = "CREATE TABLE written (state TEXT NOT NULL, part INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (state, part));"
_SPECS = "CREATE TABLE spec (name TEXT PRIMARY KEY, spec TEXT NOT NULL) WITHOUT ROWID;"
_TABLES = f"""
    CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE document (
        name BLOB PRIMARY KEY, path BLOB NOT NULL, listed INTEGER NOT NULL, done INTEGER NOT NULL DEFAULT 0,
        attempts INTEGER NOT NULL DEFAULT 0, size INTEGER, modified INTEGER, changed INTEGER, sha256 TEXT,
        settings TEXT, code TEXT NOT NULL DEFAULT ''
    ) WITHOUT ROWID;
    CREATE INDEX by_content ON document (sha256);
    CREATE TABLE row (
        name BLOB NOT NULL, place INTEGER NOT NULL, {", ".join(f'"{column}"' for column in (*_STORED, DIGITS))},
        PRIMARY KEY (name, place)
    ) WITHOUT ROWID;
    {_SPECS}
    {_WRITTEN}
    {edit_log.TABLE}
    {edit_log.PLANTED}
    {digit_log.TABLE}
"""
SECRET, _LIMIT = "audit_secret", "audit_limit"  # notes on the sample of an audit
_OF_PEOPLE = ("schema", SECRET, _LIMIT)  # notes that are kept when everything is read again


@dataclass(frozen=True, slots=True)
class Todo:
    """A document that has to be read."""

    document: Document
    settings: str  # what it is read with, see `Journal.plan`
    sha256: str | None  # of the content whose rows are in the journal, read with the same settings
    attempts: int  # earlier ones that were begun and never finished
    stamp: Stamp | None = None  # of the file before it was read


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows about a document from earlier runs."""

    path: bytes
    settings: str  # what it was, or was to be, read with
    done: bool
    attempts: int = 0  # that were begun and never finished
    stamp: Stamp | None = None  # of the file that was read; None if it could not be determined
    sha256: str | None = None  # of the content that was read
    code: str = ""  # of its first error
    has_rows: bool = False


class _AllNew(Sequence[Todo]):
    """Documents in stores, none of them known yet: each is created on demand, because there may be millions."""

    def __init__(self, planned: Sequence[tuple[Document, str]]) -> None:
        self._planned = planned

    def __len__(self) -> int:
        return len(self._planned)

    @overload
    def __getitem__(self, index: int) -> Todo: ...

    @overload
    def __getitem__(self, index: slice) -> list[Todo]: ...

    def __getitem__(self, index: int | slice) -> Todo | list[Todo]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        document, settings = self._planned[index]
        return Todo(document, settings, None, 0, document.path.stamp if isinstance(document.path, Url) else None)


Decision = Literal["skip", "compare", "read"]


def decide(known: Known | None, path: bytes, stamp: Stamp | None, settings: str, *, retry: bool) -> Decision:
    """What a run does with a document at `path` that has this stamp and is to be read with these settings.

    `skip`: its rows are kept, and its file is not opened. `compare`: its content is hashed, and its rows are kept if the hash
    is the same. `read`: it is read, and nothing is kept. With `retry`, errors that may be gone are tried again.
    """
    if known is None or known.settings != settings:
        return "read"
    transient = known.code in TRANSIENT
    # Two stamps of None are equal but say nothing: those files could not even be seen.
    if known.done and known.stamp == stamp and known.path == path and not (retry and transient):
        return "skip"
    return "compare" if known.sha256 and known.has_rows and not transient else "read"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of reading a document."""

    rows: tuple[Row, ...] | None  # None: the content has not changed since the rows in the journal
    sha256: str | None = None
    size: int | None = None
    modified: int | None = None
    changed: int | None = None
    code: str = ""  # of its first error


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a run."""

    documents: int  # listed
    done: int
    failed: int
    pages: int
    fields: int
    by_status: Counter[Status]
    failures: tuple[tuple[str, int, str], ...]  # document, page, reason; the first MAX_FAILURES
    duplicates: tuple[tuple[str, str], ...]  # a document and the first one with the same content
    notes: Mapping[str, str]  # command, inputs, times, model, ...
    away: int = 0  # documents in the table that are no longer among the inputs
    gone: frozenset[str] = frozenset()  # those of them that are named in `duplicates`
    edits: int = 0  # entered by people, including those taken back
    keyed: Counter[Keyed] = field(default_factory=Counter)  # number of fields by what people did


def reading_settings(general: str, template: str, other: str) -> str:
    """The settings that a document is read with, as three hashes: general, template, and those not affecting readings.

    For a document that is no longer among the inputs, they show whether its rows are still valid, see `holding`.
    """
    return f"{general}.{template}.{other}"


def holding(planned: Mapping[str, str]) -> Callable[[str, str], bool]:
    """Tells for (settings, folder) whether such rows may stand next to those of a run with these settings by folder."""
    generals = {one.split(".")[0] for one in planned.values()}
    templates = {tuple(one.split(".")[:2]) for one in planned.values()}

    def holds(settings: str, folder: str) -> bool:
        general, *template = settings.split(".")[:2]
        return (general, *template) in templates or (general in generals and folder not in planned)

    return holds


def journal_path(output: Path) -> Path:
    """The path of a table's journal."""
    return output if output.suffix == SUFFIX else output.with_name(output.name + SUFFIX)


class Journal:
    """The open journal of one output. One run writes readings, people enter edits, and others may read at the same time."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection
        self._specs: dict[str, FieldSpec | None] = {}

    # ----------------------------------------------------------------------------------------------- opening

    @classmethod
    @contextmanager
    def open(cls, output: Path, *, anew: bool = False, threads: bool = False) -> Iterator[Journal]:
        """Open the journal of `output` for writing, or create it. Raises CannotWrite.

        `anew` deletes everything but the edits of an old one; a damaged one is set aside. `threads` allows several threads to
        use it, one after another.
        """
        path = journal_path(output)
        if anew and _is_damaged(path):
            _set_aside(path)
        journal = cls(path, _connect(path, threads=threads))
        try:
            with journal._guard():
                journal._prepare()
            if anew:
                journal._begin_anew()
            yield journal
            # Without a write-ahead log, reading a finished journal leaves no extra files next to it.
            with suppress(sqlite3.Error):
                journal._db.execute("PRAGMA journal_mode=DELETE")
        finally:
            with suppress(sqlite3.Error):
                journal._db.close()

    @classmethod
    @contextmanager
    def look(cls, output: Path) -> Iterator[Journal]:
        """Open the journal of `output` for reading. Raises BadInput if there is none."""
        path = journal_path(output)
        if not path.is_file():
            if path != output and output.exists():
                raise BadInput(
                    f"there is no journal {path}: give the table that docproc run wrote, where it wrote it; a copy or a table "
                    "with another name has none"
                )
            raise BadInput(f"there is no journal {path}; docproc run -o {output} makes one")
        try:
            # A run may be writing: then the newest data are in the log next to the file.
            mode = "ro" if os.access(path.parent, os.W_OK) else "ro&immutable=1"
            db = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=5)
            journal = cls(path, db)
            try:
                if _is_newer(journal.note("schema")):
                    raise BadInput(_newer(path))
            except BaseException:
                db.close()
                raise
        except sqlite3.Error as problem:
            raise BadInput(f"{path} is no readable journal: {problem}") from problem
        try:
            db.execute("BEGIN")  # everything is read as of one point in time
            yield journal
        except sqlite3.Error as problem:
            raise BadInput(f"{path} is no readable journal: {problem}") from problem
        finally:
            db.close()

    def _prepare(self) -> None:
        mode = "DELETE" if on_network(self.path) else "WAL"
        self._db.execute(f"PRAGMA journal_mode={mode}")
        self._db.execute("PRAGMA synchronous=EXTRA")  # what was acknowledged is on disk, even without a write-ahead log
        known = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if not known:
            self._db.executescript(f"BEGIN; {_TABLES} INSERT INTO run VALUES ('schema', '{SCHEMA}'); COMMIT;")
        elif _is_newer(self.note("schema")):
            raise CannotWrite(_newer(self.path))
        elif self.note("schema") != SCHEMA:
            self._migrate()

    def _migrate(self) -> None:
        """Convert a journal of an earlier version to the current form; no readings are lost."""
        with self._transaction() as db:
            for column in (*_STORED, DIGITS):
                if column not in self._columns():
                    db.execute(f'ALTER TABLE row ADD COLUMN "{column}" DEFAULT {_DEFAULTS[column]}')
            for table, created in (
                ("written", _WRITTEN), ("spec", _SPECS), ("edit", edit_log.TABLE), ("planted", edit_log.PLANTED),
                ("digit_edit", digit_log.TABLE),
            ):  # fmt: skip
                if not self._has(table):
                    for statement in created.split(";"):
                        db.execute(statement)
            db.execute("UPDATE run SET value = ? WHERE key = 'schema'", (SCHEMA,))

    def _begin_anew(self) -> None:
        """Delete what was read, and keep what people said about it."""
        with self._transaction() as db:
            for table in ("document", "row", "spec", "written"):
                db.execute(f"DELETE FROM {table}")
            db.execute(f"DELETE FROM run WHERE key NOT IN ({', '.join('?' * len(_OF_PEOPLE))})", _OF_PEOPLE)

    def _columns(self) -> list[str]:
        """The columns of rows in this journal: earlier versions had fewer, and in a different order."""
        return [str(found[1]) for found in self._db.execute("PRAGMA table_info(row)")]

    def _has(self, table: str) -> bool:
        """Whether this journal has a table: earlier versions had fewer."""
        return self._one(f"SELECT count(*) FROM sqlite_master WHERE name = '{table}'") > 0

    # ----------------------------------------------------------------------------------------------- writing

    def plan(
        self,
        documents: Sequence[tuple[Document, str]],
        *,
        forget: bool = False,
        waiting: Collection[str] = (),
        retry: bool = True,
    ) -> Sequence[Todo]:
        """Enter the documents of this run, each with its settings; returns those to read, see `decide`.

        Documents during which earlier runs ended come last. Documents of earlier runs that are not among them stay in the
        table, with a reason that says so; those read with other settings go to review. With `forget` they leave the table, and
        stay in the journal. Documents whose names are in `waiting` are present, but are not planned for reading. `retry` tries
        again what a finished run could not read, if the reason may be gone.
        """
        todo: list[Todo] = []
        with self._transaction() as db:
            retry = retry and self.note("finished") != ""
            fresh = self._one("SELECT count(*) FROM (SELECT 1 FROM document LIMIT 1)") == 0
            if not fresh:
                self._unlist(db, documents, {os.fsencode(name) for name in waiting}, forget=forget)
            in_stores = fresh and all(isinstance(one.path, Url) for one, _ in documents)
            for first in range(0, len(documents), PLANNED_AT_ONCE):
                some = self._plan_some(db, documents[first : first + PLANNED_AT_ONCE], fresh=fresh, retry=retry)
                todo += [] if in_stores else some
            db.execute("DELETE FROM run WHERE key = 'finished'")
        if in_stores:
            return _AllNew(documents)
        return sorted(todo, key=lambda one: one.attempts)

    def _plan_some(
        self, db: sqlite3.Connection, documents: Sequence[tuple[Document, str]], *, fresh: bool, retry: bool
    ) -> list[Todo]:
        """The same for some of the documents; in a `fresh` journal none is known."""
        todo: list[Todo] = []
        skipped: list[tuple[bytes]] = []
        stale: list[tuple[bytes]] = []  # documents whose rows are no longer valid
        entered: list[tuple[bytes, bytes, str, int]] = []
        # Objects named in a list have not been looked at yet; for new ones there is nothing to compare.
        unseen = [one.path for one, _ in documents if isinstance(one.path, Url) and one.path.stamp is None and not fresh]
        seen = stores.stamps(unseen) if unseen else {}
        for document, settings in documents:
            name, path = os.fsencode(document.name), os.fsencode(document.path)
            where = document.path
            stamp = where.stamp or seen.get(where) if isinstance(where, Url) else _stamp(where)
            known = None if fresh else self._known(name)
            decision = decide(known, path, stamp, settings, retry=retry)
            if decision == "skip":
                skipped.append((name,))
                continue
            if known and decision == "read":
                stale.append((name,))
            sha256 = known.sha256 if known and decision == "compare" else None
            attempts = known.attempts if known and known.settings == settings and not known.done else 0
            todo.append(Todo(document, settings, sha256, attempts, stamp))
            entered.append((name, path, settings, attempts))
        db.executemany("UPDATE document SET listed = 1 WHERE name = ?", skipped)
        # Readings made with other settings must never stand next to new ones.
        db.executemany("DELETE FROM row WHERE name = ?", stale)
        db.executemany(
            "INSERT INTO document (name, path, listed, settings, attempts) VALUES (?, ?, 1, ?, ?) ON CONFLICT (name) "
            "DO UPDATE SET path = excluded.path, listed = 1, done = 0, settings = excluded.settings, "
            "attempts = excluded.attempts",
            entered,
        )
        return todo

    @staticmethod
    def _unlist(
        db: sqlite3.Connection, documents: Sequence[tuple[Document, str]], waiting: Collection[bytes], *, forget: bool
    ) -> None:
        """Mark the documents of earlier runs that are not among these; see `plan`."""
        planned = {os.fsencode(document.name) for document, _ in documents}
        by_folder = {os.path.dirname(os.fspath(document.path)): settings for document, settings in documents}
        still = holding(by_folder)
        states: list[tuple[int, bytes]] = []
        for name, path, settings in db.execute("SELECT name, path, settings FROM document WHERE done AND listed"):
            if name in planned:
                continue
            holds = still(settings, os.path.dirname(os.fsdecode(path)))
            if name in waiting:
                states.append((PRESENT if holds else DROPPED, name))
            elif not forget:
                states.append((AWAY if holds else AWAY_OTHERWISE, name))
        db.execute("UPDATE document SET listed = 0")
        db.executemany("UPDATE document SET listed = ? WHERE name = ?", states)

    def _known(self, name: bytes) -> Known | None:
        found = self._db.execute(
            "SELECT path, settings, done, attempts, size, modified, changed, sha256, code, "
            "EXISTS (SELECT 1 FROM row WHERE row.name = document.name) FROM document WHERE name = ?",
            (name,),
        ).fetchone()
        if found is None:
            return None
        path, settings, done, attempts, size, modified, changed, sha256, code, has_rows = found
        stamp = None if size is None else (size, modified, changed)
        return Known(path, settings, bool(done), attempts, stamp, sha256, code, bool(has_rows))

    def begin(self, *documents: Document) -> None:
        """Record that reading of these documents begins; this identifies a file that ends every run."""
        names = [(os.fsencode(one.name),) for one in documents]
        with self._transaction() as db:
            db.executemany("UPDATE document SET attempts = attempts + 1 WHERE name = ?", names)

    def finish(self, document: Document, outcome: Outcome) -> None:
        """Enter the outcome of a document in one transaction."""
        self.finish_all([(document, outcome)])

    def finish_all(self, outcomes: Iterable[tuple[Document, Outcome]]) -> None:
        """Enter the outcomes of several documents in one transaction."""
        with self._transaction() as db:
            for document, outcome in outcomes:
                self._enter(db, os.fsencode(document.name), outcome)

    @staticmethod
    def _enter(db: sqlite3.Connection, name: bytes, outcome: Outcome) -> None:
        if outcome.rows is not None:
            db.execute("DELETE FROM row WHERE name = ?", (name,))
            marks = ", ".join("?" * (len(_STORED) + 3))
            columns = ", ".join(f'"{column}"' for column in ("name", "place", *_STORED, DIGITS))
            for place, row in enumerate(outcome.rows):
                values = [_plain(getattr(row, column)) for column in _ROW[1:]]
                values += [_keep_spec(db, row.spec), places.packed(row)]
                db.execute(f"INSERT INTO row ({columns}) VALUES ({marks})", (name, place, *values))
        db.execute(
            "UPDATE document SET done = 1, attempts = 0, size = ?, modified = ?, changed = ?, sha256 = ?, "
            "code = CASE WHEN ? THEN ? ELSE code END WHERE name = ?",
            (outcome.size, outcome.modified, outcome.changed, outcome.sha256, outcome.rows is not None, outcome.code, name),
        )

    def keep(self, **notes: str) -> None:
        """Store facts about the run."""
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", [(key, _plain(value)) for key, value in notes.items()])

    # --------------------------------------------------------------------------------------- the table as written

    def keep_written(self, table: Path) -> None:
        """Keep a copy of a table that is about to be written; it is valid in addition to the last one until `written_now`.

        So the journal knows the table at all times, even if the power fails between the two.
        """
        with self._transaction() as db:
            db.execute("DELETE FROM written WHERE state = 'next'")
            with open(table, "rb") as file:
                for part, data in enumerate(iter(lambda: file.read(PART_BYTES), b"")):
                    db.execute("INSERT INTO written VALUES ('next', ?, ?)", (part, zlib.compress(data, 1)))
                if not file.tell():
                    db.execute("INSERT INTO written VALUES ('next', 0, ?)", (zlib.compress(b""),))

    def written_now(self) -> None:
        """The copy that was kept last is now the table."""
        with self._transaction() as db:
            if self._one("SELECT count(*) FROM written WHERE state = 'next'"):
                db.execute("DELETE FROM written WHERE state = 'last'")
                db.execute("UPDATE written SET state = 'last' WHERE state = 'next'")

    def adopt(self, table: Path) -> None:
        """Treat the current table as the one written: whoever replaces it now knows its content. Raises OSError."""
        state = self._state_of(table)
        if state != "last":
            if state is None:
                self.keep_written(table)
            self.written_now()

    def written(self) -> list[bytes]:
        """The copies that the table may match; none if this journal has not written a table yet."""
        return [b"".join(self._parts(state)) for state in self._states()]

    def wrote(self, table: Path) -> bool:
        """Whether the table matches one of the copies byte for byte. Raises OSError."""
        return self._state_of(table) is not None

    def _states(self) -> list[str]:
        if not self._has("written"):
            return []
        return [str(found[0]) for found in self._db.execute("SELECT DISTINCT state FROM written ORDER BY state")]

    def _state_of(self, table: Path) -> str | None:
        return next((state for state in self._states() if self._is_copy(table, state)), None)

    def _is_copy(self, table: Path, state: str) -> bool:
        with open(table, "rb") as file:
            return all(part == file.read(len(part)) for part in self._parts(state)) and not file.read(1)

    def has_written(self) -> bool:
        """Whether there is a copy of the table."""
        return bool(self._states())

    def _parts(self, state: str) -> Iterator[bytes]:
        for (data,) in self._db.execute("SELECT data FROM written WHERE state = ? ORDER BY part", (state,)):
            yield zlib.decompress(data)

    # ------------------------------------------------------------------------------------------- what people said

    def add_edits(
        self, edits: Sequence[Edit], seen: Mapping[FieldKey, int] | None = None, planted: Sequence[Planted] = (),
        digits: Sequence[DigitEdit] = (),
    ) -> list[int]:  # fmt: skip
        """Store edits, all or none; when this returns they are on disk. Returns their numbers, see `FieldState.version`.

        `seen` has the version of each field that the writer knows of; a field not in it had no edit. Raises StaleEdit if
        somebody else was first, unless `seen` is None, ValueError for an edit that makes no sense, or CannotWrite. `planted` is
        what people did when shown a wrong reading; a second one for the same field is ignored. `digits` is what was said about
        single digits.
        """
        with self._transaction() as db:
            digit_log.insert(db, digits, edit_log.utc_now())
            edit_log.insert_planted(db, planted)
            return edit_log.insert(db, edits, seen)

    # -------------------------------------------------------------------------------------- joining journals

    def settings(self) -> Iterator[tuple[Document, str]]:
        """The documents that are or will be in the table, by name, each with the settings it is read with, see `plan`."""
        for name, path, settings in self._db.execute("SELECT name, path, settings FROM document WHERE listed ORDER BY name"):
            yield Document(os.fsdecode(name), located(os.fsdecode(path))), str(settings)

    def absorb(self, other: Path) -> None:
        """Take over the documents, with their rows but not the edits, from a finished run's journal of this version.

        Raises BadInput if a document is in both, or CannotWrite. `other` is the file of the journal.
        """
        with self._guard():
            self._db.execute("ATTACH ? AS part", (str(other),))
        try:
            with self._transaction() as db:
                both = "SELECT name FROM part.document WHERE name IN (SELECT name FROM main.document) LIMIT 1"
                if twice := db.execute(both).fetchone():
                    raise BadInput(f"{os.fsdecode(twice[0])} is in {other} and in an earlier part")
                for table in ("document", "row", "spec"):
                    names = ", ".join(f'"{found[1]}"' for found in db.execute(f"PRAGMA main.table_info({table})"))
                    add = "INSERT OR IGNORE" if table == "spec" else "INSERT"
                    db.execute(f"{add} INTO main.{table} ({names}) SELECT {names} FROM part.{table}")
        finally:
            with suppress(sqlite3.Error):
                self._db.execute("DETACH part")

    def discard_edits(self) -> int:
        """Delete all edits, what was said about digits, and what people did with planted readings. Raises CannotWrite.

        Returns how many edits there were.
        """
        with self._transaction() as db:
            digit_log.delete(db)
            return edit_log.delete(db)

    def edits(self) -> Iterator[Edit]:
        """All edits, oldest first, including those of documents that are no longer in the table."""
        return edit_log.select(self._db) if self._has("edit") else iter(())

    def edits_after(self, number: int) -> list[Edit]:
        """The edits that were entered after the one with this number, oldest first."""
        return edit_log.after(self._db, number) if self._has("edit") else []

    def last_edit(self) -> int:
        """The number of the last edit; 0 if there is none."""
        return self._one("SELECT coalesce(max(id), 0) FROM edit") if self._has("edit") else 0

    def digit_edits(self) -> list[DigitEdit]:
        """What people said about single digits, oldest first."""
        return digit_log.select(self._db) if self._has("digit_edit") else []

    def planted(self) -> list[Planted]:
        """What people did when shown a wrong reading, oldest first."""
        return edit_log.select_planted(self._db) if self._has("planted") else []

    def secret(self) -> str:
        """The secret that decides which fields are drawn, see `runs.sampling`; created if there is none. Raises CannotWrite."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO run VALUES (?, ?)", (SECRET, new_secret()))
        return self.note(SECRET)

    def sample(self) -> Sample | None:
        """The audit sample; None if none was drawn."""
        limit = self.note(_LIMIT)
        return Sample(self.note(SECRET), int(limit)) if limit else None

    def draw_sample(self, size: SampleSize) -> Sample:
        """Draw the audit sample from the accepted fields, or enlarge it. Raises CannotWrite."""
        secret, before = self.secret(), self.sample()
        accepted = [state.key for state in accepted_fields(self.fields())]
        drawn = draw(secret, accepted, size, before.limit if before else -1)
        self.keep(**{_LIMIT: str(drawn.limit)})
        return drawn

    # ----------------------------------------------------------------------------------------------- reading

    def note(self, key: str) -> str:
        """A fact about the run, or ""."""
        found = self._db.execute("SELECT value FROM run WHERE key = ?", (key,)).fetchone()
        return str(found[0]) if found else ""

    def readings(self) -> Iterator[Row]:
        """The rows of all listed documents that are done, as docproc read them, by name and page.

        The rows of a duplicate say so in their reason.
        """
        for document in self._documents():
            yield from document.told(document.readings)

    def rows(self) -> Iterator[Row]:
        """The rows of the table, in the same order, from what was read and what people said."""
        for document in self._documents():
            yield from document.told(document.rows)

    def fields(self, sha256: str = "", *, digits: bool = False) -> Iterator[FieldState]:
        """The fields of the table, in the same order: what was read there, what people said, and the resulting row.

        With `sha256`, only those of documents with this content. With `digits` the rows include their digits if their positions
        were stored, see `places`.
        """
        for document in self._documents(sha256=sha256, digits=digits):
            readings, rows = document.told(document.readings), document.told(document.rows)
            yield from document_states(document.sha256, readings, rows, document.edits)

    def facts(self) -> Iterator[Fact]:
        """The basic facts about every table field in which something was read, leaving out copies of documents."""
        found = self._db.execute(
            "SELECT field, confidence, length(text), height FROM row WHERE confidence IS NOT NULL AND field != '' "
            "AND status IN ('ok', 'review') AND name IN "
            "(SELECT min(name) FROM document WHERE listed AND done GROUP BY coalesce(sha256, name))"
        )
        return map(Fact._make, found)

    def _documents(self, *, edited: bool = False, sha256: str = "", digits: bool = False) -> Iterator[_Document]:
        """The documents whose rows are in the table, by name; or only those that people said something about.

        With `sha256`, only those with this content.
        """
        duplicates = dict(self._duplicates(sha256))
        contents = edit_log.contents(self._db, sha256) if self._has("edit") else frozenset()
        if edited and not contents:
            return
        known = self._columns()
        columns = ", ".join(f'"{column}"' if column in known else _DEFAULTS[column] for column in ("spec", *_SHOWN))
        kept = DIGITS if digits and DIGITS in known else "NULL"
        wanted = "AND sha256 IN (SELECT sha256 FROM edit) " if edited else ""
        wanted += "AND sha256 = ? " if sha256 else ""
        found = self._db.execute(
            f"SELECT row.name, listed, sha256, {kept}, {columns} FROM row JOIN document USING (name) "
            f"WHERE listed AND done {wanted} ORDER BY row.name, place",
            (sha256,) if sha256 else (),
        )
        for name, group in groupby(found, key=itemgetter(0)):
            stored = list(group)
            document, (listed, content) = os.fsdecode(name), stored[0][1:3]
            own = tuple([self._row(document, values[3], values[4], values[5:]) for values in stored])
            edits = tuple(edit_log.select(self._db, content)) if content in contents else ()
            yield _Document(content or "", listed, duplicates.get(document, ""), own, edits)

    def _row(self, document: str, digits: bytes | None, spec: str, columns: Sequence[Any]) -> Row:
        attributes: list[Any] = [document, *columns, (), (), self._spec(spec)]  # alternatives are not stored
        row = Row(*attributes)
        if digits is None or row.left is None or row.top is None:
            return row
        return replace(row, digits=places.unpacked(row.text, row.left, row.top, digits))

    def _spec(self, name: str) -> FieldSpec | None:
        if not name:
            return None
        if name not in self._specs:
            found = self._db.execute("SELECT spec FROM spec WHERE name = ?", (name,)).fetchone()
            self._specs[name] = unpacked(found[0]) if found else None
        return self._specs[name]

    def documents(self) -> int:
        """How many documents are or will be in the table."""
        return self._one("SELECT count(*) FROM document WHERE listed")

    def standing(self) -> Standing:
        """The counts that describe the state of the run."""
        one = self._one
        duplicates = tuple(self._duplicates())
        by_status: Counter[Status] = Counter()
        listed = "FROM row JOIN document USING (name) WHERE listed AND done"
        shown = f"CASE WHEN listed = {AWAY_OTHERWISE} AND status != 'error' THEN 'review' ELSE status END"
        for status, count in self._db.execute(f"SELECT {shown}, count(*) {listed} GROUP BY 1"):
            by_status[status] = count
        keyed: Counter[Keyed] = Counter()
        for document in self._documents(edited=True):
            by_status.subtract(row.status for row in document.told(document.readings))
            by_status.update(row.status for row in document.told(document.rows))
            keyed.update(row.keyed for row in document.rows if row.keyed)
        failures = self._db.execute(
            f"SELECT name, page, reason {listed} AND status = 'error' ORDER BY name, place LIMIT {MAX_FAILURES}"
        )
        return Standing(
            documents=self.documents(),
            done=one("SELECT count(*) FROM document WHERE listed AND done"),
            failed=one(f"SELECT count(DISTINCT name) {listed} AND status = 'error'"),
            pages=one(f"SELECT count(*) FROM (SELECT DISTINCT name, page {listed})"),
            fields=one(f"SELECT count(*) {listed} AND field != ''"),
            by_status=+by_status,
            failures=tuple((os.fsdecode(name), page, reason) for name, page, reason in failures),
            duplicates=duplicates,
            notes=dict(self._db.execute("SELECT key, value FROM run")),
            away=one(f"SELECT count(*) FROM document WHERE listed > {PRESENT}"),
            gone=frozenset(name for pair in duplicates for name in pair if self._is_away(name)),
            edits=one("SELECT count(*) FROM edit") if self._has("edit") else 0,
            keyed=keyed,
        )

    def contents(self) -> list[tuple[Document, str]]:
        """The listed documents that were read, each with the SHA-256 of the content that was read."""
        found = self._db.execute(
            f"SELECT name, path, sha256 FROM document WHERE listed = {PRESENT} AND done AND sha256 IS NOT NULL ORDER BY name"
        )
        return [(Document(os.fsdecode(name), located(os.fsdecode(path))), sha256) for name, path, sha256 in found]

    def _duplicates(self, sha256: str = "") -> Iterator[tuple[str, str]]:
        wanted = "sha256 = ?" if sha256 else "sha256 IS NOT NULL"
        for name, first in self._db.execute(
            "SELECT name, first FROM document JOIN (SELECT sha256, min(name) AS first FROM document WHERE listed AND done "
            f"AND {wanted} GROUP BY sha256 HAVING count(*) > 1) USING (sha256) "
            "WHERE listed AND done AND name != first ORDER BY name",
            (sha256,) if sha256 else (),
        ):
            yield os.fsdecode(name), os.fsdecode(first)

    def _is_away(self, name: str) -> bool:
        found = self._db.execute("SELECT listed > ? FROM document WHERE name = ?", (PRESENT, os.fsencode(name))).fetchone()
        return bool(found[0])

    def _one(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    # ----------------------------------------------------------------------------------------------- trouble

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._guard():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            raise _cannot_write(self.path, problem) from problem


@dataclass(frozen=True, slots=True)
class _Document:
    """A document whose rows are in the table."""

    sha256: str  # of the content that was read; "" if unknown
    listed: int
    first: str  # an earlier document with the same content, or ""
    readings: tuple[Row, ...]  # as docproc read them
    edits: tuple[Edit, ...]  # oldest first

    @property
    def rows(self) -> Sequence[Row]:
        """The rows including what people said."""
        return keyed_rows(self.readings, self.edits) if self.edits else self.readings

    def told(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Rows of the document, with the table's remarks about the document."""
        if self.first:
            rows = [_remarked(row, _plain(DUPLICATE_OF + self.first)) for row in rows]
        return rows if self.listed == PRESENT else [_gone(row, self.listed) for row in rows]


def _gone(row: Row, listed: int) -> Row:
    """The row of a document that is no longer among the inputs and cannot be read again."""
    if listed == AWAY or row.keyed:  # what a person keyed does not depend on settings
        return _remarked(row, GONE)
    status: Status = row.status if row.status == "error" else "review"
    return _remarked(replace(row, status=status), f"{GONE}, and was read with other settings")


def _remarked(row: Row, remark: str) -> Row:
    return replace(row, reason=f"{row.reason}; {remark}" if row.reason else remark)


def _is_newer(schema: str) -> bool:
    return not schema.isdecimal() or int(schema) > int(SCHEMA)


def _newer(path: Path) -> str:
    return f"{path} was written by a newer version of docproc; use that version, or another name with -o"


def _connect(path: Path, *, threads: bool = False) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=not threads)
    except sqlite3.Error as problem:
        raise _cannot_write(path, problem) from problem


def _keep_spec(db: sqlite3.Connection, spec: FieldSpec | None) -> str:
    """Store what may be in a field; returns its name."""
    if spec is None:
        return ""
    name, text = packed(spec)
    db.execute("INSERT OR IGNORE INTO spec VALUES (?, ?)", (name, text))
    return name


def _is_damaged(path: Path) -> bool:
    """Whether there is a file that is not a journal."""
    if not path.is_file():
        return False
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=60)
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok")
        finally:
            db.close()
    except sqlite3.DatabaseError as problem:
        return "locked" not in str(problem)


def _set_aside(path: Path) -> None:
    """Rename a damaged journal, so that edits can be rescued from it. Raises CannotWrite."""
    aside = path.with_name(f"{path.name}.damaged")
    try:
        for part in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.replace(path.with_name(path.name + part), aside.with_name(aside.name + part))
    except OSError as problem:
        raise CannotWrite(f"cannot set the damaged journal {path} aside: {problem.strerror}") from problem


def _cannot_write(path: Path, problem: sqlite3.Error) -> CannotWrite:
    text = str(problem)
    if "not a database" in text or "malformed" in text:
        return CannotWrite(f"the journal {path} is damaged ({text}); --no-resume begins anew")
    if "locked" in text:
        return CannotWrite(f"{path} is being read by another program for too long; nothing that was saved is lost: try again")
    if "full" in text or getattr(problem, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
        text = os.strerror(errno.ENOSPC)
    free = "?"
    with suppress(OSError):
        free = f"{shutil.disk_usage(path.parent).free / 1e6:.1f} MB"
    return CannotWrite(
        f"cannot write {path}: {text} ({free} free there); nothing that was saved is lost: make room and try again"
    )


def on_network(path: Path) -> bool:
    """Whether a path lies on a network file system, where SQLite's write-ahead log does not work."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    place = os.path.realpath(path.parent)
    best, kind = "", ""
    for line in mounts.splitlines():
        parts = line.split(" ")
        if len(parts) > 2:
            point = parts[1].encode().decode("unicode_escape")
            if (place == point or place.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
                best, kind = point, parts[2]
    return kind.startswith(NETWORK_FILE_SYSTEMS)


def failed_outcome(one: Todo, row: Row, problem: DocumentError) -> Outcome:
    """The outcome of a document that could not be read."""
    size, modified, changed = one.stamp or (None, None, None)
    return Outcome((row,), None, size, modified, changed, problem.code)


def now() -> str:
    """The time, for notes."""
    return time.strftime("%Y-%m-%d %H:%M:%S")


def _stamp(path: Path) -> Stamp | None:
    try:
        found = file_stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _plain(value: Any) -> Any:
    # A name in a reason may contain any bytes; SQLite's text is UTF-8.
    return value.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(value, str) else value
