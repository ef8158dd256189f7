"""Find documents and open them, one page at a time. The type of a file is decided by its content, never by its name.

Pillow decodes images (only listed formats), libjpeg-turbo JPEG so that damage is detected, and pdfium PDF; OpenCV only
gets arrays, because its own readers return gray or black pages for damaged files. Everything that a header can claim is
checked before memory is allocated. A file is read once: what is hashed is what is decoded.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import stat
import struct
import zipfile
import zlib
from array import array
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from docproc import stores
from docproc.archives import MAGIC, is_archive, open_archive, place_of, read_member
from docproc.archives import SUFFIX as ARCHIVE
from docproc.errors import BadInput, BadUsage, DocumentError, MissingPart
from docproc.options import Limits
from docproc.types import Gray, Page, PageId
from docproc.urls import Place, Stamp, Url, located

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".pdf", ".bmp", ".webp", ".gif"})
# Images that docproc cannot open. In a folder they are documents too, so that a page that was not read has a row.
UNREAD_SUFFIXES = frozenset({
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".jpf", ".jpx", ".jb2", ".jbig2", ".djvu", ".djv", ".ps", ".eps",
    ".psd", ".pbm", ".pgm", ".ppm", ".pnm",
})  # fmt: skip
LIST_COLUMN = "document"  # of a list in Parquet
PARQUET_MAGIC = b"PAR1"  # [standard]
PREVIEW, EXPLAINED = "preview.png", ".explain.png"  # name, and name ending, of images drawn by docproc
DRAWN_BY = b"Software\0docproc "  # in such a PNG, before the name of the command and `;`
DRAWN_HEAD_BYTES = 1024  # within which that is found
NOT_INSIDE = "a link, a second file of this name, or a name that leads out of the archive"
CROPS_MARK = ".docproc-crops"  # a file in a folder of images saved by docproc: such a folder is not part of an input
_PDF_IMAGE = 3  # FPDF_PAGEOBJ_IMAGE [standard]
PDF_HEAD_BYTES = 1024  # within which `%PDF-` may be, as in Acrobat [standard]
PDF_POINTS_PER_INCH = 72  # [standard]
MAX_INK_GRAY = 250  # a rendered PDF page with only lighter pixels is empty [guess]
MAX_PDF_FORMS = 3  # nesting depth to which images are searched for on such a page [guess]
MAX_TALL = 4.0  # pixel height over width, or the inverse; more is not a valid resolution [guess]
SQUARE_TOLERANCE = 0.02  # by which pixels may differ from squares and still count as square [guess]
_ORIENTATION, _X_RESOLUTION, _Y_RESOLUTION = 0x0112, 282, 283  # tags of TIFF and EXIF [standard]
_QUARTER_TURNS = (5, 6, 7, 8)  # orientations of a sideways image [standard]
PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")

_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "picture"),
    (b"\xff\xd8\xff", "picture"),
    (b"II*\x00", "picture"),
    (b"MM\x00*", "picture"),
    (b"II+\x00", "picture"),
    (b"MM\x00+", "picture"),
    (b"BM", "picture"),
    (b"GIF87a", "picture"),
    (b"GIF89a", "picture"),
)
_STRANGERS = (
    (b"%!PS", "PostScript"),
    (b"8BPS", "Photoshop"),
    (b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"AT&TFORM", "DjVu"),
    (b"\x97JB2\r\n", "JBIG2"),
    (b"P4", "PBM"),
    (b"P5", "PGM"),
    (b"P6", "PPM"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"PK\x07\x08", "an archive in several parts"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
)
# By the brand of an ISO base media file [standard: ISO/IEC 14496-12, 23008-12].
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"mif1": "HEIF", b"msf1": "HEIF", b"avif": "AVIF"}


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was found: its name in the table and its location, which may be inside a ZIP archive, see `archives`,
    or in a store.
    """

    name: str  # relative to the input, "/" on every system; for a document in a list as given there
    path: Place


