"""Objects are listed, read and written through a real HTTP server, which fails at times."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from itertools import cycle

import pytest

pytest.importorskip("s3fs", reason="needs s3fs (the extra `cloud`)")
pytest.importorskip("moto", reason="needs moto, a store for tests")

from docproc import stores
from docproc.errors import BadInput, BadUsage, CannotWrite, DocumentError
from docproc.files import find_documents, read_content
from docproc.options import Limits
from docproc.urls import Url
from tests.store import SECRET, Store, serving


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    stores.file_system.cache_clear()
    monkeypatch.setattr(stores, "FIRST_WAIT", 0.001)
    with serving() as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        yield one
    stores.file_system.cache_clear()


def packed(*members: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def test_a_folder_is_listed_page_by_page_and_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "PAGE_KEYS", 5)
    store.put((f"in/{number:02}.png", b"%d" % number) for number in range(12))
    store.put(
        [("in/sub/a.png", b"a"), ("in/.hidden/b.png", b"b"), ("in/notes.txt", b"n"), ("in/folder/", b""), ("other.png", b"")]
    )
    documents, passed = find_documents([store.url("in/")])
    assert [one.name for one in documents] == [*(f"{number:02}.png" for number in range(12)), "sub/a.png"]
    assert [(one.document.name, one.why) for one in passed] == [("notes.txt", "not an image or PDF")]
    content = read_content(documents[7].path, Limits())
    assert content.data == b"7"
    assert isinstance(documents[7].path, Url)
    assert (content.size, content.modified, content.changed) == documents[7].path.stamp  # the list and the object agree
    assert len(find_documents([store.url("in")], recursive=False)[0]) == 12


def test_one_object_a_folder_and_nothing(store: Store) -> None:
    store.put([("in/a.png", b"a"), ("b.png", b"b")])
    ((one,), _) = find_documents([store.url("in/a.png")])
    assert (one.name, str(one.path)) == ("a.png", f"s3://{store.bucket}/in/a.png")
    both, _ = find_documents([store.url("in/"), store.url("b.png")])
    assert [one.name for one in both] == ["a.png", "b.png"]
    with pytest.raises(BadInput, match="there is no such object"):
        find_documents([store.url("none.png")])
    with pytest.raises(BadInput, match="NoSuchBucket"):
        find_documents([Url("s3://no-such-bucket/in/")])


def test_an_archive_in_a_store_is_a_folder(store: Store) -> None:
    store.put([("in/s.zip", packed(("monday/a.png", b"a" * 9000), ("x.txt", b"x"))), ("in/bad.zip", b"PK\3\4 damaged")])
    documents, passed = find_documents([store.url("in/")])
    assert [one.name for one in documents] == ["bad.zip", "s.zip/monday/a.png"]
    assert [one.document.name for one in passed] == ["s.zip/x.txt"]
    assert str(documents[1].path) == f"zip://monday/a.png::s3://{store.bucket}/in/s.zip"
    assert read_content(documents[1].path, Limits()).data == b"a" * 9000
    with pytest.raises(DocumentError, match="the limit is 10"):
        read_content(documents[1].path, Limits(file_bytes=10))
    ((member,), _) = find_documents([documents[1].path])
    assert member.name == "a.png"


def test_limits_and_empty_objects(store: Store) -> None:
    store.put([("a.png", b"12345"), ("none.png", b"")])
    assert stores.read(store.url("a.png"), 5)[0] == b"12345"
    with pytest.raises(DocumentError) as told:
        stores.read(store.url("a.png"), 4)
    assert told.value.code == "file_too_large"
    with pytest.raises(DocumentError) as told:
        read_content(store.url("none.png"), Limits())
    assert told.value.code == "empty"


@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_a_store_that_fails_now_and_then_is_asked_again(store: Store, code: str) -> None:
    store.put([("in/a.png", b"a")])
    turns = cycle([code, code, ""])
    store.fault = lambda method, path: next(turns)
    store.asked.clear()
    assert stores.read(store.url("in/a.png"), 9)[0] == b"a"
    assert store.asked == {"HEAD": 3, "GET": 3}
    assert len(find_documents([store.url("in/")])[0]) == 1


def test_a_store_that_always_fails_is_asked_a_few_times(store: Store) -> None:
    store.put([("a.png", b"a")])
    store.asked.clear()
    store.fault = lambda method, path: "SlowDown"
    with pytest.raises(DocumentError) as told:
        stores.read(store.url("a.png"), 9)
    assert told.value.code == "io_error"
    assert "503" in str(told.value)
    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None
    assert store.asked["HEAD"] == stores.ATTEMPTS


def test_what_is_forbidden_is_asked_once(store: Store) -> None:
    store.put([("a.png", b"a")])
    store.asked.clear()
    store.fault = lambda method, path: "AccessDenied"
    with pytest.raises(DocumentError) as told:
        stores.read(store.url("a.png"), 9)
    assert told.value.code == "permission"
    assert store.asked["HEAD"] == 1
    with pytest.raises(BadInput, match="the store refuses it"):
        find_documents([store.url("in/")])
    with pytest.raises(CannotWrite, match="the store refuses it"):
        stores.remove([store.url("a.png")])


def test_an_object_that_is_replaced_while_it_is_read_is_read_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores, "CHUNK_BYTES", 4)
    store.put([("a.png", b"1" * 10)])
    replaced: list[str] = []

    def replace(method: str, path: str) -> str:
        # After the first part was sent.
        if method == "GET" and not replaced and store.asked["GET"] == 2:
            replaced.append(path)
            store.put([("a.png", b"2" * 10)])
        return ""

    store.asked.clear()
    store.fault = replace
    data, stamp = stores.read(store.url("a.png"), 100)
    assert replaced
    assert (data, stamp) == (b"2" * 10, stores.stamp_of(store.url("a.png")))


def test_without_credentials(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/none")
    for ask in (
        lambda: find_documents([store.url("in/")]),
        lambda: find_documents([store.url("in/a.png")]),
        lambda: stores.check_access([store.url("in/a.png")]),
        lambda: stores.standing(store.url("t.csv")),
    ):
        with pytest.raises(BadUsage, match="no credentials for s3://; set AWS_ACCESS_KEY_ID"):
            ask()
    with pytest.raises(DocumentError) as told:
        read_content(store.url("in/a.png"), Limits())
    assert told.value.code == "permission"


def test_many_stamps_at_once(store: Store) -> None:
    store.put((f"{number}.png", b"%d" % number) for number in range(20))
    urls = [store.url(f"{number}.png") for number in range(21)]
    assert set(stores.stamps(urls)) == set(urls[:20])
