"""Web pages: the foundation that all of them stand on, those of `docproc serve`, in `review/` those of `docproc review`,
with group verification (group.py), and the editor of templates.

    door.py      who may come in: hosts, tokens, cookies, origins; headers of every answer
    app.py       an application of routes behind a door; how templates are rendered and faults are told
    bodies.py    small bodies of requests, within limits
    server.py    serves an application until Ctrl-C
    templates/   base.html and one for each page · static/: one stylesheet, one plain ES module a page

A page is a route whose handler returns `app.render(request, "name.html", ...)`; its template extends `base.html`.

Nothing but `docproc.web` imports Starlette, uvicorn, Jinja2 and python-multipart: they are the extra `web`, with tomlkit, which
`docproc.fields.template.editing` needs.
"""

from __future__ import annotations

from importlib.util import find_spec

from docproc.errors import MissingPart

NEEDED = ("starlette", "uvicorn", "jinja2", "python_multipart")


def check_installed(*more: str) -> None:
    """Raises MissingPart where the extra `web` is not installed; `more` are packages that only some pages need."""
    missing = [name.replace("_", "-") for name in (*NEEDED, *more) if find_spec(name) is None]
    if missing:
        raise MissingPart(f"web pages need {', '.join(missing)}: pip install {' '.join(missing)}")
