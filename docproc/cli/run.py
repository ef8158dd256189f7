"""What reads documents into a table: `docproc run` and `watch`."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docproc.cli import options, signals
from docproc.cli.console import Progress, drift_told, duplicate_told, field_counts, many, read_of, say
from docproc.cli.options import FILE, PLACE, Function, command, option
from docproc.cli.pipes import piped
from docproc.errors import DONE, NEEDS_REVIEW, SOME_FAILED, DocprocError

if TYPE_CHECKING:
    from docproc.options import RunRequest
    from docproc.runs.batch import Summary
    from docproc.types import Row

GROUPS = {
    "Output": ("output", "journal", "wide", "wide_text", "crops", "crops_of"),
    "Existing output": ("resume", "overwrite", "forget_missing"),
    "Reading": ("input_list", "layout", "date_order", "date_window", "as_of", "recursive", "shard", "settle", "every"),
    "What is accepted": ("max_error", "thresholds", "fail_on_review"),
    "Engine and limits": ("jobs", "engine", "address", "backend", "model", "limit"),
}
"""Headings in the help, and the options below them."""

MAX_NAMED = 10  # failures, and files that came twice, that are named at the end of a run


def _reading_options(function: Function) -> Function:
    """The options that `run` and `watch` share."""
    shared = (
        option("-o", "--output", required=True, type=PLACE,
               help="The table: .csv, .jsonl, .xlsx or .parquet. For docproc run also a URL, with --journal; a folder there, "
                    "s3://bucket/out/, gets Parquet in parts."),
        options.layout,
        option("-j", "--jobs", default=0, type=click.IntRange(0),
               help="Number of processes; 0 uses all cores.  [default: 0]"),
        options.backend,
        options.model,
        options.max_error,
        options.thresholds,
        options.date_order,
        options.date_window,
        options.as_of,
        option("--recursive/--no-recursive", default=True, show_default=True, help="Include subfolders."),
        # Not local as that of other commands: a run that is repeated every day may replace its table.
        option("--overwrite/--no-overwrite", default=False,
               help="Replace an existing table, discarding changes made in it; corrections in the journal stay. "
                    "Documents already read are not read again unless --no-resume is given."),
        option("--forget-missing/--no-forget-missing", default=False,
               help="Drop the rows of documents no longer among the inputs.  [default: keep and mark them]"),
        options.wide,
        options.wide_text,
        option("--crops", type=FILE, metavar="DIR",
               help="Save pictures of fields in this folder; the table's column crop has their names."),
        option("--crops-of", default="review", show_default=True, type=click.Choice(options.CROPS_OF),
               help="Which fields to save: those for review, or all."),
        options.limits,
        option("-q", "--quiet", is_flag=True, help="Print only errors."),
        option("-v", "--verbose", is_flag=True, help="Print each document as it is read, skipped files, and the backend."),
    )  # fmt: skip
    for add in reversed(shared):
        function = add(function)
    return function


@command(groups=GROUPS)
@click.argument("inputs", nargs=-1, type=PLACE, metavar="INPUT...")
@_reading_options
@option("--resume/--no-resume", default=None, local=True,
        help="Update an existing table, reading only new and changed documents; --no-resume reads everything again. An "
             "interrupted run always resumes unless --no-resume is given.")  # fmt: skip
@option("--shard", type=options.Part(), local=True, metavar="K/N",
        help="Read only part K of N, by the names of the documents: one part on each machine. docproc merge joins the "
             "tables.")  # fmt: skip
@option(
    "--input-list",
    "lists",
    multiple=True,
    type=FILE,
    local=True,
    metavar="FILE",
    help="Read the documents that FILE names too, paths or URLs: one a line, or in the column document of a Parquet file.",
)
@option("--journal", type=FILE, local=True, metavar="FILE.docproc",
        help="Where the journal lies if -o is a URL.")  # fmt: skip
@options.engine
@options.address
@option("--fail-on-review/--no-fail-on-review", default=False, help="Exit with 7 when a person should look at something.")
@click.pass_context
def run(context: click.Context, /, quiet: bool, verbose: bool, **wishes: Any) -> None:
    """Read documents into a table.

    INPUT is files or folders: PNG, JPEG, TIFF (all pages), PDF, BMP, WebP, GIF, and ZIP archives of these. It may be a URL:
    s3://, gs://, az://, https://, file:// or zip://. Results are kept in a journal beside the table, TABLE.docproc. To
    continue an interrupted run, repeat the command.

    INPUT - reads one document from stdin; -o - writes CSV to stdout and keeps no journal.

    \b
    Exit codes:
      0  done                        6  the output exists
      1  some documents failed       7  fields need review (--fail-on-review)
      2  usage                       8  the output cannot be written
      3  bad template or settings    9  another run is writing the output
      4  missing model or backend    130, 143  interrupted
      5  nothing to read
    """  # noqa: D301 - click's mark for lines that stay as they are
    from docproc.runs.batch import run as run_batch

    if not wishes["inputs"] and not wishes["lists"]:
        raise click.UsageError("Missing argument 'INPUT...'.", context)
    request = _request(wishes)
    signals.install()
    if verbose and not quiet:
        _say_backend(request.backend, request.model)
    with piped(request) as asked:
        stdout = asked.output != request.output
        # What goes to stdout has no journal that is kept.
        explained = nullcontext() if stdout else _interruptions_explained(request)
        with Progress(quiet=quiet) as progress, explained:
            summary = run_batch(asked, reporter(progress, verbose=verbose))
        if verbose and not quiet:
            _say_skipped(summary.skipped)
        _say_end(summary, quiet=quiet, stdout=stdout)
    if summary.failed:
        context.exit(SOME_FAILED)
    context.exit(NEEDS_REVIEW if request.fail_on_review and summary.by_status["review"] else DONE)


@command(short_help="Read what arrives in a folder, and keep the table up to date.", groups=GROUPS)
@click.argument("folder", type=FILE)
@_reading_options
@option("--resume/--no-resume", default=None, local=True,
        help="Continue from the journal, or start over.  [default: resume]")  # fmt: skip
@option("--settle", default=2.0, show_default=True, type=click.FloatRange(0), metavar="SECONDS",
        help="How long a file must be unchanged before it is read.")  # fmt: skip
@option("--every", default=2.0, show_default=True, type=click.FloatRange(0.05), metavar="SECONDS",
        help="How often to check the folder.")  # fmt: skip
def watch(folder: Path, settle: float, every: float, quiet: bool, verbose: bool, **wishes: Any) -> None:
    """Read what arrives in a folder, as soon as it is complete, and keep the table up to date.

    Stop it with Ctrl-C; start it again to continue.
    """
    from docproc.runs.watch import watch as watch_folder

    if not isinstance(wishes["output"], Path):
        raise click.UsageError(f"docproc watch writes its table to a file, and not to {wishes['output']}")
    request = _request({**wishes, "inputs": (folder,)})
    signals.install()
    if verbose and not quiet:
        _say_backend(request.backend, request.model)

    def began() -> None:
        if not quiet:
            say(f"watching {folder}; Ctrl-C ends it")

    def update(done: int, total: int, rows: Sequence[Row]) -> None:
        signals.raise_pending()
        if verbose:
            _say_document(rows, time.strftime("%Y-%m-%d %H:%M:%S "))

    named: set[str] = set()

    def report(summary: Summary) -> None:
        if verbose and not quiet:
            _say_skipped([one for one in summary.skipped if one not in named])
            named.update(summary.skipped)
        _say_end(summary, quiet=quiet)

    with _interruptions_explained(request):
        watch_folder(request, settle, every, report, update, began=began)


def _request(wishes: dict[str, Any]) -> RunRequest:
    from docproc.options import Limits, RunRequest, table_place
    from docproc.urls import words_shown

    limits = replace(Limits(), **dict(wishes.pop("limits")))
    output, target = table_place(wishes.pop("output"), wishes.pop("journal", None))
    command = shlex.join(["docproc", *map(words_shown, sys.argv[1:])])  # it is kept, and told
    return RunRequest(limits=limits, command=command, output=output, target=target, **wishes)


def reporter(progress: Progress, *, verbose: bool) -> Callable[[int, int, Sequence[Row]], None]:
    """What shows the progress of a run, and with `verbose` names each document, as a `batch.Progress`."""
    began = time.monotonic()
    failed = pages = now = 0
    progress.update("reading", 0, None)

    def update(done: int, total: int, rows: Sequence[Row]) -> None:
        nonlocal failed, pages, now
        signals.raise_pending()
        now += 1  # `done` also counts what earlier runs have read, at no time of this one
        pages += len({row.page for row in rows})
        failed += any(row.status == "error" for row in rows)
        if verbose:
            _say_document(rows)
        seconds = time.monotonic() - began
        rate, lost = pages / max(1e-6, seconds), f", {failed} failed" if failed else ""
        minutes_left = (total - done) * seconds / now / 60
        progress.update(
            "reading", done, total, f"{done} of {many(total, 'document')}, {rate:.1f} pages/s{lost}",
            f"{done} of {total} documents{lost}; {rate:.1f} pages/s, {minutes_left:.0f} min left",
        )  # fmt: skip

    return update


@contextmanager
def _interruptions_explained(request: RunRequest) -> Iterator[None]:
    """When a run is ended before its time, say what is kept and how to go on."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        from docproc.commands.status import run_status

        with suppress(DocprocError):
            standing = run_status(request.output).standing
            say(f"docproc: interrupted; {read_of(standing.done, standing.documents)} and kept")
            say(f"to continue, run: {request.command}")
        signals.raise_pending()  # Ray makes another of it
        raise


