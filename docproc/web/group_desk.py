"""Hands out screens of digits for group verification, and stores what people say about them.

The journal keeps every judgment; this module only keeps who has which screen, which can be lost at any time.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from docproc.files import Document
from docproc.runs.digit_log import DigitEdit
from docproc.runs.editing import Edits
from docproc.runs.edits import Edit, FieldKey, FieldState, StaleEdit, withdrawal_of
from docproc.runs.groups import (
    PER_SCREEN,
    SCREEN,
    OpenField,
    Piece,
    PutFirst,
    Why,
    answers,
    breaks_rules,
    edit_for,
    groups,
    open_fields,
    withdrawals,
)
from docproc.runs.journal import Journal
from docproc.runs.places import course, quarters
from docproc.runs.sampling import Sample
from docproc.runs.scans import scan_of
from docproc.types import DIGIT_SYMBOLS
from docproc.web.mosaic import Cuts, Tile, Tiles, cuts_of, mosaic

LEASE_SECONDS = 600.0  # for which the digits of a screen are shown to nobody else [guess]
MAX_SCREENS = 200  # that are remembered, over all people [guess]

Where = tuple[FieldKey, int]


@dataclass(slots=True, eq=False)
class Screen:
    """Digits that one person is looking at."""

    id: str
    visitor: str
    who: str
    digit: str
    pieces: tuple[Piece, ...]
    picture: bytes  # JPEG, see `mosaic`
    left: int  # digits of the group that are still waiting
    marks: Mapping[int, str] | None = None  # once it has been confirmed
    outcome: Outcome | None = None
    entered: dict[FieldKey, int] = field(default_factory=dict)  # fields that it settled, and the numbers of their edits
    fields: dict[FieldKey, OpenField] = field(default_factory=dict)  # its fields, after it was confirmed


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a screen."""

    digits: int  # that were confirmed
    fields: int  # that are settled
    keying: int  # that have to be keyed
    stale: tuple[str, ...]  # why a field was not settled: somebody else was first


@dataclass(frozen=True, slots=True)
class Overview:
    """How many digits wait in each group, and how many fields are left to keying, by reason."""

    waiting: Mapping[str, int]
    left: Mapping[Why, int]