class Listing(Sequence[Document]):
    """Documents in stores, a million of them in little memory: each is created on access."""

    def __init__(self, root: str) -> None:
        self._root = root  # prefix of each name, to form its URL
        self._names = bytearray()
        self._ends = array("Q", [0])
        self._stamps = array("q")
        self._order: array[int] | range = range(0)

    def add(self, name: str, stamp: Stamp | None) -> None:
        """Add a document; either all have a stamp or none."""
        self._names += os.fsencode(name)
        self._ends.append(len(self._names))
        self._stamps.extend(stamp or ())

    def sort(self) -> None:
        """Sort the documents by name; without this none is visible."""
        count = len(self._ends) - 1
        self._order = range(count)
        if any(one > other for one, other in itertools.pairwise(map(self._name, range(count)))):
            self._order = array("Q", sorted(range(count), key=self._name))

    def _name(self, number: int) -> bytes:
        return bytes(self._names[self._ends[number] : self._ends[number + 1]])

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Document: ...

    @overload
    def __getitem__(self, index: slice) -> list[Document]: ...

    def __getitem__(self, index: int | slice) -> Document | list[Document]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = self._order[index]
        name = os.fsdecode(self._name(number))
        size, modified, mark = self._stamps[3 * number : 3 * number + 3] if self._stamps else (0, 0, 0)
        return Document(name, Url(self._root + name, (size, modified, mark) if self._stamps else None))


class PassedOver(NamedTuple):
    """A file in a folder that is not a document."""

    document: Document  # as it would be named
    why: str


@dataclass(frozen=True, slots=True)
class Content:
    """A file as read."""

    data: bytes
    sha256: str  # 64 hex digits
    size: int  # bytes; for a member of an archive, those of the archive
    modified: int  # ns
    changed: int  # ns, of its directory entry


# ---------------------------------------------------------------------------------------------------- finding


def find_documents(
    inputs: Sequence[Place], recursive: bool = True, lists: Sequence[Path] = ()
) -> tuple[Sequence[Document], list[PassedOver]]:
    """The documents under `inputs`, sorted by name, and the other files, which were skipped.

    In a folder, files with an image suffix are documents, even if docproc cannot open such images, and so are files without a
    suffix; a file that is named explicitly always is one. Hidden files, links that lead out of the folder, and folders of
    images saved by docproc are skipped. A ZIP archive counts as a folder; one that cannot be opened is a document. The same
    holds for a folder in a store. A document named in one of the `lists` always is one, whether it exists or not.
    Raises BadInput for an input that does not exist, BadUsage if two files would share a name.
    """
    groups: list[Sequence[Document]] = []
    passed: list[PassedOver] = []
    folders: list[bool] = []
    found: Sequence[Document]
    for place in inputs:
        folder = False
        if isinstance(place, Url):
            found, others, folder = _in_store(place, recursive)
            passed += others
        elif folder := place.is_dir():
            try:
                found, others = _in_folder(place, recursive)
            except OSError as problem:
                raise BadInput(f"cannot look into {place}: {problem.strerror}") from problem
            passed += others
        elif os.path.lexists(place):
            named = Document(place.name, Path(os.path.realpath(place)))
            found, others = _in_archive(named, recursive) if is_archive(place.name) else ([named], [])
            passed += others
        elif place_of(place):  # a member of an archive
            found = [Document(place.name, place)]
        else:
            pattern = any(sign in place.name for sign in "*?")
            hint = "; patterns are not expanded: give the folder, or a list of files (in Python, glob.glob)" if pattern else ""
            raise BadInput(f"no such file or folder: {place}{hint}")
        groups.append(found)
        folders.append(folder)
    if len(inputs) > 1 and len({one.name for group in groups for one in group}) < sum(map(len, groups)):
        # The same name under two inputs: each is prefixed with its input's own name.
        groups = [
            [Document(f"{place.name}/{d.name}", d.path) if folder else d for d in group]
            for place, folder, group in zip(inputs, folders, groups, strict=True)
        ]
    for given in lists:
        found, others = _in_list(given, recursive)
        groups.append(found)
        passed += others
    only = groups[0] if len(groups) == 1 else ()
    documents = only if isinstance(only, Listing) else sorted(itertools.chain(*groups), key=lambda d: os.fsencode(d.name))
    for one, other in itertools.pairwise(documents):
        if one.name == other.name:
            raise BadUsage(f"two inputs would both be called {one.name}: {one.path} and {other.path}; read them in two runs")
    return documents, passed


