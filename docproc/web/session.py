"""A template while it is edited: the undo and redo drafts, the selection, and the file that is saved."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from docproc.errors import CannotWrite, DocprocError
from docproc.fields.lint import FormPrint, printed_frame
from docproc.fields.places import guides
from docproc.fields.template import Beside, editing
from docproc.fields.template.editing import CannotEdit, Draft, Entry, judged
from docproc.forms import form_page
from docproc.runs.tables import write_whole
from docproc.types import Box, Gray, Page

MAX_DRAFTS = 500  # that can be undone [guess]
MIN_SIDE_PX = 8  # of a box that is drawn [guess]
NEW_SHARES = (0.25, 0.04)  # of the page's width and height: a box that is added where nothing is printed [guess]


class Conflict(Exception):
    """The request is based on another state; `str()` says which."""


class Wrong(Exception):
    """The request makes no sense; `str()` says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A page of the form to view."""

    gray: Gray | None  # its picture; None if there is none
    width: int
    height: int
    print: FormPrint
    guides: tuple[list[int], list[int]]


@dataclass(slots=True, eq=False)
class Session:
    """One template in one editor; not thread-safe."""

    path: Path
    beside: Beside
    drafts: list[Draft]
    sheets: tuple[Sheet, ...]
    stamp: str  # of the file when it was opened or saved; "" if there was none
    saved: str  # the text in the file
    breaks: str = "\n"  # its line ending
    place: int = 0  # index of the current draft
    version: int = 1  # increases with every change of what a browser shows
    page: int = 1
    chosen: int | None = None  # the selected field, by its index
    making: str = ""  # the kind of the rule whose fields are being selected
    stale: bool = False  # whether the file is known to differ from the one that was opened
    named: list[str] = field(default_factory=list)  # its fields so far

    @property
    def draft(self) -> Draft:
        """The current draft."""
        return self.drafts[self.place]

    @property
    def sheet(self) -> Sheet:
        """The page that is shown."""
        return self.sheets[self.page - 1]

    @property
    def entry(self) -> Entry | None:
        """The selected field."""
        fields = self.draft.fields
        return fields[self.chosen] if self.chosen is not None and self.chosen < len(fields) else None

    @property
    def changed(self) -> bool:
        """Whether there is something to save."""
        return self.draft.text != self.saved

    def apply(self, version: int, action: str, values: Mapping[str, str]) -> str:
        """Perform an action, and return what was done. Raises Conflict, Wrong."""
        if version != self.version:
            raise Conflict("The template was changed in another window; this is how it stands now.")
        if action not in ACTIONS:
            raise Wrong(f"there is no action {action!r}")
        place, pages = self.place, self.draft.pages
        try:
            said = ACTIONS[action](self, values)
            if self.draft.pages != pages:
                self.sheets = _sheets(self.draft, self.beside)
                self.page = min(self.page, len(self.sheets))
        except KeyError as problem:
            raise Wrong(f"{action}: {problem.args[0]} is missing") from problem
        except (ValueError, IndexError, DocprocError) as problem:
            self.place = place
            raise Wrong(str(problem)) from problem
        self.version += 1
        return said

    def put(self, text: str) -> None:
        """Add a new draft, unless nothing changed. Raises CannotEdit."""
        if text == self.draft.text:
            return
        draft = judged(text, str(self.path), self.beside)
        self.drafts[self.place + 1 :] = [draft]
        del self.drafts[: max(0, len(self.drafts) - MAX_DRAFTS)]
        self.place = len(self.drafts) - 1

    def keep_choice(self) -> None:
        """Clear the selection if the field no longer exists."""
        if self.chosen is not None and self.chosen >= len(self.draft.fields):
            self.chosen = None
        entry = self.entry
        if entry and 1 <= entry.page <= len(self.sheets):
            self.page = entry.page


def open_session(path: Path, text: str, beside: Beside, *, there: bool) -> Session:
    """An editor's session for a template; `there` says whether its file exists at `path`.

    Raises BadConfig for invalid TOML and for a picture of the form that cannot be read, CannotEdit.
    """
    breaks = "\r\n" if "\r\n" in text else "\n"
    text = text.replace("\r\n", "\n")
    draft = judged(text, str(path), beside)
    session = Session(
        path, beside, [draft], _sheets(draft, beside), stamp_of(path) if there else "", text if there else "", breaks
    )
    first = draft.on_page(1)
    session.chosen = first[0].index if first else None
    return session


def stamp_of(path: Path) -> str:
    """Identifies the state of a file, to detect changes; "" if it does not exist."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as problem:
        raise CannotWrite(f"cannot read {path}: {problem.strerror}") from problem


