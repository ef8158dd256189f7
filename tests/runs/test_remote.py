"""Runs over documents in a store, and tables that are written to one."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("s3fs", reason="needs s3fs (the extra `cloud`)")
pytest.importorskip("moto", reason="needs moto, a store for tests")

from docproc import stores
from docproc.errors import BadInput, BadUsage, CannotWrite, DocumentError, OutputExists
from docproc.options import RunRequest, Shard, table_place
from docproc.runs import remote
from docproc.runs.audit import verify
from docproc.runs.batch import Summary, run
from docproc.runs.editing import open_edits, rewrite_table
from docproc.runs.edits import edit_of
from docproc.runs.journal import Journal
from docproc.runs.scans import Scans
from docproc.types import Row
from docproc.urls import Place, Url, located
from tests.cli.program import docproc, table
from tests.conftest import PROJECT, draw_field
from tests.runs.faulty import LIMITS, open_faulty
from tests.store import SECRET, Store, serving

pytestmark = pytest.mark.thorough

PAGES = 24


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    stores.file_system.cache_clear()
    with serving() as one:
        for name, value in one.environment.items():
            monkeypatch.setenv(name, value)
        yield one
    stores.file_system.cache_clear()


def fill(store: Store, count: int = PAGES) -> None:
    store.put((f"in/{number // 10}/page_{number:05}.png", str(number).encode()) for number in range(count))


def request(inputs: Sequence[Place], output: Place, journal: Path | None = None, **others: Any) -> RunRequest:
    kept, target = table_place(output, journal)
    limits = replace(LIMITS, seconds=30.0)
    return RunRequest(tuple(inputs), kept, "digits", jobs=2, target=target, limits=limits, **others)


def read(*given: Any, **others: Any) -> Summary:
    return run(request(*given, **others), opener=open_faulty)


def rows_of(journal: Path) -> list[Row]:
    with Journal.look(journal) as opened:
        return list(opened.rows())


# ------------------------------------------------------------------------------------------------- documents


def test_the_table_of_a_store_is_that_of_the_same_files(store: Store, tmp_path: Path) -> None:
    fill(store)
    for number in range(PAGES):
        file = tmp_path / "in" / str(number // 10) / f"page_{number:05}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(number))
    assert read([tmp_path / "in"], tmp_path / "files.csv").failed == 0
    assert read([store.url("in/")], tmp_path / "store.csv").failed == 0
    assert (tmp_path / "store.csv").read_bytes() == (tmp_path / "files.csv").read_bytes()
    both = [
        read([store.url("in/")], tmp_path / f"{part}.csv", shard=Shard(part, 2), as_of=date(2026, 11, 28)).documents
        for part in (1, 2)
    ]
    assert sum(both) == PAGES
    assert min(both) > 0


def test_a_run_that_goes_on_asks_for_what_is_new(store: Store, tmp_path: Path) -> None:
    fill(store)
    output = tmp_path / "t.csv"
    read([store.url("in/")], output)
    store.put([("in/0/page_00003.png", b"33"), ("in/new.png", b"7")])
    store.asked.clear()
    summary = read([store.url("in/")], output, resume=True)
    assert (summary.documents, summary.read) == (PAGES + 1, 2)
    assert {row["text"] for row in table(output) if row["document"] in ("0/page_00003.png", "new.png")} == {"33", "7"}
    assert store.asked["GET"] <= 2 + 2  # the listing, and two objects


def test_an_object_that_is_replaced_after_it_was_listed(store: Store, tmp_path: Path) -> None:
    fill(store)
    output, last = tmp_path / "t.csv", f"in/{(PAGES - 1) // 10}/page_{PAGES - 1:05}.png"
    done: list[str] = []

    def replace_last(method: str, path: str) -> str:
        if method == "HEAD" and not done:  # the first document is opened
            done.append(path)
            store.put([(last, b"999")])
        return ""

    store.fault = replace_last
    read([store.url("in/")], output)
    texts = {row["text"] for row in table(output) if row["document"] == last.removeprefix("in/")}
    assert texts == {"999"}
    assert read([store.url("in/")], output, resume=True).read == 0  # what was read is what is there
    assert list(verify(output)) == []
    store.put([(last, b"1000")])
    assert list(verify(output)) == [f"{last.removeprefix('in/')}: changed since it was read"]


def test_lists_of_documents(store: Store, tmp_path: Path) -> None:
    fill(store, 2)
    (tmp_path / "a.png").write_text("5")
    names = [str(store.url("in/0/page_00000.png")), str(tmp_path / "a.png"), str(store.url("in/none.png")), "nowhere.png"]
    plain = tmp_path / "list.txt"
    plain.write_text("\n".join(names) + "\r\n\n")
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    packed = tmp_path / "list.parquet"
    parquet.write_table(pyarrow.table({"other": [1] * 4, "document": names}), packed)
    tables = []
    for given in (plain, packed):
        output = tmp_path / f"{given.suffix[1:]}.csv"
        summary = read([], output, lists=(given,))
        assert (summary.documents, summary.failed) == (4, 2)
        rows = table(output)
        assert {row["document"] for row in rows} == {*names}
        assert {row["document"]: row["reason"].partition(":")[0] for row in rows if row["status"] == "error"} == dict.fromkeys(
            names[2:], "not_found"
        )
        tables.append(output.read_bytes())
    assert tables[0] == tables[1]
    store.put([("in/none.png", b"1")])
    again = read([], tmp_path / "txt.csv", lists=(plain,), resume=True)
    assert (again.read, again.failed) == (2, 1)  # those that were missing
    assert read([], tmp_path / "txt.csv", lists=(plain,), resume=True).read == 1
    bad = tmp_path / "bad.txt"
    bad.write_text("s3://bucket/a.png\nftp://u:geheim@host/a.png\n")
    with pytest.raises(BadUsage, match=r"bad\.txt: ftp:// is not read"):
        read([], tmp_path / "t.csv", lists=(bad,))
    parquet.write_table(pyarrow.table({"name": names}), packed)
    with pytest.raises(BadInput, match="no column document; there are name"):
        read([], tmp_path / "t.csv", lists=(packed,))


@pytest.mark.skipif(find_spec("ray") is None, reason="needs Ray (the extra `ray`)")
def test_a_cluster_reads_from_a_store_what_a_plain_run_reads(store: Store, tmp_path: Path) -> None:
    from PIL import Image

    for number in range(PAGES):
        png = io.BytesIO()
        Image.fromarray(draw_field(str(1407 * (number + 3)))).save(png, "PNG")
        store.put([(f"in/{number % 3}/{number:02}.png", png.getvalue())])
    store.put([("in/bad.png", b"no picture")])
    chance = random.Random(7)
    store.fault = lambda method, path: "SlowDown" if method != "PUT" and chance.random() < 0.05 else ""
    given = ("run", store.url("in/"), "--layout", "digits", "-q", "-j", 2)
    for name, engine in (("plain.csv", ()), ("ray.csv", ("--engine", "ray"))):
        done = docproc(*given, "-o", tmp_path / name, *engine)
        assert (done.returncode, (tmp_path / name).exists()) == (1, True), done.stderr  # one is no picture
    assert len(table(tmp_path / "ray.csv")) == PAGES + 1
    assert (tmp_path / "ray.csv").read_bytes() == (tmp_path / "plain.csv").read_bytes()
    parts = docproc(*given, "-o", store.url("out/"), "--journal", tmp_path / "parts.docproc", "--engine", "ray")
    assert parts.returncode == 1, parts.stderr
    assert rows_of(tmp_path / "parts.docproc") == rows_of(tmp_path / "plain.csv")
    assert json.loads(store.get("out/_SUCCESS"))["rows"] == PAGES + 1


def test_scans_in_a_store_are_opened_again_for_review(store: Store, tmp_path: Path) -> None:
    png = io.BytesIO()
    from PIL import Image

    Image.fromarray(draw_field("1407")).save(png, "PNG")
    store.put([("in/a.png", png.getvalue())])
    done = docproc("run", store.url("in/"), "-o", tmp_path / "t.csv", "--layout", "digits", "-j", 1)
    assert done.returncode == 0, done.stderr
    assert [row["text"] for row in table(tmp_path / "t.csv")] == ["1407"]
    with Journal.look(tmp_path / "t.csv") as journal:
        scans, anew, ((_, sha256),) = Scans.of(journal), Scans.of(journal), journal.contents()
        (row,) = journal.rows()
    assert scans.page(sha256, row).gray.shape == draw_field("1407").shape
    explained = docproc("explain", store.url("in/a.png"), "--layout", "digits", cwd=tmp_path)
    assert explained.returncode == 0, explained.stderr
    assert (tmp_path / "a.explain.png").is_file()
    store.put([("in/a.png", b"another")])
    with pytest.raises(DocumentError, match="the scan has changed"):
        anew.page(sha256, row)


# -------------------------------------------------------------------------------------------------- secrets


class _Web(BaseHTTPRequestHandler):
    """A web server that wants a password, and a signature."""

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        known = self.headers.get("Authorization") == "Basic " + base64.b64encode(f"anna:{SECRET}".encode()).decode()
        path, _, query = self.path.partition("?")
        status = 200 if known and query == f"X-Amz-Signature={SECRET}" else 403
        data = path[-5:-4].encode()
        self.send_response(404 if "none" in path else status)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{path}"')
        self.end_headers()
        if body:
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    with web_server(_Web) as host:
        yield host


@contextmanager
def web_server(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A server of its own; its name and port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_no_secret_is_kept_or_told(web: str, tmp_path: Path) -> None:
    whole = [f"http://anna:{SECRET}@{web}/in/{name}.png?X-Amz-Signature={SECRET}" for name in ("p1", "p2", "none3")]
    wrong = f"http://anna:wrong-{SECRET}@{web}/in/p4.png?X-Amz-Signature={SECRET}"
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join([*whole[1:], wrong]))
    output = tmp_path / "out.csv"
    done = docproc("run", whole[0], "--input-list", listed, "-o", output, "-v", "--layout", "digits", "-j", 1)
    assert done.returncode == 1, done.stderr
    assert {row["document"]: row["reason"].partition(":")[0] for row in table(output)} == {
        "p1.png": "not_an_image", f"http://{web}/in/p2.png": "not_an_image", f"http://{web}/in/none3.png": "not_found",
        f"http://{web}/in/p4.png": "permission",
    }  # fmt: skip
    status = docproc("status", output, "--all")
    for told in (done.stdout, done.stderr, status.stdout, status.stderr):
        assert SECRET not in told
    for file in tmp_path.iterdir():
        assert (SECRET.encode() in file.read_bytes()) == (file == listed), file
    again = docproc("run", whole[0], "--input-list", listed, "-o", output, "--resume", "--layout", "digits", "-j", 1)
    assert "2 were read before, 2 now" in again.stderr
    listed.write_text(whole[0].replace("?X-", "/?X-"))
    refused = docproc("run", listed.read_text(), "-o", tmp_path / "other.csv")
    assert (refused.returncode, SECRET in refused.stderr) == (2, False)
    assert "web servers have no folders" in refused.stderr


def test_credentials_missing_end_the_run_at_once(store: Store, tmp_path: Path) -> None:
    fill(store, 1)
    nobody = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_SHARED_CREDENTIALS_FILE": "none",
        "AWS_CONFIG_FILE": "none",
    }
    (tmp_path / "list.txt").write_text(str(store.url("in/0/page_00000.png")))
    (tmp_path / "a.png").write_text("1")
    for arguments in (
        (store.url("in/"), "-o", "t.csv"),
        ("--input-list", "list.txt", "-o", "t.csv"),
        ("a.png", "-o", store.url("t.csv"), "--journal", "t.csv.docproc"),
    ):
        done = docproc("run", *arguments, cwd=tmp_path, **nobody)
        assert done.returncode == 2, done.stderr
        assert done.stderr.splitlines() == [
            "docproc: no credentials for s3://; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        ]
        assert not (tmp_path / "t.csv").exists()


# --------------------------------------------------------------------------------------------------- tables


def test_a_table_as_one_object(store: Store, tmp_path: Path) -> None:
    fill(store)
    read([store.url("in/")], tmp_path / "local.csv")
    target, journal = store.url("out/results.csv"), tmp_path / "kept.docproc"
    summary = read([store.url("in/")], target, journal)
    assert summary.target == target
    assert store.get("out/results.csv") == (tmp_path / "local.csv").read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["kept.docproc", "local.csv", "local.csv.docproc"]
    with pytest.raises(OutputExists, match="Use --resume"):
        read([store.url("in/")], target, journal)
    store.put([("in/new.png", b"7")])
    assert read([store.url("in/")], target, journal, resume=True).read == 1
    assert b"new.png" in store.get("out/results.csv")
    store.put([("out/results.csv", b"somebody else's")])
    with pytest.raises(OutputExists, match="is not what this journal has written"):
        read([store.url("in/")], target, journal, resume=True)
    assert read([store.url("in/")], target, journal, overwrite=True).read == 0
    assert b"new.png" in store.get("out/results.csv")


def test_a_table_in_parts(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "PART_ROWS", 20)
    parquet = pytest.importorskip("pyarrow.parquet")
    fill(store)
    read([store.url("in/")], tmp_path / "local.parquet")
    target, journal = store.url("out/"), tmp_path / "kept.docproc"
    read([store.url("in/")], target, journal)
    parts = [f"out/part-0000{number}.parquet" for number in range(3)]
    assert [key for key in store.listed() if key.startswith("out/")] == ["out/_SUCCESS", *parts]
    assert json.loads(store.get("out/_SUCCESS")) == {"parts": [one.removeprefix("out/") for one in parts], "rows": 2 * PAGES}
    found = [row for key in parts for row in parquet.read_table(io.BytesIO(store.get(key))).to_pylist()]
    assert found == parquet.read_table(tmp_path / "local.parquet").to_pylist()
    monkeypatch.setattr(remote, "PART_ROWS", 40)
    with pytest.raises(OutputExists):
        read([store.url("in/")], target, journal)
    read([store.url("in/")], target, journal, resume=True)
    assert [key for key in store.listed() if key.startswith("out/")] == ["out/_SUCCESS", *parts[:2]]


def test_a_table_that_could_not_be_written_is_written_by_the_next_run(store: Store, tmp_path: Path) -> None:
    fill(store)
    target, journal = store.url("out/"), tmp_path / "kept.docproc"
    store.fault = lambda method, path: "AccessDenied" if method == "PUT" and path.endswith("_SUCCESS") else ""
    with pytest.raises(CannotWrite, match="the store refuses it"):
        read([store.url("in/")], target, journal)
    assert "out/_SUCCESS" not in store.listed()
    with Journal.look(journal) as opened:
        assert (opened.standing().done, opened.note("finished")) == (PAGES, "")
    store.fault = lambda method, path: ""
    assert read([store.url("in/")], target, journal).read == 0
    assert [key for key in store.listed() if key.startswith("out/")] == ["out/_SUCCESS", "out/part-00000.parquet"]


def test_what_people_key_comes_into_the_table_with_the_next_run(store: Store, tmp_path: Path) -> None:
    fill(store, 2)
    target, journal = store.url("results.csv"), tmp_path / "kept.docproc"
    read([store.url("in/")], target, journal)
    with open_edits(journal) as edits:
        (state, *_) = edits.fields()
        edits.add([edit_of(state, "text", "42", who="anna", screen="apply")])
    assert rewrite_table(journal) == f"has its table at {target}: repeat its run with --resume to write that anew"
    read([store.url("in/")], target, journal, resume=True)
    assert b",42," in store.get("results.csv")
    assert docproc("status", journal).returncode == 0


@pytest.mark.parametrize(
    ("output", "journal", "told"),
    [
        ("s3://bucket/t.csv", None, "needs --journal FILE.docproc"),
        ("s3://bucket/t.csv", "t.csv", "the name of a journal ends in .docproc"),
        ("t.csv", "t.docproc", "--journal is for tables at a URL"),
    ],
)
def test_where_a_journal_lies(output: str, journal: str | None, told: str) -> None:
    with pytest.raises(BadUsage, match=told):
        table_place(located(output), Path(journal) if journal else None)


@pytest.mark.parametrize(
    ("output", "told"),
    [("s3://bucket/t.doc", "the format of"), ("https://example.org/t.csv", "tables are written to files, and to")],
)
def test_tables_that_cannot_be_written(output: str, told: str) -> None:
    with pytest.raises(BadUsage, match=told):
        remote.check(Url(output))


# ----------------------------------------------------------------------------------------------------- much


@pytest.mark.slow
def test_two_thousand_documents_in_a_store_that_fails_at_random(store: Store, tmp_path: Path) -> None:
    fill(store, 2000)
    chance = random.Random(7)

    def fault(method: str, path: str) -> str:
        return chance.choice(("SlowDown", "InternalError")) if chance.random() < 0.1 else ""

    store.fault = fault
    summary = read([store.url("in/")], store.url("out/"), tmp_path / "kept.docproc")
    store.fault = lambda method, path: ""
    assert (summary.documents, summary.failed) == (2000, 0)
    assert {row.text for row in rows_of(tmp_path / "kept.docproc")} == {str(number) for number in range(2000)}
    assert json.loads(store.get("out/_SUCCESS"))["rows"] == 4000
    print(f"2000 documents: {sum(store.asked.values())} requests, a tenth of which failed: {dict(store.asked)}")


class _Names(BaseHTTPRequestHandler):
    """A store that lists a million objects and holds none."""

    protocol_version = "HTTP/1.1"
    count = 1_000_000

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        first = int(asked.get("continuation-token", ["0"])[0])
        last = min(self.count, first + 1000)
        objects = "".join(
            f"<Contents><Key>in/{number // 1000:04}/page_{number:07}.png</Key><LastModified>2026-11-28T10:00:00.000Z"
            f"</LastModified><ETag>&quot;{number:032x}&quot;</ETag><Size>{50_000 + number % 1000}</Size></Contents>"
            for number in range(first, last)
        )
        more = (
            f"<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>" if last < self.count else ""
        )
        body = f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{more}{objects}</ListBucketResult>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


PLAN_A_MILLION = """
import sys, time
from pathlib import Path
from docproc import stores
from docproc.documents import settings_for
from docproc.options import RunRequest
from docproc.runs import batch
from docproc.runs.journal import Journal
from docproc.urls import located

def memory():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

request = RunRequest((located("s3://bucket/in/"),), Path(sys.argv[1]), "digits")
settings_for([], request)
stores.file_system("s3")
before, began = memory(), time.process_time()
documents, _ = batch.listed(request)
planned = batch.planned_with(settings_for(documents, request), documents)
with Journal.open(request.output) as journal:
    todo = journal.plan(planned)
    print(len(todo), memory() - before, time.process_time() - began)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="tells its memory as Linux does")
def test_a_million_names_take_little_memory(tmp_path: Path) -> None:
    with web_server(_Names) as host:
        environment = {
            "AWS_ENDPOINT_URL": f"http://{host}", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y",
            "AWS_DEFAULT_REGION": "us-east-1", "PYTHONPATH": str(PROJECT),
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-c", PLAN_A_MILLION, tmp_path / "t.csv"],
            capture_output=True, text=True, env=os.environ | environment, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    count, grown, seconds = map(float, done.stdout.split())
    print(f"{count:.0f} names: {grown / 1e6:.0f} MB, {seconds / count * 1e6:.0f} µs of a core each")
    assert count == _Names.count
    assert grown <= 200e6
