"""Field to ink: the pen strokes on the paper, isolated from everything else and scaled to one size.

A low crop is enlarged first: a threshold at the scale of the scan leaves strokes of two or three px jagged or broken. Then the
illumination is flattened, ink separated from paper (Otsu), ruled lines and frames are erased without damaging the strokes
that cross them, the digits are scaled to a height of 40 px, and the slant is removed. All handwriting readers start from here.

The slant is the shear with the most concentrated vertical projection (A. Vinciarelli and J. Luettin, 2001).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import (
    components,
    digit_height,
    enlarged,
    flatten_light,
    inked_pixels,
    level_counts,
    level_quantile,
    otsu,
    quantile,
    separation,
)
from docproc.readers.ruling import without_ruling
from docproc.types import DIGIT_HEIGHT, INK_MARGIN, Affine, Box, FieldInk, Gray, Ink

FAINT = "the writing is faint"
TINY = "the digits are only a few pixels tall"


@dataclass(frozen=True, slots=True)
class InkTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    # Size before the threshold.
    crop_px: int = 128  # height to which a lower crop is enlarged [measured: 542 check amounts, see docs/errors.md]
    digit_px: float = 70.0  # height to which digits are enlarged that are small even then [measured: the same]
    min_gain: float = 1.25  # by which they are enlarged at least [guess]
    max_enlarged: float = 4.0  # times [guess]
    max_enlarged_px: int = 4_000_000  # of the enlarged crop [guess]
    min_digit_px: float = 9.0  # height in the scan of digits that can be trusted [measured: two sets at a third of their size]

    # Threshold.
    min_contrast_gray: float = 28.0  # between flattened paper and ink; less is faint writing, or an empty field [guess]
    min_faint_gray: float = 12.0  # the same for faint writing [measured: noise and waves; check amounts made pale]
    max_faint_share: float = 0.35  # of a crop that is faint writing, and not the paper's grain [measured: the same]
    min_faint_separation: float = 0.7  # of faint writing and paper, see `pixels.separation` [measured: the same]
    noise_px: float = 2.0  # standard deviation of the blur for faint writing under noise [measured: pale, noisy print]
    min_smooth_gray: float = 8.0  # after it, between paper and ink [measured: the same]
    min_smooth_separation: float = 0.66  # after it; that of noise alone is 0.64 [measured: the same]
    min_height_px: int = 6  # of a crop that is searched for ink [guess]
    min_width_px: int = 4  # the same [guess]
    light_reach_share: float = 0.5  # of the crop's height, over which the light is flattened [guess]
    max_light_height_px: int = 160  # of the crop's height that counts there [guess]
    min_light_reach_px: int = 9  # [guess]
    ramp_share: float = 0.35  # of the contrast between paper and ink, over which a pixel changes from paper to ink [guess]
    min_ramp_gray: float = 6.0  # the same, at least [guess]
    pen_percentile: int = 15  # of the ink's gray levels, used as the pen's own [guess]
    pen_share: float = 0.45  # of the way from paper to the pen's darkness, where ink begins [guess]
    lighter_share: float = 0.08  # of the way from the threshold to paper, by which the threshold moves at most [guess]
    half_ink: int = 127  # least ink of a pixel in a mask [geometry]
    stroke_ink: int = 110  # least ink of a pixel in a stroke [guess]

    # Specks: remains of the paper's pattern.
    speck_area_share: float = 0.012  # of the digit height squared; less ink is a speck [guess]
    max_specks: int = 16  # with more, the crop is blurred and analyzed again [guess]
    soften_digits: float = 0.024  # blur against the pattern [guess]
    min_soften_px: float = 0.6  # [guess]
    max_soften_px: float = 4.0  # [guess]

    # Marks: anything written, even if only a dash; px of the scan.
    min_mark_px: float = 5.0  # of the longer side [guess]
    min_mark_share: float = 0.09  # the same, of the crop's height [guess]
    max_mark_height_px: int = 100  # of the crop's height that counts there [guess]
    min_mark_area_share: float = 0.15  # of the square of that [guess]
    remains_px: int = 3  # around a line that was removed: ink there is its remains [guess]
    remains_share: float = 0.5  # of a component that lies there [guess]
    nearer_share: float = 0.7  # of the crop's height: writing this small is worth a second look [guess]

    # Dot-matrix print.
    dot_percentile: float = 90  # of the distances from ink to paper: roughly half a dot [guess]
    core_percentile: float = 97  # the same, more precisely, if the dots are large enough [guess]
    min_fine_dot_px: int = 11  # diameter at which dots can be distinguished; finer print is enlarged to it [guess]
    max_finer: int = 5  # times [guess]
    min_rough_dot_px: float = 5.0  # diameter from which most strokes are recognized without enlarging [measured: 300 fields]
    rough_pitch_share: float = 0.25  # of the dots that keep the pitch then; with fewer they are strokes [measured: the same]
    max_dotted_px: int = 4_000_000  # of a crop that is searched for dots [guess]
    core_share: float = 0.8  # of a dot's radius: pixels deeper than this are its core [guess]
    min_dots: int = 12  # [guess]
    dots_share: float = 0.4  # of the ink that round dots around the cores would have [guess]
    max_dots: int = 900  # [guess]
    off_pitch: float = 0.15  # by which the distance to the nearest dot may deviate from the pitch [guess]
    on_pitch_share: float = 0.85  # of the dots that keep the pitch [guess]
    dot_room: float = 0.25  # of the pitch: added to the gap that is closed [guess]
    max_dot_reach: float = 2.0  # dots, of a gap that is closed [guess]

    # One height and no slant.
    min_scale: float = 0.05  # of ink [guess]
    max_scale: float = 4.0  # [guess]
    slant_from: float = -0.4  # tangents tried, negative to the left [guess]
    slant_to: float = 1.05  # [guess]
    slant_step: float = 0.1  # [guess]
    min_slant: float = 0.05  # less counts as none [guess]
    min_slant_px: int = 20  # of ink, at half size; with less the slant is not estimated [guess]
    slant_prior: float = 0.20  # share of sharpness that a slant of 45 degrees must gain over none [guess]

    # An image of one digit.
    digit_side_px: int = 112  # size to which it is enlarged at least [guess]
    max_digit_side_px: int = 448  # a larger one is shrunk to this size [guess]
    min_part_share: float = 0.04  # of the largest component; what is smaller is a speck [guess]
    underline_width_share: float = 0.9  # of the image: a component this wide ... [guess]
    underline_flatness: float = 0.2  # ... and flatter than this, height over width, is an underline [guess]
    rim_px: int = 5  # around a component that belong to it: the soft edge of a stroke [guess]


INK = InkTuning()


@dataclass(frozen=True, slots=True)
class CombTuning:
    """The tuned numbers for finding and erasing a comb's printed frame."""

    max_cell_aspect: float = 20.0  # height over width of a cell [guess]
    min_cell_px: int = 140  # width to which the cells are enlarged at least [measured: 1,175 composed combs, docs/errors.md]
    max_height_share: float = 0.75  # of the comb's height, for a digit [guess]
    max_height_pitches: float = 1.1  # the same, in cells [guess]
    min_height_share: float = 0.5  # of the height that fits in a cell: its digits are at least this tall [guess]
    min_height_px: int = 8  # of a crop that is searched for a comb [guess]
    min_cell_width_px: int = 6  # the same, for each cell [guess]
    light_reach_share: float = 0.5  # of the crop's height, over which the light is flattened [guess]
    min_light_reach_px: int = 9  # [guess]
    bar_share: float = 0.2  # of the cell width; a stroke is narrower, a black bar is not [guess]
    min_bar_px: int = 7  # [guess]
    bar_rim_px: int = 5  # [guess]

    level_gap: int = 10  # fraction of a cell's width, as 1/n: gaps this long in a horizontal line are closed [guess]
    level_part: int = 4  # fraction of the comb's width, as 1/n: a horizontal line is at least this long [guess]
    level_share: float = 0.6  # of the width: a row with this much line belongs to the frame [guess]
    outer_share: float = 0.3  # of the height, from the middle; the upper and the lower line are further out [guess]
    upright_gap: int = 10  # fraction of the height, as 1/n: gaps this long in a wall are closed [guess]
    upright_part: int = 5  # fraction of the height, as 1/n: a wall, or a tick, is at least this long [guess]
    pale_share: float = 0.5  # of the way from Otsu's threshold to paper, where pale print begins [guess]
    pale_gap_px: int = 3  # gaps this long in a pale wall are closed: in patterned paper larger ones would join waves [guess]
    pale_part: int = 2  # fraction of the height, as 1/n: a pale wall is at least this long [guess]
    foot_share: float = 0.7  # of the height; walls are searched below this: there is the least digit ink [guess]
    stroke_part: int = 8  # fraction of the height, as 1/n: a vertical stroke this long crosses a horizontal line [guess]
    min_stroke_px: int = 7  # the same, at least [guess]
    upper_share: float = 0.35  # of the height; the upper line is above [guess]
    lower_share: float = 0.65  # the lower line is below [guess]

    wall_share: float = 0.85  # of the comb's height: a box's own wall is at least this tall [guess]
    tick_near_pitches: float = 0.05  # from an expected wall, within which a tick counts as that wall [guess]
    wall_near_pitches: float = 0.12  # the same for a full-height wall: separate boxes have two, slightly apart [guess]
    spare_pitches: float = 0.08  # cropped outside the first and the last wall [guess]
    min_inner_height_share: float = 0.4  # of the crop that remains within the frame; with less it was not a frame [guess]
    min_inner_width_share: float = 0.5  # the same [guess]
    paper_percentile: int = 90  # of the gray levels of a crop, used as paper [guess]

    max_slack_share: float = 0.12  # of the crop's width that may not belong to the comb [guess]
    max_slack_pitches: float = 0.6  # the same, in cells [guess]
    pitch_step_px: float = 0.05  # plus half a pixel over the whole comb [guess]
    fill_bonus: float = 0.5  # of the score for a comb that fills its field: it wins among combs that fit the same lines [guess]
    min_wall_score: float = 0.5  # of a line at each wall, on average; with less the comb has no visible walls [guess]


