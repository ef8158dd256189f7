"""A small collection of odd, bad and hostile inputs, made when it is needed, with what must become of each.

`make_corpus(folder)` returns the expectations by document name: `digits` (read exactly, accepted or for review), `error: CODE`,
`review` (never a plain ok), `blank`, or None (no document: passed over).
"""

from __future__ import annotations

import io
import os
import random
import socket
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from docproc.types import Gray
from tests.conftest import draw_field

TEXT = "2417"


def make_corpus(folder: Path) -> dict[str, str | None]:
    """Write all files; returns what must become of each."""
    folder.mkdir(parents=True, exist_ok=True)
    page = np.pad(draw_field(TEXT, height=60), 30, constant_values=240)
    expected: dict[str, str | None] = {}

    def put(name: str, data: bytes, outcome: str | None) -> None:
        path = os.path.join(os.fsencode(folder), os.fsencode(name))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        expected[name] = outcome

    _readable(page, put)
    _damaged(page, put)
    _bombs(put)
    _blank(put)
    _names(page, put)
    _special(folder, page, expected)
    return expected


Put = Callable[[str, bytes, str | None], None]


def _encode(image: Image.Image, kind: str, **options: object) -> bytes:
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def _readable(page: Gray, put: Put) -> None:
    image = Image.fromarray(page)
    wide = page.astype(np.uint16)
    for kind, suffix in (
        ("PNG", "png"),
        ("JPEG", "jpg"),
        ("TIFF", "tif"),
        ("BMP", "bmp"),
        ("WEBP", "webp"),
        ("GIF", "gif"),
        ("PDF", "pdf"),
    ):
        put(f"plain.{suffix}", _encode(image, kind), TEXT)
    put("png_in_disguise.jpg", _encode(image, "PNG"), TEXT)
    put("no_suffix", _encode(image, "PNG"), TEXT)
    put("16bit.png", _encode(Image.fromarray(wide * 257), "PNG"), TEXT)
    put("12bit_in_16.png", _encode(Image.fromarray(wide * 16), "PNG"), TEXT)
    put("1bit.png", _encode(image.point(lambda v: 255 * (v > 128)).convert("1"), "PNG"), TEXT)
    put("g4.tif", _encode(image.point(lambda v: 255 * (v > 128)).convert("1"), "TIFF", compression="group4"), TEXT)
    put("palette.png", _encode(image.convert("P"), "PNG"), TEXT)
    put("cmyk.jpg", _encode(image.convert("RGB").convert("CMYK"), "JPEG"), TEXT)
    put("negative.png", _encode(Image.fromarray(255 - page), "PNG"), TEXT)
    put("dark.png", _encode(image.point(lambda v: round(15 + v * 0.22)), "PNG"), TEXT)
    clear = Image.merge("LA", (Image.new("L", image.size, 0), Image.fromarray(255 - page)))
    put("transparent.png", _encode(clear, "PNG"), TEXT)
    for orientation, turned in ((3, np.rot90(page, 2)), (6, np.rot90(page)), (8, np.rot90(page, 3)), (2, page[:, ::-1])):
        exif = Image.Exif()
        exif[0x0112] = orientation
        put(
            f"exif_{orientation}.jpg",
            _encode(Image.fromarray(np.ascontiguousarray(turned)), "JPEG", exif=exif, quality=95),
            TEXT,
        )
    put("progressive.jpg", _encode(image, "JPEG", progressive=True), TEXT)
    large = Image.new("L", (4000, 5600), 255)
    large.paste(image, (500, 600))
    put("much_paper.png", _encode(large, "PNG"), TEXT)
    put("animation.gif", _encode(image, "GIF", save_all=True, append_images=[Image.new("L", image.size, 255)]), TEXT)


