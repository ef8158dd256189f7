"""TensorFlow imported quietly."""

from __future__ import annotations

import os
import sys


def import_tensorflow() -> None:
    """Import TensorFlow without the messages that its libraries print on stderr before they can be silenced."""
    sys.stderr.flush()
    stderr, devnull = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(devnull, 2)
        import tensorflow  # noqa: F401
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(devnull)
