"""Read handwriting: the readers score, propose and vote; then rules and the confidence are applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from docproc.meaning.foreign import SLASH_OR_1, dot_below, foreign, slash_in_1, two_numbers
from docproc.meaning.marks import MarkedDigits
from docproc.meaning.named import Named
from docproc.readers.comb import CombOpinion
from docproc.readers.confidence import KEPT_DECIMALS, confidence, joined
from docproc.readers.evidence import evidence
from docproc.readers.ink import comb_ink, free_ink
from docproc.readers.lattice import LatticeOpinion, View
from docproc.readers.lattice.cuts import candidate_box
from docproc.readers.lattice.stray import STRAY, filled, is_corner, is_ring, leaning, left_over, maybe_1_before, stacked
from docproc.readers.line import LineOpinion
from docproc.readers.model import Model
from docproc.readers.repair import Choice, repair_field
from docproc.readers.separators import weigh_separators
from docproc.readers.vote import Verdict, Weights, ballots, vote
from docproc.readers.voter import Opinion
from docproc.readers.voters import VOTERS
from docproc.rules import FieldRules, breaks
from docproc.types import Field, Frames, Gray, Lattice, Reading

AT_THE_EDGE = "a line at the edge of the field, or a 1"
BEFORE = "a stroke before the number, or a 1"
STACKED = "something is written above or below the number"
FILLED = "something is written inside a digit"
RING = "a ring, or a 0"
CORNER = "part of a frame, or a digit"
UNEXPLAINED = "much of what is written was not read"
AT_THE_EDGE_PX = 2  # from the side of the crop [guess]
MAX_ALTERNATIVES = 10  # other texts kept, for rules between fields and for reviewers [guess]


@dataclass(frozen=True, slots=True)
class Handwritten:
    """A handwritten field, ready for the networks."""

    field: Field
    crop: Gray
    views: Mapping[str, Any]  # by name, for the readers that read such fields
    inked: bool  # whether anything is written, even if only a dash
    doubt: str = ""  # why it cannot be trusted

    @property
    def cut(self) -> View:
        """The field as the lattice reader sees it."""
        view: View = self.views["lattice"]
        return view

    @property
    def lattice(self) -> Lattice:
        return self.cut.lattice


@dataclass(frozen=True, slots=True)
class HandwrittenResult:
    """A handwritten field that was read, with all intermediate values."""

    prepared: Handwritten
    opinions: Mapping[str, Opinion]  # by reader name
    reading: Reading
    doubt: str = ""  # why it should not be trusted, whatever was read

    @property
    def marked(self) -> MarkedDigits | None:
        """The digits that were read and the marks around them; None if the lattice has no path for the text."""
        return lattice_opinion(self.opinions).marks(self.reading.path)

    @property
    def named(self) -> tuple[Named, ...]:
        """The symbols around the digits that were read, from the line network."""
        return line_opinion(self.opinions).named(self.reading.text)


def prepare(field: Field, crop: Gray, framed: Gray | None = None) -> Handwritten:
    """Find a field's ink, and prepare it as each reader needs it; `framed` as in `comb_ink`."""
    ink = comb_ink(crop, field.cells, framed) if field.cells else free_ink(crop)
    views = {name: voter.view(ink, field) for name, voter in VOTERS.items()}
    return Handwritten(field, crop, {name: view for name, view in views.items() if view is not None}, ink.written, ink.doubt)


def read_all(fields: Sequence[Handwritten], model: Model) -> list[HandwrittenResult]:
    """Read many fields; each network is called once for all of them."""
    scores = score_all([item.views for item in fields], model.networks)
    heard = [opinions_of(item.views, said, item.field.digits, model.fitted) for item, said in zip(fields, scores, strict=True)]
    return [HandwrittenResult(item, own, read(item, own, model)) for item, own in zip(fields, heard, strict=True)]


