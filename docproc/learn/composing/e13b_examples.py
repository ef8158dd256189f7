"""Composed lines of E-13B as training examples: found and laid out by the real reader, and made in several processes.

Every line has its own random generator, so the examples do not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from docproc.learn.composing.e13b import ScannedLine, compose_line
from docproc.learn.composing.examples import CHUNK, map_chunks
from docproc.learn.progress import Log, counted
from docproc.readers.e13b.locate import micr_line
from docproc.types import MicrLine


@dataclass(frozen=True, slots=True)
class E13bExample:
    """A composed line as the recognizer sees it."""

    found: MicrLine
    text: str
    placed: bool  # the strip shows the line, not other ink near it


def e13b_example(seed: int, part: int, number: int) -> E13bExample:
    """Line `number` of one part of a seed, found in its picture."""
    made = compose_line(np.random.default_rng((seed, part, number)))
    found = micr_line(made.gray)
    return E13bExample(found, made.text, _shows(found, made))


def e13b_examples(seed: int, part: int, count: int, jobs: int, name: str, log: Log) -> list[E13bExample]:
    """The first `count` lines of one part of a seed, composed in `jobs` processes; `name` is the name of the step."""
    chunks = map_chunks(partial(_example_chunk, seed, part), count, jobs)
    return [one for made in counted(chunks, count, name, log, CHUNK) for one in made]


def _example_chunk(seed: int, part: int, numbers: Sequence[int]) -> list[E13bExample]:
    cv2.setNumThreads(1)
    return [e13b_example(seed, part, number) for number in numbers]


def _shows(found: MicrLine, made: ScannedLine) -> bool:
    """Whether the strip shows the middle of the composed line, at about the right height."""
    if not made.text:
        return True
    if not found.line.shape[1]:
        return False
    column, foot, height = made.middle
    _, head, ground = found.places[int(np.argmin(np.abs(found.places[:, 0] - column)))]
    return bool(abs(ground - foot) < 0.5 * height and 0.65 < (ground - head) / height < 1.5)
