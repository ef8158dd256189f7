"""Training examples from fields whose true text is known, and which documents are held out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from docproc.learn.training.corrections import HELD_OUT_SHARE, correction_examples, is_held_out, label_along_path, spelling_path
from docproc.readers.handwriting import HandwrittenResult, lattice_opinion, prepare, read_all
from docproc.readers.lattice import LatticeOpinion
from docproc.readers.model import Model
from docproc.types import LINE_HEIGHT, NOT_A_DIGIT, Box, Candidate, Field, Gray, Lattice
from tests.conftest import draw_comb, draw_field


def read(gray: Gray, model: Model, cells: int = 0) -> HandwrittenResult:
    height, width = gray.shape
    kind = "comb" if cells else "string"
    field = Field("f", Box(0, 0, width, height), kind, (0, cells) if cells else None, cells=cells)  # type: ignore[arg-type]
    return read_all([prepare(field, gray)], model)[0]


def wrong() -> np.random.Generator:
    return np.random.default_rng(0)


def test_a_third_is_held_out_whatever_else_there_is() -> None:
    names = [f"{k:064x}" for k in range(3000)]
    kept = {name for name in names if is_held_out(name, 7)}
    assert abs(len(kept) / len(names) - HELD_OUT_SHARE) < 0.03
    assert kept == {name for name in reversed(names) if is_held_out(name, 7)}
    other = {name for name in names if is_held_out(name, 8)}
    assert len(kept & other) < 0.5 * len(kept)


def test_the_digits_are_found_where_they_stand(model: Model) -> None:
    result = read(draw_field("1407"), model)
    made = correction_examples(result, "1407", 6, wrong())
    assert made.labels[:4].tolist() == [1, 4, 0, 7]
    assert set(made.labels[4:].tolist()) <= {NOT_A_DIGIT}
    assert made.glyphs.shape == (len(made.labels), 28, 28)
    assert [line.shape[0] for line in made.lines] == [LINE_HEIGHT]
    assert np.array_equal(made.lines[0], result.prepared.views["line"])
    boxes = [result.prepared.lattice.candidates[k].box for k in spelling_path(lattice_opinion(result.opinions), "1407")]
    assert all(one.right <= other.left + 1 for one, other in pairwise(boxes))


def test_a_digit_that_was_misread_is_labeled_as_what_it_is(model: Model) -> None:
    result = read(draw_field("1407"), model)
    # As if the glyph network had taken the 0 for a 6.
    cut = lattice_opinion(result.opinions)
    path = spelling_path(cut, "1407")
    scores = cut.scores.copy()
    scores[path[2], [0, 6]] = 0.1, 0.9
    misread = replace(result, opinions={**result.opinions, "lattice": LatticeOpinion(cut.lattice, scores, cut.log_odds)})
    made = correction_examples(misread, "1407", 6, wrong())
    assert made.labels[:4].tolist() == [1, 4, 0, 7]
    assert np.array_equal(made.glyphs[2], result.prepared.cut.glyphs[path[2]])


@pytest.mark.parametrize("text", ["", "9250", "33", "140714"])
def test_a_text_that_does_not_stand_there_gives_no_examples(model: Model, text: str) -> None:
    assert correction_examples(read(draw_field("1407"), model), text, 6, wrong()).empty


def test_a_digit_too_few_gives_no_glyphs(model: Model) -> None:
    result = read(draw_field("1407"), model)
    assert spelling_path(lattice_opinion(result.opinions), "147") == ()


def test_what_shares_ink_with_a_digit_is_no_digit() -> None:
    # Five pieces with 100 px of ink each but for the second, which is a speck of the first.
    labels = np.zeros((10, 50), np.int32)
    for piece, (left, columns) in enumerate(((0, 9), (9, 1), (20, 10), (30, 10), (40, 10)), 1):
        labels[:, left : left + columns] = piece
    groups = [(0, 1), (0,), (2,), (3,), (2, 3), (3, 4), (4,)]
    candidates = tuple(Candidate(g[0], g[-1] + 1, g, Box(0, 0, 1, 1)) for g in groups)
    ink = np.where(labels > 0, 255, 0).astype(np.uint8)
    lattice = Lattice(ink, labels, 5, candidates, np.zeros((7, 1), np.float32), np.zeros((2, 3)))
    # The path holds the first two pieces, and the third; the fourth is beside it, and so is the fifth.
    chosen, names = label_along_path(lattice, (0, 2), "47", 6, wrong())
    assert chosen[:2].tolist() == [0, 2]
    assert names[:2].tolist() == [4, 7]
    # Candidate 1 lacks a speck only, 4 holds half as much again as a digit: F1 0.67. 3, 5 and 6 share no ink.
    assert chosen.tolist() == [0, 2]
    # With a path on pieces three and four together, each of them alone is as near; a longer union is not.
    chosen, names = label_along_path(lattice, (4,), "0", 6, wrong())
    assert sorted(chosen[1:].tolist()) == [5]
    assert names.tolist() == [0, NOT_A_DIGIT]
    assert label_along_path(lattice, (), "", 6, wrong())[0].tolist() == []


def test_no_more_wrong_candidates_than_asked_for(model: Model) -> None:
    result = read(draw_field("8888888", gap=-9), model)
    lattice, path = result.prepared.lattice, spelling_path(lattice_opinion(result.opinions), "8888888")
    many = label_along_path(lattice, path, "8888888", 99, wrong())[1]
    few = label_along_path(lattice, path, "8888888", 2, wrong())[1]
    assert (many == NOT_A_DIGIT).sum() > 2
    assert few.tolist() == [8] * 7 + [NOT_A_DIGIT] * 2


def test_cells_are_examples_if_each_holds_a_digit(model: Model) -> None:
    result = read(draw_comb("  407 "), model, cells=6)
    made = correction_examples(result, "407", 6, wrong())
    assert made.cell_labels.tolist() == [4, 0, 7]
    assert np.array_equal(made.cells, result.prepared.views["cells"][[2, 3, 4]])
    crossed = correction_examples(read(draw_comb("x 407 "), model, cells=6), "407", 6, wrong())
    assert crossed.cell_labels.tolist() == []
    assert crossed.cells.shape[0] == 0
