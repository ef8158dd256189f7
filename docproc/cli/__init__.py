"""The program `docproc`. A command builds a request, calls one function of `commands` or `runs`, and says what came of it.

Whatever a command needs is imported when it runs: `docproc --help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click
from click.exceptions import NoArgsIsHelpError

from docproc._version import __version__
from docproc.cli.audit import audit
from docproc.cli.doctor import doctor
from docproc.cli.edits import apply, edits
from docproc.cli.explain import explain
from docproc.cli.journal import status, table, verify
from docproc.cli.merge import merge
from docproc.cli.model import model
from docproc.cli.plan import plan
from docproc.cli.review import review
from docproc.cli.run import run, watch
from docproc.cli.serve import serve
from docproc.cli.template import template
from docproc.errors import DONE, INTERRUPTED, BadConfig, BadUsage, DocprocError

COMPLETION = """\b
Shell completion: add the line for your shell to its startup file.
  bash  eval "$(_DOCPROC_COMPLETE=bash_source docproc)"
  zsh   eval "$(_DOCPROC_COMPLETE=zsh_source docproc)"
  fish  _DOCPROC_COMPLETE=fish_source docproc | source
"""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}, epilog=COMPLETION)
@click.version_option(__version__, prog_name="docproc")
@click.pass_context
def main(context: click.Context) -> None:
    """Read numbers from scanned forms, checks and cropped fields into a table, with a confidence for each."""
    from docproc.cli.settings import default_map
    from docproc.options import PROJECT_FILE, user_file

    try:
        context.default_map = default_map(main, user_file(), Path(PROJECT_FILE))
    except BadConfig as problem:
        context.obj = problem  # raised by `options.Command`, unless only its help is asked for


for command in (
    run,
    watch,
    plan,
    merge,
    status,
    table,
    review,
    apply,
    edits,
    audit,
    verify,
    explain,
    serve,
    template,
    model,
    doctor,
):
    main.add_command(command)


def _show(problem: click.ClickException) -> None:
    """Say what is wrong with a call, in the form of all other messages; a call without arguments gets the help."""
    if isinstance(problem, NoArgsIsHelpError):
        problem.show()
        return
    message = problem.format_message()
    click.echo(f"docproc: {message[:1].lower()}{message[1:]}", err=True)
    if isinstance(problem, click.UsageError) and problem.ctx:
        click.echo(f"Try '{problem.ctx.command_path} --help' for help.", err=True)


def entry() -> NoReturn:
    """Run the program: every error of docproc becomes a message and an exit code."""
    # A closed stdout, or a name that the terminal cannot show, must not end a run.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        # Outside of standalone mode click returns what a command exits with.
        code = main.main(standalone_mode=False, auto_envvar_prefix="DOCPROC") or DONE
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except click.ClickException as problem:
        code = BadUsage.exit_code
        _show(problem)
    except DocprocError as problem:
        click.echo(f"docproc: {problem}", err=True)
        code = problem.exit_code
    sys.exit(code)
