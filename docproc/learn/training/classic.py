"""The textbook network on MNIST: from the files to a model for `docproc model predict` and `evaluate`.

It reads single digits, and has never seen a wrong cut; for pages, the networks of `learn.training.handwriting` are used.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from docproc.backends.form import DIGITS
from docproc.learn.composing.mnist import Mnist
from docproc.learn.evaluation.accuracy import digit_accuracy
from docproc.learn.progress import Log, Step
from docproc.learn.training.decoder import fit_decoder
from docproc.learn.training.export import export_glyph_network
from docproc.learn.training.fit import fit_classic_network
from docproc.learn.training.model_card import CLASSIC_FILES, TrainedModel, write_model_card
from docproc.learn.training.recipes import ClassicRecipe
from docproc.weights.cards import CLASSIC, DECODER_FILE

PROBE_DIGITS = 1_024  # they determine the ranges for eight bits


def train_classic(recipe: ClassicRecipe, data: Mnist, folder: Path, log: Log) -> dict[str, Any]:
    """Train by the recipe; write the network, its decoder (`CLASSIC_FILES`) and its card `classic.json` to `folder`.

    Returns the card. An interrupted training resumes after its last epoch.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    order = np.random.default_rng(recipe.seed).permutation(len(data.train_images))
    held_out = min(recipe.held_out, len(order) // 6)
    train, validation = order[held_out:], order[:held_out]
    log(f"{len(train)} digits to train on, {len(validation)} for validation")
    trained = fit_classic_network(
        recipe,
        (data.train_images[train], data.train_labels[train]),
        (data.train_images[validation], data.train_labels[validation]),
        folder,
        log,
    )
    trained.model.save(folder / f"{CLASSIC}.keras")
    log(Step("writing the network"))
    probe = data.train_images[validation[:PROBE_DIGITS]]
    recognizer, agreement = export_glyph_network(trained.model, folder / f"{CLASSIC}.onnx", probe, DIGITS)
    decoder_error = fit_decoder(
        trained.model, data.train_images[train], data.test_images, recipe.seed, folder / f"{CLASSIC}{DECODER_FILE}", log
    )
    log(Step("reading MNIST's test digits"))
    scores = {
        "mnist_test_accuracy": digit_accuracy(recognizer, data.test_images, data.test_labels),
        "decoder_off_by": decoder_error,
        "classic_onnx_agrees_with_keras": agreement,
    }
    card = write_model_card(
        TrainedModel(
            CLASSIC, recipe, {"mnist": data.hashes}, (time.monotonic() - began) / 60, scores, {CLASSIC: trained.history},
            CLASSIC_FILES,
        ),
        folder,
    )  # fmt: skip
    (folder / f"{CLASSIC}.progress.npz").unlink(missing_ok=True)
    return card
