"""The commands. Each builds a frozen request, calls one function, and returns an exit code; nothing is decided here.

Whatever a command needs is imported when it runs: `docproc --help` answers at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from docproc._version import __version__
from docproc.errors import DONE, INTERRUPTED, NEEDS_REVIEW, SOME_FAILED, TERMINATED, BadUsage, DocprocError

if TYPE_CHECKING:
    from datetime import date

    from rich.console import Console

    from docproc.learn.training.progress import Step
    from docproc.options import RunRequest
    from docproc.runs.batch import Summary

Command = TypeVar("Command", bound=Callable[..., Any])

BACKENDS = ["auto", "onnx", "tensorrt", "tensorflow"]
DATE_ORDERS = ["DMY", "MDY", "YMD", "auto"]


class Share(click.ParamType[float]):
    """`1%` or `0.01`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{text!r} is not a share; write 1% or 0.01", param, ctx)
        if not 0 <= share <= 1:
            self.fail(f"{text} is not between 0% and 100%", param, ctx)
        return share


class Limit(click.ParamType[tuple[str, float]]):
    """`pages=5000`."""

    name = "limit"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        from docproc.options import limit

        if isinstance(value, tuple):
            return value
        try:
            return limit(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Span(click.ParamType[str]):
    """`180d`, `6m` or `1y`."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from datetime import date

        from docproc.rules import DateWindow

        try:
            return DateWindow(str(value), date.min).span if value else ""
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Day(click.ParamType["date"]):
    """`2026-11-21`."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        from datetime import date

        try:
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no day; write 2026-11-21", param, ctx)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="docproc")
def main() -> None:
    """Read the digits on paper: scanned forms, checks and cut-out fields to a table with a confidence."""


# ------------------------------------------------------------------------------------------------------- run


def _reading_options(command: Command) -> Command:
    """The options that `run` and `watch` share."""
    options = (
        click.option("-o", "--output", required=True, type=click.Path(path_type=Path),
                     help="The table: .csv, .jsonl, .xlsx or .parquet."),
        click.option("--layout", default="auto", show_default=True, metavar="auto|digits|amount|micr|check|TEMPLATE.toml",
                     help="What a page holds: digits, amount or micr (a line of E-13B) for a cut-out field, check for a bank "
                          "check, a template for a form. auto takes a template.toml beside the pages, else tells cut-out "
                          "fields, checks and forms apart and finds their boxes."),
        click.option("-j", "--jobs", default=0, type=click.IntRange(0), help="Processes; 0 takes every core.  [default: 0]"),
        click.option("--backend", default="auto", show_default=True, type=click.Choice(BACKENDS),
                     help="What runs the networks; auto takes the best that works here."),
        click.option("--model", type=click.Path(path_type=Path), help="A model of your own (.onnx, its card beside it)."),
        click.option("--max-error", default="1%", show_default=True, type=Share(),
                     help="How many of the accepted fields may be wrong; all others get the status review."),
        click.option("--thresholds", type=click.Path(path_type=Path), metavar="FILE",
                     help="Accept by thresholds that docproc model calibrate measured on truth of your own."),
        click.option("--date-order", default="auto", show_default=True, type=click.Choice(DATE_ORDERS),
                     help="Of dates whose layout or template leaves it open; auto takes what is possible."),
        click.option("--date-window", default="", type=Span(), metavar="180d|6m|1y",
                     help="Dates that are older, or lie in the future, get the status review."),
        click.option("--as-of", type=Day(), metavar="YYYY-MM-DD",
                     help="The day from which --date-window counts.  [default: the day on which the run is begun]"),
        click.option("--recursive/--no-recursive", default=True, show_default=True, help="Also read the folders in a folder."),
        click.option("--overwrite", is_flag=True, help="Replace a table that is there."),
        click.option("--wide", is_flag=True, help="One row a page and one column a field."),
        click.option("--crops", type=click.Path(path_type=Path), metavar="DIR",
                     help="Also save a picture of every field here."),
        click.option("--limit", "limits", multiple=True, type=Limit(), metavar="NAME=VALUE",
                     help="What a document may take: file_bytes, pixels, side, pages, scans, memory, pdf_dpi, seconds."),
        click.option("-q", "--quiet", is_flag=True, help="Only say what went wrong."),
        click.option("-v", "--verbose", is_flag=True, help="Name every document as it is read."),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@_reading_options
@click.option("--resume/--no-resume", default=None,
              help="Bring a table that is there up to date, reading only what is new or changed; or begin anew. A run that was "
                   "interrupted goes on in any case, unless --no-resume is given.")  # fmt: skip
@click.option("--fail-on-review", is_flag=True, help="Exit with 7 when a person should look at something.")
@click.pass_context
def run(context: click.Context, /, quiet: bool, verbose: bool, **options: Any) -> None:
    """Read documents into a table.

    INPUT is files or folders: PNG, JPEG, TIFF (all pages), PDF, BMP, WebP, GIF. Beside the table lies its journal,
    NAME.docproc: an interrupted run goes on with the same command, and docproc status and docproc table look into it.

    Exit codes: 0 done, 1 some documents failed, 2 usage, 3 bad template or settings, 4 missing model or backend, 5 nothing
    to read, 6 the output exists, 7 --fail-on-review, 8 the output cannot be written, 9 another run holds the output, 130 and
    143 interrupted.
    """
    from docproc.runs.batch import run as run_batch

    request = _request(context, options)
    _heed_signals()
    console = _console()
    if not quiet:
        _tell_backend(console, request.backend)
    with _Watcher(console, quiet, verbose) as watcher, _interruptions_told(console, request):
        summary = run_batch(request, watcher.update)
    if not quiet:
        _tell_summary(console, summary)
    _tell_failures(console, request.output, summary.failed, quiet=quiet)
    if summary.failed:
        context.exit(SOME_FAILED)
    context.exit(NEEDS_REVIEW if request.fail_on_review and summary.by_status["review"] else DONE)


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_reading_options
@click.option("--resume/--no-resume", default=None, help="Go on with what the journal holds, or begin anew.  [default: resume]")
@click.option("--settle", default=2.0, show_default=True, type=click.FloatRange(0), metavar="SECONDS",
              help="How long a file must be unchanged before it is read.")  # fmt: skip
@click.option("--every", default=2.0, show_default=True, type=click.FloatRange(0.05), metavar="SECONDS",
              help="How often the folder is looked at.")  # fmt: skip
@click.pass_context
def watch(
    context: click.Context, /, folder: Path, settle: float, every: float, quiet: bool, verbose: bool, **options: Any
) -> None:
    """Read what arrives in a folder, as soon as it is complete, and keep the table up to date.

    Ends with Ctrl-C, and goes on where it was when it is started again.
    """
    from docproc.runs.watch import watch as watch_folder

    request = _request(context, options | {"inputs": (folder,), "fail_on_review": False})
    _heed_signals()
    console = _console()

    def tell(summary: Summary) -> None:
        if not quiet:
            _tell_summary(console, summary)
        _tell_failures(console, request.output, summary.failed, quiet=quiet)

    def update(done: int, total: int, rows: Any) -> None:
        _heed_lost_signals()
        if verbose and rows:
            _tell_document(console, rows)

    if not quiet:
        _tell_backend(console, request.backend)
        _say(console, f"watching {folder}; Ctrl-C ends it")
    with _interruptions_told(console, request):
        watch_folder(request, settle, every, tell, update)


@main.command()
@click.argument("output", type=click.Path(path_type=Path), metavar="OUT")
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
def status(output: Path, as_json: bool) -> None:
    """Say how the run that writes OUT stands: what is read, what waits for review, what failed and why."""
    from docproc.runs.journal import Journal
    from docproc.runs.lock import holder
    from docproc.runs.tables import shown_name

    with Journal.look(output) as journal:
        standing = journal.standing()
    who = holder(output.with_suffix("") if output.suffix == ".docproc" else output)
    count = standing.by_status
    state = f"running ({who})" if who else "finished" if standing.notes.get("finished") else "interrupted"
    if as_json:
        click.echo(json.dumps({
            "state": state.partition(" ")[0], "documents": standing.documents, "done": standing.done, "failed": standing.failed,
            "pages": standing.pages, "fields": standing.fields, "status": dict(count),
            "failures": [{"document": shown_name(d), "page": p, "reason": r} for d, p, r in standing.failures],
            "duplicates": [[shown_name(one), shown_name(first)] for one, first in standing.duplicates],
            "notes": dict(standing.notes),
        }, indent=2))  # fmt: skip
        return
    click.echo(f"{output}: {state}; begun {standing.notes.get('begun', '?')}, {standing.done} of "
               f"{_many(standing.documents, 'document')} read")  # fmt: skip
    click.echo(_counts(standing.fields, count, standing.failed))
    for one, first in standing.duplicates[:10]:
        click.echo(f"  the same file twice: {shown_name(one)} and {shown_name(first)}")
    for document, page, reason in standing.failures:
        click.echo(f"  failed: {shown_name(document)}, page {page}: {reason}")
    if state == "interrupted" and standing.notes.get("command"):
        click.echo(f"go on with: {standing.notes['command']}")


@main.command()
@click.argument("output", type=click.Path(path_type=Path), metavar="OUT")
@click.option("-o", "--output", "target", required=True, type=click.Path(path_type=Path),
              help="The new table: .csv, .jsonl, .xlsx or .parquet.")  # fmt: skip
@click.option("--wide", is_flag=True, help="One row a page and one column a field.")
@click.option("--overwrite", is_flag=True, help="Replace a table that is there.")
@click.pass_context
def table(context: click.Context, output: Path, target: Path, wide: bool, overwrite: bool) -> None:
    """Make the table of a run again from its journal, in any format.

    OUT is the table that the run writes, there or not. Exits with 1 where the run is not finished.
    """
    from docproc.errors import OutputExists
    from docproc.runs.journal import Journal
    from docproc.runs.tables import check_output, export_table

    check_output(target)
    if target.exists() and not overwrite:
        raise OutputExists(f"{target} is there already; give --overwrite or another name")
    with Journal.look(output) as journal:
        export_table(target, journal.rows, wide=wide)
        standing = journal.standing()
    _say(_console(), f"table: {target}")
    if standing.done < standing.documents:
        _say(_console(), f"not complete: {standing.done} of {_many(standing.documents, 'document')} are read")
        context.exit(SOME_FAILED)


@main.command()
@click.argument("output", type=click.Path(path_type=Path), metavar="OUT")
@click.pass_context
def verify(context: click.Context, output: Path) -> None:
    """Hash the inputs of OUT again and hold the table against its journal; exits with 1 where something was changed."""
    from docproc.runs.audit import verify as find_changes

    changes = 0
    for line in find_changes(output):
        click.echo(line)
        changes += 1
    if changes:
        context.exit(SOME_FAILED)
    click.echo("everything is as it was read")


def _request(context: click.Context, options: dict[str, Any]) -> RunRequest:
    import shlex
    from dataclasses import replace

    from docproc.options import Limits, RunRequest

    options = _with_settings(context, options)
    limits = replace(Limits(), **dict(options.pop("limits")))
    command = shlex.join(["docproc", *sys.argv[1:]])
    return RunRequest(inputs=tuple(options.pop("inputs")), limits=limits, command=command, **options)


def _tell_backend(console: Console, backend: str) -> None:
    """Say which backend `auto` takes where it passes over a better one, and why."""
    from docproc.backends import choose

    chosen = choose(backend)
    if chosen.passed_over:
        _say(console, f"backend {chosen.backend}; not {chosen.passed_over}")


def _heed_signals() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)):
        # What was started with nohup wants to outlive its terminal.
        if number is not None and (number == signal.SIGINT or signal.getsignal(number) != signal.SIG_IGN):
            signal.signal(number, _stop)


