"""A multilayer perceptron in numpy: the small model fitted besides the networks, for context and calibration.

Fitted in `learn`, stored as numbers on a model's card, and run here without an inference library.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Mlp:
    """Standardize, then dense layers with ReLU between; the last one is linear with one output."""

    mean: NDArray[np.float64]  # (features,)
    scale: NDArray[np.float64]  # (features,) > 0
    layers: tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]  # (inputs, outputs) weights, (outputs,) biases

    def __call__(self, features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """(n, features) to (n,) log-odds."""
        x = np.minimum(np.maximum((features - self.mean) / self.scale, -6), 6)
        for place, (weights, biases) in enumerate(self.layers):
            x = x @ weights + biases
            if place < len(self.layers) - 1:
                x = np.maximum(x, 0)
        return np.asarray(x[:, 0], np.float64)

    def to_card(self) -> dict[str, Any]:
        return {
            "mean": _plain(self.mean),
            "scale": _plain(self.scale),
            "layers": [{"weights": _plain(w), "biases": _plain(b)} for w, b in self.layers],
        }

    @staticmethod
    def from_card(card: Mapping[str, Any]) -> Mlp:
        """Raises KeyError, TypeError or ValueError if the card holds no such network."""
        layers = tuple(
            (np.array(layer["weights"], np.float64), np.array(layer["biases"], np.float64)) for layer in card["layers"]
        )
        net = Mlp(np.array(card["mean"], np.float64), np.array(card["scale"], np.float64), layers)
        width = len(net.mean)
        for weights, biases in layers:
            if weights.shape != (width, len(biases)):
                raise ValueError(f"a layer takes {weights.shape[:1]} numbers and is given {width}")
            width = len(biases)
        if width != 1 or net.scale.shape != net.mean.shape or not (net.scale > 0).all():
            raise ValueError("the network must end in one number and have positive scales")
        return net


def sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log-odds to probability."""
    return 1.0 / (1.0 + np.exp(-np.clip(log_odds, -40, 40)))


def logit(probability: NDArray[np.floating[Any]], floor: float = 1e-6) -> NDArray[np.float64]:
    """Probability to log-odds, with the probability clipped by `floor`."""
    p = np.minimum(np.maximum(np.asarray(probability, np.float64), floor), 1 - floor)
    return np.asarray(np.log(p) - np.log1p(-p))


def _plain(array: NDArray[np.float64]) -> list[Any]:
    return [[float(f"{v:.6g}") for v in row] for row in array] if array.ndim == 2 else [float(f"{v:.6g}") for v in array]
