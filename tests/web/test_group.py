"""Group verification in a browser, by keyboard alone: what is marked is keyed, what is confirmed is in the journal."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pytest
from PIL import Image

from docproc.errors import DocumentError
from docproc.options import Limits
from docproc.runs.digit_log import MARKED, WITHDRAWN
from docproc.runs.editing import Edits, open_edits
from docproc.runs.edits import FieldKey, FieldState, edit_of
from docproc.runs.journal import Journal
from docproc.types import Box, FieldSpec
from docproc.web.app import create_app
from docproc.web.door import Door, Guard
from docproc.web.group import GROUP_LINK, group_routes
from docproc.web.group_desk import GroupDesk, Screen
from docproc.web.mosaic import TILE, CrewCutter, Cuts, Tile, Tiles, cut_document, cut_tile
from docproc.web.server import Serving
from tests.conftest import PROJECT
from tests.web.conftest import OpenPage, serving, violations
from tests.web.drawn_run import draw_run, keys_of

if TYPE_CHECKING:
    from playwright.sync_api import Page

Truth = Mapping[tuple[FieldKey, int], str]  # what stands where another digit was read

pytestmark = pytest.mark.thorough  # starts a browser


class HereCutter:
    """Cuts in this process."""

    def __init__(self) -> None:
        self.documents: list[str] = []

    def cut(self, wanted: Any) -> list[list[Tile | None]]:
        return [self._one(one) for one in wanted]

    def _one(self, one: Cuts) -> list[Tile | None]:
        self.documents.append(one.document.name)
        try:
            return cut_document(one, Limits())
        except DocumentError:
            return [None] * len(one.boxes)

    def close(self) -> None:
        pass


class Queue:
    """What is to be keyed next."""

    def __init__(self) -> None:
        self.first: list[tuple[FieldKey, int | None]] = []

    def put_first(self, key: FieldKey, place: int | None) -> None:
        self.first.append((key, place))


@dataclass
class Verifying:
    """A server of group verification over a drawn run."""

    output: Path
    server: Serving
    desk: GroupDesk
    queue: Queue
    edits: Edits
    cutter: HereCutter

    def address(self, path: str = "/group") -> str:
        self.server.door.ticket = "for-a-test"
        return f"http://127.0.0.1:{self.server.port}{path}{'&' if '?' in path else '?'}token=for-a-test"

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.server.door.token}"}
        return httpx.Client(base_url=f"http://127.0.0.1:{self.server.port}", headers=headers, timeout=60)

    def states(self) -> dict[FieldKey, FieldState]:
        with Journal.look(self.output) as journal:
            return {state.key: state for state in journal.fields()}

    def words(self) -> list[str]:
        with Journal.look(self.output) as journal:
            return [edit.said for edit in journal.digit_edits()]


@contextmanager
def verifying(output: Path, **options: Any) -> Iterator[Verifying]:
    with ExitStack() as stack:
        edits = stack.enter_context(open_edits(output))
        queue, cutter = Queue(), HereCutter()
        desk = GroupDesk(output, edits, queue, Tiles(cutter), who="ANNA", **options)
        server = stack.enter_context(serving(lambda door: make_app(door, desk), path="/group"))
        yield Verifying(output, server, desk, queue, edits, cutter)


def make_app(door: Door, desk: GroupDesk) -> Guard:
    return create_app(door, group_routes(desk), nav=[GROUP_LINK])


def ready(page: Page) -> None:
    page.locator("body[data-ready]").wait_for()


def shown(page: Page, desk: GroupDesk) -> Screen:
    """The screen that a page shows: what a person sees of it."""
    picture = page.evaluate(PICTURE)
    return desk._screens[picture.split("/")[-1].split(".")[0]]


PICTURE = "document.querySelector('.tiles button').style.backgroundImage"


def confirm(page: Page) -> None:
    """Press Enter, and wait for what the server says."""
    before = page.evaluate(PICTURE)
    page.keyboard.press("Enter")
    until(page, f"before => !document.getElementById('none').hidden || {PICTURE} !== before", before)


def until(page: Page, holds: str, arg: Any = None) -> None:
    """Wait until a function of JavaScript is true; the page's policy keeps Playwright from waiting there."""
    for _ in range(1000):
        if page.evaluate(holds, arg):
            return
        time.sleep(0.01)
    raise AssertionError(f"it never held: {holds}")


