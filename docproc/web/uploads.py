"""Uploaded files (multipart/form-data): written as they arrive, refused once they are too large, too many or too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request

from docproc.web.store import Refused, Store, Upload

IDLE_SECONDS = 30.0  # in which some data must arrive
REQUEST_SECONDS = 900.0  # for a whole request [guess]
MAX_PARTS = 1_000  # per request, including those that are not files [guess]
MAX_FORM_BYTES = 100_000  # of all parts that are not files [guess]
MAX_LABEL = 1_000  # characters of a name that are kept [guess]
DRAINED = 1_000_000  # bytes that are read and dropped after a refusal, so that the client reads the reason
DRAIN_SECONDS = 1.0  # [guess]


async def receive_files(request: Request, store: Store) -> list[Upload]:
    """The files of a request, in the store. Raises Refused; then nothing of the request stays in the store."""
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise Refused(415, "send files as multipart/form-data: curl -F file=@scan.png")
    if (told := request.headers.get("content-length", "")).isdigit() and int(told) > store.sizes.request:
        await _drain(request)
        raise _too_large(store)
    form = _Form(store, options[b"boundary"])
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            async for chunk in _chunks(request):
                await run_in_threadpool(form.write, chunk)
        form.end()
    except TimeoutError:
        form.drop()
        raise Refused(408, "the upload took too long") from None
    except ClientDisconnect:
        form.drop()
        raise Refused(400, "the upload was broken off") from None
    except Refused:
        form.drop()
        await _drain(request)
        raise
    except BaseException:
        form.drop()
        raise
    return form.uploads


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """The request body in chunks. Raises TimeoutError if nothing arrives."""
    more = True
    while more:
        async with asyncio.timeout(IDLE_SECONDS):
            message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        more = message.get("more_body", False)
        if body := message.get("body", b""):
            yield body


async def _drain(request: Request) -> None:
    left = DRAINED
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in _chunks(request):
                left -= len(chunk)
                if left < 0:
                    return


def _too_large(store: Store) -> Refused:
    return Refused(413, f"a request may have {store.sizes.request} bytes; send fewer files at a time")


class _Form:
    """Parses a form as it arrives."""

    def __init__(self, store: Store, boundary: bytes) -> None:
        self.uploads: list[Upload] = []
        self._store = store
        self._size = self._parts = self._other = 0
        self._header = self._value = b""
        self._disposition = b""
        self._upload: Upload | None = None
        self._ended = False
        try:
            self._parser = MultipartParser(boundary, {
                "on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._finish,
                "on_header_field": self._on_field, "on_header_value": self._on_value, "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers, "on_end": self._on_end,
            })  # fmt: skip
        except FormParserError as problem:
            raise Refused(400, f"the form is damaged: {problem}") from problem

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._store.sizes.request:
            raise _too_large(self._store)
        try:
            self._parser.write(chunk)
        except FormParserError as problem:
            raise Refused(400, f"the form is damaged: {problem}") from problem

    def end(self) -> None:
        if not self._ended:
            raise Refused(400, "the form is cut off")
        if not self.uploads:
            raise Refused(400, "the form holds no file: curl -F file=@scan.png")

    def drop(self) -> None:
        for upload in self.uploads:
            self._store.delete(upload)

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Refused(413, f"a form may have {MAX_PARTS} parts")
        self._disposition, self._upload = b"", None

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = self._value
        self._header = self._value = b""

    def _on_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            return
        if len(self.uploads) >= self._store.sizes.files:
            raise Refused(413, f"a request may have {self._store.sizes.files} files; send fewer at a time")
        label = options[b"filename"].decode("utf-8", "surrogateescape")[:MAX_LABEL]
        self._upload = self._store.begin(label or f"document-{len(self.uploads) + 1}")
        self.uploads.append(self._upload)

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._upload:
            self._store.write(self._upload, data[start:end])
            return
        self._other += end - start
        if self._other > MAX_FORM_BYTES:
            raise Refused(413, "a form may hold little beside files")

    def _finish(self) -> None:
        if self._upload:
            self._store.finish(self._upload)

    def _on_end(self) -> None:
        self._ended = True
