r"""Read this first: the story of a page, in the order in which it happens.

    open -> clean -> register -> locate -> ink -> segment -> normalize -> recognize -> decode -> vote -> confidence -> table
                                              |-> line --------------> recognize ----------/
                                              \-> cells, of a comb --> recognize ---------/
                                    \-> micr, of an E-13B line ------> recognize -> decode ----------> confidence -> table

The stages are pure functions in `pages`, `fields`, `digits` and `readings`; none knows another. This module alone knows
their order. It knows no file, no process and no inference library: the recognizer is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from docproc.fields.check import PRINTED
from docproc.meaning.amount_marks import amount_value
from docproc.meaning.dates import date_value, stands_apart
from docproc.mlp import Net
from docproc.pages.blank import without_print
from docproc.pages.clean import clean
from docproc.readers.batching import flatten, regroup
from docproc.readers.comb.decode import remark
from docproc.readers.comb.view import cell_pictures, without_ink
from docproc.readers.confidence import DIGITS_KEPT, LOW, Calibration, Thresholds, confidence, evidence, judge, least
from docproc.readers.e13b import decode as micr
from docproc.readers.e13b.view import micr_line, part_box
from docproc.readers.ink import comb_ink, free_ink
from docproc.readers.lattice.context import log_odds
from docproc.readers.lattice.normalize import normalize_all
from docproc.readers.lattice.segment import candidate_ink, segment
from docproc.readers.line.view import line
from docproc.readers.repair import REPAIR, Choice, repair_field, repair_page
from docproc.readers.separators import weigh_separators
from docproc.readers.vote import Ballot, Verdict, Weights, ballots, vote
from docproc.rules import DateWindow, FieldRules, PageRule
from docproc.types import (
    CELL_SIDE,
    Box,
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
    MicrLine,
    Page,
    Placed,
    Reading,
    Recognizer,
    Row,
    Scores,
    Seen,
    Status,
)

SHORTEST_DATE = 4  # digits
ANY_DATE = FieldRules(date="auto")
KEPT = 10  # texts beside the one that was read that are kept for rules


@dataclass(frozen=True, slots=True)
class Reader:
    """What fields are read with: the four networks and what was learned beside them."""

    recognizer: Recognizer
    line_recognizer: LineRecognizer
    cell_recognizer: CellRecognizer
    micr_recognizer: LineRecognizer  # of E-13B
    context: Net | None
    weights: Mapping[Kind, Weights]
    calibrations: Mapping[Kind, Calibration]
    repairs: Thresholds  # of fields that were changed by a rule: they have an error of their own

    @property
    def name(self) -> str:
        """Tells which networks read: the starts of their hashes."""
        networks = (self.recognizer, self.line_recognizer, self.cell_recognizer, self.micr_recognizer)
        return "-".join(network.model_hash[:8] for network in networks)

    def accepts(self, max_error: float, window: DateWindow | None = None, own: Mapping[str, float] | None = None) -> Acceptance:
        """What a field must have to be accepted, see `readings.confidence.least`; `own` are thresholds of a user's own."""
        kinds = {kind: least(calibration.thresholds, max_error) for kind, calibration in self.calibrations.items()}
        return Acceptance(kinds, least(self.repairs, max_error), own or {}, window)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The least confidence with which a field is accepted, and which dates are."""

    kinds: Mapping[Kind, float]
    repaired: float  # of a field that was changed by a rule, at least
    own: Mapping[str, float]  # in the place of its kind's, by the name of a field
    window: DateWindow | None = None  # of dates

    def of(self, field: Field, reading: Reading) -> float:
        repaired = reading.changed_by and field.kind != "micr"  # which has learned of its own check digit
        return max(self.own.get(field.name, self.kinds[field.kind]), self.repaired if repaired else 0.0)

    def of_part(self, name: str, whole: Row) -> tuple[Status, str]:
        """(status, reason) of a part of a field: accepted as the whole is, or by a threshold of its own."""
        wanted = self.own.get(name)
        if wanted is None or whole.confidence is None or (whole.status, whole.reason) not in (("ok", ""), ("review", LOW)):
            return whole.status, whole.reason
        return ("ok", "") if whole.confidence >= wanted else ("review", LOW)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A field that waits for the recognizers."""

    field: Field
    crop: Gray
    lattice: Lattice
    glyphs: Glyphs
    line: Line
    cells: CellPictures  # none but in a comb
    micr: MicrLine | None = None  # of a line of E-13B: nothing else of it is read

    @property
    def inked(self) -> bool:
        """Whether there is ink that could be a digit by its size."""
        return not self.lattice.blank if self.micr is None else bool(self.micr.line.shape[1])


