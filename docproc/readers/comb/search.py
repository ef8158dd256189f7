"""Decode the cells of a comb together: texts and their probabilities, and which cell holds which digit.

Every cell gives one digit, or none if it is empty or crossed out; cells are treated as independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from docproc.readers.beam import best_of_each_state
from docproc.rules import FieldRules, automaton
from docproc.types import CROSSED, EMPTY, ILLEGIBLE, CellScores


@dataclass(frozen=True, slots=True)
class CombSearchTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    max_kept: int = 8  # texts after every cell [guess]
    max_classes: int = 3  # tried per cell [guess]
    max_kept_per_state: int = 2  # texts per state of a field's rules [guess]
    max_kept_ruled: int = 300  # texts after every cell if there are rules [guess]
    doubt_share: float = 1e-4  # of a cell's probability that is spread over all classes [guess]
    min_legible_share: float = 0.5  # probability of the best class of a legible cell [guess]
    max_illegible_share: float = 0.25  # probability that a cell holds something other than a digit [guess]


COMB = CombSearchTuning()


def best_texts(cells: CellScores, rules: FieldRules | None = None) -> tuple[tuple[str, float], ...]:
    """The most probable texts with their probabilities, best first. `cells` is (cells, 13).

    With `rules` only allowed texts are returned; there may be none.
    """
    if rules is not None:
        return _ruled_texts(cells, rules)
    beam = {"": 1.0}
    for row in _doubted(cells):
        none = float(row[CROSSED] + row[EMPTY])
        tried = [(str(k), float(row[k])) for k in np.argsort(-row[:10], kind="stable")[: COMB.max_classes]]
        grown: dict[str, float] = {}
        for text, p in beam.items():
            for name, own in (("", none), *tried):
                grown[text + name] = grown.get(text + name, 0.0) + p * own
        beam = dict(sorted(grown.items(), key=lambda item: -item[1])[: COMB.max_kept])
    return tuple(beam.items())


def _ruled_texts(cells: CellScores, rules: FieldRules) -> tuple[tuple[str, float], ...]:
    """The same, keeping the best of every state of the rules' automaton."""
    walk = automaton(rules)
    beam = {"": (1.0, walk.start)} if walk.start >= 0 else {}
    for row in _doubted(cells):
        none = float(row[CROSSED] + row[EMPTY])
        grown: dict[str, tuple[float, int]] = {}
        for text, (p, state) in beam.items():
            before = grown.get(text, (0.0, state))[0]
            grown[text] = (before + p * none, state)
            for digit in range(10):
                after = walk.step(state, digit)
                if after >= 0:
                    longer = text + str(digit)
                    before = grown.get(longer, (0.0, after))[0]
                    grown[longer] = (before + p * float(row[digit]), after)
        ranked = ((text, state) for text, (_, state) in sorted(grown.items(), key=lambda item: -item[1][0]))
        beam = {text: grown[text] for text in best_of_each_state(ranked, COMB.max_kept_per_state, COMB.max_kept_ruled)}
    return tuple((text, p) for text, (p, state) in beam.items() if walk.good(state))[: COMB.max_kept]


def text_scores(cells: CellScores, texts: Sequence[str]) -> NDArray[np.float64]:
    """The natural log probability of every text, (len(texts),): the sum over all assignments of its digits to cells."""
    rows = _doubted(cells)
    found = np.full(len(texts), -np.inf)
    for k, text in enumerate(texts):
        if len(text) > len(rows):
            continue
        digits = [int(c) for c in text]
        ahead = np.zeros(len(text) + 1)
        ahead[0] = 1.0
        for row in rows:
            moved = ahead * (row[CROSSED] + row[EMPTY])
            moved[1:] += ahead[:-1] * row[digits]
            ahead = moved
        found[k] = np.log(max(ahead[-1], 1e-300))
    return found


def places(cells: CellScores, text: str) -> tuple[int, ...]:
    """The most likely cell of each digit, for a text with no more digits than there are cells."""
    logs = np.log(_doubted(cells))
    none = np.logaddexp(logs[:, CROSSED], logs[:, EMPTY])
    digits = [int(c) for c in text]
    best = np.full((len(logs) + 1, len(text) + 1), -np.inf)
    best[0, 0] = 0.0
    took = np.zeros(best.shape, bool)
    for k, row in enumerate(logs):
        passed = best[k] + none[k]
        taken = np.r_[-np.inf, best[k, :-1] + row[digits]]
        best[k + 1] = np.maximum(passed, taken)
        took[k + 1] = taken > passed + 1e-9  # equal sums may differ in the last bit
    found: list[int] = []
    place = len(text)
    for k in range(len(logs), 0, -1):
        if took[k, place]:
            found.append(k - 1)
            place -= 1
    return tuple(reversed(found))


def remark(cells: CellScores, text: str) -> str:
    """What a person should know about the cells of a comb read as `text`; "" if there is nothing."""
    held = places(cells, text)
    free = [k for k in range(len(cells)) if k not in held]
    illegible = [
        k + 1
        for k in range(len(cells))
        if float(cells[k].max()) < COMB.min_legible_share or cells[k, ILLEGIBLE] > COMB.max_illegible_share
    ]
    crossed = [k + 1 for k in free if cells[k, CROSSED] > cells[k, EMPTY]]
    between = [k + 1 for k in free if held and held[0] < k < held[-1]]
    if illegible:
        return f"{_named(illegible)} illegible"
    if between:
        state = "crossed out" if set(between) <= set(crossed) else "empty"
        return f"{_named(between)} {state}, with digits on both sides"
    if not text and crossed:
        return "crossed out"
    return ""


def _named(numbers: Sequence[int]) -> str:
    return f"cell {numbers[0]}" if len(numbers) == 1 else f"cells {', '.join(map(str, numbers))}"


def _doubted(cells: CellScores) -> NDArray[np.float64]:
    rows = np.asarray(cells, np.float64)
    return np.asarray((1 - COMB.doubt_share) * rows + COMB.doubt_share / rows.shape[1])
