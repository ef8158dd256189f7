"""What a reader that votes looks like: a module with a view, a form, scores, and an opinion that proposes and judges texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.rules import FieldRules
from docproc.types import Field, FieldInk

MAX_PROPOSED = 5  # texts that a reader proposes at a time [guess]


class Opinion(Protocol):
    """What one reader thinks of one field. It is asked as often as needed; nothing is computed twice."""

    def propose(self, rules: FieldRules | None, others: Sequence[str]) -> list[str]:
        """The reader's likeliest texts, best first, at most `MAX_PROPOSED`; with `rules`, only texts that they allow.

        `others` are texts that will have to be judged as well: a reader that judges many at once may do so now.
        """
        ...

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The natural log probability of every text, (len(texts),), bounded from below."""
        ...

    def evidence(self, text: str) -> Mapping[str, float]:
        """What the reader alone knows that speaks for or against a text, see `evidence`."""
        ...


class Voter(Protocol):
    """A module (a folder of `readers`). What it calls a view and scores is its own business."""

    @property
    def FORM(self) -> Form:  # noqa: N802
        """What its network takes and gives."""
        ...

    def view(self, ink: FieldInk, field: Field, /) -> Any:
        """What its network is shown of a field; None where the reader does not read such fields."""
        ...

    def score(self, views: Sequence[Any], network: Any, /) -> list[Any]:
        """What its network says of many views, in one call: one item for each view."""
        ...

    def fitted(self, card: Mapping[str, Any], /) -> Any:
        """What was fitted beside its network, from the card of a model. Raises KeyError, TypeError or ValueError."""
        ...

    def opinion(self, view: Any, scores: Any, digits: tuple[int, int] | None, fitted: Any, /) -> Opinion:
        """What the reader thinks of a field, from its view and scores; `digits` bounds the length of its text."""
        ...
