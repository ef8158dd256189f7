"""Anything that is not part of a number: letters, struck-out digits, and marks that split it into two numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from docproc.meaning.amounts import HUNDRED
from docproc.meaning.marks import MarkedDigits
from docproc.meaning.named import Named
from docproc.types import LETTER, STRUCK, Kind


@dataclass(frozen=True, slots=True)
class ForeignTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_share: float = 0.4  # probability of letters, or of something struck out, next to a number [guess]
    min_parting_share: float = 0.4  # of a mark that separates two numbers [guess]
    min_slash_share: float = 0.2  # of a slash that may be the 1 next to it [guess]
    min_amount_slash_share: float = 0.5  # the same in an amount: slashes are rare there, leaning 1s are not [guess]
    min_gap_digits: float = 0.34  # between two numbers: a space in print is rarely wider [guess]
    min_single_gap_digits: float = 0.55  # the same, if one of them is a single digit [guess]
    min_wider_digits: float = 0.25  # by which it exceeds the next widest gap [guess]
    min_share_in_1: float = 0.03  # of a slash in place of a 1 that was read between digits [measured: drawn fields like 3/4]
    min_point_share: float = 0.5  # of a point or comma in an amount, which may be dirt [guess]
    min_dot: float = 0.06  # digit heights: the longer side of the dot of a question mark [guess]
    max_dot: float = 0.3  # likewise [guess]
    max_dot_aside: float = 0.1  # digit heights, to the right of the digit [guess]
    max_dot_gap: float = 0.7  # digit heights between the bottom of the digit and the dot [guess]
    min_label_signs: float = 3.0  # widths of a sign, from a label to the first mark of a date like 1/2/2026 [geometry]
    cents: int = 2  # digits after a dash that separates them from the units of an amount [standard]
    min_lone_gap_digits: float = 0.9  # between two numbers of one digit each [guess]


FOREIGN = ForeignTuning()

CORRECTED = "corrected: something is struck out or written over"
LETTERS = "something that is no digit is written beside the number"
ONLY_LETTERS = "something is written, and it is no number"
IN_BRACKETS = "the number is in brackets, and may be negative"
DOT_BELOW = "a dot is below the digit: a question mark, or an exclamation mark"
ZEROS = "two zeros, or letters"
SLASH_OR_1 = "a slash, or a 1"
BRACKET_OR_1 = "a bracket, or a 1"
DOTTED = ("1", "2", "7")  # digits that look like a question mark or an exclamation mark without the dot
COLON_POINTS = 2  # one above the other [standard]
DATE_MARKS = "/-."  # between the parts of a date [standard]
DATE_PARTS = 3  # day, month, year [standard]
WHOLE_PARTS = (2, 4)  # digits of the first part of a date to which none can be missing [standard]
GROUP = 3  # digits of thousands [standard]
NO_GROUPS = (1, 4)  # [standard]
"""Numbers of digits after a gap in an amount that are neither cents nor groups of two or three, with cents or without."""

PARTS = {"/": "a slash", ":": "a colon", "+": "a plus sign", "-": "a dash", "*": "a mark", "(": "a bracket", ")": "a bracket",
         "$": "a currency sign"}  # fmt: skip


def foreign(named: Sequence[Named], text: str, kind: Kind, *, dated: bool) -> str:
    """Why a field is not a single number, in words; "" if there is no sign of that.

    `named` are the symbols around the digits of its `text`. In an amount slashes and dashes may have a special meaning, and in
    a date (`dated`) all marks do.
    """
    shares = {symbol: max((one.share for one in named if one.symbol == symbol), default=0.0) for symbol in (STRUCK, LETTER)}
    if shares[STRUCK] >= FOREIGN.min_share:
        return CORRECTED
    if shares[LETTER] >= FOREIGN.min_share and not (dated and _is_label(named, text)):
        return LETTERS if text else ONLY_LETTERS
    if _is_bracket_or_1(named, text):
        return BRACKET_OR_1
    if dated:
        return ""
    inner = [one for one in named if 0 < one.place < len(text) and one.share >= _least_parting_share(one, text, kind)]
    if parted := _parted(inner, text, kind):
        return parted
    if text == "00":
        return ZEROS
    if kind == "amount":
        return _parts_nothing(named, text)
    if kind in ("string", "comb"):
        if _in_brackets(named, text):
            return IN_BRACKETS
        for one in inner:
            if one.symbol == "." or (one.symbol == "," and not _grouped(text, [o.place for o in inner if o.symbol == ","])):
                return _with_point(one, text)
    return ""


def _is_label(named: Sequence[Named], text: str) -> bool:
    """Whether all letters in a date are a printed label before it: `DATE 10/30/2019`.

    The marks between its three parts must be seen: without them, a word may be the name of a month. A digit that was taken for
    a letter is no label: if the first part has one digit, the letters must be further away than a second one would be.
    """
    marks = {
        one.place: one.at
        for one in reversed(named)
        if one.symbol in DATE_MARKS and 0 < one.place < len(text) and one.share >= FOREIGN.min_parting_share
    }
    letters = [one for one in named if one.symbol == LETTER and one.share >= FOREIGN.min_share]
    if len(marks) != DATE_PARTS - 1 or any(one.place for one in letters):
        return False
    first, second = sorted(marks)
    if first in WHOLE_PARTS:
        return True
    a_sign = (marks[second] - marks[first]) / (second - first + 1)  # the digits between, and one mark
    return first == 1 and a_sign > 0 and all(marks[first] - one.until > FOREIGN.min_label_signs * a_sign for one in letters)


def _is_bracket_or_1(named: Sequence[Named], text: str) -> bool:
    """Whether a bracket without its other half is seen beside or in place of a 1 at the start or the end of a number."""
    sure = {(one.symbol, one.place) for one in named if one.symbol in "()" and one.share >= FOREIGN.min_parting_share}
    if len({symbol for symbol, _ in sure}) != 1:
        return False
    opens, closes = {("(", 0), ("(", 1)}, {(")", len(text) - 1), (")", len(text))}
    return bool((text.startswith("1") and sure & opens) or (text.endswith("1") and sure & closes))


def _parted(inner: Sequence[Named], text: str, kind: Kind) -> str:
    """Which mark between digits separates two numbers; "" if none does."""
    parting = [one for one in inner if one.symbol in PARTS and not (kind == "amount" and _is_of_amounts(one, text))]
    if not parting:
        return ""
    first = parting[0]
    parted = f"{text[: first.place]}{first.symbol}{text[first.place :]}"
    if kind == "amount" and _may_be_a_1(first, text):
        return f"{SLASH_OR_1}: {parted}"
    return f"two numbers are written, with {PARTS[first.symbol]} between: {parted}"


def _parts_nothing(named: Sequence[Named], text: str) -> str:
    """Why the first point or comma in an amount separates neither cents nor groups of digits, as in 6000.380."""
    points = [one for one in named if one.symbol in ".," and 0 < one.place < len(text) and one.share >= FOREIGN.min_point_share]
    if not points or points[0].place <= GROUP or len(text) - points[0].place <= FOREIGN.cents:
        return ""
    return _with_point(points[0], text)


def _with_point(mark: Named, text: str) -> str:
    name = "a point" if mark.symbol == "." else "a comma"
    return f"{name} is written: {text[: mark.place]}{mark.symbol}{text[mark.place :]}"


def _in_brackets(named: Sequence[Named], text: str) -> bool:
    """Whether a bracket opens before a text and one closes after it."""
    sure = {(one.symbol, one.place) for one in named if one.share >= FOREIGN.min_parting_share}
    return {("(", 0), (")", len(text))} <= sure


def _least_parting_share(mark: Named, text: str, kind: Kind) -> float:
    """The least probability at which a mark separates two numbers; different for a slash next to a 1, which may be that 1."""
    if not _may_be_a_1(mark, text):
        return FOREIGN.min_parting_share
    return FOREIGN.min_amount_slash_share if kind == "amount" else FOREIGN.min_slash_share


def _may_be_a_1(mark: Named, text: str) -> bool:
    """Whether a mark is a slash that may also have been read as the 1 next to it."""
    return mark.symbol == "/" and "1" in text[mark.place - 1 : mark.place + 1]


def _is_of_amounts(mark: Named, text: str) -> bool:
    """Whether a mark between digits is part of an amount: the slash of 15 50/100, or a dash before cents or thousands.

    A dash between ascending numbers, as in 9-54, may also be that of a range. Thousands have at most three digits
    before them.
    """
    behind = len(text) - mark.place
    if mark.symbol == "/":
        return text[mark.place :] == HUNDRED
    goes_up = int(text[: mark.place]) < int(text[mark.place :])
    thousands = behind % GROUP == 0 and mark.place <= GROUP
    return mark.symbol == "-" and (behind == FOREIGN.cents or thousands) and not goes_up


def dot_below(marked: MarkedDigits | None, text: str) -> str:
    """Says, in words, if there is a dot below a lone digit that looks like a question or exclamation mark without it."""
    if marked is None or text not in DOTTED:
        return ""
    left, _, right, foot = marked.digits[0]
    for mark in marked.marks:
        wide, tall = mark.right - mark.left, mark.bottom - mark.top
        beneath = left <= (mark.left + mark.right) / 2 <= right + FOREIGN.max_dot_aside and foot < mark.top
        small = FOREIGN.min_dot <= max(wide, tall) <= FOREIGN.max_dot
        if small and beneath and mark.top < foot + FOREIGN.max_dot_gap:
            return DOT_BELOW
    return ""


def slash_in_1(share: float, kind: Kind, digits: tuple[int, int] | None) -> str:
    """Why a 1 in a whole number may be a slash between two numbers; "" if the probability `share` of that is small.

    If the field states its number of `digits`, there is none to spare for a slash.
    """
    fixed = digits is not None and digits[0] == digits[1]
    return SLASH_OR_1 if kind == "string" and not fixed and share >= FOREIGN.min_share_in_1 else ""


def two_numbers(marked: MarkedDigits | None, text: str, kind: Kind, digits: tuple[int, int] | None) -> str:
    """Why a text is two numbers, or has decimals, by marks or the gap between digits; "" if there is no sign of that.

    Groups of three digits are thousands; in an amount separate groups may also be cents, or lakhs and crores. If the field
    states its number of `digits`, gaps mean nothing.
    """
    if marked is None or len(text) < 2 or (digits is not None and digits[0] == digits[1]):
        return ""
    if kind == "string" and (parted := _parted_by_marks(marked, text)):
        return parted
    gaps = marked.digits[1:, 0] - marked.digits[:-1, 2]
    widest = int(gaps.argmax())
    others = np.delete(gaps, widest)
    place = widest + 1
    single = place == 1 or place == len(text) - 1
    least = FOREIGN.min_single_gap_digits if single else FOREIGN.min_gap_digits
    least = max(least, float(others.max()) + FOREIGN.min_wider_digits) if len(others) else FOREIGN.min_lone_gap_digits
    if gaps[widest] < least or _grouped(text, [place]) or (kind == "amount" and len(text) - place not in NO_GROUPS):
        return ""
    return f"two numbers are written: {text[:place]} {text[place:]}"


def _parted_by_marks(marked: MarkedDigits, text: str) -> str:
    """Which marks between the digits of a whole number turn it into something else; "" if none do."""
    inner = [mark for mark in marked.marks if 0 < mark.place < len(text)]
    points = Counter(mark.place for mark in inner if mark.kind == "point")
    for mark in inner:
        before, behind = text[: mark.place], text[mark.place :]
        if mark.kind == "dash" and mark.sure:
            return f"two numbers are written, with {PARTS['-']} between: {before}-{behind}"
        if mark.kind == "point" and points[mark.place] == COLON_POINTS:
            return f"two numbers are written, with {PARTS[':']} between: {before}:{behind}"
        if mark.kind == "point" and mark.sure:
            return f"a point is written: {before}.{behind}"
    return ""


def _grouped(text: str, places: Sequence[int]) -> bool:
    """Whether commas at these places separate thousands."""
    ends = [*sorted(set(places)), len(text)]
    return not text.startswith("0") and all(end - start == 3 for start, end in pairwise(ends))
