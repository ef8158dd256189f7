"""Parse the text of a template into a valid template, or report all of its faults at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from docproc.errors import BadConfig
from docproc.fields.template.faults import Faults, Spoiled, check_names, not_toml, validated
from docproc.fields.template.placing import Template
from docproc.fields.template.schema import FieldTable, RuleTable, TemplateFile, WeightedTable
from docproc.rules import (
    CheckName,
    DateOrder,
    EqualRule,
    FieldRules,
    OrderRule,
    PageRule,
    SumRule,
    Weighted,
    automaton,
    date_forms,
)
from docproc.types import Box, Field, Kind, Sheet

RESERVED = ("document", "page", "status", "review", "reason", "template")  # columns of the wide table
DATE_KEYS = ("order", "years")  # only for dates
WRITTEN_KEYS = ("digits", "cells", "pattern", "range", "check_digit", "allowed")  # for all fields except E-13B lines

WHOLE_KEYS = ("pattern", "range", "check_digit", "allowed")  # not for measurements

Size = tuple[int, int]  # width, height in px
Bounds = tuple[int, int]  # fewest and most digits
Fault = Callable[[str, str], None]  # reports what is wrong with a key of a field: the key, and a message


@dataclass(frozen=True, slots=True)
class TemplateTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_box_width_px: int = 4  # for a digit [guess]
    min_box_height_px: int = 6  # likewise [guess]
    max_overlap_share: float = 0.5  # of the smaller of two fields' boxes [guess]
    comb_rim_share: float = 0.10  # of a comb's height, cropped around it: its own lines show where the cells are [guess]


TEMPLATE = TemplateTuning()


@dataclass(frozen=True, slots=True)
class Beside:
    """Access to the files next to a template. Each function raises ValueError that says what is wrong with the file."""

    picture: Callable[[str], tuple[str, str, Size]]  # name to path, SHA-256, and width and height in px
    column: Callable[[str, str], frozenset[str]]  # name of a CSV file and of a column to the values there


def _nothing(*_: str) -> Any:
    raise ValueError("cannot be read from here")


ALONE = Beside(_nothing, _nothing)


def parse(text: str, source: str, beside: Beside = ALONE) -> Template:
    """Read a template of one page, see `parse_pages`."""
    first, *others = parse_pages(text, source, beside)
    if others:
        raise BadConfig(source, [f"the template has {len(others) + 1} pages, and one is wanted here"])
    return first


def parse_pages(text: str, source: str, beside: Beside = ALONE) -> tuple[Template, ...]:
    """Read a template: one for each page of its form.

    Raises BadConfig with every fault, its line, and what to write instead.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise BadConfig(source, [not_toml(str(problem), text)]) from problem
    faults = Faults(text)
    if isinstance(table.get("page"), dict):
        table["page"] = [table["page"]]
    check_names(table, faults)
    parsed, spoiled = validated(table, faults)
    if parsed is None:
        raise BadConfig(source, faults.all())
    pages = [_page(k, parsed, beside, faults) for k in range(len(parsed.page))]
    _check_places(parsed, [size for _, _, size in pages], spoiled, faults)
    fields = tuple(_field(k, entry, beside, faults) for k, entry in enumerate(parsed.field) if ("field", k) not in spoiled)
    rules = tuple(
        rule
        for k, entry in enumerate(parsed.rule)
        if ("rule", k) not in spoiled
        if (rule := _rule(k, entry, parsed, spoiled, faults))
    )
    if faults.found:
        raise BadConfig(source, faults.all())
    where = {entry.name: entry.page for entry in parsed.field}
    templates = []
    for number, (page, (path, digest, size)) in enumerate(zip(parsed.page, pages, strict=True), 1):
        assert size is not None
        marks = tuple(Box(*mark) for mark in page.marks)
        own = tuple(field for field in fields if where[field.name] == number)
        if path or marks:
            # Boxes are exact there; for unregistered pages they were drawn with room for misplaced pages.
            own = tuple(replace(field, rim=_rim(field)) for field in own)
        held = tuple(rule for rule in rules if where[rule.fields[0]] == number)
        sheet = Sheet(parsed.name, number, len(pages)) if len(pages) > 1 else None
        templates.append(Template(parsed.name, *size, own, held, path, digest, page.filled, marks, sheet))
    return tuple(templates)


