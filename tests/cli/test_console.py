"""Progress and messages, on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from docproc.cli import console, main
from docproc.cli.console import Progress, field_counts, many, read_of, say
from docproc.cli.model import reporter as training_reporter
from docproc.cli.run import _say_end, reporter
from docproc.learn.progress import Step, epoch_step
from docproc.runs.batch import Summary
from docproc.types import Row, Status

Screen = Callable[[bool], io.StringIO]
Update = Callable[[int, int, Sequence[Row]], None]

ROW = Row("a.png", 1, "amount", "12", "12", 0.99, "ok", "", "", "", "", None, None, None, None)
BAD = Row("b.png", 1, "", "", "", None, "error", "empty: nothing in it", "", "", "", None, None, None, None)


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


def test_a_run_that_goes_on_counts_all_documents_and_the_time_of_its_own(screen: Screen, clock: list[float]) -> None:
    file = screen(False)
    with Progress() as progress:
        update = reporter(progress, verbose=False)
        for done, second in ((701, 30), (702, 60)):
            clock[0] = second
            update(done, 1000, [ROW])
    assert file.getvalue() == "702 of 1000 documents; 0.0 pages/s, 149 min left\n"


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


def test_a_bar_whose_end_is_not_known_names_no_number(screen: Screen) -> None:
    file = screen(True)
    with Progress() as progress:
        reporter(progress, verbose=False)
    shown = file.getvalue()
    assert "reading" in shown
    assert "0/" not in shown
    assert "?" not in re.sub(r"\x1b\[\?25[hl]", "", shown)  # what hides the cursor and shows it again


@pytest.mark.parametrize(
    ("read", "told"),
    [(2, "1 was read before, 2 now"), (1, "2 were read before, 1 now"), (3, None)],
)
def test_what_was_read_before_is_counted(screen: Screen, read: int, told: str | None) -> None:
    file = screen(False)
    _say_end(Summary(3, 0, 3, Counter[Status]({"ok": 3}), 0, Path("t.csv"), read), quiet=False)
    assert [line for line in file.getvalue().splitlines() if "before" in line] == ([told] if told else [])


def test_a_watch_says_when_a_document_was_read(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    def watch(request: object, settle: float, every: float, report: object, update: Update, began: object) -> None:
        update(1, 1, [ROW])

    monkeypatch.setattr("docproc.runs.watch.watch", watch)
    monkeypatch.setattr("docproc.cli.signals.install", lambda: None)
    for options, told in ((["-v"], r"backend onnx\n\d{4}-\d\d-\d\d \d\d:\d\d:\d\d a\.png: amount 12\n"), ([], "")):
        file = screen(False)
        assert CliRunner().invoke(main, ["watch", "in", "-o", "t.csv", "--backend", "onnx", *options]).exit_code == 0
        assert re.fullmatch(told, file.getvalue())


@pytest.mark.parametrize("terminal", [True, False])
def test_a_quiet_run_shows_nothing(screen: Screen, clock: list[float], terminal: bool) -> None:
    file = screen(terminal)
    with Progress(quiet=True) as progress:
        update = reporter(progress, verbose=False)
        clock[0] = 100
        update(1, 3, [ROW])
    assert file.getvalue() == ""


def test_a_training_shows_a_bar_for_each_step(screen: Screen) -> None:
    file = screen(True)
    with Progress() as progress:
        tell = training_reporter(progress)
        tell(Step("composing combs", 250, 3000))
        tell(epoch_step("the glyph network", 2, 3, 10, 20, 0.5))
        tell("the glyph network, epoch 2/3")
        tell(Step("writing the report"))
    shown = file.getvalue()
    assert "composing combs" in shown
    assert "250 of 3000" in shown
    assert "training the glyph network" in shown
    assert "epoch 2/3, loss 0.5000" in shown
    assert "the glyph network, epoch 2/3" in shown
    assert shown.rindex("writing the report") > shown.rindex("epoch 2/3, loss")


def test_a_training_says_its_steps_where_there_is_no_terminal(screen: Screen, clock: list[float]) -> None:
    file = screen(False)
    news: list[tuple[float, str | Step]] = [
        (0, Step("composing combs", 0, 3000)), (59, Step("composing combs", 250, 3000)),
        (60, Step("composing combs", 500, 3000)), (100, Step("composing combs", 750, 3000)),
        (101, Step("training it", 0, 60)), (150, "the first epoch"), (170, epoch_step("it", 2, 3, 10, 20, 0.5)),
        (210, epoch_step("it", 2, 3, 20, 20, 0.25)), (211, Step("writing the report")), (300, "done"),
    ]  # fmt: skip
    with Progress() as progress:
        tell = training_reporter(progress)
        for second, one in news:
            clock[0] = second
            tell(one)
    assert file.getvalue().splitlines() == [
        "composing combs", "composing combs: 500 of 3000", "training it", "the first epoch",
        "training it: epoch 2/3, loss 0.2500", "writing the report", "done",
    ]  # fmt: skip


def test_a_training_that_goes_on_says_how_far_it_was(screen: Screen) -> None:
    file = screen(False)
    with Progress() as progress:
        training_reporter(progress)(Step("training it", 20, 60))
    assert file.getvalue() == "training it: 20 of 60\n"


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
    assert [read_of(*of) for of in ((1, 1), (0, 1), (1, 3), (2, 3))] == [
        "1 of 1 document is read", "0 of 1 document is read", "1 of 3 documents is read", "2 of 3 documents are read",
    ]  # fmt: skip
    count = {"ok": 2, "review": 1, "blank": 0}
    assert field_counts(3, count, 0) == "3 fields: 2 accepted, 1 for review"
    assert field_counts(4, count | {"blank": 1}, 2) == "4 fields: 2 accepted, 1 for review, 1 blank; 2 documents failed"
