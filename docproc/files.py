"""Find documents and open them, one page at a time. What a file is, its content decides, never its name.

Pillow decodes pictures (named formats only) and pdfium PDF; OpenCV is only given arrays, because its own readers answer
damage with gray or black pages. Everything that a header can claim is checked before memory is taken.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from docproc.errors import BadInput, BadUsage, DocumentError
from docproc.options import Limits
from docproc.types import Gray, Page, PageId

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".pdf", ".bmp", ".webp", ".gif"})
PICTURES = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")

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


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was found: its name in the table and where it lies."""

    name: str  # relative to the input, "/" on every system
    path: Path


# ---------------------------------------------------------------------------------------------------- finding


def find_documents(inputs: Sequence[Path], recursive: bool = True) -> tuple[list[Document], int]:
    """The documents under `inputs`, sorted by name, and how many other files were passed over.

    In a folder, files with a known suffix are documents, and so are files without any suffix; a file that is named itself
    always is one. Hidden files, and links that lead out of the folder, are passed over.
    Raises BadInput for an input that is not there, BadUsage when two files would share a name.
    """
    groups: list[list[Document]] = []
    passed = 0
    for place in inputs:
        if place.is_dir():
            found, others = _in_folder(place, recursive)
            passed += others
        elif os.path.lexists(place):
            found = [Document(place.name, place)]
        else:
            raise BadInput(f"no such file or folder: {place}")
        groups.append(found)
    names = [document.name for group in groups for document in group]
    if len(set(names)) < len(names) and len(inputs) > 1:
        # The same name under two inputs: each gets its input's own name in front.
        groups = [
            [Document(f"{place.name}/{d.name}", d.path) if place.is_dir() else d for d in group]
            for place, group in zip(inputs, groups, strict=True)
        ]
    documents = sorted((d for group in groups for d in group), key=lambda d: os.fsencode(d.name))
    for one, other in pairwise(documents):
        if one.name == other.name:
            raise BadUsage(f"two inputs would both be called {one.name}: {one.path} and {other.path}; read them in two runs")
    return documents, passed


def _in_folder(root: Path, recursive: bool) -> tuple[list[Document], int]:
    documents, passed = [], 0
    real_root = os.path.realpath(root)
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        for name in names:
            path = Path(folder, name)
            if name.startswith(".") or (path.suffix and path.suffix.lower() not in SUFFIXES):
                passed += 1
                continue
            if path.is_symlink() and not os.path.realpath(path).startswith(real_root + os.sep):
                passed += 1
                continue
            documents.append(Document(PurePath(path).relative_to(root).as_posix(), path))
    return documents, passed


# ---------------------------------------------------------------------------------------------------- opening


def open_pages(document: Document, limits: Limits) -> Iterator[Page | tuple[PageId, DocumentError]]:
    """The pages of a document one after the other; a page that cannot be read comes as its error.

    Raises DocumentError when the whole file cannot be read.
    """
    data = read_bytes(document.path, limits)
    kind = sniff(data)
    if kind == "pdf":
        yield from _pdf_pages(document.name, data, limits)
    elif kind == "picture":
        yield from _picture_pages(document.name, data, limits)
    else:
        raise DocumentError("not_an_image", "not an image: neither PNG, JPEG, TIFF, BMP, GIF, WebP nor PDF by its content")


