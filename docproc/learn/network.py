"""The networks, in Keras. Each takes (n, 28, 28) uint8 and scales inside the graph, so no caller can forget it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from docproc.types import CLASSES, GLYPH_SIDE

if TYPE_CHECKING:
    import keras


def digits() -> keras.Model:
    """The shipped network: four small convolutions, 11 classes, about 0.37 million weights."""
    import keras
    from keras import layers

    def block(x: keras.KerasTensor, filters: int) -> keras.KerasTensor:
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x)

    glyph = keras.Input((GLYPH_SIDE, GLYPH_SIDE), dtype="uint8", name="glyphs")
    x = layers.Rescaling(1.0 / 255)(glyph)
    x = layers.Reshape((GLYPH_SIDE, GLYPH_SIDE, 1))(x)
    x = layers.MaxPooling2D()(block(x, 16))
    x = layers.MaxPooling2D()(block(x, 32))
    x = block(x, 64)
    x = block(x, 64)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    x = layers.ReLU()(layers.Dense(96)(x))
    x = layers.Dropout(0.3)(x)
    # Probabilities in float32, whatever the precision of the training.
    x = layers.Dense(CLASSES, dtype="float32")(x)
    scores = layers.Softmax(dtype="float32", name="scores")(x)
    return keras.Model(glyph, scores, name="digits")


NETWORKS: Mapping[str, Callable[[], keras.Model]] = {"digits": digits}
