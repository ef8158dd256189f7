"""Reports as HTML: of a network on single digits, of a training, and of results scored against truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.evaluation import plots
from docproc.learn.evaluation.accuracy import (
    DIGIT_NAMES,
    DigitPredictions,
    digit_metrics,
    least_sure,
    most_wrong,
    predict_digits,
)
from docproc.learn.evaluation.digit_images import LabeledDigits
from docproc.learn.evaluation.formatting import (
    FIELD_METRICS,
    METRIC_NAMES,
    field_count,
    field_metric_rows,
    metric_rows,
    percent,
)
from docproc.learn.evaluation.history import Histories, histories_from_card
from docproc.learn.evaluation.html import Section, gallery, render_page, side_by_side, table
from docproc.learn.evaluation.scoring import (
    GAP,
    Curve,
    ScoredField,
    align,
    by_field,
    confidences,
    confusion,
    error_reject_curve,
    reliability,
    rights,
)
from docproc.runs.tables import shown_name
from docproc.types import Glyphs, Gray
from docproc.weights.opening import DigitModel

MAX_GLYPHS = 60  # of a gallery
REDRAWN = 20  # digits of each kind
MAX_LISTED = 40  # fields of a list
MAX_CURVES = 6  # more would be indistinguishable


def model_report(reader: DigitModel, card: Mapping[str, Any], digits: LabeledDigits) -> tuple[dict[str, Any], str]:
    """How well a model reads digits, and its training if its card has it: the metrics, and an HTML page."""
    found, about = _predicted(reader, digits)
    metrics = about | digit_metrics(found)
    redrawn = reader.decoder.reconstruct(digits.images) if reader.decoder else None
    sections = [*digit_sections(found, metrics, digits.images, redrawn), *history_sections(histories_from_card(card))]
    return metrics, render_page("How well single digits are read", about, sections)


def model_metrics(reader: DigitModel, digits: LabeledDigits) -> dict[str, Any]:
    """How well a model reads digits: only the metrics, without drawing anything."""
    found, about = _predicted(reader, digits)
    return about | digit_metrics(found)


def _predicted(reader: DigitModel, digits: LabeledDigits) -> tuple[DigitPredictions, dict[str, str]]:
    """The readings of a model, and the introduction of a page and the metrics."""
    about = {"model": reader.recognizer.model_hash, "backend": reader.recognizer.name, "data": digits.name}
    return predict_digits(reader.recognizer, digits.images, digits.labels), about


def training_report(network: str, card: Mapping[str, Any]) -> str:
    """How a network was trained, from its card: an HTML page."""
    return render_page(
        f"How {network} was trained", {"recipe": str(card["recipe"])}, history_sections(histories_from_card(card))
    )


def digit_sections(
    found: DigitPredictions, metrics: Mapping[str, Any], images: Glyphs, redrawn: Glyphs | None = None
) -> list[Section]:
    """How well `images` (n, 28, 28) uint8 were read; `metrics` come from `accuracy.digit_metrics`.

    `redrawn`, (n, 28, 28) uint8, contains the decoder's drawing of each from the network's last features.
    """
    low, high = metrics["accuracy_interval"]
    names = {key: METRIC_NAMES[key] for key in ("read@1%", "read@0.5%", "ece")}
    rows = [
        ["digits", str(metrics["digits"]), ""],
        ["accuracy", percent(metrics["accuracy"]), f"{percent(low)} to {percent(high)}"],
        *([name, percent(metrics[key]), ""] for key, name in names.items()),
    ]
    classes = [
        [digit, str(own["count"]), percent(own["recall"]), percent(own["precision"])]
        for digit, own in metrics["by_digit"].items()
    ]

    def glyph_gallery(places: NDArray[np.int64]) -> str:
        captions = [f"{found.labels[k]} read as {found.read[k]}, {percent(found.confidence[k])}" for k in places]
        return gallery(list(255 - images[places]), captions)

    drawn = {
        "Confusion: what digits were read as": plots.confusion_plot(np.array(metrics["confusion"]), DIGIT_NAMES),
        "Error against the share that is accepted, surest first": plots.error_reject_plot(
            {"digits": error_reject_curve(found.confidence, found.right)}
        ),
        "Reliability: confidence against what came true": plots.reliability_plot(reliability(found.confidence, found.right)),
    }
    sections = [
        Section("Figures", table(["", "", "95% sure"], rows)),
        Section("Plots", side_by_side(drawn)),
        Section("Each digit", table(["digit", "count", "recall", "precision"], classes)),
        Section("Wrong, the surest first", glyph_gallery(most_wrong(found, MAX_GLYPHS))),
        Section("The least sure", glyph_gallery(least_sure(found, MAX_GLYPHS))),
    ]
    if redrawn is not None:
        sections.append(_redrawn(found, images, redrawn))
    return sections


def _redrawn(found: DigitPredictions, images: Glyphs, redrawn: Glyphs) -> Section:
    """Digits next to the decoder's drawings of them: two of each, then the most confident errors."""
    two_each = np.concatenate([np.flatnonzero(found.labels == digit)[: REDRAWN // 10] for digit in range(10)])
    places = np.concatenate([two_each, most_wrong(found, REDRAWN)])
    pairs = [255 - np.hstack([images[k], np.zeros((28, 4), np.uint8), redrawn[k]]) for k in places]
    return Section(
        "What the network saw",
        gallery(pairs, [f"{found.labels[k]} read as {found.read[k]}" for k in places]),
        "Left the digit, right what a decoder draws from the network's last features alone: two of each digit, then the most "
        "wrong. What is lost there the network does not look at.",
    )


def history_sections(histories: Histories) -> list[Section]:
    """The learning curves of a training: loss and accuracy over the epochs of each network."""
    drawn = {}
    for name, history in histories.items():
        if not history:
            continue
        loss = {"training": [one.loss for one in history], "validation": [one.validation_loss for one in history]}
        drawn[f"{name}: loss"] = plots.history_plot(loss, "loss")
        right = {
            "training": [one.accuracy for one in history],
            "validation": [one.validation_accuracy for one in history],
        }
        if all(share is not None for shares in right.values() for share in shares):
            in_percent = {part: [100 * (share or 0.0) for share in shares] for part, shares in right.items()}
            drawn[f"{name}: accuracy"] = plots.history_plot(in_percent, "accuracy, %")
    note = (
        "Training: the mean over an epoch while the weights still move, with dropout and bent pictures. Validation: of the "
        "averaged weights at the end of the epoch, on what was not trained on."
    )
    return [Section("Training", side_by_side(drawn), note)] if drawn else []


def results_report(
    scored: Sequence[ScoredField],
    metrics: Mapping[str, Any],
    metrics_by_field: Mapping[str, Mapping[str, Any]],
    crops: Sequence[tuple[ScoredField, Gray]],
    about: Mapping[str, str],
) -> str:
    """Results scored against truth, with the `scoring.field_metrics` of all fields together and of each field.

    `crops` are pictures of wrong fields.
    """
    names = (*DIGIT_NAMES, GAP)
    pairs = (pair for one in scored if one.found for pair in align(one.text, one.truth))
    drawn = {
        "Error against the share that is accepted, surest first": plots.error_reject_plot(_curves(scored)),
        "Reliability: confidence against what came true": plots.reliability_plot(
            reliability(confidences(scored), rights(scored))
        ),
        f"Confusion of digits; {GAP}: one that was not seen, or is not there": plots.confusion_plot(
            confusion(pairs, names), names
        ),
    }
    wrong = sorted((one for one in scored if not one.right), key=lambda one: -one.confidence)
    captions = [f"{one.truth} read as {one.text or 'nothing'}, {one.confidence:.4f}" for one, _ in crops]
    field_columns = ["field", "fields", *(METRIC_NAMES[key] for key in FIELD_METRICS)]
    unsure = sorted((one for one in scored if one.right and one.found), key=lambda one: one.confidence)
    return render_page(
        "How well the results agree with the truth",
        about,
        [
            Section("Figures", table(["", "", "95% sure"], metric_rows(metrics)), field_count(metrics)),
            Section("Plots", side_by_side(drawn)),
            Section("Each field", table(field_columns, field_metric_rows(metrics_by_field))),
            Section("Wrong, the surest first", _field_list(wrong)),
            *([Section("How these look", gallery([crop for _, crop in crops], captions, 40))] if crops else []),
            Section("Right, the least sure first", _field_list(unsure)),
        ],
    )


def _curves(scored: Sequence[ScoredField]) -> dict[str, Curve]:
    parts = {"all": tuple(scored)}
    if 1 < len(by_field(scored)) <= MAX_CURVES:
        parts |= by_field(scored)
    return {name: error_reject_curve(confidences(part), rights(part)) for name, part in parts.items()}


def _field_list(scored: Sequence[ScoredField]) -> str:
    rows = [
        [shown_name(one.document), str(one.page), one.field, one.truth, one.text, f"{one.confidence:.4f}", one.status]
        for one in scored[:MAX_LISTED]
    ]
    return table(["document", "page", "field", "truth", "read", "confidence", "status"], rows, text_columns=(2, 6))
