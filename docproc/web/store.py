"""Where uploads are kept while they are read, and page pictures while they are viewed: under random ids, in a private folder.

The name of an upload is only a label, never a path. Data that would exceed the limits of the store are refused while they
arrive.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.exceptions import HTTPException

from docproc.archives import SUFFIX, is_archive
from docproc.errors import CannotWrite
from docproc.files import SUFFIXES

INDEX = "uploads.jsonl"  # in a folder that keeps uploads: the name of each file
RETRY_SECONDS = "2"  # sent to the client when too many are waiting [guess]
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Refused(HTTPException):
    """An upload is refused; `status` is the HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(status, text, {"Retry-After": RETRY_SECONDS} if status == 429 else None)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Size limits, in bytes."""

    file: int = 100_000_000  # [guess]
    request: int = 500_000_000  # [guess]
    store: int = 2_000_000_000  # everything stored at a time [guess]
    files: int = 500  # per request [guess]


@dataclass(slots=True, eq=False)
class Upload:
    """A file that was sent."""

    label: str  # the name given by the sender
    path: Path
    size: int = 0
    file: BinaryIO | None = None  # while it is being received


@dataclass(slots=True, eq=False)
class Store:
    """The folders, and the number of bytes in them."""

    folder: Path  # private; deleted when the server ends
    keep: Path | None  # where uploads are kept; None: they are deleted after the response
    sizes: Sizes
    used: int = 0
    uploads: set[Upload] = field(default_factory=set)

    @staticmethod
    def open(sizes: Sizes, keep: Path | None = None) -> Store:
        """A store in the system's folder for temporary files. Raises CannotWrite."""
        try:
            if keep:
                keep.mkdir(parents=True, exist_ok=True)
            return Store(Path(tempfile.mkdtemp(prefix="docproc-serve-")), keep, sizes)
        except OSError as problem:
            raise CannotWrite(f"cannot make the folder {problem.filename}: {problem.strerror}") from problem

    def close(self) -> None:
        """Delete everything that is not to be kept."""
        for upload in list(self.uploads):
            self.delete(upload)
        shutil.rmtree(self.folder, ignore_errors=True)

    def begin(self, label: str) -> Upload:
        """A new file for an upload with this name. Raises Refused."""
        ending = _ending(label)
        path = (self.keep or self.folder) / f"{secrets.token_hex(16)}{ending}"
        upload = Upload(label, path)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
            upload.file = os.fdopen(os.open(path, flags, 0o600), "wb", buffering=0)
        except OSError as problem:
            raise _unwritable(problem) from problem
        self.uploads.add(upload)
        return upload

    def write(self, upload: Upload, data: bytes) -> None:
        """Append to a file being received. Raises Refused if it, or the store, would be too large, or if the disk is full."""
        if upload.size + len(data) > self.sizes.file:
            raise Refused(413, f"a file may have {self.sizes.file} bytes; give docproc serve --limit file_bytes=N for more")
        if self.used + len(data) > self.sizes.store:
            raise Refused(429, "too much is being read; try again in a moment")
        assert upload.file is not None
        try:
            left = memoryview(data)
            while left:
                written = upload.file.write(left) or 0
                upload.size += written
                self.used += written
                left = left[written:]
        except OSError as problem:
            raise _unwritable(problem) from problem

    def finish(self, upload: Upload) -> None:
        """Close a file that has been received."""
        if upload.file:
            upload.file.close()
            upload.file = None

    def answered(self, uploads: Iterable[Upload]) -> None:
        """Delete uploads that were read, or add them to the list of those that are kept."""
        for upload in uploads:
            if self.keep is None:
                self.delete(upload)
            elif upload in self.uploads:
                self.uploads.discard(upload)
                self.used -= upload.size
                with suppress(OSError), open(self.keep / INDEX, "a", encoding="utf-8") as file:
                    file.write(json.dumps({"file": upload.path.name, "name": upload.label, "bytes": upload.size}) + "\n")

    def delete(self, upload: Upload) -> None:
        """Delete an upload."""
        self.finish(upload)
        if upload in self.uploads:
            self.uploads.discard(upload)
            self.used -= upload.size
            with suppress(OSError):
                upload.path.unlink()

    def pictures(self) -> str:
        """The prefix of the paths of a document's pictures."""
        return str(self.folder / secrets.token_hex(16))


def _ending(label: str) -> str:
    """The suffix of a file in the store, one of those that docproc knows: archives are recognized by it."""
    if is_archive(label):
        return SUFFIX
    found = os.path.splitext(label.lower())[1]
    return found if found in SUFFIXES else ""


def _unwritable(problem: OSError) -> Refused:
    if problem.errno in FULL:
        return Refused(507, "the disk of the server is full")
    return Refused(507, f"the server cannot store the upload: {problem.strerror}")
