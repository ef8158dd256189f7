"""`docproc review`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docproc.cli import options, signals
from docproc.cli.console import say
from docproc.cli.edits import user_name
from docproc.cli.options import FILE, command, option
from docproc.errors import BadUsage

if TYPE_CHECKING:
    from docproc.web.server import Serving

GROUPS = {
    "Which fields": ("fields", "all", "again", "audit", "planted"),
    "Who and how": ("who", "unmasked", "offline", "overwrite"),
    "Where it is found": ("host", "port", "token", "allow_host", "browser"),
}


@command(short_help="Key doubtful fields in the browser.", groups=GROUPS)
@click.argument("output", type=FILE, metavar="OUT")
@option("--fields", default="", local=True, metavar="NAME,...", help="Only fields of these names.  [default: all]")
@option("--all", "all_fields", is_flag=True, local=True, help="Accepted and blank fields, too.")
@option("--again", is_flag=True, local=True,
        help="Double keying: fields that another person has keyed once; neither text is shown.")  # fmt: skip
@option("--audit", type=options.Sample(), metavar="SHARE|NUMBER", local=True,
        help="Mix in a random sample of accepted fields, shown without the reading.")  # fmt: skip
@option("--planted", default="0%", type=options.Share(), metavar="SHARE", local=True,
        help="Show a wrong reading in this share of the fields to confirm, to see whether it is noticed.")  # fmt: skip
@option("--who", default="", help="Who keys.  [default: your user name]")
@option("--unmasked/--no-unmasked", default=False,
        help="Show account numbers from the start.  [default: cover them until M is pressed]")  # fmt: skip
@option("--offline", type=FILE, metavar="FILE", local=True,
        help="Write the page as one HTML file that needs no server, and end.")  # fmt: skip
@options.overwrite("a file")
@options.host
@options.port
@option("--token", default="", local=True,
        help="A secret of at least 16 characters that lets several people in.  [default: one browser comes in]")  # fmt: skip
@options.allow_host
@options.browser
def review(
    output: Path, fields: str, all_fields: bool, again: bool, offline: Path | None, overwrite: bool, **wishes: Any
) -> None:
    """Key the fields of a run that need a person, one at a time, by keyboard.

    OUT is the run's output table. Prints the address of the page, which lets one browser in. Every answer is in the journal
    before the next field comes; Ctrl-C ends it and writes the table again.
    """
    from docproc.runs.queue import Wishes

    if again and (all_fields or wishes["audit"] or wishes["planted"]):
        raise BadUsage("--again shows no reading: leave out --all, --audit and --planted")
    names = tuple(name.strip() for name in fields.split(",") if name.strip())
    wishes |= {"who": wishes["who"] or user_name(), "wishes": Wishes(names, all_fields, again)}
    if offline:
        _write(output, offline, overwrite=overwrite, **wishes)
        return
    from docproc.commands.review import review as serve_pages

    signals.install()

    def announce(serving: Serving) -> None:
        click.echo(serving.address)
        if wishes["token"]:
            say("others come in by ?token=TOKEN&who=NAME at the same address")
        say("Ctrl-C ends it")

    untouched = serve_pages(output, announce, **wishes)
    say(f"the table {output} {untouched}" if untouched else f"table: {output}")


def _write(output: Path, target: Path, *, overwrite: bool, **wishes: Any) -> None:
    from docproc.cli.console import many
    from docproc.commands.review import write_offline

    if wishes["planted"]:
        raise BadUsage("--planted needs the server: a file would tell which readings are wrong")
    count = write_offline(output, target, overwrite=overwrite,
                          **{name: wishes[name] for name in ("who", "wishes", "audit", "unmasked")})  # fmt: skip
    back = f"docproc apply {shlex.quote(str(output))} edits.json"
    say(f"{many(count, 'field')} to key: {target}; what it saves comes back with {back}")
