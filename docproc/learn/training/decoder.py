"""A decoder: it redraws every digit from the last features of a network, and so shows what the network sees."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docproc.backends import open_decoder
from docproc.errors import DocprocError
from docproc.learn.progress import Log, Step, epoch_step
from docproc.learn.training.architectures import FEATURES, decoder_network
from docproc.learn.training.export import to_float16, to_float32
from docproc.types import GLYPH_SIDE, Glyphs

if TYPE_CHECKING:
    import keras

MIN_EPOCHS = 8
MIN_STEPS = 300
BATCH = (32, 256)  # digits, fewest and most; smaller batches are used to reach MIN_STEPS in MIN_EPOCHS
LOG_STEPS = 20  # batches between two logged Steps
PROBE_DIGITS = 512  # used to compare ONNX Runtime with Keras
MAX_DIFFERENCE = 2e-2  # of the brightness of a pixel, 0..1, between Keras and ONNX Runtime in float16


def fit_decoder(network: keras.Model, train: Glyphs, test: Glyphs, seed: int, path: Path, log: Log) -> float:
    """Train a decoder on `train` (n, 28, 28) uint8, with the network frozen; write both as one ONNX file to `path`.

    Returns the mean absolute pixel error on `test` (n, 28, 28), 0..1. Raises DocprocError if the file's output differs from
    that of Keras.
    """
    import keras

    keras.utils.set_random_seed(seed)
    batch = int(np.clip(len(train) * MIN_EPOCHS // MIN_STEPS, *BATCH))
    steps = -(-len(train) // batch)
    epochs = max(MIN_EPOCHS, -(-MIN_STEPS // steps))
    log(Step("training the decoder", 0, epochs * steps))
    encoder = keras.Model(network.input, network.get_layer(FEATURES).output)
    features = encoder.predict(train, batch_size=1_024, verbose=0)
    head = decoder_network(features.shape[1])
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * steps)
    head.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    epoch = [0]

    def begun(number: int, logs: object = None) -> None:
        epoch[0] = number + 1

    def step(number: int, logs: Mapping[str, float] | None = None) -> None:
        if (number + 1) % LOG_STEPS == 0 or number + 1 == steps:
            loss = float((logs or {}).get("loss", 0.0))
            log(epoch_step("the decoder", epoch[0], epochs, number + 1, steps, loss))

    told = keras.callbacks.LambdaCallback(on_epoch_begin=begun, on_train_batch_end=step)
    head.fit(features, train.astype(np.float32) / 255, batch_size=batch, epochs=epochs, verbose=0, callbacks=[told])
    log(Step("writing the decoder"))
    whole = keras.Model(encoder.input, head(encoder.output), name="decoder")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        exact, half = Path(folder) / "float32.onnx", Path(folder) / path.name
        to_float32(whole, exact, (None, GLYPH_SIDE, GLYPH_SIDE))
        to_float16(exact, half)
        drawn = open_decoder(half.read_bytes()).reconstruct(test)
        expected = np.asarray(whole.predict(test[:PROBE_DIGITS], verbose=0))
        differs = float(np.abs(drawn[:PROBE_DIGITS].astype(np.float64) / 255 - expected).max())
        if not differs <= MAX_DIFFERENCE:
            raise DocprocError(f"ONNX Runtime and Keras differ by {differs:.2g}; {path.name} was not written")
        half.replace(path)
    return float(np.abs(drawn.astype(np.float64) - test).mean() / 255)
