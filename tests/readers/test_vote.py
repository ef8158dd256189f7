from __future__ import annotations

import numpy as np
import pytest

from docproc.readers.handwriting import lattice_opinion
from docproc.readers.lattice import LatticeOpinion
from docproc.readers.line import LineOpinion
from docproc.readers.vote import Ballot, Weights, ballots, vote
from docproc.readers.voter import Opinion
from docproc.types import Box, Candidate, Frames, Lattice, Scores
from tests.readers.lattice.test_search import scores_of
from tests.readers.test_ctc import BLANK, frames_of, with_marks

EVEN = Weights({"lattice": 1.0, "line": 1.0})


def lattice(*spans: tuple[int, int]) -> Lattice:
    candidates = tuple(Candidate(first, last, tuple(range(first, last)), Box(0, 0, 1, 1)) for first, last in spans)
    ink, labels = np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.int32)
    pieces = max(last for _, last in spans)
    return Lattice(ink, labels, pieces, candidates, np.zeros((len(spans), 1), np.float32), np.eye(2, 3))


def ballot(text: str, by_lattice: float, by_line: float) -> Ballot:
    return Ballot(text, {"lattice": by_lattice, "line": by_line})


def opinions(cut: Lattice, scores: Scores, frames: Frames, digits: tuple[int, int] | None = None) -> dict[str, Opinion]:
    odds = np.full(len(cut.candidates), 6.0)
    return {"lattice": LatticeOpinion(cut, scores, odds, digits), "line": LineOpinion(with_marks(frames))}


def test_where_both_agree_the_verdict_is_surer_than_either() -> None:
    cast = (ballot("17", np.log(0.8), np.log(0.7)), ballot("11", np.log(0.2), np.log(0.3)))
    verdict = vote(cast, EVEN)
    assert verdict.agreed
    assert verdict.ballots[0].text == "17"
    assert verdict.shares[0] > 0.8


def test_the_surer_reader_wins_a_dispute() -> None:
    cast = (ballot("17", np.log(0.55), np.log(0.01)), ballot("11", np.log(0.45), np.log(0.99)))
    verdict = vote(cast, EVEN)
    assert not verdict.agreed
    assert verdict.ballots[0].text == "11"
    assert vote(cast, Weights({"lattice": 1.0, "line": 0.0})).ballots[0].text == "17"


def test_a_weight_against_leading_zeros() -> None:
    cast = (ballot("0000", np.log(0.6), np.log(0.6)), ballot("8000", np.log(0.4), np.log(0.4)))
    weights = Weights({"lattice": 1.0, "line": 1.0}, -3.0)
    assert vote(cast, EVEN).ballots[0].text == "0000"
    assert vote(cast, weights).ballots[0].text == "8000"
    lone = (ballot("0", np.log(0.6), np.log(0.6)), ballot("8", np.log(0.4), np.log(0.4)))
    assert vote(lone, weights).ballots[0].text == "0"


def test_no_ballots_no_verdict() -> None:
    assert vote((), EVEN).ballots == ()


def test_a_text_that_only_the_line_proposes_is_looked_up_in_the_lattice() -> None:
    # The lattice sees 7 and 7, the line 7 and 2.
    heard = opinions(lattice((0, 1), (1, 2)), scores_of(7, 7, share=0.9999), frames_of({7: 1}, {BLANK: 1}, {2: 1}))
    found = {ballot.text: ballot.logs for ballot in ballots(heard)}
    assert lattice_opinion(heard).path("72") == (0, 1)
    assert found["72"]["line"] > found["77"]["line"]
    assert found["77"]["lattice"] > found["72"]["lattice"]


def test_a_text_that_the_lattice_has_no_way_to_is_kept_without_a_path() -> None:
    heard = opinions(lattice((0, 1)), scores_of(7), frames_of({7: 1}, {BLANK: 1}, {2: 1}))
    found = {ballot.text: ballot.logs for ballot in ballots(heard)}
    assert lattice_opinion(heard).path("72") == ()
    assert found["72"]["lattice"] < -10


def test_the_length_that_is_asked_for_is_kept() -> None:
    frames = frames_of({7: 1}, {BLANK: 1}, {2: 1})
    cast = ballots(opinions(lattice((0, 1), (1, 2)), scores_of(7, 7), frames, digits=(1, 1)), digits=(1, 1))
    assert cast
    assert all(len(ballot.text) <= 1 for ballot in cast)


def test_that_a_digit_is_expected_does_not_make_one_of_nothing() -> None:
    # Every reader is sure that nothing is there, and the form expects a digit.
    blank = with_marks(frames_of({BLANK: 1}, {BLANK: 1}))
    scores = scores_of(1, share=0.01)
    scores[:, -1] = 0.94
    cut = LatticeOpinion(lattice((0, 1)), scores, np.array([-2.8]), (1, 6))
    heard: dict[str, Opinion] = {"lattice": cut, "line": LineOpinion(blank)}
    verdict = vote(ballots(heard, (1, 6)), Weights({"lattice": 0.5, "line": 0.5}))
    assert verdict.ballots[0].text == ""
    assert cut.log_probabilities(["1"])[0] < np.log(0.1)


def test_weights_survive_the_card() -> None:
    weights = Weights({"lattice": 0.5, "line": 0.25, "cells": 0.0}, -2.0)
    assert Weights.from_card(weights.to_card()) == weights
    with pytest.raises(KeyError):
        Weights.from_card({"lattice": 1})