COMB = CombTuning()


NO_INK = FieldInk(  # [geometry]
    ink=np.zeros((1, 1), np.uint8),
    to_ink=np.array([[1.0, 0, 0], [0, 1.0, 0]]),
    labels=np.zeros((1, 1), np.int32),
    parts=np.zeros((0, 5), np.int32),
)


def free_ink(crop: Gray) -> FieldInk:
    """The ink of a free field: a string of digits at unknown positions.

    `crop` is (height, width) uint8, dark ink on light paper. A field without ink gives `NO_INK`.
    """
    if crop.shape[0] < INK.min_height_px or crop.shape[1] < INK.min_width_px:
        return NO_INK
    large = _enlargement(crop, INK.crop_px / crop.shape[0])
    found = _ink_map(enlarged(crop, large), large)
    left, top = 0, 0
    if found is not None and found.tall is None and (near := _writing(found, crop, large)):
        part = np.ascontiguousarray(near.cut(crop))
        larger = _enlargement(part, INK.crop_px / part.shape[0])
        closer = _ink_map(enlarged(part, larger), larger)
        if closer is not None and closer.tall is not None:
            found, crop, large, left, top = closer, part, larger, near.left, near.top
    if found is None:
        return NO_INK
    if found.tall is None:
        return replace(NO_INK, written=found.written, doubt=FAINT if found.faint else "")
    larger = _enlargement(crop, large * INK.digit_px / found.tall)
    if larger >= INK.min_gain * large:
        closer = _ink_map(enlarged(crop, larger), larger)
        if closer is not None and closer.tall is not None:
            found, large = closer, larger
    assert found.tall is not None
    ink, to_ink = _bring_to_height(found.ink, found.tall)
    ink, shear = _take_out_slant(ink)
    to_ink = _square(shear) @ _square(to_ink) @ np.diag([large, large, 1.0]) @ _square(_shift(-left, -top))
    parts = components((ink > INK.stroke_ink).astype(np.uint8))
    return FieldInk(ink, to_ink[:2], *parts, written=True, doubt=_doubt(found, large))


