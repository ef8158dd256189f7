from __future__ import annotations

from dataclasses import replace

import pytest

from docproc.readers.separators import weigh_separators
from docproc.readers.vote import Ballot, Verdict
from docproc.types import Candidate, Lattice
from tests.meaning.drawn import box_of, drawn


def comma_read_as_1() -> tuple[Lattice, Ballot, Ballot]:
    """An amount of two commas, as it is and with the first comma read as a digit."""
    lattice, path, text = drawn("12;500;000")
    comma = 2  # its piece
    one = Candidate(comma, comma + 1, (comma,), box_of(lattice.labels == comma + 1))
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
