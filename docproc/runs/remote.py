"""The table of a run in a store: as one object, or as a folder of Parquet parts.

Parts are written to temporary names, copied to their final names when all exist, and committed by an object that is written
last: a reader that waits for it never sees half a table. All of it can be repeated from the journal.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from docproc import stores
from docproc.errors import BadUsage, MissingPart, OutputExists
from docproc.runs.journal import Journal
from docproc.runs.tables import WRITERS, Record, batched, export_table, table_of
from docproc.urls import STORES, Url, is_url, located

PART_ROWS = 100_000  # per part [guess]
PARQUET = ".parquet"
COMMITTED = "_SUCCESS"  # the name used by Hadoop, Spark and Ray
# Keys of notes in the journal.
_ASIDE, _WRITING, _WRITTEN = "aside", "writing", "written_as"


def target_of(journal: Journal) -> Url | None:
    """Where the table of a run lies, if not in a file."""
    place = located(journal.note("output")) if is_url(journal.note("output")) else None
    return place if isinstance(place, Url) else None


def check(target: Url) -> None:
    """Raises BadUsage for an unknown place or format, MissingPart if a package is needed."""
    if target.scheme not in STORES:
        raise BadUsage(f"{target}: tables are written to files, and to {', '.join(f'{one}://' for one in STORES)}")
    suffix = target.suffix.lower()
    if not _in_parts(target) and suffix not in WRITERS:
        raise BadUsage(
            f"the format of {target} follows from its ending, which should be one of {', '.join(WRITERS)}; a folder, which "
            "ends in /, gets parts in Parquet"
        )
    stores.file_system(target.scheme)
    if _in_parts(target) or suffix == PARQUET:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as problem:
            raise MissingPart("Parquet needs pyarrow: pip install pyarrow") from problem


def refuse_overwriting(target: Url, journal: Journal, *, resume: bool, overwrite: bool) -> None:
    """Raises OutputExists if a table exists and this run was not asked to replace it, BadUsage without credentials."""
    there = _there(target)
    if not there or overwrite or journal.note(_WRITING) == str(target):  # it is our own, half written
        return
    if journal.note(_WRITTEN) != f"{target} {there}":
        raise OutputExists(
            f"{target} already exists, and is not what this journal has written.\n"
            "Use --overwrite to replace it, or another URL."
        )
    if not resume:
        raise OutputExists(
            f"{target} already exists.\nUse --resume to read only new and changed documents, --overwrite to replace it, or "
            "another URL."
        )


def write(target: Url, journal: Journal, *, wide: bool, texts: bool) -> None:
    """Write the table of a journal. Raises BadUsage without credentials, or CannotWrite."""
    journal.keep(**{_WRITING: str(target)})
    with TemporaryDirectory(prefix="docproc-") as folder:
        if _in_parts(target):
            _write_parts(target, journal, Path(folder), wide=wide, texts=texts)
        else:
            table = Path(folder, f"table{target.suffix.lower()}")
            export_table(table, journal.rows, wide=wide, texts=texts)
            stores.put(table, target)
    journal.keep(**{_WRITING: "", _WRITTEN: f"{target} {_there(target)}"})


def _in_parts(target: Url) -> bool:
    return target.text.endswith("/")


def _there(target: Url) -> str:
    """The state of a table; "" if there is none. Parts that were never committed count as one."""
    if not _in_parts(target):
        return _words(stores.standing(target))
    if committed := stores.standing(target.child(COMMITTED)):
        return _words(committed)
    return "parts" if next(_parts_in(target), None) else ""


def _words(stamp: tuple[int, int, int] | None) -> str:
    return "-".join(map(str, stamp)) if stamp else ""


def _parts_in(target: Url) -> Iterator[str]:
    for entry in stores.listing(target, recursive=False):
        if entry.key.startswith("part-") and entry.key.endswith(PARQUET):
            yield entry.key


def _write_parts(target: Url, journal: Journal, folder: Path, *, wide: bool, texts: bool) -> None:
    if not journal.note(_ASIDE):
        journal.keep(**{_ASIDE: f"_aside-{secrets.token_hex(4)}"})
    aside = target.child(journal.note(_ASIDE) + "/")
    names: list[str] = []
    count = 0
    for name, rows in _parts(folder, journal, wide=wide, texts=texts):
        stores.put(folder / name, aside.child(name))
        (folder / name).unlink()
        names.append(name)
        count += rows
    stores.remove([target.child(COMMITTED)])
    for name in names:
        stores.copy(aside.child(name), target.child(name))
    kept = set(names)
    stores.remove([target.child(name) for name in list(_parts_in(target)) if name not in kept])
    told = folder / COMMITTED
    told.write_text(json.dumps({"parts": names, "rows": count}) + "\n", encoding="utf-8")
    stores.put(told, target.child(COMMITTED))
    stores.remove([aside.child(entry.key) for entry in list(stores.listing(aside, recursive=False))])


def _parts(folder: Path, journal: Journal, *, wide: bool, texts: bool) -> Iterator[tuple[str, int]]:
    """Write one part after another into a folder; yields each name and row count. A table without rows is one part."""
    columns, records = table_of(journal.rows, wide=wide, texts=texts)
    number = 0
    for some in batched(records, PART_ROWS):
        yield _part(folder, number, columns, some), len(some)
        number += 1
    if not number:
        yield _part(folder, 0, columns, []), 0


def _part(folder: Path, number: int, columns: Sequence[str], records: Iterable[Record]) -> str:
    name = f"part-{number:05d}{PARQUET}"
    with open(folder / name, "wb") as file:
        WRITERS[PARQUET](file, columns, records, frozenset())
    return name
