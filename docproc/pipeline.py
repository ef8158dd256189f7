r"""Read this first: the story of a page, in the order in which it happens.

    open -> clean -> locate -> ink -> segment -> normalize -> recognize -> decode -> vote -> confidence -> table
                                  \-> line --------------> recognize ------------/

The stages are pure functions in `pages`, `fields`, `digits` and `readings`; none knows another. This module alone knows
their order. It knows no file, no process and no inference library: the recognizer is handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from docproc.digits.batching import flatten, regroup
from docproc.digits.ink import comb_ink, free_ink
from docproc.digits.line import line, second_view
from docproc.digits.normalize import normalize_all
from docproc.digits.segment import candidate_ink, segment
from docproc.net import Net
from docproc.pages.clean import clean
from docproc.readings.confidence import Calibration, confidence, evidence, judge
from docproc.readings.context import log_odds
from docproc.readings.sequence import join
from docproc.readings.vote import Weights, ballots, vote
from docproc.types import (
    Field,
    Frames,
    Glyphs,
    Gray,
    Kind,
    Lattice,
    Line,
    LineRecognizer,
    Page,
    Reading,
    Recognizer,
    Row,
    Scores,
)


@dataclass(frozen=True, slots=True)
class Reader:
    """What fields are read with: the two networks and what was learned beside them."""

    recognizer: Recognizer
    line_recognizer: LineRecognizer
    context: Net | None
    weights: Mapping[Kind, Weights]
    calibration: Calibration

    @property
    def name(self) -> str:
        """Tells which networks read: the starts of their hashes."""
        return f"{self.recognizer.model_hash[:8]}-{self.line_recognizer.model_hash[:8]}"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A field that waits for the recognizers."""

    field: Field
    crop: Gray
    lattice: Lattice
    glyphs: Glyphs
    line: Line


@dataclass(frozen=True, slots=True)
class FieldResult:
    """A field that was read, with all that led there."""

    prepared: Prepared
    scores: Scores
    frames: Frames
    reading: Reading


def prepare(page: Page, fields: Sequence[Field]) -> list[Prepared]:
    """Cut every field of a page into candidates."""
    upright = clean(page)
    return [prepare_field(field, field.box.clip(page.width, page.height).cut(upright.gray)) for field in fields]


def prepare_field(field: Field, crop: Gray) -> Prepared:
    """Find one field's ink, cut it into candidates at 28x28, and lay it out as a line."""
    comb = field.kind == "comb" and field.digits
    ink = comb_ink(crop, comb[1]) if comb else free_ink(crop)
    lattice = segment(ink, amount=field.kind == "amount")
    glyphs = normalize_all(candidate_ink(lattice, k) for k in range(len(lattice.candidates)))
    return Prepared(field, crop, lattice, glyphs, line(ink))


def recognize(prepared: Sequence[Prepared], reader: Reader) -> list[FieldResult]:
    """Score the candidates and the lines of many fields in one call each, and decode every field."""
    batch, counts = flatten([item.glyphs for item in prepared])
    scores = regroup(reader.recognizer.recognize(batch), counts)
    frames = frames_of([item.line for item in prepared], reader.line_recognizer)
    return [
        FieldResult(item, own, seen, read(item, own, seen, reader))
        for item, own, seen in zip(prepared, scores, frames, strict=True)
    ]


def frames_of(lines: Sequence[Line], recognizer: LineRecognizer) -> list[Frames]:
    """What the line recognizer says of every line, from two views of it."""
    seen = recognizer.read_lines([*lines, *(second_view(line) for line in lines)])
    return [join(one, other) for one, other in zip(seen[: len(lines)], seen[len(lines) :], strict=True)]


def read(prepared: Prepared, scores: Scores, frames: Frames, reader: Reader) -> Reading:
    """The best text of one field and the probability that it is right."""
    lattice = prepared.lattice
    if lattice.blank:
        return Reading("", 0.0)
    odds = log_odds(lattice, scores, reader.context)
    cast = ballots(lattice, odds, scores, frames, prepared.field.digits)
    verdict = vote(cast, reader.weights[prepared.field.kind])
    texts = tuple((ballot.text, share) for ballot, share in zip(verdict.ballots, verdict.shares, strict=True))
    if not texts or not texts[0][0]:
        return Reading("", 0.0, (), texts[1:4])
    found = evidence(verdict, lattice, scores, odds)
    return Reading(texts[0][0], confidence(found, reader.calibration), verdict.ballots[0].path, texts[1:4])


def tabulate(page: Page, results: Sequence[FieldResult], threshold: float) -> list[Row]:
    """The rows of one page."""
    rows = []
    for result in results:
        field, reading = result.prepared.field, result.reading
        inked = not result.prepared.lattice.blank
        status, reason = judge(reading, threshold, inked=inked, required=field.required)
        if page.damage and status in ("ok", "blank"):
            status, reason = "review", page.damage
        box = field.box.clip(page.width, page.height).scaled(page.shrunk)
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
