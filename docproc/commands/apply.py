"""Stores corrections from a file in the journal of a run: all of them, or none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from docproc.errors import BadConfig, BadInput, BadUsage, OutputExists
from docproc.runs.editing import NOT_FINISHED, open_edits, rewrite_table
from docproc.runs.edits import AUDIT, SAID, Edit, FieldKey, FieldState, edit_of
from docproc.runs.journal import Journal
from docproc.runs.tables import safe_name, shown_name
from docproc.runs.truth import READERS, read_table

COLUMNS = ("document", "field", "text")  # columns that a file of corrections must have
MARK, VERSION = "edits", 1  # of edits in JSON, see docs/corrections.md
SCREEN = "apply"
ILLEGIBLE, BLANK = "illegible", "blank"  # the words for these in the column `text`

Known = Mapping[tuple[str, int, str], FieldState]  # by document name or SHA-256, page and field


@dataclass(frozen=True, slots=True)
class Correction:
    """What a file says about one field."""

    line: int  # of the file, or the number of the entry in JSON, from 1
    document: str
    page: str
    field: str
    said: str
    text: str
    who: str = ""
    at: str = ""
    screen: str = SCREEN
    sha256: str = ""  # of the document's content; "" if only its name is known
    version: int | None = None  # of the field when it was shown; None if it was not shown
    again: bool = False  # keyed a second time, without seeing the first
    overruled: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of applying a file of corrections."""

    entered: Counter[str]  # by kind: confirmed, corrected, again, blank, illegible
    standing: int  # edits that repeat the last edit of their field, and were not stored again
    waiting: int  # of these fields, those that still go to review: they break a rule, are illegible, or two keyings differ
    waits_for_run: bool  # the table has not been written yet, because its run is not finished
    empty: int = 0  # rows of an audit in which nothing has been keyed yet


def apply(output: Path, file: Path, who: str, *, overrule: bool = False, overwrite: bool = False) -> Applied:
    """Store the corrections of a file in the journal of `output`, and bring its table up to date.

    `who` keyed the rows that name nobody. With `overrule`, corrections that break a rule are accepted; with `overwrite`, also
    those of fields that somebody else has keyed since they were shown. Raises BadConfig with all errors of the file, and then
    nothing was stored; BadInput, BadUsage or MissingPart for a file that contains no corrections; OutputExists if a person
    changed cells of the table, which then stays as it is.
    """
    found = read_corrections(file)
    corrections = [one for one in found if one.said]
    with Journal.look(output) as journal:
        known = _known(journal)
    edits, standing, faults = _edits(corrections, known, who, overrule=overrule, overwrite=overwrite)
    if faults:
        raise BadConfig(f"nothing was entered from {file}", faults)
    by_key = {state.key: state for state in known.values()}
    if edits:
        with open_edits(output) as writer:
            writer.add(edits, {edit.key: by_key[edit.key].version for edit in edits})
    touched = {edit.key for edit in edits} | standing
    with Journal.look(output) as journal:
        waiting = {state.key for state in journal.fields() if state.key in touched and state.row.status == "review"}
    left = rewrite_table(output)
    if left and left != NOT_FINISHED:
        raise OutputExists(
            f"{output} {left}\nIt was left as it is; the corrections are entered: "
            f"docproc table {output} -o another{output.suffix}"
        )
    counts = Counter(edit.said if edit.said != "text" else str(edit.how) for edit in edits)
    return Applied(counts, len(standing), len(waiting), bool(left), len(found) - len(corrections))


def _known(journal: Journal) -> dict[tuple[str, int, str], FieldState]:
    """The fields of a run, by the names of their documents in tables, and by the content of the documents."""
    known: dict[tuple[str, int, str], FieldState] = {}
    for state in journal.fields():
        known[safe_name(state.reading.document), state.reading.page, state.reading.field] = state
        if state.sha256:
            known.setdefault(state.key, state)
    return known


# ---------------------------------------------------------------------------------------------------- the file


def read_corrections(file: Path) -> list[Correction]:
    """The corrections of a table or JSON file. Raises BadInput, BadUsage or MissingPart."""
    suffix = file.suffix.lower()
    if suffix != ".json" and suffix not in READERS:
        raise BadUsage(f"{file.name} is no file of corrections; these end in {', '.join((*READERS, '.json'))}")
    try:
        with open(file, "rb") as opened:
            if suffix == ".json":
                found = list(_of_json(opened.read(), file))
            else:
                first = 1 if suffix == ".jsonl" else 2
                rows = list(read_table(opened, file))
                found = [_correction(line, row, file) for line, row in enumerate(rows, first)]
    except OSError as problem:
        raise BadInput(f"cannot read {file}: {problem.strerror or problem}") from problem
    if not found:
        raise BadInput(f"{file} has no rows")
    return found


def _correction(line: int, row: Mapping[str, str], file: Path) -> Correction:
    missing = [column for column in COLUMNS if column not in row]
    if missing:
        raise BadInput(f"{file} has no column {' and no '.join(missing)}; there are {', '.join(row)}")
    text, audit = row["text"].strip(), row.get("screen") == AUDIT
    # In a list of fields to key, an empty text means that the field is still to be keyed.
    empty = "" if audit else BLANK
    said = text.lower() if text.lower() in (ILLEGIBLE, BLANK) else "text" if text else empty
    return Correction(line, row["document"], row.get("page") or "1", row["field"], said, text if said == "text" else "",
                      row.get("who", ""), screen=AUDIT if audit else SCREEN)  # fmt: skip


