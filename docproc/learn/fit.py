"""Train the three networks, in Keras on TensorFlow, each from all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.learn.network import NETWORKS, cell_network, line_network, micr_network
from docproc.types import MICR_SYMBOLS, CellPictures, Glyphs, Line

if TYPE_CHECKING:
    import keras

    from docproc.learn.train import Recipe

Tell = Callable[[str], None]

Batches = Callable[[int], Iterator[tuple[Any, Any]]]  # the batches of an epoch, counted from 0

# Where a training that was interrupted stands, in the folder of its models.
GLYPH_PROGRESS, LINE_PROGRESS, CELL_PROGRESS, MICR_PROGRESS = (
    f"{name}.progress.npz" for name in ("digits", "lines", "cells", "micr")
)
WARPS = 2048  # ways to bend a glyph, drawn anew for every epoch
TELL_EVERY = 400  # steps


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


def fit_glyph_network(recipe: Recipe, glyphs: Glyphs, labels: NDArray[np.int8], folder: Path, tell: Tell) -> keras.Model:
    """Train the network that reads candidates; every glyph is bent a little differently each time it is shown."""

    def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
        rng = np.random.default_rng((recipe.seed, 21, epoch))
        warps = _warps(rng, glyphs.shape[1])
        for some in np.array_split(rng.permutation(len(labels)), max(1, len(labels) // recipe.batch)):
            yield _bent(glyphs[some], warps, rng), labels[some].astype(np.int32)

    steps = max(1, len(labels) // recipe.batch)
    trained = _fit(recipe, NETWORKS[recipe.network], "sparse_categorical_crossentropy", batches, steps, recipe.epochs, tell,
                   folder / GLYPH_PROGRESS)  # fmt: skip
    return _in_float32(trained, NETWORKS[recipe.network])


def fit_line_network(recipe: Recipe, lines: Sequence[Line], texts: Sequence[str], folder: Path, tell: Tell) -> keras.Model:
    """Train the network that reads whole lines, by connectionist temporal classification."""
    written = [k for k, text in enumerate(texts) if text]
    batches, steps = _batches_of_lines(
        [lines[k] for k in written], [[int(c) for c in texts[k]] for k in written], recipe.line_batch, 2,
        (recipe.seed, 22), (0.75, 1.15),
    )  # fmt: skip
    trained = _fit(recipe, line_network, ctc_loss, batches, steps, recipe.line_epochs, tell, folder / LINE_PROGRESS)
    return _in_float32(trained, line_network)


def fit_micr_network(
    recipe: Plan, epochs: int, batch: int, lines: Sequence[Line], texts: Sequence[str], folder: Path, tell: Tell
) -> keras.Model:
    """Train the network that reads E-13B, as the line network is.

    Lines without a text hold something else. The loss takes none that are empty, so each is set beside one that is not.
    """
    rng = np.random.default_rng((recipe.seed, 24))
    written = [k for k, text in enumerate(texts) if text]
    shown, named = [], []
    for line, text in zip(lines, texts, strict=True):
        if not text:
            other = int(rng.choice(written))
            pair = (line, lines[other]) if rng.random() < 0.5 else (lines[other], line)
            line, text = np.hstack(pair), texts[other]  # noqa: PLW2901
        shown.append(line)
        named.append([MICR_SYMBOLS.index(c) for c in text])
    batches, steps = _batches_of_lines(shown, named, batch, 4, (recipe.seed, 25), (0.88, 1.12))
    trained = _fit(recipe, micr_network, ctc_loss, batches, steps, epochs, tell, folder / MICR_PROGRESS)
    return _in_float32(trained, micr_network)


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
    by_width: dict[int, list[int]] = {}
    for k, (line, text) in enumerate(zip(lines, texts, strict=True)):
        # A text needs a frame for every digit and one between two equal ones.
        if line.shape[1] // stride >= max(1, len(text) + sum(a == b for a, b in pairwise(text))):
            by_width.setdefault(line.shape[1], []).append(k)
    longest = max(len(text) for text in texts)

    def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
        rng = np.random.default_rng((*seed, epoch))
        order = []
        for members in by_width.values():
            shuffled = rng.permutation(members)
            order += np.array_split(shuffled, max(1, round(len(shuffled) / size)))
        for place in rng.permutation(len(order)):
            some = order[place]
            targets = np.full((len(some), longest), -1, np.int32)
            for row, k in enumerate(some):
                targets[row, : len(texts[k])] = texts[k]
            yield np.stack([_varied_line(lines[k], rng, wide) for k in some]), targets

    return batches, sum(max(1, round(len(members) / size)) for members in by_width.values())


def fit_cell_network(recipe: Recipe, pictures: CellPictures, labels: NDArray[np.int8], folder: Path, tell: Tell) -> keras.Model:
    """Train the network that reads the cells of combs, bent like glyphs."""
    steps = max(1, len(labels) // recipe.batch)

    def batches(epoch: int) -> Iterator[tuple[Any, Any]]:
        rng = np.random.default_rng((recipe.seed, 23, epoch))
        warps = _warps(rng, pictures.shape[1])
        for some in np.array_split(rng.permutation(len(labels)), steps):
            yield _bent(pictures[some], warps, rng), labels[some].astype(np.int32)

    trained = _fit(recipe, cell_network, "sparse_categorical_crossentropy", batches, steps, recipe.cell_epochs, tell,
                   folder / CELL_PROGRESS)  # fmt: skip
    return _in_float32(trained, cell_network)


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


def _fit(
    recipe: Plan, build: Callable[[], keras.Model], loss: Any, batches: Batches, steps: int, epochs: int, tell: Tell,
    progress: Path,
) -> keras.Model:  # fmt: skip
    """Train, and keep after every epoch where the training stands; one that was interrupted goes on there."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(recipe.seed)
    keras.mixed_precision.set_global_policy(recipe.precision)
    model = build()
    every = epochs * steps
    rate = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate * 0.1, every, warmup_target=recipe.learning_rate, warmup_steps=max(1, every // 20)
    )
    # The averaged weights reach back over a tenth of the training, at most a thousand steps.
    momentum = 1 - 1 / max(2, min(1_000, every // 10))
    optimizer = keras.optimizers.AdamW(
        rate, weight_decay=recipe.weight_decay, use_ema=True, ema_momentum=momentum, clipnorm=5.0
    )
    model.compile(optimizer, loss)
    # A loop of its own: `fit` left half of the two cores idle.
    spec = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)]
    spec.append(tf.TensorSpec((None,) if isinstance(loss, str) else (None, None), tf.int32))
    step = tf.function(lambda shown, wanted: model.train_step((shown, wanted))["loss"], input_signature=spec)
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    done = _resume(progress, repr((recipe, build.__name__, steps)), variables)
    if done:
        tell(f"  going on after epoch {done}/{epochs}")
    for epoch in range(done, epochs):
        for number, (shown, wanted) in enumerate(batches(epoch), 1):
            mean = step(tf.constant(shown), tf.constant(wanted))
            if number % TELL_EVERY == 0 or number == steps:
                tell(f"  epoch {epoch + 1}/{epochs}, step {number}/{steps}: loss {float(mean):.4f}")
        model.reset_metrics()
        _keep(progress, repr((recipe, build.__name__, steps)), epoch + 1, variables)
    optimizer.finalize_variable_values(model.trainable_variables)
    return model


