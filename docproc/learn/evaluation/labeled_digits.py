"""Digits with what they are: MNIST's test digits, or pictures in folders that are named after what they show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from docproc.errors import BadInput
from docproc.files import find_documents
from docproc.learn.composing import mnist
from docproc.learn.evaluation.accuracy import DIGIT_NAMES
from docproc.learn.evaluation.digit_pictures import digit_glyph
from docproc.runs.tables import shown_name
from docproc.types import Glyphs


@dataclass(frozen=True, slots=True)
class Labeled:
    """Digits (n, 28, 28) uint8, and what they are, (n,) uint8."""

    images: Glyphs
    labels: NDArray[np.uint8]
    name: str


def labeled(on: str) -> Labeled:
    """`on` is `mnist`, MNIST's files (see `mnist.load`), or a folder that holds pictures of one digit in folders 0 to 9.

    Raises BadInput where there is neither, or a picture shows nothing.
    """
    folder = Path(on)
    classes = [folder / digit for digit in DIGIT_NAMES if (folder / digit).is_dir()]
    if on == "mnist" or not classes:
        data = mnist.load(None if on == "mnist" else folder)
        return Labeled(data.test_images, data.test_labels, "MNIST's test digits")
    found = [(document.path, int(one.name)) for one in classes for document in find_documents([one])[0]]
    if not found:
        raise BadInput(f"no pictures in the folders 0 to 9 of {folder}")
    glyphs = np.stack([digit_glyph(path) for path, _ in found])
    return Labeled(glyphs, np.array([digit for _, digit in found], np.uint8), f"pictures in {shown_name(folder.name)}")