def _of_json(data: bytes, file: Path) -> Iterator[Correction]:
    """The entries of a JSON file: a list of objects with the columns, or edits in JSON."""
    try:
        content = json.loads(data)
    except ValueError as problem:
        raise BadInput(f"{file} is no JSON: {problem}") from problem
    if isinstance(content, dict) and content.get("docproc") == MARK:
        if content.get("version") != VERSION:
            raise BadInput(f"{file} was saved by a newer version of docproc; use that version")
        entries, read = content.get("edits"), _saved
    else:
        entries, read = content, _listed
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise BadInput(f"{file} is no list of corrections: objects with {', '.join(COLUMNS)}")
    for number, entry in enumerate(entries, 1):
        yield read(number, entry, file)


def _listed(number: int, entry: Mapping[str, Any], file: Path) -> Correction:
    return _correction(number, {name: "" if value is None else str(value) for name, value in entry.items()}, file)


def _saved(number: int, entry: Mapping[str, Any], file: Path) -> Correction:
    """An entry of edits in JSON."""

    def text(name: str) -> str:
        return str(entry.get(name) or "")

    version = entry.get("version")
    if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
        raise BadInput(f"{file}: line {number}: the version {version!r} is no number")
    return Correction(
        number, text("document"), text("page") or "1", text("field"), text("said"), text("text"), text("who"), text("at"),
        text("screen") or "offline", text("sha256"), version, entry.get("again") is True, entry.get("overruled") is True,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- the edits


def _edits(
    corrections: Sequence[Correction], known: Known, who: str, *, overrule: bool, overwrite: bool
) -> tuple[list[Edit], set[FieldKey], list[str]]:
    """The edits to store, the fields whose last edit says the same, and all errors, each with its line."""
    edits: dict[FieldKey, Edit] = {}
    lines: dict[FieldKey, int] = {}
    standing, faults = set[FieldKey](), list[str]()
    for one in corrections:
        try:
            state, edit = _edit(one, known, who, overrule=overrule)
            if state.key in lines and (edit.said, edit.text) != (edits[state.key].said, edits[state.key].text):
                raise ValueError(
                    f"{_place(one)} is {_shown(edits[state.key])} in line {lines[state.key]} and {_shown(edit)} here"
                )
            if one.version is not None and one.version < state.version and not overwrite and not _stands(state, edit):
                last = state.edits[-1]
                raise ValueError(
                    f"{_place(one)} was keyed by {last.who or 'somebody'} at {last.at}, after it was shown: {_shown(last)} "
                    f"there and {_shown(edit)} here; --overwrite enters this one"
                )
        except ValueError as problem:
            faults.append(f"line {one.line}: {problem}")
            continue
        edits.setdefault(state.key, edit)
        lines.setdefault(state.key, one.line)
        if _stands(state, edit) and not (edit.overruled and state.row.status == "review"):
            standing.add(state.key)
    return [edit for key, edit in edits.items() if key not in standing], standing, faults


def _edit(one: Correction, known: Known, who: str, *, overrule: bool) -> tuple[FieldState, Edit]:
    """The edit for a correction. Raises ValueError that says what is wrong with it."""
    if not one.page.isdecimal() or not int(one.page):
        raise ValueError(f"the page {one.page!r} is no number from 1")
    if one.said not in SAID:
        raise ValueError(f"{one.said!r} is not allowed in `said`; choose one of {', '.join(SAID)}")
    state = _state(one, known)
    again = one.again or (one.screen == AUDIT and bool(state.counting))  # whoever keys it blind does not see the first keying
    edit = edit_of(state, one.said, one.text, who=one.who or who, screen=one.screen, again=again,
                   overruled=one.overruled or overrule)  # fmt: skip
    return state, replace(edit, at=one.at)


def _state(one: Correction, known: Known) -> FieldState:
    """The field that a correction names: by the content of its document if given, otherwise by its name."""
    page = int(one.page)
    if one.sha256:
        state = known.get((one.sha256, page, one.field))
        if state is None and (one.document, page, one.field) in known:
            raise ValueError(f"{_place(one)}: the document has changed since this was keyed")
    else:
        state = known.get((one.document, page, one.field)) or known.get((safe_name(one.document), page, one.field))
    if state is None:
        raise ValueError(f"the run has no field {one.field!r} on page {page} of {shown_name(one.document)}")
    if not state.sha256:
        raise ValueError(f"{_place(one)}: the content of the document is not known; read it again with docproc run")
    return state


def _stands(state: FieldState, edit: Edit) -> bool:
    """Whether an edit merely repeats the last one of its field.

    A second keying never does; one made without seeing the reading can only repeat another of that kind.
    """
    counting = state.counting
    if not counting or (counting[-1].said, counting[-1].text) != (edit.said, edit.text):
        return False
    return counting[-1].screen == AUDIT if edit.screen == AUDIT else edit.how != "again"


def _place(one: Correction) -> str:
    page = f", page {one.page}" if one.page != "1" else ""
    return f"{shown_name(one.document)}{page}, {one.field}"


def _shown(edit: Edit) -> str:
    return repr(edit.text) if edit.said == "text" else edit.said
