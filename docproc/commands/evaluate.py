"""Evaluate a model on single digits, or results against truth; select thresholds from truth. Files in, text and files out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from docproc.errors import BadInput, BadUsage, DocumentError, MissingPart, OutputExists
from docproc.files import open_pages
from docproc.learn.evaluation.digit_images import load_labeled_digits
from docproc.learn.evaluation.formatting import (
    FIELD_METRICS,
    METRIC_NAMES,
    align_columns,
    field_count,
    field_metric_rows,
    metric_rows,
    percent,
)
from docproc.learn.evaluation.plots import check_plots
from docproc.learn.evaluation.reports import MAX_LISTED, model_metrics, model_report, results_report
from docproc.learn.evaluation.risk_control import ERROR_RATES, ThresholdSelection, select_thresholds
from docproc.learn.evaluation.scoring import Record, ScoredField, by_field, field_metrics, score_fields
from docproc.options import Limits
from docproc.runs.journal import Journal, journal_path
from docproc.runs.tables import DUPLICATE_OF, safe_name, shown_name, write_whole
from docproc.runs.truth import read_results, read_truth
from docproc.types import Box, Gray, Page
from docproc.weights.cards import model_folder, model_hashes, read_card
from docproc.weights.drift import Fact, histograms
from docproc.weights.opening import open_digit_model
from docproc.weights.thresholds import thresholds_file

SHIPPED = "digits.onnx"
BOX_COLUMNS = ("left", "top", "width", "height")
KEY_COLUMNS = ("document", "page", "field")


def evaluate(
    subjects: Sequence[Path], on: str | None, backend: str, report: Path | None, json_file: Path | None, *, overwrite: bool
) -> tuple[str, tuple[Path, ...], str]:
    """Evaluate a model on digits, or results against truth.

    With `on`, the subject is a model, or none for the shipped one, see `evaluate_model`; without it, the subjects are results
    and their truth, see `evaluate_results`. Returns the text to print, the files that were written, and why the default report
    was left out, or "". Raises BadUsage for anything else.
    """
    left_out = ""
    if on is not None and len(subjects) <= 1:
        json_file = json_file or Path("evaluation.json")
        if report is None:
            report, left_out = _report_unasked()
        summary = evaluate_model(subjects[0] if subjects else None, on, backend, report, json_file, overwrite=overwrite)
    elif on is None and len(subjects) == 2:
        results, truth = subjects
        summary = evaluate_results(results, truth, report, json_file, overwrite=overwrite)
    else:
        raise BadUsage(
            "give a model and what it is evaluated on: docproc model evaluate MODEL --on mnist; "
            "or results and their truth: docproc model evaluate RESULTS TRUTH"
        )
    return summary, tuple(path for path in (json_file, report) if path), left_out


def _report_unasked() -> tuple[Path | None, str]:
    """Where the report of a model is written when no name is given; otherwise None, and why it cannot be drawn."""
    try:
        check_plots()
    except MissingPart as problem:
        return None, f"the report with plots was left out: {problem}"
    return Path("evaluation.html"), ""


def evaluate_model(model: Path | None, on: str, backend: str, report: Path | None, json_file: Path, *, overwrite: bool) -> str:
    """Evaluate `model`, or the shipped one, on single digits; write the metrics, and the report if given; return a summary.

    `on` is a source of `digit_images.load_labeled_digits`. Raises a DocprocError.
    """
    _check_free((report, json_file), overwrite)
    if report:
        check_plots()
    reader, digits = open_digit_model(backend, model), load_labeled_digits(on)
    if report:
        metrics, page = model_report(reader, read_card(model or model_folder() / SHIPPED), digits)
        _write(report, page)
    else:
        metrics = model_metrics(reader, digits)
    _write(json_file, json.dumps(metrics, indent=1) + "\n")
    low, high = metrics["accuracy_interval"]
    return f"{metrics['digits']} digits: {percent(metrics['accuracy'])} right (95% sure: {percent(low)} to {percent(high)})"


def evaluate_results(results: Path, truth: Path, report: Path | None, json_file: Path | None, *, overwrite: bool) -> str:
    """Score the results of a run against truth; write the report and the metrics if requested.

    Returns the metrics of all fields together and of each field as text. Raises a DocprocError.
    """
    _check_free((report, json_file), overwrite)
    if report:
        check_plots()
    rows = read_results(results)
    scored = _score(rows, read_truth(truth))
    metrics = field_metrics(scored)
    metrics_by_field = {name: field_metrics(own) for name, own in by_field(scored).items()}
    if json_file:
        _write(json_file, json.dumps(metrics | {"by_field": metrics_by_field}, indent=1) + "\n")
    if report:
        wrong = sorted((one for one in scored if not one.right), key=lambda one: -one.confidence)[:MAX_LISTED]
        crops = _crops(results, rows, wrong)
        about = {"results": results.name, "truth": truth.name}
        _write(report, results_report(scored, metrics, metrics_by_field, crops, about))
    lines = [field_count(metrics), "", *align_columns([["", "", "95% sure"], *metric_rows(metrics)])]
    if len(metrics_by_field) > 1:
        head = ["field", "fields", *map(METRIC_NAMES.__getitem__, FIELD_METRICS)]
        lines += ["", *align_columns([head, *field_metric_rows(metrics_by_field)])]
    return "\n".join(lines)


def calibrate(
    results: Path,
    truth: Path,
    output: Path | None,
    max_error: float,
    certainty: float,
    together: bool,
    model: Path | None,
    overwrite: bool,
) -> tuple[str, bool, list[str]]:
    """Select the thresholds that keep error rates, for each field or for all together, and write them to `output`.

    Returns the thresholds as text, whether `max_error` (0..1) is kept for all fields, and notes for a person. Nothing is
    written if it is kept for none. Raises a DocprocError.
    """
    if not 0.5 <= certainty < 1:
        raise BadUsage(f"--certainty {percent(certainty)}: give at least 50% and less than 100%")
    if output:
        _check_free((output,), overwrite)
    models = model_hashes(model)
    rows = read_results(results)
    _check_models(results, (row.get("run", "") for row in rows), models)
    truth_rows = read_truth(truth)
    everything = _score(rows, truth_rows)
    # The fields of a copy are not independent of those of the original.
    scored = tuple(one for one in everything if DUPLICATE_OF not in one.reason)
    if not scored:
        raise BadInput(f"{truth} speaks of nothing but copies of other documents")
    parts = [scored] if together else list(by_field(scored).values())
    selections = [select_thresholds(part, (*ERROR_RATES, max_error), certainty) for part in parts]
    if len(selections) == 1:
        text = _thresholds_of_one(selections[0], max_error, certainty)
    else:
        text = _thresholds_of_fields(selections, max_error, certainty)
    notes = _truth_warnings(rows, truth_rows, everything)
    if len(scored) < len(everything):
        notes.append(f"fields on documents that are copies of others, and do not count: {len(everything) - len(scored)}")
    kept = [one for one in selections if one.at(max_error)]
    if len(kept) < len(selections):
        notes.append(_refusal([one for one in selections if not one.at(max_error)], max_error))
    if output and kept:
        groups = [
            {"fields": list(one.names), "truth": one.fields, "thresholds": [asdict(own) for own in one.thresholds]}
            for one in selections
        ]
        _write(output, thresholds_file(models, certainty, groups, histograms(_facts(rows, scored))))
        notes.append(f"thresholds: {output}; docproc run --thresholds {output} accepts by them")
    elif output:
        notes.append(f"{output} is not written: there is nothing to promise")
    return text, len(kept) == len(selections), notes


# ---------------------------------------------------------------------------------------------------- text


def _thresholds_of_one(selection: ThresholdSelection, max_error: float, certainty: float) -> str:
    """The share that is accepted at each error rate."""
    rows = [["--max-error", "accepted", "confidence", "wrong of these", f"{percent(certainty)} sure: at most"]]
    missing = dict(selection.missing)
    for error in sorted({*missing, *(one.max_error for one in selection.thresholds)}):
        one = selection.at(error)
        mark = "  <-" if error == max_error else ""
        if one:
            wrong = f"{one.wrong} of {one.accepted}"
            share = percent(one.accepted / selection.fields)
            rows.append([percent(error), share, f"{one.confidence:.4f}", wrong, percent(one.at_most) + mark])
        else:
            rows.append([percent(error), "-", "", "", _truth_needed(missing[error], selection.fields) + mark])
    head = f"{', '.join(selection.names)}: {selection.fields} fields with truth, {selection.exact} read exactly"
    return "\n".join([head, *(f"  {line}" for line in align_columns(rows))])


def _truth_needed(needed: int | None, there: int) -> str:
    return f"needs about {_two_digits(needed - there)} more fields" if needed else "not to be had: too many are wrong"


def _two_digits(count: int) -> int:
    """Rounded up to two digits: the estimate is no more precise."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step