def comb_ink(crop: Gray, cells: int, framed: Gray | None = None) -> FieldInk:
    """The ink of a comb: a row of `cells` equal boxes, one digit in each.

    The printed frame is found near the edges of the crop and between the cells, and erased. If the print was already removed
    from the crop, `framed` is the crop with it, of the same size: if no wall is left, vertical strokes look like walls. A crop
    whose cells would be far taller than wide gives `NO_INK`.
    """
    if cells < 1:
        raise ValueError(f"a comb has at least one cell, not {cells}")
    if crop.shape[0] * cells > COMB.max_cell_aspect * crop.shape[1]:
        return NO_INK  # the rest of a comb at the edge of a page; enlarging it would take minutes
    large = max(1.0, COMB.min_cell_px * cells / max(1, crop.shape[1]))
    if large > 1:
        # A stroke of one or two px is lost in thresholding, so enlarge first, then threshold.
        size = (round(crop.shape[1] * large), round(crop.shape[0] * large))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), np.uint8)
        framed = None if framed is None else np.asarray(cv2.resize(framed, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    inside = _inside_frame(crop, cells, framed)
    if inside is None:
        return NO_INK
    inner, offset, left, pitch = inside
    found = _ink_map(inner, large)
    if found is None:
        return NO_INK
    if found.tall is None:
        return replace(NO_INK, written=found.written, doubt=FAINT if found.faint else "")
    # The cells limit the digit height, the ink gives the actual one; a single mark in an empty comb says little.
    most = min(COMB.max_height_share * inner.shape[0], COMB.max_height_pitches * pitch)
    ink, to_ink = _bring_to_height(found.ink, float(np.clip(found.tall, COMB.min_height_share * most, most)))
    to_ink = np.asarray((_square(to_ink) @ _square(_shift(-offset[0], -offset[1])))[:2])
    walls = tuple(float(to_ink[0, 2] + to_ink[0, 0] * (left + pitch * k)) for k in range(1, cells))
    to_ink = np.asarray(to_ink @ np.diag([large, large, 1.0]))
    parts = components((ink > INK.stroke_ink).astype(np.uint8))
    return FieldInk(ink, to_ink, *parts, cells, walls, written=True, doubt=_doubt(found, large))


def digit_ink(gray: Gray) -> Ink:
    """The ink of an image of one digit, (height, width) uint8, 0 paper .. 255 ink; anything not part of it is left out.

    `gray` is (height, width) uint8, dark ink on light paper. An image without ink gives (1, 1), all paper. The slant is kept:
    MNIST's digits are slanted too.
    """
    side = max(gray.shape)
    scale = max(1.0, INK.digit_side_px / side) * min(1.0, INK.max_digit_side_px / side)
    if scale != 1:
        size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
        interpolation = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        gray = np.asarray(cv2.resize(gray, size, interpolation=interpolation), np.uint8)
    # Pad with paper: a stroke as wide as the image is not a ruled line.
    ring = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    found = _ink_map(np.pad(gray, max(gray.shape) // 2, constant_values=int(np.median(ring))))
    if found is None or found.tall is None:
        return np.zeros((1, 1), np.uint8)
    labels, table = components((found.ink > INK.stroke_ink).astype(np.uint8))
    if not len(table):
        return np.zeros((1, 1), np.uint8)
    wide = table[:, 2] > INK.underline_width_share * gray.shape[1]
    line = wide & (table[:, 3] < INK.underline_flatness * table[:, 2])  # below a digit, from side to side
    table[line & (table[:, 4] < table[:, 4].max()), 4] = 0
    parts = 1 + np.flatnonzero(table[:, 4] >= INK.min_part_share * table[:, 4].max())
    # The soft edge of a stroke is kept, that of a speck is not.
    near = cv2.dilate(np.isin(labels, parts).astype(np.uint8), np.ones((INK.rim_px, INK.rim_px), np.uint8))
    return np.asarray(np.where(near > 0, found.ink, 0), np.uint8)


# ---------------------------------------------------------------------------------------------------------- ink


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What was found in a crop, at the crop's scale."""

    ink: Ink  # without ruling
    tall: float | None  # px, height of its digits; None if nothing is as large as a digit
    specks: int  # number of parts much smaller than a digit
    written: bool  # whether anything is more than dust and the remains of lines
    marks: NDArray[np.int32]  # the components of the writing, see `pixels.components`
    faint: bool = False  # whether it hardly differs from the paper


def _ink_map(crop: Gray, scale: float = 1.0) -> _Found | None:
    """The ink of a crop, enlarged `scale` times, without ruled lines; None if there is no ink."""
    found = _threshold(crop, scale)
    if found is None or found.tall is None or found.specks <= INK.max_specks:
        return found
    # Fine lines of a security pattern came through: a slight blur removes them but not the pen.
    blur = float(np.clip(INK.soften_digits * found.tall, INK.min_soften_px, INK.max_soften_px))
    softened = _threshold(np.asarray(cv2.GaussianBlur(crop, (0, 0), blur), np.uint8), scale)
    return found if softened is None or softened.tall is None else softened


def _threshold(crop: Gray, scale: float) -> _Found | None:
    height, width = crop.shape
    if height < INK.min_height_px or width < INK.min_width_px:
        return None
    reach = max(INK.min_light_reach_px, round(min(height, INK.max_light_height_px) * INK.light_reach_share))
    flat = flatten_light(crop, reach=reach)
    levels = _levels(flat)
    if levels is None:
        return None
    flat, threshold, dark, light, faint = levels
    soft = max(INK.min_ramp_gray, INK.ramp_share * (light - dark))
    # Security patterns are darker than paper and lighter than the pen: a threshold halfway to the pen's darkness drops them.
    core = level_quantile(level_counts(flat)[: int(threshold) + 1], INK.pen_percentile / 100)
    middle = min(threshold + INK.lighter_share * (light - threshold), light - INK.pen_share * (light - core))
    # An ink ramp around the threshold keeps the anti-aliased edge of a stroke and drops the paper's pattern.
    ramp = np.clip((middle + soft / 2 - np.arange(256)) * (255.0 / soft), 0, 255).astype(np.uint8)
    ink, ruled = without_ruling(np.asarray(cv2.LUT(flat, ramp), np.uint8), scale)
    ink = _joined_dots(ink)
    labels, table = components((ink > INK.half_ink).astype(np.uint8))
    tall = digit_height(table, height)
    marks = _marks(labels, table, ruled, scale)
    specks = int(np.count_nonzero(table[:, 4] < INK.speck_area_share * tall**2)) if tall else 0
    return _Found(ink, tall, specks, tall is not None or len(marks) > 0, marks, faint)


def _levels(flat: Gray) -> tuple[Gray, float, float, float, bool] | None:
    """(the crop, the threshold between ink and paper, level of the ink, of the paper, whether it is faint); None without ink.

    Faint writing under noise is told from paper only once the noise is blurred; then the crop that is returned is blurred.
    """
    threshold, dark, light = otsu(flat)
    if light - dark >= INK.min_contrast_gray:
        return flat, threshold, dark, light, False
    if light - dark < INK.min_faint_gray:
        return None
    if _is_writing(flat, threshold, INK.min_faint_separation):
        return flat, threshold, dark, light, True
    smooth = np.asarray(cv2.GaussianBlur(flat, (0, 0), INK.noise_px), np.uint8)
    threshold, dark, light = otsu(smooth)
    if light - dark < INK.min_smooth_gray or not _is_writing(smooth, threshold, INK.min_smooth_separation):
        return None
    return smooth, threshold, dark, light, True


def _is_writing(flat: Gray, threshold: float, least: float) -> bool:
    """Whether paper and ink that hardly differ are writing. The grain of paper is as often dark as light."""
    share, separated = separation(flat, threshold)
    return share <= INK.max_faint_share and separated >= least


def _marks(labels: NDArray[np.int32], table: NDArray[np.int32], ruled: NDArray[np.uint8], scale: float) -> NDArray[np.int32]:
    """The components that were written: larger than dust, not remains of lines, and not cut by the edge."""
    height, width = labels.shape
    least = max(INK.min_mark_px * scale, INK.min_mark_share * min(height, INK.max_mark_height_px * scale))
    large = (table[:, 2:4].max(axis=1) >= least) & (table[:, 4] >= INK.min_mark_area_share * least**2)
    inside = (table[:, :2] > 0).all(axis=1)
    inside &= (table[:, 0] + table[:, 2] < width) & (table[:, 1] + table[:, 3] < height)
    if ruled.any() and (large & inside).any():
        side = 2 * round(INK.remains_px * scale) + 1
        near = cv2.dilate(ruled, np.ones((side, side), np.uint8))
        covered = np.bincount(labels[near > 0], minlength=len(table) + 1)[1:]
        inside &= covered < INK.remains_share * table[:, 4]
    return np.asarray(table[large & inside], np.int32)


def _doubt(found: _Found, large: float) -> str:
    """Why digits in a crop, enlarged `large` times, cannot be trusted; "" if they can."""
    if found.faint:
        return FAINT
    return TINY if found.tall is not None and found.tall < INK.min_digit_px * large else ""


def _enlargement(crop: Gray, wanted: float) -> float:
    """How many times a crop is enlarged, at least 1: as `wanted`, within the limits."""
    return max(1.0, min(wanted, INK.max_enlarged, sqrt(INK.max_enlarged_px / crop.size)))


def _writing(found: _Found, crop: Gray, large: float) -> Box | None:
    """Where in a crop, enlarged `large` times, the marks are that are too small to be its digits.

    None if there are none, or if they take most of its height.
    """
    table = found.marks / large
    if not len(table):
        return None
    room = table[:, 3].max()
    left, top = np.floor(table[:, :2].min(axis=0) - room).astype(int).tolist()
    right, bottom = np.ceil((table[:, :2] + table[:, 2:4]).max(axis=0) + room).astype(int).tolist()
    near = Box(left, top, right - left, bottom - top).clip(crop.shape[1], crop.shape[0])
    return near if near.height <= INK.nearer_share * crop.shape[0] else None


def _joined_dots(ink: Ink) -> Ink:
    """Dot-matrix print with its dots joined; any other ink unchanged.

    Each dot has its own core, while a stroke has one core along its whole length.
    """
    mask, inside = _depths(ink)
    if not mask.any():
        return ink
    dot = 2 * quantile(inside[mask > 0], INK.dot_percentile / 100)
    finer = max(1, int(np.ceil(INK.min_fine_dot_px / dot)))
    if finer > INK.max_finer or mask.size * finer**2 > INK.max_dotted_px:
        return ink
    large = ink
    if finer > 1:
        if dot >= INK.min_rough_dot_px and _dots(mask, inside, INK.rough_pitch_share) is None:
            return ink
        large = enlarged(ink, finer)
        mask, inside = _depths(large)
    dots = _dots(mask, inside, INK.on_pitch_share)
    if dots is None:
        return ink
    dot, pitch = dots
    # The diagonal distance between dots of the grid, which is less than the distance between characters.
    reach = round((np.sqrt(2) + INK.dot_room) * pitch - dot)
    if not 1 < reach < INK.max_dot_reach * dot:
        return ink
    ball = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    joined = cv2.morphologyEx(large, cv2.MORPH_CLOSE, ball, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    size = (ink.shape[1], ink.shape[0])
    return np.asarray(cv2.resize(joined, size, interpolation=cv2.INTER_AREA) if finer > 1 else joined, np.uint8)


def _depths(ink: Ink) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The mask of the ink, and how far each of its px is from paper, (height, width) each."""
    mask = (ink > INK.half_ink).astype(np.uint8)
    return mask, np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 3), np.float32)


def _dots(mask: NDArray[np.uint8], inside: NDArray[np.float32], on_pitch_share: float) -> tuple[float, float] | None:
    """The diameter and the pitch, px, of the dots of which the ink consists; see `_depths`.

    None if round dots would not have most of the ink, or if fewer than `on_pitch_share` of them keep the pitch: a stroke of
    varying thickness.
    """
    dot = 2 * quantile(inside[mask > 0], INK.core_percentile / 100)
    deep = (inside > INK.core_share * dot / 2).astype(np.uint8)
    labels, cores = components(deep)
    round_ink = len(cores) * np.pi / 4 * dot**2
    if not INK.min_dots <= len(cores) < INK.max_dots or round_ink < INK.dots_share * np.count_nonzero(mask):
        return None
    rows, columns = inked_pixels(deep)
    own = labels[rows, columns] - 1
    x, y = (np.bincount(own, places) / np.bincount(own) for places in (columns, rows))
    apart = np.hypot(x[:, None] - x, y[:, None] - y)
    np.fill_diagonal(apart, np.inf)
    nearest = apart.min(axis=1)
    pitch = float(np.median(nearest))
    return (dot, pitch) if np.mean(np.abs(nearest - pitch) <= INK.off_pitch * pitch) >= on_pitch_share else None


def _bring_to_height(ink: Ink, tall: float) -> tuple[Ink, Affine]:
    scale = min(max(INK.min_scale, DIGIT_HEIGHT / tall), INK.max_scale)
    width, height = max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(ink, (width, height), interpolation=interpolation)
    framed = cv2.copyMakeBorder(scaled, INK_MARGIN, INK_MARGIN, INK_MARGIN, INK_MARGIN, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(framed, np.uint8), np.array([[scale, 0.0, INK_MARGIN], [0.0, scale, INK_MARGIN]])


def _take_out_slant(ink: Ink) -> tuple[Ink, Affine]:
    """Shear the ink so that its strokes are upright."""
    y, x = (ink[::2, ::2] > INK.half_ink).nonzero()
    none = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    if len(x) < INK.min_slant_px:
        return ink, none
    height, width = ink.shape
    slants = np.arange(INK.slant_from, INK.slant_to, INK.slant_step)
    bins = width // 2 + 2 * height
    rows = np.arange(int(y[-1]) + 1)
    shifts = np.rint(slants[:, None] * (rows - height / 4.0)).astype(np.int64) + height + np.arange(len(slants))[:, None] * bins
    flat = (shifts[:, y] + x).ravel()
    projections = np.bincount(flat, minlength=len(slants) * bins).reshape(len(slants), bins).astype(np.float64)
    sharpness = (projections**2).sum(axis=1)
    # A weak prior for upright strokes: the sharpest shear must win by a margin.
    best = int(np.argmax(sharpness * (1 - INK.slant_prior * np.abs(slants))))
    slant = float(slants[best])
    if abs(slant) < INK.min_slant:
        return ink, none
    reach = abs(slant) * height / 2
    shear = np.array([[1.0, slant, reach - slant * height / 2], [0, 1.0, 0]])
    size = (int(np.ceil(width + 2 * reach)), height)
    return np.asarray(cv2.warpAffine(ink, shear, size, flags=cv2.INTER_LINEAR), np.uint8), shear


def _square(affine: Affine) -> Affine:
    return np.array([*affine, (0.0, 0.0, 1.0)])


def _shift(x: float, y: float) -> Affine:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


# ----------------------------------------------------------------------------------------------------- the comb


@dataclass(frozen=True, slots=True, eq=False)
class _Frame:
    """What looks like a comb's printed lines in a crop, masks (height, width) uint8 0 or 1, and the comb's position, px."""

    mask: NDArray[np.uint8]  # all ink
    pale: NDArray[np.uint8]  # the same, with print that is lighter than the pen
    bars: NDArray[np.uint8]  # see `_bars`
    across: NDArray[np.uint8]  # horizontal lines
    down: NDArray[np.uint8]  # vertical lines
    rows: NDArray[np.bool_]  # (height,) where a horizontal line is
    left: float  # of the first cell
    pitch: float  # of the cells

    @property
    def outer(self) -> NDArray[np.bool_]:
        """(height,) where the upper or the lower line may be."""
        height = len(self.rows)
        return np.asarray(np.abs(np.arange(height) - height / 2) > COMB.outer_share * height)

    @property
    def bounded(self) -> bool:
        """Whether the comb has an upper or a lower line. On a skewed page no row is full."""
        return bool((self.rows | (self.outer & self.across.any(axis=1))).any())

    @property
    def bounds(self) -> tuple[int, int]:
        """The first row within the outermost lines, and the one after the last; anything outside is not this comb."""
        height = len(self.rows)
        marked = np.flatnonzero(self.rows) if self.bounded else np.zeros(0, np.int64)
        upper = marked[marked < COMB.upper_share * height]
        lower = marked[marked > COMB.lower_share * height]
        return int(upper[-1]) + 2 if len(upper) else 0, int(lower[0]) - 1 if len(lower) else height


def _frame(crop: Gray, cells: int) -> _Frame | None:
    """The lines of a comb in a crop; None if there is no ink, or no room for a comb."""
    height, width = crop.shape
    if height < COMB.min_height_px or width < COMB.min_cell_width_px * cells:
        return None
    flat = flatten_light(crop, reach=max(COMB.min_light_reach_px, round(height * COMB.light_reach_share)))
    levels = _levels(flat)
    if levels is None:
        return None
    flat, threshold, _, light, _ = levels
    mask = (flat <= threshold).astype(np.uint8)
    bars = _bars(mask, round(COMB.bar_share * width / cells))

    level = cv2.dilate(mask * (1 - bars), np.ones((3, 1), np.uint8))
    level = cv2.morphologyEx(level, cv2.MORPH_CLOSE, np.ones((1, max(3, width // (COMB.level_gap * cells)) | 1), np.uint8))
    across = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((1, width // COMB.level_part), np.uint8))
    # A wall may be thin and broken, or thin and pale.
    pale = (flat <= threshold + COMB.pale_share * (light - threshold)).astype(np.uint8)
    down = np.maximum(
        _uprights(mask * (1 - bars), height // COMB.upright_gap, height // COMB.upright_part),
        _uprights(pale * (1 - bars), COMB.pale_gap_px, height // COMB.pale_part),
    )
    # Walls may be only ticks, and the bottom of the cells has the least digit ink.
    columns = down[round(COMB.foot_share * height) :].sum(axis=0)
    left, pitch = _fit_comb(columns.astype(np.float64), cells)
    rows = np.asarray(across.sum(axis=1) > COMB.level_share * width)
    return _Frame(mask, pale, bars, np.asarray(across, np.uint8), down, rows, left, pitch)


def _uprights(mask: NDArray[np.uint8], gap: int, length: int) -> NDArray[np.uint8]:
    """Vertical lines at least `length` px long, 2 px wider than their ink; gaps up to `gap` px are closed."""
    thin = cv2.dilate(mask, np.ones((1, 3), np.uint8))
    joined = cv2.morphologyEx(thin, cv2.MORPH_CLOSE, np.ones((max(3, gap) | 1, 1), np.uint8))
    return np.asarray(cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((length, 1), np.uint8)), np.uint8)


def _inside_frame(crop: Gray, cells: int, framed: Gray | None) -> tuple[Gray, tuple[float, float], float, float] | None:
    """The comb without its frame: (its crop with lines painted over, the crop's left and top, first wall, pitch), all px.

    `framed` is the crop with its print, if `crop` has none: it shows where the comb is.
    """
    seen = _frame(crop, cells)
    if seen is None:
        return None
    height, width = crop.shape
    place = (None if framed is None else _frame(framed, cells)) or seen
    top, bottom = place.bounds
    erased = crop.copy()
    paper = int(np.percentile(crop, COMB.paper_percentile))
    erased[seen.bars > 0] = paper
    if seen.bounded:
        level = np.minimum(seen.across, seen.mask) * (seen.rows | seen.outer)[:, None].astype(np.uint8)
        line = cv2.dilate(level, np.ones((3, 3), np.uint8))
        upright = np.ones((max(COMB.min_stroke_px, height // COMB.stroke_part), 1), np.uint8)
        erased[(line > 0) & (cv2.morphologyEx(seen.mask, cv2.MORPH_OPEN, upright) == 0)] = paper
    # Separate boxes have two walls between them, slightly apart and as tall as the boxes.
    whole_wall = np.ones((max(3, round(COMB.wall_share * (bottom - top))), 1), np.uint8)
    walls = np.asarray(cv2.morphologyEx(seen.down, cv2.MORPH_OPEN, whole_wall), np.uint8)
    for near, upright in ((COMB.tick_near_pitches, seen.down), (COMB.wall_near_pitches, walls)):
        reach = max(2, round(near * place.pitch))
        for k in range(cells + 1):
            x = place.left + place.pitch * k
            low, high = max(0, round(x) - reach), min(width, round(x) + reach + 1)
            if high > low:
                _erase_uprights(erased[:, low:high], seen, upright, low, reach, paper)
    spare = COMB.spare_pitches * place.pitch
    start, end = max(0, round(place.left - spare)), min(width, round(place.left + place.pitch * cells + spare))
    if bottom - top < COMB.min_inner_height_share * height or end - start < COMB.min_inner_width_share * width:
        return crop, (0.0, 0.0), 0.0, width / cells
    return np.ascontiguousarray(erased[top:bottom, start:end]), (float(start), float(top)), place.left, place.pitch


def _bars(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Solid areas wider than `side` px that extend in from the edge of a crop: black bars next to a comb."""
    side = max(COMB.min_bar_px, side)
    solid = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE)
    if not solid.any():
        return np.zeros_like(mask)
    height, width = mask.shape
    labels, table = components(np.asarray(solid, np.uint8))
    left, top, wide, tall = table[:, 0], table[:, 1], table[:, 2], table[:, 3]
    at_edge = (left == 0) | (top == 0) | (left + wide == width) | (top + tall == height)
    found = np.isin(labels, np.flatnonzero(at_edge) + 1).astype(np.uint8)
    return np.asarray(cv2.dilate(found, np.ones((COMB.bar_rim_px, COMB.bar_rim_px), np.uint8)), np.uint8)


def _erase_uprights(part: Gray, seen: _Frame, upright: NDArray[np.uint8], low: int, reach: int, paper: int) -> None:
    """Paint over the lines of `upright` in `part`, the columns from `low` on, except where a stroke crosses them."""
    high = low + part.shape[1]
    lines = cv2.dilate(np.minimum(upright[:, low:high], seen.pale[:, low:high]), np.ones((3, 3), np.uint8))
    strokes = cv2.morphologyEx(seen.mask, cv2.MORPH_OPEN, np.ones((1, 2 * reach + 3), np.uint8))[:, low:high]
    part[(lines > 0) & (strokes == 0)] = paper


def _fit_comb(columns: NDArray[np.float64], cells: int) -> tuple[float, float]:
    """Left edge and pitch in px of the comb whose walls cover the most line px; `columns` holds line px per column."""
    width = len(columns)
    smooth = np.pad(np.convolve(columns, np.ones(3) / 3, mode="same"), (0, 2), mode="edge")
    plain = (0.0, width / cells)
    best, found = 0.0, plain
    walls = np.arange(cells + 1)
    slack = min(COMB.max_slack_share * width, COMB.max_slack_pitches * width / cells)
    for pitch in np.arange((width - 2 * slack) / cells, (width + 1) / cells, 0.5 / cells + COMB.pitch_step_px):
        lefts = ceil(max(1.0, width - pitch * cells))
        scores = np.add.reduce([smooth[start : start + lefts] for start in np.rint(pitch * walls).astype(int).tolist()])
        place = int(scores.argmax())
        # A comb fills its field: of two that fit the same lines the larger one is right.
        score = float(scores[place]) * (1 + COMB.fill_bonus * pitch * cells / width)
        if score > best:
            best, found = score, (float(place), float(pitch))
    # A comb without visible walls is divided evenly.
    return found if best > COMB.min_wall_score * (cells + 1) * max(1.0, float(smooth.max())) else plain