@contextmanager
def _interruptions_told(console: Console, request: RunRequest) -> Iterator[None]:
    """Say what is kept, and how to go on, when a run is ended before its time."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        from docproc.runs.journal import Journal

        with suppress(DocprocError), Journal.look(request.output) as journal:
            standing = journal.standing()
            _say(console, f"docproc: interrupted; {standing.done} of {_many(standing.documents, 'document')} are read and kept")
            _say(console, f"go on with: {request.command}")
        raise


class _Watcher:
    """Shows how a run goes: a progress bar on a terminal, a line a minute elsewhere."""

    def __init__(self, console: Console, quiet: bool, verbose: bool) -> None:
        self._failed = 0
        self._pages = 0
        self._console, self._quiet, self._verbose = console, quiet, verbose
        self._bar: Any = None
        self._told = 0.0

    def __enter__(self) -> _Watcher:
        import time

        self._told = self._began = time.monotonic()
        if self._console.is_terminal and not self._quiet:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[say]}"),
                TimeRemainingColumn(), console=self._console, transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("reading", total=None, say="")
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, done: int, total: int, rows: Any) -> None:
        import time

        _heed_lost_signals()
        self._pages += len({row.page for row in rows})
        self._failed += any(row.status == "error" for row in rows)
        if self._verbose and rows:
            _tell_document(self._console, rows)
        now = time.monotonic()
        failed = f", {self._failed} failed" if self._failed else ""
        rate = self._pages / max(1e-6, now - self._began)
        if self._bar:
            self._bar.update(self._task, completed=done, total=total, say=f"{rate:.1f} pages/s{failed}")
        elif not self._quiet and now - self._told >= 60:
            self._told = now
            left = (total - done) * (now - self._began) / done
            _say(self._console, f"{done} of {total} documents{failed}; {rate:.1f} pages/s, {left / 60:.0f} min left")


def _tell_document(console: Console, rows: Any) -> None:
    from docproc.runs.tables import shown_name

    readings = ", ".join(f"{row.field} {row.text or row.status}" for row in rows if row.field)
    _say(console, f"{shown_name(rows[0].document)}: {readings or rows[0].reason}")


def _counts(fields: int, count: Any, failed: int) -> str:
    blank = f", {count['blank']} blank" if count["blank"] else ""
    lost = f"; {_many(failed, 'document')} failed" if failed else ""
    return f"{_many(fields, 'field')}: {count['ok']} accepted, {count['review']} for review{blank}{lost}"


def _tell_summary(console: Console, summary: Summary) -> None:
    from docproc.runs.tables import shown_name

    _say(console, f"{_many(summary.documents, 'document')}, {_counts(summary.fields, summary.by_status, summary.failed)}")
    if summary.read < summary.documents:
        _say(console, f"{summary.documents - summary.read} of them were read before, {summary.read} now")
    for one, first in summary.duplicates[:10]:
        _say(console, f"  the same file twice: {shown_name(one)} and {shown_name(first)}")
    if len(summary.duplicates) > 10:
        _say(console, f"  and {len(summary.duplicates) - 10} more; the table says so of each")
    if summary.passed_over:
        _say(console, f"{_many(summary.passed_over, 'other file')} left alone")
    _say(console, f"table: {summary.output}")


def _many(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _tell_failures(console: Console, output: Path, failed: int, *, quiet: bool, most: int = 10) -> None:
    if not failed:
        return
    from docproc.runs.journal import Journal
    from docproc.runs.tables import shown_name

    with Journal.look(output) as journal:
        failures = journal.standing().failures
    for document, page, reason in failures[:most]:
        _say(console, f"  failed: {shown_name(document)}, page {page}: {reason}")
    if len(failures) > most and not quiet:
        _say(console, f"  and more; the table has a row with the reason for each, and so has: docproc status {output}")


def _with_settings(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Settings files under what environment and flags say."""
    from docproc.errors import BadConfig
    from docproc.options import PROJECT_FILE, read_settings, user_file

    settings = read_settings(user_file(), Path(PROJECT_FILE))
    for name, value in settings.items():
        if context.get_parameter_source(name) == click.core.ParameterSource.DEFAULT:
            parameter = next((p for p in context.command.params if p.name == name), None)
            if parameter is None:
                continue  # a setting of another command
            try:
                several = value if isinstance(value, list) else [value]
                converted = tuple(parameter.type.convert(one, parameter, context) for one in several)
                options[name] = converted if isinstance(value, list) else converted[0]
            except click.BadParameter as problem:
                raise BadConfig("settings", [f"{name}: {problem.format_message()}"]) from problem
    return options


