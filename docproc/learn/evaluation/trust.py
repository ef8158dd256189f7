"""Checks accepted results on fields drawn by the project: print in many fonts, fields without a number, empty fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from docproc.learn.composing import spelling
from docproc.learn.composing.examples import map_chunks
from docproc.learn.composing.material import Material
from docproc.learn.composing.nothing import BLANKS, NOTHINGS, UNSEEN, compose_blank, compose_nothing
from docproc.learn.composing.paper import scanned
from docproc.learn.composing.printing import typed_in
from docproc.learn.composing.spelling import Spelled
from docproc.meaning.dates import ANY_DATE
from docproc.readers.confidence import judge
from docproc.readers.read import prepare_field, recognize
from docproc.readers.value import value_of
from docproc.rules import FieldRules
from docproc.types import Box, Field, Gray, Kind
from docproc.weights.opening import open_model

SEED = 20261128  # for the fields, which are always the same
DPI = (200, 300)  # at which print is scanned
POINTS = (8.0, 12.0)  # size of the print


@dataclass(frozen=True, slots=True)
class Drawn:
    """A field that was drawn, and its true text."""

    sort: str  # outcomes are counted by it
    gray: Gray
    kind: Kind
    text: str  # "" if no number is written
    rules: FieldRules | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for one drawn field."""

    sort: str
    status: str
    exact: bool
    text: str  # the true text
    read: str


@dataclass(frozen=True, slots=True)
class Counted:
    """The outcomes of one sort of fields."""

    fields: int = 0
    exact: int = 0
    accepted: int = 0
    wrong: int = 0  # of the accepted fields
    blank: int = 0

    def with_one(self, outcome: Outcome) -> Counted:
        accepted = outcome.status == "ok"
        return Counted(
            self.fields + 1,
            self.exact + outcome.exact,
            self.accepted + accepted,
            self.wrong + (accepted and not outcome.exact),
            self.blank + (outcome.status == "blank"),
        )


def printed_fields(material: Material, count: int) -> Iterator[Callable[[], Drawn]]:
    """`count` printed numbers, amounts and dates in each font of the material."""
    for name in material.fonts.print:
        for number in range(count):
            yield partial(_printed, name, number)


def _printed(name: str, number: int) -> Drawn:
    rng = np.random.default_rng((SEED, 1, number, *Path(name).name.encode()))
    make = (spelling.plain_number, _amount, _amount, spelling.date)[number % 4]
    spelled = make(rng)
    dpi = DPI[number % len(DPI)]
    height = 0.72 * float(rng.uniform(*POINTS)) / 72 * dpi
    layer = typed_in(spelled, name, height)
    if layer is None:
        return _printed(name, number + 1000)
    picture = scanned(layer.alpha[round(0.8 * height) : round(2.9 * height)], rng, patterns=False)
    kind: Kind = "amount" if spelled.kind == "amount" else "string"
    return Drawn(Path(name).stem, picture, kind, spelled.text, ANY_DATE if spelled.kind == "date" else None)


def _amount(rng: np.random.Generator) -> Spelled:
    """An amount with a currency sign and grouped thousands."""
    units = str(int(10 ** rng.uniform(0.5, 5)))
    tokens = [spelling.mark(str(rng.choice(["$", "€", "£", "₹"])))]
    for k, token in enumerate(spelling.digits(units)):
        if k and (len(units) - k) % 3 == 0:
            tokens.append(spelling.mark(","))
        tokens.append(token)
    tokens += [spelling.mark("."), *spelling.digits(f"{int(rng.integers(100)):02d}")]
    return Spelled(tuple(tokens), marked=True, kind="amount")


def fields_without_number(material: Material, count: int) -> Iterator[Callable[[], Drawn]]:
    """`count` fields of each kind that contains something other than a number."""
    for kind in (*NOTHINGS, *UNSEEN):
        for number in range(count):
            yield partial(_nothing, material, kind, number)


def _nothing(material: Material, kind: str, number: int) -> Drawn:
    rng = np.random.default_rng((SEED, 2, number, *kind.encode()))
    return Drawn(kind, compose_nothing(kind, material, rng), "string" if number % 2 else "amount", "")


def empty_fields(count: int) -> Iterator[Callable[[], Drawn]]:
    """`count` empty fields of each kind."""
    for kind in BLANKS:
        for number in range(count):
            yield partial(_blank, kind, number)


def _blank(kind: str, number: int) -> Drawn:
    rng = np.random.default_rng((SEED, 3, number, *kind.encode()))
    return Drawn(f"empty, {kind}", compose_blank(kind, rng), "string" if number % 2 else "amount", "")


def read_drawn(drawn: list[Callable[[], Drawn]], model: Path | None, max_error: float, jobs: int) -> dict[str, Counted]:
    """Read drawn fields and count the outcomes, by sort."""
    counted: dict[str, Counted] = {}
    for outcomes in map_chunks(partial(_read_chunk, drawn, model, max_error), len(drawn), jobs):
        for outcome in outcomes:
            counted[outcome.sort] = counted.get(outcome.sort, Counted()).with_one(outcome)
    return counted


def _read_chunk(drawn: list[Callable[[], Drawn]], model: Path | None, max_error: float, numbers: range) -> list[Outcome]:
    cv2.setNumThreads(1)
    reader = open_model("onnx", model)
    accept = reader.accepts(max_error)
    fields = [drawn[number]() for number in numbers]
    results = recognize([prepare_field(_field(one), one.gray) for one in fields], reader)
    outcomes = []
    for one, result in zip(fields, results, strict=True):
        reading = result.reading
        _, doubt = value_of(result)
        least = accept.of(result.prepared.field, reading)
        status, _ = judge(reading, least, max_error=max_error, inked=result.prepared.inked, required=False, doubts=(doubt,))
        outcomes.append(Outcome(one.sort, status, reading.text == one.text, one.text, reading.text))
    return outcomes


def _field(one: Drawn) -> Field:
    height, width = one.gray.shape
    return Field("field", Box(0, 0, width, height), one.kind, rules=one.rules)


def summed(counted: Mapping[str, Counted]) -> Counted:
    """All sorts together."""
    whole = list(counted.values())
    return Counted(*(sum(getattr(one, name) for one in whole) for name in ("fields", "exact", "accepted", "wrong", "blank")))
