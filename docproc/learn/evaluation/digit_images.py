"""Pictures of single digits, normalized to 28x28 as in MNIST; and digits with their labels, from MNIST or from folders."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from docproc.errors import BadInput, BadUsage, DocumentError
from docproc.files import Document, find_documents, open_pages
from docproc.learn.composing import mnist
from docproc.learn.evaluation.accuracy import DIGIT_NAMES
from docproc.options import Limits
from docproc.pages.clean import clean
from docproc.readers.ink import digit_ink
from docproc.readers.lattice.normalize import normalize
from docproc.runs.tables import shown_name
from docproc.types import GLYPH_SIDE, Glyphs, Gray

MIN_RIM_GRAY = 250  # a picture of 28x28 px with a rim at least this light is from MNIST, or made like MNIST


@dataclass(frozen=True, slots=True)
class LabeledDigits:
    """Digits with their labels."""

    images: Glyphs
    labels: NDArray[np.uint8]  # (n,) uint8, 0..9
    name: str  # where they come from


def load_labeled_digits(source: str) -> LabeledDigits:
    """Load test digits: `source` is `mnist`, MNIST's files (see `mnist.load`), or a folder with pictures in folders 0 to 9.

    Raises BadInput if there is neither, or if a picture shows nothing.
    """
    folder = Path(source)
    classes = [folder / digit for digit in DIGIT_NAMES if (folder / digit).is_dir()]
    if source == "mnist" or not classes:
        data = mnist.load(None if source == "mnist" else folder)
        return LabeledDigits(data.test_images, data.test_labels, "MNIST's test digits")
    found = [(Path(document.path), int(one.name)) for one in classes for document in find_documents([one])[0]]
    if not found:
        raise BadInput(f"no pictures in the folders 0 to 9 of {folder}")
    glyphs = np.stack([load_digit(path) for path, _ in found])
    return LabeledDigits(glyphs, np.array([digit for _, digit in found], np.uint8), f"pictures in {shown_name(folder.name)}")


def load_digit(path: Path) -> Glyphs:
    """A picture of one digit, dark on light or light on dark, as (28, 28) uint8 as in MNIST. Raises BadInput, BadUsage."""
    if path.is_dir():
        raise BadUsage(f"{path} is a folder; give pictures of one digit each")
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
    """Whether a picture is already normalized: normalizing it again would only blur it."""
    ring = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    return gray.shape == (GLYPH_SIDE, GLYPH_SIDE) and int(ring.min()) >= MIN_RIM_GRAY