def _sheets(draft: Draft, beside: Beside) -> tuple[Sheet, ...]:
    """The pages of a form. Raises CannotEdit if a page has no size."""
    import numpy as np

    from docproc.fields.template import Template
    from docproc.types import PageId

    sheets = []
    for number, table in enumerate(draft.pages, 1):
        gray = None
        if isinstance(name := table.get("reference"), str):
            try:
                path, digest, (width, height) = beside.picture(name)
            except ValueError as problem:
                raise CannotEdit(f"page {number}: reference = {name!r}: {problem}") from problem
            gray = form_page(Template(draft.title, width, height, (), reference=path, digest=digest)).gray
        elif (
            isinstance(size := table.get("size"), list)
            and len(size) == 2
            and all(isinstance(side, int) and side > 0 for side in size)
        ):
            width, height = size
        else:
            raise CannotEdit(
                f"page {number}: give reference, the picture of the form, or size, the width and height of its scans"
            )
        if gray is None:
            sheets.append(Sheet(None, width, height, FormPrint((), ()), ([], [])))
            continue
        page = Page(PageId(draft.title), np.asarray(gray))
        shown = FormPrint.of(page, bool(table.get("filled")))
        sheets.append(Sheet(gray, width, height, shown, guides(page, (*shown.frames, *shown.lines))))
    if not sheets:
        raise CannotEdit("the template has no [page]")
    return tuple(sheets)


# ------------------------------------------------------------------------------------------------------ actions

Values = Mapping[str, str]


def _index(session: Session, values: Values) -> int:
    """The named field, or else the selected one."""
    index = int(values["index"]) if "index" in values else session.chosen
    if index is None or not 0 <= index < len(session.draft.fields):
        raise IndexError("this field is gone")
    return index


def _box(session: Session, values: Values) -> Box:
    """A box within the page."""
    left, top, right, bottom = (int(edge) for edge in values["box"].split())
    sheet = session.sheet
    box = Box(left, top, right - left, bottom - top).clip(sheet.width, sheet.height)
    if box.width < MIN_SIDE_PX or box.height < MIN_SIDE_PX:
        raise ValueError("the box is too small")
    return box


def _listed(box: Box) -> list[int]:
    return [box.left, box.top, box.width, box.height]


def _choose(session: Session, values: Values) -> str:
    session.chosen = _index(session, values)
    session.keep_choice()
    return ""


def _pick(session: Session, values: Values) -> str:
    """Select a field for a rule that is being made."""
    name = session.draft.fields[_index(session, values)].name
    if name in session.named:
        session.named.remove(name)
        return f"{name} is taken out."
    session.named.append(name)
    if session.making != "sum" and len(session.named) == 2:
        return _finish(session, values)
    return f"{name} is taken in."


def _make(session: Session, values: Values) -> str:
    session.making, session.named = values["kind"], []
    if session.making not in editing.RULES:
        session.making = ""
        raise ValueError("a rule is a sum, equal, or an order")
    return "Point at the fields, one after the other."


def _finish(session: Session, values: Values) -> str:
    if len(session.named) < 2:
        raise ValueError("point at two fields at least")
    session.put(editing.add_rule(session.draft.text, session.making, session.named))
    session.making = ""
    return "The rule is added."


def _cancel(session: Session, values: Values) -> str:
    session.making = ""
    return ""


def _drop_rule(session: Session, values: Values) -> str:
    session.put(editing.delete_rule(session.draft.text, int(values["index"])))
    return "The rule is deleted."


def _move(session: Session, values: Values) -> str:
    index, box = _index(session, values), _box(session, values)
    session.chosen = index
    session.put(editing.set_values(session.draft.text, index, {"box": _listed(box)}))
    return ""


def _snap(session: Session, values: Values) -> str:
    """Fit a box to what is printed there, with the cells of a comb."""
    index = _index(session, values)
    entry = session.draft.fields[index]
    if entry.box is None:
        raise ValueError("this field has no box")
    new = _as_printed(session, entry.box)
    if new is None:
        return "Nothing is printed there that a box could lie on."
    box, cells = new
    found: dict[str, object] = {"box": _listed(box)}
    if cells and entry.kind in ("comb", "string"):
        found |= {"kind": "comb", "digits": cells}
    session.put(editing.set_values(session.draft.text, index, found))
    return f"{entry.name} lies on its printed frame."


def _as_printed(session: Session, box: Box) -> tuple[Box, int] | None:
    """The box of what is printed at a box, and the cells of a comb there."""
    for comb in (True, False):
        frame = printed_frame(box, session.sheet.print, comb=comb)
        if frame and (frame.cells or not comb):
            return frame.box, frame.cells
    return None


