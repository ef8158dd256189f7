from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from docproc.errors import BadInput
from docproc.learn.composing.fonts import DOT_MATRIX, HERSHEY, Fonts, dot_matrix, has, middle_line, printed, traced


@pytest.mark.parametrize("name", HERSHEY)
def test_print_stands_on_its_base_line(name: str) -> None:
    placed = printed("408", name, 40)
    assert len(placed) == 3
    for ink, _, top in placed:
        assert 30 < ink.shape[0] < 60
        assert abs(top + ink.shape[0]) < 8  # its foot is the base line
    lefts = [left for _, left, _ in placed]
    assert lefts == sorted(lefts)


def test_a_letter_is_written_along_its_middle_line() -> None:
    found = traced("k", HERSHEY[0], 40, 3.0, 1.0)
    assert found is not None
    ink, base = found
    assert 20 < base <= ink.shape[0]
    thin = traced("k", HERSHEY[0], 40, 1.5, 1.0)
    assert thin is not None
    assert thin[0].astype(float).sum() < ink.astype(float).sum()


def test_a_letter_that_a_font_lacks_is_told() -> None:
    assert not has(HERSHEY[0], "٣")
    assert middle_line(" ", HERSHEY[0]) is None


def test_dots_are_apart() -> None:
    placed = dot_matrix("7", 70, 0.7)
    assert placed is not None
    ink = placed[0][0]
    assert (ink > 127).sum() < 0.7 * (np.pi / 4) * 100 * sum(bin(int(row, 16)).count("1") for row in DOT_MATRIX["7"].split())
    assert dot_matrix("7é", 70, 0.7) is None


def test_a_folder_without_fonts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(BadInput, match="no font"):
        Fonts.of(tmp_path)


def test_fonts_in_the_folder_hand_are_hands(tmp_path: Path) -> None:
    plain = ImageFont.load_default(20)
    if not isinstance(plain, ImageFont.FreeTypeFont):
        pytest.skip("Pillow has no TrueType font of its own")
    data = plain.font_bytes
    (tmp_path / "hand").mkdir()
    for path in (tmp_path / "plain.ttf", tmp_path / "hand" / "pen.ttf"):
        path.write_bytes(data)
    fonts = Fonts.of(tmp_path)
    assert [Path(name).name for name in fonts.print] == ["plain.ttf"]
    assert [Path(name).name for name in fonts.hand] == ["pen.ttf"]
    assert printed("7 3", fonts.print[0], 30)[1][0].size == 1  # a space has no ink
