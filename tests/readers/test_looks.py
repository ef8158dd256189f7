"""The first look at a field, and what is asked where it is not sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from docproc.readers.handwriting import FIRST, Handwritten, HandwrittenResult, prepare, read_all, read_as
from docproc.readers.model import Model
from docproc.rules import FieldRules
from docproc.types import Box, Field
from tests.conftest import draw_comb, draw_field

TEXT = "2407"
ALL = ["lattice", "line", "wide", "verifier"]


def field(text: str = TEXT, *, cells: int = 0, rules: FieldRules | None = None) -> Handwritten:
    gray = draw_comb(text) if cells else draw_field(text)
    box = Box(0, 0, gray.shape[1], gray.shape[0])
    digits = (0, cells) if cells else None
    return prepare(Field("f", box, "comb" if cells else "string", digits, cells=cells, rules=rules), gray)


def settling(model: Model, least: float) -> Model:
    """The model, whose first look settles a field with at least this confidence."""
    return replace(model, first=replace(model.first, settled=least))


def read(model: Model, *items: Handwritten) -> list[HandwrittenResult]:
    return read_all(items, model)


def test_what_the_first_look_settles_nobody_else_is_asked_about(model: Model) -> None:
    (easy,) = read(settling(model, 0.0), field())
    assert list(easy.opinions) == list(FIRST)
    assert easy.reading.text == TEXT
    (asked,) = read(settling(model, 1.1), field())
    assert list(asked.opinions) == ALL
    assert asked.reading.text == TEXT
    assert asked.reading.path == easy.reading.path


def test_the_first_look_settles_most_clean_fields(model: Model) -> None:
    found = read(model, *(field(text) for text in ("2407", "316", "8250", "97", "5043")))
    assert sum(list(result.opinions) == list(FIRST) for result in found) >= 3


def test_fields_are_read_alike_alone_and_together(model: Model) -> None:
    items = [field("2407"), field("1178"), field(TEXT, cells=4), field("60093")]
    doubtful = settling(model, float(np.median([read(settling(model, 0.0), item)[0].reading.confidence for item in items])))
    together = read(doubtful, *items)
    assert len({tuple(result.opinions) for result in together}) == 3  # settled, asked on, and a comb
    for item, result in zip(items, together, strict=True):
        (alone,) = read(doubtful, item)
        assert (alone.reading.text, alone.reading.confidence) == (result.reading.text, result.reading.confidence)


def test_a_text_that_breaks_the_rules_is_not_settled(model: Model) -> None:
    rules = FieldRules(digits=(3, 3), bounds=(0, 500))
    (result,) = read(settling(model, 0.0), field(rules=rules))
    assert list(result.opinions) == ALL


def test_other_rules_may_open_a_field_again(model: Model) -> None:
    sure = settling(model, 0.0)
    (settled,) = read(sure, field())
    kept = read_as(settled, replace(settled.prepared.field, rules=FieldRules(digits=(4, 4))), sure)
    assert list(kept.opinions) == list(FIRST)
    assert kept.reading.text == TEXT
    opened = read_as(settled, replace(settled.prepared.field, rules=FieldRules(digits=(3, 3), bounds=(0, 500))), sure)
    assert list(opened.opinions) == ALL
    # What was asked stays asked.
    again = read_as(opened, replace(opened.prepared.field, rules=FieldRules(digits=(4, 4))), sure)
    assert list(again.opinions) == ALL
    assert again.reading.text == TEXT


def test_combs_and_blank_fields_have_no_first_look(model: Model) -> None:
    (comb,) = read(settling(model, 0.0), field(cells=4))
    assert list(comb.opinions) == ["lattice", "line", "cells"]
    gray = np.full((60, 200), 255, np.uint8)
    (blank,) = read(settling(model, 1.1), prepare(Field("f", Box(0, 0, 200, 60), "string"), gray))
    assert (blank.reading.text, blank.reading.confidence) == ("", 0.0)


@pytest.mark.parametrize("kind", ["string", "amount", "decimal"])
def test_both_looks_promise_with_the_same_thresholds(model: Model, kind: str) -> None:
    first, last = model.first.calibrations, model.calibrations
    assert first[kind].thresholds == last[kind].thresholds  # type: ignore[index]
    assert 0.5 < model.first.settled < 1.0
