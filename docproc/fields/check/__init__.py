"""Find the parts of a check: the MICR line, the courtesy amount, the date and the printed number. No template, any bank.

The MICR line comes first: E-13B is the only print on a check with a constant pitch along one line (ANSI X9.27), and its
characters are 0.117 inch high. So it gives the orientation, the skew of the check, and the size of an inch.
All other lengths are in inches. If there is no such line, the check is assumed to have the usual width.

The amount is in a frame on the right, or is the writing there below the date; the date is a comb of six or eight cells, or the
writing above. Geometry proposes places, the readers read all of them, and `elect` chooses by what was read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import cv2
import numpy as np

from docproc.fields.check.election import NAMES, elect
from docproc.fields.check.micr_line import MICR_LINE, CharacterRow, clear_lines, find_micr_line, quarters_to_upright
from docproc.fields.check.places import find_places
from docproc.fields.check.working import WORKING, WorkingPage, at_working_size
from docproc.pixels import components, flatten_light, otsu
from docproc.types import Box, Field, Page

__all__ = (
    "NAMES",
    "Band",
    "Check",
    "elect",
    "find_check",
    "is_small_check",
    "looks_like_check",
    "micr_box",
)


@dataclass(frozen=True, slots=True)
class CheckTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    min_aspect_ratio: float = 1.6  # of a check's width to its height [guess]
    max_aspect_ratio: float = 3.4  # likewise [guess]
    usual_width_in: float = 7.0  # of a check whose MICR line is not found: they are 6 to 8.5 wide [guess]
    min_height_in: float = 1.5  # from the line of one check to that of the next one below [guess]
    max_width_in: float = 10.0  # of one check: anything wider may be several [guess]
    max_slope: float = 0.012  # of a line that need not be leveled [guess]

    # A check on a larger page: the crop, relative to its MICR line.
    before_in: float = 2.6  # left of where the line starts [guess]
    behind_in: float = 8.2  # right of where the line starts [guess]
    above_in: float = 3.6  # the line's baseline [guess]
    below_in: float = 0.5  # likewise [guess]

    # The crop for the MICR line itself.
    line_aside_characters: float = 3.2  # character heights, left and right: room for two characters that were not seen [guess]
    line_above_characters: float = 0.7  # likewise, above and below [guess]

    # An image of a check that is no larger than a cropped field.
    min_small_height_px: int = 160  # the MICR line of a smaller check is too small to be read [guess]
    min_small_width_in: float = 4.5  # of a check, in inches derived from its MICR line [guess]
    max_small_width_in: float = 10.0  # likewise [guess]
    small_light_reach_px: int = 15  # over which the light is flattened [guess]
    min_print_px: int = 4  # height of printed characters, on an image of the smallest height [guess]
    max_print_px: int = 13  # likewise [guess]
    max_print_aspect_ratio: float = 1.6  # of their width to their height [guess]
    min_print: int = 20  # characters on any check [guess]


CHECK = CheckTuning()


@dataclass(frozen=True, slots=True)
class Band:
    """A MICR line on a page."""

    box: Box  # px of the page, around its characters
    character: float  # px of the page, their height
    slope: float  # px down per px to the right
    regular: float  # 0..1, how constant its pitch is


@dataclass(frozen=True, slots=True)
class Check:
    """What was found on a page, or how it must be rotated before more can be found."""

    quarters: int = 0  # quarter turns, counterclockwise, that make the page upright
    slope: float = 0.0  # px down per px to the right, of what should be level
    band: Band | None = None
    combs: tuple[Field, ...] = ()  # for dates
    frames: tuple[Field, ...] = ()  # for amounts
    places: tuple[Field, ...] = ()  # writing on the right, from the top down; these have no name yet
    part: Box | None = None  # of the page, which must be cropped before more can be found

    @property
    def settled(self) -> bool:
        """Whether the page is upright, level and only the check, so that its parts can be identified."""
        return self.quarters == 0 and abs(self.slope) <= CHECK.max_slope and self.part is None


def looks_like_check(page: Page) -> bool:
    """Whether the page has the shape of a check, possibly rotated by a quarter turn."""
    short, long = sorted((page.width, page.height))
    return CHECK.min_aspect_ratio <= long / max(1, short) <= CHECK.max_aspect_ratio


def is_small_check(page: Page) -> bool:
    """Whether a page that is no larger than a cropped field is a check, by its MICR line and the size derived from it.

    Page (height, width) uint8, dark on light.
    """
    if not looks_like_check(page) or page.height < CHECK.min_small_height_px or not _holds_print(page):
        return False
    work = at_working_size(page)
    line = None if work is None else find_micr_line(work.mask)[0]
    if line is None:
        return False
    width_in = WORKING.side_px * MICR_LINE.character_in / line.character
    return CHECK.min_small_width_in <= width_in <= CHECK.max_small_width_in


def _holds_print(page: Page) -> bool:
    """Whether a small page has as much print as a check: a quick test, so that cropped fields take no time."""
    height = CHECK.min_small_height_px
    small = cv2.resize(page.gray, (round(page.width * height / page.height), height), interpolation=cv2.INTER_AREA)
    flat = flatten_light(np.asarray(small, np.uint8), CHECK.small_light_reach_px)
    threshold, dark, light = otsu(flat)
    if light - dark < WORKING.min_contrast_gray:
        return False
    _, table = components((flat <= threshold).astype(np.uint8))
    wide, tall = table[:, 2], table[:, 3]
    printed = (tall >= CHECK.min_print_px) & (tall <= CHECK.max_print_px) & (wide <= CHECK.max_print_aspect_ratio * tall)
    return int(np.count_nonzero(printed)) >= CHECK.min_print


def find_check(page: Page) -> Check | None:
    """The parts of the check on a page; None if there is no check.

    Page (height, width) uint8, dark on light. If the result is not `settled`, it says how the page must be rotated, or
    what must be cropped, before trying again. Raises ValueError if there are several checks on the page.
    """
    work = at_working_size(page)
    if work is None:
        return None
    height, width = work.mask.shape
    if not looks_like_check(page):
        return _on_larger_page(work)
    if height > width:
        # Only its MICR line shows whether a page rotated by a quarter turn is a check.
        quarters = quarters_to_upright(work.mask)
        return None if quarters is None else Check(quarters=quarters)
    line, at_foot = find_micr_line(work.mask)
    if line is not None and width > CHECK.max_width_in * line.inch:
        _refuse_several(clear_lines(work.mask if at_foot else np.ascontiguousarray(np.rot90(work.mask, 2))))
    if not at_foot:
        return Check(quarters=2)
    if line is not None and abs(line.slope) > CHECK.max_slope:
        return Check(slope=line.slope)
    inch = line.inch if line else width / CHECK.usual_width_in
    found = find_places(page, work, inch, line.top if line else height)
    if line is None and not ((found.combs or found.writing) and found.frames):
        return None
    band = None if line is None else _band(line, work)
    return Check(band=band, combs=found.combs, frames=found.frames, places=found.writing)


def _band(line: CharacterRow, work: WorkingPage) -> Band:
    box = work.on_page((line.left, line.top, line.right, line.bottom))
    return Band(box, line.character / work.scale, line.slope, line.regularity)


def _on_larger_page(work: WorkingPage) -> Check | None:
    """A check on a larger page: how the page must be rotated, or where the check is. Raises ValueError."""
    turned = [clear_lines(np.ascontiguousarray(np.rot90(work.mask, quarters))) for quarters in range(4)]
    quarters = max(range(4), key=lambda k: max((line.weight for line in turned[k]), default=0.0))
    lines = turned[quarters]
    if not lines or not _apart(lines):
        return None
    _refuse_several(lines)
    if quarters:
        return Check(quarters=quarters)
    line, inch = lines[0], lines[0].inch
    height, width = work.mask.shape
    rect = (
        max(0, line.left - CHECK.before_in * inch),
        max(0, line.bottom - CHECK.above_in * inch),
        min(width, line.left + CHECK.behind_in * inch),
        min(height, line.bottom + CHECK.below_in * inch),
    )
    return Check(part=work.on_page(rect))


def _apart(lines: Sequence[CharacterRow]) -> bool:
    """Whether lines are as far apart as those of checks; typewritten lines are not."""
    return all(
        abs(one.bottom - other.bottom) >= CHECK.min_height_in * one.inch
        for one, other in combinations(lines, 2)
        if one.left < other.right and other.left < one.right
    )


def _refuse_several(lines: Sequence[CharacterRow]) -> None:
    if len(lines) > 1:
        raise ValueError(f"{len(lines)} checks lie on this page: each should be a page of its own")


def micr_box(band: Band, page: Page) -> Box:
    """The crop for the MICR line, with room for two unseen characters at both ends, and room above."""
    aside = round(CHECK.line_aside_characters * band.character)
    above = round(CHECK.line_above_characters * band.character)
    box = band.box
    return Box(box.left - aside, box.top - above, box.width + 2 * aside, box.height + 2 * above).clip(page.width, page.height)
