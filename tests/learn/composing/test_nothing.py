from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing import paper
from docproc.learn.composing.material import Digits, Material
from docproc.learn.composing.nothing import BLANKS, NOTHINGS, UNSEEN, compose_blank, compose_nothing
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.readers.ink import free_ink
from docproc.readers.lattice.normalize import normalize


@pytest.fixture(scope="module")
def material() -> Material:
    rng = np.random.default_rng(0)
    labels = np.arange(50, dtype=np.uint8) % 10
    return Material(Digits.of(np.array([normalize(draw_digit(int(d), 40, Pen(0.1, 0.02), rng)[0]) for d in labels]), labels))


@pytest.mark.parametrize("kind", ["plain", "framed", "walled", "neighbored", "dusty", "shaded"])
def test_most_empty_fields_are_seen_as_empty(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of usual scans: more of the pale and noisy ones go to review."""
    monkeypatch.setattr(paper, "PALE_SHARE", 0.0)
    monkeypatch.setattr(paper, "NOISY_SHARE", 0.0)
    written = [free_ink(compose_blank(kind, np.random.default_rng((8, seed)))).written for seed in range(40)]
    assert np.mean(written) <= 0.1


@pytest.mark.parametrize("kind", ["plain", "framed", "walled", "dusty", "shaded"])
def test_most_empty_fields_of_poor_scans_are_seen_as_empty(kind: str) -> None:
    written = [free_ink(compose_blank(kind, np.random.default_rng((8, seed)))).written for seed in range(40)]
    assert np.mean(written) <= 0.1


@pytest.mark.parametrize("kind", BLANKS)
def test_the_same_seed_composes_the_same(kind: str) -> None:
    one, other = (compose_blank(kind, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(one, other)


@pytest.mark.parametrize("kind", [*NOTHINGS, *UNSEEN])
def test_what_is_no_number_is_seen_as_something(material: Material, kind: str) -> None:
    written = [free_ink(compose_nothing(kind, material, np.random.default_rng((8, seed)))).written for seed in range(12)]
    assert np.mean(written) >= 0.8


def test_no_kind_is_both_shown_and_kept_back() -> None:
    assert not set(NOTHINGS) & set(UNSEEN)
    assert len(NOTHINGS) + len(UNSEEN) == 10
