"""The options that several commands share, their types, and how an option is called in settings and environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from docproc.errors import BadConfig, BadUsage

if TYPE_CHECKING:
    from datetime import date

    from docproc.options import Shard
    from docproc.runs.sampling import SampleSize
    from docproc.urls import Place

Function = TypeVar("Function", bound=Callable[..., Any])

BACKENDS = ("auto", "onnx", "tensorrt", "tensorflow")
CROPS_OF = ("review", "all")
ENGINES = ("local", "ray")
DATE_ORDERS = ("DMY", "MDY", "YMD", "auto")


class LocalPath(click.Path):
    """A path; `file://` is one too, and no other URL."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if "://" in str(value):
            found = PLACE.convert(value, param, ctx)
            if not isinstance(found, Path):
                self.fail(f"{found} is a URL, and this takes files; docproc run and docproc explain open URLs", param, ctx)
            value = found
        return super().convert(value, param, ctx)


class AnyPlace(click.ParamType["Place"]):
    """A path or URL."""

    name = "place"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        from docproc.urls import located

        try:
            return located(value)
        except BadUsage as problem:
            self.fail(str(problem), param, ctx)


FILE = LocalPath()
PLACE = AnyPlace()


class Share(click.ParamType[float]):
    """`1%` or `0.01`."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from docproc.options import share

        try:
            return share(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Sample(click.ParamType["SampleSize"]):
    """`2%` or `300`."""

    name = "sample"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> SampleSize:
        from docproc.runs.sampling import SampleSize, sample_size

        try:
            return value if isinstance(value, SampleSize) else sample_size(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Part(click.ParamType["Shard"]):
    """`3/64`."""

    name = "shard"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Shard:
        from docproc.options import Shard, shard

        try:
            return value if isinstance(value, Shard) else shard(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


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


class Duration(click.ParamType[float]):
    """`8h`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from docproc.options import duration

        try:
            return value if isinstance(value, float) else duration(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Day(click.ParamType["date"]):
    """`2026-11-21`."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        from datetime import date

        from docproc.options import day

        try:
            return value if isinstance(value, date) else day(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class LayoutName(click.ParamType[str]):
    """The name of a layout, or a path; in the environment several are set apart like paths."""

    name = "layout"
    envvar_list_splitter = os.pathsep


class Option(click.Option):
    """An option that settings and the environment know by its long flag.

    A `local` one is set by the table of its command and not at the top level of a settings file: it names what one call reads
    or writes, or means something else than the option of that name in other commands. Of one that may be given several times,
    `single` says that settings may name one value without brackets.
    """

    def __init__(self, *names: Any, local: bool = False, single: bool = False, **attributes: Any) -> None:
        if isinstance(attributes.get("type"), click.IntRange):
            attributes.setdefault("metavar", "N")
        super().__init__(*names, **attributes)
        self.local = local
        self.single = single

    @property
    def key(self) -> str:
        """The long flag with `_` for `-`."""
        return next(name for name in self.opts if name.startswith("--"))[2:].replace("-", "_")

    def get_help_extra(self, ctx: click.Context) -> Any:
        """What stands in brackets after the help text, without number ranges: the error message names those."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """What the variable `DOCPROC_COMMAND_KEY` says; click itself would name it after the parameter of the function."""
        named = os.environ.get(f"{ctx.auto_envvar_prefix}_{self.key.upper()}") if ctx.auto_envvar_prefix else None
        return named or super().resolve_envvar_value(ctx)


class Command(click.Command):
    """A command that does not run by faulty settings, though its help is shown.

    `groups` are headings in the help, each with the keys of the options below it.
    """

    def __init__(self, *names: Any, groups: Mapping[str, Sequence[str]] | None = None, **attributes: Any) -> None:
        super().__init__(*names, **attributes)
        self.groups = groups or {}

    def invoke(self, ctx: click.Context) -> Any:
        if isinstance(ctx.obj, BadConfig):
            raise ctx.obj
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options below their headings, and those that have none at the end."""
        records = {
            parameter.key if isinstance(parameter, Option) else str(parameter.name): record
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx))
        }
        for title, keys in self.groups.items():
            with formatter.section(title):
                formatter.write_dl([records.pop(key) for key in keys if key in records])
        with formatter.section("Other options" if self.groups else "Options"):
            formatter.write_dl(list(records.values()))


