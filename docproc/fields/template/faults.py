"""What is wrong with a template, all at once, each fault with the line where it stands."""

from __future__ import annotations

import copy
import re
from typing import Any

from pydantic import ValidationError

from docproc.fields.template.schema import NAMED, TemplateFile, known_keys
from docproc.rules import CHECK_NAMES

Spoiled = set[tuple[str, int]]  # ("field" or "rule", which): entries that cannot be looked at any further

_BRANCHES = ("int", "list[constrained-int]", "WeightedTable", "constrained-int")  # of a union, in pydantic's paths


class Faults:
    """What is wrong with a template, gathered with the lines where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.found: list[tuple[int, str]] = []

    def add(self, where: tuple[Any, ...], message: str) -> None:
        """A fault at a key of the TOML, say at `("field", 0, "digits")`."""
        line = line_of(self._text, where)
        self.found.append((line, f"line {line}: {message}"))

    def all(self) -> list[str]:
        """Every fault once, in the order of the lines."""
        return [message for _, message in sorted(set(self.found))]


def validated(table: dict[str, Any], faults: Faults) -> tuple[TemplateFile | None, Spoiled]:
    """The tables by their types, and the entries that are spoiled: these hold stand-ins, so that the others can be looked at.

    None where something is wrong outside of the entries.
    """
    try:
        return TemplateFile.model_validate(table), set()
    except ValidationError as problem:
        errors = problem.errors()
    rest, spoiled, hopeless = copy.deepcopy(table), Spoiled(), False
    for error in errors:
        keys = _keys(error["loc"], error["type"])
        faults.add(keys, _description(table, keys, error["type"], error["msg"]))
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
        rest[kind][index] = _stand_in(rest["field"][index], index) if kind == "field" else {}
    return TemplateFile.model_validate(rest), spoiled


def _keys(where: tuple[int | str, ...], kind: str) -> tuple[int | str, ...]:
    """The keys of the TOML from a path of pydantic's, which also names the branches of unions."""
    # A key that is not known may be called like a branch.
    end = -1 if kind == "extra_forbidden" else len(where)
    keys = (part for part in where[:end] if part not in _BRANCHES and not str(part).startswith(("list[", "literal[")))
    return (*keys, *where[end:])


def _stand_in(entry: Any, index: int) -> dict[str, Any]:
    """A field that keeps the place of a spoiled one, and its name where that can be told."""
    name = entry.get("name") if isinstance(entry, dict) else None
    named = name if isinstance(name, str) and re.fullmatch(NAMED, name) else f"unnamed_{index}"
    return {"name": named, "box": [0, 0, 10, 10]}


def _description(table: dict[str, Any], keys: tuple[int | str, ...], kind: str, message: str) -> str:
    """One of pydantic's errors in the words of a template."""
    name = ".".join(str(part) for part in keys)
    if keys[:1] == ("page",) and len(keys) > 1 and isinstance(keys[1], int):
        which = "page" if len(table["page"]) == 1 else f"page {keys[1] + 1}"
        name = ".".join([which, *map(str, keys[2:])])
    if keys[:1] == ("field",) and len(keys) > 1:
        entries = table.get("field")
        entry = entries[keys[1]] if isinstance(entries, list) and isinstance(keys[1], int) else {}
        label = entry.get("name") if isinstance(entry, dict) else None
        name = f"field {label or int(keys[1]) + 1!r}" + (f", {'.'.join(map(str, keys[2:]))}" if len(keys) > 2 else "")
    if kind == "extra_forbidden":
        return f"{name}: no such key; there are {', '.join(known_keys(keys))}"
    if keys[2:] == ("check_digit",):
        return f"{name}: should be one of {', '.join(CHECK_NAMES)}, or {{ weights = [3, 7, 1], modulus = 10 }}"
    if kind == "missing":
        return f"{name}: is missing"
    return f"{name}: {message[:1].lower() + message[1:]}"


def line_of(text: str, keys: tuple[Any, ...]) -> int:
    """The line, from 1, where a key of the TOML stands; its table's line where the key is not there."""
    lines = text.splitlines()
    start, end = 0, len(lines)
    if keys and keys[0] in ("field", "page", "rule"):
        # Only a page may stand alone.
        header = rf"\[\[?\s*{keys[0]}\s*\]" if keys[0] == "page" else rf"\[\[\s*{keys[0]}\s*\]\]"
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
