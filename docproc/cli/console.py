"""What a person is told, on stderr: messages, progress and summaries. Data goes to stdout."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import click

from docproc.cli import signals

if TYPE_CHECKING:
    from rich.console import Console

    from docproc.types import Keyed
    from docproc.weights.drift import Drift

KEYED_TOLD: Mapping[Keyed, str] = {"confirmed": "confirmed", "corrected": "corrected", "twice": "keyed twice"}
SECONDS_A_LINE = 60.0  # between two lines of progress where there is no terminal


@cache
def stderr() -> Console:
    """The console of this process."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str) -> None:
    """Print a message as it is. A closed stderr ends nothing: later messages are dropped."""
    try:
        stderr().print(text, markup=False, emoji=False)  # a file may be called :smile:.png
    except (OSError, SystemExit):  # rich ends the program when the pipe is closed
        stderr().quiet = True
        signals.raise_pending()


def print_json(value: Any) -> None:
    """Print a value on stdout, for another program."""
    click.echo(json.dumps(value, indent=2))


def many(count: int, name: str) -> str:
    """`1 page`, `2 pages`."""
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def read_of(done: int, documents: int) -> str:
    """`1 of 1 document is read`, `2 of 3 documents are read`."""
    return f"{done} of {many(documents, 'document')} {'is' if 1 in (done, documents) else 'are'} read"


def field_counts(fields: int, by_status: Mapping[Any, int], failed: int) -> str:
    """How many fields were accepted, go to review, or are blank, and how many documents failed."""
    blank = f", {by_status['blank']} blank" if by_status["blank"] else ""
    lost = f"; {many(failed, 'document')} failed" if failed else ""
    if not fields:
        return f"no fields{lost}"
    return f"{many(fields, 'field')}: {by_status['ok']} accepted, {by_status['review']} for review{blank}{lost}"


def duplicate_told(one: str, first: str, gone: Collection[str]) -> str:
    """Two documents of the same content; where one of them is `gone`, it may only have another name now."""
    from docproc.runs.tables import shown_name

    if (one in gone) == (first in gone):
        return f"the same file twice: {shown_name(one)} and {shown_name(first)}"
    there, away = (first, one) if one in gone else (one, first)
    return f"{shown_name(there)} has the content of {shown_name(away)}, which is gone"


def columned(cells: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of cells, one below the other."""
    widths = [max(len(line[k]) for line in cells) for k in range(len(cells[0]) - 1)]
    for line in cells:
        yield "  ".join(["", *(cell.ljust(wide) for cell, wide in zip(line, widths, strict=False)), line[-1]]).rstrip()


def edits_told(edits: int, keyed: Mapping[Keyed, int]) -> str:
    """How many edits people entered, and what came of them."""
    counts = [f"{keyed[how]} {told}" for how, told in KEYED_TOLD.items() if keyed.get(how)]
    return f"{many(edits, 'edit')} by people; fields keyed: {', '.join(counts) or 'none that still stands'}"


def drift_told(found: Sequence[Drift]) -> str:
    """That a batch is of another kind than the fields on which its thresholds were measured, and what to do."""
    from docproc.weights.drift import in_words

    return (
        f"another kind of batch than the thresholds were measured on: {in_words(found)}; more may be wrong than --max-error "
        "says: key some of it, and measure again with docproc model calibrate"
    )


class Progress:
    """How far the work has come: a bar on a terminal; elsewhere a line for every step, and one a minute if it takes longer."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Any = None
        self._name = ""
        self._task: Any = None
        self._said = time.monotonic()

    def __enter__(self) -> Progress:
        if stderr().is_terminal and not self._quiet:
            from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"), TimeRemainingColumn(),
                console=stderr(), transient=True,
            )  # fmt: skip
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, text: str) -> None:
        """Print a message. Without a terminal, the minute until the next line of progress starts again."""
        say(text)
        self._said = time.monotonic()

    def update(self, name: str, done: int, total: int | None, note: str = "", line: str = "") -> None:
        """Show that `done` of `total` steps (None: not known yet) of the work called `name` are done.

        `note` stands beside the bar. Without a terminal `line` is said instead, if it is of another work than the last one, or
        nothing was said for a minute.
        """
        begins, self._name = name != self._name, name
        if self._bar:
            if begins:
                if self._task is not None:
                    self._bar.remove_task(self._task)
                self._task = self._bar.add_task(name, total=total, completed=done, note=note)
            self._bar.update(self._task, completed=done, total=total, note=note)
        elif line and not self._quiet and (begins or time.monotonic() - self._said >= SECONDS_A_LINE):
            self.say(line)
