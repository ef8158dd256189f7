"""Patterns: the subset of regular expressions needed for digits, as automata that never backtrack."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from docproc.rules.acceptors import Acceptor, is_digits

MAX_POSITIONS = 1000  # sets of digits in a pattern, repetitions counted [guess]


@dataclass(frozen=True, slots=True)
class PatternAutomaton:
    """The position automaton of a pattern (V. Glushkov, 1961): linear time in the text, whatever the pattern."""

    digits: tuple[frozenset[int], ...]  # allowed at every position
    follow: tuple[frozenset[int], ...]  # the positions after each
    first: frozenset[int]
    last: frozenset[int]
    empty: bool  # whether the empty text matches

    def acceptor(self) -> Acceptor:
        """The matching texts, of any length. The state is a set of positions, None before the first digit."""
        return Acceptor(None, self.step, self.accepts)

    def step(self, state: frozenset[int] | None, digit: int, _: int = 0) -> frozenset[int] | None:
        """The positions after one more digit, None if there are none."""
        after = self.first if state is None else frozenset(q for p in state for q in self.follow[p])
        return frozenset(q for q in after if digit in self.digits[q]) or None

    def accepts(self, state: frozenset[int] | None) -> bool:
        """Whether a text that led to this state matches."""
        return self.empty if state is None else bool(state & self.last)

    def matches(self, text: str) -> bool:
        """Whether the whole text, which must be digits, matches."""
        state: frozenset[int] | None = None
        for digit in text:
            state = self.step(state, int(digit))
            if state is None:
                return False
        return self.accepts(state)


@lru_cache(maxsize=64)
def pattern_automaton(pattern: str) -> PatternAutomaton:
    r"""The automaton of a pattern of digits . \d [...] ( ) (?: ) | ? * + {m,n}. Raises ValueError that says what is wrong."""
    return _PatternParser(pattern).parse()


# A parsed pattern is a set of digits, a sequence, a choice, or a repetition: (node, min, max or None).
_Node = tuple[Literal["set", "all", "any", "repeat"], Any]


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A part of a pattern as positions of the automaton."""

    empty: bool  # whether it matches the empty text
    first: frozenset[int]
    last: frozenset[int]


class _PatternParser:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.text = pattern[pattern.startswith("^") :]
        self.text = self.text[:-1] if self.text.endswith("$") else self.text
        self.at = 0
        self.digits: list[frozenset[int]] = []
        self.follow: list[set[int]] = []

    def parse(self) -> PatternAutomaton:
        node = self.choice()
        if self.at < len(self.text):
            raise self.fault(f"cannot use {self.text[self.at]!r} here")
        whole = self.build(node)
        follow = tuple(frozenset(f) for f in self.follow)
        return PatternAutomaton(tuple(self.digits), follow, whole.first, whole.last, whole.empty)

    def fault(self, what: str) -> ValueError:
        return ValueError(f"pattern {self.pattern}: {what}")

    def take(self, what: str) -> bool:
        if self.text.startswith(what, self.at):
            self.at += len(what)
            return True
        return False

    # ---------------------------------------------------------------------------------------------- text to nodes

    def choice(self) -> _Node:
        ways = [self.sequence()]
        while self.take("|"):
            ways.append(self.sequence())
        return ("any", ways)

    def sequence(self) -> _Node:
        parts = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.repetition())
        return ("all", parts)

    def repetition(self) -> _Node:
        node = self.single()
        count = self.count()
        if count is None:
            return node
        if count[1] is not None and count[1] < count[0]:
            raise self.fault("a count goes from the smaller to the larger number")
        if self.text[self.at : self.at + 1] in ("?", "*", "+", "{"):
            raise self.fault("one count after another")
        return ("repeat", (node, *count))

    def count(self) -> tuple[int, int | None] | None:
        """(min, max or None) of a repetition, None if there is none."""
        for sign, count in (("?", (0, 1)), ("*", (0, None)), ("+", (1, None))):
            if self.take(sign):
                return count
        if not self.take("{"):
            return None
        end = self.text.find("}", self.at)
        low, comma, high = self.text[self.at : max(end, self.at)].partition(",")
        if end < 0 or not all(is_digits(n) or (comma and not n) for n in (low, high if comma else low)):
            raise self.fault("a count is {2}, {2,}, {,4} or {2,4}")
        most = (int(high) if high else None) if comma else int(low)
        self.at = end + 1
        return int(low or 0), most

    def single(self) -> _Node:
        if self.take("("):
            self.take("?:")
            node = self.choice()
            if not self.take(")"):
                raise self.fault("a ( without its )")
            return node
        if self.take(".") or self.take("\\d"):
            return ("set", frozenset(range(10)))
        if self.take("["):
            return ("set", self.digit_class())
        sign = self.text[self.at]
        if not is_digits(sign):
            raise self.fault(f"cannot use {sign!r} here")
        self.at += 1
        return ("set", frozenset([int(sign)]))

    def digit_class(self) -> frozenset[int]:
        negated = self.take("^")
        found: set[int] = set()
        while not self.take("]"):
            if self.take("\\d"):
                found.update(range(10))
                continue
            start = self.text[self.at : self.at + 1]
            if not is_digits(start):
                raise self.fault("[ ] holds digits and ranges such as 0-5")
            self.at += 1
            end = start
            if self.take("-"):
                end = self.text[self.at : self.at + 1]
                self.at += 1
                if not is_digits(end) or end < start:
                    raise self.fault("[ ] holds digits and ranges such as 0-5")
            found.update(range(int(start), int(end) + 1))
        found = set(range(10)) - found if negated else found
        if not found:
            raise self.fault("[ ] that no digit fits")
        return frozenset(found)

    # ----------------------------------------------------------------------------------------- nodes to positions

    def build(self, node: _Node) -> _Fragment:
        kind, what = node
        if kind == "set":
            if len(self.digits) >= MAX_POSITIONS:
                raise self.fault(f"names more than {MAX_POSITIONS} digits")
            self.digits.append(what)
            self.follow.append(set())
            own = frozenset([len(self.digits) - 1])
            return _Fragment(empty=False, first=own, last=own)
        if kind == "any":
            built = [self.build(way) for way in what]
            none: frozenset[int] = frozenset()
            return _Fragment(
                any(b.empty for b in built), none.union(*(b.first for b in built)), none.union(*(b.last for b in built))
            )
        if kind == "all":
            return self.chain(self.build(part) for part in what)
        part, fewest, most = what
        if most is not None:
            # A part that is repeated at most zero times has no positions.
            return self.chain(self.optional(self.build(part), k >= fewest) for k in range(most))
        copies = max(1, fewest)
        return self.chain(
            self.optional(self.loop(self.build(part)) if k == copies - 1 else self.build(part), k >= fewest)
            for k in range(copies)
        )

    def loop(self, built: _Fragment) -> _Fragment:
        for position in built.last:
            self.follow[position] |= built.first
        return built

    @staticmethod
    def optional(built: _Fragment, may_be_missing: bool) -> _Fragment:
        return replace(built, empty=built.empty or may_be_missing)

    def chain(self, parts: Iterable[_Fragment]) -> _Fragment:
        empty, first, last = True, frozenset[int](), frozenset[int]()
        for part in parts:
            for position in last:
                self.follow[position] |= part.first
            first = first | part.first if empty else first
            last = last | part.last if part.empty else part.last
            empty = empty and part.empty
        return _Fragment(empty, first, last)
