"""Keeps the memory of one page for the next.

Reading a page allocates and frees many arrays of megabytes. By default, the C library of Linux returns each of them to the
system, which has to clear it again, four kilobytes at a time, as soon as the next array is written to. On virtual machines,
where this is slow, it is a third of the time of a page.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from functools import cache

KEPT = 256 << 20  # bytes at the end of the heap; if more are free, they go back to the system
IN_HUGE_PAGES = 192 << 20  # bytes at its start: room for the arrays of an A4 page at 300 dpi
ALONE = 32 << 20  # bytes: a larger array still goes back as soon as it is freed
HUGE_PAGE = 2 << 20  # bytes
# The numbers of malloc.h and mman.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MADV_HUGEPAGE = 14


@cache
def keep_freed_memory() -> None:
    """Let this process keep freed memory, see `KEPT`, in huge pages where the system has them.

    Does nothing without glibc, or where the process's environment already tunes it.
    """
    tuned = os.environ.get("GLIBC_TUNABLES", "")
    if sys.platform != "linux" or "glibc.malloc" in tuned or any(name.startswith("MALLOC_") for name in os.environ):
        return
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL("libc.so.6")
        malloc, free, mallopt, madvise = libc.malloc, libc.free, libc.mallopt, libc.madvise
        malloc.restype, malloc.argtypes = ctypes.c_void_p, (ctypes.c_size_t,)
        free.argtypes = (ctypes.c_void_p,)
        madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        # The heap grows by a block of this size, and keeps it when the block is freed.
        if not (mallopt(_MMAP_THRESHOLD, KEPT) and mallopt(_TRIM_THRESHOLD, KEPT)):
            return
        block = malloc(IN_HUGE_PAGES)
        if block:
            start = -(-block // HUGE_PAGE) * HUGE_PAGE
            madvise(start, IN_HUGE_PAGES - HUGE_PAGE, _MADV_HUGEPAGE)
            free(block)
        mallopt(_MMAP_THRESHOLD, ALONE)