def _in_folder(root: Path, recursive: bool) -> tuple[list[Document], list[PassedOver]]:
    documents: list[Document] = []
    passed: list[PassedOver] = []
    real_root = os.path.realpath(root)
    waiting = [("", os.fspath(root))]  # the name of a folder in the table, and its path
    while waiting:
        called, place = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError:
            if not called:
                raise
            documents.append(Document(called.rstrip("/"), Path(place)))  # its row will say that it cannot be listed
            continue
        if called and any(entry.name == CROPS_MARK for entry in entries):
            continue
        for entry in entries:
            name = entry.name
            if entry.is_dir(follow_symlinks=False):
                if recursive and not _hidden(name):
                    waiting.append((f"{called}{name}/", entry.path))
                continue
            suffix = os.path.splitext(name)[1].lower()
            if entry.is_symlink() and os.path.isdir(entry.path):
                continue
            path = entry.path
            if why := _no_document(name, suffix, path):
                passed.append(PassedOver(Document(called + name, Path(path)), why))
                continue
            if entry.is_symlink():
                # Files outside the folder are not part of the input; what is opened later is not a link.
                path = os.path.realpath(path)
                if not path.startswith(real_root + os.sep):
                    passed.append(PassedOver(Document(called + name, Path(entry.path)), "a link out of the folder"))
                    continue
            document = Document(called + name, Path(path))
            if suffix == ARCHIVE:
                inside, others = _in_archive(document, recursive)
                documents += inside
                passed += others
            else:
                documents.append(document)
    return documents, passed


def _in_store(url: Url, recursive: bool) -> tuple[Sequence[Document], list[PassedOver], bool]:
    """The documents at a URL, the other objects, and whether it is a folder. Raises BadUsage or BadInput."""
    if known := stores.found(url):
        named = Document(url.name, known)
        return *(_in_archive(named, recursive) if _is_packed(known) else ([named], [])), False
    root = url.text.rstrip("/") + "/"
    documents, packed = Listing(root), list[Document]()
    passed: list[PassedOver] = []
    for key, stamp in stores.listing(url, recursive=recursive):
        *folders, last = key.split("/")
        if any(map(_hidden, folders)):
            continue
        suffix = os.path.splitext(last)[1].lower()
        if why := _no_document(last, suffix, ""):
            passed.append(PassedOver(Document(key, Url(root + key, stamp)), why))
        elif suffix == ARCHIVE:
            inside, others = _in_archive(Document(key, Url(root + key, stamp)), recursive)
            packed += inside
            passed += others
        else:
            documents.add(key, stamp)
    documents.sort()
    return ([*documents, *packed] if packed else documents), passed, True


def _is_packed(where: Place) -> bool:
    """Whether it is an archive, by its name, and not a member of one."""
    return is_archive(where.name) and not (isinstance(where, Url) and where.packed)


def _in_list(file: Path, recursive: bool) -> tuple[Sequence[Document], list[PassedOver]]:
    """The documents in a list, one per line, or in the column `document` of a Parquet file; archives are expanded.

    Raises BadInput if it cannot be read, BadUsage for an invalid URL.
    """
    objects, documents = Listing(""), list[Document]()
    passed: list[PassedOver] = []
    asked: dict[str, Url] = {}  # one per store
    for text in _names_in(file):
        try:
            where = located(text)
        except BadUsage as problem:
            raise BadUsage(f"{file}: {problem}") from problem
        if isinstance(where, Url):
            asked.setdefault(where.store, where)
            if where.text == str(where) and not _is_packed(where):
                objects.add(where.text, None)
                continue
            document = Document(str(where), where)
        else:
            document = Document(text.replace(os.sep, "/"), Path(os.path.realpath(where)))
        inside, others = _in_archive(document, recursive) if _is_packed(document.path) else ([document], [])
        documents += inside
        passed += others
    stores.check_access(asked.values())
    objects.sort()
    return ([*objects, *documents] if documents else objects), passed


def _names_in(file: Path) -> Iterator[str]:
    """The entries of a list, read in parts. Raises BadInput."""
    try:
        with open(file, "rb") as opened:
            if opened.read(4) == PARQUET_MAGIC:
                yield from _named_by_parquet(file)
                return
            opened.seek(0)
            for line in opened:
                if name := os.fsdecode(line.rstrip(b"\r\n")):
                    yield name
    except OSError as problem:
        raise BadInput(f"cannot read the list {file}: {problem.strerror or 'it is damaged'}") from problem


def _named_by_parquet(file: Path) -> Iterator[str]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as problem:
        raise MissingPart("Parquet needs pyarrow: pip install pyarrow") from problem
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            if LIST_COLUMN not in table.schema_arrow.names:
                raise BadInput(f"the list {file} has no column {LIST_COLUMN}; there are {', '.join(table.schema_arrow.names)}")
            for batch in table.iter_batches(columns=[LIST_COLUMN]):
                yield from (str(name) for name in batch.column(0).to_pylist() if name)
    except pyarrow.ArrowException as problem:
        raise BadInput(f"cannot read the list {file}: it is damaged") from problem