def press(page: Page, key: str, times: int) -> None:
    for _ in range(times):
        page.keyboard.press(key)


def verify_all(
    page: Page, desk: GroupDesk, truth: dict[tuple[FieldKey, int], str], said: dict[tuple[FieldKey, int], str]
) -> int:
    """Look at all screens and mark what is wrong by keyboard, as `said`: "Space", or the digit; returns how many there were."""
    screens = 0
    while page.locator("#none").is_hidden():
        at = 0
        for number, piece in enumerate(shown(page, desk).pieces):
            if piece.where in truth:
                press(page, "ArrowRight", number - at)
                page.keyboard.press(said[piece.where])
                at = number
        confirm(page)
        screens += 1
    return screens


# ------------------------------------------------------------------------------------------------------- the browser


@pytest.mark.parametrize(
    ("fields", "planted"), [(60, 20), pytest.param(1000, 20, marks=pytest.mark.slow)], ids=["300 digits", "5,000 digits"]
)
def test_planted_wrong_digits_send_exactly_their_fields_to_keying(
    tmp_path: Path, open_page: OpenPage, fields: int, planted: int
) -> None:
    output, truth = draw_run(tmp_path, fields, planted)
    with verifying(output) as one:
        page = open_page(one.address())
        ready(page)
        screens = verify_all(page, one.desk, truth, dict.fromkeys(truth, "Space"))
        states = one.states()
    assert screens >= fields * 5 // 100
    assert dict(one.queue.first) == dict(truth.keys())
    assert len(one.queue.first) == planted
    assert {key for key, state in states.items() if state.row.keyed == ""} == keys_of(truth)
    for key, state in states.items():
        if key not in keys_of(truth):
            (edit,) = state.edits
            assert (edit.how, edit.text, edit.screen, edit.who) == ("confirmed", state.reading.text, "group", "ANNA")
            assert (state.row.status, state.row.keyed) == ("ok", "confirmed")
    assert one.words().count(MARKED) == planted
    assert len(one.cutter.documents) == len(set(one.cutter.documents))  # each was decoded once


def test_a_digit_that_is_keyed_at_once_corrects_its_field(tmp_path: Path, open_page: OpenPage) -> None:
    output, truth = draw_run(tmp_path, 30, 8)
    with verifying(output) as one:
        page = open_page(one.address())
        ready(page)
        verify_all(page, one.desk, truth, truth)
        states = one.states()
    assert one.queue.first == []
    assert {state.row.keyed for state in states.values()} == {"confirmed", "corrected"}
    for (key, place), digit in truth.items():
        text = states[key].reading.text
        assert states[key].row.text == text[:place] + digit + text[place + 1 :]
        assert (states[key].row.keyed, states[key].row.read) == ("corrected", text)
    assert sum(state.row.keyed == "corrected" for state in states.values()) == 8


def test_a_screen_is_taken_back_and_said_anew(tmp_path: Path, open_page: OpenPage) -> None:
    output, _ = draw_run(tmp_path, 30, 0)
    with verifying(output) as one:
        page = open_page(one.address())
        ready(page)
        first = shown(page, one.desk)
        page.keyboard.press("Space")
        press(page, "ArrowRight", 2)
        page.keyboard.press("8")
        confirm(page)
        second = shown(page, one.desk)
        assert second.digit == "1"
        assert one.queue.first == [(first.pieces[0].key, first.pieces[0].place)]
        page.keyboard.press("Backspace")
        until(page, "() => document.getElementById('digit').textContent === '0'")
        names = page.locator(".tiles button:visible")
        assert names.nth(0).get_attribute("aria-label") == f"{called(first, 0)}, marked"
        assert names.nth(2).get_attribute("aria-label") == f"{called(first, 2)}, marked 8"
        assert one.words().count(WITHDRAWN) == len(first.pieces)
        press(page, "ArrowLeft", 2)
        page.keyboard.press("Space")  # it is a 0 after all
        press(page, "ArrowRight", 2)
        page.keyboard.press("0")
        while page.locator("#none").is_hidden():
            confirm(page)
        page.keyboard.press("u")
        page.locator("#none").wait_for(state="hidden")
        confirm(page)
        states = one.states()
    assert {state.row.keyed for state in states.values()} == {"confirmed"}
    assert {len(state.counting) for state in states.values()} == {1}
    assert any(edit.how == "withdrawn" for state in states.values() for edit in state.edits)


