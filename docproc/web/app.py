"""An application of pages: routes behind a door, with `/static/`, `/healthz`, and error responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from docproc._version import __version__
from docproc.errors import DocprocError
from docproc.web.door import MAX_SESSIONS, Door, Guard
from docproc.web.pages import fault_page

MAX_NAME = 100  # characters of a person's name [guess]
STATIC = Path(__file__).parent / "static"

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]


class Link(NamedTuple):
    """An entry of the navigation bar at the top of every page."""

    path: str
    title: str


def create_app(door: Door, routes: Sequence[BaseRoute], *, nav: Sequence[Link] = (), lifespan: Lifespan | None = None) -> Guard:
    """The application with these routes, guarded by `door`; `nav` is at the top of each page.

    If a handler raises HTTPException(status, text), or a DocprocError (400), the response is an error page or JSON.
    """
    app = Starlette(
        routes=[
            *routes,
            Route("/healthz", _health),
            Mount("/static", StaticFiles(directory=STATIC), name="static"),
        ],
        exception_handlers={HTTPException: _told, DocprocError: _told},
        lifespan=lifespan,
    )
    app.state.nav = tuple(nav)
    app.state.door, app.state.names = door, {}
    return Guard(app, door)


def session_of(request: Request) -> str:
    """Identifies a browser; "" for a program that sends the token."""
    return request.cookies.get(request.app.state.door.cookie, "")


def name_of(request: Request, otherwise: str) -> str:
    """A person's name: from `?who=` in the address of a page that this browser opened; the last one counts."""
    names, session = request.app.state.names, session_of(request)
    told: str = request.query_params.get("who", "").strip()[:MAX_NAME]
    if told and session:
        names.pop(session, None)
        names[session] = told
        if len(names) > MAX_SESSIONS:
            del names[next(iter(names))]
    return told or names.get(session, otherwise)


async def _health(request: Request) -> Response:
    return JSONResponse({"status": "ok", "docproc": __version__})


async def _told(request: Request, problem: Exception) -> Response:
    """The response when a handler raised an exception."""
    status = problem.status_code if isinstance(problem, HTTPException) else 400
    text = problem.detail if isinstance(problem, HTTPException) else str(problem)
    headers = problem.headers if isinstance(problem, HTTPException) else None
    if "text/html" in request.headers.get("accept", ""):
        return HTMLResponse(fault_page(status, text), status, headers)
    return JSONResponse({"error": text}, status, headers)
