"""What people keyed in a run: all edits, and how to delete them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from docproc.errors import OutputExists
from docproc.runs.editing import NOT_FINISHED, open_edits, rewrite_table
from docproc.runs.edits import Edit
from docproc.runs.journal import Journal
from docproc.runs.tables import safe_cell, shown_name

COLUMNS = ("when", "who", "screen", "document", "page", "field", "what")


def all_edits(output: Path) -> list[Edit]:
    """The edits of a run, oldest first. Raises BadInput if there is no journal."""
    with Journal.look(output) as journal:
        return list(journal.edits())


def figures(edits: list[Edit]) -> list[dict[str, Any]]:
    """The same for a program, as JSON values."""
    return [asdict(edit) | {"document": shown_name(edit.document)} for edit in edits]


def cells(edit: Edit) -> list[str]:
    """An edit as text, in the order of `COLUMNS`."""
    place = [shown_name(edit.document), str(edit.page), safe_cell(edit.field)]
    return [edit.at, safe_cell(edit.who), safe_cell(edit.screen), *place, safe_cell(_what(edit))]


def _what(edit: Edit) -> str:
    if edit.how == "withdrawn":
        return "took the last edit back"
    said = edit.text if edit.said == "text" else edit.said
    how = {"confirmed": "confirmed", "corrected": "corrected to", "again": "keyed again"}[edit.how]
    insisted = ", overruled rules" if edit.overruled else ""
    return f"{how} {said}{insisted} (read {edit.read or 'nothing'})" if edit.how != "confirmed" else f"{how} {said}{insisted}"


def discard(output: Path) -> int:
    """Delete all edits, and bring the table up to date; returns how many there were.

    Raises OutputExists if a person changed cells of the table, which then stays as it is.
    """
    with open_edits(output) as edits:
        count = edits.discard()
    left = rewrite_table(output)
    if left and left != NOT_FINISHED:
        raise OutputExists(f"{output} {left}\nIt was left as it is; the edits are dropped.")
    return count
