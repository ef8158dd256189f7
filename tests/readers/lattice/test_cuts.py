from __future__ import annotations

import cv2
import numpy as np
import pytest

from docproc.readers.ink import comb_ink, free_ink
from docproc.readers.lattice import cuts as module
from docproc.readers.lattice.cuts import GEOMETRY, candidate_box, candidate_ink, segment
from docproc.types import Gray, Lattice
from tests.conftest import WriteField


def lattice_of(crop: Gray) -> Lattice:
    return segment(free_ink(crop))


def comb_lattice(crop: Gray, cells: int) -> Lattice:
    return segment(comb_ink(crop, cells))


def covers(lattice: Lattice, count: int) -> bool:
    """Whether some path takes `count` candidates that use up all ink."""
    reach = {(0, 0)}
    for node in range(lattice.pieces):
        reach |= {(c.last, taken + 1) for at, taken in reach if at == node for c in lattice.candidates if c.first == node}
    return (lattice.pieces, count) in reach


def test_separate_digits_are_a_path_of_their_own(write_field: WriteField) -> None:
    lattice = lattice_of(write_field("3160"))
    assert covers(lattice, 4)
    assert lattice.geometry.shape == (len(lattice.candidates), len(GEOMETRY))


def test_a_lone_digit_is_a_lattice_with_itself_as_a_candidate(write_field: WriteField) -> None:
    assert covers(lattice_of(write_field("8")), 1)


@pytest.mark.parametrize("height", [14, 24, 60])
def test_the_height_of_the_digits_is_told_in_pixels_of_the_scan(write_field: WriteField, height: int) -> None:
    large = write_field("31604", height=80, gap=20, width=0.08)
    crop = np.asarray(cv2.resize(large, None, fx=height / 80, fy=height / 80, interpolation=cv2.INTER_AREA), np.uint8)
    assert lattice_of(crop).digit_px == pytest.approx(height, rel=0.15)


@pytest.mark.parametrize("text", ["00", "33", "57", "608"])
def test_touching_digits_can_be_cut(write_field: WriteField, text: str) -> None:
    gray = write_field(text, gap=-10)
    assert cv2.connectedComponents((gray < 128).astype(np.uint8))[0] - 1 < len(text), "the digits should touch"
    lattice = lattice_of(gray)
    assert covers(lattice, len(text))
    assert lattice.pieces >= len(text)


def test_a_base_line_is_erased_and_the_digits_stay(write_field: WriteField) -> None:
    plain = write_field("2470")
    ruled = plain.copy()
    base = round(1.4 * 40)
    ruled[base : base + 2, :] = 40
    ink = lattice_of(ruled).ink > 127
    assert ink.any()
    # What the line left over is little beside the digits.
    widest = max(int(run.sum()) for run in ink)
    assert widest < 0.6 * ink.shape[1]
    assert covers(lattice_of(ruled), 4)


@pytest.mark.parametrize("level", [0, 128, 230, 255])
def test_blank_paper_has_no_candidates(level: int) -> None:
    assert lattice_of(np.full((60, 200), level, np.uint8)).blank


def test_faint_noise_is_no_ink() -> None:
    rng = np.random.default_rng(1)
    assert lattice_of(np.clip(rng.normal(235, 4, (60, 200)), 0, 255).astype(np.uint8)).blank


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (6, 6)])
def test_tiny_crops_are_blank(shape: tuple[int, int]) -> None:
    assert lattice_of(np.zeros(shape, np.uint8)).blank
    assert comb_lattice(np.zeros(shape, np.uint8), 4).blank


def test_uneven_light_does_not_matter(write_field: WriteField) -> None:
    gray = write_field("916").astype(np.float64)
    shade = np.linspace(1.0, 0.45, gray.shape[1])[None, :]
    assert covers(lattice_of((gray * shade).astype(np.uint8)), 3)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_the_resolution_does_not_matter(write_field: WriteField, scale: float) -> None:
    gray = write_field("5082", height=48)
    scaled: Gray = np.asarray(cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    assert covers(lattice_of(scaled), 4)


def test_boxes_lie_on_the_crop(write_field: WriteField) -> None:
    gray = write_field("71")
    lattice = lattice_of(gray)
    boxes = [candidate_box(lattice, k) for k in range(len(lattice.candidates))]
    dark = gray < 128
    whole = [b for b in boxes if dark[b.top : b.bottom, max(0, b.left) : b.right].sum() > 0.3 * dark.sum()]
    assert whole
    assert all(b.left > -8 and b.right < gray.shape[1] + 8 for b in boxes)


def test_a_candidate_shows_its_own_ink_only(write_field: WriteField) -> None:
    lattice = lattice_of(write_field("3160"))
    for k, candidate in enumerate(lattice.candidates):
        ink = candidate_ink(lattice, k)
        inside = np.isin(candidate.box.cut(lattice.labels), [p + 1 for p in candidate.pieces])
        assert ink.any()
        assert not ink[~inside].any()


# ---------------------------------------------------------------------------------------------------- the comb


def comb(write_field: WriteField, cells: list[str], ticks: bool = False) -> Gray:
    pitch, height = 60, 76
    page = np.full((height + 24, pitch * len(cells) + 24), 240, np.uint8)
    for k, digit in enumerate(cells):
        if digit:
            glyph = write_field(digit, height=44)
            y, x = 12 + (height - 62) // 2, 12 + pitch * k + 14
            part = page[y : y + 62, x : x + glyph.shape[1] - 32]
            np.minimum(part, glyph[10:72, 16 : glyph.shape[1] - 16], out=part)
    cv2.rectangle(page, (12, 12), (12 + pitch * len(cells), 12 + height), 60, 2)
    for k in range(1, len(cells)):
        cv2.line(page, (12 + pitch * k, 12 + (50 if ticks else 0)), (12 + pitch * k, 12 + height), 60, 2)
    return page


@pytest.mark.parametrize("ticks", [False, True])
@pytest.mark.parametrize("cells", [["4", "0", "7"], ["", "", "5"], ["1", "1", "1", "8", "2"]])
def test_a_comb_gives_one_digit_a_cell(write_field: WriteField, cells: list[str], ticks: bool) -> None:
    lattice = comb_lattice(comb(write_field, cells, ticks), len(cells))
    written = sum(1 for c in cells if c)
    assert len({(c.first, c.last) for c in lattice.candidates}) == written


def test_an_empty_comb_is_blank(write_field: WriteField) -> None:
    assert comb_lattice(comb(write_field, ["", "", "", ""]), 4).blank


def test_a_comb_has_cells() -> None:
    with pytest.raises(ValueError, match="at least one cell"):
        comb_lattice(np.full((50, 50), 255, np.uint8), 0)


def test_seams_of_many_components_at_once_are_those_of_each_alone() -> None:
    rng = np.random.default_rng(2)
    costs = [rng.uniform(0, 1, shape).astype(np.float32) for shape in ((9, 14), (20, 6), (14, 31))]
    for (total, turns), cost in zip(module._drop(costs), costs, strict=True):
        [(own_total, own_turns)] = module._drop([cost])
        assert np.allclose(total, own_total)
        assert np.array_equal(turns[1:], own_turns[1:])
        # Against the plain recursion.
        slow = cost[0].astype(np.float64)
        for row in cost[1:]:
            aside = np.minimum(np.r_[np.inf, slow[:-1]], np.r_[slow[1:], np.inf]) + 0.12
            slow = np.minimum(slow, aside) + row
        assert np.allclose(total, slow, atol=1e-4)
