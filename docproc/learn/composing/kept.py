"""Composed examples on disk, so that an interrupted training does not have to compose them again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

HOME = Path(__file__).resolve().parents[2]  # of docproc's modules
FOLDER = "composed"  # in the folder of a training
NAME_DIGITS = 16  # hexadecimal, of the folder of one source in it [guess]

Arrays = Mapping[str, NDArray[Any]]
Maker = Callable[[Sequence[range]], Iterator[Arrays]]  # examples of many chunks of numbers, in order


@dataclass(frozen=True, slots=True)
class Kept:
    """A folder of a training with what was composed for it."""

    folder: Path
    training: str  # what determines what is composed, such as the recipe and hashes of the data

    def chunks(self, source: str, chunks: Sequence[range], make: Maker) -> Iterator[Arrays]:
        """The examples of each chunk: from disk, or else made and stored. `source` identifies what is composed.

        Only examples that the same code composed for the same training are taken from disk.
        """
        own = hashlib.sha256("\n".join((code_hash(), self.training, source)).encode()).hexdigest()[:NAME_DIGITS]
        place = self.folder / FOLDER / own
        place.mkdir(parents=True, exist_ok=True)
        files = {chunk: place / f"{chunk.start}-{chunk.stop}.npz" for chunk in chunks}
        there = {chunk for chunk, file in files.items() if file.is_file()}
        made = make([chunk for chunk in chunks if chunk not in there])
        for chunk, file in files.items():
            if chunk in there:
                with np.load(file, allow_pickle=False) as saved:
                    yield dict(saved)
            else:
                new = next(made)
                _save(file, new)
                yield new


def clear(folder: Path) -> None:
    """Delete the examples that a training in this folder has stored, and nothing else."""
    place = folder / FOLDER
    for file in place.glob(f"{'[0-9a-f]' * NAME_DIGITS}/[0-9]*-[0-9]*.npz"):
        file.unlink()
    for emptied in (*place.glob("*"), place):
        with suppress(OSError):  # not a folder, or something else is in it
            emptied.rmdir()


def _save(file: Path, arrays: Arrays) -> None:
    aside = file.with_suffix(".new.npz")
    named: dict[str, Any] = dict(arrays)
    np.savez_compressed(aside, **named)
    aside.replace(file)


def code_hash() -> str:
    """SHA-256 of the modules of docproc, which include everything that composes or prepares examples."""
    found = hashlib.sha256()
    for module in sorted(HOME.rglob("*.py")):
        found.update(module.relative_to(HOME).as_posix().encode() + b"\0" + module.read_bytes())
    return found.hexdigest()