def _rim(field: Field) -> int:
    return round(TEMPLATE.comb_rim_share * field.box.height) if field.cells else 0


# ---------------------------------------------------------------------------------------------------------- page


def _page(index: int, parsed: TemplateFile, beside: Beside, faults: Faults) -> tuple[str, str, Size | None]:
    """Path and hash of the reference, and the size of the page."""
    page, here = parsed.page[index], ("page", index)
    path = digest = ""
    size: Size | None = (page.size[0], page.size[1]) if page.size else None
    if page.reference is not None:
        try:
            path, digest, shown = beside.picture(page.reference)
        except ValueError as problem:
            faults.add((*here, "reference"), f"reference = {page.reference!r}: {problem}")
            return "", "", size
        if size and size != shown:
            faults.add((*here, "size"), f"size = {list(size)}: the reference has {list(shown)} pixels; leave size out")
        size = shown
    elif len(parsed.page) > 1:
        faults.add(here, f"page {index + 1}: of a form of several pages each needs its own reference, by which it is known")
    elif size is None:
        faults.add(here, "page: give reference, the picture of the form, or size, the width and height of its scans")
    elif page.filled is not None:
        faults.add((*here, "filled"), "filled says something of the reference, and there is none")
    if 0 < len(page.marks) < 3:
        faults.add((*here, "marks"), f"marks: {len(page.marks)} are too few, give three or four, or none")
    for mark in page.marks:
        if size and not _inside(mark, size):
            faults.add((*here, "marks"), f"marks: {mark} reaches beyond the page of {size[0]} x {size[1]}")
    return path, digest, size


def _inside(box: list[int], size: Size) -> bool:
    left, top, wide, high = box
    return left >= 0 and top >= 0 and wide > 0 and high > 0 and left + wide <= size[0] and top + high <= size[1]


# -------------------------------------------------------------------------------------------------------- fields


def _check_places(parsed: TemplateFile, sizes: Sequence[Size | None], spoiled: Spoiled, faults: Faults) -> None:
    """Report boxes that are too small, outside the page or overlapping, and names of other columns."""
    for index, entry in enumerate(parsed.field):
        if ("field", index) in spoiled:
            continue
        where = ("field", index)
        if entry.page > len(sizes):
            number = f"{len(sizes)} pages" if len(sizes) > 1 else "one page"
            faults.add((*where, "page"), f"field {entry.name!r}: there is no page {entry.page}; the template has {number}")
        _check_box(where, entry, sizes[min(entry.page, len(sizes)) - 1], faults)
        if entry.name in RESERVED:
            message = f"field {entry.name!r}: the name of another column; call it number_{entry.name}, say"
            faults.add((*where, "name"), message)
        for place, earlier in enumerate(parsed.field[:index]):
            if ("field", place) in spoiled or earlier.page != entry.page:
                continue
            if entry.name == earlier.name and entry.box == earlier.box:
                continue  # a duplicate entry; `check_names` reports it
            if _overlap(entry.box, earlier.box) > TEMPLATE.max_overlap_share:
                faults.add((*where, "box"), f"field {entry.name!r}: lies on top of field {earlier.name!r}")


def _check_box(where: tuple[str, int], entry: FieldTable, size: Size | None, faults: Faults) -> None:
    wide, high = entry.box[2:]
    if wide < TEMPLATE.min_box_width_px or high < TEMPLATE.min_box_height_px:
        faults.add(
            (*where, "box"),
            f"field {entry.name!r}: a box of {wide} x {high} pixels holds no digit; box is [left, top, width, height]",
        )
    elif size and not _inside(entry.box, size):
        faults.add((*where, "box"), f"field {entry.name!r}: the box reaches beyond the page of {size[0]} x {size[1]}")


