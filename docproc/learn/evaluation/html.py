"""A self-contained HTML page: no script, no network access, ready to print."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from docproc._version import __version__
from docproc.types import Gray

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1d2127; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .4rem; }
p { margin: .3rem 0 .8rem; } .note { color: #5b6270; }
table { border-collapse: collapse; margin: .4rem 0; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .15rem .8rem .15rem 0; border-bottom: 1px solid #e3e5e8; }
th:first-child, td:first-child { text-align: left; } td.text { text-align: left; }
.plots { display: flex; flex-wrap: wrap; gap: 1rem 2rem; } .plots figure { margin: 0; max-width: 30rem; }
.gallery { display: flex; flex-wrap: wrap; gap: .5rem; } .gallery figure { margin: 0; text-align: center; font-size: 12px; }
.gallery img { border: 1px solid #e3e5e8; max-width: 20rem; } .gallery figcaption { max-width: 20rem; }
.plots img { width: 100%; } figcaption { color: #5b6270; font-size: 13px; }
@media print { body { margin: 0; max-width: none; font-size: 11px; } figure, tr { break-inside: avoid; } }
"""


POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # fetch nothing, run nothing


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page."""

    title: str
    body: str  # HTML, see `table`, `side_by_side` and `gallery`
    note: str = ""


def render_page(title: str, about: Mapping[str, str], sections: Iterable[Section]) -> str:
    """The whole page; `about` says what was examined."""
    subject = " · ".join(f"{name}: {value}" for name, value in {**about, "docproc": __version__}.items())
    parts = "".join(f"<section><h2>{escape(one.title)}</h2>{_note(one.note)}{one.body}</section>\n" for one in sections)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{_note(subject)}\n{parts}</body>\n</html>\n"
    )


def _note(text: str) -> str:
    return f"<p class=note>{escape(text)}</p>" if text else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], text_columns: Iterable[int] = ()) -> str:
    """A table. The first column and those in `text_columns` are text, the others numbers."""
    words = set(text_columns)
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=text' if k in words else ''}>{escape(cell)}</td>" for k, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def side_by_side(plots: Mapping[str, str]) -> str:
    """SVG plots next to each other, by their captions."""
    figures = "".join(
        f'<figure><img alt="{escape(caption)}" src="data:image/svg+xml;base64,{_base64(svg.encode())}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        for caption, svg in plots.items()
    )
    return f'<div class="plots">{figures}</div>'


def gallery(pictures: Sequence[Gray], captions: Sequence[str], height: int = 56) -> str:
    """Pictures (h, w) uint8, 0 black .. 255 white, at a height of `height` px, each with its caption."""
    from PIL import Image

    figures = []
    for picture, caption in zip(pictures, captions, strict=True):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        source = f"data:image/png;base64,{_base64(file.getvalue())}"
        figures.append(
            f'<figure><img alt="" height="{height}" src="{source}"><figcaption>{escape(caption)}</figcaption></figure>'
        )
    return f'<div class="gallery">{"".join(figures)}</div>' if figures else "<p>none</p>"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
