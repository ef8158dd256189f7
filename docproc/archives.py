"""ZIP archives as folders: a member is a document whose path continues the archive's, such as `scans.zip/monday/a.png`.

An archive may be an object in a store; only its list and the requested members are fetched.

Nothing is unpacked to disk. What an archive claims is checked before memory is allocated: the size of its list, members that
share bytes (with which a small archive can claim any size), the size of a member before and during unpacking, its compression.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from docproc import stores
from docproc.errors import DocumentError
from docproc.urls import Place, Url

SUFFIX = ".zip"
MAGIC = (b"PK\x03\x04", b"PK\x05\x06")  # of an archive, and of one without members [standard: APPNOTE 6.3]
MAX_LIST_BYTES = 32_000_000  # of an archive's list of members, for about 300 000 of them [guess]
_LOCAL_HEADER_BYTES = 30  # before a member's name and data [standard]
_END, _END_BYTES, _MAX_COMMENT = b"PK\x05\x06", 22, 0xFFFF  # of the record at the end of an archive [standard]
_END_64, _LOCATOR_64, _LOCATOR_64_BYTES = b"PK\x06\x06", b"PK\x06\x07", 20  # of a large one [standard]


@dataclass(frozen=True, slots=True)
class Archive:
    """The claimed contents of an archive."""

    members: dict[str, zipfile.ZipInfo]  # by path in it
    strange: Sequence[str]  # names that are not paths inside the archive, links, and duplicate names


def is_archive(name: str) -> bool:
    """Whether a file is to be opened as an archive, by its name."""
    return name[-len(SUFFIX) :].lower() == SUFFIX


def place_of(path: Path) -> tuple[Path, str] | None:
    """The archive that a path leads into and the member that it names; None for a path of the file system."""
    if SUFFIX not in os.fspath(path).lower():
        return None
    for parent in path.parents:
        if is_archive(parent.name) and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return None


def file_stat(path: Path) -> os.stat_result:
    """The stat result of a file; for a member that of its archive. Raises OSError."""
    try:
        return os.stat(path, follow_symlinks=False)
    except OSError:
        found = place_of(path)
        if found is None:
            raise
        return os.stat(found[0])


def open_archive(path: Place) -> Archive:
    """The members of an archive. Raises DocumentError if it is not an archive, or is hostile."""
    try:
        if isinstance(path, Url):
            return stores.patiently(lambda: _open(path, *_standing(path)), path)
        found = os.stat(path)
        return _open(path, found.st_size, found.st_mtime_ns)
    except OSError as problem:
        raise DocumentError("io_error", f"cannot open the archive: {problem.strerror}") from problem


@lru_cache(maxsize=1)  # the members of an archive are read one after the other
def _open(path: Place, size: int, modified: int) -> Archive:
    with _opened(path) as file:
        _check_list(file, size)
        try:
            with zipfile.ZipFile(file) as archive:
                listed = archive.infolist()
        except OSError:
            raise
        except Exception as problem:  # whatever it raises on damage
            raise DocumentError("corrupt", f"the archive is damaged: {problem}") from problem
    _check_apart(listed)
    members: dict[str, zipfile.ZipInfo] = {}
    strange: list[str] = []
    for info in listed:
        name = info.filename.replace("\\", "/")
        if name.endswith("/"):
            continue
        if not _is_inside(name) or stat.S_ISLNK(info.external_attr >> 16) or name in members:
            strange.append(name)
        else:
            members[name] = info
    return Archive(members, tuple(strange))


def _standing(url: Url) -> tuple[int, int]:
    """Size and version of an archive in a store. Raises DocumentError if it is not accessible."""
    stamp = stores.seen(url)
    return stamp[0], hash(stamp)


@contextmanager
def _opened(path: Place) -> Iterator[BinaryIO]:
    if isinstance(path, Url):
        with stores.opened_anywhere(path) as file:
            yield file
    else:
        with open(path, "rb") as file:
            yield file


def read_member(path: Place, name: str, most: int) -> bytes:
    """The content of a member of at most `most` bytes. Raises DocumentError."""
    info = open_archive(path).members.get(name)
    if info is None:
        raise DocumentError("not_found", "it is no longer in the archive")
    if info.flag_bits & 1:
        raise DocumentError("encrypted", "it is encrypted in its archive; unpack the archive with its password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others may take any amount of memory
        raise DocumentError("unsupported", "it is packed in a way that is not read; pack the archive anew, or unpack it")
    if max(info.file_size, info.compress_size) > most:
        raise DocumentError("file_too_large", f"{info.file_size} bytes unpacked, the limit is {most}")
    try:
        data = _unpacked(path, info)
    except OSError as problem:
        raise DocumentError("io_error", f"cannot read the archive: {problem.strerror}") from problem
    except zlib.error as problem:
        raise DocumentError("corrupt", f"the archive is damaged: {problem}") from problem
    if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
        raise DocumentError("corrupt", "the archive is damaged: what comes out is not what was packed")
    return data


def _unpacked(path: Place, info: zipfile.ZipInfo) -> bytes:
    """The unpacked content of a member, at most one byte more than it claims."""
    with _opened(path) as file:
        file.seek(info.header_offset)
        head = file.read(_LOCAL_HEADER_BYTES)
        if not head.startswith(MAGIC[0]) or len(head) < _LOCAL_HEADER_BYTES:
            raise DocumentError("corrupt", "the archive is damaged: a member is not where it should be")
        name, extra = struct.unpack("<HH", head[26:30])
        file.seek(name + extra, os.SEEK_CUR)
        packed = file.read(info.compress_size)
    return (
        packed if info.compress_type == zipfile.ZIP_STORED else zlib.decompressobj(-15).decompress(packed, info.file_size + 1)
    )


def _is_inside(name: str) -> bool:
    return not any(part in ("", ".", "..") or ":" in part for part in name.split("/"))


def _check_list(file: BinaryIO, size: int) -> None:
    """Raises DocumentError for a file that is not an archive, or whose list of members takes too much memory."""
    reach = min(size, _END_BYTES + _MAX_COMMENT + _LOCATOR_64_BYTES)
    file.seek(size - reach)
    tail = file.read(reach)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise DocumentError("corrupt", "the archive is damaged or incomplete: its list of members is missing")
    length = int.from_bytes(tail[place + 12 : place + 16], "little")
    before = tail[max(0, place - _LOCATOR_64_BYTES) : place]
    if before.startswith(_LOCATOR_64):
        file.seek(min(size, int.from_bytes(before[8:16], "little")))
        record = file.read(56)
        if not record.startswith(_END_64) or len(record) < 56:
            raise DocumentError("corrupt", "the archive is damaged: its list of members is not where it should be")
        length = struct.unpack("<Q", record[40:48])[0]
    if length > MAX_LIST_BYTES:
        raise DocumentError("too_large", f"a list of members of {length} bytes, the limit is {MAX_LIST_BYTES}; unpack it")


def _check_apart(members: Sequence[zipfile.ZipInfo]) -> None:
    """Raises DocumentError if members share bytes, with which a small archive can claim to hold any amount."""
    starts = sorted((one.header_offset, _LOCAL_HEADER_BYTES + one.compress_size) for one in members)
    for (start, length), (following, _) in pairwise(starts):
        if following < start + length:
            raise DocumentError("corrupt", "members of the archive overlap, as in an archive that was made to do harm")