# --------------------------------------------------------------------------------------------------- explain


@main.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The picture.  [default: NAME.explain.png here]")
@click.option("--layout", default="auto", show_default=True, metavar="auto|digits|amount|micr|check|TEMPLATE.toml")
@click.option("--page", default=1, show_default=True, type=click.IntRange(1), help="Of a document with several.")
@click.option("--field", "field_name", help="Only this field.")
@click.option("--backend", default="auto", show_default=True, type=click.Choice(BACKENDS))
@click.option("--model", type=click.Path(path_type=Path), help="A model of your own (.onnx, its card beside it).")
@click.option("--max-error", default="1%", show_default=True, type=Share())
@click.option("--thresholds", type=click.Path(path_type=Path), metavar="FILE", help="Accept by these, as docproc run does.")
@click.option("--date-order", default="auto", show_default=True, type=click.Choice(DATE_ORDERS))
@click.option("--overwrite", is_flag=True, help="Replace a picture that is there.")
def explain(image: Path, output: Path | None, overwrite: bool, **options: Any) -> None:
    """Draw one picture that shows every step for a page or a field.

    The crop, its ink, the cuts, the 28x28 candidates with their scores, the chosen path, the confidence.
    """
    from docproc.commands.explain import explain_page

    target = output or Path(f"{image.stem}.explain.png")
    rows = explain_page(image, target, overwrite=overwrite, **options)
    for row in rows:
        sure = f"{row.confidence:.2%}" if row.confidence is not None else ""
        said = f"{row.status}: {row.reason}" if row.reason else row.status
        click.echo(f"{row.field}: {'  '.join(part for part in (row.text, sure, said) if part)}")
    _say(_console(), f"picture: {target}")


