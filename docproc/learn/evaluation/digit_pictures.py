"""Pictures of one digit each, as MNIST would have them."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from docproc.errors import BadInput, DocumentError
from docproc.files import Document, open_pages
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.readers.ink import digit_ink
from docproc.readers.lattice.normalize import normalize
from docproc.types import GLYPH_SIDE, Glyphs, Gray

WHITE = 250  # gray levels; a picture of 28x28 with so light a rim is one of MNIST's, or made like them


def digit_glyph(path: Path) -> Glyphs:
    """A picture of one digit as (28, 28) uint8, the MNIST way. Raises BadInput."""
    if not path.is_file():
        raise BadInput(f"no such file: {path}")
    try:
        found = next(islice(open_pages(Document(path.name, path), Limits()), 1), None)
        if found is None:
            raise DocumentError("no_pages", "there is no picture in it")
        if isinstance(found, tuple):
            raise found[1]
    except DocumentError as problem:
        raise BadInput(f"{path}: {problem}") from problem
    gray = clean(found).gray
    if _is_glyph(gray):
        return np.asarray(255 - gray, np.uint8)
    glyph = normalize(digit_ink(gray))
    if not glyph.any():
        raise BadInput(f"{path}: nothing is written there; give a picture of one digit, dark on light or light on dark")
    return glyph


def _is_glyph(gray: Gray) -> bool:
    """Whether a picture needs nothing done to it: to bring it to 28x28 once more would only blur it."""
    ring = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return gray.shape == (GLYPH_SIDE, GLYPH_SIDE) and int(ring.min()) >= WHITE
