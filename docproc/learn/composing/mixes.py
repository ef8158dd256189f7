"""How often each kind of field is composed. Networks learn from all kinds; most of what people key is handwritten digits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Mix:
    """Shares, 0..1."""

    printed: float  # of the free fields
    corrected: float  # of the written ones
    pens: float  # of the hands that belong to a writer of pen-digits
    pen_marks: float  # of the marks that are drawn from pen trajectories
    kinds: Mapping[str, float]  # of the free fields, by the names of `spelling.KINDS`


EVERYTHING: Final = Mix(
    0.22, 0.08, 0.3, 0.4,
    {
        "plain_number": 0.205, "amount": 0.36, "date": 0.07, "decimal": 0.11, "compound": 0.07, "filled": 0.02,
        "with_unit": 0.06, "word": 0.04, "lone_mark": 0.015, "foreign": 0.03, "disturbed": 0.02,
    },
)  # fmt: skip

WRITTEN: Final = Mix(
    0.03, 0.03, 0.1, 0.2,
    {
        "plain_number": 0.26, "amount": 0.56, "date": 0.06, "decimal": 0.05, "compound": 0.02, "filled": 0.02,
        "with_unit": 0.01, "word": 0.005, "lone_mark": 0.005, "foreign": 0.005, "disturbed": 0.005,
    },
)  # fmt: skip
