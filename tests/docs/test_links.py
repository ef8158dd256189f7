"""Links between the pages, and to files of the project, lead somewhere, as files and on the site; the README stays short."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PAGES = sorted([*PROJECT.glob("*.md"), *(PROJECT / "docs").glob("*.md"), *(PROJECT / ".github").glob("**/*.md")])
SITE = (PROJECT / "scripts" / "site.yml").read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """A page without its code."""
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> Iterator[str]:
    yield from re.findall(r"\]\(([^()\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """What headings are called, where the page is read as a file as well as on the site."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    names = set()
    for heading in re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE):
        plain = (
            re.sub(r"[^\w\s-]", "", unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()).strip().lower()
        )
        names.add(re.sub(r"\s", "-", plain))
    return names


def test_links_and_anchors_lead_somewhere() -> None:
    wrong = []
    for page in PAGES:
        for link in links(page):
            if re.match(r"[a-z]+:", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / path).resolve() if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                wrong.append(f"{page.relative_to(PROJECT)}: {link}")
    assert wrong == []


def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_bytes()) <= 8_000


def test_the_site_has_every_page_of_docs() -> None:
    listed = re.findall(r": ([a-z]+\.md)$", SITE, re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (PROJECT / "docs").glob("*.md"))


def test_the_site_shows_what_files_hold() -> None:
    site = importlib.import_module("scripts.build_docs")
    home = site.as_shown((PROJECT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert home.startswith("# docproc")
    assert "[Trust and calibration](trust.md)" in home
    assert "](contributing.md)" in home
    assert "<!--=" not in home
    assert site.as_shown("[pipeline.py](../docproc/pipeline.py)") == "`docproc/pipeline.py`"
    assert site.as_shown("![A page](walk.svg) [here](#there)") == "![A page](walk.svg) [here](#there)"


@pytest.mark.thorough
@pytest.mark.skipif(find_spec("zensical") is None, reason="needs Zensical (the extra `docs`)")
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "scripts" / "build_docs.py", tmp_path / "site"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
    assert "docproc.Reader" in (tmp_path / "site" / "reference.html").read_text(encoding="utf-8")
