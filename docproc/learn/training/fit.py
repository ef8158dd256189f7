"""Train the networks, in Keras on TensorFlow, each from all cores."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.errors import MissingPart
from docproc.learn.training.architectures import (
    NETWORKS,
    cell_network,
    each_line_reader,
    line_network,
    line_readers,
    micr_network,
)
from docproc.learn.training.progress import Epoch, Step, Tell
from docproc.types import LINE_READERS, MICR_SYMBOLS, Line

if TYPE_CHECKING:
    import keras

    from docproc.learn.training.classic import Recipe as ClassicRecipe
    from docproc.learn.training.handwriting import Recipe

Pictures = tuple[NDArray[np.uint8], NDArray[np.integer[Any]]]  # with their labels, (n,)
Lines = tuple[Sequence[Line], Sequence[str]]  # with their texts

Batch = tuple[NDArray[np.uint8], NDArray[np.int32]]  # what is shown, and what should be said of it
Batches = Callable[[int], Iterator[Batch]]  # the batches of an epoch, counted from 0

# Where a training that was interrupted stands, in the folder of its models.
GLYPH_PROGRESS, CELL_PROGRESS, MICR_PROGRESS = (f"{name}.progress.npz" for name in ("digits", "cells", "micr"))
LINE_PROGRESS = tuple(f"lines-{number}.progress.npz" for number in range(1, LINE_READERS + 1))
WARPS = 2048  # ways to bend a glyph, drawn anew for every epoch
CALM, CALM_SHARE = 0.6, 0.3  # how much of that bending is left in the last share of the epochs: what is read is bent less
TELL_EVERY = 20  # steps
AT_ONCE = 512  # pictures of a validation


class Plan(Protocol):
    """What every recipe says of how a network is trained."""

    @property
    def seed(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def weight_decay(self) -> float: ...
    @property
    def precision(self) -> str: ...
    @property
    def patience(self) -> int: ...  # epochs without a better validation after which a training ends; 0: never


@dataclass(frozen=True, slots=True)
class Trained:
    """A network in float32, and how it came to be."""

    model: keras.Model
    history: tuple[Epoch, ...]


@dataclass(frozen=True, slots=True)
class _Training:
    """What is trained, and on what."""

    build: Callable[[], keras.Model]
    loss: Any
    epochs: int
    steps: int  # of an epoch
    batches: Batches
    held: Callable[[], Iterator[Batch]]  # for validation
    progress: Path
    start: keras.Model | None = None  # whose weights it begins with


def check_training() -> None:
    """Raises MissingPart where nothing can be trained."""
    if not find_spec("tensorflow"):
        raise MissingPart('training needs TensorFlow: pip install "docproc[train]"')


def import_tensorflow() -> None:
    """Import it without what it says on stderr before it can be told to be quiet."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def fit_glyph_network(
    recipe: Recipe, shown: Pictures, held: Pictures, folder: Path, tell: Tell, start: keras.Model | None = None
) -> Trained:
    """Train the network that reads candidates; every glyph is bent a little differently each time it is shown.

    `shown` and `held` are glyphs (n, 28, 28) uint8 with their labels (n,), of which `held` are for validation alone. Here and
    below, a training begins with the weights of `start` where it is given.
    """
    training = _of_pictures(recipe, NETWORKS[recipe.network], recipe.epochs, 21, shown, held, folder / GLYPH_PROGRESS)
    return _fit(recipe, replace(training, start=start), tell)


def fit_line_network(
    recipe: Recipe, shown: Lines, held: Lines, folder: Path, tell: Tell, start: keras.Model | None = None
) -> Trained:
    """Train the networks that read whole lines, by connectionist temporal classification; `held` are for validation alone.

    Each begins with weights of its own, and sees the lines in an order of its own. They come as one network; `start` is such
    a one. The history is that of the first.
    """
    starts: list[keras.Model] | list[None] = [None] * LINE_READERS if start is None else each_line_reader(start)
    trained = [_fit_line_reader(recipe, k, shown, held, folder, tell, own) for k, own in enumerate(starts)]
    return Trained(line_readers([one.model for one in trained]), trained[0].history)