def _in_archive(archive: Document, recursive: bool) -> tuple[list[Document], list[PassedOver]]:
    """The documents in a ZIP archive, and its other members; the archive itself if it cannot be opened or holds none."""
    try:
        opened = open_archive(archive.path)
    except DocumentError:
        return [archive], []  # reading it gives the same error
    documents: list[Document] = []
    passed: list[PassedOver] = []
    for name in opened.members:
        where = archive.path.member(name) if isinstance(archive.path, Url) else archive.path / name
        member = Document(f"{archive.name}/{name}", where)
        *folders, last = name.split("/")
        if folders and not recursive:
            continue
        why = "hidden" if any(map(_hidden, folders)) else _no_document(last, os.path.splitext(last)[1].lower(), "")
        if why:
            passed.append(PassedOver(member, why))
        else:
            documents.append(member)
    passed += [PassedOver(Document(f"{archive.name}/{name}", archive.path), NOT_INSIDE) for name in opened.strange]
    return documents or [archive], passed


def _no_document(name: str, suffix: str, path: str) -> str:
    """Why a file in a folder is not a document, by its name; "" if it is one."""
    if _hidden(name):
        return "hidden"
    if suffix and suffix not in SUFFIXES and suffix not in UNREAD_SUFFIXES and suffix != ARCHIVE:
        return "not an image or PDF"
    # Images drawn by docproc without a given path are in its working folder, often among the scans.
    own = name == PREVIEW or name.endswith(EXPLAINED)
    return "drawn by docproc" if own and drawn_by(Path(path)) else ""


def _hidden(name: str) -> bool:
    return name.startswith(".") and not name.startswith("..")


def drawn_by(path: Path) -> str:
    """The docproc command that drew an image, e.g. `explain`; "" if none did, see `DRAWN_BY`."""
    try:
        with open(path, "rb") as file:
            head = file.read(DRAWN_HEAD_BYTES)
    except OSError:
        return ""
    place = head.find(DRAWN_BY)
    return head[place + len(DRAWN_BY) :].split(b";")[0].decode("ascii", "replace") if place >= 0 else ""


# ---------------------------------------------------------------------------------------------------- opening


def open_pages(document: Document, limits: Limits) -> Iterator[Page | tuple[PageId, DocumentError]]:
    """The pages of a document, one after the other; a page that cannot be read comes as its error.

    Raises DocumentError if the whole file cannot be read.
    """
    yield from decode_pages(document.name, read_content(document.path, limits).data, limits)


def decode_pages(
    name: str, data: bytes, limits: Limits, enough: int = 0, *, first: int = 1
) -> Iterator[Page | tuple[PageId, DocumentError]]:
    """The pages in the content of a file from page `first` on, see `open_pages`; none if there are fewer.

    A JPEG whose long side is at least twice `enough` px may be decoded smaller, with `enough` px or more, which is much faster.
    """
    kind = sniff(data)
    if kind == "pdf":
        yield from _pdf_pages(name, data, limits, first)
    elif kind == "picture":
        yield from _picture_pages(name, data, limits, enough, first)
    else:
        if data.startswith(MAGIC):
            raise _packed(data)
        stranger = next((known for magic, known in _STRANGERS if data.startswith(magic)), None)
        if data[4:8] == b"ftyp":
            stranger = _BRANDS.get(data[8:12], "a video")
        if stranger:
            raise DocumentError("unsupported", f"{stranger} is not read; save it as JPEG, PNG, TIFF or PDF")
        raise DocumentError("not_an_image", "not a PNG, JPEG, TIFF, BMP, GIF, WebP or PDF file")


