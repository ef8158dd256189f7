"""Draw the picture of the review page, `docs/review.png`, from the samples, in a Chromium."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from docproc.runs.editing import open_edits
from docproc.runs.journal import Journal
from docproc.runs.queue import Wishes
from docproc.runs.scans import Scans
from docproc.web.review.app import review_app
from docproc.web.review.keying import Keying
from tests.web.conftest import chromium, serving

PROJECT = Path(__file__).parent.parent
DOCUMENT, PAGE, FIELD = "meters/route.pdf", 1, "date"  # shown in the picture


def main() -> None:
    """Read the samples, open the page, and take its picture."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "results.csv"
        subprocess.run([sys.executable, "-m", "docproc", "run", PROJECT / "samples", "-o", out, "-q"], check=True)
        with open_edits(out) as edits:
            with Journal.look(out) as journal:
                keying = Keying(out, edits, Scans.of(journal), Wishes())
                asked = (DOCUMENT, PAGE, FIELD)
                key = next(
                    state.key for state in journal.fields()
                    if (state.reading.document, state.reading.page, state.reading.field) == asked
                )  # fmt: skip
            keying.put_first(key)
            with serving(lambda door: review_app(door, keying)) as server, sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
                page = browser.new_page(viewport={"width": 1000, "height": 580})
                page.goto(server.address)
                page.locator("body[data-ready]").wait_for()
                page.locator("#crop img").evaluate("(image) => image.decode()")
                data = page.screenshot()
                browser.close()
    Image.open(io.BytesIO(data)).convert("RGB").quantize(64).save(PROJECT / "docs" / "review.png", optimize=True)


if __name__ == "__main__":
    main()
