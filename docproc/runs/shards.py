"""Join the runs of several machines, each over one shard of the documents, into one table and one journal.

The result is what a single run over all documents would have written.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from docproc.documents import folder_of
from docproc.errors import BadInput, BadUsage, OutputExists
from docproc.options import shard
from docproc.runs.audit import write_own_table
from docproc.runs.digit_log import DigitEdit
from docproc.runs.edits import Edit
from docproc.runs.journal import SCHEMA, Journal, Standing, journal_path
from docproc.runs.lock import hold
from docproc.runs.planting import Planted
from docproc.runs.tables import check_output

SAME: Mapping[str, str] = {
    "docproc": "docproc", "layout": "--layout", "layout_files": "the templates", "as_of": "--as-of",
    "date_order": "--date-order", "max_error": "--max-error", "limits": "--limit", "wide": "--wide", "wide_text": "--wide-text",
}  # fmt: skip
"""Notes that must be the same for all shards, and what a person calls them."""

_OWN = ("schema", "shard", "output", "command", "begun", "finished")  # notes of the parts that the whole does not take over


@dataclass(frozen=True, slots=True)
class _Part:
    """The run over one shard."""

    table: Path
    notes: Mapping[str, str]
    general: frozenset[str]  # hashes of the settings that apply to all documents
    templates: Mapping[str, frozenset[str]]  # by folder, the hashes of its template
    edits: tuple[Edit, ...]
    digits: tuple[DigitEdit, ...]
    planted: tuple[Planted, ...]


def merge(output: Path, parts: Sequence[Path], command: str = "", *, overwrite: bool = False) -> Standing:
    """Write the table of all shards and its journal; `parts` are their tables, in any order.

    People's edits are carried over, including those of an older merge. The lots of an audit are drawn anew. Returns the state
    of the whole. Raises BadInput for parts that are unfinished, missing, duplicated or read with other settings, OutputExists
    or CannotWrite.
    """
    check_output(output)
    if any(os.path.realpath(journal_path(one)) == os.path.realpath(journal_path(output)) for one in parts):
        raise BadUsage(f"{output} is one of the parts; give the whole another name")
    with hold(output):
        if not overwrite and (output.exists() or journal_path(output).exists()):
            raise OutputExists(f"{output} already exists; use --overwrite to replace it, or another name")
        known = [_look(one) for one in parts]
        _refuse_gaps(known)
        _refuse_mixed(known)
        edits, digits, planted = _said(known, output)
        aside = output.with_name(f".{output.stem}.merging{output.suffix}")
        journal_path(aside).unlink(missing_ok=True)
        try:
            with Journal.open(aside) as journal:
                for one in known:
                    journal.absorb(journal_path(one.table))
                journal.add_edits(edits, None, planted, digits)
                times = {
                    "begun": min(one.notes["begun"] for one in known),
                    "finished": max(one.notes["finished"] for one in known),
                }
                kept = {key: value for key, value in known[0].notes.items() if key not in _OWN and not key.startswith("audit_")}
                journal.keep(**kept, **times, output=str(output), command=command, shard="")
            os.replace(journal_path(aside), journal_path(output))
        finally:
            journal_path(aside).unlink(missing_ok=True)
        with Journal.open(output) as journal:
            with suppress(FileNotFoundError):
                journal.adopt(output)
            write_own_table(output, journal, wide=journal.note("wide") == "1", texts=journal.note("wide_text") == "1")
            return journal.standing()


def _look(table: Path) -> _Part:
    """Raises BadInput if a table is not that of a finished shard."""
    with Journal.look(table) as journal:
        if not journal.note("shard"):
            raise BadInput(f"{table} is no shard: it was written without --shard")
        if journal.note("schema") != SCHEMA:
            raise BadInput(f"{table} was written by another version of docproc; give the shards the same version")
        if not journal.note("finished"):
            raise BadInput(f"{table} is not finished; to finish it, run: {journal.note('command')}")
        general, templates = set(), defaultdict(set)
        for document, settings in journal.settings():
            own, template, _ = settings.split(".", 2)
            general.add(own)
            templates[folder_of(document)].add(template)
        return _Part(
            table, journal.standing().notes, frozenset(general), {key: frozenset(own) for key, own in templates.items()},
            tuple(journal.edits()), tuple(journal.digit_edits()), tuple(journal.planted()),
        )  # fmt: skip


def _refuse_gaps(parts: Sequence[_Part]) -> None:
    """Raises BadInput if a shard is missing or given twice."""
    first = shard(parts[0].notes["shard"])
    there: dict[int, Path] = {}
    for part in parts:
        own = shard(part.notes["shard"])
        if own.count != first.count:
            raise BadInput(
                f"{parts[0].table} is shard {first}, and {part.table} is shard {own}: they are of different divisions"
            )
        if own.number in there:
            raise BadInput(f"{there[own.number]} and {part.table} are both shard {own}")
        there[own.number] = part.table
    if missing := [f"{number}/{first.count}" for number in range(1, first.count + 1) if number not in there]:
        raise BadInput(f"{'shard' if len(missing) == 1 else 'shards'} {', '.join(missing)} missing")


def _refuse_mixed(parts: Sequence[_Part]) -> None:
    """Raises BadInput if shards were read with different settings."""
    first = parts[0]
    for part in parts[1:]:
        for note, name in SAME.items():
            mine, other = first.notes.get(note, ""), part.notes.get(note, "")
            if mine != other:
                raise BadInput(
                    f"{name} differs: {first.table} was read with {mine or 'none'}, {part.table} with {other or 'none'}"
                )
    generals: dict[str, Path] = {}
    templates: dict[tuple[str, str], Path] = {}
    folders: dict[str, str] = {}
    for part in parts:
        for own in part.general:
            generals.setdefault(own, part.table)
        for folder, found in part.templates.items():
            for own in found:
                templates.setdefault((folder, own), part.table)
                if folders.setdefault(folder, own) != own:
                    before = templates[folder, folders[folder]]
                    raise BadInput(f"{before} and {part.table} were read with different templates in {folder}")
    if len(generals) > 1:
        two = list(generals.values())[:2]
        raise BadInput(f"{two[0]} and {two[1]} were read with different models, backends or thresholds")


def _said(parts: Sequence[_Part], output: Path) -> tuple[list[Edit], list[DigitEdit], list[Planted]]:
    """What people said in all parts, and in an older merge: oldest first, without duplicates."""
    edits = [one for part in parts for one in part.edits]
    digits = [one for part in parts for one in part.digits]
    planted = [one for part in parts for one in part.planted]
    if journal_path(output).is_file():
        with Journal.look(output) as journal:
            edits += journal.edits()
            digits += journal.digit_edits()
            planted += journal.planted()
    return (
        list(dict.fromkeys(replace(one, id=0) for one in sorted(edits, key=lambda one: (one.at, one.id)))),
        list(dict.fromkeys(replace(one, id=0) for one in sorted(digits, key=lambda one: (one.at, one.id)))),
        list(dict.fromkeys(planted)),
    )
