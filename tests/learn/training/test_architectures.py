"""What the networks are built of."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("tensorflow", reason="needs TensorFlow (the extra `train`)")


def test_fused_normalization_is_that_of_keras() -> None:
    import keras

    from docproc.learn.training.architectures import _fused_normalization

    seen = np.random.default_rng(1).normal(3, 2, (8, 4, 50, 16)).astype(np.float32)
    plain, fused = keras.layers.BatchNormalization(), _fused_normalization()()
    for training in (True, True, False):
        told, own = np.asarray(plain(seen, training=training)), np.asarray(fused(seen, training=training))
        assert np.abs(told - own).max() < 1e-3
    # The fused step divides by n - 1 where Keras divides by n.
    for kept, other in zip(plain.weights, fused.weights, strict=True):
        assert kept.path.rpartition("/")[2] == other.path.rpartition("/")[2]
        assert np.allclose(np.asarray(kept), np.asarray(other), rtol=2e-3)


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_a_network_has_the_same_weights_in_every_precision_of_training(precision: str) -> None:
    import keras

    from docproc.learn.training.architectures import line_network

    plain = line_network()
    keras.mixed_precision.set_global_policy(precision)
    try:
        trained = line_network()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert [weight.shape for weight in trained.weights] == [weight.shape for weight in plain.weights]
    assert 2.2e6 < plain.count_params() < 2.6e6
    shown = np.random.default_rng(2).integers(0, 256, (2, 32, 96)).astype(np.uint8)
    plain.set_weights(trained.get_weights())
    assert np.asarray(plain(shown)).shape == (2, 48, 23)


def test_the_line_network_sees_the_hand_of_the_whole_line() -> None:
    from docproc.learn.training.architectures import line_network

    network = line_network()
    shown = np.random.default_rng(3).integers(0, 60, (1, 32, 640)).astype(np.uint8)
    other = shown.copy()
    other[:, 8:24, 600:606] = 255  # too far from the first frame for any kernel
    assert not np.array_equal(np.asarray(network(shown))[0, 0], np.asarray(network(other))[0, 0])
