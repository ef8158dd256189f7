"""A picture that is one field: a cut-out amount or number."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from docproc.pixels import components, flatten_light, otsu
from docproc.types import Box, Field, Kind, Page


@dataclass(frozen=True, slots=True)
class StripTuning:
    """The numbers of this stage; each says its unit and its kind, see docs/house.md."""

    # What is a cut-out field by its shape.
    max_height_px: int = 400  # a higher picture is a page [guess]
    min_aspect_ratio: float = 1.15  # of its width to its height [guess]
    max_small_side_px: int = 160  # of the longer side: a cut-out of any shape [guess]

    # The written part of a large page, at the working size.
    max_work_side_px: int = 2000  # of the page's longer side [guess]
    light_reach_px: int = 61  # over which the light is flattened [guess]
    min_contrast_gray: float = 40.0  # between paper and ink [guess]
    min_height_px: int = 8  # of ink that is no speck [guess]
    min_height_share: float = 0.35  # likewise, of the highest component [guess]
    margin_share: float = 0.5  # of the median height, of paper around [guess]


STRIP = StripTuning()


def whole_page(page: Page, name: str, kind: Kind = "string", digits: tuple[int, int] | None = None) -> Field:
    """The field that fills the page."""
    return Field(name, Box(0, 0, page.width, page.height), kind, digits)


def written_part(page: Page, name: str, kind: Kind = "string") -> Field:
    """The field on a page that is much larger than what is written on it: around all ink but specks, with some paper.

    Page (height, width) uint8, dark on light. An empty page is the field itself.
    """
    scale = min(1.0, STRIP.max_work_side_px / max(page.width, page.height))
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    small = np.asarray(cv2.resize(page.gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    flat = flatten_light(small, STRIP.light_reach_px)
    threshold, dark, light = otsu(flat)
    if light - dark < STRIP.min_contrast_gray:
        return whole_page(page, name, kind)
    _, table = components((flat <= threshold).astype(np.uint8))
    heights = table[:, 3]
    large = table[(heights >= max(STRIP.min_height_px, STRIP.min_height_share * heights.max(initial=0)))]
    if not len(large):
        return whole_page(page, name, kind)
    margin = STRIP.margin_share * float(np.median(large[:, 3]))
    left, top = (large[:, k].min() - margin for k in (0, 1))
    right, bottom = ((large[:, k] + large[:, k + 2]).max() + margin for k in (0, 1))
    box = Box(*(round(v / scale) for v in (left, top, right - left, bottom - top))).clip(page.width, page.height)
    return Field(name, box, kind)


def is_line(field: Field) -> bool:
    """Whether the written part of a page is shaped like one line of digits."""
    return field.box.width >= STRIP.min_aspect_ratio * field.box.height


def looks_like_strip(page: Page) -> bool:
    """Whether the page is one cut-out field by its shape."""
    if max(page.width, page.height) <= STRIP.max_small_side_px:
        return True
    return page.height <= STRIP.max_height_px and page.width >= STRIP.min_aspect_ratio * page.height