def _say_backend(backend: str, model: Path | None) -> None:
    """Which backend reads, and why `auto` passed over a better one."""
    from docproc.weights.cards import choose_for

    chosen = choose_for(backend, model)
    say(f"backend {chosen.backend}{f'; not {chosen.passed_over}' if chosen.passed_over else ''}")


def _say_document(rows: Sequence[Row], when: str = "") -> None:
    from docproc.runs.tables import shown_name

    if rows:
        readings = ", ".join(f"{row.field} {row.value or row.text or row.status}" for row in rows if row.field)
        say(f"{when}{shown_name(rows[0].document)}: {readings or rows[0].reason}")


def _say_skipped(skipped: Sequence[str]) -> None:
    for one in skipped:
        say(f"skipped: {one}")


def _say_end(summary: Summary, *, quiet: bool, stdout: bool = False) -> None:
    """What came of a run; when `quiet` only what failed. `stdout` says that the table goes there and is no file."""
    if not quiet:
        _say_summary(summary, stdout=stdout)
    if summary.left_alone:  # by a watch, which goes on
        say(f"{summary.output} {summary.left_alone}")
        say("It is left as it is; move it away to have it written anew. What was read is kept: "
            f"docproc table {summary.output} -o another{summary.output.suffix}")  # fmt: skip
    if summary.failed:
        _say_failures(_told_by(summary), quiet=quiet or stdout)


