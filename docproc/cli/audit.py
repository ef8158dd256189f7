"""How good a run was: `docproc audit`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from docproc.cli import options
from docproc.cli.console import many, print_json, say
from docproc.cli.options import FILE, command, option

if TYPE_CHECKING:
    from docproc.runs.sampling import SampleSize


@command(short_help="Tell how many errors are left among the accepted fields.")
@click.argument("output", type=FILE, metavar="OUT")
@option("--sample", type=options.Sample(), local=True, metavar="2%|N",
        help="How many of the accepted fields to draw; an old sample is only ever enlarged.  [default: 2%]")  # fmt: skip
@option("--to-key", type=FILE, local=True, metavar="FILE",
        help="Write the fields still to be keyed as CSV, without what was read; fill it in for docproc apply.")  # fmt: skip
@options.as_json
@options.overwrite("a file")
def audit(output: Path, sample: SampleSize | None, to_key: Path | None, as_json: bool, overwrite: bool) -> None:
    """Tell how many errors are left among the fields of OUT that docproc accepted, and whether --max-error was kept.

    OUT is the run's output table. Fields are drawn by lot, and stay the same. People key them without seeing what was read;
    what they keyed is compared with it.
    """
    from docproc.commands.audit import audit as find_errors
    from docproc.commands.audit import told, write_list

    found = find_errors(output, sample)
    if as_json:
        print_json(found.figures())
    else:
        for line in told(found, output):
            click.echo(line)
    if to_key:
        say(f"{many(write_list(output, to_key, overwrite=overwrite), 'field')} to key: {to_key}")
