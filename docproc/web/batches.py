"""What a browser has sent and views: rows and page pictures, until they are dropped or no longer requested."""

from __future__ import annotations

import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docproc.runs.tables import COLUMNS, shown_name
from docproc.types import Row, Status
from docproc.web.desk import Reading, remove
from docproc.web.store import Refused, Store

KEPT_SECONDS = 1_800.0  # after the last request [guess]
MAX_BATCHES = 50  # at a time; the least recently used one is dropped [guess]
MAX_ROWS = 200_000  # per batch [guess]
WORST_FIRST: tuple[Status, ...] = ("error", "review", "ok")


@dataclass(slots=True, eq=False)
class Batch:
    """The documents of one browser page."""

    id: str
    readings: list[Reading] = field(default_factory=list)
    pictures: dict[str, Path] = field(default_factory=dict)
    bytes: int = 0  # of the pictures
    asked: float = 0.0  # monotonic seconds

    def rows(self) -> Iterator[Row]:
        """The rows of the table, by the names of the documents."""
        for one in sorted(self.readings, key=lambda reading: os.fsencode(reading.name)):
            yield from one.answer.rows

    def names(self) -> Sequence[str]:
        """The names of its documents, and of the archives that contained them."""
        return [name for one in self.readings for name in (one.name, one.name.partition("/")[0])]


class Batches:
    """The batches of all browsers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, Batch] = {}

    def new(self) -> Batch:
        """An empty batch."""
        batch = Batch(secrets.token_urlsafe(16), asked=time.monotonic())
        self._known[batch.id] = batch
        while len(self._known) > MAX_BATCHES:
            self.drop(min(self._known.values(), key=lambda one: one.asked))
        return batch

    def find(self, key: str) -> Batch:
        """The batch of this id. Raises Refused."""
        batch = self._known.get(key)
        if batch is None:
            raise Refused(404, "these results are gone")
        batch.asked = time.monotonic()
        return batch

    def add(self, batch: Batch, reading: Reading) -> dict[str, Any]:
        """Add a reading to a batch, and return it in the form sent to a browser."""
        for one in reading.answer.pages:
            batch.pictures[one.path.stem] = one.path
            size = one.path.stat().st_size if one.path.exists() else 0
            batch.bytes += size
            self._store.used += size
        if batch.id not in self._known:  # dropped while the document was read
            self._remove(batch)
        elif sum(len(one.answer.rows) for one in batch.readings) < MAX_ROWS:
            batch.readings.append(reading)
        return told(batch, reading)

    def drop(self, batch: Batch) -> None:
        """Drop a batch."""
        self._known.pop(batch.id, None)
        self._remove(batch)

    def drop_old(self, now: float) -> None:
        """Drop batches that were not requested recently; `now` in monotonic seconds."""
        for batch in [one for one in self._known.values() if now - one.asked > KEPT_SECONDS]:
            self.drop(batch)

    def _remove(self, batch: Batch) -> None:
        remove(list(batch.pictures.values()))
        self._store.used -= batch.bytes
        batch.pictures, batch.bytes = {}, 0


def told(batch: Batch, reading: Reading) -> dict[str, Any]:
    """A reading in the form sent to a browser: page by page, in reading order."""
    answer = reading.answer
    pictures = {
        one.page: {"picture": f"/batches/{batch.id}/pages/{one.path.stem}.png", "width": one.width, "height": one.height,
                   "tall": one.tall}
        for one in answer.pages
    }  # fmt: skip
    pages: dict[int, list[Row]] = {number: [] for number in pictures}
    for row in answer.rows:
        pages.setdefault(row.page, []).append(row)
    return {
        "name": shown_name(reading.name),
        "pages": [
            {"of": f", page {number}" if len(pages) > 1 else "", **_summary(rows), **pictures.get(number, {}),
             "rows": [_told_row(row, account=row.field in answer.accounts) for row in rows]}
            for number, rows in pages.items()
        ],
    }  # fmt: skip


def _summary(rows: Sequence[Row]) -> dict[str, str]:
    """The most important status of a page, and the text for it in a list."""
    counts = Counter(row.status for row in rows)
    worst: Status = next((status for status in WORST_FIRST if counts[status]), "blank")
    badges = {"error": "not read", "review": f"{counts[worst]} to review", "ok": f"{counts[worst]} ok", "blank": "blank"}
    return {"worst": worst, "badge": badges[worst]}


def _told_row(row: Row, *, account: bool) -> dict[str, Any]:
    shown = row.value or row.text or "–"
    own = {
        "name": row.field or f"page {row.page}",
        "account": account,
        "shown": shown,
        "also": row.text if row.text != shown else "",
        "sure": "" if row.confidence is None or not row.text else f"{int(row.confidence * 100)} %",
    }
    return {name: getattr(row, name) for name in COLUMNS if name != "document"} | own
