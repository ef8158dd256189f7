from __future__ import annotations

import numpy as np
import pytest

from docproc.readers.vote import Ballot, Weights, ballots, vote
from docproc.types import Box, Candidate, Lattice
from tests.readers.lattice.test_decode import scores_of
from tests.readers.test_ctc import BLANK, frames_of

EVEN = Weights(1.0, 1.0)


def lattice(*spans: tuple[int, int]) -> Lattice:
    candidates = tuple(Candidate(first, last, tuple(range(first, last)), Box(0, 0, 1, 1)) for first, last in spans)
    ink, labels = np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.int32)
    pieces = max(last for _, last in spans)
    return Lattice(ink, labels, pieces, candidates, np.zeros((len(spans), 1), np.float32), np.eye(2, 3))


def test_where_both_agree_the_verdict_is_surer_than_either() -> None:
    cast = (Ballot("17", np.log(0.8), np.log(0.7), ()), Ballot("11", np.log(0.2), np.log(0.3), ()))
    verdict = vote(cast, EVEN)
    assert verdict.agreed
    assert verdict.ballots[0].text == "17"
    assert verdict.shares[0] > 0.8


def test_the_surer_reader_wins_a_dispute() -> None:
    cast = (Ballot("17", np.log(0.55), np.log(0.01), ()), Ballot("11", np.log(0.45), np.log(0.99), ()))
    verdict = vote(cast, EVEN)
    assert not verdict.agreed
    assert verdict.ballots[0].text == "11"
    assert vote(cast, Weights(1.0, 0.0)).ballots[0].text == "17"


def test_a_weight_against_leading_zeros() -> None:
    cast = (Ballot("0000", np.log(0.6), np.log(0.6), ()), Ballot("8000", np.log(0.4), np.log(0.4), ()))
    weights = Weights(1.0, 1.0, -3.0)
    assert vote(cast, EVEN).ballots[0].text == "0000"
    assert vote(cast, weights).ballots[0].text == "8000"
    lone = (Ballot("0", np.log(0.6), np.log(0.6), ()), Ballot("8", np.log(0.4), np.log(0.4), ()))
    assert vote(lone, weights).ballots[0].text == "0"


def test_no_ballots_no_verdict() -> None:
    assert vote((), EVEN).ballots == ()


def test_a_text_that_only_the_line_proposes_is_looked_up_in_the_lattice() -> None:
    # The lattice sees 7 and 7, the line 7 and 2.
    cast = ballots(
        lattice((0, 1), (1, 2)),
        np.array([6.0, 6.0]),
        scores_of(7, 7, share=0.9999),
        frames_of({7: 1}, {BLANK: 1}, {2: 1}),
    )
    found = {ballot.text: ballot for ballot in cast}
    assert found["72"].path == (0, 1)
    assert found["72"].line > found["77"].line
    assert found["77"].lattice > found["72"].lattice


def test_a_text_that_the_lattice_has_no_way_to_is_kept_without_a_path() -> None:
    cast = ballots(lattice((0, 1)), np.array([6.0]), scores_of(7), frames_of({7: 1}, {BLANK: 1}, {2: 1}))
    found = {ballot.text: ballot for ballot in cast}
    assert found["72"].path == ()
    assert found["72"].lattice < -10


def test_the_length_that_is_asked_for_is_kept() -> None:
    cast = ballots(
        lattice((0, 1), (1, 2)), np.array([6.0, 6.0]), scores_of(7, 7), frames_of({7: 1}, {BLANK: 1}, {2: 1}), digits=(1, 1)
    )
    assert {len(ballot.text) for ballot in cast} == {1}


def test_weights_survive_the_card() -> None:
    assert Weights.from_card(Weights(0.5, 0.25, -2.0).to_card()) == Weights(0.5, 0.25, -2.0)
    with pytest.raises(KeyError):
        Weights.from_card({"lattice": 1})
