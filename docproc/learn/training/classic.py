"""The network of the textbooks on MNIST, from the files to a model that `docproc model predict` and `evaluate` take.

It reads single digits, and has never seen a wrong cut: pages are for `learn.train`'s networks.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from docproc._version import __version__
from docproc.backends.recognizers import DIGITS
from docproc.learn.composing.mnist import Mnist
from docproc.learn.evaluation.accuracy import digit_accuracy
from docproc.learn.training.decoder import fit_decoder
from docproc.learn.training.export import export_glyph_network, file_hash
from docproc.learn.training.fit import fit_classic_network
from docproc.learn.training.progress import Tell
from docproc.weights.cards import CLASSIC, DECODER_FILE

FILES = tuple(f"{CLASSIC}{ending}" for ending in (".onnx", ".fp16.onnx", ".keras", DECODER_FILE))


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what comes out, besides the data."""

    network: str = CLASSIC
    seed: int = 20261121
    epochs: int = 15
    batch: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "float32"
    patience: int = 4  # epochs without a better validation, after which the training ends
    held_out: int = 5_000  # training digits kept for validation


def train(recipe: Recipe, data: Mnist, folder: Path, tell: Tell) -> dict[str, Any]:
    """Train by the recipe; write the network, its decoder (`FILES`) and its card `classic.json` to `folder`.

    Returns the card. A training that was interrupted goes on after its last epoch.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(recipe.seed).permutation(len(data.train_images))
    few = min(recipe.held_out, len(order) // 6)
    shown, held = order[few:], order[:few]
    tell(f"{len(shown)} digits to train on, {len(held)} for validation")
    trained = fit_classic_network(
        recipe,
        (data.train_images[shown], data.train_labels[shown]),
        (data.train_images[held], data.train_labels[held]),
        folder,
        tell,
    )
    trained.model.save(folder / f"{CLASSIC}.keras")
    recognizer, agrees = export_glyph_network(
        trained.model, folder / f"{CLASSIC}.onnx", data.train_images[held[:1_024]], DIGITS
    )
    tell("the decoder")
    redrawn = fit_decoder(
        trained.model, data.train_images[shown], data.test_images, recipe.seed, folder / f"{CLASSIC}{DECODER_FILE}"
    )
    card = {
        "name": CLASSIC,
        "docproc": __version__,
        "recipe": asdict(recipe),
        "data": {"mnist": data.hashes},
        "minutes": round((time.monotonic() - began) / 60, 1),
        "scores": {
            "mnist_test_accuracy": digit_accuracy(recognizer, data.test_images, data.test_labels),
            "decoder_off_by": redrawn,
            "classic_onnx_agrees_with_keras": agrees,
        },
        "history": {CLASSIC: [asdict(epoch) for epoch in trained.history]},
        "sha256": {name: file_hash(folder / name) for name in FILES},
    }
    (folder / f"{CLASSIC}.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / f"{CLASSIC}.progress.npz").unlink(missing_ok=True)
    return card
