"""`docproc serve`: documents in, rows out; what is hostile, too large, too slow or too much is refused, and nothing is left."""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import openpyxl
import pytest
from PIL import Image

from docproc.documents import settings_for
from docproc.learn.evaluation.digit_images import load_digit
from docproc.options import Limits, RunRequest
from docproc.runs.tables import COLUMNS
from docproc.web import desk, store, uploads
from docproc.web.batches import KEPT_SECONDS, Batches
from docproc.web.desk import Desk
from docproc.web.door import Door, Guard
from docproc.web.serve import serve_app
from docproc.web.server import Serving
from docproc.web.sketch import SIDE, Sketcher
from docproc.web.store import INDEX, Sizes, Store
from tests.conftest import PROJECT, SAMPLES, SHARED, draw_field
from tests.corpus import make_corpus
from tests.web.conftest import OpenPage, serving, violations

pytestmark = pytest.mark.thorough  # starts processes


@dataclass
class Served:
    """A server of `docproc serve` and who may talk to it."""

    server: Serving
    desk: Desk
    client: httpx.Client  # a program

    def post(self, *files: tuple[str, bytes], **query: str) -> httpx.Response:
        return self.client.post("/api/read", files=[("file", one) for one in files], params=query)

    def left(self) -> list[str]:
        return [path.name for path in self.desk.store.folder.iterdir()]

    def raw(self, head: str, *parts: bytes) -> bytes:
        """What comes back for a request to /api/read that is sent in parts."""
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=30) as connection:
            own = f"Host: 127.0.0.1\r\nAuthorization: Bearer {self.server.door.token}\r\nConnection: close\r\n"
            answer = b""
            try:
                connection.sendall(f"POST /api/read HTTP/1.1\r\n{own}{head}\r\n".encode())
                for part in parts:
                    connection.sendall(part)
            except OSError:
                pass  # the answer came before the end
            try:
                while got := connection.recv(65536):
                    answer += got
            except OSError:
                pass
            return answer


def served(sizes: Sizes, keep: Path | None = None, layout: str = "digits") -> Any:
    limits = Limits(file_bytes=sizes.file, seconds=20)
    settings = settings_for([], RunRequest((), Path(), layout, limits=limits))
    made: list[Desk] = []

    def make_app(door: Door) -> Guard:
        made.append(Desk(settings, Store.open(sizes, keep), 2))
        return serve_app(door, made[0], Sketcher("onnx", None))

    return serving(make_app), made


def run_served(sizes: Sizes, keep: Path | None = None, layout: str = "digits") -> Iterator[Served]:
    running, made = served(sizes, keep, layout)
    with running as server:
        headers = {"Authorization": f"Bearer {server.door.token}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", headers=headers, timeout=120) as client:
            yield Served(server, made[0], client)
    assert not made[0].store.folder.exists()


@pytest.fixture(scope="module")
def plain() -> Iterator[Served]:
    yield from run_served(Sizes())


@pytest.fixture(scope="module")
def small() -> Iterator[Served]:
    yield from run_served(Sizes(file=50_000, request=100_000, store=150_000, files=50))


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from run_served(Sizes(), keep=tmp_path_factory.mktemp("around") / "kept")


@pytest.fixture(scope="module")
def checks() -> Iterator[Served]:
    yield from run_served(Sizes(), layout="auto")


def field(text: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(draw_field(text)).save(file, "PNG")
    return file.getvalue()


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return file.getvalue()


BOUNDARY = "Content-Type: multipart/form-data; boundary=b\r\n"
FILE = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n\r\n'


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


# ---------------------------------------------------------------------------------------------------------- API


def test_files_in_rows_out(plain: Served) -> None:
    answer = plain.post(("a.png", field("1407")), ("notes.txt", b"no picture"))
    assert answer.status_code == 200
    rows = answer.json()["rows"]
    assert [(row["document"], row["text"], row["status"]) for row in rows[:1]] == [("a.png", "1407", "ok")]
    assert (rows[1]["status"], rows[1]["reason"].partition(":")[0]) == ("error", "not_an_image")
    assert tuple(rows[0]) == COLUMNS
    assert plain.left() == []


def test_rows_come_as_csv(plain: Served) -> None:
    found = plain.post(("=a.png", field("1407")), ("a.png", field("25")), ("a.png", field("36")), format="csv")
    assert found.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(found.text)))
    assert [(row["document"], row["text"]) for row in rows] == [("./=a.png", "1407"), ("a.png", "25"), ("a.png (2)", "36")]


