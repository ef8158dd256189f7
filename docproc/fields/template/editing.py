"""Edit a template as a document: changes are made in place, and everything else stays as it was written.

Every function takes the text of a template and returns a new one. None of them checks what it writes: `judged` runs the
parser, and groups its faults by field. Needs tomlkit, which comes with the extra `web`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import tomlkit

from docproc.errors import BadConfig
from docproc.fields.template.parsing import Beside, parse_pages
from docproc.fields.template.placing import Template
from docproc.fields.template.schema import FieldKind
from docproc.rules import CHECK_NAMES
from docproc.types import Box

KINDS: tuple[str, ...] = get_args(FieldKind)
EVERY = ("digits", "pattern", "range", "check_digit", "allowed", "required")
KEYS: dict[str, tuple[str, ...]] = {
    "comb": EVERY,
    "string": EVERY,
    "amount": ("digits", "pattern", "range", "check_digit", "allowed", "signed", "cents", "required"),
    "decimal": ("digits", "decimals", "signed", "required"),
    "date": ("order", "cells", "years", "required"),
    "micr": ("required",),
}
"""The keys that a field of a kind may have besides `name`, `box`, `kind` and `page`."""
FLAGS = ("required", "signed", "cents")
RULES = {"sum": "equals", "equal": "", "order": ""}  # kinds of rules between fields, with their second key

_HEADER = re.compile(r"\s*\[\[?\s*([A-Za-z_]+)\s*\]\]?\s*(?:#.*)?")
_NUMBERS = re.compile(r"[\[\s]*(-?\d{1,18})(?:\s*(?:,|;|\bto\b|\.\.|–|-|\s)\s*(-?\d{1,18}))?[\]\s]*")
_FAULT_LINE = re.compile(r"line (\d+): ")


class CannotEdit(ValueError):
    """The template is written in a way that these functions cannot edit; `str()` says which."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A field or a rule as it is in the text, valid or not."""

    index: int  # among those of its kind, from 0
    values: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its name, if it has one."""
        return str(self.values.get("name", ""))

    @property
    def kind(self) -> str:
        """The kind of a field."""
        return str(self.values.get("kind", "string"))

    @property
    def page(self) -> int:
        """The page of the form that a field is on."""
        page = self.values.get("page", 1)
        return page if isinstance(page, int) else 1

    @property
    def box(self) -> Box | None:
        """The box of a field; None if it is not valid."""
        box = self.values.get("box")
        if not isinstance(box, list) or len(box) != 4 or not all(isinstance(edge, int) for edge in box):
            return None
        return Box(*box)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields of a rule, with the total of a sum last."""
        found = [name for key in RULES if isinstance(names := self.values.get(key), list) for name in names]
        return tuple(map(str, [*found, *([self.values["equals"]] if "equals" in self.values else [])]))


@dataclass(frozen=True, slots=True)
class Draft:
    """A template being edited, and the parser's result."""

    text: str
    title: str
    pages: tuple[Mapping[str, Any], ...]
    fields: tuple[Entry, ...]
    rules: tuple[Entry, ...]
    templates: tuple[Template, ...] = ()  # one per page; () if there are faults
    faults: tuple[str, ...] = ()
    of_field: Mapping[int, tuple[str, ...]] = field(default_factory=dict)  # faults by the index of the field

    def on_page(self, number: int) -> tuple[Entry, ...]:
        """The fields of a page that have a box."""
        return tuple(one for one in self.fields if one.page == number and one.box is not None)


