"""The page of `docproc template edit`: a form whose boxes are moved, named and saved as a template.

The server holds the template and renders everything that changes; the browser moves boxes, and swaps in the parts it receives.
Every request states the version that it is based on, and an outdated one changes nothing (409).
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from docproc.errors import DocprocError, DocumentError
from docproc.fields.lint import Evidence, faults, printed_frames
from docproc.fields.template import editing
from docproc.options import Limits
from docproc.runs.tables import shown_name
from docproc.runs.workers import Crew
from docproc.web.app import create_app
from docproc.web.bodies import body_of
from docproc.web.desk import remove
from docproc.web.door import Door, Guard
from docproc.web.overlays import Laid, Look, Looked, open_looker
from docproc.web.pages import page, render
from docproc.web.session import Conflict, Session, Sheet, Wrong
from docproc.web.store import Refused, Store, Upload
from docproc.web.uploads import receive_files

MAX_SCANS = 8  # overlaid on a form at a time [guess]
MAX_FORM_BYTES = 100_000  # of a request without files [guess]
MAX_FORM_VALUES = 100  # [guess]
MOVES_FOCUS = ("add", "delete", "turn")  # actions that move the focus to another box


@dataclass(slots=True, eq=False)
class Scan:
    """A document that is overlaid on the form."""

    name: str
    upload: Upload
    shown: bool = True
    looked: Looked | None = None
    problem: str = ""  # why it could not be opened
    pictures: dict[int, Laid] = field(default_factory=dict)  # by page of the form
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, eq=False)
class Bench:
    """The working state of an editor; starts its workers when it is created, and ends them in `close`."""

    session: Session
    store: Store
    limits: Limits
    jobs: int = 1
    scans: list[Scan] = field(default_factory=list)
    crew: Crew[Look, Looked] = field(init=False)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.crew = Crew(open_looker, jobs=self.jobs, seconds=self.limits.seconds, memory=self.limits.memory)

    def close(self) -> None:
        """End the workers and empty the store."""
        self.crew.close()
        self.store.close()

    def drop(self, scan: Scan) -> None:
        """Drop a scan."""
        self.scans.remove(scan)
        self.store.delete(scan.upload)
        remove([laid.picture for laid in scan.pictures.values() if laid.picture])

    async def look(self, scan: Scan, text: str) -> None:
        """Overlay a scan on the form, using a template without errors."""
        async with scan.lock:
            await self._look(scan, text)

    async def _look(self, scan: Scan, text: str) -> None:
        first = scan.looked is None
        place = self.store.pictures() if first else ""
        task = Look(scan.upload.path, scan.name, text, self.session.path, self.limits, place)
        try:
            scan.looked, scan.problem = await asyncio.wrap_future(self.crew.submit(task)), ""
        except DocumentError as problem:
            scan.problem = str(problem)
            return
        except DocprocError as problem:
            raise Refused(503, str(problem)) from problem
        if scan not in self.scans:  # it was dropped in the meantime
            remove([laid.picture for laid in scan.looked.laid if laid.picture])
        elif first:
            scan.pictures = {laid.page: laid for laid in reversed(scan.looked.laid)}


def editor_app(door: Door, bench: Bench) -> Guard:
    """The application of `docproc template edit`; it closes `bench` when it ends."""
    own = _Pages(bench)
    routes = [
        Route("/", own.home),
        Route("/edit", own.edit, methods=["POST"]),
        Route("/lint", own.lint, methods=["POST"]),
        Route("/scans", own.add_scans, methods=["POST"]),
        Route("/scan", own.change_scan, methods=["POST"]),
        Route("/pages/{number:int}.png", own.picture),
        Route("/scans/{key}.png", own.overlay),
    ]
    return create_app(door, routes, lifespan=own.lifespan)


@dataclass(frozen=True, slots=True)
class _Pages:
    bench: Bench

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await run_in_threadpool(self.bench.close)

    async def home(self, request: Request) -> Response:
        async with self.bench.lock:
            return render(request, "editor.html", **self._values(""))

    async def edit(self, request: Request) -> Response:
        """Change the template; the response contains every part of the page that may look different now."""
        values = await _form(request)
        version, action = _number(values, "version"), values.get("do", "")
        status, bench = 200, self.bench
        async with bench.lock:
            try:
                said = await run_in_threadpool(bench.session.apply, version, action, values)
            except Conflict as problem:
                status, said = 409, str(problem)
            except Wrong as problem:
                status, said = 400, str(problem)
            chosen = bench.session.chosen
            return self._parts(said, status, f"box-{chosen}" if action in MOVES_FOCUS and chosen is not None else "")

    async def add_scans(self, request: Request) -> Response:
        """Overlay documents on the form."""
        bench = self.bench
        uploads = await receive_files(request, bench.store)
        async with bench.lock:
            room = MAX_SCANS - len(bench.scans)
            for upload in uploads[max(0, room) :]:
                bench.store.delete(upload)
            new = [Scan(shown_name(upload.label), upload) for upload in uploads[: max(0, room)]]
            bench.scans += new
            draft = bench.session.draft
        if draft.templates:
            await asyncio.gather(*(bench.look(scan, draft.text) for scan in new))
        async with bench.lock:
            bench.session.version += 1
            left_out = f" {MAX_SCANS} at most can lie there at a time." if len(uploads) > room else ""
            return self._parts(f"{len(new)} {'scan lies' if len(new) == 1 else 'scans lie'} over the form.{left_out}", 200)

    async def change_scan(self, request: Request) -> Response:
        """Show a scan, hide it, or drop it."""
        values = await _form(request)
        async with self.bench.lock:
            scan = self._scan(_number(values, "index"))
            if values.get("do") == "drop":
                self.bench.drop(scan)
            else:
                scan.shown = not scan.shown
            self.bench.session.version += 1
            return self._parts("", 200)

    async def lint(self, request: Request) -> Response:
        """The problems of the current template, checked against its form and the scans."""
        bench = self.bench
        async with bench.lock:
            draft, version, scans = bench.session.draft, bench.session.version, list(bench.scans)
        if draft.templates:
            await asyncio.gather(*(bench.look(scan, draft.text) for scan in scans))
        checked = await run_in_threadpool(_check, bench.session, draft, scans) if draft.templates else None
        return HTMLResponse(page("editor_lint.html", {"checked": checked, "version": version, "faults": draft.faults}))

    async def picture(self, request: Request) -> Response:
        number = request.path_params["number"]
        if not 1 <= number <= len(self.bench.session.sheets):
            raise Refused(404, "there is no such page")
        data = await run_in_threadpool(_png, self.bench.session.sheets[number - 1])
        return Response(data, media_type="image/png")

    async def overlay(self, request: Request) -> Response:
        there = [laid.picture for scan in self.bench.scans for laid in scan.pictures.values() if laid.picture]
        found = next((path for path in there if path.stem == request.path_params["key"]), None)
        if found is None:
            raise Refused(404, "this picture is gone")
        return FileResponse(found, media_type="image/png")

    def _scan(self, index: int) -> Scan:
        if not 0 <= index < len(self.bench.scans):
            raise Refused(404, "this scan is gone")
        return self.bench.scans[index]

    def _parts(self, said: str, status: int, goto: str = "") -> Response:
        return HTMLResponse(page("editor_parts.html", self._values(said, goto)), status)

    def _values(self, said: str, goto: str = "") -> dict[str, Any]:
        session = self.bench.session
        return {
            "most": MAX_SCANS, "goto": goto, "said": said, "session": session, "draft": session.draft, "entry": session.entry,
            "sheet": session.sheet, "entries": session.draft.on_page(session.page), "scans": self.bench.scans,
            "keys": editing.KEYS, "kinds": editing.KINDS, "flags": editing.FLAGS, "shown": editing.shown, "LABELS": LABELS,
        }  # fmt: skip


LABELS = {
    "digits": ("Digits", "8, or 1 to 7"),
    "pattern": ("Pattern", "[12][0-9]*"),
    "range": ("Range", "0 to 120"),
    "check_digit": ("Check digit", "luhn, mod11, aba …"),
    "allowed": ("Allowed", "codes.csv: code"),
    "decimals": ("Decimals", "2, or 0 to 2"),
    "order": ("Order", "DDMMYYYY, DMY …"),
    "cells": ("Cells", "8"),
    "years": ("Years", "1900 to 2030"),
}
"""The labels of a field's keys on the page, and example input."""


