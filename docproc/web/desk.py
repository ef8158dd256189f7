"""Reads uploads: a limited number of requests at a time, each document in its own worker process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from docproc.archives import is_archive
from docproc.documents import Settings, error_row
from docproc.errors import DocprocError, DocumentError
from docproc.files import Document, find_documents
from docproc.runs.workers import Crew
from docproc.types import PageId
from docproc.web.reading import Answer, Task, open_reader
from docproc.web.store import Refused, Store, Upload

MAX_REQUESTS = 16  # that are being received, waiting or being read at a time [guess]
MAX_DOCUMENTS = 2_000  # in the archives of one request [guess]


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that was read."""

    name: str
    answer: Answer


class Desk:
    """Takes uploads and returns readings; starts its workers when it is created, and ends them in `close`."""

    def __init__(self, settings: Settings, store: Store, jobs: int) -> None:
        self.settings, self.store, self.jobs = settings, store, jobs
        limits = settings.limits
        self._crew: Crew[Task, Answer] = Crew(
            partial(open_reader, settings), jobs=jobs, seconds=limits.seconds, memory=limits.memory
        )
        self._requests = 0

    def close(self) -> None:
        """End the workers and empty the store."""
        self._crew.close()
        self.store.close()

    def enter(self) -> None:
        """Take a place in the queue before anything is received; `leave` gives it back. Raises Refused."""
        if self._requests >= MAX_REQUESTS:
            raise Refused(429, "too many requests are waiting; try again in a moment")
        self._requests += 1

    def leave(self) -> None:
        """Give back a place in the queue."""
        self._requests -= 1

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue for the duration of the block. Raises Refused."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    async def read(self, uploads: Sequence[Upload], *, pictures: bool, taken: Sequence[str] = ()) -> AsyncIterator[Reading]:
        """Yields the documents of some uploads as they are read; none gets a name in `taken`. Raises Refused."""
        documents = await run_in_threadpool(find_uploads, uploads, taken)
        if len(documents) > MAX_DOCUMENTS:
            found = len(documents)
            raise Refused(413, f"a request may have {MAX_DOCUMENTS} documents, this one has {found}; docproc run takes more")
        rest = iter(documents)
        waiting = {self._begin(one, pictures) for one in islice(rest, self.jobs)}
        try:
            while waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                waiting |= {self._begin(one, pictures) for one in islice(rest, len(done))}
                for one in done:
                    yield one.result()
        finally:
            for one in waiting:
                one.cancel()

    def _begin(self, document: Document, pictures: bool) -> asyncio.Task[Reading]:
        return asyncio.create_task(self._read_one(document, self.store.pictures() if pictures else ""))

    async def _read_one(self, document: Document, pictures: str) -> Reading:
        try:
            answer = await asyncio.wrap_future(self._crew.submit(Task(document, pictures)))
        except DocumentError as problem:
            answer = Answer((error_row(PageId(document.name), problem),), (), frozenset())
        except DocprocError as problem:
            raise Refused(503, str(problem)) from problem
        return Reading(document.name, answer)


def find_uploads(uploads: Sequence[Upload], taken: Sequence[str] = ()) -> list[Document]:
    """The documents of uploads, including those in ZIP archives; no two have the same name."""
    documents: list[Document] = []
    names = set(taken)
    for upload in uploads:
        label = _free(upload.label, names)
        names.add(label)
        if is_archive(upload.path.name):
            found, _ = find_documents([upload.path])
            own = upload.path.name
            documents += [Document(label + one.name.removeprefix(own), Path(one.path)) for one in found]
        else:
            documents.append(Document(label, upload.path))
    return documents


def _free(label: str, taken: set[str]) -> str:
    used = {name for name in taken if name == label or name.startswith((f"{label} (", f"{label}/"))}
    if not used:
        return label
    return next(name for number in count(2) if (name := f"{label} ({number})") not in taken)


def remove(paths: Sequence[Path]) -> None:
    """Delete pictures."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
