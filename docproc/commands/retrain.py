"""Fine-tune the shipped networks on a user's corrections: a table in, and a model out if it reads better than its base."""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from docproc._version import __version__
from docproc.backends.quiet import import_tensorflow
from docproc.documents import DocumentReader, Settings, opened_file, settings_for
from docproc.errors import BadInput, BadUsage, CannotWrite, DocprocError, DocumentError, OutputExists
from docproc.files import read_content
from docproc.learn.composing import mnist
from docproc.learn.composing.material import Material
from docproc.learn.environment import check_training
from docproc.learn.evaluation.comparison import (
    BeforeAfter,
    likely_gain,
    min_held_out_fields,
    performance,
    read_rate_gain,
    refusals,
)
from docproc.learn.evaluation.scoring import Interval, ScoredField, score_fields
from docproc.learn.progress import Log, Step, counted
from docproc.learn.training.corrected_documents import CorrectedDocument, FieldKey, box_of, find_corrected_documents
from docproc.learn.training.corrections import HELD_OUT_SHARE, CorrectionExamples, correction_examples, is_held_out
from docproc.learn.training.export import file_hash
from docproc.learn.training.finetune import NETWORK_NAMES, Base, ReplayDigits, finetune, read_composed
from docproc.learn.training.model_card import HANDWRITING_FILES, write_card
from docproc.learn.training.recipes import FINETUNING, HandwritingRecipe
from docproc.options import Limits, RunRequest
from docproc.readers import MICR
from docproc.readers.e13b import PrintedResult
from docproc.rules import PartOrder
from docproc.runs.batch import read_documents
from docproc.runs.tables import safe_name, write_whole
from docproc.runs.workers import process_map
from docproc.types import Mapper, Row
from docproc.weights.cards import card_path, model_folder, network_files, read_card

CARD = "digits.json"


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """What a model is fine-tuned on, and where it is written."""

    corrections: Path  # a table of results whose texts a person has corrected
    output: Path  # a folder
    base: Path | None = None  # its glyph network, with the other networks next to it; None: the shipped one
    results: Path | None = None  # the run that was corrected, or its journal; None: the one next to `corrections`
    layout: str = ""  # "": that of the run
    data: Path | None = None  # MNIST; None: digits that the project draws
    max_error: float = 0.01  # error rate at which more fields should be accepted, 0..1
    changes: Mapping[str, Any] = field(default_factory=dict)  # to the recipe, by its fields
    jobs: int = 1
    overwrite: bool = False


def retrain(request: RetrainRequest, log: Log) -> tuple[str, bool]:
    """Fine-tune on two thirds of the documents, test on the others; write a model to the folder if it is better.

    Returns a comparison as text, and whether the model was written. Raises a DocprocError: if the documents are missing or have
    changed, or if too few were held out for a conclusion.
    """
    began = time.monotonic()
    check_training()
    if not 0 < request.max_error < 1:
        raise BadUsage("--max-error: give an error above 0% and below 100%")
    files = network_files("tensorflow", card_path(request.base or model_folder() / "digits.onnx").with_suffix(".onnx"))
    base_model = files["glyphs"].with_suffix(".onnx")
    base = Base(files, read_card(base_model))
    recipe = replace(FINETUNING, **(dict(request.changes) | {"seed": _seed(request, base.card)}))
    _check_output_is_free(request)
    documents, settings = _documents(request, base_model, log)
    split = _Split.of(documents, recipe.seed)
    _check_enough(split.held_out, request.max_error)
    corrections, printed = _extract_examples(split.train, settings, recipe, request.jobs, log)
    split = split.without_fields(printed)
    _check_enough(split.held_out, request.max_error)
    log(Step("reading MNIST" if request.data else "drawing digits"))
    digits = ReplayDigits.of(mnist.load(request.data) if request.data else None)
    test = _Test(split.held_out, settings, digits.test, recipe, request.max_error, request.jobs, log)
    before = test.read(base_model, "the model as it was")
    log(Step("loading TensorFlow"))
    import_tensorflow()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        agreement = finetune(recipe, corrections, digits.train, base, folder, request.jobs, log)
        card = _card_of_networks(base, recipe, folder)
        write_card(folder / CARD, card)  # without it, the networks are not used
        after = test.read(folder / "digits.onnx", "the new model")
        log(Step("comparing the two models"))
        comparison = _compare(before, after, request.max_error)
        text = _comparison_table(comparison, request.max_error)
        if comparison.refusals:
            reasons = [f"  {reason}" for reason in comparison.refusals]
            return "\n".join([text, "", "not better, and nothing was written:", *reasons]), False
        card |= {"minutes": round((time.monotonic() - began) / 60, 1), "scores": agreement}
        reviewed = {
            "table": file_hash(request.corrections),
            **_data_on_card(split, corrections, comparison),
            "seed": recipe.seed,
            "replayed": dict(digits.origin),
        }
        card["data"] = dict(base.card.get("data", {})) | {"reviewed": reviewed}
        card |= _origin_on_card(base) | _comparison_on_card(comparison, request.max_error)
        write_card(folder / CARD, card)
        _publish(folder, base, request.output)
    return f"{text}\n\nbetter; written: {request.output / 'digits.onnx'}", True


