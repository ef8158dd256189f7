"""Checks whether a table is still valid: hashes its inputs again and compares its cells with what docproc wrote.

No command destroys a person's work: a table is replaced only if it is as docproc wrote it, or if that was requested.
"""

from __future__ import annotations

import io
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO

from docproc.errors import BadInput, BadUsage, DocumentError, MissingPart, OutputExists
from docproc.fields.layouts import LAYOUTS
from docproc.files import read_content
from docproc.options import Limits
from docproc.runs.changes import Change, changes, in_words
from docproc.runs.journal import Journal, journal_path
from docproc.runs.tables import COLUMNS, TOLD, WRITERS, export_table, shown_name, write_rows
from docproc.runs.truth import Record, read_table

ANY_SIZE = 1 << 62  # bytes: no file is too large to hash
MAX_TOLD = 5  # changes that a message lists in full [guess]


def verify(output: Path) -> Iterator[str]:
    """Yields what changed since `output` was written, one line per change.

    Raises BadInput if there is no journal, BadUsage for an unknown format, or MissingPart if reading the table needs a package
    that is not installed.
    """
    if output.suffix.lower() not in WRITERS:
        raise BadUsage(f"{output} is no table that docproc writes; these end in {', '.join(WRITERS)}")
    with Journal.look(output) as journal:
        contents = journal.contents()  # hashing is slow, and reading a journal blocks the run that writes it
    for document, sha256 in contents:
        try:
            found = read_content(document.path, Limits(file_bytes=ANY_SIZE)).sha256
        except DocumentError as problem:
            yield f"{shown_name(document.name)}: {problem.code}: {problem}"
            continue
        if found != sha256:
            yield f"{shown_name(document.name)}: changed since it was read"
    with Journal.look(output) as journal:
        try:
            for change in table_changes(output, journal):
                yield f"{output}: {change}"
        except OSError as problem:
            yield f"{output}: {problem.strerror}"
        except BadInput as problem:
            yield str(problem)


def table_changes(table: Path, journal: Journal) -> list[Change]:
    """The cells of a journal's table that differ from what docproc wrote. Raises OSError, BadInput or MissingPart.

    A journal of an earlier version has no copy of its table; then the table is compared with the rows in the journal.
    """
    if journal.wrote(table):
        return []
    copies = journal.written()
    if not copies:
        wide, texts = journal.note("wide") == "1", journal.note("wide_text") == "1"
        return compared(table, journal, wide=wide, texts=texts)
    return min((changes(_rows(io.BytesIO(copy), table), _open_rows(table)) for copy in copies), key=len)


def compared(table: Path, journal: Journal, *, wide: bool, texts: bool) -> list[Change]:
    """The cells of a table that differ from a journal's rows. Raises OSError, BadInput or MissingPart."""
    fresh = io.BytesIO()
    write_rows(WRITERS[table.suffix.lower()], journal.rows, fresh, wide=wide, texts=texts)
    fresh.seek(0)
    # Tables of earlier versions lack columns that were added later.
    later = frozenset() if wide or texts else frozenset((*COLUMNS, *TOLD)) - _head(table)
    return changes(_rows(fresh, table), _open_rows(table), ignored=later)


def _head(table: Path) -> frozenset[str]:
    with closing(_open_rows(table)) as rows:
        return frozenset(next(rows, {}))


def _open_rows(table: Path) -> Generator[Record, None, None]:
    with open(table, "rb") as file:
        yield from _rows(file, table)


def _rows(file: BinaryIO, table: Path) -> Iterator[Record]:
    return read_table(file, table)


# ------------------------------------------------------------------------------------------------- refusing


def refuse_replacing(output: Path, *, resume: bool, layout: str) -> None:
    """Raises OutputExists if an existing table may not be replaced by a run with this layout (see `layout_note`)."""
    if not output.exists():
        return
    if not journal_path(output).is_file():
        raise OutputExists(
            f"{output} already exists and has no journal ({journal_path(output).name}): docproc did not write it, or cannot "
            f"tell what was changed in it.\nUse --overwrite to replace it{_size(output)}, or -o for another file."
        )
    try:
        with Journal.look(output) as journal:
            told, before = what_is_lost(output, journal), journal.note("layout_files") or journal.note("layout")
    except BadInput as problem:
        raise OutputExists(
            f"{output} already exists, and {problem}.\nUse --overwrite to replace it, or -o for another file."
        ) from problem
    if told:
        raise OutputExists(
            f"{output} {told}\nTo keep these edits, write to another file with -o; to discard them, use --overwrite."
        )
    if not resume:
        raise OutputExists(
            f"{output} already exists.\nUse --resume to read only new and changed documents, --overwrite to replace "
            "it, or -o for another file."
        )
    if not _same_layout(before, layout):
        raise OutputExists(
            f"{output} holds what was read with --layout {_plain_layout(before)}, and this run has --layout "
            f"{_plain_layout(layout)}.\nUse --overwrite to drop those rows and read everything again, or -o for another file."
        )


def what_is_lost(output: Path, journal: Journal) -> str:
    """What replacing the table of a journal would lose, worded to follow the table's name; "" if nothing."""
    if not journal.has_written() and not journal.note("finished"):
        return "already exists, and its journal has no copy of it: docproc cannot tell what was changed in it."
    try:
        return changes_told(table_changes(output, journal))
    except MissingPart as problem:
        needed = str(problem).partition(": ")[2]
        return f"was saved by another program since docproc wrote it; {needed} shows whether cells were changed."
    except (OSError, BadInput) as problem:
        return f"is not as docproc wrote it, and cannot be read: {problem}."


def write_own_table(output: Path, journal: Journal, *, wide: bool, texts: bool) -> str:
    """Write the table of a journal, unless its cells were changed since docproc last wrote it.

    Returns why it was left alone, worded to follow its name, or "". Raises CannotWrite.
    """

    def before(written: Path) -> None:
        if output.exists() and (lost := what_is_lost(output, journal)):
            raise OutputExists(lost)
        journal.keep_written(written)

    try:
        export_table(output, journal.rows, wide=wide, texts=texts, before=before)
    except OutputExists as changed:
        return str(changed)
    journal.written_now()
    return ""


def changes_told(found: Sequence[Change]) -> str:
    """Describes changes, worded to follow the name of their table; "" if there are none."""
    if not found:
        return ""
    count = "1 change" if len(found) == 1 else f"{len(found)} changes"
    return "\n  ".join([f"was changed since docproc wrote it ({count}):", *in_words(found, MAX_TOLD)])


def _size(output: Path) -> str:
    with suppress(BadInput, BadUsage, MissingPart, OSError):
        count = sum(1 for _ in _open_rows(output))
        return f" ({count} rows)" if count != 1 else " (1 row)"
    return ""


def layout_note(layouts: Sequence[str]) -> str:
    """What the journal stores for `--layout`: names, and absolute paths of files and folders, wherever the run was started."""
    return "\n".join(name if name in LAYOUTS else os.path.realpath(name) for name in layouts)


def _same_layout(before: str, now: str) -> bool:
    # Journals of earlier versions store paths as they were typed.
    if not before or before == now:
        return True
    names = [one.split("\n") for one in (before, now)]
    return not all(map(os.path.isabs, names[0])) and [*map(os.path.basename, names[0])] == [*map(os.path.basename, names[1])]


def _plain_layout(note: str) -> str:
    return " --layout ".join(os.path.relpath(name) if os.path.isabs(name) else name for name in note.split("\n"))
