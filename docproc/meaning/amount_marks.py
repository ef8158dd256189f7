"""Interpret the marks around an amount's digits: separators, raised cents, fractions, wide gaps; and derive its value."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from docproc.meaning.amounts import CENTS, CONTRADICTORY, HUNDRED, Separator, SeparatorKind, WrittenAmount, amount_of
from docproc.meaning.marks import Mark, MarkedDigits
from docproc.meaning.named import Named

UNPLACED = "it is not known where the digits stand, which would settle the amount"
CENTLESS = "no cents are seen"

ROUND_DIGITS = "0268"  # those that end at the baseline: if one hangs below it, it may include a comma, but is not one
NAMES = ".,-/"  # of separators
UNCLEAR_NAMES = ".,"  # of those that a network may confuse
_SEPARATORS: dict[str, SeparatorKind] = {"point": "point", "comma": "comma", "dash": "dash", "slash": "slash"}


@dataclass(frozen=True, slots=True)
class AmountMarkTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md.

    Heights on the line run from 0 at the top of the digits to 1 at their baseline.
    """

    # Probabilities of marks named by the line networks, 0 .. 1.
    min_named_share: float = 0.1  # of a mark whose shape is unclear: less is a speck [measured: 2,940 composed amounts]
    min_unshaped_share: float = 0.2  # of a separator whose ink is not seen separately [measured: the same]
    min_sure_share: float = 0.8  # of one that is clear by its name [measured: the same]

    # Gaps: by how much a gap exceeds the usual one.
    min_gap_digits: float = 0.42  # if a point may be lost [guess]
    min_speck_gap_digits: float = 0.25  # the same, if there is a speck in it [guess]
    min_cents_gap_digits: float = 0.2  # the same before the last two digits [measured: drawn `140 00`, docs/errors.md]
    min_widest_gap_digits: float = 0.1  # by which that one exceeds the widest other [measured: drawn `140 00`, docs/errors.md]
    min_speck_middle: float = 0.6  # on the line, of such a speck [guess]
    max_speck_middle: float = 1.2  # on the line [guess]

    # Digits that hang like a comma.
    min_hanging_top: float = 0.33  # on the line [guess]
    min_hanging_bottom: float = 1.12  # on the line [guess]

    # Raised cents.
    min_raised_digits: float = 0.30  # above the baseline, where raised digits end [guess]
    min_maybe_raised_digits: float = 0.20  # the same, if it is in doubt [guess]
    min_underlined_raised_digits: float = 0.12  # the same, if they are underlined [guess]
    max_raised_share: float = 0.80  # of the others' height [guess]
    max_maybe_raised_share: float = 0.92  # the same, if it is in doubt [guess]

    # A dash that ends an amount, a line below the cents.
    min_end_dash_digits: float = 0.3  # width [guess]
    max_underline_above_digits: float = 0.15  # by which it may extend above the bottom of the cents [guess]

    # Ink above the hundred of a fraction.
    min_stacked_overlap_share: float = 0.5  # of the narrower of the two [guess]
    min_stacked_width_digits: float = 0.6  # [guess]
    min_stacked_height_digits: float = 0.3  # [guess]
    max_stacked_bottom: float = 0.6  # on the line [guess]


AMOUNT_MARKS = AmountMarkTuning()


def amount_value(
    marked: MarkedDigits | None, text: str, named: Sequence[Named] | None = None, *, cents: bool = False
) -> tuple[str, str]:
    """(value, doubt) of an amount that was read as `text`, see `amounts.amount_of`.

    `named` are the marks named by a network; None if none was used. If `cents` are always written, whole units are accepted
    only with a dash after them. A long comma looks like a slash, a short one like a point, and dirt like either: if separators
    contradict each other by their shapes, their names count more.
    """
    if marked is None:
        return "", UNPLACED
    written = written_amount(marked, text, named)
    value, doubt = amount_of(written)
    if doubt == CONTRADICTORY and named is not None and not _is_parted(named, text):
        value, doubt = amount_of(_by_name_alone(written, named))
    return ("", CENTLESS) if cents and value and "." not in value and not _has_end_dash(marked) else (value, doubt)


def written_amount(marked: MarkedDigits, text: str, named: Sequence[Named] | None = None) -> WrittenAmount:
    """The digits of an amount and the meaning of the marks around them, by shape and, if `named` is given, by name."""
    underline = _underline(marked)
    separators: dict[int, Separator] = {}
    for mark in [mark for mark in marked.marks if mark.kind in _SEPARATORS or mark.kind == "other"]:
        if mark.place >= len(text) or mark is underline:
            continue
        if kind := _SEPARATORS.get(mark.kind):
            for place in {mark.place} if mark.sure else {mark.place, *_beside(mark, marked)}:
                old = separators.get(place)
                if old is None or (mark.sure and not old.sure):
                    separators[place] = Separator(place, kind, mark.sure)
        elif mark.place:
            separators.setdefault(mark.place, Separator(mark.place, "unclear", sure=False))
    if named is not None:
        separators = _by_name(separators, [one for one in named if 0 < one.place < len(text)])
    for place in () if _has_end_dash(marked) else _wide_gaps(marked):
        separators.setdefault(place, Separator(place, "gap", sure=False))
    found = tuple(separators.values())
    raised = _raised(marked, underlined=underline is not None)
    return WrittenAmount(text, found, raised, _lacks_separator(marked, text, found), _is_stacked(marked, text))


