from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from docproc.errors import BadInput, BadUsage, DocumentError
from docproc.files import (
    CROPS_MARK,
    Document,
    Listing,
    decode_pages,
    drawn_by,
    find_documents,
    open_pages,
    read_content,
    sniff,
)
from docproc.options import Limits
from docproc.runs.pictures import png as drawn
from docproc.types import Gray, Page
from docproc.urls import Url
from tests.conftest import PROJECT, SAMPLES, WriteField


def pages(path: Path, limits: Limits | None = None) -> list[Page]:
    found = list(open_pages(Document(path.name, path), limits or Limits()))
    assert all(isinstance(page, Page) for page in found), found
    return [page for page in found if isinstance(page, Page)]


def trouble(path: Path, limits: Limits | None = None) -> str:
    """The code of the first thing that is wrong with a document."""
    try:
        for page in open_pages(Document(path.name, path), limits or Limits()):
            if not isinstance(page, Page):
                return page[1].code
    except DocumentError as problem:
        return problem.code
    return "none"


@pytest.fixture
def gray(write_field: WriteField) -> Gray:
    return write_field("2417")


def same(one: NDArray[Any], other: NDArray[Any], within: float = 3) -> bool:
    return one.shape == other.shape and float(np.abs(one.astype(float) - other).mean()) < within


# ------------------------------------------------------------------------------------------------------ finding


def test_documents_are_found_by_suffix_in_order(tmp_path: Path, gray: Gray) -> None:
    for name in ("b.PNG", "a.png", "sub/c.tif", ".hidden.png", "notes.txt", "sub/deep/d.jpg", "scan"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(gray).save(tmp_path / name, "PNG")
    documents, passed = find_documents([tmp_path])
    assert [d.name for d in documents] == ["a.png", "b.PNG", "scan", "sub/c.tif", "sub/deep/d.jpg"]
    assert [(one.document.name, one.why) for one in sorted(passed, key=str)] == [
        (".hidden.png", "hidden"), ("notes.txt", "not an image or PDF"),
    ]  # fmt: skip
    assert [d.name for d in find_documents([tmp_path], recursive=False)[0]] == ["a.png", "b.PNG", "scan"]


def test_a_named_file_is_a_document_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert [d.name for d in find_documents([tmp_path / "notes.txt"])[0]] == ["notes.txt"]


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such file or folder"):
        find_documents([tmp_path / "nowhere"])


def test_the_same_name_under_two_inputs(tmp_path: Path, gray: Gray) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        Image.fromarray(gray).save(tmp_path / folder / "a.png")
    documents, _ = find_documents([tmp_path / "one", tmp_path / "two"])
    assert [d.name for d in documents] == ["one/a.png", "two/a.png"]
    with pytest.raises(BadUsage, match="two runs"):
        find_documents([tmp_path / "one" / "a.png", tmp_path / "two" / "a.png"])


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_out_of_the_folder_is_passed_over(tmp_path: Path, gray: Gray) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(gray).save(tmp_path / "outside.png")
    os.symlink(tmp_path / "outside.png", tmp_path / "in" / "link.png")
    os.symlink(tmp_path / "in", tmp_path / "in" / "loop")
    documents, passed = find_documents([tmp_path / "in"])
    assert not documents
    assert [(one.document.name, one.why) for one in passed] == [("link.png", "a link out of the folder")]


def test_pictures_that_cannot_be_opened_are_documents_in_a_folder_too(tmp_path: Path) -> None:
    """A page that was not read must not be missing from the table without a word."""
    for name in ("IMG_1.HEIC", "scan.jp2", "page.avif", "a.jxl", "b.djvu", "c.pbm", "clip.mp4", "table.xlsx"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    documents, passed = find_documents([tmp_path])
    assert [d.name for d in documents] == ["IMG_1.HEIC", "a.jxl", "b.djvu", "c.pbm", "page.avif", "scan.jp2"]
    assert sorted(one.document.name for one in passed) == ["clip.mp4", "table.xlsx"]
    with pytest.raises(DocumentError, match=r"^HEIC is not read; save it as JPEG, PNG, TIFF or PDF$"):
        list(open_pages(documents[0], Limits()))


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"\0\0\0\x20ftypavif", "AVIF"), (b"\0\0\0\x20ftypmp42", "a video"), (b"\xff\x0a\0\0", "JPEG XL"),
        (b"P5 2 2 255 ", "PGM"), (b"Rar!\x1a\x07\x01", "RAR"),
    ],
)  # fmt: skip
def test_what_a_file_is_that_is_not_read(head: bytes, told: str) -> None:
    with pytest.raises(DocumentError, match=told) as caught:
        list(decode_pages("scan", head + bytes(60), Limits()))
    assert caught.value.code == "unsupported"


