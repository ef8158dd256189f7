"""What is compared with thresholds and written is rounded: the last bits of a result are the processor's."""

from __future__ import annotations

from dataclasses import replace

import pytest

import docproc
from docproc.readers.confidence import KEPT_DECIMALS
from docproc.readers.handwriting import prepare, read_all
from docproc.readers.model import Model
from docproc.readers.settle import settle
from docproc.rules import SumRule
from docproc.types import Box, Field, Reading, Row
from tests.conftest import SAMPLES, WriteField

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """Forms with rules on fields and between them, and checks with the parts of their E-13B lines."""
    return [row for folder in ("survey", "bank_checks") for row in docproc.read(SAMPLES / folder)]


def test_confidences_are_rounded_whatever_led_to_them(rows: list[Row]) -> None:
    found = [row.confidence for row in rows if row.confidence is not None]
    assert found == [round(confidence, KEPT_DECIMALS) for confidence in found]
    assert {"persons", "routing", "amount", "micr"} <= {row.field for row in rows}
    assert any(0 < confidence < 1 for confidence in found)


def test_residuals_are_rounded(rows: list[Row]) -> None:
    found = [row.residual for row in rows if row.residual is not None]
    assert found == [round(residual, 2) for residual in found] != []


@pytest.mark.parametrize("total", ["119", "118"])
def test_confidences_are_rounded_after_rules_between_fields(model: Model, write_field: WriteField, total: str) -> None:
    gray = write_field("7")
    names = ("net", "tax", "gross")
    fields = [Field(name, Box(0, 0, gray.shape[1], gray.shape[0])) for name in names]
    results = read_all([prepare(field, gray) for field in fields], model)
    read = [Reading(text, 0.6123, alternatives=(("99", 0.5),)) for text in ("100", "19", total)]
    settled = settle(
        [replace(result, reading=own) for result, own in zip(results, read, strict=True)], [SumRule(names[:2], names[2])]
    )
    found = [result.reading.confidence for result in settled]
    assert found == [round(confidence, KEPT_DECIMALS) for confidence in found]
    assert found != [0.6123] * 3
