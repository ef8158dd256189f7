"""The content of a field: digits, the marks between them, and what is not a number at all.

A token is one sign to draw, with the symbol that the line networks should output for it (`types.LINE_SYMBOLS`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from docproc.types import LETTER, OTHER_MARK

AMOUNT_ODDS = np.array([0.17, 0.21, 0.12, 0.09, 0.08, 0.11, 0.06, 0.06, 0.05, 0.05])  # of the digits 0..9


@dataclass(frozen=True, slots=True)
class Token:
    """One sign. `shape` says what to draw: a digit, a key of `strokes.MARKS`, `.`, `,`, or a letter."""

    symbol: str
    shape: str
    gap: float | None = None  # digit heights before it; None: as usual for the hand
    raised: bool = False  # part of raised cents

    @property
    def digit(self) -> bool:
        return self.symbol.isdigit()


@dataclass(frozen=True, slots=True)
class Spelled:
    """What is written in a field."""

    tokens: tuple[Token, ...]
    marked: bool  # there may be marks next to the digits: an amount
    number: bool = True  # whether it is one number and nothing else
    raised: bool = False  # its last two digits are raised cents
    foreign: str = ""  # the script of its digits; its tokens contain characters of that script
    kind: str = field(default="number", compare=False)

    @property
    def symbols(self) -> str:
        """All symbols, with the letters of a word as one."""
        found = ""
        for token in self.tokens:
            if token.symbol and not (token.symbol == LETTER and found.endswith(LETTER)):
                found += token.symbol
        return found

    @property
    def text(self) -> str:
        return "".join(token.symbol for token in self.tokens if token.digit)


def digits(text: str, raised_from: int | None = None) -> list[Token]:
    return [Token(c, c, raised=raised_from is not None and k >= raised_from) for k, c in enumerate(text)]


def mark(name: str, gap: float | None = None) -> Token:
    """A mark by the name of its shape."""
    return Token(MARK_SYMBOLS.get(name, name), name, gap)


MARK_SYMBOLS: Mapping[str, str] = {
    "=": OTHER_MARK, "#": OTHER_MARK, "*": OTHER_MARK, "~": OTHER_MARK, "x": OTHER_MARK,
    "₹": "$", "Rs": "$", "£": "$", "€": "$", "$": "$", "'": ",",
}  # fmt: skip


def spell(rng: np.random.Generator, shares: Mapping[str, float]) -> Spelled:
    """A random field; `shares` says how frequent each of `KINDS` is."""
    return KINDS[list(KINDS)[int(rng.choice(len(KINDS), p=[shares[name] for name in KINDS]))]](rng)


# ------------------------------------------------------------------------------------------------------- numbers


def plain_number(rng: np.random.Generator) -> Spelled:
    """Digits only."""
    return Spelled(tuple(digits(_number(rng))), marked=False)


def _number(rng: np.random.Generator, longest: int = 8) -> str:
    odds = np.array([0.04, 0.06, 0.14, 0.26, 0.28, 0.12, 0.06, 0.04])[:longest]
    length = 1 + int(rng.choice(longest, p=odds / odds.sum()))
    # Amounts contain many 1s and 0s (Benford); in other numbers all digits are equally frequent.
    text = "".join(str(d) for d in rng.choice(10, length, p=AMOUNT_ODDS if rng.random() < 0.5 else None))
    if length >= 3 and rng.random() < 0.4:
        zeros = int(rng.integers(1, min(length, 5)))
        text = text[: length - zeros] + "0" * zeros
    if text[0] == "0" and rng.random() < 0.8:
        text = str(rng.integers(1, 10)) + text[1:]
    return text


@dataclass(frozen=True, slots=True)
class Style:
    """How amounts are written in one part of the world."""

    signs: tuple[str, ...]  # before the number
    signed: float  # share of amounts that have one
    grouped: float  # share of amounts with separated thousands
    groups: tuple[int, int]  # digits of the last group, and of the ones before
    long_commas: float  # share of the marks that are long strokes, at most
    cents: int  # digits after the point
    longest: int  # digits
    endings: Mapping[str, float]  # marks after the number, and their odds

    def number(self, text: str, rng: np.random.Generator) -> str:
        """An amount as written in this part of the world: longer, rounder, with cents."""
        length = int(rng.integers(2, self.longest + 1))
        text = (text + "".join(str(d) for d in rng.choice(10, self.longest, p=AMOUNT_ODDS)))[:length]
        if rng.random() < 0.7:
            zeros = int(rng.integers(0, length))
            text = text[: length - zeros] + "0" * zeros
        if text[0] == "0":
            text = str(rng.integers(1, 10)) + text[1:]
        cents = "00" if rng.random() < 0.6 else f"{int(rng.integers(100)):02d}"
        return text + cents[: self.cents]

    def between(self, length: int, rng: np.random.Generator) -> dict[int, str]:
        """The marks before digits, by the digit's place: "." for a dot or a short comma, "," for a long one."""
        marks = {}
        whole = length - self.cents
        last, before = self.groups
        if rng.random() < self.grouped:
            long_commas = self.long_commas * rng.random()
            marks = {whole - left: "," if rng.random() < long_commas else "." for left in range(last, whole, before)}
        if self.cents:
            marks[whole] = "."
        return marks

    def ending(self, text: str, rng: np.random.Generator) -> list[str]:
        """The marks after the digits `text`. Nobody can tell a 1 before a dash from the sign `/-`."""
        odds = {name: share for name, share in self.endings.items() if not (text[-1:] == "1" and name[:1] in ("-", "="))}
        shares = np.array(list(odds.values()))
        name = list(odds)[int(rng.choice(len(shares), p=shares / shares.sum()))]
        return [name] if name == "/-" else list(name)


