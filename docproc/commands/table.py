"""The table of a run again, from its journal."""

from __future__ import annotations

from pathlib import Path

from docproc.errors import OutputExists
from docproc.runs.journal import Journal, Standing
from docproc.runs.tables import check_output, export_table


def write_table(output: Path, target: Path, *, wide: bool, wide_text: bool, overwrite: bool) -> Standing:
    """Write the rows of the run that writes `output` to `target`, in the format of its suffix; returns how the run stands.

    Raises BadUsage for a format that there is not, OutputExists, CannotWrite, and BadInput where there is no journal.
    """
    check_output(target)
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} is there already; give --overwrite or another name")
    with Journal.look(output) as journal:
        export_table(target, journal.rows, wide=wide, texts=wide_text)
        return journal.standing()
