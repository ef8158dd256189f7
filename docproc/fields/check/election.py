"""Choose the fields of a check by what was read at the places where they may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from docproc.meaning.dates import ANY_DATE
from docproc.rules import FieldRules, PartOrder
from docproc.types import Box, Elected, Field, Seen

UNCERTAIN = "it is not certain that this is the amount"
NAMES = ("amount", "date", "micr")


@dataclass(frozen=True, slots=True)
class ElectionTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_line_confidence: float = 0.5  # of a MICR line from which the country is derived [guess]

    # Places; shares are of the height from the top of the check to its MICR line, except for the date.
    max_date_share: float = 0.65  # from the top: the signature is below [guess]
    min_amount_share: float = 0.27  # from the top: there is no amount above [guess]
    date_height_share: float = 0.7  # of the date's height: the middle of an amount is lower [guess]

    # Bonuses for an amount, added to the confidence of its text.
    frame_bonus: float = 0.3  # it is in a frame [guess]
    value_bonus: float = 0.2  # its value is known [guess]
    first_bonus: float = 0.6  # it is the first below the date [guess]
    min_amount_confidence: float = 0.5  # of an amount without a frame on a check without a date [guess]

    min_number_confidence: float = 0.8  # of a printed number that is compared with the MICR line [guess]
    min_number_digits: int = 3  # [guess]
    max_number_digits: int = 8  # [guess]


ELECTION = ElectionTuning()


@dataclass(frozen=True, slots=True)
class Country:
    """What the form of a MICR line says about a check."""

    line: re.Pattern[str]
    order: PartOrder  # of a date's parts
    cents: bool  # whether cents are always written


COUNTRIES = (
    Country(re.compile("(.*⑈)?⑆[0-9]{9}⑆.*"), "MDY", cents=True),  # the United States
    Country(re.compile("⑈[0-9]{6}⑈[0-9]{9}⑆.*"), "DMY", cents=False),  # India
)


def elect(seen: Sequence[Seen], again: Callable[[int, Field], Seen], order: PartOrder = "auto") -> tuple[Elected, ...]:
    """Choose the fields of the check among the places that `find_check` proposes, by what was read there.

    `again` reads a place as another field, see `types.Elect`. `order` is that of the date's parts. If it is left open, it is
    that of the country, which follows from the form of the MICR line. The country also says whether cents are always written.
    """
    line = next((one for one in seen if one.field.name == "micr"), None)
    country = country_of(line)
    if order == "auto" and country is not None:
        order = country.order
    dates = _possible_dates(seen, line)
    if not dates:
        # Most dates are evident from what was read. Searching for any possible date takes longer.
        seen = [one if one.field.name else _read_as_date(k, one, again) for k, one in enumerate(seen)]
        dates = _possible_dates(seen, line)
    date = choose_date(seen, dates, order)
    below = date.field.box.top + ELECTION.date_height_share * date.field.box.height if date is not None else 0.0
    amount = choose_amount(seen, dates, below, line, cents=country is not None and country.cents)
    chosen = [date, amount]
    if line is not None:
        above = below or ELECTION.min_amount_share * line.field.box.top
        chosen.append(Elected(seen.index(line), line.field, printed=printed_number(seen, above)))
    return tuple(sorted((one for one in chosen if one is not None), key=lambda one: NAMES.index(one.field.name)))


def country_of(line: Seen | None) -> Country | None:
    """The country of a check, from the form of its MICR line; None if not known."""
    if line is None or line.confidence < ELECTION.min_line_confidence:
        return None
    return next((country for country in COUNTRIES if country.line.fullmatch(line.value)), None)


def choose_date(seen: Sequence[Seen], dates: Collection[int], order: PartOrder) -> Elected | None:
    """The date among the places `dates`: a comb, or else the most confident one."""
    if not dates:
        return None
    best = max(dates, key=lambda k: (seen[k].field.cells, seen[k].dated))
    field = seen[best].field
    digits = (field.cells, field.cells) if field.cells else None
    return Elected(best, replace(field, name="date", rules=FieldRules(digits=digits, date=order)))


def _read_as_date(place: int, one: Seen, again: Callable[[int, Field], Seen]) -> Seen:
    return replace(one, dated=again(place, replace(one.field, rules=ANY_DATE)).dated)


def _possible_dates(seen: Sequence[Seen], line: Seen | None) -> list[int]:
    """Possible dates: combs, and writing that reads as a date above the amount's frame and above the signature."""
    foot = min((one.field.box.bottom for one in seen if one.field.framed), default=float("inf"))
    if line is not None:
        foot = min(foot, ELECTION.max_date_share * line.field.box.top)
    return [k for k, one in enumerate(seen) if one.field.name == "date" or (one.dated > 0 and _middle(one.field.box) < foot)]


def choose_amount(seen: Sequence[Seen], dates: Collection[int], below: float, line: Seen | None, cents: bool) -> Elected | None:
    """The amount: the best reading below the date, in a frame if there is one.

    `below` is the first row where it may be, 0 if no date was found. The amount is certain if it is in a frame, or if there is
    nothing else between it and the date; otherwise the result holds a doubt.
    """
    top = max(below, ELECTION.min_amount_share * line.field.box.top if line is not None else 0.0)
    places = [
        k
        for k, one in enumerate(seen)
        if k not in dates and _may_be_amount(one, has_date=below > 0) and _middle(one.field.box) > top
    ]
    if not places:
        return None
    first = min(places, key=lambda k: seen[k].field.box.top) if below > 0 else None
    best = max(places, key=lambda k: _appeal(seen[k]) + ELECTION.first_bonus * (k == first))
    certain = seen[best].field.framed or best == first
    return Elected(best, replace(seen[best].field, name="amount", cents=cents), "" if certain else UNCERTAIN)


def _may_be_amount(one: Seen, has_date: bool) -> bool:
    if one.field.name != "amount" and (one.field.name or not one.text):
        return False
    # Without a date many things on a check may look like an amount: ignore those with low confidence.
    return has_date or one.field.framed or one.confidence >= ELECTION.min_amount_confidence


def _appeal(one: Seen) -> float:
    return one.confidence + ELECTION.frame_bonus * one.field.framed + ELECTION.value_bonus * bool(one.value)


def printed_number(seen: Sequence[Seen], below: float) -> str:
    """The check number in the upper right corner: the first text above the row `below`; "" if that is not a number.

    It gets no row of its own: it is compared with the MICR line.
    """
    above = [k for k, one in enumerate(seen) if not one.field.name and one.field.box.bottom < below]
    if not above:
        return ""
    one = seen[min(above, key=lambda k: seen[k].field.box.top)]
    short, long = ELECTION.min_number_digits, ELECTION.max_number_digits
    sure = one.confidence >= ELECTION.min_number_confidence and short <= len(one.text) <= long
    return one.text if sure else ""


def _middle(box: Box) -> float:
    return box.top + box.height / 2
