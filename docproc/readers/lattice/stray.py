"""Ink that does not belong to the digits: above, below or inside them. Also strokes that lean like slashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.pixels import components
from docproc.types import Box, Lattice


@dataclass(frozen=True, slots=True)
class StrayTuning:
    """The tuned numbers of this stage, each with its unit and kind, see docs/house.md."""

    ink: int = 110  # least ink of a pixel in a stroke [guess]
    min_height_share: float = 0.35  # of the digits' height: less is a speck, an accent, a raised point [guess]
    max_height_share: float = 1.3  # more is a stroke of the page [guess]
    max_width_share: float = 1.2  # of the digits' height: more is a line, or a row of small print [guess]
    min_solid: float = 0.06  # of the area of its box that is ink [guess]
    overlap_share: float = 0.3  # of the digits' height, by which ink above may extend down between them [guess]
    min_over_share: float = 0.5  # of its width that is over digits [guess]
    inner_share: float = 0.12  # of a digit's height: a part inside it is at least this tall [guess]
    min_inside: int = 2  # parts inside a digit: a zero may have a dot [guess]
    inner_width_share: float = 0.3  # of a digit's width: one part this wide is more than a dot [guess]
    max_zero_ratio: float = 1.25  # width to height of a lone 0: a wider one is a ring around something [guess]
    frame_share: float = 0.25  # of a lone digit's sides: how far in the corner of a frame extends [guess]
    min_inner_share: float = 0.02  # of its ink further in than that: less is the corner of a frame [guess]
    max_lean: float = 0.45  # columns per row, for a lone 1: more is a slash [guess]
    max_lean_of_several: float = 0.15  # the same, for every 1 if nothing else is written [guess]
    max_left_over: float = 0.4  # of the ink, not on a digit; with more, 4 in 10 are wrong [measured: composed fields]
    max_left_over_of_1: float = 0.2  # the same, for a lone 1: any stroke looks like one [guess]
    upright_height: tuple[float, float] = (0.75, 1.8)  # of a stroke beside a number, in digit heights, that may be a 1 [guess]
    upright_ratio: float = 0.5  # of its width to its height [guess]
    rule_share: float = 0.55  # of the digits' height: a longer run in a row is what is left of a ruled line [guess]
    foot_share: float = 0.2  # likewise, above the foot of the first digit: where a ruled line may be [guess]
    upright_gap_share: float = 0.8  # of the digits' height, from the stroke to the number [guess]
    upright_level_share: float = 0.7  # of its height or the digit's, the smaller: both are there side by side [guess]
    edge_px: float = 2.0  # from the edge of the crop: ink that touches it belongs to another line [guess]


STRAY = StrayTuning()


def stacked(lattice: Lattice, path: Sequence[int], rows: int) -> bool:
    """Whether there is something as tall as a small digit above or below the digits of a path.

    `rows` is the height of the field's crop in px. Ink that touches its edge belongs to another line of the page.
    """
    if not path:
        return False
    boxes = [lattice.candidates[k].box for k in path]
    height = float(median([box.height for box in boxes]))
    rest = (lattice.ink > STRAY.ink) & ~_ink_of(lattice, path)
    if np.count_nonzero(rest.any(axis=1)) < STRAY.min_height_share * height:
        return False
    _, parts = components(rest.view(np.uint8))
    tops, bottoms = _profile(boxes, rest.shape[1])
    back = cv2.invertAffineTransform(lattice.to_ink)
    for x, y, w, h, area in parts.tolist():
        if not STRAY.min_height_share * height <= h <= STRAY.max_height_share * height:
            continue
        if w > STRAY.max_width_share * height or area < STRAY.min_solid * w * h:
            continue
        over = bottoms[x : x + w] > 0
        if np.count_nonzero(over) < STRAY.min_over_share * w:
            continue
        above = y + h <= tops[x : x + w][over].min() + STRAY.overlap_share * height
        below = y >= bottoms[x : x + w][over].max()  # no overlap allowed: commas hang from the line
        top, bottom = (back[1, 1] * row + back[1, 2] for row in (y, y + h))
        if (above or below) and top >= STRAY.edge_px and bottom <= rows - STRAY.edge_px:
            return True
    return False


def maybe_1_before(lattice: Lattice, path: Sequence[int]) -> bool:
    """Whether an upright stroke as tall as a digit, right before those of a path, was not read: part of a frame, or a 1."""
    if not path:
        return False
    boxes = [lattice.candidates[k].box for k in path]
    first, height = boxes[0], float(median([box.height for box in boxes]))
    least, most = (share * height for share in STRAY.upright_height)
    rest = ((lattice.ink > STRAY.ink) & ~_ink_of(lattice, path))[:, : first.left + first.width // 2]
    if np.count_nonzero(rest.any(axis=1)) < least:
        return False
    # What is left of a ruled line would make the stroke on it wide. Higher up, the signs of currencies are wide.
    level_run = np.ones((1, max(1, round(STRAY.rule_share * height))), np.uint8)
    foot, ink = max(0, first.bottom - round(STRAY.foot_share * height)), rest.astype(np.uint8)
    ink[foot:] -= np.asarray(cv2.morphologyEx(ink[foot:], cv2.MORPH_OPEN, level_run), np.uint8)
    _, parts = components(ink)
    left, top, wide, tall = parts[:, :4].T
    found = (tall >= least) & (tall <= most) & (wide <= STRAY.upright_ratio * tall)
    found &= first.left - left - wide <= STRAY.upright_gap_share * height
    level = np.minimum(top + tall, first.bottom) - np.maximum(top, first.top)
    return bool((found & (level >= STRAY.upright_level_share * np.minimum(tall, first.height))).any())


def filled(lattice: Lattice, path: Sequence[int], text: str) -> bool:
    """Whether there is writing inside a digit of a `text`: a stamp, or a word in a circle, looks like a 0."""
    labels, parts = lattice.whole or components((lattice.ink > STRAY.ink).view(np.uint8))
    left, top, width, height = parts[:, :4].T
    for k, digit in zip(path, text, strict=True):
        box = lattice.candidates[k].box
        here = box.cut(labels)[_taken(lattice, [k])[box.cut(lattice.labels)]]
        own = here[here > 0]
        if not len(own):
            continue
        x, y, w, h, _ = parts[np.bincount(own).argmax() - 1].tolist()
        inside = (left > x) & (left + width < x + w) & (top > y) & (top + height < y + h)
        inside &= height >= STRAY.inner_share * h
        # The curl of a 2 or a 3 may hold a speck.
        wide = digit == "0" and (inside & (width >= STRAY.inner_width_share * w)).any()
        if wide or np.count_nonzero(inside) >= STRAY.min_inside:
            return True
    return False


def is_ring(lattice: Lattice, path: Sequence[int], text: str) -> bool:
    """Whether a lone 0 is wider than people write it: the ring of a stamp, or one drawn around something."""
    if text != "0" or len(path) != 1:
        return False
    box = lattice.candidates[path[0]].box
    return box.width > STRAY.max_zero_ratio * box.height


def is_corner(lattice: Lattice, path: Sequence[int], text: str) -> bool:
    """Whether the ink of a lone digit is only along the sides of its box, as for the rest of a frame but rarely for a digit."""
    if len(path) != 1 or text in ("0", "1"):
        return False
    own = lattice.candidates[path[0]].box.cut(_ink_of(lattice, path))
    rows, columns = (round(STRAY.frame_share * side) for side in own.shape)
    inner = own[rows : len(own) - rows, columns : own.shape[1] - columns]
    return bool(np.count_nonzero(inner) < STRAY.min_inner_share * np.count_nonzero(own))


def left_over(lattice: Lattice, path: Sequence[int]) -> float:
    """The share of the ink that is not on a digit of a path, 0..1."""
    counts = np.bincount(lattice.labels.ravel(), minlength=lattice.pieces + 1)
    counts[0] = 0
    whole = int(counts.sum())
    return (whole - int(counts[_taken(lattice, path)].sum())) / max(1, whole)


def leaning(lattice: Lattice, path: Sequence[int]) -> bool:
    """Whether the strokes of a path, read as 1s, lean to the right like slashes: the only one, or all of several."""
    least = STRAY.max_lean if len(path) == 1 else STRAY.max_lean_of_several
    return len(path) > 0 and all(_lean(lattice, k) > least for k in path)


def _lean(lattice: Lattice, candidate: int) -> float:
    """How many columns per row a candidate leans to the right in the field's crop."""
    rows, columns = _ink_of(lattice, [candidate]).nonzero()
    if len(rows) < 2 or rows.max() == rows.min():
        return 0.0
    back = cv2.invertAffineTransform(lattice.to_ink)
    x, y = back[:, :2] @ np.stack([columns, rows]).astype(np.float64)
    return float(-np.polyfit(y, x, 1)[0])


def _ink_of(lattice: Lattice, path: Sequence[int]) -> NDArray[np.bool_]:
    """Where the ink of some candidates is, (height, width)."""
    return _taken(lattice, path)[lattice.labels]


def _taken(lattice: Lattice, path: Sequence[int]) -> NDArray[np.bool_]:
    """Which labels of the lattice belong to some candidates, (pieces + 1,); 0 is the paper."""
    taken = np.zeros(lattice.pieces + 1, bool)
    for k in path:
        taken[[piece + 1 for piece in lattice.candidates[k].pieces]] = True
    return taken


def _profile(boxes: Sequence[Box], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The top and bottom rows of the digits in each column; a bottom of 0 if there is none."""
    tops, bottoms = np.full(width, np.iinfo(np.int64).max), np.zeros(width, np.int64)
    for box in boxes:
        columns = slice(max(0, box.left), box.right)
        tops[columns] = np.minimum(tops[columns], box.top)
        bottoms[columns] = np.maximum(bottoms[columns], box.bottom)
    return tops, bottoms
