"""One run at a time per output: an operating system lock, which is released when its process ends."""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from docproc.errors import CannotWrite, OutputHeld

MAX_RETRIES = 3  # [guess]
RETRY_SECONDS = 0.1  # [guess]
LOCKED_BYTE = 1 << 20  # on Windows, which locks a range of a file


def lock_path(output: Path) -> Path:
    """The file that is locked while a run writes `output`."""
    return output.with_name(f"{output.name}.docproc.lock")


@contextmanager
def hold(output: Path) -> Iterator[None]:
    """Hold the output for this process. Raises OutputHeld immediately if another process holds it, or CannotWrite."""
    path = lock_path(output)
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
        except OSError as problem:
            raise CannotWrite(f"cannot write beside {output}: {problem.strerror}") from problem
        try:
            _lock_patiently(handle, output)
        except BaseException:
            os.close(handle)
            raise
        # The last holder may have deleted the file between our two steps; then the lock has no effect.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), os.stat(path)):
                break
        os.close(handle)
    try:
        with suppress(OSError):
            os.ftruncate(handle, 0)
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        if sys.platform == "win32":
            os.close(handle)
            with suppress(OSError):
                path.unlink()
        else:
            with suppress(OSError):
                path.unlink()
            os.close(handle)


def holder(output: Path) -> str | None:
    """Which process holds the output, in words, or None."""
    path = lock_path(output)
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return None
    try:
        _lock(handle, output)
    except OutputHeld:
        return _who(path)
    except CannotWrite:
        return None
    finally:
        os.close(handle)
    return None


def _who(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "another process"
    except OSError:
        return "another process"


def _lock_patiently(handle: int, output: Path) -> None:
    """Try a few times to lock: `docproc status` holds the lock briefly, and is not another run."""
    for _ in range(MAX_RETRIES):
        with suppress(OutputHeld):
            return _lock(handle, output)
        time.sleep(RETRY_SECONDS)
    return _lock(handle, output)


def _lock(handle: int, output: Path) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            # Far beyond its text, so that others can still read that.
            os.lseek(handle, LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as problem:
        if problem.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise OutputHeld(
                f"another run ({_who(lock_path(output))}) writes {output}; wait for it, or give another name with -o"
            ) from problem
        raise CannotWrite(
            f"{output.parent} lies on a file system without locks ({problem.strerror}); write to a local disk"
        ) from problem
