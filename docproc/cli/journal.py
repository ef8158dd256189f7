"""What looks into the journal of a run: `docproc status`, `table` and `verify`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from docproc.cli import options
from docproc.cli.console import columned, drift_told, duplicate_told, edits_told, field_counts, many, print_json, read_of, say
from docproc.cli.options import FILE, command, option
from docproc.cli.pipes import PIPE, sent
from docproc.errors import SOME_FAILED

if TYPE_CHECKING:
    from docproc.types import Row


MAX_LINES = 20  # of what waits for review, and of what failed, that `status` lists unasked


@command(short_help="Show the state of a run and the fields to review.")
@click.argument("output", type=FILE, metavar="OUT")
@option("--all", "all_lines", is_flag=True, local=True, help=f"List everything, not only the first {MAX_LINES}.")
@options.as_json
def status(output: Path, all_lines: bool, as_json: bool) -> None:
    """Show the state of the run that writes OUT: what was read, what waits for review, what failed and why.

    OUT is the run's output table; it need not exist yet.
    """
    from docproc.commands.status import run_status

    run = run_status(output, None if all_lines or as_json else MAX_LINES)
    if as_json:
        print_json(run.figures())
        return
    standing = run.standing
    state = f"{run.state} ({run.holder})" if run.holder else run.state
    click.echo(f"{output}: {state}; begun {standing.notes.get('begun', '?')}, {standing.done} of "
               f"{many(standing.documents, 'document')} read")  # fmt: skip
    click.echo(field_counts(standing.fields, standing.by_status, standing.failed))
    for one, first in standing.duplicates[:10]:
        click.echo(f"  {duplicate_told(one, first, standing.gone)}")
    if standing.edits:
        click.echo(f"  {edits_told(standing.edits, standing.keyed)}")
    if run.drifts:
        click.echo(f"  {drift_told(run.drifts)}")
    if standing.away:
        click.echo(f"  {many(standing.away, 'document')} no longer among the inputs; the rows are kept")
    for title, rows, all_rows, columns in (
        ("failed", run.failures, standing.by_status["error"], ("document", "page", "reason")),
        ("for review", run.review, standing.by_status["review"], ("document", "page", "field", "text", "reason")),
    ):
        for line in _listed(title, rows, all_rows, columns):
            click.echo(line)
    if run.state == "interrupted" and standing.notes.get("command"):
        click.echo(f"to continue, run: {standing.notes['command']}")


def _listed(title: str, rows: Sequence[Row], count: int, columns: Sequence[str]) -> Iterator[str]:
    """The first of `count` rows below each other, with the names of their columns, and how many more there are."""
    from docproc.runs.tables import safe_cell, shown_name

    if not rows:
        return
    cells = [[shown_name(row.document) if c == "document" else safe_cell(getattr(row, c)) for c in columns] for row in rows]
    yield ""
    yield f"{title}:"
    yield from columned([list(columns), *cells])
    if len(rows) < count:
        yield f"  ... and {count - len(rows)} more; --all lists them"


@command()
@click.argument("output", type=FILE, metavar="OUT")
@option("-o", "--output", "target", required=True, type=FILE,
        help="The new table: .csv, .jsonl, .xlsx or .parquet; - is stdout, as CSV.")  # fmt: skip
@options.wide
@options.wide_text
@options.overwrite("a table")
@click.pass_context
def table(context: click.Context, output: Path, target: Path, wide: bool, wide_text: bool, overwrite: bool) -> None:
    """Write a run's table again from its journal, in any format.

    OUT is the run's output table; it need not exist yet. Exits with 1 where the run is not finished.
    """
    from docproc.commands.table import changes_left_out, write_table

    with sent(target) as written:
        # What goes to stdout names pictures as seen from where the command is given.
        standing = write_table(output, written, target.parent, wide=wide, wide_text=wide_text, overwrite=overwrite)
    if target != PIPE:
        say(f"table: {target}")
    if told := changes_left_out(output, target):
        say(told)
    if standing.done < standing.documents:
        say(f"not complete: {read_of(standing.done, standing.documents)}")
        context.exit(SOME_FAILED)


@command(short_help="Check whether inputs or table have changed since the run.")
@click.argument("output", type=FILE, metavar="OUT")
@click.pass_context
def verify(context: click.Context, output: Path) -> None:
    """Check whether the inputs of OUT, or cells of OUT itself, have changed since the run. Exits with 1 if so."""
    from docproc.runs.audit import verify as find_changes

    changes = 0
    for line in find_changes(output):
        click.echo(line)
        changes += 1
    if changes:
        context.exit(SOME_FAILED)
    click.echo("no changes: inputs and table are as they were read")
