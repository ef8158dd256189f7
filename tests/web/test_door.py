"""Who may come in: hosts, tokens, cookies and origins, through a server that listens."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from docproc.errors import BadUsage
from docproc.web.app import STATIC, Link, create_app
from docproc.web.door import Door, open_door
from docproc.web.pages import render
from docproc.web.server import Place, Serving, opened
from tests.web.conftest import OpenPage, serving, violations

changes: list[str] = []


async def change(request: Request) -> Response:
    changes.append(request.url.path)
    return JSONResponse({})


async def home(request: Request) -> Response:
    return render(request, "fault.html", heading="<b>Home</b>", text=request.query_params.get("text", ""))


def make_app(door: Door) -> ASGIApp:
    return create_app(door, [Route("/", home), Route("/change", change, methods=["POST"])], nav=[Link("/", "Home")])


@pytest.fixture(scope="module")
def server() -> Iterator[Serving]:
    with serving(make_app) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_changed_before() -> None:
    changes.clear()


def raw(server: Serving, request: bytes) -> bytes:
    """What comes back for the bytes of a request."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer


def base(server: Serving) -> str:
    return f"http://127.0.0.1:{server.port}"


def bearer(server: Serving) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.door.token}"}


@pytest.fixture
def signed_in(server: Serving) -> Iterator[httpx.Client]:
    server.door.ticket = "a-new-ticket"
    with httpx.Client(base_url=base(server)) as client:
        assert client.get("/?token=a-new-ticket").status_code == 303
        yield client


def test_an_address_lets_one_browser_in(server: Serving) -> None:
    server.door.ticket = "once"
    with httpx.Client(base_url=base(server)) as first, httpx.Client(base_url=base(server)) as second:
        answer = first.get("/?token=once&text=hello")
        assert (answer.status_code, answer.headers["location"]) == (303, "/?text=hello")
        assert "HttpOnly; SameSite=Strict" in answer.headers["set-cookie"]
        assert first.get("/?text=hello").status_code == 200
        assert second.get("/?token=once").status_code == 401
        assert second.get("/?token=").status_code == 401


def test_where_an_address_leads_is_this_server(server: Serving) -> None:
    server.door.ticket = "once"
    answer = raw(server, f"GET //evil.example/a?token=once HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
                         "Connection: close\r\n\r\n".encode())  # fmt: skip
    assert b"\r\nlocation: /evil.example/a\r\n" in answer


def test_every_answer_has_the_headers_of_safety(server: Serving) -> None:
    for path in ("/", "/healthz", "/static/docproc.css", "/static/../door.py", "/nothing"):
        headers = httpx.get(base(server) + path, headers=bearer(server)).headers
        assert headers["content-security-policy"].startswith("default-src 'self';")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_what_a_page_is_given_is_escaped(signed_in: httpx.Client) -> None:
    text = signed_in.get("/", params={"text": "<script>alert(1)</script>"}).text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


