"""The digits behind the rows of a page: where each one is, how confident it is, and what else may have been written.

All probabilities come from one source. The calibrated confidence of a field is the probability that its text is right, and
the rest is divided among the other texts of the vote by their shares. A digit has the total probability of all texts with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from difflib import SequenceMatcher

from docproc.readers.comb import CombOpinion
from docproc.readers.comb.search import places
from docproc.readers.confidence import KEPT_DECIMALS
from docproc.readers.e13b import PrintedResult
from docproc.readers.e13b.locate import part_box
from docproc.readers.e13b.parts import PARTS, parse
from docproc.readers.handwriting import HandwrittenResult, line_opinion
from docproc.readers.lattice.cuts import box_on_crop, candidate_box
from docproc.readers.line.band import columns_of
from docproc.readers.read import FieldResult
from docproc.readers.settle import probabilities
from docproc.types import DIGIT_SYMBOLS, Alternative, Box, Digit, Field, Page, Reading, Row

MIN_SHARE = 5e-6  # of a text: ten rarer ones together change no digit's confidence in the decimals that are kept [geometry]


def with_digits(rows: Sequence[Row], page: Page, results: Sequence[FieldResult]) -> list[Row]:
    """The rows of a page with their digits and alternatives.

    `rows` are those that `rows.tabulate` made from `results`: the row of each field, in order, followed by those of its parts.
    """
    return _told(rows, page, results, lambda row, digits, reading: replace(
        row, digits=digits, alternatives=alternatives(reading)
    ))  # fmt: skip


def with_places(rows: Sequence[Row], page: Page, results: Sequence[FieldResult]) -> list[Row]:
    """The same rows with what a journal keeps of their digits: position and confidence."""
    return _told(rows, page, results, lambda row, digits, reading: replace(
        row, digits=tuple(replace(one, alternatives=()) for one in digits)
    ))  # fmt: skip


def _told(
    rows: Sequence[Row], page: Page, results: Sequence[FieldResult], tell: Callable[[Row, tuple[Digit, ...], Reading], Row]
) -> list[Row]:
    told = list(rows)
    place = -1
    for result in results:
        name, reading = result.prepared.field.name, result.reading
        place = next(k for k in range(place + 1, len(told)) if told[k].field == name)
        if told[place].text != reading.text:  # known to hold no number
            continue
        digits = _digits(page, result)
        told[place] = tell(told[place], digits, reading)
        if isinstance(result, PrintedResult) and result.prepared.field.parts:
            parts = _parts(result, told[place].digits)
            for k in range(place + 1, min(place + 1 + len(PARTS), len(told))):
                told[k] = replace(told[k], digits=parts.get(told[k].field, ()) if told[k].text else ())
    return told


def alternatives(reading: Reading) -> tuple[Alternative, ...]:
    """The other texts of a field with their probabilities, best first."""
    # If nothing was read, there is no confidence to divide among them.
    shares = probabilities(reading)[1:] if reading.text else reading.alternatives
    told = [Alternative(text, round(float(share), KEPT_DECIMALS)) for text, share in shares]
    return tuple(sorted((one for one in told if one.confidence > 0), key=lambda one: -one.confidence))


def _digits(page: Page, result: FieldResult) -> tuple[Digit, ...]:
    reading = result.reading
    boxes = _printed_boxes(page, result) if isinstance(result, PrintedResult) else _written_boxes(page, result)
    told = doubts(reading.text, reading.confidence, probabilities(reading)[1:])
    return tuple(
        Digit(text, sure, box and page.stored(box), instead)
        for text, box, (sure, instead) in zip(reading.text, boxes, told, strict=True)
    )


def doubts(
    text: str, confidence: float, others: Sequence[tuple[str, float]]
) -> Iterator[tuple[float, tuple[Alternative, ...]]]:
    """For each digit of a text, the probability that it is right, and what else it may be.

    `confidence` is that of the whole text, and `others` are other texts with their probabilities.
    """
    right = [confidence] * len(text)
    instead: list[dict[str, float]] = [{} for _ in text]
    for other, share in others:
        if share < MIN_SHARE:
            continue
        for place, digit in aligned(text, other):
            if digit == text[place]:
                right[place] += share
            else:
                instead[place][digit] = instead[place].get(digit, 0.0) + share
    for sure, told in zip(right, instead, strict=True):
        rounded = (Alternative(digit, round(float(share), KEPT_DECIMALS)) for digit, share in told.items())
        found = sorted((one for one in rounded if one.confidence > 0), key=lambda one: (-one.confidence, one.text))
        yield round(min(1.0, float(sure)), KEPT_DECIMALS), tuple(found)


def aligned(text: str, other: str) -> list[tuple[int, str]]:
    """(place, digit): which digit of the other text, or none (""), is aligned with each digit of the text.

    A place is left out if its counterpart is not known.
    """
    if len(text) == len(other):
        return list(enumerate(other))
    found: list[tuple[int, str]] = []
    for kind, first, last, start, end in SequenceMatcher(None, text, other, autojunk=False).get_opcodes():
        if kind == "delete":
            found += [(place, "") for place in range(first, last)]
        elif last - first == end - start:
            found += zip(range(first, last), other[start:end], strict=True)
    return found


# ------------------------------------------------------------------------------------------------------- places


def _written_boxes(page: Page, result: HandwrittenResult) -> Sequence[Box | None]:
    """Where each digit is, px of the page: from the lattice, else from the cells of a comb, else from the line networks."""
    text, path, field = result.reading.text, result.reading.path, result.prepared.field
    if path:
        lattice = result.prepared.lattice
        return _on_page(page, field, [candidate_box(lattice, candidate) for candidate in path])
    comb = result.opinions.get("cells")
    if isinstance(comb, CombOpinion) and len(text) <= field.cells:
        return [_cell_box(field, cell) for cell in places(comb.scores, text)]
    lattice = result.prepared.lattice
    columns = columns_of(line_opinion(result.opinions).places(text), lattice.labels)
    boxes = [box_on_crop(lattice, Box(left, 0, right - left, len(lattice.ink))) for left, right in columns]
    return _on_page(page, field, boxes) or [None] * len(text)


def _printed_boxes(page: Page, result: PrintedResult) -> Sequence[Box | None]:
    """The same for a line of E-13B; unknown if a rule changed it."""
    reading, field, strip = result.reading, result.prepared.field, result.prepared.strip
    centers = [center for name, center in zip(reading.value, reading.centers, strict=True) if name in DIGIT_SYMBOLS]
    return _on_page(page, field, [part_box(strip, [center]) for center in centers]) or [None] * len(reading.text)


def _on_page(page: Page, field: Field, boxes: Sequence[Box]) -> list[Box]:
    """Boxes of the field's crop, in px of the page."""
    crop = field.crop.clip(page.width, page.height)
    return [Box(crop.left + box.left, crop.top + box.top, box.width, box.height) for box in boxes]


def _cell_box(field: Field, cell: int) -> Box:
    left, right = (field.box.left + round(k * field.box.width / field.cells) for k in (cell, cell + 1))
    return Box(left, field.box.top, right - left, field.box.height)


def _parts(result: PrintedResult, digits: Sequence[Digit]) -> dict[str, tuple[Digit, ...]]:
    """The digits of each part of a line of E-13B, by the name of the part."""
    value, own = result.reading.value, dict[str, tuple[Digit, ...]]()
    for part in parse(value, result.reading.centers):
        first, last = (sum(name in DIGIT_SYMBOLS for name in value[:place]) for place in (part.first, part.last))
        own[part.name] = tuple(digits[first:last])
    return own
