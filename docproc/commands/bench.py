"""How many digits per second the backends read on this machine, and how many whole pages docproc reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docproc.learn.evaluation.bench import Bench
    from docproc.learn.evaluation.end_to_end import EndToEnd
    from docproc.learn.progress import Log


def measure_end_to_end(
    inputs: Sequence[Path], layout: str, backend: str, model: Path | None, rounds: int, log: Log
) -> EndToEnd:
    """Measure whole documents on one core, see `docproc.learn.evaluation.end_to_end.end_to_end`."""
    _one_thread()
    from docproc.learn.evaluation.end_to_end import end_to_end

    return end_to_end(inputs, layout, backend, model, rounds, log)


def end_to_end_lines(found: EndToEnd) -> Iterator[str]:
    """The measurements, as lines for a person."""
    left_out = f", {found.left_out} left out" if found.left_out else ""
    yield f"{found.documents} pages with {found.fields} fields{left_out}; one core, rounds in turns"
    yield f"{'docproc':20}{found.pages_a_second:10,.1f} pages and {found.fields_a_second:,.1f} fields a second"
    yield f"{'':20}{found.to_decoding:10.1f} times as long as decoding the files to gray"
    versions = {one.name: one.version for one in found.timed}
    for name, ratio in found.to_docproc:
        yield f"{name:20}{ratio:10.1f} times as long as docproc (version {versions[name]})"
    for name, reason in found.silent:
        yield f"{name:20}was not measured: {reason}"


def measure(backends: Sequence[str], model: Path | None, batches: Sequence[int], seconds: float) -> Bench:
    """Measure on one core, see `docproc.learn.evaluation.bench.bench`."""
    _one_thread()
    from docproc.learn.evaluation.bench import bench

    return bench(backends, model, batches, seconds)


def _one_thread() -> None:
    for library in ("OPENBLAS", "OMP", "MKL"):  # numpy reads these when it is imported
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def table_lines(found: Bench) -> Iterator[str]:
    """The measurements, as lines for a person."""
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
