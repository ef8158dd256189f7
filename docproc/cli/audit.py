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


@command(short_help="Estimate how many accepted fields are wrong.")
@click.argument("output", type=FILE, metavar="OUT")
@option("--sample", type=options.Sample(), local=True, metavar="2%|N",
        help="How many of the accepted fields to draw; a sample can only grow.  [default: 2%]")  # fmt: skip
@option("--to-key", type=FILE, local=True, metavar="FILE",
        help="Write the fields still to be keyed as CSV, without their readings; fill it in for docproc apply.")  # fmt: skip
@options.as_json
@options.overwrite("a file")
def audit(output: Path, sample: SampleSize | None, to_key: Path | None, as_json: bool, overwrite: bool) -> None:
    """Estimate how many of the accepted fields are wrong, and say whether --max-error was kept.

    OUT is the run's output table. A random sample is drawn, and stays the same. People key its fields without seeing the
    readings, and the two are compared.
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
