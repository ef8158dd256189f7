"""The Python API: `Reader` and `read` return the rows of documents in this process, `run` reads a folder into a table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from os import PathLike, fspath
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, overload

from docproc.documents import DocumentReader, error_row, settings_for
from docproc.errors import BadUsage, DocumentError, unexpected
from docproc.forms import open_layout, scans
from docproc.options import CROPS_OF, CropsOf, Limits, RunRequest, day, limit, share, table_place
from docproc.rules import PART_ORDERS, DateWindow, PartOrder
from docproc.runs.batch import Summary
from docproc.runs.batch import run as run_batch
from docproc.runs.tables import long_table, told_columns, wide_table
from docproc.sources import Found, Source, find_sources, folders_of_sources
from docproc.types import PageId, Row
from docproc.urls import Place, located

if TYPE_CHECKING:
    import pandas

    from docproc.pipeline import PageResult

Layouts = str | PathLike[str] | Sequence[str | PathLike[str]]


@dataclass(frozen=True, slots=True)
class Results(Sequence[Row]):
    """The rows of the documents read: a sequence of `docproc.Row`, one per field."""

    rows: tuple[Row, ...]

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> Results: ...

    def __getitem__(self, index: int | slice) -> Row | Results:
        return Results(self.rows[index]) if isinstance(index, slice) else self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def to_pandas(self, *, wide: bool = False) -> pandas.DataFrame:
        """One row per field, or with `wide` one row per page and one column per field, with its value.

        Text stays text, so leading zeros are kept.
        """
        import pandas

        columns, records = wide_table(lambda: self.rows) if wide else long_table(self.rows, told_columns(self.rows))
        return pandas.DataFrame.from_records([dict(record) for record in records], columns=list(columns))


class Reader:
    """Loads the networks once and reads document after document: only the first call waits for loading.

        with docproc.Reader(layout="amount") as reader:
            for scan in scans:
                print(reader.read(scan)[0].value)

    Several threads may share a Reader; they read one after the other.

    `layout` is `auto`, `digits`, `amount`, `decimal`, `micr`, `check`, the path of a template, or several templates. A folder's
    `template.toml`, which `auto` finds next to documents, applies only to files, not to documents in memory. Keywords:

    - `max_error`: how many of the accepted fields may be wrong, as a share (`0.01`) or a text (`"1%"`). Others get the status
      `review`.
    - `backend`: what runs the networks: `auto`, `onnx`, `tensorrt` or `tensorflow`.
    - `model`: the path of a model of your own.
    - `date_order`: `DMY`, `MDY` or `YMD`, if layout or template leave it open. `auto` accepts a date only if a single order
      is possible.
    - `date_window`: `180d`, `6m` or `1y`: older dates, and dates after `as_of`, go to review. `as_of` is a date, or a text
      such as `2026-11-21`; today, if not given.
    - `thresholds`: the path of a file written by `docproc model calibrate`.
    - `limits`: limits per document, such as `{"pages": 5000}`; see `docproc run --help`.

    Raises `docproc.BadUsage` for an option that makes no sense, `docproc.BadConfig` for a template with faults,
    `docproc.MissingPart` for a missing model or backend.
    """

    def __init__(
        self,
        layout: Layouts = "auto",
        *,
        max_error: float | str = 0.01,
        backend: str = "auto",
        model: str | PathLike[str] | None = None,
        date_order: PartOrder = "auto",
        date_window: str = "",
        as_of: date | str | None = None,
        thresholds: str | PathLike[str] | None = None,
        limits: Mapping[str, float] | None = None,
    ) -> None:
        self._request = _request(
            layout=layout, max_error=max_error, backend=backend, model=model, date_order=date_order, date_window=date_window,
            as_of=as_of, thresholds=thresholds, limits=limits,
        )  # fmt: skip
        self._settings = settings_for([], self._request)
        self._reader: DocumentReader | None = DocumentReader.open(self._settings)
        self._lock = threading.Lock()

    def read(self, documents: Source | Iterable[Source]) -> Results:
        """Read one or more documents, see `docproc.read`."""
        with self._lock:
            if self._reader is None:
                raise ValueError("this Reader is closed")
            found = find_sources(documents)
            settings, folders = self._settings, folders_of_sources(found)
            if self._request.layouts == ("auto",) and folders:
                settings = replace(settings, layout=open_layout("auto", folders, self._request.date_order))
            kept = {id(file) for file in scans(settings.layout, [one.file for one in found if one.file])}

            def rows_of(one: Found, reader: DocumentReader) -> Sequence[Row]:
                try:
                    document = one.open(settings)
                except DocumentError as problem:
                    return [error_row(PageId(one.name), problem)]
                try:
                    return reader.read(document, settings.layout, _detailed)
                except Exception as problem:  # as in a run, a bad page becomes a row, whatever its decoder raised
                    return [error_row(PageId(one.name), unexpected(problem))]

            with _ONE_THREAD:
                pages = [rows_of(one, self._reader) for one in found if one.file is None or id(one.file) in kept]
        return Results(tuple(row for rows in pages for row in rows))

    def close(self) -> None:
        """Release the networks."""
        with self._lock:
            self._reader = None

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None, /) -> None:
        self.close()


def read(
    documents: Source | Iterable[Source],
    layout: Layouts = "auto",
    *,
    max_error: float | str = 0.01,
    backend: str = "auto",
    model: str | PathLike[str] | None = None,
    date_order: PartOrder = "auto",
    date_window: str = "",
    as_of: date | str | None = None,
    thresholds: str | PathLike[str] | None = None,
    limits: Mapping[str, float] | None = None,
) -> Results:
    """Read one or more documents in this process, and return a row for each field.

        for row in docproc.read("scans/", layout="amount"):
            print(row.document, row.value, row.confidence, row.status)

    A document is

    - a path (`str` or `Path`) of a file, or of a folder with everything in it;
    - the content of a file: `bytes`, or a file that is open for reading bytes;
    - a numpy array of uint8: (height, width) gray, 0 black .. 255 white, or (height, width, 3) in BGR, as in OpenCV;
      a fourth plane is opacity;
    - a Pillow image: its current frame;

    or several of these: any iterable. The rows come in the order of the documents. `row.document` is the name of the file;
    a document without a name is `document-1`, by its position among the documents. An image gives the same rows however it is
    passed. Only a color JPEG that was decoded elsewhere differs slightly from its file: its brightness was converted to colors
    and back, and damage is not reported.

    The other parameters are those of `docproc.Reader`, which is better for more than one call: it loads the networks once.

    A document that cannot be read is a row with the status `error` and its `reason`. Raises `docproc.BadInput` for a path
    that does not exist, TypeError or ValueError for anything that is not a document, and what `Reader` raises.
    """
    reader = Reader(
        layout, max_error=max_error, backend=backend, model=model, date_order=date_order, date_window=date_window,
        as_of=as_of, thresholds=thresholds, limits=limits,
    )  # fmt: skip
    with reader:
        return reader.read(documents)


def run(
    inputs: str | PathLike[str] | Sequence[str | PathLike[str]],
    output: str | PathLike[str],
    layout: Layouts = "auto",
    *,
    jobs: int = 0,
    max_error: float | str = 0.01,
    backend: str = "auto",
    model: str | PathLike[str] | None = None,
    date_order: PartOrder = "auto",
    date_window: str = "",
    as_of: date | str | None = None,
    thresholds: str | PathLike[str] | None = None,
    limits: Mapping[str, float] | None = None,
    recursive: bool = True,
    overwrite: bool = False,
    resume: bool | None = None,
    forget_missing: bool = False,
    wide: bool = False,
    wide_text: bool = False,
    crops: str | PathLike[str] | None = None,
    crops_of: CropsOf = "review",
    input_list: str | PathLike[str] | None = None,
    journal: str | PathLike[str] | None = None,
    progress: Callable[[int, int, Sequence[Row]], None] | None = None,
) -> Summary:
    """Read files and folders into a table, in processes and with a journal, as `docproc run` does.

        summary = docproc.run("scans/", "results.csv", layout="form.toml")
        print(summary.fields, summary.by_status["review"])

    `inputs` are files and folders, including subfolders (`recursive`), and `input_list` is a file that names further
    documents, one per line. `output` ends in .csv, .jsonl, .xlsx or .parquet. Inputs and output may be URLs as for
    `docproc run`; if the output is one, `journal` is the path of the journal. `jobs` is the number of processes; 0 uses every
    core. `resume=True` updates an existing table, `resume=False` starts its journal anew, `overwrite=True` replaces it,
    `forget_missing=True` drops the rows of documents that are no longer among the inputs. `wide` and `wide_text` write one
    row per page. `crops` is a folder for images of fields, of those for review or of "all" (`crops_of`); the column `crop`
    names them. `progress` is called after each document that is read with the number done, including earlier runs, the total
    number, and the rows of that document. The other parameters are those of `docproc.Reader`.

    A program that calls this from a script needs `if __name__ == "__main__":` around it: the processes import the script.

    Raises a subclass of `docproc.DocprocError`; what was read until then is kept.
    """
    several = [inputs] if isinstance(inputs, (str, PathLike)) else inputs
    table, target = table_place(located(output), _path(journal))
    request = _request(
        layout=layout, max_error=max_error, backend=backend, model=model, date_order=date_order, date_window=date_window,
        as_of=as_of, thresholds=thresholds, limits=limits, inputs=tuple(map(located, several)), output=table, target=target,
        lists=(Path(input_list),) if input_list else (),
        jobs=jobs, recursive=recursive, overwrite=overwrite, resume=resume,
        forget_missing=forget_missing, wide=wide, wide_text=wide_text, crops=_path(crops), crops_of=crops_of,
    )  # fmt: skip
    return run_batch(request, progress)


def _request(
    *,
    layout: Layouts,
    max_error: float | str,
    model: str | PathLike[str] | None,
    date_order: PartOrder,
    date_window: str,
    as_of: date | str | None,
    thresholds: str | PathLike[str] | None,
    limits: Mapping[str, float] | None,
    inputs: tuple[Place, ...] = (),
    output: Path = Path(),
    **others: Any,
) -> RunRequest:
    """Build the request from plain types. Raises BadUsage."""
    if date_order not in PART_ORDERS:
        raise BadUsage(f"date_order {date_order!r}: choose one of {', '.join(PART_ORDERS)}")
    if others.get("crops_of", "all") not in CROPS_OF:
        raise BadUsage(f"crops_of {others['crops_of']!r}: choose one of {', '.join(CROPS_OF)}")
    if others.get("jobs", 0) < 0:
        raise BadUsage(f"jobs {others['jobs']}: give 0, which takes every core, or more")
    names = fspath(layout) if isinstance(layout, (str, PathLike)) else tuple(fspath(name) for name in layout)
    try:
        allowed = share(str(max_error))
        until = day(as_of) if isinstance(as_of, str) else as_of
        window = DateWindow(date_window, date.min).span if date_window else ""
        own = Limits(**dict(limit(f"{name}={value}") for name, value in (limits or {}).items()))  # type: ignore[arg-type]
    except ValueError as problem:
        raise BadUsage(str(problem)) from problem
    return RunRequest(
        inputs, output, names, model=_path(model), max_error=allowed, thresholds=_path(thresholds), date_order=date_order,
        date_window=window, as_of=until, limits=own, **others,
    )  # fmt: skip


def _path(given: str | PathLike[str] | None) -> Path | None:
    return None if given is None else Path(given)


def _detailed(page: PageResult) -> list[Row]:
    # Imported late: `run` only hands out the work, and needs neither OpenCV nor the readers.
    from docproc.digits import with_digits

    return with_digits(page.rows, page.placed.page, page.results)


class _OneThread:
    """Runs OpenCV with one thread while documents are read: several busy-wait for each other, at more cost than gain.

    The setting is global to the process, so the last reader restores it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading = 0
        self._before = 0

    def __enter__(self) -> None:
        import cv2

        with self._lock:
            if not self._reading:
                self._before = cv2.getNumThreads()
                cv2.setNumThreads(1)
            self._reading += 1

    def __exit__(self, *_: object) -> None:
        import cv2

        with self._lock:
            self._reading -= 1
            if not self._reading:
                cv2.setNumThreads(self._before)


_ONE_THREAD = _OneThread()
