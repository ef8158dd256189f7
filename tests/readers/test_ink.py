from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from docproc.learn.composing.fonts import dot_matrix
from docproc.readers import ink
from docproc.readers.ink import FAINT, NO_INK, TINY, comb_ink, digit_ink, free_ink
from docproc.types import DIGIT_HEIGHT, FieldInk, Gray
from tests.conftest import WriteField, draw_comb


def on_pattern(gray: Gray, depth: float) -> Gray:
    """The field on paper with fine, nearly level lines, as checks have them."""
    rows, columns = gray.shape
    y, x = np.mgrid[0:rows, 0:columns]
    noise = np.random.default_rng(0).normal(0, 12, gray.shape)
    lines = np.clip(2 * np.sin((y + 0.1 * x) * 2 * np.pi / 5), 0, 1) * depth + noise
    return np.asarray(np.clip(np.minimum(gray, 240 - lines), 0, 255), np.uint8)


@pytest.mark.parametrize("height", [24, 40, 90])
def test_digits_come_to_one_height(write_field: WriteField, height: int) -> None:
    parts = free_ink(write_field("3160", height=height, gap=height // 4)).parts
    assert np.allclose(parts[:, 3], DIGIT_HEIGHT, atol=5)
    assert len(parts) == 4


def shapes(field: FieldInk) -> list[NDArray[np.float64]]:
    """The ink of each component in its box, at one size, 0..1, from left to right."""
    boxes = sorted(field.parts[:, :4].tolist())
    found = [field.ink[top : top + high, left : left + wide] for left, top, wide, high in boxes]
    return [np.asarray(cv2.resize(own, (28, 40), interpolation=cv2.INTER_AREA), np.float64) / 255 for own in found]


def scanned_at(gray: Gray, share: float) -> Gray:
    """The same field at a lower resolution."""
    return np.asarray(cv2.resize(gray, None, fx=share, fy=share, interpolation=cv2.INTER_AREA), np.uint8)


@pytest.mark.parametrize("text", ["31604", "27895", "40286"])
def test_the_shapes_of_digits_survive_a_low_resolution(write_field: WriteField, text: str) -> None:
    large = write_field(text, height=80, gap=20, width=0.07)
    pairs = zip(shapes(free_ink(large)), shapes(free_ink(scanned_at(large, 0.2))), strict=True)
    # 0.3 to 0.4 if digits of 16 px are not enlarged before the threshold.
    assert np.mean([np.abs(one - other).mean() / one.mean() for one, other in pairs]) < 0.28


def test_digits_of_a_few_pixels_are_in_doubt(write_field: WriteField) -> None:
    large = write_field("31604", height=80, gap=20, width=0.09)
    assert free_ink(scanned_at(large, 7 / 80)).doubt == TINY
    assert not free_ink(scanned_at(large, 12 / 80)).doubt
    comb = draw_comb("3160")
    assert not comb_ink(scanned_at(comb, 0.5), 4).doubt
    assert comb_ink(scanned_at(comb, 0.15), 4).doubt == TINY


@pytest.mark.parametrize("above", [0, 30, 140])
def test_where_enlarged_digits_are_is_told_in_pixels_of_the_crop(write_field: WriteField, above: int) -> None:
    small = scanned_at(write_field("0", height=80, width=0.09), 0.25)
    crop = np.pad(small, ((above, above // 2), (60, 0)), constant_values=240)
    field = free_ink(crop)
    y, x = (crop < 135).nonzero()
    back = cv2.invertAffineTransform(field.to_ink)
    left, top, wide, high = field.parts[field.parts[:, 4].argmax(), :4].tolist()
    place = back @ [left + wide / 2, top + high / 2, 1]
    assert np.allclose(place, [(x.min() + x.max()) / 2, (y.min() + y.max()) / 2], atol=1.5)


@pytest.mark.parametrize("shape", [(0, 40), (40, 0), (5, 200), (60, 3)])
def test_a_crop_without_room_for_a_digit_has_no_ink(shape: tuple[int, int]) -> None:
    crop = np.full(shape, 235, np.uint8)
    crop[1:4, 1:2] = 20
    assert free_ink(crop) is NO_INK


def test_enlarging_has_a_limit() -> None:
    long = np.full((60, 200_000), 235, np.uint8)
    long[20:40, 1000:1004] = 40
    assert free_ink(long).ink.size < 5 * long.size  # 128 px tall, it would be as large as 7 pages


def test_a_pattern_that_comes_through_is_softened_away(write_field: WriteField, monkeypatch: pytest.MonkeyPatch) -> None:
    gray = on_pattern(write_field("31604", level=70, width=0.1), 90)

    def specks() -> int:
        return int(np.count_nonzero(free_ink(gray).parts[:, 4] < 30))

    parts = free_ink(gray).parts
    assert np.count_nonzero(parts[:, 3] > 0.6 * DIGIT_HEIGHT) == 5
    softened = specks()
    monkeypatch.setattr(ink, "INK", replace(ink.INK, max_specks=10**6))
    assert specks() > 2 * softened + 10


def test_parts_belong_to_the_labels(write_field: WriteField) -> None:
    field = free_ink(write_field("25"))
    assert field.labels.shape == field.ink.shape
    for k, (left, top, width, height, area) in enumerate(field.parts):
        own = field.labels == k + 1
        assert own.sum() == area
        assert own[top : top + height, left : left + width].sum() == area


def test_no_ink(write_field: WriteField) -> None:
    paper = np.full((60, 200), 230, np.uint8)
    assert free_ink(paper) is NO_INK
    assert comb_ink(paper, 4) is NO_INK
    assert comb_ink(write_field("25"), 2).cells == 2


@pytest.mark.parametrize("height", [14, 20, 28, 34])
def test_small_writing_in_a_high_box_is_not_lost(write_field: WriteField, height: int) -> None:
    small = write_field("150", height=height, width=0.12)
    box = np.full((300, 400), 240, np.uint8)
    box[120 : 120 + small.shape[0], 100 : 100 + small.shape[1]] = small
    field = free_ink(box)
    assert field.written
    assert len(field.parts) == 3
    # Where the digits are is told in pixels of the box.
    x, y = field.to_ink @ [100 + small.shape[1] / 2, 120 + small.shape[0] / 2, 1]
    assert 0 < x < field.ink.shape[1]
    assert 0 < y < field.ink.shape[0]


@pytest.mark.parametrize("height", [32, 40, 80])
def test_print_of_separate_dots_is_joined(height: int) -> None:
    canvas = np.zeros((round(2 * height), round(5 * height)), np.uint8)
    for dots, left, top in dot_matrix("4705", height, 0.75) or []:
        x, y = round(left + 0.5 * height), round(1.5 * height + top)
        part = canvas[y : y + dots.shape[0], x : x + dots.shape[1]]
        np.maximum(part, dots, out=part)
    field = free_ink(np.asarray(240 - (200 * (canvas / 255)), np.uint8))
    assert field.written
    assert np.count_nonzero(field.parts[:, 3] > 0.7 * DIGIT_HEIGHT) == 4


@pytest.mark.parametrize("shape", [(5000, 1), (1, 5000), (3000, 40)])
def test_a_picture_of_one_digit_may_have_any_shape(shape: tuple[int, int]) -> None:
    paper = np.full(shape, 240, np.uint8)
    paper[: shape[0] // 2, : max(1, shape[1] // 2)] = 20
    assert digit_ink(paper).dtype == np.uint8


@pytest.mark.parametrize("cell", [24, 35, 50])
def test_dust_in_an_empty_comb_is_not_something_written(cell: int) -> None:
    height = round(1.3 * cell)
    comb = np.full((height + 8, 6 * cell + 8), 235, np.uint8)
    comb[4:6, 4:-4] = comb[-6:-4, 4:-4] = 90
    for k in range(7):
        comb[4:-4, 4 + k * cell : 6 + k * cell] = 90
    for k, side in ((0, 2), (2, 3), (4, 3)):
        x, y = 4 + k * cell + cell // 2, height // 2
        comb[y : y + side, x : x + side] = 60
    assert not comb_ink(comb, 6).written


@pytest.mark.parametrize("name", ["-", "=", "~"])
def test_a_mark_alone_is_something_written(write_field: WriteField, name: str) -> None:
    assert free_ink(write_field(name)).written


def test_faint_writing_is_something_written(write_field: WriteField) -> None:
    grain = np.random.default_rng(0).normal(0, 2, (200, 1000))
    for text, paper, level in (("2075", 235, 218), ("40", 200, 176)):
        plain = write_field(text, paper=paper, level=level).astype(np.float64)
        field = free_ink(np.rint(plain + grain[: plain.shape[0], : plain.shape[1]]).astype(np.uint8))
        assert field.doubt == FAINT
        assert len(field.parts) == len(text)
    assert not free_ink(write_field("2075")).doubt


def noisy(gray: Gray, noise: float) -> Gray:
    grain = np.random.default_rng(0).normal(0, noise, gray.shape)
    return np.asarray(np.clip(gray + grain, 0, 255), np.uint8)


def test_faint_writing_under_noise_is_something_written(write_field: WriteField) -> None:
    """A person reads it, at 30 gray levels below the paper."""
    field = free_ink(noisy(write_field("2075", paper=210, level=180), 12))
    assert field.written
    assert field.doubt == FAINT
    pale = np.asarray(210 - (255 - draw_comb("3160").astype(np.float64)) * 35 / 255, np.float64)
    comb = comb_ink(noisy(np.asarray(pale, np.uint8), 9), 4)
    assert comb.written
    assert comb.doubt == FAINT


@pytest.mark.parametrize("depth", [4, 8, 12])
@pytest.mark.parametrize("blur", [0.0, 1.0, 2.5])
def test_the_grain_of_paper_is_no_faint_writing(depth: float, blur: float) -> None:
    sharp = np.random.default_rng(1).normal(0, 1, (60, 200))
    grain = np.asarray(cv2.GaussianBlur(sharp, (0, 0), blur)) if blur else sharp
    paper = np.clip(230 + depth * grain / grain.std(), 0, 255).astype(np.uint8)
    assert not free_ink(paper).written


def test_dust_is_nothing_written() -> None:
    paper = np.full((60, 200), 235, np.uint8)
    for x, y in ((20, 30), (90, 12), (150, 44)):
        paper[y : y + 2, x : x + 2] = 60
    assert not free_ink(paper).written
