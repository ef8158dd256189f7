"""Choose, among the places where a field may be, those that are fields, and read each as such."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from docproc.meaning.dates import ANY_DATE, stands_apart
from docproc.readers.e13b import PrintedResult
from docproc.readers.model import Model
from docproc.readers.read import FieldResult, read_as
from docproc.readers.value import value_of
from docproc.rules import FieldRules
from docproc.types import Field, Placed, Seen


def elect(results: Sequence[FieldResult], placed: Placed, model: Model) -> list[FieldResult]:
    """The fields that the page's `elect` chooses among its places; all places if it has none."""
    if placed.elect is None:
        return list(results)
    read: dict[tuple[int, FieldRules | None], FieldResult] = {}  # a place is read only once with the same rules

    def read_again(place: int, field: Field) -> FieldResult:
        if (place, field.rules) not in read:
            read[place, field.rules] = read_as(results[place], field, model)
        return read_as(read[place, field.rules], field, model)

    chosen = placed.elect([seen(result) for result in results], lambda place, field: seen(read_again(place, field)))
    elected: list[FieldResult] = []
    for one in chosen:
        result = replace(read_again(one.place, one.field), doubt=one.doubt)
        elected.append(replace(result, printed=one.printed) if isinstance(result, PrintedResult) else result)
    return elected


def seen(result: FieldResult) -> Seen:
    """What was read at a place, in the form in which `elect` sees it."""
    reading = result.reading
    return Seen(result.prepared.field, reading.text, value_of(result)[0], reading.confidence, _dated(result))


def _dated(result: FieldResult) -> float:
    """Confidence that an unnamed place holds a date with separated parts; 0 if it cannot be one."""
    if isinstance(result, PrintedResult) or result.prepared.field.name:
        return 0.0
    apart = stands_apart(result.marked, result.reading.text, ANY_DATE)
    return result.reading.confidence if apart else 0.0
