"""Read this first: the story of a page, in the order in which it happens.

    open -> clean -> locate -> segment -> normalize -> recognize -> decode -> confidence -> table

The stages are pure functions in `pages`, `fields`, `digits` and `readings`; none knows another. This module alone knows
their order. It knows no file, no process and no inference library: the recognizer is handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docproc.digits.batching import flatten, regroup
from docproc.digits.normalize import normalize_all
from docproc.digits.segment import candidate_ink, segment, segment_comb
from docproc.net import Net
from docproc.pages.clean import clean
from docproc.readings.confidence import Calibration, confidence, evidence, judge
from docproc.readings.context import log_odds
from docproc.readings.decode import decode
from docproc.types import Field, Glyphs, Gray, Lattice, Page, Reading, Recognizer, Row, Scores


@dataclass(frozen=True, slots=True)
class Reader:
    """What fields are read with: the network and what was learned beside it."""

    recognizer: Recognizer
    context: Net | None
    calibration: Calibration


@dataclass(frozen=True, slots=True)
class Prepared:
    """A field that waits for the recognizer."""

    field: Field
    crop: Gray
    lattice: Lattice
    glyphs: Glyphs


@dataclass(frozen=True, slots=True)
class FieldResult:
    """A field that was read, with all that led there."""

    prepared: Prepared
    scores: Scores
    reading: Reading


def prepare(page: Page, fields: Sequence[Field]) -> list[Prepared]:
    """Cut every field of a page into candidates."""
    upright = clean(page)
    return [prepare_field(field, field.box.clip(page.width, page.height).cut(upright.gray)) for field in fields]


def prepare_field(field: Field, crop: Gray) -> Prepared:
    """Segment one field's crop and bring its candidates to 28x28."""
    comb = field.kind == "comb" and field.digits
    lattice = segment_comb(crop, comb[1]) if comb else segment(crop, amount=field.kind == "amount")
    glyphs = normalize_all(candidate_ink(lattice, k) for k in range(len(lattice.candidates)))
    return Prepared(field, crop, lattice, glyphs)


def recognize(prepared: Sequence[Prepared], reader: Reader) -> list[FieldResult]:
    """Score the candidates of many fields in one call and decode each field."""
    batch, counts = flatten([item.glyphs for item in prepared])
    scores = regroup(reader.recognizer.recognize(batch), counts)
    return [FieldResult(item, own, read(item, own, reader)) for item, own in zip(prepared, scores, strict=True)]


def read(prepared: Prepared, scores: Scores, reader: Reader) -> Reading:
    """The best string of one field and the probability that it is right."""
    lattice = prepared.lattice
    odds = log_odds(lattice, scores, reader.context)
    decoded = decode(lattice.pieces, lattice.candidates, odds, scores, prepared.field.digits)
    if not decoded.strings or not decoded.strings[0][0]:
        return Reading("", 0.0, (), decoded.strings[1:4])
    found = evidence(decoded, lattice, scores, odds)
    return Reading(decoded.strings[0][0], confidence(found, reader.calibration), decoded.path, decoded.strings[1:4])


def tabulate(page: Page, results: Sequence[FieldResult], threshold: float) -> list[Row]:
    """The rows of one page."""
    rows = []
    for result in results:
        field, reading = result.prepared.field, result.reading
        inked = not result.prepared.lattice.blank
        status, reason = judge(reading, threshold, inked=inked, required=field.required)
        box = field.box.clip(page.width, page.height)
        rows.append(
            Row(
                document=page.id.document,
                page=page.id.page,
                field=field.name,
                text=reading.text,
                value=reading.text,
                confidence=None if status == "blank" else reading.confidence,
                status=status,
                reason=reason,
                changed_by="",
                left=box.left,
                top=box.top,
                width=box.width,
                height=box.height,
            )
        )
    return rows


def read_page(page: Page, fields: Sequence[Field], reader: Reader, threshold: float) -> list[Row]:
    """The whole story of one page whose fields are known."""
    return tabulate(page, recognize(prepare(page, fields), reader), threshold)
