"""The processes that a program has started, wherever they stand in the tree: all are of its session. As Linux tells them."""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path


def of_session(session: int) -> dict[int, str]:
    """Those that live, with their command lines. `session` is the process that began it, dead or not."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if not folder.name.isdecimal():
                continue
            state, _, _, own = (folder / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(own) == session and state != "Z":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                found[int(folder.name)] = command.decode("utf-8", "replace").strip()
    return found


def left(session: int, seconds: float) -> dict[int, str]:
    """Those that have not ended after this time."""
    end = time.monotonic() + seconds
    while (found := of_session(session)) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def listening(session: int) -> set[str]:
    """The addresses, in hexadecimal, at which they wait for connections."""
    waiting = {}
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            parts = line.split()
            if parts[3] == "0A":
                waiting[parts[9]] = parts[1].partition(":")[0]
    found = set()
    for process in of_session(session):
        with suppress(OSError):
            for handle in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):
                    if (socket := re.fullmatch(r"socket:\[(\d+)\]", os.readlink(handle))) and socket[1] in waiting:
                        found.add(waiting[socket[1]])
    return found


# 127.0.0.1, the same as IPv6 has it, and ::1.
LOOPBACK = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
