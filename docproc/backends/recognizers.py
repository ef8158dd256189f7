"""Shared by all backends: batches of images, and of lines of equal width.

A backend provides a `Network`; the recognizers here wrap it as those of `types`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from docproc.backends.form import Form
from docproc.types import CLASSES, Frames, Glyphs, Line, ModelHash, Pictures, Scores


class Network(Protocol):
    """The interface that a backend must provide."""

    name: str
    batch: int  # images at a time

    def run(self, batches: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """The outputs of each batch (n, ...) uint8, 1 <= n <= `batch`, in order; shapes are those of the network's form."""
        ...


class PictureRecognizer:
    """See `types.Recognizer`."""

    def __init__(self, network: Network, form: Form, model: bytes) -> None:
        self.name = network.name
        self.model_hash = ModelHash(hashlib.sha256(model).hexdigest())
        self._network = network
        self._classes = form.classes

    def recognize(self, pictures: Pictures) -> Scores:
        scores = np.empty((len(pictures), self._classes), np.float32)
        parts = [slice(start, start + self._network.batch) for start in range(0, len(pictures), self._network.batch)]
        for part, own in zip(parts, self._network.run(pictures[part] for part in parts), strict=True):
            scores[part] = own
        # A network of only the ten digits takes everything for one of them.
        return np.pad(scores, ((0, 0), (0, CLASSES - self._classes))) if self._classes < CLASSES else scores


class StripRecognizer:
    """See `types.LineRecognizer`. Lines of equal width are batched, so that none is padded."""

    def __init__(self, network: Network, form: Form, model: bytes) -> None:
        self.name = network.name
        self.model_hash = ModelHash(hashlib.sha256(model).hexdigest())
        self._network = network
        self._form = form

    def recognize(self, lines: Sequence[Line]) -> list[Frames]:
        frames: list[Frames] = [np.zeros((0, self._form.classes), np.float32)] * len(lines)
        by_width: dict[int, list[int]] = {}
        for k, line in enumerate(lines):
            if line.shape[1]:
                by_width.setdefault(line.shape[1], []).append(k)
        most = self._network.batch
        parts = [own[start : start + most] for own in by_width.values() for start in range(0, len(own), most)]
        batches = (np.stack([lines[k] for k in part]) for part in parts)
        for part, logits in zip(parts, self._network.run(batches), strict=True):
            for k, own in zip(part, log_probabilities(logits, self._form), strict=True):
                frames[k] = np.asarray(own, np.float32)
        return frames


class DistantRecognizer:
    """Either kind of recognizer, with the network in another process: `ask` takes its hash and what to score."""

    def __init__(self, name: str, model_hash: ModelHash, form: Form, ask: Callable[[tuple[ModelHash, Any]], Any]) -> None:
        self.name = name
        self.model_hash = model_hash
        self._form, self._ask = form, ask

    def recognize(self, views: Any) -> Any:
        if len(views):
            return self._ask((self.model_hash, views if isinstance(views, np.ndarray) else list(views)))
        return [] if self._form.of_lines else np.zeros((0, max(self._form.classes, CLASSES)), np.float32)


def log_probabilities(logits: NDArray[np.floating[Any]], form: Form) -> NDArray[np.floating[Any]]:
    """Natural log probabilities of each of a line's readers, from the logits (..., readers * classes)."""
    each = logits.reshape(*logits.shape[:-1], form.readers, -1)
    each = each - each.max(axis=-1, keepdims=True)
    each = each - np.log(np.exp(each).sum(axis=-1, keepdims=True))
    return np.asarray(each.reshape(logits.shape))


class Reconstructor:
    """Draws digits as a network sees them."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def reconstruct(self, glyphs: Glyphs) -> Glyphs:
        """Reconstruct glyphs (n, 28, 28) uint8 from the network's features: (n, 28, 28) uint8."""
        size = self._network.batch
        drawn = self._network.run(glyphs[start : start + size] for start in range(0, len(glyphs), size))
        return np.concatenate([np.zeros_like(glyphs[:0]), *(np.rint(255 * own).astype(np.uint8) for own in drawn)])