def read_bytes(path: Path, limits: Limits) -> bytes:
    """The whole content of a regular file within the limit. Raises DocumentError."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        handle = os.open(path, flags)
    except FileNotFoundError as problem:
        raise DocumentError("not_found", "the file is not there any more") from problem
    except PermissionError as problem:
        raise DocumentError("permission", "no permission to read the file") from problem
    except OSError as problem:
        raise DocumentError("io_error", f"cannot open the file: {problem.strerror}") from problem
    try:
        with os.fdopen(handle, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise DocumentError("not_a_file", "not a regular file")
            if status.st_size > limits.file_bytes:
                raise DocumentError("too_large", f"{status.st_size} bytes, the limit is {limits.file_bytes}")
            data = file.read(limits.file_bytes + 1)
    except OSError as problem:
        raise DocumentError("io_error", f"cannot read the file: {problem.strerror}") from problem
    if not data:
        raise DocumentError("empty", "the file is empty")
    if len(data) > limits.file_bytes:
        raise DocumentError("too_large", f"more than {limits.file_bytes} bytes")
    return data


def sniff(data: bytes) -> str:
    """`picture`, `pdf` or `unknown`, by the first bytes."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "picture"
    return "pdf" if b"%PDF-" in data[:1024] else "unknown"


def _picture_pages(name: str, data: bytes, limits: Limits) -> Iterator[Page | tuple[PageId, DocumentError]]:
    from PIL import Image

    # Our own limits, below, are stricter and are errors instead of warnings.
    Image.MAX_IMAGE_PIXELS = None
    try:
        image = Image.open(io.BytesIO(data), formats=PICTURES)
    except Exception as problem:
        raise _undecodable(problem) from problem
    with image:
        # Of an animation the first frame counts; a TIFF has pages.
        number = 1
        while True:
            where = PageId(name, number)
            try:
                _check_size(image.width, image.height, limits)
                image.load()
                page: Page | tuple[PageId, DocumentError] = Page(where, _to_gray(image))
            except DocumentError as problem:
                page = (where, problem)
            except Exception as problem:  # decoders raise whatever they like on damage
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
            if number > limits.pages:
                yield PageId(name, number), DocumentError("too_many_pages", f"more than {limits.pages} pages")
                return


def _pdf_pages(name: str, data: bytes, limits: Limits) -> Iterator[Page | tuple[PageId, DocumentError]]:
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
        for number in range(1, min(count, limits.pages) + 1):
            where = PageId(name, number)
            try:
                yield Page(where, _draw_pdf_page(pdf[number - 1], limits))
            except DocumentError as problem:
                yield where, problem
            except Exception as problem:
                yield where, DocumentError("corrupt", f"the page cannot be drawn: {problem}")
        if count > limits.pages:
            yield (
                PageId(name, limits.pages + 1),
                DocumentError("too_many_pages", f"{count} pages, the limit is {limits.pages}"),
            )
    finally:
        pdf.close()


def _draw_pdf_page(page: Any, limits: Limits) -> Gray:
    scale = limits.pdf_dpi / 72
    width, height = page.get_size()
    _check_size(round(width * scale), round(height * scale), limits)
    try:
        bitmap = page.render(scale=scale, grayscale=True)
        return np.array(bitmap.to_numpy()[:, :, 0] if bitmap.to_numpy().ndim == 3 else bitmap.to_numpy(), np.uint8)
    finally:
        page.close()


def _check_size(width: int, height: int, limits: Limits) -> None:
    if width < 1 or height < 1:
        raise DocumentError("corrupt", f"a page of {width} x {height} pixels")
    if max(width, height) > limits.side or width * height > limits.pixels:
        raise DocumentError(
            "too_large", f"{width} x {height} pixels; the limits are {limits.side} a side and {limits.pixels} in all"
        )


def _undecodable(problem: Exception) -> DocumentError:
    if isinstance(problem, MemoryError):
        return DocumentError("too_large", "not enough memory for this page")
    text = str(problem).strip() or type(problem).__name__
    lowered = text.lower()
    if "truncated" in lowered or "unexpected end" in lowered or "not enough image data" in lowered:
        return DocumentError("truncated", f"the file is cut off: {text}")
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
        # CMYK and the like first become colors, or black plates count as light.
        image = image if image.mode == "RGB" else image.convert("RGB")
    return np.array(image.convert("L"), np.uint8)


def _by_range(array: NDArray[Any]) -> Gray:
    """Deep pixels to 0..255 by the smallest power of two that holds them: a 12-bit scan may come in 16 bits."""
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
