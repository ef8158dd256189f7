"""How far a training is, told after the work and not before it."""

from __future__ import annotations

from docproc.learn.progress import Step, counted, epoch_step


def test_what_is_counted_is_told_after_the_work_on_it() -> None:
    told: list[str | Step] = []
    for item in counted("abc", 5, "composing", told.append, 2):
        told.append(item)
    assert told == [
        Step("composing", 0, 5), "a", Step("composing", 2, 5), "b", Step("composing", 4, 5), "c", Step("composing", 5, 5)
    ]  # fmt: skip


def test_an_epoch_tells_how_far_the_whole_training_is() -> None:
    assert epoch_step("it", 2, 3, 10, 20, 0.5) == Step("training it", 30, 60, "epoch 2/3, loss 0.5000")