def _by_name(separators: dict[int, Separator], named: Sequence[Named]) -> dict[int, Separator]:
    """Separators found by shape, corrected by name: a doubtful mark without a name is dropped, one with a sure name is sure."""
    found = {}
    for place, one in separators.items():
        share = max((mark.share for mark in named if mark.place == place and mark.symbol in NAMES), default=0.0)
        if one.sure or place == 0 or share >= AMOUNT_MARKS.min_named_share:
            clear = share >= AMOUNT_MARKS.min_sure_share and one.kind in ("point", "comma", "unclear")
            found[place] = replace(one, sure=one.sure or clear)
    for mark in named:
        if mark.symbol in UNCLEAR_NAMES and mark.share >= AMOUNT_MARKS.min_unshaped_share and mark.place not in found:
            found[mark.place] = Separator(mark.place, "unclear", sure=mark.share >= AMOUNT_MARKS.min_sure_share)
    return found


def _by_name_alone(written: WrittenAmount, named: Sequence[Named]) -> WrittenAmount:
    """The amount with the names of its separators counting more than their shapes.

    What is surely named a point or a comma may be either, whatever its shape. A point or a comma that is not named at all may
    be dirt. Nothing changes if that is beside the last three digits, where it may be the point before the cents, or if the
    cents may be raised: then it may show that they are none. Nor does it if a name is not sure.
    """

    def share(one: Separator, names: str) -> float:
        return max((other.share for other in named if other.place == one.place and other.symbol in names), default=0.0)

    def is_unnamed(one: Separator) -> bool:
        return one.kind in ("point", "comma", "unclear") and share(one, NAMES) < AMOUNT_MARKS.min_named_share

    def renamed(one: Separator) -> Separator:
        if one.kind in ("point", "comma", "slash") and share(one, ".,") >= AMOUNT_MARKS.min_sure_share:
            return replace(one, kind="unclear")
        return replace(one, sure=not is_unnamed(one))

    between = [one for one in written.separators if one.sure and 0 < one.place < len(written.text)]
    shares = [share(one, NAMES) for one in between]
    last = len(written.text) - CENTS - 1
    if any(AMOUNT_MARKS.min_named_share <= own < AMOUNT_MARKS.min_sure_share for own in shares) or any(
        is_unnamed(one) and (written.raised is not False or one.place >= last) for one in between
    ):
        return written
    others = [one for one in written.separators if one not in between]
    return replace(written, separators=(*others, *map(renamed, between)))


def _is_parted(named: Sequence[Named], text: str) -> bool:
    """Whether a slash or a dash is surely between digits, as in a date."""
    return any(one.symbol in "/-" and 0 < one.place < len(text) and one.share >= AMOUNT_MARKS.min_sure_share for one in named)


def count_hanging(marked: MarkedDigits, text: str) -> int:
    """How many digits begin low and end below the baseline, as a comma does. A comma is not read as a round digit."""
    low = marked.digits[:, 1] > AMOUNT_MARKS.min_hanging_top
    hanging = low & (marked.digits[:, 3] > AMOUNT_MARKS.min_hanging_bottom)
    return sum(digit not in ROUND_DIGITS for digit, hangs in zip(text, hanging.tolist(), strict=True) if hangs)


def _beside(mark: Mark, marked: MarkedDigits) -> list[int]:
    """The places on both sides of the digit that a mark is below or above."""
    middle = (mark.left + mark.right) / 2
    return [
        place for k, (left, _, right, _) in enumerate(marked.digits.tolist()) if left < middle < right for place in (k, k + 1)
    ]


def _lacks_separator(marked: MarkedDigits, text: str, separators: Iterable[Separator]) -> bool:
    """Whether there is evidence of an unseen separator before the cents."""
    cents = len(text) - CENTS
    if cents <= 0:
        return False
    # Thousands are grouped as if cents followed; or a comma is attached to a digit.
    thousands = any(0 < one.place < cents and (cents - one.place) % 3 == 0 for one in separators)
    hangs = any(text[k] in ROUND_DIGITS and marked.digits[k, 3] > AMOUNT_MARKS.min_hanging_bottom for k in (cents - 1, cents))
    return thousands or hangs


