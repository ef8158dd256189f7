from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from docproc.errors import BadInput
from docproc.learn.composing import pens as module
from docproc.learn.composing.pens import Pens, load


def write(folder: Path, name: str, labels: str, writers: list[int]) -> None:
    """Each item is an upright and a level stroke of three points."""
    stroke = [[0, 0], [0, 500], [0, 1000], [0, 500], [300, 500], [600, 500]]
    np.savez(
        folder / name,
        label=np.array(list(labels)),
        writer=np.array(writers, np.uint16),
        points=np.array(stroke * len(labels), np.int16),
        stroke_start=np.arange(0, 6 * len(labels) + 1, 3, dtype=np.uint32),
        item_start=np.arange(0, 2 * len(labels) + 1, 2, dtype=np.uint32),
    )


@pytest.fixture
def pens(tmp_path: Path) -> Pens:
    write(tmp_path, "digits.npz", "01234567890123456789", [1] * 10 + [10] * 10)
    write(tmp_path, "marks.npz", "-+", [3, 4])
    return load(tmp_path)


def test_an_item_is_drawn_at_its_height(pens: Pens) -> None:
    ink = pens.draw(3, 40.0, 3.0, 1.0)
    assert abs(ink.shape[0] - 43) <= 2
    assert abs(ink.shape[1] - 27) <= 2
    assert pens.draw(3, 20.0, 3.0, 1.0, wide=True).shape[0] < 30


def test_marks_come_after_digits(pens: Pens) -> None:
    assert pens.labels[-2:].tolist() == ["-", "+"]
    assert [len(curve) for curve in pens.curves(21)] == [3, 3]


def test_every_tenth_writer_is_kept_apart(pens: Pens) -> None:
    apart, rest = pens.of(apart=True), pens.of(apart=False)
    assert set(apart.writers.tolist()) == {10}
    assert set(rest.writers.tolist()) == {1, 100_003, 100_004}
    assert np.array_equal(rest.curves(2)[1], pens.curves(2)[1])
    assert "5" in rest.writer(np.random.default_rng(0))


def test_items_that_are_not_what_their_labels_say_are_left_out(
    pens: Pens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LEFT_OUT", {pens.hashes["digits.npz"]: frozenset({3, 12})})
    found = load(tmp_path)
    assert "".join(found.labels.tolist()) == "012456789013456789-+"
    assert np.array_equal(found.curves(3)[1], pens.curves(4)[1])
    monkeypatch.setattr(module, "LEFT_OUT", {"another": frozenset({3})})
    assert len(load(tmp_path).labels) == len(pens.labels)


def test_a_bracket_that_hardly_bends_or_lies_down_is_not_drawn() -> None:
    """It would be a 1, a slash or a dash."""
    curves = [[(0, 0), (bend, 500), (0, 1000)] for bend in (50, 200)] + [[(0, 0), (500, 200), (1000, 0)]]
    found = Pens(
        np.array([")"] * 3),
        np.zeros(3, np.int32),
        np.concatenate(curves).astype(np.int16),
        np.arange(0, 10, 3),
        np.arange(4),
        {},
    )
    assert found.marks[")"].tolist() == [1]
    assert "(" not in found.marks


def test_a_folder_without_pens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"digits\.npz"):
        load(tmp_path)