# -------------------------------------------------------------------------------------------------- template


@main.group()
def template() -> None:
    """Describe a form once, read it for ever."""


@template.command()
@click.argument("blank", type=click.Path(path_type=Path))
@click.option("-o", "--output", default=Path("template.toml"), show_default=True, type=click.Path(path_type=Path),
              help="The template.")  # fmt: skip
@click.option("--name", help="Of the form.  [default: the name of BLANK]")
@click.option("--from", "table", type=click.Path(path_type=Path), metavar="TABLE.csv",
              help="Take names and boxes from the table of a run over BLANK.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a template that is there.")
def init(blank: Path, output: Path, name: str | None, table: Path | None, overwrite: bool) -> None:
    """Propose a template from a blank form: rows of boxes, frames and lines to write on, each found where it is printed.

    BLANK is any document; its first page is taken.
    """
    from docproc.commands.template import propose_template

    found = propose_template(blank, output, name=name, table=table, overwrite=overwrite)
    console = _console()
    free = len(found.fields) - found.combs
    _say(console, f"{_many(found.combs, 'comb')} and {free} {'box' if free == 1 else 'boxes'} for free numbers")
    if found.beside:
        _say(console, f"{_many(found.beside, 'more frame')} on the form; without --from they are proposed too")
    if not found.reference:
        _say(console, "pages are taken as they lie: docproc cannot lay them onto this form; a PNG with more print could do it")
    _say(console, f"template: {output}")
    _say(console, f"look at it with:  docproc template preview {output}")
    _say(console, f"try it on scans:  docproc template lint {output} --on SCANS")


