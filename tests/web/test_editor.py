"""`docproc template edit`: boxes by keyboard and pointer, rules by pointing, scans over the form, and what is saved."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

import docproc
from docproc.errors import BadUsage, OutputExists
from docproc.forms import beside
from docproc.options import Limits
from docproc.web.door import Door, Guard
from docproc.web.server import Serving
from docproc.web.session import Conflict, Session, Wrong, open_session
from docproc.web.store import Sizes, Store
from tests.conftest import PROJECT, SAMPLES
from tests.web.conftest import OpenPage, serving, violations
from tests.web.test_serve import BOUNDARY, NAMES

pytest.importorskip("tomlkit", reason='needs tomlkit: pip install ".[web]"')

from docproc.web.editor import MAX_SCANS, Bench, editor_app

pytestmark = pytest.mark.thorough  # starts processes

SURVEY = SAMPLES / "survey"
COMMENTED = "# As printed in 2026.\n" + (SURVEY / "template.toml").read_text().replace(
    "digits = 8", "digits = 8   # of the register\n# see the manual, page 7"
)


@dataclass
class Editor:
    """A server of `docproc template edit`."""

    server: Serving
    bench: Bench
    folder: Path

    @property
    def session(self) -> Session:
        return self.bench.session

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.server.door.token}"}
        return httpx.Client(base_url=self.base, headers=headers, timeout=60)

    def do(self, action: str, version: int | None = None, **values: Any) -> httpx.Response:
        with self.client() as client:
            told = {"do": action, "version": str(version or self.session.version)} | {
                key: str(one) for key, one in values.items()
            }
            return client.post("/edit", data=told)

    def login(self) -> str:
        self.server.door.ticket = "for-a-test"
        return f"{self.base}/?token=for-a-test"


@contextmanager
def edited(folder: Path, text: str, *, there: bool = True) -> Iterator[Editor]:
    """An editor of a template in a folder of its own."""
    path = folder / "template.toml"
    if there:
        path.write_bytes(text.encode())
    made: list[Bench] = []

    def make_app(door: Door) -> Guard:
        session = open_session(path, text, beside(folder), there=there)
        made.append(Bench(session, Store.open(Sizes(file=1_000_000)), Limits(seconds=30)))
        return editor_app(door, made[0])

    with serving(make_app) as server:
        yield Editor(server, made[0], folder)
    assert not made[0].store.folder.exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SURVEY, tmp_path / "survey")
    (tmp_path / "survey" / "template.toml").unlink()
    return tmp_path / "survey"


@pytest.fixture
def editor(folder: Path) -> Iterator[Editor]:
    with edited(folder, COMMENTED) as found:
        yield found


def saved(editor: Editor) -> dict[str, Any]:
    return tomllib.loads((editor.folder / "template.toml").read_text(encoding="utf-8"))


def ready(page: Any) -> Any:
    page.locator("body[data-ready]").wait_for()
    return page


def settled(page: Any, holds: Callable[[], bool]) -> None:
    """Wait until something holds while the page goes on."""
    for _ in range(600):
        if holds():
            return
        page.wait_for_timeout(50)
    raise AssertionError("it never held")


def box(editor: Editor, name: str) -> list[int]:
    (found,) = [entry for entry in editor.session.draft.fields if entry.name == name]
    return list(found.values["box"])


# ------------------------------------------------------------------------------------------------------ browser


def test_boxes_are_moved_and_named_by_keyboard_and_comments_stay(editor: Editor, open_page: OpenPage) -> None:
    page = ready(open_page(editor.login()))
    page.locator("#lint .badge").wait_for()
    assert violations(page) == []
    page.locator("#box-0").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "box-1"
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Control+ArrowLeft", "Shift+ArrowRight", "Shift+ArrowUp"):
        page.keyboard.press(key)
    settled(page, lambda: box(editor, "interviewer") == [1124, 283, 377, 91])
    page.locator("#lint .badge.review").wait_for()
    assert "field interviewer" not in page.locator("#lint").inner_text()
    assert "interviewer" in page.locator("#lint").inner_text()
    page.keyboard.press("s")
    settled(page, lambda: box(editor, "interviewer") == [1132, 282, 377, 93])
    page.keyboard.press("Enter")
    settled(page, lambda: bool(page.evaluate("document.activeElement.id === 'name'")))
    page.keyboard.type("enumerator")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    settled(page, lambda: editor.session.draft.fields[1].name == "enumerator")
    page.keyboard.type("1 to 4")
    page.keyboard.press("Escape")
    settled(page, lambda: editor.session.draft.fields[1].values.get("digits") == [1, 4])
    settled(page, lambda: bool(page.evaluate("document.activeElement.id === 'box-1'")))
    page.keyboard.press("Control+s")
    page.locator("#file .ok").wait_for()
    text = (editor.folder / "template.toml").read_text()
    changes = {'"interviewer"': '"enumerator"', "digits = 4": "digits = [1, 4]", "[1132, 282, 376, 92]": "[1132, 282, 377, 93]"}
    wanted = COMMENTED
    for old, new in changes.items():
        wanted = wanted.replace(old, new)
    assert text == wanted
    page.keyboard.press("Delete")
    settled(page, lambda: len(editor.session.draft.fields) == 7)
    page.keyboard.press("Control+z")
    settled(page, lambda: len(editor.session.draft.fields) == 8)
    page.keyboard.press("Control+y")
    settled(page, lambda: len(editor.session.draft.fields) == 7)
    assert (editor.folder / "template.toml").read_text() == text
    assert violations(page) == []


def screen(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a place of the form lies on the screen."""
    sheet = page.locator("#sheet").bounding_box()
    scale = sheet["width"] / 1800
    return sheet["x"] + x * scale, sheet["y"] + y * scale