def _damaged(page: Gray, put: Put) -> None:
    image = Image.fromarray(page)
    png, jpeg, tiff = _encode(image, "PNG"), _encode(image, "JPEG", quality=95), _encode(image, "TIFF", compression="tiff_lzw")
    put("empty.png", b"", "error: empty")
    put("text.png", b"just some text\n" * 20, "error: not_an_image")
    put("page.ps.png", b"%!PS-Adobe-3.0\n(%pipe%touch /tmp/x) (w) file\n", "error: unsupported")
    put("half.png", png[: len(png) // 2], "error: truncated")
    put("half.jpg", jpeg[: len(jpeg) // 2], "error: truncated")
    put("half.tif", tiff[: len(tiff) // 2], "error: ")
    put("few_rows.png", _png(page.shape[1], page.shape[0], zlib.compress(b"\x00" + bytes(page.shape[1]))), "error: truncated")
    broken = bytearray(_png(page.shape[1], page.shape[0], zlib.compress(b"".join(b"\x00" + row.tobytes() for row in page))))
    broken[-16] ^= 1  # of the check sum of the pixels
    put("check_sum.png", bytes(broken), "review")
    hole = bytearray(jpeg)
    del hole[len(hole) // 2 : len(hole) // 2 + 60]
    put("hole.jpg", bytes(hole), "review")
    table = jpeg.find(b"\xff\xc4")
    put("no_huffman.jpg", jpeg[:table] + b"\xff\xfe" + jpeg[table + 2 :], "review")
    put("nothing.pdf", b"%PDF-1.7\nnothing else", "error: ")
    put("loop.tif", b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00", "error: ")
    put("zero.png", _png(0, 0, b""), "error: ")


def _png(width: int, height: int, packed: bytes) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def _bombs(put: Put) -> None:
    put("million_a_side.png", _png(1_000_000, 1_000_000, b""), "error: too_large")
    put("long.png", _png(1, 100_000_000, b""), "error: too_large")
    put("gigabyte.png", _png(60_000, 60_000, zlib.compress(bytes(1_000_000))), "error: too_large")
    image = Image.new("L", (64, 64), 255)
    progressive = _encode(image, "JPEG", progressive=True)
    scan = progressive.rfind(b"\xff\xda")
    put("scans.jpg", progressive[:-2] + progressive[scan:-2] * 2_000 + b"\xff\xd9", "error: too_large")
    pages = [Image.new("1", (16, 16), 1) for _ in range(1_001)]
    put("pages.tif", _encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]), "error: too_many_pages")
    put("pages.pdf", _pdf(1_001), "error: too_many_pages")


def _pdf(pages: int) -> bytes:
    kids = " ".join(["3 0 R"] * pages)
    bodies = [
        "<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(bodies, 1):
        places.append(len(data))
        data += f"{number} 0 obj{body}endobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        data + f"xref\n0 4\n0000000000 65535 f \n{table}trailer<</Size 4/Root 1 0 R>>\nstartxref\n{len(data)}\n%%EOF".encode()
    )


def _blank(put: Put) -> None:
    size = (640, 240)
    rng = np.random.default_rng(5)
    put("blank_white.png", _encode(Image.new("L", size, 255), "PNG"), "blank")
    put("blank_black.png", _encode(Image.new("L", size, 0), "PNG"), "blank")
    put(
        "blank_grain.png",
        _encode(Image.fromarray(rng.normal(235, 4, size[::-1]).clip(0, 255).astype(np.uint8)), "PNG"),
        "blank",
    )
    put(
        "blank_light.jpg",
        _encode(Image.fromarray(np.tile(np.linspace(0, 255, 640).astype(np.uint8), (240, 1))), "JPEG"),
        "blank",
    )
    lines, dust = Image.new("L", size, 255), Image.new("L", size, 255)
    for y in range(30, 240, 40):
        ImageDraw.Draw(lines).line((0, y, 640, y), 0, 2)
    for x, y in rng.integers(0, 240, (40, 2)):
        ImageDraw.Draw(dust).point((int(x) * 2, int(y)), 0)
    put("blank_lines.png", _encode(lines, "PNG"), "blank")
    put("blank_dust.png", _encode(dust, "PNG"), "blank")
    boxes = Image.new("L", size, 255)
    for k in range(6):
        ImageDraw.Draw(boxes).rectangle((40 + 90 * k, 80, 120 + 90 * k, 180), outline=0, width=3)
    put("blank_boxes.png", _encode(boxes, "PNG"), "blank")


def _names(page: Gray, put: Put) -> None:
    data = _encode(Image.fromarray(page), "PNG")
    names = ("=1+1.png", "+a.png", "-a.png", "@sum.png", "a\nb.png", "\x1b[31m.png", "\udcff\udcfe.png", "\u202egnp.png",
             "..%2f..%2fetc.png", "..\\evil.png", "a,b;\"c'.png", "x" * 250 + ".png", "сканы/número.PNG", " .png")  # fmt: skip
    for name in names:
        put(name, data, TEXT)
    for name in (".hidden.png", "notes.txt", "Thumbs.db"):
        put(name, data, None)


def _special(folder: Path, page: Gray, expected: dict[str, str | None]) -> None:
    outside = folder.parent / "outside.png"
    Image.fromarray(page).save(outside)
    (folder / "folder.png").mkdir()
    links = {
        "link.png": "plain.png",
        "out.png": str(outside),
        "dangling.png": "nowhere.png",
        "round.png": "round.png",
        "up": "..",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    expected |= {"link.png": TEXT, "out.png": None, "dangling.png": "error: not_found", "round.png": "error: "}
    os.mkfifo(folder / "fifo.png")
    expected["fifo.png"] = "error: not_a_file"
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:  # its path may be too long
        listener.bind(str(folder / "socket.png"))
        expected["socket.png"] = "error: not_a_file"
    with open(folder / "sparse.png", "wb") as file:
        file.truncate(20_000_000_000)
    expected["sparse.png"] = "error: file_too_large"


def mutants(count: int, seed: int) -> list[tuple[str, bytes]]:
    """Good files with a few bytes turned, cut, doubled or filled in: whatever comes of them, nothing may break."""
    page = np.pad(draw_field(TEXT, height=40), 20, constant_values=240)
    image = Image.fromarray(page)
    bilevel = image.point(lambda v: 255 * (v > 128)).convert("1")
    bases = [_encode(image, kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PDF")]
    bases += [_encode(image, "JPEG", progressive=True), _encode(bilevel, "TIFF", compression="group4"),
              _encode(image, "TIFF", compression="tiff_lzw"), _encode(image.convert("CMYK"), "JPEG"),
              _encode(image, "TIFF", save_all=True, append_images=[image, image]), _pdf(3)]  # fmt: skip
    dice = random.Random(seed)
    made = []
    for number in range(count):
        data = bytearray(dice.choice(bases))
        for _ in range(dice.choice((1, 1, 2, 4, 16))):
            place = dice.randrange(len(data)) if dice.random() < 0.5 else dice.randrange(min(200, len(data)))
            how = dice.random()
            if how < 0.5:
                data[place] = dice.randrange(256)
            elif how < 0.65:
                data[place : place + 4] = dice.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"))
            elif how < 0.8:
                del data[place : place + dice.randrange(1, 64)]
            elif how < 0.95:
                data[place:place] = data[place : place + dice.randrange(1, 64)]
            else:
                del data[place:]
            if len(data) < 8:
                data = bytearray(dice.choice(bases))
        made.append((f"mutant_{number}", bytes(data)))
    return made
