"""Metrics of single digits, and a report that is self-contained."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from docproc.errors import MissingPart
from docproc.learn.evaluation import plots
from docproc.learn.evaluation.accuracy import (
    DIGIT_NAMES,
    DigitPredictions,
    digit_metrics,
    least_sure,
    most_wrong,
    predict_digits,
)
from docproc.learn.evaluation.html import Section, gallery, render_page, side_by_side, table
from docproc.learn.evaluation.scoring import error_reject_curve, reliability
from docproc.types import CLASSES, Glyphs, ModelHash, Scores
from tests.conftest import needs_matplotlib


class Fixed:
    """Gives fixed scores to every glyph, by the number in its corner."""

    name = "fixed"
    model_hash = ModelHash("0" * 64)

    def __init__(self, scores: Scores) -> None:
        self._scores = scores

    def recognize(self, glyphs: Glyphs) -> Scores:
        return self._scores[glyphs[:, 0, 0]]


def some() -> DigitPredictions:
    scores = np.zeros((4, CLASSES), np.float32)
    scores[0, 3], scores[0, 8] = 0.9, 0.1
    scores[1, 3], scores[1, 5] = 0.6, 0.4
    scores[2, 7], scores[2, 10] = 0.2, 0.8  # no digit, it seems; and a 7 if it is one
    scores[3, 1], scores[3, 7] = 0.51, 0.49
    glyphs = np.zeros((4, 28, 28), np.uint8)
    glyphs[:, 0, 0] = range(4)
    return predict_digits(Fixed(scores), glyphs, np.array([3, 5, 7, 7], np.uint8))


def test_what_is_asked_is_which_of_the_ten() -> None:
    found = some()
    assert found.read.tolist() == [3, 3, 7, 1]
    assert found.right.tolist() == [True, False, True, False]
    assert found.confidence == pytest.approx([0.9, 0.6, 1.0, 0.51], abs=1e-6)
    assert most_wrong(found, 5).tolist() == [1, 3]
    assert least_sure(found, 2).tolist() == [3, 1]


def test_metrics_of_digits() -> None:
    metrics = digit_metrics(some())
    assert (metrics["digits"], metrics["accuracy"]) == (4, 0.5)
    assert metrics["by_digit"]["3"] == {"count": 1, "recall": 1.0, "precision": 0.5}
    assert metrics["by_digit"]["7"] == {"count": 2, "recall": 0.5, "precision": 1.0}
    assert metrics["by_digit"]["0"] == {"count": 0, "recall": 0.0, "precision": 0.0}
    assert np.sum(metrics["confusion"]) == 4
    assert metrics["confusion"][5][3] == metrics["confusion"][7][1] == 1


# --------------------------------------------------------------------------------------------------- reports


def drawn() -> dict[str, str]:
    rng = np.random.default_rng(1)
    confidence = rng.uniform(0, 1, 300)
    right = rng.uniform(0, 1, 300) < confidence
    one = error_reject_curve(confidence, right)
    return {
        "confusion": plots.confusion_plot(rng.integers(0, 5, (10, 10)), DIGIT_NAMES),
        "reliability": plots.reliability_plot(reliability(confidence, right)),
        "reject": plots.error_reject_plot({"all": one}),
        "several": plots.error_reject_plot({"all": one, "first": error_reject_curve(confidence[:99], right[:99])}),
        "history": plots.history_plot({"training": [0.5, 0.3], "validation": [0.6, 0.4]}, "loss"),
    }


@needs_matplotlib
def test_plots_are_drawn_the_same_twice() -> None:
    first, second = drawn(), drawn()
    assert first == second
    for svg in first.values():
        assert ElementTree.fromstring(svg).tag.endswith("svg")


@pytest.mark.parametrize("right", [[], [True], [False], [True] * 30])
@needs_matplotlib
def test_nothing_and_little_can_be_drawn(right: list[bool]) -> None:
    confidence, correct = np.linspace(0.9, 1, len(right)), np.array(right, bool)
    assert plots.error_reject_plot({"all": error_reject_curve(confidence, correct)})
    assert plots.reliability_plot(reliability(confidence, correct))
    assert plots.confusion_plot(np.zeros((10, 10), np.int64), DIGIT_NAMES)


@needs_matplotlib
def test_a_report_needs_nothing_from_elsewhere() -> None:
    glyphs = np.zeros((2, 28, 28), np.uint8)
    pictures = plots.reliability_plot(reliability(np.array([0.5, 0.9]), np.array([True, False])))
    page = render_page(
        "A <report>",
        {"model": "<b>"},
        [
            Section("One", table(["a", "b"], [["<script>", "1"]]), "a note"),
            Section("Two", side_by_side({"a plot": pictures})),
            Section("Three", gallery(list(glyphs), ["3 read as 8", "&"])),
        ],
    )
    elements: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            elements.append((tag, dict(attrs)))

    Reader().feed(page)
    tags = [tag for tag, _ in elements]
    assert "script" not in tags
    assert "b" not in tags
    assert tags.count("img") == 3
    assert all(str(own["src"]).startswith("data:image/") for tag, own in elements if tag == "img")
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "default-src 'none'" in page


def test_without_matplotlib_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "find_spec", lambda name: None)
    with pytest.raises(MissingPart, match="pip install matplotlib"):
        plots.reliability_plot([])
