"""From MNIST to the shipped files: compose, cut, label, train, fit the context and the calibration, export.

Everything random comes from one seed; every strip has its own generator, so the examples do not depend on how many
processes make them.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc import __version__
from docproc.digits.normalize import normalize
from docproc.digits.segment import GEOMETRY, candidate_ink, segment, segment_comb
from docproc.learn.calibrate import fit_calibration, fit_context
from docproc.learn.evaluate import digit_accuracy
from docproc.learn.export import export_onnx, file_hash
from docproc.learn.mnist import Mnist
from docproc.learn.network import NETWORKS
from docproc.learn.synthesis import AMBIGUOUS, Digits, Strip, compose, compose_comb, label
from docproc.types import NOT_A_DIGIT, Glyphs, Lattice

if TYPE_CHECKING:
    import keras

Tell = Callable[[str], None]

CHECKPOINT = "checkpoint.keras"  # the network after its last epoch, until the files are complete


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that decides what comes out, besides the data."""

    network: str = "digits"
    seed: int = 20261121
    strips: int = 60_000  # composed fields to train on
    combs: float = 0.12  # share of them that are combs
    not_digits: int = 14  # wrong candidates kept of every strip
    mnist_repeats: int = 3  # MNIST's own glyphs, each time turned and stretched anew, beside the candidates
    epochs: int = 5
    batch: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    precision: str = "mixed_bfloat16"
    held_out: int = 5_000  # MNIST training digits kept for the context and the calibration
    context_strips: int = 6_000
    calibration_strips: int = 8_000


def train(recipe: Recipe, data: Mnist, folder: Path, jobs: int, tell: Tell) -> dict[str, Any]:
    """Train by the recipe and write `digits.onnx`, `digits.keras` and the card `digits.json` to `folder`.

    Returns the card. Takes `jobs` processes to compose strips; Keras takes all cores.
    """
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    kept, held = _split(recipe, data)

    tell(f"composing {recipe.strips} strips in {jobs} processes")
    glyphs, labels = _examples(recipe, Digits.of(*kept), jobs, tell)
    plain, plain_labels = kept[0], kept[1].astype(np.int8)
    varied = [_vary(plain, np.random.default_rng([recipe.seed, 9, k])) for k in range(recipe.mnist_repeats - 1)]
    glyphs = np.concatenate([glyphs, plain, *varied])
    labels = np.concatenate([labels, *[plain_labels] * recipe.mnist_repeats])
    del varied
    tell(f"{len(labels)} glyphs, {int((labels < NOT_A_DIGIT).sum())} of them digits")
    model = _fit(recipe, glyphs, labels, folder, tell)
    del glyphs, labels
    return finish(recipe, data, Digits.of(*held), model, folder, jobs, tell, began)


