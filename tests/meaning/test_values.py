"""Amounts and dates as they are drawn: marks told apart, and what the fields mean."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.meaning.amounts import FRACTION, UNSETTLED
from docproc.meaning.marks import Line, line_of
from docproc.meaning.values import CENTLESS, IMPOSSIBLE, OPEN, UNPLACED, amount_value, date_value, weigh_separators, written
from docproc.readers.vote import Ballot, Verdict
from docproc.rules import DateWindow, FieldRules
from docproc.types import Box, Candidate, Ink, Lattice

HEIGHT, BASE, PEN = 40, 60, 4

# Strokes of marks, in digit heights: right from where they begin, down from the upper end of the digits.
STROKES: dict[str, list[list[tuple[float, float]]]] = {
    ".": [[(0.06, 0.95), (0.08, 0.97)]],
    ",": [[(0.10, 0.88), (0.02, 1.20)]],
    ";": [[(0.16, 0.62), (0.02, 1.22)]],  # a comma as tall as they come
    "-": [[(0.0, 0.55), (0.45, 0.52)]],
    "=": [[(0.0, 0.42), (0.45, 0.40)], [(0.0, 0.66), (0.45, 0.64)]],
    "/": [[(0.36, -0.05), (0.0, 1.10)]],
    "|": [[(0.05, -0.05), (0.0, 1.05)]],
    "'": [[(0.0, 0.70), (0.02, 0.70)]],  # a little high for a point
    "%": [[(0.0, -0.1), (0.8, -0.1)], [(0.2, -0.1), (0.2, -0.45)], [(0.6, -0.1), (0.6, -0.45)]],  # cents and their bar
    " ": [],
}


def drawn(text: str) -> tuple[Lattice, tuple[int, ...], str]:
    """The lattice of a field with each sign a piece, the path over its digits, and the digits.

    Digits after `^` are small and raised; `_` underlines the last two; `%` stands above what follows.
    """
    rng = np.random.default_rng(len(text))
    ink: Ink = np.zeros((BASE + 30, 60 * len(text) + 40), np.uint8)
    labels: NDArray[np.int32] = np.zeros(ink.shape, np.int32)
    candidates, digits, x, small = list[Candidate](), "", 12, False

    def lay(part: Ink, left: int, top: int) -> None:
        where = np.s_[top : top + part.shape[0], left : left + part.shape[1]]
        labels[where][part > 110] = pieces + 1
        ink[where] = np.maximum(ink[where], part)

    pieces = 0
    for sign in text:
        if sign == "^":
            small = True
            continue
        if sign == "_":
            start = candidates[-2].box.left - 3
            line = np.full((PEN, x - start), 255, np.uint8)
            lay(line, start, BASE - 10 if small else BASE + 4)
        elif sign.isdigit():
            height = 0.6 * HEIGHT if small else float(HEIGHT)
            part, base = draw_digit(int(sign), height, Pen(0.1, 0.0), rng, 0)
            lay(part, x, (BASE - 16 if small else BASE) - base)
            candidates.append(Candidate(pieces, pieces + 1, (pieces,), _box(labels == pieces + 1)))
            digits += sign
            x += part.shape[1] + 4
        else:
            part = np.zeros((BASE + 30, HEIGHT), np.uint8)
            for stroke in STROKES[sign]:
                points = np.rint(np.array(stroke) * HEIGHT + (4, BASE - HEIGHT)).astype(np.int32)
                cv2.polylines(part, [points], isClosed=False, color=255, thickness=PEN)
            lay(part, x, 0)
            if sign != "%":
                x += 10 + int(part.any(axis=0).sum()) if STROKES[sign] else round(0.7 * HEIGHT)
        pieces += 1
    geometry = np.zeros((len(candidates), 21), np.float32)
    lattice = Lattice(ink, labels, pieces, tuple(candidates), geometry, np.array([[1.0, 0, 0], [0, 1.0, 0]]))
    return lattice, tuple(range(len(candidates))), digits


def _box(mask: NDArray[np.bool_]) -> Box:
    return Box(*cv2.boundingRect(mask.astype(np.uint8)))


def line(text: str) -> Line:
    return line_of(*drawn(text))


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("1407", []),
        ("14.07", [("point", 2, True)]),
        ("1,407", [("comma", 1, True)]),
        ("1;407", [("comma", 1, True)]),
        ("11/25/2019", [("slash", 2, True), ("slash", 4, True)]),
        ("500/-", [("slash", 3, True), ("dash", 3, True)]),
        ("500|-", [("slash", 3, True), ("dash", 3, True)]),
        ("500=", [("dash", 3, True), ("dash", 3, True)]),
        ("5-5", [("dash", 1, True)]),
        ("5'5", [("point", 1, False)]),
        (".55", [("point", 0, True)]),
        ("1.500.-", [("point", 1, True), ("point", 4, True), ("dash", 4, True)]),
    ],
)
def test_marks_are_told_apart(text: str, kinds: list[tuple[str, int, bool]]) -> None:
    assert [(mark.kind, mark.place, mark.sure) for mark in line(text).marks] == kinds


def test_a_line_is_measured_in_digit_heights() -> None:
    found = line("14.07").digits
    assert found.shape == (4, 4)
    assert np.abs(found[:, 1]).max() < 0.15
    assert np.abs(found[:, 3] - 1).max() < 0.15


def test_a_point_that_a_candidate_took_along_is_a_mark() -> None:
    lattice, path, text = drawn("14.07")
    before = lattice.candidates[1]
    joined = Candidate(before.first, before.last + 1, (*before.pieces, before.last), _box(np.isin(lattice.labels, (2, 3))))
    candidates = (lattice.candidates[0], joined, *lattice.candidates[2:])
    whole = Lattice(lattice.ink, lattice.labels, lattice.pieces, candidates, lattice.geometry, lattice.to_ink)
    (mark,) = line_of(whole, path, text).marks
    assert (mark.kind, mark.place) == ("point", 2)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1500", "1500"),
        ("1,234.56", "1234.56"),
        ("1.234,56", "1234.56"),
        ("1,23,456/-", "123456"),
        ("1;23;456|-", "123456"),
        ("1.500.-", "1500"),
        ("200=", "200"),
        ("-200-", "200"),
        ("200.00", "200.00"),
        ("15^50", "15.50"),
        ("15^50_", "15.50"),
        ("5^00_", "5.00"),
        ("5^00", ""),
        ("1500_", "1500"),  # part of a ruled line
        ("1 500", "1500"),
        ("500-00", "500.00"),
        ("1200 34/100", "1200.34"),
        ("120034 100", ""),
        ("12003411 00", ""),
        ("8 100", "8100"),
        ("300 00", ""),
        ("15'00", ""),
        ("1,5", ""),
        ("12;34;5", ""),
    ],
)
def test_the_value_of_a_drawn_amount(text: str, value: str) -> None:
    assert amount_value(*drawn(text))[0] == value


@pytest.mark.parametrize(
    ("text", "value"), [("15050", ""), ("150.50", "150.50"), ("1,505", ""), ("150-", "150"), ("15^05", "15.05")]
)
def test_where_cents_are_always_written(text: str, value: str) -> None:
    found, doubt = amount_value(*drawn(text), cents=True)
    assert found == value
    assert doubt == ("" if value else CENTLESS)


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("8 %100", FRACTION),
        ("850 %100", FRACTION),
        ("8 %200", UNSETTLED),
        ("8 100", ""),
        ("%850 100", UNSETTLED),
        ("8 %34/100", ""),
        ("850341100", FRACTION),
        ("850,341,100", ""),
    ],
)
def test_a_hundred_below_cents_that_were_not_read_is_no_amount(text: str, doubt: str) -> None:
    found = amount_value(*drawn(text))
    assert (found[1], not found[0]) == (doubt, bool(doubt))


@pytest.mark.parametrize(
    ("feet", "heights", "slope", "raised"),
    [
        ([1.0, 1.2, 1.0, 1.2], [1.0, 1.0, 0.8, 0.7], -0.3, None),  # the base line rises to the raised digits
        ([1.0, 1.2, 1.0, 1.2], [1.0, 1.0, 0.8, 0.7], 0.0, False),
        ([1.0, 1.2, 1.0, 1.2], [1.0, 1.0, 1.0, 1.0], -0.3, False),
        ([1.0, 1.0, 1.0, 0.4, 0.4], [1.0, 0.8, 1.2, 0.6, 0.8], 0.0, None),  # a small digit among the large ones
        ([1.0, 1.0, 1.0, 0.4, 0.4], [1.0, 1.0, 1.0, 0.6, 0.6], 0.0, True),
    ],
)
def test_raised_cents_are_doubted_where_they_are_not_clear(
    feet: list[float], heights: list[float], slope: float, raised: bool | None
) -> None:
    left = np.arange(len(feet), dtype=np.float64)
    bottom = np.array(feet)
    digits = np.column_stack([left, bottom - heights, left + 0.7, bottom])
    assert written(Line(digits, (), slope), "12345"[: len(feet)]).raised is raised


def test_an_amount_without_a_path_has_no_value() -> None:
    lattice, _, text = drawn("15.50")
    assert amount_value(lattice, (), text) == ("", UNPLACED)


@pytest.mark.parametrize(
    ("text", "rules", "value", "doubt"),
    [
        ("11/25/2019", FieldRules(date="auto"), "2019-11-25", ""),
        ("25/11/2019", FieldRules(date="auto"), "2019-11-25", ""),
        ("11/12/2019", FieldRules(date="auto"), "", OPEN),
        ("11/12/2019", FieldRules(date="MDY"), "2019-11-12", ""),
        ("11/12/2019", FieldRules(date="DMY"), "2019-12-11", ""),
        ("5-5-2015", FieldRules(date="auto"), "2015-05-05", ""),
        ("1-11-2019", FieldRules(date="MDY"), "2019-01-11", ""),
        ("11-1-2019", FieldRules(date="MDY"), "2019-11-01", ""),
        ("1112019", FieldRules(date="MDY"), "", OPEN),
        ("2019.11.25", FieldRules(date="auto"), "2019-11-25", ""),
        ("31/02/2019", FieldRules(date="auto"), "", IMPOSSIBLE),
        ("25112019", FieldRules(date="DDMMYYYY"), "2019-11-25", ""),
    ],
)
def test_the_value_of_a_drawn_date(text: str, rules: FieldRules, value: str, doubt: str) -> None:
    lattice, path, digits = drawn(text)
    assert date_value(rules, lattice, path, digits) == (value, doubt)


def test_a_date_outside_of_its_window_keeps_its_value() -> None:
    from datetime import date

    lattice, path, digits = drawn("25/11/2019")
    window = DateWindow("6m", date(2026, 11, 21))
    value, doubt = date_value(FieldRules(date="auto"), lattice, path, digits, window)
    assert value == "2019-11-25"
    assert doubt.startswith("stale")


def comma_read_as_1() -> tuple[Lattice, Ballot, Ballot]:
    """An amount of two commas, as it is and with the first comma read as a digit."""
    lattice, path, text = drawn("12;500;000")
    comma = 2  # its piece
    one = Candidate(comma, comma + 1, (comma,), _box(lattice.labels == comma + 1))
    lattice = replace(lattice, candidates=(*lattice.candidates, one))
    misread = Ballot(f"{text[:2]}1{text[2:]}", -0.5, -0.5, (*path[:2], len(path), *path[2:]))
    return lattice, Ballot(text, -1.0, -1.0, path), misread


def test_a_comma_that_was_read_as_a_digit_gives_way() -> None:
    lattice, right, misread = comma_read_as_1()
    found = weigh_separators(Verdict((misread, right), (0.7, 0.3), agreed=True), lattice)
    assert [ballot.text for ballot in found.ballots] == ["12500000", "121500000"]
    assert not found.agreed
    assert sum(found.shares) == pytest.approx(1)


def test_what_fits_its_separators_is_believed_more() -> None:
    lattice, right, misread = comma_read_as_1()
    found = weigh_separators(Verdict((right, misread), (0.7, 0.3), agreed=True), lattice)
    assert found.ballots == (right, misread)
    assert found.shares[0] > 0.95
    assert found.agreed


def test_what_is_sure_and_consistent_stays() -> None:
    lattice, path, text = drawn("12,500")
    votes = (Ballot(text, -0.1, -0.1, path), Ballot("1250", -3.0, -3.0, path[:4]))
    verdict = Verdict(votes, (0.98, 0.02), agreed=True)
    assert weigh_separators(verdict, lattice) is verdict
