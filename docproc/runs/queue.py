"""Which fields people are asked to key, in what order, and who is working on which.

A field is shown to one person at a time: it is leased, and returns if nothing is heard for a while. It does no harm if two
people key the same field anyway, because the journal refuses an edit whose author did not know the last one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from docproc.runs.edits import FieldKey, FieldState
from docproc.runs.sampling import Sample, is_keyed_blind, lot, was_accepted

LEASE_SECONDS = 300.0  # for which a field is reserved for the person who has it [guess]
MAX_GONE = 256  # entries that were done before the queue is rebuilt [guess]

Mode = Literal["read", "audit", "again", "third"]
"""How a field is shown: with the reading; without it, for an audit or a second keying; or with keyed texts that differ."""
Order = Literal["doubt", "paper"]
ORDERS: tuple[Order, ...] = get_args(Order)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Which fields to ask for."""

    fields: tuple[str, ...] = ()  # names; () for all
    everything: bool = False  # accepted fields too
    again: bool = False  # only those that another person has keyed once
    sample: Sample | None = None  # accepted fields that are mixed in for the audit


@dataclass(frozen=True, slots=True)
class Entry:
    """A field that a person is to key."""

    state: FieldState
    mode: Mode
    place: int | None = None  # of the digit to look at, from 0

    @property
    def key(self) -> FieldKey:
        return self.state.key

    @property
    def blind(self) -> bool:
        """Whether both the reading and what others keyed must be hidden."""
        return self.mode in ("audit", "again")


@dataclass(frozen=True, slots=True)
class Person:
    """A person who keys; the same person at two desks counts as two."""

    who: str
    desk: str = ""


def entry_of(state: FieldState, wishes: Wishes) -> Entry | None:
    """The field as it is to be keyed; None if it does not have to be keyed."""
    if not state.sha256 or (wishes.fields and state.reading.field not in wishes.fields):
        return None
    if wishes.again:
        return Entry(state, "again") if is_keyed_once(state) else None
    if wishes.sample and state.key in wishes.sample and was_accepted(state) and not is_keyed_blind(state):
        return Entry(state, "audit")
    counting = state.counting
    if not counting:
        return Entry(state, "read") if wishes.everything or state.row.status == "review" else None
    if state.row.status != "review" or counting[-1].said == "illegible":
        return None
    return Entry(state, "third")


def is_keyed_once(state: FieldState) -> bool:
    """Whether one person has keyed the field, and nobody has keyed it a second time."""
    return len({edit.who for edit in state.counting}) == 1 and not any(edit.how == "again" for edit in state.counting)


def may_key(entry: Entry, person: Person) -> bool:
    """Whether a person may be asked: the second keying must be by somebody other than the first."""
    return entry.mode != "again" or entry.state.counting[-1].who != person.who


def in_order(entries: Iterable[Entry], order: Order) -> list[Entry]:
    """Fields of the same name together, least sure first or in order of arrival; audit fields spread evenly by their lots."""
    by_name: dict[str, list[Entry]] = {}
    for entry in entries:
        by_name.setdefault(entry.state.reading.field, []).append(entry)
    return [entry for own in by_name.values() for entry in _row_of(own, order)]


def _row_of(entries: Sequence[Entry], order: Order) -> list[Entry]:
    """The entries of one name, in order."""
    seen = [entry for entry in entries if entry.mode != "audit"]
    audit = [entry for entry in entries if entry.mode == "audit"]
    if order == "doubt":
        seen.sort(key=lambda entry: (entry.mode != "third", entry.state.reading.confidence or 0.0))
        audit.sort(key=lambda entry: lot("", "order", entry.key))
    spread = [((number + 0.5) / len(some), entry) for some in (seen, audit) for number, entry in enumerate(some)]
    return [entry for _, entry in sorted(spread, key=lambda one: one[0])]