def _is_stacked(marked: MarkedDigits, text: str) -> bool:
    """Whether the amount ends in a hundred, with ink above it that may be the cents of a fraction and their bar."""
    place = len(text) - len(HUNDRED)
    if place <= 0 or not text.endswith(HUNDRED) or any(m.kind == "slash" and m.place == place for m in marked.marks):
        return False
    start, end = float(marked.digits[place, 0]), float(marked.digits[-1, 2])
    return any(
        min(mark.right, end) - max(mark.left, start)
        >= AMOUNT_MARKS.min_stacked_overlap_share * min(mark.right - mark.left, end - start)
        and mark.right - mark.left >= AMOUNT_MARKS.min_stacked_width_digits
        and mark.bottom - mark.top >= AMOUNT_MARKS.min_stacked_height_digits
        and mark.bottom < AMOUNT_MARKS.max_stacked_bottom
        for mark in marked.marks
    )


def _has_end_dash(marked: MarkedDigits) -> bool:
    """Whether a dash ends the amount."""
    end = float(marked.digits[-1, 2])
    lines = [mark for mark in marked.marks if mark.kind in ("dash", "line")]
    return any(mark.left > end and mark.right - mark.left > AMOUNT_MARKS.min_end_dash_digits for mark in lines)


def _underline(marked: MarkedDigits) -> Mark | None:
    """The line below only the last two digits."""
    if len(marked.digits) <= CENTS:
        return None
    centers = ((marked.digits[:, 0] + marked.digits[:, 2]) / 2).tolist()
    foot = max(marked.digits[-CENTS:, 3].tolist())
    for mark in marked.marks:
        below = mark.kind in ("dash", "line") and mark.top > foot - AMOUNT_MARKS.max_underline_above_digits
        if below and centers[-CENTS - 1] < mark.left < centers[-CENTS] and mark.right > centers[-1]:
            return mark
    return None


def _wide_gaps(marked: MarkedDigits) -> list[int]:
    """The places where the gap between two digits is wide enough for a lost separator."""
    gaps: list[float] = (marked.digits[1:, 0] - marked.digits[:-1, 2]).tolist()
    if not gaps:
        return []
    usual = max(0.0, sorted(gaps)[(len(gaps) - 1) // 2]) if len(gaps) > 1 else 0.0
    specks = {
        mark.place
        for mark in marked.marks
        if mark.kind == "speck" and AMOUNT_MARKS.min_speck_middle < (mark.top + mark.bottom) / 2 < AMOUNT_MARKS.max_speck_middle
    }
    found = [
        place
        for place, gap in enumerate(gaps, 1)
        if gap > usual + (AMOUNT_MARKS.min_speck_gap_digits if place in specks else AMOUNT_MARKS.min_gap_digits)
    ]
    cents = len(marked.digits) - CENTS
    if cents > 0 and len(gaps) > 1:
        widest_other = max(gaps[: cents - 1] + gaps[cents:])
        if gaps[cents - 1] > max(usual + AMOUNT_MARKS.min_cents_gap_digits, widest_other + AMOUNT_MARKS.min_widest_gap_digits):
            found = sorted({*found, cents})
    return found


def _raised(marked: MarkedDigits, *, underlined: bool) -> bool | None:
    """Whether the last two digits are smaller and higher than all before them; None if it is in doubt."""
    if len(marked.digits) <= CENTS:
        return False
    feet, heights = marked.digits[:, 3].tolist(), (marked.digits[:, 3] - marked.digits[:, 1]).tolist()
    lifted = min(feet[-CENTS - 3 : -CENTS]) - max(feet[-CENTS:])
    small = max(heights[-CENTS:]) / min(heights[:-CENTS])
    clear = lifted > AMOUNT_MARKS.min_raised_digits and small < AMOUNT_MARKS.max_raised_share
    perhaps = None if _raised_on_the_level(marked) else False
    if underlined:
        # Under digits as large as the others it may be the rest of a ruled line.
        if lifted > AMOUNT_MARKS.min_underlined_raised_digits:
            return True
        return None if small < AMOUNT_MARKS.max_maybe_raised_share else perhaps
    if len(heights) <= CENTS + 1:
        # A single digit before them may just be a long one.
        return None if clear else perhaps
    if clear:
        return True
    doubtful = lifted > AMOUNT_MARKS.min_maybe_raised_digits and small < AMOUNT_MARKS.max_maybe_raised_share
    return None if doubtful else perhaps


def _raised_on_the_level(marked: MarkedDigits) -> bool:
    """The same without the baseline, which raised digits among few may tilt, and by the usual height, not the smallest."""
    feet = marked.digits[:, 3] + marked.slope * (marked.digits[:, 0] + marked.digits[:, 2]) / 2
    heights = marked.digits[:, 3] - marked.digits[:, 1]
    lifted = feet[-CENTS - 3 : -CENTS].min() - feet[-CENTS:].max()
    if lifted <= AMOUNT_MARKS.min_raised_digits:
        return False
    return bool(heights[-CENTS:].max() < AMOUNT_MARKS.max_maybe_raised_share * median(heights[:-CENTS].tolist()))
