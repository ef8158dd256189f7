"""How well a network reads single digits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.learn import mnist
from docproc.modelfiles import open_reader
from docproc.types import Glyphs, Recognizer


def digit_accuracy(recognizer: Recognizer, images: Glyphs, labels: NDArray[np.uint8]) -> float:
    """The share of `images` (n, 28, 28) uint8, given as they are, whose likeliest digit is their label."""
    return float((recognizer.recognize(images)[:, :10].argmax(axis=1) == labels).mean())


def mnist_test(folder: Path | None, model: Path | None, backend: str) -> dict[str, Any]:
    """MNIST's test digits, 28x28 as they are, through a model file on a backend: accuracy over the ten digits."""
    data = mnist.load(folder)
    recognizer = open_reader(backend, model).recognizer
    scores = recognizer.recognize(data.test_images)
    right = scores[:, :10].argmax(axis=1) == data.test_labels
    return {
        "model": recognizer.model_hash,
        "backend": recognizer.name,
        "digits": len(right),
        "accuracy": float(right.mean()),
        "accuracy_by_digit": {str(d): round(float(right[data.test_labels == d].mean()), 4) for d in range(10)},
    }
