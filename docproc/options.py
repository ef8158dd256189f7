"""Settings: defaults < user file < project file < environment < flags.

Files are TOML: `docproc/config.toml` in the user's configuration folder, and `docproc.toml` in the working folder. Keys are
the long flags of `docproc run` with `_` for `-`. Environment variables are `DOCPROC_` and the key in capitals.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any

from docproc.errors import BadConfig
from docproc.rules import PartOrder

PROJECT_FILE = "docproc.toml"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may claim before it is refused unread."""

    file_bytes: int = 1_000_000_000
    pixels: int = 200_000_000  # of one page
    side: int = 65_500  # px
    pages: int = 1_000
    scans: int = 100  # of one progressive JPEG
    memory: int = 1_600_000_000  # bytes that reading one document may take, beside the networks
    pdf_dpi: int = 300  # at which PDF pages are drawn
    seconds: float = 60.0  # for one document


def limit(text: str) -> tuple[str, float]:
    """`pages=5000` as a field of `Limits` and its value. Raises ValueError that says what is wrong."""
    name, _, value = text.partition("=")
    kinds = {field.name: field.type for field in fields(Limits)}
    if name not in kinds:
        raise ValueError(f"{name!r} is no limit; there are {', '.join(kinds)}")
    try:
        number = float(value) if kinds[name] == "float" else int(value.replace("_", ""))
    except ValueError:
        raise ValueError(f"{name}={value}: {value!r} is not a number") from None
    if not number > 0:
        raise ValueError(f"{name}={value} should be above zero")
    return name, number


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Everything that decides what a run reads and writes."""

    inputs: tuple[Path, ...]
    output: Path
    layout: str = "auto"  # auto, digits, amount, micr, check, or the path of a template
    jobs: int = 0  # 0: one for each core
    backend: str = "auto"
    model: Path | None = None  # None: the shipped one
    max_error: float = 0.01  # share of the accepted fields that may be wrong
    thresholds: Path | None = None  # measured by the user, see docproc.weights.thresholds
    date_order: PartOrder = "auto"  # of dates whose order neither layout nor template tells
    date_window: str = ""  # how old a date may be, as 180d, 6m or 1y; "" asks nothing
    as_of: date | None = None  # the day from which the window counts; None: the one on which the run begins
    recursive: bool = True
    overwrite: bool = False
    resume: bool | None = None  # True: a table that is there is brought up to date; False: the journal is begun anew
    wide: bool = False
    crops: Path | None = None  # folder for a picture of every field
    fail_on_review: bool = False
    limits: Limits = Limits()
    command: str = ""  # that makes this request, to be told when a run is interrupted


DEFAULTS: Mapping[str, tuple[type, ...]] = {
    "layout": (str,),
    "jobs": (int,),
    "backend": (str,),
    "max_error": (str, float),
    "thresholds": (str,),
    "date_order": (str,),
    "date_window": (str,),
    "recursive": (bool,),
    "overwrite": (bool,),
    "wide": (bool,),
    "fail_on_review": (bool,),
    "limits": (list,),  # of "name=value"
}
"""What a settings file may set, and of which types."""


def user_file(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where the user's settings lie on this system."""
    home = Path.home()
    if platform == "win32":
        folder = Path(environment.get("APPDATA") or home / "AppData" / "Roaming")
    elif platform == "darwin":
        folder = home / "Library" / "Application Support"
    else:
        folder = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    return folder / "docproc" / "config.toml"


def cache_folder(environment: Mapping[str, str] = os.environ, platform: str = sys.platform) -> Path:
    """Where on this system lies what can be made again."""
    home = Path.home()
    if platform == "win32":
        folder = Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif platform == "darwin":
        folder = home / "Library" / "Caches"
    else:
        folder = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    return folder / "docproc"


def read_settings(*paths: Path) -> dict[str, Any]:
    """The settings of those files that exist; a later file wins. Raises BadConfig with all faults of a file."""
    settings: dict[str, Any] = {}
    for path in paths:
        if path.is_file():
            settings.update(_read(path))
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as problem:
        raise BadConfig(str(path), [str(problem)]) from problem
    faults = []
    for key, value in found.items():
        wanted = DEFAULTS.get(key)
        if wanted is None:
            faults.append(f"{key}: no such setting; there are {', '.join(DEFAULTS)}")
        elif type(value) not in wanted:
            names = " or ".join(kind.__name__ for kind in wanted)
            faults.append(f"{key}: should be {names}, is {type(value).__name__} {value!r}")
    if faults:
        raise BadConfig(str(path), faults)
    return found
