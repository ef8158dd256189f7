"""Writes the table of a run again, from its journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from docproc.errors import DocprocError, OutputExists
from docproc.runs.audit import changes_told, compared, table_changes, what_is_lost
from docproc.runs.journal import Journal, Standing, journal_path
from docproc.runs.tables import WRITERS, check_output, export_table
from docproc.types import Row


def write_table(
    output: Path, target: Path, folder: Path | None = None, *, wide: bool, wide_text: bool, overwrite: bool
) -> Standing:
    """Write the rows of the run that writes `output` to `target`, in the format of its suffix; returns the state of the run.

    Paths of pictures are relative to `folder`, by default the folder of the target. Raises BadUsage for an unknown format,
    OutputExists, CannotWrite, and BadInput if there is no journal.
    """
    check_output(target)
    with Journal.look(output) as journal:
        if target.exists() and not overwrite:
            told = _lost(target, journal, wide=wide, texts=wide_text)
            if told:
                raise OutputExists(
                    f"{target} {told}\nTo keep these edits, write to another file with -o; to discard them, use --overwrite."
                )
            raise OutputExists(f"{target} already exists; use --overwrite to replace it, or give another name")
        export_table(target, partial(_rows_from, folder or target.parent, output, journal), wide=wide, texts=wide_text)
        return journal.standing()


def changes_left_out(output: Path, target: Path) -> str:
    """One line saying that changes a person made in the table `output` are not in `target`; "" if nothing was changed."""
    if output.suffix.lower() not in WRITERS or not output.is_file() or (target.exists() and target.samefile(output)):
        return ""
    told = f"the new table does not have what was changed in {output} since docproc wrote it"
    with Journal.look(output) as journal:
        if not journal.has_written() and not journal.note("finished"):
            return ""
        try:
            found = table_changes(output, journal)
        except (DocprocError, OSError):  # it was changed, and cannot be read, or only with another package
            return told
    cells = sum(change.cells for change in found)
    others = sum(not change.cells for change in found)
    counts = [f"{count} {name}{'s' * (count != 1)}" for count, name in ((cells, "cell"), (others, "other change")) if count]
    return f"{told} ({', '.join(counts)})" if found else ""


def _rows_from(folder: Path, output: Path, journal: Journal) -> Iterator[Row]:
    """The rows of a run, with the paths of pictures relative to the folder."""
    for row in journal.rows():
        crop = row.crop
        if crop and folder != output.parent:
            with suppress(ValueError):  # on Windows, another drive
                crop = Path(os.path.relpath(output.parent / crop, folder)).as_posix()
        yield replace(row, crop=crop)


def _lost(target: Path, journal: Journal, *, wide: bool, texts: bool) -> str:
    """What replacing the target would lose: it is compared with its own journal, or else with the rows to be written."""
    if journal_path(target).is_file():
        with Journal.look(target) as own:
            return what_is_lost(target, own)
    try:
        told = changes_told(compared(target, journal, wide=wide, texts=texts))
    except (DocprocError, OSError):
        return ""
    return told.replace("was changed since docproc wrote it", "already exists, and is not what the run has read")