def command(**attributes: Any) -> Callable[[Callable[..., Any]], Command]:
    """Make a command of a function."""
    return click.command(cls=Command, **attributes)


def option(*names: str, **attributes: Any) -> Callable[[Function], Function]:
    """Give a command an `Option`."""
    return click.option(*names, cls=Option, **attributes)


def given(context: click.Context, *names: str) -> bool:
    """Whether one of these parameters was given with this call, and not by a settings file."""
    here = (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.ENVIRONMENT)
    return any(context.get_parameter_source(name) in here for name in names)


def overwrite(what: str) -> Callable[[Function], Function]:
    """`--overwrite` of a command that writes `what`, as "a table" or "files".

    Local: `overwrite = true` at the top level of a settings file lets runs replace their tables, and no other command anything.
    """
    verb = "is" if what.startswith("a ") else "are"
    return option("--overwrite", is_flag=True, local=True, help=f"Replace {what} that {verb} there.")


layout = option(
    "--layout", default=("auto",), multiple=True, single=True, type=LayoutName(),
    metavar="auto|digits|amount|decimal|micr|check|TEMPLATE.toml",
    help="What each page is: digits, amount, decimal or micr (a line of E-13B) for a cropped field, check for a bank check, a "
         "template file for a form. auto uses template.toml in the input folder if present, else detects the kind of page. "
         "Repeat it, or give a folder of templates, to match each page to a template.  [default: auto]",
)  # fmt: skip
backend = option(
    "--backend", default="auto", show_default=True, type=click.Choice(BACKENDS),
    help="What runs the networks; auto picks the fastest that works here.",
)  # fmt: skip
engine = option(
    "--engine", default="local", show_default=True, type=click.Choice(ENGINES), local=True,
    help="What reads: processes of this machine, or a Ray cluster (extra: ray).",
)  # fmt: skip
address = option(
    "--address", default="", local=True, metavar="HOST:PORT",
    help="The Ray cluster, of which this machine is one.  [default: start one on this machine alone]",
)  # fmt: skip
model = option("--model", type=FILE, help="A model of your own: its .onnx file, with its card (.json) in the same folder.")
max_error = option(
    "--max-error", default="1%", show_default=True, type=Share(),
    help='Target error rate among accepted fields; less certain fields are marked "review".',
)  # fmt: skip
thresholds = option(
    "--thresholds",
    type=FILE,
    metavar="FILE",
    help="Accept fields by the thresholds in FILE, written by docproc model calibrate.",
)
date_order = option(
    "--date-order", default="auto", show_default=True, type=click.Choice(DATE_ORDERS),
    help="Day/month order where the template sets none; auto accepts a date only if a single order is possible.",
)  # fmt: skip
date_window = option(
    "--date-window",
    default="",
    type=Span(),
    metavar="PERIOD",
    help="Send dates older than this, or in the future, to review: 180d, 6m or 1y.",
)
as_of = option(
    "--as-of", type=Day(), metavar="YYYY-MM-DD",
    help="Reference date for --date-window.  [default: the day the run started]",
)  # fmt: skip
limits = option(
    "--limit", "limits", multiple=True, type=Limit(), metavar="NAME=VALUE",
    help="Change a safety limit for one document, such as pages=5000: file_bytes, pixels, side (pixels), pages, scans, memory "
         "(bytes), pdf_dpi, seconds.",
)  # fmt: skip
wide = option("--wide/--no-wide", default=False, help="Write one row per page and one column per field.")
wide_text = option(
    "--wide-text/--no-wide-text",
    default=False,
    help="Like --wide, but with the digits as written instead of the interpreted values.",
)
as_json = option("--json", "as_json", is_flag=True, local=True, help="Print JSON.")
host = option("--host", default="127.0.0.1", show_default=True, local=True,
              help="Address to listen on. Any but this machine's own needs --token.")  # fmt: skip
allow_host = option(
    "--allow-host", multiple=True, single=True, metavar="NAME",
    help="A further name by which the server may be called, such as that of a proxy in front of it.",
)  # fmt: skip
port = option(
    "--port", default=None, type=click.IntRange(0, 65535), local=True,
    help="Port of the web page; 0 takes any that is free.  [default: 8765, or any that is free]",
)  # fmt: skip
browser = option("--browser/--no-browser", default=True, help="Open the page in the browser.  [default: open it]")
