"""docproc reads the digits on paper and says how sure it is.

>>> import docproc
>>> results = docproc.read("amount.png", layout="amount")  # doctest: +SKIP
>>> results.to_pandas()  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docproc._version import __version__
from docproc.namesake import warn_of_namesake

__all__ = ["__version__", "read", "run"]

if TYPE_CHECKING:
    from docproc.api import read, run


def __getattr__(name: str) -> Any:
    # Imported late: a program that only asks for the version does not wait for the rest.
    if name in ("read", "run"):
        from docproc import api

        return getattr(api, name)
    raise AttributeError(f"module 'docproc' has no attribute {name!r}")


warn_of_namesake()
