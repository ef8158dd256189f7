"""A form's template: a TOML file that says where the fields are.

    schema_version = 1
    name = "household survey"

    [page]
    size = [2550, 3300]            # width, height in pixels of the scans on which the boxes were measured

    [[field]]
    name = "household_id"
    box = [210, 340, 880, 96]      # left, top, width, height
    kind = "comb"                  # comb | string | amount
    digits = 8                     # or [fewest, most]; a comb has as many cells as its most

Scans of another resolution are accepted when their shape agrees: the boxes are scaled.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic import Field as Rule

from docproc.errors import BadConfig, DocumentError
from docproc.types import DIGIT_HEIGHT, Box, Field, Kind, Page

RESERVED = ("document", "page", "status", "review", "reason")  # columns of the wide table
SHAPE_TOLERANCE = 0.02  # of width over height
DIGIT_SHARE = 0.5  # of a box's height that a small digit in it has

Count = Annotated[int, Rule(ge=1, le=64)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PageTable(_Strict):
    """The page on which the boxes were measured."""

    size: Annotated[
        list[Annotated[int, Rule(ge=16, le=65_500)]],
        Rule(min_length=2, max_length=2, description="width and height in pixels"),
    ]


class FieldTable(_Strict):
    """One number on the form."""

    name: Annotated[str, Rule(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="a column of the table")]
    box: Annotated[list[int], Rule(min_length=4, max_length=4, description="left, top, width, height in pixels of the page")]
    kind: Literal["comb", "string", "amount"] = "string"
    digits: Annotated[
        Count | Annotated[list[Count], Rule(min_length=2, max_length=2)] | None,
        Rule(description="how many digits, or [fewest, most]"),
    ] = None
    required: Annotated[bool, Rule(description="a blank field goes to review")] = False


class TemplateFile(_Strict):
    """A docproc template."""

    schema_version: Literal[1]
    name: Annotated[str, Rule(min_length=1)]
    page: PageTable
    field: Annotated[list[FieldTable], Rule(min_length=1, description="the fields, in the order of the table")]


@dataclass(frozen=True, slots=True)
class Template:
    """A template without faults."""

    name: str
    width: int
    height: int
    fields: tuple[Field, ...]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a template file."""
    return TemplateFile.model_json_schema()


def parse(text: str, source: str) -> Template:
    """Read a template. Raises BadConfig with every fault, its line, and what to write instead."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise BadConfig(source, [f"not TOML: {problem}"]) from problem
    try:
        parsed = TemplateFile.model_validate(table)
    except ValidationError as problem:
        faults = {_fault(text, table, tuple(e["loc"]), str(e["type"]), str(e["msg"])) for e in problem.errors()}
        raise BadConfig(source, [say for _, say in sorted(faults)]) from problem
    faults_found = _contradictions(text, parsed)
    if faults_found:
        raise BadConfig(source, faults_found)
    width, height = parsed.page.size
    return Template(parsed.name, width, height, tuple(_field(entry) for entry in parsed.field))


def place(template: Template, page: Page) -> tuple[Field, ...]:
    """The template's fields on a page, scaled to its resolution.

    Raises DocumentError `unsupported` when the page has another shape than the template's.
    """
    across, down = page.width / template.width, page.height / template.height
    if abs(across / down - 1) > SHAPE_TOLERANCE:
        raise DocumentError(
            "unsupported",
            f"the page is {page.width} x {page.height} pixels and does not fit the template {template.name!r}, which was "
            f"measured on {template.width} x {template.height}",
        )
    if across == down == 1:
        return template.fields
    return tuple(Field(f.name, _scaled(f.box, across, down), f.kind, f.digits, f.required) for f in template.fields)


def enough(template: Template) -> int:
    """The long side in px at which a page's smallest digits are still twice as high as they are read."""
    lowest = min(field.box.height for field in template.fields)
    return round(max(template.width, template.height) * 2 * DIGIT_HEIGHT / (DIGIT_SHARE * lowest))


def _scaled(box: Box, across: float, down: float) -> Box:
    left, top = round(box.left * across), round(box.top * down)
    return Box(left, top, round(box.right * across) - left, round(box.bottom * down) - top)


def _field(entry: FieldTable) -> Field:
    digits = (entry.digits, entry.digits) if isinstance(entry.digits, int) else entry.digits
    bounds = (int(digits[0]), int(digits[1])) if digits else None
    if entry.kind == "comb" and bounds and isinstance(entry.digits, int):
        bounds = (0, bounds[1])  # cells may stay empty; a full comb is not promised by its number of cells
    kind: Kind = entry.kind
    return Field(entry.name, Box(*entry.box), kind, bounds, entry.required)


