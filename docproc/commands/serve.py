"""Serve the pages on which documents are read, and the HTTP API."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from docproc.documents import settings_for
from docproc.options import Limits, RunRequest
from docproc.rules import PartOrder
from docproc.web import check_installed

if TYPE_CHECKING:
    from docproc.web.door import Door, Guard
    from docproc.web.server import Serving

FILE_BYTES = 100_000_000  # of an upload, unless --limit says otherwise [guess]


def serve(
    announce: Callable[[Serving], None],
    *,
    host: str,
    port: int | None,
    token: str,
    allow_host: Sequence[str],
    browser: bool,
    layout: str | tuple[str, ...],
    max_error: float,
    thresholds: Path | None,
    date_order: PartOrder,
    date_window: str,
    as_of: date | None,
    keep: Path | None,
    unmasked: bool,
    jobs: int,
    backend: str,
    model: Path | None,
    limits: Sequence[tuple[str, float]],
) -> None:
    """Serve until Ctrl-C; `announce` is called once the server listens.

    Raises MissingPart without the extra `web`, BadUsage for a place that is not available, and what `settings_for` raises.
    """
    check_installed()
    from docproc.web.desk import Desk
    from docproc.web.serve import serve_app
    from docproc.web.server import Place
    from docproc.web.server import serve as serve_until_stopped
    from docproc.web.sketch import Sketcher
    from docproc.web.store import Sizes, Store

    own = replace(Limits(file_bytes=FILE_BYTES), **dict(limits))  # type: ignore[arg-type]
    request = RunRequest(
        (), Path(), layout, backend=backend, model=model, max_error=max_error, thresholds=thresholds,
        date_order=date_order, date_window=date_window, as_of=as_of, limits=own,
    )  # fmt: skip
    settings = settings_for([], request)
    room = Sizes()
    most = max(room.request, own.file_bytes)
    sizes = replace(room, file=own.file_bytes, request=most, store=max(room.store, 2 * most))

    def make_app(door: Door) -> Guard:
        desk = Desk(settings, Store.open(sizes, keep), jobs or os.cpu_count() or 1)
        return serve_app(door, desk, Sketcher(settings.backend, model), unmasked=unmasked)

    serve_until_stopped(Place(host, port, token, tuple(allow_host), browser), make_app, announce)