def score_all(views: Sequence[Mapping[str, Any]], networks: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The networks' scores for the views of many fields, one call per network: a dict by reader name for each field."""
    scores: list[dict[str, Any]] = [{} for _ in views]
    for name, voter in VOTERS.items():
        places = [k for k, own in enumerate(views) if name in own]
        for k, one in zip(places, voter.score([views[k][name] for k in places], networks[name]), strict=True):
            scores[k][name] = one
    return scores


def opinions_of(
    views: Mapping[str, Any], scores: Mapping[str, Any], digits: tuple[int, int] | None, fitted: Mapping[str, Any]
) -> dict[str, Opinion]:
    """Each reader's opinion of a field; `digits` bounds the length of its text."""
    return {name: VOTERS[name].opinion(view, scores[name], digits, fitted.get(name)) for name, view in views.items()}


def read(prepared: Handwritten, opinions: Mapping[str, Opinion], model: Model) -> Reading:
    """The best text of a field and the probability that it is right."""
    field = prepared.field
    if prepared.lattice.blank:
        return Reading("", 0.0, remark=prepared.doubt if prepared.inked else "")
    weights = model.weights[field.kind]
    verdict = decide(opinions, field, weights)
    if not verdict.ballots or (not verdict.ballots[0].text and "cells" not in opinions):
        return Reading("", 0.0, (), verdict.texts[1:MAX_ALTERNATIVES], _not_a_number(opinions, field, ""))
    rules = field.rules
    text, texts = verdict.ballots[0].text, verdict.texts
    choice = Choice(text, confidence(evidence(verdict, opinions), model.calibrations[field.kind]))
    if rules is not None and text:
        if rules.allows(text):
            choice = _rounded(repair_field(texts, choice.confidence, rules))
        else:
            # Proposals under the rules come after those without, and are voted on in the same way.
            ruled = vote(ballots(opinions, field.digits, rules), weights)
            choice, texts = keep_rules(text, choice.confidence, ruled, rules), ruled.texts
    others = tuple(one for one in texts if one[0] != choice.text and (rules is None or rules.allows(one[0])))
    path = lattice_opinion(opinions).path(choice.text)
    remark = remark_on(opinions, field, prepared.crop, choice.text) or breaks(choice.broken)
    remark = joined(remark, prepared.doubt)
    was = text if choice.changed else ""
    digit_px = prepared.lattice.digit_px
    return Reading(choice.text, choice.confidence, path, others[:MAX_ALTERNATIVES], remark, choice.rule, was, digit_px)


def read_as(result: HandwrittenResult, field: Field, model: Model) -> HandwrittenResult:
    """The same ink read as another field, which may have other rules."""
    prepared = replace(result.prepared, field=field)
    if field.rules == result.prepared.field.rules or not result.reading.text:
        return replace(result, prepared=prepared)
    return replace(result, prepared=prepared, reading=read(prepared, result.opinions, model))


def decide(opinions: Mapping[str, Opinion], field: Field, weights: Weights) -> Verdict:
    """The verdict of the vote without rules; for an amount, its separators count too."""
    verdict = vote(ballots(opinions, field.digits), weights)
    dated = field.rules is not None and field.rules.date is not None
    if field.kind != "amount" or dated or not verdict.ballots:
        return verdict
    cut = lattice_opinion(opinions)
    return weigh_separators(verdict, lambda text: cut.marks(cut.path(text)))


def keep_rules(text: str, confidence: float, ruled: Verdict, rules: FieldRules) -> Choice:
    """Either the text that was read and breaks a rule, or one from the vote under the rules, see `repair`."""
    texts = ruled.texts
    first = next(one for one in texts if one[0] == text)
    return _rounded(repair_field((first, *(one for one in texts if one is not first)), confidence, rules))


def lattice_opinion(opinions: Mapping[str, Opinion]) -> LatticeOpinion:
    """The opinion of the reader that knows where digits are."""
    opinion = opinions["lattice"]
    assert isinstance(opinion, LatticeOpinion)
    return opinion


def line_opinion(opinions: Mapping[str, Opinion]) -> LineOpinion:
    """The opinion of the reader that sees the whole field."""
    opinion = opinions["line"]
    assert isinstance(opinion, LineOpinion)
    return opinion


def line_frames(opinions: Mapping[str, Opinion]) -> Frames:
    """The frames of the line network."""
    return line_opinion(opinions).frames


def remark_on(opinions: Mapping[str, Opinion], field: Field, crop: Gray, text: str) -> str:
    """What a person should know about a field read as `text`, whatever its confidence; "" if there is nothing."""
    comb = opinions.get("cells")
    if isinstance(comb, CombOpinion):
        return comb.remark(text)
    cut = lattice_opinion(opinions)
    path = cut.path(text)
    noted = _not_a_number(opinions, field, text) or _at_the_edge(cut.lattice, path, crop.shape[1], text)
    return noted or _more_than_digits(cut.lattice, path, crop.shape[0], text)


def _more_than_digits(lattice: Lattice, path: Sequence[int], rows: int, text: str) -> str:
    """Why the ink of a free field seems to be more than, or not, the digits that were read; "" if there is no sign of that."""
    if maybe_1_before(lattice, path):
        return BEFORE
    if stacked(lattice, path, rows):
        return STACKED
    if path and filled(lattice, path, text):
        return FILLED
    if is_ring(lattice, path, text):
        return RING
    if is_corner(lattice, path, text):
        return CORNER
    if path and left_over(lattice, path) > (STRAY.max_left_over_of_1 if text == "1" else STRAY.max_left_over):
        return UNEXPLAINED
    return SLASH_OR_1 if set(text) == {"1"} and leaning(lattice, path) else ""


def _at_the_edge(lattice: Lattice, path: Sequence[int], width: int, text: str) -> str:
    """Why vertical strokes at the very edge of a free field may be a printed line; "" if there is anything else."""
    if not path or set(text) != {"1"}:
        return ""
    boxes = [candidate_box(lattice, k) for k in path]
    aside = [min(box.left, width - box.left - box.width) <= AT_THE_EDGE_PX for box in boxes]
    return AT_THE_EDGE if all(aside) and len(text) <= len(aside) <= 2 else ""


def _not_a_number(opinions: Mapping[str, Opinion], field: Field, text: str) -> str:
    """Why a free field is not a single number; "" if there is no sign of that."""
    dated = field.rules is not None and field.rules.date is not None
    cut = lattice_opinion(opinions)
    free = not dated and field.kind in ("string", "amount")
    marked = cut.marks(cut.path(text))
    apart = (dot_below(marked, text) or two_numbers(marked, text, field.kind, field.digits)) if free else ""
    line = line_opinion(opinions)
    found = foreign(line.named(text), text, field.kind, dated=dated) or apart
    return found if found or not free else slash_in_1(line.slash_in_1(text), field.kind, field.digits)


def _rounded(choice: Choice) -> Choice:
    return replace(choice, confidence=round(choice.confidence, KEPT_DECIMALS))
