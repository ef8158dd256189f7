"""How much memory a program took."""

from __future__ import annotations

import re
from pathlib import Path


def peak_megabytes() -> float:
    """The most memory that this process ever held, in MB, on Linux.

    `getrusage` says more: what it tells after `exec` counts the process that started this one.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    assert found
    return int(found[1]) * 1024 / 1e6
