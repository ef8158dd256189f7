"""How a run stands, from its journal and from the lock that a running one holds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from docproc.runs.journal import SUFFIX, Journal, Standing
from docproc.runs.lock import holder
from docproc.runs.tables import shown_name


@dataclass(frozen=True, slots=True)
class RunStatus:
    """How a run stands."""

    state: Literal["running", "finished", "interrupted"]
    holder: str  # the process that is running it, in words; "" where none is
    standing: Standing

    def figures(self) -> dict[str, Any]:
        """The same for a program: what JSON can hold."""
        standing = self.standing
        return {
            "state": self.state, "documents": standing.documents, "done": standing.done, "failed": standing.failed,
            "pages": standing.pages, "fields": standing.fields, "status": dict(standing.by_status),
            "failures": [{"document": shown_name(d), "page": p, "reason": r} for d, p, r in standing.failures],
            "duplicates": [[shown_name(one), shown_name(first)] for one, first in standing.duplicates],
            "away": standing.away, "notes": dict(standing.notes),
        }  # fmt: skip


def run_status(output: Path) -> RunStatus:
    """The status of the run that writes the table `output`, or that of a journal. Raises BadInput where there is none."""
    with Journal.look(output) as journal:
        standing = journal.standing()
    who = holder(output.with_suffix("") if output.suffix == SUFFIX else output)
    if who:
        return RunStatus("running", who, standing)
    return RunStatus("finished" if standing.notes.get("finished") else "interrupted", "", standing)
