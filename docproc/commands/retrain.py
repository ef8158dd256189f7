"""Learn from a user's corrections: a table in, and a model out where it reads better than the one before."""

from __future__ import annotations

import hashlib
import json
import re
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
from docproc.errors import BadInput, BadUsage, CannotWrite, DocprocError, DocumentError, OutputExists
from docproc.files import Document, read_content
from docproc.learn.composing import mnist
from docproc.learn.evaluation.scoring import Judged, judge
from docproc.learn.training.corrections import HELD_BACK, Lesson, held_back, lesson
from docproc.learn.training.export import file_hash
from docproc.learn.training.finetune import (
    NETWORKS,
    RECIPE,
    Drawn,
    Pair,
    fields_needed,
    gain,
    learn,
    likely_gain,
    measured,
    read_composed,
    refusals,
)
from docproc.learn.training.fit import check_training, import_tensorflow
from docproc.learn.training.handwriting import FILES, Recipe
from docproc.learn.training.progress import Tell
from docproc.options import Limits, RunRequest
from docproc.pipeline import read_placed, tabulate
from docproc.rules import PartOrder
from docproc.runs.batch import Settings, placed_pages, read_documents, settings_for
from docproc.runs.journal import Journal, journal_path
from docproc.runs.tables import safe_name, shown_name, write_whole
from docproc.runs.truth import read_truth
from docproc.runs.workers import process_map
from docproc.types import Box, Mapper, Row
from docproc.weights.cards import MICR, card_path, model_folder, network_files, read_card
from docproc.weights.opening import open_reader

Place = tuple[int, str]  # page and field

CARD = "digits.json"


@dataclass(frozen=True, slots=True)
class Relearning:
    """What a model is to be learned from, and where it goes."""

    reviewed: Path  # a table of results whose texts a person has corrected
    output: Path  # a folder
    base: Path | None = None  # of the glyph network, the others beside it; None: the shipped one
    results: Path | None = None  # of the run that was corrected, or its journal; None: that beside `reviewed`
    layout: str = ""  # "": that of the run
    data: Path | None = None  # MNIST; None: digits that the project draws
    max_error: float = 0.01  # at which more fields are to be accepted
    changes: Mapping[str, Any] = field(default_factory=dict)  # of the recipe
    jobs: int = 1
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class _Reviewed:
    """A document, and what a person says of it."""

    document: Document
    sha256: str
    texts: Mapping[Place, str]
    boxes: Mapping[Place, Box]  # where the run read them


@dataclass(frozen=True, slots=True)
class _Taught:
    """What a document teaches."""

    lessons: tuple[Lesson, ...]
    printed: frozenset[str]  # fields that other networks read
    moved: int  # fields that lie elsewhere now
    lost: int  # fields that were not found again


@dataclass(frozen=True, slots=True)
class _Before:
    """How a run stood that was corrected."""

    contents: Mapping[str, tuple[Document, str]]  # by the document's name in tables: it, and the SHA-256 of what was read
    rows: Mapping[tuple[str, int, str], Row]
    notes: Mapping[str, str]


