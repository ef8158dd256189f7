"""The networks, in Keras. Each takes uint8 and scales inside the graph, so no caller can forget it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from docproc.types import CELL_CLASSES, CELL_SIDE, CLASSES, GLYPH_SIDE, LINE_CLASSES, LINE_HEIGHT, MICR_CLASSES

if TYPE_CHECKING:
    import keras


FEATURES = "features"  # the last hidden layer of a network for single digits, which the decoder takes as input
LINE_STRIDE = 2  # px of a line per frame of the line network; for the E-13B network see STRIDE in readers/e13b


def _block(
    x: keras.KerasTensor, filters: int, size: tuple[int, int] = (3, 3), padding: str = "same", stride: int = 1
) -> keras.KerasTensor:
    """A convolution without bias, followed by batch normalization and ReLU."""
    from keras import layers

    x = layers.Conv2D(filters, size, stride, padding=padding, use_bias=False)(x)
    return layers.ReLU()(_normalization()(x))


def _normalization() -> keras.Layer:
    """Batch normalization, fused when training in bfloat16; the weights are the same."""
    import keras

    fused = keras.config.dtype_policy().compute_dtype == "bfloat16"
    return _fused_normalization()() if fused else keras.layers.BatchNormalization()


@cache
def _fused_normalization() -> type[keras.Layer]:
    """Keras normalizes bfloat16 in float32 and in many steps; fused, training on a CPU takes half the time."""
    import keras
    import tensorflow as tf

    class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
        def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
            if not (training and self.trainable):
                return super().call(inputs, training=training, mask=mask)
            none = tf.zeros([0])
            normalized, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                x=inputs, scale=self.gamma.value, offset=self.beta.value, mean=none, variance=none, epsilon=self.epsilon,
                is_training=True,
            )  # fmt: skip
            for kept, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                kept.assign(kept * self.momentum + new * (1 - self.momentum))
            return normalized

    return FusedBatchNormalization


def classic_network() -> keras.Model:
    """The textbook network: two convolutions, 10 classes, 0.23 million weights."""
    import keras
    from keras import layers

    glyph = keras.Input((GLYPH_SIDE, GLYPH_SIDE), dtype="uint8", name="glyphs")
    x = layers.Rescaling(1.0 / 255)(glyph)
    x = layers.Reshape((GLYPH_SIDE, GLYPH_SIDE, 1))(x)
    x = layers.MaxPooling2D()(layers.Conv2D(32, 3, activation="relu")(x))
    x = layers.MaxPooling2D()(layers.Conv2D(64, 3, activation="relu")(x))
    x = layers.Dense(128, activation="relu", name=FEATURES)(layers.Flatten()(x))
    scores = layers.Softmax(dtype="float32", name="scores")(layers.Dense(CLASSES - 1, dtype="float32")(x))
    return keras.Model(glyph, scores, name="classic")


def decoder_network(features: int) -> keras.Model:
    """From the features of a network, (n, features) float32, back to digits (n, 28, 28) float32, 0 paper .. 1 ink."""
    import keras
    from keras import layers

    seen = keras.Input((features,), name=FEATURES)
    x = layers.Dense(7 * 7 * 16, activation="relu")(seen)
    x = layers.Reshape((7, 7, 16))(x)
    x = layers.Conv2DTranspose(32, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.Conv2D(1, 3, padding="same", activation="sigmoid", dtype="float32")(x)
    return keras.Model(seen, layers.Reshape((GLYPH_SIDE, GLYPH_SIDE))(x), name="decoder")


def digit_network() -> keras.Model:
    """The shipped network: four small convolutions, 11 classes, about 0.37 million weights.

    Two heads predict whether a glyph is a digit, and which one. With a single head for all eleven classes, a glyph that looks
    like a piece of ink would hardly teach the network which digit it might be.
    """
    import keras
    from keras import layers

    glyph = keras.Input((GLYPH_SIDE, GLYPH_SIDE), dtype="uint8", name="glyphs")
    x = layers.Rescaling(1.0 / 255)(glyph)
    x = layers.Reshape((GLYPH_SIDE, GLYPH_SIDE, 1))(x)
    x = layers.MaxPooling2D()(_block(x, 16))
    x = layers.MaxPooling2D()(_block(x, 32))
    x = _block(x, 64)
    x = _block(x, 64)
    x = layers.Dropout(0.1)(layers.Flatten()(x))
    x = layers.ReLU(name=FEATURES)(layers.Dense(96)(x))
    x = layers.Dropout(0.1)(x)
    # Probabilities are float32 whatever the training precision.
    which = layers.Softmax(dtype="float32")(layers.Dense(CLASSES - 1, dtype="float32")(x))
    whether = layers.Softmax(dtype="float32")(layers.Dense(2, dtype="float32")(x))
    digit, none = whether[:, :1], whether[:, 1:]
    scores = layers.Concatenate(dtype="float32", name="scores")([which * digit, none])
    return keras.Model(glyph, scores, name="digits")


def line_readers(readers: Sequence[keras.Model]) -> keras.Model:
    """Several line networks joined into one: (n, 32, width) uint8 to (n, width / 2, readers * 23) logits.

    Networks that were trained separately make different mistakes; `readers.ctc` averages their scores of a text.
    """
    import keras
    from keras import layers

    strip = keras.Input((LINE_HEIGHT, None), dtype="uint8", name="lines")
    each = []
    for number, reader in enumerate(readers, 1):
        own = line_network(f"reader_{number}")
        own.set_weights(reader.get_weights())
        each.append(own(strip))
    return keras.Model(strip, layers.Concatenate(name="frames")(each), name="lines")


def each_line_reader(network: keras.Model) -> list[keras.Model]:
    """The networks that `line_readers` joined."""
    return [layer for layer in network.layers if layer.name.startswith("reader_")]


def line_network(name: str = "lines") -> keras.Model:
    """A reader of lines: (n, 32, width) uint8 to (n, width / 2, 23) logits; the last class is the CTC blank.

    Convolutional, for lines of any width; 2.4 million weights. A frame sees 33 px to each side, which is more than one digit,
    and, through the gates of the last blocks (J. Hu et al., 2018), the handwriting of the whole line.
    """
    import keras
    from keras import layers

    strip = keras.Input((LINE_HEIGHT, None), dtype="uint8", name="lines")
    x = layers.Rescaling(1.0 / 255)(strip)
    x = layers.Reshape((LINE_HEIGHT, -1, 1))(x)
    x = layers.MaxPooling2D(2)(_block(x, 32))
    x = layers.MaxPooling2D((2, 1))(_block(x, 64))
    x = _block(x, 128)
    x = layers.Add()([x, _block(x, 128)])
    x = layers.SpatialDropout2D(0.05)(x)
    x = layers.MaxPooling2D((2, 1))(x)
    x = _block(x, 128)
    x = layers.Add()([x, _block(x, 128)])
    x = _block(x, 256, (LINE_HEIGHT // 8, 1), "valid")
    for width in (5, 5, 7, 9):
        beside = _block(layers.Dropout(0.1)(x), 256, (1, width))
        gate = layers.Conv2D(32, 1, activation="relu")(layers.GlobalAveragePooling2D(keepdims=True)(beside))
        gate = layers.Conv2D(256, 1, activation="sigmoid")(gate)
        x = layers.Add()([x, layers.Multiply()([beside, gate])])
    x = layers.Reshape((-1, 256))(x)
    x = layers.Dropout(0.2)(x)
    frames = layers.Dense(LINE_CLASSES, dtype="float32", name="frames")(x)
    return keras.Model(strip, frames, name=name)


def micr_network() -> keras.Model:
    """The reader of E-13B: (n, 32, width) uint8 to (n, width / 4, 15) logits; the last class is the CTC blank.

    Print varies little, so 0.12 million weights are enough. A frame sees 30 px, one and a half
    characters, to each side.
    """
    import keras
    from keras import layers

    strip = keras.Input((LINE_HEIGHT, None), dtype="uint8", name="lines")
    x = layers.Rescaling(1.0 / 255)(strip)
    x = layers.Reshape((LINE_HEIGHT, -1, 1))(x)
    x = _block(x, 16, (5, 5), stride=2)
    x = _block(x, 32, stride=2)
    x = layers.MaxPooling2D((2, 1))(_block(x, 48))
    x = _block(x, 64)
    x = _block(x, 96, (LINE_HEIGHT // 8, 1), "valid")
    x = layers.Add()([x, _block(x, 96, (1, 5))])
    x = layers.Reshape((-1, 96))(x)
    x = layers.Dropout(0.1)(x)
    frames = layers.Dense(MICR_CLASSES, dtype="float32", name="frames")(x)
    return keras.Model(strip, frames, name="micr")


def cell_network() -> keras.Model:
    """The reader of cells: (n, 32, 32, 2) uint8 to (n, 13) probabilities, about 0.23 million weights."""
    import keras
    from keras import layers

    cell = keras.Input((CELL_SIDE, CELL_SIDE, 2), dtype="uint8", name="cells")
    x = layers.Rescaling(1.0 / 255)(cell)
    x = layers.MaxPooling2D()(_block(x, 16))
    x = layers.MaxPooling2D()(_block(x, 32))
    x = _block(x, 64)
    x = layers.MaxPooling2D()(_block(x, 64))
    x = layers.Dropout(0.3)(layers.Flatten()(x))
    x = layers.Dropout(0.3)(layers.ReLU()(layers.Dense(96)(x)))
    scores = layers.Softmax(dtype="float32", name="scores")(layers.Dense(CELL_CLASSES, dtype="float32")(x))
    return keras.Model(cell, scores, name="cells")


DIGIT_NETWORKS: Mapping[str, Callable[[], keras.Model]] = {"digits": digit_network, "classic": classic_network}
