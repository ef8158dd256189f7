"""How an amount's separators count in the vote of the readers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp, log

from docproc.meaning.amount_marks import count_hanging, written_amount
from docproc.meaning.amounts import separator_support, slash_read_as_1
from docproc.meaning.marks import MarkedDigits
from docproc.readers.vote import Verdict


@dataclass(frozen=True, slots=True)
class SeparatorTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md.

    Weights are in nats, added to the readers' log probabilities. Every separator in its place counts 1, as does, against a
    text, a digit that hangs like a comma. Heights on the line run from 0 at the top of the digits to 1 at their baseline.
    """

    contradiction_nats: float = 3.0  # against a text whose separators contradict each other [measured: 52 Indian amounts]
    unknown_nats: float = 1.5  # against a text about whose separators nothing is known [guess]
    max_support_nats: int = 3  # for a text, however many separators fit [guess]
    fraction_misread_nats: float = 2.0  # against a likely fraction whose slash was read as a 1 [measured: 140 drawn fractions]

    max_floating_bottom: float = 1.0  # on the line: a mark that ends above this floats [geometry]

    min_sure_share: float = 0.97  # of the vote: no other text is considered [guess]
    max_behind_nats: float = 5.0  # the best text: texts further behind are not considered [guess]


SEPARATORS = SeparatorTuning()


def weigh_separators(verdict: Verdict, marked: Callable[[str], MarkedDigits | None]) -> Verdict:
    """The verdict on an amount after taking its separators into account.

    `marked` gives the digits of a text and the marks around them; None if the positions of its digits are not known.

    A big comma is easily read as a 1. Then the remaining separators contradict each other, or a digit hangs below the line.
    Another text replaces such a text if its own separators outweigh the readers' doubt; and a text that fits its separators
    is more probable than the readers alone would say.
    """
    first = marked(verdict.ballots[0].text)
    if first is None:
        return verdict
    weights = [log(max(share, 1e-12)) for share in verdict.shares]
    own = _argument(first, verdict.ballots[0].text)
    if own >= 0 and verdict.shares[0] > SEPARATORS.min_sure_share:
        return verdict
    weights[0] += own
    near = weights[0] - SEPARATORS.max_behind_nats
    for k, ballot in enumerate(verdict.ballots[1:], 1):
        there = marked(ballot.text) if weights[k] > near else None
        weights[k] += -SEPARATORS.unknown_nats if there is None else _argument(there, ballot.text)
    order = sorted(range(len(weights)), key=lambda k: -weights[k])
    whole = sum(exp(weight) for weight in weights)
    return replace(
        verdict,
        ballots=tuple(verdict.ballots[k] for k in order),
        shares=tuple(exp(weights[k]) / whole for k in order),
        agreed=verdict.agreed and order[0] == 0,
    )


def _argument(marked: MarkedDigits, text: str) -> float:
    """The support of the separators for a text, in nats."""
    written = written_amount(marked, text)
    support = separator_support(written)
    hanging = count_hanging(marked, text)
    strokes = len([mark for mark in marked.marks if mark.kind == "slash" and mark.place == 0])
    # A floating mark between digits that is not a dash may be the rest of a digit.
    others = [mark for mark in marked.marks if mark.kind == "other" and mark.bottom < SEPARATORS.max_floating_bottom]
    floating = len([mark for mark in others if 0 < mark.place < len(text)])
    slashed = SEPARATORS.fraction_misread_nats * slash_read_as_1(written)
    kept = -SEPARATORS.contradiction_nats if support is None else min(support, SEPARATORS.max_support_nats)
    return kept - hanging - max(0, strokes - 1) - floating - slashed
