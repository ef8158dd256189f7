"""Which accepted fields are keyed again without showing the reading, to estimate how many of all fields are wrong.

Each field has a number derived only from a secret of the journal and from the paper, as if drawn by lot; the sample is all
accepted fields whose number is at most a limit. So the sample is the same every time, no field can be predicted, a larger
sample contains the smaller one, and documents that come later are drawn with the same share. All accepted fields are equally
likely, whatever their names: this is a simple random sample, and so is its subset for each field name.
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from docproc.options import share
from docproc.runs.edits import FieldKey, FieldState

NUMBERS = 1 << 64  # the lots are 0 .. NUMBERS - 1


@dataclass(frozen=True, slots=True)
class Sample:
    """Determines which accepted fields are drawn."""

    secret: str  # of the journal
    limit: int  # fields are drawn whose lot is at most this, 0 .. NUMBERS - 1; -1: none

    def __contains__(self, key: FieldKey) -> bool:
        return lot(self.secret, "audit", key) <= self.limit


@dataclass(frozen=True, slots=True)
class SampleSize:
    """How many fields are requested: a share of the accepted ones, or a number."""

    share: float = 0.0  # 0..1
    count: int = 0  # takes precedence if it is not 0

    def of(self, accepted: int) -> int:
        """The size for this number of accepted fields: at least one if there are any, at most all."""
        return min(accepted, self.count or max(1, math.ceil(round(self.share * accepted, 6))))


def sample_size(text: str) -> SampleSize:
    """`2%` of the accepted fields, or `300` of them. Raises ValueError that says what is wrong."""
    plain = text.strip()
    if plain.isascii() and plain.isdecimal() and int(plain):
        return SampleSize(count=int(plain))
    part = share(plain)
    if not part:
        raise ValueError(f"{plain} is no sample; use 2%, or 300 for a number of fields")
    return SampleSize(share=part)


def new_secret() -> str:
    """An unpredictable secret."""
    return secrets.token_hex(16)


def lot(secret: str, purpose: str, key: FieldKey) -> int:
    """The number that a field drew for a purpose, 0 .. NUMBERS - 1, uniformly distributed."""
    sha256, page, field = key
    drawn = hashlib.sha256(f"{secret}\0{purpose}\0{sha256}\0{page}\0{field}".encode(errors="surrogateescape")).digest()
    return int.from_bytes(drawn[:8], "big")


def was_accepted(state: FieldState) -> bool:
    """Whether docproc accepted its reading, and a person can comment on it."""
    return state.reading.status == "ok" and bool(state.sha256)


def accepted_fields(states: Iterable[FieldState]) -> list[FieldState]:
    """The fields that docproc accepted; copies of a document count once."""
    return list({state.key: state for state in states if was_accepted(state)}.values())


def draw(secret: str, accepted: Sequence[FieldKey], size: SampleSize, before: int = -1) -> Sample:
    """A sample of this size; a sample drawn `before`, given by its limit, is enlarged and never reduced."""
    lots = sorted(lot(secret, "audit", key) for key in accepted)
    return Sample(secret, max([before, *lots[: size.of(len(lots))]]))


def sampled(accepted: Iterable[FieldState], sample: Sample) -> list[FieldState]:
    """The accepted fields that were drawn, ordered by lot: keyed in this order, the first ones are a fair sample too."""
    drawn = [state for state in accepted if state.key in sample]
    return sorted(drawn, key=lambda state: lot(sample.secret, "audit", state.key))


def is_keyed_blind(state: FieldState) -> bool:
    """Whether somebody keyed the field without seeing the reading; whoever resolves a difference afterwards may see it."""
    return any(edit.blind for edit in state.counting)


def to_key(accepted: Iterable[FieldState], sample: Sample) -> list[FieldState]:
    """The drawn fields that still have to be keyed without showing the reading, in the order in which to ask for them."""
    return [state for state in sampled(accepted, sample) if not is_keyed_blind(state)]