@dataclass(frozen=True, slots=True)
class Line:
    """A field with its check results."""

    index: int
    name: str
    apart: float | None  # px of the form: the largest offset of its print on a scan
    clipped: str  # where writing extends beyond its box
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """A page of a template with its check results."""

    lines: tuple[Line, ...]
    fits: tuple[tuple[str, str], ...]  # for each scan: its name, and how it fits
    refused: tuple[str, ...]

    @property
    def wrong(self) -> tuple[Line, ...]:
        """The fields that have problems."""
        return tuple(line for line in self.lines if line.faults)


def _check(session: Session, draft: editing.Draft, scans: list[Scan]) -> Checked:
    """Check the page that is shown against its print and against scans."""
    number = min(session.page, len(draft.templates))
    known, sheet = draft.templates[number - 1], session.sheets[number - 1]
    laid = [one for scan in scans if scan.looked for one in scan.looked.laid if one.page == number]
    evidence = Evidence(known, printed_frames(known, sheet.print), [one.findings for one in laid])
    indexes = {entry.name: entry.index for entry in draft.fields}
    lines = []
    for known_field in known.fields:
        name = known_field.name
        apart = [one.apart[name] for one in laid if name in one.apart]
        cut = [one.findings.cut_off[name] for one in laid if name in one.findings.cut_off]
        side, over = max(cut, key=lambda one: one[1], default=("", 0))
        trouble = sorted({one.trouble[name] for one in laid if name in one.trouble})
        told = (*faults(known_field, evidence), *trouble)
        lines.append(Line(indexes[name], name, max(apart, default=None), f"{side} {over} px" if side else "", told))
    refused = [scan.problem for scan in scans if scan.problem]
    refused += [why for scan in scans if scan.looked for why in scan.looked.refused]
    return Checked(tuple(lines), tuple((one.findings.name, one.summary) for one in laid), tuple(refused))


@lru_cache(maxsize=4)
def _png(sheet: Sheet) -> bytes:
    """The picture of a page of the form, encoded by us."""
    from PIL import Image

    picture = Image.new("L", (sheet.width, sheet.height), 255) if sheet.gray is None else Image.fromarray(sheet.gray)
    file = io.BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()


async def _form(request: Request) -> Mapping[str, str]:
    """The values of a form. Raises Refused."""
    data = await body_of(request, MAX_FORM_BYTES)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, errors="replace", max_num_fields=MAX_FORM_VALUES)
    except ValueError as problem:
        raise Refused(400, f"the form is damaged: {problem}") from problem
    return dict(pairs)


def _number(values: Mapping[str, str], name: str) -> int:
    try:
        return int(values[name])
    except (KeyError, ValueError) as problem:
        raise Refused(400, f"the form holds no {name}") from problem