def _thresholds_of_fields(selections: Sequence[ThresholdSelection], max_error: float, certainty: float) -> str:
    """The share of each field that is accepted at each error rate, and how much more truth `max_error` needs."""
    kept = {error for error in ERROR_RATES if any(one.at(error) for one in selections)}
    errors = sorted({*kept, max_error})
    rows = [["field", "fields", "exact", *map(percent, errors), f"for {percent(max_error)}"]]
    for one in selections:
        shares = [percent(own.accepted / one.fields) if (own := one.at(error)) else "-" for error in errors]
        missing = dict(one.missing)
        more = _truth_needed(missing[max_error], one.fields) if max_error in missing else ""
        rows.append([", ".join(one.names), str(one.fields), str(one.exact), *shares, more])
    return "\n".join([f"accepted at each --max-error, {percent(certainty)} sure:", *align_columns(rows)])


def _refusal(refused: Sequence[ThresholdSelection], max_error: float) -> str:
    names = [name for one in refused for name in one.names]
    refusal = f"an error of {percent(max_error)} cannot be promised for {', '.join(names)}"
    if len(refused) > 1:
        return f"{refusal}; --together takes less truth"
    one = refused[0]
    needed = dict(one.missing)[max_error]
    if needed is None:
        why = "even among the surest fields more are wrong"
    else:
        why = f"{one.fields} fields are too few, it takes about {_two_digits(needed - one.fields)} more"
    return f"{refusal}: {why}{f'; it could be {percent(one.thresholds[0].max_error)}' if one.thresholds else ''}"


