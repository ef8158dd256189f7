"""ZIP archives are folders, and hostile ones are rows with a reason."""

from __future__ import annotations

import io
import os
import struct
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import docproc
from docproc import archives
from docproc.archives import file_stat, open_archive, place_of, read_member
from docproc.errors import DocumentError
from docproc.files import Document, find_documents, open_pages, read_content
from docproc.options import Limits, RunRequest
from docproc.runs.audit import verify
from docproc.runs.batch import run
from docproc.runs.journal import Journal
from docproc.types import Page
from tests.conftest import draw_field, file_of
from tests.runs.faulty import open_faulty


def png(text: str = "2417") -> bytes:
    data = io.BytesIO()
    Image.fromarray(draw_field(text)).save(data, "PNG")
    return data.getvalue()


def pack(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def error(document: Document, limits: Limits | None = None) -> tuple[str, str]:
    with pytest.raises(DocumentError) as caught:
        list(open_pages(document, limits or Limits()))
    return caught.value.code, str(caught.value)


def test_an_archive_is_a_folder(tmp_path: Path) -> None:
    members = dict.fromkeys(("b.png", "monday/a.png", "notes.txt", ".hidden.png", "__MACOSX/._b.png"), png())
    pack(tmp_path / "scans.ZIP", members)
    (tmp_path / "own.png").write_bytes(png())
    for inputs, names in (
        ([tmp_path], ["own.png", "scans.ZIP/b.png", "scans.ZIP/monday/a.png"]),
        ([tmp_path / "scans.ZIP"], ["scans.ZIP/b.png", "scans.ZIP/monday/a.png"]),
    ):
        documents, passed = find_documents(inputs)
        assert [one.name for one in documents] == names
        assert {one.document.name for one in passed} == {
            "scans.ZIP/notes.txt", "scans.ZIP/.hidden.png", "scans.ZIP/__MACOSX/._b.png",
        }  # fmt: skip
        (page,) = open_pages(documents[-1], Limits())
        assert isinstance(page, Page)
        assert page.id.document == "scans.ZIP/monday/a.png"
    assert [one.name for one in find_documents([tmp_path / "scans.ZIP"], recursive=False)[0]] == ["scans.ZIP/b.png"]
    assert place_of(file_of(documents[-1])) == (tmp_path / "scans.ZIP", "monday/a.png")
    assert place_of(tmp_path / "own.png") is None
    assert file_stat(file_of(documents[-1])).st_size == (tmp_path / "scans.ZIP").stat().st_size


def test_names_that_lead_out_are_passed_over(tmp_path: Path) -> None:
    members = dict.fromkeys(("../evil.png", "/etc/evil.png", "a//b.png", "C:/evil.png", "x\\y.png"), png())
    with zipfile.ZipFile(pack(tmp_path / "a.zip", members), "a") as archive:
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    documents, passed = find_documents([tmp_path / "a.zip"])
    assert [one.name for one in documents] == ["a.zip/x/y.png"]
    assert len(passed) == 5


def test_what_an_archive_may_claim(tmp_path: Path) -> None:
    bomb = pack(tmp_path / "bomb.zip", {"a.png": bytes(5_000_000)})
    (document,) = find_documents([bomb])[0]
    assert bomb.stat().st_size < 10_000
    assert error(document, Limits(file_bytes=1_000_000))[0] == "file_too_large"
    # A member that claims to be small and is not.
    data = bytearray(bomb.read_bytes())
    place = data.rfind(b"PK\x01\x02")
    data[place + 24 : place + 28] = struct.pack("<I", 100)
    bomb.write_bytes(data)
    (document,) = find_documents([bomb])[0]
    assert error(document)[0] == "corrupt"


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    """D. Fifield, A better zip bomb (2019): all members lie on the same bytes."""
    path = pack(tmp_path / "a.zip", {"a.png": png(), "b.png": png()})
    data = bytearray(path.read_bytes())
    place = data.rfind(b"PK\x01\x02")
    data[place + 42 : place + 46] = struct.pack("<I", 0)
    path.write_bytes(data)
    (document,) = find_documents([path])[0]
    assert document.name == "a.zip"
    with pytest.raises(DocumentError, match="overlap"):
        open_archive(path)
    assert error(document)[0] in ("corrupt", "unsupported")


@pytest.mark.parametrize("large", [False, True])
def test_a_list_of_members_that_takes_too_much_memory_is_refused(tmp_path: Path, large: bool) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": png()})
    data = bytearray(path.read_bytes())
    place = data.rfind(b"PK\x05\x06")
    if large:
        record = b"PK\x06\x06" + struct.pack("<Q", 44) + bytes(28) + struct.pack("<QQ", 1 << 40, 0)
        data[place:place] = record + b"PK\x06\x07" + struct.pack("<IQI", 0, place, 1)
    else:
        data[place + 12 : place + 16] = struct.pack("<I", 1 << 30)
    path.write_bytes(data)
    with pytest.raises(DocumentError) as caught:
        open_archive(path)
    assert caught.value.code == "too_large"


def test_archives_that_are_not_read_are_rows(tmp_path: Path) -> None:
    whole = pack(tmp_path / "whole.zip", {"a.png": png()}).read_bytes()
    pack(tmp_path / "nested.zip", {"inner.zip": whole, "b.png": png()})
    pack(tmp_path / "nothing.zip", {"a.txt": b"x"})
    pack(tmp_path / "lzma.zip", {"a.png": png()}, zipfile.ZIP_LZMA)
    (tmp_path / "cut.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "empty.zip").touch()
    pack(tmp_path / "report.docx", {"[Content_Types].xml": b""})
    locked = bytearray(whole)
    locked[6] |= 1
    locked[locked.rfind(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "locked.zip").write_bytes(locked)
    documents = {one.name: one for one in find_documents([tmp_path, tmp_path / "report.docx"])[0]}
    told = {
        "nested.zip/inner.zip": "unsupported", "nothing.zip": "no_pages", "lzma.zip/a.png": "unsupported", "cut.zip": "corrupt",
        "text.zip": "not_an_image", "empty.zip": "empty", "report.docx": "unsupported", "locked.zip/a.png": "encrypted",
    }  # fmt: skip
    assert set(documents) == {*told, "nested.zip/b.png", "whole.zip/a.png"}
    assert {name: error(documents[name])[0] for name in told} == told
    assert "password" in error(documents["locked.zip/a.png"])[1]


def test_a_member_that_is_gone_is_not_found(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": png(), "b.png": png()})
    with pytest.raises(DocumentError) as caught:
        read_member(path, "c.png", 1000)
    assert caught.value.code == "not_found"
    os.remove(path)
    assert error(Document("a.zip/a.png", path / "a.png"))[0] == "not_found"


def test_an_archive_is_resumed_by_content(tmp_path: Path) -> None:
    """After a change of the archive its members are hashed again, and only those that changed are read."""
    pages = {f"{k}.png": f"page {k}".encode() for k in range(3)}
    path = pack(tmp_path / "a.zip", pages)
    request = RunRequest((path,), tmp_path / "t.csv", resume=True)
    assert run(request, opener=open_faulty).read == 3
    assert run(request, opener=open_faulty).read == 0
    assert list(verify(tmp_path / "t.csv")) == []
    time.sleep(0.02)
    pack(path, pages | {"1.png": b"another", "3.png": b"new"})
    assert list(verify(tmp_path / "t.csv")) == ["a.zip/1.png: changed since it was read"]
    summary = run(request, opener=open_faulty)
    assert (summary.documents, summary.read) == (4, 4)  # all are looked at
    with Journal.look(tmp_path / "t.csv") as journal:
        texts = {row.document: row.text for row in journal.rows()}
    assert texts == {"a.zip/0.png": "page 0", "a.zip/1.png": "another", "a.zip/2.png": "page 2", "a.zip/3.png": "new"}
    assert run(replace(request, inputs=(tmp_path,)), opener=open_faulty).read == 0
    del pages["0.png"]
    pack(path, pages)
    assert run(request, opener=open_faulty).away == 2


def test_an_archive_that_is_rewritten_is_opened_anew(tmp_path: Path) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": b"one"})
    first = read_content(path / "a.png", Limits())
    assert first.data == b"one"
    pack(path, {"a.png": b"another"})
    assert read_content(path / "a.png", Limits()).data == b"another"
    assert archives._open.cache_info().maxsize == 1


@pytest.mark.thorough
def test_a_template_beside_an_archive_is_that_of_its_pages(tmp_path: Path) -> None:
    text = 'schema_version = 1\nname = "a"\n[page]\nsize = [WIDE, HIGH]\n[[field]]\nname = "id"\nbox = [0, 0, WIDE, HIGH]\n'
    high, wide = draw_field("2417").shape
    (tmp_path / "template.toml").write_text(text.replace("WIDE", str(wide)).replace("HIGH", str(high)))
    pack(tmp_path / "scans.zip", {"monday/a.png": png("2417")})
    rows = docproc.read(tmp_path / "scans.zip")
    assert [(row.document, row.field, row.text) for row in rows] == [("scans.zip/monday/a.png", "id", "2417")]
