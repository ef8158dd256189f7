"""The options and limits of a run, and the locations of the user's files on this system."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from docproc.errors import BadUsage
from docproc.urls import Place, Url

if TYPE_CHECKING:
    from platformdirs.api import PlatformDirsABC

    from docproc.rules import PartOrder

CropsOf = Literal["review", "all"]
CROPS_OF: tuple[CropsOf, ...] = ("review", "all")
Engine = Literal["local", "ray"]

JOURNAL_SUFFIX = ".docproc"
PROJECT_FILE = "docproc.toml"  # settings of the working folder; for keys and environment variables see docproc.cli.settings


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits on what a file may claim, beyond which it is refused unread."""

    file_bytes: int = 1_000_000_000
    pixels: int = 200_000_000  # of one page
    side: int = 65_500  # px
    pages: int = 1_000
    scans: int = 100  # of one progressive JPEG
    memory: int = 1_600_000_000  # bytes that reading one document may take, besides the networks
    pdf_dpi: int = 300  # at which PDF pages are rendered
    seconds: float = 60.0  # for one document


def limit(text: str) -> tuple[str, float]:
    """`pages=5000` as a field of `Limits` and its value. Raises ValueError that says what is wrong."""
    name, _, value = text.partition("=")
    kinds = {field.name: field.type for field in fields(Limits)}
    if name not in kinds:
        raise ValueError(f"unknown limit {name!r}; choose one of {', '.join(kinds)}")
    try:
        number = float(value) if kinds[name] == "float" else int(value.replace("_", ""))
    except ValueError:
        raise ValueError(f"{name}={value}: {value!r} is not a number") from None
    if not number > 0:
        raise ValueError(f"{name}={value} should be above zero")
    return name, number


def share(text: str) -> float:
    """`1%` or `0.01` as a number from 0 to 1. Raises ValueError that says what is wrong."""
    plain = text.strip()
    try:
        number = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        raise ValueError(f"{plain!r} is not a share; use 1% or 0.01") from None
    if not 0 <= number <= 1:
        raise ValueError(f"{plain} is not between 0% and 100%")
    return number


def duration(text: str) -> float:
    """`90m`, `8h` or `2d` as seconds. Raises ValueError that says what is wrong."""
    plain = text.strip()
    units = {"m": 60, "h": 3_600, "d": 86_400}
    try:
        seconds = float(plain[:-1]) * units[plain[-1:]]
    except (KeyError, ValueError):
        raise ValueError(f"{plain!r} is no time; use 90m, 8h or 2d") from None
    if not 0 < seconds < float("inf"):
        raise ValueError(f"{plain} should be above zero")
    return seconds


def day(text: str) -> date:
    """`2026-11-21` as a date. Raises ValueError that says what is wrong."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a date; use YYYY-MM-DD") from None


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several parts into which documents are divided by name, for as many machines."""

    number: int  # from 1
    count: int  # of all parts

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, name: str) -> bool:
        """Whether the document of this name belongs to the part: the same on every machine and in every run."""
        digest = hashlib.sha256(os.fsencode(name)).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.number - 1


def shard(text: str) -> Shard:
    """`3/64` as a shard. Raises ValueError that says what is wrong."""
    number, slash, count = text.strip().partition("/")
    if not (slash and number.isdecimal() and count.isdecimal()):
        raise ValueError(f"{text!r} is no shard; use 3/64 for the third of 64")
    if not 1 <= int(number) <= int(count):
        raise ValueError(f"{text}: shards are numbered from 1 to {count}")
    return Shard(int(number), int(count))


@dataclass(frozen=True, slots=True)
class RunRequest:
    """Everything that decides what a run reads and writes."""

    inputs: tuple[Place, ...]
    output: Path  # for a table that goes to a `target`, its place next to its journal, see `table_place`
    layout: str | tuple[str, ...] = "auto"  # a name of `docproc.fields.layouts.LAYOUTS`, or templates and folders of them
    jobs: int = 0  # 0: one per core
    engine: Engine = "local"  # processes of this machine, or a Ray cluster
    address: str = ""  # of the cluster; "": one that is started on this machine and ends with the run
    backend: str = "auto"
    model: Path | None = None  # None: the shipped one
    max_error: float = 0.01  # share of the accepted fields that may be wrong
    thresholds: Path | None = None  # measured by the user, see docproc.weights.thresholds
    date_order: PartOrder = "auto"  # for dates whose order neither layout nor template gives
    date_window: str = ""  # how old a date may be, e.g. 180d, 6m or 1y; "" for no limit
    as_of: date | None = None  # the day from which the window counts; None: the day on which the run begins
    recursive: bool = True
    shard: Shard | None = None  # only the documents of this part
    overwrite: bool = False
    resume: bool | None = None  # True: an existing table is updated; False: the journal is started anew
    forget_missing: bool = False  # documents that are no longer among the inputs are removed from the table
    wide: bool = False  # one row per page, with values
    wide_text: bool = False  # the same, with texts
    crops: Path | None = None  # folder for images of fields
    crops_of: CropsOf = "review"  # which fields
    fail_on_review: bool = False
    limits: Limits = Limits()
    lists: tuple[Path, ...] = ()  # files that name further documents
    target: Url | None = None  # destination of a table that is not a file; a folder gets parts in Parquet
    command: str = ""  # that makes this request, shown if a run is interrupted

    @property
    def layouts(self) -> tuple[str, ...]:
        """The layout, or the templates, as given."""
        return (self.layout,) if isinstance(self.layout, str) else self.layout


def table_place(output: Place, journal: Path | None) -> tuple[Path, Url | None]:
    """Output and target of a request for a table at this place. Raises BadUsage if a journal is missing or useless."""
    if not isinstance(output, Url):
        if journal is not None:
            raise BadUsage(f"--journal is for tables at a URL; that of a file is {output}{JOURNAL_SUFFIX}, beside it")
        return output, None
    if journal is None:
        raise BadUsage(
            f"a table at a URL needs --journal FILE{JOURNAL_SUFFIX}: there the run keeps what it has read, on a local disk"
        )
    if journal.suffix != JOURNAL_SUFFIX or journal.stem == JOURNAL_SUFFIX:
        raise BadUsage(f"--journal {journal}: the name of a journal ends in {JOURNAL_SUFFIX}")
    return journal.with_suffix(""), output


def user_file() -> Path:
    """The path of the user's own settings on this system, whether it exists or not."""
    return _folders().user_config_path / "config.toml"


def cache_folder() -> Path:
    """The folder for files that can be recreated."""
    return _folders().user_cache_path


def _folders() -> PlatformDirsABC:
    """On Windows without a parent folder for the author, without a `Cache` subfolder, and with roaming settings."""
    from platformdirs import PlatformDirs

    return PlatformDirs("docproc", appauthor=False, roaming=True, opinion=False)
