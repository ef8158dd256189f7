"""Whether a table still holds: its inputs are hashed again, and it is compared with its journal."""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

from docproc.errors import BadUsage, DocumentError
from docproc.files import read_content
from docproc.options import Limits
from docproc.runs.journal import Journal
from docproc.runs.tables import WRITERS, long_table, shown_name, told_columns, wide_table

VERIFIABLE = (".csv", ".jsonl")
ANY_SIZE = 1 << 62  # bytes: no file is too large to be hashed


def verify(output: Path) -> Iterator[str]:
    """What changed since `output` was written, a line for each. Raises BadInput where there is no journal, BadUsage."""
    if output.suffix.lower() not in VERIFIABLE:
        raise BadUsage(f"{output}: only {' and '.join(VERIFIABLE)} tables can be verified")
    with Journal.look(output) as journal:
        contents = journal.contents()  # hashing takes long, and reading a journal blocks the run that writes it
    for document, sha256 in contents:
        try:
            found = read_content(document.path, Limits(file_bytes=ANY_SIZE)).sha256
        except DocumentError as problem:
            yield f"{shown_name(document.name)}: {problem.code}: {problem}"
            continue
        if found != sha256:
            yield f"{shown_name(document.name)}: its content is not the one that was read"
    with Journal.look(output) as journal:
        yield from _changed_lines(output, journal)


def _changed_lines(output: Path, journal: Journal) -> Iterator[str]:
    wide, texts = journal.note("wide") == "1", journal.note("wide_text") == "1"
    columns, records = (
        wide_table(journal.rows, texts=texts) if wide or texts else long_table(journal.rows(), told_columns(journal.rows()))
    )
    fresh = io.BytesIO()
    WRITERS[output.suffix.lower()](fresh, columns, records)
    fresh.seek(0)
    try:
        with open(output, "rb") as file:
            for number, (mine, theirs) in enumerate(zip_longest(fresh, file), 1):
                if mine != theirs:
                    what = "is missing" if theirs is None else "is not docproc's" if mine is None else "was changed"
                    yield f"{output}: line {number} {what}"
    except OSError as problem:
        yield f"{output}: {problem.strerror}"