def _overlap(one: list[int], other: list[int]) -> float:
    """Common area as a share 0..1 of the smaller box."""
    across = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    down = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    smaller = min(one[2] * one[3], other[2] * other[3])
    return max(0, across) * max(0, down) / smaller if smaller > 0 else 0.0


def _field(index: int, entry: FieldTable, beside: Beside, faults: Faults) -> Field:
    """The field of an entry; adds what is wrong with it to the faults."""

    def fault(key: str, message: str) -> None:
        faults.add(("field", index, key), f"field {entry.name!r}: {message}")

    _check_keys(entry, fault)
    digits = _digits(entry, fault)
    box = Box(*entry.box)
    if entry.kind == "micr":
        return Field(entry.name, box, "micr", required=entry.required)
    cells = _cells(entry, digits, fault)
    order: DateOrder | None = entry.order or ("auto" if entry.kind == "date" else None)
    if entry.kind == "date" and order:
        digits = _date_digits(order, digits, fault)
    if cells and digits and digits[1] > cells:
        fault("cells", f"{digits[1]} digits do not go into {cells} cells")
    rules = _rules(entry, digits, order, beside, fault)
    if entry.kind == "comb" and digits and isinstance(entry.digits, int):
        # Cells may stay empty: the number of cells does not imply a full comb, unless a rule depends on it.
        digits = (0, digits[1])
        rules = replace(rules, digits=digits)
    if not rules.trivial and automaton(rules).start < 0:
        fault("name", "no text fulfils all of its rules")
    kind: Kind = "comb" if cells else entry.kind if entry.kind in ("amount", "decimal") else "string"
    if entry.cents and kind != "amount":
        fault("cents", 'cents is for a field of the kind "amount" that is written without boxes')
    signed = entry.signed if entry.signed is not None else kind == "decimal"
    asked = None if rules.trivial else rules
    return Field(
        entry.name, box, kind, digits, entry.required, cells,
        rules=asked, cents=entry.cents, signed=signed, decimals=_decimals(entry, kind, fault),
    )  # fmt: skip


def _decimals(entry: FieldTable, kind: Kind, fault: Fault) -> Bounds | None:
    """The number of digits after the point of a measurement; None if the entry does not say."""
    if kind not in ("amount", "decimal") and entry.signed is not None:
        fault("signed", 'signed is for a field of the kind "amount" or "decimal" that is written without boxes')
    if kind != "decimal":
        if entry.decimals is not None:
            fault("decimals", 'decimals is for a field of the kind "decimal" that is written without boxes')
        return None
    for key in WHOLE_KEYS:
        if getattr(entry, key) is not None:
            fault(key, f"{key} looks at whole numbers, not at a decimal")
    if entry.decimals is None or isinstance(entry.decimals, int):
        return None if entry.decimals is None else (entry.decimals, entry.decimals)
    fewest, most = entry.decimals
    if fewest > most:
        fault("decimals", f"decimals = {entry.decimals} should be [fewest, most]")
    return min(fewest, most), max(fewest, most)


def _check_keys(entry: FieldTable, fault: Fault) -> None:
    """Report keys that do not apply to a field of this kind."""
    for key in DATE_KEYS if entry.kind != "date" else ():
        if getattr(entry, key) is not None:
            fault(key, f'{key} is for a field of the kind "date"')
    for key in WRITTEN_KEYS if entry.kind == "micr" else ():
        if getattr(entry, key) is not None:
            fault(key, f"{key} is not for a line of E-13B, whose check digit is known")


def _digits(entry: FieldTable, fault: Fault) -> Bounds | None:
    """The number of digits that are written; None if the entry does not say."""
    if entry.digits is None:
        return None
    if isinstance(entry.digits, int):
        return entry.digits, entry.digits
    fewest, most = entry.digits
    if fewest > most:
        fault("digits", f"digits = {entry.digits} should be [fewest, most]")
    return min(fewest, most), max(fewest, most)


