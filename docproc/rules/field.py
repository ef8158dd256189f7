"""The rules of one field: how many digits, a pattern, a range, a check digit, a list, a date."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from functools import lru_cache

from docproc.rules.acceptors import Acceptor, is_digits, list_acceptor, range_acceptor
from docproc.rules.automata import Automaton, LengthAutomaton
from docproc.rules.calendar import DATE_ORDERS, DateOrder, date_acceptor, date_forms, dates_of
from docproc.rules.check_digits import CHECK_NAMES, CheckName, Weighted, check_digit_acceptor, check_digit_fits
from docproc.rules.patterns import pattern_automaton

MAX_DIGITS = 32  # of a text whose number of digits is not bounded otherwise [guess]
BREAKS = "breaks a rule: "  # the start of a remark
MAX_KEPT_STATES = 200_000  # of an automaton, before it is rebuilt [guess]


@dataclass(frozen=True, slots=True)
class FieldRules:
    r"""Which texts a field allows; every given rule must hold. Blank fields are not judged.

    `digits`: (min, max) number of digits, at most 32 digits if not given. `pattern`: a regular expression that the
    whole text matches, of digits . \d [...] ( ) (?: ) | ? * + {m,n}. `bounds`: (low, high) of the text's integer value.
    `check`: its check digit. `allowed`: a closed list. `date`: the order of a date's parts; `DMY` leaves the widths of the
    parts open, `auto` their order too. `years`: (first, last) year of a date; for a year of two digits some year between
    them must fit. Raises ValueError if a rule makes no sense.
    """

    digits: tuple[int, int] | None = None
    pattern: str | None = None
    bounds: tuple[int, int] | None = None
    check: CheckName | Weighted | None = None
    allowed: frozenset[str] | None = None
    date: DateOrder | None = None
    years: tuple[int, int] = (1900, 2099)

    def __post_init__(self) -> None:
        for name in ("digits", "bounds", "years"):
            pair = getattr(self, name)
            if pair is not None and not 0 <= pair[0] <= pair[1]:
                raise ValueError(f"{name} goes from a smaller to a larger number of at least 0, not {pair[0]} to {pair[1]}")
        if self.pattern is not None:
            pattern_automaton(self.pattern)
        if isinstance(self.check, str) and self.check not in CHECK_NAMES:
            raise ValueError(f"no check digit is called {self.check}; there are {', '.join(CHECK_NAMES)}")
        if self.date is not None and self.date not in DATE_ORDERS:
            raise ValueError(f"no date is written {self.date}; there are {', '.join(DATE_ORDERS)}")
        if self.allowed is not None:
            object.__setattr__(self, "allowed", frozenset(self.allowed))
            wrong = sorted(text for text in self.allowed if not is_digits(text))
            if wrong or not self.allowed:
                raise ValueError(f"the list holds {wrong[0]!r}, which is not digits" if wrong else "the list is empty")

    @property
    def trivial(self) -> bool:
        """Whether there is no rule other than the number of digits."""
        return self == FieldRules(digits=self.digits, years=self.years)

    def allows(self, text: str) -> bool:
        """Whether the text satisfies all rules."""
        return not self.named(text)

    def named(self, text: str) -> str:
        """The first rule that the text breaks, in words that a clerk understands; "" if it breaks none."""
        fewest, most = self.digits or (0, MAX_DIGITS)
        if not fewest <= len(text) <= most or (text and not is_digits(text)):
            return f"must have {_count(fewest, most)}"
        if self.allowed is not None and text not in self.allowed:
            return "must be in the list"
        if self.pattern is not None and not pattern_automaton(self.pattern).matches(text):
            return f"pattern {self.pattern}"
        if self.bounds is not None and not (text and self.bounds[0] <= int(text) <= self.bounds[1]):
            return f"range {self.bounds[0]} to {self.bounds[1]}"
        if self.date is not None and not dates_of(text, self.date, self.years):
            order = f" ({self.date})" if self.date != "auto" else ""
            return f"must be a date{order} from {self.years[0]} to {self.years[1]}"
        if self.check is not None and not check_digit_fits(text, self.check):
            return f"check digit ({'weighted' if isinstance(self.check, Weighted) else self.check})"
        return ""

    def key(self, text: str) -> Hashable | None:
        """Everything about `text` that determines what may follow; None if no allowed text begins with it.

        Two texts of the same length with equal keys have the same allowed continuations.
        """
        return automaton(self).key(text)

    def chance(self, length: int) -> float:
        """The share of allowed texts among all of `length` digits, 0..1."""
        return automaton(self).chance(length)

    def within(self, digits: tuple[int, int] | None) -> FieldRules | None:
        """The same rules with a second bound on the number of digits; None if the two together allow no number."""
        if digits is None:
            return self
        own = self.digits or (0, MAX_DIGITS)
        both = max(own[0], digits[0]), min(own[1], digits[1])
        if both[0] > both[1]:
            return None
        return replace(self, digits=both)

    def lengths(self) -> tuple[int, ...]:
        """The numbers of digits that the rules allow, ascending; patterns and ranges are not considered."""
        fewest, most = self.digits or (0, MAX_DIGITS)
        found = set(range(fewest, most + 1))
        if self.bounds is not None:
            found -= {0}
        if self.check is not None:
            found -= {0, 1}
        if self.check == "aba":
            found &= {9}
        if isinstance(self.check, Weighted):
            found &= set(range(len(self.check.weights) + 1))
        if self.date is not None:
            found &= {len(form) for form in date_forms(self.date)}
        if self.allowed is not None:
            found &= {len(text) for text in self.allowed}
        return tuple(sorted(found))

    def acceptors(self, length: int) -> tuple[Acceptor, ...]:
        """The single rules for texts of this one length."""
        found = []
        if self.allowed is not None:
            found.append(list_acceptor(self.allowed, length))
        if self.pattern is not None:
            found.append(pattern_automaton(self.pattern).acceptor())
        if self.bounds is not None:
            found.append(range_acceptor(*self.bounds, length))
        if self.date is not None:
            found.append(date_acceptor(self.date, self.years, length))
        if self.check is not None:
            found.append(check_digit_acceptor(self.check, length))
        return tuple(found)


def breaks(rule: str) -> str:
    """The remark on a text that breaks a rule; "" if it breaks none."""
    return BREAKS + rule if rule else ""


def _count(fewest: int, most: int) -> str:
    number = f"{most}" if fewest == most else f"{fewest} to {most}" if fewest else f"at most {most}"
    return f"{number} digit" if most == 1 else f"{number} digits"


def automaton(rules: FieldRules) -> Automaton:
    """The rules' automaton; the states found are cached between calls, up to a limit."""
    held = _held_automaton(rules)
    if held[0].size > MAX_KEPT_STATES:
        held[0] = _build(rules)
    return held[0]


@lru_cache(maxsize=64)
def _held_automaton(rules: FieldRules) -> list[Automaton]:
    return [_build(rules)]


def _build(rules: FieldRules) -> Automaton:
    return Automaton([LengthAutomaton(rules.acceptors(length), length) for length in rules.lengths()])
