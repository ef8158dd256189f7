"""Store edits in the journal of a run, even while others do so or a run is active, and bring its table up to date."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from docproc.errors import CannotWrite, OutputHeld
from docproc.runs import remote
from docproc.runs.audit import write_own_table
from docproc.runs.digit_log import DigitEdit
from docproc.runs.edits import Edit, FieldKey, FieldState
from docproc.runs.journal import SUFFIX, Journal, journal_path
from docproc.runs.lock import hold
from docproc.runs.planting import Planted
from docproc.runs.sampling import Sample, SampleSize
from docproc.runs.tables import WRITERS
from docproc.urls import Url

NOT_FINISHED = "is written when its run is finished"


class Edits:
    """Stores edits; may be shared between threads."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._lock = threading.Lock()

    def add(
        self, edits: Sequence[Edit], seen: Mapping[FieldKey, int] | None = None, planted: Sequence[Planted] = (),
        digits: Sequence[DigitEdit] = (),
    ) -> list[int]:  # fmt: skip
        """Store edits, all or none; when this returns they are on disk. Returns their numbers.

        `seen` has the version of each field that the writer knows of (`FieldState.version`); a field not in it had no edit.
        Raises StaleEdit if somebody else was first, unless `seen` is None, ValueError for an edit that makes no sense, or
        CannotWrite. `planted` is what people did when shown a wrong reading, see `planting.answered`; `digits` is what they
        said about single digits.
        """
        with self._lock:
            return self._journal.add_edits(edits, seen, planted, digits)

    def fields(self, sha256: str = "", *, digits: bool = False) -> list[FieldState]:
        """The current fields of the table, see `Journal.fields`."""
        with self._lock:
            return list(self._journal.fields(sha256, digits=digits))

    def planted(self) -> list[Planted]:
        """What people did when shown a wrong reading, oldest first."""
        with self._lock:
            return self._journal.planted()

    def secret(self) -> str:
        """The secret that decides which fields are drawn, and which show a planted reading. Raises CannotWrite."""
        with self._lock:
            return self._journal.secret()

    def draw_sample(self, size: SampleSize) -> Sample:
        """Draw the audit sample from the accepted fields, or enlarge it. Raises CannotWrite."""
        with self._lock:
            return self._journal.draw_sample(size)

    def discard(self) -> int:
        """Delete all edits; returns how many there were. Raises CannotWrite."""
        with self._lock:
            return self._journal.discard_edits()


@contextmanager
def open_edits(output: Path) -> Iterator[Edits]:
    """Open the journal of a table to store edits. Raises BadInput if there is none, or CannotWrite."""
    with Journal.look(output):
        pass  # it exists, and is not of a newer version
    with Journal.open(output, threads=True) as journal:
        yield Edits(journal)


def rewrite_table(output: Path) -> str:
    """Write the table of a run again, in the same form as the run wrote it, including what people said.

    Returns why it was left as it is, worded to follow its name, or "": the run is still active or was interrupted, or a person
    changed cells of the table. Raises BadInput if there is no journal, or CannotWrite.
    """
    if output.suffix == SUFFIX:
        output = output.with_suffix("")
    target = _target_of(output)
    if not target and output.suffix.lower() not in WRITERS:
        raise CannotWrite(f"{output} is no table that docproc writes; these end in {', '.join(WRITERS)}")
    try:
        with hold(output):
            with Journal.look(output) as journal:
                finished = bool(journal.note("finished"))
            if not finished:
                return NOT_FINISHED
            if target:
                return f"has its table at {target}: repeat its run with --resume to write that anew"
            with Journal.open(output) as journal:
                wide, texts = journal.note("wide") == "1", journal.note("wide_text") == "1"
                return write_own_table(output, journal, wide=wide, texts=texts)
    except OutputHeld:
        return NOT_FINISHED


def _target_of(output: Path) -> Url | None:
    """Where the table of a run lies, if not in a file."""
    if not journal_path(output).is_file():
        return None
    with Journal.look(output) as journal:
        return remote.target_of(journal)
