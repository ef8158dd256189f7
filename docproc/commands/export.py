"""Write a model in other forms, and report how much each differs from Keras."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from docproc.learn.composing import mnist
from docproc.learn.training.conversion import Conversion, convert


def export_model(
    model: Path | None, folder: Path, precisions: Sequence[str], data: Path | None, *, overwrite: bool
) -> list[Conversion]:
    """Write the networks of `model` (None: the shipped one) to `folder`, and compare all forms on MNIST's test digits.

    `data` is passed to `mnist.load`. Raises what `mnist.load` and `convert` raise.
    """
    return convert(model, folder, precisions, mnist.load(data), overwrite=overwrite)


def table_lines(rows: Sequence[Conversion]) -> Iterator[str]:
    """The comparison, as lines for a person."""
    yield f"{'network':9}{'form':18}{'run by':12}{'kB':>7}{'same first':>12}{'differs by':>12}"
    for row in rows:
        numbers = "" if row.same is None else f"{row.same:12.3%}{row.differs:12.5f}"
        size = f"{row.bytes / 1000:7.0f}" if row.bytes else f"{'':7}"
        yield f"{row.network:9}{row.form:18}{row.backend or '-':12}{size}{numbers}  {row.remark}".rstrip()
