"""What the verifier is trained on: texts that are written on a line, and texts that are taken for them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pytest

from docproc.learn.training.batches import shifted_lines, validation_verdicts
from docproc.learn.training.near_misses import MAX_WRONG, near_misses
from docproc.readers.ink import free_ink
from docproc.readers.line.band import line as strip_of
from docproc.readers.model import Model
from docproc.readers.verifier import HEIGHT
from docproc.types import LETTER, LINE_HEIGHT, STRUCK, Line
from tests.conftest import draw_field

TEXTS = ("2407", "19", "55501")


@dataclass(frozen=True)
class Drawn:
    lines: tuple[Line, ...]
    texts: tuple[str, ...]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    return Drawn(tuple(strip_of(free_ink(draw_field(text))) for text in TEXTS), TEXTS)


def told(picture: Line) -> str:
    """The text below a strip, read from the rows of its digits, left to right."""
    rows = picture[LINE_HEIGHT:]
    columns = np.flatnonzero((rows == 255).any(axis=0))[::2]
    return "".join(str(int((rows[:, column] == 255).argmax())) for column in columns)


def test_each_line_is_shown_with_its_text_and_with_what_it_is_taken_for(drawn: Drawn, model: Model) -> None:
    pictures, labels = near_misses((drawn.lines, drawn.texts), model.networks["line"], print)
    assert [told(picture) for picture, right in zip(pictures, labels, strict=True) if right] == list(TEXTS)
    assert not set(TEXTS) & {told(picture) for picture, right in zip(pictures, labels, strict=True) if not right}
    assert len(TEXTS) <= len(pictures) <= len(TEXTS) * (1 + MAX_WRONG)
    assert all(picture.shape[0] == HEIGHT for picture in pictures)


@pytest.mark.parametrize("symbol", [LETTER, STRUCK])
def test_digits_beside_letters_or_struck_ones_are_never_shown_as_right(symbol: str, drawn: Drawn, model: Model) -> None:
    marked = [text + symbol for text in TEXTS]
    _, labels = near_misses((drawn.lines, marked), model.networks["line"], print)
    assert not labels.any()


def test_lines_without_ink_or_text_are_left_out(drawn: Drawn, model: Model) -> None:
    lines = [np.zeros((LINE_HEIGHT, 0), np.uint8), drawn.lines[0]]
    pictures, labels = near_misses((lines, ["7", ""]), model.networks["line"], print)
    assert list(pictures) == []
    assert len(labels) == 0


def test_lines_are_varied_before_they_are_read(drawn: Drawn, model: Model) -> None:
    mirrored, _ = near_misses((drawn.lines, drawn.texts), model.networks["line"], print, lambda line: 255 - line)
    assert (mirrored[0][:LINE_HEIGHT] == 255 - drawn.lines[0]).all()


def test_a_training_changes_the_strips_and_never_the_texts() -> None:
    rng = np.random.default_rng(3)
    lines = [rng.integers(0, 256, (HEIGHT, width)).astype(np.uint8) for width in (32, 64, 64, 32, 64)]
    labels = np.arange(5, dtype=np.int32)
    batches = shifted_lines((lines, labels), 2, (1, 2))
    first, again, later = ([*batches.of_epoch(epoch)] for epoch in (0, 0, 1))
    assert len(first) == batches.steps
    assert sorted(int(k) for _, own in first for k in own) == list(range(5))
    for shown, own in first:
        assert all((picture[LINE_HEIGHT:] == lines[k][LINE_HEIGHT:]).all() for picture, k in zip(shown, own, strict=True))
        assert any((picture[:LINE_HEIGHT] != lines[k][:LINE_HEIGHT]).any() for picture, k in zip(shown, own, strict=True))
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(first, again, strict=True))
    assert any(a[0].shape != b[0].shape or (a[0] != b[0]).any() for a, b in zip(first, later, strict=True))


def test_validation_shows_every_line_as_it_is() -> None:
    lines = [np.full((HEIGHT, width), width, np.uint8) for width in (32, 64, 32)]
    batches = validation_verdicts((lines, np.arange(3, dtype=np.int32)))()
    seen = {int(k): picture for shown, own in batches for picture, k in zip(shown, own, strict=True)}
    assert len(seen) == len(lines)
    assert all((seen[k] == line).all() for k, line in enumerate(lines))


@pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs TensorFlow (the extra `train`)")
@pytest.mark.thorough
def test_a_verifier_begins_with_the_first_layers_of_a_line_reader() -> None:
    from docproc.learn.training.architectures import line_network, verifier_network, with_first_layers

    reader = line_network()
    verifier = with_first_layers(verifier_network(), reader)
    own, trained = ([layer for layer in one.layers if layer.weights] for one in (verifier, reader))
    alike = [
        len(one.get_weights()) == len(other.get_weights())
        and all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))
        for one, other in zip(own, trained, strict=False)
    ]
    assert all(alike[:12])  # six convolutions and what normalizes each
    assert not alike[12]
