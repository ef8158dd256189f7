"""Serves an application on this machine until Ctrl-C or SIGTERM, which end it cleanly."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from docproc.errors import BadUsage
from docproc.web.door import Door, is_loopback, open_door

USUAL_PORT = 8765  # if none was requested; if it is taken, any free port
IDLE_SECONDS = 30  # before a connection that does not finish the head of a request is closed
GRACE_SECONDS = 2  # for responses in progress when the server ends [guess]
MAX_CONNECTIONS = 500  # [guess]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server listens."""

    host: str = "127.0.0.1"
    port: int | None = None  # 0: any free port; None: the usual one, or any
    token: str = ""  # chosen by a person; "": one is generated
    names: tuple[str, ...] = ()  # further names by which it may be called
    browser: bool = True  # whether to open one


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that listens; it answers requests while `run` runs."""

    address: str  # of the requested page, with a ticket that lets one browser in
    door: Door
    server: uvicorn.Server
    listening: socket.socket

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.listening.getsockname()[1])

    def run(self) -> None:
        """Answer requests until `stop`, Ctrl-C or SIGTERM."""
        self.server.run(sockets=[self.listening])

    def stop(self) -> None:
        """End `run`, from another thread."""
        self.server.should_exit = True


@contextmanager
def opened(place: Place, make_app: Callable[[Door], ASGIApp], *, path: str = "/") -> Iterator[Serving]:
    """A server, ready to run, for the application that `make_app` makes.

    Raises BadUsage if the place is not available, or lets other machines in without a token.
    """
    with _bound(place) as listening:
        port = int(listening.getsockname()[1])
        door = open_door(place.host, port, place.token, place.names)
        address = f"http://{_shown(place.host)}:{port}{path}?token={door.ticket}"
        yield Serving(address, door, _Server(_config(make_app(door))), listening)


def serve(place: Place, make_app: Callable[[Door], ASGIApp], announce: Callable[[Serving], None], *, path: str = "/") -> None:
    """Serve the application that `make_app` makes, until Ctrl-C or SIGTERM; `announce` is called once the server listens.

    Raises what `opened` raises.
    """
    with opened(place, make_app, path=path) as serving:
        announce(serving)
        if place.browser:
            threading.Thread(target=_open_browser, args=(serving.address,), daemon=True).start()
        serving.run()


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app, http=_Patient, ws="none", lifespan="on", log_config=None, access_log=False, server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=GRACE_SECONDS, limit_concurrency=MAX_CONNECTIONS,
    )  # fmt: skip


@contextmanager
def _bound(place: Place) -> Iterator[socket.socket]:
    """A socket that listens at this place."""
    if not is_loopback(place.host) and not place.token:
        open_door(place.host)  # says what is missing
    try:
        listening = _listening(place.host, USUAL_PORT if place.port is None else place.port)
    except OSError as problem:
        if place.port is not None:
            raise _refused(place, problem) from problem
        try:
            listening = _listening(place.host, 0)
        except OSError as again:
            raise _refused(place, again) from again
    try:
        yield listening
    finally:
        with suppress(OSError):
            listening.close()


def _listening(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # otherwise Windows lets others take the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def _refused(place: Place, problem: OSError) -> BadUsage:
    why = problem.strerror or str(problem)
    return BadUsage(
        f"cannot listen on {place.host}, port {place.port or 'any'}: {why}; give another --port (0: any that is free)"
    )


def _shown(host: str) -> str:
    """The host as it appears in an address, as seen from this machine."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def _open_browser(address: str) -> None:
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return  # otherwise a browser for terminals would take this one
    with suppress(webbrowser.Error, OSError):
        webbrowser.open(address)


class _Server(uvicorn.Server):
    """Ends at a signal and does not raise it again: whoever ended the server wanted it to end."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGBREAK", signal.SIGTERM))
        before = {number: signal.signal(number, self.handle_exit) for number in dict.fromkeys(numbers)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down without logging what is cut off: the clients are told."""
        log = logging.getLogger("uvicorn.error")
        log.disabled = True
        try:
            await super().shutdown(sockets)
        finally:
            log.disabled = False


class _Patient(H11Protocol):
    """Closes a connection that takes too long to send the head of a request; uvicorn itself would wait forever."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the timer if a request head is incomplete, and stop it when the head has arrived."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
        elif self._timer is None and not self.transport.is_closing():
            self._timer = self.loop.call_later(IDLE_SECONDS, self.transport.close)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
