"""The decoder trains for minutes: it says how far it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from docproc.learn.progress import Step

pytestmark = pytest.mark.thorough
pytest.importorskip("keras")
pytest.importorskip("tf2onnx")


def test_the_training_of_a_decoder_tells_its_steps(tmp_path: Path) -> None:
    import keras

    from docproc.learn.training.architectures import FEATURES
    from docproc.learn.training.decoder import MIN_EPOCHS, fit_decoder

    picture = keras.layers.Input((28, 28))
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(picture))
    seen = keras.layers.Dense(8, activation="relu", name=FEATURES)(flat)
    network = keras.Model(picture, keras.layers.Dense(10)(seen))
    told: list[str | Step] = []
    glyphs = np.random.default_rng(1).integers(0, 255, (600, 28, 28), np.uint8)
    fit_decoder(network, glyphs, glyphs[:32], 1, tmp_path / "digits.decoder.onnx", told.append)
    steps = [one for one in told if isinstance(one, Step)]
    begun, *epochs, written = steps
    assert {one.name for one in (begun, *epochs)} == {"training the decoder"}
    assert written == Step("writing the decoder")
    assert (begun.done, epochs[-1].done) == (0, begun.total)
    assert len(epochs) >= MIN_EPOCHS
    assert [one.note.split(",")[0] for one in epochs] == [f"epoch {k}/{len(epochs)}" for k in range(1, len(epochs) + 1)]
