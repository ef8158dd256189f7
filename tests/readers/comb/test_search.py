from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from docproc.readers.comb.search import best_texts, places, remark, text_scores
from docproc.rules import FieldRules
from docproc.types import CELL_CLASSES, CROSSED, EMPTY, ILLEGIBLE, CellScores


def cells(*rows: dict[int, float]) -> CellScores:
    found = np.zeros((len(rows), CELL_CLASSES), np.float32)
    for row, shares in zip(found, rows, strict=True):
        for k, share in shares.items():
            row[k] = share
        row[EMPTY] += 1 - row.sum()
    return found


SURE = cells({CROSSED: 0.98}, {5: 0.9, 3: 0.1}, {7: 0.6, 1: 0.4})


def test_the_best_texts_are_those_of_all_ways_to_read_the_cells() -> None:
    brute: dict[str, float] = {}
    for choice in product(range(CELL_CLASSES), repeat=3):
        text = "".join(str(k) for k in choice if k < 10)
        brute[text] = brute.get(text, 0.0) + float(np.prod([SURE[place, k] for place, k in enumerate(choice)]))
    best = best_texts(SURE)
    assert [text for text, _ in best[:4]] == sorted(brute, key=lambda text: -brute[text])[:4]
    assert best[0][1] == pytest.approx(brute["57"], rel=0.01)
    assert np.exp(text_scores(SURE, ["57", "51", "31"])) == pytest.approx([brute["57"], brute["51"], brute["31"]], rel=0.01)


def test_a_text_with_more_digits_than_cells_is_impossible() -> None:
    assert text_scores(SURE, ["1234"])[0] == -np.inf


def test_with_rules_only_allowed_texts_are_proposed() -> None:
    rules = FieldRules(check="luhn")
    found = best_texts(SURE, rules)
    assert found
    assert all(rules.allows(text) for text, _ in found)
    # 59 is the Luhn number that begins with the likelier 5.
    assert best_texts(SURE, FieldRules(bounds=(59, 59)))[0][0] == "59"
    assert best_texts(SURE, FieldRules(bounds=(1000, 2000))) == ()


def test_digits_are_laid_into_their_cells() -> None:
    assert places(SURE, "57") == (1, 2)
    assert places(SURE, "") == ()
    assert places(cells({1: 0.9}, {}, {1: 0.8}), "1") == (0,)


@pytest.mark.parametrize(
    ("seen", "text", "say"),
    [
        (SURE, "57", ""),
        (cells({CROSSED: 0.99}, {CROSSED: 0.9}), "", "crossed out"),
        (cells({}, {}), "", ""),
        (cells({4: 0.9}, {}, {2: 0.9}), "42", "cell 2 empty, with digits on both sides"),
        (cells({4: 0.9}, {CROSSED: 0.9}, {2: 0.9}), "42", "cell 2 crossed out, with digits on both sides"),
        (cells({4: 0.9}, {2: 0.3, 3: 0.3, 5: 0.3}), "42", "cell 2 illegible"),
        (cells({4: 0.9}, {ILLEGIBLE: 0.6, 2: 0.4}), "42", "cell 2 illegible"),
        (cells({4: 0.2, 1: 0.3, CROSSED: 0.3}, {2: 0.3, 3: 0.3, 5: 0.3}), "42", "cells 1, 2 illegible"),
    ],
)
def test_what_a_person_should_know(seen: CellScores, text: str, say: str) -> None:
    assert remark(seen, text) == say
