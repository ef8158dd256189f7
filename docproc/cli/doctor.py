"""`docproc doctor`."""

from __future__ import annotations

import click

from docproc.cli.options import command
from docproc.errors import DONE, MissingPart


@command(short_help="Say what is installed and which backends work here.")
@click.pass_context
def doctor(context: click.Context) -> None:
    """Say what is installed, which backends work here, and why the others do not."""
    from docproc.commands.doctor import examine

    report = examine()
    for line in report.lines:
        click.echo(line)
    context.exit(DONE if report.works else MissingPart.exit_code)
