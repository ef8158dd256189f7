"""The same in Python: `docproc.read` for a few documents in this process, `docproc.run` for a folder into a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docproc.files import find_documents
from docproc.forms import scans
from docproc.options import RunRequest
from docproc.rules import PartOrder
from docproc.runs.batch import Summary, read_documents, settings_for
from docproc.runs.batch import run as run_batch
from docproc.runs.tables import long_table, told_columns
from docproc.runs.workers import plain_map
from docproc.types import Row

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, slots=True)
class Results(Sequence[Row]):
    """The rows of what was read."""

    rows: tuple[Row, ...]

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def to_pandas(self) -> pandas.DataFrame:
        """One row a field; `text` stays text, so leading zeros stay."""
        import pandas

        columns, records = long_table(self.rows, told_columns(self.rows))
        return pandas.DataFrame.from_records([dict(record) for record in records], columns=list(columns))


def read(
    path: str | PathLike[str],
    layout: str | Sequence[str] = "auto",
    *,
    max_error: float = 0.01,
    backend: str = "auto",
    model: str | PathLike[str] | None = None,
    date_order: PartOrder = "auto",
    date_window: str = "",
    as_of: date | None = None,
    thresholds: str | PathLike[str] | None = None,
) -> Results:
    """Read a document, or every document of a folder, in this process.

    Raises an error of the `docproc.errors` tree; a document that cannot be read is a row with the status `error`.
    """
    chosen = Path(model) if model is not None else None
    own = Path(thresholds) if thresholds is not None else None
    layouts = layout if isinstance(layout, str) else tuple(layout)
    request = RunRequest(
        (Path(path),), Path(), layouts, backend=backend, model=chosen, max_error=max_error, thresholds=own,
        date_order=date_order, date_window=date_window, as_of=as_of,
    )  # fmt: skip
    documents, _ = find_documents(request.inputs)
    settings = settings_for(documents, request)
    pages = read_documents(scans(settings.layout, documents), settings, plain_map)
    return Results(tuple(row for rows in pages for row in rows))


def run(inputs: str | PathLike[str] | Sequence[str | PathLike[str]], output: str | PathLike[str], **options: Any) -> Summary:
    """Read documents into a table, in processes; the options are those of `docproc.options.RunRequest`."""
    several = [inputs] if isinstance(inputs, (str, PathLike)) else inputs
    return run_batch(RunRequest(tuple(Path(place) for place in several), Path(output), **options))
