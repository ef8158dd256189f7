from __future__ import annotations

import numpy as np
import pytest

from docproc.meaning.marks import MarkedDigits, marked_digits
from docproc.types import Candidate, Lattice
from tests.meaning.drawn import box_of, drawn


def marked(text: str) -> MarkedDigits:
    lattice, path, _ = drawn(text)
    return marked_digits(lattice, path)


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
    assert [(mark.kind, mark.place, mark.sure) for mark in marked(text).marks] == kinds


def test_a_line_is_measured_in_digit_heights() -> None:
    found = marked("14.07").digits
    assert found.shape == (4, 4)
    assert np.abs(found[:, 1]).max() < 0.15
    assert np.abs(found[:, 3] - 1).max() < 0.15


def test_a_point_that_a_candidate_took_along_is_a_mark() -> None:
    lattice, path, _ = drawn("14.07")
    before = lattice.candidates[1]
    joined = Candidate(before.first, before.last + 1, (*before.pieces, before.last), box_of(np.isin(lattice.labels, (2, 3))))
    candidates = (lattice.candidates[0], joined, *lattice.candidates[2:])
    whole = Lattice(lattice.ink, lattice.labels, lattice.pieces, candidates, lattice.geometry, lattice.to_ink)
    (mark,) = marked_digits(whole, path).marks
    assert (mark.kind, mark.place) == ("point", 2)