@template.command()
@click.argument("template_file", type=click.Path(path_type=Path), metavar="TEMPLATE")
@click.argument("scan", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", default=Path("preview.png"), show_default=True, type=click.Path(path_type=Path),
              help="The picture.")  # fmt: skip
@click.option("--page", default=1, show_default=True, type=click.IntRange(1), help="Of a scan with several.")
@click.option("--overwrite", is_flag=True, help="Replace a picture that is there.")
def preview(template_file: Path, scan: Path | None, output: Path, page: int, overwrite: bool) -> None:
    """Draw the boxes of a template over a scan, or over the form itself: where they lie and what they are."""
    from docproc.commands.template import preview_template

    said = preview_template(template_file, scan, output, page=page, overwrite=overwrite)
    _say(_console(), f"{scan or template_file}: {said}")
    _say(_console(), f"picture: {output}")


@template.command()
@click.argument("template_file", type=click.Path(path_type=Path), metavar="TEMPLATE")
@click.option("--on", "scans", multiple=True, required=True, type=click.Path(path_type=Path), metavar="SCANS...",
              help="Scans of the form: files or folders.")  # fmt: skip
@click.argument("more", nargs=-1, type=click.Path(path_type=Path), metavar="")
@click.pass_context
def lint(context: click.Context, template_file: Path, scans: tuple[Path, ...], more: tuple[Path, ...]) -> None:
    """Hold a template against scans: do they fit, do the boxes lie on what is printed, is writing cut off?

    Exits with 1 where something is wrong, and with 3 where the template itself has faults.
    """
    from docproc.commands.template import lint_template

    if lint_template(template_file, (*scans, *more), click.echo):
        context.exit(SOME_FAILED)


@template.command()
def schema() -> None:
    """Print the JSON Schema of a template, for an editor or a check of your own."""
    from docproc.fields.template import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


# ----------------------------------------------------------------------------------------------------- model


@main.group()
def model() -> None:
    """Train and examine the networks."""


@model.command()
@click.option("--data", type=click.Path(path_type=Path), metavar="MNIST",
              help="The folder with MNIST's four IDX files, or mnist.npz; without it Keras downloads them, and --from takes "
                   "digits that docproc draws.")  # fmt: skip
@click.option("--from", "reviewed", type=click.Path(path_type=Path), metavar="REVIEWED",
              help="Learn from a table of results whose texts a person has corrected.")  # fmt: skip
@click.option("--base", type=click.Path(path_type=Path), metavar="digits.keras",
              help="With --from: the model to begin with, all files in one folder.  [default: the shipped one]")  # fmt: skip
@click.option("--results", type=click.Path(path_type=Path), metavar="RESULTS",
              help="With --from: the table of the run, if REVIEWED does not lie beside its journal.")  # fmt: skip
@click.option(
    "--layout", metavar="LAYOUT|TEMPLATE.toml", help="With --from: how pages are read.  [default: as the run read them]"
)
@click.option("--max-error", type=Share(),
              help="With --from: the error at which more fields should be accepted.  [default: 1%]")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where the model, its card and the report of the training are written.  [default: models, with --from: "
                   "learned]")  # fmt: skip
@click.option("--network", default="digits", show_default=True, type=click.Choice(["digits", "classic", "micr"]),
              help="digits: the three networks of handwriting. classic: the textbooks' network, for single digits. micr: that "
                   "of E-13B, which needs no MNIST.")  # fmt: skip
@click.option("--seed", type=int, help="Another seed than the recipe's.")
@click.option("--strips", type=click.IntRange(50), help="Composed fields, or lines of E-13B, to train on.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the examples; of digits, those of the glyph network.")
@click.option("--line-epochs", type=click.IntRange(1), help="The same of the line network.")
@click.option("--cell-combs", type=click.IntRange(50), help="Composed combs whose cells are trained on.")
@click.option("--cell-epochs", type=click.IntRange(1), help="Passes of the cell network.")
@click.option("--fit-strips", type=click.IntRange(100),
              help="Composed fields for context, vote and calibration; with --from those to be read no worse.")  # fmt: skip
@click.option("--patience", type=click.IntRange(0),
              help="Epochs without a better validation after which a training ends; 0: never.")  # fmt: skip