PLAIN = Style(
    (), 0.0, 0.7, (3, 3), 0.15, 0, 8,
    {"": 8, ".": 6, ".-": 4, "-": 4, "=": 3, "/-": 1.5, ",": 3, ",-": 1.5, "//": 0.4, "--": 0.7, ".=": 1, "*": 0.5, "#": 0.5,
     ".--": 0.7, "x": 0.3},
)  # fmt: skip
INDIAN = Style(
    ("₹", "₹", "Rs"), 0.4, 0.85, (3, 2), 0.9, 0, 9, {"": 2, "/-": 6, "/=": 0.6, "-": 0.7, "=": 0.3, ".": 0.2, "/": 0.3}
)
AMERICAN = Style(
    ("$", "$", "$", "£", "€"), 0.6, 0.5, (3, 3), 0.3, 2, 6, {"": 6, "-": 0.7, "=": 0.2, "*": 0.2, "#": 0.2, ".": 0.1}
)
STYLES, STYLE_SHARES = (PLAIN, INDIAN, AMERICAN), (0.6, 0.2, 0.2)


def amount(rng: np.random.Generator) -> Spelled:
    """An amount with its separators, currency sign and ending."""
    style = STYLES[int(rng.choice(len(STYLES), p=STYLE_SHARES))]
    text = _number(rng)
    if len(text) > 1 and text[0] == "0":
        text = str(rng.integers(1, 10)) + text[1:]
    if style is not PLAIN:
        text = style.number(text, rng)
    cents = len(text) - style.cents
    between = style.between(len(text), rng)
    raised = cents < len(text) and rng.random() < 0.4
    if raised and rng.random() < 0.7:
        between.pop(cents, None)
    tokens: list[Token] = []
    if style.signs and rng.random() < style.signed:
        tokens.append(mark(str(rng.choice(style.signs)), 0.0))
    elif style is PLAIN and rng.random() < 0.16:
        tokens += [mark(str(rng.choice(["$", "#", "*", "=", "-"]))) for _ in range(int(rng.integers(1, 3)))]
    for k, token in enumerate(digits(text, cents if raised else None)):
        if k in between:
            tokens.append(mark(between[k]))
        tokens.append(token)
    tokens += [mark(name) for name in style.ending(text, rng)]
    return Spelled(tuple(tokens), marked=True, raised=raised, kind="amount")


