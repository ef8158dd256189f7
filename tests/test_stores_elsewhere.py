"""Google's and Azure's stores: Google's is an emulator behind HTTP, of Azure's only what goes wrong without an account."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from docproc import stores
from docproc.errors import BadInput, BadUsage, CannotWrite, DocumentError
from docproc.files import find_documents, read_content
from docproc.options import Limits
from docproc.urls import Url

ACCOUNT = ("AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT_KEY")


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    stores.file_system.cache_clear()
    yield
    stores.file_system.cache_clear()


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a folder in a bucket."""
    pytest.importorskip("gcsfs", reason="needs gcsfs (the extra `cloud`)")
    emulator = pytest.importorskip("gcp_storage_emulator.server", reason="needs gcp-storage-emulator, a store for tests")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="scans")
    server.start()
    at(monkeypatch, port)
    yield "gs://scans/in/"
    server.stop()


def at(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")  # it speaks no gRPC
    monkeypatch.setattr(stores, "FIRST_WAIT", 0.001)


def put(folder: str, tmp_path: Path, **objects: bytes) -> None:
    for name, data in objects.items():
        (tmp_path / "one").write_bytes(data)
        stores.put(tmp_path / "one", Url(f"{folder}{name}.png"))


def test_objects_of_google_are_listed_read_written_and_removed(google: str, tmp_path: Path) -> None:
    put(google, tmp_path, a=b"1" * 9000, b=b"2")
    put(f"{google}sub/", tmp_path, c=b"3")
    documents, _ = find_documents([Url(google)])
    assert [one.name for one in documents] == ["a.png", "b.png", "sub/c.png"]
    content = read_content(documents[0].path, Limits())
    assert content.data == b"1" * 9000
    assert isinstance(documents[0].path, Url)
    assert (content.size, content.modified, content.changed) == documents[0].path.stamp
    with pytest.raises(DocumentError, match="the limit is 10"):
        read_content(documents[0].path, Limits(file_bytes=10))
    put(google, tmp_path, a=b"4" * 9000)
    assert stores.stamp_of(Url(f"{google}a.png")) != documents[0].path.stamp
    stores.copy(Url(f"{google}a.png"), Url(f"{google}d.png"))
    stores.remove([Url(f"{google}a.png"), Url(f"{google}a.png")])
    assert [one.name for one in find_documents([Url(google)], recursive=False)[0]] == ["b.png", "d.png"]


def test_a_folder_of_google_without_objects_is_empty(google: str, tmp_path: Path) -> None:
    """Parts of a table are written to one."""
    assert not list(stores.listing(Url(google), recursive=True))
    with pytest.raises(BadInput, match="there is no such object"):
        find_documents([Url(f"{google}none.png")])
    assert [list(some) for some in find_documents([Url(google)])] == [[], []]
    with pytest.raises(CannotWrite, match="there is no such bucket"):
        put("gs://no-such-bucket/", tmp_path, a=b"1")


@contextmanager
def refusing(status: int) -> Iterator[tuple[int, list[str]]]:
    """A server that refuses everything; its port, and what it was asked."""
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Refusing)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port, asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_google_without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gcsfs", reason="needs gcsfs (the extra `cloud`)")
    with refusing(401) as (port, asked):
        at(monkeypatch, port)
        for url in ("gs://scans/in/", "gs://scans/in/a.png"):
            with pytest.raises(BadUsage, match="no credentials for gs://; set GOOGLE_APPLICATION_CREDENTIALS"):
                find_documents([Url(url)])
        assert asked


def test_azure_without_an_account(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("adlfs", reason="needs adlfs (the extra `cloud`)")
    for name in ACCOUNT:
        monkeypatch.delenv(name, raising=False)
    for url in ("az://scans/in/", "abfs://scans/in/a.png"):
        with pytest.raises(BadUsage, match="missing or malformed; set AZURE_STORAGE_ACCOUNT_NAME"):
            find_documents([Url(url)])
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountKey=secret;nonsense")
    stores.file_system.cache_clear()
    with pytest.raises(BadUsage) as told:
        stores.standing(Url("az://scans/t.csv"))
    assert "secret" not in str(told.value)


def test_who_asks_again_themselves_are_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "FIRST_WAIT", 0.0)
    asked: list[str] = []

    def ask(code: str) -> None:
        asked.append(code)
        raise DocumentError(code, "no")

    for scheme, code, times in (
        ("gs", "io_error", 1), ("az", "io_error", 1), ("s3", "io_error", stores.ATTEMPTS), ("gs", "changing", stores.ATTEMPTS),
    ):  # fmt: skip
        asked.clear()
        with pytest.raises(DocumentError):
            stores.patiently(lambda code=code: ask(code), Url(f"{scheme}://scans/a.png"))  # type: ignore[misc]
        assert len(asked) == times
