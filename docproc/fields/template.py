"""A form's template: a TOML file that says where the fields are, and what they may say.

    schema_version = 1
    name = "household survey"

    [page]
    reference = "blank.png"        # the blank form, beside this file: scans are laid onto it, and its print is taken away
    marks = [[40, 40, 50, 50]]     # solid corner marks on it, three or more; may be left out
    # or, without a picture:
    # size = [2550, 3300]          # width, height in pixels of the scans on which the boxes were measured

    [[field]]
    name = "household_id"
    box = [210, 340, 880, 96]      # left, top, width, height
    kind = "comb"                  # comb | string | amount | date | micr
    digits = 8                     # or [fewest, most]; a comb has as many cells as its most
    check_digit = "mod11"          # luhn, mod10, mod11, mod97, aba, verhoeff, or { weights = [3, 7, 1], modulus = 10 }

    [[field]]
    name = "born"
    box = [210, 500, 640, 96]
    kind = "date"
    order = "DDMMYYYY"             # or DMY, MDY, YMD, where zeros may lack; left out where any order may be
    cells = 8                      # of its comb; left out where it is written freely

    [[rule]]
    sum = ["men", "women"]
    equals = "total"

A page without a picture to lay it onto, and without marks, is accepted when its shape agrees: the boxes are scaled.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic import Field as Rule

from docproc.errors import BadConfig, DocumentError
from docproc.rules import DateOrder, EqualRule, FieldRules, OrderRule, PageRule, SumRule, Weighted, automaton, date_forms
from docproc.types import DIGIT_HEIGHT, Box, Field, Kind, Page

RESERVED = ("document", "page", "status", "review", "reason")  # columns of the wide table
SHAPE_TOLERANCE = 0.02  # of width over height
DIGIT_SHARE = 0.5  # of a box's height that a small digit in it has
NAMED = r"^[A-Za-z_][A-Za-z0-9_]*$"  # a field
COMB_RIM = 0.10  # of a comb's height that is cut out around it: its own lines tell where the cells are

Count = Annotated[int, Rule(ge=1, le=64)]
CheckName = Literal["luhn", "mod10", "mod11", "mod97", "aba", "verhoeff"]
Quad = Annotated[list[int], Rule(min_length=4, max_length=4)]
Size = tuple[int, int]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PageTable(_Strict):
    """The page on which the boxes were measured."""

    reference: Annotated[str | None, Rule(description="a picture of the form, beside this file")] = None
    filled: Annotated[
        bool | None,
        Rule(description="true: the picture is a form that is filled in, false: all on it is print; left out: fields tell"),
    ] = None
    marks: Annotated[
        list[Quad], Rule(description="solid corner marks of the form, three or more: left, top, width, height in pixels")
    ] = []
    size: Annotated[
        list[Annotated[int, Rule(ge=16, le=65_500)]] | None,
        Rule(min_length=2, max_length=2, description="width and height in pixels, where there is no reference"),
    ] = None


class WeightedTable(_Strict):
    """A check digit by a weighted sum; the last weight belongs to the check digit itself."""

    weights: Annotated[list[int], Rule(min_length=2, max_length=64)]
    modulus: Annotated[int, Rule(ge=2, le=1000)]
    remainder: int = 0


class ListTable(_Strict):
    """A closed list: a column of a CSV file beside this file."""

    file: str
    column: str


class FieldTable(_Strict):
    """One number on the form."""

    name: Annotated[str, Rule(pattern=NAMED, description="a column of the table")]
    box: Annotated[Quad, Rule(description="left, top, width, height in pixels of the page")]
    kind: Literal["comb", "string", "amount", "date", "micr"] = "string"
    digits: Annotated[
        Count | Annotated[list[Count], Rule(min_length=2, max_length=2)] | None,
        Rule(description="how many digits, or [fewest, most]"),
    ] = None
    cells: Annotated[Count | None, Rule(description="of the comb; left out where it has as many as digits")] = None
    order: Annotated[DateOrder | None, Rule(description="of a date's parts: DDMMYYYY; DMY where zeros may lack; auto")] = None
    years: Annotated[list[int] | None, Rule(min_length=2, max_length=2, description="first and last year of a date")] = None
    pattern: Annotated[str | None, Rule(description=r"a regular expression of digits that the whole text matches")] = None
    range: Annotated[list[int] | None, Rule(min_length=2, max_length=2, description="least and greatest value")] = None
    check_digit: CheckName | WeightedTable | None = None
    allowed: Annotated[ListTable | None, Rule(description="the closed list of what may stand here")] = None
    required: Annotated[bool, Rule(description="a blank field goes to review")] = False
    cents: Annotated[bool, Rule(description="of an amount: cents are always written, or a dash in their place")] = False


class RuleTable(_Strict):
    """What must hold between fields of a page: `sum` and `equals`, `equal`, or `order` (dates, the earlier first)."""

    name: str = ""
    sum: Annotated[list[str], Rule(min_length=1)] | None = None
    equals: str | None = None
    equal: Annotated[list[str], Rule(min_length=2, max_length=2)] | None = None
    order: Annotated[list[str], Rule(min_length=2, max_length=2)] | None = None


class TemplateFile(_Strict):
    """A docproc template."""

    schema_version: Literal[1]
    name: Annotated[str, Rule(min_length=1)]
    page: PageTable
    field: Annotated[list[FieldTable], Rule(min_length=1, description="the fields, in the order of the table")]
    rule: Annotated[list[RuleTable], Rule(description="what holds between fields")] = []


@dataclass(frozen=True, slots=True)
class Template:
    """A template without faults."""

    name: str
    width: int
    height: int
    fields: tuple[Field, ...]
    rules: tuple[PageRule, ...] = ()
    reference: str = ""  # path of the picture of the form; "" where there is none
    digest: str = ""  # SHA-256 of that picture
    filled: bool | None = None  # True: the picture shows writing; None: where a field on it holds ink
    marks: tuple[Box, ...] = ()

    @property
    def registers(self) -> bool:
        """Whether pages are laid onto the form, and not taken as they are."""
        return bool(self.reference or self.marks)


@dataclass(frozen=True, slots=True)
class Beside:
    """How a template looks at the files beside it. Each raises ValueError that says what is wrong with the file."""

    picture: Callable[[str], tuple[str, str, Size]]  # name to path, SHA-256, and width and height in px
    column: Callable[[str, str], frozenset[str]]  # name of a CSV file and of a column to what stands there


def _nothing(*_: str) -> Any:
    raise ValueError("cannot be read from here")


ALONE = Beside(_nothing, _nothing)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a template file."""
    return TemplateFile.model_json_schema()