def relearn(wish: Relearning, tell: Tell) -> tuple[str, bool]:
    """Train on two thirds of the documents, judge on the others; write a model to the folder if it is the better one.

    Returns what to say of before and after, and whether the model was written. Raises an error of the DocprocError tree: where
    the documents are not there, or are not those that were read, and where too few were held back to tell anything.
    """
    began = time.monotonic()
    check_training()
    if not 0 < wish.max_error < 1:
        raise BadUsage("--max-error: give an error above 0% and below 100%")
    base = network_files("tensorflow", card_path(wish.base or model_folder() / "digits.onnx").with_suffix(".onnx"))
    reading = base["glyphs"].with_suffix(".onnx")
    card = read_card(reading)
    recipe = replace(RECIPE, **(dict(wish.changes) | {"seed": _seed(wish, card)}))
    _check_free(wish)
    documents, settings = _documents(wish, reading, tell)
    held = [one for one in documents if held_back(one.sha256, recipe.seed)]
    shown = [one for one in documents if not held_back(one.sha256, recipe.seed)]
    _check_enough(sum(len(one.texts) for one in held), wish.max_error)
    lessons, printed = _lessons(shown, settings, recipe, wish.jobs, tell)
    held = [replace(one, texts={place: text for place, text in one.texts.items() if place[1] not in printed}) for one in held]
    _check_enough(sum(len(one.texts) for one in held), wish.max_error)

    digits = Drawn.of(mnist.load(wish.data) if wish.data else None)

    def judged(model: Path) -> tuple[tuple[Judged, ...], tuple[Judged, ...]]:
        own = replace(settings, model=model, models=())
        count, haste = recipe.calibration_strips, recipe.calibration_haste
        return _judged(held, own, wish.jobs), read_composed(model, digits.test, count, haste, wish.max_error, wish.jobs)

    tell(f"reading {len(held)} documents that were held back, and {recipe.calibration_strips} composed fields")
    before = judged(reading)
    import_tensorflow()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        agree = learn(recipe, lessons, digits.train, base, card, folder, wish.jobs, tell)
        made = dict(card) | {
            "docproc": __version__,
            "recipe": asdict(recipe),
            "sha256": {name: file_hash(folder / name) for name in FILES if (folder / name).is_file()},
        }
        _write_card(folder / CARD, made)  # without it nothing reads them
        tell("reading them again")
        after = judged(folder / "digits.onnx")
        own, composed = (
            (measured(one, wish.max_error), measured(other, wish.max_error)) for one, other in zip(before, after, strict=True)
        )
        risen = gain(before[0], after[0], wish.max_error)
        reasons = refusals(own, composed, likely_gain(before[0], after[0], wish.max_error), wish.max_error)
        said = _said(own, composed, risen, wish.max_error)
        if reasons:
            told = [said, "", "not better, and nothing was written:", *(f"  {reason}" for reason in reasons)]
            return "\n".join(told), False
        made["minutes"] = round((time.monotonic() - began) / 60, 1)
        made["scores"] = agree
        made["data"] = dict(card.get("data", {})) | {
            "reviewed": {
                "table": file_hash(wish.reviewed),
                "documents": hashlib.sha256("".join(sorted(one.sha256 for one in documents)).encode()).hexdigest(),
                "trained_on": {"documents": len(shown), **_counts(lessons)},
                "held_back": {"documents": len(held), "fields": own[0].fields},
                "seed": recipe.seed,
                "replayed": dict(digits.origin),
            }
        }
        made["base"] = {
            "sha256": {path.name: card["sha256"][path.name] for name, path in base.items() if name in NETWORKS},
            "kept": "context, vote, calibration and repairs are those of the base",
            **{name: card[name] for name in ("recipe", "scores", "base") if name in card},
        }
        made["judged"] = {
            "max_error": wish.max_error,
            "held_back": {"before": asdict(own[0]), "after": asdict(own[1]), "gain": list(risen)},
            "composed": {"before": asdict(composed[0]), "after": asdict(composed[1])},
        }
        _write_card(folder / CARD, made)
        _put(folder, base, wish.output)
    return f"{said}\n\nbetter; written: {wish.output / 'digits.onnx'}", True


def _seed(wish: Relearning, card: Mapping[str, Any]) -> int:
    """The seed of the split: a base that has learned from corrections must not be judged on what it was trained on."""
    used = card.get("data", {}).get("reviewed", {}).get("seed")
    asked = wish.changes.get("seed")
    if used is not None and asked is not None and asked != used:
        raise BadUsage(
            f"the base has learned from corrections with --seed {used}; with another it would be judged on documents that it "
            "was trained on: leave --seed out"
        )
    return int(next(seed for seed in (asked, used, RECIPE.seed) if seed is not None))


def _check_free(wish: Relearning) -> None:
    there = [name for name in (*FILES, CARD) if (wish.output / name).exists()]
    if there and not wish.overwrite:
        raise OutputExists(f"{wish.output / there[0]} is there already; give --overwrite or another folder with -o")


def _check_enough(there: int, max_error: float) -> None:
    needed = fields_needed(max_error)
    if there < needed:
        raise DocprocError(
            f"only {there} fields lie on the documents that are held back, and it takes {needed} to tell what comes of an "
            f"error of {100 * max_error:g}%: correct about {round((needed - there) / HELD_BACK)} fields more, on other "
            "documents, or give a larger --max-error"
        )


# ------------------------------------------------------------------------------------------------ documents


