"""What of a URL may be seen, and which URLs there are."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docproc.errors import BadUsage
from docproc.urls import Url, is_url, located, shown, words_shown

SECRET = "geheim"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("https://anna:geheim@example.org/a.png", "https://example.org/a.png"),
        ("https://geheim@example.org:8443/a.png", "https://example.org:8443/a.png"),
        ("https://example.org/a.png?X-Amz-Signature=geheim", "https://example.org/a.png"),
        ("https://example.org/a.png#geheim", "https://example.org/a.png"),
        ("https://example.org?key=geheim", "https://example.org"),
        ("https://anna:ge/geheim@example.org/a.png", "https://..."),
        ("s3://bucket/a.png?X-Amz-Signature=geheim", "s3://bucket/a.png"),
        ("s3://anna:geheim@bucket/a.png", "s3://bucket/a.png"),
        ("az://container/a.png?sv=2&sig=geheim", "az://container/a.png?sv=2"),
        ("zip://a.png::https://anna:geheim@example.org/s.zip?geheim", "zip://a.png::https://example.org/s.zip"),
        ("ftp://anna:geheim@example.org/a.png", "ftp://example.org/a.png"),
    ],
)
def test_secrets_are_not_shown(text: str, told: str) -> None:
    assert shown(text) == str(Url(text)) == os.fspath(Url(text)) == told
    assert SECRET not in repr(Url(text))
    assert shown(told) == told
    if "?" not in told:
        assert words_shown(f"docproc run {text} -o t.csv") == f"docproc run {told} -o t.csv"


@pytest.mark.parametrize(
    "text",
    ["s3://bucket/a b/c?d#e%20.png", "abfss://container@account.dfs.core.windows.net/a.png", "/scans/a?b.png", "C:\\scans"],
)
def test_what_is_no_secret_is_shown(text: str) -> None:
    assert shown(text) == text


@given(st.text(), st.text())
def test_a_web_address_shows_neither_password_nor_query(password: str, query: str) -> None:
    told = shown(f"https://u:zq{password.replace('@', '')}zq@host/p?zq{query}")
    assert "zq" not in told


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("scans/a.png", "scans/a.png"),
        ("file:///scans/a%20b.png", "/scans/a b.png"),
        ("file://localhost/scans/a.png", "/scans/a.png"),
        ("FILE:///a.png", "/a.png"),
        ("file:///C:/scans", "C:/scans"),
        ("zip://monday/a.png::scans.zip", "scans.zip/monday/a.png"),
        ("zip://a.png::file:///scans.zip", "/scans.zip/a.png"),
    ],
)
def test_what_lies_in_a_file_is_a_path(text: str, path: str) -> None:
    assert located(text) == Path(path)


def test_a_member_of_an_archive_in_a_store() -> None:
    url = located("zip://monday/a.png::s3://bucket/scans.zip")
    assert isinstance(url, Url)
    assert url.packed == ("monday/a.png", Url("s3://bucket/scans.zip"))
    assert (url.name, url.suffix, url.store) == ("a.png", ".png", "s3://bucket")
    assert located("zip://::s3://bucket/scans.zip") == Url("s3://bucket/scans.zip")
    assert Url("s3://bucket/scans.zip").member("monday/a.png") == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://anna:geheim@example.org/a.png", "ftp:// is not read"),
        ("s3://AKIA:geheim@bucket/a.png", "credentials belong in the environment"),
        ("s3://bucket/a.png?X-Amz-Signature=geheim", "credentials belong in the environment"),
        ("az://container/a.png?sig=geheim", "credentials belong in the environment"),
        ("https://anna:ge/geheim@example.org/a.png", "is no web address"),
        ("file://elsewhere/a.png", "a file of another machine"),
        ("zip://a.png", "name the archive behind ::"),
        ("zip://monday/::s3://bucket/a.zip", "name one document"),
        ("s3://", "lacks the name of a bucket"),
    ],
)
def test_what_is_no_place_is_refused_in_one_line_without_its_secret(text: str, why: str) -> None:
    with pytest.raises(BadUsage, match=why) as told:
        located(text)
    assert SECRET not in str(told.value)
    assert "\n" not in str(told.value)


def test_a_url_travels_whole_and_is_the_same_whenever_it_was_listed() -> None:
    url = Url("https://anna:geheim@example.org/a.png", (1, 2, 3))
    other = pickle.loads(pickle.dumps(url))
    assert (other.text, other.stamp) == (url.text, url.stamp)
    assert url == Url(url.text)
    assert not is_url("C:\\scans")
