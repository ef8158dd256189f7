"""A user's own thresholds: what they do to a field, and what they are not good for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from docproc.errors import BadConfig, BadUsage
from docproc.readers.confidence import too_low
from docproc.readers.model import Model
from docproc.types import Box, Field, Reading, Row
from docproc.weights.thresholds import own_thresholds, read_thresholds, thresholds_file

MODELS = {"glyphs": "a" * 64, "card": "b" * 64}
STRICT, LOOSE = {"max_error": 0.01, "confidence": 0.9}, {"max_error": 0.05, "confidence": 0.6}
GROUPS = [
    {"fields": ["amount"], "truth": 900, "thresholds": [LOOSE, STRICT]},
    {"fields": ["men", "women"], "truth": 99, "thresholds": [LOOSE | {"confidence": 0.7}]},
    {"fields": ["date"], "truth": 3, "thresholds": []},
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.json"
    path.write_text(thresholds_file(MODELS, 0.95, GROUPS))
    return path


def test_each_field_has_its_own(file: Path) -> None:
    assert own_thresholds(file, MODELS, 0.05) == {"amount": 0.6, "men": 0.7, "women": 0.7, "date": 1.01}
    # What is not promised is not accepted.
    assert own_thresholds(file, MODELS, 0.02) == {"amount": 0.9, "men": 1.01, "women": 1.01, "date": 1.01}


def test_other_networks_are_refused(file: Path) -> None:
    for changed in ({"glyphs": "c" * 64}, {"card": "c" * 64}, {"more": "d" * 64}):
        with pytest.raises(BadConfig, match="measured with other networks"):
            own_thresholds(file, MODELS | changed, 0.05)


def test_an_error_that_nothing_keeps_is_refused(file: Path, tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match=r"cannot promise an error of 0.5%; give --max-error 1% or more"):
        own_thresholds(file, MODELS, 0.005)
    (tmp_path / "none.json").write_text(thresholds_file(MODELS, 0.95, GROUPS[2:]))
    with pytest.raises(BadUsage, match="calibrate with more truth"):
        own_thresholds(tmp_path / "none.json", MODELS, 0.1)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1, "models": 3, "groups": []}',
     '{"schema_version": 1, "models": {}, "groups": [{"fields": ["a"]}]}',
     '{"schema_version": 1, "models": {}, "groups": [], "reference": [1]}',
     '{"schema_version": 1, "models": {}, "groups": [], "reference": {"a": {"digits": 3}}}',
     '{"schema_version": 1, "models": {}, "groups": [{"fields": ["a"], "thresholds": [{"max_error": "x", "confidence": 1}]}]}'],
)  # fmt: skip
def test_what_is_no_such_file_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(BadConfig, match="docproc model calibrate writes"):
        read_thresholds(tmp_path / "t.json")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="cannot be read"):
        read_thresholds(tmp_path / "t.json")
    assert json.loads(thresholds_file(MODELS, 0.95, []))["models"] == MODELS


def test_a_field_is_accepted_by_its_own_threshold_and_else_by_its_kinds(model: Model) -> None:
    accept = model.accepts(0.01, own={"amount": 0.25})
    plain = model.accepts(0.01)
    field = Field("amount", Box(0, 0, 9, 9), "amount")
    reading = Reading("12", 0.5)
    assert accept.of(field, reading) == 0.25
    assert plain.of(field, reading) == plain.kinds["amount"] > 0.25
    other = replace(field, name="other")
    assert accept.of(other, reading) == plain.of(other, reading)
    # A part of a field has its own, or goes with the whole.
    whole = Row("a", 1, "micr", "12", "", 0.5, "review", too_low(0.5, 0.9, 0.01), "", "", "", 0, 0, 9, 9)
    assert accept.of_part("amount", whole) == ("ok", "")
    assert accept.of_part("amount", replace(whole, confidence=0.2)) == ("review", "confidence 0.2, 0.25 needed at 1 %")
    assert accept.of_part("amount", replace(whole, reason="damaged")) == ("review", "damaged")
    assert accept.of_part("routing", whole) == ("review", "confidence 0.5, 0.9 needed at 1 %")
    # What a rule changed has to be as sure as the model says in any case.
    changed = replace(reading, changed_by="mod11")
    assert accept.of(field, changed) == np.maximum(0.25, plain.repaired)
