r"""Read this first: the story of a page, in the order in which it happens.

    open -> clean -> register -> locate -> ink -> segment -> normalize -> recognize -> decode -> vote -> confidence -> table
                                              |-> line --------------> recognize ----------/
                                              \-> cells, of a comb --> recognize ---------/

The stages are pure functions in `pages`, `fields`, `digits` and `readings`; none knows another. This module alone knows
their order. It knows no file, no process and no inference library: the recognizer is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from docproc.digits.batching import flatten, regroup
from docproc.digits.cells import cell_pictures, without_ink
from docproc.digits.ink import comb_ink, free_ink
from docproc.digits.line import line, second_view
from docproc.digits.normalize import normalize_all
from docproc.digits.segment import candidate_ink, segment
from docproc.net import Net
from docproc.pages.blank import without_print
from docproc.pages.clean import clean
from docproc.readings.cells import remark
from docproc.readings.confidence import DIGITS_KEPT, Calibration, Thresholds, confidence, evidence, judge, least
from docproc.readings.context import log_odds
from docproc.readings.repair import UNSEEN, Choice, repair_field, repair_page
from docproc.readings.sequence import join
from docproc.readings.values import amount_value, date_value, weigh_separators
from docproc.readings.vote import Verdict, Weights, ballots, vote
from docproc.rules import DateWindow, FieldRules, PageRule
from docproc.types import (
    CELL_SIDE,
    CellPictures,
    CellRecognizer,
    CellScores,
    Field,
    Frames,
    Glyphs,
    Gray,
    Kind,
    Lattice,
    Line,
    LineRecognizer,
    Page,
    Placed,
    Reading,
    Recognizer,
    Row,
    Scores,
)

KEPT = 10  # texts beside the one that was read that are kept for rules


@dataclass(frozen=True, slots=True)
class Reader:
    """What fields are read with: the three networks and what was learned beside them."""

    recognizer: Recognizer
    line_recognizer: LineRecognizer
    cell_recognizer: CellRecognizer
    context: Net | None
    weights: Mapping[Kind, Weights]
    calibrations: Mapping[Kind, Calibration]
    repairs: Thresholds  # of fields that were changed by a rule: they have an error of their own

    @property
    def name(self) -> str:
        """Tells which networks read: the starts of their hashes."""
        networks = (self.recognizer, self.line_recognizer, self.cell_recognizer)
        return "-".join(network.model_hash[:8] for network in networks)

    def accepts(self, max_error: float, window: DateWindow | None = None) -> Acceptance:
        """What a field must have to be accepted, see `readings.confidence.least`."""
        kinds = {kind: least(calibration.thresholds, max_error) for kind, calibration in self.calibrations.items()}
        return Acceptance(kinds, least(self.repairs, max_error), window)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The least confidence with which a field is accepted, and which dates are."""

    kinds: Mapping[Kind, float]
    repaired: float  # of a field that was changed by a rule, at least
    window: DateWindow | None = None  # of dates

    def of(self, field: Field, reading: Reading) -> float:
        return max(self.kinds[field.kind], self.repaired if reading.changed_by else 0.0)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A field that waits for the recognizers."""

    field: Field
    crop: Gray
    lattice: Lattice
    glyphs: Glyphs
    line: Line
    cells: CellPictures  # none but in a comb


@dataclass(frozen=True, slots=True)
class FieldResult:
    """A field that was read, with all that led there."""

    prepared: Prepared
    scores: Scores
    frames: Frames
    cells: CellScores
    reading: Reading


def place(page: Page, locate: Callable[[Page], Placed]) -> Placed:
    """Make a page dark on light, and find its fields; `locate` lays it onto a form where it is one. Raises DocumentError."""
    return locate(clean(page))


def prepare(placed: Placed) -> list[Prepared]:
    """Cut every field of a page into candidates."""
    prepared = []
    for field in placed.fields:
        box = field.crop.clip(placed.page.width, placed.page.height)
        crop = box.cut(placed.page.gray)
        if placed.blank is not None:
            crop = without_print(crop, box.cut(placed.blank))
        prepared.append(prepare_field(field, crop))
    return prepared


def prepare_field(field: Field, crop: Gray) -> Prepared:
    """Find one field's ink, cut it into candidates at 28x28, and lay it out as a line."""
    ink = comb_ink(crop, field.cells) if field.cells else free_ink(crop)
    lattice = segment(ink, amount=field.kind == "amount")
    glyphs = normalize_all(candidate_ink(lattice, k) for k in range(len(lattice.candidates)))
    return Prepared(field, crop, lattice, glyphs, line(ink), cell_pictures(ink))


