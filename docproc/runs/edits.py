"""What people said about fields, and the table rows that follow from that and from what docproc read.

An edit belongs to the content of a document: it persists when documents are read again, with any options. Edits are only ever
added. Taking one back is an edit as well, so the last one that was not taken back counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal, get_args

from docproc.errors import DocprocError
from docproc.meaning.dates import ANY_DATE
from docproc.meaning.typed import Meant, meaning_of
from docproc.readers.confidence import BLANK_REQUIRED, joined
from docproc.rules import BREAKS, PageRule, breaks
from docproc.types import FieldSpec, Keyed, Row

Said = Literal["text", "blank", "illegible"]
SAID: tuple[Said, ...] = get_args(Said)
How = Literal["confirmed", "corrected", "again", "withdrawn"]
HOW: tuple[How, ...] = get_args(How)
"""What an edit does: accepts the reading, replaces it, keys the field a second time without seeing the first, or takes back."""

ILLEGIBLE = "illegible: a person could not read it"  # a reason
DIFFER = "two keyings differ: {0} and {1}"  # another
OVERRULED = "overruled: {0}"  # another, for a field that is `ok`: a person insisted

AUDIT = "audit"  # the screen that asks without showing the reading

FieldKey = tuple[str, int, str]  # SHA-256 of the document's content, page, name of the field


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person said about one field."""

    sha256: str  # of the document's content, 64 hex digits
    page: int  # from 1
    field: str
    said: Said
    text: str = ""  # as typed, with its marks; "" if no text was given
    how: How = "corrected"
    read: str = ""  # the text that docproc had read there at the time
    read_value: str = ""  # and its value
    who: str = ""
    screen: str = ""  # where the edit was made: "review", "group", "offline", "apply", or `AUDIT`
    at: str = ""  # UTC time, as 2026-11-21T14:03:22.250Z; "" until it is stored
    overruled: bool = False  # the person saw which rules it breaks and overrode them
    document: str = ""  # the document's name at the time
    id: int = 0  # increases with every edit of a journal; 0 until it is stored

    @property
    def key(self) -> FieldKey:
        return self.sha256, self.page, self.field

    @property
    def blind(self) -> bool:
        """Whether the person could not see the reading."""
        return self.screen == AUDIT or self.how == "again"

    @property
    def shown(self) -> str:
        """What was said, in one word."""
        return self.text if self.said == "text" else self.said


class StaleEdit(DocprocError):
    """Somebody else edited the field after the author of this edit had seen it. Nothing was stored.

    `edit` is the refused edit, `came` those that its author did not know of, oldest first.
    """

    def __init__(self, edit: Edit, came: Sequence[Edit]) -> None:
        self.edit, self.came = edit, tuple(came)
        last = self.came[-1]
        where = f"{edit.document or edit.sha256[:12]}, page {edit.page}, {edit.field}"
        what = "took an edit back" if last.how == "withdrawn" else f"keyed {last.shown}"
        super().__init__(
            f"{where}: {last.who or 'somebody'} {what} at {last.at}, after it was shown to {edit.who or 'you'}; "
            "nothing was entered"
        )

    def __reduce__(self) -> tuple[type[StaleEdit], tuple[Edit, tuple[Edit, ...]]]:
        return StaleEdit, (self.edit, self.came)


@dataclass(frozen=True, slots=True)
class FieldState:
    """A field of a run: what was read there, what people said about it, and its row in the table."""

    sha256: str  # of the document's content; "" if it is unknown, and then nothing can be keyed
    reading: Row  # as docproc read it
    row: Row  # as it is in the table
    edits: tuple[Edit, ...] = ()  # oldest first

    @property
    def key(self) -> FieldKey:
        return self.sha256, self.reading.page, self.reading.field

    @property
    def version(self) -> int:
        """The number of the last edit, which whoever changes the field must have seen; 0 if there is none."""
        return self.edits[-1].id if self.edits else 0

    @property
    def counting(self) -> tuple[Edit, ...]:
        """The edits that were not taken back, oldest first; the last of them counts."""
        return tuple(_counting(self.edits))


# ---------------------------------------------------------------------------------------------------- what it means