def _cells(entry: FieldTable, digits: Bounds | None, fault: Fault) -> int:
    """The cells of a comb, 0 for a free field."""
    if entry.cells or entry.kind != "comb":
        return entry.cells or 0
    if digits is None:
        fault("name", "a comb needs digits = NUMBER OF CELLS")
        return 0
    return digits[1]


def _date_digits(order: DateOrder, digits: Bounds | None, fault: Fault) -> Bounds:
    """The number of digits of a date of this order, narrowed to what the entry allows."""
    lengths = sorted({len(form) for form in date_forms(order)})
    possible = lengths[0], lengths[-1]
    if digits is None:
        return possible
    if not possible[0] <= digits[0] <= digits[1] <= possible[1]:
        fault("digits", f"a date {order} has {' to '.join(map(str, sorted(set(possible))))} digits; leave digits out")
        return possible
    return digits


def _rules(entry: FieldTable, digits: Bounds | None, order: DateOrder | None, beside: Beside, fault: Fault) -> FieldRules:
    """The rules for the field's text. Keys that make no sense are reported as faults, and left out."""
    asked: dict[str, dict[str, Any]] = {
        "pattern": {"pattern": entry.pattern},
        "range": {"bounds": tuple(entry.range) if entry.range else None},
        "check_digit": {"check": _check_digit(entry, fault)},
        "allowed": {"allowed": _allowed(entry, beside, fault)},
        "order": {"date": order},
        "years": {"years": tuple(entry.years)} if entry.years else {},
    }
    rules = FieldRules(digits=digits)
    for key, rule in asked.items():
        try:
            rules = replace(rules, **rule)
        except ValueError as problem:
            fault(key, f"{key}: {problem}")
    return rules


def _check_digit(entry: FieldTable, fault: Fault) -> CheckName | Weighted | None:
    check = entry.check_digit
    if not isinstance(check, WeightedTable):
        return check
    try:
        return Weighted(tuple(check.weights), check.modulus, check.remainder)
    except ValueError as problem:
        fault("check_digit", str(problem))
        return None


def _allowed(entry: FieldTable, beside: Beside, fault: Fault) -> frozenset[str] | None:
    """The closed list of allowed values of the field."""
    if entry.allowed is None:
        return None
    try:
        return beside.column(entry.allowed.file, entry.allowed.column)
    except ValueError as problem:
        fault("allowed", f"allowed = {entry.allowed.file!r}: {problem}")
        return None


# --------------------------------------------------------------------------------------------------------- rules


def _rule(index: int, entry: RuleTable, parsed: TemplateFile, spoiled: Spoiled, faults: Faults) -> PageRule | None:
    """The rule of an entry; None, with a fault, if it makes no sense."""
    by_name = {field.name: field for field in parsed.field}
    asked = [key for key in ("sum", "equal", "order") if getattr(entry, key) is not None]
    if len(asked) != 1 or (entry.equals is not None) != (asked == ["sum"]):
        faults.add(
            ("rule", index),
            "rule: give sum = [FIELDS] and equals = FIELD, or equal = [ONE, OTHER], or order = [EARLIER, LATER]",
        )
        return None
    names = [*getattr(entry, asked[0]), *([entry.equals] if entry.equals else [])]
    known = [field.name for place, field in enumerate(parsed.field) if place not in faults.misnamed]
    for name in names:
        # An invalid field name is reported at the field.
        if name not in known and name not in faults.misnamed.values():
            there = ", ".join(dict.fromkeys(known))
            faults.add(("rule", index, asked[0]), f"rule: no field is called {name!r}; there are {there}")
    if len(set(names)) < len(names):
        faults.add(("rule", index, asked[0]), f"rule: a field stands in it twice: {', '.join(names)}")
    unclear = {parsed.field[place].name for kind, place in spoiled if kind == "field"}
    if not set(names) <= set(by_name) or unclear & set(names):
        return None
    if len({by_name[name].page for name in names}) > 1:
        faults.add(("rule", index, asked[0]), "rule: its fields stand on different pages, and every page is read by itself")
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
