"""Interpret what a person types into a field: digits and marks as on paper, to a text and a value.

Typed marks are taken as certain. If none are typed, and as many digits as were read, the marks that were seen on the paper
stay where they are: to correct a digit of `1234.56` one may type `123458`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from docproc.meaning.amounts import LEADING_ZERO, Separator, SeparatorKind, typed_amount_of
from docproc.meaning.dates import IMPOSSIBLE, parted_date_value
from docproc.meaning.decimals import SIGNED, Written, decimal_value, sign_of
from docproc.meaning.named import Named, without_fillers
from docproc.rules import FieldRules, breaks
from docproc.types import DIGIT_SYMBOLS, MICR_SYMBOLS, FieldSpec

MAX_TYPED = 64  # characters of one field [guess]
DATE_MARKS = "/-.,: "  # between the parts of a date
AMOUNT_MARKS: dict[str, SeparatorKind] = {".": "point", ",": "comma", "'": "unclear", "/": "slash", "-": "dash"}
SIGNS = "-()"
PASSED_OVER = " \u00a0\u202f_*+$\u20ac\u00a3\u00a5#=~"  # characters around numbers that carry no meaning
SAME_MARKS = {
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2019": "'",
    "\u00b7": ".",
    "\u066b": ".",
}  # other characters for them
MICR_LETTERS = dict(
    zip("ABCD", MICR_SYMBOLS[len(DIGIT_SYMBOLS) :], strict=True)
)  # of common fonts: transit, amount, on-us, dash

NO_NUMBER = "only digits and marks such as . , - / ( ) can be typed"
NO_DIGITS = "no digit was typed"
TOO_LONG = f"more than {MAX_TYPED} characters were typed"
CENTLESS = "no cents were typed"
POINTLESS = "no decimal point was typed"
UNPARTED = "the symbols of the line were not typed: A transit, B amount, C on-us, D dash"


@dataclass(frozen=True, slots=True)
class Meant:
    """The meaning of a typed text."""

    text: str  # its digits
    value: str = ""  # as in the table; "" if it is not certain
    broken: tuple[str, ...] = ()  # broken rules and doubts, in words; a person may overrule them
    fault: str = ""  # why it is not a number at all; then everything else is empty


@dataclass(frozen=True, slots=True)
class _Typed:
    digits: str
    marks: tuple[Named, ...]  # with the number of digits before each


def meaning_of(spec: FieldSpec, typed: str, read: str = "", read_value: str = "") -> Meant:
    """The meaning of a typed text in a field; `read` and `read_value` are the text and the value that were read there.

    Typing exactly the value that was read, with its marks, is the same as typing the text that was read.
    """
    typed = "".join(SAME_MARKS.get(c, c) for c in typed.strip())
    if len(typed) > MAX_TYPED:
        return Meant("", fault=TOO_LONG)
    if typed == read_value and not typed.isdecimal():
        typed = read
    parts = _parts(typed, spec)
    if parts is None:
        return Meant("", fault=NO_NUMBER)
    text = parts.digits
    if not text:
        return Meant("", fault=NO_DIGITS)
    rule = (spec.rules or FieldRules(digits=spec.digits)).named(text)
    if text == read and read_value and not parts.marks:
        value, doubt = read_value, _date_doubt(spec, text, read_value)
    else:
        value, doubt = _value(spec, parts, read, read_value)
    if rule and doubt == IMPOSSIBLE:
        doubt = ""  # it says the same
    return Meant(text, value, tuple(one for one in (breaks(rule), doubt) if one))


def _parts(typed: str, spec: FieldSpec) -> _Typed | None:
    """The digits that were typed and the marks around them; None if anything else was typed."""
    digits, marks = "", []
    for symbol in typed:
        if symbol in DIGIT_SYMBOLS:
            digits += symbol
        elif spec.kind == "micr" and (meant := MICR_LETTERS.get(symbol.upper(), symbol)) in MICR_SYMBOLS:
            marks.append(Named(meant, len(digits), 1.0))
        elif symbol in AMOUNT_MARKS or symbol in SIGNS or symbol in DATE_MARKS:
            marks.append(Named(symbol, len(digits), 1.0))
        elif symbol not in PASSED_OVER:
            return None
    if not _is_date(spec):
        marks = [one for one in marks if one.symbol != " "]
    return _Typed(digits, tuple(marks))


def _is_date(spec: FieldSpec) -> bool:
    return spec.rules is not None and spec.rules.date is not None


def _value(spec: FieldSpec, typed: _Typed, read: str, read_value: str) -> tuple[str, str]:
    """(value, doubt) of what was typed."""
    if spec.rules is not None and spec.rules.date:
        inner = {one.place for one in typed.marks if one.symbol in DATE_MARKS and 0 < one.place < len(typed.digits)}
        return parted_date_value(spec.rules, typed.digits, inner, spec.window)
    as_many = len(typed.digits) == len(read) and bool(read_value) and not typed.marks
    if spec.kind == "micr":
        return _micr_value(typed, _put_in(typed.digits, read_value) if as_many else "")
    if spec.kind in ("amount", "decimal"):
        if as_many:
            return _number(typed.digits, read_value), ""
        value, doubt = _amount(spec, typed) if spec.kind == "amount" else _decimal(spec, typed)
        lost = not typed.marks and "." in read_value and not doubt
        return value, POINTLESS if lost else doubt
    return (_put_in(typed.digits, read_value) if as_many else "") or typed.digits, ""


def _date_doubt(spec: FieldSpec, text: str, read_value: str) -> str:
    """The doubt about a date that stays as it was read."""
    if spec.rules is None or not spec.rules.date:
        return ""
    value, doubt = parted_date_value(spec.rules, text, (), spec.window)
    return doubt if value == read_value else ""


def _amount(spec: FieldSpec, typed: _Typed) -> tuple[str, str]:
    text = typed.digits
    # A sign before the digits is not a separator; of an adjacent slash and dash the first counts.
    separators = {
        one.place: Separator(one.place, AMOUNT_MARKS[one.symbol])
        for one in reversed(typed.marks)
        if one.symbol in AMOUNT_MARKS and (one.place or one.symbol not in SIGNS) and one.place < len(text)
    }
    value, doubt = typed_amount_of(text, tuple(separators.values()))
    if not value:
        return "", doubt
    if len(text) > 1 and text.startswith("0") and "." not in value:
        doubt = LEADING_ZERO
    if spec.cents and "." not in value and not any(one.symbol == "-" and one.place == len(text) for one in typed.marks):
        doubt = CENTLESS
    return _signed(value, doubt, typed, without_fillers(typed.marks, text, value), signed=spec.signed)


def _signed(value: str, doubt: str, typed: _Typed, signs: Sequence[Named], *, signed: bool) -> tuple[str, str]:
    negative, unsure = sign_of(signs, typed.digits)
    if unsure:
        return "", unsure
    number = ("-" if negative and value.strip("0.") else "") + value
    return number, doubt or (SIGNED if negative and not signed else "")


def _decimal(spec: FieldSpec, typed: _Typed) -> tuple[str, str]:
    value, doubt = decimal_value(None, typed.marks, typed.digits, Written(spec.decimals, spec.signed))
    if doubt:  # the number is known nevertheless, unless its point is not
        value, _ = decimal_value(None, typed.marks, typed.digits, Written())
    return value, doubt


def _micr_value(typed: _Typed, as_read: str) -> tuple[str, str]:
    symbols = [one for one in typed.marks if one.symbol in MICR_SYMBOLS]
    if not symbols:
        return as_read, "" if as_read else UNPARTED
    line, place = "", 0
    for one in symbols:
        line += typed.digits[place : one.place] + one.symbol
        place = one.place
    return line + typed.digits[place:], ""


def _put_in(digits: str, value: str) -> str:
    """A value with its digits replaced one for one; "" if their number differs."""
    if sum(c in DIGIT_SYMBOLS for c in value) != len(digits):
        return ""
    left = iter(digits)
    return "".join(next(left) if c in DIGIT_SYMBOLS else c for c in value)


def _number(digits: str, value: str) -> str:
    """A number with other digits, but the sign and the number of decimals of `value`."""
    behind = len(value.partition(".")[2])
    whole, fraction = (digits[:-behind], digits[-behind:]) if behind else (digits, "")
    number = (whole.lstrip("0") or "0") + (f".{fraction}" if fraction else "")
    return ("-" if value.startswith("-") and number.strip("0.") else "") + number
