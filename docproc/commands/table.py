"""The table of a run again, from its journal."""

from __future__ import annotations

from pathlib import Path

from docproc.errors import DocprocError, OutputExists
from docproc.runs.audit import changes_told, compared, what_is_lost
from docproc.runs.journal import Journal, Standing, journal_path
from docproc.runs.tables import check_output, export_table


def write_table(output: Path, target: Path, *, wide: bool, wide_text: bool, overwrite: bool) -> Standing:
    """Write the rows of the run that writes `output` to `target`, in the format of its suffix; returns how the run stands.

    Raises BadUsage for a format that there is not, OutputExists, CannotWrite, and BadInput where there is no journal.
    """
    check_output(target)
    with Journal.look(output) as journal:
        if target.exists() and not overwrite:
            told = _lost(target, journal, wide=wide, texts=wide_text)
            if told:
                raise OutputExists(f"{target} {told}\n--overwrite drops that; -o takes another name")
            raise OutputExists(f"{target} is there already; give --overwrite or another name")
        export_table(target, journal.rows, wide=wide, texts=wide_text)
        return journal.standing()


def _lost(target: Path, journal: Journal, *, wide: bool, texts: bool) -> str:
    """What is lost where the target is replaced: it is held against its own journal, else against the rows to be written."""
    if journal_path(target).is_file():
        with Journal.look(target) as own:
            return what_is_lost(target, own)
    try:
        told = changes_told(compared(target, journal, wide=wide, texts=texts))
    except (DocprocError, OSError):
        return ""
    return told.replace("was changed since docproc wrote it", "is there already, and is not what the run has read")