def _documents(wish: Relearning, reading: Path, tell: Tell) -> tuple[list[_Reviewed], Settings]:
    """The documents of which a person speaks, copies as one, and how their fields are found."""
    before = _before(wish)
    texts = _texts(wish.reviewed)
    known = {place: text for place, text in texts.items() if place[0] in before.contents}
    if not known:
        raise BadInput(
            f"the run knows no document of {wish.reviewed}, which begins with {next(iter(texts))[0]}: give the table of the "
            "run that it corrects with --results"
        )
    changed = sum(place not in before.rows or before.rows[place].text != text for place, text in known.items())
    if not changed:
        raise BadInput(f"every text in {wish.reviewed} is the one that was read: there is no correction to learn from")
    by_content: dict[str, dict[str, dict[Place, str]]] = {}
    for (name, page, written), text in sorted(known.items()):
        by_content.setdefault(before.contents[name][1], {}).setdefault(name, {})[page, written] = text
    documents, doubtful = [], 0
    for sha256, copies in by_content.items():
        said: dict[Place, set[str]] = {}
        for own in copies.values():
            for place, text in own.items():
                said.setdefault(place, set()).add(text)
        doubtful += sum(len(one) > 1 for one in said.values())
        name = next(iter(copies))
        boxes = {place: box for place in said if (box := _box(before.rows.get((name, *place)))) is not None}
        agreed = {place: next(iter(one)) for place, one in said.items() if len(one) == 1}
        documents.append(_Reviewed(before.contents[name][0], sha256, agreed, boxes))
    _check_unchanged(documents)
    left_out = len(texts) - len(known)
    tell(
        f"{len(known)} fields on {len(documents)} documents, {changed} of them corrected; all count as looked at by a person"
        + (f"; {left_out} on documents that the run does not know" if left_out else "")
        + (f"; {doubtful} of which copies of one document say different things are left out" if doubtful else "")
    )
    known_limits = {one.name for one in fields(Limits)}
    given = json.loads(before.notes.get("limits") or "{}")
    limits = Limits(**{name: value for name, value in given.items() if name in known_limits})
    request = RunRequest(
        (), Path(), wish.layout or before.notes.get("layout", "auto"), backend="onnx", model=reading, max_error=wish.max_error,
        date_order=cast(PartOrder, before.notes.get("date_order") or "auto"), limits=limits,
    )  # fmt: skip
    return documents, settings_for([one.document for one in documents], request)


def _before(wish: Relearning) -> _Before:
    run = wish.results or wish.reviewed
    if not journal_path(run).is_file():
        raise BadInput(
            f"there is no journal {journal_path(run)}, which tells where the documents lie: give the table of the run that "
            f"{wish.reviewed.name} corrects with --results"
        )
    with Journal.look(run) as journal:
        contents = {safe_name(document.name): (document, sha256) for document, sha256 in journal.contents()}
        rows = {(safe_name(row.document), row.page, row.field): row for row in journal.rows()}
        return _Before(contents, rows, journal.standing().notes)


def _texts(reviewed: Path) -> dict[tuple[str, int, str], str]:
    """What a person says: (document, page, field) to text. Raises BadInput."""
    rows = read_truth(reviewed)
    if "text" not in rows[0]:
        raise BadInput(f"{reviewed} has no column text: networks learn from what is written, and not from what it means")
    texts: dict[tuple[str, int, str], str] = {}
    for row in rows:
        place, text = (row["document"], int(row.get("page") or 1), row["field"]), row["text"]
        if not re.fullmatch("[0-9]*", text):
            raise BadInput(f"{reviewed}: {place[0]}, page {place[1]}, {place[2]}: the text {text!r} holds more than digits")
        if place in texts:
            raise BadInput(f"{reviewed}: two rows are of {place[0]}, page {place[1]}, field {place[2]!r}")
        texts[place] = text
    return texts


def _box(row: Row | None) -> Box | None:
    if row is None or row.left is None or row.top is None or row.width is None or row.height is None:
        return None
    return Box(row.left, row.top, row.width, row.height)


def _check_unchanged(documents: Sequence[_Reviewed]) -> None:
    """Raises BadInput where documents are not there, or are not those that were read."""
    faults = []
    for one in documents:
        try:
            found = read_content(one.document.path, Limits(file_bytes=1 << 62)).sha256
        except DocumentError as problem:
            faults.append(f"{shown_name(one.document.name)}: {problem}")
            continue
        if found != one.sha256:
            faults.append(f"{shown_name(one.document.name)}: its content is not the one that was read")
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise BadInput(
            f"{faults[0]}{more}: put the documents back where the run found them, or read them again with docproc run and "
            "correct that table"
        )


# -------------------------------------------------------------------------------------------------- lessons


def _lessons(
    documents: Sequence[_Reviewed], settings: Settings, recipe: Recipe, jobs: int, tell: Tell
) -> tuple[list[Lesson], frozenset[str]]:
    """What documents teach, and which of their fields other networks read. Raises BadInput where they teach nothing."""
    mapper = _mapper(settings.limits, jobs, len(documents))
    found: dict[str, _Taught] = {}
    unread = 0
    for one, taught in mapper(partial(_open_teacher, settings, recipe.seed, recipe.not_digits), documents):
        if isinstance(taught, DocumentError):
            unread += 1
        else:
            found[one.sha256] = taught
    moved, lost = sum(taught.moved for taught in found.values()), sum(taught.lost for taught in found.values())
    if moved > sum(len(taught.lessons) for taught in found.values()):
        raise BadInput(
            f"{moved} fields lie elsewhere on their pages than where the run read them: give the template that it read with as "
            "--layout"
        )
    # In the order of the documents, whoever was read first.
    lessons = [one for document in documents if document.sha256 in found for one in found[document.sha256].lessons]
    useful = [one for one in lessons if not one.empty]
    count = _counts(lessons)
    tell(
        f"{count['fields']} fields to learn from: {count['lines']} lines, {count['glyphs']} glyphs, {count['cells']} cells of "
        f"combs; {len(lessons) - len(useful)} teach nothing, being blank or far from what can be seen"
        + (f"; {moved} lie elsewhere than before" if moved else "")
        + (f"; {lost} were not found again" if lost else "")
        + (f"; {unread} documents could not be read" if unread else "")
    )
    if not useful:
        raise BadInput("nothing can be learned from these fields: their texts are far from what can be seen")
    return useful, frozenset(name for taught in found.values() for name in taught.printed)


