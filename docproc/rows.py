"""From what was read on a page to the rows of the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from docproc.readers.confidence import Acceptance, judge
from docproc.readers.e13b import PrintedResult
from docproc.readers.e13b.locate import part_box
from docproc.readers.e13b.parts import PARTS, Part, parse
from docproc.readers.read import FieldResult
from docproc.readers.value import value_of
from docproc.types import Box, Page, PageId, Placed, Row


def tabulate(placed: Placed, results: Sequence[FieldResult], accept: Acceptance) -> list[Row]:
    """The rows of one page; what was expected on it and not found comes last."""
    rows: list[Row] = []
    for result in results:
        row = field_row(placed.page, result, accept)
        rows.append(row)
        if isinstance(result, PrintedResult) and result.prepared.field.parts:
            rows += part_rows(placed.page, result, row, accept)
    found = {row.field for row in rows}
    rows += [missing_row(placed.page.id, name) for name in placed.expected if name not in found]
    return [replace(row, template=placed.template) for row in rows] if placed.template else rows


def field_row(page: Page, result: FieldResult, accept: Acceptance) -> Row:
    """The row of one field."""
    field, reading = result.prepared.field, result.reading
    value, doubt = value_of(result, accept.window)
    least = accept.of(field, reading)
    inked = result.prepared.inked
    status, reason = judge(reading, least, inked=inked, required=field.required, doubt=doubt or result.doubt)
    for trouble in (page.damage, field.doubt):
        if trouble:
            status, reason = "review", trouble if status != "review" else f"{trouble}; {reason}"
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
        changed_by=reading.changed_by,
        left=box.left,
        top=box.top,
        width=box.width,
        height=box.height,
        residual=page.residual if field.apart is None else field.apart,
    )


def part_rows(page: Page, result: PrintedResult, whole: Row, accept: Acceptance) -> list[Row]:
    """The rows of what an E-13B line consists of, beside that of the line; each is as sure as the line is."""
    reading = result.reading
    found = {part.name: part for part in parse(reading.value, reading.centers)}
    rows = []
    for name in PARTS:
        if name in found:
            rows.append(_part_row(page, result, found[name], whole, accept))
        elif name != "encoded_amount":
            unread = whole.status == "review"
            rows.append(
                replace(
                    whole, field=name, text="", value="", changed_by="", confidence=whole.confidence if unread else None,
                    status="review" if unread else "blank", reason=whole.reason if unread else "",
                )
            )  # fmt: skip
    return rows


def _part_row(page: Page, result: PrintedResult, part: Part, whole: Row, accept: Acceptance) -> Row:
    prepared, centers = result.prepared, result.reading.centers
    crop = prepared.field.crop.clip(page.width, page.height)
    own = part_box(prepared.strip, centers[part.first : part.last])
    box = page.stored(Box(crop.left + own.left, crop.top + own.top, own.width, own.height).clip(page.width, page.height))
    status, reason = accept.of_part(part.name, whole)
    elsewhere = result.printed.lstrip("0")
    if part.name == "check_number" and elsewhere and elsewhere != part.text.lstrip("0"):
        status, reason = "review", f"the number printed at the top of the check was read as {result.printed}"
    return replace(
        whole, field=part.name, text=part.text, value=part.value, status=status, reason=reason,
        changed_by=whole.changed_by if part.name == "routing" else "",
        left=box.left, top=box.top, width=box.width, height=box.height,
    )  # fmt: skip


def missing_row(where: PageId, name: str) -> Row:
    """The row of a field that was expected and not found."""
    reason = f"no {name} was found on this page"
    return Row(where.document, where.page, name, "", "", 0.0, "review", reason, "", None, None, None, None)