@dataclass(frozen=True, slots=True)
class FieldResult:
    """A field that was read, with all that led there."""

    prepared: Prepared
    scores: Scores
    frames: Frames
    cells: CellScores
    reading: Reading
    doubt: str = ""  # why nobody should rely on it, whatever was read
    printed: str = ""  # of a check's MICR line: the check's number as it is printed elsewhere


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
    if field.kind == "micr":
        return _prepare_micr(field, crop)
    ink = comb_ink(crop, field.cells) if field.cells else free_ink(crop)
    lattice = segment(ink, amount=field.kind == "amount")
    glyphs = normalize_all(candidate_ink(lattice, k) for k in range(len(lattice.candidates)))
    return Prepared(field, crop, lattice, glyphs, line(ink), cell_pictures(ink))


def _prepare_micr(field: Field, crop: Gray) -> Prepared:
    """The same for a line of E-13B: it is read at a glance, and nothing of it is cut."""
    nothing = free_ink(np.full((8, 8), 255, np.uint8))
    lattice = segment(nothing)
    return Prepared(field, crop, lattice, normalize_all(()), line(nothing), cell_pictures(nothing), micr_line(crop))


def recognize(prepared: Sequence[Prepared], reader: Reader) -> list[FieldResult]:
    """Score the candidates and the lines of many fields in one call each, and decode every field."""
    batch, counts = flatten([item.glyphs for item in prepared])
    scores = regroup(reader.recognizer.recognize(batch), counts)
    frames = frames_of(prepared, reader)
    cells = cells_of([item.cells for item in prepared], reader.cell_recognizer)
    return [
        FieldResult(item, own, seen, boxed, read(item, own, seen, boxed, reader))
        for item, own, seen, boxed in zip(prepared, scores, frames, cells, strict=True)
    ]


def frames_of(prepared: Sequence[Prepared], reader: Reader) -> list[Frames]:
    """What the recognizer of lines says of many fields, and that of E-13B of those that are such lines."""
    frames = reader.line_recognizer.read_lines([item.line for item in prepared])
    printed = [k for k, item in enumerate(prepared) if item.micr is not None]
    told = reader.micr_recognizer.read_lines([item.micr.line for item in prepared if item.micr is not None])
    for k, own in zip(printed, told, strict=True):
        frames[k] = own
    return frames


def cells_of(pictures: Sequence[CellPictures], recognizer: CellRecognizer) -> list[CellScores]:
    """What the cell recognizer says of the cells of many fields; a cell without ink is empty without being looked at."""
    batch, counts = flatten(pictures, (CELL_SIDE, CELL_SIDE, 2))
    return regroup(without_ink(batch, recognizer.recognize_cells(batch)), counts)


