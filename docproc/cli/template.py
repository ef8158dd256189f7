"""`docproc template`: what helps to describe a form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from docproc.cli import options, signals
from docproc.cli.console import many, print_json, say
from docproc.cli.options import FILE, command, option
from docproc.errors import SOME_FAILED

if TYPE_CHECKING:
    from docproc.web.server import Place, Serving


@click.group()
def template() -> None:
    """Create, edit, preview and check form templates."""


@command(short_help="Propose a template from a blank form.")
@click.argument("blank", type=FILE)
@option("-o", "--output", default=Path("template.toml"), show_default=True, type=FILE, local=True, help="The template.")
@option("--name", local=True, metavar="NAME", help="Name of the form.  [default: the name of BLANK]")
@option("--from", "table", type=FILE, metavar="TABLE.csv", local=True,
        help="Take names and boxes from the table of a run over BLANK.")  # fmt: skip
@options.overwrite("a template")
def init(blank: Path, output: Path, name: str | None, table: Path | None, overwrite: bool) -> None:
    """Propose a template from a blank form: rows of boxes, frames and lines to write on, each found where it is printed.

    BLANK is any document; its first page is taken.
    """
    from docproc.commands.template import propose_template

    found = propose_template(blank, output, name=name, table=table, overwrite=overwrite)
    free = len(found.fields) - found.combs
    say(f"{many(found.combs, 'comb')} and {free} {'box' if free == 1 else 'boxes'} for free numbers")
    if found.beside:
        say(f"{many(found.beside, 'more frame')} on the form; without --from they are proposed too")
    if not found.reference:
        say("pages are taken as they lie: docproc cannot lay them onto this form; a PNG with more print could do it")
    say(f"template: {output}")
    say(f"look at it with:  docproc template preview {output}")
    say(f"try it on scans:  docproc template lint {output} --on SCANS")


@command(short_help="Edit a template in the browser.")
@click.argument("path", type=FILE, metavar="TEMPLATE|BLANK")
@option("-o", "--output", default=Path("template.toml"), show_default=True, type=FILE, local=True,
        help="Where a new template is saved.")  # fmt: skip
@option("--name", local=True, metavar="NAME", help="Name of a new form.  [default: the name of BLANK]")
@options.port
@options.browser
def edit(path: Path, output: Path, name: str | None, port: int | None, browser: bool) -> None:
    """Edit a template in the browser: TEMPLATE, or a new one for the blank form BLANK, with the boxes that are found on it.

    Move, resize, draw and delete boxes; name them and say what may stand there; lay scans over the form to see whether the
    boxes fit. Saving keeps the comments of the file, and writes nothing over what another program changed meanwhile.

    Prints the address of the page, which lets one browser in. Ctrl-C ends it.
    """
    from docproc.commands.template import edit_template

    signals.install()

    def place() -> Place:
        from docproc.web.server import Place

        return Place(port=port, browser=browser)

    def announce(serving: Serving, target: Path) -> None:
        click.echo(serving.address)
        say(f"template: {target}")
        say("Ctrl-C ends it; what is not saved is lost")

    edit_template(path, output, place, announce, name=name)


@command(short_help="Draw the boxes of a template over a scan or its form.")
@click.argument("template_file", type=FILE, metavar="TEMPLATE")
@click.argument("scan", required=False, type=FILE)
@option("-o", "--output", default=Path("preview.png"), show_default=True, type=FILE, local=True, help="The picture.")
@option("--page", default=1, show_default=True, type=click.IntRange(1), local=True, help="Page number.")
@options.overwrite("a picture")
def preview(template_file: Path, scan: Path | None, output: Path, page: int, overwrite: bool) -> None:
    """Draw the boxes of a template over a scan, or over the form itself: where they lie and what they are."""
    from docproc.commands.template import preview_template

    fit = preview_template(template_file, scan, output, page=page, overwrite=overwrite)
    say(f"{scan or template_file}: {fit}")
    say(f"picture: {output}")


@command(short_help="Check a template, alone or against scans.")
@click.argument("template_file", type=FILE, metavar="TEMPLATE")
@option("--on", "scans", multiple=True, type=FILE, metavar="SCANS...",
        help="Scans of the form: files or folders.  [default: only the template and the picture of its form]")  # fmt: skip
@click.argument("more", nargs=-1, type=FILE, metavar="")
@click.pass_context
def lint(context: click.Context, template_file: Path, scans: tuple[Path, ...], more: tuple[Path, ...]) -> None:
    """Check a template: do its boxes lie on what is printed, do scans fit, is writing cut off?

    Without --on, the template is held against the picture of its form alone.

    Exits with 1 where something is wrong, and with 3 where the template itself has faults.
    """
    from docproc.commands.template import lint_template

    if lint_template(template_file, (*scans, *more), click.echo):
        context.exit(SOME_FAILED)


@command(short_help="Print the JSON Schema of a template.")
def schema() -> None:
    """Print the JSON Schema of a template, for an editor or a check of your own."""
    from docproc.fields.template import json_schema

    print_json(json_schema())


for member in (init, edit, preview, lint, schema):
    template.add_command(member)