def parse(text: str, source: str, beside: Beside = ALONE) -> Template:
    """Read a template. Raises BadConfig with every fault, its line, and what to write instead."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise BadConfig(source, [f"not TOML: {problem}"]) from problem
    found = _Faults(text)
    parsed, spoiled = _validated(text, table, found)
    if parsed is None:
        raise BadConfig(source, found.all())
    path, digest, size = _page(parsed.page, beside, found)
    _check_places(parsed, size, spoiled, found)
    fields = tuple(_field(k, entry, beside, found) for k, entry in enumerate(parsed.field) if ("field", k) not in spoiled)
    rules = tuple(
        rule
        for k, entry in enumerate(parsed.rule)
        if ("rule", k) not in spoiled
        if (rule := _rule(k, entry, parsed, spoiled, found))
    )
    if found.said or not size:
        raise BadConfig(source, found.all())
    marks = tuple(Box(*mark) for mark in parsed.page.marks)
    if path or marks:
        # Boxes are exact there; where pages are taken as they are, whoever drew them left room for how pages lie.
        fields = tuple(replace(field, rim=round(COMB_RIM * field.box.height) if field.cells else 0) for field in fields)
    return Template(parsed.name, *size, fields, rules, path, digest, parsed.page.filled, marks)


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
    return tuple(replace(field, box=_scaled(field.box, across, down), rim=round(field.rim * down)) for field in template.fields)


def enough(template: Template) -> int:
    """The long side in px at which a page's smallest digits are still twice as high as they are read."""
    lowest = min(field.box.height for field in template.fields)
    return round(max(template.width, template.height) * 2 * DIGIT_HEIGHT / (DIGIT_SHARE * lowest))


def _scaled(box: Box, across: float, down: float) -> Box:
    left, top = round(box.left * across), round(box.top * down)
    return Box(left, top, round(box.right * across) - left, round(box.bottom * down) - top)


