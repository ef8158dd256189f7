"""The trial of TensorRT that `gpu` runs in a separate process: build and run a tiny engine."""

from __future__ import annotations

import sys
from importlib import import_module

from docproc.backends.cuda import Cuda
from docproc.backends.tensorrt import try_out
from docproc.errors import DocprocError


def main(name: str) -> int:
    """Run the trial. If it fails, prints why and returns 3."""
    try:
        try_out(import_module(name), Cuda())
    except ImportError as problem:  # the bindings may be installed without the libraries
        print(f"it does not load: {problem}")
    except DocprocError as problem:
        print(" ".join(str(problem).split()))
    except Exception as problem:  # whatever a library raises on an unsupported machine
        print(f"{type(problem).__name__}: {' '.join(str(problem).split())}")
    else:
        return 0
    return 3


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
