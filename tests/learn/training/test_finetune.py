"""Fine-tuning without corrections, and the digits that strips are composed from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from docproc.errors import MissingPart
from docproc.learn.composing.material import Digits, Material
from docproc.learn.training.export import file_hash
from docproc.learn.training.finetune import Base, ReplayDigits, finetune
from docproc.learn.training.model_card import HANDWRITING_FILES
from docproc.learn.training.recipes import FINETUNING
from docproc.types import GLYPH_SIDE
from docproc.weights.cards import network_files, read_card


def test_a_network_without_corrections_stays_as_it_is(tmp_path: Path) -> None:
    files = network_files("tensorflow")
    card = read_card(files["glyphs"])
    none = np.zeros((0, GLYPH_SIDE, GLYPH_SIDE), np.uint8)
    assert finetune(FINETUNING, [], Material(Digits.of(none, none[:, 0, 0])), Base(files, card), tmp_path, 1, print) == {}
    copied = {path.name: file_hash(path) for path in tmp_path.iterdir()}
    assert copied == {name: card["sha256"][name] for name in HANDWRITING_FILES}
    with pytest.raises(MissingPart, match="not the model that its card describes"):
        finetune(FINETUNING, [], Material(Digits.of(none, none[:, 0, 0])), Base(files, {"sha256": {}}), tmp_path, 1, print)


def test_drawn_digits_to_test_with_are_others_than_those_to_train_on() -> None:
    drawn = ReplayDigits.of(None)
    assert drawn.train.digits.images.shape[1:] == (GLYPH_SIDE, GLYPH_SIDE)
    assert not {image.tobytes() for image in drawn.train.digits.images} & {
        image.tobytes() for image in drawn.test.digits.images
    }
    assert [len(places) for places in drawn.test.digits.by_class] == [75] * 10
