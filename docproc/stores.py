"""Objects in stores and on web servers, listed, read and written through fsspec, which is imported on first use.

Credentials are those that the store's own tools take from the environment. A store's answers are never shown verbatim, because
they may repeat credentials: only the code of an error is shown. Every request can be repeated, and is retried a few times.
"""

from __future__ import annotations

import errno
import hashlib
import io
import logging
import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

from docproc.errors import BadInput, BadUsage, CannotWrite, DocumentError, MissingPart
from docproc.urls import STORES, WEB, Stamp, Url

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", **dict.fromkeys(("az", "abfs", "abfss"), "adlfs"), **dict.fromkeys(WEB, "aiohttp")}
TOOLS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}  # fmt: skip
"""The environment variables that hold credentials, by scheme."""

ATTEMPTS = 6  # per request, until it counts as failed [guess]
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0  # seconds, at most, before the first retry and before any retry [guess]
CONNECT_SECONDS, ANSWER_SECONDS = 10, 30  # until a store counts as unresponsive [guess]
CHUNK_BYTES = 16 << 20  # of an object per request [guess]
AHEAD_BYTES = 1 << 16  # prefetched with each read from an archive [guess]
PAGE_KEYS = 1_000  # per page of a listing; the maximum of S3 [standard]
STAMPS_AT_ONCE = 16  # requests [guess]
PASSING = ("io_error", "changing")
"""Codes of errors that may go away on another attempt."""
SELF_RETRYING = ("gs", "az", "abfs", "abfss")
"""Schemes whose packages retry failed requests themselves, with jitter. Retries here would multiply theirs."""
LOGGERS = ("azure", "gcsfs", "google")
"""Loggers of these packages, which would print to the terminal if no logging is set up."""

_UNSIGNED = (
    "NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "ProfileNotFound", "NoAuthTokenError",
    "TokenRetrievalError", "SSOError", "DefaultCredentialsError", "CredentialUnavailableError",
)  # fmt: skip
_CODE = re.compile(r"[A-Za-z0-9.]{1,40}")
_ETAGS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "Last-Modified")

Got = TypeVar("Got")


class NoCredentials(DocumentError):
    """The store requires credentials, and the environment has none."""


class Entry(NamedTuple):
    """An object that was listed."""

    key: str  # after the name of the folder
    stamp: Stamp


# ------------------------------------------------------------------------------------------------ asking


@lru_cache
def file_system(scheme: str) -> Any:
    """The fsspec file system for a scheme. Raises MissingPart if it is not installed, BadUsage without an account."""
    package = PACKAGES[scheme]
    try:
        import fsspec

        import_module(package)
    except ImportError as problem:
        raise MissingPart(f"{scheme}:// needs more packages: pip install fsspec {package}") from problem
    for name in LOGGERS:
        logging.getLogger(name).addHandler(logging.NullHandler())
    options: dict[str, Any] = {"use_listings_cache": False, "skip_instance_cache": True}
    if scheme == "s3":
        # Its own retries have no jitter; and those of two layers multiply.
        options["config_kwargs"] = {
            "retries": {"max_attempts": 0}, "connect_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS,
        }  # fmt: skip
    try:
        system = fsspec.filesystem(scheme, **options)
    except ValueError:  # adlfs does nothing without an account; its message may contain a key
        raise BadUsage(f"the credentials for {scheme}:// are missing or malformed; set {_variables(scheme)}") from None
    if scheme == "s3":
        system.retries = 1
    return system


def _variables(scheme: str) -> str:
    return TOOLS.get(scheme, TOOLS["az"])


def patiently(ask: Callable[[], Got], url: Url, passing: Sequence[str] = PASSING) -> Got:
    """The result of a repeatable request, retried after transient failures. Raises DocumentError."""
    for attempt in count(1):
        try:
            return ask()
        except (BadUsage, MissingPart):
            raise
        except Exception as problem:
            found = _told(problem, url)
        last = 1 if found.code == "io_error" and url.scheme in SELF_RETRYING else ATTEMPTS
        if found.code not in passing or attempt >= last:
            # The store's message is dropped, because it may contain secrets.
            raise found from None
        time.sleep(random.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**attempt)))
    raise AssertionError


