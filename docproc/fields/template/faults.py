"""Collect everything that is wrong with a template, each fault with its line."""

from __future__ import annotations

import copy
import json
import re
from typing import Any, get_args

from pydantic import ValidationError

from docproc.fields.template.schema import MAX_COUNT, MAX_SIDE_PX, MIN_SIDE_PX, NAMED, FieldKind, TemplateFile, known_keys
from docproc.rules import CHECK_NAMES, DateOrder

Spoiled = set[tuple[str, int]]  # ("field" or "rule", index): entries that cannot be checked any further

_WANTED = {
    "": {
        "schema_version": "1",
        "name": 'a text in quotes, as "survey"',
        "page": "[page], or [[page]] once for each page of the form",
        "field": "[[field]] with two brackets, once for each field",
        "rule": "[[rule]] with two brackets, once for each rule",
    },
    "page": {
        "reference": 'the name of a picture in quotes, as "blank.png"',
        "filled": "true or false",
        "marks": "a list of boxes, as [[40, 40, 30, 30]]: left, top, width, height in pixels",
        "size": f"two whole numbers in pixels, [width, height], from {MIN_SIDE_PX} to {MAX_SIDE_PX}",
    },
    "field": {
        "name": "letters, digits and _ only, no space, and no digit first",
        "box": "four whole numbers: [left, top, width, height]",
        "kind": "one of " + ", ".join(f'"{kind}"' for kind in get_args(FieldKind)),
        "digits": f"how many there are, from 1 to {MAX_COUNT}, as 8, or fewest and most, as [1, 7]",
        "cells": f"a whole number from 1 to {MAX_COUNT}",
        "order": "one of " + ", ".join(f'"{order}"' for order in get_args(DateOrder)),
        "years": "the first and the last year, as [1900, 2030]",
        "pattern": 'a text in quotes, as "[0-9]{4}"',
        "range": "the least and the greatest value, as [0, 120]",
        "check_digit": f"one of {', '.join(CHECK_NAMES)}, or {{ weights = [3, 7, 1], modulus = 10 }}",
        "allowed": '{ file = "codes.csv", column = "code" }',
        "required": "true or false",
        "signed": "true or false",
        "decimals": "how many digits stand behind the point, as 2, or fewest and most, as [0, 2]",
        "cents": "true or false",
        "page": "a whole number from 1",
    },
    "rule": {
        "name": "a text in quotes",
        "sum": 'a list of fields, as ["men", "women"]',
        "equals": 'the name of a field in quotes, as "total"',
        "equal": 'two fields, as ["total", "sum"]',
        "order": 'two fields, the earlier date first, as ["born", "signed"]',
    },
}
"""What is expected at a key, by its table."""

_NOT_TOML = (
    (r"Illegal character '\\n'|Unterminated string|Expected '\"", "the closing quote is missing"),
    ("Unclosed array", "the closing ] is missing"),
    ("Expected '=' after a key", "KEY = VALUE is expected, and there is no ="),
    ("Expected newline or end of document", "something stands behind the value; each key has a line of its own"),
    ("Invalid value", "a value is expected behind the =: a number, true, false, a list in [ ], or a text in quotes"),
    ("Invalid statement", "KEY = VALUE, [page] or [[field]] is expected"),
    ("Cannot overwrite a value", "this key stands here for the second time"),
    ("Cannot declare", "this table stands here for the second time; fields are [[field]] with two brackets"),
    (r"Unescaped '\\' in a string", "a backslash in a text: write / in paths"),
)
"""Plain words for messages of the TOML parser, by their beginnings."""

MAX_SHOWN = 40  # characters of a value that a fault shows [guess]
_BRANCHES = ("int", "list[constrained-int]", "WeightedTable", "constrained-int")  # of a union, in pydantic's paths