def _seed(request: RetrainRequest, card: Mapping[str, Any]) -> int:
    """The seed of the split. A base that was fine-tuned keeps its seed, so that it is never tested on its training data."""
    used = card.get("data", {}).get("reviewed", {}).get("seed")
    asked = request.changes.get("seed")
    if used is not None and asked is not None and asked != used:
        raise BadUsage(
            f"the base has learned from corrections with --seed {used}; with another it would be judged on documents that it "
            "was trained on: leave --seed out"
        )
    return int(next(seed for seed in (asked, used, FINETUNING.seed) if seed is not None))


def _check_output_is_free(request: RetrainRequest) -> None:
    there = [name for name in (*HANDWRITING_FILES, CARD) if (request.output / name).exists()]
    if there and not request.overwrite:
        raise OutputExists(
            f"{request.output / there[0]} already exists; use --overwrite to replace it, or -o for another folder"
        )


# ------------------------------------------------------------------------------------------------ documents


def _documents(request: RetrainRequest, model: Path, log: Log) -> tuple[list[CorrectedDocument], Settings]:
    """The corrected documents, and the settings to read them with `model` as the run did."""
    documents, notes = find_corrected_documents(request.corrections, request.results, log)
    known_limits = {one.name for one in fields(Limits)}
    given = json.loads(notes.get("limits") or "{}")
    limits = Limits(**{name: value for name, value in given.items() if name in known_limits})
    layouts = request.layout or tuple(notes.get("layout", "auto").split("\n"))
    run = RunRequest(
        (), Path(), layouts, backend="onnx", model=model, max_error=request.max_error,
        date_order=cast(PartOrder, notes.get("date_order") or "auto"), limits=limits,
    )  # fmt: skip
    return documents, settings_for([one.document for one in documents], run)


@dataclass(frozen=True, slots=True)
class _Split:
    """The documents for training, and those for testing."""

    train: Sequence[CorrectedDocument]
    held_out: Sequence[CorrectedDocument]

    @staticmethod
    def of(documents: Sequence[CorrectedDocument], seed: int) -> _Split:
        held_out = [one for one in documents if is_held_out(one.sha256, seed)]
        return _Split([one for one in documents if not is_held_out(one.sha256, seed)], held_out)

    def without_fields(self, names: frozenset[str]) -> _Split:
        """The same split, without the held-out fields of these names."""
        held_out = [
            replace(one, texts={key: text for key, text in one.texts.items() if key[1] not in names}) for one in self.held_out
        ]
        return _Split(self.train, held_out)


def _check_enough(held_out: Sequence[CorrectedDocument], max_error: float) -> None:
    there, needed = sum(len(one.texts) for one in held_out), min_held_out_fields(max_error)
    if there < needed:
        raise DocprocError(
            f"only {there} fields lie on the documents that are held back, and it takes {needed} to tell what comes of an "
            f"error of {100 * max_error:g}%: correct about {round((needed - there) / HELD_OUT_SHARE)} fields more, on other "
            "documents, or give a larger --max-error"
        )


# ---------------------------------------------------------------------------------------- training examples


@dataclass(frozen=True, slots=True)
class _DocumentExamples:
    """The training examples of one document."""

    fields: tuple[CorrectionExamples, ...]
    printed: frozenset[str]  # names of fields that other networks read
    moved: int  # fields that are not where they were when the run read them
    lost: int  # fields that were not found again


