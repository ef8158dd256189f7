"""A picture that is one field: a cut-out amount or number."""

from __future__ import annotations

from docproc.types import Box, Field, Kind, Page

HIGHEST = 400  # px; a taller picture is a page
FLATTEST = 1.15  # least width over height of a strip that is not very small
SMALL = 160  # px; a picture with no longer side is a cut-out whatever its shape


def whole_page(page: Page, name: str, kind: Kind = "string", digits: tuple[int, int] | None = None) -> Field:
    """The field that fills the page."""
    return Field(name, Box(0, 0, page.width, page.height), kind, digits)


def looks_like_strip(page: Page) -> bool:
    """Whether the page is one cut-out field by its shape."""
    if max(page.width, page.height) <= SMALL:
        return True
    return page.height <= HIGHEST and page.width >= FLATTEST * page.height
