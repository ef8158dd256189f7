"""Networks that live in one process and serve many: used when workers share a GPU.

A worker opens a model without its networks (`open_reader`), and asks for their scores through its parent, see `workers.ask`.
The process that has the networks (`open_networks`) answers in one batch what several workers ask at the same time (`Gathered`),
so a GPU gets the glyphs of many documents at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from docproc.backends import BACKENDS
from docproc.documents import DocumentReader, Settings, check_networks
from docproc.errors import DocumentError, unexpected
from docproc.readers.batching import flatten, regroup
from docproc.runs.workers import ask
from docproc.types import Frames, Line, ModelHash, Pictures, Scores

Question = tuple[ModelHash, Pictures | Sequence[Line]]  # what a network is asked to score
Answer = Scores | list[Frames]
Scoring = Callable[[Sequence[Question]], Sequence[Answer | DocumentError]]  # the answers to many questions

_Question = TypeVar("_Question")
_Answer = TypeVar("_Answer")


def placed(settings: Settings) -> tuple[Settings, Callable[[], Scoring] | None]:
    """On a cluster: the settings workers read with, and a function that opens their shared networks; None if each has its own.

    Networks that need a GPU are shared, so that machines without one can do everything else.
    """
    if not BACKENDS[settings.backend].gpu:
        return settings, None
    return replace(settings, distant=True), partial(open_networks, settings)


def open_reader(settings: Settings) -> DocumentReader:
    """In a worker: a reader that gets its networks' scores from its parent. Raises MissingPart if model cards are missing."""
    from docproc.weights.opening import open_model_elsewhere  # imports OpenCV, which the parent of a run must not load

    return DocumentReader.of(settings, open_model_elsewhere(settings.backend, settings.model, ask))


class NetworksLost(Exception):
    """The networks no longer answer, as after an error on a GPU; the process that holds them must be restarted."""


def open_networks(settings: Settings) -> Scoring:
    """Load the networks that `open_reader` queries. Returns a function that scores many questions, running each network once.

    That function returns the error of a question as its answer, and raises NetworksLost. Loading raises MissingPart.
    """
    from docproc.weights.opening import open_model

    check_networks(settings)
    model = open_model(settings.backend, settings.model)
    networks = {network.model_hash: network for network in (*model.networks.values(), model.micr)}
    known: dict[ModelHash, Any] = {}  # for each network, a question that it has answered

    def answer(questions: Sequence[Question]) -> list[Answer | DocumentError]:
        answers: dict[int, Answer | DocumentError] = {}
        for name, network in networks.items():
            which = [k for k, (asked, _) in enumerate(questions) if asked == name]
            answers |= zip(which, score(name, network, [questions[k][1] for k in which]), strict=True)
        return [answers[k] for k in range(len(questions))]

    def score(name: ModelHash, network: Any, asked: Sequence[Any]) -> Sequence[Answer | DocumentError]:
        try:
            answers = _together(network, asked)
        except Exception as problem:
            if len(asked) > 1:  # the other questions are not at fault
                return [one for views in asked for one in score(name, network, [views])]
            _check_alive(network, known.get(name), problem)
            return [unexpected(problem)]
        if asked:
            known.setdefault(name, asked[0][:1])
        return answers

    return answer


def _check_alive(network: Any, known: Any, problem: Exception) -> None:
    """Raises NetworksLost if a network no longer answers a question that it has answered before."""
    try:
        if known is not None:
            network.recognize(known)
    except Exception:
        raise NetworksLost(str(problem)) from problem


def _together(network: Any, asked: Sequence[Any]) -> Sequence[Answer]:
    """The answers of a network, of pictures or of lines, to several batches, each on its own."""
    if not asked:
        return []
    if isinstance(asked[0], list):
        frames = iter(network.recognize([line for lines in asked for line in lines]))
        return [[next(frames) for _ in lines] for lines in asked]
    pictures, counts = flatten(asked, asked[0].shape[1:])
    return regroup(network.recognize(pictures), counts)


class Gathered(Generic[_Question, _Answer]):
    """A function for many threads: questions that arrive while it is busy are answered together next.

    One thread does all the work, including `prepare`: a GPU belongs to the thread that opened it. Raises what `prepare` raises;
    an exception of the work is the answer to the question.
    """

    def __init__(self, prepare: Callable[[], Callable[[Sequence[_Question]], Sequence[_Answer]]]) -> None:
        self._waiting: SimpleQueue[tuple[_Question, Future[_Answer]]] = SimpleQueue()
        ready: Future[None] = Future()
        threading.Thread(target=self._serve, args=(prepare, ready), name="networks", daemon=True).start()
        ready.result()

    def __call__(self, question: _Question) -> _Answer:
        future: Future[_Answer] = Future()
        self._waiting.put((question, future))
        return future.result()

    def waiting(self) -> int:
        """Number of questions that nobody is working on yet."""
        return self._waiting.qsize()

    def _serve(
        self, prepare: Callable[[], Callable[[Sequence[_Question]], Sequence[_Answer]]], ready: Future[None]
    ) -> None:  # fmt: skip
        try:
            work = prepare()
        except BaseException as problem:  # whoever waits for it must be told
            ready.set_exception(problem)
            return
        ready.set_result(None)
        while True:
            some = self._next()
            try:
                answers = work([question for question, _ in some])
                if len(answers) != len(some):
                    raise ValueError(f"{len(answers)} answers to {len(some)} questions")
            except Exception as problem:
                for _, future in some:
                    future.set_exception(problem)
            else:
                for (_, future), answer in zip(some, answers, strict=True):
                    future.set_result(answer)

    def _next(self) -> list[tuple[_Question, Future[_Answer]]]:
        """All waiting questions, once there is at least one."""
        some = [self._waiting.get()]
        while True:
            try:
                some.append(self._waiting.get_nowait())
            except Empty:
                return some
