"""Apply the rules between the fields of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from docproc.readers.confidence import KEPT_DECIMALS
from docproc.readers.e13b import PrintedResult
from docproc.readers.read import FieldResult
from docproc.readers.repair import REPAIR, Choice, repair_page
from docproc.rules import PageRule, breaks
from docproc.types import Reading

Read = TypeVar("Read", bound=Reading)


def settle(results: Sequence[FieldResult], rules: Sequence[PageRule]) -> list[FieldResult]:
    """Apply the rules between the fields of a page, see `repair.repair_page`."""
    if not rules:
        return list(results)
    choices = repair_page({result.prepared.field.name: probabilities(result.reading) for result in results}, rules)
    settled: list[FieldResult] = []
    for result in results:
        choice = choices[result.prepared.field.name]
        if isinstance(result, PrintedResult):
            reading = _settled(result.reading, choice)
            # The groups between symbols are known only for the original reading.
            settled.append(replace(result, reading=replace(reading, value="", centers=()) if choice.changed else reading))
        else:
            settled.append(replace(result, reading=_settled(result.reading, choice)))
    return settled


def _settled(reading: Read, choice: Choice) -> Read:
    confidence = round(choice.confidence, KEPT_DECIMALS)
    if choice.changed:
        others = ((reading.text, 0.0), *(one for one in reading.alternatives if one[0] != choice.text))
        path = reading.path if len(choice.text) == len(reading.text) else ()
        return replace(
            reading, text=choice.text, confidence=confidence, path=path, alternatives=others, changed_by=choice.rule,
            read=reading.read or reading.text,
        )  # fmt: skip
    if choice.broken:
        confidence = round(reading.confidence, KEPT_DECIMALS)
        return replace(reading, confidence=confidence, remark=reading.remark or breaks(choice.broken))
    return replace(reading, confidence=confidence)


def probabilities(reading: Reading) -> tuple[tuple[str, float], ...]:
    """The texts of a field with their probabilities; the text that was read comes first."""
    rest = 1.0 - reading.confidence
    whole = sum(share for _, share in reading.alternatives) + REPAIR.min_unseen_share
    others = ((text, rest * share / whole) for text, share in reading.alternatives)
    return ((reading.text, reading.confidence), *others)
