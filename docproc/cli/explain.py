"""`docproc explain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docproc.cli import options
from docproc.cli.console import many, say
from docproc.cli.options import FILE, PLACE, command, option

if TYPE_CHECKING:
    from docproc.types import Row
    from docproc.urls import Place


@command()
@click.argument("image", type=PLACE)
@option("-o", "--output", type=FILE, local=True, help="The picture.  [default: NAME.explain.png here]")
@options.layout
@option("--page", default=1, show_default=True, type=click.IntRange(1), local=True, help="Page number.")
@option("--field", "field_name", local=True, metavar="NAME", help="Explain only this field.")
@options.backend
@options.model
@options.max_error
@options.thresholds
@options.date_order
@options.date_window
@options.as_of
@options.limits
@options.overwrite("a picture")
def explain(image: Place, output: Path | None, overwrite: bool, limits: tuple[tuple[str, float], ...], **request: Any) -> None:
    """Draw one picture that shows every step for a page or a field.

    The crop, its ink, the cuts, the 28x28 candidates with their scores, the chosen path, the confidence.
    """
    from docproc.commands.explain import explain_page
    from docproc.options import Limits

    target = output or Path(f"{Path(image.name).stem}.explain.png")
    within = Limits(**dict(limits))  # type: ignore[arg-type]
    found = explain_page(image, target, overwrite=overwrite, limits=within, **request)
    for row in found.rows:
        click.echo(_told(row))
    if found.undrawn:
        say(f"{many(found.undrawn, 'more field')} on the page, not drawn step by step: --field NAME draws one")
    say(f"picture: {target}")


def _told(row: Row) -> str:
    """A row of the table in one line."""
    value = f"value {row.value}" if row.value != row.text else ""
    value = "no value" if row.text and not row.value else value
    sure = f"{row.confidence:.2%}" if row.confidence is not None else ""
    status = f"{row.status}: {row.reason}" if row.reason else row.status
    changed = f"changed by: {row.changed_by}" if row.changed_by else ""
    told = "  ".join(part for part in (row.text, value, sure, status, changed) if part)
    return f"{row.field}: {told}" if row.field else told
