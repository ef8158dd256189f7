"""The interface of a voting reader: a module with a view, a form, scores, and an opinion that proposes and judges texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.rules import FieldRules
from docproc.types import Field, FieldInk

MAX_PROPOSED = 5  # texts that a reader proposes at once [guess]


class Opinion(Protocol):
    """One reader's opinion of one field. It can be queried repeatedly; nothing is computed twice."""

    def propose(self, rules: FieldRules | None, others: Sequence[str]) -> list[str]:
        """The reader's most likely texts, best first, at most `MAX_PROPOSED`; with `rules`, only texts that they allow.

        `others` are texts that will also have to be judged: a reader that judges in batches may do so now.
        """
        ...

    def log_probabilities(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """The natural log probability of every text, (len(texts),), bounded from below."""
        ...

    def evidence(self, text: str) -> Mapping[str, float]:
        """Evidence for or against a text that only this reader has, see `evidence`."""
        ...


class Voter(Protocol):
    """A module (a folder of `readers`). The types of its views and scores are private to it."""

    @property
    def FORM(self) -> Form:  # noqa: N802
        """The inputs and outputs of its network."""
        ...

    def view(self, ink: FieldInk, field: Field, /) -> Any:
        """The network's input for a field; None if the reader does not read such fields."""
        ...

    def score(self, views: Sequence[Any], network: Any, /) -> list[Any]:
        """The network's output for many views, in one call: one item per view."""
        ...

    def fitted(self, card: Mapping[str, Any], /) -> Any:
        """What was fitted in addition to its network, from a model's card. Raises KeyError, TypeError or ValueError."""
        ...

    def opinion(self, view: Any, scores: Any, digits: tuple[int, int] | None, fitted: Any, /) -> Opinion:
        """The reader's opinion of a field, from its view and scores; `digits` bounds the length of its text."""
        ...
