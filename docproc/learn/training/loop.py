"""The training loop, in Keras on TensorFlow: AdamW, averaged weights, early stopping, and resuming after an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from docproc.errors import DocprocError
from docproc.learn.evaluation.history import Epoch
from docproc.learn.progress import Log, Step, epoch_step
from docproc.learn.training.batches import Batch, TrainingBatches, ValidationBatches
from docproc.learn.training.recipes import Plan

if TYPE_CHECKING:
    import keras

LOG_STEPS = 20  # batches between two logged Steps
WARMUP_PART = 20  # the learning rate warms up over one in this many steps
START_RATE = 0.1  # share of the learning rate at which the warm-up starts
MAX_GRADIENT_NORM = 5.0
MAX_REPEATS = 3  # of an epoch with NaN [guess]


@dataclass(frozen=True, slots=True)
class Training:
    """What is trained, and on what."""

    name: str  # of the network, in words for a person
    build: Callable[[], keras.Model]
    loss: Any  # by name, or a function
    epochs: int
    batches: TrainingBatches
    validation: ValidationBatches
    progress: Path  # where the state is saved after every epoch
    start: keras.Model | None = None  # whose weights the training starts from
    of_texts: bool = False  # the targets are the texts of lines, not classes; accuracy is measured only for classes

    @property
    def steps(self) -> int:
        """Of all epochs."""
        return self.epochs * self.batches.steps


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network in float32 with the history of its training."""

    model: keras.Model
    history: tuple[Epoch, ...]


def train_network(plan: Plan, training: Training, log: Log) -> TrainedNetwork:
    """Train, and save the state after every epoch; an interrupted training resumes there.

    With patience, the weights are those of the epoch with the smallest validation loss, and the training stops after that many
    epochs without a smaller one. Otherwise they are those of the last epoch.

    On a loaded machine a bfloat16 step sometimes gives NaN, but not when repeated. An epoch with NaN is repeated. Raises
    DocprocError if it gives NaN every time.
    """
    import keras

    keras.utils.set_random_seed(plan.seed)
    keras.mixed_precision.set_global_policy(plan.precision if _computes_bfloat16() else "float32")
    model = training.build()
    if training.start is not None:
        model.set_weights(training.start.get_weights())
    optimizer = _optimizer(plan, training.steps)
    model.compile(optimizer, training.loss, metrics=["accuracy"] if _is_classifier(training) else [])
    train_step, test_step = _compiled_steps(model, training)
    optimizer.build(model.trainable_variables)
    variables = [*model.variables, *optimizer.variables]
    fingerprint = repr((plan, model.name, training.batches.steps, training.epochs))
    history, best = _resume(training.progress, fingerprint, variables)
    if history:
        log(f"  going on after epoch {len(history)}/{training.epochs}")
    log(Step(f"training {training.name}", len(history) * training.batches.steps, training.steps))
    repeats = 0
    while len(history) < training.epochs and not _out_of_patience(history, plan.patience):
        epoch = len(history)
        before = [np.asarray(variable).copy() for variable in variables]
        trained = _train_epoch(model, train_step, training, epoch, log)
        if not _is_sound(trained, model):
            repeats += 1
            if repeats > MAX_REPEATS:
                raise DocprocError(f"training {training.name}: the loss was NaN {repeats} times in epoch {epoch + 1}")
            log(f"  {training.name}, epoch {epoch + 1}/{training.epochs}: the loss is NaN; repeating the epoch")
            _assign(variables, before)
            continue
        repeats = 0
        with _averaged_weights(model, optimizer):
            validated = _validate(model, test_step, training.validation)
            history.append(_epoch(trained, validated))
            if not plan.patience or _best_epoch(history) == epoch:
                best = [np.asarray(variable) for variable in model.variables]
        _save(training.progress, fingerprint, history, variables, best)
        log(f"  {training.name}, epoch {epoch + 1}/{training.epochs}: {_describe(history[-1])}")
    if len(history) < training.epochs:
        log(f"  no better for {plan.patience} epochs: the weights are those of epoch {_best_epoch(history) + 1}")
    _assign(model.variables, best)
    return TrainedNetwork(_in_float32(model, training.build), tuple(history))


