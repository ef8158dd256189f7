"""What is shown of a field to the person who keys it, and what is done with keyed text. Independent of HTTP."""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from docproc.errors import DocprocError
from docproc.meaning.typed import MICR_LETTERS
from docproc.runs.editing import Edits, rewrite_table
from docproc.runs.edits import (
    AUDIT,
    Edit,
    FieldKey,
    FieldState,
    Said,
    StaleEdit,
    blank_meaning,
    broken_between,
    edit_of,
    meaning,
    spec_of,
    withdrawal_of,
)
from docproc.runs.places import course, quarters
from docproc.runs.planting import answered, planted_reading
from docproc.runs.queue import Entry, Mode, Order, Person, Queue, Wishes
from docproc.runs.scans import Picture, Scans, crop, digit_box, sheet
from docproc.runs.tables import shown_name
from docproc.types import Row

AHEAD = 6  # fields that a page has loaded [guess]
PAUSE_SECONDS = 60.0  # after which a person is considered away [guess]
SCREEN = "review"
ACCOUNT = "account"  # a field that contains an account number, as E-13B lines do
NOTES: dict[Mode, str] = {
    "audit": "Key what is written there. This field is part of an audit, so the reading is not shown.",
    "again": "Second keying: key what is written there. Neither the reading nor the first keying is shown.",
}
TO_LETTERS = str.maketrans({symbol: letter for letter, symbol in MICR_LETTERS.items()})

