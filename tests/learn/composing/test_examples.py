from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from docproc.learn.composing import examples, kept
from docproc.learn.composing.examples import (
    Source,
    TrainingData,
    cell_training_data,
    strip_example,
    strip_examples,
    training_data,
)
from docproc.learn.composing.kept import Kept, clear
from docproc.learn.composing.material import Digits, Material
from docproc.learn.composing.strips import Strip
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.learn.progress import Step
from docproc.readers.lattice.normalize import normalize
from docproc.types import CROSSED, EMPTY, ILLEGIBLE, LINE_HEIGHT


def nothing(_: str | Step) -> None:
    """A log that tells nobody."""


@pytest.fixture(scope="module")
def source() -> Source:
    rng = np.random.default_rng(0)
    labels = np.arange(100, dtype=np.uint8) % 10
    images = np.array([normalize(draw_digit(int(d), 40, Pen(0.1, 0.02), rng)[0]) for d in labels])
    return Source(Material(Digits.of(images, labels)), seed=4, part=0, combs=0.3)


@pytest.mark.thorough
def test_examples_do_not_depend_on_the_number_of_processes(source: Source) -> None:
    alone, shared = strip_examples(source, 300, 1, "", nothing), strip_examples(source, 300, 2, "", nothing)
    assert [e.strip.text for e in alone] == [e.strip.text for e in shared]
    assert all(np.array_equal(a.line, b.line) for a, b in zip(alone, shared, strict=True))
    assert all(np.array_equal(a.cut.lattice.geometry, b.cut.lattice.geometry) for a, b in zip(alone, shared, strict=True))


def test_another_part_is_other_strips(source: Source) -> None:
    other = Source(source.material, source.seed, 1, source.combs)
    assert [strip_example(source, k).strip.text for k in range(8)] != [strip_example(other, k).strip.text for k in range(8)]


def test_training_data_is_for_both_networks(source: Source) -> None:
    logged: list[str | Step] = []
    made = training_data(source, 40, 3, 1, "composing", logged.append)
    assert len(made.lines) == len(made.texts) == 40
    assert all(line.shape[0] == LINE_HEIGHT for line in made.lines)
    assert made.glyphs.shape == (len(made.labels), 28, 28)
    assert set(made.labels.tolist()) <= set(range(11))
    # At most three wrong candidates of a strip, and most of the digits.
    assert (made.labels == 10).sum() <= 3 * 40
    assert (made.labels < 10).sum() >= 0.7 * sum(len(text) for text in made.texts)
    assert logged == [Step("composing", 0, 40), Step("composing", 40, 40)]


def test_cell_training_data_holds_digits_crosses_and_remains(source: Source) -> None:
    pictures, labels = cell_training_data(source, 60, 1, "", nothing)
    assert pictures.shape == (len(labels), 32, 32, 2)
    assert pictures[..., 0].any(axis=(1, 2)).all()
    assert set(labels.tolist()) <= {*range(10), CROSSED, EMPTY, ILLEGIBLE}
    assert (labels == CROSSED).any()
    assert (labels < 10).sum() > 2 * (labels == CROSSED).sum() > 0
    again, same = cell_training_data(source, 60, 2, "", nothing)
    assert np.array_equal(pictures, again)
    assert np.array_equal(labels, same)


def test_what_was_composed_is_kept_for_the_same_training_alone(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples, "CHUNK", 8)
    composed: list[int] = []
    plain = examples.compose_strip

    def counted(of: Source, number: int) -> Strip:
        composed.append(number)
        return plain(of, number)

    monkeypatch.setattr(examples, "compose_strip", counted)

    def made(training: str, count: int = 20, own: Source = source) -> TrainingData:
        composed.clear()
        return training_data(own, count, 3, 1, "", nothing, Kept(tmp_path, training))

    first = made("a", 16)
    again = made("a")  # as where it ended after two of three parts
    assert composed == [16, 17, 18, 19]
    whole = training_data(source, 20, 3, 1, "", nothing)
    assert np.array_equal(again.glyphs, whole.glyphs)
    assert np.array_equal(again.labels, whole.labels)
    assert again.texts == whole.texts
    assert again.texts[:16] == first.texts
    assert all(np.array_equal(one, other) for one, other in zip(again.lines, whole.lines, strict=True))
    made("a")
    assert composed == []
    made("b")
    assert len(composed) == 20
    made("a", own=replace(source, part=7))
    assert len(composed) == 20
    monkeypatch.setattr(kept, "code_hash", lambda: "other code")
    made("a")
    assert len(composed) == 20


def test_cells_are_kept_too(source: Source, tmp_path: Path) -> None:
    own = Kept(tmp_path, "a")
    one, other = (cell_training_data(source, 20, 1, "", nothing, own) for _ in range(2))
    assert all(np.array_equal(*pair) for pair in zip(one, other, strict=True))
    assert len(list(tmp_path.rglob("*.npz"))) == 1
    (tmp_path / "composed" / "mine").mkdir()
    for mine in ("notes.txt", "mine/1-2.npz"):
        (tmp_path / "composed" / mine).write_text("a person's own")
    clear(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["1-2.npz", "notes.txt"]


def test_a_folder_with_nothing_else_is_deleted(source: Source, tmp_path: Path) -> None:
    cell_training_data(source, 5, 1, "", nothing, Kept(tmp_path, "a"))
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []
    clear(tmp_path)


def test_carelessness_changes_the_hand_and_not_the_text(source: Source) -> None:
    careful = Source(source.material, source.seed, source.part, 0.0, carelessness=0.0)
    careless = Source(source.material, source.seed, source.part, 0.0, carelessness=1.0)
    for number in range(3):
        one, two = strip_example(careful, number), strip_example(careless, number)
        assert one.strip.text == two.strip.text
    assert any(not np.array_equal(strip_example(careful, k).line, strip_example(careless, k).line) for k in range(5))