def recognize(prepared: Sequence[Prepared], reader: Reader) -> list[FieldResult]:
    """Score the candidates and the lines of many fields in one call each, and decode every field."""
    batch, counts = flatten([item.glyphs for item in prepared])
    scores = regroup(reader.recognizer.recognize(batch), counts)
    frames = frames_of([item.line for item in prepared], reader.line_recognizer)
    cells = cells_of([item.cells for item in prepared], reader.cell_recognizer)
    return [
        FieldResult(item, own, seen, boxed, read(item, own, seen, boxed, reader))
        for item, own, seen, boxed in zip(prepared, scores, frames, cells, strict=True)
    ]


def frames_of(lines: Sequence[Line], recognizer: LineRecognizer) -> list[Frames]:
    """What the line recognizer says of every line, from two views of it."""
    seen = recognizer.read_lines([*lines, *(second_view(line) for line in lines)])
    return [join(one, other) for one, other in zip(seen[: len(lines)], seen[len(lines) :], strict=True)]


def cells_of(pictures: Sequence[CellPictures], recognizer: CellRecognizer) -> list[CellScores]:
    """What the cell recognizer says of the cells of many fields; a cell without ink is empty without being looked at."""
    batch, counts = flatten(pictures, (CELL_SIDE, CELL_SIDE, 2))
    return regroup(without_ink(batch, recognizer.recognize_cells(batch)), counts)


def read(prepared: Prepared, scores: Scores, frames: Frames, cells: CellScores, reader: Reader) -> Reading:
    """The best text of one field and the probability that it is right."""
    lattice, kind = prepared.lattice, prepared.field.kind
    if lattice.blank:
        return Reading("", 0.0)
    boxed = cells if len(cells) else None
    odds = log_odds(lattice, scores, reader.context)
    cast = ballots(lattice, odds, scores, frames, prepared.field.digits, boxed)
    verdict = vote(cast, reader.weights[kind])
    if kind == "amount" and verdict.ballots:
        verdict = weigh_separators(verdict, lattice)
    texts = shares_of(verdict)
    if not texts or (not texts[0][0] and boxed is None):
        return Reading("", 0.0, (), texts[1:KEPT])
    sure = confidence(evidence(verdict, lattice, scores, odds, boxed), reader.calibrations[kind])
    best, changed_by, broken = verdict.ballots[0], "", ""
    rules = prepared.field.rules
    if rules is not None and best.text and not rules.allows(best.text):
        # What the readers propose under the rules comes after what they propose without, and is voted on like it.
        ruled = vote(ballots(lattice, odds, scores, frames, prepared.field.digits, boxed, rules), reader.weights[kind])
        choice = keep_rules(best.text, sure, ruled, rules)
        texts = shares_of(ruled)
        best = next(ballot for ballot in ruled.ballots if ballot.text == choice.text)
        sure, broken, changed_by = choice.confidence, choice.broken, choice.rule
    others = tuple(one for one in texts if one[0] != best.text and (rules is None or rules.allows(one[0])))[:KEPT]
    noted = remark(cells, best.text) if boxed is not None else ""
    return Reading(best.text, sure, best.path, others, noted or _breaks(broken), changed_by)


def shares_of(verdict: Verdict) -> tuple[tuple[str, float], ...]:
    """The texts of a vote with their shares, best first."""
    return tuple((ballot.text, share) for ballot, share in zip(verdict.ballots, verdict.shares, strict=True))


