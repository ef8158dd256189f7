from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from docproc.meaning.marks import MarkedDigits, marked_digits
from docproc.readers.separators import weigh_separators
from docproc.readers.vote import Ballot, Verdict
from docproc.types import Candidate, Lattice
from tests.meaning.drawn import box_of, drawn


def ballot(text: str, log: float) -> Ballot:
    return Ballot(text, {"lattice": log, "line": log})


def marked_by(lattice: Lattice, paths: Mapping[str, tuple[int, ...]]) -> Callable[[str], MarkedDigits]:
    return lambda text: marked_digits(lattice, paths[text])


def comma_read_as_1() -> tuple[Callable[[str], MarkedDigits], Ballot, Ballot]:
    """An amount of two commas, as it is and with the first comma read as a digit."""
    lattice, path, text = drawn("12;500;000")
    comma = 2  # its piece
    one = Candidate(comma, comma + 1, (comma,), box_of(lattice.labels == comma + 1))
    lattice = replace(lattice, candidates=(*lattice.candidates, one))
    misread = f"{text[:2]}1{text[2:]}"
    marked = marked_by(lattice, {text: path, misread: (*path[:2], len(path), *path[2:])})
    return marked, ballot(text, -1.0), ballot(misread, -0.5)


def test_a_comma_that_was_read_as_a_digit_gives_way() -> None:
    marked, right, misread = comma_read_as_1()
    found = weigh_separators(Verdict((misread, right), (0.7, 0.3), agreed=True), marked)
    assert [ballot.text for ballot in found.ballots] == ["12500000", "121500000"]
    assert not found.agreed
    assert sum(found.shares) == pytest.approx(1)


def test_what_fits_its_separators_is_believed_more() -> None:
    marked, right, misread = comma_read_as_1()
    found = weigh_separators(Verdict((right, misread), (0.7, 0.3), agreed=True), marked)
    assert found.ballots == (right, misread)
    assert found.shares[0] > 0.95
    assert found.agreed


def test_what_is_sure_and_consistent_stays() -> None:
    lattice, path, text = drawn("12,500")
    votes = (ballot(text, -0.1), ballot("1250", -3.0))
    verdict = Verdict(votes, (0.98, 0.02), agreed=True)
    assert weigh_separators(verdict, marked_by(lattice, {text: path, "1250": path[:4]})) is verdict
