"""A reader without networks that does what the name of a document says: it kills, hangs, eats memory, or reads.

Run as a program it is a whole run: `python -m tests.runs.faulty INPUT OUT JOBS`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from docproc.backends import BACKENDS, Backend
from docproc.cli import entry
from docproc.documents import Settings
from docproc.errors import DocprocError, DocumentError
from docproc.files import Document, read_content
from docproc.options import Engine, Limits, RunRequest
from docproc.runs import hosting
from docproc.runs.batch import Summary, run
from docproc.runs.cluster import cluster_map
from docproc.runs.journal import Outcome, Todo
from docproc.runs.workers import ask
from docproc.types import Row

LIMITS = Limits(seconds=2.0, memory=1_000_000_000)
POISON = ("kill", "segv", "exit", "hang", "eat")


def open_faulty(settings: Settings) -> Callable[[Todo], Outcome]:
    return work


def work(todo: Todo) -> Outcome:
    name = todo.document.name
    content = read_content(todo.document.path, LIMITS)
    if "kill-parent" in name:
        os.kill(os.getppid(), signal.SIGKILL)
        time.sleep(60)
    elif "kill" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    elif "segv" in name:
        ctypes.string_at(0)
    elif "exit" in name:
        os._exit(3)
    elif "hang" in name:
        time.sleep(600)
    elif "eat" in name:
        bytearray(64 << 30)
    elif "bad" in name:
        raise DocumentError("corrupt", "damaged on purpose")
    elif "slow" in name:
        time.sleep(0.01)
    text = content.data.decode()
    if content.sha256 == todo.sha256:
        return Outcome(None, content.sha256, content.size, content.modified, content.changed)
    rows = tuple(Row(name, page, "id", text, text, 0.5, "ok", "", "", "", "", 1, 2, 3, 4, 0.5, "none") for page in (1, 2))
    return Outcome(rows, content.sha256, content.size, content.modified, content.changed)


def fill(folder: Path, count: int, kind: str = "page") -> None:
    """Make documents to read."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{kind}_{number:05}.png").write_text(str(number))


def read_faulty(folder: Path, out: Path, jobs: int = 2, resume: bool | None = None, engine: Engine = "local") -> Summary:
    """A whole run in this process and its workers."""
    request = RunRequest((folder,), out, "digits", jobs=jobs, engine=engine, limits=LIMITS, resume=resume)
    return run(request, opener=open_faulty)


def with_gpu() -> Mapping[str, Backend]:
    """The backends, as if ONNX Runtime needed a GPU: its networks are shared on a cluster, and can be run anywhere."""
    return {**BACKENDS, "onnx": replace(BACKENDS["onnx"], gpu=True)}


def run_as_if_with_gpu(*arguments: str) -> None:
    """The program, with these backends. Its workers need not know."""
    hosting.BACKENDS = with_gpu()  # type: ignore[attr-defined]
    sys.argv[1:] = arguments
    entry()


def _here() -> tuple[str, str]:
    """The node of this process, and the GPUs that it is shown."""
    return os.environ.get("DOCPROC_NODE", ""), repr(os.environ.get("CUDA_VISIBLE_DEVICES"))


def open_where(asks: bool) -> Callable[[Todo], tuple[str, ...]]:
    """Tells for each document where it is read, and where the networks are."""

    def where(one: Todo) -> tuple[str, ...]:
        time.sleep(0.5)
        return (*_here(), *(ask(one.document.name) if asks else ()))

    return where


def open_there() -> Callable[[Sequence[str]], list[tuple[str, ...]]]:
    """Stands for networks, and tells where they are."""
    return lambda names: [(*_here(), name) for name in names]


def tell_where(address: str, gpu: str) -> None:
    """Print this for some documents that a cluster reads, with GPUs or without."""
    todo = [Todo(Document(str(number), Path(str(number))), "", None, 0) for number in range(40)]
    reading = cluster_map(
        partial(open_where, bool(gpu)), todo, lambda _: None, address=address, jobs=0, seconds=60, memory=0,
        networks=open_there if gpu else None,
    )  # fmt: skip
    found = [(one.document.name, result) for some in reading for one, result in some]  # while Ray is there, stdout is closed
    for name, one in found:
        print(name, *one if isinstance(one, tuple) else (one,))


def main(arguments: Sequence[str]) -> None:
    """A whole run: INPUT OUT JOBS [ENGINE].

    What Ray starts does not know this `__main__`: with an engine it is to be imported and called.
    """
    try:
        engine: Engine = "ray" if "ray" in arguments[3:] else "local"
        read_faulty(Path(arguments[0]), Path(arguments[1]), int(arguments[2]), engine=engine)
    except DocprocError as problem:
        print(problem, file=sys.stderr)
        sys.exit(problem.exit_code)


if __name__ == "__main__":
    main(sys.argv[1:])
