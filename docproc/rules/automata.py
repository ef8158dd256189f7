"""All rules of a field as one automaton, for a search that builds texts from left to right.

A state holds everything about the text so far that determines what may follow. So a beam search that keeps the best texts of
every state never loses the best allowed text. For every possible length of a text, the state is the product of the single
rules' states (a sum's remainder, a pattern's positions, whether a prefix of a range's bound is still matched).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from docproc.rules.acceptors import Acceptor, is_digits

MAX_SEARCHED_STATES = 50_000  # searched for a path to an allowed text, before one is assumed [guess]

_State = tuple[Hashable, ...]


class LengthAutomaton:
    """The rules for texts of one length: the product of their acceptors, without dead-end states."""

    def __init__(self, acceptors: tuple[Acceptor, ...], length: int) -> None:
        self.acceptors, self.length = acceptors, length
        self.start: _State = tuple(acceptor.start for acceptor in acceptors)
        self.known: dict[tuple[int, _State], bool] = {}
        self.share: float | None = None

    def step(self, state: _State, digit: int, place: int) -> _State | None:
        """The state after one more digit; None if a rule can no longer be satisfied."""
        grown = []
        for acceptor, own in zip(self.acceptors, state, strict=True):
            after = acceptor.step(own, digit, place)
            if after is None:
                return None
            grown.append(after)
        return tuple(grown)

    def good(self, state: _State) -> bool:
        """Whether a text of the full length with this state is allowed."""
        return all(acceptor.accepts(own) for acceptor, own in zip(self.acceptors, state, strict=True))

    def alive(self, state: _State, place: int) -> bool:
        """Whether an allowed text continues from here; assumed so if finding out takes too long."""
        left = [MAX_SEARCHED_STATES]

        def search(state: _State, place: int) -> bool:
            known = self.known.get((place, state))
            if known is not None:
                return known
            if place == self.length:
                found = self.good(state)
            else:
                left[0] -= 1
                if left[0] < 0:
                    return True
                found = False
                for digit in range(10):
                    after = self.step(state, digit, place)
                    if after is not None and search(after, place + 1):
                        found = True
                        break
            self.known[(place, state)] = found
            return found

        return search(state, place)

    def chance(self) -> float:
        """The share of allowed texts among all of this length, 0..1."""
        if self.share is None:
            shares = {self.start: 1.0}
            for place in range(self.length):
                grown: dict[_State, float] = {}
                for state, share in shares.items():
                    for digit in range(10):
                        after = self.step(state, digit, place)
                        if after is not None:
                            grown[after] = grown.get(after, 0.0) + share / 10
                shares = grown
            self.share = sum(share for state, share in shares.items() if self.good(state))
        return self.share


class Automaton:
    """The rules for texts of all lengths. States are numbers; -1 is the state of texts with no allowed continuation.

    A state also determines the length of its text. The tables are filled on demand.
    """

    def __init__(self, lengths: Sequence[LengthAutomaton]) -> None:
        self._lengths = lengths
        self._numbers: dict[tuple[int, tuple[_State | None, ...]], int] = {}
        self._states: list[tuple[int, tuple[_State | None, ...]]] = []
        self._after: list[list[int | None]] = []
        self.start = self._number(0, tuple(own.start for own in self._lengths))

    def step(self, state: int, digit: int) -> int:
        """The state after one more digit."""
        after = self._after[state][digit]
        if after is None:
            place, states = self._states[state]
            after = self._number(
                place + 1,
                tuple(
                    None if old is None or own.length <= place else own.step(old, digit, place)
                    for own, old in zip(self._lengths, states, strict=True)
                ),
            )
            self._after[state][digit] = after
        return after

    def good(self, state: int) -> bool:
        """Whether a text with this state is allowed as it is."""
        if state < 0:
            return False
        place, states = self._states[state]
        return any(
            old is not None and own.length == place and own.good(old) for own, old in zip(self._lengths, states, strict=True)
        )

    def key(self, text: str) -> Hashable | None:
        """See `FieldRules.key`."""
        state = self.start
        for digit in text:
            if state < 0 or not is_digits(digit):
                return None
            state = self.step(state, int(digit))
        return None if state < 0 else self._states[state][1]

    def chance(self, length: int) -> float:
        """The share of allowed texts among all of `length` digits, 0..1."""
        return next((own.chance() for own in self._lengths if own.length == length), 0.0)

    @property
    def size(self) -> int:
        """The number of stored states."""
        return len(self._states) + sum(len(own.known) for own in self._lengths)

    def _number(self, place: int, states: tuple[_State | None, ...]) -> int:
        living = tuple(
            old if old is not None and own.alive(old, place) else None for own, old in zip(self._lengths, states, strict=True)
        )
        if all(old is None for old in living):
            return -1
        number = self._numbers.get((place, living))
        if number is None:
            number = self._numbers[(place, living)] = len(self._states)
            self._states.append((place, living))
            self._after.append([None] * 10)
        return number
