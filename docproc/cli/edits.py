"""What people key: `docproc apply` and `edits`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from docproc.cli import options
from docproc.cli.console import columned, many, print_json, say
from docproc.cli.options import FILE, command, option
from docproc.errors import BadUsage


@command(short_help="Enter corrections from a file.")
@click.argument("output", type=FILE, metavar="OUT")
@click.argument("file", type=FILE, metavar="FILE")
@option("--who", default="", help="Who keyed the rows that do not say.  [default: your user name]")
@option("--overrule", is_flag=True, local=True,
        help="Accept corrections that break a rule; without it their fields go to review.")  # fmt: skip
@option("--overwrite", is_flag=True, local=True,
        help="Enter corrections even if somebody else has keyed the field since it was shown.")  # fmt: skip
def apply(output: Path, file: Path, who: str, overrule: bool, overwrite: bool) -> None:
    """Enter corrections from a file in the journal of a run, and write its table again.

    OUT is the run's output table. FILE is a table (.csv, .xlsx, .jsonl, .parquet) with the columns document, field and text,
    and optionally page and who; or a .json with a list of such rows, or of edits that a page saved. Leave the text empty for a
    blank field, write "illegible" if nobody can read it, and type marks if you like: 1234.56. In a list from docproc audit
    --to-key an empty text is still to be keyed; write "blank" there. If any row is at fault, nothing is entered.
    """
    from docproc.commands.apply import apply as enter

    done = enter(output, file, who or user_name(), overrule=overrule, overwrite=overwrite)
    count = done.entered.total()
    names = {"again": "second keyings"}
    kinds = ", ".join(f"{number} {names.get(kind, kind)}" for kind, number in done.entered.items())
    say(f"{many(count, 'correction')} entered{f': {kinds}' if kinds else ''}"
        + (f"; {done.standing} already entered" if done.standing else "")
        + (f"; {done.empty} still to be keyed" if done.empty else ""))  # fmt: skip
    if done.waiting:
        say(f"{many(done.waiting, 'field')} of these for review; to list why: docproc status {output}"
            + ("" if overrule else "; --overrule accepts what breaks a rule"))  # fmt: skip
    say(f"the table is written when its run is finished: {output}" if done.waits_for_run else f"table: {output}")


@command(short_help="List what people keyed, or drop it.")
@click.argument("output", type=FILE, metavar="OUT")
@option("--discard", is_flag=True, local=True, help="Drop all edits, after asking.")
@option("--yes", is_flag=True, local=True, help="With --discard: do not ask.")
@options.as_json
def edits(output: Path, discard: bool, yes: bool, as_json: bool) -> None:
    """List what people keyed in a run: when, who, and what, oldest first.

    OUT is the run's output table. Later runs keep the edits; only --discard deletes them.
    """
    from docproc.commands.edits import COLUMNS, all_edits, cells, figures
    from docproc.commands.edits import discard as drop

    found = all_edits(output)
    if discard:
        if found and not yes:
            _ask(f"Drop {many(len(found), 'edit')} of {output}? They cannot be brought back.")
        say(f"{many(drop(output), 'edit')} dropped" if found else "no edits")
    elif as_json:
        print_json(figures(found))
    elif found:
        for line in columned([COLUMNS, *map(cells, found)]):
            click.echo(line)
    else:
        say("no edits")


def _ask(question: str) -> None:
    """Go on only where a person agrees. Raises BadUsage where nobody can be asked."""
    try:
        click.confirm(question, abort=True, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise BadUsage("nothing was dropped, because nobody agreed; --yes does not ask") from None


def user_name() -> str:
    """The name under which the user is logged in, or ""."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # there is no such user, in a container say
        return ""