def date(rng: np.random.Generator) -> Spelled:
    """A date: two or three numbers with a mark between them."""
    year = int(rng.integers(1990, 2040))
    parts = [f"{n:02d}" if rng.random() < 0.6 else str(n) for n in (int(rng.integers(1, 13)), int(rng.integers(1, 32)))]
    if rng.random() < 0.5:
        parts.reverse()
    parts.insert(0 if rng.random() < 0.08 else 2, str(year) if rng.random() < 0.7 else f"{year % 100:02d}")
    return _parted(parts, str(rng.choice(["/", "-", "."], p=[0.6, 0.28, 0.12])), marked=True, number=True, kind="date")


def _parted(parts: Sequence[str], name: str, *, marked: bool, number: bool, kind: str) -> Spelled:
    tokens: list[Token] = []
    for k, part in enumerate(parts):
        if k:
            tokens.append(mark(name))
        tokens += digits(part)
    return Spelled(tuple(tokens), marked=marked, number=number, kind=kind)


DECIMAL = "decimal"


def decimal(rng: np.random.Generator) -> Spelled:
    """A measurement: digits, a point or comma, digits; sometimes with a sign or in parentheses."""
    whole = "" if rng.random() < 0.06 else str(int(10 ** rng.uniform(0, 3.7))) if rng.random() < 0.75 else "0"
    places = int(rng.choice([0, 1, 2, 3, 4], p=[0.1, 0.36, 0.3, 0.18, 0.06]))
    places = places if whole else max(1, places)
    fraction = "".join(str(d) for d in rng.integers(0, 10, places))
    tokens = digits(whole)
    if places:
        name = str(rng.choice([".", ",", "·"], p=[0.6, 0.22, 0.18]))
        tokens.append(Token("." if name == "·" else name, name))
        tokens += digits(fraction)
    sign = rng.random()
    if sign < 0.16:
        tokens = [mark("-"), *tokens]
    elif sign < 0.24:
        tokens = [mark("("), *tokens, mark(")")]
    elif sign < 0.29:
        tokens = [*tokens, mark("-")]
    elif sign < 0.33:
        tokens = [mark("+"), *tokens]
    elif sign < 0.37:
        tokens = [*tokens, *letters(str(rng.choice(["CR", "Cr", "DR", "cr"])), rng)]
    return Spelled(tuple(tokens), marked=True, kind=DECIMAL)


def compound(rng: np.random.Generator) -> Spelled:
    """Two or more numbers: a fraction, a time, a range, a sum, or two separate numbers."""
    name = str(rng.choice(["/", "-", ":", "+", "=", "x", " "], p=[0.32, 0.2, 0.16, 0.1, 0.06, 0.06, 0.1]))
    parts = [_number(rng, 4) for _ in range(2 if rng.random() < 0.88 else 3)]
    if name == " ":
        if len(parts[-1]) == 3:  # thousands, not another number
            parts[-1] += str(rng.integers(10))
        tokens = digits(parts[0])
        for part in parts[1:]:
            first, *rest = digits(part)
            tokens += [replace(first, gap=float(rng.uniform(0.75, 1.6))), *rest]
        return Spelled(tuple(tokens), marked=False, number=False, kind="two numbers")
    # In an amount, a dash may be before thousands or cents.
    return _parted(parts, name, marked=bool(rng.random() < 0.3) and name != "-", number=False, kind="compound")


def filled(rng: np.random.Generator) -> Spelled:
    """A number between marks that protect it from changes."""
    name = str(rng.choice(["=", "~", "*", "#", "-", "x"]))
    many = int(rng.integers(1, 4)) if name in "*#=-" and rng.random() < 0.4 else 1
    around = [mark(name) for _ in range(many)]
    before, after = rng.random() < 0.6 and name != "-", rng.random() < 0.6
    tokens = [*(around if before or not after else ()), *digits(_number(rng)), *(around if after else ())]
    return Spelled(tuple(tokens), marked=True, kind="filled")


# ------------------------------------------------------------------------------------------- what is no number

