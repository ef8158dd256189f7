"""The networks, in Keras. Each takes uint8 and scales inside the graph, so no caller can forget it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from docproc.types import CLASSES, GLYPH_SIDE, LINE_HEIGHT

if TYPE_CHECKING:
    import keras


def digits() -> keras.Model:
    """The shipped network: six small convolutions, 11 classes, about 0.41 million weights."""
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
    x = layers.MaxPooling2D()(block(block(x, 32), 32))
    x = layers.MaxPooling2D(padding="same")(block(block(x, 64), 64))
    x = block(x, 128)
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    x = layers.ReLU()(layers.Dense(128)(x))
    x = layers.Dropout(0.3)(x)
    # Probabilities in float32, whatever the precision of the training.
    x = layers.Dense(CLASSES, dtype="float32")(x)
    scores = layers.Softmax(dtype="float32", name="scores")(x)
    return keras.Model(glyph, scores, name="digits")


def line_network() -> keras.Model:
    """The line recognizer: (n, 32, width) uint8 to (n, width / 2, 11) logits, the last class being the blank of CTC.

    Convolutions only, so any width will do, about 0.39 million weights. Frames see 36 px, nearly two digits, to each side.
    """
    import keras
    from keras import layers

    def block(x: keras.KerasTensor, filters: int, size: tuple[int, int] = (3, 3), padding: str = "same") -> keras.KerasTensor:
        x = layers.Conv2D(filters, size, padding=padding, use_bias=False)(x)
        x = layers.BatchNormalization()(x)
        return layers.ReLU()(x)

    strip = keras.Input((LINE_HEIGHT, None), dtype="uint8", name="lines")
    x = layers.Rescaling(1.0 / 255)(strip)
    x = layers.Reshape((LINE_HEIGHT, -1, 1))(x)
    x = layers.MaxPooling2D(2)(block(x, 24))
    x = block(x, 48)
    x = layers.MaxPooling2D((2, 1))(block(x, 64))
    x = layers.SpatialDropout2D(0.05)(x)
    x = layers.MaxPooling2D((2, 1))(block(x, 96))
    x = block(x, 128, (LINE_HEIGHT // 8, 1), "valid")
    for _ in range(3):
        x = layers.Dropout(0.1)(x)
        x = layers.Add()([x, block(x, 128, (1, 5))])
    x = layers.Reshape((-1, 128))(x)
    x = layers.Dropout(0.2)(x)
    frames = layers.Dense(CLASSES, dtype="float32", name="frames")(x)
    return keras.Model(strip, frames, name="lines")


NETWORKS: Mapping[str, Callable[[], keras.Model]] = {"digits": digits}
