"""Another package called docproc in the same environment.

On the package index `docproc` is other people's: a processor of documents with the same command and the same import name, that
sends them to language models. This project is called `docproc-digits` there. Where both are installed they overwrite parts of
each other, so it is said as soon as it can be seen.
"""

from __future__ import annotations

import os
import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

DISTRIBUTION = "docproc-digits"  # what this project is called on the package index
_FOLDERS = ("site-packages", "dist-packages")  # where packages are installed
_INSTALLED = re.compile(r"docproc-([^-]+)\.(dist|egg)-info")
_OWN_SUMMARY = "Reads the digits on scanned forms"  # of this project, also when it was called docproc


@dataclass(frozen=True, slots=True)
class Namesake:
    """A package that is installed as `docproc`."""

    version: str
    summary: str  # what it says of itself
    place: Path  # the folder that it is installed in

    @property
    def is_former(self) -> bool:
        """Whether it is this project, as it was called before."""
        return self.summary.startswith(_OWN_SUMMARY)

    def __str__(self) -> str:
        again = f"pip uninstall docproc {DISTRIBUTION}, and then install {DISTRIBUTION} again from its folder: pip install ."
        if self.is_former:
            return f"{self.place} also holds this project under its former name, docproc {self.version}; to leave one: {again}"
        return (
            f"{self.place} also holds docproc {self.version}, another project with the same command and import name "
            f'("{self.summary}"); parts of either may have been overwritten. To be sure which of them reads: {again}'
        )


def find_namesake(path: Sequence[str] | None = None) -> Namesake | None:
    """What is installed as `docproc` in the folders of `path` (None: those that Python imports from), or None."""
    for folder in sys.path if path is None else path:
        if not folder.rstrip("/\\").endswith(_FOLDERS):  # the working folder may hold a hundred thousand scans
            continue
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            if found := _INSTALLED.fullmatch(name):
                return Namesake(found[1], _summary(Path(folder, name)), Path(folder))
    return None


def _summary(folder: Path) -> str:
    for file in ("METADATA", "PKG-INFO"):
        try:
            head = (folder / file).read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        except OSError:
            continue
        if found := re.search(r"^Summary: (.*)$", head, re.MULTILINE):
            return found[1].strip()
    return ""


def warn_of_namesake() -> None:
    """Warn once, and not again in the processes of a run."""
    if "--multiprocessing-fork" in sys.orig_argv:
        return
    found = find_namesake()
    if found is not None and not found.is_former:
        warnings.warn(str(found), stacklevel=3)