def _packed(data: bytes) -> DocumentError:
    """Why a file in ZIP format was not expanded."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except Exception as problem:  # whatever it raises on damage
        return DocumentError("corrupt", f"the archive is damaged or incomplete: {problem}")
    if "[Content_Types].xml" in names or "mimetype" in names:
        return DocumentError("unsupported", "an Office document is not read; save it as PDF")
    if not any(os.path.splitext(name)[1].lower() in SUFFIXES for name in names):
        return DocumentError("no_pages", "the archive holds no pictures and no PDF")
    return DocumentError("unsupported", "an archive is looked into where it is a file of its own, called .zip; unpack it")


def later_pages(data: bytes, limits: Limits) -> Iterator[int]:
    """Page numbers for what is found in addition to the pages of a file: those after its last page."""
    kind, count = sniff(data), 1
    if kind == "pdf":
        import pypdfium2

        with closing(pypdfium2.PdfDocument(data)) as pdf:
            count = len(pdf)
    elif data[:4] in _TIFF:
        count = _tiff_pages(data, limits.pages)
    yield from itertools.count(count + 1)


def read_content(path: Place, limits: Limits) -> Content:
    """The whole content of a regular file, or of an object, within the limit; links are not followed. Raises DocumentError."""
    if isinstance(path, Url):
        return _object(path, limits)
    try:
        found = place_of(path) if ARCHIVE in os.fspath(path).lower() else None
        if found is not None:
            return _member(*found, limits)
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            raise DocumentError("permission", "a folder that cannot be looked into")
        if not stat.S_ISREG(mode):  # opening a device may have side effects
            raise DocumentError("not_a_file", "not a regular file")
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        handle = os.open(path, flags | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError as problem:
        raise DocumentError("not_found", "the file no longer exists") from problem
    except PermissionError as problem:
        raise DocumentError("permission", "no permission to read the file") from problem
    except OSError as problem:
        raise DocumentError("io_error", f"cannot open the file: {problem.strerror}") from problem
    try:
        with os.fdopen(handle, "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise DocumentError("not_a_file", "not a regular file")
            if before.st_size > limits.file_bytes:
                raise DocumentError("file_too_large", f"{before.st_size} bytes, the limit is {limits.file_bytes}")
            data = file.read(before.st_size + 1)  # the buffer is allocated up front
            after = os.fstat(file.fileno())
    except OSError as problem:
        raise DocumentError("io_error", f"cannot read the file: {problem.strerror}") from problem
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or len(data) != after.st_size:
        raise DocumentError("changing", "the file changed while it was read")
    if not data:
        raise DocumentError("empty", "the file is empty")
    return Content(data, hashlib.sha256(data).hexdigest(), len(data), after.st_mtime_ns, after.st_ctime_ns)


def _object(url: Url, limits: Limits) -> Content:
    """An object in a store, with the store's times. Raises DocumentError."""
    if url.packed:
        name, archive = url.packed
        stamp = stores.patiently(lambda: stores.seen(archive), archive)
        data = stores.patiently(lambda: read_member(archive, name, limits.file_bytes), archive)
    else:
        data, stamp = stores.read(url, limits.file_bytes)
    if not data:
        raise DocumentError("empty", "the object is empty")
    return Content(data, hashlib.sha256(data).hexdigest(), *stamp)


def _member(archive: Path, name: str, limits: Limits) -> Content:
    """A member of an archive. Size and times are those of the archive, to detect changes."""
    before = os.stat(archive)
    data = read_member(archive, name, limits.file_bytes)
    if not data:
        raise DocumentError("empty", "the file is empty")
    return Content(data, hashlib.sha256(data).hexdigest(), before.st_size, before.st_mtime_ns, before.st_ctime_ns)


def check_content(data: bytes, limits: Limits) -> bytes:
    """Check the content of a document that is not a file. Raises DocumentError."""
    if not data:
        raise DocumentError("empty", "the file is empty")
    if len(data) > limits.file_bytes:
        raise DocumentError("file_too_large", f"{len(data)} bytes, the limit is {limits.file_bytes}")
    return data


def picture_page(name: str, image: PillowImage, limits: Limits) -> Page:
    """A Pillow image as a page: its current frame. Raises DocumentError.

    Damage in the file that it came from is known only to its decoder.
    """
    _check_size(image.width, image.height, limits)
    try:
        tall = _tall(image, limits)
        image.load()
        return Page(PageId(name), _to_gray(image), tall=tall)
    except DocumentError:
        raise
    except Exception as problem:  # decoders raise all kinds of exceptions on damage
        raise _undecodable(problem) from problem


def check_array(array: NDArray[Any]) -> None:
    """Raises TypeError or ValueError for an array that is not an image, see `array_page`."""
    if array.dtype != np.uint8:
        raise TypeError(
            f"an array of {array.dtype}: docproc reads arrays of uint8, 0 black .. 255 white; convert it, for example with "
            "(255 * array).astype(numpy.uint8) where 1.0 is white"
        )
    if array.ndim == 4 or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ValueError(f"an array of the shape {array.shape}: for several pictures give a list of arrays")
    if array.ndim not in (2, 3):
        raise ValueError(f"an array of the shape {array.shape}: a picture has (height, width), or (height, width, 3) in BGR")