class _Faults:
    """What is wrong with a template, gathered with the lines where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.said: list[tuple[int, str]] = []

    def add(self, where: tuple[Any, ...], message: str) -> None:
        line = _line(self._text, where)
        self.said.append((line, f"line {line}: {message}"))

    def all(self) -> list[str]:
        """Every fault once, in the order of the lines."""
        return [say for _, say in sorted(set(self.said))]


_Spoiled = set[tuple[str, int]]  # ("field" or "rule", which), entries of which no more can be said


def _validated(text: str, table: dict[str, Any], faults: _Faults) -> tuple[TemplateFile | None, _Spoiled]:
    """The tables by their types. Where some are at fault the others are looked at all the same; None where that is no use."""
    try:
        return TemplateFile.model_validate(table), set()
    except ValidationError as problem:
        errors = problem.errors()
    rest, spoiled, hopeless = copy.deepcopy(table), _Spoiled(), False
    for error in errors:
        where = tuple(error["loc"])
        faults.said.append(_fault(text, table, where, str(error["type"]), str(error["msg"])))
        if error["type"] == "extra_forbidden":
            holder: Any = rest
            for part in where[:-1]:
                holder = holder[part]
            del holder[where[-1]]
        elif len(where) > 1 and where[0] in ("field", "rule") and isinstance(where[1], int):
            spoiled.add((str(where[0]), where[1]))
        else:
            hopeless = True
    if hopeless:
        return None, spoiled
    for kind, index in spoiled:
        # Its place is kept, so that lines and other entries stay what they are.
        entry = rest[kind][index]
        name = entry.get("name") if isinstance(entry, dict) else None
        named = name if isinstance(name, str) and re.fullmatch(NAMED, name) else f"unnamed_{index}"
        rest[kind][index] = {"name": named, "box": [0, 0, 10, 10]} if kind == "field" else {}
    return TemplateFile.model_validate(rest), spoiled


def _page(page: PageTable, beside: Beside, faults: _Faults) -> tuple[str, str, Size | None]:
    """Path and hash of the reference, and the size of the page."""
    path = digest = ""
    size: Size | None = (page.size[0], page.size[1]) if page.size else None
    if page.reference is not None:
        try:
            path, digest, shown = beside.picture(page.reference)
        except ValueError as problem:
            faults.add(("page", "reference"), f"reference = {page.reference!r}: {problem}")
            return "", "", size
        if size and size != shown:
            faults.add(("page", "size"), f"size = {list(size)}: the reference has {list(shown)} pixels; leave size out")
        size = shown
    elif size is None:
        faults.add(("page",), "page: give reference, the picture of the form, or size, the width and height of its scans")
    elif page.filled is not None:
        faults.add(("page", "filled"), "filled says something of the reference, and there is none")
    if 0 < len(page.marks) < 3:
        faults.add(("page", "marks"), f"marks: {len(page.marks)} are too few, give three or four, or none")
    for mark in page.marks:
        if size and not _inside(mark, size):
            faults.add(("page", "marks"), f"marks: {mark} reaches beyond the page of {size[0]} x {size[1]}")
    return path, digest, size


def _inside(box: list[int], size: Size) -> bool:
    left, top, wide, high = box
    return left >= 0 and top >= 0 and wide > 0 and high > 0 and left + wide <= size[0] and top + high <= size[1]


def _check_places(parsed: TemplateFile, size: Size | None, spoiled: _Spoiled, faults: _Faults) -> None:
    """What each entry allows and all together do not."""
    names = Counter(entry.name for entry in parsed.field)
    seen: set[str] = set()
    for index, entry in enumerate(parsed.field):
        if ("field", index) in spoiled:
            continue
        where = ("field", index)
        if entry.box[2] < 4 or entry.box[3] < 6:
            wide, high = entry.box[2:]
            faults.add(
                (*where, "box"),
                f"field {entry.name!r}: a box of {wide} x {high} pixels holds no digit; box is [left, top, width, height]",
            )
        elif size and not _inside(entry.box, size):
            faults.add((*where, "box"), f"field {entry.name!r}: the box reaches beyond the page of {size[0]} x {size[1]}")
        if names[entry.name] > 1 and entry.name in seen:
            faults.add((*where, "name"), f"there is another field {entry.name!r}: give each its own name")
        seen.add(entry.name)
        if entry.name in RESERVED:
            message = f"field {entry.name!r}: the name of another column; call it number_{entry.name}, say"
            faults.add((*where, "name"), message)
        for place, earlier in enumerate(parsed.field[:index]):
            if ("field", place) not in spoiled and _overlap(entry.box, earlier.box) > 0.5:
                faults.add((*where, "box"), f"field {entry.name!r}: lies on top of field {earlier.name!r}")


def _field(index: int, entry: FieldTable, beside: Beside, faults: _Faults) -> Field:
    """The field of an entry; what is wrong with it is added to the faults."""

    def fault(key: str, message: str) -> None:
        faults.add(("field", index, key), f"field {entry.name!r}: {message}")

    digits = (entry.digits, entry.digits) if isinstance(entry.digits, int) else entry.digits
    bounds = (int(digits[0]), int(digits[1])) if digits else None
    if bounds and bounds[0] > bounds[1]:
        fault("digits", f"digits = {entry.digits} should be [fewest, most]")
        bounds = (bounds[1], bounds[0])
    cells = entry.cells or (bounds[1] if entry.kind == "comb" and bounds else 0)
    if entry.kind == "comb" and not cells:
        fault("name", "a comb needs digits = NUMBER OF CELLS")
    for key in ("order", "years"):
        if entry.kind != "date" and getattr(entry, key) is not None:
            fault(key, f'{key} is for a field of the kind "date"')
    order: DateOrder | None = entry.order or ("auto" if entry.kind == "date" else None)
    if entry.kind == "date" and order:
        lengths = [len(form) for form in date_forms(order)]
        wide = (min(lengths), max(lengths))
        if bounds and not wide[0] <= bounds[0] <= bounds[1] <= wide[1]:
            fault("digits", f"a date {order} has {' to '.join(map(str, sorted(set(wide))))} digits; leave digits out")
            bounds = None
        bounds = bounds or wide
    if entry.kind == "micr":
        for key in ("digits", "cells", "pattern", "range", "check_digit", "allowed"):
            if getattr(entry, key) is not None:
                fault(key, f"{key} is not for a line of E-13B, whose check digit is known")
        return Field(entry.name, Box(*entry.box), "micr", required=entry.required)
    if cells and bounds and bounds[1] > cells:
        fault("cells", f"{bounds[1]} digits do not go into {cells} cells")
    check: Any = entry.check_digit
    if isinstance(check, WeightedTable):
        try:
            check = Weighted(tuple(check.weights), check.modulus, check.remainder)
        except ValueError as problem:
            fault("check_digit", str(problem))
            check = None
    allowed = None
    if entry.allowed:
        try:
            allowed = beside.column(entry.allowed.file, entry.allowed.column)
        except ValueError as problem:
            fault("allowed", f"allowed = {entry.allowed.file!r}: {problem}")
    rules = FieldRules(digits=bounds)
    asked = {
        "pattern": {"pattern": entry.pattern}, "range": {"bounds": tuple(entry.range) if entry.range else None},
        "check_digit": {"check": check}, "allowed": {"allowed": allowed}, "order": {"date": order},
        "years": {"years": tuple(entry.years)} if entry.years else {},
    }  # fmt: skip
    for key, one in asked.items():
        try:
            rules = replace(rules, **one)  # type: ignore[arg-type]
        except ValueError as problem:
            fault(key, f"{key}: {problem}")
    if entry.kind == "comb" and bounds and isinstance(entry.digits, int):
        # Cells may stay empty; a full comb is not promised by its number of cells, unless a rule counts on it.
        bounds = (0, bounds[1])
        rules = replace(rules, digits=bounds)
    if not rules.trivial and automaton(rules).start < 0:
        fault("name", "no text fulfils all of its rules")
    kind: Kind = "comb" if cells else "amount" if entry.kind == "amount" else "string"
    if entry.cents and kind != "amount":
        fault("cents", 'cents is for a field of the kind "amount" that is written without boxes')
    ruled = None if rules.trivial else rules
    return Field(entry.name, Box(*entry.box), kind, bounds, entry.required, cells, rules=ruled, cents=entry.cents)


def _rule(index: int, entry: RuleTable, parsed: TemplateFile, spoiled: _Spoiled, faults: _Faults) -> PageRule | None:
    """The rule of an entry; None, and a fault, where it makes no sense."""
    by_name = {field.name: field for field in parsed.field}
    asked = [key for key in ("sum", "equal", "order") if getattr(entry, key) is not None]
    if len(asked) != 1 or (entry.equals is not None) != (asked == ["sum"]):
        faults.add(
            ("rule", index),
            "rule: give sum = [FIELDS] and equals = FIELD, or equal = [ONE, OTHER], or order = [EARLIER, LATER]",
        )
        return None
    names = [*getattr(entry, asked[0]), *([entry.equals] if entry.equals else [])]
    for name in names:
        if name not in by_name:
            faults.add(("rule", index, asked[0]), f"rule: no field is called {name!r}; there are {', '.join(by_name)}")
    if len(set(names)) < len(names):
        faults.add(("rule", index, asked[0]), f"rule: a field stands in it twice: {', '.join(names)}")
    unclear = {parsed.field[place].name for kind, place in spoiled if kind == "field"}
    if not set(names) <= set(by_name) or unclear & set(names):
        return None
    if asked == ["sum"]:
        return SumRule(tuple(names[:-1]), names[-1], entry.name)
    if asked == ["equal"]:
        return EqualRule(names[0], names[1], entry.name)
    if any(by_name[name].kind != "date" for name in names):
        faults.add(("rule", index, "order"), 'rule: order compares two fields of the kind "date"')
        return None
    orders = [by_name[name].order or "auto" for name in names]
    return OrderRule(names[0], names[1], orders[0], orders[1], entry.name)


def _overlap(one: list[int], other: list[int]) -> float:
    """Common area as a share of the smaller box."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    smaller = min(one[2] * one[3], other[2] * other[3])
    return max(0, across) * max(0, down) / smaller if smaller > 0 else 0.0