def _told(problem: Exception, url: Url) -> DocumentError:
    """A failure in our own words."""
    if isinstance(problem, DocumentError):
        return problem
    if isinstance(problem, _Unread):
        return problem.told
    causes = [problem]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) and isinstance(cause, Exception) and cause not in causes:
        causes.append(cause)
    code = next((code for one in causes if (code := _code(one))), "")
    # Without credentials, gcsfs sends anonymous requests, which are answered with 401.
    if any(type(one).__name__ in _UNSIGNED for one in causes) or (code == "401" and url.scheme not in WEB):
        return NoCredentials("permission", f"no credentials for {url.scheme}://; set {_variables(url.scheme)}")
    if code in ("412", "PreconditionFailed") or any(type(one).__name__ == "FileExpired" for one in causes):
        return DocumentError("changing", "the object was replaced while it was read")
    if code in ("401", "403") or (isinstance(problem, PermissionError) and not code.startswith("5")):
        return DocumentError("permission", f"the store refuses it ({code or 'no permission'})")
    if code in ("404", "410", "NoSuchKey", "NoSuchBucket") or (isinstance(problem, FileNotFoundError) and not code):
        return DocumentError("not_found", f"there is no such object{f' ({code})' if code == 'NoSuchBucket' else ''}")
    return DocumentError("io_error", f"the store does not give it ({code or type(problem).__name__})")


def _code(problem: Exception) -> str:
    """The code of an answer, such as SlowDown or 503; "" if there is none."""
    answer = getattr(problem, "response", None)
    if isinstance(answer, dict):
        given = answer.get("Error", {}).get("Code") or answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        named = (getattr(problem, name, None) for name in ("status", "status_code", "error_code", "code"))
        given = next((one for one in named if one is not None), None)
    return str(given) if isinstance(given, str | int) and _CODE.fullmatch(str(given)) else ""


def _stamp(known: dict[str, Any]) -> Stamp:
    """A stamp to detect changes, the same from a listing as from the object: servers give times only in whole seconds."""
    etag = next((str(known[name]).strip('"') for name in _ETAGS if known.get(name)), "")
    mark = int.from_bytes(hashlib.sha256(etag.encode("utf-8", "replace")).digest()[:7], "big") if etag else 0
    changed = next((known[name] for name in _TIMES if known.get(name)), None)
    size = known.get("size", known.get("Size"))
    return -1 if size is None else int(size), _seconds(changed) * 1_000_000_000, mark


def _seconds(when: Any) -> int:
    if isinstance(when, int | float):
        return int(when)
    try:
        if isinstance(when, str):
            from email.utils import parsedate_to_datetime

            when = parsedate_to_datetime(when) if "," in when else datetime.fromisoformat(when)
        return int(when.timestamp()) if isinstance(when, datetime) else 0
    except ValueError:
        return 0


# ----------------------------------------------------------------------------------------------- listing


def found(url: Url) -> Url | None:
    """The existing object of a URL, or None if it is a folder. Raises BadUsage or BadInput."""
    if url.scheme in WEB and str(url).endswith("/"):
        raise BadUsage(f"{url}: web servers have no folders; list the documents with --input-list")
    if url.text.endswith("/") or (url.scheme in STORES and "/" not in url.text.partition("://")[2]):
        return None
    inner = url.packed[1] if url.packed else url
    known = asked(lambda: _info(inner), url)
    return None if known["type"] == "directory" else replace(url, stamp=_stamp(known))


def asked(ask: Callable[[], Got], url: Url) -> Got:
    """Like `patiently`, for errors that have no row. Raises BadUsage without credentials, BadInput for anything else."""
    try:
        return patiently(ask, url)
    except NoCredentials as problem:
        raise BadUsage(str(problem)) from None
    except DocumentError as problem:
        raise BadInput(f"{url}: {problem}") from None