@click.option("-j", "--jobs", default=0, type=click.IntRange(0), help="Processes that compose; 0 takes every core.")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
@click.pass_context
def train(
    context: click.Context,
    /,
    data: Path | None,
    reviewed: Path | None,
    base: Path | None,
    results: Path | None,
    layout: str | None,
    max_error: float | None,
    output: Path | None,
    network: str,
    jobs: int,
    overwrite: bool,
    **changes: Any,
) -> None:
    """Train networks, export them to ONNX, write their card, and a report with the curves of the training.

    A training that was interrupted goes on after its last epoch with the same command.

    With --from a model goes on from where it is, on fields that a person has corrected mixed with composed ones. A third of the
    documents is held back. The new model is only written when more of their fields can be accepted at --max-error than before,
    when composed fields are read no worse, and no more of what is accepted is wrong; else it exits with 1.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"  # without it sixteen bits are emulated, many times slower
    from docproc.commands.train import changed, recipe, train_model

    changes = {name: value for name, value in changes.items() if value is not None}
    jobs = jobs or os.cpu_count() or 1
    if reviewed is None:
        if base or results or layout or max_error is not None:
            raise BadUsage("--base, --results, --layout and --max-error go with --from REVIEWED")
        output, chosen = output or Path("models"), recipe(network, changes)
        with _TrainingWatcher(_console()) as watcher:
            card = train_model(chosen, data, output, jobs, overwrite, watcher.tell)
        click.echo(json.dumps(card["scores"], indent=2))
        _say(_console(), f"report: {output / network}.html")
        return
    from docproc.commands.retrain import Relearning, relearn

    if network != "digits":
        raise BadUsage("--from corrects what is written by hand; it has no --network")
    wish = Relearning(
        reviewed, output or Path("learned"), base, results, layout or "", data, 0.01 if max_error is None else max_error,
        changed("digits", changes), jobs, overwrite,
    )  # fmt: skip
    with _TrainingWatcher(_console()) as watcher:
        said, better = relearn(wish, watcher.tell)
    click.echo(said)
    context.exit(DONE if better else SOME_FAILED)


class _TrainingWatcher:
    """Shows how a training goes: a progress bar on a terminal, elsewhere a line an epoch."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Any = None
        self._task: Any = None
        self._of = ""

    def __enter__(self) -> _TrainingWatcher:
        if self._console.is_terminal:
            from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[say]}"), TimeRemainingColumn(),
                console=self._console, transient=True,
            )  # fmt: skip
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def tell(self, said: str | Step) -> None:
        if isinstance(said, str):
            _say(self._console, said)
        elif self._bar:
            total, done = said.epochs * said.steps, (said.epoch - 1) * said.steps + said.step
            if said.network != self._of:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._of, self._task = said.network, self._bar.add_task(said.network, total=total, completed=done, say="")
            self._bar.update(self._task, completed=done, say=f"epoch {said.epoch}/{said.epochs}, loss {said.loss:.4f}")


@model.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option("--model", "model_path", type=click.Path(path_type=Path), help="A model of your own (.onnx, its card beside it).")
@click.option("--backend", default="auto", show_default=True, type=click.Choice(BACKENDS), help="What runs the network.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png",
              help="Also draw what the network was shown, and what it saw there.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@click.option("--overwrite", is_flag=True, help="Replace a picture that is there.")
def predict(
    images: tuple[Path, ...], model_path: Path | None, backend: str, picture: Path | None, as_json: bool, overwrite: bool
) -> None:
    """Say which digit a picture shows, with the probability of each of the ten.

    IMAGE holds one digit: any size, dark on light or light on dark.
    """
    from docproc.commands.predict import draw
    from docproc.commands.predict import predict as read_digits
    from docproc.errors import OutputExists
    from docproc.weights.opening import open_digit_reader

    if picture and picture.suffix.lower() != ".png":
        raise BadUsage(f"the picture is a PNG: {picture} should end in .png")
    if picture and picture.exists() and not overwrite:
        raise OutputExists(f"{picture} is there already; give --overwrite or another name")
    reader = open_digit_reader(backend, model_path)
    found = read_digits(images, reader)
    if picture:
        draw(found, reader, picture)
    if as_json:
        told = [{"image": one.image, "digit": one.digit, "probabilities": one.probabilities, "a_digit": one.a_digit}
                for one in found]  # fmt: skip
        click.echo(json.dumps(told, indent=2))
    else:
        for one in found:
            doubt = f"; that it is a digit at all: {one.a_digit:.2%}" if one.a_digit < 0.99 else ""
            click.echo(f"{one.image}: {one.digit}{doubt}")
            for digit, share in enumerate(one.probabilities):
                click.echo(f"  {digit} {share:8.2%} {'#' * round(40 * share)}".rstrip())
    if picture:
        _say(_console(), f"picture: {picture}")


@model.command(options_metavar="[--on mnist|PATH] [OPTIONS]")
@click.argument("subjects", nargs=-1, type=click.Path(path_type=Path), metavar="[MODEL | RESULTS TRUTH]")
@click.option("--on", metavar="mnist|PATH",
              help="Evaluate MODEL, or the shipped one, on MNIST's test digits: those of mnist.npz, of a folder with the four "
                   "IDX files, or those that Keras downloads; or on pictures of digits in folders named 0 to 9.")  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path), metavar="FILE.html",
              help="The report.  [default: evaluation.html of a MODEL, none of RESULTS]")  # fmt: skip
