"""Web pages: the common base of the pages of `docproc serve`, those of `docproc review` in `review/`,
with group verification (group.py), and the template editor.

    door.py      access control: hosts, tokens, cookies, origins; headers of every response
    app.py       an application of routes behind a door; rendering of templates and reporting of errors
    bodies.py    small request bodies, within limits
    server.py    serves an application until Ctrl-C
    templates/   base.html and one for each page · static/: one stylesheet, one plain ES module per page

A page is a route whose handler returns `app.render(request, "name.html", ...)`; its template extends `base.html`.

Only `docproc.web` imports Starlette, uvicorn, Jinja2 and python-multipart: they are the extra `web`, with tomlkit, which
`docproc.fields.template.editing` needs.
"""

from __future__ import annotations

from importlib.util import find_spec

from docproc.errors import MissingPart

NEEDED = ("starlette", "uvicorn", "jinja2", "python_multipart")


def check_installed(*more: str) -> None:
    """Raises MissingPart if the extra `web` is not installed; `more` are packages that only some pages need."""
    missing = [name.replace("_", "-") for name in (*NEEDED, *more) if find_spec(name) is None]
    if missing:
        raise MissingPart(f"web pages need {', '.join(missing)}: pip install {' '.join(missing)}")
