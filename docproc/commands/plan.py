"""Estimates what a large run will take, from a sample of its documents: time, machines, memory, and work for people."""

from __future__ import annotations

import hashlib
import heapq
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.documents import Settings, settings_for
from docproc.errors import BadInput, DocumentError
from docproc.files import Document
from docproc.forms import scans
from docproc.learn.evaluation.scoring import error_upper_bound, interval
from docproc.options import Engine, RunRequest
from docproc.runs.batch import Opener, listed, open_worker
from docproc.runs.cluster import check_engine, cluster_map
from docproc.runs.hosting import placed
from docproc.runs.journal import Todo
from docproc.runs.workers import cores, process_map

CERTAINTY = 0.95  # of all intervals
RESAMPLES = 2_000  # of the bootstrap [guess]
MILLION = 1_000_000  # pages


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """The estimate multiplied by a factor."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Sampled:
    """A document of the sample, with its measurements."""

    seconds: float  # in its worker, with all other workers busy
    pages: int = 0
    fields: int = 0
    review: int = 0
    failed: bool = False
    memory: int = 0  # peak bytes of its worker; 0 if the system does not report it


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run over all documents will take."""

    documents: int  # in total
    sampled: int
    sampled_pages: int
    sampled_failed: int
    processes: int  # that read at the same time, on this machine or over a whole cluster
    memory: int  # bytes, highest peak of a worker; 0 if the system does not report it
    pages: Estimate  # in total
    core_seconds: Estimate  # for all documents
    page_seconds: Estimate  # of one core
    review: Estimate  # fields for a person, in total
    review_of_page: Estimate
    failed: Estimate  # documents, in total
    engine: Engine = "local"

    @property
    def hours(self) -> Estimate:
        """The hours for all documents on this machine, or on the cluster."""
        return self.core_seconds.times(1 / 3600 / self.processes)

    @property
    def million_hours(self) -> Estimate:
        """The hours for a million such pages there."""
        return self.page_seconds.times(MILLION / 3600 / self.processes)

    def cores(self, seconds: float) -> tuple[int, int, int]:
        """How many cores read all documents within this many seconds, with the interval."""
        value, low, high = (max(1, math.ceil(one / seconds)) for one in asdict(self.core_seconds).values())
        return value, low, high

    def figures(self, deadline: float | None, price: float | None) -> dict[str, Any]:
        """The same for a program."""
        told = asdict(self) | {"hours": asdict(self.hours), "million_pages_hours": asdict(self.million_hours)}
        if deadline is not None:
            told |= {
                "deadline_seconds": deadline,
                "cores": dict(zip(("value", "low", "high"), self.cores(deadline), strict=True)),
            }
        if price is not None:
            told |= {"cost": asdict(self.hours.times(price)), "million_pages_cost": asdict(self.million_hours.times(price))}
        return told


def plan(
    request: RunRequest, sample: int, progress: Callable[[int, int], None] | None = None, opener: Opener = open_worker
) -> Plan:
    """Read a sample of the documents of a request, and estimate what all of them will take. Nothing is written.

    With Ray, the sample is read on the cluster. Raises BadInput if there are no documents, and what a run raises before it
    starts reading.
    """
    check_engine(request.engine, request.address)
    documents, _ = listed(request)
    settings = settings_for(documents, request)
    documents = scans(settings.layout, documents)
    if not documents:
        raise BadInput("no documents to plan for; docproc run says what it reads")
    drawn = draw(documents, sample)
    todo = [Todo(document, "", None, 0) for document in drawn]
    room = [request.jobs or cores()]  # for processes; the last value counts
    read: list[Sampled] = []
    for result in _read(request, partial(open_timed, opener), settings, todo, room.append):
        read.append(_lost(result, request.limits.seconds) if isinstance(result, DocumentError) else result)
        if progress:
            progress(len(read), len(drawn))
    return estimated(read, len(documents), min(request.jobs or room[-1], room[-1]), request.engine)