def _keep(path: Path, what: str, epochs: int, variables: Sequence[Any]) -> None:
    """Write where the training of `what` stands after so many epochs; aside first, so that the last state is never lost."""
    aside = path.with_suffix(".new.npz")
    state: dict[str, Any] = {f"v{k}": np.asarray(variable, np.float64) for k, variable in enumerate(variables)}
    np.savez(aside, what=np.array(what), epochs=np.array(epochs), **state)
    aside.replace(path)


def _resume(path: Path, what: str, variables: Sequence[Any]) -> int:
    """Put back the variables of a training of `what` that was interrupted; returns its epochs, 0 where there is none."""
    if not path.is_file():
        return 0
    with np.load(path, allow_pickle=False) as kept:
        if str(kept["what"]) != what:
            return 0
        for k, variable in enumerate(variables):
            variable.assign(kept[f"v{k}"].astype(variable.dtype))
        return int(kept["epochs"])


def _in_float32(trained: keras.Model, build: Callable[[], keras.Model]) -> keras.Model:
    """The same weights in float32: the shipped network computes as ONNX Runtime will."""
    import keras

    keras.mixed_precision.set_global_policy("float32")
    plain = build()
    plain.set_weights(trained.get_weights())
    return plain


def _warps(rng: np.random.Generator, side: int) -> NDArray[np.float32]:
    """Ways to turn, stretch, lean, shift and bend a picture, as (WARPS, 2, side, side) float32: where pixels come from."""
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
    return warps


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