def drag(page: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    page.mouse.move(*screen(page, *start))
    page.mouse.down()
    page.mouse.move(*screen(page, *start), steps=2)
    page.mouse.move(*screen(page, *end), steps=6)
    page.mouse.up()


def test_boxes_are_dragged_resized_drawn_and_snap_to_print(editor: Editor, open_page: OpenPage) -> None:
    page = ready(open_page(editor.login()))
    drag(page, (300, 840), (297, 843))  # a click, by and large
    drag(page, (400, 840), (500, 900))
    settled(page, lambda: box(editor, "income")[0] > 200)
    left, top, width, height = box(editor, "income")
    assert (abs(left - 262) <= 13, abs(top - 852) <= 13, width, height) == (True, True, 596, 106)
    drag(page, (left + width, top + height), (960, 1010))
    settled(page, lambda: box(editor, "income")[2] > 600)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    settled(page, lambda: box(editor, "income") == [162, 792, 596, 106])
    page.locator("#box-7").focus()
    page.keyboard.press("Delete")
    settled(page, lambda: len(editor.session.draft.fields) == 7)
    page.wait_for_function("() => document.querySelectorAll('.field').length === 7")
    drag(page, (984, 795), (1214, 893))  # some px beside what is printed
    settled(page, lambda: len(editor.session.draft.fields) == 8)
    assert editor.session.draft.fields[7].values["box"] == [983, 794, 237, 106]
    page.wait_for_function("() => document.activeElement.id === 'box-7'")
    drag(page, (400, 1100), (200, 1010))  # where nothing is printed, from the lower right
    settled(page, lambda: len(editor.session.draft.fields) == 9)
    assert all(abs(a - b) <= 3 for a, b in zip(editor.session.draft.fields[8].values["box"], (200, 1010, 200, 90), strict=True))


def test_a_template_from_the_blank_reads_the_samples_as_the_shipped_one_does(
    folder: Path, open_page: OpenPage, tmp_path: Path
) -> None:
    """From the boxes that `init` finds: two are spoiled and mended, all are named, rules are made; keys and pointer only."""
    done = subprocess.run(
        [sys.executable, "-m", "docproc", "template", "init", "blank.png", "--name", "household survey"],
        cwd=folder, env={"PYTHONPATH": str(PROJECT)} | os.environ, check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == 0
    text = (folder / "template.toml").read_text()
    (folder / "template.toml").unlink()
    names = ["household_id", "interviewer", "men", "women", "children", "persons", "income", "rooms"]
    with edited(folder, text, there=False) as editor:
        page = ready(open_page(editor.login()))
        assert len(editor.session.draft.fields) == len(names)
        page.locator("#box-7").focus()
        page.keyboard.press("Delete")
        settled(page, lambda: len(editor.session.draft.fields) == 7)
        page.wait_for_function("() => document.querySelectorAll('.field').length === 7")
        drag(page, (984, 795), (1214, 893))
        settled(page, lambda: len(editor.session.draft.fields) == 8)
        for index, name in enumerate(names):
            page.locator(f"#box-{index}").focus()
            page.keyboard.press("Enter")
            settled(page, lambda: bool(page.evaluate("document.activeElement.id === 'name'")))
            page.keyboard.type(name)
            page.keyboard.press("Escape")
            settled(page, lambda i=index, n=name: editor.session.draft.fields[i].name == n)  # type: ignore[misc]
        for index, digits in ((6, "1 to 7"), (7, "1 to 2")):
            page.locator(f"#box-{index}").focus()
            page.locator("#panel input[name=index]").and_(page.locator(f"[value='{index}']")).wait_for(state="attached")
            page.locator("#digits").fill(digits)
            page.keyboard.press("Escape")
            settled(page, lambda i=index: isinstance(editor.session.draft.fields[i].values.get("digits"), list))  # type: ignore[misc]
        page.keyboard.press("+")
        page.locator(".making").wait_for()
        for x in (250, 660, 1070, 1480):
            page.mouse.click(*screen(page, x, 580))
        settled(page, lambda: editor.session.named == ["men", "women", "children", "persons"])
        assert violations(page) == []
        page.keyboard.press("f")
        settled(page, lambda: len(editor.session.draft.rules) == 1)
        page.keyboard.press("Control+s")
        page.locator("#file .ok").wait_for()
        own = saved(editor)
    shipped = tomllib.loads((SURVEY / "template.toml").read_text())
    keys = [{key: value for key, value in one.items() if key != "box"} for one in own["field"]]
    assert keys == [{key: value for key, value in one.items() if key != "box"} for one in shipped["field"]]
    assert [rule | {"name": "all persons"} for rule in own["rule"]] == shipped["rule"]
    scans = [SURVEY / name for name in ("form_1.jpg", "form_2.jpg", "form_3.png", "batch.tif")]
    ours, theirs = (
        [(row.document, row.page, row.field, row.text, row.value) for row in docproc.read(scans, layout=str(one))]
        for one in (folder / "template.toml", SURVEY / "template.toml")
    )
    assert len(ours) >= 8 * len(scans)
    assert ours == theirs


def test_scans_lie_over_the_form_and_are_checked_live(editor: Editor, open_page: OpenPage) -> None:
    page = ready(open_page(editor.login()))
    page.locator("#scans").set_input_files([SURVEY / "form_1.jpg", SURVEY / "form_3.png", SURVEY / "template.toml"])
    page.locator("#form image.scan").nth(1).wait_for(state="attached")
    page.locator("#lint table").wait_for()
    assert page.locator("#lint .fault").count() == 1
    assert violations(page) == []
    assert page.locator("#lint tbody tr").count() == 8
    page.locator("#box-0").focus()
    for _ in range(7):
        page.keyboard.press("Control+ArrowRight")
    page.locator("#lint td", has_text="left").first.wait_for()  # writing is cut off there now
    page.locator("#box-0.wrong").wait_for()
    page.get_by_label("Show form_3.png").press("Enter")
    settled(page, lambda: page.locator("#form image.scan").count() == 1)
    page.get_by_label("Remove form_1.jpg").press("Enter")
    settled(page, lambda: len(editor.bench.scans) == 2)
    settled(page, lambda: len(list(editor.bench.store.folder.iterdir())) == 3)


def test_a_file_that_changed_behind_the_editor_is_not_overwritten(editor: Editor, open_page: OpenPage) -> None:
    page = ready(open_page(editor.login()))
    page.locator("#box-0").focus()
    page.keyboard.press("ArrowLeft")
    settled(page, lambda: box(editor, "household_id")[0] == 161)
    theirs = COMMENTED.replace("household survey", "their survey")
    (editor.folder / "template.toml").write_text(theirs)
    page.keyboard.press("Control+s")
    page.locator("#toast", has_text="Not saved").wait_for()
    assert (editor.folder / "template.toml").read_text() == theirs
    page.get_by_role("button", name="Load file").press("Enter")
    settled(page, lambda: editor.session.draft.title == "their survey")
    page.locator("#file .ok").wait_for()
    page.keyboard.press("Control+z")
    settled(page, lambda: box(editor, "household_id")[0] == 161)
    page.locator("#file .ok").wait_for(state="detached")  # else the page may still show the state before
    page.keyboard.press("Control+s")
    page.locator("#file .ok").wait_for()
    assert saved(editor)["name"] == "household survey"


def test_two_windows_know_of_each_other(editor: Editor) -> None:
    first = editor.session.version
    assert editor.do("delete", first, index=0).status_code == 200
    again = editor.do("delete", first, index=0)
    assert (again.status_code, "another window" in again.text) == (409, True)
    assert len(editor.session.draft.fields) == 7


@pytest.mark.parametrize(("width", "height", "dark"), [(390, 844, True), (640, 400, False)], ids=["phone", "zoomed"])
def test_the_page_fits_small_screens(editor: Editor, open_page: OpenPage, width: int, height: int, dark: bool) -> None:
    page = ready(open_page(editor.login(), width=width, height=height, dark=dark))
    page.locator("#lint .badge").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert violations(page) == []


def test_a_form_of_several_pages_is_edited_page_by_page(folder: Path, open_page: OpenPage) -> None:
    shutil.copy(SAMPLES / "meters" / "blank.png", folder / "back.png") if (SAMPLES / "meters" / "blank.png").exists() else None
    if not (folder / "back.png").exists():
        shutil.copy(folder / "form_3.png", folder / "back.png")
    text = COMMENTED.replace(
        '[page]\nreference = "blank.png"', '[[page]]\nreference = "blank.png"\n\n[[page]]\nreference = "back.png"'
    )
    with edited(folder, text) as editor:
        page = ready(open_page(editor.login()))
        page.get_by_role("button", name="Page 2").press("Enter")
        settled(page, lambda: editor.session.page == 2)
        page.locator("#form[data-size]").wait_for(state="attached")
        settled(page, lambda: page.locator(".field").count() == 0)
        page.get_by_role("button", name="Add").press("Enter")
        settled(page, lambda: len(editor.session.draft.fields) == 9)
        assert editor.session.draft.fields[8].values["page"] == 2
        page.get_by_role("button", name="Page 1").press("Enter")
        settled(page, lambda: page.locator(".field").count() == 8)


# --------------------------------------------------------------------------------------------------- what is sent


def test_forged_requests_change_nothing(editor: Editor) -> None:
    door = editor.server.door
    door.ticket = "for-a-test"
    with httpx.Client(base_url=editor.base) as browser:
        browser.get("/?token=for-a-test")
        cookie = {"Cookie": f"{door.cookie}={next(iter(door.sessions))}"}
    form = {"do": "delete", "index": "0", "version": str(editor.session.version)}
    own = {"Origin": editor.base}
    forged: list[tuple[dict[str, str], int]] = [
        ({}, 401), (own, 401), (cookie, 403),
        (cookie | {"Origin": "http://evil.example"}, 403), (cookie | {"Origin": "null"}, 403),
        (cookie | {"Sec-Fetch-Site": "cross-site"}, 403), (cookie | {"Sec-Fetch-Site": "same-site"}, 403),
        (cookie | own | {"Sec-Fetch-Site": "cross-site"}, 403), (cookie | own | {"Host": "evil.example"}, 400),
        (cookie | own | {"Host": "127.0.0.1@evil.example"}, 400), ({"Authorization": "Bearer wrong"}, 401),
        (cookie | own | {"Authorization": "Bearer wrong"}, 401),
    ]  # fmt: skip
    before = (editor.session.version, editor.session.draft.text)
    for path in ("/edit", "/scan"):
        for headers, status in forged:
            answer = httpx.post(editor.base + path, data=form, headers=headers)
            assert answer.status_code == status, (path, headers, answer.text)
    assert (editor.session.version, editor.session.draft.text) == before
    assert httpx.post(editor.base + "/edit", data=form, headers=cookie | own).status_code == 200


def test_what_makes_no_sense_is_told_and_changes_nothing(editor: Editor) -> None:
    text = editor.session.draft.text
    asked: list[tuple[str, dict[str, Any]]] = [
        ("explode", {}), ("move", {"index": 99, "box": "1 1 50 50"}), ("move", {"index": 0, "box": "1 1"}),
        ("move", {"index": "x"}), ("move", {"index": 0, "box": "5000 5000 6000 6000"}),
        ("turn", {"page": 2}), ("make", {"kind": "product"}), ("finish", {}),
        ("drop_rule", {"index": 5}), ("set", {"index": 0}), ("__class__", {}), ("choose", {"index": -1}),
        ("move", {"index": 0, "box": "9" * 5000 + " 1 1 1"}),
    ]  # fmt: skip
    for action, values in asked:
        assert editor.do(action, **values).status_code == 400, action
    with editor.client() as client:
        assert client.post("/edit", content=b"x" * 200_000).status_code == 413
        assert client.post("/edit", content=b"version=1&do=\xff").status_code == 400
        assert client.post("/edit", content=b"&".join(b"a=1" for _ in range(500))).status_code == 400
        assert client.post("/edit", data={"do": "undo"}).status_code == 400
        for path in ("/pages/2.png", "/pages/0.png", "/scans/0.png", "/scans/..%2f..%2fx.png", "/pages/../../x.png"):
            assert client.get(path).status_code == 404
    assert editor.session.draft.text == text


def test_hostile_names_are_shown_as_text(editor: Editor, open_page: OpenPage) -> None:
    hostile = [
        '<img src=x onerror="alert(1)">',
        '"><script>alert(1)</script>',
        "{{ 7 * 7 }}",
        'a"\n[[field]]\nname = "b',
        "\x00\x7f\u202e",
    ]
    page = ready(open_page(editor.login()))
    for name in hostile:
        answer = editor.do("set", index=0, kind="comb", name=name, pattern=name, digits="8")
        assert answer.status_code == 200
        assert editor.session.draft.fields[0].name == name.strip()
        assert len(editor.session.draft.fields) == 8
        assert editor.session.draft.of_field[0]
        assert editor.do("save").status_code == 400
        page.goto(editor.base)
        ready(page)
        assert page.locator("#name").input_value() == name.strip().replace("\n", "").replace("\x00", "\ufffd")
    assert (editor.folder / "template.toml").read_text() == COMMENTED
    assert editor.do("set", index=0, kind="comb", name="number", digits="8", pattern="").status_code == 200
    body = b"".join(b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + name.replace(b"\\", b"\\\\")
                    + b'"\r\n\r\nno picture\r\n' for name in NAMES) + b"--b--"  # fmt: skip
    before = set(editor.folder.parent.rglob("*"))
    kind = BOUNDARY.partition(": ")[2].strip()
    with editor.client() as client:
        answer = client.post("/scans", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, f"{MAX_SCANS} at most" in answer.text) == (200, True)
    assert len(editor.bench.scans) == MAX_SCANS
    assert set(editor.folder.parent.rglob("*")) == before
    assert {scan.name for scan in editor.bench.scans if scan.looked or scan.pictures} == set()
    assert all(scan.problem.startswith("not a PNG") for scan in editor.bench.scans), editor.bench.scans[0].problem
    page.goto(editor.base)
    ready(page)


def test_scans_are_refused_while_they_come(editor: Editor) -> None:
    with editor.client() as client:
        assert client.post("/scans", files={"file": ("a.png", b"x" * 1_100_000)}).status_code == 413
        assert client.post("/scans", content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
    assert list(editor.bench.store.folder.iterdir()) == []


# ------------------------------------------------------------------------------------------------------ session


def test_a_new_template_is_never_saved_over_a_file_that_came_meanwhile(folder: Path) -> None:
    path = folder / "template.toml"
    session = open_session(path, COMMENTED, beside(folder), there=False)
    path.write_text("mine")
    with pytest.raises(Conflict, match="Not saved"):
        session.apply(1, "save", {})
    assert path.read_text() == "mine"
    path.unlink()
    session.apply(1, "save", {})
    assert path.read_text() == COMMENTED
    session.apply(2, "save", {})


def test_line_breaks_stay_and_faults_are_not_saved(folder: Path) -> None:
    path = folder / "template.toml"
    windows = COMMENTED.replace("\n", "\r\n").encode()
    path.write_bytes(windows)
    session = open_session(path, windows.decode(), beside(folder), there=True)
    session.apply(1, "save", {})
    assert path.read_bytes() == windows
    session.apply(2, "set", {"index": "0", "name": "men", "kind": "comb"})
    assert session.draft.of_field[2] == ("there is another field 'men': give each its own name",)
    with pytest.raises(Wrong, match="1 fault is left"):
        session.apply(3, "save", {})
    edges = {"left": "a", "top": "1", "width": "9", "height": "9"}
    with pytest.raises(Wrong, match="are whole numbers of px"):
        session.apply(3, "set", {"index": "0", "name": "men", "kind": "comb", **edges})
    session.apply(3, "undo", {})
    session.apply(4, "move", {"index": "0", "box": "163 282 898 374"})
    session.apply(5, "save", {})
    assert path.read_bytes() == windows.replace(b"[162, 282, 736, 92]", b"[163, 282, 735, 92]")


# ------------------------------------------------------------------------------------------------------ program


@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
def test_the_program_edits_a_blank_and_ends_at_a_signal(folder: Path) -> None:
    command = [sys.executable, "-W", "error", "-m", "docproc", "template", "edit", "blank.png", "--port", "0", "--no-browser"]
    environment = {"PYTHONPATH": str(PROJECT)} | os.environ
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=folder
    ) as process:
        try:
            assert process.stdout
            address = process.stdout.readline().strip()
            answer = httpx.get(address, follow_redirects=True)
            assert (answer.status_code, answer.text.count("data-index=")) == (200, 8)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 0, said
    assert said == "template: template.toml\nCtrl-C ends it; what is not saved is lost\n"
    assert not (folder / "template.toml").exists()


def test_what_cannot_be_edited_is_told_before_the_server_starts(folder: Path) -> None:
    from docproc.commands.template import edit_template

    def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(BadUsage, match="no such template"):
        edit_template(folder / "x.toml", folder / "y.toml", never, never, name=None)
    (folder / "y.toml").write_text("")
    with pytest.raises(OutputExists, match="docproc template edit"):
        edit_template(folder / "blank.png", folder / "y.toml", never, never, name=None)