def check_access(urls: Iterable[Url]) -> None:
    """Request one object from each store, so that a run does not begin without credentials. Raises BadUsage."""
    for url in urls:
        inner = url.packed[1] if url.packed else url
        try:
            patiently(lambda one=inner: seen(one), inner)  # type: ignore[misc]
        except NoCredentials as problem:
            raise BadUsage(str(problem)) from None
        except DocumentError:
            continue  # its row will say so


def listing(url: Url, *, recursive: bool) -> Iterator[Entry]:
    """The objects in a folder, in the order listed; the answers are not kept. Raises BadUsage or BadInput."""
    root = url.text.rstrip("/") + "/"
    pages = _s3_pages(url, root, recursive) if url.scheme == "s3" else _walked(url, root, recursive)
    for page in pages:
        for key, known in page:
            if key and not key.endswith("/"):
                yield Entry(key, _stamp(known))


def _s3_pages(url: Url, root: str, recursive: bool) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    bucket, _, prefix = root.partition("://")[2].partition("/")
    asking: dict[str, Any] = {"Bucket": bucket, "Prefix": prefix, "MaxKeys": PAGE_KEYS}
    if not recursive:
        asking["Delimiter"] = "/"
    while True:
        answer = asked(lambda: file_system("s3").call_s3("list_objects_v2", **asking), url)
        yield [(known["Key"][len(prefix) :], known) for known in answer.get("Contents", ())]
        if not answer.get("IsTruncated"):
            return
        asking["ContinuationToken"] = answer["NextContinuationToken"]


def _walked(url: Url, root: str, recursive: bool) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    """The entries folder by folder, as fsspec returns them."""
    system = file_system(url.scheme)
    top = system._strip_protocol(root).rstrip("/")
    waiting = [top]

    def entries_of(folder: str) -> list[dict[str, Any]]:
        try:
            return cast("list[dict[str, Any]]", system.ls(folder, detail=True))
        except FileNotFoundError:  # if no object has the prefix; S3 answers with an empty list
            return []

    while waiting:
        folder = waiting.pop()
        entries = asked(partial(entries_of, folder), url)
        if recursive:
            waiting += [one["name"].rstrip("/") for one in entries if one["type"] == "directory"]
        yield [(one["name"][len(top) + 1 :], one) for one in entries if one["type"] == "file"]


