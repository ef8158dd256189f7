"""Networks in one process that many workers ask."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from docproc.documents import settings_for
from docproc.errors import DocumentError, MissingPart
from docproc.files import find_documents
from docproc.options import RunRequest
from docproc.readers.model import Model
from docproc.runs import hosting
from docproc.runs.batch import open_worker
from docproc.runs.hosting import Gathered, NetworksLost, Question, open_networks, placed
from docproc.runs.journal import Todo
from docproc.runs.workers import ask, guard
from docproc.types import ModelHash
from docproc.weights import opening
from docproc.weights.opening import open_model_elsewhere
from tests.conftest import SAMPLES
from tests.runs.faulty import with_gpu

AT_ONCE = 8  # questions


class Slow:
    """Doubles numbers, and notes how many it was given together; the first time it waits until all are asked."""

    def __init__(self) -> None:
        self.together: list[int] = []
        self.threads: set[int] = set()
        self.may_end = threading.Event()

    def open(self) -> Callable[[Sequence[int]], list[int]]:
        self.threads.add(threading.get_ident())
        return self.work

    def work(self, numbers: Sequence[int]) -> list[int]:
        self.threads.add(threading.get_ident())
        self.together.append(len(numbers))
        self.may_end.wait(30)
        if 13 in numbers:
            raise ZeroDivisionError("thirteen")
        return [2 * number for number in numbers]


def test_what_is_asked_while_others_are_answered_is_answered_together() -> None:
    slow = Slow()
    double = Gathered(slow.open)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = [pool.submit(double, 0)]
        while not slow.together:
            time.sleep(0.01)
        answers += [pool.submit(double, number) for number in range(1, AT_ONCE)]
        while double.waiting() < AT_ONCE - 1:
            time.sleep(0.01)
        slow.may_end.set()
        assert [answer.result(30) for answer in answers] == [2 * number for number in range(AT_ONCE)]
    assert slow.together == [1, AT_ONCE - 1]
    assert len(slow.threads) == 1  # a GPU belongs to the thread that opened it


def test_what_goes_wrong_is_told_to_those_who_asked_and_to_nobody_after_them() -> None:
    slow = Slow()
    slow.may_end.set()
    double = Gathered(slow.open)
    with pytest.raises(ZeroDivisionError, match="thirteen"):
        double(13)
    assert double(4) == 8


def test_a_wrong_number_of_answers_hangs_nobody() -> None:
    odd: Gathered[int, int] = Gathered(lambda: lambda numbers: [1, 2])
    for _ in range(2):
        with pytest.raises(ValueError, match="2 answers to 1"):
            odd(1)


def test_networks_that_cannot_be_opened_say_so() -> None:
    def missing() -> Callable[[Sequence[int]], list[int]]:
        raise MissingPart("no GPU")

    with pytest.raises(MissingPart, match="no GPU"):
        Gathered(missing)


def test_only_networks_that_need_a_gpu_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    documents, _ = find_documents([SAMPLES / "checks"])
    settings = settings_for(documents, RunRequest((SAMPLES / "checks",), Path("out.csv"), "check"))
    assert placed(settings) == (settings, None)
    monkeypatch.setattr(hosting, "BACKENDS", with_gpu())
    own, networks = placed(settings)
    assert (own.distant, networks is None) == (True, False)


def test_several_questions_are_answered_as_each_is_by_itself(model: Model) -> None:
    documents, _ = find_documents([SAMPLES / "checks"])
    answer = open_networks(settings_for(documents, RunRequest((SAMPLES / "checks",), Path("out.csv"), "check")))
    rng = np.random.default_rng(5)
    lattice, line = model.networks["lattice"], model.networks["line"]
    glyphs = [rng.integers(0, 256, (count, 28, 28)).astype(np.uint8) for count in (3, 40, 1)]
    lines = [
        [rng.integers(0, 256, (32, width)).astype(np.uint8) for width in widths] for widths in ((64, 90, 64), (90,), (0, 64))
    ]
    asked: list[Question] = [(lattice.model_hash, own) for own in glyphs] + [(line.model_hash, own) for own in lines]
    asked = [asked[k] for k in (3, 0, 4, 1, 5, 2)]
    for (name, views), together in zip(asked, answer(asked), strict=True):
        alone = (lattice if name == lattice.model_hash else line).recognize(views)
        assert not isinstance(together, DocumentError)
        assert len(together) == len(alone)
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one, other, atol=1e-5)
    assert answer([]) == []


def test_what_is_wrong_with_one_question_is_its_own_answer(model: Model) -> None:
    answer = open_networks(settings_for([], RunRequest((SAMPLES,), Path("out.csv"), "check")))
    name = model.networks["lattice"].model_hash
    fine, odd = np.zeros((2, 28, 28), np.uint8), np.zeros((2, 27, 27), np.uint8)
    told = answer([(name, fine), (name, odd), (name, fine)])
    assert [isinstance(one, DocumentError) for one in told] == [False, True, False]
    assert isinstance(told[1], DocumentError)
    assert told[1].code == "internal"


class Failing:
    """A network that raises for what is 13, and answers nothing more once it was shown 99."""

    model_hash = ModelHash("f")

    def __init__(self) -> None:
        self.broken = False

    def recognize(self, pictures: np.ndarray) -> np.ndarray:
        self.broken |= bool((pictures == 99).any())
        if self.broken or (pictures == 13).any():
            raise RuntimeError("illegal memory access")
        return np.zeros((len(pictures), 11), np.float32)


def test_networks_that_answer_nothing_any_more_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Failing()
    monkeypatch.setattr(opening, "open_model", lambda *_: SimpleNamespace(networks={}, micr=network))
    answer = open_networks(settings_for([], RunRequest((SAMPLES,), Path("out.csv"), "check")))

    def asked(level: int) -> Question:
        return network.model_hash, np.full((1, 28, 28), level, np.uint8)

    assert isinstance(answer([asked(13)])[0], DocumentError)  # it has answered nothing yet, so nobody knows
    told = answer([asked(1), asked(13), asked(2)])
    assert [isinstance(one, DocumentError) for one in told] == [False, True, False]
    with pytest.raises(NetworksLost, match="illegal memory"):
        answer([asked(99)])


def test_nobody_is_asked_about_nothing(model: Model) -> None:
    asked: list[object] = []
    settings = settings_for([], RunRequest((SAMPLES,), Path("out.csv"), "check"))
    distant = open_model_elsewhere(settings.backend, None, asked.append)
    for name, network in model.networks.items():
        assert distant.networks[name].model_hash == network.model_hash
    for name, nothing in (("lattice", np.zeros((0, 28, 28), np.uint8)), ("cells", np.zeros((0, 32, 32, 2), np.uint8))):
        assert distant.networks[name].recognize(nothing).shape == model.networks[name].recognize(nothing).shape
    assert distant.networks["line"].recognize([]) == []
    assert not asked


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["checks", "survey"])
def test_a_worker_whose_networks_are_elsewhere_reads_the_same(kind: str) -> None:
    documents, _ = find_documents([SAMPLES / kind])
    settings = settings_for(documents, RunRequest((SAMPLES / kind,), Path("out.csv")))
    todo = [Todo(document, "", None, 0) for document in documents]
    own = open_worker(settings)
    asking = partial(open_worker, replace(settings, distant=True))
    read = guard(asking, 60.0, settings.limits.memory, Gathered(partial(open_networks, settings)))
    for one in todo:
        assert read(one) == own(one)


def open_asking() -> Callable[[str], tuple[str, int, str]]:
    return lambda item: (item, os.getpid(), ask(f"{item}, please"))


@pytest.mark.thorough
def test_a_worker_asks_its_parent_and_the_wait_is_not_counted_as_its_work() -> None:
    def answer(question: str) -> str:
        time.sleep(1.5)
        return question.upper()

    item, process, told = guard(open_asking, 1.0, 0, answer)("one")
    assert (item, told) == ("one", "ONE, PLEASE")
    assert process != os.getpid()


@pytest.mark.thorough
def test_an_answer_that_is_an_error_is_raised_where_it_was_asked() -> None:
    with pytest.raises(DocumentError, match="no memory"):
        guard(open_asking, 60.0, 0, lambda question: DocumentError("too_large", "no memory"))("one")


@pytest.mark.thorough
def test_what_an_answer_raises_ends_the_work() -> None:
    def answer(question: str) -> str:
        raise ConnectionError("the GPU is gone")

    with pytest.raises(ConnectionError, match="gone"):
        guard(open_asking, 60.0, 0, answer)("one")


def test_who_is_no_worker_cannot_ask() -> None:
    with pytest.raises(ValueError, match="only a worker"):
        ask("anybody?")


def test_networks_that_are_not_those_of_the_run_are_refused() -> None:
    settings = settings_for([], RunRequest((SAMPLES,), Path("out.csv"), "check"))
    other = replace(settings, models=(("digits", "0" * 64),))
    with pytest.raises(MissingPart, match="changed"):
        open_networks(other)
