"""`docproc serve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docproc.cli import options, signals
from docproc.cli.console import say
from docproc.cli.options import command, option

if TYPE_CHECKING:
    from docproc.web.server import Serving

GROUPS = {
    "Where it is found": ("host", "port", "token", "allow_host", "browser"),
    "Reading": ("layout", "date_order", "date_window", "as_of"),
    "What is accepted": ("max_error", "thresholds"),
    "Uploads": ("keep", "unmasked"),
    "Engine and limits": ("jobs", "backend", "model", "limit"),
}


@command(short_help="Read documents in the browser, and by HTTP.", groups=GROUPS)
@options.host
@options.port
@option("--token", default="", local=True,
        help="A secret of at least 16 characters, for programs and other machines.  [default: a new one]")  # fmt: skip
@options.allow_host
@options.browser
@options.layout
@options.max_error
@options.thresholds
@options.date_order
@options.date_window
@options.as_of
@option("--keep", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", local=True,
        help="Keep what is sent in this folder.  [default: delete it when it was answered]")  # fmt: skip
@option("--unmasked/--no-unmasked", default=False,
        help="Show account numbers from the start.  [default: cover them until M is pressed]")  # fmt: skip
@option("-j", "--jobs", default=0, type=click.IntRange(0), help="Number of processes; 0 uses all cores.  [default: 0]")
@options.backend
@options.model
@options.limits
def serve(**wishes: Any) -> None:
    """Read documents in the browser: drop pictures, PDFs, ZIP archives or a folder, look at the readings, take the table.

    Prints the address of the page, which lets one browser in. Programs send files to /api/read. Ctrl-C ends it.
    """
    from docproc.commands.serve import serve as serve_pages

    signals.install()

    def announce(serving: Serving) -> None:
        click.echo(serving.address)
        if not wishes["token"]:
            say(f"for programs: Authorization: Bearer {serving.door.token}")
        say("Ctrl-C ends it")

    serve_pages(announce=announce, **wishes)
