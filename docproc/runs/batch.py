"""One run of a folder: files to workers, what they return to the journal, the journal to the table.

The parent lists, hands out and collects; it never decodes an image. A worker opens one document, reads its pages and
returns rows. A document that cannot be read is a row with its reason, and the run goes on.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from docproc._version import __version__
from docproc.backends import BACKENDS, choose
from docproc.errors import BadInput, BadUsage, CannotWrite, DocumentError, MissingPart, OutputExists
from docproc.fields.layouts import Layout
from docproc.fields.template import Template
from docproc.files import Content, Document, decode_pages, find_documents, later_pages, read_content
from docproc.forms import is_form, locator, open_layout, scans
from docproc.options import Limits, RunRequest
from docproc.rules import DateWindow
from docproc.runs.audit import layout_note, refuse_replacing, what_is_lost
from docproc.runs.journal import Journal, Outcome, Standing, Todo, failed_outcome, now, reading_settings
from docproc.runs.lock import hold
from docproc.runs.sheets import Seen, with_sheets
from docproc.runs.tables import check_output, export_table
from docproc.runs.workers import process_map, quarantine_map
from docproc.types import Mapper, PageId, Row, Sheet, Status
from docproc.weights.cards import model_hashes
from docproc.weights.thresholds import own_thresholds

if TYPE_CHECKING:
    from docproc.pipeline import PageResult
    from docproc.readers.confidence import Acceptance
    from docproc.readers.model import Model

Progress = Callable[[int, int, Sequence[Row]], None]  # documents done, documents to read, the rows of the newest
Opener = Callable[["Settings"], Callable[[Todo], Outcome]]

ATTEMPTS = 2  # at a document that ended the run each time; then it is read with a process between
SETTLED = 2.0  # seconds after its last change until a file counts as complete


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended."""

    documents: int
    failed: int  # documents of which at least one page could not be read
    fields: int
    by_status: Counter[Status]
    passed_over: int  # files that are no documents
    output: Path
    read: int = 0  # documents that were read by this run; the others stood in the journal
    pages: int = 0
    duplicates: tuple[tuple[str, str], ...] = ()  # a document and the first one with the same content
    away: int = 0  # documents in the table that are no longer among the inputs
    left_alone: str = ""  # why the table was not written, in words that go on from its name; "" where it was


@dataclass(frozen=True, slots=True)
class Settings:
    """What a worker needs to know."""

    layout: Layout
    backend: str  # never `auto`: all workers take the same
    model: Path | None
    max_error: float
    limits: Limits
    crops: Path | None
    window: str = ""  # of dates, as `RunRequest.date_window`
    as_of: date | None = None  # the day from which it counts; None: today
    models: tuple[tuple[str, str], ...] = ()  # hashes of what is read with; () where any will do
    thresholds: tuple[tuple[str, float], ...] = ()  # of a user's own: the name of a field, the least confidence


def run(request: RunRequest, progress: Progress | None = None, opener: Opener | None = None) -> Summary:
    """Read every document of the request that its journal does not hold yet, and write the table.

    Raises an error of the DocprocError tree when nothing can be read or written; what was read until then is kept.
    """
    refuse_mixing(request)
    check_output(request.output)
    with hold(request.output):
        refuse_overwriting(request)
        documents, passed = find_documents(request.inputs, request.recursive)
        if not documents:
            looked = ", ".join(str(place) for place in request.inputs)
            raise BadInput(f"no documents in {looked}: docproc reads PNG, JPEG, TIFF, PDF, BMP, WebP and GIF")
        settings = settings_for(documents, request)
        read = scans(settings.layout, documents)
        planned = planned_with(settings, read)
        passed += len(documents) - len(read)
        with Journal.open(request.output, anew=request.resume is False) as journal:
            adopt_table(request, journal)
            summary = read_and_write(request, settings, planned, passed, journal, progress, opener)
    if summary.left_alone:
        raise OutputExists(
            f"{request.output} {summary.left_alone}\nIt was left as it is; what was read is kept: "
            f"docproc table {request.output} -o another{request.output.suffix}"
        )
    return summary


