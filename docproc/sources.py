"""Turn what a program passes into documents: paths, content in memory, open files, arrays and images."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from docproc.documents import NOWHERE, Opened, Settings, folder_of, opened, opened_file
from docproc.errors import BadInput, DocumentError
from docproc.files import Document, array_page, check_array, check_content, find_documents, picture_page, read_content
from docproc.types import Page
from docproc.urls import Url, located

if TYPE_CHECKING:
    from PIL.Image import Image

IN_MEMORY = "document-"  # with a number from 1: the name of a document without one


class BinaryFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self, size: int = ..., /) -> bytes: ...


Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | NDArray[Any] | Image"
"""A document: see `docproc.read`."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document that can be opened."""

    name: str  # in the rows
    open: Callable[[Settings], Opened]  # raises DocumentError
    file: Document | None = None  # if it is one

    @property
    def folder(self) -> str:
        """Its folder."""
        return folder_of(self.file) if self.file else NOWHERE


def find_sources(given: Source | Iterable[Source]) -> list[Found]:
    """The given documents, in order; those of a folder by name.

    Raises BadInput for a path that does not exist, TypeError or ValueError for anything that is not a document.
    """
    several: Iterable[Any] = [given] if _is_one(given) else given  # type: ignore[assignment]
    found: list[tuple[str, Found]] = []  # each with the path as given
    for number, source in enumerate(several, 1):
        if isinstance(source, (str, os.PathLike)):
            found += _files(source)
        else:
            named = getattr(source, "name", None)
            name = os.path.basename(named) if isinstance(named, str) else ""
            own = name or f"{IN_MEMORY}{number}"
            found.append((own, Found(own, _opener(own, source))))
    shared = Counter(one.name for _, one in found)
    return [one if shared[one.name] == 1 else _renamed(one, path) for path, one in found]


def _is_one(given: object) -> bool:
    """Whether it is a single document, not several."""
    if isinstance(given, (str, os.PathLike, bytes, bytearray, memoryview, np.ndarray)) or hasattr(given, "read"):
        return True
    return not isinstance(given, Iterable)


def _files(path: str | os.PathLike[str]) -> Iterator[tuple[str, Found]]:
    """The documents at a path, each paired with it."""
    given = os.fspath(path)
    if not given:
        raise BadInput("no such file or folder: the path is empty")
    where = located(given)
    documents, _ = find_documents([where])
    if isinstance(where, Url):
        yield from ((str(document.path), _found_file(document)) for document in documents)
        return
    folder = os.path.isdir(given)
    for document in documents:
        packed = document.name.startswith(f"{os.path.basename(given)}/")  # of an archive
        root = given if folder else os.path.dirname(given)
        whole = os.path.join(root, document.name) if folder or packed else given
        yield whole.replace(os.sep, "/"), _found_file(document)


def _found_file(document: Document) -> Found:
    def open_file(settings: Settings) -> Opened:
        return opened_file(document, read_content(document.path, settings.limits).data, settings)

    return Found(document.name, open_file, document)


def _renamed(one: Found, path: str) -> Found:
    return _found_file(Document(path, one.file.path)) if one.file else one


def _opener(name: str, source: Any) -> Callable[[Settings], Opened]:
    """The function that opens something in memory. Raises TypeError or ValueError for anything that is not a document."""
    from PIL import Image

    if isinstance(source, (bytes, bytearray, memoryview)):
        return lambda settings: opened(name, check_content(bytes(source), settings.limits), settings)
    if isinstance(source, np.ndarray):
        check_array(source)
        return partial(_open_page, name, lambda settings: array_page(name, source, settings.limits))
    if isinstance(source, Image.Image):
        return partial(_open_picture, name, source)
    if isinstance(source, io.TextIOBase):
        raise TypeError("the file is open as text; open it with 'rb'")
    if callable(getattr(source, "read", None)):
        return lambda settings: opened(name, check_content(_read_all(source, settings), settings.limits), settings)
    raise TypeError(
        f"{type(source).__name__} is no document: docproc reads a path, bytes, a file that is open, an array of uint8, "
        "a Pillow image, or a list of these"
    )


def _open_page(name: str, page: Callable[[Settings], Page], settings: Settings) -> Opened:
    return Opened(name, [page(settings)], count(2))


def _open_picture(name: str, image: Image, settings: Settings) -> Opened:
    data = _undecoded(image, settings.limits.file_bytes)
    if data:
        return opened(name, check_content(data, settings.limits), settings)
    return Opened(name, [picture_page(name, image, settings.limits)], count(2))


def _undecoded(image: Image, most: int) -> bytes:
    """The file of a JPEG that Pillow opened but has not decoded, at most `most` + 1 bytes; else nothing.

    docproc then decodes it itself: damage is reported, and brightness is read as stored, without a conversion to colors.
    """
    from PIL.ImageFile import ImageFile

    if not (isinstance(image, ImageFile) and image.format in ("JPEG", "MPO") and image.tile and image.fp):
        return b""
    if image.decoderconfig or image.tell():  # `draft` requested another size; or it is a later frame
        return b""
    place = image.fp.tell()
    try:
        image.fp.seek(0)
        return image.fp.read(most + 1)
    finally:
        image.fp.seek(place)


def _read_all(file: BinaryFile, settings: Settings) -> bytes:
    """The remaining content of an open file."""
    try:
        data = file.read(settings.limits.file_bytes + 1)
    except OSError as problem:
        raise DocumentError("io_error", f"cannot read the file: {problem.strerror or problem}") from problem
    if not isinstance(data, bytes):
        raise TypeError(f"read() of {type(file).__name__} gives {type(data).__name__}, and should give bytes")
    return data


def folders_of_sources(found: Sequence[Found]) -> tuple[str, ...]:
    """The folders of those that are files, each once."""
    return tuple(sorted({one.folder for one in found if one.file and not isinstance(one.file.path, Url)}))