UNITS = (
    "kg", "lb", "lbs", "cm", "m", "mm", "ft", "in", "%", "hrs", "hr", "h", "min", "yrs", "yr", "C", "F", "USD", "EUR", "Rs",
    "pcs", "g", "mg", "ml", "km", "mph", "p", "No", "st", "nd", "rd", "th", "ea", "units", "days", "wk", "pm", "am",
)  # fmt: skip
BEFORE = ("No", "Nr", "Rs", "USD", "EUR", "ca")  # written before a number; a unit such as g would look like a 9 there
WORDS = (
    "no", "nil", "none", "NIL", "N/A", "n/a", "NA", "yes", "closed", "void", "VOID", "same", "ditto", "see", "absent",
    "ABS", "paid", "refused", "unknown", "?", "??", "left", "moved", "male", "Total", "USD", "zero", "one", "five", "ten",
    "half", "Mr", "Jan", "May", "Sept", "Approved", "copy", "null", "nihil", "rien", "keine", "ninguno",
)  # fmt: skip
FREE_LETTERS = "aabcdeeefghhijkmnoprrstuvwyABCDEFGHJKLMNPQRTUVWXY&%@"
TICKS = ("tick", "cross", "scribble", "squiggle", "ditto")


def letters(word: str, rng: np.random.Generator, gap: float | None = None) -> list[Token]:
    """A word, letter by letter."""
    close = float(rng.uniform(-0.02, 0.16))
    return [Token(LETTER, c, close if k else gap) for k, c in enumerate(word) if c != " "]


def _word(rng: np.random.Generator) -> str:
    if rng.random() < 0.65:
        return str(rng.choice(WORDS))
    return "".join(rng.choice(list(FREE_LETTERS), int(rng.integers(1, 9))))


def with_unit(rng: np.random.Generator) -> Spelled:
    """A number with its unit, or with a word before it."""
    behind = rng.random() < 0.78
    unit = str(rng.choice(UNITS if behind else BEFORE)) if rng.random() < 0.75 else _word(rng)
    apart = float(rng.uniform(0.05, 0.9))
    number = digits(_number(rng, 5))
    if behind:
        tokens = [*number, *letters(unit, rng, apart)]
    else:
        tokens = [*letters(unit, rng), replace(number[0], gap=apart), *number[1:]]
    return Spelled(tuple(tokens), marked=bool(rng.random() < 0.5), kind="unit")


def word(rng: np.random.Generator) -> Spelled:
    """No digit at all."""
    return Spelled(tuple(letters(_word(rng), rng)), marked=bool(rng.random() < 0.5), number=False, kind="word")


def lone_marks(rng: np.random.Generator) -> tuple[Token, ...]:
    """One to three marks of one kind. A single slash is left out: handwritten, it is a 1."""
    name = str(rng.choice(["-", "=", "~", "*", "/", "."]))
    return tuple(mark(name) for _ in range(int(rng.integers(2 if name == "/" else 1, 4))))


def lone_mark(rng: np.random.Generator) -> Spelled:
    """A dash, a tick, a question mark, a scribble: something, but not a number."""
    tokens = lone_marks(rng) if rng.random() < 0.35 else (Token(LETTER, str(rng.choice(TICKS))),)
    return Spelled(tokens, marked=bool(rng.random() < 0.5), number=False, kind="mark")


def foreign(rng: np.random.Generator) -> Spelled:
    """A number in the digits of another script; the fonts determine which."""
    # Few zeros: in half of the scripts they are round like ours. At least two digits: a single one may look like one of ours.
    text = "".join(str(d) for d in rng.choice(10, int(rng.integers(2, 7)), p=[0.01, *[0.11] * 9]))
    return Spelled(
        tuple(Token(LETTER, c) for c in text), marked=bool(rng.random() < 0.5), number=False, foreign="?", kind="foreign"
    )


def disturbed(rng: np.random.Generator) -> Spelled:
    """A number with a tick, a scribble or a stroke of a word next to it."""
    whole = plain_number(rng) if rng.random() < 0.5 else amount(rng)
    extra = Token(LETTER, str(rng.choice(TICKS)), float(rng.uniform(0.1, 0.9)))
    tokens = (extra, *whole.tokens) if rng.random() < 0.4 else (*whole.tokens, extra)
    return Spelled(tokens, whole.marked, number=False, raised=whole.raised, kind="disturbed")


KINDS: Mapping[str, Callable[[np.random.Generator], Spelled]] = {
    make.__name__: make
    for make in (
        plain_number, amount, date, decimal, compound, filled, with_unit, word, lone_mark, foreign, disturbed,
    )
}  # fmt: skip
"""The kinds of fields, by their names in `mixes`."""