def array_page(name: str, array: NDArray[np.uint8], limits: Limits) -> Page:
    """An array as a page: (height, width[, 1]) gray, or (height, width, 3 or 4) blue, green, red[, opacity], as in OpenCV.

    Raises DocumentError.
    """
    from PIL import Image

    height, width, *planes = array.shape
    _check_size(width, height, limits)
    if planes in ([], [1]):
        return Page(PageId(name), np.array(array.reshape(height, width), np.uint8))
    # The same conversion from color to gray as for files, so that the same image gives the same row.
    colors = array[:, :, [2, 1, 0, 3][: planes[0]]]
    return Page(PageId(name), _to_gray(Image.fromarray(np.ascontiguousarray(colors))))


def sniff(data: bytes) -> str:
    """`picture`, `pdf` or `unknown`, by the first bytes."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "picture"
    return "pdf" if b"%PDF-" in data[:PDF_HEAD_BYTES] else "unknown"


def _picture_pages(
    name: str, data: bytes, limits: Limits, enough: int, first: int
) -> Iterator[Page | tuple[PageId, DocumentError]]:
    from PIL import Image

    # Our own limits, below, are stricter and raise errors instead of warnings.
    Image.MAX_IMAGE_PIXELS = None
    if data[:4] in _TIFF:
        pages = _tiff_pages(data, limits.pages + 1)
        if pages > limits.pages:
            raise DocumentError("too_many_pages", f"more than {limits.pages} pages; split it, or raise the limit `pages`")
    try:
        image = Image.open(io.BytesIO(data), formats=PICTURES)
    except Exception as problem:
        raise _undecodable(problem) from problem
    with image:
        # For an animation only the first frame counts; a TIFF has pages.
        number = first
        if first > 1:
            if image.format != "TIFF":
                return
            try:
                image.seek(first - 1)
            except EOFError:
                return
            except Exception as problem:
                yield PageId(name, first), _undecodable(problem)
                return
        while True:
            where = PageId(name, number)
            try:
                _check_size(image.width, image.height, limits)
                # Pillow calls the JPEG of many phones MPO.
                if data.startswith(b"\xff\xd8\xff"):
                    page: Page | tuple[PageId, DocumentError] = _jpeg_page(where, image, data, limits, enough)
                else:
                    tall = _tall(image, limits)
                    image.load()
                    page = Page(where, _to_gray(image), _png_damage(data) if image.format == "PNG" else "", tall)
            except DocumentError as problem:
                page = (where, problem)
            except Exception as problem:  # decoders raise all kinds of exceptions on damage
                page = (where, _undecodable(problem))
            yield page
            if image.format != "TIFF":
                return
            try:
                image.seek(number)
            except EOFError:
                return
            except Exception as problem:
                yield PageId(name, number + 1), _undecodable(problem)
                return
            number += 1


def _jpeg_page(where: PageId, image: Any, data: bytes, limits: Limits, enough: int) -> Page:
    """Decode a JPEG directly to gray. Damage that a decoder would conceal is reported: libjpeg's warnings count as errors."""
    import simplejpeg
    from PIL import Image, ImageOps

    # Scans of a progressive JPEG cost time but no bytes. The marker cannot occur in the coded data.
    start = _first_scan(data)
    end = data.find(b"\xff\xd9", start)  # anything after the image does not belong to it
    scans = data.count(b"\xff\xda", start, end if end > 0 else len(data))
    if scans > limits.scans:
        raise DocumentError("too_large", f"{scans} scans in one picture; the limit is {limits.scans}")
    damage = "" if _has_tables(data) else "the picture is damaged: a Huffman table is missing"
    tall = _tall(image, limits)
    if image.mode in ("L", "RGB") and not damage:
        try:
            small: dict[str, float] = {}
            if enough and max(image.size) >= 2 * enough:
                width, height = (side * enough // max(image.size) for side in image.size)
                small = {"min_width": width, "min_height": height, "min_factor": 2}
            gray = simplejpeg.decode_jpeg(data, colorspace="GRAY", strict=True, **small)[:, :, 0]
            turned = image.getexif().get(_ORIENTATION, 1) != 1
            upright = ImageOps.exif_transpose(_with_exif(Image.fromarray(gray), image)) if turned else gray
            return Page(where, np.array(upright, np.uint8), tall=tall, shrunk=image.width / gray.shape[1])
        except ValueError as problem:
            damage = f"the picture is damaged: {problem}"
    image.load()
    return Page(where, _to_gray(image), damage, tall)


def _first_scan(data: bytes) -> int:
    """The offset of the first scan of a JPEG; a thumbnail in its header has its own scans."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        fill = data[place + 1] == 0xFF
        place += 1 if fill else 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return min(place, len(data))


def _has_tables(data: bytes) -> bool:
    """Whether a baseline JPEG contains the Huffman tables that it uses; libjpeg substitutes standard ones for missing ones."""
    tables: set[int] = set()
    place = 2
    baseline = False
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if marker == 0xFF:  # fill
            place += 1
            continue
        (length,) = struct.unpack(">H", data[place + 2 : place + 4])
        body = data[place + 4 : place + 2 + length]
        if marker in (0xC0, 0xC1):
            baseline = True
        elif marker == 0xC4:
            at = 0
            while at + 17 <= len(body):
                tables.add(body[at])
                at += 17 + sum(body[at + 1 : at + 17])
        elif marker == 0xDA:
            named = body[2 : 1 + 2 * body[0] : 2] if body else b""
            return not baseline or all({one >> 4, 0x10 | one & 15} <= tables for one in named)
        place += 2 + length
    return True


def _with_exif(plain: Any, image: Any) -> Any:
    plain.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return plain


def _png_damage(data: bytes) -> str:
    """What is wrong with the pixels of a PNG that Pillow opened. Raises DocumentError if rows are missing.

    Pillow fills missing rows with black and ignores checksums; so both are checked here (PNG specification, 3rd
    edition, sections 5 and 13).
    """
    place, packed, wrong = 8, [], False
    width = height = depth = color = interlaced = 0
    while place + 12 <= len(data):
        (length,) = struct.unpack(">I", data[place : place + 4])
        name, body = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        if name == b"IHDR":
            width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", body[:13])
        elif name == b"IDAT":
            packed.append(body)
            given = data[place + 8 + length : place + 12 + length]
            wrong |= len(given) < 4 or zlib.crc32(name + body) != struct.unpack(">I", given)[0]
        elif name in (b"IEND", b"fcTL") and packed:
            break
        place += 12 + length
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(color, 1)
    if interlaced:
        passes = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
        sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, dx, y, dy in passes]
    else:
        sizes = [(width, height)]
    wanted = sum(h * (1 + (w * bits + 7) // 8) for w, h in sizes if w > 0 and h > 0)
    if _inflated(packed, wanted) < wanted:
        raise DocumentError("truncated", "the file is cut off: rows of the picture are missing")
    return "the picture is damaged: a check sum is wrong" if wrong else ""


def _inflated(packed: Sequence[bytes], enough: int) -> int:
    """The decompressed size of a zlib stream in bytes, at most `enough`, using little memory."""
    inflate = zlib.decompressobj()
    count = 0
    try:
        for part in packed:
            waiting = part
            while waiting and count < enough:
                count += len(inflate.decompress(waiting, 1 << 20))
                waiting = inflate.unconsumed_tail
    except zlib.error:
        return count
    return count


def _tiff_pages(data: bytes, most: int) -> int:
    """Count the pages of a TIFF by its chain of directories, up to `most`; a loop or a broken link ends it."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\x00", b"\x00+")
    offset, count, entry, start = ("Q", "Q", 20, 8) if big else ("I", "H", 12, 4)
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(order + offset, data, start)
        while place and place not in seen and len(seen) < most:
            (entries,) = struct.unpack_from(order + count, data, place)
            seen.add(place)
            (place,) = struct.unpack_from(order + offset, data, place + struct.calcsize(count) + entries * entry)
    except struct.error:
        pass
    return len(seen)


