"""Rules between the fields of one page: sums, equal numbers, dates in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from docproc.rules.acceptors import is_digits
from docproc.rules.calendar import DateOrder, date_of

MAX_TOTALS = 1000  # numbers that a writer's slip may lead to with equal probability [guess]
ORDER_TOTALS = 2.0  # half of all pairs of dates are in order [geometry]


@dataclass(frozen=True, slots=True)
class SumRule:
    """The numbers in the fields `parts` sum up to the one in `total`.

    A blank part counts as 0 if another is written; with no part written, or no total, the rule cannot be judged.
    """

    parts: tuple[str, ...]
    total: str
    name: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return (*self.parts, self.total)

    @property
    def called(self) -> str:
        return self.name or f"{' + '.join(self.parts)} = {self.total}"

    def holds(self, texts: Mapping[str, str]) -> bool | None:
        """Whether the fields' texts satisfy the rule; None if it cannot be judged."""
        written = [texts[part] for part in self.parts if texts.get(part)]
        total = texts.get(self.total, "")
        if not written or not all(is_digits(text) for text in (*written, total)):
            return None
        return sum(int(text) for text in written) == int(total)

    def totals(self, texts: Mapping[str, str]) -> float:
        """How many totals a writer's slip might have led to, all equally probable."""
        return _totals(texts.get(self.total, ""))


@dataclass(frozen=True, slots=True)
class EqualRule:
    """Both fields hold the same number; leading zeros do not count. If one of them is blank, the rule cannot be judged."""

    one: str
    other: str
    name: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.one, self.other)

    @property
    def called(self) -> str:
        return self.name or f"{self.one} = {self.other}"

    def holds(self, texts: Mapping[str, str]) -> bool | None:
        """See `SumRule.holds`."""
        one, other = texts.get(self.one, ""), texts.get(self.other, "")
        return int(one) == int(other) if is_digits(one) and is_digits(other) else None

    def totals(self, texts: Mapping[str, str]) -> float:
        """See `SumRule.totals`."""
        return _totals(texts.get(self.other, ""))


@dataclass(frozen=True, slots=True)
class OrderRule:
    """The date in `earlier` does not come after the one in `later`. A text that is not a date is not judged.

    A year of two digits is between 1969 and 2068, as in POSIX.
    """

    earlier: str
    later: str
    earlier_order: DateOrder = "DDMMYYYY"
    later_order: DateOrder = "DDMMYYYY"
    name: str = ""

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.earlier, self.later)

    @property
    def called(self) -> str:
        return self.name or f"{self.earlier} not after {self.later}"

    def holds(self, texts: Mapping[str, str]) -> bool | None:
        """See `SumRule.holds`."""
        earlier = date_of(texts.get(self.earlier, ""), self.earlier_order)
        later = date_of(texts.get(self.later, ""), self.later_order)
        return earlier <= later if earlier and later else None

    def totals(self, texts: Mapping[str, str]) -> float:
        """See `SumRule.totals`."""
        return ORDER_TOTALS


PageRule = SumRule | EqualRule | OrderRule


def _totals(text: str) -> float:
    return float(min(10 ** len(text), MAX_TOTALS))
