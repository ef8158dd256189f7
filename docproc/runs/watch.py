"""A hot folder: files that arrive are read once they are complete, and the table follows.

The folder is polled, because no system reports changes on every disk and share. The journal remembers what was read, so a
watch that is stopped and started again continues.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from docproc.documents import settings_for
from docproc.errors import BadInput, OutputExists
from docproc.files import Document, find_documents
from docproc.forms import scans
from docproc.options import RunRequest
from docproc.runs.batch import Progress, Summary, planned_with, read_and_write, refuse_mixing
from docproc.runs.journal import Journal, journal_path
from docproc.runs.lock import hold
from docproc.runs.tables import check_output

Stamp = tuple[int, int]  # bytes, ns of the last change


def watch(
    request: RunRequest,
    settle: float,
    every: float,
    report: Callable[[Summary], None],
    progress: Progress | None = None,
    sleep: Callable[[float], bool] | None = None,
) -> None:
    """Read the files in the folder of the request, and those that arrive, until the watch is stopped.

    A file is read when it has not changed for `settle` seconds and was seen at least twice, `every` seconds apart. Its rows
    stay in the table when it is moved away, as is usual with such folders. `report` gets the summary after each reading.
    `sleep` waits that many seconds, and ends the watch by returning False. Raises BadInput, OutputExists, and the errors of a
    run.
    """
    (folder,) = request.inputs
    if not folder.is_dir():
        raise BadInput(f"{folder} is no folder; docproc watch waits for files in one")
    refuse_mixing(request)
    check_output(request.output)
    pause = sleep or _sleep
    with hold(request.output):
        if request.output.exists() and not journal_path(request.output).exists() and not request.overwrite:
            raise OutputExists(f"{request.output} is there already and no watch wrote it; give --overwrite or another name")
        with Journal.open(request.output, anew=request.resume is False) as journal:
            seen: dict[str, tuple[Stamp, float]] = {}
            taken: dict[str, Stamp] = {}
            first = True
            while True:
                try:
                    documents, passed = find_documents(request.inputs, request.recursive)
                except BadInput:  # a share that is offline for a while
                    documents, passed = [], 0
                stamps = {document.name: stamp for document in documents if (stamp := _stamp(document))}
                ripe = [d for d in documents if _ripe(d.name, stamps, seen, settle)]
                seen = {
                    name: seen[name] if name in seen and seen[name][0] == stamp else (stamp, time.monotonic())
                    for name, stamp in stamps.items()
                }
                now = {document.name: stamps[document.name] for document in ripe}
                if ripe and (now != taken or first):
                    settings = settings_for(ripe, request)
                    planned = planned_with(settings, scans(settings.layout, ripe))
                    summary = read_and_write(request, settings, planned, passed, journal, progress, keep_gone=True, retry=first)
                    if summary.read or first:
                        report(summary)
                    taken, first = now, False
                if not pause(every):
                    return


def _ripe(name: str, stamps: dict[str, Stamp], seen: dict[str, tuple[Stamp, float]], settle: float) -> bool:
    # By our own clock: the clock of a scanner or a share may be wrong by years.
    stamp = stamps.get(name)
    before, since = seen.get(name, (None, 0.0))
    return stamp is not None and before == stamp and time.monotonic() - since >= settle


def _stamp(document: Document) -> Stamp | None:
    try:
        found = os.stat(document.path, follow_symlinks=False)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return True