def keep_rules(text: str, confidence: float, ruled: Verdict, rules: FieldRules) -> Choice:
    """The text that was read and breaks a rule, or another one of the vote under the rules, see `readings.repair`."""
    texts = shares_of(ruled)
    first = next(one for one in texts if one[0] == text)
    choice = repair_field((first, *(one for one in texts if one is not first)), confidence, rules)
    return replace(choice, confidence=round(choice.confidence, DIGITS_KEPT))


def settle(results: Sequence[FieldResult], rules: Sequence[PageRule]) -> list[FieldResult]:
    """Weigh the rules between the fields of a page, see `readings.repair.repair_page`."""
    if not rules:
        return list(results)
    seen = {result.prepared.field.name: _probabilities(result.reading) for result in results}
    choices = repair_page(seen, rules)
    settled = []
    for result in results:
        reading, choice = result.reading, choices[result.prepared.field.name]
        if choice.changed:
            others = ((reading.text, 0.0), *(one for one in reading.alternatives if one[0] != choice.text))
            path = reading.path if len(choice.text) == len(reading.text) else ()
            reading = Reading(choice.text, choice.confidence, path, others, reading.remark, choice.rule)
        elif choice.broken:
            reading = replace(reading, remark=reading.remark or _breaks(choice.broken))
        elif choice.confidence != reading.confidence:
            reading = replace(reading, confidence=choice.confidence)
        reading = replace(reading, confidence=round(reading.confidence, DIGITS_KEPT))
        settled.append(replace(result, reading=reading))
    return settled


def _probabilities(reading: Reading) -> tuple[tuple[str, float], ...]:
    """The texts of a field with their probabilities, the one that was read first."""
    rest = 1.0 - reading.confidence
    whole = sum(share for _, share in reading.alternatives) + UNSEEN
    others = ((text, rest * share / whole) for text, share in reading.alternatives)
    return ((reading.text, reading.confidence), *others)


def _breaks(rule: str) -> str:
    return f"breaks a rule: {rule}" if rule else ""


def tabulate(page: Page, results: Sequence[FieldResult], accept: Acceptance) -> list[Row]:
    """The rows of one page."""
    rows = []
    for result in results:
        field, reading = result.prepared.field, result.reading
        inked = not result.prepared.lattice.blank
        value, doubt = meaning(result, accept.window)
        status, reason = judge(reading, accept.of(field, reading), inked=inked, required=field.required, doubt=doubt)
        if page.damage and status in ("ok", "blank"):
            status, reason = "review", page.damage
        box = page.stored(field.box.clip(page.width, page.height))
        rows.append(
            Row(
                document=page.id.document,
                page=page.id.page,
                field=field.name,
                text=reading.text,
                value=value,
                confidence=None if status == "blank" else reading.confidence,
                status=status,
                reason=reason,
                changed_by=reading.changed_by,
                left=box.left,
                top=box.top,
                width=box.width,
                height=box.height,
                residual=page.residual,
            )
        )
    return rows


def meaning(result: FieldResult, window: DateWindow | None = None) -> tuple[str, str]:
    """(value, doubt): what a field means, an ISO date or a number, else its text; and why nobody should rely on it."""
    field, reading, lattice = result.prepared.field, result.reading, result.prepared.lattice
    if not reading.text:
        return "", ""
    if field.rules is not None and field.rules.date:
        return date_value(field.rules, lattice, reading.path if not field.cells else (), reading.text, window)
    if field.kind == "amount":
        return amount_value(lattice, reading.path, reading.text, cents=field.cents)
    return reading.text, ""


def read_placed(placed: Placed, reader: Reader) -> list[FieldResult]:
    """Read all fields of a page and weigh the rules between them."""
    return settle(recognize(prepare(placed), reader), placed.rules)


def read_page(page: Page, locate: Callable[[Page], Placed], reader: Reader, max_error: float) -> list[Row]:
    """The whole story of one page."""
    placed = place(page, locate)
    return tabulate(placed.page, read_placed(placed, reader), reader.accepts(max_error))
