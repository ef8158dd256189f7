"""Progress and messages, on a terminal and elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from rich.console import Console

from docproc.cli import console
from docproc.cli.console import Progress, field_counts, many, say
from docproc.cli.model import reporter as training_reporter
from docproc.cli.run import reporter
from docproc.learn.progress import Step
from docproc.types import Row

Screen = Callable[[bool], io.StringIO]

ROW = Row("a.png", 1, "amount", "12", "12", 0.99, "ok", "", "", "", None, None, None, None)
BAD = Row("b.png", 1, "", "", "", None, "error", "empty: nothing in it", "", "", None, None, None, None)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """What stands on stderr, a terminal or not."""

    def of(terminal: bool) -> io.StringIO:
        file = io.StringIO()
        made = Console(file=file, force_terminal=terminal, width=100, highlight=False)
        monkeypatch.setattr(console, "stderr", lambda: made)
        return file

    return of


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, to be set."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_run_says_a_line_a_minute_where_there_is_no_terminal(screen: Screen, clock: list[float]) -> None:
    file = screen(False)
    with Progress() as progress:
        update = reporter(progress, verbose=False)
        for done, (second, row) in enumerate([(30, ROW), (60, ROW), (90, BAD), (119, ROW), (125, ROW)], 1):
            clock[0] = second
            update(done, 10, [row])
    assert file.getvalue().splitlines() == [
        "2 of 10 documents; 0.0 pages/s, 4 min left",
        "5 of 10 documents, 1 failed; 0.0 pages/s, 2 min left",
    ]


def test_a_run_shows_a_bar_on_a_terminal(screen: Screen) -> None:
    file = screen(True)
    with Progress() as progress:
        update = reporter(progress, verbose=False)
        update(1, 3, [ROW])
        update(2, 3, [BAD])
    shown = file.getvalue()
    assert "reading" in shown
    assert "2 of 3 documents" in shown
    assert "1 failed" in shown
    assert "min left" not in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_a_quiet_run_shows_nothing(screen: Screen, clock: list[float], terminal: bool) -> None:
    file = screen(terminal)
    with Progress(quiet=True) as progress:
        update = reporter(progress, verbose=False)
        clock[0] = 100
        update(1, 3, [ROW])
    assert file.getvalue() == ""


def test_a_training_shows_a_bar_for_each_network(screen: Screen) -> None:
    file = screen(True)
    with Progress() as progress:
        tell = training_reporter(progress)
        tell(Step("glyphs", 2, 3, 10, 20, 0.5))
        tell("glyphs: epoch 2 of 3")
        tell(Step("lines", 1, 3, 1, 20, 1.25))
    shown = file.getvalue()
    assert "epoch 2/3, loss 0.5000" in shown
    assert "glyphs: epoch 2 of 3" in shown
    assert "lines" in shown
    assert "epoch 1/3, loss 1.2500" in shown


def test_a_training_says_its_epochs_where_there_is_no_terminal(screen: Screen, clock: list[float]) -> None:
    file = screen(False)
    with Progress() as progress:
        tell = training_reporter(progress)
        clock[0] = 100
        tell(Step("glyphs", 2, 3, 10, 20, 0.5))
        tell("glyphs: epoch 2 of 3")
    assert file.getvalue() == "glyphs: epoch 2 of 3\n"


def test_a_message_is_shown_as_it_is(screen: Screen) -> None:
    file = screen(False)
    say("[red]a[/red].png: :smile:")
    assert file.getvalue() == "[red]a[/red].png: :smile:\n"


def test_messages_that_cannot_be_written_end_nothing(screen: Screen) -> None:
    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError("no space left")

    screen(False)
    console.stderr().file = Full()
    say("one")
    say("two")
    assert console.stderr().quiet


def test_counts_in_words() -> None:
    assert (many(1, "page"), many(0, "page")) == ("1 page", "0 pages")
    count = {"ok": 2, "review": 1, "blank": 0}
    assert field_counts(3, count, 0) == "3 fields: 2 accepted, 1 for review"
    assert field_counts(4, count | {"blank": 1}, 2) == "4 fields: 2 accepted, 1 for review, 1 blank; 2 documents failed"