def read_and_write(
    request: RunRequest,
    settings: Settings,
    planned: Sequence[tuple[Document, str]],
    passed: int,
    journal: Journal,
    progress: Progress | None = None,
    opener: Opener | None = None,
    *,
    waiting: Collection[str] = (),
    retry: bool = True,
) -> Summary:
    """Bring an open journal to the state of the documents (see `planned_with`), and the table to that of the journal.

    A table in which cells were changed meanwhile is left alone. `waiting` and `retry` are those of `Journal.plan`.
    """
    if request.crops:
        try:
            request.crops.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise CannotWrite(f"cannot make the folder {request.crops}: {problem.strerror}") from problem
    # A run that goes on counts from the day on which it was begun.
    begun = journal.note("as_of") if not journal.note("finished") else ""
    as_of = settings.as_of or (date.fromisoformat(begun) if begun else date.today())
    settings = replace(settings, as_of=as_of)
    todo = journal.plan(planned, forget=_forgets(request), waiting=waiting, retry=retry)
    journal.keep(
        command=request.command, inputs=json.dumps([str(place) for place in request.inputs]), layout="\n".join(request.layouts),
        layout_files=layout_note(request.layouts),
        output=str(request.output), wide=str(int(request.wide)),
        wide_text=str(int(request.wide_text)), passed_over=str(passed), begun=now(), docproc=__version__,
        as_of=as_of.isoformat(), date_order=request.date_order, limits=json.dumps(asdict(request.limits)),
    )  # fmt: skip
    for done, (one, outcome) in enumerate(_outcomes(todo, settings, request, journal, opener or open_worker), 1):
        journal.finish(one.document, outcome)
        if progress:
            progress(done, len(todo), outcome.rows or ())
    journal.keep(finished=now())
    left_alone = _write_table(request, journal)
    return replace(summary_of(journal.standing(), request.output, passed, len(todo)), left_alone=left_alone)


def _forgets(request: RunRequest) -> bool:
    """Whether documents that are no longer among the inputs leave the table."""
    return request.forget_missing or (request.overwrite and not request.resume)


def _write_table(request: RunRequest, journal: Journal) -> str:
    """Write the table, unless cells of it were changed since it was read last; returns why it was left alone, or ""."""

    def before(written: Path) -> None:
        if request.output.exists() and (lost := what_is_lost(request.output, journal)):
            raise OutputExists(lost)
        journal.keep_written(written)

    try:
        export_table(request.output, journal.rows, wide=request.wide, texts=request.wide_text, before=before)
    except OutputExists as changed:
        return str(changed)
    journal.written_now()
    return ""


def read_documents(documents: Sequence[Document], settings: Settings, mapper: Mapper) -> Iterator[list[Row]]:
    """The rows of each document as it is read, wherever the mapper works; without a journal."""
    for one, result in mapper(partial(open_worker, settings), [Todo(document, "", None, 0) for document in documents]):
        if isinstance(result, DocumentError):
            yield [error_row(PageId(one.document.name), result)]
        else:
            yield list(result.rows or ())


def summary_of(standing: Standing, output: Path, passed: int, read: int) -> Summary:
    """What is told at the end."""
    return Summary(
        standing.documents, standing.failed, standing.fields, standing.by_status, passed, output, read, standing.pages,
        standing.duplicates, standing.away,
    )  # fmt: skip


def settings_for(documents: Sequence[Document], request: RunRequest) -> Settings:
    """What the workers of a run need to know.

    Raises BadUsage or BadConfig for a layout or thresholds that are none, MissingPart for a backend that does not work.
    """
    backend = choose(request.backend).backend
    folders = tuple(sorted({_folder(document) for document in documents}))
    layout = open_layout(request.layout, folders, request.date_order)
    models = tuple(model_hashes(request.model, backend).items())
    own = own_thresholds(Path(request.thresholds), dict(models), request.max_error) if request.thresholds else {}
    if BACKENDS[backend].builds:
        from docproc.weights.opening import open_model

        open_model(backend, request.model)  # once, and not by all workers at the same time
    return Settings(
        layout, backend, request.model, request.max_error, request.limits, request.crops, request.date_window,
        request.as_of, models, tuple(own.items()),
    )  # fmt: skip


def _folder(document: Document) -> str:
    # As `Path.parent` has it, but ten times as fast: there may be hundreds of thousands.
    return os.path.dirname(os.fspath(document.path)) or "."


