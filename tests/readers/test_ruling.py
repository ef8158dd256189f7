"""Printed lines, drawn around digits and around nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from docproc.readers.ink import free_ink
from docproc.readers.ruling import RULING, _level_runs, level_rules, without_ruling
from docproc.types import Gray, Ink
from tests.conftest import WriteField


def on_paper(rows: int = 48, columns: int = 200) -> Gray:
    return np.full((rows, columns), 235, np.uint8)


def framed(gray: Gray, inset: int = 2, thick: int = 1) -> Gray:
    found = gray.copy()
    cv2.rectangle(found, (inset, inset), (gray.shape[1] - 1 - inset, gray.shape[0] - 1 - inset), 60, thick)
    return found


def ink_of(gray: Gray) -> Ink:
    return np.asarray(255 - gray, np.uint8)


@pytest.mark.parametrize("thick", [1, 2, 3])
@pytest.mark.parametrize("inset", [0, 2, 5])
def test_an_empty_frame_is_blank(inset: int, thick: int) -> None:
    assert not free_ink(framed(on_paper(), inset, thick)).written


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("wide", [3, 7, 12])
def test_a_thick_side_of_an_empty_frame_is_not_read_as_1(side: str, wide: int) -> None:
    gray = framed(on_paper(), 1)
    gray[:, slice(0, wide) if side == "left" else slice(-wide, None)] = 80
    assert not free_ink(gray).written


def test_walls_without_rules_at_both_sides_of_an_empty_field_are_no_1s() -> None:
    gray = on_paper()
    gray[4:44, 3:5] = gray[4:44, -6:-4] = 60
    assert not free_ink(gray).written


def test_the_ticks_of_an_empty_comb_are_no_1s() -> None:
    gray = on_paper()
    gray[44:46] = 60
    for x in range(10, 200, 30):
        gray[30:46, x : x + 2] = 60
    assert not free_ink(gray).written


def test_a_1_alone_in_its_frame_stays() -> None:
    gray = framed(on_paper(48, 60))
    gray[3:45, 28:31] = 40
    assert len(free_ink(gray).parts) == 1


@pytest.mark.parametrize("text", ["77", "1171", "192", "7"])
def test_upright_strokes_stay_within_a_frame(write_field: WriteField, text: str) -> None:
    plain = write_field(text)
    around = free_ink(framed(plain, 3, 2))
    assert len(around.parts) == len(free_ink(plain).parts)


@pytest.mark.parametrize("dashed", [False, True])
def test_digits_that_stand_on_a_rule_keep_their_feet(write_field: WriteField, dashed: bool) -> None:
    gray = write_field("192")
    row = round(1.4 * 40)
    for x in range(0, gray.shape[1], 6):
        gray[row : row + 2, x : x + (3 if dashed else 6)] = 60
    parts = free_ink(gray).parts
    tall = parts[parts[:, 3] > 20]
    assert len(tall) == 3
    # Nothing of the line is left that joins them.
    assert tall[:, 2].max() < 60


def test_feet_in_one_row_are_no_rule(write_field: WriteField) -> None:
    ink = ink_of(write_field("2222", gap=2))
    assert not level_rules((ink > 100).astype(np.uint8), RULING.off_line_px)


@pytest.mark.parametrize("text", ["1250", "64", "873"])
def test_a_line_through_a_number_strikes_it_out_and_stays(write_field: WriteField, text: str) -> None:
    gray = write_field(text)
    struck = gray.copy()
    struck[35:38, 12:-12] = 40
    left, _ = without_ruling(ink_of(struck))
    assert (left[35:38, 12:-12] > 150).mean() > 0.9


def test_what_is_taken_away_is_told() -> None:
    ink = ink_of(framed(on_paper()))
    left, gone = without_ruling(ink)
    assert gone.shape == ink.shape
    assert not left[gone > 0].any()
    plain = np.zeros((20, 40), np.uint8)
    assert without_ruling(plain)[0] is plain


def test_a_point_on_a_rule_stays(write_field: WriteField) -> None:
    gray = write_field("38")
    gray[56:58] = 60
    gray[50:57, 48:55] = 30
    left, _ = without_ruling(ink_of(gray))
    assert (left[50:55, 49:54] > 150).all()


@pytest.mark.parametrize("text", ["1027", "1318", "3911", "1737"])
@pytest.mark.parametrize("room", [3, 8])
def test_digits_nearly_as_high_as_their_frame_stay(write_field: WriteField, text: str, room: int) -> None:
    plain = write_field(text, height=60)
    rows = np.flatnonzero((plain < 150).any(axis=1))
    gray = np.full((rows[-1] - rows[0] + 2 * room + 10, plain.shape[1] + 160), 235, np.uint8)
    cut = plain[rows[0] : rows[-1] + 1]
    gray[room + 5 : room + 5 + len(cut), 40 : 40 + plain.shape[1]] = cut
    found = free_ink(framed(gray, 4, 3))
    assert np.count_nonzero(found.parts[:, 3] > 20) == len(free_ink(plain).parts)


def cut_out(text: str, height: int, above: int, aside: int) -> Ink:
    """Print, cut out closely: so many px of paper above and below the digits, and at their sides."""
    font = ImageFont.load_default(height * 1.4)
    picture = Image.new("L", (round(font.getlength(text)) + 120, height * 3), 0)
    ImageDraw.Draw(picture).text((60, height * 0.6), text, font=font, fill=255)
    ink = np.asarray(picture, np.uint8)
    rows, columns = (np.flatnonzero((ink > 110).any(axis=axis)) for axis in (1, 0))
    inner = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(inner, ((above, above), (aside, aside)))


@pytest.mark.parametrize("aside", [0, 1, 3, 6])
@pytest.mark.parametrize("height", [18, 24, 40])
@pytest.mark.parametrize("text", ["61626", "8801", "981", "33501", "10", "411", "1471", "1000", "391"])
def test_no_digit_at_the_edge_of_a_close_cut_is_taken_for_a_wall(text: str, height: int, aside: int) -> None:
    for above in (0, 1, 2):
        ink, _ = without_ruling(cut_out(text, height, above, aside))
        _, _, parts, _ = cv2.connectedComponentsWithStats((ink > 110).astype(np.uint8))
        assert np.count_nonzero(parts[1:, 3] >= 0.75 * height) >= len(text)


@pytest.mark.parametrize("text", ["61626", "8801", "80100", "3600"])
def test_no_round_digit_in_a_close_frame_is_taken_for_a_wall(text: str) -> None:
    for height in (18, 24, 40):
        ink = np.pad(cut_out(text, height, 2, 4), 2)
        cv2.rectangle(ink, (0, 0), (ink.shape[1] - 1, ink.shape[0] - 1), 255, 1)
        left, _ = without_ruling(ink)
        _, _, parts, _ = cv2.connectedComponentsWithStats((left > 110).astype(np.uint8))
        assert np.count_nonzero(parts[1:, 3] >= 0.75 * height) >= len(text)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_skewed_wall_that_leaves_the_crop_at_its_side_is_taken_off(write_field: WriteField, side: str) -> None:
    number = np.pad(write_field("53"), ((6, 6), (20, 20)), constant_values=240)
    rows, columns = number.shape
    gray, clean = number.copy(), free_ink(number)
    x = 1 if side == "left" else columns - 2
    outward = -4 if side == "left" else 4
    cv2.line(gray, (x, 0), (x + outward, 2 * rows), 60, 2)
    assert len(free_ink(gray).parts) == len(clean.parts)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_1_that_is_cut_off_at_the_side_stays(write_field: WriteField, side: str) -> None:
    number = np.pad(write_field("53"), ((6, 6), (20, 20)), constant_values=240)
    rows, columns = number.shape
    gray, clean = number.copy(), free_ink(number)
    x = 1 if side == "left" else columns - 2
    cv2.line(gray, (x, rows // 2 - 24), (x + (-2 if side == "left" else 2), rows // 2 + 24), 40, 4)
    assert len(free_ink(gray).parts) == len(clean.parts) + 1


def test_long_runs_are_those_of_an_opening() -> None:
    rng = np.random.default_rng(0)
    for _ in range(60):
        mask = np.zeros((8, 60), np.uint8)
        for row, left in zip(rng.integers(0, 8, 5), rng.integers(-15, 60, 5), strict=True):
            mask[row, max(0, left) : max(0, left + rng.integers(1, 30))] = 1
        opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, 20), np.uint8))
        np.testing.assert_array_equal(_level_runs(mask, 20), opened)


@pytest.mark.parametrize("apart", [4, 5, 6])
def test_a_tall_1_that_ends_before_both_rules_is_no_wall(write_field: WriteField, apart: int) -> None:
    """Rules from side to side, as in a table, and a 1 between them that is taller than the other digits."""
    others = write_field("5083", height=40)
    rows = np.flatnonzero((others < 150).any(axis=1))
    gray = np.full((90, others.shape[1] + 40), 235, np.uint8)
    gray[24 : 24 + len(rows), 30 : 30 + others.shape[1]] = others[rows[0] : rows[-1] + 1]
    gray[20:70, 14:17] = 40
    for row in (20 - apart - 3, 70 + apart):
        gray[row : row + 3] = 60
    left, _ = without_ruling(ink_of(gray))
    assert (left[22:68, 15] > 150).all()
    gray[20 - apart : 70 + apart, 14:17] = 40  # up to the rules, it is one
    left, _ = without_ruling(ink_of(gray))
    assert not left[22:68, 15].any()
