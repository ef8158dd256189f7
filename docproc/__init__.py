"""docproc reads the digits on paper and says how sure it is.

>>> import docproc
>>> results = docproc.read("amount.png", layout="amount")  # doctest: +SKIP
>>> results[0].value, results[0].confidence, results[0].status  # doctest: +SKIP
('1234.56', 0.9981, 'ok')

`read` reads a few documents in this process, `Reader` keeps the networks for many calls, `run` reads a folder into a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docproc._version import __version__
from docproc.errors import (
    BadConfig,
    BadInput,
    BadUsage,
    CannotWrite,
    DocprocError,
    DocumentError,
    MissingPart,
    OutputExists,
    OutputHeld,
)
from docproc.namesake import warn_of_namesake

if TYPE_CHECKING:
    from docproc.api import Reader, Results, read, run
    from docproc.runs.batch import Summary
    from docproc.sources import Source
    from docproc.types import Alternative, Box, Digit, Row

__all__ = [
    "Alternative",
    "BadConfig",
    "BadInput",
    "BadUsage",
    "Box",
    "CannotWrite",
    "Digit",
    "DocprocError",
    "DocumentError",
    "MissingPart",
    "OutputExists",
    "OutputHeld",
    "Reader",
    "Results",
    "Row",
    "Source",
    "Summary",
    "__version__",
    "read",
    "run",
]

# Imported late: a program that only asks for the version does not wait for the rest.
_LATE = {
    "Reader": "api", "Results": "api", "read": "api", "run": "api", "Source": "sources",
    "Summary": "runs.batch",
    "Alternative": "types", "Box": "types", "Digit": "types", "Row": "types",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LATE:
        from importlib import import_module

        found = getattr(import_module(f"docproc.{_LATE[name]}"), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'docproc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


warn_of_namesake()
