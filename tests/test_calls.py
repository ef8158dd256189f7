"""Reading a field may not take more and more Python calls: they cost as much time as the networks."""

from __future__ import annotations

import importlib
import sys

import cv2
import numpy as np
import pytest

import docproc
from docproc.types import Gray
from tests.conftest import WriteField

count_calls = importlib.import_module("scripts.count_calls")
figures = importlib.import_module("scripts.figures")

MORE = 1.1  # of the calls that are on record: so many are too many
AMOUNTS = ("7", "42", "500-", "1,250", "12,50", "1234,56", "3,400,00", "98765", "610/-", "1,23,456", "2000,00", "88,08")


def drawn_amounts(write_field: WriteField) -> list[Gray]:
    """Amounts as they come: some digits touch, some stand on a line or in a frame, on paper that is not even."""
    rng = np.random.default_rng(20)
    fields = []
    for k, text in enumerate(AMOUNTS):
        drawn = write_field(text, gap=(8, 2, -3)[k % 3], width=0.07 + 0.02 * (k % 2))
        if k % 4 == 1:
            cv2.line(drawn, (0, drawn.shape[0] - 14), (drawn.shape[1] - 1, drawn.shape[0] - 12), 90, 2)
        if k % 4 == 2:
            cv2.rectangle(drawn, (2, 2), (drawn.shape[1] - 3, drawn.shape[0] - 3), 60, 2)
        fields.append(np.clip(drawn + rng.normal(0, 6, drawn.shape), 0, 255).astype(np.uint8))
    return fields


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="on record for Python 3.11; later ones inline comprehensions")
def test_a_field_takes_no_more_calls_than_are_on_record(write_field: WriteField) -> None:
    known = figures.load()["calls"]["drawn_amount"]
    with docproc.Reader("amount") as reader:
        now = count_calls.calls_a_field(reader, drawn_amounts(write_field))
    assert now <= MORE * known, (
        f"{now:.0f} calls a field, {known} are on record; `python scripts/count_calls.py` says where. If it must be so: "
        f"python scripts/figures.py set calls drawn_amount={now:.0f} --command tests/test_calls.py"
    )


def test_calls_count_for_the_function_that_led_to_them(write_field: WriteField) -> None:
    with docproc.Reader("amount") as reader:
        counts = count_calls.calls_by_function(lambda: reader.read(write_field("12,50")))
    assert counts["pixels.py: otsu"] > 2  # it is called itself, and calls numpy
    assert not [name for name in counts if "numpy" in name]
