from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing.combs import compose_comb
from docproc.learn.composing.layers import MARK
from docproc.learn.composing.material import Digits, Material
from docproc.learn.composing.strips import AMBIGUOUS, compose, label
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.readers.ink import comb_ink, free_ink
from docproc.readers.lattice.cuts import segment
from docproc.types import NOT_A_DIGIT


@pytest.fixture(scope="module")
def material() -> Material:
    """Drawn digits in the place of MNIST's."""
    from docproc.readers.lattice.normalize import normalize

    rng = np.random.default_rng(0)
    labels = np.arange(200, dtype=np.uint8) % 10
    images = np.array([normalize(draw_digit(int(d), 40, Pen(0.1, 0.02), rng)[0]) for d in labels])
    return Material(Digits.of(images, labels))


@pytest.mark.parametrize("seed", range(25))
def test_a_strip_knows_the_owner_of_its_ink(material: Material, seed: int) -> None:
    strip = compose(material, np.random.default_rng(seed))
    assert strip.gray.shape == strip.owner.shape
    assert strip.gray.dtype == np.uint8
    owners = set(np.unique(strip.owner)) - {0, MARK}
    assert owners <= set(range(1, len(strip.text) + 1))
    assert len(owners) >= len(strip.text) - 1  # a digit may vanish below another one, rarely
    assert strip.text == "".join(symbol for symbol in strip.symbols if symbol.isdigit())
    # Owned pixels are darker than the paper.
    assert np.median(strip.gray[strip.owner > 0]) < np.median(strip.gray[strip.owner == 0])


def test_the_same_seed_composes_the_same(material: Material) -> None:
    one, two = (compose(material, np.random.default_rng(5)) for _ in range(2))
    assert one.text == two.text
    assert np.array_equal(one.gray, two.gray)


def best_labeled_path(names: list[int], lattice_pieces: int, spans: list[tuple[int, int]]) -> int:
    """The most right candidates that fit on one path."""
    best = [0] * (lattice_pieces + 1)
    for node in range(lattice_pieces):
        best[node + 1] = max(best[node + 1], best[node])
        for name, (first, last) in zip(names, spans, strict=True):
            if first == node and 0 <= name < NOT_A_DIGIT:
                best[last] = max(best[last], best[node] + 1)
    return best[-1]


def test_most_strips_can_be_read_along_their_labels(material: Material) -> None:
    found = written = 0
    for seed in range(60):
        strip = compose(material, np.random.default_rng(seed))
        lattice = segment(free_ink(strip.gray))
        names = label(lattice, strip)
        assert set(names.tolist()) <= {AMBIGUOUS, NOT_A_DIGIT, *map(int, strip.text)}
        spans = [(c.first, c.last) for c in lattice.candidates]
        found += min(len(strip.text), best_labeled_path(names.tolist(), lattice.pieces, spans))
        written += len(strip.text)
    assert found >= 0.85 * written


def test_combs_can_be_read_along_their_labels(material: Material) -> None:
    found = written = 0
    for seed in range(60):
        strip = compose_comb(material, np.random.default_rng(seed))
        lattice = segment(comb_ink(strip.gray, strip.cells))
        names = label(lattice, strip)
        spans = [(c.first, c.last) for c in lattice.candidates]
        found += min(len(strip.text), best_labeled_path(names.tolist(), lattice.pieces, spans))
        written += len(strip.text)
    assert found >= 0.85 * written