def _fit_line_reader(
    recipe: Recipe, number: int, shown: Lines, held: Lines, folder: Path, tell: Tell, start: keras.Model | None
) -> Trained:
    recipe = replace(recipe, seed=recipe.seed + number)

    def named(some: Lines) -> tuple[list[Line], list[list[int]]]:
        written = [k for k, text in enumerate(some[1]) if text]
        return [some[0][k] for k in written], [[int(c) for c in some[1][k]] for k in written]

    lines, texts = named(shown)
    batches, steps = _batches_of_lines(lines, texts, recipe.line_batch, 2, (recipe.seed, 22), (0.75, 1.15))
    judging = _lines_as_they_are(*named(held), 2)
    progress = folder / LINE_PROGRESS[number]
    training = _Training(line_network, ctc_loss, recipe.line_epochs, steps, batches, judging, progress, start)
    return _fit(recipe, training, tell)


def fit_micr_network(recipe: Plan, epochs: int, batch: int, shown: Lines, held: Lines, folder: Path, tell: Tell) -> Trained:
    """Train the network that reads E-13B, as the line network is.

    Lines without a text hold something else. The loss takes none that are empty, so each is set beside one that is not.
    """

    def named(some: Lines, seed: int) -> tuple[list[Line], list[list[int]]]:
        rng = np.random.default_rng((recipe.seed, seed))
        lines, texts = some
        written = [k for k, text in enumerate(texts) if text]
        pictures, named = [], []
        for line, text in zip(lines, texts, strict=True):
            if not text:
                other = int(rng.choice(written))
                pair = (line, lines[other]) if rng.random() < 0.5 else (lines[other], line)
                line, text = np.hstack(pair), texts[other]  # noqa: PLW2901
            pictures.append(line)
            named.append([MICR_SYMBOLS.index(c) for c in text])
        return pictures, named

    batches, steps = _batches_of_lines(*named(shown, 24), batch, 4, (recipe.seed, 25), (0.88, 1.12))
    training = _Training(
        micr_network, ctc_loss, epochs, steps, batches, _lines_as_they_are(*named(held, 26), 4), folder / MICR_PROGRESS
    )
    return _fit(recipe, training, tell)


def fit_cell_network(
    recipe: Recipe, shown: Pictures, held: Pictures, folder: Path, tell: Tell, start: keras.Model | None = None
) -> Trained:
    """Train the network that reads the cells of combs, bent like glyphs: pictures (n, 32, 32, 2) uint8 with their labels."""
    training = _of_pictures(recipe, cell_network, recipe.cell_epochs, 23, shown, held, folder / CELL_PROGRESS)
    return _fit(recipe, replace(training, start=start), tell)


