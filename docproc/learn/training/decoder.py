"""What a network of single digits sees, made visible: a decoder draws each digit anew from the last features alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from docproc.backends import open_decoder
from docproc.errors import DocprocError
from docproc.learn.training.architectures import FEATURES, decoder
from docproc.learn.training.export import AGREES_FLOAT16, to_float16, to_float32
from docproc.types import GLYPH_SIDE, Glyphs

if TYPE_CHECKING:
    import keras

EPOCHS = 8
LEAST_STEPS = 300
BATCH = 256
PROBED = 512  # digits


def fit_decoder(network: keras.Model, shown: Glyphs, unseen: Glyphs, seed: int, path: Path) -> float:
    """Train a decoder on `shown` (n, 28, 28) uint8, while the network itself stays as it is; write both as one ONNX file.

    Returns how far the drawings of `unseen` are off, the mean over all pixels, 0..1. Raises DocprocError where the file does
    not draw what Keras draws.
    """
    import keras

    keras.utils.set_random_seed(seed)
    encoder = keras.Model(network.input, network.get_layer(FEATURES).output)
    seen = encoder.predict(shown, batch_size=1_024, verbose=0)
    own = decoder(seen.shape[1])
    steps = -(-len(shown) // BATCH)
    epochs = max(EPOCHS, -(-LEAST_STEPS // steps))
    rate = keras.optimizers.schedules.CosineDecay(3e-3, epochs * steps)
    own.compile(keras.optimizers.Adam(rate), "binary_crossentropy")
    own.fit(seen, shown.astype(np.float32) / 255, batch_size=BATCH, epochs=epochs, verbose=0)
    whole = keras.Model(encoder.input, own(encoder.output), name="decoder")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        exact, half = Path(folder) / "float32.onnx", Path(folder) / path.name
        to_float32(whole, exact, (None, GLYPH_SIDE, GLYPH_SIDE))
        to_float16(exact, half)
        drawn = open_decoder(half.read_bytes()).reconstruct(unseen)
        theirs = np.asarray(whole.predict(unseen[:PROBED], verbose=0))
        differs = float(np.abs(drawn[:PROBED].astype(np.float64) / 255 - theirs).max())
        if not differs <= AGREES_FLOAT16:
            raise DocprocError(f"ONNX Runtime and Keras differ by {differs:.2g}; {path.name} was not written")
        half.replace(path)
    return float(np.abs(drawn.astype(np.float64) - unseen).mean() / 255)
