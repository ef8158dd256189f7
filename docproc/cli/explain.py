"""`docproc explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from docproc.cli import options
from docproc.cli.console import say
from docproc.cli.options import FILE, command, option


@command()
@click.argument("image", type=FILE)
@option("-o", "--output", type=FILE, local=True, help="The picture.  [default: NAME.explain.png here]")
@options.layout
@option("--page", default=1, show_default=True, type=click.IntRange(1), local=True, help="Of a document with several.")
@option("--field", "field_name", local=True, help="Only this field.")
@options.backend
@options.model
@options.max_error
@options.thresholds
@options.date_order
@options.date_window
@options.as_of
@options.limits
@options.overwrite("a picture")
def explain(image: Path, output: Path | None, overwrite: bool, limits: tuple[tuple[str, float], ...], **request: Any) -> None:
    """Draw one picture that shows every step for a page or a field.

    The crop, its ink, the cuts, the 28x28 candidates with their scores, the chosen path, the confidence.
    """
    from docproc.commands.explain import explain_page
    from docproc.options import Limits

    target = output or Path(f"{image.stem}.explain.png")
    within = Limits(**dict(limits))  # type: ignore[arg-type]
    for row in explain_page(image, target, overwrite=overwrite, limits=within, **request):
        sure = f"{row.confidence:.2%}" if row.confidence is not None else ""
        status = f"{row.status}: {row.reason}" if row.reason else row.status
        click.echo(f"{row.field}: {'  '.join(part for part in (row.text, sure, status) if part)}")
    say(f"picture: {target}")
