"""`docproc review` in a browser, by keyboard alone. What counts is what stands in the journal and the table afterwards."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from docproc.cli import main
from docproc.errors import BadUsage, CannotWrite
from docproc.runs.editing import open_edits
from docproc.runs.edits import AUDIT, Edit, FieldState, edit_of
from docproc.runs.journal import Journal
from docproc.runs.queue import Wishes
from docproc.runs.sampling import SampleSize
from docproc.runs.scans import Scans, crop
from docproc.web.app import STATIC
from docproc.web.review.app import review_app
from docproc.web.review.keying import AHEAD, Keying, card_id
from docproc.web.server import Serving
from tests.cli.program import docproc, table
from tests.conftest import PROJECT, SAMPLES, draw_field
from tests.web.conftest import OpenPage, serving, violations

pytestmark = pytest.mark.thorough  # reads the samples, and starts a browser

Place = tuple[str, int, str]


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table of a run over the samples, so strict that there are many doubtful fields."""
    out = tmp_path_factory.mktemp("samples") / "results.csv"
    done = docproc("run", SAMPLES, "-o", out, "-q", "--max-error", "0.2%")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture(scope="module")
def truth() -> dict[Place, Mapping[str, str]]:
    with open(SAMPLES / "expected.csv", encoding="utf-8", newline="") as file:
        return {(row["document"], int(row["page"]), row["field"]): row for row in csv.DictReader(file)}


def copied(samples: Path, folder: Path) -> Path:
    """A copy of the run, with its journal."""
    for suffix in ("", ".docproc"):
        shutil.copy(f"{samples}{suffix}", folder / f"{samples.name}{suffix}")
    return folder / samples.name


@dataclass
class Review:
    """A server of `docproc review`."""

    out: Path
    server: Serving
    keying: Keying
    stack: ExitStack

    def address(self, who: str = "ANNA") -> str:
        """Lets one more browser in."""
        self.server.door.ticket = "for one more"
        return f"http://127.0.0.1:{self.server.port}/?token=for+one+more&who={quote(who)}"

    def states(self) -> dict[Place, FieldState]:
        with Journal.look(self.out) as journal:
            return {(s.reading.document, s.reading.page, s.reading.field): s for s in journal.fields()}

    def edits(self) -> list[Edit]:
        with Journal.look(self.out) as journal:
            return list(journal.edits())

    def client(self, who: str = "ANNA") -> Client:
        """A browser without a screen, which has its cookie already."""
        self.server.door.sessions[who] = None
        own, cookies = f"http://127.0.0.1:{self.server.port}", {self.server.door.cookie: who}
        return Client(self.stack.enter_context(httpx.Client(base_url=own, cookies=cookies, headers={"Origin": own})), who)


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
                copied(samples, tmp_path)
            edits = stack.enter_context(open_edits(out))
            with Journal.look(out) as journal:
                scans = Scans.of(journal)
            sample = edits.draw_sample(audit) if audit else None
            keying = Keying(out, edits, scans, Wishes(sample=sample, **wishes), planted=planted)
            server = stack.enter_context(serving(lambda door: review_app(door, keying, who="NOBODY", unmasked=unmasked)))
            return Review(out, server, keying, stack)

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


# ------------------------------------------------------------------------------------------------------- keys


def doubtful(review: Review) -> int:
    """How many fields of the samples go to review at an error rate of 0.2 %."""
    count = sum(state.reading.status == "review" for state in review.states().values())
    assert count > AHEAD
    return count


def settle(review: Review, page: Any, count: int) -> list[Edit]:
    """The edits, once there are so many. Playwright lets requests through only while it waits."""
    for _ in range(400):
        if len(edits := review.edits()) >= count:
            return edits
        page.wait_for_timeout(10)
    raise AssertionError(f"there are {len(edits)} edits, not {count}")


