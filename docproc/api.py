"""The same in Python: `docproc.read` for a few documents in this process, `docproc.run` for a folder into a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docproc.errors import BadUsage
from docproc.files import find_documents
from docproc.forms import scans
from docproc.options import Limits, RunRequest, day, limit, share
from docproc.rules import PART_ORDERS, DateWindow, PartOrder
from docproc.runs.batch import Summary, read_documents, settings_for
from docproc.runs.batch import run as run_batch
from docproc.runs.tables import long_table, told_columns
from docproc.runs.workers import plain_map
from docproc.types import Row

if TYPE_CHECKING:
    import pandas


Place = str | PathLike[str]


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
    path: Place,
    layout: str | Place | Sequence[str | Place] = "auto",
    *,
    max_error: float | str = 0.01,
    backend: str = "auto",
    model: Place | None = None,
    date_order: PartOrder = "auto",
    date_window: str = "",
    as_of: date | str | None = None,
    thresholds: Place | None = None,
) -> Results:
    """Read a document, or every document of a folder, in this process.

    Raises an error of the `docproc.errors` tree; a document that cannot be read is a row with the status `error`.
    """
    request = _request(
        path, "", layout, max_error=max_error, backend=backend, model=model, date_order=date_order, date_window=date_window,
        as_of=as_of, thresholds=thresholds,
    )  # fmt: skip
    documents, _ = find_documents(request.inputs)
    settings = settings_for(documents, request)
    pages = read_documents(scans(settings.layout, documents), settings, plain_map)
    return Results(tuple(row for rows in pages for row in rows))


def run(
    inputs: Place | Sequence[Place],
    output: Place,
    layout: str | Place | Sequence[str | Place] = "auto",
    *,
    jobs: int = 0,
    max_error: float | str = 0.01,
    backend: str = "auto",
    model: Place | None = None,
    date_order: PartOrder = "auto",
    date_window: str = "",
    as_of: date | str | None = None,
    thresholds: Place | None = None,
    recursive: bool = True,
    overwrite: bool = False,
    resume: bool | None = None,
    forget_missing: bool = False,
    wide: bool = False,
    wide_text: bool = False,
    crops: Place | None = None,
    limits: Limits | Mapping[str, float] | None = None,
) -> Summary:
    """Read documents into a table, in processes; the options are those of `docproc run`, see `docproc.options.RunRequest`.

    Raises an error of the `docproc.errors` tree when nothing can be read or written; what was read until then is kept.
    """
    request = _request(
        inputs, output, layout, jobs=jobs, max_error=max_error, backend=backend, model=model, date_order=date_order,
        date_window=date_window, as_of=as_of, thresholds=thresholds, recursive=recursive, overwrite=overwrite, resume=resume,
        forget_missing=forget_missing, wide=wide, wide_text=wide_text, crops=crops, limits=limits,
    )  # fmt: skip
    return run_batch(request)


def _request(
    inputs: Place | Sequence[Place], output: Place, layout: str | Place | Sequence[str | Place], **options: Any
) -> RunRequest:
    """What people write, a path as text or an error as `1%`, as a request. Raises BadUsage for what is none."""
    several = [inputs] if isinstance(inputs, (str, PathLike)) else inputs
    layouts = [layout] if isinstance(layout, (str, PathLike)) else layout
    for name in ("model", "thresholds", "crops"):
        if options.get(name) is not None:
            options[name] = Path(options[name])
    try:
        options["max_error"] = share(str(options["max_error"]))
        if isinstance(options["as_of"], str):
            options["as_of"] = day(options["as_of"])
        if options["date_window"]:
            DateWindow(options["date_window"], date.min)
        limits = options.pop("limits", None) or Limits()
        options["limits"] = limits if isinstance(limits, Limits) else Limits(**dict(_limits(limits)))  # type: ignore[arg-type]
    except ValueError as problem:
        raise BadUsage(str(problem)) from problem
    if options["date_order"] not in PART_ORDERS:
        raise BadUsage(f"date_order {options['date_order']!r}: choose one of {', '.join(PART_ORDERS)}")
    if options.get("jobs", 0) < 0:
        raise BadUsage(f"jobs {options['jobs']}: give 0, which takes every core, or more")
    return RunRequest(tuple(Path(place) for place in several), Path(output), tuple(fspath(name) for name in layouts), **options)


def _limits(limits: Mapping[str, float]) -> Iterator[tuple[str, float]]:
    for name, value in limits.items():
        yield limit(f"{name}={value}")
