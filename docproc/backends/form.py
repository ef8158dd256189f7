"""The inputs and outputs of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docproc.errors import MissingPart
from docproc.types import GLYPH_SIDE, NOT_A_DIGIT

Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Form:
    """The shapes of a network's input, uint8, and output, float32, without the batch dimension; None is any length."""

    kind: str  # name for messages
    takes: Shape
    gives: Shape
    readers: int = 1  # number of networks in one, with their classes side by side

    @property
    def classes(self) -> int:
        """The number of columns of its output."""
        return self.gives[-1] or 0

    @property
    def of_lines(self) -> bool:
        """Whether it reads lines of any width."""
        return None in self.takes

    def check(self, takes: Sequence[object], gives: Sequence[object], dtype: str) -> None:
        """Raises MissingPart unless a network has these shapes, batch first; anything but a number above 0 is any length."""
        found = [tuple(side if isinstance(side, int) and side > 0 else None for side in shape) for shape in (takes, gives)]
        if found != [(None, *self.takes), (None, *self.gives)] or dtype != "uint8":
            wanted = f"uint8 {_told((None, *self.takes))} and give {_told((None, *self.gives))}"
            raise MissingPart(
                f"the model is not a {self.kind} network: it should take {wanted}; "
                f"it takes {dtype} {_told(found[0])} and gives {_told(found[1])}"
            )


DIGITS = Form("classic", (GLYPH_SIDE, GLYPH_SIDE), (NOT_A_DIGIT,))  # to probabilities of only the ten digits
DECODER = Form("decoder", (GLYPH_SIDE, GLYPH_SIDE), (GLYPH_SIDE, GLYPH_SIDE))  # to ink, 0..1


def _told(shape: Shape) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"