def _facts(rows: Sequence[Record], scored: Sequence[ScoredField]) -> Iterator[Fact]:
    """The basic facts about the results that have truth, where something was read."""
    known = {(one.document, one.page, one.field) for one in scored if one.found}
    for row in rows:
        place = row["document"], int(row.get("page") or 1), row["field"]
        if place in known and row["confidence"] and row["status"] != "blank":
            yield Fact(
                row["field"], float(row["confidence"]), len(row["text"]), int(row["height"]) if row.get("height") else None
            )


def _score(rows: Sequence[Record], truth_rows: Sequence[Record]) -> tuple[ScoredField, ...]:
    """Score results against truth. Raises BadInput if they have no field in common."""
    scored = score_fields(rows, truth_rows)
    if not any(one.found for one in scored):
        one, other = ({name: row.get(name, "1") for name in KEY_COLUMNS} for row in (truth_rows[0], rows[0]))
        raise BadInput(
            "no field of the truth is in the results: document, page and field should be the same in both; the truth begins "
            f"with {', '.join(one.values())}, the results with {', '.join(other.values())}"
        )
    return scored


def _truth_warnings(rows: Sequence[Record], truth_rows: Sequence[Record], scored: Sequence[ScoredField]) -> list[str]:
    """Reasons to doubt that the truth is a fair sample."""
    notes = []
    if truth_rows[0].get("keyed"):
        notes.append(
            f"the truth is what people keyed in {len(truth_rows)} fields: where they keyed doubtful fields alone, it says "
            "nothing of the others"
        )
    elif "status" in truth_rows[0]:
        notes.append(f"the truth is a table of results: all of its {len(truth_rows)} rows count as looked at by a person")
    pages = {(one.document, one.page) for one in scored}
    names = {one.field for one in scored}
    there = {(one.document, one.page, one.field) for one in scored}
    places = [(row["document"], int(row.get("page") or 1), row["field"]) for row in rows]
    left_out = [place for place in places if place[:2] in pages and place[2] in names and place not in there]
    if left_out:
        notes.append(
            f"{len(left_out)} fields without truth lie on the pages of the truth: if they were left out because they are hard "
            "to read, more will be wrong than promised"
        )
    missing = [one for one in scored if not one.found]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        notes.append(f"without a result, and so not accepted, is of the truth: {_describe(missing[0])}{more}")
    return notes


def _check_models(results: Path, runs: Iterable[str], models: Mapping[str, str]) -> None:
    """Raises BadInput if some results were read by other models."""
    known = {digest[:8] for digest in models.values()}
    for run in dict.fromkeys(runs):
        if not run or not set(run.split("-")) <= known:
            raise BadInput(
                f"{results} was read by other networks ({run or 'its column run is empty'}) than the model at hand: "
                "read the pages again with docproc run, or give --model"
            )


def _describe(one: ScoredField) -> str:
    return f"{shown_name(one.document)}, page {one.page}, {one.field}"


def _crops(results: Path, rows: Sequence[Record], wanted: Sequence[ScoredField]) -> list[tuple[ScoredField, Gray]]:
    """Pictures of fields, if the journal next to the results knows their documents and these can be opened."""
    if not journal_path(results).is_file():
        return []
    with Journal.look(results) as journal:
        documents = {safe_name(document.name): document for document, _ in journal.contents()}
    boxes = {
        (row["document"], int(row["page"]), row["field"]): Box(*(int(row[side]) for side in BOX_COLUMNS))
        for row in rows
        if all(row.get(side) for side in BOX_COLUMNS)
    }
    crops = []
    for one in wanted:
        box, document = boxes.get((one.document, one.page, one.field)), documents.get(one.document)
        if box is None or document is None:
            continue
        try:
            page = next(islice(open_pages(document, Limits()), one.page - 1, one.page), None)
        except DocumentError:
            continue
        if isinstance(page, Page):
            crop = box.clip(page.width, page.height).cut(page.gray)
            if crop.size:
                crops.append((one, crop))
    return crops


# ---------------------------------------------------------------------------------------------------- files


def _check_free(paths: Iterable[Path | None], overwrite: bool) -> None:
    for path in paths:
        if path and path.exists() and not overwrite:
            raise OutputExists(f"{path} already exists; use --overwrite to replace it, or give another name")


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda file: file.write(text.encode("utf-8")))
