"""A run of drawn pages for group verification: its journal says where each digit stands, and no network has read it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from docproc.files import Document
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.runs.edits import FieldKey
from docproc.runs.journal import Journal, Outcome
from docproc.types import Box, Digit, FieldSpec, Row
from tests.conftest import file_of

DIGITS, ACROSS = 5, 2  # of a field; fields on a line
HIGH, WIDE, GAP = 32, 26, 30  # px of a digit, and from one to the next


def draw_run(
    folder: Path, fields: int, planted: int, *, per_page: int = 20, turned: bool = False, **changes: object
) -> tuple[Path, dict[tuple[FieldKey, int], str]]:
    """A table with a journal of this many fields of five digits, all of them doubtful.

    Of `planted` fields one digit each is another than the one that was read. Returns where the table is, and for each of those
    digits what stands there. Pages that are `turned` lie upside down. `changes` are made to every row.
    """
    rng = np.random.default_rng(fields)
    shapes = {digit: [draw_digit(digit, HIGH, Pen(0.1, 0.02), rng)[0] for _ in range(12)] for digit in range(10)}
    wrong = {int(field): int(rng.integers(DIGITS)) for field in rng.choice(fields, planted, replace=False)}
    truth: dict[tuple[FieldKey, int], str] = {}
    (folder / "in").mkdir(parents=True)
    output = folder / "t.csv"
    with Journal.open(output) as journal:
        documents = [
            Document(name, folder / "in" / name)
            for name in (f"page_{number:03}.png" for number in range(-(-fields // per_page)))
        ]  # fmt: skip
        journal.plan([(document, "one") for document in documents])
        for number, document in enumerate(documents):
            gray = np.full((-(-per_page // ACROSS) * 60 + 20, ACROSS * 220), 245, np.uint8)
            rows = []
            for place in range(min(per_page, fields - number * per_page)):
                field = number * per_page + place
                text = "".join(map(str, rng.integers(0, 10, DIGITS)))
                shown = list(text)
                if field in wrong:
                    at = wrong[field]
                    shown[at] = str((int(text[at]) + int(rng.integers(1, 10))) % 10)
                left, top = 20 + place % ACROSS * 220, 20 + place // ACROSS * 60
                row = _row(document.name, f"f{place}", text, left, top, rng)
                for digit, one in zip(row.digits, shown, strict=True):
                    _put(gray, shapes[int(one)][int(rng.integers(12))], digit.box or Box(0, 0, 1, 1))
                rows.append(replace(row, **changes))  # type: ignore[arg-type]
                if field in wrong:
                    truth[("", number, row.field), wrong[field]] = shown[wrong[field]]
            if turned:
                rows, gray = [_turned(row, *gray.shape) for row in rows], gray[::-1, ::-1]
            file = io.BytesIO()
            Image.fromarray(gray).save(file, "PNG")
            file_of(document).write_bytes(file.getvalue())
            sha256 = hashlib.sha256(file.getvalue()).hexdigest()
            journal.finish(document, Outcome(tuple(rows), sha256))
            found = [where for where in truth if where[0][:2] == ("", number)]
            truth |= {((sha256, 1, key[2]), place): truth.pop((key, place)) for key, place in found}
        journal.keep(finished="now")
    return output, truth


def _row(document: str, field: str, text: str, left: int, top: int, rng: np.random.Generator) -> Row:
    sure = rng.uniform(0.5, 0.999, DIGITS)
    digits = tuple(
        Digit(one, float(sure[k]), Box(left + k * GAP, top, WIDE, HIGH)) for k, one in enumerate(text)
    )  # fmt: skip
    box = (left - 5, top - 5, DIGITS * GAP + 10, HIGH + 10)
    reason = f"confidence {sure.min():.3f}, 0.9999 needed at 1 %"
    row = Row(document, 1, field, text, text, float(sure.min()), "review", reason, "", "", "", *box, spec=FieldSpec())
    return replace(row, digits=digits)


def _turned(row: Row, height: int, width: int) -> Row:
    """A row of a page of this size that was turned upside down."""

    def turned(box: Box) -> Box:
        return Box(width - box.right, height - box.bottom, box.width, box.height)

    box = turned(Box(row.left or 0, row.top or 0, row.width or 0, row.height or 0))
    digits = tuple(replace(digit, box=turned(digit.box)) for digit in row.digits if digit.box)
    return replace(row, left=box.left, top=box.top, digits=digits)


def _put(
    gray: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], ink: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], box: Box
) -> None:
    part = ink[: box.height, : box.width]
    left = box.left + (box.width - part.shape[1]) // 2
    here = gray[box.top : box.top + part.shape[0], left : left + part.shape[1]]
    here[:] = np.minimum(here, 255 - part)


def keys_of(truth: Mapping[tuple[FieldKey, int], str]) -> set[FieldKey]:
    """The fields in which a digit is another than the one that was read."""
    return {key for key, _ in truth}
