"""Access control: the host names of the server, tokens, cookies, origins; and the headers of every response.

The browser of the person who started the server gets in through an address with a single-use ticket, and has a cookie from then
on. A program sends the token with each request. A name that points here through DNS rebinding is refused by the raw Host
header, and a form sent by a page of another site is refused by the origin that the browser reports.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import re
import secrets
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from docproc.errors import BadUsage

LOOPBACK = ("127.0.0.1", "localhost", "::1")
MIN_TOKEN = 16  # characters of a token chosen by a person [guess]
MAX_SESSIONS = 1_000  # cookies that are valid at a time [guess]
OPEN_PATHS = ("/healthz", "/static/")  # open to anybody who calls the server by its name
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
HEADERS = (
    (b"content-security-policy",
     b"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)  # fmt: skip

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
Header = tuple[bytes, bytes]


@dataclass(slots=True, eq=False)
class Door:
    """What determines who may come in; see `open_door`."""

    names: frozenset[str]  # by which the server may be called, in lower case
    addresses: bool  # whether it may be called by any IP address
    cookie: str  # name of the cookie; cookies do not distinguish ports
    token: str  # for programs
    ticket: str  # for a browser, single use; "" once it was used
    shared: bool  # the token was chosen by a person, and lets browsers in too
    sessions: dict[str, None] = field(default_factory=dict)  # values of the cookie, oldest first

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server; the port does not matter."""
        found = _HOST.fullmatch(host.lower())
        if not found:
            return False
        name = found[1].strip("[]")
        return name in self.names or (self.addresses and _is_address(name))

    def admit(self, given: str) -> str:
        """The value of a new cookie in exchange for a ticket or a token; "" if it is not valid."""
        if self.ticket and _same(given, self.ticket):
            self.ticket = ""
        elif not (self.shared and _same(given, self.token)):
            return ""
        session = secrets.token_urlsafe(32)
        self.sessions[session] = None
        if len(self.sessions) > MAX_SESSIONS:
            del self.sessions[next(iter(self.sessions))]
        return session


