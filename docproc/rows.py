"""From what was read on a page to the rows of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from docproc.meaning.dates import ANY_DATE
from docproc.readers.confidence import Acceptance, joined, judge, judge_empty
from docproc.readers.e13b import PrintedResult
from docproc.readers.e13b.locate import part_box
from docproc.readers.e13b.parts import PARTS, Part, digits_of, parse
from docproc.readers.e13b.search import ROUTING
from docproc.readers.read import FieldResult
from docproc.readers.value import value_of
from docproc.rules import DateWindow, PageRule
from docproc.types import Box, Field, FieldSpec, Page, PageId, Placed, Reading, Row

PART_SPECS = {name: FieldSpec("amount", cents=True) if name == "encoded_amount" else FieldSpec() for name in PARTS}
"""What the parts of an E-13B line may hold."""
EXPECTED_SPECS = {"amount": FieldSpec("amount"), "date": FieldSpec(rules=ANY_DATE), "micr": FieldSpec("micr")}
"""What the fields of a check that were expected but not found may hold."""


def tabulate(placed: Placed, results: Sequence[FieldResult], accept: Acceptance) -> list[Row]:
    """The rows of one page; fields that were expected but not found come last."""
    rows: list[Row] = []
    for result in results:
        row = replace(field_row(placed.page, result, accept), spec=spec_of(result.prepared.field, placed.rules, accept.window))
        rows.append(row)
        if isinstance(result, PrintedResult) and result.prepared.field.parts:
            rows += part_rows(placed.page, result, row, accept)
    found = {row.field for row in rows}
    rows += [missing_row(placed.page.id, name) for name in placed.expected if name not in found]
    return [replace(row, template=placed.template) for row in rows] if placed.template else rows


def spec_of(field: Field, rules: Sequence[PageRule] = (), window: DateWindow | None = None) -> FieldSpec:
    """What a field may hold and what it means; `rules` are those between the fields of its page."""
    between = tuple(rule for rule in rules if field.name in rule.fields)
    return FieldSpec(
        field.kind, field.digits, field.required, field.cells, field.rules, field.cents, field.signed, field.decimals, between,
        window if field.rules is not None and field.rules.date else None,
    )  # fmt: skip


def row_names(result: FieldResult) -> tuple[str, ...]:
    """The names of the rows that a field produces: its own, and those of the parts of an E-13B line."""
    field = result.prepared.field
    return (field.name, *(PARTS if field.parts else ()))


def field_row(page: Page, result: FieldResult, accept: Acceptance) -> Row:
    """The row of one field."""
    field, reading = result.prepared.field, result.reading
    value, doubt = value_of(result, accept.window)
    # If the position of the field is in doubt, it cannot be called blank either.
    damage = page.damage if reading.text else joined(field.doubt, page.damage)
    if field.empty:
        reading, value = Reading("", 0.0), ""
        status, reason = judge_empty(field.empty, required=field.required, damage=damage)
    else:
        status, reason = judge(
            reading, accept.of(field, reading), max_error=accept.max_error, inked=result.prepared.inked,
            required=field.required, doubts=(doubt, result.doubt, field.doubt), damage=damage,
        )  # fmt: skip
    box = page.stored(field.box.clip(page.width, page.height))
    return Row(
        document=page.id.document,
        page=page.id.page,
        field=field.name,
        text=reading.text,
        value=value,
        confidence=None if status == "blank" else reading.confidence,
        status=status,
        reason=reason,
        changed_by=_changed_by(reading.changed_by, reading.read),
        read=reading.read,
        keyed="",
        left=box.left,
        top=box.top,
        width=box.width,
        height=box.height,
        residual=page.residual if field.apart is None else field.apart,
    )


def _changed_by(rule: str, read: str) -> str:
    """The rule because of which the text was replaced, with the text that was read."""
    return f"{rule}, was read as {read}" if rule and read else rule


def part_rows(page: Page, result: PrintedResult, whole: Row, accept: Acceptance) -> list[Row]:
    """The rows of the parts of an E-13B line, besides the row of the line; each has the confidence of the line."""
    reading = result.reading
    found = {part.name: part for part in parse(reading.value, reading.centers)}
    number = found["check_number"].text if "check_number" in found else ""
    rows = []
    for name in PARTS:
        if name in found:
            doubt = _doubt(found[name], number, result.printed)
            rows.append(_part_row(page, result, found[name], doubt, whole, accept))
        elif name != "encoded_amount":
            rows.append(_missing_part(name, whole, told="routing" in found))
    return rows


def _missing_part(name: str, whole: Row, told: bool) -> Row:
    """The row of a part that the line lacks; `told` says that the line's other parts are known."""
    row = replace(whole, field=name, text="", value="", changed_by="", read="", spec=PART_SPECS[name])
    called = name.replace("_", " ")
    why = f"the line shows no {called}" if told else f"it cannot be told which of the line's numbers is the {called}"
    if whole.text and (not told or name == "account"):
        return replace(row, status="review", reason=joined(why, whole.reason))
    if whole.status == "review":
        return replace(row, reason=joined(why if whole.text else "", whole.reason))
    return replace(row, status="blank", reason=why if whole.text else "", confidence=None)


def _doubt(part: Part, number: str, printed: str) -> str:
    """Why a person should look at a part of a line: its role is a guess, or another check number is printed elsewhere.

    `number` is the check number on the line, `printed` the one read elsewhere on the check, "" if none was.
    """
    elsewhere, own = printed.lstrip("0"), number.lstrip("0")
    if part.name == "check_number" and elsewhere and elsewhere != own:
        return f"the number printed at the top of the check was read as {printed}"
    if (
        part.name == "account"
        and not number
        and elsewhere
        and elsewhere in (part.text[: len(elsewhere)], part.text[-len(elsewhere) :])
    ):
        return f"it may hold the check's number, which was read as {printed} at the top of the check"
    return "" if part.by_number and elsewhere and elsewhere == own else part.doubt


def _part_row(page: Page, result: PrintedResult, part: Part, doubt: str, whole: Row, accept: Acceptance) -> Row:
    prepared, centers = result.prepared, result.reading.centers
    crop = prepared.field.crop.clip(page.width, page.height)
    own = part_box(prepared.strip, centers[part.first : part.last])
    box = page.stored(Box(crop.left + own.left, crop.top + own.top, own.width, own.height).clip(page.width, page.height))
    status, reason = accept.of_part(part.name, whole)
    if doubt:
        status, reason = "review", joined(doubt, reason)
    # A rule only substitutes digits of the routing number.
    line = result.reading.value_read if part.name == "routing" else ""
    read = digits_of(line[part.first : part.last]) if len(line) == len(result.reading.value) else ""
    return replace(
        whole, field=part.name, text=part.text, value=part.value, status=status, reason=reason,
        changed_by=_changed_by(result.reading.changed_by, read) if part.name == "routing" else "", read=read,
        left=box.left, top=box.top, width=box.width, height=box.height, spec=_part_spec(part),
    )  # fmt: skip


def _part_spec(part: Part) -> FieldSpec:
    """What a part of an E-13B line may hold. Nine digits with a valid check digit are a US bank's routing number."""
    ours = part.name == "routing" and ROUTING.allows(part.text)
    return replace(PART_SPECS[part.name], rules=ROUTING) if ours else PART_SPECS[part.name]


def missing_row(where: PageId, name: str) -> Row:
    """The row of a field that was expected but not found."""
    reason = f"no {name} was found on this page"
    row = Row(where.document, where.page, name, "", "", 0.0, "review", reason, "", "", "", None, None, None, None)
    return replace(row, spec=EXPECTED_SPECS.get(name))
