from __future__ import annotations

import numpy as np
import pytest

from docproc.learn.composing import spelling
from docproc.learn.composing.corrections import corrected
from docproc.learn.composing.hands import a_hand, written
from docproc.learn.composing.layers import MARK, arrange
from docproc.learn.composing.material import Digits, Material
from docproc.learn.composing.strokes import Pen, draw_digit
from docproc.readers.lattice.normalize import normalize
from docproc.types import STRUCK


@pytest.mark.parametrize("seed", range(30))
def test_a_correction_says_what_can_be_read(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.arange(50, dtype=np.uint8) % 10
    material = Material(
        Digits.of(np.array([normalize(draw_digit(int(d), 40, Pen(0.1, 0.02), rng)[0]) for d in labels]), labels)
    )
    hand = a_hand(material, rng, 0.5)
    spelled = spelling.plain_number(rng)
    layer, said = corrected(arrange(written(spelled, hand, material, rng), hand.height, rng), spelled, hand, material, rng)
    assert said.symbols.count(STRUCK) == 1
    text = [symbol for symbol in said.symbols if symbol.isdigit()]
    # Every digit that counts has ink of its own, and the struck ones have none.
    assert set(np.unique(layer.owner)) - {0, MARK} <= set(range(1, len(text) + 1))
    assert said.number == (said.kind == "rewritten")
    assert (layer.owner == MARK).any()