def open_door(host: str = "127.0.0.1", port: int = 0, token: str = "", names: Iterable[str] = ()) -> Door:
    """A door for a server on `host`; `names` are further host names by which it may be called.

    Without a `token`, one is generated. Raises BadUsage for a host beyond this machine without a token, and for a short token.
    """
    if not is_loopback(host) and not token:
        raise BadUsage(f"--host {host} lets other machines in: give a --token that only those know who may use it")
    if token and (len(token) < MIN_TOKEN or not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", token)):
        raise BadUsage(f"--token: give at least {MIN_TOKEN} letters, digits and . _ ~ + / = -")
    own = {host.lower(), *LOOPBACK}
    if not is_loopback(host):
        own |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    return Door(
        names=frozenset(own | {name.lower() for name in names}),
        addresses=not is_loopback(host),
        cookie=f"docproc-{port}",
        token=token or secrets.token_urlsafe(32),
        ticket=secrets.token_urlsafe(32),
        shared=bool(token),
    )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine only."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host.lower() == "localhost"


def _is_address(name: str) -> bool:
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return False


def _same(given: str, known: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())


class Guard:
    """An application behind a door: requests that are not admitted get 400, 401 or 403 and reach nothing behind it."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers: Sequence[Header] = scope["headers"]
        unread, answered = _has_body(headers), False

        async def watched() -> Message:
            nonlocal unread
            message = await receive()
            if message["type"] == "http.request":
                unread = message.get("more_body", False)
            return message

        async def guarded(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                # A client that was answered before sending everything need not continue; uvicorn would read and drop the rest
                # forever.
                own = [*message.get("headers", ()), *([(b"connection", b"close")] if unread else [])]
                message = {**message, "headers": _with_headers(own)}
            await send(message)

        try:
            await self._let_in(scope, watched, guarded)
        except asyncio.CancelledError:  # the server is shutting down
            if not answered:
                await _answer(guarded, 503, headers, "The server was ended.")

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Sequence[Header] = scope["headers"]
        hosts = _values(headers, b"host")
        if len(hosts) != 1 or not self.door.knows(hosts[0]):
            await _answer(send, 400, headers, "The server is not called by this name.")
            return
        if not _same_origin(scope["method"], headers, hosts[0]):
            await _answer(send, 403, headers, "This request comes from another page.")
            return
        if any(scope["path"] == path or (path.endswith("/") and scope["path"].startswith(path)) for path in OPEN_PATHS):
            await self.app(scope, receive, send)
            return
        if await self._by_ticket(scope, send):
            return
        who = self._identity(headers)
        if not who:
            message = "Open the address that docproc printed when it started. It works once, in one browser."
            await _answer(send, 401, headers, message)
        elif who == "cookie" and scope["method"] not in SAFE_METHODS and not _tells_origin(headers):
            await _answer(send, 403, headers, "The request does not say from which page it comes.")
        else:
            await self.app(scope, receive, send)

    def _identity(self, headers: Sequence[Header]) -> str:
        """What admits a request: "token" or "cookie"; "" if it is not admitted."""
        given = _values(headers, b"authorization")
        if given:
            scheme, _, token = given[0].partition(" ")
            return "token" if len(given) == 1 and scheme.lower() == "bearer" and _same(token.strip(), self.door.token) else ""
        pairs = (pair.strip().partition("=") for line in _values(headers, b"cookie") for pair in line.split(";"))
        return "cookie" if any(name == self.door.cookie and value in self.door.sessions for name, _, value in pairs) else ""

    async def _by_ticket(self, scope: Scope, send: Send) -> bool:
        """Answer a browser that presents a ticket with a cookie and a redirect to the address without the ticket."""
        asked = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] != "GET" or "token" not in asked:
            return False
        session = self.door.admit(asked.pop("token")[0])
        if not session:
            return False
        rest = urlencode(asked, doseq=True)
        # Never "//host": the browser would leave this site.
        place = "/" + scope["path"].lstrip("/\\") + (f"?{rest}" if rest else "")
        location = place.encode("ascii", "ignore").replace(b"\r", b"").replace(b"\n", b"")
        cookie = f"{self.door.cookie}={session}; Path=/; HttpOnly; SameSite=Strict"
        await send({
            "type": "http.response.start", "status": 303,
            "headers": [(b"location", location), (b"set-cookie", cookie.encode()), (b"content-length", b"0")],
        })  # fmt: skip
        await send({"type": "http.response.body", "body": b""})
        return True


def _values(headers: Sequence[Header], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key == name]


def _same_origin(method: str, headers: Sequence[Header], host: str) -> bool:
    """Whether a request that may change something comes from a page of this server, as far as its headers show."""
    if method in SAFE_METHODS:
        return True
    sites, origins = _values(headers, b"sec-fetch-site"), _values(headers, b"origin")
    own = {f"http://{host.lower()}", f"https://{host.lower()}"}
    return all(site == "same-origin" for site in sites) and all(origin.lower() in own for origin in origins)


def _tells_origin(headers: Sequence[Header]) -> bool:
    return any(key in (b"origin", b"sec-fetch-site") for key, _ in headers)


def _has_body(headers: Sequence[Header]) -> bool:
    return any((key == b"content-length" and value != b"0") or key == b"transfer-encoding" for key, value in headers)


def _with_headers(own: Iterable[Header]) -> list[Header]:
    kept = list(own)
    known = {key.lower() for key, _ in kept}
    added = [*HEADERS, (b"cache-control", b"no-store")]
    return kept + [one for one in added if one[0] not in known]


async def _answer(send: Send, status: int, headers: Sequence[Header], text: str) -> None:
    """Report why a request was refused: a page for a browser, JSON for a program."""
    if any("text/html" in accepted for accepted in _values(headers, b"accept")):
        from docproc.web.pages import fault_page

        body, kind = fault_page(status, text), b"text/html; charset=utf-8"
    else:
        body, kind = json.dumps({"error": text}).encode(), b"application/json"
    own = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    if status == 401:
        own.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": own})
    await send({"type": "http.response.body", "body": body})
