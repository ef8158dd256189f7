from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from docproc.learn.composing import mnist
from docproc.readers.lattice.normalize import LONGEST_SIDE_PX, normalize, normalize_all


def test_a_bar_becomes_20_px_tall_in_the_middle() -> None:
    ink = np.zeros((80, 60), np.uint8)
    ink[10:70, 40:46] = 255
    glyph = normalize(ink)
    rows, columns = np.flatnonzero(glyph.any(axis=1)), np.flatnonzero(glyph.any(axis=0))
    assert (rows[0], rows[-1]) in ((4, 23), (5, 24))
    assert (columns[0], columns[-1]) in ((13, 14), (14, 15))
    assert glyph.max() == 255


def test_the_center_of_mass_decides_and_not_the_bounding_box() -> None:
    ink = np.zeros((40, 40), np.uint8)
    ink[0:40, 0:20] = 255
    ink[38:40, 0:30] = 255  # a foot to the right moves the box and hardly the mass
    glyph = normalize(ink).astype(float)
    center = (glyph.sum(axis=0) * np.arange(28)).sum() / glyph.sum()
    assert abs(center - 14) <= 0.5


def test_no_ink_gives_an_empty_glyph() -> None:
    assert not normalize(np.zeros((5, 9), np.uint8)).any()
    assert normalize_all([]).shape == (0, 28, 28)


@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(40, 255),
    st.integers(0, 2**32 - 1),
)
def test_any_ink_keeps_its_aspect_and_is_centered(width: int, height: int, left: int, top: int, level: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ink = np.zeros((height + top + 3, width + left + 5), np.uint8)
    body = rng.integers(1, level + 1, (height, width)).astype(np.uint8)
    ink[top : top + height, left : left + width] = body
    glyph = normalize(ink)
    assert glyph.shape == (28, 28)
    assert glyph.dtype == np.uint8
    rows, columns = np.flatnonzero(glyph.any(axis=1)), np.flatnonzero(glyph.any(axis=0))
    tall, wide = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
    assert max(tall, wide) <= LONGEST_SIDE_PX
    assert glyph.max() == 255
    # The rest of the picture does not matter, only the ink does.
    assert np.array_equal(glyph, normalize(body))


@given(st.floats(0.5, 4.0))
def test_size_does_not_matter(scale: float) -> None:
    import cv2

    ink = np.zeros((60, 40), np.uint8)
    cv2.ellipse(ink, (20, 30), (14, 24), 0, 0, 360, 255, 6)
    other = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    one, two = normalize(ink).astype(int), normalize(np.asarray(other, np.uint8)).astype(int)
    # The center falls between pixels, so the glyphs may lie one pixel apart; ink that is hardly larger than the glyph
    # rounds to whole pixels as well. The worst on a fine grid of scales: 6.9 from 1 up, 12.9 below.
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    assert min(float(np.abs(one - np.roll(two, shift, (0, 1))).mean()) for shift in shifts) < (9 if scale >= 1 else 16)


def test_mnist_itself_passes_through_nearly_unchanged(shared: Path) -> None:
    images = mnist.load(shared / "mnist").test_images[:500]
    again = np.array([normalize(image) for image in images]).astype(int)
    assert np.abs(again - images).mean() < 4