@dataclass(slots=True)
class Queue:
    """The fields still to be keyed. Times are monotonic seconds; only one thread at a time may use it."""

    wishes: Wishes
    _entries: dict[FieldKey, Entry] = field(default_factory=dict)
    _orders: dict[Order, dict[FieldKey, None]] = field(default_factory=dict)
    _first: dict[FieldKey, None] = field(default_factory=dict)
    _leases: dict[FieldKey, tuple[Person, float]] = field(default_factory=dict)
    _later: dict[Person, set[FieldKey]] = field(default_factory=dict)
    _gone: int = 0

    def fill(self, states: Iterable[FieldState]) -> None:
        """Start with these fields, in the order of the paper; copies of a document count once."""
        found = {entry.key: entry for state in states if (entry := entry_of(state, self.wishes))}
        asked = {key: self._entries[key] for key in self._first if key in self._entries}
        self._entries = found | asked
        self._orders.clear()
        self._gone = 0

    def update(self, states: Iterable[FieldState]) -> None:
        """Update these fields: keyed ones leave the queue, and those put in doubt by that join it."""
        for state in states:
            known, entry = self._entries.get(state.key), entry_of(state, self.wishes)
            if known and state.key in self._first and not entry and state.version == known.state.version:
                continue  # somebody asked for it
            if entry:
                self._enter(entry if not known else Entry(state, entry.mode, known.place))
            else:
                self.remove(state.key)

    def put_first(self, state: FieldState, place: int | None = None) -> None:
        """Have a field keyed next; `place` is the number of the digit to look at, from 0."""
        entry = entry_of(state, self.wishes)
        self._first[state.key] = None
        self._enter(Entry(state, entry.mode if entry else "read", place))

    def find(self, key: FieldKey) -> Entry | None:
        """The field, if it still has to be keyed."""
        return self._entries.get(key)

    def take(
        self, person: Person, count: int, now: float, *, order: Order = "doubt", held: Collection[FieldKey] = ()
    ) -> list[Entry]:
        """Lease the next fields, at most `count`, to a person; fields in `held` stay reserved and are not returned again."""
        for key in held:
            if self._free(key, person, now):
                self._leases[key] = person, now + LEASE_SECONDS
        taken: list[Entry] = []
        for entry in self._waiting(order):
            if len(taken) >= count:
                break
            if entry.key not in held and may_key(entry, person) and self._free(entry.key, person, now):
                taken.append(entry)
        for entry in taken:
            self._leases[entry.key] = person, now + LEASE_SECONDS
        return taken

    def lend(self, state: FieldState, person: Person, now: float) -> Entry:
        """Lease this field to a person who wants it back; what was keyed there has been taken back."""
        self._later.get(person, set()).discard(state.key)
        if state.key not in self._entries and not entry_of(state, self.wishes):
            self.put_first(state)
        self.update([state])
        self._leases[state.key] = person, now + LEASE_SECONDS
        return self._entries[state.key]

    def give_back(self, key: FieldKey, person: Person, *, later: bool = False) -> None:
        """Let others have the field now; with `later` this person is not asked for it again."""
        if self._leases.get(key, (None,))[0] == person:
            del self._leases[key]
        if later:
            self._later.setdefault(person, set()).add(key)

    def put_last(self, key: FieldKey) -> None:
        """Ask for the field after all others, for everybody."""
        self._leases.pop(key, None)
        for keys in self._orders.values():
            if key in keys:
                del keys[key]
                keys[key] = None

    def begin(self, person: Person) -> None:
        """A person opens the page: fields that were passed over are asked for again, and none is leased."""
        self._later.pop(person, None)
        self._leases = {key: lease for key, lease in self._leases.items() if lease[0] != person}

    def left(self, person: Person) -> int:
        """How many fields this person may still be asked for, including those that others have at the moment."""
        if not self.wishes.again:
            return len(self._entries) - self.passed_over(person)
        passed = self._later.get(person, set())
        return sum(entry.key not in passed and may_key(entry, person) for entry in self._entries.values())

    def passed_over(self, person: Person) -> int:
        """How many fields this person has passed over."""
        return sum(key in self._entries for key in self._later.get(person, ()))

    def _free(self, key: FieldKey, person: Person, now: float) -> bool:
        if key in self._later.get(person, ()):
            return False
        holder, until = self._leases.get(key, (person, 0.0))
        return holder == person or until <= now

    def _waiting(self, order: Order) -> Iterator[Entry]:
        if order not in self._orders or self._gone > MAX_GONE:
            self._orders = {order: dict.fromkeys(entry.key for entry in in_order(self._entries.values(), order))}
            self._gone = 0
        first = tuple(self._first)
        for key in first:
            if entry := self._entries.get(key):
                yield entry
        for key in self._orders[order]:
            if key not in first and (entry := self._entries.get(key)):
                yield entry

    def _enter(self, entry: Entry) -> None:
        if entry.key not in self._entries:
            for keys in self._orders.values():
                keys.setdefault(entry.key)
        self._entries[entry.key] = entry

    def remove(self, key: FieldKey) -> None:
        """Remove the field; it no longer has to be keyed."""
        if self._entries.pop(key, None):
            self._gone += 1
        self._first.pop(key, None)
        self._leases.pop(key, None)
