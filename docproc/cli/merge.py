"""`docproc merge`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from docproc.cli import options
from docproc.cli.console import field_counts, many, say
from docproc.cli.options import FILE, command


@command(short_help="Join the tables of several machines.")
@click.argument("output", type=FILE, metavar="OUT")
@click.argument("parts", nargs=-1, required=True, type=FILE, metavar="PART...")
@options.overwrite("a table")
def merge(output: Path, parts: tuple[Path, ...], overwrite: bool) -> None:
    """Join the tables of all shards of docproc run --shard into one table OUT with one journal.

    OUT is what a single run over all documents would have written. Corrections that people made in a part are carried over.
    Parts that are missing, given twice, unfinished, or read with different settings are refused.
    """
    from docproc.runs.shards import merge as merge_shards

    found = merge_shards(output, parts, shlex.join(["docproc", *sys.argv[1:]]), overwrite=overwrite)
    say(f"{many(found.documents, 'document')}, {field_counts(found.fields, found.by_status, found.failed)}")
    say(f"table: {output}")
