"""`docproc plan`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from docproc.cli import options, signals
from docproc.cli.console import Progress, many, print_json
from docproc.cli.options import FILE, PLACE, command, option

if TYPE_CHECKING:
    from docproc.commands.plan import Estimate, Plan

SECONDS_A_MINUTE, SECONDS_AN_HOUR, SECONDS_A_DAY = 60, 3_600, 86_400


@command(short_help="Estimate time, cost and work of a large run.")
@click.argument("inputs", nargs=-1, type=PLACE, metavar="INPUT...")
@option("--input-list", "lists", multiple=True, type=FILE, local=True, metavar="FILE",
        help="Plan for the documents that FILE names too, see docproc run.")  # fmt: skip
@option("--sample", default=200, show_default=True, type=click.IntRange(1), local=True, help="How many documents to read.")
@option("--deadline", type=options.Duration(), local=True, metavar="TIME",
        help="Say how many cores read all within TIME: 90m, 8h or 2d.")  # fmt: skip
@option("--price", type=click.FloatRange(0), local=True, metavar="AMOUNT",
        help="Say what it costs if an hour of this machine, or of the cluster, costs AMOUNT.")  # fmt: skip
@options.layout
@option("-j", "--jobs", default=0, type=click.IntRange(0), help="Number of processes; 0 uses all cores.  [default: 0]")
@options.engine
@options.address
@options.backend
@options.model
@options.max_error
@options.thresholds
@options.date_order
@options.date_window
@options.as_of
@option("--recursive/--no-recursive", default=True, show_default=True, help="Include subfolders.")
@options.limits
@options.as_json
@click.pass_context
def plan(
    context: click.Context, /, sample: int, deadline: float | None, price: float | None, as_json: bool,
    limits: tuple[tuple[str, float], ...], **wishes: Any,
) -> None:  # fmt: skip
    """Read a sample of the documents, and say what all of them will take.

    Time on this machine or on a cluster, cores for a deadline, memory of a process, and how many fields people will have to
    look at, with 95% intervals. Nothing is written.
    """
    from docproc.commands.plan import plan as make_plan
    from docproc.options import Limits, RunRequest

    if not wishes["inputs"] and not wishes["lists"]:
        raise click.UsageError("Missing argument 'INPUT...'.", context)
    within = Limits(**dict(limits))  # type: ignore[arg-type]
    request = RunRequest(limits=within, output=Path("plan.csv"), **wishes)
    signals.install()
    with Progress() as progress:

        def update(done: int, total: int) -> None:
            signals.raise_pending()
            progress.update("reading the sample", done, total, f"{done} of {total}", f"reading a sample of {total} documents")

        found = make_plan(request, sample, update)
    if as_json:
        print_json(found.figures(deadline, price))
        return
    for line in _told(found, deadline, price):
        click.echo(line)


def _told(found: Plan, deadline: float | None, price: float | None) -> Iterator[str]:
    there = "the cluster" if found.engine == "ray" else "this machine"
    with_these = "1 process" if found.processes == 1 else f"{found.processes} processes"
    yield f"sample: {found.sampled} of {many(found.documents, 'document')}, {many(found.sampled_pages, 'page')}, {with_these}"
    if found.sampled < min(found.processes, found.documents):
        yield f"the sample is too small to keep all processes busy: take --sample {4 * found.processes} or more"
    if found.pages.value:
        yield f"a page: {_words(found.page_seconds, _seconds)} of a core"
    yield f"all, about {_number(found.pages.value)} pages: {_words(found.hours.times(SECONDS_AN_HOUR), _time)} on {there}"
    if found.pages.value:
        yield f"a million pages: {_words(found.million_hours.times(SECONDS_AN_HOUR), _time)} on {there}"
    if price is not None:
        whole, million = found.hours.times(price), found.million_hours.times(price)
        yield f"cost: {_words(whole, _money)}; {_words(million, _money)} a million pages"
    if deadline is not None:
        value, low, high = found.cores(deadline)
        yield f"within {_time(deadline)}: {many(value, 'core')} ({low} to {high}), each with a process"
    if found.memory:
        yield f"memory: {found.memory / 1e6:.0f} MB a process at most"
    yield (f"for review: {_words(found.review, _number)} fields in all, {_words(found.review_of_page.times(100), _number)} on "
           "100 pages")  # fmt: skip
    yield f"failed: {found.sampled_failed} of the sample; {_words(found.failed, _number)} documents in all"


def _words(one: Estimate, words: Any) -> str:
    return f"{words(one.value)} ({words(one.low)} to {words(one.high)})"


def _seconds(value: float) -> str:
    return f"{value:.3g} s"


def _money(value: float) -> str:
    return f"{value:.2f}" if value >= 1 else f"{value:.2g}"


def _number(value: float) -> str:
    """Three digits are more than a sample knows."""
    if value < 10:
        return f"{value:.1f}"
    return f"{float(f'{value:.3g}'):,.0f}".replace(",", " ")


def _time(seconds: float) -> str:
    for size, name in ((SECONDS_A_DAY * 2, "days"), (SECONDS_AN_HOUR, "h"), (SECONDS_A_MINUTE, "min")):
        if seconds >= size:
            return f"{seconds / min(size, SECONDS_A_DAY):.3g} {name}"
    return f"{seconds:.2g} s"