@click.option("--json", "figures", type=click.Path(path_type=Path), metavar="FILE.json",
              help="The figures, for a program.  [default: evaluation.json of a MODEL, none of RESULTS]")  # fmt: skip
@click.option("--backend", default="auto", show_default=True, type=click.Choice(BACKENDS), help="What runs a MODEL.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def evaluate(
    subjects: tuple[Path, ...], on: str | None, report: Path | None, figures: Path | None, backend: str, overwrite: bool
) -> None:
    """Say how well a model reads single digits, or how well the results of a run agree with the truth.

    RESULTS is a table that docproc run wrote, or its journal. TRUTH is a table with the columns document, page (1 where it is
    left out), field, text, and value if you like: .csv, .jsonl, .xlsx or .parquet. A field counts as right only when its
    whole text is.
    """
    from docproc.commands.evaluate import assess_model, assess_results

    if on is not None and len(subjects) <= 1:
        model_path = subjects[0] if subjects else None
        report, figures = report or Path("evaluation.html"), figures or Path("evaluation.json")
        said = assess_model(model_path, on, backend, report, figures, overwrite=overwrite)
    elif on is None and len(subjects) == 2:
        said = assess_results(*subjects, report, figures, overwrite=overwrite)
    else:
        raise BadUsage("give a model and what it is evaluated on: docproc model evaluate MODEL --on mnist; "
                       "or results and their truth: docproc model evaluate RESULTS TRUTH")  # fmt: skip
    click.echo(said)
    for written in (figures, report):
        if written:
            _say(_console(), f"written: {written}")


@model.command()
@click.argument("results", type=click.Path(path_type=Path))
@click.argument("truth", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.json",
              help="Where the thresholds are written, for docproc run --thresholds; else they are only shown.")  # fmt: skip
@click.option("--max-error", default="1%", show_default=True, type=Share(),
              help="How many of the accepted fields may be wrong.")  # fmt: skip
@click.option("--certainty", default="95%", show_default=True, type=Share(),
              help="How certain that should be, as far as the truth is a fair sample.")  # fmt: skip
@click.option(
    "--together", is_flag=True, help="One threshold for all fields: less truth is needed, and the error is that of all."
)
@click.option("--model", "model_path", type=click.Path(path_type=Path), help="The model that read, if it is one of your own.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.pass_context
def calibrate(context: click.Context, /, model_path: Path | None, **options: Any) -> None:
    """Find from truth of your own how confident a field must be to be accepted, so that an error is kept.

    RESULTS and TRUTH are those of docproc model evaluate. The truth should be a fair sample: all fields of pages that were
    picked by chance, say. For each field the table shows what each error would cost: the share that is accepted, and the
    error that is not exceeded with the certainty. What the truth cannot support is not promised: then it says how many
    more fields it takes, and exits with 1.
    """
    from docproc.commands.evaluate import calibrate as find_thresholds

    console = _console()
    said, kept, notes = find_thresholds(model=model_path, **options)
    click.echo(said)
    for note in notes:
        _say(console, note)
    if not kept:
        context.exit(SOME_FAILED)


@model.command()
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where the files are written, with a card, so that DIR is a model too.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), metavar="MNIST",
              help="The folder with MNIST's four IDX files, or mnist.npz; without it Keras downloads them.")  # fmt: skip
@click.option("--model", "model_path", type=click.Path(path_type=Path),
              help="A model of your own (.onnx, its .keras files and card beside it).")  # fmt: skip