class GroupDesk:
    """Group verification of one run, or only of the `fields` with these names; may be shared between threads.

    Fields of the `audited` sample are keyed without showing the reading, so they are not shown here.
    """

    def __init__(
        self, output: Path, edits: Edits, queue: PutFirst, tiles: Tiles, *, who: str = "",
        fields: Collection[str] = (), accepted: bool = False, unmasked: bool = False, audited: Sample | None = None,
    ) -> None:  # fmt: skip
        self.output, self.edits, self.queue, self.tiles, self.who = output, edits, queue, tiles, who
        self.names, self.audited, self.accepted, self.unmasked = frozenset(fields), audited, accepted, unmasked
        self._lock = threading.Lock()
        self._fields: dict[FieldKey, OpenField] = {}
        self._groups: dict[str, list[Piece]] = {digit: [] for digit in DIGIT_SYMBOLS}
        self._left: Counter[Why] = Counter()
        self._documents: dict[str, Document] = {}
        self._turns: dict[str, dict[int, int]] = {}  # of pages that are not upright, see `quarters`
        self._by_content: dict[str, list[FieldKey]] = {}
        self._newest = 0  # the last edit of the journal that is known here
        self._unseen: set[FieldKey] = set()  # fields that cannot be shown
        self._sent: set[tuple[FieldKey, int | None]] = set()  # what was put first in the queue
        self._leases: dict[Where, tuple[str, float]] = {}
        self._screens: OrderedDict[str, Screen] = OrderedDict()

    def close(self) -> None:
        """Close the cutter of pictures."""
        self.tiles.cutter.close()

    # ------------------------------------------------------------------------------------------------ screens

    def enter(self, visitor: str) -> Overview:
        """Somebody opens the page: what is in the journal now. Digits shown to the visitor before are free again."""
        courses: dict[str, dict[int, tuple[int, int]]] = {}
        with Journal.look(self.output) as journal:
            fields, left = open_fields(
                filter(self._is_wanted, _noted(journal.fields(digits=True), courses)),
                journal.digit_edits(),
                accepted=self.accepted,
                unmasked=self.unmasked,
            )
            documents = {sha256: document for document, sha256 in reversed(journal.contents())}
            newest = journal.last_edit()
        with self._lock:
            self._fields = {one.state.key: one for one in fields}
            self._groups = groups(fields)
            self._left, self._documents, self._newest = left, documents, newest
            self._turns = {
                sha256: {page: quarters(*way) for page, way in own.items() if quarters(*way)} for sha256, own in courses.items()
            }
            self._by_content = {}
            for key in self._fields:
                self._by_content.setdefault(key[0], []).append(key)
            self._leases = {where: lease for where, lease in self._leases.items() if lease[0] != visitor}
            for one in fields:
                self._send(one)
            return self._overview()

    def _is_wanted(self, state: FieldState) -> bool:
        wanted = not self.names or state.reading.field in self.names
        return wanted and (self.audited is None or state.key not in self.audited)

    def _overview(self) -> Overview:
        unseen: dict[Why, int] = {"no_picture": len(self._unseen)} if self._unseen else {}
        waiting = {digit: sum(one.key not in self._unseen for one in own) for digit, own in self._groups.items()}
        return Overview(waiting, dict(self._left) | unseen)

    def screen(self, visitor: str, digit: str, who: str = "") -> Screen:
        """The next digits that were read as this digit, least sure first, that nobody else is looking at.

        If there are none, those of the next digit, and so on; if none of any digit are left, the screen is empty.
        """
        self._notice()
        for turn in range(len(DIGIT_SYMBOLS)):
            one = self._screen(visitor, DIGIT_SYMBOLS[(int(digit) + turn) % len(DIGIT_SYMBOLS)], who or self.who)
            if one.pieces:
                return one
        return one

    def _screen(self, visitor: str, digit: str, who: str) -> Screen:
        kept: list[Piece] = []
        pictures: list[Tile] = []
        while True:
            with self._lock:
                chosen = self._choose(visitor, digit, PER_SCREEN - len(kept))
                wanted = self._cuts({piece.key[0] for piece in chosen})
            found = self.tiles.of(wanted)
            for piece in chosen:
                tile = found[piece.key[0]].get((piece.scan, piece.box))
                if tile is None:
                    self._unseen.add(piece.key)
                elif piece.key not in self._unseen:
                    kept.append(piece)
                    pictures.append(tile)
            if len(kept) >= PER_SCREEN or not chosen:
                break
        with self._lock:
            left = sum(self._free(piece, time.monotonic()) for piece in self._groups[digit])
            one = Screen(secrets.token_hex(8), visitor, who, digit, tuple(kept), mosaic(pictures), left)
            self._screens[one.id] = one
            while len(self._screens) > MAX_SCREENS:
                self._screens.popitem(last=False)
        return one

    def find(self, name: str, visitor: str) -> Screen | None:
        """A screen of this visitor; None if it is no longer known."""
        one = self._screens.get(name)
        return one if one and one.visitor == visitor else None

    def _choose(self, visitor: str, digit: str, count: int) -> list[Piece]:
        """The next free digits, reserved for a while."""
        now = time.monotonic()
        chosen: list[Piece] = []
        for piece in self._groups[digit]:
            if len(chosen) == count:
                break
            if self._free(piece, now):
                chosen.append(piece)
                self._leases[piece.where] = visitor, now + LEASE_SECONDS
        return chosen

    def _free(self, piece: Piece, now: float) -> bool:
        lease = self._leases.get(piece.where)
        return piece.key not in self._unseen and (lease is None or lease[1] < now)

    def _cuts(self, contents: Iterable[str]) -> dict[str, Cuts]:
        """Everything that has to be cut out of some documents."""
        return {
            sha256: cuts_of(
                sha256, self._documents.get(sha256),
                [(piece.scan, piece.box) for key in self._by_content[sha256] for piece in self._fields[key].all_pieces()],
                self._turns.get(sha256),
            )
            for sha256 in contents
        }  # fmt: skip

    def _notice(self) -> None:
        """Drop the fields that were keyed elsewhere in the meantime."""
        with Journal.look(self.output) as journal:
            came = journal.edits_after(self._newest)
        if came:
            last = {edit.key: edit.how for edit in came}
            with self._lock:
                self._newest = max(self._newest, came[-1].id)
                self._drop({key for key, how in last.items() if how != "withdrawn"})

    def _drop(self, keys: set[FieldKey]) -> None:
        if keys:
            self._groups = {digit: [one for one in own if one.key not in keys] for digit, own in self._groups.items()}

    # ------------------------------------------------------------------------------------------------ answers

    def answer(self, screen: Screen, marks: Mapping[int, str]) -> Outcome:
        """Store what a person said about a screen; when this returns it is on disk. Repeating it changes nothing.

        `marks` has the numbers of those that are not this digit, from 0, each with the actual digit, or "". Raises ValueError
        for a number that is not on the screen, or for something that is not a digit; CannotWrite.
        """
        for number, digit in marks.items():
            if not 0 <= number < len(screen.pieces) or digit not in ("", *DIGIT_SYMBOLS):
                raise ValueError(f"there is no digit number {number + 1} on this screen, or {digit!r} is none")
        with self._lock:
            if screen.outcome is None:
                screen.outcome = self._enter(screen, answers(screen.pieces, marks, screen.who))
                screen.marks = marks
            if screen.marks != marks:
                raise ValueError("this screen was confirmed with other marks; take it back first")
            return screen.outcome

    def take_back(self, screen: Screen) -> tuple[str, ...]:
        """Take back what was said about a screen; returns why a field stays as it is: somebody edited it afterwards."""
        with self._lock:
            if screen.outcome is None:
                return ()
            for key in screen.fields.keys() - self._fields.keys():  # they were settled when the page was reopened
                self._fields[key] = screen.fields[key]
                self._by_content.setdefault(key[0], []).append(key)
            digits = withdrawals(screen.pieces, screen.who)
            undone = [withdrawal_of(self._fields[key].state, who=screen.who, screen=SCREEN) for key in screen.entered]
            touched, _, stale = self._add(undone, dict(screen.entered), digits)
            self._fields |= touched
            self._sent = {(key, place) for key, place in self._sent if key not in touched}
            self._insert([piece for one in touched.values() if not one.state.counting for piece in one.pieces()])
            screen.outcome = None
            screen.entered.clear()
            return stale

    def _enter(self, screen: Screen, digits: Sequence[DigitEdit]) -> Outcome:
        known = self._told(digits)
        edits = [edit for one in known.values() if not one.state.counting and (edit := edit_for(one, screen.who))]
        seen = {edit.key: known[edit.key].state.version for edit in edits}
        touched, numbers, stale = self._add(edits, seen, digits)
        screen.entered, screen.fields = numbers, touched
        self._fields |= touched
        answered = {piece.where for piece in screen.pieces}
        marked = {key for key, one in touched.items() if one.marked}
        own = self._groups[screen.digit]
        self._groups[screen.digit] = [piece for piece in own if piece.where not in answered]
        self._drop(marked)
        for where in answered:
            self._leases.pop(where, None)
        keying = [one for one in touched.values() if self._send(one)]
        confirmed = sum(edit.said == piece.digit for edit, piece in zip(digits, screen.pieces, strict=True))
        return Outcome(confirmed, len(numbers), len(keying), stale)

    def _told(self, digits: Sequence[DigitEdit]) -> dict[FieldKey, OpenField]:
        """The fields of some digits, with these edits applied."""
        by_key: dict[FieldKey, list[DigitEdit]] = {}
        for edit in digits:
            by_key.setdefault(edit.key, []).append(edit)
        # A field that is no longer known was keyed elsewhere in the meantime.
        return {key: self._fields[key].told(own) for key, own in by_key.items() if key in self._fields}

    def _add(
        self, edits: list[Edit], seen: Mapping[FieldKey, int], digits: Sequence[DigitEdit]
    ) -> tuple[dict[FieldKey, OpenField], dict[FieldKey, int], tuple[str, ...]]:
        """Store everything except the edits of fields for which somebody else was first.

        Returns the resulting fields of the digits, the numbers of the edits, and messages about the other fields.
        """
        stale: list[str] = []
        while True:
            try:
                numbers = self.edits.add(edits, seen, digits=digits)
            except StaleEdit as problem:
                stale.append(str(problem))
                edits = [edit for edit in edits if edit.key != problem.edit.key]
                continue
            break
        touched = self._told(digits)
        for edit, number in zip(edits, numbers, strict=True):
            one = touched[edit.key]
            came = (*one.state.edits, replace(edit, id=number))
            touched[edit.key] = replace(one, state=replace(one.state, edits=came))
        return touched, {edit.key: number for edit, number in zip(edits, numbers, strict=True)}, tuple(stale)

    def _insert(self, pieces: Sequence[Piece]) -> None:
        """Put digits back into their groups."""
        for digit in {piece.digit for piece in pieces}:
            own = {piece.where: piece for piece in (*self._groups[digit], *(one for one in pieces if one.digit == digit))}
            self._groups[digit] = sorted(own.values(), key=Piece.order)

    def _send(self, one: OpenField) -> bool:
        """Have a field keyed if its digits do not settle it; False if that is not needed."""
        key = one.state.key
        if one.marked:
            place: int | None = one.marked[0]
        elif one.text and breaks_rules(one):
            place = None
        else:
            return False
        if (key, place) not in self._sent:
            self._sent.add((key, place))
            self.queue.put_first(key, place)
        return True


def _noted(states: Iterable[FieldState], courses: dict[str, dict[int, tuple[int, int]]]) -> Iterator[FieldState]:
    """Passes the fields through; records the direction of writing of their pages in `courses`, by document and page."""
    for state in states:
        way, page = course(state.reading), scan_of(state.reading)
        if any(way) and state.sha256:
            before = courses.setdefault(state.sha256, {}).get(page, (0, 0))
            courses[state.sha256][page] = before[0] + way[0], before[1] + way[1]
        yield state
