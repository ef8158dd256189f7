"""`docproc review` in a browser, by keyboard alone. What counts is what stands in the journal and the table afterwards."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from docproc.runs.editing import open_edits
from docproc.runs.edits import Edit, FieldState
from docproc.runs.journal import Journal
from docproc.runs.queue import Wishes
from docproc.runs.sampling import SampleSize
from docproc.runs.scans import Scans
from docproc.web.review.app import review_app
from docproc.web.review.keying import Keying
from docproc.web.server import Serving
from tests.cli.program import docproc, table
from tests.conftest import SAMPLES
from tests.web.conftest import OpenPage, serving, violations

pytestmark = pytest.mark.thorough  # reads the samples, and starts a browser

Place = tuple[str, int, str]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a run over the samples."""
    out = tmp_path_factory.mktemp("samples") / "results.csv"
    done = docproc("run", SAMPLES, "-o", out, "-q")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def truth() -> dict[Place, Mapping[str, str]]:
    with open(SAMPLES / "expected.csv", encoding="utf-8", newline="") as file:
        return {(row["document"], int(row["page"]), row["field"]): row for row in csv.DictReader(file)}


@dataclass
class Review:
    """A server of `docproc review`."""

    out: Path
    server: Serving
    keying: Keying

    def address(self, who: str = "ANNA") -> str:
        """Lets one more browser in."""
        self.server.door.ticket = f"for {who}"
        return f"http://127.0.0.1:{self.server.port}/?token=for+{who}&who={who}"

    def states(self) -> dict[Place, FieldState]:
        with Journal.look(self.out) as journal:
            return {(s.reading.document, s.reading.page, s.reading.field): s for s in journal.fields()}

    def edits(self) -> list[Edit]:
        with Journal.look(self.out) as journal:
            return list(journal.edits())

    def client(self, who: str = "ANNA") -> Client:
        session = self.server.door.admit(self.server.door.token) or ""
        self.server.door.sessions[session or who] = None
        own = f"http://127.0.0.1:{self.server.port}"
        return Client(
            httpx.Client(base_url=own, cookies={self.server.door.cookie: session or who}, headers={"Origin": own}), who
        )


@dataclass
class Client:
    """A browser without a screen."""

    http: httpx.Client
    who: str
    cards: list[dict[str, Any]] = field(default_factory=list)

    def post(self, **told: Any) -> httpx.Response:
        have = [card["id"] for card in self.cards]
        answer = self.http.post("/key", json={"who": self.who, "have": have, **told})
        self.cards += answer.json().get("cards", [])
        return answer

    def say(self, said: str, text: str = "", **told: Any) -> httpx.Response:
        """Say something of the first card; it is no longer in hand then, unless it was refused."""
        card = self.cards[0]
        answer = self.post(id=card["id"], version=card["version"], said=said, text=text, **told)
        if answer.status_code == 200:
            self.cards.remove(card)
        return answer


@pytest.fixture
def reviewed(samples: Path, tmp_path: Path) -> Iterator[Any]:
    """Begin a review of a copy of the run: `reviewed(everything=True)`."""
    with ExitStack() as stack:

        def begin(audit: SampleSize | None = None, planted: float = 0.0, unmasked: bool = False, **wishes: Any) -> Review:
            out = tmp_path / samples.name
            if not out.exists():
                for suffix in ("", ".docproc"):
                    shutil.copy(f"{samples}{suffix}", f"{out}{suffix}")
            edits = stack.enter_context(open_edits(out))
            with Journal.look(out) as journal:
                scans = Scans.of(journal)
            sample = edits.draw_sample(audit) if audit else None
            keying = Keying(out, edits, scans, Wishes(sample=sample, **wishes), planted=planted)
            server = stack.enter_context(serving(lambda door: review_app(door, keying, who="NOBODY", unmasked=unmasked)))
            return Review(out, server, keying)

        yield begin


def opened(open_page: OpenPage, address: str, **how: Any) -> Any:
    page = open_page(address, **how)
    page.locator("body[data-ready]").wait_for()
    return page


@dataclass
class Robot:
    """Presses keys as a person would who knows what stands on the paper."""

    page: Any
    truth: Mapping[Place, Mapping[str, str]]
    keys: dict[Place, list[str]] = field(default_factory=dict)
    told: dict[Place, str] = field(default_factory=dict)  # what the page said of an answer

    def here(self) -> Place | None:
        """The field that is shown; None at the end."""
        found = self.page.evaluate(SHOWN)
        if not found:
            return None
        document, _, number = found[1].split(" · ")[0].partition(", page ")
        return document, int(number or 1), found[0]

    def press(self, place: Place, *keys: str) -> None:
        for key in keys:
            self.keys.setdefault(place, []).append(key)
            self.page.keyboard.press(key)

    def key_all(self) -> None:
        while place := self.here():
            self.key(place)

    def key(self, place: Place) -> None:
        text, before = self.truth[place]["text"], self.page.evaluate(SHOWN)
        shown = self.page.locator("#box").input_value()
        if shown != self.truth[place]["value"] and "".join(c for c in shown if c.isdigit()) != text:
            self.press(place, *text or "b")
        if text or not shown:
            self.press(place, "Enter")
        if said := self.page.wait_for_function(f"""(before) => {{
            const now = ({SHOWN})();
            return document.getElementById("said").textContent || String(now) !== String(before) && "-";
        }}""", arg=before).json_value().strip("-"):  # fmt: skip
            self.told[place] = said
            self.press(place, "Enter")
            self.page.wait_for_function(f"(before) => String(({SHOWN})()) !== String(before)", arg=before)


SHOWN = """() => !document.getElementById("work").hidden &&
    ["name", "place"].map((id) => document.getElementById(id).textContent)"""


def test_the_samples_by_keyboard_alone(reviewed: Any, open_page: OpenPage, truth: dict[Place, Mapping[str, str]]) -> None:
    review = reviewed(everything=True)
    before = review.states()
    page = opened(open_page, review.address())
    assert violations(page) == []
    page.keyboard.press("m")  # account numbers are covered
    robot = Robot(page, truth)
    robot.key_all()
    page.locator("#told", has_text="The table is written").wait_for()
    assert violations(page) == []
    rows = {(row["document"], int(row["page"]), row["field"]): row for row in table(review.out)}
    for place, row in truth.items():
        assert rows[place]["text"] == row["text"], place
        assert not row["value"] or rows[place]["value"] == row["value"], place
    assert {rows[place]["status"] for place in truth} <= {"ok", "blank"}
    after = review.states()
    right = {place for place, state in before.items() if state.reading.text == truth[place]["text"]}
    assert len(right) > 120
    for place in truth:
        expected = 1 if place in right else len(truth[place]["text"]) + 1
        assert len(robot.keys[place]) == expected + (place in robot.told), place
        (edit,) = after[place].edits
        assert (edit.who, edit.screen, edit.overruled) == ("ANNA", "review", place in robot.told)
        assert (edit.how == "confirmed") == (place in right), place