def _add(session: Session, values: Values) -> str:
    """A new field in a box that was drawn, or at the first printed place without a field."""
    box = _box(session, values) if values.get("box") else _free_place(session)
    printed = _as_printed(session, box)
    cells = 0
    if printed and not any(_covers(printed[0], one.box) for one in session.draft.on_page(session.page)):
        box, cells = printed
    kind = "comb" if cells else "string"
    before = {entry.name for entry in session.draft.fields}
    session.put(editing.add_field(session.draft.text, box, kind, cells, session.page))
    session.chosen = next(entry.index for entry in session.draft.fields if entry.name not in before)
    return f"A new field: {kind}" + (f" of {cells} cells." if cells else ".")


def _covers(one: Box, other: Box | None) -> bool:
    from docproc.fields.places import same_place

    return other is not None and same_place(one, other)


def _free_place(session: Session) -> Box:
    sheet = session.sheet
    taken = [entry.box for entry in session.draft.on_page(session.page)]
    for place in (*sheet.print.frames, *sheet.print.lines):
        if not any(_covers(place.box, box) for box in taken):
            return place.box
    width, height = (
        max(MIN_SIDE_PX, round(share * side)) for share, side in zip(NEW_SHARES, (sheet.width, sheet.height), strict=True)
    )
    return Box((sheet.width - width) // 2, (sheet.height - height) // 2, width, height)


def _set(session: Session, values: Values) -> str:
    """The values of a field, as typed into its form."""
    index = _index(session, values)
    kind = values["kind"]
    entry = session.draft.fields[index]
    found: dict[str, object] = {"name": values["name"].strip()}
    if kind != entry.kind:
        found["kind"] = kind
    for key in editing.KEYS.get(kind, ()):
        if key == "signed":
            found[key] = {"on": True, "off": False}.get(values.get(key, ""))
        elif key in editing.FLAGS:
            if bool(entry.values.get(key)) != (values.get(key) == "on"):
                found[key] = values.get(key) == "on" or None
        elif key in values:
            found[key] = editing.typed(key, values[key])
    edges = [values.get(edge, "") for edge in ("left", "top", "width", "height")]
    if all(edges):
        if not all(re.fullmatch("-?[0-9]{1,9}", edge.strip()) for edge in edges):
            raise ValueError("left, top, width and height are whole numbers of px")
        found["box"] = [int(edge) for edge in edges]
    session.put(editing.set_values(session.draft.text, index, found))
    return ""


def _delete(session: Session, values: Values) -> str:
    index = _index(session, values)
    name = session.draft.fields[index].name
    session.put(editing.delete_field(session.draft.text, index))
    left = [entry.index for entry in session.draft.on_page(session.page)]
    session.chosen = min(left, key=lambda one: abs(one - index)) if left else None
    return f"{name} is deleted."


def _undo(session: Session, values: Values) -> str:
    if session.place == 0:
        return "There is nothing to undo."
    session.place -= 1
    session.keep_choice()
    return "Undone."


def _redo(session: Session, values: Values) -> str:
    if session.place + 1 == len(session.drafts):
        return "There is nothing to do again."
    session.place += 1
    session.keep_choice()
    return "Done again."


def _turn(session: Session, values: Values) -> str:
    number = int(values["page"])
    if not 1 <= number <= len(session.sheets):
        raise IndexError(f"there is no page {number}")
    session.page = number
    first = session.draft.on_page(number)
    session.chosen = first[0].index if first else None
    return f"Page {number}."


def _save(session: Session, values: Values) -> str:
    draft = session.draft
    if draft.faults:
        raise Wrong(
            f"not saved: {len(draft.faults)} {'fault is' if len(draft.faults) == 1 else 'faults are'} left in the template"
        )

    def unchanged(_: Path) -> None:
        if stamp_of(session.path) != session.stamp:
            session.stale = True
            raise Conflict(
                f"Not saved: something changed {session.path.name} since it was opened. Load file; Undo leads back to yours."
            )

    unchanged(session.path)
    data = draft.text.replace("\n", session.breaks).encode("utf-8", "surrogateescape")
    write_whole(session.path, lambda file: file.write(data), unchanged)
    session.stamp, session.saved = hashlib.sha256(data).hexdigest(), draft.text
    return f"Saved {session.path.name}."


def _load(session: Session, values: Values) -> str:
    """Load the current file as a further draft."""
    stamp, session.stale = stamp_of(session.path), False
    if not stamp:
        session.stamp, session.saved = "", ""
        return f"{session.path.name} is gone; Save writes it again."
    text = session.path.read_text(encoding="utf-8")
    session.put(text)
    session.stamp, session.saved = stamp, text
    session.keep_choice()
    return f"{session.path.name} as it lies there now. Undo leads back to yours."


ACTIONS: dict[str, Callable[[Session, Values], str]] = {
    "choose": _choose, "pick": _pick, "make": _make, "finish": _finish, "cancel": _cancel, "drop_rule": _drop_rule,
    "move": _move, "snap": _snap, "add": _add, "set": _set, "delete": _delete, "undo": _undo, "redo": _redo, "turn": _turn,
    "save": _save, "load": _load,
}  # fmt: skip
