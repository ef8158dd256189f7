"""Field to ink: what the pen left on the paper, freed from everything else and brought to one size.

The light is flattened, ink separated from paper (Otsu), ruled lines and frames are erased without eating the strokes that
cross them, the digits are brought to a height of 40 px, and the slant is taken out. Both readers start from here.

The slant is the shear with the most concentrated vertical projection (A. Vinciarelli and J. Luettin, 2001).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components, digit_height, flatten_light, otsu
from docproc.types import DIGIT_HEIGHT, INK_MARGIN, Affine, FieldInk, Gray, Ink

LEAST_CONTRAST = 28.0  # gray levels between flattened paper and ink; less is an empty field
PEN_PERCENTILE = 15
PEN_SHARE = 0.45  # of the way from paper to the pen's darkness, where ink begins
SPECK = 0.012  # ink area below this share of the digit height squared is a speck
MOST_SPECKS = 16  # with more the paper's pattern came through
SOFTENED = 0.024  # blur against it, in digit heights
SLANT_PRIOR = 0.20  # share of sharpness that a slant of 45 degrees must gain over none

HIGH_WALL = 0.85  # of a comb's height, at least, is a box's own wall

EDGE = 0.3  # of a comb's height from its middle, where its upper and lower line lie further out
SMALL_CELL = 80  # px to which the width of a comb's cells is brought at least
LOW_DIGITS = 0.5  # of the height that a cell has room for, at least, are its digits
BAR = 0.2  # of the width of a cell; a stroke is narrower

DIGIT_SIDE = 112  # px to which a picture of one digit is brought at least
LEAST_PART = 0.04  # of the largest component of a digit; what is smaller is a speck

INKED = 110  # ink from which a pixel belongs to a stroke

NO_INK = FieldInk(
    ink=np.zeros((1, 1), np.uint8),
    to_ink=np.array([[1.0, 0, 0], [0, 1.0, 0]]),
    labels=np.zeros((1, 1), np.int32),
    parts=np.zeros((0, 5), np.int32),
)


def free_ink(crop: Gray) -> FieldInk:
    """The ink of a free field: a string of digits without known places.

    `crop` is (height, width) uint8, dark ink on light paper. A field without ink gives `NO_INK`.
    """
    found = _ink_map(crop)
    if found is None:
        return NO_INK
    ink, to_ink = _bring_to_height(*found)
    ink, shear = _take_out_slant(ink)
    return FieldInk(ink, np.asarray((_square(shear) @ _square(to_ink))[:2]), *components((ink > INKED).astype(np.uint8)))


def comb_ink(crop: Gray, cells: int) -> FieldInk:
    """The ink of a comb: a row of `cells` equal boxes, one digit in each.

    The printed frame is found near the edges of the crop and between the cells and erased.
    """
    if cells < 1:
        raise ValueError(f"a comb has at least one cell, not {cells}")
    large = SMALL_CELL * cells / max(1, crop.shape[1])
    if large > 1:
        # A pen of one or two px is lost between the levels of a threshold: more px, then the threshold.
        size = (round(crop.shape[1] * large), round(crop.shape[0] * large))
        crop = np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    framed = _inside_frame(crop, cells)
    if framed is None:
        return NO_INK
    inner, offset, left, pitch = framed
    found = _ink_map(inner)
    if found is None:
        return NO_INK
    # Cells tell how high a digit may be, the ink how high they are; one mark in an empty comb tells little.
    most = min(0.75 * inner.shape[0], 1.1 * pitch)
    ink, to_ink = _bring_to_height(found[0], float(np.clip(found[1], LOW_DIGITS * most, most)))
    to_ink = np.asarray((_square(to_ink) @ _square(_shift(-offset[0], -offset[1])))[:2])
    walls = tuple(float(to_ink[0, 2] + to_ink[0, 0] * (left + pitch * k)) for k in range(1, cells))
    if large > 1:
        to_ink = np.asarray(to_ink @ np.diag([large, large, 1.0]))
    return FieldInk(ink, to_ink, *components((ink > INKED).astype(np.uint8)), cells, walls)


def digit_ink(gray: Gray) -> Ink:
    """The ink of a picture of one digit, (height, width) uint8, 0 paper .. 255 ink; what is no part of it is left out.

    `gray` is (height, width) uint8, dark ink on light paper. A picture without ink gives (1, 1), all paper. The slant stays:
    MNIST's digits lean too.
    """
    larger = max(1.0, DIGIT_SIDE / max(gray.shape))
    if larger > 1:
        gray = np.asarray(cv2.resize(gray, None, fx=larger, fy=larger, interpolation=cv2.INTER_CUBIC), np.uint8)
    # Paper around it: a stroke as wide as the picture is no ruled line.
    ring = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    found = _ink_map(np.pad(gray, max(gray.shape) // 2, constant_values=int(np.median(ring))))
    if found is None:
        return np.zeros((1, 1), np.uint8)
    labels, table = components((found[0] > INKED).astype(np.uint8))
    if not len(table):
        return np.zeros((1, 1), np.uint8)
    line = (table[:, 2] > 0.9 * gray.shape[1]) & (table[:, 3] < 0.2 * table[:, 2])  # below a digit, from side to side
    table[line & (table[:, 4] < table[:, 4].max()), 4] = 0
    parts = 1 + np.flatnonzero(table[:, 4] >= LEAST_PART * table[:, 4].max())
    # The soft rim of a stroke belongs to it, that of a speck does not.
    near = cv2.dilate(np.isin(labels, parts).astype(np.uint8), np.ones((5, 5), np.uint8))
    return np.asarray(np.where(near > 0, found[0], 0), np.uint8)


# ---------------------------------------------------------------------------------------------------------- ink


def _ink_map(crop: Gray) -> tuple[Ink, float] | None:
    """The crop as ink (height, width) uint8, ruled lines erased, with the height of its digits in px."""
    found = _threshold(crop)
    if found is None:
        return None
    ink, tall, specks = found
    if specks <= MOST_SPECKS:
        return ink, tall
    # Fine lines of a security pattern came through: seen a little out of focus they vanish, and the pen stays.
    softened = _threshold(np.asarray(cv2.GaussianBlur(crop, (0, 0), float(np.clip(SOFTENED * tall, 0.6, 4.0))), np.uint8))
    return (ink, tall) if softened is None else softened[:2]


def _threshold(crop: Gray) -> tuple[Ink, float, int] | None:
    """Ink, digit height and the number of specks of ink much smaller than a digit."""
    height, width = crop.shape
    if height < 6 or width < 4:
        return None
    flat = flatten_light(crop, reach=max(9, round(min(height, 160) * 0.5)))
    threshold, dark, light = otsu(flat)
    if light - dark < LEAST_CONTRAST:
        return None
    soft = max(6.0, 0.35 * (light - dark))
    # Security patterns are darker than paper and lighter than the pen: half-way to the pen's own darkness drops them.
    core = float(np.percentile(flat[flat <= threshold], PEN_PERCENTILE))
    middle = min(threshold + 0.08 * (light - threshold), light - PEN_SHARE * (light - core))
    # An ink ramp around the threshold keeps the anti-aliased rim of a stroke and drops the pattern of the paper.
    ramp = np.clip((middle + soft / 2 - np.arange(256)) * (255.0 / soft), 0, 255).astype(np.uint8)
    ink = _erase_rules(np.asarray(cv2.LUT(flat, ramp), np.uint8))
    _, table = components((ink > 127).astype(np.uint8))
    tall = digit_height(table, height)
    if tall is None:
        return None
    return ink, tall, int(np.count_nonzero(table[:, 4] < SPECK * tall**2))


def _erase_rules(ink: Ink) -> Ink:
    """Erase long horizontal lines; where a stroke crosses one, the stroke stays."""
    height, width = ink.shape
    length = int(min(1.4 * height, 0.55 * width))
    if length < 12:
        return ink
    mask = (ink > 127).astype(np.uint8)
    # Closing bridges the gaps of dotted lines, the vertical dilation follows a line that is not quite level.
    bridged = cv2.dilate(mask, np.ones((3, 1), np.uint8))
    rule = np.minimum(cv2.morphologyEx(bridged, cv2.MORPH_OPEN, np.ones((1, length), np.uint8)), mask)
    if not rule.any():
        return ink
    # Thickness: the median vertical run of ink through the rule.
    columns = rule.any(axis=0)
    thickness = int(np.median(rule[:, columns].sum(axis=0)))
    if thickness > max(4, 0.16 * height):
        return ink
    strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thickness + 3, 1), np.uint8))
    strokes = cv2.dilate(strokes, np.ones((1, 3), np.uint8))
    sides = _frame_sides(mask, rule, thickness)
    halo = cv2.dilate(rule, np.ones((3, 1), np.uint8))
    return np.where(((halo > 0) & (strokes == 0)) | (sides > 0), np.uint8(0), ink)


def _frame_sides(mask: NDArray[np.uint8], rule: NDArray[np.uint8], thickness: int) -> NDArray[np.uint8]:
    """The upright sides of a printed frame: straight lines from the rule above to the rule below."""
    height, width = mask.shape
    # On a page that lies askew a line runs over several rows: its pieces are joined before they are measured.
    _, table = components(cv2.dilate(rule, np.ones((3, 5), np.uint8)).astype(np.uint8))
    long = table[table[:, 2] > 0.5 * width]
    above = (long[:, 1] + long[:, 3])[long[:, 1] < 0.4 * height]
    below = long[:, 1][long[:, 1] > 0.6 * height]
    if not len(above) or not len(below):
        return np.zeros_like(mask)
    length = int(0.85 * (below.min() - above.max()))
    leaning = cv2.dilate(mask, np.ones((1, 3), np.uint8))
    upright = cv2.morphologyEx(leaning, cv2.MORPH_OPEN, np.ones((max(3, length), 1), np.uint8))
    thick = cv2.morphologyEx(upright, cv2.MORPH_OPEN, np.ones((1, 2 * thickness + 4), np.uint8))
    sides = cv2.dilate(np.minimum(upright, 1 - thick), np.ones((1, 3), np.uint8))
    return np.asarray(sides, np.uint8)


def _bring_to_height(ink: Ink, tall: float) -> tuple[Ink, Affine]:
    scale = float(np.clip(DIGIT_HEIGHT / tall, 0.05, 4.0))
    width, height = max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale))
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(ink, (width, height), interpolation=interpolation)
    scaled = np.pad(scaled, INK_MARGIN)
    return np.asarray(scaled, np.uint8), np.array([[scale, 0.0, INK_MARGIN], [0.0, scale, INK_MARGIN]])


def _take_out_slant(ink: Ink) -> tuple[Ink, Affine]:
    """Shear the ink so that its strokes stand upright."""
    y, x = np.nonzero(ink[::2, ::2] > 127)
    none = np.array([[1.0, 0, 0], [0, 1.0, 0]])
    if len(x) < 20:
        return ink, none
    height, width = ink.shape
    slants = np.arange(-0.4, 1.05, 0.1)
    shifted = x[None, :] + np.rint(slants[:, None] * (y - height / 4.0)[None, :]).astype(np.int64) + height
    bins = width // 2 + 2 * height
    flat = (shifted + np.arange(len(slants))[:, None] * bins).ravel()
    projections = np.bincount(flat, minlength=len(slants) * bins).reshape(len(slants), bins).astype(np.float64)
    sharpness = (projections**2).sum(axis=1)
    # Upright is likelier than the sharpest shear by a hair: a weak prior against leaning.
    best = int(np.argmax(sharpness * (1 - SLANT_PRIOR * np.abs(slants))))
    slant = float(slants[best])
    if abs(slant) < 0.05:
        return ink, none
    reach = abs(slant) * height / 2
    shear = np.array([[1.0, slant, reach - slant * height / 2], [0, 1.0, 0]])
    size = (int(np.ceil(width + 2 * reach)), height)
    return np.asarray(cv2.warpAffine(ink, shear, size, flags=cv2.INTER_LINEAR), np.uint8), shear


def _square(affine: Affine) -> Affine:
    return np.vstack([affine, [0.0, 0.0, 1.0]])


def _shift(x: float, y: float) -> Affine:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


# ----------------------------------------------------------------------------------------------------- the comb


def _inside_frame(crop: Gray, cells: int) -> tuple[Gray, tuple[float, float], float, float] | None:
    """The comb without its frame: (its crop with lines painted over, that one's left and top, first wall, pitch), all px."""
    height, width = crop.shape
    if height < 8 or width < 6 * cells:
        return None
    flat = flatten_light(crop, reach=max(9, round(height * 0.5)))
    threshold, dark, light = otsu(flat)
    whole = (crop, (0.0, 0.0), 0.0, width / cells)
    if light - dark < LEAST_CONTRAST:
        return None
    mask = (flat <= threshold).astype(np.uint8)
    bars = _bars(mask, round(BAR * width / cells))

    level = cv2.dilate(mask * (1 - bars), np.ones((3, 1), np.uint8))
    level = cv2.morphologyEx(level, cv2.MORPH_CLOSE, np.ones((1, max(3, width // (10 * cells)) | 1), np.uint8))
    across = cv2.morphologyEx(level, cv2.MORPH_OPEN, np.ones((1, width // 4), np.uint8))
    rows = across.sum(axis=1) > 0.6 * width
    outer = np.abs(np.arange(height) - height / 2) > EDGE * height
    # A wall may be thin and broken.
    thin = cv2.dilate(mask * (1 - bars), np.ones((1, 3), np.uint8))
    joined = cv2.morphologyEx(thin, cv2.MORPH_CLOSE, np.ones((max(3, height // 10) | 1, 1), np.uint8))
    down = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((height // 5, 1), np.uint8))
    # Walls may be ticks, and at the foot of the cells there is least of the digits.
    columns = down[round(0.7 * height) :].sum(axis=0)

    left, pitch = _fit_comb(columns.astype(np.float64), cells)
    erased = crop.copy()
    paper = int(np.percentile(crop, 90))
    erased[bars > 0] = paper
    # On a page that lies askew no row is full, and the line lies near the edge all the same.
    if (rows | (outer & across.any(axis=1))).any():
        line = cv2.dilate(np.minimum(across, mask) * (rows | outer)[:, None].astype(np.uint8), np.ones((3, 3), np.uint8))
        keep = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((max(7, height // 8), 1), np.uint8))
        erased[(line > 0) & (keep == 0)] = paper
        # The outermost lines bound the digits: outside of them is not this comb.
        marked = np.flatnonzero(rows)
        upper = marked[marked < 0.35 * height]
        lower = marked[marked > 0.65 * height]
        top = int(upper[-1]) + 2 if len(upper) else 0
        bottom = int(lower[0]) - 1 if len(lower) else height
    else:
        top, bottom = 0, height
    # Separate boxes have two walls between them, a little apart and as high as the boxes.
    whole_wall = np.ones((max(3, round(HIGH_WALL * (bottom - top))), 1), np.uint8)
    ticks, walls = (np.asarray(found, np.uint8) for found in (down, cv2.morphologyEx(down, cv2.MORPH_OPEN, whole_wall)))
    for near, upright in ((0.05, ticks), (0.12, walls)):
        reach = max(2, round(near * pitch))
        for k in range(cells + 1):
            x = left + pitch * k
            low, high = max(0, round(x) - reach), min(width, round(x) + reach + 1)
            if high > low:
                _erase_uprights(erased[:, low:high], mask, upright, low, reach, paper)
    spare = 0.08 * pitch
    start, end = max(0, round(left - spare)), min(width, round(left + pitch * cells + spare))
    if bottom - top < 0.4 * height or end - start < 0.5 * width:
        return whole
    return np.ascontiguousarray(erased[top:bottom, start:end]), (float(start), float(top)), left, pitch


def _bars(mask: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Solid areas wider than `side` px that come in from the edge of a crop: black bars, the neighbors of a comb."""
    side = max(7, side)
    solid = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((side, side), np.uint8), borderType=cv2.BORDER_REPLICATE)
    if not solid.any():
        return np.zeros_like(mask)
    height, width = mask.shape
    labels, table = components(np.asarray(solid, np.uint8))
    left, top, wide, tall = table[:, 0], table[:, 1], table[:, 2], table[:, 3]
    at_edge = (left == 0) | (top == 0) | (left + wide == width) | (top + tall == height)
    found = np.isin(labels, np.flatnonzero(at_edge) + 1).astype(np.uint8)
    return np.asarray(cv2.dilate(found, np.ones((5, 5), np.uint8)), np.uint8)


def _erase_uprights(part: Gray, mask: NDArray[np.uint8], upright: NDArray[np.uint8], low: int, reach: int, paper: int) -> None:
    """Paint the lines of `upright` over in `part`, the columns from `low` on, but not where a stroke crosses them."""
    high = low + part.shape[1]
    lines = cv2.dilate(np.minimum(upright[:, low:high], mask[:, low:high]), np.ones((3, 3), np.uint8))
    strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((1, 2 * reach + 3), np.uint8))[:, low:high]
    part[(lines > 0) & (strokes == 0)] = paper


def _fit_comb(columns: NDArray[np.float64], cells: int) -> tuple[float, float]:
    """Left edge and pitch in px of the comb whose walls meet the most line: `columns` holds line px per column."""
    width = len(columns)
    smooth = np.convolve(columns, np.ones(3) / 3, mode="same")
    plain = (0.0, width / cells)
    best, found = 0.0, plain
    walls = np.arange(cells + 1)
    slack = min(0.12 * width, 0.6 * width / cells)
    for pitch in np.arange((width - 2 * slack) / cells, (width + 1) / cells, 0.5 / cells + 0.05):
        lefts = np.arange(0.0, max(1.0, width - pitch * cells), 1.0)
        at = np.clip(np.rint(lefts[:, None] + pitch * walls), 0, width - 1).astype(np.int64)
        # A comb fills its field: of two that meet the same lines the larger is the right one.
        scores = smooth[at].sum(axis=1) * (1 + 0.5 * pitch * cells / width)
        place = int(scores.argmax())
        if scores[place] > best:
            best, found = float(scores[place]), (float(lefts[place]), float(pitch))
    # A comb without visible walls is divided evenly.
    return found if best > 0.5 * (cells + 1) * max(1.0, float(smooth.max())) else plain
