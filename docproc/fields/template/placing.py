"""A template without faults, and its fields on a page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from docproc.errors import DocumentError
from docproc.rules import PageRule
from docproc.types import DIGIT_HEIGHT, Box, Field, Page, Sheet

SHAPE_TOLERANCE = 0.02  # of width over height, by which a page may differ from the template [guess]
MIN_DIGIT_SHARE = 0.5  # of a box's height: height of a small digit in it [guess]
OVERSAMPLING = 2  # times the height at which digits are read: needed on the page [guess]


@dataclass(frozen=True, slots=True)
class Template:
    """A template without faults."""

    name: str
    width: int
    height: int
    fields: tuple[Field, ...]
    rules: tuple[PageRule, ...] = ()
    reference: str = ""  # path of the image of the form; "" if there is none
    digest: str = ""  # SHA-256 of that image
    filled: bool | None = None  # True: the image shows writing; None: it does if a field on it holds ink
    marks: tuple[Box, ...] = ()
    sheet: Sheet | None = None  # which page of the form it is, if the form has several

    @property
    def called(self) -> str:
        """The template's name for messages."""
        return f"page {self.sheet.number} of {self.name}" if self.sheet else self.name

    @property
    def registers(self) -> bool:
        """Whether pages are registered to the form, and not used as they are."""
        return bool(self.reference or self.marks)


def fits(template: Template, page: Page) -> bool:
    """Whether the page has the shape of the template's page."""
    return abs(page.width / template.width / (page.height / template.height) - 1) <= SHAPE_TOLERANCE


def place(template: Template, page: Page) -> tuple[Field, ...]:
    """The template's fields on a page, scaled to its resolution.

    Raises DocumentError `unsupported` if the shape of the page differs from the template's.
    """
    across, down = page.width / template.width, page.height / template.height
    if not fits(template, page):
        raise DocumentError(
            "unsupported",
            f"the page is {page.width} x {page.height} pixels and does not fit the template {template.name!r}, which was "
            f"measured on {template.width} x {template.height}",
        )
    if across == down == 1:
        return template.fields
    return tuple(replace(field, box=_scaled(field.box, across, down), rim=round(field.rim * down)) for field in template.fields)


def enough(template: Template) -> int:
    """The long side in px at which a page's smallest digits are still twice the height at which they are read."""
    lowest = min((field.box.height for field in template.fields), default=max(template.width, template.height))
    return round(max(template.width, template.height) * OVERSAMPLING * DIGIT_HEIGHT / (MIN_DIGIT_SHARE * lowest))


def _scaled(box: Box, across: float, down: float) -> Box:
    left, top = round(box.left * across), round(box.top * down)
    return Box(left, top, round(box.right * across) - left, round(box.bottom * down) - top)