def test_what_docproc_draws_is_no_document(tmp_path: Path, gray: Gray) -> None:
    """Pictures of `docproc explain` and `template preview` lie where they were called, and crops where they were asked for."""
    for name in ("scan.png", "own.explain.png", "crops/scan.png-1-amount.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(gray).save(tmp_path / name)
    (tmp_path / "crops" / CROPS_MARK).touch()
    for name in ("scan.explain.png", "preview.png"):
        (tmp_path / name).write_bytes(drawn(Image.fromarray(gray), "explain"))
    assert drawn_by(tmp_path / "preview.png") == "explain"
    assert drawn_by(tmp_path / "scan.png") == ""
    documents, passed = find_documents([tmp_path])
    # A page that somebody calls so is a page.
    assert [d.name for d in documents] == ["own.explain.png", "scan.png"]
    assert {one.why for one in passed} == {"drawn by docproc"}
    # Who names the folder of crops wants them read.
    assert len(find_documents([tmp_path / "crops"])[0]) == 1


# ------------------------------------------------------------------------------------------------------ opening


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "webp", "gif"])
def test_every_format_gives_the_same_page(tmp_path: Path, gray: Gray, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(gray).save(path, quality=95)
    (page,) = pages(path)
    assert same(page.gray, gray)
    assert (page.id.document, page.id.page) == (path.name, 1)


def test_the_content_decides_and_not_the_suffix(tmp_path: Path, gray: Gray) -> None:
    Image.fromarray(gray).save(tmp_path / "really_png.jpg", "PNG")
    assert same(pages(tmp_path / "really_png.jpg")[0].gray, gray)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK", "1", "I;16"])
def test_every_mode_gives_the_same_page(tmp_path: Path, gray: Gray, mode: str) -> None:
    image = Image.fromarray(gray)
    if mode == "I;16":
        image = Image.fromarray(gray.astype(np.uint16) * 257)
    elif mode == "CMYK":
        image = image.convert("RGB").convert("CMYK")
    elif mode in ("RGBA", "LA"):
        alpha = Image.fromarray(np.where(gray > 128, 0, 255).astype(np.uint8))  # transparent paper
        image = image.convert("RGB" if mode == "RGBA" else "L")
        image.putalpha(alpha)
    else:
        image = image.convert(mode, dither=Image.Dither.NONE)
    path = tmp_path / "a.tif"
    image.save(path)
    assert same(pages(path)[0].gray > 128, gray > 128, within=0.02)


def test_a_12_bit_scan_in_16_bits_is_no_black_page(tmp_path: Path, gray: Gray) -> None:
    Image.fromarray(gray.astype(np.uint16) * 16).save(tmp_path / "a.png")
    assert same(pages(tmp_path / "a.png")[0].gray, gray)


def test_orientation_is_applied_once(tmp_path: Path, gray: Gray) -> None:
    image = Image.fromarray(np.rot90(gray))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    assert same(pages(tmp_path / "a.jpg")[0].gray, gray)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg", "a.bmp"])
@pytest.mark.parametrize(
    ("dots", "tall"),
    [((204, 98), 2.08), ((204, 196), 1.04), ((200, 200), 1), ((202, 200), 1), ((100, 200), 0.5), ((600, 10), 1)],
)
def test_a_page_knows_the_shape_of_its_pixels(
    tmp_path: Path, gray: Gray, name: str, dots: tuple[int, int], tall: float
) -> None:
    Image.fromarray(gray).save(tmp_path / name, dpi=dots)
    (page,) = pages(tmp_path / name)
    assert page.gray.shape == gray.shape
    assert page.tall == pytest.approx(tall, abs=0.01)


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
def test_a_fax_that_lies_on_its_side_has_wide_pixels(tmp_path: Path, gray: Gray, name: str) -> None:
    how = Image.Exif()
    how[0x0112] = 6
    image = Image.fromarray(gray)
    image.save(tmp_path / name, dpi=(204, 98), **({"tiffinfo": {0x0112: 6}} if name == "a.tif" else {"exif": how}))
    (page,) = pages(tmp_path / name)
    assert page.gray.shape == gray.shape[::-1]
    assert page.tall == pytest.approx(98 / 204, abs=0.01)


def test_a_resolution_without_a_unit_and_one_that_makes_no_sense(tmp_path: Path, gray: Gray) -> None:
    for tags, tall in (({282: 2.0, 283: 1.0, 296: 1}, 2), ({282: 0.0, 283: 0.0}, 1), ({}, 1)):
        Image.fromarray(gray).save(tmp_path / "a.tif", tiffinfo=tags)
        assert pages(tmp_path / "a.tif")[0].tall == tall
    Image.fromarray(gray).save(tmp_path / "a.tif", dpi=(200, 100))
    assert trouble(tmp_path / "a.tif", Limits(pixels=gray.size + 1)) == "too_large"


def test_a_jpeg_may_come_smaller(tmp_path: Path, gray: Gray) -> None:
    data = io.BytesIO()
    large = Image.fromarray(gray).resize((gray.shape[1] * 8, gray.shape[0] * 8))
    large.save(data, "JPEG")
    for enough, most in ((0, 1.0), (large.width, 1.0), (large.width // 2, 2.0), (large.width // 4, 4.0)):
        (page,) = decode_pages("a", data.getvalue(), Limits(), enough)
        assert isinstance(page, Page)
        assert page.width >= enough
        assert abs(page.shrunk - most) < 0.02
        assert abs(page.width * page.shrunk - large.width) < 1


def test_all_pages_of_a_tiff_and_of_a_pdf() -> None:
    assert [p.id.page for p in pages(SAMPLES / "survey" / "batch.tif")] == [1, 2, 3]
    drawn = pages(SAMPLES / "meters" / "route.pdf")
    assert [p.id.page for p in drawn] == [1, 2, 3]
    assert abs(drawn[0].width - 1800) <= 1
    assert drawn[0].height == 1200


# ------------------------------------------------------------------------------------------------------ refusing


def png(gray: Gray) -> bytes:
    data = io.BytesIO()
    Image.fromarray(gray).save(data, "PNG")
    return data.getvalue()


def test_bad_files_have_their_codes(tmp_path: Path, gray: Gray) -> None:
    jpeg = io.BytesIO()
    Image.fromarray(gray).save(jpeg, "JPEG")
    cases = {
        "empty": b"",
        "not_an_image": b"just some text",
        "truncated": jpeg.getvalue()[: len(jpeg.getvalue()) // 2],
        "corrupt": png(gray)[:20] + bytes(200),
    }
    for code, data in cases.items():
        path = tmp_path / f"{code}.png"
        path.write_bytes(data)
        assert trouble(path) == code
    (page,) = open_pages(Document("a", tmp_path / "truncated.png"), Limits())
    assert isinstance(page, tuple)
    assert str(page[1]) == "the file is cut off; is it an incomplete copy?"
    assert trouble(tmp_path / "nowhere.png") == "not_found"
    assert trouble(tmp_path) in ("not_a_file", "io_error", "permission")


def test_a_damaged_pdf(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7\nnothing else")
    assert trouble(tmp_path / "a.pdf") == "corrupt"


def test_limits_hold_before_memory_is_taken(tmp_path: Path, gray: Gray) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(gray))
    assert trouble(path, Limits(pixels=100)) == "too_large"
    assert trouble(path, Limits(side=10)) == "too_large"
    assert trouble(path, Limits(file_bytes=10)) == "file_too_large"
    assert trouble(SAMPLES / "survey" / "batch.tif", Limits(pages=2)) == "too_many_pages"


def test_a_page_that_is_damaged_leaves_the_others(tmp_path: Path, gray: Gray) -> None:
    images = [Image.fromarray(gray) for _ in range(3)]
    images[0].save(tmp_path / "a.tif", save_all=True, append_images=images[1:], compression="tiff_deflate")
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with Image.open(tmp_path / "a.tif") as tiff:
        tiff.seek(1)
        assert isinstance(tiff, TiffImageFile)
        offset = tiff.tag_v2[273][0]
    data[offset : offset + 40] = bytes(40)
    (tmp_path / "a.tif").write_bytes(data)
    found = list(open_pages(Document("a.tif", tmp_path / "a.tif"), Limits()))
    kinds = ["page" if isinstance(page, Page) else page[1].code for page in found]
    assert kinds == ["page", "corrupt", "page"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_a_fifo_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    assert trouble(tmp_path / "a.png") == "not_a_file"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(b"\x89PNG\r\n\x1a\n", "picture"), (b"%PDF-1.4", "pdf"), (b"%!PS-Adobe", "unknown"), (b"PK\x03\x04", "unknown")],
)
def test_sniff(data: bytes, kind: str) -> None:
    assert sniff(data) == kind


# -------------------------------------------------------------------------------------------------------- hostile


def test_a_file_that_is_replaced_is_hashed_as_it_was_decoded(tmp_path: Path, gray: Gray) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(gray))
    content = read_content(path, Limits())
    path.write_bytes(b"another")
    assert content.sha256 == hashlib.sha256(content.data).hexdigest()
    (page,) = decode_pages("a.png", content.data, Limits())
    assert isinstance(page, Page)
    assert same(page.gray, gray)


def test_a_file_that_grows_while_it_is_read_is_not_taken(tmp_path: Path, gray: Gray, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png(gray)[:100])
    fdopen = os.fdopen

    def grow(handle: int, mode: str) -> Any:
        with open(path, "ab") as file:
            file.write(png(gray)[100:])
        return fdopen(handle, mode)

    monkeypatch.setattr("os.fdopen", grow)
    assert read_content(path, Limits()).size == len(png(gray))  # whole before the first look at it: nothing to tell
    look = os.fstat

    def look_and_grow(handle: int) -> os.stat_result:
        found = look(handle)
        with open(path, "ab") as file:
            file.write(b"more")
        return found

    monkeypatch.setattr("os.fdopen", fdopen)
    monkeypatch.setattr("os.fstat", look_and_grow)
    with pytest.raises(DocumentError, match="changed while it was read") as trouble:
        read_content(path, Limits())
    assert trouble.value.code == "changing"


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_is_never_followed_when_a_file_is_opened(tmp_path: Path, gray: Gray) -> None:
    (tmp_path / "secret").write_bytes(png(gray))
    os.symlink(tmp_path / "secret", tmp_path / "a.png")
    with pytest.raises(DocumentError) as trouble:
        read_content(tmp_path / "a.png", Limits())
    assert trouble.value.code == "not_a_file"


def test_a_picture_that_is_damaged_says_so(gray: Gray) -> None:
    data = io.BytesIO()
    Image.fromarray(gray).save(data, "JPEG", quality=95)
    whole = data.getvalue()
    (page,) = decode_pages("a", whole, Limits())
    assert isinstance(page, Page)
    assert page.damage == ""
    middle = len(whole) // 2
    for damaged in (whole[:middle] + b"\xff\xd0" + whole[middle + 2 :], whole.replace(b"\xff\xc4", b"\xff\xfe", 1)):
        (found,) = decode_pages("a", damaged, Limits())
        assert isinstance(found, Page)
        assert "damaged" in found.damage


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from(["1", "L", "LA", "RGB", "RGBA", "P", "I;16"]), st.booleans())
def test_a_whole_png_is_never_called_damaged(width: int, height: int, mode: str, packed: bool) -> None:
    image = Image.new("L", (width, height), 77)
    image = Image.fromarray(np.full((height, width), 77, np.uint16)) if mode == "I;16" else image.convert(mode)
    data = io.BytesIO()
    image.save(data, "PNG", compress_level=9 if packed else 0)
    (page,) = decode_pages("a", data.getvalue(), Limits())
    assert isinstance(page, Page)
    assert page.damage == ""


def test_an_image_that_a_pdf_cannot_show_is_told(gray: Gray) -> None:
    data = io.BytesIO()
    Image.fromarray(gray).save(data, "PDF")
    whole = data.getvalue()
    start = whole.index(b"stream", whole.index(b"DCTDecode")) + 8
    broken = whole[:start] + bytes(200) + whole[start + 200 :]
    (page,) = decode_pages("a", broken, Limits())
    assert isinstance(page, Page)
    assert page.damage == "the page holds an image and was drawn empty"


def test_decoding_starts_nothing_and_writes_nothing(tmp_path: Path) -> None:
    """PostScript, and a PDF that wants to run a script, launch a program and fetch a page."""
    code = """
import sys
from pathlib import Path
from docproc.errors import DocumentError
from docproc.files import decode_pages
from docproc.options import Limits
import PIL.Image, pypdfium2, simplejpeg, numpy
PIL.Image.init()
caught = []
def hook(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.getaddrinfo"):
        caught.append((event, arguments))
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & 3:
        caught.append((event, arguments))
sys.addaudithook(hook)
for action in ("<</S/JavaScript/JS(app.alert(1))>>", "<</S/Launch/F(/bin/sh)>>", "<</S/URI/URI(http://example.com)>>"):
    objects = (
        f"<</Type/Catalog/Pages 2 0 R/OpenAction{action}>>",
        "<</Type/Pages/Count 1/Kids[3 0 R]>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/AA<</O{action}>>>>",
    )
    parts = [f"{k} 0 obj{o}endobj" for k, o in enumerate(objects, 1)]
    body = chr(10).join(["%PDF-1.4", *parts, "trailer<</Root 1 0 R>>"])
    assert list(decode_pages("a", body.encode(), Limits())), action
for strange in (b"%!PS-Adobe-3.0 EPSF-3.0 (%pipe%touch here) (w) file", b"<svg xmlns='http://www.w3.org/2000/svg'/>"):
    try:
        list(decode_pages("a", strange, Limits()))
    except DocumentError:
        continue
    raise AssertionError(strange)
assert not caught, caught
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


def test_a_telephone_s_jpeg_is_looked_at_as_closely(gray: Gray) -> None:
    """With a second picture behind the first, Pillow calls it MPO; a video behind it is none of its scans."""
    two = io.BytesIO()
    Image.fromarray(gray).save(two, "MPO", save_all=True, append_images=[Image.fromarray(gray)])
    whole = two.getvalue()
    with Image.open(io.BytesIO(whole)) as image:
        assert image.format == "MPO"
    start = whole.index(b"\xff\xda") + 200
    (page,) = decode_pages("a", whole[:start] + b"\xff\xd0" + whole[start + 2 :], Limits())
    assert isinstance(page, Page)
    assert "damaged" in page.damage
    (page,) = decode_pages("a", whole + b"\xff\xda" * 1_000, Limits())
    assert isinstance(page, Page)
    assert page.damage == ""
    assert same(page.gray, gray)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1), unique=True), st.booleans())
def test_a_listing_is_the_sorted_list_of_its_documents(names: list[str], seen: bool) -> None:
    listing = Listing("s3://bucket/in/")
    for number, name in enumerate(names):
        listing.add(name, (number, 2 * number, 3 * number) if seen else None)
    listing.sort()
    wanted = sorted(names, key=os.fsencode)
    assert [one.name for one in listing] == wanted
    assert [str(one.path) for one in listing[1:3]] == [f"s3://bucket/in/{name}" for name in wanted[1:3]]
    for one in listing:
        assert isinstance(one.path, Url)
        number = names.index(one.name)
        assert one.path.stamp == ((number, 2 * number, 3 * number) if seen else None)