def _say_summary(summary: Summary, *, stdout: bool) -> None:
    say(f"{many(summary.documents, 'document')}, {field_counts(summary.fields, summary.by_status, summary.failed)}")
    if summary.read < summary.documents:
        before = summary.documents - summary.read
        say(f"{before} {'was' if before == 1 else 'were'} read before, {summary.read} now")
    for one, first in summary.duplicates[:MAX_NAMED]:
        say(f"  {duplicate_told(one, first, summary.gone)}")
    if len(summary.duplicates) > MAX_NAMED:
        say(f"  and {len(summary.duplicates) - MAX_NAMED} more; the table says so of each")
    if summary.passed_over == 1:
        say("1 file skipped (not a document; -v names it)")
    elif summary.passed_over:
        say(f"{summary.passed_over} files skipped (not documents; -v names them)")
    if summary.away:
        say(f"{many(summary.away, 'document')} no longer among the inputs; the rows are kept (--forget-missing drops them)")
    if summary.drifts:
        say(drift_told(summary.drifts))
    if not stdout and not summary.left_alone:
        say(f"table: {summary.target or summary.output}")
        if summary.by_status["review"]:
            say(f"to list the fields for review: docproc status {shlex.quote(str(_told_by(summary)))}")


def _told_by(summary: Summary) -> Path:
    """By what other commands know the run: its table, or its journal where that is no file."""
    from docproc.runs.journal import journal_path

    return journal_path(summary.output) if summary.target else summary.output


def _say_failures(output: Path, *, quiet: bool) -> None:
    from docproc.commands.status import run_status
    from docproc.runs.tables import shown_name

    failures = run_status(output).standing.failures
    for document, page, reason in failures[:MAX_NAMED]:
        say(f"  failed: {shown_name(document)}, page {page}: {reason}")
    if len(failures) > MAX_NAMED and not quiet:
        say(f"  and more; the table has a row with the reason for each, and so has: docproc status {output}")
