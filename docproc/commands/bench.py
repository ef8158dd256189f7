"""How many digits a second the backends read here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docproc.learn.evaluation.bench import Bench


def measure(backends: Sequence[str], model: Path | None, batches: Sequence[int], seconds: float) -> Bench:
    """Measure on one core, see `docproc.learn.evaluation.bench.bench`."""
    for library in ("OPENBLAS", "OMP", "MKL"):  # numpy reads these when it is imported
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from docproc.learn.evaluation.bench import bench

    return bench(backends, model, batches, seconds)


def table_lines(found: Bench) -> Iterator[str]:
    """What was measured, for a person to read."""
    yield f"{'backend':12}{'file':18}{'batch':>7}{'docproc':>12}{'library':>12}{'share':>8}"
    for rate in found.rates:
        speeds = f"{rate.docproc:12,.0f}{rate.plain:12,.0f}{rate.docproc / rate.plain:8.0%}"
        yield f"{rate.backend:12}{rate.file:18}{rate.batch:7}{speeds}"
    for name, reason in found.silent:
        yield f"{name:12}does not work: {reason}"
    floor = found.floor
    if isinstance(floor, str):
        yield f"the floor was not measured: {floor}"
        return
    unit = "GFLOP/s" if floor.precision == "float32" else "GOP/s"
    yield (
        f"by arithmetic one core could do about {floor.by_arithmetic:,.0f} digits a second: a digit takes "
        f"{floor.operations / 1e6:.1f} million operations, products of matrices show "
        f"{floor.operations_a_second / 1e9:,.0f} {unit} in {floor.precision}"
    )
    yield (
        f"by bytes {floor.by_bytes:,.0f}: the layers of a digit write and read {floor.bytes / 1e3:.0f} kB, and the core "
        f"copies {floor.bytes_a_second / 1e9:.1f} GB/s"
    )
