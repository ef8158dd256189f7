"""How good is it? A model on single digits, results against truth, and thresholds from truth: files in, words and files out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from docproc.errors import BadInput, BadUsage, DocumentError, OutputExists
from docproc.files import open_pages
from docproc.learn.evaluation.formatting import BY_FIELD, NAMES, columns, counted, field_rows, figure_rows, percent
from docproc.learn.evaluation.labeled_digits import labeled
from docproc.learn.evaluation.plots import check_plots
from docproc.learn.evaluation.reports import LISTED, model_report, results_report
from docproc.learn.evaluation.risk_control import ERRORS, Promise, promise
from docproc.learn.evaluation.scoring import Judged, Record, by_field, figures, judge
from docproc.options import Limits
from docproc.runs.journal import Journal, journal_path
from docproc.runs.tables import DUPLICATE_OF, safe_name, shown_name, write_whole
from docproc.runs.truth import read_results, read_truth
from docproc.types import Box, Gray, Page
from docproc.weights.cards import model_folder, model_hashes, read_card
from docproc.weights.opening import open_digit_reader
from docproc.weights.thresholds import thresholds_file

SHIPPED = "digits.onnx"
SIDES = ("left", "top", "width", "height")
PLACE = ("document", "page", "field")


def assess_model(model: Path | None, on: str, backend: str, report: Path, json_file: Path, *, overwrite: bool) -> str:
    """Read digits through `model`, or the shipped one; write the report and the figures, and say the main ones.

    `on` is `mnist`, MNIST's files (see `mnist.load`), or a folder with pictures of digits in folders named 0 to 9. Raises an
    error of the DocprocError tree.
    """
    _check_free((report, json_file), overwrite)
    check_plots()
    reader = open_digit_reader(backend, model)
    told, page = model_report(reader, read_card(model or model_folder() / SHIPPED), labeled(on))
    _write(json_file, json.dumps(told, indent=1) + "\n")
    _write(report, page)
    low, high = told["accuracy_interval"]
    return f"{told['digits']} digits: {percent(told['accuracy'])} right (95% sure: {percent(low)} to {percent(high)})"


def assess_results(results: Path, truth: Path, report: Path | None, json_file: Path | None, *, overwrite: bool) -> str:
    """Hold the results of a run against truth; say the figures, of all and of each field, and write what is asked for.

    Raises an error of the DocprocError tree.
    """
    _check_free((report, json_file), overwrite)
    if report:
        check_plots()
    rows = read_results(results)
    judged = _held(rows, read_truth(truth))
    found = figures(judged)
    fields = {name: figures(own) for name, own in by_field(judged).items()}
    if json_file:
        _write(json_file, json.dumps(found | {"by_field": fields}, indent=1) + "\n")
    if report:
        wrong = sorted((one for one in judged if not one.right), key=lambda one: -one.confidence)[:LISTED]
        crops = _crops(results, rows, wrong)
        _write(report, results_report(judged, found, fields, crops, {"results": results.name, "truth": truth.name}))
    lines = [counted(found), "", *columns([["", "", "95% sure"], *figure_rows(found)])]
    if len(fields) > 1:
        lines += ["", *columns([["field", "fields", *map(NAMES.__getitem__, BY_FIELD)], *field_rows(fields)])]
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
    """Find the thresholds that keep errors, of each field or of all together, and write them to `output`.

    Returns what to say of them, whether `max_error` (0..1) is kept for all, and what else a person should know. Nothing is
    written where it is kept for none. Raises an error of the DocprocError tree.
    """
    if not 0.5 <= certainty < 1:
        raise BadUsage(f"--certainty {percent(certainty)}: give at least 50% and less than 100%")
    if output:
        _check_free((output,), overwrite)
    models = model_hashes(model)
    rows = read_results(results)
    _check_models(results, (row.get("run", "") for row in rows), models)
    truths = read_truth(truth)
    everything = _held(rows, truths)
    # A copy says again what was said.
    judged = tuple(one for one in everything if DUPLICATE_OF not in one.reason)
    if not judged:
        raise BadInput(f"{truth} speaks of nothing but copies of other documents")
    parts = [judged] if together else list(by_field(judged).values())
    found = [promise(part, (*ERRORS, max_error), certainty) for part in parts]
    text = _what_if(found[0], max_error, certainty) if len(found) == 1 else _each_field(found, max_error, certainty)
    notes = _doubts(rows, truths, everything)
    if len(judged) < len(everything):
        notes.append(f"fields on documents that are copies of others, and do not count: {len(everything) - len(judged)}")
    kept = [one for one in found if one.at(max_error)]
    if len(kept) < len(found):
        notes.append(_refusal([one for one in found if not one.at(max_error)], max_error))
    if output and kept:
        groups = [
            {"fields": list(one.names), "truth": one.fields, "thresholds": [asdict(threshold) for threshold in one.kept]}
            for one in found
        ]
        _write(output, thresholds_file(models, certainty, groups))
        notes.append(f"thresholds: {output}; docproc run --thresholds {output} accepts by them")
    elif output:
        notes.append(f"{output} is not written: there is nothing to promise")
    return text, len(kept) == len(found), notes


# ---------------------------------------------------------------------------------------------------- words


def _what_if(found: Promise, max_error: float, certainty: float) -> str:
    """What each error would cost."""
    rows = [["--max-error", "accepted", "confidence", "wrong of these", f"{percent(certainty)} sure: at most"]]
    lacking = dict(found.lacking)
    for error in sorted({*lacking, *(one.max_error for one in found.kept)}):
        one = found.at(error)
        mark = "  <-" if error == max_error else ""
        if one:
            wrong = f"{one.wrong} of {one.accepted}"
            share = percent(one.accepted / found.fields)
            rows.append([percent(error), share, f"{one.confidence:.4f}", wrong, percent(one.at_most) + mark])
        else:
            rows.append([percent(error), "-", "", "", _more(lacking[error], found.fields) + mark])
    head = f"{', '.join(found.names)}: {found.fields} fields with truth, {found.exact} read exactly"
    return "\n".join([head, *(f"  {line}" for line in columns(rows))])


def _more(needed: int | None, there: int) -> str:
    return f"needs about {_rounded(needed - there)} more fields" if needed else "not to be had: too many are wrong"


def _rounded(count: int) -> int:
    """Two digits are all that is known of it."""
    step = int(10 ** max(0, len(str(count)) - 2))
    return -(-count // step) * step


def _each_field(found: Sequence[Promise], max_error: float, certainty: float) -> str:
    """The share of each field that is accepted at each error, and what is lacking."""
    errors = [error for error in sorted({*ERRORS, max_error}) if error == max_error or any(one.at(error) for one in found)]
    rows = [["field", "fields", "exact", *map(percent, errors), f"for {percent(max_error)}"]]
    for one in found:
        kept = [one.at(error) for error in errors]
        shares = [percent(each.accepted / one.fields) if each else "-" for each in kept]
        lacking = dict(one.lacking)
        more = _more(lacking[max_error], one.fields) if max_error in lacking else ""
        rows.append([", ".join(one.names), str(one.fields), str(one.exact), *shares, more])
    return "\n".join([f"accepted at each --max-error, {percent(certainty)} sure:", *columns(rows)])


def _refusal(refused: Sequence[Promise], max_error: float) -> str:
    names = [name for one in refused for name in one.names]
    told = f"an error of {percent(max_error)} cannot be promised for {', '.join(names)}"
    if len(refused) > 1:
        return f"{told}; --together takes less truth"
    one = refused[0]
    needed = dict(one.lacking)[max_error]
    if needed is None:
        why = "even among the surest fields more are wrong"
    else:
        why = f"{one.fields} fields are too few, it takes about {_rounded(needed - one.fields)} more"
    return f"{told}: {why}{f'; it could be {percent(one.kept[0].max_error)}' if one.kept else ''}"


def _held(rows: Sequence[Record], truths: Sequence[Record]) -> tuple[Judged, ...]:
    """Results held against truth. Raises BadInput where they have nothing in common."""
    judged = judge(rows, truths)
    if not any(one.found for one in judged):
        one, other = ({name: row.get(name, "1") for name in PLACE} for row in (truths[0], rows[0]))
        raise BadInput(
            "no field of the truth is in the results: document, page and field should be the same in both; the truth begins "
            f"with {', '.join(one.values())}, the results with {', '.join(other.values())}"
        )
    return judged


def _doubts(rows: Sequence[Record], truths: Sequence[Record], judged: Sequence[Judged]) -> list[str]:
    """What may be wrong with the truth as a sample."""
    notes = []
    if "status" in truths[0]:
        notes.append(f"the truth is a table of results: all of its {len(truths)} rows count as looked at by a person")
    pages = {(one.document, one.page) for one in judged}
    names = {one.field for one in judged}
    there = {(one.document, one.page, one.field) for one in judged}
    places = [(row["document"], int(row.get("page") or 1), row["field"]) for row in rows]
    left_out = [place for place in places if place[:2] in pages and place[2] in names and place not in there]
    if left_out:
        notes.append(
            f"{len(left_out)} fields without truth lie on the pages of the truth: if they were left out because they are hard "
            "to read, more will be wrong than promised"
        )
    missing = [one for one in judged if not one.found]
    if missing:
        more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
        notes.append(f"without a result, and so not accepted, is of the truth: {_place(missing[0])}{more}")
    return notes


def _check_models(results: Path, runs: Iterable[str], models: Mapping[str, str]) -> None:
    """Raises BadInput where results were not all read by these models."""
    known = {digest[:8] for digest in models.values()}
    for run in dict.fromkeys(runs):
        if not run or not set(run.split("-")) <= known:
            raise BadInput(
                f"{results} was read by other networks ({run or 'its column run is empty'}) than the model at hand: "
                "read the pages again with docproc run, or give --model"
            )


def _place(one: Judged) -> str:
    return f"{shown_name(one.document)}, page {one.page}, {one.field}"


def _crops(results: Path, rows: Sequence[Record], some: Sequence[Judged]) -> list[tuple[Judged, Gray]]:
    """Fields as they stand on their pages, as far as the journal beside the results knows the documents, and they are there."""
    if not journal_path(results).is_file():
        return []
    with Journal.look(results) as journal:
        documents = {safe_name(document.name): document for document, _ in journal.contents()}
    boxes = {
        (row["document"], int(row["page"]), row["field"]): Box(*(int(row[side]) for side in SIDES))
        for row in rows
        if all(row.get(side) for side in SIDES)
    }
    crops = []
    for one in some:
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
            raise OutputExists(f"{path} is there already; give --overwrite or another name")


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda file: file.write(text.encode("utf-8")))