def called(screen: Screen, number: int) -> str:
    piece = screen.pieces[number]
    return f"digit {number + 1} of {len(screen.pieces)}, {piece.key[2]} in {piece.document}"


def test_arrows_follow_the_lines_and_marks_have_names(tmp_path: Path, open_page: OpenPage) -> None:
    output, _ = draw_run(tmp_path, 200, 0)
    with verifying(output) as one:
        page = open_page(one.address("/group?digit=7"))
        ready(page)
        screen = shown(page, one.desk)
        assert screen.digit == "7"
        focused = "document.activeElement.ariaLabel"
        assert page.evaluate(focused) == called(screen, 0)
        top = "document.activeElement.getBoundingClientRect().top"
        before = page.evaluate(top)
        page.keyboard.press("ArrowDown")
        assert page.evaluate(top) > before
        page.keyboard.press("ArrowUp")
        press(page, "ArrowLeft", 3)  # there is nothing before the first
        assert page.evaluate(focused) == called(screen, 0)
        page.keyboard.press("?")
        page.locator("#keys").wait_for(state="visible")
        assert violations(page) == []
        page.keyboard.press("?")
        page.locator(".tiles button").nth(4).click()
        assert page.evaluate(focused) == f"{called(screen, 4)}, marked"
        assert violations(page) == []
        for number in range(len(screen.pieces)):
            assert page.locator(".tiles button").nth(number).bounding_box() is not None


@pytest.mark.parametrize(("width", "height", "dark"), [(390, 844, True), (640, 400, False)], ids=["phone", "zoomed"])
def test_the_page_fits_small_screens(tmp_path: Path, open_page: OpenPage, width: int, height: int, dark: bool) -> None:
    output, _ = draw_run(tmp_path, 60, 0, reason="")
    with verifying(output) as one:
        page = open_page(one.address(), width=width, height=height, dark=dark)
        ready(page)
        assert page.locator("#none").is_visible()  # none is in doubt for its digits alone
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
    output, _ = draw_run(tmp_path / "more", 60, 0)
    with verifying(output) as one:
        page = open_page(one.address(), width=width, height=height, dark=dark)
        ready(page)
        page.keyboard.press("4")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []


def test_who_comes_too_late_is_told_and_nothing_is_lost(tmp_path: Path, open_page: OpenPage) -> None:
    output, _ = draw_run(tmp_path, 12, 0)
    with verifying(output) as one:
        page = open_page(one.address())
        ready(page)
        while page.locator("#none").is_hidden():
            states = [state for state in one.states().values() if not state.edits]
            if len(states) == 12 or not states:
                confirm(page)
                continue
            break
        # Bob keys a field of which the last digit is on this screen.
        screen = shown(page, one.desk)
        open_ones = [piece for piece in screen.pieces if len(one.desk._fields[piece.key].said) == 4]
        late = open_ones[0].key
        state = one.states()[late]
        one.edits.add([edit_of(state, "text", "99", who="BOB", screen="review")], {late: 0})
        with page.expect_response(lambda answer: answer.url.endswith(screen.id)) as answered:
            confirm(page)
        assert answered.value.status == 409
        assert "BOB keyed 99" in page.locator("#toast").inner_text()
        after = one.states()
    assert (after[late].row.text, [edit.who for edit in after[late].edits]) == ("99", ["BOB"])
    assert all(after[piece.key].row.keyed == "confirmed" for piece in open_ones[1:])
    with Journal.look(output) as journal:
        assert any(edit.key == late and edit.place == open_ones[0].place for edit in journal.digit_edits())


# -------------------------------------------------------------------------------------------------------- over HTTP


def screen_of(client: httpx.Client, digit: str = "0") -> dict[str, Any]:
    answer = client.post("/group/screens", json={"digit": digit})
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_two_people_are_shown_different_digits(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 100, 0)
    with verifying(output) as one, one.client() as client:
        first = one.desk.enter("anna")
        screens = [one.desk.screen(who, "3") for who in ("anna", "bob", "anna")]
        wheres = [piece.where for screen in screens for piece in screen.pieces]
        assert len(set(wheres)) == len(wheres)
        assert [screen.digit for screen in screens] == ["3", "4", "5"]
        one.desk.enter("bob")  # who comes back is shown the same again
        assert one.desk.screen("bob", "3").pieces == screens[1].pieces
        assert one.desk.find(screens[0].id, "bob") is None
        assert client.post(f"/group/screens/{screens[0].id}", json={"said": {}}).status_code == 404
        assert sum(first.waiting.values()) == 500
        assert one.words() == []


