"""Group verification: all digits that were read as the same digit are shown together, least sure first.

A digit that nobody has judged yet waits in its group. Judgments are kept in the journal, see `digit_log`. When every digit of a
field is known, so is the field, and an edit records it; a field with a marked digit has to be keyed.

Single digits do not show whether one is missing, or what the marks between them mean. So a field is offered only if nothing but
the confidence of its reading is in doubt.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from docproc.readers.confidence import only_unsure
from docproc.runs.digit_log import MARKED, WITHDRAWN, DigitEdit
from docproc.runs.edits import Edit, FieldKey, FieldState, edit_of, meaning, spec_of
from docproc.types import DIGIT_SYMBOLS, Box

SCREEN = "group"  # what edits call this screen
PER_SCREEN = 100

_SCAN = re.compile(r"form [0-9]+ on page ([0-9]+)")

Why = Literal["no_places", "in_doubt", "account", "no_picture"]
"""Why a field is left to keying: the journal does not know where its digits are; more is in doubt than its digits; it contains
an account number, which is masked; its document cannot be shown.
"""


class PutFirst(Protocol):
    """The queue of the fields that are keyed."""

    def put_first(self, key: FieldKey, place: int | None) -> None:
        """Have a field keyed next, with its digit number `place`, from 0, marked."""
        ...


@dataclass(frozen=True, slots=True)
class Piece:
    """One digit of a field."""

    key: FieldKey
    place: int  # index in the field's text, from 0
    digit: str  # as it was read
    confidence: float  # 0..1, that it is this digit
    box: Box  # px of the page as stored
    scan: int  # the page of the document that it is on, from 1
    document: str
    text: str  # what was read in the field

    @property
    def where(self) -> tuple[FieldKey, int]:
        return self.key, self.place

    def order(self) -> tuple[float, str, int, FieldKey, int]:
        """The sort key for the digits of a group."""
        return self.confidence, self.document, self.scan, self.key, self.place


@dataclass(frozen=True, slots=True)
class OpenField:
    """A field that is offered for verification, and what was said about its digits."""

    state: FieldState
    said: Mapping[int, str]  # by the digit's place: the actual digit, or MARKED

    @property
    def marked(self) -> tuple[int, ...]:
        """The places of digits that were marked as wrong without saying what they are."""
        return tuple(place for place, said in sorted(self.said.items()) if said == MARKED)

    @property
    def text(self) -> str:
        """The text of the field according to the judgments of its digits; "" if not all are known."""
        digits = [self.said.get(place, MARKED) for place in range(len(self.state.reading.text))]
        return "" if MARKED in digits else "".join(digits)

    def told(self, edits: Iterable[DigitEdit]) -> OpenField:
        """The field after more was said about its digits."""
        return replace(self, said=_said(self.state.reading.text, edits, self.said))

    def pieces(self) -> Iterator[Piece]:
        """The digits that nobody has judged; none if the field has to be keyed."""
        return (piece for piece in self.all_pieces() if piece.place not in self.said and not self.marked)

    def all_pieces(self) -> Iterator[Piece]:
        """All digits of the field."""
        reading = self.state.reading
        found = _SCAN.search(reading.reason)
        scan = int(found[1]) if found else reading.page
        for place, digit in enumerate(reading.digits):
            if digit.box is not None:
                yield Piece(
                    self.state.key, place, digit.text, digit.confidence, digit.box, scan, reading.document, reading.text
                )  # fmt: skip


def open_fields(
    states: Iterable[FieldState], digit_edits: Iterable[DigitEdit], *, accepted: bool = False, unmasked: bool = False
) -> tuple[list[OpenField], Counter[Why]]:
    """The fields offered: the doubtful ones, with `accepted` also the others; and how many are left to keying.

    `states` have their digits, see `Journal.fields`. A field that somebody keyed is not offered, and of copies of a document
    only the first is. Accounts are left out unless they are `unmasked`.
    """
    said: dict[FieldKey, list[DigitEdit]] = {}
    for edit in digit_edits:
        said.setdefault(edit.key, []).append(edit)
    found: dict[FieldKey, OpenField] = {}
    left: Counter[Why] = Counter()
    lines: set[tuple[str, int]] = set()  # pages on which a line of E-13B was read
    seen: set[FieldKey] = set()
    for state in states:
        key, reading = state.key, state.reading
        if spec_of(reading).kind == "micr":
            lines.add(key[:2])
        wanted = state.row.status == "review" or (accepted and state.row.status == "ok")
        if not wanted or not state.sha256 or not reading.text or state.counting or key in seen:
            continue
        seen.add(key)
        why = _why_left(state, key[:2] in lines and not unmasked)
        if why:
            left[why] += 1
        else:
            found[key] = OpenField(state, _said(reading.text, said.get(key, ())))
    return list(found.values()), left


def _why_left(state: FieldState, masked: bool) -> Why | None:
    if masked and (spec_of(state.reading).kind == "micr" or state.reading.field == "account"):
        return "account"
    if state.row.status == "review" and not only_unsure(state.row.reason):
        return "in_doubt"
    return None if state.reading.digits else "no_places"


def _said(text: str, edits: Iterable[DigitEdit], before: Mapping[int, str] | None = None) -> dict[int, str]:
    """The valid judgments of the digits of a text, by their places."""
    words: dict[int, list[str]] = {place: [said] for place, said in (before or {}).items()}
    for edit in edits:
        if edit.text != text:
            continue
        own = words.setdefault(edit.place, [])
        if edit.said != WITHDRAWN:
            own.append(edit.said)
        elif own:
            own.pop()
    return {place: own[-1] for place, own in words.items() if own}


def groups(fields: Iterable[OpenField]) -> dict[str, list[Piece]]:
    """The digits that nobody has judged, grouped by what they were read as, least sure first."""
    found: dict[str, list[Piece]] = {digit: [] for digit in DIGIT_SYMBOLS}
    for field in fields:
        for piece in field.pieces():
            found[piece.digit].append(piece)
    for own in found.values():
        own.sort(key=Piece.order)
    return found


def answers(screen: Sequence[Piece], marks: Mapping[int, str], who: str) -> list[DigitEdit]:
    """What a person said about the digits on a screen.

    `marks` has the numbers, from 0, of the digits that do not belong, each with the actual digit, or "". The others are
    confirmed.
    """
    return [
        DigitEdit(*piece.key, piece.place, piece.text, marks.get(k, piece.digit) or MARKED, who)
        for k, piece in enumerate(screen)
    ]


def withdrawals(screen: Sequence[Piece], who: str) -> list[DigitEdit]:
    """Edits that take back the last judgment of each digit of a screen."""
    return [DigitEdit(*piece.key, piece.place, piece.text, WITHDRAWN, who) for piece in screen]


def edit_for(field: OpenField, who: str) -> Edit | None:
    """The edit for a field that follows from its digits; None if not all are known, or if such a text is not allowed there."""
    if not field.text or meaning(field.state.reading, field.text).fault:
        return None
    return edit_of(field.state, "text", field.text, who=who, screen=SCREEN)


def breaks_rules(field: OpenField) -> bool:
    """Whether a person has to look at the whole field, because the text of its digits breaks a rule or is not allowed."""
    meant = meaning(field.state.reading, field.text)
    return bool(meant.fault or meant.broken)
