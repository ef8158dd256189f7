"""The state of a run, from its journal and from the lock that an active run holds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from docproc.runs.drift import NOTE, drifts_of
from docproc.runs.journal import SECRET, SUFFIX, Journal, Standing
from docproc.runs.lock import holder
from docproc.runs.tables import shown_name
from docproc.types import Row, Status
from docproc.weights.drift import Drift

State = Literal["running", "finished", "interrupted"]
UNTOLD = (NOTE, SECRET)  # notes that are not shown: the reference of the comparison, and the secret
_WAITING = ("page", "field", "text", "value", "confidence", "reason", "crop")  # what is shown of a field for review


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The state of a run."""

    state: State
    holder: str  # the process that is running it, in words; "" if there is none
    standing: Standing
    review: tuple[Row, ...] = ()  # the first fields that wait for a person
    failures: tuple[Row, ...] = ()  # the first pages that could not be read
    drifts: tuple[Drift, ...] = ()  # how the fields differ from those on which the thresholds were measured

    def figures(self) -> dict[str, Any]:
        """The same for a program, as JSON values."""
        standing = self.standing
        return {
            "state": self.state, "documents": standing.documents, "done": standing.done, "failed": standing.failed,
            "pages": standing.pages, "fields": standing.fields, "status": dict(standing.by_status),
            "failures": [_named(row, "page", "reason") for row in self.failures],
            "review": [_named(row, *_WAITING) for row in self.review],
            "duplicates": [[shown_name(one), shown_name(first)] for one, first in standing.duplicates],
            "away": standing.away, "edits": standing.edits, "keyed": dict(standing.keyed),
            "drift": [asdict(one) for one in self.drifts],
            "notes": {key: value for key, value in standing.notes.items() if key not in UNTOLD},
        }  # fmt: skip


def run_status(output: Path, most: int | None = 0) -> RunStatus:
    """The status of the run that writes the table `output`, or that of a journal. Raises BadInput if there is none.

    Includes the first `most` fields for review, and as many failed pages; None: all.
    """
    with Journal.look(output) as journal:
        standing = journal.standing()
        review, failures = _first(journal, "review", standing, most), _first(journal, "error", standing, most)
        found = drifts_of(journal)
    who = holder(output.with_suffix("") if output.suffix == SUFFIX else output)
    if who:
        return RunStatus("running", who, standing, review, failures, found)
    state: State = "finished" if standing.notes.get("finished") else "interrupted"
    return RunStatus(state, "", standing, review, failures, found)


def _first(journal: Journal, status: Status, standing: Standing, most: int | None) -> tuple[Row, ...]:
    """The first rows with this status."""
    there = standing.by_status[status]
    wanted = there if most is None else min(most, there)
    return tuple(islice((row for row in journal.rows() if row.status == status), wanted))


def _named(row: Row, *columns: str) -> dict[str, Any]:
    """Some columns of a row for a program, with the document's name."""
    return {"document": shown_name(row.document), **{column: getattr(row, column) for column in columns}}
