"""The keying page as one HTML file: no server, no network; its script, style, data and crops are inside."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from typing import Any

from docproc.errors import DocumentError
from docproc.runs.edits import AUDIT
from docproc.runs.queue import Person
from docproc.runs.scans import encoded_small
from docproc.runs.tables import safe_name
from docproc.web.app import STATIC
from docproc.web.pages import page
from docproc.web.review.app import page_values
from docproc.web.review.keying import Keying

FILE_BYTES = 15_000_000  # for a file with MAX_FIELDS fields
MAX_FIELDS = 2_000
CROP_BYTES = 60_000  # per crop, if there are few [guess]
SCREEN = "offline"
TOLD = "Save what you keyed (F9), and send the file back: docproc apply enters it."


def offline_page(keying: Keying, who: str, *, unmasked: bool) -> tuple[bytes, int]:
    """(HTML, number of fields) of the page with all fields of `keying`; `who` is the default name of the person."""
    cards = keying.cards(Person(who), ahead=1 << 62)
    own = [card | {"page": "", "edit": _edit(keying, card)} for card in cards]
    plain = sum(len(json.dumps(card)) for card in own)
    room = max(FILE_BYTES, len(own) * FILE_BYTES // MAX_FIELDS) - plain - 100_000  # reserved for page, style and script
    most = max(0, min(CROP_BYTES, room // max(1, len(own)) * 3 // 4 - 40))
    for card in sorted(own, key=_on_paper):  # a page is decoded once for all its fields
        card["crop"] = _crop(keying, card["id"], most)
    data = {"run": secrets.token_hex(8), "told": TOLD, "cards": own}
    values = {"nav": (), "path": "", **page_values(who, unmasked=unmasked, offline=True)}
    return _inlined(page("review.html", values).decode(), data).encode("utf-8", "backslashreplace"), len(own)


def _edit(keying: Keying, card: Mapping[str, Any]) -> dict[str, Any]:
    """What an edit of this field contains besides what is keyed, see docs/corrections.md."""
    state, mode = keying.shown(card["id"])
    reading = state.reading
    said = {"document": safe_name(reading.document), "page": reading.page, "field": reading.field, "sha256": state.sha256}
    return said | {"screen": AUDIT if mode == "audit" else SCREEN} | ({"again": True} if mode == "again" else {})


def _on_paper(card: Mapping[str, Any]) -> tuple[str, int]:
    return card["edit"]["sha256"], card["edit"]["page"]


def _crop(keying: Keying, card: str, most: int) -> str:
    try:
        data = encoded_small(keying.crop(card), most)
    except DocumentError:
        return "data:,"  # the page says that there is no picture
    return "data:image/webp;base64," + base64.b64encode(data).decode()


def _inlined(html: str, data: Mapping[str, Any]) -> str:
    """A page with everything inlined that it otherwise fetches from a server."""
    style = (STATIC / "docproc.css").read_text(encoding="utf-8")
    shared, own = ((STATIC / name).read_text(encoding="utf-8") for name in ("page.js", "review.js"))
    script = re.sub(r"^export ", "", shared, flags=re.MULTILINE) + re.sub(r"^import .*\n", "", own, flags=re.MULTILINE)
    policy = (f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
              "base-uri 'none'; form-action 'none'")  # fmt: skip
    held = json.dumps(data).replace("<", "\\u003c")
    for old, new in (
        (r'<link rel="icon"[^>]*>', f'<meta http-equiv="Content-Security-Policy" content="{policy}">'),
        (r'<link rel="stylesheet"[^>]*>', f"<style>{style}</style>"),
        (r'<script type="module" src="[^>]*></script>', f'<script type="module">{script}</script>'),
        (r'class="brand" href="/"', 'class="brand" href="#main"'),
        (r"</body>", f'<script type="application/json" id="data">{held}</script>\n</body>'),
    ):
        html, count = re.subn(old, lambda _, new=new: new, html)  # type: ignore[misc]
        assert count == 1, old
    return html


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