def fit_classic_network(recipe: ClassicRecipe, shown: Pictures, held: Pictures, folder: Path, tell: Tell) -> Trained:
    """Train a network on single digits (n, 28, 28) uint8 just as they are."""
    pictures, labels = shown

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((recipe.seed, 27, epoch))
        for some in np.array_split(rng.permutation(len(labels)), steps):
            yield pictures[some], labels[some].astype(np.int32)

    steps = max(1, len(labels) // recipe.batch)
    training = _Training(
        NETWORKS[recipe.network], "sparse_categorical_crossentropy", recipe.epochs, steps, batches,
        _pictures_as_they_are(held), folder / f"{recipe.network}.progress.npz",
    )  # fmt: skip
    return _fit(recipe, training, tell)


def _of_pictures(
    recipe: Recipe,
    build: Callable[[], keras.Model],
    epochs: int,
    seed: int,
    shown: Pictures,
    held: Pictures,
    progress: Path,
) -> _Training:
    """Classes of pictures, bent anew every time they are shown."""
    pictures, labels = shown
    steps = max(1, len(labels) // recipe.batch)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((recipe.seed, seed, epoch))
        warps = _warps(rng, pictures.shape[1], CALM if epoch >= epochs * (1 - CALM_SHARE) else 1.0)
        for some in np.array_split(rng.permutation(len(labels)), steps):
            yield _bent(pictures[some], warps, rng), labels[some].astype(np.int32)

    held_batches = _pictures_as_they_are(held)
    return _Training(build, "sparse_categorical_crossentropy", epochs, steps, batches, held_batches, progress)


def _pictures_as_they_are(some: Pictures) -> Callable[[], Iterator[Batch]]:
    pictures, labels = some

    def batches() -> Iterator[Batch]:
        for start in range(0, len(labels), AT_ONCE):
            yield pictures[start : start + AT_ONCE], labels[start : start + AT_ONCE].astype(np.int32)

    return batches


def _batches_of_lines(
    lines: Sequence[Line],
    texts: Sequence[Sequence[int]],
    size: int,
    stride: int,
    seed: tuple[int, int],
    wide: tuple[float, float],
) -> tuple[Batches, int]:
    """Batches of lines of one width with their texts, in an order that every epoch draws anew; and how many there are.

    `stride` px of a line become one frame; lines are made narrower or wider within `wide`.
    """
    by_width = _by_width(lines, texts, stride)

    def batches(epoch: int) -> Iterator[Batch]:
        rng = np.random.default_rng((*seed, epoch))
        order = []
        for members in by_width.values():
            shuffled = rng.permutation(members)
            order += np.array_split(shuffled, max(1, round(len(shuffled) / size)))
        for place in rng.permutation(len(order)):
            some = order[place]
            yield np.stack([_varied_line(lines[k], rng, wide) for k in some]), _targets([texts[k] for k in some])

    return batches, sum(max(1, round(len(members) / size)) for members in by_width.values())


def _lines_as_they_are(lines: Sequence[Line], texts: Sequence[Sequence[int]], stride: int) -> Callable[[], Iterator[Batch]]:
    by_width = _by_width(lines, texts, stride)

    def batches() -> Iterator[Batch]:
        for members in by_width.values():
            yield np.stack([lines[k] for k in members]), _targets([texts[k] for k in members])

    return batches


def _by_width(lines: Sequence[Line], texts: Sequence[Sequence[int]], stride: int) -> dict[int, list[int]]:
    """Which lines have each width; those that are too narrow for their text are left out."""
    by_width: dict[int, list[int]] = {}
    for k, (line, text) in enumerate(zip(lines, texts, strict=True)):
        # A text needs a frame for every digit and one between two equal ones.
        if line.shape[1] // stride >= max(1, len(text) + sum(a == b for a, b in pairwise(text))):
            by_width.setdefault(line.shape[1], []).append(k)
    return by_width


def _targets(texts: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Texts under each other, filled up with -1."""
    targets = np.full((len(texts), max(map(len, texts))), -1, np.int32)
    for row, text in enumerate(texts):
        targets[row, : len(text)] = text
    return targets


def ctc_loss(targets: Any, frames: Any) -> Any:
    """The mean CTC loss of a batch: `targets` (n, longest) int, -1 beyond the text; `frames` (n, t, classes) logits.

    The last class is the blank.
    """
    import tensorflow as tf

    targets = tf.cast(targets, tf.int32)
    # Sparse targets take the fast kernel. Zero would count as absent, so classes are moved by one and back.
    shifted = tf.sparse.from_dense(targets + 1)
    labels = tf.SparseTensor(shifted.indices, shifted.values - 1, shifted.dense_shape)
    lengths = tf.fill([tf.shape(frames)[0]], tf.shape(frames)[1])
    return tf.nn.ctc_loss(labels, tf.cast(frames, tf.float32), None, lengths, logits_time_major=False, blank_index=-1)


def _fit(plan: Plan, training: _Training, tell: Tell) -> Trained:
    """Train, and keep after every epoch where the training stands; one that was interrupted goes on there.

    With patience the weights are those of the epoch with the smallest validation loss, and what brings none that is smaller
    for so many epochs ends the training; else they are those of the last epoch.
    """
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(plan.seed)
    keras.mixed_precision.set_global_policy(plan.precision)
    model = training.build()
    if training.start is not None:
        model.set_weights(training.start.get_weights())
    every = training.epochs * training.steps
    rate = keras.optimizers.schedules.CosineDecay(
        plan.learning_rate * 0.1, every, warmup_target=plan.learning_rate, warmup_steps=max(1, every // 20)
    )
    # The averaged weights reach back over a tenth of the training, at most a thousand steps.
    momentum = 1 - 1 / max(2, min(1_000, every // 10))
    optimizer = keras.optimizers.AdamW(rate, weight_decay=plan.weight_decay, use_ema=True, ema_momentum=momentum, clipnorm=5.0)
    classes = isinstance(training.loss, str)
    model.compile(optimizer, training.loss, metrics=["accuracy"] if classes else [])
    # A loop of its own: `fit` left half of the two cores idle.
    shown_as = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
    wanted_as = tf.TensorSpec((None,) if classes else (None, None), tf.int32)
    step = tf.function(lambda *batch: model.train_step(batch), input_signature=[shown_as, wanted_as])
    check = tf.function(lambda *batch: model.test_step(batch), input_signature=[shown_as, wanted_as])
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    what = repr((plan, model.name, training.steps, training.epochs))
    history, best = _resume(training.progress, what, variables)
    if history:
        tell(f"  going on after epoch {len(history)}/{training.epochs}")
    while len(history) < training.epochs and not _spent(history, plan.patience):
        epoch = len(history)
        for number, batch in enumerate(training.batches(epoch), 1):
            seen = step(*batch)
            if number % TELL_EVERY == 0 or number == training.steps:
                tell(Step(model.name, epoch + 1, training.epochs, number, training.steps, float(seen["loss"])))
        model.reset_metrics()
        moving = [np.asarray(variable) for variable in model.trainable_variables]
        optimizer.finalize_variable_values(model.trainable_variables)
        held = {}
        for batch in training.held():
            held = {name: float(value) for name, value in check(*batch).items()}
        model.reset_metrics()
        accuracy = float(seen["accuracy"]) if classes else None
        history.append(Epoch(float(seen["loss"]), accuracy, held.get("loss", float("nan")), held.get("accuracy")))
        if not plan.patience or _best(history) == epoch:
            best = [np.asarray(variable) for variable in model.variables]
        for variable, value in zip(model.trainable_variables, moving, strict=True):
            variable.assign(value)
        _keep(training.progress, what, history, variables, best)
        tell(f"  {model.name}, epoch {epoch + 1}/{training.epochs}: {_told(history[-1])}")
    if len(history) < training.epochs:
        tell(f"  no better for {plan.patience} epochs: the weights are those of epoch {_best(history) + 1}")
    for variable, value in zip(model.variables, best, strict=True):
        variable.assign(value)
    return Trained(_in_float32(model, training.build), tuple(history))


def _best(history: Sequence[Epoch]) -> int:
    return min(range(len(history)), key=lambda k: history[k].validation_loss)


def _spent(history: Sequence[Epoch], patience: int) -> bool:
    return bool(patience and history and len(history) - 1 - _best(history) >= patience)


def _told(epoch: Epoch) -> str:
    def part(loss: float, accuracy: float | None) -> str:
        return f"loss {loss:.4f}" + ("" if accuracy is None else f", {accuracy:.2%} right")

    return f"{part(epoch.loss, epoch.accuracy)}; validation: {part(epoch.validation_loss, epoch.validation_accuracy)}"


def _keep(path: Path, what: str, history: Sequence[Epoch], variables: Sequence[Any], best: Sequence[Any]) -> None:
    """Write where the training of `what` stands; aside first, so that the last state is never lost."""
    aside = path.with_suffix(".new.npz")
    state: dict[str, Any] = {f"v{k}": np.asarray(variable, np.float64) for k, variable in enumerate(variables)}
    state |= {f"b{k}": value for k, value in enumerate(best)}
    np.savez(aside, what=np.array(what), history=np.array(json.dumps([asdict(epoch) for epoch in history])), **state)
    aside.replace(path)


def _resume(path: Path, what: str, variables: Sequence[Any]) -> tuple[list[Epoch], list[NDArray[Any]]]:
    """Put back the variables of a training of `what` that was interrupted; returns its epochs, and its best weights."""
    if not path.is_file():
        return [], []
    with np.load(path, allow_pickle=False) as kept:
        if str(kept["what"]) != what:
            return [], []
        for k, variable in enumerate(variables):
            variable.assign(kept[f"v{k}"].astype(variable.dtype))
        history = [Epoch(**epoch) for epoch in json.loads(str(kept["history"]))]
        return history, [kept[f"b{k}"] for k in range(sum(name[0] == "b" for name in kept.files))]


def _in_float32(trained: keras.Model, build: Callable[[], keras.Model]) -> keras.Model:
    """The same weights in float32: the shipped network computes as ONNX Runtime will."""
    import keras

    keras.mixed_precision.set_global_policy("float32")
    plain = build()
    plain.set_weights(trained.get_weights())
    return plain


def _warps(rng: np.random.Generator, side: int, strength: float) -> NDArray[np.float32]:
    """Ways to turn, stretch, lean, shift and bend a picture, as (WARPS, 2, side, side) float32: where pixels come from.

    At a `strength` of 0 they leave it as it is.
    """
    middle = (side - 1) / 2
    y, x = np.mgrid[0:side, 0:side].astype(np.float32) - middle
    warps = np.empty((WARPS, 2, side, side), np.float32)
    for warp in warps:
        turn, lean = rng.normal(0, 0.10), rng.normal(0, 0.10)
        wide, tall = np.exp(rng.normal(0, 0.07, 2))
        cos, sin = np.cos(turn), np.sin(turn)
        bend = rng.normal(0, rng.choice([0.0, 0.6, 1.1]), (2, 6, 6)).astype(np.float32)
        for k, (a, b) in enumerate(((cos * wide, sin + lean), (-sin, cos * tall))):
            pushed = cv2.resize(bend[k], (side, side), interpolation=cv2.INTER_CUBIC)
            warp[k] = a * x + b * y + middle + pushed + rng.normal(0, 0.6)
    still = np.stack([x, y]) + middle
    return np.asarray(still + strength * (warps - still), np.float32)


def _bent(glyphs: NDArray[np.uint8], warps: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.uint8]:
    bent = np.empty_like(glyphs)
    for k, which in enumerate(rng.integers(len(warps), size=len(glyphs))):
        x, y = warps[which]
        bent[k] = cv2.remap(glyphs[k], x, y, cv2.INTER_LINEAR)
    return bent


def _varied_line(line: Line, rng: np.random.Generator, widths: tuple[float, float]) -> Line:
    """A line narrower or wider, leaning, higher or lower, softer, of another ink."""
    inked = np.flatnonzero(line.any(axis=0))
    room = (line.shape[1] - 3) / (inked[-1] + 1) if len(inked) else 1.0
    wide, tall, lean = (
        rng.uniform(widths[0], max(widths[0] + 0.05, min(widths[1], room))),
        rng.uniform(0.8, 1.18),
        rng.normal(0, 0.15),
    )
    middle = line.shape[0] / 2
    lower = middle * (1 - tall) + rng.normal(0, 1.5)
    matrix = np.array([[wide, -lean, middle * lean + rng.uniform(-1, 2)], [0, tall, lower]])
    varied = cv2.warpAffine(line, matrix, (line.shape[1], line.shape[0]), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.25:
        varied = cv2.GaussianBlur(varied, (0, 0), rng.uniform(0.4, 0.9))
    darker = (varied.astype(np.float32) - rng.uniform(0, 30)) * rng.uniform(0.8, 1.6)
    return np.asarray(np.clip(darker, 0, 255), np.uint8)