class Faults:
    """The faults of a template, collected with their lines."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.found: list[tuple[int, str]] = []
        self.misnamed: dict[int, Any] = {}  # by the index of a field: its invalid name

    def add(self, where: tuple[Any, ...], message: str) -> None:
        """Add a fault at a key of the TOML, e.g. `("field", 0, "digits")`."""
        line = line_of(self._text, where)
        self.found.append((line, f"line {line}: {message}"))

    def all(self) -> list[str]:
        """Every fault once, in line order."""
        return [message for _, message in sorted(set(self.found))]


def check_names(table: dict[str, Any], faults: Faults) -> None:
    """Report duplicate field names, whatever else is wrong with the fields."""
    entries = table.get("field")
    seen: set[str] = set()
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        name = entry.get("name") if isinstance(entry, dict) else None
        if isinstance(name, str) and name in seen:
            faults.add(("field", index, "name"), f"there is another field {name!r}: give each its own name")
        elif isinstance(name, str):
            seen.add(name)


def validated(table: dict[str, Any], faults: Faults) -> tuple[TemplateFile | None, Spoiled]:
    """The typed tables, and the entries that are spoiled: these are replaced by stand-ins, so that the others can be checked.

    None if something is wrong outside the entries.
    """
    try:
        return TemplateFile.model_validate(table), set()
    except ValidationError as problem:
        errors = problem.errors()
    rest, spoiled, hopeless = copy.deepcopy(table), Spoiled(), False
    for error in errors:
        keys = _keys(error["loc"], error["type"])
        faults.add(keys, _description(table, keys, error["type"]))
        if error["type"] == "extra_forbidden":
            holder: Any = rest
            for part in keys[:-1]:
                holder = holder[part]
            del holder[keys[-1]]
        elif len(keys) > 1 and keys[0] in ("field", "rule") and isinstance(keys[1], int):
            spoiled.add((str(keys[0]), keys[1]))
        else:
            hopeless = True
    if hopeless:
        return None, spoiled
    for kind, index in spoiled:
        rest[kind][index] = _stand_in(rest["field"][index], index, faults) if kind == "field" else {}
    return TemplateFile.model_validate(rest), spoiled


def _keys(where: tuple[int | str, ...], kind: str) -> tuple[int | str, ...]:
    """The TOML keys of a pydantic path, which also names the branches of unions."""
    # An unknown key may have the name of a branch.
    end = -1 if kind == "extra_forbidden" else len(where)
    keys = (part for part in where[:end] if part not in _BRANCHES and not str(part).startswith(("list[", "literal[")))
    return (*keys, *where[end:])


def _stand_in(entry: Any, index: int, faults: Faults) -> dict[str, Any]:
    """A field that takes the place of a spoiled one, with its name if that is valid."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if isinstance(name, str) and re.fullmatch(NAMED, name):
        return {"name": name, "box": [0, 0, 10, 10]}
    faults.misnamed[index] = name
    return {"name": f"unnamed_{index}", "box": [0, 0, 10, 10]}


def _description(table: dict[str, Any], keys: tuple[int | str, ...], kind: str) -> str:
    """A pydantic error in terms of the template."""
    if kind == "extra_forbidden":
        return f"{_called(table, keys)}: no such key; there are {', '.join(known_keys(keys))}"
    inside = keys[0] in ("page", "field", "rule") and len(keys) > 2
    own = keys[: 3 if inside else 1]  # an error inside a value is an error of the value
    wanted = _WANTED[str(keys[0]) if inside else ""].get(str(own[-1]), "a table")
    if keys == own and kind == "missing":
        return f"{_called(table, own)}: is missing; it should be {wanted}"
    value: Any = table
    for key in own:
        value = value[key]
    shown = "" if isinstance(value, (dict, list)) and not inside else f" = {_short(value)}"
    return f"{_called(table, own)}{shown}: should be {wanted}"


def _called(table: dict[str, Any], keys: tuple[int | str, ...]) -> str:
    """The name of a key in a message."""
    if keys[:1] == ("page",) and len(keys) > 1 and isinstance(keys[1], int):
        which = "page" if len(table["page"]) == 1 else f"page {keys[1] + 1}"
        return ".".join([which, *map(str, keys[2:])])
    if keys[:1] == ("field",) and len(keys) > 1:
        entries = table.get("field")
        entry = entries[keys[1]] if isinstance(entries, list) and isinstance(keys[1], int) else {}
        label = entry.get("name") if isinstance(entry, dict) else None
        return f"field {label or int(keys[1]) + 1!r}" + (f", {'.'.join(map(str, keys[2:]))}" if len(keys) > 2 else "")
    if keys[:1] == ("rule",) and len(keys) > 1:
        return "rule" + (f", {'.'.join(map(str, keys[2:]))}" if len(keys) > 2 else "")
    return ".".join(map(str, keys))


def _short(value: Any) -> str:
    """A value about as it appears in the file."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."


def not_toml(message: str, text: str) -> str:
    """A message of the TOML parser in plain words, with its line first."""
    found = re.search(r"\(at line (\d+), column \d+\)", message)
    line = int(found[1]) if found else max(1, len(text.splitlines()))
    plain = next((said for start, said in _NOT_TOML if re.match(start, message)), "")
    return f"line {line}: {plain or message.partition(' (at ')[0]}"


def line_of(text: str, keys: tuple[Any, ...]) -> int:
    """The line, from 1, of a TOML key; its table's line if the key is missing."""
    lines = text.splitlines()
    start, end = 0, len(lines)
    if keys and keys[0] in ("field", "page", "rule"):
        header = rf"\[\[?\s*{keys[0]}\s*\]"
        heads = [k for k, line in enumerate(lines) if re.match(rf"\s*{header}", line)]
        index = keys[1] if len(keys) > 1 and isinstance(keys[1], int) else 0
        if index >= len(heads):
            return 1
        start = heads[index]
        later = [k for k, line in enumerate(lines) if k > start and re.match(r"\s*\[", line)]
        end = later[0] if later else len(lines)
        keys = keys[2:] if len(keys) > 1 and isinstance(keys[1], int) else keys[1:]
    for k in range(start, end):
        if keys and re.match(rf"\s*{re.escape(str(keys[0]))}\s*=", lines[k]):
            return k + 1
    return start + 1
