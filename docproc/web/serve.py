"""The pages and the HTTP API of `docproc serve`: documents in, rows out; and a sketch pad."""

from __future__ import annotations

import asyncio
import io
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from docproc.runs.tables import COLUMNS, WRITERS, safe_name, write_rows
from docproc.types import Row
from docproc.web.app import Link, create_app
from docproc.web.batches import Batches, told
from docproc.web.bodies import body_of
from docproc.web.desk import Desk
from docproc.web.door import Door, Guard
from docproc.web.openapi import describe
from docproc.web.pages import render
from docproc.web.sketch import NOTHING, SIDE, Sketcher
from docproc.web.store import Refused
from docproc.web.uploads import receive_files

NAV = (Link("/", "Read"), Link("/sketch", "Sketch a digit"), Link("/api", "API"))
SWEEP_SECONDS = 60.0  # between checks for data that nobody requests any more [guess]
KINDS = {
    ".csv": "text/csv; charset=utf-8",
    ".jsonl": "application/x-ndjson",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".parquet": "application/vnd.apache.parquet",
}


def serve_app(door: Door, desk: Desk, sketcher: Sketcher, *, unmasked: bool = False) -> Guard:
    """The application of `docproc serve`; it closes `desk` when it ends. `unmasked` shows account numbers from the start."""
    own = _Pages(desk, Batches(desk.store), sketcher, door, unmasked)
    routes = [
        Route("/", own.home),
        Route("/sketch", own.sketch_pad),
        Route("/sketch", own.sketch, methods=["POST"]),
        Route("/api", own.api),
        Route("/api/read", own.read, methods=["POST"]),
        Route("/openapi.json", own.openapi),
        Route("/batches", own.new_batch, methods=["POST"]),
        Route("/batches/{key}", own.batch),
        Route("/batches/{key}", own.drop_batch, methods=["DELETE"]),
        Route("/batches/{key}/files", own.send_files, methods=["POST"]),
        Route("/batches/{key}/table{suffix}", own.table),
        Route("/batches/{key}/pages/{name}.png", own.picture),
    ]
    return create_app(door, routes, nav=NAV, lifespan=own.lifespan)


@dataclass(frozen=True, slots=True)
class _Pages:
    desk: Desk
    batches: Batches
    sketcher: Sketcher
    door: Door
    unmasked: bool

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        async def sweep() -> None:
            while True:
                await asyncio.sleep(SWEEP_SECONDS)
                self.batches.drop_old(time.monotonic())

        sweeping = asyncio.create_task(sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            await run_in_threadpool(self.desk.close)

    # ------------------------------------------------------------------------------------------------- pages

    async def home(self, request: Request) -> Response:
        formats = [suffix[1:] for suffix in WRITERS if suffix != ".parquet" or find_spec("pyarrow")]
        return render(request, "read.html", formats=formats, unmasked=self.unmasked, layout=self.desk.settings.layout.name)

    async def sketch_pad(self, request: Request) -> Response:
        return render(request, "sketch.html", side=SIDE)

    async def api(self, request: Request) -> Response:
        address = f"http://{request.headers['host']}"
        return render(request, "api.html", address=address, columns=COLUMNS, store=self.desk.store)

    # --------------------------------------------------------------------------------------------------- API

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(describe(self.desk.settings.layout.name))

    async def read(self, request: Request) -> Response:
        wanted = request.query_params.get("format") or ("csv" if _accepts_csv(request) else "json")
        if wanted not in ("json", "csv"):
            raise Refused(400, "format is json or csv")
        with self.desk.place():
            uploads = await receive_files(request, self.desk.store)
            try:
                readings = [one async for one in self.desk.read(uploads, pictures=False)]
            finally:
                self.desk.store.answered(uploads)
        order = sorted(readings, key=lambda one: os.fsencode(one.name))
        rows = [row for one in order for row in one.answer.rows]
        if wanted == "csv":
            return Response(await run_in_threadpool(_table, ".csv", rows), media_type=KINDS[".csv"])
        return JSONResponse({"rows": [_plain(row) for row in rows]})

    async def sketch(self, request: Request) -> Response:
        data = await body_of(request, SIDE * SIDE)
        if len(data) != SIDE * SIDE:
            raise Refused(400, f"a sketch has {SIDE} x {SIDE} bytes")
        found = await run_in_threadpool(self.sketcher.read, data)
        if found is None:
            return JSONResponse({"probabilities": None, "a_digit": None, "glyph": None, "best": None, "says": NOTHING})
        told = {"glyph": found.glyph.ravel().tolist(), "best": found.best, "says": found.says}
        return JSONResponse(asdict(found) | told)

    # ----------------------------------------------------------------------------------------------- batches

    async def new_batch(self, request: Request) -> Response:
        return JSONResponse({"id": self.batches.new().id})

    async def batch(self, request: Request) -> Response:
        batch = self.batches.find(request.path_params["key"])
        return JSONResponse({"documents": [told(batch, one) for one in batch.readings]})

    async def drop_batch(self, request: Request) -> Response:
        self.batches.drop(self.batches.find(request.path_params["key"]))
        return JSONResponse({})

    async def send_files(self, request: Request) -> Response:
        """Read what is sent; the response has one line of JSON per document, as soon as it is read."""
        batch = self.batches.find(request.path_params["key"])
        self.desk.enter()
        try:
            uploads = await receive_files(request, self.desk.store)
        except BaseException:
            self.desk.leave()
            raise

        async def lines() -> AsyncIterator[bytes]:
            try:
                async for one in self.desk.read(uploads, pictures=True, taken=batch.names()):
                    yield json.dumps(self.batches.add(batch, one)).encode() + b"\n"
            except Refused as problem:
                yield json.dumps({"error": problem.detail}).encode() + b"\n"

        def after() -> None:
            self.desk.store.answered(uploads)
            self.desk.leave()

        return _Lines(lines(), after)

    async def table(self, request: Request) -> Response:
        suffix = request.path_params["suffix"]
        if suffix not in WRITERS:
            raise Refused(404, f"a table ends in {', '.join(WRITERS)}")
        rows = list(self.batches.find(request.path_params["key"]).rows())
        data = await run_in_threadpool(_table, suffix, rows)
        headers = {"Content-Disposition": f'attachment; filename="docproc{suffix}"'}
        return Response(data, headers=headers, media_type=KINDS[suffix])

    async def picture(self, request: Request) -> Response:
        path = self.batches.find(request.path_params["key"]).pictures.get(request.path_params["name"])
        if path is None or not path.is_file():
            raise Refused(404, "this picture is gone")
        return FileResponse(path, media_type="image/png")


class _Lines(StreamingResponse):
    """A response line by line; `after` is called in any case."""

    def __init__(self, content: AsyncIterator[bytes], after: Callable[[], None]) -> None:
        super().__init__(content, media_type="application/x-ndjson")
        self._after = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with suppress(OSError):
                await super().__call__(scope, receive, send)
        finally:
            self._after()


def _accepts_csv(request: Request) -> bool:
    return "text/csv" in request.headers.get("accept", "")


def _plain(row: Row) -> dict[str, Any]:
    """A row as it appears in JSON."""
    return {name: safe_name(row.document) if name == "document" else getattr(row, name) for name in COLUMNS}


def _table(suffix: str, rows: Sequence[Row]) -> bytes:
    file = io.BytesIO()
    write_rows(WRITERS[suffix], lambda: rows, file, wide=False, texts=False)
    return file.getvalue()
