"""What the tests of web pages share: a server in a thread, and a real Chromium that reaches nothing but this machine.

    with serving(make_app) as server:        # make_app(door) -> ASGI application
        page = open_page(server.address)      # a Playwright page, 1280x800, light
        page.keyboard.press("Enter")
        assert violations(page) == []

`open_page` fails the test at its end where a script threw, the page was refused something by its own policy, or it asked for
what is on another machine.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from starlette.types import ASGIApp

    from docproc.web.door import Door
    from docproc.web.server import Serving

OpenPage = Callable[..., "Page"]


@contextmanager
def serving(make_app: Callable[[Door], ASGIApp], path: str = "/", token: str = "") -> Iterator[Serving]:
    """A server in a thread, on a free port."""
    from docproc.web.server import Place, opened

    with opened(Place(port=0, token=token, browser=False), make_app, path=path) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join(30)
            assert not thread.is_alive()


def chromium() -> str:
    """The path of a Chromium on this machine. Skips where there is none, or no Playwright."""
    if find_spec("playwright") is None or find_spec("axe_playwright_python") is None:
        pytest.skip("needs Playwright and axe (the extra `test-all`)")
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if not found:
        pytest.skip("needs Chromium: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"] if root else [])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Open an address in a window of its own: `open_page(address, width=390, height=844, dark=True)`."""
    contexts, faults = [], list[str]()

    def open_one(address: str, *, width: int = 1280, height: int = 800, dark: bool = False) -> Page:
        home = urlsplit(address).netloc
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", accept_downloads=True
        )
        contexts.append(context)

        def let_through(route: Any) -> None:
            parts = urlsplit(route.request.url)
            if parts.scheme in ("blob", "data", "file") or parts.netloc == home:
                route.continue_()
            else:
                faults.append(f"asked for {route.request.url}")
                route.abort()

        context.route("**/*", let_through)
        page = context.new_page()
        page.on("filechooser", lambda chooser: None)  # from the start, or a dialog may open that nobody sees
        page.on("pageerror", lambda problem: faults.append(f"a script threw: {problem}"))
        page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        page.goto(address)
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert faults == []


def violations(page: Page) -> list[str]:
    """What axe finds on a page: the rule, and the elements that break it."""
    from axe_playwright_python.sync_playwright import Axe

    # The policy of the page lets no script in; axe comes by way of the debugger.
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]