def test_an_archive_is_a_folder(plain: Served) -> None:
    data = archive(**{"monday/a.png": field("1407"), "b.png": field("25"), "../../c.png": field("36")})
    rows = plain.post(("scans.ZIP", data)).json()["rows"]
    assert [(row["document"], row["text"]) for row in rows] == [("scans.ZIP/b.png", "25"), ("scans.ZIP/monday/a.png", "1407")]


def test_the_description_tells_what_comes(plain: Served) -> None:
    told = plain.client.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    schema = told["components"]["schemas"]["Row"]
    assert tuple(schema["properties"]) == tuple(plain.post(("a.png", field("7"))).json()["rows"][0])
    assert schema["properties"]["page"] == {"type": "integer"}
    text = json.dumps(told)
    for named in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert named in told["components"]["schemas"]


def test_health_needs_no_token_and_rows_do(plain: Served) -> None:
    address = f"http://127.0.0.1:{plain.server.port}"
    assert httpx.get(f"{address}/healthz").json()["status"] == "ok"
    assert httpx.post(f"{address}/api/read", files={"file": b"x"}).status_code == 401


# ------------------------------------------------------------------------------------------------------- limits


def test_what_is_too_large_is_refused_while_it_comes(small: Served) -> None:
    endless = [chunk(FILE), *[chunk(b"x" * 10_000)] * 40]
    cases = {
        "a file": (BOUNDARY + "Transfer-Encoding: chunked\r\n", endless),
        "a request, by what it says": (BOUNDARY + "Content-Length: 900000000000\r\n", [FILE]),
        "too many files": (BOUNDARY + "Transfer-Encoding: chunked\r\n", [chunk(FILE + b"x\r\n")] * 60),
        "ten thousand parts": (BOUNDARY + "Transfer-Encoding: chunked\r\n",
                               [chunk(b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n' * 100)] * 100),
        "text beside files": (BOUNDARY + "Transfer-Encoding: chunked\r\n",
                              [chunk(b'--b\r\nContent-Disposition: form-data; name="n"\r\n\r\n' + b"1" * 110_000)]),
    }  # fmt: skip
    for name, (head, parts) in cases.items():
        assert small.raw(head, *parts).split(b" ")[1:2] == [b"413"], name
        assert small.left() == [], name
    assert small.desk.store.used == 0
    assert small.client.get("/healthz").status_code == 200


def test_nothing_is_read_behind_a_refusal(small: Served) -> None:
    """The connection is closed, whatever more is sent: the server takes little more than its limit."""
    sent = 0
    with socket.create_connection(("127.0.0.1", small.server.port), timeout=30) as connection:
        connection.sendall(f"POST /api/read HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {small.server.door.token}\r\n"
                           f"{BOUNDARY}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk(FILE))  # fmt: skip
        with suppress(OSError):
            while sent < 500_000_000:
                connection.sendall(chunk(b"x" * 100_000))
                sent += 100_000
    # What the system's own buffers hold comes on top.
    assert sent < 30_000_000


def test_what_is_damaged_or_broken_off_is_refused(small: Served) -> None:
    length = "Content-Length: 200\r\n"
    cases = {
        "no form": ("Content-Type: text/plain\r\nContent-Length: 1\r\n", [b"x"], b"415"),
        "no boundary": ("Content-Type: multipart/form-data\r\nContent-Length: 1\r\n", [b"x"], b"415"),
        "a long boundary": (f"Content-Type: multipart/form-data; boundary={'b' * 999}\r\n{length}", [b"x" * 200], b"400"),
        "garbage": (BOUNDARY + length, [b"x" * 200], b"400"),
        "cut off": (BOUNDARY + f"Content-Length: {len(FILE)}\r\n", [FILE], b"400"),
        "no file": (BOUNDARY + "Content-Length: 5\r\n", [b"--b--"], b"400"),
        "long header": (BOUNDARY + "Transfer-Encoding: chunked\r\n", [chunk(b"--b\r\nX: " + b"x" * 9_000)], b"400"),
    }
    for name, (head, parts, code) in cases.items():
        assert small.raw(head, *parts).split(b" ")[1:2] == [code], name
    with socket.create_connection(("127.0.0.1", small.server.port)) as connection:
        connection.sendall(f"POST /api/read HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {small.server.door.token}\r\n"
                           f"{BOUNDARY}Content-Length: 9000\r\n\r\n".encode() + FILE)  # fmt: skip
        until(lambda: small.left() != [])
    until(lambda: small.left() == [])


def test_who_sends_nothing_more_is_told(small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "IDLE_SECONDS", 0.2)
    assert small.raw(BOUNDARY + "Content-Length: 9000\r\n", FILE).split(b" ")[1] == b"408"
    assert small.left() == []


def test_the_queue_is_bounded(small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "MAX_REQUESTS", 0)
    answer = small.post(("a.png", field("7")))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")


def test_a_full_disk_is_told(small: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store.os, "fdopen", lambda handle, mode, buffering: Full(handle, mode))  # type: ignore[attr-defined]
        assert small.post(("a.png", field("7"))).status_code == 507
    assert small.left() == []
    assert small.post(("a.png", field("7"))).json()["rows"][0]["text"] == "7"


def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never held")


# ------------------------------------------------------------------------------------------------------ hostile

NAMES = [
    b"../a.png", b"../../../../tmp/a.png", b"..\\..\\a.png", b"/etc/passwd", b"/tmp/a.png", b"//server/share/a.png",
    b"C:\\a.png", b"C:a.png", b"\\\\server\\share\\a.png", b"\\\\?\\C:\\a.png", b"a\x00b.png", b"a.png\x00.txt", b"CON",
    b"NUL.png", b"LPT1.png", b"AUX", b"COM1.png", b".", b"..", b"...", b"a/", b"a/../../b.png", b"./a.png", b"~/a.png",
    b"~root", b"$HOME/a.png", b"`id`.png", b"$(id).png", b"a;id.png", b"|id", b"-rf", b"a\tb.png", b"\xff\xfe.png",
    b"\xed\xa0\x80.png", b"x" * 255, b"x" * 251 + b".png", b"a\xe2\x80\xaegnp.exe", b"=cmd|' /C calc'!A0.png",
    b"a.png:stream", b"%2e%2e%2fa.png", b"<script>alert(1)</script>.png", b"a.zip/../../b.png",
]  # fmt: skip


def test_a_name_is_a_label_and_never_a_path(keeping: Served) -> None:
    kept = keeping.desk.store.keep
    assert kept is not None
    before = {path for path in kept.parent.rglob("*") if path.parent != kept}
    body = b"".join(b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + name.replace(b"\\", b"\\\\")
                    + b'"\r\n\r\nno picture\r\n' for name in NAMES) + b"--b--"  # fmt: skip
    answer = keeping.raw(BOUNDARY + f"Content-Length: {len(body)}\r\n", body)
    head, _, text = answer.partition(b"\r\n\r\n")
    assert len(NAMES) >= 40
    assert head.startswith(b"HTTP/1.1 200 "), answer[:500]
    rows = json.loads(text)["rows"]
    assert len(rows) == len(NAMES)
    assert {row["status"] for row in rows} == {"error"}
    assert {path for path in kept.parent.rglob("*") if path.parent != kept} == before
    files = {path.name for path in kept.iterdir()} - {INDEX}
    assert len(files) == len(NAMES)
    assert all(name.partition(".")[0].isalnum() and len(name.partition(".")[0]) == 32 for name in files)
    listed = [json.loads(line) for line in (kept / INDEX).read_text(encoding="utf-8").splitlines()]
    assert {one["file"] for one in listed} == files
    assert keeping.left() == []


def test_what_is_kept_stays_as_it_was_sent(keeping: Served) -> None:
    kept, data = keeping.desk.store.keep, field("1407")
    assert kept is not None
    before = set(kept.iterdir())
    keeping.post(("a.png", data))
    keeping.post(("a.png", data))
    new = [path for path in set(kept.iterdir()) - before if path.suffix == ".png"]
    assert [path.read_bytes() for path in new] == [data, data]


def post_all(served: Served, folder: Path) -> int:
    """Post every regular file below a folder, each by itself, and ask after the server's health on the way."""
    posted, refused = 0, []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        with open(path, "rb") as file:
            name = os.fsencode(path.name).decode("utf-8", "replace")
            answer = served.client.post("/api/read", files={"file": (name, file)})
        posted += 1
        if answer.status_code not in (200, 413):
            refused.append((path.name, answer.status_code, answer.text))
        elif answer.status_code == 200:
            assert answer.json()["rows"], path.name
        assert served.client.get("/healthz").status_code == 200
    assert refused == []
    assert served.left() == []
    return posted


@pytest.mark.skipif(sys.platform != "linux", reason="makes FIFOs, links and names of any bytes")
def test_bad_files_are_rows(plain: Served, tmp_path: Path) -> None:
    make_corpus(tmp_path / "in")
    assert post_all(plain, tmp_path / "in") > 40


@pytest.mark.slow
def test_the_large_collection_of_bad_files(plain: Served, tmp_path: Path) -> None:
    maker = SHARED.parent / "tools" / "bad_inputs" / "make_bad_inputs.py"
    if not maker.is_file():
        pytest.skip("needs the large collection of bad inputs, which is no part of the project")
    for needed in ("tifffile", "imagecodecs", "pypdf", "pikepdf", "img2pdf"):
        pytest.importorskip(needed, reason=f'making the large collection needs {needed}: pip install -e ".[corpus]"')
    subprocess.run([sys.executable, maker, tmp_path / "made"], check=True, capture_output=True)
    print(f"{post_all(plain, tmp_path / 'made' / 'files')} files posted, none answered with 5xx")


# ------------------------------------------------------------------------------------------------------ batches


def test_what_a_browser_sends_comes_back_as_it_is_read(checks: Served) -> None:
    client, before, used = checks.client, set(checks.left()), checks.desk.store.used
    key = client.post("/batches").json()["id"]
    data = archive(**{"1.jpg": (SAMPLES / "bank_checks" / "check_1.jpg").read_bytes(), "x.png": b"no picture"})
    answer = client.post(f"/batches/{key}/files", files={"file": ("checks.zip", data)})
    found = {one["name"]: one for one in map(json.loads, answer.text.splitlines())}
    assert set(found) == {"checks.zip/1.jpg", "checks.zip/x.png"}
    whole = found["checks.zip/1.jpg"]
    (page,) = whole["pages"]
    assert {row["field"] for row in page["rows"] if row["account"]} == {"micr", "account"}
    with Image.open(SAMPLES / "bank_checks" / "check_1.jpg") as check:
        assert (page["width"], page["height"]) == check.size
    picture = client.get(page["picture"])
    assert (picture.headers["content-type"], picture.content[:8]) == ("image/png", b"\x89PNG\r\n\x1a\n")
    (broken,) = found["checks.zip/x.png"]["pages"]
    assert (broken["worst"], broken["badge"], "picture" in broken) == ("error", "not read", False)
    assert {one["name"] for one in client.get(f"/batches/{key}").json()["documents"]} == set(found)
    assert tables(client, key) == {".csv": 7, ".jsonl": 7, ".xlsx": 7}
    assert client.get(f"/batches/{key}/table.exe").status_code == 404
    assert client.get(f"/batches/{key}/pages/../../x.png").status_code == 404
    assert client.delete(f"/batches/{key}").status_code == 200
    assert [client.get(place).status_code for place in (page["picture"], f"/batches/{key}")] == [404, 404]
    assert (set(checks.left()), checks.desk.store.used) == (before, used)


def tables(client: httpx.Client, key: str) -> dict[str, int]:
    """How many rows the tables of a batch have."""
    sheet = openpyxl.load_workbook(io.BytesIO(client.get(f"/batches/{key}/table.xlsx").content)).active
    return {
        ".csv": len(list(csv.DictReader(io.StringIO(client.get(f"/batches/{key}/table.csv").text)))),
        ".jsonl": len(client.get(f"/batches/{key}/table.jsonl").text.splitlines()),
        ".xlsx": sheet.max_row - 1,
    }


def test_results_that_nobody_asks_for_go(tmp_path: Path) -> None:
    place = Store(tmp_path, None, Sizes())
    batches = Batches(place)
    old, new = batches.new(), batches.new()
    batches.drop_old(new.asked + KEPT_SECONDS)
    with pytest.raises(store.Refused):
        batches.find(old.id)
    assert batches.find(new.id) is new


# ------------------------------------------------------------------------------------------------------- sketch


def test_a_sketch_is_read_as_a_picture_of_a_digit_is(plain: Served, tmp_path: Path) -> None:
    gray = Image.new("L", (SIDE, SIDE), 255)
    gray.paste(Image.fromarray(draw_field("7", height=90, paper=255, width=0.07)), (30, -20))
    gray.save(tmp_path / "7.png")
    found = plain.client.post("/sketch", content=gray.tobytes()).json()
    assert max(range(10), key=lambda digit: found["probabilities"][digit]) == 7
    assert sum(found["probabilities"]) == pytest.approx(1)
    assert found["glyph"] == load_digit(tmp_path / "7.png").ravel().tolist()
    assert plain.client.post("/sketch", content=b"\xff" * SIDE * SIDE).json()["probabilities"] is None
    assert plain.client.post("/sketch", content=b"x").status_code == 400
    assert plain.client.post("/sketch", content=b"x" * (SIDE * SIDE + 1)).status_code == 413


# ------------------------------------------------------------------------------------------------------ program


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_program_prints_its_address_and_ends_at_a_signal(number: signal.Signals) -> None:
    command = [sys.executable, "-W", "error", "-m", "docproc", "serve", "--port", "0", "--no-browser", "-j", "1"]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        assert process.stderr
        address = process.stdout.readline().strip()
        assert httpx.get(address, follow_redirects=True).status_code == 200
        assert httpx.get(address).status_code == 401
        token, port = process.stderr.readline().split()[-1], urlsplit(address).port
        assert process.stderr.readline() == "Ctrl-C ends it\n"
        with socket.create_connection(("127.0.0.1", port)) as sending:  # an upload is under way
            sending.sendall(f"POST /api/read HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
                            f"{BOUNDARY}Content-Length: 9000\r\n\r\n".encode() + FILE)  # fmt: skip
            process.send_signal(number)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert said == ""


# ------------------------------------------------------------------------------------------------------ browser


def login(served: Served, path: str = "/") -> str:
    served.server.door.ticket = "for-a-test"
    return f"http://127.0.0.1:{served.server.port}{path}?token=for-a-test"


def choose(page: Any, *files: Any) -> None:
    """Send files by the keyboard."""
    page.locator("body[data-ready]").wait_for()
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(list(files))


def tab_to(page: Any, name: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()").startswith(name):
            return
    raise AssertionError(f"Tab does not lead to {name}")


def test_checks_are_read_by_keyboard_and_the_table_taken(checks: Served, open_page: OpenPage, tmp_path: Path) -> None:
    before = set(checks.left())
    page = open_page(login(checks))
    assert violations(page) == []
    tab_to(page, "Choose files")
    hostile = {"name": "<img src=x onerror=alert(1)>.svg", "mimeType": "image/svg+xml",
               "buffer": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'}  # fmt: skip
    (tmp_path / hostile["name"]).write_bytes(hostile["buffer"])  # type: ignore[arg-type,operator]
    choose(page, SAMPLES / "bank_checks" / "check_1.jpg", tmp_path / str(hostile["name"]))
    page.locator("#documents li").nth(1).wait_for()
    page.locator("#progress").wait_for(state="hidden")
    assert "<img" in page.locator("#documents").inner_text()
    while "check_1" not in page.locator("#sheet-name").inner_text():
        page.keyboard.press("ArrowDown")
    assert page.locator("#sheet svg image").get_attribute("href")
    account = page.locator("#rows tr", has_text="account").first
    assert "•" in account.inner_text()
    page.keyboard.press("m")
    assert "•" not in account.inner_text()
    assert violations(page) == []
    tab_to(page, "CSV")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["field"]: row["value"] for row in rows}["amount"] == "1234.56"
    tab_to(page, "Clear")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Drop scans here").wait_for()
    page.locator("#desk").wait_for(state="hidden")
    until(lambda: set(checks.left()) == before)


def test_a_folder_keeps_its_paths(checks: Served, open_page: OpenPage, tmp_path: Path) -> None:
    (tmp_path / "scans" / "monday").mkdir(parents=True)
    for name in ("a.png", "monday/b.png", ".hidden.png"):
        (tmp_path / "scans" / name).write_bytes(field("1407"))
    page = open_page(login(checks))
    page.locator("body[data-ready]").wait_for()
    page.locator("#folder").set_input_files(tmp_path / "scans")
    page.locator("#documents li").nth(1).wait_for()
    page.locator("#progress").wait_for(state="hidden")
    assert sorted(page.locator("#documents .name").all_inner_texts()) == ["scans/a.png", "scans/monday/b.png"]
    page.reload()  # what was read is still there
    page.locator("#documents li").nth(1).wait_for()


def test_a_digit_is_drawn_by_keyboard_and_read_live(checks: Served, open_page: OpenPage) -> None:
    page = open_page(login(checks, "/sketch"))
    page.locator("body[data-ready]").wait_for()
    assert violations(page) == []
    page.locator("#pad").focus()
    page.keyboard.press("Space")
    for _ in range(18):
        page.keyboard.press("ArrowDown")
    page.locator("#says", has_text="Reads 1").wait_for()
    page.keyboard.press("c")
    page.locator("#says", has_text="Nothing is drawn").wait_for()


@pytest.mark.parametrize(("width", "height", "dark"), [(390, 844, True), (640, 400, False)], ids=["phone", "zoomed"])
def test_pages_fit_small_screens(checks: Served, open_page: OpenPage, width: int, height: int, dark: bool) -> None:
    page = open_page(login(checks), width=width, height=height, dark=dark)
    page.locator("#files").set_input_files(SAMPLES / "bank_checks" / "check_1.jpg")
    page.locator("#rows tr").first.wait_for()
    for path in ("/", "/sketch", "/api"):
        page.goto(f"http://127.0.0.1:{checks.server.port}{path}")
        page.locator("main").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert violations(page) == []
