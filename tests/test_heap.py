"""Memory that is kept for the next page."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from docproc import heap

ARRAYS = """
import resource, sys
import numpy as np
from docproc.heap import keep_freed_memory

if "keep" in sys.argv:
    keep_freed_memory()
def page():
    return [np.ones(6_000_000, np.uint8) for _ in range(5)]
page()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    page()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(*arguments: str, **environment: str) -> int:
    """How often the system cleared memory for arrays that had been allocated and freed before."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_TUNABLES"))}
    told = subprocess.run(
        [sys.executable, "-c", ARRAYS, *arguments], env=clean | environment, capture_output=True, text=True, check=True
    )
    return int(told.stdout)


def _is_glibc() -> bool:
    return hasattr(os, "confstr") and "CS_GNU_LIBC_VERSION" in os.confstr_names and bool(os.confstr("CS_GNU_LIBC_VERSION"))


def _unmeasurable() -> str:
    """Why page faults cannot be counted here."""
    if not _is_glibc():
        return "needs glibc"
    everywhere = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return "huge pages everywhere: few page faults" if everywhere.exists() and "[always]" in everywhere.read_text() else ""


needs_faults = pytest.mark.skipif(bool(_unmeasurable()), reason=_unmeasurable() or "runs")


@needs_faults
def test_arrays_of_a_page_use_the_memory_of_the_page_before() -> None:
    assert _faults() > 500
    assert _faults("keep") < 50


@needs_faults
@pytest.mark.parametrize(
    "own", [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=131072"}]
)
def test_an_environment_that_tunes_malloc_is_left_alone(own: dict[str, str]) -> None:
    assert _faults("keep", **own) > 500


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise OSError("libc.so.6: cannot open shared object file")

    monkeypatch.setattr("ctypes.CDLL", missing)
    heap.keep_freed_memory.__wrapped__()
