"""The routes of `docproc review`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from docproc.errors import DocprocError, DocumentError
from docproc.runs.edits import StaleEdit
from docproc.runs.queue import ORDERS, Order, Person
from docproc.runs.scans import Picture, encoded
from docproc.web.app import MAX_NAME, Link, create_app, name_of, session_of
from docproc.web.bodies import json_of
from docproc.web.door import Door, Guard
from docproc.web.group import GROUP_LINK, group_routes
from docproc.web.group_desk import GroupDesk
from docproc.web.pages import render
from docproc.web.review.keying import Action, Broken, Keying, Unknown, Wish, is_account
from docproc.web.store import Refused

NAV = (Link("/", "Key fields"),)
KEYS = (
    ("b", "B", "Blank"), ("x", "X", "Illegible"), ("s", "S", "Skip"), ("u", "U", "Back"), ("F2", "F2", "Page"),
    ("r", "R", "Turn"),
    ("m", "M", "Account numbers"), ("o", "O", "Order"),
)  # fmt: skip
HELP = (
    ("Enter", "take what stands in the box, and go on"), ("0 … 9 . , - /", "key another text; marks in amounts and dates"),
    ("B", "blank: nothing is written there"), ("X", "illegible"), ("S", "skip it for now"),
    ("U Ctrl+Z", "back: take the last answer back"), ("↑ ↓", "look at the field before or after, without an answer"),
    ("F2 Space", "the page around it, enlarged, closed"), ("R", "turn upside down"),
    ("O", "least sure first, or in the order of the paper"),
    ("M", "show or cover account numbers"), ("?", "these keys"),
)  # fmt: skip
MAX_BODY = 100_000  # bytes of a request [guess]


def review_app(
    door: Door,
    keying: Keying,
    desk: GroupDesk | None = None,
    *,
    who: str = "",
    unmasked: bool = False,
) -> Guard:
    """The application of `docproc review`; `who` keys unless the address has `?who=`. A `desk` adds the page of digits."""
    own = _Pages(keying, who, unmasked)
    routes = [
        Route("/", own.home),
        Route("/key", own.key, methods=["POST"]),
        Route("/crops/{card}.png", own.crop),
        Route("/pages/{card}.png", own.sheet),
        *(group_routes(desk) if desk else ()),
    ]
    return create_app(door, routes, nav=(*NAV, GROUP_LINK) if desk else NAV)


@dataclass(frozen=True, slots=True)
class _Pages:
    keying: Keying
    who: str
    unmasked: bool

    async def home(self, request: Request) -> Response:
        return render(request, "review.html", **page_values(name_of(request, self.who), unmasked=self.unmasked))

    async def key(self, request: Request) -> Response:
        """Do what a person asks for with a field, if anything, and return the next ones."""
        told = await json_of(request, MAX_BODY)
        person = self._person(request, told)
        have, order = told.get("have", []), told.get("order", "doubt")
        if not _is_texts(have) or order not in ORDERS:
            raise Refused(400, "have is a list of ids, order is doubt or paper")
        wish = _wish(told) if "id" in told else None

        def act() -> tuple[dict[str, Any], int]:
            if told.get("begins") is True:
                self.keying.begin(person)
            if told.get("ends") is True:
                return {"told": self.keying.finish(person)}, 200
            answer, status = _done(self.keying, person, wish) if wish else ({}, 200)
            held = have if wish is None else [one for one in have if one != wish.id]
            if wish and (status != 200 or "card" in answer):
                held = [*held, wish.id]
            cards = self.keying.cards(person, held, cast(Order, order))
            return {**answer, "cards": cards, **self.keying.progress(person)}, status

        answer, status = await run_in_threadpool(act)
        return JSONResponse(answer, status)

    async def crop(self, request: Request) -> Response:
        return await _picture(lambda: self.keying.crop(request.path_params["card"]))

    async def sheet(self, request: Request) -> Response:
        asked = request.query_params
        covered, near = asked.get("open") != "true", asked.get("view") == "2"
        return await _picture(lambda: self.keying.sheet(request.path_params["card"], covered=covered, near=near))

    def _person(self, request: Request, told: dict[str, Any]) -> Person:
        who = told.get("who", "")
        if not isinstance(who, str):
            raise Refused(400, "who is a name")
        return Person(who.strip()[:MAX_NAME] or name_of(request, self.who), session_of(request))


def page_values(who: str, *, unmasked: bool, offline: bool = False) -> dict[str, Any]:
    """The values passed to the template of the page."""
    keys = [one for one in KEYS if not offline or one[0] not in ("F2", "o")]
    lines = [one for one in HELP if one[0] not in ("O", "F2 Space")] + [("F9", "save what was keyed")] if offline else HELP
    return {"who": who, "unmasked": unmasked, "offline": offline, "keys": keys, "help": lines}


def _done(keying: Keying, person: Person, wish: Wish) -> tuple[dict[str, Any], int]:
    """The result of a request, and the HTTP status of the response."""
    try:
        return keying.key(person, wish), 200
    except StaleEdit as stale:
        return _stale(keying, stale, wish), 409
    except Broken as broken:
        return {"error": f"{_sentence(broken)} Press Enter again if it is written so.", "broken": True}, 422
    except ValueError as fault:
        return {"error": _sentence(fault)}, 422
    except Unknown as problem:
        return {"error": str(problem)}, 404
    except DocprocError as problem:  # for example, the disk is full
        return {"error": str(problem)}, 507


def _stale(keying: Keying, stale: StaleEdit, wish: Wish) -> dict[str, Any]:
    last = stale.came[-1]
    who = last.who or "Somebody"
    state, mode = keying.shown(wish.id)
    if mode in ("audit", "again") or is_account(state.reading):
        did = "keyed this field"
    else:
        did = "took back what was keyed there" if last.how == "withdrawn" else f"keyed {last.shown} here"
    yours = f" ({wish.text})" if wish.text and not is_account(state.reading) else ""
    return {"error": f"{who} {did} while you had it. Press Enter to enter yours{yours} all the same, S to leave it.",
            "version": last.id}  # fmt: skip


def _wish(told: dict[str, Any]) -> Wish:
    action, text, version = told.get("said"), told.get("text", ""), told.get("version", 0)
    if (
        action not in get_args(Action)
        or not isinstance(text, str)
        or type(version) is not int
        or not isinstance(told["id"], str)
    ):
        raise Refused(400, "this cannot be said of a field")
    return Wish(told["id"], version, cast(Action, action), text, told.get("overruled") is True)


def _is_texts(some: object) -> bool:
    return isinstance(some, list) and len(some) <= 1000 and all(isinstance(one, str) for one in some)


async def _picture(draw: Callable[[], Picture]) -> Response:
    try:
        data = await run_in_threadpool(lambda: encoded(draw()))
    except (DocumentError, Unknown) as problem:
        raise Refused(404, str(problem)) from problem
    return Response(data, media_type="image/png")


def _sentence(problem: Exception) -> str:
    text = str(problem)
    return f"{text[:1].upper()}{text[1:]}."