def _extract_examples(
    documents: Sequence[CorrectedDocument], settings: Settings, recipe: HandwritingRecipe, jobs: int, log: Log
) -> tuple[list[CorrectionExamples], frozenset[str]]:
    """The examples of all documents, and the names of fields that other networks read. Raises BadInput if there are none."""
    mapper = _mapper(settings.limits, jobs, len(documents))
    found: dict[str, _DocumentExamples] = {}
    unread = 0
    work = mapper(partial(_open_extractor, settings, recipe.seed, recipe.not_digits), documents)
    for one, extracted in counted(work, len(documents), "taking examples from the documents", log):
        if isinstance(extracted, DocumentError):
            unread += 1
        else:
            found[one.sha256] = extracted
    moved, lost = sum(each.moved for each in found.values()), sum(each.lost for each in found.values())
    if moved > sum(len(each.fields) for each in found.values()):
        raise BadInput(
            f"{moved} fields lie elsewhere on their pages than where the run read them: give the template that it read with as "
            "--layout"
        )
    # In the order of the documents, not in the order in which the workers finished.
    examples = [one for document in documents if document.sha256 in found for one in found[document.sha256].fields]
    useful = [one for one in examples if not one.empty]
    count = _counts(examples)
    log(
        f"{count['fields']} fields to learn from: {count['lines']} lines, {count['glyphs']} glyphs, {count['cells']} cells of "
        f"combs; {len(examples) - len(useful)} teach nothing, being blank or far from what can be seen"
        + (f"; {moved} lie elsewhere than before" if moved else "")
        + (f"; {lost} were not found again" if lost else "")
        + (f"; {unread} documents could not be read" if unread else "")
    )
    if not useful:
        raise BadInput("nothing can be learned from these fields: their texts are far from what can be seen")
    return useful, frozenset(name for each in found.values() for name in each.printed)


