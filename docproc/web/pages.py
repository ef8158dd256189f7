"""Pages from templates; every value inserted is escaped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

TITLES = {400: "Bad request", 401: "Not signed in", 403: "Refused", 404: "Nothing here", 405: "Not possible here"}


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("docproc.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


def page(template: str, values: Mapping[str, Any]) -> bytes:
    """A page from a template that extends `base.html`."""
    return _environment().get_template(template).render(values).encode("utf-8", "backslashreplace")


def render(request: Request, template: str, **values: Any) -> HTMLResponse:
    """The response with a page; `nav` is what `app.create_app` was given."""
    shown = {"nav": request.app.state.nav, "path": request.url.path, **values}
    return HTMLResponse(page(template, shown))


def fault_page(status: int, text: str) -> bytes:
    """The page that says why a request was refused or failed."""
    return page("fault.html", {"nav": (), "path": "", "heading": TITLES.get(status, "It did not work"), "text": text})
