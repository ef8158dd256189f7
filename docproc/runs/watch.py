"""A hot folder: files that arrive are read once they are complete, and the table is updated.

The folder is polled, because no operating system reports changes on every disk and share. The journal remembers what was read,
so a watch that is stopped and restarted continues.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from docproc.archives import file_stat
from docproc.documents import settings_for
from docproc.errors import BadInput
from docproc.forms import scans
from docproc.options import RunRequest
from docproc.runs.batch import (
    Progress,
    Summary,
    adopt_table,
    forms_passed,
    listed,
    planned_with,
    read_and_write,
    refuse_mixing,
    refuse_overwriting,
)
from docproc.runs.journal import Journal
from docproc.runs.lock import hold
from docproc.runs.tables import check_output
from docproc.urls import Place, Url

Stamp = tuple[int, int]  # bytes, ns of the last change


def watch(
    request: RunRequest,
    settle: float,
    every: float,
    report: Callable[[Summary], None],
    progress: Progress | None = None,
    sleep: Callable[[float], bool] | None = None,
    began: Callable[[], None] | None = None,
) -> None:
    """Read the files in the folder of the request, and those that arrive, until the watch is stopped.

    A file is read when it has not changed for `settle` seconds and was seen at least twice, `every` seconds apart. Its rows
    stay in the table when it is moved away, as is usual with such folders. `report` gets the summary after each reading.
    `sleep` waits that many seconds, and ends the watch by returning False. `began` is called once all checks have passed.
    Raises BadInput, OutputExists, and the errors of a run. A table whose cells were changed is left alone; the journal goes on,
    and the next summary says so.
    """
    (folder,) = request.inputs
    if isinstance(folder, Url) or not folder.is_dir():
        raise BadInput(f"{folder} is not a folder; docproc watch waits for files in one")
    refuse_mixing(request)
    check_output(request.output)
    with hold(request.output):
        request = replace(request, resume=request.resume is not False)
        refuse_overwriting(request)
        with Journal.open(request.output, anew=not request.resume) as journal:
            adopt_table(request, journal)
            if began:
                began()
            # Overwriting was requested for what exists now, not for changes from here on.
            _follow(replace(request, overwrite=False), journal, settle, report, progress, partial(sleep or _sleep, every))


def _follow(
    request: RunRequest,
    journal: Journal,
    settle: float,
    report: Callable[[Summary], None],
    progress: Progress | None,
    pause: Callable[[], bool],
) -> None:
    left: Stamp | None = None  # of the table, if it was left alone
    seen: dict[str, tuple[Stamp, float]] = {}
    taken: dict[str, Stamp] = {}
    first = True
    while True:
        try:
            documents, passed = listed(request)
        except BadInput:  # a share that is temporarily offline
            documents, passed = [], []
        stamps = {document.name: stamp for document in documents if (stamp := _stamp(document.path))}
        ripe = [d for d in documents if _ripe(d.name, stamps, seen, settle)]
        seen = {
            name: seen[name] if name in seen and seen[name][0] == stamp else (stamp, time.monotonic())
            for name, stamp in stamps.items()
        }
        now = {document.name: stamps[document.name] for document in ripe}
        moved = left is not None and _stamp(request.output) != left
        if ripe and (now != taken or first or moved):
            settings = settings_for(ripe, request)
            read = scans(settings.layout, ripe)
            planned = planned_with(settings, read)
            passed += forms_passed(ripe, read)
            waiting = stamps.keys() - now.keys()
            summary = read_and_write(request, settings, planned, passed, journal, progress, waiting=waiting, retry=first)
            left = _stamp(request.output) if summary.left_alone else None
            if summary.read or first or moved or summary.left_alone:
                report(summary)
            taken, first = now, False
        if not pause():
            return


def _ripe(name: str, stamps: dict[str, Stamp], seen: dict[str, tuple[Stamp, float]], settle: float) -> bool:
    # By our own clock: that of a scanner or a share may be off by years.
    stamp = stamps.get(name)
    before, since = seen.get(name, (None, 0.0))
    return stamp is not None and before == stamp and time.monotonic() - since >= settle


def _stamp(path: Place) -> Stamp | None:
    if isinstance(path, Url):
        return None
    try:
        found = file_stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True