def edit_of(
    state: FieldState, said: Said, text: str = "", *, who: str, screen: str, again: bool = False, overruled: bool = False
) -> Edit:
    """An edit that records what a person said about a field; `again`: keyed a second time, without seeing the first.

    Raises ValueError for a text that is not a number; `meaning` can check that beforehand.
    """
    reading = state.reading
    if said == "text":
        meant = meaning(reading, text)
        if meant.fault:
            raise ValueError(meant.fault)
        same = _same(meant, reading)
    else:
        text, same = "", said == "blank" and not reading.text
    how: How = "again" if again else "confirmed" if same else "corrected"
    return Edit(
        *state.key, said, text.strip(), how, reading.text, reading.value, who, screen,
        overruled=overruled, document=reading.document,
    )  # fmt: skip


def withdrawal_of(state: FieldState, *, who: str, screen: str) -> Edit:
    """An edit that takes back the last one."""
    reading = state.reading
    return Edit(
        *state.key, "blank", "", "withdrawn", reading.text, reading.value, who, screen, document=reading.document
    )  # fmt: skip


def agrees(reading: Row, edit: Edit) -> bool:
    """Whether a person confirms what docproc read. An answer of "illegible" does not."""
    return edit.said != "illegible" and _same(_meant(spec_of(reading), edit), reading)


def _same(meant: Meant, reading: Row) -> bool:
    return meant.text == reading.text and (not reading.value or meant.value == reading.value)


def meaning(reading: Row, typed: str) -> Meant:
    """What a typed text means in the field of a row as docproc read it: digits, value, and the field rules that it breaks."""
    return meaning_of(spec_of(reading), typed, reading.text, reading.value)


def blank_meaning(reading: Row) -> Meant:
    """The same for a field that a person calls blank."""
    return _blank(spec_of(reading))


def broken_between(page: Sequence[Row], field: str, text: str) -> tuple[str, ...]:
    """The rules between fields that a page would break with this text, digits only, in this field, in words.

    `page` holds the rows of the page as they are in the table.
    """
    texts = {row.field: row.text for row in page} | {field: text}
    return tuple(breaks(rule.called) for rule in _rules_of(page) if field in rule.fields and rule.holds(texts) is False)


def spec_of(row: Row) -> FieldSpec:
    """What may be in the field of a row; for a journal of an earlier version it is inferred from what was read."""
    if row.spec is not None:
        return row.spec
    if row.field in ("amount", "micr"):
        return FieldSpec("amount" if row.field == "amount" else "micr")
    if row.field == "decimal" or (row.value.startswith("-") and row.text):
        return FieldSpec("decimal", signed=True)
    if "." in row.value:
        return FieldSpec("amount")
    return FieldSpec(rules=ANY_DATE) if row.field == "date" or (row.value.count("-") == 2 and row.text) else FieldSpec()


def _blank(spec: FieldSpec) -> Meant:
    return Meant("", "", (BLANK_REQUIRED,) if spec.required else ())


def _meant(spec: FieldSpec, edit: Edit) -> Meant:
    if edit.said == "text":
        return meaning_of(spec, edit.text, edit.read, edit.read_value)
    return _blank(spec) if edit.said == "blank" else Meant("")


# -------------------------------------------------------------------------------------------------------- the table


@dataclass(frozen=True, slots=True)
class _Keyed:
    """A field with edits that count."""

    row: Row
    settled: bool  # its content is known
    insisted: bool  # rules are overridden
    last: int  # the number of the last edit


def keyed_page(readings: Sequence[Row], edits: Mapping[str, Sequence[Edit]]) -> list[Row]:
    """The rows of one page as they are in the table, from what was read and the edits of each field, oldest first."""
    keyed = {
        row.field: _keyed(row, counting)
        for row in readings
        if row.status != "error" and (counting := _counting(edits.get(row.field, ())))
    }
    rows = [keyed[row.field].row if row.field in keyed else row for row in readings]
    for rule in _rules_of(readings):
        some = [keyed[name] for name in rule.fields if name in keyed]
        if some and all(one.settled for one in some):
            rows = _ruled(rows, rule, keyed, insisted=max(some, key=lambda one: one.last).insisted)
    return rows


def keyed_rows(readings: Sequence[Row], edits: Sequence[Edit]) -> list[Row]:
    """The same for all rows of a document."""
    found: list[Row] = []
    for page, group in groupby(readings, key=lambda row: row.page):
        own = list(group)
        said: dict[str, list[Edit]] = {}
        for edit in edits:
            if edit.page == page:
                said.setdefault(edit.field, []).append(edit)
        found += keyed_page(own, said) if said else own
    return found