def test_each_person_confirms_by_the_name_of_the_address(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    with verifying(output) as one:
        host = f"http://127.0.0.1:{one.server.port}"
        with httpx.Client(base_url=host, timeout=60, headers={"Origin": host}) as browser:
            browser.get(one.address("/group?who=BOB"), follow_redirects=True)
            browser.get("/group")  # a link on the page does not name who goes on
            for _ in range(10):
                browser.post(f"/group/screens/{screen_of(browser)['id']}", json={"said": {}})
        with Journal.look(output) as journal:
            assert {edit.who for edit in journal.digit_edits()} == {edit.who for edit in journal.edits()} == {"BOB"}


def test_another_server_of_this_machine_takes_no_screen_away(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    with verifying(output) as one:
        host = f"http://127.0.0.1:{one.server.port}"
        with httpx.Client(base_url=host, timeout=60, headers={"Origin": host}) as browser:
            browser.get(one.address(), follow_redirects=True)
            screen = screen_of(browser)
            browser.cookies.set("docproc-1", "of another server", domain="127.0.0.1")  # cookies do not know ports
            assert browser.post(f"/group/screens/{screen['id']}", json={"said": {}}).status_code == 200


def test_a_server_that_is_gone_is_told_in_words(tmp_path: Path, open_page: OpenPage) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    with verifying(output) as one:
        page = open_page(one.address())
        ready(page)
        page.route("**/group/screens/*", lambda route: route.abort())
        page.keyboard.press("Enter")
        page.locator("#toast", has_text="The server does not answer.").wait_for()


def test_what_a_person_said_twice_is_entered_once(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    with verifying(output) as one, one.client() as client:
        client.get("/group")
        place = f"/group/screens/{screen_of(client)['id']}"
        answers = [client.post(place, json={"said": {"0": ""}}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        assert client.post(place, json={"said": {}}).status_code == 400
        count = len(one.words())
        assert [client.post(f"{place}/back", json={}).status_code for _ in range(2)] == [200, 200]
        assert len(one.words()) == 2 * count


def test_a_screen_is_taken_back_after_the_page_was_opened_anew(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 10, 0)
    with verifying(output) as one, one.client() as client:
        client.get("/group")
        places, names = [], []
        while (screen := screen_of(client))["names"]:
            places.append(f"/group/screens/{screen['id']}")
            names.append(screen["names"])
            client.post(places[-1], json={"said": {}})
        assert {state.row.keyed for state in one.states().values()} == {"confirmed"}
        client.get("/group")
        assert client.post(f"{places[-1]}/back", json={}).json() == {"told": ""}
        assert "" in {state.row.keyed for state in one.states().values()}
        again = screen_of(client)
        assert again["names"] == names[-1]
        client.post(f"/group/screens/{again['id']}", json={"said": {}})
        assert {state.row.keyed for state in one.states().values()} == {"confirmed"}


def test_a_key_that_is_held_confirms_one_screen(tmp_path: Path, open_page: OpenPage) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    with verifying(output) as one:
        page = open_page(one.address())
        ready(page)
        confirm(page)
        page.keyboard.down("Enter")
        until(page, "() => document.getElementById('digit').textContent === '2'")
        for _ in range(5):
            page.keyboard.down("Enter")  # the key is still held
            page.wait_for_timeout(50)
        page.keyboard.up("Enter")
        assert page.locator("#digit").inner_text() == "2"
        assert page.locator(".tiles button[data-said='']").count() == 0
        said = one.words()
    assert set(said) == {"0", "1"}


def test_forged_and_wrong_requests_change_nothing(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    with verifying(output) as one, one.client() as program:
        host = f"http://127.0.0.1:{one.server.port}"
        with httpx.Client(base_url=host, timeout=60) as browser:
            browser.get(one.address(), follow_redirects=True)
            own = {"Origin": host}
            place = f"/group/screens/{browser.post('/group/screens', json={'digit': '0'}, headers=own).json()['id']}"
            forged: list[tuple[dict[str, str], int]] = [
                ({}, 403), ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
                ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Sec-Fetch-Site": "same-site"}, 403),
                (own | {"Sec-Fetch-Site": "cross-site"}, 403), (own | {"Host": "evil.example"}, 400),
                (own | {"Host": f"127.0.0.1:{one.server.port}@evil"}, 400), (own | {"Authorization": "Bearer wrong"}, 401),
                (own | {"Cookie": "docproc=x"}, 401),
            ]  # fmt: skip
            for path in (place, f"{place}/back", "/group/screens"):
                for headers, code in forged:
                    assert browser.post(path, json={"said": {}, "digit": "0"}, headers=headers).status_code == code, headers
            assert httpx.post(f"{host}{place}", json={"said": {}}).status_code == 401
            assert program.post(place, json={"said": {}}).status_code == 404  # another's screen
            wrong: list[tuple[Any, int]] = [
                (b"no JSON", 400), (b"[]", 400), (b"{}", 400), (b'{"said": []}', 400), (b'{"said": {"0": 7}}', 400),
                (b'{"said": {"x": ""}}', 400), (b'{"said": {"-1": ""}}', 400), (b'{"said": {"100": ""}}', 400),
                (b'{"said": {"0": "77"}}', 400), (b'{"said": {"0": "x"}}', 400), (b" " * 20_000, 413), (b"[" * 16_000, 400),
            ]  # fmt: skip
            for body, code in wrong:
                assert browser.post(place, content=body, headers=own).status_code == code, body[:30]
            for digit in ("", "77", "x", None, 7):
                assert browser.post("/group/screens", json={"digit": digit}, headers=own).status_code == 400
            assert browser.get(place).status_code == 405
            assert browser.get("/group/screens/../../etc/passwd.jpg").status_code == 404
        assert one.words() == []
        assert all(not state.edits for state in one.states().values())
        assert one.queue.first == []


def test_names_are_text(tmp_path: Path, open_page: OpenPage) -> None:
    output, _ = draw_run(tmp_path, 20, 0, field="<img src=x onerror=alert(1)>")
    with verifying(output) as one:
        page = open_page(one.address())
        ready(page)
        assert "<img src=x" in page.locator("#about").inner_text()
        assert page.locator("img").count() == 0


def test_what_cannot_be_shown_is_never_confirmed(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 60, 0)
    (tmp_path / "in" / "page_000.png").unlink()
    with open(tmp_path / "in" / "page_001.png", "ab") as file:
        file.write(b"changed")
    with verifying(output) as one, one.client() as client:
        client.get("/group")
        while (screen := screen_of(client))["names"]:
            assert all("page_002" in name for name in screen["names"])
            client.post(f"/group/screens/{screen['id']}", json={"said": {}})
        confirmed = {state.reading.document for state in one.states().values() if state.edits}
        assert confirmed == {"page_002.png"}
        assert "40: their documents have been moved" in client.get("/group").text


def test_accounts_and_fields_without_places_are_left_out_and_told(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0, spec=FieldSpec("micr"))
    with verifying(output) as one, one.client() as client:
        assert "20: they hold account numbers" in client.get("/group").text
        assert screen_of(client)["names"] == []
    with verifying(output, unmasked=True) as one, one.client() as client:
        client.get("/group")
        assert screen_of(client)["names"] != []
    output, _ = draw_run(tmp_path / "older", 20, 0, digits=())
    with verifying(output) as one, one.client() as client:
        assert "20: the journal does not tell where their digits stand" in client.get("/group").text


def test_marks_of_before_are_put_first_when_the_page_opens(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    with verifying(output) as one:
        one.desk.enter("anna")
        screen = one.desk.screen("anna", "0")
        one.desk.answer(screen, {0: ""})
        wanted = [(screen.pieces[0].key, screen.pieces[0].place)]
        assert one.queue.first == wanted
    with verifying(output) as again:
        again.desk.enter("bob")
        again.desk.enter("bob")
        assert again.queue.first == wanted
        left = {piece.key for own in again.desk._groups.values() for piece in own}
        assert screen.pieces[0].key not in left


def test_accepted_fields_are_put_up_where_that_is_asked_for(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0, status="ok", reason="")
    with verifying(output) as one:
        assert sum(one.desk.enter("anna").waiting.values()) == 0
    with verifying(output, accepted=True) as one:
        assert sum(one.desk.enter("anna").waiting.values()) == 100


# -------------------------------------------------------------------------------------------------------- pictures


def test_a_tile_shows_its_digit_and_its_neighbors_fainter() -> None:
    gray = np.full((100, 200), 200, np.uint8)
    gray[30:70, 95:105] = 40
    gray[30:70, 75:80] = 40
    tile = cut_tile(gray, Box(92, 30, 16, 40))
    assert tile is not None
    assert tile.shape == (TILE, TILE)
    middle = tile[TILE // 2]
    assert middle[TILE // 2] < 30
    assert middle[TILE // 2 + 15] > 240
    beside = middle[: TILE // 2 - 14].min()
    assert 100 < beside < 220
    assert cut_tile(gray, Box(300, 0, 10, 10)) is None
    assert cut_tile(gray, Box(50, 50, 0, 10)) is None
    at_the_edge = cut_tile(gray, Box(-5, -5, 30, 40))
    assert at_the_edge is not None
    assert at_the_edge.shape == (TILE, TILE)
    flat = cut_tile(np.full((50, 50), 200, np.uint8), Box(10, 10, 20, 20))
    assert flat is not None
    assert flat.min() > 240


def test_a_pixel_that_is_higher_than_wide_is_made_square() -> None:
    gray = np.full((100, 200), 255, np.uint8)
    gray[40:60, 90:110] = 0
    tile = cut_tile(gray, Box(90, 40, 20, 20), tall=2.0)
    assert tile is not None
    inked = tile < 128
    assert inked.any(axis=1).sum() == pytest.approx(2 * inked.any(axis=0).sum(), abs=3)


def test_digits_of_pages_that_lie_upside_down_are_shown_upright(tmp_path: Path) -> None:
    pictures = []
    for folder, turned in (("upright", False), ("turned", True)):
        output, _ = draw_run(tmp_path / folder, 20, 0, turned=turned)
        with open_edits(output) as edits:
            desk = GroupDesk(output, edits, Queue(), Tiles(HereCutter()))
            desk.enter("anna")
            with Image.open(io.BytesIO(desk.screen("anna", "6").picture)) as picture:
                pictures.append(np.asarray(picture).astype(int))
    assert pictures[0].shape == pictures[1].shape
    assert np.abs(pictures[0] - pictures[1]).mean() < 8


def test_documents_are_cut_in_workers(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 20, 0)
    cutter = CrewCutter(jobs=1)
    try:
        with open_edits(output) as edits:
            desk = GroupDesk(output, edits, Queue(), Tiles(cutter))
            desk.enter("anna")
            screen = desk.screen("anna", "0")
        with Image.open(io.BytesIO(screen.picture)) as picture:
            assert picture.size == (TILE, TILE * len(screen.pieces))
            assert np.asarray(picture).min() < 60
    finally:
        cutter.close()


# ------------------------------------------------------------------------------------------------------------ kills

SERVER = """
import sys
from pathlib import Path
from docproc.runs.editing import open_edits
from docproc.web.group_desk import GroupDesk
from docproc.web.mosaic import Tiles
from docproc.web.server import Place, serve
from tests.web.test_group import HereCutter, Queue, make_app

output = Path(sys.argv[1])
with open_edits(output) as edits:
    desk = GroupDesk(output, edits, Queue(), Tiles(HereCutter()), who="ANNA")
    place = Place(port=0, browser=False)
    serve(place, lambda door: make_app(door, desk), lambda one: print(one.port, one.door.token, flush=True))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    output, _ = draw_run(tmp_path, 60, 0)
    acknowledged, fields = 0, 0
    for _ in range(3):
        server = subprocess.Popen([sys.executable, "-c", SERVER, str(output)], stdout=subprocess.PIPE, text=True, cwd=PROJECT)
        assert server.stdout is not None
        port, token = server.stdout.readline().split()
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}) as client:
            client.get("/group")
            for _ in range(3):
                screen = screen_of(client)
                answer = client.post(f"/group/screens/{screen['id']}", json={"said": {}}).json()
                acknowledged += answer["digits"]
                fields += answer["fields"]
        server.send_signal(signal.SIGKILL)
        server.wait(30)
        server.stdout.close()
    with Journal.look(output) as journal:
        words, edits = journal.digit_edits(), list(journal.edits())
    assert len(words) == acknowledged > 0
    assert len({(word.key, word.place) for word in words}) == len(words)
    assert len(edits) == fields
    assert len({edit.key for edit in edits}) == len(edits)
