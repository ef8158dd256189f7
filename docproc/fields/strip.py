"""An image that is a single field: a cropped amount or number."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components, flatten_light, grouped, otsu
from docproc.types import Box, Field, Kind, Page


@dataclass(frozen=True, slots=True)
class StripTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # Which shapes are those of a cropped field.
    max_height_px: int = 400  # a taller image is a page [guess]
    min_aspect_ratio: float = 1.15  # of its width to its height [guess]
    max_small_side_px: int = 160  # of the longer side: a crop of any shape [guess]

    # The written part of a large page, at the working size.
    max_work_side_px: int = 2000  # of the page's longer side [guess]
    light_reach_px: int = 61  # over which the light is flattened [guess]
    min_contrast_gray: float = 40.0  # between paper and ink [guess]
    min_height_px: int = 8  # of ink that is not a speck [guess]
    min_height_share: float = 0.35  # likewise, of the tallest component [guess]
    margin_share: float = 0.5  # of the median height: paper left around the ink [guess]

    # Lines of writing on a page.
    max_glyph_share: float = 0.4  # of the page's height and width: larger components are frames, not glyphs [guess]
    max_glyph_ratio: float = 6.0  # of its width to its height: wider components are rules [guess]
    max_glyphs: int = 1500  # considered, the tallest ones [guess]
    glyph_gap: float = 1.5  # heights, from one glyph to the next of a line [guess]
    glyph_drop: float = 0.5  # of the taller one's height: a glyph this far up or down is on another line [guess]
    glyph_heights: float = 2.5  # ratio between the heights of two neighbors [guess]
    min_glyphs: int = 3  # of a line [guess]


STRIP = StripTuning()


def whole_page(page: Page, name: str, kind: Kind = "string", digits: tuple[int, int] | None = None) -> Field:
    """The field that fills the page."""
    return Field(name, Box(0, 0, page.width, page.height), kind, digits)


def written_part(page: Page, name: str, kind: Kind = "string") -> Field:
    """The field on a page that is much larger than its writing: around all ink except specks, with some paper.

    Page (height, width) uint8, dark on light. For an empty page the field is the whole page.
    """
    table, scale = _parts(page)
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


def lines_of_writing(page: Page) -> int:
    """The number of lines of three or more glyphs, one below the other, on a page."""
    table, scale = _parts(page)
    left, top, width, height = table[:, :4].T.astype(np.float64)
    fit = (height >= STRIP.min_height_px) & (width <= STRIP.max_glyph_ratio * height)
    fit &= (height <= STRIP.max_glyph_share * page.height * scale) & (width <= STRIP.max_glyph_share * page.width * scale)
    glyphs = np.flatnonzero(fit)
    glyphs = glyphs[np.argsort(-height[glyphs], kind="stable")[: STRIP.max_glyphs]]
    left, top, width, height = (side[glyphs] for side in (left, top, width, height))
    higher = np.maximum(height[:, None], height)
    near = np.maximum(left[:, None], left) - np.minimum((left + width)[:, None], left + width) <= STRIP.glyph_gap * higher
    near &= np.abs((top + height / 2)[:, None] - top - height / 2) <= STRIP.glyph_drop * higher
    near &= higher <= STRIP.glyph_heights * np.minimum(height[:, None], height)
    runs = [run for run in grouped(near) if len(run) >= STRIP.min_glyphs]
    # Runs next to each other count once.
    lines, end = 0, -np.inf
    for bottom, first in sorted((float((top + height)[run].max()), float(top[run].min())) for run in runs):
        if first >= end:
            lines, end = lines + 1, bottom
    return lines


def _parts(page: Page) -> tuple[NDArray[np.int32], float]:
    """The components of the ink on a page at the working size, see `pixels.components`; and px there per px of the page."""
    scale = min(1.0, STRIP.max_work_side_px / max(page.width, page.height))
    size = (max(1, round(page.width * scale)), max(1, round(page.height * scale)))
    small = np.asarray(cv2.resize(page.gray, size, interpolation=cv2.INTER_AREA), np.uint8)
    flat = flatten_light(small, STRIP.light_reach_px)
    threshold, dark, light = otsu(flat)
    if light - dark < STRIP.min_contrast_gray:
        return np.zeros((0, 5), np.int32), scale
    return components((flat <= threshold).astype(np.uint8))[1], scale


def looks_like_strip(page: Page) -> bool:
    """Whether the page has the shape of a single cropped field."""
    if max(page.width, page.height) <= STRIP.max_small_side_px:
        return True
    return page.height <= STRIP.max_height_px and page.width >= STRIP.min_aspect_ratio * page.height