def _counting(edits: Sequence[Edit]) -> list[Edit]:
    """The edits that were not taken back."""
    counting: list[Edit] = []
    for edit in edits:
        if edit.how != "withdrawn":
            counting.append(edit)
        elif counting:
            counting.pop()
    return counting


def _keyed(row: Row, edits: Sequence[Edit]) -> _Keyed:
    """The row of a field according to the edits that count; there is at least one."""
    spec = spec_of(row)
    meant = [_meant(spec, edit) for edit in edits]
    said = [(edit.said, one.text, one.value) for edit, one in zip(edits, meant, strict=True)]
    last = edits[-1]
    alike = [edit for edit, one in zip(edits[:-1], said[:-1], strict=True) if one == said[-1]]
    twice = bool(alike) and (last.how == "again" or any(edit.how == "again" for edit in alike))
    if last.how == "again" and len(edits) > 1 and not twice:
        reason = DIFFER.format(edits[-2].shown, last.shown)
        return _Keyed(replace(row, status="review", reason=reason), False, False, last.id)
    if last.said == "illegible":
        return _Keyed(replace(row, status="review", reason=ILLEGIBLE), False, False, last.id)
    insisted = last.overruled or twice or (len(said) > 1 and said[-2] == said[-1])
    how: Keyed = "twice" if twice else "confirmed" if last.how == "confirmed" else "corrected"
    if last.how == "again" and not twice:
        how = "confirmed" if said[-1][1:] == (row.text, row.value) else "corrected"
    return _Keyed(_row_of(row, last.said, meant[-1], how, insisted=insisted), True, insisted, last.id)


def _row_of(row: Row, said: Said, meant: Meant, how: Keyed, *, insisted: bool) -> Row:
    """The row of a field for which a person gave this content."""
    if meant.text != row.text:
        row = replace(row, read=row.text, changed_by="")
    done = replace(
        row, text=meant.text, value=meant.value, status="blank" if said == "blank" else "ok", reason="", keyed=how,
        confidence=None if said == "blank" else row.confidence,
    )  # fmt: skip
    if not meant.broken:
        return done
    if insisted:
        return replace(done, reason=joined(*map(_overruled, meant.broken)))
    return replace(done, status="review", reason=joined(*meant.broken), confidence=row.confidence)


def _overruled(broken: str) -> str:
    return OVERRULED.format(broken.removeprefix(BREAKS))


def _rules_of(page: Sequence[Row]) -> list[PageRule]:
    """The rules between the fields of a page."""
    return list(dict.fromkeys(rule for row in page if row.spec for rule in row.spec.between))


def _ruled(rows: Sequence[Row], rule: PageRule, keyed: Mapping[str, _Keyed], *, insisted: bool) -> list[Row]:
    """The rows of a page after applying a rule between fields, some of which were keyed."""
    told = breaks(rule.called)
    broken = rule.holds({row.field: row.text for row in rows}) is False
    if broken and not insisted:
        return [_sent(row, told) if row.field in rule.fields else row for row in rows]
    judged = [row if row.field in keyed else _without(row, told) for row in rows]
    if not broken:
        return judged
    own = keyed.keys() & set(rule.fields)
    return [replace(row, reason=joined(row.reason, _overruled(told))) if row.field in own else row for row in judged]


def _sent(row: Row, reason: str) -> Row:
    """A row that is sent to review."""
    if row.status == "error":
        return row
    return replace(row, status="review", reason=row.reason if reason in row.reason else joined(row.reason, reason))


def _without(row: Row, reason: str) -> Row:
    """A row without one of its reasons; if it was the only one, the field is accepted."""
    if row.status != "review" or not row.text or reason not in row.reason:
        return row
    left = joined(*(part.strip("; ") for part in row.reason.partition(reason)[::2]))
    return replace(row, status="review" if left else "ok", reason=left)


def document_states(sha256: str, readings: Sequence[Row], rows: Sequence[Row], edits: Sequence[Edit]) -> Iterator[FieldState]:
    """The fields of one document; `rows` are those of the table, parallel to the `readings`."""
    said: dict[tuple[int, str], list[Edit]] = {}
    for edit in edits:
        said.setdefault((edit.page, edit.field), []).append(edit)
    for reading, row in zip(readings, rows, strict=True):
        if reading.field and reading.status != "error":
            yield FieldState(sha256, reading, row, tuple(said.get((reading.page, reading.field), ())))