def read(prepared: Prepared, scores: Scores, frames: Frames, cells: CellScores, reader: Reader) -> Reading:
    """The best text of one field and the probability that it is right."""
    lattice, kind = prepared.lattice, prepared.field.kind
    if prepared.micr is not None:
        return _read_micr(prepared.micr, frames, reader.calibrations[kind])
    if lattice.blank:
        return Reading("", 0.0)
    boxed = cells if len(cells) else None
    odds = log_odds(lattice, scores, reader.context)
    cast = ballots(lattice, odds, scores, frames, prepared.field.digits, boxed)
    dated = prepared.field.rules is not None and prepared.field.rules.date is not None
    verdict = vote(cast, reader.weights[kind]) if dated else decide(cast, kind, lattice, reader.weights[kind])
    texts = shares_of(verdict)
    if not texts or (not texts[0][0] and boxed is None):
        return Reading("", 0.0, (), texts[1:KEPT])
    sure = confidence(evidence(verdict, lattice, scores, odds, boxed), reader.calibrations[kind])
    best, changed_by, broken = verdict.ballots[0], "", ""
    rules = prepared.field.rules
    if rules is not None and best.text and rules.allows(best.text):
        sure = round(repair_field(texts, sure, rules).confidence, DIGITS_KEPT)
    elif rules is not None and best.text:
        # What the readers propose under the rules comes after what they propose without, and is voted on like it.
        ruled = vote(ballots(lattice, odds, scores, frames, prepared.field.digits, boxed, rules), reader.weights[kind])
        choice = keep_rules(best.text, sure, ruled, rules)
        texts = shares_of(ruled)
        best = next(ballot for ballot in ruled.ballots if ballot.text == choice.text)
        sure, broken, changed_by = choice.confidence, choice.broken, choice.rule
    others = tuple(one for one in texts if one[0] != best.text and (rules is None or rules.allows(one[0])))[:KEPT]
    noted = remark(cells, best.text) if boxed is not None else ""
    return Reading(best.text, sure, best.path, others, noted or _breaks(broken), changed_by)


def _read_micr(found: MicrLine, frames: Frames, calibration: Calibration) -> Reading:
    """The best line of E-13B and the probability that it is right."""
    if not found.line.shape[1]:
        return Reading("", 0.0)
    told = micr.tell(frames)
    text = micr.digits_of(told.value)
    if not text:
        return Reading("", 0.0)
    sure = confidence(micr.evidence(told, frames, found.line), calibration)
    others = ((micr.digits_of(value), share) for value, share in told.shares[1 : KEPT + 1])
    noted = micr.GOES_ON if micr.goes_on(told, found.line) else ""
    return Reading(text, sure, (), tuple(others), noted, told.changed_by, told.value, told.centers)


def decide(cast: tuple[Ballot, ...], kind: Kind, lattice: Lattice, weights: Weights) -> Verdict:
    """What the readers' votes come to; in an amount the separators are heard too."""
    verdict = vote(cast, weights)
    return weigh_separators(verdict, lattice) if kind == "amount" and verdict.ballots else verdict


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
    whole = sum(share for _, share in reading.alternatives) + REPAIR.min_unseen_share
    others = ((text, rest * share / whole) for text, share in reading.alternatives)
    return ((reading.text, reading.confidence), *others)


def _breaks(rule: str) -> str:
    return f"breaks a rule: {rule}" if rule else ""


def tabulate(placed: Placed, results: Sequence[FieldResult], accept: Acceptance) -> list[Row]:
    """The rows of one page; what was expected on it and not found comes last."""
    page, rows = placed.page, []
    for result in results:
        field, reading = result.prepared.field, result.reading
        value, doubt = meaning(result, accept.window)
        doubt = doubt or result.doubt
        status, reason = judge(
            reading, accept.of(field, reading), inked=result.prepared.inked, required=field.required, doubt=doubt
        )
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
        if field.parts:
            rows += _parts(page, result, rows[-1], accept)
    found = {row.field for row in rows}
    return rows + [_not_found(page, name) for name in placed.expected if name not in found]


