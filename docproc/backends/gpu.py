"""Whether TensorRT works on this machine, and which variant.

Without a suitable GPU TensorRT sometimes crashes instead of raising, so it is tried in a separate process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec

from docproc.backends import cuda
from docproc.errors import MissingPart

LIBRARIES: Mapping[str, str] = {"tensorrt": "tensorrt-cu13", "tensorrt_rtx": "tensorrt-rtx"}
"""Modules with the same interface, best first, and the packages that contain them."""

INSTALL = "pip install tensorrt-cu13, or tensorrt-rtx for a GeForce RTX or RTX PRO"
SECONDS = 180  # for the trial
TRIED = "DOCPROC_TRIED_TENSORRT"  # in the environment, so that workers do not repeat the trial of their run


def why_not() -> str | None:
    """None if TensorRT works, else why not and what to do, in one line."""
    return _tried()[1]


def library() -> str:
    """The name of the module that works here. Raises MissingPart if none does."""
    name, reason = _tried()
    if reason:
        raise MissingPart(reason)
    return name


@cache
def _tried() -> tuple[str, str | None]:
    if (known := os.environ.get(TRIED)) in LIBRARIES:
        return str(known), None
    installed = [name for name in LIBRARIES if find_spec(name)]
    try:
        cuda.load()
    except MissingPart as problem:
        also = "" if installed else f", and TensorRT is not installed: {INSTALL}"
        return "", f"{problem}{also or ': install the driver of the GPU'}"
    if not installed:
        return "", f"TensorRT is not installed: {INSTALL}"
    reasons = []
    for name in installed:
        reason = _try_apart(name)
        if reason is None:
            os.environ[TRIED] = name
            return name, None
        reasons.append(f"{name}: {reason}")
    return "", "; ".join(reasons)


def _try_apart(name: str) -> str | None:
    """Build and run a tiny engine in another process, so that a crash there is just a result here."""
    command = [sys.executable, "-m", "docproc.backends.tensorrt_probe", name]
    paths = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=paths, check=False)
    except subprocess.TimeoutExpired:
        return f"a trial did not end within {SECONDS} s"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"it crashes here ({signal.Signals(-done.returncode).name})"
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[-1][:300] if lines else f"a trial ended with code {done.returncode}"
