"""The commands. Each builds a frozen request, calls one function, and returns an exit code; nothing is decided here.

Whatever a command needs is imported when it runs: `docproc --help` answers at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from docproc import __version__
from docproc.errors import DONE, INTERRUPTED, NEEDS_REVIEW, SOME_FAILED, TERMINATED, BadUsage, DocprocError

if TYPE_CHECKING:
    from rich.console import Console

    from docproc.runs.batch import Summary

Command = TypeVar("Command", bound=Callable[..., Any])

BACKENDS = ["auto", "onnx"]


class Share(click.ParamType[float]):
    """`1%` or `0.01`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(f"{text!r} is not a share; write 1% or 0.01", param, ctx)
        if not 0 <= share <= 1:
            self.fail(f"{text} is not between 0% and 100%", param, ctx)
        return share


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="docproc")
def main() -> None:
    """Read the digits on paper: scanned forms, checks and cut-out fields to a table with a confidence."""


# ------------------------------------------------------------------------------------------------------- run


@main.command()
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The table: .csv or .jsonl.")
@click.option("--layout", default="auto", show_default=True, metavar="auto|digits|amount|TEMPLATE.toml",
              help="What a page holds: digits or amount for a cut-out field, a template for a form. auto takes a "
                   "template.toml beside the pages, else tells cut-out fields from forms and finds their boxes.")  # fmt: skip
@click.option("-j", "--jobs", default=0, type=click.IntRange(0), help="Processes; 0 takes every core.  [default: 0]")
@click.option("--backend", default="auto", show_default=True, type=click.Choice(BACKENDS), help="What runs the network.")
@click.option("--model", type=click.Path(path_type=Path), help="A model of your own (.onnx, its card beside it).")
@click.option("--max-error", default="1%", show_default=True, type=Share(),
              help="How many of the accepted fields may be wrong; all others get the status review.")  # fmt: skip
@click.option("--recursive/--no-recursive", default=True, show_default=True, help="Also read the folders in a folder.")
@click.option("--overwrite", is_flag=True, help="Replace a table that is there.")
@click.option("--wide", is_flag=True, help="One row a page and one column a field.")
@click.option("--crops", type=click.Path(path_type=Path), metavar="DIR", help="Also save a picture of every field here.")
@click.option("--fail-on-review", is_flag=True, help="Exit with 7 when a person should look at something.")
@click.option("-q", "--quiet", is_flag=True, help="Only say what went wrong.")
@click.option("-v", "--verbose", is_flag=True, help="Name every document as it is read.")
@click.pass_context
def run(context: click.Context, /, quiet: bool, verbose: bool, **options: Any) -> None:
    """Read documents into a table.

    INPUT is files or folders: PNG, JPEG, TIFF (all pages), PDF, BMP, WebP, GIF.

    Exit codes: 0 done, 1 some documents failed, 2 usage, 3 bad template or settings, 4 missing model or backend, 5 nothing
    to read, 6 the output exists, 7 --fail-on-review, 8 the output cannot be written, 130 and 143 interrupted.
    """
    from docproc.options import RunRequest
    from docproc.runs.batch import run as run_batch

    request = RunRequest(inputs=tuple(options.pop("inputs")), **_with_settings(context, options))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    console = _console()
    with _Watcher(console, quiet, verbose) as watcher:
        summary = run_batch(request, watcher.update)
    if not quiet:
        _tell_summary(console, summary, watcher.failures)
    elif watcher.failures:
        _tell_failures(console, watcher.failures)
    if summary.failed:
        context.exit(SOME_FAILED)
    context.exit(NEEDS_REVIEW if request.fail_on_review and summary.by_status["review"] else DONE)


class _Watcher:
    """Shows how a run goes: a progress bar on a terminal, a line a minute elsewhere."""

    def __init__(self, console: Console, quiet: bool, verbose: bool) -> None:
        self.failures: list[tuple[str, str]] = []
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

        from docproc.runs.tables import safe_name

        if _stopped:
            _stop(_stopped[0])
        for row in rows:
            if row.status == "error":
                self.failures.append((f"{safe_name(row.document)}, page {row.page}", row.reason))
        if self._verbose and rows:
            readings = ", ".join(f"{row.field} {row.text or row.status}" for row in rows if row.field)
            _say(self._console, f"{safe_name(rows[0].document)}: {readings or rows[0].reason}")
        now = time.monotonic()
        if self._bar:
            rate = done / max(1e-6, now - self._began)
            failed = f", {len(self.failures)} failed" if self.failures else ""
            self._bar.update(self._task, completed=done, total=total, say=f"{rate:.1f}/s{failed}")
        elif not self._quiet and now - self._told >= 60:
            self._told = now
            _say(self._console, f"{done} of {total} documents, {len(self.failures)} failed")


def _tell_summary(console: Console, summary: Summary, failures: list[tuple[str, str]]) -> None:
    count = summary.by_status
    read = f"{_many(summary.documents, 'document')}, {_many(summary.fields, 'field')}"
    say = [f"{read}: {count['ok']} accepted, {count['review']} for review"]
    if count["blank"]:
        say.append(f", {count['blank']} blank")
    if summary.failed:
        say.append(f"; {_many(summary.failed, 'document')} failed")
    _say(console, "".join(say))
    if summary.passed_over:
        _say(console, f"{_many(summary.passed_over, 'other file')} left alone")
    _tell_failures(console, failures)
    _say(console, f"table: {summary.output}")