Action = Literal["text", "blank", "illegible", "later", "back"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person does with a field that is shown."""

    id: str  # of its card
    version: int  # of the field, as it was shown
    action: Action
    text: str = ""
    overruled: bool = False  # the person saw which rules it breaks and overrode them


class Broken(DocprocError):
    """The keyed text breaks rules, and nobody has insisted yet. Nothing was stored."""


class Unknown(DocprocError):
    """The field was not shown, or is no longer in the table."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """How a field was shown."""

    mode: Mode
    planted: Row | None = None  # a wrong reading that was shown instead of the real one


@dataclass(slots=True)
class _Done:
    """What a person keyed."""

    kinds: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0  # spent on it, without pauses
    last: float = 0.0  # monotonic seconds: when something was last keyed

    def note(self, kind: str, now: float) -> None:
        """Record that something was keyed."""
        self.kinds[kind] += 1
        self.seconds += min(now - self.last, PAUSE_SECONDS) if self.last else 0.0
        self.last = now


class Keying:
    """The fields of a run that are to be keyed; may be shared between threads."""

    def __init__(
        self, output: Path, edits: Edits, scans: Scans, wishes: Wishes, *, planted: float = 0.0, screen: str = SCREEN
    ) -> None:
        self.output, self.scans = output, scans
        self._edits, self._share, self._screen = edits, planted, screen
        self._queue = Queue(wishes)
        self._lock, self._table_lock = threading.Lock(), threading.Lock()
        self._keys: dict[str, FieldKey] = {}
        self._shown: dict[FieldKey, _Shown] = {}
        self._secret = edits.secret() if planted else ""
        self._planted = {one.key for one in edits.planted()}
        self._done: dict[Person, _Done] = {}
        self._queue.fill(edits.fields())

    # ------------------------------------------------------------------------------------------------- asking

    def begin(self, person: Person) -> None:
        """A person opens the page."""
        with self._lock:
            self._queue.fill(self._edits.fields())
            self._queue.begin(person)
            self._done.setdefault(person, _Done()).last = time.monotonic()

    def put_first(self, key: FieldKey, place: int | None = None) -> None:
        """Have a field keyed next, with its digit number `place`, from 0, marked. Raises Unknown."""
        with self._lock:
            state = self._state(key, self._edits.fields(key[0]))
            self._queue.put_first(state, place)

    def cards(
        self, person: Person, have: Sequence[str] = (), order: Order = "doubt", ahead: int = AHEAD
    ) -> list[dict[str, Any]]:
        """The next fields for a person who already has those with the ids in `have`."""
        with self._lock:
            held = [self._keys[one] for one in have if one in self._keys]
            cards: list[dict[str, Any]] = []
            while taken := self._queue.take(person, ahead - len(held), time.monotonic(), order=order, held=held):
                for key in [entry.key for entry in taken]:
                    states = self._edits.fields(key[0])
                    self._queue.update(states)  # another program may have entered something
                    if not any(state.key == key for state in states):  # or read the document again, and found no such field
                        self._queue.remove(key)
                    if entry := self._queue.find(key):
                        cards.append(self._card(entry, states))
                        held.append(key)
            return cards

    def progress(self, person: Person) -> dict[str, Any]:
        """A person's progress: the share of fields keyed, 0..1; and in words how many, how fast, and the time left."""
        with self._lock:
            left, done = self._queue.left(person), self._done.setdefault(person, _Done())
        count = done.kinds.total()
        words = [f"{count} keyed", f"{left} left"]
        if count and done.seconds:
            words += [
                f"{round(3600 * count / done.seconds):,} an hour",
                f"{math.ceil(left * done.seconds / count / 60)} min to go",
            ]
        return {"share": count / (count + left) if count + left else 1.0, "progress": " · ".join(words)}

    def _card(self, entry: Entry, states: Sequence[FieldState]) -> dict[str, Any]:
        reading, shown = entry.state.reading, _Shown(entry.mode)
        if entry.mode == "read" and self._share and entry.place is None:
            wrong = planted_reading(entry.state, self._secret, self._share, done=self._planted, page=_page(states, reading))
            shown = _Shown("read", wrong)
        self._shown[entry.key] = shown
        card = card_of(entry, shown.planted or reading)
        self._keys[card["id"]] = entry.key
        return card | {"crop": f"/crops/{card['id']}.png", "page": f"/pages/{card['id']}.png"}

    # ------------------------------------------------------------------------------------------------- keying

    def key(self, person: Person, wish: Wish) -> dict[str, Any]:
        """Do what a person asks for; when this returns, what was entered is on disk.

        Raises Unknown, Broken if rules are broken and not `overruled`, ValueError for a text that is not a number, StaleEdit if
        somebody else was first, or CannotWrite; in these cases nothing was entered.
        """
        with self._lock:
            key = self._keys.get(wish.id)
            if key is None:
                raise Unknown("This field was not shown since the server began. Load the page again.")
            if wish.action == "later":
                self._queue.give_back(key, person, later=True)
                return {}
            states = self._edits.fields(key[0])
            state = self._state(key, states)
            if wish.action == "back":
                return self._back(person, wish, state)
            shown = self._shown.get(key, _Shown("read"))
            edit = self._edit(person, wish, wish.action, state, shown.mode, _page(states, state.reading))
            number = self._enter(wish, state, shown, edit)
            self._queue.update(self._edits.fields(key[0]))
            self._done.setdefault(person, _Done()).note(_kind(edit), time.monotonic())
            return {"version": number}

    def _edit(
        self, person: Person, wish: Wish, said: Said, state: FieldState, mode: Mode, page: Sequence[Row]
    ) -> Edit:  # fmt: skip
        # Whoever keys it for an audit does not see what others keyed.
        again = mode == "again" or (mode == "audit" and bool(state.counting))
        screen = AUDIT if mode == "audit" else self._screen
        edit = edit_of(state, said, wish.text, who=person.who, screen=screen, again=again)
        if came := [one for one in state.edits if one.id > wish.version]:
            raise StaleEdit(edit, came)  # before any message about rules
        broken = _broken(state.reading, edit, page)
        if broken and not wish.overruled:
            raise Broken("; ".join(broken))
        return replace(edit, overruled=bool(broken))

    def _enter(self, wish: Wish, state: FieldState, shown: _Shown, edit: Edit) -> int:
        """Store an edit; returns the new version of the field."""
        seen = {state.key: wish.version}
        if shown.planted is None:
            return self._edits.add([edit], seen)[-1]
        found = answered(shown.planted, state, edit)
        numbers = self._edits.add([] if found.passed else [edit], seen, [found])
        self._planted.add(state.key)
        self._shown[state.key] = _Shown("read")
        if found.passed:
            self._queue.put_last(state.key)
        return numbers[-1] if numbers else state.version

    def _back(self, person: Person, wish: Wish, state: FieldState) -> dict[str, Any]:
        """Take back what a person last keyed in a field, and show it again."""
        if state.counting and state.edits[-1].who == person.who and wish.version:
            self._edits.add([withdrawal_of(state, who=person.who, screen=self._screen)], {state.key: wish.version})
            self._done.setdefault(person, _Done()).kinds[_kind(state.counting[-1])] -= 1
        states = self._edits.fields(state.sha256)
        self._queue.update(states)
        entry = self._queue.lend(self._state(state.key, states), person, time.monotonic())
        return {"version": entry.state.version, "card": self._card(entry, states)}

    def shown(self, card: str) -> tuple[FieldState, Mode]:
        """The current field of a card, and how it was shown. Raises Unknown."""
        state, _, _ = self._find(card)
        with self._lock:
            return state, self._shown[state.key].mode

    def _state(self, key: FieldKey, states: Sequence[FieldState]) -> FieldState:
        found = next((state for state in states if state.key == key), None)
        if found is None:
            raise Unknown("This field is no longer in the table, or is being read anew. Press S to leave it.")
        return found

    # ------------------------------------------------------------------------------------------ pictures, the end

    def crop(self, card: str) -> Picture:
        """The crop of a card's field. Raises Unknown, or DocumentError if its scan is gone or has changed since it was read."""
        state, place, states = self._find(card)
        mark = None if place is None else digit_box(state.reading, place)
        return crop(self.scans.page(state.sha256, state.reading), state.reading, mark, turns=_turns(states, state))

    def sheet(self, card: str, *, covered: bool, near: bool = False) -> Picture:
        """The page of a card, or with `near` the area around the field, with account numbers `covered` or not.

        Raises what `crop` raises.
        """
        state, _, states = self._find(card)
        hidden = [row for row in _page(states, state.reading) if is_account(row)] if covered else []
        page = self.scans.page(state.sha256, state.reading)
        return sheet(page, state.reading, hidden, near=near, turns=_turns(states, state))

    def _find(self, card: str) -> tuple[FieldState, int | None, list[FieldState]]:
        with self._lock:
            key = self._keys.get(card)
            if key is None:
                raise Unknown("This field was not shown since the server began.")
            entry = self._queue.find(key)
            states = self._edits.fields(key[0], digits=True)
            return self._state(key, states), entry.place if entry else None, states

    def finish(self, person: Person) -> str:
        """Write the table again; returns what a person should know at the end, as lines. Raises CannotWrite."""
        with self._table_lock:
            untouched = rewrite_table(self.output)
        with self._lock:
            done = +self._done.get(person, _Done()).kinds
            passed, left = self._queue.passed_over(person), self._queue.left(person)
        kinds = ", ".join(f"{count} {KINDS.get(kind, kind)}" for kind, count in done.items())
        return "\n".join([
            f"You keyed {_many(done.total())}" + (f": {kinds}." if kinds else "."),
            *([f"You passed over {_many(passed)}. Load the page again to see them."] if passed else []),
            *([f"Others have {_many(left)} before them."] if left else []),
            f"The table {self.output.name} {untouched}" if untouched else f"The table is written: {self.output.name}",
        ])  # fmt: skip


def _turns(states: Sequence[FieldState], state: FieldState) -> int:
    """How many times the page of a field has to be turned, see `quarters`."""
    own = [course(one.reading) for one in states if one.reading.page == state.reading.page]
    return quarters(sum(across for across, _ in own), sum(down for _, down in own))


def _broken(reading: Row, edit: Edit, page: Sequence[Row]) -> tuple[str, ...]:
    """The rules that an edit breaks, in words: those of the field, and those between the fields of its page."""
    if edit.said == "illegible":
        return ()
    meant = meaning(reading, edit.text) if edit.said == "text" else blank_meaning(reading)
    return meant.broken + broken_between(page, reading.field, meant.text)


KINDS = {"again": "keyed a second time"}


def _kind(edit: Edit) -> str:
    return edit.said if edit.said != "text" else edit.how


def _many(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _page(states: Sequence[FieldState], reading: Row) -> list[Row]:
    """The rows of a field's page as they are in the table."""
    return [state.row for state in states if state.reading.page == reading.page and state.reading.document == reading.document]


# ------------------------------------------------------------------------------------------------------- the card


def card_of(entry: Entry, shown: Row) -> dict[str, Any]:
    """A field in the form sent to a browser; `shown` is the row with the reading to show. A blind one includes no reading."""
    state = entry.state
    empty = entry.blind or entry.mode == "third"
    text = "" if empty else box_text(shown)
    note = NOTES.get(entry.mode) or (state.row.reason if entry.mode != "third" else "two keyings differ, or break a rule")
    if entry.mode == "third" and not is_account(shown):
        note = "; ".join([state.row.reason, *(f"{edit.who or 'somebody'} keyed {edit.shown}" for edit in state.counting)])
    page = f", page {shown.page}" if shown.page > 1 else ""
    sure = "" if empty or shown.confidence is None or not shown.text else f" · {int(shown.confidence * 100)} % sure"
    return {
        "id": card_id(state.key), "name": shown.field, "place": f"{shown_name(shown.document)}{page}{sure}",
        "hint": hint(shown), "text": text, "note": note, "version": state.version, "blind": empty,
        "micr": spec_of(shown).kind == "micr", "covered": is_account(shown),
        "digit": None if entry.place is None else place_in(text, entry.place),
    }  # fmt: skip


def card_id(key: FieldKey) -> str:
    """The id of a field's card: the same every time it is shown."""
    return hashlib.sha256("\0".join(map(str, key)).encode(errors="surrogateescape")).hexdigest()[:20]


def box_text(row: Row) -> str:
    """The reading as it is shown in the box: numbers with their point, E-13B lines with letters for their symbols."""
    spec = spec_of(row)
    date = spec.rules is not None and spec.rules.date is not None
    if spec.kind in ("amount", "decimal", "micr") and not date and row.value and row.text:
        return row.value.translate(TO_LETTERS)
    return row.text


def place_in(text: str, digit: int) -> int | None:
    """The index of digit number `digit`, from 0, in a text with marks; None if there are fewer digits."""
    places = [place for place, character in enumerate(text) if character.isdigit()]
    return places[digit] if 0 <= digit < len(places) else None


def is_account(row: Row) -> bool:
    """Whether a field holds an account number."""
    return row.field == ACCOUNT or spec_of(row).kind == "micr"


def hint(row: Row) -> str:
    """What is expected in a field, in a few words."""
    spec = spec_of(row)
    if spec.kind == "micr":
        return "magnetic line; A transit, B amount, C on-us, D dash"
    if spec.rules and spec.rules.date:
        return "date"
    if spec.kind in ("amount", "decimal"):
        return "amount" if spec.kind == "amount" else "measurement"
    if spec.digits:
        least, most = spec.digits
        if least <= 1:
            return f"up to {most} digits"
        return f"{most} digits" if least == most else f"{least} to {most} digits"
    return "number"
