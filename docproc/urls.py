"""Documents and tables by URL: which URLs are supported, and which parts of one may be shown.

A URL may hold secrets, such as `https://name:password@host/` or a signed query. It is passed whole to the process that opens
it; only `str(url)`, which has no secrets, is kept or shown.
"""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from docproc.errors import BadUsage

Stamp = tuple[int, int, int]  # to detect changes: bytes, ns of the last change, and a tag, such as that of the directory entry

STORES = ("s3", "gs", "az", "abfs", "abfss")  # that have folders
WEB = ("http", "https")
PACKED = "zip"  # zip://MEMBER::ARCHIVE, as in fsspec
SCHEMES = (*STORES, *WEB, "file", PACKED)
MEMBER_OF = "::"

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_HOST = re.compile(r"([^:\[\]]*|\[[^\]]*\])(:\d*)?")  # with a port
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://\S+")
_SIGNED = re.compile(r"[?&](X-Amz-|X-Goog-|AWSAccessKeyId=|Signature=|sig=)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Url:
    """The URL of an object, or of a folder of objects if it ends in "/"."""

    text: str = field(repr=False)  # complete, including any secrets
    stamp: Stamp | None = field(default=None, compare=False, repr=False)  # as listed, if it was

    def __str__(self) -> str:
        return shown(self.text)

    def __fspath__(self) -> str:  # so that it is stored and sorted like a file path
        return str(self)

    @property
    def scheme(self) -> str:
        """The scheme in lower case."""
        return _scheme(self.text)

    @property
    def name(self) -> str:
        """The last part; for a store or server its name."""
        member, archive = self.packed or ("", None)
        whole = member or str(archive or self)
        return posixpath.basename(whole.rstrip("/")) or "url"

    @property
    def suffix(self) -> str:
        """The suffix, as for a path."""
        return posixpath.splitext(self.name)[1]

    @property
    def packed(self) -> tuple[str, Url] | None:
        """The member and the archive of `zip://MEMBER::ARCHIVE`; None for any other URL."""
        if self.scheme != PACKED:
            return None
        member, _, archive = self.text[len(PACKED) + 3 :].partition(MEMBER_OF)
        return member, Url(archive, self.stamp)

    @property
    def store(self) -> str:
        """The bucket or server, with its scheme."""
        inner = self.packed[1] if self.packed else self
        return "/".join(inner.text.split("/")[:3])

    def child(self, name: str) -> Url:
        """An object in this folder."""
        return Url(f"{self.text.rstrip('/')}/{name}")

    def member(self, name: str) -> Url:
        """A member of this archive."""
        return Url(f"{PACKED}://{name}{MEMBER_OF}{self.text}", self.stamp)


Place = Path | Url
"""The location of a document: one string with which any process can open it."""


def is_url(text: str) -> bool:
    """Whether a text is a URL and not a path; a Windows drive is not a URL."""
    return _SCHEME.match(text) is not None


def located(given: str | os.PathLike[str]) -> Place:
    """A path or URL. `file://` gives a path, and so does a member of an archive that is a file.

    Raises BadUsage for an unsupported URL, with a message that contains none of its secrets.
    """
    text = given.text if isinstance(given, Url) else os.fspath(given)
    if not is_url(text):
        return Path(given)
    scheme = _scheme(text)
    if scheme not in SCHEMES:
        raise BadUsage(f"{scheme}:// is not read; docproc takes paths and {', '.join(f'{one}://' for one in SCHEMES)}")
    if scheme == "file":
        parts = urlsplit(text)
        if parts.netloc not in ("", "localhost"):
            raise BadUsage(f"{shown(text)}: a file of another machine; write file:///folder/scan.png")
        return Path(re.sub(r"^/(?=[A-Za-z]:)", "", unquote(parts.path)))  # as in file:///C:/scans
    if scheme == PACKED:
        return _member_place(text)
    _refuse_secrets(text, scheme)
    if scheme in WEB and shown(text).endswith("..."):
        raise BadUsage(f"{shown(text)} is no web address; a slash in a name or password is written %2F")
    if not text[len(scheme) + 3 :].strip("/"):
        raise BadUsage(f"{scheme}:// lacks the name of a {'server' if scheme in WEB else 'bucket'} behind it")
    return Url(text)


def _member_place(text: str) -> Place:
    member, mark, archive = text[len(PACKED) + 3 :].partition(MEMBER_OF)
    if not mark or not archive:
        raise BadUsage(f"{shown(text)}: name the archive behind ::, for example zip://scan.png::s3://bucket/scans.zip")
    if member.endswith(("/", "*")):
        raise BadUsage(f"{shown(text)}: name one document in the archive, or the archive itself")
    inner = located(archive)
    if isinstance(inner, Path):
        return inner / member
    return inner.member(member.lstrip("/")) if member else inner


def _refuse_secrets(text: str, scheme: str) -> None:
    """Raises BadUsage if a store's URL contains credentials: stores take them from the environment."""
    user, at, _ = text[len(scheme) + 3 :].partition("/")[0].rpartition("@")
    if scheme in STORES and ((at and (":" in user or scheme in ("s3", "gs"))) or _SIGNED.search(text)):
        raise BadUsage(f"{shown(text)}: credentials belong in the environment, where the store's tools look for them")


def shown(text: str) -> str:
    """A URL without possible secrets: name and password, and the query of a web address. A path stays as it is."""
    if not is_url(text):
        return text
    scheme = _scheme(text)
    rest = text[len(scheme) + 3 :]
    if scheme == PACKED and MEMBER_OF in rest:
        member, _, archive = rest.partition(MEMBER_OF)
        return f"{scheme}://{member}{MEMBER_OF}{shown(archive)}"
    host, slash, path = rest.partition("/")
    user, at, name = host.rpartition("@")
    if at and scheme.startswith("abfs") and ":" not in user:  # a container, as in container@account
        name = host
    if scheme not in STORES:
        name, path = re.split(r"[?#]", name)[0], re.split(r"[?#]", path)[0]
        if not _HOST.fullmatch(name):  # a slash in a password
            return f"{scheme}://..."
    elif signed := _SIGNED.search(path):
        path = path[: signed.start()]
    return f"{scheme}://{name}{slash}{path}"


def words_shown(command: str) -> str:
    """A command line or message, with its URLs as in `shown`."""
    return _WORD.sub(lambda found: shown(found[0]), command)


def _scheme(text: str) -> str:
    found = _SCHEME.match(text)
    return found[1].lower() if found else ""
