"""Serve the page on which people key the fields of a run, or write it as a file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from docproc.errors import BadUsage, OutputExists
from docproc.runs.editing import open_edits, rewrite_table
from docproc.runs.journal import Journal
from docproc.runs.queue import Wishes
from docproc.runs.sampling import SampleSize
from docproc.runs.tables import write_whole
from docproc.web import check_installed

if TYPE_CHECKING:
    from docproc.web.door import Door, Guard
    from docproc.web.server import Serving


def review(
    output: Path,
    announce: Callable[[Serving], None],
    *,
    who: str,
    wishes: Wishes,
    audit: SampleSize | None,
    planted: float,
    unmasked: bool,
    host: str,
    port: int | None,
    token: str,
    allow_host: Sequence[str],
    browser: bool,
) -> str:
    """Serve until Ctrl-C, then write the table again; `announce` is called once the server listens.

    Draws the sample of the `audit`, and shows a `planted` share (0..1) of wrong readings. Returns why the table was left as it
    is, worded to follow its name, or "". Raises MissingPart without the extra `web`, BadUsage for fields that the run does not
    have or a place that is not available, BadInput if there is no journal, or CannotWrite.
    """
    check_installed()
    from docproc.runs.scans import Scans
    from docproc.web.group_desk import GroupDesk
    from docproc.web.mosaic import CrewCutter, Tiles
    from docproc.web.review.app import review_app
    from docproc.web.review.keying import Keying
    from docproc.web.server import Place, serve

    with open_edits(output) as edits, ExitStack() as ended:
        with Journal.look(output) as journal:
            check_fields(journal, wishes)
            scans = Scans.of(journal)
        wanted = replace(wishes, sample=edits.draw_sample(audit)) if audit else wishes
        keying = Keying(output, edits, scans, wanted, planted=planted)
        desk: GroupDesk | None = None
        if not wishes.again:  # whoever keys a second time must not see what was read
            tiles = Tiles(CrewCutter(scans.limits))
            desk = GroupDesk(
                output,
                edits,
                keying,
                tiles,
                who=who,
                fields=wishes.fields,
                accepted=wishes.everything,
                unmasked=unmasked,
                audited=wanted.sample,
            )
            ended.callback(desk.close)

        def make_app(door: Door) -> Guard:
            return review_app(door, keying, desk, who=who, unmasked=unmasked)

        serve(Place(host, port, token, tuple(allow_host), browser), make_app, announce)
    return rewrite_table(output)


def check_fields(journal: Journal, wishes: Wishes) -> None:
    """Raises BadUsage if a run has no field with a requested name."""
    if not wishes.fields:
        return
    there = dict.fromkeys(state.reading.field for state in journal.fields())
    if missing := [name for name in wishes.fields if name not in there]:
        raise BadUsage(f"--fields: the run has no field {' and no '.join(missing)}; there are {', '.join(there) or 'none'}")


def write_offline(
    output: Path, target: Path, *, who: str, wishes: Wishes, audit: SampleSize | None, unmasked: bool, overwrite: bool
) -> int:
    """Write the page as one HTML file that contains the fields; returns their number.

    Raises BadUsage if the file name does not end in .html, OutputExists, and what `review` raises.
    """
    check_installed()
    from docproc.runs.scans import Scans
    from docproc.web.review.keying import Keying
    from docproc.web.review.offline import offline_page

    if target.suffix.lower() not in (".html", ".htm"):
        raise BadUsage(f"the page is HTML: {target} should end in .html")
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} already exists; use --overwrite to replace it, or give --offline another file")
    with open_edits(output) as edits:
        with Journal.look(output) as journal:
            check_fields(journal, wishes)
            scans = Scans.of(journal)
        wanted = replace(wishes, sample=edits.draw_sample(audit)) if audit else wishes
        page, count = offline_page(Keying(output, edits, scans, wanted), who, unmasked=unmasked)
    write_whole(target, lambda file: file.write(page))
    return count