def test_every_key_does_what_the_page_says(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(everything=True, fields=("rooms", "income"))
    page = opened(open_page, review.address())
    first = page.evaluate(SHOWN)
    page.keyboard.press("s")
    page.wait_for_function(f"(first) => String(({SHOWN})()) !== String(first)", arg=first)
    page.keyboard.press("b")
    page.keyboard.press("x")  # while the other may still be on its way
    blank, illegible = settle(review, page, 2)
    assert (blank.said, illegible.said) == ("blank", "illegible")
    page.keyboard.press("u")
    page.keyboard.press("Control+z")
    *_, third, fourth = settle(review, page, 4)
    assert [(one.how, one.key) for one in (third, fourth)] == [("withdrawn", illegible.key), ("withdrawn", blank.key)]
    page.wait_for_function("() => document.activeElement.id === 'box'")
    page.keyboard.press("F2")
    page.locator("#around img").wait_for()
    assert violations(page) == []
    page.keyboard.press("Space")
    page.keyboard.press("Space")
    page.locator("#around").wait_for(state="hidden")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    assert violations(page) == []
    page.keyboard.press("b")  # nothing is keyed behind the list
    page.keyboard.press("Escape")
    page.get_by_role("dialog", name="Keys").wait_for(state="hidden")
    here = page.evaluate(SHOWN)
    page.keyboard.press("ArrowDown")
    assert page.evaluate(SHOWN) != here
    page.keyboard.press("ArrowUp")
    assert page.evaluate(SHOWN) == here
    page.keyboard.press("q")
    page.keyboard.press("o")
    page.wait_for_function(f"(here) => String(({SHOWN})()) !== String(here)", arg=here)
    assert len(review.edits()) == 4


def test_keys_that_are_pressed_while_a_field_is_saved_go_to_the_next(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(everything=True, fields=("amount",))
    page = opened(open_page, review.address())
    slow(page)
    page.keyboard.type("11.50")
    page.keyboard.press("Enter")
    page.keyboard.type("21.22")
    page.keyboard.press("Enter")
    assert [edit.text for edit in settle(review, page, 2)] == ["11.50", "21.22"]


def slow(page: Any) -> None:
    """From now on an answer takes 300 ms."""
    page.evaluate("""() => {
        const own = window.fetch;
        window.fetch = async (...all) => { await new Promise((after) => setTimeout(after, 300)); return own(...all); };
    }""")


def test_a_key_that_is_held_down_answers_once(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(everything=True, fields=("income",))
    page = opened(open_page, review.address())
    for key, count in (("Enter", 1), ("x", 2)):
        for _ in range(20):
            page.keyboard.down(key)  # but for the first one, a repetition
            page.wait_for_timeout(20)
        page.keyboard.up(key)
        page.wait_for_timeout(300)
        assert len(review.edits()) == count


def test_enter_that_was_pressed_before_a_rule_was_told_does_not_overrule_it(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(everything=True, fields=("date",))
    page = opened(open_page, review.address())
    slow(page)
    for key in (*"99999999", "Enter", "Enter", "Enter"):
        page.keyboard.press(key)
    page.locator("#said:not(:empty)").wait_for()
    page.wait_for_timeout(900)
    assert review.edits() == []
    page.keyboard.press("Enter")  # it was read
    assert settle(review, page, 1)[0].overruled


def test_a_server_that_is_gone_is_told_and_loses_nothing_on_the_page(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(everything=True, fields=("income",))
    page = opened(open_page, review.address())
    page.keyboard.press("Enter")
    settle(review, page, 1)
    page.locator("#progress-text", has_text="1 keyed").wait_for()
    here = page.evaluate(SHOWN)
    page.route("**/key", lambda route: route.abort())
    page.keyboard.press("o")
    page.locator("#toast", has_text="does not answer").wait_for()
    assert page.evaluate(SHOWN) == here
    page.keyboard.press("u")
    page.locator("#said", has_text="does not answer").wait_for()
    page.unroute("**/key")
    page.keyboard.press("u")  # the same answer is taken back
    assert settle(review, page, 2)[1].how == "withdrawn"


def test_a_table_that_cannot_be_written_at_the_end_is_told(
    reviewed: Any, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> str:
        raise CannotWrite("cannot write the table: No space left on device")

    monkeypatch.setattr("docproc.web.review.keying.rewrite_table", full)
    review = reviewed(fields=("amount",))
    page = opened(open_page, review.address())
    while page.evaluate(SHOWN):
        page.keyboard.press("s")
        page.wait_for_timeout(50)
    page.locator("#told", has_text="No space left").wait_for()


def test_account_numbers_are_covered_until_a_key_shows_them(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(everything=True, fields=("account",))
    page = opened(open_page, review.address())
    assert page.locator("#box").get_attribute("type") == "password"
    assert page.locator("#crop img").count() == 0
    page.keyboard.press("Enter")
    assert "M shows" in page.locator("#said").inner_text()
    page.keyboard.press("m")
    page.locator("#crop img").wait_for()
    assert page.locator("#box").input_value() == page.locator("#box[type=text]").input_value() != ""
    page.keyboard.press("Enter")
    assert settle(review, page, 1)[0].how == "confirmed"


@pytest.mark.parametrize(("width", "height", "dark"), [(390, 844, True), (640, 400, False)], ids=["phone", "zoomed"])
def test_the_page_fits_small_screens(reviewed: Any, open_page: OpenPage, width: int, height: int, dark: bool) -> None:
    page = opened(open_page, reviewed().address(), width=width, height=height, dark=dark)
    for _ in range(3):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        page.keyboard.press("F2")
        page.wait_for_timeout(100)


def test_a_scan_that_is_gone_is_told_and_the_field_can_be_keyed(
    samples: Path, tmp_path: Path, open_page: OpenPage, reviewed: Any
) -> None:
    review = reviewed(everything=True)
    gone = dict.fromkeys(review.keying.scans._paths, tmp_path / "gone.png")
    review.keying.scans._paths, review.keying.scans._journal = gone, None
    page = opened(open_page, review.address())
    page.get_by_text("The scan is gone or has changed").wait_for()
    assert violations(page) == []
    page.keyboard.press("Enter")
    assert settle(review, page, 1)
    client = review.client("BOB")
    client.post()
    assert client.http.get(client.cards[0]["crop"]).status_code == 404
    changed = tmp_path / "changed.png"
    changed.write_bytes(b"another")
    review.keying.scans._paths = dict.fromkeys(gone, changed)
    assert "changed since" in client.http.get(client.cards[0]["crop"]).json()["error"]


def test_a_sum_that_does_not_add_up_is_told_once(reviewed: Any) -> None:
    review = reviewed(everything=True, fields=("persons",))
    client = review.client()
    client.post()
    wrong = "22" if client.cards[0]["text"] != "22" else "23"
    answer = client.say("text", wrong)
    assert (answer.status_code, answer.json()["broken"]) == (422, True)
    assert "persons" in answer.json()["error"]
    assert review.edits() == []
    assert client.say("text", wrong, overruled=True).status_code == 200
    (state,) = [state for state in review.states().values() if state.counting]
    assert (state.row.status, state.row.text, "overruled" in state.row.reason) == ("ok", wrong, True)


# ----------------------------------------------------------------------------------------------- several people


def test_a_field_is_shown_to_one_person_at_a_time(reviewed: Any) -> None:
    review = reviewed()
    count = doubtful(review)
    anna, bob = review.client("ANNA"), review.client("BOB")
    anna.post()
    bob.post()
    in_hand = {card["id"] for card in anna.cards}
    assert (len(in_hand), len(bob.cards)) == (AHEAD, min(AHEAD, count - AHEAD))
    assert not in_hand & {card["id"] for card in bob.cards}
    anna.say("later")
    assert f"{count} left" in bob.post().json()["progress"]
    assert len(bob.cards) == min(AHEAD, count - AHEAD + 1)


def test_an_edit_that_comes_too_late_is_refused_and_shown(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(everything=True, fields=("income",))
    page = opened(open_page, review.address())
    document, number, name = Robot(page, {}).here() or ("", 0, "")
    state = review.states()[document, number, name]
    with open_edits(review.out) as edits:  # another program
        edits.add([edit_of(state, "text", "99", who="BOB", screen="apply")])
    page.keyboard.type("77")
    page.keyboard.press("Enter")
    page.locator("#said", has_text="BOB keyed 99 here while you had it").wait_for()
    assert "(77)" in page.locator("#said").inner_text()
    assert (len(review.edits()), page.locator("#box").input_value()) == (1, "77")
    page.keyboard.press("Enter")  # knowing it
    assert [edit.text for edit in settle(review, page, 2)] == ["99", "77"]


def test_a_late_edit_is_a_409_and_enters_nothing(reviewed: Any) -> None:
    review = reviewed()
    anna = review.client()
    anna.post()
    card = dict(anna.cards[0])
    assert anna.say("illegible").status_code == 200
    bob = review.client("BOB")
    answer = bob.post(id=card["id"], version=card["version"], said="text", text="5")
    assert (answer.status_code, answer.json()["version"]) == (409, review.edits()[-1].id)
    assert len(review.edits()) == 1


def test_another_keying_of_an_account_is_not_told(reviewed: Any) -> None:
    review = reviewed(everything=True, fields=("account",))
    anna = review.client("ANNA")
    anna.post()
    state = next(one for one in review.states().values() if card_id(one.key) == anna.cards[0]["id"])
    with open_edits(review.out) as edits:
        edits.add([edit_of(state, "text", "77", who="BOB", screen="apply")])
    answer = anna.say("text", "88")
    assert answer.status_code == 409
    assert "BOB keyed this field" in answer.json()["error"]
    assert not {"77", "88"} & set(re.findall("[0-9]+", answer.json()["error"]))


def test_a_name_stays_when_a_link_leads_back(reviewed: Any, open_page: OpenPage) -> None:
    page = opened(open_page, reviewed().address(who="BOB"))
    page.goto(page.url.partition("?")[0])
    assert page.locator("#work").get_attribute("data-who") == "BOB"


def test_a_field_that_another_run_did_not_find_is_left(reviewed: Any) -> None:
    review = reviewed(everything=True, fields=("amount",))
    anna = review.client()
    anna.post()
    wanted = [one for one in review.states().values() if one.reading.field == "amount"]
    ahead = {card["id"] for card in anna.cards}
    here = next(one for one in wanted if card_id(one.key) == anna.cards[0]["id"])
    there = next(one for one in wanted if card_id(one.key) not in ahead)
    with closing(sqlite3.connect(f"{review.out}.docproc")) as db, db:
        for one in (here, there):
            name = os.fsencode(one.reading.document)
            db.execute("DELETE FROM row WHERE name = ? AND page = ? AND field = 'amount'", (name, one.reading.page))
    assert "no longer in the table" in anna.say("text", "1").json()["error"]
    assert anna.say("later").status_code == 200
    shown = set()
    while anna.cards:
        shown.add(anna.cards[0]["id"])
        assert anna.say("later").status_code == 200
    assert len(shown) == len(wanted) - 2


def test_a_scan_that_lies_upside_down_is_shown_upright(reviewed: Any) -> None:
    review = reviewed(everything=True, fields=("amount",))
    anna = review.client()
    anna.post()
    card = next(card for card in anna.cards if card["place"].startswith("bank_checks/check_3.png"))
    with Image.open(io.BytesIO(anna.http.get(card["crop"]).content)) as picture:
        found = np.asarray(picture)
    state = review.states()["bank_checks/check_3.png", 1, "amount"]
    stored = crop(review.keying.scans.page(state.sha256, state.reading), state.reading)
    assert np.array_equal(found, np.rot90(stored, 2))


# ------------------------------------------------------------------------------------- again, audit, planted


def test_a_second_keying_shows_neither_text_and_a_difference_is_looked_at(reviewed: Any) -> None:
    review = reviewed(everything=True, fields=("rooms",))
    anna = review.client()
    anna.post()
    count = len(anna.cards)
    while anna.cards:
        anna.say("text", "3", overruled=True)
    second = reviewed(again=True)
    assert second.client().post().json()["cards"] == []  # who was first is not the second
    bob = second.client("BOB")
    bob.post()
    assert len(bob.cards) == count
    for card in bob.cards:
        assert (card["text"], card["blind"]) == ("", True)
        assert "3" not in card["note"]
    differ = bob.cards[0]["place"]
    bob.say("text", "4", overruled=True)
    while bob.cards:
        bob.say("text", "3", overruled=True)
    rows = [state.row for state in second.states().values() if state.counting]
    assert sorted(row.keyed for row in rows) == ["", *["twice"] * (count - 1)]
    third = reviewed(fields=("rooms",)).client("CARL")
    third.post()
    (card,) = third.cards
    assert card["place"] in differ
    assert "ANNA keyed 3; BOB keyed 4" in card["note"]
    third.say("text", "4", overruled=True)
    assert {state.row.keyed for state in second.states().values() if state.counting} == {"twice"}


def test_fields_of_an_audit_are_mixed_in_without_their_reading(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed(audit=SampleSize(count=5))
    client = review.client()
    client.post()
    places = {}
    while client.cards:
        card = client.cards[0]
        if card["blind"]:
            assert (card["text"], "%" in card["place"]) == ("", False)
            assert client.say("text", "").status_code == 422  # Enter on an empty box is no answer
            state = review.keying.shown(card["id"])[0]
            assert client.say("text" if state.reading.text else "blank", state.reading.text, overruled=True).status_code == 200
            places[state.key] = state
        else:
            client.say("later")
    assert len(places) == 5
    assert {(edit.screen, edit.how) for edit in review.edits()} == {(AUDIT, "confirmed")}
    told = docproc("audit", review.out).stdout
    assert "5 drawn, 5 of these keyed" in told


def test_a_planted_reading_that_passes_is_never_saved(reviewed: Any) -> None:
    review = reviewed(planted=1.0, everything=True, fields=("amount",))
    client = review.client()
    client.post()
    before = {state.key: state.reading.text for state in review.states().values()}
    passed, found = client.cards[:2]
    for card in (passed, found):
        assert "".join(filter(str.isdigit, card["text"])) != before[review.keying.shown(card["id"])[0].key]
    assert client.say("text", passed["text"]).status_code == 200
    assert review.edits() == []
    right = review.keying.shown(found["id"])[0].reading.text
    client.say("text", right)
    (edit,) = review.edits()
    assert (edit.text, edit.how) == (right, "confirmed")
    with Journal.look(review.out) as journal:
        assert sorted(one.passed for one in journal.planted()) == [False, True]
    while client.cards[0]["id"] != passed["id"]:  # it comes again, with what was read
        client.say("later")
    assert "".join(filter(str.isdigit, client.cards[0]["text"])) == before[review.keying.shown(passed["id"])[0].key]


def test_another_page_can_ask_for_a_field_with_a_digit_marked(reviewed: Any, open_page: OpenPage) -> None:
    review = reviewed()
    state = review.states()["survey/form_1.jpg", 1, "income"]
    review.keying.put_first(state.key, 2)
    page = opened(open_page, review.address())
    assert page.evaluate(SHOWN)[0] == "income"
    assert page.evaluate("() => { const b = document.getElementById('box'); return [b.selectionStart, b.selectionEnd]; }") == [
        2,
        3,
    ]
    page.keyboard.press("9")
    page.keyboard.press("Enter")
    page.locator("#said", has_text="Press Enter again").or_(page.locator("#place", has_not_text="form_1")).first.wait_for()
    if page.locator("#said").inner_text():
        page.keyboard.press("Enter")
    (edit,) = settle(review, page, 1)
    assert edit.text == state.reading.text[:2] + "9" + state.reading.text[3:]


# ------------------------------------------------------------------------------------------------------ offline


def test_the_offline_file_needs_no_server_and_its_json_comes_back(reviewed: Any, open_page: OpenPage, tmp_path: Path) -> None:
    review, target = reviewed(), tmp_path / "review.html"
    done = docproc("review", review.out, "--offline", target, "--who", "CARL", "--unmasked")
    assert done.returncode == 0, done.stderr
    page = opened(open_page, target.as_uri(), width=390, height=844, dark=True)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#crop img").evaluate("async (image) => { await image.decode(); return image.naturalWidth; }") > 50
    page.keyboard.press("F2")
    assert "no pages" in page.locator("#around").inner_text()
    page.keyboard.type("1234")
    page.keyboard.press("Enter")
    page.keyboard.press("x")
    page.keyboard.press("b")
    page.keyboard.press("u")
    page.reload()  # what was keyed is still there
    page.locator("body[data-ready]").wait_for()
    assert page.locator("#progress-text").inner_text() == f"{doubtful(review) - 2} left"
    with page.expect_download() as download:
        page.keyboard.press("F9")
    download.value.save_as(tmp_path / "edits.json")
    applied = docproc("apply", review.out, tmp_path / "edits.json")
    assert applied.returncode == 0, applied.stderr
    assert [(edit.said, edit.text, edit.who, edit.screen) for edit in review.edits()] == [
        ("text", "1234", "CARL", "offline"), ("illegible", "", "CARL", "offline"),
    ]  # fmt: skip
    assert docproc("review", review.out, "--offline", target).returncode == 6


def test_an_offline_file_without_fields_says_so(reviewed: Any, open_page: OpenPage, tmp_path: Path) -> None:
    review, target = reviewed(), tmp_path / "review.html"
    assert docproc("review", review.out, "--offline", target, "--fields", "account").returncode == 0
    page = opened(open_page, target.as_uri())
    assert page.locator("#end").is_visible()


def test_an_offline_file_says_when_its_browser_keeps_no_more(reviewed: Any, open_page: OpenPage, tmp_path: Path) -> None:
    review, target = reviewed(), tmp_path / "review.html"
    assert docproc("review", review.out, "--offline", target, "--unmasked").returncode == 0
    page = opened(open_page, target.as_uri())
    page.keyboard.type("-")  # docproc apply would refuse it, and all that was keyed with it
    page.keyboard.press("Enter")
    page.locator("#said", has_text="B if nothing is").wait_for()
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); }; }")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    page.locator("#said", has_text="keeps no more").wait_for()
    with page.expect_download() as download:
        page.keyboard.press("F9")
    assert '"text":"12"' in Path(download.value.path()).read_text()


# ------------------------------------------------------------------------------------------------------- safety


def test_forged_requests_change_nothing(reviewed: Any) -> None:
    review = reviewed()
    client = review.client()
    client.post()
    own, card = f"http://127.0.0.1:{review.server.port}/", client.cards[0]
    said = {"id": card["id"], "version": 0, "said": "text", "text": "1"}
    cookies = {review.server.door.cookie: "ANNA"}
    forged: list[tuple[dict[str, str], dict[str, str]]] = [
        ({}, {}), ({}, cookies), ({"Origin": "http://evil.example"}, cookies), ({"Origin": "null"}, cookies),
        ({"Sec-Fetch-Site": "cross-site"}, cookies), ({"Sec-Fetch-Site": "same-site"}, cookies),
        ({"Origin": own, "Host": "evil.example"}, cookies), ({"Authorization": "Bearer no"}, {}),
    ]  # fmt: skip
    for headers, some in forged:
        assert httpx.post(f"{own}key", json=said, headers=headers, cookies=some).status_code in (400, 401, 403), headers
    wrong: list[Any] = [[], {"id": 1, "said": "text"}, {**said, "said": "all"}, {**said, "version": "0"}, {**said, "text": 7},
                 {"who": 7}, {"have": "x"}, {"order": "none"}]  # fmt: skip
    for told in wrong:
        assert client.http.post("/key", json=told).status_code == 400, told
    assert client.http.post("/key", content=b"x" * 200_000).status_code == 413
    assert client.http.post("/key", content=b"{").status_code == 400
    assert client.http.post("/key", json={**said, "id": "0" * 20}).status_code == 404
    assert client.http.get("/crops/../../x.png").status_code == 404
    assert client.http.post("/key", json={**said, "text": "<b>"}).status_code == 422
    assert review.edits() == []


HOSTILE = ("<script>alert(1)<script>.png", '"><img src=x onerror=alert(1)>.png', "a\nb.png", "=cmd.png", "\u202egnp.png")


def test_names_are_text_and_never_html(tmp_path: Path, open_page: OpenPage, reviewed: Any) -> None:
    (tmp_path / "scans").mkdir()
    for number, name in enumerate(HOSTILE):
        Image.fromarray(draw_field(f"7{number}")).save(tmp_path / "scans" / name)
    out = tmp_path / "results.csv"
    assert docproc("run", tmp_path / "scans", "-o", out, "--layout", "digits", "-q").returncode == 0
    review = reviewed(everything=True)
    page = opened(open_page, review.address("<i>EVE</i>"))
    for number in range(len(HOSTILE)):
        page.keyboard.press("Enter")
        settle(review, page, number + 1)
    page.locator("#told", has_text="The table is written").wait_for()
    assert page.locator("h1 *, #place *, #note *, #told *, b, i").count() == 0
    assert page.locator("script").count() == 1
    assert {edit.who for edit in review.edits()} == {"<i>EVE</i>"}
    done = docproc("review", out, "--offline", tmp_path / "o.html", "--again", "--who", "</script><b>BOB")
    assert done.returncode == 0, done.stderr
    offline = opened(open_page, (tmp_path / "o.html").as_uri())
    assert offline.locator("#who").input_value() == "</script><b>BOB"


# ---------------------------------------------------------------------------------------------------- kill -9


def kill_round(out: Path, places: int) -> None:
    """Two people key as fast as they can, and the server is killed in the midst of it."""
    command = [sys.executable, "-m", "docproc", "review", str(out), "--port", "0", "--no-browser", "--all", "--token", "x" * 16]
    before = acknowledged(out)
    given: list[tuple[str, str]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=PROJECT,
                          env=os.environ | {"PYTHONPATH": str(PROJECT)}) as process:  # fmt: skip
        assert process.stdout
        port = urlsplit(process.stdout.readline()).port
        people = [threading.Thread(target=key_until_the_end, args=(port, who, given)) for who in ("ANNA", "BOB")]
        for one in people:
            one.start()
        while len(given) < places:
            time.sleep(0.002)
        process.kill()
        for one in people:
            one.join()
    after = acknowledged(out) - before
    assert len(given) >= places
    assert not set(given) - set(after), "what was acknowledged is in the journal"
    assert max(after.values()) == 1, "and nothing twice"
    assert sum(after.values()) - len(given) <= 2  # what was on its way when it was killed


def acknowledged(out: Path) -> Counter[tuple[str, str]]:
    with Journal.look(out) as journal:
        return Counter((card_id(edit.key), edit.who) for edit in journal.edits())


def key_until_the_end(port: int, who: str, given: list[tuple[str, str]]) -> None:
    headers = {"Authorization": f"Bearer {'x' * 16}"}
    with suppress(httpx.HTTPError), httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers) as http:
        client = Client(http, who)
        client.post()
        while client.cards:
            card = client.cards[0]
            if client.say("illegible").status_code == 200:
                given.append((card["id"], who))


@pytest.mark.skipif(sys.platform == "win32", reason="kills a process")
@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_what_was_acknowledged_survives_kill_9(samples: Path, tmp_path: Path, rounds: int) -> None:
    out = tmp_path / samples.name
    for number in range(rounds):
        if number % 10 == 0:  # 133 fields last for some rounds
            for suffix in ("", ".docproc"):
                shutil.copy(f"{samples}{suffix}", f"{out}{suffix}")
            for suffix in ("-wal", "-shm"):
                Path(f"{out}.docproc{suffix}").unlink(missing_ok=True)
        kill_round(out, 5)


def test_the_script_of_the_page_is_small() -> None:
    assert (STATIC / "review.js").stat().st_size <= 7_000


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_the_program_prints_its_address_and_writes_the_table_at_its_end(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / samples.name
    for suffix in ("", ".docproc"):
        shutil.copy(f"{samples}{suffix}", f"{out}{suffix}")
    command = [
        sys.executable,
        "-W",
        "error",
        "-m",
        "docproc",
        "review",
        str(out),
        "--port",
        "0",
        "--no-browser",
        "--who",
        "EVE",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=PROJECT,
                          env=os.environ | {"PYTHONPATH": str(PROJECT)}) as process:  # fmt: skip
        assert process.stdout
        address = process.stdout.readline().strip()
        with httpx.Client(follow_redirects=True) as http:
            assert http.get(address).status_code == 200
            home = address.partition("?")[0]
            http.headers["Origin"], http.base_url = home.rstrip("/"), httpx.URL(home)
            client = Client(http, "")
            client.post()
            card = dict(client.cards[0])
            assert client.say("text", "4711", overruled=True).status_code == 200
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, f"Ctrl-C ends it\ntable: {out}\n")
    (row,) = [row for row in table(out) if row["text"] == "4711"]
    assert (row["field"], row["keyed"]) == (card["name"], "corrected")
    with Journal.look(out) as journal:
        assert [edit.who for edit in journal.edits()] == ["EVE"]


def test_a_digit_that_is_marked_among_others_is_keyed_next(samples: Path, open_page: OpenPage, tmp_path: Path) -> None:
    out = copied(samples, tmp_path)
    command = [sys.executable, "-m", "docproc", "review", str(out), "--port", "0", "--no-browser", "--all", "--who", "EVE"]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=PROJECT,
                             env=os.environ | {"PYTHONPATH": str(PROJECT)})
        )  # fmt: skip
        stack.callback(process.kill)
        assert process.stdout
        page = opened(open_page, process.stdout.readline().strip())
        page.get_by_role("link", name="Digits").click()
        page.locator("#tiles button:not([hidden])").first.wait_for()
        assert violations(page) == []
        page.keyboard.press("Space")
        with page.expect_response(lambda answer: answer.request.method == "POST" and "/group/screens/" in answer.url):
            page.keyboard.press("Enter")
        page.get_by_role("link", name="Key fields").click()
        page.locator("#box").wait_for()
        page.wait_for_function("() => document.getElementById('box').selectionEnd > 0")
        start, end = page.locator("#box").evaluate("(box) => [box.selectionStart, box.selectionEnd]")
        assert end - start == 1  # the digit that was marked is open
        page.keyboard.press("7")
        page.keyboard.press("Enter")
        done, again = page.locator("#progress-text", has_text="1 keyed"), page.locator("#said", has_text="Enter again")
        done.or_(again).first.wait_for()
        if again.count():
            page.keyboard.press("Enter")
            done.wait_for()
        process.send_signal(signal.SIGINT)
        process.wait(60)
    with Journal.look(out) as journal:
        (corrected,) = [edit for edit in journal.edits() if edit.screen == "review"]
        others = [edit for edit in journal.edits() if edit.screen == "group"]
    before = corrected.read_value or corrected.read
    assert corrected.text == before[:start] + "7" + before[end:]
    assert {edit.how for edit in others} <= {"confirmed"}


@pytest.mark.parametrize(
    ("options", "told"),
    [("--fields nothing", "the run has no field nothing"), ("--again --all", "--again shows no reading"),
     ("--offline page.txt", "should end in .html"), ("--offline o.html --planted 1%", "--planted needs the server"),
     ("--host 0.0.0.0", "--token")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadUsage, match=told):
        main.main(["review", str(samples), *options.split(), "--no-browser"], standalone_mode=False)
    assert list(tmp_path.iterdir()) == []
