"""Whether a batch is of another kind: rarely where it is not, and nearly always where it is."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.random import Generator
from PIL import Image

import docproc
from docproc.types import Box, Gray
from docproc.weights.drift import (
    FALSE_ALARMS,
    Fact,
    by_chance,
    distance,
    drifts,
    from_json,
    histograms,
    in_words,
    to_json,
)


def batch(
    rng: Generator, count: int = 250, *, sure: float = 8.0, digits: int = 5, height: float = 50, field: str = "amount"
) -> list[Fact]:
    """Fields as a run reads them: most are sure, some are not."""
    return [
        Fact(field, round(float(confidence), 4), int(number), round(float(tall)))
        for confidence, number, tall in zip(
            rng.beta(sure, 1, count), rng.integers(digits - 2, digits + 2, count), rng.normal(height, 6, count), strict=True
        )
    ]


def differs(one: Sequence[Fact], other: Sequence[Fact]) -> list[tuple[str, str]]:
    return [(found.field, found.feature) for found in drifts(histograms(one), histograms(other))]


def alarms(one: Sequence[Fact], other: Sequence[Fact], rng: Generator, size: int = 250, draws: int = 100) -> int:
    """In how many draws a batch of `size` of the one differs from `size` of the other; of one set, from what is left of it."""
    found = 0
    for _ in range(draws):
        order = rng.permutation(len(one))
        rest = [one[k] for k in order[size : 2 * size]]
        known = [other[k] for k in rng.permutation(len(other))[:size]] if other is not one else rest
        found += bool(differs(known, [one[k] for k in order[:size]]))
    return found


def test_halves_of_one_set_raise_no_alarm_and_other_paper_does() -> None:
    rng = np.random.default_rng()
    fields = batch(rng, 600) + batch(rng, 600, sure=4, digits=8, field="date")
    rng.shuffle(fields)
    assert alarms(fields, fields, rng, 600) <= 10
    amounts = batch(rng, 542)
    assert alarms(amounts, amounts, rng) <= 10
    for other in (batch(rng, 300, sure=3), batch(rng, 300, digits=7), batch(rng, 300, height=80)):
        assert alarms(other, amounts, rng) >= 90


def seen(pictures: Sequence[Gray]) -> list[Fact]:
    """What docproc reads on pictures of amounts."""
    rows = docproc.read(pictures, layout="amount")
    return [Fact(row.field, row.confidence or 0, len(row.text), row.height) for row in rows if row.status in ("ok", "review")]


@pytest.mark.thorough
def test_real_amounts(shared: Path) -> None:
    """Halves of one set of real check amounts; beside them amounts on other cheques, and the same paper, copied badly."""
    rng = np.random.default_rng()
    pictures = [np.asarray(Image.open(path).convert("L")) for path in sorted((shared / "check-amounts" / "images").iterdir())]
    amounts = seen(pictures)
    assert alarms(amounts, amounts, rng) <= 10
    copies = [cv2.GaussianBlur(picture, (0, 0), 2.5) for picture in pictures[:300]]
    copied = seen([np.clip(copy + rng.normal(0, 15, copy.shape), 0, 255).astype(np.uint8) for copy in copies])
    assert len(copied) >= 250
    assert alarms(copied, amounts, rng) >= 90
    cheques = []
    with open(shared / "cheques" / "fields.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["field"] == "amount":
                page = np.asarray(Image.open(shared / "cheques" / "images" / row["document"]).convert("L"))
                cheques.append(Box(*(int(row[side]) for side in ("left", "top", "width", "height"))).cut(page))
    assert alarms(seen(cheques), amounts, rng) >= 90


@pytest.mark.parametrize(
    ("changes", "feature"), [({"sure": 2}, "confidence"), ({"digits": 7}, "digits"), ({"height": 75}, "height")]
)
def test_what_differs_is_named(changes: dict[str, float], feature: str) -> None:
    rng = np.random.default_rng(1)
    known, other = batch(rng, 500), batch(rng, 500, **changes)  # type: ignore[arg-type]
    assert differs([*known, *batch(rng, field="date")], [*other, *batch(rng, field="date")]) == [("amount", feature)]


def test_what_is_no_other_kind() -> None:
    rng = np.random.default_rng(2)
    known = batch(rng, 500)
    assert differs(known, batch(rng, 3, sure=1, digits=9)) == []  # too few to tell
    assert differs(known, batch(rng, 300, field="date")) == []  # nothing is known of it
    # So many that a difference is sure, and it is small.
    assert differs(batch(rng, 50_000), batch(rng, 50_000, sure=8.6)) == []
    # A form's boxes are of one height; on another scanner they are a little taller.
    flat = [fact._replace(height=96) for fact in known]
    assert differs(flat, [fact._replace(height=99) for fact in flat]) == []
    assert differs(flat, [fact._replace(height=None) for fact in flat]) == []
    assert differs(flat, [fact._replace(height=192) for fact in flat]) == [("amount", "height")]
    assert differs(flat, [fact._replace(height=48) for fact in flat]) == [("amount", "height")]


def test_the_distance_of_two_distributions() -> None:
    assert distance({1: 1, 2: 1}, {1: 5, 2: 5}) == 0
    assert distance({1: 1}, {2: 3}) == distance({2: 3}, {1: 1}) == 1
    assert distance({1: 3, 5: 1}, {1: 1, 5: 3}) == 0.5
    assert distance({100: 1}, {110: 3}, 1.15) == distance({110: 1}, {100: 3}, 1.15) == 0


def test_the_probability_of_a_distance() -> None:
    # Kolmogorov's distribution: 1.3581 at 5 %, 1.6276 at 1 %.
    for size, probability in ((1.3581, 0.05), (1.6276, 0.01), (0.1, 1.0), (9.0, 0.0)):
        assert by_chance(size / 10, 200, 200) == pytest.approx(probability, abs=1e-4)
    rng = np.random.default_rng(3)
    # Of values that do not repeat it is right: the probability is itself distributed evenly.
    pairs = ([dict.fromkeys(values.tolist(), 1) for values in rng.random((2, 200))] for _ in range(300))
    chances = [by_chance(distance(one, other), 200, 200) for one, other in pairs]
    assert 0.02 * 300 < sum(chance <= 0.1 for chance in chances) <= 0.2 * 300


def test_more_fields_need_surer_differences() -> None:
    """With many features, one of which is a little off by chance, there is no alarm."""
    rng = np.random.default_rng()
    names = [f"field_{k}" for k in range(40)]
    known, other = ([fact for name in names for fact in batch(rng, 100, field=name)] for _ in range(2))
    assert len(differs(known, other)) <= 1
    assert FALSE_ALARMS < 0.05


def test_a_reference_goes_through_json() -> None:
    known = histograms([*batch(np.random.default_rng(4)), Fact("date", 0.5, 0, None)])
    assert from_json(json.loads(json.dumps(to_json(known)))) == known
    with pytest.raises((TypeError, ValueError, AttributeError)):
        from_json({"amount": {"confidence": [1, 2]}})
    assert in_words(drifts(known, histograms(batch(np.random.default_rng(5), sure=2, digits=9)))) in (
        "amount (confidence, number of digits)",
        "amount (number of digits, confidence)",
    )