def _counts(examples: Sequence[CorrectionExamples]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for one in examples:
        count.update(fields=not one.empty, lines=len(one.lines), glyphs=len(one.labels), cells=len(one.cell_labels))
    return {name: count[name] for name in ("fields", "lines", "glyphs", "cells")}


def _open_extractor(settings: Settings, seed: int, not_digits: int) -> Callable[[CorrectedDocument], _DocumentExamples]:
    """In a worker: read documents as a run does, and make training examples of their fields."""
    import cv2

    cv2.setNumThreads(1)
    reader = DocumentReader.open(settings)

    def work(one: CorrectedDocument) -> _DocumentExamples:
        content = read_content(one.document.path, settings.limits)
        rng = np.random.default_rng((seed, int(one.sha256[:8], 16)))
        examples: list[CorrectionExamples] = []
        printed: set[str] = set()
        seen: set[FieldKey] = set()
        moved = 0
        for page in reader.read_pages(opened_file(one.document, content.data, settings), settings.layout):
            if isinstance(page, Row):
                continue
            rows = {row.field: row for row in page.rows}
            written = {r.prepared.field.name: r for r in page.results if not isinstance(r, PrintedResult)}
            printed |= rows.keys() - written.keys() - set(page.placed.expected)
            printed |= {r.prepared.field.name for r in page.results if isinstance(r, PrintedResult)}
            for name, result in written.items():
                key = page.placed.page.id.page, name
                if key not in one.texts:
                    continue
                seen.add(key)
                if key in one.boxes and box_of(rows[name]) != one.boxes[key]:
                    moved += 1
                else:
                    examples.append(correction_examples(result, one.texts[key], not_digits, rng))
        lost = [key for key in one.texts if key not in seen and key[1] not in printed]
        return _DocumentExamples(tuple(examples), frozenset(printed), moved, len(lost))

    return work


def _mapper(limits: Limits, jobs: int, items: int) -> Mapper:
    return cast(Mapper, partial(process_map, jobs=max(1, min(jobs, items)), seconds=limits.seconds, memory=limits.memory))


# ----------------------------------------------------------------------------------------------- comparison


@dataclass(frozen=True, slots=True)
class _Test:
    """What a model is tested on: the held-out documents, and composed fields."""

    held_out: Sequence[CorrectedDocument]
    settings: Settings
    material: Material
    recipe: HandwritingRecipe
    max_error: float
    jobs: int
    log: Log

    def read(self, model: Path, name: str) -> tuple[tuple[ScoredField, ...], tuple[ScoredField, ...]]:
        """The fields of the held-out documents, and the composed fields, as `model` reads them; `name` is the model's name."""
        settings = replace(self.settings, model=model, models=())
        documents = _read_documents(
            self.held_out, settings, self.jobs, f"reading the documents held back with {name}", self.log
        )
        count, carelessness = self.recipe.calibration_strips, self.recipe.calibration_haste
        told = f"reading composed fields with {name}"
        composed = read_composed(model, self.material, count, carelessness, self.max_error, self.jobs, told, self.log)
        return documents, composed


def _read_documents(
    documents: Sequence[CorrectedDocument], settings: Settings, jobs: int, name: str, log: Log
) -> tuple[ScoredField, ...]:
    """Read documents as a run does, and score the readings."""
    mapper = _mapper(settings.limits, jobs, len(documents))
    read = read_documents([one.document for one in documents], settings, mapper)
    rows = [
        {
            "document": safe_name(row.document), "page": str(row.page), "field": row.field, "text": row.text,
            "confidence": str(row.confidence or 0), "status": row.status, "reason": row.reason,
        }
        for found in counted(read, len(documents), name, log)
        for row in found
        if row.status != "error"
    ]  # fmt: skip
    truth = [
        {"document": safe_name(one.document.name), "page": str(page), "field": field, "text": text}
        for one in documents
        for (page, field), text in one.texts.items()
    ]
    return score_fields(rows, truth)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """The base model and the fine-tuned one on the same fields."""

    held_out: BeforeAfter
    composed: BeforeAfter
    gain: Interval  # of the read rate on the held-out documents
    refusals: tuple[str, ...]  # why the fine-tuned model may not replace its base


def _compare(
    before: tuple[Sequence[ScoredField], Sequence[ScoredField]],
    after: tuple[Sequence[ScoredField], Sequence[ScoredField]],
    max_error: float,
) -> _Comparison:
    held_out, composed = (
        (performance(one, max_error), performance(other, max_error)) for one, other in zip(before, after, strict=True)
    )
    gain = read_rate_gain(before[0], after[0], max_error)
    reasons = refusals(held_out, composed, likely_gain(before[0], after[0], max_error), max_error)
    return _Comparison(held_out, composed, gain, reasons)


def _comparison_table(comparison: _Comparison, max_error: float) -> str:
    """Before and after, side by side."""
    four = (*comparison.held_out, *comparison.composed)
    error = f"{100 * max_error:g}%"
    lines = [
        ("", "held back", "", "composed", ""),
        ("", "before", "after", "before", "after"),
        ("fields", *(str(one.fields) for one in four)),
        ("read exactly", *(f"{one.exact / max(1, one.fields):.2%}" for one in four)),
        (f"could be accepted at {error} error", *(f"{one.read_rate:.2%}" for one in four)),
        ("accepted by the thresholds", *(f"{one.accepted / max(1, one.fields):.2%}" for one in four)),
        ("wrong of these", *(f"{one.wrong} of {one.accepted}" for one in four)),
    ]
    table = [f"{name:32}{a:>14}{b:>14}{c:>16}{d:>14}".rstrip() for name, a, b, c, d in lines]
    low, high = (f"{100 * side:+.1f}" for side in comparison.gain)
    return "\n".join([*table, f"could be accepted: {low} to {high} points on the documents held back, 95% sure"])


# -------------------------------------------------------------------------------------------- card and files


def _card_of_networks(base: Base, recipe: HandwritingRecipe, folder: Path) -> dict[str, Any]:
    """The card of the base, with the recipe and the hashes of the fine-tuned networks: enough to read with them."""
    return dict(base.card) | {
        "docproc": __version__,
        "recipe": asdict(recipe),
        "sha256": {name: file_hash(folder / name) for name in HANDWRITING_FILES if (folder / name).is_file()},
    }


def _data_on_card(
    split: _Split, corrections: Sequence[CorrectionExamples], comparison: _Comparison
) -> dict[str, str | dict[str, int]]:
    """The documents, as a hash that does not depend on their order, and how much of them was used."""
    contents = sorted(one.sha256 for one in (*split.train, *split.held_out))
    return {
        "documents": hashlib.sha256("".join(contents).encode()).hexdigest(),
        "trained_on": {"documents": len(split.train), **_counts(corrections)},
        "held_back": {"documents": len(split.held_out), "fields": comparison.held_out[0].fields},
    }


def _origin_on_card(base: Base) -> dict[str, Any]:
    """The model that was fine-tuned."""
    return {
        "base": {
            "sha256": {path.name: base.card["sha256"][path.name] for key, path in base.files.items() if key in NETWORK_NAMES},
            "kept": "context, vote, calibration and repairs are those of the base",
            **{name: base.card[name] for name in ("recipe", "scores", "base") if name in base.card},
        }
    }


def _comparison_on_card(comparison: _Comparison, max_error: float) -> dict[str, Any]:
    held_out, composed = comparison.held_out, comparison.composed
    return {
        "judged": {
            "max_error": max_error,
            "held_back": {"before": asdict(held_out[0]), "after": asdict(held_out[1]), "gain": list(comparison.gain)},
            "composed": {"before": asdict(composed[0]), "after": asdict(composed[1])},
        }
    }


def _publish(folder: Path, base: Base, output: Path) -> None:
    """Move a complete model to its folder; the card comes last, because it vouches for the other files."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CannotWrite(f"cannot make the folder {output}: {problem.strerror}") from problem
    files = {name: folder / name for name in HANDWRITING_FILES if (folder / name).is_file()}
    micr = card_path(base.files[MICR])
    if micr.parent != model_folder() and micr.parent.resolve() != output.resolve():
        files |= {name: micr.with_name(name) for name in (micr.name, *read_card(micr)["sha256"])}
    for name, path in (*files.items(), (CARD, folder / CARD)):
        data = path.read_bytes()
        write_whole(output / name, lambda file, data=data: file.write(data))  # type: ignore[misc]
