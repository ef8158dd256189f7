"""What fields are composed from: digits of MNIST, trajectories of pens, fonts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing import pens
from docproc.learn.composing.fonts import DRAWN_FONTS, Fonts
from docproc.learn.composing.mixes import EVERYTHING, Mix
from docproc.learn.composing.pens import Pens


@dataclass(frozen=True, slots=True)
class Digits:
    """The MNIST digits to compose from: images (n, 28, 28) uint8, white on black, and the indices of each class."""

    images: NDArray[np.uint8]
    by_class: tuple[NDArray[np.int64], ...]

    @staticmethod
    def of(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Digits:
        return Digits(images, tuple(np.flatnonzero(labels == digit) for digit in range(10)))


@dataclass(frozen=True, slots=True)
class Material:
    """What fields are composed from. Without pens there are none in the mix; without fonts, print is drawn in strokes."""

    digits: Digits
    pens: Pens | None = None
    fonts: Fonts = DRAWN_FONTS
    mix: Mix = EVERYTHING


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the material besides MNIST comes from."""

    pens: Pens | None = None
    fonts: Fonts = DRAWN_FONTS

    @staticmethod
    def of(pen_folder: Path | None, font_folder: Path | None) -> Sources:
        """Open the given folders. Raises BadInput if one does not contain what it should."""
        return Sources(None if pen_folder is None else pens.load(pen_folder), Fonts.of(font_folder))

    def with_digits(self, digits: Digits, *, apart: bool, mix: Mix = EVERYTHING) -> Material:
        """Material with these digits, and with the writers that are kept `apart` from training, or all others."""
        return Material(digits, None if self.pens is None else self.pens.of(apart=apart), self.fonts, mix)

    def to_card(self) -> dict[str, Any]:
        """A description of them for a model card."""
        found: dict[str, Any] = {"strokes": "drawn by docproc.learn.composing.strokes"}
        if self.pens is not None:
            found["pen_digits"] = {**self.pens.hashes, "license": pens.LICENSE}
        found["fonts"] = _names(self.fonts)
        return found


def _names(fonts: Fonts) -> Mapping[str, list[str]]:
    return {
        "print": sorted(Path(name).name for name in fonts.print),
        "hand": sorted(Path(name).name for name in fonts.hand),
        "other scripts": sorted({f"{script}: {Path(name).name}" for script, name in fonts.foreign}),
    }