def planned_with(settings: Settings, documents: Sequence[Document]) -> list[tuple[Document, str]]:
    """Each document with what it is read with: a hash of template, models and options. Raises MissingPart."""
    general = _hash({
        "docproc": __version__, "models": settings.models, "backend": settings.backend,
        "layout": settings.layout.name, "max_error": settings.max_error, "date_order": settings.layout.date_order,
        "date_window": settings.window, "as_of": str(settings.as_of or ""), "thresholds": settings.thresholds,
    })  # fmt: skip
    other = _hash({"limits": asdict(settings.limits), "crops": str(settings.crops or "")})
    by_folder: dict[str, str] = {}
    planned = []
    for document in documents:
        folder = _folder(document)
        if folder not in by_folder:
            template = _hash(repr(settings.layout.templates_for(folder)))
            by_folder[folder] = reading_settings(general, template, other)
        planned.append((document, by_folder[folder]))
    return planned


def _hash(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------- the work


def _outcomes(
    todo: Sequence[Todo], settings: Settings, request: RunRequest, journal: Journal, opener: Opener
) -> Iterator[tuple[Todo, Outcome]]:
    limits = request.limits
    # `plan` puts those that were in hand when a run died at the end.
    plain = [one for one in todo if one.attempts < ATTEMPTS]
    suspects = [one for one in todo if one.attempts == ATTEMPTS]
    hopeless = [one for one in todo if one.attempts > ATTEMPTS]

    def noted(some: Iterable[Todo]) -> Iterator[Todo]:
        for one in some:
            journal.begin(one.document)
            yield one

    work = partial(opener, settings)
    maps = []
    if plain:
        jobs = min(request.jobs or _cores(), len(plain))
        maps.append(process_map(work, noted(plain), jobs=jobs, seconds=limits.seconds, memory=limits.memory))
    if suspects:
        maps.append(quarantine_map(work, noted(suspects), seconds=limits.seconds, memory=limits.memory))
    for results in maps:
        for one, result in results:
            yield one, (result if isinstance(result, Outcome) else _lost(one, result))
    for one in hopeless:
        yield one, _lost(one, DocumentError("worker_died", f"the whole run ended {one.attempts} times while reading it"))


def _lost(one: Todo, problem: DocumentError) -> Outcome:
    return failed_outcome(one, error_row(PageId(one.document.name), problem), problem)


def open_worker(settings: Settings) -> Callable[[Todo], Outcome]:
    """In a worker: load the model once, then read documents. Raises MissingPart."""
    import cv2

    from docproc.readers.confidence import BLANK_REQUIRED
    from docproc.weights.opening import open_model

    if settings.models and tuple(model_hashes(settings.model, settings.backend).items()) != settings.models:
        raise MissingPart("the networks were changed while the run was reading; give the same command again")
    cv2.setNumThreads(1)  # one process for each core is enough
    model = open_model(settings.backend, settings.model)
    window = DateWindow(settings.window, settings.as_of or date.today()) if settings.window else None
    accept = model.accepts(settings.max_error, window, dict(settings.thresholds))

    def pages(document: Document, content: Content, sheets: list[Seen]) -> Iterator[Sequence[Row]]:
        for found in read_pages(document, content, settings, model, accept):
            if isinstance(found, Row):
                yield [found]
                continue
            if found.placed.sheet:
                sheets.append((found.placed.page.id.page, found.placed.sheet))
            try:
                if settings.crops:
                    _save_crops(settings.crops, found)
            except DocumentError as problem:
                yield [error_row(found.placed.page.id, problem)]
            else:
                yield found.rows

    def read(document: Document, content: Content) -> Outcome:
        rows: list[Row] = []
        sheets: list[Seen] = []
        try:
            for found in pages(document, content, sheets):
                rows += found
        except DocumentError as problem:
            rows.append(error_row(PageId(document.name), problem))
        rows = with_sheets(rows, sheets, partial(_fields_of, settings.layout.templates_for(_folder(document))))
        code = next((row.reason.partition(":")[0] for row in rows if row.status == "error"), "")
        if is_form(settings.layout, document) and all(row.status == "blank" or row.reason == BLANK_REQUIRED for row in rows):
            rows = []  # the empty form lies among its scans
        rows = [replace(row, run=model.name) for row in rows]
        return Outcome(tuple(rows), content.sha256, content.size, content.modified, content.changed, code)

    def work(one: Todo) -> Outcome:
        content, waited = _settled_content(one.document, settings.limits)
        if content.sha256 == one.sha256:
            return Outcome(None, content.sha256, content.size, content.modified, content.changed)
        outcome = read(one.document, content)
        if outcome.code in ("truncated", "corrupt", "not_an_image") and not waited and _young(content):
            # A scanner may still be writing it.
            time.sleep(SETTLED)
            outcome = read(one.document, read_content(one.document.path, settings.limits))
        return outcome

    return work


def read_pages(
    document: Document, content: Content, settings: Settings, model: Model, accept: Acceptance
) -> Iterator[PageResult | Row]:
    """The pages of a document as they are read; one that cannot be read, or has no fields, comes as its row.

    Further forms on a scan are numbered after the last page, so that each page keeps its own number.

    Raises DocumentError when the whole file cannot be read.
    """
    from docproc.pipeline import read_scan

    folder = _folder(document)
    locate = locator(settings.layout, folder)
    beyond = later_pages(content.data, settings.limits)
    for page in decode_pages(document.name, content.data, settings.limits, settings.layout.enough(folder)):
        for found in [page] if isinstance(page, tuple) else read_scan(page, locate, model, accept, beyond):
            yield error_row(*found) if isinstance(found, tuple) else found


def _settled_content(document: Document, limits: Limits) -> tuple[Content, bool]:
    """The content of a file, and whether it took a second look because somebody was writing it."""
    try:
        return read_content(document.path, limits), False
    except DocumentError as problem:
        if problem.code not in ("changing", "empty"):
            raise
        if problem.code == "empty" and time.time() - os.stat(document.path).st_mtime > SETTLED:
            raise
    time.sleep(SETTLED)
    return read_content(document.path, limits), True


def _young(content: Content) -> bool:
    return 0 <= time.time() - content.modified / 1e9 < SETTLED


def error_row(where: PageId, problem: DocumentError) -> Row:
    """What stands in the table for a page that could not be read."""
    reason = f"{problem.code}: {problem}"
    return Row(where.document, where.page, "", "", "", None, "error", reason, "", "", None, None, None, None)


def _fields_of(templates: Sequence[Template], sheet: Sheet) -> list[str]:
    """The names of the fields on a page of a form of several."""
    return [field.name for known in templates if known.sheet == sheet for field in known.fields]


def _save_crops(folder: Path, page: PageResult) -> None:
    """A picture of every field. Raises DocumentError where one cannot be written."""
    from PIL import Image

    where = page.placed.page.id
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", where.document)[-100:]
    if stem != where.document:  # two names must not become one
        stem += "-" + hashlib.sha256(os.fsencode(where.document)).hexdigest()[:8]
    for result in page.results:
        target = folder / f"{stem}-{where.page}-{result.prepared.field.name}.png"
        try:
            Image.fromarray(result.prepared.crop).save(target)
        except (OSError, ValueError) as problem:
            raise DocumentError("io_error", f"the crop {target} cannot be written: {problem}") from problem


# ------------------------------------------------------------------------------------------------- refusing


def refuse_mixing(request: RunRequest) -> None:
    """Output never mixes into input: the next run would read it, or worse, this one would destroy a page."""
    for written in (request.output, request.crops):
        if written is None:
            continue
        target = Path(os.path.realpath(written))
        for place in request.inputs:
            source = Path(os.path.realpath(place))
            if target == source or (source.is_dir() and source in target.parents):
                raise BadUsage(f"the output {written} lies in the input {place}: choose a place outside of it")


def refuse_overwriting(request: RunRequest) -> None:
    """Raises OutputExists where a table that is there holds what this run would drop, and was not asked to."""
    if not request.overwrite:
        refuse_replacing(request.output, resume=bool(request.resume), layout=layout_note(request.layouts))


def adopt_table(request: RunRequest, journal: Journal) -> None:
    """From here on a table that is there is known; who changes it while the run reads keeps what was changed."""
    with suppress(FileNotFoundError):
        try:
            journal.adopt(request.output)
        except PermissionError as problem:
            raise CannotWrite(f"cannot read {request.output}: {problem.strerror}") from problem


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
