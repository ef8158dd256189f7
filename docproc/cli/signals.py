"""Ctrl-C and SIGTERM end a run at once, with what was read kept."""

from __future__ import annotations

import os
import signal
from typing import NoReturn

from docproc.errors import INTERRUPTED, TERMINATED

_received: list[int] = []


def install() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end this process by an exception, so that it can say what is kept."""
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        # What was started with nohup should outlive its terminal.
        if number is not None and (number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN):
            signal.signal(number, _stop)


def raise_pending() -> None:
    """Raise again for a signal that came before: the first exception may have been lost in a library's bare `except`."""
    if _received:
        _raise(_received[0])


def _stop(number: int, *_: object) -> None:
    """End the run; at the second signal without delay. What is kept is in the journal, and workers die with their parent."""
    if _received:
        os._exit(INTERRUPTED if number == signal.SIGINT else TERMINATED)
    _received.append(number)
    _raise(number)


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(TERMINATED)
