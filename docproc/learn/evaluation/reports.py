"""What a report says: of a network on single digits, of a training, and of results held against truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn.evaluation import plots
from docproc.learn.evaluation.accuracy import DIGIT_NAMES, Guesses, digit_figures, guesses, least_sure, most_wrong
from docproc.learn.evaluation.formatting import BY_FIELD, NAMES, counted, field_rows, figure_rows, percent
from docproc.learn.evaluation.html import Section, gallery, report, side_by_side, table
from docproc.learn.evaluation.labeled_digits import Labeled
from docproc.learn.evaluation.scoring import (
    GAP,
    Curve,
    Judged,
    aligned,
    by_field,
    confidences,
    confusion,
    curve,
    reliability,
    rights,
)
from docproc.learn.training.progress import Epoch
from docproc.runs.tables import shown_name
from docproc.types import Glyphs, Gray
from docproc.weights.opening import DigitReader

SHOWN = 60  # glyphs of a gallery
REDRAWN = 20  # of each kind
LISTED = 40  # readings of a list
SEVERAL = 6  # curves that can be told from each other


def model_report(reader: DigitReader, card: Mapping[str, Any], digits: Labeled) -> tuple[dict[str, Any], str]:
    """How well a model reads digits, and how it was trained as far as its card tells: the figures, and a page of HTML."""
    found = guesses(reader.recognizer, digits.images, digits.labels)
    about = {"model": reader.recognizer.model_hash, "backend": reader.recognizer.name, "data": digits.name}
    told = about | digit_figures(found)
    redrawn = reader.decoder.reconstruct(digits.images) if reader.decoder else None
    histories = {name: [Epoch(**epoch) for epoch in epochs] for name, epochs in dict(card.get("history", {})).items()}
    sections = [*digit_sections(found, told, digits.images, redrawn), *history_sections(histories)]
    return told, report("How well single digits are read", about, sections)


def digit_sections(found: Guesses, told: Mapping[str, Any], images: Glyphs, redrawn: Glyphs | None = None) -> list[Section]:
    """How well `images` (n, 28, 28) uint8 were read, `told` as `evaluate.digit_figures` has it.

    `redrawn`, (n, 28, 28) uint8, is what a decoder made of what the network saw in each.
    """
    low, high = told["accuracy_interval"]
    names = {key: NAMES[key] for key in ("read@1%", "read@0.5%", "ece")}
    rows = [
        ["digits", str(told["digits"]), ""],
        ["accuracy", percent(told["accuracy"]), f"{percent(low)} to {percent(high)}"],
        *([name, percent(told[key]), ""] for key, name in names.items()),
    ]
    classes = [
        [digit, str(own["count"]), percent(own["recall"]), percent(own["precision"])] for digit, own in told["by_digit"].items()
    ]

    def shown(places: NDArray[np.int64]) -> str:
        captions = [f"{found.labels[k]} read as {found.read[k]}, {percent(found.confidence[k])}" for k in places]
        return gallery(list(255 - images[places]), captions)

    drawn = {
        "Confusion: what digits were read as": plots.confusion_plot(np.array(told["confusion"]), DIGIT_NAMES),
        "Error against the share that is accepted, surest first": plots.error_reject_plot(
            {"digits": curve(found.confidence, found.right)}
        ),
        "Reliability: confidence against what came true": plots.reliability_plot(reliability(found.confidence, found.right)),
    }
    sections = [
        Section("Figures", table(["", "", "95% sure"], rows)),
        Section("Plots", side_by_side(drawn)),
        Section("Each digit", table(["digit", "count", "recall", "precision"], classes)),
        Section("Wrong, the surest first", shown(most_wrong(found, SHOWN))),
        Section("The least sure", shown(least_sure(found, SHOWN))),
    ]
    if redrawn is not None:
        sections.append(_redrawn(found, images, redrawn))
    return sections


def _redrawn(found: Guesses, images: Glyphs, redrawn: Glyphs) -> Section:
    """Digits beside what a decoder makes of what the network saw: two of each, then the most wrong."""
    two_each = np.concatenate([np.flatnonzero(found.labels == digit)[: REDRAWN // 10] for digit in range(10)])
    places = np.concatenate([two_each, most_wrong(found, REDRAWN)])
    pairs = [255 - np.hstack([images[k], np.zeros((28, 4), np.uint8), redrawn[k]]) for k in places]
    return Section(
        "What the network saw",
        gallery(pairs, [f"{found.labels[k]} read as {found.read[k]}" for k in places]),
        "Left the digit, right what a decoder draws from the network's last features alone: two of each digit, then the most "
        "wrong. What is lost there the network does not look at.",
    )


def history_sections(histories: Mapping[str, Sequence[Epoch]]) -> list[Section]:
    """The curves of a training: loss and accuracy over the epochs of each network."""
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
    judged: Sequence[Judged],
    found: Mapping[str, Any],
    fields: Mapping[str, Mapping[str, Any]],
    crops: Sequence[tuple[Judged, Gray]],
    about: Mapping[str, str],
) -> str:
    """Results held against truth: `found` and `fields` as `scoring.figures` has them, of all and of each field.

    `crops` are wrong fields as they stand on paper.
    """
    names = (*DIGIT_NAMES, GAP)
    pairs = (pair for one in judged if one.found for pair in aligned(one.text, one.truth))
    drawn = {
        "Error against the share that is accepted, surest first": plots.error_reject_plot(_curves(judged)),
        "Reliability: confidence against what came true": plots.reliability_plot(
            reliability(confidences(judged), rights(judged))
        ),
        f"Confusion of digits; {GAP}: one that was not seen, or is not there": plots.confusion_plot(
            confusion(pairs, names), names
        ),
    }
    wrong = sorted((one for one in judged if not one.right), key=lambda one: -one.confidence)
    shown = [f"{one.truth} read as {one.text or 'nothing'}, {one.confidence:.4f}" for one, _ in crops]
    unsure = sorted((one for one in judged if one.right and one.found), key=lambda one: one.confidence)
    return report(
        "How well the results agree with the truth",
        about,
        [
            Section("Figures", table(["", "", "95% sure"], figure_rows(found)), counted(found)),
            Section("Plots", side_by_side(drawn)),
            Section("Each field", table(["field", "fields", *(NAMES[key] for key in BY_FIELD)], field_rows(fields))),
            Section("Wrong, the surest first", _readings(wrong)),
            *([Section("How these look", gallery([crop for _, crop in crops], shown, 40))] if crops else []),
            Section("Right, the least sure first", _readings(unsure)),
        ],
    )


def _curves(judged: Sequence[Judged]) -> dict[str, Curve]:
    parts = {"all": tuple(judged)}
    if 1 < len(by_field(judged)) <= SEVERAL:
        parts |= by_field(judged)
    return {name: curve(confidences(part), rights(part)) for name, part in parts.items()}


def _readings(some: Sequence[Judged]) -> str:
    rows = [
        [shown_name(one.document), str(one.page), one.field, one.truth, one.text, f"{one.confidence:.4f}", one.status]
        for one in some[:LISTED]
    ]
    return table(["document", "page", "field", "truth", "read", "confidence", "status"], rows, texts=(2, 6))