def _contradictions(text: str, parsed: TemplateFile) -> list[str]:
    """What each entry allows and all together do not."""
    faults: list[tuple[int, str]] = []

    def fault(index: int, key: str, message: str) -> None:
        line = _line(text, ("field", index, key))
        faults.append((line, f"line {line}: {message}"))

    width, height = parsed.page.size
    names = Counter(entry.name for entry in parsed.field)
    seen: set[str] = set()
    for index, entry in enumerate(parsed.field):
        left, top, wide, high = entry.box
        if wide < 4 or high < 6:
            fault(
                index,
                "box",
                f"field {entry.name!r}: a box of {wide} x {high} pixels holds no digit; box is [left, top, width, height]",
            )
        elif left < 0 or top < 0 or left + wide > width or top + high > height:
            fault(
                index,
                "box",
                f"field {entry.name!r}: the box [{left}, {top}, {wide}, {high}] leaves the page of {width} x {height}",
            )
        if entry.kind == "comb" and entry.digits is None:
            fault(index, "name", f"field {entry.name!r}: a comb needs digits = NUMBER OF CELLS")
        if isinstance(entry.digits, list) and entry.digits[0] > entry.digits[1]:
            fault(index, "digits", f"field {entry.name!r}: digits = {entry.digits} should be [fewest, most]")
        if names[entry.name] > 1 and entry.name in seen:
            fault(index, "name", f"there is another field {entry.name!r}: give each its own name")
        seen.add(entry.name)
        if entry.name in RESERVED:
            fault(index, "name", f"field {entry.name!r}: the name of another column; call it number_{entry.name}, say")
    for index, entry in enumerate(parsed.field):
        for earlier in parsed.field[:index]:
            if _overlap(entry.box, earlier.box) > 0.5:
                fault(index, "box", f"field {entry.name!r}: lies on top of field {earlier.name!r}")
    return [say for _, say in sorted(faults)]


def _overlap(one: list[int], other: list[int]) -> float:
    """Common area as a share of the smaller box."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    smaller = min(one[2] * one[3], other[2] * other[3])
    return max(0, across) * max(0, down) / smaller if smaller > 0 else 0.0


def _fault(text: str, table: dict[str, Any], where: tuple[Any, ...], kind: str, message: str) -> tuple[int, str]:
    keys = tuple(part for part in where if part not in ("int", "list[constrained-int]") and not str(part).startswith("list["))
    line = _line(text, keys)
    name = ".".join(str(part) for part in keys)
    if keys[:1] == ("field",) and len(keys) > 1:
        entries = table.get("field")
        entry = entries[keys[1]] if isinstance(entries, list) and isinstance(keys[1], int) else {}
        label = entry.get("name") if isinstance(entry, dict) else None
        name = f"field {label or keys[1] + 1!r}" + (f", {'.'.join(map(str, keys[2:]))}" if len(keys) > 2 else "")
    remedy = {
        "extra_forbidden": f"no such key; {_known(keys)}",
        "missing": "is missing",
    }.get(kind, message[:1].lower() + message[1:])
    return line, f"line {line}: {name}: {remedy}"


def _known(keys: tuple[Any, ...]) -> str:
    model: type[BaseModel] = TemplateFile
    if keys[0] == "page" and len(keys) > 1:
        model = PageTable
    elif keys[0] == "field" and len(keys) > 2:
        model = FieldTable
    return "there are " + ", ".join(model.model_fields)


def _line(text: str, keys: tuple[Any, ...]) -> int:
    """The line, from 1, where a key of the TOML stands; its table's line where the key is not there."""
    lines = text.splitlines()
    start, end = 0, len(lines)
    if keys and keys[0] in ("field", "page"):
        header = r"\[\[\s*field\s*\]\]" if keys[0] == "field" else r"\[\s*page\s*\]"
        heads = [k for k, line in enumerate(lines) if re.match(rf"\s*{header}", line)]
        index = keys[1] if keys[0] == "field" and len(keys) > 1 and isinstance(keys[1], int) else 0
        if index >= len(heads):
            return 1
        start = heads[index]
        later = [k for k, line in enumerate(lines) if k > start and re.match(r"\s*\[", line)]
        end = later[0] if later else len(lines)
        keys = keys[2:] if keys[0] == "field" else keys[1:]
    for k in range(start, end):
        if keys and re.match(rf"\s*{re.escape(str(keys[0]))}\s*=", lines[k]):
            return k + 1
    return start + 1
