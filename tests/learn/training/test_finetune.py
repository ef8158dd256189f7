"""The brakes: which figures let a model take the place of another."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from docproc.errors import MissingPart
from docproc.learn.composing.strips import Digits
from docproc.learn.evaluation.scoring import Judged
from docproc.learn.training.export import file_hash
from docproc.learn.training.finetune import (
    RECIPE,
    Drawn,
    Figures,
    fields_needed,
    gain,
    learn,
    likely_gain,
    measured,
    refusals,
)
from docproc.learn.training.handwriting import FILES
from docproc.types import GLYPH_SIDE
from docproc.weights.cards import network_files, read_card

BEFORE = Figures(200, 170, 0.60, 120, 1)
AFTER = Figures(200, 180, 0.70, 140, 1)
KEPT = Figures(2000, 1700, 0.50, 1000, 10)


def judged(rights: list[bool], sure: list[float], status: str = "ok") -> tuple[Judged, ...]:
    return tuple(
        Judged(str(k), 1, "f", "1", "1" if right else "7", p, right, True, status)
        for k, (right, p) in enumerate(zip(rights, sure, strict=True))
    )


def test_a_model_that_reads_better_and_forgets_nothing_is_taken() -> None:
    assert refusals((BEFORE, AFTER), (KEPT, KEPT), 0.05, 0.01) == ()
    # A little may be forgotten, and accepted fields may be wrong up to the error that is allowed.
    assert refusals((BEFORE, AFTER), (KEPT, replace(KEPT, read_rate=0.4901)), 0.05, 0.01) == ()
    assert refusals((replace(BEFORE, wrong=0), AFTER), (KEPT, KEPT), 0.05, 0.01) == ()
    assert refusals((BEFORE, AFTER), (KEPT, replace(KEPT, wrong=14)), 0.05, 0.01) == ()
    assert refusals((BEFORE, AFTER), (KEPT, replace(KEPT, accepted=0, wrong=0)), 0.05, 0.01) == ()


@pytest.mark.parametrize(
    ("held", "kept", "likely", "told"),
    [
        ((BEFORE, replace(AFTER, read_rate=0.60)), (KEPT, KEPT), 0.05, "no more fields"),
        ((BEFORE, replace(AFTER, read_rate=0.30)), (KEPT, KEPT), 0.05, "no more fields"),
        ((BEFORE, AFTER), (KEPT, KEPT), 0.0, "may be chance"),
        ((BEFORE, AFTER), (KEPT, replace(KEPT, read_rate=0.4899)), 0.05, "of the composed fields fewer"),
        ((BEFORE, replace(AFTER, wrong=2)), (KEPT, KEPT), 0.05, "on the documents that were held back more of the accepted"),
        ((BEFORE, AFTER), (KEPT, replace(KEPT, wrong=17)), 0.05, "on the composed fields more of the accepted"),
        ((replace(BEFORE, fields=99), replace(AFTER, fields=99)), (KEPT, KEPT), 0.05, "it takes 100"),
    ],
)
def test_each_brake_holds_alone(held: tuple[Figures, Figures], kept: tuple[Figures, Figures], likely: float, told: str) -> None:
    reasons = refusals(held, kept, likely, 0.01)
    assert len(reasons) == 1
    assert told in reasons[0]


def test_as_many_fields_are_needed_as_one_mistake_takes() -> None:
    assert [fields_needed(error) for error in (0.001, 0.01, 0.02, 0.05, 0.5)] == [1000, 100, 50, 50, 50]


def test_what_is_measured() -> None:
    found = measured(judged([True, True, False, True], [0.9, 0.8, 0.7, 0.6]), 0.25)
    assert found == Figures(4, 3, 1.0, 4, 1)
    assert found.error == 0.25
    assert measured(judged([True, True, False, True], [0.9, 0.8, 0.7, 0.6], "review"), 0.01) == Figures(4, 3, 0.5, 0, 0)


def test_a_gain_that_hangs_on_one_field_is_no_likely_one() -> None:
    sure = np.linspace(1, 0.5, 200).tolist()
    before = judged([k not in range(100, 120) for k in range(200)], sure)
    luck = judged([k not in (99, *range(102, 121)) for k in range(200)], sure)
    better = judged([k not in range(160, 180) for k in range(200)], sure)
    assert measured(better, 0.01).read_rate > measured(luck, 0.01).read_rate > measured(before, 0.01).read_rate
    assert likely_gain(before, luck, 0.01) <= 0 < likely_gain(before, better, 0.01)
    low, high = gain(before, better, 0.01)
    assert low < measured(better, 0.01).read_rate - measured(before, 0.01).read_rate < high


def test_a_network_without_lessons_stays_as_it_is(tmp_path: Path) -> None:
    base = network_files("tensorflow")
    card = read_card(base["glyphs"])
    none = np.zeros((0, GLYPH_SIDE, GLYPH_SIDE), np.uint8)
    assert learn(RECIPE, [], Digits.of(none, none[:, 0, 0]), base, card, tmp_path, 1, print) == {}
    assert {path.name: file_hash(path) for path in tmp_path.iterdir()} == {name: card["sha256"][name] for name in FILES}
    with pytest.raises(MissingPart, match="not the model that its card describes"):
        learn(RECIPE, [], Digits.of(none, none[:, 0, 0]), base, {"sha256": {}}, tmp_path, 1, print)


def test_drawn_digits_to_judge_by_are_others_than_those_to_train_on() -> None:
    drawn = Drawn.of(None)
    assert drawn.train.images.shape[1:] == (GLYPH_SIDE, GLYPH_SIDE)
    assert not {image.tobytes() for image in drawn.train.images} & {image.tobytes() for image in drawn.test.images}
    assert [len(places) for places in drawn.test.by_class] == [75] * 10
