"""A picture that is one field: a cut-out amount or number."""

from __future__ import annotations

import cv2
import numpy as np

from docproc.pixels import components, flatten_light, otsu
from docproc.types import Box, Field, Kind, Page

HIGHEST = 400  # px; a taller picture is a page
FLATTEST = 1.15  # least width over height of a strip that is not very small
WORK_SIDE = 2000  # px to which a large page is brought to find what is written on it
LEAST_CONTRAST = 40.0  # gray levels between paper and ink on it
SMALL = 160  # px; a picture with no longer side is a cut-out whatever its shape


def whole_page(page: Page, name: str, kind: Kind = "string", digits: tuple[int, int] | None = None) -> Field:
    """The field that fills the page."""
    return Field(name, Box(0, 0, page.width, page.height), kind, digits)


def written_part(page: Page, name: str, kind: Kind = "string") -> Field:
    """The field that a page holds which is much larger than what is written on it; the whole page where that is nothing.

    Page (height, width) uint8, dark on light. The part is what encloses all ink but specks, with half a digit's height of
    paper around it.
    """
    scale = min(1.0, WORK_SIDE / max(page.width, page.height))
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    small = np.asarray(cv2.resize(page.gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    flat = flatten_light(small, 61)
    threshold, dark, light = otsu(flat)
    if light - dark < LEAST_CONTRAST:
        return whole_page(page, name, kind)
    _, table = components((flat <= threshold).astype(np.uint8))
    heights = table[:, 3]
    large = table[(heights >= max(8, 0.35 * heights.max(initial=0)))]
    if not len(large):
        return whole_page(page, name, kind)
    room = 0.5 * float(np.median(large[:, 3]))
    left, top = (large[:, k].min() - room for k in (0, 1))
    right, bottom = ((large[:, k] + large[:, k + 2]).max() + room for k in (0, 1))
    box = Box(*(round(v / scale) for v in (left, top, right - left, bottom - top))).clip(page.width, page.height)
    return Field(name, box, kind)


def is_line(field: Field) -> bool:
    """Whether the written part of a page is shaped like one line of digits."""
    return field.box.width >= FLATTEST * field.box.height


def looks_like_strip(page: Page) -> bool:
    """Whether the page is one cut-out field by its shape."""
    if max(page.width, page.height) <= SMALL:
        return True
    return page.height <= HIGHEST and page.width >= FLATTEST * page.height
