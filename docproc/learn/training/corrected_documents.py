"""The documents of a run that a person has corrected, with the texts that the person keyed.

The table with the corrections names documents as the run did; the journal of the run knows where they are, and what was read
there. Copies of a document count as one document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from docproc.errors import BadInput, DocumentError
from docproc.files import Document, read_content
from docproc.learn.progress import Log, counted
from docproc.options import Limits
from docproc.runs.journal import Journal, journal_path
from docproc.runs.tables import safe_name, shown_name
from docproc.runs.truth import read_truth
from docproc.types import Box, Row

FieldKey = tuple[int, str]  # page and name of a field on a document
RowKey = tuple[str, int, str]  # document, page and name of a field


@dataclass(frozen=True, slots=True)
class CorrectedDocument:
    """A document with the texts of its fields."""

    document: Document
    sha256: str
    texts: Mapping[FieldKey, str]
    boxes: Mapping[FieldKey, Box]  # where the run read them


@dataclass(frozen=True, slots=True)
class _Run:
    """The run that was corrected."""

    contents: Mapping[str, tuple[Document, str]]  # by the document's name in tables: document, and SHA-256 of what was read
    rows: Mapping[RowKey, Row]
    notes: Mapping[str, str]  # its settings


def find_corrected_documents(
    corrections: Path, results: Path | None, log: Log
) -> tuple[list[CorrectedDocument], Mapping[str, str]]:
    """The documents of the table `corrections`, and the settings of the run that it corrects, from the notes in its journal.

    `results` is the table of that run; None: its journal is next to `corrections`. Raises BadInput if the documents are missing
    or have changed, and if there is nothing to learn from.
    """
    run = _read_run(corrections, results)
    texts = _keyed_texts(corrections)
    known = {key: text for key, text in texts.items() if key[0] in run.contents}
    if not known:
        raise BadInput(
            f"the run knows no document of {corrections}, which begins with {next(iter(texts))[0]}: give the table of the "
            "run that it corrects with --results"
        )
    changed = sum(key not in run.rows or run.rows[key].text != text for key, text in known.items())
    if not changed:
        raise BadInput(f"every text in {corrections} is the one that was read: there is no correction to learn from")
    documents, conflicts = _by_content(known, run)
    _check_unchanged(documents, log)
    left_out = len(texts) - len(known)
    log(
        f"{len(known)} fields on {len(documents)} documents, {changed} of them corrected; all count as looked at by a person"
        + (f"; {left_out} on documents that the run does not know" if left_out else "")
        + (f"; {conflicts} of which copies of one document say different things are left out" if conflicts else "")
    )
    return documents, run.notes


def box_of(row: Row | None) -> Box | None:
    """Where a row was read, if it says so."""
    if row is None or row.left is None or row.top is None or row.width is None or row.height is None:
        return None
    return Box(row.left, row.top, row.width, row.height)


def _read_run(corrections: Path, results: Path | None) -> _Run:
    table = results or corrections
    if not journal_path(table).is_file():
        raise BadInput(
            f"there is no journal {journal_path(table)}, which tells where the documents lie: give the table of the run that "
            f"{corrections.name} corrects with --results"
        )
    with Journal.look(table) as journal:
        contents = {safe_name(document.name): (document, sha256) for document, sha256 in journal.contents()}
        rows = {(safe_name(row.document), row.page, row.field): row for row in journal.readings()}
        return _Run(contents, rows, journal.standing().notes)


def _keyed_texts(corrections: Path) -> dict[RowKey, str]:
    """The texts of the table. Raises BadInput."""
    rows = read_truth(corrections)
    if "text" not in rows[0]:
        raise BadInput(f"{corrections} has no column text: networks learn from what is written, and not from what it means")
    texts: dict[RowKey, str] = {}
    for row in rows:
        key, text = (row["document"], int(row.get("page") or 1), row["field"]), row["text"]
        if not re.fullmatch("[0-9]*", text):
            raise BadInput(f"{corrections}: {key[0]}, page {key[1]}, {key[2]}: the text {text!r} holds more than digits")
        if key in texts:
            raise BadInput(f"{corrections}: two rows are of {key[0]}, page {key[1]}, field {key[2]!r}")
        texts[key] = text
    return texts


def _by_content(texts: Mapping[RowKey, str], run: _Run) -> tuple[list[CorrectedDocument], int]:
    """The documents, with copies merged; and the number of fields left out because copies have different texts."""
    by_content: dict[str, dict[str, dict[FieldKey, str]]] = {}
    for (name, page, field), text in sorted(texts.items()):
        by_content.setdefault(run.contents[name][1], {}).setdefault(name, {})[page, field] = text
    documents, conflicts = [], 0
    for sha256, copies in by_content.items():
        keyed: dict[FieldKey, set[str]] = {}
        for own in copies.values():
            for key, text in own.items():
                keyed.setdefault(key, set()).add(text)
        conflicts += sum(len(different) > 1 for different in keyed.values())
        name = next(iter(copies))
        boxes = {key: box for key in keyed if (box := box_of(run.rows.get((name, *key)))) is not None}
        agreed = {key: next(iter(same)) for key, same in keyed.items() if len(same) == 1}
        documents.append(CorrectedDocument(run.contents[name][0], sha256, agreed, boxes))
    return documents, conflicts


def _check_unchanged(documents: Sequence[CorrectedDocument], log: Log) -> None:
    """Raises BadInput if documents are missing or have changed since they were read."""
    faults = []
    for one in counted(documents, len(documents), "checking that no document was changed", log):
        try:
            found = read_content(one.document.path, Limits(file_bytes=1 << 62)).sha256
        except DocumentError as problem:
            faults.append(f"{shown_name(one.document.name)}: {problem}")
            continue
        if found != one.sha256:
            faults.append(f"{shown_name(one.document.name)}: changed since it was read")
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise BadInput(
            f"{faults[0]}{more}: put the documents back where the run found them, or read them again with docproc run and "
            "correct that table"
        )