def _pdf_pages(name: str, data: bytes, limits: Limits, first: int) -> Iterator[Page | tuple[PageId, DocumentError]]:
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
    except Exception as problem:
        if "password" in str(problem).lower():
            raise DocumentError("encrypted", "the PDF needs a password; save it without one") from problem
        raise DocumentError("corrupt", f"not a readable PDF: {problem}") from problem
    try:
        count = len(pdf)
        if count == 0:
            raise DocumentError("no_pages", "the PDF has no pages")
        if count > limits.pages:
            raise DocumentError(
                "too_many_pages", f"{count} pages, the limit is {limits.pages}; split it, or raise the limit `pages`"
            )
        for number in range(first, count + 1):
            where = PageId(name, number)
            try:
                yield Page(where, *_draw_pdf_page(pdf[number - 1], limits))
            except DocumentError as problem:
                yield where, problem
            except Exception as problem:
                yield where, DocumentError("corrupt", f"the page cannot be drawn: {problem}")
    finally:
        pdf.close()


def _draw_pdf_page(page: Any, limits: Limits) -> tuple[Gray, str]:
    """Render a page, and say what is wrong with it: pdfium silently leaves out an image that it cannot decode."""
    scale = limits.pdf_dpi / PDF_POINTS_PER_INCH
    width, height = page.get_size()
    _check_size(round(width * scale), round(height * scale), limits)
    try:
        bitmap = page.render(scale=scale, grayscale=True)
        drawn = bitmap.to_numpy()
        gray = np.array(drawn[:, :, 0] if drawn.ndim == 3 else drawn, np.uint8)
        if int(gray.min()) > MAX_INK_GRAY and any(
            True for _ in page.get_objects(filter=(_PDF_IMAGE,), max_depth=MAX_PDF_FORMS)
        ):
            return gray, "the page holds an image and was drawn empty"
        return gray, ""
    finally:
        page.close()


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise DocumentError("corrupt", f"a page of {width} x {height} pixels")
    if max(width, height) > limits.side or width * height > limits.pixels:
        raise DocumentError(
            "too_large", f"{width} x {height} pixels; the limits are {limits.side} a side and {limits.pixels} in all"
        )