def _read(
    request: RunRequest,
    work: Callable[[Settings], Callable[[Todo], Sampled]],
    settings: Settings,
    todo: Sequence[Todo],
    sized: Callable[[int], None],
) -> Iterator[Sampled | DocumentError]:
    """The results for the documents. `sized` is called with the number of workers that an existing cluster has room for."""
    limits = request.limits
    if request.engine == "ray":
        own, networks = placed(settings)
        for some in cluster_map(
            partial(work, own), todo, lambda begun: None, address=request.address, jobs=request.jobs, seconds=limits.seconds,
            memory=limits.memory, networks=networks, sized=sized if request.address else None,
        ):  # fmt: skip
            yield from (result for _, result in some)
        return
    jobs = min(request.jobs or cores(), len(todo))
    for _, result in process_map(partial(work, settings), todo, jobs=jobs, seconds=limits.seconds, memory=limits.memory):
        yield result


def draw(documents: Sequence[Document], count: int) -> list[Document]:
    """A sample of this many documents by a hash of their names: always the same for the same documents."""
    return heapq.nsmallest(count, documents, key=lambda one: hashlib.sha256(os.fsencode(one.name)).digest())


def open_timed(opener: Opener, settings: Settings) -> Callable[[Todo], Sampled]:
    """In a worker: read documents, and measure what each took.

    The first document is read twice, because libraries and networks warm up on it.
    """
    work = opener(settings)
    warm = False

    def timed(one: Todo) -> Sampled:
        nonlocal warm
        if not warm:
            warm = True
            timed(one)
        began = time.perf_counter()
        try:
            rows = work(one).rows or ()
        except DocumentError:
            return Sampled(time.perf_counter() - began, failed=True, memory=_peak())
        seconds = time.perf_counter() - began
        return Sampled(
            seconds, len({row.page for row in rows}), sum(bool(row.field) for row in rows),
            sum(row.status == "review" for row in rows), any(row.status == "error" for row in rows), _peak(),
        )  # fmt: skip

    return timed


def _peak() -> int:
    """Peak bytes of memory of this process; 0 if the system does not report it."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def _lost(problem: DocumentError, deadline: float) -> Sampled:
    return Sampled(deadline if problem.code == "timeout" else 0.0, failed=True)


# ---------------------------------------------------------------------------------------------- estimating


def estimated(read: Sequence[Sampled], documents: int, processes: int, engine: Engine = "local") -> Plan:
    """What this many documents will take, given that some were read."""
    seconds = np.array([one.seconds for one in read])
    pages = np.array([float(one.pages) for one in read])
    review = np.array([float(one.review) for one in read])
    ones = np.ones(len(read))
    rest = math.sqrt(max(0.0, 1 - len(read) / documents))  # the documents that were read are known
    failed = sum(one.failed for one in read)
    low, high = interval(failed, len(read), CERTAINTY)
    share = _narrowed(Estimate(failed / len(read), low, high), rest)
    most = _most_unseen(read) if not review.any() else None
    return Plan(
        documents, len(read), int(pages.sum()), failed, processes, max(one.memory for one in read),
        pages=_narrowed(_ratio(pages, ones), rest).times(documents),
        core_seconds=_narrowed(_ratio(seconds, ones), rest).times(documents),
        page_seconds=_ratio(seconds, pages),
        review=_narrowed(_ratio(review, ones, most), rest).times(documents),
        review_of_page=_ratio(review, pages, most and most * len(read) / max(1.0, pages.sum())),
        failed=share.times(documents),
        engine=engine,
    )  # fmt: skip


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64], high: float | None = None) -> Estimate:
    """The ratio of the two sums, by resampling documents (B. Efron's bootstrap, percentile method).

    `high` is the upper end if the sample cannot give it.
    """
    rng = np.random.default_rng(0)
    values = []
    for _ in range(RESAMPLES):
        drawn = rng.integers(0, len(above), len(above))
        values.append(above[drawn].sum() / max(1.0, below[drawn].sum()))
    low, upper = np.quantile(values, [(1 - CERTAINTY) / 2, 1 - (1 - CERTAINTY) / 2])
    return Estimate(float(above.sum() / max(1.0, below.sum())), float(low), float(upper) if high is None else high)


def _most_unseen(read: Iterable[Sampled]) -> float:
    """Fields per document that may go to review although none in the sample did: a bound from how many documents have any."""
    counts = [one.fields for one in read]
    return error_upper_bound(0, len(counts), 1 - (1 - CERTAINTY) / 2) * max(1.0, sum(counts) / len(counts))


def _narrowed(one: Estimate, rest: float) -> Estimate:
    return Estimate(one.value, one.value - (one.value - one.low) * rest, one.value + (one.high - one.value) * rest)
