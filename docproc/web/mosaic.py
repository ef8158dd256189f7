"""Pictures of single digits, cut out of their pages, and many of them as one picture.

Documents are decoded in worker processes, as in a run, each once: all its digits are cut out together and cached.
"""

from __future__ import annotations

import io
import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from docproc.errors import DocprocError, DocumentError
from docproc.files import Document, decode_pages, read_content
from docproc.options import Limits
from docproc.runs.workers import Crew
from docproc.types import Box, Page

if TYPE_CHECKING:
    from docproc.types import Gray

TILE = 72  # px, side of a digit's picture [guess]
AROUND = 1.3  # side of the square that is cut out, relative to the longer side of the digit's box [guess]
MAX_TILES = 20_000  # that are cached, for the documents viewed last: 100 MB [guess]
SMALLER = 0.7  # a picture that is reduced by more than this is blurred first [guess]
INKED = 0.05  # share of the pixels around a digit that are certainly ink, and share that are certainly paper [guess]
MIN_CONTRAST = 60.0  # levels between paper and ink: smaller differences stay faint [guess]
BESIDE = 0.06  # of a tile, shown beside the digit as clearly as the digit [guess]
FAINT = 0.4  # share of the ink that remains further away [guess]
QUALITY = 85  # JPEG quality of a mosaic [guess]
PAPER = 255

Tile = NDArray[np.uint8]  # (TILE, TILE) uint8, 0 black .. 255 white


@dataclass(frozen=True, slots=True)
class Cuts:
    """What to cut out of the document with this content."""

    document: Document
    sha256: str
    boxes: tuple[tuple[int, Box], ...]  # page from 1, px of the page as stored
    turns: Mapping[int, int] = field(
        default_factory=dict
    )  # of its pages, in steps of 90 degrees counterclockwise, to make them upright


class Cutter(Protocol):
    """Cuts digits out of documents; None stands for what cannot be shown."""

    def cut(self, wanted: Sequence[Cuts]) -> list[list[Tile | None]]:
        """The pictures of all boxes of each document."""
        ...

    def close(self) -> None:
        """End what it started."""
        ...


class CrewCutter:
    """Cuts in worker processes, which start immediately."""

    def __init__(self, limits: Limits | None = None, jobs: int = 2) -> None:
        own = limits or Limits()
        self._crew: Crew[Cuts, list[Tile | None]] = Crew(
            partial(open_cutter, own), jobs=jobs, seconds=own.seconds, memory=own.memory
        )

    def cut(self, wanted: Sequence[Cuts]) -> list[list[Tile | None]]:
        """See `Cutter`. Raises DocprocError if no worker can start."""
        waiting = [self._crew.submit(one) for one in wanted]
        return [_result(one, future) for one, future in zip(wanted, waiting, strict=True)]

    def close(self) -> None:
        """End the workers."""
        self._crew.close()


def _result(one: Cuts, future: Future[list[Tile | None]]) -> list[Tile | None]:
    try:
        return future.result()
    except (DocumentError, CancelledError):
        return [None] * len(one.boxes)


def open_cutter(limits: Limits) -> Callable[[Cuts], list[Tile | None]]:
    """In a worker: cut digits out of one document after another."""
    import cv2

    cv2.setNumThreads(1)
    return partial(cut_document, limits=limits)


def cut_document(one: Cuts, limits: Limits) -> list[Tile | None]:
    """The pictures of the boxes of a document. Raises DocumentError if its content has changed or cannot be read."""
    content = read_content(one.document.path, limits)
    if content.sha256 != one.sha256:
        raise DocumentError("changing", "the document was changed since it was read")
    tiles: list[Tile | None] = [None] * len(one.boxes)
    last = max((page for page, _ in one.boxes), default=0)
    for page in decode_pages(one.document.name, content.data, limits):
        number = page.id.page if isinstance(page, Page) else page[0].page
        if isinstance(page, Page):
            for k, (own, box) in enumerate(one.boxes):
                if own == number:
                    tile = cut_tile(page.gray, box.scaled(1 / page.shrunk), page.tall)
                    tiles[k] = None if tile is None else np.rot90(tile, one.turns.get(number, 0))
        if number >= last:
            break
    return tiles