def finish(
    recipe: Recipe, data: Mnist, digits: Digits, model: keras.Model, folder: Path, jobs: int, tell: Tell, began: float
) -> dict[str, Any]:
    """All that follows the network: measure it, fit context and calibration on unseen digits, export, write the card."""
    accuracy = digit_accuracy(model, data.test_images, data.test_labels)
    tell(f"MNIST test: {accuracy:.4%}")

    def scores(glyphs: Glyphs) -> NDArray[np.float32]:
        return np.asarray(model.predict(glyphs, batch_size=1024, verbose=0), np.float32)

    tell("fitting the context")
    strips = list(lattices(recipe, digits, 1, recipe.context_strips, jobs))
    context = fit_context(strips, scores, recipe.seed)
    tell("fitting the calibration")
    strips = list(lattices(recipe, digits, 2, recipe.calibration_strips, jobs))
    calibration, figures = fit_calibration(strips, scores, context)
    tell(", ".join(f"{name} {value:.4f}" for name, value in figures.items()))

    model.save(folder / "digits.keras")
    difference = export_onnx(model, folder / "digits.onnx", data.test_images[:512])
    card = {
        "name": "digits",
        "docproc": __version__,
        "recipe": asdict(recipe),
        "data": {"mnist": data.hashes, "strokes": "drawn by docproc.learn.strokes"},
        "minutes": round((time.monotonic() - began) / 60, 1),
        "scores": {"mnist_test_accuracy": accuracy, **figures, "onnx_against_keras": difference},
        "sha256": {name: file_hash(folder / name) for name in ("digits.onnx", "digits.keras")},
        "geometry": list(GEOMETRY),
        "context": context.to_card(),
        "calibration": calibration.to_card(),
    }
    (folder / "digits.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return card


Labeled = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def _split(recipe: Recipe, data: Mnist) -> tuple[Labeled, Labeled]:
    """MNIST's training digits: those for the network, and those that it never sees, for what is fitted on its scores."""
    order = np.random.default_rng(recipe.seed).permutation(len(data.train_images))
    kept, held = order[recipe.held_out :], order[: recipe.held_out]
    return (data.train_images[kept], data.train_labels[kept]), (data.train_images[held], data.train_labels[held])


def strip_and_lattice(digits: Digits, key: tuple[int, ...], combs: float) -> tuple[Strip, Lattice]:
    """Compose the strip that belongs to `key` and cut it."""
    rng = np.random.default_rng(key)
    if rng.random() < combs:
        strip = compose_comb(digits, rng)
        return strip, segment_comb(strip.gray, strip.cells)
    strip = compose(digits, rng)
    return strip, segment(strip.gray, strip.amount)


def lattices(recipe: Recipe, digits: Digits, part: int, count: int, jobs: int) -> Iterator[tuple[Strip, Lattice]]:
    """Whole strips with their lattices, for what is fitted on fields and not on glyphs."""
    work = partial(_whole_strips, digits, recipe.seed, part, recipe.combs)
    for made in _in_processes(work, _chunks(count), jobs):
        yield from made


def _examples(recipe: Recipe, digits: Digits, jobs: int, tell: Tell) -> tuple[Glyphs, NDArray[np.int8]]:
    work = partial(_labeled_glyphs, digits, recipe.seed, recipe.combs, recipe.not_digits)
    chunks = _chunks(recipe.strips)
    glyphs, labels = [], []
    for done, (some, names) in enumerate(_in_processes(work, chunks, jobs), 1):
        glyphs.append(some)
        labels.append(names)
        if done % max(1, len(chunks) // 10) == 0:
            tell(f"  {done * 100 // len(chunks)} %")
    return np.concatenate(glyphs), np.concatenate(labels)


def _labeled_glyphs(digits: Digits, seed: int, combs: float, not_digits: int, chunk: range) -> tuple[Glyphs, NDArray[np.int8]]:
    cv2.setNumThreads(1)
    glyphs, labels = [], []
    for number in chunk:
        strip, lattice = strip_and_lattice(digits, (seed, 0, number), combs)
        names = label(lattice, strip)
        right = np.flatnonzero((names != NOT_A_DIGIT) & (names != AMBIGUOUS))
        wrong = np.flatnonzero(names == NOT_A_DIGIT)
        if len(wrong) > not_digits:
            wrong = np.random.default_rng((seed, 3, number)).choice(wrong, not_digits, replace=False)
        for k in (*right, *wrong):
            glyphs.append(normalize(candidate_ink(lattice, int(k))))
            labels.append(names[k])
    return np.array(glyphs, np.uint8).reshape(-1, 28, 28), np.array(labels, np.int8)


def _whole_strips(digits: Digits, seed: int, part: int, combs: float, chunk: range) -> list[tuple[Strip, Lattice]]:
    cv2.setNumThreads(1)
    return [strip_and_lattice(digits, (seed, part, number), combs) for number in chunk]


def _chunks(count: int, size: int = 250) -> list[range]:
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


def _in_processes(work: Callable[[range], Any], chunks: list[range], jobs: int) -> Iterator[Any]:
    if jobs <= 1:
        yield from map(work, chunks)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(work, chunks)


def _vary(images: Glyphs, rng: np.random.Generator) -> Glyphs:
    """MNIST glyphs, each turned, stretched and shifted a little."""
    varied = np.empty_like(images)
    for k, image in enumerate(images):
        turn, shear = rng.normal(0, 0.12), rng.normal(0, 0.1)
        stretch = np.exp(rng.normal(0, 0.07, 2))
        matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        matrix = matrix @ np.array([[1, shear], [0, 1]]) @ np.diag(stretch)
        shift = np.array([13.5, 13.5]) - matrix @ np.array([13.5, 13.5]) + rng.normal(0, 0.7, 2)
        varied[k] = cv2.warpAffine(image, np.column_stack([matrix, shift]), (28, 28), flags=cv2.INTER_LINEAR)
    return varied


def _fit(recipe: Recipe, glyphs: Glyphs, labels: NDArray[np.int8], folder: Path, tell: Tell) -> keras.Model:
    import keras

    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(recipe.precision)
    model = NETWORKS[recipe.network]()
    steps = recipe.epochs * (len(labels) // recipe.batch)
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate * 0.1, steps, warmup_target=recipe.learning_rate, warmup_steps=max(1, steps // 20)
    )
    # The averaged weights reach back over a tenth of the training, at most a thousand steps.
    momentum = 1 - 1 / max(2, min(1_000, steps // 10))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=recipe.weight_decay, use_ema=True, ema_momentum=momentum)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])

    def report(epoch: int, logs: dict[str, float]) -> None:
        tell(f"epoch {epoch + 1}/{recipe.epochs}: loss {logs['loss']:.4f}, accuracy {logs['accuracy']:.4f}")

    rng = np.random.default_rng(recipe.seed)
    shuffled = rng.permutation(len(labels))
    checkpoint = keras.callbacks.ModelCheckpoint(folder / CHECKPOINT)
    model.fit(
        glyphs[shuffled], labels[shuffled].astype(np.int32), batch_size=recipe.batch, epochs=recipe.epochs,
        verbose=0, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report), checkpoint],
    )  # fmt: skip
    # The same weights in float32: the shipped network computes as ONNX Runtime will.
    keras.mixed_precision.set_global_policy("float32")
    plain = NETWORKS[recipe.network]()
    plain.set_weights(model.get_weights())
    plain.save(folder / CHECKPOINT)
    return plain
