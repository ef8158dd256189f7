"""`-` in place of a name: a document that comes in on stdin, a table that goes out on stdout."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from docproc.errors import BadUsage, CannotWrite

if TYPE_CHECKING:
    from docproc.options import RunRequest

PIPE = Path("-")
NAME = "stdin"  # of the document in the table
CHUNK_BYTES = 1 << 20


@contextmanager
def piped(request: RunRequest) -> Iterator[RunRequest]:
    """The request with files in place of `-`; they are there until the end, when the table is written to stdout.

    Raises BadUsage where nothing is piped in, or nothing can be brought up to date.
    """
    if PIPE not in (*request.inputs, request.output):
        yield request
        return
    if request.output == PIPE and request.resume:
        raise BadUsage("-o - writes to stdout, where no table is that --resume could bring up to date")
    if request.inputs.count(PIPE) > 1:
        raise BadUsage("- is stdin and holds one document; it may be given once")
    with TemporaryDirectory(prefix="docproc-") as folder:
        document, table = Path(folder, "in", NAME), Path(folder, "stdout.csv")
        if PIPE in request.inputs:
            document.parent.mkdir()
            _receive(document, request.limits.file_bytes)
        inputs = tuple(document if place == PIPE else place for place in request.inputs)
        yield replace(request, inputs=inputs, output=table if request.output == PIPE else request.output)
        if request.output == PIPE:
            _send(table)


@contextmanager
def sent(output: Path) -> Iterator[Path]:
    """The name of a table; in place of `-` that of a file whose content goes to stdout at the end. Raises CannotWrite."""
    if output != PIPE:
        yield output
        return
    with TemporaryDirectory(prefix="docproc-") as folder:
        table = Path(folder, "stdout.csv")
        yield table
        _send(table)


def _receive(document: Path, most: int) -> None:
    """Write what comes in on stdin to a file: at most `most` bytes and one more, by which it is refused."""
    stdin = sys.stdin.buffer
    if stdin.isatty():
        raise BadUsage("- reads a document from stdin, and nothing is piped in: docproc run - -o results.csv < scan.pdf")
    left = most + 1
    with open(document, "wb") as file:
        while left and (data := stdin.read(min(CHUNK_BYTES, left))):
            file.write(data)
            left -= len(data)


def _send(table: Path) -> None:
    """Write a table to stdout. Raises CannotWrite where nobody reads it."""
    stdout = sys.stdout.buffer
    try:
        with open(table, "rb") as file:
            shutil.copyfileobj(file, stdout)
        stdout.flush()
    except OSError as problem:
        # What is left in its buffer would be written once more when the program ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        raise CannotWrite(f"cannot write the table to stdout: {problem.strerror}") from problem