def _counts(lessons: Sequence[Lesson]) -> dict[str, int]:
    count: Counter[str] = Counter()
    for one in lessons:
        count.update(fields=not one.empty, lines=len(one.lines), glyphs=len(one.labels), cells=len(one.marks))
    return {name: count[name] for name in ("fields", "lines", "glyphs", "cells")}


def _open_teacher(settings: Settings, seed: int, not_digits: int) -> Callable[[_Reviewed], _Taught]:
    """In a worker: read a document as a run does, and see what it teaches."""
    import cv2

    cv2.setNumThreads(1)
    reader = open_reader(settings.backend, settings.model)
    accept = reader.accepts(settings.max_error)

    def work(one: _Reviewed) -> _Taught:
        content = read_content(one.document.path, settings.limits)
        rng = np.random.default_rng((seed, int(one.sha256[:8], 16)))
        lessons: list[Lesson] = []
        printed: set[str] = set()
        seen: set[Place] = set()
        moved = 0
        for placed in placed_pages(one.document, content, settings):
            if isinstance(placed, Row):
                continue
            results = read_placed(placed, reader)
            rows = {row.field: row for row in tabulate(placed, results, accept)}
            named = {result.prepared.field.name: result for result in results if result.prepared.field.kind != "micr"}
            printed |= rows.keys() - named.keys() - set(placed.expected)
            printed |= {result.prepared.field.name for result in results if result.prepared.field.kind == "micr"}
            for name, result in named.items():
                place = placed.page.id.page, name
                if place not in one.texts:
                    continue
                seen.add(place)
                if place in one.boxes and _box(rows[name]) != one.boxes[place]:
                    moved += 1
                else:
                    lessons.append(lesson(result, one.texts[place], reader.context, not_digits, rng))
        lost = [place for place in one.texts if place not in seen and place[1] not in printed]
        return _Taught(tuple(lessons), frozenset(printed), moved, len(lost))

    return work


def _mapper(limits: Limits, jobs: int, items: int) -> Mapper:
    return cast(Mapper, partial(process_map, jobs=max(1, min(jobs, items)), seconds=limits.seconds, memory=limits.memory))


def _judged(held: Sequence[_Reviewed], settings: Settings, jobs: int) -> tuple[Judged, ...]:
    """What a run reads of documents, held against what a person says of them."""
    mapper = _mapper(settings.limits, jobs, len(held))
    rows = [
        {
            "document": safe_name(row.document), "page": str(row.page), "field": row.field, "text": row.text,
            "confidence": str(row.confidence or 0), "status": row.status, "reason": row.reason,
        }
        for found in read_documents([one.document for one in held], settings, mapper)
        for row in found
        if row.status != "error"
    ]  # fmt: skip
    truth = [
        {"document": safe_name(one.document.name), "page": str(page), "field": field, "text": text}
        for one in held
        for (page, field), text in one.texts.items()
    ]
    return judge(rows, truth)


# ---------------------------------------------------------------------------------------------------- words


def _said(own: Pair, composed: Pair, risen: tuple[float, float], max_error: float) -> str:
    """Before and after, side by side."""
    four = (*own, *composed)
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
    low, high = (f"{100 * side:+.1f}" for side in risen)
    return "\n".join([*table, f"could be accepted: {low} to {high} points on the documents held back, 95% sure"])


# ---------------------------------------------------------------------------------------------------- files


def _put(folder: Path, base: Mapping[str, Path], output: Path) -> None:
    """Move a whole model to where it belongs; the card comes last, for it vouches for the others."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise CannotWrite(f"cannot make the folder {output}: {problem.strerror}") from problem
    files = {name: folder / name for name in FILES if (folder / name).is_file()}
    micr = card_path(base[MICR])
    if micr.parent != model_folder() and micr.parent.resolve() != output.resolve():
        files |= {name: micr.with_name(name) for name in (micr.name, *read_card(micr)["sha256"])}
    for name, path in (*files.items(), (CARD, folder / CARD)):
        data = path.read_bytes()
        write_whole(output / name, lambda file, data=data: file.write(data))  # type: ignore[misc]


def _write_card(path: Path, card: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
