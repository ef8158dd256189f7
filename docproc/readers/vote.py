"""Combine several readers into one verdict.

They make different mistakes. Every text that one of them proposes is judged by all, and their scores are combined
log-linearly (a product of experts, G. Hinton, 2002), with weights that were fitted on composed fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.readers import NETWORKS
from docproc.readers.voter import Opinion
from docproc.rules import FieldRules

LEADING_ZERO = "leading_zero"  # key on the cards, next to the reader names


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each reader's log probability counts in a kind of field, and the penalty for a leading zero."""

    readers: Mapping[str, float]  # by reader name; a missing reader does not vote
    leading_zero: float = 0.0  # natural log, at most 0

    def to_card(self) -> dict[str, float]:
        return {name: round(weight, 4) for name, weight in {**self.readers, LEADING_ZERO: self.leading_zero}.items()}

    @staticmethod
    def from_card(card: Mapping[str, Any]) -> Weights:
        """Raises KeyError, TypeError or ValueError if the card holds no weights."""
        return Weights({name: float(card[name]) for name in NETWORKS}, float(card[LEADING_ZERO]))


@dataclass(frozen=True, slots=True)
class Ballot:
    """A text with each reader's log probability for it."""

    text: str
    logs: Mapping[str, float]  # by reader name: natural log probabilities, bounded from below


@dataclass(frozen=True, slots=True)
class Verdict:
    """The texts that were voted on, best first."""

    ballots: tuple[Ballot, ...]
    shares: tuple[float, ...]  # of the joint probability of all these texts
    agreed: bool  # all readers rank the same text first

    @property
    def texts(self) -> tuple[tuple[str, float], ...]:
        """The texts with their shares, best first."""
        return tuple((ballot.text, share) for ballot, share in zip(self.ballots, self.shares, strict=True))


def ballots(
    opinions: Mapping[str, Opinion], digits: tuple[int, int] | None = None, rules: FieldRules | None = None
) -> tuple[Ballot, ...]:
    """All texts that any reader proposes, judged by all readers.

    `digits` bounds the length of a text; the empty text always stays possible.
    With `rules` each reader also proposes the best texts that they allow; those come
    after the others, which do not change.
    """
    fewest, most = digits if digits else (0, 10**6)
    texts: list[str] = []
    for opinion in opinions.values():
        texts += [text for text in opinion.propose(None, texts) if fewest <= len(text) <= most or not text]
    if fewest and texts:
        texts.append("")  # an expected digit count does not prove that anything is written
    within = rules.within(digits) if rules else None
    if within:
        for opinion in opinions.values():
            texts += opinion.propose(within, texts)
    texts = list(dict.fromkeys(texts))
    logs = {name: opinion.log_probabilities(texts).tolist() for name, opinion in opinions.items()}
    return tuple(Ballot(text, {name: own[k] for name, own in logs.items()}) for k, text in enumerate(texts))


def arguments(cast: Sequence[Ballot], names: Sequence[str]) -> NDArray[np.float64]:
    """What the weights multiply, (ballots, len(names) + 1): log probabilities by reader, and 1 for a leading zero."""
    table = [
        [*(ballot.logs.get(name, 0.0) for name in names), float(len(ballot.text) > 1 and ballot.text.startswith("0"))]
        for ballot in cast
    ]
    return np.array(table).reshape(-1, len(names) + 1)


def vote(cast: tuple[Ballot, ...], weights: Weights) -> Verdict:
    """Combine the readers' scores; `weights` are those for the kind of field."""
    if not cast:
        return Verdict((), (), agreed=False)
    joint = arguments(cast, tuple(weights.readers)) @ (*weights.readers.values(), weights.leading_zero)
    # Equal rows may differ in their last bits: such texts keep the order in which they were proposed.
    order = np.argsort(-joint.round(9), kind="stable")
    shares = np.exp(joint[order] - joint[order[0]])
    shares /= shares.sum()
    first = [max(cast, key=lambda ballot: ballot.logs[name]) for name in cast[0].logs]
    agreed = all(ballot is first[0] for ballot in first)
    return Verdict(tuple(cast[k] for k in order), tuple(float(share) for share in shares), agreed)