@click.option("--precision", "precisions", multiple=True, default=["float32", "float16"], show_default=True,
              type=click.Choice(["float32", "float16"]), help="May be given twice.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
@click.option("--overwrite", is_flag=True, help="Replace files that are there.")
def export(
    output: Path, data: Path | None, model_path: Path | None, precisions: tuple[str, ...], as_json: bool, overwrite: bool
) -> None:
    """Write the networks from Keras to ONNX, and on to TensorRT engines; tell how far each form is from Keras.

    Compared on MNIST's test digits: as they are, five on a line, or alone in a cell. The files of eight bits come from
    docproc model train, because they are laid out by composed fields; they are compared too. Engines are kept in the
    user's cache, where docproc run finds them.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from dataclasses import asdict

    from docproc.learn.composing import mnist
    from docproc.learn.training.conversion import convert

    rows = convert(model_path, output, precisions, mnist.load(data), overwrite=overwrite)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    click.echo(f"{'network':9}{'form':18}{'run by':12}{'kB':>7}{'same first':>12}{'differs by':>12}")
    for row in rows:
        numbers = "" if row.same is None else f"{row.same:12.3%}{row.differs:12.5f}"
        size = f"{row.bytes / 1000:7.0f}" if row.bytes else f"{'':7}"
        click.echo(f"{row.network:9}{row.form:18}{row.backend or '-':12}{size}{numbers}  {row.remark}".rstrip())


@model.command()
@click.option("--backend", "backends", multiple=True, type=click.Choice(BACKENDS[1:]),
              help="Only this one; may be given again.  [default: all]")  # fmt: skip
@click.option("--batch", "batches", multiple=True, default=[1, 8, 32, 64, 128, 256, 1024], show_default=True,
              type=click.IntRange(1), help="Digits at a time; may be given again.")  # fmt: skip
@click.option("--seconds", default=0.3, show_default=True, type=click.FloatRange(0.01),
              help="How long one turn takes; there are five.")  # fmt: skip
@click.option("--model", "model_path", type=click.Path(path_type=Path), help="A model of your own (.onnx, its card beside it).")
@click.option("--json", "as_json", is_flag=True, help="For a program to read.")
def bench(backends: tuple[str, ...], batches: tuple[int, ...], seconds: float, model_path: Path | None, as_json: bool) -> None:
    """Digits a second of every backend on this machine, beside a plain call of the library on the same file.

    On one core, as each process of docproc run has it. Below it stands the floor that the core lays: by the arithmetic of
    a digit, and by the bytes that go from layer to layer.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for library in ("OPENBLAS", "OMP", "MKL"):  # the floor is that of one core
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from dataclasses import asdict

    from docproc.learn.evaluation.bench import bench as measure

    found = measure(backends, model_path, batches, seconds)
    if as_json:
        click.echo(json.dumps(asdict(found) | {"silent": dict(found.silent)}, indent=2))
        return
    click.echo(f"{'backend':12}{'file':18}{'batch':>7}{'docproc':>12}{'library':>12}{'share':>8}")
    for rate in found.rates:
        click.echo(f"{rate.backend:12}{rate.file:18}{rate.batch:7}{rate.docproc:12,.0f}{rate.plain:12,.0f}"
                   f"{rate.docproc / rate.plain:8.0%}")  # fmt: skip
    for name, reason in found.silent:
        click.echo(f"{name:12}does not work: {reason}")
    floor = found.floor
    if isinstance(floor, str):
        click.echo(f"the floor was not measured: {floor}")
        return
    click.echo(f"by arithmetic one core could do about {floor.by_arithmetic:,.0f} digits a second: a digit takes "
               f"{floor.operations / 1e6:.1f} million operations, products of matrices show "
               f"{floor.operations_a_second / 1e9:,.0f} thousand million a second in {floor.precision}")  # fmt: skip
    click.echo(f"by bytes {floor.by_bytes:,.0f}: the layers of a digit write and read {floor.bytes / 1e3:.0f} kB, and the core "
               f"copies {floor.bytes_a_second / 1e9:.1f} GB a second")  # fmt: skip


# ---------------------------------------------------------------------------------------------------- doctor


@main.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Say what is installed, which backends work here, and why the others do not."""
    from docproc.commands.doctor import examine

    report = examine()
    for line in report.lines:
        click.echo(line)
    context.exit(DONE if report.works else 4)


# ------------------------------------------------------------------------------------------------------ rest


def _console() -> Console:
    """Messages go to stderr; stdout carries data."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def _say(console: Console, text: str) -> None:
    try:
        console.print(text, markup=False)
    except (OSError, SystemExit):  # nobody listens any more (rich ends the program then); the run goes on
        console.quiet = True
        _heed_lost_signals()


_stopped: list[int] = []  # signals that came


def _stop(number: int, *_: object) -> None:
    """End the run; at the second signal at once. What is kept is in the journal, and workers die with their parent."""
    code = INTERRUPTED if number == signal.SIGINT else TERMINATED
    if _stopped:
        os._exit(code)
    _stopped.append(number)
    _end(number)


def _end(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(TERMINATED)


def _heed_lost_signals() -> None:
    """What a signal raised may be lost where it struck, in a library's bare `except`."""
    if _stopped:
        _end(_stopped[0])


def entry() -> NoReturn:
    """The program: every trouble becomes a message and an exit code."""
    # A closed stdout, or a name that the terminal cannot show, must not end a run.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Outside of standalone mode click returns what a command exits with.
        code = main.main(standalone_mode=False, auto_envvar_prefix="DOCPROC") or DONE
    except click.Abort:
        code = INTERRUPTED
    except KeyboardInterrupt:
        code = INTERRUPTED
    except click.ClickException as problem:
        problem.show()
        code = BadUsage.exit_code
    except DocprocError as problem:
        click.echo(f"docproc: {problem}", err=True)
        code = problem.exit_code
    sys.exit(code)
