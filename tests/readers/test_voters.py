"""Every reader that votes, through the same contract, with the shipped networks."""

from __future__ import annotations

import numpy as np
import pytest

from docproc.readers import NETWORKS
from docproc.readers.evidence import COMB, FREE
from docproc.readers.handwriting import Handwritten, opinions_of, prepare, score_all
from docproc.readers.model import Model
from docproc.readers.voter import MAX_PROPOSED, Opinion
from docproc.readers.voters import FORMS, VOTERS
from docproc.rules import FieldRules
from docproc.types import Box, Field
from tests.conftest import draw_comb, draw_field

TEXT = "2407"
RULES = FieldRules(digits=(3, 3), bounds=(0, 500))


def prepared(cells: int) -> Handwritten:
    gray = draw_comb(TEXT) if cells else draw_field(TEXT)
    box = Box(0, 0, gray.shape[1], gray.shape[0])
    return prepare(Field("f", box, "comb" if cells else "string", (0, cells) if cells else None, cells=cells), gray)


def opinions(field: Handwritten, model: Model) -> dict[str, Opinion]:
    scores = score_all([field.views], model.networks)[0]
    return opinions_of(field.views, scores, field.field.digits, model.fitted)


def test_the_names_on_the_cards_are_those_of_the_readers() -> None:
    assert list(NETWORKS) == list(FORMS)


def test_who_reads_what() -> None:
    assert list(prepared(0).views) == ["lattice", "line"]
    assert list(prepared(4).views) == ["lattice", "line", "cells"]


@pytest.mark.parametrize("name", VOTERS)
def test_proposals_are_few_distinct_and_the_best_is_what_was_drawn(name: str, model: Model) -> None:
    opinion = opinions(prepared(4), model)[name]
    texts = opinion.propose(None, ())
    assert texts[0] == TEXT
    assert len(texts) == len(set(texts)) <= MAX_PROPOSED
    assert opinion.propose(None, ("9999",)) == texts


@pytest.mark.parametrize("name", VOTERS)
def test_with_rules_only_allowed_texts_are_proposed(name: str, model: Model) -> None:
    assert not RULES.allows(TEXT)
    found = opinions(prepared(4), model)[name].propose(RULES, ())
    assert found
    assert all(RULES.allows(text) for text in found)


@pytest.mark.parametrize("name", VOTERS)
def test_a_text_is_judged_the_same_whoever_is_judged_beside_it(name: str, model: Model) -> None:
    texts = [TEXT, "2401", "7", "", "240714"]
    together = opinions(prepared(4), model)[name].log_probabilities(texts)
    assert together.shape == (5,)
    assert np.isfinite(together).all()
    assert together[0] == together.max()
    other = opinions(prepared(4), model)[name]
    other.propose(None, ())
    apart = [other.log_probabilities([text])[0] for text in reversed(texts)]
    # What the search finds it judges by its own beam, which may miss some ways to a text.
    assert np.allclose(together, apart[::-1], atol=1e-3)
    assert other.log_probabilities([]).shape == (0,)


@pytest.mark.parametrize("cells", [0, 4])
def test_the_evidence_that_calibrations_were_fitted_on_is_there(cells: int, model: Model) -> None:
    heard = opinions(prepared(cells), model)
    names = {"share", "lead", "agreed", "digits", *heard, *(f"{name}_lead" for name in heard)}
    for opinion in heard.values():
        evidence = opinion.evidence(TEXT)
        assert all(np.isfinite(number) for number in evidence.values())
        names |= evidence.keys()
    assert names == (set(COMB) | set(FREE) if cells else set(FREE))


def test_fields_read_together_are_scored_as_each_alone(model: Model) -> None:
    fields = [prepared(0), prepared(4), prepared(0)]
    together = score_all([field.views for field in fields], model.networks)
    for field, scores in zip(fields, together, strict=True):
        alone = score_all([field.views], model.networks)[0]
        assert scores.keys() == alone.keys() == field.views.keys()
        assert all(np.allclose(scores[name], alone[name], atol=1e-5) for name in scores)


def test_no_fields_no_scores(model: Model) -> None:
    assert score_all([], model.networks) == []
