"""The page of group verification: a mosaic of digits that were read as the same digit.

    routes = group_routes(GroupDesk(output, edits, queue, Tiles(CrewCutter())))
    create_app(door, [*routes, ...], nav=[..., GROUP_LINK])

Whoever creates the desk closes it when the application ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from docproc.runs.groups import PER_SCREEN, Why
from docproc.runs.tables import safe_name
from docproc.types import DIGIT_SYMBOLS
from docproc.web.app import Link, name_of, session_of
from docproc.web.bodies import json_of
from docproc.web.group_desk import GroupDesk, Outcome, Screen
from docproc.web.pages import render

Routes = list[Route]

GROUP_LINK = Link("/group", "Digits")
MAX_BODY = 16_384  # bytes of a page's message about a screen [guess]
KEPT_SECONDS = 600  # for which a browser caches the picture of a screen: it is loaded before the screen is shown

WHY: Mapping[Why, str] = {
    "in_doubt": "more is in doubt than their digits",
    "no_places": "the journal does not tell where their digits stand: they were read by an older docproc, "
    "and docproc run --no-resume reads them again",
    "account": "they hold account numbers, which --unmasked shows",
    "no_picture": "their documents have been moved, changed, or cannot be opened",
}


def group_routes(desk: GroupDesk) -> Routes:
    """The routes of group verification, all under `/group`."""
    own = _Pages(desk)
    return [
        Route("/group", own.home),
        Route("/group/screens", own.next_screen, methods=["POST"]),
        Route("/group/screens/{name}.jpg", own.picture),
        Route("/group/screens/{name}", own.answer, methods=["POST"]),
        Route("/group/screens/{name}/back", own.take_back, methods=["POST"]),
    ]


@dataclass(frozen=True, slots=True)
class _Pages:
    desk: GroupDesk

    async def home(self, request: Request) -> Response:
        name_of(request, self.desk.who)  # which this address may set
        found = await run_in_threadpool(self.desk.enter, _visitor(request))
        asked = request.query_params.get("digit", "")
        digit = asked if asked in DIGIT_SYMBOLS and asked else next((one for one, count in found.waiting.items() if count), "0")
        left = [(count, WHY[why]) for why, count in found.left.items()]
        waiting = {one: f"{count:,}" if count else "" for one, count in found.waiting.items()}
        return render(
            request, "group.html", digit=digit, waiting=waiting, total=sum(found.waiting.values()), left=left, tiles=PER_SCREEN,
            accepted=self.desk.accepted,
        )  # fmt: skip

    async def next_screen(self, request: Request) -> Response:
        digit = (await json_of(request, MAX_BODY)).get("digit")
        if not isinstance(digit, str) or digit not in DIGIT_SYMBOLS or not digit:
            raise HTTPException(400, "say which digit")
        who = name_of(request, self.desk.who)
        screen = await run_in_threadpool(self.desk.screen, _visitor(request), digit, who)
        return JSONResponse(_told(screen))

    async def picture(self, request: Request) -> Response:
        headers = {"Cache-Control": f"private, max-age={KEPT_SECONDS}"}
        return Response(self._screen(request).picture, media_type="image/jpeg", headers=headers)

    async def answer(self, request: Request) -> Response:
        screen = self._screen(request)
        said = (await json_of(request, MAX_BODY)).get("said")
        if not isinstance(said, dict) or not all(one is None or isinstance(one, str) for one in said.values()):
            raise HTTPException(400, "say what is on the screen")
        try:
            marks = {int(number): digit for number, digit in said.items() if digit is not None}
            outcome = await run_in_threadpool(self.desk.answer, screen, marks)
        except ValueError as problem:
            raise HTTPException(400, str(problem)) from problem
        return JSONResponse(asdict(outcome) | {"told": _said(outcome)}, 409 if outcome.stale else 200)

    async def take_back(self, request: Request) -> Response:
        stale = await run_in_threadpool(self.desk.take_back, self._screen(request))
        return JSONResponse({"told": ". ".join(stale)}, 409 if stale else 200)

    def _screen(self, request: Request) -> Screen:
        screen = self.desk.find(request.path_params["name"], _visitor(request))
        if screen is None:
            raise HTTPException(404, "this screen is no longer known; load the page again")
        return screen


def _visitor(request: Request) -> str:
    """The owner of these screens: the browser, or the program."""
    came = request.headers.get("authorization") or session_of(request)
    return hashlib.sha256(came.encode()).hexdigest()[:16]


def _told(screen: Screen) -> dict[str, Any]:
    """A screen in the form sent to the page: the name of each digit, and what was said about it if that is reviewed."""
    count, places = len(screen.pieces), [f"{piece.key[2]} in {_named(piece.document, piece.key[1])}" for piece in screen.pieces]
    return {
        "id": screen.id, "digit": screen.digit, "picture": f"/group/screens/{screen.id}.jpg", "said": {},
        "left": f"{count} here, {screen.left:,} more behind them",
        "names": [f"digit {number} of {count}, {place}" for number, place in enumerate(places, 1)],
        "about": [
            f"{place}, read as {piece.text}, this digit {int(100 * piece.confidence)} % sure"
            for place, piece in zip(places, screen.pieces, strict=True)
        ],
    }  # fmt: skip


def _said(outcome: Outcome) -> str:
    """The outcome of a screen, in words."""
    done = f"{outcome.digits} digits and with them {outcome.fields} fields confirmed"
    return ". ".join([done, *([f"To be keyed: {outcome.keying}"] if outcome.keying else []), *outcome.stale])


def _named(document: str, page: int) -> str:
    name = safe_name(document)
    return name if page == 1 else f"{name}, page {page}"