def stamps(urls: Iterable[Url]) -> dict[Url, Stamp]:
    """Stamps of objects that were not listed; none for those that are not accessible. Raises BadUsage."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(STAMPS_AT_ONCE) as threads:
        return {url: known for url, known in threads.map(lambda url: (url, stamp_of(url)), urls) if known}


def stamp_of(url: Url) -> Stamp | None:
    """The stamp of an object; for a member of an archive, that of the archive. None if it is not accessible."""
    inner = url.packed[1] if url.packed else url
    try:
        return patiently(lambda: seen(inner), inner)
    except DocumentError:
        return None


def seen(url: Url) -> Stamp:
    """The stamp of an object, without retries. Raises whatever fsspec raises."""
    return _stamp(_info(url))


def _info(url: Url) -> dict[str, Any]:
    return cast("dict[str, Any]", file_system(url.scheme).info(_path(url)))


def _path(url: Url) -> str:
    return cast(str, file_system(url.scheme)._strip_protocol(url.text))


# ----------------------------------------------------------------------------------------------- reading


def read(url: Url, most: int) -> tuple[bytes, Stamp]:
    """The content of an object of at most `most` bytes, and its stamp. Raises DocumentError."""
    if url.scheme == "s3":  # whose parts can be retried one by one
        return patiently(lambda: _read(url, most, patiently), url, ("changing",))
    return patiently(lambda: _read(url, most, lambda ask, _: ask()), url)


def _read(url: Url, most: int, get: Callable[[Callable[[], Any], Url], Any]) -> tuple[bytes, Stamp]:
    with _opened(url, get) as (file, stamp):
        if stamp[0] > most:
            raise DocumentError("file_too_large", f"{stamp[0]} bytes, the limit is {most}")
        data = io.BytesIO()
        while data.tell() <= most and (part := get(partial(file.read, min(CHUNK_BYTES, most + 1 - data.tell())), url)):
            data.write(part)
    if data.tell() > most:
        raise DocumentError("file_too_large", f"more than {most} bytes")
    if stamp[0] >= 0 and data.tell() != stamp[0]:
        raise DocumentError("changing", "the object changed while it was read")
    return data.getvalue(), stamp


@contextmanager
def _opened(url: Url, get: Callable[[Callable[[], Any], Url], Any]) -> Iterator[tuple[Any, Stamp]]:
    """An object to read from its beginning, and its stamp: all data are of one version.

    Raises DocumentError if it changed, and whatever fsspec raises.
    """
    system, path = file_system(url.scheme), _path(url)
    if url.scheme == "s3":  # reads request the version from when the object was opened
        with get(lambda: system.open(path, "rb", cache_type="none"), url) as file:
            yield file, _stamp(file.details)
        return
    before = seen(url)
    # A web server may not support range requests.
    plain = {"block_size": 0, "size": max(0, before[0])} if url.scheme in WEB else {"cache_type": "none"}
    with system.open(path, "rb", **plain) as file:
        yield file, before
    if seen(url) != before:
        raise DocumentError("changing", "the object was replaced while it was read")


@contextmanager
def opened_anywhere(url: Url) -> Iterator[BinaryIO]:
    """An object for random access in small parts. Raises OSError, also later when it is read."""
    with _unread_told(url):
        file = file_system(url.scheme).open(_path(url), "rb", cache_type="readahead", block_size=AHEAD_BYTES)
    with file:
        yield io.BufferedReader(_Parts(file, url))


class _Unread(OSError):
    """A failed read from a store."""

    def __init__(self, told: DocumentError) -> None:
        super().__init__(errno.EIO, str(told))
        self.told = told


@contextmanager
def _unread_told(url: Url) -> Iterator[None]:
    try:
        yield
    except Exception as problem:
        raise _Unread(_told(problem, url)) from None


class _Parts(io.RawIOBase):
    """An fsspec file whose failures are all raised as file errors."""

    def __init__(self, file: Any, url: Url) -> None:
        self._file, self._url = file, url

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def readinto(self, buffer: Any) -> int:
        with _unread_told(self._url):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


# ----------------------------------------------------------------------------------------------- writing


def put(local: Path, url: Url) -> None:
    """Write a file as an object, atomically. Raises BadUsage without credentials, or CannotWrite."""
    _written(lambda: file_system(url.scheme).put_file(str(local), _path(url)), url)


def copy(url: Url, target: Url) -> None:
    """Copy an object within its store. Raises CannotWrite."""
    _written(lambda: file_system(url.scheme).cp_file(_path(url), _path(target)), target)


def remove(urls: Iterable[Url]) -> None:
    """Remove objects; a missing one is not an error. Raises CannotWrite."""
    for url in urls:
        _written(partial(_removed, url), url)


def _removed(url: Url) -> None:
    try:
        file_system(url.scheme).rm_file(_path(url))
    except Exception as problem:
        told = _told(problem, url)
        if told.code != "not_found" or "Bucket" in str(told):
            raise


def _written(write: Callable[[], object], url: Url) -> None:
    try:
        patiently(write, url)
    except NoCredentials as problem:
        raise BadUsage(str(problem)) from None
    except DocumentError as problem:
        why = "there is no such bucket or container" if problem.code == "not_found" else str(problem)
        raise CannotWrite(f"cannot write {url}: {why}; what was read is kept: run again") from None


def standing(url: Url) -> Stamp | None:
    """The stamp of an object; None if it does not exist. Raises BadUsage without credentials, or BadInput."""
    try:
        return patiently(lambda: seen(url), url)
    except NoCredentials as problem:
        raise BadUsage(str(problem)) from None
    except DocumentError as problem:
        if problem.code != "not_found" or "Bucket" in str(problem):
            raise BadInput(f"{url}: {problem}") from None
        return None
