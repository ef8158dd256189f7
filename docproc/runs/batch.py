"""One run of a folder: files to workers, rows to the table.

The parent lists, hands out and collects; it never decodes an image. A worker opens one document, reads its pages and
returns rows. A document that cannot be read is a row with its reason, and the run goes on.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from docproc.errors import BadInput, BadUsage, CannotWrite, DocumentError
from docproc.files import Document, find_documents
from docproc.layouts import Layout, open_layout
from docproc.options import Limits, RunRequest
from docproc.runs.tables import check_output, long_table, wide_table, write_table
from docproc.runs.workers import process_map
from docproc.types import Failed, Mapper, PageId, Row, Status

Progress = Callable[[int, int, Sequence[Row]], None]  # documents done, documents in all, the rows of the newest


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended."""

    documents: int
    failed: int  # documents of which at least one page could not be read
    fields: int
    by_status: Counter[Status]
    passed_over: int  # files that are no documents
    output: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker needs to know."""

    layout: Layout
    backend: str
    model: Path | None
    max_error: float
    limits: Limits
    crops: Path | None


def run(request: RunRequest, progress: Progress | None = None) -> Summary:
    """Read every document of the request and write its table.

    Raises an error of the DocprocError tree when nothing can be read or written.
    """
    check_output(request.output, request.overwrite)
    _refuse_mixing(request)
    rows: list[Row] = []
    documents, passed = find_documents(request.inputs, request.recursive)
    if not documents:
        looked = ", ".join(str(place) for place in request.inputs)
        raise BadInput(f"no documents in {looked}: docproc reads PNG, JPEG, TIFF, PDF, BMP, WebP and GIF")
    settings = settings_for(documents, request)
    if request.crops:
        try:
            request.crops.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise CannotWrite(f"cannot make the folder {request.crops}: {problem.strerror}") from problem
    jobs = min(request.jobs or _cores(), len(documents))
    mapper = partial(process_map, jobs=jobs, seconds=request.limits.seconds)
    failed = 0
    for done, found in enumerate(read_documents(documents, settings, mapper), 1):
        rows.extend(found)
        failed += any(row.status == "error" for row in found)
        if progress:
            progress(done, len(documents), found)
    columns, records = wide_table(rows) if request.wide else long_table(rows)
    write_table(request.output, columns, records)
    by_status = Counter(row.status for row in rows)
    return Summary(len(documents), failed, sum(1 for row in rows if row.field), by_status, passed, request.output)


def read_documents(documents: Sequence[Document], settings: Settings, mapper: Mapper) -> Iterator[list[Row]]:
    """The rows of each document, in order, read wherever the mapper works."""
    for result in mapper(partial(open_worker, settings), documents):
        if isinstance(result, Failed):
            yield [error_row(PageId(result.item.name), result.error)]
        else:
            yield result


def settings_for(documents: Sequence[Document], request: RunRequest) -> Settings:
    """What the workers of a run need to know. Raises BadUsage or BadConfig for a layout that is none."""
    folders = tuple(sorted({str(document.path.parent) for document in documents}))
    layout = open_layout(request.layout, folders)
    return Settings(layout, request.backend, request.model, request.max_error, request.limits, request.crops)


def open_worker(settings: Settings) -> Callable[[Document], list[Row]]:
    """In a worker: load the model once, then read documents. Raises MissingPart."""
    import cv2

    from docproc.modelfiles import open_reader

    cv2.setNumThreads(1)  # one process for each core is enough
    reader = open_reader(settings.backend, settings.model)
    run_name = reader.name
    threshold = reader.calibration.threshold(settings.max_error)

    def work(document: Document) -> list[Row]:
        from docproc.files import open_pages
        from docproc.pipeline import prepare, recognize, tabulate

        rows: list[Row] = []
        try:
            for page in open_pages(document, settings.limits):
                if isinstance(page, tuple):
                    rows.append(error_row(*page))
                    continue
                try:
                    fields = settings.layout.locate(page, str(document.path.parent))
                except DocumentError as problem:
                    rows.append(error_row(page.id, problem))
                    continue
                results = recognize(prepare(page, fields), reader)
                rows.extend(tabulate(page, results, threshold))
                if settings.crops:
                    for result in results:
                        _save_crop(settings.crops, page.id, result.prepared.field.name, result.prepared.crop)
        except DocumentError as problem:
            rows.append(error_row(PageId(document.name), problem))
        return [replace(row, run=run_name) for row in rows]

    return work


def error_row(where: PageId, problem: DocumentError) -> Row:
    """What stands in the table for a page that could not be read."""
    reason = f"{problem.code}: {problem}"
    return Row(where.document, where.page, "", "", "", None, "error", reason, "", None, None, None, None)


def _save_crop(folder: Path, where: PageId, field: str, crop: object) -> None:
    from PIL import Image

    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", where.document)
    target = folder / f"{stem}-{where.page}-{field}.png"
    try:
        Image.fromarray(crop).save(target)  # type: ignore[arg-type]
    except (OSError, ValueError) as problem:
        raise DocumentError("io_error", f"the crop {target} cannot be written: {problem}") from problem


def _refuse_mixing(request: RunRequest) -> None:
    """Output never mixes into input: the next run would read it, or worse, this one would destroy a page."""
    for written in (request.output, request.crops):
        if written is None:
            continue
        target = Path(os.path.realpath(written))
        for place in request.inputs:
            source = Path(os.path.realpath(place))
            if target == source or (source.is_dir() and source in target.parents):
                raise BadUsage(f"the output {written} lies in the input {place}: choose a place outside of it")


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
