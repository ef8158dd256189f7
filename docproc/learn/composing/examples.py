"""Composed strips on their way to the readers: cut, brought to a line, labeled; many at once in several processes.

Every strip has its own generator, so the examples do not depend on how many processes make them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.composing.strips import AMBIGUOUS, Digits, Strip, compose, compose_comb, label
from docproc.readers.comb.cells import cell_pictures
from docproc.readers.ink import comb_ink, free_ink
from docproc.readers.lattice.cuts import candidate_ink, segment
from docproc.readers.lattice.normalize import normalize
from docproc.readers.line.band import line
from docproc.types import CELL_SIDE, CROSSED, EMPTY, NOT_A_DIGIT, CellPictures, FieldInk, Glyphs, Lattice, Line

CHUNK = 250  # strips that a process makes at a time


@dataclass(frozen=True, slots=True)
class Example:
    """A composed strip as the readers see it."""

    strip: Strip
    lattice: Lattice
    line: Line
    cells: CellPictures


@dataclass(frozen=True, slots=True)
class Material:
    """What the glyph and the line network are trained on."""

    glyphs: Glyphs
    labels: NDArray[np.int8]  # (n,) of the glyphs: 0..9 or NOT_A_DIGIT
    lines: tuple[Line, ...]
    texts: tuple[str, ...]  # of the lines


@dataclass(frozen=True, slots=True)
class Source:
    """Where examples come from: one part of a seed gives the same examples every time."""

    digits: Digits
    seed: int
    part: int
    combs: float  # share of combs among the strips
    haste: float = 1.0  # 0..1, how carelessly the strips are written


def example(source: Source, number: int) -> Example:
    """Compose the strip of that number, cut it, and bring it to a line."""
    strip, ink = _written(source, number)
    return Example(strip, segment(ink, strip.amount), line(ink), cell_pictures(ink))


def examples(source: Source, count: int, jobs: int) -> Iterator[Example]:
    """The first `count` examples, for what is fitted on fields."""
    for made in in_processes(partial(_chunk, source), count, jobs):
        yield from made


def material(source: Source, count: int, not_digits: int, jobs: int, tell: Callable[[str], None]) -> Material:
    """What to train on from `count` strips; of every strip at most `not_digits` wrong candidates are kept."""
    parts: list[Material] = []
    chunks = -(-count // CHUNK)
    for done, part in enumerate(in_processes(partial(_material_chunk, source, not_digits), count, jobs), 1):
        parts.append(part)
        if done % max(1, chunks // 10) == 0:
            tell(f"  {done * 100 // chunks} %")
    return Material(
        np.concatenate([p.glyphs for p in parts]),
        np.concatenate([p.labels for p in parts]),
        tuple(line for p in parts for line in p.lines),
        tuple(text for p in parts for text in p.texts),
    )


def cell_material(source: Source, count: int, jobs: int) -> tuple[CellPictures, NDArray[np.int8]]:
    """Every cell of `count` combs that holds ink, and what it is: (n,) int8, a digit, `CROSSED` or `EMPTY`."""
    parts = list(in_processes(partial(_cell_chunk, source), count, jobs))
    return np.concatenate([pictures for pictures, _ in parts]), np.concatenate([labels for _, labels in parts])


def _cell_chunk(source: Source, numbers: Sequence[int]) -> tuple[CellPictures, NDArray[np.int8]]:
    cv2.setNumThreads(1)
    pictures, labels = [np.zeros((0, CELL_SIDE, CELL_SIDE, 2), np.uint8)], []
    for number in numbers:
        rng = np.random.default_rng((source.seed, source.part, number))
        strip = compose_comb(source.digits, rng, source.haste)
        seen = cell_pictures(comb_ink(strip.gray, strip.cells))
        if len(seen) != len(strip.marks):  # nothing was seen at all
            continue
        inked = np.asarray(seen[..., 0].any(axis=(1, 2)))
        pictures.append(seen[inked])
        labels += [_cell_label(mark) for mark, there in zip(strip.marks, inked, strict=True) if there]
    return np.concatenate(pictures), np.array(labels, np.int8)


def _cell_label(mark: str) -> int:
    return EMPTY if not mark else CROSSED if mark == "x" else int(mark)


def composed(source: Source, number: int) -> Strip:
    """The strip of that number as it would be scanned."""
    rng = np.random.default_rng((source.seed, source.part, number))
    return (compose_comb if rng.random() < source.combs else compose)(source.digits, rng, source.haste)


def _written(source: Source, number: int) -> tuple[Strip, FieldInk]:
    strip = composed(source, number)
    return strip, comb_ink(strip.gray, strip.cells) if strip.cells else free_ink(strip.gray)


def _chunk(source: Source, numbers: Sequence[int]) -> list[Example]:
    cv2.setNumThreads(1)
    return [example(source, number) for number in numbers]


def _material_chunk(source: Source, not_digits: int, numbers: Sequence[int]) -> Material:
    cv2.setNumThreads(1)
    glyphs, labels, lines, texts = [], [], [], []
    for number in numbers:
        made = example(source, number)
        names = label(made.lattice, made.strip)
        right = np.flatnonzero((names != NOT_A_DIGIT) & (names != AMBIGUOUS))
        wrong = np.flatnonzero(names == NOT_A_DIGIT)
        if len(wrong) > not_digits:
            chosen = np.random.default_rng((source.seed, source.part, number, 1))
            wrong = chosen.choice(wrong, not_digits, replace=False)
        for k in (*right, *wrong):
            glyphs.append(normalize(candidate_ink(made.lattice, int(k))))
            labels.append(names[k])
        lines.append(made.line)
        texts.append(made.strip.text)
    return Material(np.array(glyphs, np.uint8).reshape(-1, 28, 28), np.array(labels, np.int8), tuple(lines), tuple(texts))


def in_processes(work: Callable[[Sequence[int]], Any], count: int, jobs: int) -> Iterator[Any]:
    """What `work` makes of the numbers 0 .. `count` - 1, chunk by chunk and in order, in `jobs` processes."""
    chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
    if jobs <= 1:
        yield from map(work, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(work, chunks)