HOSTS = (
    "evil.example", "evil.example:{port}", "127.0.0.1.evil.example", "a/?x=", "127.0.0.1@evil.example", "", "localhost:80:80",
    "127.0.0.1\tevil",
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_another_name_is_refused(server: Serving, host: str) -> None:
    host = host.format(port=server.port)
    head = f"POST /change HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {server.door.token}\r\nConnection: close\r\n\r\n"
    assert raw(server, head.encode()).startswith(b"HTTP/1.1 400 ")
    assert changes == []


def test_requests_that_are_no_proper_ones_are_refused(server: Serving) -> None:
    good = f"Host: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {server.door.token}\r\nConnection: close\r\n\r\n"
    for line, expected in {
        "POST @evil.example/change HTTP/1.1": b"404",
        "POST http://evil.example/change HTTP/1.1": b"404",
        "POST /change HTTP/1.1\r\nHost: evil.example": b"400",
        "GET /change HTTP/1.1": b"405",
    }.items():
        assert raw(server, f"{line}\r\n{good}".encode()).split()[1] == expected, line
    assert raw(server, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").split()[1] == b"400"
    assert changes == []


def test_forged_requests_change_nothing(server: Serving, signed_in: httpx.Client) -> None:
    own = base(server)
    cookies = dict(signed_in.cookies)
    stranger = {"Authorization": "Bearer of nothing"}
    forged: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}),  # no token at all
        ({"Origin": own}, {}),
        ({"Origin": own} | stranger, cookies),
        ({"Origin": own}, {next(iter(cookies)): "guessed"}),
        ({}, cookies),  # by a cookie alone, from who knows where
        ({"Origin": "http://evil.example"}, cookies),  # a form on another page
        ({"Origin": "null"}, cookies),  # in a sandbox
        ({"Origin": f"http://127.0.0.1:{server.port + 1}"}, cookies),  # another program on this machine
        ({"Origin": own.replace("127.0.0.1", "localhost")}, cookies),
        ({"Sec-Fetch-Site": "cross-site"}, cookies),
        ({"Sec-Fetch-Site": "same-site", "Origin": own}, cookies),
        ({"Sec-Fetch-Site": "none"}, cookies),
        ({"Origin": "http://evil.example"} | bearer(server), {}),
    ]
    for headers, some in forged:
        answer = httpx.post(f"{own}/change", headers=headers, cookies=some)
        assert answer.status_code in (401, 403), (headers, some)
    assert changes == []
    assert httpx.post(f"{own}/change", headers={"Origin": own}, cookies=cookies).status_code == 200
    assert httpx.post(f"{own}/change", headers={"Sec-Fetch-Site": "same-origin"}, cookies=cookies).status_code == 200
    assert httpx.post(f"{own}/change", headers=bearer(server)).status_code == 200
    assert len(changes) == 3


def test_a_fault_is_told_as_a_page_or_as_json(server: Serving, signed_in: httpx.Client) -> None:
    assert signed_in.get("/nothing").json() == {"error": "Not Found"}
    page = signed_in.get("/nothing", headers={"Accept": "text/html"})
    assert (page.status_code, "<h1>Nothing here</h1>" in page.text) == (404, True)
    assert httpx.get(base(server), headers={"Accept": "text/html"}).text.count("address that docproc printed") == 1


def test_other_machines_come_in_by_a_token_that_was_given() -> None:
    with pytest.raises(BadUsage, match="--token"), opened(Place("0.0.0.0", 0), make_app):
        pass
    with pytest.raises(BadUsage, match="at least 16"):
        open_door("0.0.0.0", token="short")
    door = open_door("0.0.0.0", 80, token="a-token-of-a-team", names=["Scans.example"])
    assert door.knows("192.168.1.7:8000")
    assert door.knows("scans.example")
    assert not door.knows("evil.example")
    assert not open_door().knows("192.168.1.7")
    assert door.admit("a-token-of-a-team")  # as often as they like
    assert door.admit("a-token-of-a-team")
    assert not door.admit("another")


def test_a_port_that_is_taken_is_told_or_passed_over() -> None:
    with opened(Place(port=0), make_app) as first:
        with pytest.raises(BadUsage, match=f"port {first.port}"), opened(Place(port=first.port), make_app):
            pass
        with opened(Place(), make_app) as second, opened(Place(), make_app) as third:
            assert second.port != third.port


def test_a_page_of_a_fault_in_a_browser(server: Serving, open_page: OpenPage) -> None:
    page = open_page(base(server))
    assert page.get_by_role("heading", name="Not signed in").is_visible()
    assert violations(page) == []
    assert urlsplit(page.url).path == "/"


def test_scripts_are_small_and_nothing_comes_from_elsewhere() -> None:
    files = [path for folder in ("static", "templates") for path in (STATIC.parent / folder).iterdir()]
    assert sum(path.stat().st_size for path in files if path.suffix == ".js") <= 30_000
    for path in files:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert "http" not in text.replace("POST /api", ""), path.name
        assert not re.search(r"<script(?! type=\"module\" src=)|\son[a-z]+=\"|\sstyle=\"|\|\s*safe", text), path.name
