"""The types of options, and what an option is called outside of the command line."""

from __future__ import annotations

from datetime import date

import click
import pytest
from click.testing import CliRunner

from docproc import backends
from docproc.cli.options import BACKENDS, Day, Limit, Share, command, option


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Share(), "1%", 0.01),
        (Share(), "0.5", 0.5),
        (Share(), 0.02, 0.02),
        (Limit(), "pages=5_000", ("pages", 5000)),
        (Limit(), "seconds=0.5", ("seconds", 0.5)),
        (Day(), "2026-11-21", date(2026, 11, 21)),
        (Day(), date(2026, 11, 21), date(2026, 11, 21)),
    ],
)
def test_what_is_written_becomes_a_value(kind: click.ParamType[object], text: object, value: object) -> None:
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        (Share(), "lots", "'lots' is not a share; use 1% or 0.01"),
        (Share(), "120%", "120% is not between 0% and 100%"),
        (Limit(), "page=3", "unknown limit 'page'; choose one of file_bytes, pixels"),
        (Limit(), "pages=many", "pages=many: 'many' is not a number"),
        (Limit(), "pages=0", "pages=0 should be above zero"),
        (Day(), "monday", "'monday' is not a date; use YYYY-MM-DD"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: click.ParamType[object], text: str, message: str) -> None:
    with pytest.raises(click.BadParameter, match=message):
        kind.convert(text, None, None)


def test_the_command_line_offers_every_backend() -> None:
    assert ("auto", *backends.BACKENDS) == BACKENDS


def test_a_variable_of_the_environment_is_named_after_the_long_flag() -> None:
    @command()
    @option("-m", "--my-limit", "limits", type=int, multiple=True)
    def show(limits: tuple[int, ...]) -> None:
        click.echo(limits)

    def told(environment: dict[str, str], *arguments: str) -> str:
        runner = CliRunner(env=environment)
        return runner.invoke(show, arguments, auto_envvar_prefix="DOCPROC_SHOW").output.strip()

    assert told({}) == "()"
    assert told({"DOCPROC_SHOW_MY_LIMIT": "3 4"}) == "(3, 4)"
    assert told({"DOCPROC_SHOW_LIMITS": "5"}) == "(5,)"
    assert told({"DOCPROC_SHOW_MY_LIMIT": "3 4"}, "-m", "6") == "(6,)"