def _computes_bfloat16(cpu: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this machine has instructions for bfloat16. Without them a step takes ten times as long as in float32."""
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU") or not cpu.is_file():
        return True
    return "bf16" in cpu.read_text(encoding="utf-8", errors="replace")  # amx_bf16, avx512_bf16, on Arm bf16


def _is_classifier(training: Training) -> bool:
    return not training.of_texts


def _optimizer(plan: Plan, steps: int) -> Any:
    import keras

    rate = keras.optimizers.schedules.CosineDecay(
        plan.learning_rate * START_RATE,
        steps,
        warmup_target=plan.learning_rate,
        warmup_steps=max(1, steps // WARMUP_PART),
    )
    # The weights are averaged over a tenth of the training, at most a thousand steps.
    momentum = 1 - 1 / max(2, min(1_000, steps // 10))
    return keras.optimizers.AdamW(
        rate, weight_decay=plan.weight_decay, use_ema=True, ema_momentum=momentum, clipnorm=MAX_GRADIENT_NORM
    )


def _compiled_steps(model: keras.Model, training: Training) -> tuple[Any, Any]:
    """The functions that train and validate on one batch. Keras' own `fit` left half of two cores idle."""
    import tensorflow as tf

    shown = tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8)
    targets = tf.TensorSpec((None,) if _is_classifier(training) else (None, None), tf.int32)
    train_step = tf.function(lambda *batch: model.train_step(batch), input_signature=[shown, targets])
    test_step = tf.function(lambda *batch: model.test_step(batch), input_signature=[shown, targets])
    return train_step, test_step


def _train_epoch(
    model: keras.Model, train_step: Callable[..., Any], training: Training, epoch: int, log: Log
) -> dict[str, float]:
    """The metrics of the epoch, means over its batches; it ends early if the loss is NaN."""
    steps = training.batches.steps
    for number, batch in enumerate(training.batches.of_epoch(epoch), 1):
        metrics = train_step(*batch)
        if number % LOG_STEPS == 0 or number == steps:
            loss = float(metrics["loss"])
            if np.isnan(loss):
                break
            log(epoch_step(training.name, epoch + 1, training.epochs, number, steps, loss))
    model.reset_metrics()
    return {name: float(value) for name, value in metrics.items()}


def _is_sound(metrics: dict[str, float], model: keras.Model) -> bool:
    return not np.isnan(metrics["loss"]) and all(np.isfinite(np.asarray(variable)).all() for variable in model.variables)


def _validate(model: keras.Model, test_step: Callable[..., Any], batches: Callable[[], Iterator[Batch]]) -> dict[str, float]:
    """The metrics of the validation, means over its batches; none if there are no batches."""
    metrics: dict[str, float] = {}
    for batch in batches():
        metrics = {name: float(value) for name, value in test_step(*batch).items()}
    model.reset_metrics()
    return metrics


def _epoch(trained: dict[str, float], validated: dict[str, float]) -> Epoch:
    return Epoch(trained["loss"], trained.get("accuracy"), validated.get("loss", float("nan")), validated.get("accuracy"))


@contextmanager
def _averaged_weights(model: keras.Model, optimizer: Any) -> Iterator[None]:
    """Temporarily replace the current weights by the averaged ones."""
    current = [np.asarray(variable) for variable in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    yield
    _assign(model.trainable_variables, current)


def _assign(variables: Sequence[Any], values: Sequence[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _best_epoch(history: Sequence[Epoch]) -> int:
    return min(range(len(history)), key=lambda k: history[k].validation_loss)


def _out_of_patience(history: Sequence[Epoch], patience: int) -> bool:
    return bool(patience and history and len(history) - 1 - _best_epoch(history) >= patience)


def _describe(epoch: Epoch) -> str:
    def part(loss: float, accuracy: float | None) -> str:
        return f"loss {loss:.4f}" + ("" if accuracy is None else f", {accuracy:.2%} right")

    return f"{part(epoch.loss, epoch.accuracy)}; validation: {part(epoch.validation_loss, epoch.validation_accuracy)}"


def _save(
    path: Path, fingerprint: str, history: Sequence[Epoch], variables: Sequence[Any], best: Sequence[NDArray[Any]]
) -> None:
    """Save the state of a training, first to a new file, so that the last state is never lost."""
    aside = path.with_suffix(".new.npz")
    state: dict[str, Any] = {f"v{k}": np.asarray(variable, np.float64) for k, variable in enumerate(variables)}
    state |= {f"b{k}": value for k, value in enumerate(best)}
    np.savez(aside, what=np.array(fingerprint), history=np.array(json.dumps([asdict(epoch) for epoch in history])), **state)
    aside.replace(path)


def _resume(path: Path, fingerprint: str, variables: Sequence[Any]) -> tuple[list[Epoch], list[NDArray[Any]]]:
    """Restore the variables of the same training if it was interrupted; returns its history and its best weights."""
    if not path.is_file():
        return [], []
    with np.load(path, allow_pickle=False) as saved:
        if str(saved["what"]) != fingerprint:
            return [], []
        for k, variable in enumerate(variables):
            variable.assign(saved[f"v{k}"].astype(variable.dtype))
        history = [Epoch(**epoch) for epoch in json.loads(str(saved["history"]))]
        return history, [saved[f"b{k}"] for k in range(sum(name[0] == "b" for name in saved.files))]


def _in_float32(trained: keras.Model, build: Callable[[], keras.Model]) -> keras.Model:
    """The same weights in float32, the precision in which the network will be used."""
    import keras

    keras.mixed_precision.set_global_policy("float32")
    plain = build()
    plain.set_weights(trained.get_weights())
    return plain