def _parts(page: Page, result: FieldResult, whole: Row, accept: Acceptance) -> list[Row]:
    """The rows of what an E-13B line consists of, beside that of the line; each is as sure as the line is."""
    prepared, reading = result.prepared, result.reading
    crop = prepared.field.crop.clip(page.width, page.height)
    found = {part.name: part for part in micr.parse(reading.value, reading.centers)}
    rows = []
    for name in micr.PARTS:
        part = found.get(name)
        if part is not None and prepared.micr is not None:
            own = part_box(prepared.micr, reading.centers[part.first : part.last])
            box = page.stored(
                Box(crop.left + own.left, crop.top + own.top, own.width, own.height).clip(page.width, page.height)
            )
            changed = whole.changed_by if name == "routing" else ""
            status, reason = accept.of_part(name, whole)
            other = result.printed.lstrip("0")
            if name == "check_number" and other and other != part.text.lstrip("0"):
                status, reason = "review", f"the number printed at the top of the check was read as {result.printed}"
            rows.append(
                replace(
                    whole, field=name, text=part.text, value=part.value, changed_by=changed, status=status, reason=reason,
                    left=box.left, top=box.top, width=box.width, height=box.height,
                )
            )  # fmt: skip
        elif name != "encoded_amount":
            unread = whole.status == "review"
            rows.append(
                replace(
                    whole, field=name, text="", value="", changed_by="", confidence=whole.confidence if unread else None,
                    status="review" if unread else "blank", reason=whole.reason if unread else "",
                )
            )  # fmt: skip
    return rows


def _not_found(page: Page, name: str) -> Row:
    reason = f"no {name} was found on this page"
    return Row(page.id.document, page.id.page, name, "", "", 0.0, "review", reason, "", None, None, None, None)


def meaning(result: FieldResult, window: DateWindow | None = None) -> tuple[str, str]:
    """(value, doubt): what a field means, an ISO date or a number, else its text; and why nobody should rely on it."""
    field, reading, lattice = result.prepared.field, result.reading, result.prepared.lattice
    if field.kind == "micr" or not reading.text:
        return reading.value, ""
    if field.rules is not None and field.rules.date:
        return date_value(field.rules, lattice, reading.path if not field.cells else (), reading.text, window)
    if field.kind == "amount":
        return amount_value(lattice, reading.path, reading.text, cents=field.cents)
    return reading.text, ""


def read_placed(placed: Placed, reader: Reader) -> list[FieldResult]:
    """Read all fields of a page and weigh the rules between them."""
    return settle(elected(recognize(prepare(placed), reader), placed, reader), placed.rules)


def elected(results: Sequence[FieldResult], placed: Placed, reader: Reader) -> list[FieldResult]:
    """Of the places where a field may be, those where it is, read as what it is."""
    if placed.elect is None:
        return list(results)
    found = placed.elect([_seen(result, _dated(result)) for result in results])
    if not any(one.field.name == "date" for one in found):
        # Most dates can be told as they were read; the search for what might be one as well takes longer.
        dated = [_dated(_read_as(replace(result.prepared.field, rules=ANY_DATE), result, reader)) for result in results]
        found = placed.elect([_seen(result, own) for result, own in zip(results, dated, strict=True)])
    chosen = [replace(_read_as(one.field, results[one.place], reader), doubt=one.doubt) for one in found]
    number = next((result.reading.text for result in chosen if result.prepared.field.name == PRINTED), "")
    fields = [result for result in chosen if result.prepared.field.name != PRINTED]
    return [replace(result, printed=number) if result.prepared.field.parts else result for result in fields]


def _dated(result: FieldResult) -> float:
    """How surely a place without a name holds a date whose parts stand apart; 0 where it can be none."""
    reading = result.reading
    if result.prepared.field.name or len(reading.text) < SHORTEST_DATE:
        return 0.0
    return reading.confidence if stands_apart(result.prepared.lattice, reading.path, reading.text, ANY_DATE) else 0.0


def _seen(result: FieldResult, dated: float) -> Seen:
    reading = result.reading
    return Seen(result.prepared.field, reading.text, meaning(result)[0], reading.confidence, dated)


def _read_as(field: Field, result: FieldResult, reader: Reader) -> FieldResult:
    """The same ink as another field."""
    prepared = replace(result.prepared, field=field)
    if field.rules == result.prepared.field.rules or not result.reading.text:
        return replace(result, prepared=prepared)
    return replace(result, prepared=prepared, reading=read(prepared, result.scores, result.frames, result.cells, reader))


def read_page(page: Page, locate: Callable[[Page], Placed], reader: Reader, max_error: float) -> list[Row]:
    """The whole story of one page."""
    placed = place(page, locate)
    return tabulate(placed, read_placed(placed, reader), reader.accepts(max_error))