def _many(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _tell_failures(console: Console, failures: list[tuple[str, str]], most: int = 10) -> None:
    for document, reason in failures[:most]:
        _say(console, f"  failed: {document}: {reason}")
    if len(failures) > most:
        _say(console, f"  and {len(failures) - most} more; the table has a row with the reason for each")


def _with_settings(context: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """Settings files under what environment and flags say."""
    from docproc.errors import BadConfig
    from docproc.options import PROJECT_FILE, read_settings, user_file

    settings = read_settings(user_file(), Path(PROJECT_FILE))
    for name, value in settings.items():
        if context.get_parameter_source(name) == click.core.ParameterSource.DEFAULT:
            parameter = next(p for p in context.command.params if p.name == name)
            try:
                options[name] = parameter.type.convert(value, parameter, context)
            except click.BadParameter as problem:
                raise BadConfig("settings", [f"{name}: {problem.format_message()}"]) from problem
    return options


# --------------------------------------------------------------------------------------------------- explain


@main.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The picture.  [default: NAME.explain.png here]")
@click.option("--layout", default="auto", show_default=True, metavar="auto|digits|amount|TEMPLATE.toml")
@click.option("--page", default=1, show_default=True, type=click.IntRange(1), help="Of a document with several.")
@click.option("--field", "field_name", help="Only this field.")
@click.option("--backend", default="auto", show_default=True, type=click.Choice(BACKENDS))
@click.option("--model", type=click.Path(path_type=Path), help="A model of your own (.onnx, its card beside it).")
@click.option("--max-error", default="1%", show_default=True, type=Share())
@click.option("--overwrite", is_flag=True, help="Replace a picture that is there.")
def explain(image: Path, output: Path | None, overwrite: bool, **options: Any) -> None:
    """Draw one picture that shows every step for a page or a field.

    The crop, its ink, the cuts, the 28x28 candidates with their scores, the chosen path, the confidence.
    """
    from docproc.explain import explain_page

    target = output or Path(f"{image.stem}.explain.png")
    rows = explain_page(image, target, overwrite=overwrite, **options)
    for row in rows:
        sure = f"  {row.confidence:.2%}" if row.confidence is not None else ""
        click.echo(f"{row.field}: {row.text or row.status}{sure}  {row.reason}".rstrip())
    _say(_console(), f"picture: {target}")


# -------------------------------------------------------------------------------------------------- template


@main.group()
def template() -> None:
    """Describe a form once, read it for ever."""


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
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The folder with MNIST's four IDX files; without it Keras downloads them.")  # fmt: skip
@click.option("-o", "--output", default=Path("models"), show_default=True, type=click.Path(path_type=Path, file_okay=False),
              help="Where the model and its card are written.")  # fmt: skip
@click.option("--network", default="digits", show_default=True, type=click.Choice(["digits"]))
@click.option("--seed", type=int, help="Another seed than the recipe's.")
@click.option("--strips", type=click.IntRange(50), help="Composed fields to train on.")
@click.option("--epochs", type=click.IntRange(1), help="Passes of the glyph network over its examples.")
@click.option("--line-epochs", type=click.IntRange(1), help="The same of the line network.")
@click.option("--fit-strips", type=click.IntRange(100), help="Composed fields for the context, and for vote and calibration.")
@click.option("-j", "--jobs", default=0, type=click.IntRange(0), help="Processes that compose; 0 takes every core.")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
def train(data: Path | None, output: Path, jobs: int, overwrite: bool, **changes: Any) -> None:
    """Train both networks on composed strips; fit context, vote and calibration; export ONNX; write the card."""
    from importlib.util import find_spec

    from docproc.errors import MissingPart, OutputExists

    if not find_spec("tensorflow"):
        raise MissingPart('training needs TensorFlow: pip install "docproc[train]"')
    if (output / "digits.onnx").exists() and not overwrite:
        raise OutputExists(f"{output / 'digits.onnx'} is there already; give --overwrite or another folder with -o")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from docproc.learn import mnist
    from docproc.learn.train import Recipe
    from docproc.learn.train import train as train_model

    fit = changes.pop("fit_strips")
    changes = {name: value for name, value in changes.items() if value is not None}
    if fit:
        changes.update(context_strips=fit, calibration_strips=fit)
    console = _console()
    card = train_model(
        Recipe(**changes), mnist.load(data), output, jobs or os.cpu_count() or 1, lambda text: _say(console, text)
    )
    click.echo(json.dumps(card["scores"], indent=2))


@model.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The folder with MNIST's four IDX files; without it Keras downloads them.")  # fmt: skip
@click.option("--model", "model_path", type=click.Path(path_type=Path), help="A model of your own (.onnx).")
@click.option("--backend", default="auto", show_default=True, type=click.Choice(BACKENDS))
def evaluate(data: Path | None, model_path: Path | None, backend: str) -> None:
    """Read MNIST's test digits, 28x28 as they are, through a model; print how many are right."""
    from docproc.learn.evaluate import mnist_test

    click.echo(json.dumps(mnist_test(data, model_path, backend), indent=2))


# ---------------------------------------------------------------------------------------------------- doctor


@main.command()
@click.pass_context
def doctor(context: click.Context) -> None:
    """Say what is installed, which backends work here, and why the others do not."""
    from docproc.doctor import examine

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
    console.print(text, markup=False)


_stopped: list[int] = []  # signals that came


def _stop(number: int, *_: object) -> NoReturn:
    """End the run. What is raised may be lost where it strikes (in a library's bare `except`), so it is noted as well."""
    _stopped.append(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(TERMINATED)


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
    if code == INTERRUPTED:
        click.echo("docproc: interrupted; nothing was written", err=True)
    sys.exit(code)