def _tall(image: Any, limits: Limits) -> float:
    """Pixel height over width of the upright image, according to the file; a fax has 204 by 98 or 196 dots per inch.

    `image` is not loaded yet: Pillow rotates a TIFF on loading, and forgets its orientation. Raises DocumentError if the
    image would be too large with square pixels.
    """
    across, down = _dots(image)
    if not (across > 0 and down > 0 and 1 / MAX_TALL <= across / down <= MAX_TALL):
        return 1.0
    tall = across / down
    if abs(tall - 1) <= SQUARE_TOLERANCE:
        return 1.0
    _check_size(round(image.width * max(1.0, 1 / tall)), round(image.height * max(1.0, tall)), limits)
    return 1 / tall if image.getexif().get(_ORIENTATION, 1) in _QUARTER_TURNS else tall


def _dots(image: Any) -> tuple[float, float]:
    """Dots per length, across and down, in any unit; 0 if the file does not say."""
    if image.format == "TIFF":
        # Without a unit the two still give the shape of a pixel (TIFF 6.0, ResolutionUnit).
        across, down = (image.tag_v2.get(tag, 0) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    else:
        across, down = image.info.get("jfif_density") or image.info.get("aspect") or image.info.get("dpi") or (0, 0)
    try:
        return float(across), float(down)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0, 0.0


def _undecodable(problem: Exception) -> DocumentError:
    if isinstance(problem, MemoryError):
        return DocumentError("too_large", "not enough memory for this page")
    text = str(problem).strip() or type(problem).__name__
    lowered = text.lower()
    if "truncated" in lowered or "unexpected end" in lowered or "not enough image data" in lowered:
        return DocumentError("truncated", "the file is cut off; is it an incomplete copy?")
    if "cannot identify" in lowered:
        return DocumentError("corrupt", "damaged: begins like a picture and cannot be decoded")
    return DocumentError("corrupt", f"damaged: {text}")


# ------------------------------------------------------------------------------------------------------- gray


def _to_gray(image: Any) -> Gray:
    """A Pillow image as (height, width) uint8, upright, transparent parts as white paper."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        return _by_range(np.asarray(image))
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        colored = image.convert("RGBA")
        paper = Image.new("RGBA", colored.size, (255, 255, 255, 255))
        image = Image.alpha_composite(paper, colored)
    if image.mode not in ("1", "L"):
        # Convert CMYK and the like to RGB first, or black plates would count as light.
        image = image if image.mode == "RGB" else image.convert("RGB")
    return np.array(image.convert("L"), np.uint8)


def _by_range(array: NDArray[Any]) -> Gray:
    """Scale deep pixels to 0..255 by the smallest power of two that holds them: a 12-bit scan may be stored in 16 bits."""
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise DocumentError("corrupt", "the pixels are not numbers")
    low, high = float(values.min()), float(values.max())
    if low < 0:  # unsigned 32-bit read as signed
        values = np.where(values < 0, values + 2.0**32, values)
        high = float(values.max())
    unit = high <= 1.0 and array.dtype.kind == "f"
    span = 1.0 if unit else float(2 ** max(8, int(np.ceil(np.log2(high + 1)))) - 1)
    return np.clip(np.rint(values * (255.0 / span)), 0, 255).astype(np.uint8)
