"""Group verification in a browser: time until the page over 5,000 digits is open, and from a key to the next screen.

    python scripts/bench_group.py [DIGITS]

Draws a run, serves it as `docproc review` does, and drives a Chromium by keyboard; needs Playwright. Digits are on pages of a
hundred digits, and then each field on a page of its own, so that a screen takes pictures from up to a hundred documents.
Exits with 1 if the page takes more than 2 s to open, or the 95th percentile from Enter to the next screen more than 100 ms.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from docproc.runs.editing import open_edits
from docproc.runs.edits import FieldKey
from docproc.web.app import create_app
from docproc.web.group import GROUP_LINK, group_routes
from docproc.web.group_desk import GroupDesk
from docproc.web.mosaic import CrewCutter, Tiles
from docproc.web.server import Place, Serving, opened
from tests.web.drawn_run import DIGITS, draw_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OPEN_SECONDS, NEXT_MS = 2.0, 100.0  # maxima
SCREENS = 25  # confirmed one after another
LOOKS_MS = 1_000  # minimum time that a person looks at a screen; the next one is fetched meanwhile

# In the page: from the key to the second frame after the picture changed, so that it has been painted.
WATCH = """() => new Promise((done) => {
  const tile = document.querySelector(".tiles button"), before = tile.style.backgroundImage;
  addEventListener("keydown", (event) => {
    new MutationObserver((_, watching) => {
      if (tile.style.backgroundImage === before) return;
      watching.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(() => (window.took = performance.now() - event.timeStamp)));
    }).observe(tile, { attributes: true });
  }, { once: true, capture: true });
  window.took = null;
  done();
})"""
FRAMES = """() => new Promise((done) => {
  const gaps = []; let before = performance.now();
  const tick = (now) => {
    gaps.push(now - before);
    before = now;
    if (gaps.length < 60) requestAnimationFrame(tick);
    else done(gaps.slice(5));
  };
  requestAnimationFrame(tick);
})"""


class _Queue:
    def put_first(self, key: FieldKey, place: int | None) -> None:
        pass


def main() -> int:
    """Measure, and report whether it is fast enough."""
    from playwright.sync_api import sync_playwright

    fields = (int(sys.argv[1]) if len(sys.argv) > 1 else 5_000) // DIGITS
    path = shutil.which("chromium") or shutil.which("google-chrome")
    good = True
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, per_page in (("pages of 20 fields", 20), ("a page for each field", 1)):
            with tempfile.TemporaryDirectory() as folder:
                output, _ = draw_run(Path(folder), fields, 0, per_page=per_page)
                good &= _measured(name, output, browser, fields * DIGITS)
        browser.close()
    return 0 if good else 1


def _measured(name: str, output: Path, browser: Browser, digits: int) -> bool:
    with _served(output) as serving:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        start = time.perf_counter()
        page.goto(serving.address)
        page.locator("body[data-ready]").wait_for()
        opening = time.perf_counter() - start
        took: list[float] = []
        for _ in range(SCREENS):
            page.wait_for_timeout(LOOKS_MS)
            page.evaluate(WATCH)
            page.keyboard.press("Enter")
            while page.evaluate("window.took") is None:
                page.wait_for_timeout(10)
            took.append(float(page.evaluate("window.took")))
        for _ in range(30):
            page.keyboard.press("ArrowRight")
        gaps = page.evaluate(FRAMES)
    middle, late = np.percentile(took, (50, 95))
    print(
        f"{name}, {digits:,} digits: open after {opening:.2f} s; from Enter to the next screen {middle:.0f} ms in the middle, "
        f"{late:.0f} ms at the 95th percentile; a frame takes {np.percentile(gaps, 95):.0f} ms at the 95th percentile"
    )
    return bool(opening <= OPEN_SECONDS and late <= NEXT_MS)


@contextmanager
def _served(output: Path) -> Iterator[Serving]:
    cutter = CrewCutter()
    time.sleep(2)  # the workers start while a person reads the address
    with open_edits(output) as edits:
        desk = GroupDesk(output, edits, _Queue(), Tiles(cutter), who="ANNA")
        place = Place(port=0, browser=False)
        with opened(place, lambda door: create_app(door, group_routes(desk), nav=[GROUP_LINK]), path="/group") as serving:
            thread = threading.Thread(target=serving.run)
            thread.start()
            try:
                yield serving
            finally:
                serving.stop()
                thread.join()
                desk.close()


if __name__ == "__main__":
    sys.exit(main())