_BRANCHES = ("int", "list[constrained-int]", "WeightedTable", "constrained-int")  # of a union, in pydantic's paths


def _fault(text: str, table: dict[str, Any], where: tuple[Any, ...], kind: str, message: str) -> tuple[int, str]:
    keys = tuple(part for part in where if part not in _BRANCHES and not str(part).startswith(("list[", "literal[")))
    line = _line(text, keys)
    name = ".".join(str(part) for part in keys)
    if keys[:1] == ("field",) and len(keys) > 1:
        entries = table.get("field")
        entry = entries[keys[1]] if isinstance(entries, list) and isinstance(keys[1], int) else {}
        label = entry.get("name") if isinstance(entry, dict) else None
        name = f"field {label or keys[1] + 1!r}" + (f", {'.'.join(map(str, keys[2:]))}" if len(keys) > 2 else "")
    if keys[2:] == ("check_digit",) and kind != "extra_forbidden":
        message = f"should be one of {', '.join(get_args(CheckName))}, or {{ weights = [3, 7, 1], modulus = 10 }}"
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
    elif keys[0] == "rule" and len(keys) > 2:
        model = RuleTable
    return "there are " + ", ".join(model.model_fields)


def _line(text: str, keys: tuple[Any, ...]) -> int:
    """The line, from 1, where a key of the TOML stands; its table's line where the key is not there."""
    lines = text.splitlines()
    start, end = 0, len(lines)
    if keys and keys[0] in ("field", "page", "rule"):
        header = r"\[\s*page\s*\]" if keys[0] == "page" else rf"\[\[\s*{keys[0]}\s*\]\]"
        heads = [k for k, line in enumerate(lines) if re.match(rf"\s*{header}", line)]
        index = keys[1] if keys[0] != "page" and len(keys) > 1 and isinstance(keys[1], int) else 0
        if index >= len(heads):
            return 1
        start = heads[index]
        later = [k for k, line in enumerate(lines) if k > start and re.match(r"\s*\[", line)]
        end = later[0] if later else len(lines)
        keys = keys[1:] if keys[0] == "page" else keys[2:]
    for k in range(start, end):
        if keys and re.match(rf"\s*{re.escape(str(keys[0]))}\s*=", lines[k]):
            return k + 1
    return start + 1
