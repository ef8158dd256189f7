"""Time on the page of `docproc review` from a key to the next field's picture, in a real Chromium.

    python scripts/bench_review.py             the samples, three times over
    python scripts/bench_review.py RESULTS.csv  a run of your own; it is copied, and nothing is entered in it

Also the size of the offline file with 2,000 fields, and the time to write it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from docproc.runs.editing import Edits, open_edits
from docproc.runs.journal import Journal
from docproc.runs.queue import Wishes
from docproc.runs.scans import Scans
from docproc.web.review.app import review_app
from docproc.web.review.keying import Keying
from docproc.web.review.offline import offline_page
from tests.web.conftest import chromium, serving

PROJECT = Path(__file__).parent.parent
# From the key press to the frame in which the next field's picture is drawn.
WATCH = """() => {
    window.times = [];
    let pressed = 0;
    document.addEventListener("keydown", (event) => { if (event.key === "Enter") pressed ||= performance.now(); }, true);
    new MutationObserver(async () => {
        const began = pressed;
        pressed = 0;
        const image = document.querySelector("#crop img");
        if (!image || !began) return;
        await image.decode().catch(() => {});
        requestAnimationFrame(() => setTimeout(() => window.times.push(performance.now() - began)));
    }).observe(document.getElementById("crop"), { childList: true });
}"""


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.csv"
        if sys.argv[1:]:
            for suffix in ("", ".docproc"):
                shutil.copy(f"{sys.argv[1]}{suffix}", f"{out}{suffix}")
        else:
            subprocess.run([sys.executable, "-m", "docproc", "run", PROJECT / "samples", "-o", out, "-q"], check=True)
        with open_edits(out) as edits:
            offline(out, edits)
            times = keyed(out, edits)
    p50, p95 = np.percentile(times, [50, 95])
    print(f"{len(times)} fields: from key to next field {p50:.0f} ms (median), {p95:.0f} ms (95th percentile)")


def opened(out: Path, edits: Edits) -> Keying:
    with Journal.look(out) as journal:
        return Keying(out, edits, Scans.of(journal), Wishes(everything=True))


def keyed(out: Path, edits: Edits) -> list[float]:
    """Milliseconds for each field, keyed with Enter, about four a second."""
    keying = opened(out, edits)
    with serving(lambda door: review_app(door, keying, unmasked=True)) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        page: Any = browser.new_page()
        page.goto(server.address)
        page.locator("body[data-ready]").wait_for()
        page.evaluate(WATCH)
        while page.locator("#work").is_visible():
            page.keyboard.press("Enter")
            page.wait_for_timeout(250)
        times: list[float] = page.evaluate("window.times")
        browser.close()
    return times


def offline(out: Path, edits: Edits) -> None:
    """The size of a file of 2,000 fields: those of the run, repeated as often as needed."""
    keying = opened(out, edits)
    cards = keying.cards
    repeated = lambda *all, **how: (found := cards(*all, **how)) and (found * (2000 // len(found) + 1))[:2000]  # noqa: E731
    keying.cards = repeated  # type: ignore[method-assign]
    begun = time.perf_counter()
    data, count = offline_page(keying, "", unmasked=True)
    print(f"offline file: {count} fields, {len(data) / 1e6:.1f} MB, written in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
