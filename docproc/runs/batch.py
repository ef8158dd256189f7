"""One run over a folder: files go to workers, their results to the journal, and the journal to the table.

The parent lists, hands out and collects; it never decodes an image. A worker opens one document, reads its pages and returns
rows. A document that cannot be read becomes a row with the reason, and the run continues.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, overload

from docproc import stores
from docproc._version import __version__
from docproc.archives import file_stat
from docproc.documents import DocumentReader, Settings, error_row, folder_of, opened_file, settings_for
from docproc.errors import BadInput, BadUsage, CannotWrite, DocumentError, OutputExists
from docproc.files import CROPS_MARK, Content, Document, PassedOver, find_documents, read_content
from docproc.forms import TEMPLATE_FILE, scans
from docproc.options import PROJECT_FILE, Limits, RunRequest
from docproc.runs import hosting, remote
from docproc.runs.audit import layout_note, refuse_replacing, write_own_table
from docproc.runs.cluster import check_engine, cluster_map, hopeless
from docproc.runs.drift import NOTE, drifts_of, reference_note
from docproc.runs.journal import SUFFIX, Journal, Outcome, Standing, Todo, failed_outcome, now, reading_settings
from docproc.runs.lock import hold
from docproc.runs.tables import WRITERS, check_output, shown_name
from docproc.runs.workers import Prepare, cores, process_map, quarantine_map
from docproc.types import Mapper, PageId, Row, Status
from docproc.urls import Url
from docproc.weights.drift import Drift

if TYPE_CHECKING:
    from docproc.pipeline import PageResult

# Counted over all documents, including earlier runs: how many are done, how many there are, and the rows of the newest.
Progress = Callable[[int, int, Sequence[Row]], None]
Opener = Callable[[Settings], Callable[[Todo], Outcome]]

ATTEMPTS = 2  # at a document that ended the run each time; after that it is read with another process in between
SETTLED = 2.0  # seconds after its last change before a file counts as complete


@dataclass(frozen=True, slots=True)
class Summary:
    """How a run ended."""

    documents: int
    failed: int  # documents with at least one page that could not be read
    fields: int
    by_status: Counter[Status]
    passed_over: int  # files that are not documents
    output: Path
    read: int = 0  # documents read by this run; the others were already in the journal
    pages: int = 0
    duplicates: tuple[tuple[str, str], ...] = ()  # a document and the first one with the same content
    away: int = 0  # documents in the table that are no longer among the inputs
    skipped: tuple[str, ...] = ()  # the files that are not documents, each with the reason in parentheses
    gone: frozenset[str] = frozenset()  # documents named in `duplicates` that are no longer among the inputs
    left_alone: str = ""  # why the table was not written, worded to follow its name; "" if it was written
    drifts: tuple[Drift, ...] = ()  # how the fields differ from those on which the thresholds were measured
    target: Url | None = None  # where the table was written, if not to a file


def run(request: RunRequest, progress: Progress | None = None, opener: Opener | None = None) -> Summary:
    """Read every document of the request that is not yet in its journal, and write the table.

    Raises a DocprocError when nothing can be read or written; what was read before that is kept.
    """
    refuse_mixing(request)
    check_place(request)
    check_engine(request.engine, request.address)
    if request.shard and request.as_of is None:
        raise BadUsage("--shard needs --as-of DATE, so that all shards count dates from the same day")
    with hold(request.output):
        refuse_overwriting(request)
        documents, passed = listed(request)
        if not documents:
            looked = ", ".join(str(place) for place in (*request.inputs, *request.lists))
            raise BadInput(
                f"no documents in {looked}: docproc reads PNG, JPEG, TIFF, PDF, BMP, WebP, GIF and ZIP archives of these"
            )
        settings = settings_for(documents, request)
        read = scans(settings.layout, documents)
        planned = planned_with(settings, read)
        passed += forms_passed(documents, read)
        if request.shard:
            planned = [one for one in planned if request.shard.holds(one[0].name)]
        with Journal.open(request.output, anew=request.resume is False) as journal:
            _refuse_other_shard(request, journal)
            if request.target:
                remote.refuse_overwriting(request.target, journal, resume=bool(request.resume), overwrite=request.overwrite)
            else:
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
    passed: Sequence[PassedOver],
    journal: Journal,
    progress: Progress | None = None,
    opener: Opener | None = None,
    *,
    waiting: Collection[str] = (),
    retry: bool = True,
) -> Summary:
    """Bring an open journal up to date with the documents (see `planned_with`), and the table with the journal.

    A table whose cells were changed in the meantime is left alone. For `waiting` and `retry` see `Journal.plan`.
    """
    if request.crops:
        _make_crops_folder(request.crops)
    # A resumed run counts from the day on which it was started.
    begun = journal.note("as_of") if not journal.note("finished") else ""
    as_of = settings.as_of or (date.fromisoformat(begun) if begun else date.today())
    settings = replace(settings, as_of=as_of)
    todo = journal.plan(planned, forget=_forgets(request), waiting=waiting, retry=retry)
    journal.keep(
        command=request.command, inputs=json.dumps([str(place) for place in (*request.inputs, *request.lists)]),
        layout="\n".join(request.layouts),
        layout_files=layout_note(request.layouts),
        output=str(request.target or request.output), shard=str(request.shard or ""), wide=str(int(request.wide)),
        wide_text=str(int(request.wide_text)), passed_over=str(len(passed)), begun=now(), docproc=__version__,
        as_of=as_of.isoformat(), date_order=request.date_order, limits=json.dumps(asdict(request.limits)),
        max_error=repr(settings.max_error), **{NOTE: reference_note(request.thresholds)},
    )  # fmt: skip
    total = journal.documents()
    done = total - len(todo)
    for some in _outcomes(todo, settings, request, journal, opener or open_worker):
        journal.finish_all((one.document, outcome) for one, outcome in some)
        for _, outcome in some:
            done += 1
            if progress:
                progress(done, total, [replace(row, digits=()) for row in outcome.rows or ()])  # those are only for the journal
    left_alone = ""
    if request.target:
        remote.write(request.target, journal, wide=request.wide, texts=request.wide_text)
        journal.keep(finished=now())
    else:
        journal.keep(finished=now())
        left_alone = write_own_table(request.output, journal, wide=request.wide, texts=request.wide_text)
    summary = summary_of(journal.standing(), request.output, len(passed), len(todo))
    summary = replace(summary, target=request.target)
    skipped = tuple(f"{shown_name(one.document.name)} ({one.why})" for one in passed)
    return replace(summary, skipped=skipped, left_alone=left_alone, drifts=drifts_of(journal))


def check_place(request: RunRequest) -> None:
    """Check before the work starts whether the table can be written. Raises BadUsage for an unknown format, or CannotWrite."""
    if not request.target:
        check_output(request.output)
        return
    remote.check(request.target)
    folder = request.output.parent
    if not folder.is_dir():
        raise CannotWrite(f"no such folder: {folder}")


def _refuse_other_shard(request: RunRequest, journal: Journal) -> None:
    """Raises BadUsage if the journal covers other documents: the run would treat them as missing."""
    before, wanted = journal.note("shard"), str(request.shard or "")
    if before != wanted and journal.documents():
        was = f"of shard {before}" if before else "of a run without --shard"
        raise BadUsage(
            f"{request.output} is the table {was}; give another name with -o, or read everything anew with --no-resume"
        )


def _forgets(request: RunRequest) -> bool:
    """Whether documents that are no longer among the inputs are removed from the table."""
    return request.forget_missing or (request.overwrite and not request.resume)


def read_documents(documents: Sequence[Document], settings: Settings, mapper: Mapper) -> Iterator[list[Row]]:
    """Yields the rows of each document as it is read, wherever the mapper runs; uses no journal."""
    for one, result in mapper(partial(open_worker, settings), [Todo(document, "", None, 0) for document in documents]):
        if isinstance(result, DocumentError):
            yield [error_row(PageId(one.document.name), result)]
        else:
            yield list(result.rows or ())


def summary_of(standing: Standing, output: Path, passed: int, read: int) -> Summary:
    """The summary that is reported at the end."""
    return Summary(
        standing.documents, standing.failed, standing.fields, standing.by_status, passed, output, read, standing.pages,
        standing.duplicates, standing.away, gone=standing.gone,
    )  # fmt: skip


class _Planned(Sequence[tuple[Document, str]]):
    """Documents paired with their settings, using little more memory than the documents themselves."""

    def __init__(self, documents: Sequence[Document], settings: Sequence[str], which: Sequence[int]) -> None:
        self._documents, self._settings, self._which = documents, settings, which

    def __len__(self) -> int:
        return len(self._documents)

    @overload
    def __getitem__(self, index: int) -> tuple[Document, str]: ...

    @overload
    def __getitem__(self, index: slice) -> list[tuple[Document, str]]: ...

    def __getitem__(self, index: int | slice) -> tuple[Document, str] | list[tuple[Document, str]]:
        if isinstance(index, slice):
            numbers = self._which[index]
            return [(one, self._settings[number]) for one, number in zip(self._documents[index], numbers, strict=True)]
        return self._documents[index], self._settings[self._which[index]]


def planned_with(settings: Settings, documents: Sequence[Document]) -> Sequence[tuple[Document, str]]:
    """Each document with the settings it is read with: a hash of template, models and options. Raises MissingPart."""
    general = _hash({
        "docproc": __version__, "models": settings.models, "backend": settings.backend,
        "layout": settings.layout.name, "max_error": settings.max_error, "date_order": settings.layout.date_order,
        "date_window": settings.window, "as_of": str(settings.as_of or ""), "thresholds": settings.thresholds,
    })  # fmt: skip
    crops = [str(settings.crops), settings.crops_of, settings.beside] if settings.crops else ""
    other = _hash({"limits": asdict(settings.limits), "crops": crops})
    numbers: dict[str, int] = {}  # by folder
    known: list[str] = []
    which = array("L")
    for document in documents:
        folder = folder_of(document)
        if folder not in numbers:
            numbers[folder] = len(known)
            template = _hash(repr(settings.layout.templates_for(folder)))
            known.append(reading_settings(general, template, other))
        which.append(numbers[folder])
    return _Planned(documents, known, which)


def _hash(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:16]


# ------------------------------------------------------------------------------------------------- the work


def _outcomes(
    todo: Sequence[Todo], settings: Settings, request: RunRequest, journal: Journal, opener: Opener
) -> Iterator[list[tuple[Todo, Outcome]]]:
    """Yields the documents with their outcomes, in batches of those that finished together."""
    limits = request.limits

    def begin(some: Sequence[Todo]) -> None:
        journal.begin(*(one.document for one in some))

    if request.engine == "ray":
        own, networks = hosting.placed(settings)
        found = cluster_map(
            partial(opener, own), todo, begin, address=request.address, jobs=request.jobs, seconds=limits.seconds,
            memory=limits.memory, networks=networks,
        )  # fmt: skip
    else:
        found = _local_map(partial(opener, settings), todo, begin, request.jobs or cores(), limits)
    for some in found:
        yield [(one, result if isinstance(result, Outcome) else _lost(one, result)) for one, result in some]


def _local_map(
    work: Prepare[Todo, Outcome], todo: Sequence[Todo], begin: Callable[[Sequence[Todo]], None], jobs: int, limits: Limits
) -> Iterator[list[tuple[Todo, Outcome | DocumentError]]]:
    """Reads the documents on this machine. `begin` is called before a document is handed to a worker."""
    # `plan` puts the documents that were being read when a run died at the end.
    plain: Sequence[Todo] = todo  # may hold a million items
    if any(one.attempts for one in todo):
        plain = [one for one in todo if one.attempts < ATTEMPTS]
    suspects = [one for one in todo if one.attempts == ATTEMPTS]

    def noted(some: Iterable[Todo]) -> Iterator[Todo]:
        for one in some:
            begin([one])
            yield one

    maps = []
    if plain:
        maps.append(process_map(
            work, noted(plain), jobs=min(jobs, len(plain)), seconds=limits.seconds, memory=limits.memory,
        ))  # fmt: skip
    if suspects:
        maps.append(quarantine_map(work, noted(suspects), seconds=limits.seconds, memory=limits.memory))
    for results in maps:
        for found in results:
            yield [found]
    yield [(one, hopeless(one)) for one in todo if one.attempts > ATTEMPTS]


def _lost(one: Todo, problem: DocumentError) -> Outcome:
    return failed_outcome(one, error_row(PageId(one.document.name), problem), problem)


def open_worker(settings: Settings) -> Callable[[Todo], Outcome]:
    """In a worker: load the model once, then read documents. Raises MissingPart."""
    import cv2

    from docproc.digits import with_places

    cv2.setNumThreads(1)  # one process per core is enough
    for scheme in settings.stores:  # import failures here are not the fault of a document
        stores.file_system(scheme)
    reader = hosting.open_reader(settings) if settings.distant else DocumentReader.open(settings)

    def rows_of(page: PageResult) -> Sequence[Row]:
        rows = _with_crops(settings.crops, settings, page) if settings.crops else page.rows
        return with_places(rows, page.placed.page, page.results)

    def read(document: Document, content: Content) -> Outcome:
        rows = reader.read(opened_file(document, content.data, settings), settings.layout, rows_of)
        code = next((row.reason.partition(":")[0] for row in rows if row.status == "error"), "")
        return Outcome(tuple(rows), content.sha256, content.size, content.modified, content.changed, code)

    def work(one: Todo) -> Outcome:
        content, waited = _settled_content(one.document, settings.limits)
        waited = waited or isinstance(one.document.path, Url)  # an object in a store is never half written
        if content.sha256 == one.sha256:
            return Outcome(None, content.sha256, content.size, content.modified, content.changed)
        outcome = read(one.document, content)
        if outcome.code in ("truncated", "corrupt", "not_an_image") and not waited and _young(content):
            # A scanner may still be writing it.
            time.sleep(SETTLED)
            outcome = read(one.document, read_content(one.document.path, settings.limits))
        return outcome

    return work


def _settled_content(document: Document, limits: Limits) -> tuple[Content, bool]:
    """The content of a file, and whether it had to be read twice because it was still being written."""
    try:
        return read_content(document.path, limits), False
    except DocumentError as problem:
        if problem.code not in ("changing", "empty"):
            raise
        if problem.code == "empty" and (
            isinstance(document.path, Url) or time.time() - file_stat(document.path).st_mtime > SETTLED
        ):
            raise
    time.sleep(SETTLED)
    return read_content(document.path, limits), True


def _young(content: Content) -> bool:
    return 0 <= time.time() - content.modified / 1e9 < SETTLED


def _with_crops(folder: Path, settings: Settings, page: PageResult) -> Sequence[Row]:
    """The rows of a page with the names of their crops, which are saved here: for the fields for review, or for all fields.

    Raises DocumentError if a crop cannot be written.
    """
    from PIL import Image

    from docproc.rows import row_names

    where = page.placed.page.id
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", where.document)[-100:]
    if stem != where.document:  # two different names must not map to the same stem
        stem += "-" + hashlib.sha256(os.fsencode(where.document)).hexdigest()[:8]
    wanted = {row.field for row in page.rows if settings.crops_of == "all" or row.status == "review"}
    crops: dict[str, str] = {}
    for result in page.results:
        asked = wanted.intersection(row_names(result))
        if not asked:
            continue
        target = folder / f"{stem}-{where.page}-{result.prepared.field.name}.png"
        try:
            Image.fromarray(result.prepared.crop).save(target)
        except (OSError, ValueError) as problem:
            raise DocumentError("io_error", f"the crop {target} cannot be written: {problem}") from problem
        crops |= dict.fromkeys(asked, f"{settings.beside}/{target.name}")
    return [replace(row, crop=crops.get(row.field, "")) for row in page.rows]


# ------------------------------------------------------------------------------------------------- refusing


def refuse_mixing(request: RunRequest) -> None:
    """Refuse output that would mix with input: it could overwrite a page, or the next run could read the crops as pages.

    A table may lie beside the pages, because a table is never a document. So may a folder for crops that is docproc's alone.
    """
    if request.target and any(place == request.target for place in request.inputs):
        raise BadUsage(f"the output {request.target} is an input; give another name with -o")
    table = Path(os.path.realpath(request.output))
    sources = [(place, Path(os.path.realpath(place))) for place in request.inputs if not isinstance(place, Url)]
    if any(table == source for _, source in sources) and table.suffix.lower() not in WRITERS:
        raise BadUsage(f"the output {request.output} is an input; give another name with -o")
    if request.crops is None or _is_crops_folder(request.crops):
        return
    crops = Path(os.path.realpath(request.crops))
    for place, source in sources:
        if crops == source or (source in crops.parents and crops.is_dir() and any(crops.iterdir())):
            raise BadUsage(
                f"the folder {request.crops} already exists, and lies in the input {place}: pictures that are saved in it "
                "could not be told from pages; give a new folder to --crops"
            )


def listed(request: RunRequest) -> tuple[Sequence[Document], list[PassedOver]]:
    """The documents of a request, and the files that are not (see `find_documents`), without its own output and templates."""
    documents, passed = find_documents(request.inputs, request.recursive, request.lists)
    table = os.path.realpath(request.output)
    crops = os.path.join(os.path.realpath(request.crops), "") if request.crops else None

    given = {os.path.realpath(name) for name in request.layouts}

    def tells(document: Document) -> bool:
        return document.path.name in (TEMPLATE_FILE, PROJECT_FILE) or os.path.realpath(document.path) in given

    def written(document: Document) -> bool:
        if isinstance(document.path, Url):  # a table is never a document
            return False
        path = os.path.realpath(document.path)
        return path == table or path.startswith(f"{table}{SUFFIX}") or (crops is not None and path.startswith(crops))

    # `*` names everything there, including the table of the last run; files found in a folder never include a table.
    named = crops is not None or any(not isinstance(place, Url) and not place.is_dir() for place in request.inputs)
    kept = [one for one in documents if not written(one)] if named else documents
    return kept, [one for one in passed if not written(one.document) and not tells(one.document)]


def forms_passed(documents: Sequence[Document], read: Sequence[Document]) -> list[PassedOver]:
    """The documents that are not in `read` because they are the image of a form."""
    if len(documents) == len(read):
        return []
    kept = {one.name for one in read}
    return [PassedOver(one, "the form itself, by its template") for one in documents if one.name not in kept]


def _is_crops_folder(folder: Path) -> bool:
    return (folder / CROPS_MARK).is_file()


def _make_crops_folder(folder: Path) -> None:
    """Make the folder; if it is new or empty, mark it as docproc's own. Raises CannotWrite."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.iterdir()):
            (folder / CROPS_MARK).write_text("docproc saves pictures of fields here, and reads none of them as a page.\n")
    except OSError as problem:
        raise CannotWrite(f"cannot make the folder {folder}: {problem.strerror}") from problem


def refuse_overwriting(request: RunRequest) -> None:
    """Raises OutputExists if an existing table holds data that this run would drop without being asked to."""
    if not request.overwrite and not request.target:
        refuse_replacing(request.output, resume=bool(request.resume), layout=layout_note(request.layouts))


def adopt_table(request: RunRequest, journal: Journal) -> None:
    """Record the existing table as known; if somebody changes it while the run reads, those changes are kept."""
    with suppress(FileNotFoundError):
        try:
            journal.adopt(request.output)
        except PermissionError as problem:
            raise CannotWrite(f"cannot read {request.output}: {problem.strerror}") from problem
