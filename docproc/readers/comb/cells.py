"""The cells of a comb, one by one: what stands in each box, seen with what reaches into it from its neighbors.

A digit may stray over a wall: a component of ink belongs, as a whole, to the cell that holds most of it, and only ink much
wider than a cell is divided at the walls. So no digit is seen in two cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from docproc.types import CELL_CLASSES, CELL_SIDE, DIGIT_HEIGHT, EMPTY, CellPictures, CellScores, FieldInk


@dataclass(frozen=True, slots=True)
class CellTuning:
    """The numbers of this stage; each says its unit and its kind, see docs/house.md."""

    ink_px: int = 22  # of the longer side of a cell's ink in its picture [guess]
    min_ink_px: int = 20  # of a field's ink that are brought to that side at least: smaller marks stay small [guess]
    width_weight: float = 0.75  # of the width of a cell's ink against its height, when its longer side is taken [guess]
    speck_area_share: float = 0.006  # of the digit height squared; less ink does not move the picture [guess]
    max_width_pitches: float = 1.5  # of ink that belongs to one cell as a whole; wider ink is divided at the walls [guess]
    across_pull: float = 0.2  # by which the middle of a picture is drawn from its ink towards the cell [guess]
    down_pull: float = 0.1  # towards the middle of the comb [guess]
    blur: float = 0.35  # in px of the picture, before it is made smaller [guess]
    min_blur_px: float = 0.3  # [guess]


CELL = CellTuning()


def cell_pictures(field: FieldInk) -> CellPictures:
    """What stands in the cells of a comb: (cells, 32, 32, 2) uint8, its own ink, and all other ink around it.

    The picture is centered on the cell's ink, and that ink is brought to one size. A cell without ink is a picture whose
    first half is empty.
    """
    pictures = np.zeros((field.cells, CELL_SIDE, CELL_SIDE, 2), np.uint8)
    if not field.cells or not len(field.parts):
        return pictures
    owner = _owners(field)
    height = field.ink.shape[0]
    edges = np.array([0.0, *field.walls, field.ink.shape[1]])
    for cell in range(field.cells):
        own = np.where(owner == cell, field.ink, np.uint8(0))
        box = _extent((own > 0).astype(np.uint8))
        if box is None:
            continue
        left, top, right, bottom = box
        scale = CELL.ink_px / max(bottom - top, CELL.width_weight * (right - left), CELL.min_ink_px)
        x, y = (left + right) / 2, (top + bottom) / 2
        # What lies in the cell, and how high, says something; ink far from its middle is drawn towards it.
        x = (1 - CELL.across_pull) * x + CELL.across_pull * float(np.clip(x, edges[cell], edges[cell + 1]))
        y = (1 - CELL.down_pull) * y + CELL.down_pull * height / 2
        to_picture = np.array([[scale, 0.0, CELL_SIDE / 2 - scale * x], [0.0, scale, CELL_SIDE / 2 - scale * y]])
        others = np.where(owner == cell, np.uint8(0), field.ink)
        peak = 1
        for layer, ink in enumerate((own, others)):
            soft = cv2.GaussianBlur(ink, (0, 0), max(CELL.min_blur_px, CELL.blur / scale))
            small = cv2.warpAffine(soft, to_picture, (CELL_SIDE, CELL_SIDE), flags=cv2.INTER_LINEAR)
            if layer == 0:
                # A thin pen is as good as a bold one.
                peak = max(peak, int(small.max()))
            pictures[cell, :, :, layer] = cv2.convertScaleAbs(small, alpha=255.0 / peak)
    return pictures


def without_ink(pictures: CellPictures, scores: CellScores) -> CellScores:
    """The scores (n, 12) of the cells, those of pictures without own ink being replaced: such a cell is surely empty."""
    blank = ~pictures[..., 0].any(axis=(1, 2))
    changed = scores.copy()
    changed[blank] = np.eye(CELL_CLASSES, dtype=np.float32)[EMPTY]
    return changed


def _owners(field: FieldInk) -> NDArray[np.int32]:
    """The cell of every pixel of ink, (height, width) int32; -1 where there is none."""
    width = field.labels.shape[1]
    column = np.searchsorted(np.asarray(field.walls), np.arange(width) + 0.5)
    count = len(field.parts) + 1
    held = np.bincount(
        (field.labels.astype(np.int64) * field.cells + column[None, :]).ravel(), minlength=count * field.cells
    ).reshape(count, field.cells)
    home = held.argmax(axis=1)
    home[0] = -1
    owner = home[field.labels]
    pitch = width if field.cells == 1 else float(np.diff([*field.walls]).mean()) if field.cells > 2 else width / 2
    for k in np.flatnonzero(field.parts[:, 2] > CELL.max_width_pitches * pitch):
        owner = np.where(field.labels == k + 1, column[None, :], owner)
    return np.asarray(owner, np.int32)


def _extent(mask: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what is no speck; None where nothing is."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    large = stats[1:][stats[1:, 4] >= CELL.speck_area_share * DIGIT_HEIGHT**2]
    if not len(large):
        return None
    left, top = large[:, 0].min(), large[:, 1].min()
    return int(left), int(top), int((large[:, 0] + large[:, 2]).max()), int((large[:, 1] + large[:, 3]).max())
