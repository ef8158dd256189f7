"""What looks into the journal of a run: `docproc status`, `table` and `verify`."""

from __future__ import annotations

from pathlib import Path

import click

from docproc.cli import options
from docproc.cli.console import field_counts, many, print_json, say
from docproc.cli.options import FILE, command, option
from docproc.errors import SOME_FAILED


@command()
@click.argument("output", type=FILE, metavar="OUT")
@options.as_json
def status(output: Path, as_json: bool) -> None:
    """Say how the run that writes OUT stands: what is read, what waits for review, what failed and why."""
    from docproc.commands.status import run_status
    from docproc.runs.tables import shown_name

    run = run_status(output)
    if as_json:
        print_json(run.figures())
        return
    standing = run.standing
    state = f"{run.state} ({run.holder})" if run.holder else run.state
    click.echo(f"{output}: {state}; begun {standing.notes.get('begun', '?')}, {standing.done} of "
               f"{many(standing.documents, 'document')} read")  # fmt: skip
    click.echo(field_counts(standing.fields, standing.by_status, standing.failed))
    for one, first in standing.duplicates[:10]:
        click.echo(f"  the same file twice: {shown_name(one)} and {shown_name(first)}")
    if standing.away:
        click.echo(f"  {many(standing.away, 'document')} no longer among the inputs; the rows are kept")
    for document, page, reason in standing.failures:
        click.echo(f"  failed: {shown_name(document)}, page {page}: {reason}")
    if run.state == "interrupted" and standing.notes.get("command"):
        click.echo(f"to continue, run: {standing.notes['command']}")


@command()
@click.argument("output", type=FILE, metavar="OUT")
@option("-o", "--output", "target", required=True, type=FILE, help="The new table: .csv, .jsonl, .xlsx or .parquet.")
@options.wide
@options.wide_text
@options.overwrite("a table")
@click.pass_context
def table(context: click.Context, output: Path, target: Path, wide: bool, wide_text: bool, overwrite: bool) -> None:
    """Make the table of a run again from its journal, in any format.

    OUT is the table that the run writes, there or not. Exits with 1 where the run is not finished.
    """
    from docproc.commands.table import write_table

    standing = write_table(output, target, wide=wide, wide_text=wide_text, overwrite=overwrite)
    say(f"table: {target}")
    if standing.done < standing.documents:
        say(f"not complete: {standing.done} of {many(standing.documents, 'document')} are read")
        context.exit(SOME_FAILED)


@command()
@click.argument("output", type=FILE, metavar="OUT")
@click.pass_context
def verify(context: click.Context, output: Path) -> None:
    """Say whether the inputs of OUT, or cells of the table itself, were changed since; exits with 1 where something was."""
    from docproc.runs.audit import verify as find_changes

    changes = 0
    for line in find_changes(output):
        click.echo(line)
        changes += 1
    if changes:
        context.exit(SOME_FAILED)
    click.echo("everything is as it was read")