def judged(text: str, source: str, beside: Beside) -> Draft:
    """A text with the parser's result. Raises BadConfig if it is not TOML, and CannotEdit."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        parse_pages(text, source, beside)  # raises with its own message
        raise
    blocks = _blocks(text)
    _check_shape(table, blocks)
    page = table.get("page", [])
    draft = Draft(
        text,
        str(table.get("name", "")),
        tuple(one for one in (page if isinstance(page, list) else [page]) if isinstance(one, dict)),
        tuple(Entry(k, one) for k, one in enumerate(table.get("field", []))),
        tuple(Entry(k, one) for k, one in enumerate(table.get("rule", []))),
    )
    try:
        return replace(draft, templates=parse_pages(text, source, beside))
    except BadConfig as problem:
        return replace(draft, faults=problem.faults, of_field=_by_field(problem.faults, blocks))


# ------------------------------------------------------------------------------------------------------- fields


def set_values(text: str, index: int, values: Mapping[str, Any]) -> str:
    """Set keys of a field; None removes a key. A new name is also changed in the rules; keys of another kind are removed."""
    entry = _entry(text, "field", index)
    values = dict(values)
    kind = values.get("kind", entry.kind)
    if kind in KEYS:
        known = {key for keys in KEYS.values() for key in keys}
        values |= {key: None for key in known - set(KEYS[kind]) if key in entry.values}
    text = _changed(text, "field", index, lambda table: _put(table, values))
    name = values.get("name")
    if isinstance(name, str) and name and entry.name and name != entry.name:
        text = _renamed(text, entry.name, name)
    return text


def add_field(text: str, box: Box, kind: str = "string", digits: int = 0, page: int = 1) -> str:
    """Add a field after the others of its page, or of the form."""
    lines = ["", "[[field]]", f"name = {_quoted(free_name(text))}", f"box = [{box.left}, {box.top}, {box.width}, {box.height}]"]
    lines.append(f"kind = {_quoted(kind)}")
    if digits:
        lines.append(f"digits = {digits}")
    if page > 1:
        lines.append(f"page = {page}")
    blocks = _blocks(text)
    entries = _entries(text, "field")
    places = [k for k, one in enumerate(blocks) if one.kind == "field"]
    same = [places[entry.index] for entry in entries if entry.page == page]
    last = max(same or places or [k for k, one in enumerate(blocks) if one.kind in ("", "page")])
    before = blocks[last]
    blocks[last] = replace(before, after=())
    blocks.insert(last + 1, _Block("field", tuple(lines), before.after))
    return _joined(blocks)


def delete_field(text: str, index: int) -> str:
    """Delete a field; rules that need it are deleted too, and it is removed from sums."""
    name = _entry(text, "field", index).name
    text = _without(text, "field", index)
    for rule in reversed(_entries(text, "rule")):
        if name not in rule.fields:
            continue
        addends = [one for one in rule.values.get("sum", []) if one != name]
        if addends and rule.values.get("equals") != name:
            text = _changed(text, "rule", rule.index, lambda table: _drop(table["sum"], name))
        else:
            text = _without(text, "rule", rule.index)
    return text


def free_name(text: str) -> str:
    """A name that no field has yet."""
    taken = {entry.name for entry in _entries(text, "field")}
    return next(name for k in range(1, len(taken) + 2) if (name := f"field_{k}") not in taken)


def typed(key: str, text: str) -> Any:
    """Convert what was typed for a key to a value; None if empty. Anything else stays text for the parser to reject."""
    text = text.strip()
    if not text:
        return None
    if key in ("digits", "range", "decimals", "years", "cells"):
        found = _NUMBERS.fullmatch(text)
        if not found:
            return text
        one = int(found[1])
        return one if found[2] is None else [one, int(found[2])]
    if key == "check_digit" and text not in CHECK_NAMES:
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            return text
    if key == "allowed":
        file, _, column = (part.strip() for part in text.rpartition(":"))
        return {"file": file or column, "column": column if file else ""}
    return text


def shown(key: str, value: Any) -> str:
    """A value as one would type it, so that `typed` returns it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return " to ".join(map(str, value))
    if key == "allowed" and isinstance(value, Mapping):
        return f"{value.get('file', '')}: {value.get('column', '')}"
    return str(_item(value).as_string()) if isinstance(value, Mapping) else str(value)


# -------------------------------------------------------------------------------------------------------- rules


def add_rule(text: str, kind: str, names: Sequence[str]) -> str:
    """Add a rule between fields: for a sum the last name is the total; `equal` and `order` have two names."""
    lines = ["[[rule]]"]
    inner, last = (names[:-1], names[-1]) if RULES[kind] else (names, "")
    lines.append(f"{kind} = [{', '.join(map(_quoted, inner))}]")
    if RULES[kind]:
        lines.append(f"{RULES[kind]} = {_quoted(last)}")
    return text.rstrip() + "\n\n" + "\n".join(lines) + "\n"


def delete_rule(text: str, index: int) -> str:
    """Delete a rule."""
    return _without(text, "rule", index)


def set_title(text: str, title: str) -> str:
    """Rename the form."""
    return _changed(text, "", 0, lambda table: _put(table, {"name": title}))


# ------------------------------------------------------------------------------------------------------- blocks


@dataclass(frozen=True, slots=True)
class _Block:
    """A table of the text: its lines from the header on, and those after it that belong to what follows."""

    kind: str  # "" for the text above the first table
    own: tuple[str, ...]
    after: tuple[str, ...]  # trailing comment lines, from their first blank line on


