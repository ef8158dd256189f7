"""Composed strips as training examples: prepared by the real stages, labeled, and made in several processes.

Every strip has its own random generator, so the examples do not depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.combs import compose_comb
from docproc.learn.composing.kept import Arrays, Kept
from docproc.learn.composing.material import Material
from docproc.learn.composing.strips import AMBIGUOUS, Strip, compose, label
from docproc.learn.progress import Log, counted
from docproc.readers.comb.cells import cell_pictures
from docproc.readers.handwriting import prepare
from docproc.readers.ink import comb_ink, free_ink
from docproc.readers.lattice import View
from docproc.readers.lattice.cuts import candidate_ink, segment
from docproc.readers.lattice.normalize import normalize
from docproc.readers.line.band import line
from docproc.types import (
    CELL_SIDE,
    CROSSED,
    EMPTY,
    GLYPH_SIDE,
    ILLEGIBLE,
    NOT_A_DIGIT,
    Box,
    CellPictures,
    Field,
    FieldInk,
    Glyphs,
    Line,
)

CHUNK = 250  # items that a process makes at a time


@dataclass(frozen=True, slots=True)
class StripExample:
    """A composed strip as the readers see it."""

    strip: Strip
    views: Mapping[str, Any]  # by reader name, see `readers.handwriting`

    @property
    def cut(self) -> View:
        """The strip as the lattice reader sees it."""
        view: View = self.views["lattice"]
        return view

    @property
    def line(self) -> Line:
        return np.asarray(self.views["line"], np.uint8)

    @property
    def cells(self) -> CellPictures:
        """The pictures of a comb's cells; none for a free field."""
        return np.asarray(self.views.get("cells", np.zeros((0, CELL_SIDE, CELL_SIDE, 2))), np.uint8)


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Training examples for the glyph network and the line networks."""

    glyphs: Glyphs
    labels: NDArray[np.int8]  # (n,) of the glyphs: 0..9 or NOT_A_DIGIT
    lines: tuple[Line, ...]
    texts: tuple[str, ...]  # of the lines: all their symbols


@dataclass(frozen=True, slots=True)
class Source:
    """Where strips come from: the same seed and part always give the same strips."""

    material: Material
    seed: int
    part: int  # of the seed: another part gives different strips
    combs: float  # share of combs among the strips
    carelessness: float = 1.0  # 0..1, of the handwriting


def compose_strip(source: Source, number: int) -> Strip:
    """Strip `number` of a source, as it would be scanned."""
    rng = np.random.default_rng((source.seed, source.part, number))
    return (compose_comb if rng.random() < source.combs else compose)(source.material, rng, source.carelessness)


def strip_example(source: Source, number: int) -> StripExample:
    """Strip `number` of a source, prepared for all readers."""
    strip = compose_strip(source, number)
    return StripExample(strip, prepare(field_of(strip), strip.gray).views)


def field_of(strip: Strip) -> Field:
    """A strip as the field of a page."""
    height, width = strip.gray.shape
    digits = (0, strip.cells) if strip.cells else None
    return Field(strip.kind, Box(0, 0, width, height), strip.kind, digits, cells=strip.cells)


def strip_examples(source: Source, count: int, jobs: int, name: str, log: Log) -> list[StripExample]:
    """The first `count` strips of a source, prepared for all readers in `jobs` processes; `name` is the name of the step."""
    chunks = map_chunks(partial(_example_chunk, source), count, jobs)
    return [one for made in counted(chunks, count, name, log, CHUNK) for one in made]


def training_data(
    source: Source, count: int, not_digits: int, jobs: int, name: str, log: Log, kept: Kept | None = None
) -> TrainingData:
    """Lines and labeled glyphs of `count` strips; at most `not_digits` wrong candidates are kept per strip.

    Here and below, what is `kept` on disk is not composed again.
    """
    chunks = _kept_chunks(partial(_training_chunk, source, not_digits), source, f"{not_digits} a strip", count, jobs, kept)
    parts = list(counted(chunks, count, name, log, CHUNK))
    return TrainingData(
        np.concatenate([part["glyphs"] for part in parts]),
        np.concatenate([part["labels"] for part in parts]),
        tuple(line for part in parts for line in np.split(part["lines"], np.cumsum(part["widths"])[:-1], axis=1)),
        tuple(text for part in parts for text in part["texts"].tolist()),
    )


def cell_training_data(
    source: Source, count: int, jobs: int, name: str, log: Log, kept: Kept | None = None
) -> tuple[CellPictures, NDArray[np.int8]]:
    """All inked cells of `count` combs with their labels: (n,) int8, a digit, `CROSSED`, `EMPTY` or `ILLEGIBLE`."""
    chunks = _kept_chunks(partial(_cell_chunk, source), source, "cells", count, jobs, kept)
    parts = list(counted(chunks, count, name, log, CHUNK))
    return np.concatenate([part["pictures"] for part in parts]), np.concatenate([part["labels"] for part in parts])


def _kept_chunks(
    work: Callable[[Sequence[int]], Arrays], source: Source, what: str, count: int, jobs: int, kept: Kept | None
) -> Iterator[Arrays]:
    def make(chunks: Sequence[range]) -> Iterator[Arrays]:
        return _mapped(work, chunks, jobs)

    if kept is None:
        return make(_chunks(count))
    material = source.material
    told = (source.seed, source.part, source.combs, source.carelessness, material.mix, len(material.digits.images), what)
    return kept.chunks(repr(told), _chunks(count), make)


def map_chunks(work: Callable[[Sequence[int]], Any], count: int, jobs: int) -> Iterator[Any]:
    """The results of `work` for the numbers 0 .. `count` - 1, chunk by chunk and in order, in `jobs` processes."""
    return _mapped(work, _chunks(count), jobs)


def _chunks(count: int) -> list[range]:
    return [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]


def _mapped(work: Callable[[Sequence[int]], Any], chunks: Sequence[range], jobs: int) -> Iterator[Any]:
    if not chunks:
        return
    if jobs <= 1:
        yield from map(work, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(work, chunks)


def _written(source: Source, number: int) -> tuple[Strip, FieldInk]:
    strip = compose_strip(source, number)
    return strip, comb_ink(strip.gray, strip.cells) if strip.cells else free_ink(strip.gray)


def _example_chunk(source: Source, numbers: Sequence[int]) -> list[StripExample]:
    cv2.setNumThreads(1)
    return [strip_example(source, number) for number in numbers]


def _training_chunk(source: Source, not_digits: int, numbers: Sequence[int]) -> Arrays:
    cv2.setNumThreads(1)
    glyphs, labels, lines, texts = [], [], [], []
    for number in numbers:
        # Only the networks for lines and glyphs are trained on this: bringing all candidates to 28x28 would take long.
        strip, ink = _written(source, number)
        lattice = segment(ink, strip.amount)
        names = label(lattice, strip)
        right = np.flatnonzero((names != NOT_A_DIGIT) & (names != AMBIGUOUS))
        wrong = np.flatnonzero(names == NOT_A_DIGIT)
        if len(wrong) > not_digits:
            chosen = np.random.default_rng((source.seed, source.part, number, 1))
            wrong = chosen.choice(wrong, not_digits, replace=False)
        for k in (*right, *wrong):
            glyphs.append(normalize(candidate_ink(lattice, int(k))))
            labels.append(names[k])
        lines.append(line(ink))
        texts.append(strip.symbols)
    return {
        "glyphs": np.array(glyphs, np.uint8).reshape(-1, GLYPH_SIDE, GLYPH_SIDE),
        "labels": np.array(labels, np.int8),
        "lines": np.hstack(lines),
        "widths": np.array([one.shape[1] for one in lines]),
        "texts": np.array(texts),
    }


def _cell_chunk(source: Source, numbers: Sequence[int]) -> Arrays:
    cv2.setNumThreads(1)
    pictures, labels = [np.zeros((0, CELL_SIDE, CELL_SIDE, 2), np.uint8)], []
    for number in numbers:
        rng = np.random.default_rng((source.seed, source.part, number))
        strip = compose_comb(source.material, rng, source.carelessness)
        seen = cell_pictures(comb_ink(strip.gray, strip.cells))
        if len(seen) != len(strip.marks):  # no ink was found at all
            continue
        inked = np.asarray(seen[..., 0].any(axis=(1, 2)))
        pictures.append(seen[inked])
        labels += [_cell_label(mark) for mark, there in zip(strip.marks, inked, strict=True) if there]
    return {"pictures": np.concatenate(pictures), "labels": np.array(labels, np.int8)}


def _cell_label(mark: str) -> int:
    named = {"": EMPTY, "x": CROSSED, "?": ILLEGIBLE}
    return named[mark] if mark in named else int(mark)