def cut_tile(gray: Gray, box: Box, tall: float = 1.0) -> Tile | None:
    """A digit with some paper around it, (TILE, TILE); None if the box is empty or lies outside the page.

    `box` is in px of `gray`, `tall` is the height of a pixel over its width.
    """
    import cv2

    inner = box.clip(gray.shape[1], gray.shape[0])
    if not inner.width or not inner.height:
        return None
    wide = AROUND * max(inner.width, inner.height * tall)
    high = wide / tall
    left, top = inner.left + inner.width / 2 - wide / 2, inner.top + inner.height / 2 - high / 2
    part_box = Box(math.floor(left), math.floor(top), math.ceil(wide) + 1, math.ceil(high) + 1)
    around = part_box.clip(gray.shape[1], gray.shape[0])
    part = around.cut(gray)
    x, y = TILE / wide, TILE / high
    if y < SMALLER:  # otherwise thin strokes would be lost
        part = cv2.GaussianBlur(part, (0, 0), 0.35 / y)
    move = np.array([[x, 0, x * (around.left - left)], [0, y, y * (around.top - top)]])
    tile = cv2.warpAffine(part, move, (TILE, TILE), flags=cv2.INTER_LINEAR, borderValue=int(part.max()))
    levels = np.sort(tile[::2, ::2], axis=None)
    dark, paper = float(levels[round(INKED * len(levels))]), float(levels[round((1 - INKED) * len(levels))])
    ink = np.clip((paper - np.arange(256)) / max(MIN_CONTRAST, paper - dark), 0, 1)  # for each level
    shown = np.rint(PAPER * (1 - ink)).astype(np.uint8)[tile]
    aside = round((TILE - x * inner.width) / 2 - BESIDE * TILE)  # its neighbors are visible, but fainter
    if aside > 0:
        faint = np.rint(PAPER * (1 - FAINT * ink)).astype(np.uint8)
        shown[:, :aside], shown[:, TILE - aside :] = faint[tile[:, :aside]], faint[tile[:, TILE - aside :]]
    return np.asarray(shown, np.uint8)


def mosaic(tiles: Sequence[Tile]) -> bytes:
    """One picture (JPEG) of many tiles, one below the other."""
    from PIL import Image

    blank = np.full((TILE, TILE), PAPER, np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.vstack(tiles or [blank])).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


@dataclass(slots=True)
class Tiles:
    """The pictures of digits that were cut out, by the content of their documents. May be shared between threads."""

    cutter: Cutter
    _kept: OrderedDict[str, Mapping[tuple[int, Box], Tile | None]] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, wanted: Mapping[str, Cuts]) -> dict[str, Mapping[tuple[int, Box], Tile | None]]:
        """The pictures of each document, by page and box; each document is decoded once while it stays cached."""
        with self._lock:
            known = {sha256: self._kept[sha256] for sha256 in wanted if self._has(sha256, wanted[sha256])}
            for sha256 in known:
                self._kept.move_to_end(sha256)
        new = [one for sha256, one in wanted.items() if sha256 not in known]
        try:
            cut = self.cutter.cut(new)
        except DocprocError:
            cut = [[None] * len(one.boxes) for one in new]
        found = {one.sha256: dict(zip(one.boxes, own, strict=True)) for one, own in zip(new, cut, strict=True)}
        with self._lock:
            self._kept.update(found)
            while len(self._kept) > 1 and sum(map(len, self._kept.values())) > MAX_TILES:
                self._kept.popitem(last=False)
        return known | found

    def _has(self, sha256: str, cuts: Cuts) -> bool:
        return sha256 in self._kept and all(box in self._kept[sha256] for box in cuts.boxes)


def cuts_of(
    sha256: str, document: Document | None, boxes: Sequence[tuple[int, Box]], turns: Mapping[int, int] | None = None
) -> Cuts:
    """What to cut out of a document; from one that is no longer there, nothing can be cut."""
    return Cuts(document or Document("", Path()), sha256, tuple(dict.fromkeys(boxes)), turns or {})
