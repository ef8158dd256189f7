"""Build the site of docs/ with Zensical into .site/: `make docs`. Fails if a link or an anchor leads nowhere.

    python scripts/build_docs.py [FOLDER]

The files of docs/ are also read as they are, so the site shows some things differently. A page that begins with
`<!-- include ../NAME.md -->` shows that file. Links lead to pages of the site if they exist; a file outside of docs/ is only
named, since the site does not contain it. The comments after figures are removed.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
INCLUDED = re.compile(r"<!-- include \.\./([A-Z]+\.md) -->")
PAGES = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^()\s]+)\)")
COMMENT = re.compile(r"<!--=[^>]*-->(?!`)")  # not if it is shown as code


def main() -> None:
    """Prepare the source of the site in a separate folder, and build it there."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT / ".site"
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        shutil.copytree(PROJECT / "docs", folder / "docs")
        shutil.copytree(PROJECT / "docproc", folder / "docproc", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(PROJECT / "scripts" / "site.yml", folder / "mkdocs.yml")
        for page in (folder / "docs").glob("*.md"):
            page.write_text(as_shown(page.read_text(encoding="utf-8")), encoding="utf-8")
        done = subprocess.run([sys.executable, "-m", "zensical", "build", "--strict"], cwd=folder, check=False)
        if done.returncode:
            sys.exit("the site has faults, see above")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(folder / "site", target)
    print(f"the site:   {target / 'index.html'}")


def as_shown(markdown: str) -> str:
    """The markdown of a page as the site shows it."""
    folder = "docs"
    if included := INCLUDED.match(markdown):
        markdown, folder = (PROJECT / included[1]).read_text(encoding="utf-8"), "."
    return LINK.sub(lambda found: relinked(found, folder), COMMENT.sub("", markdown))


def relinked(found: re.Match[str], folder: str) -> str:
    """A link of a file in `folder`, as it appears on the site."""
    picture, label, target = found.groups()
    path, _, anchor = target.partition("#")
    if not path or ":" in path:
        return found[0]
    whole = posixpath.normpath(posixpath.join(folder, path))
    if whole in PAGES or whole.startswith("docs/"):
        place = PAGES.get(whole) or whole.removeprefix("docs/")
        return f"{picture}[{label}]({place}{'#' + anchor if anchor else ''})"
    return f"`{whole}`" if Path(label).name == Path(whole).name else f"{label} (`{whole}`)"


if __name__ == "__main__":
    main()