def _blocks(text: str) -> list[_Block]:
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in text.split("\n"):
        if found := _HEADER.fullmatch(line):
            parts.append((found[1], []))
        parts[-1][1].append(line)
    return [_block(kind, lines) for kind, lines in parts]


def _block(kind: str, lines: Sequence[str]) -> _Block:
    end = len(lines)
    while end and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    while end < len(lines) and lines[end].strip():
        end += 1
    return _Block(kind, tuple(lines[:end]), tuple(lines[end:]))


def _joined(blocks: Sequence[_Block]) -> str:
    return "\n".join(line for block in blocks for line in (*block.own, *block.after)).rstrip("\n") + "\n"


def _check_shape(table: Mapping[str, Any], blocks: Sequence[_Block]) -> None:
    for kind in ("field", "rule"):
        found = table.get(kind, [])
        count = sum(block.kind == kind for block in blocks)
        if not isinstance(found, list) or len(found) != count or not all(isinstance(one, dict) for one in found):
            raise CannotEdit(f"the editor changes {kind}s that are written as [[{kind}]], each with lines of its own")


def _entries(text: str, kind: str) -> list[Entry]:
    return [Entry(k, one) for k, one in enumerate(tomllib.loads(text).get(kind, []))]


def _entry(text: str, kind: str, index: int) -> Entry:
    entries = _entries(text, kind)
    if not 0 <= index < len(entries):
        raise IndexError(f"there is no {kind} {index + 1}")
    return entries[index]


def _place(blocks: Sequence[_Block], kind: str, index: int) -> int:
    return [k for k, one in enumerate(blocks) if one.kind == kind][index]


def _changed(text: str, kind: str, index: int, change: Callable[[Any], None]) -> str:
    """The text with one of its tables changed."""
    blocks = _blocks(text)
    place = _place(blocks, kind, index)
    block = blocks[place]
    header, body = (block.own[:1], block.own[1:]) if kind else ((), block.own)
    table = tomlkit.parse("\n".join(body) + "\n")
    change(table)
    blocks[place] = replace(block, own=(*header, *tomlkit.dumps(table).rstrip("\n").split("\n")))
    return _joined(blocks)


def _put(table: Any, values: Mapping[str, Any]) -> None:
    """Set the keys of a table, and remove those that are None."""
    inner = table.get("field", {})  # of [field.allowed] under a field
    for key, value in values.items():
        if key in inner and inner[key] != value:
            del inner[key]
        if value is None:
            if key in table:
                del table[key]
        elif key not in table or table[key] != value:
            table[key] = _item(value)


def _item(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return tomlkit.item(value)
    item = tomlkit.inline_table()
    item.update(value)
    return item


def _without(text: str, kind: str, index: int) -> str:
    _entry(text, kind, index)
    blocks = _blocks(text)
    place = _place(blocks, kind, index)
    gone, before = blocks.pop(place), blocks[place - 1]
    if any(line.strip() for line in gone.after):
        kept = before.after if any(line.strip() for line in before.after) else ()
        blocks[place - 1] = replace(before, after=(*_stripped(kept), *gone.after))
    return _joined(blocks)


def _stripped(lines: Sequence[str]) -> Sequence[str]:
    end = len(lines)
    while end and not lines[end - 1].strip():
        end -= 1
    return lines[:end]


def _renamed(text: str, old: str, new: str) -> str:
    def change(table: Any) -> None:
        for key in RULES:
            names = table.get(key, [])
            for k, name in enumerate(names):
                if name == old:
                    names[k] = new
        if table.get("equals") == old:
            table["equals"] = new

    for rule in _entries(text, "rule"):
        if old in rule.fields:
            text = _changed(text, "rule", rule.index, change)
    return text


def _drop(names: Any, name: str) -> None:
    while name in names:
        names.remove(name)


def _quoted(text: str) -> str:
    return tomlkit.item(text).as_string()


def _by_field(faults: Sequence[str], blocks: Sequence[_Block]) -> dict[int, tuple[str, ...]]:
    """The faults of each field, without their lines, by its index."""
    found: dict[int, tuple[str, ...]] = {}
    starts: list[tuple[int, int]] = []  # first and last line of each field
    line = 1
    for block in blocks:
        length = len(block.own) + len(block.after)
        if block.kind == "field":
            starts.append((line, line + length - 1))
        line += length
    for fault in faults:
        told = _FAULT_LINE.match(fault)
        number = int(told[1]) if told else 0
        for index, (first, last) in enumerate(starts):
            if told and first <= number <= last:
                found[index] = (*found.get(index, ()), fault[told.end() :])
    return found
